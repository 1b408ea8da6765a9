/* clock.h -- monotonic time, and the limits of one call: a cancel flag and a deadline. */
#ifndef SLM_CORE_CLOCK_H
#define SLM_CORE_CLOCK_H

#include "core/status.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Monotonic; 0: the system does not say. */
uint64_t slm_clock_ns(void);

/* Between two of its values, and since one; 0 where one is not known. */
static inline uint64_t slm_clock_between(uint64_t begin, uint64_t end)
{
    return begin && end > begin ? end - begin : 0;
}

uint64_t slm_clock_since(uint64_t begin);

/* Is it not yet `until`? No, without a clock: nobody waits for what never comes. */
bool slm_clock_before(uint64_t until);

/* `ms` from now, or 0, none, if that is 0. SLM_E_IO: a deadline without a clock. */
slm_status slm_clock_deadline(uint64_t *deadline_ns, uint64_t ms, slm_error *err);

/* What may end a call early. Looked at between pieces of work of a few milliseconds. */
typedef struct slm_watch {
    atomic_int *cancel;     /* may be NULL; the call that sees it set clears it */
    uint64_t deadline_ns;   /* on slm_clock_ns; 0: none */
    bool keep;              /* the flag stays set: several look at it, and their caller clears it */
} slm_watch;

/* SLM_OK, SLM_E_CANCELLED or SLM_E_DEADLINE; SLM_E_IO: there is a deadline, and no clock any more. */
slm_status slm_watch_look(const slm_watch *watch, slm_error *err);

#endif
