/* convert.c -- f16 and f32, round to nearest even, as the F16C instructions do it. */
#include "kernels/kernels.h"
#include "kernels/math.h"

void slm_f16_from_f32_scalar(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_f16_of_f32(x[i]);
}

void slm_f32_from_f16_scalar(float *y, const uint16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = slm_f32_of_f16(x[i]);
}
