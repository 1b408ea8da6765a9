/* planes.c -- the types of nibbles and planes of bits. Source of the disk forms: the GGUF specification and llama.cpp's ggml-common.h.
 * Their quantizers stand in search.c.
 *
 *   Q4_1    20 bytes: f16 d, f16 m, nibbles as in Q4_0;                              value = d * q + m
 *   Q5_0    22 bytes: f16 d, u32 whose bit k is bit 4 of value k, nibbles;           value = d * (q - 16)
 *   Q5_1    24 bytes: f16 d, f16 m, the u32, nibbles;                                value = d * q + m
 *   IQ4_NL  18 bytes: f16 d, nibbles;                                                value = d * table[q]
 *   256 values each:
 *   Q4_K    144 bytes: f16 d, f16 dmin, 12 bytes with 6 bits of scale and of minimum of each 32, nibbles (32 bytes for 64 values: the
 *           first 32 low);                                                           value = d * scale * q - dmin * minimum
 *   Q5_K    176 bytes: as Q4_K, before the nibbles 32 bytes: bit b of byte k is bit 4 of value k of part b
 *   Q6_K    210 bytes: u8 low[128], u8 high[64], s8 scale[16], f16 d: of each half of 128 values, value 32 p + k has its low bits in
 *           nibble p/2 of byte 32 (p%2) + k and its high ones in bits 2p of byte k;  value = d * scale * (q - 32)
 *   Q2_K    84 bytes: 16 bytes with 4 bits of scale and of minimum of each 16, u8 low[64]: of each half of 128 values, value 32 p + k
 *           in bits 2p of byte k; f16 d, f16 dmin;                                   value = d * scale * q - dmin * minimum
 *   Q3_K    110 bytes: u8 high[32] as in Q5_K, u8 low[64] as in Q2_K, 12 bytes with 6 bits of scale of each 16, f16 d;
 *                                                                                    value = d * (scale - 32) * (q - 4)
 *   IQ4_XS  136 bytes: f16 d, u16 with bits 4 and 5 and 4 bytes with bits 0 to 3 of the scales of each 32, nibbles as in Q4_0;
 *                                                                                    value = d * (scale - 32) * table[q]
 *
 * Everything goes through `slice`, 32 values as a lane of a panel step holds them (kernels.h), four bytes in a word, of four disk blocks
 * at once (lanes.h): bits move between disk and panel by masks and shifts within the bytes of whole words, and planes are transposed as
 * matrices of bits. */
#include "kernels/block.h"
#include "quant/lanes.h"

/* Of four blocks. */
typedef struct slice {
    slm_word4 low[4], high[2];
    uint64_t d, m;                  /* f16 [4]; m with the sign it is added with */
    uint32_t scale[2], min[2];      /* [2 halves] u8 [4], scales as panels hold them */
} slice;

INLINE size_t disk_bytes(int type)
{
    switch (type) {
    case SLM_Q4_1:   return 20;
    case SLM_Q5_0:   return 22;
    case SLM_Q5_1:   return 24;
    case SLM_IQ4_NL: return 18;
    case SLM_Q4_K:   return 144;
    case SLM_Q5_K:   return 176;
    case SLM_Q6_K:   return 210;
    case SLM_Q2_K:   return 84;
    case SLM_Q3_K:   return 110;
    default:         return 136;
    }
}

INLINE size_t disk_values(int type)
{
    return slm_block_is_super(type) ? 256 : 32;
}

/* Where the scale of a disk block stands; behind it the minimum, if the type has one. */
INLINE size_t disk_d_at(int type)
{
    return type == SLM_Q6_K ? 208 : type == SLM_Q3_K ? 108 : type == SLM_Q2_K ? 80 : 0;
}

INLINE bool is_finite(int type, const uint8_t *block)
{
    const uint8_t *d = block + disk_d_at(type);
    return slm_half_finite(slm_half_at(d)) && (!slm_block_has_min(type) || slm_half_finite(slm_half_at(d + 2)));
}

/* ---- bits in words ---------------------------------------------------------------------------------------------------------- */

/* The bits of `mask` of b and those `shift` above them in a change places. */
INLINE void exchange(slm_word4 *a, slm_word4 *b, int shift, uint32_t mask)
{
    const slm_word4 other = (*a >> shift ^ *b) & mask;
    *b ^= other;
    *a ^= other << shift;
}

