/* generate.c -- continues a sequence: pick, feed, hand out text, until an end is reached. */
#include "session/guide.h"

#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "core/utf8.h"
#include "session/speculate.h"
#include "text/vocab.h"

#include <string.h>

typedef struct run {
    slm_session *s;
    const slm_onlooker *onlooker;
    slm_generate_params p;
    slm_sampling sampling;
    slm_sampler sampler;
    slm_speculation ahead;
    slm_stream stream;
    slm_buf text;               /* made and not yet handed out */
    slm_guide guide;            /* if there is a constraint */
    slm_generation result;
    slm_scored one, top[SLM_LIMIT_TOP_SCORES];
} run;

static slm_status check(const slm_generate_params *p, slm_error *err)
{
    if (p->n_top > SLM_LIMIT_TOP_SCORES)
        return slm_fail(err, SLM_E_ARG, "generate: n_top is %u (allowed 0 .. %d)", p->n_top, SLM_LIMIT_TOP_SCORES);
    if (p->n_stops > SLM_LIMIT_STOPS || (p->n_stops && !p->stops))
        return slm_fail(err, SLM_E_ARG, "generate: %u stop strings (allowed 0 .. %d)", p->n_stops, SLM_LIMIT_STOPS);
    for (uint32_t i = 0; i < p->n_stops; i++) {
        const size_t n = p->stops[i] ? strlen(p->stops[i]) : 0;
        if (n < 1 || n > SLM_LIMIT_STOP_BYTES || slm_utf8_valid(p->stops[i], n) != n)
            return slm_fail(err, SLM_E_ARG, "generate: stop string %u of %zu bytes (allowed 1 .. %d bytes of UTF-8)", i, n,
                            SLM_LIMIT_STOP_BYTES);
    }
    return SLM_OK;
}

/* Where the first stop string begins in the text, or its length. Of two at one place any will do: the text ends there. */
static size_t find_stop(const run *r)
{
    size_t first = r->text.size;
    for (uint32_t i = 0; i < r->p.n_stops; i++) {
        const size_t n = strlen(r->p.stops[i]);
        for (size_t at = 0; at + n <= r->text.size && at < first; at++)
            if (memcmp(r->text.data + at, r->p.stops[i], n) == 0)
                first = at;
    }
    return first;
}

/* How many bytes at the end of the text may still become a stop string. */
static size_t undecided(const run *r)
{
    size_t most = 0;
    for (uint32_t i = 0; i < r->p.n_stops; i++) {
        const size_t n = strlen(r->p.stops[i]);
        for (size_t k = slm_min(n - 1, r->text.size); k > most; k--)
            if (memcmp(r->text.data + r->text.size - k, r->p.stops[i], k) == 0)
                most = k;
    }
    return most;
}

/* Hands out the first n bytes. False if the callback asked to stop. */
static bool hand_out(run *r, size_t n)
{
    if (!n)
        return true;
    const int answer = r->p.text ? r->p.text(r->p.user, (const char *)r->text.data, n) : 0;
    memmove(r->text.data, r->text.data + n, r->text.size - n);
    r->text.size -= n;
    return answer == 0;
}

/* What the row of logits says about the token, before the next row takes its place. */
static slm_status look(run *r, int32_t token, slm_error *err)
{
    const slm_model *m = r->s->model;
    r->one = (slm_scored){ token, 0, 0 };
    if (!r->p.token)
        return SLM_OK;
    return slm_logprob_row(&m->kernels, r->s->logits, m->config.vocab, &r->one, r->top, slm_min(r->p.n_top, m->config.vocab), err);
}

/* Tokens that may still be made. */
static size_t left(const run *r)
{
    const size_t room = slm_session_room(r->s);
    return r->p.max_tokens ? slm_min(room, r->p.max_tokens - r->result.tokens) : room;
}

/* Text of one more token, and room for what the end may add: so that a token that was fed has its text. */
static slm_status spell(run *r, int32_t token, slm_error *err)
{
    enum { REPLACEMENT = 3 };
    if (r->s->model->tokenizer)
        slm_stream_push(&r->stream, token, &r->text);
    if (slm_buf_grow(&r->text, REPLACEMENT))
        r->text.size -= REPLACEMENT;
    return slm_buf_status(&r->text, "generate: text", err);
}

/* Feeds a token; on failure text and stream are as before. */
static slm_status feed(run *r, int32_t token, slm_error *err)
{
    const slm_stream stream = r->stream;
    const size_t size = r->text.size;
    slm_status status = spell(r, token, err);
    if (!status)
        status = slm_speculation_feed(&r->ahead, token, left(r) - 1, err);
    if (status) {
        r->stream = stream;
        r->text.size = size;
    }
    return status;
}

/* The text with one more token in it. True if the generation ends here. */
static bool deliver(run *r)
{
    const size_t stop = find_stop(r);
    if (stop < r->text.size) {
        r->text.size = stop;
        r->result.reason = SLM_STOP_STRING;
        if (!hand_out(r, stop))
            r->result.reason = SLM_STOP_CALLBACK;
        return true;
    }
    if (!hand_out(r, r->text.size - undecided(r))) {
        r->result.reason = SLM_STOP_CALLBACK;
        return true;
    }
    return false;
}

