/* mul_block.c -- products with block-quantized weights on AVX-512 VNNI; the contract stands in scalar/mul.c.
 *
 * One register is one step of four k for 16 rows (lane = row), so vpdpbusd adds four products per row and the block order of C5
 * is kept lane by lane. A tile is T tokens x P panels: T * P float accumulators and as many integer sums, at most 12 of each, plus
 * P weights and one broadcast of four activations: 24 + 4 + 2 of the 32 registers. Per integer sum a tile issues 8 vpdpbusd (4 where
 * sums are of 16), one product and one fma per (token, panel) on the same two ports, and as many again for a minimum: 80 % of the
 * VNNI peak is the ceiling, 67 % with a minimum or sums of 16, 50 % with both.
 *
 *   1 token          one panel at a time in one forward stream with software prefetch.
 *   2 to 24 tokens   two panels side by side, so that a broadcast serves two vpdpbusd: with one, the two load ports bind. In chunks
 *                    that stay in L1 while tiles of at most 6 tokens pass; the first two tiles fetch the next chunk meanwhile.
 *                    Each weight is read from memory once. Tiles of types that are dear to unpack: at most 4 tokens.
 *   more             token blocks whose activations stay in L2. Q8_0 and Q4_0: within them groups of PANELS panels, chunks of steps
 *                    that stay in L2 while all tokens of the block pass; each tile fetches its part of the next chunk. The others:
 *                    PANELS panels, and a few steps at a time, are unpacked to bytes and float scales on the stack, which is once for
 *                    all tokens of the block, and one loop for all types multiplies from there.
 * Between chunks partial sums wait in y: stored and loaded they are the same bits, so the chunks do not show. */
#include "kernels/block.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>

enum {
    FEW = 24, NARROW = 6,   /* most tokens of the second path, and of its tiles */
    DEAR = 4,               /* most of such a tile for types that are dear to unpack: their temporaries need registers */
    NARROW_BYTES = 20 * 1024, /* weights of a chunk there: this one, the next and the activations fill L1 */
    TOKENS = 3, PANELS = 4, /* the tile of many tokens; REST below lists what may be left */
    ROOM = 12,              /* most accumulators of a tile */
    WEIGHTS = 400 * 1024,   /* bytes of one chunk: with the activations, most of L2 */
    ACTIVATIONS = 480 * 1024, /* bytes of one token block */
    AHEAD = 4096,           /* bytes of prefetch */
    WIDE = 3,               /* tokens of a tile from unpacked weights, of PANELS panels */
    WIDE_ROOM = 20480,      /* bytes of those: in L1, and on the stack */
    WIDE_BLOCK = 192,       /* most tokens of a block there */
    WIDE_ACTIVATIONS = 1000 * 1024  /* bytes of its activations */
};

/* What costs more to unpack than to multiply with few tokens: unpacked once, for many. */
INLINE bool is_dear(int type)
{
    return type != SLM_Q8_0 && type != SLM_Q4_0;
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
    static const _Alignas(16) int8_t table[16] = { SLM_IQ4_VALUES };
    const uint8_t *at = step + slm_block_head(type), *plane = at + slm_block_low_bytes(type);
    const int low = slm_block_low(type);
    if (low == 8)
        return _mm512_load_si512(at + b * 512 + g * 64);
#ifdef __clang__
    __asm__("" : "+r"(at));         /* else it keeps the bytes from low to high nibble and lacks registers */
#endif
    __m512i q;
    if (low == 4) {
        const __m512i both = _mm512_load_si512(at + b * 256 + g % 4 * 64);
        q = _mm512_and_si512(g < 4 ? both : _mm512_srli_epi16(both, 4), _mm512_set1_epi8(15));
    } else {
        const __m512i four = _mm512_load_si512(at + b * 128 + g / 4 * 64);
        q = _mm512_and_si512(g % 4 ? _mm512_srli_epi16(four, (uint8_t)(g % 4 * 2)) : four, _mm512_set1_epi8(3));
    }
    if (slm_block_has_table(type)) {
        const __m512i signs = _mm512_broadcast_i32x4(_mm_load_si128((const void *)table));
        return _mm512_shuffle_epi8(_mm512_xor_si512(signs, _mm512_set1_epi8(-128)), q);
    }
    if (!slm_block_high(type))
        return q;
#ifdef __clang__
    __asm__("" : "+r"(plane));
#endif
    const int bit = slm_block_high(type) == 1 ? g : g % 4 * 2;      /* where the high bits lie in each byte; they go to `low` and up */
    const __m512i h = _mm512_load_si512(plane + (slm_block_high(type) == 1 ? b * 64 : b * 128 + g / 4 * 64));
    const __m512i moved = bit < low ? _mm512_slli_epi16(h, (uint8_t)(low - bit)) : _mm512_srli_epi16(h, (uint8_t)(bit - low));
    const __m512i mask = _mm512_set1_epi8((char)(((1 << slm_block_high(type)) - 1) << low));
    return _mm512_ternarylogic_epi32(q, moved, mask, 0xf8);        /* q | moved & mask */
}

