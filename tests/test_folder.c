/* test_folder.c -- Hugging Face folders: what the config may say, what the weights must be, and that nothing is left out in silence. The
 * weights and logits of every family are compared by tests/folders.py. */
#include "files.h"

#include "core/limits.h"
#include "harness/fail_alloc.h"

/* ---- a tiny folder ---- */

typedef struct weights {
    slm_buf head, data;
    size_t n;
    slm_heap heap;
} weights;

static float value_of(const char *name, size_t i)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    h = (h ^ (uint32_t)i) * 16777619u;
    return (float)((int32_t)(h >> 8 & 0xffff) - 32768) / 65536.0f;
}

static void put(slm_buf *b, const char *text)
{
    slm_buf_add(b, text, strlen(text));
}

static void add(weights *w, const char *dtype, const char *name, size_t rows, size_t cols)
{
    char entry[256];
    const size_t n = (rows ? rows : 1) * cols, begin = w->data.size, each = strcmp(dtype, "F32") == 0 ? 4 : strcmp(dtype, "I64") == 0 ? 8 : 2;
    for (size_t i = 0; i < n; i++) {
        const float v = value_of(name, i);
        uint32_t bits;
        memcpy(&bits, &v, 4);
        if (each == 4)
            slm_buf_u32(&w->data, bits);
        else if (each == 8)
            slm_buf_u64(&w->data, i);
        else
            slm_buf_add(&w->data, (uint8_t[2]){ (uint8_t)(bits >> 16), (uint8_t)(bits >> 24) }, 2);    /* BF16 */
    }
    if (rows)
        (void)snprintf(entry, sizeof entry, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu,%zu],\"data_offsets\":[%zu,%zu]}", w->n++ ? "," : "",
                       name, dtype, rows, cols, begin, w->data.size);
    else
        (void)snprintf(entry, sizeof entry, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}", w->n++ ? "," : "",
                       name, dtype, cols, begin, w->data.size);
    put(&w->head, entry);
}

static void begin_empty(weights *w)
{
    memset(w, 0, sizeof *w);
    slm_heap_init(&w->heap, NULL, 0);
    slm_buf_init(&w->head, &w->heap, 1 << 20);
    slm_buf_init(&w->data, &w->heap, 64 << 20);
    put(&w->head, "{");
}

/* A llama of one layer, 2 heads of 4, width 8, feed-forward 6, 5 tokens. */
static void begin_weights(weights *w, const char *dtype)
{
    static const struct { const char *name; size_t rows, cols; } list[] = {
        { "model.embed_tokens.weight", 5, 8 }, { "model.norm.weight", 0, 8 }, { "lm_head.weight", 5, 8 },
        { "model.layers.0.input_layernorm.weight", 0, 8 }, { "model.layers.0.post_attention_layernorm.weight", 0, 8 },
        { "model.layers.0.self_attn.q_proj.weight", 8, 8 }, { "model.layers.0.self_attn.q_proj.bias", 0, 8 },
        { "model.layers.0.self_attn.k_proj.weight", 4, 8 }, { "model.layers.0.self_attn.v_proj.weight", 4, 8 },
        { "model.layers.0.self_attn.o_proj.weight", 8, 8 }, { "model.layers.0.mlp.gate_proj.weight", 6, 8 },
        { "model.layers.0.mlp.up_proj.weight", 6, 8 }, { "model.layers.0.mlp.down_proj.weight", 8, 6 },
    };
    begin_empty(w);
    for (size_t i = 0; i < COUNT(list); i++)
        add(w, dtype, list[i].name, list[i].rows, list[i].cols);
}

static void end_weights(weights *w, const char *file)
{
    slm_buf all;
    slm_buf_init(&all, &w->heap, 128 << 20);
    put(&w->head, "}");
    slm_buf_u64(&all, w->head.size);
    slm_buf_add(&all, w->head.data, w->head.size);
    slm_buf_add(&all, w->data.data, w->data.size);
    spit(in_scratch(file), all.data, all.size);
    slm_buf_free(&all);
    slm_buf_free(&w->head);
    slm_buf_free(&w->data);
}

