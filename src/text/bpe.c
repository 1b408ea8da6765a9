/* bpe.c -- byte-level BPE: pieces of the pre-tokenizer, their bytes as symbols, merged by rank.
 *
 * Files write tokens and merges with each byte as a printable character: 33..126, 161..172 and 174..255 as themselves, the other 68
 * in rising order as U+0100 and up. At load every text that occurs in the list of merges gets a number: tokens have their
 * id, texts that are no token get numbers beyond the vocabulary. A merge is then (left, right) -> (rank, merged) over numbers, one
 * look-up in one table, and no string is touched while encoding. A symbol that ends up beyond the vocabulary falls apart into its
 * bytes; a byte that has no token is dropped, as files of this kind mean it. */
#include "text/vocab.h"

#include "core/clock.h"
#include "core/cursor.h"
#include "core/random.h"
#include "core/size.h"
#include "text/utf8.h"

/* The character of a byte. */
static uint32_t mapped(unsigned byte)
{
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174)
        return byte;
    return byte < 33 ? 256 + byte : byte < 161 ? 256 + 33 + (byte - 127) : 256 + 67;
}

int slm_bpe_byte(uint32_t cp)
{
    if (cp < 256)
        return mapped(cp) == cp ? (int)cp : -1;
    if (cp < 256 + 33)
        return (int)(cp - 256);
    if (cp < 256 + 67)
        return (int)(cp - 256 - 33 + 127);
    return cp == 256 + 67 ? 173 : -1;
}

static size_t put_mapped(uint8_t out[2], uint8_t byte)
{
    const uint32_t c = mapped(byte);
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    out[0] = (uint8_t)(0xc0 | c >> 6);
    out[1] = (uint8_t)(0x80 | (c & 0x3f));
    return 2;
}

/* The number of a text while loading: its token, or its place among the others, where it is entered if it is new. */
static slm_status number(const slm_tokenizer *t, slm_texts *others, const uint8_t *text, size_t n, uint64_t hash, uint32_t *out, slm_error *err)
{
    uint32_t id = slm_texts_find_hashed(&t->texts, text, n, hash);
    if (id == SLM_NO_ID || !slm_token_plain(t->kind, t->types[id])) {
        id = slm_texts_find(others, text, n);
        if (id == SLM_NO_ID) {
            bool fresh;
            slm_status status = slm_texts_add(others, text, n, err);
            if (status)
                return status;
            id = (uint32_t)(others->n - 1);
            if ((status = slm_texts_enter(others, id, &fresh, err)))
                return status;
        }
        id += (uint32_t)t->texts.n;
    }
    *out = id;
    return SLM_OK;
}

static inline uint64_t hash_pair(const slm_tokenizer *t, uint32_t left, uint32_t right)
{
    return slm_random_mix(((uint64_t)left << 32 | right) ^ t->seed);
}

/* The slot of a pair of that hash, or the empty one where it belongs. */
static inline slm_merge_rule *rule(const slm_tokenizer *t, uint32_t left, uint32_t right, uint64_t h)
{
    slm_merge_rule *r;
    for (size_t at = (size_t)h & t->rules_mask; r = &t->rules[at], r->rank != SLM_NO_ID; at = (at + 1) & t->rules_mask)
        if (r->left == left && r->right == right)
            break;
    return r;
}

static inline bool may_join(const slm_tokenizer *t, uint64_t h)
{
    const size_t bit = (size_t)(h >> 32) & t->maybe_mask;
    return t->maybe[bit >> 6] >> (bit & 63) & 1;
}

static inline uint32_t join(const slm_tokenizer *t, uint32_t left, uint32_t right, uint32_t *merged)
{
    const uint64_t h = hash_pair(t, left, right);
    if (!may_join(t, h))
        return SLM_NO_ID;
    const slm_merge_rule *r = rule(t, left, right, h);
    *merged = r->merged;
    return r->rank;
}

static inline uint32_t pair(const void *ctx, uint32_t left, uint32_t right, size_t start, size_t len, uint32_t *merged)
{
    const slm_word *w = ctx;
    if (len > 2)
        return join(w->tokenizer, left, right, merged);
    const slm_byte_pair *known = &w->tokenizer->pairs[w->text[start] << 8 | w->text[start + 1]];
    *merged = known->merged;
    return known->rank;
}

