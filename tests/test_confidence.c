/* test_confidence.c -- statistics of tokens and labels against numbers worked out by hand; what is no probability is refused. */
#include "harness/test.h"

#include <fenv.h>
#include <math.h>
#include <stdlib.h>

#define NEAR(got, want, room)                                                                                                     \
    do {                                                                                                                          \
        const double g = (got), w = (want);                                                                                       \
        if (!(fabs(g - w) <= (room)))                                                                                             \
            fail_msg("%s is %.17g, want %.17g", #got, g, w);                                                                      \
    } while (0)

static void statistics_of_tokens(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_confidence c = SLM_CONFIDENCE_INIT;
    const slm_token_score tokens[] = {
        { -0.5, 0.25, 1.0 }, { -4.0, 0.5, 2.0 }, { -1.0, 0.125, 0.5 }, { -0.25, 0.75, 0.25 }, { -2.0, 1.0, 0.0 },
    };
    check_status(slm_confidence_of_tokens(&c, tokens, 5, &err), SLM_OK, &err);
    assert_int_equal(c.kind, SLM_CONFIDENCE_TOKENS);
    assert_int_equal(c.count, 5);
    NEAR(c.sum, -7.75, 0);
    NEAR(c.mean, -1.55, 1e-15);
    NEAR(c.value, exp(-1.55), 1e-15);
    NEAR(c.min, -4, 0);                     /* sorted: -4, -2, -1, -0.5, -0.25 */
    NEAR(c.p10, -4 + 0.4 * 2, 1e-15);       /* h = 4 * 0.1 */
    NEAR(c.p25, -2, 0);
    NEAR(c.median, -1, 0);
    NEAR(c.margin, 2.625 / 5, 1e-15);
    NEAR(c.margin_min, 0.125, 0);
    NEAR(c.entropy, 3.75 / 5, 1e-15);
    NEAR(c.entropy_first, 1, 0);
    check_status(slm_confidence_of_tokens(&c, tokens + 1, 1, &err), SLM_OK, &err);
    assert_true(c.min == -4 && c.p10 == -4 && c.median == -4 && c.mean == -4 && c.margin == 0.5 && c.entropy_first == 2);
    check_status(slm_confidence_of_tokens(&c, tokens, 2, &err), SLM_OK, &err);
    NEAR(c.median, -2.25, 1e-15);
}

static void what_one_token_lacks_the_answer_lacks(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_confidence c = SLM_CONFIDENCE_INIT;
    slm_token_score tokens[] = { { -0.5, 0.25, 1.0 }, { -9999, -1, 2.0 }, { -1.0, 0.125, -1 } };    /* -9999: what one server says for "not listed" */
    check_status(slm_confidence_of_tokens(&c, tokens, 3, &err), SLM_OK, &err);
    assert_true(c.margin == -1 && c.margin_min == -1 && c.entropy == -1 && c.entropy_first == 1 && c.value == 0);
    check_status(slm_confidence_of_tokens(&c, tokens, 2, &err), SLM_OK, &err);
    assert_true(c.margin == -1 && c.entropy == 1.5);
}

static void what_is_no_probability_is_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_confidence c = SLM_CONFIDENCE_INIT;
    const slm_confidence before = c;
    slm_token_score good = { -1, 0.5, 1 };
    slm_label_score label = { -1, 0, 1, 0 };
    size_t best = 7;
    const double bad[] = { (double)NAN, (double)INFINITY, -(double)INFINITY, 0.5 };
    check_status(slm_confidence_of_tokens(&c, &good, 0, &err), SLM_E_ARG, &err);
    check_status(slm_confidence_of_tokens(&c, NULL, 1, &err), SLM_E_ARG, &err);
    check_status(slm_confidence_of_labels(&c, &best, &label, 0, &err), SLM_E_ARG, &err);
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_token_score t = good;
        t.logp = bad[i];
        check_status(slm_confidence_of_tokens(&c, &t, 1, &err), SLM_E_NUMERIC, &err);
        check_text(&err, "log p 0 is");
        label.logp = bad[i];
        check_status(slm_confidence_of_labels(&c, &best, &label, 1, &err), SLM_E_NUMERIC, &err);
        if (i < 3) {
            t = good;
            t.margin = bad[i];
            check_status(slm_confidence_of_tokens(&c, &t, 1, &err), SLM_E_NUMERIC, &err);
            t = good;
            t.entropy = bad[i];
            check_status(slm_confidence_of_tokens(&c, &t, 1, &err), SLM_E_NUMERIC, &err);
        }
    }
    assert_memory_equal(&c, &before, sizeof c);
    assert_int_equal(best, 7);
}

