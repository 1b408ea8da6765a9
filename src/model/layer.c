/* layer.c -- a layer top to bottom, driven by the architecture's row and the config.
 *
 * The rows of a pass go through a layer in two steps, for attention wants the keys and values of all rows before it:
 *
 *   keys    norm; quantize; q, k, v; biases, q/k norm, rope, k and v into the cache
 *   rest    attention; quantize; output; x += that + bias; norm; quantize; gate, up and activation (feed_forward.c); down; x += that + bias
 *
 * Of many rows a thread does all of a step for a strip of rows, so a layer costs two runs of the team. Of few rows the products, and attention
 * where it is long, are a run each, and a layer costs five: q k v, attention, output, gate up, down; what lies between is done by the
 * calling thread.
 *
 * In a parallel block gate up reads the norm that q k v read. Where a family has no norm before a branch, the
 * branch reads x; where it norms the sum, that is done to x. Each value is computed by one thread in the order of the arithmetic contract:
 * neither the split nor the chunk can show in the result. */
#include "model/pass.h"

#include "core/size.h"
#include "kernels/math.h"

#include <string.h>

static bool wants_blocks(const slm_matrix *const *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m[i]->type && !m[i]->type->float_x)
            return true;
    return false;
}

static void scale(float *x, float by, size_t n)
{
    for (size_t i = 0; by != 1 && i < n; i++)
        x[i] *= by;
}

/* A norm of the family's kind, w or none: then y is x. Returns the sum of squares, not finite where the caller must stop. */
static float apply_norm(const slm_model *m, float *y, const float *x, const slm_norm *norm, size_t n)
{
    const float eps = m->config.norm_eps;
    if (!norm->w) {
        memcpy(y, x, n * sizeof *y);
        return 0;
    }
    return m->config.arch->norm == SLM_NORM_LAYER ? m->kernels.layer_norm_f32(y, x, norm->w, norm->b, n, eps)
                                                  : m->kernels.rms_norm_f32(y, x, norm->w, n, eps);
}

static void angles(float *cos, float *sin, const slm_model *m, slm_rope_set set, size_t position)
{
    for (size_t i = 0; i < m->config.rope_size / 2; i++) {
        const double angle = (double)position * m->rope_w[set][i];
        cos[i] = (float)(m->rope_m[set] * slm_cos_f64(angle));
        sin[i] = (float)(m->rope_m[set] * slm_sin_f64(angle));
    }
}

static void embed(void *ctx, size_t t)
{
    const slm_strip *s = ctx;
    const slm_model *m = s->pass->model;
    const slm_config *c = &m->config;
    slm_work *w = s->pass->w;
    const size_t row = s->row + t, pairs = c->rope_size / 2, e = c->embedding;
    const slm_row *r = &w->rows[row];
    float *x = w->x + row * e, *other = s->delta + t * e;   /* delta is not used yet */
    slm_matrix_row(&m->embedding, (size_t)r->token, x);
    scale(x, c->embedding_scale, e);
    if (m->token_types.type) {
        slm_matrix_row(&m->token_types, 0, other);
        slm_add_to(x, other, e);
    }
    if (m->positions.type) {
        slm_matrix_row(&m->positions, r->position, other);
        slm_add_to(x, other, e);
    }
    if (m->embedding_norm.w && !slm_is_finite(apply_norm(m, x, x, &m->embedding_norm, e)))
        slm_pass_note_bad(s->pass, row);
    if (slm_config_rope_sets(c) > 0)
        angles(w->cos[0] + row * pairs, w->sin[0] + row * pairs, m, slm_config_rope_long(c, r->s->sequence->kv->context), r->position);
    if (slm_config_rope_sets(c) > 1)
        angles(w->cos[1] + row * pairs, w->sin[1] + row * pairs, m, SLM_ROPE_LOCAL, r->position);
}

/* What lies between two products: what is added to x, and what the next branch reads. */
typedef struct joint {
    const slm_strip *strip;
    const float *bias;          /* [embedding] or NULL */
    const slm_norm *post;       /* x += post(delta + bias) * residual scale; x = post(x + delta + bias) where sums are normed. NULL: nothing is added */
    const slm_norm *norm;       /* of x, into `in`; NULL: the next branch reads what is in `in` */
    bool quantize;              /* that too */
    const slm_matrix *const *readers;   /* [n] of that branch: their first weights are asked for meanwhile */
    size_t n;
} joint;

