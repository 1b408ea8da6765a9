/* texts.c -- numbered texts and their table. */
#include "core/texts.h"

#include "core/clock.h"
#include "core/random.h"
#include "core/size.h"

static uint64_t hash(const uint8_t *p, size_t n, uint64_t seed)
{
    uint64_t h = seed + n, v;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&v, p, 8);
        h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    v = 0;
    if (n >= 4) {                       /* the last 4 to 7 bytes as two overlapping words */
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        v = (uint64_t)a << 32 | b;
    } else if (n > 0) {                 /* the last 1 to 3 */
        v = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    return slm_random_mix(h ^ v);
}

static slm_status refused(size_t n, slm_error *err)
{
    return slm_fail(err, SLM_E_MEMORY, "table of %zu texts", n);
}

/* A table of at least twice n slots, and all that was entered put into it. */
static slm_status rehash(slm_texts *t, size_t n, slm_error *err)
{
    size_t slots = 16;
    while (slots < n * 2)
        slots *= 2;
    uint64_t *fresh = slm_heap_array(t->heap, slots, sizeof *fresh);
    if (!fresh)
        return refused(n, err);
    memset(fresh, 0xff, slots * sizeof *fresh);
    for (size_t i = 0; t->slots && i <= t->mask; i++) {
        if (t->slots[i] == UINT64_MAX)
            continue;
        size_t length;
        const uint8_t *text = slm_texts_at(t, (uint32_t)t->slots[i], &length);
        size_t at = (size_t)hash(text, length, t->seed) & (slots - 1);
        while (fresh[at] != UINT64_MAX)
            at = (at + 1) & (slots - 1);
        fresh[at] = t->slots[i];
    }
    slm_heap_free(t->heap, t->slots);
    t->slots = fresh;
    t->mask = slots - 1;
    return SLM_OK;
}

slm_status slm_texts_init(slm_texts *t, slm_heap *heap, size_t n, size_t bytes, slm_error *err)
{
    *t = (slm_texts){ .heap = heap };
    /* ASLR and the clock: unknown to who made the file */
    t->seed = slm_random_mix(slm_clock_ns() ^ (uint64_t)(uintptr_t)t);
    if (!(t->start = slm_heap_array(heap, n + 1, sizeof *t->start)) || !(t->blob = slm_heap_alloc(heap, bytes)) || rehash(t, n, err)) {
        slm_texts_free(t);
        return refused(n, err);
    }
    t->start[0] = 0;
    t->room = n;
    t->blob_room = bytes;
    return SLM_OK;
}

void slm_texts_free(slm_texts *t)
{
    if (!t->heap)
        return;
    slm_heap_free(t->heap, t->blob);
    slm_heap_free(t->heap, t->start);
    slm_heap_free(t->heap, t->slots);
    *t = (slm_texts){ .heap = t->heap };
}

/* Twice as much of both, copied. */
static slm_status grow(slm_texts *t, size_t bytes, slm_error *err)
{
    const size_t used = t->start[t->n], room = slm_max(64, t->room * 2), blob_room = slm_max(t->blob_room, bytes) * 2;
    uint32_t *start = slm_heap_array(t->heap, room + 1, sizeof *start);
    uint8_t *blob = slm_heap_alloc(t->heap, blob_room);
    if (!start || !blob) {
        slm_heap_free(t->heap, start);
        slm_heap_free(t->heap, blob);
        return refused(room, err);
    }
    memcpy(start, t->start, (t->n + 1) * sizeof *start);
    if (used)
        memcpy(blob, t->blob, used);
    slm_heap_free(t->heap, t->start);
    slm_heap_free(t->heap, t->blob);
    t->start = start;
    t->blob = blob;
    t->room = room;
    t->blob_room = blob_room;
    return SLM_OK;
}

slm_status slm_texts_add(slm_texts *t, const void *bytes, size_t n, slm_error *err)
{
    const size_t used = t->start[t->n];
    size_t end;
    if (!slm_size_add(used, n, &end) || end > UINT32_MAX)
        return slm_fail(err, SLM_E_LIMIT, "texts of more than %u bytes in all", UINT32_MAX);
    if (t->n == t->room || end > t->blob_room) {
        slm_status status = grow(t, end, err);
        if (status)
            return status;
    }
    if (n)
        memcpy(t->blob + used, bytes, n);
    t->start[++t->n] = (uint32_t)end;
    t->longest = slm_max(t->longest, n);
    return SLM_OK;
}

/* The slot that holds these bytes, or the empty one where they belong. */
static size_t slot(const slm_texts *t, const uint8_t *bytes, size_t n, uint64_t h)
{
    size_t at = (size_t)h & t->mask;
    for (; t->slots[at] != UINT64_MAX; at = (at + 1) & t->mask) {
        if ((t->slots[at] ^ h) >> 32)
            continue;
        size_t length;
        const uint8_t *text = slm_texts_at(t, (uint32_t)t->slots[at], &length);
        if (length == n && (n == 0 || memcmp(text, bytes, n) == 0))
            break;
    }
    return at;
}

slm_status slm_texts_enter(slm_texts *t, uint32_t id, bool *fresh, slm_error *err)
{
    if ((t->used + 1) * 2 > t->mask + 1) {
        slm_status status = rehash(t, (t->used + 1) * 2, err);
        if (status)
            return status;
    }
    size_t n;
    const uint8_t *text = slm_texts_at(t, id, &n);
    const uint64_t h = hash(text, n, t->seed);
    const size_t at = slot(t, text, n, h);
    *fresh = t->slots[at] == UINT64_MAX;
    if (*fresh) {
        t->slots[at] = (h >> 32) << 32 | id;
        t->used++;
    }
    return SLM_OK;
}

uint32_t slm_texts_find_hashed(const slm_texts *t, const void *bytes, size_t n, uint64_t h)
{
    const uint64_t found = t->slots[slot(t, bytes, n, h)];
    return found == UINT64_MAX ? SLM_NO_ID : (uint32_t)found;
}

uint32_t slm_texts_find(const slm_texts *t, const void *bytes, size_t n)
{
    return n > t->longest ? SLM_NO_ID : slm_texts_find_hashed(t, bytes, n, hash(bytes, n, t->seed));
}

uint64_t slm_texts_hash(const slm_texts *t, const void *bytes, size_t n)
{
    return hash(bytes, n, t->seed);
}

void slm_texts_expect(const slm_texts *t, uint64_t h, int stage)
{
    const uint64_t *at = &t->slots[(size_t)h & t->mask];
    if (stage == 0)
        __builtin_prefetch(at);
    else if (*at == UINT64_MAX || (*at ^ h) >> 32)
        return;                                 /* another text's: the search goes on elsewhere */
    else if (stage == 1)
        __builtin_prefetch(&t->start[(uint32_t)*at]);
    else
        __builtin_prefetch(t->blob + t->start[(uint32_t)*at]);
}
