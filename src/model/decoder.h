/* decoder.h -- evaluates tokens: the one function for every decoder family. */
#ifndef SLM_MODEL_DECODER_H
#define SLM_MODEL_DECODER_H

#include "model/work.h"

/* Evaluates the tokens of n sequences with as few passes over the weights as the work's chunk allows, and stores their keys and values.
 * Each sequence fails or succeeds on its own, and its logits are the bits it would have alone. Nothing but kv's content beyond `first`,
 * the work, `last`, `status` and `done` changes. */
void slm_decode(const slm_model *model, slm_work *work, slm_sequence *sequences, size_t n);

#endif
