/* team.h -- the one parallel construct: run(team, n, fn, ctx) calls fn(ctx, 0) .. fn(ctx, n-1), each once, and returns when all
 * are done. Tasks may run in any order, on any threads, or all in place: no task may wait for another. */
#ifndef SLM_CORE_TEAM_H
#define SLM_CORE_TEAM_H

#include "core/heap.h"

typedef void slm_task_fn(void *ctx, size_t index);

typedef enum slm_team_kind {
    SLM_TEAM_OPENMP = 0,   /* where it is compiled in and libgomp can be used; else pthread */
    SLM_TEAM_PTHREAD = 1,  /* own threads, which sleep when there is nothing to do */
    SLM_TEAM_EXECUTOR = 2, /* the caller's */
    SLM_TEAM_IN_PLACE = 3
} slm_team_kind;

typedef struct slm_team slm_team;

/* threads 0: slm_cpu_threads(). executor overrides kind; SLM_TEAM_EXECUTOR without one is SLM_E_ARG. One run at a time per pthread
 * or executor team: a second one, from another thread or from inside a task, runs in place; an OpenMP team does so inside an active
 * parallel region. In a forked child every run of a team made before the fork is in place. */
slm_status slm_team_new(slm_team **out, slm_heap *heap, slm_team_kind kind, uint32_t threads, const slm_executor *executor,
                        slm_error *err);
void slm_team_free(slm_team *team);
uint32_t slm_team_width(const slm_team *team);

/* How long callers of runs on own threads have waited for the others when they had nothing left to do themselves; all runs together. */
uint64_t slm_team_waited_ns(slm_team *team);

/* Runs so far that were not in place from the start: as often all threads waited for one another. */
uint64_t slm_team_runs(slm_team *team);

/* Every task runs with the floating-point state of slm_fp_enter(). */
void slm_team_run(slm_team *team, size_t n, slm_task_fn *fn, void *ctx);

/* The part of `total` units that task `index` of `n` has: [begin, end). Parts differ by at most one unit. */
static inline void slm_team_part(size_t total, size_t n, size_t index, size_t *begin, size_t *end)
{
    const size_t each = total / n, more = total % n;
    *begin = index * each + (index < more ? index : more);
    *end = *begin + each + (index < more);
}

#endif
