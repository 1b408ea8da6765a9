/* measure.c -- the profile of a session, as its caller sees it. */
#include "session/session.h"

#include "core/size.h"

#include <string.h>

static slm_status give(slm_session *s, slm_profile_row *rows, size_t room, size_t *n, slm_error *err)
{
    *n = SLM_OPS + 1;
    if (room < SLM_OPS + 1)
        return slm_fail(err, SLM_E_LIMIT, "profile: %d rows (allowed %zu)", SLM_OPS + 1, room);
    if (!s->profile && !(s->profile = slm_heap_zalloc(&s->model->heap, sizeof *s->profile)))
        return slm_fail(err, SLM_E_MEMORY, "profile: %zu bytes", sizeof *s->profile);
    for (size_t i = 0; i < SLM_OPS; i++) {
        const slm_op_sum *sum = &s->profile->ops[i];
        rows[i] = (slm_profile_row){ slm_op_name((slm_op)i), sum->runs, sum->ns, sum->bytes, sum->macs };
    }
    rows[SLM_OPS] = (slm_profile_row){ "waiting", s->profile->team_runs, s->profile->waited_ns, 0, 0 };
    memset(s->profile, 0, sizeof *s->profile);
    return SLM_OK;
}

slm_status slm_session_profile(slm_session *session, slm_profile_row *rows, size_t room, size_t *n, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    if (!n || (!rows && room))
        return slm_fail(err, SLM_E_ARG, "%s is NULL", n ? "rows" : "n");
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    status = give(session, rows, room, n, err);
    slm_session_leave(session, saved);
    return status;
}
