/* test_size.c -- checked arithmetic on sizes, and the limits. */
#include "harness/test.h"

#include "core/limits.h"
#include "core/size.h"

#include <stdlib.h>

static void products_and_sums_at_the_edge(void **state)
{
    (void)state;
    size_t s;
    uint64_t v;
    assert_true(slm_size_mul(SIZE_MAX / 3, 3, &s) && s == SIZE_MAX);
    assert_false(slm_size_mul(SIZE_MAX / 3 + 1, 3, &s));
    assert_false(slm_size_mul(SIZE_MAX, SIZE_MAX, &s));
    assert_true(slm_size_mul(0, SIZE_MAX, &s) && s == 0);
    assert_true(slm_size_add(SIZE_MAX - 1, 1, &s) && s == SIZE_MAX);
    assert_false(slm_size_add(SIZE_MAX, 1, &s));
    assert_true(slm_u64_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &v) && v == UINT64_C(0xffffffff00000000));
    assert_false(slm_u64_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
    assert_true(slm_u64_add(UINT64_MAX, 0, &v) && v == UINT64_MAX);
    assert_false(slm_u64_add(UINT64_MAX, UINT64_MAX, &v));
}

static void aligning(void **state)
{
    (void)state;
    uint64_t v;
    for (uint64_t to = 1; to <= 1048576; to *= 2)
        for (uint64_t a = 0; a < 3 * to && a < 300; a++) {
            assert_true(slm_u64_align(a, to, &v));
            assert_true(v >= a && v - a < to && v % to == 0);
        }
    assert_true(slm_u64_align(UINT64_MAX - 63, 64, &v) && v == UINT64_MAX - 63);
    assert_false(slm_u64_align(UINT64_MAX - 62, 64, &v));
    assert_false(slm_u64_align(UINT64_MAX, 2, &v));
    assert_true(slm_u64_align(UINT64_MAX, 1, &v) && v == UINT64_MAX);
}

static void small_helpers(void **state)
{
    (void)state;
    size_t s;
    assert_true(slm_size_from_u64(SIZE_MAX, &s) && s == SIZE_MAX);
    assert_int_equal(slm_ceil_div(0, 16), 0);
    assert_int_equal(slm_ceil_div(1, 16), 1);
    assert_int_equal(slm_ceil_div(16, 16), 1);
    assert_int_equal(slm_ceil_div(17, 16), 2);
    assert_true(slm_ceil_div(SIZE_MAX, 2) == SIZE_MAX / 2 + 1);
    assert_int_equal(slm_min(3, 4), 3);
    assert_int_equal(slm_max(3, 4), 4);
}

/* The numbers of the specification; a changed limit is a changed promise. */
static void limits_are_the_documented_ones(void **state)
{
    (void)state;
    static const struct { const char *name; long value, want; } rows[] = {
#define SLM_LIMIT(name, value, what) { what, value, SLM_LIMIT_##name },
#include "core/limits.def"
#undef SLM_LIMIT
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(rows[i].value > 0);
        assert_int_equal(rows[i].value, rows[i].want);
        assert_true(rows[i].name[0] != 0);
    }
    assert_int_equal(SLM_LIMIT_JSON_DEPTH, 64);
    assert_int_equal(SLM_LIMIT_JSON_BYTES, 128 << 20);
    assert_int_equal(SLM_LIMIT_GGUF_KEYS, 65536);
    assert_int_equal(SLM_LIMIT_ALIGNMENT_LEAST, 8);
    assert_int_equal(SLM_LIMIT_ALIGNMENT_MOST, 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_at_the_edge),
        cmocka_unit_test(aligning),
        cmocka_unit_test(small_helpers),
        cmocka_unit_test(limits_are_the_documented_ones),
    };
    return cmocka_run_group_tests_name("size", tests, NULL, NULL) != 0;
}
