/* file.c -- a model file of any format as named tensors and keys, and the public slm_file over it. */
#include "format/file.h"

#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "core/team.h"
#include "format/packed.h"
#include "format/tokenizer_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- order ---- */

typedef int compare_fn(const void *ctx, uint32_t a, uint32_t b);

/* Heap sort of indices: no recursion, no memory, O(n log n) whatever the input. */
static void sort_indices(uint32_t *v, size_t n, compare_fn *compare, const void *ctx)
{
    for (size_t end = n, start = n / 2; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            const uint32_t top = v[0];
            v[0] = v[end];
            v[end] = top;
        }
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(ctx, v[child], v[child + 1]) < 0)
                child++;
            if (compare(ctx, v[root], v[child]) >= 0)
                break;
            const uint32_t moved = v[root];
            v[root] = v[child];
            v[child] = moved;
        }
    }
}

static int tensor_name_order(const void *ctx, uint32_t a, uint32_t b)
{
    const slm_file *file = ctx;
    return strcmp(file->tensors[a].name, file->tensors[b].name);
}

static int key_name_order(const void *ctx, uint32_t a, uint32_t b)
{
    const slm_file *file = ctx;
    return strcmp(file->keys.list[a].name, file->keys.list[b].name);
}

static int tensor_offset_order(const void *ctx, uint32_t a, uint32_t b)
{
    const slm_tensor *t = ((const slm_file *)ctx)->tensors;
    return t[a].offset < t[b].offset ? -1 : t[a].offset > t[b].offset ? 1 : t[a].bytes < t[b].bytes ? -1 : t[a].bytes > t[b].bytes;
}

static void count_up(uint32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (uint32_t)i;
}

static slm_status check_keys(const slm_file *file, uint32_t *order, slm_error *err)
{
    const slm_key *keys = file->keys.list;
    count_up(order, file->keys.n);
    sort_indices(order, file->keys.n, key_name_order, file);
    for (size_t i = 1; i < file->keys.n; i++)
        if (strcmp(keys[order[i - 1]].name, keys[order[i]].name) == 0) {
            char shown[SLM_SHOWN];
            return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': stands twice, as number %u and %u", file->path,
                            slm_shown(shown, keys[order[i]].name, strlen(keys[order[i]].name)), order[i - 1], order[i]);
        }
    return SLM_OK;
}

static slm_status check_places(slm_file *file, uint32_t *order, slm_error *err)
{
    const slm_tensor *t = file->tensors;
    count_up(order, file->n_tensors);
    sort_indices(order, file->n_tensors, tensor_offset_order, file);
    for (size_t i = 1; i < file->n_tensors; i++) {
        const slm_tensor *a = &t[order[i - 1]], *b = &t[order[i]];
        if (a->bytes > b->offset - a->offset)
            return slm_fail_at(err, SLM_E_FORMAT, b->offset, "%s: tensor '%s': overlaps tensor '%s', which has %" PRIu64 " bytes from %"
                               PRIu64 " on", file->path, b->shown, a->shown, a->bytes, a->offset);
        file->gap_bytes += b->offset - a->offset - a->bytes;
    }
    if (file->n_tensors) {
        const slm_tensor *last = &t[order[file->n_tensors - 1]];
        file->trailing_bytes = file->source.size - last->offset - last->bytes;
    }
    return SLM_OK;
}

slm_status slm_file_index(slm_file *file, slm_error *err)
{
    uint32_t *order = slm_heap_array(file->heap, slm_max(1, slm_max(file->n_tensors, file->keys.n)), sizeof *order);
    slm_status status = SLM_OK;
    if (!order)
        return slm_fail(err, SLM_E_MEMORY, "%s: order of %zu tensors and %zu keys", file->path, file->n_tensors, file->keys.n);
    status = check_keys(file, order, err);
    if (!status && !file->read && !file->n_parts)      /* made-up tensors have no places, those of parts were checked with each */
        status = check_places(file, order, err);
    slm_heap_free(file->heap, order);
    if (status)
        return status;
    count_up(file->by_name, file->n_tensors);
    sort_indices(file->by_name, file->n_tensors, tensor_name_order, file);
    for (size_t i = 1; i < file->n_tensors; i++) {
        const slm_tensor *a = &file->tensors[file->by_name[i - 1]], *b = &file->tensors[file->by_name[i]];
        if (strcmp(a->name, b->name) == 0)
            return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': stands twice, as number %u and %u", file->path, a->shown,
                            file->by_name[i - 1], file->by_name[i]);
    }
    return SLM_OK;
}

