/* check_convert.c -- f16_from_f32, f32_from_f16: any bits, NaN payloads too. */
#include "check_kernels.h"

#include <string.h>

static int to_f16_case(check *c, slm_f16_from_f32_fn *fn, size_t n, check_kind kind, size_t place)
{
    if (!check_case(c, place, "n=%zu %s", n, check_kind_name(kind)))
        return 0;
    const check_pair y = check_out(c, n * 2, 2);
    float *x = check_in(c, n * 4, 4);
    check_fill_f32(c, x, n, kind);
    for (size_t i = 0; i < n; i += 3)               /* a third around the range of f16, ties and their neighbours */
        if (kind == CHECK_ANY) {
            uint32_t bits = (check_u32(c) & 0x80000000u) | (100 + check_u32(c) % 46) << 23 | (check_u32(c) & 0x7ff000u);
            bits += check_u32(c) % 3 - 1;
            memcpy(&x[i], &bits, sizeof bits);
        }
    slm_f16_from_f32_scalar(y.want, x, n);
    check_begin(c);
    fn(y.got, x, n);
    check_end(c);
    return 1;
}

void check_f16_from_f32(check *c, slm_f16_from_f32_fn *fn)
{
    for (size_t n = 0; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!to_f16_case(c, fn, n, kind, place))
                    return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 100); i++)
        if (!to_f16_case(c, fn, 131 + check_below(c, 20000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES)))
            return;
}

static int to_f32_case(check *c, slm_f32_from_f16_fn *fn, size_t n, check_kind kind, size_t place)
{
    if (!check_case(c, place, "n=%zu %s", n, check_kind_name(kind)))
        return 0;
    const check_pair y = check_out(c, n * 4, 4);
    uint16_t *x = check_in(c, n * 2, 2);
    check_fill_f16(c, x, n, kind);
    slm_f32_from_f16_scalar(y.want, x, n);
    check_begin(c);
    fn(y.got, x, n);
    check_end(c);
    return 1;
}

void check_f32_from_f16(check *c, slm_f32_from_f16_fn *fn)
{
    for (size_t n = 0; n <= 130; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!to_f32_case(c, fn, n, kind, place))
                    return;
    if (!check_case(c, 0, "all 65536"))
        return;
    const check_pair y = check_out(c, 65536 * 4, 4);
    uint16_t *x = check_in(c, 65536 * 2, 2);
    for (size_t i = 0; i < 65536; i++)
        x[i] = (uint16_t)i;
    slm_f32_from_f16_scalar(y.want, x, 65536);
    check_begin(c);
    fn(y.got, x, 65536);
    check_end(c);
}

void bench_f16_from_f32(check *c, slm_f16_from_f32_fn *fn)
{
    enum { N = 2048 };
    static float x[N];
    static uint16_t y[N];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(y, x, N));
}

void bench_f32_from_f16(check *c, slm_f32_from_f16_fn *fn)
{
    enum { N = 2048 };
    static uint16_t x[N];
    static float y[N];
    check_fill_f16(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(y, x, N));
}
