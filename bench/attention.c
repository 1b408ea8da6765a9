/* attention.c -- what a long context costs, and what 8-bit keys and values cost.
 *
 *   bench/attention [-t threads] [-n rounds] [-k f16|f32|q8_0] MODEL          time: prefill of 512 and of 4,096 tokens
 *   bench/attention -e TEXT MODEL                                            loss: the cache q8_0 against f16 over a text
 *
 * Time is processor time of all threads per token, so that other work on the machine counts little. Three figures, each ratio the median of the
 * rounds, which measure the fma peak, prefill of 512, 4,096 and 512 tokens again, and the peak again:
 *   less the arithmetic   a token of 4,096 beside one of 512, the multiply-adds of attention that it has more taken off at the peak's rate
 *   4096 tokens           the same with nothing taken off
 *   extra arithmetic      the rate at which those multiply-adds were done, were everything else the same, beside the peak
 * Windows are not counted: for models without them. Loss, a JSON line: perplexities, mean and greatest KL divergence in nats from f16, over
 * windows of 512 tokens (or the model's context), each from an empty cache. */
#include "figure.h"

#include "core/cpu.h"
#include "kernels/kernels.h"

#include <math.h>
#include <time.h>

enum { SHORT = 512, LONG = 4096, MOST_ROUNDS = 99, WINDOW = 512 };

static int fail(const slm_error *err)
{
    return figure_fail("attention", err);
}