static slm_status choose(run *r, int32_t *token, slm_error *err)
{
    const slm_session *s = r->s;
    const slm_kernels *kernels = &s->model->kernels;
    slm_sampling how = r->sampling;
    how.recent = s->tokens;
    how.n_recent = s->position;
    if (r->p.constraint)
        return slm_guide_choose(&r->guide, &r->sampler, kernels, token, s->logits, &how, s->position, left(r), err);
    return slm_sampler_pick(&r->sampler, kernels, token, s->logits, s->model->config.vocab, &how, NULL, s->position, err);
}

static slm_status loop(run *r, slm_error *err)
{
    slm_session *s = r->s;
    const slm_model *m = s->model;
    for (;;) {
        int32_t token;
        if (r->p.max_tokens && r->result.tokens >= r->p.max_tokens) {
            r->result.reason = SLM_STOP_LENGTH;
            break;
        }
        if (slm_session_room(s) == 0) {
            r->result.reason = SLM_STOP_CONTEXT;
            break;
        }
        if (r->p.constraint && slm_guide_is_done(&r->guide)) {
            r->result.reason = SLM_STOP_EOS;
            break;
        }
        slm_status status = choose(r, &token, err);
        if (status)
            return status;
        if (token < 0) {
            r->result.reason = SLM_STOP_LENGTH;
            break;
        }
        if (r->onlooker->picked)
            status = r->onlooker->picked(r->onlooker->user, s->logits, token, err);
        if (status)
            return status;
        if (m->tokenizer && slm_tokenizer_is_end(m->tokenizer, token)) {
            r->result.reason = SLM_STOP_EOS;
            break;
        }
        status = look(r, token, err);
        if (!status)
            status = feed(r, token, err);
        if (status)
            return status;
        r->result.tokens++;
        if (r->p.constraint)
            slm_guide_take(&r->guide);
        const bool enough = r->p.token && r->p.token(r->p.user, &r->one, r->top, slm_min(r->p.n_top, m->config.vocab)) != 0;
        if (deliver(r)) {                       /* what is left will not be shown */
            r->text.size = r->stream.n_held = 0;
            return SLM_OK;
        }
        if (enough) {
            r->result.reason = SLM_STOP_CALLBACK;
            break;
        }
    }
    return SLM_OK;
}

/* Hands out what was held back, for it is in the sequence; after a failure too. */
static void end(run *r)
{
    if (r->s->model->tokenizer)
        slm_stream_flush(&r->stream, &r->text);
    if (!hand_out(r, r->text.size))
        r->result.reason = SLM_STOP_CALLBACK;
}

static slm_status begin(run *r, const slm_watch *watch, slm_error *err)
{
    slm_session *s = r->s;
    slm_heap *heap = &s->model->heap;
    if (!s->has_logits)
        return slm_fail(err, SLM_E_STATE, "generate: nothing was fed at position %zu", s->position);
    const slm_status status = slm_speculation_init(&r->ahead, s, r->p.drafter, r->p.draft, watch, err);
    if (status)
        return status;
    slm_buf_init(&r->text, heap, SLM_LIMIT_TEXT_BYTES);
    r->sampler = slm_sampler_new(heap, s->model->config.vocab);
    if (!r->sampler.p)
        return slm_fail(err, SLM_E_MEMORY, "generate: %u candidates", s->model->config.vocab);
    if (s->model->tokenizer) {
        slm_stream_init(&r->stream, s->model->tokenizer, slm_session_only_bos(s));
        r->stream.shown = r->onlooker->shown;
    }
    return r->p.constraint ? slm_guide_init(&r->guide, r->p.constraint, s, left(r), "generate", err) : SLM_OK;
}

slm_status slm_session_continue(slm_session *s, const slm_generate_params *params, const slm_watch *watch, const slm_onlooker *onlooker,
                                slm_generation *result, slm_error *err)
{
    slm_heap *heap = &s->model->heap;
    run r = { .s = s, .onlooker = onlooker, .p = *params, .result = SLM_GENERATION_INIT };
    slm_status status = slm_params_read(&r.sampling, sizeof r.sampling, r.p.sampling, err);
    if (!status)
        status = slm_sampling_check(&r.sampling, err);
    if (!status && r.sampling.guide)
        status = slm_fail(err, SLM_E_ARG, "generate: a guide is for single steps (allowed: the constraint)");
    if (!status)
        status = check(&r.p, err);
    if (!status)
        status = begin(&r, watch, err);
    if (!status)
        status = slm_watch_look(watch, err);                /* an end token is reached without feeding, which looks */
    if (!status)
        status = loop(&r, err);
    end(&r);
    r.result.drafted = r.ahead.drafted;
    r.result.accepted = r.ahead.accepted;
    slm_speculation_free(&r.ahead);
    slm_heap_free(heap, r.sampler.p);
    slm_heap_free(heap, r.text.data);
    slm_guide_clear(&r.guide);
    *result = r.result;
    return status;
}

slm_status slm_session_generate(slm_session *session, const slm_generate_params *params, slm_generation *result, slm_error *err)
{
    static const slm_onlooker nobody = { NULL, NULL, -1 };
    slm_generation made = SLM_GENERATION_INIT;
    slm_generate_params p;
    slm_watch watch;
    unsigned saved;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (!status)
        status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    status = slm_session_continue(session, &p, &watch, &nobody, &made, err);
    slm_session_leave(session, saved);
    if (result) {
        const slm_status written = slm_params_write(result, &made, sizeof made, status ? NULL : err);
        status = status ? status : written;
    }
    return status;
}
