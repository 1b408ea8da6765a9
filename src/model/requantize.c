/* requantize.c -- a model file in, a GGUF of another type out.
 *
 * A tensor is a flat run of values: rows are multiples of the blocks of both types, so it may be cut at any multiple of 256 values.
 * It goes through in chunks of a million values (raw bytes -> f32 -> raw bytes, 12 MiB at most), each chunk in pieces of 16,384 that
 * the team shares. What a piece writes depends on its values alone, and the sums of squares are added in the order of the pieces, so
 * the bytes and the figures are the same for any number of threads. The new file is written beside the old one and takes its name at
 * the end: `in` and `out` may be the same path.
 */
#include "model/requantize.h"

#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "core/team.h"
#include "core/writer.h"
#include "format/file.h"
#include "model/importance.h"

#include <inttypes.h>
#include <string.h>

enum { CHUNK = 1 << 20, PIECE = 1 << 14, PIECES = CHUNK / PIECE, PART = 256, HEAD_MOST = 1 << 30 };

/* ---- which type ------------------------------------------------------------------------------------------------------------ */

enum {              /* GGUF's numbers of types, and of files */
    ID_F32 = 0, ID_Q4_0 = 2, ID_Q5_0 = 6, ID_Q5_1 = 7, ID_Q8_0 = 8, ID_Q2_K = 10, ID_Q3_K = 11, ID_Q4_K = 12, ID_Q5_K = 13, ID_Q6_K = 14,
    ID_IQ4_NL = 20, ID_IQ4_XS = 23,
    FILE_Q2_K = 10, FILE_Q3_K_S = 11, FILE_Q3_K_M = 12, FILE_Q3_K_L = 13, FILE_Q4_K_S = 14, FILE_Q4_K_M = 15, FILE_Q5_K_S = 16,
    FILE_Q5_K_M = 17, FILE_IQ4_NL = 25, FILE_IQ4_XS = 30
};

static const slm_mix mixes[] = {
    { "f32", 0, 0 },                        { "f16", 1, 1 },                        { "bf16", 30, 32 },
    { "q8_0", ID_Q8_0, 7 },                 { "q4_0", ID_Q4_0, 2 },                 { "q4_1", 3, 3 },
    { "q5_0", ID_Q5_0, 8 },                 { "q5_1", ID_Q5_1, 9 },                 { "q6_k", ID_Q6_K, 18 },
    { "q5_k_m", ID_Q5_K, FILE_Q5_K_M },     { "q5_k_s", ID_Q5_K, FILE_Q5_K_S },     { "q4_k_m", ID_Q4_K, FILE_Q4_K_M },
    { "q4_k_s", ID_Q4_K, FILE_Q4_K_S },     { "q3_k_l", ID_Q3_K, FILE_Q3_K_L },     { "q3_k_m", ID_Q3_K, FILE_Q3_K_M },
    { "q3_k_s", ID_Q3_K, FILE_Q3_K_S },     { "q2_k", ID_Q2_K, FILE_Q2_K },         { "iq4_nl", ID_IQ4_NL, FILE_IQ4_NL },
    { "iq4_xs", ID_IQ4_XS, FILE_IQ4_XS },
    { "w8a8", SLM_ID_W8A8, SLM_ID_W8A8 },
};

slm_status slm_written_type(const slm_mix **mix, const char *option, bool packed, slm_error *err)
{
    char known[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
        const char *name = mixes[i].option;
        if (n + strlen(name) + 3 > sizeof known)
            break;
        if (!packed && mixes[i].id == SLM_ID_W8A8)
            continue;
        if (n)
            memcpy(known + n, ", ", 2), n += 2;
        memcpy(known + n, name, strlen(name) + 1);
        n += strlen(name);
    }
    if (!option)
        return slm_fail(err, SLM_E_ARG, "params.type is NULL (known: %s)", known);
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        if (!strcmp(option, mixes[i].option) && (packed || mixes[i].id != SLM_ID_W8A8)) {
            *mix = &mixes[i];
            return SLM_OK;
        }
    char shown[SLM_SHOWN];
    return slm_fail(err, SLM_E_UNSUPPORTED, "params.type: no type '%s' can be written (known: %s)",
                    slm_shown(shown, option, strlen(option)), known);
}

