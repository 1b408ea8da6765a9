/* test_remote_wire.c -- both wire formats: what is asked, and what is made of replies and streams, the broken ones too. */
#include "harness/test.h"
#include "remote/sse.h"
#include "remote/wire.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- requests ---- */

static void check_body(const char *server, const slm_request *q, slm_job job, const char *want)
{
    slm_fault fault = { .class = SLM_CLASS_NONE };
    job.server = slm_server_find(server);
    job.model = "m";
    job.request = q;
    job.max_tokens = 9;
    json_t *body = job.server->wire->build(&job, &fault);
    if (!body)
        fail_msg("%s: %s: %s", server, slm_fault_about(fault.class)->name, fault.text);
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15));
    assert_string_equal(text, want);
    free(text);
    json_decref(body);
}

static slm_class refusal(const char *server, const slm_request *q)
{
    slm_fault fault = { .class = SLM_CLASS_NONE };
    const slm_job job = { .server = slm_server_find(server), .model = "m", .request = q, .max_tokens = 9, .sampling = true };
    json_t *body = job.server->wire->build(&job, &fault);
    json_decref(body);
    return fault.class;
}

static void a_conversation_with_tools_in_both_formats(void **state)
{
    (void)state;
    const slm_message turns[] = {
        SLM_MESSAGE("system", "S", 1), SLM_MESSAGE("user", "a\"b\n", 4),
        { "assistant", "", 0, &(slm_tool_call){ "c1", "f", "{\"x\":1}", 7 }, 1, NULL, NULL },
        { "tool", "42", 2, NULL, 0, "c1", "f" }, SLM_MESSAGE("assistant", "so", 2),
    };
    const char *const stops[] = { "END", "X" };
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_request q = SLM_REQUEST_INIT;
    sampling.temperature = 0.7f;
    sampling.top_p = 0.95f;
    sampling.seed = 5;
    q.task = SLM_TASK_CHAT;
    q.messages = turns;
    q.n_messages = COUNT(turns);
    q.stops = stops;
    q.n_stops = 2;
    q.sampling = &sampling;
    slm_job job = { .stream = true, .sampling = true, .system = "Be brief",
                    .tools = json_loads("[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]", 0, NULL) };
    check_body("openai", &q, job, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief\"},{\"role\":\"system\",\"content\":\"S\"},"
               "{\"role\":\"user\",\"content\":\"a\\\"b\\n\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
               "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}]},{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"c1\"},"
               "{\"role\":\"assistant\",\"content\":\"so\"}],\"max_completion_tokens\":9,\"stream\":true,\"stream_options\":{\"include_usage\":true},"
               "\"temperature\":0.7,\"top_p\":0.95,\"seed\":5,\"stop\":[\"END\",\"X\"],\"tools\":[{\"type\":\"function\","
               "\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}]}");
    check_body("anthropic", &q, job, "{\"model\":\"m\",\"max_tokens\":9,\"system\":\"Be brief\\n\\nS\",\"messages\":[{\"role\":\"user\",\"content\":\"a\\\"b\\n\"},"
               "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1}}]},{\"role\":\"user\",\"content\":"
               "[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"42\"}]},{\"role\":\"assistant\",\"content\":\"so\"}],\"stream\":true,"
               "\"temperature\":0.7,\"top_p\":0.95,\"stop_sequences\":[\"END\",\"X\"],\"tools\":[{\"name\":\"f\","
               "\"description\":\"d\",\"input_schema\":{\"type\":\"object\"}}]}");
    json_decref(job.tools);
}

