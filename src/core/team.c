/* team.c -- the four ways to run tasks. OpenMP lends its threads; the pthread team owns width-1 threads that take task numbers
 * from a counter; an executor is the caller's; in place is the fallback of all. Whoever waits spins 20 us and then sleeps.
 *
 * A run of the pthread team: the caller writes the job and opens the run; workers that notice enter it, and they and the caller take task
 * numbers from `next` until they are used up; the caller closes the run and waits for those that are inside. A worker that the system
 * has not let run by then is not waited for: it finds the run closed and goes back. Generation, open and the number of those inside
 * are one word, so that nobody enters a run that is closed, or half of the next. A sleeper looks at its condition under the lock
 * that the waker takes after changing it: no wake-up can fall in between.
 *
 * A worker that wakes where the caller runs may be kept waiting there for many milliseconds while another processor idles. So it sleeps
 * on any but the one that the last caller ran on, and steps aside if it meets him all the same. And a worker that another program has
 * pushed aside amid a task holds up the caller for as long as that runs, 4 ms and more: Linux fetches a waiting thread to a processor that falls
 * idle, but none that ran within the last half millisecond, and looks again only when the processor falls idle again. So the
 * caller, while it waits, wakes up every 0.2 ms and goes back to sleep.
 *
 * libgomp hangs in a child forked after a parallel region, so the team remembers the process it was made in and runs in place in
 * any other; a team made in a forked child uses threads of its own. */
#include "core/team.h"

#include "core/cpu.h"
#include "core/clock.h"
#include "core/limits.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#if defined(_OPENMP) && !defined(SLM_NO_OPENMP)
#include <omp.h>
#define HAVE_OPENMP 1
#else
#define HAVE_OPENMP 0
#endif

enum { SPIN_NS = 20000, LOOK_NS = 200000 };

static const uint64_t OPEN = UINT64_C(1) << 31, INSIDE = (UINT64_C(1) << 31) - 1;

struct slm_team {
    slm_heap *heap;
    slm_team_kind kind;
    uint32_t width;
    slm_executor executor;
    pid_t pid;
    atomic_bool busy;            /* pthread and executor: a run is going on, a second one runs in place */
    /* pthread */
    pthread_t *threads;
    size_t n_threads;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;   /* for the workers, for the caller */
    atomic_bool quit;
    _Atomic uint64_t run;        /* generation << 32 | OPEN | workers inside */
    atomic_size_t next;          /* task */
    bool apart;                  /* no more threads than processors */
    atomic_int home;             /* the processor the last caller opened a run on */
    atomic_uint_fast64_t waited_ns;
    atomic_uint_fast64_t runs;   /* not in place */
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

/* Is a run open that this worker has not been in? */
static bool is_new(uint64_t run, uint64_t seen)
{
    return (run & OPEN) && run >> 32 != seen;
}

static bool has_run(slm_team *team, uint64_t seen)
{
    return is_new(atomic_load(&team->run), seen) || atomic_load(&team->quit);
}

static bool all_left(slm_team *team, uint64_t unused)
{
    (void)unused;
    return (atomic_load_explicit(&team->run, memory_order_acquire) & INSIDE) == 0;
}

typedef struct absence {
    cpu_set_t all, others;       /* the processors of the thread before, and while it is away */
} absence;

/* Keeps the calling thread from the processor that the last caller opened a run on. Speed alone: a failure is none. */
static bool leave_home(slm_team *team, absence *a)
{
    const int home = atomic_load_explicit(&team->home, memory_order_relaxed);
    CPU_ZERO(&a->all);
    if (!team->apart || home < 0 || pthread_getaffinity_np(pthread_self(), sizeof a->all, &a->all))
        return false;
    a->others = a->all;
    CPU_CLR((size_t)home, &a->others);
    return CPU_COUNT(&a->others) && !pthread_setaffinity_np(pthread_self(), sizeof a->others, &a->others);
}

/* Unless somebody has chosen the thread's processors meanwhile. */
static void return_home(const absence *a)
{
    cpu_set_t now;
    CPU_ZERO(&now);
    if (!pthread_getaffinity_np(pthread_self(), sizeof now, &now) && CPU_EQUAL(&now, &a->others))
        (void)pthread_setaffinity_np(pthread_self(), sizeof a->all, &a->all);
}

static void wait_a_little(pthread_cond_t *cond, pthread_mutex_t *lock)
{
    const uint64_t until = slm_clock_ns() + LOOK_NS;
    const struct timespec at = { (time_t)(until / 1000000000u), (long)(until % 1000000000u) };
    (void)pthread_cond_timedwait(cond, lock, &at);
}

/* Spins, then sleeps on `cond` until ready() holds; who makes it hold takes the lock before signalling. */
static void wait_until(slm_team *team, pthread_cond_t *cond, bool (*ready)(slm_team *team, uint64_t seen), uint64_t seen)
{
    const uint64_t until = slm_clock_ns() + SPIN_NS;
    while (!ready(team, seen)) {
        if (slm_clock_before(until)) {
            pause_once();
            continue;
        }
        absence a;
        const bool away = cond == &team->wake && leave_home(team, &a);
        pthread_mutex_lock(&team->lock);
        while (!ready(team, seen))
            if (cond == &team->wake)
                pthread_cond_wait(cond, &team->lock);
            else
                wait_a_little(cond, &team->lock);
        pthread_mutex_unlock(&team->lock);
        if (away)
            return_home(&a);
    }
}

/* Enters the open run, if there is one that the worker has not been in. */
static bool enter(slm_team *team, uint64_t *seen)
{
    uint64_t run = atomic_load(&team->run);
    while (is_new(run, *seen))
        if (atomic_compare_exchange_weak_explicit(&team->run, &run, run + 1, memory_order_acq_rel, memory_order_relaxed)) {
            *seen = run >> 32;
            return true;
        }
    return false;
}

static void *worker(void *arg)
{
    slm_team *team = arg;
    uint64_t seen = 0;
    absence a;
    (void)slm_fp_enter();
    for (;;) {
        wait_until(team, &team->wake, has_run, seen);
        if (atomic_load(&team->quit))
            return NULL;
        if (!enter(team, &seen))
            continue;
        if (sched_getcpu() == atomic_load_explicit(&team->home, memory_order_relaxed) && leave_home(team, &a))
            return_home(&a);
        take_tasks(team);
        if (((atomic_fetch_sub_explicit(&team->run, 1, memory_order_acq_rel) - 1) & (OPEN | INSIDE)) == 0) {
            pthread_mutex_lock(&team->lock);
            pthread_cond_signal(&team->done);
            pthread_mutex_unlock(&team->lock);
        }
    }
}

static void run_pthread(slm_team *team, size_t n, slm_task_fn *fn, void *ctx)
{
    const uint64_t generation = (atomic_load(&team->run) >> 32) + 1;
    team->n = n;
    team->fn = fn;
    team->ctx = ctx;
    atomic_store_explicit(&team->home, sched_getcpu(), memory_order_relaxed);
    atomic_store(&team->next, 0);
    atomic_store_explicit(&team->run, generation << 32 | OPEN, memory_order_release);
    pthread_mutex_lock(&team->lock);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->lock);
    const unsigned saved = slm_fp_enter();
    take_tasks(team);
    slm_fp_leave(saved);
    if ((atomic_fetch_and(&team->run, ~OPEN) & INSIDE) == 0)
        return;
    const uint64_t start = slm_clock_ns();
    wait_until(team, &team->done, all_left, 0);
    atomic_fetch_add_explicit(&team->waited_ns, slm_clock_since(start), memory_order_relaxed);
}

