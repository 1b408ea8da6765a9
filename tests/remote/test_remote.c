/* test_remote.c -- the remote engine against the server that plays every fault: each row of the failure table, in both wire formats,
 * streamed and not, gives its status and class, the right number of tries, and an end in time.
 *
 *   test_remote SERVER [NAME]
 *
 * All exchanges of the table are made before the first test, 32 at a time, since most of them consist of waiting; a test then looks at one
 * row's outcome. NAME runs only the rows whose behaviour contains it. Row numbers are those of the failure table. */
#include "harness/test.h"
#include "remote/rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { O = 1, A = 2, P = 4, S = 8, ANY = -1 };   /* OpenAI, Anthropic; plain, stream */
#ifdef SANITIZED            /* where one exchange takes the time of ten, none may wait for the others */
enum { THREADS = 8 };
#else
enum { THREADS = 32 };
#endif

typedef struct row {
    int         number;
    const char *port, *play;     /* where, and what the server does there */
    unsigned    with;            /* O A P S: in which forms; both wires if neither is named, and so for the others */
    slm_status  status;
    int         code;            /* of the error; ANY */
    const char *word;            /* the error's class, or, on success, what the text must be; NULL: any */
    int         tries;           /* requests the server must have seen; ANY */
    uint32_t    flags;           /* success: these flags and no others */
    const char *server;          /* NULL: "openai" */
} row;
#define HTTP "http"
#define LINE "You said: one two three four"

/* A failure; an answer that is as it should be. */
#define BAD(n, play, with, status, code, class, tries) { n, HTTP, play, with, status, code, class, tries, 0, NULL }
#define GOOD(n, play, with, tries)                     { n, HTTP, play, with, SLM_OK, 0, LINE, tries, 0, NULL }
#define ODD(n, play, with, text, flags)                { n, HTTP, play, with, SLM_OK, 0, text, 1, flags, NULL }
#define LATER(n, play, with)                           { n, HTTP, play, with, SLM_OK, 0, LINE, 2, SLM_REPLY_ESTIMATED, NULL }    /* the first try may be billed */
#define NET(n, port, class)                            { n, port, "ok", 0, SLM_E_NETWORK, ANY, class, ANY, 0, NULL }

