/* mul_w8a8.c -- products of W8A8 on AVX-512 VNNI; the contract stands in scalar/mul_w8a8.c.
 *
 * One register is four k of 16 rows. The inner loop is vpdpbusd and nothing else, so it can come near the peak:
 *
 *   1 to 12       one panel after another in one forward stream with prefetch; several chains for each token hide
 *                 the latency.
 *   to 24         the same in two tiles, for the second of which the panel is in a cache.
 *   more          tiles of 6 tokens x 4 panels: 24 sums, 4 weights and a broadcast of the 32 registers; ten loads for 24 multiplications. In
 *                 blocks of tokens whose activations stay in the second cache, and chunks of steps whose weights do; each tile
 *                 fetches a part of the next chunk.
 * Integer sums are exact in any order. Between chunks they wait in y, as the bits of integers. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

enum {
    FEW = 24, NARROW = 12,      /* most tokens of the first two, and of their tiles */
    TOKENS = 6, PANELS = 4,
    ROOM = TOKENS * PANELS,
    WEIGHTS = 384 * 1024,       /* bytes of one chunk of PANELS panels */
    ACTIVATIONS = 400 * 1024,   /* bytes of one block of tokens */
    AHEAD = 4096,               /* bytes of prefetch of a stream */
    HEAD = 64                   /* bytes of a panel before its steps */
};

/* sum += the four products of each lane. An asm because gcc 12 keeps the accumulators of the intrinsic in memory. */
INLINE __m512i dot4(__m512i sum, __m512i w, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

INLINE __m512i broadcast4(const uint8_t *q)
{
    int32_t v;
    memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

INLINE const slm_xrow *row(const uint8_t *x, size_t ldx, int t)
{
    return (const void *)(x + (size_t)t * ldx);
}

INLINE __mmask16 lanes(size_t rows)
{
    return rows >= 16 ? 0xffff : (__mmask16)((1u << rows) - 1);
}

/* Sums of T tokens and P panels over n steps from step `from` of them on. y begins with the sums so far unless `first`, and gets sums again
 * unless `last`. w: the first panel. A tile of a stream (P 1) fetches what lies AHEAD of it; others a part of `next`, 256 bytes a
 * step. */
INLINE void tile(int T, int P, float *y, size_t ldy, const uint8_t *w, size_t stride, const uint8_t *x, size_t ldx, size_t from, size_t n,
                 bool first, bool last, const uint8_t *next, __mmask16 mask)
{
    const int chains = P > 1 ? 1 : T == 1 ? 8 : T == 2 ? 4 : 2;    /* of a token: powers of two */
    const uint8_t *at = w + HEAD + from * SLM_STEP_W8A8, *q = x + sizeof(slm_xrow) + from * 64;
    __m512i sum[ROOM], v[PANELS];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++) {
            const __mmask16 m = p == P - 1 ? mask : 0xffff;
            sum[(t * P + p) * chains] = first ? _mm512_set1_epi32((int32_t)((uint32_t)row(x, ldx, t)->nsum << 7))
                                              : _mm512_maskz_loadu_epi32(m, y + (size_t)t * ldy + 16 * (size_t)p);
            UNROLL
            for (int c = 1; c < chains; c++)
                sum[(t * P + p) * chains + c] = _mm512_setzero_si512();
        }
    for (size_t s = 0; s < n; s++, at += SLM_STEP_W8A8, q += 64) {
        if (P == 1) {
            UNROLL
            for (size_t i = 0; next == NULL && i < SLM_STEP_W8A8; i += 64)
                _mm_prefetch((const char *)((uintptr_t)at + AHEAD + i), _MM_HINT_T0);
        } else {
            UNROLL
            for (size_t i = 0; i < 4; i++)
                _mm_prefetch((const char *)((uintptr_t)next + 256 * s + 64 * i), _MM_HINT_T1);
        }
        UNROLL
        for (int g = 0; g < 16; g++) {
            UNROLL
            for (int p = 0; p < P; p++)
                v[p] = _mm512_load_si512(at + (size_t)p * stride + 64 * g);
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m512i b = broadcast4(q + (size_t)t * ldx + 4 * g);
                UNROLL
                for (int p = 0; p < P; p++)
                    sum[(t * P + p) * chains + g % chains] = dot4(sum[(t * P + p) * chains + g % chains], v[p], b);
            }
        }
    }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++) {
            __m512i isum = sum[(t * P + p) * chains];
            UNROLL
            for (int c = 1; c < chains; c++)
                isum = _mm512_add_epi32(isum, sum[(t * P + p) * chains + c]);
            const __m512 d = _mm512_mul_ps(_mm512_load_ps(w + (size_t)p * stride), _mm512_set1_ps(row(x, ldx, t)->d));
            const __m512 out = last ? _mm512_mul_ps(_mm512_cvtepi32_ps(isum), d) : _mm512_castsi512_ps(isum);
            _mm512_mask_storeu_ps(y + (size_t)t * ldy + 16 * (size_t)p, p == P - 1 ? mask : 0xffff, out);
        }
}

