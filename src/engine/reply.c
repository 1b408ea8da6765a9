/* reply.c -- a reply owns one piece of memory: a heap of its own, so that it outlives engine and model, then all it points at. */
#include "engine/engine.h"

#include "core/params.h"
#include "core/size.h"

#include <string.h>

typedef struct piece {
    slm_heap heap;              /* first: slm_heap_new_owner */
    slm_confidence confidence;
} piece;
_Static_assert(sizeof(piece) % 8 == 0, "arrays of doubles follow");

static bool add(size_t *total, size_t n, size_t each)
{
    size_t bytes;
    return slm_size_mul(n, each, &bytes) && slm_size_add(*total, bytes, total);
}

static const void *put(uint8_t **at, const void *bytes, size_t n)
{
    uint8_t *to = *at;
    if (n)
        memcpy(to, bytes, n);
    *at += n;
    return to;
}

static const char *put_text(uint8_t **at, const char *text, size_t n)
{
    uint8_t *to = *at;
    (void)put(at, text, n);
    *(*at)++ = 0;
    return (const char *)to;
}

slm_status slm_reply_own(slm_reply *reply, const slm_allocator *allocator, slm_error *err)
{
    slm_reply r;
    slm_confidence confidence;
    slm_status status = reply ? slm_params_read(&r, sizeof r, reply, err) : slm_fail(err, SLM_E_ARG, "reply is NULL");
    if (!status)
        status = slm_params_read(&confidence, sizeof confidence, r.confidence, err);
    if (!status && reply->size < offsetof(slm_reply, text))
        status = slm_fail(err, SLM_E_ARG, "reply.size is %zu: start from SLM_REPLY_INIT", reply->size);
    if (status)
        return status;
    const size_t engine = r.engine ? strlen(r.engine) : 0, model = r.model ? strlen(r.model) : 0;
    const size_t note = r.note ? strlen(r.note) : 0, text = r.text ? r.text_len : 0, calls = r.calls ? r.calls_len : 0;
    size_t bytes = sizeof(piece) + 5;
    if (!add(&bytes, r.n_scores, sizeof *r.scores) || !add(&bytes, r.n_labels, sizeof *r.labels) || !add(&bytes, text, 1) ||
        !add(&bytes, engine, 1) || !add(&bytes, model, 1) || !add(&bytes, calls, 1) || !add(&bytes, note, 1))
        return slm_fail(err, SLM_E_LIMIT, "reply: %zu bytes of text, %zu tokens, %zu labels", text, r.n_scores, r.n_labels);
    piece *p = slm_heap_new_owner(bytes, allocator, 0);
    if (!p)
        return slm_fail(err, SLM_E_MEMORY, "reply: %zu bytes", bytes);
    uint8_t *at = (uint8_t *)(p + 1);
    p->confidence = confidence;
    r.confidence = r.confidence ? &p->confidence : NULL;
    r.scores = put(&at, r.scores, r.n_scores * sizeof *r.scores);
    r.labels = put(&at, r.labels, r.n_labels * sizeof *r.labels);
    r.text = put_text(&at, r.text, text);
    r.text_len = text;
    r.engine = put_text(&at, r.engine, engine);
    r.model = put_text(&at, r.model, model);
    r.calls = put_text(&at, r.calls, calls);
    r.calls_len = calls;
    r.note = put_text(&at, r.note, note);
    r.memory = p;
    r.release = slm_heap_free_owner;
    return slm_params_write(reply, &r, sizeof r, err);
}

void slm_reply_free(slm_reply *reply)
{
    static const slm_reply none = SLM_REPLY_INIT;
    if (!reply || reply->size < offsetof(slm_reply, text))
        return;
    if (reply->release)
        reply->release(reply->memory);
    (void)slm_params_write(reply, &none, sizeof none, NULL);
}
