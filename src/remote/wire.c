/* wire.c -- the servers, and what the wire formats share. */
#include "wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPENAI &slm_wire_openai
#define SCHEMA SLM_STRUCTURED_SCHEMA
#define OBJECT SLM_STRUCTURED_OBJECT
static const slm_server servers[] = {
    /* name, base URL, format, name of the limit                                        stops structured seed pen. logp topk minp rep. usage */
    { "openai",       "https://api.openai.com/v1",    OPENAI, "max_completion_tokens",      4, SCHEMA, 1, 1, 1, 0, 0, 0, 1 },
    { "anthropic",    "https://api.anthropic.com/v1", &slm_wire_anthropic, "max_tokens",   16, SCHEMA, 0, 0, 0, 1, 0, 0, 0 },
    { "vllm",         NULL,                           OPENAI, "max_tokens",                16, SCHEMA, 1, 1, 1, 1, 1, 1, 1 },
    { "llama-server", "http://127.0.0.1:8080/v1",     OPENAI, "max_tokens",                16, OBJECT, 1, 1, 1, 1, 1, 1, 1 },
    { "ollama",       "http://127.0.0.1:11434/v1",    OPENAI, "max_tokens",                16, SCHEMA, 1, 1, 0, 0, 0, 0, 1 },
    { "lmstudio",     "http://127.0.0.1:1234/v1",     OPENAI, "max_tokens",                16, SCHEMA, 1, 1, 0, 1, 0, 1, 1 },
    { "openrouter",   "https://openrouter.ai/api/v1", OPENAI, "max_tokens",                 4, SCHEMA, 1, 1, 1, 1, 1, 1, 1 },
    { "compatible",   NULL,                           OPENAI, "max_tokens",                 4, SCHEMA, 1, 1, 1, 0, 0, 0, 0 },
};
const char slm_server_names[] = "openai, anthropic, vllm, llama-server, ollama, lmstudio, openrouter, compatible";

const slm_server *slm_server_find(const char *name)
{
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (!strcmp(servers[i].name, name))
            return &servers[i];
    return NULL;
}

/* jansson says the same of what is none and of no memory. RFC 3629: no overlong forms, no surrogates. */
static bool is_utf8(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        const unsigned b = p[i++];
        size_t more = b < 0x80 ? 0 : b >= 0xc2 && b < 0xe0 ? 1 : b >= 0xe0 && b < 0xf0 ? 2 : b >= 0xf0 && b < 0xf5 ? 3 : SIZE_MAX;
        const unsigned least = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80, most = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
        if (more > n - i || (more && (p[i] < least || p[i] > most)))
            return false;
        while (more--)
            if ((p[i++] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

json_t *slm_wire_caller_json(const char *what, const char *text, size_t n, slm_fault *fault)
{
    json_error_t error;
    const char *much = slm_scan(text, n);
    json_t *json = much ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!json)
        slm_fault_set(fault, !much && slm_scan_no_memory(&error) ? SLM_CLASS_INTERNAL : SLM_CLASS_BAD_ARGUMENT, 0, "%s of %zu bytes: %s", what, n,
                      much ? much : *error.text ? error.text : "no memory");
    return json;
}

json_t *slm_wire_string(const char *what, const char *text, size_t n, slm_fault *fault)
{
    json_t *v = is_utf8(text, n) ? json_stringn_nocheck(n ? text : "", n) : NULL;
    if (!v && is_utf8(text, n))
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "%s: no memory for %zu bytes", what, n);
    else if (!v)
        slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "%s: its %zu bytes are not UTF-8", what, n);
    return v;
}

void slm_wire_set(json_t *object, const char *key, json_t *value, slm_fault *fault)
{
    if (!value || json_object_set_new(object, key, value))
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the request");
}

void slm_wire_push(json_t *array, json_t *value, slm_fault *fault)
{
    if (!value || json_array_append_new(array, value))
        slm_fault_set(fault, SLM_CLASS_INTERNAL, 0, "no memory for the request");
}

bool slm_wire_role(const slm_message *m, slm_fault *fault)
{
    const bool assistant = !strcmp(m->role, "assistant"), tool = !strcmp(m->role, "tool");
    if (!assistant && !tool && strcmp(m->role, "system") != 0 && strcmp(m->role, "user") != 0)
        slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: role '%.40s' (known: system, user, assistant, tool)", m->role);
    else if (m->n_calls && !assistant)
        slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: a message of role '%s' calls %zu tools", m->role, m->n_calls);
    else if (tool && (!m->call_id || !*m->call_id || !is_utf8(m->call_id, strlen(m->call_id))))
        slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: a tool's answer without the id of its call");
    for (size_t i = 0; i < m->n_calls; i++)
        if (m->calls[i].id && !is_utf8(m->calls[i].id, strlen(m->calls[i].id)))
            slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: the id of call %zu is not UTF-8", i);
    return fault->class == SLM_CLASS_NONE;
}

