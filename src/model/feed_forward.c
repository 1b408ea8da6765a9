/* feed_forward.c -- gate and up, and what becomes of them, in one run of the team or by the thread that has the strip alone.
 *
 * A piece is some columns of the feed forward: a thread multiplies them by gate and by up for a tile of tokens, takes act(gate) * up and
 * quantizes that, all in memory of its own that stays in its cache. No thread waits for another between the product and the activation,
 * and the values, several times as wide as anything else of a layer, never lie in memory as f32, unless down wants them so.
 *
 * Pieces are taken from a counter: of few tokens, contiguous ranges, several a thread; of many, the products' own tile of panels. */
#include "model/pass.h"

#include "core/size.h"

enum {
    FEW = 16,           /* most tokens whose pieces are ranges: one stream of weights each */
    EACH = 4,           /* of those for each thread: what one that is late has not begun, the others take */
    TOGETHER = 4        /* tokens activated at a time */
};

_Static_assert(SLM_PASS_UNIT * SLM_PANEL_ROWS <= SLM_PASS_FEED_ROOM / FEW, "a piece of few tokens has room");

typedef struct feed {
    const slm_strip *strip;
    slm_product product;        /* of gate, if there is one, and up */
    size_t panels, each;        /* of one matrix, of a piece */
    size_t pieces, tile;        /* tile: tokens */
    atomic_size_t next;         /* piece */
    bool quantize;              /* down wants blocks, not f32 */
} feed;

static void relu(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : x[i] == x[i] ? 0 : x[i];       /* a NaN stays one */
}

static void act(const feed *f, float *out, const float *gate, const float *up, size_t n)
{
    const slm_kernels *k = &f->strip->pass->model->kernels;
    switch (f->strip->pass->model->config.ffn) {
    case SLM_FFN_SILU: k->silu_mul_f32(out, gate, up, n); break;
    case SLM_FFN_GELU_GATED: k->gelu_tanh_mul_f32(out, gate, up, n); break;
    case SLM_FFN_GELU_ERF_GATED: k->gelu_erf_mul_f32(out, gate, up, n); break;
    case SLM_FFN_GELU: k->gelu_tanh_f32(out, up, n); break;
    case SLM_FFN_GELU_ERF: k->gelu_erf_f32(out, up, n); break;
    case SLM_FFN_RELU: relu(out, up, n); break;
    case SLM_FFN_T5: break;             /* the config says which */
    }
}

static void add_biases(const slm_layer *l, float *gate, float *up, size_t from, size_t n)
{
    if (l->gate_bias)
        slm_add_to(gate, l->gate_bias + from, n);
    if (l->up_bias)
        slm_add_to(up, l->up_bias + from, n);
}

/* out: columns from .. from + n of what goes into down. */
static void hand_on(const feed *f, size_t token, const float *out, size_t from, size_t n)
{
    slm_pass *p = f->strip->pass;
    const slm_operand *to = &f->strip->act;
    if (f->quantize && !p->model->kernels.quantize_x(to->q + token * to->blocks + from / 32, out, n))
        slm_pass_note_bad(p, f->strip->row + token);
    if (p->w->importance)
        slm_importance_add(p->w->importance, p->index, SLM_INPUT_DOWN, from, n, out, n, 1);
}

/* Columns from .. from + n of a few tokens from `token` on, whose rows lie at gate and up, ld apart. Rows without a gap between them are one
 * call of the activation: 64 values are too few to hide how long each takes. */
static void activate(const feed *f, size_t token, size_t tokens, float *gate, float *up, size_t ld, size_t from, size_t n)
{
    const slm_layer *l = f->strip->pass->layer;
    const slm_operand *to = &f->strip->act;
    bool whole = f->quantize && n == ld;
    for (size_t t = 0; t < tokens; t++)
        whole = whole && !slm_pass_failed(f->strip, token + t);
    for (size_t t = 0; whole && t < tokens; t++)
        add_biases(l, gate + t * ld, up + t * ld, from, n);
    if (whole)
        act(f, up, gate, up, tokens * n);
    for (size_t t = 0; t < tokens; t++, gate += ld, up += ld) {
        float *out = f->quantize ? up : to->f + (token + t) * to->ld + from;
        if (slm_pass_failed(f->strip, token + t))
            continue;
        if (!whole) {
            add_biases(l, gate, up, from, n);
            act(f, out, gate, up, n);
        }
        hand_on(f, token + t, out, from, n);
    }
}

