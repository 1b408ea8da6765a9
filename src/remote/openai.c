/* openai.c -- the wire format of OpenAI's chat completions, as OpenAI and those compatible with it speak it.
 *
 * What compatible servers do differently and harmlessly is taken as it comes: tool calls without an index or all with index 0, arguments as an
 * object, a content of parts, an empty finish_reason, errors in three shapes, usage in every chunk (the last one holds). */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- request ---- */

static json_t *calls_of(const slm_message *m, slm_fault *fault)
{
    json_t *out = json_array();
    for (size_t i = 0; i < m->n_calls; i++) {
        const slm_tool_call *c = &m->calls[i];
        json_t *arguments = slm_wire_string("arguments of a call", c->arguments, c->arguments_len, fault);
        json_t *name = slm_wire_string("name of a call", c->name, strlen(c->name), fault);
        slm_wire_push(out, json_pack("{s:s, s:s, s:{s:o, s:o}}", "id", c->id ? c->id : "", "type", "function", "function", "name", name, "arguments",
                                     arguments), fault);
    }
    return out;
}

static void put_message(json_t *messages, const char *role, const char *text, size_t n, slm_fault *fault)
{
    json_t *content = slm_wire_string("message", text, n, fault);
    if (content)
        slm_wire_push(messages, json_pack("{s:s, s:o}", "role", role, "content", content), fault);
}

static void put_turn(json_t *messages, const slm_message *m, slm_fault *fault)
{
    if (!slm_wire_role(m, fault))
        return;
    put_message(messages, m->role, m->text, m->len, fault);
    json_t *turn = json_array_get(messages, json_array_size(messages) - 1);
    if (fault->class == SLM_CLASS_NONE && m->n_calls) {
        if (!m->len)
            slm_wire_set(turn, "content", json_null(), fault);
        slm_wire_set(turn, "tool_calls", calls_of(m, fault), fault);
    }
    if (fault->class == SLM_CLASS_NONE && m->call_id)
        slm_wire_set(turn, "tool_call_id", slm_wire_string("call id", m->call_id, strlen(m->call_id), fault), fault);
}

static json_t *messages_of(const slm_job *job, slm_fault *fault)
{
    const slm_request *q = job->request;
    json_t *messages = json_array();
    slm_bytes told;
    slm_bytes_init(&told, SLM_TEXT_MOST);
    if (job->system)
        (void)slm_bytes_add(&told, job->system, strlen(job->system));
    if (told.size && job->schema)
        (void)slm_bytes_add(&told, "\n\n", 2);
    slm_wire_instruction(&told, job);
    if (told.memory || told.big)
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the request");
    if (told.size)
        put_message(messages, "system", told.data, told.size, fault);
    if (q->task != SLM_TASK_CHAT)
        put_message(messages, "user", q->prompt, q->prompt_len, fault);
    for (size_t i = 0; q->task == SLM_TASK_CHAT && i < q->n_messages; i++)
        put_turn(messages, &q->messages[i], fault);
    slm_bytes_free(&told);
    return messages;
}

static json_t *format_of(const slm_job *job)
{
    if (job->server->structured == SLM_STRUCTURED_OBJECT)
        return json_pack("{s:s, s:O}", "type", "json_object", "schema", job->schema);
    return json_pack("{s:s, s:{s:s, s:b, s:O}}", "type", "json_schema", "json_schema", "name", "answer", "strict", job->strict, "schema",
                     job->schema);
}

