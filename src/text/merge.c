/* merge.c -- pairs in chains, the chains in a heap, symbols in a linked list.
 *
 * The order wanted is by key, then from left to right: a joined symbol keeps the index of its left part, so indices rise along the text. A
 * heap of all pairs would give it, but it has to be walked from top to bottom for each of them, which takes longer the longer the
 * text is, most of all when the heap outgrows the caches. Pairs come up in long rows, though: those of one key stand in the text from left to right, and
 * so do those that joining them brings about. So a pair goes to the end of a chain of its key if there is one that ends
 * further to the left, and only the first of each chain stands in the heap. One letter repeated needs a handful of chains, and every step
 * goes on where in memory the last one ended. A table knows, for each key (or for those that fell on the same place last), the chain that was begun
 * last.
 *
 * Pairs are never removed when they go stale; they are recognised when they come up, because the symbol then has another key (or is gone
 * and has none). One that is stale but equal to the present one stands for it: either does the same join at the same moment,
 * and the second one is then stale in its turn. */
#include "text/merge.h"

#include "core/size.h"

enum { LEAST_ENDS = 64, MOST_ENDS = 1 << 16 };

void slm_merger_init(slm_merger *m, slm_heap *heap)
{
    *m = (slm_merger){ .heap = heap };
}

static void drop_symbols(slm_merger *m)
{
    slm_heap_free(m->heap, m->symbols);
    slm_heap_free(m->heap, m->waiting);
    slm_heap_free(m->heap, m->queue);
    slm_heap_free(m->heap, m->ends);
    m->symbols = NULL;
    m->waiting = NULL;
    m->queue = NULL;
    m->ends = NULL;
    m->room = 0;
}

void slm_merger_free(slm_merger *m)
{
    drop_symbols(m);
    slm_heap_free(m->heap, m->memo);
    m->memo = NULL;
}

slm_status slm_merger_remember(slm_merger *m, size_t n, slm_error *err)
{
    enum { LEAST = 64, MOST = 32768, WORTH = 1024 };      /* 256 KiB at most: the tables of merges want the cache, too, and more measured no faster */
    size_t places = LEAST;
    if (m->memo || n < WORTH)
        return SLM_OK;
    while (places < MOST && places < n / 8)
        places *= 2;
    if (!(m->memo = slm_heap_zarray(m->heap, places, sizeof *m->memo)))
        return slm_fail(err, SLM_E_MEMORY, "memo of %zu pieces", places);
    m->memo_mask = places - 1;
    return SLM_OK;
}

slm_status slm_merger_reserve(slm_merger *m, size_t n, slm_error *err)
{
    if (n < m->room)
        return SLM_OK;
    drop_symbols(m);
    const size_t room = slm_max(64, n + n / 4 + 1);
    m->symbols = slm_heap_array(m->heap, room, sizeof *m->symbols);
    m->waiting = slm_heap_array(m->heap, room, 2 * sizeof *m->waiting);
    m->queue = slm_heap_array(m->heap, room, 2 * sizeof *m->queue);
    m->n_ends = LEAST_ENDS;
    while (m->n_ends < MOST_ENDS && m->n_ends < n)
        m->n_ends *= 2;
    m->ends = slm_heap_array(m->heap, m->n_ends, sizeof *m->ends);
    if (!m->symbols || !m->waiting || !m->queue || !m->ends) {
        drop_symbols(m);
        return slm_fail(err, SLM_E_MEMORY, "merging %zu symbols", n);
    }
    m->room = room;
    return SLM_OK;
}

/* Is chain a before chain b? Each is key << 32 | its first pair. */
static inline bool before(const slm_merger *m, uint64_t a, uint64_t b)
{
    return (a ^ b) >> 32 ? a < b : m->waiting[(uint32_t)a].at < m->waiting[(uint32_t)b].at;
}

static inline void sink(const slm_merger *m, size_t n, uint64_t chain)
{
    uint64_t *q = m->queue;
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && before(m, q[child + 1], q[child]);
        if (!before(m, q[child], chain))
            break;
        q[at] = q[child];
    }
    q[at] = chain;
}

