/* peak.c -- the peaks on AVX2 with FMA; the contract stands in scalar/peak.c. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <string.h>

enum { CHAINS = 12 };       /* latency 4 on two ports needs 8 */

/* vpmaddubsw makes pairs of products, which must be added up: two instructions for 32 multiplications. */
double slm_peak_dot_i8_avx2(size_t n)
{
    __m256i sum[CHAINS], w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(-5);
    UNROLL
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (int c = 0; c < CHAINS; c++) {
            __m256i pairs;
            __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(pairs) : "x"(w), "x"(x));
            __asm__ volatile("vpaddw %1, %0, %0" : "+x"(sum[c]) : "x"(pairs));
        }
    }
    return (double)n * CHAINS * 32;
}

double slm_peak_fma_f32_avx2(size_t n)
{
    __m256 sum[CHAINS], w = _mm256_set1_ps(0.75f), x = _mm256_set1_ps(0.5f);
    UNROLL
    for (int c = 0; c < CHAINS; c++)
        sum[c] = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i++) {
        UNROLL
        for (int c = 0; c < CHAINS; c++)
            __asm__ volatile("vfmadd231ps %2, %1, %0" : "+x"(sum[c]) : "x"(w), "x"(x));
    }
    return (double)n * CHAINS * 16;
}

uint64_t slm_read_sum_avx2(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    __m256i sum[4];
    uint64_t lane[4], total = 0, v;
    UNROLL
    for (int c = 0; c < 4; c++)
        sum[c] = _mm256_setzero_si256();
    for (; n >= 256; n -= 256, p += 256) {
        UNROLL
        for (int i = 0; i < 8; i++) {
            if (i % 2 == 0)
                _mm_prefetch((const char *)((uintptr_t)p + 2048 + 32 * (size_t)i), _MM_HINT_T0);
            sum[i % 4] = _mm256_add_epi64(sum[i % 4], _mm256_loadu_si256((const void *)(p + 32 * i)));
        }
    }
    _mm256_storeu_si256((void *)lane, _mm256_add_epi64(_mm256_add_epi64(sum[0], sum[1]), _mm256_add_epi64(sum[2], sum[3])));
    for (int i = 0; i < 4; i++)
        total += lane[i];
    for (; n > 0; n -= n < 8 ? n : 8, p += 8) {
        v = 0;
        memcpy(&v, p, n < 8 ? n : 8);
        total += v;
    }
    return total;
}
