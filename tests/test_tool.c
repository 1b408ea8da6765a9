/* test_tool.c -- tools in requests, calls in answers: each family's form, what is no call, what the template and the caller see. */
#include "engine/engine.h"
#include "harness/parrot.h"

#include <stdio.h>

static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\"}}}]";

/* ---- forms ---- */

static const char *const hermes = "..<tool_call>..", *const mistral = "..[TOOL_CALLS]..", *const granite = "with <|tool_call|> followed",
                  *const llama = "parameters\": dictionary of argument name and", *const phi = "{{ '<|tool|>' + message['tools'] }}";

static void a_family_is_known_by_its_template(void **state)
{
    (void)state;
    const char *const all[] = { hermes, mistral, granite, llama, phi };
    for (size_t i = 0; i < COUNT(all); i++)
        for (size_t k = 0; k < i; k++) {
            const slm_tool_form *a = slm_tool_form_of(all[i], strlen(all[i])), *b = slm_tool_form_of(all[k], strlen(all[k]));
            assert_non_null(a);
            assert_ptr_not_equal(a, b);
        }
    assert_null(slm_tool_form_of("{{ messages }}", 14));
    assert_null(slm_tool_form_of(NULL, 0));
}

/* What is read, as NAME(ARGUMENTS)#ID; of several calls. */
static void read_as(const char *family, const char *text, const char *want)
{
    slm_heap heap;
    slm_tool_list list;
    slm_error err = { 0 };
    char got[500] = "";
    size_t n = 0;
    slm_heap_init(&heap, NULL, 0);
    const slm_tool_form *form = slm_tool_form_of(family, strlen(family));
    check_status(slm_tool_read(&list, form, &heap, text, strlen(text), 7, &err), SLM_OK, &err);
    for (size_t i = 0; i < list.n; i++) {
        const slm_tool_call *c = &list.calls[i];
        assert_int_equal(strlen(c->arguments), c->arguments_len);
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%s(%s)#%s", i ? " " : "", c->name, c->arguments, c->id);
    }
    assert_string_equal(got, want);
    slm_tool_list_free(&list, &heap);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void calls_are_read_in_each_form(void **state)
{
    (void)state;
    read_as(hermes, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": [1, {\"b\": \"}\"}]}}\n</tool_call>", "f({\"a\": [1, {\"b\": \"}\"}]})#call00007");
    read_as(hermes, "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>{\"arguments\":{\"x\":\"\\u00fc\"},\"name\":\"g\\\"\"}</tool_call>",
            "f({})#call00007 g\"({\"x\":\"\\u00fc\"})#call00008");
    read_as(hermes, "<tool_call>{\"name\":\"f\",\"arguments\":{}}", "f({})#call00007");          /* cut before the end mark */
    read_as(hermes, "<tool_call>{\"name\":\"f\"}</tool_call>", "f({})#call00007");
    read_as(mistral, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": 1}, \"id\": \"abcdefghi\"}, {\"name\": \"g\", \"arguments\": {}}]",
            "f({\"a\": 1})#abcdefghi g({})#call00008");
    read_as(mistral, "[TOOL_CALLS] [{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":2}\"}}]", "f({\"a\":2})#call00007");
    read_as(granite, "<|tool_call|>[{\"name\":\"f\",\"arguments\":{\"q\":null}}]", "f({\"q\":null})#call00007");
    read_as(llama, "{\"name\": \"f\", \"parameters\": {\"a\": 1}}", "f({\"a\": 1})#call00007");
    read_as(llama, "<|python_tag|>{\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\",\"parameters\":{}}",
            "f({})#call00007 g({})#call00008");
    read_as(phi, "<|tool_call|>[{\"name\":\"f\",\"arguments\":{}}]<|/tool_call|>", "f({})#call00007");
}

