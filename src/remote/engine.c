/* engine.c -- the remote engine: its params checked and copied, its table of operations, what it counts. */
#include "remote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TASKS (1u << SLM_TASK_GENERATE | 1u << SLM_TASK_CHAT | 1u << SLM_TASK_CHOOSE)

void slm_remote_say(const slm_remote *r, int level, const char *format, ...)
{
    char line[512];
    va_list args;
    if (!r->log.line)
        return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->log.line(r->log.user, level, line);
}

/* ---- the breaker ---- */

void slm_remote_judge(slm_remote *r, const slm_fault *fault, uint64_t blocked_ms)
{
    if (!r->p.breaker || fault->class == SLM_CLASS_CANCELLED || fault->class == SLM_CLASS_TIMEOUT_TOTAL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    if (fault->class == SLM_CLASS_NONE) {
        r->failures = 0;
    } else if (slm_fault_about(fault->class)->breaker || blocked_ms) {
        uint64_t pause = blocked_ms;
        if (++r->failures >= r->p.breaker || fault->class == SLM_CLASS_QUOTA)
            pause = pause > r->p.breaker_ms ? pause : r->p.breaker_ms;
        if (pause) {
            r->open_ms = slm_retry_now_ms() + pause;
            r->opened_by = *fault;
            r->failures = r->p.breaker - 1;         /* after the pause one more failure is enough */
        }
    }
    (void)pthread_mutex_unlock(&r->lock);
}

void slm_remote_admit(slm_remote *r, slm_fault *fault)
{
    if (!r->p.breaker)
        return;
    const uint64_t now = slm_retry_now_ms();
    (void)pthread_mutex_lock(&r->lock);
    if (now < r->open_ms)
        slm_fault_set(fault, r->opened_by.class, r->opened_by.code, "not asked: blocked for %llu ms more after: %.200s",
                      (unsigned long long)(r->open_ms - now), r->opened_by.text);
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- operations ---- */

static bool forked(const slm_remote *r)
{
    return r->pid != getpid();
}

static slm_status run(void *user, const slm_request *request, slm_reply *reply, slm_error *err)
{
    slm_remote *r = user;
    slm_request q = SLM_REQUEST_INIT;
    if (forked(r))
        return slm_remote_fail(err, SLM_E_STATE, "%s: STATE: the engine was made in the parent of this process", r->url.host);
    memcpy(&q, request, request->size < sizeof q ? request->size : sizeof q);
    q.size = sizeof q;
    (void)atomic_fetch_add(&r->counts.calls, 1);
    (void)atomic_fetch_add(&r->counts.running, 1);
    const slm_status status = slm_call_run(r, &q, reply, err);
    (void)atomic_fetch_sub(&r->counts.running, 1);
    return status;
}

/* In a child of fork curl's handles are left as they are: ending them would speak on the parent's connections. */
static void release(void *user)
{
    slm_remote *r = user;
    if (!forked(r)) {
        slm_pipe pipe;
        slm_pipe_begin(&pipe);
        slm_line_free_all(r);
        slm_pipe_end(&pipe);
        (void)pthread_cond_destroy(&r->freed);
        (void)pthread_mutex_destroy(&r->lock);
        curl_global_cleanup();
    }
    free(r->system);
    free(r->ca_file);
    free(r->proxy);
    free(r->proxy_host);
    free(r->ranges);
    free(r);
}

static slm_remote *remote_of(const slm_engine *engine)
{
    return engine && engine->size == sizeof *engine && engine->run == run ? engine->user : NULL;
}

slm_status slm_remote_get_statistics(const slm_engine *engine, slm_remote_statistics *statistics, slm_error *err)
{
    slm_remote *r = remote_of(engine);
    if (!r || !statistics || statistics->size < sizeof statistics->size || statistics->size > 4096)
        return slm_remote_fail(err, SLM_E_ARG, "statistics: %s", r ? "size is impossible: start from SLM_REMOTE_STATISTICS_INIT"
                               : "the engine was not made by slm_engine_remote");
    slm_counts *c = &r->counts;
    const size_t size = statistics->size;
    slm_remote_statistics full = SLM_REMOTE_STATISTICS_INIT;
    full.calls = atomic_load(&c->calls);
    full.answered = atomic_load(&c->answered);
    full.tries = atomic_load(&c->tries);
    full.retries = atomic_load(&c->retries);
    full.hedges = atomic_load(&c->hedges);
    full.connections = atomic_load(&c->connections);
    full.reused = atomic_load(&c->reused);
    full.sent = atomic_load(&c->sent);
    full.received = atomic_load(&c->received);
    full.spent = atomic_load(&c->spent);
    full.running = atomic_load(&c->running);
    full.ignored = atomic_load(&c->ignored);
    full.estimated = atomic_load(&c->estimated);
    full.size = size;
    if (size > sizeof full)
        memset((char *)statistics + sizeof full, 0, size - sizeof full);
    memcpy(statistics, &full, size < sizeof full ? size : sizeof full);
    return SLM_OK;
}

slm_status slm_remote_ping(const slm_engine *engine, int32_t *code, slm_error *err)
{
    slm_remote *r = remote_of(engine);
    if (!r)
        return slm_remote_fail(err, SLM_E_ARG, "ping: the engine was not made by slm_engine_remote");
    if (forked(r))
        return slm_remote_fail(err, SLM_E_STATE, "%s: STATE: the engine was made in the parent of this process", r->url.host);
    return slm_call_ping(r, code, err);
}

/* ---- params ---- */

/* Names and models reach messages, headers and JSON. */
static slm_status check_word(const char *what, const char *text, size_t most, slm_error *err)
{
    const size_t n = text ? strnlen(text, most + 1) : 0;
    if (!n || n > most)
        return slm_remote_fail(err, SLM_E_ARG, "remote: %s has %zu bytes%s (allowed 1 .. %zu)", what, n, n > most ? " or more" : "", most);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return slm_remote_fail(err, SLM_E_ARG, "remote: %s: byte %zu is 0x%02x", what, i, (unsigned char)text[i]);
    return SLM_OK;
}

typedef struct bound {
    const char *name;
    uint32_t   *value;
    uint32_t    otherwise, most;
} bound;

static slm_status fill_numbers(slm_engine_remote_params *p, slm_error *err)
{
    const uint32_t day = 86400000;
    const bound bounds[] = {
        { "connect_ms", &p->connect_ms, 10000, day },         { "first_ms", &p->first_ms, 60000, day },
        { "between_ms", &p->between_ms, 60000, day },         { "total_ms", &p->total_ms, 600000, day },
        { "retry_ms", &p->retry_ms, 500, day },               { "retry_after_ms", &p->retry_after_ms, 60000, day },
        { "hedge_ms", &p->hedge_ms, 0, day },                 { "parallel", &p->parallel, 64, 1024 },
        { "breaker", &p->breaker, 0, 1000000 },               { "breaker_ms", &p->breaker_ms, 10000, day },
        { "max_tokens", &p->max_tokens, 4096, 1u << 24 },     { "max_body", &p->max_body, SLM_BODY_MOST, SLM_BODY_MOST },
        { "max_event", &p->max_event, SLM_EVENT_MOST, SLM_EVENT_MOST }, { "top_logprobs", &p->top_logprobs, 2, 20 },
    };
    const uint32_t flags = SLM_REMOTE_PLAIN | SLM_REMOTE_LOGPROBS | SLM_REMOTE_PROXY_ENV | SLM_REMOTE_HTTP2 | SLM_REMOTE_NO_SAMPLING;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (*bounds[i].value > bounds[i].most)
            return slm_remote_fail(err, SLM_E_ARG, "remote: %s is %u (allowed 0 .. %u)", bounds[i].name, *bounds[i].value, bounds[i].most);
        if (!*bounds[i].value)
            *bounds[i].value = bounds[i].otherwise;
    }
    if (p->retries > 10 && p->retries != UINT32_MAX)
        return slm_remote_fail(err, SLM_E_ARG, "remote: retries is %u (allowed 0 .. 10, UINT32_MAX)", p->retries);
    p->retries = p->retries == UINT32_MAX ? 0 : p->retries ? p->retries : 2;
    if (p->flags & ~flags)
        return slm_remote_fail(err, SLM_E_ARG, "remote: flags 0x%x (allowed 0x%x)", p->flags, flags);
    return SLM_OK;
}

static slm_status read_params(slm_engine_remote_params *p, const slm_engine_remote_params *from, slm_error *err)
{
    static const slm_engine_remote_params none = SLM_ENGINE_REMOTE_PARAMS_INIT;
    *p = none;
    if (!from || from->size < sizeof from->size || from->size > 4096)
        return slm_remote_fail(err, SLM_E_ARG, "remote: params: start from SLM_ENGINE_REMOTE_PARAMS_INIT");
    for (size_t i = sizeof *p; i < from->size; i++)
        if (((const unsigned char *)from)[i])
            return slm_remote_fail(err, SLM_E_UNSUPPORTED, "remote: params: byte %zu is set, this library knows %zu bytes", i, sizeof *p);
    memcpy(p, from, from->size < sizeof *p ? from->size : sizeof *p);
    p->size = sizeof *p;
    return fill_numbers(p, err);
}

static slm_status copy(char **to, const char *text, slm_error *err)
{
    *to = text ? strdup(text) : NULL;
    return text && !*to ? slm_remote_fail(err, SLM_E_MEMORY, "remote: %zu bytes of params", strlen(text)) : SLM_OK;
}

static slm_status take_hosts(slm_remote *r, slm_error *err)
{
    slm_url own;
    const slm_engine_remote_params *p = &r->p;
    bool listed = slm_url_listed(r->url.host, p->hosts, p->n_hosts);
    if (!p->n_hosts && r->server->base_url && !slm_url_read(&own, r->server->base_url, NULL))
        listed = !strcmp(own.host, r->url.host);
    if (!listed)
        return slm_remote_fail(err, SLM_E_ARG, "remote: host '%.100s' is not one of the %zu that are allowed", r->url.host, p->n_hosts);
    if (!p->proxy)
        return SLM_OK;
    const char *host = strncmp(p->proxy, "http://", 7) == 0 ? p->proxy + 7 : strncmp(p->proxy, "https://", 8) == 0 ? p->proxy + 8 : "";
    const bool bracket = *host == '[';
    const size_t n = strcspn(host + bracket, bracket ? "]" : ":/?#@");
    if (!n || n > 255 || host[bracket + n] == '@')
        return slm_remote_fail(err, SLM_E_ARG, "remote: proxy is not http://HOST:PORT");
    r->proxy_host = strndup(host + bracket, n);
    if (!r->proxy_host)
        return slm_remote_fail(err, SLM_E_MEMORY, "remote: proxy");
    if (!slm_url_listed(r->proxy_host, p->hosts, p->n_hosts))
        return slm_remote_fail(err, SLM_E_ARG, "remote: the proxy's host '%.100s' is not one of the %zu that are allowed", r->proxy_host, p->n_hosts);
    return copy(&r->proxy, p->proxy, err);
}

static slm_status take_ranges(slm_remote *r, slm_error *err)
{
    slm_status status = SLM_OK;
    r->n_ranges = r->p.n_addresses;
    if (r->n_ranges > SLM_RANGES_MOST)
        return slm_remote_fail(err, SLM_E_ARG, "remote: %zu address ranges (allowed 0 .. %d)", r->n_ranges, SLM_RANGES_MOST);
    r->ranges = calloc(r->n_ranges + 1, sizeof *r->ranges);
    if (!r->ranges)
        return slm_remote_fail(err, SLM_E_MEMORY, "remote: %zu address ranges", r->n_ranges);
    for (size_t i = 0; !status && i < r->n_ranges; i++)
        status = slm_range_read(&r->ranges[i], r->p.addresses[i], err);
    return status;
}

static slm_status check_curl(slm_error *err)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    static const struct { int bit; const char *name; } needs[] = {
        { CURL_VERSION_SSL, "TLS" }, { CURL_VERSION_ASYNCHDNS, "a resolver that can be interrupted" }, { CURL_VERSION_THREADSAFE, "thread-safe start" },
    };
    if (v->version_num < 0x075700)
        return slm_remote_fail(err, SLM_E_UNSUPPORTED, "remote: libcurl is %s (needed 7.87.0)", v->version);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (!(v->features & needs[i].bit))
            return slm_remote_fail(err, SLM_E_UNSUPPORTED, "remote: libcurl %s lacks %s", v->version, needs[i].name);
    return SLM_OK;
}

