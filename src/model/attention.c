/* attention.c -- attention of a strip over the pages of the sequences' caches: per kv head and tile of tokens. A decoder's token sees what
 * lies before it, an encoder's both sides, each within the window of the layer if it has one. */
#include "model/pass.h"

#include "core/size.h"

#include <math.h>
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

/* What of the view lies in the page at `at`, counted from there; the same two of a page none of which does: both 0 or both SLM_PAGE. */
static view in_page(view v, size_t at)
{
    return (view){ slm_min(v.from - slm_min(v.from, at), SLM_PAGE), slm_min(v.to - slm_min(v.to, at), SLM_PAGE) };
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

/* One kv head and rows t0 .. t0 + tile of a strip, all of one segment: their query heads and tokens are the rows of the tile.
 *
 * Two passes over the pages. The first leaves the scores, [pages][rows][SLM_PAGE], and the greatest of each row; the second turns
 * those of a page into weights where they lie and adds the values by them. Both take STEP rows at a time: a kernel's tile, whose
 * weights are still in the first-level cache when they are used, and between two of them a part of the next page is asked for. The
 * more rows, the less often a page is read. */
enum { STEP = 6 };

typedef struct piece {
    slm_pass *p;
    const slm_scratch *s;
    const slm_segment *own;
    const slm_kv *kv;
    size_t head, tile, group, rows, d;
    size_t first;               /* position of the first token */
    size_t start, end;          /* of the keys: that of the first page, that after the last one */
    view top, bottom;           /* of the first and of the last token: every one sees bottom.from .. top.to - 1 */
} piece;

static view seen_in_page(const piece *w, size_t token, size_t at)
{
    return in_page(seen(w->p, w->own, w->first + token), at);
}

/* Does every token see the same of the page at `at`? */
static bool alike(const piece *w, size_t at)
{
    const view a = in_page(w->top, at), b = in_page(w->bottom, at);
    return a.from == b.from && a.to == b.to;
}

static float *scores_of(const piece *w, size_t at)
{
    return w->s->scores + (at - w->start) * w->rows;
}

static size_t rows_of_step(const piece *w, size_t row)
{
    const size_t steps = slm_ceil_div(w->rows - row, STEP);
    return slm_ceil_div(w->rows - row, steps);
}

/* Asks for the share of rows row .. row + n in the next page's keys or values: it begins in memory of its own, where the processor's
 * prefetcher knows nothing yet, and all at once would fill the queue of loads. */
static void ask_for(const piece *w, const uint8_t *bytes, size_t row, size_t n)
{
    const size_t lines = w->kv->head_bytes / 2 / 64;
    for (size_t i = lines * row / w->rows; i < lines * (row + n) / w->rows; i++)
        __builtin_prefetch(bytes + i * 64);
}

/* Scores of n rows and the first `keys` keys of a page. */
static void score(const piece *w, float *scores, size_t row, size_t n, const uint8_t *page, size_t keys)
{
    const slm_kernels *k = &w->p->model->kernels;
    const float scale = w->p->model->config.score_scale;
    const size_t blocks = slm_ceil_div(w->d, 64) * 2;
    if (w->kv->element == 1)
        k->qk_q8(scores, SLM_PAGE, w->s->blocks + row * blocks, blocks, n, page, w->d, keys, scale);
    else
        (w->kv->element == 4 ? k->qk_f32 : k->qk_f16)(scores, SLM_PAGE, w->s->q + row * w->d, w->d, n, page, w->d, keys, scale);
}

/* out += p times the values that v names of a page, for n rows. */
static void weigh(const piece *w, size_t row, size_t n, const float *p, const uint8_t *page, view v)
{
    const slm_kernels *k = &w->p->model->kernels;
    const size_t d = w->d, blocks = slm_cache_blocks(d), keys = v.to - v.from;
    float *out = w->s->out + row * d;
    p += row * SLM_PAGE + v.from;
    if (v.from >= v.to)
        return;
    if (w->kv->element == 1)
        k->pv_q8(out, d, p, SLM_PAGE, n, (const float *)(const void *)page + v.from * blocks,
                 (const int8_t *)page + SLM_PAGE * blocks * 4 + v.from * slm_cache_width(d), d, keys);
    else
        (w->kv->element == 4 ? k->pv_f32 : k->pv_f16)(out, d, p, SLM_PAGE, n, page + v.from * d * w->kv->element, d, keys);
}

/* First pass. */
static void score_page(const piece *w, size_t at, const uint8_t *page, const uint8_t *next)
{
    const slm_model *m = w->p->model;
    const slm_kernels *k = &m->kernels;
    float *scores = scores_of(w, at);
    for (size_t row = 0, n; row < w->rows; row += n) {
        n = rows_of_step(w, row);
        ask_for(w, next, row, n);
        score(w, scores + row * SLM_PAGE, row, n, page, slm_min(SLM_PAGE, w->end - at));
    }
    if (m->config.score_cap != 0)       /* of what nobody sees too */
        k->softcap_f32(scores, scores, w->rows * SLM_PAGE, m->config.score_cap);
    for (size_t row = 0; m->relative && row < w->rows; row++) {
        const view v = seen_in_page(w, row / w->group, at);
        add_relative(m, w->head * w->group + row % w->group, scores + row * SLM_PAGE + v.from, (view){ at + v.from, at + v.to },
                     w->first + row / w->group);
    }
    const bool all = alike(w, at);
    const size_t n = all ? w->rows : w->group;
    for (size_t row = 0; row < w->rows; row += n) {
        const view v = seen_in_page(w, row / w->group, at);
        k->max_rows_f32(w->s->lanes + row * 16, scores + row * SLM_PAGE, SLM_PAGE, n, v.from, v.to);
    }
}

static void exponentials(const piece *w, float *scores, size_t row, size_t n, view v)
{
    scores += row * SLM_PAGE;
    w->p->model->kernels.exp_rows_f32(scores, w->s->lanes + row * 16, scores, SLM_PAGE, w->s->most + row, n, v.from, v.to);
}

/* Second pass. Where tokens do not see the same of a page, what all of them see is added for all at once, between what each one has
 * before and after it. */
static void weigh_page(const piece *w, size_t at, const uint8_t *page, const uint8_t *next)
{
    float *scores = scores_of(w, at);
    view all = { in_page(w->bottom, at).from, in_page(w->top, at).to };
    if (alike(w, at)) {
        for (size_t row = 0, n; row < w->rows; row += n) {
            n = rows_of_step(w, row);
            ask_for(w, next, row, n);
            exponentials(w, scores, row, n, all);
            weigh(w, row, n, scores, page, all);
        }
        return;
    }
    if (all.from >= all.to)
        all = (view){ SLM_PAGE, SLM_PAGE };
    for (size_t t = 0; t < w->tile; t++) {
        const view v = seen_in_page(w, t, at);
        exponentials(w, scores, t * w->group, w->group, v);
        weigh(w, t * w->group, w->group, scores, page, (view){ v.from, slm_min(v.to, all.from) });
    }
    weigh(w, 0, w->rows, scores, page, all);
    for (size_t t = 0; t < w->tile; t++) {
        const view v = seen_in_page(w, t, at);
        weigh(w, t * w->group, w->group, scores, page, (view){ slm_max(v.from, all.to), v.to });
    }
}

/* C7: lane[i] += lane[i + half] for half = 8, 4, 2, 1. */
static float fold(const float *lane)
{
    float eight[8], four[4];
    for (size_t i = 0; i < 8; i++)
        eight[i] = lane[i] + lane[i + 8];
    for (size_t i = 0; i < 4; i++)
        four[i] = eight[i] + eight[i + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* y = x * factor, in steps as slm_add_to. */
static void multiply(float *restrict y, const float *restrict x, size_t n, float factor)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        for (size_t j = 0; j < 16; j++)
            y[i + j] = x[i + j] * factor;
    for (; i < n; i++)
        y[i] = x[i] * factor;
}

/* Where query r of a tile puts its result: token by token, the group's heads side by side. */
static float *result_of(const slm_strip *strip, const piece *w, size_t t0, size_t r)
{
    return strip->att.f + (t0 + r / w->group) * strip->att.ld + (w->head * w->group + r % w->group) * w->d;
}

/* Query `bad` has no result, and nobody asks for those from `from` on: what reads them before the pass ends finds zeros. */
static void give_up(const slm_strip *strip, const piece *w, size_t t0, size_t bad, size_t from)
{
    slm_pass_note_bad(strip->pass, strip->row + t0 + bad / w->group);
    for (size_t r = from; r < w->rows; r++)
        memset(result_of(strip, w, t0, r), 0, w->d * sizeof(float));
}

static void attend(const slm_strip *strip, const slm_scratch *s, size_t head, size_t t0, size_t tile)
{
    slm_pass *p = strip->pass;
    const slm_model *m = p->model;
    const slm_kernels *k = &m->kernels;
    const slm_config *c = &m->config;
    const slm_row *at_first = &p->w->rows[strip->row + t0];
    const slm_segment *own = at_first->s;
    const size_t d = c->head_size, group = c->heads / c->kv_heads, rows = group * tile, qn = c->heads * d, shelf = slm_pass_shelf(p);
    const size_t first = at_first->position;
    const view top = seen(p, own, first), bottom = seen(p, own, first + tile - 1);
    const piece w = { p, s, own, own->sequence->kv, head, tile, group, rows, d, first, top.from / SLM_PAGE * SLM_PAGE, bottom.to, top, bottom };

    for (size_t t = 0; t < tile; t++)
        memcpy(s->q + t * group * d, p->w->q + (strip->row + t0 + t) * qn + head * group * d, group * d * sizeof(float));
    if (w.kv->element == 1)
        for (size_t r = 0; r < rows; r++)
            if (!k->quantize_x(s->blocks + r * slm_ceil_div(d, 64) * 2, s->q + r * d, d)) {
                give_up(strip, &w, t0, r, 0);
                return;
            }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < 16; i++)
            s->lanes[r * 16 + i] = -INFINITY;
    for (size_t at = w.start; at < w.end; at += SLM_PAGE) {
        const uint8_t *next = at + SLM_PAGE < w.end ? slm_kv_keys(w.kv, at / SLM_PAGE + 1, shelf, head)
                                                     : slm_kv_values(w.kv, w.start / SLM_PAGE, shelf, head);
        score_page(&w, at, slm_kv_keys(w.kv, at / SLM_PAGE, shelf, head), next);
    }
    for (size_t r = 0; r < rows; r++)
        s->most[r] = k->max_f32(s->lanes + r * 16, 16);
    memset(s->lanes, 0, rows * 16 * sizeof(float));
    memset(s->out, 0, rows * d * sizeof(float));
    for (size_t at = w.start; at < w.end; at += SLM_PAGE) {
        const size_t page = at / SLM_PAGE;
        weigh_page(&w, at, slm_kv_values(w.kv, page, shelf, head),
                   slm_kv_values(w.kv, at + SLM_PAGE < w.end ? page + 1 : page, shelf, head));
    }
    for (size_t r = 0; r < rows; r++) {
        const float sum = fold(s->lanes + r * 16);
        if (!slm_is_finite(sum)) {              /* some score was a NaN or infinite, or all were -infinite */
            give_up(strip, &w, t0, r, r);
            return;
        }
        multiply(result_of(strip, &w, t0, r), s->out + r * d, d, 1.0f / sum);
    }
}

/* As many tokens as a thread's scores hold. */
size_t slm_pass_tile(const slm_pass *p, const slm_segment *s)
{
    const slm_config *c = &p->model->config;
    const size_t keys = slm_ceil_div(s->first + s->n, SLM_PAGE) * SLM_PAGE, group = c->heads / c->kv_heads;
    return slm_max(1, slm_min(SLM_PASS_TILE_ROWS / group, p->w->score_room / (group * keys)));
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

/* One task a thread, with its own scratch; the pieces are taken from a counter, segment by segment and head by head, whose keys and
 * values stay in the second-level cache from tile to tile as long as they fit there; the longest (last tokens) first. */
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
        const size_t tiles = pieces_of(strip, s) / heads, t0 = v.from + (tiles - 1 - (i - before) % tiles) * s->tile;
        attend(strip, &p->w->scratch[index], (i - before) / tiles, t0, slm_min(s->tile, v.to - t0));
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
    if (s->own)
        slm_pass_ask(&s->pass->layer->o, 0, t, s->n);
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
