/* xxh64.h -- XXH64, for finding damage in files: about as fast as memory, nothing secret. Source: the xxHash specification. */
#ifndef SLM_CORE_XXH64_H
#define SLM_CORE_XXH64_H

#include <stddef.h>
#include <stdint.h>

typedef struct slm_xxh64 {
    uint64_t lane[4];
    uint64_t total;         /* bytes so far */
    uint8_t  rest[32];      /* the last total % 32 of them */
} slm_xxh64;

/* Bytes may be added in pieces of any size: only their sequence counts. Seed 0. */
void slm_xxh64_init(slm_xxh64 *x);
void slm_xxh64_add(slm_xxh64 *x, const void *bytes, size_t n);
uint64_t slm_xxh64_end(const slm_xxh64 *x);

/* Of bytes that lie together. */
uint64_t slm_xxh64_of(const void *bytes, size_t n);

#endif
