/* math.h -- the scalar functions every kernel agrees on: one sequence of fma, mul, add and convert each (contract C9), so that the
 * SIMD forms give the same bits. */
#ifndef SLM_KERNELS_MATH_H
#define SLM_KERNELS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float slm_f32_of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline uint32_t slm_bits_of_f32(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* e^x, at most 2 ulp off; 1 at 0, exactly 0 below -104, infinity from about 88.73 on.
 *   n = rint(x / ln 2) by adding and taking away 1.5 * 2^23; r = x - n ln 2 in two fma (ln 2 as hi + lo);
 *   e^r = 1 + r + r^2 q(r), q of degree 4 by Chebyshev interpolation on +-0.35 (error 8e-9 of e^r), all by Horner's rule;
 *   times 2^n in two factors, so that only the last product rounds where the result is subnormal. */
#define SLM_EXP_LOG2E 0x1.715476p+0f
#define SLM_EXP_MAGIC 0x1.8p+23f
#define SLM_EXP_LN2HI 0x1.62e43p-1f
#define SLM_EXP_LN2LO -0x1.05c61p-29f
#define SLM_EXP_Q4 0x1.6d1606p-10f
#define SLM_EXP_Q3 0x1.12106cp-7f
#define SLM_EXP_Q2 0x1.555516p-5f
#define SLM_EXP_Q1 0x1.5554d8p-3f
#define SLM_EXP_Q0 0x1p-1f
#define SLM_EXP_LEAST -104.0f
#define SLM_EXP_MOST 89.0f

static inline float slm_exp_f32(float x)
{
    if (x < SLM_EXP_LEAST)
        return 0.0f;
    x = x > SLM_EXP_MOST ? SLM_EXP_MOST : x;
    const float t = fmaf(x, SLM_EXP_LOG2E, SLM_EXP_MAGIC);
    const float n = t - SLM_EXP_MAGIC;
    float r = fmaf(n, -SLM_EXP_LN2HI, x);
    r = fmaf(n, -SLM_EXP_LN2LO, r);
    float p = SLM_EXP_Q4;
    p = fmaf(p, r, SLM_EXP_Q3);
    p = fmaf(p, r, SLM_EXP_Q2);
    p = fmaf(p, r, SLM_EXP_Q1);
    p = fmaf(p, r, SLM_EXP_Q0);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    const int32_t i = (int32_t)(slm_bits_of_f32(t) - 0x4b400000u);      /* n as an integer: the low bits of t */
    const int32_t half = i >> 1;
    return p * slm_f32_of_bits((uint32_t)(half + 127) << 23) * slm_f32_of_bits((uint32_t)(i - half + 127) << 23);
}

/* x / (1 + e^-x). */
static inline float slm_silu_f32(float x)
{
    return x / (1.0f + slm_exp_f32(-x));
}

/* tanh x, at most 2 ulp off; +-1 from about 9.02 on; keeps the sign of zero.
 *   |x| < 0.625: x + x^3 q(x^2), q of degree 5 by Chebyshev interpolation (error 6e-9); else 1 - 2 / (e^2x + 1), where the error of the
 *   exponential counts less than half. */
#define SLM_TANH_SMALL 0.625f
#define SLM_TANH_Q0 -0x1.555556p-2f
#define SLM_TANH_Q1 0x1.1110e8p-3f
#define SLM_TANH_Q2 -0x1.ba0898p-5f
#define SLM_TANH_Q3 0x1.64a6a4p-6f
#define SLM_TANH_Q4 -0x1.11579cp-7f
#define SLM_TANH_Q5 0x1.2c3016p-9f

static inline float slm_tanh_f32(float x)
{
    const float a = fabsf(x), z = a * a;
    if (!(a < SLM_TANH_SMALL))
        return copysignf(1.0f - 2.0f / (slm_exp_f32(a + a) + 1.0f), x);
    float q = SLM_TANH_Q5;
    q = fmaf(q, z, SLM_TANH_Q4);
    q = fmaf(q, z, SLM_TANH_Q3);
    q = fmaf(q, z, SLM_TANH_Q2);
    q = fmaf(q, z, SLM_TANH_Q1);
    q = fmaf(q, z, SLM_TANH_Q0);
    return copysignf(fmaf(a * z, q, a), x);
}

/* erf x, at most 2 ulp off; +-1 from 4 on; keeps the sign of zero.
 *   |x| < 0.92: x + x p(x^2), p of degree 6; else 1 - e^r(|x|), r of degree 8 near log erfc (error 1e-8 of erf), both by Chebyshev
 *   interpolation. */
