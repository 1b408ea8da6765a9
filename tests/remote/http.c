/* http.c -- see http.h. Blocking sockets, a thread a connection. */
#include "http.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum { HEAD_MAX = 256 * 1024, BODY_MAX = 64 * 1024 * 1024, HOLD_MS = 120000, SEND_MAX = 1 << 30 };

/* ---- connections ---- */

bool conn_write(conn *c, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0 && !c->gone) {
        const size_t want = n < 1 << 20 ? n : 1 << 20;
        const ssize_t done = c->ssl ? SSL_write(c->ssl, p, (int)want) : send(c->fd, p, want, MSG_NOSIGNAL);
        if (done <= 0) {
            if (!c->ssl && errno == EINTR)
                continue;
            c->gone = true;
            break;
        }
        p += done;
        n -= (size_t)done;
    }
    return !c->gone;
}

bool conn_pause(conn *c, unsigned ms)
{
    struct pollfd p = { c->fd, POLLRDHUP, 0 };
    if (c->gone || ms == 0)
        return !c->gone;
    if (poll(&p, 1, (int)ms) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
        c->gone = true;
    return !c->gone;
}

void conn_reset(conn *c)
{
    const struct linger none = { 1, 0 };
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

/* At least one byte more; false at the end of the connection or after a minute of nothing. */
static bool more(conn *c)
{
    if (c->room - c->have < 4096) {
        const size_t room = c->room ? 2 * c->room : 16384;
        char *in = room <= HEAD_MAX + BODY_MAX + 65536 ? realloc(c->in, room) : NULL;
        if (!in)
            return false;
        c->in = in;
        c->room = room;
    }
    struct pollfd p = { c->fd, POLLIN, 0 };
    if (!(c->ssl && SSL_pending(c->ssl)) && poll(&p, 1, 60000) <= 0)
        return false;
    const size_t free_room = c->room - c->have - 1;
    const ssize_t n = c->ssl ? SSL_read(c->ssl, c->in + c->have, (int)free_room) : recv(c->fd, c->in + c->have, free_room, 0);
    if (n <= 0)
        return false;
    c->have += (size_t)n;
    c->in[c->have] = 0;
    return true;
}

static void used(conn *c, size_t n)
{
    memmove(c->in, c->in + n, c->have - n + 1);
    c->have -= n;
}

/* ---- requests ---- */

const char *request_header(const request *q, const char *name, char *buf, size_t room)
{
    const size_t n = strlen(name);
    buf[0] = 0;
    for (const char *line = q->headers; line && *line;) {
        const char *end = strstr(line, "\r\n");
        if (!end)
            break;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            const char *value = line + n + 1;
            while (*value == ' ')
                value++;
            const size_t len = (size_t)(end - value) < room ? (size_t)(end - value) : room - 1;
            memcpy(buf, value, len);
            buf[len] = 0;
            break;
        }
        line = end + 2;
    }
    return buf;
}

/* A body in chunks, from c->in into q->body. */
static bool read_chunks(conn *c, request *q)
{
    for (;;) {
        char *line;
        while (!(line = c->have ? strstr(c->in, "\r\n") : NULL))
            if (!more(c))
                return false;
        const unsigned long size = strtoul(c->in, NULL, 16);
        used(c, (size_t)(line + 2 - c->in));
        if (size > BODY_MAX || q->len + size > BODY_MAX)
            return false;
        while (c->have < size + 2)
            if (!more(c))
                return false;
        char *body = realloc(q->body, q->len + size + 1);
        if (!body)
            return false;
        q->body = body;
        memcpy(q->body + q->len, c->in, size);
        q->len += size;
        q->body[q->len] = 0;
        used(c, size + 2);
        if (size == 0)
            return true;
    }
}

bool request_read(conn *c, request *q)
{
    char value[256], *end;
    memset(q, 0, sizeof *q);
    while (!(end = c->have ? strstr(c->in, "\r\n\r\n") : NULL))
        if (c->have > HEAD_MAX || !more(c))
            return false;
    const char *space = strchr(c->in, ' '), *second = space ? strchr(space + 1, ' ') : NULL, *line = strstr(c->in, "\r\n");
    if (!second || second > line || (size_t)(space - c->in) >= sizeof q->method || (size_t)(second - space) > sizeof q->path)
        return false;
    memcpy(q->method, c->in, (size_t)(space - c->in));
    memcpy(q->path, space + 1, (size_t)(second - space - 1));
    q->close = strncmp(second, " HTTP/1.0", 9) == 0;
    q->headers = strndup(line + 2, (size_t)(end - line));
    if (!q->headers)
        return false;
    used(c, (size_t)(end + 4 - c->in));
    if (strcasecmp(request_header(q, "Connection", value, sizeof value), "close") == 0)
        q->close = true;
    if (strcasecmp(request_header(q, "Expect", value, sizeof value), "100-continue") == 0 && !conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return false;
    if (strcasecmp(request_header(q, "Transfer-Encoding", value, sizeof value), "chunked") == 0)
        return read_chunks(c, q);
    const unsigned long len = strtoul(request_header(q, "Content-Length", value, sizeof value), NULL, 10);
    if (len > BODY_MAX || !(q->body = malloc(len + 1)))
        return false;
    while (c->have < len)
        if (!more(c))
            return false;
    memcpy(q->body, c->in ? c->in : "", len);
    q->body[len] = 0;
    q->len = len;
    if (c->in)
        used(c, len);
    return true;
}

void request_free(request *q)
{
    free(q->headers);
    free(q->body);
    memset(q, 0, sizeof *q);
}

/* ---- replies ---- */

void reply_header(reply *r, const char *format, ...)
{
    char *line = NULL, *all = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&line, format, args) >= 0 && asprintf(&all, "%s%s\r\n", r->headers ? r->headers : "", line) >= 0) {
        free(r->headers);
        r->headers = all;
    }
    va_end(args);
    free(line);
}

