/* answer.c -- see answer.h. The text is "You said: " and the last message of the user, a word an event; a schema gets a value of its
 * own making, an enum the member that the prompt names. */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is asked ---- */

static const char *text_of(const json_t *content)
{
    if (json_is_array(content)) {
        const json_t *part = json_array_get(content, json_array_size(content) - 1);
        return json_string_value(json_object_get(part, "text"));
    }
    return json_string_value(content);
}

static void read_tools(ask *a)
{
    const json_t *tools = json_object_get(a->body, "tools"), *choice = json_object_get(a->body, "tool_choice");
    const char *how = json_string_value(choice), *named = NULL;
    if (json_array_size(tools) == 0)
        return;
    if (json_is_object(choice)) {
        how = json_string_value(json_object_get(choice, "type"));
        named = json_string_value(json_object_get(a->wire == WIRE_OPENAI ? json_object_get(choice, "function") : choice, "name"));
    }
    if ((how && strcmp(how, "none") == 0) || (!named && !(how && (strcmp(how, "required") == 0 || strcmp(how, "any") == 0)) &&
                                             !strstr(a->prompt, "call the tool")))
        return;
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        if (a->wire == WIRE_OPENAI)
            tool = json_object_get(tool, "function");
        const char *name = json_string_value(json_object_get(tool, "name"));
        if (!name || (named && strcmp(name, named) != 0))
            continue;
        a->tool = name;
        a->tool_schema = json_object_get(tool, a->wire == WIRE_OPENAI ? "parameters" : "input_schema");
        return;
    }
}

bool ask_read(ask *a, int wire, const request *q)
{
    memset(a, 0, sizeof *a);
    a->wire = wire;
    a->model = a->prompt = "";
    a->body = json_loadb(q->body ? q->body : "", q->len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *messages = json_object_get(a->body, "messages"), *model = json_object_get(a->body, "model");
    if (!json_is_array(messages) || !json_is_string(model) || (wire == WIRE_ANTHROPIC && !json_is_integer(json_object_get(a->body, "max_tokens"))))
        return false;
    a->model = json_string_value(model);
    for (size_t i = json_array_size(messages); i-- > 0;) {
        const json_t *m = json_array_get(messages, i);
        const char *role = json_string_value(json_object_get(m, "role")), *text = text_of(json_object_get(m, "content"));
        if (role && text && strcmp(role, "user") == 0) {
            a->prompt = text;
            break;
        }
    }
    a->stream = json_is_true(json_object_get(a->body, "stream"));
    a->usage = wire == WIRE_ANTHROPIC || json_is_true(json_object_get(json_object_get(a->body, "stream_options"), "include_usage"));
    a->logprobs = json_is_true(json_object_get(a->body, "logprobs"));
    a->top = (size_t)json_integer_value(json_object_get(a->body, "top_logprobs"));
    const json_t *most = json_object_get(a->body, "max_completion_tokens");
    if (!most)
        most = json_object_get(a->body, "max_tokens");
    a->max_tokens = json_integer_value(most) > 0 ? (size_t)json_integer_value(most) : 1000000;
    const json_t *format = wire == WIRE_OPENAI ? json_object_get(a->body, "response_format")
                                               : json_object_get(json_object_get(a->body, "output_config"), "format");
    a->schema = json_object_get(format, "schema");
    if (!a->schema)
        a->schema = json_object_get(json_object_get(format, "json_schema"), "schema");
    read_tools(a);
    return true;
}

void ask_free(ask *a)
{
    json_decref(a->body);
    memset(a, 0, sizeof *a);
}

/* ---- the answer's parts ---- */

static json_t *value_of(const json_t *schema, const char *prompt, int depth)
{
    const json_t *list = json_object_get(schema, "enum"), *fixed = json_object_get(schema, "const");
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (fixed)
        return json_deep_copy(fixed);
    if (json_array_size(list) > 0) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *label = json_string_value(json_array_get(list, i));
            if (label && *label && strstr(prompt, label))
                return json_deep_copy(json_array_get(list, i));
        }
        return json_deep_copy(json_array_get(list, 0));
    }
    if (depth > 20)
        return json_null();
    if (json_is_object(json_object_get(schema, "properties"))) {
        json_t *object = json_object(), *each;
        const char *key;
        json_object_foreach(json_object_get(schema, "properties"), key, each)
            json_object_set_new(object, key, value_of(each, prompt, depth + 1));
        return object;
    }
    if (!type || strcmp(type, "object") == 0)
        return json_object();
    if (strcmp(type, "array") == 0)
        return json_pack("[o]", value_of(json_object_get(schema, "items"), prompt, depth + 1));
    if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0) {
        const json_t *least = json_object_get(schema, "minimum");
        return least ? json_deep_copy(least) : json_integer(7);
    }
    if (strcmp(type, "boolean") == 0)
        return json_true();
    if (strcmp(type, "null") == 0)
        return json_null();
    return json_string("text");
}

