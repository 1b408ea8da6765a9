/* retry.c -- whether to try again, and after how long.
 *
 * Own backoff: pause_ms, doubled for each try up to 16 fold, less up to a quarter by chance, so that many callers do not come back together.
 * A pause the server asks for is a lower bound: chance only adds to it, up to a quarter of pause_ms. Waits are on the monotonic clock; a date is
 * turned into a length once, and one in the past says nothing. */
#include "retry.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

_Static_assert(SLM_CLASSES <= 64, "classes are bits");

static uint64_t backoff(const slm_retry_rules *rules, uint32_t made, slm_class class)
{
    const uint64_t slow = class == SLM_CLASS_OVERLOAD || class == SLM_CLASS_NOT_READY ? 4 : 1;
    return (uint64_t)rules->pause_ms * slow << (made < 4 ? made : 4);
}

bool slm_retry_next(slm_retry *retry, const slm_retry_rules *rules, const slm_fault *fault, uint64_t left_ms, double chance,
                    uint64_t *pause_ms, uint64_t *blocked_ms)
{
    const slm_tries tries = fault->again > 0 ? SLM_TRY_OFTEN : fault->again < 0 ? SLM_TRY_NEVER : slm_fault_about(fault->class)->tries;
    const uint64_t bit = UINT64_C(1) << fault->class;
    *blocked_ms = 0;
    if (tries != SLM_TRY_NEVER && fault->after_ms > (int64_t)rules->after_ms)
        *blocked_ms = (uint64_t)fault->after_ms;
    if (tries == SLM_TRY_NEVER || *blocked_ms || retry->made >= rules->retries || (tries == SLM_TRY_ONCE && retry->once & bit))
        return false;
    const double own = (double)backoff(rules, retry->made, fault->class);
    const double pause = fault->after_ms >= 0 ? (double)fault->after_ms + chance * (double)rules->pause_ms / 4 : own * (1 - 0.25 * chance);
    if (pause >= (double)left_ms)
        return false;
    *pause_ms = (uint64_t)pause;
    retry->made++;
    retry->once |= bit;
    return true;
}

/* Digits with an optional fraction, 3 of which count; *end behind. -1 if there is none. In thousandths; a larger number is 999,999,999. */
static int64_t number(const char *s, const char **end)
{
    int64_t whole = 0, part = 0, unit = 100;
    const char *begin = s;
    for (; *s >= '0' && *s <= '9'; s++)
        whole = whole < 100000000 ? whole * 10 + (*s - '0') : 999999999;
    if (s == begin)
        return -1;
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
            part += (*s - '0') * unit;
    *end = s;
    return whole * 1000 + part;
}

int64_t slm_retry_after(const char *value, int64_t wall)
{
    const char *end;
    const int64_t n = number(value, &end);
    if (n >= 0)
        return *end ? -1 : n;
    if (!strchr(value, ',') && !strchr(value, ' '))
        return -1;                                  /* a date has words; curl would take much for one */
    const time_t date = curl_getdate(value, NULL);
    return date > wall ? ((int64_t)date - wall) * 1000 : -1;
}

int64_t slm_retry_after_ms(const char *value)
{
    const char *end;
    const int64_t n = number(value, &end);
    return n >= 0 && !*end ? (n + 999) / 1000 : -1;
}

int64_t slm_retry_duration(const char *value)
{
    int64_t total = 0;
    if (!*value)
        return -1;
    while (*value) {
        const int64_t n = number(value, &value);
        if (n < 0)
            return -1;
        if (value[0] == 'm' && value[1] == 's') {
            total += (n + 999) / 1000;
            value += 2;
            continue;
        }
        const int64_t unit = *value == 'd' ? 86400 : *value == 'h' ? 3600 : *value == 'm' ? 60 : *value == 's' ? 1 : 0;
        if (!unit || n > INT64_MAX / 86400 / 4)
            return -1;
        total += n * unit;
        value++;
    }
    return total;
}

uint64_t slm_retry_now_ms(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
