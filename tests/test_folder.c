/* test_folder.c -- Hugging Face folders: what the config may say, what the weights must be, and that nothing is left out in silence. The
 * weights and logits of every family are compared by tests/folders.py. */
#include "files.h"

#include "core/limits.h"
#include "harness/fail_alloc.h"

#include <sys/stat.h>

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

/* dims[3], slowest first; 0: there are no further ones. */
static void add_dims(weights *w, const char *dtype, const char *name, const size_t *dims)
{
    char entry[256], shape[64];
    size_t n = 1;
    const size_t begin = w->data.size, each = strcmp(dtype, "F32") == 0 ? 4 : strcmp(dtype, "I64") == 0 ? 8 : 2;
    shape[0] = 0;
    for (size_t i = 0; i < 3 && dims[i]; i++) {
        (void)snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%zu", i ? "," : "", dims[i]);
        n *= dims[i];
    }
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
    (void)snprintf(entry, sizeof entry, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", w->n++ ? "," : "", name,
                   dtype, shape, begin, w->data.size);
    put(&w->head, entry);
}

static void add(weights *w, const char *dtype, const char *name, size_t rows, size_t cols)
{
    add_dims(w, dtype, name, rows ? (size_t[3]){ rows, cols } : (size_t[3]){ cols });
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
#define OF(type, more) "{\"model_type\":\"" type "\"," NUMBERS ",\"layer_norm_eps\":1e-5," more "}"
#define SCALED(more) WITH("\"rope_scaling\":{" more "}")
#define SHAPE(type, width, layers, heads, kv, more) "{\"model_type\":\"" type "\",\"max_position_embeddings\":64,\"hidden_size\":" #width \
    ",\"num_hidden_layers\":" #layers ",\"intermediate_size\":6,\"num_attention_heads\":" #heads ",\"num_key_value_heads\":" #kv \
    ",\"rms_norm_eps\":1e-5,\"layer_norm_eps\":1e-5" more "}"

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
    { "a flag that is a number",    OF("stablelm", "\"use_parallel_residual\":1"), SLM_E_FORMAT, "use_parallel_residual" },
    { "a share that is text",       OF("stablelm", "\"partial_rotary_factor\":\"x\""), SLM_E_FORMAT, "partial_rotary_factor" },
    { "a share of nothing",         OF("stablelm", "\"partial_rotary_factor\":0"), SLM_E_FORMAT, "partial_rotary_factor" },
    { "a setting with no value",    OF("gemma3_text", "\"attn_logit_softcapping\":50.0"), SLM_E_UNSUPPORTED, "none that has it" },
    { "too many heads",             SHAPE("llama", 8, 1, 1025, 1, ""), SLM_E_FORMAT, "1025 heads" },
    { "too many layers",            SHAPE("llama", 8, 1025, 2, 1, ""), SLM_E_FORMAT, "1025 layers" },
    { "no kv heads",                SHAPE("llama", 8, 1, 2, 0, ""), SLM_E_FORMAT, "0 kv heads" },
    { "a pattern that is text",     OF("gemma2", "\"sliding_window_pattern\":\"x\""), SLM_E_FORMAT, "sliding_window_pattern" },
    { "a pattern with a fraction",  OF("gemma2", "\"sliding_window_pattern\":1.5"), SLM_E_FORMAT, "sliding_window_pattern" },
    { "layers that are no list",    OF("gemma2", "\"layer_types\":\"full_attention\""), SLM_E_FORMAT, "layer_types" },
    { "a layer of another kind",    OF("gemma2", "\"layer_types\":[\"chunked_attention\"]"), SLM_E_UNSUPPORTED, "element 0" },
    { "a layer that is a number",   OF("gemma2", "\"layer_types\":[1]"), SLM_E_UNSUPPORTED, "element 0" },
    { "a scale that is text",       OF("gemma2", "\"query_pre_attn_scalar\":\"x\""), SLM_E_FORMAT, "query_pre_attn_scalar" },
    { "the scale of few layers",    SHAPE("gemma2", 8, 46, 2, 1, ",\"head_dim\":6,\"query_pre_attn_scalar\":6"), SLM_E_UNSUPPORTED, "run with 4" },
    { "another interval",           OF("smollm3", "\"no_rope_layer_interval\":3"), SLM_E_UNSUPPORTED, "no_rope_layer_interval" },
    { "an interval that is text",   OF("smollm3", "\"no_rope_layer_interval\":\"x\""), SLM_E_FORMAT, "no_rope_layer_interval" },
    { "a number for a list",        OF("smollm3", "\"no_rope_layers\":1"), SLM_E_FORMAT, "0 elements for 1" },
    { "no rope without elements",   OF("smollm3", "\"no_rope_layers\":[]"), SLM_E_FORMAT, "0 elements for 1" },
    { "no rope with text",          OF("smollm3", "\"no_rope_layers\":[\"x\"]"), SLM_E_FORMAT, "no_rope_layers" },
    { "padding that is text",       OF("roberta", "\"pad_token_id\":\"x\""), SLM_E_FORMAT, "pad_token_id" },
    { "padding in llama",           OF("llama", "\"pad_token_id\":\"x\""), SLM_E_FORMAT, "pad_token_id" },
    { "padding below 0",            OF("roberta", "\"pad_token_id\":-1"), SLM_E_FORMAT, "of 64 positions none is left" },
    { "padding without the rest",   OF("roberta", "\"pad_token_id\":63"), SLM_E_FORMAT, "of 64 positions none is left" },
    { "padding with a fraction",    OF("roberta", "\"pad_token_id\":1.5"), SLM_E_FORMAT, "pad_token_id" },
    { "a scaling of a number",      SCALED("\"type\":3"), SLM_E_UNSUPPORTED, "'3'" },
    { "a scaling in gemma2",        OF("gemma2", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0}"), SLM_E_UNSUPPORTED, "family gemma2: default" },
    { "llama3 without a factor",    SCALED("\"type\":\"llama3\""), SLM_E_FORMAT, "rope_scaling.factor" },
    { "half a position of yarn",    SCALED("\"type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":16.5"), SLM_E_FORMAT, "16.5" },
    { "a beta that is text",        SCALED("\"type\":\"yarn\",\"factor\":4,\"beta_fast\":\"x\""), SLM_E_FORMAT, "beta_fast" },
    { "longrope without lengths",   SCALED("\"type\":\"longrope\""), SLM_E_FORMAT, "original_max_position_embeddings" },
    { "half a position of longrope", SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16.5"), SLM_E_FORMAT, "16.5" },
    { "an attention of 0",          SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"attention_factor\":0"), SLM_E_FORMAT,
      "attention_factor" },
    { "no short factors",           SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16"), SLM_E_FORMAT, "short_factor" },
    { "factors that are a number",  SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"short_factor\":1"), SLM_E_FORMAT,
      "short_factor" },
    { "factors that are text",      SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"short_factor\":[\"x\",1]"), SLM_E_FORMAT,
      "short_factor" },
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
        assert_int_equal(slm_file_open(&file, scratch, NULL, NULL), bad[i].status);     /* nobody need ask why */
    }
}

/* ---- keys that are derived ---- */

#define NONE (-1.0)

static const struct derived { const char *about, *config, *key; double wanted; } derived[] = {
    { "a flag that is set",             OF("stablelm", "\"use_parallel_residual\":true"), "stablelm.use_parallel_residual", 1 },
    { "a flag that is not",             OF("stablelm", "\"use_parallel_residual\":false"), "stablelm.use_parallel_residual", 0 },
    { "a quarter of a head",            OF("stablelm", "\"partial_rotary_factor\":0.5"), "stablelm.rope.dimension_count", 2 },
    { "the usual pattern",              OF("gemma2", "\"sliding_window_pattern\":2"), "gemma2.attention.sliding_window_pattern", NONE },
    { "another pattern",                OF("gemma2", "\"sliding_window_pattern\":3"), "gemma2.attention.sliding_window_pattern", 3 },
    { "a list of the usual layers",     OF("gemma2", "\"layer_types\":[\"sliding_attention\"]"), "gemma2.attention.sliding_window_pattern", NONE },
    { "the scale of many layers",       SHAPE("gemma2", 8, 46, 2, 1, ",\"head_dim\":6,\"query_pre_attn_scalar\":4"), "gemma2.block_count", 46 },
    { "the usual interval",             OF("smollm3", "\"no_rope_layer_interval\":4"), "smollm3.block_count", 1 },
    { "longrope of four lengths",       SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"short_factor\":[1,2],\"long_factor\":"
                                               "[3,4]"), "llama.rope.scaling.attn_factor", 1.22474487 /* sqrt(1 + ln 4 / ln 16) */ },
    { "yarn of another base",           WITH("\"rope_theta\":5e5,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"beta_slow\":2}"),
      "llama.rope.scaling.yarn_beta_slow", 2 },
    { "longrope of one length",         SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":64,\"short_factor\":[1,2],\"long_factor\":"
                                               "[3,4]"), "llama.rope.scaling.attn_factor", 1 },
    { "longrope of one position",       SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":1,\"short_factor\":[1,2],\"long_factor\":"
                                               "[3,4]"), "llama.rope.scaling.attn_factor", 1 },
};