#define NUMBERS "\"max_position_embeddings\":64,\"hidden_size\":8,\"num_hidden_layers\":1,\"intermediate_size\":6,\"num_attention_heads\":2," \
                "\"num_key_value_heads\":1,\"rms_norm_eps\":1e-5,\"vocab_size\":5"
#define LLAMA   "{\"model_type\":\"llama\"," NUMBERS ",\"rope_theta\":500000.0,\"hidden_act\":\"silu\",\"tie_word_embeddings\":false}"

static void put_file(const char *file, const char *text)
{
    spit(in_scratch(file), text, strlen(text));
}

static void make_folder(const char *config)
{
    weights w;
    begin_weights(&w, "F32");
    end_weights(&w, "model.safetensors");
    put_file("config.json", config);
}

static slm_status open_folder(slm_file **file, slm_error *err)
{
    *err = (slm_error){ 0 };
    *file = NULL;
    const slm_status status = slm_file_open(file, scratch, NULL, err);
    if (status) {
        assert_null(*file);
        check_message(err, status, scratch, "a folder");
    }
    return status;
}

static slm_file *open_good(void)
{
    slm_error err;
    slm_file *file;
    if (open_folder(&file, &err) != SLM_OK)
        fail_msg("%s", err.text);
    return file;
}

/* ---- tests ---- */

static uint64_t number(const slm_file *file, const char *key)
{
    uint64_t v = UINT64_MAX;
    bool found;
    assert_int_equal(slm_keys_u64(&file->keys, key, &v, &found, NULL), SLM_OK);
    return found ? v : UINT64_MAX;
}

static void a_folder_is_the_keys_and_tensors_of_a_gguf(void **state)
{
    (void)state;
    size_t n;
    make_folder(LLAMA);
    slm_file *file = open_good();
    assert_string_equal(slm_file_format(file), "Hugging Face folder");
    assert_int_equal(number(file, "llama.context_length"), 64);
    assert_int_equal(number(file, "llama.attention.head_count_kv"), 1);
    assert_int_equal(number(file, "llama.rope.dimension_count"), 4);
    assert_int_equal(number(file, "general.file_type"), 0);
    assert_int_equal(slm_file_tensors(file), 13);
    float *q = read_tensor(file, "blk.0.attn_q.weight", &n);
    for (size_t h = 0; h < 2; h++)              /* families.md: new[h*D + 2i + j] = old[h*D + j*D/2 + i] */
        for (size_t i = 0; i < 2; i++)
            for (size_t j = 0; j < 2; j++)
                for (size_t c = 0; c < 8; c++)
                    assert_true(q[(h * 4 + 2 * i + j) * 8 + c] == value_of("model.layers.0.self_attn.q_proj.weight", (h * 4 + j * 2 + i) * 8 + c));
    free(q);
    float *b = read_tensor(file, "blk.0.attn_q.bias", &n);
    assert_int_equal(n, 8);
    assert_true(b[1] == value_of("model.layers.0.self_attn.q_proj.bias", 2) && b[2] == value_of("model.layers.0.self_attn.q_proj.bias", 1));
    free(b);
    slm_file_free(file);
}

static void any_part_of_a_tensor_can_be_read(void **state)
{
    static const char *const names[] = { "blk.0.attn_q.weight", "blk.0.attn_q.bias", "blk.0.ffn_down.weight" };
    (void)state;
    make_folder(LLAMA);
    slm_file *file = open_good();
    for (size_t k = 0; k < COUNT(names); k++) {
        const slm_tensor *t = slm_file_find(file, names[k]);
        uint8_t whole[512], part[512];
        assert_true(t && t->bytes <= sizeof whole);
        assert_int_equal(slm_file_read_raw(file, t, 0, whole, (size_t)t->bytes, NULL), SLM_OK);
        for (size_t begin = 0; begin <= t->bytes; begin += 4)
            for (size_t end = begin; end <= t->bytes; end += 4) {
                assert_int_equal(slm_file_read_raw(file, t, begin, part, end - begin, NULL), SLM_OK);
                if (memcmp(part, whole + begin, end - begin) != 0)
                    fail_msg("%s: bytes %zu .. %zu differ", names[k], begin, end);
            }
        assert_int_equal(slm_file_read_raw(file, t, t->bytes, part, 1, NULL), SLM_E_INTERNAL);
    }
    slm_file_free(file);
}

