/* folder.c -- a Hugging Face folder (config.json, safetensors, tokenizer) as the keys and tensors that a GGUF of it has.
 *
 * Nothing is converted when the folder is opened: a tensor of the result is a row of the family's table applied to one or more tensors of
 * the safetensors, and its bytes are made when they are read, in any order, from any thread, through no memory but a few KB of stack. So
 * `slm convert` streams, and a folder opens as a model without a copy.
 *
 *   open   config.json -> the family's row -> keys;  safetensors -> for each tensor name, prefix and layer number -> its name in the GGUF
 *   read   bytes of a tensor -> runs of values of its sources, in another order, with 1 added or widened to F32, as its row says
 *
 * GGUF keeps vectors, norms and small tables as F32 whatever the matrices are, and so does this. A tensor that no row names is refused:
 * what is left out in silence is a wrong model. */
#include "format/folder.h"
#include "format/tokenizer_file.h"

#include "core/limits.h"
#include "core/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MADE_UP = 3 };           /* tensors without a source, at most: two sets of factors, one of zeros */

/* How one tensor is made. */
typedef struct made {
    const float *values;        /* of a tensor that has no source; else NULL */
    uint32_t first, count;      /* its sources: sources[first .. first + count), their rows one after another; none: zeros */
    slm_family_op op;
    uint32_t number;            /* TURN: rows of a head; SKIP: rows skipped */
} made;

typedef struct reader {
    slm_file *raw;
    made *made;                 /* [tensors of the file] */
    uint32_t *sources;          /* indices of raw's tensors */
    slm_folder_factors factors[2];
} reader;

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static void put_f32(uint8_t *dst, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int b = 0; b < 4; b++)
        dst[b] = (uint8_t)(bits >> (8 * b));
}

/* n values of source tensor `from`, from value `first` on, as `to` wants them. */
static slm_status read_run(const reader *r, const slm_tensor *from, uint64_t first, uint8_t *dst, uint64_t n, const slm_type *to,
                           slm_family_op op, slm_error *err)
{
    enum { SOME = 256 };
    uint8_t raw[SOME * 4];
    float values[SOME];
    if (from->type == to && op != SLM_OP_PLUS_ONE)
        return slm_file_read_raw(r->raw, from, first * to->bytes, dst, (size_t)(n * to->bytes), err);
    for (uint64_t done = 0; done < n;) {
        const size_t some = (size_t)(n - done < SOME ? n - done : SOME);
        const slm_status status = slm_file_read_raw(r->raw, from, (first + done) * from->type->bytes, raw, some * from->type->bytes, err);
        if (status)
            return status;
        from->type->dequantize(values, raw, some);
        for (size_t i = 0; i < some; i++)
            put_f32(dst + (done + i) * 4, op == SLM_OP_PLUS_ONE ? values[i] + 1.0f : values[i]);
        done += some;
    }
    return SLM_OK;
}

/* Columns [begin, end) of `rows` rows from `row` on of a matrix that is stored as [in][out]: each stored row gives one value to each of
 * them, and is read once for as many as fit the buffer. */
static slm_status read_transposed(const reader *r, const slm_tensor *from, uint64_t row, uint64_t rows, uint64_t begin, uint64_t end,
                                  uint8_t *dst, slm_error *err)
{
    uint8_t piece[4096];
    const size_t each = from->type->bytes;
    const uint64_t out = from->dims[0], most = sizeof piece / each, width = end - begin;
    for (uint64_t done = 0; done < rows; done += most) {
        const uint64_t some = rows - done < most ? rows - done : most;
        for (uint64_t k = begin; k < end; k++) {
            const slm_status status = slm_file_read_raw(r->raw, from, (k * out + row + done) * each, piece, (size_t)some * each, err);
            if (status)
                return status;
            for (uint64_t i = 0; i < some; i++)
                memcpy(dst + ((done + i) * width + k - begin) * each, piece + i * each, each);
        }
    }
    return SLM_OK;
}

