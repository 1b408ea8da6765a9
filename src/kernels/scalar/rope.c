/* rope.c -- rotary position embedding (Su et al. 2021), in place.
 *
 *   x       [heads] heads of `stride` values each; the first 2 * pairs values of a head are rotated
 *   c, s    [pairs] cos and sin of this position's angles (times the magnitude factor)
 *   normal: pair i is (x[2i], x[2i+1]); neox: (x[i], x[i + pairs])
 *
 * C10: a' = fma(a, c, -(b * s)); b' = fma(a, s, b * c). */
#include "kernels/kernels.h"
#include "kernels/math.h"

static void rotate(float *a, float *b, float c, float s)
{
    const float x0 = *a, x1 = *b;
    *a = fmaf(x0, c, -(x1 * s));
    *b = fmaf(x0, s, x1 * c);
}

void slm_rope_normal_f32_scalar(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < pairs; i++)
            rotate(x + h * stride + 2 * i, x + h * stride + 2 * i + 1, c[i], s[i]);
}

void slm_rope_neox_f32_scalar(float *x, const float *c, const float *s, size_t heads, size_t stride, size_t pairs)
{
    for (size_t h = 0; h < heads; h++)
        for (size_t i = 0; i < pairs; i++)
            rotate(x + h * stride + i, x + h * stride + i + pairs, c[i], s[i]);
}
