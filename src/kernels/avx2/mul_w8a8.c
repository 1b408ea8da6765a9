/* mul_w8a8.c -- products of W8A8 on registers of 256 bits; the contract stands in scalar/mul_w8a8.c. Compiled twice: for AVX2, and by
 * avxvnni/mul_w8a8.c, which has one instruction where AVX2 needs five.
 *
 * Four k of 16 rows are two registers. AVX2 takes the weight back to signed, q = u - 128: |q| <= 128 as the unsigned operand, x with
 * the sign of q as the other; a pair of products is within 2 * 128 * 127 = 32,512, fits s16 and is widened at once, and no offset remains
 * to be taken out. With vpdpbusd the sums start at -128 * xsum instead.
 *
 * Panels are the outer loop; chunks of a panel stay in L1 while all tokens of a block pass, sums waiting in y as the bits of integers. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#ifdef __AVXVNNI__
#define NAME slm_mul_w8a8_avxvnni
enum { TOKENS = 5 };            /* 10 sums, a broadcast, two weights; with 12 sums gcc 12 stores one of them */
#else
#define NAME slm_mul_w8a8_avx2
enum { TOKENS = 3 };            /* 6 sums, a broadcast, the weights of both halves and their magnitudes, ones, temporaries */
#endif

enum {
    CHUNK = 20,                 /* steps of a chunk: 20 KB of weights */
    L2_BYTES = 160 * 1024,      /* activations of one token block: half of the smallest L2 in use */
    AHEAD = 1024,               /* bytes of prefetch */
    HEAD = 64                   /* bytes of a panel before its steps */
};

INLINE __m256i broadcast4(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm256_set1_epi32(v);
}

INLINE const slm_xrow *row(const uint8_t *x, size_t ldx, int t)
{
    return (const void *)(x + (size_t)t * ldx);
}

INLINE __m256i weights(const uint8_t *at)
{
    const __m256i u = _mm256_load_si256((const void *)at);
#ifdef __AVXVNNI__
    return u;
#else
    return _mm256_xor_si256(u, _mm256_set1_epi8(-128));
#endif
}

/* sum += the four products of each lane. The asm keep the sums in registers, one after another. */
INLINE __m256i dot4(__m256i sum, __m256i v, __m256i q)
{
#ifdef __AVXVNNI__
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(v), "x"(q));
#else
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(q, v));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    __asm__("" : "+x"(sum));
#endif
    return sum;
}

INLINE __m256i start(const slm_xrow *x)
{
#ifdef __AVXVNNI__
    return _mm256_set1_epi32((int32_t)((uint32_t)x->nsum << 7));
#else
    (void)x;
    return _mm256_setzero_si256();
#endif
}

INLINE __m256i lanes(size_t rows, int h)
{
    const int n = rows < 16 ? (int)rows : 16;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8 * h), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* T tokens and the first `rows` rows of the panel w over n steps from step `from` on: on top of the sums in y unless `first`, and
 * sums again unless `last`. */
INLINE void tile(int T, float *y, size_t ldy, const uint8_t *w, const uint8_t *x, size_t ldx, size_t rows, size_t from, size_t n, bool first,
                 bool last)
{
    const uint8_t *at = w + HEAD + from * SLM_STEP_W8A8, *q = x + sizeof(slm_xrow) + from * 64;
    __m256i sum[2 * TOKENS];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2; h++)
            sum[2 * t + h] = first ? start(row(x, ldx, t))
                                   : _mm256_maskload_epi32((const void *)(y + (size_t)t * ldy + 8 * h), lanes(rows, h));
    for (size_t s = 0; s < n; s++, at += SLM_STEP_W8A8, q += 64) {
        UNROLL
        for (size_t i = 0; i < SLM_STEP_W8A8; i += 64)
            _mm_prefetch((const char *)((uintptr_t)at + AHEAD + i), _MM_HINT_T0);
        UNROLL
        for (int g = 0; g < 16; g++) {
            const __m256i v[2] = { weights(at + 64 * g), weights(at + 64 * g + 32) };
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m256i b = broadcast4(q + (size_t)t * ldx + 4 * g);
                UNROLL
                for (int h = 0; h < 2; h++)
                    sum[2 * t + h] = dot4(sum[2 * t + h], v[h], b);
            }
        }
    }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2; h++) {
            const __m256 d = _mm256_mul_ps(_mm256_load_ps((const void *)(w + 32 * h)), _mm256_set1_ps(row(x, ldx, t)->d));
            const __m256 out = last ? _mm256_mul_ps(_mm256_cvtepi32_ps(sum[2 * t + h]), d) : _mm256_castsi256_ps(sum[2 * t + h]);
            _mm256_maskstore_ps(y + (size_t)t * ldy + 8 * h, lanes(rows, h), out);
        }
}

/* Fewer tokens than a tile has. */
static void rest(float *y, size_t ldy, const uint8_t *w, const uint8_t *x, size_t ldx, size_t tokens, size_t rows, size_t from, size_t n,
                 bool first, bool last)
{
    switch (tokens) {
#define CASE(T) case T: tile(T, y, ldy, w, x, ldx, rows, from, n, first, last); break;
    CASE(1) CASE(2)
#ifdef __AVXVNNI__
    CASE(3) CASE(4)
#endif
#undef CASE
    default: break;
    }
}

void NAME(float *y, size_t ldy, const void *weights, const void *activations, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    const uint8_t *w = weights, *x = activations;
    const size_t stride = HEAD + steps * SLM_STEP_W8A8;
    size_t block = L2_BYTES / (ldx ? ldx : 1) / TOKENS * TOKENS;
    block = block < 6 * TOKENS ? 6 * TOKENS : block;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < rows; r += 16) {
            size_t s = 0;
            do {
                const size_t n = steps - s < CHUNK ? steps - s : CHUNK;
                const uint8_t *panel = w + r / 16 * stride;
                size_t t = t0;
                for (; t + TOKENS <= t1; t += TOKENS)
                    tile(TOKENS, y + t * ldy + r, ldy, panel, x + t * ldx, ldx, rows - r, s, n, s == 0, s + n >= steps);
                rest(y + t * ldy + r, ldy, panel, x + t * ldx, ldx, t1 - t, rows - r, s, n, s == 0, s + n >= steps);
                s += n;
            } while (s < steps);
        }
    }
}
