/* lanes.h -- four blocks on disk side by side: what is done to the word of one is done to those of all. Packing takes the same block of four
 * rows, whose words are neighbours in a panel. */
#ifndef SLM_QUANT_LANES_H
#define SLM_QUANT_LANES_H

#include "kernels/inline.h"
#include "quant/codec.h"

#include <stddef.h>
#include <string.h>

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)      /* gcc from 12 on; without it packing is half as fast */
#define HAVE_SHUFFLE
#endif
#endif

enum { SLM_LANES = 4 };

/* A word of each. Operators work lane by lane, constants count for all lanes. */
typedef uint32_t slm_word4 __attribute__((vector_size(4 * SLM_LANES)));

typedef struct slm_lanes {
    const uint8_t *at[SLM_LANES];
} slm_lanes;

/* Blocks `stride` bytes apart, the last of `n` (at least one) again where there are fewer. */
INLINE slm_lanes slm_lanes_of(const uint8_t *first, size_t stride, size_t n)
{
    if (n >= SLM_LANES)
        return (slm_lanes){ { first, first + stride, first + 2 * stride, first + 3 * stride } };
    return (slm_lanes){ { first, first + (n > 1 ? stride : 0), first + (n > 2 ? 2 * stride : n > 1 ? stride : 0), first + (n - 1) * stride } };
}

INLINE uint32_t slm_word_at(const uint8_t *bytes)
{
    uint32_t w;
    memcpy(&w, bytes, sizeof w);
    return w;
}

INLINE slm_word4 slm_lanes_word(const slm_lanes *b, size_t offset)
{
    return (slm_word4){ slm_word_at(b->at[0] + offset), slm_word_at(b->at[1] + offset), slm_word_at(b->at[2] + offset),
                        slm_word_at(b->at[3] + offset) };
}

/* Four words of each, the first at `offset`: a transposition. */
INLINE void slm_lanes_words(slm_word4 out[4], const slm_lanes *b, size_t offset)
{
#ifdef HAVE_SHUFFLE
    slm_word4 r[SLM_LANES];
    UNROLL
    for (size_t i = 0; i < SLM_LANES; i++)
        memcpy(r + i, b->at[i] + offset, sizeof *r);
    const slm_word4 a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    const slm_word4 d = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), e = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    out[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(d, e, 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(d, e, 2, 3, 6, 7);
#else
    for (size_t i = 0; i < 4; i++)
        out[i] = slm_lanes_word(b, offset + 4 * i);
#endif
}

/* An f16 of each, as a panel has them. */
INLINE uint64_t slm_lanes_half(const slm_lanes *b, size_t offset)
{
    return (uint64_t)slm_half_at(b->at[0] + offset) | (uint64_t)slm_half_at(b->at[1] + offset) << 16 |
           (uint64_t)slm_half_at(b->at[2] + offset) << 32 | (uint64_t)slm_half_at(b->at[3] + offset) << 48;
}

INLINE bool slm_lanes_finite(uint64_t halves)
{
    const uint64_t exponents = halves & 0x7c007c007c007c00u;
    return !((exponents + 0x0400040004000400u) & 0x8000800080008000u);
}

#endif
