/* decoder.c -- the decoder, driven by the architecture's row and the config.
 *
 * A chunk of tokens goes through the layers together. Every step below is one run of the team; what a step needs from another thread
 * has crossed the end of the run before it:
 *
 *   1  per token    x += what the layer before left (down + bias); norm; quantize
 *   2  product      q, k, v: panels of three matrices in one run
 *   3  per token    biases, rope, k and v into the cache
 *   4  attention    per kv head and tile of tokens, over the pages of the cache
 *   5  per token    quantize the attention's output
 *   6  product      output
 *   7  per token    x += output + bias; norm; quantize
 *   8  product      gate, up
 *   9  per token    biases, silu(gate) * up, quantize
 *   10 product      down
 *
 * With one token the per-token steps run on the calling thread, so a layer costs five runs. Each value is computed by one thread in the
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
    const float *delta_bias;    /* [embedding] or NULL */
    float *qkv[3];              /* [chunk][heads or kv heads * head size] */
    float *gate, *up;           /* [chunk][feed forward] */
    operand in, att, act;       /* of qkv and gate/up; of output; of down */
    float *cos, *sin;           /* [chunk][pairs] */
    float *logits;              /* [head_rows][vocab] */
    size_t head_rows;
    scratch *scratch;           /* [width of the team] */
};

