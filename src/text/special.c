/* special.c -- a sorted list of texts, narrowed byte by byte, and a queue of candidates by precedence.
 *
 * At each place of the string the longest match is found by narrowing the range of the sorted list that shares the bytes read so
 * far: at most SLM_SPECIAL_BYTES steps of a binary search, and one look-up of `first` where nothing begins, which is nearly
 * everywhere. The candidates go into a queue in order of precedence and place. One that comes up is taken if its bytes are free; as
 * no longer one can come later, it overlaps something taken only if its first or its last byte is taken. If the last one is,
 * the place gets another chance with the longest match that fits before. */
#include "text/special.h"

#include "core/size.h"
#include "text/queue.h"

static int compare(const slm_texts *texts, uint32_t a, uint32_t b)
{
    size_t na, nb;
    const uint8_t *pa = slm_texts_at(texts, a, &na), *pb = slm_texts_at(texts, b, &nb);
    const int order = memcmp(pa, pb, slm_min(na, nb));
    return order ? order : na != nb ? (na < nb ? -1 : 1) : a != b ? (a < b ? -1 : 1) : 0;
}

static void sink(const slm_texts *texts, uint32_t *ids, size_t n, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare(texts, ids[child], ids[child + 1]) < 0)
            child++;
        if (compare(texts, ids[at], ids[child]) >= 0)
            return;
        const uint32_t id = ids[at];
        ids[at] = ids[child];
        ids[child] = id;
    }
}

/* Heapsort: no memory, no recursion, no bad case. */
static void sort(const slm_texts *texts, uint32_t *ids, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sink(texts, ids, n, i - 1);
    for (size_t i = n; i > 1; i--) {
        const uint32_t id = ids[0];
        ids[0] = ids[i - 1];
        ids[i - 1] = id;
        sink(texts, ids, i - 1, 0);
    }
}

static bool wanted(const slm_texts *texts, const uint8_t *types, unsigned mask, uint32_t id)
{
    size_t n;
    if (!(mask >> types[id] & 1))
        return false;
    slm_texts_at(texts, id, &n);
    return n > 0 && n <= SLM_SPECIAL_BYTES;
}

/* Longer first, then the lower id: sorts keys of (SLM_SPECIAL_BYTES - length) << 32 | how many ids of the list are lower. */
static slm_status rank(slm_special *s, slm_heap *heap, const slm_texts *texts, slm_error *err)
{
    uint64_t *keys = slm_heap_array(heap, s->n, sizeof *keys);
    size_t left = s->n;
    if (!keys)
        return slm_fail(err, SLM_E_MEMORY, "order of %zu special tokens", s->n);
    for (size_t i = 0; i < s->n; i++) {
        size_t n;
        slm_texts_at(texts, s->ids[i], &n);
        keys[i] = (uint64_t)(SLM_SPECIAL_BYTES - n) << 32;
    }
    uint64_t *order = slm_heap_array(heap, s->n, sizeof *order);
    if (!order) {
        slm_heap_free(heap, keys);
        return slm_fail(err, SLM_E_MEMORY, "order of %zu special tokens", s->n);
    }
    for (size_t i = 0; i < s->n; i++)
        order[i] = (uint64_t)s->ids[i] << 32 | i;
    slm_queue_build(order, s->n);
    for (size_t i = 0; i < s->n; i++) {                     /* by_rank holds, for now, the places in order of id */
        const uint32_t place = (uint32_t)slm_queue_pop(order, &left);
        s->by_rank[i] = place;
        keys[place] |= i;
    }
    slm_queue_build(keys, left = s->n);
    for (uint32_t r = 0; r < s->n; r++)
        s->rank[s->by_rank[(uint32_t)slm_queue_pop(keys, &left)]] = r;
    for (uint32_t i = 0; i < s->n; i++)
        s->by_rank[s->rank[i]] = i;
    slm_heap_free(heap, order);
    slm_heap_free(heap, keys);
    return SLM_OK;
}

slm_status slm_special_init(slm_special *s, slm_heap *heap, const slm_texts *texts, const uint8_t *types, unsigned mask, slm_error *err)
{
    size_t n = 0, kept = 0;
    memset(s, 0, sizeof *s);
    for (uint32_t id = 0; id < texts->n; id++)
        n += wanted(texts, types, mask, id);
    if (n == 0)
        return SLM_OK;
    s->ids = slm_heap_array(heap, n, sizeof *s->ids);
    s->rank = slm_heap_array(heap, n, sizeof *s->rank);
    s->by_rank = slm_heap_array(heap, n, sizeof *s->by_rank);
    if (!s->ids || !s->rank || !s->by_rank) {
        slm_special_free(s, heap);
        return slm_fail(err, SLM_E_MEMORY, "list of %zu special tokens", n);
    }
    for (uint32_t id = 0; id < texts->n; id++)
        if (wanted(texts, types, mask, id))
            s->ids[s->n++] = id;
    sort(texts, s->ids, n);
    for (size_t i = 0; i < n; i++) {                        /* equal texts stand together, the lowest id in front */
        size_t a, b;
        const uint8_t *text = slm_texts_at(texts, s->ids[i], &a), *last = kept ? slm_texts_at(texts, s->ids[kept - 1], &b) : NULL;
        if (!last || a != b || memcmp(text, last, a))
            s->ids[kept++] = s->ids[i];
    }
    s->n = kept;
    for (size_t i = 0; i < kept; i++) {
        size_t length;
        s->first[slm_texts_at(texts, s->ids[i], &length)[0] + 1]++;
    }
    for (size_t b = 0; b < 256; b++)
        s->first[b + 1] += s->first[b];
    slm_status status = rank(s, heap, texts, err);
    if (status)
        slm_special_free(s, heap);
    return status;
}

