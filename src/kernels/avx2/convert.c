/* convert.c -- the conversion instructions, 8 at a time; the rounding is in the instruction, not from MXCSR. What is left goes one by
 * one: AVX2 has no mask for 16 bits. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

void slm_f16_from_f32_avx2(uint16_t *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        y[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

void slm_f32_from_f16_avx2(float *y, const uint16_t *x, size_t n)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
    for (; i < n; i++)
        y[i] = _cvtsh_ss(x[i]);
}
