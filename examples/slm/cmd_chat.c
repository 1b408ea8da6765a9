/* cmd_chat.c -- `slm chat`: a conversation at a terminal, or line by line from a file or pipe.
 *
 * The conversation is the list of its turns. For each answer all of it is rendered by the template and tokenized, and the session is cut
 * back to where it differs from that: only what is new is evaluated, whether a line was added, taken back, or a file was loaded. Where the
 * context is full, the oldest turns are left out of what is rendered, half a context at once, so that this does not happen every time. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *template_file, *system, *session, *history, *now, *kv;
    uint64_t max_tokens, context;
    cli_list stop;
    cli_sampling sampling;
} options;

typedef struct chat {
    cli *c;
    const options *o;
    slm_model *model;
    slm_session *session;
    const slm_tokenizer *tok;
    slm_template *tmpl;
    cli_editor *in;
    cli_talk talk;
    size_t skipped;             /* oldest turns after the system's that are not rendered */
    uint64_t again;             /* answers asked for again: each has a seed of its own */
    bool live, over;            /* a person types; the end was asked for */
    char *answer;               /* [n] the one being made */
    size_t n, room;
    char last;                  /* byte shown last */
    slm_generation made;
    size_t prompt, fed;         /* tokens of the last prompt, and of these evaluated */
    double prompt_ms, answer_ms;
} chat;

