/* test_odd.c -- models as one meets them: keys left out, a type for each tensor, widths that are no multiple of anything. */
#include "files.h"

#define LLAMA SHARED "models/golden/llama-plain.gguf"
#define QWEN2 SHARED "models/golden/qwen2.gguf"

static slm_heap heap;

/* Writes `from` without key `drop` (NULL: with all), its matrices in types[i % n] where their rows allow that, else as they are. */
static void rewrite(const slm_file *from, const char *path, const char *drop, const slm_type *const *types, size_t n)
{
    slm_gguf_tensor *tensors = calloc(from->n_tensors, sizeof *tensors);
    slm_keys keys;
    slm_buf all;
    uint64_t data;
    slm_error err = { 0 };
    size_t matrices = 0;
    assert_non_null(tensors);
    slm_keys_init(&keys, &heap, "copy");
    slm_buf_init(&all, &heap, 64 << 20);
    for (size_t i = 0; i < from->keys.n; i++) {
        const slm_key *k = &from->keys.list[i];
        if (!drop || strcmp(k->name, drop) != 0)
            assert_int_equal(slm_keys_add(&keys, k->name, k->type, k->array, k->count, k->value, k->bytes, &err), SLM_OK);
    }
    for (size_t i = 0; i < from->n_tensors; i++) {
        const slm_tensor *t = &from->tensors[i];
        const slm_type *type = n && t->n_dims > 1 ? types[matrices++ % n] : t->type;
        tensors[i] = (slm_gguf_tensor){ .name = t->name, .n_dims = t->n_dims, .type = t->dims[0] % type->block ? t->type : type };
        memcpy(tensors[i].dims, t->dims, sizeof t->dims);
    }
    if (slm_gguf_layout(tensors, from->n_tensors, &keys, &all, &data, &err) != SLM_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < from->n_tensors; i++) {
        size_t count;
        float *values = read_tensor(from, from->tensors[i].name, &count);
        tensors[i].type->quantize(slm_buf_grow(&all, (size_t)tensors[i].bytes), values, count);
        while (all.size % 32)
            slm_buf_u8(&all, 0);
        free(values);
    }
    spit(path, all.data, all.size);
    slm_buf_free(&all);
    slm_keys_free(&keys);
    free(tensors);
}

static slm_status open_copy(slm_model **model, const char *path, slm_error *err)
{
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    params.threads = 1;
    *model = NULL;
    *err = (slm_error){ 0 };
    return slm_model_open(model, path, &params, err);
}

/* The logits after three tokens, [*vocab] of malloc. */
static float *logits_of(slm_model *model, size_t *vocab)
{
    static const int32_t tokens[3] = { 5, 17, 40 };
    slm_session *session = NULL;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_error err = { 0 };
    assert_int_equal(slm_model_get_info(model, &info, &err), SLM_OK);
    if (slm_session_new(&session, model, NULL, &err) || slm_session_feed(session, tokens, 3, &err))
        fail_msg("%s", err.text);
    float *copy = malloc(info.vocab * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, slm_session_logits(session), info.vocab * sizeof *copy);
    slm_session_free(session);
    *vocab = info.vocab;
    return copy;
}

