/* wordpiece.c -- BERT's tokenizer: words, and in each word the longest token from the left, again and again.
 *
 * A text is cleaned (control and format characters go, white space becomes a space), CJK ideographs stand alone, accents go and
 * letters become small where the vocabulary wants it, and what is then between spaces and punctuation marks is a word; a punctuation mark
 * is one by itself. Files of this kind write a token that begins a word with U+2581 in front and one that goes on without a mark, so a
 * word is written with that mark into the scratch text and the trie of all tokens does both. A word of which some part is no token, or
 * of more than 100 characters, is one unknown token. */
#include "text/vocab.h"

#include "core/size.h"
#include "text/utf8.h"

#include <utf8proc.h>

enum { WORD_CHARS = 100 };

static const uint8_t mark[3] = { 0xe2, 0x96, 0x81 };    /* U+2581 */

/* Does an ordinary token hold a capital letter? Then the vocabulary is one of text as it is. */
static bool is_cased(const slm_tokenizer *t)
{
    for (uint32_t id = 0; id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        if (!slm_token_plain(t->kind, t->types[id]) || memchr(text, '[', n) || memchr(text, '<', n))    /* [unused7], <S> */
            continue;
        for (size_t i = 0; i < n; i++)
            if (text[i] >= 'A' && text[i] <= 'Z')
                return true;
    }
    return false;
}

slm_status slm_wordpiece_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    bool found;
    slm_status status;
    if (t->unk == SLM_NO_ID)
        return slm_fail(err, SLM_E_FORMAT, "%s: tokenizer.ggml.unknown_token_id is missing, and none of the %zu tokens is [UNK]", file, t->texts.n);
    t->lowercase = !is_cased(t);
    if ((status = slm_keys_bool(keys, "tokenizer.ggml.normalizer.lowercase", &t->lowercase, &found, err)))
        return status;
    t->strip_accents = t->lowercase;
    if ((status = slm_keys_bool(keys, "tokenizer.ggml.normalizer.strip_accents", &t->strip_accents, &found, err)))
        return status;
    return slm_vocab_prefixes(t, err);
}

/* A text on its way through; the scratch text holds all words so far, the last one from `word` on. */
typedef struct writer {
    slm_encoder *e;
    size_t word;            /* where it begins, its mark included; SIZE_MAX: between words */
    size_t chars;           /* of the word */
    size_t in, n_in;        /* the character of the input that is being written */
} writer;

static void put(writer *w, const uint8_t *bytes, size_t n, size_t n_in)
{
    slm_trace_put(&w->e->trace, w->e->scratch.size, n, w->in, n_in, n == n_in);
    slm_buf_add(&w->e->scratch, bytes, n);
}

/* The tokens of the word that ends here. */
static void end_word(writer *w)
{
    slm_encoder *e = w->e;
    const slm_prefixes *trie = &e->tokenizer->prefixes;
    const size_t first = e->ids.size, first_range = e->ranges.size, begin = w->word, end = e->scratch.size;
    size_t at = begin;
    w->word = SIZE_MAX;
    if (begin == SIZE_MAX || e->scratch.failed)
        return;
    while (at < end && w->chars <= WORD_CHARS) {
        const uint8_t *p = e->scratch.data;
        uint32_t node = 0, best = SLM_NO_ID;
        size_t best_end = at;
        if (at > begin && end - at >= sizeof mark && memcmp(p + at, mark, sizeof mark) == 0)
            break;                                      /* a mark in the text itself begins no word */
        for (size_t i = at; i < end && (node = slm_prefixes_step(trie, node, p[i])) != SLM_NO_ID; i++)
            if (trie->ids[node] != SLM_NO_ID && i + 1 > begin + sizeof mark) {
                best = trie->ids[node];
                best_end = i + 1;
            }
        if (best == SLM_NO_ID)
            break;
        slm_emit_range(e, best, at, best_end);
        at = best_end;
    }
    if (at < end) {
        e->ids.size = first;
        e->ranges.size = first_range;
        slm_emit_range(e, e->tokenizer->unk, begin, end);
    }
}

static void put_char(writer *w, uint32_t c)
{
    uint8_t bytes[4];
    const size_t n = (size_t)utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    if (w->word == SIZE_MAX) {
        w->word = w->e->scratch.size;
        w->chars = 0;
        put(w, mark, sizeof mark, 0);
    }
    w->chars++;
    put(w, bytes, n, w->n_in);
}

static bool is_cjk(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static bool is_punctuation(uint32_t c)
{
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* A character that is neither dropped nor white space, after normalization. */
static void add(writer *w, uint32_t c)
{
    if (is_punctuation(c)) {
        end_word(w);
        put_char(w, c);
        end_word(w);
    } else {
        put_char(w, c);
    }
}

/* The same in small letters, if the vocabulary wants it. The one letter that becomes two is I with a dot above. */
static void add_folded(writer *w, uint32_t c)
{
    if (!w->e->tokenizer->lowercase) {
        add(w, c);
    } else if (c < 0x80) {
        add(w, c >= 'A' && c <= 'Z' ? c + 32 : c);
    } else if (c == 0x130) {
        add(w, 'i');
        add(w, 0x307);
    } else {
        add(w, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

static void add_normalized(writer *w, uint32_t c)
{
    enum { MOST = 8 };      /* the longest canonical decomposition has 4 code points */
    utf8proc_int32_t parts[MOST];
    int last = 0;
    if (c < 0x80 || !w->e->tokenizer->strip_accents) {
        add_folded(w, c);
        return;
    }
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, MOST, UTF8PROC_DECOMPOSE, &last);
    if (n < 1 || n > MOST)
        add_folded(w, c);
    for (utf8proc_ssize_t i = 0; i < n && n <= MOST; i++)
        if (utf8proc_category(parts[i]) != UTF8PROC_CATEGORY_MN)
            add_folded(w, (uint32_t)parts[i]);
}

/* What cleaning makes of a character: 0 nothing, ' ' a space, else itself. */
static uint32_t cleaned(uint32_t c)
{
    if (c < 0x80)
        return c == '\t' || c == '\n' || c == '\r' ? ' ' : c < ' ' || c == 0x7f ? 0 : c;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF:
        return 0;
    case UTF8PROC_CATEGORY_ZS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP:
        return ' ';
    default:
        return c == SLM_UTF8_BAD ? 0 : c;
    }
}

slm_status slm_wordpiece_encode(slm_encoder *e, const uint8_t *text, size_t n)
{
    writer w = { .e = e, .word = SIZE_MAX };
    e->scratch.size = 0;
    for (size_t i = 0; i < n && !e->scratch.failed; i += w.n_in) {
        uint32_t c;
        bool ok;
        w.in = i;
        w.n_in = slm_utf8_next(text + i, n - i, &c, &ok);
        c = cleaned(c);
        if (c == ' ' || is_cjk(c))
            end_word(&w);
        if (c && c != ' ')
            add_normalized(&w, c);
        if (is_cjk(c))
            end_word(&w);
    }
    end_word(&w);
    return slm_buf_status(&e->scratch, "a normalized text", e->err);
}
