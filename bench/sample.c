/* sample.c -- what it costs to pick a token, on one core.
 *
 *   build/bin/bench_sample [vocabulary [rounds]]
 *
 * Made-up logits, two of which in a thousand stand out; the fastest of the rounds counts, in CPU time. One JSON line a setting. */
#include "slm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double microseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static float *made_up(size_t n)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    float *z = malloc(n * sizeof *z);
    for (size_t i = 0; z && i < n; i++) {
        double sum = 0;                         /* nearly normal, deviation 2 */
        for (int k = 0; k < 12; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(state >> 40) * 0x1p-24;
        }
        z[i] = (float)(2 * (sum - 6) + (i % 500 == 7 ? 9 : 0));
    }
    return z;
}

static const struct { const char *name; float temperature, top_p, min_p, typical_p; uint32_t top_k; } settings[] = {
    { "greedy", 0, 0, 0, 0, 0 },           { "temperature", 1, 0, 0, 0, 0 },      { "top-k 40", 1, 0, 0, 0, 40 },
    { "top-p 0.5", 1, 0.5f, 0, 0, 0 },     { "top-p 0.95", 1, 0.95f, 0, 0, 0 },   { "min-p 0.05", 1, 0, 0.05f, 0, 0 },
    { "top-k 40, top-p 0.95", 0.7f, 0.95f, 0, 0, 40 },                            { "typical 0.5", 1, 0, 0, 0.5f, 0 },
};

int main(int argc, char **argv)
{
    const size_t vocab = argc > 1 ? strtoul(argv[1], NULL, 10) : 150000, rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 50;
    float *z = made_up(vocab);
    slm_error err = { 0 };
    for (size_t i = 0; z && i < sizeof settings / sizeof *settings; i++) {
        slm_sampling how = SLM_SAMPLING_INIT;
        int32_t token = 0;
        double best = 1e300;
        how.temperature = settings[i].temperature;
        how.top_p = settings[i].top_p;
        how.min_p = settings[i].min_p;
        how.typical_p = settings[i].typical_p;
        how.top_k = settings[i].top_k;
        how.seed = 1;
        for (size_t r = 0; r < rounds; r++) {
            const double start = microseconds();
            if (slm_sample(&token, z, vocab, &how, 3, &err)) {
                (void)fprintf(stderr, "bench_sample: %s\n", err.text);
                free(z);
                return 1;
            }
            const double took = microseconds() - start;
            best = took < best ? took : best;
        }
        printf("{\"setting\": \"%s\", \"vocabulary\": %zu, \"microseconds\": %.0f, \"token\": %d}\n", settings[i].name, vocab, best, (int)token);
    }
    free(z);
    return z ? 0 : 1;
}
