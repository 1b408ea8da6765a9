/* check_attention.c -- qk_* and pv_*: head sizes of any kind, up to and past the tiles, rows with gaps between them. */
#include "check_kernels.h"
#include "kernels/cache.h"

#include <stdio.h>
#include <string.h>

static void fill_cache(check *c, void *x, size_t n, check_kind kind, int half)
{
    if (half)
        check_fill_f16(c, x, n, kind);
    else
        check_fill_f32(c, x, n, kind);
}

static int qk_case(check *c, slm_qk_f16_fn *fn, int half, size_t nq, size_t d, size_t keys, size_t gap, check_kind kind, size_t place)
{
    const size_t element = half ? 2 : 4, groups = (keys + 15) / 16, lds = keys + gap, ldq = d + gap;
    if (!check_case(c, place, "nq=%zu d=%zu keys=%zu lds=%zu ldq=%zu %s", nq, d, keys, lds, ldq, check_kind_name(kind)))
        return 0;
    const check_pair s = check_out(c, nq ? ((nq - 1) * lds + keys) * 4 : 0, 4);
    const size_t q_count = nq ? (nq - 1) * ldq + d : 0;
    float *q = check_in(c, q_count * 4, 4);
    void *k = check_in(c, groups * d * 16 * element, element);
    check_fill_f32(c, q, q_count, kind);
    fill_cache(c, k, groups * d * 16, kind, half);
    const float scale = kind == CHECK_MIXED ? check_f32(c, CHECK_RANDOM) : 0.125f;
    (half ? slm_qk_f16_scalar : slm_qk_f32_scalar)(s.want, lds, q, ldq, nq, k, d, keys, scale);
    check_begin(c);
    fn(s.got, lds, q, ldq, nq, k, d, keys, scale);
    check_end(c);
    return 1;
}

static int pv_case(check *c, slm_pv_f16_fn *fn, int half, size_t nq, size_t d, size_t keys, size_t gap, check_kind kind, size_t place)
{
    const size_t element = half ? 2 : 4, ldo = d + gap, ldp = keys + gap;
    if (!check_case(c, place, "nq=%zu d=%zu keys=%zu ldo=%zu ldp=%zu %s", nq, d, keys, ldo, ldp, check_kind_name(kind)))
        return 0;
    const size_t o_count = nq ? (nq - 1) * ldo + d : 0, p_count = nq ? (nq - 1) * ldp + keys : 0;
    const check_pair o = check_out(c, o_count * 4, 4);
    float *p = check_in(c, p_count * 4, 4);
    void *v = check_in(c, keys * d * element, element);
    check_fill_f32(c, o.want, o_count, kind);
    memcpy(o.got, o.want, o_count * 4);
    check_fill_f32(c, p, p_count, kind);
    fill_cache(c, v, keys * d, kind, half);
    (half ? slm_pv_f16_scalar : slm_pv_f32_scalar)(o.want, ldo, p, ldp, nq, v, d, keys);
    check_begin(c);
    fn(o.got, ldo, p, ldp, nq, v, d, keys);
    check_end(c);
    return 1;
}

/* Rows [nq][ldq] of blocks of 8-bit queries. */
static void fill_queries(check *c, slm_xblock *q, size_t ldq, size_t nq, size_t d, check_kind kind)
{
    float x[256];
    slm_xblock blocks[8];
    for (size_t i = 0; i < nq; i++) {
        check_fill_f32(c, x, d, kind);
        (void)slm_quantize_x_scalar(blocks, x, d);
        memcpy(&q[i * ldq], blocks, slm_cache_blocks(d) * sizeof *q);
    }
}

static int qk_q8_case(check *c, slm_qk_q8_fn *fn, size_t nq, size_t d, size_t keys, size_t gap, check_kind kind, size_t place)
{
    const size_t blocks = slm_cache_blocks(d), groups = (keys + 15) / 16, bytes = groups * 16 * slm_cache_bytes(d), lds = keys + gap, ldq = blocks + gap;
    if (!check_case(c, place, "nq=%zu d=%zu keys=%zu lds=%zu ldq=%zu %s", nq, d, keys, lds, ldq, check_kind_name(kind)))
        return 0;
    const check_pair s = check_out(c, nq ? ((nq - 1) * lds + keys) * 4 : 0, 4);
    slm_xblock *q = check_in(c, (nq ? (nq - 1) * ldq + blocks : 0) * sizeof *q, 4);
    uint8_t *k = check_in(c, bytes, 4);
    fill_queries(c, q, ldq, nq, d, kind);
    check_fill_bytes(c, k, bytes);
    for (size_t g = 0; g < groups; g++)
        for (size_t b = 0; b < blocks; b++)
            check_fill_f32(c, (float *)(void *)(k + g * 16 * slm_cache_bytes(d) + b * SLM_CACHE_KEY_BLOCK), 16, kind);
    slm_qk_q8_scalar(s.want, lds, q, ldq, nq, k, d, keys, 0.125f);
    check_begin(c);
    fn(s.got, lds, q, ldq, nq, k, d, keys, 0.125f);
    check_end(c);
    return 1;
}