static void add_and_norm(void *ctx, size_t t)
{
    const joint *j = ctx;
    const slm_strip *s = j->strip;
    const slm_model *m = s->pass->model;
    const bool sum = m->config.arch->norm_place == SLM_NORM_SUM;
    const size_t e = m->config.embedding;
    float *x = s->pass->w->x + (s->row + t) * e, sumsq = 0;
    for (size_t i = 0; s->own && i < j->n; i++)
        slm_pass_ask(j->readers[i], 0, t, s->n);
    if (slm_pass_failed(s, t))
        return;
    if (j->post) {
        float *delta = s->delta + t * e;
        if (j->bias)
            slm_add_to(delta, j->bias, e);
        if (j->post->w && !sum)
            sumsq = apply_norm(m, delta, delta, j->post, e);
        scale(delta, m->config.residual_scale, e);
        slm_add_to(x, delta, e);
        if (sum)
            sumsq = apply_norm(m, x, x, j->post, e);
    }
    if (slm_is_finite(sumsq) && j->norm)
        sumsq = apply_norm(m, s->in.f + t * s->in.ld, x, j->norm, e);
    if (!slm_is_finite(sumsq))
        slm_pass_note_bad(s->pass, s->row + t);
    else if (j->norm && j->quantize)
        slm_pass_quantize(s, &s->in, t);
}

/* q or k: [heads][d]. */
static bool norm_heads(const slm_model *m, float *x, float *w, size_t heads)
{
    const size_t d = m->config.head_size;
    const float eps = m->config.norm_eps;
    bool ok = true;
    switch (w ? m->config.arch->qk_norm : SLM_QK_NONE) {
    case SLM_QK_NONE:
        break;
    case SLM_QK_WHOLE:
        ok = slm_is_finite(m->kernels.rms_norm_f32(x, x, w, heads * d, eps));
        break;
    case SLM_QK_HEAD:
        for (size_t h = 0; h < heads; h++)
            ok &= slm_is_finite(m->kernels.rms_norm_f32(x + h * d, x + h * d, w, d, eps));
        break;
    case SLM_QK_LAYER:
        for (size_t h = 0; h < heads; h++)
            ok &= slm_is_finite(m->kernels.layer_norm_f32(x + h * d, x + h * d, w + h * d, NULL, d, eps));
        break;
    }
    return ok;
}

/* Does this layer turn q and k? */
static bool turns(const slm_arch *a, size_t layer)
{
    return a->rope != SLM_ROPE_NONE && !(a->no_rope_every && (layer + 1) % a->no_rope_every == 0);
}

static void store_kv(void *ctx, size_t t)
{
    const slm_strip *s = ctx;
    slm_pass *p = s->pass;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    const slm_layer *l = p->layer;
    const slm_row *r = &p->w->rows[s->row + t];
    const size_t d = c->head_size, pairs = c->rope_size / 2, qn = c->heads * d, kn = c->kv_heads * d, row = s->row + t;
    float *q = p->w->q + row * qn, *k = s->k + t * kn, *v = s->v + t * kn;
    const size_t set = slm_config_rope_sets(c) > 1 && slm_config_windowed(c, p->index);
    slm_rope_normal_f32_fn *rope = c->arch->rope == SLM_ROPE_NEOX ? m->kernels.rope_neox_f32 : m->kernels.rope_normal_f32;
    if (slm_pass_failed(s, t))
        return;
    if (l->q_bias)
        slm_add_to(q, l->q_bias, qn);
    if (l->k_bias)
        slm_add_to(k, l->k_bias, kn);
    if (l->v_bias)
        slm_add_to(v, l->v_bias, kn);
    const bool ok = norm_heads(m, q, l->q_norm, c->heads) && norm_heads(m, k, l->k_norm, c->kv_heads);
    if (turns(c->arch, p->index)) {
        const float *cos = p->w->cos[set] + row * pairs, *sin = p->w->sin[set] + row * pairs;
        rope(q, cos, sin, c->heads, d, pairs);
        rope(k, cos, sin, c->kv_heads, d, pairs);
    }
    if (!ok || !slm_kv_store(r->s->sequence->kv, &m->kernels, r->position, slm_pass_shelf(p), k, v))
        slm_pass_note_bad(p, row);
}

