/* encoder.h -- evaluates whole sequences: the one function for every encoder family. */
#ifndef SLM_MODEL_ENCODER_H
#define SLM_MODEL_ENCODER_H

#include "model/work.h"

/* Memory for passes over the weights and the keys and values of one layer. Allocated once, used by one call at a time. */
typedef struct slm_encoding slm_encoding;

/* tokens: of the longest sequence there will be; a pass holds at least that many. chunk: of a pass, 0: slm_work_chunk. */
slm_status slm_encoding_new(slm_encoding **out, const slm_model *model, slm_heap *heap, size_t chunk, size_t tokens, uint32_t kv, slm_error *err);
void slm_encoding_free(slm_encoding *encoding);

/* The longest sequence it is made for. */
size_t slm_encoding_tokens(const slm_encoding *encoding);

/* What slm_encoding_new takes from the heap with a team of `width`, and in it the keys and values; saturates. */
uint64_t slm_encoding_heap_bytes(const slm_config *config, size_t width, size_t chunk, size_t tokens, uint32_t kv, uint64_t *cache);

/* Evaluates n sequences of 1 .. slm_encoding_tokens() tokens, packed end to end into as few passes as hold them; a sequence lies in one.
 * Each fails or succeeds on its own; the hidden states [embedding] its `row` is given are the bits it would have alone. */
void slm_encode(const slm_model *model, slm_encoding *encoding, slm_sequence *sequences, size_t n);

#endif