static void keys_are_derived_from_what_the_config_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(derived); i++) {
        make_folder(derived[i].config);
        slm_file *file = open_good();
        const slm_key *key = slm_keys_find(&file->keys, derived[i].key);
        const double found = key ? slm_key_number_at(key, 0) : NONE;
        if (!(fabs(found - derived[i].wanted) < 1e-6))
            fail_msg("%s: %s is %g, wanted %g", derived[i].about, derived[i].key, found, derived[i].wanted);
        slm_file_free(file);
    }
}

static void layers_that_are_not_as_usual_are_listed(void **state)
{
    (void)state;
    make_folder(SHAPE("gemma2", 8, 3, 2, 1, ",\"layer_types\":[\"full_attention\",\"sliding_attention\",\"full_attention\"]"));
    slm_file *file = open_good();
    const slm_key *key = slm_keys_find(&file->keys, "gemma2.attention.sliding_window_pattern");
    assert_true(key && key->array && key->type == SLM_KEY_BOOL && key->count == 3);
    assert_memory_equal(key->value, ((uint8_t[]){ 0, 1, 0 }), 3);
    slm_file_free(file);
}

/* ---- sentence-transformers ---- */

static const struct pooling { const char *config; slm_status status; double wanted; } poolings[] = {
    { "{\"pooling_mode_mean_tokens\":true}",                                      SLM_OK, 1 },
    { "{\"pooling_mode_mean_tokens\":false,\"pooling_mode_cls_token\":true}",     SLM_OK, 2 },
    { "{\"pooling_mode_lasttoken\":true}",                                        SLM_OK, 3 },
    { "{\"pooling_mode_max_tokens\":true}",                                       SLM_OK, NONE },
    { "{\"pooling_mode_mean_tokens\":true",                                       SLM_E_FORMAT, 0 },
};

