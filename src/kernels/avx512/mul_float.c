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
    TOKENS = 6, PANELS = 4, /* the tile of many tokens */
    ROOM = 24,              /* most accumulators of a tile */
    WEIGHTS = 128 * 1024,   /* bytes of one chunk; two of them, the activations and the results of a chunk fit an L2 of 1 MB */
    ACTIVATIONS = 132 * 4096, /* bytes of a block of tokens, as far along k as its chunks go before the next panels */
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

/* What a tile fetches meanwhile. w: into L2, a line every two k; NULL: the stream of its own weights into L1. y: lines that the next tile
 * will read or write, into L1, `ldy` from row to row. */
typedef struct ahead { const uint8_t *w; const float *y; } ahead;

/* y for T tokens and P panels over `steps` steps, on top of what y holds unless `first`. w: the first step of the first panel, the
 * next panel `stride` bytes on. mask: rows of the last panel. */
INLINE void tile(int type, int T, int P, ahead next, float *y, size_t ldy, const uint8_t *w, size_t stride, const float *x, size_t ldx,
                 size_t steps, bool first, __mmask16 mask)
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
    for (size_t s = 0; s < steps; s++) {
        if (next.w && s < TOKENS / 2) {
            UNROLL
            for (int i = 0; i < 2 * PANELS; i++)
                _mm_prefetch((const char *)((uintptr_t)next.y + ((2 * s + (size_t)(i / PANELS)) * ldy + 16 * (size_t)(i % PANELS)) * sizeof *y), _MM_HINT_T0);
        }
        for (size_t k = 0; k < 64; k += 2, x += 2, w += 2 * line) {
            if (next.w) {
                _mm_prefetch((const char *)next.w, _MM_HINT_T1);
                next.w += 64;
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
        tile(type, T, 2, (ahead){ NULL, NULL }, y + r, ldy, w + r / 16 * stride, stride, x, ldx, steps, true, lanes(rows - r - 16));
    if (r < rows)
        tile(type, T, 1, (ahead){ NULL, NULL }, y + r, ldy, w + r / 16 * stride, stride, x, ldx, steps, true, lanes(rows - r));
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

/* PANELS panels by a block of tokens over one chunk of n steps. next: the chunk that comes after it, and the first tile's results there. Tiles of
 * three tokens or fewer would wait for their weights: the last two share what is left. */
INLINE void chunk(int type, ahead next, float *y, size_t ldy, const uint8_t *w, size_t stride, const float *x, size_t ldx, size_t tokens,
                  size_t n, bool first)
{
    for (size_t i = 0; tokens; i++) {
        const size_t T = tokens < 7 ? tokens : tokens < 10 ? tokens - 4 : TOKENS;
        const ahead a = { part(type, next.w, stride, n, i), tokens > T ? y + T * ldy : next.y };
        switch (T) {
#define CASE(T) case T: tile(type, T, PANELS, a, y, ldy, w, stride, x, ldx, n, first, 0xffff); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#undef CASE
        default: break;
        }
        tokens -= T;
        y += T * ldy;
        x += T * ldx;
    }
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
    const size_t chunks = PANELS * stride / WEIGHTS + 1, each = (steps + chunks - 1) / chunks;
    const size_t column = 64 * sizeof *x * (each ? each : 1), most = ACTIVATIONS / column / TOKENS * TOKENS;
    const size_t blocks = (tokens + most - 1) / most, block = ((tokens + blocks - 1) / blocks + TOKENS - 1) / TOKENS * TOKENS;
    const size_t reach = ACTIVATIONS / (block * column) * each;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t n_tokens = tokens - t0 < block ? tokens - t0 : block;
        size_t s0 = 0;
        do {
            const size_t s1 = steps - s0 < reach ? steps : s0 + reach;
            for (size_t r = 0; r < whole; r += 16 * PANELS) {
                float *to = y + t0 * ldy + r;
                size_t s = s0;
                do {
                    const size_t n = s1 - s < each ? s1 - s : each;
                    const uint8_t *at = w + r / 16 * stride + s * step_bytes(type);
                    const ahead next = s + n < s1                ? (ahead){ at + n * step_bytes(type), to }
                                       : r + 16 * PANELS < whole ? (ahead){ at + PANELS * stride - (s - s0) * step_bytes(type), to + 16 * PANELS }
                                       : s1 < steps              ? (ahead){ w + s1 * step_bytes(type), y + t0 * ldy }
                                                                 : (ahead){ at, to };
                    chunk(type, next, to, ldy, at, stride, x + t0 * ldx + 64 * s, ldx, n_tokens, n, s == 0);
                    s += n;
                } while (s < s1);
            }
            s0 = s1;
        } while (s0 < steps);
        for (size_t t = t0; t < t0 + n_tokens && whole < rows; t += FEW)
            few_rows(y + t * ldy + whole, ldy, w + whole / 16 * stride, x + t * ldx, ldx, t0 + n_tokens - t < FEW ? t0 + n_tokens - t : FEW,
                     rows - whole, steps);
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
