/* escalate.c -- an engine of two: a local one that answers first, and another one for what it is not sure of.
 *
 * The decision is a line in the reply: route and note. Whatever goes wrong on the second way, the answer that is already there stands, unless
 * there is none or the caller has called it off. Text of the local answer is shown when it is known to hold; that of the second one
 * when it is whole, or as it comes if the caller prefers that to a way back. */
#include "cascade/cascade.h"

#include "core/clock.h"
#include "core/heap.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_OUTPUT = 4096, DEFAULT_TRIES = 3, MOST_TRIES = 100 };

typedef struct escalate {
    slm_heap   heap;                /* first: slm_heap_new_owner */
    slm_engine engine;
    const slm_engine *local, *remote;
    slm_engine_escalate_params p;
    char       name[SLM_LIMIT_ENGINE_NAME + 1], model[SLM_LIMIT_PRICE_MODEL + 1];
} escalate;

typedef struct course {             /* of one request */
    const escalate    *e;
    const slm_request *q;
    uint64_t           begin, ends;     /* ends: 0 without a deadline */
    slm_reply          local, remote;
    slm_status         local_status, remote_status;
    slm_error          local_err, remote_err;
    uint32_t           route;
    char               note[400];
} course;

/* What is left of the request's time in *left, in whole ms; 0 if there is no deadline. */
static slm_status time_left(const course *c, uint32_t *left, slm_error *err)
{
    const slm_watch watch = { NULL, c->ends, false };
    const slm_status status = slm_watch_look(&watch, err);
    if (!status)
        *left = c->ends ? (uint32_t)slm_max(1, (size_t)(slm_clock_between(slm_clock_ns(), c->ends) / 1000000)) : 0;
    return status;
}

/* ---- the first answer ---- */

static slm_status judge(course *c, slm_error *err)
{
    const slm_engine_escalate_params *p = &c->e->p;
    const slm_confidence *conf = c->local.confidence;
    c->route = SLM_ROUTE_LOCAL;
    if (c->local_status) {
        c->route = SLM_ROUTE_FAILED;
        (void)snprintf(c->note, sizeof c->note, "%s failed: %s: %.200s", c->e->local->name, slm_status_name(c->local_status), c->local_err.text);
    } else if (p->threshold > 0 && (!conf || conf->value < p->threshold)) {
        c->route = SLM_ROUTE_UNSURE;
        if (conf)
            (void)snprintf(c->note, sizeof c->note, "confidence %.4f is under %.4f", conf->value, p->threshold);
        else
            (void)snprintf(c->note, sizeof c->note, "no confidence, %.4f is asked for", p->threshold);
    } else if (p->verify) {
        const int said = p->verify(p->user, c->q, &c->local);
        if (said != 0 && said != 1)
            return slm_fail(err, SLM_E_CALLBACK, "escalate: the check of the answer says %d (known: 0, 1)", said);
        if (said == 1) {
            c->route = SLM_ROUTE_UNVERIFIED;
            (void)snprintf(c->note, sizeof c->note, "the answer did not pass the check");
        }
    }
    if (c->route == SLM_ROUTE_LOCAL && conf && p->threshold > 0)
        (void)snprintf(c->note, sizeof c->note, "confidence %.4f, %.4f is asked for", conf->value, p->threshold);
    return SLM_OK;
}

static slm_status ask_local(course *c, slm_error *err)
{
    slm_request quiet = *c->q;
    quiet.text = NULL;
    quiet.user = NULL;
    c->local_status = slm_engine_run(c->e->local, &quiet, &c->local, &c->local_err);
    if (c->local_status == SLM_E_CANCELLED || (c->local_status == SLM_E_ARG)) {
        if (err)
            *err = c->local_err;
        return c->local_status;
    }
    return judge(c, err);
}

/* ---- the second ---- */

/* No tokenizer makes more tokens than there are bytes; a turn has some of its own. */
static slm_usage at_most(const course *c)
{
    const slm_request *q = c->q;
    uint64_t bytes = q->prompt_len + q->schema_len + q->tools_len + q->answer_len + 64;
    for (size_t i = 0; q->task == SLM_TASK_CHAT && i < q->n_messages; i++)
        bytes += q->messages[i].len + 16;
    for (size_t i = 0; q->task == SLM_TASK_CHOOSE && i < q->n_labels; i++)
        bytes += strlen(q->labels[i]) + 16;
    const uint64_t output = q->max_tokens ? q->max_tokens : c->e->p.max_tokens, most = UINT64_C(1) << 32;
    bytes *= c->e->p.tries;
    return (slm_usage){ .prompt = bytes < most ? bytes : most, .output = output * c->e->p.tries < most ? output * c->e->p.tries : most };
}