static void the_pooling_of_a_folder_is_read(void **state)
{
    (void)state;
    weights w;
    begin_empty(&w);
    add(&w, "F32", "embeddings.word_embeddings.weight", 5, 8);
    end_weights(&w, "model.safetensors");
    assert_int_equal(mkdir(in_scratch("1_Pooling"), 0700), 0);
    put_file("config.json", OF("bert", "\"hidden_act\":\"gelu\""));
    for (size_t i = 0; i < COUNT(poolings); i++) {
        slm_error err;
        slm_file *file;
        put_file("1_Pooling/config.json", poolings[i].config);
        assert_int_equal(open_folder(&file, &err), poolings[i].status);
        if (poolings[i].status) {
            assert_non_null(strstr(err.text, "1_Pooling/config.json"));
            continue;
        }
        const slm_key *key = slm_keys_find(&file->keys, "bert.pooling_type");
        assert_true((key ? slm_key_number_at(key, 0) : NONE) == poolings[i].wanted);
        assert_true(slm_key_number_at(slm_keys_find(&file->keys, "bert.attention.causal"), 0) == 0);
        slm_file_free(file);
    }
}

/* ---- tensors of other shapes ---- */

#define NORMS "model.layers.0.self_attn.q_layernorm.norms."
#define STABLE OF("stablelm", "\"use_qkv_bias\":false")
#define GPT2  "{\"model_type\":\"gpt2\",\"n_positions\":8,\"n_embd\":8,\"n_layer\":1,\"n_head\":2,\"layer_norm_epsilon\":1e-5}"
#define PLACES "roberta.embeddings.position_embeddings.weight"

