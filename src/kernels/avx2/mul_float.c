/* mul_float.c -- products with F32, F16 and BF16 weights on AVX2; the contract stands in scalar/mul.c.
 *
 * One k of 16 rows is two registers; each lane runs the chain of C3 on its own, k ascending. A chain advances by one fma in four
 * cycles: with one or two tokens, two panels go side by side. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>

enum { F32, F16, BF16 };
enum {
    TOKENS = 6,             /* of a tile: 12 accumulators, 2 weights, a broadcast */
    L1_BYTES = 16 * 1024,   /* weights of one chunk */
    L2_BYTES = 160 * 1024,  /* activations of one token block: half of the smallest L2 in use */
    AHEAD = 1024            /* bytes of prefetch */
};

INLINE size_t step_bytes(int type)
{
    return type == F32 ? SLM_STEP_F32 : SLM_STEP_F16;
}

/* One k of eight rows: half h. */
INLINE __m256 weight(int type, const uint8_t *w, int h)
{
    if (type == F32)
        return _mm256_load_ps((const float *)(const void *)w + 8 * h);
    const __m128i half = _mm_load_si128((const void *)(w + 16 * h));
    return type == F16 ? _mm256_cvtph_ps(half) : _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

INLINE __m256i lanes(size_t rows, int h)
{
    const int n = rows < 16 ? (int)rows : 16;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8 * h), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* y for T tokens and P panels over `steps` steps, on top of what y holds unless `first`. w: the first step of the first panel, the
 * next panel `stride` bytes on. rows: of the last panel. */
INLINE void tile(int type, int T, int P, float *y, size_t ldy, const uint8_t *w, size_t stride, const float *x, size_t ldx, size_t rows,
                 size_t steps, bool first)
{
    const size_t line = step_bytes(type) / 64;
    __m256 acc[2 * TOKENS], v[4];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2 * P; h++) {
            const float *from = y + (size_t)t * ldy + 8 * h;
            acc[2 * P * t + h] = first                               ? _mm256_setzero_ps()
                                 : h / 2 < P - 1 || rows >= 16 ? _mm256_loadu_ps(from)
                                                                     : _mm256_maskload_ps(from, lanes(rows, h % 2));
        }
    for (size_t k = 0; k < steps * 64; k += 2, x += 2, w += 2 * line) {
        UNROLL
        for (int p = 0; p < P; p++) {
            _mm_prefetch((const char *)((uintptr_t)w + (size_t)p * stride + AHEAD), _MM_HINT_T0);
            if (type == F32)
                _mm_prefetch((const char *)((uintptr_t)w + (size_t)p * stride + AHEAD + 64), _MM_HINT_T0);
        }
        UNROLL
        for (int i = 0; i < 2; i++) {
            UNROLL
            for (int h = 0; h < 2 * P; h++)
                v[h] = weight(type, w + (size_t)(h / 2) * stride + (size_t)i * line, h % 2);
            UNROLL
            for (int t = 0; t < T; t++) {
                const __m256 xk = _mm256_set1_ps(x[(size_t)t * ldx + (size_t)i]);
                UNROLL
                for (int h = 0; h < 2 * P; h++)
                    acc[2 * P * t + h] = _mm256_fmadd_ps(v[h], xk, acc[2 * P * t + h]);
            }
        }
    }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2 * P; h++) {
            float *to = y + (size_t)t * ldy + 8 * h;
            if (h / 2 < P - 1 || rows >= 16)
                _mm256_storeu_ps(to, acc[2 * P * t + h]);
            else
                _mm256_maskstore_ps(to, lanes(rows, h % 2), acc[2 * P * t + h]);
        }
}

/* Tokens of one chunk of one panel. */
INLINE void pass(int type, float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps,
                 bool first)
{
    for (; tokens >= TOKENS; tokens -= TOKENS, y += TOKENS * ldy, x += TOKENS * ldx)
        tile(type, TOKENS, 1, y, ldy, w, 0, x, ldx, rows, steps, first);
    switch (tokens) {
    case 5: tile(type, 5, 1, y, ldy, w, 0, x, ldx, rows, steps, first); break;
    case 4: tile(type, 4, 1, y, ldy, w, 0, x, ldx, rows, steps, first); break;
    case 3: tile(type, 3, 1, y, ldy, w, 0, x, ldx, rows, steps, first); break;
    case 2: tile(type, 2, 1, y, ldy, w, 0, x, ldx, rows, steps, first); break;
    case 1: tile(type, 1, 1, y, ldy, w, 0, x, ldx, rows, steps, first); break;
    default: break;
    }
}

INLINE void mul(int type, float *y, size_t ldy, const uint8_t *w, const float *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    const size_t chunk = L1_BYTES / step_bytes(type), stride = steps * step_bytes(type);
    size_t block = L2_BYTES / (64 * sizeof *x * (steps ? steps : 1)) / TOKENS * TOKENS;
    size_t done = 0;
    block = block < 4 * TOKENS ? 4 * TOKENS : block;
    if (tokens <= 2)
        for (; done + 32 <= rows; done += 32) {
            if (tokens == 2)
                tile(type, 2, 2, y + done, ldy, w + done / 16 * stride, stride, x, ldx, 16, steps, true);
            else if (tokens == 1)
                tile(type, 1, 2, y + done, ldy, w + done / 16 * stride, stride, x, ldx, 16, steps, true);
        }
    for (size_t t0 = 0; t0 < tokens; t0 += block)
        for (size_t r = done; r < rows; r += 16) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                pass(type, y + t0 * ldy + r, ldy, w + r / 16 * stride + s * step_bytes(type), x + t0 * ldx + 64 * s, ldx,
                     tokens - t0 < block ? tokens - t0 : block, rows - r, n, s == 0);
                s += n;
            } while (s < steps);
        }
}

void slm_mul_f32_avx2(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(F32, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_f16_avx2(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(F16, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_bf16_avx2(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(BF16, y, ldy, w, x, ldx, tokens, rows, steps);
}
