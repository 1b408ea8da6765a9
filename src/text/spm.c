/* spm.c -- SentencePiece's BPE: neighbouring pairs whose joined text is a token, the highest score first.
 *
 * The text gets a space in front if the file asks for it, spaces become U+2581, and symbols start as code points. Nothing is normalised.
 * What is no token in the end is a single code point, and goes to the byte tokens of its bytes; where one of these is
 * missing, to the unknown token.
 *
 * Merging needs up to 70 bytes of memory for each byte of a word, and is slower when that outgrows the caches. In nearly every vocabulary
 * no token goes on from another character to a U+2581, so nothing is ever joined across such a place and the text is merged word by
 * word with the same result. That property is checked at load, not assumed. */
#include "text/vocab.h"

#include "core/size.h"
#include "text/utf8.h"


static const uint8_t space[3] = { 0xe2, 0x96, 0x81 };   /* U+2581 */

static inline bool is_space(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == space[0] && p[1] == space[1] && p[2] == space[2];
}

/* Lower for a higher score; never SLM_NO_ID, which is the image of a NaN. */
static uint32_t order_of(float score)
{
    uint32_t bits;
    score += 0.0f;                                      /* -0 is 0 */
    memcpy(&bits, &score, sizeof bits);
    return ~(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of a text that is exactly <0xHH>, or -1. */
int slm_spm_byte(const uint8_t *text, size_t n)
{
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || hex(text[3]) < 0 || hex(text[4]) < 0)
        return -1;
    return hex(text[3]) << 4 | hex(text[4]);
}

/* A token's key bounds those of all places in it. */
static void note_bounds(slm_tokenizer *t)
{
    memset(t->bounds, 0xff, SLM_MERGE_BOUNDS * sizeof *t->bounds);
    for (uint32_t id = 0; id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        for (size_t i = 1; i < n; i++) {
            uint32_t *bound = &t->bounds[text[i - 1] << 8 | text[i]];
            *bound = t->order[id] < *bound ? t->order[id] : *bound;
        }
    }
}

slm_status slm_spm_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const slm_key *scores;
    slm_status status = slm_vocab_scores(t, keys, &scores, file, err);
    if (status)
        return status;
    if (!(t->order = slm_heap_array(t->heap, t->texts.n, sizeof *t->order)) || !(t->bounds = slm_heap_array(t->heap, SLM_MERGE_BOUNDS, sizeof *t->bounds)))
        return slm_fail(err, SLM_E_MEMORY, "%s: order of %zu tokens", file, t->texts.n);
    for (uint32_t id = 0; id < t->texts.n; id++)
        t->order[id] = slm_token_plain(t->kind, t->types[id]) ? order_of(scores ? (float)slm_key_number_at(scores, id) : 0) : SLM_NO_ID;
    note_bounds(t);
    slm_vocab_bytes(t);
    t->words_apart = slm_vocab_words_apart(t);
    for (unsigned byte = 0; byte < 256; byte++)
        if (t->bytes[byte] == SLM_NO_ID && t->unk == SLM_NO_ID)
            return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.tokens: no token <0x%02X> and no unknown token to stand for it", file, byte);
    return SLM_OK;
}

static uint32_t pair(const void *ctx, uint32_t left, uint32_t right, size_t start, size_t len, uint32_t *merged)
{
    const slm_word *w = ctx;
    const uint32_t id = slm_texts_find(&w->tokenizer->texts, w->text + start, len);
    (void)left, (void)right;
    if (id == SLM_NO_ID)
        return SLM_NO_ID;
    *merged = id;
    return w->tokenizer->order[id];
}

/* The byte tokens of a code point, or the unknown token. */
static void fall_back(slm_encoder *e, const uint8_t *bytes, size_t begin, size_t n)
{
    const slm_tokenizer *t = e->tokenizer;
    for (size_t i = 0; i < n; i++)
        if (t->bytes[bytes[i]] == SLM_NO_ID) {
            slm_emit_range(e, t->unk, begin, begin + n);
            return;
        }
    for (size_t i = 0; i < n; i++)
        slm_emit_range(e, t->bytes[bytes[i]], begin + i, begin + i + 1);
}

static void emit_symbol(slm_encoder *e, uint32_t id, const slm_word *w, size_t begin, size_t start, size_t len)
{
    if (id != SLM_NO_ID)
        slm_emit_range(e, id, begin + start, begin + start + len);
    else
        fall_back(e, w->text + start, begin + start, len);
}

/* The symbols of a word are its code points. */
static inline size_t symbol(const void *ctx, size_t at, size_t n, uint32_t *id)
{
    const slm_word *w = ctx;
    uint32_t cp;
    bool ok;
    const size_t len = slm_utf8_next(w->text + at, n - at, &cp, &ok);
    *id = slm_find_plain(w->tokenizer, w->text + at, len);
    return len;
}

/* Bytes [begin, begin + n) of the scratch text. */
static slm_status encode_word(slm_encoder *e, size_t begin, size_t n)
{
    const uint8_t *text = e->scratch.data + begin;
    const size_t first = e->ids.size / sizeof(uint32_t);
    slm_memo *memo = e->merger.memo && n <= SLM_MEMO_BYTES ? slm_memo_at(&e->merger, text, n) : NULL;
    if (memo && slm_emit_known(e, memo, text, n))
        return SLM_OK;
    slm_status status = slm_merge_word(e, text, begin, n, symbol, pair, emit_symbol);
    if (memo && !status)
        slm_emit_remember(e, memo, text, n, first);
    return status;
}

static void put(slm_encoder *e, const uint8_t *bytes, size_t n, size_t in, size_t n_in)
{
    slm_trace_put(&e->trace, e->scratch.size, n, in, n_in, n == n_in);
    slm_buf_add(&e->scratch, bytes, n);
}

slm_status slm_spm_encode(slm_encoder *e, const uint8_t *text, size_t n)
{
    slm_buf *out = &e->scratch;
    out->size = 0;
    if (e->tokenizer->add_space_prefix)
        put(e, space, sizeof space, 0, 0);
    for (size_t i = 0; i < n;) {
        const uint8_t *next = memchr(text + i, ' ', n - i);
        const size_t plain = next ? (size_t)(next - text) - i : n - i;
        put(e, text + i, plain, i, plain);
        if (next)
            put(e, space, sizeof space, i + plain, 1);
        i += plain + (next != NULL);
    }
    if (out->failed)
        return slm_buf_status(out, "text with U+2581 for spaces", e->err);

    const uint8_t *p = out->data;
    size_t begin = 0;
    for (size_t i = 1; i <= out->size; i++) {
        if (i < out->size && !(e->tokenizer->words_apart && is_space(p + i, out->size - i) && !(i >= begin + 3 && is_space(p + i - 3, 3))))
            continue;
        slm_status status = encode_word(e, begin, i - begin);
        if (status)
            return status;
        begin = i;
    }
    return SLM_OK;
}
