/* attention.c -- tiles of rows by vectors of 16 held in registers, every chain in its own lane, ascending as in the reference.
 *
 * qk: ROWS queries x GROUPS of 16 keys. One step e takes GROUPS vectors of k (converted once for all rows) and one broadcast per row:
 *     ROWS + GROUPS loads for ROWS * GROUPS fma. 6 x 4 makes 24 accumulators; from 8 chains on, two fma per cycle have no wait.
 * pv: ROWS outputs x COLUMNS vectors of dimensions, the keys walked in the tile: ROWS + COLUMNS loads for ROWS * COLUMNS fma.
 *
 * Rows are split evenly over as few tiles as 6 allow, so that 7 is 4 + 3 and not 6 + 1. What d mod 16 leaves is one masked vector. */
#include "kernels/avx512/lanes.h"
#include "kernels/cache.h"
#include "kernels/kernels.h"

enum { MOST_ROWS = 6 };
enum { F32, F16, Q8 };          /* kinds of cache */

typedef struct problem {
    float *out;                 /* s or o, at the tile */
    const float *in;            /* q or p */
    const uint8_t *cache;       /* k or v */
    size_t ldout, ldin, d, keys;
    float scale;
    __mmask16 last;             /* lanes of the tile's last vector */
    const float *scales;        /* Q8, pv: [keys][blocks], of the position's first block */
    size_t blocks, from;        /* scales from key to key; the tile's first dimension */
} problem;

INLINE size_t element(int kind)
{
    return kind == F32 ? 4 : kind == F16 ? 2 : 1;
}

INLINE __m512 load(const uint8_t *base, size_t index, int kind, __mmask16 mask, int masked)
{
    const uint8_t *at = base + index * element(kind);
    if (kind == Q8)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(masked ? _mm_maskz_loadu_epi8(mask, at) : _mm_loadu_si128((const __m128i *)(const void *)at)));
    if (kind == F16)
        return _mm512_cvtph_ps(masked ? _mm256_maskz_loadu_epi16(mask, at) : _mm256_loadu_si256((const __m256i *)(const void *)at));
    return masked ? _mm512_maskz_loadu_ps(mask, at) : _mm512_loadu_ps(at);
}

INLINE void qk_tile(const problem *a, const size_t rows, const size_t groups, const int kind)
{
    const size_t d = a->d, ldq = a->ldin, lds = a->ldout;
    const float *q = a->in;
    const uint8_t *k = a->cache;
    float *s = a->out;
    __m512 acc[MOST_ROWS * 4];
    UNROLL
    for (size_t i = 0; i < rows; i++)
        UNROLL
        for (size_t g = 0; g < groups; g++)
            acc[i * groups + g] = _mm512_setzero_ps();
    for (size_t e = 0; e < d; e++) {
        __m512 kv[4];
        UNROLL
        for (size_t g = 0; g < groups; g++)
            kv[g] = load(k, (g * d + e) * 16, kind, 0, 0);
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            const __m512 qv = _mm512_set1_ps(q[i * ldq + e]);
            UNROLL
            for (size_t g = 0; g < groups; g++)
                acc[i * groups + g] = _mm512_fmadd_ps(kv[g], qv, acc[i * groups + g]);
        }
    }
    const __m512 scale = _mm512_set1_ps(a->scale);
    UNROLL
    for (size_t i = 0; i < rows; i++)
        UNROLL
        for (size_t g = 0; g < groups; g++)
            _mm512_mask_storeu_ps(s + i * lds + g * 16, g + 1 == groups ? a->last : (__mmask16)0xffff,
                                  _mm512_mul_ps(acc[i * groups + g], scale));
}

/* Keeps a vector in a register: from a loop of plain loads or stores clang makes a memcpy of the array, which then is memory. */
INLINE __m512 held(__m512 v)
{
#ifdef __clang__
    __asm__("" : "+v"(v));
#endif
    return v;
}

INLINE void pv_tile(const problem *a, const size_t rows, const size_t columns, const int kind, const int masked)
{
    const size_t d = a->d, ldp = a->ldin, ldo = a->ldout, keys = a->keys;
    const float *p = a->in;
    const uint8_t *v = a->cache;
    float *o = a->out;
    __m512 acc[MOST_ROWS * 4];
    UNROLL
    for (size_t i = 0; i < rows; i++)
        UNROLL
        for (size_t j = 0; j < columns; j++)
            acc[i * columns + j] = masked ? _mm512_maskz_loadu_ps(a->last, o + i * ldo) : held(_mm512_loadu_ps(o + i * ldo + j * 16));
    for (size_t t = 0; t < keys; t++) {
        __m512 vv[4];
        UNROLL
        for (size_t j = 0; j < columns; j++)
            vv[j] = load(v, t * d + j * 16, kind, a->last, masked);
        if (kind == Q8) {
            const float *scales = a->scales + t * a->blocks;
            UNROLL
            for (size_t j = 0; j < columns; j++)
                vv[j] = _mm512_mul_ps(vv[j], _mm512_set1_ps(scales[(a->from + j * 16) / SLM_CACHE_BLOCK]));
        }
        UNROLL
        for (size_t i = 0; i < rows; i++) {
            const __m512 pv = _mm512_set1_ps(p[i * ldp + t]);
            UNROLL
            for (size_t j = 0; j < columns; j++)
                acc[i * columns + j] = _mm512_fmadd_ps(pv, vv[j], acc[i * columns + j]);
        }
    }
    UNROLL
    for (size_t i = 0; i < rows; i++)
        UNROLL
        for (size_t j = 0; j < columns; j++)
            if (masked)
                _mm512_mask_storeu_ps(o + i * ldo, a->last, acc[i * columns + j]);
            else
                _mm512_storeu_ps(o + i * ldo + j * 16, held(acc[i * columns + j]));
}

