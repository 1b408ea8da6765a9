/* convert.c -- the conversion instructions, 16 at a time; the rounding is in the instruction, not from MXCSR. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

void slm_f16_from_f32_avx512(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        const __m256i h = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(m, x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16(y + i, m, h);
    }
}

void slm_f32_from_f16_avx512(float *y, const uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, x + i)));
    }
}
