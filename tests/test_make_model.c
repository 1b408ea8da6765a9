/* test_make_model.c -- files in the true shape of named models: shapes, types, a vocabulary that holds together, the same bytes for
 * any number of threads. */
#include "files.h"

static size_t tensors_said, bytes_total;

static void tensor_done(void *user, const char *tensor, const char *type, double mse)
{
    (void)user;
    (void)tensor;
    (void)type;
    assert_true(mse == 0);
    tensors_said++;
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    bytes_total = (size_t)total;
    return user && done > 1 << 20;
}

static void make(const char *shape, const char *type, uint32_t threads, const char *out)
{
    slm_error err = { 0 };
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    p.type = type;
    p.threads = threads;
    p.tensor = tensor_done;
    p.progress = progress;
    tensors_said = 0;
    if (slm_make_model_file(shape, out, &p, &err) != SLM_OK)
        fail_msg("%s as %s: %s", shape, type, err.text);
}

static void check_tensor(const slm_file *file, const char *name, const char *type, uint64_t cols, uint64_t rows)
{
    const slm_tensor *t = slm_file_find(file, name);
    if (!t || strcmp(t->type->name, type) || t->dims[0] != cols || t->dims[1] != rows)
        fail_msg("'%s' is %s [%" PRIu64 ", %" PRIu64 "], wanted %s [%" PRIu64 ", %" PRIu64 "]", name, t ? t->type->name : "not there",
                 t ? t->dims[0] : 0, t ? t->dims[1] : 0, type, cols, rows);
}

/* Mean and deviation of a tensor's values. */
static void moments(const slm_file *file, const char *name, double *mean, double *deviation)
{
    size_t n;
    double sum = 0, squares = 0;
    float *v = read_tensor(file, name, &n);
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
    }
    *mean = sum / (double)n;
    *deviation = sqrt(squares / (double)n);
    free(v);
}

static uint64_t number(const slm_file *file, const char *key)
{
    uint64_t value = 0;
    bool found;
    assert_int_equal(slm_keys_u64(&file->keys, key, &value, &found, NULL), SLM_OK);
    assert_true(found);
    return value;
}

/* ---- words: a sorted list of texts ---- */

typedef struct text {
    const uint8_t *p;
    size_t n;
} text;

