/* attention.c -- tiles of rows by vectors of 8 held in registers, every chain in its own lane, ascending as in the reference.
 *
 * With 16 registers a tile is 6 rows x 2 vectors, 3 x 4 or 1 x 8: 12 or 8 accumulators, the rest for one vector of k or v and the
 * broadcasts (of 3 rows) or for 2 vectors and one broadcast (of 6 rows).
 *
 * qk: a group of 16 keys is 2 vectors, so a tile is 1, 2 or 4 groups. pv: the vectors are dimensions; what d mod 8 leaves is one
 * vector of which the lanes from d on are loaded as 0 and never stored. */
#include "kernels/avx2/lanes.h"
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
    size_t last;                /* lanes of the tile's last 16 keys, or of its last vector of dimensions */
    const float *scales;        /* Q8, pv: [keys][blocks], of the position's first block */
    size_t blocks, from;        /* scales from key to key; the tile's first dimension */
} problem;

INLINE size_t element(int kind)
{
    return kind == F32 ? 4 : kind == F16 ? 2 : 1;
}

INLINE __m256 from_s8(__m128i q)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
}

INLINE __m256 load(const uint8_t *base, size_t index, int kind)
{
    if (kind == Q8)
        return from_s8(_mm_loadl_epi64((const __m128i *)(const void *)(base + index)));
    return kind == F16 ? _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(base + index * 2)))
                       : _mm256_loadu_ps((const float *)(const void *)(base + index * 4));
}

/* Vector j of the tile's values of key t, 8-bit ones with their scale. */
INLINE __m256 load_value(const problem *a, size_t t, size_t j, int kind)
{
    const __m256 v = load(a->cache, t * a->d + j * 8, kind);
    if (kind != Q8)
        return v;
    return _mm256_mul_ps(v, _mm256_broadcast_ss(a->scales + t * a->blocks + (a->from + j * 8) / SLM_CACHE_BLOCK));
}