static void transposed_matrices_can_be_read_in_any_part(void **state)
{
    (void)state;
    weights w;
    begin_empty(&w);
    add(&w, "F32", "h.0.attn.c_attn.weight", 7, 1100);      /* more rows of the result than fit the buffer */
    end_weights(&w, "model.safetensors");
    put_file("config.json", "{\"model_type\":\"gpt2\",\"n_positions\":8,\"n_embd\":8,\"n_layer\":1,\"n_head\":2,\"layer_norm_epsilon\":1e-5}");
    slm_file *file = open_good();
    const slm_tensor *t = slm_file_find(file, "blk.0.attn_qkv.weight");
    assert_int_equal(t->dims[0], 7);
    assert_int_equal(t->dims[1], 1100);
    static float whole[7700], part[7700];
    assert_int_equal(slm_file_read_raw(file, t, 0, whole, sizeof whole, NULL), SLM_OK);
    for (size_t r = 0; r < 1100; r++)
        for (size_t c = 0; c < 7; c++)
            assert_true(whole[r * 7 + c] == value_of("h.0.attn.c_attn.weight", c * 1100 + r));
    for (size_t begin = 0; begin < 40; begin++)
        for (size_t n = 1; n < 7700 - begin; n = n < 40 ? n + 1 : n * 2 + 1) {
            assert_int_equal(slm_file_read_raw(file, t, begin * 4, part, n * 4, NULL), SLM_OK);
            if (memcmp(part, whole + begin, n * 4) != 0)
                fail_msg("%zu values from %zu on differ", n, begin);
        }
    slm_file_free(file);
}

static void narrow_weights_stay_narrow_and_vectors_are_wide(void **state)
{
    (void)state;
    weights w;
    size_t n;
    begin_weights(&w, "BF16");
    end_weights(&w, "model.safetensors");
    put_file("config.json", LLAMA);
    slm_file *file = open_good();
    assert_string_equal(slm_file_find(file, "blk.0.attn_q.weight")->type->name, "BF16");
    assert_string_equal(slm_file_find(file, "blk.0.attn_norm.weight")->type->name, "F32");
    assert_string_equal(slm_file_find(file, "blk.0.attn_q.bias")->type->name, "F32");
    assert_int_equal(number(file, "general.file_type"), 32);
    float *v = read_tensor(file, "blk.0.attn_norm.weight", &n);
    for (size_t i = 0; i < n; i++) {
        const float whole = value_of("model.layers.0.input_layernorm.weight", i);
        uint32_t bits;
        memcpy(&bits, &whole, 4);
        bits &= 0xffff0000;
        assert_memory_equal(&v[i], &bits, 4);
    }
    free(v);
    slm_file_free(file);
}

static void a_tied_head_is_left_out(void **state)
{
    (void)state;
    make_folder("{\"model_type\":\"llama\"," NUMBERS ",\"tie_word_embeddings\":true}");
    slm_file *file = open_good();
    assert_null(slm_file_find(file, "output.weight"));
    slm_file_free(file);
    make_folder("{\"model_type\":\"llama\"," NUMBERS "}");
    file = open_good();
    assert_non_null(slm_file_find(file, "output.weight"));
    slm_file_free(file);
}

#define WITH(more) "{\"model_type\":\"llama\"," NUMBERS "," more "}"
#define TYPE(type) "{\"model_type\":\"" type "\"," NUMBERS "}"