static void what_is_not_well_formed_is_no_call(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<tool_call>", "<tool_call>hello", "<tool_call>{\"name\":\"f\",\"arguments\":{}", "<tool_call>{\"name\":\"f\",\"arguments\":[]}",
        "<tool_call>{\"name\":3,\"arguments\":{}}", "<tool_call>{\"name\":\"\",\"arguments\":{}}", "<tool_call>{\"arguments\":{}}",
        "<tool_call>[1]", "<tool_call>[{\"name\":\"f\",\"arguments\":{}},2]", "<tool_call>{\"name\":\"f\",\"arguments\":\"[1]\"}",
        "<tool_call>{\"name\":\"f\",\"arguments\":\"{\"}", "<tool_call>{\"name\":\"\\ud800\",\"arguments\":{}}", "<tool_call>[]",
        "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call> and more",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        read_as(hermes, texts[i], "");
    read_as(llama, "{\"name\": \"f\"}", "");
    read_as(llama, "{\"answer\": 42}", "");
    char deep[400] = "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":";
    memset(deep + strlen(deep), '[', 100);
    read_as(hermes, deep, "");
}

static void what_may_become_a_call_is_known(void **state)
{
    (void)state;
    const slm_tool_form *h = slm_tool_form_of(hermes, strlen(hermes)), *l = slm_tool_form_of(llama, strlen(llama));
    assert_int_equal(slm_tool_begin(h, "hello", 5), 5);
    assert_int_equal(slm_tool_begin(h, "hello <too", 10), 6);
    assert_int_equal(slm_tool_begin(h, "a<b <tool_call>{}", 17), 4);
    assert_int_equal(slm_tool_begin(h, "", 0), 0);
    assert_int_equal(slm_tool_begin(l, " \n", 2), 0);
    assert_int_equal(slm_tool_begin(l, " {\"na", 5), 0);
    assert_int_equal(slm_tool_begin(l, "No {}", 5), 5);
}

/* ---- the engine ---- */

static const char chat_template[] =
    "{% if tools %}{{ tools|length }} <tool_call> {% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}"
    "{% for c in m.tool_calls or [] %}[{{ c.id }} {{ c.function.name }} {{ c.function.arguments|tojson }}]{% endfor %}"
    "{% if m.tool_call_id %}({{ m.tool_call_id }} {{ m.name }}){% endif %}{{ '\\n' }}{% endfor %}";

typedef struct heard { char text[300]; size_t n; } heard;

static int hear(void *user, const char *text, size_t n)
{
    heard *h = user;
    memcpy(h->text + h->n, text, n);
    h->n += n;
    h->text[h->n] = 0;
    return 0;
}

/* The answer of a parrot to a request with tools; *heard is what was streamed. */
static slm_reply answer(const char *const *pieces, size_t n, const slm_message *messages, size_t n_messages, heard *h, slm_status want, slm_error *err)
{
    slm_engine_local_params params = SLM_ENGINE_LOCAL_PARAMS_INIT;
    slm_engine *engine = NULL;
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = SLM_REQUEST_INIT;
    slm_model *model = parrot_open(pieces, n);
    params.chat_template = chat_template;
    params.chat_template_len = sizeof chat_template - 1;
    check_status(slm_engine_local(&engine, model, &params, err), SLM_OK, err);
    slm_model_free(model);
    *h = (heard){ "", 0 };
    q.task = SLM_TASK_CHAT;
    q.messages = messages;
    q.n_messages = n_messages;
    q.tools = tools;
    q.tools_len = sizeof tools - 1;
    q.text = hear;
    q.user = h;
    check_status(slm_engine_run(engine, &q, &reply, err), want, err);
    slm_engine_free(engine);
    return reply;
}

static void calls_leave_the_text(void **state)
{
    (void)state;
    static const char *const pieces[] = { "Let me ", "see.", "<tool", "_call>", "{\"name\":\"get_weather\",", "\"arguments\":{\"place\":\"Oslo\"}}", "</tool_call>" };
    static const slm_message hello = SLM_MESSAGE("user", "Rain?", 5);
    slm_error err = { 0 };
    heard h;
    slm_reply reply = answer(pieces, COUNT(pieces), &hello, 1, &h, SLM_OK, &err);
    assert_string_equal(reply.text, "Let me see.");
    assert_string_equal(h.text, "Let me see.");
    assert_int_equal(reply.n_calls, 1);
    assert_string_equal(reply.calls[0].name, "get_weather");
    assert_string_equal(reply.calls[0].arguments, "{\"place\":\"Oslo\"}");
    assert_string_equal(reply.calls[0].id, "call00000");
    assert_int_equal(reply.reason, SLM_STOP_EOS);
    assert_int_equal(reply.n_scores, COUNT(pieces) + 1);

    /* The next turn: the call and its answer are in the prompt, and the next call has another number. */
    const slm_message turns[] = { hello, { "assistant", reply.text, reply.text_len, reply.calls, reply.n_calls, NULL, NULL },
                                  { "tool", "rain", 4, NULL, 0, reply.calls[0].id, "get_weather" } };
    const uint64_t before = reply.prompt_tokens;
    slm_reply next = answer(pieces, COUNT(pieces), turns, 3, &h, SLM_OK, &err);
    assert_true(next.prompt_tokens > before + 20);
    assert_string_equal(next.calls[0].id, "call00001");
    slm_reply_free(&next);
    slm_reply_free(&reply);
    assert_null(reply.calls);
}

static void what_is_no_call_is_text_in_the_end(void **state)
{
    (void)state;
    static const char *const pieces[] = { "A ", "<tool_call>", "{\"name\":", "oops" };
    static const slm_message hello = SLM_MESSAGE("user", "Rain?", 5);
    slm_error err = { 0 };
    heard h;
    slm_reply reply = answer(pieces, COUNT(pieces), &hello, 1, &h, SLM_OK, &err);
    assert_int_equal(reply.n_calls, 0);
    assert_string_equal(reply.text, "A <tool_call>{\"name\":oops");
    assert_string_equal(h.text, reply.text);
    slm_reply_free(&reply);
}

static void requests_with_tools_are_checked(void **state)
{
    (void)state;
    static const char *const nothing[] = { "x" };
    static const slm_tool_call bad[] = { { "i", "f", "[1]", 3 }, { "i", "", "{}", 2 }, { "i", "f", NULL, 0 } };
    slm_error err = { 0 };
    slm_reply reply = SLM_REPLY_INIT;
    slm_engine_local_params params = SLM_ENGINE_LOCAL_PARAMS_INIT;
    slm_engine *engine = NULL;
    slm_model *model = parrot_open(nothing, 1);
    slm_message m = SLM_MESSAGE("assistant", "a", 1);
    slm_request q = SLM_REQUEST_INIT;
    params.chat_template = "{{ messages[0].content }}";
    params.chat_template_len = strlen(params.chat_template);
    check_status(slm_engine_local(&engine, model, &params, &err), SLM_OK, &err);
    q.task = SLM_TASK_CHAT;
    q.messages = &m;
    q.n_messages = 1;
    m.n_calls = 1;
    for (size_t i = 0; i < COUNT(bad); i++) {
        m.calls = &bad[i];
        check_status(slm_engine_run(engine, &q, &reply, &err), i ? SLM_E_ARG : SLM_E_FORMAT, &err);
    }
    m.n_calls = 0;
    q.tools = "{}";
    q.tools_len = 2;
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_FORMAT, &err);
    q.tools = tools;
    q.tools_len = sizeof tools - 1;
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_UNSUPPORTED, &err);       /* the template shows no form */
    check_text(&err, "not known");
    q.regex = "a";
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_ARG, &err);
    check_text(&err, "2 of schema, regex and tools");
    q.regex = NULL;
    q.task = SLM_TASK_GENERATE;
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_ARG, &err);
    check_text(&err, "'generate' has no tools");
    slm_engine_free(engine);
    slm_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_known_by_its_template),
        cmocka_unit_test(calls_are_read_in_each_form),
        cmocka_unit_test(what_is_not_well_formed_is_no_call),
        cmocka_unit_test(what_may_become_a_call_is_known),
        cmocka_unit_test(calls_leave_the_text),
        cmocka_unit_test(what_is_no_call_is_text_in_the_end),
        cmocka_unit_test(requests_with_tools_are_checked),
    };
    return cmocka_run_group_tests_name("tool", tests, NULL, test_folder_remove) != 0;
}
