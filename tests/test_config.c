/* test_config.c -- the numbers of a model by its family's row: defaults, keys that replace them, relations that do not hold. */
#include "harness/test.h"
#include "model/config.h"

#include <stdio.h>

typedef struct setting {
    const char *name;           /* after "ARCH." */
    enum { END, U32, F32, STR, BOOLS, FLAG, TYPES } type;      /* TYPES: tokenizer.ggml.token_type_count */
    double value;
    const char *text;           /* of STR; of BOOLS: a digit for each layer */
} setting;

enum { MOST = 8 };

/* A file of a family with the required keys (7 layers, 4 heads of 16) and these, which replace those of the same name. */
static slm_status read(slm_config *c, const char *family, const setting *set, slm_error *err)
{
    static const setting required[] = {
        { "context_length", U32, 256, NULL },      { "embedding_length", U32, 64, NULL },     { "block_count", U32, 7, NULL },
        { "feed_forward_length", U32, 96, NULL },  { "attention.head_count", U32, 4, NULL },
        { "attention.layer_norm_rms_epsilon", F32, 1e-5, NULL }, { "attention.layer_norm_epsilon", F32, 1e-3, NULL },
        { NULL, END, 0, NULL },
    };
    static const uint8_t token[] = { 1, 0, 0, 0, 0, 0, 0, 0, 'a' };
    slm_heap heap;
    char path[] = "m.gguf";
    slm_heap_init(&heap, NULL, 0);
    slm_file file = { .heap = &heap, .path = path };
    slm_keys_init(&file.keys, &heap, path);
    slm_status status = slm_keys_add_str(&file.keys, "general.architecture", family, err);
    if (!status)
        status = slm_keys_add(&file.keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, 1, token, sizeof token, err);
    for (size_t pass = 0; pass < 2; pass++)
        for (const setting *s = pass ? set : required; !status && s->type != END; s++) {
            char key[128];
            (void)snprintf(key, sizeof key, "%s.%s", family, s->name);
            if (s->type == U32)
                status = slm_keys_add_u32(&file.keys, key, (uint32_t)s->value, err);
            else if (s->type == F32)
                status = slm_keys_add_f32(&file.keys, key, (float)s->value, err);
            else if (s->type == FLAG)
                status = slm_keys_add_bool(&file.keys, key, s->value != 0, err);
            else if (s->type == TYPES)
                status = slm_keys_add_u32(&file.keys, "tokenizer.ggml.token_type_count", (uint32_t)s->value, err);
            else if (s->type == STR)
                status = slm_keys_add_str(&file.keys, key, s->text, err);
            else {
                uint8_t bools[32];
                const size_t n = strlen(s->text);
                for (size_t i = 0; i < n; i++)
                    bools[i] = s->text[i] == '1';
                status = slm_keys_add(&file.keys, key, SLM_KEY_BOOL, true, n, bools, n, err);
            }
        }
    if (!status)
        status = slm_config_read(c, &file, err);
    slm_keys_free(&file.keys);
    return status;
}

static slm_config good(const char *family, const setting *set)
{
    slm_config c;
    slm_error err = { 0 };
    check_status(read(&c, family, set, &err), SLM_OK, &err);
    return c;
}

/* Which layers are windowed, a digit each. */
static void check_windowed(const slm_config *c, const char *want)
{
    char got[8] = "";
    for (size_t i = 0; i < c->layers; i++)
        got[i] = slm_config_windowed(c, i) ? '1' : '0';
    if (strcmp(got, want) != 0)
        fail_msg("%s: windowed layers %s, want %s", c->arch->name, got, want);
}

static const setting none[] = { { NULL, END, 0, NULL } };

static void every_family_is_found_by_its_name(void **state)
{
    (void)state;
    static const char *const names[] = { "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi2", "phi3", "smollm3", "gpt2", "olmo2",
                                         "stablelm", "starcoder2" };
    for (size_t i = 0; i < COUNT(names); i++) {
        const slm_config c = good(names[i], none);
        assert_string_equal(c.arch->name, names[i]);
        assert_true(strstr(slm_arch_names(), names[i]) != NULL);
        assert_true(c.score_scale == 0.25f && c.logit_scale == 1 && c.residual_scale == 1);
        assert_int_equal(c.rope_size, strcmp(names[i], "gpt2") == 0 ? 0 : 16);
        assert_true(c.norm_eps == (c.arch->norm == SLM_NORM_LAYER ? 1e-3f : 1e-5f));
    }
    slm_config c;
    slm_error err = { 0 };
    check_status(read(&c, "mamba", none, &err), SLM_E_UNSUPPORTED, &err);
    check_text(&err, "mamba");
    check_text(&err, "gemma3");
}