static void note(const chat *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(const chat *h, const char *format, ...)
{
    va_list list;
    char text[600];
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (h->c->common.quiet)
        return;
    (void)fflush(stdout);
    fputc('(', stderr);
    cli_put_shown(stderr, text, strlen(text));
    fputs(")\n", stderr);
}

/* ---- what the model reads ---- */

static size_t first_turn(const chat *h)
{
    return h->talk.n && !strcmp(h->talk.turn[0].role, "system");
}

/* The conversation as JSON, without the turns that are skipped. */
static slm_status as_json(chat *h, char **text, size_t *n)
{
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    const size_t first = first_turn(h), skip = first + h->skipped;
    size_t len;
    cli_talk shown = { NULL, 0, 0 };
    slm_status status = slm_tokenizer_get_info(h->tok, &info, &h->c->err);
    for (size_t i = 0; !status && i < h->talk.n; i++)
        if (i < first || i >= skip)
            status = cli_talk_add(h->c, &shown, h->talk.turn[i].role, h->talk.turn[i].text, h->talk.turn[i].n);
    FILE *to = status ? NULL : open_memstream(text, n);
    if (to) {
        cli_json j = { to, false };
        cli_json_open(&j, NULL, '{');
        cli_talk_json(&j, &shown);
        cli_json_flag(&j, "add_generation_prompt", true);
        const char *bos = slm_tokenizer_text(h->tok, info.bos, &len);
        if (bos)
            cli_json_text(&j, "bos_token", bos, len);
        const char *eos = slm_tokenizer_text(h->tok, info.eos, &len);
        if (eos)
            cli_json_text(&j, "eos_token", eos, len);
        cli_json_line(&j);
    }
    cli_talk_free(&shown);
    if (!status && (!to || fclose(to)))
        status = cli_fail(h->c, SLM_E_MEMORY, "no memory for the conversation");
    return status;
}

static slm_status tokenize(chat *h, int32_t **ids, size_t *n)
{
    slm_render_params params = SLM_RENDER_PARAMS_INIT;
    slm_rendered *rendered = NULL;
    char *text = NULL, now[32];
    size_t len = 0;
    params.now = h->o->now ? h->o->now : cli_now(now);
    slm_status status = as_json(h, &text, &len);
    if (!status)
        status = slm_template_render(&rendered, h->tmpl, text, len, &params, &h->c->err);
    if (!status)
        status = cli_encode_rendered(h->c, h->tok, rendered, ids, n);
    slm_rendered_free(rendered);
    free(text);
    return status;
}

/* Leaves out the oldest question and all that answers it. False if only the last one is left. */
static bool skip_one(chat *h)
{
    const size_t first = first_turn(h);
    size_t at = first + h->skipped + 1;
    while (at < h->talk.n && strcmp(h->talk.turn[at].role, "user"))
        at++;
    if (at >= h->talk.n)
        return false;
    h->skipped = at - first;
    return true;
}

/* The ids of as much of the conversation as leaves room for an answer. */
static slm_status fit(chat *h, int32_t **ids, size_t *n)
{
    const size_t context = slm_session_position(h->session) + slm_session_room(h->session), before = h->skipped;
    const size_t reserve = h->o->max_tokens && h->o->max_tokens < context / 4 ? (size_t)h->o->max_tokens : context / 4;
    size_t most = context - reserve;
    slm_status status = tokenize(h, ids, n);
    while (!status && *n > most && skip_one(h)) {
        most = context / 2;
        free(*ids);
        *ids = NULL;
        status = tokenize(h, ids, n);
    }
    if (!status && *n >= context)
        status = cli_fail(h->c, SLM_E_CONTEXT, "the conversation has %zu tokens even without its oldest turns, the context %zu", *n, context);
    if (!status && h->skipped > before)
        note(h, "the context of %zu tokens is full: the oldest %zu turns are no longer read", context, h->skipped);
    return status;
}

/* A Ctrl-C that came when the call before had just ended is not meant for this one. */
static slm_status feed(chat *h, const int32_t *ids, size_t n)
{
    slm_status status = slm_session_feed(h->session, ids, n, &h->c->err);
    return status == SLM_E_CANCELLED && !cli_signal() ? slm_session_feed(h->session, ids, n, &h->c->err) : status;
}

/* What the session has of them stays; at least one is fed, for its logits. */
static slm_status read_prompt(chat *h, const int32_t *ids, size_t n)
{
    const int32_t *have = slm_session_tokens(h->session);
    const size_t position = slm_session_position(h->session);
    size_t same = 0;
    while (same + 1 < n && same < position && have[same] == ids[same])
        same++;
    slm_status status = slm_session_truncate(h->session, same, &h->c->err);
    h->prompt = n;
    h->fed = n - same;
    return status ? status : feed(h, ids + same, n - same);
}

/* ---- the answer ---- */

static int receive(void *user, const char *text, size_t len)
{
    chat *h = user;
    if (len > h->room - h->n) {
        const size_t room = (h->n + len) * 2;
        char *bigger = realloc(h->answer, room);
        if (!bigger)
            return 1;
        h->answer = bigger;
        h->room = room;
    }
    memcpy(h->answer + h->n, text, len);
    h->n += len;
    h->last = len ? text[len - 1] : h->last;
    if (h->c->common.json)
        return 0;
    for (size_t i = 0, end; h->live && i < len; i = end) {      /* a model must not drive a terminal */
        for (end = i; end < len && text[end] != '\n' && text[end] != '\t';)
            end++;
        cli_put_shown(stdout, text + i, end - i);
        for (; end < len && (text[end] == '\n' || text[end] == '\t'); end++)
            putchar(text[end]);
    }
    if (!h->live)
        (void)fwrite(text, 1, len, stdout);
    return fflush(stdout) || ferror(stdout);
}

static slm_status generate(chat *h)
{
    slm_sampling sampling = cli_sampling_of(&h->o->sampling);
    slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
    sampling.seed += h->again;
    params.max_tokens = (uint32_t)h->o->max_tokens;
    params.stops = h->o->stop.item;
    params.n_stops = (uint32_t)h->o->stop.n;
    params.sampling = &sampling;
    params.text = receive;
    params.user = h;
    return slm_session_generate(h->session, &params, &h->made, &h->c->err);
}

static void print_json(const chat *h)
{
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_text(&j, "text", h->answer ? h->answer : "", h->n);
    cli_json_count(&j, "prompt_tokens", h->prompt);
    cli_json_count(&j, "evaluated", h->fed);
    cli_json_count(&j, "tokens", h->made.tokens);
    cli_json_word(&j, "reason", cli_stop_name(h->made.reason));
    cli_json_line(&j);
}

/* Reads the conversation and answers. */
static slm_status speak(chat *h)
{
    int32_t *ids = NULL;
    size_t n = 0;
    h->n = 0;
    h->last = '\n';
    h->made = (slm_generation)SLM_GENERATION_INIT;
    slm_status status = fit(h, &ids, &n);
    const double begin = cli_clock_ms();
    cli_cancel_session(h->session);
    if (!status)
        status = read_prompt(h, ids, n);
    h->prompt_ms = cli_clock_ms() - begin;
    if (!status)
        status = generate(h);
    h->answer_ms = cli_clock_ms() - begin - h->prompt_ms;
    cli_cancel_session(NULL);
    free(ids);
    if (!status && h->made.reason == SLM_STOP_CALLBACK)
        status = ferror(stdout) ? cli_fail_errno(h->c, "cannot write to stdout") : cli_fail(h->c, SLM_E_MEMORY, "no memory for the answer");
    if (!status && h->c->common.json)
        print_json(h);
    else if (h->last != '\n' || (!h->live && !status && !h->n))
        putchar('\n');
    (void)fflush(stdout);
    return status;
}

/* Answers the last turn, and keeps what was said. An answer that is broken off stays as far as it came; without any of it the question
 * goes too, as if it had not been asked. */
static slm_status answer(chat *h)
{
    slm_status status = speak(h);
    const bool stopped = status == SLM_E_CANCELLED && h->live;
    if (stopped)
        note(h, "stopped");
    if (!status || (stopped && h->n)) {
        const slm_status kept = cli_talk_add(h->c, &h->talk, "assistant", h->answer ? h->answer : "", h->n);
        status = stopped ? kept : status ? status : kept;
    } else if (h->talk.n && !strcmp(h->talk.turn[h->talk.n - 1].role, "user")) {
        cli_talk_drop(&h->talk, h->talk.n - 1, 1);
        status = stopped ? SLM_OK : status;
    }
    if (!status && h->made.reason == SLM_STOP_CONTEXT)
        note(h, "the context is full");
    if (!status && h->o->session)
        status = cli_talk_save(h->c, &h->talk, h->o->session);
    return status;
}

/* ---- files ---- */

/* The session's own file lies beside the conversation. */
static char *beside(const char *path)
{
    const size_t n = strlen(path) + sizeof ".kv";
    char *name = malloc(n);
    if (name)
        (void)snprintf(name, n, "%s.kv", path);
    return name;
}

static slm_status save(chat *h, const char *path)
{
    char *kv = beside(path);
    slm_status status = kv ? cli_talk_save(h->c, &h->talk, path) : cli_fail(h->c, SLM_E_MEMORY, "no memory for a name");
    if (!status)
        status = slm_session_save(h->session, kv, &h->c->err);
    free(kv);
    return status;
}

static slm_session_params session_params(const chat *h)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    params.context = (uint32_t)h->o->context;
    params.kv = cli_kv(h->o->kv);
    return params;
}

