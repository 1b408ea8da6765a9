/* w8a8.c -- W8A8: 8-bit weights with one scale a row, multiplied with 8-bit activations with one scale a token (contract C6). Packed files
 * only: no other file has a name for it.
 *
 * A row, on its way into a panel: f32 d, s8 q[cols]; value = d * q. d is the largest magnitude over 127, so that d * q never passes it.
 * A panel: d of 16 rows, then steps of [16 groups][16 rows][4 k] bytes q + 128, for the instructions multiply unsigned by signed bytes. */
#include "kernels/math.h"
#include "quant/codec.h"

#include <string.h>

enum { HEAD = 4, PANEL_HEAD = 16 * HEAD };

static float scale_at(const void *p)
{
    float d;
    memcpy(&d, p, sizeof d);
    return d;
}

static bool is_finite(float x)
{
    return fabsf(x) <= 0x1.fffffep+127f;
}

void slm_dequantize_w8a8(float *out, const void *src, size_t n)
{
    const int8_t *q = (const int8_t *)src + HEAD;
    const float d = scale_at(src);
    for (size_t k = 0; k < n; k++)
        out[k] = d * (float)q[k];
}

/* NaN and infinity go into the scale, where they are found. */
void slm_quantize_w8a8(void *dst, const float *src, size_t n)
{
    int8_t *q = (int8_t *)dst + HEAD;
    float amax = 0;
    for (size_t k = 0; k < n; k++)
        if (!(fabsf(src[k]) <= amax) && amax == amax)       /* a NaN stays */
            amax = fabsf(src[k]);
    const bool zero = amax < 0x1p-100f || !is_finite(amax);
    const float d = amax < 0x1p-100f ? 0 : amax / 127.0f, id = zero ? 0 : 127.0f / amax;
    memcpy(dst, &d, sizeof d);
    for (size_t k = 0; k < n; k++)
        q[k] = zero ? 0 : (int8_t)((src[k] * id + 0x1.8p+23f) - 0x1.8p+23f);     /* nearest, halves to even */
}

bool slm_pack_w8a8(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block)
{
    uint8_t *out = (uint8_t *)panel + PANEL_HEAD;
    memset(panel, 0, PANEL_HEAD);
    memset(out, 128, (cols + 63) / 64 * SLM_STEP_W8A8);
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *row = (const uint8_t *)src + r * stride, *q = row + HEAD;
        if (!is_finite(scale_at(row))) {
            *bad_row = r;
            *bad_block = 0;
            return false;
        }
        memcpy((uint8_t *)panel + r * HEAD, row, HEAD);
        for (size_t k = 0; k < cols; k++)
            out[k / 4 * 64 + r * 4 + k % 4] = (uint8_t)(q[k] ^ 0x80);
    }
    return true;
}

void slm_unpack_w8a8(float *out, const void *panel, size_t lane, size_t cols)
{
    const uint8_t *q = (const uint8_t *)panel + PANEL_HEAD + lane * 4;
    const float d = scale_at((const uint8_t *)panel + lane * HEAD);
    for (size_t k = 0; k < cols; k++)
        out[k] = d * (float)(q[k / 4 * 64 + k % 4] - 128);
}

size_t slm_nonfinite_w8a8(const void *src, size_t n)
{
    (void)n;
    return is_finite(scale_at(src)) ? SIZE_MAX : 0;
}
