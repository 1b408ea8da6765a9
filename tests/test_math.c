/* test_math.c -- the project's own functions against the C library in long double, and the narrow float types against their
 * definition. */
#include "kernels/math.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>

/* The distance from got to the true value, in units of the last place of a binary32 of that size. */
static long double ulps(float got, long double want)
{
    int e;
    frexpl(want, &e);                               /* |want| in [2^(e-1), 2^e) */
    return fabsl((long double)got - want) / ldexpl(1, e - 24 > -149 ? e - 24 : -149);
}

static void exp_is_within_two_ulp_on_a_dense_grid(void **state)
{
    (void)state;
    long double worst = 0;
    float where = 0;
    for (unsigned sign = 0; sign < 2; sign++)
        for (uint32_t bits = 0x30000000; bits < 0x42d00001; bits += 251) {  /* 2^-31 .. 104 */
            const float x = slm_f32_of_bits(bits | sign << 31), got = slm_exp_f32(x);
            const long double want = expl(x);
            if (want > 0x1.ffffffp+127L) {          /* rounds to infinity */
                if (!isinf(got))
                    fail_msg("exp(%a) is %a, want infinity", (double)x, (double)got);
                continue;
            }
            const long double off = ulps(got, want);
            if (off > worst) {
                worst = off;
                where = x;
            }
        }
    print_message("exp: at most %.3Lf ulp off, at %a\n", worst, (double)where);
    if (!(worst <= 2))
        fail_msg("exp(%a) is %.3Lf ulp off, want at most 2", (double)where, worst);
}

static void exp_meets_its_exact_points(void **state)
{
    (void)state;
    static const struct { float x, want; } rows[] = {
        { 0.0f, 1.0f }, { -0.0f, 1.0f }, { 0x1p-149f, 1.0f }, { -0x1p-26f, 1.0f }, { -0x1.a00002p+6f, 0.0f }, { -1e30f, 0.0f },
        { -INFINITY, 0.0f }, { INFINITY, INFINITY }, { 88.73f, INFINITY }, { 1e30f, INFINITY },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slm_bits_of_f32(slm_exp_f32(rows[i].x)) != slm_bits_of_f32(rows[i].want))
            fail_msg("exp(%a) is %a, want %a", (double)rows[i].x, (double)slm_exp_f32(rows[i].x), (double)rows[i].want);
    for (uint32_t bits = 0xc2d00001; bits < 0xff800000; bits += 104729)     /* below -104: exactly +0 */
        if (slm_bits_of_f32(slm_exp_f32(slm_f32_of_bits(bits))) != 0)
            fail_msg("exp(%a) is not 0", (double)slm_f32_of_bits(bits));
    assert_true(isnan(slm_exp_f32(NAN)));
    assert_true(slm_exp_f32(88.72f) < INFINITY);
    assert_true(slm_exp_f32(-103.0f) > 0);
}

/* The value of a binary16 by its definition. */
static double f16_value(uint16_t h)
{
    const int e = h >> 10 & 31, m = h & 1023;
    const double v = e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h & 0x8000 ? -v : v;
}

static void every_f16_widens_to_its_value(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float got = slm_f32_of_f16((uint16_t)h);
        const uint32_t bits = slm_bits_of_f32(got);
        if ((h & 0x7c00) != 0x7c00) {
            if ((double)got != f16_value((uint16_t)h) || bits >> 31 != h >> 15)
                fail_msg("f16 0x%04x is %a, want %a", h, (double)got, f16_value((uint16_t)h));
        } else if (h & 0x3ff) {                     /* quiet, sign and payload kept */
            if (bits != ((h & 0x8000) << 16 | 0x7fc00000u | (h & 0x3ff) << 13))
                fail_msg("f16 NaN 0x%04x is 0x%08x", h, bits);
        } else if (bits != ((h & 0x8000) << 16 | 0x7f800000u)) {
            fail_msg("f16 infinity 0x%04x is 0x%08x", h, bits);
        }
    }
}

static void want_f16(float x, uint32_t want)
{
    const uint16_t got = slm_f16_of_f32(x);
    if (got != want)
        fail_msg("f32 0x%08x as f16 is 0x%04x, want 0x%04x", slm_bits_of_f32(x), got, want);
}

/* Rounding is a staircase: if each step begins and ends at the right float, the last and first of their kind, and the function never
 * falls in between, every float is right. All 63,488 steps are tried at both ends, with 5 floats within each. */