/* The source row of row `row`: pairs (2i, 2i+1) of a head are values i and i + D/2 of the published one. */
static uint64_t turned(uint64_t row, uint64_t d)
{
    return row / d * d + row % d % 2 * (d / 2) + row % d / 2;
}

static slm_status read_made(const slm_file *file, const slm_tensor *t, uint64_t offset, void *dst, size_t n, slm_error *err)
{
    const reader *r = file->reader;
    const made *m = &r->made[t - file->tensors];
    const size_t each = t->type->bytes;
    const uint64_t cols = t->n_dims > 1 ? t->dims[0] : 1;      /* the values of a vector are rows of one */
    uint64_t at = offset / each, left = n / each;
    uint8_t *out = dst;
    slm_status status = SLM_CHECK(offset % each == 0 && n % each == 0 && offset <= t->bytes && n <= t->bytes - offset, err);
    for (; m->values && !status && left; left--, out += 4)
        put_f32(out, m->values[at++]);
    if (m->op == SLM_OP_ZEROS && !status) {
        memset(out, 0, n);
        return SLM_OK;
    }
    while (!status && left) {
        const uint64_t row = at / cols, col = at % cols;
        uint64_t run = cols - col < left ? cols - col : left;
        const slm_tensor *from = &r->raw->tensors[r->sources[m->first]];
        if (m->op == SLM_OP_TRANSPOSE && t->n_dims > 1) {
            const uint64_t rows = col ? 1 : left / cols ? left / cols : 1;
            run = rows > 1 ? rows * cols : run;
            status = read_transposed(r, from, row, run >= cols ? run / cols : 1, col, run >= cols ? cols : col + run, out, err);
        } else if (m->op == SLM_OP_TURN_Q || m->op == SLM_OP_TURN_K) {
            status = read_run(r, from, turned(row, m->number) * cols + col, out, run, t->type, m->op, err);
        } else if (m->count > 1) {
            const uint64_t values = from->rows * from->dims[0], in = at % values;
            run = values - in < left ? values - in : left;
            status = read_run(r, &r->raw->tensors[r->sources[m->first + at / values]], in, out, run, t->type, m->op, err);
        } else {
            run = left;
            status = read_run(r, from, at + m->number * (m->op == SLM_OP_SKIP ? cols : 0), out, run, t->type, m->op, err);
        }
        at += run;
        left -= run;
        out += run * each;
    }
    return status;
}

static void close_reader(slm_file *file)
{
    reader *r = file->reader;
    for (size_t i = 0; i < 2; i++)
        slm_heap_free(file->heap, r->factors[i].values);
    slm_heap_free(file->heap, r->made);
    slm_heap_free(file->heap, r->sources);
    slm_file_free(r->raw);
}

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

typedef struct match {
    const slm_family_tensor *row;
    const char *pattern;        /* the alternative of row->hf, up to '|' or its end */
    const char *prefix;         /* likewise of the family */
    const char *suffix;         /* of the GGUF's name: ".weight" or ".bias" */
    const char *hf_suffix;
    uint32_t layer, head;
} match;

static const struct { const char *hf, *gguf; } suffixes[] = {
    { ".weight", ".weight" }, { ".bias", ".bias" }, { ".gamma", ".weight" }, { ".beta", ".bias" },     /* the last: BERT's first files */
};

/* Digits without leading zeros at name[*i], below 10,000. */
static bool take_number(const char *name, size_t n, size_t *i, uint32_t *value)
{
    const size_t begin = *i;
    for (*value = 0; *i < n && *i - begin < 4 && name[*i] >= '0' && name[*i] <= '9'; ++*i)
        *value = *value * 10 + (uint32_t)(name[*i] - '0');
    return *i > begin && (name[begin] != '0' || *i == begin + 1);
}

static bool fits(const char *pattern, size_t pattern_len, const char *name, size_t n, match *m)
{
    size_t i = 0;
    for (size_t p = 0; p < pattern_len; p++) {
        if (pattern[p] == '%' || pattern[p] == '#') {
            if (!take_number(name, n, &i, pattern[p] == '%' ? &m->layer : &m->head))
                return false;
        } else if (i >= n || name[i++] != pattern[p]) {
            return false;
        }
    }
    return i == n;
}

