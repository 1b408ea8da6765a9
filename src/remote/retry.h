/* retry.h -- whether to try again, and after how long. Nothing here looks at a clock but slm_retry_now. */
#ifndef SLM_REMOTE_RETRY_H
#define SLM_REMOTE_RETRY_H

#include "fault.h"

typedef struct slm_retry_rules {
    uint32_t retries;           /* most tries after the first */
    uint32_t pause_ms;          /* first pause of the own backoff */
    uint32_t after_ms;          /* longest pause a server may ask for */
} slm_retry_rules;

typedef struct slm_retry {
    uint32_t made;              /* tries after the first, so far */
    uint64_t once;              /* classes that had their one more try, a bit each */
} slm_retry;

/* May this fault be tried again after *pause_ms, when `left_ms` are left of the deadline? Counts the try if so. `chance`: 0 <= x < 1.
 * On false with *blocked_ms above 0: the server asked for so long a pause that nobody waits. */
bool slm_retry_next(slm_retry *retry, const slm_retry_rules *rules, const slm_fault *fault, uint64_t left_ms, double chance,
                    uint64_t *pause_ms, uint64_t *blocked_ms);

/* Retry-After: seconds ("2", "1.5") or a date; wall is the time now. Milliseconds, or -1 if it is malformed or in the past. */
int64_t slm_retry_after(const char *value, int64_t wall);

/* "retry-after-ms". */
int64_t slm_retry_after_ms(const char *value);

/* "12ms", "1s", "6m0s", "1h2m3.5s" of x-ratelimit-reset-...: milliseconds, or -1. */
int64_t slm_retry_duration(const char *value);

uint64_t slm_retry_now_ms(void);        /* monotonic; 0: the system does not say */

#endif
