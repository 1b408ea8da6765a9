/* packed.c -- packed model files. Little-endian, no gaps, every byte under a hash:
 *
 *     0    "slmpack" and a NUL; u32 version 1; u32 bytes of this head, 256; u64 bytes of the file
 *     24   the id: SHA-256 of bytes 88 .. 151, which say all that follows, as 64 hex digits
 *     88   u32 layout of panels (kernels.h), tensors, keys, 0
 *     104  two sections, each u64 offset, u64 bytes, u64 XXH64: keys, table
 *     152  zeros
 *     248  u64 XXH64 of the 248 bytes before
 *     256  keys: each as in GGUF (name, type, value); zeros up to a multiple of 64
 *          table: for each tensor: string name, u32 type, u32 dims, u64 dim[dims] fastest first, u64 offset, u64 bytes, u64 XXH64;
 *          zeros up to a multiple of 64
 *          the tensors in the order of the table: panels of 16 rows, or f32 for one dimension; zeros up to a multiple of 64
 *
 * What a model multiplies with is a tensor of its own: fused ones are cut before they are written (model/pack.c). A reader believes no
 * place and no size: it recomputes them from types and shapes, each section begins where the one before ends, and the last ends with the
 * file. The head's hash is always looked at; the others cost a read of the file and are compared when that is asked for. They find
 * damage and no enemy, who can make them right: every bit pattern of a weight is safe to compute with. */
#include "format/packed.h"

#include "core/limits.h"
#include "core/size.h"
#include "kernels/kernels.h"
#include "quant/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "panels are written as they lie in memory");

enum {
    HEAD = 256, HASHED = 248, VERSION = 1, ID_AT = 24, ID = 64, SAYS = 88, SAYS_END = 152,
    LEAST_KEY = 8 + 1 + 4 + 1,                      /* as in gguf.c */
    LEAST_TENSOR = 8 + 1 + 4 + 4 + 8 + 8 + 8 + 8,   /* name length, name, type, number of dims, one dim, offset, bytes, hash */
    CHUNK = 256 * 1024
};
static const char magic[8] = "slmpack";

typedef struct section {
    uint64_t offset, bytes, hash;
} section;

typedef struct head {
    uint64_t file_bytes;
    uint32_t layout, tensors, keys;
    section key_section, table;
} head;

bool slm_packed_bytes(const slm_type *type, uint32_t n_dims, uint64_t rows, uint64_t cols, uint64_t *bytes)
{
    size_t r, c, panels;
    if (n_dims == 1)
        return slm_u64_mul(cols, sizeof(float), bytes) && slm_u64_align(*bytes, 64, bytes);
    if (!slm_size_from_u64(rows, &r) || !slm_size_from_u64(cols, &c) || !slm_matrix_bytes(type, r, c, &panels))
        return false;
    *bytes = panels;
    return true;
}

/* ---- writing ---- */

static void put_number(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static void put_section(uint8_t *at, const section *s)
{
    put_number(at, s->offset, 8);
    put_number(at + 8, s->bytes, 8);
    put_number(at + 16, s->hash, 8);
}

static void encode_head(uint8_t out[HEAD], const head *h)
{
    char id[ID + 1];
    memset(out, 0, HEAD);
    memcpy(out, magic, sizeof magic);
    put_number(out + 8, VERSION, 4);
    put_number(out + 12, HEAD, 4);
    put_number(out + 16, h->file_bytes, 8);
    put_number(out + 88, h->layout, 4);
    put_number(out + 92, h->tensors, 4);
    put_number(out + 96, h->keys, 4);
    put_section(out + 104, &h->key_section);
    put_section(out + 128, &h->table);
    slm_sha256(id, out + SAYS, SAYS_END - SAYS);
    memcpy(out + ID_AT, id, ID);
    put_number(out + HASHED, slm_xxh64_of(out, HASHED), 8);
}

static void pad(slm_buf *buf)
{
    while (!buf->failed && buf->size % 64)
        slm_buf_u8(buf, 0);
}

/* The section of what was appended since `from`. */
static section end_section(slm_buf *buf, size_t from)
{
    pad(buf);
    if (buf->failed)
        return (section){ 0, 0, 0 };
    return (section){ from, buf->size - from, slm_xxh64_of(buf->data + from, buf->size - from) };
}

static void put_table(slm_buf *front, const slm_packed_tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const slm_packed_tensor *t = &tensors[i];
        slm_buf_str(front, t->name, strlen(t->name));
        slm_buf_u32(front, t->type->id);
        slm_buf_u32(front, t->n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++)
            slm_buf_u64(front, t->dims[d]);
        slm_buf_u64(front, t->offset);
        slm_buf_u64(front, t->bytes);
        slm_buf_u64(front, t->hash);
    }
}

