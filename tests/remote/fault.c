/* fault.c -- see fault.h. A fault edits the right reply; what it cannot say so is a reply of its own. */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- where things stand in a reply ---- */

static long number(const play *p, long otherwise) { return *p->arg ? strtol(p->arg, NULL, 10) : otherwise; }
static bool anthropic(const play *p) { return p->a->wire == WIRE_ANTHROPIC; }

static json_t *first_choice(const event *e) { return json_array_get(json_object_get(e->data, "choices"), 0); }

/* Is it an event of the answer's text, or of a tool's arguments? */
static bool is_delta(const play *p, const event *e)
{
    if (anthropic(p))
        return e->name && strcmp(e->name, "content_block_delta") == 0;
    const json_t *delta = json_object_get(first_choice(e), "delta"), *text = json_object_get(delta, "content");
    return json_object_get(delta, "tool_calls") || json_string_length(text) > 0;
}

/* Number of the k-th of these, from 0; the last event if there are fewer. A whole body is event 0. */
static size_t delta_at(const play *p, size_t k)
{
    if (!p->r->stream)
        return 0;
    for (size_t i = 0; i < p->r->n; i++)
        if (is_delta(p, &p->r->events[i]) && k-- == 0)
            return i;
    return p->r->n - 1;
}

static void keep_until(play *p, size_t at)
{
    while (p->r->n > at)
        reply_remove(p->r, p->r->n - 1);
}

/* The text of an answer, wherever it stands, becomes this. */
static void set_text(play *p, json_t *text)
{
    event *e = &p->r->events[delta_at(p, 0)];
    if (anthropic(p)) {
        json_t *at = p->r->stream ? json_object_get(e->data, "delta") : json_array_get(json_object_get(e->data, "content"), 0);
        json_object_set_new(at, "text", text);
    } else {
        json_object_set_new(json_object_get(first_choice(e), p->r->stream ? "delta" : "message"), "content", text);
    }
}

/* The reason why the answer ended becomes this; NULL: none is given. */
static void set_finish(play *p, const char *finish)
{
    for (size_t i = 0; i < p->r->n; i++) {
        event *e = &p->r->events[i];
        json_t *at = anthropic(p) ? p->r->stream ? json_object_get(e->data, "delta") : e->data : first_choice(e);
        const char *key = anthropic(p) ? "stop_reason" : "finish_reason";
        if (json_is_string(json_object_get(at, key)))
            json_object_set_new(at, key, finish ? json_string(finish) : json_null());
    }
}

/* Runs edit on every usage object there is; the second argument is who holds it. */
static void each_usage(play *p, void (*edit)(json_t *usage, json_t *owner, const play *p))
{
    for (size_t i = 0; i < p->r->n; i++) {
        json_t *data = p->r->events[i].data, *message = json_object_get(data, "message");
        if (json_is_object(json_object_get(data, "usage")))
            edit(json_object_get(data, "usage"), data, p);
        if (json_is_object(json_object_get(message, "usage")))
            edit(json_object_get(message, "usage"), message, p);
    }
}

static const char *out_key(const play *p) { return anthropic(p) ? "output_tokens" : "completion_tokens"; }

/* The bytes of the body in place of an event's JSON; of a stream, the data of the second delta. */
static void raw_body(play *p, const char *text)
{
    const size_t at = delta_at(p, 1);
    event *e = &p->r->events[at];
    char *all = NULL;
    if (p->r->stream) {
        if (asprintf(&all, "%s%s%sdata: %s\n\n", e->name ? "event: " : "", e->name ? e->name : "", e->name ? "\n" : "", text) < 0)
            abort();
    } else {
        all = strdup(text);
    }
    json_decref(e->data);
    e->data = NULL;
    e->raw = all;
    e->raw_len = strlen(all);
}

static char *many(const char *head, const char *unit, size_t n, const char *tail)
{
    const size_t u = strlen(unit), h = strlen(head);
    char *all = malloc(h + n * u + strlen(tail) + 1);
    if (!all)
        abort();
    memcpy(all, head, h);
    memcpy(all + h, unit, n ? u : 0);
    for (size_t done = u; done < n * u; done *= 2)      /* doubling: a sanitizer looks at each call */
        memcpy(all + h + done, all + h, done < n * u - done ? done : n * u - done);
    strcpy(all + h + n * u, tail);
    return all;
}

/* ---- statuses ---- */

static void error_reply(play *p, int status, const char *type, const char *code, const char *message)
{
    json_t *e = answer_error(p->a->wire, status, type, code, message);
    char *text = json_dumps(e, JSON_COMPACT);
    reply_body(p->r, status, "application/json", text, strlen(text));
    free(text);
    json_decref(e);
}

