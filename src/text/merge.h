/* merge.h -- byte-pair merging: of all neighbouring pairs the one with the lowest key is joined, of equal keys the leftmost,
 * until no pair is left. What a key is, a rank in a list or a score, is the business of the two callers. */
#ifndef SLM_TEXT_MERGE_H
#define SLM_TEXT_MERGE_H

#include "core/texts.h"

#include <stdbool.h>
#include <string.h>

/* A run of bytes of the text that is one symbol, in a doubly linked list. */
typedef struct slm_symbol {
    uint32_t prev, next;    /* indices; SLM_NO_ID at the ends */
    uint32_t start, len;    /* bytes; len 0: joined to its left neighbour */
    uint32_t id;            /* what it is; SLM_NO_ID: nothing by itself */
    uint32_t key, merged;   /* of the pair it forms with the next one: key SLM_NO_ID if it forms none; what the pair becomes */
} slm_symbol;

/* A piece of text met in this call and the tokens it became: texts repeat themselves. 64 bytes, a line of the cache. */
enum { SLM_MEMO_BYTES = 30, SLM_MEMO_IDS = 8 };
typedef struct slm_memo {
    uint8_t  len, n;        /* of bytes and ids; len 0: empty */
    uint8_t  bytes[SLM_MEMO_BYTES];
    uint32_t ids[SLM_MEMO_IDS];
} slm_memo;

/* Scratch memory that grows to the longest piece seen. */
typedef struct slm_merger {
    slm_heap   *heap;
    slm_symbol *symbols;    /* [room] */
    uint64_t   *queue;      /* [2 * room] */
    size_t      room;
    slm_memo   *memo;       /* [memo_mask + 1], or NULL: a piece has two places side by side, the last one met stands first */
    size_t      memo_mask;
} slm_merger;

void slm_merger_init(slm_merger *merger, slm_heap *heap);
void slm_merger_free(slm_merger *merger);

/* Room for n symbols, n < 2^32 - 1. What was there is gone. SLM_E_MEMORY. */
slm_status slm_merger_reserve(slm_merger *merger, size_t n, slm_error *err);

/* A memo for a text of n bytes, if it is long enough to be worth one and there is none. SLM_E_MEMORY. */
slm_status slm_merger_remember(slm_merger *merger, size_t n, slm_error *err);

/* The first of the two places of a piece of 1 .. SLM_MEMO_BYTES bytes. */
static inline slm_memo *slm_memo_at(const slm_merger *m, const uint8_t *p, size_t n)
{
    uint64_t h = n, v = 0;
    for (size_t i = 0; i + 8 <= n; i += 8) {
        memcpy(&v, p + i, 8);
        h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    if (n >= 8) {                                   /* the last 8, some of them again */
        memcpy(&v, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        v = (uint64_t)a << 32 | b;
    } else {
        v = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return &m->memo[(h >> 32) & m->memo_mask & ~(size_t)1];
}

static inline bool slm_memo_is(const slm_memo *memo, const uint8_t *p, size_t n)
{
    return memo->len == n && memcmp(memo->bytes, p, n) == 0;
}

/* The piece's memo, or NULL. */
static inline const slm_memo *slm_memo_find(slm_memo memo[2], const uint8_t *p, size_t n)
{
    if (slm_memo_is(&memo[0], p, n))
        return &memo[0];
    if (!slm_memo_is(&memo[1], p, n))
        return NULL;
    const slm_memo first = memo[0];
    memo[0] = memo[1];
    memo[1] = first;
    return &memo[0];
}

static inline void slm_memo_set(slm_memo memo[2], const uint8_t *p, size_t n, const uint32_t *ids, size_t n_ids)
{
    if (n_ids > SLM_MEMO_IDS)
        return;
    memo[1] = memo[0];
    memo->len = (uint8_t)n;
    memo->n = (uint8_t)n_ids;
    memcpy(memo->bytes, p, n);
    if (n_ids)
        memcpy(memo->ids, ids, n_ids * sizeof *ids);
}

/* The key of the pair of symbols `left` and `right`, which are the bytes [start, start + len) together; SLM_NO_ID if the two do not join;
 * *merged is the id they become. */
typedef uint32_t slm_pair_fn(const void *ctx, uint32_t left, uint32_t right, size_t start, size_t len, uint32_t *merged);

/* Merges symbols[0 .. n), of which start, len and id are set and which lie side by side. Symbol 0 stays the first; follow next.
 * Cost O(n log n): every join takes one key from the queue and adds at most two. */
void slm_merge(slm_merger *merger, size_t n, slm_pair_fn *pair, const void *ctx);

/* The same for a few symbols, without queue and links: the lowest key is looked for among all and the rest moves up, which is faster as
 * long as they fit a few lines of the cache. */
enum { SLM_SHORT = 64 };
typedef struct slm_short {
    uint32_t start[SLM_SHORT + 1], id[SLM_SHORT];       /* start[n]: the end */
    uint32_t key[SLM_SHORT], merged[SLM_SHORT];         /* of the pair with the next one */
    size_t   n;
} slm_short;

/* All of it is set for 1 .. SLM_SHORT symbols; inline, so that `pair` is. */
static inline __attribute__((always_inline)) void slm_merge_short(slm_short *s, slm_pair_fn *pair, const void *ctx)
{
    while (s->n > 1) {
        uint32_t least = SLM_NO_ID;
        size_t at = 0;
        for (size_t i = 0; i + 1 < s->n; i++)
            if (s->key[i] < least) {
                least = s->key[i];
                at = i;
            }
        if (least == SLM_NO_ID)
            return;
        s->id[at] = s->merged[at];
        s->n--;
        for (size_t i = at + 1; i < s->n; i++) {
            s->start[i] = s->start[i + 1];
            s->id[i] = s->id[i + 1];
            s->key[i] = s->key[i + 1];
            s->merged[i] = s->merged[i + 1];
        }
        s->start[s->n] = s->start[s->n + 1];
        if (at + 1 < s->n)
            s->key[at] = pair(ctx, s->id[at], s->id[at + 1], s->start[at], s->start[at + 2] - s->start[at], &s->merged[at]);
        if (at > 0)
            s->key[at - 1] = pair(ctx, s->id[at - 1], s->id[at], s->start[at - 1], s->start[at + 1] - s->start[at - 1], &s->merged[at - 1]);
    }
}

#endif
