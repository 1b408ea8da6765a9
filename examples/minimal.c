/* minimal.c MODEL PROMPT -- the least there is: open a model, give it a text, print what follows. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err = { 0 };
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;    /* greedy */
    params.max_tokens = 100;
    params.text = print;
    params.user = stdout;

    int failed = argc != 3
              || slm_model_open(&model, argv[1], NULL, &err)
              || slm_session_new(&session, model, NULL, &err)
              || slm_session_feed_text(session, argv[2], strlen(argv[2]), 0, &err)
              || slm_session_generate(session, &params, NULL, &err);
    if (failed)
        fprintf(stderr, "%s\n", argc != 3 ? "usage: minimal MODEL PROMPT" : err.text);
    slm_session_free(session);
    slm_model_free(model);
    return failed;
}
