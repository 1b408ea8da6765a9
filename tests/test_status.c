/* test_status.c -- names, pinned values, messages. */
#include "harness/test.h"

#include "core/status.h"

#include <errno.h>

static void names_and_texts(void **state)
{
    (void)state;
    static const struct { slm_status status; const char *name; } rows[] = {
#define ROW(name, value, text) { SLM_##name, "SLM_" #name },
        SLM_STATUS_MAP(ROW)
#undef ROW
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(slm_status_name(rows[i].status), rows[i].name);
        assert_int_equal(rows[i].status, -(int)i);     /* pinned for ever, without a gap */
        assert_true(strlen(slm_status_text(rows[i].status)) > 5);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(slm_status_text(rows[i].status), slm_status_text(rows[k].status));
    }
    assert_int_equal(COUNT(rows), 22);
    assert_string_equal(slm_status_name((slm_status)1), "SLM_E_?");
    assert_string_equal(slm_status_name((slm_status)-22), "SLM_E_?");
    assert_string_equal(slm_status_text((slm_status)-22), "no such status");
    assert_string_equal(slm_version(), SLM_VERSION);
}

static void messages_say_status_code_and_place(void **state)
{
    (void)state;
    slm_error err;
    errno = 1234;
    memset(&err, 0xff, sizeof err);
    check_status(slm_fail(&err, SLM_E_ARG, "thing %d of %s", 3, "four"), SLM_E_ARG, NULL);
    assert_string_equal(err.text, "thing 3 of four");
    assert_true(err.status == SLM_E_ARG && err.code == 0 && err.offset == UINT64_MAX);
    check_status(slm_fail_at(&err, SLM_E_FORMAT, 0, "start"), SLM_E_FORMAT, NULL);
    assert_string_equal(err.text, "start, at byte 0");
    assert_true(err.offset == 0);
    check_status(slm_fail_errno(&err, SLM_E_IO, ENOSPC, "f: write"), SLM_E_IO, NULL);
    assert_string_equal(err.text, "f: write: No space left on device (errno 28)");
    assert_int_equal(err.code, ENOSPC);
    check_status(slm_fail_errno(&err, SLM_E_IO, 99999, "f"), SLM_E_IO, NULL);
    assert_string_equal(err.text, "f: ? (errno 99999)");
    check_status(slm_fail(NULL, SLM_E_MEMORY, "nobody listens"), SLM_E_MEMORY, NULL);
    assert_int_equal(errno, 1234);
}

static void long_messages_are_cut(void **state)
{
    (void)state;
    char text[600];
    slm_error err;
    memset(text, 'x', sizeof text);
    for (size_t n = 485; n < 600; n += n < 500 ? 1 : 30) {
        text[n] = 0;
        (void)slm_fail_at(&err, SLM_E_FORMAT, 12, "%s", text);
        assert_true(strlen(err.text) == (n + 12 < 495 ? n + 12 : 495));       /* ", at byte 12" has 12 */
        assert_int_equal(strspn(err.text, "x"), n < 495 ? n : 495);
        text[n] = 'x';
    }
    assert_int_equal(sizeof err, 512);
}

static void what_is_shown_drives_no_terminal(void **state)
{
    (void)state;
    char out[SLM_SHOWN], long_name[200];
    assert_string_equal(slm_shown(out, "blk.0.attn_q", 12), "blk.0.attn_q");
    assert_string_equal(slm_shown(out, "a\x1b[31m\n\\\0\xc3", 9), "a\\x1b[31m\\x0a\\x5c\\x00");
    assert_string_equal(slm_shown(out, "\xc3\x7f", 2), "\\xc3\\x7f");
    assert_string_equal(slm_shown(out, NULL, 0), "");
    memset(long_name, 'n', sizeof long_name);
    assert_int_equal(strlen(slm_shown(out, long_name, 80)), 80);
    assert_int_equal(strlen(slm_shown(out, long_name, 81)), 83);
    assert_string_equal(out + 80, "...");
    memset(long_name, 1, sizeof long_name);
    assert_int_equal(strlen(slm_shown(out, long_name, 20)), 80);
    assert_int_equal(strlen(slm_shown(out, long_name, 200)), 83);
    for (size_t n = 0; n < 100; n++)
        for (size_t plain = 0; plain <= n; plain += 7) {
            memset(long_name, 1, sizeof long_name);
            memset(long_name, 'n', plain);
            assert_true(strlen(slm_shown(out, long_name, n)) <= 83);
        }
}

static void a_failed_check_names_itself(void **state)
{
    (void)state;
    slm_error err;
    check_status(SLM_CHECK(1 + 1 == 2, &err), SLM_OK, NULL);
    check_status(SLM_CHECK(1 + 1 == 3, &err), SLM_E_INTERNAL, NULL);
    check_text(&err, "test_status.c:");
    check_text(&err, "1 + 1 == 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_texts),
        cmocka_unit_test(messages_say_status_code_and_place),
        cmocka_unit_test(long_messages_are_cut),
        cmocka_unit_test(what_is_shown_drives_no_terminal),
        cmocka_unit_test(a_failed_check_names_itself),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL) != 0;
}
