/* vocab.h -- the inside of a tokenizer: what tokenizer.c loads and the files of the kinds and stream.c read. */
#ifndef SLM_TEXT_VOCAB_H
#define SLM_TEXT_VOCAB_H

#include "core/buf.h"
#include "core/limits.h"
#include "text/charsmap.h"
#include "text/merge.h"
#include "text/pretokenize.h"
#include "text/special.h"
#include "text/tokenizer.h"
#include "text/trace.h"
#include "text/prefixes.h"

#include <stdatomic.h>

/* Token types as files number them. 0 is what old files have for a plain token. */
enum { SLM_TOKEN_NONE, SLM_TOKEN_NORMAL, SLM_TOKEN_UNKNOWN, SLM_TOKEN_CONTROL, SLM_TOKEN_USER, SLM_TOKEN_UNUSED, SLM_TOKEN_BYTE };

typedef enum slm_vocab_kind { SLM_VOCAB_SPM, SLM_VOCAB_BPE, SLM_VOCAB_WORDPIECE, SLM_VOCAB_UNIGRAM } slm_vocab_kind;

/* A merge: two symbols, their place in the list, the symbol they become. Symbols below texts.n are tokens, those from there on
 * texts that are no token and exist between two merges only. */
typedef struct slm_merge_rule {
    uint32_t left, right, rank, merged;     /* rank SLM_NO_ID: an empty slot */
} slm_merge_rule;

/* What two bytes become by the first merge. */
typedef struct slm_byte_pair {
    uint32_t rank, merged;                  /* rank SLM_NO_ID: they do not join */
} slm_byte_pair;

struct slm_tokenizer {
    slm_heap   own;             /* first: slm_heap_new_owner; used if opened by slm_tokenizer_open */
    slm_heap  *heap;
    slm_vocab_kind kind;
    slm_texts  texts;           /* of all tokens; the table holds each text once, tokens that plain text may yield first */
    uint8_t   *types;           /* [texts.n] */
    uint8_t   *ends;            /* [texts.n] 1: ends a generation */
    uint32_t   bos, eos, unk;   /* SLM_NO_ID: none. WordPiece: [CLS], [SEP], [UNK] */
    uint32_t   bytes[256];      /* SPM: the byte tokens, SLM_NO_ID if there is none; Unigram: the same, all or none; BPE: the symbols of single bytes */
    bool       add_bos, add_eos, add_space_prefix;
    uint32_t   duplicates;
    slm_special user, special;  /* tokens cut out of every text, and of text in which special tokens count */

    /* SPM, BPE */
    uint32_t  *bounds;          /* [SLM_MERGE_BOUNDS] of keys, by the bytes on both sides of a place (merge.h) */

    /* SPM */
    uint32_t  *order;           /* [texts.n] lower is a higher score; SLM_NO_ID: text never yields this token by merging */

    /* SPM, Unigram */
    bool       words_apart;     /* no token has a U+2581 after another character */

    /* Unigram, WordPiece */
    slm_prefixes prefixes;      /* of the tokens that plain text may yield */

    /* Unigram */
    slm_charsmap charsmap;
    float     *scores;          /* [texts.n] */
    float      unk_score;
    bool       one_space;       /* runs of spaces shrink to one, those at the ends go */

    /* WordPiece */
    bool       lowercase, strip_accents;

    /* BPE */
    const slm_pre  *pre;
    slm_merge_rule *rules;      /* [rules_mask + 1] open addressing */
    size_t     rules_mask;
    uint64_t  *maybe;           /* [maybe_mask + 1] bits, four times as many as slots: a pair without its bit has no rule */
    size_t     maybe_mask;
    uint16_t  *classes;         /* [SLM_PRE_CLASSES] */
    slm_byte_pair *pairs;       /* [256][256] the rules of the symbols of two bytes */
    uint64_t   seed;

    struct slm_trie *_Atomic trie;      /* slm_tokenizer_trie; NULL until somebody asks */
};

