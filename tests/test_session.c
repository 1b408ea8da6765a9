/* test_session.c -- sessions on the shipped model: what fails changes nothing, what is fed in pieces is the same, cancel, deadline,
 * stop strings, memory. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include "core/limits.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char path[] = "models/tiny-stories/tiny-stories.gguf";
static slm_model *model;
static slm_model_info info = SLM_MODEL_INFO_INIT;
static const char story[] = "Once upon a time there was a little girl who";

static int open_model(void **state)
{
    (void)state;
    slm_error err = { 0 };
    if (slm_model_open(&model, path, NULL, &err) || slm_model_get_info(model, &info, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    slm_model_free(model);
    return 0;
}

static slm_session *start(uint32_t context)
{
    slm_session *s = NULL;
    slm_error err = { 0 };
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    p.context = context;
    check_status(slm_session_new(&s, model, &p, &err), SLM_OK, &err);
    return s;
}

static void feed_story(slm_session *s)
{
    slm_error err = { 0 };
    check_status(slm_session_feed_text(s, story, sizeof story - 1, 0, &err), SLM_OK, &err);
    if (err.status)
        fail_msg("a feed that succeeds leaves a message: %s", err.text);
}

/* It was taken for an empty text once. */
static void a_text_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    slm_session *s = start(64);
    slm_error err = { 0 };
    check_status(slm_session_feed_text(s, story, (size_t)SLM_LIMIT_TEXT_BYTES + 1, 0, &err), SLM_E_LIMIT, &err);
    check_text(&err, "allowed 67108864");
    assert_int_equal(slm_session_position(s), 0);
    slm_session_free(s);
}

static float *copy_logits(const slm_session *s)
{
    float *copy = malloc(info.vocab * sizeof *copy);
    assert_non_null(copy);
    assert_non_null(slm_session_logits(s));
    memcpy(copy, slm_session_logits(s), info.vocab * sizeof *copy);
    return copy;
}

static void a_cache_of_eight_bits_is_near_and_smaller(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_plan_info plans[3] = { SLM_PLAN_INFO_INIT, SLM_PLAN_INFO_INIT, SLM_PLAN_INFO_INIT };
    slm_session *s[3] = { NULL };
    for (uint32_t kv = SLM_KV_F16; kv <= SLM_KV_Q8_0; kv++) {
        slm_session_params p = SLM_SESSION_PARAMS_INIT;
        p.context = 256;
        p.kv = kv;
        check_status(slm_plan(&plans[kv], path, NULL, &p, &err), SLM_OK, &err);
        check_status(slm_session_new(&s[kv], model, &p, &err), SLM_OK, &err);
        feed_story(s[kv]);
    }
    assert_true(plans[SLM_KV_Q8_0].kv_bytes < plans[SLM_KV_F16].kv_bytes);
    const float *exact = slm_session_logits(s[SLM_KV_F32]), *near = slm_session_logits(s[SLM_KV_Q8_0]);
    float spread = 0, apart = 0;
    for (size_t i = 0; i < info.vocab; i++) {
        spread = fmaxf(spread, fabsf(exact[i] - exact[0]));
        apart = fmaxf(apart, fabsf(exact[i] - near[i]));
    }
    assert_true(apart > 0 && apart < spread * 0.05f);
    slm_session *fork = NULL;
    check_status(slm_session_fork(&fork, s[SLM_KV_Q8_0], &err), SLM_OK, &err);
    feed_story(fork);
    feed_story(s[SLM_KV_Q8_0]);
    assert_memory_equal(slm_session_logits(fork), slm_session_logits(s[SLM_KV_Q8_0]), info.vocab * sizeof(float));
    slm_session_free(fork);
    for (size_t i = 0; i < 3; i++)
        slm_session_free(s[i]);
}

