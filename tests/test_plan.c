/* test_plan.c -- what was planned against what the heap says: within 2 % and 1 MB, before anything is opened. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHARED "../shared/models/"

static void near_to(const char *what, const char *name, uint64_t planned, uint64_t real)
{
    const uint64_t apart = planned > real ? planned - real : real - planned;
    if (apart > real / 50 + 1000000)
        fail_msg("%s: %s: planned %" PRIu64 ", took %" PRIu64, name, what, planned, real);
}

/* Opens for real and fills a session to the brim. */
static void compare(const char *name, const slm_model_params *mp, const slm_session_params *sp)
{
    slm_error err = { 0 };
    slm_plan_info plan = SLM_PLAN_INFO_INIT;
    slm_model_info opened = SLM_MODEL_INFO_INIT, filled = SLM_MODEL_INFO_INIT, batched = SLM_MODEL_INFO_INIT;
    slm_model *m = NULL;
    slm_session *s = NULL;
    slm_batch *b = NULL;
    check_status(slm_plan(&plan, name, mp, sp, &err), SLM_OK, &err);
    check_status(slm_model_open(&m, name, mp, &err), SLM_OK, &err);
    check_status(slm_model_get_info(m, &opened, &err), SLM_OK, &err);
    check_status(slm_session_new(&s, m, sp, &err), SLM_OK, &err);
    const size_t n = slm_session_room(s);
    int32_t *tokens = calloc(n, sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        tokens[i] = (int32_t)(i % opened.vocab);
    check_status(slm_session_feed(s, tokens, n, &err), SLM_OK, &err);
    check_status(slm_model_get_info(m, &filled, &err), SLM_OK, &err);
    near_to("weights", name, plan.weight_bytes, opened.weight_bytes);
    near_to("model", name, plan.model_bytes, opened.heap_bytes);
    near_to("peak of opening", name, plan.open_peak, opened.heap_peak);
    near_to("peak", name, plan.peak, filled.heap_peak);
    assert_int_equal(plan.session_bytes, filled.heap_bytes - opened.heap_bytes);    /* these are exact */
    check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
    check_status(slm_batch_new(&b, m, NULL, &err), SLM_OK, &err);
    check_status(slm_model_get_info(m, &batched, &err), SLM_OK, &err);
    assert_true(plan.kv_bytes > filled.heap_bytes - opened.heap_bytes - plan.work_bytes - (n + opened.vocab) * 4 - 4096);
    slm_batch_free(b);
    free(tokens);
    slm_session_free(s);
    slm_model_free(m);
}

static void small_models_are_planned(void **state)
{
    (void)state;
    static const char *const types[] = { "f32", "f16", "q8_0", "q4_0" };
    for (size_t i = 0; i < COUNT(types); i++)
        for (uint32_t threads = 1; threads < 9; threads += 3) {
            slm_model_params mp = SLM_MODEL_PARAMS_INIT;
            slm_session_params sp = SLM_SESSION_PARAMS_INIT;
            slm_input in = SLM_INPUT_INIT;
            size_t n;
            uint8_t *file = tiny_file(1, types[i], &n);
            in.memory = file;
            in.bytes = n;
            mp.input = &in;
            mp.threads = threads;
            sp.context = 100 * threads;
            sp.chunk = 10 * threads;
            sp.kv = threads % 3;
            compare("tiny", &mp, &sp);
            free(file);
        }
}

static void files_are_planned(void **state)
{
    (void)state;
    static const char *const names[] = {
        SHARED "stories260k/stories260K.gguf", SHARED "stories260k/stories260K-q4_0.gguf", SHARED "golden/llama-mha.gguf",
        SHARED "golden/llama-llama3rope.gguf", SHARED "golden/qwen2.gguf", SHARED "golden/quantized/g96-Q8_0.gguf",
        "models/tiny-stories/tiny-stories.gguf",
    };
    size_t seen = 0;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (access(names[i], R_OK) != 0) {
            print_message("skipped: no %s\n", names[i]);
            continue;
        }
        compare(names[i], NULL, NULL);
        seen++;
    }
    if (!seen)
        skip();
}

/* 2 % of a model that is larger than the megabyte: true shapes, random weights. */
static void a_larger_model_is_planned(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    const char *path = test_path("m.gguf");
    q.type = "q4_0";
    sp.context = 40;
    mp.threads = 2;
    check_status(slm_make_model_file("smollm2-135m", path, &q, &err), SLM_OK, &err);
    compare(path, &mp, &sp);
}

static void what_cannot_be_planned_says_so(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_plan_info plan = SLM_PLAN_INFO_INIT;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    size_t n;
    uint8_t *file = tiny_file(1, "f16", &n);
    check_status(slm_plan(NULL, "x", NULL, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_plan(&plan, NULL, NULL, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_plan(&plan, "no such file", NULL, NULL, &err), SLM_E_NOT_FOUND, &err);
    in.memory = file;
    in.bytes = n;
    mp.input = &in;
    sp.context = 1u << 25;
    check_status(slm_plan(&plan, "x", &mp, &sp, &err), SLM_E_ARG, &err);
    in.bytes = 50;
    check_status(slm_plan(&plan, "x", &mp, NULL, &err), SLM_E_FORMAT, &err);
    in.bytes = n;
    mp.memory_limit = 1000;
    check_status(slm_plan(&plan, "x", &mp, NULL, &err), SLM_E_MEMORY, &err);
    assert_int_equal(plan.peak, 0);
    mp.memory_limit = 0;
    sp.context = 1u << 24;                              /* a plan allocates nothing of what it plans */
    check_status(slm_plan(&plan, "x", &mp, &sp, &err), SLM_OK, &err);
    assert_true(plan.kv_bytes >= (UINT64_C(1) << 24) * 256 && plan.peak > plan.kv_bytes);
    free(file);
}

static slm_status plan_it(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    static slm_plan_info plan;
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    plan = (slm_plan_info)SLM_PLAN_INFO_INIT;
    mp.allocator = allocator;
    mp.input = ctx;
    const slm_status status = slm_plan(&plan, "tiny", &mp, NULL, err);
    assert_true(status ? plan.peak == 0 : plan.peak > 0);
    if (!status)
        *out = &plan;
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(tiny_fail_every("plan", plan_it, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_models_are_planned),
        cmocka_unit_test(files_are_planned),
        cmocka_unit_test(a_larger_model_is_planned),
        cmocka_unit_test(what_cannot_be_planned_says_so),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, test_folder_remove) != 0;
}
