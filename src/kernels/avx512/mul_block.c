/* mul_block.c -- products with Q8_0 and Q4_0 weights on AVX-512 VNNI; the contract stands in scalar/mul.c.
 *
 * One register is one step of four k for 16 rows (lane = row), so vpdpbusd adds four products per row and the block order of C5
 * is kept lane by lane. A tile is T tokens x P panels: T * P float accumulators and as many integer sums, at most 12 of each, plus
 * P weights and one broadcast of four activations: 24 + 4 + 2 of the 32 registers. Per block a tile issues 8 vpdpbusd, one product
 * and one fma per (token, panel) on the same two ports: 80 % of the VNNI peak is the ceiling.
 *
 *   1 to 12 tokens   one panel at a time in one forward stream with software prefetch: each weight is read once.
 *   more             token blocks whose activations stay in L2; within them groups of PANELS panels; within them chunks of steps
 *                    that stay in L1 while all tokens of the block pass, partial sums waiting in y. A partial sum stored and
 *                    loaded is the same bits, so the chunks do not show. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>


enum { Q8_0, Q4_0 };
enum {
    FEW = 12,               /* most tokens of a one-panel tile */
    TOKENS = 3, PANELS = 4, /* the tile of many tokens */
    ROOM = 12,              /* most accumulators of a tile */
    WEIGHTS = 400 * 1024,   /* bytes of one chunk: with the activations, most of L2 */
    ACTIVATIONS = 480 * 1024, /* bytes of one token block */
    AHEAD = 2048            /* bytes of prefetch */
};

INLINE size_t step_bytes(int type)
{
    return type == Q8_0 ? SLM_STEP_Q8_0 : SLM_STEP_Q4_0;
}

/* sum += the four products of each lane. An asm because gcc 12 keeps the accumulators of the intrinsic in memory. */
INLINE __m512i dot4(__m512i sum, __m512i w, __m512i x)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

/* Four k of 16 rows: group g of block b of a step. */
INLINE __m512i group(int type, const uint8_t *step, int b, int g)
{
    if (type == Q8_0)
        return _mm512_load_si512(step + 64 + b * 512 + g * 64);
    const __m512i both = _mm512_load_si512(step + 64 + b * 256 + g % 4 * 64), low = _mm512_set1_epi8(15);
    return _mm512_and_si512(g < 4 ? both : _mm512_srli_epi16(both, 4), low);
}

INLINE __m512i broadcast4(const int8_t *q)
{
    int32_t v;
    __builtin_memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

INLINE void prefetch(const uint8_t *step, size_t bytes)
{
    UNROLL
    for (size_t i = 0; i < bytes; i += 64)
        _mm_prefetch((const char *)((uintptr_t)step + AHEAD + i), _MM_HINT_T0);
}

/* y for T tokens and P panels over `steps` steps, on top of what y holds unless `first`. w: the first step of the first panel, the
 * next panel `stride` bytes on. mask: rows of the last panel. ahead: memory to fetch into L2 meanwhile, NULL: the stream of w itself
 * into L1. */
INLINE void tile(int type, int T, int P, const uint8_t *ahead, float *y, size_t ldy, const uint8_t *w, size_t stride, const slm_xblock *x,
                 size_t ldx, size_t steps, bool first, __mmask16 mask)
{
    __m512 acc[ROOM];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++) {
            const __mmask16 m = p == P - 1 ? mask : 0xffff;
            acc[t * P + p] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m, y + (size_t)t * ldy + 16 * (size_t)p);
        }
    for (size_t s = 0; s < steps; s++, w += step_bytes(type), x += 2) {
        if (ahead) {
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
            ahead += 64;
        } else {
            prefetch(w, step_bytes(type));
        }
        UNROLL
        for (int b = 0; b < 2; b++) {
            __m512i sum[ROOM], v[PANELS];
            __m512 dw[PANELS];
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m512i start = _mm512_slli_epi32(_mm512_set1_epi32(x[(size_t)t * ldx + (size_t)b].nsum), type == Q8_0 ? 7 : 3);
                UNROLL
                for (int p = 0; p < P; p++)
                    sum[t * P + p] = start;
            }
            UNROLL
            for (int g = 0; g < 8; g++) {
                UNROLL
                for (int p = 0; p < P; p++)
                    v[p] = group(type, w + (size_t)p * stride, b, g);
                UNROLL
                for (int t = 0; t < T; t++) {
                    const __m512i q = broadcast4(x[(size_t)t * ldx + (size_t)b].q + 4 * g);
                    UNROLL
                    for (int p = 0; p < P; p++)
                        sum[t * P + p] = dot4(sum[t * P + p], v[p], q);
                }
            }
            UNROLL
            for (int p = 0; p < P; p++)
                dw[p] = _mm512_cvtph_ps(_mm256_load_si256((const void *)(w + (size_t)p * stride + 32 * b)));
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m512 dx = _mm512_set1_ps(x[(size_t)t * ldx + (size_t)b].d);
                UNROLL
                for (int p = 0; p < P; p++)
                    acc[t * P + p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t * P + p]), _mm512_mul_ps(dw[p], dx), acc[t * P + p]);
            }
        }
    }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++)
            _mm512_mask_storeu_ps(y + (size_t)t * ldy + 16 * (size_t)p, p == P - 1 ? mask : 0xffff, acc[t * P + p]);
}