/* Asks for part t of `parts` of the weights that come next, while these are activated: those of the next piece, which begins with panel
 * `begin`, or the first of down. The products fetch ahead within a piece only. */
static void ask_ahead(const feed *f, size_t begin, size_t t, size_t parts)
{
    if (begin >= f->panels)
        slm_pass_ask(&f->strip->pass->layer->down, 0, t, parts);
    for (size_t i = 0; begin < f->panels && i < f->product.count; i++)
        slm_pass_ask(f->product.m[i], begin, t, parts);
}

static void tile(const feed *f, const slm_scratch *s, size_t begin, size_t end, size_t token, size_t tokens)
{
    const slm_product *product = &f->product;
    const size_t from = begin * SLM_PANEL_ROWS, ld = f->each * SLM_PANEL_ROWS, width = f->strip->pass->model->config.feed_forward;
    float *const y[2] = { product->count == 2 ? s->gate : s->up, s->up };
    for (size_t i = 0; i < product->count; i++)
        slm_pass_multiply(product->m[i], product->kernels, y[i], ld, product->x, token, tokens, begin, end);
    for (size_t t = 0; t < tokens; t += TOGETHER) {
        if (tokens > FEW && token + tokens == f->strip->n)
            ask_ahead(f, end, t / TOGETHER, slm_ceil_div(tokens, TOGETHER));
        activate(f, token + t, slm_min(TOGETHER, tokens - t), s->gate + t * ld, s->up + t * ld, ld, from,
                 slm_min(width, end * SLM_PANEL_ROWS) - from);
    }
}

static void feed_pieces(void *ctx, size_t index)
{
    feed *f = ctx;
    const slm_strip *s = f->strip;
    const slm_scratch *scratch = s->own ? s->own : &s->pass->w->scratch[index];
    for (size_t i; (i = atomic_fetch_add(&f->next, 1)) < f->pieces; ) {
        const size_t begin = i * f->each, end = slm_min(begin + f->each, f->panels);
        for (size_t t = 0; t < s->n; t += f->tile)
            tile(f, scratch, begin, end, t, slm_min(f->tile, s->n - t));
    }
}

void slm_pass_feed_forward(const slm_strip *s)
{
    const slm_layer *l = s->pass->layer;
    slm_team *team = s->pass->model->team;
    const size_t width = slm_team_width(team);
    feed f = { .strip = s, .panels = slm_matrix_panels(&l->up), .quantize = !l->down.type->float_x };
    f.product = (slm_product){ .m = { l->gate.type ? &l->gate : &l->up, &l->up }, .count = l->gate.type ? 2 : 1, .tokens = s->n, .x = &s->in };
    slm_pass_prepare(s, SLM_OP_UP, &f.product);
    f.each = SLM_PASS_UNIT;
    if (s->n <= FEW)
        f.each = slm_min(slm_ceil_div(f.panels, EACH * width * SLM_PASS_UNIT), SLM_PASS_FEED_ROOM / (SLM_PANEL_ROWS * SLM_PASS_UNIT * s->n)) * SLM_PASS_UNIT;
    f.pieces = slm_ceil_div(f.panels, f.each);
    f.tile = SLM_PASS_FEED_ROOM / (f.each * SLM_PANEL_ROWS);
    slm_team_run(team, s->own ? 1 : slm_min(slm_min(width, f.pieces), slm_max(1, f.product.bytes * s->n / SLM_PASS_TASK_BYTES)), feed_pieces, &f);
    slm_pass_lap(s, SLM_OP_UP, f.product.bytes, f.product.macs);
}
