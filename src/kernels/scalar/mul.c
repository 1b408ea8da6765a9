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
 *         with a minimum, right after: acc = fma((float)xsum, mw * dx, acc). Q6_K, Q3_K, Q2_K: this for each half of 16, in order.
 *         256-wide types: dw = d * (float)scale, mw = -dmin * (float)minimum, rounded once.
 * Range   Q8_0: isum starts at -128 * xsum (C12); partial sums stay within 32 * 127 * (128 + 255) = 1,556,512: cannot overflow.
 *         Q4_0: within 32 * 127 * (8 + 15) = 93,472; five and six bits within four times that; IQ4 within Q8_0's.
 * Source  blocks: GGUF; micro-panels: BLIS, docs/KernelsHowTo.md. */
#include "kernels/block.h"
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

static float weight_f16(const uint8_t *step, size_t index)
{
    return slm_f32_of_f16(slm_block_half(step, index));
}

static float weight_bf16(const uint8_t *step, size_t index)
{
    return slm_f32_of_bf16(slm_block_half(step, index));
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

static inline __attribute__((always_inline)) void mul_blocks(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x,
                                                             size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    const size_t halves = (size_t)slm_block_halves(type);
    for (size_t t = 0; t < tokens; t++) {
        for (size_t r0 = 0; r0 < rows; r0 += 16) {
            const uint8_t *panel = w + r0 / 16 * steps * slm_block_step(type);
            for (size_t r = 0; r < 16 && r0 + r < rows; r++) {
                float acc = 0;
                for (size_t b = 0; b < 2 * steps; b++) {
                    const uint8_t *step = panel + b / 2 * slm_block_step(type);
                    const slm_xblock *xb = x + t * ldx + b;
                    for (size_t h = 0; h < halves; h++) {
                        int32_t isum = 0, xsum = 0;
                        for (size_t k = h * 16; k < (h + 1) * 32 / halves; k++) {
                            isum += slm_block_value(type, step, b % 2, r, k) * xb->q[k];
                            xsum += xb->q[k];
                        }
                        acc = fmaf((float)isum, slm_block_scale(type, step, b % 2, h, r) * xb->d, acc);
                        if (slm_block_has_min(type))
                            acc = fmaf((float)xsum, slm_block_min(type, step, b % 2, h, r) * xb->d, acc);
                    }
                }
                y[t * ldy + r0 + r] = acc;
            }
        }
    }
}

#define MUL(option, type) \
    void slm_mul_##option##_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, \
                                   size_t steps) \
    { \
        mul_blocks(type, y, ldy, w, x, ldx, tokens, rows, steps); \
    }
MUL(q8_0, SLM_Q8_0)
MUL(q4_0, SLM_Q4_0)
MUL(q4_1, SLM_Q4_1)
MUL(q5_0, SLM_Q5_0)
MUL(q5_1, SLM_Q5_1)
MUL(q4_k, SLM_Q4_K)
MUL(q5_k, SLM_Q5_K)
MUL(q6_k, SLM_Q6_K)
MUL(q2_k, SLM_Q2_K)
MUL(q3_k, SLM_Q3_K)
MUL(iq4_nl, SLM_IQ4_NL)
MUL(iq4_xs, SLM_IQ4_XS)
