/* fuzz_tool.c -- an answer of a model as tool calls, in the form of the family that the first byte chooses. What is read must be JSON objects
 * with names; whatever comes out goes through a reply. */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const known[] = { "<tool_call>", "[TOOL_CALLS]", "<|tool_call|>", "dictionary of argument name",
                                         "'<|tool|>' + message['tools']" };
    slm_heap heap;
    slm_tool_list list;
    if (!size)
        return 0;
    const char *family = known[data[0] % 5], *text = (const char *)data + 1;
    const slm_tool_form *form = slm_tool_form_of(family, strlen(family));
    slm_heap_init(&heap, NULL, 0);
    if (slm_tool_begin(form, text, size - 1) > size - 1)
        abort();
    if (!slm_tool_read(&list, form, &heap, text, size - 1, 0, NULL)) {
        slm_reply reply = SLM_REPLY_INIT;
        reply.calls = list.calls;
        reply.n_calls = list.n;
        for (size_t i = 0; i < list.n; i++)
            if (slm_tool_call_check(&list.calls[i], NULL) || !*list.calls[i].id)
                abort();
        if (!slm_reply_own(&reply, NULL, NULL))
            slm_reply_free(&reply);
        slm_tool_list_free(&list, &heap);
    }
    if (atomic_load(&heap.current))
        abort();
    return 0;
}