/* Every tile is a function of its own, [rows - 1][columns]: inlined into one, gcc 12 runs out of registers in some of them. */
typedef void tile_fn(const problem *a);

#define QK(rows, groups, kind) \
    static __attribute__((noinline)) void qk_##rows##x##groups##_##kind(const problem *a) { qk_tile(a, rows, groups, kind); }
#define PV(rows, columns, kind) \
    static __attribute__((noinline)) void pv_##rows##x##columns##_##kind(const problem *a) { pv_tile(a, rows, columns, kind, 0); }
#define PV_LAST(rows, kind) \
    static __attribute__((noinline)) void pv_##rows##x0_##kind(const problem *a) { pv_tile(a, rows, 1, kind, 1); }
#define ROW(rows) \
    QK(rows, 1, 0) QK(rows, 2, 0) QK(rows, 4, 0) QK(rows, 1, 1) QK(rows, 2, 1) QK(rows, 4, 1) \
    PV(rows, 1, 0) PV(rows, 2, 0) PV(rows, 3, 0) PV(rows, 4, 0) PV(rows, 1, 1) PV(rows, 2, 1) PV(rows, 3, 1) PV(rows, 4, 1) \
    PV_LAST(rows, 0) PV_LAST(rows, 1) \
    PV(rows, 1, 2) PV(rows, 2, 2) PV(rows, 3, 2) PV(rows, 4, 2) PV_LAST(rows, 2)
ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6)

#define QK_ROW(rows, kind) { qk_##rows##x1_##kind, qk_##rows##x2_##kind, qk_##rows##x4_##kind }
#define PV_ROW(rows, kind) \
    { pv_##rows##x0_##kind, pv_##rows##x1_##kind, pv_##rows##x2_##kind, pv_##rows##x3_##kind, pv_##rows##x4_##kind }
#define TABLE(row, kind) { row(1, kind), row(2, kind), row(3, kind), row(4, kind), row(5, kind), row(6, kind) }

static tile_fn *const qk_tiles[2][MOST_ROWS][3] = { TABLE(QK_ROW, 0), TABLE(QK_ROW, 1) };
static tile_fn *const pv_tiles[3][MOST_ROWS][5] = { TABLE(PV_ROW, 0), TABLE(PV_ROW, 1), TABLE(PV_ROW, 2) };

/* What the next of the tiles for `left` of a kind takes, at most `most` each, evenly. */
INLINE size_t share(size_t left, size_t most)
{
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

static void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const uint8_t *k, size_t d, size_t keys, float scale,
               int kind)
{
    for (size_t t = 0; t < keys;) {
        const size_t left = (keys - t + 15) / 16, choice = left >= 4 ? 2 : left >= 2 ? 1 : 0, groups = (size_t)1 << choice;
        problem a = { s + t, q, k + t * d * element(kind), lds, ldq, d, keys, scale, first_lanes(keys - t - 16 * (groups - 1)),
                      NULL, 0, 0 };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            qk_tiles[kind][rows - 1][choice](&a);
            a.out += rows * lds;
            a.in += rows * ldq;
            i += rows;
        }
        t += 16 * groups;
    }
}

/* stride: values from key to key */
static void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const uint8_t *v, const float *scales, size_t d, size_t stride,
               size_t keys, int kind)
{
    for (size_t e = 0; e < d;) {
        const size_t whole = (d - e) / 16, columns = whole ? share(whole, 4) : 0;
        problem a = { o + e, p, v + e * element(kind), ldo, ldp, stride, keys, 0, first_lanes(d - e), scales, slm_cache_blocks(d), e };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            pv_tiles[kind][rows - 1][columns](&a);
            a.out += rows * ldo;
            a.in += rows * ldp;
            i += rows;
        }
        e += columns ? 16 * columns : 16;
    }
}

/* ---- keys of 8 bits: integer sums of 16 keys, four e at a time, as in mul_block.c; 3 x 4 makes 12 sums and 12 chains
 *      (6 x 2, as many, is 5 to 15 % slower: 8 loads for 12 products instead of 7) ---- */

