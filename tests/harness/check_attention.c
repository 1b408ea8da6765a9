/* check_attention.c -- qk_* and pv_*: head sizes of any kind, up to and past the tiles, rows with gaps between them. */
#include "check_kernels.h"

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

/* Sweeps of one size with the others small, the head sizes of real models, then random triples. The reference costs about 5 ns per
 * product, which bounds the number of large ones. */
static int one_case(check *c, slm_qk_f16_fn *qk, slm_pv_f16_fn *pv, int half, size_t nq, size_t d, size_t keys, check_kind kind)
{
    const size_t gap = check_u32(c) % 3 ? 0 : check_below(c, 35), place = check_below(c, CHECK_PLACES);
    return qk ? qk_case(c, qk, half, nq, d, keys, gap, kind, place) : pv_case(c, pv, half, nq, d, keys, gap, kind, place);
}

static void shapes(check *c, slm_qk_f16_fn *qk, slm_pv_f16_fn *pv, int half)
{
    static const size_t heads[] = { 16, 24, 32, 40, 48, 64, 72, 80, 96, 112, 128, 192, 256 };
    c->nan_alike = 1;                   /* MIXED and HUGE overflow, and infinities meet */
    for (size_t d = 0; d <= 130; d++)
        for (size_t nq = 1; nq <= 13; nq++)
            if (!one_case(c, qk, pv, half, nq, d, 1 + check_below(c, 34), (check_kind)((d + nq) % CHECK_KINDS)))
                return;
    for (size_t keys = 0; keys <= 130; keys++)
        for (size_t nq = 1; nq <= 13; nq++)
            if (!one_case(c, qk, pv, half, nq, 1 + check_below(c, 40), keys, (check_kind)((keys + nq) % CHECK_KINDS)))
                return;
    for (size_t nq = 0; nq <= 130; nq++)
        if (!one_case(c, qk, pv, half, nq, 1 + check_below(c, 40), 1 + check_below(c, 66), (check_kind)(nq % CHECK_KINDS)))
            return;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        for (size_t nq = 1; nq <= 16; nq++)
            if (!one_case(c, qk, pv, half, nq, heads[i], nq & 1 ? 64 : 1 + check_below(c, 64), CHECK_RANDOM))
                return;
    for (size_t i = 0; i < (c->thorough ? 20000 : 400); i++)
        if (!one_case(c, qk, pv, half, check_below(c, 71), check_below(c, 140), check_below(c, 67), (check_kind)(i % CHECK_KINDS)))
            return;
}

void check_qk_f16(check *c, slm_qk_f16_fn *fn)
{
    shapes(c, fn, NULL, 1);
}

void check_qk_f32(check *c, slm_qk_f32_fn *fn)
{
    shapes(c, fn, NULL, 0);
}

void check_pv_f16(check *c, slm_pv_f16_fn *fn)
{
    shapes(c, NULL, fn, 1);
}

void check_pv_f32(check *c, slm_pv_f32_fn *fn)
{
    shapes(c, NULL, fn, 0);
}

static void bench(check *c, slm_qk_f16_fn *qk, slm_pv_f16_fn *pv, int half)
{
    enum { KEYS = 64, D = 128, NQ = 64 };
    static float rows[NQ * D], weights[NQ * KEYS], q[NQ * D];
    static _Alignas(64) uint8_t cache[KEYS * D * 4];
    static const size_t dims[] = { 64, 128, 80 }, queries[] = { 1, 2, 3, 4, 6, 7, 8, 16, 64 };
    check_fill_f32(c, q, NQ * D, CHECK_RANDOM);
    for (size_t i = 0; i < NQ * KEYS; i++)
        weights[i] = 0x1p-20f;          /* sums of a million calls stay finite */
    fill_cache(c, cache, KEYS * D, CHECK_RANDOM, half);
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (size_t j = 0; j < sizeof queries / sizeof *queries; j++) {
            const size_t d = dims[i], nq = queries[j];
            const double work = 2.0 * (double)(nq * d * KEYS);
            char label[60];
            snprintf(label, sizeof label, "nq=%zu d=%zu keys=%d", nq, d, KEYS);
            if (qk)
                CHECK_TIME(c, label, work, "FLOP", c->peak, qk(weights, KEYS, q, D, nq, cache, d, KEYS, 0x1p-20f));
            else
                CHECK_TIME(c, label, work, "FLOP", c->peak, pv(rows, D, weights, KEYS, nq, cache, d, KEYS));
        }
}

void bench_qk_f16(check *c, slm_qk_f16_fn *fn)
{
    bench(c, fn, NULL, 1);
}

void bench_qk_f32(check *c, slm_qk_f32_fn *fn)
{
    bench(c, fn, NULL, 0);
}

void bench_pv_f16(check *c, slm_pv_f16_fn *fn)
{
    bench(c, NULL, fn, 1);
}

void bench_pv_f32(check *c, slm_pv_f32_fn *fn)
{
    bench(c, NULL, fn, 0);
}
