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
double slm_sin_f64(double x);               /* |x| < 2^20 quarter turns */
double slm_cos_f64(double x);

#endif