/* The whole text, for free(). */
static char *text_for(const ask *a)
{
    char *text = NULL;
    size_t n;
    if (a->schema) {
        json_t *value = value_of(a->schema, a->prompt, 0);
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(value);
        return text;
    }
    FILE *f = open_memstream(&text, &n);
    if (!f)
        abort();
    if (a->words > 0) {
        for (size_t i = 0; i < a->words; i++)
            (void)fprintf(f, "%sword%zu", i ? " " : "", i);
    } else {
        (void)fprintf(f, "You said: %s", a->prompt);
    }
    (void)fclose(f);
    return text;
}

typedef struct parts { char **part; size_t n; const char *finish, *stop; } parts;   /* finish as OpenAI names it */

/* Ends the text at the first stop string. */
static void apply_stops(const ask *a, char *text, parts *p)
{
    const json_t *stops = json_object_get(a->body, a->wire == WIRE_OPENAI ? "stop" : "stop_sequences");
    char *first = NULL;
    for (size_t i = 0; i < (json_is_string(stops) ? 1 : json_array_size(stops)); i++) {
        const char *stop = json_string_value(json_is_string(stops) ? stops : json_array_get(stops, i));
        char *at = stop && *stop ? strstr(text, stop) : NULL;
        if (at && (!first || at < first)) {
            first = at;
            p->stop = stop;
        }
    }
    if (first)
        *first = 0;
}

/* A part is a word with the blank before it. */
static parts parts_of(const ask *a)
{
    parts p = { NULL, 0, "stop", NULL };
    char *text = text_for(a), *at = text;
    apply_stops(a, text, &p);
    while (*at && p.n < a->max_tokens) {
        const size_t blank = strspn(at, " "), n = blank + strcspn(at + blank, " ");
        char **more = realloc(p.part, (p.n + 1) * sizeof *more);
        if (!more)
            abort();
        p.part = more;
        p.part[p.n++] = strndup(at, n);
        at += n;
    }
    if (*at)
        p.finish = "length";
    free(text);
    return p;
}

static char *joined(const parts *p)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        abort();
    for (size_t i = 0; i < p->n; i++)
        (void)fputs(p->part[i], f);
    (void)fclose(f);
    return text;
}

static void drop_parts(parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->part[i]);
    free(p->part);
}

/* ---- OpenAI ---- */

static json_t *usage_openai(const ask *a, size_t n)
{
    const json_int_t prompt = (json_int_t)strlen(a->prompt) / 4 + 8, made = (json_int_t)n;
    return json_pack("{s:I,s:I,s:I,s:{s:i},s:{s:i}}", "prompt_tokens", prompt, "completion_tokens", made, "total_tokens", prompt + made,
                     "prompt_tokens_details", "cached_tokens", 0, "completion_tokens_details", "reasoning_tokens", 0);
}

