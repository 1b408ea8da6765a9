/* unigram.c -- SentencePiece's unigram model: of all ways to cut a text into tokens the one whose scores have the highest sum.
 *
 * The text is rewritten by the file's character map, runs of spaces shrink and those at the ends go, spaces become U+2581 and one stands
 * in front, as the file asks. Then Viterbi over code points: best[i] is the best way to byte i, extended by every token that begins there.
 * Sums are kept in float32 from the text's first token on, in order, and only a sum that is strictly greater before it is rounded replaces
 * one: ids of long texts depend on both. A code point that is no token by itself may be an unknown token, at the lowest score less 10; neighbouring
 * unknown tokens are one. Where the file has all 256 byte tokens, an unknown code point becomes these.
 *
 * If no token goes on to a U+2581 after another character, every way passes by all such places. The text is then done word by word with
 * the sum carried on, which gives the same ids with the memory of a word. */
#include "text/vocab.h"

#include "core/size.h"
#include "text/utf8.h"

#include <math.h>

enum { TOKEN_BYTES = 512 };     /* a longer token is refused: it bounds the work at each place */

static const uint8_t mark[3] = { 0xe2, 0x96, 0x81 };    /* U+2581 */

static inline bool is_mark(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == mark[0] && p[1] == mark[1] && p[2] == mark[2];
}

/* ---- loading ---- */

static slm_status read_scores(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const slm_key *key;
    float least = INFINITY;
    slm_status status = slm_vocab_scores(t, keys, &key, file, err);
    if (status)
        return status;
    if (!key)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.scores is missing: %zu tokens need them", file, t->texts.n);
    if (!(t->scores = slm_heap_array(t->heap, t->texts.n, sizeof *t->scores)))
        return slm_fail(err, SLM_E_MEMORY, "%s: scores of %zu tokens", file, t->texts.n);
    for (uint32_t id = 0; id < t->texts.n; id++) {
        t->scores[id] = (float)slm_key_number_at(key, id);
        if (!isfinite(t->scores[id]))
            return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.scores: the score of token %u is not finite", file, id);
        if (slm_token_plain(t->kind, t->types[id]))
            least = fminf(least, t->scores[id]);
    }
    t->unk_score = least - 10.0f;
    return SLM_OK;
}

slm_status slm_unigram_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const slm_key *map = NULL;
    bool found;
    slm_status status;
    if (t->unk == SLM_NO_ID)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.unknown_token_id is missing, and %zu tokens cannot spell every text", file, t->texts.n);
    if (slm_keys_find(keys, "tokenizer.ggml.precompiled_charsmap")) {
        const uint32_t type = slm_keys_find(keys, "tokenizer.ggml.precompiled_charsmap")->type;
        status = slm_keys_array(keys, "tokenizer.ggml.precompiled_charsmap", type == SLM_KEY_I8 ? SLM_KEY_I8 : SLM_KEY_U8, &map, err);
        if (status)
            return status;
    }
    t->one_space = true;
    if ((status = slm_keys_bool(keys, "tokenizer.ggml.remove_extra_whitespaces", &t->one_space, &found, err)) ||
        (status = slm_charsmap_load(&t->charsmap, t->heap, map ? map->value : NULL, map ? map->bytes : 0, file, err)) ||
        (status = read_scores(t, keys, file, err)) || (status = slm_vocab_prefixes(t, err)))
        return status;
    if (t->prefixes.longest > TOKEN_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: tokenizer.ggml.tokens: a token of %zu bytes (allowed %d in this kind)", file, t->prefixes.longest,
                        TOKEN_BYTES);
    slm_vocab_bytes(t);
    t->words_apart = slm_vocab_words_apart(t);
    return SLM_OK;
}

/* ---- rewriting ---- */

/* What stands for the beginning of text [n] and how many bytes it stands for. */
static size_t prefix(const slm_tokenizer *t, const uint8_t *text, size_t n, const uint8_t **with, size_t *n_with)
{
    const size_t found = slm_charsmap_find(&t->charsmap, text, n, with, n_with);
    uint32_t cp;
    bool ok;
    if (found)
        return found;
    *with = text;
    return *n_with = slm_utf8_next(text, n, &cp, &ok);
}

static void put(slm_encoder *e, const uint8_t *bytes, size_t n, size_t in, size_t n_in, bool copied)
{
    slm_trace_put(&e->trace, e->scratch.size, n, in, n_in, copied);
    slm_buf_add(&e->scratch, bytes, n);
}

