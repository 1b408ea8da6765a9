/* folder_text.c -- tokenizer, special ids and chat templates of a Hugging Face folder as the keys of a GGUF. */
#include "format/folder.h"

#include "core/limits.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- chat templates -------------------------------------------------------------------------------------------------------- */

/* tokenizer_config.json may be large (it lists added tokens); two of its names are of interest here. */
typedef struct templates {
    slm_folder *f;
    slm_json json;
    slm_buf text, name;
} templates;

static slm_status add_template(templates *t, const char *key, slm_error *err)
{
    return slm_keys_add(&t->f->file->keys, key, SLM_KEY_STRING, false, 1, t->text.data ? (const void *)t->text.data : "", t->text.size, err);
}

/* One of a list: {"name": "default", "template": "..."}; others become keys of their own. */
static slm_status read_named(templates *t, slm_error *err)
{
    char key[128];
    slm_status status = SLM_OK;
    t->name.size = t->text.size = 0;
    while (!status && (status = slm_json_next(&t->json, err)) == SLM_OK && t->json.kind != SLM_JSON_OBJECT_END) {
        slm_buf *to = slm_json_is(&t->json, "name") ? &t->name : slm_json_is(&t->json, "template") ? &t->text : NULL;
        if (!to) {
            status = slm_json_skip(&t->json, err);
            continue;
        }
        to->size = 0;
        if ((status = slm_json_next(&t->json, err)) == SLM_OK)
            status = t->json.kind == SLM_JSON_STRING ? slm_json_string(&t->json, to, err)
                   : slm_fail_at(err, SLM_E_FORMAT, t->json.pos, "%s: chat_template: JSON of kind %d, wanted a string", t->json.name, t->json.kind);
    }
    if (status)
        return status;
    if (t->name.size == 7 && memcmp(t->name.data, "default", 7) == 0)
        return add_template(t, "tokenizer.chat_template", err);
    for (size_t i = 0; i < t->name.size; i++)
        if (t->name.data[i] <= ' ' || t->name.data[i] > '~')
            t->name.data[i] = '_';
    (void)snprintf(key, sizeof key, "tokenizer.chat_template.%.*s", (int)(t->name.size < 64 ? t->name.size : 64), (const char *)t->name.data);
    return t->name.size ? add_template(t, key, err) : SLM_OK;
}

/* The value of "chat_template": a string, a list of named ones, or null. */
static slm_status read_template(templates *t, slm_error *err)
{
    slm_status status = slm_json_next(&t->json, err);
    if (status || t->json.kind == SLM_JSON_NULL)
        return status;
    if (t->json.kind == SLM_JSON_STRING) {
        t->text.size = 0;
        status = slm_json_string(&t->json, &t->text, err);
        return status ? status : add_template(t, "tokenizer.chat_template", err);
    }
    if (t->json.kind != SLM_JSON_ARRAY)
        return slm_fail_at(err, SLM_E_FORMAT, t->json.pos, "%s: chat_template: JSON of kind %d, wanted a string or an array", t->json.name,
                           t->json.kind);
    while (!status && (status = slm_json_next(&t->json, err)) == SLM_OK && t->json.kind == SLM_JSON_OBJECT)
        status = read_named(t, err);
    if (!status && t->json.kind != SLM_JSON_ARRAY_END)
        status = slm_fail_at(err, SLM_E_FORMAT, t->json.pos, "%s: chat_template: an element is JSON of kind %d, wanted an object", t->json.name,
                             t->json.kind);
    return status;
}

static slm_status read_templates_of(templates *t, const char *file, slm_error *err)
{
    uint8_t *bytes;
    char *path;
    size_t n;
    slm_heap *heap = t->f->file->heap;
    slm_status status = slm_read_beside(&bytes, &n, &path, heap, t->f->file->path, file, SLM_LIMIT_TEXT_BYTES, err);
    if (status || !bytes)
        return status;
    status = slm_json_init(&t->json, bytes, n, path, err);
    if (!status)
        status = slm_json_next(&t->json, err);
    if (!status && t->json.kind != SLM_JSON_OBJECT)
        status = slm_fail_at(err, SLM_E_FORMAT, 0, "%s: is no object but JSON of kind %d", path, t->json.kind);
    while (!status && (status = slm_json_next(&t->json, err)) == SLM_OK && t->json.kind != SLM_JSON_OBJECT_END)
        status = slm_json_is(&t->json, "chat_template") ? read_template(t, err) : slm_json_skip(&t->json, err);
    slm_heap_free(heap, bytes);
    slm_heap_free(heap, path);
    return status;
}

