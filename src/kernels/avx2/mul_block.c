/* mul_block.c -- products with block-quantized weights on AVX2; the contract stands in scalar/mul.c. Compiled twice: here, and by
 * avxvnni/mul_block.c with the VEX form of vpdpbusd, which adds four products u8 x s8 to s32 without saturating, so that sums begin at
 * minus the offset times the sum of the activations, as on AVX-512, and none of what follows is needed.
 *
 * A step of four k for 16 rows is two registers. Without VNNI, vpmaddubsw adds pairs of u8 x s8 to s16 and saturates, so:
 *   4 bit  a pair is within 2 * 15 * 127 = 3,810 and the eight groups of a block within 30,480: summed in s16, widened once.
 *   Q8_0   the weight is taken back to signed, q = u - 128; |q| <= 128 as the unsigned operand, x with the sign of q as the other:
 *          a pair is within 2 * 128 * 127 = 32,512; widened at once. No offset remains to be taken out.
 *   5 bit  q = u - 16 in the same way: a pair is within 2 * 16 * 127 = 4,064, eight groups within 32,512: s16, widened once. Types
 *          with a minimum have no offset in their definition: 16 * xsum is added back.
 *   Q6_K   q = u - 32: a pair is within 8,128, the four groups of a half within 32,512: s16, widened once per half. Q3_K is smaller.
 *   IQ4    the table's signed values as Q8_0's.
 *   Q2_K   as 4 bit.
 * The integer sums are exact either way and therefore the reference's.
 *
 * Panels are the outer loop; chunks of a panel stay in L1 while all tokens of a block pass, partial sums waiting in y. */
#include "kernels/block.h"
#include "kernels/kernels.h"

#include <immintrin.h>
#include <stdbool.h>

enum {
    TOKENS = 3,             /* most of a tile: 6 integer and 6 float accumulators, a weight, an operand, a temporary; Q8_0 and
                             * minima, with more temporaries, have room for 2, high bits for 1 */
    L1_BYTES = 20 * 1024,   /* weights of one chunk */
    L2_BYTES = 160 * 1024,  /* activations of one token block: half of the smallest L2 in use */
    AHEAD = 1024            /* bytes of prefetch */
};

#ifdef __AVXVNNI__
#define ISA(name) name##_avxvnni
enum { FOUR = 1 };      /* the one instruction is there */
#else
#define ISA(name) name##_avx2
enum { FOUR = 0 };
#endif

/* Is the weight taken back to what it was before it became unsigned? */
INLINE bool is_signed(int type)
{
    return !FOUR && (slm_block_high(type) || type == SLM_Q8_0 || slm_block_has_table(type));
}

/* Bytes that fill their range: pairs of products leave no room for a sum in s16. */
INLINE bool is_wide(int type)
{
    return type == SLM_Q8_0 || slm_block_has_table(type);
}

/* Four k of eight rows: half h of group g of block b of a step. */
INLINE __m256i group(int type, const uint8_t *step, int b, int g, int h)
{
    static const _Alignas(16) int8_t table[16] = { SLM_IQ4_VALUES };
    const uint8_t *at = step + slm_block_head(type) + 32 * h, *plane = at + slm_block_low_bytes(type);
    const int low = slm_block_low(type);
    if (low == 8)
        return _mm256_xor_si256(_mm256_load_si256((const void *)(at + b * 512 + g * 64)), _mm256_set1_epi8(is_signed(type) ? -128 : 0));
    __m256i q;
    if (low == 4) {
        const __m256i both = _mm256_load_si256((const void *)(at + b * 256 + g % 4 * 64));
        q = _mm256_and_si256(g < 4 ? both : _mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
    } else {
        const __m256i four = _mm256_load_si256((const void *)(at + b * 128 + g / 4 * 64));
        q = _mm256_and_si256(g % 4 ? _mm256_srli_epi16(four, g % 4 * 2) : four, _mm256_set1_epi8(3));
    }
    if (slm_block_has_table(type))
        return _mm256_shuffle_epi8(_mm256_xor_si256(_mm256_broadcastsi128_si256(_mm_load_si128((const void *)table)),
                                                    _mm256_set1_epi8(is_signed(type) ? 0 : -128)), q);
    if (!slm_block_high(type))
        return q;
    const int bit = slm_block_high(type) == 1 ? g : g % 4 * 2;      /* where the high bits lie in each byte; they go to `low` and up */
    const __m256i high = _mm256_load_si256((const void *)(plane + (slm_block_high(type) == 1 ? b * 64 : b * 128 + g / 4 * 64)));
    const __m256i moved = bit < low ? _mm256_slli_epi16(high, low - bit) : _mm256_srli_epi16(high, bit - low);
    const __m256i mask = _mm256_set1_epi8((char)(((1 << slm_block_high(type)) - 1) << low));
    /* half of the range off: what is left of the offset, or too much of it, `whole` puts right */
    const __m256i u = _mm256_or_si256(q, _mm256_and_si256(moved, mask));
    return is_signed(type) ? _mm256_sub_epi8(u, _mm256_set1_epi8((char)(1 << (low + slm_block_high(type) - 1)))) : u;
}

INLINE __m256 halves8(const uint8_t *at)
{
    return _mm256_cvtph_ps(_mm_load_si128((const void *)at));
}

/* Scale of half i of block b for eight rows. */
INLINE __m256 scale(int type, const uint8_t *step, int b, int i, int h)
{
    if (!slm_block_is_super(type))
        return halves8(step + 32 * b + 16 * h);
    step = slm_again(step);
    __m128i s = _mm_loadl_epi64((const void *)(step + slm_block_small(type, (size_t)b, (size_t)i) + 8 * h));
    if (type == SLM_Q2_K)
        s = _mm_and_si128(s, _mm_set1_epi8(15));
    return _mm256_mul_ps(halves8(step + 16 * h),
                         _mm256_cvtepi32_ps(slm_block_is_signed(type) ? _mm256_cvtepi8_epi32(s) : _mm256_cvtepu8_epi32(s)));
}

/* Its minimum. */
INLINE __m256 minimum(int type, const uint8_t *step, int b, int i, int h)
{
    if (!slm_block_is_super(type))
        return halves8(step + 64 + 32 * b + 16 * h);
    step = slm_again(step);
    __m128i m = _mm_loadl_epi64((const void *)(step + (type == SLM_Q2_K ? slm_block_small(type, (size_t)b, (size_t)i) : 96 + 16 * (size_t)b) + 8 * h));
    if (type == SLM_Q2_K)
        m = _mm_and_si128(_mm_srli_epi16(m, 4), _mm_set1_epi8(15));
    return _mm256_mul_ps(halves8(step + 32 + 16 * h), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(m)));
}