void slm_special_free(slm_special *s, slm_heap *heap)
{
    slm_heap_free(heap, s->ids);
    slm_heap_free(heap, s->rank);
    slm_heap_free(heap, s->by_rank);
    memset(s, 0, sizeof *s);
}

/* The first of lo..hi whose text has at byte d at least `byte`; all have more than d bytes and agree before. */
static size_t bound(const slm_special *s, const slm_texts *texts, size_t lo, size_t hi, size_t d, unsigned byte)
{
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (texts->blob[texts->start[s->ids[mid]] + d] < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The place in the list of the longest text that text [n] begins with, or SLM_NO_ID. */
static uint32_t longest(const slm_special *s, const slm_texts *texts, const uint8_t *text, size_t n)
{
    uint32_t best = SLM_NO_ID;
    if (n == 0)
        return best;
    size_t lo = s->first[text[0]], hi = s->first[text[0] + 1];
    for (size_t d = 1; lo < hi; d++) {
        size_t length;
        slm_texts_at(texts, s->ids[lo], &length);
        if (length == d)
            best = (uint32_t)lo++;      /* the only one of this length, and the first in order */
        if (d == n)
            break;
        lo = bound(s, texts, lo, hi, d, text[d]);
        hi = bound(s, texts, lo, hi, d, text[d] + 1u);
    }
    return best;
}

slm_status slm_special_find(const slm_special *s, slm_heap *heap, const slm_texts *texts, const uint8_t *text, size_t n, slm_cut **cuts,
                            size_t *n_cuts, slm_error *err)
{
    uint64_t *queue = NULL;
    uint8_t *taken = NULL;
    size_t candidates = 0, queued = 0, found = 0;
    slm_status status = SLM_OK;

    *cuts = NULL;
    *n_cuts = 0;
    for (size_t i = 0; s->n && i < n; i++)
        candidates += s->first[text[i]] < s->first[text[i] + 1] && longest(s, texts, text + i, n - i) != SLM_NO_ID;
    if (candidates == 0)
        return SLM_OK;
    queue = slm_heap_array(heap, candidates, sizeof *queue);
    taken = slm_heap_zalloc(heap, n);   /* 1: inside a token, 2: its first byte */
    if (!queue || !taken) {
        status = slm_fail(err, SLM_E_MEMORY, "%zu special tokens in a text", candidates);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = s->first[text[i]] < s->first[text[i] + 1] ? longest(s, texts, text + i, n - i) : SLM_NO_ID;
        if (at != SLM_NO_ID)
            queue[queued++] = (uint64_t)s->rank[at] << 32 | i;
    }
    slm_queue_build(queue, queued);
    while (queued) {
        const uint64_t top = slm_queue_pop(queue, &queued);
        const size_t begin = (uint32_t)top;
        size_t length;
        slm_texts_at(texts, s->ids[s->by_rank[top >> 32]], &length);
        if (taken[begin])
            continue;
        if (taken[begin + length - 1]) {
            const uint32_t at = longest(s, texts, text + begin, length - 1);
            if (at != SLM_NO_ID)
                slm_queue_push(queue, &queued, (uint64_t)s->rank[at] << 32 | begin);
            continue;
        }
        memset(taken + begin, 1, length);
        taken[begin] = 2;
        found++;
    }
    if (!(*cuts = slm_heap_array(heap, found, sizeof **cuts))) {
        status = slm_fail(err, SLM_E_MEMORY, "%zu special tokens in a text", found);
        goto out;
    }
    for (size_t i = 0, k = 0; i < n; i++) {
        if (taken[i] != 2)
            continue;
        /* which one it was: the longest that ends where the bytes of this token do */
        size_t end = i + 1;
        while (end < n && taken[end] == 1)
            end++;
        (*cuts)[k++] = (slm_cut){ i, end, s->ids[longest(s, texts, text + i, end - i)] };
        i = end - 1;
    }
    *n_cuts = found;
out:
    slm_heap_free(heap, queue);
    slm_heap_free(heap, taken);
    return status;
}
