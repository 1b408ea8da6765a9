/* session.c -- one sequence of tokens: start, feed, look, truncate, cancel. What a call changes, it changes last. */
#include "session/guide.h"
#include "session/session.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "session/penalty.h"

#include <string.h>

slm_status slm_session_shape_read(slm_session_shape *shape, const slm_config *config, const slm_session_params *params, slm_error *err)
{
    slm_session_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (config->arch->encoder)
        return slm_fail(err, SLM_E_MISMATCH, "session: architecture '%s' is an encoder: it makes vectors (slm_encoder_new), no text",
                        config->arch->name);
    if (p.context > SLM_LIMIT_CONTEXT)
        return slm_fail(err, SLM_E_ARG, "context is %u (allowed 0 .. %d)", p.context, SLM_LIMIT_CONTEXT);
    if ((status = slm_kv_type_check(p.kv, "", err)) != SLM_OK)
        return status;
    *shape = (slm_session_shape){ p.context ? p.context : slm_min(config->context, SLM_SESSION_CONTEXT), p.chunk, p.deadline_ms, p.kv };
    return SLM_OK;
}

static slm_status fill(slm_session *s, const slm_session_shape *shape, slm_error *err)
{
    slm_heap *heap = &s->model->heap;
    const slm_config *c = &s->model->config;
    s->context = shape->context;
    s->chunk = shape->chunk;
    s->deadline_ms = shape->deadline_ms;
    slm_status status = slm_kv_init(&s->kv, heap, c, s->context, shape->kv, err);
    if (status)
        return status;
    s->tokens = slm_heap_array(heap, s->context, sizeof *s->tokens);
    s->logits = slm_heap_array(heap, c->vocab, sizeof *s->logits);
    if (!s->tokens || !s->logits)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu tokens and %u logits", s->context, c->vocab);
    return SLM_OK;
}

slm_status slm_session_make(slm_session **out, slm_model *model, const slm_session_shape *shape, slm_error *err)
{
    slm_session *s = slm_heap_zalloc(&model->heap, sizeof *s);
    if (!s)
        return slm_fail(err, SLM_E_MEMORY, "session: %zu bytes", sizeof *s);
    atomic_fetch_add(&model->holds, 1);
    s->model = model;
    atomic_flag_clear(&s->busy);
    const slm_status status = fill(s, shape, err);
    if (status)
        slm_session_free(s);
    else
        *out = s;
    return status;
}

uint64_t slm_session_heap_bytes(const slm_config *config, const slm_session_shape *shape, size_t width, uint64_t *work)
{
    const uint64_t cache = slm_kv_heap_bytes(config, shape->context, shape->kv);
    const uint64_t rest = slm_heap_cost(sizeof(slm_session)) + slm_heap_cost(shape->context * sizeof(int32_t)) +
                          slm_heap_cost((uint64_t)config->vocab * sizeof(float));
    uint64_t sum;
    *work = slm_work_heap_bytes(config, width, shape->chunk, shape->context, shape->context, 1);
    return slm_u64_add(cache, *work, &sum) && slm_u64_add(sum, rest, &sum) ? sum : UINT64_MAX;
}

slm_status slm_session_new(slm_session **out, slm_model *model, const slm_session_params *params, slm_error *err)
{
    slm_session_shape shape;
    if (!out || !model)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "model" : "out");
    const slm_status status = slm_session_shape_read(&shape, &model->config, params, err);
    return status ? status : slm_session_make(out, model, &shape, err);
}

slm_status slm_session_fork(slm_session **out, slm_session *session, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    slm_session *s = NULL;
    if (!out)
        return slm_fail(err, SLM_E_ARG, "out is NULL");
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    const slm_session_shape shape = { session->context, session->chunk, session->deadline_ms, slm_kv_type_of(session->kv.element) };
    status = slm_session_make(&s, session->model, &shape, err);
    if (!status) {
        slm_kv_share(&s->kv, &session->kv);
        memcpy(s->tokens, session->tokens, session->position * sizeof *s->tokens);
        if (session->has_logits)
            memcpy(s->logits, session->logits, session->model->config.vocab * sizeof *s->logits);
        s->position = session->position;
        s->has_logits = session->has_logits;
        *out = s;
    }
    slm_session_leave(session, saved);
    return status;
}

