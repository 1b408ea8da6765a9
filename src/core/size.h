/* size.h -- arithmetic on sizes that came from outside: every call says whether the result fits. */
#ifndef SLM_CORE_SIZE_H
#define SLM_CORE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool slm_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool slm_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool slm_u64_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool slm_u64_add(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* The least multiple of `to` (a power of two) that is not below a. */
static inline bool slm_u64_align(uint64_t a, uint64_t to, uint64_t *out)
{
    if (!slm_u64_add(a, to - 1, out))
        return false;
    *out &= ~(to - 1);
    return true;
}

static inline bool slm_size_from_u64(uint64_t a, size_t *out)
{
    *out = (size_t)a;
    return (uint64_t)*out == a;
}

/* For sizes that are already known to be small. */
static inline size_t slm_ceil_div(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

static inline size_t slm_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t slm_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
