/* bind.c -- finds each tensor a model needs, checks its shape against the config and reads it.
 *
 * Vectors are read as they are found, matrices all together when every one has been found and has the right shape (panels.c). Those of a
 * packed file are panels already and are used where they lie, if it is mapped. */
#include "core/limits.h"
#include "core/size.h"
#include "model/model.h"
#include "model/panels.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PART = 32, OF_LAYER = 7, OF_MODEL = 4 };     /* bytes of a name without its layer; the most matrices */

typedef struct binder {
    slm_model *model;
    const slm_file *file;
    slm_panels panels;
    slm_error *err;
} binder;

/* The tensor `name`, of cols x rows (fastest first), or 1-dimensional with rows 0. NULL in *out if it is absent and not required. */
static slm_status find(binder *b, const char *name, size_t cols, size_t rows, bool required, const slm_tensor **out)
{
    const slm_tensor *t = slm_file_find(b->file, name);
    *out = t;
    if (!t)
        return required ? slm_fail(b->err, SLM_E_FORMAT, "%s: tensor '%s': is missing (wanted %zu x %zu)", b->file->path, name, cols,
                                   slm_max(rows, 1)) : SLM_OK;
    if (t->dims[0] != cols || t->rows != slm_max(rows, 1) || t->n_dims > 2)
        return slm_fail(b->err, SLM_E_FORMAT, "%s: tensor '%s': is %" PRIu64 " x %" PRIu64 " in %u dimensions, the keys imply %zu x %zu",
                        b->file->path, name, t->dims[0], t->rows, t->n_dims, cols, slm_max(rows, 1));
    if (!t->type)
        return slm_fail(b->err, SLM_E_UNSUPPORTED, "%s: tensor '%s': type %s (%u) is not one this version computes with", b->file->path, name,
                        slm_tensor_type_name(t), t->type_id);
    return SLM_OK;
}

/* ---- vectors ---- */

/* All n values of a tensor. */
static slm_status values(binder *b, float **out, const slm_tensor *t, size_t n)
{
    if (t->type->block != 1)
        return slm_fail(b->err, SLM_E_UNSUPPORTED, "%s: tensor '%s': a vector of %s (F32, F16, BF16 are read)", b->file->path, t->shown,
                        t->type->name);
    float *all = slm_heap_array(&b->model->heap, n, sizeof *all);
    if (!all)
        return slm_fail(b->err, SLM_E_MEMORY, "%s: tensor '%s': %zu values", b->file->path, t->shown, n);
    const slm_status status = slm_file_read(b->file, (size_t)(t - b->file->tensors), all, n, b->err);
    if (status) {
        slm_heap_free(&b->model->heap, all);
        return status;
    }
    *out = all;
    b->model->parameters += n;
    b->model->weight_bytes += n * sizeof *all;
    b->model->step_bytes += n * sizeof *all;
    return SLM_OK;
}

/* [n] floats of tensor `name` from value `first` on, whose whole length is `whole`. *out stays NULL if it is absent and not required. */
static slm_status vector_part(binder *b, float **out, const char *name, size_t whole, size_t first, size_t n, bool required)
{
    const slm_tensor *t;
    slm_status status = find(b, name, whole, 0, required, &t);
    if (status || !t)
        return status;
    if ((status = values(b, out, t, whole)) != SLM_OK)
        return status;
    if (first)
        memmove(*out, *out + first, n * sizeof **out);
    b->model->parameters -= whole - n;
    b->model->weight_bytes -= (whole - n) * sizeof **out;
    b->model->step_bytes -= (whole - n) * sizeof **out;
    return SLM_OK;
}

static slm_status vector(binder *b, float **out, const char *name, size_t n, bool required)
{
    return vector_part(b, out, name, n, 0, n, required);
}

