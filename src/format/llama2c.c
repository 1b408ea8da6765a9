/* llama2c.c -- checkpoints of llama2.c (karpathy/llama2.c, export.py) as a llama file with GGUF's names and keys, so that no floor
 * above knows the difference.
 *
 * Nothing in these files has a length: seven numbers say the shapes, and the shapes must use up the file to the byte.
 *
 *   v0  i32 dim, hidden, layers, heads, kv heads, vocabulary (negative: own classifier), context; then f32 values
 *   v1  u32 "ak42", i32 1, the seven numbers, u8 shared classifier, zeros to byte 256; then f32 values
 *   v2  as v1 with i32 2 and, after the shared byte, i32 group size; f32 norms; each matrix as i8 q[n], f32 scale[n / group]
 *
 * The tensors stand in the order of the tables below, those of a layer all layers one after another. Rope is over neighbouring pairs,
 * which is GGUF's layout for "llama": q and k rows stay as they are. v2's values are q * scale in f32, made when they are read.
 */
#include "format/file.h"

#include "core/limits.h"
#include "core/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAGIC = 0x616b3432, HEAD_V0 = 28, HEAD = 256, NUMBERS = 7 };

enum { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT, KV, HALF, ONE, SIZES };

typedef struct shape {
    uint64_t size[SIZES];   /* by the names above; KV and HALF (of a head) are made from the others */
    uint32_t version;
    uint64_t group;         /* v2 */
    bool     tied;
} shape;

static const struct { const char *name; uint32_t most; } numbers[NUMBERS] = {
    { "dim", SLM_LIMIT_EMBEDDING },        { "hidden_dim", SLM_LIMIT_FEED_FORWARD }, { "n_layers", SLM_LIMIT_LAYERS },
    { "n_heads", SLM_LIMIT_HEADS },        { "n_kv_heads", SLM_LIMIT_HEADS },        { "vocab_size", SLM_LIMIT_VOCAB },
    { "seq_len", SLM_LIMIT_CONTEXT },
};

typedef struct piece {
    const char *name;       /* NULL: skipped */
    uint8_t rows, cols;     /* indices of shape.size; rows ONE makes a vector */
    bool layers, own;       /* once for each layer; there only with a classifier of its own */
} piece;

static const piece order_v0[] = {
    { "token_embd.weight",  VOCAB, DIM, false, false },  { "attn_norm.weight",   ONE, DIM, true, false },
    { "attn_q.weight",      DIM, DIM, true, false },     { "attn_k.weight",      KV, DIM, true, false },
    { "attn_v.weight",      KV, DIM, true, false },      { "attn_output.weight", DIM, DIM, true, false },
    { "ffn_norm.weight",    ONE, DIM, true, false },     { "ffn_gate.weight",    HIDDEN, DIM, true, false },
    { "ffn_down.weight",    DIM, HIDDEN, true, false },  { "ffn_up.weight",      HIDDEN, DIM, true, false },
    { "output_norm.weight", ONE, DIM, false, false },    { NULL,                 CONTEXT, HALF, false, false },
    { NULL,                 CONTEXT, HALF, false, false }, { "output.weight",    VOCAB, DIM, false, true },
};

static const piece order_v1[] = {
    { "attn_norm.weight",   ONE, DIM, true, false },     { "ffn_norm.weight",    ONE, DIM, true, false },
    { "output_norm.weight", ONE, DIM, false, false },    { "token_embd.weight",  VOCAB, DIM, false, false },
    { "attn_q.weight",      DIM, DIM, true, false },     { "attn_k.weight",      KV, DIM, true, false },
    { "attn_v.weight",      KV, DIM, true, false },      { "attn_output.weight", DIM, DIM, true, false },
    { "ffn_gate.weight",    HIDDEN, DIM, true, false },  { "ffn_down.weight",    DIM, HIDDEN, true, false },
    { "ffn_up.weight",      HIDDEN, DIM, true, false },  { "output.weight",      VOCAB, DIM, false, true },
};

