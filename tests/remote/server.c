/* server.c -- a server for the tests of the remote engine: it answers like OpenAI's and Anthropic's, and it plays every fault on request.
 *
 *   server [--list] [--ca FILE] [--log FILE]
 *
 * It listens on the loopback address only, on ports the system picks, and says them in one line on stdout: `http=4001 https=4002 ...`.
 * It ends with the process that started it.
 *
 * What it does is chosen by the first part of the path, which a client has in its base URL:
 *
 *   http://127.0.0.1:PORT/ok/v1                    the right answer
 *   http://127.0.0.1:PORT/429.503.ok~17/v1         first 429, then 503, from then on right; 17 makes it a count of its own
 *   http://127.0.0.1:PORT/crlf+usage=none/v1       both in one reply
 *
 * `server --list` prints the names. What goes wrong before a path is known has ports of its own (the table below).
 *
 * The log has a line a request: method, path, hash of the key, headers without the key, body. */
#include "cert.h"
#include "fault.h"
#include "h2.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <fcntl.h>

#include <openssl/err.h>

typedef struct port {
    const char *name;
    int         cert;                          /* CERT_..., -1: none */
    void      (*serve)(conn *c, const struct port *port);
    int         fd, number;
} port;

static void serve_http(conn *c, const port *p);
static void serve_reset(conn *c, const port *p);
static void serve_silent(conn *c, const port *p);
static void serve_cut(conn *c, const port *p);
static void serve_plain(conn *c, const port *p);
static void serve_proxy(conn *c, const port *p);

static port ports[] = {
    { "http", -1, serve_http, -1, 0 },                    { "https", CERT_GOOD, serve_http, -1, 0 },
    { "other_host", CERT_OTHER_HOST, serve_http, -1, 0 }, { "expired", CERT_EXPIRED, serve_http, -1, 0 },
    { "self_signed", CERT_SELF_SIGNED, serve_http, -1, 0 },
    { "old_tls", CERT_GOOD, serve_http, -1, 0 },          /* TLS 1.1 and nothing newer */
    { "wants_cert", CERT_GOOD, serve_http, -1, 0 },       /* a certificate of the client, which has none */
    { "h2", CERT_GOOD, serve_http, -1, 0 },               /* HTTP/2 */
    { "h2_garbage", CERT_GOOD, serve_plain, -1, 0 },      /* agrees on HTTP/2 and speaks something else */
    { "tls_cut", -1, serve_cut, -1, 0 },                  /* closes after the client's hello */
    { "tls_plain", -1, serve_plain, -1, 0 },              /* answers the hello in clear text */
    { "silent", -1, serve_silent, -1, 0 },                /* accepts and says nothing: no handshake, no reply */
    { "reset", -1, serve_reset, -1, 0 },                  /* accepts and resets */
    { "refused", -1, NULL, -1, 0 },                       /* bound, not listening */
    { "full", -1, NULL, -1, 0 },                          /* listening, its queue full for ever: connecting hangs */
    { "proxy", -1, serve_proxy, -1, 0 },                  /* tunnels */
    { "proxy_407", -1, serve_proxy, -1, 0 },              { "proxy_403", -1, serve_proxy, -1, 0 },
};
enum { PORTS = sizeof ports / sizeof *ports };

static SSL_CTX *contexts[PORTS];
static int log_fd = -1;

/* ---- log, counts ---- */

/* The key's hash, so that a test can tell which one came without the log knowing it. */
static unsigned long long key_hash(const request *q)
{
    char key[4096];
    unsigned long long h = 0xcbf29ce484222325u;
    const char *k = request_header(q, "x-api-key", key, sizeof key);
    if (!*k)
        k = request_header(q, "Authorization", key, sizeof key);
    if (strncmp(k, "Bearer ", 7) == 0)
        k += 7;
    for (const char *c = k; *c; c++)
        h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    h = *k ? h : 0;
    explicit_bzero(key, sizeof key);
    return h;
}

