/* sgemm.c -- products of F32 weights with 512 tokens beside sgemm of OpenBLAS, at every shape of the models that the benches are about.
 *
 *   bench/peers/sgemm [-t threads] [-n rounds] [-c cols]
 *
 * y[tokens][rows] = x[tokens][cols] * w[rows][cols]^T. Ours reads the weights as panels, as they lie in memory after a model was opened; theirs
 * as they are stored, the second factor transposed. Each round runs ours between two of the peak, rests, and runs theirs; by the clock, for
 * OpenBLAS has threads of its own. The rests let the other's threads end their waiting. Results are compared with theirs: an error in
 * either would be far beyond the rounding of sums in another order. OPENBLAS_CORETYPE chooses their kernels. */
#include "figure.h"

#include "core/clock.h"
#include "core/cpu.h"
#include "core/team.h"
#include "kernels/kernels.h"

#include <cblas.h>
#include <time.h>

enum { TOKENS = 512, STRIP = 128, MOST_ROUNDS = 99, REST_MS = 50 };      /* STRIP: tokens that a thread takes at once, as in a pass of many */

static const struct { size_t cols, rows; } shapes[] = {
    { 576, 576 },   { 576, 192 },   { 576, 1536 },  { 1536, 576 },      /* smollm2-135m */
    { 896, 896 },   { 896, 128 },   { 896, 4864 },  { 4864, 896 },      /* qwen2.5-0.5b */
    { 2048, 2048 }, { 2048, 256 },  { 2048, 5632 }, { 5632, 2048 },     /* tinyllama-1.1b */
    { 3072, 3072 }, { 3072, 1024 }, { 3072, 8192 }, { 8192, 3072 },     /* llama-3.2-3b */
};

typedef struct job {
    slm_kernels k;
    slm_team *team;
    float *x, *w, *panels, *y, *theirs;     /* [TOKENS][cols], [rows][cols], [rows/16][cols][16], [TOKENS][rows] twice */
    size_t cols, rows, tasks;
    double work[64];
} job;

static void product(void *ctx, size_t index)
{
    job *j = ctx;
    size_t begin, end;
    slm_team_part(TOKENS, j->tasks, index, &begin, &end);
    j->k.mul_f32(j->y + begin * j->rows, j->rows, j->panels, j->x + begin * j->cols, j->cols, end - begin, j->rows, j->cols / 64);
}

static void peak(void *ctx, size_t index)
{
    job *j = ctx;
    const uint64_t start = slm_clock_ns();
    double work = 0, ns;
    do
        work += j->k.peak_fma_f32(20000);
    while ((ns = (double)(slm_clock_ns() - start)) < 5e6);
    j->work[index] = work / ns / 2;         /* two operations are one multiplication here */
}

static double peak_rate(job *j)
{
    double sum = 0;
    const size_t n = slm_team_width(j->team) < 64 ? slm_team_width(j->team) : 64;
    slm_team_run(j->team, n, peak, j);
    for (size_t i = 0; i < n; i++)
        sum += j->work[i];
    return sum;
}

static void rest(void)
{
    const struct timespec t = { 0, REST_MS * 1000000L };
    (void)nanosleep(&t, NULL);
}

/* GMAC/s of `repeats` products, after one that warms up. */
static double ours(job *j, size_t repeats, double macs)
{
    slm_team_run(j->team, j->tasks, product, j);
    const uint64_t start = slm_clock_ns();
    for (size_t r = 0; r < repeats; r++)
        slm_team_run(j->team, j->tasks, product, j);
    return macs * (double)repeats / (double)(slm_clock_ns() - start);
}

static double theirs(job *j, size_t repeats, double macs)
{
    uint64_t start = 0;
    for (size_t r = 0; r <= repeats; r++) {
        start = r == 1 ? slm_clock_ns() : start;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, TOKENS, (blasint)j->rows, (blasint)j->cols, 1, j->x, (blasint)j->cols, j->w,
                    (blasint)j->cols, 0, j->theirs, (blasint)j->rows);
    }
    return macs * (double)repeats / (double)(slm_clock_ns() - start);
}

