/* quantize_row.c -- a row to 8 bits on AVX2; the greatest value and what is not finite are found as on AVX-512, as integers. */
#include "kernels/avx2/lanes.h"
#include "kernels/row.h"

INLINE __m256 some(const float *x, size_t n, size_t from)
{
    return n >= from + 8 ? _mm256_loadu_ps(x + from) : n > from ? _mm256_maskload_ps(x + from, first_lanes(n - from)) : _mm256_setzero_ps();
}

INLINE int32_t most_of(__m256i v)
{
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

INLINE int32_t sum_of(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

int slm_quantize_row_avx2(slm_xrow *out, const float *x, size_t n)
{
    __m256i most = _mm256_setzero_si256(), sum = most;
    float scale;
    for (size_t i = 0; i < n; i += 8)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(some(x, n, i)), _mm256_set1_epi32(0x7fffffff)));
    if (!row_scale(out, &scale, (uint32_t)most_of(most), n))
        return 0;
    const __m256 id = _mm256_set1_ps(scale);
    for (size_t i = 0; i < (n + 63) / 64 * 64; i += 16) {
        const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(some(x, n, i), id)), b = _mm256_cvtps_epi32(_mm256_mul_ps(some(x, n, i + 8), id));
        const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);      /* packs works within halves */
        sum = _mm256_add_epi32(sum, _mm256_add_epi32(a, b));
        _mm_storeu_si128((void *)(out->q + i), _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    }
    out->nsum = -sum_of(sum);
    return 1;
}