/* One name of a list of patterns with '*' at either end. */
static bool is_ignored(const char *list, const char *name)
{
    const size_t n = strlen(name);
    while (*list) {
        size_t len = strcspn(list, "|");
        const char *word = list;
        const bool before = word[0] == '*', after = len > 1 && word[len - 1] == '*';
        list += len + (list[len] == '|');
        word += before;
        len -= (size_t)before + (size_t)after;
        for (size_t at = 0; at + len <= n; at++)
            if ((before || at == 0) && (after || at + len == n) && memcmp(name + at, word, len) == 0)
                return true;
    }
    return false;
}

/* The row and alternative that fit name[n], which is without prefix and suffix. */
static bool find_row(const slm_family *family, const char *name, size_t n, match *m)
{
    for (size_t l = 0; l < 3 && family->tensors[l]; l++)
        for (const slm_family_tensor *row = family->tensors[l]; row->gguf; row++)
            for (const char *p = row->hf; *p; p += strcspn(p, "|"), p += *p == '|')
                if (fits(p, strcspn(p, "|"), name, n, m)) {
                    m->row = row;
                    m->pattern = p;
                    return true;
                }
    return false;
}

/* 1: a row fits; 0: the tensor is ignored; -1: neither. */
static int find_match(const slm_family *family, const char *name, match *m)
{
    const char *prefix = family->prefixes;
    bool ignored = is_ignored(family->ignored, name);
    for (bool last = false; !last;) {
        const size_t len = strcspn(prefix, "|");
        if (strncmp(name, prefix, len) == 0) {
            const char *rest = name + len;
            const size_t n = strlen(rest);
            ignored = ignored || is_ignored(family->ignored, rest);
            *m = (match){ .prefix = prefix };
            for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
                const size_t end = strlen(suffixes[s].hf);
                m->suffix = suffixes[s].gguf;
                m->hf_suffix = suffixes[s].hf;
                if (n > end && strcmp(rest + n - end, suffixes[s].hf) == 0 && find_row(family, rest, n - end, m))
                    return 1;
            }
        }
        last = prefix[len] != '|';
        prefix += len + !last;
    }
    return ignored ? 0 : -1;
}

/* Puts numbers into a pattern, with what stands before and after it. */
static bool expand(char *out, size_t room, const char *prefix, const char *pattern, const char *suffix, uint32_t layer, uint32_t head)
{
    size_t n = strcspn(prefix, "|"), len = strcspn(pattern, "|");
    if (n >= room)
        return false;
    memcpy(out, prefix, n);
    for (size_t p = 0; p < len && n + 12 < room; p++)
        if (pattern[p] == '%' || pattern[p] == '#')
            n += (size_t)snprintf(out + n, 12, "%u", pattern[p] == '%' ? layer : head);
        else
            out[n++] = pattern[p];
    if (n + strlen(suffix) >= room)
        return false;
    memcpy(out + n, suffix, strlen(suffix) + 1);
    return true;
}

/* ---- the plan -------------------------------------------------------------------------------------------------------------- */

typedef struct plan {
    slm_folder *f;
    reader *r;
    uint64_t heads, kv_heads, layers;
    uint32_t skipped;           /* rows that SKIP leaves out */
    bool drop_head;
    size_t n_sources;
} plan;

static slm_status fail_raw(const plan *p, const slm_tensor *from, slm_status status, const char *what, uint64_t number, slm_error *err)
{
    return slm_fail(err, status, "%s: tensor '%s': %s: %" PRIu64, p->f->raw->path, from->shown, what, number);
}

/* Names of the GGUF whose values are F32 in every file. */
static bool is_f32(const char *name, uint32_t n_dims)
{
    const size_t n = strlen(name);
    return n_dims < 2 || (n > 12 && strcmp(name + n - 12, "_norm.weight") == 0) || strcmp(name, "position_embd.weight") == 0 ||
           strcmp(name, "token_types.weight") == 0 || strstr(name, "attn_rel_b") != NULL;
}

