/* team.c -- the four ways to run tasks. OpenMP lends its threads; the pthread team owns width-1 threads that take task numbers
 * from a counter, spin about 20 us for the next run and then sleep; an executor is the caller's; in place is the fallback of all.
 *
 * libgomp hangs in a child forked after a parallel region, so the team remembers the process it was made in. */
#include "core/team.h"

#include "core/cpu.h"
#include "core/clock.h"
#include "core/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#if defined(_OPENMP) && !defined(SLM_NO_OPENMP)
#include <omp.h>
#define HAVE_OPENMP 1
#else
#define HAVE_OPENMP 0
#endif

struct slm_team {
    slm_heap *heap;
    slm_team_kind kind;
    uint32_t width;
    slm_executor executor;
    pid_t pid;
    /* pthread */
    pthread_t *threads;
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool busy;
    atomic_bool quit;
    atomic_uint generation;      /* counts runs; workers wait for it to change */
    atomic_size_t next, left;    /* next task, workers not yet finished with this run */
    size_t n;
    slm_task_fn *fn;
    void *ctx;
};

static void in_place(size_t n, slm_task_fn *fn, void *ctx)
{
    const unsigned saved = slm_fp_enter();
    for (size_t i = 0; i < n; i++)
        fn(ctx, i);
    slm_fp_leave(saved);
}