static void servers_differ_as_their_rows_say(void **state)
{
    (void)state;
    slm_sampling sampling = SLM_SAMPLING_INIT;
    slm_request q = SLM_REQUEST_INIT;
    q.prompt = "Hi";
    q.prompt_len = 2;
    q.sampling = &sampling;
    slm_job job = { .stream = true, .schema = json_loads("{\"type\":\"null\"}", 0, NULL), .top_logprobs = 2 };
    check_body("llama-server", &q, job, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":9,\"stream\":true,"
               "\"stream_options\":{\"include_usage\":true},\"response_format\":{\"type\":\"json_object\",\"schema\":{\"type\":\"null\"}},"
               "\"logprobs\":true,\"top_logprobs\":2}");
    job.top_logprobs = 0;
    check_body("compatible", &q, job, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":9,\"stream\":true,"
               "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"strict\":false,\"schema\":{\"type\":\"null\"}}}}");
    json_decref(job.schema);
    assert_null(slm_server_find("gpt"));
    sampling.top_k = 5;
    assert_int_equal(refusal("openai", &q), SLM_CLASS_UNSUPPORTED);
    assert_int_equal(refusal("vllm", &q), SLM_CLASS_NONE);
    assert_int_equal(refusal("anthropic", &q), SLM_CLASS_NONE);
    sampling.temperature = 1.5f;
    assert_int_equal(refusal("anthropic", &q), SLM_CLASS_UNSUPPORTED);
    sampling.dry_multiplier = 1;
    assert_int_equal(refusal("vllm", &q), SLM_CLASS_UNSUPPORTED);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    static const slm_tool_call call = { "c1", "f", "{}", 2 }, odd = { "\xff", "f", "{}", 2 };
    static const slm_message bad[] = {
        SLM_MESSAGE("robot", "x", 1), SLM_MESSAGE("user", "\xff", 1), SLM_MESSAGE("tool", "42", 2), { "tool", "42", 2, NULL, 0, "", NULL },
        { "tool", "42", 2, NULL, 0, "\xff", NULL }, { "user", "x", 1, &call, 1, NULL, NULL }, { "assistant", "x", 1, &odd, 1, NULL, NULL },
    };
    static const char *const servers[] = { "openai", "anthropic" };
    slm_request q = SLM_REQUEST_INIT;
    q.task = SLM_TASK_CHAT;
    q.n_messages = 1;
    for (size_t i = 0; i < COUNT(bad); i++)
        for (size_t k = 0; k < 2; k++) {
            q.messages = &bad[i];
            if (refusal(servers[k], &q) != SLM_CLASS_BAD_ARGUMENT)
                fail_msg("%s takes message %zu (%s)", servers[k], i, bad[i].role);
        }
}

/* ---- replies ---- */

typedef struct row {
    const char *what, *server;
    bool        stream;
    const char *bytes;          /* a body, or events: lines of data, each an event */
    slm_class   class;
    const char *text, *calls;
    uint32_t    reason;
    int64_t     prompt, cached, output;     /* -1: not said */
} row;

typedef struct reading { const slm_wire *wire; slm_answer answer; slm_fault fault; } reading;

static int on_event(void *user, const char *name, const char *data, size_t n)
{
    reading *r = user;
    return r->wire->event(&r->answer, name, data, n, &r->fault);
}

static void read_stream(reading *r, const char *bytes)
{
    slm_sse sse;
    slm_sse_init(&sse, 1 << 20, on_event, r);
    for (const char *line = bytes; *line;) {
        const size_t n = strcspn(line, "\n");
        if (slm_sse_feed(&sse, "data: ", 6) || slm_sse_feed(&sse, line, n) || slm_sse_feed(&sse, "\n\n", 2))
            break;
        line += n + (line[n] == '\n');
    }
    slm_sse_free(&sse);
}

