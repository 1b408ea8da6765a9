/* constraint.c -- what a constraint costs a token, on a vocabulary alone: no model runs, so the figures are to be held against the time of
 * a step of the model one has in mind.
 *
 *   bench/constraint VOCABULARY.gguf [rounds]
 *
 * The logits are noise that knows nothing of the language (the worst case: outside free text the first draw nearly never fits). As in a
 * generation a token is drawn as ever, and again with the mask if it does not fit; the first draw, which stands there without a constraint too, is
 * left out of the figures. "make" is the time to make the constraint; "first" the mean of a token of the first text, when the cache is empty;
 * "later" that of the texts after it; "most" the dearest token of these. */
#include "core/clock.h"
#include "core/random.h"
#include "session/constraint.h"
#include "session/session.h"
#include "text/vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bench {
    slm_tokenizer *t;
    slm_heap heap;
    slm_kernels k;
    slm_sampler sampler;
    float *logits;
    uint64_t *mask;
    slm_buf piece;
    size_t vocab;
    uint64_t draws;
} bench;

typedef struct cost { uint64_t ns, most; size_t tokens; } cost;

static void put(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

/* One text of at most 200 tokens. */
static slm_status one_text(bench *b, slm_constraint *c, cost *sum, slm_error *err)
{
    slm_place place;
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    how.seed = b->draws;
    slm_status status = slm_place_init(&place, c, err);
    for (size_t left = 200; !status && left-- && !place.ends;) {
        int32_t token = 0;
        slm_fit fit = SLM_FIT_NEVER;
        bool start = false;
        size_t need;
        status = slm_sampler_pick(&b->sampler, &b->k, &token, b->logits, b->vocab, &how, NULL, b->draws++, err);
        const uint64_t begin = slm_clock_ns();
        b->piece.size = 0;
        if (!status)
            slm_token_put(b->t, (uint32_t)token, 0, &start, put, &b->piece);
        if (!status && b->piece.size && !slm_tokenizer_is_end(b->t, token))
            status = slm_place_step(&place, b->piece.data, b->piece.size, left, &fit, err);
        if (!status && fit == SLM_FIT_NEVER) {
            status = slm_place_mask(&place, false, b->mask, err);
            if (!status)
                status = slm_sampler_pick(&b->sampler, &b->k, &token, b->logits, b->vocab, &how, b->mask, b->draws++, err);
            if (status || slm_tokenizer_is_end(b->t, token))
                break;
            b->piece.size = 0;
            slm_token_put(b->t, (uint32_t)token, 0, &start, put, &b->piece);
            status = slm_place_step(&place, b->piece.data, b->piece.size, left, &fit, err);
        }
        if (!status && fit == SLM_FIT_LATE) {
            status = slm_place_need(&place, false, &need, &token, err);
            if (status || token < 0)
                break;
            b->piece.size = 0;
            slm_token_put(b->t, (uint32_t)token, 0, &start, put, &b->piece);
            status = slm_place_step(&place, b->piece.data, b->piece.size, left, &fit, err);
        }
        const uint64_t ns = slm_clock_ns() - begin;
        sum->ns += ns;
        sum->most = ns > sum->most ? ns : sum->most;
        sum->tokens++;
    }
    slm_place_free(&place);
    return status;
}

static double mean_us(const cost *c)
{
    return c->tokens ? (double)c->ns * 1e-3 / (double)c->tokens : 0;
}

static void run(bench *b, const char *name, slm_constraint *c, uint64_t made, slm_status status, size_t rounds, slm_error *err)
{
    cost first = { 0, 0, 0 }, later = { 0, 0, 0 };
    if (!status)
        status = one_text(b, c, &first, err);
    for (size_t i = 1; !status && i < rounds; i++)
        status = one_text(b, c, &later, err);
    if (status)
        printf("%-22s %s\n", name, err->text);
    else
        printf("%-22s %9.1f %9.1f %6zu %9.1f %9.1f %8zu\n", name, (double)made * 1e-6, mean_us(&first), first.tokens, mean_us(&later),
               (double)later.most * 1e-3, later.tokens);
    slm_constraint_free(c);
}

static const struct { const char *name, *regex, *schema; } rows[] = {
    { "choice of 4", NULL, NULL },
    { "regex: phone number", "\\d{3}-\\d{4}", NULL },
    { "regex: sentence", "[A-Z][a-z]+( [a-z]+)*\\.", NULL },
    { "regex: .*", ".*", NULL },
    { "schema: string", NULL, "{\"type\":\"string\"}" },
    { "schema: maxLength 200", NULL, "{\"type\":\"string\",\"maxLength\":200}" },
    { "schema: person", NULL, "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":130},"
      "\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"red\",\"green\",\"blue\"]},\"maxItems\":3}},\"required\":[\"name\",\"age\",\"tags\"],\"additionalProperties\":false}" },
    { "schema: anything", NULL, "{}" },
};

int main(int argc, char **argv)
{
    static const char *const choices[] = { " yes", " no", " maybe", " I do not know" };
    const size_t rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : 50;
    bench b = { .draws = 1 };
    slm_error err = { 0 };
    slm_heap_init(&b.heap, NULL, 0);
    if (argc < 2 || slm_tokenizer_open(&b.t, argv[1], NULL, &err)) {
        fprintf(stderr, "%s\n", argc < 2 ? "usage: constraint VOCABULARY.gguf [rounds]" : err.text);
        return 2;
    }
    b.vocab = b.t->texts.n;
    b.sampler = slm_sampler_new(&b.heap, b.vocab);
    b.logits = slm_heap_array(&b.heap, b.vocab, sizeof *b.logits);
    b.mask = slm_heap_zarray(&b.heap, (b.vocab + 63) / 64, sizeof *b.mask);
    slm_buf_init(&b.piece, &b.heap, 1 << 20);
    slm_kernels_select(&b.k, slm_cpu_isa());
    if (!b.sampler.p || !b.logits || !b.mask)
        return 1;
    for (size_t i = 0; i < b.vocab; i++)
        b.logits[i] = (float)(slm_random_unit(7, i) * 12.0);
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    const uint64_t begin = slm_clock_ns();
    for (uint64_t i = 0; i < 50; i++) {
        int32_t token;
        (void)slm_sampler_pick(&b.sampler, &b.k, &token, b.logits, b.vocab, &how, NULL, i, NULL);
    }
    printf("%zu tokens; draw %.1f us\n", b.vocab, (double)(slm_clock_ns() - begin) * 1e-3 / 50);
    printf("%-22s %9s %9s %6s %9s %9s %8s\n", "", "make/ms", "first/us", "tokens", "later/us", "most/us", "tokens");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        slm_constraint *c = NULL;
        const uint64_t start = slm_clock_ns();
        const slm_status status = rows[i].regex    ? slm_constraint_regex(&c, b.t, rows[i].regex, &err)
                                  : rows[i].schema ? slm_constraint_schema(&c, b.t, rows[i].schema, strlen(rows[i].schema), &err)
                                                   : slm_constraint_choice(&c, b.t, choices, 4, &err);
        run(&b, rows[i].name, c, slm_clock_ns() - start, status, rounds, &err);
    }
    slm_buf_free(&b.piece);
    slm_heap_free(&b.heap, b.sampler.p);
    slm_heap_free(&b.heap, b.logits);
    slm_heap_free(&b.heap, b.mask);
    slm_tokenizer_free(b.t);
    return 0;
}