static void status(play *p)
{
    static const struct { int status; const char *anthropic, *openai, *code; } rows[] = {
        { 400, "invalid_request_error", "invalid_request_error", NULL }, { 401, "authentication_error", "invalid_request_error", "invalid_api_key" },
        { 402, "billing_error", "insufficient_quota", "insufficient_quota" }, { 403, "permission_error", "permission_error", "unsupported_country" },
        { 404, "not_found_error", "invalid_request_error", "model_not_found" }, { 409, "conflict_error", "conflict", NULL },
        { 413, "request_too_large", "invalid_request_error", NULL }, { 429, "rate_limit_error", "requests", "rate_limit_exceeded" },
        { 500, "api_error", "server_error", NULL }, { 503, "api_error", "service_unavailable", "slow_down" },
        { 504, "timeout_error", "timeout", NULL }, { 529, "overloaded_error", "overloaded_error", NULL },
    };
    const int n = (int)number(p, 500);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == n) {
            error_reply(p, n, anthropic(p) ? rows[i].anthropic : rows[i].openai, rows[i].code, "the test server says no");
            return;
        }
    error_reply(p, n, "some_error", NULL, "the test server says no");
}

static void status_html(play *p)
{
    static const char page[] = "<!doctype html><html><head><title>Bad gateway</title></head><body>nginx</body></html>";
    reply_body(p->r, (int)number(p, 502), "text/html", page, sizeof page - 1);
}
static void status_empty(play *p) { reply_body(p->r, (int)number(p, 500), NULL, "", 0); }
static void status_flat(play *p)
{
    static const char text[] = "{\"object\":\"error\",\"message\":\"no such model\",\"type\":\"NotFoundError\",\"param\":null,\"code\":404}";
    reply_body(p->r, (int)number(p, 404), "application/json", text, sizeof text - 1);
}
static void status_huge(play *p)
{
    char *text = many("{\"error\":{\"message\":\"", "no ", 1u << 20, "\"}}");
    reply_body(p->r, (int)number(p, 400), "application/json", text, strlen(text));
    free(text);
}
static void limited(play *p) { error_reply(p, 429, anthropic(p) ? "rate_limit_error" : "requests", "rate_limit_exceeded", "too many requests"); }
static void retry_after(play *p)
{
    limited(p);
    reply_header(p->r, "Retry-After: %s", *p->arg ? p->arg : "1");
}
static void retry_ms(play *p)
{
    limited(p);
    reply_header(p->r, "retry-after-ms: %s", *p->arg ? p->arg : "50");
}
static void retry_date(play *p)
{
    char when[64];
    const time_t at = time(NULL) + number(p, 2);
    struct tm tm;
    limited(p);
    if (gmtime_r(&at, &tm) && strftime(when, sizeof when, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        reply_header(p->r, "Retry-After: %s", when);
}
static void rate_reset(play *p)
{
    limited(p);
    reply_header(p->r, "x-ratelimit-remaining-requests: 0");
    reply_header(p->r, "x-ratelimit-reset-requests: %s", *p->arg ? p->arg : "20ms");
}
static void quota(play *p) { error_reply(p, 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"); }
static void spend(play *p) { error_reply(p, 400, anthropic(p) ? "billing_error" : "billing_hard_limit_reached", "billing_hard_limit_reached", "spend limit reached"); }
static void context(play *p)
{
    error_reply(p, 400, "invalid_request_error", "context_length_exceeded", anthropic(p) ? "prompt is too long: 200001 tokens > 200000 maximum"
                                                                                       : "This model's maximum context length is 8192 tokens");
}
static void loading(play *p)
{
    static const char text[] = "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}";
    reply_body(p->r, 503, "application/json", text, sizeof text - 1);
}
static void overloaded(play *p) { error_reply(p, 529, "overloaded_error", NULL, "Overloaded"); }
static void never_retry(play *p)
{
    error_reply(p, 500, "api_error", NULL, "do not come back");
    reply_header(p->r, "x-should-retry: false");
}
static void do_retry(play *p)
{
    error_reply(p, 400, "invalid_request_error", NULL, "come back");
    reply_header(p->r, "x-should-retry: true");
}
static void redirect(play *p)
{
    reply_body(p->r, (int)number(p, 307), "text/plain", "elsewhere", 9);
    reply_header(p->r, "Location: http://127.0.0.1:%d/redirected/v1/chat/completions", p->redirect);
}
static void no_content(play *p) { reply_body(p->r, 204, NULL, "", 0); }
static void proxy_asks(play *p)
{
    status_html(p);
    p->r->status = 407;
    reply_header(p->r, "Proxy-Authenticate: Basic realm=\"x\"");
}

/* ---- connection and time ---- */

static void nothing(play *p)
{
    reply_clear(p->r);
    p->r->status = 0;
    p->r->framing = FRAME_CLOSE;
}
static void close_before(play *p) { nothing(p), p->r->end = END_CLOSE; }
static void reset_before(play *p) { nothing(p), p->r->end = END_RESET; }
static void stall(play *p) { nothing(p), p->r->end = END_HOLD; }
static void stall_head(play *p)
{
    stall(p);
    p->r->first = strdup("HTTP/1.1 200 OK\r\nContent-Ty");
}
static void cut_head(play *p)
{
    close_before(p);
    p->r->first = strdup("HTTP/1.1 200 OK\r\nContent-Ty");
}
static void stall_mid(play *p)
{
    size_t half = 0;
    if (p->r->stream)
        keep_until(p, delta_at(p, (size_t)number(p, 2)));
    else
        half = 20;
    p->r->end = END_HOLD;
    p->r->cut = half ? half : SIZE_MAX;
    if (!half)
        p->r->framing = FRAME_CLOSE;
}
static void stall_start(play *p)
{
    if (p->r->stream)
        keep_until(p, delta_at(p, 0));
    p->r->cut = p->r->stream ? SIZE_MAX : 0;
    p->r->framing = p->r->stream ? FRAME_CLOSE : FRAME_LENGTH;
    p->r->end = END_HOLD;
}
static void only(play *p, const char *text, unsigned every)
{
    if (p->r->stream) {
        keep_until(p, delta_at(p, 0));
        reply_add_raw(p->r, p->r->n, text);
    } else {
        reply_clear(p->r);
        p->r->framing = FRAME_CHUNKED;
        reply_add_raw(p->r, 0, " ");
    }
    p->r->endless = true;
    p->r->each = every;
}
static void pings(play *p) { only(p, anthropic(p) ? "event: ping\ndata: {\"type\":\"ping\"}\n\n" : ": keep-alive\n\n", (unsigned)number(p, 50)); }
static void endless_comments(play *p) { only(p, ": nothing to say but I say it at some length, for the tenth time\n\n", 0); }
static void drip(play *p) { p->r->drip = (unsigned)number(p, 100) * 1000; }
static void split(play *p) { p->r->drip = 1; }
static void slow(play *p) { p->r->each = (unsigned)number(p, 20); }
static void late(play *p) { p->r->before_head = (unsigned)number(p, 300); }
static void cut(play *p, int end)
{
    p->r->end = end;
    if (p->r->stream)
        keep_until(p, delta_at(p, 2));
    p->r->cut = p->r->stream ? SIZE_MAX : 40;
    if (p->r->stream)
        p->r->framing = FRAME_CLOSE;
}
static void cut_body(play *p) { cut(p, END_CLOSE); }
static void cut_reset(play *p) { cut(p, END_RESET); }
static void cut_chunk(play *p)            /* inside a chunk: the transport knows that something is missing */
{
    p->r->framing = FRAME_CHUNKED;
    p->r->cut = p->r->stream ? 700 : 40;
    p->r->chunk = "400";
    p->r->end = END_CLOSE;
}
static void cut_clean(play *p)            /* the transport ends well, the answer does not */
{
    if (p->r->stream)
        keep_until(p, delta_at(p, 2));
    else
        reply_body(p->r, 200, "application/json", "{\"id\":\"x\",\"choices\":[{\"index\":0,\"mess", 38);
}
static void close_after(play *p) { p->r->end = END_CLOSE; }
static void says_close(play *p)
{
    reply_header(p->r, "Connection: close");
    p->r->end = END_CLOSE;
}

/* ---- HTTP ---- */

static void http10(play *p)
{
    p->r->version = "HTTP/1.0";
    p->r->framing = FRAME_CLOSE;
    p->r->end = END_CLOSE;
}
static void say(play *p, const char *text)
{
    close_before(p);
    p->r->first = strdup(text);
}
static void http09(play *p) { say(p, "{\"choices\":[]}"); }
static void garbage(play *p) { say(p, "\x16\x03\x01 SSH-2.0-x \xff\xfe\r\n\r\n"); }
static void bad_version(play *p) { p->r->version = "HTTP/7.3"; }
static void bad_status(play *p) { say(p, "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"); }
static void status_1000(play *p) { say(p, "HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n"); }
static void first_100(play *p) { p->r->first = strdup("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"); }
static void endless_100(play *p) { p->r->first = many("", "HTTP/1.1 100 Continue\r\n\r\n", 400000, ""); }
static void big_header(play *p)
{
    char *line = many("X-Big: ", "0123456789abcdef", 8192, "");
    reply_header(p->r, "%s", line);
    free(line);
}
static void many_headers(play *p)
{
    char *lines = many("X-0: 0", "\r\nX-Many: 0123456789", 20000, "");
    reply_header(p->r, "%s", lines);
    free(lines);
}
static void endless_header(play *p)
{
    close_before(p);
    p->r->first = many("HTTP/1.1 200 OK\r\nX: ", "0123456789abcdef", 1u << 20, "");
}
static void length_twice(play *p)
{
    p->r->framing = FRAME_LENGTH;
    p->r->end = END_CLOSE;
    reply_header(p->r, "Content-Length: 3");
}
static void length_negative(play *p)
{
    p->r->framing = FRAME_CLOSE;
    reply_header(p->r, "Content-Length: -1");
}
static void length_huge(play *p)
{
    p->r->framing = FRAME_CLOSE;
    reply_header(p->r, "Content-Length: 9223372036854775807");
}
static void length_short(play *p)
{
    p->r->framing = FRAME_LENGTH;
    p->r->length_off = -5;
    p->r->end = END_CLOSE;
}
static void chunk_garbage(play *p) { p->r->framing = FRAME_CHUNKED, p->r->chunk = "zz", p->r->end = END_CLOSE; }
static void chunk_short(play *p) { p->r->framing = FRAME_CHUNKED, p->r->chunk = "3", p->r->end = END_CLOSE; }
static void chunk_huge(play *p) { p->r->framing = FRAME_CHUNKED, p->r->chunk = "fffffffffffffffff", p->r->end = END_CLOSE; }
static void chunk_negative(play *p) { p->r->framing = FRAME_CHUNKED, p->r->chunk = "-1", p->r->end = END_CLOSE; }
static void two_replies(play *p)
{
    p->r->last = strdup("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"
                        "{\"choices\":[{\"message\":{\"content\":\"no\"}}]}");
}

/* A gzip member that says `size` times the same byte: one literal, then matches of 258 bytes at distance 1, 13 bits each (RFC 1951). */
static char *bomb(size_t size, size_t *n)
{
    static const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };
    const size_t room = size / 258 * 13 / 8 + 64;
    unsigned char *out = calloc(1, room);
    size_t bit = 8 * sizeof head;
    if (!out)
        abort();
    memcpy(out, head, sizeof head);
#define PUT(value, bits) for (unsigned b_ = 0; b_ < (bits); b_++, bit++) out[bit / 8] = (unsigned char)(out[bit / 8] | ((unsigned)(value) >> b_ & 1u) << bit % 8)
    PUT(3, 3);                                /* the last block, fixed codes */
    PUT(0x0a, 8);                             /* a blank is literal 0x20: code 0x50, first bit first */
    for (size_t i = 0; i < size / 258; i++) {
        PUT(0xa3, 8);                         /* length 258 is symbol 285: code 0xc5 */
        PUT(0, 5);                            /* distance 1 */
    }
    PUT(0, 7);
#undef PUT
    *n = bit / 8 + 9;
    return (char *)out;
}
static void gzip(play *p)
{
    size_t n;
    char *bytes = bomb((size_t)number(p, 1000) * 1000, &n);
    const bool stream = p->r->stream;
    reply_body(p->r, 200, stream ? "text/event-stream" : "application/json", bytes, n);
    reply_header(p->r, "Content-Encoding: gzip");
    free(bytes);
}
static void encoding(play *p) { reply_header(p->r, "Content-Encoding: %s", *p->arg ? p->arg : "br"); }

/* ---- bodies and streams ---- */

static void html(play *p)
{
    status_html(p);
    p->r->status = 200;
}
static void type(play *p) { p->r->type = strcmp(p->arg, "plain") == 0 ? "text/plain" : strcmp(p->arg, "image") == 0 ? "image/png" : NULL; }
static void type_json(play *p) { p->r->type = "application/json"; }
static void empty(play *p) { reply_body(p->r, 200, p->r->type, "", 0); }
static void bad_json(play *p) { raw_body(p, "{\"choices\":[{\"index\":0,,}]"); }
static void json_nan(play *p) { raw_body(p, "{\"choices\":[{\"index\":NaN,\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":Infinity}}"); }
static void json_array_top(play *p) { raw_body(p, "[1,2,3]"); }
static void json_number(play *p) { raw_body(p, "42"); }
static void json_trailing(play *p) { raw_body(p, "{\"choices\":[]} and more"); }
static void json_nul(play *p) { raw_body(p, "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\u0000b\"},\"message\":{\"content\":\"a\\u0000b\"},\"finish_reason\":\"stop\"}],"
                                           "\"type\":\"content_block_delta\",\"index\":0,\"content\":[{\"type\":\"text\",\"text\":\"a\\u0000b\"}],\"stop_reason\":\"end_turn\"}"); }
static void json_surrogate(play *p) { raw_body(p, "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud800\"},\"message\":{\"content\":\"\\ud800\"}}],"
                                                 "\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\\ud800\"}}"); }
static void json_twice(play *p) { raw_body(p, "{\"choices\":[],\"type\":\"ping\",\"choices\":[{\"index\":0}],\"type\":\"pong\"}"); }
static void json_types(play *p)
{
    raw_body(p, anthropic(p) ? p->r->stream ? "{\"type\":\"content_block_delta\",\"index\":\"0\",\"delta\":\"text\"}" : "{\"type\":7,\"content\":\"text\",\"usage\":[]}"
                             : "{\"choices\":\"none\",\"usage\":[]}");
}
static void json_content_number(play *p) { set_text(p, json_integer(7)); }
static void raw_many(play *p, const char *head, const char *unit, size_t n, const char *tail)
{
    char *text = many(head, unit, n, tail);
    raw_body(p, text);
    free(text);
}
static void json_deep(play *p) { raw_many(p, "{\"choices\":", "[", (size_t)number(p, 100000), ""); }
static void json_many(play *p) { raw_many(p, "{\"x\":[0", ",0", 400000, "]}"); }
static void big_body(play *p) { raw_many(p, "{\"x\":\"", "0123456789abcdef", (size_t)number(p, 20) << 16, "\"}"); }   /* = MiB */
static void big_event(play *p) { raw_many(p, "{\ndata: ", "\"0123456789abcdef\",\ndata: ", 100000, "}"); }
static void endless_line(play *p)
{
    only(p, "data: 0123456789abcdef0123456789abcdef", 0);
    p->r->events[p->r->n - 1].raw[0] = 'x';
}
static void endless(play *p)
{
    const size_t at = delta_at(p, 0);
    if (p->r->stream)
        keep_until(p, at + 1);
    else
        only(p, "", 0);
    p->r->endless = true;
    p->r->each = (unsigned)number(p, 0);
}
static void utf8_bad(play *p)
{
    set_text(p, json_string("BAD"));
    event *e = &p->r->events[delta_at(p, 0)];
    char *text = json_dumps(e->data, JSON_COMPACT), *at = text ? strstr(text, "BAD") : NULL;
    if (!at)
        abort();
    memcpy(at, "\xc3\x28\xff", 3);
    const size_t k = delta_at(p, 0), second = delta_at(p, 1);
    if (k != second) {              /* raw_body writes the second delta: the bytes are as wrong there */
        reply_remove(p->r, second);
        reply_add(p->r, second);
        p->r->events[second].name = p->r->events[k].name;
    }
    raw_body(p, text);
    free(text);
}
static void utf8_split(play *p)     /* right, and its characters are cut by every border there is */
{
    set_text(p, json_string("gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa2 \xe2\x82\xac"));
    p->r->drip = 1;
}

/* ---- server-sent events ---- */

static void crlf(play *p) { p->r->line_end = "\r\n"; }
static void cr(play *p) { p->r->line_end = "\r"; }
static void no_blank(play *p) { p->r->colon = ":"; }
static void bom(play *p)
{
    if (p->r->stream)
        reply_add_raw(p->r, 0, "\xef\xbb\xbf");
}
static void between(play *p, const char *text)
{
    for (size_t i = p->r->stream ? p->r->n : 0; i-- > 0;)
        reply_add_raw(p->r, i, text);
}
static void comments(play *p) { between(p, ": keep-alive\n\n:\n"); }
static void odd_events(play *p) { between(p, "id: 7\nretry: 10\nevent: something_new\ndata: {\"type\":\"something_new\",\"x\":[1]}\n\nnonsense\n\n"); }
static void glued(play *p)          /* all events in one write */
{
    if (!p->r->stream)
        return;
    char *all = NULL;
    size_t len;
    FILE *f = open_memstream(&all, &len);
    if (!f)
        abort();
    for (size_t i = 0; i < p->r->n; i++) {
        const event *e = &p->r->events[i];
        char *data = e->data ? json_dumps(e->data, JSON_COMPACT) : NULL;
        if (e->raw)
            (void)fwrite(e->raw, 1, e->raw_len, f);
        else
            (void)fprintf(f, "%s%s%sdata: %s\n\n", e->name ? "event: " : "", e->name ? e->name : "", e->name ? "\n" : "", data);
        free(data);
    }
    (void)fclose(f);
    reply_clear(p->r);
    reply_add_raw(p->r, 0, all);
    free(all);
}
static void prefix_twice(play *p)
{
    if (p->r->stream) {
        char *data = json_dumps(p->r->events[delta_at(p, 1)].data, JSON_COMPACT), *all = NULL;
        if (asprintf(&all, "data: %s", data) < 0)
            abort();
        raw_body(p, all);
        free(all);
        free(data);
    }
}
static void twice(play *p)          /* one delta twice */
{
    const size_t at = delta_at(p, 0);
    if (!p->r->stream)
        return;
    const char *name = p->r->events[at].name;
    reply_add_json(p->r, at, name, json_deep_copy(p->r->events[at].data));
}
static void no_done(play *p)
{
    if (p->r->stream && !anthropic(p))
        reply_remove(p->r, p->r->n - 1);
}
static void no_finish(play *p)      /* the end mark, and no reason before it */
{
    for (size_t i = p->r->stream ? p->r->n : 0; i-- > 0;) {
        const event *e = &p->r->events[i];
        if (anthropic(p) ? e->name && strcmp(e->name, "message_delta") == 0 : json_is_string(json_object_get(first_choice(e), "finish_reason")))
            reply_remove(p->r, i);
    }
    set_finish(p, NULL);
}
static void no_end_blank(play *p)   /* the stream ends inside its last event, whose JSON is whole */
{
    if (p->r->stream && !anthropic(p)) {
        reply_remove(p->r, p->r->n - 1);
        char *data = json_dumps(p->r->events[p->r->n - 1].data, JSON_COMPACT), *all = NULL;
        if (asprintf(&all, "data: %s", data) < 0)
            abort();
        free(data);
        reply_remove(p->r, p->r->n - 1);
        reply_add_raw(p->r, p->r->n, all);
        free(all);
    }
}
static void after_done(play *p)
{
    if (p->r->stream)
        reply_add_raw(p->r, p->r->n, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" AND MORE\"}}]}\n\n"
                                     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                                     "{\"type\":\"text_delta\",\"text\":\" AND MORE\"}}\n\n");
}
static void error_at(play *p, size_t at)
{
    const char *what = *p->arg ? p->arg : "overloaded_error";
    const int code = strcmp(what, "rate_limit_error") == 0 ? 429 : strcmp(what, "invalid_request_error") == 0 ? 400 : 529;
    keep_until(p, at);
    reply_add_json(p->r, p->r->n, "error", answer_error(p->a->wire, code, what, what, "in the middle of it"));
}
static void error_first(play *p) { error_at(p, p->r->stream && anthropic(p) ? 1 : 0); }
static void error_mid(play *p) { error_at(p, p->r->stream ? delta_at(p, 2) : 0); }

/* ---- what an answer says ---- */

static void other_model(play *p)
{
    for (size_t i = 0; i < p->r->n; i++) {
        json_t *message = json_object_get(p->r->events[i].data, "message");
        json_t *at = anthropic(p) && p->r->stream ? message : p->r->events[i].data;
        if (json_object_get(at, "model"))
            json_object_set_new(at, "model", json_string("another-model"));
    }
}
static void other_id(play *p)
{
    if (p->r->stream && !anthropic(p))
        json_object_set_new(p->r->events[delta_at(p, 2)].data, "id", json_string("chatcmpl-of-somebody-else"));
}
static void unknown(play *p)
{
    for (size_t i = 0; i < p->r->n; i++)
        if (p->r->events[i].data) {
            json_object_set_new(p->r->events[i].data, "obfuscation", json_string("aZ09"));
            json_object_set_new(p->r->events[i].data, "future", json_pack("{s:[i,n,{s:f}]}", "a", 1, "b", 2.5));
        }
}
static void finish(play *p) { set_finish(p, *p->arg ? p->arg : "because"); }
static void refusal(play *p)
{
    if (anthropic(p)) {
        set_finish(p, "refusal");
        return;
    }
    const size_t at = delta_at(p, 0);
    set_text(p, json_null());
    json_object_set_new(json_object_get(first_choice(&p->r->events[at]), p->r->stream ? "delta" : "message"), "refusal", json_string("I will not."));
    if (p->r->stream)
        for (size_t i = p->r->n; i-- > 0;)
            if (json_string_length(json_object_get(json_object_get(first_choice(&p->r->events[i]), "delta"), "content")) > 0)
                reply_remove(p->r, i);
}
static void no_choices(play *p)
{
    if (p->r->stream) {
        keep_until(p, anthropic(p) ? 1 : 0);
        if (anthropic(p)) {
            reply_add_json(p->r, p->r->n, "message_delta", json_pack("{s:s,s:{s:s},s:{s:i}}", "type", "message_delta", "delta", "stop_reason", "end_turn", "usage", "output_tokens", 2));
            reply_add_json(p->r, p->r->n, "message_stop", json_pack("{s:s}", "type", "message_stop"));
        } else {
            reply_add_raw(p->r, 0, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[]}\n\ndata: [DONE]\n\n");
        }
    } else {
        json_object_set_new(p->r->events[0].data, anthropic(p) ? "content" : "choices", json_array());
        json_object_del(p->r->events[0].data, "usage");
    }
}
static void no_text(play *p)
{
    for (size_t i = p->r->stream ? p->r->n : 0; i-- > 0;)
        if (is_delta(p, &p->r->events[i]))
            reply_remove(p->r, i);
    if (!p->r->stream)
        set_text(p, anthropic(p) ? json_string("") : json_null());
}
static void new_block(play *p)      /* a kind of block that does not exist yet, before the text */
{
    if (!anthropic(p) || !p->r->stream)
        return;
    for (size_t i = 0; i < p->r->n; i++) {                   /* the text is block 1 */
        json_t *index = json_object_get(p->r->events[i].data, "index");
        if (index)
            json_object_set_new(p->r->events[i].data, "index", json_integer(1));
    }
    reply_add_raw(p->r, 1, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"dream\"}}\n\n"
                           "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"dream_delta\",\"dream\":\"x\"}}\n\n"
                           "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
}
static void blocks(play *p)         /* =early: a delta before its start; =late: after its stop; =type: of another kind; =twice: started twice */
{
    if (!anthropic(p) || !p->r->stream)
        return;
    const size_t at = delta_at(p, 0);
    if (strcmp(p->arg, "late") == 0)
        reply_add_json(p->r, p->r->n - 1, "content_block_delta", json_deep_copy(p->r->events[at].data));
    else if (strcmp(p->arg, "type") == 0)
        json_object_set_new(p->r->events[at].data, "delta", json_pack("{s:s,s:s}", "type", "input_json_delta", "partial_json", "{}"));
    else if (strcmp(p->arg, "twice") == 0)
        reply_add_json(p->r, 2, "content_block_start", json_deep_copy(p->r->events[1].data));
    else if (strcmp(p->arg, "headless") == 0)
        reply_remove(p->r, 0);
    else
        reply_remove(p->r, 1);
}

/* ---- tool calls: the request asks for one ---- */

static json_t *call_at(const play *p, size_t i)
{
    const json_t *choice = first_choice(&p->r->events[i]);
    return json_array_get(json_object_get(json_object_get(choice, p->r->stream ? "delta" : "message"), "tool_calls"), 0);
}
static void tool(play *p)           /* =order =noindex =gap =huge =badjson =object =again */
{
    const size_t at = delta_at(p, 0), last = p->r->stream ? at + 2 : at;
    const char *how = p->arg;
    if (strcmp(how, "badjson") == 0) {
        if (anthropic(p) && p->r->stream)
            json_object_set_new(json_object_get(p->r->events[delta_at(p, 1)].data, "delta"), "partial_json", json_string("{{"));
        else if (!anthropic(p))
            json_object_set_new(json_object_get(call_at(p, p->r->stream ? last : 0), "function"), "arguments", json_string("{{"));
        return;
    }
    if (anthropic(p))
        return;
    if (strcmp(how, "object") == 0) {
        json_object_set_new(json_object_get(call_at(p, at), "function"), "arguments", json_pack("{s:s}", "city", "text"));
        for (size_t i = last; i > at; i--)
            reply_remove(p->r, i);
    } else if (p->r->stream && strcmp(how, "order") == 0) {
        const event e = p->r->events[at];
        memmove(p->r->events + at, p->r->events + at + 1, 2 * sizeof e);
        p->r->events[last] = e;
    } else if (p->r->stream && strcmp(how, "again") == 0) {
        reply_add_json(p->r, at, NULL, json_deep_copy(p->r->events[at].data));
    } else if (p->r->stream) {
        for (size_t i = at; i <= last; i++)
            if (strcmp(how, "noindex") == 0)
                json_object_del(call_at(p, i), "index");
            else
                json_object_set_new(call_at(p, i), "index", strcmp(how, "gap") == 0 ? json_integer(5) : json_integer(4000000000));
    }
}

/* ---- usage ---- */

static void drop(json_t *u, json_t *owner, const play *p) { (void)u, (void)p, json_object_del(owner, "usage"); }
static void null(json_t *u, json_t *owner, const play *p) { (void)u, (void)p, json_object_set_new(owner, "usage", json_null()); }
static void as_text(json_t *u, json_t *owner, const play *p) { (void)u, (void)p, json_object_set_new(owner, "usage", json_string("a lot")); }
static void negative(json_t *u, json_t *owner, const play *p) { (void)owner, json_object_set_new(u, out_key(p), json_integer(-5)); }
static void fraction(json_t *u, json_t *owner, const play *p) { (void)owner, json_object_set_new(u, out_key(p), json_real(2.5)); }
static void huge(json_t *u, json_t *owner, const play *p) { (void)owner, json_object_set_new(u, out_key(p), json_integer(INT64_MAX)); }
static void wrong_sum(json_t *u, json_t *owner, const play *p) { (void)owner, (void)p, json_object_set_new(u, "total_tokens", json_integer(3)); }
static void usage(play *p)
{
    static const struct { const char *name; void (*edit)(json_t *, json_t *, const play *); } rows[] = {
        { "none", drop }, { "null", null }, { "text", as_text }, { "negative", negative }, { "fraction", fraction }, { "huge", huge }, { "sum", wrong_sum },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(p->arg, rows[i].name) == 0)
            each_usage(p, rows[i].edit);
}
static void usage_twice(play *p)
{
    for (size_t i = p->r->stream ? p->r->n : 0; i-- > 0;)
        if (json_is_object(json_object_get(p->r->events[i].data, "usage"))) {
            reply_add_json(p->r, i, p->r->events[i].name, json_deep_copy(p->r->events[i].data));
            return;
        }
}

static void right(play *p) { (void)p; }

const fault faults[] = {
    { "ok", "the right answer", right },
    { "status", "=N: an error of this status; a number alone means the same", status },
    { "html", "status 200 and a page", html },
    { "status_html", "=N: an error of this status with a page", status_html },
    { "status_empty", "=N: an error of this status without a body", status_empty },
    { "status_flat", "=N: the error object not wrapped", status_flat },
    { "status_huge", "=N: an error body of 3 MiB", status_huge },
    { "retry_after", "=TEXT: 429 with this Retry-After", retry_after },
    { "retry_ms", "=N: 429 with retry-after-ms", retry_ms },
    { "retry_date", "=S: 429 with the date S seconds from now", retry_date },
    { "rate_reset", "=TIME: 429 with x-ratelimit-reset-requests", rate_reset },
    { "quota", "429, the credit is gone", quota },
    { "spend", "400, the spend limit is reached", spend },
    { "context", "400, too long", context },
    { "loading", "503 while the model is loaded", loading },
    { "overloaded", "529", overloaded },
    { "never_retry", "500 with x-should-retry: false", never_retry },
    { "do_retry", "400 with x-should-retry: true", do_retry },
    { "redirect", "=N: to another port", redirect },
    { "204", "no content", no_content },
    { "407", "as a proxy would ask", proxy_asks },
    { "close_before", "closes after the request", close_before },
    { "reset_before", "resets after the request", reset_before },
    { "stall", "never answers", stall },
    { "stall_head", "stalls in the head", stall_head },
    { "cut_head", "closes in the head", cut_head },
    { "stall_start", "stalls after the head", stall_start },
    { "stall_mid", "=N: stalls after N deltas", stall_mid },
    { "pings", "=MS: nothing but keep-alives, every MS", pings },
    { "endless_comments", "comments as fast as they go", endless_comments },
    { "drip", "=MS: a byte every MS", drip },
    { "split", "the right answer, a byte a write", split },
    { "slow", "=MS: the right answer, an event every MS", slow },
    { "late", "=MS: the right answer, after MS", late },
    { "cut_body", "closes in the middle", cut_body },
    { "cut_reset", "resets in the middle", cut_reset },
    { "cut_chunk", "closes inside a chunk", cut_chunk },
    { "cut_clean", "ends well as HTTP, not as an answer", cut_clean },
    { "close_after", "the right answer, then closes without having said so", close_after },
    { "says_close", "the right answer, Connection: close", says_close },
    { "http10", "the right answer in HTTP/1.0", http10 },
    { "http09", "a body without a head", http09 },
    { "garbage", "no HTTP at all", garbage },
    { "bad_version", "HTTP/7.3", bad_version },
    { "bad_status", "a status that is no number", bad_status },
    { "status_1000", "a status of four digits", status_1000 },
    { "first_100", "100 and 103 before the right answer", first_100 },
    { "endless_100", "400,000 times 100", endless_100 },
    { "big_header", "a header line of 128 KiB", big_header },
    { "many_headers", "400 KB of headers", many_headers },
    { "endless_header", "a header line of 16 MiB", endless_header },
    { "length_twice", "two Content-Length that differ", length_twice },
    { "length_negative", "Content-Length: -1", length_negative },
    { "length_huge", "Content-Length: 2^63-1", length_huge },
    { "length_short", "Content-Length five too small", length_short },
    { "chunk_garbage", "a chunk of size zz", chunk_garbage },
    { "chunk_short", "a chunk longer than its size", chunk_short },
    { "chunk_huge", "a chunk of 2^68 bytes", chunk_huge },
    { "chunk_negative", "a chunk of size -1", chunk_negative },
    { "two_replies", "the right answer and a second one", two_replies },
    { "gzip", "=KB: compressed unasked, so many blanks", gzip },
    { "encoding", "=NAME: says it is compressed", encoding },
    { "type", "=plain|image|none: another Content-Type", type },
    { "type_json", "a stream as application/json", type_json },
    { "empty", "an empty body", empty },
    { "bad_json", "JSON with two commas", bad_json },
    { "json_nan", "NaN and Infinity", json_nan },
    { "json_array", "an array where an object belongs", json_array_top },
    { "json_number", "a number where an object belongs", json_number },
    { "json_trailing", "text after the JSON", json_trailing },
    { "json_nul", "NUL in the text", json_nul },
    { "json_surrogate", "half a surrogate pair", json_surrogate },
    { "json_twice", "keys twice", json_twice },
    { "json_types", "strings where arrays belong", json_types },
    { "json_content", "a number where text belongs", json_content_number },
    { "json_deep", "=N: so many brackets", json_deep },
    { "json_many", "400,000 values", json_many },
    { "big_body", "=MIB: a body, or a line, of so many MiB", big_body },
    { "big_event", "an event of 100,000 lines", big_event },
    { "endless_line", "a line that does not end", endless_line },
    { "endless", "=MS: deltas that do not end", endless },
    { "utf8_bad", "text that is not UTF-8", utf8_bad },
    { "utf8_split", "characters cut by every border", utf8_split },
    { "crlf", "lines end with CRLF", crlf },
    { "cr", "lines end with CR", cr },
    { "no_blank", "no blank after the colon", no_blank },
    { "bom", "a byte order mark first", bom },
    { "comments", "comments between the events", comments },
    { "odd_events", "events and fields nobody knows", odd_events },
    { "glued", "all events in one write", glued },
    { "prefix_twice", "data: data:", prefix_twice },
    { "twice", "one delta twice", twice },
    { "no_done", "no end mark after the reason", no_done },
    { "no_finish", "no reason before the end mark", no_finish },
    { "no_end_blank", "the stream ends inside its last event", no_end_blank },
    { "after_done", "more after the end mark", after_done },
    { "error_first", "=TYPE: 200, and an error before any text", error_first },
    { "error_mid", "=TYPE: 200, and an error after two deltas", error_mid },
    { "other_model", "another model answered", other_model },
    { "other_id", "an event of another answer", other_id },
    { "unknown", "keys nobody knows", unknown },
    { "finish", "=REASON: why it ended", finish },
    { "refusal", "a refusal", refusal },
    { "no_choices", "no choice at all", no_choices },
    { "no_text", "an answer without text", no_text },
    { "new_block", "a kind of block that does not exist yet", new_block },
    { "block", "=early|late|type|twice|headless: blocks in disorder", blocks },
    { "tool", "=order|noindex|gap|huge|badjson|object|again: tool calls in disorder", tool },
    { "usage", "=none|null|text|negative|fraction|huge|sum: what was used", usage },
    { "usage_twice", "usage twice", usage_twice },
    { "", NULL, NULL }
};

static const struct { const char *name; unsigned odd; } servers[] = {
    { "vllm", ODD_VLLM }, { "llama", ODD_LLAMA }, { "ollama", ODD_OLLAMA }, { "lmstudio", ODD_LMSTUDIO }, { "openrouter", ODD_OPENROUTER },
};

void fault_prepare(ask *a, const char *name)
{
    if (strncmp(name, "words=", 6) == 0)
        a->words = strtoul(name + 6, NULL, 10);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strcmp(name, servers[i].name) == 0)
            a->odd |= servers[i].odd;
}

bool fault_apply(play *p, const char *name)
{
    char key[64];
    const size_t n = strcspn(name, "=");
    if (n >= sizeof key)
        return false;
    memcpy(key, name, n);
    key[n] = 0;
    p->arg = name[n] ? name + n + 1 : "";
    for (const fault *f = faults; *f->name; f++)
        if (strcmp(f->name, key) == 0) {
            f->edit(p);
            return true;
        }
    if (n == 3 && strspn(key, "0123456789") == 3) {
        p->arg = key;
        status(p);
        return true;
    }
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        if (strcmp(servers[i].name, key) == 0)
            return true;
    return strcmp(key, "words") == 0;
}