static void labels_are_normalised_whatever_their_size(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_confidence c = SLM_CONFIDENCE_INIT;
    size_t best = 0;
    const double shift[] = { 0, -3, -800, -1e6 };       /* far below what e^x can say */
    for (size_t i = 0; i < COUNT(shift); i++) {
        slm_label_score l[] = { { shift[i] + log(0.2), 0, 1, 0 }, { shift[i] + log(0.5), 0, 2, 0 }, { shift[i] + log(0.3), 0, 3, 0 } };
        const double room = 1e-15 - shift[i] * 1e-15;
        check_status(slm_confidence_of_labels(&c, &best, l, 3, &err), SLM_OK, &err);
        assert_int_equal(best, 1);
        NEAR(l[0].p, 0.2, room);
        NEAR(l[1].p, 0.5, room);
        NEAR(l[2].p, 0.3, room);
        NEAR(c.value, 0.5, room);
        NEAR(c.margin, 0.2, 2 * room);
        NEAR(c.entropy, -(0.2 * log(0.2) + 0.5 * log(0.5) + 0.3 * log(0.3)), 4 * room);
        assert_int_equal(c.kind, SLM_CONFIDENCE_LABELS);
        assert_int_equal(c.count, 3);
    }
    slm_label_score tie[] = { { -9, 0, 1, 0 }, { -2, 0, 1, 0 }, { -2, 0, 1, 0 }, { -1e9, 0, 1, 0 } };
    check_status(slm_confidence_of_labels(&c, &best, tie, 4, &err), SLM_OK, &err);
    assert_int_equal(best, 1);
    assert_true(c.margin == 0 && tie[3].p == 0 && tie[1].p == tie[2].p);
}

static void a_row_of_logits_gives_log_p_margin_and_entropy(void **state)
{
    (void)state;
    slm_error err = { 0 };
    enum { N = 3000 };
    float *z = malloc(N * sizeof *z);
    assert_non_null(z);
    slm_token_score s = { 5, 5, 5 };
    for (size_t i = 0; i < N; i++)
        z[i] = 2;
    check_status(slm_token_measure(&s, z, N, 17, &err), SLM_OK, &err);
    NEAR(s.logp, -log(N), 1e-12);
    NEAR(s.entropy, log(N), 1e-12);
    assert_true(s.margin == 0);                         /* two share the first place */
    z[1500] = 200;
    check_status(slm_token_measure(&s, z, N, 1500, &err), SLM_OK, &err);
    assert_true(s.logp == 0 && s.entropy == 0 && s.margin == 1);
    check_status(slm_token_measure(&s, z, N, 0, &err), SLM_OK, &err);
    NEAR(s.logp, -198, 0);
    for (size_t i = 0; i < N; i++)
        z[i] = -INFINITY;
    z[1] = 1;
    z[2999] = 0;
    check_status(slm_token_measure(&s, z, N, 1, &err), SLM_OK, &err);
    const double p = 1 / (1 + exp(-1));
    NEAR(s.logp, log(p), 1e-7);
    NEAR(s.margin, 2 * p - 1, 1e-7);
    NEAR(s.entropy, -p * log(p) - (1 - p) * log(1 - p), 1e-7);
    const slm_token_score before = s;
    check_status(slm_token_measure(&s, z, N, N, &err), SLM_E_ARG, &err);
    check_status(slm_token_measure(&s, z, N, -1, &err), SLM_E_ARG, &err);
    z[1] = NAN;
    check_status(slm_token_measure(&s, z, N, 2999, &err), SLM_E_NUMERIC, &err);
    assert_memory_equal(&s, &before, sizeof s);
    free(z);
}

/* Whatever the caller's rounding mode, the same bits. */
static void rounding_of_the_caller_changes_no_bit(void **state)
{
    (void)state;
    slm_error err = { 0 };
    float z[1100];
    slm_token_score want[8], got[8];
    slm_confidence c = SLM_CONFIDENCE_INIT, d = SLM_CONFIDENCE_INIT;
    for (size_t i = 0; i < COUNT(z); i++)
        z[i] = (float)((i * 7919) % 1009) / 97;
    for (int32_t i = 0; i < 8; i++)
        check_status(slm_token_measure(&want[i], z, COUNT(z), i * 100, &err), SLM_OK, &err);
    check_status(slm_confidence_of_tokens(&c, want, 8, &err), SLM_OK, &err);
    fesetround(FE_UPWARD);
    for (int32_t i = 0; i < 8; i++)
        (void)slm_token_measure(&got[i], z, COUNT(z), i * 100, &err);
    (void)slm_confidence_of_tokens(&d, got, 8, &err);
    fesetround(FE_TONEAREST);
    assert_memory_equal(got, want, sizeof got);
    assert_memory_equal(&c, &d, sizeof c);
}

static void many_tokens_are_sorted(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_confidence c = SLM_CONFIDENCE_INIT;
    enum { N = 1001 };
    slm_token_score *t = calloc(N, sizeof *t);
    assert_non_null(t);
    for (size_t i = 0; i < N; i++)
        t[i].logp = -(double)((i * 389) % N);           /* each of 0 .. 1000 once */
    check_status(slm_confidence_of_tokens(&c, t, N, &err), SLM_OK, &err);
    assert_true(c.min == -1000 && c.p10 == -900 && c.p25 == -750 && c.median == -500 && c.mean == -500);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_of_tokens),
        cmocka_unit_test(what_one_token_lacks_the_answer_lacks),
        cmocka_unit_test(what_is_no_probability_is_refused),
        cmocka_unit_test(labels_are_normalised_whatever_their_size),
        cmocka_unit_test(a_row_of_logits_gives_log_p_margin_and_entropy),
        cmocka_unit_test(rounding_of_the_caller_changes_no_bit),
        cmocka_unit_test(many_tokens_are_sorted),
    };
    return cmocka_run_group_tests_name("confidence", tests, NULL, NULL) != 0;
}