static void check_row(const row *w)
{
    reading r = { .wire = slm_server_find(w->server)->wire };
    char calls[500] = "";
    slm_answer_init(&r.answer);
    if (w->stream) {
        read_stream(&r, w->bytes);
    } else {
        json_t *root = slm_scan_load(w->bytes, strlen(w->bytes), "reply", &r.fault);
        if (root)
            r.wire->reply(&r.answer, root, &r.fault);
        json_decref(root);
    }
    slm_answer_check(&r.answer, !w->stream, &r.fault);
    slm_tool_call *list = slm_answer_calls(&r.answer, &r.fault);
    for (size_t i = 0; i < r.answer.n_calls; i++)
        (void)snprintf(calls + strlen(calls), sizeof calls - strlen(calls), "%s %s %s;", list[i].id, list[i].name, list[i].arguments);
    free(list);
    if (r.fault.class != w->class)
        fail_msg("%s: %s (%s), want %s", w->what, slm_fault_about(r.fault.class)->name, r.fault.text, slm_fault_about(w->class)->name);
    if (w->class == SLM_CLASS_NONE) {
        const slm_answer *a = &r.answer;
        if (strcmp(slm_bytes_text(&a->text), w->text) != 0 || strcmp(calls, w->calls ? w->calls : "") != 0 || a->reason != w->reason)
            fail_msg("%s: '%s', calls %s, reason %u", w->what, slm_bytes_text(&a->text), calls, a->reason);
        if (a->prompt != w->prompt || a->cached != w->cached || a->output != w->output)
            fail_msg("%s: prompt %" PRId64 ", cached %" PRId64 ", output %" PRId64, w->what, a->prompt, a->cached, a->output);
    }
    slm_answer_free(&r.answer);
}

#define OK SLM_CLASS_NONE
#define BAD SLM_CLASS_PROTOCOL
#define CUT SLM_CLASS_TRUNCATED
#define DELTA(d) "{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" d ",\"finish_reason\":null}]}\n"
#define END(reason) "{\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n"
#define TOOL(t) DELTA("{\"tool_calls\":[" t "]}")
#define START "{\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"c\",\"content\":[],\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10," \
              "\"cache_creation_input_tokens\":2,\"output_tokens\":1}}}\n"
#define BLOCK "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n"
#define TEXT(t) "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" t "\"}}\n"
#define STOP "{\"type\":\"content_block_stop\",\"index\":0}\n"
#define LAST(reason) "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"},\"usage\":{\"output_tokens\":7}}\n{\"type\":\"message_stop\"}\n"
#define INPUT(i, t) "{\"type\":\"content_block_delta\",\"index\":" i ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"" t "\"}}\n"

