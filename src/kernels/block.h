/* block.h -- what the panel steps of the block types have in common (layouts in kernels.h). `type` is a constant wherever these are
 * used, so that a template of a loop serves all types. */
#ifndef SLM_KERNELS_BLOCK_H
#define SLM_KERNELS_BLOCK_H

#include "kernels/inline.h"
#include "kernels/kernels.h"
#include "kernels/math.h"

#include <stdbool.h>
#include <string.h>

enum { SLM_Q8_0, SLM_Q4_0, SLM_Q4_1, SLM_Q5_0, SLM_Q5_1, SLM_Q4_K, SLM_Q5_K, SLM_Q6_K };

INLINE bool slm_block_has_min(int type)
{
    return type == SLM_Q4_1 || type == SLM_Q5_1 || type == SLM_Q4_K || type == SLM_Q5_K;
}

/* One f16 scale for 256 values, multiplied by small integers. */
INLINE bool slm_block_is_super(int type)
{
    return type >= SLM_Q4_K;
}

/* Integer sums per block of 32. */
INLINE int slm_block_halves(int type)
{
    return type == SLM_Q6_K ? 2 : 1;
}

/* Groups of four k per integer sum. */
INLINE int slm_block_groups(int type)
{
    return type == SLM_Q6_K ? 4 : 8;
}

/* Bits of a value beyond its nibble; Q8_0 has no nibbles. */
INLINE int slm_block_high(int type)
{
    return type == SLM_Q6_K ? 2 : type == SLM_Q5_0 || type == SLM_Q5_1 || type == SLM_Q5_K;
}

/* What was added to a value to store it unsigned: 2 to this, or nothing. */
INLINE int slm_block_offset(int type)
{
    return type == SLM_Q8_0 ? 128 : type == SLM_Q4_0 ? 8 : type == SLM_Q5_0 ? 16 : type == SLM_Q6_K ? 32 : 0;
}

/* Bytes of a step before its integers. */
INLINE size_t slm_block_head(int type)
{
    return slm_block_is_super(type) || slm_block_has_min(type) ? 128 : 64;
}

INLINE size_t slm_block_step(int type)
{
    return slm_block_head(type) + (type == SLM_Q8_0 ? 1024 : 512 + 128 * (size_t)slm_block_high(type));
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

/* The scale of row r of half h (16 values) of block b of a step. */
INLINE float slm_block_scale(int type, const uint8_t *step, size_t b, size_t h, size_t r)
{
    if (!slm_block_is_super(type))
        return slm_f32_of_f16(slm_block_half(step, b * 16 + r));
    const uint8_t small = step[64 + (type == SLM_Q6_K ? 32 * b + 16 * h : 16 * b) + r];
    return slm_f32_of_f16(slm_block_half(step, r)) * (type == SLM_Q6_K ? (float)(int8_t)small : (float)small);
}

/* The minimum, with the sign that it is added with. */
INLINE float slm_block_min(int type, const uint8_t *step, size_t b, size_t r)
{
    const float m = slm_f32_of_f16(slm_block_half(step, slm_block_is_super(type) ? 16 + r : 32 + b * 16 + r));
    return slm_block_is_super(type) ? m * (float)step[96 + 16 * b + r] : m;
}

/* Value k (0..31) of row r of block b of a step, its offset taken out. */
INLINE int32_t slm_block_value(int type, const uint8_t *step, size_t b, size_t r, size_t k)
{
    const uint8_t *q = step + slm_block_head(type), *plane = q + 512;
    const size_t g = k / 4, at = r * 4 + k % 4;
    if (type == SLM_Q8_0)
        return q[b * 512 + g * 64 + at] - 128;
    const int32_t both = q[b * 256 + g % 4 * 64 + at];
    int32_t v = g < 4 ? both & 15 : both >> 4;
    if (slm_block_high(type) == 1)
        v |= (plane[b * 64 + at] >> g & 1) << 4;
    if (slm_block_high(type) == 2)
        v |= (plane[b * 128 + g / 4 * 64 + at] >> (g % 4 * 2) & 3) << 4;
    return v - slm_block_offset(type);
}

#endif
