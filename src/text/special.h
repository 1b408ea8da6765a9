/* special.h -- finds the texts of special tokens in a string.
 *
 * The rule (that of the files' makers): the longest text first, everywhere it occurs, from the left; then the next longest in
 * what remains; of two equally long ones that of lower id. */
#ifndef SLM_TEXT_SPECIAL_H
#define SLM_TEXT_SPECIAL_H

#include "core/texts.h"

enum { SLM_SPECIAL_BYTES = 256 };  /* a longer text is not looked for: it bounds the work at each place */

typedef struct slm_special {
    uint32_t *ids;      /* [n] in order of their texts, each text once */
    uint32_t *rank;     /* [n] place of ids[i] in the order of precedence */
    uint32_t *by_rank;  /* [n] the inverse */
    size_t    n;
    uint32_t  first[257]; /* texts that begin with byte b are first[b] .. first[b+1]-1 */
} slm_special;

typedef struct slm_cut {
    size_t   begin, end;
    uint32_t id;
} slm_cut;

/* The tokens whose type is in the mask (1 << type) and whose text is not empty. SLM_E_MEMORY. */
slm_status slm_special_init(slm_special *special, slm_heap *heap, const slm_texts *texts, const uint8_t *types, unsigned mask,
                            slm_error *err);
void slm_special_free(slm_special *special, slm_heap *heap);

/* All special tokens of the text in order of place: *cuts [*n], freed by the caller; NULL if there are none. SLM_E_MEMORY. */
slm_status slm_special_find(const slm_special *special, slm_heap *heap, const slm_texts *texts, const uint8_t *text, size_t n,
                            slm_cut **cuts, size_t *n_cuts, slm_error *err);

#endif