static const row rows[] = {
    { "a plain reply", "openai", false, "{\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11,\"prompt_tokens_details\":{\"cached_tokens\":4}}}", OK, "Hi", NULL, SLM_STOP_EOS, 9, 4, 2 },
    { "a plain reply that was cut", "openai", false, "{\"choices\":[{\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"length\"}]}", OK, "Hi", NULL, SLM_STOP_LENGTH, -1, -1, -1 },
    { "content of parts", "openai", false, "{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},\"finish_reason\":\"stop\"}]}", OK, "ab", NULL, SLM_STOP_EOS, -1, -1, -1 },
    { "a refusal", "openai", false, "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}", OK, "No.", NULL, SLM_STOP_REFUSED, -1, -1, -1 },
    { "a content filter", "openai", false, "{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"content_filter\"}]}", OK, "", NULL, SLM_STOP_REFUSED, -1, -1, -1 },
    { "a plain tool call that ends with stop", "openai", false, "{\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}]}", OK,
      "", "a f {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "arguments as an object", "ollama", false, "{\"choices\":[{\"message\":{\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"n\":1}}}]},\"finish_reason\":\"\"}]}", OK,
      "", "a f {\"n\":1};", SLM_STOP_CALLS, -1, -1, -1 },
    { "no choices", "openai", false, "{\"choices\":[]}", SLM_CLASS_EMPTY, NULL, NULL, 0, 0, 0, 0 },
    { "neither text nor calls", "openai", false, "{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":\"stop\"}]}", SLM_CLASS_EMPTY, NULL, NULL, 0, 0, 0, 0 },
    { "content of a wrong type", "openai", false, "{\"choices\":[{\"message\":{\"content\":7},\"finish_reason\":\"stop\"}]}", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "choices of a wrong type", "openai", false, "{\"choices\":{}}", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "an error in a body of 200", "openai", false, "{\"error\":{\"message\":\"x\",\"type\":\"rate_limit_error\",\"code\":429}}", SLM_CLASS_RATE, NULL, NULL, 0, 0, 0, 0 },
    { "a flat error", "vllm", false, "{\"object\":\"error\",\"message\":\"x\",\"type\":\"BadRequestError\",\"code\":400}", SLM_CLASS_BAD_REQUEST, NULL, NULL, 0, 0, 0, 0 },
    { "an error that is a string", "ollama", false, "{\"error\":\"no\"}", SLM_CLASS_SERVER, NULL, NULL, 0, 0, 0, 0 },

    { "a stream", "openai", true, DELTA("{\"role\":\"assistant\",\"content\":\"\"}") DELTA("{\"content\":\"H\"}") DELTA("{\"content\":\"i\"}") END("stop")
      "{\"id\":\"1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}\n[DONE]\n", OK, "Hi", NULL, SLM_STOP_EOS, 5, -1, 2 },
    { "usage in every chunk: the last one holds", "vllm", true,
      "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n"
      "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n[DONE]\n", OK, "a", NULL, SLM_STOP_EOS, 5, -1, 3 },
    { "no [DONE] after a reason", "openai", true, DELTA("{\"content\":\"a\"}") END("stop"), OK, "a", NULL, SLM_STOP_EOS, -1, -1, -1 },
    { "no reason", "openai", true, DELTA("{\"content\":\"a\"}"), CUT, NULL, NULL, 0, 0, 0, 0 },
    { "[DONE] without a reason", "openai", true, DELTA("{\"content\":\"a\"}") "[DONE]\n", CUT, NULL, NULL, 0, 0, 0, 0 },
    { "nothing but [DONE]", "openai", true, "[DONE]\n", CUT, NULL, NULL, 0, 0, 0, 0 },
    { "a reason that is not known", "openai", true, DELTA("{\"content\":\"a\"}") END("moon") "[DONE]\n", OK, "a", NULL, SLM_STOP_OTHER, -1, -1, -1 },
    { "data behind [DONE]", "openai", true, DELTA("{\"content\":\"a\"}") END("stop") "[DONE]\n" DELTA("{\"content\":\"b\"}"), OK, "a", NULL, SLM_STOP_EOS, -1, -1, -1 },
    { "other choices and unknown chunks are passed over", "openai", true, "{\"object\":\"moderation\"}\n{\"id\":\"1\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"B\"}}]}\n"
      DELTA("{\"content\":\"a\"}") END("stop") "[DONE]\n", OK, "a", NULL, SLM_STOP_EOS, -1, -1, -1 },
    { "another answer's chunk", "openai", true, DELTA("{\"content\":\"a\"}") "{\"id\":\"2\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "an event that is no JSON", "openai", true, DELTA("{\"content\":\"a\"}") "{\"choices\":\n", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "an error in the midst", "openrouter", true, DELTA("{\"content\":\"a\"}") "{\"error\":{\"message\":\"x\",\"code\":502},\"choices\":[]}\n", SLM_CLASS_SERVER, NULL, NULL, 0, 0, 0, 0 },
    { "tool calls in fragments, two at once", "openai", true, TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}") TOOL("{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\"}}")
      TOOL("{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\"\"}}") TOOL("{\"index\":1,\"function\":{\"arguments\":\"{}\"}}") TOOL("{\"index\":0,\"function\":{\"arguments\":\":1}\"}}") END("tool_calls") "[DONE]\n", OK,
      "", "a f {\"x\":1};b g {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "tool calls without an index", "ollama", true, TOOL("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}") TOOL("{\"function\":{\"arguments\":\"}\"}}")
      TOOL("{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}") END("stop") "[DONE]\n", OK,
      "", "a f {};b g {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "tool calls that all have index 0", "compatible", true, TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}")
      TOOL("{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}") END("tool_calls") "[DONE]\n", OK,
      "", "a f {};b g {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "a whole tool call twice", "ollama", true, TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}")
      TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}") END("tool_calls") "[DONE]\n", OK,
      "", "a f {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "arguments before the name", "openai", true, TOOL("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}") TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}") END("tool_calls") "[DONE]\n", OK,
      "", "a f {};", SLM_STOP_CALLS, -1, -1, -1 },
    { "a tool call that never has a name", "openai", true, TOOL("{\"index\":0,\"function\":{\"arguments\":\"{}\"}}") END("tool_calls") "[DONE]\n", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "arguments that are no object", "openai", true, TOOL("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{x\"}}") END("tool_calls") "[DONE]\n", SLM_CLASS_ANSWER, NULL, NULL, 0, 0, 0, 0 },
    { "a huge index", "openai", true, TOOL("{\"index\":4000000000,\"id\":\"a\",\"function\":{\"name\":\"f\"}}"), BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a negative index", "openai", true, TOOL("{\"index\":-1,\"id\":\"a\",\"function\":{\"name\":\"f\"}}"), BAD, NULL, NULL, 0, 0, 0, 0 },

    { "messages in one piece", "anthropic", false, "{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"Hi\"},"
      "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"x\":1}}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":10,\"output_tokens\":4}}", OK,
      "Hi", "t f {\"x\":1};", SLM_STOP_CALLS, 13, 10, 4 },
    { "messages: an error", "anthropic", false, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}", SLM_CLASS_OVERLOAD, NULL, NULL, 0, 0, 0, 0 },
    { "messages: no content", "anthropic", false, "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"end_turn\"}", SLM_CLASS_EMPTY, NULL, NULL, 0, 0, 0, 0 },
    { "messages: content of a wrong type", "anthropic", false, "{\"type\":\"message\",\"content\":\"x\"}", BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a stream of messages", "anthropic", true, START "{\"type\":\"ping\"}\n" BLOCK TEXT("H") "{\"type\":\"new_thing\"}\n" TEXT("i") STOP LAST("end_turn"), OK, "Hi", NULL, SLM_STOP_EOS, 15, 10, 7 },
    { "a stop sequence", "anthropic", true, START BLOCK TEXT("H") STOP LAST("stop_sequence"), OK, "H", NULL, SLM_STOP_STRING, 15, 10, 7 },
    { "a turn that pauses", "anthropic", true, START BLOCK TEXT("H") STOP LAST("pause_turn"), OK, "H", NULL, SLM_STOP_OTHER, 15, 10, 7 },
    { "a tool's input in pieces", "anthropic", true, START "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n"
      INPUT("0", "") INPUT("0", "{\\\"a\\\"") INPUT("0", ":2}") STOP LAST("tool_use"), OK, "", "t f {\"a\":2};", SLM_STOP_CALLS, 15, 10, 7 },
    { "a tool without input", "anthropic", true, START "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}}\n"
      STOP LAST("tool_use"), OK, "", "t f {};", SLM_STOP_CALLS, 15, 10, 7 },
    { "a stream of messages that ends early", "anthropic", true, START BLOCK TEXT("H"), CUT, NULL, NULL, 0, 0, 0, 0 },
    { "an error after text", "anthropic", true, START BLOCK TEXT("H") "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n", SLM_CLASS_OVERLOAD, NULL, NULL, 0, 0, 0, 0 },
    { "a delta before the start", "anthropic", true, BLOCK, BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a start twice", "anthropic", true, START START, BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a delta for no block", "anthropic", true, START TEXT("H"), BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a delta after the stop", "anthropic", true, START BLOCK STOP TEXT("H"), BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a delta of another type", "anthropic", true, START BLOCK INPUT("0", "{}"), BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a block twice", "anthropic", true, START BLOCK BLOCK, BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a stop twice", "anthropic", true, START BLOCK STOP STOP, BAD, NULL, NULL, 0, 0, 0, 0 },
    { "a block far out", "anthropic", true, START "{\"type\":\"content_block_start\",\"index\":256,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n", BAD, NULL, NULL, 0, 0, 0, 0 },
};