/* ---- building ---- */

slm_status slm_file_reserve(slm_file *file, size_t n, slm_error *err)
{
    file->tensors = slm_heap_zarray(file->heap, slm_max(n, 1), sizeof *file->tensors);
    file->by_name = slm_heap_zarray(file->heap, slm_max(n, 1), sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return slm_fail(err, SLM_E_MEMORY, "%s: table of %zu tensors", file->path, n);
    return SLM_OK;
}

static slm_status check_shape(const slm_file *file, slm_tensor *t, uint64_t at, slm_error *err)
{
    const char *type_name;
    uint32_t block, bytes;
    uint64_t elements = 1, row;
    for (uint32_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 1 || t->dims[i] > SLM_LIMIT_DIM)
            return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': dimension %u is %" PRIu64 " (allowed 1 .. %d)", file->path, t->shown,
                               i, t->dims[i], SLM_LIMIT_DIM);
        if (!slm_u64_mul(elements, t->dims[i], &elements) || elements > SIZE_MAX / 16)
            return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': %" PRIu64 " x %" PRIu64 " x %" PRIu64 " x %" PRIu64
                               " values (allowed %zu in all)", file->path, t->shown, t->dims[0], t->dims[1], t->dims[2], t->dims[3],
                               SIZE_MAX / 16);
    }
    t->rows = elements / t->dims[0];
    if (!slm_type_shape(t->type_id, &type_name, &block, &bytes))
        return SLM_OK;                  /* bytes 0: an error when the tensor is needed */
    if (t->dims[0] % block)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': rows of %" PRIu64 " values, %s has blocks of %u", file->path, t->shown,
                           t->dims[0], type_name, block);
    if (!slm_u64_mul(t->dims[0] / block, bytes, &row) || !slm_u64_mul(row, t->rows, &t->bytes))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': %" PRIu64 " rows of %" PRIu64 " values have no size", file->path,
                           t->shown, t->rows, t->dims[0]);
    return SLM_OK;
}

slm_status slm_file_set_tensor(slm_file *file, size_t index, const void *name, size_t name_len, uint32_t type_id, uint32_t n_dims,
                               const uint64_t *dims, uint64_t at, slm_error *err)
{
    char shown[SLM_SHOWN];
    slm_shown(shown, name, name_len);
    const size_t longest = file->longest_name ? file->longest_name : SLM_LIMIT_TENSOR_NAME;
    if (name_len < 1 || name_len > longest)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor %zu: name of %zu bytes (allowed 1 .. %zu)", file->path, index, name_len,
                           longest);
    if (memchr(name, 0, name_len))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor %zu: name '%s' has a NUL byte", file->path, index, shown);
    if (n_dims < 1 || n_dims > SLM_LIMIT_DIMS)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': %u dimensions (allowed 1 .. %d)", file->path, shown, n_dims,
                           SLM_LIMIT_DIMS);
    const size_t shown_len = strlen(shown);
    const bool plain = shown_len == name_len && memcmp(shown, name, name_len) == 0;
    char *names = slm_pool_take(&file->names, name_len + 1 + (plain ? 0 : shown_len + 1));
    if (!names)
        return slm_fail(err, SLM_E_MEMORY, "%s: name of tensor %zu", file->path, index);
    memcpy(names, name, name_len);
    names[name_len] = 0;
    if (!plain)
        memcpy(names + name_len + 1, shown, shown_len + 1);
    slm_tensor *t = &file->tensors[index];
    *t = (slm_tensor){ .name = names, .shown = plain ? names : names + name_len + 1, .type_id = type_id, .type = slm_type_by_id(type_id),
                       .n_dims = n_dims, .dims = { 1, 1, 1, 1 } };
    file->n_tensors = index + 1;
    if (t->type && t->type->head && !file->packed)
        t->type = NULL;
    for (uint32_t i = 0; i < n_dims; i++)
        t->dims[i] = dims[i];
    return check_shape(file, t, at, err);
}

