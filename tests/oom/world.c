/* world.c -- the files that scenarios read, what can be seen of a world, and its end. */
#include "oom/oom.h"

#include "harness/parrot.h"
#include "harness/tiny.h"
#include "remote/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void oom_must(slm_status status, const slm_error *err)
{
    if (status)
        fail_msg("%s: %s", slm_status_name(status), err->text);
}

static void write_text(const char *path, const char *text)
{
    test_file_write(path, text, strlen(text));
}

/* Tensors of F32 with small values; each name must come with its shape. A llama of one layer, 2 heads of 4, width 8, 5 tokens.
 * index_path: of the list that says that they all are in file "one"; or NULL. */
static void write_safetensors(const char *path, const char *index_path)
{
    static const struct { const char *name; unsigned rows, cols; } list[] = {
        { "model.embed_tokens.weight", 5, 8 }, { "model.norm.weight", 0, 8 }, { "lm_head.weight", 5, 8 },
        { "model.layers.0.input_layernorm.weight", 0, 8 }, { "model.layers.0.post_attention_layernorm.weight", 0, 8 },
        { "model.layers.0.self_attn.q_proj.weight", 8, 8 }, { "model.layers.0.self_attn.k_proj.weight", 4, 8 },
        { "model.layers.0.self_attn.v_proj.weight", 4, 8 }, { "model.layers.0.self_attn.o_proj.weight", 8, 8 },
        { "model.layers.0.mlp.gate_proj.weight", 6, 8 }, { "model.layers.0.mlp.up_proj.weight", 6, 8 },
        { "model.layers.0.mlp.down_proj.weight", 8, 6 },
    };
    static uint8_t file[8192];
    char index[2048] = "{\"weight_map\":";
    size_t n = 8, at = 0, n_index = strlen(index);
    for (size_t i = 0; i < COUNT(list); i++) {
        const size_t bytes = 4u * list[i].cols * (list[i].rows ? list[i].rows : 1);
        char shape[32];
        (void)snprintf(shape, sizeof shape, list[i].rows ? "%u,%u" : "%.0u%u", list[i].rows, list[i].cols);
        n += (size_t)snprintf((char *)file + n, sizeof file - n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                              i ? "," : "{", list[i].name, shape, at, at + bytes);
        at += bytes;
        n_index += (size_t)snprintf(index + n_index, sizeof index - n_index, "%s\"%s\":\"one\"", i ? "," : "{", list[i].name);
    }
    if (index_path) {
        (void)snprintf(index + n_index, sizeof index - n_index, "}}");
        write_text(index_path, index);
    }
    file[n++] = '}';
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((n - 8) >> (8 * i));
    for (size_t i = 0; i < at / 4; i++) {
        const float v = (float)(i % 13) / 16 - 0.25f;
        memcpy(file + n + 4 * i, &v, 4);
    }
    test_file_write(path, file, n + at);
}

static const char bpe_json[] =
    "{\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true}],\"normalizer\":null,"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u0120\":3,\"<s>\":4},\"merges\":[\"a b\"]}}";
static const char wordpiece_json[] =
    "{\"added_tokens\":[{\"id\":1,\"content\":\"[UNK]\",\"special\":true}],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"a\":2,\"##b\":3,\"[CLS]\":4,\"[SEP]\":5}}}";

static void write_folder(const char *path, bool sharded)
{
    char file[1100], index[1100];
    (void)mkdir(path, 0755);
    (void)snprintf(file, sizeof file, "%s/config.json", path);
    write_text(file, "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":8,\"num_hidden_layers\":1,"
                     "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"intermediate_size\":6,\"vocab_size\":5,\"rms_norm_eps\":1e-5,"
                     "\"max_position_embeddings\":64,\"rope_theta\":10000.0,\"tie_word_embeddings\":false,\"hidden_act\":\"silu\","
                     "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
                     "\"original_max_position_embeddings\":32}}");
    (void)snprintf(file, sizeof file, "%s/%s", path, sharded ? "one" : "model.safetensors");
    (void)snprintf(index, sizeof index, "%s/model.safetensors.index.json", path);
    write_safetensors(file, sharded ? index : NULL);
    (void)snprintf(file, sizeof file, "%s/tokenizer.json", path);
    write_text(file, bpe_json);
    (void)snprintf(file, sizeof file, "%s/tokenizer_config.json", path);
    write_text(file, "{\"bos_token\":\"<s>\",\"eos_token\":\"<s>\",\"add_bos_token\":true,\"chat_template\":\"{{ messages }}\"}");
}