static void write_log(const request *q)
{
    char *line = NULL;
    size_t n;
    FILE *f = log_fd >= 0 ? open_memstream(&line, &n) : NULL;
    if (!f)
        return;
    (void)fprintf(f, "%s %s %016llx ", q->method, q->path, key_hash(q));
    for (const char *at = q->headers; at && *at;) {
        const char *end = strstr(at, "\r\n");
        const bool secret = strncasecmp(at, "x-api-key:", 10) == 0 || strncasecmp(at, "authorization:", 14) == 0;
        if (!end)
            break;
        (void)fprintf(f, "|%.*s", secret ? (int)strcspn(at, ":") : (int)(end - at), at);
        at = end + 2;
    }
    (void)fputs("| ", f);
    for (size_t i = 0; i < q->len && i < 65536; i++)
        (void)fputc((unsigned char)q->body[i] < ' ' ? '?' : q->body[i], f);
    (void)fputc('\n', f);
    (void)fclose(f);
    (void)!write(log_fd, line, n);             /* one write a line: lines of several threads stay whole */
    free(line);
}

/* How often was this behaviour asked for before? */
static size_t count_of(const char *name)
{
    typedef struct count { struct count *next; size_t n; char name[]; } count;
    static count *table[1024];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    size_t h = 5381, n = 0;
    for (const char *c = name; *c; c++)
        h = 33 * h + (unsigned char)*c;
    pthread_mutex_lock(&lock);
    count *e = table[h % 1024];
    while (e && strcmp(e->name, name) != 0)
        e = e->next;
    if (!e && (e = calloc(1, sizeof *e + strlen(name) + 1)) != NULL) {
        strcpy(e->name, name);
        e->next = table[h % 1024];
        table[h % 1024] = e;
    }
    if (e)
        n = e->n++;
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- HTTP ---- */

/* The step of a behaviour that it is the turn of, into step: "429.ok~x" has "429", then "ok". */
static void pick_step(const char *behaviour, char *step, size_t room)
{
    size_t n = strchr(behaviour, '.') ? count_of(behaviour) : 0;
    char all[512], *at = all;
    (void)snprintf(all, sizeof all, "%s", behaviour);
    all[strcspn(all, "~")] = 0;
    while (n-- > 0 && strchr(at, '.'))
        at = strchr(at, '.') + 1;
    at[strcspn(at, ".")] = 0;
    (void)snprintf(step, room, "%s", at);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Runs each name of a step, "a+b", through one of the two. */
static bool for_names(char *step, ask *a, play *p)
{
    for (char *rest = step, *name = step; rest; name = rest) {
        rest = strchr(name, '+');
        if (rest)
            *rest++ = 0;
        if (a)
            fault_prepare(a, name);
        if (p && !fault_apply(p, name)) {
            (void)fprintf(stderr, "server: there is no fault '%s'\n", name);
            return false;
        }
    }
    return true;
}

static void make_reply(reply *r, const request *q)
{
    static const char models[] = "{\"object\":\"list\",\"data\":[{\"id\":\"test\",\"object\":\"model\",\"created\":0,\"owned_by\":\"test\"}]}";
    char behaviour[512], step[512], again[512];
    play p = { r, NULL, "", ports[0].number };
    ask a;
    (void)snprintf(behaviour, sizeof behaviour, "%.511s", q->path[0] == '/' ? q->path + 1 : q->path);
    behaviour[strcspn(behaviour, "/?")] = 0;
    pick_step(strcmp(behaviour, "v1") == 0 ? "ok" : behaviour, step, sizeof step);
    (void)snprintf(again, sizeof again, "%s", step);
    if (ends_with(q->path, "/models") || ends_with(q->path, "/health")) {
        memset(&a, 0, sizeof a);
        a.prompt = a.model = "";
        p.a = &a;
        reply_body(r, 200, "application/json", models, sizeof models - 1);
    } else {
        const int wire = ends_with(q->path, "/messages") ? WIRE_ANTHROPIC : WIRE_OPENAI;
        const bool whole = ask_read(&a, wire, q);
        p.a = &a;
        for_names(again, &a, NULL);
        if (whole) {
            answer(r, &a);
        } else {
            json_t *e = answer_error(wire, 400, "invalid_request_error", NULL, "the test server cannot read this request");
            char *text = json_dumps(e, JSON_COMPACT);
            reply_body(r, 400, "application/json", text, strlen(text));
            free(text);
            json_decref(e);
            ask_free(&a);
            return;
        }
    }
    if (!for_names(step, NULL, &p))
        reply_body(r, 404, "text/plain", "no such fault", 13);
    ask_free(&a);
}

static void logged_reply(reply *r, const request *q)
{
    write_log(q);
    make_reply(r, q);
}

static void serve_http(conn *c, const port *p)
{
    const unsigned char *agreed = NULL;
    unsigned n = 0;
    bool on = true;
    (void)p;
    if (c->ssl)
        SSL_get0_alpn_selected(c->ssl, &agreed, &n);
    if (n == 2) {
        h2_serve(c, logged_reply);
        return;
    }
    while (on) {
        request q;
        reply r = REPLY_INIT;
        on = request_read(c, &q);
        if (on) {
            logged_reply(&r, &q);
            on = reply_send(c, &r) && !q.close;
        }
        request_free(&q);
        reply_free(&r);
    }
}

/* ---- what goes wrong earlier ---- */

static void serve_reset(conn *c, const port *p) { (void)p, conn_reset(c); }
static void serve_silent(conn *c, const port *p) { (void)p, (void)conn_pause(c, 120000); }
static void serve_cut(conn *c, const port *p)
{
    char bytes[4096];
    (void)p;
    (void)!recv(c->fd, bytes, sizeof bytes, 0);
}
static void serve_plain(conn *c, const port *p)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    if (!c->ssl)
        serve_cut(c, p);
    (void)conn_write(c, text, sizeof text - 1);
}

static void relay(int a, int b)
{
    struct pollfd p[2] = { { a, POLLIN, 0 }, { b, POLLIN, 0 } };
    char bytes[4096];
    while (poll(p, 2, 60000) > 0)
        for (int i = 0; i < 2; i++)
            if (p[i].revents) {
                const ssize_t n = recv(p[i].fd, bytes, sizeof bytes, 0);
                if (n <= 0 || send(p[1 - i].fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
                    return;
            }
}

static void serve_proxy(conn *c, const port *p)
{
    static const char no_407[] = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    static const char no_403[] = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>no way.</html>";
    request q;
    if (request_read(c, &q)) {
        write_log(&q);
        const char *colon = strrchr(q.path, ':');
        if (ends_with(p->name, "407")) {
            (void)conn_write(c, no_407, sizeof no_407 - 1);
        } else if (ends_with(p->name, "403") || strcmp(q.method, "CONNECT") != 0 || !colon) {
            (void)conn_write(c, no_403, sizeof no_403 - 1);
        } else {                               /* to this machine only, whatever the name */
            struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)) };
            const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && conn_write(c, "HTTP/1.1 200 OK\r\n\r\n", 19))
                relay(c->fd, fd);
            if (fd >= 0)
                (void)close(fd);
        }
    }
    request_free(&q);
}