static const struct bad { const char *about, *config; slm_status status; const char *word; } bad[] = {
    { "an unknown family",          TYPE("mamba"), SLM_E_UNSUPPORTED, "qwen3" },
    { "no family",                  "{" NUMBERS "}", SLM_E_FORMAT, "model_type" },
    { "a family that is a number",  "{\"model_type\":3," NUMBERS "}", SLM_E_FORMAT, "model_type" },
    { "an array",                   "[]", SLM_E_FORMAT, "config.json" },
    { "nothing",                    "", SLM_E_FORMAT, "config.json" },
    { "half an object",             "{\"model_type\":\"llama\"", SLM_E_FORMAT, "config.json" },
    { "a name twice",               WITH("\"hidden_size\":9"), SLM_E_FORMAT, "hidden_size" },
    { "a number missing",           "{\"model_type\":\"llama\",\"hidden_size\":8}", SLM_E_FORMAT, "max_position_embeddings" },
    { "a null that is needed",      "{\"model_type\":\"llama\",\"max_position_embeddings\":null}", SLM_E_FORMAT, "max_position_embeddings" },
    { "a number that is text",      "{\"model_type\":\"llama\",\"max_position_embeddings\":\"64\"}", SLM_E_FORMAT, "max_position_embeddings" },
    { "a number below 0",           "{\"model_type\":\"llama\",\"max_position_embeddings\":-1}", SLM_E_FORMAT, "max_position_embeddings" },
    { "a number with a fraction",   "{\"model_type\":\"llama\",\"max_position_embeddings\":1.5}", SLM_E_FORMAT, "max_position_embeddings" },
    { "a number beyond 32 bits",    "{\"model_type\":\"llama\",\"max_position_embeddings\":4294967296}", SLM_E_FORMAT, "max_position_embeddings" },
    { "another activation",         WITH("\"hidden_act\":\"gelu\""), SLM_E_UNSUPPORTED, "hidden_act" },
    { "quantized weights",          WITH("\"quantization_config\":{\"quant_method\":\"gptq\"}"), SLM_E_UNSUPPORTED, "quantization_config" },
    { "a scaling that is not run",  WITH("\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}"), SLM_E_UNSUPPORTED, "dynamic" },
    { "a scaling without factor",   WITH("\"rope_scaling\":{\"rope_type\":\"linear\"}"), SLM_E_FORMAT, "factor" },
    { "a factor of 0",              WITH("\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":0}"), SLM_E_FORMAT, "factor" },
    { "llama3 without its numbers", WITH("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0}"), SLM_E_FORMAT, "low_freq_factor" },
    { "yarn with mscale",           WITH("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":8.0,\"mscale\":1.0}"), SLM_E_UNSUPPORTED, "mscale" },
    { "factors that are too few",   WITH("\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1],\"long_factor\":[1,1]},"
                                         "\"original_max_position_embeddings\":32"), SLM_E_FORMAT, "short_factor" },
    { "no heads",                   "{\"model_type\":\"llama\",\"max_position_embeddings\":64,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                    "\"intermediate_size\":6,\"num_attention_heads\":0,\"rms_norm_eps\":1e-5}", SLM_E_FORMAT, "heads" },
    { "heads that do not fit",      "{\"model_type\":\"llama\",\"max_position_embeddings\":64,\"hidden_size\":8,\"num_hidden_layers\":1,"
                                    "\"intermediate_size\":6,\"num_attention_heads\":3,\"rms_norm_eps\":1e-5}", SLM_E_FORMAT, "q_proj" },
    { "fewer layers than weights",  "{\"model_type\":\"llama\",\"max_position_embeddings\":64,\"hidden_size\":8,\"num_hidden_layers\":0,"
                                    "\"intermediate_size\":6,\"num_attention_heads\":2,\"rms_norm_eps\":1e-5}", SLM_E_FORMAT, "layers" },
    { "a window in qwen2",          "{\"model_type\":\"qwen2\"," NUMBERS ",\"use_sliding_window\":true}", SLM_E_UNSUPPORTED, "use_sliding_window" },
    { "a scale of gemma2",          "{\"model_type\":\"gemma2\"," NUMBERS ",\"query_pre_attn_scalar\":5}", SLM_E_UNSUPPORTED, "query_pre_attn" },
    { "another pattern of smollm3", "{\"model_type\":\"smollm3\"," NUMBERS ",\"no_rope_layers\":[0]}", SLM_E_UNSUPPORTED, "no_rope_layers" },
    { "a share beyond 1",           "{\"model_type\":\"stablelm\"," NUMBERS ",\"layer_norm_eps\":1e-5,\"partial_rotary_factor\":1.5}", SLM_E_FORMAT,
      "partial_rotary_factor" },
    { "a list of layers too short", "{\"model_type\":\"gemma2\"," NUMBERS ",\"layer_types\":[]}", SLM_E_FORMAT, "layer_types" },
    { "weights of another family",  "{\"model_type\":\"bert\"," NUMBERS ",\"layer_norm_eps\":1e-5}", SLM_E_UNSUPPORTED, "embed_tokens" },
};

static void a_config_that_is_not_run_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_error err;
        slm_file *file;
        make_folder(bad[i].config);
        const slm_status status = open_folder(&file, &err);
        if (status != bad[i].status || !strstr(err.text, bad[i].word))
            fail_msg("%s: %s %s", bad[i].about, slm_status_name(status), err.text);
    }
}

