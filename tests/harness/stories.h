/* stories.h -- the shipped model, for tests that need a vocabulary and somebody who picks tokens, and single steps of constraints over it. */
#ifndef TESTS_HARNESS_STORIES_H
#define TESTS_HARNESS_STORIES_H

#include "harness/test.h"

#define STORIES "models/tiny-stories/tiny-stories.gguf"

/* Group set-up and teardown; the model lies in `stories` between them. */
extern slm_model *stories;
int stories_open(void **state);
int stories_close(void **state);

/* 1: the whole text [n] fits, 0: it may still become one that does, -1: no. */
int stories_fit(slm_constraint *constraint, const char *text, size_t n);

#endif
