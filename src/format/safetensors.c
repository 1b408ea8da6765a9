/* safetensors.c -- reads safetensors, one file or the shards that an index names, as strictly as safety.md 3.4 asks.
 *
 *   u64 N | N bytes of JSON, the first is '{' | data
 *   {"__metadata__": {name: text}, NAME: {"dtype": "F32", "shape": [rows, cols], "data_offsets": [begin, end]}, ...}
 *
 * Offsets count from the data part. No byte of it belongs to two tensors or to none, so that a file cannot be two things at once. A type
 * that GGUF has no number for is checked like any other and refused, by its name, where its tensor is needed. */
#include "core/json.h"
#include "core/limits.h"
#include "core/size.h"
#include "format/document.h"
#include "format/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HEAD = 8, MOST_SHAPE = 8, NO_TYPE = UINT16_MAX };    /* GGUF has no type of that number */

/* Source: the safetensors format description. Types of less than a byte have whole bytes in all. */
static const struct dtype { const char *name; uint32_t bits, type_id; } dtypes[] = {
    { "F32", 32, 0 },             { "F16", 16, 1 },             { "BF16", 16, 30 },
    { "F64", 64, 28 },            { "I64", 64, 27 },            { "I32", 32, 26 },            { "I16", 16, 25 },
    { "I8", 8, 24 },              { "U8", 8, NO_TYPE },         { "U16", 16, NO_TYPE },       { "U32", 32, NO_TYPE },
    { "U64", 64, NO_TYPE },       { "BOOL", 8, NO_TYPE },       { "C64", 64, NO_TYPE },       { "F8_E4M3", 8, NO_TYPE },
    { "F8_E5M2", 8, NO_TYPE },    { "F8_E8M0", 8, NO_TYPE },    { "F6_E2M3", 6, NO_TYPE },    { "F6_E3M2", 6, NO_TYPE },
    { "F4", 4, NO_TYPE },
};

slm_status slm_safetensors_is(bool *is, const slm_source *source, slm_error *err)
{
    uint8_t head[HEAD + 1] = { 0 };
    size_t text = 0;
    const slm_status status = slm_source_head(source, head, sizeof head, is, err);
    while (text < HEAD && (head[text] == '\t' || head[text] == '\n' || head[text] == '\r' || (head[text] >= ' ' && head[text] <= '~')))
        text++;
    *is = *is && head[HEAD] == '{' && text < HEAD && memcmp(head, "GGUF", 4) != 0;     /* eight letters are no length but the start of a text */
    return status;
}

/* ---- one tensor ------------------------------------------------------------------------------------------------------------ */

typedef struct reader {
    slm_file *file;
    slm_json json;
    uint64_t data, data_size;   /* offset of the data part in the file, its bytes */
    slm_buf name;               /* of the tensor at work */
    size_t at;                  /* byte of the file where it stands */
} reader;

static slm_status fail_tensor(const reader *r, slm_status status, const char *what, uint64_t found, slm_error *err)
{
    char shown[SLM_SHOWN];
    return slm_fail_at(err, status, r->at, "%s: tensor '%s': %s: %" PRIu64, r->file->path, slm_shown(shown, r->name.data, r->name.size),
                       what, found);
}

/* An array of whole numbers: at most `most` of them, *n are there. */
static slm_status read_numbers(reader *r, const char *what, uint64_t *list, size_t most, size_t *n, slm_error *err)
{
    slm_status status = slm_json_next(&r->json, err);
    if (!status && r->json.kind != SLM_JSON_ARRAY)
        return fail_tensor(r, SLM_E_FORMAT, what, r->json.kind, err);
    for (*n = 0; !status;) {
        status = slm_json_next(&r->json, err);
        if (status || r->json.kind == SLM_JSON_ARRAY_END)
            return status;
        if (r->json.kind != SLM_JSON_NUMBER)
            return fail_tensor(r, SLM_E_FORMAT, what, r->json.kind, err);
        if (*n == most)
            return fail_tensor(r, SLM_E_LIMIT, "more numbers in its shape or offsets than are allowed", most, err);
        status = slm_json_u64(&r->json, &list[(*n)++], err);
    }
    return status;
}

