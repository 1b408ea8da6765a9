/* decoder.h -- evaluates tokens: the one function for every decoder family. */
#ifndef SLM_MODEL_DECODER_H
#define SLM_MODEL_DECODER_H

#include "core/clock.h"
#include "model/importance.h"
#include "model/kv.h"
#include "model/model.h"

/* Memory for passes of up to `chunk` tokens over the weights; allocated once, used by one call at a time. */
typedef struct slm_work slm_work;

/* chunk 0: 512 or what about 24 MB hold, at least 1. A chunk beyond `most` (what there can ever be to do at once) is cut to it.
 * context: no sequence reaches beyond. sequences: how many a pass may serve; more are served by several passes. */
slm_status slm_work_new(slm_work **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t most, size_t context, size_t sequences,
                        slm_error *err);
void slm_work_free(slm_work *work);

/* What slm_work_new takes from the heap with a team of `width`; saturates. */
uint64_t slm_work_heap_bytes(const slm_config *config, size_t width, size_t chunk, size_t most, size_t context, size_t sequences);

/* From now on what each product of a layer is multiplied with is added to `importance`; NULL: to nothing. */
void slm_work_measure(slm_work *work, slm_importance *importance);

/* One sequence's part in a call of the decoder. */
typedef struct slm_sequence {
    slm_kv *kv;                 /* has pages of its own for what is added */
    const int32_t *tokens;      /* [n] checked ids, at positions first .. first + n - 1 */
    size_t n, first;
    slm_logits_fn *row;         /* called for each token in order with its logits; may be NULL */
    void *user;
    float *last;                /* [vocab] gets the logits of the last token; untouched on failure */
    slm_watch watch;
    slm_error *err;             /* may be NULL */
    slm_status status;          /* SLM_OK before; after: how it went */
    size_t done;                /* 0 before; tokens evaluated */
} slm_sequence;

/* Evaluates the tokens of n sequences with as few passes over the weights as the work's chunk allows, and stores their keys and values.
 * Each sequence fails or succeeds on its own, and its logits are the bits it would have alone. Nothing but kv's content beyond `first`,
 * the work, `last`, `status` and `done` changes. */
void slm_decode(const slm_model *model, slm_work *work, slm_sequence *sequences, size_t n);

#endif
