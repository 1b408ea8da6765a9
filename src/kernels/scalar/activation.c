/* activation.c -- activation functions of the feed-forward part. */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* y[i] = silu(gate[i]) * up[i], silu(x) = x / (1 + exp(-x)) (C13); y may be gate or up. */
void slm_silu_mul_f32_scalar(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_silu_f32(gate[i]) * up[i];
}
