/* flight.c -- one HTTP exchange: what is told to curl, and what is made of the bytes that come.
 *
 * Redirects, cookies, netrc, compression and alt-svc stay off; certificates are verified and there is no way to say otherwise. curl's own time
 * limits are used for connecting only: a stream is alive as long as something that means anything comes, which curl cannot know, so these
 * clocks are here and looked at around curl_multi_poll. The address is checked when the socket is made, so that no name leads elsewhere. */
#include "remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN_STEP = 256,            /* bytes of a plain body that count as progress */
       ENOUGH_MS = 200 };           /* after the mark of the end */

/* ---- callbacks of curl ---- */

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    slm_flight *f = user;
    const slm_remote *r = f->remote;
    const char *host = r->proxy ? r->proxy_host : r->url.host;
    (void)purpose;
    if (!(r->p.flags & SLM_REMOTE_PROXY_ENV) &&
        !slm_address_allowed(&a->addr, host, r->url.plain && !r->proxy, r->ranges, r->n_ranges)) {
        f->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* One header, trimmed, value terminated. */
static void one_header(slm_flight *f, const char *name, const char *value)
{
    if (!strcasecmp(name, "content-type")) {
        (void)snprintf(f->type, sizeof f->type, "%.*s", (int)strcspn(value, "; \t"), value);
    } else if (!strcasecmp(name, "content-encoding")) {
        f->encoded = strcasecmp(value, "identity") != 0;
    } else if (!strcasecmp(name, "location")) {
        const char *host = strstr(value, "//");
        (void)snprintf(f->target, sizeof f->target, "%.*s", host ? (int)strcspn(host + 2, "/?#:") : 100, host ? host + 2 : f->remote->url.host);
    } else if (!strcasecmp(name, "retry-after-ms")) {
        f->fault.after_ms = longer(slm_retry_after_ms(value), f->fault.after_ms);
    } else if (!strcasecmp(name, "retry-after")) {
        f->fault.after_ms = longer(slm_retry_after(value, (int64_t)time(NULL)), f->fault.after_ms);
    } else if (!strcasecmp(name, "x-should-retry")) {
        f->fault.again = !strcasecmp(value, "true") ? 1 : !strcasecmp(value, "false") ? -1 : 0;
    }
}

/* x-ratelimit-remaining-tokens: 0 makes x-ratelimit-reset-tokens the time to wait, where no better one was said. */
static void rate_headers(slm_flight *f)
{
    static const char *const kinds[] = { "requests", "tokens" };
    char name[48];
    struct curl_header *left, *reset;
    if (f->fault.after_ms >= 0 || f->status != 429)
        return;
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(name, sizeof name, "x-ratelimit-remaining-%s", kinds[i]);
        if (curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &left) != CURLHE_OK || strcmp(left->value, "0") != 0)
            continue;
        (void)snprintf(name, sizeof name, "x-ratelimit-reset-%s", kinds[i]);
        if (curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &reset) == CURLHE_OK)
            f->fault.after_ms = longer(slm_retry_duration(reset->value), f->fault.after_ms);
    }
}

/* What a callback returns to end an exchange. Its connection ends too: in HTTP/2 it would live on, and curl would be busy for as long as the
 * server keeps sending to the stream that is no more. */
static size_t stop(slm_flight *f)
{
    (void)curl_easy_setopt(f->easy, CURLOPT_FORBID_REUSE, 1L);
    return 0;
}

/* Something that means anything came now, if the clock says when that is. */
static void note_move(slm_flight *f)
{
    const uint64_t now = slm_retry_now_ms();
    f->moved_ms = now ? now : f->moved_ms;
}

static size_t on_header(char *bytes, size_t one, size_t n, void *user)
{
    slm_flight *f = user;
    char line[1024];
    if (!f->got_headers)
        note_move(f);
    f->got_headers = true;
    f->header_bytes += n;
    (void)one;
    if (f->header_bytes > SLM_HEADERS_MOST) {
        slm_fault_set(&f->fault, SLM_CLASS_TOO_BIG, 0, "headers beyond %d bytes", SLM_HEADERS_MOST);
        return stop(f);
    }
    if (n >= 5 && memcmp(bytes, "HTTP/", 5) == 0) { /* another response: what a 1xx said is past */
        f->type[0] = f->target[0] = 0;
        f->encoded = false;
        f->fault.after_ms = -1;
        f->fault.again = 0;
        return n;
    }
    size_t length = n < sizeof line ? n : sizeof line - 1;
    memcpy(line, bytes, length);
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r' || line[length - 1] == ' '))
        length--;
    line[length] = 0;
    char *colon = memchr(line, ':', length);
    if (colon) {
        *colon++ = 0;
        one_header(f, line, colon + strspn(colon, " \t"));
    }
    return n;
}

