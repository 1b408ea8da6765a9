/* request.c -- is a request within its documented ranges (messages name the field and the number), and its conversation as JSON. */
#include "engine/engine.h"

#include "core/limits.h"

#include <string.h>

static slm_status check_text(const char *field, const char *text, size_t len, slm_error *err)
{
    if (len && !text)
        return slm_fail(err, SLM_E_ARG, "request: %s: %zu bytes at NULL", field, len);
    if (len > SLM_LIMIT_TEXT_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "request: %s: %zu bytes (allowed %d)", field, len, SLM_LIMIT_TEXT_BYTES);
    return SLM_OK;
}

static slm_status check_messages(const slm_request *q, slm_error *err)
{
    if (q->n_messages < 1 || q->n_messages > SLM_LIMIT_MESSAGES || !q->messages)
        return slm_fail(err, SLM_E_ARG, "request: chat: %zu messages (allowed 1 .. %d)", q->n_messages, SLM_LIMIT_MESSAGES);
    for (size_t i = 0; i < q->n_messages; i++) {
        const slm_message *m = &q->messages[i];
        if (!m->role || !*m->role)
            return slm_fail(err, SLM_E_ARG, "request: message %zu has no role", i);
        if (m->len > SLM_LIMIT_TEXT_BYTES || (m->len && !m->text))
            return slm_fail(err, m->text ? SLM_E_LIMIT : SLM_E_ARG, "request: message %zu: %zu bytes%s (allowed %d)", i, m->len,
                            m->text ? "" : " at NULL", SLM_LIMIT_TEXT_BYTES);
        if (m->n_calls > SLM_LIMIT_TOOL_CALLS || (m->n_calls && !m->calls))
            return slm_fail(err, SLM_E_ARG, "request: message %zu: %zu tool calls%s (allowed 0 .. %d)", i, m->n_calls, m->calls ? "" : " at NULL",
                            SLM_LIMIT_TOOL_CALLS);
        for (size_t k = 0; k < m->n_calls; k++) {
            const slm_status status = slm_tool_call_check(&m->calls[k], err);
            if (status)
                return status;
        }
    }
    return q->tools ? slm_tools_check(q->tools, q->tools_len, err) : SLM_OK;
}

/* At most one thing that the answer must be, and only where there is one. */
static slm_status check_form(const slm_request *q, slm_error *err)
{
    const int asked = (q->schema != NULL) + (q->regex != NULL) + (q->tools != NULL);
    if (asked > 1)
        return slm_fail(err, SLM_E_ARG, "request: %d of schema, regex and tools (allowed 1)", asked);
    if ((q->task > SLM_TASK_CHAT && asked) || (q->task != SLM_TASK_CHAT && q->tools))
        return slm_fail(err, SLM_E_ARG, "request: task '%s' has no %s", slm_task_name(q->task), q->schema ? "schema" : q->regex ? "regex" : "tools");
    return SLM_OK;
}

static slm_status check_labels(const slm_request *q, slm_error *err)
{
    if (q->n_labels < 1 || q->n_labels > SLM_LIMIT_LABELS || !q->labels)
        return slm_fail(err, SLM_E_ARG, "request: choose: %zu labels (allowed 1 .. %d)", q->n_labels, SLM_LIMIT_LABELS);
    for (size_t i = 0; i < q->n_labels; i++) {
        const size_t n = q->labels[i] ? strnlen(q->labels[i], SLM_LIMIT_LABEL_BYTES + 1) : 0;
        if (n < 1 || n > SLM_LIMIT_LABEL_BYTES)
            return slm_fail(err, SLM_E_ARG, "request: label %zu has %zu bytes%s (allowed 1 .. %d)", i, n,
                            n > SLM_LIMIT_LABEL_BYTES ? " or more" : "", SLM_LIMIT_LABEL_BYTES);
    }
    return SLM_OK;
}