slm_status slm_file_reserve_parts(slm_file *file, size_t n, slm_error *err)
{
    file->parts = slm_heap_zarray(file->heap, slm_max(n, 1), sizeof *file->parts);
    return file->parts ? SLM_OK : slm_fail(err, SLM_E_MEMORY, "%s: list of %zu files", file->path, n);
}

slm_status slm_file_take_part(slm_file *file, slm_file *shard, slm_error *err)
{
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < shard->n_tensors; i++) {
        const slm_tensor *from = &shard->tensors[i];
        slm_tensor *to = &file->tensors[file->n_tensors];
        status = slm_file_set_tensor(file, file->n_tensors, from->name, strlen(from->name), from->type_id, from->n_dims, from->dims,
                                     from->offset, err);
        to->offset = from->offset;
        to->bytes = from->bytes;
        to->dtype = from->dtype;
        to->part = (uint32_t)file->n_parts + 1;
    }
    if (status)
        return status;
    slm_file_part *part = &file->parts[file->n_parts++];
    part->source = shard->source;
    part->path = shard->path;
    shard->source = (slm_source){ .fd = -1 };
    shard->path = NULL;
    file->gap_bytes += shard->gap_bytes;
    file->trailing_bytes += shard->trailing_bytes;
    return SLM_OK;
}

/* ---- opening ---- */

void slm_file_forget(slm_file *file)
{
    slm_pool_free(&file->names);
    slm_heap_free(file->heap, file->tensors);
    slm_heap_free(file->heap, file->by_name);
    file->tensors = NULL;
    file->by_name = NULL;
    file->n_tensors = 0;
    file->gap_bytes = file->trailing_bytes = 0;
    slm_keys_free(&file->keys);
}

static void release(slm_file *file)
{
    if (file->close)
        file->close(file);
    for (size_t i = 0; i < file->n_parts; i++) {
        slm_source_close(&file->parts[i].source);
        slm_heap_free(file->heap, file->parts[i].path);
    }
    slm_heap_free(file->heap, file->parts);
    slm_file_forget(file);
    slm_heap_free(file->heap, file->reader);
    slm_source_close(&file->source);
    slm_heap_free(file->heap, file->path);
}

void slm_file_free(slm_file *file)
{
    if (!file)
        return;
    slm_heap *heap = file->heap;
    release(file);
    if (heap == &file->own)
        slm_heap_free_owner(file);
    else
        slm_heap_free(heap, file);
}

/* A tokenizer without a model: keys and no tensor. What stands beside it counts if it is a file of that folder and no memory of the caller's. */
static slm_status read_tokenizer(slm_file *file, const char *format, slm_error *err)
{
    const char *slash = strrchr(file->path, '/');
    slm_status status = slm_tokenizer_source_read(&file->keys, &file->source, 0, err);
    if (!status && file->source.fd >= 0)
        status = slm_tokenizer_beside_read(&file->keys, file->path, slash ? (size_t)(slash - file->path) + 1 : 0, err);
    if (!status)
        status = slm_file_reserve(file, 0, err);
    (void)snprintf(file->format, sizeof file->format, "%s", format);
    return status ? status : slm_file_index(file, err);
}

/* What every file has from its birth on. */
static slm_status name_file(slm_file *file, const char *name, slm_error *err)
{
    const size_t len = strlen(name);
    slm_keys_init(&file->keys, file->heap, name);
    slm_pool_init(&file->names, file->heap);
    file->path = slm_heap_alloc(file->heap, len + 1);
    if (!file->path)
        return slm_fail(err, SLM_E_MEMORY, "%s: its name", name);
    memcpy(file->path, name, len + 1);
    file->source.name = file->keys.file = file->path;
    return SLM_OK;
}

