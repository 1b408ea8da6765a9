/* check_rope.c -- rope_normal_f32, rope_neox_f32. Both are in place; values between heads must stay. */
#include "check_kernels.h"

#include <string.h>

static int rope_case(check *c, slm_rope_normal_f32_fn *fn, slm_rope_normal_f32_fn *reference, size_t heads, size_t gap, size_t pairs,
                     check_kind kind, size_t place)
{
    const size_t stride = 2 * pairs + gap, n = heads ? (heads - 1) * stride + 2 * pairs : 0;   /* nothing after the last pair */
    if (!check_case(c, place, "heads=%zu stride=%zu pairs=%zu %s", heads, stride, pairs, check_kind_name(kind)))
        return 0;
    const check_pair x = check_out(c, n * 4, 4);
    float *cosine = check_in(c, pairs * 4, 4), *sine = check_in(c, pairs * 4, 4);
    check_fill_f32(c, x.want, n, kind);
    memcpy(x.got, x.want, n * 4);
    check_fill_f32(c, cosine, pairs, kind == CHECK_HUGE ? CHECK_RANDOM : kind);
    check_fill_f32(c, sine, pairs, kind == CHECK_HUGE ? CHECK_RANDOM : kind);
    reference(x.want, cosine, sine, heads, stride, pairs);
    check_begin(c);
    fn(x.got, cosine, sine, heads, stride, pairs);
    check_end(c);
    return 1;
}

static void rope(check *c, slm_rope_normal_f32_fn *fn, slm_rope_normal_f32_fn *reference)
{
    c->nan_alike = 1;                   /* MIXED overflows */
    for (size_t pairs = 0; pairs <= 130; pairs++)
        for (check_kind kind = 0; kind < CHECK_KINDS; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!rope_case(c, fn, reference, check_below(c, 5), check_below(c, 2) * check_below(c, 40), pairs, kind, place))
                    return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 300); i++)
        if (!rope_case(c, fn, reference, check_below(c, 40), check_below(c, 2) * check_below(c, 200), check_below(c, 130),
                       i % CHECK_KINDS, check_below(c, CHECK_PLACES)))
            return;
}

void check_rope_normal_f32(check *c, slm_rope_normal_f32_fn *fn)
{
    rope(c, fn, slm_rope_normal_f32_scalar);
}

void check_rope_neox_f32(check *c, slm_rope_neox_f32_fn *fn)
{
    rope(c, fn, slm_rope_neox_f32_scalar);
}

static void bench(check *c, slm_rope_normal_f32_fn *fn)
{
    enum { HEADS = 32, D = 64 };
    static float x[HEADS * D], cosine[D / 2], sine[D / 2];
    check_fill_f32(c, x, HEADS * D, CHECK_RANDOM);
    for (size_t i = 0; i < D / 2; i++) {    /* rotations keep the length, so that a million of them do not overflow */
        cosine[i] = 0.6f;
        sine[i] = 0.8f;
    }
    CHECK_TIME(c, "heads=32 d=64", HEADS * D, "element", 0, fn(x, cosine, sine, HEADS, D, D / 2));
}

void bench_rope_normal_f32(check *c, slm_rope_normal_f32_fn *fn)
{
    bench(c, fn);
}

void bench_rope_neox_f32(check *c, slm_rope_neox_f32_fn *fn)
{
    bench(c, fn);
}
