/* cmd_score.c -- `slm score`: how likely a model finds a text.
 *
 * The text is cut into windows of at most `context` tokens. With BOS: every window is BOS and the next context-1 tokens, and all
 * of these are scored. Without: a window begins with the last token of the one before, so that all but the text's first are
 * scored once. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *file, *kv;
    uint64_t context;
} options;

typedef struct sum {
    cli *c;
    const int32_t *window;    /* the token after position i is window[i + 1] */
    double nats;
    uint64_t tokens, windows;
    slm_status status;
} sum;

static int row(void *user, size_t index, const float *logits, size_t vocab)
{
    sum *s = user;
    double nats = 0;
    s->status = slm_logits_score(logits, vocab, s->window[index + 1], &nats, &s->c->err);
    s->nats -= nats;
    s->tokens++;
    return s->status != SLM_OK;
}

static slm_status score_window(cli *c, slm_session *session, sum *s, const int32_t *window, size_t n)
{
    slm_error err;
    slm_status status = slm_session_truncate(session, 0, &c->err);
    if (status || n < 2)
        return status;
    s->window = window;
    s->windows++;
    status = slm_session_feed_rows(session, window, n - 1, row, s, &err);
    if (status && !s->status)
        c->err = err;
    return s->status ? s->status : status;
}

static slm_status score_all(cli *c, slm_session *session, sum *s, int32_t bos, const int32_t *ids, size_t n, size_t context)
{
    const size_t lead = bos >= 0;
    slm_status status = SLM_OK;
    int32_t *window = malloc(context * sizeof *window);
    if (!window)
        return cli_fail(c, SLM_E_MEMORY, "no memory for a window of %zu tokens", context);
    window[0] = bos;
    for (size_t at = 0; at < n && !status; ) {
        const size_t now = n - at < context - lead ? n - at : context - lead;
        memcpy(window + lead, ids + at, now * sizeof *ids);
        status = score_window(c, session, s, window, now + lead);
        at += now;
        if (!lead && at < n)
            at--;
    }
    free(window);
    return status;
}

static void print(const cli *c, const sum *s, size_t context)
{
    const double nll = s->nats / (double)s->tokens;
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_count(&j, "tokens", s->tokens);
        cli_json_real(&j, "nll", nll, 6);
        cli_json_real(&j, "ppl", exp(nll), 6);
        cli_json_count(&j, "context", context);
        cli_json_count(&j, "windows", s->windows);
        cli_json_line(&j);
    } else {
        printf("%llu tokens in windows of %zu: %.6f nats per token, perplexity %.6f\n", (unsigned long long)s->tokens, context, nll,
               exp(nll));
    }
}

static slm_status work(cli *c, const options *o, const char *text, size_t len)
{
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    slm_model *model = NULL;
    slm_session *session = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    sum s = { c, NULL, 0, 0, 0, SLM_OK };
    params.context = (uint32_t)o->context;
    params.kv = cli_kv(o->kv);
    slm_status status = cli_open_model(c, &model);
    const slm_tokenizer *tok = status ? NULL : slm_model_tokenizer(model);
    if (!status && !tok)
        status = cli_fail(c, SLM_E_STATE, "the model has no tokenizer; give one with --tokenizer");
    if (!status)
        status = slm_tokenizer_get_info(tok, &info, &c->err);
    if (!status)
        status = cli_encode(c, tok, text, len, 0, &ids, &n);
    if (!status)
        status = slm_session_new(&session, model, &params, &c->err);
    if (!status) {
        cli_cancel_session(session);
        status = score_all(c, session, &s, info.add_bos ? info.bos : -1, ids, n, (size_t)o->context);
    }
    if (!status && !s.tokens)
        status = cli_fail(c, SLM_E_ARG, "%s: holds no token to score", o->file);
    if (!status)
        print(c, &s, (size_t)o->context);
    cli_cancel_session(NULL);
    slm_session_free(session);
    slm_model_free(model);
    free(ids);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    char *text = NULL;
    size_t len = 0;
    if (!o->file)
        return cli_usage(c, "--file is missing: the text to score");
    slm_status status = cli_read_file(c, o->file, &text, &len);
    if (!status)
        status = work(c, o, text, len);
    free(text);
    return cli_end(c, status);
}

static const cli_option table[] = {
    CLI_HEAD("text"),
    { CLI_TEXT,   'f', "file",    "FILE", NULL, 0, 0, offsetof(options, file), "the text, byte for byte (- is stdin)" },
    CLI_HEAD("session"),
    { CLI_COUNT,  'c', "context", "N", "512", 2, 16777216, offsetof(options, context), "tokens of a window" },
    { CLI_CHOICE, 0,   "kv",      "f16|f32|q8_0", "f16", 0, 0, offsetof(options, kv), "type of the cache" },
    CLI_END
};

const cli_command cmd_score = {
    .name = "score", .brief = "measures how likely a model finds a text", .example = "slm score --file text.txt",
    .about = "Prints the number of tokens scored, the mean of -log p in nats per token, and the perplexity, e to that power.\n"
             "The text is cut into windows of --context tokens that do not see each other. Each begins with BOS if the model uses it, and\n"
             "every token after BOS is scored once; without BOS a window begins with the last token of the one before.",
    .options = table, .size = sizeof(options), .run = run
};
