/* value.h -- what a chat template computes with: JSON values and a few things that stand for functions. No host objects.
 *
 * Every byte of a string knows where it came from: the template's own text (literal) or the conversation (content). Slicing,
 * joining and replacing keep that, so that the rendered prompt is known byte by byte and a user's text never turns into control
 * tokens. What is computed from content is content; numbers, and the punctuation of JSON, are content too.
 *
 * Values never change once made, but for namespaces. They live in a store until the rendering ends; nothing is freed before. A value
 * nests at most SLM_LIMIT_VALUE_DEPTH deep, which lets every walk over it use a stack of that size instead of recursion. */
#ifndef SLM_TEXT_VALUE_H
#define SLM_TEXT_VALUE_H

#include "core/buf.h"
#include "core/limits.h"

#include <stdbool.h>

typedef enum slm_value_type {
    SLM_V_UNSET,        /* a variable nobody has set; never on the stack */
    SLM_V_UNDEFINED,    /* text: what was looked for */
    SLM_V_NONE, SLM_V_BOOL, SLM_V_INT,
    SLM_V_BIG,          /* an integer beyond 64 bits, as it was written: it can be shown and compared for equality */
    SLM_V_FLOAT, SLM_V_STRING, SLM_V_LIST, SLM_V_DICT,
    SLM_V_NAMESPACE, SLM_V_FUNCTION, SLM_V_METHOD, SLM_V_MACRO, SLM_V_LOOP
} slm_value_type;

enum { SLM_CONTENT = 0, SLM_LITERAL = 1 };   /* kinds of text */

typedef struct slm_value slm_value;

typedef struct slm_list {
    const slm_value *items;     /* [n] */
    uint32_t n, depth;
    bool tuple;                 /* shown with other brackets; no other difference */
} slm_list;

typedef struct slm_dict {
    const slm_value *keys;      /* [n] strings, each once */
    const slm_value *values;    /* [n] */
    const uint32_t  *order;     /* [n] places of the keys in order of length and bytes; NULL while n is small */
    uint32_t n, depth;
} slm_dict;

struct slm_value {
    uint8_t  type;
    uint8_t  kind;              /* of a string whose kinds are NULL */
    uint16_t reserved;
    uint32_t n;                 /* bytes of text */
    union {
        int64_t           i;    /* INT, BOOL, FUNCTION, MACRO */
        double            d;
        const uint8_t    *text; /* STRING (UTF-8), BIG, and the name of UNDEFINED and METHOD */
        const slm_list   *list;
        const slm_dict   *dict;
        void             *own;  /* NAMESPACE, LOOP: of the interpreter */
    } as;
    const uint8_t *kinds;       /* [n] of a string; NULL: all are `kind` */
};

/* ---- the store ---- */

typedef struct slm_chunk slm_chunk;

typedef struct slm_store {
    slm_heap  *heap;
    slm_chunk *values, *texts;  /* the newest first */
    uint64_t   fuel;            /* steps left */
    uint32_t   line;            /* of the template, for messages; 0: not in it */
    slm_error *err;
} slm_store;

void slm_store_init(slm_store *store, slm_heap *heap, uint64_t fuel, slm_error *err);
void slm_store_free(slm_store *store);

