/* arena.c -- bump memory for one step. */
#include "core/arena.h"

#include "core/size.h"

slm_status slm_arena_init(slm_arena *arena, slm_heap *heap, size_t size, slm_error *err)
{
    uint8_t *base = slm_heap_alloc(heap, size);
    if (!base)
        return slm_fail(err, SLM_E_MEMORY, "arena of %zu bytes", size);
    *arena = (slm_arena){ base, size, 0 };
    return SLM_OK;
}

void slm_arena_free(slm_arena *arena, slm_heap *heap)
{
    slm_heap_free(heap, arena->base);
    *arena = (slm_arena){ NULL, 0, 0 };
}

void *slm_arena_take(slm_arena *arena, size_t n, size_t each)
{
    size_t bytes, end;
    if (!slm_size_mul(n, each, &bytes) || !slm_size_add(bytes, 63, &bytes) || !slm_size_add(arena->used, bytes &= ~(size_t)63, &end) ||
        end > arena->size)
        return NULL;
    uint8_t *memory = arena->base + arena->used;
    arena->used = end;
    return memory;
}

void slm_arena_reset(slm_arena *arena)
{
    arena->used = 0;
}
