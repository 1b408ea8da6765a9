/* session.c -- one sequence of tokens: start, feed, look, truncate, cancel. What a call changes, it changes last. */
#include "session/session.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"

#include <string.h>

enum { DEFAULT_CONTEXT = 4096 };

static slm_status fill(slm_session *s, const slm_session_params *p, slm_error *err)
{
    slm_heap *heap = &s->model->heap;
    const slm_config *c = &s->model->config;
    s->context = p->context ? p->context : slm_min(c->context, DEFAULT_CONTEXT);
    s->deadline_ms = p->deadline_ms;
    slm_status status = slm_kv_init(&s->kv, heap, c, s->context, p->kv == SLM_KV_F32, err);
    if (!status)
        status = slm_work_new(&s->work, s->model, heap, p->chunk, s->context, err);
    if (status)
        return status;
    s->tokens = slm_heap_array(heap, s->context, sizeof *s->tokens);
    s->logits = slm_heap_array(heap, c->vocab, sizeof *s->logits);
    if (!s->tokens || !s->logits)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu tokens and %u logits", s->context, c->vocab);
    return SLM_OK;
}

slm_status slm_session_new(slm_session **out, slm_model *model, const slm_session_params *params, slm_error *err)
{
    slm_session_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || !model)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "model" : "out");
    if (p.context > SLM_LIMIT_CONTEXT)
        return slm_fail(err, SLM_E_ARG, "context is %u (allowed 0 .. %d)", p.context, SLM_LIMIT_CONTEXT);
    if (p.kv != SLM_KV_F16 && p.kv != SLM_KV_F32)
        return slm_fail(err, SLM_E_ARG, "kv is %u (allowed %d, %d)", p.kv, SLM_KV_F16, SLM_KV_F32);
    slm_session *s = slm_heap_zalloc(&model->heap, sizeof *s);
    if (!s)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu bytes", sizeof *s);
    atomic_fetch_add(&model->holds, 1);
    s->model = model;
    atomic_flag_clear(&s->busy);
    status = fill(s, &p, err);
    if (status)
        slm_session_free(s);
    else
        *out = s;
    return status;
}

void slm_session_free(slm_session *s)
{
    if (!s)
        return;
    slm_model *model = s->model;
    slm_kv_free(&s->kv);
    slm_work_free(s->work);
    slm_heap_free(&model->heap, s->tokens);
    slm_heap_free(&model->heap, s->logits);
    slm_heap_free(&model->heap, s);
    slm_model_let_go(model);
}

size_t slm_session_position(const slm_session *session)
{
    return session->position;
}

size_t slm_session_room(const slm_session *session)
{
    return session->context - session->position;
}

const float *slm_session_logits(const slm_session *session)
{
    return session->has_logits ? session->logits : NULL;
}

void slm_session_cancel(slm_session *session)
{
    atomic_store(&session->cancel, 1);
}

slm_status slm_session_enter(slm_session *s, slm_watch *watch, unsigned *saved, slm_error *err)
{
    if (!s)
        return slm_fail(err, SLM_E_ARG, "session is NULL");
    if (atomic_flag_test_and_set(&s->busy))
        return slm_fail(err, SLM_E_STATE, "session: another call is running on it at position %zu", s->position);
    *saved = slm_fp_enter();
    *watch = (slm_watch){ &s->cancel, s->deadline_ms ? slm_clock_ns() + s->deadline_ms * UINT64_C(1000000) : 0 };
    return SLM_OK;
}

void slm_session_leave(slm_session *s, unsigned saved)
{
    slm_fp_leave(saved);
    atomic_flag_clear(&s->busy);
}

