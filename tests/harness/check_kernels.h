/* check_kernels.h -- what a check_<op>() needs: guarded operands, values worth trying, a call that cannot hide damage.
 *
 * For each operation of kernels.def there are two functions, in check_<file of scalar/>.c:
 *
 *   void check_<op>(check *c, slm_<op>_fn *fn)    compares fn with slm_<op>_scalar on many cases
 *   void bench_<op>(check *c, slm_<op>_fn *fn)    times fn on the shapes that matter, with CHECK_TIME
 *
 * A row without them does not link. fn leads through a trampoline (x86-64) that fills every register an argument does not use with
 * junk and looks at callee-saved registers, direction flag, x87 tags and MXCSR afterwards; a fault inside fn makes the call return
 * and the case fail. One case:
 *
 *   if (!check_case(c, place, "n=%zu %s", n, check_kind_name(kind)))    // false: enough failures, leave
 *       return;
 *   float *x = check_in(c, n * 4, 4);                  // ends at, or begins after, an unmapped page, or lies at some alignment
 *   check_fill_f32(c, x, n, kind);
 *   check_pair y = check_out(c, n * 4, 4);             // y.got and y.want, both poisoned alike
 *   slm_<op>_scalar(y.want, x, n);
 *   check_begin(c);
 *   fn(y.got, x, n);
 *   check_end(c);                                      // got equals want bit by bit; guards, inputs, registers untouched */
#ifndef SLM_TESTS_CHECK_KERNELS_H
#define SLM_TESTS_CHECK_KERNELS_H

#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CHECK_OPERANDS = 8,
    CHECK_ROOM = 4 << 20,       /* bytes an operand may have */
    CHECK_PLACES = 6            /* 0: ends at an unmapped page; 1: begins after one; above: random alignments */
};

typedef enum check_kind {
    CHECK_RANDOM,       /* around 1, both signs */
    CHECK_TINY,         /* subnormal and barely normal */
    CHECK_HUGE,         /* up to the greatest finite */
    CHECK_ZEROS,        /* +0 and -0 */
    CHECK_MIXED,        /* any exponent, ties, small integers, zeros, subnormals */
    CHECK_KINDS,        /* end of the finite kinds */
    CHECK_ANY = CHECK_KINDS     /* any bits: infinities and NaN among them */
} check_kind;

typedef struct check_operand {
    uint8_t *region;            /* CHECK_ROOM bytes between two unmapped pages */
    uint8_t *shadow;            /* an output's reference, an input's copy */
    uint8_t *at;
    size_t size, unit;
    int output;
} check_operand;

typedef struct check_pair {
    void *got, *want;
} check_pair;

typedef struct check {
    const char *op, *isa;
    uint64_t seed, state;       /* of the run; of this row's random numbers */
    int thorough;               /* --full */
    int nan_alike;              /* set by check_<op>: all NaN count as one (where the contract names no payload) */
    size_t cases, failures, place, operands, allowed;
    double peak;                /* --bench: fma GFLOP/s of this instruction set; 0 for scalar */
    char what[200];
    check_operand operand[CHECK_OPERANDS];
} check;

int check_case(check *c, size_t place, const char *format, ...) __attribute__((format(printf, 3, 4)));
void *check_in(check *c, size_t size, size_t unit);         /* unit: size of an element, the least alignment */
check_pair check_out(check *c, size_t size, size_t unit);
void *check_in_aligned(check *c, size_t size, size_t align);/* not at the end of its region unless size is a multiple of align */
void check_begin(check *c);
void check_end(check *c);
void check_return_f32(check *c, float got, float want);     /* between begin and end */
void check_return_int(check *c, int64_t got, int64_t want);

uint32_t check_u32(check *c);
size_t check_below(check *c, size_t n);                     /* 0 .. n-1 */
float check_f32(check *c, check_kind kind);
void check_fill_f32(check *c, float *x, size_t n, check_kind kind);
void check_fill_f16(check *c, uint16_t *x, size_t n, check_kind kind);
void check_fill_bytes(check *c, void *x, size_t n);
const char *check_kind_name(check_kind kind);

/* Times `call`; work: operations (or bytes, elements) of one call, printed as G<unit>/s; peak: in the same unit, or 0. */
#define CHECK_TIME(c, label, work, unit, most, call)                                    \
    do {                                                                                \
        check_clock clock_ = { 0 };                                                     \
        while (check_clock_next(&clock_))                                               \
            for (size_t i_ = 0; i_ < clock_.repeat; i_++) {                             \
                call;                                                                   \
            }                                                                           \
        check_clock_print(c, &clock_, label, work, unit, most);                         \
    } while (0)

typedef struct check_clock {
    size_t repeat, rounds;
    uint64_t started, best;     /* best: nanoseconds of `repeat` calls */
} check_clock;

int check_clock_next(check_clock *clock);
void check_clock_print(const check *c, const check_clock *clock, const char *label, double work, const char *unit, double peak);

#define SLM_OP(op, ret, params) void check_##op(check *c, slm_##op##_fn *fn); void bench_##op(check *c, slm_##op##_fn *fn);
#define SLM_IMPL(op, isa)
#include "kernels/kernels.def"

#endif