/* ---- the header ------------------------------------------------------------------------------------------------------------ */

/* The numbers in their ranges and in their relations. */
static slm_status check_shape(shape *s, const int64_t number[NUMBERS], const char *file, slm_error *err)
{
    for (int i = 0; i < NUMBERS; i++) {
        if (number[i] < 1 || number[i] > numbers[i].most)
            return slm_fail(err, SLM_E_FORMAT, "%s: %s is %" PRId64 " (allowed 1 .. %u)", file, numbers[i].name, number[i], numbers[i].most);
        s->size[i] = (uint64_t)number[i];
    }
    const uint64_t dim = s->size[DIM], heads = s->size[HEADS], kv_heads = s->size[KV_HEADS];
    if (dim % heads)
        return slm_fail(err, SLM_E_FORMAT, "%s: n_heads %" PRIu64 " does not divide dim %" PRIu64, file, heads, dim);
    if (heads % kv_heads)
        return slm_fail(err, SLM_E_FORMAT, "%s: n_kv_heads %" PRIu64 " does not divide n_heads %" PRIu64, file, kv_heads, heads);
    if (dim / heads % 2 || dim / heads > SLM_LIMIT_HEAD_SIZE)
        return slm_fail(err, SLM_E_FORMAT, "%s: a head of %" PRIu64 " values (allowed even, 2 .. %d)", file, dim / heads,
                        SLM_LIMIT_HEAD_SIZE);
    s->size[KV] = dim / heads * kv_heads;
    s->size[HALF] = dim / heads / 2;
    s->size[ONE] = 1;
    return SLM_OK;
}

static slm_status check_flags(const shape *s, uint8_t shared, int32_t group, const char *file, slm_error *err)
{
    if (shared > 1)
        return slm_fail_at(err, SLM_E_FORMAT, 36, "%s: shared_classifier is %u (allowed 0, 1)", file, shared);
    if (s->version == 2 && (group < 1 || group > SLM_LIMIT_EMBEDDING))
        return slm_fail_at(err, SLM_E_FORMAT, 37, "%s: group_size is %" PRId32 " (allowed 1 .. %d)", file, group, SLM_LIMIT_EMBEDDING);
    return SLM_OK;
}

static slm_status read_head(shape *s, const slm_source *source, slm_error *err)
{
    const char *file = source->name;
    uint8_t bytes[48] = { 0 };
    int64_t number[NUMBERS];
    slm_status status = slm_source_read(source, 0, bytes, source->size < sizeof bytes ? (size_t)source->size : sizeof bytes, err);
    if (status)
        return status;
    slm_cursor c = slm_cursor_over(bytes, sizeof bytes);
    memset(s, 0, sizeof *s);
    if (slm_le(bytes, 4) == MAGIC) {
        (void)slm_cursor_u32(&c);
        s->version = slm_cursor_u32(&c);
        if (s->version != 1 && s->version != 2)
            return slm_fail_at(err, SLM_E_UNSUPPORTED, 4, "%s: llama2.c version %u (known: 0, 1, 2)", file, s->version);
        if (source->size < HEAD)
            return slm_fail(err, SLM_E_FORMAT, "%s: its header needs %d bytes, the file has %" PRIu64, file, HEAD, source->size);
    }
    for (int i = 0; i < NUMBERS; i++)
        number[i] = (int32_t)slm_cursor_u32(&c);
    if (s->version) {
        const uint8_t shared = slm_cursor_u8(&c);
        const int32_t group = (int32_t)slm_cursor_u32(&c);
        if ((status = check_flags(s, shared, group, file, err)) != SLM_OK)
            return status;
        s->tied = shared;
        s->group = s->version == 2 ? (uint64_t)group : 0;
    } else {
        s->tied = number[VOCAB] > 0;
        if (!s->tied)
            number[VOCAB] = -number[VOCAB];
    }
    return check_shape(s, number, file, err);
}

/* ---- the tensors ----------------------------------------------------------------------------------------------------------- */

