/* decoder.c -- the decoder, driven by the architecture's row and the config.
 *
 * A pass takes a chunk of tokens through the layers together: rows of the activations, in segments of one sequence each. Only the
 * embedding's rope, the cache and the attention ask which sequence a row belongs to; everything else sees rows. A sequence that fails
 * on the way is skipped from then on, and its rows stay what they were: they are multiplied with the others and nobody looks at them.
 * Every step below is one run of the team; what a step needs from another thread
 * has crossed the end of the run before it:
 *
 *   1  per token    x += what the layer before left (down + bias, its norm, scale); norm; quantize
 *   2  product      q, k, v: panels of three matrices in one run
 *   3  per token    biases, q/k norm, rope, k and v into the cache
 *   4  attention    per kv head and tile of tokens, over the pages of the cache
 *   5  per token    quantize the attention's output
 *   6  product      output
 *   7  per token    x += output + bias; norm; quantize
 *   8  product      gate, up
 *   9  per token    biases, act(gate) * up or act(up), quantize
 *   10 product      down
 *
 * In a parallel block step 7 only adds: steps 2 and 8 read the same norm. Where a family has no norm before a branch, the branch reads x.
 *
 * With few tokens the per-token steps run on the calling thread, so a layer costs five runs. Each value is computed by one thread in the
 * order of the arithmetic contract: neither the split nor the chunk can show in the result.
 *
 * A product takes f32 or 8-bit activations as its weights' type says, and files mix types: the input of a product is kept as f32 (rows
 * zero up to a multiple of 64), and quantized too if one of its matrices wants that. */
#include "model/decoder.h"

#include "core/size.h"
#include "kernels/math.h"

#include <string.h>

enum {
    WORK_BYTES = 24 << 20,      /* of activations; more tokens at once gain nothing in the products */
    TILE_BYTES = 256 << 10,     /* of scores a thread keeps: an L2's share */
    TILE_TOKENS = 16,
    TASK_BYTES = 128 << 10,     /* of weights times tokens (or of cache): less than this is done sooner than a thread is told */
    HEAD_ROWS = 16,             /* rows of logits computed together */
    HEAD_BYTES = 8 << 20
};

/* Activations of a product: [chunk] rows in both forms. */
typedef struct operand {
    size_t n, ld, blocks;       /* values of a row; floats and blocks from row to row */
    float *f;
    slm_xblock *q;
} operand;

typedef struct scratch {
    float *q, *out, *scores;    /* [rows][head size] x 2, [rows][keys] */
} scratch;

struct slm_work {
    slm_heap *heap;
    void *memory;
    size_t chunk, context;
    size_t score_room;          /* floats of one thread's scores */
    float *x;                   /* [chunk][embedding] the residual stream */
    float *delta;               /* [chunk][embedding] what is added to it next */
    float *qkv[3];              /* [chunk][heads or kv heads * head size] */
    float *gate, *up;           /* [chunk][feed forward] */
    operand in, att, act;       /* of qkv and gate/up; of output; of down */
    float *cos[2], *sin[2];     /* [chunk][pairs] of global and of windowed layers; the second NULL where they turn alike */
    float *logits;              /* [head_rows][vocab] */
    size_t head_rows;
    scratch *scratch;           /* [width of the team] */
    struct row *rows;           /* [chunk] */
    struct segment *segments;   /* [most_segments] */
    size_t most_segments;
    slm_importance *importance; /* NULL: nothing is measured */
};

/* Consecutive rows of a pass: tokens of one sequence. */
typedef struct segment {
    slm_sequence *sequence;
    size_t row, n;              /* first row; rows */
    size_t first;               /* position of the first row */
    size_t tile, pieces;        /* attention: tokens of a tile; tiles * kv heads */
    atomic_size_t bad;          /* lowest row with a value that is not finite; SIZE_MAX: none */
    bool failed;                /* seen: the sequence has its status */
} segment;

typedef struct row {
    segment *s;
    size_t position;
    int32_t token;
} row;

/* What the tasks of a step see. */
typedef struct pass {
    const slm_model *model;
    const slm_layer *layer;
    slm_work *w;
    size_t n, index;            /* rows, number of the layer */
    size_t n_segments, alive;   /* alive: not failed */
    const struct joint *joint;  /* step 1 and 7 */
    bool quantize;
    size_t pieces;              /* attention: of all segments */
    atomic_size_t next;         /* next piece of work */
} pass;

