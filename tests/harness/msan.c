/* msan.c -- what libraries without MemorySanitizer's marks write, marked as written: linked to every program of `make msan`, and nowhere else.
 *
 * Calls of libc are known to the sanitizer. utf8proc writes to our buffers; jansson and curl fill memory of theirs that our code then reads. */
#include "remote/fault.h"

#include <curl/curl.h>
#include <jansson.h>
#include <sanitizer/msan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

utf8proc_ssize_t __real_utf8proc_encode_char(utf8proc_int32_t cp, utf8proc_uint8_t *to);
utf8proc_ssize_t __wrap_utf8proc_encode_char(utf8proc_int32_t cp, utf8proc_uint8_t *to)
{
    const utf8proc_ssize_t n = __real_utf8proc_encode_char(cp, to);
    __msan_unpoison(to, n > 0 ? (size_t)n : 0);
    return n;
}

utf8proc_ssize_t __real_utf8proc_decompose_char(utf8proc_int32_t cp, utf8proc_int32_t *to, utf8proc_ssize_t room, utf8proc_option_t options, int *last);
utf8proc_ssize_t __wrap_utf8proc_decompose_char(utf8proc_int32_t cp, utf8proc_int32_t *to, utf8proc_ssize_t room, utf8proc_option_t options, int *last)
{
    const utf8proc_ssize_t n = __real_utf8proc_decompose_char(cp, to, room, options, last), written = n < room ? n : room;
    __msan_unpoison(to, written > 0 ? (size_t)written * sizeof *to : 0);
    __msan_unpoison(last, sizeof *last);
    return n;
}

static void *written(void *memory, size_t n)
{
    if (memory)
        __msan_unpoison(memory, n);
    return memory;
}

static void *take(size_t n)
{
    return written(malloc(n), n);
}

/* jansson and curl's URLs are in some programs only. What they ask of libc about their own bytes is not checked. Weak, because the suite of
 * refused memory has a json_loadb of its own, which says the same. */
__attribute__((weak)) json_t *__real_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error);
__attribute__((weak)) json_t *__wrap_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error)
{
    __msan_scoped_disable_interceptor_checks();
    json_t *tree = __real_json_loadb(text, n, flags, error);
    __msan_scoped_enable_interceptor_checks();
    __msan_unpoison(error, error ? sizeof *error : 0);
    return tree;
}

#define SCOPED(type, name, params, args) \
    __attribute__((weak)) type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params \
    { \
        __msan_scoped_disable_interceptor_checks(); \
        const type code = __real_##name args; \
        __msan_scoped_enable_interceptor_checks(); \
        return code; \
    }
SCOPED(CURLUcode, curl_url_set, (CURLU *url, CURLUPart what, const char *part, unsigned flags), (url, what, part, flags))
SCOPED(CURLMcode, curl_multi_add_handle, (CURLM *multi, CURL *easy), (multi, easy))
SCOPED(CURLMcode, curl_multi_remove_handle, (CURLM *multi, CURL *easy), (multi, easy))
SCOPED(CURLMcode, curl_multi_perform, (CURLM *multi, int *running), (multi, running))
SCOPED(CURLMcode, curl_multi_poll, (CURLM *multi, struct curl_waitfd *fds, unsigned n, int ms, int *ready), (multi, fds, n, ms, ready))
SCOPED(CURLMcode, curl_multi_cleanup, (CURLM *multi), (multi))

/* curl has written what went wrong into a buffer of ours. */
__attribute__((weak)) void __real_slm_fault_of_curl(slm_fault *fault, int result, long proxy_status, bool connected, bool bytes, const char *text);
void __wrap_slm_fault_of_curl(slm_fault *fault, int result, long proxy_status, bool connected, bool bytes, const char *text)
{
    __msan_unpoison(text, text ? CURL_ERROR_SIZE : 0);
    __real_slm_fault_of_curl(fault, result, proxy_status, connected, bytes, text);
}

__attribute__((weak)) void __real_curl_easy_cleanup(CURL *easy);
void __wrap_curl_easy_cleanup(CURL *easy)
{
    __msan_scoped_disable_interceptor_checks();
    __real_curl_easy_cleanup(easy);
    __msan_scoped_enable_interceptor_checks();
}

__attribute__((weak)) CURLUcode __real_curl_url_get(const CURLU *url, CURLUPart what, char **part, unsigned flags);
CURLUcode __wrap_curl_url_get(const CURLU *url, CURLUPart what, char **part, unsigned flags)
{
    __msan_scoped_disable_interceptor_checks();
    const CURLUcode code = __real_curl_url_get(url, what, part, flags);
    __msan_unpoison(part, sizeof *part);
    if (!code)
        __msan_unpoison(*part, strlen(*part) + 1);
    __msan_scoped_enable_interceptor_checks();
    return code;
}

extern __attribute__((weak)) __typeof__(json_set_alloc_funcs) json_set_alloc_funcs;

__attribute__((constructor)) static void begin(void)
{
    if (json_set_alloc_funcs)
        json_set_alloc_funcs(take, free);
}

/* curl's memory keeps the functions that libslm_remote gives it, which wipe what they free. */
static curl_realloc_callback resize;

static void *change(void *memory, size_t n)
{
    return written(resize(memory, n), n);
}

__attribute__((weak)) CURLcode __real_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f, curl_realloc_callback r,
                                                           curl_strdup_callback s, curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m, curl_free_callback f, curl_realloc_callback r, curl_strdup_callback s,
                                     curl_calloc_callback c)
{
    (void)m;
    resize = r;
    __msan_scoped_disable_interceptor_checks();         /* OpenSSL reads its settings */
    const CURLcode code = __real_curl_global_init_mem(flags, take, f, change, s, c);
    __msan_scoped_enable_interceptor_checks();
    return code;
}
