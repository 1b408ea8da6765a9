/* quantize_row.c -- activations to 8 bits with one scale for the whole row (contract C6). */
#include "kernels/row.h"

/* As quantize_x does with a block: amax = max |x|, d = amax / 127, id = 127 / amax (both 0 if amax < 2^-100), q = rint(x * id) to nearest
 * even, nsum = -(sum of q).
 *   out   q [64 * ceil(n / 64)] written, zero behind n; n <= 131,072
 * Returns 1; 0 if some x is not finite: then d is NaN, nsum and q are 0, and every product is NaN. */
int slm_quantize_row_scalar(slm_xrow *out, const float *x, size_t n)
{
    uint32_t most = 0;
    int32_t sum = 0;
    float id;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = slm_bits_of_f32(fabsf(x[i]));
        most = bits > most ? bits : most;
    }
    if (!row_scale(out, &id, most, n))
        return 0;
    for (size_t i = 0; i < (n + 63) / 64 * 64; i++) {
        const float scaled = i < n ? x[i] * id : 0;
        const int8_t q = (int8_t)((scaled + 0x1.8p+23f) - 0x1.8p+23f);      /* rint: |scaled| <= 127.00002 */
        out->q[i] = q;
        sum += q;
    }
    out->nsum = -sum;
    return 1;
}