/* The first n (1 .. 7) elements, the others 0. Eight bytes, four, two: f16 has no masked load. */
INLINE __m256 load_some(const uint8_t *base, size_t index, int kind, size_t n)
{
    if (kind == F32)
        return _mm256_maskload_ps((const float *)(const void *)(base + index * 4), first_lanes(n));
    uint64_t low = 0, high = 0;
    uint16_t h;
    if (kind == Q8) {
        for (size_t i = n; i > 0; i--)
            low = low << 8 | base[index + i - 1];
        return from_s8(_mm_cvtsi64_si128((long long)low));
    }
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

INLINE void qk_tile(const problem *a, const size_t rows, const size_t vectors, const int kind)
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
                const __m256 kv = load(k, (j / 2 * d + e) * 16 + j % 2 * 8, kind);
                UNROLL
                for (size_t i = 0; i < rows; i++)
                    acc[i * vectors + j] = _mm256_fmadd_ps(kv, qv[i], acc[i * vectors + j]);
            }
        } else {
            const __m256 k0 = load(k, e * 16, kind), k1 = load(k, e * 16 + 8, kind);
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

INLINE void pv_tile(const problem *a, const size_t rows, const size_t vectors, const int kind)
{
    const size_t ldp = a->ldin, ldo = a->ldout, keys = a->keys;
    const float *p = a->in;
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
                const __m256 vv = load_value(a, t, j, kind);
                UNROLL
                for (size_t i = 0; i < rows; i++)
                    acc[i * vectors + j] = _mm256_fmadd_ps(pv[i], vv, acc[i * vectors + j]);
            }
        } else {
            const __m256 v0 = load_value(a, t, 0, kind), v1 = vectors == 2 ? load_value(a, t, 1, kind) : v0;
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
INLINE void pv_last(const problem *a, const size_t rows, const int kind)
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
        __m256 vv = t < safe ? load(v, t * d, kind) : load_some(v, t * d, kind, last);
        if (kind == Q8)
            vv = _mm256_mul_ps(vv, _mm256_broadcast_ss(a->scales + t * a->blocks + a->from / SLM_CACHE_BLOCK));
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

#define QK(rows, vectors, kind) \
    static __attribute__((noinline)) void qk_##rows##x##vectors##_##kind(const problem *a) { qk_tile(a, rows, vectors, kind); }
#define PV(rows, vectors, kind) \
    static __attribute__((noinline)) void pv_##rows##x##vectors##_##kind(const problem *a) { pv_tile(a, rows, vectors, kind); }
#define PV_LAST(rows, kind) \
    static __attribute__((noinline)) void pv_##rows##x0_##kind(const problem *a) { pv_last(a, rows, kind); }
#define QK_TILES(kind) \
    QK(1, 2, kind) QK(1, 4, kind) QK(1, 8, kind) QK(2, 2, kind) QK(2, 4, kind) QK(3, 2, kind) QK(3, 4, kind) QK(4, 2, kind) QK(5, 2, kind) \
    QK(6, 2, kind)
#define NARROW(rows, kind) PV_LAST(rows, kind) PV(rows, 1, kind) PV(rows, 2, kind)
#define MIDDLE(rows, kind) NARROW(rows, kind) PV(rows, 3, kind) PV(rows, 4, kind)
#define PV_TILES(kind) MIDDLE(1, kind) PV(1, 8, kind) MIDDLE(2, kind) MIDDLE(3, kind) NARROW(4, kind) NARROW(5, kind) NARROW(6, kind)
QK_TILES(0) QK_TILES(1) PV_TILES(0) PV_TILES(1) PV_TILES(2)

/* [kind][rows - 1][log2 of groups] and [kind][rows - 1][vectors]; the holes are never chosen */
#define QK_TABLE(kind) { \
    { qk_1x2_##kind, qk_1x4_##kind, qk_1x8_##kind }, { qk_2x2_##kind, qk_2x4_##kind }, { qk_3x2_##kind, qk_3x4_##kind }, \
    { qk_4x2_##kind }, { qk_5x2_##kind }, { qk_6x2_##kind } }
#define PV_TABLE(kind) { \
    { pv_1x0_##kind, pv_1x1_##kind, pv_1x2_##kind, pv_1x3_##kind, pv_1x4_##kind, 0, 0, 0, pv_1x8_##kind }, \
    { pv_2x0_##kind, pv_2x1_##kind, pv_2x2_##kind, pv_2x3_##kind, pv_2x4_##kind }, \
    { pv_3x0_##kind, pv_3x1_##kind, pv_3x2_##kind, pv_3x3_##kind, pv_3x4_##kind }, \
    { pv_4x0_##kind, pv_4x1_##kind, pv_4x2_##kind }, { pv_5x0_##kind, pv_5x1_##kind, pv_5x2_##kind }, \
    { pv_6x0_##kind, pv_6x1_##kind, pv_6x2_##kind } }

static tile_fn *const qk_tiles[2][MOST_ROWS][3] = { QK_TABLE(0), QK_TABLE(1) };
static tile_fn *const pv_tiles[3][MOST_ROWS][9] = { PV_TABLE(0), PV_TABLE(1), PV_TABLE(2) };

/* What the next of the tiles for `left` of a kind takes, at most `most` each, evenly. */
INLINE size_t share(size_t left, size_t most)
{
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

static void qk(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const uint8_t *k, size_t d, size_t keys, float scale,
               int kind)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS);
        for (size_t t = 0; t < keys;) {
            const size_t left = (keys - t + 15) / 16;
            const size_t choice = rows == 1 && left >= 4 ? 2 : rows <= 3 && left >= 2 ? 1 : 0, groups = (size_t)1 << choice;
            const size_t last = keys - t - 16 * (groups - 1);
            const problem a = { s + i * lds + t, q + i * ldq, k + t * d * element(kind), lds, ldq, d, keys, scale,
                                last < 16 ? last : 16, NULL, 0, 0 };
            qk_tiles[kind][rows - 1][choice](&a);
            t += 16 * groups;
        }
        i += rows;
    }
}

/* stride: values from key to key */
static void pv(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const uint8_t *v, const float *scales, size_t d, size_t stride,
               size_t keys, int kind)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS);
        for (size_t e = 0; e < d;) {
            const size_t whole = (d - e) / 8;
            const size_t vectors = rows == 1 && whole >= 8 ? 8 : whole ? share(whole, rows <= 3 ? 4 : 2) : 0;
            const problem a = { o + i * ldo + e, p + i * ldp, v + e * element(kind), ldo, ldp, stride, keys, 0, d - e,
                                scales, slm_cache_blocks(d), e };
            pv_tiles[kind][rows - 1][vectors](&a);
            e += vectors ? 8 * vectors : 8;
        }
        i += rows;
    }
}

/* ---- keys of 8 bits: rows x half a group. Without VNNI keys are signed again and products made as in mul_block.c: |k| <= 128 as the unsigned
 *      operand, q with the sign of k; a pair is within 2 * 128 * 127 = 32,512. No offset remains to be taken out. ---- */

enum { MOST_ROWS_Q8 = 4 };

typedef struct problem_q8 {
    float *s;
    const slm_xblock *q;
    const uint8_t *k;           /* lanes 0-7 or 8-15 */
    size_t lds, ldq, d, last;
    float scale;
} problem_q8;

INLINE void qk_q8_tile(const problem_q8 *a, const size_t rows)
{
    const size_t ldq = a->ldq;
    const uint8_t *k = a->k;
    const slm_xblock *q = a->q;
    __m256 acc[MOST_ROWS_Q8];
    UNROLL
    for (size_t i = 0; i < rows; i++)
        acc[i] = _mm256_setzero_ps();
    for (size_t left = a->d; left > 0; left -= left < SLM_CACHE_BLOCK ? left : SLM_CACHE_BLOCK) {
        const size_t fours = left < SLM_CACHE_BLOCK ? (left + 3) / 4 : SLM_CACHE_BLOCK / 4;
        __m256i sum[MOST_ROWS_Q8];
        UNROLL
        for (size_t i = 0; i < rows; i++)
            sum[i] = _mm256_setzero_si256();
        for (size_t f = 0; f < fours; f++) {
            const __m256i kv = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(k + 64 + f * 64)), _mm256_set1_epi8(-128));
            const __m256i size = _mm256_abs_epi8(kv);
            UNROLL
            for (size_t i = 0; i < rows; i++) {
                int32_t four;
                memcpy(&four, q[i * ldq].q + f * 4, sizeof four);
                const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(_mm256_set1_epi32(four), kv));
                sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
        }
        const __m256 dk = _mm256_loadu_ps((const float *)(const void *)k);
        UNROLL
        for (size_t i = 0; i < rows; i++)
            acc[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[i]), _mm256_mul_ps(dk, _mm256_set1_ps(q[i * ldq].d)), acc[i]);
        k += SLM_CACHE_KEY_BLOCK;
        q++;
    }
    UNROLL
    for (size_t i = 0; i < rows; i++)
        store_some(a->s + i * a->lds, _mm256_mul_ps(acc[i], _mm256_set1_ps(a->scale)), a->last);
}

