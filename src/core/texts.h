/* texts.h -- texts numbered from 0, and the number of a text: one blob, one open-addressing table.
 *
 * A slot is 8 bytes, the upper half of the hash and the number, so that a probe touches the blob only where the text is most
 * likely the one looked for. The hash is seeded per table: a file cannot be made to collide. No result depends on the seed. */
#ifndef SLM_CORE_TEXTS_H
#define SLM_CORE_TEXTS_H

#include "core/heap.h"

#include <string.h>

#define SLM_NO_ID UINT32_MAX

typedef struct slm_texts {
    slm_heap *heap;
    uint8_t  *blob;                     /* the texts, one after another */
    uint32_t *start;                    /* [n + 1] offsets into blob */
    uint64_t *slots;                    /* [mask + 1] hash's upper half << 32 | number; UINT64_MAX: empty */
    uint64_t  seed;
    size_t    n, room, blob_room;
    size_t    mask, used;               /* of slots */
    size_t    longest;                  /* bytes */
} slm_texts;

/* Room for n texts of `bytes` bytes in all; more is made when needed. SLM_E_MEMORY. */
slm_status slm_texts_init(slm_texts *texts, slm_heap *heap, size_t n, size_t bytes, slm_error *err);
void slm_texts_free(slm_texts *texts);

/* Appends a text, which gets the number texts->n, without entering it into the table. SLM_E_MEMORY; SLM_E_LIMIT beyond 4 GiB. */
slm_status slm_texts_add(slm_texts *texts, const void *bytes, size_t n, slm_error *err);

/* Enters text `id` into the table; *fresh is false if an equal text is there already, which then stays. SLM_E_MEMORY. */
slm_status slm_texts_enter(slm_texts *texts, uint32_t id, bool *fresh, slm_error *err);

/* The number of the entered text that equals these bytes, or SLM_NO_ID. */
uint32_t slm_texts_find(const slm_texts *texts, const void *bytes, size_t n);

/* For look-ups in bulk in a table larger than the cache. The hash of a text; a look-up that is given it; and, some look-ups ahead, what brings
 * into the cache its slot (stage 0), then where the text in that slot stands (1), then that text (2). */
uint64_t slm_texts_hash(const slm_texts *texts, const void *bytes, size_t n);
uint32_t slm_texts_find_hashed(const slm_texts *texts, const void *bytes, size_t n, uint64_t hash);
void slm_texts_expect(const slm_texts *texts, uint64_t hash, int stage);

static inline const uint8_t *slm_texts_at(const slm_texts *texts, uint32_t id, size_t *n)
{
    *n = texts->start[id + 1] - texts->start[id];
    return texts->blob + texts->start[id];
}

#endif
