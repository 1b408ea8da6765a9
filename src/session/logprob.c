/* logprob.c -- log-probabilities of one row of logits: log p = (logit - max) - log(sum of exp(logit - max)); the sum in pieces of 1024,
 * each by C7, added in double. Of the model's own distribution: no temperature, no filter, no constraint. */
#include "session/session.h"

#include "core/cpu.h"
#include "core/limits.h"
#include "kernels/math.h"

/* The highest logit and the log of the sum; false if a logit is NaN or infinite. */
static bool normalizer(const slm_kernels *k, const float *logits, size_t vocab, double *most, double *log_sum)
{
    float piece[1024];
    double sum = 0;
    const float top = k->max_f32(logits, vocab);
    if (!(fabsf(top) <= 0x1.fffffep+127f))
        return false;
    for (size_t i = 0; i < vocab; i += 1024)
        sum += (double)k->exp_sum_f32(piece, logits + i, vocab - i < 1024 ? vocab - i : 1024, 0, top);
    *most = (double)top;
    *log_sum = slm_log_f64(sum);
    return true;
}

/* The n best in order (down; ties by lower id), by insertion: n is small. */
static size_t best(slm_scored *top, size_t n, const float *logits, size_t vocab)
{
    size_t have = 0;
    for (size_t i = 0; n && i < vocab; i++) {
        size_t at = have;
        if (have == n && !((double)logits[i] > top[n - 1].nats))
            continue;
        if (have < n)
            have++;
        else
            at = n - 1;
        for (; at > 0 && (double)logits[i] > top[at - 1].nats; at--)
            top[at] = top[at - 1];
        top[at] = (slm_scored){ (int32_t)i, 0, (double)logits[i] };
    }
    return have;
}

slm_status slm_logprob_row(const slm_kernels *k, const float *logits, size_t vocab, slm_scored *one, slm_scored *top, size_t n, slm_error *err)
{
    double most, log_sum;
    if (!normalizer(k, logits, vocab, &most, &log_sum))
        return slm_fail(err, SLM_E_NUMERIC, "score: a logit of %zu is NaN or infinite", vocab);
    if (one)
        one->nats = ((double)logits[one->token] - most) - log_sum;
    const size_t have = best(top, n, logits, vocab);
    for (size_t i = 0; i < have; i++)
        top[i].nats = (top[i].nats - most) - log_sum;
    return SLM_OK;
}

slm_status slm_logits_score(const float *logits, size_t vocab, int32_t token, double *nats, slm_error *err)
{
    slm_kernels k;
    slm_scored one = { token, 0, 0 };
    if (!logits || !nats || token < 0 || (size_t)token >= vocab)
        return slm_fail(err, SLM_E_ARG, "score: token %d of %zu logits", token, vocab);
    slm_kernels_select(&k, slm_cpu_masked(0));
    const unsigned saved = slm_fp_enter();
    const slm_status status = slm_logprob_row(&k, logits, vocab, &one, NULL, 0, err);
    slm_fp_leave(saved);
    if (!status)
        *nats = one.nats;
    return status;
}

slm_status slm_logits_top(const float *logits, size_t vocab, slm_scored *top, size_t n, slm_error *err)
{
    slm_scored own[SLM_LIMIT_TOP_SCORES];
    slm_kernels k;
    if (!logits || !top || n < 1 || n > vocab || n > SLM_LIMIT_TOP_SCORES)
        return slm_fail(err, SLM_E_ARG, "top: %zu of %zu logits (allowed 1 .. %d and the vocabulary)", n, vocab, SLM_LIMIT_TOP_SCORES);
    slm_kernels_select(&k, slm_cpu_masked(0));
    const unsigned saved = slm_fp_enter();
    const slm_status status = slm_logprob_row(&k, logits, vocab, NULL, own, n, err);
    slm_fp_leave(saved);
    for (size_t i = 0; !status && i < n; i++)
        top[i] = own[i];
    return status;
}
