/* float.c -- F32, F16 and BF16 weights. A step of a panel is [64 k][16 rows] values. */
#include "kernels/math.h"
#include "quant/lanes.h"

static uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool bits_finite(uint32_t bits)
{
    return (bits & 0x7f800000u) != 0x7f800000u;
}

void slm_dequantize_f32(float *out, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = slm_f32_of_bits(word_at((const uint8_t *)src + 4 * i));
}

void slm_quantize_f32(void *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = slm_bits_of_f32(src[i]);
        for (int j = 0; j < 4; j++)
            ((uint8_t *)dst)[4 * i + (size_t)j] = (uint8_t)(bits >> (8 * j));
    }
}

size_t slm_nonfinite_f32(const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!bits_finite(word_at((const uint8_t *)src + 4 * i)))
            return i;
    return SIZE_MAX;
}

/* ---- whole panels, four rows at a time. False: something is not finite, and then the panel holds anything. ---- */

/* Not 0 in a lane where an exponent is all ones; `low` is the lowest bit of each exponent. */
static inline slm_word4 nonfinite_lanes(slm_word4 w, uint32_t exponents, uint32_t low, uint32_t carries)
{
    return ((w & exponents) + low) & carries;
}

static inline bool is_zero(slm_word4 w)
{
    return !(w[0] | w[1] | w[2] | w[3]);
}

static bool pack_words(uint8_t *out, const uint8_t *src, size_t stride, size_t cols)
{
    slm_word4 bad = { 0 };
    for (size_t k = 0; k < cols; k += 4)
        for (size_t r = 0; r < SLM_PANEL_ROWS; r += SLM_LANES) {
            const slm_lanes rows = slm_lanes_of(src + r * stride + 4 * k, stride, SLM_LANES);
            slm_word4 w[4];
            slm_lanes_words(w, &rows, 0);
            UNROLL
            for (size_t i = 0; i < 4; i++) {
                bad |= nonfinite_lanes(w[i], 0x7f800000u, 0x00800000u, 0x80000000u);
                memcpy(out + ((k + i) * SLM_PANEL_ROWS + r) * 4, w + i, sizeof *w);
            }
        }
    return is_zero(bad);
}

/* A word has two values of a row, and is to have those of two rows. */
static bool pack_halves(uint8_t *out, const uint8_t *src, size_t stride, size_t cols, uint32_t exponent)
{
    const uint32_t both = exponent | exponent << 16, low = both & (~both << 1);
    slm_word4 bad = { 0 };
    for (size_t k = 0; k < cols; k += 8)
        for (size_t r = 0; r < SLM_PANEL_ROWS; r += 2 * SLM_LANES) {
            const uint8_t *at = src + r * stride + 2 * k;
            const slm_lanes even = slm_lanes_of(at, 2 * stride, SLM_LANES), odd = slm_lanes_of(at + stride, 2 * stride, SLM_LANES);
            slm_word4 a[4], b[4];
            slm_lanes_words(a, &even, 0);
            slm_lanes_words(b, &odd, 0);
            UNROLL
            for (size_t i = 0; i < 4; i++) {
                const slm_word4 first = (a[i] & 0xffffu) | b[i] << 16, second = a[i] >> 16 | (b[i] & 0xffff0000u);
                bad |= nonfinite_lanes(first, both, low, 0x80008000u) | nonfinite_lanes(second, both, low, 0x80008000u);
                memcpy(out + ((k + 2 * i) * SLM_PANEL_ROWS + r) * 2, &first, sizeof first);
                memcpy(out + ((k + 2 * i + 1) * SLM_PANEL_ROWS + r) * 2, &second, sizeof second);
            }
        }
    return is_zero(bad);
}

/* ---- the types ---- */

bool slm_pack_f32(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    float *out = panel;
    if (rows == SLM_PANEL_ROWS && cols % SLM_STEP_COLS == 0 && pack_words(panel, src, stride, cols))
        return true;
    memset(panel, 0, (cols + 63) / 64 * SLM_STEP_F32);
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *row = (const uint8_t *)src + r * stride;
        for (size_t k = 0; k < cols; k++) {
            const uint32_t bits = word_at(row + 4 * k);
            if (!bits_finite(bits)) {
                *bad_row = r;
                *bad_block = k;
                return false;
            }
            out[k * 16 + r] = slm_f32_of_bits(bits);
        }
    }
    return true;
}

void slm_unpack_f32(float *out, const void *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++)
        out[k] = ((const float *)panel)[k * 16 + lane];
}

/* F16 and BF16 differ in two conversions and in what is not finite. */
static bool pack_half(void *panel, const void *src, size_t stride, size_t rows, size_t cols, uint16_t exponent, size_t *bad_row,
                      size_t *bad_block)
{
    uint16_t *out = panel;
    if (rows == SLM_PANEL_ROWS && cols % SLM_STEP_COLS == 0 && pack_halves(panel, src, stride, cols, exponent))
        return true;
    memset(panel, 0, (cols + 63) / 64 * SLM_STEP_F16);
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *row = (const uint8_t *)src + r * stride;
        for (size_t k = 0; k < cols; k++) {
            const uint16_t h = slm_half_at(row + 2 * k);
            if ((h & exponent) == exponent) {
                *bad_row = r;
                *bad_block = k;
                return false;
            }
            out[k * 16 + r] = h;
        }
    }
    return true;
}

static size_t nonfinite_half(const void *src, size_t n, uint16_t exponent)
{
    for (size_t i = 0; i < n; i++)
        if ((slm_half_at((const uint8_t *)src + 2 * i) & exponent) == exponent)
            return i;
    return SIZE_MAX;
}

void slm_dequantize_f16(float *out, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = slm_f32_of_f16(slm_half_at((const uint8_t *)src + 2 * i));
}

void slm_quantize_f16(void *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slm_half_put((uint8_t *)dst + 2 * i, slm_f16_of_f32(src[i]));
}

bool slm_pack_f16(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    return pack_half(panel, src, stride, rows, cols, 0x7c00, bad_row, bad_block);
}

void slm_unpack_f16(float *out, const void *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++)
        out[k] = slm_f32_of_f16(((const uint16_t *)panel)[k * 16 + lane]);
}

size_t slm_nonfinite_f16(const void *src, size_t n)
{
    return nonfinite_half(src, n, 0x7c00);
}

void slm_dequantize_bf16(float *out, const void *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = slm_f32_of_bf16(slm_half_at((const uint8_t *)src + 2 * i));
}

void slm_quantize_bf16(void *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slm_half_put((uint8_t *)dst + 2 * i, slm_bf16_of_f32(src[i]));
}

bool slm_pack_bf16(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    return pack_half(panel, src, stride, rows, cols, 0x7f80, bad_row, bad_block);
}

void slm_unpack_bf16(float *out, const void *panel, size_t lane, size_t cols)
{
    for (size_t k = 0; k < cols; k++)
        out[k] = slm_f32_of_bf16(((const uint16_t *)panel)[k * 16 + lane]);
}

size_t slm_nonfinite_bf16(const void *src, size_t n)
{
    return nonfinite_half(src, n, 0x7f80);
}