static void join(joint *j, const slm_matrix *const *readers, size_t n)
{
    j->quantize = wants_blocks(readers, n);
    j->readers = readers;
    j->n = n;
    slm_pass_each_row(j->strip, 2 * j->strip->pass->model->config.embedding, add_and_norm, j);
    slm_pass_lap(j->strip, SLM_OP_NORM, 0, 0);
}

/* ---- a layer ---- */

static void keys(const slm_strip *s)
{
    slm_pass *p = s->pass;
    const slm_layer *l = p->layer;
    const slm_config *c = &p->model->config;
    const size_t d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    const slm_matrix *readers[] = { &l->q, &l->k, &l->v };
    void *const strip = (void *)(uintptr_t)s;
    if (p->index == 0) {
        slm_pass_each_row(s, 64 * c->embedding, embed, strip);
        slm_pass_lap(s, SLM_OP_EMBED, 0, 0);
    }
    join(&(joint){ .strip = s, .norm = &l->attn_norm }, readers, 3);
    slm_pass_product(s, SLM_OP_QKV, &(slm_product){ .m = { &l->q, &l->k, &l->v }, .y = { p->w->q + s->row * qn, s->k, s->v }, .ldy = { qn, kn, kn },
                                                   .count = 3, .tokens = s->n, .x = &s->in });
    slm_pass_each_row(s, (c->heads + 4 * c->kv_heads) * d, store_kv, strip);
    slm_pass_lap(s, SLM_OP_ROPE, 0, 0);
}

static void rest(const slm_strip *s)
{
    const slm_layer *l = s->pass->layer;
    const size_t e = s->pass->model->config.embedding;
    const slm_matrix *readers[] = { &l->gate, &l->up };
    if (l->parallel)            /* what `keys` left in `in` may be another strip's by now */
        join(&(joint){ .strip = s, .norm = &l->attn_norm }, readers, 2);
    slm_pass_attention(s);
    slm_pass_product(s, SLM_OP_OUTPUT, &(slm_product){ .m = { &l->o }, .y = { s->delta }, .ldy = { e }, .count = 1, .tokens = s->n, .x = &s->att });
    join(&(joint){ .strip = s, .bias = l->o_bias, .post = &l->post_attn, .norm = l->parallel ? NULL : &l->ffn_norm }, readers, 2);
    slm_pass_feed_forward(s);
    slm_pass_product(s, SLM_OP_DOWN, &(slm_product){ .m = { &l->down }, .y = { s->delta }, .ldy = { e }, .count = 1, .tokens = s->n, .x = &s->act });
    join(&(joint){ .strip = s, .bias = l->down_bias, .post = &l->post_ffn }, NULL, 0);
}

static void norm_last(void *ctx, size_t t)
{
    const slm_strip *s = ctx;
    const slm_model *m = s->pass->model;
    float *x = s->pass->w->x + (s->row + t) * m->config.embedding;
    if (!slm_pass_failed(s, t) && !slm_is_finite(apply_norm(m, x, x, &m->output_norm, m->config.embedding)))
        slm_pass_note_bad(s->pass, s->row + t);
}

static void last(const slm_strip *s)
{
    slm_pass_each_row(s, 2 * s->pass->model->config.embedding, norm_last, (void *)(uintptr_t)s);
    slm_pass_lap(s, SLM_OP_NORM, 0, 0);
}

/* Sequences whose time is over or that were cancelled end here. */
static void look(slm_pass *p)
{
    for (size_t i = 0; i < p->n_segments; i++) {
        slm_segment *s = &p->w->segments[i];
        const slm_status status = s->failed ? SLM_OK : slm_watch_look(&s->sequence->watch, s->sequence->err);
        if (status)
            slm_pass_give_up(p, s, status);
    }
}

void slm_pass_run(slm_pass *p)
{
    const slm_model *m = p->model;
    slm_profile_start(p->w->profile, m->team);
    for (p->index = 0; p->index < m->config.layers; p->index++) {
        p->layer = &m->layers[p->index];
        look(p);
        if (p->alive)
            slm_pass_each_strip(p, keys);
        slm_pass_drop_bad(p, "layer", p->index);
        if (p->alive)
            slm_pass_each_strip(p, rest);
        slm_pass_drop_bad(p, "layer", p->index);
        if (!p->alive)
            return;
    }
    slm_pass_each_strip(p, last);
    slm_pass_drop_bad(p, "output norm after layer", m->config.layers - 1);
}
