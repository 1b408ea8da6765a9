/* stream.c MODEL PROMPT -- the decode loop by hand: feed, look at the logits, choose, feed the choice.
 *
 * slm_session_generate does all this in one call; a program that wants to see or change the choice of each token does it so. A
 * token is not always a whole character, and the first one of a text may lose a space to the tokenizer. So the ids of prompt and
 * continuation stay together, the text is decoded from all of them, and what is new is printed up to the last whole code point. */
#include <slm.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS = 256 };      /* of prompt and continuation */

/* Bytes of text that end with a whole code point: at most three belong to one that is not finished. */
static size_t whole(const char *text, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        const unsigned char byte = (unsigned char)text[n - back];
        if (byte >= 0xc0)       /* it leads a code point of 2, 3 or 4 bytes */
            return back < (byte >= 0xf0 ? 4u : byte >= 0xe0 ? 3u : 2u) ? n - back : n;
        if (byte < 0x80)
            break;
    }
    return n;
}

static slm_status stream(slm_model *model, slm_session *session, const char *prompt, slm_error *err)
{
    slm_model_info model_info = SLM_MODEL_INFO_INIT;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_sampling sampling = SLM_SAMPLING_INIT;
    const slm_tokenizer *tok = slm_model_tokenizer(model);      /* a model without one refuses what follows */
    int32_t ids[TOKENS];
    char text[TOKENS * 16];
    size_t n_ids = 0, fed = 0, shown = 0, n = 0;
    slm_status status = slm_model_get_info(model, &model_info, err);
    if (!status)
        status = slm_tokenizer_get_info(tok, &info, err);
    if (!status)
        status = slm_tokenizer_encode(tok, ids, TOKENS, &n_ids, prompt, strlen(prompt), SLM_TEXT_BOS_EOS, err);
    sampling.temperature = 0.8f;
    sampling.top_k = 40;
    sampling.seed = 7;
    while (!status) {
        status = slm_tokenizer_decode(tok, text, sizeof text, &n, ids, n_ids, 0, err);
        if (!status && whole(text, n) > shown) {
            fwrite(text + shown, 1, whole(text, n) - shown, stdout);
            fflush(stdout);
            shown = whole(text, n);
        }
        if (status || n_ids == TOKENS || slm_session_room(session) < n_ids - fed)
            break;
        status = slm_session_feed(session, ids + fed, n_ids - fed, err);
        fed = n_ids;
        if (!status)
            status = slm_sample(&ids[n_ids], slm_session_logits(session), model_info.vocab, &sampling, slm_session_position(session), err);
        if (!status && ids[n_ids++] == info.eos)
            break;
    }
    printf("\n");
    return status;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err = { 0 };
    if (argc != 3) {
        fprintf(stderr, "usage: stream MODEL PROMPT\n");
        return 2;
    }
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    if (!status)
        status = stream(model, session, argv[2], &err);
    if (status)
        fprintf(stderr, "stream: %s\n", err.text);
    slm_session_free(session);
    slm_model_free(model);
    return status != SLM_OK;
}
