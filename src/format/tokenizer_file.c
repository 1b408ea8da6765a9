/* tokenizer_file.c -- the files of a folder that make a tokenizer, in the order they are asked. */
#include "format/tokenizer_file.h"

#include "core/limits.h"
#include "core/size.h"

#include <string.h>

enum { PATH_BYTES = 4096 };

/* All of a file in memory of the keys' heap. */
static slm_status read_file(const slm_source *source, slm_heap *heap, uint8_t **bytes, slm_error *err)
{
    if (source->size > SLM_LIMIT_JSON_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: %llu bytes (allowed %d)", source->name, (unsigned long long)source->size, SLM_LIMIT_JSON_BYTES);
    uint8_t *all = slm_heap_alloc(heap, (size_t)source->size);
    if (!all)
        return slm_fail(err, SLM_E_MEMORY, "%s: %llu bytes", source->name, (unsigned long long)source->size);
    slm_status status = slm_source_read(source, 0, all, (size_t)source->size, err);
    if (status)
        slm_heap_free(heap, all);
    else
        *bytes = all;
    return status;
}

slm_status slm_tokenizer_source_read(slm_keys *keys, const slm_source *source, size_t least, slm_error *err)
{
    uint8_t *bytes = NULL;
    const bool json = slm_tokenizer_json_is(source);
    if (!json && !slm_tokenizer_model_is(source))
        return slm_fail(err, SLM_E_FORMAT, "%s: %llu bytes that are neither a tokenizer.json nor a SentencePiece model", source->name,
                        (unsigned long long)source->size);
    slm_status status = read_file(source, keys->heap, &bytes, err);
    if (status)
        return status;
    status = json ? slm_tokenizer_json_read(keys, bytes, (size_t)source->size, source->name, least, err)
                  : slm_tokenizer_model_read(keys, bytes, (size_t)source->size, source->name, least, err);
    slm_heap_free(keys->heap, bytes);
    return status;
}

/* folder[0 .. n) / name */
static slm_status join(char out[PATH_BYTES], const char *folder, size_t n, const char *name, slm_error *err)
{
    const size_t length = strlen(name), slash = n > 0 && folder[n - 1] != '/';
    if (n + length + 2 > PATH_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: a path of %zu bytes (allowed %d)", name, n + length + 1, PATH_BYTES - 1);
    memcpy(out, folder, n);
    if (slash)
        out[n] = '/';
    memcpy(out + n + slash, name, length + 1);
    return SLM_OK;
}

slm_status slm_tokenizer_beside_read(slm_keys *keys, const char *folder, size_t n, slm_error *err)
{
    static const char *const names[] = { "special_tokens_map.json", "tokenizer_config.json", "chat_template.jinja" };
    slm_status status = SLM_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++) {
        char path[PATH_BYTES];
        slm_source source;
        uint8_t *bytes = NULL;
        if ((status = join(path, folder, n, names[i], err)))
            return status;
        if (slm_source_open(&source, path, NULL) != SLM_OK)
            continue;
        status = read_file(&source, keys->heap, &bytes, err);
        if (!status)
            status = i < 2 ? slm_tokenizer_config_read(keys, bytes, (size_t)source.size, path, err)
                           : slm_keys_add(keys, "tokenizer.chat_template", SLM_KEY_STRING, false, 1, bytes, (size_t)source.size, err);
        slm_heap_free(keys->heap, bytes);
        slm_source_close(&source);
    }
    return status;
}

slm_status slm_tokenizer_file_read(slm_keys *keys, const char *path, size_t least, slm_error *err)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model" };
    const char *slash = strrchr(path, '/');
    size_t folder = strlen(path);
    char inner[PATH_BYTES];
    slm_source source;
    slm_error own = { 0 };
    slm_status status = slm_source_open(&source, path, &own);
    if (!status)                                    /* a file: its folder is what stands before its name */
        folder = slash ? (size_t)(slash - path) + 1 : 0;
    for (size_t i = 0; status && status != SLM_E_NOT_FOUND && i < sizeof names / sizeof *names; i++) {
        if (join(inner, path, folder, names[i], err))
            return SLM_E_LIMIT;
        if (slm_source_open(&source, inner, NULL) == SLM_OK)
            status = SLM_OK;
    }
    if (status == SLM_E_NOT_FOUND && err)
        *err = own;
    if (status == SLM_E_NOT_FOUND)
        return status;
    if (status)
        return slm_fail(err, SLM_E_NOT_FOUND, "%s: none of its files is a tokenizer: looked for tokenizer.json, tokenizer.model and %d others", path, 2);
    status = slm_tokenizer_source_read(keys, &source, least, err);
    slm_source_close(&source);
    return status ? status : slm_tokenizer_beside_read(keys, path, folder, err);
}

bool slm_tokenizer_json_is(const slm_source *source)
{
    uint8_t head[64];
    const size_t n = source->size < sizeof head ? (size_t)source->size : sizeof head;
    if (slm_source_read(source, 0, head, n, NULL) != SLM_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        if (head[i] != ' ' && head[i] != '\t' && head[i] != '\n' && head[i] != '\r')
            return head[i] == '{';
    return false;
}
