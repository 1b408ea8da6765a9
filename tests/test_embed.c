/* test_embed.c -- vectors of texts: the same bits alone and among others, pooled as asked, each item with an end of its own. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include "core/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 64, TEXTS = 50, LONGEST = 200 };

static slm_model *model;                    /* block weights */
static int32_t tokens[TEXTS][LONGEST];
static size_t lengths[TEXTS];

static slm_model *open_encoder(const char *type, uint32_t pooling, const slm_model_params *params)
{
    size_t n;
    uint8_t *file = tiny_encoder_file(3, type, pooling, &n);
    slm_model *m = tiny_open_file(file, n, params);
    free(file);
    return m;
}

static int open_model(void **state)
{
    (void)state;
    model = open_encoder("q8_0", SLM_POOLING_MEAN, NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        lengths[i] = i == 7 ? LONGEST : 1 + slm_random_u64(11, i) % (i % 5 ? 30 : 150);
        for (size_t t = 0; t < lengths[i]; t++)
            tokens[i][t] = tiny_token(i, t);
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    slm_model_free(model);
    return test_folder_remove(state);
}

static slm_encoder *start(slm_model *m, uint32_t chunk)
{
    slm_error err = { 0 };
    slm_encoder *e = NULL;
    slm_encoder_params p = SLM_ENCODER_PARAMS_INIT;
    p.chunk = chunk;
    check_status(slm_encoder_new(&e, m, &p, &err), SLM_OK, &err);
    return e;
}

static slm_embed_item item_of(size_t text, float *vector)
{
    return (slm_embed_item){ NULL, 0, tokens[text], lengths[text], vector, NULL, SLM_OK, 0 };
}

/* The vector of a text alone, with an encoder of its own. */
static void embed_alone(slm_model *m, size_t text, const slm_embed_params *params, float *vector)
{
    slm_error err = { 0 };
    slm_encoder *e = start(m, 0);
    slm_embed_item item = item_of(text, vector);
    check_status(slm_embed(e, &item, 1, params, &err), SLM_OK, &err);
    slm_encoder_free(e);
}

static void a_text_has_the_same_bits_alone_and_among_others(void **state)
{
    (void)state;
    static const uint32_t chunks[] = { 0, 1, 64, 130, 1000 };
    static float alone[TEXTS][WIDTH], among[3 * TEXTS][WIDTH];
    for (uint32_t pooling = SLM_POOLING_MEAN; pooling <= SLM_POOLING_LAST; pooling++) {
        slm_embed_params p = SLM_EMBED_PARAMS_INIT;
        p.pooling = pooling;
        for (size_t i = 0; i < TEXTS; i++)
            embed_alone(model, i, &p, alone[i]);
        for (size_t c = 0; c < COUNT(chunks); c++) {
            slm_error err = { 0 };
            static slm_embed_item items[3 * TEXTS]; /* more than a group */
            slm_encoder *e = start(model, chunks[c]);
            for (size_t i = 0; i < COUNT(items); i++)
                items[i] = item_of(i * 7 % TEXTS, among[i]);
            memset(among, 0xff, sizeof among);
            check_status(slm_embed(e, items, COUNT(items), &p, &err), SLM_OK, &err);
            for (size_t i = 0; i < COUNT(items); i++)
                if (items[i].status || memcmp(among[i], alone[i * 7 % TEXTS], sizeof *among))
                    fail_msg("pooling %u, chunk %u, item %zu of %zu tokens: other bits than alone", pooling, chunks[c], i, items[i].n);
            slm_encoder_free(e);
        }
    }
}

static void threads_and_instruction_sets_change_no_bit(void **state)
{
    (void)state;
    static const struct { uint32_t threads, isa; } ways[] = { { 1, 0 }, { 3, 0 }, { 2, SLM_ISA_AVX2 }, { 2, SLM_ISA_SCALAR } };
    static const char *const types[] = { "f32", "f16", "q4_0" };
    for (size_t k = 0; k < COUNT(types); k++) {
        float first[WIDTH], other[WIDTH];
        for (size_t i = 0; i < COUNT(ways); i++) {
            slm_model_params mp = SLM_MODEL_PARAMS_INIT;
            mp.threads = ways[i].threads;
            mp.isa = ways[i].isa;
            slm_model *m = open_encoder(types[k], 0, &mp);
            embed_alone(m, 7, NULL, i ? other : first);
            slm_model_free(m);
            if (i && memcmp(first, other, sizeof first))
                fail_msg("%s, %u threads, isa %u: other bits", types[k], ways[i].threads, ways[i].isa);
        }
    }
}

/* C7 and C13 in the plainest form. */
static void mean_of(float *out, const float *states, size_t n)
{
    for (size_t k = 0; k < WIDTH; k++) {
        float lane[16] = { 0 };
        for (size_t t = 0; t < n; t++)
            lane[t % 16] += states[t * WIDTH + k];
        for (size_t half = 8; half > 0; half /= 2)
            for (size_t i = 0; i < half; i++)
                lane[i] += lane[i + half];
        out[k] = lane[0] / (float)n;
    }
}

static void a_vector_is_the_states_pooled_as_asked_or_as_the_file_says(void **state)
{
    (void)state;
    for (uint32_t file = 0; file <= SLM_POOLING_LAST; file++) {
        slm_model *m = open_encoder("f32", file, NULL);
        for (size_t text = 0; text < 12; text++) {
            const size_t n = lengths[text];
            static float states[LONGEST * WIDTH];
            float want[WIDTH], got[WIDTH];
            slm_error err = { 0 };
            slm_encoder *e = start(m, 0);
            check_status(slm_encoder_states(e, states, tokens[text], n, &err), SLM_OK, &err);
            slm_encoder_free(e);
            for (uint32_t asked = 0; asked <= SLM_POOLING_LAST; asked++) {
                slm_embed_params p = SLM_EMBED_PARAMS_INIT;
                const uint32_t pooling = asked ? asked : file ? file : SLM_POOLING_MEAN;
                p.pooling = asked;
                embed_alone(m, text, &p, got);
                if (pooling == SLM_POOLING_MEAN)
                    mean_of(want, states, n);
                else
                    memcpy(want, states + (pooling == SLM_POOLING_FIRST ? 0 : n - 1) * WIDTH, sizeof want);
                assert_memory_equal(got, want, sizeof want);
                p.normalize = 1;
                embed_alone(m, text, &p, got);
                double length = 0;
                for (size_t i = 0; i < WIDTH; i++)
                    length += (double)want[i] * (double)want[i];
                for (size_t i = 0; i < WIDTH; i++)
                    assert_true(fabs((double)got[i] - (double)want[i] / sqrt(length)) < 1e-7);
            }
        }
        slm_model_free(m);
    }
}

static void a_text_is_tokenized_with_what_the_file_puts_around_it(void **state)
{
    (void)state;
    static const struct { const char *text; int32_t ids[8]; size_t n; } rows[] = {
        { "", { 2, 3 }, 2 },
        { "ab c", { 2, 4, 31, 6, 3 }, 5 },
        { "?", { 2, 1, 3 }, 3 },
    };
    slm_encoder *e = start(model, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        float a[WIDTH], b[WIDTH];
        slm_embed_item items[] = { { rows[i].text, strlen(rows[i].text), NULL, 0, a, NULL, SLM_OK, 0 },
                                   { NULL, 0, rows[i].ids, rows[i].n, b, NULL, SLM_OK, 0 } };
        check_status(slm_embed(e, items, 2, NULL, &err), SLM_OK, &err);
        assert_int_equal(items[0].n, rows[i].n);
        assert_memory_equal(a, b, sizeof a);
    }
    slm_encoder_free(e);
}

static void a_long_text_is_refused_or_cut_before_its_end_token(void **state)
{
    (void)state;
    char text[2 * TINY_CONTEXT];
    float vector[WIDTH], want[WIDTH];
    int32_t ids[TINY_CONTEXT] = { 2 };
    slm_error err = { 0 }, own = { 0 };
    slm_embed_params p = SLM_EMBED_PARAMS_INIT;
    slm_encoder *e = start(model, 0);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? ' ' : 'a';
    slm_embed_item item = { text, sizeof text, NULL, 0, vector, &own, SLM_OK, 0 };
    check_status(slm_embed(e, &item, 1, &p, &err), SLM_E_CONTEXT, &err);
    check_text(&own, "602 tokens do not fit: the context has 600");
    check_text(&err, "item 0 of 1");
    assert_int_equal(item.n, 602);
    p.truncate = 1;
    check_status(slm_embed(e, &item, 1, &p, &err), SLM_OK, &err);
    assert_int_equal(item.n, TINY_CONTEXT);
    for (size_t i = 1; i + 1 < TINY_CONTEXT; i++)
        ids[i] = 4;
    ids[TINY_CONTEXT - 1] = 3;
    slm_embed_item same = { NULL, 0, ids, TINY_CONTEXT, want, NULL, SLM_OK, 0 };
    check_status(slm_embed(e, &same, 1, NULL, &err), SLM_OK, &err);
    assert_memory_equal(vector, want, sizeof want);
    slm_encoder_free(e);
}

static void items_stand_for_themselves(void **state)
{
    (void)state;
    const int32_t bad[] = { 2, TINY_VOCAB, 3 };
    float vectors[5][WIDTH], want[WIDTH], ones[WIDTH];
    slm_error err = { 0 }, errs[5] = { { 0 } };
    slm_encoder *e = start(model, 0);
    memset(vectors, 0xff, sizeof vectors);
    memset(ones, 0xff, sizeof ones);
    slm_embed_item items[] = { item_of(1, vectors[0]), { NULL, 0, bad, 3, vectors[1], &errs[1], SLM_OK, 0 },
                               { NULL, 0, tokens[0], 0, vectors[2], &errs[2], SLM_OK, 0 }, item_of(2, NULL), item_of(1, vectors[4]) };
    items[3].err = &errs[3];
    check_status(slm_embed(e, items, 5, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "item 1 of 5: encoder: token 1 is 100 (allowed 0 .. 99)");
    check_status(items[1].status, SLM_E_ARG, &errs[1]);
    check_status(items[2].status, SLM_E_ARG, &errs[2]);
    check_text(&errs[2], "0 tokens");
    check_status(items[3].status, SLM_E_ARG, &errs[3]);
    check_text(&errs[3], "vector is NULL");
    embed_alone(model, 1, NULL, want);
    assert_int_equal(items[0].status, SLM_OK);
    assert_int_equal(items[4].status, SLM_OK);
    assert_memory_equal(vectors[0], want, sizeof want);
    assert_memory_equal(vectors[4], want, sizeof want);
    assert_memory_equal(vectors[1], ones, sizeof ones);
    slm_encoder_free(e);
}

/* A row of the embedding table so large that its norm is not finite: only the texts that have the token fail. */
static void a_value_that_is_not_finite_ends_its_text_alone(void **state)
{
    (void)state;
    size_t n;
    float vectors[2][WIDTH], huge = 1e38f;
    const int32_t with[] = { 2, 50, 3 }, without[] = { 2, 51, 3 };
    uint8_t *file = tiny_encoder_file(3, "f32", SLM_POOLING_MEAN, &n);
    slm_error err = { 0 };
    slm_file_params fp = SLM_FILE_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    slm_file *f = NULL;
    slm_tensor_info info = SLM_TENSOR_INFO_INIT;
    in.memory = file;
    in.bytes = n;
    fp.input = &in;
    check_status(slm_file_open(&f, "tiny", &fp, &err), SLM_OK, &err);
    check_status(slm_file_tensor(f, 0, &info, &err), SLM_OK, &err);
    assert_string_equal(info.name, "token_embd.weight");
    for (size_t k = 0; k < WIDTH; k++, huge = -huge)
        memcpy(file + info.offset + (50 * WIDTH + k) * sizeof huge, &huge, sizeof huge);
    slm_file_free(f);
    slm_model *m = tiny_open_file(file, n, NULL);
    free(file);
    slm_encoder *e = start(m, 0);
    slm_embed_item items[] = { { NULL, 0, with, 3, vectors[0], NULL, SLM_OK, 0 }, { NULL, 0, without, 3, vectors[1], NULL, SLM_OK, 0 } };
    check_status(slm_embed(e, items, 2, NULL, &err), SLM_E_NUMERIC, &err);
    check_text(&err, "layer 0");
    assert_int_equal(items[0].status, SLM_E_NUMERIC);
    assert_int_equal(items[1].status, SLM_OK);
    slm_encoder_free(e);
    slm_model_free(m);
}

static void cancelled_all_are_and_the_next_call_goes_on(void **state)
{
    (void)state;
    static float vectors[TEXTS][WIDTH], want[WIDTH];
    slm_error err = { 0 };
    slm_embed_item items[TEXTS];
    slm_encoder *e = start(model, 64);
    for (size_t i = 0; i < TEXTS; i++)
        items[i] = item_of(i, vectors[i]);
    slm_encoder_cancel(e);
    check_status(slm_embed(e, items, TEXTS, NULL, &err), SLM_E_CANCELLED, &err);
    for (size_t i = 0; i < TEXTS; i++)
        assert_int_equal(items[i].status, SLM_E_CANCELLED);
    check_status(slm_embed(e, items, TEXTS, NULL, &err), SLM_OK, &err);
    embed_alone(model, 9, NULL, want);
    assert_memory_equal(vectors[9], want, sizeof want);
    slm_encoder_cancel(e);
    float states[WIDTH * 3];
    check_status(slm_encoder_states(e, states, tokens[7], 3, &err), SLM_E_CANCELLED, &err);
    check_status(slm_encoder_states(e, states, tokens[7], 3, &err), SLM_OK, &err);
    slm_encoder_free(e);
}

static void a_deadline_keeps_what_was_done(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    slm_encoder_params ep = SLM_ENCODER_PARAMS_INIT;
    slm_embed_item *items = calloc(MANY, sizeof *items);
    float *vectors = calloc(MANY, WIDTH * sizeof *vectors), want[WIDTH];
    slm_error err = { 0 };
    slm_encoder *e = NULL;
    size_t late = 0;
    ep.deadline_ms = 20;
    check_status(slm_encoder_new(&e, model, &ep, &err), SLM_OK, &err);
    for (size_t i = 0; i < MANY; i++)
        items[i] = item_of(7, vectors + i * WIDTH);
    check_status(slm_embed(e, items, MANY, NULL, &err), SLM_E_DEADLINE, &err);
    embed_alone(model, 7, NULL, want);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(items[i].status == SLM_OK || items[i].status == SLM_E_DEADLINE);
        late += items[i].status != SLM_OK;
        if (!items[i].status)
            assert_memory_equal(vectors + i * WIDTH, want, sizeof want);
    }
    assert_true(late > 0);
    slm_encoder_free(e);
    free(items);
    free(vectors);
}

static void decoders_and_encoders_know_each_other(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_model *decoder = tiny_open(1, "q8_0", NULL);
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_encoder *e = NULL;
    slm_session *s = NULL;
    slm_batch *b = NULL;
    slm_engine *engine = NULL;
    check_status(slm_encoder_new(&e, decoder, NULL, &err), SLM_E_MISMATCH, &err);
    check_text(&err, "'llama' is a decoder");
    check_status(slm_session_new(&s, model, NULL, &err), SLM_E_MISMATCH, &err);
    check_text(&err, "'bert' is an encoder");
    check_status(slm_batch_new(&b, model, NULL, &err), SLM_E_MISMATCH, &err);
    check_status(slm_engine_local(&engine, model, NULL, &err), SLM_E_MISMATCH, &err);
    check_status(slm_model_get_info(decoder, &info, &err), SLM_OK, &err);
    assert_int_equal(info.encoder, 0);
    check_status(slm_model_get_info(model, &info, &err), SLM_OK, &err);
    assert_int_equal(info.encoder, 1);
    slm_model_free(decoder);
}

static void arguments_outside_their_ranges_are_named(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_encoder *e = NULL;
    slm_encoder_params ep = SLM_ENCODER_PARAMS_INIT;
    slm_embed_params p = SLM_EMBED_PARAMS_INIT;
    float vector[WIDTH];
    slm_embed_item item = item_of(1, vector);
    check_status(slm_encoder_new(NULL, model, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_encoder_new(&e, NULL, NULL, &err), SLM_E_ARG, &err);
    ep.kv = 3;
    check_status(slm_encoder_new(&e, model, &ep, &err), SLM_E_ARG, &err);
    check_text(&err, "kv is 3");
    ep.kv = 0;
    ep.chunk = 65537;
    check_status(slm_encoder_new(&e, model, &ep, &err), SLM_E_ARG, &err);
    e = start(model, 0);
    p.pooling = 4;
    check_status(slm_embed(e, &item, 1, &p, &err), SLM_E_ARG, &err);
    check_text(&err, "pooling 4");
    check_status(slm_embed(NULL, &item, 1, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_embed(e, NULL, 1, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_embed(e, NULL, 0, NULL, &err), SLM_OK, &err);
    check_status(slm_encoder_states(e, NULL, tokens[1], 1, &err), SLM_E_ARG, &err);
    check_status(slm_encoder_states(e, vector, NULL, 1, &err), SLM_E_ARG, &err);
    slm_encoder_free(e);
    slm_encoder_free(NULL);
    slm_model *ranks = open_encoder("f32", 4, NULL);
    e = start(ranks, 0);
    check_status(slm_embed(e, &item, 1, NULL, &err), SLM_E_UNSUPPORTED, &err);
    check_text(&err, "'bert.pooling_type' is 4");
    p.pooling = SLM_POOLING_FIRST;
    check_status(slm_embed(e, &item, 1, &p, &err), SLM_OK, &err);
    slm_encoder_free(e);
    slm_model_free(ranks);
}

/* The numbers in brackets after "name" from *p on; *p ends behind them. Returns how many; 0 if there is no such name. */
static size_t numbers(const char **p, const char *name, float *out, size_t room)
{
    char quoted[64];
    size_t n = 0;
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *s = strstr(*p, quoted);
    if (!s || !(s = strchr(s, '[')))
        return 0;
    for (s++; *s != ']';) {
        char *end;
        assert_true(n < room);
        out[n++] = strtof(s, &end);
        assert_true(end != s);
        s = end + strspn(end, ", \n");
    }
    *p = s;
    return n;
}

/* Skipped without ../shared: a trained encoder of words, its states by another program in float64. */
static void a_trained_encoder_gives_its_stored_states(void **state)
{
    (void)state;
    enum { WIDE = 128 };
    static const char folder[] = "../shared/models/g2p-bart-encoder-as-bert/";
    static const char *const names[] = { "last_hidden_cls", "last_hidden_mean", "last_hidden_last" };
    slm_error err = { 0 };
    slm_encoder_params ep = SLM_ENCODER_PARAMS_INIT;
    slm_model *m = NULL;
    slm_encoder *e = NULL;
    char path[256];
    size_t n, words = 0;
    (void)snprintf(path, sizeof path, "%smodel.gguf", folder);
    if (slm_model_open(&m, path, NULL, &err) == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        return;
    }
    ep.kv = SLM_KV_F32;
    check_status(slm_encoder_new(&e, m, &ep, &err), SLM_OK, &err);
    (void)snprintf(path, sizeof path, "%sexpected.json", folder);
    char *text = (char *)test_file_read(path, &n);
    text = realloc(text, n + 1);
    assert_non_null(text);
    text[n] = 0;
    float ids[64], want[WIDE];
    for (const char *p = text; (n = numbers(&p, "ids", ids, 64)) > 0; words++) {
        float got[3][WIDE];
        int32_t list[64];
        for (size_t i = 0; i < n; i++)
            list[i] = (int32_t)ids[i];
        for (uint32_t k = 0; k < 3; k++) {
            slm_embed_params params = SLM_EMBED_PARAMS_INIT;
            slm_embed_item item = { NULL, 0, list, n, got[k], NULL, SLM_OK, 0 };
            params.pooling = k == 0 ? SLM_POOLING_FIRST : k == 1 ? SLM_POOLING_MEAN : SLM_POOLING_LAST;
            check_status(slm_embed(e, &item, 1, &params, &err), SLM_OK, &err);
            assert_int_equal(numbers(&p, names[k], want, WIDE), WIDE);
            for (size_t i = 0; i < WIDE; i++)
                if (!(fabsf(got[k][i] - want[i]) <= 5e-6f))
                    fail_msg("word %zu, %s, value %zu: %f, want %f", words, names[k], i, (double)got[k][i], (double)want[i]);
        }
    }
    assert_int_equal(words, 30);
    free(text);
    slm_encoder_free(e);
    slm_model_free(m);
}

/* ---- memory ---- */

static slm_status make_vectors(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    const slm_input *in = ctx;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *m = NULL;
    slm_encoder *e = NULL;
    float vectors[3][WIDTH];
    mp.allocator = allocator;
    mp.input = in;
    slm_embed_item items[] = { item_of(1, vectors[0]), { "some words", 10, NULL, 0, vectors[1], NULL, SLM_OK, 0 }, item_of(7, vectors[2]) };
    slm_status status = slm_model_open(&m, "tiny", &mp, err);
    if (!status)
        status = slm_encoder_new(&e, m, NULL, err);
    if (!status)
        status = slm_embed(e, items, 3, NULL, err);
    slm_model_free(m);
    if (status)
        slm_encoder_free(e);
    else
        *out = e;
    return status;
}

static void drop_encoder(void *ctx, void *encoder)
{
    (void)ctx;
    slm_encoder_free(encoder);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    slm_input in = SLM_INPUT_INIT;
    size_t n;
    uint8_t *file = tiny_encoder_file(3, "q8_0", SLM_POOLING_MEAN, &n);
    in.memory = file;
    in.bytes = n;
    fail_alloc_every("vectors of three texts", make_vectors, drop_encoder, &in);
    free(file);
}

static void in_steady_state_nothing_is_allocated(void **state)
{
    (void)state;
    static float vectors[TEXTS][WIDTH];
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_embed_item items[TEXTS];
    fail_alloc f;
    fail_alloc_init(&f, 0, false);
    mp.allocator = &f.allocator;
    slm_model *m = open_encoder("q8_0", 0, &mp);
    slm_encoder *e = start(m, 0);
    for (size_t i = 0; i < TEXTS; i++)
        items[i] = item_of(i, vectors[i]);
    check_status(slm_embed(e, items, TEXTS, NULL, &err), SLM_OK, &err);
    const size_t before = atomic_load(&f.calls);
    for (size_t i = 0; i < 5; i++)
        check_status(slm_embed(e, items, TEXTS, NULL, &err), SLM_OK, &err);
    assert_int_equal(atomic_load(&f.calls), before);
    slm_encoder_free(e);
    slm_model_free(m);
    assert_int_equal(atomic_load(&f.live_bytes), 0);
}

static void a_plan_says_what_an_encoder_will_take(void **state)
{
    (void)state;
    static float states[TINY_CONTEXT * WIDTH];
    int32_t many[TINY_CONTEXT];
    size_t n;
    uint8_t *file = tiny_encoder_file(3, "q4_0", 0, &n);
    const char *path = test_path("encoder.gguf");
    slm_error err = { 0 };
    slm_plan_info plan = SLM_PLAN_INFO_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *m = NULL;
    test_file_write(path, file, n);
    free(file);
    check_status(slm_plan(&plan, path, NULL, NULL, &err), SLM_OK, &err);
    check_status(slm_model_open(&m, path, NULL, &err), SLM_OK, &err);
    slm_encoder *e = start(m, 0);
    for (size_t i = 0; i < TINY_CONTEXT; i++)
        many[i] = tiny_token(1, i);
    check_status(slm_encoder_states(e, states, many, TINY_CONTEXT, &err), SLM_OK, &err);
    check_status(slm_model_get_info(m, &info, &err), SLM_OK, &err);
    const uint64_t got = plan.model_bytes + plan.session_bytes;
    if (got > info.heap_bytes * 102 / 100 || info.heap_bytes > got * 102 / 100)
        fail_msg("planned %" PRIu64 " bytes, taken %" PRIu64, got, info.heap_bytes);
    slm_encoder_free(e);
    slm_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_has_the_same_bits_alone_and_among_others),
        cmocka_unit_test(threads_and_instruction_sets_change_no_bit),
        cmocka_unit_test(a_vector_is_the_states_pooled_as_asked_or_as_the_file_says),
        cmocka_unit_test(a_text_is_tokenized_with_what_the_file_puts_around_it),
        cmocka_unit_test(a_long_text_is_refused_or_cut_before_its_end_token),
        cmocka_unit_test(items_stand_for_themselves),
        cmocka_unit_test(a_value_that_is_not_finite_ends_its_text_alone),
        cmocka_unit_test(cancelled_all_are_and_the_next_call_goes_on),
        cmocka_unit_test(a_deadline_keeps_what_was_done),
        cmocka_unit_test(decoders_and_encoders_know_each_other),
        cmocka_unit_test(arguments_outside_their_ranges_are_named),
        cmocka_unit_test(a_trained_encoder_gives_its_stored_states),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(in_steady_state_nothing_is_allocated),
        cmocka_unit_test(a_plan_says_what_an_encoder_will_take),
    };
    return cmocka_run_group_tests_name("embed", tests, open_model, close_model) != 0;
}