static void what_cannot_be_fed_changes_nothing(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *s = start(64);
    int32_t ids[65] = { 1, 2, 3 };
    assert_null(slm_session_logits(s));
    feed_story(s);
    const size_t position = slm_session_position(s);
    float *before = copy_logits(s);
    check_status(slm_session_feed(s, ids, 0, &err), SLM_E_ARG, &err);
    check_status(slm_session_feed(s, NULL, 3, &err), SLM_E_ARG, &err);
    ids[2] = (int32_t)info.vocab;
    check_status(slm_session_feed(s, ids, 3, &err), SLM_E_ARG, &err);
    check_text(&err, "token 2 is 2048 (allowed 0 .. 2047)");
    ids[2] = -1;
    check_status(slm_session_feed(s, ids, 3, &err), SLM_E_ARG, &err);
    ids[2] = 3;
    check_status(slm_session_feed(s, ids, 65, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "65 tokens");
    check_text(&err, "context has 64");
    slm_session_cancel(s);
    check_status(slm_session_feed(s, ids, 3, &err), SLM_E_CANCELLED, &err);
    assert_int_equal(slm_session_position(s), position);
    assert_memory_equal(before, slm_session_logits(s), info.vocab * sizeof *before);
    check_status(slm_session_feed(s, ids, 3, &err), SLM_OK, &err);      /* the flag was cleared by the call that saw it */
    assert_int_equal(slm_session_position(s), position + 3);
    assert_int_equal(slm_session_room(s), 64 - position - 3);
    check_status(slm_session_truncate(s, position + 4, &err), SLM_E_ARG, &err);
    free(before);
    slm_session_free(s);
}

typedef struct counting { size_t rows, stop; } counting;

static int count_rows(void *user, size_t index, const float *logits, size_t vocab)
{
    counting *c = user;
    assert_int_equal(index, c->rows);
    assert_int_equal(vocab, info.vocab);
    assert_non_null(logits);
    return ++c->rows == c->stop;
}

static void a_row_callback_that_stops_leaves_the_session_unchanged(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *s = start(64);
    const int32_t ids[20] = { 1, 5, 6, 7 };
    counting c = { 0, 0 };
    feed_story(s);
    float *before = copy_logits(s);
    const size_t position = slm_session_position(s);
    c.stop = 7;
    check_status(slm_session_feed_rows(s, ids, 20, count_rows, &c, &err), SLM_E_CALLBACK, &err);
    assert_int_equal(slm_session_position(s), position);
    assert_memory_equal(before, slm_session_logits(s), info.vocab * sizeof *before);
    c = (counting){ 0, 0 };
    check_status(slm_session_feed_rows(s, ids, 20, count_rows, &c, &err), SLM_OK, &err);
    assert_int_equal(c.rows, 20);
    free(before);
    slm_session_free(s);
}

static void a_truncated_sequence_must_be_fed_before_it_goes_on(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_generation result = SLM_GENERATION_INIT;
    slm_session *s = start(64);
    check_status(slm_session_generate(s, NULL, &result, &err), SLM_E_STATE, &err);
    feed_story(s);
    float *before = copy_logits(s);
    check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
    assert_null(slm_session_logits(s));
    check_status(slm_session_generate(s, NULL, &result, &err), SLM_E_STATE, &err);
    feed_story(s);
    assert_memory_equal(before, slm_session_logits(s), info.vocab * sizeof *before);
    free(before);
    slm_session_free(s);
}

typedef struct text { char bytes[1024]; size_t n, calls, stop; } text;

static int gather(void *user, const char *bytes, size_t n)
{
    text *t = user;
    assert_true(n > 0 && t->n + n < sizeof t->bytes);
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    return ++t->calls == t->stop;
}

static slm_generation go_on(slm_session *s, text *t, uint32_t tokens, const char *const *stops, uint32_t n_stops)
{
    slm_error err = { 0 };
    slm_generation result = SLM_GENERATION_INIT;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    p.max_tokens = tokens;
    p.stops = stops;
    p.n_stops = n_stops;
    p.text = gather;
    p.user = t;
    check_status(slm_session_generate(s, &p, &result, &err), SLM_OK, &err);
    return result;
}

static void generation_ends_where_it_is_told(void **state)
{
    (void)state;
    text whole = { 0 }, part = { 0 }, cut = { 0 };
    slm_session *s = start(256);
    feed_story(s);
    const size_t prompt = slm_session_position(s);
    slm_generation r = go_on(s, &whole, 60, NULL, 0);
    assert_true(r.reason == SLM_STOP_LENGTH || r.reason == SLM_STOP_EOS);
    assert_int_equal(slm_session_position(s), prompt + r.tokens);
    assert_true(whole.n > 20);

    /* the same in two halves */
    slm_session *t = start(256);
    feed_story(t);
    go_on(t, &part, 25, NULL, 0);
    go_on(t, &part, (uint32_t)r.tokens - 25, NULL, 0);
    assert_int_equal(part.n, whole.n);
    assert_memory_equal(part.bytes, whole.bytes, whole.n);

    /* a stop string taken out of the middle of the text ends it there, wherever tokens begin and end; one that is not there changes nothing */
    for (size_t at = 3; at + 5 < whole.n && at < 60; at += 7) {
        char stop[6] = { 0 };
        memcpy(stop, whole.bytes + at, 5);
        const char *const stops[] = { "\x01never", stop };
        char terminated[1024];
        memcpy(terminated, whole.bytes, whole.n);
        terminated[whole.n] = 0;
        const size_t first = (size_t)(strstr(terminated, stop) - terminated);
        slm_session_free(t);
        t = start(256);
        feed_story(t);
        memset(&cut, 0, sizeof cut);
        r = go_on(t, &cut, 60, stops, 2);
        assert_int_equal(r.reason, SLM_STOP_STRING);
        assert_int_equal(cut.n, first);
        assert_memory_equal(cut.bytes, whole.bytes, cut.n);
    }

    /* the callback */
    slm_session_free(t);
    t = start(256);
    feed_story(t);
    memset(&cut, 0, sizeof cut);
    cut.stop = 4;
    r = go_on(t, &cut, 60, NULL, 0);
    assert_int_equal(r.reason, SLM_STOP_CALLBACK);
    assert_int_equal(cut.calls, 4);

    /* the context */
    slm_session_free(t);
    t = start((uint32_t)prompt + 5);
    feed_story(t);
    memset(&cut, 0, sizeof cut);
    r = go_on(t, &cut, 0, NULL, 0);
    assert_int_equal(r.reason, SLM_STOP_CONTEXT);
    assert_int_equal(r.tokens, 5);
    slm_session_free(t);
    slm_session_free(s);
}

static void bad_generation_params_are_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *s = start(64);
    feed_story(s);
    const size_t position = slm_session_position(s);
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    const char *const empty[] = { "" }, *const broken[] = { "\xff" };
    p.n_stops = 1;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    p.stops = empty;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    p.stops = broken;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = -2;
    p = (slm_generate_params)SLM_GENERATE_PARAMS_INIT;
    p.sampling = &how;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);
    assert_int_equal(slm_session_position(s), position);
    slm_session_free(s);
}