static slm_status read_dtype(reader *r, const struct dtype **dtype, slm_error *err)
{
    char shown[2][SLM_SHOWN];
    const slm_status status = slm_json_next(&r->json, err);
    if (status)
        return status;
    if (r->json.kind != SLM_JSON_STRING)
        return fail_tensor(r, SLM_E_FORMAT, "its dtype is no string but JSON of kind", r->json.kind, err);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (slm_json_is(&r->json, dtypes[i].name)) {
            *dtype = &dtypes[i];
            return SLM_OK;
        }
    return slm_fail_at(err, SLM_E_UNSUPPORTED, r->at, "%s: tensor '%s': dtype '%s' (%zu bytes) is not one of the %zu known", r->file->path,
                       slm_shown(shown[0], r->name.data, r->name.size), slm_shown(shown[1], r->json.base + r->json.text, r->json.text_len),
                       r->json.text_len, sizeof dtypes / sizeof *dtypes);
}

typedef struct entry {
    const struct dtype *dtype;
    uint64_t shape[MOST_SHAPE], offsets[2];
    size_t n_shape, n_offsets;
    bool has[3];                /* dtype, shape, data_offsets */
} entry;

static slm_status read_entry(reader *r, entry *e, slm_error *err)
{
    static const char *const fields[3] = { "dtype", "shape", "data_offsets" };
    slm_status status = slm_json_next(&r->json, err);
    if (!status && r->json.kind != SLM_JSON_OBJECT)
        return fail_tensor(r, SLM_E_FORMAT, "is no object but JSON of kind", r->json.kind, err);
    while (!status && (status = slm_json_next(&r->json, err)) == SLM_OK && r->json.kind != SLM_JSON_OBJECT_END) {
        size_t f = 0;
        while (f < 3 && !slm_json_is(&r->json, fields[f]))
            f++;
        if (f == 3 || e->has[f])
            return fail_tensor(r, SLM_E_FORMAT, f == 3 ? "has a field that is none of dtype, shape, data_offsets, of bytes"
                                                       : "has a field twice, of bytes", r->json.text_len, err);
        e->has[f] = true;
        status = f == 0 ? read_dtype(r, &e->dtype, err)
               : f == 1 ? read_numbers(r, "its shape is no array of numbers but has JSON of kind", e->shape, MOST_SHAPE, &e->n_shape, err)
                        : read_numbers(r, "data_offsets is no array of numbers but has JSON of kind", e->offsets, 2, &e->n_offsets, err);
    }
    for (size_t f = 0; !status && f < 3; f++)
        if (!e->has[f])
            status = fail_tensor(r, SLM_E_FORMAT, f == 0 ? "has no dtype; fields found" : f == 1 ? "has no shape; fields found"
                                 : "has no data_offsets; fields found", (uint64_t)e->has[0] + e->has[1] + e->has[2], err);
    return status;
}

/* GGUF has the fastest dimension first and at most four: what is slower is multiplied up. A number alone has one value. */
static slm_status make_dims(const reader *r, const entry *e, uint64_t dims[SLM_LIMIT_DIMS], uint32_t *n_dims, slm_error *err)
{
    *n_dims = (uint32_t)slm_max(1, slm_min(e->n_shape, SLM_LIMIT_DIMS));
    for (size_t i = 0; i < SLM_LIMIT_DIMS; i++)
        dims[i] = i < e->n_shape ? e->shape[e->n_shape - 1 - i] : 1;
    for (size_t i = SLM_LIMIT_DIMS; i < e->n_shape; i++)
        if (!slm_u64_mul(dims[SLM_LIMIT_DIMS - 1], e->shape[e->n_shape - 1 - i], &dims[SLM_LIMIT_DIMS - 1]))
            return fail_tensor(r, SLM_E_FORMAT, "its shape passes 64 bits; dimensions", e->n_shape, err);
    return SLM_OK;
}