/* What v2's reader needs to know. */
typedef struct groups {
    uint64_t group;
    bool packed[];          /* [n_tensors] 8-bit values and scales; else f32 in the file */
} groups;

/* Tensor `index` of the file: piece p of that layer, at byte `at`. */
static slm_status set_tensor(slm_file *file, size_t index, const piece *p, uint64_t layer, const uint64_t dims[2], uint64_t at, slm_error *err)
{
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    if (p->layers)
        (void)snprintf(name, sizeof name, "blk.%" PRIu64 ".%s", layer, p->name);
    else
        (void)snprintf(name, sizeof name, "%s", p->name);
    slm_status status = slm_file_set_tensor(file, index, name, strlen(name), 0, p->rows == ONE ? 1 : 2, dims, at, err);
    if (!status)
        file->tensors[index].offset = at;
    return status;
}

/* Walks the table in file order: counts tensors, and *end is the size the file must have. With `packed` it also sets the tensors. */
static slm_status walk(const shape *s, slm_file *file, bool *packed, size_t *count, uint64_t *end, slm_error *err)
{
    const piece *order = s->version ? order_v1 : order_v0;
    const size_t n = s->version ? sizeof order_v1 / sizeof *order_v1 : sizeof order_v0 / sizeof *order_v0;
    uint64_t at = s->version ? HEAD : HEAD_V0;
    slm_status status = SLM_OK;
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        const piece *p = &order[i];
        const uint64_t dims[2] = { s->size[p->cols], s->size[p->rows] };
        const bool quantized = s->version == 2 && p->rows != ONE;
        uint64_t values, bytes;
        if (p->own && s->tied)
            continue;
        if (!slm_u64_mul(dims[0], dims[1], &values) || !slm_u64_mul(values, quantized ? 1 : 4, &bytes))
            return slm_fail(err, SLM_E_LIMIT, "%s: %" PRIu64 " x %" PRIu64 " values pass 64 bits", file->source.name, dims[1], dims[0]);
        if (quantized && values % s->group)
            return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': its %" PRIu64 " values are no multiple of group_size %" PRIu64,
                            file->source.name, p->name, values, s->group);
        const uint64_t scales = quantized ? values / s->group * 4 : 0;
        for (uint64_t layer = 0; layer < (p->layers ? s->size[LAYERS] : 1); layer++) {
            if (packed && p->name) {
                packed[made] = quantized;
                if ((status = set_tensor(file, made, p, layer, dims, at, err)) != SLM_OK)
                    return status;
            }
            made += p->name != NULL;
            if (!slm_u64_add(at, bytes, &at) || !slm_u64_add(at, scales, &at))
                return slm_fail(err, SLM_E_LIMIT, "%s: the sum of its tensors passes 64 bits", file->source.name);
        }
    }
    *count = made;
    *end = at;
    return SLM_OK;
}

/* v2's values q * scale as f32, and v2's norms as they are. offset and n are multiples of 4. */
static slm_status read_v2(const slm_file *file, const slm_tensor *t, uint64_t offset, void *dst, size_t n, slm_error *err)
{
    enum { CHUNK = 4096, SCALES = 512 };
    const groups *g = file->reader;
    int8_t q[CHUNK];
    uint8_t scale[SCALES * 4];
    uint8_t *out = dst;
    slm_status status = SLM_CHECK(offset % 4 == 0 && n % 4 == 0 && offset <= t->bytes && n <= t->bytes - offset, err);
    if (status || !g->packed[t - file->tensors])
        return status ? status : slm_source_read(&file->source, t->offset + offset, dst, n, err);
    const uint64_t scales = t->offset + t->bytes / 4;   /* checked by walk: it lies in the file */
    uint64_t first = offset / 4, left = n / 4;
    while (left && !status) {
        /* At most SCALES groups, the first and the last of which may be cut. */
        uint64_t some = left < CHUNK ? left : CHUNK;
        const uint64_t group = first / g->group, room = SCALES * g->group - first % g->group;
        some = some < room ? some : room;
        const uint64_t groups_read = (first + some - 1) / g->group - group + 1;
        status = slm_source_read(&file->source, t->offset + first, q, (size_t)some, err);
        if (!status)
            status = slm_source_read(&file->source, scales + group * 4, scale, (size_t)groups_read * 4, err);
        for (uint64_t i = 0; i < some && !status; i++) {
            slm_cursor c = slm_cursor_over(scale + ((first + i) / g->group - group) * 4, 4);
            const float v = (float)q[i] * slm_cursor_f32(&c);
            uint32_t bits;
            memcpy(&bits, &v, sizeof bits);
            for (int b = 0; b < 4; b++)
                *out++ = (uint8_t)(bits >> (8 * b));
        }
        first += some;
        left -= some;
    }
    return status;
}

