/* gguf.c -- reads GGUF v2 and v3, little-endian: magic, version, counts, keys, tensor table, all checked before a weight is touched.
 * Source: the GGUF specification (ggml-org/ggml: docs/gguf.md).
 *
 * How long the metadata is shows only by reading it. So a window from the start of the file is parsed with a cursor; if the cursor
 * runs over the window's end while the file goes on, everything is dropped and tried again with a window at least twice as large. The
 * work stays linear, memory follows what the metadata needs and not what it claims. */
#include "core/limits.h"
#include "core/size.h"
#include "core/utf8.h"
#include "format/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_WINDOW = 256 * 1024,
    LEAST_KEY = 8 + 1 + 4 + 1,              /* name length, one byte of name, type, one byte of value */
    LEAST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8    /* name length, name, number of dims, one dim, type, offset */
};

typedef struct parse {
    slm_file *file;
    slm_cursor c;
    uint64_t alignment;
} parse;

/* The window ended before the data did; means "try again" unless the window is the file. */
static slm_status cut_off(const parse *p, const char *what, uint64_t number, slm_error *err)
{
    return slm_fail_at(err, SLM_E_FORMAT, p->c.bad, "%s: %s %" PRIu64 ": the file ends inside it, at %zu bytes", p->file->path, what, number,
                       p->c.size);
}

static slm_status read_elements(parse *p, const char *name, uint32_t type, uint64_t count, slm_error *err)
{
    slm_cursor *c = &p->c;
    const size_t each = slm_key_type_bytes(type);
    if (type != SLM_KEY_STRING) {
        const size_t at = c->pos;
        const uint8_t *bytes = slm_cursor_take(c, count * each);       /* count <= 4 Mi, each <= 8 */
        for (uint64_t i = 0; bytes && type == SLM_KEY_BOOL && i < count; i++)
            if (bytes[i] > 1)
                return slm_fail_at(err, SLM_E_FORMAT, at + i, "%s: key '%s': bool is %u (allowed 0, 1)", p->file->path, name, bytes[i]);
        return SLM_OK;
    }
    for (uint64_t i = 0; i < count && c->bad == SIZE_MAX; i++) {
        const size_t at = c->pos;
        const uint64_t n = slm_cursor_u64(c);
        if (c->bad == SIZE_MAX && n > SLM_LIMIT_STRING_BYTES)
            return slm_fail_at(err, SLM_E_LIMIT, at, "%s: key '%s': string %" PRIu64 " of %" PRIu64 " bytes (allowed %d)", p->file->path,
                               name, i, n, SLM_LIMIT_STRING_BYTES);
        (void)slm_cursor_take(c, n);
    }
    return SLM_OK;
}

static slm_status read_key(parse *p, uint64_t index, slm_error *err)
{
    slm_cursor *c = &p->c;
    slm_file *file = p->file;
    char shown[SLM_SHOWN];
    const size_t at = c->pos;
    uint64_t name_len = slm_cursor_u64(c);
    if (c->bad == SIZE_MAX && (name_len < 1 || name_len > SLM_LIMIT_KEY_BYTES))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: key %" PRIu64 ": name of %" PRIu64 " bytes (allowed 1 .. %d)", file->path, index,
                           name_len, SLM_LIMIT_KEY_BYTES);
    const uint8_t *name = slm_cursor_take(c, name_len);
    uint32_t type = slm_cursor_u32(c);
    if (c->bad != SIZE_MAX)
        return cut_off(p, "key", index, err);
    for (uint64_t i = 0; i < name_len; i++)
        if (name[i] < ' ' || name[i] > '~')
            return slm_fail_at(err, SLM_E_FORMAT, at + 8 + i, "%s: key %" PRIu64 ": byte 0x%02x in its name (allowed 0x20 .. 0x7e)",
                               file->path, index, name[i]);
    slm_shown(shown, name, (size_t)name_len);
    const bool array = type == SLM_KEY_ARRAY;
    uint64_t count = 1;
    if (array) {
        type = slm_cursor_u32(c);
        count = slm_cursor_u64(c);
        if (c->bad != SIZE_MAX)
            return cut_off(p, "key", index, err);
        if (count > SLM_LIMIT_ARRAY_COUNT)
            return slm_fail_at(err, SLM_E_LIMIT, c->pos - 8, "%s: key '%s': array of %" PRIu64 " elements (allowed %d)", file->path, shown,
                               count, SLM_LIMIT_ARRAY_COUNT);
    }
    if (type >= SLM_KEY_TYPES || type == SLM_KEY_ARRAY)
        return slm_fail_at(err, SLM_E_FORMAT, c->pos - (array ? 12 : 4), "%s: key '%s': value type %u%s (allowed 0 .. 12, no arrays of arrays)",
                           file->path, shown, type, array ? " in an array" : "");
    size_t start = c->pos;
    slm_status status = read_elements(p, shown, type, count, err);
    if (status)
        return status;
    if (c->bad != SIZE_MAX)
        return cut_off(p, "key", index, err);
    if (!array && type == SLM_KEY_STRING) {
        start += 8;
        const size_t n = c->pos - start, good = slm_utf8_valid(c->base + start, n);
        if (good != n)
            return slm_fail_at(err, SLM_E_FORMAT, start + good, "%s: key '%s': byte %zu of its text is not UTF-8", file->path, shown, good);
    }
    return slm_keys_append(&file->keys, (const char *)name, (size_t)name_len, type, array, count, c->base + start, c->pos - start, err);
}

