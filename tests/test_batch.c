/* test_batch.c -- sessions stepped together have the bits they have alone, whoever else is there, comes, goes or fails. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include "core/random.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST = 40, PIECE = 90 };

static slm_model *model;

static int open_model(void **state)
{
    (void)state;
    model = tiny_open(1, "q8_0", NULL);
    tiny_reference(model);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    tiny_forget();
    slm_model_free(model);
    return 0;
}

static slm_batch *start(uint32_t tokens)
{
    slm_error err = { 0 };
    slm_batch *b = NULL;
    slm_batch_params p = SLM_BATCH_PARAMS_INIT;
    p.tokens = tokens;
    check_status(slm_batch_new(&b, model, &p, &err), SLM_OK, &err);
    return b;
}

/* The next n tokens of `text` as an item; the tokens stay in `room`. */
static slm_batch_item item_of(slm_session *s, size_t text, size_t n, int32_t room[PIECE])
{
    for (size_t i = 0; i < n; i++)
        room[i] = tiny_token(text, slm_session_position(s) + i);
    return (slm_batch_item){ s, room, n, NULL, SLM_OK, 0 };
}

/* Random pieces of random sessions, some of which leave (are checked and freed) and others come. */
static void sessions_come_and_go(void **state)
{
    (void)state;
    static const uint32_t capacities[] = { 1, 7, 64, 0 };
    const uint64_t seed = test_seed(20);
    static int32_t room[MOST][PIECE];
    for (size_t c = 0; c < COUNT(capacities); c++) {
        slm_error err = { 0 };
        slm_batch *b = start(capacities[c]);
        slm_session *sessions[12];
        size_t text[12], next_text = 100 * c;
        for (size_t i = 0; i < COUNT(sessions); i++) {
            sessions[i] = tiny_session(model, 300);
            text[i] = next_text++;
        }
        for (size_t step = 0; step < 12; step++) {
            slm_batch_item items[12];
            size_t n = 0;
            for (size_t i = 0; i < COUNT(sessions); i++) {
                const uint64_t r = slm_random_u64(seed + c, step * 100 + i);
                if (r % 4 == 0)
                    continue;
                items[n] = item_of(sessions[i], text[i], r % 4 == 1 ? 1 + r / 4 % (PIECE - 1) : 1, room[n]);
                if (items[n].n <= slm_session_room(sessions[i]))
                    n++;
            }
            check_status(slm_batch_step(b, items, n, &err), SLM_OK, &err);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(items[i].status, SLM_OK);
            const size_t leaves = slm_random_u64(seed, step) % COUNT(sessions);
            if (slm_session_position(sessions[leaves])) {
                check_logits(sessions[leaves], text[leaves], slm_session_position(sessions[leaves]));
                slm_session_free(sessions[leaves]);
                sessions[leaves] = tiny_session(model, 300);
                text[leaves] = next_text++;
            }
        }
        slm_batch_free(b);
        for (size_t i = 0; i < COUNT(sessions); i++) {
            if (slm_session_position(sessions[i]))
                check_logits(sessions[i], text[i], slm_session_position(sessions[i]));
            slm_session_free(sessions[i]);
        }
    }
}

static void forks_go_on_together(void **state)
{
    (void)state;
    slm_error err = { 0 };
    static int32_t room[9][PIECE];
    slm_batch *b = start(0);
    slm_session *s[9] = { tiny_session(model, 300) };
    slm_batch_item items[9];
    tiny_feed(s[0], 8, 0, 70);
    for (size_t i = 1; i < COUNT(s); i++)
        check_status(slm_session_fork(&s[i], s[0], &err), SLM_OK, &err);
    for (size_t i = 0; i < COUNT(s); i++)
        items[i] = item_of(s[i], 8, 2 * i + 1, room[i]);
    check_status(slm_batch_step(b, items, COUNT(s), &err), SLM_OK, &err);
    for (size_t i = 0; i < COUNT(s); i++) {
        check_logits(s[i], 8, 71 + 2 * i);
        slm_session_free(s[i]);
    }
    slm_batch_free(b);
}

