/* test_cpu.c -- what the CPU offers, how many threads, the floating-point state. */
#include "harness/test.h"

#include "core/cpu.h"
#include "core/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- a system made here: the library's open() is this one ---- */

typedef struct system_file { const char *path, *text; } system_file;
static const system_file *fake;         /* NULL: the system as it is; ends with a path of NULL */
static int interrupted;

int open(const char *path, int flags, ...)
{
    if (!fake)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
    if (interrupted-- > 0) {
        errno = EINTR;
        return -1;
    }
    for (const system_file *f = fake; f->path; f++)
        if (strcmp(f->path, path) == 0) {
            const int fd = (int)syscall(SYS_memfd_create, "fake", 0u);
            if (fd < 0 || write(fd, f->text, strlen(f->text)) != (ssize_t)strlen(f->text) || lseek(fd, 0, SEEK_SET) != 0)
                fail_msg("no file for '%s'", path);
            return fd;
        }
    errno = ENOENT;
    return -1;
}

#define MAX_V2 "/sys/fs/cgroup/cpu.max"
#define QUOTA "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
#define PERIOD "/sys/fs/cgroup/cpu/cpu.cfs_period_us"
#define OWN "/proc/self/cgroup"

static const struct { system_file files[5]; uint32_t want; } systems[] = {      /* want: 0 no bound */
    { { { 0 } }, 0 }, { { { MAX_V2, "max 100000\n" } }, 0 }, { { { MAX_V2, "100000 100000\n" } }, 1 }, { { { MAX_V2, "50000 100000\n" } }, 1 },
    { { { MAX_V2, "100001 100000\n" } }, 2 }, { { { MAX_V2, "" } }, 0 }, { { { MAX_V2, "100000" } }, 0 }, { { { MAX_V2, "100000,100000" } }, 0 },
    { { { MAX_V2, "100000 0" } }, 0 }, { { { MAX_V2, "0 100000" } }, 0 }, { { { MAX_V2, "100000 x" } }, 0 }, { { { MAX_V2, "100000 :" } }, 0 },
    { { { MAX_V2, "99999999999999999999999999 1" } }, 0 }, { { { MAX_V2, "102300000 100000" } }, 1023 }, { { { MAX_V2, "102400000 100000" } }, 0 },
    { { { QUOTA, "100000\n" }, { PERIOD, "100000\n" } }, 1 }, { { { QUOTA, "-1\n" }, { PERIOD, "100000\n" } }, 0 }, { { { QUOTA, "100000\n" } }, 0 },
    { { { QUOTA, "200000\n" }, { PERIOD, "100000\n" }, { MAX_V2, "100000 100000" } }, 1 },
    { { { QUOTA, "100000\n" }, { PERIOD, "100000\n" }, { MAX_V2, "200000 100000" } }, 1 },
    { { { OWN, "0::/\n" }, { MAX_V2, "100000 100000" } }, 1 }, { { { OWN, "0::/a/b\n" }, { "/sys/fs/cgroup/a/b/cpu.max", "100000 100000" } }, 1 },
    { { { OWN, "0::/a/b\n" }, { "/sys/fs/cgroup/a/b/cpu.max", "max 100000" }, { "/sys/fs/cgroup/a/cpu.max", "100000 100000" } }, 1 },
    { { { OWN, "0::/a\n" }, { "/sys/fs/cgroup/a/cpu.max", "300000 100000" }, { MAX_V2, "200000 100000" } }, 2 },
    { { { OWN, "5:cpu:/z\n0::/a\n" }, { "/sys/fs/cgroup/a/cpu.max", "100000 100000" } }, 1 },
    { { { OWN, "5:cpu:/a\n" }, { "/sys/fs/cgroup/a/cpu.max", "100000 100000" } }, 0 }, { { { OWN, "0::a" }, { "/sys/fs/cgroup/a/cpu.max", "100000 100000" } }, 0 },
    { { { OWN, "0::/a" }, { "/sys/fs/cgroup/b/cpu.max", "100000 100000" } }, 0 },
};

static void threads_follow_the_quota(void **state)
{
    (void)state;
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    const uint32_t all = (uint32_t)CPU_COUNT(&set);
    for (size_t i = 0; i < COUNT(systems); i++) {
        fake = systems[i].files;
        interrupted = i == 2 ? 3 : 0;
        const uint32_t got = slm_cpu_threads(), want = systems[i].want && systems[i].want < all ? systems[i].want : all;
        fake = NULL;
        if (got != want)
            fail_msg("system %zu (%s '%s'): %u threads, want %u", i, systems[i].files[0].path, systems[i].files[0].text, got, want);
    }
}

