/* fail_wrap.h -- memory that the library takes from the system, made to fail too, and who asked for what. Link with FAIL_WRAP of the
 * Makefile (--wrap for each function below): then posix_memalign, malloc, calloc, realloc, strdup and free of everything that is linked
 * statically pass through here, and each call of slm_heap's allocating functions leaves the address of its caller with fail_alloc_at. */
#ifndef TESTS_HARNESS_FAIL_WRAP_H
#define TESTS_HARNESS_FAIL_WRAP_H

#include "harness/fail_alloc.h"

/* From now on system memory is counted in f and refused as f says; NULL: left alone. Blocks are known until they are freed, or
 * until this is called again. */
void fail_wrap_to(fail_alloc *f);

/* The test itself asks for memory, which is not counted and never refused. */
void fail_wrap_pause(bool pause);

/* The code at `caller` asks for memory in another way; true: it is to be refused. */
bool fail_wrap_refuses(const void *caller);

/* Blocks taken while counted and not freed yet. */
size_t fail_wrap_live(void);

#endif