static int on_event(void *user, const char *name, const char *data, size_t n)
{
    slm_flight *f = user;
    const uint64_t before = f->answer.events;
    const int stop = f->wire->event(&f->answer, name, data, n, &f->fault);
    if (f->answer.events != before)
        note_move(f);
    return stop;
}

/* At the first byte of a body of status 200: is it what we can read? */
static bool look_at_head(slm_flight *f, const char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n && (bytes[i] == ' ' || bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t'))
        i++;
    const bool json = strstr(f->type, "json") != NULL, events = !strcasecmp(f->type, "text/event-stream");
    if (f->encoded)
        slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL, 200, "a compressed body, which was not asked for");
    else if (*f->type && !json && !events && strcasecmp(f->type, "text/plain") != 0)
        slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL, 200, "a body of type '%s'", f->type);
    if (i == n && n < 64 && !events)
        return false;                               /* blanks only: the next piece will tell */
    f->sniffed = true;
    f->stream = events || (i < n && bytes[i] != '{' && bytes[i] != '[' && bytes[i] != '<');
    return true;
}

static void feed_stream(slm_flight *f, const char *bytes, size_t n)
{
    const uint64_t before = f->sse.comments + f->answer.ignored;
    const slm_sse_end end = slm_sse_feed(&f->sse, bytes, n);
    (void)atomic_fetch_add(&f->remote->counts.ignored, f->sse.comments + f->answer.ignored - before);
    if (end == SLM_SSE_BIG)
        slm_fault_set(&f->fault, SLM_CLASS_TOO_BIG, 200, "an event beyond %u bytes", f->remote->p.max_event);
    else if (end == SLM_SSE_MEMORY)
        slm_fault_set(&f->fault, SLM_CLASS_INTERNAL, 0, "no memory for an event");
    else if (f->sse.comments + f->answer.ignored > SLM_IGNORED_MOST)
        slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL, 200, "more than %d comments and unknown events", SLM_IGNORED_MOST);
}

static size_t on_body(char *bytes, size_t one, size_t n, void *user)
{
    slm_flight *f = user;
    (void)one;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->status);
    f->got_body = true;
    f->received += n;
    (void)atomic_fetch_add(&f->remote->counts.received, n);
    if (f->received - f->progress >= PLAIN_STEP && !f->stream) {
        f->progress = f->received;
        note_move(f);
    }
    if (slm_cancel_is_set(f->cancel))
        slm_fault_set(&f->fault, SLM_CLASS_CANCELLED, 0, "cancelled by the caller");
    else if (f->ends_ms && slm_retry_now_ms() >= f->ends_ms)
        slm_fault_set(&f->fault, SLM_CLASS_TIMEOUT_TOTAL, 0, "the time is over");
    else if (f->received > f->remote->p.max_body)
        slm_fault_set(&f->fault, SLM_CLASS_TOO_BIG, (int32_t)f->status, "a body beyond %u bytes", f->remote->p.max_body);
    if (f->fault.class != SLM_CLASS_NONE)
        return stop(f);
    if (f->status != 200) {                         /* an error's body: its first 64 KiB will do */
        if (f->body.size + n > SLM_ERROR_MOST)
            return stop(f);
        (void)slm_bytes_add(&f->body, bytes, n);
        return n;
    }
    if (!f->wire)
        return n;
    if (!f->sniffed && !look_at_head(f, bytes, n))
        return n;
    if (f->answer.ended) {                          /* the rest is let go, so that the connection stays of use */
        f->after_end += n;
        return f->after_end > SLM_ERROR_MOST ? stop(f) : n;
    }
    if (f->stream)
        feed_stream(f, bytes, n);
    else if (!slm_bytes_add(&f->body, bytes, n))
        slm_fault_set(&f->fault, SLM_CLASS_INTERNAL, 0, "no memory for a body of %zu bytes", f->body.size + n);
    return f->fault.class != SLM_CLASS_NONE ? stop(f) : n;
}

/* ---- the exchange ---- */