INLINE __m256i broadcast4(const int8_t *q)
{
    int32_t v;
    __builtin_memcpy(&v, q, sizeof v);
    return _mm256_set1_epi32(v);
}

/* factor times minus the sum of the activations of half i, or of the block if sums are not by halves. From general registers: a
 * constant for a vector product of both would take one that the sums need. */
INLINE __m256i nsum(int type, const slm_xblock *x, int i, int factor)
{
    return _mm256_set1_epi32((slm_block_halves(type) == 2 ? x->nsum[i] : x->nsum[0] + x->nsum[1]) * factor);
}

#ifdef __AVXVNNI__
INLINE __m256i dot4(int type, __m256i sum, __m256i v, __m256i q)
{
    (void)type;
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(v), "x"(q));
    return sum;
}

/* Where the integer sum of half i begins. */
INLINE __m256i start(int type, const slm_xblock *x, int i)
{
    return slm_block_offset(type) ? nsum(type, x, i, slm_block_offset(type)) : _mm256_setzero_si256();
}

INLINE __m256i whole(int type, __m256i sum, const slm_xblock *x, int i)
{
    (void)type, (void)x, (void)i;
    return sum;
}
#else
/* sum += products of v and q: fours in s32 for Q8_0, else pairs in s16. The empty asm stops gcc from making a tree of the sums
 * of a block, which needs far more registers than there are. */
INLINE __m256i dot4(int type, __m256i sum, __m256i v, __m256i q)
{
    const __m256i pairs = is_signed(type) ? _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(q, v)) : _mm256_maddubs_epi16(v, q);
    sum = is_wide(type) ? _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))) : _mm256_add_epi16(sum, pairs);
    __asm__("" : "+x"(sum));
    return sum;
}

INLINE __m256i start(int type, const slm_xblock *x, int i)
{
    (void)type, (void)x, (void)i;
    return _mm256_setzero_si256();
}

/* The integer sum of half i, with the offset that the sums lack or have too many. */
INLINE __m256i whole(int type, __m256i sum, const slm_xblock *x, int i)
{
    if (is_wide(type))
        return sum;
    sum = _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
    const int taken = slm_block_high(type) ? 1 << (slm_block_low(type) + slm_block_high(type) - 1) : 0;
    return slm_block_offset(type) == taken ? sum : _mm256_add_epi32(sum, nsum(type, x, i, slm_block_offset(type) - taken));
}
#endif

INLINE __m256i lanes(size_t rows, int h)
{
    const int n = rows < 16 ? (int)rows : 16;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - 8 * h), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* y for T tokens and the first `rows` rows of one panel over `steps` steps, on top of what y holds unless `first`. */
