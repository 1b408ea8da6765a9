/* speculate.c -- several tokens for one pass over the weights, without a changed bit.
 *
 * Decoding one token reads all weights; evaluating a few more in the same pass costs little. So with the token that was picked goes a
 * guess of what may follow: what followed the same words before (prompt lookup, Saxena 2023), or what a smaller model says (Leviathan et
 * al. 2023). The sampler then picks from each row of logits as it would have without: its draw depends on the seed and the position
 * alone. As long as its pick is the guessed token, that one is evaluated already; at the first other pick the rest is dropped. No pick
 * ever asks what was guessed, so the text is the same whatever the guesses are.
 *
 * A guess that fails costs a little, so its length follows what held last time, and guesses of which nothing held are made ever more
 * seldom. Looking back costs next to nothing, so that a guess can be watched before it is evaluated: is its first token the one that is picked
 * next? Before the first guess one such token must have held, and after each one in a row that failed one more, one after the other; from a
 * guess that held on, none. A drafter's guess is never free: after each of them in a row that failed twice as many tokens pass before the
 * next. */
#include "session/speculate.h"

#include "core/limits.h"
#include "core/size.h"

#include <string.h>

enum {
    FIRST_LENGTH = 4,
    SHORTEST = 2, LONGEST = 16,     /* words that must agree for a guess; more say no more */
    PAUSE = 4, DOUBLINGS = 5        /* tokens without a drafter's guess after one that failed */
};

static size_t vocab_of(const slm_speculation *p)
{
    return p->s->model->config.vocab;
}

slm_status slm_speculation_init(slm_speculation *p, slm_session *session, slm_session *drafter, size_t most, const slm_watch *watch,
                                slm_error *err)
{
    slm_heap *heap = &session->model->heap;
    size_t floats;
    *p = (slm_speculation){ .s = session, .drafter = drafter, .most = most, .length = slm_min(FIRST_LENGTH, most), .proofs = 1, .watched = -1, .watch = watch };
    if (most > SLM_LIMIT_DRAFT)
        return slm_fail(err, SLM_E_ARG, "generate: draft is %zu tokens (allowed 0 .. %d)", most, SLM_LIMIT_DRAFT);
    if (drafter && (drafter == session || !most))
        return slm_fail(err, SLM_E_ARG, "generate: the drafter %s", most ? "is the session itself" : "may draft 0 tokens");
    if (drafter && drafter->model->config.vocab != vocab_of(p))
        return slm_fail(err, SLM_E_MISMATCH, "generate: the drafter has %u tokens, the model %zu", drafter->model->config.vocab, vocab_of(p));
    if (!most)
        return SLM_OK;
    p->tokens = slm_heap_array(heap, most + 1, sizeof *p->tokens);
    p->rows = slm_size_mul(most + 1, vocab_of(p), &floats) ? slm_heap_array(heap, floats, sizeof *p->rows) : NULL;
    return p->tokens && p->rows ? SLM_OK : slm_fail(err, SLM_E_MEMORY, "generate: %zu drafted rows of %zu logits", most + 1, vocab_of(p));
}

void slm_speculation_free(slm_speculation *p)
{
    if (!p->s)
        return;
    if (p->at < p->n)
        slm_kv_trim(&p->s->kv, p->s->position);
    slm_heap_free(&p->s->model->heap, p->tokens);
    slm_heap_free(&p->s->model->heap, p->rows);
    *p = (slm_speculation){ 0 };
}

/* ---- guesses ---- */

/* How many tokens before `end` are those at the end of the sequence, the last of which is `token` and not yet in it. */
static size_t agreement(const slm_session *s, size_t end, int32_t token)
{
    size_t n = 0;
    if (s->tokens[end - 1] != token)
        return 0;
    for (n = 1; n < LONGEST && n < end && s->tokens[end - 1 - n] == s->tokens[s->position - n]; n++)
        ;
    return n;
}

/* What followed the longest repetition of the last tokens; the latest of those. */
static size_t look_back(const slm_speculation *p, int32_t token, int32_t *guess, size_t n)
{
    const slm_session *s = p->s;
    size_t best = SHORTEST - 1, from = 0;
    for (size_t end = s->position - 1; end > 0 && best < LONGEST; end--) {
        const size_t here = agreement(s, end, token);
        if (here > best) {
            best = here;
            from = end;
        }
    }
    n = from ? slm_min(n, s->position - from) : 0;
    memcpy(guess, s->tokens + from, n * sizeof *guess);
    return n;
}

