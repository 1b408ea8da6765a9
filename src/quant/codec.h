/* codec.h -- declares the functions of each row of types.def; each type's file defines them. */
#ifndef SLM_QUANT_CODEC_H
#define SLM_QUANT_CODEC_H

#include "quant/type.h"

#define SLM_CODEC(option)                                                                                                         \
    void slm_dequantize_##option(float *out, const void *src, size_t n);                                                          \
    void slm_quantize_##option(void *dst, const float *src, size_t n);                                                            \
    void slm_weigh_##option(void *dst, const float *src, const float *importance, size_t n);                                      \
    bool slm_pack_##option(void *panel, const void *src, size_t stride, size_t rows, size_t cols, size_t *bad_row, size_t *bad_block); \
    void slm_unpack_##option(float *out, const void *panel, size_t lane, size_t cols);                                            \
    size_t slm_nonfinite_##option(const void *src, size_t n);
#define SLM_TYPE(NAME, option, id, block, bytes, step, float_x) SLM_CODEC(option)
#define SLM_ROW_TYPE(NAME, option, id, bytes, step, head) SLM_CODEC(option)
#include "quant/types.def"
#undef SLM_TYPE
#undef SLM_ROW_TYPE
#undef SLM_CODEC

/* Types whose nearest value needs no search. */
#define slm_weigh_f32  NULL
#define slm_weigh_f16  NULL
#define slm_weigh_bf16 NULL
#define slm_weigh_q8_0 NULL
#define slm_weigh_w8a8 NULL

/* f16 bits at an address of any alignment. */
static inline uint16_t slm_half_at(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline void slm_half_put(uint8_t *p, uint16_t h)
{
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

static inline bool slm_half_finite(uint16_t h)
{
    return (h & 0x7c00u) != 0x7c00u;
}

#endif
