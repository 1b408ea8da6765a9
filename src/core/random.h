/* random.h -- random numbers that are a function of (seed, counter) and nothing else. */
#ifndef SLM_CORE_RANDOM_H
#define SLM_CORE_RANDOM_H

#include <stdint.h>

/* 64 random bits for a counter value: SplitMix64's finaliser over both words (Steele, Lea, Flood 2014). */
static inline uint64_t slm_random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t slm_random_u64(uint64_t seed, uint64_t counter)
{
    return slm_random_mix(slm_random_mix(seed + UINT64_C(0x9e3779b97f4a7c15)) + (counter + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* Uniform in [0, 1), 53 bits. */
static inline double slm_random_unit(uint64_t seed, uint64_t counter)
{
    return (double)(slm_random_u64(seed, counter) >> 11) * 0x1p-53;
}

#endif