slm_status slm_request_check(const slm_request *q, slm_error *err)
{
    slm_status status = SLM_OK;
    if (q->task > SLM_TASK_SCORE)
        return slm_fail(err, SLM_E_ARG, "request: task is %u (allowed 0 .. %d)", q->task, SLM_TASK_SCORE);
    if (q->privacy > SLM_PRIVACY_MAY_LEAVE)
        return slm_fail(err, SLM_E_ARG, "request: privacy is %u (allowed 0 .. %d)", q->privacy, SLM_PRIVACY_MAY_LEAVE);
    if (q->flags & ~(uint32_t)SLM_TEXT_SPECIAL)
        return slm_fail(err, SLM_E_ARG, "request: flags 0x%x (allowed 0x%x)", q->flags, SLM_TEXT_SPECIAL);
    if (q->n_stops > SLM_LIMIT_STOPS || (q->n_stops && !q->stops))
        return slm_fail(err, SLM_E_ARG, "request: %u stop strings (allowed 0 .. %d)", q->n_stops, SLM_LIMIT_STOPS);
    for (uint32_t i = 0; i < q->n_stops; i++) {
        const size_t n = q->stops[i] ? strnlen(q->stops[i], SLM_LIMIT_STOP_BYTES + 1) : 0;
        if (n < 1 || n > SLM_LIMIT_STOP_BYTES)
            return slm_fail(err, SLM_E_ARG, "request: stop string %u has %zu bytes (allowed 1 .. %d)", i, n, SLM_LIMIT_STOP_BYTES);
    }
    if ((status = check_form(q, err)) != SLM_OK)
        return status;
    if (q->task == SLM_TASK_CHAT)
        return check_messages(q, err);
    status = check_text("prompt", q->prompt, q->prompt_len, err);
    if (!status && q->task == SLM_TASK_CHOOSE)
        status = check_labels(q, err);
    if (!status && q->task == SLM_TASK_SCORE) {
        status = check_text("answer", q->answer, q->answer_len, err);
        if (!status && !q->answer_len)
            status = slm_fail(err, SLM_E_ARG, "request: score: the answer has 0 bytes (allowed 1 .. %d)", SLM_LIMIT_TEXT_BYTES);
    }
    return status;
}

static void put(slm_buf *json, const char *text)
{
    slm_buf_add(json, text, strlen(text));
}

static void put_string(slm_buf *json, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t done = 0;
    slm_buf_u8(json, '"');
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = (uint8_t)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        const char escaped[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        slm_buf_add(json, text + done, i - done);
        slm_buf_add(json, escaped, sizeof escaped);
        done = i + 1;
    }
    if (n > done)
        slm_buf_add(json, text + done, n - done);
    slm_buf_u8(json, '"');
}

/* What a message has besides role and content. */
static void put_calls(slm_buf *json, const slm_message *m)
{
    for (size_t i = 0; i < m->n_calls; i++) {
        const slm_tool_call *c = &m->calls[i];
        put(json, i ? ",{\"type\":\"function\",\"id\":" : ",\"tool_calls\":[{\"type\":\"function\",\"id\":");
        put_string(json, c->id ? c->id : "", c->id ? strlen(c->id) : 0);
        put(json, ",\"function\":{\"name\":");
        put_string(json, c->name, strlen(c->name));
        put(json, ",\"arguments\":");
        slm_buf_add(json, c->arguments, c->arguments_len);
        put(json, "}}");
    }
    if (m->n_calls)
        put(json, "]");
    if (m->call_id) {
        put(json, ",\"tool_call_id\":");
        put_string(json, m->call_id, strlen(m->call_id));
    }
    if (m->name) {
        put(json, ",\"name\":");
        put_string(json, m->name, strlen(m->name));
    }
}

slm_status slm_request_conversation(slm_buf *json, const slm_request *q, bool in_system, const char *bos, size_t n_bos, const char *eos,
                                    size_t n_eos, slm_error *err)
{
    bool missing = q->tools && in_system;
    put(json, "{\"messages\":[");
    for (size_t i = 0; i < q->n_messages; i++) {
        const slm_message *m = &q->messages[i];
        put(json, i ? ",{\"role\":" : "{\"role\":");
        put_string(json, m->role, strlen(m->role));
        put(json, ",\"content\":");
        put_string(json, m->text, m->len);
        put_calls(json, m);
        if (missing && !strcmp(m->role, "system")) {
            put(json, ",\"tools\":");
            put_string(json, q->tools, q->tools_len);
            missing = false;
        }
        put(json, "}");
    }
    put(json, "],\"add_generation_prompt\":true");
    if (q->tools && !in_system) {
        put(json, ",\"tools\":");
        slm_buf_add(json, q->tools, q->tools_len);
    }
    if (bos) {
        put(json, ",\"bos_token\":");
        put_string(json, bos, n_bos);
    }
    if (eos) {
        put(json, ",\"eos_token\":");
        put_string(json, eos, n_eos);
    }
    put(json, "}");
    if (missing)
        return slm_fail(err, SLM_E_UNSUPPORTED, "request: tools: the model's template shows them in the system message, and there is none");
    return slm_buf_status(json, "request: conversation", err);
}
