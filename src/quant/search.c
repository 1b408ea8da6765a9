/* search.c -- the quantizers of the types of planes.c, and Q4_0's where columns differ in importance.
 *
 * Q4_0, Q4_1, Q5_0 and Q5_1 take their scale from the extremes of the block. The others search one: for each part several steps are
 * tried around the one that just spans it, the values rounded with it, and then scale (and minimum) fitted to the rounded values by
 * weighted least squares; the best is kept. Large values weigh more, for they carry more of a product. The parts' scales are then
 * rounded to integers times one f16, and the values rounded once more with what a reader will see. Sums are in double: no order of
 * magnitude of the weights overflows them. Method: llama.cpp's K-quants.
 *
 * With an importance of each column (the mean square of what it is multiplied with) all search, and a value's weight is the importance
 * times the size of the value and its block. */
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

/* ---- weights of the errors ---------------------------------------------------------------------------------------------------- */

typedef enum measure { SQUARE, SIZE } measure;      /* of a value alone: x^2; |x| and the size of its block */

static void weigh(double *weight, const float *x, const float *importance, size_t n, measure by)
{
    double squares = 0;
    for (size_t k = 0; k < n; k++)
        squares += (double)x[k] * (double)x[k];
    const double mean = squares / (double)n, size = sqrt(mean);
    for (size_t k = 0; k < n; k++) {
        const double v = (double)x[k];
        weight[k] = importance ? (double)importance[k] * sqrt(mean + v * v) : by == SIZE ? size + fabs(v) : v * v;
    }
}

/* ---- steps without a minimum -------------------------------------------------------------------------------------------------- */

static const int8_t table[16] = { SLM_IQ4_VALUES };

/* Index of the table's value nearest to x, the lower of two; 0 for a NaN. */
static int32_t nearest_index(float x)
{
    int32_t i = 0;
    for (int32_t half = 8; half; half /= 2)
        i += 2 * x > (float)(table[i + half - 1] + table[i + half]) ? half : 0;
    return i;
}

/* What x is rounded to in units of the step: an integer from `low` on, or for the IQ4 types a value of the table. */
static int32_t level(float x, int32_t low)
{
    return low == table[0] ? table[nearest_index(x)] : nearest(x, low, -low - 1);
}

/* The scale that serves n values, rounded to levels of `low`, best. */
static float search_scale(const float *x, const double *weight, size_t n, int32_t low, float step, int tries)
{
    const float most = extreme(x, n);
    double best = 0;
    float scale = 0;
    if (!(fabsf(most) > 1e-15f))
        return 0;
    for (int i = -tries; i <= tries; i++) {
        const float inverse = ((float)low - step * (float)i) / most;
        double xq = 0, qq = 0;
        for (size_t k = 0; k < n; k++) {
            const double q = level(x[k] * inverse, low), w = weight[k];
            xq += w * (double)x[k] * q;
            qq += w * q * q;
        }
        if (qq > 0 && xq * xq > best * qq) {
            best = xq * xq / qq;
            scale = (float)(xq / qq);
        }
    }
    return scale;
}

/* One f16 scale for 32 values; q are levels of `low`. */
static void simple(uint8_t *block, int32_t *q, const float *x, const float *importance, int32_t low, float step, int tries)
{
    double weight[32];
    weigh(weight, x, importance, 32, SQUARE);
    slm_half_put(block, slm_f16_of_f32(search_scale(x, weight, 32, low, step, tries)));
    const float d = slm_f32_of_f16(slm_half_at(block)), id = d != 0 ? 1.0f / d : 0.0f;
    for (size_t k = 0; k < 32; k++)
        q[k] = level(x[k] * id, low);
}

/* Scales of `parts` parts of 256 values: an f16 d and integers of `bits` bits; q are levels of `low`. */
static void super(uint8_t *d_at, int32_t *small, int32_t *q, const float *x, const float *importance, size_t parts, int bits, int32_t low,
                  float step, int tries, measure by)
{
    float scale[16];
    double weight[32];
    const size_t n = 256 / parts;
    const int32_t least = -(1 << (bits - 1));
    for (size_t b = 0; b < parts; b++) {
        weigh(weight, x + n * b, importance ? importance + n * b : NULL, n, by);
        scale[b] = search_scale(x + n * b, weight, n, low, step, tries);
    }
    const float most = extreme(scale, parts), inverse = most != 0 ? (float)least / most : 0;
    slm_half_put(d_at, slm_f16_of_f32(most / (float)least));
    const float d = slm_f32_of_f16(slm_half_at(d_at));
    for (size_t b = 0; b < parts; b++) {
        small[b] = nearest(scale[b] * inverse, least, -least - 1);
        const float unit = d * (float)small[b];
        for (size_t k = n * b; k < n * (b + 1); k++)
            q[k] = unit != 0 ? level(x[k] / unit, low) : low == table[0] ? 1 : 0;
    }
}

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