/* What the second answer cost, as well as it is known; the whole reservation where it is not. */
static uint64_t price(const course *c, uint64_t reserved)
{
    const slm_reply *r = &c->remote;
    const slm_usage u = { r->prompt_tokens, r->cached_tokens, r->cache_write_tokens, r->tokens };
    uint64_t spent = reserved;
    if (r->flags & SLM_REPLY_COSTED)
        return r->cost;
    if (c->remote_status == SLM_E_REFUSED || c->remote_status == SLM_E_BUDGET || c->remote_status == SLM_E_ARG ||
        c->remote_status == SLM_E_UNSUPPORTED || c->remote_status == SLM_E_STATE)
        return 0;                                   /* nothing was sent */
    if (c->remote_status || r->tries > 1 || slm_budget_cost(c->e->p.budget, r->model, &u, &spent, NULL) != SLM_OK)
        return reserved;
    return spent;
}

static void ask_remote(course *c)
{
    const slm_engine_escalate_params *p = &c->e->p;
    slm_request q = *c->q;
    uint64_t reserved = 0;
    if (!(p->flags & SLM_ESCALATE_STREAM)) {
        q.text = NULL;
        q.user = NULL;
    }
    c->remote_status = time_left(c, &q.deadline_ms, &c->remote_err);
    if (!c->remote_status && p->budget) {
        const slm_usage most = at_most(c);
        c->remote_status = slm_budget_reserve(p->budget, c->e->model, &most, &reserved, &c->remote_err);
    }
    if (c->remote_status)
        return;
    c->remote_status = slm_engine_run(c->e->remote, &q, &c->remote, &c->remote_err);
    if (p->budget) {
        const uint64_t spent = price(c, reserved);
        (void)slm_budget_settle(p->budget, reserved, spent, NULL);
        c->remote.cost = spent;
        c->remote.flags |= SLM_REPLY_COSTED;
    }
}

/* ---- the reply ---- */

static void add_note(course *c, const char *format, const char *a, const char *b)
{
    const size_t n = strlen(c->note);
    (void)snprintf(c->note + n, sizeof c->note - n, format, n ? "; " : "", a, b);
}

/* Gives one of the two answers to the caller with the course in it; the other one goes. What the second way cost and sent stays said. */
static slm_status give(course *c, slm_reply *from, slm_reply *out, slm_error *err)
{
    slm_reply inner = *from;
    inner.route = c->route;
    inner.route_status = c->route == SLM_ROUTE_KEPT ? c->remote_status : c->route == SLM_ROUTE_FAILED ? c->local_status : SLM_OK;
    inner.note = c->note;
    if (from == &c->local) {
        inner.left |= c->remote.left;
        inner.cost += c->remote.cost;
        inner.tries += c->remote.tries;
        inner.flags |= c->remote.flags & (SLM_REPLY_COSTED | SLM_REPLY_ESTIMATED);
    } else if (from->note && *from->note) {
        add_note(c, "%s%s%s", from->note, "");
    }
    inner.total_ns = slm_clock_since(c->begin);
    const slm_status status = slm_reply_own(&inner, &c->e->heap.allocator, err);
    if (!status)
        *out = inner;
    return status;
}

static slm_status show(const course *c, slm_reply *reply)
{
    if (c->q->text && reply->text_len && c->q->text(c->q->user, reply->text, reply->text_len))
        reply->reason = SLM_STOP_CALLBACK;
    return SLM_OK;
}

/* Both ways are known: what the caller gets. */
static slm_status decide(course *c, slm_reply *reply, slm_error *err)
{
    const bool streamed = c->e->p.flags & SLM_ESCALATE_STREAM && c->q->text && c->remote.text_len;
    if (c->route == SLM_ROUTE_LOCAL) {
        slm_status status = give(c, &c->local, reply, err);
        return status ? status : show(c, reply);
    }
    if (!c->remote_status) {
        slm_status status = give(c, &c->remote, reply, err);
        return status || c->e->p.flags & SLM_ESCALATE_STREAM ? status : show(c, reply);
    }
    if (c->remote_status == SLM_E_CANCELLED || streamed) {
        if (c->remote.release)
            (void)give(c, &c->remote, reply, NULL);
        if (err)
            *err = c->remote_err;
        return c->remote_status;
    }
    if (c->local_status) {
        (void)slm_fail(err, c->local_status, "%.200s; then %s: %.200s", c->local_err.text, slm_status_name(c->remote_status), c->remote_err.text);
        if (err)
            err->code = c->local_err.code;
        if (c->remote.release)
            (void)give(c, &c->remote, reply, NULL);
        return c->local_status;
    }
    c->route = SLM_ROUTE_KEPT;
    add_note(c, "%snot escalated: %s: %.200s", slm_status_name(c->remote_status), c->remote_err.text);
    slm_status status = give(c, &c->local, reply, err);
    return status ? status : show(c, reply);
}

