/* make_model.c -- GGUF files in the true shape of named models, with random weights and a made-up vocabulary: benches and tests of
 * memory and speed need no download.
 *
 * A matrix is drawn from a pool: 4,096 runs of 32 values (or one block, if the type's is longer) with the deviation 1/sqrt(cols), made
 * as floats and stored by the type's own quantizer; then run i of tensor t is pool entry (t, i) of the counter-based generator. That
 * is as fast as copying, right for every type, and the same for any number of threads. With that deviation a product has the size of
 * its normed input, so activations stay near 1 through all layers.
 */
#include "model/requantize.h"

#include "core/limits.h"
#include "core/params.h"
#include "core/random.h"
#include "core/size.h"
#include "core/team.h"
#include "core/writer.h"
#include "format/file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct shape {
    const char *name, *architecture;
    uint32_t dim, layers, heads, kv_heads, ffn, vocab, context;
    bool tied, bias;            /* bias: of q, k and v */
    float eps, rope_base;
    float rope_factor;          /* llama3's scaling of the rotation; 0: none */
} shape;

static const shape shapes[] = {
    { "smollm2-135m",   "llama", 576, 30, 9, 3, 1536, 49152, 8192, true, false, 1e-5f, 100000.0f, 0 },
    { "qwen2.5-0.5b",   "qwen2", 896, 24, 14, 2, 4864, 151936, 32768, true, true, 1e-6f, 1000000.0f, 0 },
    { "tinyllama-1.1b", "llama", 2048, 22, 32, 4, 5632, 32000, 2048, false, false, 1e-5f, 10000.0f, 0 },
    { "llama-3.2-3b",   "llama", 3072, 28, 24, 8, 8192, 128256, 131072, true, false, 1e-5f, 500000.0f, 32 },
    { "minilm-l6",      "bert", 384, 6, 12, 12, 1536, 30522, 512, true, true, 1e-12f, 0, 0 },
    { "distilbert",     "bert", 768, 6, 12, 12, 3072, 30522, 512, true, true, 1e-12f, 0, 0 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static bool is_bert(const shape *s)
{
    return !strcmp(s->architecture, "bert");
}

enum { POOL = 4096, RUN_MOST = 256, RUN_BYTES_MOST = 256, RUNS_OF_PIECE = 4096, PIECES = 32, HEAD_MOST = 1 << 28, TEXT_MOST = 1 << 26 };

typedef enum kind { MATRIX, ONES, SMALL, FACTORS } kind;

typedef struct maker {
    slm_heap heap;
    slm_quantize_params params;
    const shape *shape;
    const char *out;
    const slm_mix *mix;
    slm_keys keys;
    slm_gguf_tensor *tensors;
    kind *kinds;
    char (*names)[SLM_LIMIT_TENSOR_NAME + 1];
    size_t n_tensors;
    slm_team *team;
    slm_writer *writer;
    float *values;              /* [POOL * run] */
    uint8_t *pool, *bytes;      /* [POOL * run] and [PIECES * RUNS_OF_PIECE][RUN_BYTES_MOST], as they are written */
    uint64_t done, total;       /* bytes */
    /* the chunk at work */
    size_t tensor, runs, run_bytes;
    uint64_t first;             /* run */
} maker;

/* ---- the vocabulary -------------------------------------------------------------------------------------------------------- */

typedef struct vocabulary {
    slm_buf tokens, scores, types, merges;
    uint32_t n, n_merges;
} vocabulary;

static void add_token(vocabulary *v, const char *text, size_t n, uint32_t type, float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    slm_buf_str(&v->tokens, text, n);
    slm_buf_u32(&v->scores, bits);
    slm_buf_u32(&v->types, type);
    v->n++;
}

/* Number `index` of a, b, .. z, aa, ab, ..: its letters, backwards into the end of a buffer. Returns how many. */
static size_t letters(char end[static 8], uint32_t index)
{
    size_t n = 0;
    for (uint64_t left = (uint64_t)index + 1; left; left = (left - 1) / 26)
        end[7 - n++] = (char)('a' + (left - 1) % 26);
    return n;
}

/* Made-up word `index`: the even ones stand behind a space (as `space` spells it), the odd ones have at least two letters. Every word
 * is an earlier one, or a single character, and one letter more: merging finds its way to it. */
static size_t make_word(char word[16], uint32_t index, const char *space)
{
    char end[8];
    const size_t lead = index % 2 ? 0 : strlen(space), n = letters(end, index % 2 ? 26 + index / 2 : index / 2);
    memcpy(word, space, lead);
    memcpy(word + lead, end + 8 - n, n);
    return lead + n;
}

static void make_spm(vocabulary *v, uint32_t vocab)
{
    static const char space[] = "\xe2\x96\x81";
    char text[16];
    add_token(v, "<unk>", 5, 2, 0);
    add_token(v, "<s>", 3, 3, 0);
    add_token(v, "</s>", 4, 3, 0);
    for (unsigned b = 0; b < 256; b++) {
        (void)snprintf(text, sizeof text, "<0x%02X>", b);
        add_token(v, text, 6, 6, 0);
    }
    for (char c = ' '; c <= '~'; c++)
        add_token(v, c == ' ' ? space : &c, c == ' ' ? 3 : 1, 1, -1e6f);
    for (uint32_t i = 0; v->n < vocab; i++)
        add_token(v, text, make_word(text, i, space), 1, -(float)i);
}

/* The character that stands for byte `index` in GPT-2's order: what is printable in Latin-1 stands for itself and comes first, the
 * other bytes follow as U+0100 and up. */
static size_t byte_character(char text[2], unsigned index)
{
    static const struct { unsigned first, n; } printable[] = { { '!', 94 }, { 0xa1, 12 }, { 0xae, 82 } };
    unsigned c = 0x100 + index - 188;
    for (size_t i = 0, before = 0; i < 3; before += printable[i].n, i++)
        if (index >= before && index < before + printable[i].n)
            c = printable[i].first + index - (unsigned)before;
    if (c < 0x80) {
        text[0] = (char)c;
        return 1;
    }
    text[0] = (char)(0xc0 | c >> 6);
    text[1] = (char)(0x80 | (c & 0x3f));
    return 2;
}

static void make_gpt2(vocabulary *v, uint32_t vocab)
{
    static const char *const control[3] = { "<|endoftext|>", "<|im_start|>", "<|im_end|>" };
    char text[16], merge[18];
    for (unsigned b = 0; b < 256; b++)
        add_token(v, text, byte_character(text, b), 1, 0);
    for (uint32_t i = 0; v->n < vocab - 3; i++) {
        const size_t n = make_word(text, i, "\xc4\xa0");        /* U+0120, the space */
        add_token(v, text, n, 1, 0);
        memcpy(merge, text, n - 1);
        merge[n - 1] = ' ';
        merge[n] = text[n - 1];
        slm_buf_str(&v->merges, merge, n + 1);
        v->n_merges++;
    }
    for (size_t i = 0; i < 3; i++)
        add_token(v, control[i], strlen(control[i]), 3, 0);
}

/* [PAD] [UNK] [CLS] [SEP] [MASK], every printable character at the beginning of a word and within one, then words. */
static void make_wordpiece(vocabulary *v, uint32_t vocab)
{
    static const char *const control[5] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };
    char text[16] = "\xe2\x96\x81";
    for (size_t i = 0; i < 5; i++)
        add_token(v, control[i], strlen(control[i]), i == 1 ? 2 : 3, 0);
    for (char c = '!'; c <= '~'; c++) {
        text[3] = c;
        add_token(v, text, 4, 1, 0);
        add_token(v, &c, 1, 1, 0);
    }
    for (uint32_t i = 0; v->n < vocab; i++)
        add_token(v, text, make_word(text, 52 + i, "\xe2\x96\x81"), 1, 0);      /* past those of one letter */
}

static slm_status add_wordpiece(slm_keys *keys, const vocabulary *v, slm_error *err)
{
    static const struct { const char *name; uint32_t id; } numbers[] = {
        { "tokenizer.ggml.padding_token_id", 0 }, { "tokenizer.ggml.unknown_token_id", 1 }, { "tokenizer.ggml.cls_token_id", 2 },
        { "tokenizer.ggml.seperator_token_id", 3 }, { "tokenizer.ggml.mask_token_id", 4 }, { "tokenizer.ggml.token_type_count", 2 },
    };
    slm_status status = slm_keys_add_str(keys, "tokenizer.ggml.model", "bert", err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, v->n, v->tokens.data, v->tokens.size, err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, v->n, v->types.data, v->types.size, err);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = slm_keys_add_u32(keys, numbers[i].name, numbers[i].id, err);
    return status;
}

static slm_status add_vocabulary(slm_keys *keys, const vocabulary *v, bool spm, slm_error *err)
{
    slm_status status = slm_keys_add_str(keys, "tokenizer.ggml.model", spm ? "llama" : "gpt2", err);
    if (!status && !spm)
        status = slm_keys_add_str(keys, "tokenizer.ggml.pre", "qwen2", err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, v->n, v->tokens.data, v->tokens.size, err);
    if (!status && spm)
        status = slm_keys_add(keys, "tokenizer.ggml.scores", SLM_KEY_F32, true, v->n, v->scores.data, v->scores.size, err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, v->n, v->types.data, v->types.size, err);
    if (!status && !spm)
        status = slm_keys_add(keys, "tokenizer.ggml.merges", SLM_KEY_STRING, true, v->n_merges, v->merges.data, v->merges.size, err);
    if (!status)
        status = slm_keys_add_u32(keys, "tokenizer.ggml.bos_token_id", spm ? 1 : v->n - 3, err);
    if (!status)
        status = slm_keys_add_u32(keys, "tokenizer.ggml.eos_token_id", spm ? 2 : v->n - 1, err);
    if (!status && spm)
        status = slm_keys_add_u32(keys, "tokenizer.ggml.unknown_token_id", 0, err);
    if (!status)
        status = slm_keys_add_bool(keys, "tokenizer.ggml.add_bos_token", spm, err);
    return status;
}

static slm_status make_vocabulary(maker *m, slm_error *err)
{
    const bool spm = strcmp(m->shape->architecture, "qwen2") != 0;
    vocabulary v = { .n = 0 };
    slm_buf *const all[] = { &v.tokens, &v.scores, &v.types, &v.merges };
    slm_status status = SLM_OK;
    for (size_t i = 0; i < 4; i++)
        slm_buf_init(all[i], &m->heap, TEXT_MOST);
    if (is_bert(m->shape))
        make_wordpiece(&v, m->shape->vocab);
    else if (spm)
        make_spm(&v, m->shape->vocab);
    else
        make_gpt2(&v, m->shape->vocab);
    for (size_t i = 0; i < 4 && !status; i++)
        status = slm_buf_status(all[i], "the made-up vocabulary", err);
    if (!status)
        status = is_bert(m->shape) ? add_wordpiece(&m->keys, &v, err) : add_vocabulary(&m->keys, &v, spm, err);
    for (size_t i = 0; i < 4; i++)
        slm_buf_free(all[i]);
    return status;
}

/* ---- keys and tensors ------------------------------------------------------------------------------------------------------ */

static slm_status make_keys(maker *m, slm_error *err)
{
    const shape *s = m->shape;
    const struct { const char *name; uint32_t value; } numbers[] = {
        { "context_length", s->context },           { "embedding_length", s->dim },
        { "block_count", s->layers },               { "feed_forward_length", s->ffn },
        { "attention.head_count", s->heads },       { "attention.head_count_kv", s->kv_heads },
        { "vocab_size", s->vocab },                 { is_bert(s) ? "pooling_type" : "rope.dimension_count",
                                                      is_bert(s) ? SLM_POOLING_MEAN : s->dim / s->heads },
    };
    char key[80];
    slm_status status = slm_keys_add_str(&m->keys, "general.architecture", s->architecture, err);
    if (!status)
        status = slm_keys_add_str(&m->keys, "general.name", s->name, err);
    if (!status)
        status = slm_keys_add_u32(&m->keys, "general.file_type", m->mix->file_type, err);
    if (!status)
        status = slm_keys_add_u32(&m->keys, "general.quantization_version", 2, err);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++) {
        (void)snprintf(key, sizeof key, "%s.%s", s->architecture, numbers[i].name);
        status = slm_keys_add_u32(&m->keys, key, numbers[i].value, err);
    }
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm_%sepsilon", s->architecture, is_bert(s) ? "" : "rms_");
    if (!status)
        status = slm_keys_add_f32(&m->keys, key, s->eps, err);
    (void)snprintf(key, sizeof key, "%s.%s", s->architecture, is_bert(s) ? "attention.causal" : "rope.freq_base");
    if (!status)
        status = is_bert(s) ? slm_keys_add_bool(&m->keys, key, false, err) : slm_keys_add_f32(&m->keys, key, s->rope_base, err);
    return status ? status : make_vocabulary(m, err);
}