static const struct shaped {
    const char *about, *config;
    struct { const char *name, *dtype; size_t dims[3]; } tensors[2];
    slm_status status;
    const char *word;           /* of the message; else the tensor that is made */
    const char *type;
    uint64_t dims[2];
} shaped[] = {
    { "a norm for each head",       STABLE, { { NORMS "0.weight", "F32", { 4 } }, { NORMS "1.weight", "F32", { 4 } } }, SLM_OK,
      "blk.0.attn_q_norm.weight", "F32", { 4, 2 } },
    { "a matrix for a head",        STABLE, { { NORMS "0.weight", "F32", { 4 } }, { NORMS "1.weight", "F32", { 1, 4 } } }, SLM_E_FORMAT,
      "another shape", NULL, { 0 } },
    { "a wider head",               STABLE, { { NORMS "0.weight", "F32", { 4 } }, { NORMS "1.weight", "F32", { 5 } } }, SLM_E_FORMAT,
      "another shape", NULL, { 0 } },
    { "a head of another type",     STABLE, { { NORMS "0.weight", "F32", { 4 } }, { NORMS "1.weight", "BF16", { 4 } } }, SLM_E_FORMAT,
      "or type", NULL, { 0 } },
    { "a first head of a matrix",   STABLE, { { NORMS "0.weight", "F32", { 1, 4 } } }, SLM_E_FORMAT, "wanted 1 dimension", NULL, { 0 } },
    { "a head left out",            STABLE, { { NORMS "0.weight", "F32", { 4 } }, { NORMS "2.weight", "F32", { 4 } } }, SLM_E_FORMAT,
      "head before, of number: 1", NULL, { 0 } },
    { "a matrix of three",          GPT2, { { "h.0.attn.c_attn.weight", "F32", { 2, 2, 2 } } }, SLM_E_FORMAT, "transposed: 3", NULL, { 0 } },
    { "positions that are skipped", OF("roberta", "\"pad_token_id\":1"), { { PLACES, "F32", { 64, 8 } } }, SLM_OK, "position_embd.weight", "F32",
      { 8, 62 } },
    { "positions, two by default",  OF("roberta", "\"hidden_act\":\"gelu\""), { { PLACES, "F32", { 64, 8 } } }, SLM_OK, "position_embd.weight", "F32",
      { 8, 62 } },
    { "positions of one number",    OF("roberta", "\"pad_token_id\":1"), { { PLACES, "F32", { 64 } } }, SLM_E_FORMAT, "too few rows", NULL, { 0 } },
    { "no position left",           OF("roberta", "\"pad_token_id\":1"), { { PLACES, "F32", { 2, 8 } } }, SLM_E_FORMAT, "too few rows", NULL, { 0 } },
    { "a bias that is a matrix",    LLAMA, { { "lm_head.bias", "BF16", { 5, 8 } } }, SLM_OK, "output.bias", "BF16", { 8, 5 } },
    { "one more is wide",           TYPE("gemma"), { { "model.norm.bias", "BF16", { 2, 8 } } }, SLM_OK, "output_norm.bias", "F32", { 8, 2 } },
    { "a name that ends too soon",  LLAMA, { { "model.layers.7.weight", "F32", { 8 } } }, SLM_E_UNSUPPORTED, "none that models of this family", NULL,
      { 0 } },
    { "a name without a row",       LLAMA, { { "model.w", "F32", { 8 } } }, SLM_E_UNSUPPORTED, "none that models of this family", NULL, { 0 } },
    { "a layer that is no number",  LLAMA, { { "model.layers.x.mlp.up_proj.weight", "F32", { 8 } } }, SLM_E_UNSUPPORTED, "none that models", NULL, { 0 } },
    { "a layer like a number",      LLAMA, { { "model.layers.0:.mlp.up_proj.weight", "F32", { 8 } } }, SLM_E_UNSUPPORTED, "none that models", NULL,
      { 0 } },
    { "a layer of five digits",     LLAMA, { { "model.layers.12345.mlp.up_proj.weight", "F32", { 8 } } }, SLM_E_UNSUPPORTED, "none that models", NULL,
      { 0 } },
    { "a row of zeros of no width", SHAPE("bert", 0, 1, 2, 1, ""), { { "embeddings.word_embeddings.weight", "F32", { 5, 8 } } }, SLM_E_FORMAT,
      "token_types.weight", NULL, { 0 } },
};