static slm_status set_place(reader *r, slm_tensor *t, const entry *e, slm_error *err)
{
    uint64_t bits = t->dims[0];
    if (e->n_offsets != 2)
        return fail_tensor(r, SLM_E_FORMAT, "wanted 2 data_offsets, found", e->n_offsets, err);
    if (!slm_u64_mul(bits, t->rows, &bits) || !slm_u64_mul(bits, e->dtype->bits, &bits) || bits % 8)
        return fail_tensor(r, SLM_E_FORMAT, "its values have no whole number of bytes; bits of a value", e->dtype->bits, err);
    t->bytes = bits / 8;
    if (e->offsets[0] > e->offsets[1] || e->offsets[1] > r->data_size)
        return fail_tensor(r, SLM_E_FORMAT, e->offsets[0] > e->offsets[1] ? "ends before it begins, at" : "passes the end of the file's data with its end at",
                           e->offsets[1], err);
    if (e->offsets[1] - e->offsets[0] != t->bytes) {
        char shown[SLM_SHOWN];
        return slm_fail_at(err, SLM_E_FORMAT, r->at, "%s: tensor '%s': has %" PRIu64 " bytes, its shape of %s takes %" PRIu64, r->file->path,
                           slm_shown(shown, r->name.data, r->name.size), e->offsets[1] - e->offsets[0], e->dtype->name, t->bytes);
    }
    t->offset = r->data + e->offsets[0];
    t->dtype = e->dtype->type_id == NO_TYPE ? e->dtype->name : NULL;
    return SLM_OK;
}

static slm_status read_tensor(reader *r, slm_error *err)
{
    entry e = { .dtype = NULL };
    uint64_t dims[SLM_LIMIT_DIMS];
    uint32_t n_dims;
    const size_t index = r->file->n_tensors;
    slm_status status = read_entry(r, &e, err);
    if (!status)
        status = make_dims(r, &e, dims, &n_dims, err);
    if (!status)
        status = slm_file_set_tensor(r->file, index, r->name.data, r->name.size, e.dtype->type_id, n_dims, dims, r->at, err);
    return status ? status : set_place(r, &r->file->tensors[index], &e, err);
}

/* ---- the header ------------------------------------------------------------------------------------------------------------ */

/* {name: text}: read for its form alone. */
static slm_status read_metadata(reader *r, slm_error *err)
{
    slm_status status = slm_json_next(&r->json, err);
    if (!status && r->json.kind != SLM_JSON_OBJECT)
        return fail_tensor(r, SLM_E_FORMAT, "is no object but JSON of kind", r->json.kind, err);
    while (!status && (status = slm_json_next(&r->json, err)) == SLM_OK && r->json.kind != SLM_JSON_OBJECT_END) {
        status = slm_json_next(&r->json, err);
        if (!status && r->json.kind != SLM_JSON_STRING)
            status = fail_tensor(r, SLM_E_FORMAT, "has a value that is no string but JSON of kind", r->json.kind, err);
    }
    return status;
}

static slm_status next_name(reader *r, slm_error *err)
{
    r->at = r->json.text;
    r->name.size = 0;
    return slm_json_string(&r->json, &r->name, err);
}

/* Walks the names of the header: with `set` the tensors are made, else *count of them are counted. */
static slm_status walk(reader *r, bool set, size_t *count, slm_error *err)
{
    bool metadata = false;
    slm_status status = slm_json_next(&r->json, err);       /* the '{' that was seen before */
    for (*count = 0; !status;) {
        status = slm_json_next(&r->json, err);
        if (status || r->json.kind == SLM_JSON_OBJECT_END)
            break;
        if ((status = next_name(r, err)) != SLM_OK)
            break;
        const bool is_metadata = slm_json_is(&r->json, "__metadata__");
        *count += !is_metadata;
        if (!set)
            status = slm_json_skip(&r->json, err);
        else if (is_metadata && metadata)
            status = fail_tensor(r, SLM_E_FORMAT, "stands twice; tensors before it", r->file->n_tensors, err);
        else
            status = is_metadata ? read_metadata(r, err) : read_tensor(r, err);
        metadata = metadata || is_metadata;
    }
    return status ? status : slm_json_next(&r->json, err);      /* nothing but white space may follow */
}