/* One call of encode. */
typedef struct slm_encoder {
    const slm_tokenizer *tokenizer;
    slm_merger merger;
    slm_buf    ids;             /* int32_t */
    slm_buf    ranges;          /* slm_text_range of each id, if `ranged` */
    slm_buf    scratch;
    slm_trace  trace;           /* of the scratch text, for the kinds that rewrite */
    bool       ranged;
    size_t     unknown_end;     /* Unigram: where in the scratch text the last token ends if it is the unknown one */
    slm_error *err;
} slm_encoder;

static inline void slm_emit(slm_encoder *e, uint32_t id)
{
    slm_buf *b = &e->ids;
    uint8_t *at;
    if (b->room - b->size >= sizeof id && !b->failed) {         /* nearly always: a call for each token would be felt */
        at = b->data + b->size;
        b->size += sizeof id;
    } else if (!(at = slm_buf_grow(b, sizeof id))) {
        return;
    }
    memcpy(at, &id, sizeof id);
}

/* The tokens of a piece that the memo knows. Ranges are not kept there. */
static inline bool slm_emit_known(slm_encoder *e, slm_memo memo[2], const uint8_t *piece, size_t n)
{
    const slm_memo *known = slm_memo_find(memo, piece, n);
    for (size_t i = 0; known && i < known->n; i++)
        slm_emit(e, known->ids[i]);
    return known != NULL;
}

/* The tokens from number `first` on are the memo of that piece. */
static inline void slm_emit_remember(const slm_encoder *e, slm_memo *memo, const uint8_t *piece, size_t n, size_t first)
{
    const uint32_t *ids = (const uint32_t *)(const void *)e->ids.data;
    if (!e->ids.failed)
        slm_memo_set(memo, piece, n, ids + first, e->ids.size / sizeof *ids - first);
}

/* The same for bytes [begin, end) of the text the kind works on: that given to it, or its rewritten form. */
static inline void slm_emit_range(slm_encoder *e, uint32_t id, size_t begin, size_t end)
{
    slm_emit(e, id);
    if (e->ranged)
        slm_buf_add(&e->ranges, &(slm_text_range){ begin, end }, sizeof(slm_text_range));
}

/* A run of text, being merged: the context of slm_pair_fn and slm_symbol_fn. */
typedef struct slm_word {
    const slm_tokenizer *tokenizer;
    const uint8_t *text;
} slm_word;

/* A symbol that no other one joined: bytes [start, start + len) of the word, which begins at byte `begin` of what the kind works on. */
typedef void slm_symbol_emit_fn(slm_encoder *e, uint32_t id, const slm_word *word, size_t begin, size_t start, size_t len);

/* Merges text [n], in the parts it falls apart into if it is long. Inline, so that the three functions are. */
static inline __attribute__((always_inline)) slm_status slm_merge_word(slm_encoder *e, const uint8_t *text, size_t begin, size_t n,
                                                                       slm_symbol_fn *symbol, slm_pair_fn *pair, slm_symbol_emit_fn *emit)
{
    const uint32_t *bounds = e->tokenizer->bounds;
    for (size_t from = 0, end; from < n; from = end) {
        const slm_word word = { e->tokenizer, text + from };
        end = n > SLM_SHORT ? slm_merge_part(text, from, n, bounds) : n;
        const size_t len = end - from;
        if (len <= SLM_SHORT) {
            slm_short s;
            const size_t count = slm_merge_first(s.start, s.id, s.bound, 1, word.text, len, bounds, symbol, pair, &word);
            s.start[count] = (uint32_t)len;
            slm_merge_short(&s, count, pair, &word);
            for (size_t i = 0; i < count; i = s.next[i])
                emit(e, s.id[i], &word, begin + from, s.start[i], s.start[s.next[i]] - s.start[i]);
            continue;
        }
        slm_status status = slm_merger_reserve(&e->merger, len, e->err);
        if (status)
            return status;
        slm_symbol *s = e->merger.symbols;
        const size_t count = slm_merge_first(&s->start, &s->id, &s->key, sizeof *s / sizeof s->id, word.text, len, bounds, symbol, pair, &word);
        s[count].start = (uint32_t)len;
        slm_merge(&e->merger, count, pair, &word);
        for (uint32_t i = 0; i < count; i = s[i].next)
            emit(e, s[i].id, &word, begin + from, s[i].start, s[s[i].next].start - s[i].start);
    }
    return SLM_OK;
}

