/* pool.c -- chunks that double from 1 KiB to 64 KiB, so that small pieces cost about their size; a large piece has its own. */
#include "core/pool.h"

#include "core/size.h"

enum { FIRST = 1024, MOST = 64 * 1024 };

struct slm_pool_chunk {
    struct slm_pool_chunk *older;
    uint8_t bytes[];
};

void slm_pool_init(slm_pool *pool, slm_heap *heap)
{
    *pool = (slm_pool){ heap, NULL, 0, 0 };
}

void slm_pool_free(slm_pool *pool)
{
    while (pool->chunks) {
        struct slm_pool_chunk *older = pool->chunks->older;
        slm_heap_free(pool->heap, pool->chunks);
        pool->chunks = older;
    }
    pool->used = pool->room = 0;
}

void *slm_pool_take(slm_pool *pool, size_t n)
{
    if (!pool->chunks || n > pool->room - pool->used) {
        size_t bytes;
        const size_t room = n > MOST / 4 ? n : slm_max(n, slm_min(MOST, slm_max(FIRST, pool->room * 2)));
        struct slm_pool_chunk *chunk = slm_size_add(room, sizeof *chunk, &bytes) ? slm_heap_alloc(pool->heap, bytes) : NULL;
        if (!chunk)
            return NULL;
        if (n > MOST / 4 && pool->chunks) {      /* behind the newest, which goes on serving small pieces */
            chunk->older = pool->chunks->older;
            pool->chunks->older = chunk;
            return chunk->bytes;
        }
        chunk->older = pool->chunks;
        pool->chunks = chunk;
        pool->used = 0;
        pool->room = room;
    }
    uint8_t *at = pool->chunks->bytes + pool->used;
    pool->used += n;
    return at;
}