/* The tensors of the heads after the first, as further sources. */
static slm_status add_heads(plan *p, const match *m, const slm_tensor *first, made *to, slm_error *err)
{
    char name[SLM_LIMIT_SAFETENSORS_NAME + 1];
    for (uint32_t head = 1; expand(name, sizeof name, m->prefix, m->pattern, m->hf_suffix, m->layer, head); head++) {
        const slm_tensor *t = slm_file_find(p->f->raw, name);
        if (!t)
            break;
        if (t->n_dims != 1 || t->dims[0] != first->dims[0] || t->type != first->type)
            return fail_raw(p, t, SLM_E_FORMAT, "has another shape or type than that of head 0, which has values", first->dims[0], err);
        p->r->sources[p->n_sources++] = (uint32_t)(t - p->f->raw->tensors);
        to->count++;
    }
    return SLM_OK;
}

static bool has_head_before(const plan *p, const match *m)
{
    char name[SLM_LIMIT_SAFETENSORS_NAME + 1];
    return expand(name, sizeof name, m->prefix, m->pattern, m->hf_suffix, m->layer, m->head - 1) && slm_file_find(p->f->raw, name);
}

/* Dims of the result, and what the operation needs to know. */
static slm_status apply(plan *p, const match *m, const slm_tensor *from, made *to, uint64_t dims[4], uint32_t *n_dims, slm_error *err)
{
    *n_dims = from->n_dims;
    memcpy(dims, from->dims, sizeof from->dims);
    if (strpbrk(m->pattern, "#|") && *strpbrk(m->pattern, "#|") == '#') {
        if (from->n_dims != 1)
            return fail_raw(p, from, SLM_E_FORMAT, "wanted 1 dimension for a head, found", from->n_dims, err);
        *n_dims = 2;
        const slm_status status = add_heads(p, m, from, to, err);
        dims[1] = to->count;
        return status;
    }
    switch (m->row->op) {
    case SLM_OP_COPY: case SLM_OP_PLUS_ONE: case SLM_OP_ZEROS:
        break;
    case SLM_OP_TRANSPOSE:
        if (from->n_dims > 2)
            return fail_raw(p, from, SLM_E_FORMAT, "a matrix of so many dimensions cannot be transposed", from->n_dims, err);
        if (from->n_dims == 2) {
            dims[0] = from->dims[1];
            dims[1] = from->dims[0];
        }
        break;
    case SLM_OP_TURN_Q: case SLM_OP_TURN_K: {
        const uint64_t heads = m->row->op == SLM_OP_TURN_Q ? p->heads : p->kv_heads, rows = from->n_dims > 1 ? from->rows : from->dims[0];
        if (rows % heads || rows / heads % 2)
            return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': %" PRIu64 " rows are no even number for each of %" PRIu64 " heads",
                            p->f->raw->path, from->shown, rows, heads);
        to->number = (uint32_t)(rows / heads);
        break;
    }
    case SLM_OP_SKIP:
        if (from->n_dims != 2 || from->dims[1] <= p->skipped)
            return fail_raw(p, from, SLM_E_FORMAT, "too few rows, of which these are skipped", p->skipped, err);
        to->number = p->skipped;
        dims[1] -= p->skipped;
        break;
    }
    return SLM_OK;
}