/* ---- memory ---- */

/* Hands out pieces of one block; with base NULL it only counts. */
typedef struct layout {
    uint8_t *base;
    size_t used;
    bool overflow;
} layout;

static void *piece(layout *l, size_t n, size_t each)
{
    size_t bytes, end;
    if (!slm_size_mul(n, each, &bytes) || !slm_size_add(bytes, 63, &bytes) || !slm_size_add(l->used, bytes &= ~(size_t)63, &end)) {
        l->overflow = true;
        return NULL;
    }
    void *at = l->base ? l->base + l->used : NULL;
    l->used = end;
    return at;
}

static void place_operand(layout *l, operand *o, size_t n, size_t chunk)
{
    o->n = n;
    o->ld = slm_ceil_div(n, 64) * 64;
    o->blocks = o->ld / 32;
    o->f = piece(l, chunk, o->ld * sizeof *o->f);
    o->q = piece(l, chunk, o->blocks * sizeof *o->q);
}

/* Tables of angles a row needs at once. */
static size_t rope_sets(const slm_config *c)
{
    return c->rope_size == 0 ? 0 : c->local_base != 0 ? 2 : 1;
}

static void place(layout *l, slm_work *w, const slm_config *c, size_t width)
{
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    const size_t group = c->heads / c->kv_heads;
    w->x = piece(l, w->chunk, e * sizeof(float));
    w->delta = piece(l, w->chunk, e * sizeof(float));
    w->qkv[0] = piece(l, w->chunk, qn * sizeof(float));
    w->qkv[1] = piece(l, w->chunk, kn * sizeof(float));
    w->qkv[2] = piece(l, w->chunk, kn * sizeof(float));
    w->gate = piece(l, w->chunk, f * sizeof(float));
    w->up = piece(l, w->chunk, f * sizeof(float));
    place_operand(l, &w->in, e, w->chunk);
    place_operand(l, &w->att, qn, w->chunk);
    place_operand(l, &w->act, f, w->chunk);
    for (size_t i = 0; i < rope_sets(c); i++) {
        w->cos[i] = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
        w->sin[i] = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
    }
    w->head_rows = slm_max(1, slm_min(slm_min(HEAD_ROWS, w->chunk), HEAD_BYTES / (c->vocab * sizeof(float))));
    w->logits = piece(l, w->head_rows, c->vocab * sizeof(float));
    w->score_room = slm_max(TILE_BYTES / sizeof(float), group * slm_ceil_div(w->context, SLM_PAGE) * SLM_PAGE);
    w->rows = piece(l, w->chunk, sizeof *w->rows);
    w->segments = piece(l, w->most_segments, sizeof *w->segments);
    w->scratch = piece(l, width, sizeof *w->scratch);
    for (size_t i = 0; i < width; i++) {
        const scratch s = { piece(l, group * TILE_TOKENS, d * sizeof(float)), piece(l, group * TILE_TOKENS, d * sizeof(float)),
                            piece(l, w->score_room, sizeof(float)) };
        if (l->base)
            w->scratch[i] = s;
    }
}

static size_t token_bytes(const slm_config *c)
{
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    return 4 * (2 * e + qn + 2 * kn + 2 * f + d) + (e + qn + f + 192) * 21 / 4;
}

/* The sizes; what they need in one piece, in bytes. */
static layout measure(slm_work *w, const slm_config *c, size_t width, size_t chunk, size_t most, size_t context, size_t sequences)
{
    layout count = { 0 };
    w->context = context;
    w->chunk = slm_max(1, slm_min(most, chunk ? chunk : slm_min(512, WORK_BYTES / token_bytes(c))));
    w->most_segments = slm_max(1, slm_min(w->chunk, sequences));
    place(&count, w, c, width);
    return count;
}

uint64_t slm_work_heap_bytes(const slm_config *config, size_t width, size_t chunk, size_t most, size_t context, size_t sequences)
{
    slm_work w = { 0 };
    const layout count = measure(&w, config, width, chunk, most, context, sequences);
    const uint64_t own = slm_heap_cost(sizeof w), all = slm_heap_cost(count.used);
    return count.overflow || all > UINT64_MAX - own ? UINT64_MAX : own + all;
}

