/* packed.h -- our own model file: panels as they are in memory, to be mapped and used where they lie. Layout in packed.c. */
#ifndef SLM_FORMAT_PACKED_H
#define SLM_FORMAT_PACKED_H

#include "core/xxh64.h"
#include "format/file.h"

/* By its magic. */
slm_status slm_packed_is(bool *is, const slm_source *source, slm_error *err);

/* Fills a file whose source is set: keys, tensors (type, place and size recomputed), format. Reads no weight. */
slm_status slm_packed_read(struct slm_file *file, slm_error *err);

/* Reads everything and compares the hashes. SLM_E_FORMAT names the section that is not what was written. */
slm_status slm_packed_check(const struct slm_file *file, slm_error *err);

/* All n values of tensor t. */
slm_status slm_packed_values(const struct slm_file *file, const slm_tensor *t, float *values, slm_error *err);

/* ---- writing ---- */

typedef struct slm_packed_tensor {
    const char *name;
    const slm_type *type;       /* F32 for one dimension */
    uint32_t n_dims;
    uint64_t dims[4];
    uint64_t offset, bytes;     /* set by slm_packed_front; bytes are a multiple of 64 */
    uint64_t hash;              /* XXH64 of all of them: 0 at first, set while they are written */
} slm_packed_tensor;

/* Bytes of the section of a tensor: panels, or floats for one dimension, padded with zeros. False: no such size. */
bool slm_packed_bytes(const slm_type *type, uint32_t n_dims, uint64_t rows, uint64_t cols, uint64_t *bytes);

/* Places the tensors and puts all that stands before them (head, keys, table) into the empty buffer, padded. Called before they are
 * written, for the places, and again after, for the hashes: it is as long both times. *file_bytes: of the whole. */
slm_status slm_packed_front(slm_packed_tensor *tensors, size_t n, const slm_keys *keys, slm_buf *front, uint64_t *file_bytes,
                            slm_error *err);

#endif
