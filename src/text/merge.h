/* merge.h -- byte-pair merging: of all neighbouring pairs the one with the lowest key is joined, of equal keys the leftmost,
 * until no pair is left. What a key is, a rank in a list or a score, is the business of the two callers. */
#ifndef SLM_TEXT_MERGE_H
#define SLM_TEXT_MERGE_H

#include "core/texts.h"

/* A run of bytes of the text that is one symbol, in a doubly linked list. */
typedef struct slm_symbol {
    uint32_t prev, next;    /* indices; SLM_NO_ID at the ends */
    uint32_t start, len;    /* bytes; len 0: joined to its left neighbour */
    uint32_t id;            /* what it is; SLM_NO_ID: nothing by itself */
    uint32_t key, merged;   /* of the pair it forms with the next one: key SLM_NO_ID if it forms none; what the pair becomes */
} slm_symbol;

/* Scratch memory that grows to the longest piece seen. */
typedef struct slm_merger {
    slm_heap   *heap;
    slm_symbol *symbols;    /* [room] */
    uint64_t   *queue;      /* [2 * room] */
    size_t      room;
} slm_merger;

void slm_merger_init(slm_merger *merger, slm_heap *heap);
void slm_merger_free(slm_merger *merger);

/* Room for n symbols, n < 2^32 - 1. What was there is gone. SLM_E_MEMORY. */
slm_status slm_merger_reserve(slm_merger *merger, size_t n, slm_error *err);

/* The key of a pair, SLM_NO_ID if the two do not join; *merged is the id they become. */
typedef uint32_t slm_pair_fn(const void *ctx, const slm_symbol *left, const slm_symbol *right, uint32_t *merged);

/* Merges symbols[0 .. n), of which start, len and id are set and which lie side by side. Symbol 0 stays the first; follow next.
 * Cost O(n log n): every join takes one key from the queue and adds at most two. */
void slm_merge(slm_merger *merger, size_t n, slm_pair_fn *pair, const void *ctx);

#endif
