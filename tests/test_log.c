/* test_log.c -- one line to the caller's hook. */
#include "harness/test.h"

#include "core/log.h"

#include <errno.h>

typedef struct heard {
    int level, lines;
    char text[600];
} heard;

static void hear(void *user, int level, const char *text)
{
    heard *h = user;
    h->level = level;
    h->lines++;
    strncpy(h->text, text, sizeof h->text - 1);
    errno = 5;                                        /* a hook may do anything with errno */
}

static void a_line_arrives_whole_with_its_level(void **state)
{
    (void)state;
    heard h = { 0 };
    const slm_log log = { &h, hear };
    errno = 1234;
    slm_log_line(&log, 2, "%d of %s", 3, "four");
    assert_string_equal(h.text, "3 of four");
    assert_int_equal(h.level, 2);
    assert_int_equal(h.lines, 1);
    assert_int_equal(errno, 1234);
}

static void without_a_hook_nothing_happens(void **state)
{
    (void)state;
    const slm_log none = { NULL, NULL };
    errno = 1234;
    slm_log_line(NULL, 0, "%s", "x");
    slm_log_line(&none, 0, "%s", "x");
    assert_int_equal(errno, 1234);
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    heard h = { 0 };
    const slm_log log = { &h, hear };
    slm_log_line(&log, 1, "%0700d", 1);
    assert_int_equal(strlen(h.text), 511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_arrives_whole_with_its_level),
        cmocka_unit_test(without_a_hook_nothing_happens),
        cmocka_unit_test(a_long_line_is_cut),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL) != 0;
}
