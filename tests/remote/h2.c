/* h2.c -- see h2.h. nghttp2 knows the protocol; a stream's body is a list of pieces, each with the time when it is due, and a stream whose
 * next piece is not due yet is deferred until the poll of the connection's thread comes to it. */
#include "h2.h"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct stream {
    struct stream *next;
    int32_t        id;
    request        q;
    char          *headers;          /* of the request, as in HTTP/1 */
    size_t         headers_len, piece, at;
    FILE          *to;
    reply          r;
    char          *bytes;            /* [len] of the piece that is being sent */
    size_t         len, sent;
    uint64_t       due;              /* ms; when the next piece may go */
    bool           ready, waits;     /* answered; deferred */
} stream;

typedef struct link {
    conn            *c;
    nghttp2_session *session;
    stream          *streams;
    void           (*make)(reply *r, const request *q);
} link;

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The next piece into s->bytes; false when there is none left. */
static bool next_piece(stream *s)
{
    if (s->bytes && s->at < s->len)
        return true;
    free(s->bytes);
    s->bytes = NULL;
    const bool again = s->r.endless && s->piece == s->r.n && s->r.n > 0;
    if (s->piece >= s->r.n && !again)
        return false;
    const event *e = &s->r.events[again ? s->r.n - 1 : s->piece++];
    s->bytes = reply_event_bytes(&s->r, e, &s->len);
    if (again && !s->r.each)
        s->bytes = reply_many(s->bytes, &s->len);
    s->at = 0;
    s->due = now_ms() + (again || s->piece > 1 ? s->r.each : 0) + e->pause;
    return s->bytes != NULL;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room, uint32_t *flags, nghttp2_data_source *source, void *user)
{
    stream *s = source->ptr;
    (void)session, (void)id, (void)user;
    s->waits = false;
    if (s->sent >= s->r.cut || !next_piece(s)) {
        if (s->r.end == END_RESET)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;        /* nghttp2 resets the stream */
        if (s->r.end == END_HOLD) {
            s->due = UINT64_MAX;
            s->waits = true;
            return NGHTTP2_ERR_DEFERRED;
        }
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    if (s->due > now_ms()) {
        s->waits = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t n = s->len - s->at < room ? s->len - s->at : room;
    if (s->r.drip)
        n = 1;
    if (n > s->r.cut - s->sent)
        n = s->r.cut - s->sent;
    memcpy(buf, s->bytes + s->at, n);
    s->at += n;
    s->sent += n;
    if (s->r.drip)
        s->due = now_ms() + s->r.drip / 1000;
    return (ssize_t)n;
}

static void respond(link *l, stream *s)
{
    char status[16], *line, *rest = s->r.headers;
    nghttp2_nv nv[16];
    size_t n = 0;
    const nghttp2_data_provider body = { { .ptr = s }, read_body };
    (void)snprintf(status, sizeof status, "%d", s->r.status);
#define HEADER(k, k_len, v, v_len) nv[n++] = (nghttp2_nv){ (uint8_t *)(uintptr_t)(k), (uint8_t *)(uintptr_t)(v), k_len, v_len, NGHTTP2_NV_FLAG_NONE }
    HEADER(":status", 7, status, strlen(status));
    if (s->r.type)
        HEADER("content-type", 12, s->r.type, strlen(s->r.type));
    while (rest && *rest && n < 16 && (line = strstr(rest, "\r\n")) != NULL) {
        char *colon = strchr(rest, ':');
        for (char *k = rest; colon && k < colon; k++)
            if (*k >= 'A' && *k <= 'Z')
                *k = (char)(*k + 'a' - 'A');
        if (colon && colon < line)
            HEADER(rest, (size_t)(colon - rest), colon + 2, (size_t)(line - colon - 2));
        rest = line + 2;
    }
    if (s->r.status < 200 || nghttp2_submit_response(l->session, s->id, nv, n, s->r.status == 204 ? NULL : &body) != 0)
        (void)nghttp2_submit_rst_stream(l->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
}

/* ---- callbacks ---- */

static stream *find(link *l, int32_t id)
{
    stream *s = l->streams;
    while (s && s->id != id)
        s = s->next;
    return s;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    link *l = user;
    stream *s = frame->hd.type == NGHTTP2_HEADERS ? calloc(1, sizeof *s) : NULL;
    (void)session;
    if (s) {
        s->id = frame->hd.stream_id;
        s->to = open_memstream(&s->headers, &s->headers_len);
        s->next = l->streams;
        l->streams = s;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len,
                     uint8_t flags, void *user)
{
    stream *s = find(user, frame->hd.stream_id);
    (void)session, (void)flags;
    if (!s || !s->to)
        return 0;
    if (name_len == 5 && memcmp(name, ":path", 5) == 0)
        (void)snprintf(s->q.path, sizeof s->q.path, "%.*s", (int)value_len, (const char *)value);
    else if (name_len == 7 && memcmp(name, ":method", 7) == 0)
        (void)snprintf(s->q.method, sizeof s->q.method, "%.*s", (int)value_len, (const char *)value);
    else
        (void)fprintf(s->to, "%.*s: %.*s\r\n", (int)name_len, (const char *)name, (int)value_len, (const char *)value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *user)
{
    stream *s = find(user, id);
    (void)session, (void)flags;
    char *body = s && s->q.len + n < 64u << 20 ? realloc(s->q.body, s->q.len + n + 1) : NULL;
    if (!body)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    s->q.body = body;
    memcpy(body + s->q.len, bytes, n);
    s->q.len += n;
    body[s->q.len] = 0;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    link *l = user;
    stream *s = find(l, frame->hd.stream_id);
    (void)session;
    if (!s || s->ready || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    (void)fclose(s->to);
    s->to = NULL;
    s->q.headers = s->headers;
    s->headers = NULL;
    s->ready = true;
    s->r = (reply)REPLY_INIT;
    l->make(&s->r, &s->q);
    s->due = now_ms() + s->r.before_head;
    if (s->r.status > 0 && s->r.before_head == 0)
        respond(l, s);
    else if (s->r.status == 0 && s->r.end != END_HOLD)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
    else
        s->waits = s->r.status > 0;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    link *l = user;
    (void)session, (void)code;
    for (stream **at = &l->streams; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            stream *s = *at;
            *at = s->next;
            if (s->to)
                (void)fclose(s->to);
            free(s->headers);
            free(s->bytes);
            request_free(&s->q);
            reply_free(&s->r);
            free(s);
            break;
        }
    return 0;
}

/* ---- the connection ---- */

/* Some frames, not all: what the client says in between is to be heard. */
static bool flush(link *l)
{
    for (int i = 0; i < 64; i++) {
        const uint8_t *bytes;
        const ssize_t n = nghttp2_session_mem_send(l->session, &bytes);
        if (n <= 0)
            return n == 0;
        if (!conn_write(l->c, bytes, (size_t)n))
            return false;
    }
    return true;
}

/* Goes on with what is due; ms until the next is. */
static int resume(link *l)
{
    const uint64_t now = now_ms();
    uint64_t soon = now + 1000;
    for (stream *s = l->streams, *next; s; s = next) {
        next = s->next;
        if (!s->waits)
            continue;
        if (s->due <= now) {
            s->waits = false;
            if (s->r.before_head) {
                s->r.before_head = 0;
                respond(l, s);
            } else {
                (void)nghttp2_session_resume_data(l->session, s->id);
            }
            soon = now;
        } else if (s->due < soon) {
            soon = s->due;
        }
    }
    return (int)(soon - now);
}

void h2_serve(conn *c, void (*make)(reply *r, const request *q))
{
    link l = { c, NULL, NULL, make };
    nghttp2_session_callbacks *callbacks;
    const nghttp2_settings_entry most = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 200 };
    static const size_t room = 16384;
    uint8_t *in = malloc(room);
    if (!in || nghttp2_session_callbacks_new(&callbacks) != 0) {
        free(in);
        return;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    bool on = nghttp2_session_server_new(&l.session, callbacks, &l) == 0;
    nghttp2_session_callbacks_del(callbacks);
    on = on && nghttp2_submit_settings(l.session, NGHTTP2_FLAG_NONE, &most, 1) == 0;
    while (on && flush(&l)) {
        struct pollfd p = { c->fd, POLLIN, 0 };
        const int due = resume(&l), wait = nghttp2_session_want_write(l.session) ? 0 : due;
        if (due == 0)
            continue;
        if (!SSL_pending(c->ssl) && poll(&p, 1, wait) <= 0)
            continue;
        const int n = SSL_read(c->ssl, in, (int)room);
        on = n > 0 && nghttp2_session_mem_recv(l.session, in, (size_t)n) >= 0;
    }
    while (l.streams)
        (void)on_close(NULL, l.streams->id, 0, &l);
    nghttp2_session_del(l.session);
    free(in);
}
