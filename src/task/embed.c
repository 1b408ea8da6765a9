/* embed.c -- vectors of texts: tokenized, encoded together, and each sequence's hidden states pooled to one vector.
 *
 * Items go through in groups, so that the tables and the ids of texts stay small however many there are. The states of a sequence come one
 * after the other and are pooled as they come: nothing is kept but sixteen sums. */
#include "core/params.h"
#include "core/size.h"
#include "session/encoder.h"
#include "text/tokenizer.h"

#include <math.h>
#include <string.h>

enum {
    GROUP = 128,
    LANES = 16,
    AROUND = 16,                /* tokens a text gets besides its own, at most */
    IDS_KEPT = 1 << 20          /* room for ids that is kept from one group to the next: a huge text has no lasting effect */
};

/* An item on its way. */
typedef struct part {
    const struct embedding *how;
    slm_embed_item *item;
    size_t n, at;               /* tokens; where they begin in the encoder's ids; SIZE_MAX: the caller's own */
    size_t sequence;            /* its place among the sequences; SIZE_MAX: none */
    bool infinite;              /* its vector would not be finite */
    slm_error err;
} part;

/* Made once for an encoder. */
typedef struct tables {
    slm_sequence sequences[GROUP];
    part parts[GROUP];
    float lanes[];              /* [LANES][embedding] sums over tokens; the first row is the vector in the end */
} tables;

typedef struct embedding {
    slm_encoder *encoder;
    tables *t;
    slm_embed_params params;
    uint32_t pooling;
    size_t width;               /* of a vector */
    const slm_watch *watch;
    bool cancelled;
} embedding;

/* ---- pooling ---- */

/* Divides by the length, in double: neither overflow nor underflow can come in between. Order as in C7. */
static void normalize(float *x, size_t n)
{
    double lane[LANES] = { 0 };
    for (size_t i = 0; i < n; i++)
        lane[i % LANES] += (double)x[i] * (double)x[i];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    const double length = sqrt(lane[0]);
    for (size_t i = 0; length > 0 && i < n; i++)
        x[i] = (float)((double)x[i] / length);
}

/* The mean of `tokens` states, of which lane t mod 16 has the sums (C7, C13). */
static void mean(float *lanes, size_t width, size_t tokens)
{
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half * width; i++)
            lanes[i] += lanes[half * width + i];
    for (size_t i = 0; i < width; i++)
        lanes[i] /= (float)tokens;
}

static void finish(part *p, float *vector)
{
    const embedding *e = p->how;
    if (e->pooling == SLM_POOLING_MEAN)
        mean(vector, e->width, p->n);
    for (size_t i = 0; i < e->width; i++)
        p->infinite |= !isfinite(vector[i]);
    if (p->infinite)
        return;
    if (e->params.normalize)
        normalize(vector, e->width);
    memcpy(p->item->vector, vector, e->width * sizeof *vector);
}

/* One state. All of a sequence were looked at before the first comes here. */
static int pool(void *user, size_t index, const float *state, size_t n)
{
    part *p = user;
    float *lanes = p->how->t->lanes;
    if (p->how->pooling == SLM_POOLING_MEAN) {
        float *lane = lanes + index % LANES * n;
        if (index == 0)
            memset(lanes, 0, LANES * n * sizeof *lanes);
        for (size_t i = 0; i < n; i++)
            lane[i] += state[i];
    } else if (index == (p->how->pooling == SLM_POOLING_FIRST ? 0 : p->n - 1)) {
        memcpy(lanes, state, n * sizeof *lanes);
    }
    if (index + 1 == p->n)
        finish(p, lanes);
    return 0;
}

/* ---- texts ---- */