static inline slm_chain_end *end_of(const slm_merger *m, uint32_t key)
{
    return &m->ends[(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & m->ends_mask];
}

/* The pair that symbol `at` begins waits. */
static inline void push(slm_merger *m, size_t *queued, uint32_t at)
{
    const uint32_t key = m->symbols[at].key, fresh = m->unused;
    slm_chain_end *end = end_of(m, key);
    slm_waiting *w = &m->waiting[fresh];
    m->unused = fresh == m->n_used ? (m->n_used = fresh + 1) : w->next;
    *w = (slm_waiting){ at, SLM_NO_ID };
    if (end->key == key && m->waiting[end->last].at <= at) {
        m->waiting[end->last].next = fresh;
        end->last = fresh;
        return;
    }
    *end = (slm_chain_end){ key, fresh };
    const uint64_t chain = (uint64_t)key << 32 | fresh;
    size_t i = (*queued)++;
    for (; i > 0 && before(m, chain, m->queue[(i - 1) / 2]); i = (i - 1) / 2)
        m->queue[i] = m->queue[(i - 1) / 2];
    m->queue[i] = chain;
}

/* The symbol that begins the lowest pair, and its key. queued >= 1. */
static inline uint32_t pop(slm_merger *m, size_t *queued, uint32_t *key)
{
    const uint64_t chain = m->queue[0];
    const uint32_t first = (uint32_t)chain, at = m->waiting[first].at, next = m->waiting[first].next;
    *key = (uint32_t)(chain >> 32);
    m->waiting[first].next = m->unused;
    m->unused = first;
    if (next != SLM_NO_ID) {
        sink(m, *queued, (uint64_t)*key << 32 | next);
        return at;
    }
    slm_chain_end *end = end_of(m, *key);
    if (end->key == *key && end->last == first)
        end->key = SLM_NO_ID;
    if (--*queued)
        sink(m, *queued, m->queue[*queued]);
    return at;
}

/* Computes the pair of `left` and its next symbol, which waits if it can be joined. */
static inline void look(slm_merger *m, size_t n, size_t *queued, uint32_t left, slm_pair_fn *pair, const void *ctx)
{
    slm_symbol *s = m->symbols, *l = &s[left];
    l->key = SLM_NO_ID;
    if (l->next == n)
        return;
    const slm_symbol *r = &s[l->next];
    l->key = pair(ctx, l->id, r->id, l->start, s[r->next].start - l->start, &l->merged);
    if (l->key != SLM_NO_ID)
        push(m, queued, left);
}

void slm_merge(slm_merger *m, size_t n, slm_pair_fn *pair, const void *ctx)
{
    slm_symbol *s = m->symbols;
    size_t queued = 0;

    m->ends_mask = LEAST_ENDS - 1;
    while (m->ends_mask + 1 < m->n_ends && m->ends_mask < n)
        m->ends_mask = m->ends_mask * 2 + 1;            /* what is cleared is no more than the text is worth */
    memset(m->ends, 0xff, (m->ends_mask + 1) * sizeof *m->ends);
    m->unused = m->n_used = 0;
    for (uint32_t i = 0; i < n; i++) {
        s[i].prev = i ? i - 1 : SLM_NO_ID;
        s[i].next = i + 1;
    }
    for (uint32_t i = 0; i < n; i++)
        if (i + 1 < n && s[i + 1].key != SLM_NO_ID)     /* still the bound */
            look(m, n, &queued, i, pair, ctx);
        else
            s[i].key = SLM_NO_ID;
    while (queued) {
        uint32_t key;
        const uint32_t at = pop(m, &queued, &key);
        slm_symbol *l = &s[at];
        if (l->key != key)
            continue;
        slm_symbol *r = &s[l->next];
        l->id = l->merged;
        l->next = r->next;
        if (r->next != n)
            s[r->next].prev = at;
        r->key = SLM_NO_ID;
        if (l->prev != SLM_NO_ID)
            look(m, n, &queued, l->prev, pair, ctx);
        look(m, n, &queued, at, pair, ctx);
    }
}