/* The tensors, and what reads them: file->reader is freed with the file. */
static slm_status make_tensors(slm_file *file, const shape *s, size_t n, slm_error *err)
{
    uint64_t end;
    slm_status status = slm_file_reserve(file, n, err);
    if (status)
        return status;
    groups *g = slm_heap_zalloc(file->heap, sizeof *g + n);     /* n <= 9 x 1024 + 3 */
    if (!g)
        return slm_fail(err, SLM_E_MEMORY, "%s: reader of %zu tensors", file->source.name, n);
    g->group = s->group;
    file->reader = g;
    file->read = s->version == 2 ? read_v2 : NULL;
    return walk(s, file, g->packed, &n, &end, err);
}

/* ---- the tokenizer --------------------------------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_byte_token(const uint8_t *text, size_t n, uint32_t value)
{
    return n == 6 && !memcmp(text, "<0x", 3) && text[5] == '>' && hex_digit(text[3]) == (int)(value >> 4) &&
           hex_digit(text[4]) == (int)(value & 15);
}

typedef struct vocabulary {
    slm_buf tokens, scores, types;
} vocabulary;

/* One token: GGUF's text, score and type of what tokenizer.bin has. */
static void add_token(vocabulary *v, uint32_t id, const uint8_t *text, size_t n, uint32_t score)
{
    static const struct { const char *text; uint32_t type; } special[3] = { { "<unk>", 2 }, { "<s>", 3 }, { "</s>", 3 } };
    uint32_t type = 1;
    slm_buf_u32(&v->scores, score);
    if (id < 3) {
        slm_buf_u32(&v->types, special[id].type);
        slm_buf_str(&v->tokens, special[id].text, strlen(special[id].text));
        return;
    }
    if (id <= 258 && is_byte_token(text, n, id - 3))
        type = 6;
    slm_buf_u32(&v->types, type);
    size_t spaces = 0;
    for (size_t i = 0; i < n; i++)
        spaces += text[i] == ' ';
    slm_buf_u64(&v->tokens, n + 2 * spaces);
    for (size_t i = 0; i < n; i++)
        if (text[i] == ' ')
            slm_buf_add(&v->tokens, "\xe2\x96\x81", 3);     /* U+2581 */
        else
            slm_buf_u8(&v->tokens, text[i]);
}