static void a_tensor_without_a_place_is_refused(void **state)
{
    static const struct { const char *name, *dtype; slm_status status; } extra[] = {
        { "model.layers.0.self_attn.rotary_emb.inv_freq", "F32", SLM_OK },          /* a buffer, left out */
        { "model.layers.0.self_attn.q_norm.weight", "F32", SLM_E_UNSUPPORTED },
        { "model.layers.1.mlp.up_proj.weight", "F32", SLM_E_MISMATCH },
        { "model.layers.01.mlp.up_proj.weight", "F32", SLM_E_UNSUPPORTED },
        { "model.layers.0.mlp.up_proj.scale", "F32", SLM_E_UNSUPPORTED },
        { "norm.weight", "F32", SLM_E_FORMAT },                                     /* the same as model.norm.weight */
        { "model.layers.0.mlp.up_proj.bias", "I64", SLM_E_UNSUPPORTED },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(extra); i++) {
        weights w;
        slm_error err;
        slm_file *file;
        begin_weights(&w, "F32");
        add(&w, extra[i].dtype, extra[i].name, 0, 8);
        end_weights(&w, "model.safetensors");
        put_file("config.json", LLAMA);
        const slm_status status = open_folder(&file, &err);
        if (status != extra[i].status)
            fail_msg("%s: %s %s", extra[i].name, slm_status_name(status), err.text);
        slm_file_free(file);
    }
}

static void a_folder_without_its_files_says_which(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    assert_int_equal(open_folder(&file, &err), SLM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "config.json"));
    put_file("config.json", LLAMA);
    assert_int_equal(open_folder(&file, &err), SLM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "model.safetensors"));
    put_file("model.safetensors", "GGUF");
    assert_int_equal(open_folder(&file, &err), SLM_E_FORMAT);
}

static void a_config_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    char config[] = LLAMA;
    make_folder(LLAMA);
    for (size_t n = 0; n < strlen(config); n++) {
        slm_error err;
        slm_file *file;
        spit(in_scratch("config.json"), config, n);
        if (open_folder(&file, &err) != SLM_E_FORMAT)
            fail_msg("cut to %zu bytes: %s", n, err.text);
    }
}

static void limits_of_a_config_hold(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    slm_heap heap;
    slm_buf b;
    make_folder(LLAMA);
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&b, &heap, 2 << 20);
    put(&b, "{\"a\":[0");
    for (size_t i = 0; i < SLM_LIMIT_CONFIG_VALUES; i++)
        put(&b, ",0");
    put(&b, "]}");
    spit(in_scratch("config.json"), b.data, b.size);
    assert_int_equal(open_folder(&file, &err), SLM_E_LIMIT);
    b.size = 0;
    while (b.size <= SLM_LIMIT_CONFIG_BYTES)
        put(&b, "                ");
    spit(in_scratch("config.json"), b.data, b.size);
    assert_int_equal(open_folder(&file, &err), SLM_E_LIMIT);
    slm_buf_free(&b);
}

