/* test_numbers.c -- what becomes of numbers that are none or far out, one test for each row of the policy (docs/testing.md). */
#include "files.h"
#include "format/keys.h"
#include "harness/parrot.h"
#include "harness/tiny.h"

#include <math.h>
#include <stdlib.h>

static slm_model *parrot;

/* The number of a tensor and its place in a file in memory. */
static slm_tensor_info find(const uint8_t *file, size_t n, const char *name, size_t *index)
{
    slm_error err = { 0 };
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    slm_tensor_info t = SLM_TENSOR_INFO_INIT;
    slm_file *f = NULL;
    in.memory = file;
    in.bytes = n;
    p.input = &in;
    check_status(slm_file_open(&f, "m", &p, &err), SLM_OK, &err);
    for (*index = 0; *index < slm_file_tensors(f); ++*index) {
        check_status(slm_file_tensor(f, *index, &t, &err), SLM_OK, &err);
        if (strcmp(t.name, name) == 0)
            break;
    }
    assert_true(*index < slm_file_tensors(f));
    slm_file_free(f);
    t.name = NULL;
    return t;
}

/* ---- weights ---- */

static void a_weight_that_is_no_number_is_an_error_that_names_its_block(void **state)
{
    (void)state;
    static const struct { const char *type; uint64_t offset; uint32_t bits; int bytes; const char *where; } rows[] = {
        { "q8_0", 34 * 5, 0x7e00, 2, "row 2, block 1" },  { "q8_0", 34 * 5, 0xfc00, 2, "row 2, block 1" },
        { "q4_0", 18 * 5, 0x7c00, 2, "row 2, block 1" },  { "q4_1", 20 * 5 + 2, 0x7e00, 2, "row 2, block 1" },
        { "f32", 4 * 130, 0x7fc00000, 4, "row 2" },       { "f16", 2 * 130, 0x7c00, 2, "row 2" },
        { "bf16", 2 * 130, 0xff80, 2, "row 2" },
    };
    static const char *const name = "blk.0.attn_q.weight";
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        slm_model *m = NULL;
        slm_model_params mp = SLM_MODEL_PARAMS_INIT;
        slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
        slm_input in = SLM_INPUT_INIT;
        size_t n, index;
        uint8_t *file = tiny_file(1, rows[i].type, &n);
        const slm_tensor_info t = find(file, n, name, &index);
        memcpy(file + t.offset + rows[i].offset, &rows[i].bits, (size_t)rows[i].bytes);
        in.memory = file;
        in.bytes = n;
        mp.input = &in;
        check_status(slm_model_open(&m, "m.gguf", &mp, &err), SLM_E_NUMERIC, &err);
        assert_null(m);
        check_text(&err, "m.gguf: tensor 'blk.0.attn_q.weight': ");
        check_text(&err, rows[i].where);

        const char *path = test_path("bad.gguf"), *to = test_path("bad.slm");
        test_file_write(path, file, n);
        check_status(slm_pack_file(path, to, NULL, &err), SLM_E_NUMERIC, &err);
        check_text(&err, name);
        check_text(&err, rows[i].where);
        q.type = "q8_0";
        check_status(slm_quantize_file(path, to, &q, &err), SLM_E_NUMERIC, &err);
        check_text(&err, name);

        /* reading it, and for inspection as it is stored */
        slm_file_params fp = SLM_FILE_PARAMS_INIT;
        slm_file *f = NULL;
        static float values[64 * 64];
        check_status(slm_file_open(&f, path, &fp, &err), SLM_OK, &err);
        check_status(slm_file_read(f, index, values, COUNT(values), &err), SLM_E_NUMERIC, &err);
        check_text(&err, rows[i].where);
        slm_file_free(f);
        fp.allow_nonfinite = 1;
        check_status(slm_file_open(&f, path, &fp, &err), SLM_OK, &err);
        check_status(slm_file_read(f, index, values, COUNT(values), &err), SLM_OK, &err);
        size_t none = 0;
        for (size_t k = 0; k < COUNT(values); k++)
            none += isfinite(values[k]) ? 0 : 1;
        assert_true(none >= 1 && none <= 32);
        slm_file_free(f);
        free(file);
    }
}