/* ---- connections ---- */

typedef struct job { int fd; const port *port; } job;

static void *serve(void *arg)
{
    const job j = *(job *)arg;
    const struct timeval wait = { 60, 0 };
    const int one = 1;
    conn c = { j.fd, NULL, NULL, 0, 0, false };
    SSL_CTX *context = contexts[j.port - ports];
    free(arg);
    (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    (void)setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bool ok = true;
    if (context) {
        c.ssl = SSL_new(context);
        ok = c.ssl && SSL_set_fd(c.ssl, c.fd) == 1 && SSL_accept(c.ssl) == 1;
    }
    if (ok)
        j.port->serve(&c, j.port);
    if (c.ssl) {
        if (ok && !c.gone)
            (void)SSL_shutdown(c.ssl);
        SSL_free(c.ssl);
    }
    ERR_clear_error();
    (void)close(c.fd);
    free(c.in);
    return NULL;
}

static void *accept_all(void *arg)
{
    const port *p = arg;
    pthread_attr_t attr;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, 512 * 1024);
    while (p->fd >= 0) {
        pthread_t thread;
        const int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
        job *j = fd >= 0 ? malloc(sizeof *j) : NULL;
        if (!j) {
            if (fd >= 0)
                (void)close(fd);
            (void)usleep(1000);
            continue;
        }
        *j = (job){ fd, p };
        if (pthread_create(&thread, &attr, serve, j) != 0) {
            (void)close(fd);
            free(j);
        }
    }
    return NULL;
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n, void *arg)
{
    (void)ssl, (void)in, (void)in_n, (void)arg;
    *out = (const unsigned char *)"h2";
    *n = 2;
    return SSL_TLSEXT_ERR_OK;
}

