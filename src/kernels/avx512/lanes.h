/* lanes.h -- what the AVX-512 kernels share: masks of a tail, the fold of 16 lanes, exp. Static inlines only. */
#ifndef SLM_KERNELS_AVX512_LANES_H
#define SLM_KERNELS_AVX512_LANES_H

#include "kernels/inline.h"
#include "kernels/math.h"

#include <immintrin.h>
#include <stddef.h>

/* The first n lanes, all from 16 on. */
INLINE __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffffu);
}

/* lane[i] += lane[i + half] for half = 8, 4, 2, 1 (C7); not the compiler's reduction, whose order is its own. */
INLINE float fold(__m512 lane)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lane), _mm512_extractf32x8_ps(lane, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* e^x / 2^n, n the integer nearest x / ln 2. */
INLINE __m512 exp_fraction(__m512 x, __m512 n)
{
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-SLM_EXP_LN2HI), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-SLM_EXP_LN2LO), r);
    __m512 p = _mm512_set1_ps(SLM_EXP_Q4);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SLM_EXP_Q3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SLM_EXP_Q2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SLM_EXP_Q1));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(SLM_EXP_Q0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
}

/* slm_exp_f32 on 16 lanes. The last step there, p * 2^half * 2^(n - half), rounds once, as scalef does: p is within 0.7 and 1.42, and
 * p * 2^half is exact. min with the limit on the left keeps a NaN. */
INLINE __m512 exp_lanes(__m512 x)
{
    const __mmask16 kept = _mm512_cmp_ps_mask(x, _mm512_set1_ps(SLM_EXP_LEAST), _CMP_NLT_UQ);
    x = _mm512_min_ps(_mm512_set1_ps(SLM_EXP_MOST), x);
    const __m512 magic = _mm512_set1_ps(SLM_EXP_MAGIC);
    const __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(SLM_EXP_LOG2E), magic), magic);
    return _mm512_maskz_scalef_ps(kept, exp_fraction(x, n), n);
}

#endif