/* The bits of `mask` and those `shift` above them change places. */
INLINE slm_word4 swapped(slm_word4 w, int shift, uint32_t mask)
{
    const slm_word4 other = (w >> shift ^ w) & mask;
    return w ^ other ^ other << shift;
}

/* Pair of bits p of word g becomes pair g of word p, byte by byte. */
INLINE void transpose_pairs(slm_word4 w[4])
{
    exchange(w, w + 2, 4, 0x0f0f0f0fu);
    exchange(w + 1, w + 3, 4, 0x0f0f0f0fu);
    exchange(w, w + 1, 2, 0x33333333u);
    exchange(w + 2, w + 3, 2, 0x33333333u);
}

/* Bit b of word g becomes bit g of word b, byte by byte. */
INLINE void transpose_bits(slm_word4 w[8])
{
    UNROLL
    for (int i = 0; i < 4; i++)
        exchange(w + i, w + i + 4, 4, 0x0f0f0f0fu);
    UNROLL
    for (int i = 0; i < 8; i += i % 4 ? 3 : 1)
        exchange(w + i, w + i + 2, 2, 0x33333333u);
    UNROLL
    for (int i = 0; i < 8; i += 2)
        exchange(w + i, w + i + 1, 1, 0x55555555u);
}

/* Bit 4g + j becomes bit g of byte j: the five bits of its number turn by two, in four exchanges of two of them. */
INLINE slm_word4 fifth_bits(slm_word4 bits)
{
    return swapped(swapped(swapped(swapped(bits, 3, 0x0a0a0a0au), 6, 0x00cc00ccu), 12, 0x0000f0f0u), 8, 0x0000ff00u);
}

/* Byte i of lane l becomes byte l of word i. */
INLINE void transpose_bytes(uint32_t out[4], slm_word4 w)
{
    const uint32_t a = (w[0] & 0x00ff00ffu) | (w[1] & 0x00ff00ffu) << 8, b = (w[2] & 0x00ff00ffu) | (w[3] & 0x00ff00ffu) << 8;
    const uint32_t c = (w[0] >> 8 & 0x00ff00ffu) | (w[1] & 0xff00ff00u), d = (w[2] >> 8 & 0x00ff00ffu) | (w[3] & 0xff00ff00u);
    out[0] = (a & 0xffffu) | b << 16;
    out[1] = (c & 0xffffu) | d << 16;
    out[2] = a >> 16 | (b & 0xffff0000u);
    out[3] = c >> 16 | (d & 0xffff0000u);
}

/* The four nibbles from bit 0 on, one in each byte; the four pairs of bits. */
INLINE slm_word4 spread_nibbles(slm_word4 w)
{
    w &= 0xffffu;
    w = (w | w << 8) & 0x00ff00ffu;
    return (w | w << 4) & 0x0f0f0f0fu;
}

INLINE slm_word4 spread_pairs(slm_word4 w)
{
    w &= 0xffu;
    w = (w | w << 12) & 0x000f000fu;
    return (w | w << 6) & 0x03030303u;
}

/* ---- disk blocks to slices ---------------------------------------------------------------------------------------------------- */