static slm_status place(slm_packed_tensor *tensors, size_t n, const slm_keys *keys, uint64_t *end, slm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        slm_packed_tensor *t = &tensors[i];
        char shown[SLM_SHOWN];
        uint64_t rows = 1;
        bool fits = true;
        for (uint32_t d = 1; d < t->n_dims; d++)
            fits = fits && slm_u64_mul(rows, t->dims[d], &rows);
        t->offset = *end;
        if (!fits || !slm_packed_bytes(t->type, t->n_dims, rows, t->dims[0], &t->bytes) || !slm_u64_add(*end, t->bytes, end))
            return slm_fail(err, SLM_E_LIMIT, "%s: tensor '%s': %" PRIu64 " values a row as %s have no size", keys->file,
                            slm_shown(shown, t->name, strlen(t->name)), t->dims[0], t->type->name);
    }
    return SLM_OK;
}

slm_status slm_packed_front(slm_packed_tensor *tensors, size_t n, const slm_keys *keys, slm_buf *front, uint64_t *file_bytes,
                            slm_error *err)
{
    head h = { 0, SLM_LAYOUT, (uint32_t)n, (uint32_t)keys->n, { 0, 0, 0 }, { 0, 0, 0 } };
    uint64_t end;
    if (n > SLM_LIMIT_GGUF_TENSORS || keys->n > SLM_LIMIT_GGUF_KEYS)
        return slm_fail(err, SLM_E_LIMIT, "%s: %zu tensors and %zu keys to write (allowed %d each)", keys->file, n, keys->n,
                        SLM_LIMIT_GGUF_KEYS);
    if (slm_buf_grow(front, HEAD))
        memset(front->data, 0, HEAD);
    for (size_t i = 0; i < keys->n; i++)
        slm_gguf_put_key(front, &keys->list[i]);
    h.key_section = end_section(front, HEAD);
    const size_t table = front->size;
    put_table(front, tensors, n);
    pad(front);
    slm_status status = slm_buf_status(front, "the front of a packed file", err);
    end = front->size;
    if (!status)
        status = place(tensors, n, keys, &end, err);
    if (status)
        return status;
    front->size = table;                /* again, with the places, which do not change its length */
    put_table(front, tensors, n);
    h.table = end_section(front, table);
    h.file_bytes = end;
    encode_head(front->data, &h);
    *file_bytes = end;
    return SLM_OK;
}

/* ---- reading ---- */

slm_status slm_packed_is(bool *is, const slm_source *source, slm_error *err)
{
    uint8_t bytes[sizeof magic] = { 0 };
    const slm_status status = slm_source_head(source, bytes, sizeof bytes, is, err);
    *is = *is && memcmp(bytes, magic, sizeof magic) == 0;
    return status;
}

static section get_section(slm_cursor *c)
{
    section s;
    s.offset = slm_cursor_u64(c);
    s.bytes = slm_cursor_u64(c);
    s.hash = slm_cursor_u64(c);
    return s;
}

