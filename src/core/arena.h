/* arena.h -- bump memory for one step: taken in order, given back all at once by a reset. */
#ifndef SLM_CORE_ARENA_H
#define SLM_CORE_ARENA_H

#include "core/heap.h"

typedef struct slm_arena {
    uint8_t *base;
    size_t size, used;
} slm_arena;

/* Owns `size` bytes of heap until slm_arena_free. SLM_E_MEMORY if refused. */
slm_status slm_arena_init(slm_arena *arena, slm_heap *heap, size_t size, slm_error *err);
void slm_arena_free(slm_arena *arena, slm_heap *heap);

/* n elements of `each` bytes, aligned to 64, not cleared; NULL if the arena is too small, which is a mistake of its owner. */
void *slm_arena_take(slm_arena *arena, size_t n, size_t each);
void slm_arena_reset(slm_arena *arena);

#endif
