/* norm.c -- two registers are the 16 lanes of C7. An absent element adds 0 * 0, which changes no bit: a lane is never -0. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

float slm_rms_norm_f32_avx2(float *y, const float *x, const float *w, size_t n, float eps)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        low = _mm256_fmadd_ps(a, a, low);
        high = _mm256_fmadd_ps(b, b, high);
    }
    if (i < n) {
        const __m256 a = _mm256_maskload_ps(x + i, first_lanes(n - i));
        low = _mm256_fmadd_ps(a, a, low);
    }
    if (n - i > 8) {
        const __m256 b = _mm256_maskload_ps(x + i + 8, first_lanes(n - i - 8));
        high = _mm256_fmadd_ps(b, b, high);
    }
    const float sum = fold(low, high);
    const __m256 r = _mm256_set1_ps(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(sum / (float)n + eps))));
    for (i = 0; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), r), _mm256_loadu_ps(w + i)));
    if (i < n) {
        const __m256i m = first_lanes(n - i);
        const __m256 v = _mm256_mul_ps(_mm256_maskload_ps(x + i, m), r);
        _mm256_maskstore_ps(y + i, m, _mm256_mul_ps(v, _mm256_maskload_ps(w + i, m)));
    }
    return sum;
}

/* x - mean, 0 in the lanes past n. */
INLINE __m256 centred(const float *x, __m256i mask, __m256 mean)
{
    return _mm256_and_ps(_mm256_sub_ps(_mm256_maskload_ps(x, mask), mean), _mm256_castsi256_ps(mask));
}

float slm_layer_norm_f32_avx2(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        low = _mm256_add_ps(low, _mm256_loadu_ps(x + i));
        high = _mm256_add_ps(high, _mm256_loadu_ps(x + i + 8));
    }
    if (i < n)
        low = _mm256_add_ps(low, _mm256_maskload_ps(x + i, first_lanes(n - i)));
    if (n - i > 8)
        high = _mm256_add_ps(high, _mm256_maskload_ps(x + i + 8, first_lanes(n - i - 8)));
    const __m256 mean = _mm256_set1_ps(fold(low, high) / (float)n);
    low = high = _mm256_setzero_ps();
    for (i = 0; n - i >= 16; i += 16) {
        const __m256 e = _mm256_sub_ps(_mm256_loadu_ps(x + i), mean), f = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8), mean);
        low = _mm256_fmadd_ps(e, e, low);
        high = _mm256_fmadd_ps(f, f, high);
    }
    if (i < n) {
        const __m256 e = centred(x + i, first_lanes(n - i), mean);
        low = _mm256_fmadd_ps(e, e, low);
    }
    if (n - i > 8) {
        const __m256 f = centred(x + i + 8, first_lanes(n - i - 8), mean);
        high = _mm256_fmadd_ps(f, f, high);
    }
    const float sum = fold(low, high);
    const __m256 r = _mm256_set1_ps(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(sum / (float)n + eps))));
    for (i = 0; n - i >= 8; i += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), mean), r), _mm256_loadu_ps(w + i));
        _mm256_storeu_ps(y + i, b ? _mm256_add_ps(v, _mm256_loadu_ps(b + i)) : v);
    }
    if (i < n) {
        const __m256i m = first_lanes(n - i);
        const __m256 v = _mm256_mul_ps(_mm256_mul_ps(centred(x + i, m, mean), r), _mm256_maskload_ps(w + i, m));
        _mm256_maskstore_ps(y + i, m, b ? _mm256_add_ps(v, _mm256_maskload_ps(b + i, m)) : v);
    }
    return sum;
}