slm_status slm_work_new(slm_work **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t most, size_t context, size_t sequences,
                        slm_error *err)
{
    const size_t width = slm_team_width(model->team);
    slm_work *w = slm_heap_zalloc(heap, sizeof *w);
    if (!w)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu bytes", sizeof *w);
    w->heap = heap;
    const layout count = measure(w, &model->config, width, chunk, most, context, sequences);
    layout real = { count.overflow ? NULL : slm_heap_zalloc(heap, count.used), 0, false };   /* zeroed: rows are padded with zeros */
    if (!real.base) {
        const slm_status status = slm_fail(err, SLM_E_MEMORY, "session: %zu bytes for %zu tokens at once in a context of %zu", count.used,
                                           w->chunk, context);
        slm_heap_free(heap, w);
        return status;
    }
    w->memory = real.base;
    place(&real, w, &model->config, width);
    *out = w;
    return SLM_OK;
}

void slm_work_free(slm_work *work)
{
    if (!work)
        return;
    slm_heap_free(work->heap, work->memory);
    slm_heap_free(work->heap, work);
}

void slm_work_measure(slm_work *work, slm_importance *importance)
{
    work->importance = importance;
}

/* ---- pieces ---- */

static void note_bad(pass *p, size_t t)
{
    atomic_size_t *bad = &p->w->rows[t].s->bad;
    size_t seen = atomic_load(bad);
    while (t < seen && !atomic_compare_exchange_weak(bad, &seen, t))
        ;
}

static bool failed(const pass *p, size_t t)
{
    return p->w->rows[t].s->failed;
}

/* Ends a segment's sequence with its status, which has been said. */
static void give_up(pass *p, segment *s, slm_status status)
{
    s->failed = true;
    s->sequence->status = status;
    p->alive--;
}

