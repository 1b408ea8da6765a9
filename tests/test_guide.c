/* test_guide.c -- single steps and batches within a constraint: the same text as a generation makes, always whole, nothing changed by a
 * failure; and the trie that all constraints of a tokenizer share. */
#include "harness/test.h"

#include "text/trie.h"

#include <pthread.h>
#include <stdio.h>

static const char path[] = "models/tiny-stories/tiny-stories.gguf";
static const char schema[] = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":12},\"age\":{\"type\":\"integer\",\"minimum\":0,"
                             "\"maximum\":99}},\"required\":[\"name\",\"age\"],\"additionalProperties\":false}";
static slm_model *model;
static const slm_tokenizer *tokenizer;

static int open_model(void **state)
{
    (void)state;
    slm_error err = { 0 };
    if (slm_model_open(&model, path, NULL, &err)) {
        (void)fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    tokenizer = slm_model_tokenizer(model);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    slm_model_free(model);
    return 0;
}

static slm_session *prompted(const char *text)
{
    slm_error err = { 0 };
    slm_session *s = NULL;
    check_status(slm_session_new(&s, model, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed_text(s, text, strlen(text), 0, &err), SLM_OK, &err);
    return s;
}

typedef struct said { char text[400]; size_t n; } said;

static int hear(void *user, const char *text, size_t n)
{
    said *s = user;
    assert_true(s->n + n < sizeof s->text);
    memcpy(s->text + s->n, text, n);
    s->n += n;
    return 0;
}

/* What slm_session_generate makes of it; *tokens are those it made. */
static said generated(const char *prompt, slm_constraint *c, uint64_t seed, size_t most, size_t *tokens)
{
    slm_error err = { 0 };
    said out = { "", 0 };
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_session *s = prompted(prompt);
    how.temperature = 1;
    how.seed = seed;
    p.sampling = &how;
    p.constraint = c;
    p.max_tokens = (uint32_t)most;
    p.text = hear;
    p.user = &out;
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    *tokens = made.tokens;
    slm_session_free(s);
    return out;
}

static void text_after(slm_session *s, size_t from, said *out)
{
    slm_error err = { 0 };
    out->n = 0;
    check_status(slm_tokenizer_decode(tokenizer, out->text, sizeof out->text, &out->n, slm_session_tokens(s) + from, slm_session_position(s) - from,
                                      0, &err), SLM_OK, &err);
}

static void steps_make_what_a_generation_makes(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_constraint *c = NULL;
    check_status(slm_constraint_schema(&c, tokenizer, schema, strlen(schema), &err), SLM_OK, &err);
    for (uint64_t seed = 0; seed < 6; seed++) {
        size_t made;
        const size_t most = 40 + 10 * (size_t)seed;
        const said want = generated("The girl:", c, seed, most, &made);
        slm_session *s = prompted("The girl:");
        slm_guide *g = NULL;
        slm_sampling how = SLM_SAMPLING_INIT;
        const size_t from = slm_session_position(s);
        said got;
        int32_t token;
        check_status(slm_guide_new(&g, c, s, most, &err), SLM_OK, &err);
        how.temperature = 1;
        how.seed = seed;
        how.guide = g;
        while (!slm_guide_is_done(g))
            check_status(slm_session_step(s, &how, &token, &err), SLM_OK, &err);
        assert_true(slm_guide_is_whole(g));
        check_status(slm_session_step(s, &how, &token, &err), SLM_E_STATE, &err);
        text_after(s, from, &got);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.text, want.text, want.n);
        slm_guide_free(g);
        slm_session_free(s);
    }
    slm_constraint_free(c);
}

static void a_batch_of_guided_sessions_is_each_alone(void **state)
{
    (void)state;
    enum { N = 5, MOST = 60 };
    static const char *const prompts[N] = { "One", "Two girls:", "Three", "Four big dogs and", "Five" };
    slm_error err = { 0 };
    slm_constraint *c = NULL;
    slm_batch *batch = NULL;
    slm_session *s[N];
    slm_guide *g[N];
    size_t from[N];
    check_status(slm_constraint_schema(&c, tokenizer, schema, strlen(schema), &err), SLM_OK, &err);
    slm_model_info info = SLM_MODEL_INFO_INIT;
    check_status(slm_model_get_info(model, &info, &err), SLM_OK, &err);
    check_status(slm_batch_new(&batch, model, NULL, &err), SLM_OK, &err);
    for (size_t i = 0; i < N; i++) {
        s[i] = prompted(prompts[i]);
        from[i] = slm_session_position(s[i]);
        check_status(slm_guide_new(&g[i], c, s[i], MOST, &err), SLM_OK, &err);
    }
    for (size_t n = 1; n;) {
        slm_batch_item items[N];
        int32_t token[N];
        size_t who[N];
        n = 0;
        for (size_t i = 0; i < N; i++) {
            slm_sampling how = SLM_SAMPLING_INIT;
            if (slm_guide_is_done(g[i]))
                continue;
            how.temperature = 1;
            how.seed = i;
            how.guide = g[i];
            check_status(slm_sample(&token[i], slm_session_logits(s[i]), info.vocab, &how, slm_session_position(s[i]), &err), SLM_OK, &err);
            items[n] = (slm_batch_item){ s[i], &token[i], 1, NULL, SLM_OK, 0 };
            who[n++] = i;
        }
        check_status(slm_batch_step(batch, items, n, &err), SLM_OK, &err);
        for (size_t k = 0; k < n; k++)
            check_status(slm_guide_push(g[who[k]], token[who[k]], &err), SLM_OK, &err);
    }
    for (size_t i = 0; i < N; i++) {
        size_t made;
        said got;
        const said want = generated(prompts[i], c, i, MOST, &made);
        text_after(s[i], from[i], &got);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.text, want.text, want.n);
        assert_true(slm_guide_is_whole(g[i]));
        slm_guide_free(g[i]);
        slm_session_free(s[i]);
    }
    slm_batch_free(batch);
    slm_constraint_free(c);
}

