/* schema_value.h -- a JSON document as an array of values, for who must look at it in any order. */
#ifndef SLM_SESSION_SCHEMA_VALUE_H
#define SLM_SESSION_SCHEMA_VALUE_H

#include "core/json.h"
#include "core/texts.h"

typedef struct slm_value {
    slm_json_kind kind;         /* of the first event: no KEY, no END */
    uint32_t parent;            /* SLM_NO_ID: the root */
    uint32_t child, next;       /* the first member or element, the next one of the same parent; SLM_NO_ID */
    uint32_t n;                 /* members or elements */
    uint32_t key;               /* in `texts`; SLM_NO_ID: no member */
    uint32_t string;            /* in `texts`, escapes undone; SLM_NO_ID: no string */
    uint32_t begin, end;        /* as written, quotes included */
    double number;
} slm_value;

typedef struct slm_document {
    slm_heap *heap;
    const uint8_t *bytes;
    slm_buf values;             /* slm_value; 0 is the root */
    slm_buf members;            /* uint32_t for each text: the value whose key it is, SLM_NO_ID */
    slm_buf key;                /* scratch */
    slm_texts texts;            /* strings; keys are entered, with the parent's number before them */
} slm_document;

enum { SLM_KEY_HEAD = 4 };      /* bytes of the parent's number before the text of a key */

/* A key that stands twice in an object is SLM_E_FORMAT. The bytes must outlive the document. */
slm_status slm_document_init(slm_document *doc, slm_heap *heap, const void *bytes, size_t n, const char *name, slm_error *err);
void slm_document_free(slm_document *doc);

static inline const slm_value *slm_value_at(const slm_document *doc, uint32_t number)
{
    return (const slm_value *)(const void *)doc->values.data + number;
}

/* The member of an object, or SLM_NO_ID; also if it is no object. */
uint32_t slm_value_member(slm_document *doc, uint32_t object, const void *key, size_t n);

/* The text of a string or of a member's key. */
const uint8_t *slm_value_string(const slm_document *doc, uint32_t number, size_t *n);
const uint8_t *slm_value_key(const slm_document *doc, uint32_t number, size_t *n);

/* Where a value stands, as "#/properties/a"; cut from the left with "..." if longer than out. */
const char *slm_value_place(const slm_document *doc, uint32_t number, char *out, size_t room);

/* The value that the string `at` names as "#/a/b". SLM_E_FORMAT, _UNSUPPORTED, _LIMIT, _NOT_FOUND with its place. */
slm_status slm_value_resolve(slm_document *doc, uint32_t at, uint32_t *target, slm_error *err);

#endif