/* layer < 0: the name stands alone. rows 0: a vector. */
static void add_tensor(maker *m, int layer, const char *name, kind what, uint32_t rows, uint32_t cols)
{
    char *own = m->names[m->n_tensors];
    slm_gguf_tensor *t = &m->tensors[m->n_tensors];
    if (layer < 0)
        (void)snprintf(own, SLM_LIMIT_TENSOR_NAME + 1, "%s", name);
    else
        (void)snprintf(own, SLM_LIMIT_TENSOR_NAME + 1, "blk.%d.%s", layer, name);
    const bool head = !strcmp(own, m->shape->tied ? "token_embd.weight" : "output.weight");
    t->name = own;
    t->n_dims = rows ? 2 : 1;
    t->dims[0] = cols;
    t->dims[1] = rows ? rows : 1;
    t->dims[2] = t->dims[3] = 1;
    t->type = slm_tensor_type(own, t->n_dims, cols, slm_type_by_id(0), m->mix, m->shape->layers,
                              m->shape->heads / m->shape->kv_heads, head);
    m->kinds[m->n_tensors++] = what;
}

static void add_bert(maker *m)
{
    const shape *s = m->shape;
    const struct { const char *name; uint32_t rows, cols; } parts[] = {
        { "attn_q", s->dim, s->dim }, { "attn_k", s->dim, s->dim }, { "attn_v", s->dim, s->dim }, { "attn_output", s->dim, s->dim },
        { "attn_output_norm", 0, s->dim }, { "ffn_up", s->ffn, s->dim }, { "ffn_down", s->dim, s->ffn }, { "layer_output_norm", 0, s->dim },
    };
    char name[40];
    add_tensor(m, -1, "token_embd.weight", MATRIX, s->vocab, s->dim);
    add_tensor(m, -1, "position_embd.weight", MATRIX, s->context, s->dim);
    add_tensor(m, -1, "token_types.weight", MATRIX, 2, s->dim);
    add_tensor(m, -1, "token_embd_norm.weight", ONES, 0, s->dim);
    add_tensor(m, -1, "token_embd_norm.bias", SMALL, 0, s->dim);
    for (int layer = 0; layer < (int)s->layers; layer++)
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            (void)snprintf(name, sizeof name, "%s.weight", parts[i].name);
            add_tensor(m, layer, name, parts[i].rows ? MATRIX : ONES, parts[i].rows, parts[i].cols);
            (void)snprintf(name, sizeof name, "%s.bias", parts[i].name);
            add_tensor(m, layer, name, SMALL, 0, parts[i].rows ? parts[i].rows : parts[i].cols);
        }
}