const char *slm_file_formats(void)
{
    return "GGUF v2 and v3, in one file or split; packed files; Hugging Face folders; safetensors; llama2.c checkpoints (v0, v1, v2) with `tokenizer.bin`; "
           "`tokenizer.json` and SentencePiece models";
}

/* What a file can be; whatever is none of the others is read as GGUF, which says why it is not. */
enum kind { LLAMA2C, PACKED, SAFETENSORS, TOKENIZER_JSON, TOKENIZER_MODEL, GGUF };

static slm_status (*const known[GGUF])(bool *is, const slm_source *source, slm_error *err) = {
    [LLAMA2C] = slm_llama2c_is, [PACKED] = slm_packed_is, [SAFETENSORS] = slm_safetensors_is, [TOKENIZER_JSON] = slm_tokenizer_json_is,
    [TOKENIZER_MODEL] = slm_tokenizer_model_is,
};

/* Everything but the object itself. from_disk: the source is the file at `name`. */
static slm_status fill(slm_file *file, slm_source *source, const char *name, const char *tokenizer_path, bool from_disk, slm_error *err)
{
    file->source = *source;
    *source = (slm_source){ .fd = -1 };
    slm_status status = name_file(file, name, err);
    if (status)
        return status;
    enum kind kind = LLAMA2C;
    for (bool is = false; !status && kind < GGUF; kind++) {
        status = known[kind](&is, &file->source, err);
        if (is)
            break;
    }
    if (status)
        return status;
    if (kind == LLAMA2C)
        return slm_llama2c_read(file, tokenizer_path, err);
    if (tokenizer_path)
        return slm_fail(err, SLM_E_MISMATCH, "%s: has its own tokenizer, '%s' goes with llama2.c checkpoints only", name, tokenizer_path);
    if (kind == PACKED)
        return slm_packed_read(file, err);
    if (kind == SAFETENSORS)
        return slm_safetensors_read(file, err);
    if (kind != GGUF)
        return read_tokenizer(file, kind == TOKENIZER_JSON ? "tokenizer.json" : "SentencePiece", err);
    status = slm_gguf_read(file, err);
    return status ? status : slm_split_read(file, from_disk, err);
}

/* From the caller's memory or callback. */
static slm_status source_of_input(slm_source *source, const slm_input *input, const char *path, slm_error *err)
{
    slm_input in;
    const slm_status status = slm_params_read(&in, sizeof in, input, err);
    if (status)
        return status;
    if (!in.memory == !in.read_at || in.bytes > SIZE_MAX)
        return slm_fail(err, SLM_E_ARG, "%s: input of %llu bytes has %s", path, (unsigned long long)in.bytes,
                        in.memory ? "both memory and read_at" : in.read_at ? "more bytes than an address" : "neither memory nor read_at");
    *source = in.memory ? slm_source_memory(in.memory, (size_t)in.bytes, path) : slm_source_callback(in.read_at, in.user, in.bytes, path);
    return SLM_OK;
}

/* Fills a file whose heap is set. */
static slm_status load(slm_file *file, const char *path, const slm_input *input, const char *tokenizer_path, slm_error *err)
{
    slm_source source = { .fd = -1 };
    file->source.fd = -1;
    bool folder = false;
    slm_status status = input ? SLM_OK : slm_source_is_folder(&folder, path, err);
    if (!status && folder)
        status = name_file(file, path, err);
    if (status)
        return status;
    if (folder)
        return tokenizer_path ? slm_fail(err, SLM_E_MISMATCH, "%s: a folder has its own tokenizer, '%s' goes with llama2.c checkpoints only",
                                         path, tokenizer_path) : slm_folder_read(file, err);
    status = input ? source_of_input(&source, input, path, err) : slm_source_open(&source, path, err);
    return status ? status : fill(file, &source, path, tokenizer_path, !input, err);
}