/* A file of its own overrides what tokenizer_config.json says. */
static slm_status read_jinja(templates *t, slm_error *err)
{
    uint8_t *bytes;
    char *path;
    size_t n;
    slm_heap *heap = t->f->file->heap;
    slm_status status = slm_read_beside(&bytes, &n, &path, heap, t->f->file->path, "chat_template.jinja", SLM_LIMIT_TEMPLATE_BYTES, err);
    if (status || !bytes)
        return status;
    const size_t good = slm_utf8_valid(bytes, n);
    status = good != n ? slm_fail_at(err, SLM_E_FORMAT, good, "%s: byte %zu of its text is not UTF-8", path, good)
                       : slm_keys_add(&t->f->file->keys, "tokenizer.chat_template", SLM_KEY_STRING, false, 1, bytes, n, err);
    slm_heap_free(heap, bytes);
    slm_heap_free(heap, path);
    return status;
}

static slm_status add_templates(slm_folder *f, slm_error *err)
{
    templates t = { .f = f };
    slm_buf_init(&t.text, f->file->heap, SLM_LIMIT_TEMPLATE_BYTES);
    slm_buf_init(&t.name, f->file->heap, 4096);
    slm_status status = read_templates_of(&t, "tokenizer_config.json", err);
    if (!status)
        status = read_templates_of(&t, "chat_template.json", err);
    if (!status)
        status = read_jinja(&t, err);
    slm_buf_free(&t.text);
    slm_buf_free(&t.name);
    return status;
}

/* ---- special ids ----------------------------------------------------------------------------------------------------------- */

/* Adds key `name` with an id of the config, if the tokenizer has that token and the key is not there. */
static slm_status add_id(slm_folder *f, const char *name, const slm_document *doc, const slm_value_at *v, slm_error *err)
{
    const slm_key *tokens = slm_keys_find(&f->file->keys, "tokenizer.ggml.tokens");
    double id;
    if (!v || v->kind != SLM_JSON_NUMBER || slm_keys_find(&f->file->keys, name))
        return SLM_OK;
    const slm_status status = slm_document_number(doc, v, name, &id, err);
    if (status || !(id >= 0 && tokens && id < (double)tokens->count && id == (double)(uint32_t)id))
        return status;
    return slm_keys_add_u32(&f->file->keys, name, (uint32_t)id, err);
}

/* eos_token_id, one or several: what is not the tokenizer's own becomes one of the keys for further ends. */
static slm_status add_ends(slm_folder *f, const slm_document *doc, const slm_value_at *v, slm_error *err)
{
    static const char *const names[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
    const size_t n = !v ? 0 : v->kind == SLM_JSON_ARRAY ? slm_document_count(doc, v) : 1;
    slm_status status = SLM_OK;
    for (size_t i = 0; i < n && i < 16 && !status; i++) {
        const slm_value_at *e = v->kind == SLM_JSON_ARRAY ? slm_document_element(doc, v, i) : v;
        double id = -1;
        bool there = false;
        if (e->kind != SLM_JSON_NUMBER)
            continue;
        status = slm_document_number(doc, e, "eos_token_id", &id, err);
        for (size_t k = 0; k < 3 && !status && !there; k++) {
            const slm_key *key = slm_keys_find(&f->file->keys, names[k]);
            there = !key || slm_key_number_at(key, 0) == id;
            if (!key)
                status = add_id(f, names[k], doc, e, err);
        }
    }
    return status;
}

static slm_status add_ids(slm_folder *f, slm_error *err)
{
    slm_document doc;
    bool found;
    slm_status status = add_id(f, "tokenizer.ggml.bos_token_id", &f->config, slm_folder_find(f, "bos_token_id"), err);
    if (!status)
        status = add_id(f, "tokenizer.ggml.padding_token_id", &f->config, slm_folder_find(f, "pad_token_id"), err);
    if (!status)
        status = add_ends(f, &f->config, slm_folder_find(f, "eos_token_id"), err);
    if (!status)
        status = slm_document_open(&doc, f->file->heap, f->file->path, "generation_config.json", &found, err);
    if (status || !found)
        return status;
    status = add_ends(f, &doc, slm_document_find(&doc, NULL, "eos_token_id"), err);
    slm_document_close(&doc);
    return status;
}

/* A folder without a tokenizer is a model without one. */
slm_status slm_folder_text(slm_folder *f, slm_error *err)
{
    const slm_status status = add_templates(f, err);
    return status || !slm_keys_find(&f->file->keys, "tokenizer.ggml.model") ? status : add_ids(f, err);
}
