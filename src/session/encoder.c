/* encoder.c -- an encoder: memory for computing, its limits, and the hidden states of one sequence. */
#include "session/encoder.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "session/session.h"

#include <string.h>

slm_status slm_encoder_new(slm_encoder **out, slm_model *model, const slm_encoder_params *params, slm_error *err)
{
    slm_encoder_params p;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (status)
        return status;
    if (!out || !model)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", out ? "model" : "out");
    const slm_config *c = &model->config;
    if (!c->arch->encoder)
        return slm_fail(err, SLM_E_MISMATCH, "encoder: architecture '%s' is a decoder: it makes text in a session", c->arch->name);
    if (p.context > SLM_LIMIT_CONTEXT || p.chunk > SLM_LIMIT_BATCH_TOKENS)
        return slm_fail(err, SLM_E_ARG, "encoder: context is %u (allowed 0 .. %d), chunk is %u (allowed 0 .. %d)", p.context,
                        SLM_LIMIT_CONTEXT, p.chunk, SLM_LIMIT_BATCH_TOKENS);
    if ((status = slm_kv_type_check(p.kv, "encoder: ", err)) != SLM_OK)
        return status;
    slm_encoder *e = slm_heap_zalloc(&model->heap, sizeof *e);
    if (!e)
        return slm_fail(err, SLM_E_MEMORY, "encoder: %zu bytes", sizeof *e);
    atomic_fetch_add(&model->holds, 1);
    atomic_flag_clear(&e->busy);
    e->model = model;
    e->context = p.context ? p.context : c->context;
    e->chunk = p.chunk;
    e->deadline_ms = p.deadline_ms;
    e->kv = p.kv;
    *out = e;
    return SLM_OK;
}

void slm_encoder_free(slm_encoder *e)
{
    if (!e)
        return;
    slm_model *model = e->model;
    slm_encoding_free(e->encoding);
    slm_heap_free(&model->heap, e->tables);
    slm_heap_free(&model->heap, e->ids);
    slm_heap_free(&model->heap, e);
    slm_model_let_go(model);
}

void slm_encoder_cancel(slm_encoder *encoder)
{
    atomic_store(&encoder->cancel, 1);
}

uint64_t slm_encoder_heap_bytes(const slm_config *config, size_t context, uint32_t kv, size_t width, uint64_t *cache, uint64_t *work)
{
    const uint64_t all = slm_encoding_heap_bytes(config, width, 0, context, kv, cache);
    *work = all - *cache;
    return all > UINT64_MAX - slm_heap_cost(sizeof(slm_encoder)) ? UINT64_MAX : all + slm_heap_cost(sizeof(slm_encoder));
}

slm_status slm_encoder_enter(slm_encoder *e, slm_watch *watch, unsigned *saved, slm_error *err)
{
    if (!e)
        return slm_fail(err, SLM_E_ARG, "encoder is NULL");
    uint64_t deadline;
    const slm_status status = slm_clock_deadline(&deadline, e->deadline_ms, err);
    if (status)
        return status;
    if (atomic_flag_test_and_set(&e->busy))
        return slm_fail(err, SLM_E_STATE, "encoder: another call is running on it");
    *saved = slm_fp_enter();
    *watch = (slm_watch){ &e->cancel, deadline, true };
    return SLM_OK;
}

void slm_encoder_leave(slm_encoder *e, unsigned saved, bool cancelled)
{
    if (cancelled)
        atomic_store(&e->cancel, 0);
    slm_fp_leave(saved);
    atomic_flag_clear(&e->busy);
}

size_t slm_encoder_most(const slm_encoder *e)
{
    return e->model->positions.type ? slm_min(e->context, e->model->config.context) : e->context;
}

slm_status slm_encoder_check(const slm_encoder *e, const int32_t *tokens, size_t n, slm_error *err)
{
    const slm_config *c = &e->model->config;
    if (n < 1 || !tokens)
        return slm_fail(err, SLM_E_ARG, "encoder: %zu tokens%s (allowed 1 .. %zu)", n, tokens ? "" : " at NULL", e->context);
    if (n > e->context)
        return slm_fail(err, SLM_E_CONTEXT, "encoder: %zu tokens do not fit: the context has %zu", n, e->context);
    if (e->model->positions.type && n > c->context)
        return slm_fail(err, SLM_E_CONTEXT, "encoder: %zu tokens: the model has learned %u positions", n, c->context);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= c->vocab)
            return slm_fail(err, SLM_E_ARG, "encoder: token %zu is %d (allowed 0 .. %u)", i, tokens[i], c->vocab - 1);
    return SLM_OK;
}

/* Memory for a sequence of n tokens: that for the next power of two, so that growing texts do not each ask for more. */
static slm_status make_room(slm_encoder *e, size_t n, slm_error *err)
{
    size_t tokens = slm_max(slm_work_chunk(&e->model->config), e->chunk);
    if (e->encoding && slm_encoding_tokens(e->encoding) >= n)
        return SLM_OK;
    while (tokens < n)
        tokens *= 2;
    slm_encoding_free(e->encoding);
    e->encoding = NULL;
    return slm_encoding_new(&e->encoding, e->model, &e->model->heap, e->chunk, slm_min(tokens, e->context), e->kv, err);
}

slm_status slm_encoder_run(slm_encoder *e, slm_sequence *sequences, size_t n, slm_error *err)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++)
        longest = slm_max(longest, sequences[i].n);
    slm_status status = slm_map_step(e->model->map, err);
    if (!status && n)
        status = make_room(e, longest, err);
    if (!status && n)
        slm_encode(e->model, e->encoding, sequences, n);
    return status;
}

static int keep(void *user, size_t index, const float *state, size_t n)
{
    memcpy((float *)user + index * n, state, n * sizeof *state);
    return 0;
}

slm_status slm_encoder_states(slm_encoder *encoder, float *states, const int32_t *tokens, size_t n, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    slm_status status = slm_encoder_enter(encoder, &watch, &saved, err);
    if (status)
        return status;
    slm_sequence s = { .tokens = tokens, .n = n, .row = keep, .user = states, .watch = watch, .err = err };
    if (!states)
        status = slm_fail(err, SLM_E_ARG, "states is NULL");
    if (!status)
        status = slm_encoder_check(encoder, tokens, n, err);
    if (!status)
        status = slm_encoder_run(encoder, &s, 1, err);
    if (!status)
        status = s.status;
    slm_encoder_leave(encoder, saved, status == SLM_E_CANCELLED);
    return status;
}
