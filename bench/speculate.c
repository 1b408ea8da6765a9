/* speculate.c -- what drafts gain where guesses hold, and cost where none does.
 *
 *   bench/speculate [-t threads] [-n rounds] [-d draft] MODEL
 *
 * Texts of 128 tokens, each made plainly and with drafts by prompt lookup in turn; the median of the rounds' ratios counts.
 *   loop      greedy after a prompt that repeats itself: a model with random weights does so too, and many guesses hold
 *   random    temperature 1 after a prompt without repetitions: next to no guess holds
 *   wrong     temperature 1 with a bias for 10 tokens: pairs of tokens come back all the time, and what follows them is another token
 * The texts are compared while we are here. */
#include "figure.h"

#include "core/clock.h"

enum { TOKENS = 128, PROMPT = 64, CONTEXT = 512, MOST_ROUNDS = 99, DRAFT = 8, BIASED = 10 };

typedef struct scene {
    const char *name;
    float temperature;
    int period;                 /* of the prompt; 0: no repetition */
} scene;

static const scene scenes[] = { { "loop", 0, 8 }, { "random", 1, 0 }, { "wrong", 1, 10 } };

/* One text; its time in ms, or less than 0. */
static double make(slm_model *model, const scene *sc, uint32_t draft, int32_t *tokens, slm_generation *made, slm_error *err)
{
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_generate_params gp = SLM_GENERATE_PARAMS_INIT;
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_session *session = NULL;
    int32_t prompt[PROMPT];
    slm_bias bias[BIASED];
    double ms = -1;
    sp.context = CONTEXT;
    if (slm_model_get_info(model, &info, err) || slm_session_new(&session, model, &sp, err))
        return ms;
    for (size_t i = 0; i < PROMPT; i++)
        prompt[i] = (int32_t)((sc->period ? i % (size_t)sc->period : i) * 2654435761u % info.vocab);
    for (size_t i = 0; i < BIASED; i++)
        bias[i] = (slm_bias){ prompt[i], 30 };
    sampling.bias = bias;
    sampling.n_bias = sc->temperature > 0 && sc->period ? BIASED : 0;
    sampling.temperature = sc->temperature;
    gp.sampling = &sampling;
    gp.max_tokens = TOKENS;
    gp.draft = draft;
    if (!slm_session_feed(session, prompt, PROMPT, err)) {
        const uint64_t start = slm_clock_ns();
        if (!slm_session_generate(session, &gp, made, err)) {
            ms = (double)(slm_clock_ns() - start) * 1e-6;
            memcpy(tokens, slm_session_tokens(session) + PROMPT, made->tokens * sizeof *tokens);
        }
    }
    slm_session_free(session);
    return ms;
}

int main(int argc, char **argv)
{
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model *model = NULL;
    size_t rounds = 5;
    uint32_t draft = DRAFT;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const uint32_t n = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "-t") == 0)
            mp.threads = n;
        else if (strcmp(argv[i], "-n") == 0)
            rounds = n;
        else if (strcmp(argv[i], "-d") == 0)
            draft = n;
    }
    if (i + 1 != argc || rounds < 1 || rounds > MOST_ROUNDS) {
        (void)fprintf(stderr, "usage: speculate [-t threads] [-n rounds (1 .. %d)] [-d draft] MODEL\n", MOST_ROUNDS);
        return 2;
    }
    if (slm_model_open(&model, argv[i], &mp, &err))
        return figure_fail("speculate", &err);
    for (size_t k = 0; k < sizeof scenes / sizeof *scenes; k++) {
        double gain[MOST_ROUNDS], plain_ms[MOST_ROUNDS], ahead_ms[MOST_ROUNDS];
        slm_generation plain = SLM_GENERATION_INIT, ahead = SLM_GENERATION_INIT;
        for (size_t round = 0; round < rounds; round++) {
            int32_t a[TOKENS], b[TOKENS];
            double first = 0, second = 0;
            for (size_t turn = 0; turn < 2 && first >= 0 && second >= 0; turn++)        /* who begins takes turns, too */
                if ((round + turn) % 2 == 0)
                    first = make(model, &scenes[k], 0, a, &plain, &err);
                else
                    second = make(model, &scenes[k], draft, b, &ahead, &err);
            if (first < 0 || second < 0)
                return figure_fail("speculate", &err);
            if (plain.tokens != ahead.tokens || memcmp(a, b, plain.tokens * sizeof *a) != 0) {
                (void)fprintf(stderr, "speculate: %s: drafts changed the text\n", scenes[k].name);
                return 1;
            }
            gain[round] = first / second;
            plain_ms[round] = first;
            ahead_ms[round] = second;
        }
        const double made = (double)plain.tokens * 1e3;
        figure_print("speculate", made / figure_median(ahead_ms, rounds), "tokens/s", made / figure_median(plain_ms, rounds), "without drafts",
                     figure_median(gain, rounds), "%s: %s, %llu of %llu drafted accepted", figure_name(argv[i]), scenes[k].name,
                     (unsigned long long)ahead.accepted, (unsigned long long)ahead.drafted);
    }
    slm_model_free(model);
    figure_peaks("speculate", mp.threads, 0);
    return 0;
}
