/* engine.c -- a request goes to an engine: what every engine may rely on is checked here, once. */
#include "engine/engine.h"

#include "core/clock.h"
#include "core/params.h"

#include <string.h>

_Static_assert(sizeof(atomic_int) == sizeof(int32_t), "a slm_cancel holds an atomic int");

void slm_cancel_set(slm_cancel *cancel)
{
    atomic_store((atomic_int *)&cancel->flag, 1);
}

void slm_cancel_clear(slm_cancel *cancel)
{
    atomic_store((atomic_int *)&cancel->flag, 0);
}

int slm_cancel_is_set(const slm_cancel *cancel)
{
    return cancel && atomic_load((const atomic_int *)&cancel->flag);
}

const char *slm_task_name(uint32_t task)
{
    static const char *const names[] = { "generate", "chat", "choose", "score" };
    return task < sizeof names / sizeof *names ? names[task] : "?";
}

/* Fails closed: an engine gets only what it says it may have. */
static slm_status admit(const slm_engine *e, const slm_request *q, slm_error *err)
{
    static const char *const classes[] = { "local only", "masked", "may leave" };
    if (!(e->tasks >> q->task & 1))
        return slm_fail(err, SLM_E_UNSUPPORTED, "engine '%s': it does not do task '%s'", e->name, slm_task_name(q->task));
    if (e->traits & (SLM_ENGINE_LOCAL | SLM_ENGINE_KEEPS) || q->privacy == SLM_PRIVACY_MAY_LEAVE)
        return SLM_OK;
    if (q->privacy == SLM_PRIVACY_MASKED && e->traits & SLM_ENGINE_MASKS)
        return SLM_OK;
    return slm_fail(err, SLM_E_REFUSED, "engine '%s': the request's privacy class is '%s', and the engine is not local%s", e->name,
                    classes[q->privacy], q->privacy == SLM_PRIVACY_MASKED ? " and does not mask" : "");
}

static slm_status read_engine(slm_engine *e, const slm_engine *engine, slm_error *err)
{
    if (!engine)
        return slm_fail(err, SLM_E_ARG, "engine is NULL");
    slm_status status = slm_params_read(e, sizeof *e, engine, err);
    if (!status && !e->run)
        status = slm_fail(err, SLM_E_ARG, "engine '%s': run is NULL", e->name ? e->name : "");
    if (!e->name)
        e->name = "";
    return status;
}

/* The reply must be able to say who frees it, and be empty. */
static slm_status look_at(const slm_reply *reply, slm_error *err)
{
    const size_t least = offsetof(slm_reply, text);
    if (!reply || reply->size < least || reply->size > 4096)
        return slm_fail(err, SLM_E_ARG, "reply.size is %zu: start from SLM_REPLY_INIT", reply ? reply->size : 0);
    if (reply->release)
        return slm_fail(err, SLM_E_STATE, "the reply still holds an answer: slm_reply_free it first");
    return SLM_OK;
}

slm_status slm_engine_run(const slm_engine *engine, const slm_request *request, slm_reply *reply, slm_error *err)
{
    const uint64_t begin = slm_clock_ns();
    slm_engine e;
    slm_request q;
    slm_reply full = SLM_REPLY_INIT;
    slm_status status = read_engine(&e, engine, err);
    if (!status)
        status = slm_params_read(&q, sizeof q, request, err);
    if (!status)
        status = slm_request_check(&q, err);
    if (!status)
        status = look_at(reply, err);
    if (!status)
        status = admit(&e, &q, err);
    if (!status && slm_cancel_is_set(q.cancel))
        status = slm_fail(err, SLM_E_CANCELLED, "cancelled by the caller");
    if (status)
        return status;
    full.engine = e.name;           /* an engine made of others names the one that answered */
    status = e.run(e.user, &q, &full, err);
    if (!full.text)
        full.text = "";
    if (!full.engine)
        full.engine = "";
    if (!full.model)
        full.model = "";
    if (!full.note)
        full.note = "";
    if (!full.total_ns)
        full.total_ns = slm_clock_since(begin);
    full.partial = status != SLM_OK;
    if (!status || full.release)
        (void)slm_params_write(reply, &full, sizeof full, NULL);    /* its size was looked at */
    return status;
}

void slm_engine_free(slm_engine *engine)
{
    if (engine && engine->release)
        engine->release(engine->user);
}