/* factor times minus the sum of the activations of half h, or of the block if sums are not by halves. From general registers: the
 * vector units are what binds. */
INLINE __m512i nsum(int halves, const slm_xblock *x, int h, int factor)
{
    return _mm512_set1_epi32((halves == 2 ? x->nsum[h] : x->nsum[0] + x->nsum[1]) * factor);
}

/* Where the integer sum of half h begins: minus the offset times the sum of its activations. */
INLINE __m512i start(int type, const slm_xblock *x, int h)
{
    return slm_block_offset(type) ? nsum(slm_block_halves(type), x, h, slm_block_offset(type)) : _mm512_setzero_si512();
}

INLINE __m512 halves16(const uint8_t *at)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const void *)at));
}

/* Scale of half h of block b. */
INLINE __m512 scale(int type, const uint8_t *step, int b, int h)
{
    if (!slm_block_is_super(type))
        return halves16(step + 32 * b);
    step = slm_again(step);
    __m128i s = _mm_load_si128((const void *)(step + slm_block_small(type, (size_t)b, (size_t)h)));
    if (type == SLM_Q2_K)
        s = _mm_and_si128(s, _mm_set1_epi8(15));
    return _mm512_mul_ps(halves16(step), _mm512_cvtepi32_ps(slm_block_is_signed(type) ? _mm512_cvtepi8_epi32(s) : _mm512_cvtepu8_epi32(s)));
}

