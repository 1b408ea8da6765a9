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
static slm_status number(const slm_tokenizer *t, slm_texts *others, const uint8_t *text, size_t n, uint32_t *out, slm_error *err)
{
    uint32_t id = slm_find_plain(t, text, n);
    if (id == SLM_NO_ID) {
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

/* The slot of a pair, or the empty one where it belongs. */
static inline slm_merge_rule *rule(const slm_tokenizer *t, uint32_t left, uint32_t right)
{
    const uint64_t h = slm_random_mix(((uint64_t)left << 32 | right) ^ t->seed);
    slm_merge_rule *r;
    for (size_t at = (size_t)h & t->rules_mask; r = &t->rules[at], r->rank != SLM_NO_ID; at = (at + 1) & t->rules_mask)
        if (r->left == left && r->right == right)
            break;
    return r;
}

/* Merge `rank`, "LEFT RIGHT": split at the first space after the first character. The joined text is made in scratch. */
static slm_status add_rule(slm_tokenizer *t, slm_texts *others, slm_buf *scratch, uint32_t rank, const uint8_t *text, size_t n,
                           const char *file, slm_error *err)
{
    const uint8_t *split = n > 1 ? memchr(text + 1, ' ', n - 1) : NULL;
    const size_t a = split ? (size_t)(split - text) : 0;
    uint32_t left, right, merged;
    slm_status status;

    if (!split || a + 1 == n) {
        char shown[SLM_SHOWN];
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges: merge %u, '%s', is not two texts with a space between", file, rank,
                        slm_shown(shown, text, n));
    }
    scratch->size = 0;
    slm_buf_add(scratch, text, a);
    slm_buf_add(scratch, split + 1, n - a - 1);
    if (scratch->failed)
        return slm_buf_status(scratch, "a merge", err);
    if ((status = number(t, others, text, a, &left, err)) || (status = number(t, others, split + 1, n - a - 1, &right, err)) ||
        (status = number(t, others, scratch->data, n - 1, &merged, err)))
        return status;
    slm_merge_rule *r = rule(t, left, right);
    if (r->rank == SLM_NO_ID)                           /* of two equal merges the first counts */
        *r = (slm_merge_rule){ left, right, rank, merged };
    return SLM_OK;
}

slm_status slm_bpe_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const slm_key *merges;
    slm_texts others = { 0 };
    slm_buf scratch;
    size_t slots = 16;
    slm_status status = slm_keys_array(keys, "tokenizer.ggml.merges", SLM_KEY_STRING, &merges, err);

    if (status)
        return status;
    if (!merges)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges is missing", file);
    while (slots < merges->count * 3 / 2)               /* at most two thirds full */
        slots *= 2;
    if (!(t->rules = slm_heap_array(t->heap, slots, sizeof *t->rules)))
        return slm_fail(err, SLM_E_MEMORY, "%s: table of %llu merges", file, (unsigned long long)merges->count);
    memset(t->rules, 0xff, slots * sizeof *t->rules);
    t->rules_mask = slots - 1;
    t->seed = slm_random_mix(slm_clock_ns() ^ (uint64_t)(uintptr_t)t->rules);   /* as in texts.c */

    slm_buf_init(&scratch, t->heap, SLM_LIMIT_STRING_BYTES);
    if ((status = slm_texts_init(&others, t->heap, 256, 512, err)))
        goto out;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[2];
        if ((status = number(t, &others, text, put_mapped(text, (uint8_t)byte), &t->bytes[byte], err)))
            goto out;
    }
    slm_cursor c = slm_cursor_over(merges->value, merges->bytes);
    for (uint32_t i = 0; i < merges->count; i++) {
        uint64_t n;
        const uint8_t *text = slm_cursor_str(&c, &n);
        if (!text) {
            status = slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.merges: merge %u is cut off", file, i);
            goto out;
        }
        if ((status = add_rule(t, &others, &scratch, i, text, (size_t)n, file, err)))
            goto out;
    }
out:
    slm_buf_free(&scratch);
    slm_texts_free(&others);
    return status;
}

static uint32_t pair(const void *ctx, const slm_symbol *left, const slm_symbol *right, uint32_t *merged)
{
    const slm_merge_rule *r = rule(ctx, left->id, right->id);
    *merged = r->merged;
    return r->rank;
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

/* Bytes [begin, begin + n) of the text. */
static slm_status encode_piece(slm_encoder *e, const uint8_t *text, size_t begin, size_t n)
{
    const uint8_t *piece = text + begin;
    const slm_tokenizer *t = e->tokenizer;
    slm_status status;

    if (t->pre->ignore_merges) {
        const uint32_t id = whole(e, piece, n);
        if (e->scratch.failed)
            return slm_buf_status(&e->scratch, "a piece of text", e->err);
        if (id != SLM_NO_ID) {
            slm_emit_range(e, id, begin, begin + n);
            return SLM_OK;
        }
    }
    if ((status = slm_merger_reserve(&e->merger, n, e->err)))
        return status;
    slm_symbol *s = e->merger.symbols;
    for (size_t i = 0; i < n; i++)
        s[i] = (slm_symbol){ .start = (uint32_t)i, .len = 1, .id = t->bytes[piece[i]] };
    slm_merge(&e->merger, n, pair, t);
    for (uint32_t i = 0; i != SLM_NO_ID; i = s[i].next) {
        if (s[i].id < t->texts.n) {
            slm_emit_range(e, s[i].id, begin + s[i].start, begin + s[i].start + s[i].len);
            continue;
        }
        for (uint32_t k = s[i].start; k < s[i].start + s[i].len; k++)
            if (t->bytes[piece[k]] < t->texts.n)
                slm_emit_range(e, t->bytes[piece[k]], begin + k, begin + k + 1);
    }
    return SLM_OK;
}

slm_status slm_bpe_encode(slm_encoder *e, const uint8_t *text, size_t n)
{
    slm_pieces pieces = slm_pieces_over(e->tokenizer->pre, text, n);
    size_t begin, end;
    while (slm_pieces_next(&pieces, &begin, &end)) {
        slm_status status = encode_piece(e, text, begin, end - begin);
        if (status)
            return status;
    }
    return SLM_OK;
}
