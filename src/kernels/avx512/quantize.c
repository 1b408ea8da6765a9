/* quantize.c -- two blocks of 32 at a time, for they come in pairs: their greatest values are folded in one register, a block in each
 * half, and divided together. Without its sign a float orders like its bits, infinity and then NaN above everything finite, so that
 * the integer maximum finds those too. The conversion rounds to nearest even by itself, which for |x| < 2^22 is the same integer as
 * the reference's addition of 1.5 * 2^23. The sum of q is taken from the bytes: sad adds eight unsigned ones, q + 128. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

INLINE __m512i magnitude(__m512 x)
{
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

/* 0 if a value is not finite. */
INLINE int quantize_pair(slm_xblock *out, __m512 a0, __m512 a1, __m512 b0, __m512 b1)
{
    const __m512i a = _mm512_max_epi32(magnitude(a0), magnitude(a1)), b = _mm512_max_epi32(magnitude(b0), magnitude(b1));
    __m512i m = _mm512_max_epi32(_mm512_inserti64x4(a, _mm512_castsi512_si256(b), 1), _mm512_shuffle_i64x2(a, b, 0xee));
    m = _mm512_max_epi32(m, _mm512_shuffle_i64x2(m, m, 0xb1));
    m = _mm512_max_epi32(m, _mm512_shuffle_epi32(m, 0x4e));
    m = _mm512_max_epi32(m, _mm512_shuffle_epi32(m, 0xb1));
    const __m128i most = _mm_unpacklo_epi32(_mm512_castsi512_si128(m), _mm512_extracti32x4_epi32(m, 2));    /* a b a b */
    if (_mm_cmpgt_epi32_mask(most, _mm_set1_epi32(0x7f7fffff)))
        return 0;
    const __m128 amax = _mm_castsi128_ps(most), range = _mm_set1_ps(127.0f);
    const __mmask8 some = _mm_cmp_ps_mask(amax, _mm_set1_ps(0x1p-100f), _CMP_GE_OQ);
    const __m128 id = _mm_maskz_div_ps(some, range, amax), d = _mm_maskz_div_ps(some, amax, range);
    const __m512 ida = _mm512_broadcastss_ps(id), idb = _mm512_broadcastss_ps(_mm_movehdup_ps(id));
    const __m512i qa0 = _mm512_cvtps_epi32(_mm512_mul_ps(a0, ida)), qa1 = _mm512_cvtps_epi32(_mm512_mul_ps(a1, ida));
    const __m512i qb0 = _mm512_cvtps_epi32(_mm512_mul_ps(b0, idb)), qb1 = _mm512_cvtps_epi32(_mm512_mul_ps(b1, idb));
    /* packs work within 128 bits, which then hold four bytes each of a0 a1 b0 b1 */
    const __m512i mixed = _mm512_packs_epi16(_mm512_packs_epi32(qa0, qa1), _mm512_packs_epi32(qb0, qb1));
    const __m512i q = _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), mixed);
    __m512i sum = _mm512_sad_epu8(_mm512_xor_si512(q, _mm512_set1_epi8(-128)), _mm512_setzero_si512());
    sum = _mm512_add_epi64(sum, _mm512_shuffle_epi32(sum, 0x4e));      /* a sum of 16 bytes in each 128 bits */
    out[0].d = _mm_cvtss_f32(d);
    out[1].d = _mm_cvtss_f32(_mm_movehdup_ps(d));
    out[0].nsum[0] = (int16_t)(16 * 128 - _mm512_cvtsi512_si32(sum));
    out[0].nsum[1] = (int16_t)(16 * 128 - _mm_cvtsi128_si32(_mm512_extracti32x4_epi32(sum, 1)));
    out[1].nsum[0] = (int16_t)(16 * 128 - _mm_cvtsi128_si32(_mm512_extracti32x4_epi32(sum, 2)));
    out[1].nsum[1] = (int16_t)(16 * 128 - _mm_cvtsi128_si32(_mm512_extracti32x4_epi32(sum, 3)));
    _mm256_storeu_si256((__m256i *)(void *)out[0].q, _mm512_castsi512_si256(q));
    _mm256_storeu_si256((__m256i *)(void *)out[1].q, _mm512_extracti64x4_epi64(q, 1));
    return 1;
}

INLINE __m512 load_some(const float *x, size_t n, size_t from)
{
    return n > from ? _mm512_maskz_loadu_ps(first_lanes(n - from), x + from) : _mm512_setzero_ps();
}

int slm_quantize_x_avx512(slm_xblock *out, const float *x, size_t n)
{
    size_t i = 0;
    for (; n - i >= 64; i += 64, out += 2)
        if (!quantize_pair(out, _mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + 16),
                           _mm512_loadu_ps(x + i + 32), _mm512_loadu_ps(x + i + 48)))
            return 0;
    if (i == n)
        return 1;
    return quantize_pair(out, load_some(x, n, i), load_some(x, n, i + 16), load_some(x, n, i + 32), load_some(x, n, i + 48));
}
