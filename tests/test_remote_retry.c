/* test_remote_retry.c -- which failure is tried again, after how long, and what a server's word on it is worth; keys that are echoed. */
#include "harness/test.h"
#include "remote/retry.h"
#include "remote/scan.h"
#include "remote/secret.h"

#include <stdlib.h>

static const slm_retry_rules rules = { 3, 500, 60000 };

static bool ask(slm_retry *retry, slm_class class, int64_t after, int8_t again, uint64_t left, double chance, uint64_t *pause, uint64_t *blocked)
{
    slm_fault fault = { .class = class, .after_ms = after, .again = again };
    return slm_retry_next(retry, &rules, &fault, left, chance, pause, blocked);
}

static void own_backoff_doubles_and_ends(void **state)
{
    (void)state;
    slm_retry retry = { 0, 0 };
    uint64_t pause, blocked;
    for (uint64_t want = 500; want <= 2000; want *= 2) {
        assert_true(ask(&retry, SLM_CLASS_SERVER, -1, 0, 100000, 0, &pause, &blocked));
        assert_int_equal(pause, want);
    }
    assert_false(ask(&retry, SLM_CLASS_SERVER, -1, 0, 100000, 0, &pause, &blocked));
    retry = (slm_retry){ 0, 0 };
    assert_true(ask(&retry, SLM_CLASS_SERVER, -1, 0, 100000, 0.999, &pause, &blocked));
    assert_in_range(pause, 375, 376);
    retry = (slm_retry){ 0, 0 };
    assert_true(ask(&retry, SLM_CLASS_OVERLOAD, -1, 0, 100000, 0, &pause, &blocked));
    assert_int_equal(pause, 2000);
}

static void a_servers_pause_is_kept_inside_the_deadline(void **state)
{
    (void)state;
    slm_retry retry = { 0, 0 };
    uint64_t pause, blocked;
    assert_true(ask(&retry, SLM_CLASS_RATE, 2000, 0, 100000, 0.5, &pause, &blocked));
    assert_int_equal(pause, 2062);                          /* never less than was said */
    assert_false(ask(&retry, SLM_CLASS_RATE, 2000, 0, 1999, 0, &pause, &blocked));
    assert_int_equal(blocked, 0);
    assert_false(ask(&retry, SLM_CLASS_RATE, 60001, 0, 1000000, 0, &pause, &blocked));
    assert_int_equal(blocked, 60001);
    assert_false(ask(&retry, SLM_CLASS_SERVER, -1, 0, 100, 0, &pause, &blocked));
    retry = (slm_retry){ 0, 0 };
    assert_true(ask(&retry, SLM_CLASS_RATE, 0, 0, 1, 0, &pause, &blocked));
    assert_int_equal(pause, 0);
}

static void classes_differ(void **state)
{
    (void)state;
    uint64_t pause, blocked;
    static const slm_class never[] = { SLM_CLASS_AUTH, SLM_CLASS_QUOTA, SLM_CLASS_TLS_VERIFY, SLM_CLASS_BAD_REQUEST, SLM_CLASS_TOO_BIG,
                                       SLM_CLASS_CANCELLED, SLM_CLASS_TIMEOUT_TOTAL, SLM_CLASS_POLICY, SLM_CLASS_BUDGET, SLM_CLASS_NONE };
    static const slm_class once[] = { SLM_CLASS_TLS, SLM_CLASS_TIMEOUT_FIRST, SLM_CLASS_PROTOCOL, SLM_CLASS_EMPTY };
    for (size_t i = 0; i < COUNT(never); i++) {
        slm_retry retry = { 0, 0 };
        assert_false(ask(&retry, never[i], -1, 0, 100000, 0, &pause, &blocked));
    }
    for (size_t i = 0; i < COUNT(once); i++) {
        slm_retry retry = { 0, 0 };
        assert_true(ask(&retry, once[i], -1, 0, 100000, 0, &pause, &blocked));
        assert_false(ask(&retry, once[i], -1, 0, 100000, 0, &pause, &blocked));
        assert_true(ask(&retry, SLM_CLASS_SERVER, -1, 0, 100000, 0, &pause, &blocked));
    }
    slm_retry retry = { 0, 0 };
    assert_false(ask(&retry, SLM_CLASS_SERVER, -1, -1, 100000, 0, &pause, &blocked));      /* x-should-retry */
    assert_true(ask(&retry, SLM_CLASS_BAD_REQUEST, -1, 1, 100000, 0, &pause, &blocked));
}

