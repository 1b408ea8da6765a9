/* check_softmax.c -- max_f32 and exp_sum_f32. */
#include "check_kernels.h"

#include <math.h>
#include <string.h>

static int max_case(check *c, slm_max_f32_fn *fn, size_t n, check_kind kind, size_t place, int negative)
{
    if (!check_case(c, place, "n=%zu %s%s", n, check_kind_name(kind), negative ? " negative" : ""))
        return 0;
    float *x = check_in(c, n * 4, 4);
    check_fill_f32(c, x, n, kind);
    if (negative)
        for (size_t i = 0; i < n; i++)
            x[i] = -fabsf(x[i]);
    const float want = slm_max_f32_scalar(x, n);
    check_begin(c);
    const float got = fn(x, n);
    check_return_f32(c, got, want);
    check_end(c);
    return 1;
}

void check_max_f32(check *c, slm_max_f32_fn *fn)
{
    for (size_t n = 1; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!max_case(c, fn, n, kind, place, (int)(place & 1)))
                    return;
    for (size_t n = 1; n <= 70; n++) {      /* the greatest and one NaN at every place in turn */
        for (size_t i = 0; i < 2 * n; i++) {
            if (!check_case(c, i % 2, "n=%zu %s at %zu", n, i < n ? "greatest" : "nan", i % n))
                return;
            float *x = check_in(c, n * 4, 4);
            for (size_t j = 0; j < n; j++)
                x[j] = -INFINITY;
            x[i % n] = i < n ? -1.0f : -NAN;
            const float want = slm_max_f32_scalar(x, n);
            check_begin(c);
            const float got = fn(x, n);
            check_return_f32(c, got, want);
            check_end(c);
        }
    }
    for (size_t i = 0; i < (c->thorough ? 5000 : 100); i++)
        if (!max_case(c, fn, 131 + check_below(c, 9000), i % CHECK_KINDS, check_below(c, CHECK_PLACES), (int)(i & 1)))
            return;
}

/* The contract wants no NaN among s - m: infinities of one sign may meet a finite m. */
static int exp_case(check *c, slm_exp_sum_f32_fn *fn, size_t n, size_t first, check_kind kind, size_t place, int in_place)
{
    if (!check_case(c, place, "n=%zu first=%zu %s%s", n, first, check_kind_name(kind), in_place ? " p=s" : ""))
        return 0;
    const check_pair p = check_out(c, n * 4, 4);
    float *s = in_place ? p.got : check_in(c, n * 4, 4), m = 0;
    check_fill_f32(c, s, n, kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (kind == CHECK_ANY) {                /* scores as they are, masked ones and some that underflow */
        for (size_t i = 0; i < n; i++)
            s[i] = i % 7 == 5 ? -INFINITY
                 : i % 5 == 3 ? -88.0f - (float)check_below(c, 20) + 0.01f * check_f32(c, CHECK_RANDOM) : s[i] * 4;
        m = check_f32(c, CHECK_RANDOM);
    } else if (kind != CHECK_HUGE && n) {   /* the greatest, as a softmax has it; where HUGE stays with 0 exp is 0 or infinite */
        m = slm_max_f32_scalar(s, n);
    }
    if (in_place)
        memcpy(p.want, p.got, n * 4);
    const float want = slm_exp_sum_f32_scalar(p.want, in_place ? p.want : s, n, first, m);
    check_begin(c);
    const float got = fn(p.got, s, n, first, m);
    check_return_f32(c, got, want);
    check_end(c);
    return 1;
}

void check_exp_sum_f32(check *c, slm_exp_sum_f32_fn *fn)
{
    for (size_t n = 0; n <= 130; n++)
        for (size_t first = 0; first < 18; first++)
            for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
                if (!exp_case(c, fn, n, first + 64 * check_below(c, 3), kind, check_below(c, CHECK_PLACES), (int)((n + first) % 2)))
                    return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 50); i++)
        if (!exp_case(c, fn, 131 + check_below(c, 5000), check_below(c, 1000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES),
                      (int)(i & 1)))
            return;
}

void bench_max_f32(check *c, slm_max_f32_fn *fn)
{
    enum { N = 2048 };
    static float x[N];
    volatile float sink;
    check_fill_f32(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, sink = fn(x, N));
    (void)sink;
}

void bench_exp_sum_f32(check *c, slm_exp_sum_f32_fn *fn)
{
    enum { N = 2048 };
    static float s[N], p[N];
    check_fill_f32(c, s, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(p, s, N, 0, 8.0f));
}