/* curl only reads the line. */
static void add_header(slm_flight *f, size_t *n, const char *line)
{
    f->headers[*n] = (struct curl_slist){ (char *)(uintptr_t)line, NULL };
    if (*n)
        f->headers[*n - 1].next = &f->headers[*n];
    ++*n;
}

static bool set_options(slm_flight *f, const char *url, const char *body, size_t n)
{
    const slm_remote *r = f->remote;
    CURL *e = f->easy;
    bool ok = true;
#define SET(option, value) ok = ok && curl_easy_setopt(e, option, value) == CURLE_OK
    curl_easy_reset(e);
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, r->url.plain ? "http" : "https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_HTTPHEADER, f->headers);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, r->p.flags & SLM_REMOTE_HTTP2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (r->ca_file) {
        SET(CURLOPT_CAINFO, r->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (r->proxy || !(r->p.flags & SLM_REMOTE_PROXY_ENV))
        SET(CURLOPT_PROXY, r->proxy ? r->proxy : "");
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->p.connect_ms);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, f);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, f);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, f);
    SET(CURLOPT_ERRORBUFFER, f->error);
    SET(CURLOPT_PRIVATE, f);
    if (body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, body);              /* these bytes, not a copy: what was inspected is what is sent */
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    }
#undef SET
    return ok;
}

void slm_flight_begin(slm_flight *f, slm_remote *r, slm_line *line, size_t which, const slm_wire *wire, const char *path, const char *body,
                      size_t n, bool plain)
{
    char url[SLM_URL_MOST + 64];
    size_t headers = 0;
    *f = (slm_flight){ .remote = r, .line = line, .easy = line->easy[which], .wire = wire, .plain = plain };
    f->fault.after_ms = -1;
    slm_bytes_init(&f->body, r->p.max_body);
    slm_sse_init(&f->sse, r->p.max_event, on_event, f);
    slm_answer_init(&f->answer);
    f->begun_ms = f->moved_ms = slm_retry_now_ms();
    if (!f->begun_ms)
        slm_fault_clock(&f->fault);
    add_header(f, &headers, "User-Agent: libslm/" SLM_VERSION);
    add_header(f, &headers, "Accept: application/json, text/event-stream");
    if (body) {
        add_header(f, &headers, "Content-Type: application/json");
        add_header(f, &headers, "Expect:");         /* no waiting for a 100 that some servers never send */
    }
    if (line->secret.n)
        add_header(f, &headers, line->secret.header);
    if (r->server->wire->extra)
        add_header(f, &headers, r->server->wire->extra);
    (void)snprintf(url, sizeof url, "%s%s", r->url.base, path);
    if (!f->begun_ms || !set_options(f, url, body, n) || curl_multi_add_handle(line->multi, f->easy) != CURLM_OK) {
        slm_fault_set(&f->fault, SLM_CLASS_INTERNAL, 0, "no memory for a request of %zu bytes", n);
        f->done = true;
        return;
    }
    f->added = true;
    (void)atomic_fetch_add(&r->counts.tries, 1);
    (void)atomic_fetch_add(&r->counts.sent, n);
}

bool slm_flight_left(slm_flight *f)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(f->easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

/* The body of an error: its own words where it has any, and at most 200 bytes of it where not, without the key. */
static void read_error(slm_flight *f)
{
    json_t *root = NULL;
    slm_fault quiet = { .class = SLM_CLASS_NONE };
    const size_t n = f->body.size < 200 ? f->body.size : 200;
    slm_secret_hide(&f->line->secret, f->body.data, f->body.size);
    if (f->body.size && strstr(f->type, "json"))
        root = slm_scan_load(f->body.data, f->body.size, "error body", &quiet);
    if (f->status >= 300 && f->status < 400) {
        slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL_REDIRECT, (int32_t)f->status, "HTTP %ld to host '%s', which is not followed", f->status,
                      f->target);
    } else if (root) {
        slm_answer_error(root, f->status, &f->fault);
    } else {
        char head[201] = "";
        if (n)
            memcpy(head, f->body.data, n);
        slm_fault_of_http(&f->fault, f->status, "", "", head);
    }
    json_decref(root);
}

static void read_plain(slm_flight *f)
{
    if (!f->body.size) {
        slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL, 200, "an empty body");
        return;
    }
    json_t *root = slm_scan_load(f->body.data, f->body.size, "reply", &f->fault);
    if (root)
        f->wire->reply(&f->answer, root, &f->fault);
    json_decref(root);
    slm_answer_check(&f->answer, true, &f->fault);
}

