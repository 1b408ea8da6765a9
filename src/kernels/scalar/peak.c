/* peak.c -- what the machine can do at most, for ratios: the fastest loop of each kind, from registers.
 *
 *   peak_dot_i8    n rounds of the best multiply-add of 8-bit integers; returns the number of multiplications
 *   peak_fma_f32   n rounds of fused multiply-add of floats; returns the number of operations, two per fma
 *   read_sum       reads n bytes at full speed; returns the sum of their 64-bit little-endian words mod 2^64, the last one filled up
 *                  with zeros: the same in every implementation
 *
 * The chains are independent and enough to hide the latency of the instruction on two ports. */
#include "kernels/inline.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

enum { CHAINS = 8 };

double slm_peak_dot_i8_scalar(size_t n)
{
    int32_t sum[CHAINS] = { 0 };
    volatile int8_t w = 3, x = -5;
    const int32_t a = w, b = x;
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] += a * b;
            __asm__ volatile("" : "+r"(sum[c]));
        }
    }
    return (double)n * CHAINS;
}

double slm_peak_fma_f32_scalar(size_t n)
{
    float sum[CHAINS] = { 0 };
    volatile float w = 0.75f, x = 0.5f;
    const float a = w, b = x;
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (size_t c = 0; c < CHAINS; c++)
            sum[c] = fmaf(a, b, sum[c]);
    }
    w = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
    return (double)n * CHAINS * 2;
}

uint64_t slm_read_sum_scalar(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t sum = 0, v;
    for (; n >= sizeof v; n -= sizeof v, p += sizeof v) {
        memcpy(&v, p, sizeof v);
        sum += v;
    }
    v = 0;
    memcpy(&v, p, n);
    return sum + v;
}
