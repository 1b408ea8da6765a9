/* activation.c -- 8 elements at a time; the division is IEEE's, as the contract wants. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

INLINE __m256 silu_mul(__m256 gate, __m256 up)
{
    const __m256 e = exp_lanes(_mm256_xor_ps(gate, _mm256_set1_ps(-0.0f)));
    return _mm256_mul_ps(_mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), up);
}

void slm_silu_mul_f32_avx2(float *y, const float *gate, const float *up, size_t n)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, silu_mul(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
    if (i < n) {
        const __m256i m = first_lanes(n - i);
        _mm256_maskstore_ps(y + i, m, silu_mul(_mm256_maskload_ps(gate + i, m), _mm256_maskload_ps(up + i, m)));
    }
}