/* [rows][n] floats of tensor `name`; *out stays NULL if it is absent and not required. */
static slm_status table(binder *b, float **out, const char *name, size_t n, size_t rows, bool required)
{
    const slm_tensor *t;
    const slm_status status = find(b, name, n, rows, required, &t);
    return status || !t ? status : values(b, out, t, n * rows);
}

/* ---- matrices ---- */

/* Rows first .. first + rows of tensor `name`, which has `whole` rows of `cols`. */
static slm_status matrix_part(binder *b, slm_matrix *m, const char *name, size_t cols, size_t whole, size_t first, size_t rows, bool required)
{
    const slm_tensor *t;
    slm_status status = find(b, name, cols, whole, required, &t);
    if (status || !t)
        return status;
    if (b->file->packed && rows != whole)
        return slm_fail(b->err, SLM_E_FORMAT, "%s: tensor '%s': %zu rows of which %zu are wanted: packed files hold what is multiplied with",
                        b->file->path, name, whole, rows);
    *m = (slm_matrix){ .type = t->type, .rows = rows, .cols = cols };
    slm_matrix_shape(m);
    if (b->model->map)                  /* place and size were checked when the file was opened */
        m->panels = slm_map_bytes(b->model->map) + t->offset;
    else
        b->panels.wanted[b->panels.n++] = (slm_wanted){ m, t, first };
    const uint64_t bytes = (uint64_t)slm_matrix_panels(m) * m->panel_bytes;
    b->model->parameters += (uint64_t)rows * cols;
    b->model->weight_bytes += bytes;
    b->model->step_bytes += bytes;
    return SLM_OK;
}

static slm_status matrix(binder *b, slm_matrix *m, const char *name, size_t cols, size_t rows, bool required)
{
    return matrix_part(b, m, name, cols, rows, 0, rows, required);
}

/* ---- a layer ---- */

static const char *layer_name(const binder *b, char out[SLM_LIMIT_TENSOR_NAME + 1], size_t layer, const char *rest)
{
    const char *prefix = b->model->config.arch->prefix;
    (void)snprintf(out, SLM_LIMIT_TENSOR_NAME + 1, "%sblk.%zu.%s", prefix ? prefix : "", layer, rest);
    return out;
}

static const char *joined(char out[PART], const char *of, const char *what)
{
    (void)snprintf(out, PART, "%s.%s", of, what);
    return out;
}

/* q, k and v: three tensors, or one whose rows are q, then k, then v; biases likewise, each in its own way. */
static slm_status bind_qkv(binder *b, slm_layer *layer, size_t index)
{
    const slm_config *c = &b->model->config;
    const size_t q = (size_t)c->heads * c->head_size, kv = (size_t)c->kv_heads * c->head_size, all = q + 2 * kv;
    const struct part { slm_matrix *m; float **bias; const char *weight_name, *bias_name; size_t first, rows; } parts[3] = {
        { &layer->q, &layer->q_bias, "attn_q.weight", "attn_q.bias", 0, q },
        { &layer->k, &layer->k_bias, "attn_k.weight", "attn_k.bias", q, kv },
        { &layer->v, &layer->v_bias, "attn_v.weight", "attn_v.bias", q + kv, kv },
    };
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    const bool fused = slm_file_find(b->file, layer_name(b, name, index, "attn_qkv.weight")) != NULL;
    const bool fused_bias = slm_file_find(b->file, layer_name(b, name, index, "attn_qkv.bias")) != NULL;
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < 3; i++) {
        const struct part *p = &parts[i];
        status = fused ? matrix_part(b, p->m, layer_name(b, name, index, "attn_qkv.weight"), c->embedding, all, p->first, p->rows, true)
                       : matrix(b, p->m, layer_name(b, name, index, p->weight_name), c->embedding, p->rows, true);
        if (!status)
            status = fused_bias ? vector_part(b, p->bias, layer_name(b, name, index, "attn_qkv.bias"), all, p->first, p->rows, true)
                                : vector(b, p->bias, layer_name(b, name, index, p->bias_name), p->rows, c->arch->qkv_bias);
    }
    return status;
}