slm_status slm_gguf_read_key(slm_file *file, slm_cursor *c, uint64_t index, slm_error *err)
{
    parse p = { file, *c, 0 };
    const slm_status status = read_key(&p, index, err);
    *c = p.c;
    return status;
}

static slm_status read_alignment(parse *p, slm_error *err)
{
    const slm_key *key = slm_keys_find(&p->file->keys, "general.alignment");
    p->alignment = 32;
    if (!key)
        return SLM_OK;
    if (key->array || key->type != SLM_KEY_U32)
        return slm_fail(err, SLM_E_FORMAT, "%s: key 'general.alignment': is %s%s, wanted u32", p->file->path, key->array ? "array of " : "",
                        slm_key_type_name(key->type));
    p->alignment = (uint64_t)slm_key_int_at(key, 0);
    if (p->alignment < SLM_LIMIT_ALIGNMENT_LEAST || p->alignment > SLM_LIMIT_ALIGNMENT_MOST || (p->alignment & (p->alignment - 1)))
        return slm_fail(err, SLM_E_FORMAT, "%s: key 'general.alignment': is %" PRIu64 " (allowed powers of two from %d to %d)",
                        p->file->path, p->alignment, SLM_LIMIT_ALIGNMENT_LEAST, SLM_LIMIT_ALIGNMENT_MOST);
    return SLM_OK;
}

static slm_status read_tensor(parse *p, size_t index, slm_error *err)
{
    slm_cursor *c = &p->c;
    const size_t at = c->pos;
    uint64_t dims[SLM_LIMIT_DIMS] = { 0 };
    const uint64_t name_len = slm_cursor_u64(c);
    if (c->bad == SIZE_MAX && name_len > SLM_LIMIT_TENSOR_NAME)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor %zu: name of %" PRIu64 " bytes (allowed 1 .. %d)", p->file->path, index,
                           name_len, SLM_LIMIT_TENSOR_NAME);
    const uint8_t *name = slm_cursor_take(c, name_len);
    const uint32_t n_dims = slm_cursor_u32(c);
    if (c->bad == SIZE_MAX && (n_dims < 1 || n_dims > SLM_LIMIT_DIMS))
        return slm_fail_at(err, SLM_E_FORMAT, c->pos - 4, "%s: tensor %zu: %u dimensions (allowed 1 .. %d)", p->file->path, index, n_dims,
                           SLM_LIMIT_DIMS);
    for (uint32_t i = 0; i < n_dims && c->bad == SIZE_MAX; i++)
        dims[i] = slm_cursor_u64(c);
    const uint32_t type = slm_cursor_u32(c);
    const uint64_t offset = slm_cursor_u64(c);
    if (c->bad != SIZE_MAX)
        return cut_off(p, "tensor", index, err);
    slm_status status = slm_file_set_tensor(p->file, index, name, (size_t)name_len, type, n_dims, dims, at, err);
    p->file->tensors[index].offset = offset;
    return status;
}

/* Offsets in the table count from the data part; here they become offsets in the file, inside it. */
static slm_status place_tensors(parse *p, slm_error *err)
{
    slm_file *file = p->file;
    uint64_t data;
    if (!slm_u64_align(p->c.pos, p->alignment, &data))
        return slm_fail(err, SLM_E_FORMAT, "%s: metadata of %zu bytes has no aligned end", file->path, p->c.pos);
    for (size_t i = 0; i < file->n_tensors; i++) {
        slm_tensor *t = &file->tensors[i];
        uint64_t start, end;
        if (t->offset % p->alignment)
            return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': offset %" PRIu64 " is no multiple of the alignment %" PRIu64, file->path,
                            t->shown, t->offset, p->alignment);
        if (!slm_u64_add(data, t->offset, &start) || !slm_u64_add(start, t->bytes, &end) || end > file->source.size)
            return slm_fail(err, SLM_E_FORMAT, "%s: tensor '%s': needs %" PRIu64 " bytes at offset %" PRIu64 " of the data part at %" PRIu64
                            ", the file ends at %" PRIu64, file->path, t->shown, t->bytes, t->offset, data, file->source.size);
        t->offset = start;
    }
    return SLM_OK;
}

