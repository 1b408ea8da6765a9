/* choose.c MODEL PROMPT CHOICE... -- lets the model say one of the given strings, and nothing else.
 *
 * A constraint is made once and may serve any number of sessions and threads. Tokens are tried by their text, so a choice may be
 * cut into tokens in any way; each choice here begins with a blank, because words within a sentence do. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

/* The choices with a blank before each. */
static char **with_blanks(char **words, size_t n)
{
    char **choices = calloc(n, sizeof *choices);
    for (size_t i = 0; choices && i < n; i++) {
        const size_t room = strlen(words[i]) + 2;
        choices[i] = malloc(room);
        if (choices[i])
            snprintf(choices[i], room, " %s", words[i]);
    }
    return choices;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_constraint *constraint = NULL;
    slm_error err = { 0 };
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    if (argc < 4) {
        fprintf(stderr, "usage: choose MODEL PROMPT CHOICE...\n");
        return 2;
    }
    const size_t n = (size_t)argc - 3;
    char **choices = with_blanks(argv + 3, n);
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_constraint_choice(&constraint, slm_model_tokenizer(model), (const char *const *)choices, n, &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(session, argv[2], strlen(argv[2]), 0, &err);
    params.constraint = constraint;
    params.text = print;
    params.user = stdout;
    if (!status)
        status = slm_session_generate(session, &params, NULL, &err);
    if (status)
        fprintf(stderr, "choose: %s\n", err.text);
    else
        printf("\n");
    slm_session_free(session);
    slm_constraint_free(constraint);            /* before the model, whose memory it uses */
    slm_model_free(model);
    for (size_t i = 0; choices && i < n; i++)
        free(choices[i]);
    free(choices);
    return status != SLM_OK;
}
