/* prefixes.c -- edges in a hash table that is at most half full. */
#include "text/prefixes.h"

#include "core/clock.h"
#include "core/random.h"
#include "core/size.h"

enum { FIRST_BITS = 10 };

/* Twice the nodes, and two slots for each. */
static slm_status grow(slm_prefixes *t, slm_error *err)
{
    const size_t room = t->room ? t->room * 2 : (size_t)1 << (FIRST_BITS - 1);
    const unsigned shift = t->room ? t->shift - 1 : 64 - FIRST_BITS;
    const size_t slots = (size_t)1 << (64 - shift);
    if (room > SLM_PREFIXES_NODES)
        return slm_fail(err, SLM_E_LIMIT, "tokens of more than %d different beginnings", SLM_PREFIXES_NODES);
    uint64_t *fresh = slm_heap_array(t->heap, slots, sizeof *fresh);
    uint32_t *ids = slm_heap_array(t->heap, room, sizeof *ids);
    if (!fresh || !ids) {
        slm_heap_free(t->heap, fresh);
        slm_heap_free(t->heap, ids);
        return slm_fail(err, SLM_E_MEMORY, "trie of %zu nodes", room);
    }
    memset(fresh, 0xff, slots * sizeof *fresh);
    if (t->n)
        memcpy(ids, t->ids, t->n * sizeof *ids);
    uint64_t *old = t->slots;
    const size_t old_slots = t->room * 2;
    t->shift = shift;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i] == UINT64_MAX)
            continue;
        size_t at = slm_prefixes_slot(t, (uint32_t)(old[i] >> 32));
        while (fresh[at] != UINT64_MAX)
            at = (at + 1) & (slots - 1);
        fresh[at] = old[i];
    }
    slm_heap_free(t->heap, old);
    slm_heap_free(t->heap, t->ids);
    t->slots = fresh;
    t->ids = ids;
    t->room = room;
    return SLM_OK;
}

slm_status slm_prefixes_init(slm_prefixes *t, slm_heap *heap, slm_error *err)
{
    *t = (slm_prefixes){ .heap = heap };
    t->seed = slm_random_mix(slm_clock_ns() ^ (uint64_t)(uintptr_t)t);      /* as in texts.c */
    slm_status status = grow(t, err);
    if (status)
        return status;
    t->ids[t->n++] = SLM_NO_ID;
    return SLM_OK;
}

void slm_prefixes_free(slm_prefixes *t)
{
    if (!t->heap)
        return;
    slm_heap_free(t->heap, t->slots);
    slm_heap_free(t->heap, t->ids);
    *t = (slm_prefixes){ .heap = t->heap };
}

slm_status slm_prefixes_add(slm_prefixes *t, const uint8_t *text, size_t n, uint32_t id, slm_error *err)
{
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t child = slm_prefixes_step(t, node, text[i]);
        if (child != SLM_NO_ID) {
            node = child;
            continue;
        }
        if (t->n == t->room) {
            slm_status status = grow(t, err);
            if (status)
                return status;
        }
        const uint32_t key = node << 8 | text[i];
        const size_t mask = t->room * 2 - 1;
        size_t at = slm_prefixes_slot(t, key);
        while (t->slots[at] != UINT64_MAX)
            at = (at + 1) & mask;
        node = (uint32_t)t->n++;
        t->slots[at] = (uint64_t)key << 32 | node;
        t->ids[node] = SLM_NO_ID;
    }
    if (t->ids[node] == SLM_NO_ID)
        t->ids[node] = id;
    t->longest = slm_max(t->longest, n);
    return SLM_OK;
}