/* Symbols are bytes at first. */
static inline size_t symbol(const void *ctx, size_t at, size_t n, uint32_t *id)
{
    const slm_word *w = ctx;
    (void)n;
    *id = w->tokenizer->bytes[w->text[at]];
    return 1;
}

/* The text of a merge, "LEFT RIGHT", split at the first space after the first character. */
typedef struct merge_text {
    const uint8_t *left, *right;
    size_t n_left, n_right;
    uint64_t hash_left, hash_right;
} merge_text;

/* The first and the last byte that a byte-mapped text stands for, or -1. n >= 1. */
static int first_byte(const uint8_t *text, size_t n)
{
    uint32_t cp;
    bool ok;
    (void)slm_utf8_next(text, n, &cp, &ok);
    return slm_bpe_byte(cp);
}

static int last_byte(const uint8_t *text, size_t n)
{
    size_t at = n - 1;
    while (at > 0 && n - at < 4 && (text[at] & 0xc0) == 0x80)
        at--;
    return first_byte(text + at, n - at);
}

/* A merge's rank bounds those of its place. One that is no text of bytes never comes up. */
static void note_bound(const slm_tokenizer *t, const merge_text *m, uint32_t rank)
{
    const int left = last_byte(m->left, m->n_left), right = first_byte(m->right, m->n_right);
    if (left >= 0 && right >= 0 && t->bounds[left << 8 | right] == SLM_NO_ID)       /* ranks rise */
        t->bounds[left << 8 | right] = rank;
}

static slm_status read_merge(merge_text *out, slm_cursor *c, uint32_t rank, const char *file, slm_error *err)
{
    uint64_t n;
    char shown[SLM_SHOWN];
    const uint8_t *text = slm_cursor_str(c, &n), *split = n > 1 ? memchr(text + 1, ' ', (size_t)n - 1) : NULL;
    if (!text)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges: merge %u is cut off", file, rank);
    if (!split || split + 1 == text + n)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges: merge %u, '%s', is not two texts with a space between", file, rank,
                        slm_shown(shown, text, (size_t)n));
    *out = (merge_text){ text, split + 1, (size_t)(split - text), (size_t)(text + n - split) - 1, 0, 0 };
    return SLM_OK;
}

/* Is `id` a plain token of that merge's joined text, and the only one of its text? */
static bool joins_to(const slm_tokenizer *t, uint32_t id, const merge_text *m)
{
    size_t n;
    if (id >= t->texts.n || t->duplicates || !slm_token_plain(t->kind, t->types[id]))
        return false;
    const uint8_t *text = slm_texts_at(&t->texts, id, &n);
    return n == m->n_left + m->n_right && memcmp(text, m->left, m->n_left) == 0 && memcmp(text + m->n_left, m->right, m->n_right) == 0;
}

/* The numbers of a merge's three texts. Lists are made in the order of the tokens they make, so the last one's token or the one after it is
 * tried before it is looked for; the joined text is made in scratch. */
static slm_status number_merge(const slm_tokenizer *t, slm_texts *others, slm_buf *scratch, const merge_text *m, uint32_t last, slm_merge_rule *out,
                               slm_error *err)
{
    slm_status status;
    if ((status = number(t, others, m->left, m->n_left, m->hash_left, &out->left, err)) || (status = number(t, others, m->right, m->n_right, m->hash_right, &out->right, err)))
        return status;
    if (joins_to(t, last, m) || joins_to(t, ++last, m)) {
        out->merged = last;
        return SLM_OK;
    }
    scratch->size = 0;
    slm_buf_add(scratch, m->left, m->n_left);
    slm_buf_add(scratch, m->right, m->n_right);
    if (scratch->failed)
        return slm_buf_status(scratch, "a merge", err);
    return number(t, others, scratch->data, scratch->size, slm_texts_hash(&t->texts, scratch->data, scratch->size), &out->merged, err);
}

enum { AHEAD = 16 };        /* look-ups that are announced to the cache before they are made */