static void retry_after_in_all_its_forms(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t ms; } rows[] = {
        { "2", 2000 }, { "0", 0 }, { "1.5", 1500 }, { "0.0004", 0 }, { "999999999", 999999999000 }, { "", -1 }, { "-1", -1 }, { "1e3", -1 },
        { "9999999999", 999999999000 }, { "99999999999999999999", 999999999000 }, { "2 s", -1 }, { "soon", -1 }, { "Thu, 01 Jan 1970 00:01:40 GMT", 90000 }, { "Thu, 01 Jan 1970 00:00:05 GMT", -1 },
        { "Thu, 01 Jam 1970", -1 }, { "nan", -1 }, { "inf", -1 }, { "0x10", -1 },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (slm_retry_after(rows[i].text, 10) != rows[i].ms)
            fail_msg("'%s': %" PRId64 ", want %" PRId64, rows[i].text, slm_retry_after(rows[i].text, 10), rows[i].ms);
    assert_int_equal(slm_retry_after_ms("1500"), 1500);
    assert_int_equal(slm_retry_after_ms("x"), -1);
    static const struct { const char *text; int64_t ms; } lengths[] = {
        { "12ms", 12 }, { "1s", 1000 }, { "6m0s", 360000 }, { "1h2m3.5s", 3723500 }, { "", -1 }, { "5", -1 }, { "m", -1 }, { "1x", -1 },
    };
    for (size_t i = 0; i < COUNT(lengths); i++)
        assert_int_equal(slm_retry_duration(lengths[i].text), lengths[i].ms);
}

