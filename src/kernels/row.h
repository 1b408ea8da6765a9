/* row.h -- what the quantizers of whole rows have in common: from the greatest magnitude to the scale, or to a row that is no number. */
#ifndef SLM_KERNELS_ROW_H
#define SLM_KERNELS_ROW_H

#include "kernels/inline.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

#include <string.h>

/* most: bits of the greatest |x|, which order like floats, infinity and NaN above everything finite. Sets d and *id; returns 0 if x is
 * not finite, and the row is then what quantize_row promises. */
INLINE int row_scale(slm_xrow *out, float *id, uint32_t most, size_t n)
{
    const float amax = slm_f32_of_bits(most);
    if (most > 0x7f7fffff) {
        memset(out, 0, sizeof *out + (n + 63) / 64 * 64);
        out->d = slm_f32_of_bits(0x7fc00000);
        return 0;
    }
    const int zero = amax < 0x1p-100f;      /* 127 / amax overflows on subnormals */
    *id = zero ? 0 : 127.0f / amax;
    out->d = zero ? 0 : amax / 127.0f;
    return 1;
}

#endif