double slm_wire_margin(double best, double second)
{
    const double d = exp(best < 0 ? best : 0) - (second > -700 ? exp(second) : 0);
    return d > 0 ? d < 1 ? d : 1 : 0;
}

/* What a float says in as few digits as tell it from its neighbours. */
static double decimal(float f)
{
    const double d = (double)f;
    for (double scale = 10; scale <= 1e6; scale *= 10) {
        const double scaled = d * scale, near = (double)(int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5)) / scale;
        if ((float)near == f)
            return near;
    }
    return d;
}

void slm_wire_sampling(json_t *body, const slm_job *job, slm_fault *fault)
{
    const slm_server *server = job->server;
    const slm_sampling greedy = SLM_SAMPLING_INIT, *q = job->request->sampling;
    slm_sampling s = greedy;
    if (!job->sampling)
        return;
    if (q)
        memcpy(&s, q, q->size < sizeof s ? q->size : sizeof s);
    const bool repeats = s.repeat_penalty > 0 && s.repeat_penalty != 1.0f;
    const char *lacks = s.typical_p > 0 && s.typical_p < 1 ? "typical_p" : s.dry_multiplier > 0 ? "dry_multiplier" : s.n_bias ? "bias"
                      : s.top_k && !server->top_k ? "top_k" : s.min_p > 0 && !server->min_p ? "min_p"
                      : repeats && !server->repeat ? "repeat_penalty"
                      : (s.frequency_penalty != 0 || s.presence_penalty != 0) && !server->penalties ? "frequency_penalty and presence_penalty" : NULL;
    if (lacks) {
        slm_fault_set(fault, SLM_CLASS_UNSUPPORTED, 0, "request: sampling.%s: server '%s' has none", lacks, server->name);
        return;
    }
    if (!(s.temperature >= 0 && s.temperature <= 1000) || !(s.top_p >= 0)) {
        slm_fault_set(fault, SLM_CLASS_BAD_ARGUMENT, 0, "request: sampling: temperature %g, top_p %g", (double)s.temperature, (double)s.top_p);
        return;
    }
    slm_wire_set(body, "temperature", json_real(decimal(s.temperature)), fault);
    if (s.top_p > 0 && s.top_p < 1)
        slm_wire_set(body, "top_p", json_real(decimal(s.top_p)), fault);
    if (s.top_k)
        slm_wire_set(body, "top_k", json_integer(s.top_k), fault);
    if (s.min_p > 0)
        slm_wire_set(body, "min_p", json_real(decimal(s.min_p)), fault);
    if (repeats)
        slm_wire_set(body, !strcmp(server->name, "vllm") || !strcmp(server->name, "openrouter") ? "repetition_penalty" : "repeat_penalty",
                     json_real(decimal(s.repeat_penalty)), fault);
    if (s.frequency_penalty != 0)
        slm_wire_set(body, "frequency_penalty", json_real(decimal(s.frequency_penalty)), fault);
    if (s.presence_penalty != 0)
        slm_wire_set(body, "presence_penalty", json_real(decimal(s.presence_penalty)), fault);
    if (server->seed && s.temperature > 0)
        slm_wire_set(body, "seed", json_integer((json_int_t)(s.seed & INT64_MAX)), fault);
}

json_t *slm_wire_stops(const slm_job *job, slm_fault *fault)
{
    const slm_request *q = job->request;
    json_t *list = q->n_stops ? json_array() : NULL;
    for (uint32_t i = 0; i < q->n_stops && i < job->server->stops; i++)
        slm_wire_push(list, slm_wire_string("stop string", q->stops[i], strlen(q->stops[i]), fault), fault);
    return list;
}

void slm_wire_instruction(slm_bytes *to, const slm_job *job)
{
    const char *head = "Answer with JSON that validates against this schema, and nothing else: ";
    if (!job->schema || (!job->strict && job->server->structured != SLM_STRUCTURED_NONE))
        return;
    if (job->strict)
        head = "Choose the label that fits best. Answer with JSON that validates against this schema, and nothing else: ";
    char *text = json_dumps(job->schema, JSON_COMPACT);
    (void)slm_bytes_add(to, head, strlen(head));
    if (!text || !slm_bytes_add(to, text, strlen(text)))
        to->memory = true;
    free(text);
}
