/* attention.c -- attention of a strip over the pages of the sequences' caches: per kv head and tile of tokens. A decoder's token sees what
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

/* Asks for what the next page has of a head while this one is computed with: it begins in memory of its own, where the processor's prefetcher knows
 * nothing yet. */
static void ask_for(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch(bytes + i);
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

/* Rows t0 .. t0 + tile of the strip, all of one segment, and one kv head, whose query heads and tokens are the rows of the tile. */
static void attend(const slm_strip *strip, const slm_scratch *s, size_t head, size_t t0, size_t tile)
{
    slm_pass *p = strip->pass;
    const slm_model *m = p->model;
    const slm_kernels *k = &m->kernels;
    const slm_config *c = &m->config;
    const slm_row *at_first = &p->w->rows[strip->row + t0];
    const slm_segment *own = at_first->s;
    const size_t d = c->head_size, group = c->heads / c->kv_heads, rows = group * tile, qn = c->heads * d;
    const size_t first = at_first->position, shelf = slm_pass_shelf(p);
    const view top = seen(p, own, first), bottom = seen(p, own, first + tile - 1);     /* every row sees bottom.from .. top.to - 1 */
    const size_t from_page = top.from / SLM_PAGE * SLM_PAGE, keys = bottom.to, lds = slm_ceil_div(keys, SLM_PAGE) * SLM_PAGE;
    const slm_kv *kv = own->sequence->kv;

    for (size_t t = 0; t < tile; t++)
        memcpy(s->q + t * group * d, p->w->q + (strip->row + t0 + t) * qn + head * group * d, group * d * sizeof(float));
    memset(s->out, 0, rows * d * sizeof(float));
    if (kv->element == 1)
        for (size_t r = 0; r < rows; r++)
            if (!k->quantize_x(s->blocks + r * slm_ceil_div(d, 64) * 2, s->q + r * d, d)) {
                slm_pass_note_bad(p, strip->row + t0 + r / group);
                return;
            }
    for (size_t at = from_page; at < keys; at += SLM_PAGE) {
        if (at + SLM_PAGE < keys)
            ask_for(slm_kv_keys(kv, at / SLM_PAGE + 1, shelf, head), kv->head_bytes / 2);
        score(k, kv, s, at, lds, rows, slm_kv_keys(kv, at / SLM_PAGE, shelf, head), slm_min(SLM_PAGE, keys - at), c->score_scale);
    }
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
            slm_pass_note_bad(p, strip->row + t0 + r / group);
            return;
        }
        const float sum = k->exp_sum_f32(scores, scores, v.to - v.from, v.from, most);
        s->q[r] = 1.0f / sum;           /* q is used up: rows <= rows * d */
    }
    for (size_t at = from_page; at < keys; at += SLM_PAGE) {
        const uint8_t *values = slm_kv_values(kv, at / SLM_PAGE, shelf, head);
        const size_t end = slm_min(at + SLM_PAGE, keys);
        if (end < keys)
            ask_for(slm_kv_values(kv, at / SLM_PAGE + 1, shelf, head), kv->head_bytes / 2);
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
        float *out = strip->att.f + (t0 + r / group) * strip->att.ld + (head * group + r % group) * d;
        for (size_t i = 0; i < d; i++)
            out[i] = s->out[r * d + i] * s->q[r];
    }
}

/* As many tokens as a thread's scores hold. */
size_t slm_pass_tile(const slm_pass *p, const slm_segment *s)
{
    const slm_config *c = &p->model->config;
    const size_t keys = slm_ceil_div(s->first + s->n, SLM_PAGE) * SLM_PAGE, group = c->heads / c->kv_heads;
    return slm_max(1, slm_min(SLM_PASS_TILE_TOKENS, p->w->score_room / (group * keys)));
}

/* Rows of the strip that are the segment's: from .. to. */
static view rows_of(const slm_strip *strip, const slm_segment *s)
{
    const size_t end = strip->row + strip->n;
    return (view){ slm_max(s->row, strip->row) - strip->row, slm_min(s->row + s->n, end) - strip->row };
}

