/* tiny.c -- a small model with random weights. */
#include "harness/tiny.h"

#include "core/random.h"
#include "format/file.h"

#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 64, KV = 32, FORWARD = 96, LAYERS = 2, TENSORS = 40 };

static slm_model *reference;

static void must(slm_status status, const slm_error *err)
{
    if (status)
        fail_msg("%s: %s", slm_status_name(status), err->text);
}

/* rows 0: a vector. */
typedef struct tensor_part {
    const char *name;
    uint64_t cols, rows;
} tensor_part;

/* What stands once, then what each layer has; all but vectors of the type. Returns how many. */
static size_t list_tensors(slm_gguf_tensor t[TENSORS], char names[TENSORS][64], const slm_type *type, const char *prefix, const tensor_part *once,
                           size_t n_once, const tensor_part *each, size_t n_each)
{
    const slm_type *f32 = slm_type_by_option("f32");
    size_t n = 0;
    for (size_t i = 0; i < n_once + LAYERS * n_each; i++, n++) {
        const tensor_part *p = i < n_once ? &once[i] : &each[(i - n_once) % n_each];
        assert_true(n < TENSORS);
        if (i < n_once)
            (void)snprintf(names[n], sizeof names[n], "%s", p->name);
        else
            (void)snprintf(names[n], sizeof names[n], "%sblk.%zu.%s", prefix, (i - n_once) / n_each, p->name);
        t[n] = (slm_gguf_tensor){ names[n], p->rows ? type : f32, p->rows ? 2 : 1, { p->cols, p->rows ? p->rows : 1, 1, 1 }, 0, 0 };
    }
    return n;
}

static void add_numbers(slm_keys *keys, const char *architecture, uint32_t kv_heads, const char *eps)
{
    const struct { const char *name; uint32_t value; } numbers[] = {
        { "block_count", LAYERS }, { "context_length", TINY_CONTEXT }, { "embedding_length", WIDTH },
        { "feed_forward_length", FORWARD }, { "attention.head_count", 4 }, { "attention.head_count_kv", kv_heads },
    };
    slm_error err = { 0 };
    char key[80];
    must(slm_keys_add_str(keys, "general.architecture", architecture, &err), &err);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        (void)snprintf(key, sizeof key, "%s.%s", architecture, numbers[i].name);
        must(slm_keys_add_u32(keys, key, numbers[i].value, &err), &err);
    }
    (void)snprintf(key, sizeof key, "%s.attention.%s", architecture, eps);
    must(slm_keys_add_f32(keys, key, 1e-5f, &err), &err);
}

/* SentencePiece: <unk> <s> </s>, a newline, the blank, the rest of ASCII that is seen, what nobody writes. */
static void add_letters(slm_keys *keys, slm_heap *heap)
{
    static const char *const first[] = { "<unk>", "<s>", "</s>", "\n", "\xe2\x96\x81" };
    slm_error err = { 0 };
    slm_buf tokens, types;
    char text[2] = "";
    slm_buf_init(&tokens, heap, 1 << 16);
    slm_buf_init(&types, heap, 1 << 16);
    for (uint32_t i = 0; i < TINY_VOCAB; i++) {
        text[0] = (char)('!' + i - COUNT(first));
        const char *name = i < COUNT(first) ? first[i] : i < COUNT(first) + '~' - '!' + 1 ? text : "<unused>";
        slm_buf_str(&tokens, name, strlen(name));
        slm_buf_u32(&types, i == 0 ? 2 : i < 3 ? 3 : name == first[3] || name == first[4] || name == text ? 1 : 5);
    }
    must(slm_keys_add_str(keys, "tokenizer.ggml.model", "llama", &err), &err);
    must(slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, TINY_VOCAB, tokens.data, tokens.size, &err), &err);
    must(slm_keys_add(keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, TINY_VOCAB, types.data, types.size, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.unknown_token_id", 0, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.bos_token_id", 1, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.eos_token_id", 2, &err), &err);
    slm_buf_free(&tokens);
    slm_buf_free(&types);
}

/* WordPiece: [PAD] [UNK] [CLS] [SEP], a .. z at the beginning of a word, a .. z within one, and what nobody writes. */
static void add_wordpieces(slm_keys *keys, slm_heap *heap)
{
    static const char *const first[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]" };
    slm_error err = { 0 };
    slm_buf tokens;
    char text[16];
    slm_buf_init(&tokens, heap, 1 << 16);
    for (uint32_t i = 0; i < TINY_VOCAB; i++) {
        const char letter = (char)('a' + (i + 22) % 26);
        const int n = i < 4  ? snprintf(text, sizeof text, "%s", first[i])
                    : i < 30 ? snprintf(text, sizeof text, "\xe2\x96\x81%c", letter)
                    : i < 56 ? snprintf(text, sizeof text, "%c", letter) : snprintf(text, sizeof text, "\xe2\x96\x81<%u>", i);
        slm_buf_str(&tokens, text, (size_t)n);
    }
    must(slm_keys_add_str(keys, "tokenizer.ggml.model", "bert", &err), &err);
    must(slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, TINY_VOCAB, tokens.data, tokens.size, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.unknown_token_id", 1, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.cls_token_id", 2, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.seperator_token_id", 3, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.padding_token_id", 0, &err), &err);
    must(slm_keys_add_u32(keys, "tokenizer.ggml.token_type_count", 2, &err), &err);
    slm_heap_free(heap, tokens.data);
}

