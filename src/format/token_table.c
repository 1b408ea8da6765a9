/* token_table.c -- entries in order of arrival beside their texts; ids are sorted out when the arrays are written. */
#include "format/token_table.h"

#include "core/limits.h"
#include "core/size.h"

#include <stdio.h>
#include <string.h>

enum { HOLES = 1024 };      /* ids that no token has, beyond as many as there are tokens: bounds what a small file can ask for */

slm_status slm_token_table_init(slm_token_table *t, slm_heap *heap, const char *name, slm_error *err)
{
    *t = (slm_token_table){ .heap = heap, .name = name };
    slm_buf_init(&t->entries, heap, (size_t)SLM_LIMIT_VOCAB * 2 * sizeof(slm_token_entry));
    return slm_texts_init(&t->texts, heap, 1024, 8192, err);
}

void slm_token_table_free(slm_token_table *t)
{
    slm_texts_free(&t->texts);
    slm_buf_free(&t->entries);
}

slm_status slm_token_table_add(slm_token_table *t, uint32_t id, const void *text, size_t n, uint32_t type, float score, slm_error *err)
{
    const slm_token_entry entry = { id, type, score };
    bool fresh;
    if (id >= SLM_LIMIT_VOCAB)
        return slm_fail(err, SLM_E_LIMIT, "%s: a token of id %u (allowed below %d)", t->name, id, SLM_LIMIT_VOCAB);
    if (n > SLM_LIMIT_TOKEN_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: token %u has %zu bytes (allowed %d)", t->name, id, n, SLM_LIMIT_TOKEN_BYTES);
    slm_status status = slm_texts_add(&t->texts, text, n, err);
    if (!status)
        status = slm_texts_enter(&t->texts, (uint32_t)(t->texts.n - 1), &fresh, err);
    if (status)
        return status;
    slm_buf_add(&t->entries, &entry, sizeof entry);
    if (id >= t->top)
        t->top = id + 1;
    return slm_buf_status(&t->entries, "tokens", err);
}

slm_token_entry *slm_token_table_find(const slm_token_table *t, const void *text, size_t n)
{
    const uint32_t at = slm_texts_find(&t->texts, text, n);
    return at == SLM_NO_ID ? NULL : &slm_token_table_entries(t)[at];
}

/* The number of each id's text into by_id [count]. */
static slm_status sort_ids(const slm_token_table *t, uint32_t *by_id, size_t count, slm_error *err)
{
    const slm_token_entry *e = slm_token_table_entries(t);
    memset(by_id, 0xff, count * sizeof *by_id);
    for (uint32_t i = 0; i < t->texts.n; i++) {
        uint32_t *slot = &by_id[e[i].id];
        if (*slot != SLM_NO_ID) {
            char first[SLM_SHOWN], second[SLM_SHOWN];
            size_t a, b;
            const uint8_t *one = slm_texts_at(&t->texts, *slot, &a), *two = slm_texts_at(&t->texts, i, &b);
            return slm_fail(err, SLM_E_FORMAT, "%s: tokens '%s' and '%s' both have id %u", t->name, slm_shown(first, one, a),
                            slm_shown(second, two, b), e[i].id);
        }
        *slot = i;
    }
    return SLM_OK;
}

static void put_text(slm_buf *tokens, const slm_token_table *t, uint32_t i, slm_token_form form)
{
    size_t n;
    const uint8_t *text = slm_texts_at(&t->texts, i, &n);
    if (form == SLM_TOKENS_PLAIN || slm_token_table_entries(t)[i].type != SLM_TYPE_NORMAL) {
        slm_buf_str(tokens, text, n);
    } else if (n > 2 && memcmp(text, "##", 2) == 0) {
        slm_buf_str(tokens, text + 2, n - 2);
    } else {
        slm_buf_u64(tokens, n + 3);
        slm_buf_add(tokens, "\xe2\x96\x81", 3);
        slm_buf_add(tokens, text, n);
    }
}

slm_status slm_token_table_write(const slm_token_table *t, slm_keys *keys, slm_token_form form, bool scored, size_t least, slm_error *err)
{
    const slm_token_entry *e = slm_token_table_entries(t);
    const size_t count = slm_max(t->top, least);
    slm_buf tokens, types, scores;
    slm_status status;
    if (t->texts.n == 0)
        return slm_fail(err, SLM_E_FORMAT, "%s: a vocabulary of 0 tokens", t->name);
    if (t->top > 2 * t->texts.n + HOLES || least > SLM_LIMIT_VOCAB)
        return slm_fail(err, SLM_E_FORMAT, "%s: the highest id is %u, for %zu tokens", t->name, t->top - 1, t->texts.n);
    uint32_t *by_id = slm_heap_array(t->heap, count, sizeof *by_id);
    if (!by_id)
        return slm_fail(err, SLM_E_MEMORY, "%s: order of %zu tokens", t->name, count);
    slm_buf_init(&tokens, t->heap, SIZE_MAX / 2);
    slm_buf_init(&types, t->heap, SIZE_MAX / 2);
    slm_buf_init(&scores, t->heap, SIZE_MAX / 2);
    if ((status = sort_ids(t, by_id, count, err)))
        goto out;
    for (size_t id = 0; id < count; id++) {
        const uint32_t i = by_id[id];
        float score = i == SLM_NO_ID ? 0 : e[i].score;
        uint32_t bits;
        memcpy(&bits, &score, sizeof bits);
        slm_buf_u32(&types, i == SLM_NO_ID ? SLM_TYPE_UNUSED : e[i].type);
        slm_buf_u32(&scores, bits);
        if (i == SLM_NO_ID) {
            char pad[32];
            slm_buf_str(&tokens, pad, (size_t)snprintf(pad, sizeof pad, "[PAD%zu]", id));
        } else {
            put_text(&tokens, t, i, form);
        }
    }
    if ((status = slm_buf_status(&tokens, "tokens", err)) || (status = slm_buf_status(&types, "token types", err)) ||
        (status = slm_buf_status(&scores, "scores", err)) ||
        (status = slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, count, tokens.data, tokens.size, err)) ||
        (status = slm_keys_add(keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, count, types.data, types.size, err)))
        goto out;
    if (scored)
        status = slm_keys_add(keys, "tokenizer.ggml.scores", SLM_KEY_F32, true, count, scores.data, scores.size, err);
out:
    slm_heap_free(t->heap, by_id);
    slm_buf_free(&tokens);
    slm_buf_free(&types);
    slm_buf_free(&scores);
    return status;
}

slm_status slm_token_id_add(slm_keys *keys, const char *what, uint32_t id, slm_error *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "tokenizer.ggml.%s_token_id", what);
    return slm_keys_add_u32(keys, name, id, err);
}
