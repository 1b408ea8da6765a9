/* threads.c -- what more threads than cores, a busy neighbour and doing nothing cost.
 *
 *   bench/threads [-n rounds] MODEL
 *
 * Steps of one token, 16 a round; each round visits all scenes in turn and the median counts. The bound is the speed of two threads:
 *   threads   1, 2, 4 and 8 of the model's own
 *   neighbour two threads while another process takes half of one core's time (the cores' share that is left is .75)
 *   openmp    two threads of the OpenMP runtime, alone and with the neighbour
 *   idle      processor time of this process while it waits 200 ms after a step of two threads, per second */
#include "figure.h"

#include "core/clock.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STEPS = 16, MOST_ROUNDS = 99, CONTEXT = 128, MODELS = 5, SCENES = 7 };

typedef struct scene {
    const char *name;
    size_t model;
    int neighbour;
} scene;

static const uint32_t widths[MODELS] = { 1, 2, 4, 8, 2 };      /* the last with OpenMP */
static const scene scenes[SCENES] = {
    { "threads 1", 0, 0 }, { "threads 2", 1, 0 }, { "threads 4", 2, 0 }, { "threads 8", 3, 0 }, { "neighbour", 1, 1 },
    { "openmp", 4, 0 }, { "openmp, neighbour", 4, 1 },
};

static double processor_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void sleep_ms(long ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL);
}

/* A process that works 4 ms and rests 4 ms. */
static pid_t start_neighbour(void)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        const uint64_t until = slm_clock_ns() + 4000000;
        while (slm_clock_ns() < until)
            ;
        sleep_ms(4);
    }
}

/* Milliseconds of a step, or less than 0. */
static double steps(slm_session *session, slm_error *err)
{
    const int32_t token = 5;
    const uint64_t start = slm_clock_ns();
    for (int i = 0; i < STEPS; i++)
        if (slm_session_feed(session, &token, 1, err))
            return -1;
    const double ms = (double)(slm_clock_ns() - start) * 1e-6 / STEPS;
    return slm_session_truncate(session, 0, err) ? -1 : ms;
}

static int run(const char *name, size_t rounds, slm_session *const *sessions, slm_error *err)
{
    static double ms[SCENES][MOST_ROUNDS];
    for (size_t round = 0; round <= rounds; round++)            /* the first one warms up */
        for (size_t i = 0; i < SCENES; i++) {
            const pid_t neighbour = scenes[i].neighbour ? start_neighbour() : -1;
            const double one = steps(sessions[scenes[i].model], err);
            if (neighbour > 0) {
                (void)kill(neighbour, SIGKILL);
                (void)waitpid(neighbour, NULL, 0);
            }
            if (one < 0)
                return 1;
            ms[i][round ? round - 1 : 0] = one;
        }
    const double two = figure_median(ms[1], rounds);
    for (size_t i = 0; i < SCENES; i++) {
        const double t = figure_median(ms[i], rounds);
        figure_print("threads", 1e3 / t, "steps/s", 1e3 / two, "two threads", two / t, "%s: %s", name, scenes[i].name);
    }
    sleep_ms(50);               /* those of OpenMP spin on for a while */
    const double last = steps(sessions[1], err), before = processor_ms();
    if (last < 0)
        return 1;
    sleep_ms(200);
    figure_print("threads", (processor_ms() - before) * 5, "processor ms/s", 0, "", 0, "%s: idle", name);
    return 0;
}

int main(int argc, char **argv)
{
    slm_error err = { 0 };
    slm_model *models[MODELS] = { NULL };
    slm_session *sessions[MODELS] = { NULL };
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    const int counted = argc == 4 && strcmp(argv[1], "-n") == 0;
    const size_t rounds = counted ? strtoul(argv[2], NULL, 10) : 7;
    if ((argc != 2 && !counted) || rounds < 1 || rounds > MOST_ROUNDS) {
        (void)fprintf(stderr, "usage: threads [-n rounds (1 .. %d)] MODEL\n", MOST_ROUNDS);
        return 2;
    }
    sp.context = CONTEXT;
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < MODELS; i++) {
        slm_model_params mp = SLM_MODEL_PARAMS_INIT;
        mp.threads = widths[i];
        mp.openmp = i == MODELS - 1;
        status = slm_model_open(&models[i], argv[argc - 1], &mp, &err);
        if (!status)
            status = slm_session_new(&sessions[i], models[i], &sp, &err);
    }
    int failed = status || run(figure_name(argv[argc - 1]), rounds, sessions, &err);
    if (failed)
        (void)fprintf(stderr, "threads: %s\n", err.text);
    for (size_t i = 0; i < MODELS; i++) {
        slm_session_free(sessions[i]);
        slm_model_free(models[i]);
    }
    figure_peaks("threads", 0, 0);
    return failed;
}