static int text_order(const void *a, const void *b)
{
    const text *x = a, *y = b;
    const int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static text *texts_of(const slm_file *file, const char *key, size_t *n)
{
    const slm_key *k = slm_keys_find(&file->keys, key);
    assert_non_null(k);
    *n = (size_t)k->count;
    text *list = malloc(*n * sizeof *list);
    slm_cursor c = slm_cursor_over(k->value, k->bytes);
    for (size_t i = 0; i < *n; i++) {
        uint64_t len;
        list[i].p = slm_cursor_str(&c, &len);
        list[i].n = (size_t)len;
        assert_true(len > 0);
    }
    return list;
}

static text *unique_tokens(const slm_file *file, size_t *n)
{
    text *list = texts_of(file, "tokenizer.ggml.tokens", n);
    qsort(list, *n, sizeof *list, text_order);
    for (size_t i = 1; i < *n; i++)
        if (!text_order(&list[i - 1], &list[i]))
            fail_msg("token '%.*s' stands twice", (int)list[i].n, (const char *)list[i].p);
    return list;
}

/* ---- tests ---- */

static void smollm2_has_its_shape_in_every_type(void **state)
{
    (void)state;
    static const struct { const char *option, *name; size_t bytes; } types[] = { { "q8_0", "Q8_0", 34 }, { "q4_0", "Q4_0", 18 } };
    const char *out = in_scratch("smollm2.gguf");
    for (size_t i = 0; i < COUNT(types); i++) {
        size_t n;
        double mean, deviation;
        make("smollm2-135m", types[i].option, 0, out);
        slm_file *file = open_file(out, NULL);
        assert_int_equal(file->n_tensors, 2 + 30 * 9);
        assert_int_equal(tensors_said, file->n_tensors);
        assert_int_equal(bytes_total, slm_file_size(file));
        assert_int_equal(file->trailing_bytes, 0);
        check_tensor(file, "token_embd.weight", "Q8_0", 576, 49152);        /* tied: the head */
        check_tensor(file, "blk.29.ffn_down.weight", types[i].name, 1536, 576);
        check_tensor(file, "blk.0.attn_k.weight", types[i].name, 576, 192);
        check_tensor(file, "blk.7.attn_norm.weight", "F32", 576, 1);
        assert_null(slm_file_find(file, "output.weight"));
        assert_int_equal(slm_file_find(file, "blk.3.ffn_up.weight")->bytes, 1536 * 576 / 32 * types[i].bytes);
        moments(file, "blk.3.ffn_up.weight", &mean, &deviation);
        if (fabs(mean) > 1e-3 || fabs(deviation * 24 - 1) > 0.05)          /* 1 / sqrt(576) */
            fail_msg("mean %g, deviation %g", mean, deviation);
        moments(file, "output_norm.weight", &mean, &deviation);
        assert_true(mean == 1 && deviation == 1);
        assert_int_equal(number(file, "llama.vocab_size"), 49152);
        assert_int_equal(number(file, "llama.attention.head_count_kv"), 3);
        text *tokens = unique_tokens(file, &n);
        assert_int_equal(n, 49152);
        free(tokens);
        slm_file_free(file);
    }
}

static void different_tensors_have_different_weights(void **state)
{
    (void)state;
    slm_file *file = open_file(in_scratch("smollm2.gguf"), NULL);
    size_t n, m, same = 0;
    float *a = read_tensor(file, "blk.0.attn_q.weight", &n), *b = read_tensor(file, "blk.1.attn_q.weight", &m);
    for (size_t i = 0; i < n; i += 32)
        same += memcmp(a + i, b + i, 128) == 0;
    assert_true(same < n / 32 / 100);       /* the pool has 4,096 runs */
    free(a);
    free(b);
    slm_file_free(file);
}

static void threads_change_no_byte(void **state)
{
    (void)state;
    size_t n, first = 0;
    uint8_t *one = NULL;
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        const char *out = in_scratch("smollm2.gguf");
        make("smollm2-135m", "q4_0", threads, out);
        uint8_t *bytes = slurp(out, &n);
        if (!one) {
            one = bytes;
            first = n;
            continue;
        }
        assert_int_equal(n, first);
        if (memcmp(bytes, one, n) != 0)
            fail_msg("%u threads write other bytes than one", threads);
        free(bytes);
    }
    free(one);
}

static void every_merge_of_qwen2_makes_a_token_of_two_tokens(void **state)
{
    (void)state;
    size_t n, merges;
    const char *out = in_scratch("qwen2.gguf");
    make("qwen2.5-0.5b", "q4_0", 0, out);
    slm_file *file = open_file(out, NULL);
    assert_int_equal(file->n_tensors, 2 + 24 * 12);
    check_tensor(file, "token_embd.weight", "Q8_0", 896, 151936);
    check_tensor(file, "blk.23.attn_v.bias", "F32", 128, 1);
    check_tensor(file, "blk.23.ffn_gate.weight", "Q4_0", 896, 4864);
    text *tokens = unique_tokens(file, &n), *list = texts_of(file, "tokenizer.ggml.merges", &merges);
    assert_int_equal(n, 151936);
    assert_int_equal(merges, 151936 - 256 - 3);
    for (size_t i = 0; i < merges; i++) {
        uint8_t joined[64];
        const uint8_t *space = memchr(list[i].p, ' ', list[i].n);
        assert_non_null(space);
        assert_true(list[i].n < sizeof joined);
        const size_t left = (size_t)(space - list[i].p);
        memcpy(joined, list[i].p, left);
        memcpy(joined + left, space + 1, list[i].n - left - 1);
        const text parts[] = { { list[i].p, left }, { space + 1, list[i].n - left - 1 }, { joined, list[i].n - 1 } };
        for (size_t k = 0; k < 3; k++)
            if (!bsearch(&parts[k], tokens, n, sizeof *tokens, text_order))
                fail_msg("merge %zu '%.*s': '%.*s' is no token", i, (int)list[i].n, (const char *)list[i].p, (int)parts[k].n,
                         (const char *)parts[k].p);
    }
    free(tokens);
    free(list);
    slm_file_free(file);
    assert_int_equal(unlink(out), 0);
}