/* The small scales and minima of the halves of the eight slices. */
INLINE void read_small(int type, slice *s, const slm_lanes *block)
{
    slm_word4 scale[4] = { 0 }, min[4] = { 0 };
    if (type == SLM_Q4_K || type == SLM_Q5_K) {
        /* the first four scales and minima, whose upper bits hold bits 4 and 5 of the others */
        const slm_word4 a = slm_lanes_word(block, 4), b = slm_lanes_word(block, 8), c = slm_lanes_word(block, 12);
        scale[0] = a & 0x3f3f3f3fu;
        scale[1] = (c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u);
        min[0] = b & 0x3f3f3f3fu;
        min[1] = (c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u);
    } else if (type == SLM_Q6_K) {
        slm_lanes_words(scale, block, 192);
    } else if (type == SLM_Q2_K) {
        slm_lanes_words(scale, block, 0);
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            min[i] = scale[i] >> 4 & 0x0f0f0f0fu;
            scale[i] &= 0x0f0f0f0fu;
        }
    } else if (type == SLM_Q3_K) {
        const slm_word4 a = slm_lanes_word(block, 96), b = slm_lanes_word(block, 100), c = slm_lanes_word(block, 104);
        scale[0] = (a & 0x0f0f0f0fu) | (c << 4 & 0x30303030u);
        scale[1] = (b & 0x0f0f0f0fu) | (c << 2 & 0x30303030u);
        scale[2] = (a >> 4 & 0x0f0f0f0fu) | (c & 0x30303030u);
        scale[3] = (b >> 4 & 0x0f0f0f0fu) | (c >> 2 & 0x30303030u);
    } else {
        const slm_word4 low = slm_lanes_word(block, 4), high = slm_lanes_word(block, 0) >> 16;
        scale[0] = spread_nibbles(low) | spread_pairs(high) << 4;
        scale[1] = spread_nibbles(low >> 16) | spread_pairs(high >> 8) << 4;
    }
    if (type == SLM_Q3_K || type == SLM_IQ4_XS)         /* minus 32: the sign is the sixth bit, turned */
        for (size_t i = 0; i < 4; i++) {
            const slm_word4 below = ~scale[i] & 0x20202020u;
            scale[i] = (scale[i] & 0x1f1f1f1fu) | below | below << 1 | below << 2;
        }
    const size_t halves = (size_t)slm_block_halves(type);
    UNROLL
    for (size_t i = 0; i < 2 * halves; i++) {
        uint32_t scales[4], mins[4] = { 0 };
        transpose_bytes(scales, scale[i]);
        if (slm_block_has_min(type))
            transpose_bytes(mins, min[i]);
        UNROLL
        for (size_t j = 0; j < 4; j++)
            for (size_t h = 0; h < (halves == 2 ? 1 : 2); h++) {
                slice *of = s + (4 * i + j) / halves;
                of->scale[halves == 2 ? j % 2 : h] = scales[j];
                of->min[halves == 2 ? j % 2 : h] = mins[j];
            }
    }
}

/* Four parts of 32 values that share bytes, part p in bits 2p: two words for each, at `at`[2 halves] of slice p. */
INLINE void read_pairs(slice *s, size_t at, const slm_lanes *block, size_t offset)
{
    UNROLL
    for (size_t h = 0; h < 2; h++) {
        slm_word4 w[4];
        slm_lanes_words(w, block, offset + 16 * h);
        transpose_pairs(w);
        UNROLL
        for (size_t p = 0; p < 4; p++)
            memcpy((uint8_t *)(s + p) + at + sizeof *w * h, w + p, sizeof *w);
    }
}

/* Eight parts that share bytes, part b in bit b. */
INLINE void read_bits(slice *s, const slm_lanes *block, size_t offset)
{
    slm_word4 w[8];
    slm_lanes_words(w, block, offset);
    slm_lanes_words(w + 4, block, offset + 16);
    transpose_bits(w);
    UNROLL
    for (size_t b = 0; b < 8; b++)
        s[b].high[0] = w[b];
}

/* Two parts of 32 values in the low and the high nibbles of 32 bytes. */
INLINE void read_halves(slice *first, slice *second, const slm_lanes *block, size_t offset)
{
    slm_word4 a[4], b[4];
    slm_lanes_words(a, block, offset);
    slm_lanes_words(b, block, offset + 16);
    UNROLL
    for (size_t g = 0; g < 4; g++) {
        first->low[g] = (a[g] & 0x0f0f0f0fu) | (b[g] << 4 & 0xf0f0f0f0u);
        second->low[g] = (a[g] >> 4 & 0x0f0f0f0fu) | (b[g] & 0xf0f0f0f0u);
    }
}