INLINE __mmask16 lanes(size_t rows)
{
    return rows >= 16 ? 0xffff : (__mmask16)((1u << rows) - 1);
}

/* At most FEW tokens: panel after panel. */
INLINE void few(int type, int T, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t rows, size_t steps)
{
    const size_t stride = steps * step_bytes(type);
    for (size_t r = 0; r < rows; r += 16, w += stride)
        tile(type, T, 1, NULL, y + r, ldy, w, stride, x, ldx, steps, true, lanes(rows - r));
}

#define FEW_CASE(n) case n: few(type, n, y, ldy, w, x, ldx, rows, steps); break;
INLINE void few_tokens(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                       size_t steps)
{
    switch (tokens) {
    FEW_CASE(1) FEW_CASE(2) FEW_CASE(3) FEW_CASE(4) FEW_CASE(5) FEW_CASE(6)
    FEW_CASE(7) FEW_CASE(8) FEW_CASE(9) FEW_CASE(10) FEW_CASE(11) FEW_CASE(12)
    default: break;
    }
}

/* A tile over n steps fetches 64 bytes per step. The part of the next chunk that falls to tile i, or something near where
 * that chunk is fetched already. */
INLINE const uint8_t *part(int type, const uint8_t *next, size_t stride, size_t n, size_t i)
{
    const size_t parts = step_bytes(type) / 64;        /* tiles per panel */
    return i < PANELS * parts ? next + i / parts * stride + i % parts * n * 64 : next;
}

typedef void few_fn(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, size_t steps);

INLINE void mul(int type, few_fn *few_rows, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                size_t steps)
{
    if (tokens <= FEW) {
        few_rows(y, ldy, w, x, ldx, tokens, rows, steps);
        return;
    }
    const size_t stride = steps * step_bytes(type), whole = rows / (16 * PANELS) * (16 * PANELS);
    const size_t chunks = PANELS * stride / WEIGHTS + 1, chunk = (steps + chunks - 1) / chunks;
    size_t block = ACTIVATIONS / (2 * sizeof *x * (steps ? steps : 1)) / FEW * FEW;
    block = block < 4 * FEW ? 4 * FEW : block;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < whole; r += 16 * PANELS) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                const uint8_t *at = w + r / 16 * stride + s * step_bytes(type);
                const uint8_t *next = s + n < steps ? at + n * step_bytes(type) : r + 16 * PANELS < whole ? at + PANELS * stride - s * step_bytes(type) : at;
                size_t t = t0;
                for (; t + TOKENS <= t1; t += TOKENS)
                    tile(type, TOKENS, PANELS, part(type, next, stride, n, (t - t0) / TOKENS), y + t * ldy + r, ldy, at, stride,
                         x + t * ldx + 2 * s, ldx, n, s == 0, 0xffff);
                for (; t < t1; t++)
                    tile(type, 1, PANELS, at, y + t * ldy + r, ldy, at, stride, x + t * ldx + 2 * s, ldx, n, s == 0, 0xffff);
                s += n;
            } while (s < steps);
        }
        for (size_t t = t0; t < t1 && whole < rows; t += FEW)
            few_rows(y + t * ldy + whole, ldy, w + whole / 16 * stride, x + t * ldx, ldx, t1 - t < FEW ? t1 - t : FEW, rows - whole,
                       steps);
    }
}

static void few_q8_0(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few_tokens(Q8_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_q8_0_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(Q8_0, few_q8_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

static void few_q4_0(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few_tokens(Q4_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_q4_0_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(Q4_0, few_q4_0, y, ldy, w, x, ldx, tokens, rows, steps);
}
