/* tokenizer_config.c -- tokenizer_config.json and special_tokens_map.json: which tokens are BOS, EOS and so on, and the chat template. */
#include "format/tokenizer_file.h"

#include "core/json.h"
#include "core/limits.h"
#include "format/token_table.h"

#include <stdio.h>
#include <string.h>

enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, TOKENS, ADD_BOS = TOKENS, ADD_EOS, TEMPLATE, FIELDS };
static const char *const names[FIELDS] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "add_bos_token", "add_eos_token", "chat_template"
};
static const char *const ids[TOKENS] = { "bos", "eos", "unknown", "seperator", "padding", "cls", "mask" };

/* The lowest id of that text, -1 if there is none: the list is gone through a few times in all. */
static int64_t id_of(const slm_keys *keys, const uint8_t *text, size_t n)
{
    const slm_key *tokens = slm_keys_find(keys, "tokenizer.ggml.tokens");
    if (!tokens || !tokens->array || tokens->type != SLM_KEY_STRING)
        return -1;
    slm_cursor c = slm_cursor_over(tokens->value, tokens->bytes);
    for (uint64_t id = 0; id < tokens->count; id++) {
        uint64_t length;
        const uint8_t *other = slm_cursor_str(&c, &length);
        if (other && length == n && memcmp(other, text, n) == 0)
            return (int64_t)id;
    }
    return -1;
}

static bool is_true(const slm_keys *keys, const char *name)
{
    bool value = false, found;
    return slm_keys_bool(keys, name, &value, &found, NULL) == SLM_OK && value;
}

static bool is_kind(const slm_keys *keys, const char *kind)
{
    const char *text;
    size_t n;
    bool found = false;
    return slm_keys_str(keys, "tokenizer.ggml.model", &text, &n, &found, NULL) == SLM_OK && found && n == strlen(kind) && memcmp(text, kind, n) == 0;
}

/* "<s>" or {"content": "<s>", ...}. A token that is not in the vocabulary is left out, as a model without it never sees it. */
static slm_status set_token(slm_keys *keys, int which, const slm_json *value, slm_buf *text, slm_error *err)
{
    static const char *const content[1] = { "content" };
    char name[64];
    slm_json object = *value, inner;
    slm_status status;
    if (value->kind == SLM_JSON_OBJECT) {
        if ((status = slm_json_fields(&object, content, &inner, 1, err)))
            return status;
    } else {
        inner = *value;
    }
    if (inner.kind != SLM_JSON_STRING)
        return SLM_OK;
    text->size = 0;
    if ((status = slm_json_string(&inner, text, err)))
        return status;
    const int64_t id = id_of(keys, text->data, text->size);
    (void)snprintf(name, sizeof name, "tokenizer.ggml.%s_token_id", ids[which]);
    /* what a post-processor puts around a text stays */
    if (id < 0 || (slm_keys_find(keys, name) && ((which == BOS && is_true(keys, "tokenizer.ggml.add_bos_token")) ||
                                                 (which == EOS && is_true(keys, "tokenizer.ggml.add_eos_token")) || which == UNK ||
                                                 ((which == CLS || which == SEP) && is_kind(keys, "bert")))))
        return SLM_OK;
    return slm_keys_add_u32(keys, name, (uint32_t)id, err);
}

/* true counts where the token is known; false where no post-processor spoke, and for the kind whose makers build it from this switch. */
static slm_status set_switch(slm_keys *keys, const char *name, const char *id, const slm_json *value, slm_error *err)
{
    if (value->kind == SLM_JSON_TRUE && slm_keys_find(keys, id))
        return slm_keys_add_bool(keys, name, true, err);
    if (value->kind == SLM_JSON_FALSE && (!slm_keys_find(keys, name) || is_kind(keys, "llama")))
        return slm_keys_add_bool(keys, name, false, err);
    return SLM_OK;
}

static slm_status set_template(slm_keys *keys, const char *name, const slm_json *value, slm_buf *text, slm_error *err)
{
    text->size = 0;
    slm_status status = slm_json_string(value, text, err);
    return status ? status : slm_keys_add(keys, name, SLM_KEY_STRING, false, 1, text->data, text->size, err);
}

/* A string, or [{"name": "default", "template": ...}, {"name": "tool_use", ...}]. */
static slm_status set_templates(slm_keys *keys, const slm_json *value, slm_buf *text, slm_error *err)
{
    static const char *const parts[2] = { "name", "template" };
    slm_json list = *value, f[2];
    slm_status status = SLM_OK;
    if (value->kind == SLM_JSON_STRING)
        return set_template(keys, "tokenizer.chat_template", value, text, err);
    if (value->kind != SLM_JSON_ARRAY)
        return SLM_OK;
    while (!(status = slm_json_next(&list, err)) && list.kind != SLM_JSON_ARRAY_END) {
        char name[128] = "tokenizer.chat_template";
        if ((status = slm_json_fields(&list, parts, f, 2, err)))
            return status;
        if (f[0].kind != SLM_JSON_STRING || f[1].kind != SLM_JSON_STRING)
            return slm_fail_at(err, SLM_E_FORMAT, list.pos, "%s: a chat template without name or text, before byte %zu", list.name, list.pos);
        if (!slm_json_is(&f[0], "default")) {
            char shown[SLM_SHOWN];
            (void)snprintf(name, sizeof name, "tokenizer.chat_template.%s", slm_shown(shown, f[0].base + f[0].text, f[0].text_len));
        }
        if ((status = set_template(keys, name, &f[1], text, err)))
            return status;
    }
    return status;
}

slm_status slm_tokenizer_config_read(slm_keys *keys, const uint8_t *bytes, size_t n, const char *name, slm_error *err)
{
    slm_json json, f[FIELDS];
    slm_buf text;
    slm_status status;
    slm_buf_init(&text, keys->heap, SLM_LIMIT_STRING_BYTES);
    if ((status = slm_json_init(&json, bytes, n, name, err)) || (status = slm_json_next(&json, err)) ||
        (status = slm_json_fields(&json, names, f, FIELDS, err)) || (status = slm_json_next(&json, err)))
        goto out;
    for (int i = 0; i < TOKENS && !status; i++)
        status = set_token(keys, i, &f[i], &text, err);
    if (!status)
        status = set_switch(keys, "tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id", &f[ADD_BOS], err);
    if (!status)
        status = set_switch(keys, "tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id", &f[ADD_EOS], err);
    if (!status)
        status = set_templates(keys, &f[TEMPLATE], &text, err);
out:
    slm_buf_free(&text);
    return status;
}
