/* requantize.h -- which type each tensor of a file gets, for all who write one. */
#ifndef SLM_MODEL_REQUANTIZE_H
#define SLM_MODEL_REQUANTIZE_H

#include "quant/type.h"

#include "core/status.h"

/* A type by the name of params->type. SLM_E_ARG if it is NULL, SLM_E_UNSUPPORTED listing the known ones. */
slm_status slm_written_type(const slm_type **type, const char *option, slm_error *err);

/* GGUF's number general.file_type for a file whose matrices have that type. */
uint32_t slm_file_type(const slm_type *type);

/* The type a tensor gets in a file of type `want`.
 *   source  its type now
 *   head    it makes the logits: output.weight, or the embedding of a file that has no output.weight */
const slm_type *slm_tensor_type(const char *name, uint32_t n_dims, uint64_t cols, const slm_type *source, const slm_type *want, bool head);

#endif
