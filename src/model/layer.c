/* layer.c -- a layer top to bottom, driven by the architecture's row and the config.
 *
 * Every step below is one run of the team; what a step needs from another thread has crossed the end of the run before it:
 *
 *   1  per token    x += what the layer before left (down + bias, its norm, scale); norm; quantize
 *   2  product      q, k, v: panels of three matrices in one run
 *   3  per token    biases, q/k norm, rope, k and v into the cache
 *   4  attention    per kv head and tile of tokens, over the pages of the cache
 *   5  per token    quantize the attention's output
 *   6  product      output
 *   7  per token    x += output + bias; norm; quantize
 *   8  product      gate, up, each piece at once: biases, act(gate) * up or act(up), quantize (feed_forward.c)
 *   9  product      down
 *
 * In a parallel block step 7 only adds: steps 2 and 8 read the same norm. Where a family has no norm before a branch, the branch reads x;
 * where it norms the sum, steps 1 and 7 do that to x.
 *
 * With few tokens the per-token steps run on the calling thread, so a layer costs five runs. Each value is computed by one thread in the
 * order of the arithmetic contract: neither the split nor the chunk can show in the result. */
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
    slm_pass *p = ctx;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    slm_work *w = p->w;
    const slm_row *r = &w->rows[t];
    const size_t pairs = c->rope_size / 2, e = c->embedding;
    float *x = w->x + t * e, *other = w->delta + t * e;     /* delta is not used yet */
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
        slm_pass_note_bad(p, t);
    if (slm_config_rope_sets(c) > 0)
        angles(w->cos[0] + t * pairs, w->sin[0] + t * pairs, m, slm_config_rope_long(c, r->s->sequence->kv->context), r->position);
    if (slm_config_rope_sets(c) > 1)
        angles(w->cos[1] + t * pairs, w->sin[1] + t * pairs, m, SLM_ROPE_LOCAL, r->position);
}

/* What lies between two products: what is added to x, and what the next branch reads. */
typedef struct joint {
    bool add;                   /* x += post(delta + bias) * residual scale; x = post(x + delta + bias) where sums are normed */
    const float *bias;          /* [embedding] or NULL */
    const slm_norm *post;       /* of delta, or of the sum */
    const slm_norm *norm;       /* of x, into `in`; NULL: the next branch reads what is in `in` */
} joint;

