/* outside.c MODEL -- a program of somebody else: C11 and C++11, built by tests/install.sh against the installed library with
 * what pkg-config says and nothing else. It takes the whole way from a file to text. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, (FILE *)to) != n;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err;
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    memset(&err, 0, sizeof err);
    params.max_tokens = 20;
    params.text = print;
    params.user = stdout;
    if (argc != 2 || strcmp(slm_version(), SLM_VERSION)) {
        fprintf(stderr, "outside: header %s, library %s; usage: outside MODEL\n", SLM_VERSION, slm_version());
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(session, "Once upon a time", 16, 0, &err);
    if (!status)
        status = slm_session_generate(session, &params, &made, &err);
    printf("\n");
    if (status)
        fprintf(stderr, "outside: %s: %s\n", slm_status_name(status), err.text);
    slm_session_free(session);
    slm_model_free(model);
    return status != SLM_OK || made.tokens != 20;
}
