/* activation.c -- 8 elements at a time, step by step as in math.h; the divisions are IEEE's, as the contract wants. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

/* Magnitude of a where `small` is set, else of b; sign of x. */
INLINE __m256 choose(__m256 small, __m256 a, __m256 b, __m256 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(sign, _mm256_blendv_ps(b, a, small)), _mm256_and_ps(sign, x));
}

/* slm_tanh_f32: both ways for all lanes. */
INLINE __m256 tanh_lanes(__m256 x)
{
    const __m256 a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x), z = _mm256_mul_ps(a, a), one = _mm256_set1_ps(1.0f);
    const __m256 small = _mm256_cmp_ps(a, _mm256_set1_ps(SLM_TANH_SMALL), _CMP_LT_OQ);
    const __m256 e = exp_lanes(_mm256_add_ps(a, a));
    const __m256 great = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(e, one)));
    __m256 q = _mm256_set1_ps(SLM_TANH_Q5);
    q = _mm256_fmadd_ps(q, z, _mm256_set1_ps(SLM_TANH_Q4));
    q = _mm256_fmadd_ps(q, z, _mm256_set1_ps(SLM_TANH_Q3));
    q = _mm256_fmadd_ps(q, z, _mm256_set1_ps(SLM_TANH_Q2));
    q = _mm256_fmadd_ps(q, z, _mm256_set1_ps(SLM_TANH_Q1));
    q = _mm256_fmadd_ps(q, z, _mm256_set1_ps(SLM_TANH_Q0));
    return choose(small, _mm256_fmadd_ps(_mm256_mul_ps(a, z), q, a), great, x);
}

/* slm_erf_f32: both ways for all lanes. min with the limit on the left keeps a NaN. */
INLINE __m256 erf_lanes(__m256 x)
{
    const __m256 a = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x), z = _mm256_mul_ps(a, a), t = _mm256_min_ps(_mm256_set1_ps(SLM_ERF_MOST), a);
    const __m256 small = _mm256_cmp_ps(a, _mm256_set1_ps(SLM_ERF_SMALL), _CMP_LT_OQ);
    __m256 r = _mm256_set1_ps(SLM_ERF_R8);
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R7));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R6));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R5));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R4));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R3));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R2));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R1));
    r = _mm256_fmadd_ps(r, t, _mm256_set1_ps(SLM_ERF_R0));
    const __m256 great = _mm256_sub_ps(_mm256_set1_ps(1.0f), exp_lanes(r));
    __m256 p = _mm256_set1_ps(SLM_ERF_P6);
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P5));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P4));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P3));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P2));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P1));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(SLM_ERF_P0));
    return choose(small, _mm256_fmadd_ps(a, p, a), great, x);
}

INLINE __m256 silu_lanes(__m256 x)
{
    const __m256 e = exp_lanes(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

INLINE __m256 gelu_tanh_lanes(__m256 x)
{
    const __m256 c = _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(SLM_GELU_C1), _mm256_set1_ps(SLM_GELU_C0));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), exp_lanes(_mm256_mul_ps(x, c))));
}

INLINE __m256 gelu_erf_lanes(__m256 x)
{
    const __m256 e = erf_lanes(_mm256_mul_ps(x, _mm256_set1_ps(SLM_HALF_ROOT)));
    return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_set1_ps(0.5f)), _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

INLINE __m256 softcap_lanes(__m256 x, __m256 cap)
{
    return _mm256_mul_ps(cap, tanh_lanes(_mm256_div_ps(x, cap)));
}

#define GATED(op, lanes)                                                                                            \
    void slm_##op##_mul_f32_avx2(float *y, const float *gate, const float *up, size_t n)                            \
    {                                                                                                               \
        size_t i = 0;                                                                                               \
        for (; n - i >= 8; i += 8)                                                                                  \
            _mm256_storeu_ps(y + i, _mm256_mul_ps(lanes(_mm256_loadu_ps(gate + i)), _mm256_loadu_ps(up + i)));      \
        if (i < n) {                                                                                                \
            const __m256i m = first_lanes(n - i);                                                                   \
            const __m256 a = lanes(_mm256_maskload_ps(gate + i, m));                                                \
            _mm256_maskstore_ps(y + i, m, _mm256_mul_ps(a, _mm256_maskload_ps(up + i, m)));                         \
        }                                                                                                           \
    }
#define PLAIN(op, lanes)                                                                                            \
    void slm_##op##_f32_avx2(float *y, const float *x, size_t n)                                                    \
    {                                                                                                               \
        size_t i = 0;                                                                                               \
        for (; n - i >= 8; i += 8)                                                                                  \
            _mm256_storeu_ps(y + i, lanes(_mm256_loadu_ps(x + i)));                                                 \
        if (i < n) {                                                                                                \
            const __m256i m = first_lanes(n - i);                                                                   \
            _mm256_maskstore_ps(y + i, m, lanes(_mm256_maskload_ps(x + i, m)));                                     \
        }                                                                                                           \
    }
GATED(silu, silu_lanes)
GATED(gelu_tanh, gelu_tanh_lanes)
GATED(gelu_erf, gelu_erf_lanes)
PLAIN(gelu_tanh, gelu_tanh_lanes)
PLAIN(gelu_erf, gelu_erf_lanes)

void slm_softcap_f32_avx2(float *y, const float *x, size_t n, float cap)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(y + i, softcap_lanes(_mm256_loadu_ps(x + i), _mm256_set1_ps(cap)));
    if (i < n) {
        const __m256i m = first_lanes(n - i);
        _mm256_maskstore_ps(y + i, m, softcap_lanes(_mm256_maskload_ps(x + i, m), _mm256_set1_ps(cap)));
    }
}
