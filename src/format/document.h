/* document.h -- a small JSON file as values that are found by a path of names, "rope_scaling.factor". */
#ifndef SLM_FORMAT_DOCUMENT_H
#define SLM_FORMAT_DOCUMENT_H

#include "core/json.h"
#include "core/source.h"

/* A value; those of an array or object follow it, up to `next`. */
typedef struct slm_value_at {
    uint32_t parent;            /* index; UINT32_MAX: the document itself */
    uint32_t next;              /* index of the value after it and all it holds */
    uint32_t name, name_len;    /* between the quotes of its key; 0, 0 for elements */
    uint32_t text, text_len;    /* of a number or string, as in slm_json */
    uint8_t kind;               /* slm_json_kind */
    bool escaped;
} slm_value_at;

typedef struct slm_document {
    slm_heap *heap;
    char *name;                 /* for messages: its path */
    uint8_t *text;
    size_t size;
    slm_value_at *values;       /* [n] in the order of the text */
    size_t n;
} slm_document;

/* Reads FOLDER/FILE, at most SLM_LIMIT_CONFIG_BYTES and SLM_LIMIT_CONFIG_VALUES, duplicate names refused. *found is false with SLM_OK
 * and an empty document where there is no such file. slm_document_close ends it in any case. */
slm_status slm_document_open(slm_document *doc, slm_heap *heap, const char *folder, const char *file, bool *found, slm_error *err);
void slm_document_close(slm_document *doc);

/* The value at `path` of names joined by '.', from `from` on (NULL: the document); NULL if it is absent or null. */
const slm_value_at *slm_document_find(const slm_document *doc, const slm_value_at *from, const char *path);

/* Element i of an array, or NULL. */
const slm_value_at *slm_document_element(const slm_document *doc, const slm_value_at *array, size_t i);
size_t slm_document_count(const slm_document *doc, const slm_value_at *array);

bool slm_document_is(const slm_document *doc, const slm_value_at *value, const char *text);     /* a string that equals text */

/* SLM_E_FORMAT, naming file and value, if it is of another kind or no such number. `what` is the path, for the message. */
slm_status slm_document_number(const slm_document *doc, const slm_value_at *value, const char *what, double *number, slm_error *err);

/* FOLDER/FILE on the heap, or NULL. */
char *slm_path_join(slm_heap *heap, const char *folder, const char *file, size_t file_len);

/* The whole of FOLDER/FILE, at most `most` bytes, in *bytes [*n] on the heap and its path in *path; both NULL with SLM_OK where there
 * is no such file. */
slm_status slm_read_beside(uint8_t **bytes, size_t *n, char **path, slm_heap *heap, const char *folder, const char *file, size_t most,
                           slm_error *err);

#endif
