/* request.c -- is a request within its documented ranges? Messages name the field and the number. */
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
    }
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
