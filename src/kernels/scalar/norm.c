/* norm.c -- root mean square norm (Zhang and Sennrich 2019) and layer norm (Ba et al. 2016). */
#include "kernels/kernels.h"
#include "kernels/math.h"

static float fold(float lane[16])
{
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* y = (x * r) * w with r = 1 / sqrt(sumsq / n + eps), n values; y may be x. Returns sumsq, so that the caller sees an infinity or NaN.
 * Order of sumsq (C7): element i goes to lane i mod 16 with one fma, then the lanes are folded 8+8, 4+4, 2+2, 1+1. */
float slm_rms_norm_f32_scalar(float *y, const float *x, const float *w, size_t n, float eps)
{
    float lane[16] = { 0 };
    for (size_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    const float sumsq = fold(lane), r = 1.0f / sqrtf(sumsq / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] * r) * w[i];
    return sumsq;
}

/* mean = sum / n; e = x - mean; y = (e * r) * w + b with r = 1 / sqrt(sumsq(e) / n + eps); y may be x, b may be NULL: nothing is added.
 * Both sums as above, that of x with additions. Returns sumsq(e), which is not finite if any x is not. */
float slm_layer_norm_f32_scalar(float *y, const float *x, const float *w, const float *b, size_t n, float eps)
{
    float sum[16] = { 0 }, square[16] = { 0 };
    for (size_t i = 0; i < n; i++)
        sum[i % 16] += x[i];
    const float mean = fold(sum) / (float)n;
    for (size_t i = 0; i < n; i++)
        square[i % 16] = fmaf(x[i] - mean, x[i] - mean, square[i % 16]);
    const float sumsq = fold(square), r = 1.0f / sqrtf(sumsq / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        const float v = ((x[i] - mean) * r) * w[i];
        y[i] = b ? v + b[i] : v;
    }
    return sumsq;
}