slm_status slm_written_keys(slm_keys *keys, const slm_mix *mix, slm_error *err)
{
    const slm_status status = slm_keys_add_u32(keys, "general.file_type", mix->file_type, err);
    return status ? status : slm_keys_add_u32(keys, "general.quantization_version", 2, err);
}

uint32_t slm_tensor_layer(const char *name)
{
    const size_t prefix = strncmp(name, "enc.", 4) ? 4 : 8;     /* of a T5 encoder's */
    uint32_t layer = 0;
    size_t i = prefix;
    if (strncmp(name + prefix - 4, "blk.", 4))
        return UINT32_MAX;
    for (; name[i] >= '0' && name[i] <= '9' && i < prefix + 6; i++)
        layer = layer * 10 + (uint32_t)(name[i] - '0');
    return i > prefix && name[i] == '.' ? layer : UINT32_MAX;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

/* Matrices that are looked up or added, never multiplied with: rounding them costs quality and saves nothing. */
static bool is_product(const char *name, uint32_t n_dims)
{
    return n_dims >= 2 && ends_with(name, ".weight") && !ends_with(name, "_norm.weight") && !ends_with(name, "ffn_gate_inp.weight") &&
           !ends_with(name, "attn_rel_b.weight") && strcmp(name, "position_embd.weight") && strcmp(name, "token_types.weight") &&
           strcmp(name, "rope_freqs.weight");
}

/* The layers whose values and down projections cost most when rounded. */
static bool is_delicate(uint32_t layer, uint32_t layers)
{
    const uint32_t eighth = layers / 8;
    return layer < layers && (layer < eighth || layer >= (uint32_t)(7 * (uint64_t)layers / 8) || (layer - eighth) % 3 == 2);
}

/* What the published tool gives the matrices of a layer; the finer types go where an error costs most. */
static uint32_t mixed_type(const char *name, const slm_mix *mix, uint32_t layers, uint32_t groups)
{
    const uint32_t layer = slm_tensor_layer(name);
    const bool v = ends_with(name, ".attn_v.weight"), down = ends_with(name, ".ffn_down.weight");
    const bool out = ends_with(name, ".attn_output.weight"), fused = ends_with(name, ".attn_qkv.weight");
    switch (mix->file_type) {
    case FILE_Q2_K:
        return v ? groups >= 4 ? ID_Q4_K : ID_Q3_K : down || out ? ID_Q3_K : mix->id;
    case FILE_Q3_K_M:
        if (v || down)
            return layer < (v ? 2 : layers / 16) ? ID_Q5_K : ID_Q4_K;
        return out || fused ? ID_Q4_K : mix->id;
    case FILE_Q3_K_L:
        return v || down || out ? ID_Q5_K : fused ? ID_Q4_K : mix->id;
    case FILE_Q4_K_S:
        return (v && layer < 4) || (down && layer < layers / 8) ? ID_Q5_K : mix->id;
    case FILE_Q4_K_M:
        return (v || down) && is_delicate(layer, layers) ? ID_Q6_K : fused ? ID_Q5_K : mix->id;
    case FILE_Q5_K_M:
        return fused || ((v || down) && is_delicate(layer, layers)) ? ID_Q6_K : mix->id;
    case FILE_IQ4_NL:
    case FILE_IQ4_XS:
        return (v && groups >= 4) || (down && layer < layers / 8) ? ID_Q5_K : mix->id;
    default:
        return mix->id;
    }
}

/* A type whose blocks fit rows that are no multiple of 256. */
static uint32_t narrow_type(uint32_t id)
{
    switch (id) {
    case ID_Q2_K:
    case ID_Q3_K:   return ID_Q4_0;
    case ID_IQ4_XS: return ID_IQ4_NL;
    case ID_Q4_K:   return ID_Q5_0;
    case ID_Q5_K:   return ID_Q5_1;
    case ID_Q6_K:   return ID_Q8_0;
    default:        return id;
    }
}

const slm_type *slm_tensor_type(const char *name, uint32_t n_dims, uint64_t cols, const slm_type *source, const slm_mix *mix,
                                uint32_t layers, uint32_t groups, bool head)
{
    if (n_dims < 2)
        return slm_type_by_id(ID_F32);
    if (!is_product(name, n_dims))
        return source;
    const slm_type *type = slm_type_by_id(mix->id);
    if (type->block == 1 && !type->head)
        return type;
    /* The head decides every token, and every token pays for it once: it keeps a finer type. */
    uint32_t id = !head ? mixed_type(name, mix, layers, groups) : mix->id == ID_Q8_0 || mix->id == SLM_ID_W8A8 ? ID_Q8_0 : ID_Q6_K;
    type = slm_type_by_id(cols % 256 ? narrow_type(id) : id);
    return cols % type->block || (type->head && cols > SLM_LIMIT_W8A8_COLS) ? source : type;
}

/* ---- one tensor ------------------------------------------------------------------------------------------------------------ */

typedef struct maker {
    slm_heap heap;
    slm_quantize_params params;
    const char *in;
    slm_file *file;
    slm_team *team;
    slm_writer *writer;
    slm_gguf_tensor *tensors;       /* [file->n_tensors] */
    uint8_t *raw, *out;             /* [CHUNK values] as in the file, as written */
    uint64_t done, total;           /* bytes of the source */
    /* the chunk at work */
    const slm_type *from, *to;
    size_t n;                       /* values */
    uint64_t first, cols;           /* of the tensor: index of the chunk's first value, values of a row */
    const float *importance;        /* [cols]; NULL */
    size_t bad[PIECES];             /* first block that is not finite, in the source or as written; SIZE_MAX */
    bool   bad_out[PIECES];
    double squares[PIECES];
} maker;

/* The error of `n` values as they will be read back. */
static double squares(const slm_type *to, const float *values, const uint8_t *out, size_t n)
{
    float back[PART];
    double sum = 0;
    for (size_t i = 0; i < n; i += PART) {
        const size_t some = slm_min(PART, n - i);
        to->dequantize(back, out + i / to->block * to->bytes, some);
        for (size_t k = 0; k < some; k++) {
            const double d = (double)values[i + k] - (double)back[k];
            sum += d * d;
        }
    }
    return sum;
}

/* `n` values that begin at value `at` of the tensor. */
static void quantize_part(const maker *m, uint8_t *out, const float *values, uint64_t at, size_t n)
{
    float importance[PART];
    if (!m->importance || !m->to->weigh) {
        m->to->quantize(out, values, n);
        return;
    }
    for (size_t k = 0; k < n; k++)
        importance[k] = m->importance[(at + k) % m->cols];
    m->to->weigh(out, values, importance, n);
}

static void convert_piece(void *ctx, size_t index)
{
    maker *m = ctx;
    float values[PART];
    const size_t begin = index * PIECE, n = slm_min(PIECE, m->n - begin);
    const uint8_t *raw = m->raw + begin / m->from->block * m->from->bytes;
    uint8_t *out = m->out + begin / m->to->block * m->to->bytes;
    m->squares[index] = 0;
    m->bad_out[index] = false;
    m->bad[index] = m->from->nonfinite(raw, n);
    if (m->bad[index] != SIZE_MAX)
        m->bad[index] *= m->from->block;
    if (m->bad[index] != SIZE_MAX || m->from == m->to)
        return;
    for (size_t i = 0; i < n; i += PART) {
        const size_t some = slm_min(PART, n - i);
        m->from->dequantize(values, raw + i / m->from->block * m->from->bytes, some);
        quantize_part(m, out + i / m->to->block * m->to->bytes, values, m->first + begin + i, some);
        if (m->params.tensor)
            m->squares[index] += squares(m->to, values, out + i / m->to->block * m->to->bytes, some);
    }
    m->bad[index] = m->to->nonfinite(out, n);
    m->bad_out[index] = m->bad[index] != SIZE_MAX;
    if (m->bad_out[index])
        m->bad[index] *= m->to->block;
}

/* m->n values from `first` on are in m->raw; *sum grows by their squared errors. */
static slm_status convert_chunk(maker *m, const slm_tensor *t, uint64_t first, double *sum, slm_error *err)
{
    const size_t pieces = slm_ceil_div(m->n, PIECE);
    slm_team_run(m->team, pieces, convert_piece, m);
    for (size_t i = 0; i < pieces; i++) {
        const uint64_t at = first + i * PIECE + m->bad[i];
        if (m->bad[i] != SIZE_MAX && m->bad_out[i])
            return slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': the values from index %" PRIu64 " on are too large for %s", m->in,
                            t->shown, at, m->to->name);
        if (m->bad[i] != SIZE_MAX)
            return slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': a value that is no finite number at index %" PRIu64 "%s", m->in,
                            t->shown, at, m->from->block > 1 ? " or in its block" : "");
        *sum += m->squares[i];
    }
    return SLM_OK;
}

