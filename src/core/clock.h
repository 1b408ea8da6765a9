/* clock.h -- monotonic time, and the limits of one call: a cancel flag and a deadline. */
#ifndef SLM_CORE_CLOCK_H
#define SLM_CORE_CLOCK_H

#include "core/status.h"

#include <stdatomic.h>
#include <stdbool.h>

uint64_t slm_clock_ns(void);

/* What may end a call early. Looked at between pieces of work of a few milliseconds. */
typedef struct slm_watch {
    atomic_int *cancel;     /* may be NULL; the call that sees it set clears it */
    uint64_t deadline_ns;   /* on slm_clock_ns; 0: none */
    bool keep;              /* the flag stays set: several look at it, and their caller clears it */
} slm_watch;

/* SLM_OK, SLM_E_CANCELLED or SLM_E_DEADLINE. */
slm_status slm_watch_look(const slm_watch *watch, slm_error *err);

#endif
