/* json_out.c MODEL PROMPT [SEED] -- a JSON object of a fixed shape, whatever the model would rather say.
 *
 * The text parses and validates, also when tokens run short: then the shortest way to the end is taken. So the program behind it
 * needs no second try. A model that was not trained to write JSON fills the shape with whatever it likes; the shape holds. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
    "{\"type\": \"object\","
    " \"properties\": {"
    "   \"name\":  {\"type\": \"string\", \"maxLength\": 20},"
    "   \"kind\":  {\"enum\": [\"animal\", \"person\", \"thing\"]},"
    "   \"age\":   {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 120},"
    "   \"likes\": {\"type\": \"array\", \"items\": {\"type\": \"string\", \"pattern\": \"^[a-z]+$\"}, \"maxItems\": 3}"
    " },"
    " \"required\": [\"name\", \"kind\", \"age\"], \"additionalProperties\": false}";

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_constraint *constraint = NULL;
    slm_error err = { 0 };
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    if (argc < 3) {
        fprintf(stderr, "usage: json_out MODEL PROMPT [SEED]\n");
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_constraint_schema(&constraint, slm_model_tokenizer(model), schema, strlen(schema), &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(session, argv[2], strlen(argv[2]), 0, &err);
    sampling.temperature = 0.8f;
    sampling.seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    params.sampling = &sampling;
    params.constraint = constraint;
    params.max_tokens = 80;
    params.text = print;
    params.user = stdout;
    if (!status)
        status = slm_session_generate(session, &params, NULL, &err);
    if (status)
        fprintf(stderr, "json_out: %s\n", err.text);
    else
        printf("\n");
    slm_session_free(session);
    slm_constraint_free(constraint);            /* before the model, whose memory it uses */
    slm_model_free(model);
    return status != SLM_OK;
}
