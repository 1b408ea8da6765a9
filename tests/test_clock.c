/* test_clock.c -- monotonic time, cancel and deadline. */
#include "harness/test.h"

#include "core/clock.h"

#include <unistd.h>

static void time_goes_forward(void **state)
{
    (void)state;
    uint64_t last = slm_clock_ns();
    for (int i = 0; i < 10000; i++) {
        const uint64_t now = slm_clock_ns();
        assert_true(now >= last);
        last = now;
    }
    const uint64_t start = slm_clock_ns();
    (void)usleep(3000);
    const uint64_t slept = slm_clock_ns() - start;
    assert_true(slept >= 3000000 && slept < UINT64_C(5000000000));
}

static void no_watch_and_an_empty_one_never_end_a_call(void **state)
{
    (void)state;
    atomic_int flag = 0;
    const slm_watch empty = { NULL, 0, false }, unset = { &flag, UINT64_MAX, false };
    check_status(slm_watch_look(NULL, NULL), SLM_OK, NULL);
    check_status(slm_watch_look(&empty, NULL), SLM_OK, NULL);
    check_status(slm_watch_look(&unset, NULL), SLM_OK, NULL);
}

static void the_flag_ends_one_call(void **state)
{
    (void)state;
    atomic_int flag = 1;
    slm_error err;
    const slm_watch watch = { &flag, 0, false };
    check_status(slm_watch_look(&watch, &err), SLM_E_CANCELLED, &err);
    assert_int_equal(flag, 0);
    check_status(slm_watch_look(&watch, &err), SLM_OK, &err);
}

static void the_deadline_ends_every_call_after_it(void **state)
{
    (void)state;
    atomic_int flag = 0;
    slm_error err;
    const slm_watch watch = { &flag, slm_clock_ns(), false },
                    later = { &flag, slm_clock_ns() + UINT64_C(1000000000000), false };
    check_status(slm_watch_look(&watch, &err), SLM_E_DEADLINE, &err);
    check_text(&err, "deadline passed ");
    check_status(slm_watch_look(&watch, &err), SLM_E_DEADLINE, &err);
    check_status(slm_watch_look(&later, &err), SLM_OK, &err);
    flag = 1;
    check_status(slm_watch_look(&watch, &err), SLM_E_CANCELLED, &err);     /* who cancels is told so */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_goes_forward),
        cmocka_unit_test(no_watch_and_an_empty_one_never_end_a_call),
        cmocka_unit_test(the_flag_ends_one_call),
        cmocka_unit_test(the_deadline_ends_every_call_after_it),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL) != 0;
}
