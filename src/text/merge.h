/* merge.h -- byte-pair merging: of all neighbouring pairs the one with the lowest key is joined, of equal keys the leftmost,
 * until no pair is left. What a key is, a rank in a list or a score, is the business of the two callers. */
#ifndef SLM_TEXT_MERGE_H
#define SLM_TEXT_MERGE_H

#include "core/texts.h"

#include <stdbool.h>
#include <string.h>

/* A run of bytes of the text that is one symbol, in a doubly linked list. It ends where the next one begins. */
typedef struct slm_symbol {
    uint32_t prev, next;    /* indices; SLM_NO_ID before the first, the number of symbols at the start behind the last */
    uint32_t start;         /* byte */
    uint32_t id;            /* what it is; SLM_NO_ID: nothing by itself */
    uint32_t key, merged;   /* of the pair it forms with the next one: key SLM_NO_ID if it forms none; what the pair becomes */
} slm_symbol;

/* A pair that waits to be joined, one behind another in a chain (merge.c); and where to look for the end of one. */
typedef struct slm_waiting {
    uint32_t at, next;      /* the left symbol; the next pair of the chain, SLM_NO_ID at its end */
} slm_waiting;
typedef struct slm_chain_end {
    uint32_t key, last;     /* SLM_NO_ID: none; the last pair */
} slm_chain_end;

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
    slm_waiting *waiting;   /* [2 * room] */
    uint64_t   *queue;      /* [2 * room] */
    slm_chain_end *ends;    /* [n_ends], of which [ends_mask + 1] are in use, by key */
    size_t      room, n_ends, ends_mask;
    uint32_t    unused, n_used;     /* of waiting: the first that is free, and behind it those freed before; the first that was never used */
    slm_memo   *memo;       /* [memo_mask + 1], or NULL: a piece has two places side by side, the last one met stands first */
    size_t      memo_mask;
} slm_merger;

void slm_merger_init(slm_merger *merger, slm_heap *heap);
void slm_merger_free(slm_merger *merger);

/* Room for n symbols and the end of the last, n < 2^31. What was there is gone. SLM_E_MEMORY. */
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

/* The symbol that begins at byte `at` of [0, n), before anything is joined: its bytes. */
typedef size_t slm_symbol_fn(const void *ctx, size_t at, size_t n, uint32_t *id);

/* Bounds: for two bytes a, b, at a << 8 | b, a key that none is lower than of all pairs whose left symbol ends with a and whose right one
 * begins with b; SLM_NO_ID if there is no such pair. */
enum { SLM_MERGE_BOUNDS = 65536 };

/* The end of the part of text [n] that begins at byte `from`: up to a code point over whose beginning nothing is ever joined. */
static inline size_t slm_merge_part(const uint8_t *text, size_t from, size_t n, const uint32_t *bounds)
{
    size_t at = from + 1;
    while (at < n && ((text[at] & 0xc0) == 0x80 || bounds[text[at - 1] << 8 | text[at]] != SLM_NO_ID))
        at++;
    return at;
}

/* Makes symbols of text [n] and does at once, out of order, the joins that nothing can come before: a pair whose key is lower than the bounds
 * of the places to its left and right. Until it is joined its two symbols are what they are, because joining one of them with a
 * neighbour has a higher key, or the same further to the right. Most joins are of this kind, and they cost a look-up each. Returns
 * the number of symbols left, of which the i-th has start, id and the bound of the place before it in at[stride * i]. */
static inline __attribute__((always_inline)) size_t slm_merge_first(uint32_t *start, uint32_t *id, uint32_t *bound, size_t stride, const uint8_t *text, size_t n,
                                                                    const uint32_t *bounds, slm_symbol_fn *symbol, slm_pair_fn *pair, const void *ctx)
{
    size_t count = 0;
    uint32_t here = SLM_NO_ID;                          /* the bound before the symbol that comes */
    for (size_t at = 0; at < n;) {
        uint32_t last, merged = 0;
        start[count * stride] = (uint32_t)at;
        bound[count * stride] = here;
        at += symbol(ctx, at, n, &last);
        const uint32_t after = at < n ? bounds[text[at - 1] << 8 | text[at]] : SLM_NO_ID;
        for (; count > 0; count--) {
            const uint32_t before = bound[(count - 1) * stride], from = start[(count - 1) * stride];
            if (here >= before || here > after)
                break;
            const uint32_t key = pair(ctx, id[(count - 1) * stride], last, from, at - from, &merged);
            if (key >= before || key > after)
                break;
            last = merged;
            here = before;
        }
        id[count++ * stride] = last;
        here = after;
    }
    return count;
}

