/* json.c -- jansson's functions where the library calls them, refused memory. Inside of jansson nothing is refused: its reader does not look
 * whether its buffer could grow, and goes on with a text that lacks bytes. */
#include "harness/fail_wrap.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#define WRAP(type, name, params) type __real_##name params; type __wrap_##name params; type __wrap_##name params
#define REFUSED fail_wrap_refuses(__builtin_return_address(0))

WRAP(json_t *, json_array, (void)) { return REFUSED ? NULL : __real_json_array(); }
WRAP(json_t *, json_object, (void)) { return REFUSED ? NULL : __real_json_object(); }
WRAP(json_t *, json_stringn_nocheck, (const char *text, size_t n)) { return REFUSED ? NULL : __real_json_stringn_nocheck(text, n); }
WRAP(json_t *, json_integer, (json_int_t value)) { return REFUSED ? NULL : __real_json_integer(value); }
WRAP(json_t *, json_real, (double value)) { return REFUSED ? NULL : __real_json_real(value); }
WRAP(json_t *, json_copy, (json_t *value)) { return REFUSED ? NULL : __real_json_copy(value); }
WRAP(char *, json_dumps, (const json_t *value, size_t flags)) { return REFUSED ? NULL : __real_json_dumps(value, flags); }

/* Takes over what it was given, whatever comes of it. */
json_t *__wrap_json_pack(const char *format, ...);
json_t *__wrap_json_pack(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *made = json_vpack_ex(NULL, 0, format, args);
    va_end(args);
    if (!REFUSED)
        return made;
    json_decref(made);
    return NULL;
}

/* MemorySanitizer's, where that is: jansson's questions to libc about its own bytes are not checked. */
extern __attribute__((weak)) void __msan_scoped_disable_interceptor_checks(void), __msan_scoped_enable_interceptor_checks(void);

WRAP(json_t *, json_loadb, (const char *text, size_t n, size_t flags, json_error_t *error))
{
    if (error)
        memset(error, 0, sizeof *error);
    if (!REFUSED) {
        if (__msan_scoped_disable_interceptor_checks)
            __msan_scoped_disable_interceptor_checks();
        json_t *tree = __real_json_loadb(text, n, flags, error);
        if (__msan_scoped_enable_interceptor_checks)
            __msan_scoped_enable_interceptor_checks();
        return tree;
    }
    if (error)
        error->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory;
    return NULL;
}

WRAP(int, json_object_set_new, (json_t *object, const char *key, json_t *value))
{
    if (!REFUSED)
        return __real_json_object_set_new(object, key, value);
    json_decref(value);
    return -1;
}

WRAP(int, json_array_append_new, (json_t *array, json_t *value))
{
    if (!REFUSED)
        return __real_json_array_append_new(array, value);
    json_decref(value);
    return -1;
}