/* Fails with "template: line N: ..." */
slm_status slm_store_fail(slm_store *store, slm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* n elements, aligned to 16, not cleared; NULL after slm_store_fail. */
void *slm_store_take(slm_store *store, size_t n, size_t each);

/* A step and one for every 64 bytes of work: SLM_E_LIMIT when the fuel is gone. */
slm_status slm_store_spend(slm_store *store, size_t bytes);

/* ---- making strings ---- */

/* Text in the making, at the end of the store's texts: only one at a time. Sticky: after a failure every call does nothing. */
typedef struct slm_text {
    slm_store *store;
    size_t    start;            /* in the newest chunk */
    size_t    n;
    slm_status status;
} slm_text;

slm_text slm_text_begin(slm_store *store);
slm_text slm_text_after(slm_store *store, const slm_value *string);   /* begins with string, without a copy if it was made last */
void slm_text_add(slm_text *text, const void *bytes, size_t n, int kind);
void slm_text_put(slm_text *text, const slm_value *string);                            /* with its kinds */
void slm_text_part(slm_text *text, const slm_value *string, size_t from, size_t to);   /* bytes from .. to-1 */
slm_status slm_text_end(slm_text *text, slm_value *out);

/* Any value as Python's str() shows it; SLM_E_UNSUPPORTED for functions. */
slm_status slm_text_show(slm_text *text, const slm_value *value);

/* The same as a string of its own; a string stays itself. */
slm_status slm_value_show(slm_store *store, const slm_value *value, slm_value *out);

typedef struct slm_json_form {
    bool      ascii;            /* \uXXXX for all beyond ASCII */
    int64_t   indent;           /* -1: all on one line */
    slm_value comma, colon;     /* separators */
} slm_json_form;
slm_status slm_value_to_json(slm_store *store, const slm_value *value, const slm_json_form *form, slm_value *out);

/* ---- values ---- */

static inline slm_value slm_none(void)               { return (slm_value){ .type = SLM_V_NONE }; }
static inline slm_value slm_bool(bool b)             { return (slm_value){ .type = SLM_V_BOOL, .as.i = b }; }
static inline slm_value slm_int(int64_t i)           { return (slm_value){ .type = SLM_V_INT, .as.i = i }; }
static inline slm_value slm_float(double d)          { return (slm_value){ .type = SLM_V_FLOAT, .as.d = d }; }
static inline slm_value slm_string(const void *bytes, size_t n, int kind)
{
    return (slm_value){ .type = SLM_V_STRING, .kind = (uint8_t)kind, .n = (uint32_t)n, .as.text = bytes };
}
static inline slm_value slm_undefined(const void *name, size_t n)
{
    return (slm_value){ .type = SLM_V_UNDEFINED, .n = (uint32_t)n, .as.text = name };
}
static inline bool slm_is_int(const slm_value *v)    { return v->type == SLM_V_INT || v->type == SLM_V_BOOL; }
static inline bool slm_is_number(const slm_value *v) { return slm_is_int(v) || v->type == SLM_V_FLOAT; }
static inline double slm_number(const slm_value *v)  { return v->type == SLM_V_FLOAT ? v->as.d : (double)v->as.i; }

/* Bytes from .. to-1 of a string, without a copy. */
slm_value slm_string_part(const slm_value *string, size_t from, size_t to);
bool slm_string_is(const slm_value *value, const char *text);
int  slm_string_compare(const slm_value *a, const slm_value *b);   /* by code points */

/* Code points; and the byte at which code point `index` begins (n bytes if it is beyond the end). */
size_t slm_string_points(const slm_value *string);
size_t slm_string_byte(const slm_value *string, size_t index);

slm_status slm_list_make(slm_store *store, const slm_value *items, size_t n, bool tuple, slm_value *out);  /* copies */
slm_status slm_list_adopt(slm_store *store, const slm_value *items, size_t n, bool tuple, slm_value *out); /* items lie in the store */

/* From pairs [2 * n] key, value. A key twice: `last` takes the last value, else SLM_E_FORMAT names it. SLM_E_UNSUPPORTED for a key
 * that is no string. */
slm_status slm_dict_make(slm_store *store, const slm_value *pairs, size_t n, bool last, slm_value *out);
const slm_value *slm_dict_find(const slm_dict *dict, const void *key, size_t n);   /* NULL: none */

bool slm_value_true(const slm_value *value);
const char *slm_type_name(const slm_value *value);   /* as Python calls it */

/* a == b. SLM_E_LIMIT when the fuel is gone. */
slm_status slm_value_equal(slm_store *store, const slm_value *a, const slm_value *b, bool *equal);

/* -1, 0, 1; SLM_E_FORMAT for what has no order. */
slm_status slm_value_order(slm_store *store, const slm_value *a, const slm_value *b, int *order);

/* What a `for` goes through: the items of a list, the keys of a dict, the characters of a string, nothing for undefined. */
slm_status slm_value_items(slm_store *store, const slm_value *value, const slm_value **items, size_t *n);

/* ---- JSON ---- */

struct slm_json;
/* The double of a text that is one JSON number within a double's range and nothing else. */
bool slm_double_of(const void *text, size_t n, double *out);

/* The value whose first event was read last. Strings are content and may point into the JSON text. */
slm_status slm_value_from_json(slm_store *store, struct slm_json *json, slm_value *out);

/* ---- characters ---- */

bool slm_is_space(uint32_t cp);        /* what Python's strip() takes off */

/* The string without spaces, or without the characters of `set` if that is not NULL; sides: 1 left, 2 right. */
slm_value slm_string_strip(const slm_value *string, const slm_value *set, int sides);

/* Where `part` begins in bytes from .. , or SIZE_MAX. */
size_t slm_string_find(const slm_value *string, size_t from, const slm_value *part);

#endif
