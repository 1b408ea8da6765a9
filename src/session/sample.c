/* sample.c -- from logits to a token (contract C11).
 *
 * z = logit / T; p = exp(z - max). Filters set p of what they drop to 0, in this order: top-k, top-p, min-p. The pick is the first in
 * id order whose running sum of p exceeds u times the total, u being a function of seed and position alone.
 *
 * Only the best few of a vocabulary are ever looked at in order: they are taken from a heap of indices, built in linear time. */
#include "session/session.h"

#include "core/cpu.h"
#include "core/random.h"
#include "kernels/math.h"

slm_sampler slm_sampler_new(slm_heap *heap, size_t vocab)
{
    slm_sampler s = { slm_heap_array(heap, vocab, sizeof *s.p + sizeof *s.order), NULL };
    if (s.p)
        s.order = (uint32_t *)(void *)(s.p + vocab);
    return s;
}

slm_status slm_sampling_check(const slm_sampling *s, slm_error *err)
{
    if (!(s->temperature >= 0 && s->temperature <= 1e6f))
        return slm_fail(err, SLM_E_ARG, "temperature is %g (allowed 0 .. 1e6)", (double)s->temperature);
    if (s->top_p != s->top_p)
        return slm_fail(err, SLM_E_ARG, "top_p is %g (allowed numbers)", (double)s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return slm_fail(err, SLM_E_ARG, "min_p is %g (allowed 0 .. 1)", (double)s->min_p);
    return SLM_OK;
}

/* Is a better than b: more probable, or as probable with the lower id. */
static bool better(const float *p, uint32_t a, uint32_t b)
{
    return p[a] > p[b] || (p[a] == p[b] && a < b);
}

static void sink(const float *p, uint32_t *heap, size_t n, size_t root)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && better(p, heap[child + 1], heap[child]))
            child++;
        if (!better(p, heap[child], heap[root]))
            return;
        const uint32_t moved = heap[root];
        heap[root] = heap[child];
        heap[child] = moved;
    }
}

/* Keeps the best `most` tokens, and of them the shortest run whose sum reaches `share` of their total; p of the others becomes 0.
 * The best end up behind the heap, in order. */
static void keep_best(float *p, uint32_t *heap, size_t n, size_t most, double share)
{
    for (size_t i = 0; i < n; i++)
        heap[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;)
        sink(p, heap, n, i);
    double total = 0, sum = 0;
    if (most >= n) {
        for (size_t i = 0; i < n; i++)
            total += (double)p[i];
    }
    size_t left = n, kept = 0;
    const bool two_passes = most < n;           /* the total of the best is known only when all of them are out */
    while (left > 0 && kept < most && (two_passes || sum < share * total || kept == 0)) {
        const uint32_t best = heap[0];
        heap[0] = heap[--left];
        heap[left] = best;
        sink(p, heap, left, 0);
        sum += (double)p[best];
        kept++;
    }
    for (size_t i = 0; i < left; i++)
        p[heap[i]] = 0;
    if (!two_passes)
        return;
    total = sum;
    sum = 0;
    for (size_t i = n; i-- > left;) {
        const uint32_t id = heap[i];
        if (i != n - 1 && sum >= share * total)
            p[id] = 0;
        else
            sum += (double)p[id];
    }
}

static int32_t greedy(const float *logits, size_t vocab)
{
    size_t best = 0;
    for (size_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    return (int32_t)best;
}

static int32_t draw(const float *p, size_t vocab, double u)
{
    double total = 0, sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < vocab; i++)
        total += (double)p[i];
    for (size_t i = 0; i < vocab; i++) {
        if (p[i] <= 0)
            continue;
        last = i;
        sum += (double)p[i];
        if (sum > u * total)
            return (int32_t)i;
    }
    return (int32_t)last;
}