static inline void pause_once(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* ---- pthread ---- */

static void take_tasks(slm_team *team)
{
    for (;;) {
        const size_t i = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (i >= team->n)
            return;
        team->fn(team->ctx, i);
    }
}

static void *worker(void *arg)
{
    slm_team *team = arg;
    unsigned seen = 0;
    (void)slm_fp_enter();
    for (;;) {
        const uint64_t until = slm_clock_ns() + 20000;
        while (atomic_load_explicit(&team->generation, memory_order_acquire) == seen && !atomic_load(&team->quit)) {
            if (slm_clock_ns() < until) {
                pause_once();
                continue;
            }
            pthread_mutex_lock(&team->lock);
            while (atomic_load_explicit(&team->generation, memory_order_acquire) == seen && !atomic_load(&team->quit))
                pthread_cond_wait(&team->wake, &team->lock);
            pthread_mutex_unlock(&team->lock);
        }
        if (atomic_load(&team->quit))
            return NULL;
        seen = atomic_load_explicit(&team->generation, memory_order_acquire);
        take_tasks(team);
        atomic_fetch_sub_explicit(&team->left, 1, memory_order_release);
    }
}

static void run_pthread(slm_team *team, size_t n, slm_task_fn *fn, void *ctx)
{
    bool idle = false;
    if (!atomic_compare_exchange_strong(&team->busy, &idle, true)) {
        in_place(n, fn, ctx);
        return;
    }
    team->n = n;
    team->fn = fn;
    team->ctx = ctx;
    atomic_store(&team->next, 0);
    atomic_store(&team->left, team->n_threads);
    pthread_mutex_lock(&team->lock);
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
    const unsigned saved = slm_fp_enter();
    take_tasks(team);
    slm_fp_leave(saved);
    for (unsigned spins = 0; atomic_load_explicit(&team->left, memory_order_acquire) != 0; spins++) {
        if (spins < 2000)
            pause_once();
        else
            (void)sched_yield();
    }
    atomic_store(&team->busy, false);
}

static slm_status start_threads(slm_team *team, slm_error *err)
{
    const size_t want = team->width - 1;
    team->threads = slm_heap_array(team->heap, want ? want : 1, sizeof *team->threads);
    if (!team->threads)
        return slm_fail(err, SLM_E_MEMORY, "team of %zu threads", want);
    for (size_t i = 0; i < want; i++)      /* fewer threads than asked change no result */
        if (pthread_create(&team->threads[team->n_threads], NULL, worker, team) == 0)
            team->n_threads++;
        else
            break;
    return SLM_OK;
}

/* ---- executor ---- */

typedef struct job {
    slm_task_fn *fn;
    void *ctx;
} job;

static void executor_task(void *arg, size_t index)
{
    const job *j = arg;
    const unsigned saved = slm_fp_enter();
    j->fn(j->ctx, index);
    slm_fp_leave(saved);
}

/* ---- all ---- */

slm_status slm_team_new(slm_team **out, slm_heap *heap, slm_team_kind kind, uint32_t threads, const slm_executor *executor,
                        slm_error *err)
{
    if (threads > SLM_LIMIT_THREADS)
        return slm_fail(err, SLM_E_ARG, "threads is %u (allowed 0 .. %d)", threads, SLM_LIMIT_THREADS);
    if (executor && (!executor->run || executor->width < 1 || executor->width > SLM_LIMIT_THREADS))
        return slm_fail(err, SLM_E_ARG, "executor: width is %u (allowed 1 .. %d), run is %s", executor->width, SLM_LIMIT_THREADS,
                        executor->run ? "set" : "NULL");
    slm_team *team = slm_heap_zalloc(heap, sizeof *team);
    if (!team)
        return slm_fail(err, SLM_E_MEMORY, "team of %u threads", threads);
    team->heap = heap;
    team->kind = executor ? SLM_TEAM_EXECUTOR : kind == SLM_TEAM_OPENMP && !HAVE_OPENMP ? SLM_TEAM_PTHREAD : kind;
    team->width = threads ? threads : executor ? executor->width : slm_cpu_threads();
    team->pid = getpid();
    if (executor)
        team->executor = *executor;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    if (team->kind == SLM_TEAM_PTHREAD && team->width > 1) {
        slm_status status = start_threads(team, err);
        if (status) {
            slm_team_free(team);
            return status;
        }
    }
    *out = team;
    return SLM_OK;
}

void slm_team_free(slm_team *team)
{
    if (!team)
        return;
    if (team->n_threads && team->pid == getpid()) {
        pthread_mutex_lock(&team->lock);
        atomic_store(&team->quit, true);
        pthread_cond_broadcast(&team->wake);
        pthread_mutex_unlock(&team->lock);
        for (size_t i = 0; i < team->n_threads; i++)
            pthread_join(team->threads[i], NULL);
    }
    if (team->pid == getpid()) {
        pthread_mutex_destroy(&team->lock);
        pthread_cond_destroy(&team->wake);
    }
    slm_heap_free(team->heap, team->threads);
    slm_heap_free(team->heap, team);
}

uint32_t slm_team_width(const slm_team *team)
{
    return team->width;
}

#if HAVE_OPENMP
static void run_openmp(slm_team *team, size_t n, slm_task_fn *fn, void *ctx)
{
    const int threads = (int)(n < team->width ? n : team->width);
#pragma omp parallel num_threads(threads)
    {
        const unsigned saved = slm_fp_enter();
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t i = 0; i < n; i++)
            fn(ctx, i);
        slm_fp_leave(saved);
    }
}
#endif

void slm_team_run(slm_team *team, size_t n, slm_task_fn *fn, void *ctx)
{
    if (n <= 1 || team->width <= 1 || team->kind == SLM_TEAM_IN_PLACE || team->pid != getpid()) {
        in_place(n, fn, ctx);
        return;
    }
    switch (team->kind) {
    case SLM_TEAM_EXECUTOR: {
        job j = { fn, ctx };
        if (team->executor.run(team->executor.user, n, executor_task, &j) != 0)
            in_place(n, fn, ctx);
        return;
    }
#if HAVE_OPENMP
    case SLM_TEAM_OPENMP:
        if (omp_in_parallel())
            in_place(n, fn, ctx);
        else
            run_openmp(team, n, fn, ctx);
        return;
#endif
    default:
        run_pthread(team, n, fn, ctx);
    }
}
