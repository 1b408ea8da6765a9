/* test_cpu.c -- what the CPU offers, how many threads, the floating-point state. */
#include "harness/test.h"

#include "core/cpu.h"
#include "core/limits.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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
        cmocka_unit_test(a_child_knows_that_it_was_forked),
#if defined(__x86_64__)
        cmocka_unit_test(the_fp_state_is_set_and_put_back),
#endif
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL) != 0;
}
