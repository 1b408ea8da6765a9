/* test_budget.c -- costs are exact integers, reservations never pass the total, not even from many threads. */
#include "harness/test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const slm_price prices[] = {
    { "gpt-a", 2500000, 10000000, 1250000, 0 }, { "gpt-*", 150000, 600000, 0, 0 }, { "claude", 3000000, 15000000, 300000, 3750000 }, { "here", 0, 0, 0, 0 },
};

static slm_budget *make(uint64_t total, uint64_t calls, const slm_price *ceiling)
{
    slm_budget *b = NULL;
    slm_error err = { 0 };
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    p.total = total;
    p.calls = calls;
    p.prices = prices;
    p.n_prices = COUNT(prices);
    p.ceiling = ceiling;
    check_status(slm_budget_new(&b, &p, &err), SLM_OK, &err);
    return b;
}

static void costs_are_exact(void **state)
{
    (void)state;
    static const struct { const char *model; slm_usage u; uint64_t cost; } rows[] = {
        { "gpt-a", { 1000, 0, 0, 1000 }, 12500000 }, { "gpt-a", { 1000, 400, 0, 0 }, 600 * 2500 + 400 * 1250 }, { "gpt-a", { 0, 0, 0, 0 }, 0 },
        { "gpt-b", { 1, 0, 0, 1 }, 150 + 600 },      { "claude", { 15, 10, 2, 7 }, 3 * 3000 + 10 * 300 + 2 * 3750 + 7 * 15000 },
        { "gpt-", { 7, 7, 0, 0 }, 7 * 150 },         { "here", { 1000000, 0, 0, 1000000 }, 0 },
        { "gpt-a", { UINT64_C(1) << 32, 0, 0, UINT64_C(1) << 32 }, (UINT64_C(1) << 32) * 12500 },
    };
    slm_budget *b = make(0, 0, NULL);
    slm_error err = { 0 };
    uint64_t cost;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_status(slm_budget_cost(b, rows[i].model, &rows[i].u, &cost, &err), SLM_OK, &err);
        if (cost != rows[i].cost)
            fail_msg("row %zu: %" PRIu64 ", want %" PRIu64, i, cost, rows[i].cost);
    }
    const slm_usage odd[] = { { 5, 6, 0, 0 }, { 5, 3, 3, 0 }, { (UINT64_C(1) << 32) + 1, 0, 0, 0 }, { 0, 0, 0, UINT64_MAX } };
    for (size_t i = 0; i < COUNT(odd); i++)
        check_status(slm_budget_cost(b, "gpt-a", &odd[i], &cost, &err), SLM_E_ARG, &err);
    check_status(slm_budget_cost(b, "unknown", &rows[0].u, &cost, &err), SLM_E_BUDGET, &err);
    check_text(&err, "'unknown' has no price");
    slm_budget_free(b);
}

static void a_fraction_of_a_nano_dollar_is_a_whole_one(void **state)
{
    (void)state;
    slm_budget *b = NULL;
    slm_error err = { 0 };
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    const slm_price cheap = { "m", 1, 0, 0, 0 };
    uint64_t cost;
    p.prices = &cheap;
    p.n_prices = 1;
    check_status(slm_budget_new(&b, &p, &err), SLM_OK, &err);
    check_status(slm_budget_cost(b, "m", &(slm_usage){ 1, 0, 0, 9 }, &cost, &err), SLM_OK, &err);
    assert_int_equal(cost, 1);
    check_status(slm_budget_cost(b, "m", &(slm_usage){ 1001, 0, 0, 0 }, &cost, &err), SLM_OK, &err);
    assert_int_equal(cost, 2);
    slm_budget_free(b);
}

static void reserve_and_settle(void **state)
{
    (void)state;
    const slm_usage most = { 1000, 0, 0, 100 };                 /* 3.5 million at gpt-a */
    slm_budget *b = make(7000000, 0, NULL);
    slm_error err = { 0 };
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    uint64_t one, two, three = 77;
    check_status(slm_budget_reserve(b, "gpt-a", &most, &one, &err), SLM_OK, &err);
    check_status(slm_budget_reserve(b, "gpt-a", &most, &two, &err), SLM_OK, &err);
    check_status(slm_budget_reserve(b, "gpt-a", &most, &three, &err), SLM_E_BUDGET, &err);
    check_text(&err, "3500000 nano-dollars, 0 of 7000000");
    assert_int_equal(three, 77);
    check_status(slm_budget_reserve(b, "here", &most, &three, &err), SLM_OK, &err);     /* what is free is free */
    check_status(slm_budget_settle(b, one, 1000000, &err), SLM_OK, &err);
    check_status(slm_budget_get_info(b, &info, &err), SLM_OK, &err);
    assert_true(info.total == 7000000 && info.spent == 1000000 && info.reserved == 3500000 && info.calls == 3 && info.refused == 1);
    check_status(slm_budget_settle(b, 3500001, 0, &err), SLM_E_ARG, &err);
    check_status(slm_budget_settle(b, two, 9000000, &err), SLM_OK, &err);              /* dearer than thought: it counts */
    check_status(slm_budget_reserve(b, "gpt-b", &(slm_usage){ 1, 0, 0, 0 }, &one, &err), SLM_E_BUDGET, &err);
    slm_budget_free(b);
    b = make(1u << 30, 2, NULL);
    check_status(slm_budget_reserve(b, "gpt-a", &most, &one, &err), SLM_OK, &err);
    check_status(slm_budget_reserve(b, "gpt-a", &most, &one, &err), SLM_OK, &err);
    check_status(slm_budget_reserve(b, "gpt-a", &most, &one, &err), SLM_E_BUDGET, &err);
    check_text(&err, "2 calls are used up");
    slm_budget_free(b);
}