/* By a million radians a token no angle has digits left: factors of rope that small are refused, not computed. */
static void a_rope_that_turns_too_far_is_refused(void **state)
{
    (void)state;
    static const struct { float factor; const char *text; } rows[] = {
        { 1e-30f, "m.gguf: rope: pair 1 turns by " }, { 1e-4f, "(allowed 0 to 1024 radians)" }, { 0, "tensor 'rope_freqs.weight': value 1 is 0" },
        { 1e30f, NULL }, { 1e-2f, NULL },
    };
    NEEDS_SHARED;
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        slm_model *m = NULL;
        slm_model_params p = SLM_MODEL_PARAMS_INIT;
        slm_input in = SLM_INPUT_INIT;
        size_t n, index;
        uint8_t *file = test_file_read(SHARED "models/golden/llama-llama3rope.gguf", &n);
        const slm_tensor_info t = find(file, n, "rope_freqs.weight", &index);
        memcpy(file + t.offset + 4, &rows[i].factor, 4);
        in.memory = file;
        in.bytes = n;
        p.input = &in;
        check_status(slm_model_open(&m, "m.gguf", &p, &err), rows[i].text ? SLM_E_FORMAT : SLM_OK, &err);
        if (rows[i].text)
            check_text(&err, rows[i].text);
        slm_model_free(m);
        free(file);
    }
}

/* ---- activations ---- */

/* Token 99 has a row beyond what a norm can take: the call names where, and the session is as before and goes on. */
static void an_activation_that_is_no_number_names_layer_and_position(void **state)
{
    (void)state;
    slm_error err = { 0 };
    size_t n, index;
    uint8_t *file = tiny_file(1, "f32", &n);
    const slm_tensor_info t = find(file, n, "token_embd.weight", &index);
    for (size_t k = 0; k < 64; k++) {
        const float huge = k % 2 ? 3e38f : -3e38f;
        memcpy(file + t.offset + (99 * 64 + k) * 4, &huge, 4);
    }
    slm_model *m = tiny_open_file(file, n, NULL);
    free(file);
    slm_session *s = tiny_session(m, 64), *same = tiny_session(m, 64);
    const int32_t first[] = { 1, 2, 3 }, bad[] = { 4, 5, 99, 6 }, then[] = { 7, 8 };
    check_status(slm_session_feed(s, first, 3, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, bad, 4, &err), SLM_E_NUMERIC, &err);
    check_text(&err, "layer 0");
    check_text(&err, "position 5");
    assert_int_equal(slm_session_position(s), 3);
    check_status(slm_session_feed(s, then, 2, &err), SLM_OK, &err);
    check_status(slm_session_feed(same, first, 3, &err), SLM_OK, &err);
    check_status(slm_session_feed(same, then, 2, &err), SLM_OK, &err);
    assert_memory_equal(slm_session_logits(s), slm_session_logits(same), TINY_VOCAB * sizeof(float));
    slm_session_free(s);
    slm_session_free(same);
    slm_model_free(m);
}

/* ---- a row of logits ---- */

static slm_status pick(const float *z, size_t n, const slm_sampling *how, uint64_t position, int32_t *token, slm_error *err)
{
    *token = 77;
    const slm_status status = slm_sample(token, z, n, how, position, err);
    if (status)
        assert_int_equal(*token, 77);
    return status;
}

static void where_no_token_is_allowed_the_message_says_so(void **state)
{
    (void)state;
    static const float z[4] = { 1, 2, 3, 4 };
    static const slm_bias all[4] = { { 0, -INFINITY }, { 1, -INFINITY }, { 2, -INFINITY }, { 3, -INFINITY } };
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    int32_t token;
    how.bias = all;
    for (int t = 0; t < 2; t++) {
        how.temperature = (float)t;
        how.n_bias = 4;
        check_status(pick(z, 4, &how, 0, &token, &err), SLM_E_NUMERIC, &err);
        check_text(&err, "no token of 4 is allowed");
        how.n_bias = 3;                                 /* -infinity forbids; what is left is taken */
        check_status(pick(z, 4, &how, 0, &token, &err), SLM_OK, &err);
        assert_int_equal(token, 3);
    }
}