/* The head's numbers, checked against each other and the size of the file. */
static slm_status read_head(head *h, const slm_file *file, slm_error *err)
{
    const slm_source *src = &file->source;
    uint8_t bytes[HEAD];
    char id[ID + 1], shown[SLM_SHOWN];
    if (src->size < HEAD)
        return slm_fail(err, SLM_E_FORMAT, "%s: %" PRIu64 " bytes are no packed file (its head has %d)", src->name, src->size, HEAD);
    const slm_status status = slm_source_read(src, 0, bytes, HEAD, err);
    if (status)
        return status;
    slm_cursor c = slm_cursor_over(bytes, HEAD);
    c.pos = sizeof magic;
    const uint32_t version = slm_cursor_u32(&c), head_bytes = slm_cursor_u32(&c);
    if (version != VERSION)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, 8, "%s: packed file of version %u (this library reads %d)", src->name, version, VERSION);
    if (slm_le(bytes + HASHED, 8) != slm_xxh64_of(bytes, HASHED))
        return slm_fail_at(err, SLM_E_FORMAT, HASHED, "%s: head: is damaged: its hash is %016" PRIx64 ", it says %016" PRIx64, src->name,
                           slm_xxh64_of(bytes, HASHED), slm_le(bytes + HASHED, 8));
    if (head_bytes != HEAD)
        return slm_fail_at(err, SLM_E_FORMAT, 12, "%s: head: has %u bytes (allowed %d)", src->name, head_bytes, HEAD);
    h->file_bytes = slm_cursor_u64(&c);
    if (h->file_bytes != src->size)
        return slm_fail_at(err, SLM_E_FORMAT, 16, "%s: has %" PRIu64 " bytes, its head says %" PRIu64, src->name, src->size, h->file_bytes);
    slm_sha256(id, bytes + SAYS, SAYS_END - SAYS);
    if (memcmp(id, bytes + ID_AT, ID) != 0)
        return slm_fail_at(err, SLM_E_FORMAT, ID_AT, "%s: head: its id is %s, it says %s", src->name, id, slm_shown(shown, bytes + ID_AT, ID));
    c.pos = SAYS;
    h->layout = slm_cursor_u32(&c);
    h->tensors = slm_cursor_u32(&c);
    h->keys = slm_cursor_u32(&c);
    const uint32_t zero = slm_cursor_u32(&c);
    h->key_section = get_section(&c);
    h->table = get_section(&c);
    if (h->layout != SLM_LAYOUT)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, SAYS, "%s: panels of layout %u (this library computes with %d): pack the model again",
                           src->name, h->layout, SLM_LAYOUT);
    for (size_t i = SAYS_END; i < HASHED; i++)
        if (bytes[i] || zero)
            return slm_fail_at(err, SLM_E_FORMAT, zero ? 100 : i, "%s: head: %u where 0 is reserved", src->name, zero ? zero : bytes[i]);
    if (h->tensors > SLM_LIMIT_GGUF_TENSORS || h->keys > SLM_LIMIT_GGUF_KEYS)
        return slm_fail_at(err, SLM_E_LIMIT, 92, "%s: head: %u tensors and %u keys (allowed %d each)", src->name, h->tensors, h->keys,
                           SLM_LIMIT_GGUF_KEYS);
    return SLM_OK;
}

/* Where a section of the front may lie: from `begin` to the end of the file, with room for `count` records of at least `least` bytes. */
static slm_status check_section(const slm_source *src, const char *what, uint64_t at, const section *s, uint64_t begin, uint64_t count,
                                uint64_t least, slm_error *err)
{
    if (s->offset != begin || s->bytes % 64 || s->bytes > src->size - begin)      /* begin: HEAD, or the end of the keys */
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: %s: %" PRIu64 " bytes from %" PRIu64 " on (allowed multiples of 64 from %" PRIu64
                           " on, the file ends at %" PRIu64 ")", src->name, what, s->bytes, s->offset, begin, src->size);
    if (count > s->bytes / least)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: %s: %" PRIu64 " records in %" PRIu64 " bytes", src->name, what, count, s->bytes);
    return SLM_OK;
}

/* What is left of a section: less than 64 zeros. */
static slm_status check_padding(const slm_cursor *c, const char *what, const slm_file *file, slm_error *err)
{
    if (c->size - c->pos >= 64)
        return slm_fail_at(err, SLM_E_FORMAT, c->pos, "%s: %s: %zu bytes behind the last record", file->path, what, c->size - c->pos);
    for (size_t i = c->pos; i < c->size; i++)
        if (c->base[i])
            return slm_fail_at(err, SLM_E_FORMAT, i, "%s: %s: byte %u behind its end (allowed 0)", file->path, what, c->base[i]);
    return SLM_OK;
}

static slm_status read_keys(slm_file *file, const uint8_t *front, const head *h, slm_error *err)
{
    slm_cursor c = slm_cursor_over(front, (size_t)(h->key_section.offset + h->key_section.bytes));
    c.pos = (size_t)h->key_section.offset;
    slm_status status = slm_keys_reserve(&file->keys, h->keys, err);
    for (uint32_t i = 0; !status && i < h->keys; i++)
        status = slm_gguf_read_key(file, &c, i, err);
    return status ? status : check_padding(&c, "keys", file, err);
}