/* Gate and up: two tensors, one whose rows are the gate, then up, or up alone. */
static slm_status bind_gate_up(binder *b, slm_layer *layer, size_t index)
{
    const slm_config *c = &b->model->config;
    const size_t e = c->embedding, f = c->feed_forward;
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    if (c->arch->fused_gate_up && !b->file->packed) {
        const slm_status status = matrix_part(b, &layer->gate, layer_name(b, name, index, "ffn_up.weight"), e, 2 * f, 0, f, true);
        return status ? status : matrix_part(b, &layer->up, name, e, 2 * f, f, f, true);
    }
    const slm_status status = !slm_ffn_gated(c->ffn) ? SLM_OK : matrix(b, &layer->gate, layer_name(b, name, index, "ffn_gate.weight"), e, f, true);
    return status ? status : matrix(b, &layer->up, layer_name(b, name, index, "ffn_up.weight"), e, f, true);
}

/* Both rows of weights, or none where they may be missing. */
static slm_status bind_qk_norm(binder *b, slm_layer *layer, size_t index)
{
    const slm_config *c = &b->model->config;
    const size_t d = c->head_size, heads[2] = { c->heads, c->kv_heads };
    float **const norms[2] = { &layer->q_norm, &layer->k_norm };
    static const char *const names[2] = { "attn_q_norm.weight", "attn_k_norm.weight" };
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < 2; i++)
        switch (c->arch->qk_norm) {
        case SLM_QK_NONE: break;
        case SLM_QK_HEAD: status = vector(b, norms[i], layer_name(b, name, index, names[i]), d, true); break;
        case SLM_QK_WHOLE: status = vector(b, norms[i], layer_name(b, name, index, names[i]), heads[i] * d, true); break;
        case SLM_QK_LAYER: status = table(b, norms[i], layer_name(b, name, index, names[i]), d, heads[i], false); break;
        }
    return status;
}

static slm_status bind_layer(binder *b, slm_layer *layer, size_t index)
{
    const slm_config *c = &b->model->config;
    const slm_arch *a = c->arch;
    const size_t e = c->embedding, f = c->feed_forward, q = (size_t)c->heads * c->head_size;
    const bool before = a->norm_place == SLM_NORM_BEFORE || a->norm_place == SLM_NORM_BOTH, after = a->norm_place != SLM_NORM_BEFORE;
    const bool layer_norm = a->norm == SLM_NORM_LAYER, first = before && !(a->first_unnormed && index == 0);
    char name[SLM_LIMIT_TENSOR_NAME + 1], part[PART];
    layer->parallel = a->block == SLM_BLOCK_PARALLEL ||
                      (a->block == SLM_BLOCK_BY_FILE && !slm_file_find(b->file, layer_name(b, name, index, "ffn_norm.weight")));
    const bool second = before && !layer->parallel;
    const char *output = a->attn_output ? a->attn_output : "attn_output", *post_attn = a->post_attn ? a->post_attn : "post_attention_norm";
    const char *post_ffn = a->post_ffn ? a->post_ffn : "post_ffw_norm";
    const struct { float **v; const char *of, *what; size_t n; bool wanted, required; } vectors[] = {
        { &layer->attn_norm.w, "attn_norm", "weight", e, first, true },
        { &layer->attn_norm.b, "attn_norm", "bias", e, first && layer_norm, a->bias },
        { &layer->ffn_norm.w, "ffn_norm", "weight", e, second, true },
        { &layer->ffn_norm.b, "ffn_norm", "bias", e, second && layer_norm, a->bias },
        { &layer->post_attn.w, post_attn, "weight", e, after, true },
        { &layer->post_attn.b, post_attn, "bias", e, after && layer_norm, a->bias },
        { &layer->post_ffn.w, post_ffn, "weight", e, after, true },
        { &layer->post_ffn.b, post_ffn, "bias", e, after && layer_norm, a->bias },
        { &layer->o_bias, output, "bias", e, true, a->bias },
        { &layer->gate_bias, "ffn_gate", "bias", f, slm_ffn_gated(c->ffn), false },
        { &layer->up_bias, "ffn_up", "bias", f, !a->fused_gate_up, a->bias },
        { &layer->down_bias, "ffn_down", "bias", e, true, a->bias },
    };
    slm_status status = bind_qkv(b, layer, index);
    if (!status)
        status = matrix(b, &layer->o, layer_name(b, name, index, joined(part, output, "weight")), q, e, true);
    if (!status)
        status = bind_gate_up(b, layer, index);
    if (!status)
        status = matrix(b, &layer->down, layer_name(b, name, index, "ffn_down.weight"), f, e, true);
    if (!status)
        status = bind_qk_norm(b, layer, index);
    for (size_t i = 0; !status && i < sizeof vectors / sizeof *vectors; i++)
        if (vectors[i].wanted)
            status = vector(b, vectors[i].v, layer_name(b, name, index, joined(part, vectors[i].of, vectors[i].what)), vectors[i].n,
                            vectors[i].required);
    return status;
}