/* BPE with byte fallback of more tokens and bytes than a table begins with. */
static void write_fallback(const char *path)
{
    enum { MORE = 1100 };
    static char json[65536];
    size_t n = (size_t)snprintf(json, sizeof json, "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":"
                                "\"always\"},\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,"
                                "\"a\":1,\"b\":2,\"ab\":3,\"\xe2\x96\x81\":4");
    for (size_t i = 5; i < MORE; i++)
        n += (size_t)snprintf(json + n, sizeof json - n, ",\"unused-%zu\":%zu", i, i);
    (void)snprintf(json + n, sizeof json - n, "},\"merges\":[\"a b\"]}}");
    write_text(path, json);
}

static void write_made(const char *name, uint8_t *bytes, size_t n)
{
    test_file_write(test_path(name), bytes, n);
    free(bytes);
}

static void write_parrot(const char *name, const char *tokens, const char *const *pieces, size_t n)
{
    slm_model_free(parrot_open(pieces, n));
    (void)rename(test_path("parrot.bin"), test_path(name));
    (void)rename(test_path("parrot.tok"), test_path(tokens));
}

void oom_prepare(const char *server)
{
    static const char *const pieces[] = { "The", " cat", " sat", " down", "." };
    static const char *const calling[] = { "Let me see.", "<tool_call>", "{\"name\":\"f\",", "\"arguments\":{\"a\":[1]}}", "</tool_call>" };
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    slm_session *session;
    size_t n;
    uint8_t *bytes = tiny_file(1, "f32", &n);
    write_made("tiny.gguf", bytes, n);
    bytes = tiny_encoder_file(3, "q8_0", SLM_POOLING_MEAN, &n);
    write_made("encoder.gguf", bytes, n);
    bytes = tiny_relative_file(4, &n);
    write_made("relative.gguf", bytes, n);
    write_parrot("caller.bin", "caller.tok", calling, COUNT(calling));
    slm_model_free(parrot_open(pieces, COUNT(pieces)));
    write_fallback(test_path("fallback.json"));
    if (server && !rig_start(server, test_folder()))
        fail_msg("%s does not start", server);
    write_safetensors(test_path("one.safetensors"), NULL);
    write_text(test_path("bpe.json"), bpe_json);
    write_text(test_path("wordpiece.json"), wordpiece_json);
    bytes = test_file_read("tests/fuzz/seeds/spm_model/unigram", &n);
    write_made("unigram.model", bytes, n);
    write_folder(test_path("folder"), false);
    write_folder(test_path("shards"), true);
    q.threads = 1;
    q.type = "q8_0";
    oom_must(slm_pack_file(test_path("tiny.gguf"), test_path("tiny.packed"), &q, &err), &err);
    oom_must(slm_pack_file(test_path("tiny.gguf"), test_path("mapped"), &q, &err), &err);
    slm_model *model = tiny_open(1, "f32", NULL);
    session = tiny_session(model, 200);
    tiny_feed(session, 6, 0, 70);
    oom_must(slm_session_save(session, test_path("saved"), &err), &err);
    slm_session_free(session);
    slm_model_free(model);
}

/* ---- what can be seen ---- */

static uint64_t add(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

static uint64_t add_session(uint64_t h, const slm_session *s, const slm_model *model)
{
    slm_model_info info = SLM_MODEL_INFO_INIT;
    if (!s)
        return h;
    const size_t n = slm_session_position(s), room = slm_session_room(s);
    h = add(add(h, &n, sizeof n), &room, sizeof room);
    h = add(h, slm_session_tokens(s), n * sizeof(int32_t));
    const float *logits = slm_session_logits(s);
    if (logits && model && !slm_model_get_info(model, &info, NULL))
        h = add(h, logits, info.vocab * sizeof *logits);
    return h;
}

uint64_t oom_state(const oom_world *w)
{
    uint64_t h = 0xcbf29ce484222325u;
    slm_budget_info budget = SLM_BUDGET_INFO_INIT;
    h = add_session(h, w->session, w->model);
    h = add_session(h, w->other, w->model);
    if (w->guide) {
        const int is[2] = { slm_guide_is_done(w->guide), slm_guide_is_whole(w->guide) };
        h = add(h, is, sizeof is);
    }
    if (w->budget && !slm_budget_get_info(w->budget, &budget, NULL))
        h = add(h, &budget, sizeof budget);
    if (w->rendered) {
        size_t n;
        const char *text = slm_rendered_text(w->rendered, &n);
        h = add(h, text, n);
    }
    return add(h, w->text, w->text_len);
}

static uint64_t use_file(uint64_t h, const slm_file *file)
{
    slm_error err = { 0 };
    for (size_t i = 0; i < slm_file_keys(file); i++) {
        slm_key_info key = SLM_KEY_INFO_INIT;
        oom_must(slm_file_key(file, i, &key, &err), &err);
        h = add(add(h, key.name, strlen(key.name)), &key.number, sizeof key.number);
    }
    for (size_t i = 0; i < slm_file_tensors(file); i++) {
        slm_tensor_info t = SLM_TENSOR_INFO_INIT;
        oom_must(slm_file_tensor(file, i, &t, &err), &err);
        const size_t n = (size_t)(t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3]);
        float *values = calloc(n, sizeof *values);
        const slm_status status = slm_file_read(file, i, values, n, &err);
        h = add(add(h, t.name, strlen(t.name)), &status, sizeof status);
        h = add(h, values, n * sizeof *values);
        free(values);
    }
    return h;
}

