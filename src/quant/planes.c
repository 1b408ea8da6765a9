/* planes.c -- Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K: nibbles and planes of high bits. Source of the disk forms: the GGUF
 * specification. Their quantizers stand in search.c.
 *
 *   Q4_1  20 bytes: f16 d, f16 m, nibbles as in Q4_0;                                value = d * q + m
 *   Q5_0  22 bytes: f16 d, u32 whose bit k is bit 4 of value k, nibbles;             value = d * (q - 16)
 *   Q5_1  24 bytes: f16 d, f16 m, the u32, nibbles;                                  value = d * q + m
 *   Q4_K  144 bytes, 256 values: f16 d, f16 dmin, 12 bytes with 6 bits of scale and of minimum of each 32, nibbles (32 bytes for
 *         64 values: the first 32 low);                                              value = d * scale * q - dmin * minimum
 *   Q5_K  176 bytes: as Q4_K, before the nibbles 32 bytes: bit b of byte k is bit 4 of value k of part b
 *   Q6_K  210 bytes: u8 low[128], u8 high[64], s8 scale[16], f16 d: of each half of 128 values, value 32 p + k has its low bits in
 *         nibble p/2 of byte 32 (p%2) + k and its high ones in bits 2p of byte k;    value = d * scale * (q - 32)
 *
 * Everything goes through `part`, 32 values in one form, which panels store as kernels.h says. */
#include "kernels/block.h"
#include "quant/codec.h"

typedef struct part {
    uint16_t d, m;          /* f16; m with the sign it is added with */
    uint8_t  scale[2];      /* of the halves; s8 in Q6_K */
    uint8_t  min;
    uint8_t  q[32];         /* with the offset */
} part;

INLINE size_t disk_bytes(int type)
{
    return type == SLM_Q4_1 ? 20 : type == SLM_Q5_0 ? 22 : type == SLM_Q5_1 ? 24 : type == SLM_Q4_K ? 144 : type == SLM_Q5_K ? 176 : 210;
}

INLINE size_t disk_values(int type)
{
    return slm_block_is_super(type) ? 256 : 32;
}

/* The scale of a disk block, and the minimum (0 if the type has none). */
INLINE uint16_t disk_d(int type, const uint8_t *block)
{
    return slm_half_at(type == SLM_Q6_K ? block + 208 : block);
}

INLINE uint16_t disk_m(int type, const uint8_t *block)
{
    return slm_block_has_min(type) ? slm_half_at(block + 2) : 0;
}

INLINE bool is_finite(int type, const uint8_t *block)
{
    return slm_half_finite(disk_d(type, block)) && slm_half_finite(disk_m(type, block));
}

INLINE void read_simple(int type, part *p, const uint8_t *block)
{
    const uint8_t *bits = block + (type == SLM_Q5_0 ? 2 : 4), *nibbles = block + disk_bytes(type) - 16;
    for (size_t k = 0; k < 16; k++) {
        p->q[k] = nibbles[k] & 15;
        p->q[k + 16] = nibbles[k] >> 4;
    }
    if (type != SLM_Q4_1)
        for (size_t k = 0; k < 32; k++)
            p->q[k] |= (uint8_t)((bits[k / 8] >> k % 8 & 1) << 4);
}

/* 6 bits each: the first four scales and minima in bytes 0-3 and 4-7, whose upper bits hold bits 4 and 5 of the others. */
static void read_six_bits(part *p, const uint8_t *six, size_t b)
{
    p->scale[0] = (uint8_t)(b < 4 ? six[b] & 63 : (six[b + 4] & 15) | six[b - 4] >> 6 << 4);
    p->min = (uint8_t)(b < 4 ? six[b + 4] & 63 : six[b + 4] >> 4 | six[b] >> 6 << 4);
    p->scale[1] = p->scale[0];
}

INLINE void read_super(int type, part *p, const uint8_t *block, size_t b)
{
    if (type == SLM_Q6_K) {
        const uint8_t *low = block + b / 4 * 64 + b % 2 * 32, *high = block + 128 + b / 4 * 32;
        for (size_t k = 0; k < 32; k++)
            p->q[k] = (uint8_t)((b % 4 < 2 ? low[k] & 15 : low[k] >> 4) | (high[k] >> b % 4 * 2 & 3) << 4);
        memcpy(p->scale, block + 192 + 2 * b, 2);
        return;
    }
    const uint8_t *nibbles = block + disk_bytes(type) - 128 + b / 2 * 32;
    read_six_bits(p, block + 4, b);
    for (size_t k = 0; k < 32; k++)
        p->q[k] = b % 2 ? nibbles[k] >> 4 : nibbles[k] & 15;
    if (type == SLM_Q5_K)
        for (size_t k = 0; k < 32; k++)
            p->q[k] |= (uint8_t)((block[16 + k] >> b & 1) << 4);
}

