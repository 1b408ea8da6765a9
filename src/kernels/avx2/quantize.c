/* quantize.c -- a block of 32 is four registers. The conversion rounds to nearest even by itself, which for |x| < 2^22 is the same
 * integer as the reference's addition of 1.5 * 2^23. The sum of q is taken from the bytes: sad adds eight unsigned ones, q + 128. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

/* 0 if a value is not finite. */
INLINE int quantize_block(slm_xblock *out, const __m256 x[4])
{
    const __m256 sign = _mm256_set1_ps(-0.0f), greatest = _mm256_set1_ps(0x1.fffffep+127f);
    const __m256 a0 = _mm256_andnot_ps(sign, x[0]), a1 = _mm256_andnot_ps(sign, x[1]);
    const __m256 a2 = _mm256_andnot_ps(sign, x[2]), a3 = _mm256_andnot_ps(sign, x[3]);
    const __m256 bad = _mm256_or_ps(
        _mm256_or_ps(_mm256_cmp_ps(a0, greatest, _CMP_NLE_UQ), _mm256_cmp_ps(a1, greatest, _CMP_NLE_UQ)),
        _mm256_or_ps(_mm256_cmp_ps(a2, greatest, _CMP_NLE_UQ), _mm256_cmp_ps(a3, greatest, _CMP_NLE_UQ)));
    if (_mm256_movemask_ps(bad))
        return 0;
    const __m256 m8 = _mm256_max_ps(_mm256_max_ps(a0, a1), _mm256_max_ps(a2, a3));
    const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    const float amax = _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
    const int zero = amax < 0x1p-100f;
    const __m256 id = _mm256_set1_ps(zero ? 0 : 127.0f / amax);
    const __m256i q0 = _mm256_cvtps_epi32(_mm256_mul_ps(x[0], id)), q1 = _mm256_cvtps_epi32(_mm256_mul_ps(x[1], id));
    const __m256i q2 = _mm256_cvtps_epi32(_mm256_mul_ps(x[2], id)), q3 = _mm256_cvtps_epi32(_mm256_mul_ps(x[3], id));
    /* packs work within halves of the register: words of four come out as 0 2 4 6 1 3 5 7 */
    const __m256i mixed = _mm256_packs_epi16(_mm256_packs_epi32(q0, q1), _mm256_packs_epi32(q2, q3));
    const __m256i q = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    const __m256i sad = _mm256_sad_epu8(_mm256_xor_si256(q, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
    const __m256i sums = _mm256_add_epi64(sad, _mm256_shuffle_epi32(sad, 0x4e));        /* a half in each 128 bits */
    out->d = zero ? 0 : amax / 127.0f;
    out->nsum[0] = (int16_t)(16 * 128 - _mm256_cvtsi256_si32(sums));
    out->nsum[1] = (int16_t)(16 * 128 - _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1)));
    _mm256_storeu_si256((__m256i *)(void *)out->q, q);
    return 1;
}

int slm_quantize_x_avx2(slm_xblock *out, const float *x, size_t n)
{
    for (size_t b = 0; b < (n + 63) / 64 * 2; b++) {
        const size_t from = b * 32, count = from < n ? n - from : 0;
        __m256 v[4];
        if (count >= 32)
            UNROLL
            for (size_t j = 0; j < 4; j++)
                v[j] = _mm256_loadu_ps(x + from + 8 * j);
        else
            UNROLL
            for (size_t j = 0; j < 4; j++)
                v[j] = count > 8 * j ? _mm256_maskload_ps(x + from + 8 * j, first_lanes(count - 8 * j)) : _mm256_setzero_ps();
        if (!quantize_block(out + b, v))
            return 0;
    }
    return 1;
}
