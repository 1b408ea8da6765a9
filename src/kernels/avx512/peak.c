/* peak.c -- the peaks on AVX-512 VNNI; the contract stands in scalar/peak.c. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>

enum { CHAINS = 16 };       /* latency 4 on two ports needs 8 */

double slm_peak_dot_i8_avx512(size_t n)
{
    __m512i sum[CHAINS], w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(-5);
    UNROLL
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (int c = 0; c < CHAINS; c++)
            __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum[c]) : "v"(w), "v"(x));
    }
    return (double)n * CHAINS * 64;
}

double slm_peak_fma_f32_avx512(size_t n)
{
    __m512 sum[CHAINS], w = _mm512_set1_ps(0.75f), x = _mm512_set1_ps(0.5f);
    UNROLL
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (int c = 0; c < CHAINS; c++)
            __asm__ volatile("vfmadd231ps %2, %1, %0" : "+v"(sum[c]) : "v"(w), "v"(x));
    }
    return (double)n * CHAINS * 32;
}

uint64_t slm_read_sum_avx512(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    __m512i sum[4];
    UNROLL
    for (int c = 0; c < 4; c++)
        sum[c] = _mm512_setzero_si512();
    for (; n >= 512; n -= 512, p += 512) {
        UNROLL
        for (int i = 0; i < 8; i++) {
            _mm_prefetch((const char *)((uintptr_t)p + 2048 + 64 * (size_t)i), _MM_HINT_T0);
            sum[i % 4] = _mm512_add_epi64(sum[i % 4], _mm512_loadu_si512(p + 64 * i));
        }
    }
    for (; n > 0; n -= n < 64 ? n : 64, p += 64) {
        const __mmask64 m = n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX;
        sum[0] = _mm512_add_epi64(sum[0], _mm512_maskz_loadu_epi8(m, p));
    }
    uint64_t lanes[8], all = 0;         /* the intrinsic that adds up a register does so with signed numbers */
    _mm512_storeu_si512(lanes, _mm512_add_epi64(_mm512_add_epi64(sum[0], sum[1]), _mm512_add_epi64(sum[2], sum[3])));
    for (int i = 0; i < 8; i++)
        all += lanes[i];
    return all;
}