/* Reads, converts and writes tensor `index`, and the zeros behind it. */
static slm_status convert_tensor(maker *m, size_t index, slm_error *err)
{
    static const uint8_t zeros[32] = { 0 };
    const slm_tensor *t = &m->file->tensors[index];
    const uint64_t n = t->rows * t->dims[0];    /* rows and their bytes were checked when the file was opened */
    slm_status status = SLM_OK;
    double sum = 0;
    m->from = t->type;
    m->to = m->tensors[index].type;
    m->cols = t->dims[0];
    m->importance = slm_importance_of(m->params.importance, t->name, m->cols);
    for (uint64_t first = 0; first < n && !status; first += CHUNK) {
        m->first = first;
        m->n = n - first < CHUNK ? (size_t)(n - first) : CHUNK;
        const size_t raw = m->n / m->from->block * m->from->bytes, out = m->n / m->to->block * m->to->bytes;
        status = slm_file_read_raw(m->file, t, first / m->from->block * m->from->bytes, m->raw, raw, err);
        if (!status)
            status = convert_chunk(m, t, first, &sum, err);
        if (!status)
            status = slm_writer_put(m->writer, m->from == m->to ? m->raw : m->out, out, err);
        m->done += raw;
        if (!status && m->params.progress && m->params.progress(m->params.user, m->done, m->total))
            status = slm_fail(err, SLM_E_CALLBACK, "%s: stopped by the progress callback after %" PRIu64 " of %" PRIu64 " bytes", m->in,
                              m->done, m->total);
    }
    if (!status)
        status = slm_writer_put(m->writer, zeros, (size_t)(-m->tensors[index].bytes & 31), err);
    if (!status && m->params.tensor)
        m->params.tensor(m->params.user, t->shown, m->to->name, sum / (double)n);
    return status;
}