static double cpu_ms(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Multiply-adds per millisecond of one core. */
static double peak(void)
{
    slm_kernels k;
    slm_kernels_select(&k, slm_cpu_masked(0));
    const double start = cpu_ms(CLOCK_THREAD_CPUTIME_ID);
    double work = 0, ms;
    do
        work += k.peak_fma_f32(20000) / 2;
    while ((ms = cpu_ms(CLOCK_THREAD_CPUTIME_ID) - start) < 20);
    return work / ms;
}

/* Milliseconds of processor time of feeding n tokens to the emptied session, or less than 0. */
static double feed(slm_session *session, const int32_t *tokens, size_t n, slm_error *err)
{
    if (slm_session_truncate(session, 0, err))
        return -1;
    const double start = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
    return slm_session_feed(session, tokens, n, err) ? -1 : cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static int run_time(slm_model *model, const char *name, const slm_model_info *info, uint32_t kv, size_t rounds, slm_error *err)
{
    static double near[MOST_ROUNDS], far[MOST_ROUNDS], rest[MOST_ROUNDS], times[MOST_ROUNDS], less[MOST_ROUNDS], rate[MOST_ROUNDS], share[MOST_ROUNDS];
    static int32_t tokens[LONG];
    const double extra = 2.0 * info->layers * info->heads * info->head_size * (LONG - SHORT) / 2;       /* a token sees half of them */
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_session *session = NULL;
    for (uint32_t i = 0; i < LONG; i++)
        tokens[i] = (int32_t)((i * 2654435761u + 12345u) % info->vocab);
    sp.context = LONG;
    sp.kv = kv;
    if (slm_session_new(&session, model, &sp, err))
        return fail(err);
    if (feed(session, tokens, SHORT, err) < 0)              /* takes the memory */
        return fail(err);
    for (size_t r = 0; r < rounds; r++) {
        const double before = peak(), one = feed(session, tokens, SHORT, err), all = feed(session, tokens, LONG, err);
        const double again = feed(session, tokens, SHORT, err), fma = (before + peak()) / 2;
        if (one < 0 || all < 0 || again < 0)
            return fail(err);
        near[r] = (one + again) / (2 * SHORT) * 1e3;
        far[r] = all / LONG * 1e3;
        rest[r] = far[r] - extra / fma * 1e3;
        times[r] = far[r] / near[r];
        less[r] = rest[r] / near[r];
        rate[r] = extra / (far[r] - near[r]) * 1e-3;
        share[r] = rate[r] / (fma * 1e-6);
    }
    const double us = figure_median(near, rounds), gmacs = figure_median(rate, rounds), of_peak = figure_median(share, rounds);
    figure_print("long", figure_median(rest, rounds), "us/token", us, "512 tokens", figure_median(less, rounds),
                 "%s: 4096 tokens, less the arithmetic of attention", name);
    figure_print("long", figure_median(far, rounds), "us/token", us, "512 tokens", figure_median(times, rounds), "%s: 4096 tokens", name);
    figure_print("long", gmacs, "GMAC/s", gmacs / of_peak, "fma", of_peak, "%s: extra arithmetic, a core", name);
    slm_session_free(session);
    return 0;
}

typedef struct row_sink {
    float *rows;
    size_t vocab;
} row_sink;

static int keep(void *user, size_t index, const float *logits, size_t vocab)
{
    row_sink *s = user;
    memcpy(s->rows + index * vocab, logits, vocab * sizeof *logits);
    return 0;
}

static double log_sum(const float *x, size_t n)
{
    double most = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    return most + log(sum);
}

static int run_loss(slm_model *model, const slm_model_info *info, const char *path, slm_error *err)
{
    static char text[1 << 18];
    static int32_t ids[1 << 18];
    static const uint32_t kinds[2] = { SLM_KV_F16, SLM_KV_Q8_0 };
    const size_t window = info->context < WINDOW ? info->context : WINDOW;
    FILE *f = fopen(path, "rb");
    if (!f)
        return (void)fprintf(stderr, "attention: no file %s\n", path), 1;
    const size_t bytes = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    size_t n = 0;
    if (slm_tokenizer_encode(slm_model_tokenizer(model), ids, sizeof ids / sizeof *ids, &n, text, bytes, 0, err))
        return fail(err);
    row_sink sinks[2];
    slm_session *sessions[2];
    for (size_t i = 0; i < 2; i++) {
        slm_session_params sp = SLM_SESSION_PARAMS_INIT;
        sp.context = (uint32_t)window;
        sp.kv = kinds[i];
        sinks[i] = (row_sink){ malloc(window * info->vocab * sizeof(float)), info->vocab };
        if (!sinks[i].rows || slm_session_new(&sessions[i], model, &sp, err))
            return fail(err);
    }
    double nats[2] = { 0, 0 }, kl = 0, most = 0;
    size_t scored = 0;
    for (size_t from = 0; from + 1 < n; from += window) {
        const size_t count = n - from < window ? n - from : window;
        for (size_t i = 0; i < 2; i++)
            if (slm_session_truncate(sessions[i], 0, err) || slm_session_feed_rows(sessions[i], ids + from, count, keep, &sinks[i], err))
                return fail(err);
        for (size_t t = 0; t + 1 < count; t++, scored++) {
            const float *a = sinks[0].rows + t * info->vocab, *b = sinks[1].rows + t * info->vocab;
            const double za = log_sum(a, info->vocab), zb = log_sum(b, info->vocab);
            double one = 0;
            for (size_t v = 0; v < info->vocab; v++)
                one += exp(a[v] - za) * ((a[v] - za) - (b[v] - zb));
            kl += one;
            most = one > most ? one : most;
            nats[0] -= a[ids[from + t + 1]] - za;
            nats[1] -= b[ids[from + t + 1]] - zb;
        }
    }
    const double all = (double)scored;
    printf("{\"tokens\":%zu,\"ppl_f16\":%.6f,\"ppl_q8_0\":%.6f,\"kl_mean\":%.3e,\"kl_max\":%.3e}\n", scored, exp(nats[0] / all), exp(nats[1] / all),
           kl / all, most);
    for (size_t i = 0; i < 2; i++) {
        slm_session_free(sessions[i]);
        free(sinks[i].rows);
    }
    return 0;
}

int main(int argc, char **argv)
{
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *model = NULL;
    const char *text = NULL, *kv = "f16";
    size_t rounds = 5;
    int i = 1;
    mp.threads = 2;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-t") == 0)
            mp.threads = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-n") == 0)
            rounds = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-k") == 0)
            kv = argv[i + 1];
        else if (strcmp(argv[i], "-e") == 0)
            text = argv[i + 1];
    }
    const uint32_t kind = strcmp(kv, "q8_0") == 0 ? SLM_KV_Q8_0 : strcmp(kv, "f32") == 0 ? SLM_KV_F32 : SLM_KV_F16;
    if (i + 1 != argc || rounds < 1 || rounds > MOST_ROUNDS || (kind == SLM_KV_F16 && strcmp(kv, "f16") != 0)) {
        (void)fprintf(stderr, "usage: attention [-t threads] [-n rounds (1 .. %d)] [-k f16|f32|q8_0] [-e TEXT] MODEL\n", MOST_ROUNDS);
        return 2;
    }
    if (slm_model_open(&model, argv[i], &mp, &err) || slm_model_get_info(model, &info, &err))
        return fail(&err);
    const int result = text ? run_loss(model, &info, text, &err) : run_time(model, figure_name(argv[i]), &info, kind, rounds, &err);
    slm_model_free(model);
    return result;
}
