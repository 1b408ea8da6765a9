/* cmd_generate.c -- `slm generate`: continues a text on stdout, as it is made. */
#include "cli_remote.h"

#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *prompt, *file, *kv;
    const char *schema, *regex, *draft_model;
    uint64_t max_tokens, context, chunk, logprobs, draft;
    cli_sampling sampling;
    cli_list stop, choice;
    bool echo, special, escalate;
    double threshold;
    remote_options remote;
} options;

/* What was said of a token: log p, and the likeliest ones at its place. */
typedef struct scores {
    slm_scored one, *top;  /* [n] */
    size_t n;
} scores;

/* Where the text goes: stdout at once, or collected for the JSON object. */
typedef struct sink {
    scores *list;          /* [n_list] */
    size_t n_list, list_room;
    bool json;
    char last;             /* byte written last */
    char *text;
    size_t n, room;
} sink;

static int put(void *user, const char *text, size_t len)
{
    sink *s = user;
    if (!len)
        return 0;
    s->last = text[len - 1];
    if (!s->json)
        return fwrite(text, 1, len, stdout) != len || fflush(stdout);
    if (len > s->room - s->n) {
        const size_t room = (s->n + len) * 2;
        char *bigger = realloc(s->text, room);
        if (!bigger)
            return 1;
        s->text = bigger;
        s->room = room;
    }
    memcpy(s->text + s->n, text, len);
    s->n += len;
    return 0;
}

static int keep(void *user, const slm_scored *one, const slm_scored *top, size_t n)
{
    sink *s = user;
    if (s->n_list == s->list_room) {
        const size_t room = s->list_room ? 2 * s->list_room : 64;
        scores *bigger = realloc(s->list, room * sizeof *bigger);
        if (!bigger)
            return 1;
        s->list = bigger;
        s->list_room = room;
    }
    scores *to = &s->list[s->n_list];
    *to = (scores){ *one, malloc((n + 1) * sizeof *top), n };
    if (!to->top)
        return 1;
    memcpy(to->top, top, n * sizeof *top);
    s->n_list++;
    return 0;
}

static void put_score(cli_json *j, const slm_tokenizer *tokenizer, const slm_scored *one)
{
    char text[256];
    size_t n = 0;
    if (slm_tokenizer_decode(tokenizer, text, sizeof text, &n, &one->token, 1, SLM_TEXT_CONTROL, NULL))
        n = 0;
    cli_json_int(j, "id", one->token);
    cli_json_text(j, "text", text, n);
    cli_json_real(j, "logprob", one->nats, 6);
}

/* "logprobs":[{"id":...,"text":...,"logprob":...,"top":[...]},...] */
static void put_scores(cli_json *j, const sink *s, const slm_tokenizer *tokenizer)
{
    cli_json_open(j, "logprobs", '[');
    for (size_t i = 0; i < s->n_list; i++) {
        cli_json_open(j, NULL, '{');
        put_score(j, tokenizer, &s->list[i].one);
        cli_json_open(j, "top", '[');
        for (size_t k = 0; k < s->list[i].n; k++) {
            cli_json_open(j, NULL, '{');
            put_score(j, tokenizer, &s->list[i].top[k]);
            cli_json_shut(j, '}');
        }
        cli_json_shut(j, ']');
        cli_json_shut(j, '}');
    }
    cli_json_shut(j, ']');
}

typedef struct timing { double load, prefill, decode; size_t prompt; } timing;

static double per_second(size_t n, double ms)
{
    return ms > 0 ? (double)n * 1e3 / ms : 0;
}