/* ---- the whole file -------------------------------------------------------------------------------------------------------- */

/* Query heads that share a head of keys and values, all heads being of one size. */
static uint32_t groups_of(const slm_file *file)
{
    const slm_tensor *q = slm_file_find(file, "blk.0.attn_q.weight"), *k = slm_file_find(file, "blk.0.attn_k.weight");
    return q && k && k->rows ? (uint32_t)(q->rows / k->rows) : 1;
}

slm_status slm_chosen_types(const slm_type **types, const slm_file *file, const slm_mix *want, slm_error *err)
{
    uint32_t layers = 0;
    const uint32_t groups = groups_of(file);
    const char *head = slm_file_find(file, "output.weight") ? "output.weight" : "token_embd.weight";
    if (file->packed)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: is packed: make the new file from the one that its %zu tensors come from", file->path,
                        file->n_tensors);
    for (size_t i = 0; i < file->n_tensors; i++) {
        const uint32_t layer = slm_tensor_layer(file->tensors[i].name);
        layers = layer != UINT32_MAX && layer >= layers ? layer + 1 : layers;
    }
    for (size_t i = 0; i < file->n_tensors; i++) {
        const slm_tensor *t = &file->tensors[i];
        if (!t->type)
            return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tensor '%s': cannot read its type %u (%s)", file->path, t->shown, t->type_id,
                            slm_tensor_type_name(t));
        types[i] = want ? slm_tensor_type(t->name, t->n_dims, t->dims[0], t->type, want, layers, groups, !strcmp(t->name, head))
                        : t->type;
    }
    return SLM_OK;
}

