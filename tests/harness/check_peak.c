/* check_peak.c -- the loops that measure the machine: they do the work they report, and a sum of bytes is a sum of bytes. */
#include "check_kernels.h"

static void counts(check *c, double (*fn)(size_t), size_t n)
{
    if (!check_case(c, 0, "n=%zu", n))
        return;
    check_begin(c);
    const double done = fn(n);
    check_return_int(c, done >= (double)n && done == (double)n * fn(1), 1);    /* at least one a round, the same in each */
    check_end(c);
}

void check_peak_dot_i8(check *c, slm_peak_dot_i8_fn *fn)
{
    for (size_t n = 0; n < 100; n++)
        counts(c, fn, n);
}

void check_peak_fma_f32(check *c, slm_peak_fma_f32_fn *fn)
{
    for (size_t n = 0; n < 100; n++)
        counts(c, fn, n);
}

void check_read_sum(check *c, slm_read_sum_fn *fn)
{
    for (size_t n = 0; n < 2000; n++) {
        const size_t place = n % CHECK_PLACES;
        if (!check_case(c, place, "n=%zu", n))
            return;
        uint8_t *bytes = check_in(c, n, 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)check_u32(c);
        const uint64_t want = slm_read_sum_scalar(bytes, n);
        check_begin(c);
        const uint64_t got = fn(bytes, n);
        check_return_int(c, (int64_t)got, (int64_t)want);
        check_end(c);
    }
}

void bench_peak_dot_i8(check *c, slm_peak_dot_i8_fn *fn)
{
    CHECK_TIME(c, "registers", fn(1) * 100000, "MAC", 0, (void)fn(100000));
}

void bench_peak_fma_f32(check *c, slm_peak_fma_f32_fn *fn)
{
    CHECK_TIME(c, "registers", fn(1) * 100000, "FLOP", c->peak, (void)fn(100000));
}

void bench_read_sum(check *c, slm_read_sum_fn *fn)
{
    const uint8_t *bytes = check_in(c, CHECK_ROOM / 4, 1);
    CHECK_TIME(c, "1 MiB", CHECK_ROOM / 4, "B", 0, (void)fn(bytes, CHECK_ROOM / 4));
}
