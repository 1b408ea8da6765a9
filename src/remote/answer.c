/* answer.c -- gathers what a server says: text, tool calls from fragments, usage, why it ended. */
#include "answer.h"

#include <stdlib.h>
#include <string.h>

void slm_answer_init(slm_answer *a)
{
    *a = (slm_answer){ .prompt = -1, .cached = -1, .cache_write = -1, .output = -1 };
    slm_bytes_init(&a->text, SLM_TEXT_MOST);
    slm_bytes_init(&a->refusal, SLM_TEXT_MOST);
    slm_bytes_init(&a->scores, SLM_TEXT_MOST);
}

void slm_answer_free(slm_answer *a)
{
    for (size_t i = 0; i < a->n_calls; i++)
        slm_bytes_free(&a->calls[i].arguments);
    free(a->calls);
    slm_bytes_free(&a->text);
    slm_bytes_free(&a->refusal);
    slm_bytes_free(&a->scores);
    slm_answer_init(a);
}

/* ---- tool calls ---- */

static slm_call *new_call(slm_answer *a, int64_t index, slm_fault *fault)
{
    if (a->n_calls == SLM_CALLS_MOST) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "more than %d tool calls", SLM_CALLS_MOST);
        return NULL;
    }
    if (!a->calls)
        a->calls = calloc(SLM_CALLS_MOST, sizeof *a->calls);
    if (!a->calls) {
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for a tool call");
        return NULL;
    }
    slm_call *call = &a->calls[a->n_calls++];
    call->index = index;
    slm_bytes_init(&call->arguments, SLM_ARGUMENTS_MOST);
    return call;
}

/* By index where there is one; but servers give all parallel calls index 0, so another id is another call. Without an index: by id, and a
 * fragment that has neither goes on with the last one. */
slm_call *slm_answer_call(slm_answer *a, int64_t index, const char *id, slm_fault *fault)
{
    if (index >= SLM_CALLS_MOST) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "tool call number %lld (allowed 0 .. %d)", (long long)index, SLM_CALLS_MOST - 1);
        return NULL;
    }
    for (size_t i = a->n_calls; i-- > 0;) {
        slm_call *c = &a->calls[i];
        const bool same = index >= 0 ? c->index == index : !*id || !strcmp(c->id, id);
        if (same && (!*id || !*c->id || !strcmp(c->id, id)))
            return c;
        if (index < 0 && !*id)
            break;
    }
    return new_call(a, index, fault);
}

void slm_answer_arguments(slm_call *call, const json_t *piece, slm_fault *fault)
{
    if (!piece || json_is_null(piece))
        return;
    char *dumped = json_is_string(piece) ? NULL : json_dumps(piece, JSON_COMPACT | JSON_ENCODE_ANY);
    const char *text = dumped ? dumped : json_string_value(piece);
    const size_t n = dumped ? strlen(dumped) : json_string_length(piece);
    if (!text || (!slm_bytes_add(&call->arguments, text, n) && call->arguments.memory))
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the arguments of a tool call");
    else if (call->arguments.big)
        slm_fault_set(fault, SLM_CLASS_TOO_BIG, 0, "arguments of a tool call beyond %d bytes", SLM_ARGUMENTS_MOST);
    free(dumped);
}

slm_tool_call *slm_answer_calls(const slm_answer *a, slm_fault *fault)
{
    slm_tool_call *list = calloc(a->n_calls + 1, sizeof *list);
    if (!list)
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for %zu tool calls", a->n_calls);
    for (size_t i = 0; list && i < a->n_calls; i++) {
        const slm_call *c = &a->calls[i];
        slm_fault why = { .class = SLM_CLASS_NONE };
        json_t *object = slm_scan_load(slm_bytes_text(&c->arguments), c->arguments.size, "arguments", &why);
        list[i] = (slm_tool_call){ c->id, c->name, slm_bytes_text(&c->arguments), c->arguments.size };
        if (!object)
            slm_fault_set(fault, why.class == SLM_CLASS_INTERNAL ? SLM_CLASS_INTERNAL : SLM_CLASS_ANSWER, 200, "tool call '%.60s': %.100s: '%.80s'",
                          c->name, why.text, list[i].arguments);
        json_decref(object);
    }
    return list;
}

/* ---- pieces ---- */

bool slm_answer_add(slm_bytes *to, const json_t *v, const char *what, slm_fault *fault)
{
    if (!v || json_is_null(v))
        return false;
    if (!json_is_string(v)) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "%s is no string", what);
        return false;
    }
    if (!slm_bytes_add(to, json_string_value(v), json_string_length(v)))
        slm_fault_set(fault, to->big ? SLM_CLASS_TOO_BIG : SLM_CLASS_INTERNAL, 0, "%s: %s beyond %zu bytes", what, to->big ? "text" : "no memory",
                      to->size);
    return true;
}

