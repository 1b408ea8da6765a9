/* math.c -- exp, log, sin and cos in double from +, -, *, / alone: the same bits on every system. */
#include "kernels/math.h"

/* 2^n for -1022 <= n <= 1023 */
static double power_of_two(int64_t n)
{
    const uint64_t bits = (uint64_t)(n + 1023) << 52;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Nearest integer for |x| < 2^51. */
static double nearest(double x)
{
    const double magic = 0x1.8p+52;
    return (x + magic) - magic;
}

double slm_exp_f64(double x)
{
    const double n = nearest(x * 0x1.71547652b82fep+0);
    /* ln 2 = 0x1.62e42fep-1 (28 bits, so that n times it is exact) + the rest */
    const double r = (x - n * 0x1.62e42fep-1) - n * 0x1.f473de6af278fp-30;
    double sum = 1.0;
    for (int k = 16; k > 0; k--)
        sum = 1.0 + sum * r / k;
    return sum * power_of_two((int64_t)n);
}

double slm_log_f64(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t e = (int64_t)(bits >> 52 & 0x7ff) - 1023;
    bits = (bits & 0xfffffffffffffu) | UINT64_C(0x3ff0000000000000);
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) {             /* sqrt 2 */
        m *= 0.5;
        e++;
    }
    const double s = (m - 1.0) / (m + 1.0), z = s * s;      /* log m = 2 atanh s; z <= 0.0295 */
    double sum = 0.0;
    for (int k = 25; k >= 3; k -= 2)
        sum = (sum + 1.0 / k) * z;
    return (double)e * 0x1.62e42fefa39efp-1 + (2.0 * s + 2.0 * s * sum);
}

/* sin(r) and cos(r) for |r| <= pi/4 */
static double sin_series(double r)
{
    const double z = r * r;
    double sum = 1.0;
    for (int k = 18; k >= 2; k -= 2)
        sum = 1.0 - sum * z / (k * (k + 1));
    return r * sum;
}

static double cos_series(double r)
{
    const double z = r * r;
    double sum = 1.0;
    for (int k = 19; k >= 1; k -= 2)
        sum = 1.0 - sum * z / (k * (k + 1));
    return sum;
}

/* x = q pi/2 + r; pi/2 in three parts of 33 bits, so that q times the first two is exact for |q| < 2^20 (Cody and Waite 1980). */
static int quarter(double x, double *r)
{
    const double q = nearest(x * 0x1.45f306dc9c883p-1);
    *r = ((x - q * 0x1.921fb544p+0) - q * 0x1.0b4611a6p-34) - q * 0x1.3198a2e037073p-69;
    return (int)((int64_t)q & 3);
}

double slm_sin_f64(double x)
{
    double r;
    switch (quarter(x, &r)) {
    case 0: return sin_series(r);
    case 1: return cos_series(r);
    case 2: return -sin_series(r);
    default: return -cos_series(r);
    }
}

double slm_cos_f64(double x)
{
    double r;
    switch (quarter(x, &r)) {
    case 0: return cos_series(r);
    case 1: return -sin_series(r);
    case 2: return -cos_series(r);
    default: return sin_series(r);
    }
}
