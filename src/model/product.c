/* product.c -- products of a step: the panels of up to three matrices with one input, split among the team. */
#include "model/pass.h"

#include "core/size.h"

void slm_pass_multiply(const slm_matrix *m, const slm_kernels *k, float *y, size_t ldy, const slm_operand *x, size_t token, size_t tokens,
                       size_t begin, size_t end)
{
    slm_matrix part = *m;
    part.panels += begin * m->panel_bytes;
    part.rows = slm_min(m->rows, end * SLM_PANEL_ROWS) - begin * SLM_PANEL_ROWS;
    if (m->type->head)
        slm_matrix_mul(&part, k, y, ldy, x->r + token * x->row_bytes, x->row_bytes, tokens, 0, end - begin);
    else if (m->type->float_x)
        slm_matrix_mul(&part, k, y, ldy, x->f + token * x->ld, x->ld, tokens, 0, end - begin);
    else
        slm_matrix_mul(&part, k, y, ldy, x->q + token * x->blocks, x->blocks, tokens, 0, end - begin);
}

void slm_pass_ask(const slm_matrix *m, size_t begin, size_t part, size_t parts)
{
    const size_t end = slm_min(begin + SLM_PASS_UNIT, slm_matrix_panels(m));
    if (begin >= end)
        return;
    const uint8_t *bytes = m->panels + begin * m->panel_bytes;
    size_t from, to;
    slm_team_part(slm_min((end - begin) * m->panel_bytes, SLM_PASS_ASK) / 64, parts, part, &from, &to);
    for (; from < to; from++)
        __builtin_prefetch(bytes + from * 64, 0, 2);
}

static void product_part(void *ctx, size_t index)
{
    const slm_product *p = ctx;
    size_t begin, end, base = 0;
    slm_team_part(slm_ceil_div(p->panels, p->unit), p->n_tasks, index, &begin, &end);
    begin *= p->unit;
    end = slm_min(end * p->unit, p->panels);
    for (size_t i = 0; i < p->count; i++) {
        const size_t here = slm_matrix_panels(p->m[i]);
        const size_t from = begin > base ? begin - base : 0, to = end > base ? slm_min(end - base, here) : 0;
        if (from < to)
            slm_pass_multiply(p->m[i], p->kernels, p->y[i] + from * SLM_PANEL_ROWS, p->ldy[i], p->x, 0, p->tokens, from, to);
        base += here;
    }
}

/* Adds the input of an operation to what the channels carry. */
static void weigh_input(const slm_strip *s, slm_op op, const slm_product *p)
{
    const int input = op == SLM_OP_QKV ? SLM_INPUT_ATTENTION : op == SLM_OP_OUTPUT ? SLM_INPUT_OUTPUT
                      : op == SLM_OP_UP ? SLM_INPUT_FEED_FORWARD : SLM_INPUTS;        /* that of down is added where it is made */
    if (s->pass->w->importance && input < SLM_INPUTS)
        slm_importance_add(s->pass->w->importance, s->pass->index, input, 0, p->x->n, p->x->f, p->x->ld, p->tokens);
}

/* What is not finite makes NaN, which the norm or the check of the next step finds. */
static void make_row(void *ctx, size_t t)
{
    const slm_product *p = ctx;
    (void)p->kernels->quantize_row((slm_xrow *)(void *)(p->x->r + t * p->x->row_bytes), p->x->f + t * p->x->ld, p->x->n);
}

void slm_pass_prepare(const slm_strip *s, slm_op op, slm_product *p)
{
    bool by_row = false;
    p->kernels = &s->pass->model->kernels;
    p->panels = p->bytes = p->macs = 0;
    for (size_t i = 0; i < p->count; i++) {
        p->panels += slm_matrix_panels(p->m[i]);
        p->bytes += slm_matrix_panels(p->m[i]) * p->m[i]->panel_bytes;
        p->macs += p->m[i]->rows * p->m[i]->cols * p->tokens;
        by_row = by_row || p->m[i]->type->head;
    }
    if (by_row)
        slm_pass_each_row(s, p->x->ld, make_row, p);
    weigh_input(s, op, p);
}

/* Shared: contiguous parts, one forward stream each; of many tokens in units of the products' tiles. Four parts a thread, so that one that is
 * held up, or comes late, does not hold up the others. */
void slm_pass_product(const slm_strip *s, slm_op op, slm_product *p)
{
    slm_team *team = s->pass->model->team;
    const size_t width = slm_team_width(team);
    slm_pass_prepare(s, op, p);
    p->unit = p->tokens > 16 ? SLM_PASS_UNIT : 1;
    p->n_tasks = slm_max(1, slm_min(slm_ceil_div(p->panels, p->unit), 4 * width));
    p->n_tasks = slm_min(p->n_tasks, slm_max(1, p->panels * p->m[0]->panel_bytes * p->tokens / SLM_PASS_TASK_BYTES));
    if (s->own)
        p->n_tasks = 1;
    slm_team_run(team, p->n_tasks, product_part, p);
    slm_pass_lap(s, op, p->bytes, p->macs);
}