static void http_errors_have_classes(void **state)
{
    (void)state;
    static const struct { long status; const char *type, *code, *message; slm_class class; } rows[] = {
        { 400, "invalid_request_error", "", "bad", SLM_CLASS_BAD_REQUEST }, { 400, "invalid_request_error", "context_length_exceeded", "", SLM_CLASS_TOO_LONG },
        { 400, "invalid_request_error", "", "prompt is too long: 9 tokens", SLM_CLASS_TOO_LONG }, { 400, "", "", "your spend limit", SLM_CLASS_QUOTA },
        { 401, "authentication_error", "", "", SLM_CLASS_AUTH }, { 402, "billing_error", "", "", SLM_CLASS_QUOTA }, { 403, "", "", "", SLM_CLASS_FORBIDDEN },
        { 404, "", "", "", SLM_CLASS_NOT_FOUND }, { 405, "", "", "", SLM_CLASS_BAD_REQUEST }, { 406, "", "", "", SLM_CLASS_BAD_REQUEST },
        { 408, "", "", "", SLM_CLASS_TIMEOUT_SERVER }, { 409, "", "", "", SLM_CLASS_CONFLICT }, { 410, "", "", "", SLM_CLASS_BAD_REQUEST },
        { 413, "", "", "", SLM_CLASS_TOO_LONG }, { 415, "", "", "", SLM_CLASS_BAD_REQUEST }, { 418, "", "", "", SLM_CLASS_BAD_REQUEST },
        { 422, "", "", "", SLM_CLASS_BAD_REQUEST }, { 429, "rate_limit_error", "", "", SLM_CLASS_RATE },
        { 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota", SLM_CLASS_QUOTA }, { 500, "api_error", "", "", SLM_CLASS_SERVER },
        { 501, "", "", "", SLM_CLASS_BAD_REQUEST }, { 502, "", "", "", SLM_CLASS_SERVER }, { 503, "unavailable_error", "503", "Loading model", SLM_CLASS_NOT_READY },
        { 503, "", "", "", SLM_CLASS_SERVER }, { 504, "timeout_error", "", "", SLM_CLASS_SERVER }, { 529, "overloaded_error", "", "", SLM_CLASS_OVERLOAD },
        { 599, "", "", "", SLM_CLASS_SERVER }, { 302, "", "", "", SLM_CLASS_PROTOCOL_REDIRECT },
        { 200, "overloaded_error", "", "", SLM_CLASS_OVERLOAD }, { 200, "", "502", "upstream", SLM_CLASS_SERVER }, { 200, "", "429", "", SLM_CLASS_RATE },
        { 200, "authentication_error", "", "", SLM_CLASS_AUTH }, { 200, "invalid_request_error", "", "", SLM_CLASS_BAD_REQUEST }, { 200, "", "", "?", SLM_CLASS_SERVER },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_fault fault = { .class = SLM_CLASS_NONE };
        slm_fault_of_http(&fault, rows[i].status, rows[i].type, rows[i].code, rows[i].message);
        if (fault.class != rows[i].class)
            fail_msg("row %zu (%ld %s): %s, want %s", i, rows[i].status, rows[i].type, slm_fault_about(fault.class)->name, slm_fault_about(rows[i].class)->name);
    }
}

static void an_error_is_one_line_of_host_class_and_text(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_fault fault = { .class = SLM_CLASS_NONE };
    slm_fault_set(&fault, SLM_CLASS_RATE, 429, "two\nlines\x1b[2J");
    slm_fault_set(&fault, SLM_CLASS_AUTH, 401, "a later one");
    assert_int_equal(slm_fault_give(&fault, "a.example", &err), SLM_E_REMOTE);
    assert_string_equal(err.text, "a.example: RATE: two lines [2J");
    assert_int_equal(err.code, 429);
    assert_int_equal(err.status, SLM_E_REMOTE);
}

static void depth_and_values_are_counted_before_a_tree_is_made(void **state)
{
    (void)state;
    char deep[200];
    slm_fault fault = { .class = SLM_CLASS_NONE };
    memset(deep, '[', sizeof deep);
    assert_null(slm_scan(deep, 64));
    assert_non_null(slm_scan(deep, 65));
    assert_null(slm_scan("\"[[[[,,,\\\"[[[\"", 15));
    const size_t n = 400010;
    char *many = malloc(n);
    assert_non_null(many);
    memset(many, ',', n);
    assert_non_null(slm_scan(many, 200001));
    assert_null(slm_scan(many, 199999));
    free(many);
    static const char *const bad[] = { "", "{", "[1]", "1", "{\"a\":1,\"a\":2}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}",
                                       "{} {}", "{\"a\":1e999}", "<html>" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        fault.class = SLM_CLASS_NONE;
        json_t *json = slm_scan_load(bad[i], strlen(bad[i]), "text", &fault);
        if (json || fault.class != SLM_CLASS_PROTOCOL)
            fail_msg("'%s' is taken or of class %s", bad[i], slm_fault_about(fault.class)->name);
    }
    fault.class = SLM_CLASS_NONE;
    json_t *json = slm_scan_load("{\"a\":99999999999999999999,\"b\":7,\"c\":-1,\"d\":1.5,\"e\":\"x\\u0000y\"}", 62, "text", &fault);
    assert_non_null(json);
    assert_int_equal(slm_scan_count(json, "a"), -1);
    assert_int_equal(slm_scan_count(json, "b"), 7);
    assert_int_equal(slm_scan_count(json, "c"), -1);
    assert_int_equal(slm_scan_count(json, "d"), -1);
    assert_string_equal(slm_scan_text(json, "e"), "");
    json_decref(json);
}

static void an_echoed_key_is_hidden(void **state)
{
    (void)state;
    slm_secret s;
    assert_true(slm_secret_new(&s));
    static const char key[] = "sk-0123456789-abcdefghij";
    memcpy(s.key, key, strlen(key));
    s.n = strlen(key);
    slm_secret_head(&s, "Authorization: Bearer ");
    assert_string_equal(s.header, "Authorization: Bearer sk-0123456789-abcdefghij");
    char text[] = "bad key sk-0123456789-abcdefghij, half 0123456789- and c2stMDEyMzQ1Njc4OS1hYmNkZWZnaGlq or MDEyMzQ1Njc4 end";
    slm_secret_hide(&s, text, strlen(text));
    assert_string_equal(text, "bad key ************************, half *********** and ******************************** or ************ end");
    slm_secret_wipe(&s);
    assert_int_equal(s.key[0], 0);
    assert_int_equal(s.header[5], 0);
    slm_secret_free(&s);
    slm_secret_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_backoff_doubles_and_ends),  cmocka_unit_test(a_servers_pause_is_kept_inside_the_deadline),
        cmocka_unit_test(classes_differ),                cmocka_unit_test(retry_after_in_all_its_forms),
        cmocka_unit_test(http_errors_have_classes),      cmocka_unit_test(an_error_is_one_line_of_host_class_and_text),
        cmocka_unit_test(depth_and_values_are_counted_before_a_tree_is_made), cmocka_unit_test(an_echoed_key_is_hidden),
    };
    return cmocka_run_group_tests_name("remote_retry", tests, NULL, NULL) != 0;
}