static void statistics(const cli *c, const options *o, const slm_model *model, const sink *s, const timing *t, const slm_generation *made)
{
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, "text", s->text ? s->text : "", s->n);
        cli_json_count(&j, "prompt_tokens", t->prompt);
        cli_json_count(&j, "tokens", made->tokens);
        cli_json_word(&j, "reason", cli_stop_name(made->reason));
        if (o->draft) {
            cli_json_count(&j, "drafted", (size_t)made->drafted);
            cli_json_count(&j, "accepted", (size_t)made->accepted);
        }
        if (o->logprobs)
            put_scores(&j, s, slm_model_tokenizer(model));
        cli_json_real(&j, "load_ms", t->load, 3);
        cli_json_real(&j, "prefill_tok_s", per_second(t->prompt, t->prefill), 3);
        cli_json_real(&j, "decode_tok_s", per_second(made->tokens, t->decode), 3);
        cli_json_line(&j);
    } else if (!c->common.quiet) {
        fprintf(stderr, "loaded in %.0f ms; prompt %zu tokens, %.1f/s; generated %zu tokens, %.1f/s; ended by %s\n", t->load, t->prompt,
                per_second(t->prompt, t->prefill), made->tokens, per_second(made->tokens, t->decode), cli_stop_name(made->reason));
    }
}

static slm_status new_session(cli *c, slm_model *model, const options *o, slm_session **session)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    params.context = (uint32_t)o->context;
    params.chunk = (uint32_t)o->chunk;
    params.kv = cli_kv(o->kv);
    slm_status status = slm_session_new(session, model, &params, &c->err);
    if (!status)
        cli_cancel_session(*session);
    return status;
}

/* At most one of --schema, --regex and --choice; *constraint stays NULL without one. */
static slm_status constrain(cli *c, const slm_model *model, const options *o, slm_constraint **constraint)
{
    const slm_tokenizer *tokenizer = slm_model_tokenizer(model);
    char *text = NULL;
    size_t n = 0;
    slm_status status = SLM_OK;
    if (o->choice.n)
        return slm_constraint_choice(constraint, tokenizer, o->choice.item, o->choice.n, &c->err);
    if (o->regex)
        return slm_constraint_regex(constraint, tokenizer, o->regex, &c->err);
    if (!o->schema)
        return SLM_OK;
    status = cli_read_file(c, o->schema, &text, &n);
    if (!status)
        status = slm_constraint_schema(constraint, tokenizer, text, n, &c->err);
    free(text);
    return status;
}

/* The model that guesses ahead, and its session; both stay NULL without --draft-model. */
static slm_status open_drafter(cli *c, const options *o, slm_model **model, slm_session **drafter)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    params.context = (uint32_t)o->context;
    if (!o->draft_model)
        return SLM_OK;
    const slm_status status = cli_open_model_at(c, o->draft_model, model);
    return status ? status : slm_session_new(drafter, *model, &params, &c->err);
}

static slm_status generate(cli *c, slm_session *session, slm_session *drafter, const options *o, slm_constraint *constraint, sink *s,
                           slm_generation *made)
{
    const slm_sampling sampling = cli_sampling_of(&o->sampling);
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    params.constraint = constraint;
    params.draft = (uint32_t)o->draft;
    params.drafter = drafter;
    params.token = o->logprobs ? keep : NULL;
    params.n_top = (uint32_t)o->logprobs;
    params.max_tokens = (uint32_t)o->max_tokens;
    params.stops = o->stop.item;
    params.n_stops = (uint32_t)o->stop.n;
    params.sampling = &sampling;
    params.text = put;
    params.user = s;
    return slm_session_generate(session, &params, made, &c->err);
}