static slm_status make_table(maker *m, slm_error *err)
{
    const shape *s = m->shape;
    const uint32_t head = s->dim / s->heads, kv = head * s->kv_heads;
    const size_t most = 5 + (size_t)s->layers * 16;
    m->tensors = slm_heap_zarray(&m->heap, most, sizeof *m->tensors);
    m->names = slm_heap_zarray(&m->heap, most, sizeof *m->names);
    m->kinds = slm_heap_zarray(&m->heap, most, sizeof *m->kinds);
    if (!m->tensors || !m->names || !m->kinds)
        return slm_fail(err, SLM_E_MEMORY, "%s: table of %zu tensors", m->out, most);
    if (is_bert(s)) {
        add_bert(m);
        return SLM_OK;
    }
    add_tensor(m, -1, "token_embd.weight", MATRIX, s->vocab, s->dim);
    if (!s->tied)
        add_tensor(m, -1, "output.weight", MATRIX, s->vocab, s->dim);
    add_tensor(m, -1, "output_norm.weight", ONES, 0, s->dim);
    if (s->rope_factor > 0)
        add_tensor(m, -1, "rope_freqs.weight", FACTORS, 0, head / 2);
    for (int layer = 0; layer < (int)s->layers; layer++) {
        add_tensor(m, layer, "attn_norm.weight", ONES, 0, s->dim);
        add_tensor(m, layer, "attn_q.weight", MATRIX, s->dim, s->dim);
        add_tensor(m, layer, "attn_k.weight", MATRIX, kv, s->dim);
        add_tensor(m, layer, "attn_v.weight", MATRIX, kv, s->dim);
        if (s->bias) {
            add_tensor(m, layer, "attn_q.bias", SMALL, 0, s->dim);
            add_tensor(m, layer, "attn_k.bias", SMALL, 0, kv);
            add_tensor(m, layer, "attn_v.bias", SMALL, 0, kv);
        }
        add_tensor(m, layer, "attn_output.weight", MATRIX, s->dim, s->dim);
        add_tensor(m, layer, "ffn_norm.weight", ONES, 0, s->dim);
        add_tensor(m, layer, "ffn_gate.weight", MATRIX, s->ffn, s->dim);
        add_tensor(m, layer, "ffn_up.weight", MATRIX, s->ffn, s->dim);
        add_tensor(m, layer, "ffn_down.weight", MATRIX, s->dim, s->ffn);
    }
    return SLM_OK;
}

