/* fuzz_config.c -- config.json, a NUL, tokenizer_config.json, a NUL, special_tokens_map.json, a NUL, generation_config.json of a folder with the
 * weights of a small llama and a tokenizer: opened as a model, fed, and its plan made. What opens must compute or say why not. */
#include "folder.h"

enum { MEMORY = 256 << 20 };

/* One layer, 2 heads of 4, 1 kv head, 5 tokens. */
static const folder_tensor tensors[] = {
    { "model.embed_tokens.weight", 5, 8 }, { "model.norm.weight", 0, 8 }, { "lm_head.weight", 5, 8 },
    { "model.layers.0.input_layernorm.weight", 0, 8 }, { "model.layers.0.post_attention_layernorm.weight", 0, 8 },
    { "model.layers.0.self_attn.q_proj.weight", 8, 8 }, { "model.layers.0.self_attn.k_proj.weight", 4, 8 },
    { "model.layers.0.self_attn.v_proj.weight", 4, 8 }, { "model.layers.0.self_attn.o_proj.weight", 8, 8 },
    { "model.layers.0.mlp.gate_proj.weight", 6, 8 }, { "model.layers.0.mlp.up_proj.weight", 6, 8 }, { "model.layers.0.mlp.down_proj.weight", 8, 6 },
};
static const char tokenizer[] =
    "{\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true}],\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"<s>\":4},\"merges\":[\"a b\"]}}";
static size_t taken;

static void *take(void *user, size_t size)
{
    void *memory = NULL;
    (void)user;
    if (posix_memalign(&memory, 64, size ? size : 64))
        return NULL;
    taken += size;
    return memory;
}

static void give(void *user, void *memory, size_t size)
{
    (void)user;
    taken -= size;
    free(memory);
}

/* A file of the folder, or none where the input has nothing for it. */
static void put_next(fuzz_in *in, const char *name)
{
    size_t n;
    const char *text = fuzz_text(in, &n);
    if (n)
        folder_put(name, text, n);
    else
        (void)unlink(folder_path(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const slm_allocator allocator = { NULL, take, give };
    static const int32_t tokens[3] = { 0, 2, 4 };
    fuzz_in in = { data, size };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_plan_info plan = SLM_PLAN_INFO_INIT;
    slm_model *model = NULL;
    slm_session *s = NULL;
    slm_error err = { 0 };
    if (!folder[0]) {
        folder_begin();
        folder_put_tensors(tensors, COUNT(tensors));
        folder_put("tokenizer.json", tokenizer, sizeof tokenizer - 1);
    }
    put_next(&in, "config.json");
    put_next(&in, "tokenizer_config.json");
    put_next(&in, "special_tokens_map.json");
    put_next(&in, "generation_config.json");
    p.allocator = &allocator;
    p.memory_limit = MEMORY;
    p.threads = 1;
    sp.context = 16;
    slm_status status = slm_model_open(&model, folder, &p, &err);
    if (!status) {
        must(slm_plan(&plan, folder, &p, &sp, &err) == SLM_OK, err.text);
        status = slm_session_new(&s, model, &sp, &err);
        if (!status)
            status = slm_session_feed(s, tokens, 3, &err);
        must(status == SLM_OK || status == SLM_E_NUMERIC || status == SLM_E_MEMORY || status == SLM_E_CONTEXT, err.text);
    }
    if (status)
        must_say(status, &err);
    slm_session_free(s);
    slm_model_free(model);
    must(!taken, "memory left behind");
    return 0;
}