void slm_session_free(slm_session *s)
{
    if (!s)
        return;
    slm_model *model = s->model;
    slm_kv_free(&s->kv);
    slm_work_free(s->work);
    slm_heap_free(&model->heap, s->profile);
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

const int32_t *slm_session_tokens(const slm_session *session)
{
    return session->tokens;
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
    uint64_t deadline;
    const slm_status status = slm_clock_deadline(&deadline, s->deadline_ms, err);
    if (status)
        return status;
    if (atomic_flag_test_and_set(&s->busy))
        return slm_fail(err, SLM_E_STATE, "session: another call is running on it at position %zu", s->position);
    *saved = slm_fp_enter();
    *watch = (slm_watch){ &s->cancel, deadline, false };
    return SLM_OK;
}

void slm_session_leave(slm_session *s, unsigned saved)
{
    slm_fp_leave(saved);
    atomic_flag_clear(&s->busy);
}

slm_status slm_session_begin(slm_session *s, slm_sequence *sequence, const int32_t *tokens, size_t n, const slm_watch *watch, slm_error *err)
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
        status = slm_map_step(s->model->map, err);
    if (!status)
        status = slm_kv_reserve(&s->kv, s->position, s->position + n, err);
    if (!status)
        *sequence = (slm_sequence){ .kv = &s->kv, .tokens = tokens, .n = n, .first = s->position, .last = s->logits, .watch = *watch,
                                    .err = err };
    return status;
}

/* Takes over what was evaluated. */
static void grow(slm_session *s, const int32_t *tokens, size_t n)
{
    memcpy(s->tokens + s->position, tokens, n * sizeof *s->tokens);
    s->position += n;
    s->has_logits = true;
}

slm_status slm_session_end(slm_session *s, const slm_sequence *sequence)
{
    if (sequence->status)
        slm_kv_trim(&s->kv, s->position);
    else
        grow(s, sequence->tokens, sequence->n);
    return sequence->status;
}

slm_status slm_session_try(slm_session *s, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, const slm_watch *watch,
                           slm_error *err)
{
    slm_sequence sequence;
    slm_status status = slm_session_begin(s, &sequence, tokens, n, watch, err);
    if (status)
        return status;
    if (!s->work)
        status = slm_work_new(&s->work, s->model, &s->model->heap, s->chunk, s->context, s->context, 1, err);
    if (!status) {
        slm_work_measure(s->work, s->profile);
        sequence.row = row;
        sequence.user = user;
        slm_decode(s->model, s->work, &sequence, 1);
        status = sequence.status;
    }
    if (status)
        slm_kv_trim(&s->kv, s->position);
    return status;
}

slm_status slm_session_eval(slm_session *s, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, const slm_watch *watch,
                            slm_error *err)
{
    const slm_status status = slm_session_try(s, tokens, n, row, user, watch, err);
    if (!status)
        grow(s, tokens, n);
    return status;
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

bool slm_session_only_bos(const slm_session *s)
{
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    if (slm_tokenizer_get_info(s->model->tokenizer, &info, NULL))
        return false;
    for (size_t i = 0; i < s->position; i++)
        if (s->tokens[i] != info.bos)
            return false;
    return true;
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
    slm_error own = { 0 };                          /* no room is no failure of the caller's */
    status = slm_tokenizer_encode(tokenizer, NULL, 0, &count, text, len, flags, &own);
    if (status && !count && err)
        *err = own;
    if (status && !count)
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

static slm_status pick(const slm_session *s, const slm_sampling *how, int32_t *token, slm_error *err)
{
    const slm_model *m = s->model;
    const bool greedy = how->temperature < 1e-5f && !slm_penalty_any(how) && !how->guide;  /* needs no memory */
    slm_sampling own = *how;
    own.recent = s->tokens;
    own.n_recent = s->position;
    slm_status status = slm_sampling_check(how, err);
    if (status)
        return status;
    slm_sampler sampler = greedy ? (slm_sampler){ 0 } : slm_sampler_new(&s->model->heap, m->config.vocab);
    if (!greedy && !sampler.p)
        return slm_fail(err, SLM_E_MEMORY, "step: %u candidates", m->config.vocab);
    if (own.guide)
        status = slm_guide_pick(own.guide, &sampler, &m->kernels, token, s->logits, m->config.vocab, &own, s->position, slm_session_room(s), err);
    else
        status = slm_sampler_pick(&sampler, &m->kernels, token, s->logits, m->config.vocab, &own, NULL, s->position, err);
    slm_heap_free(&s->model->heap, sampler.p);
    return status;
}

slm_status slm_session_step(slm_session *session, const slm_sampling *sampling, int32_t *token, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    int32_t picked;
    slm_sampling how;
    slm_status status = slm_params_read(&how, sizeof how, sampling, err);
    if (status)
        return status;
    if (!token)
        return slm_fail(err, SLM_E_ARG, "token is NULL");
    if ((status = slm_session_enter(session, &watch, &saved, err)) != SLM_OK)
        return status;
    if (!session->has_logits)
        status = slm_fail(err, SLM_E_STATE, "step: nothing was fed at position %zu", session->position);
    if (!status)
        status = pick(session, &how, &picked, err);
    if (!status)
        status = slm_session_eval(session, &picked, 1, NULL, NULL, &watch, err);
    if (!status && how.guide)
        slm_guide_take(how.guide);
    if (!status)
        *token = picked;
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
