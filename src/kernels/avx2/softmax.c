/* softmax.c -- maximum and exponentials, 16 lanes as two registers. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

/* max_ps may give either zero of two, and loses a NaN on its left: the last + 0 and the mask make up for both. */
float slm_max_f32_avx2(const float *x, size_t n)
{
    __m256 most = _mm256_set1_ps(x[0]), more = most, nan = _mm256_setzero_ps();
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, b, _CMP_UNORD_Q));
        most = _mm256_max_ps(most, a);
        more = _mm256_max_ps(more, b);
    }
    for (; i < n; i += 8) {
        const __m256i m = first_lanes(n - i);
        const __m256 a = _mm256_blendv_ps(_mm256_set1_ps(x[0]), _mm256_maskload_ps(x + i, m), _mm256_castsi256_ps(m));
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
        most = _mm256_max_ps(most, a);
    }
    most = _mm256_max_ps(most, more);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    const __m128 one = _mm_max_ss(two, _mm_movehdup_ps(two));
    return _mm256_movemask_ps(nan) ? slm_f32_of_bits(0x7fc00000u) : _mm_cvtss_f32(one) + 0.0f;
}

/* Up to 8 elements under a mask: absent ones add +0 to a lane that is never -0. */
INLINE __m256 exp_masked(float *p, const float *s, __m256i mask, __m256 m)
{
    const __m256 e = exp_lanes(_mm256_sub_ps(_mm256_maskload_ps(s, mask), m));
    _mm256_maskstore_ps(p, mask, e);
    return _mm256_and_ps(e, _mm256_castsi256_ps(mask));
}

/* An element's lane is (first + i) mod 16: the elements up to the next multiple of 16 are written to their lanes in an array with room
 * for two vectors from any lane on, and the registers start from that. */
float slm_exp_sum_f32_avx2(float *p, const float *s, size_t n, size_t first, float m)
{
    const __m256 most = _mm256_set1_ps(m);
    const size_t phase = first % 16, head = phase == 0 ? 0 : 16 - phase < n ? 16 - phase : n;
    float start[32] = { 0 };
    size_t i = head;
    if (head)
        _mm256_storeu_ps(start + phase, exp_masked(p, s, first_lanes(head), most));
    if (head > 8)
        _mm256_storeu_ps(start + phase + 8, exp_masked(p + 8, s + 8, first_lanes(head - 8), most));
    __m256 low = _mm256_loadu_ps(start), high = _mm256_loadu_ps(start + 8);
    for (; n - i >= 16; i += 16) {
        const __m256 a = exp_lanes(_mm256_sub_ps(_mm256_loadu_ps(s + i), most));
        _mm256_storeu_ps(p + i, a);
        low = _mm256_add_ps(low, a);
        __asm__ volatile("" : : : "memory");        /* one after the other: interleaved they need more than 16 registers */
        const __m256 b = exp_lanes(_mm256_sub_ps(_mm256_loadu_ps(s + i + 8), most));
        _mm256_storeu_ps(p + i + 8, b);
        high = _mm256_add_ps(high, b);
    }
    if (i < n)
        low = _mm256_add_ps(low, exp_masked(p + i, s + i, first_lanes(n - i), most));
    if (n - i > 8)
        high = _mm256_add_ps(high, exp_masked(p + i + 8, s + i + 8, first_lanes(n - i - 8), most));
    return fold(low, high);
}

/* Of the 8 columns from t on, those within from .. to - 1. */
INLINE __m256i columns(size_t t, size_t from, size_t to)
{
    return _mm256_andnot_si256(first_lanes(from > t ? from - t : 0), first_lanes(to > t ? to - t : 0));
}

/* max_ps gives its second operand where both are zeros or one is NaN, as the reference does. */
void slm_max_rows_f32_avx2(float *most, const float *s, size_t ld, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++, s += ld, most += 16) {
        for (size_t half = 0; half < 16; half += 8) {
            __m256 m = _mm256_loadu_ps(most + half);
            for (size_t t = from / 16 * 16 + half; t < to; t += 16) {
                const __m256i mask = columns(t, from, to);
                const __m256 more = _mm256_max_ps(_mm256_maskload_ps(s + t, mask), m);
                m = _mm256_blendv_ps(m, more, _mm256_castsi256_ps(mask));
            }
            _mm256_storeu_ps(most + half, m);
        }
    }
}

/* Masked stores are slow: only where they must be. */
void slm_exp_rows_f32_avx2(float *p, float *sum, const float *s, size_t ld, const float *most, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++, p += ld, s += ld, sum += 16) {
        const __m256 m = _mm256_set1_ps(most[r]);
        for (size_t half = 0; half < 16; half += 8) {
            __m256 lane = _mm256_loadu_ps(sum + half);
            for (size_t t = from / 16 * 16 + half; t < to; t += 16) {
                __m256 e;
                if (t >= from && t + 8 <= to) {
                    e = exp_lanes(_mm256_sub_ps(_mm256_loadu_ps(s + t), m));
                    _mm256_storeu_ps(p + t, e);
                } else {
                    e = exp_masked(p + t, s + t, columns(t, from, to), m);
                }
                lane = _mm256_add_ps(lane, e);
            }
            _mm256_storeu_ps(sum + half, lane);
        }
    }
}
