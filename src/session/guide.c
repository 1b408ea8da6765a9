/* guide.c -- chooses tokens within a constraint.
 *
 * As the model says; if that does not fit, among what fits; if that would come too late, the first token of the way out. The second draw has
 * a number of its own, so both together draw from the model's distribution over what fits. */
#include "session/guide.h"

#include "core/limits.h"
#include "core/random.h"
#include "core/size.h"
#include "text/vocab.h"

slm_status slm_guide_init(slm_guide *g, slm_constraint *constraint, const slm_session *s, size_t left, const char *what, slm_error *err)
{
    const slm_model *m = s->model;
    size_t need = 0;
    int32_t first;
    *g = (slm_guide){ .chosen = -1, .left = left };
    slm_status status = slm_constraint_belongs(constraint, m->tokenizer, err);
    if (status)
        return status;
    g->tokenizer = m->tokenizer;
    g->heap = m->tokenizer->heap;
    g->vocab = m->config.vocab;
    g->at_start = slm_session_only_bos(s);
    slm_buf_init(&g->piece, g->heap, SLM_LIMIT_TEXT_BYTES);
    status = slm_place_init(&g->place, constraint, err);
    g->next.constraint = constraint;
    if (!status)
        status = slm_place_need(&g->place, g->at_start, &need, &first, err);
    if (!status && need > left)
        status = slm_fail(err, SLM_E_CONTEXT, "%s: the shortest text of the constraint has %zu tokens (allowed %zu)", what, need, left);
    if (!status && m->tokenizer->texts.n > g->vocab)
        status = slm_fail(err, SLM_E_MISMATCH, "%s: %zu tokens have a text, %zu have a logit", what, m->tokenizer->texts.n, g->vocab);
    if (!status && !(g->allowed = slm_heap_zarray(g->heap, (g->vocab + 63) / 64, sizeof *g->allowed)))
        status = slm_fail(err, SLM_E_MEMORY, "%s: a set of %zu tokens", what, g->vocab);
    return status;
}

void slm_guide_clear(slm_guide *g)
{
    if (!g->heap)
        return;
    slm_place_free(&g->place);
    slm_place_free(&g->next);
    slm_buf_free(&g->piece);
    slm_heap_free(g->heap, g->allowed);
    *g = (slm_guide){ .chosen = -1 };
}