/* One bad item of each kind between good ones. */
static void a_bad_item_stops_nobody_else(void **state)
{
    (void)state;
    slm_error err = { 0 }, item_err[8] = { 0 };
    static int32_t room[8][PIECE];
    slm_model *other = tiny_open(2, "q8_0", NULL);
    slm_batch_params small = SLM_BATCH_PARAMS_INIT;
    slm_batch *b = NULL;
    slm_batch_item items[8];
    slm_session *s[8];
    small.context = 100;
    check_status(slm_batch_new(&b, model, &small, &err), SLM_OK, &err);
    for (size_t i = 0; i < 8; i++) {
        s[i] = tiny_session(i == 4 ? other : model, i == 5 ? 25 : 300);
        tiny_feed(s[i], i, 0, i == 6 ? 95 : 20);
        items[i] = item_of(s[i], i, 10, room[i]);
        items[i].err = &item_err[i];
    }
    room[1][9] = TINY_VOCAB;
    items[2].session = s[0];
    slm_session_cancel(s[3]);
    check_status(slm_batch_step(b, items, 8, &err), SLM_E_ARG, &err);
    check_text(&err, "item 1 of 8: feed: token 9 is 100 (allowed 0 .. 99)");
    static const slm_status want[8] = { SLM_OK, SLM_E_ARG, SLM_E_STATE, SLM_E_CANCELLED, SLM_E_MISMATCH, SLM_E_CONTEXT, SLM_E_CONTEXT, SLM_OK };
    for (size_t i = 0; i < 8; i++) {
        check_status(items[i].status, want[i], &item_err[i]);
        assert_int_equal(item_err[i].status, want[i]);
        if (i != 4)
            check_logits(s[i], i, want[i] ? i == 6 ? 95 : 20 : 30);
    }
    check_text(&item_err[5], "the context has 25");
    check_text(&item_err[6], "the batch's context has 100");
    items[2].session = NULL;
    items[2].err = NULL;
    check_status(slm_batch_step(b, items + 2, 1, &err), SLM_E_ARG, &err);
    for (size_t i = 1; i < 4; i++)
        items[i] = item_of(s[i], i, 5, room[i]);
    check_status(slm_batch_step(b, items + 1, 3, NULL), SLM_OK, &err);      /* all usable again */
    for (size_t i = 1; i < 4; i++)
        check_logits(s[i], i, 25);
    for (size_t i = 0; i < 8; i++)
        slm_session_free(s[i]);
    slm_batch_free(b);
    slm_model_free(other);
}