/* Nibbles of the 32-wide types' order for each 32 values; for the IQ4 types the indices of q in their table. */
static void put_indices(uint8_t *nibbles, const int32_t *q, size_t n)
{
    int32_t index[32];
    for (size_t i = 0; i < n; i += 32) {
        for (size_t k = 0; k < 32; k++)
            index[k] = nearest_index((float)q[i + k]);
        put_nibbles(nibbles + i / 2, index);
    }
}

/* ---- steps with a minimum ----------------------------------------------------------------------------------------------------- */

/* n values x, about scale * q + low with q in 0 .. top. */
typedef struct fit { float scale, low; } fit;

/* How a fit is searched: values 0 to `top`, a low <= 0 if `below`, steps from `from` tenths below the spanning one on. */
typedef struct search { int32_t top; bool below; float from; int tries; } search;

static double misfit(const float *x, const int32_t *q, const double *weight, size_t n, double scale, double low)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        const double off = scale * q[k] + low - (double)x[k];
        sum += weight[k] * off * off;
    }
    return sum;
}

/* Weighted least squares of x over q; false where q does not determine it. */
static bool solve(const float *x, const int32_t *q, const double *weight, size_t n, bool below, double *scale, double *low)
{
    double w = 0, wx = 0, wq = 0, wqq = 0, wxq = 0;
    for (size_t k = 0; k < n; k++) {
        const double a = weight[k], v = (double)x[k], l = q[k];
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
    if (below && *low > 0) {
        *low = 0;
        *scale = wxq / wqq;
    }
    return true;
}

static fit search_min(const float *x, const double *weight, size_t n, const search *how)
{
    float low, high;
    int32_t q[32];
    range(x, n, &low, &high);
    low = low < 0 || !how->below ? low : 0;
    fit best = { 0, low };
    if (!(high > low))
        return best;
    best.scale = (high - low) / (float)how->top;
    for (size_t k = 0; k < n; k++)
        q[k] = nearest((x[k] - low) / best.scale, 0, how->top);
    double least = misfit(x, q, weight, n, (double)best.scale, (double)low);
    for (int i = 0; i <= how->tries; i++) {
        const float inverse = (how->from + 0.1f * (float)i + (float)how->top) / (high - low);
        double scale, min;
        for (size_t k = 0; k < n; k++)
            q[k] = nearest((x[k] - low) * inverse, 0, how->top);
        if (!solve(x, q, weight, n, how->below, &scale, &min))
            continue;
        const double off = misfit(x, q, weight, n, scale, min);
        if (off < least) {
            least = off;
            best = (fit){ (float)scale, (float)min };
        }
    }
    return best;
}

/* d, dmin, and of each of `parts` parts a scale and a minimum from 0 to `most_small`; q are 0 to how->top. */
static void super_min(uint8_t *d_at, int32_t *scale, int32_t *min, int32_t *q, const float *x, const float *importance, size_t parts,
                      int32_t most_small, const search *how)
{
    fit part[16];
    float most = 0, deepest = 0;
    double weight[32];
    const size_t n = 256 / parts;
    for (size_t b = 0; b < parts; b++) {
        weigh(weight, x + n * b, importance ? importance + n * b : NULL, n, SIZE);
        part[b] = search_min(x + n * b, weight, n, how);
        most = part[b].scale > most ? part[b].scale : most;
        deepest = -part[b].low > deepest ? -part[b].low : deepest;
    }
    const float end = (float)most_small;
    slm_half_put(d_at, slm_f16_of_f32(most / end));
    slm_half_put(d_at + 2, slm_f16_of_f32(deepest / end));
    const float d = slm_f32_of_f16(slm_half_at(d_at)), dmin = slm_f32_of_f16(slm_half_at(d_at + 2));
    for (size_t b = 0; b < parts; b++) {
        scale[b] = most > 0 ? nearest(part[b].scale * (end / most), 0, most_small) : 0;
        min[b] = deepest > 0 ? nearest(-part[b].low * (end / deepest), 0, most_small) : 0;
        const float step = d * (float)scale[b];
        for (size_t k = n * b; k < n * (b + 1); k++)
            q[k] = step > 0 ? nearest((x[k] + dmin * (float)min[b]) / step, 0, how->top) : 0;
    }
}

/* ---- blocks of 32 ------------------------------------------------------------------------------------------------------------- */

/* One block with a minimum, values 0 to `top`. */
static void with_min(uint8_t *block, int32_t *q, const float *x, const float *importance, int32_t top)
{
    float low, high;
    range(x, 32, &low, &high);
    float d = (high - low) / (float)top, id = d > 0 ? 1.0f / d : 0.0f;
    if (importance) {
        const search how = { top, false, -1, 20 };
        double weight[32];
        weigh(weight, x, importance, 32, SIZE);
        const fit best = search_min(x, weight, 32, &how);
        slm_half_put(block, slm_f16_of_f32(best.scale));
        slm_half_put(block + 2, slm_f16_of_f32(best.low));
        d = slm_f32_of_f16(slm_half_at(block));
        low = slm_f32_of_f16(slm_half_at(block + 2));
        id = d > 0 ? 1.0f / d : 0.0f;
    }
    slm_half_put(block, slm_f16_of_f32(d));
    slm_half_put(block + 2, slm_f16_of_f32(low));
    for (size_t k = 0; k < 32; k++)
        q[k] = nearest((x[k] - low) * id, 0, top);
}

void slm_weigh_q4_0(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 18) {
        simple(block, q, src + i, importance + i, -8, 0.1f, 9);
        for (size_t k = 0; k < 32; k++)
            q[k] += 8;
        put_nibbles(block + 2, q);
    }
}