/* An encoder of the shape opens, turns made-up words into vectors, and its vocabulary has no token twice. */
static void minilm_is_an_encoder_with_a_vocabulary(void **state)
{
    (void)state;
    static const char words[] = "Some words, 12 of them; made-up or not.";
    size_t n;
    const char *out = in_scratch("minilm.gguf");
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_encoder *encoder = NULL;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_embed_params params = SLM_EMBED_PARAMS_INIT;
    float vector[384];
    double length = 0;
    make("minilm-l6", "q8_0", 0, out);
    slm_file *file = open_file(out, NULL);
    assert_int_equal(file->n_tensors, 5 + 6 * 16);
    check_tensor(file, "token_embd.weight", "Q8_0", 384, 30522);
    check_tensor(file, "position_embd.weight", "F32", 384, 512);
    check_tensor(file, "blk.5.ffn_down.weight", "Q8_0", 1536, 384);
    check_tensor(file, "blk.0.ffn_up.bias", "F32", 1536, 1);
    text *tokens = unique_tokens(file, &n);
    assert_int_equal(n, 30522);
    free(tokens);
    slm_file_free(file);
    assert_int_equal(slm_model_open(&model, out, NULL, &err), SLM_OK);
    assert_int_equal(slm_model_get_info(model, &info, &err), SLM_OK);
    assert_int_equal(info.encoder, 1);
    assert_int_equal(slm_encoder_new(&encoder, model, NULL, &err), SLM_OK);
    slm_embed_item item = { words, sizeof words - 1, NULL, 0, vector, NULL, SLM_OK, 0 };
    params.normalize = 1;
    assert_int_equal(slm_embed(encoder, &item, 1, &params, &err), SLM_OK);
    for (size_t i = 0; i < 384; i++)
        length += (double)vector[i] * (double)vector[i];
    assert_true(length > 0.999999 && length < 1.000001);
    assert_true(item.n > 10);
    slm_encoder_free(encoder);
    slm_model_free(model);
    assert_int_equal(unlink(out), 0);
}

static void a_shape_or_type_that_is_unknown_is_named(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    const char *out = in_scratch("never.gguf");
    p.type = "q4_0";
    assert_int_equal(slm_make_model_file("gpt-5", out, &p, &err), SLM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "'gpt-5'"));
    assert_non_null(strstr(err.text, "smollm2-135m"));
    assert_non_null(strstr(err.text, "llama-3.2-3b"));
    assert_int_equal(slm_make_model_file("smollm2-135m", out, NULL, &err), SLM_E_ARG);
    p.type = "q9";
    assert_int_equal(slm_make_model_file("smollm2-135m", out, &p, &err), SLM_E_UNSUPPORTED);
    p.type = "q4_0";
    p.progress = progress;
    p.user = &p;
    err = (slm_error){ 0 };
    assert_int_equal(slm_make_model_file("smollm2-135m", out, &p, &err), SLM_E_CALLBACK);
    assert_true(access(out, F_OK) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smollm2_has_its_shape_in_every_type),
        cmocka_unit_test(different_tensors_have_different_weights),
        cmocka_unit_test(threads_change_no_byte),
        cmocka_unit_test(every_merge_of_qwen2_makes_a_token_of_two_tokens),
        cmocka_unit_test(minilm_is_an_encoder_with_a_vocabulary),
        cmocka_unit_test(a_shape_or_type_that_is_unknown_is_named),
    };
    return cmocka_run_group_tests_name("make_model", tests, make_scratch, drop_scratch) != 0;
}
