/* constraint.c -- what a constraint costs a token, inside the steps of a model.
 *
 *   slm make-model qwen2.5-0.5b --type q4_0 m.gguf; bench/constraint m.gguf [tokens] [threads]
 *
 * The logits of a made model know nothing of the language: the worst case, for outside free text the first draw nearly never fits. At each
 * step the plain draw is timed, then the choice within the constraint (which draws, too), then the evaluation of the token. The cost is the
 * choice less the draw, and the ratio that over draw and evaluation: what the constraint adds to a step without it. Making it is timed, of the
 * first one of a tokenizer with the trie; texts of at most 60 tokens or so follow one another until there are so many. */
#include "figure.h"

#include "core/clock.h"
#include "core/cpu.h"
#include "session/guide.h"


typedef struct cost { uint64_t draw, choice, step, most; size_t tokens; } cost;

/* One text of at most `left` tokens after the prompt's. */
static slm_status one_text(slm_session *s, slm_constraint *c, slm_sampler *sampler, size_t left, uint64_t seed, cost *sum, slm_error *err)
{
    const slm_model *m = s->model;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_guide guide;
    how.temperature = 1;
    how.seed = seed;
    slm_status status = slm_guide_init(&guide, c, s, left, "bench", err);
    for (; !status && left && !slm_guide_is_done(&guide); left--) {
        int32_t token;
        const unsigned saved = slm_fp_enter();
        status = slm_sampler_pick(sampler, &m->kernels, &token, s->logits, m->config.vocab, &how, NULL, s->position, err);   /* warms both alike */
        if (status)
            break;
        const uint64_t begin = slm_clock_ns();
        status = slm_sampler_pick(sampler, &m->kernels, &token, s->logits, m->config.vocab, &how, NULL, s->position, err);
        const uint64_t drawn = slm_clock_ns();
        if (!status)
            status = slm_guide_choose(&guide, sampler, &m->kernels, &token, s->logits, &how, s->position, left, err);
        const uint64_t chosen = slm_clock_ns();
        slm_fp_leave(saved);
        if (status || token < 0 || slm_tokenizer_is_end(m->tokenizer, token))
            break;
        slm_guide_take(&guide);
        status = slm_session_feed(s, &token, 1, err);
        const uint64_t draw = drawn - begin, choice = chosen - drawn, extra = choice > draw ? choice - draw : 0;
        sum->draw += draw;
        sum->choice += choice;
        sum->step += slm_clock_ns() - chosen;
        sum->most = extra > sum->most ? extra : sum->most;
        sum->tokens++;
    }
    slm_guide_clear(&guide);
    return status;
}

static slm_status run(slm_model *model, const char *name, slm_constraint *c, uint64_t made, size_t tokens, cost *all, slm_error *err)
{
    static const int32_t prompt[] = { 10, 20, 30, 40 };
    cost sum = { 0, 0, 0, 0, 0 };
    slm_session *s = NULL;
    slm_sampler sampler = slm_sampler_new(&model->heap, model->config.vocab);
    slm_status status = sampler.p ? slm_session_new(&s, model, NULL, err) : SLM_E_MEMORY;
    for (uint64_t seed = 1; !status && sum.tokens < tokens && seed <= tokens; seed++) {
        if (s->position)
            status = slm_session_truncate(s, 0, err);
        if (!status)
            status = slm_session_feed(s, prompt, 4, err);
        if (!status)
            status = one_text(s, c, &sampler, tokens - sum.tokens < 60 ? 60 : tokens - sum.tokens, seed, &sum, err);
    }
    const double n = sum.tokens ? (double)sum.tokens * 1e3 : 1;
    const double extra = sum.choice > sum.draw ? (double)(sum.choice - sum.draw) : 0, plain = (double)(sum.draw + sum.step);
    if (!status) {
        figure_print("constraint", extra / n, "us/token", plain / n, "draw and evaluation", plain > 0 ? extra / plain : 0, "%s, %zu tokens", name, sum.tokens);
        figure_print("constraint", (double)sum.draw / n, "us/token", 0, "", 0, "%s: the plain draw", name);
        figure_print("constraint", (double)sum.most * 1e-3, "us", 0, "", 0, "%s: the dearest token", name);
        figure_print("constraint", (double)made * 1e-6, "ms", 0, "", 0, "%s: making it", name);
    }
    all->choice += (uint64_t)extra;
    all->step += (uint64_t)plain;
    slm_session_free(s);
    slm_heap_free(&model->heap, sampler.p);
    slm_constraint_free(c);
    return status;
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
    const size_t tokens = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    slm_model *model = NULL;
    slm_error err = { 0 };
    cost all = { 0, 0, 0, 0, 0 };
    params.threads = argc > 3 ? (uint32_t)strtoull(argv[3], NULL, 10) : 0;
    if (argc < 2 || slm_model_open(&model, argv[1], &params, &err) || !slm_model_tokenizer(model)) {
        fprintf(stderr, "%s\n", argc < 2 ? "usage: constraint MODEL.gguf [tokens] [threads]" : err.text);
        return 2;
    }
    slm_status status = SLM_OK;
    const slm_tokenizer *t = slm_model_tokenizer(model);
    for (size_t i = 0; !status && i < sizeof rows / sizeof *rows; i++) {
        slm_constraint *c = NULL;
        const uint64_t start = slm_clock_ns();
        status = rows[i].regex    ? slm_constraint_regex(&c, t, rows[i].regex, &err)
                 : rows[i].schema ? slm_constraint_schema(&c, t, rows[i].schema, strlen(rows[i].schema), &err)
                                  : slm_constraint_choice(&c, t, choices, 4, &err);
        if (!status)
            status = run(model, rows[i].name, c, slm_clock_ns() - start, tokens, &all, &err);
    }
    if (status)
        fprintf(stderr, "%s\n", err.text);
    else
        figure_print("constraint", (double)all.choice * 1e-6, "ms", (double)all.step * 1e-6, "draw and evaluation",
                     all.step ? (double)all.choice / (double)all.step : 0, "all together");
    slm_model_free(model);
    figure_peaks("constraint", params.threads, 0);
    return status != SLM_OK;
}
