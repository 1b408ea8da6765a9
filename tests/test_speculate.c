/* test_speculate.c -- drafts change how many passes a text takes, and nothing else: tokens, logits, cache and what follows are the same. */
#include "harness/tiny.h"

static slm_model *model, *other;

typedef struct record {
    int32_t tokens[TINY_CONTEXT];
    double nats;
    size_t n, stop_at;
} record;

static int keep(void *user, const slm_scored *one, const slm_scored *top, size_t n_top)
{
    record *r = user;
    (void)top;
    (void)n_top;
    r->nats += one->nats;
    r->tokens[r->n++] = one->token;
    return r->n == r->stop_at;
}

static int open_models(void **state)
{
    (void)state;
    model = tiny_open(1, "q8_0", NULL);
    other = tiny_open(2, "q4_0", NULL);
    return 0;
}

static int close_models(void **state)
{
    (void)state;
    slm_model_free(model);
    slm_model_free(other);
    return 0;
}

/* Generates, and compares tokens, log-probabilities, position and logits with those of `plain`, then one more token after it. */
static slm_generation same_as(slm_session *plain, const record *want, const slm_generate_params *how, uint32_t draft, slm_session *drafter,
                              size_t fed)
{
    slm_error err = { 0 };
    slm_generate_params p = *how;
    slm_generation made = SLM_GENERATION_INIT;
    record got = { .stop_at = want->stop_at };
    slm_session *s = tiny_session(model, 400);
    const int32_t next = 7;
    tiny_feed(s, 3, 0, fed);
    p.user = &got;
    p.draft = draft;
    p.drafter = drafter;
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    assert_int_equal(got.n, want->n);
    assert_memory_equal(got.tokens, want->tokens, got.n * sizeof *got.tokens);
    assert_true(got.nats == want->nats);
    assert_int_equal(slm_session_position(s), slm_session_position(plain));
    assert_memory_equal(slm_session_tokens(s), slm_session_tokens(plain), slm_session_position(s) * sizeof(int32_t));
    assert_memory_equal(slm_session_logits(s), slm_session_logits(plain), TINY_VOCAB * sizeof(float));
    if (slm_session_room(s)) {
        slm_session *twin = NULL;
        check_status(slm_session_fork(&twin, plain, &err), SLM_OK, &err);
        check_status(slm_session_feed(s, &next, 1, &err), SLM_OK, &err);
        check_status(slm_session_feed(twin, &next, 1, &err), SLM_OK, &err);
        assert_memory_equal(slm_session_logits(s), slm_session_logits(twin), TINY_VOCAB * sizeof(float));
        slm_session_free(twin);
    }
    assert_true(made.accepted <= made.drafted);
    slm_session_free(s);
    return made;
}

static void drafts_change_no_bit(void **state)
{
    (void)state;
    static const float temperatures[] = { 0, 0.2f, 0.6f, 1.5f };
    slm_session *drafters[] = { NULL, tiny_session(model, 400), tiny_session(other, 400), tiny_session(model, 150) };
    uint64_t accepted[COUNT(drafters)] = { 0 }, dropped = 0;
    for (size_t t = 0; t < COUNT(temperatures); t++)
        for (uint32_t n = 0; n < 3; n++) {
            slm_error err = { 0 };
            slm_sampling sampling = SLM_SAMPLING_INIT;
            slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
            record want = { .stop_at = n == 2 ? 41 : 0 };
            slm_session *plain = tiny_session(model, 400);
            const size_t fed = n == 1 ? 1 : 100;
            sampling.temperature = temperatures[t];
            sampling.seed = t + 10 * n;
            sampling.repeat_penalty = n == 2 ? 1.1f : 0;
            p.sampling = &sampling;
            p.max_tokens = n == 0 ? 150 : 0;
            p.token = keep;
            p.user = &want;
            tiny_feed(plain, 3, 0, fed);
            check_status(slm_session_generate(plain, &p, NULL, &err), SLM_OK, &err);
            for (size_t d = 0; d < COUNT(drafters); d++)
                for (uint32_t draft = 1; draft <= 32; draft = 3 * draft + 1) {
                    const slm_generation made = same_as(plain, &want, &p, draft, drafters[d], fed);
                    accepted[d] += made.accepted;
                    dropped += made.drafted - made.accepted;
                }
            slm_session_free(plain);
        }
    assert_true(dropped > 0);
    for (size_t d = 0; d < COUNT(drafters); d++) {
        if (d != 2)                                 /* another model's guesses need not hold */
            assert_true(accepted[d] > 100);
        slm_session_free(drafters[d]);
    }
}

/* The same model as its own drafter guesses all of a greedy text right: `draft` tokens come with every one that is picked. */
static void right_guesses_are_all_taken(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_session *s = tiny_session(model, 400), *drafter = tiny_session(model, 400);
    tiny_feed(s, 5, 0, 20);
    p.max_tokens = 200;
    p.draft = 7;
    p.drafter = drafter;
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    assert_int_equal(made.tokens, 200);
    assert_true(made.accepted + 32 >= made.drafted);        /* not those behind the last token */
    assert_true(made.accepted >= 200 - 200 / 8 - 3);
    slm_session_free(s);
    slm_session_free(drafter);
}

static void wrong_drafters_are_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_session *s = tiny_session(model, 100), *d = tiny_session(model, 100);
    tiny_feed(s, 1, 0, 5);
    p.draft = 33;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "draft is 33 tokens (allowed 0 .. 32)");
    p.draft = 4;
    p.drafter = s;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    p.drafter = d;
    p.draft = 0;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    assert_int_equal(slm_session_position(s), 5);
    slm_session_free(s);
    slm_session_free(d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(drafts_change_no_bit),
        cmocka_unit_test(right_guesses_are_all_taken),
        cmocka_unit_test(wrong_drafters_are_refused),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