event *reply_add(reply *r, size_t at)
{
    event *events = realloc(r->events, (r->n + 1) * sizeof *events);
    if (!events)
        abort();
    r->events = events;
    if (at > r->n)
        at = r->n;
    memmove(events + at + 1, events + at, (r->n - at) * sizeof *events);
    r->n++;
    memset(&events[at], 0, sizeof *events);
    return &events[at];
}

event *reply_add_raw(reply *r, size_t at, const char *text)
{
    event *e = reply_add(r, at);
    e->raw = strdup(text);
    e->raw_len = strlen(text);
    return e;
}

event *reply_add_json(reply *r, size_t at, const char *name, json_t *data)
{
    event *e = reply_add(r, at);
    e->name = name;
    e->data = data;
    return e;
}

static void end_event(event *e)
{
    json_decref(e->data);
    free(e->raw);
}

void reply_remove(reply *r, size_t at)
{
    end_event(&r->events[at]);
    r->n--;
    memmove(r->events + at, r->events + at + 1, (r->n - at) * sizeof *r->events);
}

void reply_clear(reply *r)
{
    while (r->n > 0)
        reply_remove(r, r->n - 1);
}

void reply_body(reply *r, int status, const char *type, const char *text, size_t len)
{
    reply_clear(r);
    r->status = status;
    r->type = type;
    r->stream = false;
    r->framing = FRAME_LENGTH;
    event *e = reply_add(r, 0);
    e->raw = malloc(len + 1);
    if (!e->raw)
        abort();
    memcpy(e->raw, text, len);
    e->raw_len = len;
}

void reply_free(reply *r)
{
    reply_clear(r);
    free(r->events);
    free(r->headers);
    free(r->first);
    free(r->last);
}