slm_status slm_session_eval(slm_session *s, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, const slm_watch *watch,
                            slm_error *err)
{
    const size_t vocab = s->model->config.vocab;
    if (n < 1 || !tokens)
        return slm_fail(err, SLM_E_ARG, "feed: %zu tokens%s (allowed 1 .. %zu)", n, tokens ? "" : " at NULL", slm_session_room(s));
    if (n > slm_session_room(s))
        return slm_fail(err, SLM_E_CONTEXT, "feed: %zu tokens at position %zu do not fit: the context has %zu, room for %zu", n, s->position,
                        s->context, slm_session_room(s));
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (size_t)tokens[i] >= vocab)
            return slm_fail(err, SLM_E_ARG, "feed: token %zu is %d (allowed 0 .. %zu)", i, tokens[i], vocab - 1);
    slm_status status = slm_watch_look(watch, err);
    if (!status)
        status = slm_kv_reserve(&s->kv, s->position + n, err);
    if (status)
        return status;
    status = slm_decode(s->model, &s->kv, s->work, tokens, n, s->position, row, user, s->logits, watch, err);
    if (status) {
        slm_kv_trim(&s->kv, s->position);
        return status;
    }
    memcpy(s->tokens + s->position, tokens, n * sizeof *tokens);
    s->position += n;
    s->has_logits = true;
    return SLM_OK;
}

slm_status slm_session_feed_rows(slm_session *session, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    status = slm_session_eval(session, tokens, n, row, user, &watch, err);
    slm_session_leave(session, saved);
    return status;
}

slm_status slm_session_feed(slm_session *session, const int32_t *tokens, size_t n, slm_error *err)
{
    return slm_session_feed_rows(session, tokens, n, NULL, NULL, err);
}

/* BOS where the file asks for it and the session is empty, then the text. */
static slm_status encode(slm_session *s, int32_t **ids, size_t *n, const char *text, size_t len, unsigned flags, slm_error *err)
{
    const slm_tokenizer *tokenizer = s->model->tokenizer;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_status status = slm_tokenizer_get_info(tokenizer, &info, err);
    if (status)
        return status;
    const size_t bos = s->position == 0 && info.add_bos && info.bos >= 0;
    size_t count = 0;
    status = slm_tokenizer_encode(tokenizer, NULL, 0, &count, text, len, flags, err);
    if (status && status != SLM_E_LIMIT)
        return status;
    *ids = slm_heap_array(&s->model->heap, slm_max(1, count + bos), sizeof **ids);
    if (!*ids)
        return slm_fail(err, SLM_E_MEMORY, "text: %zu tokens", count + bos);
    (*ids)[0] = info.bos;
    *n = count + bos;
    return count ? slm_tokenizer_encode(tokenizer, *ids + bos, count, &count, text, len, flags, err) : SLM_OK;
}

slm_status slm_session_feed_text(slm_session *session, const char *text, size_t len, unsigned flags, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    int32_t *ids = NULL;
    size_t n = 0;
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    if (!session->model->tokenizer)
        status = slm_fail(err, SLM_E_STATE, "text of %zu bytes: the model has no tokenizer", len);
    else if ((!text && len) || flags & ~(unsigned)SLM_TEXT_SPECIAL)
        status = slm_fail(err, SLM_E_ARG, "text: %zu bytes, flags 0x%x (allowed 0x%x)", len, flags, SLM_TEXT_SPECIAL);
    else
        status = encode(session, &ids, &n, text, len, flags, err);
    if (!status && !n && !session->position)
        status = slm_fail(err, SLM_E_ARG, "text: 0 tokens for an empty session, and the model adds no BOS");
    if (!status && n)
        status = slm_session_eval(session, ids, n, NULL, NULL, &watch, err);
    slm_heap_free(&session->model->heap, ids);
    slm_session_leave(session, saved);
    return status;
}

slm_status slm_session_truncate(slm_session *session, size_t n, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    if (n > session->position) {
        status = slm_fail(err, SLM_E_ARG, "truncate: to %zu tokens, the session has %zu", n, session->position);
    } else if (n < session->position) {
        session->position = n;
        session->has_logits = false;
        slm_kv_trim(&session->kv, n);
    }
    slm_session_leave(session, saved);
    return status;
}
