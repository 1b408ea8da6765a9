/* quantize.c -- a block of 32 is two registers. The conversion rounds to nearest even by itself, which for |x| < 2^22 is the same
 * integer as the reference's addition of 1.5 * 2^23. The sum of q is taken from the bytes: sad adds eight unsigned ones, q + 128. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

int slm_quantize_x_avx512(slm_xblock *out, const float *x, size_t n)
{
    const __m512 greatest = _mm512_set1_ps(0x1.fffffep+127f);
    for (size_t b = 0; b < (n + 63) / 64 * 2; b++) {
        const size_t from = b * 32, count = from < n ? n - from : 0;
        const __m512 x0 = _mm512_maskz_loadu_ps(first_lanes(count), x + from);
        const __m512 x1 = _mm512_maskz_loadu_ps(first_lanes(count > 16 ? count - 16 : 0), x + from + 16);
        const __m512 a0 = _mm512_abs_ps(x0), a1 = _mm512_abs_ps(x1);
        if (_mm512_cmp_ps_mask(a0, greatest, _CMP_NLE_UQ) | _mm512_cmp_ps_mask(a1, greatest, _CMP_NLE_UQ))
            return 0;
        const __m512 m16 = _mm512_max_ps(a0, a1);
        const __m256 m8 = _mm256_max_ps(_mm512_castps512_ps256(m16), _mm512_extractf32x8_ps(m16, 1));
        const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
        const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
        const float amax = _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
        const int zero = amax < 0x1p-100f;
        const __m512 id = _mm512_set1_ps(zero ? 0 : 127.0f / amax);
        const __m128i q0 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x0, id)));
        const __m128i q1 = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x1, id)));
        const __m128i offset = _mm_set1_epi8(-128), none = _mm_setzero_si128();
        const __m128i sad = _mm_add_epi64(_mm_sad_epu8(_mm_xor_si128(q0, offset), none), _mm_sad_epu8(_mm_xor_si128(q1, offset), none));
        out[b].d = zero ? 0 : amax / 127.0f;
        out[b].nsum = 32 * 128 - _mm_cvtsi128_si32(sad) - _mm_extract_epi32(sad, 2);
        _mm_storeu_si128((__m128i *)(void *)out[b].q, q0);
        _mm_storeu_si128((__m128i *)(void *)(out[b].q + 16), q1);
    }
    return 1;
}
