/* mul.c -- the products y = W x, the definition of every weight type's arithmetic.
 *
 *   y       y[t * ldy + r] written for t < tokens, r < rows; overlaps nothing
 *   w       ceil(rows / 16) panels, one after another, each of `steps` steps of 16 rows x 64 k (sizes and layouts in kernels.h);
 *           aligned to 64
 *   x       float types: f32 x[t * ldx + k], readable and zero-filled up to k = 64 * steps
 *           block types: slm_xblock x[t * ldx + b], b < 2 * steps
 *   rows    any; missing rows of the last panel are zero blocks and only `rows` results are written
 *   steps   ceil(cols / 64); both sides are padded with zero
 *
 * Order   float types, C3: acc = 0, then acc = fma(w, x, acc), k ascending.
 *         block types, C5: per row and block of 32 one exact int32 isum, then acc = fma((float)isum, dw * dx, acc), blocks ascending.
 * Range   Q8_0: isum starts at -128 * xsum (C12); partial sums stay within 32 * 127 * (128 + 255) = 1,556,512: cannot overflow.
 *         Q4_0: within 32 * 127 * (8 + 15) = 93,472.
 * Source  blocks: GGUF; micro-panels: BLIS, docs/KernelsHowTo.md. */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* The value of one float weight; a function, so that the three float types share the loop. */
typedef float weight_fn(const uint8_t *step, size_t index);

static float weight_f32(const uint8_t *step, size_t index)
{
    float v;
    memcpy(&v, step + 4 * index, sizeof v);
    return v;
}

static uint16_t half(const uint8_t *bytes, size_t index)
{
    uint16_t h;
    memcpy(&h, bytes + 2 * index, sizeof h);
    return h;
}

static float weight_f16(const uint8_t *step, size_t index)
{
    return slm_f32_of_f16(half(step, index));
}

static float weight_bf16(const uint8_t *step, size_t index)
{
    return slm_f32_of_bf16(half(step, index));
}

static inline __attribute__((always_inline)) void mul_float(float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx,
                                                            size_t tokens, size_t rows, size_t steps, size_t step_bytes,
                                                            weight_fn *weight)
{
    for (size_t t = 0; t < tokens; t++) {
        for (size_t r0 = 0; r0 < rows; r0 += 16) {
            const uint8_t *panel = w + r0 / 16 * steps * step_bytes;
            float acc[16] = { 0 };
            for (size_t k = 0; k < steps * 64; k++)
                for (size_t r = 0; r < 16; r++)
                    acc[r] = fmaf(weight(panel + k / 64 * step_bytes, k % 64 * 16 + r), x[t * ldx + k], acc[r]);
            for (size_t r = 0; r < 16 && r0 + r < rows; r++)
                y[t * ldy + r0 + r] = acc[r];
        }
    }
}

void slm_mul_f32_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul_float(y, ldy, w, x, ldx, tokens, rows, steps, SLM_STEP_F32, weight_f32);
}

void slm_mul_f16_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul_float(y, ldy, w, x, ldx, tokens, rows, steps, SLM_STEP_F16, weight_f16);
}

void slm_mul_bf16_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul_float(y, ldy, w, x, ldx, tokens, rows, steps, SLM_STEP_F16, weight_bf16);
}

/* The integer sum of one block (0 or 1) of a step for row r. */
typedef int32_t block_sum_fn(const uint8_t *step, size_t block, size_t r, const slm_xblock *x);

static int32_t sum_q8_0(const uint8_t *step, size_t block, size_t r, const slm_xblock *x)
{
    const uint8_t *q = step + 64 + block * 512;
    int32_t sum = x->nsum * 128;
    for (size_t k = 0; k < 32; k++)
        sum += q[k / 4 * 64 + r * 4 + k % 4] * x->q[k];
    return sum;
}

static int32_t sum_q4_0(const uint8_t *step, size_t block, size_t r, const slm_xblock *x)
{
    const uint8_t *q = step + 64 + block * 256;
    int32_t sum = x->nsum * 8;
    for (size_t k = 0; k < 16; k++) {
        const uint8_t both = q[k / 4 * 64 + r * 4 + k % 4];
        sum += (both & 15) * x->q[k] + (both >> 4) * x->q[k + 16];
    }
    return sum;
}

static inline __attribute__((always_inline)) void mul_blocks(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx,
                                                             size_t tokens, size_t rows, size_t steps, size_t step_bytes,
                                                             block_sum_fn *block_sum)
{
    for (size_t t = 0; t < tokens; t++) {
        for (size_t r0 = 0; r0 < rows; r0 += 16) {
            const uint8_t *panel = w + r0 / 16 * steps * step_bytes;
            for (size_t r = 0; r < 16 && r0 + r < rows; r++) {
                float acc = 0;
                for (size_t b = 0; b < 2 * steps; b++) {
                    const uint8_t *step = panel + b / 2 * step_bytes;
                    const slm_xblock *xb = x + t * ldx + b;
                    const float scale = slm_f32_of_f16(half(step, b % 2 * 16 + r)) * xb->d;
                    acc = fmaf((float)block_sum(step, b % 2, r, xb), scale, acc);
                }
                y[t * ldy + r0 + r] = acc;
            }
        }
    }
}

void slm_mul_q8_0_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul_blocks(y, ldy, w, x, ldx, tokens, rows, steps, SLM_STEP_Q8_0, sum_q8_0);
}

void slm_mul_q4_0_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul_blocks(y, ldy, w, x, ldx, tokens, rows, steps, SLM_STEP_Q4_0, sum_q4_0);
}