static void read_stream(slm_flight *f, CURLcode result)
{
    slm_answer *a = &f->answer;
    if (!a->ended && result == CURLE_OK && f->fault.class == SLM_CLASS_NONE) {
        slm_fault quiet = f->fault;                 /* a last event without its blank line is believed if it is whole */
        const slm_sse_end end = slm_sse_finish(&f->sse);
        if (f->fault.class == SLM_CLASS_PROTOCOL && end == SLM_SSE_STOPPED)
            f->fault = quiet;
    }
    if (!a->ended && !a->finished && result != CURLE_OK && f->fault.class == SLM_CLASS_NONE)
        return;                                     /* curl's word on it is better */
    slm_answer_check(a, false, &f->fault);
}

void slm_flight_done(slm_flight *f, CURLcode result)
{
    long proxy = 0;
    f->done = true;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->status);
    (void)curl_easy_getinfo(f->easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (f->fault.class == SLM_CLASS_NONE && f->refused_address && !slm_flight_left(f))
        slm_fault_set(&f->fault, SLM_CLASS_POLICY, 0, "the host leads to an address that is not public and not allowed");
    if (f->fault.class == SLM_CLASS_NONE && result == CURLE_OUT_OF_MEMORY && f->got_headers && !f->got_body)
        slm_fault_set(&f->fault, SLM_CLASS_TOO_BIG, 0, "a header beyond what curl takes");
    if (f->status >= 200 && f->status != 200 && f->got_headers && f->fault.class == SLM_CLASS_NONE) {
        rate_headers(f);
        if (f->status < 300)
            slm_fault_set(&f->fault, SLM_CLASS_PROTOCOL, (int32_t)f->status, "HTTP %ld without an answer", f->status);
        else
            read_error(f);
    } else if (f->status == 200 && f->wire && f->fault.class == SLM_CLASS_NONE) {
        if (f->stream)
            read_stream(f, result);
        else if (result == CURLE_OK)
            read_plain(f);
    }
    if (f->fault.class == SLM_CLASS_NONE && result != CURLE_OK && !f->answer.ended && !(f->stream && f->answer.finished))
        slm_fault_of_curl(&f->fault, (int)result, proxy, slm_flight_left(f), f->got_headers, f->error);
    slm_secret_hide(&f->line->secret, f->fault.text, strlen(f->fault.text));
}

uint64_t slm_flight_clock(slm_flight *f, uint64_t now)
{
    const slm_engine_remote_params *p = &f->remote->p;
    uint64_t from = f->begun_ms, length = (uint64_t)p->connect_ms + 1000;   /* curl's own limit comes first */
    slm_class class = SLM_CLASS_TIMEOUT_CONNECT;
    if (!f->sent_ms && slm_flight_left(f))
        f->sent_ms = f->moved_ms = now;
    if (f->answer.ended) {                          /* all is said; the rest of the exchange is waited for shortly */
        if (now >= f->moved_ms + ENOUGH_MS)
            slm_flight_done(f, CURLE_OK);
        return ENOUGH_MS;
    }
    if (f->got_headers) {
        from = f->moved_ms;
        length = p->between_ms;
        class = SLM_CLASS_TIMEOUT_IDLE;
    } else if (f->sent_ms) {
        from = f->sent_ms;
        length = p->first_ms;
        class = SLM_CLASS_TIMEOUT_FIRST;
    }
    if (now < from + length)
        return from + length - now;
    slm_fault_set(&f->fault, class, 0, "%s in %llu ms", class == SLM_CLASS_TIMEOUT_CONNECT ? "no connection"
                  : class == SLM_CLASS_TIMEOUT_FIRST ? "no byte of a reply" : "nothing that means anything", (unsigned long long)length);
    return 0;
}

void slm_flight_end(slm_flight *f)
{
    long made = 0;
    if (!f->remote)
        return;
    if (slm_flight_left(f) && curl_easy_getinfo(f->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK)
        (void)atomic_fetch_add(made ? &f->remote->counts.connections : &f->remote->counts.reused, 1);
    if (!f->done)
        (void)stop(f);                              /* who tries again gets a connection of its own */
    if (f->added)
        (void)curl_multi_remove_handle(f->line->multi, f->easy);    /* closes the connection unless the exchange is over */
    f->added = false;
    slm_bytes_free(&f->body);
    slm_sse_free(&f->sse);
    slm_answer_free(&f->answer);
    f->remote = NULL;
}
