/* confidence.c -- how sure an answer is: numbers of one token from its row of logits, of an answer from its tokens, of a choice from
 * its labels. Every sum has one order and every exp and log is the library's, so that the numbers are the same bits everywhere.
 *
 * Source of the statistics: Gupta et al. 2024 (sums favour short answers, averages hide one bad token, quantiles do better). */
#include "engine/engine.h"

#include "core/cpu.h"
#include "core/params.h"
#include "core/size.h"
#include "kernels/math.h"

enum { LANES = 8, MOST_TOKENS = 1 << 24 };

/* e^x for any x <= 0; below the range of doubles it is 0. */
static double exp_down(double x)
{
    return x < -700 ? 0 : slm_exp_f64(x);
}

/* The second highest; the highest itself if two have it. */
static float second(const float *x, size_t n, float most)
{
    float s = -INFINITY;
    bool seen = false;
    for (size_t i = 0; i < n; i++) {
        if (x[i] == most && !seen)
            seen = true;
        else if (x[i] > s)
            s = x[i];
    }
    return s;
}

slm_status slm_row_measure(slm_row *row, const slm_kernels *kernels, const float *logits, size_t vocab, slm_error *err)
{
    float piece[1024];
    double lane[LANES] = { 0 }, sum = 0, part = 0;
    const float most = kernels->max_f32(logits, vocab);
    if (!(fabsf(most) <= 0x1.fffffep+127f))
        return slm_fail(err, SLM_E_NUMERIC, "confidence: a logit of %zu is NaN or infinite", vocab);
    for (size_t i = 0; i < vocab; i += 1024) {
        const size_t n = slm_min(1024, vocab - i);
        sum += (double)kernels->exp_sum_f32(piece, logits + i, n, 0, most);
        for (size_t k = 0; k < n; k++)
            lane[k % LANES] += piece[k] > 0 ? (double)piece[k] * ((double)logits[i + k] - (double)most) : 0;
    }
    for (size_t k = 0; k < LANES; k++)
        part += lane[k];
    row->logits = logits;
    row->vocab = vocab;
    row->most = most;
    row->sum = sum;
    row->log_sum = slm_log_f64(sum);
    row->entropy = row->log_sum - part / sum;
    row->entropy = row->entropy > 0 ? row->entropy : 0;
    row->margin = (1 - exp_down((double)second(logits, vocab, most) - (double)most)) / sum;
    return SLM_OK;
}

double slm_row_logp(const slm_row *row, int32_t token)
{
    return ((double)row->logits[token] - (double)row->most) - row->log_sum;
}

slm_status slm_token_measure(slm_token_score *score, const float *logits, size_t vocab, int32_t token, slm_error *err)
{
    slm_kernels kernels;
    slm_row row;
    if (!score || !logits || token < 0 || (size_t)token >= vocab)
        return slm_fail(err, SLM_E_ARG, "confidence: token %d of %zu logits", token, vocab);
    slm_kernels_select(&kernels, slm_cpu_masked(0));
    const unsigned saved = slm_fp_enter();
    slm_status status = slm_row_measure(&row, &kernels, logits, vocab, err);
    if (!status)
        *score = (slm_token_score){ slm_row_logp(&row, token), row.margin, row.entropy };
    slm_fp_leave(saved);
    return status;
}

/* ---- of tokens ---- */

static void sink(double *x, size_t n, size_t root)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && x[child + 1] > x[child])
            child++;
        if (!(x[child] > x[root]))
            return;
        const double moved = x[root];
        x[root] = x[child];
        x[child] = moved;
    }
}

static void sort(double *x, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sink(x, n, i);
    for (size_t i = n; i-- > 1;) {
        const double moved = x[0];
        x[0] = x[i];
        x[i] = moved;
        sink(x, i, 0);
    }
}