/* The file of these keys (which are freed) and tensors. */
static uint8_t *write_file(slm_keys *keys, slm_heap *heap, slm_gguf_tensor *tensors, size_t count, uint64_t seed, size_t *n)
{
    slm_error err = { 0 };
    slm_buf head;
    uint64_t data;
    float row[FORWARD];
    slm_buf_init(&head, heap, 1 << 16);
    must(slm_gguf_layout(tensors, count, keys, &head, &data, &err), &err);
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
    slm_heap_free(heap, head.data);
    slm_keys_free(keys);
    assert_int_equal(atomic_load(&heap->current), 0);
    return file;
}

/* speaks: it has a vocabulary. */
static uint8_t *decoder_file(uint64_t seed, const char *type, bool speaks, size_t *n)
{
    static const tensor_part once[] = { { "token_embd.weight", WIDTH, TINY_VOCAB }, { "output_norm.weight", WIDTH, 0 } };
    static const tensor_part each[] = {
        { "attn_norm.weight", WIDTH, 0 }, { "ffn_norm.weight", WIDTH, 0 }, { "attn_q.weight", WIDTH, WIDTH }, { "attn_k.weight", WIDTH, KV },
        { "attn_v.weight", WIDTH, KV }, { "attn_output.weight", WIDTH, WIDTH }, { "ffn_gate.weight", WIDTH, FORWARD },
        { "ffn_up.weight", WIDTH, FORWARD }, { "ffn_down.weight", FORWARD, WIDTH },
    };
    slm_gguf_tensor tensors[TENSORS];
    char names[TENSORS][64];
    slm_heap heap;
    slm_keys keys;
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "tiny");
    add_numbers(&keys, "llama", 2, "layer_norm_rms_epsilon");
    if (speaks)
        add_letters(&keys, &heap);
    const size_t count = list_tensors(tensors, names, slm_type_by_option(type), "", once, COUNT(once), each, COUNT(each));
    return write_file(&keys, &heap, tensors, count, seed, n);
}

uint8_t *tiny_file(uint64_t seed, const char *type, size_t *n)
{
    return decoder_file(seed, type, false, n);
}

uint8_t *tiny_speaker_file(uint64_t seed, const char *type, size_t *n)
{
    return decoder_file(seed, type, true, n);
}

