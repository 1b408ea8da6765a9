/* block.h -- what the panel steps of the block types have in common (layouts in kernels.h). `type` is a constant wherever these are
 * used, so that a template of a loop serves all types. */
#ifndef SLM_KERNELS_BLOCK_H
#define SLM_KERNELS_BLOCK_H

#include "kernels/inline.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

#include <stdbool.h>
#include <string.h>

enum {
    SLM_Q8_0, SLM_Q4_0, SLM_IQ4_NL, SLM_Q4_1, SLM_Q5_0, SLM_Q5_1,
    SLM_Q4_K, SLM_Q5_K, SLM_Q6_K, SLM_Q2_K, SLM_Q3_K, SLM_IQ4_XS        /* one f16 scale for 256 values, times small integers */
};

/* What the nibbles of the IQ4 types stand for: denser near zero, as weights are. */
#define SLM_IQ4_VALUES -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113

INLINE bool slm_block_has_min(int type)
{
    return type == SLM_Q4_1 || type == SLM_Q5_1 || type == SLM_Q4_K || type == SLM_Q5_K || type == SLM_Q2_K;
}

INLINE bool slm_block_has_table(int type)
{
    return type == SLM_IQ4_NL || type == SLM_IQ4_XS;
}

INLINE bool slm_block_is_super(int type)
{
    return type >= SLM_Q4_K;
}

/* The small scales of a super-block have a sign. */
INLINE bool slm_block_is_signed(int type)
{
    return type == SLM_Q6_K || type == SLM_Q3_K || type == SLM_IQ4_XS;
}

/* Integer sums per block of 32, each with a scale (and a minimum) of its own. */
INLINE int slm_block_halves(int type)
{
    return type == SLM_Q6_K || type == SLM_Q2_K || type == SLM_Q3_K ? 2 : 1;
}

/* Groups of four k per integer sum. */
INLINE int slm_block_groups(int type)
{
    return 8 / slm_block_halves(type);
}

/* Low bits of a value: bytes, nibbles, or planes of two bits. */
INLINE int slm_block_low(int type)
{
    return type == SLM_Q8_0 ? 8 : type == SLM_Q2_K || type == SLM_Q3_K ? 2 : 4;
}

/* Bits of a value beyond those. */
INLINE int slm_block_high(int type)
{
    return type == SLM_Q6_K ? 2 : type == SLM_Q5_0 || type == SLM_Q5_1 || type == SLM_Q5_K || type == SLM_Q3_K;
}

/* What is added to a value so that it is unsigned: 2 to this, or nothing. */
INLINE int slm_block_shift(int type)
{
    return type == SLM_Q8_0 || slm_block_has_table(type) ? 7 : type == SLM_Q4_0 ? 3 : type == SLM_Q5_0 ? 4 : type == SLM_Q6_K ? 5
           : type == SLM_Q3_K ? 2 : 0;
}

INLINE int slm_block_offset(int type)
{
    return slm_block_shift(type) ? 1 << slm_block_shift(type) : 0;
}

/* Bytes of a step before its integers. */
INLINE size_t slm_block_head(int type)
{
    return type == SLM_IQ4_XS ? 64 : slm_block_is_super(type) || slm_block_has_min(type) ? 128 : 64;
}

/* Bytes of a step's low bits, 64 k of 16 rows. */
INLINE size_t slm_block_low_bytes(int type)
{
    return 128 * (size_t)slm_block_low(type);
}

INLINE size_t slm_block_step(int type)
{
    return slm_block_head(type) + slm_block_low_bytes(type) + 128 * (size_t)slm_block_high(type);
}

INLINE uint16_t slm_block_half(const uint8_t *bytes, size_t index)
{
    uint16_t h;
    memcpy(&h, bytes + 2 * index, sizeof h);
    return h;
}

/* The same address, of which the compiler knows nothing: it loads again what it would keep in registers that the sums need. */
INLINE const void *slm_again(const void *p)
{
    __asm__ volatile("" : "+r"(p));
    return p;
}

/* Where the small scales of half h of block b of a step lie, 16 bytes. */
INLINE size_t slm_block_small(int type, size_t b, size_t h)
{
    return type == SLM_IQ4_XS ? 32 + 16 * b : 64 + 16 * (slm_block_halves(type) == 2 ? 2 * b + h : b);
}

/* The scale of row r of half h (16 values) of block b of a step. */
INLINE float slm_block_scale(int type, const uint8_t *step, size_t b, size_t h, size_t r)
{
    if (!slm_block_is_super(type))
        return slm_f32_of_f16(slm_block_half(step, b * 16 + r));
    const uint8_t small = step[slm_block_small(type, b, h) + r];
    return slm_f32_of_f16(slm_block_half(step, r)) *
           (slm_block_is_signed(type) ? (float)(int8_t)small : (float)(type == SLM_Q2_K ? small & 15 : small));
}

/* The minimum, with the sign that it is added with. */
INLINE float slm_block_min(int type, const uint8_t *step, size_t b, size_t h, size_t r)
{
    if (!slm_block_is_super(type))
        return slm_f32_of_f16(slm_block_half(step, 32 + b * 16 + r));
    const uint8_t small = type == SLM_Q2_K ? step[slm_block_small(type, b, h) + r] >> 4 : step[96 + 16 * b + r];
    return slm_f32_of_f16(slm_block_half(step, 16 + r)) * (float)small;
}

/* Value k (0..31) of row r of block b of a step, its offset taken out. */
INLINE int32_t slm_block_value(int type, const uint8_t *step, size_t b, size_t r, size_t k)
{
    static const int8_t table[16] = { SLM_IQ4_VALUES };
    const uint8_t *q = step + slm_block_head(type), *plane = q + slm_block_low_bytes(type);
    const size_t g = k / 4, at = r * 4 + k % 4;
    const int low = slm_block_low(type);
    if (low == 8)
        return q[b * 512 + g * 64 + at] - 128;
    int32_t v;
    if (low == 4) {
        const int32_t both = q[b * 256 + g % 4 * 64 + at];
        v = g < 4 ? both & 15 : both >> 4;
    } else {
        v = q[b * 128 + g / 4 * 64 + at] >> (g % 4 * 2) & 3;
    }
    if (slm_block_has_table(type))
        return table[v];
    if (slm_block_high(type) == 1)
        v |= (plane[b * 64 + at] >> g & 1) << low;
    if (slm_block_high(type) == 2)
        v |= (plane[b * 128 + g / 4 * 64 + at] >> (g % 4 * 2) & 3) << low;
    return v - slm_block_offset(type);
}

#endif