static void further_layouts_of_a_config_are_read(void **state)
{
    (void)state;
    slm_file *file;
    make_folder("{\"model_type\":\"llama\"," NUMBERS ",\"rope_parameters\":{\"rope_theta\":2000.0,\"rope_type\":\"default\"}}");
    file = open_good();
    const slm_key *base = slm_keys_find(&file->keys, "llama.rope.freq_base");
    assert_true(base && slm_key_number_at(base, 0) == 2000.0);
    slm_file_free(file);
    make_folder(WITH("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":16,\"beta_fast\":24.0}"));
    file = open_good();
    assert_int_equal(number(file, "llama.rope.scaling.original_context_length"), 16);
    assert_true(slm_key_number_at(slm_keys_find(&file->keys, "llama.rope.scaling.yarn_beta_fast"), 0) == 24.0);
    slm_file_free(file);
    make_folder("{\"model_type\":\"mistral\"," NUMBERS ",\"sliding_window\":32}");
    file = open_good();
    const slm_key *arch = slm_keys_find(&file->keys, "general.architecture");
    assert_true(arch->bytes == 5 && memcmp(arch->value, "llama", 5) == 0);
    assert_null(slm_keys_find(&file->keys, "llama.attention.sliding_window"));
    slm_file_free(file);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    make_folder(WITH("\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
                     "\"original_max_position_embeddings\":16}"));
    put_file("generation_config.json", "{\"eos_token_id\":[1,2]}");
    assert_true(fail_alloc_every("folder", open_path, close_file, scratch) > 10);
}

static slm_status convert(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    char path[96];
    slm_quantize_params params = SLM_QUANTIZE_PARAMS_INIT;
    params.allocator = allocator;
    params.threads = 1;
    (void)snprintf(path, sizeof path, "%s/out.gguf", scratch);
    const slm_status status = slm_convert_file(ctx, path, &params, err);
    if (status)
        assert_int_equal(access(path, F_OK), -1);       /* whole or not at all */
    else
        *out = ctx;
    return status;
}

static void drop_converted(void *ctx, void *object)
{
    (void)ctx;
    (void)object;
    assert_int_equal(unlink(in_scratch("out.gguf")), 0);
}

static void every_allocation_of_a_conversion_may_fail(void **state)
{
    (void)state;
    make_folder(LLAMA);
    assert_true(fail_alloc_every("convert a folder", convert, drop_converted, scratch) > 10);
}

static void a_conversion_takes_little_memory(void **state)
{
    (void)state;
    weights w;
    slm_error err = { 0 };
    slm_quantize_params params = SLM_QUANTIZE_PARAMS_INIT;
    begin_empty(&w);
    add(&w, "F32", "model.embed_tokens.weight", 1200, 8192);        /* 37.5 MiB */
    end_weights(&w, "model.safetensors");
    put_file("config.json", LLAMA);
    params.memory_limit = 16 << 20;
    if (slm_convert_file(scratch, in_scratch("out.gguf"), &params, &err) != SLM_OK)
        fail_msg("%s", err.text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_the_keys_and_tensors_of_a_gguf),
        TEST(any_part_of_a_tensor_can_be_read),
        TEST(transposed_matrices_can_be_read_in_any_part),
        TEST(narrow_weights_stay_narrow_and_vectors_are_wide),
        TEST(a_tied_head_is_left_out),
        TEST(a_config_that_is_not_run_is_refused_by_name),
        TEST(a_tensor_without_a_place_is_refused),
        TEST(a_folder_without_its_files_says_which),
        TEST(a_config_cut_at_any_byte_is_refused),
        TEST(limits_of_a_config_hold),
        TEST(further_layouts_of_a_config_are_read),
        TEST(every_allocation_may_fail),
        TEST(every_allocation_of_a_conversion_may_fail),
        TEST(a_conversion_takes_little_memory),
    };
    return cmocka_run_group_tests_name("folder", tests, NULL, NULL) != 0;
}
