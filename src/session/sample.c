/* sample.c -- from logits to a token (contract C11), in this order:
 *
 *   bias and penalties (penalty.c); the constraint's tokens alone stay; z = logit / T; p = exp(z - max); then filters, which set p of what
 *   they drop to 0: top-k, typical, top-p, min-p. The pick is the first in id order whose running sum of p exceeds u times the total, u
 *   being a function of seed and position alone.
 *
 * The tokens that a constraint allows are moved together, in id order: what is computed is what -infinity in the others would give, at the
 * price of the few. Only the best few of a vocabulary are ever looked at in order: counts of keys by their
 * exponents say which can be among them, and those are taken from a heap of indices. */
#include "session/guide.h"
#include "session/session.h"

#include "core/cpu.h"
#include "core/params.h"
#include "core/random.h"
#include "kernels/math.h"
#include "session/penalty.h"

#include <string.h>

slm_sampler slm_sampler_new(slm_heap *heap, size_t vocab)
{
    slm_sampler s = { slm_heap_array(heap, vocab, 2 * sizeof *s.p + sizeof *s.order), NULL, NULL };
    if (s.p) {
        s.key = s.p + vocab;
        s.order = (uint32_t *)(void *)(s.key + vocab);
    }
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
    if (!(s->typical_p >= 0 && s->typical_p <= 1))
        return slm_fail(err, SLM_E_ARG, "typical_p is %g (allowed 0 .. 1)", (double)s->typical_p);
    return slm_penalty_check(s, err);
}

enum {
    BUCKETS = 1024, /* 4 KB of counts */
    FIRST = 256,    /* contenders where only a share is asked for, most often enough */
    MORE = 16       /* times as many where it was not: looking again costs less than sorting what nobody asks for */
};

/* Is a better than b: a higher key (its probability, most often), or the same with the lower id. */
static bool better(const float *key, uint32_t a, uint32_t b)
{
    return key[a] > key[b] || (key[a] == key[b] && a < b);
}

static void sink(const float *key, uint32_t *heap, size_t n, size_t root)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && better(key, heap[child + 1], heap[child]))
            child++;
        if (!better(key, heap[child], heap[root]))
            return;
        const uint32_t moved = heap[root];
        heap[root] = heap[child];
        heap[child] = moved;
    }
}

/* Keys in steps of half an octave, in their order. */
static size_t bucket(float key)
{
    const uint32_t bits = slm_bits_of_f32(key + 0.0f);      /* no -0 */
    return (bits >> 31 ? ~bits : bits | 0x80000000u) / (UINT32_MAX / BUCKETS + 1);
}

/* The tokens of the highest buckets that hold at least `want`: how many, and the lowest of the buckets. */
static size_t contenders(const float *key, uint32_t *out, size_t n, size_t want, size_t *lowest)
{
    uint32_t count[BUCKETS] = { 0 };
    size_t found = 0, low = BUCKETS;
    for (size_t i = 0; i < n; i++)
        count[bucket(key[i])]++;
    while (low > 0 && found < want)
        found += count[--low];
    found = 0;
    for (size_t i = 0; i < n; i++) {        /* found <= i */
        out[found] = (uint32_t)i;
        found += bucket(key[i]) >= low;
    }
    *lowest = low;
    return found;
}

/* Keeps the `most` tokens of the highest keys, and of them the shortest run whose sum reaches `share` of their total; p of the others becomes 0.
 * They are taken from a heap of the contenders, behind which they end up in order; where these do not reach the share, of more. */
