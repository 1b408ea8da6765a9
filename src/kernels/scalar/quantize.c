/* quantize.c -- activations to blocks of 8 bits (contract C4). */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* Blocks of 32 along x: amax = max |x|, d = amax / 127, id = 127 / amax (both 0 if amax < 2^-100, for 127 / amax overflows on
 * subnormals), q = rint(x * id) to nearest even, nsum = -(sum of q) of each half.
 *   out   [2 * ceil(n / 64)] written: the last block is padded with zeros, and so is a last odd block
 * Returns 1; 0 if some x is not finite (out is then unspecified). */
int slm_quantize_x_scalar(slm_xblock *out, const float *x, size_t n)
{
    for (size_t b = 0; b < (n + 63) / 64 * 2; b++) {
        const size_t from = b * 32, count = from >= n ? 0 : n - from < 32 ? n - from : 32;
        float amax = 0;
        for (size_t i = 0; i < count; i++) {
            const float a = fabsf(x[from + i]);
            if (!(a <= 0x1.fffffep+127f))
                return 0;
            amax = a > amax ? a : amax;
        }
        const int zero = amax < 0x1p-100f;
        const float id = zero ? 0 : 127.0f / amax;
        int sum[2] = { 0, 0 };
        out[b].d = zero ? 0 : amax / 127.0f;
        for (size_t i = 0; i < 32; i++) {
            const float scaled = i < count ? x[from + i] * id : 0;
            const int8_t q = (int8_t)((scaled + 0x1.8p+23f) - 0x1.8p+23f);  /* rint: |scaled| <= 127.00002 */
            out[b].q[i] = q;
            sum[i / 16] += q;
        }
        out[b].nsum[0] = (int16_t)-sum[0];
        out[b].nsum[1] = (int16_t)-sum[1];
    }
    return 1;
}
