/* completions.c MODEL PROMPT [N] -- several completions of one prompt at once.
 *
 * The prompt is evaluated once and forked; then all forks are stepped in one batch, one pass over the weights for a token of each. A
 * completion leaves the batch when it ends. Each is, to the bit, what it would be alone. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, TOKENS = 24 };

static void show(const slm_model *model, const slm_session *s, size_t number)
{
    char text[4096];
    size_t n = 0;
    if (!slm_tokenizer_decode(slm_model_tokenizer(model), text, sizeof text, &n, slm_session_tokens(s), slm_session_position(s), 0, NULL))
        printf("%zu: %.*s\n", number + 1, (int)n, text);
}

/* A token for each session that has not ended, and one step for all of them. *left: how many there are. */
static slm_status step(slm_batch *batch, slm_session **all, size_t n, int *ended, int32_t end, size_t vocab, size_t *left, slm_error *err)
{
    slm_batch_item items[MOST];
    int32_t tokens[MOST];
    slm_sampling how = SLM_SAMPLING_INIT;
    slm_status status = SLM_OK;
    how.temperature = 0.8f;
    *left = 0;
    for (size_t i = 0; i < n && !status; i++) {
        how.seed = i + 1;
        if (!ended[i])
            status = slm_sample(&tokens[i], slm_session_logits(all[i]), vocab, &how, slm_session_position(all[i]), err);
        if (!status && !ended[i] && tokens[i] == end)
            ended[i] = 1;
        if (!status && !ended[i])
            items[(*left)++] = (slm_batch_item){ all[i], &tokens[i], 1, NULL, SLM_OK, 0 };
    }
    return status ? status : slm_batch_step(batch, items, *left, err);
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *all[MOST] = { NULL };
    slm_batch *batch = NULL;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_tokenizer_info words = SLM_TOKENIZER_INFO_INIT;
    slm_error err = { 0 };
    int ended[MOST] = { 0 };
    size_t n = argc > 3 ? strtoul(argv[3], NULL, 10) : 4, left = 1;
    if (argc < 3 || argc > 4 || n < 1 || n > MOST) {
        fprintf(stderr, "usage: completions MODEL PROMPT [N up to %d]\n", MOST);
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_model_get_info(model, &info, &err);
    if (!status && slm_model_tokenizer(model))
        status = slm_tokenizer_get_info(slm_model_tokenizer(model), &words, &err);
    if (!status)
        status = slm_batch_new(&batch, model, NULL, &err);
    if (!status)
        status = slm_session_new(&all[0], model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(all[0], argv[2], strlen(argv[2]), 0, &err);
    for (size_t i = 1; i < n && !status; i++)
        status = slm_session_fork(&all[i], all[0], &err);
    for (size_t i = 0; i < TOKENS && left && !status; i++)
        status = step(batch, all, n, ended, words.eos, info.vocab, &left, &err);
    for (size_t i = 0; i < n && !status; i++)
        show(model, all[i], i);
    if (status)
        fprintf(stderr, "completions: %s\n", err.text);
    for (size_t i = 0; i < n; i++)
        slm_session_free(all[i]);
    slm_batch_free(batch);
    slm_model_free(model);
    return status != SLM_OK;
}