/* Into the scratch text, which stays empty if there is nothing but spaces to be dropped. */
static void rewrite(slm_encoder *e, const uint8_t *text, size_t n)
{
    const slm_tokenizer *t = e->tokenizer;
    const uint8_t *with;
    size_t i = 0, n_with, len;
    e->scratch.size = 0;
    while (t->one_space && i < n && (len = prefix(t, text + i, n - i, &with, &n_with), n_with == 1 && with[0] == ' '))
        i += len;
    if (i == n)
        return;
    if (t->add_space_prefix)
        put(e, mark, sizeof mark, i, 0, false);
    bool after_space = t->one_space;
    for (; i < n && !e->scratch.failed; i += len) {
        len = prefix(t, text + i, n - i, &with, &n_with);
        size_t from = 0;
        while (after_space && from < n_with && with[from] == ' ')
            from++;
        if (from == n_with)
            continue;
        after_space = t->one_space && with[n_with - 1] == ' ';
        for (size_t k = from; k < n_with;) {
            const uint8_t *space = memchr(with + k, ' ', n_with - k);
            const size_t plain = space ? (size_t)(space - with) - k : n_with - k;
            put(e, with + k, plain, i, len, with == text + i);
            if (space)
                put(e, mark, sizeof mark, i, len, false);
            k += plain + (space != NULL);
        }
    }
    while (t->one_space && e->scratch.size >= sizeof mark && is_mark(e->scratch.data + e->scratch.size - sizeof mark, sizeof mark))
        e->scratch.size -= sizeof mark;
}

/* ---- the best way ---- */

/* best[i] is the best way to byte i: prev where its last token begins, id the token, key its sum's bits; next is set when going back. */
static inline float sum_of(const slm_symbol *s)
{
    float v;
    memcpy(&v, &s->key, sizeof v);
    return v;
}

static inline void offer(slm_symbol *to, uint32_t from, uint32_t id, double sum)
{
    const float rounded = (float)sum;
    if (to->prev != SLM_NO_ID && !(sum > (double)sum_of(to)))
        return;
    to->prev = from;
    to->id = id;
    memcpy(&to->key, &rounded, sizeof rounded);
}

/* Is it an unknown code point right behind another one? These become one token. */
static inline bool goes_on(const slm_encoder *e, uint32_t id, size_t begin)
{
    const uint32_t *ids = (const uint32_t *)(const void *)e->ids.data;
    const size_t n = e->ids.size / sizeof *ids;
    return id == e->tokenizer->unk && n > 0 && ids[n - 1] == id && e->unknown_end == begin;
}

static void emit(slm_encoder *e, uint32_t id, const uint8_t *p, size_t begin, size_t end)
{
    const slm_tokenizer *t = e->tokenizer;
    if (id == t->unk && t->bytes[0] != SLM_NO_ID) {
        for (size_t i = begin; i < end; i++)
            slm_emit_range(e, t->bytes[p[i]], i, i + 1);
        return;
    }
    if (goes_on(e, id, begin))
        slm_stretch(e, end);
    else
        slm_emit_range(e, id, begin, end);
    e->unknown_end = id == t->unk ? end : SIZE_MAX;
}

/* Bytes [begin, end) of the scratch text, in front of which the best sum is *sum. */
static slm_status encode_word(slm_encoder *e, size_t begin, size_t end, float *sum)
{
    const slm_tokenizer *t = e->tokenizer;
    const uint8_t *p = e->scratch.data + begin;
    const size_t n = end - begin;
    slm_status status = slm_merger_reserve(&e->merger, n + 1, e->err);
    if (status)
        return status;
    slm_symbol *best = e->merger.symbols;
    for (size_t i = 0; i <= n; i++)
        best[i].prev = SLM_NO_ID;
    memcpy(&best[0].key, sum, sizeof *sum);
    for (size_t i = 0; i < n;) {
        uint32_t cp, node = 0;
        bool ok, alone = false;
        const size_t len = slm_utf8_next(p + i, n - i, &cp, &ok);
        const double here = (double)sum_of(&best[i]);
        for (size_t k = i; k < n && (node = slm_prefixes_step(&t->prefixes, node, p[k])) != SLM_NO_ID; k++) {
            const uint32_t id = t->prefixes.ids[node];
            if (id == SLM_NO_ID || (k + 1 < n && (p[k + 1] & 0xc0) == 0x80))
                continue;
            alone = alone || k + 1 == i + len;
            offer(&best[k + 1], (uint32_t)i, id, here + (double)t->scores[id]);
        }
        if (!alone)                                     /* so that there is a way to every code point */
            offer(&best[i + len], (uint32_t)i, t->unk, here + (double)t->unk_score);
        i += len;
    }
    *sum = sum_of(&best[n]);
    uint32_t next = SLM_NO_ID;
    for (uint32_t i = (uint32_t)n; next != 0; i = best[i].prev) {
        best[i].next = next;
        next = i;
    }
    for (uint32_t i = 0; i < n; i = best[i].next)
        emit(e, best[best[i].next].id, e->scratch.data, begin + i, begin + best[i].next);
    return SLM_OK;
}

slm_status slm_unigram_encode(slm_encoder *e, const uint8_t *text, size_t n)
{
    float sum = 0;
    size_t begin = 0;
    rewrite(e, text, n);
    if (e->scratch.failed)
        return slm_buf_status(&e->scratch, "a normalized text", e->err);
    const uint8_t *p = e->scratch.data;
    const size_t size = e->scratch.size;
    e->unknown_end = SIZE_MAX;
    for (size_t i = 1; i <= size; i++) {
        if (i < size && !(e->tokenizer->words_apart && is_mark(p + i, size - i) && !(i >= begin + 3 && is_mark(p + i - 3, 3))))
            continue;
        slm_status status = encode_word(e, begin, i, &sum);
        if (status)
            return status;
        begin = i;
    }
    return SLM_OK;
}