/* i32 longest token, then for each id f32 score, i32 length, bytes. */
static slm_status parse_vocabulary(vocabulary *v, slm_cursor *c, uint32_t vocab, const char *path, slm_error *err)
{
    (void)slm_cursor_u32(c);
    for (uint32_t id = 0; id < vocab; id++) {
        const size_t at = c->pos;
        const float score = slm_cursor_f32(c);
        const int32_t n = (int32_t)slm_cursor_u32(c);
        if (c->bad == SIZE_MAX && (n < 0 || n > SLM_LIMIT_TOKEN_BYTES))
            return slm_fail_at(err, SLM_E_FORMAT, at + 4, "%s: token %u: a length of %" PRId32 " (allowed 0 .. %d)", path, id, n,
                               SLM_LIMIT_TOKEN_BYTES);
        const uint8_t *text = slm_cursor_take(c, (uint64_t)n);
        if (!text)
            return slm_fail_at(err, SLM_E_FORMAT, at, "%s: token %u of %u: the file ends at %zu", path, id, vocab, c->size);
        if (!isfinite(score))
            return slm_fail_at(err, SLM_E_NUMERIC, at, "%s: token %u: its score is not finite", path, id);
        add_token(v, id, text, (size_t)n, (uint32_t)slm_le(c->base + at, 4));
        if (v->tokens.failed || v->scores.failed || v->types.failed)
            break;
    }
    if (c->pos != c->size && !v->tokens.failed && !v->scores.failed && !v->types.failed)
        return slm_fail_at(err, SLM_E_MISMATCH, c->pos, "%s: %zu bytes are left after %u tokens: it belongs to another model", path,
                           c->size - c->pos, vocab);
    slm_status status = slm_buf_status(&v->tokens, path, err);
    if (!status)
        status = slm_buf_status(&v->scores, path, err);
    return status ? status : slm_buf_status(&v->types, path, err);
}