static slm_status check_head(const slm_file *file, slm_error *err)
{
    uint8_t head[8] = { 0 };
    char shown[SLM_SHOWN];
    const size_t n = (size_t)(file->source.size < 8 ? file->source.size : 8);
    slm_status status = slm_source_read(&file->source, 0, head, n, err);
    if (status)
        return status;
    if (n < 4 || memcmp(head, "GGUF", 4) != 0)
        return slm_fail_at(err, SLM_E_FORMAT, 0, "%s: is neither GGUF nor llama2.c: begins with '%s'", file->path,
                           slm_shown(shown, head, n < 4 ? n : 4));
    const uint32_t version = (uint32_t)slm_le(head + 4, 4);
    if (n < 8)
        return slm_fail_at(err, SLM_E_FORMAT, 4, "%s: version: the file ends inside it, at %zu bytes", file->path, n);
    if ((version & 0xffff) == 0 && version)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, 4, "%s: version: 0x%08x is a big-endian GGUF, this library reads little-endian files",
                           file->path, version);
    if (version != 2 && version != 3)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, 4, "%s: version: GGUF v%u (this library reads 2 and 3)", file->path, version);
    return SLM_OK;
}

static slm_status parse_window(parse *p, slm_error *err)
{
    slm_cursor *c = &p->c;
    slm_file *file = p->file;
    slm_status status = SLM_OK;
    (void)slm_cursor_u32(c);
    const uint32_t version = slm_cursor_u32(c);
    const uint64_t tensors = slm_cursor_u64(c), keys = slm_cursor_u64(c);
    if (c->bad != SIZE_MAX)
        return cut_off(p, "counts of the head, version", version, err);
    (void)snprintf(file->format, sizeof file->format, "GGUF v%u", version);
    const uint64_t rest = file->source.size - c->pos;
    if (keys > SLM_LIMIT_GGUF_KEYS || keys > rest / LEAST_KEY)
        return slm_fail_at(err, keys > SLM_LIMIT_GGUF_KEYS ? SLM_E_LIMIT : SLM_E_FORMAT, 16, "%s: head: %" PRIu64
                           " keys (allowed %d, room in the file for %" PRIu64 ")", file->path, keys, SLM_LIMIT_GGUF_KEYS, rest / LEAST_KEY);
    if (tensors > SLM_LIMIT_GGUF_TENSORS || tensors > rest / LEAST_TENSOR)
        return slm_fail_at(err, tensors > SLM_LIMIT_GGUF_TENSORS ? SLM_E_LIMIT : SLM_E_FORMAT, 8, "%s: head: %" PRIu64
                           " tensors (allowed %d, room in the file for %" PRIu64 ")", file->path, tensors, SLM_LIMIT_GGUF_TENSORS,
                           rest / LEAST_TENSOR);
    status = slm_keys_reserve(&file->keys, (size_t)keys, err);
    for (uint64_t i = 0; !status && i < keys; i++)
        status = read_key(p, i, err);
    if (!status)
        status = read_alignment(p, err);
    if (!status)
        status = slm_file_reserve(file, (size_t)tensors, err);
    for (size_t i = 0; !status && i < tensors; i++)
        status = read_tensor(p, i, err);
    if (!status)
        status = place_tensors(p, err);
    return status ? status : slm_file_index(file, err);
}

slm_status slm_gguf_read(slm_file *file, slm_error *err)
{
    slm_status status = check_head(file, err);
    for (uint64_t size = FIRST_WINDOW; !status;) {
        size = size < file->source.size ? size : file->source.size;
        size_t window;
        uint8_t *bytes = slm_size_from_u64(size, &window) ? slm_heap_alloc(file->heap, window) : NULL;
        if (!bytes)
            return slm_fail(err, SLM_E_MEMORY, "%s: metadata of %" PRIu64 " bytes", file->path, size);
        parse p = { file, slm_cursor_over(bytes, window), 32 };
        slm_error first = { 0 };
        status = slm_source_read(&file->source, 0, bytes, window, err);
        if (!status)
            status = parse_window(&p, &first);
        const bool short_window = status == SLM_E_FORMAT && p.c.bad != SIZE_MAX && size < file->source.size;
        slm_heap_free(file->heap, bytes);
        if (!short_window) {
            if (status && err && first.status)
                *err = first;
            return status;
        }
        slm_file_forget(file);
        status = SLM_OK;
        size *= 4;
    }
    return status;
}