static slm_status parse(reader *r, const uint8_t *text, size_t n, slm_error *err)
{
    slm_file *file = r->file;
    size_t count;
    uint64_t sum = 0;
    slm_status status = slm_json_init(&r->json, text, n, file->path, err);
    if (!status)
        status = walk(r, false, &count, err);
    if (!status && count > SLM_LIMIT_GGUF_TENSORS)
        status = slm_fail(err, SLM_E_LIMIT, "%s: %zu tensors (allowed %d)", file->path, count, SLM_LIMIT_GGUF_TENSORS);
    if (!status)
        status = slm_file_reserve(file, count, err);
    if (!status)
        status = slm_json_init(&r->json, text, n, file->path, err);
    if (!status)
        status = walk(r, true, &count, err);
    if (!status)
        status = slm_file_index(file, err);
    if (status)
        return status;
    for (size_t i = 0; i < file->n_tensors; i++)
        sum += file->tensors[i].bytes;          /* they lie in the file and do not overlap */
    if (sum != r->data_size)
        return slm_fail_at(err, SLM_E_FORMAT, r->data, "%s: its tensors have %" PRIu64 " of the %" PRIu64 " bytes behind the header: a hole",
                           file->path, sum, r->data_size);
    return SLM_OK;
}

slm_status slm_safetensors_read(slm_file *file, slm_error *err)
{
    uint8_t head[HEAD + 1];
    slm_status status = slm_source_read(&file->source, 0, head, sizeof head, err);      /* a file of fewer bytes is refused there */
    if (status)
        return status;
    const uint64_t n = slm_le(head, HEAD);
    if (n < 2 || n > SLM_LIMIT_SAFETENSORS_HEADER || n > file->source.size - HEAD)
        return slm_fail_at(err, n > SLM_LIMIT_SAFETENSORS_HEADER ? SLM_E_LIMIT : SLM_E_FORMAT, 0, "%s: header of %" PRIu64
                           " bytes (allowed 2 .. %d, the file has %" PRIu64 " more)", file->path, n, SLM_LIMIT_SAFETENSORS_HEADER,
                           file->source.size - HEAD);
    if (head[HEAD] != '{')
        return slm_fail_at(err, SLM_E_FORMAT, HEAD, "%s: the header begins with byte 0x%02x, not with '{'", file->path, head[HEAD]);

    const size_t size = HEAD + (size_t)n;
    reader r = { .file = file, .data = size, .data_size = file->source.size - size };
    uint8_t *text = slm_heap_alloc(file->heap, size);
    slm_buf_init(&r.name, file->heap, SLM_LIMIT_SAFETENSORS_HEADER);
    file->longest_name = SLM_LIMIT_SAFETENSORS_NAME;
    (void)snprintf(file->format, sizeof file->format, "safetensors");
    if (!text)
        status = slm_fail(err, SLM_E_MEMORY, "%s: header of %" PRIu64 " bytes", file->path, n);
    if (!status)
        status = slm_source_read(&file->source, 0, text, size, err);
    if (!status) {
        memset(text, ' ', HEAD);        /* so that the offsets of messages are those of the file */
        status = parse(&r, text, size, err);
    }
    slm_buf_free(&r.name);
    slm_heap_free(file->heap, text);
    return status;
}

/* ---- shards ---------------------------------------------------------------------------------------------------------------- */

#define INDEX "model.safetensors.index.json"

typedef struct index_reader {
    slm_file *file;             /* the whole */
    slm_file **shards;          /* [n_shards] in the order they are met */
    char **names;               /* [n_shards] */
    size_t n_shards;
    size_t n_entries;           /* tensors that the index names */
    char *path;                 /* of the index */
    slm_json json;
    slm_buf text;
} index_reader;

