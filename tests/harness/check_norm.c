/* check_norm.c -- rms_norm_f32 and layer_norm_f32. An infinite or NaN sum is seen by the caller, who does not look at y then. */
#include "check_kernels.h"

#include <math.h>
#include <string.h>

static int norm_case(check *c, slm_rms_norm_f32_fn *fn, size_t n, check_kind kind, size_t place, int in_place)
{
    if (!check_case(c, place, "n=%zu %s%s", n, check_kind_name(kind), in_place ? " y=x" : ""))
        return 0;
    const float eps = kind == CHECK_ZEROS && place & 1 ? 0x1p-149f : check_u32(c) & 1 ? 1e-5f : 1e-6f;
    const check_pair y = check_out(c, n * 4, 4);
    float *x = in_place ? y.got : check_in(c, n * 4, 4), *w = check_in(c, n * 4, 4);
    check_fill_f32(c, x, n, kind);
    check_fill_f32(c, w, n, check_u32(c) & 1 || kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (in_place)
        memcpy(y.want, y.got, n * 4);
    const float want = slm_rms_norm_f32_scalar(y.want, in_place ? y.want : x, w, n, eps);
    check_begin(c);
    const float got = fn(y.got, x, w, n, eps);
    check_return_f32(c, got, want);
    check_end(c);
    return 1;
}

void check_rms_norm_f32(check *c, slm_rms_norm_f32_fn *fn)
{
    c->nan_alike = 1;
    for (size_t n = 1; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!norm_case(c, fn, n, kind, place, (int)((n + place) % 2)))
                    return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 200); i++)
        if (!norm_case(c, fn, 131 + check_below(c, 9000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES), (int)(i / 8 % 2)))
            return;
}

void bench_rms_norm_f32(check *c, slm_rms_norm_f32_fn *fn)
{
    enum { N = 2048 };
    static float x[N], y[N], w[N];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    check_fill_f32(c, w, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(y, x, w, N, 1e-5f));
}

/* form: bit 0: y is x; bit 1: no bias. */
static int layer_norm_case(check *c, slm_layer_norm_f32_fn *fn, size_t n, check_kind kind, size_t place, int form)
{
    if (!check_case(c, place, "n=%zu %s%s%s", n, check_kind_name(kind), form & 1 ? " y=x" : "", form & 2 ? " no bias" : ""))
        return 0;
    const check_pair y = check_out(c, n * 4, 4);
    float *x = form & 1 ? y.got : check_in(c, n * 4, 4), *w = check_in(c, n * 4, 4), *b = form & 2 ? NULL : check_in(c, n * 4, 4);
    check_fill_f32(c, x, n, kind);
    check_fill_f32(c, w, n, check_u32(c) & 1 || kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (b)
        check_fill_f32(c, b, n, kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (form & 1)
        memcpy(y.want, y.got, n * 4);
    const float want = slm_layer_norm_f32_scalar(y.want, form & 1 ? y.want : x, w, b, n, 1e-5f);
    check_begin(c);
    const float got = fn(y.got, x, w, b, n, 1e-5f);
    check_return_f32(c, got, want);
    check_end(c);
    return 1;
}

void check_layer_norm_f32(check *c, slm_layer_norm_f32_fn *fn)
{
    c->nan_alike = 1;
    for (size_t n = 1; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!layer_norm_case(c, fn, n, kind, place, (int)((n + place + (size_t)kind) % 4)))
                    return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 200); i++)
        if (!layer_norm_case(c, fn, 131 + check_below(c, 9000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES), (int)(i / 8 % 4)))
            return;
}

void bench_layer_norm_f32(check *c, slm_layer_norm_f32_fn *fn)
{
    enum { N = 2048 };
    static float x[N], y[N], w[N], b[N];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    check_fill_f32(c, w, N, CHECK_RANDOM);
    check_fill_f32(c, b, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(y, x, w, b, N, 1e-5f));
}
