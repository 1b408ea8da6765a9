/* test_penalty.c -- bias, penalties, typical sampling and log-probabilities against their formulas computed here in another way. */
#include "harness/test.h"

#include "session/penalty.h"

#include <math.h>

enum { VOCAB = 100 };

static const int32_t story[] = { 5, 7, 5, 9, 5, 7, 5 };

static void fill(float *z)
{
    for (size_t i = 0; i < VOCAB; i++)
        z[i] = (float)((i * 37) % 17) * 0.5f - 3.0f;
}

static void apply(const slm_sampling *how, float *z, const int32_t *recent, size_t n)
{
    uint32_t scratch[VOCAB];
    slm_error err = { 0 };
    memset(scratch, 0xa5, sizeof scratch);
    check_status(slm_penalty_check(how, &err), SLM_OK, &err);
    fill(z);
    slm_penalty_apply(z, VOCAB, how, recent, n, scratch);
}

static void penalties_touch_each_recent_token_once(void **state)
{
    (void)state;
    float z[VOCAB], plain[VOCAB];
    slm_sampling how = SLM_SAMPLING_INIT;
    fill(plain);
    assert_false(slm_penalty_any(&how));
    how.repeat_penalty = 1.25f;
    how.frequency_penalty = 0.5f;
    how.presence_penalty = 0.25f;
    assert_true(slm_penalty_any(&how));
    apply(&how, z, story, COUNT(story));
    for (int32_t i = 0; i < VOCAB; i++) {
        size_t seen = 0;
        for (size_t k = 0; k < COUNT(story); k++)
            seen += story[k] == i;
        float want = plain[i];
        if (seen) {
            want = want > 0 ? want / 1.25f : want * 1.25f;
            want -= (float)seen * 0.5f;
            want -= 0.25f;
        }
        if (z[i] != want)
            fail_msg("token %d seen %zu times: %g, want %g", i, seen, (double)z[i], (double)want);
    }
    how.penalty_window = 1;                 /* the last one alone */
    apply(&how, z, story, COUNT(story));
    for (int32_t i = 0; i < VOCAB; i++)
        assert_true((z[i] != plain[i]) == (i == 5));
    apply(&how, z, NULL, 0);
    assert_memory_equal(z, plain, sizeof z);
    const int32_t outside[] = { -1, VOCAB, INT32_MAX, INT32_MIN };
    how.penalty_window = UINT32_MAX;
    how.dry_multiplier = 1;
    apply(&how, z, outside, COUNT(outside));
    assert_memory_equal(z, plain, sizeof z);
}

static void dry_punishes_what_would_repeat_a_run(void **state)
{
    (void)state;
    float z[VOCAB], plain[VOCAB];
    slm_sampling how = SLM_SAMPLING_INIT;
    fill(plain);
    how.dry_multiplier = 0.5f;
    how.dry_base = 2;
    /* "5 7 5" stood before 9: the run of three makes 9 cost 0.5 * 2^1; before 7 stood "5" alone, which is too short */
    apply(&how, z, story, COUNT(story));
    for (int32_t i = 0; i < VOCAB; i++)
        assert_true(z[i] == (i == 9 ? plain[i] - 1.0f : plain[i]));
    how.dry_length = 1;
    apply(&how, z, story, COUNT(story));
    assert_true(z[9] == plain[9] - 2.0f && z[7] == plain[7] - 0.5f);
    /* one token 200 times: the match is cut at 64 and the penalty at 1e6 */
    int32_t same[200];
    for (size_t i = 0; i < 200; i++)
        same[i] = 3;
    how.penalty_window = 200;
    apply(&how, z, same, 200);
    assert_true(z[3] == plain[3] - 1e6f);
}

static void a_bias_adds_and_forbids(void **state)
{
    (void)state;
    int32_t token = -1;
    float z[VOCAB];
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_bias bias[3] = { { 42, 1000 }, { 42, -INFINITY }, { 17, 500 } };
    fill(z);
    how.bias = bias;
    how.n_bias = 1;
    check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_OK, &err);
    assert_int_equal(token, 42);
    how.n_bias = 3;
    check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_OK, &err);
    assert_int_equal(token, 17);
    how.temperature = 1;
    for (uint64_t i = 0; i < 200; i++) {
        how.n_bias = 2;
        check_status(slm_sample(&token, z, VOCAB, &how, i, &err), SLM_OK, &err);
        assert_int_not_equal(token, 42);
    }
    slm_bias all[VOCAB];
    for (int32_t i = 0; i < VOCAB; i++)
        all[i] = (slm_bias){ i, -INFINITY };
    how.bias = all;
    how.n_bias = VOCAB;
    check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_E_NUMERIC, &err);
    check_text(&err, "no token of 100 is allowed");
}

