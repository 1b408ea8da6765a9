/* parrot.h -- a model that says what it was made to say: after a newline the given pieces, one token each, then the end. Tests of what is
 * done with an answer need to know it. */
#ifndef TESTS_HARNESS_PARROT_H
#define TESTS_HARNESS_PARROT_H

#include "harness/test.h"

/* At most 29 pieces, which have no blank in front; ended with slm_model_free. The test fails if it cannot be made. */
slm_model *parrot_open(const char *const *pieces, size_t n);

#endif