static slm_status add_vocabulary(slm_keys *keys, const vocabulary *v, uint32_t vocab, slm_error *err)
{
    static const struct { const char *name; uint32_t id; } ids[] = {
        { "tokenizer.ggml.bos_token_id", 1 }, { "tokenizer.ggml.eos_token_id", 2 }, { "tokenizer.ggml.unknown_token_id", 0 },
    };
    slm_status status = slm_keys_add_str(keys, "tokenizer.ggml.model", "llama", err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, vocab, v->tokens.data, v->tokens.size, err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.scores", SLM_KEY_F32, true, vocab, v->scores.data, v->scores.size, err);
    if (!status)
        status = slm_keys_add(keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, vocab, v->types.data, v->types.size, err);
    for (size_t i = 0; i < sizeof ids / sizeof *ids && !status; i++)
        status = slm_keys_add_u32(keys, ids[i].name, ids[i].id, err);
    if (!status)
        status = slm_keys_add_bool(keys, "tokenizer.ggml.add_bos_token", true, err);
    if (!status)
        status = slm_keys_add_bool(keys, "tokenizer.ggml.add_eos_token", false, err);
    if (!status)
        status = slm_keys_add_bool(keys, "tokenizer.ggml.add_space_prefix", true, err);
    return status;
}

static slm_status read_tokenizer(slm_file *file, const char *path, uint32_t vocab, slm_error *err)
{
    slm_source source = { .fd = -1 };
    vocabulary v;
    uint8_t *bytes = NULL;
    slm_status status;
    if (vocab < 3)
        return slm_fail(err, SLM_E_MISMATCH, "%s: a vocabulary of %u has no room for <unk>, <s>, </s> of '%s'", file->source.name, vocab, path);
    slm_buf_init(&v.tokens, file->heap, SLM_LIMIT_STRING_BYTES);
    slm_buf_init(&v.scores, file->heap, (size_t)vocab * 4);
    slm_buf_init(&v.types, file->heap, (size_t)vocab * 4);
    if ((status = slm_source_open(&source, path, err)) != SLM_OK)
        goto out;
    /* Each token has 8 bytes of numbers; before allocating by either number, they must agree. */
    if (source.size < 4 + (uint64_t)vocab * 8 || source.size > SLM_LIMIT_STRING_BYTES) {
        status = slm_fail(err, SLM_E_FORMAT, "%s: has %" PRIu64 " bytes, a tokenizer of %u tokens needs %" PRIu64 " .. %d", path,
                          source.size, vocab, 4 + (uint64_t)vocab * 8, SLM_LIMIT_STRING_BYTES);
        goto out;
    }
    if (!(bytes = slm_heap_alloc(file->heap, (size_t)source.size))) {
        status = slm_fail(err, SLM_E_MEMORY, "%s: %" PRIu64 " bytes", path, source.size);
        goto out;
    }
    if ((status = slm_source_read(&source, 0, bytes, (size_t)source.size, err)) != SLM_OK)
        goto out;
    slm_cursor c = slm_cursor_over(bytes, (size_t)source.size);
    if ((status = parse_vocabulary(&v, &c, vocab, path, err)) == SLM_OK)
        status = add_vocabulary(&file->keys, &v, vocab, err);
out:
    slm_heap_free(file->heap, bytes);
    slm_source_close(&source);
    slm_buf_free(&v.tokens);
    slm_buf_free(&v.scores);
    slm_buf_free(&v.types);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------- */

/* general.name: the file's name without folder and ".bin"; a name that is no plain ASCII is shown with '_' for the rest. */
static slm_status add_name(slm_keys *keys, const char *path, slm_error *err)
{
    char name[128];
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t n = slm_min(strlen(base), sizeof name - 1);
    memcpy(name, base, n);
    if (n > 4 && !memcmp(name + n - 4, ".bin", 4))
        n -= 4;
    name[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '_';
    return slm_keys_add_str(keys, "general.name", name, err);
}

static slm_status add_keys(slm_keys *keys, const shape *s, const char *path, slm_error *err)
{
    const struct { const char *name; uint64_t value; } list[] = {
        { "general.file_type", 0 },
        { "llama.context_length", s->size[CONTEXT] },
        { "llama.embedding_length", s->size[DIM] },
        { "llama.block_count", s->size[LAYERS] },
        { "llama.feed_forward_length", s->size[HIDDEN] },
        { "llama.attention.head_count", s->size[HEADS] },
        { "llama.attention.head_count_kv", s->size[KV_HEADS] },
        { "llama.rope.dimension_count", s->size[HALF] * 2 },
        { "llama.vocab_size", s->size[VOCAB] },
    };
    slm_status status = slm_keys_add_str(keys, "general.architecture", "llama", err);
    if (!status)
        status = add_name(keys, path, err);
    for (size_t i = 0; i < sizeof list / sizeof *list && !status; i++)
        status = slm_keys_add_u32(keys, list[i].name, (uint32_t)list[i].value, err);
    if (!status)
        status = slm_keys_add_f32(keys, "llama.attention.layer_norm_rms_epsilon", 1e-5f, err);
    if (!status)
        status = slm_keys_add_f32(keys, "llama.rope.freq_base", 10000.0f, err);
    return status;
}

slm_status slm_llama2c_is(bool *is, const slm_source *source, slm_error *err)
{
    shape s;
    size_t n;
    uint64_t end;
    uint8_t head[HEAD_V0];
    slm_error own = { 0 };
    slm_file none = { .source = *source };
    slm_status status = slm_source_head(source, head, sizeof head, is, err);
    if (status || !*is || slm_le(head, 4) == MAGIC)
        return status;
    status = read_head(&s, source, &own);
    *is = !status && walk(&s, &none, NULL, &n, &end, NULL) == SLM_OK && end == source->size;
    if (status != SLM_E_IO && status != SLM_E_CHANGED)     /* numbers that no checkpoint has: it is something else */
        return SLM_OK;
    if (err)
        *err = own;
    return status;
}

slm_status slm_llama2c_read(slm_file *file, const char *tokenizer_path, slm_error *err)
{
    shape s;
    size_t n;
    uint64_t end;
    slm_status status = read_head(&s, &file->source, err);
    if (!status)
        status = walk(&s, file, NULL, &n, &end, err);
    if (status)
        return status;
    if (end != file->source.size)
        return slm_fail(err, SLM_E_FORMAT, "%s: its header asks for exactly %" PRIu64 " bytes, the file has %" PRIu64, file->source.name,
                        end, file->source.size);
    (void)snprintf(file->format, sizeof file->format, "llama2.c v%u", s.version);
    status = add_keys(&file->keys, &s, file->source.name, err);
    if (!status && tokenizer_path)
        status = read_tokenizer(file, tokenizer_path, (uint32_t)s.size[VOCAB], err);
    if (!status)
        status = make_tensors(file, &s, n, err);
    return status ? status : slm_file_index(file, err);
}
