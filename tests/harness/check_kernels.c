/* check_kernels.c -- every row of kernels.def against the scalar reference, bit by bit; with --bench, the same rows timed.
 *
 *   check_kernels [--only op[/isa]] [--seed N] [--full] [--bench]
 *
 * Operands lie between unmapped pages, so that an access beyond them faults; outputs are poisoned, and the bytes around every operand
 * must stay. The random numbers of a row depend on the seed and the operation alone, so a failure is found again with --only. */
#include "check_kernels.h"

#include "core/clock.h"
#include "core/cpu.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { GUARD = 256, MOST_FAILURES = 5, PAGE = 4096 };

/* ---- the trampoline ----
 * The return address is taken off the stack, so that arguments on it lie where the kernel expects them, and put back in the end. */

extern void (*check_target)(void);
extern uint32_t check_vectors;              /* 1: AVX2, 3: AVX-512 too */
extern uint32_t check_broken;               /* bits: see broken_names */
extern uint32_t check_mxcsr;
extern uint64_t check_saved[8];             /* return address, rbx, rbp, r12 .. r15, rsp */
void (*check_target)(void);
uint32_t check_vectors, check_broken, check_mxcsr;
uint64_t check_saved[8];
static volatile sig_atomic_t fault;         /* the signal that ended the last call */
static volatile uintptr_t fault_address;

static const char *const broken_names[] = { "rbx", "rbp", "r12", "r13", "r14", "r15", "rsp", "the direction flag", "the x87 tag word" };

#if defined(__x86_64__)
void check_trampoline(void);
void check_resume(void);
__asm__(
    ".text\n"
    ".globl check_trampoline\n.type check_trampoline,@function\n"
    "check_trampoline:\n"
    "   endbr64\n"
    "   pop  check_saved(%rip)\n"
    "   mov  %rbx, check_saved+8(%rip)\n   mov %rbp, check_saved+16(%rip)\n"
    "   mov  %r12, check_saved+24(%rip)\n  mov %r13, check_saved+32(%rip)\n"
    "   mov  %r14, check_saved+40(%rip)\n  mov %r15, check_saved+48(%rip)\n"
    "   mov  %rsp, check_saved+56(%rip)\n"
    "   mov  $0x5a5a0001, %ebx\n mov $0x5a5a0002, %ebp\n mov $0x5a5a0003, %r12d\n"
    "   mov  $0x5a5a0004, %r13d\n mov $0x5a5a0005, %r14d\n mov $0x5a5a0006, %r15d\n"
    "   mov  $0x5a5a0007, %r10d\n mov %r10, %r11\n mov %r10, %rax\n"
    "   testl $1, check_vectors(%rip)\n   jz 1f\n"
    "   vpcmpeqd %ymm15, %ymm15, %ymm15\n vmovaps %ymm15, %ymm8\n vmovaps %ymm15, %ymm9\n vmovaps %ymm15, %ymm10\n"
    "   vmovaps %ymm15, %ymm11\n vmovaps %ymm15, %ymm12\n vmovaps %ymm15, %ymm13\n vmovaps %ymm15, %ymm14\n"
    "   .irp r, 0,1,2,3,4,5,6,7\n vinsertf128 $1, %xmm15, %ymm\\r, %ymm\\r\n .endr\n"
    "   testl $2, check_vectors(%rip)\n   jz 1f\n"
    "   .irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vinsertf64x4 $1, %ymm15, %zmm\\r, %zmm\\r\n .endr\n"
    "   .irp r, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n vmovaps %zmm15, %zmm\\r\n .endr\n"
    "   .irp r, 1,2,3,4,5,6,7\n kxnorw %k\\r, %k\\r, %k\\r\n .endr\n"
    "1: call *check_target(%rip)\n"
    "   xor  %ecx, %ecx\n"                  /* gathers what is broken; rcx, rdx are free after a call */
    "   mov  $0x5a5a0001, %edx\n cmp %rdx, %rbx\n je 2f\n or $1, %ecx\n"
    "2: mov  $0x5a5a0002, %edx\n cmp %rdx, %rbp\n je 2f\n or $2, %ecx\n"
    "2: mov  $0x5a5a0003, %edx\n cmp %rdx, %r12\n je 2f\n or $4, %ecx\n"
    "2: mov  $0x5a5a0004, %edx\n cmp %rdx, %r13\n je 2f\n or $8, %ecx\n"
    "2: mov  $0x5a5a0005, %edx\n cmp %rdx, %r14\n je 2f\n or $16, %ecx\n"
    "2: mov  $0x5a5a0006, %edx\n cmp %rdx, %r15\n je 2f\n or $32, %ecx\n"
    "2: cmp  check_saved+56(%rip), %rsp\n je 2f\n or $64, %ecx\n"
    "2: pushfq\n pop %rdx\n test $0x400, %edx\n jz 2f\n or $128, %ecx\n"
    "2: sub  $32, %rsp\n fnstenv (%rsp)\n cmpw $-1, 8(%rsp)\n fldenv (%rsp)\n lea 32(%rsp), %rsp\n je 2f\n or $256, %ecx\n"
    "2: mov  %ecx, check_broken(%rip)\n"
    "   jmp  3f\n"
    ".globl check_resume\n"
    "check_resume:\n"                       /* the signal handler comes back here */
    "   endbr64\n"
    "3: cld\n"
    "   stmxcsr check_mxcsr(%rip)\n"
    "   mov  check_saved+8(%rip), %rbx\n   mov check_saved+16(%rip), %rbp\n"
    "   mov  check_saved+24(%rip), %r12\n  mov check_saved+32(%rip), %r13\n"
    "   mov  check_saved+40(%rip), %r14\n  mov check_saved+48(%rip), %r15\n"
    "   mov  check_saved+56(%rip), %rsp\n"
    "   push check_saved(%rip)\n"
    "   ret\n"
    ".size check_trampoline, .-check_trampoline\n");

