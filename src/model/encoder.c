/* encoder.c -- the encoder: sequences packed end to end, without padding, each whole in one pass.
 *
 * Keys and values live from one step of a layer to the next, so there is a cache of one layer, whose pages are handed out to the sequences
 * of a pass in turn. It is the decoder's cache, so that attention reads what the contract says: values rounded to f16. */
#include "model/encoder.h"

#include "core/size.h"
#include "model/pass.h"

enum { TOKENS_OF_PAGE = 16 };       /* sequences are short: a page for so many tokens of a pass */

struct slm_encoding {
    slm_heap *heap;
    slm_work *work;
    slm_kv pages;               /* all there are */
    slm_kv *parts;              /* [pages] of the sequences of a pass: views of `pages` */
    size_t tokens;
};

/* Rows of a pass, and pages of their keys and values. */
typedef struct extent {
    size_t rows, pages;
} extent;

static extent measure(const slm_config *c, size_t chunk, size_t tokens)
{
    const size_t rows = slm_max(chunk ? chunk : slm_work_chunk(c), tokens);
    return (extent){ rows, slm_max(slm_ceil_div(rows, TOKENS_OF_PAGE), slm_ceil_div(tokens, SLM_PAGE)) };
}

static slm_config one_layer(const slm_config *config)
{
    slm_config one = *config;
    one.layers = 1;
    return one;
}

uint64_t slm_encoding_heap_bytes(const slm_config *config, size_t width, size_t chunk, size_t tokens, uint32_t kv, uint64_t *cache)
{
    const extent x = measure(config, chunk, tokens);
    const slm_config one = one_layer(config);
    const uint64_t own = slm_heap_cost(sizeof(slm_encoding)) + slm_heap_cost(x.pages * sizeof(slm_kv));
    uint64_t sum;
    *cache = slm_kv_heap_bytes(&one, x.pages * SLM_PAGE, kv);
    return slm_u64_add(*cache, own, &sum) && slm_u64_add(sum, slm_work_heap_bytes(config, width, x.rows, x.rows, tokens, x.pages), &sum)
               ? sum : UINT64_MAX;
}

slm_status slm_encoding_new(slm_encoding **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t tokens, uint32_t kv, slm_error *err)
{
    const extent x = measure(&model->config, chunk, tokens);
    const slm_config one = one_layer(&model->config);
    slm_encoding *e = slm_heap_zalloc(heap, sizeof *e);
    if (!e)
        return slm_fail(err, SLM_E_MEMORY, "encoder: %zu bytes", sizeof *e);
    e->heap = heap;
    e->tokens = tokens;
    slm_status status = slm_kv_init(&e->pages, heap, &one, x.pages * SLM_PAGE, kv, err);
    if (!status)
        status = slm_kv_reserve(&e->pages, 0, x.pages * SLM_PAGE, err);
    if (!status && !(e->parts = slm_heap_array(heap, x.pages, sizeof *e->parts)))
        status = slm_fail(err, SLM_E_MEMORY, "encoder: table of %zu sequences", x.pages);
    if (!status)
        status = slm_work_new(&e->work, model, heap, x.rows, x.rows, tokens, x.pages, err);
    if (status)
        slm_encoding_free(e);
    else
        *out = e;
    return status;
}

void slm_encoding_free(slm_encoding *e)
{
    if (!e)
        return;
    slm_work_free(e->work);
    slm_heap_free(e->heap, e->parts);
    slm_kv_free(&e->pages);
    slm_heap_free(e->heap, e);
}

size_t slm_encoding_tokens(const slm_encoding *encoding)
{
    return encoding->tokens;
}

/* Fills the pass with whole sequences from `*at` on as long as rows and pages last; `*at` moves behind them. */
static void fill(slm_pass *p, slm_encoding *e, slm_sequence *sequences, size_t n, size_t *at)
{
    size_t pages = 0;
    for (; *at < n; ++*at) {
        slm_sequence *q = &sequences[*at];
        const size_t more = slm_ceil_div(q->n, SLM_PAGE);
        if (q->status)
            continue;
        if (p->n + q->n > p->w->chunk || pages + more > e->pages.n_pages)
            return;
        slm_kv *part = &e->parts[p->n_segments];
        *part = e->pages;
        part->pages += pages;
        part->n_pages = part->max_pages = more;
        pages += more;
        q->kv = part;
        slm_pass_add(p, q, q->n);
    }
}

/* A row of hidden states to whom it belongs; a norm's weights may still have made something infinite of it. */
static bool is_sound(const float *state, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= slm_is_finite(state[i]);
    return ok;
}

static void hand_out(slm_pass *p, slm_segment *s)
{
    const slm_sequence *q = s->sequence;
    const size_t layers = p->model->config.layers, e = p->model->config.embedding;
    const float *x = p->w->x + s->row * e;
    for (size_t t = 0; t < s->n && !s->failed; t++)
        if (!is_sound(x + t * e, e))
            slm_pass_give_up(p, s, slm_fail(q->err, SLM_E_NUMERIC, "hidden states after layer %zu: a value is not finite at position %zu",
                                            layers - 1, t));
    for (size_t t = 0; q->row && t < s->n && !s->failed; t++)
        if (q->row(q->user, t, x + t * e, e) != 0)
            slm_pass_give_up(p, s, slm_fail(q->err, SLM_E_CALLBACK, "the callback for hidden states asked to stop at token %zu", t));
}

void slm_encode(const slm_model *model, slm_encoding *encoding, slm_sequence *sequences, size_t n)
{
    for (size_t at = 0;;) {
        slm_pass p = { .model = model, .w = encoding->work };
        fill(&p, encoding, sequences, n, &at);
        if (!p.n)
            return;
        slm_pass_run(&p);
        for (size_t i = 0; p.alive && i < p.n_segments; i++)
            if (!p.w->segments[i].failed)
                hand_out(&p, &p.w->segments[i]);
        slm_pass_end(&p);
    }
}
