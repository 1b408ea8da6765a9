/* rope.c -- the angles of 4 (normal) or 8 (neox) pairs are loaded once and used for every head. A masked load costs what a plain
 * one does, a masked store many times more, so that whole vectors are stored plainly. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

/* Even lanes x0*c - (x1*s), odd lanes x0*s + (x1*c): one product, one fmaddsub, which subtracts in even lanes. */
INLINE __m256 rotate(__m256 v, __m256 cs, __m256 sc)
{
    return _mm256_fmaddsub_ps(_mm256_moveldup_ps(v), cs, _mm256_mul_ps(_mm256_movehdup_ps(v), sc));
}

void slm_rope_normal_f32_avx2(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    for (size_t i = 0; i < pairs; i += 4) {
        const __m256i m = first_lanes(2 * (pairs - i));
        const __m128i half = _mm256_castsi256_si128(first_lanes(pairs - i));
        const __m128 cosine = _mm_maskload_ps(c + i, half), sine = _mm_maskload_ps(s + i, half);
        const __m256 cs = _mm256_set_m128(_mm_unpackhi_ps(cosine, sine), _mm_unpacklo_ps(cosine, sine));
        const __m256 sc = _mm256_permute_ps(cs, 0xb1);
        float *at = x + 2 * i;
        if (pairs - i >= 4)
            for (size_t h = 0; h < heads; h++, at += stride)
                _mm256_storeu_ps(at, rotate(_mm256_loadu_ps(at), cs, sc));
        else
            for (size_t h = 0; h < heads; h++, at += stride)
                _mm256_maskstore_ps(at, m, rotate(_mm256_maskload_ps(at, m), cs, sc));
    }
}

void slm_rope_neox_f32_avx2(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    for (size_t i = 0; i < pairs; i += 8) {
        const __m256i m = first_lanes(pairs - i);
        const __m256 cosine = _mm256_maskload_ps(c + i, m), sine = _mm256_maskload_ps(s + i, m);
        const int whole = pairs - i >= 8;
        float *at = x + i;
        for (size_t h = 0; h < heads; h++, at += stride) {
            const __m256 x0 = _mm256_maskload_ps(at, m), x1 = _mm256_maskload_ps(at + pairs, m);
            const __m256 y0 = _mm256_fmsub_ps(x0, cosine, _mm256_mul_ps(x1, sine));
            const __m256 y1 = _mm256_fmadd_ps(x0, sine, _mm256_mul_ps(x1, cosine));
            if (whole) {
                _mm256_storeu_ps(at, y0);
                _mm256_storeu_ps(at + pairs, y1);
            } else {
                _mm256_maskstore_ps(at, m, y0);
                _mm256_maskstore_ps(at + pairs, m, y1);
            }
        }
    }
}
