/* activation.c -- activation functions of the feed-forward part, and the soft-cap of scores and logits. */
#include "kernels/kernels.h"
#include "kernels/math.h"

/* Gated: y[i] = act(gate[i]) * up[i] (C13); y may be gate or up. */
void slm_silu_mul_f32_scalar(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_silu_f32(gate[i]) * up[i];
}

void slm_gelu_tanh_mul_f32_scalar(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_gelu_tanh_f32(gate[i]) * up[i];
}

void slm_gelu_erf_mul_f32_scalar(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_gelu_erf_f32(gate[i]) * up[i];
}

/* Plain: y[i] = act(x[i]); y may be x. */
void slm_gelu_tanh_f32_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_gelu_tanh_f32(x[i]);
}

void slm_gelu_erf_f32_scalar(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_gelu_erf_f32(x[i]);
}

/* y[i] = cap * tanh(x[i] / cap) (C8); y may be x. */
void slm_softcap_f32_scalar(float *y, const float *x, size_t n, float cap)
{
    for (size_t i = 0; i < n; i++)
        y[i] = cap * slm_tanh_f32(x[i] / cap);
}
