/* schemas.c MODEL SCHEMAS.JSONL N TEMPERATURE -- N texts for each schema, one JSON line each: {"schema":line,"seed":n,"hex":"text"}.
 *
 * The texts go to a validator that is not ours (tests/check_schemas.py). The room for tokens changes from text to text, from barely enough
 * to plenty: what is cut short must be whole all the same. */
#include "slm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put_hex(void *user, const char *text, size_t n)
{
    (void)user;
    for (size_t i = 0; i < n; i++)
        printf("%02x", (unsigned)(unsigned char)text[i]);
    return 0;
}

static slm_status one_text(slm_session *s, slm_constraint *c, size_t line, uint64_t seed, float temperature, slm_error *err)
{
    static const char *const prompts[] = { "Once upon a time", "{", "Tom said: \"", "The list is" };
    const char *prompt = prompts[seed % 4];
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
    slm_status status = slm_session_truncate(s, 0, err);
    if (!status)
        status = slm_session_feed_text(s, prompt, strlen(prompt), 0, err);
    how.temperature = temperature;
    how.seed = seed * 1000 + line;
    p.sampling = &how;
    p.constraint = c;
    p.max_tokens = 4 + (uint32_t)(seed % 13) * 8;
    p.text = put_hex;
    if (status)
        return status;
    printf("{\"schema\":%zu,\"seed\":%zu,\"hex\":\"", line, (size_t)seed);
    for (;;) {                                  /* too few for the shortest text is refused before anything is made */
        status = slm_session_generate(s, &p, NULL, err);
        if (status != SLM_E_CONTEXT || p.max_tokens > 400)
            break;
        p.max_tokens += 4;
    }
    printf("\"}\n");
    return status;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err = { 0 };
    char *line = NULL;
    size_t room = 0, number = 0;
    FILE *f = argc == 5 ? fopen(argv[2], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: schemas MODEL SCHEMAS.JSONL N TEMPERATURE\n");
        return 2;
    }
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    params.threads = 1;                         /* a small model gains nothing from more, and others want the cores */
    slm_status status = slm_model_open(&model, argv[1], &params, &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    for (ssize_t n; !status && (n = getline(&line, &room, f)) > 0; number++) {
        slm_constraint *c = NULL;
        status = slm_constraint_schema(&c, slm_model_tokenizer(model), line, (size_t)n, &err);
        for (uint64_t seed = 0; !status && seed < strtoull(argv[3], NULL, 10); seed++)
            status = one_text(session, c, number, seed, strtof(argv[4], NULL), &err);
        slm_constraint_free(c);
    }
    if (status)
        fprintf(stderr, "schemas: schema %zu: %s\n", number, err.text);
    free(line);
    (void)fclose(f);
    slm_session_free(session);
    slm_model_free(model);
    return status != SLM_OK;
}
