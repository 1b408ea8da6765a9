/* pack.c -- a model file in, a packed one out, in another type if that is asked.
 *
 * Streamed: some panels at a time, as many as a few MB hold, each by a task of the team: 16 rows are read, converted row by row where the
 * type changes, and packed. What a task writes depends on its rows alone and errors are added in order, so bytes and figures are the
 * same for any number of threads. Rows that a model multiplies with apart (fused q, k, v; fused gate and up) become tensors of their own,
 * with the names that unfused files have; panels could not be cut where a model wants it. */
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "core/team.h"
#include "core/writer.h"
#include "format/packed.h"
#include "model/config.h"
#include "model/requantize.h"
#include "quant/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 8 << 20, MOST_TASKS = 256, FRONT_MOST = 1 << 30 };

/* What becomes a tensor: `rows` rows of a source from `first` on. */
typedef struct part {
    const slm_tensor *source;
    size_t first, rows;
    char name[SLM_LIMIT_TENSOR_NAME + 1];       /* "" : the source's */
} part;

/* One panel at work: its source rows, a row as floats, its rows in the disk form of the new type, the panel. */
typedef struct packer {
    slm_heap heap;
    slm_quantize_params params;
    const char *in;
    slm_file *file;
    slm_team *team;
    slm_writer *writer;
    slm_config config;
    const slm_type **types;         /* [file->n_tensors] */
    part *parts;                    /* [n] */
    slm_packed_tensor *tensors;     /* [n] */
    size_t n;
    uint64_t done, total;
    /* the part at work */
    const part *part;
    const slm_type *from, *to;
    slm_matrix shape;
    size_t raw_row, new_row, task_bytes, first_panel;
    uint8_t *memory;                /* [tasks][task_bytes]: panel, then floats, then raw rows, then new rows */
    double squares[MOST_TASKS];
    slm_error *errors;              /* [MOST_TASKS] */
} packer;

/* ---- which tensors ---- */

static bool is_layers(const char *name, const char *rest)
{
    const char *dot = slm_tensor_layer(name) == UINT32_MAX ? NULL : strchr(name + 4, '.');
    return dot && !strcmp(dot + 1, rest);
}

static slm_status add_part(packer *p, size_t index, const char *rest, size_t first, size_t rows, slm_error *err)
{
    const slm_tensor *t = &p->file->tensors[index];
    part *q = &p->parts[p->n];
    *q = (part){ .source = t, .first = first, .rows = rows };
    if (rest)
        (void)snprintf(q->name, sizeof q->name, "blk.%u.%s", slm_tensor_layer(t->name), rest);
    slm_packed_tensor *to = &p->tensors[p->n++];
    *to = (slm_packed_tensor){ .name = rest ? q->name : t->name, .type = p->types[index], .n_dims = t->n_dims };
    memcpy(to->dims, t->dims, sizeof to->dims);
    if (!rest)
        return SLM_OK;
    to->dims[1] = rows;
    return slm_file_find(p->file, q->name)
               ? slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': is there twice: as %zu rows of '%s' too", p->in, q->name, rows, t->shown) : SLM_OK;
}

/* A source tensor as the parts a model binds. */
static slm_status add_tensor(packer *p, size_t index, slm_error *err)
{
    const slm_config *c = &p->config;
    const slm_tensor *t = &p->file->tensors[index];
    const size_t q = (size_t)c->heads * c->head_size, kv = (size_t)c->kv_heads * c->head_size, f = c->feed_forward;
    const bool qkv = is_layers(t->name, "attn_qkv.weight"), gate_up = c->arch->fused_gate_up && is_layers(t->name, "ffn_up.weight");
    const struct { const char *rest; size_t first, rows; } cuts[2][3] = {
        { { "attn_q.weight", 0, q }, { "attn_k.weight", q, kv }, { "attn_v.weight", q + kv, kv } },
        { { "ffn_gate.weight", 0, f }, { "ffn_up.weight", f, f }, { NULL, 0, 0 } },
    };
    slm_status status = SLM_OK;
    if (!qkv && !gate_up)
        return add_part(p, index, NULL, 0, (size_t)t->rows, err);
    if (t->n_dims != 2 || t->rows != (qkv ? q + 2 * kv : 2 * f))
        return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': has %" PRIu64 " rows, the keys imply %zu", p->in, t->shown, t->rows,
                        qkv ? q + 2 * kv : 2 * f);
    if (gate_up) {                      /* the name of the whole is that of its second half */
        status = add_part(p, index, cuts[1][0].rest, 0, f, err);
        if (!status)
            status = add_part(p, index, NULL, f, f, err);
        p->tensors[p->n - 1].dims[1] = f;
        return status;
    }
    for (size_t i = 0; !status && i < 3; i++)
        status = add_part(p, index, cuts[0][i].rest, cuts[0][i].first, cuts[0][i].rows, err);
    return status;
}

