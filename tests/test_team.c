/* test_team.c -- the four ways to run tasks: each index once, any executor, nested, forked, with any floating-point state. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/clock.h"
#include "core/cpu.h"
#include "core/limits.h"
#include "core/team.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- executors of a caller ---- */

typedef struct exec {
    int mode;
    atomic_size_t runs;
} exec;
enum { REVERSED, THREADS, REFUSES };

typedef struct share {
    void (*task)(void *arg, size_t index);
    void *arg;
    size_t first, n, step;
} share;

static void *run_share(void *arg)
{
    const share *s = arg;
    for (size_t i = s->first; i < s->n; i += s->step)
        s->task(s->arg, i);
    return NULL;
}

static int execute(void *user, size_t n, void (*task)(void *arg, size_t index), void *arg)
{
    exec *e = user;
    atomic_fetch_add(&e->runs, 1);
    if (e->mode == REFUSES)
        return -1;
    if (e->mode == REVERSED) {                         /* one thread for any width, last task first */
        for (size_t i = n; i-- > 0;)
            task(arg, i);
        return 0;
    }
    share shares[3];
    pthread_t threads[3];
    bool started[3];
    for (size_t i = 0; i < 3; i++) {
        shares[i] = (share){ task, arg, i, n, 3 };
        started[i] = pthread_create(&threads[i], NULL, run_share, &shares[i]) == 0;
        if (!started[i])
            run_share(&shares[i]);
    }
    for (size_t i = 0; i < 3; i++)
        if (started[i])
            pthread_join(threads[i], NULL);
    return 0;
}

/* ---- all kinds ---- */

static const struct kind { const char *name; slm_team_kind kind; int executor; uint32_t threads; } kinds[] = {
    { "openmp, 1",          SLM_TEAM_OPENMP,   -1,       1 },  { "openmp, 2",          SLM_TEAM_OPENMP,  -1, 2 },
    { "openmp, 7",          SLM_TEAM_OPENMP,   -1,       7 },  { "pthread, 2",         SLM_TEAM_PTHREAD, -1, 2 },
    { "pthread, 3",         SLM_TEAM_PTHREAD,  -1,       3 },  { "pthread, 16",        SLM_TEAM_PTHREAD, -1, 16 },
    { "in place",           SLM_TEAM_IN_PLACE, -1,       4 },  { "executor, reversed", SLM_TEAM_OPENMP,  REVERSED, 8 },
    { "executor, 3 threads", SLM_TEAM_OPENMP,  THREADS,  16 }, { "executor that refuses", SLM_TEAM_OPENMP, REFUSES, 4 },
};

typedef struct fixture {
    slm_heap heap;
    slm_team *team;
    exec exec;
} fixture;

static void begin(fixture *f, const struct kind *k)
{
    slm_error err;
    slm_heap_init(&f->heap, NULL, 0);
    f->exec.mode = k->executor;
    f->exec.runs = 0;
    const slm_executor executor = { &f->exec, 4, 0, execute };
    check_status(slm_team_new(&f->team, &f->heap, k->kind, k->threads, k->executor >= 0 ? &executor : NULL, &err), SLM_OK, &err);
}

static void end(fixture *f)
{
    slm_team_free(f->team);
    assert_true(f->heap.current == 0);
}

typedef struct marks {
    slm_team *team;
    atomic_int seen[1000];
    uint64_t values[1000];
} marks;

static void mark(void *ctx, size_t i)
{
    marks *m = ctx;
    atomic_fetch_add_explicit(&m->seen[i], 1, memory_order_relaxed);
    m->values[i] += i * i + 1;                        /* not atomic: the end of a run must order it before the caller's reads */
}

static void each_index_once(void **state)
{
    const struct kind *k = *state;
    fixture f;
    marks *m = calloc(1, sizeof *m);
    begin(&f, k);
    assert_int_equal(slm_team_width(f.team), k->threads);
    static const size_t counts[] = { 0, 1, 2, 3, 5, 16, 17, 100, 1000 };
    for (int round = 1; round <= 30; round++)
        for (size_t c = 0; c < COUNT(counts); c++) {
            memset(m, 0, sizeof *m);
            slm_team_run(f.team, counts[c], mark, m);
            for (size_t i = 0; i < 1000; i++)
                if (atomic_load(&m->seen[i]) != (i < counts[c]) || m->values[i] != (i < counts[c] ? i * i + 1 : 0))
                    fail_msg("%s: round %d, %zu tasks: task %zu ran %d times", k->name, round, counts[c], i, atomic_load(&m->seen[i]));
        }
    if (k->executor >= 0)
        assert_true(f.exec.runs > 0);
    end(&f);
    free(m);
}

/* Many short runs: a lost wake-up would hang here, one seen twice would break a sum. */
static void add_one(void *ctx, size_t i)
{
    (void)i;
    atomic_fetch_add_explicit((atomic_size_t *)ctx, 1, memory_order_relaxed);
}

