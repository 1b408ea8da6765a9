/* requantize.h -- which type each tensor of a file gets, for all who write one. */
#ifndef SLM_MODEL_REQUANTIZE_H
#define SLM_MODEL_REQUANTIZE_H

#include "format/file.h"

/* What params->type names: one type for all matrices, or one for most of them. */
typedef struct slm_mix {
    const char *option;
    uint32_t    id;         /* GGUF's number of the type of most matrices */
    uint32_t    file_type;  /* general.file_type: decides which matrices get another type */
} slm_mix;

/* A mix by the name of params->type; packed: types of packed files too. SLM_E_ARG if it is NULL, SLM_E_UNSUPPORTED listing the known ones. */
slm_status slm_written_type(const slm_mix **mix, const char *option, bool packed, slm_error *err);

/* What the keys say about the types of a file that is written with this mix. */
slm_status slm_written_keys(slm_keys *keys, const slm_mix *mix, slm_error *err);

/* The type a tensor gets in a file of that mix.
 *   source  its type now
 *   layers  of the model
 *   groups  query heads that share a head of keys and values
 *   head    it makes the logits: output.weight, or the embedding of a file that has no output.weight */
const slm_type *slm_tensor_type(const char *name, uint32_t n_dims, uint64_t cols, const slm_type *source, const slm_mix *mix,
                                uint32_t layers, uint32_t groups, bool head);

/* The types all tensors of a file get, [n_tensors]; want NULL: they keep theirs. SLM_E_UNSUPPORTED for one that cannot be read, and for a
 * packed file. */
slm_status slm_chosen_types(const slm_type **types, const slm_file *file, const slm_mix *want, slm_error *err);

/* The layer of "blk.N.rest", or UINT32_MAX. */
uint32_t slm_tensor_layer(const char *name);

#endif