typedef void tile_q8_fn(const problem_q8 *a);
#define QK8(rows) static __attribute__((noinline)) void qk8_##rows(const problem_q8 *a) { qk_q8_tile(a, rows); }
QK8(1) QK8(2) QK8(3) QK8(4)
static tile_q8_fn *const qk8_tiles[MOST_ROWS_Q8] = { qk8_1, qk8_2, qk8_3, qk8_4 };

void slm_qk_q8_avx2(float *s, size_t lds, const slm_xblock *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    for (size_t i = 0; i < nq;) {
        const size_t rows = share(nq - i, MOST_ROWS_Q8);
        for (size_t t = 0; t < keys; t += 8) {
            const problem_q8 a = { s + i * lds + t, q + i * ldq, (const uint8_t *)k + t / 16 * 16 * slm_cache_bytes(d) + t % 16 * 4,
                                   lds, ldq, d, keys - t, scale };
            qk8_tiles[rows - 1](&a);
        }
        i += rows;
    }
}

void slm_pv_q8_avx2(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const float *scales, const int8_t *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, (const uint8_t *)v, scales, d, slm_cache_width(d), keys, Q8);
}

void slm_qk_f16_avx2(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, F16);
}

void slm_qk_f32_avx2(float *s, size_t lds, const float *q, size_t ldq, size_t nq, const void *k, size_t d, size_t keys, float scale)
{
    qk(s, lds, q, ldq, nq, k, d, keys, scale, F32);
}

void slm_pv_f16_avx2(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, NULL, d, d, keys, F16);
}

void slm_pv_f32_avx2(float *o, size_t ldo, const float *p, size_t ldp, size_t nq, const void *v, size_t d, size_t keys)
{
    pv(o, ldo, p, ldp, nq, v, NULL, d, d, keys, F32);
}
