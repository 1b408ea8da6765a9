/* test_params.c -- option structs of older and newer callers. */
#include "harness/test.h"

#include "core/params.h"

#include <stdlib.h>

typedef struct v1 { size_t size; uint32_t a, b; } v1;
typedef struct v2 { size_t size; uint32_t a, b; uint64_t c; } v2;

static void null_is_all_defaults(void **state)
{
    (void)state;
    v2 got;
    memset(&got, 0xff, sizeof got);
    check_status(slm_params_read(&got, sizeof got, NULL, NULL), SLM_OK, NULL);
    assert_true(got.size == sizeof got && got.a == 0 && got.b == 0 && got.c == 0);
}

static void an_older_caller_lacks_fields(void **state)
{
    (void)state;
    v2 got;
    const v1 old = { sizeof old, 7, 8 };
    memset(&got, 0xff, sizeof got);
    check_status(slm_params_read(&got, sizeof got, &old, NULL), SLM_OK, NULL);
    assert_true(got.a == 7 && got.b == 8 && got.c == 0);
}

static void a_newer_caller_may_leave_unknown_fields_zero(void **state)
{
    (void)state;
    v1 got;
    slm_error err;
    v2 new = { sizeof new, 7, 8, 0 };
    check_status(slm_params_read(&got, sizeof got, &new, &err), SLM_OK, &err);
    assert_true(got.a == 7 && got.b == 8);
    new.c = (uint64_t)1 << 56;
    check_status(slm_params_read(&got, sizeof got, &new, &err), SLM_E_UNSUPPORTED, &err);
    check_text(&err, "params: byte 23 is set, this library knows 16 bytes");
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    const size_t sizes[] = { 0, 7, 4097, SIZE_MAX };
    v2 in = { 0, 1, 2, 3 }, got;
    slm_error err;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        in.size = sizes[i];
        check_status(slm_params_read(&got, sizeof got, &in, &err), SLM_E_ARG, &err);
        check_text(&err, "start from the SLM_..._INIT");
        check_status(slm_params_write(&in, &got, sizeof got, &err), SLM_E_ARG, &err);
    }
    check_status(slm_params_write(NULL, &got, sizeof got, &err), SLM_E_ARG, &err);
    uint8_t *most = calloc(1, 4096);                  /* reads no byte past the size it is told */
    const size_t size = 4096;
    memcpy(most, &size, sizeof size);
    check_status(slm_params_read(&got, sizeof got, most, &err), SLM_OK, &err);
    free(most);
}

static void info_is_written_as_far_as_the_caller_has_room(void **state)
{
    (void)state;
    const v2 full = { sizeof full, 1, 2, 3 };
    struct { v1 info; uint32_t guard; } older = { { sizeof(v1), 9, 9 }, 0xdeadbeef };
    struct { v2 info; uint64_t more, guard; } newer = { { sizeof(v2) + 8, 9, 9, 9 }, 9, 77 };
    check_status(slm_params_write(&older.info, &full, sizeof full, NULL), SLM_OK, NULL);
    assert_true(older.info.size == sizeof(v1) && older.info.a == 1 && older.info.b == 2 && older.guard == 0xdeadbeef);
    check_status(slm_params_write(&newer, &full, sizeof full, NULL), SLM_OK, NULL);
    assert_true(newer.info.size == sizeof(v2) + 8 && newer.info.c == 3 && newer.more == 0 && newer.guard == 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_all_defaults),
        cmocka_unit_test(an_older_caller_lacks_fields),
        cmocka_unit_test(a_newer_caller_may_leave_unknown_fields_zero),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(info_is_written_as_far_as_the_caller_has_room),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL) != 0;
}