#define SLM_ERF_SMALL 0.92f
#define SLM_ERF_MOST 4.0f
#define SLM_ERF_P0 0x1.06eba8p-3f
#define SLM_ERF_P1 -0x1.812744p-2f
#define SLM_ERF_P2 0x1.ce2e14p-4f
#define SLM_ERF_P3 -0x1.b80f72p-6f
#define SLM_ERF_P4 0x1.54cfb6p-8f
#define SLM_ERF_P5 -0x1.aa7e38p-11f
#define SLM_ERF_P6 0x1.5d955cp-14f
#define SLM_ERF_R0 0x1.4e0356p-12f
#define SLM_ERF_R1 -0x1.2156d2p+0f
#define SLM_ERF_R2 -0x1.437e6cp-1f
#define SLM_ERF_R3 -0x1.c2eac2p-4f
#define SLM_ERF_R4 0x1.b0fd8cp-6f
#define SLM_ERF_R5 -0x1.381f9ap-8f
#define SLM_ERF_R6 0x1.394e9ap-11f
#define SLM_ERF_R7 -0x1.834022p-15f
#define SLM_ERF_R8 0x1.b90e7ap-20f

static inline float slm_erf_f32(float x)
{
    float a = fabsf(x);
    if (a < SLM_ERF_SMALL) {
        const float z = a * a;
        float p = SLM_ERF_P6;
        p = fmaf(p, z, SLM_ERF_P5);
        p = fmaf(p, z, SLM_ERF_P4);
        p = fmaf(p, z, SLM_ERF_P3);
        p = fmaf(p, z, SLM_ERF_P2);
        p = fmaf(p, z, SLM_ERF_P1);
        p = fmaf(p, z, SLM_ERF_P0);
        return copysignf(fmaf(a, p, a), x);
    }
    a = a > SLM_ERF_MOST ? SLM_ERF_MOST : a;
    float r = SLM_ERF_R8;
    r = fmaf(r, a, SLM_ERF_R7);
    r = fmaf(r, a, SLM_ERF_R6);
    r = fmaf(r, a, SLM_ERF_R5);
    r = fmaf(r, a, SLM_ERF_R4);
    r = fmaf(r, a, SLM_ERF_R3);
    r = fmaf(r, a, SLM_ERF_R2);
    r = fmaf(r, a, SLM_ERF_R1);
    r = fmaf(r, a, SLM_ERF_R0);
    return copysignf(1.0f - slm_exp_f32(r), x);
}

/* x/2 (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3), written as the same x / (1 + e^-2u), which does not cancel for x below 0. */
#define SLM_GELU_C0 -0x1.988454p+0f     /* -2 sqrt(2/pi) */
#define SLM_GELU_C1 -0x1.2444f2p-4f     /* -2 sqrt(2/pi) * 0.044715 */

static inline float slm_gelu_tanh_f32(float x)
{
    return x / (1.0f + slm_exp_f32(x * fmaf(x * x, SLM_GELU_C1, SLM_GELU_C0)));
}

/* x/2 (1 + erf(x / sqrt 2)). */
#define SLM_HALF_ROOT 0x1.6a09e6p-1f

static inline float slm_gelu_erf_f32(float x)
{
    return (x * 0.5f) * (1.0f + slm_erf_f32(x * SLM_HALF_ROOT));
}

/* IEEE binary16, round to nearest even, as the F16C instructions do it (a NaN keeps its upper payload and becomes quiet). */
static inline uint16_t slm_f16_of_f32(float v)
{
    const uint32_t bits = slm_bits_of_f32(v);
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u)                       /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {                      /* below 2^-14: subnormal; 2^-24 is the unit */
        if (magnitude < 0x33000000u)                    /* below 2^-25 */
            return (uint16_t)sign;
        const uint32_t shift = 126 - (magnitude >> 23); /* 14 .. 24: how far the unit of the result lies above ours */
        const uint32_t m = (magnitude & 0x7fffffu) | 0x800000u;
        const uint32_t kept = m >> shift, rest = m & ((1u << shift) - 1), half = 1u << (shift - 1);
        return (uint16_t)(sign | (kept + (rest > half || (rest == half && (kept & 1)))));
    }
    const uint32_t kept = (magnitude - 0x38000000u) >> 13, rest = magnitude & 0x1fffu;
    return (uint16_t)(sign | (kept + (rest > 0x1000u || (rest == 0x1000u && (kept & 1)))));
}

static inline float slm_f32_of_f16(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 0x1fu, m = h & 0x3ffu;
    if (exponent == 0x1f)
        return slm_f32_of_bits(sign | 0x7f800000u | m << 13 | (m ? 0x400000u : 0));
    if (exponent == 0) {
        const float v = (float)m * 0x1p-24f;
        return sign ? -v : v;
    }
    return slm_f32_of_bits(sign | (exponent + 112) << 23 | m << 13);
}

/* bfloat16, round to nearest even; a NaN becomes quiet. */
static inline uint16_t slm_bf16_of_f32(float v)
{
    const uint32_t bits = slm_bits_of_f32(v);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static inline float slm_f32_of_bf16(uint16_t h)
{
    return slm_f32_of_bits((uint32_t)h << 16);
}

/* Double functions for tables made once (rope), on +, -, *, / and exact steps only, because libm differs between systems (C10).
 * Each is a series cut where the next term is below 2^-60 of the result, after exact range reduction. */
double slm_exp_f64(double x);               /* |x| < 700 */
double slm_log_f64(double x);               /* x > 0, normal */
double slm_sin_f64(double x);               /* |x| < 2^20 quarter turns; less exact, and within 1 + 2^-10, up to 2^36 */
double slm_cos_f64(double x);

#endif
