/* importance.c -- mean squares of the inputs of a model's products. */
#include "model/importance.h"

#include "model/requantize.h"

#include <string.h>

struct slm_importance {
    slm_heap heap;              /* first: slm_heap_new_owner */
    size_t layers, width[SLM_INPUTS];
    double *sum[SLM_INPUTS];    /* [layers][width] */
    float *mean[SLM_INPUTS];    /* the same */
    uint64_t rows;
};

slm_status slm_importance_new(slm_importance **out, const slm_config *config, const slm_allocator *allocator, uint64_t memory_limit,
                              slm_error *err)
{
    slm_importance *m = slm_heap_new_owner(sizeof *m, allocator, memory_limit);
    if (!m)
        return slm_fail(err, SLM_E_MEMORY, "importance: %zu bytes", sizeof *m);
    m->layers = config->layers;
    m->width[SLM_INPUT_ATTENTION] = m->width[SLM_INPUT_FEED_FORWARD] = config->embedding;
    m->width[SLM_INPUT_OUTPUT] = (size_t)config->heads * config->head_size;
    m->width[SLM_INPUT_DOWN] = config->feed_forward;
    for (int i = 0; i < SLM_INPUTS; i++) {
        const size_t n = m->layers * m->width[i];       /* a model of these widths is in memory */
        m->sum[i] = slm_heap_zarray(&m->heap, n, sizeof *m->sum[i]);
        m->mean[i] = slm_heap_zarray(&m->heap, n, sizeof *m->mean[i]);
        if (!m->sum[i] || !m->mean[i]) {
            slm_importance_free(m);
            return slm_fail(err, SLM_E_MEMORY, "importance of %zu channels", n);
        }
    }
    *out = m;
    return SLM_OK;
}

void slm_importance_free(slm_importance *m)
{
    if (!m)
        return;
    for (int i = 0; i < SLM_INPUTS; i++) {
        slm_heap_free(&m->heap, m->sum[i]);
        slm_heap_free(&m->heap, m->mean[i]);
    }
    slm_heap_free_owner(m);
}

void slm_importance_add(slm_importance *m, size_t layer, int input, size_t from, size_t n, const float *x, size_t ld, size_t rows)
{
    double *sum = m->sum[input] + layer * m->width[input] + from;
    for (size_t t = 0; t < rows; t++)
        for (size_t k = 0; k < n; k++)
            sum[k] += (double)x[t * ld + k] * (double)x[t * ld + k];
    if (layer == 0 && input == 0)
        m->rows += rows;
}

void slm_importance_finish(slm_importance *m)
{
    const double rows = m->rows ? (double)m->rows : 1;
    for (int i = 0; i < SLM_INPUTS; i++)
        for (size_t l = 0; l < m->layers; l++) {
            const double *sum = m->sum[i] + l * m->width[i];
            double all = 0;
            for (size_t k = 0; k < m->width[i]; k++)
                all += sum[k];
            const double least = all / (double)m->width[i] * 1e-3;
            for (size_t k = 0; k < m->width[i]; k++)
                m->mean[i][l * m->width[i] + k] = (float)(all > 0 ? (sum[k] > least ? sum[k] : least) / rows : 1);
        }
}

static const struct { const char *end; int input; } products[] = {
    { ".attn_q.weight", SLM_INPUT_ATTENTION },      { ".attn_k.weight", SLM_INPUT_ATTENTION },     { ".attn_v.weight", SLM_INPUT_ATTENTION },
    { ".attn_qkv.weight", SLM_INPUT_ATTENTION },    { ".attn_output.weight", SLM_INPUT_OUTPUT },   { ".ffn_gate.weight", SLM_INPUT_FEED_FORWARD },
    { ".ffn_up.weight", SLM_INPUT_FEED_FORWARD },   { ".ffn_down.weight", SLM_INPUT_DOWN },
};

const float *slm_importance_of(const slm_importance *m, const char *tensor, uint64_t cols)
{
    const uint32_t layer = slm_tensor_layer(tensor);
    if (!m || layer >= m->layers)
        return NULL;
    const char *end = strchr(tensor + 4, '.');      /* behind "blk.N" */
    for (size_t i = 0; end && i < sizeof products / sizeof *products; i++) {
        const size_t n = m->width[products[i].input];
        if (!strcmp(end, products[i].end) && cols == n)
            return m->mean[products[i].input] + layer * n;
    }
    return NULL;
}