static json_t *logprob_of(const char *token, size_t i, size_t top)
{
    json_t *one = json_object(), *bytes = json_array(), *others = json_array();
    const double logp = -0.125 * (double)(1 + i % 4);
    for (const char *c = token; *c; c++)
        json_array_append_new(bytes, json_integer((unsigned char)*c));
    for (size_t k = 0; k < top; k++)
        json_array_append_new(others, json_pack("{s:s,s:f,s:n}", "token", k ? "other" : token, "logprob", k ? -2.0 - (double)k : logp, "bytes"));
    json_object_set_new(one, "token", json_string(token));
    json_object_set_new(one, "logprob", json_real(logp));
    json_object_set_new(one, "bytes", bytes);
    json_object_set_new(one, "top_logprobs", others);
    return one;
}

static json_t *call_of(const ask *a, const char *arguments)
{
    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "id", "call_1", "type", "function", "function", "name", a->tool, "arguments", arguments);
}

static void oddities(json_t *whole, const ask *a)
{
    if (a->odd & ODD_VLLM) {
        json_object_set_new(whole, "prompt_logprobs", json_null());
        json_object_set_new(whole, "kv_transfer_params", json_null());
    }
    if (a->odd & ODD_LLAMA)
        json_object_set_new(whole, "timings", json_pack("{s:i,s:f}", "prompt_n", 12, "predicted_per_second", 61.5));
    if (a->odd & ODD_LMSTUDIO)
        json_object_set_new(whole, "stats", json_object());
    if (a->odd & ODD_OPENROUTER)
        json_object_set_new(whole, "provider", json_string("Somebody"));
}

static json_t *choice_of(const char *key, json_t *what, const char *finish, const ask *a)
{
    json_t *choice = json_pack("{s:i,s:o,s:n}", "index", 0, key, what, "logprobs");
    json_object_set_new(choice, "finish_reason", finish ? json_string(finish) : json_null());
    if (a->odd & ODD_OPENROUTER)
        json_object_set_new(choice, "native_finish_reason", finish ? json_string("STOP") : json_null());
    return choice;
}

static json_t *whole_openai(const ask *a, const char *object, json_t *choices)
{
    json_t *whole = json_pack("{s:s,s:s,s:i,s:s,s:o,s:s}", "id", "chatcmpl-1", "object", object, "created", 1760000000, "model", a->model,
                              "choices", choices, "system_fingerprint", "fp_test");
    oddities(whole, a);
    return whole;
}

static json_t *chunk(const ask *a, json_t *delta, const char *finish)
{
    return whole_openai(a, "chat.completion.chunk", json_pack("[o]", choice_of("delta", delta, finish, a)));
}

static void tool_stream(reply *r, const ask *a, const char *arguments)
{
    const size_t half = strlen(arguments) / 2;
    if (a->odd & ODD_OLLAMA) {              /* whole, and without its index */
        reply_add_json(r, r->n, NULL, chunk(a, json_pack("{s:[o]}", "tool_calls", call_of(a, arguments)), NULL));
        return;
    }
    json_t *head = call_of(a, "");
    json_object_set_new(head, "index", json_integer(0));
    reply_add_json(r, r->n, NULL, chunk(a, json_pack("{s:[o]}", "tool_calls", head), NULL));
    for (int i = 0; i < 2; i++)
        reply_add_json(r, r->n, NULL, chunk(a, json_pack("{s:[{s:i,s:{s:s%}}]}", "tool_calls", "index", 0, "function", "arguments",
                                                         i ? arguments + half : arguments, i ? strlen(arguments) - half : half), NULL));
}

