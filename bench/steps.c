/* steps.c -- what a step of many sessions costs, as a multiple of a step of one: the point of slm_batch.
 *
 *   bench/steps [-t threads] [-n rounds] MODEL
 *
 * Every session has one token a step. The median of the rounds counts, each round stepping 1, 2, 4, 8, 16 and 32 sessions in turn, so
 * that what else runs on the machine falls on all of them alike. */
#include "figure.h"

#include "core/clock.h"

enum { MOST = 32, SIZES = 6, MOST_ROUNDS = 99, CONTEXT = 256 };

int main(int argc, char **argv)
{
    static double ms[SIZES][MOST_ROUNDS];
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
    for (size_t round = 0; round <= rounds; round++)         /* the first one warms up */
        for (size_t size = 0; size < SIZES; size++) {
            const uint64_t start = slm_clock_ns();
            if (slm_batch_step(batch, items, (size_t)1 << size, &err))
                return figure_fail("steps", &err);
            ms[size][round ? round - 1 : 0] = (double)(slm_clock_ns() - start) * 1e-6;
            for (size_t k = 0; k < (size_t)1 << size; k++)
                if (slm_session_room(sessions[k]) == 0 && slm_session_truncate(sessions[k], 0, &err))
                    return figure_fail("steps", &err);
        }
    const double one = figure_median(ms[0], rounds);
    for (size_t size = 0; size < SIZES; size++) {
        const double t = figure_median(ms[size], rounds);
        figure_print("batch", t, "ms", one, "one session", t / one, "%s: a step of %d sessions", figure_name(argv[i]), 1 << size);
    }
    for (int k = 0; k < MOST; k++)
        slm_session_free(sessions[k]);
    slm_batch_free(batch);
    slm_model_free(model);
    figure_peaks("batch", mp.threads, 0);
    return 0;
}