static json_t *build(const slm_job *job, slm_fault *fault)
{
    json_t *body = json_object(), *stops = slm_wire_stops(job, fault);
    slm_wire_set(body, "model", slm_wire_string("model", job->model, strlen(job->model), fault), fault);
    slm_wire_set(body, "messages", messages_of(job, fault), fault);
    slm_wire_set(body, job->server->limit, json_integer(job->max_tokens), fault);
    slm_wire_set(body, "stream", json_boolean(job->stream), fault);
    if (job->stream && job->server->usage)
        slm_wire_set(body, "stream_options", json_pack("{s:b}", "include_usage", 1), fault);
    slm_wire_sampling(body, job, fault);
    if (stops)
        slm_wire_set(body, "stop", stops, fault);
    if (job->schema && job->server->structured != SLM_STRUCTURED_NONE)
        slm_wire_set(body, "response_format", format_of(job), fault);
    if (job->tools)
        slm_wire_set(body, "tools", json_incref(job->tools), fault);
    if (job->top_logprobs) {
        slm_wire_set(body, "logprobs", json_true(), fault);
        slm_wire_set(body, "top_logprobs", json_integer(job->top_logprobs), fault);
    }
    if (fault->class == SLM_CLASS_NONE)
        return body;
    json_decref(body);
    return NULL;
}

/* ---- reply ---- */

static void read_usage(slm_answer *a, const json_t *usage)
{
    int64_t total = -1;
    if (!json_is_object(usage))
        return;
    a->odd = false;                                 /* the last one holds */
    slm_answer_count(a, &a->prompt, usage, "prompt_tokens");
    slm_answer_count(a, &a->output, usage, "completion_tokens");
    slm_answer_count(a, &total, usage, "total_tokens");
    slm_answer_count(a, &a->cached, json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
    slm_answer_count(a, &a->cache_write, json_object_get(usage, "prompt_tokens_details"), "cache_write_tokens");
    if (total >= 0 && a->prompt >= 0 && a->output >= 0 && total != a->prompt + a->output)
        a->odd = true;
}

static void read_calls(slm_answer *a, const json_t *list, slm_fault *fault)
{
    size_t i;
    json_t *piece;
    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "tool_calls is no array");
    json_array_foreach(list, i, piece) {
        const json_t *function = json_object_get(piece, "function"), *number = json_object_get(piece, "index");
        const int64_t index = number && !json_is_null(number) ? slm_scan_count(piece, "index") : -1;
        const char *id = slm_scan_text(piece, "id");
        if (!json_is_object(piece) || (json_is_number(number) && index < 0)) {
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "a tool call is no object, or its index no number");
            return;
        }
        slm_call *call = slm_answer_call(a, index, id, fault);
        if (!call)
            return;
        /* All of it a second time, id and name and whole arguments: one of the two is kept. */
        if (*id && *slm_scan_text(function, "name") && *call->id && call->arguments.size && !slm_scan(call->arguments.data, call->arguments.size)) {
            json_error_t error;
            json_t *whole = json_loadb(call->arguments.data, call->arguments.size, 0, &error);
            json_decref(whole);
            if (!whole && slm_scan_no_memory(&error))
                slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the arguments of a tool call");
            if (whole)
                continue;
        }
        slm_answer_name(call->id, sizeof call->id, piece, "id");
        slm_answer_name(call->name, sizeof call->name, function, "name");
        slm_answer_arguments(call, json_object_get(function, "arguments"), fault);
    }
}

/* logprobs.content: [{"token","logprob","top_logprobs":[{"logprob"},...]}] */
static void read_scores(slm_answer *a, const json_t *logprobs, slm_fault *fault)
{
    const json_t *list = json_object_get(logprobs, "content");
    size_t i, k;
    json_t *one, *other;
    json_array_foreach(list, i, one) {
        const json_t *v = json_object_get(one, "logprob");
        double best = -1e300, second = -1e300;
        slm_token_score score = { json_number_value(v), -1, -1 };
        if (!json_is_number(v) || !(score.logp <= 1e-6)) {
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "log-probability %zu is no number at most 0", i);
            return;
        }
        const json_t *top = json_object_get(one, "top_logprobs");
        json_array_foreach(top, k, other) {
            const double p = json_number_value(json_object_get(other, "logprob"));
            second = p > best ? best : p > second ? p : second;
            best = p > best ? p : best;
        }
        if (json_array_size(top) >= 2 && best <= 1e-6)
            score.margin = slm_wire_margin(best, second);
        score.logp = score.logp > 0 ? 0 : score.logp;
        (void)slm_bytes_add(&a->scores, &score, sizeof score);
    }
}