static slm_status choose_types(maker *m, const slm_mix *want, slm_error *err)
{
    const slm_type **types = slm_heap_array(&m->heap, slm_max(1, m->file->n_tensors), sizeof *types);
    slm_status status = types ? slm_chosen_types(types, m->file, want, err)
                              : slm_fail(err, SLM_E_MEMORY, "%s: types of %zu tensors", m->in, m->file->n_tensors);
    for (size_t i = 0; !status && i < m->file->n_tensors; i++) {
        const slm_tensor *t = &m->file->tensors[i];
        slm_gguf_tensor *g = &m->tensors[i];
        g->name = t->name;
        g->n_dims = t->n_dims;
        memcpy(g->dims, t->dims, sizeof g->dims);
        g->type = types[i];
        m->total += t->bytes;
    }
    slm_heap_free(&m->heap, types);
    return status;
}

static slm_status write_file(maker *m, const char *out, slm_error *err)
{
    slm_buf head;
    uint64_t data = 0, whole;
    slm_buf_init(&head, &m->heap, HEAD_MOST);
    slm_status status = slm_gguf_layout(m->tensors, m->file->n_tensors, &m->file->keys, &head, &data, err);
    if (!status && !slm_u64_add(data, head.size, &whole))
        status = slm_fail(err, SLM_E_LIMIT, "%s: %" PRIu64 " bytes of weights pass 64 bits", out, data);
    if (!status)
        status = slm_writer_open(&m->writer, &m->heap, out, whole, err);
    if (!status)
        status = slm_writer_put(m->writer, head.data, head.size, err);
    slm_buf_free(&head);
    for (size_t i = 0; i < m->file->n_tensors && !status; i++)
        status = convert_tensor(m, i, err);
    if (!status) {
        slm_writer *writer = m->writer;
        m->writer = NULL;       /* ended by the commit either way */
        status = slm_writer_commit(writer, err);
    }
    return status;
}

static slm_status make_room(maker *m, slm_error *err)
{
    m->tensors = slm_heap_zarray(&m->heap, m->file->n_tensors, sizeof *m->tensors);
    m->raw = slm_heap_alloc(&m->heap, CHUNK * sizeof(float));     /* no type has more than 4 bytes for a value */
    m->out = slm_heap_alloc(&m->heap, CHUNK * sizeof(float));
    if (!m->tensors || !m->raw || !m->out)
        return slm_fail(err, SLM_E_MEMORY, "%s: %zu bytes to work in", m->in, 2 * CHUNK * sizeof(float));
    return slm_team_new(&m->team, &m->heap, SLM_TEAM_PTHREAD, m->params.threads, NULL, err);
}

static slm_status remake(const char *in, const char *out, const slm_quantize_params *params, bool quantize, slm_error *err)
{
    maker m;
    const slm_mix *want = NULL;
    memset(&m, 0, sizeof m);
    if (!in || !out)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", in ? "out" : "in");
    slm_status status = slm_params_read(&m.params, sizeof m.params, params, err);
    if (!status && quantize)
        status = slm_written_type(&want, m.params.type, false, err);
    else if (!status && m.params.type)
        status = slm_fail(err, SLM_E_ARG, "params.type is '%s': a conversion keeps the types of '%s' (allowed NULL)", m.params.type, in);
    if (status)
        return status;

    slm_heap_init(&m.heap, m.params.allocator, m.params.memory_limit);
    m.in = in;
    status = slm_file_load(&m.file, &m.heap, in, m.params.tokenizer_path, err);
    if (!status)
        status = make_room(&m, err);
    if (!status)
        status = choose_types(&m, want, err);
    if (!status && want)
        status = slm_written_keys(&m.file->keys, want, err);
    if (!status)
        status = write_file(&m, out, err);
    slm_writer_abort(m.writer);
    slm_team_free(m.team);
    slm_heap_free(&m.heap, m.out);
    slm_heap_free(&m.heap, m.raw);
    slm_heap_free(&m.heap, m.tensors);
    slm_file_free(m.file);
    return status;
}

slm_status slm_quantize_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err)
{
    return remake(in, out, params, true, err);
}

slm_status slm_convert_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err)
{
    return remake(in, out, params, false, err);
}
