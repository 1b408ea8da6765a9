/* type.h -- weight types: one row of types.def each, and the one formula for their size. */
#ifndef SLM_QUANT_TYPE_H
#define SLM_QUANT_TYPE_H

#include "kernels/kernels.h"

#include <stdbool.h>

typedef struct slm_type {
    const char *name;       /* as in GGUF: "Q4_0" */
    const char *option;     /* as on the command line: "q4_0" */
    uint32_t    id;         /* GGUF's number */
    uint32_t    block;      /* values of a block on disk */
    uint32_t    bytes;      /* of a block on disk */
    uint32_t    step;       /* bytes of a panel step of 16 rows x 64 k */
    uint32_t    head;       /* bytes of a row before its values, and 16 times as many before a panel's steps. Not 0: a type of packed
                             * files only, whose functions below take one row at a time (n = cols, a block is the row) */
    bool        float_x;    /* the product takes f32 activations (with a head: slm_xrow, made of these); else slm_xblock */
    size_t      mul;        /* offset of the product in slm_kernels */

    /* n values (a multiple of block) from their disk form, exactly (C13). */
    void (*dequantize)(float *out, const void *src, size_t n);
    /* n finite values to the disk form. Deterministic: no thread, no SIMD difference. */
    void (*quantize)(void *dst, const float *src, size_t n);
    /* The same with the importance > 0 of each value's error, [n]. NULL: the type has nothing to choose. */
    void (*weigh)(void *dst, const float *src, const float *importance, size_t n);
    /* Packs up to 16 rows of `cols` values each, `stride` bytes apart on disk, into one panel of ceil(cols/64) steps; rows and k
     * that are not there become zero blocks. Returns false with the place of the first non-finite scale or value. */
    bool (*pack)(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block);
    /* One row (lane 0..15) of a panel back to `cols` floats, the same bits as dequantize gives for its disk form. */
    void (*unpack)(float *out, const void *panel, size_t lane, size_t cols);
    /* Index of the first block with a non-finite scale or value, or SIZE_MAX. n values. */
    size_t (*nonfinite)(const void *src, size_t n);
} slm_type;

enum { SLM_ID_W8A8 = 0x38413857 };      /* GGUF has no number for it: "W8A8" */

/* NULL if there is no such row. */
const slm_type *slm_type_by_id(uint32_t id);
const slm_type *slm_type_by_option(const char *option);
const slm_type *slm_type_at(size_t index);     /* NULL after the last */

/* Bytes on disk of rows x cols values: cols is divided by the block first. False if cols is no multiple or it overflows. */
bool slm_type_bytes(const slm_type *type, uint64_t rows, uint64_t cols, uint64_t *bytes);

/* GGUF's name of any type number, known to the table or not ("Q6_K"), or "?"; and its block and bytes, for bounds checks of tensors
 * this version cannot read. False for a number GGUF does not have. */
bool slm_type_shape(uint32_t id, const char **name, uint32_t *block, uint32_t *bytes);

#endif
