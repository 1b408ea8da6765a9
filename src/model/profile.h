/* profile.h -- where the time of passes goes: laps of one clock, and what each step read and multiplied. Without a profile (NULL) nothing
 * is measured. */
#ifndef SLM_MODEL_PROFILE_H
#define SLM_MODEL_PROFILE_H

#include "core/clock.h"
#include "core/team.h"

typedef enum slm_op {
    SLM_OP_EMBED, SLM_OP_NORM, SLM_OP_QKV, SLM_OP_ROPE, SLM_OP_ATTENTION, SLM_OP_OUTPUT, SLM_OP_UP, SLM_OP_DOWN, SLM_OP_HEAD,
    SLM_OPS
} slm_op;

typedef struct slm_op_sum {
    uint64_t runs, ns, bytes, macs;
} slm_op_sum;

typedef struct slm_profile {
    slm_op_sum ops[SLM_OPS];
    uint64_t waited_ns;         /* in all of them together: for threads that were not done */
    uint64_t team_runs;         /* of the team, in all of them together */
    uint64_t lap, waited, runs; /* clock and team at the end of the last step */
} slm_profile;

const char *slm_op_name(slm_op op);

/* Since the last lap the team's n threads worked alone, each with laps of its own. Together they filled the time that has passed but for what
 * they waited; like elsewhere that is contained in the steps, here in proportion. */
void slm_profile_join(slm_profile *p, slm_team *team, const slm_profile *laps, size_t n);

/* What the team waited and ran since the last lap. */
static inline void slm_profile_team(slm_profile *p, slm_team *team)
{
    const uint64_t waited = slm_team_waited_ns(team), runs = slm_team_runs(team);
    p->waited_ns += waited - p->waited;
    p->team_runs += runs - p->runs;
    p->waited = waited;
    p->runs = runs;
}

/* The clock starts: what happened since the last lap is nobody's. */
static inline void slm_profile_start(slm_profile *p, slm_team *team)
{
    if (!p)
        return;
    p->waited = slm_team_waited_ns(team);
    p->runs = slm_team_runs(team);
    p->lap = slm_clock_ns();
}

/* The time since the last lap was `op`'s, and so much was read and multiplied in it. */
static inline void slm_profile_lap(slm_profile *p, slm_team *team, slm_op op, uint64_t bytes, uint64_t macs)
{
    if (!p)
        return;
    const uint64_t now = slm_clock_ns();
    slm_op_sum *sum = &p->ops[op];
    sum->runs++;
    sum->ns += slm_clock_between(p->lap, now);
    sum->bytes += bytes;
    sum->macs += macs;
    slm_profile_team(p, team);
    p->lap = now;
}

#endif
