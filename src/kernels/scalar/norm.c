/* norm.c -- root mean square norm (Zhang and Sennrich 2019). */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* y = (x * r) * w with r = 1 / sqrt(sumsq / n + eps), n values; y may be x. Returns sumsq, so that the caller sees an infinity or NaN.
 * Order of sumsq (C7): element i goes to lane i mod 16 with one fma, then the lanes are folded 8+8, 4+4, 2+2, 1+1. */
float slm_rms_norm_f32_scalar(float *y, const float *x, const float *w, size_t n, float eps)
{
    float lane[16] = { 0 };
    for (size_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    const float r = 1.0f / sqrtf(lane[0] / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] * r) * w[i];
    return lane[0];
}