static int pv_q8_case(check *c, slm_pv_q8_fn *fn, size_t nq, size_t d, size_t keys, size_t gap, check_kind kind, size_t place)
{
    const size_t n_scales = keys * slm_cache_blocks(d), n_values = keys * slm_cache_width(d), ldo = d + gap, ldp = keys + gap;
    if (!check_case(c, place, "nq=%zu d=%zu keys=%zu ldo=%zu ldp=%zu %s", nq, d, keys, ldo, ldp, check_kind_name(kind)))
        return 0;
    const size_t o_count = nq ? (nq - 1) * ldo + d : 0, p_count = nq ? (nq - 1) * ldp + keys : 0;
    const check_pair o = check_out(c, o_count * 4, 4);
    float *p = check_in(c, p_count * 4, 4), *scales = check_in(c, n_scales * 4, 4);
    int8_t *v = check_in(c, n_values, 1);
    check_fill_f32(c, o.want, o_count, kind);
    memcpy(o.got, o.want, o_count * 4);
    check_fill_f32(c, p, p_count, kind);
    check_fill_f32(c, scales, n_scales, kind);
    check_fill_bytes(c, v, n_values);
    slm_pv_q8_scalar(o.want, ldo, p, ldp, nq, scales, v, d, keys);
    check_begin(c);
    fn(o.got, ldo, p, ldp, nq, scales, v, d, keys);
    check_end(c);
    return 1;
}

/* One kernel of a kind of cache. */
typedef struct subject {
    slm_qk_f16_fn *qk;
    slm_pv_f16_fn *pv;
    slm_qk_q8_fn *qk_q8;
    slm_pv_q8_fn *pv_q8;
    int half;
} subject;

/* Sweeps of one size with the others small, the head sizes of real models, then random triples. The reference costs about 5 ns per
 * product, which bounds the number of large ones. */
static int one_case(check *c, const subject *s, size_t nq, size_t d, size_t keys, check_kind kind)
{
    const size_t gap = check_u32(c) % 3 ? 0 : check_below(c, 35), place = check_below(c, CHECK_PLACES);
    if (s->qk_q8)
        return qk_q8_case(c, s->qk_q8, nq, d, keys, gap, kind, place);
    if (s->pv_q8)
        return pv_q8_case(c, s->pv_q8, nq, d, keys, gap, kind, place);
    return s->qk ? qk_case(c, s->qk, s->half, nq, d, keys, gap, kind, place) : pv_case(c, s->pv, s->half, nq, d, keys, gap, kind, place);
}

static void shapes(check *c, const subject s)
{
    static const size_t heads[] = { 16, 24, 32, 40, 48, 64, 72, 80, 96, 112, 128, 192, 256 };
    c->nan_alike = 1;                   /* MIXED and HUGE overflow, and infinities meet */
    for (size_t d = 0; d <= 130; d++)
        for (size_t nq = 1; nq <= 13; nq++)
            if (!one_case(c, &s, nq, d, 1 + check_below(c, 34), (check_kind)((d + nq) % CHECK_KINDS)))
                return;
    for (size_t keys = 0; keys <= 130; keys++)
        for (size_t nq = 1; nq <= 13; nq++)
            if (!one_case(c, &s, nq, 1 + check_below(c, 40), keys, (check_kind)((keys + nq) % CHECK_KINDS)))
                return;
    for (size_t nq = 0; nq <= 130; nq++)
        if (!one_case(c, &s, nq, 1 + check_below(c, 40), 1 + check_below(c, 66), (check_kind)(nq % CHECK_KINDS)))
            return;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (size_t nq = 1; nq <= 16; nq++)
            if (!one_case(c, &s, nq, heads[i], nq & 1 ? 64 : 1 + check_below(c, 64), CHECK_RANDOM))
                return;
    for (size_t i = 0; i < (c->thorough ? 20000 : 400); i++)
        if (!one_case(c, &s, check_below(c, 71), check_below(c, 140), check_below(c, 67), (check_kind)(i % CHECK_KINDS)))
            return;
}

