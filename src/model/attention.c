/* attention.c -- attention of a pass over the pages of the sequences' caches: per kv head and tile of tokens. A decoder's token sees what
 * lies before it, an encoder's both sides, each within the window of the layer if it has one. */
#include "model/pass.h"

#include "core/size.h"

#include <string.h>

/* The keys from .. to - 1 that the query at `position` sees in this layer. Both grow with the position. */
typedef struct view {
    size_t from, to;
} view;

static view seen(const slm_pass *p, const slm_segment *s, size_t position)
{
    const slm_config *c = &p->model->config;
    const size_t window = slm_config_windowed(c, p->index) ? c->window : 0, all = s->first + s->n;
    if (!c->arch->encoder)
        return (view){ window && position + 1 > window ? position + 1 - window : 0, position + 1 };
    if (!window)
        return (view){ 0, all };
    return (view){ position > window / 2 ? position - window / 2 : 0, slm_min(all, position + window / 2 + 1) };
}

/* Adds the bias of the distance from the query at `position` to scores [to - from] of the keys from .. to - 1. */
static void add_relative(const slm_model *m, size_t head, float *scores, view v, size_t position)
{
    const float *bias = m->relative + head * SLM_RELATIVE_ROW + SLM_RELATIVE_MOST;
    for (size_t j = v.from; j < v.to; j++) {
        const size_t distance = slm_min(j > position ? j - position : position - j, SLM_RELATIVE_MOST);
        scores[j - v.from] += j > position ? bias[distance] : *(bias - distance);
    }
}

/* Scores of the rows and the first n keys of a page, at position `at`. */
static void score(const slm_kernels *k, const slm_kv *kv, const slm_scratch *s, size_t at, size_t lds, size_t rows, const uint8_t *keys, size_t n,
                  float scale)
{
    const size_t d = kv->head_size;
    if (kv->element == 1)
        k->qk_q8(s->scores + at, lds, s->blocks, slm_ceil_div(d, 64) * 2, rows, keys, d, n, scale);
    else
        (kv->element == 4 ? k->qk_f32 : k->qk_f16)(s->scores + at, lds, s->q, d, rows, keys, d, n, scale);
}

/* out += p times the values of the positions slot .. slot + n - 1 of a page. */
static void weigh(const slm_kernels *k, const slm_kv *kv, float *out, const float *p, size_t ldp, size_t rows, const uint8_t *values, size_t slot,
                  size_t n)
{
    const size_t d = kv->head_size, blocks = slm_cache_blocks(d);
    if (kv->element == 1)
        k->pv_q8(out, d, p, ldp, rows, (const float *)(const void *)values + slot * blocks,
                 (const int8_t *)values + SLM_PAGE * blocks * 4 + slot * slm_cache_width(d), d, n);
    else
        (kv->element == 4 ? k->pv_f32 : k->pv_f16)(out, d, p, ldp, rows, values + slot * d * kv->element, d, n);
}