static slm_status list_parts(packer *p, const slm_mix *want, slm_error *err)
{
    const size_t n = p->file->n_tensors;
    p->types = slm_heap_array(&p->heap, slm_max(1, n), sizeof *p->types);
    p->parts = slm_heap_array(&p->heap, slm_max(1, 3 * n), sizeof *p->parts);
    p->tensors = slm_heap_array(&p->heap, slm_max(1, 3 * n), sizeof *p->tensors);
    p->errors = slm_heap_zarray(&p->heap, MOST_TASKS, sizeof *p->errors);
    if (!p->types || !p->parts || !p->tensors || !p->errors)
        return slm_fail(err, SLM_E_MEMORY, "%s: lists of %zu tensors", p->in, n);
    slm_status status = slm_chosen_types(p->types, p->file, want, err);
    for (size_t i = 0; !status && i < n; i++) {
        if (p->file->tensors[i].n_dims == 1)
            p->types[i] = slm_type_by_id(0);
        status = add_tensor(p, i, err);
        p->total += p->file->tensors[i].bytes;
    }
    return status;
}

/* ---- one tensor ---- */

/* The squared errors of a row as it will be read back. */
static double squares(const slm_type *to, const float *row, const uint8_t *panel, size_t lane, size_t cols, float *back)
{
    double sum = 0;
    to->unpack(back, panel, lane, cols);
    for (size_t k = 0; k < cols; k++) {
        const double d = (double)row[k] - (double)back[k];
        sum += d * d;
    }
    return sum;
}

static void pack_panel(void *ctx, size_t index)
{
    packer *p = ctx;
    slm_error *err = &p->errors[index];
    const slm_matrix *m = &p->shape;
    const part *q = p->part;
    const size_t r0 = (p->first_panel + index) * SLM_PANEL_ROWS, rows = slm_min(SLM_PANEL_ROWS, m->rows - r0);
    uint8_t *panel = p->memory + index * p->task_bytes;
    float *row = (float *)(void *)(panel + m->panel_bytes), *back = row + m->cols;
    uint8_t *raw = (uint8_t *)(back + m->cols), *fresh = raw + SLM_PANEL_ROWS * p->raw_row;
    size_t bad_row = 0, bad_block = 0;
    const bool same = p->from == p->to;
    p->squares[index] = 0;
    if (slm_file_read_raw(p->file, q->source, (uint64_t)(q->first + r0) * p->raw_row, raw, rows * p->raw_row, err))
        return;
    for (size_t r = 0; !same && r < rows; r++) {
        const size_t bad = p->from->nonfinite(raw + r * p->raw_row, m->cols);
        if (bad != SIZE_MAX) {
            slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': row %zu, block %zu: not a finite number", p->in, q->source->shown,
                     q->first + r0 + r, bad);
            return;
        }
        p->from->dequantize(row, raw + r * p->raw_row, m->cols);
        p->to->quantize(fresh + r * p->new_row, row, m->cols);
    }
    if (!p->to->pack(panel, same ? raw : fresh, p->new_row, rows, m->cols, &bad_row, &bad_block)) {
        slm_fail(err, SLM_E_NUMERIC, same ? "%s: tensor '%s': row %zu, block %zu: not a finite number%s"
                                          : "%s: tensor '%s': row %zu, block %zu: the values are too large for %s", p->in, q->source->shown,
                 q->first + r0 + bad_row, bad_block, same ? "" : p->to->name);
        return;
    }
    for (size_t r = 0; !same && p->params.tensor && r < rows; r++) {
        p->from->dequantize(row, raw + r * p->raw_row, m->cols);
        p->squares[index] += squares(p->to, row, panel, r, m->cols, back);
    }
}