static void add_to(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void quantize(pass *p, operand *o, size_t t)
{
    if (!p->model->kernels.quantize_x(o->q + t * o->blocks, o->f + t * o->ld, o->n))
        note_bad(p, t);
}

static bool wants_blocks(const slm_matrix *const *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (m[i]->type && !m[i]->type->float_x)
            return true;
    return false;
}

/* A step that treats each row alone and touches about `values` floats of it. With one token, or few short rows, telling the threads would
 * take longer than the work. */
static void each_row(pass *p, size_t values, slm_task_fn *fn)
{
    if (p->n * values * sizeof(float) >= TASK_BYTES) {
        slm_team_run(p->model->team, p->n, fn, p);
        return;
    }
    for (size_t t = 0; t < p->n; t++)
        fn(p, t);
}

/* ---- products: the panels of up to three matrices with one input ---- */

typedef struct product {
    const slm_kernels *kernels;
    const slm_matrix *m[3];
    float *y[3];
    size_t ldy[3];
    size_t count, panels, unit, n_tasks, tokens;
    const operand *x;
} product;

static void product_part(void *ctx, size_t index)
{
    const product *p = ctx;
    size_t begin, end, base = 0;
    slm_team_part(slm_ceil_div(p->panels, p->unit), p->n_tasks, index, &begin, &end);
    begin *= p->unit;
    end = slm_min(end * p->unit, p->panels);
    for (size_t i = 0; i < p->count; i++) {
        const size_t here = slm_matrix_panels(p->m[i]);
        const size_t from = begin > base ? begin - base : 0, to = end > base ? slm_min(end - base, here) : 0;
        if (from < to && p->m[i]->type->float_x)
            slm_matrix_mul(p->m[i], p->kernels, p->y[i], p->ldy[i], p->x->f, p->x->ld, p->tokens, from, to);
        else if (from < to)
            slm_matrix_mul(p->m[i], p->kernels, p->y[i], p->ldy[i], p->x->q, p->x->blocks, p->tokens, from, to);
        base += here;
    }
}

/* One token: a contiguous range for each thread, one forward stream. Many: more and smaller parts in units of the products' tiles, so that
 * a thread that is held up does not hold up the others. */
static void run_product(const slm_model *model, product *p)
{
    const size_t width = slm_team_width(model->team);
    p->kernels = &model->kernels;
    p->panels = 0;
    for (size_t i = 0; i < p->count; i++)
        p->panels += slm_matrix_panels(p->m[i]);
    p->unit = p->tokens > 16 ? 4 : 1;
    p->n_tasks = slm_max(1, slm_min(slm_ceil_div(p->panels, p->unit), p->tokens > 16 ? 4 * width : width));
    p->n_tasks = slm_min(p->n_tasks, slm_max(1, p->panels * p->m[0]->panel_bytes * p->tokens / TASK_BYTES));
    slm_team_run(model->team, p->n_tasks, product_part, p);
}

/* ---- steps ---- */

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

static bool is_finite(float x)
{
    return fabsf(x) <= 0x1.fffffep+127f;
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
    pass *p = ctx;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    slm_work *w = p->w;
    const row *r = &w->rows[t];
    const size_t pairs = c->rope_size / 2, e = c->embedding;
    float *x = w->x + t * e;
    slm_matrix_row(&m->embedding, (size_t)r->token, x);
    scale(x, c->embedding_scale, e);
    if (m->positions.type) {            /* delta is not used yet */
        slm_matrix_row(&m->positions, r->position, w->delta + t * e);
        add_to(x, w->delta + t * e, e);
    }
    if (rope_sets(c) > 0)
        angles(w->cos[0] + t * pairs, w->sin[0] + t * pairs, m, slm_config_rope_long(c, r->s->sequence->kv->context), r->position);
    if (rope_sets(c) > 1)
        angles(w->cos[1] + t * pairs, w->sin[1] + t * pairs, m, SLM_ROPE_LOCAL, r->position);
}

/* What lies between two products: what is added to x, and what the next branch reads. */
typedef struct joint {
    bool add;                   /* x += post(delta + bias) * residual scale */
    const float *bias;          /* [embedding] or NULL */
    const slm_norm *post;       /* of delta */
    const slm_norm *norm;       /* of x, into `in`; NULL: the next branch reads what is in `in` */
} joint;

static void add_and_norm(void *ctx, size_t t)
{
    pass *p = ctx;
    slm_work *w = p->w;
    const slm_model *m = p->model;
    const joint *j = p->joint;
    const size_t e = m->config.embedding;
    float *x = w->x + t * e, sumsq = 0;
    if (failed(p, t))
        return;
    if (j->add) {
        float *delta = w->delta + t * e;
        if (j->bias)
            add_to(delta, j->bias, e);
        if (j->post->w)
            sumsq = apply_norm(m, delta, delta, j->post, e);
        scale(delta, m->config.residual_scale, e);
        add_to(x, delta, e);
    }
    if (is_finite(sumsq) && j->norm)
        sumsq = apply_norm(m, w->in.f + t * w->in.ld, x, j->norm, e);
    if (!is_finite(sumsq))
        note_bad(p, t);
    else if (j->norm && p->quantize)
        quantize(p, &w->in, t);
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
        ok = is_finite(m->kernels.rms_norm_f32(x, x, w, heads * d, eps));
        break;
    case SLM_QK_HEAD:
        for (size_t h = 0; h < heads; h++)
            ok &= is_finite(m->kernels.rms_norm_f32(x + h * d, x + h * d, w, d, eps));
        break;
    case SLM_QK_LAYER:
        for (size_t h = 0; h < heads; h++)
            ok &= is_finite(m->kernels.layer_norm_f32(x + h * d, x + h * d, w + h * d, NULL, d, eps));
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
    pass *p = ctx;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    const size_t d = c->head_size, pairs = c->rope_size / 2, qn = c->heads * d, kn = c->kv_heads * d;
    float *q = p->w->qkv[0] + t * qn, *k = p->w->qkv[1] + t * kn, *v = p->w->qkv[2] + t * kn;
    const size_t set = rope_sets(c) > 1 && slm_config_windowed(c, p->index);
    slm_rope_normal_f32_fn *rope = c->arch->rope == SLM_ROPE_NEOX ? m->kernels.rope_neox_f32 : m->kernels.rope_normal_f32;
    if (failed(p, t))
        return;
    if (p->layer->q_bias)
        add_to(q, p->layer->q_bias, qn);
    if (p->layer->k_bias)
        add_to(k, p->layer->k_bias, kn);
    if (p->layer->v_bias)
        add_to(v, p->layer->v_bias, kn);
    const bool ok = norm_heads(m, q, p->layer->q_norm, c->heads) && norm_heads(m, k, p->layer->k_norm, c->kv_heads);
    if (turns(c->arch, p->index)) {
        const float *cos = p->w->cos[set] + t * pairs, *sin = p->w->sin[set] + t * pairs;
        rope(q, cos, sin, c->heads, d, pairs);
        rope(k, cos, sin, c->kv_heads, d, pairs);
    }
    if (!ok || !slm_kv_store(p->w->rows[t].s->sequence->kv, &m->kernels, p->w->rows[t].position, p->index, k, v))
        note_bad(p, t);
}

/* The first key that the query at `position` sees in this layer. */
static size_t first_seen(const pass *p, size_t position)
{
    const slm_config *c = &p->model->config;
    return c->window && slm_config_windowed(c, p->index) && position + 1 > c->window ? position + 1 - c->window : 0;
}

/* Rows t0 .. t0 + tile of the pass, all of one segment, and one kv head, whose query heads and tokens are the rows of the tile. */
static void attend(pass *p, const scratch *s, size_t head, size_t t0, size_t tile)
{
    const slm_model *m = p->model;
    const slm_kernels *k = &m->kernels;
    const slm_config *c = &m->config;
    const size_t d = c->head_size, group = c->heads / c->kv_heads, rows = group * tile, qn = c->heads * d;
    const size_t first = p->w->rows[t0].position, keys = first + tile, lds = slm_ceil_div(keys, SLM_PAGE) * SLM_PAGE;
    const slm_kv *kv = p->w->rows[t0].s->sequence->kv;
    const bool f32 = kv->element == 4;
    slm_qk_f16_fn *qk = f32 ? k->qk_f32 : k->qk_f16;
    slm_pv_f16_fn *pv = f32 ? k->pv_f32 : k->pv_f16;
    const size_t from_page = first_seen(p, first) / SLM_PAGE * SLM_PAGE, common = first_seen(p, first + tile - 1);

    for (size_t t = 0; t < tile; t++)
        memcpy(s->q + t * group * d, p->w->qkv[0] + (t0 + t) * qn + head * group * d, group * d * sizeof(float));
    memset(s->out, 0, rows * d * sizeof(float));
    for (size_t at = from_page; at < keys; at += SLM_PAGE)
        qk(s->scores + at, lds, s->q, d, rows, slm_kv_keys(kv, at / SLM_PAGE, p->index, head), d, slm_min(SLM_PAGE, keys - at),
           c->score_scale);
    for (size_t r = 0; r < rows; r++) {
        const size_t seen = first_seen(p, first + r / group), visible = first + r / group + 1 - seen;
        float *scores = s->scores + r * lds + seen;
        if (c->score_cap != 0)
            k->softcap_f32(scores, scores, visible, c->score_cap);
        const float most = k->max_f32(scores, visible);
        if (!is_finite(most)) {
            note_bad(p, t0 + r / group);
            return;
        }
        const float sum = k->exp_sum_f32(scores, scores, visible, seen, most);
        s->q[r] = 1.0f / sum;           /* q is used up: rows <= rows * d */
    }
    for (size_t at = from_page; at < keys; at += SLM_PAGE) {
        const uint8_t *values = slm_kv_values(kv, at / SLM_PAGE, p->index, head);
        if (at >= common && at + SLM_PAGE <= first + 1) {       /* every row of the tile sees the whole page */
            pv(s->out, d, s->scores + at, lds, rows, values, d, SLM_PAGE);
            continue;
        }
        for (size_t t = 0; t < tile; t++) {
            const size_t from = slm_max(at, first_seen(p, first + t)), to = slm_min(at + SLM_PAGE, first + t + 1);
            if (from < to)
                pv(s->out + t * group * d, d, s->scores + t * group * lds + from, lds, group, values + (from - at) * d * kv->element, d,
                   to - from);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        float *out = p->w->att.f + (t0 + r / group) * p->w->att.ld + (head * group + r % group) * d;
        for (size_t i = 0; i < d; i++)
            out[i] = s->out[r * d + i] * s->q[r];
    }
}

/* Tiles of a segment: as many tokens as a thread's scores hold. */
static void cut_tiles(const pass *p, segment *s)
{
    const slm_config *c = &p->model->config;
    const size_t keys = slm_ceil_div(s->first + s->n, SLM_PAGE) * SLM_PAGE, group = c->heads / c->kv_heads;
    s->tile = slm_max(1, slm_min(TILE_TOKENS, p->w->score_room / (group * keys)));
    s->pieces = slm_ceil_div(s->n, s->tile) * c->kv_heads;
}

/* One task a thread, with its own scratch; the pieces are taken from a counter, segment by segment, the longest (last tokens) first. */
static void attention(void *ctx, size_t index)
{
    pass *p = ctx;
    const size_t heads = p->model->config.kv_heads;
    const segment *s = p->w->segments;
    for (size_t before = 0;;) {
        const size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->pieces)
            return;
        while (i - before >= s->pieces)         /* the counter only grows: what lies before is never asked for again */
            before += s++->pieces;
        if (s->failed)
            continue;
        const size_t t0 = (s->pieces / heads - 1 - (i - before) / heads) * s->tile;
        attend(p, &p->w->scratch[index], (i - before) % heads, s->row + t0, slm_min(s->tile, s->n - t0));
    }
}

/* Bytes of cache the attention of a layer reads. */
static size_t attention_bytes(const pass *p)
{
    const slm_config *c = &p->model->config;
    size_t bytes = 0;
    for (size_t i = 0; i < p->n_segments; i++) {
        const segment *s = &p->w->segments[i];
        bytes += s->n * (s->first + s->n) * c->kv_heads * c->head_size * s->sequence->kv->element;
    }
    return bytes;
}

static void quantize_attention(void *ctx, size_t t)
{
    pass *p = ctx;
    if (!failed(p, t))
        quantize(p, &p->w->att, t);
}

static void activate(void *ctx, size_t t)
{
    pass *p = ctx;
    const size_t f = p->model->config.feed_forward;
    float *gate = p->w->gate + t * f, *up = p->w->up + t * f;
    if (failed(p, t))
        return;
    if (p->layer->gate_bias)
        add_to(gate, p->layer->gate_bias, f);
    if (p->layer->up_bias)
        add_to(up, p->layer->up_bias, f);
    float *out = p->w->act.f + t * p->w->act.ld;
    switch (p->model->config.arch->ffn) {
    case SLM_FFN_SILU: p->model->kernels.silu_mul_f32(out, gate, up, f); break;
    case SLM_FFN_GELU_GATED: p->model->kernels.gelu_tanh_mul_f32(out, gate, up, f); break;
    case SLM_FFN_GELU: p->model->kernels.gelu_tanh_f32(out, up, f); break;
    }
    if (p->quantize)
        quantize(p, &p->w->act, t);
}

static void join(pass *p, const joint *j, const slm_matrix *const *readers, size_t n)
{
    p->joint = j;
    p->quantize = wants_blocks(readers, n);
    each_row(p, 2 * p->model->config.embedding, add_and_norm);
}

/* Sequences with a value that is not finite end here. */
static void drop_bad(pass *p, const char *where, size_t number)
{
    for (size_t i = 0; i < p->n_segments; i++) {
        segment *s = &p->w->segments[i];
        const size_t bad = atomic_load(&s->bad);
        if (bad != SIZE_MAX && !s->failed)
            give_up(p, s, slm_fail(s->sequence->err, SLM_E_NUMERIC, "%s %zu: a value is not finite or too large for the cache at position %zu",
                                   where, number, p->w->rows[bad].position));
    }
}

static void measure_input(const pass *p, int input, const operand *x)
{
    if (p->w->importance)
        slm_importance_add(p->w->importance, p->index, input, x->f, x->ld, p->n);
}

/* A layer, top to bottom. `before` is the layer before, whose output is still to be added; NULL for the first. */
static void layer(pass *p, const slm_layer *before)
{
    const slm_model *m = p->model;
    const slm_layer *l = p->layer;
    slm_work *w = p->w;
    const slm_config *c = &m->config;
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size;
    const slm_matrix *readers[] = { &l->q, &l->k, &l->v, &l->gate, &l->up };

    join(p, &(joint){ .add = before, .bias = before ? before->down_bias : NULL, .post = before ? &before->post_ffn : NULL,
                      .norm = &l->attn_norm }, readers, l->parallel ? 5 : 3);
    measure_input(p, SLM_INPUT_ATTENTION, &w->in);
    run_product(m, &(product){ .m = { &l->q, &l->k, &l->v }, .y = { w->qkv[0], w->qkv[1], w->qkv[2] },
                               .ldy = { c->heads * d, c->kv_heads * d, c->kv_heads * d }, .count = 3, .tokens = p->n, .x = &w->in });
    each_row(p, (c->heads + 4 * c->kv_heads) * d, store_kv);
    drop_bad(p, "layer", p->index);
    if (!p->alive)
        return;
    atomic_store(&p->next, 0);
    slm_team_run(m->team, slm_max(1, slm_min(slm_team_width(m->team), attention_bytes(p) / TASK_BYTES)), attention, p);
    if (!l->o.type->float_x)
        each_row(p, c->heads * d, quantize_attention);
    measure_input(p, SLM_INPUT_OUTPUT, &w->att);
    run_product(m, &(product){ .m = { &l->o }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->att });
    join(p, &(joint){ .add = true, .bias = l->o_bias, .post = &l->post_attn, .norm = l->parallel ? NULL : &l->ffn_norm }, readers + 3, 2);
    measure_input(p, SLM_INPUT_FEED_FORWARD, &w->in);
    if (l->gate.type)
        run_product(m, &(product){ .m = { &l->gate, &l->up }, .y = { w->gate, w->up }, .ldy = { f, f }, .count = 2, .tokens = p->n,
                                   .x = &w->in });
    else
        run_product(m, &(product){ .m = { &l->up }, .y = { w->up }, .ldy = { f }, .count = 1, .tokens = p->n, .x = &w->in });
    p->quantize = !l->down.type->float_x;
    each_row(p, 4 * f, activate);
    measure_input(p, SLM_INPUT_DOWN, &w->act);
    run_product(m, &(product){ .m = { &l->down }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->act });
}

/* ---- logits ---- */

/* Is row t one whose logits are wanted? All of a sequence with a callback, else its last. */
static bool wanted(const row *r)
{
    const slm_sequence *q = r->s->sequence;
    return !r->s->failed && (q->row || (q->last && r->position + 1 == q->first + q->n));
}

/* Moves the final norms of the wanted rows together at the beginning of `in`; returns how many there are. rows[i] goes with them. */
static size_t gather(const pass *p)
{
    const operand *x = &p->w->in;
    size_t n = 0;
    for (size_t t = 0; t < p->n; t++) {
        if (!wanted(&p->w->rows[t]))
            continue;
        if (n < t) {
            memcpy(x->f + n * x->ld, x->f + t * x->ld, x->ld * sizeof *x->f);
            memcpy(x->q + n * x->blocks, x->q + t * x->blocks, x->blocks * sizeof *x->q);
            p->w->rows[n] = p->w->rows[t];
        }
        n++;
    }
    return n;
}

/* What becomes of a row of logits after the product. */
static void finish(const slm_model *m, float *logits)
{
    const slm_config *c = &m->config;
    if (m->output_bias)
        add_to(logits, m->output_bias, c->vocab);
    for (size_t i = 0; c->logit_scale != 1 && i < c->vocab; i++)
        logits[i] /= c->logit_scale;
    if (c->logit_cap != 0)
        m->kernels.softcap_f32(logits, logits, c->vocab, c->logit_cap);
}

/* Logits of `rows` gathered rows from `from` on. */
static void head(const pass *p, size_t from, size_t rows, float *logits)
{
    const slm_model *m = p->model;
    operand x = p->w->in;
    x.f += from * x.ld;
    x.q += from * x.blocks;
    run_product(m, &(product){ .m = { slm_model_head(m) }, .y = { logits }, .ldy = { m->config.vocab }, .count = 1, .tokens = rows, .x = &x });
    for (size_t r = 0; r < rows; r++)
        finish(m, logits + r * m->config.vocab);
}

/* One row to whom it belongs. A sequence that is stopped by its callback gets no more of them. */
static void deliver(pass *p, const row *r, const float *logits)
{
    const size_t vocab = p->model->config.vocab;
    const slm_sequence *q = r->s->sequence;
    const size_t index = r->position - q->first;
    if (r->s->failed)
        return;
    if (q->row && q->row(q->user, index, logits, vocab) != 0)
        give_up(p, r->s, slm_fail(q->err, SLM_E_CALLBACK, "the callback for logits asked to stop at token %zu", index));
    else if (q->last && index + 1 == q->n && q->last != logits)
        memcpy(q->last, logits, vocab * sizeof *logits);
}

static void hand_out(pass *p)
{
    slm_work *w = p->w;
    const size_t n = gather(p), vocab = p->model->config.vocab;
    if (n == 1 && !w->rows[0].s->sequence->row) {       /* a step of generation: straight to its place */
        head(p, 0, 1, w->rows[0].s->sequence->last);
        return;
    }
    for (size_t from = 0; from < n && p->alive; from += w->head_rows) {
        const size_t rows = slm_min(w->head_rows, n - from);
        head(p, from, rows, w->logits);
        for (size_t r = 0; r < rows; r++)
            deliver(p, &w->rows[from + r], w->logits + r * vocab);
    }
}

/* ---- a pass ---- */

/* Fills rows and segments with what is next of the sequences from `*at` on, which moves to the first that is not finished. */
static void fill(pass *p, slm_sequence *sequences, size_t n, size_t *at)
{
    slm_work *w = p->w;
    while (*at < n && (sequences[*at].status || sequences[*at].done == sequences[*at].n))
        ++*at;
    for (size_t i = *at; i < n && p->n < w->chunk && p->n_segments < w->most_segments; i++) {
        slm_sequence *q = &sequences[i];
        if (q->status || q->done == q->n)
            continue;
        segment *s = &w->segments[p->n_segments++];
        s->sequence = q;
        s->row = p->n;
        s->n = slm_min(w->chunk - p->n, q->n - q->done);
        s->first = q->first + q->done;
        s->failed = false;
        atomic_store(&s->bad, SIZE_MAX);
        cut_tiles(p, s);
        p->pieces += s->pieces;
        for (size_t t = 0; t < s->n; t++)
            w->rows[p->n++] = (row){ s, s->first + t, q->tokens[q->done + t] };
    }
    p->alive = p->n_segments;
}

static void look(pass *p)
{
    for (size_t i = 0; i < p->n_segments; i++) {
        segment *s = &p->w->segments[i];
        const slm_status status = s->failed ? SLM_OK : slm_watch_look(&s->sequence->watch, s->sequence->err);
        if (status)
            give_up(p, s, status);
    }
}

static void run_pass(pass *p)
{
    const slm_model *m = p->model;
    const slm_matrix *head_matrix[] = { slm_model_head(m) };
    slm_team_run(m->team, p->n, embed, p);
    for (size_t i = 0; i < m->config.layers; i++) {
        look(p);
        if (!p->alive)
            return;
        p->index = i;
        p->layer = &m->layers[i];
        layer(p, i ? &m->layers[i - 1] : NULL);
        drop_bad(p, "layer", i);
        if (!p->alive)
            return;
    }
    const slm_layer *last = &m->layers[m->config.layers - 1];
    join(p, &(joint){ .add = true, .bias = last->down_bias, .post = &last->post_ffn, .norm = &m->output_norm }, head_matrix, 1);
    drop_bad(p, "output norm after layer", m->config.layers - 1);
    if (p->alive)
        hand_out(p);
    for (size_t i = 0; i < p->n_segments; i++)
        if (!p->w->segments[i].failed)
            p->w->segments[i].sequence->done += p->w->segments[i].n;
}

/* Learned positions end where their table does. */
static void check_positions(const slm_model *m, slm_sequence *s)
{
    if (m->positions.type && !s->status && s->first + s->n > m->config.context)
        s->status = slm_fail(s->err, SLM_E_CONTEXT, "feed: %zu tokens at position %zu: the model has learned %u positions", s->n, s->first,
                             m->config.context);
}

void slm_decode(const slm_model *model, slm_work *work, slm_sequence *sequences, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_positions(model, &sequences[i]);
    for (size_t at = 0;;) {
        pass p = { .model = model, .w = work };
        fill(&p, sequences, n, &at);
        if (!p.n)
            return;
        run_pass(&p);
    }
}
