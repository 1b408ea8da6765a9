/* mul_block.c -- products with Q8_0 and Q4_0 weights on AVX-512 VNNI; the contract stands in scalar/mul.c.
 *
 * One register is one step of four k for 16 rows (lane = row), so vpdpbusd adds four products per row and the block order of C5
 * is kept lane by lane. A tile is T tokens x P panels: T * P float accumulators and as many integer sums, at most 12 of each, plus
 * P weights and one broadcast of four activations: 24 + 4 + 2 of the 32 registers. Per block a tile issues 8 vpdpbusd, one product
 * and one fma per (token, panel) on the same two ports: 80 % of the VNNI peak is the ceiling.
 *
 *   1 token          one panel at a time in one forward stream with software prefetch.
 *   2 to 24 tokens   two panels side by side, so that a broadcast serves two vpdpbusd: with one, the two load ports bind. In chunks
 *                    that stay in L1 while tiles of at most 6 tokens pass; the first two tiles fetch the next chunk meanwhile.
 *                    Each weight is read from memory once.
 *   more             token blocks whose activations stay in L2; within them groups of PANELS panels, chunks of steps that stay in L2
 *                    while all tokens of the block pass; each tile fetches its part of the next chunk.
 * Between chunks partial sums wait in y: stored and loaded they are the same bits, so the chunks do not show. */
#include "kernels/inline.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>


enum { Q8_0, Q4_0 };
enum {
    FEW = 24, NARROW = 6,   /* most tokens of the second path, and of its tiles */
    NARROW_BYTES = 20 * 1024, /* weights of a chunk there: this one, the next and the activations fill L1 */
    TOKENS = 3, PANELS = 4, /* the tile of many tokens; REST below lists what may be left */
    ROOM = 12,              /* most accumulators of a tile */
    WEIGHTS = 400 * 1024,   /* bytes of one chunk: with the activations, most of L2 */
    ACTIVATIONS = 480 * 1024, /* bytes of one token block */
    AHEAD = 4096            /* bytes of prefetch */
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
#ifdef __clang__
    __asm__("" : "+r"(step));       /* else it keeps the bytes from low to high nibble and lacks registers */
#endif
    const __m512i both = _mm512_load_si512(step + 64 + b * 256 + g % 4 * 64), low = _mm512_set1_epi8(15);
    return _mm512_and_si512(g < 4 ? both : _mm512_srli_epi16(both, 4), low);
}