/* A disk block each: a slice, or eight. */
INLINE void read_block(int type, slice *s, const slm_lanes *block)
{
    const uint64_t d = slm_lanes_half(block, disk_d_at(type)), m = slm_block_has_min(type) ? slm_lanes_half(block, disk_d_at(type) + 2) : 0;
    if (!slm_block_is_super(type)) {
        s->d = d;
        s->m = m;
        slm_lanes_words(s->low, block, disk_bytes(type) - 16);
        if (slm_block_high(type))
            s->high[0] = fifth_bits(slm_lanes_word(block, disk_bytes(type) - 20));
        return;
    }
    UNROLL
    for (size_t b = 0; b < 8; b++) {
        s[b].d = d;
        s[b].m = m ^ 0x8000800080008000u;       /* -(dmin * x) is (-dmin) * x, bit by bit */
    }
    read_small(type, s, block);
    if (type == SLM_Q4_K || type == SLM_Q5_K)
        UNROLL
        for (size_t b = 0; b < 8; b += 2)
            read_halves(s + b, s + b + 1, block, disk_bytes(type) - 128 + 16 * b);
    else if (type == SLM_IQ4_XS)
        for (size_t b = 0; b < 8; b++)
            slm_lanes_words(s[b].low, block, 8 + 16 * b);
    else
        for (size_t b = 0; b < 8; b += 4) {
            if (type == SLM_Q6_K) {
                read_halves(s + b, s + b + 2, block, 16 * b);
                read_halves(s + b + 1, s + b + 3, block, 16 * b + 32);
                read_pairs(s + b, offsetof(slice, high), block, 128 + 8 * b);
            } else {
                read_pairs(s + b, offsetof(slice, low), block, (type == SLM_Q2_K ? 16 : 32) + 8 * b);
            }
        }
    if (slm_block_high(type) == 1)
        read_bits(s, block, type == SLM_Q5_K ? 16 : 0);
}

/* ---- slices to values and panels ---------------------------------------------------------------------------------------------- */

/* Block b of rows r .. r + lanes - 1 of a step. */
INLINE void write_slice(int type, uint8_t *step, size_t b, size_t r, const slice *s, size_t lanes)
{
    uint8_t *q = step + slm_block_head(type), *plane = q + slm_block_low_bytes(type);
    const size_t words = (size_t)slm_block_low(type), planes = (size_t)slm_block_high(type);
    if (slm_block_is_super(type)) {
        memcpy(step + 2 * r, &s->d, 2 * lanes);
        if (slm_block_has_min(type))
            memcpy(step + 32 + 2 * r, &s->m, 2 * lanes);
        for (size_t h = 0; h < (size_t)slm_block_halves(type); h++) {
            const uint32_t both = s->scale[h] | (type == SLM_Q2_K ? s->min[h] << 4 : 0);
            memcpy(step + slm_block_small(type, b, h) + r, &both, lanes);
        }
        if (slm_block_has_min(type) && type != SLM_Q2_K)
            memcpy(step + 96 + 16 * b + r, s->min, lanes);
    } else {
        memcpy(step + 32 * b + 2 * r, &s->d, 2 * lanes);
        if (slm_block_has_min(type))
            memcpy(step + 64 + 32 * b + 2 * r, &s->m, 2 * lanes);
    }
    UNROLL
    for (size_t i = 0; i < words; i++)
        memcpy(q + (b * words + i) * 64 + r * 4, s->low + i, 4 * lanes);
    UNROLL
    for (size_t i = 0; i < planes; i++)
        memcpy(plane + (b * planes + i) * 64 + r * 4, s->high + i, 4 * lanes);
}

INLINE bool pack(int type, uint8_t *panel, const uint8_t *src, size_t stride, size_t rows, size_t cols, size_t *bad_row,
                 size_t *bad_block)
{
    const size_t parts = disk_values(type) / 32, blocks = cols / disk_values(type), step = slm_block_step(type);
    const bool gap = type == SLM_Q6_K || type == SLM_Q3_K;      /* in the head */
    if (rows < 16 || cols % 64 || gap)
        memset(panel, 0, (cols + 63) / 64 * step);
    for (size_t i = 0; i < blocks; i++)
        for (size_t r = 0; r < rows; r += SLM_LANES) {
            const uint8_t *block = src + r * stride + i * disk_bytes(type);
            const slm_lanes four = slm_lanes_of(block, stride, rows - r);
            slice s[8];
            read_block(type, s, &four);
            if (!slm_lanes_finite(s->d) || !slm_lanes_finite(s->m)) {
                for (*bad_row = r; is_finite(type, block); block += stride)
                    ++*bad_row;
                *bad_block = i;
                return false;
            }
            UNROLL
            for (size_t b = 0; b < parts; b++) {
                uint8_t *to = panel + (i * parts + b) / 2 * step;
                if (rows - r >= SLM_LANES)
                    write_slice(type, to, (i * parts + b) % 2, r, s + b, SLM_LANES);
                else
                    write_slice(type, to, (i * parts + b) % 2, r, s + b, rows - r);
            }
        }
    return true;
}

