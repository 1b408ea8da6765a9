/* work.h -- what the decoder and the encoder are given: memory for passes over the weights, and sequences of tokens. */
#ifndef SLM_MODEL_WORK_H
#define SLM_MODEL_WORK_H

#include "core/clock.h"
#include "model/importance.h"
#include "model/kv.h"
#include "model/model.h"
#include "model/profile.h"

/* Memory for passes of up to `chunk` tokens over the weights; allocated once, used by one call at a time. */
typedef struct slm_work slm_work;

/* chunk 0: slm_work_chunk. A chunk beyond `most` (what there can ever be to do at once) is cut to it.
 * context: no sequence reaches beyond. sequences: how many a pass may serve; more are served by several passes. */
slm_status slm_work_new(slm_work **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t most, size_t context, size_t sequences,
                        slm_error *err);
void slm_work_free(slm_work *work);

/* From now on the passes of the work are measured into *profile, which stays the caller's. */
void slm_work_measure(slm_work *work, slm_profile *profile);

/* From now on what each product of a layer is multiplied with is added to *importance, which stays the caller's; NULL: to nothing. */
void slm_work_weigh(slm_work *work, slm_importance *importance);

/* What slm_work_new takes from the heap with a team of `width`; saturates. */
uint64_t slm_work_heap_bytes(const slm_config *config, size_t width, size_t chunk, size_t most, size_t context, size_t sequences);

/* 512 tokens or what 16 MB hold, at least 1. */
size_t slm_work_chunk(const slm_config *config);

/* One sequence's part in a call of the decoder or the encoder. */
typedef struct slm_sequence {
    slm_kv *kv;                 /* has pages of its own for what is added; the encoder puts its own */
    const int32_t *tokens;      /* [n] checked ids, at positions first .. first + n - 1 */
    size_t n, first;            /* encoder: first is 0 */
    slm_logits_fn *row;         /* called for each token in order with its logits or hidden state; may be NULL */
    void *user;
    float *last;                /* decoder: [vocab] gets the logits of the last token; untouched on failure */
    slm_watch watch;
    slm_error *err;             /* may be NULL */
    slm_status status;          /* SLM_OK before; after: how it went */
    size_t done;                /* 0 before; tokens evaluated */
} slm_sequence;

#endif