static slm_status run(void *user, const slm_request *q, slm_reply *reply, slm_error *err)
{
    const escalate *e = user;
    course c = { .e = e, .q = q, .begin = slm_clock_ns(), .local = SLM_REPLY_INIT, .remote = SLM_REPLY_INIT };
    slm_status status = slm_clock_deadline(&c.ends, q->deadline_ms, err);
    if (!status)
        status = ask_local(&c, err);
    if (!status && c.route != SLM_ROUTE_LOCAL)
        ask_remote(&c);
    if (!status)
        status = decide(&c, reply, err);
    slm_reply_free(&c.local);
    slm_reply_free(&c.remote);
    return status;
}

static void release(void *user)
{
    slm_heap_free_owner(user);
}

static slm_status check(const slm_engine *local, const slm_engine *remote, const slm_engine_escalate_params *p, slm_error *err)
{
    if (!local || !remote || local->size < sizeof *local || remote->size < sizeof *remote)
        return slm_fail(err, SLM_E_ARG, "escalate: the %s engine is NULL or has no size", local && local->size >= sizeof *local ? "remote" : "local");
    if (!(local->traits & SLM_ENGINE_LOCAL))
        return slm_fail(err, SLM_E_ARG, "escalate: engine '%s' does not say that it is local", local->name ? local->name : "");
    if (!(p->threshold >= 0 && p->threshold <= 1) || p->flags & ~(uint32_t)SLM_ESCALATE_STREAM || p->tries > MOST_TRIES)
        return slm_fail(err, SLM_E_ARG, "escalate: threshold %g (allowed 0 .. 1), flags 0x%x (allowed 0x%x), tries %u (allowed 0 .. %d)", p->threshold,
                        p->flags, SLM_ESCALATE_STREAM, p->tries, MOST_TRIES);
    if (p->name && strnlen(p->name, SLM_LIMIT_ENGINE_NAME + 1) > SLM_LIMIT_ENGINE_NAME)
        return slm_fail(err, SLM_E_ARG, "escalate: name of more than %d bytes", SLM_LIMIT_ENGINE_NAME);
    if (p->budget && (!p->model || !*p->model || strnlen(p->model, SLM_LIMIT_PRICE_MODEL + 1) > SLM_LIMIT_PRICE_MODEL))
        return slm_fail(err, SLM_E_ARG, "escalate: with a budget, model is needed (1 .. %d bytes)", SLM_LIMIT_PRICE_MODEL);
    return SLM_OK;
}

slm_status slm_engine_escalate(slm_engine **out, const slm_engine *local, const slm_engine *remote, const slm_engine_escalate_params *params,
                               slm_error *err)
{
    slm_engine_escalate_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (!status)
        status = out ? check(local, remote, &p, err) : slm_fail(err, SLM_E_ARG, "escalate: out is NULL");
    if (status)
        return status;
    escalate *e = slm_heap_new_owner(sizeof *e, NULL, 0);
    if (!e)
        return slm_fail(err, SLM_E_MEMORY, "escalate: %zu bytes", sizeof *e);
    e->local = local;
    e->remote = remote;
    e->p = p;
    e->p.max_tokens = p.max_tokens ? p.max_tokens : DEFAULT_OUTPUT;
    e->p.tries = p.tries ? p.tries : DEFAULT_TRIES;
    (void)snprintf(e->name, sizeof e->name, "%s", p.name ? p.name : "escalate");
    (void)snprintf(e->model, sizeof e->model, "%s", p.model ? p.model : "");
    const uint32_t exact = local->traits & remote->traits & SLM_ENGINE_EXACT, both = remote->traits & SLM_ENGINE_LOCAL;
    e->engine = (slm_engine){ sizeof e->engine, e, e->name, local->tasks | remote->tasks, SLM_ENGINE_KEEPS | exact | both, run, release };
    *out = &e->engine;
    return SLM_OK;
}
