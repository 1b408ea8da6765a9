/* cmd_remote.c -- `slm remote ping|generate|chat`: a server asked through the same request and reply as a model here. */
#include "cli_remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    remote_options remote;
    const char *prompt, *file, *schema, *tools;
    uint64_t max_tokens, seed;
    double temp, top_p;
    cli_list stop, choice;
} options;

static slm_status ping(cli *c, const slm_engine *engine)
{
    const double begin = cli_clock_ms();
    int32_t code = 0;
    const slm_status status = slm_remote_ping(engine, &code, &c->err);
    if (status)
        return status;
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_int(&j, "status", code);
        cli_json_real(&j, "ms", cli_clock_ms() - begin, 3);
        cli_json_line(&j);
    } else {
        printf("status %d in %.0f ms\n", code, cli_clock_ms() - begin);
    }
    return SLM_OK;
}

/* What both generate and chat ask for. */
static slm_request request_of(const options *o, slm_sampling *sampling)
{
    slm_request q = SLM_REQUEST_INIT;
    sampling->temperature = (float)o->temp;
    sampling->top_p = (float)o->top_p;
    sampling->seed = o->seed;
    q.privacy = cli_privacy(&o->remote);
    q.sampling = sampling;
    q.stops = o->stop.item;
    q.n_stops = (uint32_t)o->stop.n;
    q.max_tokens = (uint32_t)o->max_tokens;
    return q;
}

static slm_status generate(cli *c, const slm_engine *engine, const options *o)
{
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    char *prompt = NULL, *schema = NULL;
    slm_request q = request_of(o, &sampling);
    slm_status status = o->file ? cli_read_file(c, o->file, &prompt, &q.prompt_len) : SLM_OK;
    if (!status && o->schema)
        status = cli_read_file(c, o->schema, &schema, &q.schema_len);
    q.prompt = prompt ? prompt : o->prompt ? o->prompt : "";
    q.prompt_len = prompt ? q.prompt_len : strlen(q.prompt);
    q.schema = schema;
    if (o->choice.n) {
        q.task = SLM_TASK_CHOOSE;
        q.labels = o->choice.item;
        q.n_labels = o->choice.n;
        q.stops = NULL;
        q.n_stops = 0;
    }
    if (!status)
        status = cli_run_request(c, engine, &q, &reply);
    slm_reply_free(&reply);
    free(prompt);
    free(schema);
    return status;
}

/* The conversation so far; texts are ours. */
typedef struct talk { slm_message *turn; size_t n, room; } talk;

static slm_status add_turn(cli *c, talk *t, const char *role, const char *text, size_t len)
{
    if (t->n == t->room) {
        const size_t room = t->room ? 2 * t->room : 16;
        slm_message *bigger = realloc(t->turn, room * sizeof *bigger);
        if (!bigger)
            return cli_fail(c, SLM_E_MEMORY, "no memory for turn %zu", t->n);
        t->turn = bigger;
        t->room = room;
    }
    char *own = malloc(len + 1);
    if (!own)
        return cli_fail(c, SLM_E_MEMORY, "no memory for a turn of %zu bytes", len);
    memcpy(own, text, len);
    t->turn[t->n++] = (slm_message)SLM_MESSAGE(role, own, len);
    return SLM_OK;
}

/* A line of stdin is a turn; the end of it is the end. */
static slm_status chat(cli *c, const slm_engine *engine, const options *o)
{
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_request q = request_of(o, &sampling);
    cli_lines lines = { 0 };
    talk t = { 0 };
    slm_status status = SLM_OK;
    const bool terminal = isatty(0) && isatty(1) && !c->common.json;
    q.task = SLM_TASK_CHAT;
    while (!status) {
        slm_reply reply = SLM_REPLY_INIT;
        if (terminal) {
            printf("> ");
            (void)fflush(stdout);
        }
        const int got = cli_next_line(c, &lines);
        if (got <= 0) {
            status = got ? (slm_status)c->err.status : SLM_OK;
            break;
        }
        if (!lines.n)
            continue;
        status = add_turn(c, &t, "user", lines.line, lines.n);
        q.messages = t.turn;
        q.n_messages = t.n;
        if (!status)
            status = cli_run_request(c, engine, &q, &reply);
        if (!status)
            status = add_turn(c, &t, "assistant", reply.text, reply.text_len);
        slm_reply_free(&reply);
    }
    for (size_t i = 0; i < t.n; i++)
        free((void *)(uintptr_t)t.turn[i].text);
    free(t.turn);
    free(lines.line);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    const char *what = c->argument[0];
    const char *const known[] = { "ping", "generate", "chat", NULL };
    slm_engine *engine = NULL;
    slm_budget *budget = NULL;
    if (strcmp(what, "ping") != 0 && strcmp(what, "generate") != 0 && strcmp(what, "chat") != 0)
        return cli_usage(c, "unknown '%s'; the nearest is '%s'", what, cli_nearest(what, known));
    if (o->prompt && o->file)
        return cli_usage(c, "-p and -f are two prompts; give one");
    if (o->schema && o->choice.n)
        return cli_usage(c, "--schema and --choice are different things to keep to; give one");
    slm_status status = cli_open_remote(c, &o->remote, &engine, &budget);
    if (!status)
        status = !strcmp(what, "ping") ? ping(c, engine) : !strcmp(what, "chat") ? chat(c, engine, o) : generate(c, engine, o);
    slm_engine_free(engine);
    slm_budget_free(budget);
    return cli_end(c, status);
}

#define AT(member) offsetof(options, member)
#define REMOTE_AT(member) offsetof(options, remote.member)
static const cli_option table[] = {
    CLI_HEAD("what is asked"),
    { CLI_TEXT,   'p', "prompt",     "TEXT", NULL, 0, 0, AT(prompt), "generate: the message" },
    { CLI_TEXT,   'f', "file",       "FILE", NULL, 0, 0, AT(file), "takes it from a file instead, byte for byte (- is stdin)" },
    { CLI_COUNT,  'n', "max-tokens", "N",    "256", 1, 16777216, AT(max_tokens), "tokens at most" },
    { CLI_LIST,   0,   "stop",       "STR",  NULL, 0, 0, AT(stop), "ends before this string; may be given several times" },
    { CLI_REAL,   0,   "temp",       "T",    "0.8", 0, 1000, AT(temp), "temperature" },
    { CLI_REAL,   0,   "top-p",      "P",    "0", 0, 1, AT(top_p), "among the likeliest that make up P together; 0 or 1: all" },
    { CLI_COUNT,  's', "seed",       "S",    "0", 0, 0, AT(seed), "where the server takes one" },
    { CLI_TEXT,   0,   "schema",     "FILE", NULL, 0, 0, AT(schema), "generate: the answer is JSON that validates against a schema" },
    { CLI_LIST,   0,   "choice",     "S",    NULL, 0, 0, AT(choice), "generate: the answer is one of these; may be given several times" },
    CLI_REMOTE_ROWS(REMOTE_AT),
    CLI_END
};
#undef REMOTE_AT
#undef AT

const cli_command cmd_remote = {
    .name = "remote", .brief = "asks a model on a server",
    .example = "slm remote generate --server openai --key-env OPENAI_API_KEY --remote-model gpt-4o-mini -p \"Hello\"",
    .arguments = { "ping|generate|chat" },
    .about = "ping asks whether the server is there; generate answers one message, as it is made; chat answers each line of stdin as the next turn.\n"
             "The answer goes to stdout, what it took to stderr. The key comes from an environment variable and is never shown.",
    .options = table, .size = sizeof(options), .no_model = true, .run = run
};
