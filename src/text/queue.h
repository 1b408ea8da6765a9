/* queue.h -- a binary heap of 64-bit keys, smallest first, in memory of the caller's. */
#ifndef SLM_TEXT_QUEUE_H
#define SLM_TEXT_QUEUE_H

#include <stddef.h>
#include <stdint.h>

static inline void slm_queue_sink(uint64_t *q, size_t n, size_t at)
{
    const uint64_t key = q[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            break;
        child += child + 1 < n && q[child + 1] < q[child];
        if (q[child] >= key)
            break;
        q[at] = q[child];
        at = child;
    }
    q[at] = key;
}

/* Makes n keys in any order a heap, in O(n). */
static inline void slm_queue_build(uint64_t *q, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        slm_queue_sink(q, n, i - 1);
}

/* q has room for one more. */
static inline void slm_queue_push(uint64_t *q, size_t *n, uint64_t key)
{
    size_t at = (*n)++;
    for (; at > 0 && q[(at - 1) / 2] > key; at = (at - 1) / 2)
        q[at] = q[(at - 1) / 2];
    q[at] = key;
}

/* *n >= 1. */
static inline uint64_t slm_queue_pop(uint64_t *q, size_t *n)
{
    const uint64_t key = q[0];
    q[0] = q[--*n];
    if (*n > 1)
        slm_queue_sink(q, *n, 0);
    return key;
}

#endif
