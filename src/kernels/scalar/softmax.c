/* softmax.c -- the two passes of a softmax: over a row at once, and over the columns of some rows, page by page. */
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

/* most[r * 16 + t % 16] becomes the greater of it and s[r * ld + t], for from <= t < to (nothing if from >= to), t ascending: it stays
 * where both are zeros or one is NaN. The lanes of a row are brought to one value by max_f32. */
void slm_max_rows_f32_scalar(float *most, const float *s, size_t ld, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t t = from; t < to; t++)
            if (s[r * ld + t] > most[r * 16 + t % 16])
                most[r * 16 + t % 16] = s[r * ld + t];
}

/* p[r * ld + t] = exp(s[r * ld + t] - most[r]), added to sum[r * 16 + t % 16], for from <= t < to (nothing if from >= to), t ascending.
 * A page begins at a multiple of 16, so the lanes are those of C7 and only remain to be folded once all pages are in.
 * p may be s. No s[r * ld + t] is above most[r]. A NaN, or an infinity equal to most[r], gives a NaN and makes one of the sum. */
void slm_exp_rows_f32_scalar(float *p, float *sum, const float *s, size_t ld, const float *most, size_t rows, size_t from, size_t to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t t = from; t < to; t++) {
            p[r * ld + t] = slm_exp_f32(s[r * ld + t] - most[r]);
            sum[r * 16 + t % 16] += p[r * ld + t];
        }
}