static slm_status work(cli *c, const options *o, const char *prompt, size_t len, sink *s)
{
    slm_model *model = NULL, *draft_model = NULL;
    slm_session *session = NULL, *drafter = NULL;
    slm_constraint *constraint = NULL;
    slm_generation made = SLM_GENERATION_INIT;
    timing t = { 0, 0, 0, 0 };
    double start = cli_clock_ms();
    slm_status status = cli_open_model(c, &model);
    if (!status)
        status = constrain(c, model, o, &constraint);
    if (!status)
        status = new_session(c, model, o, &session);
    if (!status)
        status = open_drafter(c, o, &draft_model, &drafter);
    t.load = cli_clock_ms() - start;
    if (!status) {
        start = cli_clock_ms();
        status = slm_session_feed_text(session, prompt, len, o->special ? SLM_TEXT_SPECIAL : 0u, &c->err);
        t.prefill = cli_clock_ms() - start;
        t.prompt = slm_session_position(session);
    }
    if (!status && o->echo)
        (void)put(s, prompt, len);
    if (!status) {
        start = cli_clock_ms();
        status = generate(c, session, drafter, o, constraint, s, &made);
        t.decode = cli_clock_ms() - start;
        if (!c->common.json && s->last != '\n' && s->last)
            putchar('\n');
        (void)fflush(stdout);      /* the text before the statistics; a failure is seen at the end */
        if (!status && made.reason == SLM_STOP_CALLBACK)
            status = ferror(stdout) ? cli_fail_errno(c, "cannot write to stdout") : cli_fail(c, SLM_E_MEMORY, "no memory for the text");
        if (!status)
            statistics(c, o, model, s, &t, &made);
    }
    cli_cancel_session(NULL);
    slm_session_free(session);
    slm_session_free(drafter);
    slm_constraint_free(constraint);
    slm_model_free(draft_model);
    slm_model_free(model);
    return status;
}

/* --escalate: the model here answers first, and a server what it is not sure of. */
static slm_status escalate(cli *c, const options *o, const char *prompt, size_t len)
{
    slm_model *model = NULL;
    slm_engine *local = NULL, *remote = NULL, *both = NULL;
    slm_budget *budget = NULL;
    slm_engine_local_params here = SLM_ENGINE_LOCAL_PARAMS_INIT;
    slm_engine_escalate_params p = SLM_ENGINE_ESCALATE_PARAMS_INIT;
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_sampling sampling = cli_sampling_of(&o->sampling);
    here.context = (uint32_t)o->context;
    here.chunk = (uint32_t)o->chunk;
    here.kv = cli_kv(o->kv);
    p.threshold = o->threshold;
    q.privacy = cli_privacy(&o->remote);
    q.prompt = prompt;
    q.prompt_len = len;
    q.sampling = &sampling;
    q.stops = o->stop.item;
    q.n_stops = (uint32_t)o->stop.n;
    q.flags = o->special ? SLM_TEXT_SPECIAL : 0;
    q.max_tokens = (uint32_t)o->max_tokens;
    slm_status status = cli_open_remote(c, &o->remote, &remote, &budget);
    if (!status)
        status = cli_open_model(c, &model);
    if (!status)
        status = slm_engine_local(&local, model, &here, &c->err);
    if (!status)
        status = slm_engine_escalate(&both, local, remote, &p, &c->err);
    if (!status)
        status = cli_run_request(c, both, &q, &reply);
    slm_reply_free(&reply);
    slm_engine_free(both);
    slm_engine_free(local);
    slm_engine_free(remote);
    slm_budget_free(budget);
    slm_model_free(model);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    sink s = { .json = c->common.json };
    char *text = NULL;
    size_t len = 0;
    if (o->prompt && o->file)
        return cli_usage(c, "-p and -f are two prompts; give one");
    if ((o->schema != NULL) + (o->regex != NULL) + (o->choice.n > 0) > 1)
        return cli_usage(c, "--schema, --regex and --choice are different things to keep to; give one");
    if (o->draft_model && !o->draft)
        return cli_usage(c, "--draft-model needs --draft N");
    if (o->logprobs && !c->common.json)
        return cli_usage(c, "--logprobs needs --json");
    if (o->escalate && (o->schema || o->regex || o->choice.n || o->logprobs || o->echo))
        return cli_usage(c, "--escalate goes with none of --schema, --regex, --choice, --logprobs and --echo");
    slm_status status = o->file ? cli_read_file(c, o->file, &text, &len) : SLM_OK;
    const char *prompt = text ? text : o->prompt ? o->prompt : "";
    if (!status && o->escalate)
        status = escalate(c, o, prompt, text ? len : strlen(prompt));
    else if (!status)
        status = work(c, o, prompt, text ? len : strlen(prompt), &s);
    for (size_t i = 0; i < s.n_list; i++)
        free(s.list[i].top);
    free(s.list);
    free(text);
    free(s.text);
    return cli_end(c, status);
}