static void keep_best(float *p, const float *key, uint32_t *heap, size_t n, size_t most, double share)
{
    const bool two_passes = most < n;           /* the total of the best is known only when all of them are out */
    double total = 0, sum;
    size_t left, found, lowest;
    for (size_t i = 0; !two_passes && i < n; i++)
        total += (double)p[i];
    for (size_t want = two_passes ? most : FIRST;; want *= MORE) {
        size_t kept = 0;
        found = left = contenders(key, heap, n, want, &lowest);
        sum = 0;
        for (size_t i = left / 2; i-- > 0;)
            sink(key, heap, left, i);
        while (left > 0 && kept < most && (two_passes || sum < share * total || kept == 0)) {
            const uint32_t best = heap[0];
            heap[0] = heap[--left];
            heap[left] = best;
            sink(key, heap, left, 0);
            sum += (double)p[best];
            kept++;
        }
        if (found == n || kept == most || sum >= share * total)
            break;
    }
    for (size_t i = 0; found < n && i < n; i++)
        p[i] = bucket(key[i]) >= lowest ? p[i] : 0;
    for (size_t i = 0; i < left; i++)
        p[heap[i]] = 0;
    if (!two_passes)
        return;
    total = sum;
    sum = 0;
    for (size_t i = found; i-- > left;) {
        const uint32_t id = heap[i];
        if (i != found - 1 && sum >= share * total)
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

/* The running sum is kept at the beginning of each piece while the total is made, so the second pass begins in the right one. */
static int32_t draw(const float *p, size_t n, double u)
{
    enum { PIECES = 256 };
    double begin[PIECES], sum = 0;
    const size_t piece = n / PIECES + 1;
    size_t pieces = 0, last = 0;
    for (size_t i = 0; i < n; i += piece) {
        begin[pieces++] = sum;
        for (size_t k = i; k < n && k < i + piece; k++)
            if (p[k] > 0)               /* what a filter dropped need not be waited for: a sum takes longer than a look */
                sum += (double)p[k];
    }
    const double want = u * sum;
    while (pieces > 1 && begin[pieces - 1] > want)
        pieces--;
    sum = begin[pieces - 1];
    for (size_t i = (pieces - 1) * piece; i < n; i++) {
        if (p[i] <= 0)
            continue;
        last = i;
        sum += (double)p[i];
        if (sum > want)
            return (int32_t)i;
    }
    for (size_t i = 0; i < n; i++)      /* u rounded up to the whole: the last there is */
        last = p[i] > 0 ? i : last;
    return (int32_t)last;
}

/* Keeps the tokens whose -log p is nearest to the entropy, until their sum reaches `share` (Meister et al. 2022). */
static void keep_typical(const slm_sampler *s, size_t n, double share)
{
    double total = 0, entropy = 0;
    for (size_t i = 0; i < n; i++)
        total += (double)s->p[i];
    const double log_total = slm_log_f64(total);
    for (size_t i = 0; i < n; i++) {
        const double p = (double)s->p[i];
        const double nats = p > 0x1p-126 ? log_total - slm_log_f64(p) : 1e30;      /* slm_log_f64 wants a normal number; the rest is least typical */
        s->key[i] = (float)nats;
        if (p > 0x1p-126)
            entropy += p / total * nats;
    }
    for (size_t i = 0; i < n; i++)
        s->key[i] = (float)-fabs((double)s->key[i] - entropy);
    keep_best(s->p, s->key, s->order, n, n, share);
}

/* The tokens of the set, moved together; how many. */
static size_t gather(float *p, size_t vocab, const uint64_t *allowed)
{
    size_t n = 0;
    for (size_t w = 0; w < (vocab + 63) / 64; w++)
        for (uint64_t bits = allowed[w]; bits; bits &= bits - 1)
            p[n++] = p[w * 64 + (size_t)__builtin_ctzll(bits)];
    return n;
}

/* The token that gather moved to place `at`. */
static int32_t gathered(const uint64_t *allowed, size_t at)
{
    size_t w = 0;
    for (size_t count; at >= (count = (size_t)__builtin_popcountll(allowed[w])); w++)
        at -= count;
    uint64_t bits = allowed[w];
    while (at--)
        bits &= bits - 1;
    return (int32_t)(w * 64 + (size_t)__builtin_ctzll(bits));
}

static slm_status pick(const slm_sampler *s, const slm_kernels *k, int32_t *token, const float *z, size_t n, const slm_sampling *how,
                       uint64_t position, slm_error *err)
{
    float most = n ? k->max_f32(z, n) : -INFINITY;
    if (!(most <= 0x1.fffffep+127f))
        return slm_fail(err, SLM_E_NUMERIC, "sampling: a logit of %zu is NaN or infinite", n);
    if (most < -0x1.fffffep+127f)
        return slm_fail(err, SLM_E_NUMERIC, "sampling: no token of %zu is allowed", n);
    if (how->temperature < 1e-5f) {
        *token = greedy(z, n);
        return SLM_OK;
    }
    for (size_t i = 0; i < n; i++)
        s->p[i] = z[i] / how->temperature;
    most = k->max_f32(s->p, n);
    if (!(fabsf(most) <= 0x1.fffffep+127f))
        return slm_fail(err, SLM_E_NUMERIC, "sampling: a logit divided by the temperature %g is not finite", (double)how->temperature);
    (void)k->exp_sum_f32(s->p, s->p, n, 0, most);
    size_t top_k = how->top_k && how->top_k < n ? how->top_k : n;
    const bool top_p = how->top_p != 0 && how->top_p < 1;
    if (how->typical_p > 0 && how->typical_p < 1) {
        if (top_k < n)
            keep_best(s->p, s->p, s->order, n, top_k, 2.0);
        keep_typical(s, n, (double)how->typical_p);
        top_k = n;
    }
    if (top_k < n || top_p)
        keep_best(s->p, s->p, s->order, n, top_k, top_p ? (double)how->top_p : 2.0);
    for (size_t i = 0; how->min_p > 0 && i < n; i++)
        if (s->p[i] < how->min_p)               /* the greatest p is exp(0) = 1 */
            s->p[i] = 0;
    *token = draw(s->p, n, slm_random_unit(how->seed, position));
    return SLM_OK;
}

slm_status slm_sampler_pick(const slm_sampler *s, const slm_kernels *k, int32_t *token, const float *logits, size_t vocab,
                            const slm_sampling *how, const uint64_t *allowed, uint64_t position, slm_error *err)
{
    const bool penalties = slm_penalty_any(how);
    size_t n = vocab;
    if (penalties || allowed)
        memcpy(s->p, logits, vocab * sizeof *s->p);
    if (penalties)
        slm_penalty_apply(s->p, vocab, how, how->recent, how->n_recent, s->order);
    if (allowed)
        n = gather(s->p, vocab, allowed);
    const slm_status status = pick(s, k, token, penalties || allowed ? s->p : logits, n, how, position, err);
    if (!status && allowed)
        *token = gathered(allowed, (size_t)*token);
    return status;
}

slm_status slm_sample(int32_t *token, const float *logits, size_t vocab, const slm_sampling *sampling, uint64_t position, slm_error *err)
{
    slm_sampling how;
    slm_status status = slm_params_read(&how, sizeof how, sampling, err);
    if (!status)
        status = slm_sampling_check(&how, err);
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
    status = how.guide ? slm_guide_pick(how.guide, &sampler, &kernels, token, logits, vocab, &how, position, SIZE_MAX, err)
                       : slm_sampler_pick(&sampler, &kernels, token, logits, vocab, &how, NULL, position, err);
    slm_fp_leave(saved);
    slm_heap_free(&heap, sampler.p);
    return status;
}
