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

static size_t length(const char *text)
{
    return text ? strlen(text) : 0;
}

static size_t call_strings(const slm_tool_call *c)
{
    return length(c->id) + 1 + length(c->name) + 1 + (c->arguments ? c->arguments_len : 0) + 1;
}

/* The table, then the strings that it points at. */
static const slm_tool_call *put_calls(uint8_t **at, const slm_tool_call *calls, size_t n)
{
    slm_tool_call *table = (slm_tool_call *)*at;
    *at += n * sizeof *table;
    for (size_t i = 0; i < n; i++) {
        const slm_tool_call c = calls[i];
        table[i].id = put_text(at, c.id, length(c.id));
        table[i].name = put_text(at, c.name, length(c.name));
        table[i].arguments_len = c.arguments ? c.arguments_len : 0;
        table[i].arguments = put_text(at, c.arguments, table[i].arguments_len);
    }
    return n ? table : NULL;
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
    const size_t engine = length(r.engine), model = length(r.model), note = length(r.note);
    const size_t text = r.text ? r.text_len : 0;
    size_t bytes = sizeof(piece) + 4;
    if (!r.calls)
        r.n_calls = 0;
    bool fits = add(&bytes, r.n_calls, sizeof *r.calls);
    for (size_t i = 0; fits && i < r.n_calls; i++)
        fits = add(&bytes, call_strings(&r.calls[i]), 1);
    if (!fits || !add(&bytes, r.n_scores, sizeof *r.scores) || !add(&bytes, r.n_labels, sizeof *r.labels) || !add(&bytes, text, 1) ||
        !add(&bytes, engine, 1) || !add(&bytes, model, 1) || !add(&bytes, note, 1))
        return slm_fail(err, SLM_E_LIMIT, "reply: %zu bytes of text, %zu tokens, %zu labels", text, r.n_scores, r.n_labels);
    piece *p = slm_heap_new_owner(bytes, allocator, 0);
    if (!p)
        return slm_fail(err, SLM_E_MEMORY, "reply: %zu bytes", bytes);
    uint8_t *at = (uint8_t *)(p + 1);
    p->confidence = confidence;
    r.confidence = r.confidence ? &p->confidence : NULL;
    r.scores = put(&at, r.scores, r.n_scores * sizeof *r.scores);
    r.labels = put(&at, r.labels, r.n_labels * sizeof *r.labels);
    r.calls = put_calls(&at, r.calls, r.n_calls);
    r.text = put_text(&at, r.text, text);
    r.text_len = text;
    r.engine = put_text(&at, r.engine, engine);
    r.model = put_text(&at, r.model, model);
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