void check_qk_f16(check *c, slm_qk_f16_fn *fn)
{
    shapes(c, (subject){ .qk = fn, .half = 1 });
}

void check_qk_f32(check *c, slm_qk_f32_fn *fn)
{
    shapes(c, (subject){ .qk = fn });
}

void check_pv_f16(check *c, slm_pv_f16_fn *fn)
{
    shapes(c, (subject){ .pv = fn, .half = 1 });
}

void check_pv_f32(check *c, slm_pv_f32_fn *fn)
{
    shapes(c, (subject){ .pv = fn });
}

void check_qk_q8(check *c, slm_qk_q8_fn *fn)
{
    shapes(c, (subject){ .qk_q8 = fn });
}

void check_pv_q8(check *c, slm_pv_q8_fn *fn)
{
    shapes(c, (subject){ .pv_q8 = fn });
}

static void bench(check *c, const subject s)
{
    enum { KEYS = 64, D = 128, NQ = 64 };
    static float rows[NQ * D], weights[NQ * KEYS], q[NQ * D];
    static _Alignas(64) uint8_t cache[KEYS * D * 4];
    static slm_xblock blocks[NQ * D / 32];
    static const size_t dims[] = { 64, 128, 80 }, queries[] = { 1, 2, 3, 4, 6, 7, 8, 16, 64 };
    check_fill_f32(c, q, NQ * D, CHECK_RANDOM);
    for (size_t i = 0; i < NQ * KEYS; i++)
        weights[i] = 0x1p-20f;          /* sums of a million calls stay finite */
    if (s.qk_q8 || s.pv_q8)         /* any bytes will do, but not any floats: those of random bytes may be subnormal */
        for (size_t i = 0; i < sizeof cache / 4; i++)
            ((float *)(void *)cache)[i] = 1.0f;
    else
        fill_cache(c, cache, KEYS * D, CHECK_RANDOM, s.half);
    fill_queries(c, blocks, D / 32, NQ, D, CHECK_RANDOM);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (size_t j = 0; j < sizeof queries / sizeof *queries; j++) {
            const size_t d = dims[i], nq = queries[j];
            const double work = 2.0 * (double)(nq * d * KEYS);
            char label[60];
            snprintf(label, sizeof label, "nq=%zu d=%zu keys=%d", nq, d, KEYS);
            if (s.qk_q8)
                CHECK_TIME(c, label, work, "FLOP", c->peak, s.qk_q8(weights, KEYS, blocks, D / 32, nq, cache, d, KEYS, 0x1p-20f));
            else if (s.pv_q8)
                CHECK_TIME(c, label, work, "FLOP", c->peak, s.pv_q8(rows, D, weights, KEYS, nq, (const float *)(const void *)cache,
                                                                    (const int8_t *)cache + KEYS * 4 * slm_cache_blocks(d), d, KEYS));
            else if (s.qk)
                CHECK_TIME(c, label, work, "FLOP", c->peak, s.qk(weights, KEYS, q, D, nq, cache, d, KEYS, 0x1p-20f));
            else
                CHECK_TIME(c, label, work, "FLOP", c->peak, s.pv(rows, D, weights, KEYS, nq, cache, d, KEYS));
        }
}

void bench_qk_f16(check *c, slm_qk_f16_fn *fn)
{
    bench(c, (subject){ .qk = fn, .half = 1 });
}

void bench_qk_f32(check *c, slm_qk_f32_fn *fn)
{
    bench(c, (subject){ .qk = fn });
}

void bench_pv_f16(check *c, slm_pv_f16_fn *fn)
{
    bench(c, (subject){ .pv = fn, .half = 1 });
}

void bench_pv_f32(check *c, slm_pv_f32_fn *fn)
{
    bench(c, (subject){ .pv = fn });
}

void bench_qk_q8(check *c, slm_qk_q8_fn *fn)
{
    bench(c, (subject){ .qk_q8 = fn });
}

void bench_pv_q8(check *c, slm_pv_q8_fn *fn)
{
    bench(c, (subject){ .pv_q8 = fn });
}