/* exp(-inf) is 0 and no NaN; +inf and NaN are no logits. */
static void minus_infinity_is_probability_zero_and_the_others_are_errors(void **state)
{
    (void)state;
    static const float none[] = { NAN, INFINITY };
    float z[4] = { 1, -INFINITY, 2, -INFINITY };
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    int32_t token;
    double nats, total = 0;
    how.temperature = 100;
    for (uint64_t i = 0; i < 200; i++) {
        check_status(pick(z, 4, &how, i, &token, &err), SLM_OK, &err);
        assert_true(token == 0 || token == 2);
    }
    for (int32_t i = 0; i < 4; i++) {
        check_status(slm_logits_score(z, 4, i, &nats, &err), SLM_OK, &err);
        assert_true(i % 2 ? nats == -INFINITY : isfinite(nats));        /* -inf only where the probability is zero */
        total += exp(nats);
    }
    assert_true(fabs(total - 1) < 1e-6);
    for (size_t i = 0; i < COUNT(none); i++) {
        z[1] = none[i];
        slm_scored top[2];
        slm_token_score score;
        check_status(pick(z, 4, &how, 0, &token, &err), SLM_E_NUMERIC, &err);
        check_text(&err, "a logit of 4 is NaN or infinite");
        check_status(pick(z, 4, NULL, 0, &token, &err), SLM_E_NUMERIC, &err);
        check_status(slm_logits_score(z, 4, 0, &nats, &err), SLM_E_NUMERIC, &err);
        check_status(slm_logits_top(z, 4, top, 2, &err), SLM_E_NUMERIC, &err);
        check_status(slm_token_measure(&score, z, 4, 0, &err), SLM_E_NUMERIC, &err);
    }
}

/* ---- settings ---- */

static void temperatures_that_are_none_are_greedy_or_refused(void **state)
{
    (void)state;
    static const float z[4] = { 1, 5, 5, 4 };
    static const struct { float temperature; slm_status status; } rows[] = {
        { 0, SLM_OK }, { -0.0f, SLM_OK }, { 1e-6f, SLM_OK }, { 1e-40f, SLM_OK }, { -1, SLM_E_ARG }, { -1e-6f, SLM_E_ARG }, { NAN, SLM_E_ARG },
        { INFINITY, SLM_E_ARG }, { -INFINITY, SLM_E_ARG },
    };
    slm_error err = { 0 };
    slm_sampling how = SLM_SAMPLING_INIT;
    int32_t token;
    for (size_t i = 0; i < COUNT(rows); i++) {
        how.temperature = rows[i].temperature;
        check_status(pick(z, 4, &how, i, &token, &err), rows[i].status, &err);
        if (rows[i].status)
            check_text(&err, "temperature is ");
        else
            assert_int_equal(token, 1);                 /* the highest, the lowest id on ties */
    }
}