static void add_and_norm(void *ctx, size_t t)
{
    slm_pass *p = ctx;
    slm_work *w = p->w;
    const slm_model *m = p->model;
    const joint *j = p->joint;
    const bool sum = m->config.arch->norm_place == SLM_NORM_SUM;
    const size_t e = m->config.embedding;
    float *x = w->x + t * e, sumsq = 0;
    if (slm_pass_failed(p, t))
        return;
    if (j->add) {
        float *delta = w->delta + t * e;
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
        sumsq = apply_norm(m, w->in.f + t * w->in.ld, x, j->norm, e);
    if (!slm_is_finite(sumsq))
        slm_pass_note_bad(p, t);
    else if (j->norm && p->quantize)
        slm_pass_quantize(p, &w->in, t);
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
    slm_pass *p = ctx;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    const size_t d = c->head_size, pairs = c->rope_size / 2, qn = c->heads * d, kn = c->kv_heads * d;
    float *q = p->w->qkv[0] + t * qn, *k = p->w->qkv[1] + t * kn, *v = p->w->qkv[2] + t * kn;
    const size_t set = slm_config_rope_sets(c) > 1 && slm_config_windowed(c, p->index);
    slm_rope_normal_f32_fn *rope = c->arch->rope == SLM_ROPE_NEOX ? m->kernels.rope_neox_f32 : m->kernels.rope_normal_f32;
    if (slm_pass_failed(p, t))
        return;
    if (p->layer->q_bias)
        slm_add_to(q, p->layer->q_bias, qn);
    if (p->layer->k_bias)
        slm_add_to(k, p->layer->k_bias, kn);
    if (p->layer->v_bias)
        slm_add_to(v, p->layer->v_bias, kn);
    const bool ok = norm_heads(m, q, p->layer->q_norm, c->heads) && norm_heads(m, k, p->layer->k_norm, c->kv_heads);
    if (turns(c->arch, p->index)) {
        const float *cos = p->w->cos[set] + t * pairs, *sin = p->w->sin[set] + t * pairs;
        rope(q, cos, sin, c->heads, d, pairs);
        rope(k, cos, sin, c->kv_heads, d, pairs);
    }
    if (!ok || !slm_kv_store(p->w->rows[t].s->sequence->kv, &m->kernels, p->w->rows[t].position, slm_pass_shelf(p), k, v))
        slm_pass_note_bad(p, t);
}

static void join(slm_pass *p, const joint *j, const slm_matrix *const *readers, size_t n)
{
    p->joint = j;
    p->quantize = wants_blocks(readers, n);
    slm_pass_each_row(p, 2 * p->model->config.embedding, add_and_norm);
    slm_pass_lap(p, SLM_OP_NORM, 0, 0);
}

/* Sequences with a value that is not finite end here. */
static void drop_bad(slm_pass *p, const char *where, size_t number)
{
    for (size_t i = 0; i < p->n_segments; i++) {
        slm_segment *s = &p->w->segments[i];
        const size_t bad = atomic_load(&s->bad);
        if (bad != SIZE_MAX && !s->failed)
            slm_pass_give_up(p, s, slm_fail(s->sequence->err, SLM_E_NUMERIC, "%s %zu: a value is not finite or too large for the cache at position %zu",
                                   where, number, p->w->rows[bad].position));
    }
}

/* A layer, top to bottom. `before` is the layer before, whose output is still to be added; NULL for the first. */
static void run_layer(slm_pass *p, const slm_layer *before)
{
    const slm_model *m = p->model;
    const slm_layer *l = p->layer;
    slm_work *w = p->w;
    const slm_config *c = &m->config;
    const size_t e = c->embedding, d = c->head_size;
    const slm_matrix *readers[] = { &l->q, &l->k, &l->v, &l->gate, &l->up };

    join(p, &(joint){ .add = before, .bias = before ? before->down_bias : NULL, .post = before ? &before->post_ffn : NULL,
                      .norm = &l->attn_norm }, readers, l->parallel ? 5 : 3);
    slm_pass_product(p, SLM_OP_QKV, &(slm_product){ .m = { &l->q, &l->k, &l->v }, .y = { w->qkv[0], w->qkv[1], w->qkv[2] },
                               .ldy = { c->heads * d, c->kv_heads * d, c->kv_heads * d }, .count = 3, .tokens = p->n, .x = &w->in });
    slm_pass_each_row(p, (c->heads + 4 * c->kv_heads) * d, store_kv);
    slm_pass_lap(p, SLM_OP_ROPE, 0, 0);
    drop_bad(p, "layer", p->index);
    if (!p->alive)
        return;
    slm_pass_attention(p);
    slm_pass_product(p, SLM_OP_OUTPUT, &(slm_product){ .m = { &l->o }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->att });
    join(p, &(joint){ .add = true, .bias = l->o_bias, .post = &l->post_attn, .norm = l->parallel ? NULL : &l->ffn_norm }, readers + 3, 2);
    slm_pass_feed_forward(p);
    slm_pass_product(p, SLM_OP_DOWN, &(slm_product){ .m = { &l->down }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->act });
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

void slm_pass_run(slm_pass *p, const slm_matrix *head)
{
    const slm_model *m = p->model;
    slm_profile_start(p->w->profile, m->team);
    slm_team_run(m->team, p->n, embed, p);
    slm_pass_lap(p, SLM_OP_EMBED, 0, 0);
    for (size_t i = 0; i < m->config.layers; i++) {
        look(p);
        if (!p->alive)
            return;
        p->index = i;
        p->layer = &m->layers[i];
        run_layer(p, i ? &m->layers[i - 1] : NULL);
        drop_bad(p, "layer", i);
        if (!p->alive)
            return;
    }
    const slm_layer *last = &m->layers[m->config.layers - 1];
    join(p, &(joint){ .add = true, .bias = last->down_bias, .post = &last->post_ffn, .norm = &m->output_norm }, &head, head != NULL);
    drop_bad(p, "output norm after layer", m->config.layers - 1);
}