/* The kernel's own list says the same as CPUID and XGETBV. */
static bool flag(const char *flags, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = flags; (at = strstr(at, name)); at += n)
        if (at[-1] == ' ' && (at[n] == ' ' || at[n] == '\n' || !at[n]))
            return true;
    return false;
}

static void detection_agrees_with_the_kernel(void **state)
{
    (void)state;
    assert_true(slm_cpu_isa() & SLM_ISA_SCALAR);
    assert_int_equal(slm_cpu_isa() & ~15u, 0);
    assert_int_equal(slm_cpu_isa(), slm_cpu_isa());
#if defined(__x86_64__)
    static char line[8192];
    bool found = false;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !found && fgets(line, sizeof line, f))
        found = strncmp(line, "flags", 5) == 0;
    if (f)
        (void)fclose(f);
#ifdef SLM_SCALAR_ONLY
    found = false;
#endif
    if (!found) {
        print_message("skipped: no flags in /proc/cpuinfo, or a build that looks at none\n");
        return;
    }
    const bool avx2 = flag(line, "avx2") && flag(line, "fma") && flag(line, "f16c");
    const bool avx512 = avx2 && flag(line, "avx512f") && flag(line, "avx512bw") && flag(line, "avx512vl") && flag(line, "avx512dq") &&
                        flag(line, "avx512_vnni");
    const bool vnni = avx2 && flag(line, "avx_vnni");
    assert_int_equal(slm_cpu_isa(), SLM_ISA_SCALAR | (avx2 ? SLM_ISA_AVX2 : 0) | (avx512 ? SLM_ISA_AVX512 : 0) | (vnni ? SLM_ISA_AVXVNNI : 0));
#endif
}

static void a_mask_restricts_and_scalar_stays(void **state)
{
    (void)state;
    assert_int_equal(slm_cpu_masked(0), slm_cpu_isa());
    assert_int_equal(slm_cpu_masked(SLM_ISA_SCALAR), SLM_ISA_SCALAR);
    assert_int_equal(slm_cpu_masked(0x80000000u), SLM_ISA_SCALAR);
    assert_int_equal(slm_cpu_masked(SLM_ISA_AVX2), (slm_cpu_isa() & SLM_ISA_AVX2) | SLM_ISA_SCALAR);
    if (slm_cpu_isa() & SLM_ISA_AVXVNNI)        /* a few kernels: the rest is AVX2 */
        assert_int_equal(slm_cpu_masked(SLM_ISA_AVXVNNI), SLM_ISA_AVXVNNI | SLM_ISA_AVX2 | SLM_ISA_SCALAR);
    assert_int_equal(slm_cpu_masked(15), slm_cpu_isa());
}

static void threads_follow_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t all, one;
    const uint32_t n = slm_cpu_threads();
    assert_true(n >= 1 && n <= SLM_LIMIT_THREADS);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_true(n <= (uint32_t)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) {
        print_message("skipped: the affinity cannot be set here\n");
        return;
    }
    assert_int_equal(slm_cpu_threads(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(slm_cpu_threads(), n);
}

static void a_child_knows_that_it_was_forked(void **state)
{
    (void)state;
    int status = 1;
    assert_false(slm_cpu_forked());
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(slm_cpu_forked() && slm_cpu_isa() ? 0 : 1);
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
    assert_false(slm_cpu_forked());
}

#if defined(__x86_64__)
static void the_fp_state_is_set_and_put_back(void **state)
{
    (void)state;
    const unsigned before = _mm_getcsr(), odd = 0x1f80 | 0x8040 | 0x4000;
    _mm_setcsr(odd);
    const unsigned saved = slm_fp_enter(), inside = _mm_getcsr();
    slm_fp_leave(saved);
    const unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    assert_int_equal(saved, odd);
    assert_int_equal(inside, 0x1f80);
    assert_int_equal(after, odd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detection_agrees_with_the_kernel),
        cmocka_unit_test(a_mask_restricts_and_scalar_stays),
        cmocka_unit_test(threads_follow_the_affinity_mask),
        cmocka_unit_test(threads_follow_the_quota),
        cmocka_unit_test(a_child_knows_that_it_was_forked),
#if defined(__x86_64__)
        cmocka_unit_test(the_fp_state_is_set_and_put_back),
#endif
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL) != 0;
}