static void tensors_have_the_shape_that_their_place_wants(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shaped); i++) {
        const struct shaped *s = &shaped[i];
        weights w;
        slm_error err;
        slm_file *file;
        begin_empty(&w);
        for (size_t t = 0; t < 2 && s->tensors[t].name; t++)
            add_dims(&w, s->tensors[t].dtype, s->tensors[t].name, s->tensors[t].dims);
        end_weights(&w, "model.safetensors");
        put_file("config.json", s->config);
        const slm_status status = open_folder(&file, &err);
        if (status != s->status || (status && !strstr(err.text, s->word)))
            fail_msg("%s: %s %s", s->about, slm_status_name(status), err.text);
        if (status)
            continue;
        const slm_tensor *t = slm_file_find(file, s->word);
        if (!t || strcmp(t->type->name, s->type) != 0 || t->dims[0] != s->dims[0] || t->dims[1] != s->dims[1])
            fail_msg("%s: tensor %s is another", s->about, s->word);
        uint64_t context = 0;
        bool found;
        if (strcmp(s->word, "position_embd.weight") == 0 &&
            (slm_keys_u64(&file->keys, "bert.context_length", &context, &found, &err) || context != s->dims[1]))
            fail_msg("%s: a context of %" PRIu64 " for %" PRIu64 " positions", s->about, context, s->dims[1]);
        slm_file_free(file);
    }
}

/* ---- reading what has gone ---- */

static void weights_cut_after_the_opening_are_seen(void **state)
{
    static const struct { const char *config, *name, *dtype, *made; } cut[] = {
        { LLAMA, "model.norm.weight", "BF16", "output_norm.weight" },                   /* widened */
        { LLAMA, "model.embed_tokens.weight", "F32", "token_embd.weight" },             /* copied */
        { GPT2, "h.0.attn.c_attn.weight", "F32", "blk.0.attn_qkv.weight" },             /* transposed */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cut); i++) {
        weights w;
        slm_error err = { 0 };
        uint8_t bytes[8 * 8 * 4];
        begin_empty(&w);
        add(&w, cut[i].dtype, cut[i].name, 8, 8);
        end_weights(&w, "model.safetensors");
        put_file("config.json", cut[i].config);
        slm_file *file = open_good();
        const slm_tensor *t = slm_file_find(file, cut[i].made);
        assert_true(t && t->bytes <= sizeof bytes);
        assert_int_equal(slm_file_read_raw(file, t, 0, bytes, (size_t)t->bytes, NULL), SLM_OK);
        assert_int_equal(truncate(in_scratch("model.safetensors"), 100), 0);
        assert_int_equal(slm_file_read_raw(file, t, 0, bytes, (size_t)t->bytes, &err), SLM_E_CHANGED);
        check_message(&err, SLM_E_CHANGED, scratch, cut[i].made);
        slm_file_free(file);
    }
}

static void made_tensors_end_where_they_end(void **state)
{
    static const struct { const char *config, *weight, *made; float value; } rows[] = {
        { SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"short_factor\":[5,2],\"long_factor\":[3,4]"),
          "model.embed_tokens.weight", "rope_factors_short.weight", 5 },
        { OF("bert", "\"hidden_act\":\"gelu\""), "embeddings.position_embeddings.weight", "token_types.weight", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        weights w;
        slm_error err = { 0 };
        float v = 1;
        begin_empty(&w);
        add(&w, "F32", rows[i].weight, 5, 8);
        end_weights(&w, "model.safetensors");
        put_file("config.json", rows[i].config);
        slm_file *file = open_good();
        const slm_tensor *t = slm_file_find(file, rows[i].made);
        assert_non_null(t);
        assert_int_equal(slm_file_read_raw(file, t, 0, &v, 4, NULL), SLM_OK);
        assert_true(v == rows[i].value);
        assert_int_equal(slm_file_read_raw(file, t, t->bytes, &v, 4, &err), SLM_E_INTERNAL);
        assert_int_equal(err.status, SLM_E_INTERNAL);
        assert_int_equal(slm_file_read_raw(file, t, 2, &v, 4, NULL), SLM_E_INTERNAL);       /* no whole value */
        assert_true(v == rows[i].value);
        slm_file_free(file);
    }
}

