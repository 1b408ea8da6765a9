/* test_remote_sse.c -- server-sent events cut at every byte say the same; lines, events and memory have bounds. */
#include "harness/test.h"
#include "remote/sse.h"

#include <stdio.h>

typedef struct seen { char text[512]; size_t n, events; int stop_at; } seen;

static int keep(void *user, const char *name, const char *data, size_t n)
{
    seen *s = user;
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "<%s|%.*s>", name, (int)n, data);
    return (int)++s->events == s->stop_at;
}

static slm_sse_end feed(seen *s, const char *bytes, size_t n, size_t cut, bool finish)
{
    slm_sse sse;
    memset(s, 0, sizeof *s);
    slm_sse_init(&sse, 64, keep, s);
    slm_sse_end end = slm_sse_feed(&sse, bytes, cut);
    if (end == SLM_SSE_MORE)
        end = slm_sse_feed(&sse, bytes + cut, n - cut);
    if (end == SLM_SSE_MORE && finish)
        end = slm_sse_finish(&sse);
    slm_sse_free(&sse);
    return end;
}

static const struct row { const char *bytes, *want; } rows[] = {
    { "data: a\n\n", "<|a>" },
    { "data: a\r\n\r\n", "<|a>" },
    { "data: a\r\rdata: b\r\r", "<|a><|b>" },
    { "data: a\r\ndata: b\n\r\n", "<|a\nb>" },
    { "\xef\xbb\xbf" "data: a\n\n", "<|a>" },
    { "\xef\xbb" "data: a\n\ndata:b\n\n", "<|b>" },                 /* half a mark spoils the field's name */
    { "event: x\ndata: a\n\ndata: b\n\n", "<x|a><|b>" },            /* a name holds for one event */
    { "event: x\n\ndata: a\n\n", "<|a>" },                          /* without data nothing is sent off, and the name is gone */
    { ": comment\n\n:\ndata:  two blanks\n\n", "<| two blanks>" },
    { "data\n\n", "<|>" },
    { "id: 7\nretry: 5\nnonsense\ndata: {\"k\":\"\xc3\xa4\xe2\x82\xac\"}\n\n", "<|{\"k\":\"\xc3\xa4\xe2\x82\xac\"}>" },
    { "data: data: a\n\n", "<|a>" },
    { "data: a\n\n\n\n\ndata: b\n\n", "<|a><|b>" },
};

static void any_cut_says_the_same(void **state)
{
    (void)state;
    seen s;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const size_t n = strlen(rows[i].bytes);
        for (size_t cut = 0; cut <= n; cut++)
            if (feed(&s, rows[i].bytes, n, cut, false) != SLM_SSE_MORE || strcmp(s.text, rows[i].want) != 0)
                fail_msg("row %zu cut at byte %zu: got %s, want %s", i, cut, s.text, rows[i].want);
    }
}

static void an_unfinished_event_is_given_at_the_end_alone(void **state)
{
    (void)state;
    seen s;
    static const char bytes[] = "data: a\n\ndata: b";
    assert_int_equal(feed(&s, bytes, strlen(bytes), 3, false), SLM_SSE_MORE);
    assert_string_equal(s.text, "<|a>");
    assert_int_equal(feed(&s, bytes, strlen(bytes), 3, true), SLM_SSE_MORE);
    assert_string_equal(s.text, "<|a><|b>");
}

static void lines_and_events_have_a_bound(void **state)
{
    (void)state;
    seen s;
    char bytes[200];
    memset(bytes, 'x', sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += 7)
        assert_int_equal(feed(&s, bytes, sizeof bytes, cut, false), SLM_SSE_BIG);
    char event[200] = "";
    for (size_t i = 0; i < 12; i++)
        strcat(event, "data: 0123456\n");       /* each line fits, all together do not */
    assert_int_equal(feed(&s, event, strlen(event), 5, false), SLM_SSE_BIG);
    memcpy(bytes, "data: ", 6);
    bytes[64] = bytes[65] = '\n';
    assert_int_equal(feed(&s, bytes, 66, 9, false), SLM_SSE_MORE);
    assert_int_equal(s.events, 1);
}

/* It was handed out where the line came in one piece, for the line that was not kept looked like an empty one. */
static void a_line_too_long_sends_nothing_off(void **state)
{
    (void)state;
    seen s;
    char bytes[96] = "data: a\n";
    memset(bytes + 8, 'y', 80);
    bytes[88] = bytes[89] = '\n';
    for (size_t cut = 0; cut <= 90; cut++) {
        assert_int_equal(feed(&s, bytes, 90, cut, false), SLM_SSE_BIG);
        assert_int_equal(s.events, 0);
    }
}

static void a_reader_that_has_enough_ends_it(void **state)
{
    (void)state;
    seen s = { .stop_at = 1 };
    slm_sse sse;
    slm_sse_init(&sse, 64, keep, &s);
    assert_int_equal(slm_sse_feed(&sse, "data: a\n\ndata: b\n\n", 18), SLM_SSE_STOPPED);
    assert_string_equal(s.text, "<|a>");
    slm_sse_free(&sse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_says_the_same),
        cmocka_unit_test(an_unfinished_event_is_given_at_the_end_alone),
        cmocka_unit_test(lines_and_events_have_a_bound),
        cmocka_unit_test(a_line_too_long_sends_nothing_off),
        cmocka_unit_test(a_reader_that_has_enough_ends_it),
    };
    return cmocka_run_group_tests_name("remote_sse", tests, NULL, NULL) != 0;
}