/* A plain name of a file beside the index: it can name nothing elsewhere. */
static bool is_plain(const slm_buf *name)
{
    if (name->size < 1 || name->size > 255 || name->data[0] == '.')
        return false;
    for (size_t i = 0; i < name->size; i++)
        if (name->data[i] < ' ' || name->data[i] > '~' || name->data[i] == '/' || name->data[i] == '\\' || name->data[i] == ':')
            return false;
    return true;
}

static slm_status open_shard(index_reader *x, slm_error *err)
{
    slm_source source;
    slm_heap *heap = x->file->heap;
    if (x->n_shards == SLM_LIMIT_SHARDS)
        return slm_fail(err, SLM_E_LIMIT, "%s: more than %d files", x->path, SLM_LIMIT_SHARDS);
    char *path = slm_path_join(heap, x->file->path, (const char *)x->text.data, x->text.size);
    if (!path)
        return slm_fail(err, SLM_E_MEMORY, "%s: name of file %zu", x->path, x->n_shards);
    slm_status status = slm_source_open(&source, path, err);
    if (!status)
        status = slm_file_load_source(&x->shards[x->n_shards], heap, &source, path, NULL, err);
    if (status) {
        slm_heap_free(heap, path);
        return status;
    }
    x->names[x->n_shards++] = path;
    if (strcmp(x->shards[x->n_shards - 1]->format, "safetensors") != 0)
        return slm_fail(err, SLM_E_FORMAT, "%s: is %s, file %zu of '%s' must be safetensors", path, x->shards[x->n_shards - 1]->format,
                        x->n_shards - 1, x->path);
    return SLM_OK;
}

/* The shard of the file name in x->text, opened if it is new. */
static slm_status find_shard(index_reader *x, size_t *shard, slm_error *err)
{
    const size_t folder = strlen(x->file->path) + 1;
    for (*shard = 0; *shard < x->n_shards; ++*shard)
        if (strlen(x->names[*shard]) == folder + x->text.size && memcmp(x->names[*shard] + folder, x->text.data, x->text.size) == 0)
            return SLM_OK;
    return open_shard(x, err);
}

/* "NAME": "FILE" */
static slm_status read_mapping(index_reader *x, slm_error *err)
{
    char name[SLM_LIMIT_SAFETENSORS_NAME + 1], shown[SLM_SHOWN];
    size_t shard, n;
    const size_t at = x->json.text;
    x->text.size = 0;
    slm_status status = slm_json_string(&x->json, &x->text, err);
    if (status)
        return status;
    n = x->text.size;
    if (n < 1 || n > SLM_LIMIT_SAFETENSORS_NAME || memchr(x->text.data, 0, n))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: name of %zu bytes (allowed 1 .. %d, no NUL)", x->path, n, SLM_LIMIT_SAFETENSORS_NAME);
    memcpy(name, x->text.data, n);
    name[n] = 0;
    if ((status = slm_json_next(&x->json, err)) != SLM_OK)
        return status;
    x->text.size = 0;
    if (x->json.kind != SLM_JSON_STRING)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': its file is no string but JSON of kind %d", x->path,
                           slm_shown(shown, name, n), x->json.kind);
    if ((status = slm_json_string(&x->json, &x->text, err)) != SLM_OK)
        return status;
    if (!is_plain(&x->text))
        return slm_fail_at(err, SLM_E_FORMAT, x->json.text, "%s: file '%s' of %zu bytes is no plain name of a file beside it", x->path,
                           slm_shown(shown, x->text.data, x->text.size), x->text.size);
    if ((status = find_shard(x, &shard, err)) != SLM_OK)
        return status;
    if (!slm_file_find(x->shards[shard], name))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': is not one of the %zu in '%s'", x->path, slm_shown(shown, name, n),
                           x->shards[shard]->n_tensors, x->names[shard]);
    x->n_entries++;
    return SLM_OK;
}

