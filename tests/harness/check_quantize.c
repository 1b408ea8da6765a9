/* check_quantize.c -- quantize_x. With a value that is not finite only the return value is defined. */
#include "check_kernels.h"
#include "kernels/math.h"

static int quantize_case(check *c, slm_quantize_x_fn *fn, size_t n, check_kind kind, size_t place)
{
    const size_t blocks = (n + 63) / 64 * 2;
    if (!check_case(c, place, "n=%zu %s", n, check_kind_name(kind)))
        return 0;
    float *x = check_in(c, n * 4, 4);
    const check_pair out = check_out(c, blocks * sizeof(slm_xblock), 4);
    check_fill_f32(c, x, n, kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (kind == CHECK_MIXED && n && check_u32(c) & 1) {     /* ties: amax 127 makes id 1, and x.5 falls on the rounding itself */
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((int)check_below(c, 509) - 254) * 0.5f;
        for (size_t i = 0; i < n; i += 32)
            x[i] = check_u32(c) & 1 ? 127.0f : -127.0f;
    }
    if (kind == CHECK_TINY && n && check_u32(c) & 1)        /* around the least amax that is not taken for zero */
        for (size_t i = 0; i < n; i++)
            x[i] = check_f32(c, CHECK_ZEROS) + slm_f32_of_bits(slm_bits_of_f32(0x1p-100f) - 2 + check_u32(c) % 4);
    if (kind == CHECK_ANY && n)                             /* one infinity or NaN somewhere, of either sign */
        x[check_below(c, n)] = slm_f32_of_bits((check_u32(c) & 0x80000000u) | 0x7f800000u |
                                               (check_u32(c) & 1 ? 0 : check_u32(c) & 0x7fffffu));
    const int want = slm_quantize_x_scalar(out.want, x, n);
    check_begin(c);
    const int got = fn(out.got, x, n);
    check_return_int(c, got, want);
    if (!want)
        memcpy(out.want, out.got, blocks * sizeof(slm_xblock));     /* unspecified */
    check_end(c);
    return 1;
}

void check_quantize_x(check *c, slm_quantize_x_fn *fn)
{
    for (size_t n = 0; n <= 200; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            for (size_t place = 0; place < CHECK_PLACES; place++)
                if (!quantize_case(c, fn, n, kind, place))
                    return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 200); i++)
        if (!quantize_case(c, fn, 131 + check_below(c, 9000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES)))
            return;
}

void bench_quantize_x(check *c, slm_quantize_x_fn *fn)
{
    enum { N = 2048 };
    static float x[N];
    static slm_xblock out[N / 32];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn(out, x, N));
}