static void a_key_that_is_missing_has_a_default_or_a_name(void **state)
{
    /* What docs/families.md says of each; the value of the model is that of the default where there is one. */
    static const char *const needed[] = {
        "general.architecture", "llama.context_length", "llama.embedding_length", "llama.block_count", "llama.feed_forward_length",
        "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
    };
    static const char *const same[] = { "general.name", "general.type", "general.file_type", "llama.vocab_size", "llama.rope.dimension_count" };
    (void)state;
    NEEDS_SHARED;
    slm_file *from = open_file(LLAMA, NULL);
    slm_model *model;
    slm_error err;
    size_t vocab;
    assert_int_equal(open_copy(&model, LLAMA, &err), SLM_OK);
    float *want = logits_of(model, &vocab);
    slm_model_free(model);
    for (size_t i = 0; i < COUNT(needed); i++) {
        rewrite(from, in_scratch("m.gguf"), needed[i], NULL, 0);
        assert_int_equal(open_copy(&model, in_scratch("m.gguf"), &err), SLM_E_FORMAT);
        check_message(&err, SLM_E_FORMAT, scratch, needed[i]);
        if (!strstr(err.text, needed[i]))
            fail_msg("without %s: %s", needed[i], err.text);
    }
    for (size_t i = 0; i < COUNT(same); i++) {
        assert_non_null(slm_keys_find(&from->keys, same[i]));
        rewrite(from, in_scratch("m.gguf"), same[i], NULL, 0);
        if (open_copy(&model, in_scratch("m.gguf"), &err) != SLM_OK)
            fail_msg("without %s: %s", same[i], err.text);
        float *got = logits_of(model, &vocab);
        if (memcmp(got, want, vocab * sizeof *got) != 0)
            fail_msg("without %s: other logits", same[i]);
        free(got);
        slm_model_free(model);
    }
    free(want);
    slm_file_free(from);
}

/* One kv head is not the default: then the shapes do not fit, and the message names a tensor. */
static void a_default_that_is_wrong_shows_in_the_shapes(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_file *from = open_file(LLAMA, NULL);
    slm_model *model;
    slm_error err;
    rewrite(from, in_scratch("m.gguf"), "llama.attention.head_count_kv", NULL, 0);
    assert_int_equal(open_copy(&model, in_scratch("m.gguf"), &err), SLM_E_FORMAT);
    assert_non_null(strstr(err.text, "attn_k.weight"));
    slm_file_free(from);
}

static void each_tensor_may_have_a_type_of_its_own(void **state)
{
    (void)state;
    NEEDS_SHARED;
    const slm_type *types[32];
    size_t n = 0, vocab, kinds = 0, narrow = 0;
    slm_file *from = open_file(QWEN2, NULL);        /* width 64, feed-forward 132: no multiple of 32 */
    slm_model *model;
    slm_error err;
    assert_int_equal(open_copy(&model, QWEN2, &err), SLM_OK);
    float *want = logits_of(model, &vocab), most = 0, worst = 0;
    slm_model_free(model);
    for (size_t i = 0; slm_type_at(i) && n < COUNT(types); i++)
        if (!slm_type_at(i)->head && 64 % slm_type_at(i)->block == 0 &&     /* a head: of packed files alone */
            (slm_type_at(i)->block == 1 || slm_type_at(i)->bytes * 8 > 5 * slm_type_at(i)->block))
            types[n++] = slm_type_at(i);            /* of five bits and more, so that the logits tell */
    rewrite(from, in_scratch("m.gguf"), NULL, types, n);
    slm_file *copy = open_file(in_scratch("m.gguf"), NULL);
    for (size_t i = 0; i < n; i++) {
        bool met = false;
        for (size_t t = 0; t < copy->n_tensors; t++)
            met = met || (copy->tensors[t].n_dims > 1 && copy->tensors[t].type == types[i]);
        kinds += met;
    }
    for (size_t t = 0; t < copy->n_tensors; t++)
        narrow += copy->tensors[t].dims[0] % 32 != 0;
    assert_true(kinds >= 5 && narrow >= 2);
    slm_file_free(copy);
    if (open_copy(&model, in_scratch("m.gguf"), &err) != SLM_OK)
        fail_msg("%s", err.text);
    float *got = logits_of(model, &vocab);
    for (size_t i = 0; i < vocab; i++) {
        most = fmaxf(most, fabsf(want[i]));
        worst = fmaxf(worst, fabsf(want[i] - got[i]));
    }
    if (!(worst < 0.1f * most))
        fail_msg("the logits differ by %g of %g", (double)worst, (double)most);
    free(want);
    free(got);
    slm_model_free(model);
    slm_file_free(from);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_that_is_missing_has_a_default_or_a_name),
        TEST(a_default_that_is_wrong_shows_in_the_shapes),
        TEST(each_tensor_may_have_a_type_of_its_own),
    };
    slm_heap_init(&heap, NULL, 0);
    return cmocka_run_group_tests_name("odd", tests, NULL, NULL) != 0;
}
