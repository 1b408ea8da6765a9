/* mul.c -- how fast the products are, as ratios to what the machine gives in the same minute: each measurement of a kernel stands
 * between two of the peak, and the median of the ratios counts. Times are the processor's, thread by thread, so that other programs
 * on the same cores disturb little.
 *
 *   bench/mul [-t threads] [-i isa mask] [-n rounds] [-k tokens] [-c cols] [type ...]
 *
 * Up to 16 tokens: the matrices together are 256 MiB, beyond any last cache, and are read in turn; a second line has the bytes of
 * weights per second beside the bandwidth of read_sum, a third the time beside that of one token. */
#include "figure.h"

#include "core/cpu.h"
#include "core/team.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_TOKENS = 512, MOST_ROUNDS = 101, TURNS = 3 };      /* TURNS: of a round of one token, which takes milliseconds */
static const size_t BUFFER = (size_t)256 << 20;

typedef struct job {
    slm_kernels k;
    slm_mul_fn *mul;
    double (*peak)(size_t);
    uint8_t *w;
    float *y;
    const void *x;
    size_t n, ldx, tokens, rows, steps, step_bytes, head, matrices, repeats;
    uint64_t sum;
    double rate[64];        /* work per nanosecond of each task */
} job;

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fill(void *ctx, size_t index)
{
    const job *j = ctx;
    size_t begin, end;
    slm_team_part(BUFFER / 4096, j->n, index, &begin, &end);
    uint64_t state = index + 1;
    for (size_t i = begin * 512; i < end * 512; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        /* halves and floats between about 0.01 and 2 in size in every field, whatever the type */
        const uint64_t v = (state >> 8 & UINT64_C(0x83ff83ff83ff83ff)) | UINT64_C(0x3c002c003c002c00);
        memcpy(j->w + 8 * i, &v, 8);
    }
}

static void product(void *ctx, size_t index)
{
    job *j = ctx;
    const size_t panels = j->rows / 16, panel = j->head + j->steps * j->step_bytes;
    size_t begin, end;
    slm_team_part(panels, j->n, index, &begin, &end);
    const double start = cpu_ns();
    for (size_t r = 0; r < j->repeats; r++)
        for (size_t m = 0; m < j->matrices; m++)
            j->mul(j->y + begin * 16, j->rows, j->w + (m * panels + begin) * panel, j->x, j->ldx, j->tokens, (end - begin) * 16, j->steps);
    j->rate[index] = (double)(j->repeats * j->matrices * (end - begin)) / (double)panels / (cpu_ns() - start);
}

static void peak(void *ctx, size_t index)
{
    job *j = ctx;
    const double start = cpu_ns();
    double work = 0, ns;
    do
        work += j->peak(20000);
    while ((ns = cpu_ns() - start) < 5e6);
    j->rate[index] = work / ns;
}

static void read_all(void *ctx, size_t index)
{
    job *j = ctx;
    size_t begin, end;
    slm_team_part(BUFFER / 4096, j->n, index, &begin, &end);
    const double start = cpu_ns();
    *(volatile uint64_t *)&j->sum = j->k.read_sum(j->w + begin * 4096, (end - begin) * 4096);
    j->rate[index] = (double)((end - begin) * 4096) / (cpu_ns() - start);
}

/* Work per nanosecond of all tasks. */
static double rate(slm_team *team, job *j, slm_task_fn *fn)
{
    double sum = 0;
    slm_team_run(team, j->n, fn, j);
    for (size_t i = 0; i < j->n; i++)
        sum += j->rate[i];
    return sum;
}