static size_t pieces_of(const slm_strip *strip, const slm_segment *s)
{
    const view v = rows_of(strip, s);
    return slm_ceil_div(v.to - v.from, s->tile) * strip->pass->model->config.kv_heads;
}

/* One task a thread, with its own scratch; the pieces are taken from a counter, segment by segment, the longest (last tokens) first. */
static void attention(void *ctx, size_t index)
{
    const slm_strip *strip = ctx;
    slm_pass *p = strip->pass;
    const size_t heads = p->model->config.kv_heads;
    const slm_segment *s = p->w->rows[strip->row].s;
    for (size_t before = 0;;) {
        const size_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->pieces)
            return;
        while (i - before >= pieces_of(strip, s))         /* the counter only grows: what lies before is never asked for again */
            before += pieces_of(strip, s++);
        if (s->failed)
            continue;
        const view v = rows_of(strip, s);
        const size_t t0 = v.from + (pieces_of(strip, s) / heads - 1 - (i - before) / heads) * s->tile;
        attend(strip, &p->w->scratch[index], (i - before) % heads, t0, slm_min(s->tile, v.to - t0));
    }
}

/* All of a strip, a head's keys and values for all of its tiles while they are near. */
static void attend_alone(const slm_strip *strip)
{
    const slm_row *rows = strip->pass->w->rows + strip->row;
    for (size_t head = 0; head < strip->pass->model->config.kv_heads; head++)
        for (size_t t = 0, n; t < strip->n; t += n) {
            n = slm_min(rows[t].s->tile, rows_of(strip, rows[t].s).to - t);
            if (!rows[t].s->failed)
                attend(strip, strip->own, head, t, n);
        }
}

/* Bytes a position takes in a layer. */
static size_t position_bytes(const slm_segment *s)
{
    const slm_kv *kv = s->sequence->kv;
    return kv->page_bytes / (SLM_PAGE * kv->layers);
}

static void attend_together(const slm_strip *strip)
{
    slm_pass *p = strip->pass;
    const slm_segment *last = p->w->rows[strip->row + strip->n - 1].s;
    size_t bytes = 0;           /* of cache, if each token reads its own */
    p->pieces = 0;
    for (const slm_segment *s = p->w->rows[strip->row].s; s <= last; s++) {
        const view v = rows_of(strip, s);
        p->pieces += pieces_of(strip, s);
        bytes += (v.to - v.from) * (s->first + s->n) * position_bytes(s) / 2;
    }
    atomic_store(&p->next, 0);
    slm_team_run(p->model->team, slm_max(1, slm_min(slm_team_width(p->model->team), bytes / SLM_PASS_TASK_BYTES)), attention, (void *)(uintptr_t)strip);
}

static void quantize_attention(void *ctx, size_t t)
{
    const slm_strip *s = ctx;
    if (!slm_pass_failed(s, t))
        slm_pass_quantize(s, &s->att, t);
}

/* Causal: the token at position p sees p + 1 keys; windows are not taken into account. */
static void count(const slm_strip *strip)
{
    const slm_config *c = &strip->pass->model->config;
    const slm_row *rows = strip->pass->w->rows + strip->row;
    size_t bytes = 0, pairs = 0;
    for (size_t t = 0; t < strip->n; t++) {
        pairs += rows[t].position + 1;
        if (t + 1 == strip->n || rows[t + 1].s != rows[t].s)
            bytes += (rows[t].position + 1) * position_bytes(rows[t].s);
    }
    slm_pass_lap(strip, SLM_OP_ATTENTION, bytes, 2 * pairs * c->heads * c->head_size);
}

void slm_pass_attention(const slm_strip *s)
{
    const slm_model *m = s->pass->model;
    if (s->own)
        attend_alone(s);
    else
        attend_together(s);
    if (!s->pass->layer->o.type->float_x)
        slm_pass_each_row(s, m->config.heads * m->config.head_size, quantize_attention, (void *)(uintptr_t)s);
    if (s->profile)
        count(s);
}
