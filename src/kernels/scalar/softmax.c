/* softmax.c -- the two passes of a softmax. */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* The greatest of n >= 1 values; +0 where the greatest is a zero of either sign; the quiet NaN 0x7fc00000 if any is NaN. */
float slm_max_f32_scalar(const float *x, size_t n)
{
    float m = x[0];
    int nan = x[0] != x[0];
    for (size_t i = 1; i < n; i++) {
        nan |= x[i] != x[i];
        m = x[i] > m ? x[i] : m;
    }
    return nan ? slm_f32_of_bits(0x7fc00000u) : m + 0.0f;
}

/* p[i] = exp(s[i] - m) for i < n, and their sum by C7: element i belongs to lane (first + i) mod 16, lanes are folded 8, 4, 2, 1.
 * p may be s. No s[i] - m may be NaN. Source of the order: the lane of a key is its absolute position mod 16, whatever page or
 * window it is read in. */
float slm_exp_sum_f32_scalar(float *p, const float *s, size_t n, size_t first, float m)
{
    float lane[16] = { 0 };
    for (size_t i = 0; i < n; i++) {
        p[i] = slm_exp_f32(s[i] - m);
        lane[(first + i) % 16] += p[i];
    }
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}
