/* tokenizer_rules.h -- what tokenizer.json's normalizer, pre_tokenizer and post_processor ask for, in the terms of the four kinds. */
#ifndef SLM_FORMAT_TOKENIZER_RULES_H
#define SLM_FORMAT_TOKENIZER_RULES_H

#include "core/json.h"

enum { SLM_RULES_STAGES = 8, SLM_RULES_TOKEN = 128 };

typedef struct slm_tokenizer_rules {
    /* normalizer */
    bool bert;                              /* BertNormalizer, or Lowercase and the like in its place */
    bool lowercase, strip_accents;
    bool mark_spaces;                       /* U+2581 for each space */
    bool prefix;                            /* U+2581 in front of the text */
    bool one_space;                         /* runs of spaces shrink, those at the ends go */
    slm_json charsmap;                      /* the string; kind SLM_JSON_END: none */
    /* pre_tokenizer */
    bool byte_level, words;                 /* ByteLevel; BertPreTokenizer */
    uint8_t stages[SLM_RULES_STAGES];       /* of byte_level, in order: slm_rules_pre makes a name of them */
    size_t n_stages;
    /* post_processor: the texts of the tokens in front of a text and behind it, "" for none */
    char before[SLM_RULES_TOKEN], after[SLM_RULES_TOKEN];
    bool posted;                            /* there is one that would say so */
} slm_tokenizer_rules;

/* Reads the three values, each of which may be null or missing (SLM_JSON_END). SLM_E_UNSUPPORTED names the step or the expression that is
 * not known. */
slm_status slm_tokenizer_rules_read(slm_tokenizer_rules *rules, const slm_json *normalizer, const slm_json *pre_tokenizer,
                                    const slm_json *post_processor, slm_error *err);

/* The name (tokenizer.ggml.pre) for the stages, or NULL. whole: a piece that is a token is taken without merging. */
const char *slm_rules_pre(const slm_tokenizer_rules *rules, bool whole);

#endif
