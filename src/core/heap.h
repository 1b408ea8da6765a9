/* heap.h -- all memory of the library: a counting allocator with a limit over the caller's. */
#ifndef SLM_CORE_HEAP_H
#define SLM_CORE_HEAP_H

#include "core/status.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Lives inside the object that owns the memory, or on the stack of a call. Any thread may allocate from it. */
typedef struct slm_heap {
    slm_allocator allocator;
    uint64_t limit;                 /* bytes; UINT64_MAX: none */
    _Atomic uint64_t current, peak; /* bytes, headers included */
    _Atomic uint64_t count;         /* successful allocations so far */
} slm_heap;

/* allocator NULL: malloc's family. limit 0: none. */
void slm_heap_init(slm_heap *heap, const slm_allocator *allocator, uint64_t limit);

/* `bytes` aligned to 64, zeroed by the z form; NULL if refused. 0 bytes give a block that may be freed and not read. */
void *slm_heap_alloc(slm_heap *heap, size_t bytes);
void *slm_heap_zalloc(slm_heap *heap, size_t bytes);

/* n elements of `each` bytes; an overflow is a refusal. */
void *slm_heap_array(slm_heap *heap, size_t n, size_t each);
void *slm_heap_zarray(slm_heap *heap, size_t n, size_t each);

/* What an allocation of `bytes` adds to `current`. */
uint64_t slm_heap_cost(uint64_t bytes);

/* NULL is allowed. */
void slm_heap_free(slm_heap *heap, void *memory);

/* An owner that lives in its own memory: allocates `bytes` (zeroed) for an object that begins with an slm_heap, initialised.
 * slm_heap_free_owner gives it back. */
void *slm_heap_new_owner(size_t bytes, const slm_allocator *allocator, uint64_t limit);
void slm_heap_free_owner(void *object);

#endif
