/* inline.h -- how tiles are written: always-inline templates with constant sizes, every small loop unrolled in full, so that arrays
 * of vectors become registers. */
#ifndef SLM_KERNELS_INLINE_H
#define SLM_KERNELS_INLINE_H

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#endif