#define EACH(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

/* At most FEW tokens: the panels in a stream, each of them multiplied by all tokens. */
static void few(float *y, size_t ldy, const uint8_t *w, const uint8_t *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    const size_t stride = HEAD + steps * SLM_STEP_W8A8, tiles = (tokens + NARROW - 1) / NARROW;
    for (size_t r = 0; r < rows; r += 16, w += stride) {
        size_t t = 0;
        for (size_t i = 0; i < tiles; i++) {
            const size_t count = (tokens - t + tiles - i - 1) / (tiles - i);
            const uint8_t *next = i ? w : NULL;         /* one of the tiles fetches */
            switch (count) {
#define CASE(T) case T: tile(T, 1, y + t * ldy + r, ldy, w, stride, x + t * ldx, ldx, 0, steps, true, true, next, lanes(rows - r)); break;
            EACH(CASE) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
            default: break;
            }
            t += count;
        }
    }
}

/* PANELS panels, at most TOKENS tokens. */
static void rest(float *y, size_t ldy, const uint8_t *w, size_t stride, const uint8_t *x, size_t ldx, size_t tokens, size_t from, size_t n,
                 bool first, bool last)
{
    switch (tokens) {
#define CASE(T) case T: tile(T, PANELS, y, ldy, w, stride, x, ldx, from, n, first, last, w, 0xffff); break;
    EACH(CASE)
#undef CASE
    default: break;
    }
}

/* Of the next chunk, the 256 * n bytes that tile i fetches; or something near, where all of it is fetched. */
INLINE const uint8_t *part(const uint8_t *next, size_t stride, size_t n, size_t i)
{
    return i < PANELS * 4 ? next + i / 4 * stride + i % 4 * n * 256 : next;
}

void slm_mul_w8a8_avx512(float *y, size_t ldy, const void *weights, const void *activations, size_t ldx, size_t tokens, size_t rows,
                         size_t steps)
{
    const uint8_t *w = weights, *x = activations;
    const size_t stride = HEAD + steps * SLM_STEP_W8A8, whole = tokens > FEW ? rows / (16 * PANELS) * (16 * PANELS) : 0;
    const size_t chunks = PANELS * stride / WEIGHTS + 1, chunk = (steps + chunks - 1) / chunks;
    const size_t blocks = tokens * ldx / ACTIVATIONS + 1;
    const size_t block = ((tokens + blocks - 1) / blocks + FEW - 1) / FEW * FEW;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < whole; r += 16 * PANELS) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                const uint8_t *panels = w + r / 16 * stride, *at = panels + HEAD + s * SLM_STEP_W8A8;
                const uint8_t *next = s + n < steps              ? at + n * SLM_STEP_W8A8
                                      : r + 16 * PANELS < whole ? panels + PANELS * stride
                                                                : at;
                size_t t = t0;
                for (; t + TOKENS <= t1; t += TOKENS)
                    tile(TOKENS, PANELS, y + t * ldy + r, ldy, panels, stride, x + t * ldx, ldx, s, n, s == 0, s + n >= steps,
                         part(next, stride, n, (t - t0) / TOKENS), 0xffff);
                rest(y + t * ldy + r, ldy, panels, stride, x + t * ldx, ldx, t1 - t, s, n, s == 0, s + n >= steps);
                s += n;
            } while (s < steps);
        }
        for (size_t t = t0; t < t1 && whole < rows; t += FEW)
            few(y + t * ldy + whole, ldy, w + whole / 16 * stride, x + t * ldx, ldx, t1 - t < FEW ? t1 - t : FEW, rows - whole, steps);
    }
}