static slm_status start_threads(slm_team *team, slm_error *err)
{
    const size_t want = team->width - 1;
    team->threads = slm_heap_array(team->heap, want ? want : 1, sizeof *team->threads);
    if (!team->threads)
        return slm_fail(err, SLM_E_MEMORY, "team of %zu threads", want);
    sigset_t all, before;                  /* the host's signals are for the host's threads */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team->n_threads < want && pthread_create(&team->threads[team->n_threads], NULL, worker, team) == 0)
        team->n_threads++;                 /* fewer threads than asked change no result */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
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

static void run_executor(slm_team *team, size_t n, slm_task_fn *fn, void *ctx)
{
    job j = { fn, ctx };
    if (team->executor.run(team->executor.user, n, executor_task, &j) != 0)
        in_place(n, fn, ctx);
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
    if (!executor && (unsigned)kind > SLM_TEAM_IN_PLACE)
        return slm_fail(err, SLM_E_ARG, "team kind is %d (allowed 0 .. %d)", (int)kind, SLM_TEAM_IN_PLACE);
    if (!executor && kind == SLM_TEAM_EXECUTOR)
        return slm_fail(err, SLM_E_ARG, "team kind is executor, but none was given");
    slm_team *team = slm_heap_zalloc(heap, sizeof *team);
    if (!team)
        return slm_fail(err, SLM_E_MEMORY, "team of %u threads", threads);
    team->heap = heap;
    if (kind == SLM_TEAM_OPENMP && (!HAVE_OPENMP || slm_cpu_forked()))
        kind = SLM_TEAM_PTHREAD;
    team->kind = executor ? SLM_TEAM_EXECUTOR : kind;
    team->width = threads ? threads : executor ? executor->width : slm_cpu_threads();
    team->apart = team->width <= slm_cpu_threads();
    atomic_init(&team->home, -1);
    team->pid = getpid();
    if (executor)
        team->executor = *executor;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_condattr_t monotonic;           /* the clock of slm_clock_ns */
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&team->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
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
        pthread_cond_destroy(&team->done);
    }
    slm_heap_free(team->heap, team->threads);
    slm_heap_free(team->heap, team);
}

uint64_t slm_team_waited_ns(slm_team *team)
{
    return atomic_load_explicit(&team->waited_ns, memory_order_relaxed);
}

uint64_t slm_team_runs(slm_team *team)
{
    return atomic_load_explicit(&team->runs, memory_order_relaxed);
}

uint32_t slm_team_width(const slm_team *team)
{
    return team->width;
}

/* Does a parallel region of the host call us? Its threads are as many as it wants. */
static bool in_openmp(void)
{
#if HAVE_OPENMP
    return omp_in_parallel();
#else
    return false;
#endif
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
    if (n <= 1 || team->width <= 1 || team->kind == SLM_TEAM_IN_PLACE || team->pid != getpid() || in_openmp()) {
        in_place(n, fn, ctx);
        return;
    }
    atomic_fetch_add_explicit(&team->runs, 1, memory_order_relaxed);
#if HAVE_OPENMP
    if (team->kind == SLM_TEAM_OPENMP) {
        run_openmp(team, n, fn, ctx);
        return;
    }
#endif
    bool idle = false;
    if (!atomic_compare_exchange_strong(&team->busy, &idle, true)) {
        in_place(n, fn, ctx);
        return;
    }
    if (team->kind == SLM_TEAM_EXECUTOR)
        run_executor(team, n, fn, ctx);
    else
        run_pthread(team, n, fn, ctx);
    atomic_store(&team->busy, false);
}
