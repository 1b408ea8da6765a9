/* batch.c MODEL PROMPT... -- several prompts at once, each line printed when its sequence ends.
 *
 * One loop serves all: a step takes from every session what it has to feed next (its whole prompt at first, then one token each) and goes
 * through the weights once. Sessions that are done leave; nothing about the others changes, not a bit. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32, NEW_TOKENS = 60, PROMPT = 1024 };

typedef struct line {
    slm_session *session;
    int32_t tokens[PROMPT];     /* the prompt, then what was made */
    size_t n, fed, made;
} line;

static slm_status begin(line *l, slm_model *model, const char *prompt, slm_error *err)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    params.context = PROMPT;
    slm_status status = slm_tokenizer_encode(slm_model_tokenizer(model), l->tokens, PROMPT - NEW_TOKENS, &l->n, prompt, strlen(prompt),
                                             SLM_TEXT_BOS_EOS, err);
    return status ? status : slm_session_new(&l->session, model, &params, err);
}

static slm_status finish(line *l, const slm_tokenizer *tok, slm_error *err)
{
    static char text[16 * PROMPT];
    size_t len = 0;
    slm_status status = slm_tokenizer_decode(tok, text, sizeof text, &len, l->tokens, l->n, 0, err);
    if (!status)
        printf("%.*s\n\n", (int)len, text);
    slm_session_free(l->session);
    l->session = NULL;
    return status;
}

/* One step of all that are still at it; how many there are comes back in *left. */
static slm_status turn(slm_batch *batch, line *lines, size_t n, const slm_tokenizer *tok, size_t *left, slm_error *err)
{
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_batch_item items[MOST];
    line *of[MOST];
    size_t k = 0;
    slm_status status = slm_tokenizer_get_info(tok, &info, err);
    for (size_t i = 0; i < n; i++)
        if (lines[i].session) {
            of[k] = &lines[i];
            items[k++] = (slm_batch_item){ lines[i].session, lines[i].tokens + lines[i].fed, lines[i].n - lines[i].fed, NULL, SLM_OK, 0 };
        }
    if (!status)
        status = slm_batch_step(batch, items, k, err);
    for (size_t i = 0; i < k && !status; i++) {
        line *l = of[i];
        int32_t token;
        l->fed = l->n;
        status = slm_sample(&token, slm_session_logits(l->session), info.vocab, NULL, l->fed, err);
        if (!status && (token == info.eos || ++l->made == NEW_TOKENS))
            status = finish(l, tok, err);
        else if (!status)
            l->tokens[l->n++] = token;
    }
    *left = k;
    return status;
}

int main(int argc, char **argv)
{
    static line lines[MOST];
    const size_t n = argc < 2 ? 0 : (size_t)argc - 2;
    size_t left = n;
    slm_model *model = NULL;
    slm_batch *batch = NULL;
    slm_error err = { 0 };
    if (n < 1 || n > MOST) {
        fprintf(stderr, "usage: batch MODEL PROMPT... (1 .. %d prompts)\n", MOST);
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    const slm_tokenizer *tok = status ? NULL : slm_model_tokenizer(model);
    if (!status)
        status = slm_batch_new(&batch, model, NULL, &err);
    for (size_t i = 0; i < n && !status && tok; i++)
        status = begin(&lines[i], model, argv[i + 2], &err);
    while (left && !status && tok)
        status = turn(batch, lines, n, tok, &left, &err);
    if (status || !tok)
        fprintf(stderr, "batch: %s\n", tok ? err.text : "the model has no tokenizer");
    for (size_t i = 0; i < n; i++)
        slm_session_free(lines[i].session);
    slm_batch_free(batch);
    slm_model_free(model);
    return status || !tok;
}