static void many_short_runs(void **state)
{
    const struct kind *k = *state;
    fixture f;
    atomic_size_t sum = 0;
    begin(&f, k);
    const size_t rounds = k->executor == THREADS || k->threads > 2 ? 300 : 3000;
    for (size_t r = 0; r < rounds; r++) {
        slm_team_run(f.team, 2 + r % 5, add_one, &sum);
        if (r % 100 == 0)                             /* long enough for everybody to be asleep */
            (void)usleep(200);
    }
    size_t want = 0;
    for (size_t r = 0; r < rounds; r++)
        want += 2 + r % 5;
    assert_int_equal(sum, want);
    end(&f);
}

/* ---- nested ---- */

typedef struct nest {
    slm_team *team;
    atomic_size_t outer, inner;
} nest;

static void inner_task(void *ctx, size_t i)
{
    (void)i;
    atomic_fetch_add(&((nest *)ctx)->inner, 1);
}

static void outer_task(void *ctx, size_t i)
{
    nest *n = ctx;
    (void)i;
    atomic_fetch_add(&n->outer, 1);
    slm_team_run(n->team, 10, inner_task, n);
}

static void a_run_inside_a_task_is_in_place(void **state)
{
    fixture f;
    begin(&f, *state);
    nest n = { f.team, 0, 0 };
    for (int i = 0; i < 20; i++)
        slm_team_run(f.team, 8, outer_task, &n);
    assert_int_equal(n.outer, 160);
    assert_int_equal(n.inner, 1600);
    end(&f);
}

/* ---- two threads on one team ---- */

typedef struct user {
    slm_team *team;
    marks *m;
    bool wrong;
} user;

static void *use_team(void *arg)
{
    user *u = arg;
    for (size_t r = 0; r < 150; r++) {
        memset(u->m, 0, sizeof *u->m);
        slm_team_run(u->team, 40, mark, u->m);
        for (size_t i = 0; i < 40; i++)
            if (atomic_load(&u->m->seen[i]) != 1)
                u->wrong = true;
    }
    return NULL;
}