/* One record; its tensor must begin at *end, which moves behind it. */
static slm_status read_tensor(slm_file *file, slm_cursor *c, size_t index, uint64_t *end, slm_error *err)
{
    const size_t at = c->pos;
    uint64_t dims[SLM_LIMIT_DIMS] = { 0 }, name_len, bytes;
    const uint8_t *name = slm_cursor_str(c, &name_len);
    const uint32_t type = slm_cursor_u32(c), n_dims = slm_cursor_u32(c);
    if (c->bad == SIZE_MAX && (n_dims < 1 || n_dims > SLM_LIMIT_DIMS))
        return slm_fail_at(err, SLM_E_FORMAT, c->pos - 4, "%s: tensor %zu: %u dimensions (allowed 1 .. %d)", file->path, index, n_dims,
                           SLM_LIMIT_DIMS);
    for (uint32_t i = 0; i < n_dims && c->bad == SIZE_MAX; i++)
        dims[i] = slm_cursor_u64(c);
    const uint64_t said_offset = slm_cursor_u64(c), said_bytes = slm_cursor_u64(c), hash = slm_cursor_u64(c);
    if (c->bad != SIZE_MAX)
        return slm_fail_at(err, SLM_E_FORMAT, c->bad, "%s: tensor %zu: the table ends inside it, at %zu bytes", file->path, index, c->size);
    slm_status status = slm_file_set_tensor(file, index, name, (size_t)name_len, type, n_dims, dims, at, err);
    if (status)
        return status;
    slm_tensor *t = &file->tensors[index];
    if (!t->type)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, at, "%s: tensor '%s': type %u is not one this version computes with", file->path, t->shown,
                           type);
    if (n_dims == 1 && t->type != slm_type_by_id(0))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': 1 dimension of %s (allowed F32)", file->path, t->shown, t->type->name);
    if (t->type->head && dims[0] > SLM_LIMIT_W8A8_COLS)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': rows of %" PRIu64 " values as %s (allowed %d)", file->path, t->shown,
                           dims[0], t->type->name, SLM_LIMIT_W8A8_COLS);
    if (!slm_packed_bytes(t->type, n_dims, t->rows, dims[0], &bytes))
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': %" PRIu64 " rows of %" PRIu64 " values have no size", file->path,
                           t->shown, t->rows, dims[0]);
    if (said_offset != *end || said_bytes != bytes || bytes > file->source.size - *end)
        return slm_fail_at(err, SLM_E_FORMAT, at, "%s: tensor '%s': %" PRIu64 " bytes from %" PRIu64 " on, it must be %" PRIu64 " from %" PRIu64
                           ", the file ends at %" PRIu64, file->path, t->shown, said_bytes, said_offset, bytes, *end, file->source.size);
    t->offset = *end;
    t->bytes = bytes;
    t->hash = hash;
    *end += bytes;
    return SLM_OK;
}

static slm_status read_table(slm_file *file, const uint8_t *front, const head *h, slm_error *err)
{
    uint64_t end = h->table.offset + h->table.bytes;
    slm_cursor c = slm_cursor_over(front, (size_t)end);
    c.pos = (size_t)h->table.offset;
    slm_status status = slm_file_reserve(file, h->tensors, err);
    for (size_t i = 0; !status && i < h->tensors; i++)
        status = read_tensor(file, &c, i, &end, err);
    if (!status)
        status = check_padding(&c, "table", file, err);
    if (!status && end != file->source.size)
        status = slm_fail_at(err, SLM_E_FORMAT, end, "%s: the last tensor ends at %" PRIu64 ", the file at %" PRIu64, file->path, end,
                             file->source.size);
    return status;
}

