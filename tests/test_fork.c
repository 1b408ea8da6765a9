/* test_fork.c -- forks share what was and not what comes; models opened from memory and from a callback; one step. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include <pthread.h>
#include <stdlib.h>

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

static slm_session *fork_of(slm_session *s)
{
    slm_error err = { 0 };
    slm_session *f = NULL;
    check_status(slm_session_fork(&f, s, &err), SLM_OK, &err);
    return f;
}

/* Texts that agree up to `common` tokens and differ from there on are fed to a session and its fork. */
static void a_fork_and_its_origin_go_their_own_ways(void **state)
{
    (void)state;
    static const size_t places[] = { 1, 15, 16, 17, 63, 64, 65, 127, 128, 200 };
    for (size_t i = 0; i < COUNT(places); i++) {
        const size_t at = places[i];
        slm_session *a = tiny_session(model, TINY_CONTEXT);
        tiny_feed(a, 5, 0, at);
        slm_session *b = fork_of(a);
        check_logits(b, 5, at);
        tiny_feed(b, 5, at, 70);                    /* b first: it copies */
        tiny_feed(a, 9, 0, 3);                      /* other tokens into the same positions */
        check_logits(b, 5, at + 70);
        slm_error err = { 0 };
        check_status(slm_session_truncate(a, at, &err), SLM_OK, &err);
        tiny_feed(a, 5, at, 5);
        check_logits(a, 5, at + 5);
        slm_session_free(a);
        tiny_feed(b, 5, at + 70, 10);
        check_logits(b, 5, at + 80);
        slm_session_free(b);
    }
}

static void a_fork_that_is_cut_back_writes_no_page_of_others(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *a = tiny_session(model, TINY_CONTEXT), *forks[6];
    tiny_feed(a, 2, 0, 150);
    for (size_t i = 0; i < COUNT(forks); i++) {
        forks[i] = fork_of(i % 2 ? forks[i - 1] : a);
        check_status(slm_session_truncate(forks[i], 20 * i, &err), SLM_OK, &err);
        assert_null(slm_session_logits(forks[i]));
        if (i % 2 == 0)
            tiny_feed(forks[i], 2, 20 * i, 150 - 20 * i);
        else
            tiny_feed(forks[i], 2, 20 * i, 1);
    }
    check_logits(a, 2, 150);
    for (size_t i = 0; i < COUNT(forks); i += 2)
        check_logits(forks[i], 2, 150);
    check_logits(forks[3], 2, 61);
    tiny_feed(a, 2, 150, 30);
    check_logits(a, 2, 180);
    slm_session_free(a);
    for (size_t i = 0; i < COUNT(forks); i++)
        slm_session_free(forks[i]);
}

static void a_fork_takes_little_memory(void **state)
{
    (void)state;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_session *a = tiny_session(model, TINY_CONTEXT);
    tiny_feed(a, 2, 0, 512);
    assert_int_equal(slm_model_get_info(model, &info, NULL), SLM_OK);
    const uint64_t before = info.heap_bytes;
    slm_session *b = fork_of(a);
    assert_int_equal(slm_model_get_info(model, &info, NULL), SLM_OK);
    assert_true(info.heap_bytes - before < 8192);           /* 512 positions of cache are 128 KiB */
    slm_session_free(a);
    check_logits(b, 2, 512);
    slm_session_free(b);
}

typedef struct branch { slm_session *s; size_t at; bool ok; } branch;

static void *go_on(void *arg)
{
    branch *b = arg;
    slm_error err = { 0 };
    b->ok = true;
    for (size_t i = 0; b->ok && i < 100; i++) {
        const int32_t token = tiny_token(2, b->at + i);
        b->ok = slm_session_feed(b->s, &token, 1, &err) == SLM_OK;
    }
    return NULL;
}