static slm_status put(packer *p, slm_xxh64 *hash, const void *bytes, size_t n, slm_error *err)
{
    slm_xxh64_add(hash, bytes, n);
    return slm_writer_put(p->writer, bytes, n, err);
}

static slm_status advance(packer *p, uint64_t bytes, slm_error *err)
{
    p->done += bytes;
    if (p->params.progress && p->params.progress(p->params.user, p->done, p->total))
        return slm_fail(err, SLM_E_CALLBACK, "%s: stopped by the progress callback after %" PRIu64 " of %" PRIu64 " bytes", p->in, p->done,
                        p->total);
    return SLM_OK;
}

static slm_status write_vector(packer *p, slm_packed_tensor *t, slm_xxh64 *hash, slm_error *err)
{
    const size_t n = (size_t)t->dims[0];
    float *values = slm_heap_zalloc(&p->heap, (size_t)t->bytes);
    slm_status status = values ? SLM_OK : slm_fail(err, SLM_E_MEMORY, "%s: tensor '%s': %zu values", p->in, p->part->source->shown, n);
    if (!status)
        status = slm_file_read(p->file, (size_t)(p->part->source - p->file->tensors), values, n, err);
    if (!status)
        status = put(p, hash, values, (size_t)t->bytes, err);
    slm_heap_free(&p->heap, values);
    return status ? status : advance(p, p->part->source->bytes, err);
}

/* Sets what the tasks need for the part at work; *tasks: how many at a time. */
static slm_status begin_matrix(packer *p, const slm_packed_tensor *t, size_t *tasks, slm_error *err)
{
    const slm_tensor *s = p->part->source;
    uint64_t new_row;
    size_t floats, rows, bytes;
    p->from = s->type;
    p->to = t->type;
    p->shape = (slm_matrix){ .type = t->type, .rows = p->part->rows, .cols = (size_t)s->dims[0] };
    slm_matrix_shape(&p->shape);
    p->raw_row = (size_t)(s->bytes / s->rows);
    const bool fits = slm_type_bytes(t->type, 1, s->dims[0], &new_row) && slm_size_from_u64(new_row, &p->new_row) &&
                      slm_size_mul(p->shape.cols, 2 * sizeof(float), &floats) && slm_size_add(p->raw_row, p->new_row, &rows) &&
                      slm_size_mul(rows, SLM_PANEL_ROWS, &rows) && slm_size_add(floats, rows, &bytes) &&
                      slm_size_add(bytes, p->shape.panel_bytes, &bytes) && slm_size_add(bytes, 63, &bytes);
    p->task_bytes = fits ? bytes & ~(size_t)63 : 0;
    *tasks = fits ? slm_max(1, slm_min(slm_min(MOST_TASKS, slm_matrix_panels(&p->shape)), ROOM / p->task_bytes)) : 0;
    p->memory = fits ? slm_heap_array(&p->heap, *tasks, p->task_bytes) : NULL;
    if (!p->memory)
        return slm_fail(err, SLM_E_MEMORY, "%s: tensor '%s': %zu panels at once", p->in, s->shown, *tasks);
    return SLM_OK;
}

static slm_status write_matrix(packer *p, const slm_packed_tensor *t, slm_xxh64 *hash, double *sum, slm_error *err)
{
    size_t tasks = 0;
    slm_status status = begin_matrix(p, t, &tasks, err);
    const size_t panels = slm_matrix_panels(&p->shape);
    for (p->first_panel = 0; !status && p->first_panel < panels; p->first_panel += tasks) {
        const size_t now = slm_min(tasks, panels - p->first_panel), from = p->first_panel * SLM_PANEL_ROWS;
        slm_team_run(p->team, now, pack_panel, p);
        for (size_t i = 0; !status && i < now; i++) {
            status = (slm_status)p->errors[i].status;
            if (status && err)
                *err = p->errors[i];
            if (!status)
                status = put(p, hash, p->memory + i * p->task_bytes, p->shape.panel_bytes, err);
            *sum += p->squares[i];
        }
        if (!status)
            status = advance(p, (slm_min(p->shape.rows, from + now * SLM_PANEL_ROWS) - from) * p->raw_row, err);
    }
    slm_heap_free(&p->heap, p->memory);
    p->memory = NULL;
    return status;
}