/* What the session's file holds saves time and nothing else: one that does not fit is not needed. */
static slm_status load(chat *h, const char *path)
{
    const slm_session_params params = session_params(h);
    slm_session *session = NULL;
    slm_error why;
    char *kv = beside(path);
    slm_status status = kv ? cli_talk_load(h->c, &h->talk, path) : cli_fail(h->c, SLM_E_MEMORY, "no memory for a name");
    if (!status) {
        h->skipped = 0;
        const slm_status read = slm_session_load(&session, h->model, kv, &params, &why);
        if (read && read != SLM_E_NOT_FOUND)
            note(h, "%s; it will be evaluated again", why.text);
    }
    if (session) {
        slm_session_free(h->session);
        h->session = session;
    }
    for (size_t i = 0; !status && i < h->talk.n; i++)
        if (!strcmp(h->talk.turn[i].role, "user"))
            cli_editor_remember(h->in, h->talk.turn[i].text);
    free(kv);
    return status;
}

/* ---- commands ---- */

static slm_status set_system(chat *h, const char *text)
{
    cli_turn turn;
    slm_status status = cli_talk_add(h->c, &h->talk, "system", text, strlen(text));
    if (status)
        return status;
    if (first_turn(h) && h->talk.n > 1)
        cli_talk_drop(&h->talk, 0, 1);
    turn = h->talk.turn[h->talk.n - 1];
    memmove(h->talk.turn + 1, h->talk.turn, (h->talk.n - 1) * sizeof turn);
    h->talk.turn[0] = turn;
    return SLM_OK;
}

static slm_status do_system(chat *h, const char *text)
{
    if (*text)
        return set_system(h, text);
    note(h, "system: %s", first_turn(h) ? h->talk.turn[0].text : "none");
    return SLM_OK;
}

static slm_status do_reset(chat *h, const char *text)
{
    (void)text;
    cli_talk_drop(&h->talk, first_turn(h), h->talk.n - first_turn(h));
    h->skipped = 0;
    return SLM_OK;
}

/* Where the last question is, or the number of turns. */
static size_t last_question(const chat *h)
{
    size_t at = h->talk.n;
    while (at > 0 && strcmp(h->talk.turn[at - 1].role, "user"))
        at--;
    return at ? at - 1 : h->talk.n;
}

static slm_status do_undo(chat *h, const char *text)
{
    const size_t at = last_question(h);
    (void)text;
    if (at == h->talk.n) {
        note(h, "there is nothing to take back");
        return SLM_OK;
    }
    cli_talk_drop(&h->talk, at, h->talk.n - at);
    if (first_turn(h) + h->skipped >= h->talk.n)
        h->skipped = 0;
    return SLM_OK;
}