static void stream_openai(reply *r, const ask *a, const parts *p, const char *arguments)
{
    const char *finish = !a->tool ? p->finish : a->odd & ODD_OLLAMA ? "stop" : "tool_calls";
    if (a->odd & ODD_OPENROUTER)
        for (int i = 0; i < 3; i++)
            reply_add_raw(r, r->n, ": OPENROUTER PROCESSING\n\n");
    reply_add_json(r, r->n, NULL, chunk(a, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL));
    if (a->odd & ODD_LLAMA)
        reply_add_json(r, r->n, NULL, chunk(a, json_pack("{s:s}", "reasoning_content", "Let me think."), NULL));
    if (a->tool)
        tool_stream(r, a, arguments);
    for (size_t i = 0; !a->tool && i < p->n; i++) {
        json_t *one = chunk(a, json_pack("{s:s}", "content", p->part[i]), NULL);
        if (a->logprobs)
            json_object_set_new(json_array_get(json_object_get(one, "choices"), 0), "logprobs",
                                json_pack("{s:[o]}", "content", logprob_of(p->part[i], i, a->top)));
        if (a->odd & ODD_VLLM)
            json_object_set_new(one, "usage", usage_openai(a, i + 1));
        else if (a->usage)
            json_object_set_new(one, "usage", json_null());
        reply_add_json(r, r->n, NULL, one);
    }
    reply_add_json(r, r->n, NULL, chunk(a, json_object(), finish));
    if (a->usage) {
        json_t *one = whole_openai(a, "chat.completion.chunk", json_array());
        json_object_set_new(one, "usage", usage_openai(a, a->tool ? 9 : p->n));
        reply_add_json(r, r->n, NULL, one);
    }
    reply_add_raw(r, r->n, "data: [DONE]\n\n");
}

static json_t *whole_of_openai(const ask *a, const parts *p, const char *arguments)
{
    char *text = joined(p);
    json_t *message = json_pack("{s:s,s:s,s:n}", "role", "assistant", "content", text, "refusal");
    if (a->tool) {
        json_object_set_new(message, "content", json_null());
        json_object_set_new(message, "tool_calls", json_pack("[o]", call_of(a, arguments)));
    }
    if (a->odd & ODD_LLAMA)
        json_object_set_new(message, "reasoning_content", json_string("Let me think."));
    json_t *choice = choice_of("message", message, !a->tool ? p->finish : a->odd & ODD_OLLAMA ? "stop" : "tool_calls", a);
    if (a->logprobs) {
        json_t *list = json_array();
        for (size_t i = 0; i < p->n; i++)
            json_array_append_new(list, logprob_of(p->part[i], i, a->top));
        json_object_set_new(choice, "logprobs", json_pack("{s:o,s:n}", "content", list, "refusal"));
    }
    json_t *whole = whole_openai(a, "chat.completion", json_pack("[o]", choice));
    json_object_set_new(whole, "usage", usage_openai(a, a->tool ? 9 : p->n));
    free(text);
    return whole;
}

/* ---- Anthropic ---- */

static json_t *message_of(const ask *a, json_t *content, const char *reason, const char *stop, size_t made)
{
    json_t *m = json_pack("{s:s,s:s,s:s,s:s,s:o}", "id", "msg_1", "type", "message", "role", "assistant", "model", a->model, "content", content);
    json_object_set_new(m, "stop_reason", reason ? json_string(reason) : json_null());
    json_object_set_new(m, "stop_sequence", stop ? json_string(stop) : json_null());
    json_object_set_new(m, "usage", json_pack("{s:I,s:i,s:i,s:I}", "input_tokens", (json_int_t)strlen(a->prompt) / 4 + 8,
                                              "cache_creation_input_tokens", 0, "cache_read_input_tokens", 0, "output_tokens", (json_int_t)made));
    return m;
}

static const char *reason_anthropic(const ask *a, const parts *p)
{
    return a->tool ? "tool_use" : p->stop ? "stop_sequence" : strcmp(p->finish, "length") == 0 ? "max_tokens" : "end_turn";
}

