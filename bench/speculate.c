/* speculate.c -- what drafts gain where guesses hold, and cost where none does.
 *
 *   bench/speculate [-t threads] [-n rounds] [-d draft] MODEL
 *
 * Texts of 128 tokens, each made plainly and with drafts by prompt lookup; the median of the rounds' ratios counts. The machine may change
 * its speed within a text, so the two are made together, in turns of 8 tokens, and the time of each is that of its own turns. Each has a stack
 * of its own for that (makecontext) and no thread: to hand over costs next to nothing, the model's threads keep their one caller, and none
 * waits for another that has failed.
 *   loop      greedy after a prompt that repeats itself: a model with random weights does so too, and many guesses hold
 *   random    temperature 1 after a prompt without repetitions: next to no guess holds
 *   wrong     temperature 1 with a bias for 10 tokens: pairs of tokens come back all the time, and what follows them is another token
 * The texts are compared while we are here. With -d 0 both are made plainly: by what the ratio then misses 1, the measurement
 * errs. */
#include "figure.h"

#include "core/clock.h"

#include <stdbool.h>
#include <ucontext.h>

enum { TOKENS = 128, TURN = 8, PROMPT = 64, CONTEXT = 512, MOST_ROUNDS = 99, DRAFT = 8, BIASED = 10, STACK = 1 << 18 };

typedef struct scene {
    const char *name;
    float temperature;
    int period;                 /* of the prompt; 0: no repetition */
} scene;

static const scene scenes[] = { { "loop", 0, 8 }, { "random", 1, 0 }, { "wrong", 1, 10 } };

/* A text that is being made. */
typedef struct side {
    slm_session *session;
    slm_bias bias[BIASED];
    slm_sampling sampling;
    slm_generate_params how;
    slm_generation made;
    slm_status status;
    slm_error err;
    bool done;
    size_t until;               /* position at which its turn ends */
    double ms;                  /* in its own turns */
    ucontext_t here, back;
    char *stack;
} side;

static side *running;           /* makecontext passes no pointers */

/* Is called with the text of each token, as it is made; the callback for tokens would have their probabilities worked out. */
static int end_of_turn(void *user, const char *text, size_t len)
{
    side *s = user;
    (void)text, (void)len;
    if (slm_session_position(s->session) < s->until)
        return 0;
    s->until += TURN;
    return swapcontext(&s->here, &s->back);
}

static void make(void)
{
    side *s = running;
    s->status = slm_session_generate(s->session, &s->how, &s->made, &s->err);
    s->done = true;
}

static void turn(side *s)
{
    const uint64_t start = slm_clock_ns();
    running = s;
    (void)swapcontext(&s->back, &s->here);
    s->ms += (double)(slm_clock_ns() - start) * 1e-6;
}

static slm_status begin(side *s, slm_model *model, const scene *sc, uint32_t draft, slm_error *err)
{
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    int32_t prompt[PROMPT];
    *s = (side){ .sampling = SLM_SAMPLING_INIT, .how = SLM_GENERATE_PARAMS_INIT, .made = SLM_GENERATION_INIT };
    sp.context = CONTEXT;
    if (slm_model_get_info(model, &info, err) || slm_session_new(&s->session, model, &sp, err))
        return err->status;
    for (size_t i = 0; i < PROMPT; i++)
        prompt[i] = (int32_t)((sc->period ? i % (size_t)sc->period : i) * 2654435761u % info.vocab);
    for (size_t i = 0; i < BIASED; i++)
        s->bias[i] = (slm_bias){ prompt[i], 30 };
    s->sampling.bias = s->bias;
    s->sampling.n_bias = sc->temperature > 0 && sc->period ? BIASED : 0;
    s->sampling.temperature = sc->temperature;
    s->how.sampling = &s->sampling;
    s->how.max_tokens = TOKENS;
    s->how.draft = draft;
    s->how.text = end_of_turn;
    s->how.user = s;
    s->until = PROMPT + TURN;
    s->stack = malloc(STACK);
    if (!s->stack || getcontext(&s->here)) {
        (void)snprintf(err->text, sizeof err->text, "no stack of %d bytes", STACK);
        return SLM_E_MEMORY;
    }
    s->here.uc_stack.ss_sp = s->stack;
    s->here.uc_stack.ss_size = STACK;
    s->here.uc_link = &s->back;
    makecontext(&s->here, make, 0);
    return slm_session_feed(s->session, prompt, PROMPT, err);
}

/* Makes both texts, that of sides[first] one turn ahead. */
static slm_status make_both(side *sides, slm_model *model, const scene *sc, uint32_t draft, size_t first, slm_error *err)
{
    slm_status status = begin(&sides[0], model, sc, 0, err);
    if (!status)
        status = begin(&sides[1], model, sc, draft, err);
    while (!status && !(sides[0].done && sides[1].done))
        for (size_t i = 0; i < 2 && !status; i++) {
            side *s = &sides[(first + i) % 2];
            if (!s->done)
                turn(s);
            status = s->status;
            if (status)
                *err = s->err;
        }
    return status;
}

static bool same_text(const side *a, const side *b)
{
    return a->made.tokens == b->made.tokens &&
           memcmp(slm_session_tokens(a->session) + PROMPT, slm_session_tokens(b->session) + PROMPT, a->made.tokens * sizeof(int32_t)) == 0;
}

int main(int argc, char **argv)
{
    static side sides[2];       /* without drafts, with them */
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
        for (size_t round = 0; round < rounds; round++) {
            if (make_both(sides, model, &scenes[k], draft, round % 2, &err))        /* who begins takes turns, too */
                return figure_fail("speculate", &err);
            if (!same_text(&sides[0], &sides[1])) {
                (void)fprintf(stderr, "speculate: %s: drafts changed the text\n", scenes[k].name);
                return 1;
            }
            plain_ms[round] = sides[0].ms;
            ahead_ms[round] = sides[1].ms;
            gain[round] = sides[0].ms / sides[1].ms;
            for (size_t j = 0; j < 2; j++) {
                slm_session_free(sides[j].session);
                free(sides[j].stack);
            }
        }
        const slm_generation *ahead = &sides[1].made;
        const double made = (double)ahead->tokens * 1e3;
        figure_print("speculate", made / figure_median(ahead_ms, rounds), "tokens/s", made / figure_median(plain_ms, rounds), "without drafts",
                     figure_median(gain, rounds), "%s: %s, %llu of %llu drafted accepted", figure_name(argv[i]), scenes[k].name,
                     (unsigned long long)ahead->accepted, (unsigned long long)ahead->drafted);
    }
    slm_model_free(model);
    figure_peaks("speculate", mp.threads, 0);
    return 0;
}