static slm_status set_up(slm_remote *r, slm_error *err)
{
    const slm_engine_remote_params *p = &r->p;
    const char *base = p->base_url ? p->base_url : r->server->base_url;
    slm_status status = base ? slm_url_read(&r->url, base, err)
                             : slm_remote_fail(err, SLM_E_ARG, "remote: server '%s' has no base URL of its own: give one", r->server->name);
    if (!status)
        status = take_hosts(r, err);
    if (!status)
        status = take_ranges(r, err);
    if (!status && p->ca_file && access(p->ca_file, R_OK) != 0)
        status = slm_remote_fail(err, SLM_E_IO, "%.300s: the CA bundle cannot be read", p->ca_file);
    if (!status && p->flags & SLM_REMOTE_LOGPROBS && !r->server->logprobs)
        status = slm_remote_fail(err, SLM_E_UNSUPPORTED, "remote: server '%s' gives no log-probabilities", r->server->name);
    if (!status)
        status = copy(&r->ca_file, p->ca_file, err);
    if (!status)
        status = copy(&r->system, p->system, err);
    return status;
}

static slm_status begin(slm_remote *r, slm_error *err)
{
    pthread_condattr_t monotonic;
    if (!slm_secret_begin_curl())
        return slm_remote_fail(err, SLM_E_MEMORY, "remote: libcurl does not start");
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->freed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    r->pid = getpid();
    return SLM_OK;
}