static void windows_follow_pattern_and_keys(void **state)
{
    (void)state;
    static const struct { const char *family; setting set[MOST]; uint32_t window; const char *windowed; double local_base; } rows[] = {
        { "llama", { { "attention.sliding_window", U32, 8, NULL } }, 0, "0000000", 0 },
        { "gemma2", { { NULL, END, 0, NULL } }, 4096, "1010101", 0 },
        { "gemma2", { { "attention.sliding_window", U32, 0, NULL } }, 0, "0000000", 0 },
        { "gemma3", { { NULL, END, 0, NULL } }, 0, "0000000", 0 },
        { "gemma3", { { "attention.sliding_window", U32, 8, NULL } }, 8, "1111101", 10000 },
        { "gemma3", { { "attention.sliding_window", U32, 8, NULL }, { "attention.sliding_window_pattern", U32, 3, NULL },
                      { "rope.freq_base_swa", F32, 500, NULL } }, 8, "1101101", 500 },
        { "gemma3", { { "attention.sliding_window", U32, 8, NULL }, { "attention.sliding_window_pattern", U32, 1, NULL } }, 8, "0000000", 10000 },
        { "gemma3", { { "attention.sliding_window", U32, 8, NULL }, { "attention.sliding_window_pattern", BOOLS, 0, "0110010" } }, 8,
          "0110010", 10000 },
        { "phi3", { { "attention.sliding_window", U32, 10, NULL } }, 10, "1111111", 0 },
        { "olmo2", { { "attention.sliding_window", U32, 10, NULL }, { "rope.freq_base", F32, 777, NULL } }, 10, "1110111", 777 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const slm_config c = good(rows[i].family, rows[i].set);
        assert_int_equal(c.window, rows[i].window);
        check_windowed(&c, rows[i].windowed);
        assert_true(c.local_base == rows[i].local_base);
    }
}

static void caps_and_scales_come_from_row_and_keys(void **state)
{
    (void)state;
    static const setting caps[] = { { "attn_logit_softcapping", F32, 20, NULL }, { "final_logit_softcapping", F32, 10, NULL },
                                    { NULL, END, 0, NULL } };
    static const setting scales[] = { { "embedding_scale", F32, 6, NULL }, { "residual_scale", F32, 0.5, NULL },
                                      { "attention.scale", F32, 0.375, NULL }, { "logit_scale", F32, 2.5, NULL }, { NULL, END, 0, NULL } };
    static const setting wide[] = { { "block_count", U32, 46, NULL }, { "attention.key_length", U32, 64, NULL }, { NULL, END, 0, NULL } };
    slm_config c = good("gemma2", none);
    assert_true(c.score_cap == 50 && c.logit_cap == 30 && c.embedding_scale == 8);
    c = good("gemma2", caps);
    assert_true(c.score_cap == 20 && c.logit_cap == 10);
    c = good("gemma3", caps);
    assert_true(c.score_cap == 0 && c.logit_cap == 10);
    c = good("llama", caps);
    assert_true(c.score_cap == 0 && c.logit_cap == 0 && c.embedding_scale == 1);
    c = good("granite", scales);
    assert_true(c.embedding_scale == 6 && c.residual_scale == 0.5f && c.score_scale == 0.375f && c.logit_scale == 2.5f);
    c = good("granite", scales + 3);
    assert_true(c.embedding_scale == 1 && c.residual_scale == 1 && c.score_scale == 0.25f);
    assert_true(good("gemma2", wide).score_scale == 0.25f);             /* width / heads = 16 */
    assert_true(good("gemma3", wide).score_scale == 0.125f);            /* 62 layers would */
}

static void longrope_is_decided_by_the_context_of_the_session(void **state)
{
    (void)state;
    static const setting set[] = { { "rope.scaling.type", STR, 0, "longrope" }, { "rope.scaling.original_context_length", U32, 96, NULL },
                                   { "rope.scaling.attn_factor", F32, 1.25, NULL }, { NULL, END, 0, NULL } };
    const slm_config c = good("phi3", set);
    double w[8], m;
    const float factors[8] = { 2, 1, 1, 1, 1, 1, 1, 4 };
    assert_int_equal(slm_config_rope_long(&c, 96), SLM_ROPE_MAIN);
    assert_int_equal(slm_config_rope_long(&c, 97), SLM_ROPE_LONG);
    slm_config_rope(&c, SLM_ROPE_LONG, factors, w, &m);
    assert_true(m == 1.25 && w[0] == 0.5);
    const slm_config plain = good("phi3", none);
    assert_int_equal(slm_config_rope_long(&plain, 100000), SLM_ROPE_MAIN);
}

static void what_does_not_fit_is_refused_by_key(void **state)
{
    (void)state;
    static const struct { const char *family; setting set[MOST]; slm_status want; const char *text; } rows[] = {
        { "llama", { { "rope.dimension_count", U32, 8, NULL } }, SLM_E_FORMAT, "llama.rope.dimension_count" },
        { "phi2", { { "rope.dimension_count", U32, 18, NULL } }, SLM_E_FORMAT, "phi2.rope.dimension_count" },
        { "phi2", { { "rope.dimension_count", U32, 0, NULL } }, SLM_E_FORMAT, "phi2.rope.dimension_count" },
        { "phi2", { { "rope.dimension_count", U32, 7, NULL } }, SLM_E_FORMAT, "odd" },
        { "llama", { { "rope.scaling.type", STR, 0, "longrope" } }, SLM_E_UNSUPPORTED, "longrope" },
        { "granite", { { NULL, END, 0, NULL } }, SLM_E_FORMAT, "granite.logit_scale" },
        { "gemma2", { { "final_logit_softcapping", F32, -1, NULL } }, SLM_E_FORMAT, "gemma2.final_logit_softcapping" },
        { "gemma3", { { "attention.sliding_window", U32, 8, NULL }, { "attention.sliding_window_pattern", BOOLS, 0, "011" } }, SLM_E_FORMAT,
          "gemma3.attention.sliding_window_pattern" },
        { "gpt2", { { "attention.layer_norm_epsilon", F32, 0, NULL } }, SLM_E_FORMAT, "gpt2.attention.layer_norm_epsilon" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_config c;
        slm_error err = { 0 };
        check_status(read(&c, rows[i].family, rows[i].set, &err), rows[i].want, &err);
        check_text(&err, rows[i].text);
    }
    assert_int_equal(good("phi2", (const setting[]){ { "rope.dimension_count", U32, 6, NULL }, { NULL, END, 0, NULL } }).rope_size, 6);
}

static void encoders_have_numbers_of_their_own(void **state)
{
    (void)state;
    const setting two[] = { { "", TYPES, 2, NULL }, { "pooling_type", U32, 2, NULL }, { "attention.causal", FLAG, 0, NULL }, { NULL, END, 0, NULL } };
    const slm_config bert = good("bert", two), nomic = good("nomic-bert", two);
    assert_true(bert.arch->encoder && bert.token_types == 2 && bert.pooling == 2 && bert.ffn == SLM_FFN_GELU_ERF && bert.rope_size == 0);
    assert_true(nomic.rope_size == 16 && nomic.ffn == SLM_FFN_SILU);
    const slm_config modern = good("modern-bert", (const setting[]){ { "attention.sliding_window", U32, 10, NULL },
                                                                     { "rope.freq_base", F32, 160000, NULL }, { NULL, END, 0, NULL } });
    check_windowed(&modern, "0110110");
    assert_true(modern.window == 10 && modern.rope_base == 160000 && modern.local_base == 10000 && modern.ffn == SLM_FFN_GELU_ERF_GATED);
    assert_int_equal(good("modern-bert", (const setting[]){ { "hidden_activation", STR, 0, "silu" }, { NULL, END, 0, NULL } }).ffn, SLM_FFN_SILU);
    const slm_config t5 = good("t5encoder", (const setting[]){ { "attention.relative_buckets_count", U32, 32, NULL }, { NULL, END, 0, NULL } });
    assert_true(t5.score_scale == 1 && t5.ffn == SLM_FFN_RELU && t5.buckets == 32);

    static const struct { const char *family; setting set[MOST]; slm_status want; const char *text; } rows[] = {
        { "bert", { { NULL, END, 0, NULL } }, SLM_E_FORMAT, "tokenizer.ggml.token_type_count" },
        { "bert", { { "", TYPES, 1025, NULL } }, SLM_E_FORMAT, "1025" },
        { "bert", { { "", TYPES, 2, NULL }, { "pooling_type", U32, 5, NULL } }, SLM_E_FORMAT, "bert.pooling_type" },
        { "bert", { { "", TYPES, 2, NULL }, { "attention.causal", FLAG, 1, NULL } }, SLM_E_UNSUPPORTED, "bert.attention.causal" },
        { "llama", { { "attention.causal", FLAG, 0, NULL } }, SLM_E_UNSUPPORTED, "llama.attention.causal" },
        { "modern-bert", { { "hidden_activation", STR, 0, "relu" } }, SLM_E_UNSUPPORTED, "'relu'" },
        { "t5encoder", { { NULL, END, 0, NULL } }, SLM_E_FORMAT, "t5encoder.attention.relative_buckets_count" },
        { "t5encoder", { { "attention.relative_buckets_count", U32, 3, NULL } }, SLM_E_FORMAT, "is 3 (allowed 4 .. 256)" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_config c;
        slm_error err = { 0 };
        check_status(read(&c, rows[i].family, rows[i].set, &err), rows[i].want, &err);
        check_text(&err, rows[i].text);
    }
}

/* 32 buckets: one for each distance up to 7, then by the logarithm; those of keys behind the query are the upper half. */
static void distances_fall_into_buckets(void **state)
{
    (void)state;
    static const struct { uint32_t distance, bucket; } rows[] = {
        { 0, 0 }, { 1, 1 }, { 7, 7 }, { 8, 8 }, { 11, 8 }, { 12, 9 }, { 15, 9 }, { 16, 10 }, { 22, 10 }, { 23, 11 }, { 31, 11 }, { 32, 12 },
        { 45, 12 }, { 46, 13 }, { 63, 13 }, { 64, 14 }, { 90, 14 }, { 91, 15 }, { 127, 15 }, { 128, 15 }, { 100000, 15 },
    };
    const slm_config t5 = good("t5encoder", (const setting[]){ { "attention.relative_buckets_count", U32, 32, NULL }, { NULL, END, 0, NULL } });
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(slm_config_bucket(&t5, rows[i].distance, false), rows[i].bucket);
        assert_int_equal(slm_config_bucket(&t5, rows[i].distance, true), rows[i].bucket + 16);
    }
}

/* Skipped without the golden models: learned positions end where their table does, however long the session. */
static void learned_positions_have_an_end(void **state)
{
    (void)state;
    static const char path[] = "../shared/models/golden/gpt2.gguf";
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_session *session = NULL;
    int32_t tokens[257] = { 0 };
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    sp.context = 300;
    if (slm_model_open(&model, path, NULL, &err) == SLM_E_IO) {
        print_message("skipped: no ../shared\n");
        return;
    }
    check_status(slm_session_new(&session, model, &sp, &err), SLM_OK, &err);
    check_status(slm_session_feed(session, tokens, 257, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "256");
    check_status(slm_session_feed(session, tokens, 256, &err), SLM_OK, &err);
    check_status(slm_session_feed(session, tokens, 1, &err), SLM_E_CONTEXT, &err);
    slm_session_free(session);
    slm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_is_found_by_its_name),
        cmocka_unit_test(windows_follow_pattern_and_keys),
        cmocka_unit_test(caps_and_scales_come_from_row_and_keys),
        cmocka_unit_test(longrope_is_decided_by_the_context_of_the_session),
        cmocka_unit_test(what_does_not_fit_is_refused_by_key),
        cmocka_unit_test(encoders_have_numbers_of_their_own),
        cmocka_unit_test(distances_fall_into_buckets),
        cmocka_unit_test(learned_positions_have_an_end),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL) != 0;
}