/* ---- the whole ---- */

/* No model turns by more than a radian or two; times the longest context this is within what slm_sin_f64 takes. */
enum { MOST_TURN = 1024 };

/* One table of angles, with the factors of tensor `name` (NULL: none). */
static slm_status bind_rope(binder *b, slm_rope_set set, const char *name, bool required)
{
    slm_model *model = b->model;
    const size_t pairs = model->config.rope_size / 2;
    float *factors = NULL;
    slm_status status = name ? vector(b, &factors, name, pairs, required) : SLM_OK;
    if (status)
        return status;
    for (size_t i = 0; factors && i < pairs; i++)
        if (!(factors[i] > 0)) {
            status = slm_fail(b->err, SLM_E_FORMAT, "%s: tensor '%s': value %zu is %g (allowed more than 0)", b->file->path, name, i,
                              (double)factors[i]);
            slm_heap_free(&model->heap, factors);
            return status;
        }
    double *w = model->rope_w[set] = slm_heap_array(&model->heap, pairs, sizeof *w);
    if (w)
        slm_config_rope(&model->config, set, factors, w, &model->rope_m[set]);
    else
        status = slm_fail(b->err, SLM_E_MEMORY, "%s: rope of %zu pairs", b->file->path, pairs);
    for (size_t i = 0; !status && i < pairs; i++)
        if (!(w[i] >= 0 && w[i] <= MOST_TURN))          /* not so: NaN */
            status = slm_fail(b->err, SLM_E_FORMAT, "%s: rope: pair %zu turns by %g a token (allowed 0 to %d radians)", b->file->path, i,
                              w[i], MOST_TURN);
    if (factors) {                      /* they live on in rope_w */
        model->weight_bytes -= pairs * sizeof *factors;
        model->step_bytes -= pairs * sizeof *factors;
    }
    slm_heap_free(&model->heap, factors);
    return status;
}

/* The tables that some layer of some session asks for. */
static slm_status bind_ropes(binder *b)
{
    const slm_config *c = &b->model->config;
    const bool two = c->scaling == SLM_SCALING_LONGROPE;
    if (c->arch->rope == SLM_ROPE_NONE)
        return SLM_OK;
    slm_status status = bind_rope(b, SLM_ROPE_MAIN, two ? "rope_factors_short.weight" : "rope_freqs.weight", two);
    if (!status && two)
        status = bind_rope(b, SLM_ROPE_LONG, "rope_factors_long.weight", true);
    if (!status && c->local_base != 0)
        status = bind_rope(b, SLM_ROPE_LOCAL, NULL, false);
    return status;
}