INLINE void tile(int type, int T, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t rows, size_t steps,
                 bool first)
{
    __m256 acc[2 * TOKENS];
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2; h++)
            acc[2 * t + h] = first        ? _mm256_setzero_ps()
                             : rows >= 16 ? _mm256_loadu_ps(y + (size_t)t * ldy + 8 * h)
                                          : _mm256_maskload_ps(y + (size_t)t * ldy + 8 * h, lanes(rows, h));
    for (size_t s = 0; s < steps; s++, w += slm_block_step(type), x += 2) {
        UNROLL
        for (size_t i = 0; i < slm_block_step(type) / 64; i++)
            _mm_prefetch((const char *)((uintptr_t)w + AHEAD + 64 * i), _MM_HINT_T0);
        UNROLL
        for (int b = 0; b < 2; b++) {
            UNROLL
            for (int half = 0; half < slm_block_halves(type); half++) {
                __m256i sum[2 * TOKENS];
                UNROLL
                for (int i = 0; i < 2 * T; i++)
                    sum[i] = start(type, x + (size_t)(i / 2) * ldx + b, half);
                UNROLL
                for (int i = 0; i < slm_block_groups(type); i++) {
                    const int g = i + 4 * half;
                    UNROLL
                    for (int h = 0; h < 2; h++) {
                        const __m256i v = group(type, w, b, g, h);
                        UNROLL
                        for (int t = 0; t < T; t++)
                            sum[2 * t + h] = dot4(type, sum[2 * t + h], v, broadcast4(x[(size_t)t * ldx + (size_t)b].q + 4 * g));
                    }
                }
                UNROLL
                for (int t = 0; t < T; t++) {
                    const slm_xblock *xb = slm_again(x + (size_t)t * ldx + b);
                    const __m256 dx = _mm256_set1_ps(xb->d);
                    UNROLL
                    for (int h = 0; h < 2; h++)
                        acc[2 * t + h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole(type, sum[2 * t + h], xb, half)),
                                                         _mm256_mul_ps(scale(type, w, b, half, h), dx), acc[2 * t + h]);
                }
                if (!slm_block_has_min(type))
                    continue;
                UNROLL
                for (int t = 0; t < T; t++) {
                    const slm_xblock *xb = slm_again(x + (size_t)t * ldx + b);
                    const __m256 dx = _mm256_set1_ps(xb->d), xsum = _mm256_cvtepi32_ps(nsum(type, xb, half, -1));
                    UNROLL
                    for (int h = 0; h < 2; h++)
                        acc[2 * t + h] = _mm256_fmadd_ps(xsum, _mm256_mul_ps(minimum(type, w, b, half, h), dx), acc[2 * t + h]);
                }
            }
        }
    }
    UNROLL
    for (int t = 0; t < T; t++)
        UNROLL
        for (int h = 0; h < 2; h++) {
            if (rows >= 16)
                _mm256_storeu_ps(y + (size_t)t * ldy + 8 * h, acc[2 * t + h]);
            else
                _mm256_maskstore_ps(y + (size_t)t * ldy + 8 * h, lanes(rows, h), acc[2 * t + h]);
        }
}

INLINE void mul(int type, float *y, size_t ldy, const uint8_t *w, const slm_xblock *x, size_t ldx, size_t tokens, size_t rows,
                size_t steps)
{
    const int most = FOUR ? (type == SLM_Q8_0 ? TOKENS : type == SLM_Q3_K ? 1 : 2) : slm_block_high(type) ? 1 : type == SLM_Q4_0 ? TOKENS : 2;
    const size_t chunk = L1_BYTES / slm_block_step(type);
    size_t block = L2_BYTES / (2 * sizeof *x * (steps ? steps : 1)) / 6 * 6;
    block = block < 36 ? 36 : block;
    for (size_t t0 = 0; t0 < tokens; t0 += block) {
        const size_t t1 = tokens - t0 < block ? tokens : t0 + block;
        for (size_t r = 0; r < rows; r += 16) {
            size_t s = 0;
            do {
                const size_t n = steps - s < chunk ? steps - s : chunk;
                const uint8_t *at = w + (r / 16 * steps + s) * slm_block_step(type);
                const slm_xblock *xs = x + 2 * s;
                size_t t = t0;
                for (; t + (size_t)most <= t1; t += (size_t)most)
                    tile(type, most, y + t * ldy + r, ldy, at, xs + t * ldx, ldx, rows - r, n, s == 0);
                if (most > 2 && t + 2 == t1)
                    tile(type, 2, y + t * ldy + r, ldy, at, xs + t * ldx, ldx, rows - r, n, s == 0);
                else if (most > 1 && t + 1 == t1)
                    tile(type, 1, y + t * ldy + r, ldy, at, xs + t * ldx, ldx, rows - r, n, s == 0);
                s += n;
            } while (s < steps);
        }
    }
}

#define MUL(option, type) \
    void ISA(slm_mul_##option)(float *y, size_t ldy, const void *w, const void *x, size_t ldx, size_t tokens, size_t rows, size_t steps) \
    { \
        mul(type, y, ldy, w, x, ldx, tokens, rows, steps); \
    }
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
