/* softmax.c -- maximum and exponentials, 16 lanes. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

/* max_ps may give either zero of two, and loses a NaN on its left: the last + 0 and the mask make up for both. */
float slm_max_f32_avx512(const float *x, size_t n)
{
    __m512 most = _mm512_set1_ps(x[0]), more = most;
    __mmask16 nan = 0;
    size_t i = 0;
    for (; n - i >= 32; i += 32) {
        const __m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(x + i + 16);
        nan |= _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
        most = _mm512_max_ps(most, a);
        more = _mm512_max_ps(more, b);
    }
    for (; i < n; i += 16) {
        const __m512 a = _mm512_mask_loadu_ps(_mm512_set1_ps(x[0]), first_lanes(n - i), x + i);
        nan |= _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
        most = _mm512_max_ps(most, a);
    }
    most = _mm512_max_ps(most, more);
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(most), _mm512_extractf32x8_ps(most, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    const __m128 one = _mm_max_ss(two, _mm_movehdup_ps(two));
    return nan ? slm_f32_of_bits(0x7fc00000u) : _mm_cvtss_f32(one) + 0.0f;
}

/* The elements before the first whole group are moved to their lanes; absent lanes add +0 to a lane that is never -0. */
float slm_exp_sum_f32_avx512(float *p, const float *s, size_t n, size_t first, float m)
{
    const __m512 most = _mm512_set1_ps(m);
    const size_t phase = first % 16, head = phase == 0 ? 0 : 16 - phase < n ? 16 - phase : n;
    __m512 lane = _mm512_setzero_ps();
    if (head) {
        const __mmask16 mask = first_lanes(head);
        const __m512 e = exp_lanes(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, s), most));
        _mm512_mask_storeu_ps(p, mask, e);
        lane = _mm512_maskz_expand_ps((__mmask16)(mask << phase), e);
    }
    size_t i = head;
    for (; n - i >= 16; i += 16) {
        const __m512 e = exp_lanes(_mm512_sub_ps(_mm512_loadu_ps(s + i), most));
        _mm512_storeu_ps(p + i, e);
        lane = _mm512_add_ps(lane, e);
    }
    if (i < n) {
        const __mmask16 mask = first_lanes(n - i);
        const __m512 e = exp_lanes(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, s + i), most));
        _mm512_mask_storeu_ps(p + i, mask, e);
        lane = _mm512_mask_add_ps(lane, mask, lane, e);
    }
    return fold(lane);
}
