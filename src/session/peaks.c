/* peaks.c -- measures what the machine can do, so that every speed can be told as a ratio. Each of the three rates is measured five
 * times in turn, because other guests of the machine come and go, and its median counts. */
#include "core/clock.h"
#include "core/cpu.h"
#include "core/params.h"
#include "core/team.h"
#include "kernels/kernels.h"

#include <errno.h>
#include <string.h>

enum { ROUNDS = 5, PIECE = 1 << 20 };
static const size_t BUFFER = (size_t)256 << 20;     /* eight times the largest last cache in common use */

typedef struct task {
    double work;            /* done by this task */
    uint64_t sum;           /* keeps the reads alive */
    uint8_t pad[48];        /* a cache line each */
} task;

typedef struct job {
    const slm_kernels *kernels;
    uint8_t *buffer;        /* [BUFFER] */
    size_t n;               /* tasks */
    uint64_t ns;            /* of one task */
    task *tasks;            /* [n] */
} job;

static void touch(void *ctx, size_t index)
{
    const job *j = ctx;
    size_t begin, end;
    slm_team_part(BUFFER / PIECE, j->n, index, &begin, &end);
    memset(j->buffer + begin * PIECE, 1, (end - begin) * PIECE);    /* untouched memory is one page of zeros */
}

static void read_memory(void *ctx, size_t index)
{
    const job *j = ctx;
    task *t = &j->tasks[index];
    size_t begin, end;
    slm_team_part(BUFFER / PIECE, j->n, index, &begin, &end);
    const uint64_t until = slm_clock_ns() + j->ns;
    size_t at = begin;
    do {
        t->sum += j->kernels->read_sum(j->buffer + at * PIECE, PIECE);
        t->work += PIECE;
        at = at + 1 < end ? at + 1 : begin;
    } while (slm_clock_before(until));
}

static void run_peak(const job *j, size_t index, double (*loop)(size_t))
{
    const uint64_t until = slm_clock_ns() + j->ns;
    double work = 0;
    do
        work += loop(2000);
    while (slm_clock_before(until));
    j->tasks[index].work += work;
}

static void dot_i8(void *ctx, size_t index)
{
    const job *j = ctx;
    run_peak(j, index, j->kernels->peak_dot_i8);
}

static void fma_f32(void *ctx, size_t index)
{
    const job *j = ctx;
    run_peak(j, index, j->kernels->peak_fma_f32);
}

/* Work per nanosecond of all tasks together: 1e9 units per second. 0: no clock to measure by. */
static double rate(slm_team *team, job *j, slm_task_fn *fn)
{
    double work = 0;
    memset(j->tasks, 0, j->n * sizeof *j->tasks);
    const uint64_t start = slm_clock_ns();
    slm_team_run(team, j->n, fn, j);
    const uint64_t ns = slm_clock_since(start);
    for (size_t i = 0; i < j->n; i++)
        work += j->tasks[i].work;
    return ns ? work / (double)ns : 0;
}

static double median(double *v)
{
    for (size_t i = 1; i < ROUNDS; i++)
        for (size_t k = i; k > 0 && v[k] < v[k - 1]; k--) {
            const double swap = v[k];
            v[k] = v[k - 1];
            v[k - 1] = swap;
        }
    return v[ROUNDS / 2];
}

slm_status slm_peaks_measure(slm_peaks *peaks, uint32_t threads, unsigned isa, double seconds, slm_error *err)
{
    static slm_task_fn *const loops[3] = { read_memory, dot_i8, fma_f32 };
    slm_peaks result = SLM_PEAKS_INIT;
    double rates[3][ROUNDS];
    slm_heap heap;
    slm_kernels kernels;
    slm_team *team = NULL;
    job j = { &kernels, NULL, 0, 0, NULL };
    slm_status status;

    if (!peaks)
        return slm_fail(err, SLM_E_ARG, "peaks is NULL");
    if (!(seconds >= 0 && seconds <= 3600))
        return slm_fail(err, SLM_E_ARG, "seconds is %g, allowed are 0 (the default) to 3600", seconds);
    slm_heap_init(&heap, NULL, 0);
    slm_kernels_select(&kernels, slm_cpu_masked(isa));
    status = slm_team_new(&team, &heap, SLM_TEAM_PTHREAD, threads, NULL, err);
    if (status)
        goto out;
    j.n = slm_team_width(team);
    j.ns = (uint64_t)((seconds > 0 ? seconds : 0.5) * 1e9 / (3 * ROUNDS)) + 1;
    j.buffer = slm_heap_alloc(&heap, BUFFER);
    j.tasks = slm_heap_array(&heap, j.n, sizeof *j.tasks);
    if (!j.buffer || !j.tasks) {
        status = slm_fail(err, SLM_E_MEMORY, "peaks: %zu bytes to read from", BUFFER);
        goto out;
    }
    slm_team_run(team, j.n, touch, &j);
    for (size_t k = 0; k < 3 * ROUNDS; k++)
        if ((rates[k % 3][k / 3] = rate(team, &j, loops[k % 3])) <= 0) {
            status = slm_fail_errno(err, SLM_E_IO, errno, "peaks: clock_gettime");
            goto out;
        }
    result.read_gb_s = median(rates[0]);
    result.vnni_gmac_s = median(rates[1]);
    result.fma_gflop_s = median(rates[2]);
    status = slm_params_write(peaks, &result, sizeof result, err);
out:
    slm_team_free(team);
    slm_heap_free(&heap, j.tasks);
    slm_heap_free(&heap, j.buffer);
    return status;
}