/* The table of buckets, a row each with a value for each head, spread out over the distances. */
static slm_status bind_relative(binder *b)
{
    slm_model *model = b->model;
    const slm_config *c = &model->config;
    float *buckets = NULL;
    slm_status status = table(b, &buckets, "enc.blk.0.attn_rel_b.weight", c->heads, c->buckets, true);
    if (status)
        return status;
    model->relative = slm_heap_array(&model->heap, c->heads, SLM_RELATIVE_ROW * sizeof *model->relative);
    if (!model->relative)
        status = slm_fail(b->err, SLM_E_MEMORY, "%s: biases of %u heads by distance", b->file->path, c->heads);
    for (size_t h = 0; !status && h < c->heads; h++)
        for (uint32_t i = 0; i < SLM_RELATIVE_ROW; i++) {
            const bool behind = i > SLM_RELATIVE_MOST;
            const uint32_t distance = behind ? i - SLM_RELATIVE_MOST : SLM_RELATIVE_MOST - i;
            model->relative[h * SLM_RELATIVE_ROW + i] = buckets[slm_config_bucket(c, distance, behind) * c->heads + h];
        }
    const uint64_t less = (uint64_t)c->buckets * c->heads * sizeof *buckets, more = (uint64_t)c->heads * SLM_RELATIVE_ROW * sizeof *buckets;
    model->weight_bytes += more - less;
    model->step_bytes += more - less;
    slm_heap_free(&model->heap, buckets);
    return status;
}

/* What stands around an encoder's layers: token types, the norm of the embedding, the bias by distance. */
static slm_status bind_encoder(binder *b)
{
    slm_model *model = b->model;
    const slm_config *c = &model->config;
    const size_t e = c->embedding;
    slm_status status = SLM_OK;
    if (c->arch->token_types)
        status = matrix(b, &model->token_types, "token_types.weight", e, c->token_types, true);
    if (!status && c->arch->embedding_norm)
        status = vector(b, &model->embedding_norm.w, "token_embd_norm.weight", e, true);
    if (!status && c->arch->embedding_norm)
        status = vector(b, &model->embedding_norm.b, "token_embd_norm.bias", e, c->arch->bias);
    return !status && c->arch->relative ? bind_relative(b) : status;
}

static slm_status bind_name(binder *b)
{
    const char *text = "";
    size_t n = 0;
    bool found;
    slm_status status = slm_keys_str(&b->file->keys, "general.name", &text, &n, &found, b->err);
    if (status)
        return status;
    b->model->name = slm_heap_alloc(&b->model->heap, n + 1);
    if (!b->model->name)
        return slm_fail(b->err, SLM_E_MEMORY, "%s: name of %zu bytes", b->file->path, n);
    if (n)
        memcpy(b->model->name, text, n);
    b->model->name[n] = 0;
    return SLM_OK;
}

static slm_status bind_output_norm(binder *b)
{
    slm_model *model = b->model;
    const slm_arch *a = model->config.arch;
    const char *prefix = a->prefix ? a->prefix : "";
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    (void)snprintf(name, sizeof name, "%soutput_norm.weight", prefix);
    const slm_status status = vector(b, &model->output_norm.w, name, model->config.embedding, true);
    if (status || a->norm != SLM_NORM_LAYER)
        return status;
    (void)snprintf(name, sizeof name, "%soutput_norm.bias", prefix);
    return vector(b, &model->output_norm.b, name, model->config.embedding, a->bias);
}

/* Everything but what the matrices hold. */
static slm_status bind_all(binder *b)
{
    slm_model *model = b->model;
    const slm_config *c = &model->config;
    slm_status status = bind_name(b);
    if (!status)
        status = bind_ropes(b);
    if (!status)
        status = matrix(b, &model->embedding, "token_embd.weight", c->embedding, c->vocab, true);
    if (!status && c->arch->positions)
        status = matrix(b, &model->positions, "position_embd.weight", c->embedding, c->context, true);
    if (!status && c->arch->encoder)
        status = bind_encoder(b);
    for (size_t i = 0; !status && i < c->layers; i++)
        status = bind_layer(b, &model->layers[i], i);
    if (!status && c->arch->norm_place != SLM_NORM_SUM)
        status = bind_output_norm(b);
    if (!status && c->arch->head != SLM_HEAD_TIED && c->arch->head != SLM_HEAD_NONE)
        status = matrix(b, &model->head, "output.weight", c->embedding, c->vocab, c->arch->head == SLM_HEAD_OWN);
    if (!status && c->arch->head != SLM_HEAD_NONE)
        status = vector(b, &model->output_bias, "output.bias", c->vocab, c->arch->head_bias);
    return status;
}