/* Merges symbols[0 .. n), of which start and id are set and, as key, the bound of the place before; symbols[n].start is the end. Symbol 0
 * stays the first; follow next up to n. Cost: each join takes one pair from the queue and adds at most two. */
void slm_merge(slm_merger *merger, size_t n, slm_pair_fn *pair, const void *ctx);

/* The same for a few symbols. Which pair is the lowest is known for each group of eight, and looked for again only in the groups that a join
 * changed: as fast as a queue for many pairs is slow for few. */
enum { SLM_SHORT = 128, SLM_SHORT_GROUP = 8 };
typedef struct slm_short {
    uint64_t pair[SLM_SHORT];                           /* key << 32 | place */
    uint64_t least[SLM_SHORT / SLM_SHORT_GROUP];
    uint32_t start[SLM_SHORT + 1], id[SLM_SHORT];       /* start[n]: the end */
    uint32_t bound[SLM_SHORT];                          /* of the place before */
    uint32_t merged[SLM_SHORT];                         /* what the pair with the next one becomes */
    uint8_t  prev[SLM_SHORT + 1], next[SLM_SHORT];
} slm_short;

static inline void slm_short_set(slm_short *s, size_t at, uint32_t key)
{
    s->pair[at] = (uint64_t)key << 32 | at;
}

static inline void slm_short_group(slm_short *s, size_t at)
{
    const uint64_t *p = &s->pair[at & ~(size_t)(SLM_SHORT_GROUP - 1)];
    const uint64_t a = p[0] < p[1] ? p[0] : p[1], b = p[2] < p[3] ? p[2] : p[3], c = p[4] < p[5] ? p[4] : p[5], d = p[6] < p[7] ? p[6] : p[7];
    const uint64_t ab = a < b ? a : b, cd = c < d ? c : d;
    s->least[at / SLM_SHORT_GROUP] = ab < cd ? ab : cd;
}

/* start, id, bound of 1 .. SLM_SHORT symbols and start[n] are set. Symbol 0 stays the first; follow next up to n. Inline, so that `pair` is. */
static inline __attribute__((always_inline)) void slm_merge_short(slm_short *s, size_t n, slm_pair_fn *pair, const void *ctx)
{
    const size_t groups = (n + SLM_SHORT_GROUP - 1) / SLM_SHORT_GROUP;
    for (size_t i = 0; i < n; i++) {
        s->prev[i + 1] = (uint8_t)i;
        s->next[i] = (uint8_t)(i + 1);
        slm_short_set(s, i, i + 1 == n || s->bound[i + 1] == SLM_NO_ID ? SLM_NO_ID
                          : pair(ctx, s->id[i], s->id[i + 1], s->start[i], s->start[i + 2] - s->start[i], &s->merged[i]));
    }
    for (size_t i = n; i < groups * SLM_SHORT_GROUP; i++)
        slm_short_set(s, i, SLM_NO_ID);
    for (size_t g = 0; g < groups; g++)
        slm_short_group(s, g * SLM_SHORT_GROUP);
    for (;;) {
        uint64_t least = s->least[0];
        for (size_t g = 1; g < groups; g++)
            least = s->least[g] < least ? s->least[g] : least;
        if (least >> 32 == SLM_NO_ID)
            return;
        const size_t at = (uint32_t)least, gone = s->next[at], next = s->next[gone], prev = s->prev[at];
        s->id[at] = s->merged[at];
        s->next[at] = (uint8_t)next;
        s->prev[next] = (uint8_t)at;
        slm_short_set(s, gone, SLM_NO_ID);
        slm_short_set(s, at, next == n || s->bound[next] == SLM_NO_ID ? SLM_NO_ID
                           : pair(ctx, s->id[at], s->id[next], s->start[at], s->start[s->next[next]] - s->start[at], &s->merged[at]));
        if (at > 0 && s->bound[at] != SLM_NO_ID) {
            slm_short_set(s, prev, pair(ctx, s->id[prev], s->id[at], s->start[prev], s->start[next] - s->start[prev], &s->merged[prev]));
            slm_short_group(s, prev);
        }
        slm_short_group(s, at);
        slm_short_group(s, gone);
    }
}

#endif
