/* work.c -- memory for passes: one block, laid out by one function that also counts it. */
#include "model/pass.h"

#include "core/size.h"

#include <string.h>

enum {
    CHUNK_BYTES = 9 << 20,      /* of a pass; more tokens at once gain nothing in the products */
    STRIP_BYTES = 10 << 20,     /* of what is kept of its rows from step to step of a layer */
    TILE_BYTES = 384 << 10,     /* of scores a thread keeps: half of SLM_PASS_TILE_ROWS at 4,096 keys */
    HEAD_BYTES = 8 << 20
};

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

static void *zeroed(layout *l, size_t n, size_t each)
{
    const size_t before = l->used;
    void *at = piece(l, n, each);
    return at ? memset(at, 0, l->used - before) : NULL;
}

/* Rows are padded with zeros. Where there is nothing to pad, memory that a short prompt does not use is not touched. */
static void place_operand(layout *l, slm_operand *o, size_t n, const slm_config *c, size_t rows, bool floats)
{
    o->n = n;
    o->ld = slm_ceil_div(n, 64) * 64;
    o->blocks = o->ld / 32;
    o->row_bytes = sizeof(slm_xrow) + o->ld;
    void *(*const place_rows)(layout *, size_t, size_t) = o->ld == n ? piece : zeroed;
    o->f = floats ? place_rows(l, rows, o->ld * sizeof *o->f) : NULL;
    o->q = place_rows(l, rows, o->blocks * sizeof *o->q);
    o->r = c->by_row ? place_rows(l, rows, o->row_bytes) : NULL;
}

static size_t row_bytes(const slm_config *c)
{
    return 4 * (c->embedding + c->heads * c->head_size + c->head_size);
}

/* Of a strip's row. */
static size_t strip_bytes(const slm_config *c)
{
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    return 4 * (2 * e + qn + 2 * kn + (c->float_down ? f : 0)) + (e + qn + f + 192) * sizeof(slm_xblock) / 32;
}

/* Enough for the least strips that threads may have alone; where no pass is cut into such, for its rows. */
static size_t strip_rows(const slm_config *c, size_t chunk, size_t width)
{
    const size_t least = width * SLM_PASS_STRIP_LEAST;
    return chunk < least ? chunk : slm_min(chunk + width, slm_min(SLM_PASS_STRIP * width, slm_max(least, STRIP_BYTES / strip_bytes(c))));
}

static void place(layout *l, slm_work *w, const slm_config *c, size_t width)
{
    const size_t e = c->embedding, f = c->feed_forward, d = c->head_size, qn = c->heads * d, kn = c->kv_heads * d;
    const size_t group = c->heads / c->kv_heads, rows = slm_max(group, SLM_PASS_TILE_ROWS);
    w->x = piece(l, w->chunk, e * sizeof(float));
    w->q = piece(l, w->chunk, qn * sizeof(float));
    w->strip_rows = strip_rows(c, w->chunk, width);
    w->delta = piece(l, w->strip_rows, e * sizeof(float));
    w->k = piece(l, w->strip_rows, kn * sizeof(float));
    w->v = piece(l, w->strip_rows, kn * sizeof(float));
    place_operand(l, &w->in, e, c, w->strip_rows, true);
    place_operand(l, &w->att, qn, c, w->strip_rows, true);
    place_operand(l, &w->act, f, c, w->strip_rows, c->float_down);
    for (size_t i = 0; i < slm_config_rope_sets(c); i++) {
        w->cos[i] = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
        w->sin[i] = piece(l, w->chunk, c->rope_size / 2 * sizeof(float));
    }
    w->head_rows = c->arch->encoder ? 0 : slm_max(1, slm_min(slm_min(SLM_HEAD_ROWS, w->chunk), HEAD_BYTES / (c->vocab * sizeof(float))));
    w->logits = piece(l, w->head_rows, c->vocab * sizeof(float));
    w->score_room = slm_max(TILE_BYTES / sizeof(float), group * slm_ceil_div(w->context, SLM_PAGE) * SLM_PAGE);
    w->rows = zeroed(l, w->chunk, sizeof *w->rows);
    w->segments = zeroed(l, w->most_segments, sizeof *w->segments);
    w->scratch = zeroed(l, width, sizeof *w->scratch);
    w->laps = zeroed(l, width, sizeof *w->laps);
    for (size_t i = 0; i < width; i++) {
        slm_scratch s;
        s.q = zeroed(l, rows, d * sizeof(float));
        s.out = zeroed(l, rows, d * sizeof(float));
        s.scores = zeroed(l, w->score_room, sizeof(float));
        s.most = zeroed(l, rows, sizeof(float));
        s.lanes = zeroed(l, rows, 16 * sizeof(float));
        s.gate = zeroed(l, SLM_PASS_FEED_ROOM, sizeof(float));
        s.up = zeroed(l, SLM_PASS_FEED_ROOM, sizeof(float));
        s.blocks = zeroed(l, rows, slm_ceil_div(d, 64) * 2 * sizeof(slm_xblock));
        if (l->base)
            w->scratch[i] = s;
    }
}

size_t slm_work_chunk(const slm_config *config)
{
    return slm_max(1, slm_min(512, CHUNK_BYTES / row_bytes(config)));
}

/* The sizes; what they need in one piece, in bytes. */
static layout measure(slm_work *w, const slm_config *c, size_t width, size_t chunk, size_t most, size_t context, size_t sequences)
{
    layout count = { 0 };
    w->context = context;
    w->chunk = slm_max(1, slm_min(most, chunk ? chunk : slm_work_chunk(c)));
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
        return slm_fail(err, SLM_E_MEMORY, "%zu bytes for work", sizeof *w);
    w->heap = heap;
    const layout count = measure(w, &model->config, width, chunk, most, context, sequences);
    layout real = { count.overflow ? NULL : slm_heap_alloc(heap, count.used), 0, false };
    if (!real.base) {
        const slm_status status = slm_fail(err, SLM_E_MEMORY, "%zu bytes for %zu tokens at once in a context of %zu", count.used,
                                           w->chunk, context);
        slm_heap_free(heap, w);
        return status;
    }
    w->memory = real.base;
    place(&real, w, &model->config, width);
    *out = w;
    return SLM_OK;
}

void slm_work_measure(slm_work *work, slm_profile *profile)
{
    work->profile = profile;
}

void slm_work_weigh(slm_work *work, slm_importance *importance)
{
    work->importance = importance;
}

void slm_work_free(slm_work *work)
{
    if (!work)
        return;
    slm_heap_free(work->heap, work->memory);
    slm_heap_free(work->heap, work);
}
