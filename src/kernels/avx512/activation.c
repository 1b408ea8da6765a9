/* activation.c -- 16 elements at a time, step by step as in math.h; the divisions are IEEE's, as the contract wants. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

/* Magnitude of a where `small` is set, else of b; sign of x. */
INLINE __m512 choose(__mmask16 small, __m512 a, __m512 b, __m512 x)
{
    const __m512 sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, _mm512_mask_mov_ps(b, small, a)), _mm512_and_ps(sign, x));
}

/* slm_tanh_f32: both ways for all lanes. */
INLINE __m512 tanh_lanes(__m512 x)
{
    const __m512 a = _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x), z = _mm512_mul_ps(a, a), one = _mm512_set1_ps(1.0f);
    const __mmask16 small = _mm512_cmp_ps_mask(a, _mm512_set1_ps(SLM_TANH_SMALL), _CMP_LT_OQ);
    const __m512 e = exp_lanes(_mm512_add_ps(a, a));
    const __m512 great = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one)));
    __m512 q = _mm512_set1_ps(SLM_TANH_Q5);
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(SLM_TANH_Q4));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(SLM_TANH_Q3));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(SLM_TANH_Q2));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(SLM_TANH_Q1));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(SLM_TANH_Q0));
    return choose(small, _mm512_fmadd_ps(_mm512_mul_ps(a, z), q, a), great, x);
}

/* slm_erf_f32: both ways for all lanes. min with the limit on the left keeps a NaN. */
INLINE __m512 erf_lanes(__m512 x)
{
    const __m512 a = _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x), z = _mm512_mul_ps(a, a), t = _mm512_min_ps(_mm512_set1_ps(SLM_ERF_MOST), a);
    const __mmask16 small = _mm512_cmp_ps_mask(a, _mm512_set1_ps(SLM_ERF_SMALL), _CMP_LT_OQ);
    __m512 r = _mm512_set1_ps(SLM_ERF_R8);
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R7));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R6));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R5));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R4));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R3));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R2));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R1));
    r = _mm512_fmadd_ps(r, t, _mm512_set1_ps(SLM_ERF_R0));
    const __m512 great = _mm512_sub_ps(_mm512_set1_ps(1.0f), exp_lanes(r));
    __m512 p = _mm512_set1_ps(SLM_ERF_P6);
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P5));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P4));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P3));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P2));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P1));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(SLM_ERF_P0));
    return choose(small, _mm512_fmadd_ps(a, p, a), great, x);
}

INLINE __m512 silu_lanes(__m512 x)
{
    const __m512 e = exp_lanes(_mm512_xor_ps(x, _mm512_set1_ps(-0.0f)));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), e));
}

INLINE __m512 gelu_tanh_lanes(__m512 x)
{
    const __m512 c = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(SLM_GELU_C1), _mm512_set1_ps(SLM_GELU_C0));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), exp_lanes(_mm512_mul_ps(x, c))));
}

INLINE __m512 gelu_erf_lanes(__m512 x)
{
    const __m512 e = erf_lanes(_mm512_mul_ps(x, _mm512_set1_ps(SLM_HALF_ROOT)));
    return _mm512_mul_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.5f)), _mm512_add_ps(_mm512_set1_ps(1.0f), e));
}

INLINE __m512 softcap_lanes(__m512 x, __m512 cap)
{
    return _mm512_mul_ps(cap, tanh_lanes(_mm512_div_ps(x, cap)));
}

#define GATED(op, lanes)                                                                                            \
    void slm_##op##_mul_f32_avx512(float *y, const float *gate, const float *up, size_t n)                          \
    {                                                                                                               \
        for (size_t i = 0; i < n; i += 16) {                                                                        \
            const __mmask16 m = first_lanes(n - i);                                                                 \
            const __m512 a = lanes(_mm512_maskz_loadu_ps(m, gate + i));                                             \
            _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(a, _mm512_maskz_loadu_ps(m, up + i)));                    \
        }                                                                                                           \
    }
#define PLAIN(op, lanes)                                                                                            \
    void slm_##op##_f32_avx512(float *y, const float *x, size_t n)                                                  \
    {                                                                                                               \
        for (size_t i = 0; i < n; i += 16) {                                                                        \
            const __mmask16 m = first_lanes(n - i);                                                                 \
            _mm512_mask_storeu_ps(y + i, m, lanes(_mm512_maskz_loadu_ps(m, x + i)));                                \
        }                                                                                                           \
    }
GATED(silu, silu_lanes)
GATED(gelu_tanh, gelu_tanh_lanes)
GATED(gelu_erf, gelu_erf_lanes)
PLAIN(gelu_tanh, gelu_tanh_lanes)
PLAIN(gelu_erf, gelu_erf_lanes)

void slm_softcap_f32_avx512(float *y, const float *x, size_t n, float cap)
{
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 m = first_lanes(n - i);
        _mm512_mask_storeu_ps(y + i, m, softcap_lanes(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(cap)));
    }
}
