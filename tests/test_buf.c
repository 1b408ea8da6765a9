/* test_buf.c -- the growing buffer with its maximum. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/buf.h"

static void holds_what_was_added(void **state)
{
    (void)state;
    slm_heap heap;
    slm_buf buf;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&buf, &heap, 1 << 20);
    for (size_t i = 0; i < 5000; i++)
        slm_buf_u8(&buf, (uint8_t)(i * 7));
    check_status(slm_buf_status(&buf, "test", NULL), SLM_OK, NULL);
    assert_int_equal(buf.size, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    assert_true(heap.count < 8);                  /* it doubles */
    slm_buf_free(&buf);
    assert_true(heap.current == 0);
}

static void numbers_are_little_endian(void **state)
{
    (void)state;
    static const uint8_t want[] = { 0xab, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 2, 0, 0, 0, 0, 0, 0, 0, 'h', 'i' };
    slm_heap heap;
    slm_buf buf;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&buf, &heap, 100);
    slm_buf_u8(&buf, 0xab);
    slm_buf_u32(&buf, 0x01020304);
    slm_buf_u64(&buf, UINT64_C(0x0102030405060708));
    slm_buf_str(&buf, "hi", 2);
    assert_int_equal(buf.size, sizeof want);
    assert_memory_equal(buf.data, want, sizeof want);
    slm_buf_free(&buf);
}

static void the_maximum_is_exact_and_sticky(void **state)
{
    (void)state;
    slm_heap heap;
    slm_buf buf;
    slm_error err;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&buf, &heap, 10);
    slm_buf_add(&buf, "0123456789", 10);
    check_status(slm_buf_status(&buf, "ten", &err), SLM_OK, &err);
    assert_non_null(slm_buf_grow(&buf, 0));
    slm_buf_add(&buf, "x", 1);
    assert_int_equal(buf.size, 10);
    assert_memory_equal(buf.data, "0123456789", 10);
    check_status(slm_buf_status(&buf, "ten", &err), SLM_E_LIMIT, &err);
    check_text(&err, "ten: 10 bytes so far (allowed 10)");
    assert_null(slm_buf_grow(&buf, 0));
    slm_buf_free(&buf);
    slm_buf_init(&buf, &heap, SIZE_MAX);
    slm_buf_u8(&buf, 1);
    assert_null(slm_buf_grow(&buf, SIZE_MAX));    /* size + n would wrap */
    check_status(buf.failed, SLM_E_LIMIT, NULL);
    slm_buf_free(&buf);
    assert_true(heap.current == 0);
}

static void nothing_added_to_nothing_is_no_refusal(void **state)
{
    (void)state;
    slm_heap heap;
    slm_buf buf;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&buf, &heap, 0);
    assert_non_null(slm_buf_grow(&buf, 0));
    slm_buf_add(&buf, "", 0);
    check_status(slm_buf_status(&buf, "none", NULL), SLM_OK, NULL);
    slm_buf_free(&buf);
    assert_true(heap.current == 0);
}

static void a_refused_growth_keeps_what_was_there(void **state)
{
    (void)state;
    fail_alloc f;
    slm_heap heap;
    slm_buf buf;
    slm_error err;
    fail_alloc_init(&f, 2, false);
    slm_heap_init(&heap, &f.allocator, 0);
    slm_buf_init(&buf, &heap, 100000);
    slm_buf_add(&buf, "kept", 4);
    assert_null(slm_buf_grow(&buf, 1000));
    check_status(slm_buf_status(&buf, "growth", &err), SLM_E_MEMORY, &err);
    assert_memory_equal(buf.data, "kept", 4);
    assert_int_equal(buf.size, 4);
    slm_buf_free(&buf);
    assert_int_equal(f.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_added),
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(the_maximum_is_exact_and_sticky),
        cmocka_unit_test(nothing_added_to_nothing_is_no_refusal),
        cmocka_unit_test(a_refused_growth_keeps_what_was_there),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL) != 0;
}
