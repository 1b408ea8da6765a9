/* cli_remote.c -- a remote engine from options, and a request to any engine with its answer said. */
#include "cli_remote.h"

#include <stdlib.h>
#include <string.h>

/* The key goes from the environment to the library's locked memory and is kept nowhere here. */
static ptrdiff_t key(void *user, char *to, size_t room)
{
    const char *value = getenv(user);
    const size_t n = value ? strlen(value) : 0;
    if (!n || n > room)
        return -1;
    memcpy(to, value, n);
    return (ptrdiff_t)n;
}

static void say(void *user, int level, const char *text)
{
    (void)user;
    fprintf(stderr, "%s%s\n", level <= 1 ? "warning: " : "", text);
}

uint32_t cli_privacy(const remote_options *o)
{
    return !strcmp(o->privacy, "local") ? SLM_PRIVACY_LOCAL_ONLY : SLM_PRIVACY_MAY_LEAVE;
}

static slm_status open_budget(cli *c, const remote_options *o, slm_budget **budget)
{
    slm_budget_params p = SLM_BUDGET_PARAMS_INIT;
    slm_price price = { o->name, (uint64_t)(o->price_in * 1e6 + 0.5), (uint64_t)(o->price_out * 1e6 + 0.5), 0, 0 };
    if (o->budget <= 0)
        return SLM_OK;
    if (o->price_in <= 0 && o->price_out <= 0)
        return cli_fail(c, SLM_E_ARG, "--budget needs --price-in and --price-out");
    p.total = (uint64_t)(o->budget * 1e9 + 0.5);
    p.ceiling = &price;                     /* whatever the server says its model is called */
    return slm_budget_new(budget, &p, &c->err);
}

/* The host of a URL, into room: whoever types a URL means its host. */
static void host_of(char *to, size_t room, const char *url)
{
    const char *from = strstr(url, "//");
    from = from ? from + 2 : url;
    const size_t n = *from == '[' ? strcspn(from, "]") + 1 : strcspn(from, ":/");
    (void)snprintf(to, room, "%.*s", (int)(n < room ? n : 0), from);
}

slm_status cli_open_remote(cli *c, const remote_options *o, slm_engine **engine, slm_budget **budget)
{
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    const slm_log log = { NULL, say };
    char host[256];
    const char *own = host;
    if (!o->name)
        return cli_fail(c, SLM_E_ARG, "--remote-model is needed: the model as the server calls it");
    if (o->key_env && !(getenv(o->key_env) && *getenv(o->key_env)))
        return cli_fail(c, SLM_E_NOT_FOUND, "the environment has no key in %s", o->key_env);
    slm_status status = open_budget(c, o, budget);
    if (status)
        return status;
    p.server = o->server;
    p.base_url = o->url;
    p.model = o->name;
    p.system = o->system;
    p.key = o->key_env ? key : NULL;
    p.key_user = (void *)(uintptr_t)o->key_env;
    p.hosts = o->allow.item;
    p.n_hosts = o->allow.n;
    if (!o->allow.n && o->url) {
        host_of(host, sizeof host, o->url);
        p.hosts = &own;
        p.n_hosts = 1;
    }
    p.addresses = o->address.item;
    p.n_addresses = o->address.n;
    p.ca_file = o->ca;
    p.proxy = o->proxy;
    p.retries = o->retries ? (uint32_t)o->retries : UINT32_MAX;
    p.total_ms = (uint32_t)o->deadline;
    p.first_ms = (uint32_t)o->first;
    p.between_ms = (uint32_t)o->between;
    p.flags = (o->plain ? SLM_REMOTE_PLAIN : 0u) | (o->logprobs ? SLM_REMOTE_LOGPROBS : 0u);
    p.budget = *budget;
    p.log = c->common.quiet || c->common.json ? NULL : &log;
    status = slm_engine_remote(engine, &p, &c->err);
    if (status) {
        slm_budget_free(*budget);
        *budget = NULL;
    }
    return status;
}

static int put(void *user, const char *text, size_t len)
{
    char *last = user;
    *last = text[len - 1];
    return fwrite(text, 1, len, stdout) != len || fflush(stdout);
}

static const char *route(uint32_t number)
{
    static const char *const names[] = { "none", "local", "unsure", "unverified", "failed", "kept" };
    return number < sizeof names / sizeof *names ? names[number] : "?";
}

static const char *reason(uint32_t number)
{
    static const char *const names[] = { "", "length", "eos", "stop", "context", "output", "refused", "calls", "other" };
    return number < sizeof names / sizeof *names ? names[number] : "?";
}

static void put_object(const slm_reply *r)
{
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_text(&j, "text", r->text ? r->text : "", r->text_len);
    cli_json_word(&j, "engine", r->engine);
    cli_json_word(&j, "model", r->model);
    cli_json_word(&j, "reason", reason(r->reason));
    cli_json_word(&j, "route", route(r->route));
    cli_json_word(&j, "note", r->note);
    if (r->confidence)
        cli_json_real(&j, "confidence", r->confidence->value, 6);
    cli_json_flag(&j, "left", r->left != 0);
    cli_json_count(&j, "prompt_tokens", r->prompt_tokens);
    cli_json_count(&j, "tokens", r->tokens);
    cli_json_flag(&j, "estimated", (r->flags & SLM_REPLY_ESTIMATED) != 0);
    if (r->flags & SLM_REPLY_COSTED)
        cli_json_count(&j, "cost_nanodollars", r->cost);
    cli_json_count(&j, "tries", r->tries);
    if (r->n_calls) {
        cli_json_open(&j, "calls", '[');
        for (size_t i = 0; i < r->n_calls; i++) {
            cli_json_open(&j, NULL, '{');
            cli_json_word(&j, "id", r->calls[i].id);
            cli_json_word(&j, "name", r->calls[i].name);
            cli_json_text(&j, "arguments", r->calls[i].arguments, r->calls[i].arguments_len);
            cli_json_shut(&j, '}');
        }
        cli_json_shut(&j, ']');
    }
    cli_json_line(&j);
}

static void put_line(const slm_reply *r)
{
    fprintf(stderr, "%s", r->engine);
    if (*r->model)
        fprintf(stderr, " (%s)", r->model);
    fprintf(stderr, ": prompt %llu tokens, answer %llu%s, %u tries, %.0f ms", (unsigned long long)r->prompt_tokens, (unsigned long long)r->tokens,
            r->flags & SLM_REPLY_ESTIMATED ? " at most" : "", r->tries, (double)r->total_ns / 1e6);
    if (r->flags & SLM_REPLY_COSTED)
        fprintf(stderr, ", %.6f USD", (double)r->cost / 1e9);
    if (r->route)
        fprintf(stderr, "; %s", route(r->route));
    if (*r->note) {
        fprintf(stderr, ": ");
        cli_put_shown(stderr, r->note, strlen(r->note));
    }
    fprintf(stderr, "\n");
}

slm_status cli_run_request(cli *c, const slm_engine *engine, slm_request *request, slm_reply *reply)
{
    char last = 0;
    if (!c->common.json && request->task != SLM_TASK_CHOOSE) {
        request->text = put;
        request->user = &last;
    }
    request->cancel = cli_cancel();
    const slm_status status = slm_engine_run(engine, request, reply, &c->err);
    if (!status && !c->common.json && request->task == SLM_TASK_CHOOSE)
        printf("%s\n", reply->text);
    else if (last && last != '\n')
        putchar('\n');
    (void)fflush(stdout);
    if (!status && c->common.json)
        put_object(reply);
    else if (!status && !c->common.quiet)
        put_line(reply);
    return status;
}
