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

/* Moves the final norms of the wanted rows together at the beginning of `in`; returns how many there are. rows[i] goes with them. */
static size_t gather(const slm_pass *p)
{
    const slm_operand *x = &p->w->in;
    size_t n = 0;
    for (size_t t = 0; t < p->n; t++) {
        if (!wanted(&p->w->rows[t]))
            continue;
        if (n < t) {
            memcpy(x->f + n * x->ld, x->f + t * x->ld, x->ld * sizeof *x->f);
            memcpy(x->q + n * x->blocks, x->q + t * x->blocks, x->blocks * sizeof *x->q);
            p->w->rows[n] = p->w->rows[t];
        }
        n++;
    }
    return n;
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

/* Logits of `rows` gathered rows from `from` on. */
static void head(const slm_pass *p, size_t from, size_t rows, float *logits)
{
    const slm_model *m = p->model;
    slm_operand x = p->w->in;
    x.f += from * x.ld;
    x.q += from * x.blocks;
    slm_pass_product(p, SLM_OP_HEAD, &(slm_product){ .m = { slm_model_head(m) }, .y = { logits }, .ldy = { m->config.vocab }, .count = 1, .tokens = rows, .x = &x });
    for (size_t r = 0; r < rows; r++)
        finish(m, logits + r * m->config.vocab);
    slm_pass_lap(p, SLM_OP_HEAD, 0, 0);
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

static void hand_out(slm_pass *p)
{
    slm_work *w = p->w;
    const size_t n = gather(p), vocab = p->model->config.vocab;
    if (n == 1 && !w->rows[0].s->sequence->row) {       /* a step of generation: straight to its place */
        head(p, 0, 1, w->rows[0].s->sequence->last);
        return;
    }
    for (size_t from = 0; from < n && p->alive; from += w->head_rows) {
        const size_t rows = slm_min(w->head_rows, n - from);
        head(p, from, rows, w->logits);
        for (size_t r = 0; r < rows; r++)
            deliver(p, &w->rows[from + r], w->logits + r * vocab);
    }
}

/* ---- a pass ---- */

/* Fills the pass with what is next of the sequences from `*at` on, which moves to the first that is not finished. */
static void fill(slm_pass *p, slm_sequence *sequences, size_t n, size_t *at)
{
    const slm_work *w = p->w;
    while (*at < n && (sequences[*at].status || sequences[*at].done == sequences[*at].n))
        ++*at;
    for (size_t i = *at; i < n && p->n < w->chunk && p->n_segments < w->most_segments; i++)
        if (!sequences[i].status && sequences[i].done < sequences[i].n)
            slm_pass_add(p, &sequences[i], slm_min(w->chunk - p->n, sequences[i].n - sequences[i].done));
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
        slm_pass_run(&p, slm_model_head(model));
        if (p.alive)
            hand_out(&p);
        slm_pass_end(&p);
    }
}
