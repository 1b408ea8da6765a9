/* decoder.c -- the decoder: passes over as many tokens as fit, each sequence's next ones, and the logits of the rows that are asked for.
 * What happens between embedding and last norm is layer.c's. */
#include "model/decoder.h"

#include "core/size.h"
#include "model/pass.h"

#include <string.h>

/* ---- logits ---- */

/* Is row t one whose logits are wanted? All of a sequence with a callback, else its last. */
static bool wanted(const slm_row *r)
{
    const slm_sequence *q = r->s->sequence;
    return !r->s->failed && (q->row || (q->last && r->position + 1 == q->first + q->n));
}

/* What becomes of a row of logits after the product. */
static void finish(const slm_model *m, float *logits)
{
    const slm_config *c = &m->config;
    if (m->output_bias)
        slm_add_to(logits, m->output_bias, c->vocab);
    for (size_t i = 0; c->logit_scale != 1 && i < c->vocab; i++)
        logits[i] /= c->logit_scale;
    if (c->logit_cap != 0)
        m->kernels.softcap_f32(logits, logits, c->vocab, c->logit_cap);
}

/* Logits of the n rows whose last norms lie in the strip's `in`. */
static void head(const slm_strip *s, float *logits)
{
    const slm_model *m = s->pass->model;
    slm_pass_product(s, SLM_OP_HEAD, &(slm_product){ .m = { slm_model_head(m) }, .y = { logits }, .ldy = { m->config.vocab }, .count = 1,
                                                    .tokens = s->n, .x = &s->in });
    for (size_t t = 0; t < s->n; t++)
        finish(m, logits + t * m->config.vocab);
    slm_pass_lap(s, SLM_OP_HEAD, 0, 0);
}

/* One row to whom it belongs. A sequence that is stopped by its callback gets no more of them. */
static void deliver(slm_pass *p, const slm_row *r, const float *logits)
{
    const size_t vocab = p->model->config.vocab;
    const slm_sequence *q = r->s->sequence;
    const size_t index = r->position - q->first;
    if (r->s->failed)
        return;
    if (q->row && q->row(q->user, index, logits, vocab) != 0)
        slm_pass_give_up(p, r->s, slm_fail(q->err, SLM_E_CALLBACK, "the callback for logits asked to stop at token %zu", index));
    else if (q->last && index + 1 == q->n && q->last != logits)
        memcpy(q->last, logits, vocab * sizeof *logits);
}

/* The last norm of row t as row i of the strip's `in`; norms of such size that they have no blocks are no norms. */
static void put(const slm_strip *s, size_t i, size_t t)
{
    const slm_model *m = s->pass->model;
    const slm_operand *in = &s->in;
    float *x = in->f + i * in->ld;
    memcpy(x, s->pass->w->x + t * in->n, in->n * sizeof *x);
    if (!slm_model_head(m)->type->float_x && !m->kernels.quantize_x(in->q + i * in->blocks, x, in->n))
        slm_pass_note_bad(s->pass, t);
}

/* The rows that are wanted, as many at once as there is room for their logits. */
static void hand_out(slm_pass *p)
{
    slm_work *w = p->w;
    const size_t vocab = p->model->config.vocab;
    const slm_row *rows[SLM_HEAD_ROWS];
    for (size_t t = 0; t < p->n && p->alive; ) {
        slm_strip s = slm_pass_shared_strip(p, 0, 0);
        for (; t < p->n && s.n < w->head_rows; t++)
            if (wanted(&w->rows[t])) {
                rows[s.n] = &w->rows[t];
                put(&s, s.n++, t);
            }
        slm_pass_drop_bad(p, "output norm after layer", p->model->config.layers - 1);
        const slm_sequence *only = s.n == 1 && !rows[0]->s->sequence->row ? rows[0]->s->sequence : NULL;
        if (!s.n || !p->alive)
            return;
        if (only && rows[0]->s->failed)
            continue;
        head(&s, only ? only->last : w->logits);        /* generation: straight to its place */
        for (size_t r = 0; r < s.n && !only; r++)
            deliver(p, rows[r], w->logits + r * vocab);
    }
}

/* ---- a pass ---- */

/* Tokens of the next pass: what is left goes through in equal parts: a short rest would cost the reading of the weights once more. */
static size_t share(const slm_work *w, const slm_sequence *sequences, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        left += sequences[i].status ? 0 : sequences[i].n - sequences[i].done;
    return left ? slm_ceil_div(left, slm_ceil_div(left, w->chunk)) : 0;
}

/* Fills the pass with what is next of the sequences from `*at` on, which moves to the first that is not finished. */
static void fill(slm_pass *p, slm_sequence *sequences, size_t n, size_t *at)
{
    const slm_work *w = p->w;
    while (*at < n && (sequences[*at].status || sequences[*at].done == sequences[*at].n))
        ++*at;
    const size_t most = share(w, sequences + *at, n - *at);
    for (size_t i = *at; i < n && p->n < most && p->n_segments < w->most_segments; i++)
        if (!sequences[i].status && sequences[i].done < sequences[i].n)
            slm_pass_add(p, &sequences[i], slm_min(most - p->n, sequences[i].n - sequences[i].done));
}

/* Learned positions end where their table does. */
static void check_positions(const slm_model *m, slm_sequence *s)
{
    if (m->positions.type && !s->status && s->first + s->n > m->config.context)
        s->status = slm_fail(s->err, SLM_E_CONTEXT, "feed: %zu tokens at position %zu: the model has learned %u positions", s->n, s->first,
                             m->config.context);
}

void slm_decode(const slm_model *model, slm_work *work, slm_sequence *sequences, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_positions(model, &sequences[i]);
    for (size_t at = 0;;) {
        slm_pass p = { .model = model, .w = work };
        fill(&p, sequences, n, &at);
        if (!p.n)
            return;
        slm_pass_run(&p);
        if (p.alive)
            hand_out(&p);
        slm_pass_end(&p);
    }
}