/* ---- weights --------------------------------------------------------------------------------------------------------------- */

/* About normal, deviation 1: the sum of three uniform numbers, the third of the variance of one being 1/12. */
static float draw(uint64_t seed, uint64_t counter)
{
    const uint64_t u = slm_random_u64(seed, counter);
    const double sum = (double)(u & 0x1fffff) + (double)(u >> 21 & 0x1fffff) + (double)(u >> 42 & 0x1fffff);
    return (float)((sum - 1.5 * 0x1fffff) * (2.0 / 0x1fffff));
}

static void copy_runs(void *ctx, size_t index)
{
    maker *m = ctx;
    const size_t begin = index * RUNS_OF_PIECE, end = slm_min(begin + RUNS_OF_PIECE, m->runs);
    uint64_t four = 0;
    for (size_t i = begin; i < end; i++) {
        const uint64_t run = m->first + i;
        if (i == begin || run % 4 == 0)
            four = slm_random_u64(m->tensor + 1, run / 4) >> 16 * (run % 4);
        memcpy(m->bytes + i * m->run_bytes, m->pool + (four % POOL) * m->run_bytes, m->run_bytes);
        four >>= 16;
    }
}

static slm_status put(maker *m, const void *bytes, size_t n, slm_error *err)
{
    slm_status status = slm_writer_put(m->writer, bytes, n, err);
    m->done += n;
    if (!status && m->params.progress && m->params.progress(m->params.user, m->done, m->total))
        status = slm_fail(err, SLM_E_CALLBACK, "%s: stopped by the progress callback after %" PRIu64 " of %" PRIu64 " bytes", m->out,
                          m->done, m->total);
    return status;
}

