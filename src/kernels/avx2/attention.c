/* attention.c -- tiles of rows by vectors of 8 held in registers, every chain in its own lane, ascending as in the reference.
 *
 * With 16 registers a tile is 6 rows x 2 vectors, 3 x 4 or 1 x 8: 12 or 8 accumulators, the rest for one vector of k or v and the
 * broadcasts (of 3 rows) or for 2 vectors and one broadcast (of 6 rows).
 *
 * qk: a group of 16 keys is 2 vectors, so a tile is 1, 2 or 4 groups. pv: the vectors are dimensions; what d mod 8 leaves is one
 * vector of which the lanes from d on are loaded as 0 and never stored. */
#include "kernels/avx2/lanes.h"
#include "kernels/kernels.h"

enum { MOST_ROWS = 6 };

typedef struct problem {
    float *out;                 /* s or o, at the tile */
    const float *in;            /* q or p */
    const uint8_t *cache;       /* k or v */
    size_t ldout, ldin, d, keys;
    float scale;
    size_t last;                /* lanes of the tile's last 16 keys, or of its last vector of dimensions */
} problem;

INLINE __m256 load(const uint8_t *base, size_t index, int half)
{
    return half ? _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + index * 2)))
                : _mm256_loadu_ps((const float *)(const void *)(base + index * 4));
}

/* The first n (1 .. 7) elements, the others 0. Eight bytes, four, two: f16 has no masked load. */
INLINE __m256 load_some(const uint8_t *base, size_t index, int half, size_t n)
{
    if (!half)
        return _mm256_maskload_ps((const float *)(const void *)(base + index * 4), first_lanes(n));
    uint64_t low = 0, high = 0;
    uint16_t h;
    for (size_t i = n; i > 0; i--) {
        memcpy(&h, base + (index + i - 1) * 2, sizeof h);
        high = high << 16 | low >> 48;
        low = low << 16 | h;
    }
    return _mm256_cvtph_ps(_mm_set_epi64x((long long)high, (long long)low));
}

INLINE void store_some(float *at, __m256 v, size_t n)
{
    if (n >= 8)
        _mm256_storeu_ps(at, v);
    else
        _mm256_maskstore_ps(at, first_lanes(n), v);
}

INLINE void qk_tile(const problem *a, const size_t rows, const size_t vectors, const int half)
{
    const size_t d = a->d, ldq = a->ldin, lds = a->ldout, last = a->last;
    const float *q = a->in;
    const uint8_t *k = a->cache;
    float *s = a->out;
    __m256 acc[12];
    UNROLL
    for (size_t i = 0; i < rows * vectors; i++)
        acc[i] = _mm256_setzero_ps();
    for (size_t e = 0; e < d; e++) {
        if (rows <= 3) {
            __m256 qv[3];
            UNROLL
            for (size_t i = 0; i < rows; i++)
                qv[i] = _mm256_broadcast_ss(q + i * ldq + e);
            UNROLL
            for (size_t j = 0; j < vectors; j++) {
                const __m256 kv = load(k, (j / 2 * d + e) * 16 + j % 2 * 8, half);
                UNROLL
                for (size_t i = 0; i < rows; i++)
                    acc[i * vectors + j] = _mm256_fmadd_ps(kv, qv[i], acc[i * vectors + j]);
            }
        } else {
            const __m256 k0 = load(k, e * 16, half), k1 = load(k, e * 16 + 8, half);
            UNROLL
            for (size_t i = 0; i < rows; i++) {
                const __m256 qv = _mm256_broadcast_ss(q + i * ldq + e);
                acc[i * vectors] = _mm256_fmadd_ps(k0, qv, acc[i * vectors]);
                acc[i * vectors + 1] = _mm256_fmadd_ps(k1, qv, acc[i * vectors + 1]);
            }
        }
    }
    const __m256 scale = _mm256_set1_ps(a->scale);
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++) {
            const __m256 v = _mm256_mul_ps(acc[i * vectors + j], scale);
            if (j + 2 < vectors)
                _mm256_storeu_ps(s + i * lds + j * 8, v);
            else if (j + 2 == vectors)
                store_some(s + i * lds + j * 8, v, last);
            else if (last > 8)
                store_some(s + i * lds + j * 8, v, last - 8);
        }
    }
}

