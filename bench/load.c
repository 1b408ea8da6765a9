/* load.c -- how fast a model opens, packing included, against how fast its file can be read from the page cache at all.
 *
 *   bench/load [-t threads] [-n rounds] MODEL
 *
 * In each round the file is read once by as many threads as open it, in the pieces that opening reads, and opened once; the medians
 * count. The first round, which may read from the disk, does not. The ratio of processor times says the same where other programs hold
 * up the clock. `slm make-model tinyllama-1.1b FILE --type q4_k_m` makes a file.
 *
 * Reading ends in the same 256 KB each time. A model that lies in memory needs as much of it, fresh from the kernel, which clears it: so the
 * file is also read as it is into as much fresh memory as it has bytes, which is the least that a program can do that keeps it. */
#include "figure.h"

#include "core/clock.h"
#include "core/team.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 256 * 1024, MOST_ROUNDS = 99, MOST_THREADS = 64 };

typedef struct job {
    int file;
    uint64_t size;
    size_t n;                   /* tasks */
    uint8_t *room;              /* [n][PIECE] */
    uint8_t *fresh;             /* [size]; NULL: read into room */
    bool failed[MOST_THREADS];
} job;

static void read_part(void *ctx, size_t index)
{
    job *j = ctx;
    const uint64_t begin = j->size / j->n * index, end = index + 1 == j->n ? j->size : j->size / j->n * (index + 1);
    for (uint64_t at = begin; at < end; ) {
        uint8_t *to = j->fresh ? j->fresh + at : j->room + index * PIECE;
        const ssize_t got = pread(j->file, to, end - at < PIECE ? (size_t)(end - at) : PIECE, (off_t)at);
        if (got <= 0) {
            j->failed[index] = true;
            return;
        }
        at += (uint64_t)got;
    }
}

/* Of all threads. */
static double processor_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int fail(const char *path, const char *text)
{
    (void)fprintf(stderr, "load: %s: %s\n", path, text);
    return 1;
}

int main(int argc, char **argv)
{
    static double read_rate[MOST_ROUNDS], open_rate[MOST_ROUNDS], ratio[MOST_ROUNDS], read_cpu[MOST_ROUNDS], open_cpu[MOST_ROUNDS], cpu_ratio[MOST_ROUNDS];
    static double keep_rate[MOST_ROUNDS], keep_ratio[MOST_ROUNDS];
    static job j;
    slm_error err = { 0 };
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    slm_heap heap;
    slm_team *team = NULL;
    struct stat st;
    size_t rounds = 5;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-t") && i + 1 < argc)
            params.threads = (uint32_t)strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "-n") && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
    }
    if (i + 1 != argc || rounds < 1 || rounds > MOST_ROUNDS || params.threads > MOST_THREADS) {
        (void)fprintf(stderr, "usage: load [-t threads (0 .. %d)] [-n rounds (1 .. %d)] MODEL\n", MOST_THREADS, MOST_ROUNDS);
        return 2;
    }
    const char *path = argv[i];
    slm_heap_init(&heap, NULL, 0);
    if (slm_team_new(&team, &heap, SLM_TEAM_OPENMP, params.threads, NULL, &err))
        return fail(path, err.text);
    j.n = slm_team_width(team) < MOST_THREADS ? slm_team_width(team) : MOST_THREADS;
    j.file = open(path, O_RDONLY | O_CLOEXEC);
    j.room = slm_heap_alloc(&heap, j.n * PIECE);
    if (j.file < 0 || fstat(j.file, &st) || !j.room)
        return fail(path, j.room ? "cannot be read" : "no memory");
    j.size = (uint64_t)st.st_size;
    for (size_t round = 0; round <= rounds; round++) {
        slm_model *model = NULL;
        const size_t r = round ? round - 1 : 0;
        const uint64_t start = slm_clock_ns();
        const double cpu_start = processor_ns();
        slm_team_run(team, j.n, read_part, &j);
        const uint64_t between = slm_clock_ns();
        const double cpu_between = processor_ns();
        const slm_status status = slm_model_open(&model, path, &params, &err);
        const uint64_t end = slm_clock_ns();
        const double cpu_end = processor_ns();
        slm_model_free(model);
        const uint64_t keep_start = slm_clock_ns();
        j.fresh = slm_heap_alloc(&heap, (size_t)j.size);
        if (!j.fresh)
            return fail(path, "no memory");
        slm_team_run(team, j.n, read_part, &j);
        const uint64_t keep_end = slm_clock_ns();
        slm_heap_free(&heap, j.fresh);
        j.fresh = NULL;
        for (size_t t = 0; t < j.n; t++)
            if (j.failed[t])
                return fail(path, "cannot be read");
        if (status)
            return fail(path, err.text);
        read_rate[r] = (double)j.size / (double)(between - start);
        open_rate[r] = (double)j.size / (double)(end - between);
        keep_rate[r] = (double)j.size / (double)(keep_end - keep_start);
        keep_ratio[r] = open_rate[r] / keep_rate[r];
        ratio[r] = open_rate[r] / read_rate[r];
        read_cpu[r] = (cpu_between - cpu_start) * 1e-6;
        open_cpu[r] = (cpu_end - cpu_between) * 1e-6;
        cpu_ratio[r] = read_cpu[r] / open_cpu[r];
    }
    const double reading = figure_median(read_rate, rounds), opening = figure_median(open_rate, rounds);
    figure_print("load", opening, "GB/s", reading, "reading the file", figure_median(ratio, rounds), "%s: open", figure_name(path));
    figure_print("load", opening, "GB/s", figure_median(keep_rate, rounds), "reading it into fresh memory", figure_median(keep_ratio, rounds),
                 "%s: reading, kept: open", figure_name(path));
    figure_print("load", (double)j.size / opening * 1e-6, "ms", 0, "", 0, "%s: open", figure_name(path));
    figure_print("load", figure_median(open_cpu, rounds), "processor ms", figure_median(read_cpu, rounds), "reading the file",
                 figure_median(cpu_ratio, rounds), "%s: open", figure_name(path));
    figure_peaks("load", params.threads, 0);
    (void)close(j.file);
    slm_heap_free(&heap, j.room);
    slm_team_free(team);
    return 0;
}