/* Rows t0 .. t0 + tile of the pass, all of one segment, and one kv head, whose query heads and tokens are the rows of the tile. */
static void attend(slm_pass *p, const slm_scratch *s, size_t head, size_t t0, size_t tile)
{
    const slm_model *m = p->model;
    const slm_kernels *k = &m->kernels;
    const slm_config *c = &m->config;
    const slm_segment *own = p->w->rows[t0].s;
    const size_t d = c->head_size, group = c->heads / c->kv_heads, rows = group * tile, qn = c->heads * d;
    const size_t first = p->w->rows[t0].position, shelf = slm_pass_shelf(p);
    const view top = seen(p, own, first), bottom = seen(p, own, first + tile - 1);     /* every row sees bottom.from .. top.to - 1 */
    const size_t from_page = top.from / SLM_PAGE * SLM_PAGE, keys = bottom.to, lds = slm_ceil_div(keys, SLM_PAGE) * SLM_PAGE;
    const slm_kv *kv = own->sequence->kv;

    for (size_t t = 0; t < tile; t++)
        memcpy(s->q + t * group * d, p->w->qkv[0] + (t0 + t) * qn + head * group * d, group * d * sizeof(float));
    memset(s->out, 0, rows * d * sizeof(float));
    if (kv->element == 1)
        for (size_t r = 0; r < rows; r++)
            if (!k->quantize_x(s->blocks + r * slm_ceil_div(d, 64) * 2, s->q + r * d, d)) {
                slm_pass_note_bad(p, t0 + r / group);
                return;
            }
    for (size_t at = from_page; at < keys; at += SLM_PAGE)
        score(k, kv, s, at, lds, rows, slm_kv_keys(kv, at / SLM_PAGE, shelf, head), slm_min(SLM_PAGE, keys - at), c->score_scale);
    for (size_t r = 0; r < rows; r++) {
        const size_t position = first + r / group;
        const view v = seen(p, own, position);
        float *scores = s->scores + r * lds + v.from;
        if (c->score_cap != 0)
            k->softcap_f32(scores, scores, v.to - v.from, c->score_cap);
        if (m->relative)
            add_relative(m, head * group + r % group, scores, v, position);
        const float most = k->max_f32(scores, v.to - v.from);
        if (!slm_is_finite(most)) {
            slm_pass_note_bad(p, t0 + r / group);
            return;
        }
        const float sum = k->exp_sum_f32(scores, scores, v.to - v.from, v.from, most);
        s->q[r] = 1.0f / sum;           /* q is used up: rows <= rows * d */
    }
    for (size_t at = from_page; at < keys; at += SLM_PAGE) {
        const uint8_t *values = slm_kv_values(kv, at / SLM_PAGE, shelf, head);
        const size_t end = slm_min(at + SLM_PAGE, keys);
        if (at >= bottom.from && end <= top.to) {       /* every row of the tile sees all of it */
            weigh(k, kv, s->out, s->scores + at, lds, rows, values, 0, end - at);
            continue;
        }
        for (size_t t = 0; t < tile; t++) {
            const view v = seen(p, own, first + t);
            const size_t from = slm_max(at, v.from), to = slm_min(end, v.to);
            if (from < to)
                weigh(k, kv, s->out + t * group * d, s->scores + t * group * lds + from, lds, group, values, from - at, to - from);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        float *out = p->w->att.f + (t0 + r / group) * p->w->att.ld + (head * group + r % group) * d;
        for (size_t i = 0; i < d; i++)
            out[i] = s->out[r * d + i] * s->q[r];
    }
}

/* Tiles of a segment: as many tokens as a thread's scores hold. */
void slm_pass_cut_tiles(const slm_pass *p, slm_segment *s)
{
    const slm_config *c = &p->model->config;
    const size_t keys = slm_ceil_div(s->first + s->n, SLM_PAGE) * SLM_PAGE, group = c->heads / c->kv_heads;
    s->tile = slm_max(1, slm_min(SLM_PASS_TILE_TOKENS, p->w->score_room / (group * keys)));
    s->pieces = slm_ceil_div(s->n, s->tile) * c->kv_heads;
}

/* One task a thread, with its own scratch; the pieces are taken from a counter, segment by segment, the longest (last tokens) first. */
static void attention(void *ctx, size_t index)
{
    slm_pass *p = ctx;
    const size_t heads = p->model->config.kv_heads;
    const slm_segment *s = p->w->segments;
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

/* Bytes a position takes in a layer. */
static size_t position_bytes(const slm_segment *s)
{
    const slm_kv *kv = s->sequence->kv;
    return kv->page_bytes / (SLM_PAGE * kv->layers);
}

/* Bytes of cache the attention of a layer reads, if each token reads its own. */
static size_t attention_bytes(const slm_pass *p)
{
    size_t bytes = 0;
    for (size_t i = 0; i < p->n_segments; i++) {
        const slm_segment *s = &p->w->segments[i];
        bytes += s->n * (s->first + s->n) * position_bytes(s) / 2;
    }
    return bytes;
}

static void quantize_attention(void *ctx, size_t t)
{
    slm_pass *p = ctx;
    if (!slm_pass_failed(p, t))
        slm_pass_quantize(p, &p->w->att, t);
}

/* Causal: token t of a segment sees first + t + 1 keys; windows are not taken into account. */
static void count(const slm_pass *p)
{
    const slm_config *c = &p->model->config;
    size_t bytes = 0, pairs = 0;
    if (!p->w->profile)
        return;
    for (size_t i = 0; i < p->n_segments; i++) {
        const slm_segment *s = &p->w->segments[i];
        bytes += (s->first + s->n) * position_bytes(s);
        pairs += s->n * s->first + s->n * (s->n + 1) / 2;
    }
    slm_pass_lap(p, SLM_OP_ATTENTION, bytes, 2 * pairs * c->heads * c->head_size);
}

void slm_pass_attention(slm_pass *p)
{
    const slm_model *m = p->model;
    atomic_store(&p->next, 0);
    slm_team_run(m->team, slm_max(1, slm_min(slm_team_width(m->team), attention_bytes(p) / SLM_PASS_TASK_BYTES)), attention, p);
    if (!p->layer->o.type->float_x)
        slm_pass_each_row(p, m->config.heads * m->config.head_size, quantize_attention);
    count(p);
}