static void the_sample_looks_at_the_tokens_it_is_given(void **state)
{
    (void)state;
    int32_t token = -1;
    const float z[4] = { 1, 3, 2.5f, 0 };
    const int32_t recent[] = { 1 };
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    how.repeat_penalty = 1.5f;
    check_status(slm_sample(&token, z, 4, &how, 0, &err), SLM_OK, &err);
    assert_int_equal(token, 1);
    how.recent = recent;
    how.n_recent = 1;
    check_status(slm_sample(&token, z, 4, &how, 0, &err), SLM_OK, &err);
    assert_int_equal(token, 2);
}

/* Each token has 1/1.8 of the probability before it: 0.444, 0.247, 0.137 ... The entropy is that of a place of 1.25, so the most typical
 * tokens are 1, 2, 0, 3, in this order. */
static void typical_keeps_what_is_nearest_to_the_entropy(void **state)
{
    (void)state;
    float z[20];
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    for (size_t i = 0; i < 20; i++)
        z[i] = -(float)i * (float)log(1.8);
    const struct { float share; unsigned set; } rows[] = { { 0.2f, 2 }, { 0.3f, 6 }, { 0.8f, 7 } };
    for (size_t r = 0; r < COUNT(rows); r++) {
        unsigned seen = 0;
        how.typical_p = rows[r].share;
        for (uint64_t i = 0; i < 2000; i++) {
            int32_t token = -1;
            check_status(slm_sample(&token, z, 20, &how, i, &err), SLM_OK, &err);
            seen |= 1u << token;
        }
        if (seen != rows[r].set)
            fail_msg("typical_p %g: tokens 0x%x, want 0x%x", (double)rows[r].share, seen, rows[r].set);
    }
}

static void settings_outside_their_range_are_refused(void **state)
{
    (void)state;
    int32_t token = 77;
    float z[VOCAB];
    fill(z);
    const struct { size_t at; float value; const char *name; } rows[] = {
        { offsetof(slm_sampling, repeat_penalty), 0.009f, "repeat_penalty" },    { offsetof(slm_sampling, repeat_penalty), 100.1f, "repeat_penalty" },
        { offsetof(slm_sampling, repeat_penalty), NAN, "repeat_penalty" },       { offsetof(slm_sampling, frequency_penalty), -101, "frequency_penalty" },
        { offsetof(slm_sampling, frequency_penalty), INFINITY, "frequency_penalty" }, { offsetof(slm_sampling, presence_penalty), 101, "presence_penalty" },
        { offsetof(slm_sampling, presence_penalty), NAN, "presence_penalty" },   { offsetof(slm_sampling, typical_p), 1.5f, "typical_p" },
        { offsetof(slm_sampling, typical_p), NAN, "typical_p" },                 { offsetof(slm_sampling, dry_multiplier), -1, "dry_multiplier" },
        { offsetof(slm_sampling, dry_base), 0.5f, "dry_base" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_sampling how = SLM_SAMPLING_INIT;
        slm_error err = { 0 };
        memcpy((char *)&how + rows[i].at, &rows[i].value, sizeof rows[i].value);
        check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_E_ARG, &err);
        check_text(&err, rows[i].name);
        check_text(&err, "allowed");
    }
    const slm_bias bad[] = { { -1, 0 }, { 3, NAN }, { 3, INFINITY }, { 3, 1e7f } };
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_sampling how = SLM_SAMPLING_INIT;
        slm_error err = { 0 };
        how.bias = &bad[i];
        how.n_bias = 1;
        check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_E_ARG, &err);
        check_text(&err, "bias 0");
    }
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    how.n_recent = 2;
    check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_E_ARG, &err);
    assert_int_equal(token, 77);
}

static void an_older_callers_struct_means_defaults(void **state)
{
    (void)state;
    int32_t token = -1;
    float z[VOCAB];
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    fill(z);
    how.repeat_penalty = NAN;                                       /* what lies behind the old caller's struct */
    how.size = offsetof(slm_sampling, typical_p);
    check_status(slm_sample(&token, z, VOCAB, &how, 0, &err), SLM_OK, &err);
}