static slm_status put_matrix(maker *m, size_t index, slm_error *err)
{
    const slm_gguf_tensor *t = &m->tensors[index];
    const size_t run = slm_max(32, t->type->block);
    const float scale = 1.0f / sqrtf((float)t->dims[0]);
    for (size_t i = 0; i < POOL * run; i++)
        m->values[i] = draw(0, i) * scale;
    t->type->quantize(m->pool, m->values, POOL * run);
    m->tensor = index;
    m->run_bytes = run / t->type->block * t->type->bytes;
    const uint64_t runs = t->bytes / m->run_bytes;      /* all widths of the shapes are multiples of the run */
    slm_status status = SLM_OK;
    for (m->first = 0; m->first < runs && !status; m->first += m->runs) {
        m->runs = (size_t)(runs - m->first < PIECES * RUNS_OF_PIECE ? runs - m->first : PIECES * RUNS_OF_PIECE);
        slm_team_run(m->team, slm_ceil_div(m->runs, RUNS_OF_PIECE), copy_runs, m);
        status = put(m, m->bytes, m->runs * m->run_bytes, err);
    }
    return status;
}

/* Llama 3's factors: rotations slower than the trained context are slowed down by rope_factor, fast ones stay, between them it goes
 * over smoothly. Source: the rope scaling of Llama 3.1 (low 1, high 4, trained context 8192). */
static float rope_divisor(const shape *s, size_t i)
{
    const double head = (double)s->dim / s->heads, factor = (double)s->rope_factor, trained = 8192, low = 1, high = 4;
    const double wave = 2 * 3.14159265358979323846 * pow((double)s->rope_base, 2 * (double)i / head);
    if (wave < trained / high)
        return 1;
    if (wave > trained / low)
        return s->rope_factor;
    const double smooth = (trained / wave - low) / (high - low);
    return (float)(1 / ((1 - smooth) / factor + smooth));
}

