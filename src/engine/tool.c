/* tool.c -- tools: definitions and calls in a request, calls out of an answer.
 *
 * How a model writes a call is a matter of its family, and its template shows which family that is: a row names the words by which the
 * template is known and the mark with which calls begin. What follows the mark is JSON in all of them: an object with a name and its
 * arguments (some say parameters, some put both under "function"), several of these, or a list. What begins like a call and is not
 * well formed is text. */
#include "engine/engine.h"

#include "core/json.h"
#include "core/size.h"

#include <stdio.h>
#include <string.h>

/* ROW: words of the template, mark, its end, bare, in_system */
static const slm_tool_form forms[] = {
    { "<tool_call>", "<tool_call>", "</tool_call>", false, false },                     /* Hermes, Qwen2.5, Qwen3, SmolLM3 */
    { "[TOOL_CALLS]", "[TOOL_CALLS]", "", false, false },                               /* Mistral v3, Nemo */
    { "<|tool_call|>", "<|tool_call|>", "", false, false },                             /* Granite 3 */
    { "dictionary of argument name", "<|python_tag|>", "", true, false },               /* Llama 3.1, 3.2 */
    { "'<|tool|>' + message['tools']", "<|tool_call|>", "<|/tool_call|>", false, true }, /* Phi-4-mini */
};

static size_t find(const char *text, size_t n, const char *word)
{
    const char *at = n ? memmem(text, n, word, strlen(word)) : NULL;
    return at ? (size_t)(at - text) : n;
}

const slm_tool_form *slm_tool_form_of(const char *template, size_t n)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (find(template, n, forms[i].known_by) < n)
            return &forms[i];
    return NULL;
}

size_t slm_tool_begin(const slm_tool_form *form, const char *text, size_t n)
{
    const size_t mark = find(text, n, form->open), most = strlen(form->open);
    size_t i = 0;
    if (form->bare) {
        while (i < n && strchr(" \t\r\n", text[i]))
            i++;
        if (i == n || text[i] == '{' || text[i] == '[')
            return 0;
    }
    if (mark < n)
        return mark;
    for (size_t k = slm_min(most - 1, n); k > 0; k--)
        if (memcmp(text + n - k, form->open, k) == 0)
            return n - k;
    return n;
}

/* ---- a call ---- */

/* Offsets in the strings. */
typedef struct found {
    size_t id, name, arguments, length;
} found;

/* Is the text one JSON value of that kind? */
static slm_status check_value(const char *text, size_t n, slm_json_kind kind, const char *what, slm_error *err)
{
    slm_json j;
    slm_status status = slm_json_init(&j, text, n, what, err);
    if (!status)
        status = slm_json_next(&j, err);
    if (!status && j.kind != kind)
        return slm_fail(err, SLM_E_FORMAT, "%s: JSON: %s is wanted", what, kind == SLM_JSON_OBJECT ? "an object" : "an array");
    if (!status)
        status = slm_json_skip(&j, err);
    return status ? status : slm_json_next(&j, err);        /* the end */
}

static size_t put_bytes(slm_buf *strings, const void *bytes, size_t n)
{
    const size_t at = strings->size;
    slm_buf_add(strings, bytes, n);
    slm_buf_u8(strings, 0);
    return at;
}

/* A string, its escapes undone. */
static slm_status put_string(slm_buf *strings, const slm_json *j, size_t *at, size_t *n)
{
    *at = strings->size;
    const slm_status status = j->kind == SLM_JSON_STRING ? slm_json_string(j, strings, NULL) : SLM_E_FORMAT;
    *n = strings->size - *at;
    slm_buf_u8(strings, 0);
    return status;
}

static slm_status read_arguments(slm_json *j, found *f, slm_buf *strings)
{
    const size_t begin = j->pos - 1;
    slm_status status;
    if (j->kind == SLM_JSON_STRING) {                       /* JSON within JSON */
        status = put_string(strings, j, &f->arguments, &f->length);
        return status ? status : check_value((const char *)strings->data + f->arguments, f->length, SLM_JSON_OBJECT, "arguments", NULL);
    }
    if (j->kind != SLM_JSON_OBJECT)
        return SLM_E_FORMAT;
    status = slm_json_skip(j, NULL);
    f->length = j->pos - begin;
    f->arguments = put_bytes(strings, j->base + begin, f->length);
    return status;
}

/* The object whose first event was just returned. */
static slm_status read_call(slm_json *j, found *f, bool bare, slm_buf *strings)
{
    const size_t outside = j->depth - 1;
    size_t n = 0;
    *f = (found){ SIZE_MAX, SIZE_MAX, SIZE_MAX, 0 };
    slm_status status = slm_json_next(j, NULL);
    while (!status && j->depth > outside) {
        const bool name = slm_json_is(j, "name"), id = slm_json_is(j, "id"), function = slm_json_is(j, "function");
        const bool arguments = slm_json_is(j, "arguments") || slm_json_is(j, "parameters");
        if (j->kind != SLM_JSON_KEY) {                      /* the end of "function" */
            status = slm_json_next(j, NULL);
            continue;
        }
        status = slm_json_next(j, NULL);
        if (!status && name && f->name == SIZE_MAX)
            status = put_string(strings, j, &f->name, &n);
        else if (!status && arguments && f->arguments == SIZE_MAX)
            status = read_arguments(j, f, strings);
        else if (!status && id && f->id == SIZE_MAX && j->kind == SLM_JSON_STRING)
            status = put_string(strings, j, &f->id, &n);
        else if (!status && !(function && j->kind == SLM_JSON_OBJECT))
            status = slm_json_skip(j, NULL);
        if (!status)
            status = slm_json_next(j, NULL);
    }
    if (strings->failed)
        return strings->failed;
    if (!status && f->arguments == SIZE_MAX && !bare) {
        f->arguments = put_bytes(strings, "{}", 2);
        f->length = 2;
    }
    if (status || f->name == SIZE_MAX || f->arguments == SIZE_MAX || strings->failed || !strings->data[f->name])
        return status ? status : SLM_E_FORMAT;
    return SLM_OK;
}