/* Its minimum. */
INLINE __m512 minimum(int type, const uint8_t *step, int b, int h)
{
    if (!slm_block_is_super(type))
        return halves16(step + 64 + 32 * b);
    step = slm_again(step);
    __m128i m = _mm_load_si128((const void *)(step + (type == SLM_Q2_K ? slm_block_small(type, (size_t)b, (size_t)h) : 96 + 16 * (size_t)b)));
    if (type == SLM_Q2_K)
        m = _mm_and_si128(_mm_srli_epi16(m, 4), _mm_set1_epi8(15));
    return _mm512_mul_ps(halves16(step + 32), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(m)));
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
    for (size_t s = 0; s < steps; s++, w += slm_block_step(type), x += 2) {
        if (next.kind == STREAM) {
            fetch_once((uintptr_t)w + AHEAD, slm_block_step(type));
        } else if (next.kind == CHUNK) {
            if (next.a)
                fetch((uintptr_t)next.a + s * slm_block_step(type), slm_block_step(type));
            if (next.b)
                fetch((uintptr_t)next.b + s * slm_block_step(type), slm_block_step(type));
        } else {
            _mm_prefetch((const char *)(next.a + 64 * s), _MM_HINT_T1);
        }
        UNROLL
        for (int b = 0; b < 2; b++) {
            UNROLL
            for (int h = 0; h < slm_block_halves(type); h++) {
                __m512i sum[ROOM], v[PANELS];
                __m512 dw[PANELS];
                UNROLL
                for (int t = 0; t < T; t++) {
                    const __m512i from = start(type, x + (size_t)t * ldx + (size_t)b, h);
                    UNROLL
                    for (int p = 0; p < P; p++)
                        sum[t * P + p] = from;
                }
                UNROLL
                for (int i = 0; i < slm_block_groups(type); i++) {
                    const int g = i + 4 * h;
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
                    dw[p] = scale(type, w + (size_t)p * stride, b, h);
                UNROLL
                for (int t = 0; t < T; t++) {
                    const slm_xblock *xb = slm_again(x + (size_t)t * ldx + (size_t)b);
                    const __m512 dx = _mm512_set1_ps(xb->d);
                    UNROLL
                    for (int p = 0; p < P; p++)
                        acc[t * P + p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[t * P + p]), _mm512_mul_ps(dw[p], dx), acc[t * P + p]);
                }
                if (!slm_block_has_min(type))
                    continue;
                __m512 mw[PANELS];
                UNROLL
                for (int p = 0; p < P; p++)
                    mw[p] = minimum(type, w + (size_t)p * stride, b, h);
                UNROLL
                for (int t = 0; t < T; t++) {
                    const slm_xblock *xb = slm_again(x + (size_t)t * ldx + (size_t)b);
                    const __m512 dx = _mm512_set1_ps(xb->d), xsum = _mm512_cvtepi32_ps(nsum(slm_block_halves(type), xb, h, -1));
                    UNROLL
                    for (int p = 0; p < P; p++)
                        acc[t * P + p] = _mm512_fmadd_ps(xsum, _mm512_mul_ps(mw[p], dx), acc[t * P + p]);
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

#define EACH_NARROW(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)

INLINE size_t narrow(int type)
{
    return is_dear(type) ? DEAR : NARROW;
}

/* One panel after another, at most `narrow` tokens. */
INLINE void stream(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                   size_t steps)
{
    const size_t stride = steps * slm_block_step(type);
    for (size_t r = 0; r < rows; r += 16, w += stride)
        switch (tokens) {
#define CASE(n) case n: if (n <= narrow(type)) tile(type, n, 1, (ahead){ STREAM, NULL, NULL }, y + r, ldy, w, stride, x, ldx, steps, true, lanes(rows - r)); break;
        EACH_NARROW(CASE)
#undef CASE
        default: break;
        }
}

/* One chunk of two panels, at most `narrow` tokens. */
INLINE void pair(int type, ahead next, float *y, size_t ldy, const uint8_t *w, size_t stride, const slm_xblock *x, size_t ldx,
                 size_t tokens, size_t steps, bool first, __mmask16 mask)
{
    switch (tokens) {
#define CASE(n) case n: if (n <= narrow(type)) tile(type, n, 2, next, y, ldy, w, stride, x, ldx, steps, first, mask); break;
    EACH_NARROW(CASE)
#undef CASE
    default: break;
    }
}

/* At most FEW tokens. */
INLINE void few(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                size_t steps)
{
    const size_t stride = steps * slm_block_step(type), most = narrow(type), tiles = (tokens + most - 1) / most;
    const size_t chunks = 2 * stride / NARROW_BYTES + 1, chunk = (steps + chunks - 1) / chunks;
    size_t r = 0;
    for (; tokens > 1 && r + 16 < rows; r += 32) {
        size_t s = 0;
        do {
            const size_t n = steps - s < chunk ? steps - s : chunk;
            const uint8_t *at = w + r / 16 * stride + s * slm_block_step(type);
            const uint8_t *next = s + n < steps ? at + n * slm_block_step(type)
                                  : r + 48 < rows ? at + 2 * stride - s * slm_block_step(type) : NULL;
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
    for (size_t t = 0; r < rows && t < tokens; t += most)
        stream(type, y + t * ldy + r, ldy, w + r / 16 * stride, x + t * ldx, ldx, tokens - t < most ? tokens - t : most, rows - r, steps);
}

/* ---- many tokens from unpacked weights ---------------------------------------------------------------------------------------- */

/* Four panels' weights of a step: bytes [2 blocks][8 groups][4 panels][16 rows][4 k], then float scales [2 blocks][halves][4 panels][16],
 * then minima likewise. */
INLINE size_t wide_step(int halves, bool min)
{
    return PANELS * (1024 + 128 * (size_t)halves * (min ? 2 : 1));
}

/* What a tile needs beside the weights: the offset of the unsigned ones (types with a minimum have none), how many of the panels there
 * are, and the rows of each. */
typedef struct wide {
    int       offset;
    size_t    panels;
    __mmask16 rows[PANELS];
} wide;

/* The panels' next steps; in the place of one that is not there lies the first once more. */
INLINE void widen(int type, const wide *of, uint8_t *out, const uint8_t *w, size_t stride, size_t steps)
{
    const int halves = slm_block_halves(type);
    const bool min = slm_block_has_min(type);
    for (size_t s = 0; s < steps; s++, w += slm_block_step(type), out += wide_step(halves, min))
        for (size_t p = 0; p < PANELS; p++) {
            const uint8_t *step = w + (p < of->panels ? p * stride : 0);
            fetch_once((uintptr_t)step + AHEAD, slm_block_step(type));
            UNROLL
            for (int b = 0; b < 2; b++) {
                UNROLL
                for (int g = 0; g < 8; g++)
                    _mm512_store_si512(out + (size_t)((b * 8 + g) * PANELS) * 64 + p * 64, group(type, step, b, g));
                UNROLL
                for (int h = 0; h < halves; h++) {
                    float *at = (float *)(void *)(out + 1024 * PANELS + (size_t)((b * halves + h) * PANELS) * 64 + p * 64);
                    _mm512_store_ps(at, scale(type, step, b, h));
                    if (min)
                        _mm512_store_ps(at + 32 * PANELS * halves, minimum(type, step, b, h));
                }
            }
        }
}

/* T tokens by four panels over `steps` steps, on top of what y holds unless `first`. */
INLINE void wide_tile(int halves, bool min, int T, const wide *of, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx,
                      size_t steps, bool first)
{
    enum { P = PANELS };
    const int groups = halves == 1 ? 8 : 4;
    __m512 acc[P * WIDE];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++)
            acc[P * t + p] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(of->rows[p], y + (size_t)t * ldy + 16 * p);
    for (size_t s = 0; s < steps; s++, w += wide_step(halves, min), x += 2)
        UNROLL
        for (int b = 0; b < 2; b++)
            UNROLL
            for (int h = 0; h < halves; h++) {
                __m512i sum[P * WIDE];
                UNROLL
                for (int t = 0; t < T; t++)
                    UNROLL
                    for (int p = 0; p < P; p++)
                        sum[P * t + p] = min ? _mm512_setzero_si512() : nsum(halves, x + (size_t)t * ldx + b, h, of->offset);
                UNROLL
                for (int i = 0; i < groups; i++) {
                    const int g = i + 4 * h;
                    const uint8_t *at = w + (size_t)((b * 8 + g) * P) * 64;
                    __m512i v[P];
                    UNROLL
                    for (int p = 0; p < P; p++)
                        v[p] = _mm512_load_si512(at + 64 * p);
                    UNROLL
                    for (int t = 0; t < T; t++) {
                        const __m512i q = broadcast4(x[(size_t)t * ldx + (size_t)b].q + 4 * g);
                        UNROLL
                        for (int p = 0; p < P; p++)
                            sum[P * t + p] = dot4(sum[P * t + p], v[p], q);
                    }
                }
                UNROLL
                for (int t = 0; t < T; t++) {
                    const float *dw = slm_again(w + 1024 * P + (size_t)((b * halves + h) * P) * 64);
                    const slm_xblock *xb = x + (size_t)t * ldx + b;
                    const __m512 dx = _mm512_set1_ps(xb->d);
                    UNROLL
                    for (int p = 0; p < P; p++)
                        acc[P * t + p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[P * t + p]), _mm512_mul_ps(dx, _mm512_load_ps(dw + 16 * p)),
                                                         acc[P * t + p]);
                    if (!min)
                        continue;
                    const __m512 xsum = _mm512_cvtepi32_ps(nsum(halves, xb, h, -1));
                    UNROLL
                    for (int p = 0; p < P; p++)
                        acc[P * t + p] = _mm512_fmadd_ps(xsum, _mm512_mul_ps(dx, _mm512_load_ps(dw + 32 * P * halves + 16 * p)), acc[P * t + p]);
                }
            }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int p = 0; p < P; p++)
            _mm512_mask_storeu_ps(y + (size_t)t * ldy + 16 * p, of->rows[p], acc[P * t + p]);
}

/* All tokens over the unpacked steps. A function of its own for each kind of sums, which types share. */
typedef void wide_fn(const wide *of, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t steps,
                     bool first);
#define WIDE_PASS(name, halves, min) \
    static __attribute__((noinline)) void name(const wide *of, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, \
                                               size_t tokens, size_t steps, bool first) \
    { \
        size_t t = 0; \
        for (; t + WIDE <= tokens; t += WIDE) \
            wide_tile(halves, min, WIDE, of, y + t * ldy, ldy, w, x + t * ldx, ldx, steps, first); \
        if (tokens - t == 2) \
            wide_tile(halves, min, 2, of, y + t * ldy, ldy, w, x + t * ldx, ldx, steps, first); \
        else if (tokens - t == 1) \
            wide_tile(halves, min, 1, of, y + t * ldy, ldy, w, x + t * ldx, ldx, steps, first); \
    }
WIDE_PASS(wide_plain, 1, false)
WIDE_PASS(wide_min, 1, true)
WIDE_PASS(wide_halves, 2, false)
WIDE_PASS(wide_halves_min, 2, true)

/* Blocks of tokens and parts of k whose activations stay in L2: the more tokens, the less unpacking; y waits between the parts. */
INLINE void mul_wide(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                     size_t steps)
{
    const int halves = slm_block_halves(type);
    const bool min = slm_block_has_min(type);
    wide_fn *const pass = halves == 1 ? min ? wide_min : wide_plain : min ? wide_halves_min : wide_halves;
    const size_t stride = steps * slm_block_step(type), chunk = WIDE_ROOM / wide_step(halves, min);
    _Alignas(64) uint8_t room[WIDE_ROOM];
    wide of;
    of.offset = slm_block_offset(type);
    const size_t blocks = (tokens + WIDE_BLOCK - 1) / WIDE_BLOCK, block = (tokens + blocks - 1) / blocks;
    const size_t most = WIDE_ACTIVATIONS / (2 * sizeof *x * block), parts = steps / most + 1, part = (steps + parts - 1) / parts;
    for (size_t t = 0; t < tokens; t += block) {
        const size_t count = tokens - t < block ? tokens - t : block;
        size_t k = 0;
        do      /* once even without steps: y is written */
            for (size_t r = 0, end = steps - k < part ? steps : k + part; r < rows; r += 16 * PANELS) {
                of.panels = 0;
                for (size_t p = 0; p < PANELS; p++) {
                    of.rows[p] = rows - r > 16 * p ? lanes(rows - r - 16 * p) : 0;
                    of.panels += of.rows[p] != 0;
                }
                size_t s = k;
                do {
                    const size_t n = end - s < chunk ? end - s : chunk;
                    widen(type, &of, room, w + r / 16 * stride + s * slm_block_step(type), stride, n);
                    pass(&of, y + t * ldy + r, ldy, room, x + t * ldx + 2 * s, ldx, count, n, s == 0);
                    s += n;
                } while (s < end);
            }
        while ((k += part) < steps);
    }
}

/* ---- any number of tokens ------------------------------------------------------------------------------------------------------ */

/* A tile over n steps fetches 64 bytes per step. The part of the next chunk that falls to tile i, or something near where
 * that chunk is fetched already. */
INLINE const uint8_t *part(int type, const uint8_t *next, size_t stride, size_t n, size_t i)
{
    const size_t parts = slm_block_step(type) / 64;        /* tiles per panel */
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
    if (is_dear(type)) {
        mul_wide(type, y, ldy, w, x, ldx, tokens, rows, steps);
        return;
    }
    const size_t stride = steps * slm_block_step(type), whole = rows / (16 * PANELS) * (16 * PANELS);
    const size_t chunks = PANELS * stride / WEIGHTS + 1, chunk = (steps + chunks - 1) / chunks;
    size_t block = ACTIVATIONS / (2 * sizeof *x * (steps ? steps : 1)) / FEW * FEW;
    block = block < 4 * FEW ? 4 * FEW : block;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < whole; r += 16 * PANELS) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                const uint8_t *at = w + r / 16 * stride + s * slm_block_step(type);
                const uint8_t *next = s + n < steps              ? at + n * slm_block_step(type)
                                      : r + 16 * PANELS < whole ? at + PANELS * stride - s * slm_block_step(type)
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

#define MUL(option, type) \
    static void few_##option(float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows, \
                             size_t steps) \
    { \
        few(type, y, ldy, w, x, ldx, tokens, rows, steps); \
    } \
    void slm_mul_##option##_avx512(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, \
                                   size_t steps) \
    { \
        mul(type, few_##option, y, ldy, w, x, ldx, tokens, rows, steps); \
    }
#pragma GCC diagnostic ignored "-Wframe-larger-than="   /* the room of unpacked weights; what is called from there needs little */
MUL(q8_0, SLM_Q8_0)
MUL(q4_0, SLM_Q4_0)
MUL(q4_1, SLM_Q4_1)
MUL(q5_0, SLM_Q5_0)
MUL(q5_1, SLM_Q5_1)
MUL(q4_k, SLM_Q4_K)
MUL(q5_k, SLM_Q5_K)
MUL(q6_k, SLM_Q6_K)
MUL(q2_k, SLM_Q2_K)
MUL(q3_k, SLM_Q3_K)
MUL(iq4_nl, SLM_IQ4_NL)
MUL(iq4_xs, SLM_IQ4_XS)