uint8_t *tiny_encoder_file(uint64_t seed, const char *type, uint32_t pooling, size_t *n)
{
    static const tensor_part once[] = {
        { "token_embd.weight", WIDTH, TINY_VOCAB }, { "position_embd.weight", WIDTH, TINY_CONTEXT }, { "token_types.weight", WIDTH, 2 },
        { "token_embd_norm.weight", WIDTH, 0 }, { "token_embd_norm.bias", WIDTH, 0 },
    };
    static const tensor_part each[] = {
        { "attn_q.weight", WIDTH, WIDTH }, { "attn_k.weight", WIDTH, WIDTH }, { "attn_v.weight", WIDTH, WIDTH },
        { "attn_output.weight", WIDTH, WIDTH }, { "ffn_up.weight", WIDTH, FORWARD }, { "ffn_down.weight", FORWARD, WIDTH },
        { "attn_q.bias", WIDTH, 0 }, { "attn_k.bias", WIDTH, 0 }, { "attn_v.bias", WIDTH, 0 }, { "attn_output.bias", WIDTH, 0 },
        { "ffn_up.bias", FORWARD, 0 }, { "ffn_down.bias", WIDTH, 0 }, { "attn_output_norm.weight", WIDTH, 0 },
        { "attn_output_norm.bias", WIDTH, 0 }, { "layer_output_norm.weight", WIDTH, 0 }, { "layer_output_norm.bias", WIDTH, 0 },
    };
    slm_gguf_tensor tensors[TENSORS];
    char names[TENSORS][64];
    slm_error err = { 0 };
    slm_heap heap;
    slm_keys keys;
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "tiny");
    add_numbers(&keys, "bert", 4, "layer_norm_epsilon");
    must(slm_keys_add_u32(&keys, "bert.pooling_type", pooling, &err), &err);
    add_wordpieces(&keys, &heap);
    const size_t count = list_tensors(tensors, names, slm_type_by_option(type), "", once, COUNT(once), each, COUNT(each));
    return write_file(&keys, &heap, tensors, count, seed, n);
}

uint8_t *tiny_relative_file(uint64_t seed, size_t *n)
{
    static const tensor_part once[] = {
        { "token_embd.weight", WIDTH, TINY_VOCAB }, { "enc.output_norm.weight", WIDTH, 0 }, { "enc.blk.0.attn_rel_b.weight", 4, 32 },
    };
    static const tensor_part each[] = {
        { "attn_norm.weight", WIDTH, 0 }, { "attn_q.weight", WIDTH, WIDTH }, { "attn_k.weight", WIDTH, WIDTH }, { "attn_v.weight", WIDTH, WIDTH },
        { "attn_o.weight", WIDTH, WIDTH }, { "ffn_norm.weight", WIDTH, 0 }, { "ffn_gate.weight", WIDTH, FORWARD },
        { "ffn_up.weight", WIDTH, FORWARD }, { "ffn_down.weight", FORWARD, WIDTH },
    };
    slm_gguf_tensor tensors[TENSORS];
    char names[TENSORS][64];
    slm_error err = { 0 };
    slm_heap heap;
    slm_keys keys;
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "tiny");
    add_numbers(&keys, "t5encoder", 4, "layer_norm_rms_epsilon");
    must(slm_keys_add_u32(&keys, "t5encoder.attention.relative_buckets_count", 32, &err), &err);
    add_wordpieces(&keys, &heap);
    const size_t count = list_tensors(tensors, names, slm_type_by_option("f32"), "enc.", once, COUNT(once), each, COUNT(each));
    return write_file(&keys, &heap, tensors, count, seed, n);
}

slm_model *tiny_open_file(const uint8_t *file, size_t n, const slm_model_params *params)
{
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    if (params)
        p = *params;
    in.memory = file;
    in.bytes = n;
    p.input = &in;
    must(slm_model_open(&model, "tiny", &p, &err), &err);
    return model;
}

slm_model *tiny_open(uint64_t seed, const char *type, const slm_model_params *params)
{
    size_t n;
    uint8_t *file = tiny_file(seed, type, &n);
    slm_model *model = tiny_open_file(file, n, params);
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

/* The input of a tiny file; its bytes are for free(). */
static uint8_t *input_of(slm_input *in)
{
    size_t n;
    uint8_t *file = tiny_file(1, "q8_0", &n);
    *in = (slm_input)SLM_INPUT_INIT;
    in->memory = file;
    in->bytes = n;
    return file;
}

size_t tiny_fail_every(const char *name, fail_make *make, fail_drop *drop)
{
    slm_input in;
    uint8_t *file = input_of(&in);
    const size_t n = fail_alloc_every(name, make, drop, &in);
    free(file);
    return n;
}

typedef struct scenario {
    fail_make *make;
    fail_drop *drop;
    slm_input in;
} scenario;

static void *play(void *arg)
{
    scenario *s = arg;
    slm_error err = { 0 };
    void *out = NULL;
    if (s->make(&s->in, NULL, &out, &err))
        return s;
    s->drop(&s->in, out);
    return NULL;
}

void tiny_small_stack(fail_make *make, fail_drop *drop)
{
    scenario s = { .make = make, .drop = drop };
    uint8_t *file = input_of(&s.in);
    assert_null(test_small_stack(play, &s));
    free(file);
}