slm_status slm_model_bind(slm_model *model, const slm_file *file, slm_progress_fn *progress, void *user, slm_task_fn *beside, void *ctx,
                          slm_error *err)
{
    binder b = { model, file, { .file = file, .heap = &model->heap, .team = model->team, .progress = progress, .user = user,
                                .beside = beside, .beside_ctx = ctx }, err };
    slm_status status = slm_config_read(&model->config, file, err);
    if (status)
        return status;
    const slm_config *c = &model->config;
    for (size_t i = 0; i < file->n_tensors; i++)
        b.panels.total += file->tensors[i].bytes;
    model->layers = slm_heap_zarray(&model->heap, c->layers, sizeof *model->layers);
    b.panels.wanted = slm_heap_array(&model->heap, OF_LAYER * (size_t)c->layers + OF_MODEL, sizeof *b.panels.wanted);
    if (!model->layers || !b.panels.wanted)
        status = slm_fail(err, SLM_E_MEMORY, "%s: %u layers", file->path, c->layers);
    if (!status)
        status = bind_all(&b);
    if (!status)
        status = slm_panels_read(&b.panels, &model->panels, err);
    slm_heap_free(&model->heap, b.panels.wanted);
    if (status)
        return status;
    const slm_matrix *looked_up[] = { &model->positions, &model->token_types, model->head.type || c->arch->encoder ? &model->embedding : NULL };
    for (size_t i = 0; i < 3; i++)      /* a step reads a row of these */
        if (looked_up[i])
            model->step_bytes -= (uint64_t)slm_matrix_panels(looked_up[i]) * looked_up[i]->panel_bytes;
    for (size_t i = 0; i < c->layers; i++) {
        const slm_layer *l = &model->layers[i];
        const slm_matrix *all[] = { &l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            model->matrix_params += (uint64_t)all[j]->rows * all[j]->cols;
    }
    return SLM_OK;
}

void slm_model_release(slm_model *model)
{
    slm_heap *heap = &model->heap;
    for (size_t i = 0; model->layers && i < model->config.layers; i++) {
        slm_layer *l = &model->layers[i];
        float *vectors[] = { l->attn_norm.w, l->attn_norm.b, l->ffn_norm.w, l->ffn_norm.b, l->post_attn.w, l->post_attn.b, l->post_ffn.w,
                             l->post_ffn.b, l->q_norm, l->k_norm, l->q_bias, l->k_bias, l->v_bias, l->o_bias, l->gate_bias,
                             l->up_bias, l->down_bias };
        for (size_t j = 0; j < sizeof vectors / sizeof *vectors; j++)
            slm_heap_free(heap, vectors[j]);
    }
    slm_heap_free(heap, model->layers);
    slm_heap_free(heap, model->panels);
    slm_heap_free(heap, model->embedding_norm.w);
    slm_heap_free(heap, model->embedding_norm.b);
    slm_heap_free(heap, model->relative);
    slm_heap_free(heap, model->output_norm.w);
    slm_heap_free(heap, model->output_norm.b);
    slm_heap_free(heap, model->output_bias);
    for (size_t i = 0; i < SLM_ROPE_SETS; i++)
        slm_heap_free(heap, model->rope_w[i]);
    slm_heap_free(heap, model->name);
    slm_map_close(model->map);
    slm_team_free(model->team);
}
