/* cpu.c -- instruction sets (CPUID and what the system saves), threads (affinity and cgroup quota), floating-point state. */
#include "core/cpu.h"

#include "core/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SLM_SCALAR_ONLY
#define SLM_SCALAR_ONLY 0       /* 1: a build whose tools cannot follow vector code (make msan) */
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("xsave"))) static uint64_t saved_by_system(void)
{
    return (uint64_t)_xgetbv(0);
}

/* AVX2 stands for AVX2 + FMA + F16C; AVXVNNI for that and the VEX form of vpdpbusd; AVX512 for F + BW + VL + DQ + VNNI. XCR0 says whether the system saves ymm and zmm. */
static unsigned detect(void)
{
    unsigned a, b, c, d, found = SLM_ISA_SCALAR;
    if (SLM_SCALAR_ONLY || !__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA) || !(c & bit_F16C) || !(c & bit_AVX))
        return found;
    const uint64_t low = saved_by_system();
    if ((low & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return found;
    found |= SLM_ISA_AVX2;
    const unsigned want = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    if ((low & 0xe6) == 0xe6 && (b & want) == want && (c & bit_AVX512VNNI))
        found |= SLM_ISA_AVX512;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4))       /* gcc 12 has no name for the bit */
        found |= SLM_ISA_AVXVNNI;
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

/* Low half: the mask, 0 while nobody has looked; high half: the process that looked first. Every thread finds the same. */
static uint64_t detected(void)
{
    static _Atomic uint64_t cached;
    uint64_t found = atomic_load_explicit(&cached, memory_order_relaxed);
    if (!found) {
        found = (uint64_t)getpid() << 32 | detect();
        atomic_store_explicit(&cached, found, memory_order_relaxed);
    }
    return found;
}

unsigned slm_cpu_isa(void)
{
    return (unsigned)detected();
}

bool slm_cpu_forked(void)
{
    return (pid_t)(detected() >> 32) != getpid();
}

unsigned slm_cpu_masked(unsigned mask)
{
    if (mask & SLM_ISA_AVXVNNI & slm_cpu_isa())         /* it is a few kernels, the others are those of AVX2 */
        mask |= SLM_ISA_AVX2;
    return (mask ? slm_cpu_isa() & mask : slm_cpu_isa()) | SLM_ISA_SCALAR;
}

/* Reads a small text file of the system; its length, 0 if it cannot be read. */
static size_t read_small(const char *path, char *text, size_t room)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
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

static uint32_t whole_cpus(uint64_t us, uint64_t period)
{
    if (!us || !period || us / period >= SLM_LIMIT_THREADS)
        return 0;
    return (uint32_t)(us / period + (us % period != 0));
}

/* "QUOTA PERIOD" or "max PERIOD": whole CPUs, rounded up; 0: no bound. */
static uint32_t quota_v2(const char *path)
{
    char text[64];
    uint64_t us = 0, period = 0;
    const size_t n = read_small(path, text, sizeof text);
    const size_t at = digits(text, n, 0, &us);
    if (at == 0 || at >= n || text[at] != ' ')
        return 0;
    (void)digits(text, n, at + 1, &period);
    return whole_cpus(us, period);
}

static uint32_t quota_v1(void)
{
    char text[64];
    uint64_t us = 0, period = 0;
    size_t n = read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", text, sizeof text);
    (void)digits(text, n, 0, &us);                          /* "-1", no quota, has no digit at its start */
    n = read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", text, sizeof text);
    (void)digits(text, n, 0, &period);
    return whole_cpus(us, period);
}

static uint32_t smaller_bound(uint32_t a, uint32_t b)       /* 0: none */
{
    return !a || (b && b < a) ? b : a;
}

/* The least quota of this process's cgroup and of all above it: a slice's quota binds what runs in it. In a container the path is
 * "/" or does not exist below the mount, and the mount's own file speaks. */
static uint32_t quota(void)
{
    enum { ROOM = 1024 };
    char text[ROOM], path[ROOM + 32];
    const size_t n = read_small("/proc/self/cgroup", text, sizeof text - 1);
    uint32_t most = smaller_bound(quota_v2("/sys/fs/cgroup/cpu.max"), quota_v1());
    text[n] = 0;
    char *own = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    own = own ? strchr(own, '/') : NULL;
    if (!own)
        return most;
    own[strcspn(own, "\n")] = 0;
    for (char *slash = own + strlen(own); slash != own; slash = strrchr(own, '/')) {
        *slash = 0;
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", own);
        most = smaller_bound(most, quota_v2(path));
    }
    return most;
}

uint32_t slm_cpu_threads(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                         : sysconf(_SC_NPROCESSORS_ONLN);   /* over 1,024 CPUs */
    const uint32_t most = quota();
    if (most && n > (long)most)
        n = (long)most;
    return n < 1 ? 1 : n > SLM_LIMIT_THREADS ? SLM_LIMIT_THREADS : (uint32_t)n;
}
