/* test_sample.c -- picks follow their distribution, filters drop what they say, the draw depends on seed and position alone. */
#include "harness/test.h"

#include <math.h>

enum { VOCAB = 50, DRAWS = 20000 };

static const float logits[VOCAB] = { 3.0f, 1.0f, 2.0f, 3.0f, -1.0f, 0.5f };   /* two share the top, the rest are 0 */

static int32_t pick(const slm_sampling *how, uint64_t position)
{
    int32_t token = -1;
    slm_error err = { 0 };
    check_status(slm_sample(&token, logits, VOCAB, how, position, &err), SLM_OK, &err);
    return token;
}

static void greedy_takes_the_highest_and_the_lowest_id_on_ties(void **state)
{
    (void)state;
    slm_sampling how = SLM_SAMPLING_INIT;
    assert_int_equal(pick(&how, 0), 0);
    assert_int_equal(pick(NULL, 5), 0);
    how.temperature = 1e-6f;
    assert_int_equal(pick(&how, 1), 0);
}

static void draw_counts(const slm_sampling *how, size_t counts[VOCAB])
{
    memset(counts, 0, VOCAB * sizeof *counts);
    for (uint64_t i = 0; i < DRAWS; i++)
        counts[pick(how, i)]++;
}

static void draws_follow_the_softmax(void **state)
{
    (void)state;
    size_t counts[VOCAB];
    double total = 0, chi = 0;
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 0.7f;
    how.seed = 42;
    draw_counts(&how, counts);
    for (size_t i = 0; i < VOCAB; i++)
        total += exp((double)logits[i] / 0.7);
    for (size_t i = 0; i < VOCAB; i++) {
        const double want = DRAWS * exp((double)logits[i] / 0.7) / total;
        chi += ((double)counts[i] - want) * ((double)counts[i] - want) / want;
    }
    assert_true(chi < 85.4);        /* 49 degrees of freedom, 0.1 %; the seed is fixed */
}

static void the_draw_depends_on_seed_and_position_alone(void **state)
{
    (void)state;
    slm_sampling how = SLM_SAMPLING_INIT;
    size_t same = 0;
    how.temperature = 1;
    how.seed = 1;
    for (uint64_t i = 0; i < 100; i++) {
        const int32_t first = pick(&how, i);
        assert_int_equal(pick(&how, i), first);
        how.seed = 2;
        same += pick(&how, i) == first;
        how.seed = 1;
    }
    assert_true(same < 60);
}

static void only(const slm_sampling *how, const int32_t *allowed, size_t n)
{
    size_t counts[VOCAB], seen = 0;
    draw_counts(how, counts);
    for (size_t i = 0; i < n; i++)
        seen += counts[allowed[i]] > 0;
    size_t kinds = 0;
    for (size_t i = 0; i < VOCAB; i++)
        kinds += counts[i] > 0;
    assert_int_equal(seen, n);
    assert_int_equal(kinds, n);
}

static void filters_keep_what_they_say(void **state)
{
    (void)state;
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    how.top_k = 1;
    only(&how, (const int32_t[]){ 0 }, 1);              /* of two equal ones the lower id */
    how.top_k = 3;
    only(&how, (const int32_t[]){ 0, 2, 3 }, 3);
    how.top_p = 0.5f;                                   /* of the three: e^3 / (2 e^3 + e^2) = 0.42, two are needed */
    only(&how, (const int32_t[]){ 0, 3 }, 2);
    how.top_k = 0;
    how.top_p = 1e-6f;
    only(&how, (const int32_t[]){ 0 }, 1);
    how.top_p = 0;
    how.min_p = 0.3f;                                   /* e^(2-3) = 0.37 stays, e^(1-3) = 0.14 goes */
    only(&how, (const int32_t[]){ 0, 2, 3 }, 3);
    how.min_p = 1;
    only(&how, (const int32_t[]){ 0, 3 }, 2);
}

/* 5000 tokens: every tenth of the first 3000 is four times as likely as all others. What is kept goes by probability, then by id: the 300,
 * and of the others those of the lowest ids, far more than one look at the best finds. */
