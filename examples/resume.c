/* resume.c MODEL FILE [PROMPT] -- a text that goes on where an earlier run of this program stopped.
 *
 * The first run is given a prompt. Each run adds 30 tokens and saves tokens, cache and logits to FILE; the next one loads it and
 * evaluates nothing again. The file belongs to the model it was made with; any other is refused by name. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

/* From the file if there is one, else from the prompt. */
static slm_status begin(slm_session **session, slm_model *model, const char *file, const char *prompt, slm_error *err)
{
    slm_status status = slm_session_load(session, model, file, NULL, err);
    if (status != SLM_E_NOT_FOUND || !prompt)
        return status;
    printf("%s", prompt);
    status = slm_session_new(session, model, NULL, err);
    return status ? status : slm_session_feed_text(*session, prompt, strlen(prompt), 0, err);
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err = { 0 };
    slm_generation made = SLM_GENERATION_INIT;
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: resume MODEL FILE [PROMPT]\n");
        return 2;
    }
    how.temperature = 0.7f;             /* the draw depends on seed and position: one long run makes the same text */
    how.seed = 1;
    params.sampling = &how;
    params.max_tokens = 30;
    params.text = print;
    params.user = stdout;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = begin(&session, model, argv[2], argc == 4 ? argv[3] : NULL, &err);
    if (!status)
        status = slm_session_generate(session, &params, &made, &err);
    if (!status)
        status = slm_session_save(session, argv[2], &err);
    if (!status)
        printf("\n[%zu tokens, %zu of them new%s]\n", slm_session_position(session), made.tokens,
               made.reason == SLM_STOP_EOS ? ", the end" : "");
    else
        fprintf(stderr, "resume: %s\n", err.text);
    slm_session_free(session);
    slm_model_free(model);
    return status != SLM_OK;
}