static void two_threads_share_a_team(void **state)
{
    fixture f;
    begin(&f, *state);
    user users[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        users[i] = (user){ f.team, calloc(1, sizeof(marks)), false };
        assert_int_equal(pthread_create(&threads[i], NULL, use_team, &users[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(users[i].wrong);
        free(users[i].m);
    }
    end(&f);
}

/* ---- fork ---- */

#if defined(__SANITIZE_THREAD__)                      /* TSan ends a forked child that starts a thread */
#define CHILDS_OWN SLM_TEAM_IN_PLACE
#else
#define CHILDS_OWN SLM_TEAM_OPENMP
#endif

static int in_the_child(slm_team *old)
{
    slm_heap heap;
    slm_team *own = NULL;
    atomic_size_t sum = 0;
    for (int i = 0; i < 10; i++)
        slm_team_run(old, 20, add_one, &sum);
    slm_heap_init(&heap, NULL, 0);
    if (slm_team_new(&own, &heap, CHILDS_OWN, 3, NULL, NULL) != SLM_OK)     /* one made in the child has threads again */
        return 2;
    for (int i = 0; i < 10; i++)
        slm_team_run(own, 20, add_one, &sum);
    slm_team_free(own);
    slm_team_free(old);
    return sum == 400 && heap.current == 0 ? 0 : 3;
}

static void a_forked_child_runs_and_ends(void **state)
{
    const struct kind *k = *state;
    fixture f;
    atomic_size_t sum = 0;
    int status = 0;
    begin(&f, k);
    slm_team_run(f.team, 20, add_one, &sum);
    (void)fflush(NULL);
#ifdef SANITIZED        /* a thread that is still on its way in may hold a lock of the sanitizer's allocator, which a child never gets back */
    (void)usleep(300000);
#endif
    const pid_t pid = fork();
    if (pid == 0)
        _exit(in_the_child(f.team));
    const uint64_t until = slm_clock_ns() + UINT64_C(20000000000);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (slm_clock_ns() > until) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            fail_msg("%s: the child hangs", k->name);
        }
        (void)usleep(500);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s: the child ended with %d", k->name, status);
    slm_team_run(f.team, 20, add_one, &sum);          /* the parent goes on */
    assert_int_equal(sum, 40);
    end(&f);
}

/* ---- floating-point state ---- */

#if defined(__x86_64__)
typedef struct fp {
    volatile float tiny, one, third;
    atomic_int wrong;
} fp;

static void compute(void *ctx, size_t i)
{
    fp *f = ctx;
    const float half_of_least_normal = f->tiny * 0.5f;            /* 0 under FTZ */
    const float subnormal_times_two = f->third * 2.0f;            /* 0 under DAZ */
    const float up = f->one + 0x1p-30f;                           /* above 1 when rounding up */
    if ((_mm_getcsr() & ~0x3fu) != 0x1f80 || half_of_least_normal != 0x1p-127f || subnormal_times_two != 0x1p-139f || up != 1.0f)
        atomic_fetch_add(&f->wrong, 1);
    if (i % 2)
        _mm_setcsr(0x1f80);                                       /* and a task may set its flags; nobody sees it */
}

static void the_callers_fp_state_is_unseen_and_kept(void **state)
{
    const struct kind *k = *state;
    static const unsigned states[] = { 0x1f80, 0x1f80 | 0x8040, 0x1f80 | 0x4000, 0x1f80 | 0x2000, 0x1f80 | 0x6000 | 0x8040 };
    const unsigned before = _mm_getcsr();
    for (size_t s = 0; s < COUNT(states); s++) {
        fixture f;
        fp values = { 0x1p-126f, 1.0f, 0x1p-140f, 0 };
        _mm_setcsr(states[s]);                                    /* threads made now would inherit it */
        begin(&f, k);
        for (int i = 0; i < 5; i++)
            slm_team_run(f.team, 12, compute, &values);
        slm_team_run(f.team, 1, compute, &values);
        const unsigned after = _mm_getcsr();
        end(&f);
        _mm_setcsr(before);
        if (values.wrong || (after & ~0x3fu) != states[s])
            fail_msg("%s: state 0x%x: %d tasks saw it, 0x%x after", k->name, states[s], values.wrong, after);
    }
}
#endif

/* ---- single ones ---- */

static int64_t us(const struct timeval *t)
{
    return t->tv_sec * INT64_C(1000000) + t->tv_usec;
}

static int64_t used_us(const struct rusage *before, const struct rusage *after)
{
    return us(&after->ru_utime) - us(&before->ru_utime) + us(&after->ru_stime) - us(&before->ru_stime);
}

static void waiting_sleeps(void **state)
{
    (void)state;
    fixture f;
    struct rusage before, after;
    atomic_size_t sum = 0;
    begin(&f, &(struct kind){ "pthread, 4", SLM_TEAM_PTHREAD, -1, 4 });
    slm_team_run(f.team, 4, add_one, &sum);
    (void)usleep(300000);       /* the OpenMP runtime of clang lets threads of earlier tests spin for 200 ms */
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    (void)usleep(100000);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    const int64_t used = used_us(&before, &after);
    if (used > 20000)
        fail_msg("an idle team used %" PRId64 " us of 100000", used);
    end(&f);
}

static void nap(void *ctx, size_t i)
{
    (void)ctx;
    (void)usleep(i ? 50000 : 0);
}

static void a_caller_that_waits_sleeps_too(void **state)
{
    (void)state;
    fixture f;
    struct rusage before, after;
    begin(&f, &(struct kind){ "pthread, 2", SLM_TEAM_PTHREAD, -1, 2 });
    for (int i = 0; i < 3; i++) {
        assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
        slm_team_run(f.team, 2, nap, NULL);
        assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
        const int64_t used = used_us(&before, &after);
        if (used > 20000)
            fail_msg("waiting used %" PRId64 " us of processor time", used);
    }
    end(&f);
}

static void signals(void *ctx, size_t i)
{
    sigset_t now;
    (void)i;
    (void)usleep(1000);                               /* so that more than one thread gets a task */
    if (!pthread_equal(pthread_self(), *(pthread_t *)ctx) && pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && !sigismember(&now, SIGUSR1))
        atomic_store((atomic_int *)((char *)ctx + sizeof(pthread_t)), 1);
}

static void own_threads_take_no_signals(void **state)
{
    (void)state;
    fixture f;
    sigset_t mine;
    struct { pthread_t caller; atomic_int open; } c = { pthread_self(), 0 };
    begin(&f, &(struct kind){ "pthread, 3", SLM_TEAM_PTHREAD, -1, 3 });
    slm_team_run(f.team, 9, signals, &c);
    assert_int_equal(atomic_load(&c.open), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mine), 0);
    assert_int_equal(sigismember(&mine, SIGUSR1), 0);
    end(&f);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    slm_heap heap;
    slm_team *team = (slm_team *)&heap;
    slm_error err;
    slm_executor executor = { NULL, 0, 0, execute };
    slm_heap_init(&heap, NULL, 0);
    check_status(slm_team_new(&team, &heap, SLM_TEAM_PTHREAD, SLM_LIMIT_THREADS + 1, NULL, &err), SLM_E_ARG, &err);
    check_text(&err, "threads is 257 (allowed 0 .. 256)");
    check_status(slm_team_new(&team, &heap, SLM_TEAM_OPENMP, 0, &executor, &err), SLM_E_ARG, &err);
    executor = (slm_executor){ NULL, 1, 0, NULL };
    check_status(slm_team_new(&team, &heap, SLM_TEAM_OPENMP, 0, &executor, &err), SLM_E_ARG, &err);
    check_text(&err, "run is NULL");
    check_status(slm_team_new(&team, &heap, SLM_TEAM_EXECUTOR, 0, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_team_new(&team, &heap, (slm_team_kind)9, 0, NULL, &err), SLM_E_ARG, &err);
    assert_ptr_equal(team, &heap);
    assert_true(heap.current == 0);
    check_status(slm_team_new(&team, &heap, SLM_TEAM_IN_PLACE, 0, NULL, &err), SLM_OK, &err);
    assert_int_equal(slm_team_width(team), slm_cpu_threads());
    slm_team_free(team);
    slm_team_free(NULL);
}

static slm_status make(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_heap_init(ctx, allocator, 0);
    return slm_team_new((slm_team **)out, ctx, SLM_TEAM_PTHREAD, 3, NULL, err);
}

static void drop(void *ctx, void *object)
{
    (void)ctx;
    slm_team_free(object);
}

static void refused_memory(void **state)
{
    (void)state;
    slm_heap heap;
    assert_int_equal(fail_alloc_every("team", make, drop, &heap), 2);
}

static void parts_cover_all_and_differ_by_one(void **state)
{
    (void)state;
    for (size_t total = 0; total < 70; total++)
        for (size_t n = 1; n < 20; n++) {
            size_t at = 0, begin_at, end_at;
            for (size_t i = 0; i < n; i++) {
                slm_team_part(total, n, i, &begin_at, &end_at);
                assert_int_equal(begin_at, at);
                assert_true(end_at - begin_at == total / n || end_at - begin_at == total / n + 1);
                at = end_at;
            }
            assert_int_equal(at, total);
        }
}

/* ---- where threads run ---- */

static void compare_affinity(void *ctx, size_t index)
{
    cpu_set_t now = { 0 };
    (void)index;
    if (pthread_getaffinity_np(pthread_self(), sizeof now, &now) || !CPU_EQUAL(&now, (const cpu_set_t *)ctx))
        abort();
    const uint64_t end = slm_clock_ns() + 200000;      /* long enough that a worker gets some */
    while (slm_clock_before(end))
        ;
}

static void threads_may_run_where_they_might_before(void **state)
{
    (void)state;
    cpu_set_t all = { 0 };          /* the memory sanitizer does not know what this call of glibc writes */
    assert_int_equal(pthread_getaffinity_np(pthread_self(), sizeof all, &all), 0);
    slm_heap heap;
    slm_error err;
    slm_team *team;
    slm_heap_init(&heap, NULL, 0);
    check_status(slm_team_new(&team, &heap, SLM_TEAM_PTHREAD, 2, NULL, &err), SLM_OK, &err);
    for (int i = 0; i < 20; i++) {
        const struct timespec sleep = { 0, 1000000 };      /* so that the worker sleeps, and wakes anywhere */
        (void)nanosleep(&sleep, NULL);
        slm_team_run(team, 8, compare_affinity, &all);
    }
    slm_team_free(team);
}

int main(void)
{
    static const struct { const char *name; CMUnitTestFunction f; } each[] = {
        { "each index once", each_index_once },
        { "many short runs", many_short_runs },
        { "a run inside a task is in place", a_run_inside_a_task_is_in_place },
        { "two threads share a team", two_threads_share_a_team },
        { "a forked child runs and ends", a_forked_child_runs_and_ends },
#if defined(__x86_64__)
        { "the caller's fp state is unseen and kept", the_callers_fp_state_is_unseen_and_kept },
#endif
    };
    static const struct CMUnitTest single[] = {
        cmocka_unit_test(waiting_sleeps),
        cmocka_unit_test(a_caller_that_waits_sleeps_too),
        cmocka_unit_test(own_threads_take_no_signals),
        cmocka_unit_test(threads_may_run_where_they_might_before),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(refused_memory),
        cmocka_unit_test(parts_cover_all_and_differ_by_one),
    };
    static char names[COUNT(each) * COUNT(kinds)][100];
    static struct CMUnitTest tests[COUNT(each) * COUNT(kinds) + COUNT(single)];
    size_t n = 0;
    for (size_t e = 0; e < COUNT(each); e++)
        for (size_t k = 0; k < COUNT(kinds); k++, n++) {
            (void)snprintf(names[n], sizeof names[n], "%s: %s", kinds[k].name, each[e].name);
            tests[n] = (struct CMUnitTest){ names[n], each[e].f, NULL, NULL, (void *)(uintptr_t)&kinds[k] };
        }
    memcpy(tests + n, single, sizeof single);
    return cmocka_run_group_tests_name("team", tests, NULL, NULL) != 0;
}