static void *cancel_soon(void *arg)
{
    (void)usleep(20000);
    slm_session_cancel(arg);
    return NULL;
}

static void another_thread_can_cancel_and_the_session_goes_on(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_generation result = SLM_GENERATION_INIT;
    slm_session *s = start(512);
    pthread_t thread;
    feed_story(s);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, s), 0);
    slm_status status = SLM_OK;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    p.max_tokens = 1;
    for (size_t i = 0; i < 100000 && !status; i++) {        /* as long as it takes: the sequence starts over when it is full */
        if (slm_session_room(s) < 2) {
            check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
            status = slm_session_feed_text(s, story, sizeof story - 1, 0, &err);
        } else {
            status = slm_session_generate(s, &p, &result, &err);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    check_status(status, SLM_E_CANCELLED, &err);
    check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
    feed_story(s);
    check_status(slm_session_generate(s, &p, &result, &err), SLM_OK, &err);
    slm_session_free(s);
}

static void a_deadline_ends_a_call_and_keeps_what_was_made(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *s = NULL;
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    int32_t ids[500];
    p.deadline_ms = 1;
    p.context = 500;
    p.chunk = 1;                                            /* 500 passes take longer than 1 ms on anything */
    for (size_t i = 0; i < 500; i++)
        ids[i] = (int32_t)(i % info.vocab);
    check_status(slm_session_new(&s, model, &p, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, ids, 500, &err), SLM_E_DEADLINE, &err);
    assert_int_equal(slm_session_position(s), 0);
    slm_session_free(s);
}

static void a_session_outlives_the_callers_hold_on_its_model(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model *own = NULL;
    slm_session *s = NULL;
    check_status(slm_model_open(&own, path, NULL, &err), SLM_OK, &err);
    check_status(slm_session_new(&s, own, NULL, &err), SLM_OK, &err);
    slm_model_free(own);
    feed_story(s);
    assert_non_null(slm_session_logits(s));
    slm_session_free(s);
}

static void a_step_in_steady_state_allocates_nothing(void **state)
{
    (void)state;
    slm_error err = { 0 };
    fail_alloc f;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *own = NULL;
    slm_session *s = NULL;
    fail_alloc_init(&f, 0, false);
    mp.allocator = &f.allocator;
    check_status(slm_model_open(&own, path, &mp, &err), SLM_OK, &err);
    check_status(slm_session_new(&s, own, NULL, &err), SLM_OK, &err);
    feed_story(s);
    for (int32_t i = 0; i < 40; i++) {                      /* all in the first page */
        const size_t calls = f.calls;
        check_status(slm_session_feed(s, &i, 1, &err), SLM_OK, &err);
        assert_int_equal(f.calls, calls);
    }
    slm_session_free(s);
    slm_model_free(own);
    assert_int_equal(f.live_bytes, 0);
}

static slm_status whole_life(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_generate_params gp = SLM_GENERATE_PARAMS_INIT;
    slm_model *m = NULL;
    slm_session *s = NULL;
    mp.allocator = allocator;
    mp.threads = 1;
    sp.context = 100;
    gp.max_tokens = 80;                                     /* into the second page */
    slm_status status = slm_model_open(&m, ctx, &mp, err);
    if (!status)
        status = slm_session_new(&s, m, &sp, err);
    if (!status)
        status = slm_session_feed_text(s, story, sizeof story - 1, 0, err);
    const size_t fed = s ? slm_session_position(s) : 0;
    if (!status) {
        slm_generation made = SLM_GENERATION_INIT;
        status = slm_session_generate(s, &gp, &made, err);
        assert_int_equal(slm_session_position(s), fed + made.tokens);      /* what was made is kept, failure or not */
    }
    if (!status)
        *out = s;
    else
        slm_session_free(s);
    slm_model_free(m);
    return status;
}

static void drop_session(void *ctx, void *session)
{
    (void)ctx;
    slm_session_free(session);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char file[] = "models/tiny-stories/tiny-stories.gguf";
    assert_true(fail_alloc_every("open, feed, generate", whole_life, drop_session, file) > 50);
}

static void the_memory_limit_is_kept(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *own = NULL;
    mp.memory_limit = info.heap_bytes / 2;
    check_status(slm_model_open(&own, path, &mp, &err), SLM_E_MEMORY, &err);
    assert_null(own);
    mp.memory_limit = 64 << 20;
    check_status(slm_model_open(&own, path, &mp, &err), SLM_OK, &err);
    slm_model_free(own);
}

static int refuse(void *user, uint64_t done, uint64_t total)
{
    size_t *calls = user;
    assert_true(done <= total);
    return ++*calls == 3;
}

static void opening_reports_progress_and_can_be_stopped(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *own = NULL;
    size_t calls = 0;
    mp.progress = refuse;
    mp.progress_user = &calls;
    check_status(slm_model_open(&own, path, &mp, &err), SLM_E_CALLBACK, &err);
    assert_int_equal(calls, 3);
    assert_null(own);
}

static void a_profile_counts_what_was_fed(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_profile_row rows[32];
    size_t n = 0;
    slm_model *m = tiny_open(1, "q8_0", NULL);
    slm_session *s = tiny_session(m, TINY_CONTEXT);
    check_status(slm_session_profile(s, rows, 3, &n, &err), SLM_E_LIMIT, &err);
    assert_true(n > 3 && n <= COUNT(rows));
    check_status(slm_session_profile(s, rows, COUNT(rows), &n, &err), SLM_OK, &err);
    for (size_t i = 0; i < n; i++)
        assert_true(rows[i].runs == 0 && rows[i].ns == 0);
    tiny_feed(s, 1, 0, 70);
    check_status(slm_session_profile(s, rows, COUNT(rows), &n, &err), SLM_OK, &err);
    uint64_t macs = 0, steps = 0;
    for (size_t i = 0; i < n; i++) {
        steps += rows[i].ns > 0;
        if (strcmp(rows[i].name, "q k v") == 0) {
            assert_true(rows[i].runs >= 2 && rows[i].runs % 2 == 0);      /* layers, and strips of them */
            assert_int_equal(rows[i].macs, 2 * 70 * 64 * (64 + 2 * 32));
        }
        if (strcmp(rows[i].name, "attention") == 0)
            assert_int_equal(rows[i].macs, 2 * 2 * 64 * (70 * 71 / 2));
        macs += rows[i].macs;
    }
    assert_true(steps >= 9 && macs > 0);
    check_status(slm_session_profile(s, rows, COUNT(rows), &n, &err), SLM_OK, &err);
    for (size_t i = 0; i < n; i++)
        assert_true(rows[i].runs == 0 && rows[i].macs == 0);
    slm_session_free(s);
    slm_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_fed_changes_nothing),
        cmocka_unit_test(a_text_beyond_the_limit_is_refused),
        cmocka_unit_test(a_cache_of_eight_bits_is_near_and_smaller),
        cmocka_unit_test(a_row_callback_that_stops_leaves_the_session_unchanged),
        cmocka_unit_test(a_truncated_sequence_must_be_fed_before_it_goes_on),
        cmocka_unit_test(generation_ends_where_it_is_told),
        cmocka_unit_test(bad_generation_params_are_refused),
        cmocka_unit_test(another_thread_can_cancel_and_the_session_goes_on),
        cmocka_unit_test(a_deadline_ends_a_call_and_keeps_what_was_made),
        cmocka_unit_test(a_session_outlives_the_callers_hold_on_its_model),
        cmocka_unit_test(a_step_in_steady_state_allocates_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_memory_limit_is_kept),
        cmocka_unit_test(opening_reports_progress_and_can_be_stopped),
        cmocka_unit_test(a_profile_counts_what_was_fed),
    };
    return cmocka_run_group_tests_name("session", tests, open_model, close_model) != 0;
}