static void forks_run_in_threads(void **state)
{
    (void)state;
    slm_session *a = tiny_session(model, TINY_CONTEXT);
    branch b[4];
    pthread_t threads[4];
    tiny_feed(a, 2, 0, 100);
    for (size_t i = 0; i < 4; i++)
        b[i] = (branch){ i ? fork_of(a) : a, 100, false };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, go_on, &b[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(b[i].ok);
    }
    for (size_t i = 0; i < 4; i++) {
        check_logits(b[i].s, 2, 200);
        slm_session_free(b[i].s);
    }
}

static int fork_inside(void *user, size_t index, const float *logits, size_t vocab)
{
    slm_error err = { 0 };
    slm_session *other = NULL;
    (void)index;
    assert_non_null(logits);
    assert_int_equal(vocab, TINY_VOCAB);
    check_status(slm_session_fork(&other, user, &err), SLM_E_STATE, &err);
    assert_null(other);
    return 0;
}

static void what_cannot_be_forked_says_so(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_session *a = tiny_session(model, 64), *b = NULL;
    const int32_t token = 3;
    check_status(slm_session_fork(NULL, a, &err), SLM_E_ARG, &err);
    check_status(slm_session_fork(&b, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_session_feed_rows(a, &token, 1, fork_inside, a, &err), SLM_OK, &err);
    check_status(slm_session_truncate(a, 0, &err), SLM_OK, &err);
    b = fork_of(a);                                         /* an empty one is a new session */
    assert_null(slm_session_logits(b));
    tiny_feed(b, 1, 0, 64);
    check_logits(b, 1, 64);
    slm_session_free(b);
    slm_session_free(a);
}

static void a_step_is_a_pick_and_a_feed(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_session *a = tiny_session(model, 20), *b = tiny_session(model, 20);
    int32_t token = -7, want;
    check_status(slm_session_step(a, NULL, &token, &err), SLM_E_STATE, &err);
    assert_int_equal(token, -7);
    tiny_feed(a, 3, 0, 10);
    tiny_feed(b, 3, 0, 10);
    for (size_t i = 0; i < 10; i++) {
        how.temperature = i < 5 ? 0 : 1;
        how.seed = i;
        assert_int_equal(slm_sample(&want, slm_session_logits(b), TINY_VOCAB, &how, 10 + i, &err), SLM_OK);
        check_status(slm_session_feed(b, &want, 1, &err), SLM_OK, &err);
        check_status(slm_session_step(a, &how, &token, &err), SLM_OK, &err);
        assert_int_equal(token, want);
        assert_memory_equal(slm_session_logits(a), slm_session_logits(b), TINY_VOCAB * sizeof(float));
    }
    token = -7;
    check_status(slm_session_step(a, &how, &token, &err), SLM_E_CONTEXT, &err);
    how.temperature = -1;
    check_status(slm_session_step(a, &how, &token, &err), SLM_E_ARG, &err);
    check_status(slm_session_step(a, NULL, NULL, &err), SLM_E_ARG, &err);
    assert_int_equal(token, -7);
    assert_int_equal(slm_session_position(a), 20);
    slm_session_free(a);
    slm_session_free(b);
}

/* ---- a model from elsewhere ---- */

typedef struct reader { const uint8_t *bytes; size_t n, fail_at; atomic_size_t calls; } reader;

static int read_at(void *user, uint64_t offset, void *dst, size_t n)
{
    reader *r = user;
    if (offset > r->n || n > r->n - offset)
        return -1;
    memcpy(dst, r->bytes + offset, n);
    return atomic_fetch_add(&r->calls, 1) + 1 == r->fail_at ? 42 : 0;
}

static void a_model_opens_from_a_callback_and_keeps_nothing_of_it(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    slm_model *other = NULL;
    reader r = { 0 };
    uint8_t *file = tiny_file(1, "q8_0", &r.n);
    r.bytes = file;
    in.bytes = r.n;
    in.read_at = read_at;
    in.user = &r;
    p.input = &in;
    check_status(slm_model_open(&other, "from a callback", &p, &err), SLM_OK, &err);
    const size_t calls = r.calls;
    free(file);
    r.bytes = NULL;
    slm_session *s = tiny_session(other, TINY_CONTEXT);
    tiny_feed(s, 4, 0, 90);
    check_logits(s, 4, 90);
    slm_session_free(s);
    slm_model_free(other);
    assert_int_equal(r.calls, calls);

    r.bytes = file = tiny_file(1, "q8_0", &r.n);
    for (r.fail_at = 1; r.fail_at <= calls; r.fail_at++) {
        r.calls = 0;
        other = NULL;
        const slm_status status = slm_model_open(&other, "from a callback", &p, &err);
        if (status == SLM_OK)                               /* the look for a llama2.c header may fail: it is none then */
            slm_model_free(other);
        else
            check_status(status, SLM_E_IO, &err);
        if (status)
            check_text(&err, "from a callback: the caller's reader returned 42");
        assert_true(!status || !other);
    }
    free(file);
}

static void inputs_that_are_none_are_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    slm_model *other = NULL;
    size_t n;
    uint8_t *file = tiny_file(1, "q8_0", &n);
    p.input = &in;
    check_status(slm_model_open(&other, "x", &p, &err), SLM_E_ARG, &err);
    check_text(&err, "neither memory nor read_at");
    in.memory = file;
    in.read_at = read_at;
    check_status(slm_model_open(&other, "x", &p, &err), SLM_E_ARG, &err);
    check_text(&err, "both");
    in.read_at = NULL;
    for (size_t cut = 0; cut < n; cut += cut < 1500 ? 1 : 997) {
        uint8_t *part = malloc(cut + 1);                    /* an allocation of its own: a sanitizer sees what lies beyond */
        memcpy(part, file, cut);
        in.memory = part;
        in.bytes = cut;
        const slm_status status = slm_model_open(&other, "x", &p, &err);
        if (status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED)
            fail_msg("cut to %zu bytes: %s: %s", cut, slm_status_name(status), err.text);
        free(part);
    }
    in.size = 3;
    check_status(slm_model_open(&other, "x", &p, &err), SLM_E_ARG, &err);
    assert_null(other);
    free(file);
}

