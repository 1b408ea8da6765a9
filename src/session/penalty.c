/* penalty.c -- bias and penalties on logits (contract C11: before the temperature, in the order of this file).
 *
 *   bias        z + add; minus infinity forbids
 *   repetition  of a token seen in the window: z / r if z > 0, else z * r (Keskar et al. 2019)
 *   frequency   z - times seen * f, and presence: - p; one rounding each
 *   DRY         z - m * base^(L - length) for a token that would repeat the L >= length tokens before it
 *
 * A penalty looks at the last `window` tokens and touches each token once. The counts stand in an array over the vocabulary of which
 * only the entries of the window are ever set: the cost is that of the window. */
#include "session/penalty.h"

#include "core/size.h"

enum { WINDOW = 64, DRY_MOST = 64 };        /* DRY_MOST: a longer match counts as this long, which bounds the work */

static bool within(float v, float least, float most)
{
    return v >= least && v <= most;         /* false for NaN */
}

slm_status slm_penalty_check(const slm_sampling *s, slm_error *err)
{
    if (s->repeat_penalty != 0 && !within(s->repeat_penalty, 0.01f, 100))
        return slm_fail(err, SLM_E_ARG, "repeat_penalty is %g (allowed 0.01 .. 100; 0: off)", (double)s->repeat_penalty);
    if (!within(s->frequency_penalty, -100, 100))
        return slm_fail(err, SLM_E_ARG, "frequency_penalty is %g (allowed -100 .. 100)", (double)s->frequency_penalty);
    if (!within(s->presence_penalty, -100, 100))
        return slm_fail(err, SLM_E_ARG, "presence_penalty is %g (allowed -100 .. 100)", (double)s->presence_penalty);
    if (!within(s->dry_multiplier, 0, 100))
        return slm_fail(err, SLM_E_ARG, "dry_multiplier is %g (allowed 0 .. 100)", (double)s->dry_multiplier);
    if (s->dry_base != 0 && !within(s->dry_base, 1, 10))
        return slm_fail(err, SLM_E_ARG, "dry_base is %g (allowed 1 .. 10; 0: 1.75)", (double)s->dry_base);
    if ((s->n_bias && !s->bias) || (s->n_recent && !s->recent))
        return slm_fail(err, SLM_E_ARG, "sampling: %s is NULL with a count of %zu", s->n_bias && !s->bias ? "bias" : "recent",
                        s->n_bias && !s->bias ? (size_t)s->n_bias : s->n_recent);
    for (uint32_t i = 0; i < s->n_bias; i++)
        if (s->bias[i].token < 0 || !(within(s->bias[i].add, -1e6f, 1e6f) || s->bias[i].add < -0x1.fffffep+127f))
            return slm_fail(err, SLM_E_ARG, "bias %u: token %d, %g (allowed tokens from 0, -1e6 .. 1e6, or -infinity)", i,
                            s->bias[i].token, (double)s->bias[i].add);
    return SLM_OK;
}

static bool repeats(const slm_sampling *s)
{
    return (s->repeat_penalty != 0 && s->repeat_penalty != 1) || s->frequency_penalty != 0 || s->presence_penalty != 0;
}

bool slm_penalty_any(const slm_sampling *s)
{
    return s->n_bias || repeats(s) || s->dry_multiplier > 0;
}

static void repetition(float *z, size_t vocab, const slm_sampling *s, const int32_t *recent, size_t n, uint32_t *seen)
{
    const float r = s->repeat_penalty != 0 ? s->repeat_penalty : 1;
    for (size_t i = 0; i < n; i++)
        if ((uint32_t)recent[i] < vocab)
            seen[recent[i]] = 0;
    for (size_t i = 0; i < n; i++)
        if ((uint32_t)recent[i] < vocab)
            seen[recent[i]]++;
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = (uint32_t)recent[i];
        if (id >= vocab || !seen[id])
            continue;
        z[id] = z[id] > 0 ? z[id] / r : z[id] * r;
        z[id] = z[id] - (float)seen[id] * s->frequency_penalty;
        z[id] = z[id] - s->presence_penalty;
        seen[id] = 0;
    }
}

/* How many of the last tokens stand before place i too. */
static uint32_t match(const int32_t *t, size_t n, size_t i)
{
    uint32_t length = 0;
    while (length < DRY_MOST && length < i && t[i - 1 - length] == t[n - 1 - length])
        length++;
    return length;
}

static void dry(float *z, size_t vocab, const slm_sampling *s, const int32_t *t, size_t n, uint32_t *longest)
{
    const uint32_t least = s->dry_length ? s->dry_length : 2;
    const float base = s->dry_base != 0 ? s->dry_base : 1.75f;
    for (size_t i = 0; i < n; i++)
        if ((uint32_t)t[i] < vocab)
            longest[t[i]] = 0;
    for (size_t i = 1; i < n; i++) {
        const uint32_t length = (uint32_t)t[i] < vocab ? match(t, n, i) : 0;
        if (length > 0 && length > longest[t[i]])
            longest[t[i]] = length;
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t id = (uint32_t)t[i];
        if (id >= vocab || longest[id] < least)
            continue;
        double penalty = (double)s->dry_multiplier;
        for (uint32_t k = least; k < longest[id] && penalty < 1e6; k++)
            penalty *= (double)base;
        z[id] = z[id] - (float)(penalty < 1e6 ? penalty : 1e6);
        longest[id] = 0;
    }
}

void slm_penalty_apply(float *z, size_t vocab, const slm_sampling *s, const int32_t *recent, size_t n, uint32_t *scratch)
{
    const size_t window = slm_min(n, s->penalty_window ? s->penalty_window : WINDOW);
    for (uint32_t i = 0; i < s->n_bias; i++)
        if ((size_t)s->bias[i].token < vocab)
            z[s->bias[i].token] += s->bias[i].add;
    if (!window)
        return;
    if (repeats(s))
        repetition(z, vocab, s, recent + (n - window), window, scratch);
    if (s->dry_multiplier > 0)
        dry(z, vocab, s, recent + (n - window), window, scratch);
}
