/* check_softmax.c -- max_f32 and exp_sum_f32. */
#include "check_kernels.h"

#include "core/size.h"

#include <float.h>
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

/* Columns from .. to - 1 of rows: the scores of check_f32's kinds, a NaN and infinities among them where `any` says so. */
static int rows_case(check *c, slm_max_rows_f32_fn *most_of, slm_exp_rows_f32_fn *exp_of, size_t rows, size_t from, size_t to, size_t gap,
                     check_kind kind, size_t place)
{
    const size_t ld = slm_max(from, to) + gap, n = rows ? (rows - 1) * ld + slm_max(from, to) : 0;
    if (!check_case(c, place, "rows=%zu from=%zu to=%zu ld=%zu %s", rows, from, to, ld, check_kind_name(kind)))
        return 0;
    const check_pair lanes = check_out(c, rows * 16 * 4, 4);
    const int in_place = (int)(gap & 1);
    check_pair p = { NULL, NULL };
    float *s = NULL, *most = NULL;
    if (exp_of)
        p = check_out(c, n * 4, 4);
    if (!exp_of || !in_place)
        s = check_in(c, n * 4, 4);
    if (exp_of)
        most = check_in(c, rows * 4, 4);
    float *fill = s ? s : p.got;
    check_fill_f32(c, fill, n, kind);
    for (size_t i = 0; kind == CHECK_ANY && i < n; i++)     /* scores as they are, masked ones, some that underflow and now and then a NaN */
        fill[i] = i % 7 == 5 ? -INFINITY
                : i % 5 == 3 ? -84.0f - (float)check_below(c, 24) : check_below(c, 400) ? check_f32(c, CHECK_RANDOM) * 4 : NAN;
    check_fill_f32(c, lanes.want, rows * 16, CHECK_RANDOM);
    memcpy(lanes.got, lanes.want, rows * 16 * 4);
    if (exp_of) {
        for (size_t r = 0; r < rows; r++) {
            most[r] = -FLT_MAX;
            for (size_t t = 0; t < ld && r * ld + t < n; t++)
                most[r] = fill[r * ld + t] > most[r] ? fill[r * ld + t] : most[r];
        }
        if (!s)
            memcpy(p.want, p.got, n * 4);
        slm_exp_rows_f32_scalar(p.want, lanes.want, s ? s : p.want, ld, most, rows, from, to);
    } else {
        slm_max_rows_f32_scalar(lanes.want, s, ld, rows, from, to);
    }
    check_begin(c);
    if (exp_of)
        exp_of(p.got, lanes.got, s ? s : p.got, ld, most, rows, from, to);
    else
        most_of(lanes.got, s, ld, rows, from, to);
    check_end(c);
    return 1;
}

static void rows_cases(check *c, slm_max_rows_f32_fn *most_of, slm_exp_rows_f32_fn *exp_of)
{
    c->nan_alike = 1;
    for (size_t from = 0; from <= 66; from++)
        for (size_t to = 0; to <= 66; to++)
            if (!rows_case(c, most_of, exp_of, 1 + check_below(c, 3), from, to, check_below(c, 9), (check_kind)((from + to) % (CHECK_ANY + 1)),
                           check_below(c, CHECK_PLACES)))
                return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 300); i++)
        if (!rows_case(c, most_of, exp_of, check_below(c, 50), i % 3 ? 0 : check_below(c, 64), i % 2 ? 64 : check_below(c, 200), check_below(c, 33),
                       i % 3 ? CHECK_ANY : (check_kind)(i % CHECK_KINDS), check_below(c, CHECK_PLACES)))
            return;
}

void check_max_rows_f32(check *c, slm_max_rows_f32_fn *fn)
{
    rows_cases(c, fn, NULL);
}

void check_exp_rows_f32(check *c, slm_exp_rows_f32_fn *fn)
{
    rows_cases(c, NULL, fn);
}

void bench_max_rows_f32(check *c, slm_max_rows_f32_fn *fn)
{
    enum { ROWS = 6, LD = 64 };
    static float most[ROWS * 16], s[ROWS * LD];
    check_fill_f32(c, s, ROWS * LD, CHECK_RANDOM);
    CHECK_TIME(c, "6 rows of 64", ROWS * LD, "element", 0, fn(most, s, LD, ROWS, 0, LD));
}

void bench_exp_rows_f32(check *c, slm_exp_rows_f32_fn *fn)
{
    enum { ROWS = 6, LD = 64 };
    static float most[ROWS], sum[ROWS * 16], s[ROWS * LD], p[ROWS * LD];
    check_fill_f32(c, s, ROWS * LD, CHECK_RANDOM);
    for (size_t r = 0; r < ROWS; r++)
        most[r] = slm_max_f32_scalar(s + r * LD, LD);
    CHECK_TIME(c, "6 rows of 64", ROWS * LD, "element", 0, fn(p, sum, s, LD, most, ROWS, 0, LD));
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
