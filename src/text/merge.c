/* merge.c -- pairs in a heap, symbols in a linked list.
 *
 * The queue holds key << 32 | index of the left symbol, which is the order wanted: a joined symbol keeps the index of its left
 * part, so indices rise along the text. Entries are never removed when they go stale; they are recognised when they come up, because
 * the symbol then has another key (or is gone). An entry that is stale but equal to the present one stands for it: popping either
 * does the same join at the same moment, and the second one is then stale in its turn. */
#include "text/merge.h"

#include "core/size.h"
#include "text/queue.h"

void slm_merger_init(slm_merger *m, slm_heap *heap)
{
    *m = (slm_merger){ .heap = heap };
}

static void drop_symbols(slm_merger *m)
{
    slm_heap_free(m->heap, m->symbols);
    slm_heap_free(m->heap, m->queue);
    m->symbols = NULL;
    m->queue = NULL;
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
    enum { LEAST = 64, MOST = 4096, WORTH = 1024 };      /* 256 KiB at most: the tables of merges want the cache, too, and more measured no faster */
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
    if (n <= m->room)
        return SLM_OK;
    drop_symbols(m);
    const size_t room = slm_max(64, n + n / 4);
    m->symbols = slm_heap_array(m->heap, room, sizeof *m->symbols);
    m->queue = slm_heap_array(m->heap, room, 2 * sizeof *m->queue);
    if (!m->symbols || !m->queue) {
        drop_symbols(m);
        return slm_fail(err, SLM_E_MEMORY, "merging %zu symbols", n);
    }
    m->room = room;
    return SLM_OK;
}

/* Computes the pair of `left` and its next symbol; true if it can be joined. */
static inline bool look(slm_symbol *s, uint32_t left, slm_pair_fn *pair, const void *ctx)
{
    slm_symbol *l = &s[left];
    const slm_symbol *r = l->next == SLM_NO_ID ? NULL : &s[l->next];
    l->key = r ? pair(ctx, l->id, r->id, l->start, (size_t)l->len + r->len, &l->merged) : SLM_NO_ID;
    return l->key != SLM_NO_ID;
}

void slm_merge(slm_merger *m, size_t n, slm_pair_fn *pair, const void *ctx)
{
    slm_symbol *s = m->symbols;
    uint64_t *q = m->queue;
    size_t queued = 0;

    for (uint32_t i = 0; i < n; i++) {
        s[i].prev = i ? i - 1 : SLM_NO_ID;
        s[i].next = i + 1 < n ? i + 1 : SLM_NO_ID;
    }
    for (uint32_t i = 0; i < n; i++)
        if (look(s, i, pair, ctx))
            q[queued++] = (uint64_t)s[i].key << 32 | i;
    slm_queue_build(q, queued);

    while (queued) {
        const uint64_t top = slm_queue_pop(q, &queued);
        const uint32_t at = (uint32_t)top;
        slm_symbol *l = &s[at];
        if (l->len == 0 || l->key != top >> 32)
            continue;
        slm_symbol *r = &s[l->next];
        l->len += r->len;
        l->id = l->merged;
        l->next = r->next;
        if (r->next != SLM_NO_ID)
            s[r->next].prev = at;
        r->len = 0;
        if (look(s, at, pair, ctx))
            slm_queue_push(q, &queued, (uint64_t)l->key << 32 | at);
        if (l->prev != SLM_NO_ID && look(s, l->prev, pair, ctx))
            slm_queue_push(q, &queued, (uint64_t)s[l->prev].key << 32 | l->prev);
    }
}
