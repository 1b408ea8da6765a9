/* msan.c -- what libraries without MemorySanitizer's marks write, marked as written: linked to every program of `make msan`, and nowhere else.
 *
 * Calls of libc are known to the sanitizer. utf8proc writes to our buffers; jansson and curl fill memory of theirs that our code then reads. */
#include <curl/curl.h>
#include <jansson.h>
#include <sanitizer/msan_interface.h>
#include <stdlib.h>
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

/* jansson is in some programs only. Its frames lie where ours have left marks of unwritten variables, and it compares strings there. */
__attribute__((weak)) json_t *__real_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error);
json_t *__wrap_json_loadb(const char *text, size_t n, size_t flags, json_error_t *error)
{
    enum { BELOW = 16384 };
    __msan_unpoison((char *)__builtin_frame_address(0) - BELOW, BELOW);
    json_t *tree = __real_json_loadb(text, n, flags, error);
    __msan_unpoison(error, error ? sizeof *error : 0);
    return tree;
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
    return __real_curl_global_init_mem(flags, take, f, change, s, c);
}