static const row rows[] = {
    GOOD(0, "ok", 0, 1),
    { 0, "https", "ok", 0, SLM_OK, 0, LINE, 1, 0, NULL }, { 0, "h2", "ok", 0, SLM_OK, 0, LINE, 1, 0, NULL }, { 0, "h2", "slow=20+comments", 0, SLM_OK, 0, LINE, 1, 0, NULL },

    NET(2, "refused", "NET_CONNECT"), NET(2, "reset", "NET_"),
    BAD(2, "reset_before", 0, SLM_E_NETWORK, ANY, "NET_", ANY), BAD(2, "close_before", 0, SLM_E_NETWORK, ANY, "NET_", ANY),
    LATER(2, "reset_before.ok", 0),
    NET(3, "full", "TIMEOUT_CONNECT"), NET(3, "silent_tls", "TIMEOUT_CONNECT"),
    NET(4, "other_host", "TLS_VERIFY"), NET(4, "expired", "TLS_VERIFY"), NET(4, "self_signed", "TLS_VERIFY"),
    NET(5, "old_tls", "TLS"), NET(5, "wants_cert", NULL), NET(5, "tls_cut", "TLS"), NET(5, "tls_plain", "TLS"), NET(5, "h2_garbage", NULL),
    NET(7, "silent", "TIMEOUT_FIRST"),
    BAD(7, "stall", 0, SLM_E_NETWORK, ANY, "TIMEOUT_FIRST", 2), LATER(7, "stall.ok", 0),
    BAD(7, "stall_head", 0, SLM_E_NETWORK, ANY, "TIMEOUT_", ANY),
    BAD(8, "stall_start", 0, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", ANY),
    BAD(8, "stall_mid", P, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", 2), BAD(8, "stall_mid", S, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", 1),
    GOOD(8, "slow=40", 0, 1), GOOD(8, "late=300", 0, 1),

    BAD(11, "redirect=301", 0, SLM_E_REMOTE, 301, "PROTOCOL_REDIRECT", 1), BAD(11, "redirect=302", 0, SLM_E_REMOTE, 302, "PROTOCOL_REDIRECT", 1),
    BAD(11, "redirect=303", 0, SLM_E_REMOTE, 303, "PROTOCOL_REDIRECT", 1), BAD(11, "redirect=307", 0, SLM_E_REMOTE, 307, "PROTOCOL_REDIRECT", 1),
    BAD(11, "redirect=308", 0, SLM_E_REMOTE, 308, "PROTOCOL_REDIRECT", 1),
    BAD(12, "400", 0, SLM_E_REMOTE, 400, "BAD_REQUEST", 1), GOOD(12, "do_retry.ok", 0, 2),
    BAD(13, "context", 0, SLM_E_REMOTE, 400, "TOO_LONG", 1),
    BAD(14, "401", 0, SLM_E_REMOTE, 401, "AUTH", 1),
    BAD(15, "402", 0, SLM_E_REMOTE, 402, "QUOTA", 1), BAD(15, "quota", 0, SLM_E_REMOTE, 429, "QUOTA", 1), BAD(15, "spend", 0, SLM_E_REMOTE, 400, "QUOTA", 1),
    BAD(16, "403", 0, SLM_E_REMOTE, 403, "FORBIDDEN", 1),
    BAD(17, "404", 0, SLM_E_REMOTE, 404, "NOT_FOUND", 1), BAD(17, "status_flat=404", 0, SLM_E_REMOTE, 404, "NOT_FOUND", 1),
    BAD(17, "status_html=404", 0, SLM_E_REMOTE, 404, "NOT_FOUND", 1),
    BAD(18, "405", 0, SLM_E_REMOTE, 405, "BAD_REQUEST", 1), BAD(18, "406", 0, SLM_E_REMOTE, 406, "BAD_REQUEST", 1),
    BAD(18, "410", 0, SLM_E_REMOTE, 410, "BAD_REQUEST", 1), BAD(18, "415", 0, SLM_E_REMOTE, 415, "BAD_REQUEST", 1),
    BAD(18, "501", 0, SLM_E_REMOTE, 501, "BAD_REQUEST", 1),
    BAD(19, "408", 0, SLM_E_REMOTE, 408, "TIMEOUT_SERVER", 2), GOOD(19, "408.ok", 0, 2),
    BAD(20, "409", 0, SLM_E_REMOTE, 409, "CONFLICT", 2), GOOD(20, "409.ok", 0, 2),
    BAD(21, "413", 0, SLM_E_REMOTE, 413, "TOO_LONG", 1),
    BAD(22, "422", 0, SLM_E_REMOTE, 422, "BAD_REQUEST", 1),
    GOOD(23, "retry_after=1.ok", 0, 2), GOOD(23, "retry_ms=50.ok", 0, 2), GOOD(23, "retry_date=1.ok", 0, 2),
    BAD(24, "retry_after=100", 0, SLM_E_REMOTE, 429, "RATE", 1), BAD(24, "retry_after=99999999999999999999", 0, SLM_E_REMOTE, 429, "RATE", 1),
    BAD(24, "retry_date=5000", 0, SLM_E_REMOTE, 429, "RATE", 1), BAD(24, "retry_ms=4000", 0, SLM_E_REMOTE, 429, "RATE", 1),
    BAD(25, "429", 0, SLM_E_REMOTE, 429, "RATE", 2), GOOD(25, "429.ok", 0, 2), GOOD(25, "rate_reset=20ms.ok", 0, 2),
    GOOD(25, "retry_after=soon.ok", 0, 2), GOOD(25, "retry_after=-5.ok", 0, 2), GOOD(58, "retry_date=-100.ok", 0, 2),
    BAD(26, "500", 0, SLM_E_REMOTE, 500, "SERVER", 2), BAD(26, "502", 0, SLM_E_REMOTE, 502, "SERVER", 2),
    BAD(26, "503", 0, SLM_E_REMOTE, 503, NULL, 2), BAD(26, "504", 0, SLM_E_REMOTE, 504, "SERVER", 2),
    BAD(26, "status_html=502", 0, SLM_E_REMOTE, 502, "SERVER", 2), BAD(26, "status_empty=500", 0, SLM_E_REMOTE, 500, "SERVER", 2),
    BAD(26, "status_huge=500", 0, SLM_E_REMOTE, 500, "SERVER", 2), BAD(26, "status_huge=400", 0, SLM_E_REMOTE, 400, "BAD_REQUEST", 1),
    GOOD(26, "500.ok", 0, 2), GOOD(26, "503.ok", 0, 2), BAD(26, "never_retry", 0, SLM_E_REMOTE, 500, "SERVER", 1),
    BAD(27, "loading", 0, SLM_E_REMOTE, 503, "NOT_READY", 2), GOOD(27, "loading.ok", 0, 2),
    BAD(28, "529", 0, SLM_E_REMOTE, 529, "OVERLOAD", 2), BAD(28, "overloaded", 0, SLM_E_REMOTE, 529, "OVERLOAD", 2), GOOD(28, "529.ok", 0, 2),
    BAD(29, "418", 0, SLM_E_REMOTE, 418, "BAD_REQUEST", 1), BAD(29, "451", 0, SLM_E_REMOTE, 451, "BAD_REQUEST", 1),
    BAD(29, "599", 0, SLM_E_REMOTE, 599, "SERVER", 2),

    BAD(30, "error_first", P, SLM_E_REMOTE, ANY, "OVERLOAD", 2), BAD(30, "error_first=rate_limit_error", P, SLM_E_REMOTE, ANY, "RATE", 2),
    BAD(30, "error_first=invalid_request_error", P, SLM_E_REMOTE, ANY, "BAD_REQUEST", 1),
    BAD(31, "error_first", S, SLM_E_REMOTE, ANY, "OVERLOAD", 2), BAD(31, "error_first=rate_limit_error", S, SLM_E_REMOTE, ANY, "RATE", 2),
    BAD(31, "error_first=invalid_request_error", S, SLM_E_REMOTE, ANY, "BAD_REQUEST", 1), GOOD(31, "error_first.ok", 0, 2),
    BAD(32, "error_mid", S, SLM_E_REMOTE, ANY, "STREAM_ERROR", 1),
    BAD(33, "html", 0, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2), BAD(33, "type=image", 0, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2),
    GOOD(33, "type_json", S, 1), LATER(33, "html.ok", 0),
    BAD(34, "empty", 0, SLM_E_PROTOCOL, ANY, NULL, 2), BAD(34, "204", 0, SLM_E_PROTOCOL, ANY, NULL, 2), LATER(34, "empty.ok", 0),
    BAD(35, "cut_body", P, SLM_E_PROTOCOL, ANY, "TRUNCATED", 2), BAD(35, "cut_clean", P, SLM_E_PROTOCOL, ANY, NULL, 2),
    BAD(35, "cut_chunk", P, SLM_E_PROTOCOL, ANY, "TRUNCATED", 2), BAD(35, "cut_head", 0, ANY, ANY, NULL, 2), LATER(35, "cut_body.ok", P),
    BAD(35, "cut_reset", P, SLM_E_PROTOCOL, ANY, "TRUNCATED", 2),
    BAD(36, "bad_json", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2), BAD(36, "bad_json", S, SLM_E_PROTOCOL, ANY, "PROTOCOL", 1),
    BAD(36, "json_nan", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2), BAD(36, "json_array", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2),
    BAD(36, "json_number", P, SLM_E_PROTOCOL, ANY, NULL, 2), BAD(36, "json_trailing", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2),
    BAD(36, "json_surrogate", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2), BAD(36, "json_twice", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2),
    BAD(36, "json_types", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2), BAD(36, "json_content", P, SLM_E_PROTOCOL, ANY, "PROTOCOL", 2),
    BAD(36, "json_deep", P, SLM_E_PROTOCOL, ANY, NULL, ANY), BAD(36, "json_many", P, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(36, "json_nan", S, SLM_E_PROTOCOL, ANY, NULL, 1), BAD(36, "json_array", S, SLM_E_PROTOCOL, ANY, NULL, 1),
    BAD(36, "json_number", S, SLM_E_PROTOCOL, ANY, NULL, 1), BAD(36, "json_trailing", S, SLM_E_PROTOCOL, ANY, NULL, 1),
    BAD(36, "json_surrogate", S, SLM_E_PROTOCOL, ANY, NULL, 1), BAD(36, "json_twice", S, SLM_E_PROTOCOL, ANY, NULL, 1),
    BAD(36, "json_types", S, SLM_E_PROTOCOL, ANY, NULL, 1), BAD(36, "json_deep", S, SLM_E_PROTOCOL, ANY, NULL, 1),
    BAD(36, "json_many", S, SLM_E_PROTOCOL, ANY, NULL, 1),
    BAD(37, "cut_body", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1), BAD(37, "cut_clean", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1),
    BAD(37, "cut_chunk", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1), BAD(37, "cut_reset", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1),
    GOOD(38, "no_done", 0, 1), GOOD(38, "no_end_blank", 0, 1),
    BAD(39, "no_finish", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1),
    GOOD(40, "after_done", 0, 1),
    GOOD(41, "comments", 0, 1), GOOD(41, "odd_events", 0, 1), GOOD(41, "bom", 0, 1), GOOD(41, "crlf", 0, 1), GOOD(41, "cr", 0, 1),
    GOOD(41, "no_blank", 0, 1), GOOD(41, "glued", 0, 1), GOOD(41, "split", 0, 1), GOOD(41, "unknown", 0, 1),
    BAD(41, "endless_comments", S, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(42, "utf8_bad", 0, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY),
    { 42, HTTP, "utf8_split", P, SLM_OK, 0, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa2 \xe2\x82\xac", 1, 0, NULL },
    { 42, HTTP, "utf8_split", S, SLM_OK, 0, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa2 \xe2\x82\xac said: one two three four", 1, 0, NULL },
    BAD(43, "endless_line", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1), BAD(43, "big_body=2", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1),
    BAD(43, "big_event", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1), BAD(43, "endless", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1),
    BAD(44, "gzip", 0, SLM_E_PROTOCOL, ANY, NULL, ANY), BAD(44, "gzip=200000", 0, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(44, "encoding=br", P, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(44, "big_body=17", P, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1),
    BAD(44, "big_header", 0, SLM_E_PROTOCOL, ANY, "TOO_BIG", ANY), BAD(44, "many_headers", 0, SLM_E_PROTOCOL, ANY, "TOO_BIG", ANY),
    BAD(44, "endless_header", 0, SLM_E_PROTOCOL, ANY, "TOO_BIG", ANY), BAD(44, "endless_100", 0, SLM_E_PROTOCOL, ANY, "TOO_BIG", ANY),
    BAD(45, "drip=60", 0, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", ANY), BAD(45, "pings", 0, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", ANY),
    ODD(46, "twice", S, "YouYou said: one two three four", 0),
    BAD(46, "block=twice", A | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY),
    BAD(48, "block=early", A | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY), BAD(48, "block=late", A | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY),
    BAD(48, "block=type", A | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY), BAD(48, "block=headless", A | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", ANY),
    BAD(49, "no_choices", P, SLM_E_PROTOCOL, ANY, "EMPTY", 2), BAD(49, "no_choices", S, SLM_E_PROTOCOL, ANY, NULL, 2),
    BAD(49, "no_text", O | P, SLM_E_PROTOCOL, ANY, "EMPTY", 2),
    GOOD(53, "new_block", 0, 1),
    ODD(54, "usage=none", 0, LINE, SLM_REPLY_ESTIMATED), ODD(54, "usage=null", 0, LINE, SLM_REPLY_ESTIMATED),
    ODD(54, "usage=negative", 0, LINE, SLM_REPLY_ESTIMATED), ODD(54, "usage=fraction", 0, LINE, SLM_REPLY_ESTIMATED),
    ODD(54, "usage=huge", 0, LINE, SLM_REPLY_ESTIMATED), ODD(54, "usage=sum", O, LINE, SLM_REPLY_ESTIMATED),
    ODD(54, "usage=text", 0, LINE, SLM_REPLY_ESTIMATED),
    GOOD(55, "usage_twice", 0, 1),
    BAD(59, "other_id", O | S, SLM_E_PROTOCOL, ANY, "PROTOCOL", 1),

    /* HTTP in its odder forms */
    GOOD(0, "http10", 0, 1), GOOD(0, "says_close", 0, 1), GOOD(0, "close_after", 0, 1), GOOD(0, "first_100", 0, 1),
    BAD(0, "http09", 0, ANY, ANY, NULL, ANY), BAD(0, "garbage", 0, ANY, ANY, NULL, ANY), BAD(0, "bad_version", 0, ANY, ANY, NULL, ANY),
    BAD(0, "bad_status", 0, ANY, ANY, NULL, ANY), BAD(0, "status_1000", 0, ANY, ANY, NULL, ANY),
    BAD(0, "length_negative", 0, ANY, ANY, NULL, ANY), BAD(0, "length_short", P, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(0, "length_twice", 0, ANY, ANY, NULL, ANY), BAD(0, "length_huge", P, SLM_E_PROTOCOL, ANY, NULL, ANY),
    BAD(0, "chunk_garbage", 0, ANY, ANY, NULL, ANY), BAD(0, "chunk_short", 0, ANY, ANY, NULL, ANY),
    BAD(0, "chunk_huge", 0, ANY, ANY, NULL, ANY), BAD(0, "chunk_negative", 0, ANY, ANY, NULL, ANY),
    GOOD(0, "two_replies", 0, 1), BAD(0, "407", 0, ANY, ANY, NULL, 1),

    /* the servers that copy these two */
#define SERVER(play, server) { 0, HTTP, play, O, SLM_OK, 0, LINE, 1, 0, server }
    SERVER("vllm", "vllm"), SERVER("llama", "llama-server"), SERVER("ollama", "ollama"), SERVER("lmstudio", "lmstudio"), SERVER("openrouter", "openrouter"),
    { 0, HTTP, "ok", O | P, SLM_OK, 0, LINE, 1, 0, "compatible" }, { 0, HTTP, "ok", O | S, SLM_OK, 0, LINE, 1, SLM_REPLY_ESTIMATED, "compatible" },

    /* the same over HTTP/2 */
    { 2, "h2", "close_before", 0, SLM_E_NETWORK, ANY, "NET_", 2, 0, NULL }, { 2, "h2", "close_before.ok", 0, SLM_OK, 0, LINE, 2, SLM_REPLY_ESTIMATED, NULL },
    { 7, "h2", "stall", 0, SLM_E_NETWORK, ANY, "TIMEOUT_FIRST", 2, 0, NULL }, { 8, "h2", "stall_mid", S, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", 1, 0, NULL },
    { 11, "h2", "redirect=307", 0, SLM_E_REMOTE, 307, "PROTOCOL_REDIRECT", 1, 0, NULL }, { 23, "h2", "retry_ms=50.ok", 0, SLM_OK, 0, LINE, 2, 0, NULL },
    { 35, "h2", "cut_reset", P, SLM_E_PROTOCOL, ANY, "TRUNCATED", 2, 0, NULL }, { 37, "h2", "cut_reset", S, SLM_E_PROTOCOL, ANY, "TRUNCATED", 1, 0, NULL },
    { 43, "h2", "endless", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1, 0, NULL }, { 43, "h2", "endless_line", S, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1, 0, NULL },
    { 44, "h2", "big_body=17", P, SLM_E_PROTOCOL, ANY, "TOO_BIG", 1, 0, NULL }, { 44, "h2", "big_header", 0, ANY, ANY, NULL, ANY, 0, NULL }, { 45, "h2", "pings", S, SLM_E_NETWORK, ANY, "TIMEOUT_IDLE", ANY, 0, NULL },
};

/* ---- all exchanges, made beforehand ---- */

typedef struct outcome {
    const row *row;
    bool       anthropic, stream;
    int        id;
    slm_status status, opened;
    slm_error  err;
    slm_reply  reply;
    char       got[256];          /* the beginning of what the callback was given */
    size_t     got_len, got_all;
    uint64_t   ms;
    size_t     tries;             /* that the server saw */
} outcome;

static outcome outcomes[4 * COUNT(rows)];
static size_t n_outcomes;
static atomic_size_t next_outcome;

static int take_text(void *user, const char *text, size_t len)
{
    outcome *o = user;
    const size_t n = len < sizeof o->got - o->got_len ? len : sizeof o->got - o->got_len;
    memcpy(o->got + o->got_len, text, n);
    o->got_len += n;
    o->got_all += len;
    return 0;
}

static slm_request ask(const char *prompt)
{
    slm_request q = SLM_REQUEST_INIT;
    q.prompt = prompt;
    q.prompt_len = strlen(prompt);
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    q.max_tokens = 200;
    return q;
}

/* Path of an outcome's own, so that the server counts its tries by themselves. */
static void name_of(const outcome *o, char *name, size_t room) { (void)snprintf(name, room, "%s~%d", o->row->play, o->id); }

static void exchange(outcome *o)
{
    char name[128], url[300];
    slm_engine *engine = NULL;
    slm_request q = ask("one two three four");
    name_of(o, name, sizeof name);
    rig_url(url, sizeof url, o->row->port, name);
    slm_engine_remote_params p = rig_params(o->anthropic ? "anthropic" : o->row->server ? o->row->server : "openai", url);
    p.flags = (o->stream ? 0 : SLM_REMOTE_PLAIN) | (strcmp(o->row->port, "h2") == 0 ? SLM_REMOTE_HTTP2 : 0);
    q.text = take_text;
    q.user = o;
    if (strncmp(o->row->play, "endless", 7) == 0)
        p.max_body = 2u << 20;            /* soon enough under a sanitizer */
    o->opened = slm_engine_remote(&engine, &p, &o->err);
    if (o->opened)
        return;
    const uint64_t start = rig_now_ms();
    o->status = slm_engine_run(engine, &q, &o->reply, &o->err);
    o->ms = rig_now_ms() - start;
    slm_engine_free(engine);
}

static void *work(void *arg)
{
    size_t i;
    (void)arg;
    while ((i = atomic_fetch_add(&next_outcome, 1)) < n_outcomes)
        exchange(&outcomes[i]);
    return NULL;
}

static void make_outcomes(const char *only)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < COUNT(rows); i++) {
        const unsigned with = rows[i].with;
        if (only && !strstr(rows[i].play, only))
            continue;
        for (unsigned form = 0; form < 4; form++) {
            const bool anthropic = form & 1, stream = form & 2;
            if ((with & (O | A) && !(with & (anthropic ? A : O))) || (with & (P | S) && !(with & (stream ? S : P))))
                continue;
            outcome *o = &outcomes[n_outcomes];
            *o = (outcome){ .row = &rows[i], .anthropic = anthropic, .stream = stream, .id = (int)n_outcomes, .reply = SLM_REPLY_INIT };
            n_outcomes++;
        }
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < n_outcomes; i++) {
        char name[128], path[160];
        name_of(&outcomes[i], name, sizeof name);
        (void)snprintf(path, sizeof path, " /%s/", name);
        outcomes[i].tries = rig_log_count(path);
    }
}

/* ---- the table's tests ---- */

static void check_outcome(const outcome *o)
{
    const row *r = o->row;
    char about[200];
    (void)snprintf(about, sizeof about, "row %d, %s %s, %s, %s; again: test_remote SERVER %s", r->number, r->port, r->play,
                   o->anthropic ? "anthropic" : "openai", o->stream ? "stream" : "plain", r->play);
    if (o->opened)
        fail_msg("%s: no engine: %s", about, o->err.text);
    if (r->status == (slm_status)ANY ? o->status == SLM_OK : o->status != r->status)
        fail_msg("%s: %s, want %s: %s", about, slm_status_name(o->status), r->status == (slm_status)ANY ? "a failure" : slm_status_name(r->status),
                 o->status ? o->err.text : o->reply.text);
    if (o->ms > 22000)
        fail_msg("%s: took %" PRIu64 " ms", about, o->ms);
    if (r->tries != ANY && o->tries != (size_t)r->tries)
        fail_msg("%s: the server saw %zu tries, want %d: %s", about, o->tries, r->tries, o->status ? o->err.text : "");
    if (o->status) {
        char word[64];
        (void)snprintf(word, sizeof word, ": %s", r->word ? r->word : "");
        if (!strstr(o->err.text, word))
            fail_msg("%s: the text should name %s: %s", about, r->word, o->err.text);
        if (strncmp(o->err.text, "127.0.0.1", 9) != 0)
            fail_msg("%s: the text does not begin with the host: %s", about, o->err.text);
        if (r->code != ANY && o->err.code != r->code)
            fail_msg("%s: code %d, want %d", about, o->err.code, r->code);
        if (o->reply.partial && (o->reply.text_len != o->got_all || memcmp(o->reply.text, o->got, o->got_len) != 0))
            fail_msg("%s: the partial reply has '%.200s', handed out was '%.*s'", about, o->reply.text, (int)o->got_len, o->got);
        if (o->got_all > 0 && !o->reply.partial)
            fail_msg("%s: text was handed out, and the reply is not marked partial", about);
        return;
    }
    if (r->word && strcmp(o->reply.text, r->word) != 0)
        fail_msg("%s: the text is '%s', want '%s'", about, o->reply.text, r->word);
    if (o->got_all != o->reply.text_len || memcmp(o->got, o->reply.text, o->got_len) != 0)
        fail_msg("%s: handed out was '%.*s', the reply has '%s'", about, (int)o->got_len, o->got, o->reply.text);
    if (o->reply.flags != r->flags)
        fail_msg("%s: flags %u, want %u (%s)", about, o->reply.flags, r->flags, o->reply.note);
    if (!o->reply.left || o->reply.partial || o->reply.tries != o->tries)
        fail_msg("%s: left %u partial %u tries %u, the server saw %zu", about, o->reply.left, o->reply.partial, o->reply.tries, o->tries);
    if (o->reply.tokens == 0 || o->reply.prompt_tokens == 0)
        fail_msg("%s: tokens %" PRIu64 " of %" PRIu64, about, o->reply.tokens, o->reply.prompt_tokens);
}

/* One test a row, so that each name is seen. */
static void test_row(void **state)
{
    const row *r = *state;
    for (size_t i = 0; i < n_outcomes; i++)
        if (outcomes[i].row == r)
            check_outcome(&outcomes[i]);
}

/* ---- beside the table ---- */

static slm_engine *engine_of(const char *server, const char *port, const char *play, void (*change)(slm_engine_remote_params *p))
{
    char url[300];
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    rig_url(url, sizeof url, port, play);
    slm_engine_remote_params p = rig_params(server, url);
    if (change)
        change(&p);
    check_status(slm_engine_remote(&engine, &p, &err), SLM_OK, &err);
    return engine;
}

static void plain(slm_engine_remote_params *p) { p->flags |= SLM_REMOTE_PLAIN; }

static void deadline_ends_a_call(void **state)
{
    (void)state;
    static const char *const plays[] = { "stall", "slow=100", "500", "retry_after=2" };
    for (size_t i = 0; i < COUNT(plays); i++) {
        slm_engine *engine = engine_of("openai", HTTP, plays[i], NULL);
        slm_request q = ask("one two three four five six seven eight");
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        q.deadline_ms = 250;
        const uint64_t start = rig_now_ms();
        const slm_status status = slm_engine_run(engine, &q, &reply, &err);
        const uint64_t ms = rig_now_ms() - start;
        if (status != SLM_E_DEADLINE && !(status == SLM_E_REMOTE && i >= 2))     /* a pause beyond the deadline is not begun */
            fail_msg("%s: %s: %s", plays[i], slm_status_name(status), err.text);
        if (ms > 450)
            fail_msg("%s: %" PRIu64 " ms with a deadline of 250", plays[i], ms);
        slm_reply_free(&reply);
        slm_engine_free(engine);
    }
}

static void *cancel_soon(void *arg)
{
    (void)usleep(150000);
    slm_cancel_set(arg);
    return NULL;
}

static void cancel_ends_a_call_at_once(void **state)
{
    (void)state;
    static const char *const ports[] = { "http", "http", "http", "full", "silent_tls", "http" };
    static const char *const plays[] = { "stall", "slow=500", "retry_after=2", "ok", "ok", "endless=1" };
    for (size_t i = 0; i < COUNT(plays); i++) {
        slm_engine *engine = engine_of("anthropic", ports[i], plays[i], NULL);
        slm_cancel cancel = { 0, 0 };
        slm_request q = ask("one two three four");
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        pthread_t thread;
        q.cancel = &cancel;
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
        const uint64_t start = rig_now_ms();
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_CANCELLED, &err);
        const uint64_t ms = rig_now_ms() - start;
        (void)pthread_join(thread, NULL);
        if (ms > 300)
            fail_msg("%s: returned %" PRIu64 " ms after a cancel at 150", plays[i], ms);
        slm_reply_free(&reply);
        slm_engine_free(engine);
    }
}

static void local_requests_never_leave(void **state)
{
    (void)state;
    static const char secret[] = "this sentence stays at home 81723";
    slm_engine *engine = engine_of("openai", HTTP, "ok", NULL);
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    q.prompt = secret;
    q.prompt_len = strlen(secret);
    for (uint32_t privacy = 0; privacy < 4; privacy++) {
        q.privacy = privacy;
        if (privacy == SLM_PRIVACY_MAY_LEAVE)
            continue;
        check_status(slm_engine_run(engine, &q, &reply, &err), privacy < 3 ? SLM_E_REFUSED : SLM_E_ARG, &err);
        assert_false(reply.left);
        slm_reply_free(&reply);
        const slm_status direct = engine->run(engine->user, &q, &reply, &err);      /* past the check of slm_engine_run */
        if (direct == SLM_OK || reply.left)
            fail_msg("privacy %u: the engine sent it", privacy);
        slm_reply_free(&reply);
    }
    assert_int_equal(rig_log_count(secret), 0);
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
    slm_reply_free(&reply);
    assert_int_equal(rig_log_count(secret), 1);                                     /* the log would have shown it */
    slm_engine_free(engine);
}

/* Row 61: what looks at the bytes sees all of them, and its word ends it. */
static char inspected[4096];
static int inspect(void *user, const char *body, size_t len)
{
    (void)snprintf(inspected, sizeof inspected, "%.*s", (int)len, body);
    return *(const int *)user;
}
static int verdict;
static void with_inspection(slm_engine_remote_params *p)
{
    p->inspect = inspect;
    p->inspect_user = &verdict;
}

static void inspection_sees_what_is_sent_and_can_refuse_it(void **state)
{
    (void)state;
    for (int wire = 0; wire < 2; wire++) {
        const char *play = wire ? "ok~inspected1" : "ok~inspected0";
        slm_engine *engine = engine_of(wire ? "anthropic" : "openai", HTTP, play, with_inspection);
        slm_request q = ask("call me at 555-0199");
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        verdict = 1;
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_REFUSED, &err);
        check_text(&err, "POLICY");
        assert_false(reply.left);
        assert_non_null(strstr(inspected, "555-0199"));
        assert_int_equal(rig_log_count(play), 0);
        slm_reply_free(&reply);
        verdict = 0;
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
        slm_reply_free(&reply);
        slm_engine_free(engine);
        assert_int_equal(rig_log_count(play), 1);
        assert_int_equal(rig_log_count(inspected), 1);              /* exactly these bytes */
    }
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    assert_int_equal(rig_log_count(" /redirected/"), 0);
}

static void ping_asks_for_the_models(void **state)
{
    (void)state;
    static const struct { const char *port, *play; slm_status status; int code; } cases[] = {
        { "http", "ok", SLM_OK, 200 }, { "https", "ok", SLM_OK, 200 }, { "http", "401", SLM_E_REMOTE, 401 }, { "refused", "ok", SLM_E_NETWORK, ANY },
        { "http", "redirect", SLM_E_REMOTE, 307 }, { "expired", "ok", SLM_E_NETWORK, ANY },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int wire = 0; wire < 2; wire++) {
            slm_engine *engine = engine_of(wire ? "anthropic" : "openai", cases[i].port, cases[i].play, NULL);
            slm_error err = { 0 };
            int32_t code = 0;
            check_status(slm_remote_ping(engine, &code, &err), cases[i].status, &err);
            if (cases[i].code != ANY && (cases[i].status ? err.code : code) != cases[i].code)
                fail_msg("%s: code %d, error's %d, want %d", cases[i].play, code, err.code, cases[i].code);
            slm_engine_free(engine);
        }
}

static void choosing_gives_a_label_of_the_set(void **state)
{
    (void)state;
    static const char *const labels[] = { "positive", "negative", "a \"quoted\" one" };
    for (int wire = 0; wire < 2; wire++)
        for (int form = 0; form < 2; form++) {
            slm_engine *engine = engine_of(wire ? "anthropic" : "openai", HTTP, "ok", form ? plain : NULL);
            slm_request q = ask("Is it negative or not?");
            slm_reply reply = SLM_REPLY_INIT;
            slm_error err = { 0 };
            q.task = SLM_TASK_CHOOSE;
            q.max_tokens = 0;
            q.labels = labels;
            q.n_labels = 3;
            check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
            assert_string_equal(reply.text, "negative");
            assert_int_equal(reply.label, 1);
            slm_reply_free(&reply);
            slm_engine_free(engine);
        }
}

static void an_answer_outside_the_set_or_schema_is_a_protocol_error(void **state)
{
    (void)state;
    static const char *const labels[] = { "yes", "no" };
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"],\"additionalProperties\":false}";
    for (int wire = 0; wire < 2; wire++) {
        slm_engine *engine = engine_of(wire ? "anthropic" : "openai", HTTP, "words=5", NULL);
        slm_request q = ask("n?");
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        slm_engine *stubborn = engine_of(wire ? "anthropic" : "openai", HTTP, "utf8_split", NULL);    /* says text, whatever was asked */
        q.schema = schema;
        q.schema_len = sizeof schema - 1;
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
        assert_string_equal(reply.text, "{\"n\":7}");
        slm_reply_free(&reply);
        check_status(slm_engine_run(stubborn, &q, &reply, &err), SLM_E_PROTOCOL, &err);
        slm_reply_free(&reply);
        q.schema = NULL;
        q.schema_len = 0;
        q.max_tokens = 0;
        q.task = SLM_TASK_CHOOSE;
        q.labels = labels;
        q.n_labels = 2;
        check_status(slm_engine_run(stubborn, &q, &reply, &err), SLM_E_PROTOCOL, &err);
        slm_reply_free(&reply);
        slm_engine_free(engine);
        slm_engine_free(stubborn);
    }
}

/* Row 47: what a tool's call looks like at the end, however its pieces came. */
static void tool_calls_survive_disorder(void **state)
{
    (void)state;
    static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"of a city\",\"parameters\":{\"type\":\"object\",\"properties\":"
                                "{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}]";
    static const struct { const char *play; slm_status streamed, plain; } cases[] = {       /* of OpenAI's format */
        { "ok", SLM_OK, SLM_OK },           { "ollama", SLM_OK, SLM_OK },      { "tool=noindex", SLM_OK, SLM_OK }, { "tool=gap", SLM_OK, SLM_OK },
        { "tool=again", SLM_OK, SLM_OK },   { "tool=object", SLM_OK, SLM_OK }, { "tool=badjson", SLM_E_PROTOCOL, SLM_E_PROTOCOL },
        { "tool=huge", SLM_E_PROTOCOL, SLM_OK },
    };
    const slm_message message = SLM_MESSAGE("user", "please call the tool", 20);
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int form = 0; form < 4; form++) {
            const bool anthropic = form & 1, whole = form & 2;
            slm_engine *engine = engine_of(anthropic ? "anthropic" : "openai", HTTP, cases[i].play, whole ? plain : NULL);
            slm_request q = SLM_REQUEST_INIT;
            slm_reply reply = SLM_REPLY_INIT;
            slm_error err = { 0 };
            outcome sink = { 0 };
            q.task = SLM_TASK_CHAT;
            q.privacy = SLM_PRIVACY_MAY_LEAVE;
            q.messages = &message;
            q.n_messages = 1;
            q.tools = tools;
            q.tools_len = sizeof tools - 1;
            if (!whole) {
                q.text = take_text;
                q.user = &sink;
            }
            const slm_status status = slm_engine_run(engine, &q, &reply, &err);
            const bool broken = strcmp(cases[i].play, "tool=badjson") == 0 && !whole;      /* Anthropic's whole reply has no text to break */
            const slm_status want = anthropic ? broken ? SLM_E_PROTOCOL : SLM_OK : whole ? cases[i].plain : cases[i].streamed;
            if (status != want)
                fail_msg("%s, %s, %s: %s, want %s: %s", cases[i].play, anthropic ? "anthropic" : "openai", whole ? "plain" : "stream",
                         slm_status_name(status), slm_status_name(want), err.text);
            if (status == SLM_OK && (reply.n_calls != 1 || reply.reason != SLM_STOP_CALLS || strcmp(reply.calls->name, "weather") != 0 ||
                                     strcmp(reply.calls->id, anthropic ? "toolu_1" : "call_1") != 0 ||
                                     strcmp(reply.calls->arguments, "{\"city\":\"text\"}") != 0))
                fail_msg("%s, %s, %s: reason %u, %zu calls, the first %s %s(%s)", cases[i].play, anthropic ? "anthropic" : "openai", whole ? "plain" : "stream",
                         reply.reason, reply.n_calls, reply.n_calls ? reply.calls->id : "", reply.n_calls ? reply.calls->name : "",
                         reply.n_calls ? reply.calls->arguments : "");
            slm_reply_free(&reply);
            slm_engine_free(engine);
        }
}

/* Rows 50 to 53: why an answer ended. */
static void reasons_are_told_apart(void **state)
{
    (void)state;
    static const struct { const char *play; int wire; uint32_t reason, flags; } cases[] = {
        { "finish=length", 0, SLM_STOP_LENGTH, 0 },          { "finish=max_tokens", 1, SLM_STOP_LENGTH, 0 },
        { "finish=content_filter", 0, SLM_STOP_REFUSED, 0 }, { "refusal", 0, SLM_STOP_REFUSED, 0 },
        { "refusal", 1, SLM_STOP_REFUSED, 0 },               { "finish=pause_turn", 1, SLM_STOP_OTHER, SLM_REPLY_CUT },
        { "finish=because", 0, SLM_STOP_OTHER, 0 },          { "finish=because", 1, SLM_STOP_OTHER, 0 },
        { "ok", 0, SLM_STOP_EOS, 0 },                        { "ok", 1, SLM_STOP_EOS, 0 },
        { "finish=model_context_window_exceeded", 1, SLM_STOP_CONTEXT, SLM_REPLY_CUT },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int whole = 0; whole < 2; whole++) {
            slm_engine *engine = engine_of(cases[i].wire ? "anthropic" : "openai", HTTP, cases[i].play, whole ? plain : NULL);
            slm_request q = ask("hello");
            slm_reply reply = SLM_REPLY_INIT;
            slm_error err = { 0 };
            outcome sink = { 0 };
            if (!whole) {
                q.text = take_text;
                q.user = &sink;
            }
            check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
            if (reply.reason != cases[i].reason || reply.flags != cases[i].flags)
                fail_msg("%s, %s: reason %u flags %u, want %u and %u", cases[i].play, cases[i].wire ? "anthropic" : "openai", reply.reason, reply.flags,
                         cases[i].reason, cases[i].flags);
            slm_reply_free(&reply);
            slm_engine_free(engine);
        }
}

static void the_model_that_answered_is_named(void **state)
{
    (void)state;
    for (int wire = 0; wire < 2; wire++) {
        slm_engine *engine = engine_of(wire ? "anthropic" : "openai", HTTP, "other_model", NULL);
        slm_request q = ask("hello");
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
        assert_string_equal(reply.model, "another-model");
        slm_reply_free(&reply);
        slm_engine_free(engine);
    }
}

/* Row 57. */
static ptrdiff_t split_key(void *user, char *key, size_t room)
{
    (void)user, (void)room;
    memcpy(key, "abc\r\nX-Evil: 1", 14);
    return 14;
}
static void with_split_key(slm_engine_remote_params *p) { p->key = split_key; }

static void line_breaks_reach_no_header(void **state)
{
    (void)state;
    slm_engine *engine = engine_of("openai", HTTP, "ok", with_split_key);
    slm_request q = ask("hello");
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_ARG, &err);
    slm_reply_free(&reply);
    slm_engine_free(engine);
    assert_int_equal(rig_log_count("X-Evil"), 0);

    static const char *const urls[] = { "http://127.0.0.1:1/a\r\nb", "http://u:p@127.0.0.1/v1", "http://127.0.0.1/v1?x=1", "http://127.0.0.1/v1#x",
                                        "http://example.com/v1", "ftp://127.0.0.1/v1", "https://elsewhere.example/v1", "", "127.0.0.1/v1",
                                        "http://0x7f.1/v1", "http://2130706433/v1", "file:///etc/passwd" };
    for (size_t i = 0; i < COUNT(urls); i++) {
        slm_engine_remote_params p = rig_params("openai", urls[i]);
        engine = NULL;
        const slm_status status = slm_engine_remote(&engine, &p, &err);
        if (status != SLM_E_ARG || engine)
            fail_msg("base URL '%s': %s", urls[i], slm_status_name(status));
    }
}

static void proxies_are_not_answers(void **state)
{
    (void)state;
    static const struct { const char *proxy; slm_status status; const char *word; } cases[] = {
        { "proxy", SLM_OK, NULL }, { "proxy_407", SLM_E_NETWORK, "NET_PROXY" }, { "proxy_403", SLM_E_NETWORK, "NET_PROXY" }, { "refused", SLM_E_NETWORK, "NET_" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char url[300], proxy[100];
        slm_engine *engine = NULL;
        slm_error err = { 0 };
        slm_reply reply = SLM_REPLY_INIT;
        slm_request q = ask("hello");
        rig_url(url, sizeof url, "https", "ok");
        (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", rig_port(cases[i].proxy));
        slm_engine_remote_params p = rig_params("openai", url);
        p.proxy = proxy;
        check_status(slm_engine_remote(&engine, &p, &err), SLM_OK, &err);
        check_status(slm_engine_run(engine, &q, &reply, &err), cases[i].status, &err);
        if (cases[i].word)
            check_text(&err, cases[i].word);
        slm_reply_free(&reply);
        slm_engine_free(engine);
    }
}

static void names_that_do_not_exist_are_net_resolve(void **state)
{
    (void)state;
    static const char *const hosts[] = { "no-such-host.invalid" };
    slm_engine_remote_params p = rig_params("openai", "https://no-such-host.invalid/v1");
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask("hello");
    p.hosts = hosts;
    p.n_hosts = 1;
    p.connect_ms = 5000;
    check_status(slm_engine_remote(&engine, &p, &err), SLM_OK, &err);
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_NETWORK, &err);
    if (!strstr(err.text, "NET_RESOLVE") && !strstr(err.text, "TIMEOUT_CONNECT"))
        fail_msg("%s", err.text);
    slm_reply_free(&reply);
    slm_engine_free(engine);
}

static void without_the_authority_nothing_is_trusted(void **state)
{
    (void)state;
    char url[300];
    rig_url(url, sizeof url, "https", "ok~unverified");
    slm_engine_remote_params p = rig_params("openai", url);
    slm_engine *engine = NULL;
    slm_error err = { 0 };
    slm_reply reply = SLM_REPLY_INIT;
    slm_request q = ask("hello");
    p.ca_file = NULL;
    check_status(slm_engine_remote(&engine, &p, &err), SLM_OK, &err);
    check_status(slm_engine_run(engine, &q, &reply, &err), SLM_E_NETWORK, &err);
    check_text(&err, "TLS_VERIFY");
    assert_false(reply.left);
    slm_reply_free(&reply);
    slm_engine_free(engine);
    assert_int_equal(rig_log_count("ok~unverified"), 0);
}

static void connections_are_used_again(void **state)
{
    (void)state;
    static const char *const ports[] = { "http", "https" };
    for (size_t i = 0; i < COUNT(ports); i++) {
        slm_engine *engine = engine_of("openai", ports[i], "ok", NULL);
        slm_remote_statistics s = SLM_REMOTE_STATISTICS_INIT;
        slm_error err = { 0 };
        for (int k = 0; k < 5; k++) {
            slm_reply reply = SLM_REPLY_INIT;
            slm_request q = ask("hello");
            check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
            slm_reply_free(&reply);
        }
        check_status(slm_remote_get_statistics(engine, &s, &err), SLM_OK, &err);
        if (s.calls != 5 || s.answered != 5 || s.tries != 5 || s.connections != 1 || s.reused != 4 || s.running != 0)
            fail_msg("%s: calls %" PRIu64 " answered %" PRIu64 " tries %" PRIu64 " connections %" PRIu64 " reused %" PRIu64, ports[i], s.calls, s.answered,
                     s.tries, s.connections, s.reused);
        slm_engine_free(engine);
    }
}

static void a_connection_the_server_closed_between_calls_costs_nothing(void **state)
{
    (void)state;
    slm_engine *engine = engine_of("openai", HTTP, "close_after", NULL);
    for (int k = 0; k < 5; k++) {
        slm_reply reply = SLM_REPLY_INIT;
        slm_error err = { 0 };
        slm_request q = ask("hello");
        check_status(slm_engine_run(engine, &q, &reply, &err), SLM_OK, &err);
        assert_int_equal(reply.tries, 1);
        slm_reply_free(&reply);
        (void)usleep(20000);
    }
    slm_engine_free(engine);
}

/* Row 62. */
static slm_budget *budget;
static void with_budget(slm_engine_remote_params *p) { p->budget = budget; }

static void a_budget_is_never_passed(void **state)
{
    (void)state;
    const slm_price price = { "test-*", 1000000, 2000000, 0, 0 };
    slm_budget_params bp = SLM_BUDGET_PARAMS_INIT;
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    slm_error err = { 0 };
    slm_status status = SLM_OK;
    uint64_t cost = 0;
    bp.total = 3000000;
    bp.prices = &price;
    bp.n_prices = 1;
    check_status(slm_budget_new(&budget, &bp, &err), SLM_OK, &err);
    slm_engine *engine = engine_of("openai", HTTP, "ok~budget", with_budget);
    size_t calls = 0;
    while (calls < 1000) {
        slm_reply reply = SLM_REPLY_INIT;
        slm_request q = ask("hello");
        status = slm_engine_run(engine, &q, &reply, &err);
        cost += reply.cost;
        slm_reply_free(&reply);
        if (status)
            break;
        calls++;
    }
    check_status(status, SLM_E_BUDGET, &err);
    check_status(slm_budget_get_info(budget, &info, &err), SLM_OK, &err);
    if (info.spent != cost || info.spent > info.total || info.reserved != 0 || rig_log_count("ok~budget") != calls)
        fail_msg("spent %" PRIu64 " of %" PRIu64 ", replies say %" PRIu64 ", reserved %" PRIu64 ", calls %zu", info.spent, info.total, cost, info.reserved, calls);
    slm_engine_free(engine);
    slm_budget_free(budget);
}

static const char *server_path;

static void the_example_runs_here_and_there(void **state)
{
    char command[800], url[300], text[256] = "", path[400];
    (void)state;
    (void)snprintf(path, sizeof path, "%.*sremote", (int)(strrchr(server_path, '/') - server_path + 1), server_path);
    if (access(path, X_OK) != 0) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    rig_url(url, sizeof url, HTTP, "ok");
    (void)snprintf(command, sizeof command, "%s %s test-model 'Good morning'", path, url);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    (void)!fread(text, 1, sizeof text - 1, f);
    assert_int_equal(pclose(f), 0);
    if (strncmp(text, "You said: Good morning", 22) != 0)
        fail_msg("%s: '%s'", command, text);
}

static int drop_outcomes(void **state)
{
    for (size_t i = 0; i < n_outcomes; i++)
        slm_reply_free(&outcomes[i].reply);
    rig_stop();
    return test_folder_remove(state);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(deadline_ends_a_call), cmocka_unit_test(cancel_ends_a_call_at_once), cmocka_unit_test(local_requests_never_leave),
        cmocka_unit_test(inspection_sees_what_is_sent_and_can_refuse_it),
        cmocka_unit_test(a_redirect_is_not_followed), cmocka_unit_test(ping_asks_for_the_models), cmocka_unit_test(choosing_gives_a_label_of_the_set),
        cmocka_unit_test(an_answer_outside_the_set_or_schema_is_a_protocol_error), cmocka_unit_test(tool_calls_survive_disorder),
        cmocka_unit_test(reasons_are_told_apart), cmocka_unit_test(the_model_that_answered_is_named), cmocka_unit_test(line_breaks_reach_no_header),
        cmocka_unit_test(proxies_are_not_answers), cmocka_unit_test(names_that_do_not_exist_are_net_resolve),
        cmocka_unit_test(without_the_authority_nothing_is_trusted), cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(a_connection_the_server_closed_between_calls_costs_nothing), cmocka_unit_test(a_budget_is_never_passed),
        cmocka_unit_test(the_example_runs_here_and_there),
    };
    static struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    static char names[COUNT(rows)][96];
    const char *only = argc > 2 ? argv[2] : NULL;
    size_t n = 0;
    if (argc < 2 || !strchr(argv[1], '/') || !rig_start(argv[1], test_folder()))
        return 2;
    server_path = argv[1];
    rig_key_make(1);
    make_outcomes(only);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!only || strstr(rows[i].play, only)) {
            (void)snprintf(names[i], sizeof names[i], "row %d: %s %s%s%s", rows[i].number, rows[i].port, rows[i].play,
                           rows[i].with & P ? ", plain" : "", rows[i].with & S ? ", streamed" : "");
            tests[n++] = (struct CMUnitTest){ names[i], test_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
        }
    for (size_t i = 0; i < COUNT(others); i++)
        if (!only || strstr(others[i].name, only))
            tests[n++] = others[i];
    if (n == 0) {
        (void)fprintf(stderr, "test_remote: nothing is called '%s'\n", only);
        return 2;
    }
    return _cmocka_run_group_tests("remote", tests, n, NULL, drop_outcomes) != 0;
}
