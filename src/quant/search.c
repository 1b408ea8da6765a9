/* search.c -- the quantizers of planes.c's types.
 *
 * Q4_1, Q5_0 and Q5_1 take their scale from the extremes of the block. The 256-wide types search one: for each part several steps are
 * tried around the one that just spans it, the values rounded with it, and then scale (and minimum) fitted to the rounded values by
 * weighted least squares; the best is kept. Large values weigh more, for they carry more of a product. The parts' scales are then
 * rounded to integers times one f16, and the values rounded once more with what a reader will see. Sums are in double: no order of
 * magnitude of the weights overflows them. Method: llama.cpp's K-quants. */
#include "kernels/block.h"
#include "quant/codec.h"

/* Nearest integer, halves to even, within [low, high]; low for a NaN. */
static int32_t nearest(float x, int32_t low, int32_t high)
{
    if (x >= (float)high)
        return high;
    return x > (float)low ? (int32_t)((x + 0x1.8p+23f) - 0x1.8p+23f) : low;
}

static void range(const float *x, size_t n, float *low, float *high)
{
    *low = *high = x[0];
    for (size_t k = 1; k < n; k++) {
        *low = x[k] < *low ? x[k] : *low;
        *high = x[k] > *high ? x[k] : *high;
    }
}

/* The value of largest magnitude. */
static float extreme(const float *x, size_t n)
{
    float most = 0;
    for (size_t k = 0; k < n; k++)
        most = fabsf(x[k]) > fabsf(most) ? x[k] : most;
    return most;
}

/* ---- blocks of 32 ----------------------------------------------------------------------------------------------------------- */

static void put_nibbles(uint8_t *nibbles, const int32_t *q)
{
    for (size_t k = 0; k < 16; k++)
        nibbles[k] = (uint8_t)((q[k] & 15) | (q[k + 16] & 15) << 4);
}

static void put_fifth_bits(uint8_t *bits, const int32_t *q)
{
    memset(bits, 0, 4);
    for (size_t k = 0; k < 32; k++)
        bits[k / 8] |= (uint8_t)((q[k] >> 4 & 1) << k % 8);
}

/* One block with a minimum, values 0 to `top`. */
static void with_min(uint8_t *block, int32_t *q, const float *x, int32_t top)
{
    float low, high;
    range(x, 32, &low, &high);
    const float d = (high - low) / (float)top, id = d > 0 ? 1.0f / d : 0.0f;
    slm_half_put(block, slm_f16_of_f32(d));
    slm_half_put(block + 2, slm_f16_of_f32(low));
    for (size_t k = 0; k < 32; k++)
        q[k] = nearest((x[k] - low) * id, 0, top);
}

void slm_quantize_q4_1(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 20) {
        with_min(block, q, src + i, 15);
        put_nibbles(block + 4, q);
    }
}

/* As Q4_0: the value of largest magnitude is met exactly by q = 0. */
void slm_quantize_q5_0(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 22) {
        const float d = extreme(src + i, 32) / -16.0f, id = d != 0 ? 1.0f / d : 0.0f;
        slm_half_put(block, slm_f16_of_f32(d));
        for (size_t k = 0; k < 32; k++)
            q[k] = nearest(src[i + k] * id, -16, 15) + 16;
        put_fifth_bits(block + 2, q);
        put_nibbles(block + 6, q);
    }
}

void slm_quantize_q5_1(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 24) {
        with_min(block, q, src + i, 31);
        put_fifth_bits(block + 4, q);
        put_nibbles(block + 8, q);
    }
}

/* ---- 256 values with minima ------------------------------------------------------------------------------------------------- */

/* 32 values x, about scale * q + low with q in 0 .. top and low <= 0. */
typedef struct fit { float scale, low; } fit;

static double misfit(const float *x, const int32_t *q, const float *weight, double scale, double low)
{
    double sum = 0;
    for (size_t k = 0; k < 32; k++) {
        const double off = scale * q[k] + low - (double)x[k];
        sum += (double)weight[k] * off * off;
    }
    return sum;
}

/* Weighted least squares of x over q; false where q does not determine it. */
static bool solve(const float *x, const int32_t *q, const float *weight, double *scale, double *low)
{
    double w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (size_t k = 0; k < 32; k++) {
        const double a = (double)weight[k], v = (double)x[k], l = q[k];
        w += a;
        wx += a * v;
        wq += a * l;
        wqq += a * l * l;
        wxq += a * v * l;
    }
    const double det = w * wqq - wq * wq;
    if (!(det > 0))
        return false;
    *scale = (w * wxq - wx * wq) / det;
    *low = (wqq * wx - wq * wxq) / det;
    if (*low > 0) {
        *low = 0;
        *scale = wxq / wqq;
    }
    return true;
}

/* Steps from `from` tenths below the spanning one on are tried. */
static fit search_min(const float *x, int32_t top, float from, int tries)
{
    float weight[32], low, high, squares = 0;
    int32_t q[32];
    for (size_t k = 0; k < 32; k++)
        squares += x[k] * x[k];
    for (size_t k = 0; k < 32; k++)
        weight[k] = sqrtf(squares / 32) + fabsf(x[k]);
    range(x, 32, &low, &high);
    low = low < 0 ? low : 0;
    fit best = { 0, low };
    if (!(high > low))
        return best;
    best.scale = (high - low) / (float)top;
    for (size_t k = 0; k < 32; k++)
        q[k] = nearest((x[k] - low) / best.scale, 0, top);
    double least = misfit(x, q, weight, (double)best.scale, (double)low);
    for (int i = 0; i <= tries; i++) {
        const float inverse = (from + 0.1f * (float)i + (float)top) / (high - low);
        double scale, min;
        for (size_t k = 0; k < 32; k++)
            q[k] = nearest((x[k] - low) * inverse, 0, top);
        if (!solve(x, q, weight, &scale, &min))
            continue;
        const double off = misfit(x, q, weight, scale, min);
        if (off < least) {
            least = off;
            best = (fit){ (float)scale, (float)min };
        }
    }
    return best;
}