static int32_t byte_token(char b)
{
    int32_t ids[4];
    size_t n = 0;
    slm_error err = { 0 };
    const char text[2] = { b, 0 };
    check_status(slm_tokenizer_encode(tokenizer, ids, 4, &n, text, 1, 0, &err), SLM_OK, &err);
    return ids[n - 1];
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_constraint *c = NULL;
    slm_guide *g = NULL;
    slm_session *s = prompted("One");
    check_status(slm_constraint_regex(&c, tokenizer, "[0-9]{2}", &err), SLM_OK, &err);
    check_status(slm_guide_new(&g, c, s, 1, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "2 tokens (allowed 1)");
    check_status(slm_guide_new(&g, c, s, 0, &err), SLM_OK, &err);
    check_status(slm_guide_push(g, byte_token('x'), &err), SLM_E_ARG, &err);
    check_text(&err, "is no part of a text");
    check_status(slm_guide_push(g, -1, &err), SLM_E_ARG, &err);
    check_status(slm_guide_push(g, INT32_MAX, &err), SLM_E_ARG, &err);
    assert_false(slm_guide_is_whole(g));
    check_status(slm_guide_push(g, byte_token('4'), &err), SLM_OK, &err);
    assert_false(slm_guide_is_done(g));
    check_status(slm_guide_push(g, byte_token('2'), &err), SLM_OK, &err);
    assert_true(slm_guide_is_done(g) && slm_guide_is_whole(g));
    check_status(slm_guide_push(g, byte_token('2'), &err), SLM_E_STATE, &err);
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    how.guide = g;
    p.sampling = &how;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_ARG, &err);        /* that takes a constraint */
    slm_guide_free(g);
    slm_guide_free(NULL);
    slm_constraint_free(c);
    slm_session_free(s);
}

typedef struct maker { const slm_tokenizer *t; pthread_barrier_t *start; const slm_trie *trie; slm_status status; } maker;

static void *make_constraint(void *arg)
{
    maker *m = arg;
    slm_constraint *c = NULL;
    (void)pthread_barrier_wait(m->start);
    m->status = slm_constraint_regex(&c, m->t, "a+", NULL);
    if (!m->status)
        m->status = slm_tokenizer_trie(&m->trie, m->t, NULL);
    slm_constraint_free(c);
    return NULL;
}

static void a_tokenizer_has_one_trie_whoever_asks_first(void **state)
{
    (void)state;
    enum { N = 8 };
    slm_error err = { 0 };
    pthread_barrier_t start;
    pthread_t threads[N];
    maker makers[N];
    slm_tokenizer *t = NULL;
    check_status(slm_tokenizer_open(&t, path, NULL, &err), SLM_OK, &err);
    assert_int_equal(pthread_barrier_init(&start, NULL, N), 0);
    for (size_t i = 0; i < N; i++) {
        makers[i] = (maker){ t, &start, NULL, SLM_OK };
        assert_int_equal(pthread_create(&threads[i], NULL, make_constraint, &makers[i]), 0);
    }
    for (size_t i = 0; i < N; i++)
        (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(makers[i].status, SLM_OK);
        assert_ptr_equal(makers[i].trie, makers[0].trie);
    }
    (void)pthread_barrier_destroy(&start);
    slm_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_make_what_a_generation_makes),
        cmocka_unit_test(a_batch_of_guided_sessions_is_each_alone),
        cmocka_unit_test(what_does_not_fit_is_refused_and_changes_nothing),
        cmocka_unit_test(a_tokenizer_has_one_trie_whoever_asks_first),
    };
    return cmocka_run_group_tests_name("guide", tests, open_model, close_model) != 0;
}
