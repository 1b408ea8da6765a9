/* charsmap.h -- SentencePiece's precompiled character map: which characters a text has in place of others. */
#ifndef SLM_TEXT_CHARSMAP_H
#define SLM_TEXT_CHARSMAP_H

#include "core/heap.h"

typedef struct slm_charsmap {
    uint32_t *units;        /* [n] a double-array trie over the bytes of what is replaced; n 0: nothing is */
    size_t    n;
    uint8_t  *texts;        /* [n_texts] the replacements, each ended by NUL */
    size_t    n_texts;
} slm_charsmap;

enum { SLM_CHARSMAP_BYTES = 256 };     /* a longer key is refused at load: it bounds the work at each place of a text */

/* Copies and checks `blob` [bytes]: every state that can be reached lies inside, every replacement is a NUL-ended UTF-8 text of
 * the blob, no way is longer than SLM_CHARSMAP_BYTES. 0 bytes are an empty map. SLM_E_FORMAT with the offset in the blob. */
slm_status slm_charsmap_load(slm_charsmap *map, slm_heap *heap, const uint8_t *blob, size_t bytes, const char *file, slm_error *err);
void slm_charsmap_free(slm_charsmap *map, slm_heap *heap);

/* The longest key that text [n] begins with: its length, 0 if there is none, and its replacement. */
size_t slm_charsmap_find(const slm_charsmap *map, const uint8_t *text, size_t n, const uint8_t **with, size_t *n_with);

#endif