static void replies(void **state)
{
    check_row(*state);
}

static void odd_usage_is_seen(void **state)
{
    (void)state;
    static const struct { const char *usage; bool odd; int64_t prompt; } all[] = {
        { "{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}", false, 5 }, { "{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":9}", true, 5 },
        { "{\"prompt_tokens\":-5,\"completion_tokens\":2}", true, -1 }, { "{\"prompt_tokens\":5.5,\"completion_tokens\":2}", true, -1 },
        { "{\"prompt_tokens\":1e300,\"completion_tokens\":2}", true, -1 }, { "{\"prompt_tokens\":99999999999999999999,\"completion_tokens\":2}", true, -1 },
        { "{\"prompt_tokens\":\"5\",\"completion_tokens\":2}", true, -1 }, { "{\"prompt_tokens\":null}", false, -1 }, { "null", false, -1 }, { "[]", false, -1 },
    };
    char text[400];
    for (size_t i = 0; i < COUNT(all); i++) {
        reading r = { .wire = &slm_wire_openai };
        slm_answer_init(&r.answer);
        (void)snprintf(text, sizeof text, "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":%s}", all[i].usage);
        json_t *root = slm_scan_load(text, strlen(text), "reply", &r.fault);
        assert_non_null(root);
        r.wire->reply(&r.answer, root, &r.fault);
        json_decref(root);
        assert_int_equal(r.fault.class, SLM_CLASS_NONE);
        if (r.answer.odd != all[i].odd || r.answer.prompt != all[i].prompt)
            fail_msg("usage %zu: odd %d, prompt %" PRId64, i, r.answer.odd, r.answer.prompt);
        slm_answer_free(&r.answer);
    }
}

