/* kv.h -- the cache of keys and values, in pages of 64 positions that hold all layers.
 *
 * A page holds, for each layer and kv head: K as [4 groups][head size][16 keys] (lanes are keys), then V as [64][head size]. Elements
 * are f16, or f32 for exactness checks, or 8-bit blocks with their scales, which kernels/cache.h draws.
 *
 * Caches that were forked from one another share pages: a page counts its holders, who may be in several threads. Only who holds it
 * alone may write, so that a shared page is copied before the first write. No more than one page of a cache is ever copied at once: the
 * one that its end lies in. */
#ifndef SLM_MODEL_KV_H
#define SLM_MODEL_KV_H

#include "core/heap.h"
#include "kernels/cache.h"
#include "kernels/kernels.h"
#include "model/config.h"

typedef struct slm_kv_page {
    atomic_size_t holds;
    _Alignas(64) uint8_t bytes[];
} slm_kv_page;

typedef struct slm_kv {
    slm_heap *heap;
    slm_kv_page **pages;        /* [max_pages]; NULL beyond n_pages */
    size_t max_pages, n_pages;
    size_t context;             /* positions there may ever be: decides which of longrope's tables its keys turn by */
    size_t element;             /* bytes of a value: 2, 4, or 1 with scales beside them */
    size_t kv_heads, head_size, layers;
    size_t head_bytes;          /* of K and V of one head in a page */
    size_t page_bytes;          /* of all layers and heads */
} slm_kv;

/* Is that an SLM_KV_...? Its bytes of a value; the type that has so many, or UINT32_MAX. */
slm_status slm_kv_type_check(uint32_t type, const char *what, slm_error *err);
size_t slm_kv_element(uint32_t type);
uint32_t slm_kv_type_of(size_t element);

/* Room for `context` positions, no page yet. */
slm_status slm_kv_init(slm_kv *kv, slm_heap *heap, const slm_config *config, size_t context, uint32_t type, slm_error *err);
void slm_kv_free(slm_kv *kv);

/* Bytes of cache for one position. */
size_t slm_kv_token_bytes(const slm_config *config, uint32_t type);

/* Pages for positions 0 .. n-1, those from position `first` on held by this cache alone; on failure the content is as before.
 * first <= n, and pages for 0 .. first-1 are there. */
slm_status slm_kv_reserve(slm_kv *kv, size_t first, size_t n, slm_error *err);

/* Makes `out`, which has room for as many positions and no page, a second holder of all pages of kv. Cannot fail. */
void slm_kv_share(slm_kv *out, const slm_kv *kv);

/* What a full cache takes from the heap, its table included; saturates. */
uint64_t slm_kv_heap_bytes(const slm_config *config, size_t context, uint32_t type);

/* Gives back the pages that positions 0 .. n-1 do not need. */
void slm_kv_trim(slm_kv *kv, size_t n);

static inline uint8_t *slm_kv_keys(const slm_kv *kv, size_t page, size_t layer, size_t head)
{
    return kv->pages[page]->bytes + (layer * kv->kv_heads + head) * kv->head_bytes;
}

static inline uint8_t *slm_kv_values(const slm_kv *kv, size_t page, size_t layer, size_t head)
{
    return slm_kv_keys(kv, page, layer, head) + kv->head_bytes / 2;
}

/* Zeros in `part`, the head_bytes of keys and values of one head, the positions from `used` on. */
void slm_kv_clear(const slm_kv *kv, uint8_t *part, size_t used);

/* Stores one position's k and v [kv_heads * head_size] of a layer. False if a value is not finite or, in f16, beyond 65504. */
bool slm_kv_store(const slm_kv *kv, const slm_kernels *kernels, size_t position, size_t layer, const float *k, const float *v);

#endif
