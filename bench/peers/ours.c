/* ours.c -- libslm as one of the engines that peers.py runs side by side: does what a line of stdin says and prints one number.
 *
 *   bench/peers/ours MODEL THREADS PROMPT
 *
 *   prefill N   evaluates N tokens from the start: seconds
 *   decode N    N tokens, one at a time, behind 16: seconds of the N
 *   memory      the most memory that the process has had, MB
 *   peaks       reading GB/s, 8-bit GMAC/s and float GFLOP/s of the machine now; takes 256 MiB, so after `memory`
 *
 * It says "ready" when the model is open. The end of the input ends it. */
#include "figure.h"

#include "core/clock.h"

#include <sys/resource.h>

enum { LEAD = 16 };

int main(int argc, char **argv)
{
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *model = NULL;
    slm_session *session = NULL;
    char line[64];
    if (argc != 4) {
        (void)fprintf(stderr, "usage: ours MODEL THREADS PROMPT\n");
        return 2;
    }
    mp.threads = (uint32_t)strtoul(argv[2], NULL, 10);
    sp.context = (uint32_t)strtoul(argv[3], NULL, 10);
    int32_t *tokens = calloc(sp.context, sizeof *tokens);
    if (!tokens || slm_model_open(&model, argv[1], &mp, &err) || slm_model_get_info(model, &info, &err) || slm_session_new(&session, model, &sp, &err))
        return figure_fail("ours", &err);
    for (size_t i = 0; i < sp.context; i++)
        tokens[i] = (int32_t)(i * 7919 % info.vocab);
    printf("ready\n");
    for (;;) {
        struct rusage usage;
        slm_peaks peaks = SLM_PEAKS_INIT;
        (void)fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            break;
        const char *space = strchr(line, ' ');
        const size_t n = space ? strtoul(space, NULL, 10) : 0;
        if (line[0] == 'm') {
            if (getrusage(RUSAGE_SELF, &usage))
                return 1;
            printf("%.3f\n", (double)usage.ru_maxrss * 1024e-6);
        } else if (strncmp(line, "peaks", 5) == 0) {
            if (slm_peaks_measure(&peaks, mp.threads, 0, 0, &err))
                return figure_fail("ours", &err);
            printf("%.3f %.3f %.3f\n", peaks.read_gb_s, peaks.vnni_gmac_s, peaks.fma_gflop_s);
        } else {
            const int decode = line[0] == 'd';
            const size_t lead = decode ? LEAD : 0;
            if (n < 1 || lead + n > sp.context)
                return fprintf(stderr, "ours: %s: does not fit %u tokens\n", line, sp.context), 1;
            if (slm_session_truncate(session, 0, &err) || (lead && slm_session_feed(session, tokens, lead, &err)))
                return figure_fail("ours", &err);
            const uint64_t start = slm_clock_ns();
            for (size_t at = lead; at < lead + n; at += decode ? 1 : n)
                if (slm_session_feed(session, tokens + at, decode ? 1 : n, &err))
                    return figure_fail("ours", &err);
            printf("%.6f\n", (double)(slm_clock_ns() - start) * 1e-9);
        }
    }
    slm_session_free(session);
    slm_model_free(model);
    free(tokens);
    return 0;
}
