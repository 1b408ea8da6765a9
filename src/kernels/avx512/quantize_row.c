/* quantize_row.c -- a row to 8 bits on AVX-512. Without its sign a float orders like its bits, infinity and NaN above everything finite,
 * so one integer maximum finds both the scale and what is not finite. The conversion rounds to nearest even by itself, which for
 * |x| < 2^22 is the reference's integer. */
#include "kernels/avx512/lanes.h"
#include "kernels/row.h"

INLINE __m512 some(const float *x, size_t n, size_t from)
{
    return n >= from + 16 ? _mm512_loadu_ps(x + from) : n > from ? _mm512_maskz_loadu_ps(first_lanes(n - from), x + from) : _mm512_setzero_ps();
}

int slm_quantize_row_avx512(slm_xrow *out, const float *x, size_t n)
{
    __m512i most = _mm512_setzero_si512(), sum = most;
    float scale;
    for (size_t i = 0; i < n; i += 16)
        most = _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(some(x, n, i)), _mm512_set1_epi32(0x7fffffff)));
    if (!row_scale(out, &scale, (uint32_t)_mm512_reduce_max_epi32(most), n))
        return 0;
    const __m512 id = _mm512_set1_ps(scale);
    for (size_t i = 0; i < n; i += 64) {
        UNROLL
        for (size_t j = 0; j < 64; j += 16) {
            const __m128i q = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(some(x, n, i + j), id)));
            sum = _mm512_add_epi32(sum, _mm512_cvtepi8_epi32(q));
            _mm_storeu_si128((void *)(out->q + i + j), q);
        }
    }
    out->nsum = -_mm512_reduce_add_epi32(sum);
    return 1;
}
