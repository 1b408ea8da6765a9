/* heap.c -- the counting allocator. Each block is preceded by a header of one cache line that keeps its size, so that the
 * caller's release gets the size it was asked for and no owner has to remember it. */
#include "core/heap.h"

#include "core/size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 64, PAGE_HUGE = 2 << 20, LARGE = 33 << 20 };

/* The memory of a large block is asked for in huge pages, which the kernel clears and maps several times faster and which the processor
 * finds faster in its tables (docs/performance.md has both); where it has none to give, pages are as small as ever. Only whole huge pages of
 * the block are, so it takes no more than it would. Beyond 32 MB, malloc maps each block by itself: what is advised here goes back with it. */
static void *system_alloc(void *user, size_t size)
{
    (void)user;
    void *memory = NULL;
    if (size < LARGE)
        return posix_memalign(&memory, 64, size) ? NULL : memory;
    if (posix_memalign(&memory, PAGE_HUGE, size))
        return NULL;
#ifdef MADV_HUGEPAGE
    const int kept = errno;
    (void)madvise(memory, size & ~(size_t)(PAGE_HUGE - 1), MADV_HUGEPAGE);
    errno = kept;
#endif
    return memory;
}

static void system_release(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

void slm_heap_init(slm_heap *heap, const slm_allocator *allocator, uint64_t limit)
{
    memset(heap, 0, sizeof *heap);
    heap->allocator = allocator ? *allocator : (slm_allocator){ NULL, system_alloc, system_release };
    heap->limit = limit ? limit : UINT64_MAX;
}

static bool reserve(slm_heap *heap, uint64_t bytes)
{
    uint64_t now = atomic_load_explicit(&heap->current, memory_order_relaxed);
    do {
        if (bytes > heap->limit || now > heap->limit - bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&heap->current, &now, now + bytes));
    return true;
}

static void note_peak(slm_heap *heap)
{
    const uint64_t total = atomic_load_explicit(&heap->current, memory_order_relaxed);
    uint64_t peak = atomic_load_explicit(&heap->peak, memory_order_relaxed);
    while (total > peak && !atomic_compare_exchange_weak(&heap->peak, &peak, total))
        ;
}

uint64_t slm_heap_cost(uint64_t bytes)
{
    uint64_t whole;
    return slm_u64_align(bytes, 64, &whole) && slm_u64_add(whole, HEADER, &whole) ? whole : UINT64_MAX;
}

void *slm_heap_alloc(slm_heap *heap, size_t bytes)
{
    size_t whole;
    if (!slm_size_add(bytes, HEADER + 63, &whole) || !reserve(heap, whole &= ~(size_t)63))
        return NULL;
    uint8_t *block = heap->allocator.alloc(heap->allocator.user, whole);
    if (!block) {
        atomic_fetch_sub(&heap->current, whole);
        return NULL;
    }
    note_peak(heap);
    atomic_fetch_add(&heap->count, 1);
    memcpy(block, &whole, sizeof whole);
    return block + HEADER;
}

void *slm_heap_zalloc(slm_heap *heap, size_t bytes)
{
    void *memory = slm_heap_alloc(heap, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *slm_heap_array(slm_heap *heap, size_t n, size_t each)
{
    size_t bytes;
    return slm_size_mul(n, each, &bytes) ? slm_heap_alloc(heap, bytes) : NULL;
}

void *slm_heap_zarray(slm_heap *heap, size_t n, size_t each)
{
    size_t bytes;
    return slm_size_mul(n, each, &bytes) ? slm_heap_zalloc(heap, bytes) : NULL;
}

void slm_heap_free(slm_heap *heap, void *memory)
{
    if (!memory)
        return;
    uint8_t *block = (uint8_t *)memory - HEADER;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    heap->allocator.release(heap->allocator.user, block, whole);
    atomic_fetch_sub(&heap->current, whole);
}

void *slm_heap_new_owner(size_t bytes, const slm_allocator *allocator, uint64_t limit)
{
    slm_heap first;
    slm_heap_init(&first, allocator, limit);
    slm_heap *object = slm_heap_zalloc(&first, bytes);
    if (object) {
        slm_heap_init(object, allocator, limit);
        atomic_store(&object->current, atomic_load(&first.current));
        atomic_store(&object->peak, atomic_load(&first.peak));
        atomic_store(&object->count, 1);
    }
    return object;
}

void slm_heap_free_owner(void *object)
{
    if (!object)
        return;
    slm_heap last = { .allocator = ((slm_heap *)object)->allocator };
    slm_heap_free(&last, object);
}