/* ---- the whole file ---- */

static slm_status write_tensor(packer *p, size_t index, slm_error *err)
{
    slm_packed_tensor *t = &p->tensors[index];
    slm_xxh64 hash;
    double sum = 0;
    p->part = &p->parts[index];
    slm_xxh64_init(&hash);
    const slm_status status = t->n_dims == 1 ? write_vector(p, t, &hash, err) : write_matrix(p, t, &hash, &sum, err);
    t->hash = slm_xxh64_end(&hash);
    if (!status && p->params.tensor) {
        char shown[SLM_SHOWN];
        p->params.tensor(p->params.user, slm_shown(shown, t->name, strlen(t->name)), t->type->name,
                         sum / ((double)p->part->rows * (double)t->dims[0]));
    }
    return status;
}

static slm_status write_file(packer *p, const char *out, slm_error *err)
{
    slm_buf front;
    uint64_t bytes = 0;
    slm_buf_init(&front, &p->heap, FRONT_MOST);
    slm_status status = slm_packed_front(p->tensors, p->n, &p->file->keys, &front, &bytes, err);
    if (!status)
        status = slm_writer_open(&p->writer, &p->heap, out, bytes, err);
    if (!status)
        status = slm_writer_put(p->writer, front.data, front.size, err);
    for (size_t i = 0; !status && i < p->n; i++)
        status = write_tensor(p, i, err);
    if (!status)
        status = SLM_CHECK(slm_writer_offset(p->writer) == bytes, err);
    if (!status) {
        front.size = 0;
        status = slm_packed_front(p->tensors, p->n, &p->file->keys, &front, &bytes, err);
    }
    if (!status)
        status = slm_writer_put_at(p->writer, 0, front.data, front.size, err);
    slm_buf_free(&front);
    if (!status) {
        slm_writer *writer = p->writer;
        p->writer = NULL;               /* ended by the commit either way */
        status = slm_writer_commit(writer, err);
    }
    return status;
}

static slm_status prepare(packer *p, slm_error *err)
{
    const slm_mix *want = NULL;
    slm_status status = p->params.type ? slm_written_type(&want, p->params.type, true, err) : SLM_OK;
    if (!status)
        status = slm_file_load(&p->file, &p->heap, p->in, p->params.tokenizer_path, err);
    if (!status)
        status = slm_team_new(&p->team, &p->heap, SLM_TEAM_OPENMP, p->params.threads, NULL, err);
    if (!status)
        status = slm_config_read(&p->config, p->file, err);
    if (!status)
        status = list_parts(p, want, err);
    return status || !want ? status : slm_written_keys(&p->file->keys, want, err);
}

slm_status slm_pack_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err)
{
    slm_quantize_params q;
    if (!in || !out)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", in ? "out" : "in");
    slm_status status = slm_params_read(&q, sizeof q, params, err);
    if (!status && q.importance)
        status = slm_fail(err, SLM_E_ARG, "%s: importance is for slm_quantize_file (allowed here: NULL)", in);
    if (status)
        return status;
    packer *p = slm_heap_new_owner(sizeof *p, q.allocator, q.memory_limit);
    if (!p)
        return slm_fail(err, SLM_E_MEMORY, "%s: packer of %zu bytes", in, sizeof *p);
    p->params = q;
    p->in = in;
    status = prepare(p, err);
    if (!status)
        status = write_file(p, out, err);
    slm_writer_abort(p->writer);
    slm_team_free(p->team);
    slm_heap_free(&p->heap, p->errors);
    slm_heap_free(&p->heap, p->tensors);
    slm_heap_free(&p->heap, p->parts);
    slm_heap_free(&p->heap, p->types);
    slm_file_free(p->file);
    slm_heap_free_owner(p);
    return status;
}
