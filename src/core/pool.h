/* pool.h -- many small pieces of memory with one end: taken one by one, freed all together. */
#ifndef SLM_CORE_POOL_H
#define SLM_CORE_POOL_H

#include "core/heap.h"

typedef struct slm_pool {
    slm_heap *heap;
    struct slm_pool_chunk *chunks;      /* the newest first */
    size_t used, room;                  /* of the newest */
} slm_pool;

void slm_pool_init(slm_pool *pool, slm_heap *heap);
void slm_pool_free(slm_pool *pool);

/* n bytes of any alignment, not cleared; NULL if refused. */
void *slm_pool_take(slm_pool *pool, size_t n);

#endif
