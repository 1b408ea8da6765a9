/* test_header.c -- the public header as a caller sees it: it is the first and only thing included here that could hide a missing
 * include, sizes that are promises, and initialisers that set every field. (That it compiles alone as C99, C11 and C++11:
 * `make check-header`.) */
#include "slm.h"

#include "harness/test.h"
#include "slm_remote.h"

_Static_assert(sizeof(slm_error) == 512, "the error struct has its size for ever");
_Static_assert(sizeof(slm_status) == 4, "the enum is an int");
_Static_assert(offsetof(slm_error, text) == 16, "the fields of the error struct stay where they are");

/* Every struct that starts with a size: its INIT says that size, and the rest is all zero bytes (the defaults). A struct with hidden
 * padding would fail sooner or later: padding has no promised value. */
#define ROW(type, init) { #type, sizeof(type), &(const type)init }

static void initialisers_say_the_size_and_zero_the_rest(void **state)
{
    (void)state;
    const struct { const char *name; size_t size; const void *object; } rows[] = {
        ROW(slm_peaks, SLM_PEAKS_INIT), ROW(slm_file_params, SLM_FILE_PARAMS_INIT), ROW(slm_tensor_info, SLM_TENSOR_INFO_INIT),
        ROW(slm_key_info, SLM_KEY_INFO_INIT), ROW(slm_quantize_params, SLM_QUANTIZE_PARAMS_INIT),
        ROW(slm_tokenizer_info, SLM_TOKENIZER_INFO_INIT), ROW(slm_model_params, SLM_MODEL_PARAMS_INIT), ROW(slm_model_info, SLM_MODEL_INFO_INIT),
        ROW(slm_input, SLM_INPUT_INIT), ROW(slm_batch_params, SLM_BATCH_PARAMS_INIT), ROW(slm_plan_info, SLM_PLAN_INFO_INIT),
        ROW(slm_session_params, SLM_SESSION_PARAMS_INIT), ROW(slm_sampling, SLM_SAMPLING_INIT), ROW(slm_generate_params, SLM_GENERATE_PARAMS_INIT),
        ROW(slm_request, SLM_REQUEST_INIT), ROW(slm_confidence, SLM_CONFIDENCE_INIT), ROW(slm_reply, SLM_REPLY_INIT),
        ROW(slm_engine, SLM_ENGINE_INIT), ROW(slm_engine_local_params, SLM_ENGINE_LOCAL_PARAMS_INIT),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t size;
        memcpy(&size, rows[i].object, sizeof size);
        if (size != rows[i].size)
            fail_msg("%s: size is %zu, want %zu", rows[i].name, size, rows[i].size);
        for (size_t b = sizeof size; b < size; b++)
            if (((const uint8_t *)rows[i].object)[b])
                fail_msg("%s: byte %zu of the initialiser is not 0", rows[i].name, b);
    }
    const slm_generation g = SLM_GENERATION_INIT;
    assert_int_equal(g.size, sizeof g);
}

/* Padding inside a params struct would become a field one day and read an old caller's garbage. */
#define END(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

static void structs_end_with_their_last_field(void **state)
{
    (void)state;
    assert_int_equal(END(slm_peaks, fma_gflop_s), sizeof(slm_peaks));
    assert_int_equal(END(slm_file_params, input), sizeof(slm_file_params));
    assert_int_equal(END(slm_tensor_info, bytes), sizeof(slm_tensor_info));
    assert_int_equal(END(slm_key_info, text_len), sizeof(slm_key_info));
    assert_int_equal(END(slm_quantize_params, importance), sizeof(slm_quantize_params));
    assert_int_equal(END(slm_tokenizer_info, duplicates), sizeof(slm_tokenizer_info));
    assert_int_equal(END(slm_model_params, reserved), sizeof(slm_model_params));
    assert_int_equal(END(slm_batch_params, context), sizeof(slm_batch_params));
    assert_int_equal(END(slm_batch_item, reserved), sizeof(slm_batch_item));
    assert_int_equal(END(slm_plan_info, mapped_bytes), sizeof(slm_plan_info));
    assert_int_equal(END(slm_input, user), sizeof(slm_input));
    assert_int_equal(END(slm_model_info, encoder), sizeof(slm_model_info));
    assert_int_equal(END(slm_session_params, deadline_ms), sizeof(slm_session_params));
    assert_int_equal(END(slm_encoder_params, deadline_ms), sizeof(slm_encoder_params));
    assert_int_equal(END(slm_embed_params, flags), sizeof(slm_embed_params));
    assert_int_equal(END(slm_embed_item, reserved), sizeof(slm_embed_item));
    assert_int_equal(END(slm_sampling, guide), sizeof(slm_sampling));
    assert_int_equal(END(slm_generate_params, drafter), sizeof(slm_generate_params));
    assert_int_equal(END(slm_generation, accepted), sizeof(slm_generation));
    assert_int_equal(END(slm_executor, run), sizeof(slm_executor));
    assert_int_equal(END(slm_request, tools_len), sizeof(slm_request));
    assert_int_equal(END(slm_confidence, entropy_first), sizeof(slm_confidence));
    assert_int_equal(END(slm_reply, reserved), sizeof(slm_reply));
    assert_int_equal(END(slm_engine, release), sizeof(slm_engine));
    assert_int_equal(END(slm_engine_local_params, chat_template_len), sizeof(slm_engine_local_params));
    assert_int_equal(END(slm_message, name), sizeof(slm_message));
    assert_int_equal(END(slm_token_score, entropy), sizeof(slm_token_score));
    assert_int_equal(END(slm_label_score, reserved), sizeof(slm_label_score));
    assert_int_equal(END(slm_price, cache_write), sizeof(slm_price));
    assert_int_equal(END(slm_usage, output), sizeof(slm_usage));
    assert_int_equal(END(slm_budget_params, ceiling), sizeof(slm_budget_params));
    assert_int_equal(END(slm_budget_info, refused), sizeof(slm_budget_info));
    assert_int_equal(END(slm_engine_escalate_params, reserved), sizeof(slm_engine_escalate_params));
    assert_int_equal(END(slm_engine_remote_params, log), sizeof(slm_engine_remote_params));
    assert_int_equal(END(slm_remote_statistics, estimated), sizeof(slm_remote_statistics));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initialisers_say_the_size_and_zero_the_rest),
        cmocka_unit_test(structs_end_with_their_last_field),
    };
    return cmocka_run_group_tests_name("header", tests, NULL, NULL) != 0;
}