static void put_piece(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

/* Does the token fit here, with `after` more behind it? If so it is the chosen one. Its text is exactly what the stream will make of it. */
static slm_status try_token(slm_guide *g, int32_t token, size_t after, slm_fit *fit, slm_error *err)
{
    const slm_tokenizer *t = g->tokenizer;
    *fit = SLM_FIT_NEVER;
    g->chosen = -1;
    if (slm_tokenizer_is_end(t, token)) {
        *fit = g->place.accepts ? SLM_FIT_TAKEN : SLM_FIT_NEVER;
        g->chosen = g->place.accepts ? token : -1;
        return SLM_OK;
    }
    if (token < 0 || (size_t)token >= t->texts.n)
        return SLM_OK;
    g->piece.size = 0;
    g->piece.failed = SLM_OK;                   /* of an earlier call */
    g->next_at_start = g->at_start;
    slm_token_put(t, (uint32_t)token, 0, &g->next_at_start, put_piece, &g->piece);
    slm_status status = slm_buf_status(&g->piece, "constraint: token", err);
    if (status || !g->piece.size)
        return status;
    status = slm_place_copy(&g->next, &g->place, err);
    if (!status)
        status = slm_place_step(&g->next, g->piece.data, g->piece.size, after, fit, err);
    if (!status && *fit == SLM_FIT_TAKEN)
        g->chosen = token;
    return status;
}

static slm_status way_out(slm_guide *g, int32_t *token, slm_error *err)
{
    size_t need;
    slm_fit fit = SLM_FIT_NEVER;
    slm_status status = slm_place_need(&g->place, g->at_start, &need, token, err);
    if (status || (*token < 0 && g->place.accepts))
        return status;
    if (*token >= 0)
        status = try_token(g, *token, SIZE_MAX, &fit, err);
    if (!status && fit != SLM_FIT_TAKEN)
        status = slm_fail(err, SLM_E_INTERNAL, "constraint: token %d does not lead out of it", *token);
    return status;
}

slm_status slm_guide_choose(slm_guide *g, const slm_sampler *sampler, const slm_kernels *kernels, int32_t *token, const float *logits,
                            const slm_sampling *sampling, uint64_t position, size_t left, slm_error *err)
{
    enum { SECOND = 0x5eed };
    slm_sampling how = *sampling;
    slm_fit fit = SLM_FIT_NEVER;
    slm_status status = slm_sampler_pick(sampler, kernels, token, logits, g->vocab, &how, NULL, position, err);
    if (!status)
        status = try_token(g, *token, left - 1, &fit, err);
    if (!status && fit == SLM_FIT_NEVER) {
        status = slm_place_mask(&g->place, g->at_start, g->allowed, err);
        how.seed = slm_random_mix(how.seed ^ SECOND);
        if (!status)
            status = slm_sampler_pick(sampler, kernels, token, logits, g->vocab, &how, g->allowed, position, err);
        if (!status)
            status = try_token(g, *token, left - 1, &fit, err);
    }
    return !status && fit != SLM_FIT_TAKEN ? way_out(g, token, err) : status;
}

void slm_guide_take(slm_guide *g)
{
    g->left -= g->left > 0;
    if (slm_tokenizer_is_end(g->tokenizer, g->chosen)) {
        g->ended = true;
    } else if (g->chosen >= 0) {
        const slm_place swap = g->place;
        g->place = g->next;
        g->next = swap;
        g->at_start = g->next_at_start;
    }
    g->chosen = -1;
}

/* ---- for callers who feed themselves ---- */

slm_status slm_guide_new(slm_guide **out, slm_constraint *constraint, const slm_session *session, size_t max_tokens, slm_error *err)
{
    if (!out || !constraint || !session)
        return slm_fail(err, SLM_E_ARG, "guide: %s is NULL", !out ? "out" : constraint ? "session" : "constraint");
    const size_t room = slm_session_room(session);
    slm_guide g;
    slm_status status = slm_guide_init(&g, constraint, session, max_tokens ? slm_min(max_tokens, room) : room, "guide", err);
    slm_guide *own = status ? NULL : slm_heap_alloc(g.heap, sizeof *own);
    if (!own) {
        slm_guide_clear(&g);
        return status ? status : slm_fail(err, SLM_E_MEMORY, "guide: %zu bytes", sizeof *own);
    }
    *own = g;
    *out = own;
    return SLM_OK;
}

void slm_guide_free(slm_guide *g)
{
    slm_heap *heap = g ? g->heap : NULL;
    if (!g)
        return;
    slm_guide_clear(g);
    slm_heap_free(heap, g);
}

int slm_guide_is_done(const slm_guide *g)
{
    return g->ended || g->place.ends || !g->left;
}

int slm_guide_is_whole(const slm_guide *g)
{
    return g->place.accepts;
}

slm_status slm_guide_push(slm_guide *g, int32_t token, slm_error *err)
{
    slm_fit fit = SLM_FIT_TAKEN;
    if (!g || slm_guide_is_done(g))
        return slm_fail(err, g ? SLM_E_STATE : SLM_E_ARG, "guide: %s", g ? "the text is at its end" : "is NULL");
    if (token < 0 || token != g->chosen) {
        const slm_status status = try_token(g, token, g->left - 1, &fit, err);
        if (status)
            return status;
    }
    if (fit != SLM_FIT_TAKEN)
        return slm_fail(err, SLM_E_ARG, "guide: token %d %s", token,
                        fit == SLM_FIT_LATE ? "leaves no end within the tokens left" : "is no part of a text of the constraint here");
    slm_guide_take(g);
    return SLM_OK;
}

slm_status slm_guide_pick(slm_guide *g, const slm_sampler *sampler, const slm_kernels *kernels, int32_t *token, const float *logits,
                          size_t vocab, const slm_sampling *how, uint64_t position, size_t room, slm_error *err)
{
    slm_fit fit;
    int32_t picked;
    if (slm_guide_is_done(g) || !room)
        return slm_fail(err, SLM_E_STATE, "guide: the text is at its end");
    if (vocab != g->vocab)
        return slm_fail(err, SLM_E_MISMATCH, "guide: %zu logits, its vocabulary has %zu tokens", vocab, g->vocab);
    slm_status status = slm_guide_choose(g, sampler, kernels, &picked, logits, how, position, slm_min(g->left, room), err);
    for (uint32_t id = 0; !status && picked < 0 && id < g->tokenizer->texts.n; id++)
        if (slm_tokenizer_is_end(g->tokenizer, (int32_t)id)) {
            picked = (int32_t)id;
            status = try_token(g, picked, 0, &fit, err);
        }
    if (!status && picked < 0)
        status = slm_fail(err, SLM_E_STATE, "guide: the text is whole, nothing that fits is short enough, and the vocabulary has no end token");
    if (!status)
        *token = picked;
    return status;
}