static void a_model_without_a_price_costs_the_ceiling_or_is_refused(void **state)
{
    (void)state;
    const slm_price ceiling = { NULL, 1000000, 1000000, 0, 0 };
    slm_budget *b = make(1000000, 0, &ceiling);
    slm_error err = { 0 };
    uint64_t reserved;
    check_status(slm_budget_reserve(b, "unknown", &(slm_usage){ 500, 0, 0, 500 }, &reserved, &err), SLM_OK, &err);
    assert_int_equal(reserved, 1000000);
    check_status(slm_budget_reserve(b, "unknown", &(slm_usage){ 1, 0, 0, 0 }, &reserved, &err), SLM_E_BUDGET, &err);
    slm_budget_free(b);
    b = make(1000000, 0, NULL);
    check_status(slm_budget_reserve(b, "unknown", &(slm_usage){ 1, 0, 0, 0 }, &reserved, &err), SLM_E_BUDGET, &err);
    slm_budget_free(b);
}

static void wrong_params_are_refused(void **state)
{
    (void)state;
    slm_budget *b = NULL;
    slm_error err = { 0 };
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    slm_price bad = { "m", 1000000001, 0, 0, 0 };
    p.prices = &bad;
    p.n_prices = 1;
    check_status(slm_budget_new(&b, &p, &err), SLM_E_ARG, &err);
    check_text(&err, "1000000001");
    bad = (slm_price){ "", 1, 1, 1, 1 };
    check_status(slm_budget_new(&b, &p, &err), SLM_E_ARG, &err);
    p.n_prices = 1025;
    check_status(slm_budget_new(&b, &p, &err), SLM_E_ARG, &err);
    p.n_prices = 0;
    p.total = UINT64_MAX;
    check_status(slm_budget_new(&b, &p, &err), SLM_E_ARG, &err);
    assert_null(b);
    slm_budget_free(NULL);
}

static void *spend(void *arg)
{
    slm_budget *b = arg;
    const slm_usage most = { 1000, 0, 0, 0 };
    uint64_t reserved;
    for (int i = 0; i < 2000; i++)
        if (!slm_budget_reserve(b, "gpt-b", &most, &reserved, NULL))
            (void)slm_budget_settle(b, reserved, reserved / 3, NULL);
    return NULL;
}

static void threads_cannot_pass_the_total_together(void **state)
{
    (void)state;
    pthread_t threads[8];
    slm_budget *b = make(100000000, 0, NULL);
    slm_error err = { 0 };
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spend, b), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    check_status(slm_budget_get_info(b, &info, &err), SLM_OK, &err);
    assert_int_equal(info.reserved, 0);
    assert_int_equal(info.spent, info.calls * 50000);
    assert_true(info.spent <= info.total && info.total - info.spent < 150000 && info.calls + info.refused == 16000);
    slm_budget_free(b);
}

static void a_child_has_none(void **state)
{
    (void)state;
    slm_budget *b = make(1000, 0, NULL);
    int status = 0;
    const pid_t child = fork();
    if (!child) {
        uint64_t reserved;
        slm_budget_info info = SLM_BUDGET_INFO_INIT;
        const slm_usage none = { 0, 0, 0, 0 };
        _exit(slm_budget_reserve(b, "here", &none, &reserved, NULL) == SLM_E_STATE && slm_budget_settle(b, 0, 0, NULL) == SLM_E_STATE &&
              slm_budget_get_info(b, &info, NULL) == SLM_E_STATE ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    slm_budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_exact),              cmocka_unit_test(a_fraction_of_a_nano_dollar_is_a_whole_one),
        cmocka_unit_test(reserve_and_settle),           cmocka_unit_test(a_model_without_a_price_costs_the_ceiling_or_is_refused),
        cmocka_unit_test(wrong_params_are_refused),     cmocka_unit_test(threads_cannot_pass_the_total_together),
        cmocka_unit_test(a_child_has_none),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL) != 0;
}
