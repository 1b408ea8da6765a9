/* prefixes.h -- texts found byte by byte: which tokens does this place of a text begin with. */
#ifndef SLM_TEXT_PREFIXES_H
#define SLM_TEXT_PREFIXES_H

#include "core/heap.h"
#include "core/texts.h"

/* An edge is a slot of one open-addressing table, parent << 40 | byte << 32 | child, so that a step is one probe nearly always and
 * building is one insertion a byte in any order. Seeded like slm_texts. Node 0 is the root. */
typedef struct slm_prefixes {
    slm_heap *heap;
    uint64_t *slots;        /* [1 << (64 - shift)] UINT64_MAX: empty */
    uint32_t *ids;          /* [room] of the text that ends at a node; SLM_NO_ID: none */
    uint64_t  seed;
    unsigned  shift;
    size_t    n, room;      /* nodes */
    size_t    longest;      /* bytes of a text */
} slm_prefixes;

enum { SLM_PREFIXES_NODES = 1 << 24 };

slm_status slm_prefixes_init(slm_prefixes *trie, slm_heap *heap, slm_error *err);
void slm_prefixes_free(slm_prefixes *trie);

/* Enters a text; one that is there stays. SLM_E_MEMORY; SLM_E_LIMIT beyond SLM_PREFIXES_NODES. */
slm_status slm_prefixes_add(slm_prefixes *trie, const uint8_t *text, size_t n, uint32_t id, slm_error *err);

static inline size_t slm_prefixes_slot(const slm_prefixes *trie, uint32_t key)
{
    const uint64_t h = (key ^ trie->seed) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> trie->shift);
}

/* The child of a node, or SLM_NO_ID. */
static inline uint32_t slm_prefixes_step(const slm_prefixes *trie, uint32_t node, uint8_t byte)
{
    const uint32_t key = node << 8 | byte;
    const size_t mask = ((size_t)1 << (64 - trie->shift)) - 1;
    for (size_t at = slm_prefixes_slot(trie, key);; at = (at + 1) & mask) {
        const uint64_t slot = trie->slots[at];
        if (slot >> 32 == key && slot != UINT64_MAX)
            return (uint32_t)slot;
        if (slot == UINT64_MAX)
            return SLM_NO_ID;
    }
}

#endif