slm_status slm_sampler_pick(const slm_sampler *s, const slm_kernels *k, int32_t *token, const float *logits, size_t vocab,
                            const slm_sampling *how, uint64_t position, slm_error *err)
{
    float most = k->max_f32(logits, vocab);
    if (!(most <= 0x1.fffffep+127f))
        return slm_fail(err, SLM_E_NUMERIC, "sampling: a logit of %zu is NaN or infinite", vocab);
    if (most < -0x1.fffffep+127f)
        return slm_fail(err, SLM_E_NUMERIC, "sampling: no token of %zu is allowed", vocab);
    if (how->temperature < 1e-5f) {
        *token = greedy(logits, vocab);
        return SLM_OK;
    }
    for (size_t i = 0; i < vocab; i++)
        s->p[i] = logits[i] / how->temperature;
    most = k->max_f32(s->p, vocab);
    if (!(fabsf(most) <= 0x1.fffffep+127f))
        return slm_fail(err, SLM_E_NUMERIC, "sampling: a logit divided by the temperature %g is not finite", (double)how->temperature);
    (void)k->exp_sum_f32(s->p, s->p, vocab, 0, most);
    const size_t top_k = how->top_k && how->top_k < vocab ? how->top_k : vocab;
    const bool top_p = how->top_p != 0 && how->top_p < 1;
    if (top_k < vocab || top_p)
        keep_best(s->p, s->order, vocab, top_k, top_p ? (double)how->top_p : 2.0);
    for (size_t i = 0; how->min_p > 0 && i < vocab; i++)
        if (s->p[i] < how->min_p)               /* the greatest p is exp(0) = 1 */
            s->p[i] = 0;
    *token = draw(s->p, vocab, slm_random_unit(how->seed, position));
    return SLM_OK;
}

slm_status slm_sample(int32_t *token, const float *logits, size_t vocab, const slm_sampling *sampling, uint64_t position, slm_error *err)
{
    const slm_sampling none = SLM_SAMPLING_INIT;
    const slm_sampling *how = sampling ? sampling : &none;
    slm_status status = slm_sampling_check(how, err);
    if (status)
        return status;
    if (!token || !logits || vocab < 1 || vocab > INT32_MAX)
        return slm_fail(err, SLM_E_ARG, "sampling: %zu logits (allowed 1 .. %d)", vocab, INT32_MAX);
    slm_heap heap;
    slm_kernels kernels;
    slm_heap_init(&heap, NULL, 0);
    slm_kernels_select(&kernels, slm_cpu_masked(0));
    slm_sampler sampler = slm_sampler_new(&heap, vocab);
    if (!sampler.p)
        return slm_fail(err, SLM_E_MEMORY, "sampling: %zu candidates", vocab);
    const unsigned saved = slm_fp_enter();
    status = slm_sampler_pick(&sampler, &kernels, token, logits, vocab, how, position, err);
    slm_fp_leave(saved);
    slm_heap_free(&heap, sampler.p);
    return status;
}

/* log p = (logit - max) - log(sum of exp(logit - max)); the sum in pieces of 1024, each by C7, added in double. */
slm_status slm_logits_score(const float *logits, size_t vocab, int32_t token, double *nats, slm_error *err)
{
    float piece[1024];
    double sum = 0;
    slm_kernels k;
    if (!logits || !nats || token < 0 || (size_t)token >= vocab)
        return slm_fail(err, SLM_E_ARG, "score: token %d of %zu logits", token, vocab);
    slm_kernels_select(&k, slm_cpu_masked(0));
    const unsigned saved = slm_fp_enter();
    const float most = k.max_f32(logits, vocab);
    const bool finite = fabsf(most) <= 0x1.fffffep+127f;
    for (size_t i = 0; finite && i < vocab; i += 1024)
        sum += (double)k.exp_sum_f32(piece, logits + i, vocab - i < 1024 ? vocab - i : 1024, 0, most);
    if (finite)
        *nats = ((double)logits[token] - (double)most) - slm_log_f64(sum);
    slm_fp_leave(saved);
    return finite ? SLM_OK : slm_fail(err, SLM_E_NUMERIC, "score: a logit of %zu is NaN or infinite", vocab);
}