static uint64_t use_tokenizer(uint64_t h, const slm_tokenizer *tokenizer)
{
    slm_error err = { 0 };
    int32_t ids[64];
    size_t n;
    oom_must(slm_tokenizer_encode(tokenizer, ids, COUNT(ids), &n, "ab a cat", 8, SLM_TEXT_BOS_EOS, &err), &err);
    return add(h, ids, n * sizeof *ids);
}

static uint64_t use_model(uint64_t h, slm_model *model)
{
    slm_error err = { 0 };
    slm_model_info info = SLM_MODEL_INFO_INIT;
    const int32_t tokens[4] = { 1, 2, 3, 1 };
    oom_must(slm_model_get_info(model, &info, &err), &err);
    if (info.encoder)
        return h;
    slm_session *s = tiny_session(model, 16);
    oom_must(slm_session_feed(s, tokens, 4, &err), &err);
    h = add_session(h, s, model);
    slm_session_free(s);
    return h;
}

static uint64_t use_engine(uint64_t h, const slm_engine *engine)
{
    slm_error err = { 0 };
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    q.prompt = "\n";
    q.prompt_len = 1;
    q.max_tokens = 3;
    oom_must(slm_engine_run(engine, &q, &reply, &err), &err);
    h = add(add(h, reply.text, reply.text_len), reply.scores, reply.n_scores * sizeof *reply.scores);
    slm_reply_free(&reply);
    return h;
}

/* What a quantizer makes of it. */
static uint64_t use_importance(uint64_t h, const slm_importance *importance)
{
    slm_error err = { 0 };
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    char hex[65];
    size_t n;
    p.type = "q4_0";
    p.threads = 1;
    p.importance = importance;
    oom_must(slm_quantize_file(test_path("tiny.gguf"), test_path("used"), &p, &err), &err);
    uint8_t *bytes = test_file_read(test_path("used"), &n);
    (void)unlink(test_path("used"));
    slm_sha256(hex, bytes, n);
    free(bytes);
    return add(h, hex, sizeof hex);
}

uint64_t oom_digest(oom_world *w)
{
    slm_error err = { 0 };
    uint64_t h = add(oom_state(w), w->bytes, sizeof w->bytes);
    if (w->file)
        h = use_file(h, w->file);
    if (w->tokenizer)
        h = use_tokenizer(h, w->tokenizer);
    if (w->model)
        h = use_model(h, w->model);
    if (w->encoder) {
        static float states[4][64];
        oom_must(slm_encoder_states(w->encoder, states[0], (const int32_t[]){ 2, 4, 5, 3 }, 4, &err), &err);
        h = add(h, states, sizeof states);
    }
    if (w->tmpl) {
        static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";
        slm_rendered *r = NULL;
        size_t n;
        oom_must(slm_template_render(&r, w->tmpl, talk, sizeof talk - 1, NULL, &err), &err);
        const char *text = slm_rendered_text(r, &n);
        h = add(h, text, n);
        slm_rendered_free(r);
    }
    if (w->engine)
        h = use_engine(h, w->engine);
    if (w->both)
        h = use_engine(h, w->both);
    if (w->importance)
        h = use_importance(h, w->importance);
    return h;
}

void oom_end(oom_world *w)
{
    slm_engine_free(w->both);
    slm_engine_free(w->far);
    slm_engine_free(w->engine);
    slm_importance_free(w->importance);
    slm_budget_free(w->budget);
    slm_guide_free(w->guide);
    slm_constraint_free(w->constraint);
    slm_rendered_free(w->rendered);
    slm_template_free(w->tmpl);
    slm_batch_free(w->batch);
    slm_encoder_free(w->encoder);
    slm_session_free(w->other);
    slm_session_free(w->session);
    slm_model_free(w->model);
    slm_tokenizer_free(w->tokenizer);
    slm_file_free(w->file);
}
