/* clock.c -- monotonic time and the limits of one call. */
#include "core/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

uint64_t slm_clock_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)        /* a filter of system calls may say so */
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t slm_clock_since(uint64_t begin)
{
    return slm_clock_between(begin, slm_clock_ns());
}

bool slm_clock_before(uint64_t until)
{
    const uint64_t now = slm_clock_ns();
    return now && now < until;
}

static slm_status no_clock(slm_error *err)
{
    return slm_fail_errno(err, SLM_E_IO, errno, "deadline: clock_gettime");
}

slm_status slm_clock_deadline(uint64_t *deadline_ns, uint64_t ms, slm_error *err)
{
    const uint64_t now = ms ? slm_clock_ns() : 0;
    if (ms && !now)
        return no_clock(err);
    *deadline_ns = ms ? now + ms * UINT64_C(1000000) : 0;
    return SLM_OK;
}

slm_status slm_watch_look(const slm_watch *watch, slm_error *err)
{
    if (!watch)
        return SLM_OK;
    if (watch->cancel && atomic_load_explicit(watch->cancel, memory_order_relaxed)) {
        if (!watch->keep)
            atomic_store(watch->cancel, 0);
        return slm_fail(err, SLM_E_CANCELLED, "cancelled by the caller");
    }
    if (watch->deadline_ns) {
        const uint64_t now = slm_clock_ns();
        if (!now)
            return no_clock(err);
        if (now >= watch->deadline_ns)
            return slm_fail(err, SLM_E_DEADLINE, "deadline passed %" PRIu64 " us ago", (now - watch->deadline_ns) / 1000);
    }
    return SLM_OK;
}
