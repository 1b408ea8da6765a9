/* clock.c -- monotonic time and the limits of one call. */
#include "core/clock.h"

#include <inttypes.h>
#include <time.h>

uint64_t slm_clock_ns(void)
{
    struct timespec t = { 0, 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
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
        if (now >= watch->deadline_ns)
            return slm_fail(err, SLM_E_DEADLINE, "deadline passed %" PRIu64 " us ago", (now - watch->deadline_ns) / 1000);
    }
    return SLM_OK;
}
