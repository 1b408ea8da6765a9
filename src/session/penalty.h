/* penalty.h -- what is added to logits before a token is drawn: bias, and penalties for what was said lately. */
#ifndef SLM_SESSION_PENALTY_H
#define SLM_SESSION_PENALTY_H

#include "core/status.h"

#include <stdbool.h>

/* The ranges of safety.md 8. */
slm_status slm_penalty_check(const slm_sampling *how, slm_error *err);

/* Does `how` change any logit? */
bool slm_penalty_any(const slm_sampling *how);

/* Changes z [vocab] in place: bias, repetition, frequency and presence, DRY, in this order. recent [n] are the tokens before the
 * draw; ids outside the vocabulary are not looked at. scratch [vocab] is left undefined. */
void slm_penalty_apply(float *z, size_t vocab, const slm_sampling *how, const int32_t *recent, size_t n, uint32_t *scratch);

#endif
