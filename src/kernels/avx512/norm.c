/* norm.c -- one register is the 16 lanes of C7. An absent element adds 0 * 0, which changes no bit: a lane is never -0, for
 * it starts from +0. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

float slm_rms_norm_f32_avx512(float *y, const float *x, const float *w, size_t n, float eps)
{
    __m512 lane = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __m512 v = _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
        lane = _mm512_fmadd_ps(v, v, lane);
    }
    const float sum = fold(lane);
    const __m128 root = _mm_sqrt_ss(_mm_set_ss(sum / (float)n + eps));
    const __m512 r = _mm512_set1_ps(1.0f / _mm_cvtss_f32(root));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), r);
        _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, w + i)));
    }
    return sum;
}

float slm_layer_norm_f32_avx512(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    __m512 lane = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16)
        lane = _mm512_add_ps(lane, _mm512_maskz_loadu_ps(first_lanes(n - i), x + i));
    const __m512 mean = _mm512_set1_ps(fold(lane) / (float)n);
    lane = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        const __m512 e = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, x + i), mean);
        lane = _mm512_fmadd_ps(e, e, lane);
    }
    const float sum = fold(lane);
    const __m512 r = _mm512_set1_ps(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(sum / (float)n + eps))));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean), r);
        v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, w + i));
        _mm512_mask_storeu_ps(y + i, m, b ? _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, b + i)) : v);
    }
    return sum;
}
