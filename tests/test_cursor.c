/* test_cursor.c -- the bounded reader. */
#include "harness/test.h"

#include "core/cursor.h"

static const struct row {
    const char *name;
    size_t size;
    uint64_t first, take;
    size_t bad;
} rows[] = {
    { "takes exactly what is there",             8,  0, 8,              SIZE_MAX },
    { "takes nothing from nothing",              0,  0, 0,              SIZE_MAX },
    { "takes the rest after a first take",       16, 5, 11,             SIZE_MAX },
    { "refuses one byte more than there is",     8,  0, 9,              0 },
    { "refuses one byte more than is left",      16, 5, 12,             5 },
    { "refuses a length that would wrap",        8,  0, UINT64_MAX,     0 },
    { "refuses a length that wraps to its place", 8, 4, UINT64_MAX - 3, 4 },
};

static void take(void **state)
{
    const struct row *r = *state;
    uint8_t bytes[16] = { 0 };
    slm_cursor c = slm_cursor_over(bytes, r->size);
    assert_ptr_equal(slm_cursor_take(&c, r->first), bytes);
    const uint8_t *p = slm_cursor_take(&c, r->take);
    if (c.bad != r->bad)
        fail_msg("take %" PRIu64 " of %zu: bad is %zu, want %zu", r->take, r->size, c.bad, r->bad);
    if (r->bad == SIZE_MAX) {
        assert_ptr_equal(p, bytes + r->first);
        assert_int_equal(c.pos, r->first + r->take);
    } else {
        assert_null(p);
        assert_int_equal(c.pos, r->first);
    }
}

static void keeps_the_first_failure(void **state)
{
    (void)state;
    const uint8_t bytes[6] = { 1, 2, 3, 4, 5, 6 };
    slm_cursor c = slm_cursor_over(bytes, sizeof bytes);
    assert_int_equal(slm_cursor_u16(&c), 0x0201);
    assert_int_equal(slm_cursor_u64(&c), 0);
    assert_int_equal(c.bad, 2);
    assert_int_equal(slm_cursor_u8(&c), 0);      /* would fit, but the record is broken */
    assert_null(slm_cursor_take(&c, 0));
    assert_int_equal(c.bad, 2);
    assert_int_equal(c.pos, 2);
}

static void reads_little_endian_at_any_alignment(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0xff, 0xfe, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x00, 0x00, 0x80, 0x3f, 0x34, 0x12 };
    slm_cursor c = slm_cursor_over(bytes, sizeof bytes);
    assert_int_equal(slm_cursor_u8(&c), 0xff);
    assert_int_equal(slm_cursor_u8(&c), 0xfe);
    assert_true(slm_cursor_u64(&c) == UINT64_C(0x0807060504030201));
    assert_true(slm_cursor_f32(&c) == 1.0f);
    assert_int_equal(slm_cursor_u16(&c), 0x1234);
    assert_int_equal(c.bad, SIZE_MAX);
    slm_cursor d = slm_cursor_over(bytes + 3, 5);
    assert_int_equal(slm_cursor_u32(&d), 0x05040302);
    assert_true(slm_cursor_f32(&d) == 0);
    assert_int_equal(d.bad, 4);
}

static void strings_are_views(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 3, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 'c', 0, 0, 0, 0, 0, 0, 0, 0 };
    uint64_t n;
    slm_cursor c = slm_cursor_over(bytes, sizeof bytes);
    assert_ptr_equal(slm_cursor_str(&c, &n), bytes + 8);
    assert_int_equal(n, 3);
    assert_ptr_equal(slm_cursor_str(&c, &n), bytes + sizeof bytes);
    assert_int_equal(n, 0);
    assert_null(slm_cursor_str(&c, &n));
    assert_int_equal(c.bad, sizeof bytes);
}

static void a_string_longer_than_the_rest_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[12] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint64_t n = 7;
    slm_cursor c = slm_cursor_over(bytes, sizeof bytes);
    assert_null(slm_cursor_str(&c, &n));
    assert_int_equal(n, 0);
    assert_int_equal(c.bad, 8);
}

int main(void)
{
    enum { ROWS = COUNT(rows) };
    struct CMUnitTest tests[ROWS + 4] = { 0 };
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){ rows[i].name, take, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(keeps_the_first_failure);
    tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(reads_little_endian_at_any_alignment);
    tests[ROWS + 2] = (struct CMUnitTest)cmocka_unit_test(strings_are_views);
    tests[ROWS + 3] = (struct CMUnitTest)cmocka_unit_test(a_string_longer_than_the_rest_is_refused);
    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL) != 0;
}