slm_status slm_engine_remote(slm_engine **out, const slm_engine_remote_params *params, slm_error *err)
{
    slm_engine_remote_params p;
    if (!out)
        return slm_remote_fail(err, SLM_E_ARG, "remote: out is NULL");
    slm_status status = read_params(&p, params, err);
    if (!status)
        status = check_word("name", p.name ? p.name : "remote", SLM_NAME_MOST, err);
    if (!status)
        status = check_word("model", p.model, 256, err);
    if (!status)
        status = check_curl(err);
    if (status)
        return status;
    slm_remote *r = calloc(1, sizeof *r);
    if (!r)
        return slm_remote_fail(err, SLM_E_MEMORY, "remote: %zu bytes", sizeof *r);
    r->p = p;
    r->server = slm_server_find(p.server ? p.server : "openai");
    r->rules = (slm_retry_rules){ p.retries, p.retry_ms, p.retry_after_ms };
    (void)snprintf(r->name, sizeof r->name, "%s", p.name ? p.name : "remote");
    (void)snprintf(r->model, sizeof r->model, "%s", p.model);
    if (p.allocator)
        r->allocator = *p.allocator;
    if (p.log)
        r->log = *p.log;
    r->engine = (slm_engine){ sizeof r->engine, r, r->name, TASKS, 0, run, release };
    status = r->server ? set_up(r, err) : slm_remote_fail(err, SLM_E_ARG, "remote: server '%.40s' is not known (known: %s)", p.server, slm_server_names);
    bool begun = false;
    if (!status) {
        status = begin(r, err);
        begun = !status;
    }
    if (!status) {
        *out = &r->engine;
        return SLM_OK;
    }
    r->pid = begun ? r->pid : 0;                    /* nothing of curl's is there to end */
    release(r);
    return status;
}