static slm_status put_vector(maker *m, size_t index, slm_error *err)
{
    const slm_gguf_tensor *t = &m->tensors[index];
    const size_t n = (size_t)t->dims[0];
    for (size_t i = 0; i < n; i++)
        m->values[i] = m->kinds[index] == ONES ? 1.0f : m->kinds[index] == SMALL ? 0.1f * draw(index + 1, i) : rope_divisor(m->shape, i);
    t->type->quantize(m->pool, m->values, n);
    return put(m, m->pool, (size_t)t->bytes, err);
}

static slm_status write_file(maker *m, slm_error *err)
{
    static const uint8_t zeros[32] = { 0 };
    slm_buf head;
    uint64_t data = 0;
    slm_buf_init(&head, &m->heap, HEAD_MOST);
    slm_status status = slm_gguf_layout(m->tensors, m->n_tensors, &m->keys, &head, &data, err);
    m->total = data + head.size;        /* a few 10^10 at most */
    if (!status)
        status = slm_writer_open(&m->writer, &m->heap, m->out, m->total, err);
    if (!status)
        status = put(m, head.data, head.size, err);
    slm_buf_free(&head);
    for (size_t i = 0; i < m->n_tensors && !status; i++) {
        status = m->kinds[i] == MATRIX ? put_matrix(m, i, err) : put_vector(m, i, err);
        if (!status)
            status = put(m, zeros, (size_t)(-m->tensors[i].bytes & 31), err);
        if (!status && m->params.tensor)
            m->params.tensor(m->params.user, m->tensors[i].name, m->tensors[i].type->name, 0);
    }
    if (!status) {
        slm_writer *writer = m->writer;
        m->writer = NULL;               /* ended by the commit either way */
        status = slm_writer_commit(writer, err);
    }
    return status;
}

static slm_status make_room(maker *m, slm_error *err)
{
    m->values = slm_heap_alloc(&m->heap, POOL * RUN_MOST * sizeof(float));
    m->pool = slm_heap_alloc(&m->heap, POOL * RUN_MOST * sizeof(float));
    m->bytes = slm_heap_alloc(&m->heap, (size_t)PIECES * RUNS_OF_PIECE * RUN_BYTES_MOST);
    if (!m->values || !m->pool || !m->bytes)
        return slm_fail(err, SLM_E_MEMORY, "%s: %zu bytes to work in", m->out,
                        2 * POOL * RUN_MOST * sizeof(float) + (size_t)PIECES * RUNS_OF_PIECE * RUN_BYTES_MOST);
    return slm_team_new(&m->team, &m->heap, SLM_TEAM_PTHREAD, m->params.threads, NULL, err);
}

static slm_status find_shape(const shape **found, const char *name, slm_error *err)
{
    char shown[SLM_SHOWN], known[200] = "";
    for (size_t i = 0; i < SHAPES; i++)
        if (!strcmp(shapes[i].name, name)) {
            *found = &shapes[i];
            return SLM_OK;
        }
    for (size_t i = 0; i < SHAPES; i++) {
        const size_t n = strlen(known);
        (void)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", shapes[i].name);
    }
    return slm_fail(err, SLM_E_NOT_FOUND, "shape '%s': not one of the %d known: %s", slm_shown(shown, name, strlen(name)), SHAPES, known);
}

slm_status slm_make_model_file(const char *shape_name, const char *out, const slm_quantize_params *params, slm_error *err)
{
    maker m;
    memset(&m, 0, sizeof m);
    if (!shape_name || !out)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", shape_name ? "out" : "shape");
    m.out = out;
    slm_status status = slm_params_read(&m.params, sizeof m.params, params, err);
    if (!status)
        status = find_shape(&m.shape, shape_name, err);
    if (!status)
        status = slm_written_type(&m.mix, m.params.type, false, err);
    if (status)
        return status;
    slm_heap_init(&m.heap, m.params.allocator, m.params.memory_limit);
    slm_keys_init(&m.keys, &m.heap, out);
    status = make_table(&m, err);
    if (!status)
        status = make_keys(&m, err);
    if (!status)
        status = make_room(&m, err);
    if (!status)
        status = write_file(&m, err);
    slm_writer_abort(m.writer);
    slm_team_free(m.team);
    slm_keys_free(&m.keys);
    void *const all[] = { m.tensors, m.names, m.kinds, m.values, m.pool, m.bytes };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        slm_heap_free(&m.heap, all[i]);
    return status;
}
