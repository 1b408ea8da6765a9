/* attention.c -- tiles of rows by vectors of 16 held in registers, every chain in its own lane, ascending as in the reference.
 *
 * qk: ROWS queries x GROUPS of 16 keys. One step e takes GROUPS vectors of k (converted once for all rows) and one broadcast per row:
 *     ROWS + GROUPS loads for ROWS * GROUPS fma. 6 x 4 makes 24 accumulators; from 8 chains on, two fma per cycle have no wait.
 * pv: ROWS outputs x COLUMNS vectors of dimensions, the keys walked in the tile: ROWS + COLUMNS loads for ROWS * COLUMNS fma.
 *
 * Rows are split evenly over as few tiles as 6 allow, so that 7 is 4 + 3 and not 6 + 1. What d mod 16 leaves is one masked vector. */
#include "kernels/avx512/lanes.h"
#include "kernels/kernels.h"

enum { MOST_ROWS = 6 };

typedef struct problem {
    float *out;                 /* s or o, at the tile */
    const float *in;            /* q or p */
    const uint8_t *cache;       /* k or v */
    size_t ldout, ldin, d, keys;
    float scale;
    __mmask16 last;             /* lanes of the tile's last vector */
} problem;

INLINE __m512 load(const uint8_t *base, size_t index, int half, __mmask16 mask, int masked)
{
    const uint8_t *at = base + index * (half ? 2 : 4);
    if (half)
        return _mm512_cvtph_ps(masked ? _mm256_maskz_loadu_epi16(mask, at) : _mm256_loadu_si256((const __m256i *)(const void *)at));
    return masked ? _mm512_maskz_loadu_ps(mask, at) : _mm512_loadu_ps(at);
}

INLINE void qk_tile(const problem *a, const size_t rows, const size_t groups, const int half)
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
            kv[g] = load(k, (g * d + e) * 16, half, 0, 0);
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

INLINE void pv_tile(const problem *a, const size_t rows, const size_t columns, const int half, const int masked)
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
            vv[j] = load(v, t * d + j * 16, half, a->last, masked);
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

#define QK(rows, groups, half) \
    static __attribute__((noinline)) void qk_##rows##x##groups##_##half(const problem *a) { qk_tile(a, rows, groups, half); }
#define PV(rows, columns, half) \
    static __attribute__((noinline)) void pv_##rows##x##columns##_##half(const problem *a) { pv_tile(a, rows, columns, half, 0); }
#define PV_LAST(rows, half) \
    static __attribute__((noinline)) void pv_##rows##x0_##half(const problem *a) { pv_tile(a, rows, 1, half, 1); }
#define ROW(rows) \
    QK(rows, 1, 0) QK(rows, 2, 0) QK(rows, 4, 0) QK(rows, 1, 1) QK(rows, 2, 1) QK(rows, 4, 1) \
    PV(rows, 1, 0) PV(rows, 2, 0) PV(rows, 3, 0) PV(rows, 4, 0) PV(rows, 1, 1) PV(rows, 2, 1) PV(rows, 3, 1) PV(rows, 4, 1) \
    PV_LAST(rows, 0) PV_LAST(rows, 1)
ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6)

#define QK_ROW(rows, half) { qk_##rows##x1_##half, qk_##rows##x2_##half, qk_##rows##x4_##half }
#define PV_ROW(rows, half) \
    { pv_##rows##x0_##half, pv_##rows##x1_##half, pv_##rows##x2_##half, pv_##rows##x3_##half, pv_##rows##x4_##half }
#define TABLE(row, half) { row(1, half), row(2, half), row(3, half), row(4, half), row(5, half), row(6, half) }

static tile_fn *const qk_tiles[2][MOST_ROWS][3] = { TABLE(QK_ROW, 0), TABLE(QK_ROW, 1) };
static tile_fn *const pv_tiles[2][MOST_ROWS][5] = { TABLE(PV_ROW, 0), TABLE(PV_ROW, 1) };

/* What the next of the tiles for `left` of a kind takes, at most `most` each, evenly. */
INLINE size_t share(size_t left, size_t most)
{
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

static void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const uint8_t *k, size_t d, size_t keys, float scale,
               int half)
{
    for (size_t t = 0; t < keys;) {
        const size_t left = (keys - t + 15) / 16, choice = left >= 4 ? 2 : left >= 2 ? 1 : 0, groups = (size_t)1 << choice;
        problem a = { s + t, q, k + t * d * (half ? 2 : 4), lds, ldq, d, keys, scale, first_lanes(keys - t - 16 * (groups - 1)) };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            qk_tiles[half][rows - 1][choice](&a);
            a.out += rows * lds;
            a.in += rows * ldq;
            i += rows;
        }
        t += 16 * groups;
    }
}

static void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const uint8_t *v, size_t d, size_t keys, int half)
{
    for (size_t e = 0; e < d;) {
        const size_t whole = (d - e) / 16, columns = whole ? share(whole, 4) : 0;
        problem a = { o + e, p, v + e * (half ? 2 : 4), ldo, ldp, d, keys, 0, first_lanes(d - e) };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            pv_tiles[half][rows - 1][columns](&a);
            a.out += rows * ldo;
            a.in += rows * ldp;
            i += rows;
        }
        e += columns ? 16 * columns : 16;
    }
}

void slm_qk_f16_avx512(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, 1);
}

void slm_qk_f32_avx512(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, 0);
}

void slm_pv_f16_avx512(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, 1);
}

void slm_pv_f32_avx512(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, 0);
}