static void what_is_no_batch_says_so(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_batch *b = NULL;
    slm_batch_params p = SLM_BATCH_PARAMS_INIT;
    slm_batch_item item = { 0 };
    p.tokens = 65537;
    check_status(slm_batch_new(&b, model, &p, &err), SLM_E_ARG, &err);
    p.tokens = 0;
    p.context = 1u << 25;
    check_status(slm_batch_new(&b, model, &p, &err), SLM_E_ARG, &err);
    check_status(slm_batch_new(NULL, model, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_batch_new(&b, NULL, NULL, &err), SLM_E_ARG, &err);
    assert_null(b);
    check_status(slm_batch_step(NULL, &item, 1, &err), SLM_E_ARG, &err);
    b = start(0);
    check_status(slm_batch_step(b, NULL, 1, &err), SLM_E_ARG, &err);
    check_status(slm_batch_step(b, NULL, 0, &err), SLM_OK, &err);
    slm_batch_free(b);
    slm_batch_free(NULL);
}

/* A weight so large that attention overflows for one token only. */
static void a_value_that_is_not_finite_ends_one_session(void **state)
{
    (void)state;
    slm_error err = { 0 }, item_err = { 0 };
    static int32_t room[3][PIECE];
    slm_input in = SLM_INPUT_INIT;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *bad = NULL;
    slm_batch *b = NULL;
    slm_session *s[3], *alone;
    slm_batch_item items[3];
    size_t n;
    uint8_t *file = tiny_file(1, "f32", &n);
    /* the embedding is the first tensor; its data begins at the first multiple of 32 behind the head, which ends before the last 100 x 64
     * floats and what follows them: row 99 is made huge */
    const size_t tensors = (100 * 64 + 64 + 2 * (2 * 64 + 64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 96)) * sizeof(float);
    float *row = (float *)(void *)(file + n - tensors) + 99 * 64;
    for (size_t i = 0; i < 64; i++)
        row[i] = i % 2 ? 3e38f : -3e38f;
    in.memory = file;
    in.bytes = n;
    mp.input = &in;
    check_status(slm_model_open(&bad, "huge", &mp, &err), SLM_OK, &err);
    check_status(slm_batch_new(&b, bad, NULL, &err), SLM_OK, &err);
    for (size_t i = 0; i < 3; i++) {
        s[i] = tiny_session(bad, 300);
        items[i] = item_of(s[i], i, 30, room[i]);
        for (size_t k = 0; k < 30; k++)
            room[i][k] %= 99;
    }
    room[1][17] = 99;
    items[1].err = &item_err;
    alone = tiny_session(bad, 300);
    check_status(slm_session_feed(alone, room[1], 30, &err), SLM_E_NUMERIC, &err);
    check_status(slm_batch_step(b, items, 3, NULL), SLM_E_NUMERIC, &err);
    assert_string_equal(item_err.text, err.text);
    assert_int_equal(items[0].status, SLM_OK);
    assert_int_equal(items[1].status, SLM_E_NUMERIC);
    assert_int_equal(items[2].status, SLM_OK);
    assert_int_equal(slm_session_position(s[1]), 0);
    assert_null(slm_session_logits(s[1]));
    for (size_t i = 0; i < 3; i += 2) {
        check_status(slm_session_truncate(alone, 0, &err), SLM_OK, &err);
        check_status(slm_session_feed(alone, room[i], 30, &err), SLM_OK, &err);
        assert_memory_equal(slm_session_logits(alone), slm_session_logits(s[i]), TINY_VOCAB * sizeof(float));
    }
    slm_session_free(alone);
    for (size_t i = 0; i < 3; i++)
        slm_session_free(s[i]);
    slm_batch_free(b);
    slm_model_free(bad);
    free(file);
}

typedef struct runner { slm_session *s; size_t text; bool ok; } runner;

static void *run_batch(void *arg)
{
    runner *r = arg;
    int32_t room[PIECE];
    slm_batch *b = start(16);
    r->ok = true;
    for (size_t i = 0; r->ok && i < 30; i++) {
        slm_batch_item item = item_of(r->s, r->text, 1 + i % 3, room);
        r->ok = slm_batch_step(b, &item, 1, NULL) == SLM_OK;
    }
    slm_batch_free(b);
    return NULL;
}

static void batches_of_one_model_run_in_threads(void **state)
{
    (void)state;
    runner r[3];
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        r[i] = (runner){ tiny_session(model, 300), i, false };
        assert_int_equal(pthread_create(&threads[i], NULL, run_batch, &r[i]), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(r[i].ok);
        check_logits(r[i].s, i, 60);
        slm_session_free(r[i].s);
    }
}

static void a_step_in_steady_state_allocates_nothing(void **state)
{
    (void)state;
    static int32_t room[MOST][PIECE];
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_batch *b = NULL;
    slm_session *s[MOST];
    slm_batch_item items[MOST];
    fail_alloc f;
    fail_alloc_init(&f, 0, false);
    mp.allocator = &f.allocator;
    slm_model *own = tiny_open(1, "q4_0", &mp);
    check_status(slm_batch_new(&b, own, NULL, &err), SLM_OK, &err);
    for (size_t i = 0; i < MOST; i++)
        s[i] = tiny_session(own, 64);
    for (size_t step = 0; step < 40; step++) {
        for (size_t i = 0; i < MOST; i++)
            items[i] = item_of(s[i], i, 1, room[i]);
        const size_t calls = f.calls;
        check_status(slm_batch_step(b, items, MOST, &err), SLM_OK, &err);
        assert_true(step ? f.calls == calls : f.calls == calls + MOST + 2);     /* a page each, and the table of items */
    }
    for (size_t i = 0; i < MOST; i++)
        slm_session_free(s[i]);
    slm_model_free(own);
    slm_batch_free(b);                                      /* the last holder */
    assert_int_equal(f.live_bytes, 0);
}

static slm_status life(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    static int32_t room[20][PIECE];
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_batch_item items[20];
    slm_session *s[20] = { NULL };
    slm_batch *b = NULL;
    slm_model *m = NULL;
    mp.allocator = allocator;
    mp.threads = 1;
    mp.input = ctx;
    sp.context = 100;
    slm_status status = slm_model_open(&m, "tiny", &mp, err);
    if (!status)
        status = slm_batch_new(&b, m, NULL, err);
    for (size_t i = 0; !status && i < COUNT(s); i++)
        status = slm_session_new(&s[i], m, &sp, err);
    if (!status) {
        for (size_t i = 0; i < COUNT(s); i++)
            items[i] = item_of(s[i], i, 3 + i, room[i]);
        status = slm_batch_step(b, items, COUNT(s), err);
        for (size_t i = 0; i < COUNT(s); i++) {             /* who had no memory is as before, the others went on */
            const size_t n = slm_session_position(s[i]);
            assert_true(n == 0 || n == 3 + i);
            if (n)
                check_logits(s[i], i, n);
            else
                assert_null(slm_session_logits(s[i]));
        }
    }
    for (size_t i = 0; i < COUNT(s); i++)
        slm_session_free(s[i]);
    slm_model_free(m);
    if (status)
        slm_batch_free(b);
    else
        *out = b;
    return status;
}

static void drop(void *ctx, void *batch)
{
    (void)ctx;
    slm_batch_free(batch);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(tiny_fail_every("batch", life, drop) > 100);
}

static void a_small_stack_is_enough(void **state)
{
    (void)state;
    tiny_small_stack(life, drop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_come_and_go),
        cmocka_unit_test(forks_go_on_together),
        cmocka_unit_test(a_bad_item_stops_nobody_else),
        cmocka_unit_test(what_is_no_batch_says_so),
        cmocka_unit_test(a_value_that_is_not_finite_ends_one_session),
        cmocka_unit_test(batches_of_one_model_run_in_threads),
        cmocka_unit_test(a_step_in_steady_state_allocates_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_small_stack_is_enough),
    };
    return cmocka_run_group_tests_name("batch", tests, open_model, close_model) != 0;
}
