/* cpu.c -- instruction sets (CPUID and what the system saves), threads (affinity and cgroup quota), floating-point state. */
#include "core/cpu.h"

#include "core/limits.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* AVX2 stands for AVX2 + FMA + F16C; AVX512 for F + BW + VL + DQ + VNNI. XCR0 says whether the system saves ymm and zmm. */
static unsigned detect(void)
{
    unsigned a, b, c, d, found = SLM_ISA_SCALAR;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA) || !(c & bit_F16C) || !(c & bit_AVX))
        return found;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return found;
    found |= SLM_ISA_AVX2;
    const unsigned want = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    if ((low & 0xe6) == 0xe6 && (b & want) == want && (c & bit_AVX512VNNI))
        found |= SLM_ISA_AVX512;
    return found;
}

unsigned slm_fp_enter(void)
{
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return saved;
}

void slm_fp_leave(unsigned saved)
{
    _mm_setcsr(saved);
}
#else
static unsigned detect(void)
{
    return SLM_ISA_SCALAR;
}

unsigned slm_fp_enter(void)
{
    return 0;
}

void slm_fp_leave(unsigned saved)
{
    (void)saved;
}
#endif

unsigned slm_cpu_isa(void)
{
    static _Atomic unsigned cached;     /* 0: not looked yet; every thread finds the same */
    unsigned isa = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!isa) {
        isa = detect();
        atomic_store_explicit(&cached, isa, memory_order_relaxed);
    }
    return isa;
}

unsigned slm_cpu_masked(unsigned mask)
{
    return (mask ? slm_cpu_isa() & mask : slm_cpu_isa()) | SLM_ISA_SCALAR;
}

/* Reads a small text file of the system; its length, 0 if it cannot be read. */
static size_t read_small(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, room);
    (void)close(fd);
    return n > 0 ? (size_t)n : 0;
}

static size_t digits(const char *text, size_t n, size_t at, uint64_t *value)
{
    *value = 0;
    while (at < n && text[at] >= '0' && text[at] <= '9' && *value < UINT64_MAX / 16)
        *value = *value * 10 + (uint64_t)(text[at++] - '0');
    return at;
}

/* cgroup v2: "QUOTA PERIOD" or "max PERIOD" in cpu.max of the process's own root; v1: two files. Quota rounded up, 0: none. */
static uint32_t quota(void)
{
    char text[64];
    uint64_t us = 0, period = 0;
    size_t n = read_small("/sys/fs/cgroup/cpu.max", text, sizeof text);
    if (n) {
        size_t at = digits(text, n, 0, &us);
        if (at == 0 || at >= n || text[at] != ' ')
            return 0;
        digits(text, n, at + 1, &period);
    } else {
        if ((n = read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text)) == 0 || text[0] == '-')
            return 0;
        digits(text, n, 0, &us);
        n = read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text);
        digits(text, n, 0, &period);
    }
    if (!us || !period || us / period >= SLM_LIMIT_THREADS)
        return 0;
    return (uint32_t)((us + period - 1) / period);
}

uint32_t slm_cpu_threads(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    uint32_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
    const uint32_t most = quota();
    if (most && most < n)
        n = most;
    return n < 1 ? 1 : n > SLM_LIMIT_THREADS ? SLM_LIMIT_THREADS : n;
}
