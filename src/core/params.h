/* params.h -- reads a caller's option struct of any version. */
#ifndef SLM_CORE_PARAMS_H
#define SLM_CORE_PARAMS_H

#include "core/status.h"

/* Copies a params struct (its first field is its size) into dst of `room` bytes; what the caller's version lacks is 0.
 * SLM_E_ARG for an impossible size, SLM_E_UNSUPPORTED if a newer caller set a field that this library does not know. */
slm_status slm_params_read(void *dst, size_t room, const void *src, slm_error *err);

/* The other direction, for info structs: writes the first src->size bytes of `full` to dst, whose size field says its room. */
slm_status slm_params_write(void *dst, const void *full, size_t room, slm_error *err);

#endif