/* Values 32 b .. of a row. */
INLINE void read_part(int type, part *p, const uint8_t *row, size_t b)
{
    const size_t parts = disk_values(type) / 32;
    const uint8_t *block = row + b / parts * disk_bytes(type);
    p->d = disk_d(type, block);
    p->m = disk_m(type, block);
    if (slm_block_is_super(type)) {
        p->m ^= 0x8000;                 /* -(dmin * x) is (-dmin) * x, bit by bit */
        read_super(type, p, block, b % parts);
    } else {
        read_simple(type, p, block);
    }
}

INLINE void dequantize(int type, float *out, const uint8_t *src, size_t n)
{
    for (size_t b = 0; b < n / 32; b++) {
        part p;
        read_part(type, &p, src, b);
        for (size_t k = 0; k < 32; k++) {
            float scale = slm_f32_of_f16(p.d), min = slm_f32_of_f16(p.m);
            if (slm_block_is_super(type)) {
                const uint8_t small = p.scale[k / 16];
                scale *= type == SLM_Q6_K ? (float)(int8_t)small : (float)small;
                min *= type == SLM_Q6_K ? 0 : (float)p.min;
            }
            const float product = scale * (float)(p.q[k] - slm_block_offset(type));
            out[32 * b + k] = slm_block_has_min(type) ? product + min : product;
        }
    }
}

/* Block b of row r of a step. */
INLINE void write_part(int type, uint8_t *step, size_t b, size_t r, const part *p)
{
    uint8_t *q = step + slm_block_head(type), *plane = q + 512;
    if (slm_block_is_super(type)) {
        slm_half_put(step + 2 * r, p->d);
        if (type == SLM_Q6_K) {
            step[64 + 32 * b + r] = p->scale[0];
            step[80 + 32 * b + r] = p->scale[1];
        } else {
            slm_half_put(step + 32 + 2 * r, p->m);
            step[64 + 16 * b + r] = p->scale[0];
            step[96 + 16 * b + r] = p->min;
        }
    } else {
        slm_half_put(step + 32 * b + 2 * r, p->d);
        if (slm_block_has_min(type))
            slm_half_put(step + 64 + 32 * b + 2 * r, p->m);
    }
    for (size_t g = 0; g < 4; g++)
        for (size_t j = 0; j < 4; j++)
            q[b * 256 + g * 64 + r * 4 + j] = (uint8_t)((p->q[4 * g + j] & 15) | p->q[4 * g + j + 16] << 4);
    const size_t planes = (size_t)slm_block_high(type), bits = planes, groups = planes ? 8 / planes : 0;
    for (size_t i = 0; i < planes; i++)
        for (size_t j = 0; j < 4; j++) {
            uint32_t high = 0;
            for (size_t g = 0; g < groups; g++)
                high |= (uint32_t)(p->q[4 * (i * groups + g) + j] >> 4) << g * bits;
            plane[(b * planes + i) * 64 + r * 4 + j] = (uint8_t)high;
        }
}

INLINE bool pack(int type, uint8_t *panel, const uint8_t *src, size_t stride, size_t rows, size_t cols, size_t *bad_row,
                 size_t *bad_block)
{
    const size_t parts = disk_values(type) / 32;
    memset(panel, 0, (cols + 63) / 64 * slm_block_step(type));
    for (size_t r = 0; r < rows; r++)
        for (size_t b = 0; b < cols / 32; b++) {
            part p;
            if (b % parts == 0 && !is_finite(type, src + r * stride + b / parts * disk_bytes(type))) {
                *bad_row = r;
                *bad_block = b / parts;
                return false;
            }
            read_part(type, &p, src + r * stride, b);
            write_part(type, panel + b / 2 * slm_block_step(type), b % 2, r, &p);
        }
    return true;
}

INLINE void unpack(int type, float *out, const uint8_t *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++) {
        const uint8_t *step = panel + k / 64 * slm_block_step(type);
        const size_t b = k % 64 / 32, in = k % 32;
        const float product = slm_block_scale(type, step, b, in / 16, lane) * (float)slm_block_value(type, step, b, lane, in);
        out[k] = slm_block_has_min(type) ? product + slm_block_min(type, step, b, lane) : product;
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
CODEC(q4_k, SLM_Q4_K)
CODEC(q5_k, SLM_Q5_K)
CODEC(q6_k, SLM_Q6_K)
