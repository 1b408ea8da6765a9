/* peak.c -- the peak of 8-bit products with the VEX form of vpdpbusd; the contract stands in scalar/peak.c. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>

enum { CHAINS = 12 };       /* latency 4 on two ports needs 8 */

double slm_peak_dot_i8_avxvnni(size_t n)
{
    __m256i sum[CHAINS], w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(-5);
    UNROLL
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (int c = 0; c < CHAINS; c++)
            __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum[c]) : "x"(w), "x"(x));
    }
    return (double)n * CHAINS * 32;
}