/* Room for n ids behind the `used` ones. */
static slm_status more_ids(slm_encoder *e, size_t used, size_t n, slm_error *err)
{
    size_t want, room;
    if (!slm_size_add(used, n, &want))
        return slm_fail(err, SLM_E_MEMORY, "text: %zu tokens", n);
    if (want <= e->ids_room)
        return SLM_OK;
    room = slm_max(want, e->ids_room + e->ids_room / 2);
    int32_t *ids = slm_heap_array(&e->model->heap, room, sizeof *ids);
    if (!ids)
        return slm_fail(err, SLM_E_MEMORY, "text: %zu tokens", n);
    if (used)
        memcpy(ids, e->ids, used * sizeof *ids);
    slm_heap_free(&e->model->heap, e->ids);
    e->ids = ids;
    e->ids_room = room;
    return SLM_OK;
}

/* A text's ids behind the *used ones. */
static slm_status tokenize(const embedding *e, part *p, size_t *used)
{
    slm_encoder *encoder = e->encoder;
    const slm_tokenizer *tokenizer = encoder->model->tokenizer;
    const unsigned flags = e->params.flags | SLM_TEXT_BOS_EOS;
    const size_t most = slm_encoder_most(encoder), len = p->item->len;
    size_t n = 0;
    if (!tokenizer)
        return slm_fail(&p->err, SLM_E_STATE, "text of %zu bytes: the model has no tokenizer", len);
    slm_status status = slm_watch_look(e->watch, &p->err);
    if (!status)
        status = more_ids(encoder, *used, slm_min(len, SIZE_MAX / 2) / 2 + AROUND, &p->err);
    const slm_error before = p->err;                /* too little room at first is no failure of the caller's */
    if (!status)
        status = slm_tokenizer_encode(tokenizer, encoder->ids + *used, encoder->ids_room - *used, &n, p->item->text, len, flags, &p->err);
    if (status == SLM_E_LIMIT && n > encoder->ids_room - *used) {
        p->err = before;
        status = more_ids(encoder, *used, n, &p->err);
        if (!status)
            status = slm_tokenizer_encode(tokenizer, encoder->ids + *used, n, &n, p->item->text, len, flags, &p->err);
    }
    if (status)
        return status;
    if (n > most && e->params.truncate) {
        slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
        int32_t *ids = encoder->ids + *used;
        status = slm_tokenizer_get_info(tokenizer, &info, &p->err);
        if (!status && info.add_eos)
            ids[most - 1] = ids[n - 1];
        n = most;
    }
    p->n = n;
    p->at = *used;
    *used += n;
    return status;
}

/* ---- groups ---- */

static void start(const embedding *e, part *p, slm_embed_item *item, size_t *used)
{
    const size_t before = *used;
    *p = (part){ .how = e, .item = item, .n = item->n, .at = SIZE_MAX, .sequence = SIZE_MAX };
    item->status = SLM_OK;
    if (!item->vector)
        item->status = slm_fail(&p->err, SLM_E_ARG, "vector is NULL");
    else if (item->text)
        item->status = tokenize(e, p, used);
    if (!item->status)
        item->status = slm_encoder_check(e->encoder, item->text ? e->encoder->ids + p->at : item->tokens, p->n, &p->err);
    if (item->status)
        *used = before;
}

static void end(embedding *e, part *p)
{
    slm_embed_item *item = p->item;
    if (!item->status && p->sequence != SIZE_MAX)
        item->status = e->t->sequences[p->sequence].status;
    if (!item->status && p->infinite)
        item->status = slm_fail(&p->err, SLM_E_NUMERIC, "pooling of %zu tokens: a value is not finite", p->n);
    if (item->text && p->at != SIZE_MAX)
        item->n = p->n;
    if (item->status && item->err)
        *item->err = p->err;
    e->cancelled |= item->status == SLM_E_CANCELLED;
}