static void set_mxcsr(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    if (!check_saved[7]) {                  /* not inside the kernel: the reference or the harness itself */
        signal(number, SIG_DFL);
        dprintf(2, "check_kernels: signal %d outside the call, at %p\n", number, info->si_addr);
        return;
    }
    fault = number;
    fault_address = (uintptr_t)info->si_addr;
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)check_resume;
    uc->uc_mcontext.gregs[REG_RSP] = (greg_t)check_saved[7];
}
#else
static void set_mxcsr(uint32_t value)
{
    check_mxcsr = value;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    signal(number, SIG_DFL);
}
#endif

/* ---- random values ---- */

uint32_t check_u32(check *c)                /* splitmix64 (Steele, Lea and Flood 2014) */
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 16);
}

size_t check_below(check *c, size_t n)
{
    return (size_t)((uint64_t)check_u32(c) * n >> 32);
}

const char *check_kind_name(check_kind kind)
{
    static const char *const names[] = { "random", "tiny", "huge", "zeros", "mixed", "any" };
    return names[kind];
}

float check_f32(check *c, check_kind kind)
{
    const uint32_t r = check_u32(c), sign = r & 0x80000000u, mantissa = r & 0x7fffffu;
    uint32_t bits;
    float v;
    switch (kind) {
    case CHECK_RANDOM: bits = sign | (120u + check_u32(c) % 10) << 23 | mantissa; break;
    case CHECK_TINY:   bits = sign | (check_u32(c) % 3) << 23 | mantissa >> check_u32(c) % 24; break;
    case CHECK_HUGE:   bits = sign | (250u + check_u32(c) % 5) << 23 | (r & 1 ? 0x7fffffu : mantissa); break;
    case CHECK_ZEROS:  bits = sign; break;
    case CHECK_MIXED:
        switch (check_u32(c) % 4) {
        case 0: bits = sign | (check_u32(c) % 255) << 23 | mantissa; break;
        case 1: bits = sign | (117u + check_u32(c) % 20) << 23 | (mantissa & 0x7ff000u); break;    /* ties of narrow types */
        case 2:
            v = (float)(check_u32(c) % 257);
            memcpy(&bits, &v, sizeof bits);
            bits |= sign;
            break;
        default: bits = sign | (check_u32(c) & 1 ? 0 : mantissa); break;
        }
        break;
    default:
        bits = check_u32(c) % 8 ? sign | (96u + check_u32(c) % 64) << 23 | mantissa
                                : sign | 0x7f800000u | (check_u32(c) & 1 ? 0 : mantissa >> check_u32(c) % 23);
        break;
    }
    memcpy(&v, &bits, sizeof v);
    return v;
}

void check_fill_f32(check *c, float *x, size_t n, check_kind kind)
{
    for (size_t i = 0; i < n; i++)
        x[i] = check_f32(c, kind);
}

