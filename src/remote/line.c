/* line.c -- lines: each a curl multi handle with its own connections, lent to one call at a time.
 *
 * curl's connection pool may not be shared between threads, so a line is the unit that keeps connections open: the one given back last is taken
 * first, and a busy engine has as many connections as calls at once. The calling thread drives its line itself; there is no thread of ours. */
#include "remote.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void end_line(slm_line *line)
{
    for (size_t i = 0; i < SLM_FLIGHTS; i++)
        curl_easy_cleanup(line->easy[i]);
    if (line->multi)
        (void)curl_multi_cleanup(line->multi);
    slm_secret_free(&line->secret);
    free(line);
}

static slm_line *new_line(void)
{
    slm_line *line = calloc(1, sizeof *line);
    if (!line)
        return NULL;
    line->multi = curl_multi_init();
    bool made = line->multi && slm_secret_new(&line->secret);
    for (size_t i = 0; made && i < SLM_FLIGHTS; i++)
        made = (line->easy[i] = curl_easy_init()) != NULL;
    if (made)
        return line;
    end_line(line);
    return NULL;
}

/* Waits a tick from now on for a line to be given back. */
static void wait_tick(slm_remote *r, uint64_t now_ms)
{
    const uint64_t ms = now_ms + SLM_TICK_MS;
    const struct timespec until = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
    (void)pthread_cond_timedwait(&r->freed, &r->lock, &until);
}

slm_line *slm_line_take(slm_remote *r, const slm_cancel *cancel, uint64_t until_ms, slm_fault *fault)
{
    slm_line *line = NULL;
    uint64_t now;
    (void)pthread_mutex_lock(&r->lock);
    while (r->busy >= r->p.parallel && fault->class == SLM_CLASS_NONE) {
        if (slm_cancel_is_set(cancel))
            slm_fault_set(fault, SLM_CLASS_CANCELLED, 0, "cancelled by the caller, waiting for one of %u lines", r->p.parallel);
        else if (!(now = slm_retry_now_ms()))
            slm_fault_clock(fault);
        else if (now >= until_ms)
            slm_fault_set(fault, SLM_CLASS_TIMEOUT_TOTAL, 0, "the time is over, waiting for one of %u lines", r->p.parallel);
        else
            wait_tick(r, now);
    }
    if (fault->class == SLM_CLASS_NONE) {
        r->busy++;
        line = r->idle;
        if (line)
            r->idle = line->next;
    }
    (void)pthread_mutex_unlock(&r->lock);
    if (line || fault->class != SLM_CLASS_NONE)
        return line;
    line = new_line();
    if (!line) {
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for a connection");
        (void)pthread_mutex_lock(&r->lock);
        r->busy--;
        (void)pthread_cond_signal(&r->freed);
        (void)pthread_mutex_unlock(&r->lock);
    }
    return line;
}

void slm_line_give(slm_remote *r, slm_line *line)
{
    (void)pthread_mutex_lock(&r->lock);
    line->next = r->idle;
    r->idle = line;
    r->busy--;
    (void)pthread_cond_signal(&r->freed);
    (void)pthread_mutex_unlock(&r->lock);
}

void slm_pipe_begin(slm_pipe *pipe)
{
    sigset_t now, one;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGPIPE);
    pipe->pending = !sigpending(&now) && sigismember(&now, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &one, &pipe->before);
}

void slm_pipe_end(const slm_pipe *pipe)
{
    const struct timespec none = { 0, 0 };
    sigset_t one;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGPIPE);
    if (!pipe->pending)
        while (sigtimedwait(&one, NULL, &none) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &pipe->before, NULL);
}

void slm_line_free_all(slm_remote *r)
{
    while (r->idle) {
        slm_line *line = r->idle;
        r->idle = line->next;
        end_line(line);
    }
}