static void every_step_of_f16_rounding_lies_where_it_must(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        const double here = f16_value((uint16_t)h), next = h == 0x7bff ? 65536 : f16_value((uint16_t)(h + 1));
        const float tie = (float)((here + next) / 2);               /* exact: one bit more than f16 has */
        const uint32_t t = slm_bits_of_f32(tie), even = h & 1 ? h + 1 : h;
        for (uint32_t sign = 0; sign < 0x10000; sign += 0x8000) {
            const uint32_t top = sign << 16;
            want_f16(slm_f32_of_bits(slm_bits_of_f32((float)here) | top), h | sign);
            want_f16(slm_f32_of_bits((t - 1) | top), h | sign);
            want_f16(slm_f32_of_bits(t | top), even | sign);
            want_f16(slm_f32_of_bits((t + 1) | top), (h + 1) | sign);
            const uint32_t from = slm_bits_of_f32((float)here), span = t - from;
            for (uint32_t i = 1; i < 6; i++)
                want_f16(slm_f32_of_bits((from + (uint32_t)((uint64_t)span * i / 6)) | top), h | sign);
        }
    }
    for (uint32_t bits = 0x47800000; bits <= 0x7f800000; bits += bits < 0x7f7fff00 ? 0x7f : 1) {
        want_f16(slm_f32_of_bits(bits), 0x7c00);
        want_f16(slm_f32_of_bits(bits | 0x80000000u), 0xfc00);
    }
    for (uint32_t bits = 0x7f800001; bits < 0x80000000; bits += 31) {
        want_f16(slm_f32_of_bits(bits), 0x7e00 | (bits >> 13 & 0x3ff));
        want_f16(slm_f32_of_bits(bits | 0x80000000u), 0xfe00 | (bits >> 13 & 0x3ff));
    }
}

/* All 65,536 values: it comes back, and the floats between it and the next fall on the right side of the tie. */
static void every_bf16_rounds_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const uint32_t bits = h << 16;
        if (slm_bits_of_f32(slm_f32_of_bf16((uint16_t)h)) != bits)
            fail_msg("bf16 0x%04x widens to 0x%08x", h, slm_bits_of_f32(slm_f32_of_bf16((uint16_t)h)));
        static const uint32_t low[] = { 0, 1, 0x1234, 0x7fff, 0x8000, 0x8001, 0xabcd, 0xffff };
        for (size_t i = 0; i < sizeof low / sizeof *low; i++) {
            const float x = slm_f32_of_bits(bits | low[i]);
            const uint32_t got = slm_bf16_of_f32(x);
            uint32_t want;
            if ((bits & 0x7f800000u) == 0x7f800000u)                /* infinity stays, NaN becomes quiet */
                want = (bits & 0x7f0000u) | low[i] ? h | 0x40 : h;
            else
                want = low[i] > 0x8000 || (low[i] == 0x8000 && (h & 1)) ? h + 1 : h;
            if (got != want)
                fail_msg("f32 0x%08x as bf16 is 0x%04x, want 0x%04x", bits | low[i], got, want);
        }
    }
}

static void silu_is_within_four_ulp(void **state)
{
    (void)state;
    for (uint32_t bits = 0x30000000; bits < 0x42b00000; bits += 4093)
        for (unsigned sign = 0; sign < 2; sign++) {
            const float x = slm_f32_of_bits(bits | sign << 31);
            const long double want = (long double)x / (1 + expl(-(long double)x)), off = ulps(slm_silu_f32(x), want);
            if (!(off <= 4))                        /* 2 of exp, the sum and the quotient half each, and the binades between */
                fail_msg("silu(%a) is %a, %.2Lf ulp off", (double)x, (double)slm_silu_f32(x), off);
        }
}

