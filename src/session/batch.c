/* batch.c -- several sessions stepped together. What a step does is what each session's feed does, around one call of the decoder:
 * all enter, those that fit begin, the decoder runs, those that began end, all leave. Items whose session cannot be entered (a second
 * time in one step, or busy elsewhere) are left out from the start, so that nobody ever waits. */
#include "session/session.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"

/* An item on its way. */
typedef struct part {
    slm_watch watch;
    slm_error err;
    bool entered;
    size_t sequence;            /* its place among the sequences; SIZE_MAX: none */
} part;

struct slm_batch {
    slm_model *model;           /* held */
    slm_work *work;
    size_t context;
    part *parts;                /* [room] */
    slm_sequence *sequences;    /* [room] */
    size_t room;
    atomic_flag busy;
};

static slm_status make_room(slm_batch *b, size_t n, slm_error *err)
{
    slm_heap *heap = &b->model->heap;
    if (n <= b->room)
        return SLM_OK;
    part *parts = slm_heap_zarray(heap, n, sizeof *parts);
    slm_sequence *sequences = slm_heap_zarray(heap, n, sizeof *sequences);
    if (!parts || !sequences) {
        slm_heap_free(heap, parts);
        slm_heap_free(heap, sequences);
        return slm_fail(err, SLM_E_MEMORY, "batch: table of %zu items", n);
    }
    slm_heap_free(heap, b->parts);
    slm_heap_free(heap, b->sequences);
    b->parts = parts;
    b->sequences = sequences;
    b->room = n;
    return SLM_OK;
}

slm_status slm_batch_new(slm_batch **out, slm_model *model, const slm_batch_params *params, slm_error *err)
{
    enum { FIRST = 16 };
    slm_batch_params p;
    slm_session_shape shape;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || !model)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "model" : "out");
    if (p.tokens > SLM_LIMIT_BATCH_TOKENS)
        return slm_fail(err, SLM_E_ARG, "batch: tokens is %u (allowed 0 .. %d)", p.tokens, SLM_LIMIT_BATCH_TOKENS);
    sp.context = p.context;
    if ((status = slm_session_shape_read(&shape, &model->config, &sp, err)) != SLM_OK)
        return status;
    slm_batch *b = slm_heap_zalloc(&model->heap, sizeof *b);
    if (!b)
        return slm_fail(err, SLM_E_MEMORY, "batch: %zu bytes", sizeof *b);
    atomic_fetch_add(&model->holds, 1);
    atomic_flag_clear(&b->busy);
    b->model = model;
    b->context = shape.context;
    status = slm_work_new(&b->work, model, &model->heap, p.tokens, SIZE_MAX, b->context, SIZE_MAX, err);
    if (!status)
        status = make_room(b, FIRST, err);
    if (status)
        slm_batch_free(b);
    else
        *out = b;
    return status;
}

void slm_batch_free(slm_batch *b)
{
    if (!b)
        return;
    slm_model *model = b->model;
    slm_work_free(b->work);
    slm_heap_free(&model->heap, b->parts);
    slm_heap_free(&model->heap, b->sequences);
    slm_heap_free(&model->heap, b);
    slm_model_let_go(model);
}

/* Takes the session if it can be had; whatever happens, leave undoes it. */
static slm_status enter(const slm_batch *b, const slm_batch_item *item, part *p, slm_error *err)
{
    unsigned saved;
    slm_session *s = item->session;
    if (s && s->model != b->model)
        return slm_fail(err, SLM_E_MISMATCH, "session of another model than the batch's");
    slm_status status = slm_session_enter(s, &p->watch, &saved, err);
    p->entered = !status;
    if (!status && item->n <= slm_session_room(s) && s->position + item->n > b->context)
        status = slm_fail(err, SLM_E_CONTEXT, "feed: %zu tokens at position %zu do not fit: the batch's context has %zu", item->n, s->position,
                          b->context);
    return status;
}

static void start_item(slm_batch *b, slm_batch_item *item, part *p, size_t *n)
{
    *p = (part){ .sequence = SIZE_MAX };
    item->status = enter(b, item, p, &p->err);
    if (!item->status)
        item->status = slm_session_begin(item->session, &b->sequences[*n], item->tokens, item->n, &p->watch, &p->err);
    if (!item->status)
        p->sequence = (*n)++;
}

/* The floating-point state needs no leaving: step has entered it once for all. */
static void end_item(slm_batch *b, slm_batch_item *item, part *p)
{
    if (p->sequence != SIZE_MAX)
        item->status = slm_session_end(item->session, &b->sequences[p->sequence]);
    if (p->entered)
        atomic_flag_clear(&item->session->busy);
    if (item->status && item->err)
        *item->err = p->err;
}

static slm_status step(slm_batch *b, slm_batch_item *items, size_t n, slm_error *err)
{
    size_t n_sequences = 0, bad = n;
    slm_status status = make_room(b, n, err);
    if (status)
        return status;
    const unsigned saved = slm_fp_enter();
    for (size_t i = 0; i < n; i++)
        start_item(b, &items[i], &b->parts[i], &n_sequences);
    slm_decode(b->model, b->work, b->sequences, n_sequences);
    for (size_t i = n; i-- > 0;) {
        end_item(b, &items[i], &b->parts[i]);
        bad = items[i].status ? i : bad;
    }
    slm_fp_leave(saved);
    return bad < n ? slm_fail(err, items[bad].status, "item %zu of %zu: %s", bad, n, b->parts[bad].err.text) : SLM_OK;
}

slm_status slm_batch_step(slm_batch *batch, slm_batch_item *items, size_t n, slm_error *err)
{
    if (!batch || (!items && n))
        return slm_fail(err, SLM_E_ARG, "%s is NULL", batch ? "items" : "batch");
    if (atomic_flag_test_and_set(&batch->busy))
        return slm_fail(err, SLM_E_STATE, "batch: another step of it is running");
    const slm_status status = step(batch, items, n, err);
    atomic_flag_clear(&batch->busy);
    return status;
}
