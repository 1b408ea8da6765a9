/* tiny.c -- a small model with random weights. */
#include "harness/tiny.h"

#include "core/random.h"
#include "format/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 64, KV = 32, FORWARD = 96, LAYERS = 2, TENSORS = 2 + 9 * LAYERS };

static slm_model *reference;

static void must(slm_status status, const slm_error *err)
{
    if (status)
        fail_msg("%s: %s", slm_status_name(status), err->text);
}

static size_t list_tensors(slm_gguf_tensor t[TENSORS], char names[TENSORS][64], const slm_type *type)
{
    static const struct { const char *name; uint64_t cols, rows; } parts[] = {
        { "attn_norm.weight", WIDTH, 0 }, { "ffn_norm.weight", WIDTH, 0 }, { "attn_q.weight", WIDTH, WIDTH }, { "attn_k.weight", WIDTH, KV },
        { "attn_v.weight", WIDTH, KV }, { "attn_output.weight", WIDTH, WIDTH }, { "ffn_gate.weight", WIDTH, FORWARD },
        { "ffn_up.weight", WIDTH, FORWARD }, { "ffn_down.weight", FORWARD, WIDTH },
    };
    const slm_type *f32 = slm_type_by_option("f32");
    size_t n = 0;
    t[n++] = (slm_gguf_tensor){ "token_embd.weight", type, 2, { WIDTH, TINY_VOCAB, 1, 1 }, 0, 0 };
    t[n++] = (slm_gguf_tensor){ "output_norm.weight", f32, 1, { WIDTH, 1, 1, 1 }, 0, 0 };
    for (size_t layer = 0; layer < LAYERS; layer++)
        for (size_t i = 0; i < COUNT(parts); i++, n++) {
            (void)snprintf(names[n], sizeof names[n], "blk.%zu.%s", layer, parts[i].name);
            t[n] = (slm_gguf_tensor){ names[n], parts[i].rows ? type : f32, parts[i].rows ? 2 : 1,
                                      { parts[i].cols, parts[i].rows ? parts[i].rows : 1, 1, 1 }, 0, 0 };
        }
    return n;
}

static void make_keys(slm_keys *keys)
{
    static const struct { const char *name; uint32_t value; } numbers[] = {
        { "llama.block_count", LAYERS }, { "llama.context_length", TINY_CONTEXT }, { "llama.embedding_length", WIDTH },
        { "llama.feed_forward_length", FORWARD }, { "llama.attention.head_count", 4 }, { "llama.attention.head_count_kv", 2 },
    };
    slm_error err = { 0 };
    must(slm_keys_add_str(keys, "general.architecture", "llama", &err), &err);
    for (size_t i = 0; i < COUNT(numbers); i++)
        must(slm_keys_add_u32(keys, numbers[i].name, numbers[i].value, &err), &err);
    must(slm_keys_add_f32(keys, "llama.attention.layer_norm_rms_epsilon", 1e-5f, &err), &err);
}

uint8_t *tiny_file(uint64_t seed, const char *type, size_t *n)
{
    slm_gguf_tensor tensors[TENSORS];
    char names[TENSORS][64];
    slm_error err = { 0 };
    slm_heap heap;
    slm_keys keys;
    slm_buf head;
    uint64_t data;
    float row[FORWARD];
    const size_t count = list_tensors(tensors, names, slm_type_by_option(type));
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "tiny");
    slm_buf_init(&head, &heap, 1 << 16);
    make_keys(&keys);
    must(slm_gguf_layout(tensors, count, &keys, &head, &data, &err), &err);
    *n = head.size + (size_t)data;
    uint8_t *file = calloc(1, *n);
    assert_non_null(file);
    memcpy(file, head.data, head.size);
    for (size_t i = 0; i < count; i++) {
        const slm_gguf_tensor *t = &tensors[i];
        for (size_t r = 0; r < t->dims[1]; r++) {
            for (size_t k = 0; k < t->dims[0]; k++) {
                const float u = (float)slm_random_unit(seed + i, r * FORWARD + k) - 0.5f;
                row[k] = t->n_dims == 1 ? 1 + u / 4 : u / 2;
            }
            t->type->quantize(file + head.size + t->offset + r * (size_t)(t->bytes / t->dims[1]), row, (size_t)t->dims[0]);
        }
    }
    slm_heap_free(&heap, head.data);
    slm_keys_free(&keys);
    assert_int_equal(atomic_load(&heap.current), 0);
    return file;
}

slm_model *tiny_open(uint64_t seed, const char *type, const slm_model_params *params)
{
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    size_t n;
    uint8_t *file = tiny_file(seed, type, &n);
    if (params)
        p = *params;
    in.memory = file;
    in.bytes = n;
    p.input = &in;
    must(slm_model_open(&model, "tiny", &p, &err), &err);
    free(file);
    return model;
}

slm_session *tiny_session(slm_model *model, uint32_t context)
{
    slm_error err = { 0 };
    slm_session *s = NULL;
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    p.context = context;
    must(slm_session_new(&s, model, &p, &err), &err);
    return s;
}

int32_t tiny_token(size_t text, size_t i)
{
    return (int32_t)(slm_random_u64(text, i) % TINY_VOCAB);
}

void tiny_feed(slm_session *session, size_t text, size_t from, size_t n)
{
    slm_error err = { 0 };
    int32_t *tokens = calloc(n, sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        tokens[i] = tiny_token(text, from + i);
    must(slm_session_feed(session, tokens, n, &err), &err);
    free(tokens);
}

void tiny_reference(slm_model *model)
{
    reference = model;
}

void tiny_forget(void)
{
    reference = NULL;
}

void tiny_check(slm_session *session, size_t text, size_t n, const char *file, int line)
{
    if (slm_session_position(session) != n)
        fail_msg("%s:%d: the session has %zu tokens, want %zu", file, line, slm_session_position(session), n);
    slm_session *fresh = tiny_session(reference, TINY_CONTEXT);
    tiny_feed(fresh, text, 0, n);
    const float *got = slm_session_logits(session), *want = slm_session_logits(fresh);
    if (!got || memcmp(got, want, TINY_VOCAB * sizeof *got) != 0)
        fail_msg("%s:%d: after %zu tokens of text %zu the logits are others than fed at once (first %a, want %a)", file, line, n, text,
                 got ? (double)got[0] : 0, (double)want[0]);
    for (size_t i = 0; i < n; i++)
        if (slm_session_tokens(session)[i] != tiny_token(text, i))
            fail_msg("%s:%d: token %zu is %d, want %d", file, line, i, slm_session_tokens(session)[i], tiny_token(text, i));
    slm_session_free(fresh);
}