void check_fill_f16(check *c, uint16_t *x, size_t n, check_kind kind)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = check_u32(c), sign = r & 0x8000u, mantissa = r & 0x3ffu;
        switch (kind) {
        case CHECK_RANDOM: x[i] = (uint16_t)(sign | (10u + check_u32(c) % 8) << 10 | mantissa); break;
        case CHECK_TINY:   x[i] = (uint16_t)(sign | (check_u32(c) % 2) << 10 | mantissa); break;
        case CHECK_HUGE:   x[i] = (uint16_t)(sign | (28u + check_u32(c) % 3) << 10 | mantissa); break;
        case CHECK_ZEROS:  x[i] = (uint16_t)sign; break;
        case CHECK_MIXED:  x[i] = (uint16_t)(sign | (check_u32(c) % 31) << 10 | (check_u32(c) % 3 ? mantissa : 0)); break;
        default:           x[i] = (uint16_t)(r >> 16); break;
        }
    }
}

void check_fill_bytes(check *c, void *x, size_t n)
{
    uint8_t *bytes = x;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(check_u32(c) >> 8);
}

/* ---- cases ---- */

static uint8_t poison_at(const uint8_t *p)
{
    return (uint8_t)(0xa5 ^ ((uintptr_t)p * 29 & 0x5f));
}

static void fail(check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(check *c, const char *format, ...)
{
    va_list args;
    printf("%s/%s: %s seed=0x%" PRIx64 " ", c->op, c->isa, c->what, c->seed);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("; again: check_kernels --only %s/%s --seed 0x%" PRIx64 "%s\n", c->op, c->isa, c->seed, c->thorough ? " --full" : "");
    c->failures++;
}

int check_case(check *c, size_t place, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->what, sizeof c->what, format, args);
    va_end(args);
    const size_t length = strlen(c->what);
    snprintf(c->what + length, sizeof c->what - length, " place=%zu", place);
    c->place = place;
    c->operands = 0;
    c->cases++;
    return c->failures < MOST_FAILURES;
}

static check_operand *place_operand(check *c, size_t size, size_t unit)
{
    if (c->operands == CHECK_OPERANDS || size > CHECK_ROOM - 2 * PAGE) {
        fprintf(stderr, "check_kernels: %s: an operand of %zu bytes, number %zu: raise CHECK_ROOM or CHECK_OPERANDS\n",
                c->op, size, c->operands);
        exit(2);
    }
    check_operand *o = &c->operand[c->operands++];
    if (!o->region) {
        uint8_t *map = mmap(NULL, CHECK_ROOM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED || mprotect(map + PAGE, CHECK_ROOM, PROT_READ | PROT_WRITE) || !(o->shadow = malloc(CHECK_ROOM))) {
            fprintf(stderr, "check_kernels: no memory for operands\n");
            exit(2);
        }
        o->region = map + PAGE;
    }
    if (c->place == 0)
        o->at = o->region + (CHECK_ROOM - size) / unit * unit;
    else if (c->place == 1)
        o->at = o->region;
    else
        o->at = o->region + PAGE / 2 + (c->operands * 64 + check_below(c, 64 / unit ? 64 / unit : 1) * unit);
    o->size = size;
    o->unit = unit;
    for (uint8_t *p = o->at > o->region + GUARD ? o->at - GUARD : o->region; p < o->at + size + GUARD; p++)
        if (p < o->region + CHECK_ROOM)
            *p = poison_at(p);
    return o;
}

void *check_in(check *c, size_t size, size_t unit)
{
    check_operand *o = place_operand(c, size, unit);
    o->output = 0;
    return o->at;
}

void *check_in_aligned(check *c, size_t size, size_t align)
{
    return check_in(c, size, align);
}

check_pair check_out(check *c, size_t size, size_t unit)
{
    check_operand *o = place_operand(c, size, unit);
    o->output = 1;
    memcpy(o->shadow, o->at, size);
    return (check_pair){ o->at, o->shadow };
}

void check_begin(check *c)
{
    for (size_t i = 0; i < c->operands; i++)
        if (!c->operand[i].output)
            memcpy(c->operand[i].shadow, c->operand[i].at, c->operand[i].size);
    fault = 0;
    check_broken = 0;
    set_mxcsr(0x1f80);
    check_mxcsr = 0x1f80;
    check_saved[7] = 0;
}

static uint64_t element(const uint8_t *p, size_t unit)
{
    uint64_t v = 0;
    memcpy(&v, p, unit < 8 ? unit : 8);
    return v;
}

static int both_nan(uint64_t a, uint64_t b, size_t unit)
{
    return unit == 4 && (a & 0x7fffffff) > 0x7f800000 && (b & 0x7fffffff) > 0x7f800000;
}