/* The drafter's sequence becomes the session's and the token; at least one token is fed, for logits. */
static slm_status follow(const slm_speculation *p, int32_t token, slm_error *err)
{
    const slm_session *s = p->s;
    slm_session *d = p->drafter;
    const size_t have = slm_min(slm_session_position(d), s->position);
    size_t same = 0;
    while (same < have && d->tokens[same] == s->tokens[same])
        same++;
    slm_status status = same < slm_session_position(d) ? slm_session_truncate(d, same, err) : SLM_OK;
    if (!status && same < s->position)
        status = slm_session_feed(d, s->tokens + same, s->position - same, err);
    return status ? status : slm_session_feed(d, &token, 1, err);
}

/* A drafter whose context is full guesses no more; its other failures are the generation's. */
static slm_status ask_drafter(slm_speculation *p, int32_t token, size_t *n, slm_error *err)
{
    const size_t want = slm_min(*n, p->drafter->context > p->s->position + 1 ? p->drafter->context - p->s->position - 1 : 0);
    *n = 0;
    if (!want)
        return SLM_OK;
    slm_status status = follow(p, token, err);
    while (!status && *n < want) {
        status = *n + 1 < want ? slm_session_step(p->drafter, NULL, &p->tokens[*n + 1], err)
                               : slm_sample(&p->tokens[*n + 1], p->drafter->logits, vocab_of(p), NULL, 0, err);
        *n += !status;
    }
    return status;
}

/* Fills tokens from 1 on. */
static slm_status guess(slm_speculation *p, int32_t token, size_t left, size_t *n, slm_error *err)
{
    *n = slm_min(slm_min(p->length, left), slm_session_room(p->s) - 1);
    if (!p->drafter) {
        *n = *n ? look_back(p, token, p->tokens + 1, *n) : 0;
        if (p->held < p->proofs) {
            p->watched = *n ? p->tokens[1] : -1;
            *n = 0;
        }
        return SLM_OK;
    }
    if (p->pause) {
        p->pause--;
        *n = 0;
    }
    return *n ? ask_drafter(p, token, n, err) : SLM_OK;
}

/* What was picked teaches about the guess that was only watched. */
static void compare(slm_speculation *p, int32_t token)
{
    if (p->watched >= 0)
        p->held = token == p->watched ? p->held + 1 : 0;
    p->watched = -1;
}

/* What the last guess teaches about the next. */
static void learn(slm_speculation *p)
{
    const size_t guessed = p->n - 1, held = p->at - 1;
    p->accepted += held;
    p->length = held == guessed ? slm_min(2 * p->length, p->most) : slm_max(1, held);
    p->misses = held ? 0 : slm_min(p->misses + 1, DOUBLINGS);
    p->pause = held ? 0 : (size_t)PAUSE << p->misses;
    p->proofs = held ? 0 : p->misses + 1;
    p->held = 0;
}

/* ---- feeding ---- */

static int keep(void *user, size_t index, const float *logits, size_t vocab)
{
    const slm_speculation *p = user;
    memcpy(p->rows + index * vocab, logits, vocab * sizeof *logits);
    return 0;
}

static void take(slm_speculation *p)
{
    slm_session *s = p->s;
    memcpy(s->logits, p->rows + p->at * vocab_of(p), vocab_of(p) * sizeof *s->logits);
    s->tokens[s->position++] = p->tokens[p->at++];
    s->has_logits = true;
}

slm_status slm_speculation_feed(slm_speculation *p, int32_t token, size_t left, slm_error *err)
{
    slm_session *s = p->s;
    size_t n = 0;
    slm_status status = SLM_OK;
    if (p->at < p->n) {
        if (token == p->tokens[p->at]) {
            status = slm_watch_look(p->watch, err);
            if (status)
                return status;
            take(p);
            if (p->at == p->n)
                learn(p);
            return SLM_OK;
        }
        slm_kv_trim(&s->kv, s->position);
        learn(p);
    }
    p->n = p->at = 0;
    compare(p, token);
    if (p->most)
        status = guess(p, token, left, &n, err);
    if (status)
        return status;
    if (n) {
        p->tokens[0] = token;
        if (!slm_session_try(s, p->tokens, n + 1, keep, p, p->watch, NULL)) {
            p->n = n + 1;
            p->drafted += n;
            take(p);
            return SLM_OK;
        }
    }
    return slm_session_eval(s, &token, 1, NULL, NULL, p->watch, err);       /* what failed may have been the guess */
}
