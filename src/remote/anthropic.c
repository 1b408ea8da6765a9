/* anthropic.c -- the wire format of Anthropic's messages.
 *
 * A stream is message_start, then for each block content_block_start, deltas, content_block_stop, then message_delta with the reason and the
 * usage so far (cumulative), then message_stop. Ping may stand anywhere, error too; events that are not known are passed over. */
#include "wire.h"

#include <string.h>

enum { NO_BLOCK, TEXT_BLOCK, TOOL_BLOCK, OTHER_BLOCK, STOPPED };

/* ---- request ---- */

/* A turn that calls tools: its text, if any, then a block for each call. */
static json_t *call_blocks(const slm_message *m, slm_fault *fault)
{
    json_t *blocks = json_array();
    if (m->len)
        slm_wire_push(blocks, json_pack("{s:s, s:o}", "type", "text", "text", slm_wire_string("message", m->text, m->len, fault)), fault);
    for (size_t i = 0; i < m->n_calls; i++) {
        const slm_tool_call *c = &m->calls[i];
        json_t *input = slm_wire_caller_json("arguments of a call", c->arguments, c->arguments_len, fault);
        json_t *name = slm_wire_string("name of a call", c->name, strlen(c->name), fault);
        slm_wire_push(blocks, json_pack("{s:s, s:s, s:o, s:o}", "type", "tool_use", "id", c->id ? c->id : "", "name", name, "input", input), fault);
    }
    return blocks;
}

static json_t *result_blocks(const slm_message *m, slm_fault *fault)
{
    json_t *blocks = json_array(), *text = slm_wire_string("message", m->text, m->len, fault);
    slm_wire_push(blocks, json_pack("{s:s, s:s, s:o}", "type", "tool_result", "tool_use_id", m->call_id, "content", text), fault);
    return blocks;
}

static void put(json_t *messages, const char *role, json_t *content, slm_fault *fault)
{
    if (content)
        slm_wire_push(messages, json_pack("{s:s, s:o}", "role", role, "content", content), fault);
}

static void put_turn(json_t *messages, slm_bytes *system, const slm_message *m, slm_fault *fault)
{
    if (!slm_wire_role(m, fault))
        return;
    if (!strcmp(m->role, "system")) {
        if (system->size)
            (void)slm_bytes_add(system, "\n\n", 2);
        (void)slm_bytes_add(system, m->text, m->len);
    } else if (m->n_calls) {
        put(messages, "assistant", call_blocks(m, fault), fault);
    } else if (!strcmp(m->role, "tool")) {
        put(messages, "user", result_blocks(m, fault), fault);
    } else {
        put(messages, m->role, slm_wire_string("message", m->text, m->len, fault), fault);
    }
}

/* Messages, and what systems and instructions say, which stands apart here. */
static void put_conversation(json_t *body, const slm_job *job, slm_fault *fault)
{
    const slm_request *q = job->request;
    json_t *messages = json_array();
    slm_bytes system;
    slm_bytes_init(&system, SLM_TEXT_MOST);
    if (job->system)
        (void)slm_bytes_add(&system, job->system, strlen(job->system));
    if (q->task != SLM_TASK_CHAT)
        put(messages, "user", slm_wire_string("prompt", q->prompt, q->prompt_len, fault), fault);
    for (size_t i = 0; q->task == SLM_TASK_CHAT && i < q->n_messages; i++)
        put_turn(messages, &system, &q->messages[i], fault);
    if (system.size && job->strict)
        (void)slm_bytes_add(&system, "\n\n", 2);
    slm_wire_instruction(&system, job);
    if (system.memory || system.big)
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the request");
    if (system.size)
        slm_wire_set(body, "system", slm_wire_string("system", system.data, system.size, fault), fault);
    slm_wire_set(body, "messages", messages, fault);
    slm_bytes_free(&system);
}