static slm_status read_index(index_reader *x, slm_error *err)
{
    bool found = false;
    slm_status status = slm_json_next(&x->json, err);
    if (!status && x->json.kind != SLM_JSON_OBJECT)
        return slm_fail_at(err, SLM_E_FORMAT, 0, "%s: is no object but JSON of kind %d", x->path, x->json.kind);
    while (!status && (status = slm_json_next(&x->json, err)) == SLM_OK && x->json.kind != SLM_JSON_OBJECT_END) {
        if (!slm_json_is(&x->json, "weight_map")) {
            status = slm_json_skip(&x->json, err);
            continue;
        }
        if (found)
            return slm_fail_at(err, SLM_E_FORMAT, x->json.text, "%s: weight_map stands twice (1 wanted)", x->path);
        found = true;
        status = slm_json_next(&x->json, err);
        if (!status && x->json.kind != SLM_JSON_OBJECT)
            return slm_fail_at(err, SLM_E_FORMAT, x->json.pos, "%s: weight_map is no object but JSON of kind %d", x->path, x->json.kind);
        while (!status && (status = slm_json_next(&x->json, err)) == SLM_OK && x->json.kind != SLM_JSON_OBJECT_END)
            status = read_mapping(x, err);
    }
    if (!status && !found)
        status = slm_fail(err, SLM_E_FORMAT, "%s: has no weight_map (1 wanted, 0 found)", x->path);
    return status ? status : slm_json_next(&x->json, err);
}

/* The tensors of all shards in one table. A name that two shards have is refused by slm_file_index; one that the index does not have is
 * counted here, so that nothing is left out in silence. */
static slm_status merge(index_reader *x, slm_error *err)
{
    slm_file *file = x->file;
    size_t count = 0;
    for (size_t i = 0; i < x->n_shards; i++)
        count += x->shards[i]->n_tensors;
    if (count != x->n_entries)
        return slm_fail(err, SLM_E_FORMAT, "%s: names %zu tensors, its %zu files have %zu", x->path, x->n_entries, x->n_shards, count);
    slm_status status = slm_file_reserve(file, count, err);
    if (!status)
        status = slm_file_reserve_parts(file, x->n_shards, err);
    for (size_t i = 0; i < x->n_shards && !status; i++)
        status = slm_file_take_part(file, x->shards[i], err);
    return status ? status : slm_file_index(file, err);
}

slm_status slm_safetensors_read_sharded(slm_file *file, slm_error *err)
{
    slm_heap *heap = file->heap;
    uint8_t *bytes = NULL;
    size_t n = 0;
    index_reader x = { .file = file };
    slm_status status = slm_read_beside(&bytes, &n, &x.path, heap, file->path, INDEX, SLM_LIMIT_JSON_BYTES, err);
    if (!status && !bytes)
        status = slm_fail(err, SLM_E_NOT_FOUND, "%s: has no " INDEX " (1 wanted, 0 found)", file->path);
    if (status)
        return status;
    x.shards = slm_heap_zarray(heap, SLM_LIMIT_SHARDS, sizeof *x.shards);
    x.names = slm_heap_zarray(heap, SLM_LIMIT_SHARDS, sizeof *x.names);
    slm_buf_init(&x.text, heap, SLM_LIMIT_JSON_BYTES);
    file->longest_name = SLM_LIMIT_SAFETENSORS_NAME;
    (void)snprintf(file->format, sizeof file->format, "safetensors, sharded");
    status = x.shards && x.names ? slm_json_init(&x.json, bytes, n, x.path, err)
                                 : slm_fail(err, SLM_E_MEMORY, "%s: list of %d files", x.path, SLM_LIMIT_SHARDS);
    if (!status)
        status = read_index(&x, err);
    if (!status)
        status = merge(&x, err);
    for (size_t i = 0; x.shards && i < SLM_LIMIT_SHARDS; i++)
        slm_file_free(x.shards[i]);
    for (size_t i = 0; x.names && i < SLM_LIMIT_SHARDS; i++)
        slm_heap_free(heap, x.names[i]);
    slm_buf_free(&x.text);
    slm_heap_free(heap, bytes);
    slm_heap_free(heap, x.shards);
    slm_heap_free(heap, x.names);
    slm_heap_free(heap, x.path);
    return status;
}