/* All merges as numbers, in order. */
static slm_status number_merges(const slm_tokenizer *t, slm_texts *others, const slm_key *merges, slm_merge_rule *list, const char *file,
                                slm_error *err)
{
    merge_text ring[AHEAD];
    slm_buf scratch;
    slm_status status = SLM_OK;
    slm_cursor c = slm_cursor_over(merges->value, merges->bytes);
    slm_buf_init(&scratch, t->heap, SLM_LIMIT_STRING_BYTES);
    for (uint32_t i = 0; i < merges->count + AHEAD && !status; i++) {
        merge_text *m = &ring[i % AHEAD];
        if (i >= AHEAD) {
            slm_merge_rule *r = &list[i - AHEAD];
            r->rank = i - AHEAD;
            note_bound(t, m, r->rank);
            status = number_merge(t, others, &scratch, m, i > AHEAD ? r[-1].merged : 0, r, err);
        }
        if (!status && i < merges->count && !(status = read_merge(m, &c, i, file, err))) {
            m->hash_left = slm_texts_hash(&t->texts, m->left, m->n_left);
            m->hash_right = slm_texts_hash(&t->texts, m->right, m->n_right);
        }
        for (uint32_t stage = 0; stage < 3 && !status; stage++) {       /* 0 of this one, 1 and 2 of those before it */
            const uint32_t back = stage * AHEAD / 3;
            const merge_text *soon = &ring[(i - back) % AHEAD];
            if (i < back || i - back >= merges->count)
                continue;
            slm_texts_expect(&t->texts, soon->hash_left, (int)stage);
            slm_texts_expect(&t->texts, soon->hash_right, (int)stage);
        }
    }
    slm_buf_free(&scratch);
    return status;
}

static void add_rules(slm_tokenizer *t, const slm_merge_rule *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(&t->rules[hash_pair(t, list[i + AHEAD].left, list[i + AHEAD].right) & t->rules_mask], 1);
        const uint64_t h = hash_pair(t, list[i].left, list[i].right);
        const size_t bit = (size_t)(h >> 32) & t->maybe_mask;
        slm_merge_rule *r = rule(t, list[i].left, list[i].right, h);
        if (r->rank == SLM_NO_ID)                       /* of two equal merges the first counts */
            *r = list[i];
        t->maybe[bit >> 6] |= UINT64_C(1) << (bit & 63);
    }
}

slm_status slm_bpe_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const slm_key *merges;
    slm_texts others = { 0 };
    slm_merge_rule *list;
    size_t slots = 16;
    slm_status status = slm_keys_array(keys, "tokenizer.ggml.merges", SLM_KEY_STRING, &merges, err);

    if (status)
        return status;
    if (!merges)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges is missing: %zu tokens need them", file, t->texts.n);
    while (slots < merges->count * 3 / 2)               /* at most two thirds full */
        slots *= 2;
    t->maybe_mask = slots * 4 - 1;
    if (!(t->rules = slm_heap_array(t->heap, slots, sizeof *t->rules)) || !(t->maybe = slm_heap_zarray(t->heap, slots / 16, sizeof *t->maybe)) ||
        !(t->pairs = slm_heap_array(t->heap, 65536, sizeof *t->pairs)) ||
        !(t->classes = slm_heap_array(t->heap, SLM_PRE_CLASSES, sizeof *t->classes)))
        return slm_fail(err, SLM_E_MEMORY, "%s: table of %llu merges", file, (unsigned long long)merges->count);
    if (!(t->bounds = slm_heap_array(t->heap, SLM_MERGE_BOUNDS, sizeof *t->bounds)))
        return slm_fail(err, SLM_E_MEMORY, "%s: bounds of %llu merges", file, (unsigned long long)merges->count);
    memset(t->bounds, 0xff, SLM_MERGE_BOUNDS * sizeof *t->bounds);
    memset(t->rules, 0xff, slots * sizeof *t->rules);
    t->rules_mask = slots - 1;
    t->seed = slm_random_mix(slm_clock_ns() ^ (uint64_t)(uintptr_t)t->rules);   /* as in texts.c */

    slm_pre_classes(t->classes);
    list = slm_heap_array(t->heap, (size_t)merges->count, sizeof *list);
    if (!list)
        return slm_fail(err, SLM_E_MEMORY, "%s: list of %llu merges", file, (unsigned long long)merges->count);
    if ((status = slm_texts_init(&others, t->heap, 256, 512, err)))
        goto out;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[2];
        const size_t n = put_mapped(text, (uint8_t)byte);
        if ((status = number(t, &others, text, n, slm_texts_hash(&t->texts, text, n), &t->bytes[byte], err)))
            goto out;
    }
    if ((status = number_merges(t, &others, merges, list, file, err)))
        goto out;
    add_rules(t, list, (size_t)merges->count);
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            slm_byte_pair *p = &t->pairs[a << 8 | b];
            p->rank = join(t, t->bytes[a], t->bytes[b], &p->merged);
        }