void slm_answer_count(slm_answer *a, int64_t *to, const json_t *usage, const char *key)
{
    const json_t *v = json_object_get(usage, key);
    if (!v || json_is_null(v))
        return;
    const int64_t n = slm_scan_count(usage, key);
    if (n < 0)
        a->odd = true;
    else
        *to = n;
}

void slm_answer_name(char *to, size_t room, const json_t *object, const char *key)
{
    const char *text = slm_scan_text(object, key);
    size_t n = strlen(text);
    if (!n)
        return;
    n = n < room ? n : room - 1;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;                                        /* no half a character */
    memcpy(to, text, n);
    to[n] = 0;
}

void slm_answer_finish(slm_answer *a, const char *word)
{
    static const struct { const char *word; uint32_t reason, flags; } rows[] = {
        { "stop", SLM_STOP_EOS, 0 },            { "end_turn", SLM_STOP_EOS, 0 },          { "eos", SLM_STOP_EOS, 0 },
        { "length", SLM_STOP_LENGTH, 0 },       { "max_tokens", SLM_STOP_LENGTH, 0 },     { "stop_sequence", SLM_STOP_STRING, 0 },
        { "tool_calls", SLM_STOP_CALLS, 0 },    { "function_call", SLM_STOP_CALLS, 0 },   { "tool_use", SLM_STOP_CALLS, 0 },
        { "content_filter", SLM_STOP_REFUSED, 0 }, { "refusal", SLM_STOP_REFUSED, 0 },
        { "pause_turn", SLM_STOP_OTHER, SLM_REPLY_CUT }, { "model_context_window_exceeded", SLM_STOP_CONTEXT, SLM_REPLY_CUT },
    };
    a->finished = true;
    a->reason = SLM_STOP_OTHER;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].word, word)) {
            a->reason = rows[i].reason;
            a->flags |= rows[i].flags;
        }
}

void slm_answer_check(slm_answer *a, bool plain, slm_fault *fault)
{
    if (!a->finished && a->blank && (a->ended || plain) && (a->spoke || a->n_calls))
        slm_answer_finish(a, "");
    if (!a->finished && !plain)
        slm_fault_set(fault, SLM_CLASS_TRUNCATED, 0, "the stream ended without saying why, after %zu bytes of text", a->text.size);
    for (size_t i = 0; i < a->n_calls; i++)
        if (!*a->calls[i].name)
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "tool call %zu has no name", i);
    for (size_t i = 0; i < a->n_calls; i++)
        if (!a->calls[i].arguments.size && !slm_bytes_add(&a->calls[i].arguments, "{}", 2))   /* no arguments are written as none */
            slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for a tool call");
    if (a->apart && a->prompt >= 0)
        a->prompt += (a->cached > 0 ? a->cached : 0) + (a->cache_write > 0 ? a->cache_write : 0);
    a->apart = false;
    if (!a->finished)
        a->reason = SLM_STOP_OTHER;
    if (a->n_calls && (a->reason == SLM_STOP_EOS || a->reason == SLM_STOP_OTHER))
        a->reason = SLM_STOP_CALLS;
    if (a->refusal.size && !a->n_calls) {
        a->reason = SLM_STOP_REFUSED;
        if (!a->text.size)
            (void)slm_bytes_add(&a->text, a->refusal.data, a->refusal.size);
    }
    if (!a->spoke && !a->n_calls && !a->refusal.size && a->reason != SLM_STOP_LENGTH && a->reason != SLM_STOP_REFUSED &&
        !(a->flags & SLM_REPLY_CUT))
        slm_fault_set(fault, SLM_CLASS_EMPTY, 0, "an answer without text and tool calls");
}

/* {"error":{"message","type","code"}}, {"error":"..."}, {"object":"error","message",...}, {"detail":...}, {"message":...} */
void slm_answer_error(const json_t *root, long status, slm_fault *fault)
{
    const json_t *inner = json_object_get(root, "error");
    const json_t *e = json_is_object(inner) ? inner : root;
    const json_t *code = json_object_get(e, "code");
    const char *message = slm_scan_text(e, "message");
    char number[24] = "";
    if (json_is_number(code)) {
        const int64_t n = slm_scan_count(e, "code");
        size_t at = sizeof number - 1;
        for (int64_t left = n; left > 0; left /= 10)
            number[--at] = (char)('0' + left % 10);
        memmove(number, number + at, sizeof number - at);
    }
    if (!*message)
        message = json_is_string(inner) ? slm_scan_text(root, "error") : slm_scan_text(root, "detail");
    slm_fault_of_http(fault, status, slm_scan_text(e, "type"), *number ? number : slm_scan_text(e, "code"), message);
}