int main(int argc, char **argv)
{
    static const struct { const char *name; size_t step; int block; size_t head; } types[] = {
        { "f32", SLM_STEP_F32, 0, 0 }, { "f16", SLM_STEP_F16, 0, 0 }, { "bf16", SLM_STEP_F16, 0, 0 },
        { "q8_0", SLM_STEP_Q8_0, 1, 0 }, { "q4_0", SLM_STEP_Q4_0, 1, 0 },
        { "q4_1", SLM_STEP_Q4_1, 1, 0 }, { "q5_0", SLM_STEP_Q5_0, 1, 0 }, { "q5_1", SLM_STEP_Q5_1, 1, 0 },
        { "q4_k", SLM_STEP_Q4_K, 1, 0 }, { "q5_k", SLM_STEP_Q5_K, 1, 0 }, { "q6_k", SLM_STEP_Q6_K, 1, 0 },
        { "q2_k", SLM_STEP_Q2_K, 1, 0 }, { "q3_k", SLM_STEP_Q3_K, 1, 0 }, { "iq4_nl", SLM_STEP_IQ4_NL, 1, 0 }, { "iq4_xs", SLM_STEP_IQ4_XS, 1, 0 },
        { "w8a8", SLM_STEP_W8A8, 1, 64 },
    };
    static const struct { size_t cols, rows; } shapes[] = { { 2048, 5632 }, { 5632, 2048 }, { 896, 4864 }, { 576, 1536 } };
    static const size_t lengths[] = { 1, 2, 4, 8, 12, 16, 512 };
    size_t rounds = 7, only_tokens = 0, only_cols = 0;
    unsigned isa = 0;
    uint32_t only_threads = 0;
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        const size_t v = strtoul(argv[at + 1], NULL, 10);
        if (argv[at][1] == 't') only_threads = (uint32_t)v;
        if (argv[at][1] == 'i') isa = (unsigned)v;
        if (argv[at][1] == 'n') rounds = v < 1 ? 1 : v > MOST_ROUNDS ? MOST_ROUNDS : v;
        if (argv[at][1] == 'k') only_tokens = v;
        if (argv[at][1] == 'c') only_cols = v;
    }
    slm_heap heap;
    slm_error err;
    job *j = calloc(1, sizeof *j);
    slm_heap_init(&heap, NULL, 0);
    slm_kernels_select(&j->k, slm_cpu_masked(isa));
    j->w = slm_heap_alloc(&heap, BUFFER);
    j->y = slm_heap_alloc(&heap, sizeof(float) * MOST_TOKENS * 5632);
    float *xf = slm_heap_alloc(&heap, sizeof(float) * MOST_TOKENS * 5632);
    slm_xblock *xb = slm_heap_alloc(&heap, sizeof(slm_xblock) * MOST_TOKENS * 5632 / 32);
    uint8_t *xr = slm_heap_alloc(&heap, MOST_TOKENS * (sizeof(slm_xrow) + 5632));
    if (!j->w || !j->y || !xf || !xb || !xr)
        return fprintf(stderr, "mul: no memory\n"), 1;
    for (size_t i = 0; i < (size_t)MOST_TOKENS * 5632; i++)
        xf[i] = (float)((int)(i * 2654435761u % 2001) - 1000) * 1e-3f;
    (void)slm_quantize_x_scalar(xb, xf, (size_t)MOST_TOKENS * 5632);
    for (uint32_t threads = 1; threads <= 2; threads++) {
        if (only_threads && threads != only_threads)
            continue;
        slm_team *team = NULL;
        if (slm_team_new(&team, &heap, SLM_TEAM_OPENMP, threads, NULL, &err))
            return fprintf(stderr, "mul: %s\n", err.text), 1;
        j->n = slm_team_width(team);
        slm_team_run(team, j->n, fill, j);
        for (size_t y = 0; y < sizeof types / sizeof *types; y++) {
            int wanted = at >= argc;
            for (int a = at; a < argc; a++)
                wanted |= strcmp(argv[a], types[y].name) == 0;
            if (!wanted)
                continue;
            slm_mul_fn *const fns[] = { j->k.mul_f32, j->k.mul_f16, j->k.mul_bf16, j->k.mul_q8_0, j->k.mul_q4_0,
                                         j->k.mul_q4_1, j->k.mul_q5_0, j->k.mul_q5_1, j->k.mul_q4_k, j->k.mul_q5_k, j->k.mul_q6_k,
                                         j->k.mul_q2_k, j->k.mul_q3_k, j->k.mul_iq4_nl, j->k.mul_iq4_xs, j->k.mul_w8a8 };
            j->mul = fns[y];
            j->step_bytes = types[y].step;
            j->head = types[y].head;
            j->peak = types[y].block ? j->k.peak_dot_i8 : j->k.peak_fma_f32;
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
                double one = 0;
                if (only_cols && shapes[s].cols != only_cols)
                    continue;
                j->rows = shapes[s].rows;
                j->steps = shapes[s].cols / 64;
                j->x = types[y].block ? (const void *)xb : (const void *)xf;
                j->ldx = types[y].block ? j->steps * 2 : j->steps * 64;
                if (types[y].head) {
                    j->x = xr;
                    j->ldx = sizeof(slm_xrow) + j->steps * 64;
                    for (size_t t = 0; t < MOST_TOKENS; t++)
                        (void)slm_quantize_row_scalar((slm_xrow *)(void *)(xr + t * j->ldx), xf + t * j->steps * 64, j->steps * 64);
                }
                const double macs = (double)shapes[s].rows * (double)shapes[s].cols;
                const size_t bytes = j->rows / 16 * (j->head + j->steps * j->step_bytes);
                for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
                    static double of_peak[TURNS * MOST_ROUNDS], of_read[TURNS * MOST_ROUNDS], ns[TURNS * MOST_ROUNDS];
                    char what[128];
                    if (only_tokens && lengths[l] != only_tokens && lengths[l] != 1)
                        continue;
                    j->tokens = lengths[l];
                    j->matrices = lengths[l] <= 16 ? BUFFER / bytes : 1;
                    j->repeats = lengths[l] <= 16 ? 1 : 1 + (size_t)(5e9 / (macs * (double)lengths[l]));
                    const size_t n = lengths[l] == 1 ? TURNS * rounds : rounds;
                    for (size_t r = 0; r < n; r++) {
                        const double p = rate(team, j, peak) * (types[y].block ? 1.0 : 0.5);
                        const double b = rate(team, j, read_all);
                        ns[r] = 1 / rate(team, j, product);
                        const double b2 = rate(team, j, read_all);
                        const double p2 = rate(team, j, peak) * (types[y].block ? 1.0 : 0.5);
                        of_peak[r] = macs * (double)j->tokens / ns[r] / ((p + p2) / 2);
                        of_read[r] = (double)bytes / ns[r] / ((b + b2) / 2);
                    }
                    const double t = figure_median(ns, n), gmacs = macs * (double)j->tokens / t, peak_share = figure_median(of_peak, n);
                    one = lengths[l] == 1 ? t : one;
                    (void)snprintf(what, sizeof what, "%s %zux%zu, %zu tokens, %" PRIu32 " threads", types[y].name, shapes[s].cols, shapes[s].rows,
                                   j->tokens, threads);
                    figure_print("kernels", gmacs, "GMAC/s", gmacs / peak_share, types[y].block ? "vnni" : "fma", peak_share, "%s", what);
                    if (lengths[l] > 16)
                        continue;
                    const double read_share = figure_median(of_read, n);
                    figure_print("kernels", (double)bytes / t, "GB/s", (double)bytes / t / read_share, "read", read_share, "%s", what);
                    figure_print("kernels", t * 1e-6, "ms", one * 1e-6, "one token", t / one, "%s", what);
                }
            }
        }
        slm_team_free(team);
    }
    slm_heap_free(&heap, xr);
    slm_heap_free(&heap, xb);
    slm_heap_free(&heap, xf);
    slm_heap_free(&heap, j->y);
    slm_heap_free(&heap, j->w);
    free(j);
    return 0;
}
