/* fail_wrap.c -- the functions that --wrap puts in the place of the system's and of slm_heap's. */
#include "harness/fail_wrap.h"

#include "core/heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum { MOST_BLOCKS = 65536 };

static fail_alloc *counted, *paused;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *blocks[MOST_BLOCKS];
static size_t n_blocks;

#define WRAP(type, name, params) type __real_##name params; type __wrap_##name params; type __wrap_##name params
#define CALLER __builtin_return_address(0)

void fail_wrap_to(fail_alloc *f)
{
    counted = f;
    if (f)
        n_blocks = 0;
}

void fail_wrap_pause(bool pause)
{
    if (pause) {
        paused = counted;
        counted = NULL;
    } else {
        counted = paused;
    }
}

size_t fail_wrap_live(void)
{
    return n_blocks;
}

bool fail_wrap_refuses(const void *caller)
{
    if (!counted)
        return false;
    if (caller)
        fail_alloc_at(caller);
    return fail_alloc_refuses(counted);
}

static void *known(void *block)
{
    pthread_mutex_lock(&lock);
    if (counted && block && n_blocks < MOST_BLOCKS)
        blocks[n_blocks++] = block;
    pthread_mutex_unlock(&lock);
    return block;
}

static void forget(const void *block)
{
    pthread_mutex_lock(&lock);
    for (size_t i = n_blocks; block && i-- > 0;)
        if (blocks[i] == block) {
            blocks[i] = blocks[--n_blocks];
            break;
        }
    pthread_mutex_unlock(&lock);
}

WRAP(int, posix_memalign, (void **out, size_t align, size_t size))
{
    if (fail_wrap_refuses(NULL))                           /* heap.c: its caller is known already */
        return ENOMEM;
    const int code = __real_posix_memalign(out, align, size);
    if (!code)
        (void)known(*out);
    return code;
}

WRAP(void *, malloc, (size_t size))
{
    return fail_wrap_refuses(CALLER) ? NULL : known(__real_malloc(size));
}

WRAP(void *, calloc, (size_t n, size_t each))
{
    return fail_wrap_refuses(CALLER) ? NULL : known(__real_calloc(n, each));
}

WRAP(void *, realloc, (void *old, size_t size))
{
    if (fail_wrap_refuses(CALLER))
        return NULL;
    forget(old);
    return known(__real_realloc(old, size));
}

WRAP(char *, strdup, (const char *text))
{
    return fail_wrap_refuses(CALLER) ? NULL : known(__real_strdup(text));
}

WRAP(void, free, (void *block))
{
    forget(block);
    __real_free(block);
}

WRAP(void *, slm_heap_alloc, (slm_heap *heap, size_t bytes))
{
    fail_alloc_at(CALLER);
    return __real_slm_heap_alloc(heap, bytes);
}

WRAP(void *, slm_heap_zalloc, (slm_heap *heap, size_t bytes))
{
    fail_alloc_at(CALLER);
    return __real_slm_heap_zalloc(heap, bytes);
}

WRAP(void *, slm_heap_array, (slm_heap *heap, size_t n, size_t each))
{
    fail_alloc_at(CALLER);
    return __real_slm_heap_array(heap, n, each);
}

WRAP(void *, slm_heap_zarray, (slm_heap *heap, size_t n, size_t each))
{
    fail_alloc_at(CALLER);
    return __real_slm_heap_zarray(heap, n, each);
}

WRAP(void *, slm_heap_new_owner, (size_t bytes, const slm_allocator *allocator, uint64_t limit))
{
    fail_alloc_at(CALLER);
    return __real_slm_heap_new_owner(bytes, allocator, limit);
}
