/* kernels.h -- the kernels' types, declarations and table. Kernels use nothing but the headers of this folder. */
#ifndef SLM_KERNELS_KERNELS_H
#define SLM_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* A block of 32 activations (arithmetic contract C4): x is about d * q. nsum are minus the integer sums of the halves of q, so that
 * an unsigned weight's offset is taken out by starting the integer sum at offset * nsum (C12). */
typedef struct slm_xblock {
    float   d;
    int16_t nsum[2];
    int8_t  q[32];
} slm_xblock;
_Static_assert(sizeof(slm_xblock) == 40, "products read blocks of 40 bytes");

/* A token's activations for types with one scale a row (C6), with the same meaning of nsum; q is zero up to a multiple of 64. */
typedef struct slm_xrow {
    float   d;
    int32_t nsum;
    int8_t  q[];
} slm_xrow;
_Static_assert(sizeof(slm_xrow) == 8, "products read rows whose values begin at byte 8");

enum {
    SLM_PANEL_ROWS = 16,        /* rows of a panel: one lane each */
    SLM_STEP_COLS = 64,         /* k of a step: two blocks */
    SLM_STEP_F32 = 16 * 64 * 4, /* bytes of a step: [64 k][16 rows] */
    SLM_STEP_F16 = 16 * 64 * 2,
    SLM_STEP_Q8_0 = 64 + 1024,  /* f16 scale [2][16]; u8 q+128 [2 blocks][8 groups][16 rows][4 k] */
    SLM_STEP_Q4_0 = 64 + 512,   /* f16 scale [2][16]; [2 blocks][4][16 rows][4 k]: low nibble of group g, high of g+4, q+8 */
    /* The types below: a head, the 512 bytes of Q4_0's integers, then planes of high bits. Byte j of row r of a plane belongs to
     * k 4g + j: one plane [2][16 rows][4], bit g being bit 4 of group g; or two bits, [2][2][16 rows][4], bits 2(g%4) up of the part
     * of groups g/4. Heads: f16 scale [2][16] and, with a minimum, f16 minimum [2][16]; of 256-wide types, whose scale is repeated in
     * each of the four steps, f16 d [16], f16 -dmin [16], u8 scale [2][16], u8 minimum [2][16]; Q6_K d [16], 32 zero bytes, s8 scale
     * [2 blocks][2 halves][16]. */
    SLM_STEP_Q4_1 = 128 + 512,
    SLM_STEP_Q5_0 = 64 + 512 + 128,         /* q+16 */
    SLM_STEP_Q5_1 = 128 + 512 + 128,
    SLM_STEP_Q4_K = 128 + 512,
    SLM_STEP_Q5_K = 128 + 512 + 128,
    SLM_STEP_Q6_K = 128 + 512 + 256,        /* q+32 */
    /* Two low bits instead of nibbles: [2 blocks][2 halves][16 rows][4], bits 2(g%4) up of the part of groups g/4. Q2_K: f16 d [16],
     * f16 -dmin [16], [2 blocks][2 halves][16] scales in the low nibble, minima in the high one. Q3_K: the head of Q6_K, and a plane. */
    SLM_STEP_Q2_K = 128 + 256,
    SLM_STEP_Q3_K = 128 + 256 + 128,        /* q+4 */
    SLM_STEP_IQ4_NL = 64 + 512,             /* nibbles that a table maps */
    SLM_STEP_IQ4_XS = 64 + 512,             /* f16 d [16], s8 scale [2 blocks][16] */
    SLM_STEP_W8A8 = 1024,       /* u8 q+128 [16 groups][16 rows][4 k]; a panel begins with f32 scale [16] */
    SLM_LAYOUT = 1,             /* of panels: other bytes for the same weights are another number, for packed files hold them */
    SLM_PAGE = 64               /* positions of a page of the cache */
};

enum { SLM_ISA_scalar = 1, SLM_ISA_avx2 = 2, SLM_ISA_avx512 = 4, SLM_ISA_avxvnni = 8 };   /* as in slm.h, in the spelling of kernels.def */

#define SLM_OP(op, ret, params) typedef ret slm_##op##_fn params;
#define SLM_IMPL(op, isa)       slm_##op##_fn slm_##op##_##isa;
#include "kernels/kernels.def"

typedef slm_mul_f32_fn slm_mul_fn;      /* all products have one type */

typedef struct slm_kernels {
#define SLM_OP(op, ret, params) slm_##op##_fn *op;
#define SLM_IMPL(op, isa)
#include "kernels/kernels.def"
} slm_kernels;

/* Fills the table with the best implementation of each operation among `isas`, a mask of what CPU and system offer. */
void slm_kernels_select(slm_kernels *kernels, unsigned isas);

#endif