static json_t *tools_of(const json_t *tools, slm_fault *fault)
{
    json_t *list = json_array(), *tool;
    size_t i;
    json_array_foreach(tools, i, tool) {
        json_t *one = json_copy(json_object_get(tool, "function")), *parameters = json_object_get(one, "parameters");
        slm_wire_set(one, "input_schema", parameters ? json_incref(parameters) : json_pack("{s:s}", "type", "object"), fault);
        (void)json_object_del(one, "parameters");
        (void)json_object_del(one, "strict");
        slm_wire_push(list, one, fault);
    }
    return list;
}

static json_t *build(const slm_job *job, slm_fault *fault)
{
    json_t *body = json_object(), *stops = slm_wire_stops(job, fault);
    const slm_sampling *s = job->request->sampling;
    if (job->sampling && s && s->temperature > 1)
        slm_fault_set(fault, SLM_CLASS_UNSUPPORTED, 0, "request: sampling.temperature %g: server '%s' takes 0 .. 1", (double)s->temperature,
                      job->server->name);
    slm_wire_set(body, "model", slm_wire_string("model", job->model, strlen(job->model), fault), fault);
    slm_wire_set(body, job->server->limit, json_integer(job->max_tokens), fault);
    put_conversation(body, job, fault);
    slm_wire_set(body, "stream", json_boolean(job->stream), fault);
    slm_wire_sampling(body, job, fault);
    if (stops)
        slm_wire_set(body, "stop_sequences", stops, fault);
    if (job->schema)
        slm_wire_set(body, "output_config", json_pack("{s:{s:s, s:O}}", "format", "type", "json_schema", "schema", job->schema), fault);
    if (job->tools)
        slm_wire_set(body, "tools", tools_of(job->tools, fault), fault);
    if (fault->class == SLM_CLASS_NONE)
        return body;
    json_decref(body);
    return NULL;
}

/* ---- reply ---- */

static void read_usage(slm_answer *a, const json_t *usage)
{
    if (!json_is_object(usage))
        return;
    a->apart = true;
    slm_answer_count(a, &a->prompt, usage, "input_tokens");
    slm_answer_count(a, &a->cached, usage, "cache_read_input_tokens");
    slm_answer_count(a, &a->cache_write, usage, "cache_creation_input_tokens");
    slm_answer_count(a, &a->output, usage, "output_tokens");
}

static void read_start(slm_answer *a, const json_t *message, slm_fault *fault)
{
    if (!json_is_object(message))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "message is no object");
    slm_answer_name(a->id, sizeof a->id, message, "id");
    slm_answer_name(a->model, sizeof a->model, message, "model");
    read_usage(a, json_object_get(message, "usage"));
}

/* A whole block, or the beginning of one. Returns its kind. */
static uint8_t read_block(slm_answer *a, const json_t *block, int64_t index, bool whole, slm_fault *fault)
{
    const char *type = slm_scan_text(block, "type");
    if (!strcmp(type, "text")) {
        a->spoke |= slm_answer_add(&a->text, json_object_get(block, "text"), "text of a block", fault);
        return TEXT_BLOCK;
    }
    if (strcmp(type, "tool_use") != 0) {
        if (!*type)
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "a content block without a type");
        return OTHER_BLOCK;
    }
    slm_call *call = slm_answer_call(a, whole ? (int64_t)a->n_calls : index, "", fault);
    if (call) {
        slm_answer_name(call->id, sizeof call->id, block, "id");
        slm_answer_name(call->name, sizeof call->name, block, "name");
        if (whole)
            slm_answer_arguments(call, json_object_get(block, "input"), fault);
    }
    return TOOL_BLOCK;
}

static uint8_t *block_at(slm_answer *a, const json_t *root, int64_t *index, slm_fault *fault)
{
    *index = slm_scan_count(root, "index");
    if (*index >= 0 && *index < (int64_t)sizeof a->blocks)
        return &a->blocks[*index];
    slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "a content block with index %lld (allowed 0 .. %zu)", (long long)*index, sizeof a->blocks - 1);
    return NULL;
}