void slm_weigh_q4_1(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 20) {
        with_min(block, q, src + i, importance ? importance + i : NULL, 15);
        put_nibbles(block + 4, q);
    }
}

/* Without an importance as Q4_0: the value of largest magnitude is met exactly by q = 0. */
void slm_weigh_q5_0(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 22) {
        if (importance) {
            simple(block, q, src + i, importance + i, -16, 0.1f, 9);
        } else {
            const float d = extreme(src + i, 32) / -16.0f, id = d != 0 ? 1.0f / d : 0.0f;
            slm_half_put(block, slm_f16_of_f32(d));
            for (size_t k = 0; k < 32; k++)
                q[k] = nearest(src[i + k] * id, -16, 15);
        }
        for (size_t k = 0; k < 32; k++)
            q[k] += 16;
        put_fifth_bits(block + 2, q);
        put_nibbles(block + 6, q);
    }
}

void slm_weigh_q5_1(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 24) {
        with_min(block, q, src + i, importance ? importance + i : NULL, 31);
        put_fifth_bits(block + 4, q);
        put_nibbles(block + 8, q);
    }
}

void slm_weigh_iq4_nl(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[32];
    for (size_t i = 0; i < n; i += 32, block += 18) {
        simple(block, q, src + i, importance ? importance + i : NULL, table[0], 1, 7);
        put_indices(block + 2, q, 32);
    }
}

/* ---- blocks of 256 ------------------------------------------------------------------------------------------------------------ */

static void put_super_nibbles(uint8_t *nibbles, const int32_t *q)
{
    for (size_t i = 0; i < 128; i++) {
        const size_t k = i / 32 * 64 + i % 32;
        nibbles[i] = (uint8_t)((q[k] & 15) | (q[k + 32] & 15) << 4);
    }
}

/* Bits `from` and the next of values 32 p + k of each half in bits 2p of byte k. */
static void put_pairs(uint8_t *bytes, const int32_t *q, int from)
{
    for (size_t i = 0; i < 64; i++) {
        const int32_t *v = q + i / 32 * 128 + i % 32;
        bytes[i] = 0;
        for (size_t p = 0; p < 4; p++)
            bytes[i] |= (uint8_t)((v[32 * p] >> from & 3) << 2 * p);
    }
}

/* Bit `from` of values 32 b + k in bit b of byte k. */
static void put_bits(uint8_t *bytes, const int32_t *q, int from)
{
    memset(bytes, 0, 32);
    for (size_t k = 0; k < 256; k++)
        bytes[k % 32] |= (uint8_t)((q[k] >> from & 1) << k / 32);
}

/* 6 bits each of eight scales and minima: the first four in bytes 0-3 and 4-7, whose upper bits hold bits 4 and 5 of the others. */
static void put_six_bits(uint8_t *six, const int32_t *scale, const int32_t *min)
{
    for (size_t b = 0; b < 4; b++) {
        six[b] = (uint8_t)(scale[b] | scale[b + 4] >> 4 << 6);
        six[b + 4] = (uint8_t)(min[b] | min[b + 4] >> 4 << 6);
        six[b + 8] = (uint8_t)((scale[b + 4] & 15) | (min[b + 4] & 15) << 4);
    }
}

