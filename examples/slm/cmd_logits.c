/* cmd_logits.c -- `slm logits`: what the model says after each of the given tokens, for checks and other programs. Of an encoder: the last
 * hidden state of each. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>

typedef struct options {
    const char *tokens, *out, *kv;
    uint64_t chunk, context;
} options;

typedef struct sink {
    cli *c;
    cli_file *file;          /* NULL: lines on stdout */
    const int32_t *ids;
    slm_status status;
} sink;

static void print(const sink *s, size_t index, int32_t next, double nats)
{
    if (!s->c->common.json) {
        printf("%6zu %8d -> %8d %12.6f\n", index, (int)s->ids[index], (int)next, nats);
        return;
    }
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_count(&j, "position", index);
    cli_json_int(&j, "token", s->ids[index]);
    cli_json_int(&j, "next", next);
    cli_json_real(&j, "logprob", nats, 6);
    cli_json_line(&j);
}

static int row(void *user, size_t index, const float *logits, size_t vocab)
{
    sink *s = user;
    if (s->file) {
        s->status = cli_file_put_floats(s->c, s->file, logits, vocab);
        return s->status != SLM_OK;
    }
    size_t best = 0;
    double nats = 0;
    for (size_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    s->status = slm_logits_score(logits, vocab, (int32_t)best, &nats, &s->c->err);
    if (!s->status)
        print(s, index, (int32_t)best, nats);
    return s->status != SLM_OK;
}

static slm_status decode(cli *c, const options *o, slm_model *model, const int32_t *ids, size_t n, cli_file *file)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    slm_session *session = NULL;
    sink s = { c, file, ids, SLM_OK };
    /* by default any list of tokens fits, whatever context the model was trained for; a list too long for any is the session's error */
    params.context = o->context ? (uint32_t)o->context : n > UINT32_MAX ? UINT32_MAX : n ? (uint32_t)n : 1;
    params.chunk = (uint32_t)o->chunk;
    params.kv = cli_kv(o->kv);
    slm_status status = slm_session_new(&session, model, &params, &c->err);
    if (!status) {
        cli_cancel_session(session);
        slm_error err;
        status = slm_session_feed_rows(session, ids, n, row, &s, &err);
        if (status && !s.status)
            c->err = err;      /* else the row's own failure is the cause, and stands in c->err already */
        if (s.status)
            status = s.status;
    }
    cli_cancel_session(NULL);
    slm_session_free(session);
    return status;
}

static void print_state(const cli *c, size_t index, int32_t token, const float *state, size_t width)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += (double)state[i] * (double)state[i];
    if (!c->common.json) {
        printf("%6zu %8d %12.6f\n", index, (int)token, sqrt(sum));
        return;
    }
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_count(&j, "position", index);
    cli_json_int(&j, "token", token);
    cli_json_real(&j, "length", sqrt(sum), 6);
    cli_json_line(&j);
}

static slm_status encode(cli *c, const options *o, slm_model *model, size_t width, const int32_t *ids, size_t n, cli_file *file)
{
    slm_encoder_params params = SLM_ENCODER_PARAMS_INIT;
    slm_encoder *encoder = NULL;
    float *states = n <= SIZE_MAX / sizeof *states / width ? malloc(n * width * sizeof *states) : NULL;
    if (!states)
        return cli_fail(c, SLM_E_MEMORY, "no memory for %zu hidden states", n);
    params.context = o->context ? (uint32_t)o->context : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    params.chunk = (uint32_t)o->chunk;
    params.kv = cli_kv(o->kv);
    slm_status status = slm_encoder_new(&encoder, model, &params, &c->err);
    if (!status) {
        cli_cancel_encoder(encoder);
        status = slm_encoder_states(encoder, states, ids, n, &c->err);
    }
    for (size_t i = 0; !status && i < n; i++) {
        if (file)
            status = cli_file_put_floats(c, file, states + i * width, width);
        else
            print_state(c, i, ids[i], states + i * width, width);
    }
    cli_cancel_encoder(NULL);
    slm_encoder_free(encoder);
    free(states);
    return status;
}

static slm_status feed(cli *c, const options *o, const int32_t *ids, size_t n, cli_file *file)
{
    slm_model *model = NULL;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_status status = cli_open_model(c, &model);
    if (!status)
        status = slm_model_get_info(model, &info, &c->err);
    if (!status)
        status = info.encoder ? encode(c, o, model, info.embedding, ids, n, file) : decode(c, o, model, ids, n, file);
    slm_model_free(model);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    int32_t *ids = NULL;
    size_t n = 0;
    cli_file file;
    if (!o->tokens)
        return cli_usage(c, "--tokens is missing: ids as 1,2,3 or @FILE");
    slm_status status = cli_read_ids(c, "--tokens", o->tokens, &ids, &n);
    if (status == SLM_E_ARG && o->tokens[0] != '@')
        return cli_usage(c, "%s", c->err.text);
    if (!status && n == 0) {
        free(ids);
        return o->tokens[0] == '@' ? cli_end(c, cli_fail(c, SLM_E_ARG, "%s: holds no id", o->tokens + 1))
                                   : cli_usage(c, "--tokens: holds no id");
    }
    if (!status && o->out) {
        status = cli_file_open(c, &file, o->out);
        if (!status) {
            status = feed(c, o, ids, n, &file);
            if (status)
                cli_file_abort(&file);
            else
                status = cli_file_commit(c, &file);
        }
    } else if (!status) {
        status = feed(c, o, ids, n, NULL);
    }
    free(ids);
    return cli_end(c, status);
}

static const cli_option table[] = {
    CLI_HEAD("tokens"),
    { CLI_TEXT,   0,   "tokens",  "1,2,3|@FILE", NULL, 0, 0, offsetof(options, tokens), "the tokens, as given: no BOS is added" },
    { CLI_TEXT,   'o', "out",     "FILE", NULL, 0, 0, offsetof(options, out),
      "writes all logits as little-endian f32 [tokens][vocab], an encoder's states as [tokens][hidden] (- is stdout)" },
    CLI_HEAD("session"),
    { CLI_COUNT,  0,   "chunk",   "N", NULL, 1, 16777216, offsetof(options, chunk),
      "tokens per pass over the weights (default 512). No result depends on it" },
    { CLI_COUNT,  'c', "context", "N", NULL, 1, 16777216, offsetof(options, context),
      "room of the session (default: as many as there are tokens)" },
    { CLI_CHOICE, 0,   "kv",      "f16|f32|q8_0", "f16", 0, 0, offsetof(options, kv), "type of the cache" },
    CLI_END
};

const cli_command cmd_logits = {
    .name = "logits", .brief = "gives the logits after each token", .example = "slm logits --tokens 1,403,407 --out logits.f32",
    .about = "Without --out: a line per position with its token, the likeliest next token and its log-probability in nats;\n"
             "for an encoder the length of its last hidden state.",
    .options = table, .size = sizeof(options), .run = run
};