static int refuse_peer(int ok, X509_STORE_CTX *ctx) { (void)ok, (void)ctx; return 0; }

/* The certificates belong to kinds, the contexts to ports: each port gets the first of its kind, or one more. */
static bool make_contexts(const char *ca_file)
{
    SSL_CTX *kinds[CERT_KINDS] = { NULL };
    if (!cert_make(kinds, ca_file))
        return false;
    for (int i = 0; i < PORTS; i++) {
        if (ports[i].cert < 0)
            continue;
        SSL_CTX *from = kinds[ports[i].cert];
        contexts[i] = SSL_CTX_new(TLS_server_method());
        if (!contexts[i] || SSL_CTX_use_certificate(contexts[i], SSL_CTX_get0_certificate(from)) != 1 ||
            SSL_CTX_use_PrivateKey(contexts[i], SSL_CTX_get0_privatekey(from)) != 1)
            return false;
        (void)SSL_CTX_set_mode(contexts[i], SSL_MODE_AUTO_RETRY);
        if (strcmp(ports[i].name, "old_tls") == 0) {
            SSL_CTX_set_security_level(contexts[i], 0);
            (void)SSL_CTX_set_min_proto_version(contexts[i], TLS1_VERSION);
            (void)SSL_CTX_set_max_proto_version(contexts[i], TLS1_1_VERSION);
        }
        if (strcmp(ports[i].name, "wants_cert") == 0)
            SSL_CTX_set_verify(contexts[i], SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, refuse_peer);
        if (strncmp(ports[i].name, "h2", 2) == 0)
            SSL_CTX_set_alpn_select_cb(contexts[i], choose_h2, NULL);
    }
    for (int i = 0; i < CERT_KINDS; i++)
        SSL_CTX_free(kinds[i]);
    return true;
}

static bool open_port(port *p)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t n = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, sizeof at) != 0 || getsockname(p->fd, (struct sockaddr *)&at, &n) != 0)
        return false;
    p->number = ntohs(at.sin_port);
    if (strcmp(p->name, "full") == 0) {        /* three connections nobody takes fill a queue of none */
        bool ok = listen(p->fd, 0) == 0;
        for (int i = 0; ok && i < 3; i++) {
            const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            ok = fd >= 0 && (connect(fd, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
        }
        return ok;
    }
    return !p->serve || listen(p->fd, 1024) == 0;
}

int main(int argc, char **argv)
{
    const char *ca_file = NULL;
    pthread_t thread;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            for (const fault *f = faults; *f->name; f++)
                (void)printf("%-18s %s\n", f->name, f->what);
            return 0;
        }
        if (strcmp(argv[i], "--ca") == 0 && i + 1 < argc) {
            ca_file = argv[++i];
        } else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc) {
            log_fd = open(argv[++i], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
            if (log_fd < 0) {
                (void)fprintf(stderr, "server: %s: %s\n", argv[i], strerror(errno));
                return 1;
            }
        } else {
            (void)fprintf(stderr, "usage: server [--list] [--ca FILE] [--log FILE]\n");
            return 2;
        }
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!make_contexts(ca_file)) {
        (void)fprintf(stderr, "server: no certificates: %s\n", ERR_error_string(ERR_get_error(), NULL));
        return 1;
    }
    for (int i = 0; i < PORTS; i++)
        if (!open_port(&ports[i])) {
            (void)fprintf(stderr, "server: port '%s': %s\n", ports[i].name, strerror(errno));
            return 1;
        }
    for (int i = 0; i < PORTS; i++) {
        (void)printf("%s%s=%d", i ? " " : "", ports[i].name, ports[i].number);
        if (ports[i].serve && pthread_create(&thread, NULL, accept_all, &ports[i]) != 0)
            return 1;
    }
    (void)printf("\n");
    (void)fflush(stdout);
    for (;;)
        (void)pause();
}