static int shape(job *j, size_t rounds)
{
    double of_peak[MOST_ROUNDS], of_them[MOST_ROUNDS], mine[MOST_ROUNDS], other[MOST_ROUNDS];
    const double macs = (double)j->rows * (double)j->cols * TOKENS;
    const size_t repeats = 1 + (size_t)(2e9 / macs), width = slm_team_width(j->team);
    j->tasks = (TOKENS + STRIP * width - 1) / (STRIP * width) * width;
    for (size_t i = 0; i < j->rows * j->cols; i++) {
        const size_t row = i / j->cols, col = i % j->cols;
        j->w[i] = (float)((int)(i * 2654435761u % 2001) - 1000) * 1e-3f;
        j->panels[(row / 16 * j->cols + col) * 16 + row % 16] = j->w[i];
    }
    for (size_t r = 0; r < rounds; r++) {
        const double before = peak_rate(j);
        mine[r] = ours(j, repeats, macs);
        of_peak[r] = mine[r] / ((before + peak_rate(j)) / 2);
        rest();
        other[r] = theirs(j, repeats, macs);
        of_them[r] = mine[r] / other[r];
        rest();
    }
    for (size_t i = 0; i < TOKENS * j->rows; i++) {
        const float apart = j->y[i] - j->theirs[i];
        if (!(apart < 1e-2f && apart > -1e-2f)) {           /* sums of at most 8192 products below 1 */
            (void)fprintf(stderr, "sgemm: %zux%zu: results differ at %zu: %g and %g\n", j->cols, j->rows, i, (double)j->y[i], (double)j->theirs[i]);
            return 1;
        }
    }
    const double us = figure_median(mine, rounds), share = figure_median(of_peak, rounds);
    figure_print("peers", us, "GMAC/s", us / share, "fma", share, "f32 %zux%zu, %d tokens: ours", j->cols, j->rows, TOKENS);
    figure_print("peers", us, "GMAC/s", figure_median(other, rounds), "OpenBLAS", figure_median(of_them, rounds),
                 "f32 %zux%zu, %d tokens: beside OpenBLAS (%s)", j->cols, j->rows, TOKENS, openblas_get_corename());
    return 0;
}

int main(int argc, char **argv)
{
    static job j;
    slm_heap heap;
    slm_error err;
    size_t rounds = 5, only = 0;
    uint32_t threads = 0;
    int failed = 0;
    for (int i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const size_t v = strtoul(argv[i + 1], NULL, 10);
        if (argv[i][1] == 't') threads = (uint32_t)v;
        if (argv[i][1] == 'n') rounds = v < 1 ? 1 : v > MOST_ROUNDS ? MOST_ROUNDS : v;
        if (argv[i][1] == 'c') only = v;
    }
    slm_heap_init(&heap, NULL, 0);
    slm_kernels_select(&j.k, slm_cpu_masked(0));
    if (slm_team_new(&j.team, &heap, SLM_TEAM_PTHREAD, threads, NULL, &err))
        return fprintf(stderr, "sgemm: %s\n", err.text), 1;
    openblas_set_num_threads((int)slm_team_width(j.team));
    const size_t most = 8192 * 3072;
    j.x = slm_heap_alloc(&heap, sizeof(float) * TOKENS * 8192);
    j.y = slm_heap_alloc(&heap, sizeof(float) * TOKENS * 8192);
    j.theirs = slm_heap_alloc(&heap, sizeof(float) * TOKENS * 8192);
    j.w = slm_heap_alloc(&heap, sizeof(float) * most);
    j.panels = slm_heap_alloc(&heap, sizeof(float) * most);
    if (!j.x || !j.y || !j.theirs || !j.w || !j.panels)
        return fprintf(stderr, "sgemm: no memory\n"), 1;
    for (size_t i = 0; i < (size_t)TOKENS * 8192; i++)
        j.x[i] = (float)((int)(i * 2246822519u % 2001) - 1000) * 1e-3f;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes && !failed; s++) {
        j.cols = shapes[s].cols;
        j.rows = shapes[s].rows;
        if (!only || only == j.cols)
            failed = shape(&j, rounds);
    }
    float *const all[] = { j.x, j.y, j.theirs, j.w, j.panels };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        slm_heap_free(&heap, all[i]);
    slm_team_free(j.team);
    return failed;
}