static slm_status do_retry(chat *h, const char *text)
{
    const size_t at = last_question(h);
    (void)text;
    if (at == h->talk.n) {
        note(h, "there is nothing to answer");
        return SLM_OK;
    }
    cli_talk_drop(&h->talk, at + 1, h->talk.n - at - 1);
    h->again++;
    return answer(h);
}

static slm_status do_save(chat *h, const char *path)
{
    return save(h, path);
}

static slm_status do_load(chat *h, const char *path)
{
    return load(h, path);
}

static slm_status do_stats(chat *h, const char *text)
{
    const size_t used = slm_session_position(h->session);
    (void)text;
    note(h, "%zu turns, %zu of them not read; %zu tokens of a context of %zu; last prompt %zu tokens, %zu evaluated in %.0f ms; "
         "last answer %zu tokens in %.0f ms", h->talk.n, h->skipped, used, used + slm_session_room(h->session), h->prompt, h->fed, h->prompt_ms,
         h->made.tokens, h->answer_ms);
    return SLM_OK;
}

static slm_status do_quit(chat *h, const char *text)
{
    (void)text;
    h->over = true;
    return SLM_OK;
}

static slm_status do_help(chat *h, const char *text);

static const struct order { const char *name, *value, *help; slm_status (*run)(chat *h, const char *text); } orders[] = {
    { "help",   NULL,   "this list", do_help },
    { "system", "TEXT", "sets the system prompt; alone: shows it", do_system },
    { "undo",   NULL,   "takes the last question and its answer back", do_undo },
    { "retry",  NULL,   "answers the last question again, in another way", do_retry },
    { "reset",  NULL,   "forgets all turns; the system prompt stays", do_reset },
    { "save",   "FILE", "writes the conversation, and what was evaluated of it to FILE.kv", do_save },
    { "load",   "FILE", "goes on with such a conversation", do_load },
    { "stats",  NULL,   "turns, tokens, times", do_stats },
    { "quit",   NULL,   "ends, as Ctrl-D does", do_quit },
};
enum { ORDERS = sizeof orders / sizeof *orders };

static slm_status do_help(chat *h, const char *text)
{
    (void)h;
    (void)text;
    for (size_t i = 0; i < ORDERS; i++)
        fprintf(stderr, "/%s %-*s %s\n", orders[i].name, (int)(12 - strlen(orders[i].name)), orders[i].value ? orders[i].value : "", orders[i].help);
    fprintf(stderr, "//...         a line that begins with a slash\nCtrl-C ends an answer, or drops the line; Ctrl-D ends the chat\n");
    return SLM_OK;
}

/* A line that begins with a slash; it is terminated. */
static slm_status obey(chat *h, const char *line)
{
    const char *names[ORDERS + 1] = { NULL };
    const size_t len = strcspn(line, " \t");
    char word[32];
    for (size_t i = 0; i < ORDERS; i++) {
        names[i] = orders[i].name;
        if (strlen(names[i]) != len || strncmp(names[i], line, len))
            continue;
        const char *value = line + len + strspn(line + len, " \t");
        if (!*value && orders[i].value && !strcmp(orders[i].value, "FILE"))
            return cli_fail(h->c, SLM_E_ARG, "/%s needs the name of a file", names[i]);
        return orders[i].run(h, value);
    }
    (void)snprintf(word, sizeof word, "%.*s", (int)(len < 31 ? len : 31), line);
    return cli_fail(h->c, SLM_E_NOT_FOUND, "no command '/%s'; the nearest is /%s", word, cli_nearest(word, names));
}

/* ---- the loop ---- */

static slm_status take_line(chat *h, const char *line, size_t n)
{
    if (n && line[0] == '/' && !(n > 1 && line[1] == '/')) {
        char *copy = malloc(n);
        if (!copy)
            return cli_fail(h->c, SLM_E_MEMORY, "no memory for a line");
        memcpy(copy, line + 1, n - 1);
        copy[n - 1] = 0;
        const slm_status status = obey(h, copy);
        free(copy);
        return status;
    }
    const size_t slash = n && line[0] == '/';
    if (n == slash)
        return SLM_OK;
    const slm_status status = cli_talk_add(h->c, &h->talk, "user", line + slash, n - slash);
    return status ? status : answer(h);
}

