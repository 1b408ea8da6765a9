/* test.h -- cmocka with what it needs before it, and the few checks every test wants. */
#ifndef TESTS_HARNESS_TEST_H
#define TESTS_HARNESS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <string.h>

#include <cmocka.h>

#include "slm.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The status and, when it is another one, the message that came with it. */
#define check_status(got, want, err) test_status((got), (want), (err), #got, __FILE__, __LINE__)
void test_status(slm_status got, slm_status want, const slm_error *err, const char *what, const char *file, int line);

/* The message contains `part`. */
#define check_text(err, part) test_text((err), (part), __FILE__, __LINE__)
void test_text(const slm_error *err, const char *part, const char *file, int line);

/* A folder of this test's own, made on first use and emptied and removed by test_folder_remove (a group teardown). */
const char *test_folder(void);
int test_folder_remove(void **state);

/* Path of `name` in that folder, in one of eight buffers used in turn. */
const char *test_path(const char *name);
void test_file_write(const char *path, const void *bytes, size_t n);

/* Whole file into memory for free(); fails the test if it cannot. */
uint8_t *test_file_read(const char *path, size_t *n);
bool test_file_is(const char *path, const char *text);
size_t test_folder_entries(void);

/* Runs body(arg) in a thread with 64 KiB of stack, which is all that a call of the library may need; returns what body returns. The
 * sanitizers' frames are larger: under them the stack is 1 MiB. */
void *test_small_stack(void *(*body)(void *arg), void *arg);

/* read(ctx, text, n) takes time in proportion to n where the text is one repeated unit: four times `small` bytes take 4 times as long when
 * linear, 16 times when quadratic. Two of at most 20 rounds must look linear; the best times of all rounds would not do, for the clock of a
 * guest at times loses some, and a time too short is never bettered. */
void test_linear(void (*read)(const void *ctx, const char *text, size_t n), const void *ctx, const char *name, const char *unit, size_t small);

/* The seed of random tests: SEED of the environment or the given one; printed once. */
uint64_t test_seed(uint64_t otherwise);

#endif
