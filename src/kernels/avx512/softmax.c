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

/* Of the 16 columns from t on, those within from .. to - 1. */
INLINE __mmask16 columns(size_t t, size_t from, size_t to)
{
    return first_lanes(to - t) & (__mmask16)~first_lanes(from > t ? from - t : 0);
}

/* max_ps gives its second operand where both are zeros or one is NaN, as the reference does. */
void slm_max_rows_f32_avx512(float *most, const float *s, size_t ld, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++, s += ld, most += 16) {
        __m512 m = _mm512_loadu_ps(most);
        if (from % 16 == 0 && to % 16 == 0)
            for (size_t t = from; t < to; t += 16)
                m = _mm512_max_ps(_mm512_loadu_ps(s + t), m);
        else
            for (size_t t = from / 16 * 16; t < to; t += 16) {
                const __mmask16 mask = columns(t, from, to);
                m = _mm512_mask_max_ps(m, mask, _mm512_maskz_loadu_ps(mask, s + t), m);
            }
        _mm512_storeu_ps(most, m);
    }
}

/* exp_lanes for lanes within NORMAL .. 0, bit for bit: p there is within 0.7 and 1.42 and n at least -124, so that p * 2^n is normal and 2^n may be
 * added to the exponent. The low bits of t are n. */
#define NORMAL -86.0f

INLINE __m512 exp_normal_lanes(__m512 x)
{
    const __m512 magic = _mm512_set1_ps(SLM_EXP_MAGIC), t = _mm512_fmadd_ps(x, _mm512_set1_ps(SLM_EXP_LOG2E), magic);
    const __m512i p = _mm512_castps_si512(exp_fraction(x, _mm512_sub_ps(t, magic)));
    return _mm512_castsi512_ps(_mm512_add_epi32(p, _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
}

/* 64 columns, a page of the cache, are four chains side by side. */
void slm_exp_rows_f32_avx512(float *p, float *sum, const float *s, size_t ld, const float *most, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++, p += ld, s += ld, sum += 16) {
        const __m512 m = _mm512_set1_ps(most[r]);
        __m512 lane = _mm512_loadu_ps(sum);
        size_t t = from / 16 * 16;
        for (; from % 16 == 0 && t + 64 <= to; t += 64) {
            __m512 x[4];
            unsigned normal = 0xffff;
            UNROLL
            for (size_t j = 0; j < 4; j++) {
                x[j] = _mm512_sub_ps(_mm512_loadu_ps(s + t + 16 * j), m);
                normal &= _mm512_cmp_ps_mask(x[j], _mm512_set1_ps(NORMAL), _CMP_GE_OQ);
            }
            if (normal == 0xffff) {
                UNROLL
                for (size_t j = 0; j < 4; j++)
                    x[j] = exp_normal_lanes(x[j]);
            } else {
                UNROLL
                for (size_t j = 0; j < 4; j++)
                    x[j] = exp_lanes(x[j]);
            }
            UNROLL
            for (size_t j = 0; j < 4; j++) {
                _mm512_storeu_ps(p + t + 16 * j, x[j]);
                lane = _mm512_add_ps(lane, x[j]);
            }
        }
        for (; t < to; t += 16) {
            const __mmask16 mask = columns(t, from, to);
            const __m512 e = exp_lanes(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, s + t), m));
            _mm512_mask_storeu_ps(p + t, mask, e);
            lane = _mm512_mask_add_ps(lane, mask, lane, e);
        }
        _mm512_storeu_ps(sum, lane);
    }
}