/* Keeps a vector in a register: from a loop of plain loads or stores clang makes a memcpy of the array, which then is memory. */
INLINE __m256 held(__m256 v)
{
#ifdef __clang__
    __asm__("" : "+x"(v));
#endif
    return v;
}

INLINE void pv_tile(const problem *a, const size_t rows, const size_t vectors, const int half)
{
    const size_t d = a->d, ldp = a->ldin, ldo = a->ldout, keys = a->keys;
    const float *p = a->in;
    const uint8_t *v = a->cache;
    float *o = a->out;
    __m256 acc[12];
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            acc[i * vectors + j] = held(_mm256_loadu_ps(o + i * ldo + j * 8));
    }
    for (size_t t = 0; t < keys; t++) {
        if (rows <= 3) {
            __m256 pv[3];
            UNROLL
            for (size_t i = 0; i < rows; i++)
                pv[i] = _mm256_broadcast_ss(p + i * ldp + t);
            UNROLL
            for (size_t j = 0; j < vectors; j++) {
                const __m256 vv = load(v, t * d + j * 8, half);
                UNROLL
                for (size_t i = 0; i < rows; i++)
                    acc[i * vectors + j] = _mm256_fmadd_ps(pv[i], vv, acc[i * vectors + j]);
            }
        } else {
            const __m256 v0 = load(v, t * d, half), v1 = vectors == 2 ? load(v, t * d + 8, half) : v0;
            UNROLL
            for (size_t i = 0; i < rows; i++) {
                const __m256 pv = _mm256_broadcast_ss(p + i * ldp + t);
                acc[i * vectors] = _mm256_fmadd_ps(pv, v0, acc[i * vectors]);
                if (vectors == 2)
                    acc[i * vectors + 1] = _mm256_fmadd_ps(pv, v1, acc[i * vectors + 1]);
            }
        }
    }
    UNROLL
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (size_t j = 0; j < vectors; j++)
            _mm256_storeu_ps(o + i * ldo + j * 8, held(acc[i * vectors + j]));
    }
}

/* Fewer than 8 dimensions. Only the last key's vector could be read past the end: the others read into the next key's. */
INLINE void pv_last(const problem *a, const size_t rows, const int half)
{
    const size_t d = a->d, ldp = a->ldin, ldo = a->ldout, keys = a->keys, last = a->last;
    const float *p = a->in;
    const uint8_t *v = a->cache;
    float *o = a->out;
    const __m256i mask = first_lanes(last);
    const size_t beyond = (8 - last + d - 1) / d, safe = keys > beyond ? keys - beyond : 0;
    __m256 acc[MOST_ROWS];
    UNROLL
    for (size_t i = 0; i < rows; i++)
        acc[i] = _mm256_maskload_ps(o + i * ldo, mask);
    for (size_t t = 0; t < keys; t++) {
        const __m256 vv = t < safe ? load(v, t * d, half) : load_some(v, t * d, half, last);
        UNROLL
        for (size_t i = 0; i < rows; i++)
            acc[i] = _mm256_fmadd_ps(_mm256_broadcast_ss(p + i * ldp + t), vv, acc[i]);
    }
    UNROLL
    for (size_t i = 0; i < rows; i++)
        _mm256_maskstore_ps(o + i * ldo, mask, acc[i]);
}

/* Every tile is a function of its own: inlined into one, compilers run out of registers in some of them. */
typedef void tile_fn(const problem *a);

#define QK(rows, vectors, half) \
    static __attribute__((noinline)) void qk_##rows##x##vectors##_##half(const problem *a) { qk_tile(a, rows, vectors, half); }
#define PV(rows, vectors, half) \
    static __attribute__((noinline)) void pv_##rows##x##vectors##_##half(const problem *a) { pv_tile(a, rows, vectors, half); }
