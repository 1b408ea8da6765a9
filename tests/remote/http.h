/* http.h -- what the test server reads and writes: a connection (plain or TLS), a request, and a reply that can be wrong in any way a
 * fault wants: a reply is data, a fault edits it, one function sends it. */
#ifndef TESTS_REMOTE_HTTP_H
#define TESTS_REMOTE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/ssl.h>

typedef struct conn {
    int    fd;
    SSL   *ssl;               /* NULL: plain */
    char  *in;                /* [room] what was read and not used yet is in[0 .. have) */
    size_t have, room;
    bool   gone;              /* a write failed or the other side closed */
} conn;

typedef struct request {
    char   method[16], path[2100];
    char  *headers;           /* all of them, a line each */
    char  *body;              /* [len] and a NUL */
    size_t len;
    bool   close;             /* HTTP/1.0, or Connection: close */
} request;

/* Reads one request; false when there is none (closed, malformed, larger than 64 MiB). request_free in any case. */
bool request_read(conn *c, request *q);
void request_free(request *q);
/* The value of a header in buf, "" if it is absent. */
const char *request_header(const request *q, const char *name, char *buf, size_t room);

typedef struct event {
    const char *name;         /* of a server-sent event; NULL: it has none */
    json_t     *data;
    char       *raw;          /* [raw_len] if set, these bytes go out as they are, in place of name and data */
    size_t      raw_len;
    unsigned    pause;        /* ms before it */
} event;

enum { FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE };
enum { END_KEEP, END_CLOSE, END_RESET, END_HOLD };      /* hold: open and silent until the client gives up */

typedef struct reply {
    int         status;
    const char *version;      /* "HTTP/1.1" */
    const char *type;         /* Content-Type; NULL: none is sent */
    char       *headers;      /* further lines, each with CRLF; NULL: none */
    event      *events;       /* [n] of a stream; otherwise one, the body */
    size_t      n;
    bool        stream;       /* server-sent events */
    const char *line_end;     /* of the stream: "\n" */
    const char *colon;        /* ": " */
    int         framing, end;
    long        length_off;   /* added to Content-Length */
    size_t      cut;          /* bytes of the body after which `end` happens; SIZE_MAX: all */
    bool        endless;      /* the last event again and again */
    unsigned    before_head, each;   /* ms before the head; before each event */
    unsigned    drip;         /* us between single bytes of the body, below 1,000 as fast as they go; 0: at once */
    char       *first;        /* bytes before everything else; NULL: none */
    char       *last;         /* bytes after everything else */
    const char *chunk;        /* NULL: right chunks; else this stands where the second (or only) chunk's size belongs */
} reply;

#define REPLY_INIT { 200, "HTTP/1.1", NULL, NULL, NULL, 0, false, "\n", ": ", FRAME_LENGTH, END_KEEP, 0, SIZE_MAX, false, 0, 0, 0, NULL, NULL, NULL }

/* The bytes of one event, for free(). */
char *reply_event_bytes(const reply *r, const event *e, size_t *n);
/* Many times these bytes, for free(), 64 KiB or more; takes bytes. */
char *reply_many(char *bytes, size_t *n);

/* false: the connection is over */
bool reply_send(conn *c, reply *r);
void reply_free(reply *r);

void reply_header(reply *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
event *reply_add(reply *r, size_t at);                  /* an empty event before number `at`; at most n */
event *reply_add_raw(reply *r, size_t at, const char *text);
event *reply_add_json(reply *r, size_t at, const char *name, json_t *data);   /* takes data */
void reply_remove(reply *r, size_t at);
void reply_clear(reply *r);                             /* no events */
void reply_body(reply *r, int status, const char *type, const char *text, size_t len);   /* a plain reply in place of all there was */

bool conn_write(conn *c, const void *bytes, size_t n);
bool conn_pause(conn *c, unsigned ms);                  /* false: the other side closed meanwhile */
void conn_reset(conn *c);                               /* the next close sends RST */

#endif