static slm_status new_file(slm_file **out, slm_heap *heap, const char *name, slm_error *err)
{
    slm_file *file = slm_heap_zalloc(heap, sizeof *file);
    if (!file)
        return slm_fail(err, SLM_E_MEMORY, "%s: file of %zu bytes", name, sizeof *file);
    file->heap = heap;
    file->source.fd = -1;
    *out = file;
    return SLM_OK;
}

slm_status slm_file_new(slm_file **out, slm_heap *heap, const char *name, slm_error *err)
{
    slm_file *file = NULL;
    slm_status status = new_file(&file, heap, name, err);
    if (status)
        return status;
    if ((status = name_file(file, name, err)) != SLM_OK)
        slm_file_free(file);
    else
        *out = file;
    return status;
}

slm_status slm_file_load_source(slm_file **out, slm_heap *heap, slm_source *source, const char *name, const char *tokenizer_path,
                                slm_error *err)
{
    slm_file *file = NULL;
    slm_status status = new_file(&file, heap, name, err);
    if (status) {
        slm_source_close(source);
        return status;
    }
    if ((status = fill(file, source, name, tokenizer_path, false, err)) != SLM_OK)
        slm_file_free(file);
    else
        *out = file;
    return status;
}

slm_status slm_file_load_input(slm_file **out, slm_heap *heap, const char *path, const slm_input *input, const char *tokenizer_path,
                               slm_error *err)
{
    slm_file *file = NULL;
    slm_status status = new_file(&file, heap, path, err);
    if (status)
        return status;
    if ((status = load(file, path, input, tokenizer_path, err)) != SLM_OK)
        slm_file_free(file);
    else
        *out = file;
    return status;
}

slm_status slm_file_load(slm_file **out, slm_heap *heap, const char *path, const char *tokenizer_path, slm_error *err)
{
    return path ? slm_file_load_input(out, heap, path, NULL, tokenizer_path, err) : slm_fail(err, SLM_E_ARG, "path is NULL");
}

slm_status slm_file_open(slm_file **out, const char *path, const slm_file_params *params, slm_error *err)
{
    slm_file_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || !path)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "path" : "out");
    if (p.threads > SLM_LIMIT_THREADS)
        return slm_fail(err, SLM_E_ARG, "threads is %u (allowed 0 .. %d)", p.threads, SLM_LIMIT_THREADS);
    slm_file *file = slm_heap_new_owner(sizeof *file, p.allocator, p.memory_limit);
    if (!file)
        return slm_fail(err, SLM_E_MEMORY, "%s: file of %zu bytes", path, sizeof *file);
    file->heap = &file->own;
    file->threads = p.threads;
    file->allow_nonfinite = p.allow_nonfinite != 0;
    if ((status = load(file, path, p.input, p.tokenizer_path, err)) != SLM_OK)
        slm_file_free(file);
    else
        *out = file;
    return status;
}

/* ---- looking ---- */