void slm_weigh_q4_k(void *dst, const float *src, const float *importance, size_t n)
{
    static const search how = { 15, true, -1.0f, 20 };
    uint8_t *block = dst;
    int32_t q[256], scale[8], min[8];
    for (size_t i = 0; i < n; i += 256, block += 144) {
        super_min(block, scale, min, q, src + i, importance ? importance + i : NULL, 8, 63, &how);
        put_six_bits(block + 4, scale, min);
        put_super_nibbles(block + 16, q);
    }
}

void slm_weigh_q5_k(void *dst, const float *src, const float *importance, size_t n)
{
    static const search how = { 31, true, -0.5f, 15 };
    uint8_t *block = dst;
    int32_t q[256], scale[8], min[8];
    for (size_t i = 0; i < n; i += 256, block += 176) {
        super_min(block, scale, min, q, src + i, importance ? importance + i : NULL, 8, 63, &how);
        put_six_bits(block + 4, scale, min);
        put_bits(block + 16, q, 4);
        put_super_nibbles(block + 48, q);
    }
}

void slm_weigh_q2_k(void *dst, const float *src, const float *importance, size_t n)
{
    static const search how = { 3, true, -0.5f, 15 };
    uint8_t *block = dst;
    int32_t q[256], scale[16], min[16];
    for (size_t i = 0; i < n; i += 256, block += 84) {
        super_min(block + 80, scale, min, q, src + i, importance ? importance + i : NULL, 16, 15, &how);
        for (size_t b = 0; b < 16; b++)
            block[b] = (uint8_t)(scale[b] | min[b] << 4);
        put_pairs(block + 16, q, 0);
    }
}

void slm_weigh_q6_k(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[256], small[16];
    for (size_t i = 0; i < n; i += 256, block += 210) {
        super(block + 208, small, q, src + i, importance ? importance + i : NULL, 16, 8, -32, 0.1f, 9, SQUARE);
        for (size_t b = 0; b < 16; b++)
            block[192 + b] = (uint8_t)small[b];
        for (size_t k = 0; k < 256; k++)
            q[k] += 32;
        for (size_t k = 0; k < 128; k++) {
            const int32_t *v = q + k / 64 * 128 + k % 64;
            block[k] = (uint8_t)((v[0] & 15) | (v[64] & 15) << 4);
        }
        put_pairs(block + 128, q, 4);
    }
}

void slm_weigh_q3_k(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[256], small[16];
    for (size_t i = 0; i < n; i += 256, block += 110) {
        super(block + 108, small, q, src + i, importance ? importance + i : NULL, 16, 6, -4, 0.1f, 9, SIZE);
        memset(block + 96, 0, 12);
        for (size_t b = 0; b < 16; b++) {
            const int32_t s = small[b] + 32;
            block[96 + b % 8] |= (uint8_t)((s & 15) << b / 8 * 4);
            block[104 + b % 4] |= (uint8_t)(s >> 4 << b / 4 * 2);
        }
        for (size_t k = 0; k < 256; k++)
            q[k] += 4;
        put_bits(block, q, 2);
        put_pairs(block + 32, q, 0);
    }
}

void slm_weigh_iq4_xs(void *dst, const float *src, const float *importance, size_t n)
{
    uint8_t *block = dst;
    int32_t q[256], small[8];
    for (size_t i = 0; i < n; i += 256, block += 136) {
        uint32_t high = 0;
        super(block, small, q, src + i, importance ? importance + i : NULL, 8, 6, table[0], 1, 7, SQUARE);
        memset(block + 4, 0, 4);
        for (size_t b = 0; b < 8; b++) {
            const uint32_t s = (uint32_t)(small[b] + 32);
            block[4 + b / 2] |= (uint8_t)((s & 15) << b % 2 * 4);
            high |= s >> 4 << 2 * b;
        }
        slm_half_put(block + 2, (uint16_t)high);
        put_indices(block + 8, q, 256);
    }
}

#define QUANTIZE(option) \
    void slm_quantize_##option(void *dst, const float *src, size_t n) \
    { \
        slm_weigh_##option(dst, src, NULL, n); \
    }
QUANTIZE(q4_1)
QUANTIZE(q5_0)
QUANTIZE(q5_1)
QUANTIZE(iq4_nl)
QUANTIZE(q4_k)
QUANTIZE(q5_k)
QUANTIZE(q6_k)
QUANTIZE(q2_k)
QUANTIZE(q3_k)
QUANTIZE(iq4_xs)