#define AT(member) offsetof(options, member)
#define REMOTE_AT(member) offsetof(options, remote.member)
static const cli_option table[] = {
    CLI_HEAD("prompt"),
    { CLI_TEXT,   'p', "prompt",     "TEXT", NULL, 0, 0, AT(prompt),
      "the text to continue (default: empty, which begins a new text)" },
    { CLI_TEXT,   'f', "file",       "FILE", NULL, 0, 0, AT(file), "takes it from a file instead, byte for byte (- is stdin)" },
    { CLI_FLAG,   0,   "special",    NULL,   NULL, 0, 0, AT(special),
      "the prompt may yield control tokens; not for text of strangers" },
    { CLI_FLAG,   0,   "echo",       NULL,   NULL, 0, 0, AT(echo), "prints the prompt too" },
    CLI_HEAD("end"),
    { CLI_COUNT,  'n', "max-tokens", "N",    "256", 0, 4294967295.0, AT(max_tokens),
      "tokens at most; 0: until the text ends or the context is full" },
    { CLI_LIST,   0,   "stop",       "STR",  NULL, 0, 0, AT(stop), "ends before this string; may be given several times" },
    CLI_SAMPLING_OPTIONS(options, sampling),
    CLI_HEAD("what the text must be"),
    { CLI_TEXT,   0,   "schema",     "FILE", NULL, 0, 0, AT(schema), "JSON that validates against the schema in a file (- is stdin)" },
    { CLI_TEXT,   0,   "regex",      "R",    NULL, 0, 0, AT(regex), "a text that matches as a whole" },
    { CLI_LIST,   0,   "choice",     "S",    NULL, 0, 0, AT(choice), "one of these strings; may be given several times" },
    CLI_HEAD("speed; no text depends on it"),
    { CLI_COUNT,  0,   "draft",      "N",    "0", 0, 32, AT(draft),
      "guesses up to N tokens ahead and evaluates them in one pass, from what followed the same words before" },
    { CLI_TEXT,   0,   "draft-model", "FILE", NULL, 0, 0, AT(draft_model), "a smaller model with the same vocabulary guesses instead" },
    CLI_HEAD("report"),
    { CLI_COUNT,  0,   "logprobs",   "N",    NULL, 1, 64, AT(logprobs),
      "with --json: log-probabilities of the tokens made and of the N likeliest at each place" },
    CLI_HEAD("session"),
    { CLI_COUNT,  'c', "context",    "N",    NULL, 1, 16777216, AT(context),
      "room of the session (default: the model's, at most 4096)" },
    { CLI_COUNT,  0,   "chunk",      "N",    NULL, 1, 16777216, AT(chunk),
      "tokens per pass over the weights (default 512). No result depends on it" },
    { CLI_CHOICE, 0,   "kv",         "f16|f32|q8_0", "f16", 0, 0, AT(kv), "type of the cache" },
    CLI_HEAD("escalation"),
    { CLI_FLAG,   0,   "escalate",   NULL,   NULL, 0, 0, AT(escalate), "asks a server where this model is not sure; what follows says which" },
    { CLI_REAL,   0,   "threshold",  "P",    "0.5", 0, 1, AT(threshold), "sure is a confidence (e to the mean log p) of at least P" },
    CLI_REMOTE_ROWS(REMOTE_AT),
    CLI_END
};
#undef REMOTE_AT
#undef AT

const cli_command cmd_generate = {
    .name = "generate", .brief = "continues a text", .example = "slm generate -p \"Once upon a time\"",
    .about = "The continuation goes to stdout as it is made, speed to stderr. BOS stands before the prompt if the model asks for it.\n"
             "With --json: one object at the end. Ctrl-C ends it with status 130.",
    .options = table, .size = sizeof(options), .run = run
};
