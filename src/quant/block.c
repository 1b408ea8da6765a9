/* block.c -- Q8_0 and Q4_0: blocks of 32 values with one f16 scale. Source of the disk forms: the GGUF specification.
 *
 *   Q8_0  34 bytes: f16 d, int8 q[32];            value = d * q
 *   Q4_0  18 bytes: f16 d, uint8 q[16]: byte j has value j in its low and value j + 16 in its high nibble;  value = d * (q - 8)
 *
 * A panel step holds two blocks of 16 rows: 2 x 16 f16 scales, then per block groups of [16 rows][4 k] bytes. Q8_0 is stored as
 * q + 128, for the instructions multiply unsigned by signed bytes. Four nibble bytes of Q4_0 on disk are one row's part of a group
 * (k 4g .. 4g+3 low, 16 + 4g .. high), so they are copied as they are. */
#include "kernels/math.h"
#include "quant/lanes.h"

#include <string.h>

static float largest(const float *x, size_t n)
{
    float amax = 0;
    for (size_t i = 0; i < n; i++)
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
    return amax;
}

/* Nearest integer, halves to even, |x| < 2^22. */
static int32_t nearest(float x)
{
    return (int32_t)((x + 0x1.8p+23f) - 0x1.8p+23f);
}

static size_t nonfinite_scale(const uint8_t *src, size_t blocks, size_t bytes)
{
    for (size_t b = 0; b < blocks; b++)
        if (!slm_half_finite(slm_half_at(src + b * bytes)))
            return b;
    return SIZE_MAX;
}

/* Both types' pack: the scale, then `groups` pieces of 4 bytes, each xored with `flip`. `lanes` of four rows from row r on. */
INLINE void pack_block(uint8_t *scale, uint8_t *q, const slm_lanes *blocks, uint64_t d, size_t lanes, size_t groups, uint32_t flip)
{
    memcpy(scale, &d, 2 * lanes);
    for (size_t g = 0; g < groups; g += 4) {
        slm_word4 words[4];
        slm_lanes_words(words, blocks, 2 + 4 * g);
        UNROLL
        for (size_t i = 0; i < 4; i++) {
            words[i] ^= flip;
            memcpy(q + (g + i) * 64, words + i, 4 * lanes);
        }
    }
}

INLINE bool pack(uint8_t *panel, const uint8_t *src, size_t stride, size_t rows, size_t cols, size_t step_bytes, size_t groups, uint32_t flip,
                 size_t *bad_row, size_t *bad_block)
{
    const size_t blocks = cols / 32, block_bytes = 2 + 4 * groups;
    if (rows < 16 || blocks % 2)                        /* zero blocks where nothing is copied: scale 0, any q */
        memset(panel, 0, (blocks + 1) / 2 * step_bytes);
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *step = panel + b / 2 * step_bytes, *scale = step + b % 2 * 32, *q = step + 64 + b % 2 * groups * 64;
        for (size_t r = 0; r < rows; r += SLM_LANES) {
            const slm_lanes four = slm_lanes_of(src + r * stride + b * block_bytes, stride, rows - r);
            const uint64_t d = slm_lanes_half(&four, 0);
            if (!slm_lanes_finite(d)) {
                for (*bad_row = r; slm_half_finite(slm_half_at(src + *bad_row * stride + b * block_bytes)); ++*bad_row)
                    ;
                *bad_block = b;
                return false;
            }
            if (rows - r >= SLM_LANES)
                pack_block(scale + 2 * r, q + 4 * r, &four, d, SLM_LANES, groups, flip);
            else
                pack_block(scale + 2 * r, q + 4 * r, &four, d, rows - r, groups, flip);
        }
    }
    return true;
}

void slm_dequantize_q8_0(float *out, const void *src, size_t n)
{
    const uint8_t *block = src;
    for (size_t i = 0; i < n; i += 32, block += 34) {
        const float d = slm_f32_of_f16(slm_half_at(block));
        for (size_t k = 0; k < 32; k++)
            out[i + k] = d * (float)(int8_t)block[2 + k];
    }
}

void slm_quantize_q8_0(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    for (size_t i = 0; i < n; i += 32, block += 34) {
        const float d = largest(src + i, 32) / 127.0f, id = d > 0 ? 1.0f / d : 0.0f;
        slm_half_put(block, slm_f16_of_f32(d));
        for (size_t k = 0; k < 32; k++) {
            const float scaled = src[i + k] * id;       /* id overflows only where d is subnormal and its f16 is 0; 0 * id is NaN */
            block[2 + k] = (uint8_t)(scaled >= 127.0f ? 127 : scaled > -127.0f ? nearest(scaled) : -127);
        }
    }
}

bool slm_pack_q8_0(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    return pack(panel, src, stride, rows, cols, SLM_STEP_Q8_0, 8, 0x80808080u, bad_row, bad_block);
}

void slm_unpack_q8_0(float *out, const void *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++) {
        const uint8_t *step = (const uint8_t *)panel + k / 64 * SLM_STEP_Q8_0;
        const size_t b = k % 64 / 32, in = k % 32;
        const float d = slm_f32_of_f16(slm_half_at(step + b * 32 + lane * 2));
        out[k] = d * (float)(step[64 + b * 512 + in / 4 * 64 + lane * 4 + in % 4] - 128);
    }
}

size_t slm_nonfinite_q8_0(const void *src, size_t n)
{
    return nonfinite_scale(src, n / 32, 34);
}

void slm_dequantize_q4_0(float *out, const void *src, size_t n)
{
    const uint8_t *block = src;
    for (size_t i = 0; i < n; i += 32, block += 18) {
        const float d = slm_f32_of_f16(slm_half_at(block));
        for (size_t k = 0; k < 16; k++) {
            out[i + k] = d * (float)((block[2 + k] & 15) - 8);
            out[i + k + 16] = d * (float)((block[2 + k] >> 4) - 8);
        }
    }
}

/* The scale is the value of largest magnitude over -8, so that this value is met exactly by q = 0. */
void slm_quantize_q4_0(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    for (size_t i = 0; i < n; i += 32, block += 18) {
        float most = 0;
        for (size_t k = 0; k < 32; k++)
            most = fabsf(src[i + k]) > fabsf(most) ? src[i + k] : most;
        const float d = most / -8.0f, id = d != 0 ? 1.0f / d : 0.0f;
        slm_half_put(block, slm_f16_of_f32(d));
        for (size_t k = 0; k < 16; k++) {
            uint32_t q[2];
            for (size_t h = 0; h < 2; h++) {
                const float scaled = src[i + k + 16 * h] * id + 8.5f;
                q[h] = scaled >= 15.0f ? 15 : scaled > 0.0f ? (uint32_t)scaled : 0;
            }
            block[2 + k] = (uint8_t)(q[0] | q[1] << 4);
        }
    }
}

bool slm_pack_q4_0(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    return pack(panel, src, stride, rows, cols, SLM_STEP_Q4_0, 4, 0, bad_row, bad_block);
}

void slm_unpack_q4_0(float *out, const void *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++) {
        const uint8_t *step = (const uint8_t *)panel + k / 64 * SLM_STEP_Q4_0;
        const size_t b = k % 64 / 32, in = k % 32;
        const uint8_t both = step[64 + b * 256 + in % 16 / 4 * 64 + lane * 4 + in % 4];
        out[k] = slm_f32_of_f16(slm_half_at(step + b * 32 + lane * 2)) * (float)((in < 16 ? both & 15 : both >> 4) - 8);
    }
}

size_t slm_nonfinite_q4_0(const void *src, size_t n)
{
    return nonfinite_scale(src, n / 32, 18);
}