static void stream_anthropic(reply *r, const ask *a, const parts *p, const char *arguments)
{
    const size_t half = strlen(arguments) / 2;
    reply_add_json(r, r->n, "message_start", json_pack("{s:s,s:o}", "type", "message_start", "message", message_of(a, json_array(), NULL, NULL, 1)));
    json_t *block = a->tool ? json_pack("{s:s,s:s,s:s,s:{}}", "type", "tool_use", "id", "toolu_1", "name", a->tool, "input")
                            : json_pack("{s:s,s:s}", "type", "text", "text", "");
    reply_add_json(r, r->n, "content_block_start", json_pack("{s:s,s:i,s:o}", "type", "content_block_start", "index", 0, "content_block", block));
    reply_add_json(r, r->n, "ping", json_pack("{s:s}", "type", "ping"));
    for (size_t i = 0; i < (a->tool ? 2 : p->n); i++) {
        json_t *delta = a->tool ? json_pack("{s:s,s:s%}", "type", "input_json_delta", "partial_json", i ? arguments + half : arguments,
                                            i ? strlen(arguments) - half : half)
                                : json_pack("{s:s,s:s}", "type", "text_delta", "text", p->part[i]);
        reply_add_json(r, r->n, "content_block_delta", json_pack("{s:s,s:i,s:o}", "type", "content_block_delta", "index", 0, "delta", delta));
    }
    reply_add_json(r, r->n, "content_block_stop", json_pack("{s:s,s:i}", "type", "content_block_stop", "index", 0));
    json_t *last = json_pack("{s:s,s:{s:s},s:{s:I}}", "type", "message_delta", "delta", "stop_reason", reason_anthropic(a, p), "usage",
                             "output_tokens", (json_int_t)(a->tool ? 9 : p->n));
    json_object_set_new(json_object_get(last, "delta"), "stop_sequence", p->stop ? json_string(p->stop) : json_null());
    reply_add_json(r, r->n, "message_delta", last);
    reply_add_json(r, r->n, "message_stop", json_pack("{s:s}", "type", "message_stop"));
}

static json_t *whole_of_anthropic(const ask *a, const parts *p, const char *arguments)
{
    char *text = joined(p);
    json_t *block = a->tool ? json_pack("{s:s,s:s,s:s,s:o}", "type", "tool_use", "id", "toolu_1", "name", a->tool, "input",
                                        json_loads(arguments, JSON_DECODE_ANY, NULL))
                            : json_pack("{s:s,s:s}", "type", "text", "text", text);
    json_t *m = message_of(a, json_pack("[o]", block), reason_anthropic(a, p), p->stop, a->tool ? 9 : p->n);
    free(text);
    return m;
}

/* ---- together ---- */

void answer(reply *r, const ask *a)
{
    parts p = parts_of(a);
    char *arguments = NULL;
    if (a->tool) {
        json_t *value = value_of(a->tool_schema, a->prompt, 0);
        arguments = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(value);
    }
    const char *args = arguments ? arguments : "";
    r->status = 200;
    r->stream = a->stream;
    reply_header(r, a->wire == WIRE_OPENAI ? "x-request-id: req_1" : "request-id: req_1");
    if (a->stream) {
        r->type = a->odd & ODD_VLLM ? "text/event-stream; charset=utf-8" : "text/event-stream";
        r->framing = FRAME_CHUNKED;
        if (a->wire == WIRE_OPENAI)
            stream_openai(r, a, &p, args);
        else
            stream_anthropic(r, a, &p, args);
    } else {
        r->type = "application/json";
        r->framing = FRAME_LENGTH;
        reply_add_json(r, 0, NULL, a->wire == WIRE_OPENAI ? whole_of_openai(a, &p, args) : whole_of_anthropic(a, &p, args));
    }
    if (a->odd & ODD_LMSTUDIO)
        r->before_head = 300;
    free(arguments);
    drop_parts(&p);
}

json_t *answer_error(int wire, int status, const char *type, const char *code, const char *message)
{
    if (wire == WIRE_ANTHROPIC)
        return json_pack("{s:s,s:{s:s,s:s},s:s}", "type", "error", "error", "type", type, "message", message, "request_id", "req_1");
    json_t *e = json_pack("{s:{s:s,s:s,s:n}}", "error", "message", message, "type", type, "param");
    json_object_set_new(json_object_get(e, "error"), "code", code ? json_string(code) : json_integer(status));
    return e;
}
