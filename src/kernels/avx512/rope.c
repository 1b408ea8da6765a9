/* rope.c -- the angles of 8 (normal) or 16 (neox) pairs are loaded once and used for every head. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

/* Even lanes x0*c - (x1*s), odd lanes x0*s + (x1*c): one product, one fmaddsub, which subtracts in even lanes. */
void slm_rope_normal_f32_avx512(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    for (size_t i = 0; i < pairs; i += 8) {
        const __mmask16 m = first_lanes(2 * (pairs - i)), half = (__mmask16)(first_lanes(pairs - i) & 0xff);
        const __m512 cosine = _mm512_maskz_loadu_ps(half, c + i), sine = _mm512_maskz_loadu_ps(half, s + i);
        const __m512 cs = _mm512_permutex2var_ps(cosine, first, sine), sc = _mm512_permute_ps(cs, 0xb1);
        float *at = x + 2 * i;
        for (size_t h = 0; h < heads; h++, at += stride) {
            const __m512 v = _mm512_maskz_loadu_ps(m, at);
            const __m512 product = _mm512_mul_ps(_mm512_movehdup_ps(v), sc);
            _mm512_mask_storeu_ps(at, m, _mm512_fmaddsub_ps(_mm512_moveldup_ps(v), cs, product));
        }
    }
}

void slm_rope_neox_f32_avx512(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    for (size_t i = 0; i < pairs; i += 16) {
        const __mmask16 m = first_lanes(pairs - i);
        const __m512 cosine = _mm512_maskz_loadu_ps(m, c + i), sine = _mm512_maskz_loadu_ps(m, s + i);
        float *at = x + i;
        for (size_t h = 0; h < heads; h++, at += stride) {
            const __m512 x0 = _mm512_maskz_loadu_ps(m, at), x1 = _mm512_maskz_loadu_ps(m, at + pairs);
            _mm512_mask_storeu_ps(at, m, _mm512_fmsub_ps(x0, cosine, _mm512_mul_ps(x1, sine)));
            _mm512_mask_storeu_ps(at + pairs, m, _mm512_fmadd_ps(x0, sine, _mm512_mul_ps(x1, cosine)));
        }
    }
}
