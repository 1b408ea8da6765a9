/* secret.c -- the life of a key: mlock keeps it out of swap, MADV_DONTDUMP out of core dumps, explicit_bzero ends it.
 *
 * curl gets it in one place, the header line made here, but copies that into the bytes it sends. So that nothing of it stays in freed
 * memory, curl's memory is wiped on being freed; sizes come from malloc_usable_size, so that the pieces remain malloc's own. */
#include "secret.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool slm_secret_new(slm_secret *s)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (SLM_SECRET_KEY + SLM_SECRET_HEADER + page - 1) / page * page;
    *s = (slm_secret){ 0 };
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    (void)mlock(memory, bytes);                     /* an unprivileged process may lock little: then it is only kept out of dumps */
    (void)madvise(memory, bytes, MADV_DONTDUMP);
#ifdef MADV_WIPEONFORK
    (void)madvise(memory, bytes, MADV_WIPEONFORK);
#endif
    *s = (slm_secret){ memory, memory + SLM_SECRET_KEY, 0, bytes };
    return true;
}

void slm_secret_wipe(slm_secret *s)
{
    if (s->key)
        explicit_bzero(s->key, s->bytes);
    s->n = 0;
}

void slm_secret_free(slm_secret *s)
{
    slm_secret_wipe(s);
    if (s->key)
        (void)munmap(s->key, s->bytes);
    *s = (slm_secret){ 0 };
}

void slm_secret_head(slm_secret *s, const char *prefix)
{
    const size_t n = strlen(prefix);                /* far below the 128 bytes there are for it */
    memcpy(s->header, prefix, n);
    memcpy(s->header + n, s->key, s->n);
    s->header[n + s->n] = 0;
}

/* ---- what a server echoes ---- */

enum { RUN = 8 };

static void hide_runs(const char *needle, size_t m, char *text, size_t n)
{
    if (m < RUN)
        return;
    for (size_t i = 0; i + RUN <= n; i++) {
        size_t most = 0;
        for (size_t k = 0; k + RUN <= m; k++) {
            size_t same = 0;
            while (i + same < n && k + same < m && text[i + same] == needle[k + same])
                same++;
            most = same > most ? same : most;
        }
        if (most >= RUN)
            memset(text + i, '*', most);
    }
}

static size_t base64(char *to, const char *from, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t out = 0;
    for (size_t i = 0; i + 3 <= n; i += 3) {        /* whole groups: what is left over shows at most two bytes */
        const unsigned v = (unsigned)(unsigned char)from[i] << 16 | (unsigned)(unsigned char)from[i + 1] << 8 | (unsigned char)from[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            to[out++] = digits[v >> shift & 63];
    }
    return out;
}

void slm_secret_hide(const slm_secret *s, char *text, size_t n)
{
    char coded[1400];                               /* of 1,024 bytes at a time; pieces overlap by more than a run */
    if (!s->key)
        return;
    hide_runs(s->key, s->n, text, n);
    for (size_t begin = 0; begin < s->n; begin += 1000)
        for (size_t shift = 0; shift < 3 && begin + shift < s->n; shift++) {
            const size_t left = s->n - begin - shift;
            hide_runs(coded, base64(coded, s->key + begin + shift, left < 1024 ? left : 1024), text, n);
        }
    explicit_bzero(coded, sizeof coded);
}

/* ---- curl's memory ---- */

static void wipe_free(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

static void *wipe_realloc(void *p, size_t n)
{
    const size_t had = p ? malloc_usable_size(p) : 0;
    void *to = malloc(n ? n : 1);
    if (!to)
        return NULL;
    if (p)
        memcpy(to, p, had < n ? had : n);
    wipe_free(p);
    return to;
}

static char *copy(const char *text)
{
    return strdup(text);
}

bool slm_secret_begin_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, copy, calloc) == CURLE_OK;
}