static void compare(check *c, const check_operand *o, size_t number)
{
    if (!memcmp(o->at, o->shadow, o->size))
        return;
    const size_t unit = o->size % o->unit ? 1 : o->unit > 8 ? 1 : o->unit;
    for (size_t i = 0; i < o->size / unit; i++) {
        const uint64_t got = element(o->at + i * unit, unit), want = element(o->shadow + i * unit, unit);
        if (got != want && !(o->output && c->nan_alike && both_nan(got, want, unit))) {
            fail(c, "%s %zu element %zu: ref 0x%0*" PRIx64 " got 0x%0*" PRIx64, o->output ? "output" : "changed input", number, i,
                 (int)(2 * unit), want, (int)(2 * unit), got);
            return;
        }
    }
}

void check_end(check *c)
{
    check_saved[7] = 0;
    if (fault) {
        fail(c, "%s at address 0x%" PRIxPTR, strsignal(fault), (uintptr_t)fault_address);
        for (size_t i = 0; i < c->operands; i++)
            printf("    operand %zu: 0x%" PRIxPTR " .. 0x%" PRIxPTR "\n", i, (uintptr_t)c->operand[i].at,
                   (uintptr_t)(c->operand[i].at + c->operand[i].size));
        return;
    }
    for (size_t i = 0; i < sizeof broken_names / sizeof *broken_names; i++)
        if (check_broken >> i & 1)
            fail(c, "%s changed across the call", broken_names[i]);
    if ((check_mxcsr & 0xffc0) != 0x1f80)   /* the low six bits are sticky flags, which arithmetic sets */
        fail(c, "MXCSR was 0x1f80, is 0x%x", check_mxcsr);
    for (size_t i = 0; i < c->operands; i++) {
        const check_operand *o = &c->operand[i];
        compare(c, o, i);
        for (const uint8_t *p = o->at > o->region + GUARD ? o->at - GUARD : o->region; p < o->at + o->size + GUARD; p++) {
            if (p == o->at)
                p += o->size;
            if (p < o->region + CHECK_ROOM && *p != poison_at(p)) {
                fail(c, "operand %zu of %zu bytes: byte %td beyond it changed to 0x%02x", i, o->size, p - o->at, *p);
                break;
            }
        }
    }
}

void check_return_f32(check *c, float got, float want)
{
    uint32_t g, w;
    memcpy(&g, &got, sizeof g);
    memcpy(&w, &want, sizeof w);
    if (!fault && g != w && !(c->nan_alike && both_nan(g, w, 4)))
        fail(c, "returns: ref 0x%08x got 0x%08x", w, g);
}

void check_return_int(check *c, int64_t got, int64_t want)
{
    if (!fault && got != want)
        fail(c, "returns: ref %" PRId64 " got %" PRId64, want, got);
}

/* ---- timing ---- */

int check_clock_next(check_clock *clock)
{
    const uint64_t now = slm_clock_ns(), took = now - clock->started;
    if (clock->repeat == 0) {
        clock->repeat = 1;
    } else if (clock->rounds == 0 && took < 2000000) {      /* warm up and find a count that takes 2 ms */
        clock->repeat *= 2;
    } else {
        if (clock->rounds == 0 || took < clock->best)
            clock->best = took;
        if (++clock->rounds == 8)
            return 0;
    }
    clock->started = slm_clock_ns();
    return 1;
}

void check_clock_print(const check *c, const check_clock *clock, const char *label, double work, const char *unit, double peak)
{
    const double ns = (double)clock->best / (double)clock->repeat, rate = work / ns;
    char name[80];
    snprintf(name, sizeof name, "%s/%s", c->op, c->isa);
    printf("%-24s %-28s %10.0f ns  %8.2f G%s/s", name, label, ns, rate, unit);
    if (peak > 0)
        printf("  %3.0f %% of %.0f", 100 * rate / peak, peak);
    printf("\n");
    fflush(stdout);
}