#define PV_LAST(rows, half) \
    static __attribute__((noinline)) void pv_##rows##x0_##half(const problem *a) { pv_last(a, rows, half); }
#define NARROW(rows, half) QK(rows, 2, half) PV_LAST(rows, half) PV(rows, 1, half) PV(rows, 2, half)
#define MIDDLE(rows, half) NARROW(rows, half) QK(rows, 4, half) PV(rows, 3, half) PV(rows, 4, half)
#define WIDE(rows, half)   MIDDLE(rows, half) QK(rows, 8, half) PV(rows, 8, half)
#define TILES(half) WIDE(1, half) MIDDLE(2, half) MIDDLE(3, half) NARROW(4, half) NARROW(5, half) NARROW(6, half)
TILES(0) TILES(1)

/* [half][rows - 1][log2 of groups] and [half][rows - 1][vectors]; the holes are never chosen */
#define QK_TABLE(half) { \
    { qk_1x2_##half, qk_1x4_##half, qk_1x8_##half }, { qk_2x2_##half, qk_2x4_##half }, { qk_3x2_##half, qk_3x4_##half }, \
    { qk_4x2_##half }, { qk_5x2_##half }, { qk_6x2_##half } }
#define PV_TABLE(half) { \
    { pv_1x0_##half, pv_1x1_##half, pv_1x2_##half, pv_1x3_##half, pv_1x4_##half, 0, 0, 0, pv_1x8_##half }, \
    { pv_2x0_##half, pv_2x1_##half, pv_2x2_##half, pv_2x3_##half, pv_2x4_##half }, \
    { pv_3x0_##half, pv_3x1_##half, pv_3x2_##half, pv_3x3_##half, pv_3x4_##half }, \
    { pv_4x0_##half, pv_4x1_##half, pv_4x2_##half }, { pv_5x0_##half, pv_5x1_##half, pv_5x2_##half }, \
    { pv_6x0_##half, pv_6x1_##half, pv_6x2_##half } }

static tile_fn *const qk_tiles[2][MOST_ROWS][3] = { QK_TABLE(0), QK_TABLE(1) };
static tile_fn *const pv_tiles[2][MOST_ROWS][9] = { PV_TABLE(0), PV_TABLE(1) };

/* What the next of the tiles for `left` of a kind takes, at most `most` each, evenly. */
INLINE size_t share(size_t left, size_t most)
{
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

static void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const uint8_t *k, size_t d, size_t keys, float scale,
               int half)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS);
        for (size_t t = 0; t < keys;) {
            const size_t left = (keys - t + 15) / 16;
            const size_t choice = rows == 1 && left >= 4 ? 2 : rows <= 3 && left >= 2 ? 1 : 0, groups = (size_t)1 << choice;
            const size_t last = keys - t - 16 * (groups - 1);
            const problem a = { s + i * lds + t, q + i * ldq, k + t * d * (half ? 2 : 4), lds, ldq, d, keys, scale,
                                last < 16 ? last : 16 };
            qk_tiles[half][rows - 1][choice](&a);
            t += 16 * groups;
        }
        i += rows;
    }
}

static void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const uint8_t *v, size_t d, size_t keys, int half)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS);
        for (size_t e = 0; e < d;) {
            const size_t whole = (d - e) / 8;
            const size_t vectors = rows == 1 && whole >= 8 ? 8 : whole ? share(whole, rows <= 3 ? 4 : 2) : 0;
            const problem a = { o + i * ldo + e, p + i * ldp, v + e * (half ? 2 : 4), ldo, ldp, d, keys, 0, d - e };
            pv_tiles[half][rows - 1][vectors](&a);
            e += vectors ? 8 * vectors : 8;
        }
        i += rows;
    }
}

void slm_qk_f16_avx2(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, 1);
}

void slm_qk_f32_avx2(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, 0);
}

void slm_pv_f16_avx2(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, 1);
}

void slm_pv_f32_avx2(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, d, keys, 0);
}
