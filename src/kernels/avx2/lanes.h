/* lanes.h -- what the AVX2 kernels share. The 16 lanes of the contract are two registers, lanes 0-7 and 8-15. Static inlines only. */
#ifndef SLM_KERNELS_AVX2_LANES_H
#define SLM_KERNELS_AVX2_LANES_H

#include "kernels/inline.h"
#include "kernels/math.h"

#include <immintrin.h>
#include <stddef.h>

/* The first n lanes, all from 8 on: a window into eight times -1, eight times 0. */
INLINE __m256i first_lanes(size_t n)
{
    static const int32_t window[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + 8 - (n < 8 ? n : 8)));
}

/* lane[i] += lane[i + half] for half = 8, 4, 2, 1 (C7). */
INLINE float fold(__m256 low, __m256 high)
{
    const __m256 eight = _mm256_add_ps(low, high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* slm_exp_f32 on 8 lanes, step by step. min with the limit on the left keeps a NaN; an arithmetic shift is the reference's i >> 1. */
INLINE __m256 exp_lanes(__m256 x)
{
    const __m256 kept = _mm256_cmp_ps(x, _mm256_set1_ps(SLM_EXP_LEAST), _CMP_NLT_UQ);
    x = _mm256_min_ps(_mm256_set1_ps(SLM_EXP_MOST), x);
    const __m256 magic = _mm256_set1_ps(SLM_EXP_MAGIC);
    const __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(SLM_EXP_LOG2E), magic), n = _mm256_sub_ps(t, magic);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-SLM_EXP_LN2HI), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-SLM_EXP_LN2LO), r);
    __m256 p = _mm256_set1_ps(SLM_EXP_Q4);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SLM_EXP_Q3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SLM_EXP_Q2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SLM_EXP_Q1));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(SLM_EXP_Q0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    const __m256i i = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(0x4b400000));
    const __m256i half = _mm256_srai_epi32(i, 1), bias = _mm256_set1_epi32(127);
    const __m256i low = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i high = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(i, half), bias), 23);
    p = _mm256_mul_ps(_mm256_mul_ps(p, _mm256_castsi256_ps(low)), _mm256_castsi256_ps(high));
    return _mm256_and_ps(p, kept);
}

#endif