static const char *reason_of(int status)
{
    static const struct { int status; const char *text; } rows[] = {
        { 200, "OK" }, { 204, "No Content" }, { 301, "Moved Permanently" }, { 400, "Bad Request" }, { 401, "Unauthorized" },
        { 404, "Not Found" }, { 429, "Too Many Requests" }, { 500, "Internal Server Error" }, { 503, "Service Unavailable" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Status";
}

char *reply_event_bytes(const reply *r, const event *e, size_t *n)
{
    char *all = NULL, *data = NULL;
    if (e->raw) {
        all = malloc(e->raw_len + 1);
        if (all)
            memcpy(all, e->raw, e->raw_len);
        *n = e->raw_len;
        return all;
    }
    data = json_dumps(e->data, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!r->stream) {
        *n = data ? strlen(data) : 0;
        return data;
    }
    const int made = asprintf(&all, "%s%s%s%sdata%s%s%s%s", e->name ? "event" : "", e->name ? r->colon : "", e->name ? e->name : "",
                              e->name ? r->line_end : "", r->colon, data ? data : "", r->line_end, r->line_end);
    free(data);
    *n = made < 0 ? 0 : (size_t)made;
    return made < 0 ? NULL : all;
}

typedef struct sender { conn *c; const reply *r; size_t sent; unsigned chunks; } sender;

/* Some bytes of the body, framed; false when nothing more is to be sent. */
static bool send_part(sender *s, const char *bytes, size_t n)
{
    const reply *r = s->r;
    bool whole = true;
    char size[32];
    if (n > r->cut - s->sent) {
        n = r->cut - s->sent;
        whole = false;
    }
    s->sent += n;
    if (n == 0)
        return whole;
    if (r->framing == FRAME_CHUNKED) {
        s->chunks++;
        const char *wrong = r->chunk && s->chunks == (r->n > 1 ? 2 : 1) ? r->chunk : NULL;
        (void)snprintf(size, sizeof size, "%zx", n);
        if (!conn_write(s->c, wrong ? wrong : size, strlen(wrong ? wrong : size)) || !conn_write(s->c, "\r\n", 2))
            return false;
    }
    if (r->drip == 0) {
        if (!conn_write(s->c, bytes, n))
            return false;
    } else {
        for (size_t i = 0; i < n; i++) {
            if (!conn_write(s->c, bytes + i, 1) || (r->drip >= 1000 && !conn_pause(s->c, r->drip / 1000)))
                return false;
            if (r->drip < 1000)
                (void)sched_yield();
        }
    }
    if (r->framing == FRAME_CHUNKED && whole && !conn_write(s->c, "\r\n", 2))
        return false;
    return whole;
}

char *reply_many(char *bytes, size_t *n)
{
    const size_t times = *n ? 1 + 65536 / *n : 0;
    char *many = malloc(times * *n + 1);
    for (size_t i = 0; many && i < times; i++)
        memcpy(many + i * *n, bytes, *n);
    free(bytes);
    *n = many ? times * *n : 0;
    return many;
}

static bool send_events(sender *s)
{
    const reply *r = s->r;
    for (size_t i = 0; i < r->n; i++) {
        size_t n;
        if (!conn_pause(s->c, r->events[i].pause) || (i > 0 && !conn_pause(s->c, r->each)))
            return false;
        char *bytes = reply_event_bytes(r, &r->events[i], &n);
        bool on = bytes && send_part(s, bytes, n);
        if (on && r->endless && i + 1 == r->n && !r->each)
            bytes = reply_many(bytes, &n);
        while (on && r->endless && i + 1 == r->n && s->sent < SEND_MAX)
            on = n > 0 && conn_pause(s->c, r->each) && send_part(s, bytes, n);
        free(bytes);
        if (!on)
            return false;
    }
    if (r->framing == FRAME_CHUNKED)
        return conn_write(s->c, "0\r\n\r\n", 5);
    return true;
}

bool reply_send(conn *c, reply *r)
{
    char *head = NULL, *body = NULL, length[64] = "";
    bool on = true;
    sender s = { c, r, 0, 0 };
    if (!conn_pause(c, r->before_head))
        return false;
    if (r->first && !conn_write(c, r->first, strlen(r->first)))
        return false;
    if (r->status > 0) {
        if (r->framing == FRAME_LENGTH) {
            size_t total = 0, n;
            for (size_t i = 0; i < r->n; i++) {
                free(reply_event_bytes(r, &r->events[i], &n));
                total += n;
            }
            (void)snprintf(length, sizeof length, "Content-Length: %ld\r\n", (long)total + r->length_off);
        }
        if (asprintf(&head, "%s %d %s\r\n%s%s%s%s%s%s\r\n", r->version, r->status, reason_of(r->status), r->type ? "Content-Type: " : "",
                     r->type ? r->type : "", r->type ? "\r\n" : "", length, r->framing == FRAME_CHUNKED ? "Transfer-Encoding: chunked\r\n" : "",
                     r->headers ? r->headers : "") < 0)
            return false;
        const bool simple = !r->drip && !r->endless && !r->last && r->cut == SIZE_MAX && r->end == END_KEEP;
        if (simple && r->n == 1 && r->framing == FRAME_LENGTH) {     /* head and body in one write, as a fast server does it */
            size_t n, h = strlen(head);
            char *all = NULL;
            body = reply_event_bytes(r, &r->events[0], &n);
            if (body && (all = realloc(head, h + n)) != NULL) {
                head = all;
                memcpy(head + h, body, n);
                on = conn_write(c, head, h + n);
            }
            free(body);
            free(head);
            return on;
        }
        on = conn_write(c, head, strlen(head));
        free(head);
    }
    on = on && send_events(&s);
    if (on && r->last)
        on = conn_write(c, r->last, strlen(r->last));
    if (c->gone)
        return false;
    if (r->end == END_HOLD)
        (void)conn_pause(c, HOLD_MS);
    if (r->end == END_RESET)
        conn_reset(c);
    return on && r->end == END_KEEP && r->framing != FRAME_CLOSE;
}
