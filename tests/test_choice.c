/* test_choice.c -- one of a list: exact against a plain check of every token, always whole, the same for threads and caches. */
#include "harness/fail_alloc.h"
#include "harness/stories.h"

#include "session/constraint.h"
#include "text/vocab.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static slm_constraint *choose_from(const char *const *strings, size_t n)
{
    slm_constraint *c = NULL;
    slm_error err = { 0 };
    check_status(slm_constraint_choice(&c, slm_model_tokenizer(stories), strings, n, &err), SLM_OK, &err);
    return c;
}

typedef struct text { char bytes[4096]; size_t n; } text;

static int gather(void *user, const char *bytes, size_t n)
{
    text *t = user;
    assert_true(t->n + n < sizeof t->bytes);
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    return 0;
}

static slm_generation make(slm_constraint *c, text *t, float temperature, uint64_t seed, uint32_t tokens)
{
    slm_session *s = NULL;
    slm_error err = { 0 };
    slm_generation made = SLM_GENERATION_INIT;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    how.temperature = temperature;
    how.seed = seed;
    p.sampling = &how;
    p.text = gather;
    p.user = t;
    p.constraint = c;
    p.max_tokens = tokens;
    memset(t, 0, sizeof *t);
    check_status(slm_session_new(&s, stories, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed_text(s, "The animal was a", 16, 0, &err), SLM_OK, &err);
    check_status(slm_session_generate(s, &p, &made, &err), SLM_OK, &err);
    slm_session_free(s);
    return made;
}

static const char *const animals[] = { " cat", " dog", " doggy", " elephant", " caf\xc3\xa9", " \xe2\x98\x83\xf0\x9f\x90\x88", "\"x\"", " do" };

static void a_text_is_one_of_the_list(void **state)
{
    (void)state;
    text t;
    size_t seen[COUNT(animals)] = { 0 }, kinds = 0;
    slm_constraint *c = choose_from(animals, COUNT(animals));
    for (uint64_t seed = 0; seed < 90; seed++) {
        const slm_generation made = make(c, &t, seed % 3 ? 5.0f : 1.0f, seed, 0);
        size_t which = 0;
        while (which < COUNT(animals) && strcmp(t.bytes, animals[which]) != 0)
            which++;
        if (which == COUNT(animals))
            fail_msg("seed %" PRIu64 ": '%s' is not of the list", seed, t.bytes);
        assert_int_equal(made.reason, SLM_STOP_EOS);
        seen[which]++;
    }
    for (size_t i = 0; i < COUNT(animals); i++)
        kinds += seen[i] > 0;
    assert_true(kinds >= 5);
    slm_constraint_free(c);
}

static void few_tokens_force_the_way_out(void **state)
{
    (void)state;
    text t;
    static const char *const one[] = { " wonderful elephants are dancing" };
    slm_constraint *c = choose_from(one, 1);
    slm_place place;
    slm_error err = { 0 };
    size_t need;
    int32_t first;
    check_status(slm_place_init(&place, c, &err), SLM_OK, &err);
    check_status(slm_place_need(&place, false, &need, &first, &err), SLM_OK, &err);
    assert_true(need > 2 && need < 32);
    for (uint64_t seed = 0; seed < 30; seed++) {
        const slm_generation made = make(c, &t, 20, seed, (uint32_t)(need + seed % 3));
        assert_string_equal(t.bytes, one[0]);
        assert_true(made.tokens <= need + seed % 3);
    }
    /* one token less than the shortest spelling has cannot be done, and says so before anything is made */
    slm_session *s = NULL;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    p.constraint = c;
    p.max_tokens = (uint32_t)need - 1;
    check_status(slm_session_new(&s, stories, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed_text(s, "x", 1, 0, &err), SLM_OK, &err);
    const size_t before = slm_session_position(s);
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "shortest text of the constraint");
    assert_int_equal(slm_session_position(s), before);
    slm_session_free(s);
    slm_place_free(&place);
    slm_constraint_free(c);
}

static void put(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

/* At every place of every string, for both kinds of beginning, a token is in the mask exactly if its text goes on like some string. */
static void masks_are_exact(void **state)
{
    (void)state;
    const slm_tokenizer *t = slm_model_tokenizer(stories);
    slm_constraint *c = choose_from(animals, COUNT(animals));
    slm_error err = { 0 };
    uint64_t *mask = calloc((t->texts.n + 63) / 64, sizeof *mask);
    slm_heap heap;
    slm_buf piece;
    size_t allowed = 0;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&piece, &heap, 1 << 20);
    for (size_t which = 0; which < COUNT(animals); which++) {
        const size_t length = strlen(animals[which]);
        for (size_t at = 0; at <= length; at++) {
            for (int start = 0; start < (at ? 1 : 2); start++) {
                slm_place place;
                slm_fit fit;
                check_status(slm_place_init(&place, c, &err), SLM_OK, &err);
                check_status(slm_place_step(&place, (const uint8_t *)animals[which], at, SIZE_MAX, &fit, &err), SLM_OK, &err);
                assert_int_equal(fit, SLM_FIT_TAKEN);
                check_status(slm_place_mask(&place, start != 0, mask, &err), SLM_OK, &err);
                for (uint32_t id = 0; id < t->texts.n; id++) {
                    bool at_start = start != 0, want = false;
                    piece.size = 0;
                    slm_token_put(t, id, 0, &at_start, put, &piece);
                    for (size_t i = 0; i < COUNT(animals) && piece.size; i++)
                        want |= strncmp(animals[i], animals[which], at) == 0 && strlen(animals[i]) >= at + piece.size &&
                                memcmp(animals[i] + at, piece.data, piece.size) == 0;
                    if (t->ends[id])
                        want = place.accepts;
                    else if (t->types[id] == SLM_TOKEN_CONTROL || t->types[id] == SLM_TOKEN_UNKNOWN)
                        want = false;
                    if ((mask[id / 64] >> id % 64 & 1) != want)
                        fail_msg("'%s' at %zu, start %d: token %u is %d, want %d", animals[which], at, start, id, !want, want);
                    allowed += want;
                }
                slm_place_free(&place);
            }
        }
    }
    assert_true(allowed > 100);
    slm_buf_free(&piece);
    free(mask);
    slm_constraint_free(c);
}

typedef struct worker { slm_constraint *c; char out[20][64]; } worker;

static void *work(void *user)
{
    worker *w = user;
    for (uint64_t seed = 0; seed < 20; seed++) {
        text t;
        make(w->c, &t, 3, seed, 12);
        memcpy(w->out[seed], t.bytes, sizeof w->out[seed]);
    }
    return NULL;
}

static void threads_share_a_constraint_and_get_the_same(void **state)
{
    (void)state;
    static worker w[3];
    pthread_t thread[3];
    slm_constraint *c = choose_from(animals, COUNT(animals)), *fresh = choose_from(animals, COUNT(animals));
    for (size_t i = 0; i < 3; i++) {
        w[i].c = i < 2 ? c : fresh;
        assert_int_equal(pthread_create(&thread[i], NULL, work, &w[i]), 0);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (size_t i = 1; i < 3; i++)
        assert_memory_equal(w[0].out, w[i].out, sizeof w[0].out);
    slm_constraint_free(c);
    slm_constraint_free(fresh);
}

static void bad_lists_are_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_constraint *c = NULL;
    const slm_tokenizer *t = slm_model_tokenizer(stories);
    static const char *const bytes[] = { "fine", "not \xff utf-8" }, *const null[] = { NULL };
    check_status(slm_constraint_choice(&c, t, animals, 0, &err), SLM_E_ARG, &err);
    check_status(slm_constraint_choice(&c, t, NULL, 2, &err), SLM_E_ARG, &err);
    check_status(slm_constraint_choice(&c, t, bytes, 2, &err), SLM_E_ARG, &err);
    check_text(&err, "string 1");
    check_status(slm_constraint_choice(&c, t, null, 1, &err), SLM_E_ARG, &err);
    check_status(slm_constraint_choice(&c, NULL, animals, 1, &err), SLM_E_ARG, &err);
    check_status(slm_constraint_choice(NULL, t, animals, 1, &err), SLM_E_ARG, &err);
    static char wide[1 << 20];
    memset(wide, 'a', sizeof wide - 1);
    const char *const many[] = { wide, wide };
    check_status(slm_constraint_choice(&c, t, many, 2, &err), SLM_E_LIMIT, &err);
    assert_null(c);
    slm_constraint_free(NULL);
}

static void a_constraint_of_another_vocabulary_is_refused(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_tokenizer *other = NULL;
    slm_constraint *c = NULL;
    slm_session *s = NULL;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    if (access("../shared/models/stories260k/stories260K.gguf", R_OK) != 0) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    check_status(slm_tokenizer_open(&other, "../shared/models/stories260k/stories260K.gguf", NULL, &err), SLM_OK, &err);
    check_status(slm_constraint_choice(&c, other, animals, 2, &err), SLM_OK, &err);
    check_status(slm_session_new(&s, stories, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed_text(s, "x", 1, 0, &err), SLM_OK, &err);
    p.constraint = c;
    check_status(slm_session_generate(s, &p, NULL, &err), SLM_E_MISMATCH, &err);
    slm_constraint_free(c);
    slm_tokenizer_free(other);
    slm_session_free(s);
}

/* A choice and what a generation asks of it, every allocation of it refused in turn. The tokenizer's own are made before. */
static slm_status make_all(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    (void)ctx;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_tokenizer *t = NULL;
    slm_constraint *c = NULL;
    slm_place place = { .constraint = NULL };
    size_t need;
    int32_t first;
    uint64_t mask[4096 / 64];
    params.allocator = allocator;
    slm_status status = slm_tokenizer_open(&t, STORIES, &params, err);
    if (!status)
        status = slm_constraint_choice(&c, t, animals, COUNT(animals), err);
    if (!status)
        status = slm_place_init(&place, c, err);
    if (!status)
        status = slm_place_need(&place, false, &need, &first, err);
    if (!status)
        status = slm_place_mask(&place, false, mask, err);
    slm_place_free(&place);
    slm_constraint_free(c);
    if (status)
        slm_tokenizer_free(t);
    else
        *out = t;
    return status;
}

static void drop_all(void *ctx, void *object)
{
    (void)ctx;
    slm_tokenizer_free(object);
}

static void every_refused_allocation_is_survived(void **state)
{
    (void)state;
    assert_true(fail_alloc_every("choice", make_all, drop_all, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_one_of_the_list),
        cmocka_unit_test(few_tokens_force_the_way_out),
        cmocka_unit_test(masks_are_exact),
        cmocka_unit_test(threads_share_a_constraint_and_get_the_same),
        cmocka_unit_test(bad_lists_are_refused),
        cmocka_unit_test(a_constraint_of_another_vocabulary_is_refused),
        cmocka_unit_test(every_refused_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("choice", tests, stories_open, stories_close) != 0;
}