const slm_tensor *slm_file_find(const slm_file *file, const char *name)
{
    size_t low = 0, high = file->n_tensors;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const slm_tensor *t = &file->tensors[file->by_name[middle]];
        const int order = strcmp(t->name, name);
        if (order == 0)
            return t;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *slm_tensor_type_name(const slm_tensor *t)
{
    const char *name = "?";
    uint32_t block, bytes;
    if (t->dtype)
        return t->dtype;
    if (t->type)
        return t->type->name;
    (void)slm_type_shape(t->type_id, &name, &block, &bytes);
    return name;
}

size_t slm_file_tensors(const slm_file *file)
{
    return file->n_tensors;
}

size_t slm_file_keys(const slm_file *file)
{
    return file->keys.n;
}

const char *slm_file_format(const slm_file *file)
{
    return file->format;
}

uint64_t slm_file_size(const slm_file *file)
{
    uint64_t size = file->source.size;
    for (size_t i = 0; i < file->n_parts; i++)
        size += file->parts[i].source.size;
    return size;
}

slm_status slm_file_tensor(const slm_file *file, size_t index, slm_tensor_info *info, slm_error *err)
{
    slm_tensor_info full = SLM_TENSOR_INFO_INIT;
    if (index >= file->n_tensors)
        return slm_fail(err, SLM_E_ARG, "%s: tensor %zu (it has %zu)", file->path, index, file->n_tensors);
    const slm_tensor *t = &file->tensors[index];
    full.name = t->shown;
    full.type = slm_tensor_type_name(t);
    full.n_dims = t->n_dims;
    full.type_id = t->type_id;
    memcpy(full.dims, t->dims, sizeof full.dims);
    full.offset = t->offset;
    full.bytes = t->bytes;
    return slm_params_write(info, &full, sizeof full, err);
}

slm_status slm_file_key(const slm_file *file, size_t index, slm_key_info *info, slm_error *err)
{
    slm_key_info full = SLM_KEY_INFO_INIT;
    if (index >= file->keys.n)
        return slm_fail(err, SLM_E_ARG, "%s: key %zu (it has %zu)", file->path, index, file->keys.n);
    const slm_key *key = &file->keys.list[index];
    full.name = key->name;
    full.type = slm_key_type_name(key->type);
    full.array = key->array;
    full.count = key->count;
    if (!key->array && key->type == SLM_KEY_STRING) {
        full.text = (const char *)key->value;
        full.text_len = key->bytes;
    } else if (!key->array) {
        full.number = slm_key_number_at(key, 0);
    }
    return slm_params_write(info, &full, sizeof full, err);
}

slm_status slm_file_read_raw(const slm_file *file, const slm_tensor *t, uint64_t offset, void *dst, size_t n, slm_error *err)
{
    if (offset > t->bytes || n > t->bytes - offset)
        return slm_fail(err, SLM_E_INTERNAL, "%s: tensor '%s': %zu bytes from %" PRIu64 " on, it has %" PRIu64, file->path, t->shown, n,
                        offset, t->bytes);
    if (file->read)
        return file->read(file, t, offset, dst, n, err);
    return slm_source_read(t->part ? &file->parts[t->part - 1].source : &file->source, t->offset + offset, dst, n, err);
}

slm_status slm_file_read(const slm_file *file, size_t index, float *values, size_t n, slm_error *err)
{
    enum { CHUNK = 256 * 1024 };
    if (index >= file->n_tensors || !values)
        return slm_fail(err, SLM_E_ARG, "%s: tensor %zu (it has %zu)", file->path, index, file->n_tensors);
    const slm_tensor *t = &file->tensors[index];
    if (n != t->rows * t->dims[0])
        return slm_fail(err, SLM_E_ARG, "%s: tensor '%s': room for %zu values, it has %" PRIu64, file->path, t->shown, n,
                        t->rows * t->dims[0]);
    if (!t->type)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tensor '%s': type %s (%u) is not one this version reads", file->path, t->shown,
                        slm_tensor_type_name(t), t->type_id);
    if (file->packed && t->n_dims > 1)
        return slm_packed_values(file, t, values, err);
    const uint32_t block = t->type->block, bytes = t->type->bytes;
    slm_heap local;                      /* the file's counters stay untouched: it may be read from several threads */
    slm_heap_init(&local, &file->heap->allocator, 0);
    uint8_t *chunk = slm_heap_alloc(&local, CHUNK);
    if (!chunk)
        return slm_fail(err, SLM_E_MEMORY, "%s: chunk of %d bytes", file->path, CHUNK);
    slm_status status = SLM_OK;
    const size_t most = CHUNK / bytes * block;
    for (size_t done = 0; !status && done < n;) {
        const size_t now = slm_min(most, n - done);
        status = slm_file_read_raw(file, t, (uint64_t)done / block * bytes, chunk, now / block * bytes, err);
        if (status)
            break;
        const size_t bad = file->allow_nonfinite ? SIZE_MAX : t->type->nonfinite(chunk, now);
        if (bad != SIZE_MAX)
            status = slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': row %" PRIu64 ", block %" PRIu64 ": not a finite number", file->path,
                              t->shown, (done / block + bad) / (t->dims[0] / block), (done / block + bad) % (t->dims[0] / block));
        else
            t->type->dequantize(values + done, chunk, now);
        done += now;
    }
    slm_heap_free(&local, chunk);
    return status;
}
