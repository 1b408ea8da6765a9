/* pass.c -- segments of a pass: how they are filled, watched, fail and end. */
#include "model/pass.h"

#include "core/size.h"

#include <string.h>

void slm_pass_note_bad(slm_pass *p, size_t row)
{
    atomic_size_t *bad = &p->w->rows[row].s->bad;
    size_t seen = atomic_load(bad);
    while (row < seen && !atomic_compare_exchange_weak(bad, &seen, row))
        ;
}

void slm_pass_give_up(slm_pass *p, slm_segment *s, slm_status status)
{
    s->failed = true;
    s->sequence->status = status;
    p->alive--;
}

void slm_pass_drop_bad(slm_pass *p, const char *where, size_t number)
{
    for (size_t i = 0; i < p->n_segments; i++) {
        slm_segment *s = &p->w->segments[i];
        const size_t bad = atomic_load(&s->bad);
        if (bad != SIZE_MAX && !s->failed)
            slm_pass_give_up(p, s, slm_fail(s->sequence->err, SLM_E_NUMERIC, "%s %zu: a value is not finite or too large for the cache at position %zu",
                                   where, number, p->w->rows[bad].position));
    }
}

void slm_pass_add(slm_pass *p, slm_sequence *sequence, size_t n)
{
    slm_work *w = p->w;
    slm_segment *s = &w->segments[p->n_segments++];
    s->sequence = sequence;
    s->row = p->n;
    s->n = n;
    s->first = sequence->first + sequence->done;
    s->failed = false;
    atomic_store(&s->bad, SIZE_MAX);
    s->tile = slm_pass_tile(p, s);
    for (size_t t = 0; t < n; t++)
        w->rows[p->n++] = (slm_row){ s, s->first + t, sequence->tokens[sequence->done + t] };
    p->alive++;
}

void slm_pass_end(slm_pass *p)
{
    for (size_t i = 0; i < p->n_segments; i++)
        if (!p->w->segments[i].failed)
            p->w->segments[i].sequence->done += p->w->segments[i].n;
}

/* With one token, or few short rows, telling the threads would take longer than the work. */
void slm_pass_each_row(const slm_strip *s, size_t values, slm_task_fn *fn, void *ctx)
{
    if (!s->own && s->n * values * sizeof(float) >= SLM_PASS_TASK_BYTES) {
        slm_team_run(s->pass->model->team, s->n, fn, ctx);
        return;
    }
    for (size_t t = 0; t < s->n; t++)
        fn(ctx, t);
}

void slm_pass_quantize(const slm_strip *s, const slm_operand *o, size_t t)
{
    if (!s->pass->model->kernels.quantize_x(o->q + t * o->blocks, o->f + t * o->ld, o->n)) {
        slm_pass_note_bad(s->pass, s->row + t);
        memset(o->q + t * o->blocks, 0, o->blocks * sizeof *o->q);
    }
}

/* ---- strips ---- */

static slm_operand rows_from(const slm_operand *o, size_t row)
{
    slm_operand part = *o;
    part.f = o->f ? o->f + row * o->ld : NULL;
    part.q = o->q + row * o->blocks;
    part.r = o->r ? o->r + row * o->row_bytes : NULL;
    return part;
}

/* Rows row .. row + n - 1 of the pass, in the strips' memory from its row `at` on. */
static slm_strip strip_at(slm_pass *p, size_t at, size_t row, size_t n)
{
    const slm_work *w = p->w;
    const slm_config *c = &p->model->config;
    const size_t kn = c->kv_heads * c->head_size;
    return (slm_strip){ .pass = p, .row = row, .n = n, .in = rows_from(&w->in, at), .att = rows_from(&w->att, at), .act = rows_from(&w->act, at),
                        .delta = w->delta + at * c->embedding, .k = w->k + at * kn, .v = w->v + at * kn, .profile = w->profile };
}

slm_strip slm_pass_shared_strip(slm_pass *p, size_t row, size_t n)
{
    return strip_at(p, 0, row, n);
}

/* One a thread. The last strips come first: in a decoder their attention takes longest. */
static void take_strips(void *ctx, size_t index)
{
    slm_pass *p = ctx;
    slm_profile *laps = p->w->profile ? &p->w->laps[index] : NULL;
    slm_profile_start(laps, p->model->team);
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->strips; ) {
        const size_t row = (p->strips - 1 - i) * p->strip;
        slm_strip s = strip_at(p, index * p->strip, row, slm_min(p->strip, p->n - row));
        s.own = &p->w->scratch[index];
        s.profile = laps;
        p->step(&s);
    }
}

/* As many strips for each thread, all alike. The sums of importances want their rows in order. */
static void cut(slm_pass *p)
{
    const size_t width = slm_team_width(p->model->team), most = slm_min(p->w->strip_rows / width, SLM_PASS_STRIP);
    p->strip = slm_min(p->w->strip_rows, p->n);
    p->strips = 0;
    if (width < 2 || p->n < width * SLM_PASS_STRIP_LEAST || p->w->importance)
        return;
    p->strip = slm_ceil_div(p->n, slm_ceil_div(p->n, most * width) * width);
    p->strips = slm_ceil_div(p->n, p->strip);
}

void slm_pass_each_strip(slm_pass *p, void (*step)(const slm_strip *strip))
{
    const slm_work *w = p->w;
    const size_t width = slm_team_width(p->model->team);
    if (!p->strip)
        cut(p);
    for (size_t row = 0; !p->strips && row < p->n; row += p->strip) {
        const slm_strip s = slm_pass_shared_strip(p, row, slm_min(p->strip, p->n - row));
        step(&s);
    }
    if (!p->strips)
        return;
    memset(w->laps, 0, width * sizeof *w->laps);
    p->step = step;
    atomic_store(&p->next, 0);
    slm_team_run(p->model->team, slm_min(width, p->strips), take_strips, p);
    if (w->profile)
        slm_profile_join(w->profile, p->model->team, w->laps, width);
}
