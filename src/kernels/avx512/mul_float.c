/* mul_float.c -- products with F32, F16 and BF16 weights on AVX-512; the contract stands in scalar/mul.c.
 *
 * One register is one k of 16 rows (lane = row); each lane runs the chain of C3 on its own, k ascending. A chain advances by one
 * fma in four cycles, so a tile needs eight of them to fill two ports: with few tokens several panels go side by side. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>


enum { F32, F16, BF16 };
enum {
    FEW = 12,               /* most tokens of a narrow tile */
    TOKENS = 6, PANELS = 4, /* the tile of many tokens; REST below lists what may be left */
    ROOM = 24,              /* most accumulators of a tile */
    WEIGHTS = 128 * 1024,   /* bytes of one chunk */
    ACTIVATIONS = 384 * 1024, /* bytes of one token block */
    AHEAD = 2048            /* bytes of prefetch */
};

INLINE size_t step_bytes(int type)
{
    return type == F32 ? SLM_STEP_F32 : SLM_STEP_F16;
}

/* One k of 16 rows. */
INLINE __m512 weight(int type, const uint8_t *w)
{
    if (type == F32)
        return _mm512_load_ps(w);
    const __m256i half = _mm256_load_si256((const void *)w);
    return type == F16 ? _mm512_cvtph_ps(half) : _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* y for T tokens and P panels over `steps` steps, on top of what y holds unless `first`. w: the first step of the first panel, the
 * next panel `stride` bytes on. mask: rows of the last panel. ahead: memory to fetch into L2 meanwhile, NULL: the stream of w itself
 * into L1. */
INLINE void tile(int type, int T, int P, const uint8_t *ahead, float *y, size_t ldy, const uint8_t *w, size_t stride, const float *x,
                 size_t ldx, size_t steps, bool first, __mmask16 mask)
{
    const size_t line = step_bytes(type) / 64;
    __m512 acc[ROOM], v[PANELS];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++) {
            const __mmask16 m = p == P - 1 ? mask : 0xffff;
            acc[t * P + p] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(m, y + (size_t)t * ldy + 16 * (size_t)p);
        }
    for (size_t k = 0; k < steps * 64; k += 2, x += 2, w += 2 * line) {
        if (ahead) {
            _mm_prefetch((const char *)ahead, _MM_HINT_T1);
            ahead += 64;
        } else {
            UNROLL
            for (int p = 0; p < P; p++) {
                _mm_prefetch((const char *)((uintptr_t)w + (size_t)p * stride + AHEAD), _MM_HINT_T0);
                if (type == F32)
                    _mm_prefetch((const char *)((uintptr_t)w + (size_t)p * stride + AHEAD + 64), _MM_HINT_T0);
            }
        }
        UNROLL
        for (int i = 0; i < 2; i++) {
            UNROLL
            for (int p = 0; p < P; p++)
                v[p] = weight(type, w + (size_t)p * stride + (size_t)i * line);
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m512 xk = _mm512_set1_ps(x[(size_t)t * ldx + (size_t)i]);
                UNROLL
                for (int p = 0; p < P; p++)
                    acc[t * P + p] = _mm512_fmadd_ps(v[p], xk, acc[t * P + p]);
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

/* At most FEW tokens: two panels side by side, then the last one. */
INLINE void few(int type, int T, float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t rows, size_t steps)
{
    const size_t stride = steps * step_bytes(type);
    size_t r = 0;
    for (; r + 16 < rows; r += 32)
        tile(type, T, 2, NULL, y + r, ldy, w + r / 16 * stride, stride, x, ldx, steps, true, lanes(rows - r - 16));
    if (r < rows)
        tile(type, T, 1, NULL, y + r, ldy, w + r / 16 * stride, stride, x, ldx, steps, true, lanes(rows - r));
}

#define FEW_CASE(n) case n: few(type, n, y, ldy, w, x, ldx, rows, steps); break;
INLINE void few_tokens(int type, float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows,
                       size_t steps)
{
    switch (tokens) {
    FEW_CASE(1) FEW_CASE(2) FEW_CASE(3) FEW_CASE(4) FEW_CASE(5) FEW_CASE(6)
    FEW_CASE(7) FEW_CASE(8) FEW_CASE(9) FEW_CASE(10) FEW_CASE(11) FEW_CASE(12)
    default: break;
    }
}

/* A tile over n steps fetches 2048 bytes per step. The part of the next chunk that falls to tile i, or something near where
 * that chunk is fetched already. */
INLINE const uint8_t *part(int type, const uint8_t *next, size_t stride, size_t n, size_t i)
{
    const size_t parts = step_bytes(type) / 2048;        /* tiles per panel */
    return i < PANELS * parts ? next + i / parts * stride + i % parts * n * 2048 : next;
}

typedef void few_fn(float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps);

INLINE void mul(int type, few_fn *few_rows, float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens,
                size_t rows, size_t steps)
{
    if (tokens <= FEW) {
        few_rows(y, ldy, w, x, ldx, tokens, rows, steps);
        return;
    }
    const size_t stride = steps * step_bytes(type), whole = rows / (16 * PANELS) * (16 * PANELS);
    const size_t chunks = PANELS * stride / WEIGHTS + 1, chunk = (steps + chunks - 1) / chunks;
    size_t block = ACTIVATIONS / (64 * sizeof *x * (steps ? steps : 1)) / FEW * FEW;
    block = block < 4 * FEW ? 4 * FEW : block;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < whole; r += 16 * PANELS) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                const uint8_t *at = w + r / 16 * stride + s * step_bytes(type);
                const uint8_t *next = s + n < steps              ? at + n * step_bytes(type)
                                      : r + 16 * PANELS < whole ? at + PANELS * stride - s * step_bytes(type)
                                                                : at;
                size_t t = t0;
                for (; t + TOKENS <= t1; t += TOKENS)
                    tile(type, TOKENS, PANELS, part(type, next, stride, n, (t - t0) / TOKENS), y + t * ldy + r, ldy, at, stride,
                         x + t * ldx + 64 * s, ldx, n, s == 0, 0xffff);
                switch (t1 - t) {
#define REST(T) case T: tile(type, T, PANELS, at, y + t * ldy + r, ldy, at, stride, x + t * ldx + 64 * s, ldx, n, s == 0, 0xffff); break;
                REST(1) REST(2) REST(3) REST(4) REST(5)
#undef REST
                default: break;
                }
                s += n;
            } while (s < steps);
        }
        for (size_t t = t0; t < t1 && whole < rows; t += FEW)
            few_rows(y + t * ldy + whole, ldy, w + whole / 16 * stride, x + t * ldx, ldx, t1 - t < FEW ? t1 - t : FEW, rows - whole,
                       steps);
    }
}

static void few_f32(float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few_tokens(F32, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_f32_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(F32, few_f32, y, ldy, w, x, ldx, tokens, rows, steps);
}

static void few_f16(float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few_tokens(F16, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_f16_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(F16, few_f16, y, ldy, w, x, ldx, tokens, rows, steps);
}

static void few_bf16(float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few_tokens(BF16, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_bf16_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(BF16, few_bf16, y, ldy, w, x, ldx, tokens, rows, steps);
}
