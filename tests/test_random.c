/* test_random.c -- random numbers as a function of seed and counter. */
#include "harness/test.h"

#include "core/random.h"

/* SplitMix64's published first outputs for state 1234567: the finaliser is the known one. */
static void the_finaliser_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t want[] = { UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
                                     UINT64_C(4593380528125082431), UINT64_C(16408922859458223821) };
    for (uint64_t i = 0; i < COUNT(want); i++)
        assert_true(slm_random_mix(1234567 + (i + 1) * UINT64_C(0x9e3779b97f4a7c15)) == want[i]);
}

/* A seed's draws are a promise: a saved session goes on with the same ones. */
static void draws_are_pinned(void **state)
{
    (void)state;
    assert_true(slm_random_u64(0, 0) == slm_random_u64(0, 0));
    assert_true(slm_random_u64(0, 0) != slm_random_u64(0, 1));
    assert_true(slm_random_u64(0, 0) != slm_random_u64(1, 0));
    assert_true(slm_random_u64(0, 1) != slm_random_u64(1, 0));
    assert_true(slm_random_u64(7, UINT64_MAX) != slm_random_u64(7, 0));
    assert_true(slm_random_u64(0, 0) == UINT64_C(0xa706dd2f4d197e6f));
    assert_true(slm_random_u64(42, 1000) == UINT64_C(0xb1fc8c824d524899));
}

static void units_are_uniform_and_below_one(void **state)
{
    (void)state;
    enum { N = 100000, CELLS = 64 };
    size_t cells[CELLS] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        const double u = slm_random_unit(3, i);
        assert_true(u >= 0 && u < 1);
        cells[(size_t)(u * CELLS)]++;
    }
    double chi2 = 0;
    for (size_t i = 0; i < CELLS; i++) {
        const double off = (double)cells[i] - (double)N / CELLS;
        chi2 += off * off / ((double)N / CELLS);
    }
    if (chi2 > 120)                                   /* 63 degrees: exceeded once in 20,000 */
        fail_msg("chi square of %d cells is %.1f", CELLS, chi2);
}

static void neighbours_differ_in_half_of_their_bits(void **state)
{
    (void)state;
    uint64_t bits = 0;
    for (uint64_t i = 0; i < 10000; i++)
        bits += (uint64_t)__builtin_popcountll(slm_random_u64(5, i) ^ slm_random_u64(5, i + 1)) +
                (uint64_t)__builtin_popcountll(slm_random_u64(i, 5) ^ slm_random_u64(i + 1, 5));
    assert_true(bits > 636000 && bits < 644000);      /* 640,000 expected, deviation 566 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_finaliser_is_splitmix64),
        cmocka_unit_test(draws_are_pinned),
        cmocka_unit_test(units_are_uniform_and_below_one),
        cmocka_unit_test(neighbours_differ_in_half_of_their_bits),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL) != 0;
}
