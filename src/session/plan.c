/* plan.c -- what a model and a session will take, from the tables of the file alone. The metadata and the tokenizer are loaded for
 * real and measured; weights, cache and work memory come from the formulas that size them when they are made. */
#include "model/panels.h"
#include "session/encoder.h"
#include "session/session.h"

#include "core/cpu.h"
#include "core/params.h"
#include "core/size.h"

#include <string.h>

typedef struct sums {
    uint64_t weights;               /* bytes of panels and vectors */
    uint64_t mapped;                /* of these, those that stay in the file */
    uint64_t panels;                /* the others' panels, one allocation */
    uint64_t vectors;               /* and vectors, as allocations */
    uint64_t chunk;                 /* what a thread reads at once */
} sums;

/* Panels for what has rows, floats for what has not. Types this version cannot compute with count as they lie on disk. */
static void add_tensor(sums *s, const slm_file *file, const slm_tensor *t, bool mapped)
{
    size_t bytes = (size_t)t->bytes;
    if (t->n_dims == 1)
        bytes = (size_t)t->dims[0] * sizeof(float);
    else if (t->type && !slm_matrix_bytes(t->type, (size_t)t->rows, (size_t)t->dims[0], &bytes))
        bytes = SIZE_MAX / 4;
    s->weights += bytes;
    if (mapped && t->n_dims > 1) {
        s->mapped += bytes;
        return;
    }
    if (t->n_dims == 1) {
        s->vectors += slm_heap_cost(bytes);
        return;
    }
    s->panels += bytes;
    const uint64_t chunk = file->packed ? 0 : slm_panels_chunk(t->bytes / t->rows * SLM_PANEL_ROWS);
    s->chunk = chunk > s->chunk ? chunk : s->chunk;
}

static slm_status count_tokenizer(const slm_file *file, const char *path, const slm_model_params *p, uint64_t *bytes, uint64_t *peak,
                                  slm_error *err)
{
    slm_heap heap;
    slm_tokenizer *tokenizer = NULL;
    slm_heap_init(&heap, p->allocator, p->memory_limit);
    const slm_status status = slm_tokenizer_load(&tokenizer, &heap, &file->keys, path, err);
    *bytes = atomic_load(&heap.current);
    *peak = atomic_load(&heap.peak);
    slm_tokenizer_free(tokenizer);
    return status;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The same params mean an encoder's: context and kv. */
static slm_status read_encoder_shape(slm_session_shape *shape, const slm_config *c, const slm_session_params *params, slm_error *err)
{
    slm_session_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (!status)
        status = slm_kv_type_check(p.kv, "encoder: ", err);
    if (status)
        return status;
    if (p.context > SLM_LIMIT_CONTEXT)
        return slm_fail(err, SLM_E_ARG, "encoder: context is %u (allowed 0 .. %d)", p.context, SLM_LIMIT_CONTEXT);
    shape->context = p.context ? p.context : c->context;
    shape->kv = p.kv;
    return SLM_OK;
}

static slm_status compute(slm_plan_info *plan, const slm_file *file, const slm_heap *heap, const char *path, const slm_model_params *p,
                          const slm_session_params *sp, slm_error *err)
{
    slm_config c;
    slm_session_shape shape = { 0 };
    sums s = { 0 };
    uint64_t tokenizer = 0, tokenizer_peak = 0;
    const size_t width = p->threads ? p->threads : p->executor ? p->executor->width : slm_cpu_threads();
    const uint64_t metadata = atomic_load(&heap->current);
    const char *text;
    size_t n = 0;
    bool found = false;
    slm_status status = slm_config_read(&c, file, err);
    if (!status)
        status = c.arch->encoder ? read_encoder_shape(&shape, &c, sp, err) : slm_session_shape_read(&shape, &c, sp, err);
    if (!status)
        status = count_tokenizer(file, path, p, &tokenizer, &tokenizer_peak, err);
    if (!status)
        status = slm_keys_str(&file->keys, "tokenizer.chat_template", &text, &n, &found, err);
    if (status)
        return status;
    for (size_t i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].name, "rope_freqs.weight") != 0)      /* lives on in the model's table of angles */
            add_tensor(&s, file, &file->tensors[i], slm_model_maps(file, p));
    const uint64_t tables = slm_heap_cost(sizeof(slm_model)) + slm_heap_cost(c.layers * sizeof(slm_layer)) +
                            (c.rope_size ? slm_config_rope_sets(&c) * slm_heap_cost(c.rope_size / 2 * sizeof(double)) : 0);
    plan->weight_bytes = s.weights;
    plan->mapped_bytes = s.mapped;
    const uint64_t heap_bytes = s.vectors + slm_heap_cost(s.panels);
    plan->model_bytes = tables + heap_bytes + tokenizer + (found ? slm_heap_cost(n + 1) : 0);
    plan->open_peak = most(atomic_load(&heap->peak) + tables, metadata + tables + heap_bytes + width * s.chunk + tokenizer_peak);
    if (c.arch->encoder) {
        plan->session_bytes = slm_encoder_heap_bytes(&c, shape.context, shape.kv, width, &plan->kv_bytes, &plan->work_bytes);
    } else {
        plan->kv_bytes = slm_kv_heap_bytes(&c, shape.context, shape.kv);
        plan->session_bytes = slm_session_heap_bytes(&c, &shape, width, &plan->work_bytes);
    }
    plan->peak = plan->session_bytes > UINT64_MAX - plan->model_bytes ? UINT64_MAX
                                                                      : most(plan->open_peak, plan->model_bytes + plan->session_bytes);
    return SLM_OK;
}

slm_status slm_plan(slm_plan_info *plan, const char *path, const slm_model_params *model, const slm_session_params *session, slm_error *err)
{
    slm_model_params p;
    slm_plan_info full = SLM_PLAN_INFO_INIT;
    slm_heap heap;
    slm_file *file = NULL;
    if (!plan || !path)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", plan ? "path" : "plan");
    slm_status status = slm_params_read(&p, sizeof p, model, err);
    if (status)
        return status;
    slm_heap_init(&heap, p.allocator, p.memory_limit);
    status = slm_model_file(&file, &heap, path, &p, err);
    if (!status)
        status = compute(&full, file, &heap, path, &p, session, err);
    slm_file_free(file);
    return status ? status : slm_params_write(plan, &full, sizeof full, err);
}