/* d, dmin and the 12 bytes of one super-block, and its values. */
static void super_min(uint8_t *block, int32_t *q, const float *x, int32_t top, float from, int tries)
{
    fit part[8];
    float most = 0, deepest = 0;
    int32_t scale[8], min[8];
    uint8_t *six = block + 4;
    for (size_t b = 0; b < 8; b++) {
        part[b] = search_min(x + 32 * b, top, from, tries);
        most = part[b].scale > most ? part[b].scale : most;
        deepest = -part[b].low > deepest ? -part[b].low : deepest;
    }
    for (size_t b = 0; b < 8; b++) {
        scale[b] = most > 0 ? nearest(part[b].scale * (63.0f / most), 0, 63) : 0;
        min[b] = deepest > 0 ? nearest(-part[b].low * (63.0f / deepest), 0, 63) : 0;
    }
    slm_half_put(block, slm_f16_of_f32(most / 63.0f));
    slm_half_put(block + 2, slm_f16_of_f32(deepest / 63.0f));
    for (size_t b = 0; b < 4; b++) {
        six[b] = (uint8_t)(scale[b] | scale[b + 4] >> 4 << 6);
        six[b + 4] = (uint8_t)(min[b] | min[b + 4] >> 4 << 6);
        six[b + 8] = (uint8_t)((scale[b + 4] & 15) | (min[b + 4] & 15) << 4);
    }
    const float d = slm_f32_of_f16(slm_half_at(block)), dmin = slm_f32_of_f16(slm_half_at(block + 2));
    for (size_t k = 0; k < 256; k++) {
        const float step = d * (float)scale[k / 32];
        q[k] = step > 0 ? nearest((x[k] + dmin * (float)min[k / 32]) / step, 0, top) : 0;
    }
}

static void put_super_nibbles(uint8_t *nibbles, const int32_t *q)
{
    for (size_t i = 0; i < 128; i++) {
        const size_t k = i / 32 * 64 + i % 32;
        nibbles[i] = (uint8_t)((q[k] & 15) | (q[k + 32] & 15) << 4);
    }
}

void slm_quantize_q4_k(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    int32_t q[256];
    for (size_t i = 0; i < n; i += 256, block += 144) {
        super_min(block, q, src + i, 15, -1.0f, 20);
        put_super_nibbles(block + 16, q);
    }
}

void slm_quantize_q5_k(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    int32_t q[256];
    for (size_t i = 0; i < n; i += 256, block += 176) {
        super_min(block, q, src + i, 31, -0.5f, 15);
        memset(block + 16, 0, 32);
        for (size_t k = 0; k < 256; k++)
            block[16 + k % 32] |= (uint8_t)((q[k] >> 4 & 1) << k / 32);
        put_super_nibbles(block + 48, q);
    }
}

/* ---- Q6_K ------------------------------------------------------------------------------------------------------------------- */

/* The scale of 16 values that serves q in -32 .. 31 best; squares weigh. */
static float search_scale(const float *x)
{
    const float most = extreme(x, 16);
    double best = 0;
    float scale = 0;
    if (!(fabsf(most) > 1e-15f))
        return 0;
    for (int i = -9; i <= 9; i++) {
        const float inverse = -(32.0f + 0.1f * (float)i) / most;
        double xq = 0, qq = 0;
        for (size_t k = 0; k < 16; k++) {
            const double v = (double)x[k], q = nearest(x[k] * inverse, -32, 31);
            xq += v * v * v * q;
            qq += v * v * q * q;
        }
        if (qq > 0 && xq * xq > best * qq) {
            best = xq * xq / qq;
            scale = (float)(xq / qq);
        }
    }
    return scale;
}

static void super_six(uint8_t *block, const float *x)
{
    float scale[16];
    uint8_t q[256];
    for (size_t b = 0; b < 16; b++)
        scale[b] = search_scale(x + 16 * b);
    const float most = extreme(scale, 16), inverse = most != 0 ? -128.0f / most : 0;
    slm_half_put(block + 208, slm_f16_of_f32(most / -128.0f));
    const float d = slm_f32_of_f16(slm_half_at(block + 208));
    for (size_t b = 0; b < 16; b++) {
        const int32_t small = nearest(scale[b] * inverse, -128, 127);
        const float step = d * (float)small;
        block[192 + b] = (uint8_t)small;
        for (size_t k = 16 * b; k < 16 * b + 16; k++)
            q[k] = (uint8_t)(step != 0 ? nearest(x[k] / step, -32, 31) + 32 : 32);
    }
    for (size_t i = 0; i < 128; i++) {
        const size_t k = i / 64 * 128 + i % 64;
        block[i] = (uint8_t)((q[k] & 15) | (q[k + 64] & 15) << 4);
    }
    for (size_t i = 0; i < 64; i++) {
        const size_t k = i / 32 * 128 + i % 32;
        block[128 + i] = (uint8_t)(q[k] >> 4 | q[k + 32] >> 4 << 2 | q[k + 64] >> 4 << 4 | q[k + 96] >> 4 << 6);
    }
}

void slm_quantize_q6_k(void *dst, const float *src, size_t n)
{
    uint8_t *block = dst;
    for (size_t i = 0; i < n; i += 256, block += 210)
        super_six(block, src + i);
}