out:
    slm_heap_free(t->heap, list);
    slm_texts_free(&others);
    return status;
}

/* The token whose text is the whole piece, or SLM_NO_ID. */
static uint32_t whole(slm_encoder *e, const uint8_t *piece, size_t n)
{
    const slm_tokenizer *t = e->tokenizer;
    uint8_t *out;
    if (n > t->texts.longest)
        return SLM_NO_ID;
    e->scratch.size = 0;
    if (!(out = slm_buf_grow(&e->scratch, n * 2)))
        return SLM_NO_ID;
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        used += put_mapped(out + used, piece[i]);
    return slm_find_plain(t, out, used);
}

static inline void emit_symbol(slm_encoder *e, uint32_t id, const slm_word *w, size_t begin, size_t start, size_t len)
{
    const slm_tokenizer *t = e->tokenizer;
    if (id < t->texts.n) {
        slm_emit_range(e, id, begin + start, begin + start + len);
        return;
    }
    for (size_t k = start; k < start + len; k++)
        if (t->bytes[w->text[k]] < t->texts.n)
            slm_emit_range(e, t->bytes[w->text[k]], begin + k, begin + k + 1);
}

/* Bytes [begin, begin + n) of the text. */
static slm_status encode_piece(slm_encoder *e, const uint8_t *text, size_t begin, size_t n)
{
    if (e->tokenizer->pre->ignore_merges) {
        const uint32_t id = whole(e, text + begin, n);
        if (e->scratch.failed)
            return slm_buf_status(&e->scratch, "a piece of text", e->err);
        if (id != SLM_NO_ID) {
            slm_emit_range(e, id, begin, begin + n);
            return SLM_OK;
        }
    }
    return slm_merge_word(e, text + begin, begin, n, symbol, pair, emit_symbol);
}

/* A piece that was cut and waits while its memo comes into the cache. */
typedef struct cut_piece {
    size_t begin, n;
    slm_memo *memo;             /* NULL: too long to have one, or there are none */
} cut_piece;

static inline bool next_piece(slm_encoder *e, slm_pieces *pieces, cut_piece *out)
{
    size_t end;
    if (!slm_pieces_next(pieces, &out->begin, &end))
        return false;
    out->n = end - out->begin;
    out->memo = e->merger.memo && out->n <= SLM_MEMO_BYTES ? slm_memo_at(&e->merger, pieces->text + out->begin, out->n) : NULL;
    if (out->memo) {
        __builtin_prefetch(out->memo);
        __builtin_prefetch(out->memo + 1);
    }
    return true;
}

static inline slm_status take_piece(slm_encoder *e, const cut_piece *p, const uint8_t *text)
{
    const size_t first = e->ids.size / sizeof(uint32_t);
    if (p->memo && slm_emit_known(e, p->memo, text + p->begin, p->n))
        return SLM_OK;
    slm_status status = encode_piece(e, text, p->begin, p->n);
    if (!status && p->memo)
        slm_emit_remember(e, p->memo, text + p->begin, p->n, first);
    return status;
}

slm_status slm_bpe_encode(slm_encoder *e, const uint8_t *text, size_t n)
{
    enum { WAIT = 8 };
    cut_piece ring[WAIT];
    size_t in = 0, out = 0;
    slm_status status = SLM_OK;
    slm_pieces pieces = slm_pieces_over(e->tokenizer->pre, text, n);
    pieces.classes = e->tokenizer->classes;
    while (!status && next_piece(e, &pieces, &ring[in % WAIT]))
        if (++in - out == WAIT)
            status = take_piece(e, &ring[out++ % WAIT], text);
    while (!status && out < in)
        status = take_piece(e, &ring[out++ % WAIT], text);
    return status;
}