/* At a terminal what goes wrong with one line is said, and the next one is asked for. */
static slm_status loop(chat *h)
{
    const char *line;
    size_t n;
    int more = 1;
    slm_status status = SLM_OK;
    while (!status && !h->over && (more = cli_editor_next(h->c, h->in, &line, &n)) > 0) {
        status = take_line(h, line, n);
        if (h->live)
            cli_forget_interrupt();
        if (status && h->live && !cli_signal()) {
            (void)cli_end(h->c, status);
            memset(&h->c->err, 0, sizeof h->c->err);
            status = SLM_OK;
        }
    }
    if (h->live && !more)
        fputc('\n', stderr);
    return more < 0 ? (slm_status)h->c->err.status : status;
}

static slm_status open_all(chat *h)
{
    cli *c = h->c;
    const slm_session_params params = session_params(h);
    FILE *there = NULL;
    slm_status status = cli_open_model(c, &h->model);
    cli_progress_clear(c);
    if (!status && !(h->tok = slm_model_tokenizer(h->model)))
        status = cli_fail(c, SLM_E_STATE, "the model has no tokenizer");
    if (!status)
        status = cli_open_template(c, h->o->template_file, h->model, &h->tmpl);
    if (!status)
        status = slm_session_new(&h->session, h->model, &params, &c->err);
    if (!status)
        status = cli_editor_new(c, &h->in, "> ", h->o->history);
    if (!status && h->o->session && (there = fopen(h->o->session, "rb")) != NULL) {
        (void)fclose(there);
        status = load(h, h->o->session);
        if (!status && h->talk.n)
            note(h, "goes on after %zu turns", h->talk.n);
    }
    if (!status && h->o->system)
        status = set_system(h, h->o->system);
    return status;
}

static int run(cli *c, const void *opaque)
{
    chat h = { .c = c, .o = opaque };
    slm_status status = open_all(&h);
    if (!status) {
        h.live = cli_editor_is_terminal(h.in);
        if (h.live)
            cli_keep_interrupts();
        if (h.live)
            note(&h, "/help lists the commands, Ctrl-C ends an answer, Ctrl-D the chat");
        status = loop(&h);
        if (h.o->session) {
            slm_error why = c->err;
            const slm_status saved = save(&h, h.o->session);
            if (status)
                c->err = why;
            status = status ? status : saved;
        }
    }
    cli_editor_free(h.in);
    cli_talk_free(&h.talk);
    free(h.answer);
    slm_session_free(h.session);
    slm_template_free(h.tmpl);
    slm_model_free(h.model);
    return cli_end(c, status);
}

#define AT(member) offsetof(options, member)
static const cli_option table[] = {
    CLI_HEAD("conversation"),
    { CLI_TEXT,   0,   "system",     "TEXT", NULL, 0, 0, AT(system), "the system prompt" },
    { CLI_TEXT,   0,   "session",    "FILE", NULL, 0, 0, AT(session),
      "goes on with the conversation in FILE and keeps it there; FILE.kv holds what was evaluated" },
    { CLI_TEXT,   0,   "history",    "FILE", NULL, 0, 0, AT(history), "keeps the lines that were typed, for the arrow keys" },
    { CLI_TEXT,   0,   "template",   "FILE", NULL, 0, 0, AT(template_file), "a chat template; without it the model's own" },
    { CLI_TEXT,   0,   "now",        "TIME", NULL, 0, 0, AT(now), "what the template is told the time is (default: the local time)" },
    CLI_HEAD("end of an answer"),
    { CLI_COUNT,  'n', "max-tokens", "N",    "1024", 0, 4294967295.0, AT(max_tokens),
      "tokens at most; 0: until the answer ends or the context is full" },
    { CLI_LIST,   0,   "stop",       "STR",  NULL, 0, 0, AT(stop), "ends before this string; may be given several times" },
    CLI_SAMPLING_OPTIONS(options, sampling),
    CLI_HEAD("session"),
    { CLI_COUNT,  'c', "context",    "N",    NULL, 1, 16777216, AT(context),
      "room of the session (default: the model's, at most 4096)" },
    { CLI_CHOICE, 0,   "kv",         "f16|f32|q8_0", "f16", 0, 0, AT(kv), "type of the cache" },
    CLI_END
};
#undef AT

const cli_command cmd_chat = {
    .name = "chat", .brief = "talks with a model", .example = "slm chat -m MODEL.gguf",
    .about = "Type a line, read the answer. /help lists the commands; Ctrl-C ends the answer only, Ctrl-D the chat. Answers go to stdout,\n"
             "notes to stderr. What is no terminal is read line by line. With --json: one object an answer.\n"
             "Needs a model with a chat template, or --template. When the context is full, the oldest turns are no longer read.",
    .options = table, .size = sizeof(options), .run = run
};
