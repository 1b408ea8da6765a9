/* files.h -- what the tests of file formats share: the shared material, files read and written whole, little GGUF pieces. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/buf.h"
#include "format/file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARED "../shared/"
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Returns from the test, listed as skipped, where the shared material is missing. */
#define NEEDS_SHARED                                    \
    do {                                                \
        if (access(SHARED "models", R_OK) != 0) {       \
            print_message("skipped: no ../shared\n");   \
            skip();                                     \
        }                                               \
    } while (0)

/* A whole file in memory of malloc; the test fails if it cannot be had. */
static inline uint8_t *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: cannot be opened", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    const long size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    uint8_t *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)size, f), (size_t)size);
    (void)fclose(f);
    *n = (size_t)size;
    return bytes;
}

static inline void spit(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        fail_msg("%s: cannot be made", path);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A folder of this test's own, and a path in it. */
static char scratch[64];

static inline int make_scratch(void **state)
{
    (void)state;
    strcpy(scratch, "/tmp/slm_test_XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int drop_scratch(void **state)
{
    char command[96];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

/* One of four buffers in turn. */
static inline const char *in_scratch(const char *name)
{
    static char path[4][160];
    static unsigned turn;
    char *p = path[turn++ % 4];
    (void)snprintf(p, sizeof *path, "%s/%s", scratch, name);
    return p;
}

/* Does the message name file and thing, and a number? */
static inline void check_message(const slm_error *err, slm_status status, const char *file, const char *about)
{
    if (err->status != (int32_t)status)
        fail_msg("%s: status %s, the error says %s: %s", about, slm_status_name(status), slm_status_name((slm_status)err->status), err->text);
    if (strncmp(err->text, file, strlen(file)) != 0)
        fail_msg("%s: the message names no file: %s", about, err->text);
    if (!strpbrk(err->text + strlen(file), "0123456789"))
        fail_msg("%s: the message has no number: %s", about, err->text);
}

/* Values of tensor `name`, in memory of malloc. */
static inline float *read_tensor(const slm_file *file, const char *name, size_t *n)
{
    slm_error err = { 0 };
    const slm_tensor *t = slm_file_find(file, name);
    if (!t)
        fail_msg("no tensor '%s'", name);
    *n = (size_t)(t->rows * t->dims[0]);
    float *values = malloc(*n * sizeof *values + 1);
    assert_non_null(values);
    if (slm_file_read(file, (size_t)(t - file->tensors), values, *n, &err) != SLM_OK)
        fail_msg("%s: %s", name, err.text);
    return values;
}

/* For fail_alloc_every: opens the path in ctx, and ends what was opened. */
static inline slm_status open_path(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.allocator = allocator;
    return slm_file_open((slm_file **)out, ctx, &params, err);
}

static inline void close_file(void *ctx, void *object)
{
    (void)ctx;
    slm_file_free(object);
}

static inline slm_file *open_file(const char *path, const char *tokenizer)
{
    slm_error err = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.tokenizer_path = tokenizer;
    if (slm_file_open(&file, path, &params, &err) != SLM_OK)
        fail_msg("%s: %s", path, err.text);
    return file;
}

#endif
