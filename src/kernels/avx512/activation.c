/* activation.c -- 16 elements at a time; the division is IEEE's, as the contract wants. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

void slm_silu_mul_f32_avx512(float *y, const float *gate, const float *up, size_t n)
{
    const __m512 sign = _mm512_set1_ps(-0.0f), one = _mm512_set1_ps(1.0f);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        const __m512 g = _mm512_maskz_loadu_ps(m, gate + i), u = _mm512_maskz_loadu_ps(m, up + i);
        const __m512 e = exp_lanes(_mm512_xor_ps(g, sign));
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(_mm512_div_ps(g, _mm512_add_ps(one, e)), u));
    }
}