/* Value k of a lane of a slice, its offset taken out. */
INLINE int32_t value(int type, const slice *s, size_t lane, size_t k)
{
    static const int8_t table[16] = { SLM_IQ4_VALUES };
    const size_t word = sizeof *s->low, g = k / 4;
    const uint8_t *low = (const uint8_t *)s->low + 4 * lane + k % 4, *high = (const uint8_t *)s->high + 4 * lane + k % 4;
    int32_t v = slm_block_low(type) == 4 ? low[g % 4 * word] >> g / 4 * 4 & 15 : low[g / 4 * word] >> g % 4 * 2 & 3;
    if (slm_block_has_table(type))
        return table[v];
    if (slm_block_high(type) == 1)
        v |= (high[0] >> g & 1) << slm_block_low(type);
    if (slm_block_high(type) == 2)
        v |= (high[g / 4 * word] >> g % 4 * 2 & 3) << slm_block_low(type);
    return v - slm_block_offset(type);
}

/* The 32 values of a lane of a slice. */
INLINE void slice_values(int type, float *out, const slice *s, size_t lane)
{
    for (size_t h = 0; h < 2; h++) {
        float scale = slm_f32_of_f16((uint16_t)(s->d >> 16 * lane)), min = slm_f32_of_f16((uint16_t)(s->m >> 16 * lane));
        if (slm_block_is_super(type)) {
            const uint8_t small = (uint8_t)(s->scale[h] >> 8 * lane);
            scale *= slm_block_is_signed(type) ? (float)(int8_t)small : (float)small;
            min *= (float)(uint8_t)(s->min[h] >> 8 * lane);
        }
        for (size_t k = 16 * h; k < 16 * h + 16; k++) {
            const float product = scale * (float)value(type, s, lane, k);
            out[k] = slm_block_has_min(type) ? product + min : product;
        }
    }
}

/* Lanes are blocks of the same row here. */
INLINE void dequantize(int type, float *out, const uint8_t *src, size_t n)
{
    const size_t parts = disk_values(type) / 32, blocks = n / disk_values(type);
    for (size_t i = 0; i < blocks; i += SLM_LANES) {
        const slm_lanes four = slm_lanes_of(src + i * disk_bytes(type), disk_bytes(type), blocks - i);
        slice s[8];
        read_block(type, s, &four);
        for (size_t lane = 0; lane < SLM_LANES && i + lane < blocks; lane++)
            for (size_t b = 0; b < parts; b++)
                slice_values(type, out + ((i + lane) * parts + b) * 32, s + b, lane);
    }
}

INLINE void unpack(int type, float *out, const uint8_t *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++) {
        const uint8_t *step = panel + k / 64 * slm_block_step(type);
        const size_t b = k % 64 / 32, in = k % 32;
        const float product = slm_block_scale(type, step, b, in / 16, lane) * (float)slm_block_value(type, step, b, lane, in);
        out[k] = slm_block_has_min(type) ? product + slm_block_min(type, step, b, in / 16, lane) : product;
    }
}

INLINE size_t nonfinite(int type, const uint8_t *src, size_t n)
{
    for (size_t i = 0; i < n / disk_values(type); i++)
        if (!is_finite(type, src + i * disk_bytes(type)))
            return i;
    return SIZE_MAX;
}

#define CODEC(option, type) \
    void slm_dequantize_##option(float *out, const void *src, size_t n) \
    { \
        dequantize(type, out, src, n); \
    } \
    bool slm_pack_##option(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block) \
    { \
        return pack(type, panel, src, stride, rows, cols, bad_row, bad_block); \
    } \
    void slm_unpack_##option(float *out, const void *panel, size_t lane, size_t cols) \
    { \
        unpack(type, out, panel, lane, cols); \
    } \
    size_t slm_nonfinite_##option(const void *src, size_t n) \
    { \
        return nonfinite(type, src, n); \
    }
CODEC(q4_1, SLM_Q4_1)
CODEC(q5_0, SLM_Q5_0)
CODEC(q5_1, SLM_Q5_1)
CODEC(iq4_nl, SLM_IQ4_NL)
CODEC(q4_k, SLM_Q4_K)
CODEC(q5_k, SLM_Q5_K)
CODEC(q6_k, SLM_Q6_K)
CODEC(q2_k, SLM_Q2_K)
CODEC(q3_k, SLM_Q3_K)
CODEC(iq4_xs, SLM_IQ4_XS)
