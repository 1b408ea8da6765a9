/* pass.c -- segments of a pass: how they are filled, watched, fail and end. */
#include "model/pass.h"

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
    slm_pass_cut_tiles(p, s);
    p->pieces += s->pieces;
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
void slm_pass_each_row(slm_pass *p, size_t values, slm_task_fn *fn)
{
    if (p->n * values * sizeof(float) >= SLM_PASS_TASK_BYTES) {
        slm_team_run(p->model->team, p->n, fn, p);
        return;
    }
    for (size_t t = 0; t < p->n; t++)
        fn(p, t);
}

void slm_pass_quantize(slm_pass *p, slm_operand *o, size_t row)
{
    if (!p->model->kernels.quantize_x(o->q + row * o->blocks, o->f + row * o->ld, o->n))
        slm_pass_note_bad(p, row);
}
