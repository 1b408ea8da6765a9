/* profile.c -- names of the steps, and laps of several threads made those of one. */
#include "model/profile.h"

const char *slm_op_name(slm_op op)
{
    static const char *const names[SLM_OPS] = { "embedding", "norm", "q k v", "rope", "attention", "output", "gate up", "down",
                                                "head" };
    return op < SLM_OPS ? names[op] : "?";
}

void slm_profile_join(slm_profile *p, slm_team *team, const slm_profile *laps, size_t n)
{
    const uint64_t now = slm_clock_ns(), wall = slm_clock_between(p->lap, now);
    uint64_t busy = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < SLM_OPS; k++)
            busy += laps[i].ops[k].ns;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < SLM_OPS; k++) {
            const slm_op_sum *own = &laps[i].ops[k];
            slm_op_sum *sum = &p->ops[k];
            sum->runs += own->runs;
            sum->ns += (uint64_t)((double)own->ns * (double)wall / (double)(busy ? busy : 1));
            sum->bytes += own->bytes;
            sum->macs += own->macs;
        }
    p->waited = slm_team_waited_ns(team);       /* the caller's wait is part of what the threads did not fill */
    p->waited_ns += wall - (busy / n < wall ? busy / n : wall);
    slm_profile_team(p, team);
    p->lap = now;
}
