/* check_activation.c -- gated and plain activations, and the soft-cap. */
#include "check_kernels.h"
#include "kernels/math.h"

#include <stdio.h>

/* in_place: y is gate (1) or up (2). */
static int gated_case(check *c, slm_silu_mul_f32_fn *fn, slm_silu_mul_f32_fn *scalar, size_t n, check_kind kind, size_t place, int in_place)
{
    if (!check_case(c, place, "n=%zu %s%s", n, check_kind_name(kind), in_place == 0 ? "" : in_place == 1 ? " y=gate" : " y=up"))
        return 0;
    const check_pair y = check_out(c, n * 4, 4);
    float *gate = in_place == 1 ? y.got : check_in(c, n * 4, 4), *up = in_place == 2 ? y.got : check_in(c, n * 4, 4);
    check_fill_f32(c, gate, n, kind);
    check_fill_f32(c, up, n, kind);
    if (in_place)
        memcpy(y.want, y.got, n * 4);
    scalar(y.want, in_place == 1 ? y.want : gate, in_place == 2 ? y.want : up, n);
    check_begin(c);
    fn(y.got, gate, up, n);
    check_end(c);
    return 1;
}

/* Every place where exp changes its ways: around each integer and half of x / ln 2, and the ends of the range. */
static int exp_edges(check *c, slm_silu_mul_f32_fn *fn, slm_silu_mul_f32_fn *scalar)
{
    for (int i = -152; i <= 132; i++) {
        enum { N = 64 };
        if (!check_case(c, 0, "n=%d gate around %d ln 2 / 2", N, i))
            return 0;
        const check_pair y = check_out(c, N * 4, 4);
        float *gate = check_in(c, N * 4, 4), *up = check_in(c, N * 4, 4);
        const float middle = -(float)i * 0x1.62e43p-1f;
        for (int j = 0; j < N; j++) {
            gate[j] = slm_f32_of_bits(slm_bits_of_f32(j < 32 ? middle : middle + 0x1.62e43p-2f) + (uint32_t)(j % 32) - 16);
            if (!(gate[j] > -200 && gate[j] < 200))
                gate[j] = 0;
            up[j] = 1;
        }
        scalar(y.want, gate, up, N);
        check_begin(c);
        fn(y.got, gate, up, N);
        check_end(c);
    }
    return 1;
}

static void gated(check *c, slm_silu_mul_f32_fn *fn, slm_silu_mul_f32_fn *scalar)
{
    c->nan_alike = 1;
    for (size_t n = 0; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!gated_case(c, fn, scalar, n, kind, place, (int)((n + place + (size_t)kind) % 3)))
                    return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 20); i++)
        if (!gated_case(c, fn, scalar, 131 + check_below(c, 8000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES), (int)(i % 3)))
            return;
    exp_edges(c, fn, scalar);
}

static void bench_gated(check *c, slm_silu_mul_f32_fn *fn)
{
    enum { N = 4864 };
    static float y[N], gate[N], up[N];
    check_fill_f32(c, gate, N, CHECK_RANDOM);
    check_fill_f32(c, up, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=4864", N, "element", 0, fn(y, gate, up, N));
}

#define GATED(op)                                                                                           \
    void check_##op(check *c, slm_##op##_fn *fn) { gated(c, fn, slm_##op##_scalar); }                       \
    void bench_##op(check *c, slm_##op##_fn *fn) { bench_gated(c, fn); }
GATED(silu_mul_f32)
GATED(gelu_tanh_mul_f32)
GATED(gelu_erf_mul_f32)

/* One of the two is NULL: an activation, or the soft-cap with its cap. */
typedef struct plain_pair {
    slm_gelu_tanh_f32_fn *act;
    slm_softcap_f32_fn *capped;
} plain_pair;

static void call(plain_pair f, float *y, const float *x, size_t n, float cap)
{
    if (f.act)
        f.act(y, x, n);
    else
        f.capped(y, x, n, cap);
}

static int plain_case(check *c, plain_pair fn, plain_pair scalar, size_t n, check_kind kind, size_t place, int in_place)
{
    if (!check_case(c, place, "n=%zu %s%s", n, check_kind_name(kind), in_place ? " y=x" : ""))
        return 0;
    const float cap = check_u32(c) & 1 ? 50.0f : 0.75f;
    const check_pair y = check_out(c, n * 4, 4);
    float *x = in_place ? y.got : check_in(c, n * 4, 4);
    check_fill_f32(c, x, n, kind);
    for (size_t i = 0; kind == CHECK_RANDOM && i < n; i++)      /* the range in which the functions bend */
        x[i] *= (float)(i % 9);
    if (in_place)
        memcpy(y.want, y.got, n * 4);
    call(scalar, y.want, in_place ? y.want : x, n, cap);
    check_begin(c);
    call(fn, y.got, x, n, cap);
    check_end(c);
    return 1;
}

static void plain(check *c, plain_pair fn, plain_pair scalar)
{
    c->nan_alike = 1;
    for (size_t n = 0; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!plain_case(c, fn, scalar, n, kind, place, (int)((n + place + (size_t)kind) % 2)))
                    return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 40); i++)
        if (!plain_case(c, fn, scalar, 131 + check_below(c, 8000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES), (int)(i % 2)))
            return;
}

static void bench_plain(check *c, plain_pair fn)
{
    enum { N = 4864 };
    static float y[N], x[N];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=4864", N, "element", 0, call(fn, y, x, N, 30.0f));
}

#define PLAIN(op, member)                                                                                   \
    void check_##op(check *c, slm_##op##_fn *fn)                                                            \
    {                                                                                                       \
        plain(c, (plain_pair){ .member = fn }, (plain_pair){ .member = slm_##op##_scalar });                \
    }                                                                                                       \
    void bench_##op(check *c, slm_##op##_fn *fn) { bench_plain(c, (plain_pair){ .member = fn }); }
PLAIN(gelu_tanh_f32, act)
PLAIN(gelu_erf_f32, act)
PLAIN(softcap_f32, capped)