/* One call, or a list of them. *used: bytes of the text. */
static slm_status read_value(const char *text, size_t n, size_t *used, bool bare, slm_buf *list, slm_buf *strings)
{
    slm_json j;
    found f;
    slm_status status = slm_json_init(&j, text, n, "tool call", NULL);
    if (!status)
        status = slm_json_next(&j, NULL);
    const bool many = !status && j.kind == SLM_JSON_ARRAY;
    if (many)
        status = slm_json_next(&j, NULL);
    while (!status && j.kind == SLM_JSON_OBJECT) {
        status = read_call(&j, &f, bare, strings);
        if (!status)
            slm_buf_add(list, &f, sizeof f);
        if (!status && many)
            status = slm_json_next(&j, NULL);
        if (!many)
            break;
    }
    if (!status && j.kind != (many ? SLM_JSON_ARRAY_END : SLM_JSON_OBJECT_END))
        status = SLM_E_FORMAT;
    *used = status ? 0 : j.pos;
    return status;
}

/* Numbers are nine characters long, as some templates want them. */
static size_t number_id(slm_buf *strings, size_t number)
{
    char id[16];
    (void)snprintf(id, sizeof id, "call%05zu", number % 100000);
    return put_bytes(strings, id, 9);
}

static slm_status point(slm_tool_list *out, slm_heap *heap, const slm_buf *list, slm_error *err)
{
    const size_t n = list->size / sizeof(found);
    const char *base = (const char *)out->strings.data;
    found f;
    out->calls = slm_heap_array(heap, n, sizeof *out->calls);
    if (!out->calls)
        return slm_fail(err, SLM_E_MEMORY, "reply: %zu tool calls", n);
    for (size_t i = 0; i < n; i++) {
        memcpy(&f, list->data + i * sizeof f, sizeof f);
        out->calls[i] = (slm_tool_call){ base + f.id, base + f.name, base + f.arguments, f.length };
    }
    out->n = n;
    return SLM_OK;
}

slm_status slm_tool_read(slm_tool_list *out, const slm_tool_form *form, slm_heap *heap, const char *text, size_t n, size_t first, slm_error *err)
{
    slm_buf list;
    slm_status status = SLM_OK;
    size_t at = 0, used = 0;
    *out = (slm_tool_list){ .n = 0 };
    slm_buf_init(&list, heap, SLM_LIMIT_TEXT_BYTES);
    slm_buf_init(&out->strings, heap, SLM_LIMIT_TEXT_BYTES);
    while (!status && at < n) {
        const size_t open = strlen(form->open), shut = strlen(form->shut);
        if (n - at >= open && !memcmp(text + at, form->open, open))
            at += open;
        else if (shut && n - at >= shut && !memcmp(text + at, form->shut, shut))
            at += shut;
        else if (strchr(" \t\r\n,;", text[at]))
            at++;
        else if (!(status = read_value(text + at, n - at, &used, form->bare, &list, &out->strings)))
            at += used;
    }
    for (size_t i = 0; !status && i < list.size / sizeof(found); i++) {
        found *f = (found *)(void *)(list.data + i * sizeof *f);
        if (f->id == SIZE_MAX || !out->strings.data[f->id])
            f->id = number_id(&out->strings, first + i);
    }
    if (list.failed == SLM_E_MEMORY || out->strings.failed == SLM_E_MEMORY)
        status = slm_fail(err, SLM_E_MEMORY, "reply: tool calls");
    else if (status || !list.size || out->strings.failed)
        status = SLM_OK;                                    /* no calls: it is text */
    else
        status = point(out, heap, &list, err);
    slm_buf_free(&list);
    return status;
}

void slm_tool_list_free(slm_tool_list *list, slm_heap *heap)
{
    slm_buf_free(&list->strings);
    slm_heap_free(heap, list->calls);
    *list = (slm_tool_list){ .n = 0 };
}

/* ---- in a request ---- */

slm_status slm_tools_check(const char *tools, size_t n, slm_error *err)
{
    return check_value(tools, n, SLM_JSON_ARRAY, "request: tools", err);
}

slm_status slm_tool_call_check(const slm_tool_call *call, slm_error *err)
{
    if (!call->name || !*call->name || !call->arguments)
        return slm_fail(err, SLM_E_ARG, "request: tool call: %s is missing", call->arguments ? "the name" : "arguments");
    return check_value(call->arguments, call->arguments_len, SLM_JSON_OBJECT, "request: arguments of a tool call", err);
}