/* Up to GROUP items. Returns how many went well before the first that did not. */
static size_t run_group(embedding *e, slm_embed_item *items, size_t n)
{
    tables *t = e->t;
    size_t used = 0, count = 0, good = n;
    slm_error err;
    for (size_t i = 0; i < n; i++)
        start(e, &t->parts[i], &items[i], &used);
    for (size_t i = 0; i < n; i++) {
        part *p = &t->parts[i];
        if (items[i].status)
            continue;
        t->sequences[count] = (slm_sequence){ .tokens = p->at == SIZE_MAX ? items[i].tokens : e->encoder->ids + p->at, .n = p->n, .row = pool,
                                              .user = p, .watch = *e->watch, .err = &p->err };
        p->sequence = count++;
    }
    const slm_status status = slm_encoder_run(e->encoder, t->sequences, count, &err);
    for (size_t i = n; i-- > 0;) {
        part *p = &t->parts[i];
        if (status && !items[i].status) {
            items[i].status = status;
            p->err = err;
        }
        end(e, p);
        good = items[i].status ? i : good;
    }
    if (e->encoder->ids_room > IDS_KEPT) {
        slm_heap_free(&e->encoder->model->heap, e->encoder->ids);
        e->encoder->ids = NULL;
        e->encoder->ids_room = 0;
    }
    return good;
}

static slm_status run(embedding *e, slm_embed_item *items, size_t n, slm_error *err)
{
    slm_heap *heap = &e->encoder->model->heap;
    size_t bad = n;
    slm_error first = { 0 };
    if (!e->encoder->tables)
        e->encoder->tables = slm_heap_alloc(heap, sizeof(tables) + LANES * e->width * sizeof(float));
    if (!(e->t = e->encoder->tables))
        return slm_fail(err, SLM_E_MEMORY, "embed: tables for %d texts", GROUP);
    for (size_t at = 0; at < n; at += GROUP) {
        const size_t here = slm_min(GROUP, n - at), good = run_group(e, items + at, here);
        if (good < here && bad == n) {
            bad = at + good;
            first = e->t->parts[good].err;
        }
    }
    return bad < n ? slm_fail(err, items[bad].status, "item %zu of %zu: %s", bad, n, first.text) : SLM_OK;
}

static slm_status read_params(embedding *e, const slm_embed_params *params, slm_error *err)
{
    const slm_config *c = &e->encoder->model->config;
    slm_embed_params *p = &e->params;
    const slm_status status = slm_params_read(p, sizeof *p, params, err);
    if (status)
        return status;
    if (p->pooling > SLM_POOLING_LAST || p->normalize > 1 || p->truncate > 1 || p->flags & ~(uint32_t)SLM_TEXT_SPECIAL)
        return slm_fail(err, SLM_E_ARG, "embed: pooling %u (allowed 0 .. %d), normalize %u (0, 1), truncate %u (0, 1), flags 0x%x (0x%x)",
                        p->pooling, SLM_POOLING_LAST, p->normalize, p->truncate, p->flags, SLM_TEXT_SPECIAL);
    if (!p->pooling && c->pooling > SLM_POOLING_LAST)
        return slm_fail(err, SLM_E_UNSUPPORTED, "embed: key '%s.pooling_type' is %u, a rank: it makes no vector unless another is chosen",
                        c->arch->name, c->pooling);
    e->pooling = p->pooling ? p->pooling : c->pooling ? c->pooling : SLM_POOLING_MEAN;
    return SLM_OK;
}

slm_status slm_embed(slm_encoder *encoder, slm_embed_item *items, size_t n, const slm_embed_params *params, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    embedding e = { .encoder = encoder, .watch = &watch };
    if (!encoder || (!items && n))
        return slm_fail(err, SLM_E_ARG, "%s is NULL", encoder ? "items" : "encoder");
    e.width = encoder->model->config.embedding;
    slm_status status = read_params(&e, params, err);
    if (!status)
        status = slm_encoder_enter(encoder, &watch, &saved, err);
    if (status)
        return status;
    status = run(&e, items, n, err);
    slm_encoder_leave(encoder, saved, e.cancelled);
    return status;
}
