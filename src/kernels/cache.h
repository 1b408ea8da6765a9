/* cache.h -- how 8-bit keys and values lie in a page of the cache (docs/decisions/0009-int8-cache.md). Static inlines only.
 *
 * A position's head of d values is cut into blocks of 32, the last one shorter, each with an f32 scale. With a width w of d rounded up to a
 * multiple of 4:
 *   keys    [groups of 16 keys] of [blocks] of f32 scale [16 keys], then u8 q+128 [up to 8][16 keys][4 e]: lanes are keys
 *   values  f32 scale [keys][blocks]; s8 q [keys][w] */
#ifndef SLM_KERNELS_CACHE_H
#define SLM_KERNELS_CACHE_H

#include <stddef.h>

enum {
    SLM_CACHE_BLOCK = 32,
    SLM_CACHE_KEY_BLOCK = 16 * (4 + SLM_CACHE_BLOCK)    /* bytes of a whole block of 16 keys */
};

static inline size_t slm_cache_blocks(size_t d)
{
    return (d + SLM_CACHE_BLOCK - 1) / SLM_CACHE_BLOCK;
}

static inline size_t slm_cache_width(size_t d)
{
    return (d + 3) & ~(size_t)3;
}

/* Bytes of one position's head, as a key or as a value. */
static inline size_t slm_cache_bytes(size_t d)
{
    return slm_cache_width(d) + 4 * slm_cache_blocks(d);
}

#endif