slm_status slm_packed_read(slm_file *file, slm_error *err)
{
    head h;
    size_t n = 0;
    file->packed = true;
    slm_status status = read_head(&h, file, err);
    if (!status)
        status = check_section(&file->source, "keys", 104, &h.key_section, HEAD, h.keys, LEAST_KEY, err);
    if (!status)
        status = check_section(&file->source, "table", 128, &h.table, HEAD + h.key_section.bytes, h.tensors, LEAST_TENSOR, err);
    if (status)
        return status;
    uint8_t *front = slm_size_from_u64(h.table.offset + h.table.bytes, &n) ? slm_heap_alloc(file->heap, n) : NULL;
    if (!front)
        return slm_fail(err, SLM_E_MEMORY, "%s: keys and table of %" PRIu64 " bytes", file->path, h.key_section.bytes + h.table.bytes);
    (void)snprintf(file->format, sizeof file->format, "packed v%d", VERSION);
    status = slm_source_read(&file->source, 0, front, n, err);
    if (!status)
        status = read_keys(file, front, &h, err);
    if (!status)
        status = read_table(file, front, &h, err);
    slm_heap_free(file->heap, front);
    return status ? status : slm_file_index(file, err);
}

/* ---- reading weights ---- */

slm_status slm_packed_values(const slm_file *file, const slm_tensor *t, float *values, slm_error *err)
{
    slm_matrix m = { .type = t->type, .rows = (size_t)t->rows, .cols = (size_t)t->dims[0] };
    slm_heap local;                     /* as in slm_file_read */
    slm_status status = SLM_OK;
    slm_matrix_shape(&m);
    slm_heap_init(&local, &file->heap->allocator, 0);
    uint8_t *panel = slm_heap_alloc(&local, m.panel_bytes);
    if (!panel)
        return slm_fail(err, SLM_E_MEMORY, "%s: tensor '%s': a panel of %zu bytes", file->path, t->shown, m.panel_bytes);
    for (size_t r = 0; !status && r < m.rows; r++) {
        float *row = values + r * m.cols;
        if (r % SLM_PANEL_ROWS == 0)
            status = slm_source_read(&file->source, t->offset + r / SLM_PANEL_ROWS * m.panel_bytes, panel, m.panel_bytes, err);
        if (status)
            break;
        m.type->unpack(row, panel, r % SLM_PANEL_ROWS, m.cols);
        for (size_t k = 0; !file->allow_nonfinite && k < m.cols; k++)
            if (!(row[k] - row[k] == 0)) {
                status = slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': row %zu, value %zu: not a finite number", file->path, t->shown, r, k);
                break;
            }
    }
    slm_heap_free(&local, panel);
    return status;
}

static slm_status check_hash(const slm_file *file, uint8_t *chunk, const char *what, const char *name, const section *s, slm_error *err)
{
    slm_xxh64 x;
    slm_status status = SLM_OK;
    slm_xxh64_init(&x);
    for (uint64_t done = 0; !status && done < s->bytes;) {
        const size_t now = s->bytes - done < CHUNK ? (size_t)(s->bytes - done) : CHUNK;
        status = slm_source_read(&file->source, s->offset + done, chunk, now, err);
        if (!status)
            slm_xxh64_add(&x, chunk, now);
        done += now;
    }
    if (!status && slm_xxh64_end(&x) != s->hash)
        status = slm_fail_at(err, SLM_E_FORMAT, s->offset, "%s: %s%s: is damaged: the hash of its %" PRIu64 " bytes is %016" PRIx64
                             ", the file says %016" PRIx64, file->path, what, name, s->bytes, slm_xxh64_end(&x), s->hash);
    return status;
}

slm_status slm_packed_check(const slm_file *file, slm_error *err)
{
    head h;
    slm_heap local;
    slm_heap_init(&local, &file->heap->allocator, 0);
    uint8_t *chunk = slm_heap_alloc(&local, CHUNK);
    if (!chunk)
        return slm_fail(err, SLM_E_MEMORY, "%s: chunk of %d bytes", file->path, CHUNK);
    slm_status status = read_head(&h, file, err);
    if (!status)
        status = check_hash(file, chunk, "keys", "", &h.key_section, err);
    if (!status)
        status = check_hash(file, chunk, "table", "", &h.table, err);
    for (size_t i = 0; !status && i < file->n_tensors; i++) {
        const slm_tensor *t = &file->tensors[i];
        status = check_hash(file, chunk, "tensor ", t->shown, &(section){ t->offset, t->bytes, t->hash }, err);
    }
    slm_heap_free(&local, chunk);
    return status;
}
