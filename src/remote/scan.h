/* scan.h -- JSON of strangers: counted before a tree is made of it. */
#ifndef SLM_REMOTE_SCAN_H
#define SLM_REMOTE_SCAN_H

#include "fault.h"

#include <jansson.h>

enum { SLM_SCAN_DEPTH = 64, SLM_SCAN_VALUES = 200000 };

/* NULL, or what is too much of it. Only strings, brackets and commas are looked at: whether it is JSON, jansson says. */
const char *slm_scan(const char *bytes, size_t n);

/* An object, of exactly these bytes; NULL after setting the fault (PROTOCOL). The caller ends it with json_decref. */
json_t *slm_scan_load(const char *bytes, size_t n, const char *what, slm_fault *fault);

/* Did jansson want memory? Where it stops without a word it did. */
bool slm_scan_no_memory(const json_error_t *error);

/* Members, "" or NULL or `otherwise` where they are missing or of another type. */
const char *slm_scan_text(const json_t *object, const char *key);          /* without NULs inside, else "" */
int64_t slm_scan_count(const json_t *object, const char *key);             /* a whole number in 0 .. 2^32, else -1 */

#endif
