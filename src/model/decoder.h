/* decoder.h -- evaluates tokens: the one function for every decoder family. */
#ifndef SLM_MODEL_DECODER_H
#define SLM_MODEL_DECODER_H

#include "core/clock.h"
#include "model/kv.h"
#include "model/model.h"

/* Memory for evaluating up to `chunk` tokens at once; belongs to one session, allocated once. */
typedef struct slm_work slm_work;

/* chunk 0: 512 or what about 24 MB hold, at least 1. */
slm_status slm_work_new(slm_work **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t context, slm_error *err);
void slm_work_free(slm_work *work);

/* Evaluates tokens[n] (checked ids) at positions first .. first + n - 1 (within the context), whose predecessors are in kv, and stores
 * their keys and values. kv must hold pages for them. Rows of logits:
 *   row NULL: `last` [vocab] gets the logits of the last token
 *   else: row(user, index, logits, vocab) is called for each token in order, and `last` is written as well
 * Nothing but kv's content beyond `first`, the work and `last` changes; on failure `last` may hold part of a row only if the status
 * came from the last head product, which cannot fail: it is whole or untouched. */
slm_status slm_decode(const slm_model *model, slm_kv *kv, slm_work *work, const int32_t *tokens, size_t n, size_t first,
                      slm_logits_fn *row, void *user, float *last, const slm_watch *watch, slm_error *err);

#endif