static void read_delta(slm_answer *a, const json_t *root, slm_fault *fault)
{
    const json_t *delta = json_object_get(root, "delta");
    const char *type = slm_scan_text(delta, "type");
    int64_t index;
    uint8_t *block = block_at(a, root, &index, fault);
    if (!block)
        return;
    const bool text = !strcmp(type, "text_delta"), input = !strcmp(type, "input_json_delta");
    if (*block == NO_BLOCK || *block == STOPPED || (text && *block != TEXT_BLOCK) || (input && *block == TEXT_BLOCK)) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "a '%.40s' for block %lld, which %s", type, (long long)index,
                      *block == NO_BLOCK ? "did not begin" : *block == STOPPED ? "has ended" : "is of another type");
    } else if (text) {
        a->spoke |= slm_answer_add(&a->text, json_object_get(delta, "text"), "text of a delta", fault);
    } else if (input && *block == TOOL_BLOCK) {
        slm_call *call = slm_answer_call(a, index, "", fault);
        if (call)
            slm_answer_arguments(call, json_object_get(delta, "partial_json"), fault);
    }
}

static void read_event(slm_answer *a, const char *type, const json_t *root, slm_fault *fault)
{
    int64_t index;
    uint8_t *block;
    if (!strcmp(type, "message_start")) {
        if (a->started)
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "message_start a second time");
        a->started = true;
        read_start(a, json_object_get(root, "message"), fault);
    } else if (!a->started) {
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "event '%.40s' before message_start", type);
    } else if (!strcmp(type, "content_block_start")) {
        block = block_at(a, root, &index, fault);
        if (block && *block != NO_BLOCK)
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "block %lld begins a second time", (long long)index);
        else if (block)
            *block = read_block(a, json_object_get(root, "content_block"), index, false, fault);
    } else if (!strcmp(type, "content_block_delta")) {
        read_delta(a, root, fault);
    } else if (!strcmp(type, "content_block_stop")) {
        block = block_at(a, root, &index, fault);
        if (block && (*block == NO_BLOCK || *block == STOPPED))
            slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "block %lld ends, which is not open", (long long)index);
        else if (block)
            *block = STOPPED;
    } else if (!strcmp(type, "message_delta")) {
        const char *reason = slm_scan_text(json_object_get(root, "delta"), "stop_reason");
        if (*reason)
            slm_answer_finish(a, reason);
        read_usage(a, json_object_get(root, "usage"));
    } else {
        a->ended = true;
    }
}

static int event(slm_answer *a, const char *name, const char *data, size_t n, slm_fault *fault)
{
    static const char *const known[] = { "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
                                         "message_stop" };
    json_t *root = slm_scan_load(data, n, "event", fault);
    const char *type = root ? slm_scan_text(root, "type") : "";
    bool means = false;
    if (!*type)
        type = name;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        means |= !strcmp(type, known[i]);
    if (!root) {
        return 1;
    } else if (!strcmp(type, "error")) {
        slm_answer_error(root, 200, fault);
    } else if (means) {
        read_event(a, type, root, fault);
        a->events++;
    } else {
        a->ignored++;                               /* ping, and what is not known yet */
    }
    json_decref(root);
    return a->ended || fault->class != SLM_CLASS_NONE;
}

static void reply(slm_answer *a, const json_t *root, slm_fault *fault)
{
    const json_t *content = json_object_get(root, "content");
    size_t i;
    json_t *block;
    if (!strcmp(slm_scan_text(root, "type"), "error") || json_is_object(json_object_get(root, "error"))) {
        slm_answer_error(root, 200, fault);
        return;
    }
    read_start(a, root, fault);
    if (!json_is_array(content))
        slm_fault_set(fault, SLM_CLASS_PROTOCOL, 0, "content is no array");
    json_array_foreach(content, i, block)
        (void)read_block(a, block, 0, true, fault);
    if (*slm_scan_text(root, "stop_reason"))
        slm_answer_finish(a, slm_scan_text(root, "stop_reason"));
}

const slm_wire slm_wire_anthropic = { "/messages", "x-api-key: ", "anthropic-version: 2023-06-01", build, event, reply };
