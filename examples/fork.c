/* fork.c MODEL PROMPT [BRANCHES] -- one prompt, several stories.
 *
 * The prompt is evaluated once. Each fork shares its cache page by page and copies only the page it writes into, so that a branch costs
 * its own tokens and little more; what slm_model_info says before and after shows it. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

static uint64_t heap(const slm_model *model)
{
    slm_model_info info = SLM_MODEL_INFO_INIT;
    return slm_model_get_info(model, &info, NULL) ? 0 : info.heap_bytes;
}

/* Same tokens so far, another seed: another story. */
static slm_status tell(slm_session *trunk, uint64_t seed, slm_error *err)
{
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    slm_session *branch = NULL;
    slm_status status = slm_session_fork(&branch, trunk, err);
    how.temperature = 0.8f;
    how.seed = seed;
    params.sampling = &how;
    params.max_tokens = 40;
    params.text = print;
    params.user = stdout;
    if (!status)
        status = slm_session_generate(branch, &params, NULL, err);
    slm_session_free(branch);
    putchar('\n');
    return status;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *trunk = NULL, *idle = NULL;
    slm_error err = { 0 };
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: fork MODEL PROMPT [BRANCHES]\n");
        return 2;
    }
    const unsigned long branches = argc == 4 ? strtoul(argv[3], NULL, 10) : 3;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_session_new(&trunk, model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(trunk, argv[2], strlen(argv[2]), 0, &err);
    for (unsigned long i = 0; i < branches && !status; i++) {
        printf("%lu: %s", i + 1, argv[2]);
        status = tell(trunk, i + 1, &err);
    }
    const uint64_t before = status ? 0 : heap(model);
    if (!status)
        status = slm_session_fork(&idle, trunk, &err);
    if (!status)
        printf("a fork of %zu tokens takes %llu bytes\n", slm_session_position(trunk), (unsigned long long)(heap(model) - before));
    else
        fprintf(stderr, "fork: %s\n", err.text);
    slm_session_free(idle);
    slm_session_free(trunk);
    slm_model_free(model);
    return status != SLM_OK;
}