/* ---- names, tokenizers ---- */

static void a_folder_has_its_own_name(void **state)
{
    static const char *const names[][2] = { { "plain", "plain" }, { "plain//", "plain" }, { "a\001\303\251\177z/", "a____z" } };
    char path[160], before[256];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        slm_error err = { 0 };
        slm_file *file = NULL;
        (void)snprintf(path, sizeof path, "%s/%s", scratch, names[i][0]);
        assert_true(i == 1 || mkdir(path, 0700) == 0);
        (void)snprintf(path, sizeof path, "%s/config.json", names[i][0]);
        put_file(path, LLAMA);
        (void)snprintf(path, sizeof path, "%s/model.safetensors", names[i][0]);
        weights w;
        begin_weights(&w, "F32");
        end_weights(&w, path);
        (void)snprintf(path, sizeof path, "%s/%s", scratch, names[i][0]);
        if (slm_file_open(&file, path, NULL, &err) != SLM_OK)
            fail_msg("%s", err.text);
        const slm_key *key = slm_keys_find(&file->keys, "general.name");
        if (!key || key->bytes != strlen(names[i][1]) || memcmp(key->value, names[i][1], key->bytes) != 0)
            fail_msg("%s has another name", path);
        slm_file_free(file);
    }
    make_folder(LLAMA);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    slm_file *file = NULL;
    const slm_status status = slm_file_open(&file, ".", NULL, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, SLM_OK);
    assert_memory_equal(slm_keys_find(&file->keys, "general.name")->value, ".", 1);
    slm_file_free(file);
}

static void weights_must_be_safetensors(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    static const uint8_t gguf[64] = { 'G', 'G', 'U', 'F', 3 };
    put_file("config.json", LLAMA);
    spit(in_scratch("model.safetensors"), gguf, sizeof gguf);
    assert_int_equal(open_folder(&file, &err), SLM_E_FORMAT);
    if (!strstr(err.text, "is GGUF v3, safetensors wanted"))
        fail_msg("%s", err.text);
    assert_int_equal(slm_file_open(&file, scratch, NULL, NULL), SLM_E_FORMAT);
}

#define TOKENS "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1," \
               "\"ab\":2,\"c\":3,\"d\":4},\"merges\":[[\"a\",\"b\"]]}}"

static void a_folder_of_a_tokenizer_alone_has_its_keys(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    put_file("tokenizer.json", TOKENS);
    file = open_good();
    assert_string_equal(slm_file_format(file), "tokenizer folder");
    assert_int_equal(slm_file_tensors(file), 0);
    assert_int_equal(slm_keys_find(&file->keys, "tokenizer.ggml.tokens")->count, 5);
    slm_file_free(file);
    char before[256];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    file = NULL;
    put_file("tokenizer_config.json", "{\"bos_token\":\"c\"}");
    const slm_status beside = slm_file_open(&file, "tokenizer.json", NULL, NULL);      /* what is beside it has no folder in its path */
    assert_int_equal(chdir(before), 0);
    assert_int_equal(beside, SLM_OK);
    assert_true(slm_key_number_at(slm_keys_find(&file->keys, "tokenizer.ggml.bos_token_id"), 0) == 3);
    slm_file_free(file);
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.tokenizer_path = "t.bin";
    err = (slm_error){ 0 };
    assert_int_equal(slm_file_open(&file, scratch, &params, &err), SLM_E_MISMATCH);
    assert_non_null(strstr(err.text, "'t.bin' goes with llama2.c checkpoints only"));
    assert_true(fail_alloc_every("a folder of a tokenizer", open_path, close_file, scratch) > 4);
    put_file("tokenizer.json", "{");
    assert_int_equal(open_folder(&file, &err), SLM_E_FORMAT);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    assert_int_equal(slm_file_open(&file, scratch, NULL, NULL), SLM_E_FORMAT);
    make_folder(LLAMA);
    assert_int_equal(open_folder(&file, &err), SLM_E_FORMAT);
    assert_non_null(strstr(err.text, "tokenizer.json"));
    assert_int_equal(slm_file_open(&file, scratch, NULL, NULL), SLM_E_FORMAT);
}

