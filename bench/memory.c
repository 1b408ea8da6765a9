/* memory.c -- the most memory that a process needs to open a model, read a prompt of 512 tokens and decode, beside weights + cache + 32 MB.
 *
 *   bench/memory [-t threads] [-p prompt] MODEL
 *
 * One run: the figure is the kernel's high-water mark of the process, this program and its libraries included. Weights are what the
 * model says that it holds (panels); of a packed file they are pages of the file, which other processes share. */
#include "figure.h"

#include <sys/resource.h>

enum { DECODED = 16, SPARE = 32000000 };

int main(int argc, char **argv)
{
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *model = NULL;
    slm_session *session = NULL;
    struct rusage usage;
    uint32_t prompt = 512;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-t") == 0)
            mp.threads = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-p") == 0)
            prompt = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    }
    if (i + 1 != argc || prompt < 1 || prompt > 1u << 20) {
        (void)fprintf(stderr, "usage: memory [-t threads] [-p prompt (1 .. 1048576)] MODEL\n");
        return 2;
    }
    int32_t *tokens = malloc((prompt + DECODED) * sizeof *tokens);
    sp.context = prompt + DECODED;
    if (!tokens || slm_model_open(&model, argv[i], &mp, &err) || slm_model_get_info(model, &info, &err) || slm_session_new(&session, model, &sp, &err))
        return figure_fail("memory", &err);
    for (size_t k = 0; k < prompt + DECODED; k++)
        tokens[k] = (int32_t)(k * 2654435761u % info.vocab);
    if (slm_session_feed(session, tokens, prompt, &err))
        return figure_fail("memory", &err);
    for (size_t k = 0; k < DECODED; k++)
        if (slm_session_feed(session, tokens + prompt + k, 1, &err))
            return figure_fail("memory", &err);
    if (getrusage(RUSAGE_SELF, &usage))
        return 1;
    const double peak = (double)usage.ru_maxrss * 1024e-6, cache = (double)info.kv_bytes * (prompt + DECODED) * 1e-6;
    const double weights = (double)info.weight_bytes * 1e-6, bound = weights + cache + SPARE * 1e-6;
    figure_print("memory", peak, "MB", bound, "weights + cache + 32 MB", peak / bound, "%s: peak", figure_name(argv[i]));
    figure_print("memory", peak - weights - cache, "MB", SPARE * 1e-6, "32 MB", (peak - weights - cache) / (SPARE * 1e-6),
                 "%s: beyond weights and cache", figure_name(argv[i]));
    slm_session_free(session);
    slm_model_free(model);
    free(tokens);
    figure_peaks("memory", mp.threads, 0);
    return 0;
}
