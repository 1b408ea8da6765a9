/* trace.c -- parts are appended while a text is written; mapping walks them once. */
#include "text/trace.h"

#include <string.h>

void slm_trace_put(slm_trace *t, size_t out, size_t n_out, size_t in, size_t n_in, bool copied)
{
    if (!t->on || n_out == 0)
        return;
    const size_t n = t->parts.size / sizeof(slm_trace_part);
    const slm_trace_part *last = n ? (const slm_trace_part *)(const void *)t->parts.data + n - 1 : NULL;
    if (copied && last && last->end == SLM_TRACE_COPIED && last->in + (out - last->out) == in)
        return;
    const slm_trace_part part = { (uint32_t)out, (uint32_t)in, copied ? SLM_TRACE_COPIED : (uint32_t)(in + n_in) };
    slm_buf_add(&t->parts, &part, sizeof part);
}

void slm_trace_map(const slm_trace *t, slm_text_range *ranges, size_t n)
{
    const slm_trace_part *p = (const slm_trace_part *)(const void *)t->parts.data;
    const size_t parts = t->parts.size / sizeof *p;
    size_t b = 0, e = 0;
    for (size_t i = 0; i < n && parts; i++) {
        const bool empty = ranges[i].begin == ranges[i].end;
        const size_t begin = ranges[i].begin, end = empty ? begin : ranges[i].end - 1;    /* the last byte, not the one behind it */
        while (b + 1 < parts && p[b + 1].out <= begin)
            b++;
        while (e + 1 < parts && p[e + 1].out <= end)
            e++;
        ranges[i].begin = p[b].end == SLM_TRACE_COPIED ? p[b].in + (begin - p[b].out) : p[b].in;
        ranges[i].end = empty ? ranges[i].begin : p[e].end == SLM_TRACE_COPIED ? p[e].in + (end - p[e].out) + 1 : p[e].end;
    }
}