static const struct ids { const char *config, *generation; slm_status status; double bos, pad, eos, eot, eom; } ids[] = {
    { WITH("\"bos_token_id\":1,\"pad_token_id\":0,\"eos_token_id\":2"),     "{\"eos_token_id\":[2,3,4]}", SLM_OK, 1, 0, 2, 3, 4 },
    { WITH("\"bos_token_id\":-1,\"pad_token_id\":5,\"eos_token_id\":1.5"),  "{}", SLM_OK, NONE, NONE, NONE, NONE, NONE },
    { WITH("\"bos_token_id\":null,\"eos_token_id\":[\"x\",4,4]"),           "{}", SLM_OK, NONE, NONE, 4, NONE, NONE },
    { WITH("\"eos_token_id\":[9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,1]"),          "{}", SLM_OK, NONE, NONE, NONE, NONE, NONE },
    { WITH("\"bos_token_id\":1e999"),                                       "{}", SLM_E_FORMAT, 0, 0, 0, 0, 0 },
    { WITH("\"eos_token_id\":[1e999,1]"),                                   "{}", SLM_E_FORMAT, 0, 0, 0, 0, 0 },
    { WITH("\"eos_token_id\":1"),                           "{\"eos_token_id\":[1e999]}", SLM_E_FORMAT, 0, 0, 0, 0, 0 },
};

static double id_of(const slm_file *file, const char *what)
{
    char name[64];
    (void)snprintf(name, sizeof name, "tokenizer.ggml.%s_token_id", what);
    const slm_key *key = slm_keys_find(&file->keys, name);
    return key ? slm_key_number_at(key, 0) : NONE;
}

static void ids_of_a_config_are_those_of_its_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        slm_error err;
        slm_file *file;
        make_folder(ids[i].config);
        put_file("tokenizer.json", TOKENS);
        put_file("generation_config.json", ids[i].generation);
        const slm_status status = open_folder(&file, &err);
        if (status != ids[i].status)
            fail_msg("%s: %s %s", ids[i].config, slm_status_name(status), err.text);
        if (status)
            continue;
        if (id_of(file, "bos") != ids[i].bos || id_of(file, "padding") != ids[i].pad || id_of(file, "eos") != ids[i].eos ||
            id_of(file, "eot") != ids[i].eot || id_of(file, "eom") != ids[i].eom)
            fail_msg("%s: bos %g, padding %g, eos %g, eot %g, eom %g", ids[i].config, id_of(file, "bos"), id_of(file, "padding"), id_of(file, "eos"),
                     id_of(file, "eot"), id_of(file, "eom"));
        slm_file_free(file);
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
    assert_int_equal(slm_file_open(&file, scratch, NULL, NULL), SLM_E_LIMIT);
    b.size = 0;
    for (size_t i = 0; i <= 2048; i++) {
        char one[32];
        (void)snprintf(one, sizeof one, "%s\"a%zu\":0", i ? "," : "{", i);
        put(&b, one);
    }
    put(&b, "}");
    spit(in_scratch("config.json"), b.data, b.size);
    assert_int_equal(open_folder(&file, &err), SLM_E_LIMIT);
    assert_non_null(strstr(err.text, "2048 names"));
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
    make_folder(SCALED("\"type\":\"longrope\",\"original_max_position_embeddings\":16,\"short_factor\":[1,2],\"long_factor\":[3,4]"));
    put_file("tokenizer.json", TOKENS);
    assert_true(fail_alloc_every("longrope", open_path, close_file, scratch) > 10);
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
        TEST(keys_are_derived_from_what_the_config_says),
        TEST(layers_that_are_not_as_usual_are_listed),
        TEST(the_pooling_of_a_folder_is_read),
        TEST(tensors_have_the_shape_that_their_place_wants),
        TEST(weights_cut_after_the_opening_are_seen),
        TEST(made_tensors_end_where_they_end),
        TEST(a_folder_has_its_own_name),
        TEST(weights_must_be_safetensors),
        TEST(a_folder_of_a_tokenizer_alone_has_its_keys),
        TEST(ids_of_a_config_are_those_of_its_tokens),
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
