/* cli_eval.c -- how far a model is from another of the same vocabulary: perplexity of both over a text, and the mean KL divergence.
 *
 * The text goes in windows, each from an empty session and with the token that the texts of the model begin with. The first model's
 * logits of a window are kept, and compared row by row with the second's. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 128 };

typedef struct eval {
    const int32_t *window;      /* [n]; row i predicts window[i + 1] */
    float *logits;              /* [WINDOW][vocab] of the source */
    double nats[2], kl;         /* of the source, of the other; sums */
    uint64_t tokens;
} eval;

/* Logarithm of the sum of exp(logit). */
static double log_sum(const float *logits, size_t vocab)
{
    double most = (double)logits[0], sum = 0;
    for (size_t i = 1; i < vocab; i++)
        most = (double)logits[i] > most ? (double)logits[i] : most;
    for (size_t i = 0; i < vocab; i++)
        sum += exp((double)logits[i] - most);
    return most + log(sum);
}

static int keep(void *user, size_t index, const float *logits, size_t vocab)
{
    eval *e = user;
    memcpy(e->logits + index * vocab, logits, vocab * sizeof *logits);
    e->nats[0] += log_sum(logits, vocab) - (double)logits[e->window[index + 1]];
    return 0;
}

static int compare(void *user, size_t index, const float *logits, size_t vocab)
{
    eval *e = user;
    const float *source = e->logits + index * vocab;
    const double of_source = log_sum(source, vocab), own = log_sum(logits, vocab);
    for (size_t i = 0; i < vocab; i++) {
        const double p = (double)source[i] - of_source;
        e->kl += exp(p) * (p - ((double)logits[i] - own));
    }
    e->nats[1] += own - (double)logits[e->window[index + 1]];
    e->tokens++;
    return 0;
}

static slm_status run_window(cli *c, slm_session *const session[2], eval *e, size_t n)
{
    slm_status status = SLM_OK;
    for (int i = 0; i < 2 && !status; i++) {
        status = slm_session_truncate(session[i], 0, &c->err);
        if (!status)
            status = slm_session_feed_rows(session[i], e->window, n - 1, i ? compare : keep, e, &c->err);
    }
    return status;
}

static slm_status run_text(cli *c, slm_session *const session[2], eval *e, int32_t bos, const int32_t *ids, size_t n, size_t window)
{
    int32_t tokens[WINDOW];
    slm_status status = SLM_OK;
    e->window = tokens;
    for (size_t at = 0; at + 1 < n + (bos >= 0) && !status; ) {
        /* without a first token to give, a window begins with the last of the one before */
        const size_t lead = bos >= 0, now = n - at < window - lead ? n - at : window - lead;
        tokens[0] = bos;
        memcpy(tokens + lead, ids + at, now * sizeof *ids);
        status = run_window(c, session, e, now + lead);
        at += now - !lead;
        if (!status && cli_progress(c, at, n))
            status = cli_fail(c, SLM_E_CALLBACK, "stopped");
    }
    return status;
}

slm_status cli_compare(cli *c, const char *source, const char *other, const char *text, cli_comparison *out)
{
    const char *const paths[2] = { source, other };
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_model *model[2] = { NULL, NULL };
    slm_session *session[2] = { NULL, NULL };
    slm_model_info about[2] = { SLM_MODEL_INFO_INIT, SLM_MODEL_INFO_INIT };
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    char *bytes = NULL;
    int32_t *ids = NULL;
    size_t n = 0, len = 0;
    eval e = { 0 };
    slm_status status = cli_read_file(c, text, &bytes, &len);
    for (int i = 0; i < 2 && !status; i++) {
        c->common.model = paths[i];
        status = cli_open_model(c, &model[i]);
        if (!status)
            status = slm_model_get_info(model[i], &about[i], &c->err);
        if (!status) {
            params.context = about[i].context < WINDOW ? about[i].context : WINDOW;
            status = slm_session_new(&session[i], model[i], &params, &c->err);
        }
    }
    const slm_tokenizer *tok = status ? NULL : slm_model_tokenizer(model[0]);
    if (!status && !tok)
        status = cli_fail(c, SLM_E_STATE, "%s: has no tokenizer; give one with --tokenizer", source);
    if (!status && about[0].vocab != about[1].vocab)
        status = cli_fail(c, SLM_E_ARG, "%s: has %u tokens, %s has %u", other, about[1].vocab, source, about[0].vocab);
    if (!status)
        status = slm_tokenizer_get_info(tok, &info, &c->err);
    if (!status)
        status = cli_encode(c, tok, bytes, len, 0, &ids, &n);
    if (!status && !(e.logits = malloc(sizeof(float) * params.context * about[0].vocab)))
        status = cli_fail(c, SLM_E_MEMORY, "no memory for the logits of %u tokens", params.context);
    c->progress = "comparing";
    if (!status)
        status = run_text(c, session, &e, info.add_bos ? info.bos : -1, ids, n, params.context);
    cli_progress_clear(c);
    if (!status && !e.tokens)
        status = cli_fail(c, SLM_E_ARG, "%s: holds no token to score", text);
    if (!status)
        *out = (cli_comparison){ e.tokens, exp(e.nats[0] / (double)e.tokens), exp(e.nats[1] / (double)e.tokens), e.kl / (double)e.tokens };
    for (int i = 0; i < 2; i++) {
        slm_session_free(session[i]);
        slm_model_free(model[i]);
    }
    free(e.logits);
    free(ids);
    free(bytes);
    return status;
}
