/* fuzz.h -- what fuzz targets share: a check that ends the run with a message, the input as a run of choices, a heap that must be empty again. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "slm.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static inline void must(bool fine, const char *what)
{
    if (!fine) {
        (void)fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

/* A failure says so and has a message, which is one line; the library's own checks never fail. */
static inline void must_say(slm_status status, const slm_error *err)
{
    must(status != SLM_E_INTERNAL, err->text);
    must(err->status == status && err->text[0] && !strchr(err->text, '\n'), "a failure without a message");
}

/* Choices from the input: zeros once it is used up. */
typedef struct fuzz_in {
    const uint8_t *at;
    size_t left;
} fuzz_in;

static inline unsigned fuzz_byte(fuzz_in *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static inline unsigned fuzz_two(fuzz_in *in)        /* little-endian */
{
    const unsigned low = fuzz_byte(in);
    return low | fuzz_byte(in) << 8;
}

/* Up to the next NUL, which is passed over; without one, the rest. */
static inline const char *fuzz_text(fuzz_in *in, size_t *n)
{
    const uint8_t *from = in->at, *nul = in->left ? memchr(from, 0, in->left) : NULL;
    *n = nul ? (size_t)(nul - from) : in->left;
    in->at += *n + (nul != NULL);
    in->left -= *n + (nul != NULL);
    return (const char *)from;
}

/* The same as a terminated copy for free(). */
static inline char *fuzz_string(fuzz_in *in)
{
    size_t n;
    const char *from = fuzz_text(in, &n);
    char *copy = malloc(n + 1);
    must(copy != NULL, "no memory for a copy");
    memcpy(copy, from, n);
    copy[n] = 0;
    return copy;
}

#endif
