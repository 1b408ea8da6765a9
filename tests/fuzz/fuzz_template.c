/* fuzz_template.c -- a chat template, a NUL, a conversation: read, rendered, taken apart into spans. Without a NUL a small conversation of
 * ours is used. */
#include "slm.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char standard[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi <b>\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":"
                               "{\"name\":\"f\",\"arguments\":{\"a\":[1,2.5,\"x\"]}}}]}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],"
                               "\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"extra\":{\"x\":{\"a\":1,\"b\":[true,null]},\"s\":\"h\\u00e9 y\",\"n\":-7}}";

static void check(const slm_rendered *r)
{
    size_t len, n, at = 0;
    const char *text = slm_rendered_text(r, &len);
    const slm_span *spans = slm_rendered_spans(r, &n);
    for (size_t i = 0; i < n; i++) {
        if (spans[i].offset != at || !spans[i].len || spans[i].kind > 1)
            abort();
        at += spans[i].len;
    }
    if (at != len || text[len])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t n = nul ? (size_t)(nul - data) : size;
    const char *json = nul ? (const char *)nul + 1 : standard;
    const size_t len = nul ? size - n - 1 : sizeof standard - 1;
    slm_template_params params = SLM_TEMPLATE_PARAMS_INIT;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    slm_error err = { 0 };
    params.memory_limit = 64 << 20;
    how.now = "2024-07-26T09:30:00";
    how.fuel = 1 << 17;
    how.limit = 1 << 20;
    if (slm_template_new(&t, (const char *)data, n, &params, &err) == SLM_OK && slm_template_render(&r, t, json, len, &how, &err) == SLM_OK)
        check(r);
    else if (err.status == SLM_OK || err.status == SLM_E_INTERNAL)
        abort();
    slm_rendered_free(r);
    slm_template_free(t);
    return 0;
}
