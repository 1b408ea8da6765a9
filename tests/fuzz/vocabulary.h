/* vocabulary.h -- a tokenizer of each kind, for targets that put text or ids through all of them. The first WHOLE have a token for every byte. */
#ifndef TESTS_FUZZ_VOCABULARY_H
#define TESTS_FUZZ_VOCABULARY_H

#include "fuzz.h"

enum { WHOLE = 3, VOCABULARIES = 7 };

static inline const slm_tokenizer *vocabulary(unsigned which)
{
    static const char *const paths[VOCABULARIES] = {
        "models/tiny-stories/tiny-stories.gguf", "tests/fuzz/seeds/gguf/bpe", "tests/fuzz/seeds/gguf/spm", "tests/fuzz/seeds/tokenizer_json/llama3",
        "tests/fuzz/seeds/tokenizer_json/spm", "tests/fuzz/seeds/tokenizer_json/unigram", "tests/fuzz/seeds/tokenizer_json/wordpiece",
    };
    static slm_tokenizer *open[VOCABULARIES];
    slm_error err = { 0 };
    which %= VOCABULARIES;
    if (!open[which])
        must(slm_tokenizer_open(&open[which], paths[which], NULL, &err) == SLM_OK, err.text);
    return open[which];
}

#endif
