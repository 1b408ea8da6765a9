/* schema.h -- what is known of JSON schemas, beside making constraints of them. */
#ifndef SLM_SESSION_SCHEMA_H
#define SLM_SESSION_SCHEMA_H

#include "core/heap.h"

/* Is it a schema of which every keyword is known and can be enforced? The errors of slm_constraint_schema. */
slm_status slm_schema_known(slm_heap *heap, const char *schema, size_t len, slm_error *err);

#endif