/* ---- memory ---- */

static slm_status life(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_session *a = NULL, *b = NULL;
    slm_model *m = NULL;
    int32_t tokens[70], token = 0;
    mp.allocator = allocator;
    mp.threads = 1;
    mp.input = ctx;
    sp.context = 200;
    for (size_t i = 0; i < COUNT(tokens); i++)
        tokens[i] = tiny_token(6, i);
    slm_sampling how = SLM_SAMPLING_INIT;
    how.temperature = 1;
    slm_status status = slm_model_open(&m, "tiny", &mp, err);
    if (!status)
        status = slm_session_new(&a, m, &sp, err);
    if (!status)
        status = slm_session_feed(a, tokens, 70, err);
    if (!status)
        status = slm_session_fork(&b, a, err);
    if (!status) {
        status = slm_session_feed(b, tokens, 64, err);      /* a copied page and a new one */
        if (status)
            check_logits(b, 6, 70);
        check_logits(a, 6, 70);
    }
    if (!status)
        status = slm_session_step(b, &how, &token, err);
    if (!status) {
        *out = b;
        b = NULL;
    }
    slm_session_free(b);
    slm_session_free(a);
    slm_model_free(m);
    return status;
}

static void drop(void *ctx, void *session)
{
    (void)ctx;
    slm_session_free(session);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(tiny_fail_every("fork", life, drop) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_and_its_origin_go_their_own_ways),
        cmocka_unit_test(a_fork_that_is_cut_back_writes_no_page_of_others),
        cmocka_unit_test(a_fork_takes_little_memory),
        cmocka_unit_test(forks_run_in_threads),
        cmocka_unit_test(what_cannot_be_forked_says_so),
        cmocka_unit_test(a_step_is_a_pick_and_a_feed),
        cmocka_unit_test(a_model_opens_from_a_callback_and_keeps_nothing_of_it),
        cmocka_unit_test(inputs_that_are_none_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("fork", tests, open_model, close_model) != 0;
}