static void the_likeliest_come_in_order_with_their_logs(void **state)
{
    (void)state;
    float z[VOCAB];
    slm_scored top[64];
    slm_error err = { 0 };
    fill(z);
    check_status(slm_logits_top(z, VOCAB, top, 64, &err), SLM_OK, &err);
    for (size_t i = 0; i < 64; i++) {
        double nats = 0;
        check_status(slm_logits_score(z, VOCAB, top[i].token, &nats, &err), SLM_OK, &err);
        assert_true(nats == top[i].nats);
        size_t better = 0;
        for (int32_t k = 0; k < VOCAB; k++)
            better += z[k] > z[top[i].token] || (z[k] == z[top[i].token] && k < top[i].token);
        assert_int_equal(better, i);
    }
    check_status(slm_logits_top(z, VOCAB, top, 65, &err), SLM_E_ARG, &err);
    check_status(slm_logits_top(z, 3, top, 4, &err), SLM_E_ARG, &err);
    check_status(slm_logits_top(z, VOCAB, top, 0, &err), SLM_E_ARG, &err);
    z[4] = NAN;
    check_status(slm_logits_top(z, VOCAB, top, 1, &err), SLM_E_NUMERIC, &err);
}

typedef struct seen { double nats[40]; int32_t ids[40]; size_t n, stop; } seen;

static int see(void *user, const slm_scored *one, const slm_scored *top, size_t n_top)
{
    seen *s = user;
    assert_true(s->n < 40 && n_top == 3);
    assert_int_equal(one->token, top[0].token);         /* greedy */
    assert_true(one->nats == top[0].nats && top[0].nats >= top[1].nats && top[1].nats >= top[2].nats && one->nats < 0);
    s->nats[s->n] = one->nats;
    s->ids[s->n++] = one->token;
    return s->n == s->stop;
}

typedef struct rows { double nats[80]; const int32_t *ids; size_t n; } rows;

static int score_next(void *user, size_t index, const float *logits, size_t vocab)
{
    rows *r = user;
    if (index + 1 < r->n)
        assert_int_equal(slm_logits_score(logits, vocab, r->ids[index + 1], &r->nats[index + 1], NULL), SLM_OK);
    return 0;
}

/* What a generation says of its tokens is what scoring the same tokens as a prompt says. */
static void generated_tokens_score_as_a_prompt_would(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_session *s = NULL;
    slm_generation made = SLM_GENERATION_INIT;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    seen got = { .n = 0 };
    int32_t ids[80];
    size_t n = 0;
    check_status(slm_model_open(&model, "models/tiny-stories/tiny-stories.gguf", NULL, &err), SLM_OK, &err);
    check_status(slm_session_new(&s, model, NULL, &err), SLM_OK, &err);
    check_status(slm_tokenizer_encode(slm_model_tokenizer(model), ids, 30, &n, "One day a cat", 13, SLM_TEXT_BOS_EOS, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, ids, n, &err), SLM_OK, &err);
    p.max_tokens = 30;
    p.token = see;
    p.user = &got;
    p.n_top = 3;
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    assert_int_equal(made.tokens, got.n);
    assert_true(got.n > 5);
    memcpy(ids + n, got.ids, got.n * sizeof *ids);
    rows r = { .ids = ids, .n = n + got.n };
    check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
    check_status(slm_session_feed_rows(s, ids, r.n, score_next, &r, &err), SLM_OK, &err);
    for (size_t i = 0; i < got.n; i++)
        assert_true(r.nats[n + i] == got.nats[i]);
    check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, ids, n, &err), SLM_OK, &err);
    got = (seen){ .stop = 4 };
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    assert_int_equal(made.tokens, 4);
    assert_int_equal(made.reason, SLM_STOP_CALLBACK);
    p.n_top = 65;
    check_status(slm_session_generate(s, &p, &made, &err), SLM_E_ARG, &err);
    slm_session_free(s);
    slm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(penalties_touch_each_recent_token_once),
        cmocka_unit_test(dry_punishes_what_would_repeat_a_run),
        cmocka_unit_test(a_bias_adds_and_forbids),
        cmocka_unit_test(the_sample_looks_at_the_tokens_it_is_given),
        cmocka_unit_test(typical_keeps_what_is_nearest_to_the_entropy),
        cmocka_unit_test(settings_outside_their_range_are_refused),
        cmocka_unit_test(an_older_callers_struct_means_defaults),
        cmocka_unit_test(the_likeliest_come_in_order_with_their_logs),
        cmocka_unit_test(generated_tokens_score_as_a_prompt_would),
    };
    return cmocka_run_group_tests_name("penalty", tests, NULL, NULL) != 0;
}
