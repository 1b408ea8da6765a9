/* folder_text.c -- tokenizer and special ids of a Hugging Face folder as the keys of a GGUF. */
#include "format/folder.h"

#include "format/tokenizer_file.h"

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
    slm_error own = { 0 };
    const slm_tensor *embedding = slm_file_find(f->file, "token_embd.weight");
    const slm_status status = slm_tokenizer_file_read(&f->file->keys, f->file->path, embedding ? (size_t)embedding->rows : 0, &own);
    if (status && status != SLM_E_NOT_FOUND && err)
        *err = own;
    return status == SLM_E_NOT_FOUND ? SLM_OK : status ? status : add_ids(f, err);
}
