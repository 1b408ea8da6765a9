/* vocab.h -- the inside of a tokenizer: what tokenizer.c loads and spm.c, bpe.c and stream.c read. */
#ifndef SLM_TEXT_VOCAB_H
#define SLM_TEXT_VOCAB_H

#include "core/buf.h"
#include "core/limits.h"
#include "text/merge.h"
#include "text/pretokenize.h"
#include "text/special.h"
#include "text/tokenizer.h"

#include <stdatomic.h>

/* Token types as files number them. 0 is what old files have for a plain token. */
enum { SLM_TOKEN_NONE, SLM_TOKEN_NORMAL, SLM_TOKEN_UNKNOWN, SLM_TOKEN_CONTROL, SLM_TOKEN_USER, SLM_TOKEN_UNUSED, SLM_TOKEN_BYTE };

typedef enum slm_vocab_kind { SLM_VOCAB_SPM, SLM_VOCAB_BPE } slm_vocab_kind;

/* A merge: two symbols, their place in the list, the symbol they become. Symbols below texts.n are tokens, those from there on
 * texts that are no token and exist between two merges only. */
typedef struct slm_merge_rule {
    uint32_t left, right, rank, merged;     /* rank SLM_NO_ID: an empty slot */
} slm_merge_rule;

struct slm_tokenizer {
    slm_heap   own;             /* first: slm_heap_new_owner; used if opened by slm_tokenizer_open */
    slm_heap  *heap;
    slm_vocab_kind kind;
    slm_texts  texts;           /* of all tokens; the table holds each text once, tokens that plain text may yield first */
    uint8_t   *types;           /* [texts.n] */
    uint8_t   *ends;            /* [texts.n] 1: ends a generation */
    uint32_t   bos, eos, unk;   /* SLM_NO_ID: none */
    uint32_t   bytes[256];      /* SPM: the byte tokens; BPE: the symbols of single bytes. SPM: SLM_NO_ID if there is none */
    bool       add_bos, add_eos, add_space_prefix;
    uint32_t   duplicates;
    slm_special user, special;  /* tokens cut out of every text, and of text in which special tokens count */

    /* SPM */
    uint32_t  *order;           /* [texts.n] lower is a higher score; SLM_NO_ID: text never yields this token by merging */
    bool       words_apart;     /* no token has a U+2581 after another character */

    /* BPE */
    const slm_pre  *pre;
    slm_merge_rule *rules;      /* [rules_mask + 1] open addressing */
    size_t     rules_mask;
    uint64_t   seed;

    struct slm_trie *_Atomic trie;      /* slm_tokenizer_trie; NULL until somebody asks */
};

/* One call of encode. */
typedef struct slm_encoder {
    const slm_tokenizer *tokenizer;
    slm_merger merger;
    slm_buf    ids;             /* int32_t */
    slm_buf    scratch;
    slm_error *err;
} slm_encoder;

static inline void slm_emit(slm_encoder *e, uint32_t id)
{
    uint8_t *at = slm_buf_grow(&e->ids, sizeof id);
    if (at)
        memcpy(at, &id, sizeof id);
}

/* Is it a token that plain text may yield by merging? Control tokens never are, whatever their text; the byte tokens of SPM come
 * in by another door; the user-defined tokens of BPE are raw text among byte-mapped ones. */
static inline bool slm_token_plain(slm_vocab_kind kind, uint8_t type)
{
    return type == SLM_TOKEN_NONE || type == SLM_TOKEN_NORMAL || type == SLM_TOKEN_UNUSED || (type == SLM_TOKEN_USER && kind == SLM_VOCAB_SPM);
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

/* The ids of well-formed UTF-8 without special tokens in it, n >= 1. */
slm_status slm_spm_encode(slm_encoder *e, const uint8_t *text, size_t n);
slm_status slm_bpe_encode(slm_encoder *e, const uint8_t *text, size_t n);

/* The same for the tokenizer's own kind; n may be 0. */
slm_status slm_encode_between(slm_encoder *e, const uint8_t *text, size_t n);

/* The byte that a character of a byte-mapped text stands for, or -1. */
int slm_bpe_byte(uint32_t cp);

/* The text of one token in one or more parts. *at_start: SentencePiece's own leading space is still to be taken off. */
typedef void slm_put_fn(void *sink, const uint8_t *bytes, size_t n);
void slm_token_put(const slm_tokenizer *t, uint32_t id, unsigned flags, bool *at_start, slm_put_fn *put, void *sink);

#endif