static void log_probabilities_become_scores(void **state)
{
    (void)state;
    reading r = { .wire = &slm_wire_openai };
    static const char text[] = "{\"choices\":[{\"message\":{\"content\":\"a b\"},\"finish_reason\":\"stop\",\"logprobs\":{\"content\":["
                               "{\"token\":\"a\",\"logprob\":0,\"top_logprobs\":[{\"logprob\":0},{\"logprob\":-9999.0}]},"
                               "{\"token\":\" b\",\"logprob\":-1.5,\"top_logprobs\":[]}]}}]}";
    slm_answer_init(&r.answer);
    json_t *root = slm_scan_load(text, strlen(text), "reply", &r.fault);
    r.wire->reply(&r.answer, root, &r.fault);
    json_decref(root);
    const slm_token_score *scores = (const slm_token_score *)(const void *)r.answer.scores.data;
    assert_int_equal(r.fault.class, SLM_CLASS_NONE);
    assert_int_equal(r.answer.scores.size, 2 * sizeof *scores);
    assert_true(scores[0].logp == 0 && scores[0].margin == 1 && scores[0].entropy == -1 && scores[1].logp == -1.5 && scores[1].margin == -1);
    slm_answer_free(&r.answer);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 5] = {
        cmocka_unit_test(a_conversation_with_tools_in_both_formats), cmocka_unit_test(servers_differ_as_their_rows_say),
        cmocka_unit_test(what_cannot_be_sent_is_refused), cmocka_unit_test(odd_usage_is_seen), cmocka_unit_test(log_probabilities_become_scores),
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i + 5] = (struct CMUnitTest){ rows[i].what, replies, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests_name("remote_wire", tests, NULL, NULL) != 0;
}