static void filters_keep_the_lowest_ids_of_thousands_alike(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static float flat[MANY];
    static const struct { uint32_t top_k; float top_p; size_t others; } cases[] = {
        { 1000, 0, 700 },
        { 301, 0, 1 },
        { 0, 0.5f, 1750 },      /* 300 + 4700 / 4 = 1475; half of it are 300 and 1750 / 4 */
        { 0, 0.2f, 0 },         /* 295 of the 300 */
        { 2300, 0.5f, 400 },    /* 300 + 2000 / 4 = 800; half of it are 300 and 400 / 4 */
    };
    for (size_t i = 0; i < MANY; i++)
        flat[i] = i < 3000 && i % 10 == 3 ? 0 : -1.3862944f;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        slm_sampling how = SLM_SAMPLING_INIT;
        slm_error err = { 0 };
        size_t greatest = 0, likely = 0, bound = 0;
        how.temperature = 1;
        how.seed = 5;
        how.top_k = cases[c].top_k;
        how.top_p = cases[c].top_p;
        const size_t others = cases[c].others;
        for (size_t left = others; left > 0; bound++)
            left -= !(bound < 3000 && bound % 10 == 3);
        for (uint64_t at = 0; at < 2000; at++) {
            int32_t token = -1;
            check_status(slm_sample(&token, flat, MANY, &how, at, &err), SLM_OK, &err);
            const bool top = token < 3000 && token % 10 == 3;
            assert_true(top || (size_t)token < bound + 2);      /* 2: a quarter is rounded, so the sum may end a token later */
            if (top)
                likely++;
            else if ((size_t)token > greatest)
                greatest = (size_t)token;
        }
        assert_true(likely > 500 && (others < 100 || greatest > bound - bound / 20));
    }
}

static void bad_settings_and_logits_are_refused(void **state)
{
    (void)state;
    int32_t token = 77;
    float row[4] = { 1, 2, 3, 4 };
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = -1;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_ARG, &err);
    how.temperature = NAN;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_ARG, &err);
    how.temperature = 1;
    how.top_p = NAN;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_ARG, &err);
    how.top_p = 0;
    how.min_p = 1.5f;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_ARG, &err);
    how.min_p = 0;
    check_status(slm_sample(&token, row, 0, &how, 0, &err), SLM_E_ARG, &err);
    row[2] = NAN;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_NUMERIC, &err);
    row[2] = INFINITY;
    check_status(slm_sample(&token, row, 4, NULL, 0, &err), SLM_E_NUMERIC, &err);
    row[0] = row[1] = row[2] = row[3] = -INFINITY;
    check_status(slm_sample(&token, row, 4, &how, 0, &err), SLM_E_NUMERIC, &err);
    check_text(&err, "no token of 4 is allowed");
    assert_int_equal(token, 77);
    row[1] = -5;                                        /* the only one allowed is taken, whatever the others */
    for (uint64_t i = 0; i < 50; i++) {
        check_status(slm_sample(&token, row, 4, &how, i, &err), SLM_OK, &err);
        assert_int_equal(token, 1);
    }
}

static void scores_are_log_probabilities(void **state)
{
    (void)state;
    static float wide[5000];
    slm_error err = { 0 };
    double nats, total = 0;
    for (size_t i = 0; i < 5000; i++)
        wide[i] = (float)(i % 23) * 0.25f - 3.0f;
    for (size_t i = 0; i < 5000; i++)
        total += exp((double)wide[i]);
    for (int32_t i = 0; i < 5000; i += 501) {
        check_status(slm_logits_score(wide, 5000, i, &nats, &err), SLM_OK, &err);
        assert_true(fabs(nats - ((double)wide[i] - log(total))) < 1e-6);
    }
    check_status(slm_logits_score(wide, 5000, 5000, &nats, &err), SLM_E_ARG, &err);
    wide[9] = NAN;
    check_status(slm_logits_score(wide, 5000, 1, &nats, &err), SLM_E_NUMERIC, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_highest_and_the_lowest_id_on_ties),
        cmocka_unit_test(draws_follow_the_softmax),
        cmocka_unit_test(the_draw_depends_on_seed_and_position_alone),
        cmocka_unit_test(filters_keep_what_they_say),
        cmocka_unit_test(filters_keep_the_lowest_ids_of_thousands_alike),
        cmocka_unit_test(bad_settings_and_logits_are_refused),
        cmocka_unit_test(scores_are_log_probabilities),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL) != 0;
}
