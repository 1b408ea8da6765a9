/* steps.c -- what a step of many sessions costs, as a multiple of a step of one: the point of slm_batch.
 *
 *   bench/steps [-t threads] [-n rounds] MODEL
 *
 * Every session has one token a step. A round is three turns through 1, 2, 1, 4, 1, 8, 1, 16, 1, 32, 1 sessions: the machine may change its
 * speed from one second to the next, so a step of many is set beside the two of one right before and after it, and the median of these ratios
 * counts. */
#include "figure.h"

#include "core/clock.h"

enum { MOST = 32, SIZES = 6, TURNS = 3, MOST_ROUNDS = 99, CONTEXT = 32 };

/* Milliseconds of a step of the first n, or less than 0. */
static double step(slm_batch *batch, slm_batch_item *items, size_t n, slm_error *err)
{
    const uint64_t start = slm_clock_ns();
    return slm_batch_step(batch, items, n, err) ? -1 : (double)(slm_clock_ns() - start) * 1e-6;
}

int main(int argc, char **argv)
{
    static double ms[SIZES][MOST_ROUNDS * TURNS], one[SIZES][MOST_ROUNDS * TURNS], ratio[SIZES][MOST_ROUNDS * TURNS];
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_batch_params bp = SLM_BATCH_PARAMS_INIT;
    slm_session *sessions[MOST];
    slm_batch_item items[MOST];
    int32_t tokens[MOST];
    slm_model *model = NULL;
    slm_batch *batch = NULL;
    size_t rounds = 15;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-t") == 0)
            mp.threads = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-n") == 0)
            rounds = strtoul(argv[i + 1], NULL, 10);
    }
    if (i + 1 != argc || rounds < 1 || rounds > MOST_ROUNDS) {
        (void)fprintf(stderr, "usage: steps [-t threads] [-n rounds (1 .. %d)] MODEL\n", MOST_ROUNDS);
        return 2;
    }
    sp.context = bp.context = CONTEXT;
    if (slm_model_open(&model, argv[i], &mp, &err) || slm_batch_new(&batch, model, &bp, &err))
        return figure_fail("steps", &err);
    for (int k = 0; k < MOST; k++) {
        tokens[k] = k + 5;
        if (slm_session_new(&sessions[k], model, &sp, &err))
            return figure_fail("steps", &err);
        items[k] = (slm_batch_item){ sessions[k], &tokens[k], 1, NULL, SLM_OK, 0 };
    }
    const size_t turns = rounds * TURNS;
    for (size_t turn = 0; turn <= turns; turn++) {          /* the first one warms up */
        const size_t at = turn ? turn - 1 : 0;
        double before = step(batch, items, 1, &err);
        ms[0][at] = one[0][at] = before;
        ratio[0][at] = 1;
        for (size_t size = 1; before >= 0 && size < SIZES; size++) {
            const double t = step(batch, items, (size_t)1 << size, &err), after = t < 0 ? t : step(batch, items, 1, &err);
            ms[size][at] = t;
            one[size][at] = (before + after) / 2;
            ratio[size][at] = t / one[size][at];
            before = after;
        }
        if (before < 0)
            return figure_fail("steps", &err);
        for (int k = 0; k < MOST; k++)                      /* all as long; not to 0, which would give their memory back */
            if (slm_session_truncate(sessions[k], 1, &err))
                return figure_fail("steps", &err);
    }
    for (size_t size = 0; size < SIZES; size++)
        figure_print("batch", figure_median(ms[size], turns), "ms", figure_median(one[size], turns), "one session",
                     figure_median(ratio[size], turns), "%s: a step of %d sessions", figure_name(argv[i]), 1 << size);
    for (int k = 0; k < MOST; k++)
        slm_session_free(sessions[k]);
    slm_batch_free(batch);
    slm_model_free(model);
    figure_peaks("batch", mp.threads, 0);
    return 0;
}
