/* sse.c -- server-sent events: lines end with LF, CR or CRLF, fields gather into an event, a blank line sends it off.
 *
 * All works on bytes: a line, and a character in it, may span any number of pieces. An event whose blank line never came is discarded by the
 * rules; slm_sse_finish gives it all the same, because servers forget it, and whoever reads it checks that its JSON is whole.
 *
 * Source: html.spec.whatwg.org, server-sent events. Some gateways double the prefix ("data: data: {"), which is undone here. */
#include "sse.h"

#include <string.h>

void slm_sse_init(slm_sse *s, size_t limit, slm_sse_fn *event, void *user)
{
    *s = (slm_sse){ .event = event, .user = user };
    slm_bytes_init(&s->line, limit);
    slm_bytes_init(&s->data, limit);
}

void slm_sse_free(slm_sse *s)
{
    slm_bytes_free(&s->line);
    slm_bytes_free(&s->data);
}

static slm_sse_end dispatch(slm_sse *s)
{
    const bool has = s->has_data;
    const int stop = has ? s->event(s->user, s->name, slm_bytes_text(&s->data), s->data.size) : 0;
    s->data.size = 0;
    s->has_data = false;
    s->name[0] = 0;
    return stop ? SLM_SSE_STOPPED : SLM_SSE_MORE;
}

static bool is(const char *field, size_t n, const char *name)
{
    return n == strlen(name) && memcmp(field, name, n) == 0;
}

static void add_data(slm_sse *s, const char *value, size_t n)
{
    if (n >= 6 && memcmp(value, "data: ", 6) == 0) {
        value += 6;
        n -= 6;
    }
    if (s->has_data)
        (void)slm_bytes_add(&s->data, "\n", 1);
    (void)slm_bytes_add(&s->data, value, n);
    s->has_data = true;
}

static slm_sse_end one_line(slm_sse *s)
{
    const char *line = slm_bytes_text(&s->line);
    const size_t n = s->line.size;
    if (!n)
        return dispatch(s);
    const char *colon = memchr(line, ':', n);
    const size_t field = colon ? (size_t)(colon - line) : n;
    const char *value = colon ? colon + 1 : line + n;
    if (value < line + n && *value == ' ')
        value++;
    const size_t length = (size_t)(line + n - value);
    if (is(line, field, "data")) {
        add_data(s, value, length);
    } else if (is(line, field, "event")) {
        s->name[0] = 0;
        if (length < sizeof s->name && !memchr(value, 0, length)) {
            memcpy(s->name, value, length);
            s->name[length] = 0;
        }
    } else {
        s->comments++;
    }
    s->line.size = 0;
    return SLM_SSE_MORE;
}

static slm_sse_end trouble(const slm_sse *s)
{
    return s->line.memory || s->data.memory ? SLM_SSE_MEMORY : s->line.big || s->data.big ? SLM_SSE_BIG : SLM_SSE_MORE;
}

/* How many of the first bytes belong to a byte order mark. */
static size_t skip_mark(slm_sse *s, const char *bytes, size_t n)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t i = 0;
    while (s->begun < 3 && i < n && bytes[i] == mark[s->begun]) {
        s->begun++;
        i++;
    }
    if (s->begun < 3 && i < n) {                    /* it was none: its bytes belong to the first line */
        (void)slm_bytes_add(&s->line, mark, s->begun);
        s->begun = 3;
    }
    return i;
}

slm_sse_end slm_sse_feed(slm_sse *s, const char *bytes, size_t n)
{
    slm_sse_end end = SLM_SSE_MORE;
    size_t i = s->begun < 3 ? skip_mark(s, bytes, n) : 0;
    while (i < n && end == SLM_SSE_MORE) {
        if (s->cr && bytes[i] == '\n') {
            s->cr = false;
            i++;
            continue;
        }
        s->cr = false;
        size_t k = i;
        while (k < n && bytes[k] != '\n' && bytes[k] != '\r')
            k++;
        (void)slm_bytes_add(&s->line, bytes + i, k - i);
        end = trouble(s);                           /* a line that was too long is not an empty one */
        if (k < n && end == SLM_SSE_MORE) {
            s->cr = bytes[k] == '\r';
            end = one_line(s);
            s->line.size = 0;
            k++;
        }
        i = k;
        if (end == SLM_SSE_MORE)
            end = trouble(s);
    }
    return end;
}

slm_sse_end slm_sse_finish(slm_sse *s)
{
    slm_sse_end end = s->line.size ? one_line(s) : SLM_SSE_MORE;
    s->line.size = 0;
    if (end == SLM_SSE_MORE)
        end = trouble(s);
    return end == SLM_SSE_MORE ? dispatch(s) : end;
}