INLINE __m512i broadcast4(const int8_t *q)
{
    int32_t v;
    __builtin_memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

INLINE void fetch(uintptr_t at, size_t bytes)
{
    UNROLL
    for (size_t i = 0; i < bytes; i += 64)
        _mm_prefetch((const char *)(at + i), _MM_HINT_T0);
}

/* For weights used once: they must not push the activations out of L1. */
INLINE void fetch_once(uintptr_t at, size_t bytes)
{
    UNROLL
    for (size_t i = 0; i < bytes; i += 64)
        _mm_prefetch((const char *)(at + i), _MM_HINT_NTA);
}

/* What a tile fetches as it goes: into L1, from its own stream AHEAD bytes on; into L1, the next chunk of the panels that a and b
 * point to (NULL: none); into L2, one line per step from a on. */
typedef struct ahead { enum { STREAM, CHUNK, LINES } kind; const uint8_t *a, *b; } ahead;

/* y for T tokens and P panels over `steps` steps, on top of what y holds unless `first`. w: the first step of the first panel, the
 * next panel `stride` bytes on. mask: rows of the last panel. */
INLINE void tile(int type, int T, int P, ahead next, float *y, size_t ldy, const uint8_t *w, size_t stride, const slm_xblock *x,
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
        if (next.kind == STREAM) {
            fetch_once((uintptr_t)w + AHEAD, step_bytes(type));
        } else if (next.kind == CHUNK) {
            if (next.a)
                fetch((uintptr_t)next.a + s * step_bytes(type), step_bytes(type));
            if (next.b)
                fetch((uintptr_t)next.b + s * step_bytes(type), step_bytes(type));
        } else {
            _mm_prefetch((const char *)(next.a + 64 * s), _MM_HINT_T1);
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

#define EACH_NARROW(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

/* One panel after another, at most NARROW tokens. */
INLINE void stream(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                   size_t steps)
{
    const size_t stride = steps * step_bytes(type);
    for (size_t r = 0; r < rows; r += 16, w += stride)
        switch (tokens) {
#define CASE(n) case n: tile(type, n, 1, (ahead){ STREAM, NULL, NULL }, y + r, ldy, w, stride, x, ldx, steps, true, lanes(rows - r)); break;
        EACH_NARROW(CASE)
#undef CASE
        default: break;
        }
}

/* One chunk of two panels, at most NARROW tokens. */
INLINE void pair(int type, ahead next, float *y, size_t ldy, const uint8_t *w, size_t stride, const slm_xblock *x, size_t ldx,
                 size_t tokens, size_t steps, bool first, __mmask16 mask)
{
    switch (tokens) {
#define CASE(n) case n: tile(type, n, 2, next, y, ldy, w, stride, x, ldx, steps, first, mask); break;
    EACH_NARROW(CASE)
#undef CASE
    default: break;
    }
}

/* At most FEW tokens. */
INLINE void few(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                size_t steps)
{
    const size_t stride = steps * step_bytes(type), tiles = (tokens + NARROW - 1) / NARROW;
    const size_t chunks = 2 * stride / NARROW_BYTES + 1, chunk = (steps + chunks - 1) / chunks;
    size_t r = 0;
    for (; tokens > 1 && r + 16 < rows; r += 32) {
        size_t s = 0;
        do {
            const size_t n = steps - s < chunk ? steps - s : chunk;
            const uint8_t *at = w + r / 16 * stride + s * step_bytes(type);
            const uint8_t *next = s + n < steps ? at + n * step_bytes(type)
                                  : r + 48 < rows ? at + 2 * stride - s * step_bytes(type) : NULL;
            size_t t = 0;
            for (size_t i = 0; i < tiles; i++) {
                const size_t count = (tokens - t + tiles - i - 1) / (tiles - i);
                const ahead what = { CHUNK, !next || i > 1 ? NULL : i == 0 ? next : next + stride,
                                     next && tiles == 1 ? next + stride : NULL };
                pair(type, what, y + t * ldy + r, ldy, at, stride, x + t * ldx + 2 * s, ldx, count, n, s == 0, lanes(rows - r - 16));
                t += count;
            }
            s += n;
        } while (s < steps);
    }
    for (size_t t = 0; r < rows && t < tokens; t += NARROW)
        stream(type, y + t * ldy + r, ldy, w + r / 16 * stride, x + t * ldx, ldx, tokens - t < NARROW ? tokens - t : NARROW, rows - r,
               steps);
}

/* A tile over n steps fetches 64 bytes per step. The part of the next chunk that falls to tile i, or something near where
 * that chunk is fetched already. */
INLINE const uint8_t *part(int type, const uint8_t *next, size_t stride, size_t n, size_t i)
{
    const size_t parts = step_bytes(type) / 64;        /* tiles per panel */
    return i < PANELS * parts ? next + i / parts * stride + i % parts * n * 64 : next;
}

typedef void few_fn(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                    size_t steps);

INLINE void mul(int type, few_fn *few_rows, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens,
                size_t rows, size_t steps)
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
                const uint8_t *next = s + n < steps              ? at + n * step_bytes(type)
                                      : r + 16 * PANELS < whole ? at + PANELS * stride - s * step_bytes(type)
                                                                : at;
                size_t t = t0;
                for (; t + TOKENS <= t1; t += TOKENS)
                    tile(type, TOKENS, PANELS, (ahead){ LINES, part(type, next, stride, n, (t - t0) / TOKENS), NULL }, y + t * ldy + r,
                         ldy, at, stride, x + t * ldx + 2 * s, ldx, n, s == 0, 0xffff);
                switch (t1 - t) {
#define REST(T) \
    case T: \
        tile(type, T, PANELS, (ahead){ LINES, at, NULL }, y + t * ldy + r, ldy, at, stride, x + t * ldx + 2 * s, ldx, n, s == 0, 0xffff); \
        break;
                REST(1) REST(2)
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

static void few_q8_0(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few(Q8_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_q8_0_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(Q8_0, few_q8_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

static void few_q4_0(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    few(Q4_0, y, ldy, w, x, ldx, tokens, rows, steps);
}

void slm_mul_q4_0_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps)
{
    mul(Q4_0, few_q4_0, y, ldy, w, x, ldx, tokens, rows, steps);
}
