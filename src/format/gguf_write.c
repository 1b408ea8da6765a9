/* gguf_write.c -- the head of a GGUF v3 file: magic, counts, keys, the table of tensors, padding. The weights follow it, each tensor
 * padded to the alignment, in the order of the table; who writes them streams them and never needs the whole file in memory.
 *
 *   "GGUF" u32 3 u64 tensors u64 keys
 *   key:    string name, u32 type, value                    string: u64 length, bytes
 *           an array: u32 9, u32 element type, u64 count, elements
 *   tensor: string name, u32 dims, u64 dim[dims], u32 type, u64 offset from the start of the data
 *   zeros up to a multiple of 32, the start of the data
 */
#include "format/file.h"

#include "core/limits.h"
#include "core/size.h"

#include <inttypes.h>
#include <string.h>

enum { ALIGNMENT = 32 };

/* What a reader would refuse is not written. */
static slm_status check_counts(const slm_keys *keys, size_t n, slm_error *err)
{
    if (n > SLM_LIMIT_GGUF_TENSORS)
        return slm_fail(err, SLM_E_LIMIT, "%s: %zu tensors to write (allowed %d)", keys->file, n, SLM_LIMIT_GGUF_TENSORS);
    if (keys->n > SLM_LIMIT_GGUF_KEYS)
        return slm_fail(err, SLM_E_LIMIT, "%s: %zu keys to write (allowed %d)", keys->file, keys->n, SLM_LIMIT_GGUF_KEYS);
    return SLM_OK;
}

/* The value that stands in this file: the alignment of a copied list is that of the file it came from. */
void slm_gguf_put_key(slm_buf *head, const slm_key *key)
{
    const size_t name = strlen(key->name);
    slm_buf_str(head, key->name, name);
    if (!strcmp(key->name, "general.alignment")) {
        slm_buf_u32(head, SLM_KEY_U32);
        slm_buf_u32(head, ALIGNMENT);
        return;
    }
    if (key->array) {
        slm_buf_u32(head, SLM_KEY_ARRAY);
        slm_buf_u32(head, key->type);
        slm_buf_u64(head, key->count);
    } else {
        slm_buf_u32(head, key->type);
        if (key->type == SLM_KEY_STRING)
            slm_buf_u64(head, key->bytes);
    }
    slm_buf_add(head, key->value, key->bytes);
}

/* Offset and size of one tensor; *end moves behind its padding. */
static slm_status place(slm_gguf_tensor *t, const char *file, uint64_t *end, slm_error *err)
{
    char shown[SLM_SHOWN];
    const size_t name = strlen(t->name);
    uint64_t rows = 1;
    if (name < 1 || name > SLM_LIMIT_TENSOR_NAME)
        return slm_fail(err, SLM_E_LIMIT, "%s: tensor '%s': its name has %zu bytes (allowed 1 .. %d)", file,
                        slm_shown(shown, t->name, name), name, SLM_LIMIT_TENSOR_NAME);
    if (t->n_dims < 1 || t->n_dims > SLM_LIMIT_DIMS)
        return slm_fail(err, SLM_E_ARG, "%s: tensor '%s': %u dimensions (allowed 1 .. %d)", file, slm_shown(shown, t->name, name),
                        t->n_dims, SLM_LIMIT_DIMS);
    for (uint32_t d = 0; d < t->n_dims; d++)
        if (t->dims[d] < 1 || t->dims[d] > SLM_LIMIT_DIM)
            return slm_fail(err, SLM_E_ARG, "%s: tensor '%s': dimension %u is %" PRIu64 " (allowed 1 .. %d)", file,
                            slm_shown(shown, t->name, name), d, t->dims[d], SLM_LIMIT_DIM);
    bool fits = true;
    for (uint32_t d = 1; d < t->n_dims; d++)
        fits = fits && slm_u64_mul(rows, t->dims[d], &rows);
    if (!fits || !slm_type_bytes(t->type, rows, t->dims[0], &t->bytes))
        return slm_fail(err, SLM_E_ARG, "%s: tensor '%s': %" PRIu64 " x %" PRIu64 " values cannot be stored as %s (blocks of %u)", file,
                        slm_shown(shown, t->name, name), rows, t->dims[0], t->type->name, t->type->block);
    t->offset = *end;
    if (!slm_u64_add(*end, t->bytes, end) || !slm_u64_align(*end, ALIGNMENT, end))
        return slm_fail(err, SLM_E_LIMIT, "%s: tensor '%s': %" PRIu64 " bytes after %" PRIu64 " pass 64 bits", file,
                        slm_shown(shown, t->name, name), t->bytes, t->offset);
    return SLM_OK;
}

slm_status slm_gguf_layout(slm_gguf_tensor *tensors, size_t n, const slm_keys *keys, slm_buf *head, uint64_t *data_bytes, slm_error *err)
{
    uint64_t end = 0;
    slm_status status = check_counts(keys, n, err);
    for (size_t i = 0; i < n && !status; i++)
        status = place(&tensors[i], keys->file, &end, err);
    if (status)
        return status;

    const size_t start = head->size;
    slm_buf_add(head, "GGUF", 4);
    slm_buf_u32(head, 3);
    slm_buf_u64(head, n);
    slm_buf_u64(head, keys->n);
    for (size_t i = 0; i < keys->n; i++)
        slm_gguf_put_key(head, &keys->list[i]);
    for (size_t i = 0; i < n; i++) {
        slm_buf_str(head, tensors[i].name, strlen(tensors[i].name));
        slm_buf_u32(head, tensors[i].n_dims);
        for (uint32_t d = 0; d < tensors[i].n_dims; d++)
            slm_buf_u64(head, tensors[i].dims[d]);
        slm_buf_u32(head, tensors[i].type->id);
        slm_buf_u64(head, tensors[i].offset);
    }
    while (!head->failed && (head->size - start) % ALIGNMENT)
        slm_buf_u8(head, 0);
    status = slm_buf_status(head, "the head of a GGUF file", err);
    if (!status)
        *data_bytes = end;
    return status;
}