static slm_status add_tensor(plan *p, size_t index, slm_error *err)
{
    const slm_tensor *from = &p->f->raw->tensors[index];
    slm_file *file = p->f->file;
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    match m;
    uint64_t dims[4];
    uint32_t n_dims;
    const int found = find_match(p->f->family, from->name, &m);
    if (found < 0)
        return fail_raw(p, from, SLM_E_UNSUPPORTED, "is none that models of this family have; tensor", index, err);
    if (!found || (p->drop_head && strcmp(m.row->gguf, "output") == 0))
        return SLM_OK;
    if (m.head)                         /* the first finds the others, if each has one before it */
        return has_head_before(p, &m) ? SLM_OK : fail_raw(p, from, SLM_E_FORMAT, "there is no tensor of the head before, of number", m.head - 1, err);
    if (m.layer >= p->layers)
        return fail_raw(p, from, SLM_E_MISMATCH, "config.json has fewer layers", p->layers, err);
    if (!from->type)                    /* those that safetensors and this library have both are no blocks */
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tensor '%s': has %" PRIu64 " values of %s (F32, F16 and BF16 are read)", p->f->raw->path,
                        from->shown, from->rows * from->dims[0], slm_tensor_type_name(from));
    made *to = &p->r->made[file->n_tensors];
    *to = (made){ .first = (uint32_t)p->n_sources, .count = 1, .op = m.row->op };
    p->r->sources[p->n_sources++] = (uint32_t)index;
    slm_status status = apply(p, &m, from, to, dims, &n_dims, err);
    if (status)
        return status;
    if (!expand(name, sizeof name, "", m.row->gguf, m.suffix, m.layer, 0))
        return fail_raw(p, from, SLM_E_LIMIT, "its name in a GGUF would have more bytes than", SLM_LIMIT_TENSOR_NAME, err);
    const bool widen = is_f32(name, n_dims) || m.row->op == SLM_OP_PLUS_ONE;
    return slm_file_set_tensor(file, file->n_tensors, name, strlen(name), widen ? 0 : from->type_id, n_dims, dims, from->offset, err);
}

static slm_status add_factors(plan *p, const slm_folder_factors *f, slm_error *err)
{
    slm_file *file = p->f->file;
    const uint64_t dims[4] = { f->n, 1, 1, 1 };
    if (!f->values)
        return SLM_OK;
    p->r->made[file->n_tensors] = (made){ .values = f->values };
    return slm_file_set_tensor(file, file->n_tensors, f->name, strlen(f->name), 0, 1, dims, 0, err);
}

