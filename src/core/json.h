/* json.h -- an iterative pull reader for JSON (RFC 8259) in memory: strict, bounded, no allocation. */
#ifndef SLM_CORE_JSON_H
#define SLM_CORE_JSON_H

#include "core/buf.h"
#include "core/limits.h"

#include <stdbool.h>

typedef enum slm_json_kind {
    SLM_JSON_END, SLM_JSON_NULL, SLM_JSON_TRUE, SLM_JSON_FALSE, SLM_JSON_NUMBER, SLM_JSON_STRING, SLM_JSON_KEY,
    SLM_JSON_OBJECT, SLM_JSON_OBJECT_END, SLM_JSON_ARRAY, SLM_JSON_ARRAY_END
} slm_json_kind;

typedef struct slm_json {
    const uint8_t *base;
    size_t size, pos;
    const char *name;                     /* for messages */
    uint8_t stack[SLM_LIMIT_JSON_DEPTH];  /* '{' or '[' of each open level */
    size_t depth;
    uint8_t expect;                       /* private */
    slm_json_kind kind;                   /* of the last event */
    size_t text, text_len;                /* of a number as written, of a string or key between its quotes, escapes as written */
    bool escaped;                         /* the string has escapes */
} slm_json;

/* The text must be valid UTF-8 and at most SLM_LIMIT_JSON_BYTES. */
slm_status slm_json_init(slm_json *json, const void *text, size_t n, const char *name, slm_error *err);

/* The next event into json->kind. SLM_E_FORMAT with the offset for anything that is not JSON; SLM_E_LIMIT beyond 64 levels. After
 * SLM_JSON_END, which needs the whole text to be one value, every call gives SLM_JSON_END again. */
slm_status slm_json_next(slm_json *json, slm_error *err);

/* Skips the rest of the value whose first event was just returned (a scalar: nothing to do); after a key, its whole value. */
slm_status slm_json_skip(slm_json *json, slm_error *err);

/* The object whose first event was just returned, read to its end: values[i] becomes a copy of the reader that stands on the value of
 * names[i], as after the slm_json_next that gave it; its kind is SLM_JSON_END where there is none. Other keys are skipped. SLM_E_FORMAT if one
 * of the names stands twice. */
slm_status slm_json_fields(slm_json *json, const char *const *names, slm_json *values, size_t n, slm_error *err);

/* The string or key of the last event appended to buf with its escapes undone, as UTF-8. A lone surrogate is SLM_E_FORMAT. On
 * failure buf holds what it held. */
slm_status slm_json_string(const slm_json *json, slm_buf *buf, slm_error *err);
bool slm_json_is(const slm_json *json, const char *text);   /* string or key, escapes undone, equals text */

/* The number of the last event. Exact: the u64 form wants digits only and the range; the double is the nearest, ties to even, and
 * SLM_E_FORMAT if that would be infinite. */
slm_status slm_json_u64(const slm_json *json, uint64_t *value, slm_error *err);
slm_status slm_json_double(const slm_json *json, double *value, slm_error *err);

#endif
