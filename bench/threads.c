/* threads.c -- what more threads than cores, a busy neighbour and doing nothing cost.
 *
 *   bench/threads [-n rounds] MODEL
 *
 * Steps of one token. The machine may change its speed from one second to the next, so every scene is set beside two threads in turns of some
 * tens of milliseconds: 4 steps of two threads, 8 of the scene, 4 of two threads. A round has three turns of each scene; the median of the turns'
 * ratios counts. "threads 2" is measured as all others are: by what its ratio misses 1, the measurement errs.
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

enum { SPIN_MS = 20 };          /* threads of libgomp that find no work spin for 10 ms and a little, then sleep */
enum { STEPS = 8, TURNS = 3, MOST_ROUNDS = 99, CONTEXT = 32, MODELS = 5, SCENES = 7, TWO = 1, OPENMP = 4 };

typedef struct scene {
    const char *name;
    size_t model;
    int neighbour;
} scene;

static const uint32_t widths[MODELS] = { 1, 2, 4, 8, 2 };      /* TWO and OPENMP are places in it */
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

/* A process that works 4 ms and rests 4 ms. It is made before the models, and stopped but for its scenes: after a fork
 * beside a model the steps would copy each page that they write. */
static pid_t make_neighbour(void)
{
    const pid_t pid = fork();
    if (pid > 0)
        (void)kill(pid, SIGSTOP);
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

/* Milliseconds of a step, or less than 0. The step before those that are counted brings threads and memory
 * back to where they were: without it, four steps were 2% slower than eight. */
static double steps(slm_session *session, int n, slm_error *err)
{
    const int32_t token = 5;
    uint64_t start = 0;
    for (int i = 0; i <= n; i++) {
        if (slm_session_feed(session, &token, 1, err))
            return -1;
        if (i == 0)
            start = slm_clock_ns();
    }
    const double ms = (double)(slm_clock_ns() - start) * 1e-6 / n;
    return slm_session_truncate(session, 1, err) ? -1 : ms;     /* not to 0, which would give its memory back */
}

/* The same for a scene, which leaves nothing running. */
static double play(const scene *sc, slm_session *const *sessions, pid_t neighbour, slm_error *err)
{
    if (sc->neighbour) {
        (void)kill(neighbour, SIGCONT);
        sleep_ms(1);
    }
    const double ms = steps(sessions[sc->model], STEPS, err);
    if (sc->neighbour) {
        (void)kill(neighbour, SIGSTOP);
        sleep_ms(1);
    }
    if (sc->model == OPENMP)
        sleep_ms(SPIN_MS);
    return ms;
}

static int run(const char *name, size_t rounds, slm_session *const *sessions, pid_t neighbour, slm_error *err)
{
    static double ms[SCENES][MOST_ROUNDS * TURNS], two[SCENES][MOST_ROUNDS * TURNS], ratio[SCENES][MOST_ROUNDS * TURNS];
    const size_t turns = rounds * TURNS;
    for (size_t turn = 0; turn <= turns; turn++)                /* the first one warms up */
        for (size_t i = 0; i < SCENES; i++) {
            const size_t at = turn ? turn - 1 : 0;
            const double before = steps(sessions[TWO], STEPS / 2, err);
            ms[i][at] = before < 0 ? before : play(&scenes[i], sessions, neighbour, err);
            const double after = ms[i][at] < 0 ? -1 : steps(sessions[TWO], STEPS / 2, err);
            if (after < 0)
                return 1;
            two[i][at] = (before + after) / 2;
            ratio[i][at] = two[i][at] / ms[i][at];
        }
    for (size_t i = 0; i < SCENES; i++)
        figure_print("threads", 1e3 / figure_median(ms[i], turns), "steps/s", 1e3 / figure_median(two[i], turns), "two threads",
                     figure_median(ratio[i], turns), "%s: %s", name, scenes[i].name);
    sleep_ms(5 * SPIN_MS);              /* a core may have been taken from them meanwhile */
    if (steps(sessions[TWO], STEPS, err) < 0)
        return 1;
    sleep_ms(1);                        /* what a thread has run is counted in full when it sleeps */
    const double before = processor_ms();
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
    const pid_t neighbour = make_neighbour();
    if (neighbour < 0) {
        perror("threads: fork");
        return 1;
    }
    sp.context = CONTEXT;
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < MODELS; i++) {
        slm_model_params mp = SLM_MODEL_PARAMS_INIT;
        mp.threads = widths[i];
        mp.openmp = i == OPENMP;
        status = slm_model_open(&models[i], argv[argc - 1], &mp, &err);
        if (!status)
            status = slm_session_new(&sessions[i], models[i], &sp, &err);
    }
    int failed = status || run(figure_name(argv[argc - 1]), rounds, sessions, neighbour, &err);
    (void)kill(neighbour, SIGKILL);
    (void)waitpid(neighbour, NULL, 0);
    if (failed)
        (void)fprintf(stderr, "threads: %s\n", err.text);
    for (size_t i = 0; i < MODELS; i++) {
        slm_session_free(sessions[i]);
        slm_model_free(models[i]);
    }
    figure_peaks("threads", 0, 0);
    return failed;
}
