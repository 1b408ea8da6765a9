/* vocab.c -- what more than one kind of tokenizer needs while it is loaded. */
#include "text/vocab.h"

#include <math.h>

static const uint8_t mark[3] = { 0xe2, 0x96, 0x81 };    /* U+2581 */

slm_status slm_vocab_scores(const slm_tokenizer *t, const slm_keys *keys, const slm_key **scores, const char *file, slm_error *err)
{
    static const char name[] = "tokenizer.ggml.scores";
    slm_status status = slm_keys_array(keys, name, SLM_KEY_F32, scores, err);
    if (status || !*scores)
        return status;
    if ((*scores)->count != t->texts.n)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s: %llu scores for %zu tokens", file, name, (unsigned long long)(*scores)->count, t->texts.n);
    for (uint32_t id = 0; id < t->texts.n; id++)
        if (isnan(slm_key_number_at(*scores, id)))
            return slm_fail(err, SLM_E_FORMAT, "%s: %s: the score of token %u is NaN", file, name, id);
    return SLM_OK;
}

void slm_vocab_bytes(slm_tokenizer *t)
{
    bool all = true;
    memset(t->bytes, 0xff, sizeof t->bytes);
    for (uint32_t id = 0; id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        const int byte = t->types[id] == SLM_TOKEN_BYTE ? slm_spm_byte(text, n) : -1;
        if (byte >= 0 && t->bytes[byte] == SLM_NO_ID)
            t->bytes[byte] = id;
    }
    for (unsigned byte = 0; byte < 256; byte++)
        all = all && t->bytes[byte] != SLM_NO_ID;
    if (!all && t->kind == SLM_VOCAB_UNIGRAM)
        memset(t->bytes, 0xff, sizeof t->bytes);
}

slm_status slm_vocab_prefixes(slm_tokenizer *t, slm_error *err)
{
    slm_status status = slm_prefixes_init(&t->prefixes, t->heap, err);
    for (uint32_t id = 0; !status && id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        if (n > 0 && slm_token_plain(t->kind, t->types[id]))
            status = slm_prefixes_add(&t->prefixes, text, n, id, err);
    }
    return status;
}

bool slm_vocab_words_apart(const slm_tokenizer *t)
{
    for (uint32_t id = 0; id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        if (!slm_token_plain(t->kind, t->types[id]))
            continue;
        for (size_t i = 1; i + sizeof mark <= n; i++)
            if (memcmp(text + i, mark, sizeof mark) == 0 && !(i >= 3 && memcmp(text + i - 3, mark, sizeof mark) == 0))
                return false;
    }
    return true;
}