enum { MOST_ROWS_Q8 = 3 };

typedef struct problem_q8 {
    float *s;
    const slm_xblock *q;
    const uint8_t *k;
    size_t lds, ldq, d;
    float scale;
    __mmask16 last;
} problem_q8;

/* sum += the four products of each lane. An asm because gcc 12 keeps the accumulators of the intrinsic in memory. */
INLINE __m512i dot4(__m512i sum, __m512i k, __m512i q)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(k), "v"(q));
    return sum;
}

INLINE void qk_q8_tile(const problem_q8 *a, const size_t rows, const size_t groups)
{
    const size_t bytes = 16 * slm_cache_bytes(a->d), ldq = a->ldq;
    const uint8_t *k = a->k;
    const slm_xblock *q = a->q;
    __m512 acc[12];
    UNROLL
    for (size_t i = 0; i < rows * groups; i++)
        acc[i] = _mm512_setzero_ps();
    for (size_t left = a->d; left > 0; left -= left < SLM_CACHE_BLOCK ? left : SLM_CACHE_BLOCK) {
        const size_t fours = left < SLM_CACHE_BLOCK ? (left + 3) / 4 : SLM_CACHE_BLOCK / 4;
        __m512i sum[12];
        UNROLL
        for (size_t i = 0; i < rows; i++)
            UNROLL
            for (size_t g = 0; g < groups; g++)
                sum[i * groups + g] = _mm512_set1_epi32(128 * (q[i * ldq].nsum[0] + q[i * ldq].nsum[1]));
        for (size_t f = 0; f < fours; f++) {
            __m512i kv[4];
            UNROLL
            for (size_t g = 0; g < groups; g++)
                kv[g] = _mm512_loadu_si512(k + g * bytes + 64 + f * 64);
            UNROLL
            for (size_t i = 0; i < rows; i++) {
                int32_t four;
                memcpy(&four, q[i * ldq].q + f * 4, sizeof four);
                const __m512i qv = _mm512_set1_epi32(four);
                UNROLL
                for (size_t g = 0; g < groups; g++)
                    sum[i * groups + g] = dot4(sum[i * groups + g], kv[g], qv);
            }
        }
        UNROLL
        for (size_t g = 0; g < groups; g++) {
            const __m512 dk = _mm512_loadu_ps((const float *)(const void *)(k + g * bytes));
            UNROLL
            for (size_t i = 0; i < rows; i++)
                acc[i * groups + g] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[i * groups + g]), _mm512_mul_ps(dk, _mm512_set1_ps(q[i * ldq].d)),
                                                      acc[i * groups + g]);
        }
        k += SLM_CACHE_KEY_BLOCK;
        q++;
    }
    UNROLL
    for (size_t i = 0; i < rows; i++)
        UNROLL
        for (size_t g = 0; g < groups; g++)
            _mm512_mask_storeu_ps(a->s + i * a->lds + g * 16, g + 1 == groups ? a->last : (__mmask16)0xffff,
                                  _mm512_mul_ps(acc[i * groups + g], _mm512_set1_ps(a->scale)));
}

typedef void tile_q8_fn(const problem_q8 *a);
#define QK8(rows, groups) \
    static __attribute__((noinline)) void qk8_##rows##x##groups(const problem_q8 *a) { qk_q8_tile(a, rows, groups); }
QK8(1, 1) QK8(1, 2) QK8(1, 4) QK8(2, 1) QK8(2, 2) QK8(2, 4) QK8(3, 1) QK8(3, 2) QK8(3, 4)

/* [rows - 1][log2 of groups] */
static tile_q8_fn *const qk8_tiles[MOST_ROWS_Q8][3] = { { qk8_1x1, qk8_1x2, qk8_1x4 }, { qk8_2x1, qk8_2x2, qk8_2x4 }, { qk8_3x1, qk8_3x2, qk8_3x4 } };

void slm_qk_q8_avx512(float *s, size_t lds, const slm_xblock *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS_Q8);
        for (size_t t = 0; t < keys;) {
            const size_t left = (keys - t + 15) / 16, choice = left >= 4 ? 2 : left >= 2 ? 1 : 0, groups = (size_t)1 << choice;
            const problem_q8 a = { s + i * lds + t, q + i * ldq, (const uint8_t *)k + t * slm_cache_bytes(d), lds, ldq, d, scale,
                                   first_lanes(keys - t - 16 * (groups - 1)) };
            qk8_tiles[rows - 1][choice](&a);
            t += 16 * groups;
        }
        i += rows;
    }
}

void slm_pv_q8_avx512(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const float *scales, const int8_t *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, (const uint8_t *)v, scales, d, slm_cache_width(d), keys, Q8);
}

void slm_qk_f16_avx512(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, F16);
}

void slm_qk_f32_avx512(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, F32);
}

void slm_pv_f16_avx512(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, NULL, d, d, keys, F16);
}

void slm_pv_f32_avx512(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, NULL, d, d, keys, F32);
}