static void bounded_is_within_two_ulp(const char *name, float (*fn)(float), long double (*exact)(long double), float one_from)
{
    long double worst = 0;
    float where = 0;
    for (unsigned sign = 0; sign < 2; sign++)
        for (uint32_t bits = 0; bits < 0x7f800000; bits += bits < 0x30000000 ? 1000003 : bits < 0x41400000 ? 251 : 1000003) {
            const float x = slm_f32_of_bits(bits | sign << 31), got = fn(x);
            const long double off = ulps(got, exact(x));
            if (off > worst) {
                worst = off;
                where = x;
            }
            if (slm_bits_of_f32(got) >> 31 != sign || fabsf(got) > 1 || (fabsf(x) >= one_from && fabsf(got) != 1))
                fail_msg("%s(%a) is %a", name, (double)x, (double)got);
        }
    print_message("%s: at most %.3Lf ulp off, at %a\n", name, worst, (double)where);
    if (!(worst <= 2))
        fail_msg("%s(%a) is %.3Lf ulp off, want at most 2", name, (double)where, worst);
    assert_true(fn(INFINITY) == 1 && fn(-INFINITY) == -1 && isnan(fn(NAN)));
}

static void tanh_and_erf_are_within_two_ulp(void **state)
{
    (void)state;
    bounded_is_within_two_ulp("tanh", slm_tanh_f32, tanhl, 9.1f);
    bounded_is_within_two_ulp("erf", slm_erf_f32, erfl, 4.0f);
}

/* Within 4e-7 of |x|: below 0 gelu goes to nothing faster than x, and by erf it is a difference there. */
static void gelu_is_what_it_should_be(void **state)
{
    (void)state;
    for (int i = -120000; i <= 120000; i++) {
        const float x = (float)i * 1.0001e-4f;
        const long double v = x, u = sqrtl(2 / acosl(-1)) * (v + 0.044715L * v * v * v);
        const long double by_tanh = v / 2 * (1 + tanhl(u)), by_erf = v / 2 * (1 + erfl(v / sqrtl(2)));
        if (!(fabsl((long double)slm_gelu_tanh_f32(x) - by_tanh) <= 4e-7L * fabsl(v)))
            fail_msg("gelu tanh(%a) is %a, want %La", (double)x, (double)slm_gelu_tanh_f32(x), by_tanh);
        if (!(fabsl((long double)slm_gelu_erf_f32(x) - by_erf) <= 4e-7L * fabsl(v)))
            fail_msg("gelu erf(%a) is %a, want %La", (double)x, (double)slm_gelu_erf_f32(x), by_erf);
    }
}

static void want_double(const char *name, double x, double got, long double want, long double allowed)
{
    if (!(fabsl((long double)got - want) <= allowed))
        fail_msg("%s(%a) is %a, want %La, off by %Lg, allowed %Lg", name, x, got, want, fabsl((long double)got - want), allowed);
}

static void double_functions_are_within_1e_15(void **state)
{
    (void)state;
    for (int i = -200000; i <= 200000; i++) {
        const double x = i * 0.00349876543;
        want_double("exp", x, slm_exp_f64(x), expl(x), 1e-15L * expl(x));
        const double y = i * 8.2311234 / 3;         /* up to 2^19 quarter turns */
        want_double("sin", y, slm_sin_f64(y), sinl(y), 1e-15L);
        want_double("cos", y, slm_cos_f64(y), cosl(y), 1e-15L);
        const double z = i * 0.0000314159;          /* two turns, finely */
        want_double("sin", z, slm_sin_f64(z), sinl(z), 1e-15L);
        want_double("cos", z, slm_cos_f64(z), cosl(z), 1e-15L);
        const double w = exp(i * 0.0035), near = 1 + i * 1e-6;
        want_double("log", w, slm_log_f64(w), logl(w), 1e-15L * fabsl(logl(w)));
        want_double("log", near, slm_log_f64(near), logl(near), 1e-15L * fabsl(logl(near)));
    }
    assert_true(slm_exp_f64(0) == 1);
    assert_true(slm_log_f64(1) == 0);
    assert_true(slm_sin_f64(0) == 0 && slm_cos_f64(0) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_two_ulp_on_a_dense_grid),
        cmocka_unit_test(exp_meets_its_exact_points),
        cmocka_unit_test(every_f16_widens_to_its_value),
        cmocka_unit_test(every_step_of_f16_rounding_lies_where_it_must),
        cmocka_unit_test(every_bf16_rounds_and_comes_back),
        cmocka_unit_test(silu_is_within_four_ulp),
        cmocka_unit_test(tanh_and_erf_are_within_two_ulp),
        cmocka_unit_test(gelu_is_what_it_should_be),
        cmocka_unit_test(double_functions_are_within_1e_15),
    };
    return cmocka_run_group_tests_name("math", tests, NULL, NULL) != 0;
}
