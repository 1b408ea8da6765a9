/* scan.c -- JSON of strangers: counted before a tree is made of it.
 *
 * jansson nests by recursion and needs up to 77 bytes of memory for a byte of text, so depth and values are bounded here, over the bytes.
 * Integers that fit none are read as doubles: such a count is then wrong, and not the whole reply. */
#include "scan.h"

#include <math.h>
#include <string.h>

const char *slm_scan(const char *bytes, size_t n)
{
    size_t depth = 0, values = 1;
    bool string = false;
    for (size_t i = 0; i < n; i++) {
        const char c = bytes[i];
        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
            continue;
        }
        if (c == '"') {
            string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > SLM_SCAN_DEPTH)
                return "nests deeper than 64";
            values++;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0;
        } else if (c == ',') {
            values++;
        }
        if (values > SLM_SCAN_VALUES)
            return "has more than 200000 values";
    }
    return NULL;
}

bool slm_scan_no_memory(const json_error_t *error)
{
    return json_error_code(error) == json_error_out_of_memory || !*error->text;
}

json_t *slm_scan_load(const char *bytes, size_t n, const char *what, slm_fault *fault)
{
    json_error_t error;
    const char *much = slm_scan(bytes, n);
    if (much) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "%s of %zu bytes %s", what, n, much);
        return NULL;
    }
    json_t *json = NULL;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    for (bool again = true; again && !json;) {
        json = json_loadb(bytes, n, flags, &error);
        again = !(flags & JSON_DECODE_INT_AS_REAL) && !json && json_error_code(&error) == json_error_numeric_overflow;
        flags |= JSON_DECODE_INT_AS_REAL;
    }
    if (!json && slm_scan_no_memory(&error))
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "%s: no memory for %zu bytes of JSON", what, n);
    else if (!json)
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "%s of %zu bytes is no JSON: byte %d: %.100s", what, n, error.position, error.text);
    else if (!json_is_object(json))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "%s of %zu bytes is no JSON object", what, n);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

const char *slm_scan_text(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    const char *text = json_string_value(v);
    return text && strlen(text) == json_string_length(v) ? text : "";
}

int64_t slm_scan_count(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    const double d = json_number_value(v);
    return json_is_number(v) && d >= 0 && d <= 0x1p32 && floor(d) == d ? (int64_t)d : -1;
}
