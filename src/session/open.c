/* open.c -- opens a model: file, tokenizer and weights; the file is closed again. */
#include "core/cpu.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/params.h"
#include "format/packed.h"
#include "session/session.h"

#include <string.h>

slm_status slm_model_file(slm_file **out, slm_heap *heap, const char *path, const slm_model_params *p, slm_error *err)
{
    return slm_file_load_input(out, heap, path, p->input, p->tokenizer_path, err);
}

bool slm_model_maps(const slm_file *file, const slm_model_params *p)
{
    return file->packed && !p->no_map && file->source.fd >= 0;
}

static slm_status keep_template(slm_model *model, const slm_keys *keys, slm_error *err)
{
    const char *text;
    size_t n;
    bool found;
    slm_status status = slm_keys_str(keys, "tokenizer.chat_template", &text, &n, &found, err);
    if (status || !found)
        return status;
    if (!(model->chat_template = slm_heap_alloc(&model->heap, n + 1)))
        return slm_fail(err, SLM_E_MEMORY, "chat template of %zu bytes", n);
    memcpy(model->chat_template, text, n);
    model->chat_template[n] = 0;
    model->chat_template_len = n;
    return SLM_OK;
}

/* The tokenizer, made while the weights are read: a task of the team. */
typedef struct making {
    slm_model *model;
    const slm_file *file;
    const char *path;
    slm_status status;
    slm_error error;
} making;

static void make_tokenizer(void *ctx, size_t index)
{
    making *m = ctx;
    (void)index;
    m->status = slm_tokenizer_load(&m->model->tokenizer, &m->model->heap, &m->file->keys, m->path, &m->error);
}

static slm_status fill(slm_model *model, const char *path, const slm_model_params *p, slm_error *err)
{
    slm_file *file = NULL;
    const slm_team_kind kind = p->openmp ? SLM_TEAM_OPENMP : SLM_TEAM_PTHREAD;
    slm_status status = slm_team_new(&model->team, &model->heap, kind, p->threads, p->executor, err);
    if (!status)
        status = slm_model_file(&file, &model->heap, path, p, err);
    if (status)
        return status;
    if (file->packed && p->verify)
        status = slm_packed_check(file, err);
    if (!status && slm_model_maps(file, p))
        status = slm_map_open(&model->map, &model->heap, &file->source, err);
    making m = { .model = model, .file = file, .path = path };
    if (!status)
        status = slm_model_bind(model, file, p->progress, p->progress_user, make_tokenizer, &m, err);
    if (!status && (status = m.status) != SLM_OK && err)
        *err = m.error;
    if (!status)
        status = keep_template(model, &file->keys, err);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    if (!status && model->tokenizer && slm_tokenizer_get_info(model->tokenizer, &info, NULL) == SLM_OK && info.vocab != model->config.vocab)
        status = slm_fail(err, SLM_E_MISMATCH, "%s: tokenizer: %u tokens, the model has %u", path, info.vocab, model->config.vocab);
    if (!status && file->trailing_bytes)
        slm_log_line(&model->log, 1, "%s: %llu bytes after the last tensor", path, (unsigned long long)file->trailing_bytes);
    if (!status)
        status = slm_map_look(model->map, err);     /* keys and table were read before the map was there */
    slm_file_free(file);
    return status;
}

slm_status slm_model_open(slm_model **out, const char *path, const slm_model_params *params, slm_error *err)
{
    slm_model_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || !path)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "path" : "out");
    if (p.isa & ~(uint32_t)(SLM_ISA_SCALAR | SLM_ISA_AVX2 | SLM_ISA_AVX512 | SLM_ISA_AVXVNNI))
        return slm_fail(err, SLM_E_ARG, "isa is 0x%x (allowed bits: 0xf)", p.isa);
    slm_model *model = slm_heap_new_owner(sizeof *model, p.allocator, p.memory_limit);
    if (!model)
        return slm_fail(err, SLM_E_MEMORY, "%s: model of %zu bytes", path, sizeof *model);
    atomic_store(&model->holds, 1);
    model->isa = slm_cpu_masked(p.isa);
    slm_kernels_select(&model->kernels, model->isa);
    if (p.log)
        model->log = *p.log;
    const unsigned saved = slm_fp_enter();
    status = fill(model, path, &p, err);
    slm_fp_leave(saved);
    if (status)
        slm_model_let_go(model);
    else
        *out = model;
    return status;
}

void slm_model_let_go(slm_model *model)
{
    if (atomic_fetch_sub(&model->holds, 1) != 1)
        return;
    slm_tokenizer_free(model->tokenizer);
    slm_heap_free(&model->heap, model->chat_template);
    slm_model_release(model);
    slm_heap_free_owner(model);
}

void slm_model_free(slm_model *model)
{
    if (model)
        slm_model_let_go(model);
}

const slm_tokenizer *slm_model_tokenizer(const slm_model *model)
{
    return model->tokenizer;
}

const char *slm_model_chat_template(const slm_model *model, size_t *len)
{
    if (len)
        *len = model->chat_template_len;
    return model->chat_template;
}

slm_status slm_model_get_info(const slm_model *model, slm_model_info *info, slm_error *err)
{
    const slm_config *c = &model->config;
    slm_model_info full = SLM_MODEL_INFO_INIT;
    full.architecture = c->arch->name;
    full.name = model->name;
    full.isa = model->isa & SLM_ISA_AVX512    ? "avx512"
               : model->isa & SLM_ISA_AVXVNNI ? "avxvnni"
               : model->isa & SLM_ISA_AVX2    ? "avx2" : "scalar";
    full.parameters = model->parameters;
    full.weight_bytes = model->weight_bytes;
    full.step_bytes = model->step_bytes;
    full.matrix_params = model->matrix_params;
    full.heap_bytes = atomic_load(&model->heap.current);
    full.heap_peak = atomic_load(&model->heap.peak);
    full.kv_bytes = slm_kv_token_bytes(c, false) / (c->arch->encoder ? c->layers : 1);
    full.vocab = c->vocab;
    full.context = c->context;
    full.embedding = c->embedding;
    full.layers = c->layers;
    full.heads = c->heads;
    full.kv_heads = c->kv_heads;
    full.head_size = c->head_size;
    full.feed_forward = c->feed_forward;
    full.threads = slm_team_width(model->team);
    full.encoder = c->arch->encoder;
    return slm_params_write(info, &full, sizeof full, err);
}