static slm_status add_zeros(plan *p, const slm_family_tensor *row, slm_error *err)
{
    slm_file *file = p->f->file;
    char name[SLM_LIMIT_TENSOR_NAME + 1];
    const uint64_t dims[4] = { slm_folder_number(p->f, "embedding_length", 1), 1, 1, 1 };
    (void)snprintf(name, sizeof name, "%s.weight", row->gguf);
    for (size_t i = 0; i < file->n_tensors; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return SLM_OK;
    p->r->made[file->n_tensors] = (made){ .op = SLM_OP_ZEROS };
    return slm_file_set_tensor(file, file->n_tensors, name, strlen(name), 0, 2, dims, 0, err);
}

static slm_status add_all_zeros(plan *p, slm_error *err)
{
    const slm_family *family = p->f->family;
    slm_status status = SLM_OK;
    for (size_t l = 0; l < 3 && family->tensors[l]; l++)
        for (const slm_family_tensor *row = family->tensors[l]; !status && row->gguf; row++)
            if (row->op == SLM_OP_ZEROS)
                status = add_zeros(p, row, err);
    return status;
}

/* A head that repeats the embedding is left out. */
static bool has_no_head(const slm_folder *f)
{
    const slm_value_at *tied = slm_folder_find(f, "tie_word_embeddings");
    if (!tied)
        tied = slm_document_find(&f->config, NULL, "tie_word_embeddings");
    return tied ? tied->kind == SLM_JSON_TRUE : f->family->tied;
}

static slm_status read_skipped(plan *p, slm_error *err)
{
    const slm_value_at *v = slm_folder_find(p->f, "pad_token_id");
    double pad = 1;
    const slm_status status = v ? slm_document_number(&p->f->config, v, "pad_token_id", &pad, err) : SLM_OK;
    p->skipped = p->f->family->skipped ? p->f->family->skipped : !status && pad >= 0 && pad < 1e6 ? (uint32_t)pad + 1 : 0;
    return status;
}

static slm_status make_tensors(slm_folder *f, reader *r, slm_error *err)
{
    plan p = { .f = f, .r = r, .drop_head = has_no_head(f) };
    const size_t n = f->raw->n_tensors;         /* at most 65,536 x 1024 */
    p.heads = slm_folder_number(f, "attention.head_count", 1);
    p.kv_heads = slm_folder_number(f, "attention.head_count_kv", p.heads);
    p.layers = slm_folder_number(f, "block_count", 0);
    slm_status status = SLM_OK;
    if (p.kv_heads < 1)                         /* the heads were checked with the keys */
        status = slm_fail(err, SLM_E_FORMAT, "%s: %" PRIu64 " heads, %" PRIu64 " kv heads (1 or more wanted)", f->config.name, p.heads, p.kv_heads);
    if (!status)
        status = read_skipped(&p, err);
    if (!status)
        status = slm_folder_scaling(f, r->factors, err);
    if (!status)
        status = slm_file_reserve(f->file, n + MADE_UP, err);
    r->made = slm_heap_zarray(f->file->heap, n + MADE_UP, sizeof *r->made);
    r->sources = slm_heap_array(f->file->heap, 2 * n + 1, sizeof *r->sources);
    if (!status && (!r->made || !r->sources))
        status = slm_fail(err, SLM_E_MEMORY, "%s: plan of %zu tensors", f->file->path, n);
    for (size_t i = 0; i < n && !status; i++)
        status = add_tensor(&p, i, err);
    for (size_t i = 0; i < 2 && !status; i++)
        status = add_factors(&p, &r->factors[i], err);
    if (!status)
        status = add_all_zeros(&p, err);
    return status ? status : slm_file_index(f->file, err);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------- */

static slm_status find_family(slm_folder *f, slm_error *err)
{
    char known[320] = "", shown[SLM_SHOWN];
    const slm_value_at *type = slm_document_find(&f->config, NULL, "model_type");
    if (!type || type->kind != SLM_JSON_STRING)
        return slm_fail(err, SLM_E_FORMAT, "%s: 'model_type': is missing (1 string wanted, 0 found)", f->config.name);
    if (slm_document_find(&f->config, NULL, "quantization_config"))
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'quantization_config': weights that another program quantized are not read (0 wanted, 1 "
                        "found)", f->config.name);
    for (const slm_family *row = slm_families; row->model_type; row++) {
        const size_t n = strlen(known);
        (void)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", row->model_type);
        if (slm_document_is(&f->config, type, row->model_type)) {
            f->family = row;
            f->root = row->nested ? slm_document_find(&f->config, NULL, row->nested) : NULL;
            return SLM_OK;
        }
    }
    return slm_fail(err, SLM_E_UNSUPPORTED, "%s: model_type '%s' (%u bytes) is not one this version reads: %s", f->config.name,
                    slm_shown(shown, f->config.text + type->text, type->text_len), type->text_len, known);
}

/* The folder's own name; what is no plain ASCII is shown with '_'. */
static slm_status add_name(slm_folder *f, slm_error *err)
{
    char name[128];
    const char *path = f->file->path;
    size_t end = strlen(path), begin;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (begin = end; begin && path[begin - 1] != '/'; begin--)
        ;
    const size_t n = slm_min(end - begin, sizeof name - 1);
    for (size_t i = 0; i < n; i++)
        name[i] = path[begin + i] < ' ' || path[begin + i] > '~' ? '_' : path[begin + i];
    name[n] = 0;
    return slm_keys_add_str(&f->file->keys, "general.name", name, err);
}

static slm_status open_weights(slm_folder *f, slm_error *err)
{
    static const char *const single = "model.safetensors", *const many = "model.safetensors.index.json";
    slm_heap *heap = f->file->heap;
    slm_source source;
    slm_error own = { 0 };
    char *path = slm_path_join(heap, f->file->path, single, strlen(single));
    slm_status status = path ? slm_source_open(&source, path, &own) : slm_fail(&own, SLM_E_MEMORY, "%s: path of %s", f->file->path, single);
    if (!status)
        status = slm_file_load_source(&f->raw, heap, &source, path, NULL, &own);
    if (!status && strcmp(f->raw->format, "safetensors") != 0)
        status = slm_fail(&own, SLM_E_FORMAT, "%s: is %s, safetensors wanted (%zu tensors)", path, f->raw->format, f->raw->n_tensors);
    slm_heap_free(heap, path);
    if (status == SLM_E_NOT_FOUND) {
        status = slm_file_new(&f->raw, heap, f->file->path, &own);
        if (!status && (status = slm_safetensors_read_sharded(f->raw, &own)) == SLM_E_NOT_FOUND && strstr(own.text, many))
            status = slm_fail(&own, SLM_E_NOT_FOUND, "%s: weights: %s or %s wanted, 0 found", f->file->path, single, many);
    }
    if (status && err)
        *err = own;
    return status;
}

/* general.file_type: the type of most bytes of the matrices. */
static slm_status add_file_type(slm_file *file, slm_error *err)
{
    static const struct { uint32_t type_id, file_type; } types[] = { { 0, 0 }, { 1, 1 }, { 30, 32 } };
    uint64_t most = 0;
    uint32_t file_type = 0;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < file->n_tensors; i++)
            bytes += file->tensors[i].n_dims > 1 && file->tensors[i].type_id == types[k].type_id ? file->tensors[i].bytes : 0;
        if (bytes > most) {
            most = bytes;
            file_type = types[k].file_type;
        }
    }
    return slm_keys_add_u32(&file->keys, "general.file_type", file_type, err);
}