/* Of sorted x[n]. */
static double quantile(const double *x, size_t n, double a)
{
    const double h = (double)(n - 1) * a;
    const size_t i = (size_t)h;
    return i + 1 < n ? x[i] + (h - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

void slm_confidence_reduce(slm_confidence *c, const slm_token_score *tokens, size_t n, double *sorted)
{
    bool margin = true, entropy = true;
    double margins = 0, entropies = 0;
    *c = (slm_confidence){ .size = sizeof *c, .kind = SLM_CONFIDENCE_TOKENS, .count = (uint32_t)n, .margin_min = 1 };
    for (size_t i = 0; i < n; i++) {
        c->sum += sorted[i] = tokens[i].logp;
        margins += tokens[i].margin;
        entropies += tokens[i].entropy;
        margin = margin && tokens[i].margin >= 0;
        entropy = entropy && tokens[i].entropy >= 0;
        c->margin_min = tokens[i].margin < c->margin_min ? tokens[i].margin : c->margin_min;
    }
    sort(sorted, n);
    c->mean = c->sum / (double)n;
    c->min = sorted[0];
    c->p10 = quantile(sorted, n, 0.10);
    c->p25 = quantile(sorted, n, 0.25);
    c->median = quantile(sorted, n, 0.50);
    c->value = exp_down(c->mean);
    c->margin = margin ? margins / (double)n : -1;
    c->margin_min = margin ? c->margin_min : -1;
    c->entropy = entropy ? entropies / (double)n : -1;
    c->entropy_first = tokens[0].entropy >= 0 ? tokens[0].entropy : -1;
}

/* A log-probability: a number at most 0, give or take the rounding of the one who computed it. */
static slm_status check_logp(double logp, size_t i, slm_error *err)
{
    if (logp <= 1e-6 && logp >= -1e300)
        return SLM_OK;
    return slm_fail(err, SLM_E_NUMERIC, "confidence: log p %zu is %g (allowed -1e300 .. 0)", i, logp);
}

slm_status slm_confidence_of_tokens(slm_confidence *confidence, const slm_token_score *tokens, size_t n, slm_error *err)
{
    slm_heap heap;
    slm_confidence full;
    if (!confidence || !tokens || n < 1 || n > MOST_TOKENS)
        return slm_fail(err, SLM_E_ARG, "confidence: %zu tokens (allowed 1 .. %d)", n, MOST_TOKENS);
    for (size_t i = 0; i < n; i++) {
        slm_status status = check_logp(tokens[i].logp, i, err);
        if (status)
            return status;
        if (!(tokens[i].margin >= -1 && tokens[i].margin <= 1) || !(tokens[i].entropy >= -1 && tokens[i].entropy <= 1e300))
            return slm_fail(err, SLM_E_NUMERIC, "confidence: token %zu: margin %g, entropy %g", i, tokens[i].margin, tokens[i].entropy);
    }
    slm_heap_init(&heap, NULL, 0);
    double *sorted = slm_heap_array(&heap, n, sizeof *sorted);
    if (!sorted)
        return slm_fail(err, SLM_E_MEMORY, "confidence: %zu tokens", n);
    const unsigned saved = slm_fp_enter();
    slm_confidence_reduce(&full, tokens, n, sorted);
    slm_fp_leave(saved);
    slm_heap_free(&heap, sorted);
    return slm_params_write(confidence, &full, sizeof full, err);
}

/* ---- of labels ---- */

slm_status slm_confidence_of_labels(slm_confidence *confidence, size_t *best, slm_label_score *labels, size_t n, slm_error *err)
{
    slm_confidence c = { .size = sizeof c, .kind = SLM_CONFIDENCE_LABELS };
    if (!confidence || !best || !labels || n < 1 || n > MOST_TOKENS)
        return slm_fail(err, SLM_E_ARG, "confidence: %zu labels (allowed 1 .. %d)", n, MOST_TOKENS);
    size_t first = 0;
    for (size_t i = 0; i < n; i++) {
        slm_status status = check_logp(labels[i].logp, i, err);
        if (status)
            return status;
        if (labels[i].logp > labels[first].logp)
            first = i;
    }
    const unsigned saved = slm_fp_enter();
    const double most = labels[first].logp;
    double total = 0, next = 0;
    for (size_t i = 0; i < n; i++)
        total += exp_down(labels[i].logp - most);
    const double log_total = slm_log_f64(total);
    for (size_t i = 0; i < n; i++) {
        const double down = labels[i].logp - most;
        labels[i].p = exp_down(down) / total;
        if (labels[i].p > 0)
            c.entropy -= labels[i].p * (down - log_total);
        if (i != first && labels[i].p > next)
            next = labels[i].p;
    }
    slm_fp_leave(saved);
    c.count = (uint32_t)n;
    c.value = labels[first].p;
    c.margin = c.margin_min = c.value - next;
    c.entropy = c.entropy_first = c.entropy > 0 ? c.entropy : 0;
    *best = first;
    return slm_params_write(confidence, &c, sizeof c, err);
}
