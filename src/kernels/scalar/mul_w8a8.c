/* mul_w8a8.c -- y = W x with 8-bit weights of one scale a row and 8-bit activations of one scale a token, contract C6.
 *
 *   y       y[t * ldy + r] written for t < tokens, r < rows; overlaps nothing
 *   w       ceil(rows / 16) panels, one after another, aligned to 64: f32 dw[16], then `steps` steps of [16 groups][16 rows][4 k] u8 q+128
 *   x       slm_xrow, one every ldx bytes (a multiple of 4), q of 64 * steps values
 *   rows    any; missing rows of the last panel are not looked at by who reads y
 *
 * Order   one exact int32 sum over all k, then y = (float)isum * (dw * dx), dw * dx one rounded product.
 * Range   |q| <= 128 and |x| <= 127: isum is exact up to k = 131,072 (SLM_LIMIT_W8A8_COLS). It starts at -128 * xsum (C12), and sums on the
 *         way may wrap: modulo 2^32 the last one is right. */
#include "kernels/kernels.h"

#include <string.h>

void slm_mul_w8a8_scalar(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    const size_t stride = 64 + steps * SLM_STEP_W8A8;
    for (size_t t = 0; t < tokens; t++) {
        const slm_xrow *xr = (const void *)((const uint8_t *)x + t * ldx);
        for (size_t r = 0; r < rows; r++) {
            const uint8_t *panel = (const uint8_t *)w + r / 16 * stride, *q = panel + 64 + r % 16 * 4;
            uint32_t isum = (uint32_t)xr->nsum * 128;
            float dw;
            for (size_t k = 0; k < 64 * steps; k++)
                isum += (uint32_t)(q[k / 4 * 64 + k % 4] * xr->q[k]);
            memcpy(&dw, panel + r % 16 * 4, sizeof dw);
            y[t * ldy + r] = (float)(int32_t)isum * (dw * xr->d);
        }
    }
}