/* The last token goes on to `end`. */
static inline void slm_stretch(slm_encoder *e, size_t end)
{
    if (e->ranged && !e->ranges.failed)
        ((slm_text_range *)(void *)(e->ranges.data + e->ranges.size))[-1].end = end;
}

/* Is it a token that plain text may yield by merging or matching? Control tokens never are, whatever their text; byte tokens come in by
 * another door; the user-defined tokens of BPE are raw text among byte-mapped ones; Unigram leaves out what is unused. */
static inline bool slm_token_plain(slm_vocab_kind kind, uint8_t type)
{
    return type == SLM_TOKEN_NONE || type == SLM_TOKEN_NORMAL || (type == SLM_TOKEN_UNUSED && kind != SLM_VOCAB_UNIGRAM) ||
           (type == SLM_TOKEN_USER && kind == SLM_VOCAB_SPM);
}

/* The plain token of that text, or SLM_NO_ID. */
static inline uint32_t slm_find_plain(const slm_tokenizer *t, const void *bytes, size_t n)
{
    const uint32_t id = slm_texts_find(&t->texts, bytes, n);
    return id != SLM_NO_ID && slm_token_plain(t->kind, t->types[id]) ? id : SLM_NO_ID;
}

/* The byte of a text that is exactly <0xHH>, or -1. */
int slm_spm_byte(const uint8_t *text, size_t n);

/* The parts of loading that are particular to a kind; texts, types and ids are set. */
slm_status slm_spm_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err);
slm_status slm_bpe_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err);
slm_status slm_wordpiece_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err);
slm_status slm_unigram_load(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err);

/* What several of them need (vocab.c). The array of scores, one a token, none NaN, or NULL; the byte tokens into t->bytes, SLM_NO_ID where there
 * is none; the trie of the plain tokens; has no plain token a U+2581 after another character? */
slm_status slm_vocab_scores(const slm_tokenizer *t, const slm_keys *keys, const slm_key **scores, const char *file, slm_error *err);
void slm_vocab_bytes(slm_tokenizer *t);
slm_status slm_vocab_prefixes(slm_tokenizer *t, slm_error *err);
bool slm_vocab_words_apart(const slm_tokenizer *t);

/* The ids of well-formed UTF-8 without special tokens in it, n >= 1. */
slm_status slm_spm_encode(slm_encoder *e, const uint8_t *text, size_t n);
slm_status slm_bpe_encode(slm_encoder *e, const uint8_t *text, size_t n);
slm_status slm_wordpiece_encode(slm_encoder *e, const uint8_t *text, size_t n);
slm_status slm_unigram_encode(slm_encoder *e, const uint8_t *text, size_t n);

/* The same for the tokenizer's own kind; n may be 0. Ranges are of `text`. */
slm_status slm_encode_between(slm_encoder *e, const uint8_t *text, size_t n);

/* The byte that a character of a byte-mapped text stands for, or -1. */
int slm_bpe_byte(uint32_t cp);

/* The text of one token in one or more parts. *at_start: SentencePiece's own leading space is still to be taken off. */
typedef void slm_put_fn(void *sink, const uint8_t *bytes, size_t n);
void slm_token_put(const slm_tokenizer *t, uint32_t id, unsigned flags, bool *at_start, slm_put_fn *put, void *sink);

#endif
