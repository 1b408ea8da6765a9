/* trie.c -- makes the trie: decoded bytes of all tokens, sorted, then nodes from the common prefixes of neighbours. */
#include "text/trie.h"

#include "core/random.h"
#include "core/size.h"

typedef struct item {
    uint64_t head;          /* the first 8 bytes, the first one highest, padded with 0 */
    uint32_t at, n, id;     /* bytes */
} item;

typedef struct build {
    slm_buf bytes;
    item *items, *other;    /* [vocab] */
    size_t n;
} build;

static void put(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

static bool is_text(const slm_tokenizer *t, uint32_t id)
{
    const uint8_t type = t->types[id];
    return !t->ends[id] && type != SLM_TOKEN_CONTROL && type != SLM_TOKEN_UNKNOWN && !(type == SLM_TOKEN_USER && t->kind == SLM_VOCAB_SPM);
}

static void collect(slm_trie *trie, build *b, const slm_tokenizer *t)
{
    for (uint32_t id = 0; id < t->texts.n; id++) {
        const size_t at = b->bytes.size;
        bool start = false;
        size_t length;
        const uint8_t *text = slm_texts_at(&t->texts, id, &length);
        if (t->ends[id])
            trie->ends[trie->n_ends++] = id;
        if (!is_text(t, id))
            continue;
        slm_token_put(t, id, 0, &start, put, &b->bytes);
        const size_t n = b->bytes.size - at;
        if (b->bytes.failed)
            return;
        if (!n || n > UINT16_MAX) {
            b->bytes.size = at;
            continue;
        }
        item *it = &b->items[b->n++];
        *it = (item){ 0, (uint32_t)at, (uint32_t)n, id };
        for (size_t i = 0; i < 8; i++)
            it->head = it->head << 8 | (i < n ? b->bytes.data[at + i] : 0);
        trie->longest = slm_max(trie->longest, n);
        if (n == 1)
            trie->spelled[b->bytes.data[at]] = true;
        if (t->kind == SLM_VOCAB_SPM && t->add_space_prefix && t->types[id] != SLM_TOKEN_BYTE && length >= 3 && memcmp(text, "\xe2\x96\x81", 3) == 0)
            trie->strips[id / 64] |= UINT64_C(1) << id % 64;
    }
}

/* By bytes, then by id. */
static bool before(const build *b, const item *x, const item *y)
{
    if (x->head != y->head)
        return x->head < y->head;
    const int order = memcmp(b->bytes.data + x->at, b->bytes.data + y->at, slm_min(x->n, y->n));
    return order ? order < 0 : x->n != y->n ? x->n < y->n : x->id < y->id;
}

/* Merges runs of doubling width: no recursion, and no worst case. */
static void sort(build *b)
{
    for (size_t width = 1; width < b->n; width *= 2) {
        for (size_t at = 0; at < b->n; at += 2 * width) {
            const size_t mid = slm_min(at + width, b->n), end = slm_min(at + 2 * width, b->n);
            size_t i = at, k = mid;
            for (size_t out = at; out < end; out++)
                b->other[out] = k == end || (i < mid && !before(b, &b->items[k], &b->items[i])) ? b->items[i++] : b->items[k++];
        }
        item *swap = b->items;
        b->items = b->other;
        b->other = swap;
    }
}

/* Bytes that item i shares with the one before. */
static size_t common(const build *b, size_t i)
{
    size_t n = 0;
    const item *x = &b->items[i];
    while (i && n < x->n && n < x[-1].n && b->bytes.data[x->at + n] == b->bytes.data[x[-1].at + n])
        n++;
    return n;
}

static slm_status link_nodes(slm_trie *trie, const build *b)
{
    size_t count = 0, node = 0;
    for (size_t i = 0; i < b->n; i++)
        count += b->items[i].n - common(b, i);
    trie->nodes = slm_heap_array(trie->heap, count + 1, sizeof *trie->nodes);
    uint32_t *open = slm_heap_array(trie->heap, trie->longest + 1, sizeof *open);      /* the node of each depth */
    if (!trie->nodes || !open) {
        slm_heap_free(trie->heap, open);
        return SLM_E_MEMORY;
    }
    size_t depth = 0;
    for (size_t i = 0; i <= b->n; i++) {
        const size_t keep = i < b->n ? common(b, i) : 0;
        for (; depth > keep; depth--)
            trie->nodes[open[depth]].next = (uint32_t)node;
        for (; i < b->n && depth < b->items[i].n; node++) {
            const uint8_t byte = b->bytes.data[b->items[i].at + depth];
            open[++depth] = (uint32_t)node;
            trie->nodes[node] = (slm_trie_node){ 0, (uint32_t)i, (uint16_t)depth, byte };
            if (depth == 1)
                trie->child[byte] = (uint32_t)node;
        }
    }
    trie->nodes[node] = (slm_trie_node){ (uint32_t)node, (uint32_t)b->n, 0, 0 };
    trie->n = node;
    slm_heap_free(trie->heap, open);
    return SLM_OK;
}

uint64_t slm_trie_bit(uint8_t b)
{
    enum { DIGIT = 32, A_TO_F, G_TO_Z, A_TO_F_SMALL, G_TO_Z_SMALL, BLANK, TAB, LINE, RETURN, CONTROL, FOLLOWS, TWO, THREE, FOUR };
    static const char marks[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    const char *mark = b >= '!' && b <= '~' ? strchr(marks, b) : NULL;
    const unsigned group = mark            ? (unsigned)(mark - marks)
                           : b >= 0xf0     ? FOUR
                           : b >= 0xe0     ? THREE
                           : b >= 0xc0     ? TWO
                           : b >= 0x80     ? FOLLOWS
                           : b >= 'g'      ? (b <= 'z' ? G_TO_Z_SMALL : CONTROL)
                           : b >= 'a'      ? A_TO_F_SMALL
                           : b >= 'G'      ? G_TO_Z
                           : b >= 'A'      ? A_TO_F
                           : b >= '0'      ? DIGIT
                           : b == ' '      ? BLANK
                           : b == '\t'     ? TAB
                           : b == '\n'     ? LINE
                           : b == '\r'     ? RETURN
                                           : CONTROL;
    return UINT64_C(1) << group;
}

/* Children stand behind their parent, so from the end on every child is done before it is asked. */
static slm_status gather(slm_trie *trie)
{
    trie->subtree = slm_heap_array(trie->heap, trie->n + 1, sizeof *trie->subtree);
    if (!trie->subtree)
        return SLM_E_MEMORY;
    for (size_t i = trie->n; i-- > 0;) {
        uint64_t bits = slm_trie_bit(trie->nodes[i].byte);
        for (uint32_t k = (uint32_t)i + 1; k < trie->nodes[i].next; k = trie->nodes[k].next)
            bits |= trie->subtree[k];
        trie->subtree[i] = bits;
    }
    return SLM_OK;
}

static slm_status make(slm_trie *trie, const slm_tokenizer *t)
{
    slm_heap *heap = t->heap;
    const size_t vocab = t->texts.n;
    build b = { .n = 0 };
    *trie = (slm_trie){ .heap = heap, .words = (vocab + 63) / 64, .fingerprint = slm_trie_fingerprint(t) };
    memset(trie->child, 0xff, sizeof trie->child);
    slm_buf_init(&b.bytes, heap, UINT32_MAX);
    b.items = slm_heap_array(heap, vocab, sizeof *b.items);
    b.other = slm_heap_array(heap, vocab, sizeof *b.other);
    trie->order = slm_heap_array(heap, vocab, sizeof *trie->order);
    trie->ends = slm_heap_array(heap, vocab, sizeof *trie->ends);
    trie->strips = slm_heap_zarray(heap, trie->words, sizeof *trie->strips);
    slm_status status = SLM_E_MEMORY;
    if (b.items && b.other && trie->order && trie->ends && trie->strips) {
        collect(trie, &b, t);
        status = b.bytes.failed;
    }
    if (!status) {
        sort(&b);
        trie->n_tokens = b.n;
        for (size_t i = 0; i < b.n; i++)
            trie->order[i] = b.items[i].id;
        status = link_nodes(trie, &b);
    }
    slm_heap_free(heap, b.items);
    slm_heap_free(heap, b.other);
    slm_buf_free(&b.bytes);
    return status ? status : gather(trie);
}

/* Of several threads that find none each makes one, and the first to be done hands its own to all. */
slm_status slm_tokenizer_trie(const slm_trie **out, const slm_tokenizer *t, slm_error *err)
{
    slm_trie *_Atomic *place = (slm_trie *_Atomic *)&t->trie;       /* the one part of a tokenizer that is written after loading */
    slm_trie *have = atomic_load(place);
    if (!have) {
        slm_trie *mine = slm_heap_zalloc(t->heap, sizeof *mine);
        const slm_status status = mine ? make(mine, t) : SLM_E_MEMORY;
        if (status) {
            slm_trie_free(mine);
            return slm_fail(err, status, "constraint: trie of %zu tokens", t->texts.n);
        }
        if (atomic_compare_exchange_strong(place, &have, mine))
            have = mine;
        else
            slm_trie_free(mine);
    }
    *out = have;
    return SLM_OK;
}

void slm_trie_free(slm_trie *trie)
{
    slm_heap *heap = trie ? trie->heap : NULL;
    if (!trie)
        return;
    slm_heap_free(heap, trie->nodes);
    slm_heap_free(heap, trie->order);
    slm_heap_free(heap, trie->strips);
    slm_heap_free(heap, trie->ends);
    slm_heap_free(heap, trie->subtree);
    slm_heap_free(heap, trie);
}

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t v;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&v, p, 8);
        h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    for (v = 0; n; n--)
        v = v << 8 | p[n - 1];
    return slm_random_mix(h ^ v);
}

uint64_t slm_trie_fingerprint(const slm_tokenizer *t)
{
    uint64_t h = mix((uint64_t)t->kind << 1 | t->add_space_prefix, t->texts.start, (t->texts.n + 1) * sizeof *t->texts.start);
    h = mix(h, t->texts.blob, t->texts.start[t->texts.n]);
    h = mix(h, t->types, t->texts.n);
    return mix(h, t->ends, t->texts.n);
}

uint32_t slm_trie_child(const slm_trie *trie, uint32_t node, uint8_t byte)
{
    if (node == SLM_NO_ID)
        return trie->child[byte];
    for (uint32_t i = node + 1; i < trie->nodes[node].next; i = trie->nodes[i].next)
        if (trie->nodes[i].byte == byte)
            return i;
    return SLM_NO_ID;
}
