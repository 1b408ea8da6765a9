/* cli_chat.c -- what chatting and generating share: sampling options, chat templates, conversations and the file they are kept in. */
#include "cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

slm_sampling cli_sampling_of(const cli_sampling *o)
{
    slm_sampling s = SLM_SAMPLING_INIT;
    s.temperature = (float)o->temp;
    s.top_p = (float)o->top_p;
    s.min_p = (float)o->min_p;
    s.top_k = (uint32_t)o->top_k;
    s.seed = o->seed;
    s.typical_p = (float)o->typical;
    s.repeat_penalty = (float)o->repeat_penalty;
    s.frequency_penalty = (float)o->frequency_penalty;
    s.presence_penalty = (float)o->presence_penalty;
    s.dry_multiplier = (float)o->dry;
    s.penalty_window = (uint32_t)o->penalty_window;
    return s;
}

const char *cli_stop_name(slm_stop stop)
{
    switch (stop) {
    case SLM_STOP_EOS:      return "eos";
    case SLM_STOP_STRING:   return "stop";
    case SLM_STOP_CONTEXT:  return "context";
    case SLM_STOP_CALLBACK: return "output";
    case SLM_STOP_LENGTH:   break;
    }
    return "length";
}

/* ---- templates ---------------------------------------------------------------------------------------------------------- */

static slm_status no_template(cli *c)
{
    return cli_fail(c, SLM_E_NOT_FOUND, "the model has no chat template (tokenizer.chat_template); name a file with --template");
}

static slm_status template_of_file(cli *c, slm_template **out)
{
    slm_file *file = NULL;
    slm_status status = cli_open_file(c, &file, true);
    const char *text = NULL;
    size_t n = 0;
    for (size_t i = 0; !status && i < slm_file_keys(file) && !text; i++) {
        slm_key_info key = SLM_KEY_INFO_INIT;
        status = slm_file_key(file, i, &key, &c->err);
        if (!status && !strcmp(key.name, "tokenizer.chat_template") && key.text) {
            text = key.text;
            n = key.text_len;
        }
    }
    if (!status && !text)
        status = no_template(c);
    if (!status)
        status = slm_template_new(out, text, n, NULL, &c->err);
    slm_file_free(file);
    return status;
}

slm_status cli_open_template(cli *c, const char *path, const slm_model *model, slm_template **out)
{
    char *text = NULL;
    size_t n = 0;
    if (!path && !model)
        return template_of_file(c, out);
    if (!path) {
        const char *own = slm_model_chat_template(model, &n);
        return own ? slm_template_new(out, own, n, NULL, &c->err) : no_template(c);
    }
    slm_status status = cli_read_file(c, path, &text, &n);
    if (!status)
        status = slm_template_new(out, text, n, NULL, &c->err);
    free(text);
    return status;
}

slm_status cli_encode_rendered(cli *c, const slm_tokenizer *tok, const slm_rendered *r, int32_t **ids, size_t *n)
{
    size_t len;
    (void)slm_rendered_text(r, &len);
    for (size_t room = len + 16;; room = *n) {
        if (!(*ids = malloc(room * sizeof **ids)))
            return cli_fail(c, SLM_E_MEMORY, "no memory for the ids of %zu bytes", len);
        slm_status status = slm_tokenizer_encode_rendered(tok, *ids, room, n, r, SLM_TEXT_BOS_EOS, &c->err);
        if (status != SLM_E_LIMIT || *n <= room)
            return status;
        free(*ids);
        *ids = NULL;
    }
}

const char *cli_now(char now[32])
{
    const time_t seconds = time(NULL);
    struct tm local;
    return localtime_r(&seconds, &local) && strftime(now, 32, "%Y-%m-%dT%H:%M:%S", &local) ? now : NULL;
}

/* ---- conversations ------------------------------------------------------------------------------------------------------ */

slm_status cli_talk_add(cli *c, cli_talk *t, const char *role, const char *text, size_t n)
{
    if (t->n == t->room) {
        const size_t room = t->room ? 2 * t->room : 16;
        cli_turn *bigger = realloc(t->turn, room * sizeof *bigger);
        if (!bigger)
            return cli_fail(c, SLM_E_MEMORY, "no memory for %zu turns", room);
        t->turn = bigger;
        t->room = room;
    }
    cli_turn new = { strdup(role), malloc(n + 1), n };
    if (!new.role || !new.text) {
        free(new.role);
        free(new.text);
        return cli_fail(c, SLM_E_MEMORY, "no memory for a turn of %zu bytes", n);
    }
    memcpy(new.text, text, n);
    new.text[n] = 0;
    t->turn[t->n++] = new;
    return SLM_OK;
}

void cli_talk_drop(cli_talk *t, size_t at, size_t n)
{
    for (size_t i = at; i < at + n; i++) {
        free(t->turn[i].role);
        free(t->turn[i].text);
    }
    if (n)
        memmove(t->turn + at, t->turn + at + n, (t->n - at - n) * sizeof *t->turn);
    t->n -= n;
}

void cli_talk_free(cli_talk *t)
{
    cli_talk_drop(t, 0, t->n);
    free(t->turn);
    *t = (cli_talk){ NULL, 0, 0 };
}

void cli_talk_json(cli_json *j, const cli_talk *t)
{
    cli_json_open(j, "messages", '[');
    for (size_t i = 0; i < t->n; i++) {
        cli_json_open(j, NULL, '{');
        cli_json_word(j, "role", t->turn[i].role);
        cli_json_text(j, "content", t->turn[i].text, t->turn[i].n);
        cli_json_shut(j, '}');
    }
    cli_json_shut(j, ']');
}

slm_status cli_talk_save(cli *c, const cli_talk *t, const char *path)
{
    cli_file f;
    const mode_t before = umask(077);                   /* it is what somebody said */
    slm_status status = cli_file_open(c, &f, path);
    (void)umask(before);
    if (status)
        return status;
    cli_json j = { f.to, false };
    cli_json_open(&j, NULL, '{');
    cli_talk_json(&j, t);
    cli_json_line(&j);
    status = ferror(f.to) ? cli_fail_errno(c, "%s: cannot write", path) : cli_file_commit(c, &f);
    cli_file_abort(&f);
    return status;
}

static slm_status read_turns(cli *c, cli_talk *t, const json_t *root, const char *path)
{
    const json_t *list = json_object_get(root, "messages");
    slm_status status = json_is_array(list) ? SLM_OK : cli_fail(c, SLM_E_FORMAT, "%s: no conversation: 'messages' is no array", path);
    for (size_t i = 0; !status && i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i), *text = json_object_get(one, "content");
        const char *role = json_string_value(json_object_get(one, "role"));
        if (!role || !json_is_string(text))
            status = cli_fail(c, SLM_E_FORMAT, "%s: message %zu has no role or no content", path, i);
        else
            status = cli_talk_add(c, t, role, json_string_value(text), json_string_length(text));
    }
    return status;
}

slm_status cli_talk_load(cli *c, cli_talk *t, const char *path)
{
    cli_talk fresh = { NULL, 0, 0 };
    char *text = NULL;
    size_t n = 0;
    json_error_t why;
    slm_status status = cli_read_file(c, path, &text, &n);
    json_t *root = status ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!status && !root)
        status = cli_fail(c, SLM_E_FORMAT, "%s: line %d: %s", path, why.line, why.text);
    if (!status)
        status = read_turns(c, &fresh, root, path);
    json_decref(root);
    free(text);
    if (status) {
        cli_talk_free(&fresh);
        return status;
    }
    cli_talk_free(t);
    *t = fresh;
    return SLM_OK;
}