/* What the tasks of a step see. */
typedef struct pass {
    const slm_model *model;
    const slm_layer *layer;
    slm_kv *kv;
    slm_work *w;
    const int32_t *tokens;
    size_t n, first, index;     /* tokens, position of the first, number of the layer */
    const float *norm;          /* step 1 and 7 */
    bool add, quantize;
    atomic_size_t next;         /* attention: next piece of work */
    atomic_size_t bad;          /* lowest token with a value that is not finite; SIZE_MAX: none */
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

static void place(layout *l, slm_work *w, const slm_model *m)
{
    const slm_config *c = &m->config;
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    const size_t width = slm_team_width(m->team), group = c->heads / c->kv_heads;
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
    w->cos = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
    w->sin = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
    w->head_rows = slm_max(1, slm_min(slm_min(HEAD_ROWS, w->chunk), HEAD_BYTES / (c->vocab * sizeof(float))));
    w->logits = piece(l, w->head_rows, c->vocab * sizeof(float));
    w->score_room = slm_max(TILE_BYTES / sizeof(float), group * slm_ceil_div(w->context, SLM_PAGE) * SLM_PAGE);
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

slm_status slm_work_new(slm_work **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t context, slm_error *err)
{
    layout count = { 0 };
    slm_work *w = slm_heap_zalloc(heap, sizeof *w);
    if (!w)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu bytes", sizeof *w);
    w->heap = heap;
    w->context = context;
    w->chunk = slm_max(1, slm_min(context, chunk ? chunk : slm_min(512, WORK_BYTES / token_bytes(&model->config))));
    place(&count, w, model);
    layout real = { count.overflow ? NULL : slm_heap_zalloc(heap, count.used), 0, false };   /* zeroed: rows are padded with zeros */
    if (!real.base) {
        const slm_status status = slm_fail(err, SLM_E_MEMORY, "session: %zu bytes for %zu tokens at once in a context of %zu", count.used,
                                           w->chunk, context);
        slm_heap_free(heap, w);
        return status;
    }
    w->memory = real.base;
    place(&real, w, model);
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

/* ---- pieces ---- */

static void note_bad(pass *p, size_t token)
{
    size_t seen = atomic_load(&p->bad);
    while (token < seen && !atomic_compare_exchange_weak(&p->bad, &seen, token))
        ;
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
        if (!m[i]->type->float_x)
            return true;
    return false;
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

static void embed(void *ctx, size_t t)
{
    pass *p = ctx;
    const slm_config *c = &p->model->config;
    slm_work *w = p->w;
    const size_t pairs = c->rope_size / 2;
    slm_matrix_row(&p->model->embedding, (size_t)p->tokens[t], w->x + t * c->embedding);
    for (size_t i = 0; i < pairs; i++) {
        const double angle = (double)(p->first + t) * p->model->rope_w[i];
        w->cos[t * pairs + i] = (float)(p->model->rope_m * slm_cos_f64(angle));
        w->sin[t * pairs + i] = (float)(p->model->rope_m * slm_sin_f64(angle));
    }
}

/* x += delta + its bias (where there is one to add), norm into `in`, quantized if asked. */
static void add_and_norm(void *ctx, size_t t)
{
    pass *p = ctx;
    slm_work *w = p->w;
    const size_t e = p->model->config.embedding;
    float *x = w->x + t * e;
    if (p->add) {
        float *delta = w->delta + t * e;
        if (w->delta_bias)
            add_to(delta, w->delta_bias, e);
        add_to(x, delta, e);
    }
    const float sumsq = p->model->kernels.rms_norm_f32(w->in.f + t * w->in.ld, x, p->norm, e, p->model->config.norm_eps);
    if (!(sumsq <= 0x1.fffffep+127f))
        note_bad(p, t);
    else if (p->quantize)
        quantize(p, &w->in, t);
}

static void store_kv(void *ctx, size_t t)
{
    pass *p = ctx;
    const slm_model *m = p->model;
    const slm_config *c = &m->config;
    const size_t d = c->head_size, pairs = c->rope_size / 2, qn = c->heads * d, kn = c->kv_heads * d;
    float *q = p->w->qkv[0] + t * qn, *k = p->w->qkv[1] + t * kn, *v = p->w->qkv[2] + t * kn;
    const float *cos = p->w->cos + t * pairs, *sin = p->w->sin + t * pairs;
    slm_rope_normal_f32_fn *rope = c->arch->rope == SLM_ROPE_NEOX ? m->kernels.rope_neox_f32 : m->kernels.rope_normal_f32;
    if (p->layer->q_bias)
        add_to(q, p->layer->q_bias, qn);
    if (p->layer->k_bias)
        add_to(k, p->layer->k_bias, kn);
    if (p->layer->v_bias)
        add_to(v, p->layer->v_bias, kn);
    rope(q, cos, sin, c->heads, d, pairs);
    rope(k, cos, sin, c->kv_heads, d, pairs);
    if (!slm_kv_store(p->kv, &m->kernels, p->first + t, p->index, k, v))
        note_bad(p, t);
}

/* Tokens t0 .. t0 + tile of one kv head, whose query heads and tokens are the rows of the tile. */
static void attend(pass *p, const scratch *s, size_t head, size_t t0, size_t tile)
{
    const slm_model *m = p->model;
    const slm_kernels *k = &m->kernels;
    const slm_config *c = &m->config;
    const size_t d = c->head_size, group = c->heads / c->kv_heads, rows = group * tile, qn = c->heads * d;
    const size_t first = p->first + t0, keys = first + tile, lds = slm_ceil_div(keys, SLM_PAGE) * SLM_PAGE;
    const bool f32 = p->kv->element == 4;
    slm_qk_f16_fn *qk = f32 ? k->qk_f32 : k->qk_f16;
    slm_pv_f16_fn *pv = f32 ? k->pv_f32 : k->pv_f16;
    const float scale = 1.0f / sqrtf((float)d);

    for (size_t t = 0; t < tile; t++)
        memcpy(s->q + t * group * d, p->w->qkv[0] + (t0 + t) * qn + head * group * d, group * d * sizeof(float));
    memset(s->out, 0, rows * d * sizeof(float));
    for (size_t at = 0; at < keys; at += SLM_PAGE)
        qk(s->scores + at, lds, s->q, d, rows, slm_kv_keys(p->kv, at / SLM_PAGE, p->index, head), d, slm_min(SLM_PAGE, keys - at), scale);
    for (size_t r = 0; r < rows; r++) {
        float *scores = s->scores + r * lds;
        const size_t visible = first + r / group + 1;
        const float most = k->max_f32(scores, visible);
        if (!(fabsf(most) <= 0x1.fffffep+127f)) {
            note_bad(p, t0 + r / group);
            return;
        }
        const float sum = k->exp_sum_f32(scores, scores, visible, 0, most);
        s->q[r] = 1.0f / sum;           /* q is used up: rows <= rows * d */
    }
    for (size_t at = 0; at < keys; at += SLM_PAGE) {
        const uint8_t *values = slm_kv_values(p->kv, at / SLM_PAGE, p->index, head);
        if (at + SLM_PAGE <= first + 1) {                       /* every row of the tile sees the whole page */
            pv(s->out, d, s->scores + at, lds, rows, values, d, SLM_PAGE);
            continue;
        }
        for (size_t t = 0; t < tile; t++)
            if (first + t + 1 > at)
                pv(s->out + t * group * d, d, s->scores + t * group * lds + at, lds, group, values, d,
                   slm_min(SLM_PAGE, first + t + 1 - at));
    }
    for (size_t r = 0; r < rows; r++) {
        float *out = p->w->att.f + (t0 + r / group) * p->w->att.ld + (head * group + r % group) * d;
        for (size_t i = 0; i < d; i++)
            out[i] = s->out[r * d + i] * s->q[r];
    }
}

static size_t tile_tokens(const pass *p)
{
    const slm_config *c = &p->model->config;
    const size_t keys = slm_ceil_div(p->first + p->n, SLM_PAGE) * SLM_PAGE, group = c->heads / c->kv_heads;
    return slm_max(1, slm_min(TILE_TOKENS, p->w->score_room / (group * keys)));
}

/* One task a thread, with its own scratch; the pieces are taken from a counter, the longest (last tokens) first. */
static void attention(void *ctx, size_t index)
{
    pass *p = ctx;
    const size_t tile = tile_tokens(p), tiles = slm_ceil_div(p->n, tile), heads = p->model->config.kv_heads;
    for (;;) {
        const size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= tiles * heads)
            return;
        const size_t t0 = (tiles - 1 - i / heads) * tile;
        attend(p, &p->w->scratch[index], i % heads, t0, slm_min(tile, p->n - t0));
    }
}

static void quantize_attention(void *ctx, size_t t)
{
    pass *p = ctx;
    quantize(p, &p->w->att, t);
}

static void activate(void *ctx, size_t t)
{
    pass *p = ctx;
    const size_t f = p->model->config.feed_forward;
    float *gate = p->w->gate + t * f, *up = p->w->up + t * f;
    if (p->layer->gate_bias)
        add_to(gate, p->layer->gate_bias, f);
    if (p->layer->up_bias)
        add_to(up, p->layer->up_bias, f);
    p->model->kernels.silu_mul_f32(p->w->act.f + t * p->w->act.ld, gate, up, f);
    if (p->quantize)
        quantize(p, &p->w->act, t);
}

static void norm_step(pass *p, const float *norm, bool add, const float *bias, const slm_matrix *const *readers, size_t n)
{
    p->norm = norm;
    p->add = add;
    p->w->delta_bias = bias;
    p->quantize = wants_blocks(readers, n);
    slm_team_run(p->model->team, p->n, add_and_norm, p);
}

/* A layer, top to bottom. `before` is the layer before, whose output is still to be added; NULL for the first. */
static void layer(pass *p, const slm_layer *before)
{
    const slm_model *m = p->model;
    const slm_layer *l = p->layer;
    slm_work *w = p->w;
    const slm_config *c = &m->config;
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size;
    const slm_matrix *qkv[] = { &l->q, &l->k, &l->v }, *gate_up[] = { &l->gate, &l->up };

    norm_step(p, l->attn_norm, before != NULL, before ? before->down_bias : NULL, qkv, 3);
    run_product(m, &(product){ .m = { &l->q, &l->k, &l->v }, .y = { w->qkv[0], w->qkv[1], w->qkv[2] },
                               .ldy = { c->heads * d, c->kv_heads * d, c->kv_heads * d }, .count = 3, .tokens = p->n, .x = &w->in });
    slm_team_run(m->team, p->n, store_kv, p);
    if (atomic_load(&p->bad) != SIZE_MAX)
        return;
    atomic_store(&p->next, 0);
    const size_t cache = p->n * (p->first + p->n) * c->kv_heads * d * p->kv->element;
    slm_team_run(m->team, slm_max(1, slm_min(slm_team_width(m->team), cache / TASK_BYTES)), attention, p);
    if (!l->o.type->float_x)
        slm_team_run(m->team, p->n, quantize_attention, p);
    run_product(m, &(product){ .m = { &l->o }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->att });
    norm_step(p, l->ffn_norm, true, l->o_bias, gate_up, 2);
    run_product(m, &(product){ .m = { &l->gate, &l->up }, .y = { w->gate, w->up }, .ldy = { f, f }, .count = 2, .tokens = p->n, .x = &w->in });
    p->quantize = !l->down.type->float_x;
    slm_team_run(m->team, p->n, activate, p);
    run_product(m, &(product){ .m = { &l->down }, .y = { w->delta }, .ldy = { e }, .count = 1, .tokens = p->n, .x = &w->act });
}

/* Logits of tokens from .. from + rows of the chunk, whose final norm stands in `in`. */
static void head(const pass *p, size_t from, size_t rows, float *logits)
{
    const slm_model *m = p->model;
    operand x = p->w->in;
    x.f += from * x.ld;
    x.q += from * x.blocks;
    run_product(m, &(product){ .m = { slm_model_head(m) }, .y = { logits }, .ldy = { m->config.vocab }, .count = 1, .tokens = rows, .x = &x });
    for (size_t r = 0; m->output_bias && r < rows; r++)
        add_to(logits + r * m->config.vocab, m->output_bias, m->config.vocab);
}

static slm_status hand_out(const pass *p, size_t offset, slm_logits_fn *row, void *user, float *last, slm_error *err)
{
    slm_work *w = p->w;
    const size_t vocab = p->model->config.vocab;
    for (size_t from = 0; row && from < p->n; from += w->head_rows) {
        const size_t rows = slm_min(w->head_rows, p->n - from);
        head(p, from, rows, w->logits);
        for (size_t r = 0; r < rows; r++)
            if (row(user, offset + from + r, w->logits + r * vocab, vocab) != 0)
                return slm_fail(err, SLM_E_CALLBACK, "the callback for logits asked to stop at token %zu", offset + from + r);
        if (from + rows == p->n && last)
            memcpy(last, w->logits + (rows - 1) * vocab, vocab * sizeof *last);
    }
    if (!row && last)
        head(p, p->n - 1, 1, last);
    return SLM_OK;
}

static slm_status numeric(const pass *p, const char *where, size_t number, slm_error *err)
{
    return slm_fail(err, SLM_E_NUMERIC, "%s %zu: a value is not finite or too large for the cache at position %zu", where, number,
                    p->first + atomic_load(&p->bad));
}

static slm_status decode_chunk(pass *p, const slm_watch *watch, slm_error *err)
{
    const slm_model *m = p->model;
    const slm_matrix *head_matrix[] = { slm_model_head(m) };
    slm_team_run(m->team, p->n, embed, p);
    for (size_t i = 0; i < m->config.layers; i++) {
        slm_status status = slm_watch_look(watch, err);
        if (status)
            return status;
        p->index = i;
        p->layer = &m->layers[i];
        layer(p, i ? &m->layers[i - 1] : NULL);
        if (atomic_load(&p->bad) != SIZE_MAX)
            return numeric(p, "layer", i, err);
    }
    norm_step(p, m->output_norm, true, m->layers[m->config.layers - 1].down_bias, head_matrix, 1);
    return atomic_load(&p->bad) != SIZE_MAX ? numeric(p, "output norm after layer", m->config.layers - 1, err) : SLM_OK;
}

slm_status slm_decode(const slm_model *model, slm_kv *kv, slm_work *work, const int32_t *tokens, size_t n, size_t first,
                      slm_logits_fn *row, void *user, float *last, const slm_watch *watch, slm_error *err)
{
    slm_status status = SLM_OK;
    for (size_t done = 0; !status && done < n;) {
        const size_t now = slm_min(work->chunk, n - done);
        pass p = { .model = model, .kv = kv, .w = work, .tokens = tokens + done, .n = now, .first = first + done, .bad = SIZE_MAX };
        status = decode_chunk(&p, watch, err);
        if (!status)
            status = hand_out(&p, done, row, user, done + now == n ? last : NULL, err);
        done += now;
    }
    return status;
}
