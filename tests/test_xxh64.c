/* test_xxh64.c -- published values, and that pieces do not matter. */
#include "harness/test.h"

#include "core/xxh64.h"

static void published_values(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t hash; } rows[] = {
        { "", UINT64_C(0xef46db3751d8e999) },
        { "a", UINT64_C(0xd24ec4f1a98c6e5b) },
        { "abc", UINT64_C(0x44bc2cf5ad770999) },
        { "Nobody inspects the spammish repetition", UINT64_C(0xfbcea83c8a378bf1) },
        { "The quick brown fox jumps over the lazy dog", UINT64_C(0x0b242d361fda71bc) },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(slm_xxh64_of(rows[i].text, strlen(rows[i].text)), rows[i].hash);
}

static void pieces_do_not_matter(void **state)
{
    (void)state;
    uint8_t bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + i / 7);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        const uint64_t whole = slm_xxh64_of(bytes, n);
        for (size_t step = 1; step < 70; step += 3) {
            slm_xxh64 x;
            slm_xxh64_init(&x);
            for (size_t at = 0; at < n; at += step)
                slm_xxh64_add(&x, bytes + at, n - at < step ? n - at : step);
            slm_xxh64_add(&x, NULL, 0);
            assert_int_equal(slm_xxh64_end(&x), whole);
        }
        for (size_t i = 0; i < n; i += 13) {            /* every byte counts */
            bytes[i] ^= 1;
            assert_int_not_equal(slm_xxh64_of(bytes, n), whole);
            bytes[i] ^= 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(pieces_do_not_matter),
    };
    return cmocka_run_group_tests_name("xxh64", tests, NULL, NULL) != 0;
}
