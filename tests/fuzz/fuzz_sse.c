/* fuzz_sse.c -- any bytes as the stream of a server, in the form of OpenAI or Anthropic: whole, and in pieces of all lengths. Both ways give the
 * same events, the same text, calls and usage, and the same fault.
 *
 * First byte: 1 Anthropic's form, 2 small limits. Second: how the pieces are drawn. */
#include "fuzz.h"

#include "wire.h"
#include "sse.h"

typedef struct reading {
    slm_sse sse;
    const slm_wire *wire;
    slm_answer answer;
    slm_fault fault;
    uint64_t events, hash;
} reading;

static uint64_t add(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h ^ n;
}

static int on_event(void *user, const char *name, const char *data, size_t n)
{
    reading *r = user;
    must(!data[n] && strlen(name) < sizeof r->sse.name, "an event without an end");
    r->events++;
    r->hash = add(add(r->hash, name, strlen(name)), data, n);
    const int end = r->wire->event(&r->answer, name, data, n, &r->fault);
    return end || r->fault.class != SLM_CLASS_NONE;
}

static slm_sse_end read_stream(reading *r, const slm_wire *wire, const char *bytes, size_t n, size_t limit, uint32_t pieces)
{
    slm_sse_end end = SLM_SSE_MORE;
    *r = (reading){ .wire = wire };
    slm_sse_init(&r->sse, limit, on_event, r);
    slm_answer_init(&r->answer);
    for (size_t i = 0; i < n && end == SLM_SSE_MORE;) {
        size_t k = n - i;
        if (pieces) {
            pieces = pieces * 1664525u + 1013904223u;
            k = 1 + (pieces >> 24) % 7;
        }
        if (k > n - i)
            k = n - i;
        char *piece = malloc(k);                        /* exact: a read past the piece is seen */
        must(piece != NULL, "no memory for a piece");
        memcpy(piece, bytes + i, k);
        end = slm_sse_feed(&r->sse, piece, k);
        free(piece);
        i += k;
    }
    if (end == SLM_SSE_MORE)
        end = slm_sse_finish(&r->sse);
    slm_answer_check(&r->answer, false, &r->fault);
    return end;
}

static void check_calls(reading *r)
{
    slm_fault fault = { .class = SLM_CLASS_NONE };
    slm_tool_call *calls = slm_answer_calls(&r->answer, &fault);
    for (size_t i = 0; calls && i < r->answer.n_calls; i++)
        must(calls[i].id && calls[i].name && calls[i].arguments && !calls[i].arguments[calls[i].arguments_len], "a call without an end");
    free(calls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static reading whole, parts;
    fuzz_in in = { data, size };
    const unsigned flags = fuzz_byte(&in), how = fuzz_byte(&in);
    const slm_wire *wire = flags & 1 ? &slm_wire_anthropic : &slm_wire_openai;
    const size_t limit = flags & 2 ? 64 : 1 << 20;
    const char *bytes = (const char *)in.at;
    const slm_sse_end one = read_stream(&whole, wire, bytes, in.left, limit, 0);
    const slm_sse_end other = read_stream(&parts, wire, bytes, in.left, limit, how + 1);
    must(one == other && whole.events == parts.events && whole.hash == parts.hash, "other events in pieces");
    must(whole.fault.class == parts.fault.class && !strcmp(whole.fault.text, parts.fault.text), "another fault in pieces");
    const slm_answer *a = &whole.answer, *b = &parts.answer;
    must(a->text.size == b->text.size && a->n_calls == b->n_calls && a->prompt == b->prompt && a->output == b->output && a->reason == b->reason,
         "another answer in pieces");
    must(whole.fault.class == SLM_CLASS_NONE || whole.fault.text[0], "a fault without a message");
    check_calls(&whole);
    slm_sse_free(&whole.sse);
    slm_sse_free(&parts.sse);
    slm_answer_free(&whole.answer);
    slm_answer_free(&parts.answer);
    return 0;
}
