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

SLM_INLINE __m512 load(const uint8_t *base, size_t index, int half, __mmask16 mask, int masked)
{
    const uint8_t *at = base + index * (half ? 2 : 4);
    if (half)
        return _mm512_cvtph_ps(masked ? _mm256_maskz_loadu_epi16(mask, at) : _mm256_loadu_si256((const __m256i *)(const void *)at));
    return masked ? _mm512_maskz_loadu_ps(mask, at) : _mm512_loadu_ps(at);
}

SLM_INLINE void qk_tile(const problem *a, const size_t rows, const size_t groups, const int half)
{
    const size_t d = a->d, ldq = a->ldin, lds = a->ldout;
    const float *q = a->in;
    const uint8_t *k = a->cache;
    __m512 acc[MOST_ROWS][4];
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t g = 0; g < groups; g++)
            acc[i][g] = _mm512_setzero_ps();
    for (size_t e = 0; e < d; e++) {
        __m512 kv[4];
#pragma GCC unroll 4
        for (size_t g = 0; g < groups; g++)
            kv[g] = load(k, (g * d + e) * 16, half, 0, 0);
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++) {
            const __m512 qv = _mm512_set1_ps(q[i * ldq + e]);
#pragma GCC unroll 4
            for (size_t g = 0; g < groups; g++)
                acc[i][g] = _mm512_fmadd_ps(kv[g], qv, acc[i][g]);
        }
    }
    const __m512 scale = _mm512_set1_ps(a->scale);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t g = 0; g < groups; g++)
            _mm512_mask_storeu_ps(a->out + i * lds + g * 16, g + 1 == groups ? a->last : (__mmask16)0xffff,
                                  _mm512_mul_ps(acc[i][g], scale));
}

SLM_INLINE void pv_tile(const problem *a, const size_t rows, const size_t columns, const int half, const int masked)
{
    const size_t d = a->d, ldp = a->ldin, ldo = a->ldout, keys = a->keys;
    const float *p = a->in;
    const uint8_t *v = a->cache;
    float *o = a->out;
    __m512 acc[MOST_ROWS][4];
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            acc[i][j] = masked ? _mm512_maskz_loadu_ps(a->last, o + i * ldo) : _mm512_loadu_ps(o + i * ldo + j * 16);
    for (size_t t = 0; t < keys; t++) {
        __m512 vv[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            vv[j] = load(v, t * d + j * 16, half, a->last, masked);
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++) {
            const __m512 pv = _mm512_set1_ps(p[i * ldp + t]);
#pragma GCC unroll 4
            for (size_t j = 0; j < columns; j++)
                acc[i][j] = _mm512_fmadd_ps(pv, vv[j], acc[i][j]);
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            if (masked)
                _mm512_mask_storeu_ps(o + i * ldo, a->last, acc[i][j]);
            else
                _mm512_storeu_ps(o + i * ldo + j * 16, acc[i][j]);
}

/* A tile of `rows` (1 .. 6) known only here becomes one of six with the number built in. */
#define BY_ROWS(rows, tile, ...)                    \
    switch (rows) {                                 \
    case 1: tile(&a, 1, __VA_ARGS__); break;        \
    case 2: tile(&a, 2, __VA_ARGS__); break;        \
    case 3: tile(&a, 3, __VA_ARGS__); break;        \
    case 4: tile(&a, 4, __VA_ARGS__); break;        \
    case 5: tile(&a, 5, __VA_ARGS__); break;        \
    default: tile(&a, 6, __VA_ARGS__); break;       \
    }

/* What the next of the tiles for `left` of a kind takes, at most `most` each, evenly. */
SLM_INLINE size_t share(size_t left, size_t most)
{
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

SLM_INLINE void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const uint8_t *k, size_t d, size_t keys, float scale,
                   const int half)
{
    for (size_t t = 0; t < keys;) {
        const size_t left = (keys - t + 15) / 16, groups = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        problem a = { s + t, q, k + t * d * (half ? 2 : 4), lds, ldq, d, keys, scale, first_lanes(keys - t - 16 * (groups - 1)) };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            if (groups == 4) {
                BY_ROWS(rows, qk_tile, 4, half)
            } else if (groups == 2) {
                BY_ROWS(rows, qk_tile, 2, half)
            } else {
                BY_ROWS(rows, qk_tile, 1, half)
            }
            a.out += rows * lds;
            a.in += rows * ldq;
            i += rows;
        }
        t += 16 * groups;
    }
}

SLM_INLINE void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const uint8_t *v, size_t d, size_t keys, const int half)
{
    for (size_t e = 0; e < d;) {
        const size_t whole = (d - e) / 16, columns = whole ? share(whole, 4) : 0;
        problem a = { o + e, p, v + e * (half ? 2 : 4), ldo, ldp, d, keys, 0, first_lanes(d - e) };
        for (size_t i = 0; i < nq;) {
            const size_t rows = share(nq - i, MOST_ROWS);
            switch (columns) {
            case 0: BY_ROWS(rows, pv_tile, 1, half, 1) break;
            case 1: BY_ROWS(rows, pv_tile, 1, half, 0) break;
            case 2: BY_ROWS(rows, pv_tile, 2, half, 0) break;
            case 3: BY_ROWS(rows, pv_tile, 3, half, 0) break;
            default: BY_ROWS(rows, pv_tile, 4, half, 0) break;
            }
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
