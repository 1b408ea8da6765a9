/* quantize_row.c -- activations to 8 bits with one scale for the whole row (contract C6). */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* As quantize_x does with a block: amax = max |x|, d = amax / 127, id = 127 / amax (both 0 if amax < 2^-100), q = rint(x * id) to nearest
 * even, nsum = -(sum of q).
 *   out   q [64 * ceil(n / 64)] written, zero behind n; n <= 131,072
 * Returns 1; 0 if some x is not finite: then d is NaN, nsum and q are 0, and every product is NaN. */
int slm_quantize_row_scalar(slm_xrow *out, const float *x, size_t n)
{
    const size_t padded = (n + 63) / 64 * 64;
    float amax = 0;
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float a = fabsf(x[i]);
        if (!(a <= 0x1.fffffep+127f)) {
            out->d = slm_f32_of_bits(0x7fc00000);
            out->nsum = 0;
            for (size_t k = 0; k < padded; k++)
                out->q[k] = 0;
            return 0;
        }
        amax = a > amax ? a : amax;
    }
    const int zero = amax < 0x1p-100f;
    const float id = zero ? 0 : 127.0f / amax;
    for (size_t i = 0; i < padded; i++) {
        const float scaled = i < n ? x[i] * id : 0;
        const int8_t q = (int8_t)((scaled + 0x1.8p+23f) - 0x1.8p+23f);      /* rint: |scaled| <= 127.00002 */
        out->q[i] = q;
        sum += q;
    }
    out->d = zero ? 0 : amax / 127.0f;
    out->nsum = -sum;
    return 1;
}