/* A folder of a tokenizer without a model: keys and no tensor. */
static slm_status read_tokenizer_alone(slm_folder *f, slm_error *err)
{
    slm_error own = { 0 };
    slm_status status = slm_tokenizer_file_read(&f->file->keys, f->file->path, 0, &own);
    if (status == SLM_E_NOT_FOUND)
        return slm_fail(err, SLM_E_NOT_FOUND, "%s: is a folder without config.json (1 wanted, 0 found)", f->file->path);
    if (status && err)
        *err = own;
    (void)snprintf(f->file->format, sizeof f->file->format, "tokenizer folder");
    if (!status)
        status = slm_file_reserve(f->file, 0, err);
    return status ? status : slm_file_index(f->file, err);
}

static slm_status read_folder(slm_folder *f, reader *r, slm_error *err)
{
    slm_keys *keys = &f->file->keys;
    bool found;
    slm_status status = slm_document_open(&f->config, f->file->heap, f->file->path, "config.json", &found, err);
    if (!status && !found)
        return read_tokenizer_alone(f, err);
    if (!status)
        status = find_family(f, err);
    if (!status)
        status = slm_keys_add_str(keys, "general.architecture", f->family->arch, err);
    if (!status)
        status = slm_keys_add_str(keys, "general.type", "model", err);
    if (!status)
        status = add_name(f, err);
    if (!status)
        status = slm_folder_keys(f, err);
    if (!status)
        status = open_weights(f, err);
    r->raw = f->raw;            /* the reader's from here on */
    f->file->source.size = status ? 0 : slm_file_size(f->raw);
    if (!status)
        status = make_tensors(f, r, err);
    if (!status)
        status = add_file_type(f->file, err);
    return status ? status : slm_folder_text(f, err);
}

slm_status slm_folder_read(slm_file *file, slm_error *err)
{
    slm_folder f = { .file = file };
    reader *r = slm_heap_zalloc(file->heap, sizeof *r);
    if (!r)
        return slm_fail(err, SLM_E_MEMORY, "%s: reader of %zu bytes", file->path, sizeof *r);
    file->reader = r;
    file->read = read_made;
    file->close = close_reader;
    (void)snprintf(file->format, sizeof file->format, "Hugging Face folder");
    const slm_status status = read_folder(&f, r, err);
    slm_document_close(&f.config);
    return status;
}