/* Whether a filter is off, takes one token, or is refused. */
static void filters_are_off_or_leave_one_token(void **state)
{
    (void)state;
    enum { OFF, ONE, REFUSED };
    static const float z[4] = { 1, 1.5f, 1.2f, 1.1f };
    static const struct { float top_p, min_p, typical_p; uint32_t top_k; int is; const char *names; } rows[] = {
        { 0, 0, 0, 0, OFF, NULL },       { 0, 0, 0, 4, OFF, NULL },        { 0, 0, 0, UINT32_MAX, OFF, NULL }, { 1, 0, 0, 0, OFF, NULL },
        { 7, 0, 0, 0, OFF, NULL },       { INFINITY, 0, 0, 0, OFF, NULL }, { 0, 0, 1, 0, OFF, NULL },          { 0, 0, 0, 1, ONE, NULL },
        { -1, 0, 0, 0, ONE, NULL },      { 1e-30f, 0, 0, 0, ONE, NULL },   { -INFINITY, 0, 0, 0, ONE, NULL },  { 0, 1, 0, 0, ONE, NULL },
        { NAN, 0, 0, 0, REFUSED, "top_p" }, { 0, NAN, 0, 0, REFUSED, "min_p" }, { 0, 0, NAN, 0, REFUSED, "typical_p" },
        { 0, 1.5f, 0, 0, REFUSED, "min_p" }, { 0, -1, 0, 0, REFUSED, "min_p" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        slm_sampling how = SLM_SAMPLING_INIT, plain = SLM_SAMPLING_INIT;
        how.temperature = plain.temperature = 1;
        how.top_p = rows[i].top_p;
        how.min_p = rows[i].min_p;
        how.typical_p = rows[i].typical_p;
        how.top_k = rows[i].top_k;
        for (uint64_t at = 0; at < 100; at++) {
            int32_t token, other;
            check_status(pick(z, 4, &how, at, &token, &err), rows[i].is == REFUSED ? SLM_E_ARG : SLM_OK, &err);
            if (rows[i].is == REFUSED) {
                check_text(&err, rows[i].names);
                break;
            }
            check_status(pick(z, 4, &plain, at, &other, &err), SLM_OK, &err);
            assert_int_equal(token, rows[i].is == ONE ? 1 : other);
        }
    }
}

static void penalties_and_bias_are_bounded(void **state)
{
    (void)state;
    static const float z[4] = { 1, 2, 3, 4 }, none[] = { NAN, INFINITY, -INFINITY, 101, -101 };
    static const int32_t recent[] = { 3, 3 };
    const struct { const char *name; size_t at; } settings[] = {
        { "repeat_penalty", offsetof(slm_sampling, repeat_penalty) }, { "frequency_penalty", offsetof(slm_sampling, frequency_penalty) },
        { "presence_penalty", offsetof(slm_sampling, presence_penalty) }, { "dry_multiplier", offsetof(slm_sampling, dry_multiplier) },
        { "dry_base", offsetof(slm_sampling, dry_base) },
    };
    slm_error err = { 0 };
    int32_t token;
    for (size_t i = 0; i < COUNT(settings); i++)
        for (size_t k = 0; k < COUNT(none); k++) {
            slm_sampling how = SLM_SAMPLING_INIT;
            how.recent = recent;
            how.n_recent = 2;
            memcpy((char *)&how + settings[i].at, &none[k], sizeof none[k]);
            check_status(pick(z, 4, &how, 0, &token, &err), SLM_E_ARG, &err);
            check_text(&err, settings[i].name);
        }
    for (size_t k = 0; k < 2; k++) {                    /* NaN, +infinity */
        const slm_bias bias = { 2, none[k] };
        slm_sampling how = SLM_SAMPLING_INIT;
        how.bias = &bias;
        how.n_bias = 1;
        check_status(pick(z, 4, &how, 0, &token, &err), SLM_E_ARG, &err);
        check_text(&err, "bias");
    }
}

/* ---- nothing at all ---- */

static void what_is_empty_has_a_documented_end(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const slm_tokenizer *t = slm_model_tokenizer(parrot);
    slm_session *s = NULL;
    slm_constraint *c = NULL;
    slm_scored top[8];
    int32_t ids[4], none[1] = { 0 };
    size_t n = 9;
    char text[8];
    static const float z[4] = { 1, 2, 3, 4 };
    check_status(slm_tokenizer_encode(t, ids, 4, &n, "", 0, 0, &err), SLM_OK, &err);
    assert_int_equal(n, 0);
    check_status(slm_tokenizer_decode(t, text, sizeof text, &n, none, 0, 0, &err), SLM_OK, &err);
    assert_int_equal(n, 0);
    check_status(slm_constraint_choice(&c, t, NULL, 0, &err), SLM_E_ARG, &err);
    check_status(slm_logits_top(z, 4, top, 8, &err), SLM_E_ARG, &err);       /* k > n */
    check_status(slm_session_new(&s, parrot, NULL, &err), SLM_OK, &err);
    check_status(slm_session_feed(s, none, 0, &err), SLM_E_ARG, &err);
    check_status(slm_session_generate(s, NULL, NULL, &err), SLM_E_STATE, &err);     /* nothing was fed: there is no row to go on from */
    assert_int_equal(slm_session_position(s), 0);
    slm_session_free(s);
    check_status(slm_sample(ids, z, 0, NULL, 0, &err), SLM_E_ARG, &err);
}

/* All states of this encoder are zero: its last norm says so. The vector is zeros, not 0/0. */
static void a_vector_without_length_is_zeros(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_encoder *e = NULL;
    size_t n, index;
    float vector[64];
    uint8_t *file = tiny_encoder_file(3, "f32", SLM_POOLING_MEAN, &n);
    static const char *const last[] = { "blk.1.layer_output_norm.weight", "blk.1.layer_output_norm.bias" };
    for (size_t i = 0; i < COUNT(last); i++) {
        const slm_tensor_info t = find(file, n, last[i], &index);
        memset(file + t.offset, 0, 64 * sizeof(float));
    }
    slm_model *m = tiny_open_file(file, n, NULL);
    free(file);
    check_status(slm_encoder_new(&e, m, NULL, &err), SLM_OK, &err);
    memset(vector, 0xc3, sizeof vector);
    slm_embed_item item = { "a b", 3, NULL, 0, vector, NULL, SLM_OK, 0 };
    check_status(slm_embed(e, &item, 1, NULL, &err), SLM_OK, &err);
    for (size_t k = 0; k < 64; k++)
        assert_true(vector[k] == 0);
    slm_encoder_free(e);
    slm_model_free(m);
}

/* ---- from numbers to integers ---- */

/* A float where an integer stands is none, whatever its value: nothing from a file is cast to an integer. */
static void a_float_is_no_integer(void **state)
{
    (void)state;
    static const uint32_t bits[] = { 0x40000000 /* 2 */, 0x7fc00000, 0x7f800000, 0xff800000, 0x4f800000 /* 2^32 */ };
    static const char key[] = "llama.block_count";
    for (size_t i = 0; i < COUNT(bits); i++) {
        slm_error err = { 0 };
        slm_model *m = NULL;
        slm_model_params p = SLM_MODEL_PARAMS_INIT;
        slm_input in = SLM_INPUT_INIT;
        const uint32_t f32 = SLM_KEY_F32;
        size_t n;
        uint8_t *file = tiny_file(1, "q8_0", &n), *at = memmem(file, n, key, sizeof key - 1);
        assert_non_null(at);
        memcpy(at + sizeof key - 1, &f32, 4);
        memcpy(at + sizeof key + 3, &bits[i], 4);
        in.memory = file;
        in.bytes = n;
        p.input = &in;
        check_status(slm_model_open(&m, "m.gguf", &p, &err), SLM_E_FORMAT, &err);
        check_text(&err, key);
        free(file);
    }
}

static int open_parrot(void **state)
{
    static const char *const pieces[] = { "The", " cat" };
    (void)state;
    parrot = parrot_open(pieces, 2);
    return 0;
}

static int close_parrot(void **state)
{
    slm_model_free(parrot);
    return test_folder_remove(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_that_is_no_number_is_an_error_that_names_its_block),
        cmocka_unit_test(a_rope_that_turns_too_far_is_refused),
        cmocka_unit_test(an_activation_that_is_no_number_names_layer_and_position),
        cmocka_unit_test(where_no_token_is_allowed_the_message_says_so),
        cmocka_unit_test(minus_infinity_is_probability_zero_and_the_others_are_errors),
        cmocka_unit_test(temperatures_that_are_none_are_greedy_or_refused),
        cmocka_unit_test(filters_are_off_or_leave_one_token),
        cmocka_unit_test(penalties_and_bias_are_bounded),
        cmocka_unit_test(what_is_empty_has_a_documented_end),
        cmocka_unit_test(a_vector_without_length_is_zeros),
        cmocka_unit_test(a_float_is_no_integer),
    };
    return cmocka_run_group_tests_name("numbers", tests, open_parrot, close_parrot) != 0;
}