static void read_content(slm_answer *a, const json_t *content, slm_fault *fault)
{
    size_t i;
    json_t *part;
    if (!json_is_array(content)) {
        a->spoke |= slm_answer_add(&a->text, content, "content", fault);
        return;
    }
    json_array_foreach(content, i, part)
        a->spoke |= slm_answer_add(&a->text, json_object_get(part, "text"), "content", fault);
}

static void read_choice(slm_answer *a, const json_t *choice, const char *member, slm_fault *fault)
{
    const json_t *said = json_object_get(choice, member), *finish = json_object_get(choice, "finish_reason");
    if (said && !json_is_null(said) && !json_is_object(said))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "%s is no object", member);
    read_content(a, json_object_get(said, "content"), fault);
    (void)slm_answer_add(&a->refusal, json_object_get(said, "refusal"), "refusal", fault);
    read_calls(a, json_object_get(said, "tool_calls"), fault);
    read_scores(a, json_object_get(choice, "logprobs"), fault);
    if (finish && !json_is_null(finish) && !json_is_string(finish))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "finish_reason is no string");
    else if (json_is_string(finish) && json_string_length(finish))
        slm_answer_finish(a, json_string_value(finish));
    else if (json_is_string(finish))
        a->blank = true;
}

static bool is_error(const json_t *root)
{
    const json_t *e = json_object_get(root, "error");
    return (e && !json_is_null(e) && !json_is_false(e)) || !strcmp(slm_scan_text(root, "object"), "error");
}

/* What a chunk and a whole reply have in common. `member`: "delta" or "message". */
static void read_root(slm_answer *a, const json_t *root, const char *member, slm_fault *fault)
{
    const json_t *choices = json_object_get(root, "choices");
    json_t *choice;
    size_t i;
    if (is_error(root)) {
        slm_answer_error(root, 200, fault);
        return;
    }
    const char *id = slm_scan_text(root, "id");
    if (*a->id && *id && strncmp(a->id, id, sizeof a->id - 1) != 0) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "a chunk of another answer: id '%.60s' after '%.60s'", id, a->id);
        return;
    }
    slm_answer_name(a->id, sizeof a->id, root, "id");
    slm_answer_name(a->model, sizeof a->model, root, "model");
    read_usage(a, json_object_get(root, "usage"));
    if (choices && !json_is_null(choices) && !json_is_array(choices))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "choices is no array");
    json_array_foreach(choices, i, choice) {
        if (!json_is_object(choice))
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "choice %zu is no object", i);
        else if (slm_scan_count(choice, "index") <= 0)      /* 0, or none */
            read_choice(a, choice, member, fault);
    }
    if (json_array_size(choices) || json_is_object(json_object_get(root, "usage")))
        a->events++;
    else
        a->ignored++;
}

static int event(slm_answer *a, const char *name, const char *data, size_t n, slm_fault *fault)
{
    (void)name;
    if (n >= 6 && memcmp(data, "[DONE]", 6) == 0) {
        a->ended = true;
        return 1;
    }
    json_t *root = slm_scan_load(data, n, "event", fault);
    if (root)
        read_root(a, root, "delta", fault);
    json_decref(root);
    return fault->class != SLM_CLASS_NONE;
}

static void reply(slm_answer *a, const json_t *root, slm_fault *fault)
{
    read_root(a, root, "message", fault);
    if (!json_array_size(json_object_get(root, "choices")))
        slm_fault_set(fault, SLM_CLASS_EMPTY, 0, "a reply without choices");
}

const slm_wire slm_wire_openai = { "/chat/completions", "Authorization: Bearer ", NULL, build, event, reply };
