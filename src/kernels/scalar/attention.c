/* attention.c -- scores and weighted sums over one page of the cache (contract C8).
 *
 * qk:  s[i * lds + t] = scale * (q_i . k_t) for i < nq, t < keys
 *   q     q[i * ldq + e], e < d: rows of one kv head's query heads (or tokens)
 *   k     [ceil(keys/16)][d][16 keys], f16 or f32: lanes are keys; keys past `keys` in the last group are readable and ignored
 *   Order: acc = 0; acc = fma(k, q, acc) over e ascending; one product with scale.
 *
 * pv:  o[i * ldo + e] = o[i * ldo + e] + sum over t of p[i * ldp + t] * v_t[e], e < d
 *   v     [keys][d], f16 or f32: lanes are head dimensions
 *   Order: out = fma(p, v, out) over t ascending, starting from what is in o, so that pages chain.
 *
 * qk_q8, pv_q8: the same over a page of 8-bit values (kernels/cache.h draws it).
 *   q       q[i * ldq + b], b < ceil(d/32): blocks of the queries, by quantize_x
 *   Order of qk_q8: per block b of 32 along the head one exact integer sum, then acc = fma((float)isum, dk * dq, acc), b ascending, dk * dq
 *   one rounded product; one product with scale.
 *   Range   isum stays within 32 * 127 * (128 + 255) on the way, beginning at -128 * the sum of q (C12), and is below 2^24 at the end.
 *   Order of pv_q8: w = (float)q * scale, rounded; out = fma(p, w, out) over t ascending.
 *
 * Nothing beyond the named elements of s, q, o, p is read or written; k and v aligned to 2 (f16) or 4 bytes. */
#include "kernels/cache.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

typedef float element_fn(const void *base, size_t index);

static float element_f16(const void *base, size_t index)
{
    return slm_f32_of_f16(((const uint16_t *)base)[index]);
}

static float element_f32(const void *base, size_t index)
{
    return ((const float *)base)[index];
}

static inline __attribute__((always_inline)) void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k,
                                                     size_t d, size_t keys, float scale, element_fn *element)
{
    for (size_t i = 0; i < nq; i++) {
        for (size_t t = 0; t < keys; t++) {
            float acc = 0;
            for (size_t e = 0; e < d; e++)
                acc = fmaf(element(k, (t / 16 * d + e) * 16 + t % 16), q[i * ldq + e], acc);
            s[i * lds + t] = acc * scale;
        }
    }
}

static inline __attribute__((always_inline)) void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v,
                                                     size_t d, size_t keys, element_fn *element)
{
    for (size_t i = 0; i < nq; i++)
        for (size_t t = 0; t < keys; t++)
            for (size_t e = 0; e < d; e++)
                o[i * ldo + e] = fmaf(p[i * ldp + t], element(v, t * d + e), o[i * ldo + e]);
}

void slm_qk_f16_scalar(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, element_f16);
}

void slm_qk_f32_scalar(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, element_f32);
}

void slm_pv_f16_scalar(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, element_f16);
}

void slm_pv_f32_scalar(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, element_f32);
}

void slm_qk_q8_scalar(float *s, size_t lds, const slm_xblock *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    for (size_t i = 0; i < nq; i++) {
        for (size_t t = 0; t < keys; t++) {
            const uint8_t *group = (const uint8_t *)k + t / 16 * 16 * slm_cache_bytes(d);
            float acc = 0;
            for (size_t b = 0; b < slm_cache_blocks(d); b++) {
                const uint8_t *block = group + b * SLM_CACHE_KEY_BLOCK;
                const slm_xblock *x = &q[i * ldq + b];
                const size_t n = d - b * SLM_CACHE_BLOCK < SLM_CACHE_BLOCK ? d - b * SLM_CACHE_BLOCK : SLM_CACHE_BLOCK;
                int32_t sum = 128 * (x->nsum[0] + x->nsum[1]);
                for (size_t e = 0; e < n; e++)
                    sum += block[64 + e / 4 * 64 + t % 16 * 4 + e % 4] * x->q[e];
                acc = fmaf((float)sum, element_f32(block, t % 16) * x->d, acc);
            }
            s[i * lds + t] = acc * scale;
        }
    }
}

void slm_pv_q8_scalar(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const float *scales, const int8_t *v, size_t d, size_t keys)
{
    for (size_t i = 0; i < nq; i++)
        for (size_t t = 0; t < keys; t++)
            for (size_t e = 0; e < d; e++) {
                const float w = (float)v[t * slm_cache_width(d) + e] * scales[t * slm_cache_blocks(d) + e / SLM_CACHE_BLOCK];
                o[i * ldo + e] = fmaf(p[i * ldp + t], w, o[i * ldo + e]);
            }
}