#if defined(__x86_64__)
/* 16 independent chains: the rate of fma itself. */
#define FMA_LOOP(reg) \
    __asm__ volatile("1:\n" \
        ".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13\n vfmadd231ps %%" reg "14, %%" reg "15, %%" reg "\\r\n .endr\n" \
        "dec %0\n jnz 1b\n" \
        : "+r"(n) : : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", \
        "xmm12", "xmm13", "xmm14", "xmm15")

static double fma_peak(unsigned isa)
{
    if (isa == SLM_ISA_scalar)
        return 0;
    check_clock clock = { 0 };
    __asm__ volatile("vzeroall" : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                     "xmm12", "xmm13", "xmm14", "xmm15");
    while (check_clock_next(&clock)) {
        size_t n = clock.repeat;
        if (isa == SLM_ISA_avx512)
            FMA_LOOP("zmm");
        else
            FMA_LOOP("ymm");
    }
    __asm__ volatile("vzeroupper");
    return 14.0 * 2 * (isa == SLM_ISA_avx512 ? 16 : 8) * (double)clock.repeat / (double)clock.best;
}
#else
static double fma_peak(unsigned isa)
{
    (void)isa;
    return 0;
}
#endif

/* ---- the rows ---- */

static struct {
    const char *only;
    uint64_t seed;
    int thorough, bench;
    unsigned isas;
    size_t passed, failed, skipped, cases;
    double peak[16];
} run;

static int begin(check *c, const char *op, const char *isa, unsigned bit)
{
    char name[80];
    snprintf(name, sizeof name, "%s/%s", op, isa);
    if (run.only && strcmp(run.only, op) && strcmp(run.only, name))
        return 0;
    if (!(run.isas & bit)) {
        printf("skipped %s: this CPU lacks %s\n", name, isa);
        run.skipped++;
        return 0;
    }
    c->op = op;
    c->isa = isa;
    c->seed = run.seed;
    c->state = run.seed;
    for (const char *p = op; *p; p++)
        c->state = (c->state ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    c->thorough = run.thorough;
    c->nan_alike = 0;
    c->cases = c->failures = 0;
    c->peak = run.peak[bit];
    return 1;
}

static void end(check *c, uint64_t started)
{
    if (run.bench)
        return;
    printf("%s %s/%s: %zu cases, %" PRIu64 " ms\n", c->failures ? "FAILED " : "ok     ", c->op, c->isa, c->cases,
           (slm_clock_ns() - started) / 1000000);
    fflush(stdout);
    run.cases += c->cases;
    if (c->failures)
        run.failed++;
    else
        run.passed++;
}

#if defined(__x86_64__)
#define THROUGH(op, fn) (check_target = (void (*)(void))(fn), (slm_##op##_fn *)check_trampoline)
#else
#define THROUGH(op, fn) (fn)
#endif

static void all_rows(check *c)
{
#define SLM_OP(op, ret, params)
#define SLM_IMPL(op, isa)                                                   \
    if (begin(c, #op, #isa, SLM_ISA_##isa)) {                               \
        const uint64_t started = slm_clock_ns();                            \
        if (run.bench)                                                      \
            bench_##op(c, slm_##op##_##isa);                                \
        else                                                                \
            check_##op(c, THROUGH(op, slm_##op##_##isa));                   \
        end(c, started);                                                    \
    }
#include "kernels/kernels.def"
}

static int read_u64(const char *text, uint64_t *value)
{
    char *rest;
    *value = strtoull(text, &rest, 0);
    return *text && !*rest;
}

int main(int argc, char **argv)
{
    static check c;
    const char *seed = getenv("SEED");
    run.isas = slm_cpu_masked(0);
    run.seed = slm_clock_ns() % 1000000007;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--only") && i + 1 < argc)
            run.only = argv[++i];
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = argv[++i];
        else if (!strcmp(argv[i], "--full"))
            run.thorough = 1;
        else if (!strcmp(argv[i], "--bench"))
            run.bench = 1;
        else
            return fprintf(stderr, "usage: check_kernels [--only op[/isa]] [--seed N] [--full] [--bench]\n"), 2;
    }
    if (seed && !read_u64(seed, &run.seed))
        return fprintf(stderr, "check_kernels: seed '%s' is not a number\n", seed), 2;

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO;
    const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);

    check_vectors = run.isas & SLM_ISA_avx512 ? 3 : run.isas & SLM_ISA_avx2 ? 1 : 0;
    if (run.bench)
        for (unsigned isa = 1; isa <= SLM_ISA_avxvnni; isa *= 2)
            if (run.isas & isa)
                run.peak[isa] = fma_peak(isa);
    printf("seed 0x%" PRIx64 "\n", run.seed);
    all_rows(&c);
    if (run.bench)
        return 0;
    if (run.only && run.passed + run.failed + run.skipped == 0)
        return fprintf(stderr, "check_kernels: no row '%s' in kernels.def\n", run.only), 2;
    printf("%zu cases\n%zu passed, %zu failed, %zu skipped\n", run.cases, run.passed, run.failed, run.skipped);
    return run.failed != 0;
}
