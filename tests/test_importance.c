/* test_importance.c -- what a text says about the channels of a model, and what the quantizers make of it. */
#include "files.h"

#include "core/random.h"
#include "model/importance.h"
#include "quant/type.h"

#include <math.h>

#define STORIES SHARED "models/stories260k/stories260K.gguf"

enum { COLS = 256, ROWS = 8 };

static void means_are_of_all_rows_and_no_channel_is_lost(void **state)
{
    (void)state;
    const slm_config config = { .layers = 2, .embedding = 4, .heads = 1, .head_size = 2, .feed_forward = 8 };
    const float x[2][5] = { { 1, 2, 0, -3, 99 }, { 3, -2, 0, 1, 99 } };     /* the last is between rows */
    slm_importance *m = NULL;
    assert_int_equal(slm_importance_new(&m, &config, NULL, 0, NULL), SLM_OK);
    slm_importance_add(m, 0, SLM_INPUT_ATTENTION, 0, 4, x[0], 5, 1);
    slm_importance_add(m, 0, SLM_INPUT_ATTENTION, 0, 4, x[1], 5, 1);
    slm_importance_finish(m);
    const float *mean = slm_importance_of(m, "blk.0.attn_v.weight", 4);
    assert_non_null(mean);
    assert_true(mean[0] == 5 && mean[1] == 4 && mean[3] == 5);
    assert_true(fabsf(mean[2] - 3.5e-3f) < 1e-6f);                         /* a thousandth of the mean of the four */
    assert_true(slm_importance_of(m, "blk.1.ffn_down.weight", 8)[7] == 1);  /* never seen: all alike */
    assert_null(slm_importance_of(m, "blk.0.attn_v.weight", 8));
    assert_null(slm_importance_of(m, "blk.2.attn_v.weight", 4));
    assert_null(slm_importance_of(m, "blk.0.attn_norm.weight", 4));
    assert_null(slm_importance_of(m, "token_embd.weight", 4));
    assert_null(slm_importance_of(NULL, "blk.0.attn_v.weight", 4));
    slm_importance_free(m);
}

/* The error of what matters falls for every type that can choose. */
static void weighed_errors_are_smaller_where_it_matters(void **state)
{
    (void)state;
    static float x[ROWS * COLS], importance[ROWS * COLS], plain[ROWS * COLS], weighed[ROWS * COLS];
    static uint8_t bytes[ROWS * COLS * 4];
    const slm_type *type;
    size_t choosing = 0;
    for (size_t i = 0; i < ROWS * COLS; i++) {
        x[i] = (float)(slm_random_unit(3, i) - 0.5);
        importance[i] = i % 16 == 5 ? 100.0f : 0.1f;
    }
    for (size_t t = 0; (type = slm_type_at(t)) != NULL; t++) {
        if (!type->weigh)
            continue;
        double before = 0, after = 0;
        type->quantize(bytes, x, ROWS * COLS);
        type->dequantize(plain, bytes, ROWS * COLS);
        type->weigh(bytes, x, importance, ROWS * COLS);
        type->dequantize(weighed, bytes, ROWS * COLS);
        for (size_t i = 0; i < ROWS * COLS; i++) {
            before += (double)importance[i] * ((double)plain[i] - (double)x[i]) * ((double)plain[i] - (double)x[i]);
            after += (double)importance[i] * ((double)weighed[i] - (double)x[i]) * ((double)weighed[i] - (double)x[i]);
        }
        if (!(after < before))
            fail_msg("%s: weighed error %g, without weights %g", type->name, after, before);
        choosing++;
    }
    assert_int_equal(choosing, 11);
}

static int stop(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    return done <= total;
}

static void threads_do_not_show_and_errors_are_said(void **state)
{
    (void)state;
    NEEDS_SHARED;
    int32_t tokens[700];
    slm_importance *m[2] = { NULL, NULL };
    slm_model *model = NULL;
    slm_error err = { 0 };
    for (size_t i = 0; i < COUNT(tokens); i++)
        tokens[i] = (int32_t)(3 + i * 7 % 500);
    for (uint32_t i = 0; i < 2; i++) {
        slm_model_params params = SLM_MODEL_PARAMS_INIT;
        params.threads = 1 + 2 * i;
        params.isa = i ? SLM_ISA_SCALAR : 0;
        assert_int_equal(slm_model_open(&model, STORIES, &params, &err), SLM_OK);
        assert_int_equal(slm_importance_measure(&m[i], model, tokens, COUNT(tokens), NULL, &err), SLM_OK);
        slm_model_free(model);
    }
    assert_memory_equal(slm_importance_of(m[0], "blk.4.attn_output.weight", 64), slm_importance_of(m[1], "blk.4.attn_output.weight", 64), 256);
    assert_memory_equal(slm_importance_of(m[0], "blk.0.ffn_down.weight", 172), slm_importance_of(m[1], "blk.0.ffn_down.weight", 172), 688);
    slm_importance_free(m[0]);
    slm_importance_free(m[1]);

    slm_importance *none = NULL;
    slm_importance_params params = SLM_IMPORTANCE_PARAMS_INIT;
    assert_int_equal(slm_model_open(&model, STORIES, NULL, &err), SLM_OK);
    assert_int_equal(slm_importance_measure(&none, model, tokens, 0, NULL, &err), SLM_E_ARG);
    tokens[600] = 512;
    assert_int_equal(slm_importance_measure(&none, model, tokens, COUNT(tokens), NULL, &err), SLM_E_ARG);
    params.progress = stop;
    assert_int_equal(slm_importance_measure(&none, model, tokens, 10, &params, &err), SLM_E_CALLBACK);
    params.progress = NULL;
    params.memory_limit = 4096;
    assert_int_equal(slm_importance_measure(&none, model, tokens, 10, &params, &err), SLM_E_MEMORY);
    assert_null(none);
    slm_importance_free(NULL);
    slm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_of_all_rows_and_no_channel_is_lost),
        cmocka_unit_test(weighed_errors_are_smaller_where_it_matters),
        cmocka_unit_test(threads_do_not_show_and_errors_are_said),
    };
    return cmocka_run_group_tests_name("importance", tests, NULL, NULL) != 0;
}
