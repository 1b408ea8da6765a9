/* importance.h -- how much each channel of a product's input carries: its mean square over a text. A weight's rounding error costs as
 * much as what it is multiplied with. */
#ifndef SLM_MODEL_IMPORTANCE_H
#define SLM_MODEL_IMPORTANCE_H

#include "model/model.h"

/* The inputs of a layer's products. */
enum { SLM_INPUT_ATTENTION, SLM_INPUT_OUTPUT, SLM_INPUT_FEED_FORWARD, SLM_INPUT_DOWN, SLM_INPUTS };

/* Zeros in the widths of a model. */
slm_status slm_importance_new(slm_importance **out, const slm_config *config, const slm_allocator *allocator, uint64_t memory_limit,
                              slm_error *err);

/* Adds the squares of channels from .. from + n, which lie at x, of `rows` rows, `ld` floats apart, one after another: neither threads nor
 * chunks show. Different channels may be added at once. */
void slm_importance_add(slm_importance *importance, size_t layer, int input, size_t from, size_t n, const float *x, size_t ld, size_t rows);

/* Makes means of the sums; once, after the last add. No channel gets less than a thousandth of its input's mean: a text is never all. */
void slm_importance_finish(slm_importance *importance);

/* [cols] of what the tensor is multiplied with; NULL if it was not measured. */
const float *slm_importance_of(const slm_importance *importance, const char *tensor, uint64_t cols);

#endif
