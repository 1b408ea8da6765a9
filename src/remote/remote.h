/* remote.h -- the engine, its lines, and one call: what the files of this folder share.
 *
 *   engine.c  params, table of operations, statistics
 *   line.c    a line: a curl multi handle with its connections, used by one call at a time; there are `parallel` of them
 *   flight.c  one HTTP exchange on a line
 *   call.c    one request: tries of flights until one holds, money, text on its way to the caller, the reply */
#ifndef SLM_REMOTE_REMOTE_H
#define SLM_REMOTE_REMOTE_H

#include "retry.h"
#include "secret.h"
#include "slm_remote.h"
#include "sse.h"
#include "url.h"
#include "wire.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

enum { SLM_FLIGHTS = 2, SLM_HEADERS_MOST = 64 << 10, SLM_ERROR_MOST = 64 << 10, SLM_BODY_MOST = 16 << 20, SLM_EVENT_MOST = 1 << 20,
       SLM_IGNORED_MOST = 65536, SLM_NAME_MOST = 64, SLM_TICK_MS = 20 };

typedef struct slm_line {
    CURLM      *multi;
    CURL       *easy[SLM_FLIGHTS];
    slm_secret  secret;
    struct slm_line *next;
} slm_line;

typedef struct slm_counts {
    atomic_uint_fast64_t calls, answered, tries, retries, hedges, connections, reused, sent, received, spent, running, ignored, estimated;
} slm_counts;

typedef struct slm_remote {
    slm_engine  engine;
    char        name[SLM_NAME_MOST + 1], model[257];
    char       *system, *ca_file, *proxy, *proxy_host;      /* NULL: none */
    const slm_server *server;
    slm_url     url;
    slm_engine_remote_params p;     /* with its defaults filled in; its pointers to text and lists are not used after the start */
    slm_range6 *ranges;
    size_t      n_ranges;
    slm_retry_rules rules;
    slm_allocator allocator;
    slm_log     log;
    pid_t       pid;                /* of the process it was made in */
    pthread_mutex_t lock;           /* of what follows */
    pthread_cond_t  freed;
    slm_line   *idle;
    uint32_t    lines, busy;        /* made; in use */
    uint32_t    failures;           /* of class B, in a row */
    uint64_t    open_ms;            /* nothing is sent before this time; 0: free */
    slm_fault   opened_by;
    slm_counts  counts;
} slm_remote;

/* A line for a call, waited for if all are in use: until the time `until_ms` or the flag. A fault, or SLM_CLASS_NONE. */
slm_line *slm_line_take(slm_remote *r, const slm_cancel *cancel, uint64_t until_ms, slm_fault *fault);
void slm_line_give(slm_remote *r, slm_line *line);
void slm_line_free_all(slm_remote *r);

/* curl with NOSIGNAL leaves SIGPIPE to us: it is blocked in the calling thread while curl may write, and one that came is taken. */
typedef struct slm_pipe {
    sigset_t before;
    bool     pending;
} slm_pipe;
void slm_pipe_begin(slm_pipe *pipe);
void slm_pipe_end(const slm_pipe *pipe);

/* One HTTP exchange. */
typedef struct slm_flight {
    slm_remote *remote;
    slm_line   *line;
    CURL       *easy;
    const slm_wire *wire;           /* NULL: the body is of no interest (ping) */
    bool        plain;              /* asked in one piece */
    struct curl_slist headers[6];
    char        error[CURL_ERROR_SIZE];
    bool        done, added;
    /* the response */
    long        status;
    size_t      header_bytes;
    char        type[64];           /* Content-Type up to its parameters */
    char        target[128];        /* host of a redirect */
    bool        encoded, refused_address;
    bool        stream, sniffed;    /* what the body is, once its first byte was seen */
    bool        got_headers, got_body;
    slm_bytes   body;
    uint64_t    received, progress; /* bytes of body; of these, at the last restart of the clock */
    uint64_t    after_end;          /* bytes behind the mark of the end */
    slm_sse     sse;
    slm_answer  answer;
    slm_fault   fault;
    uint64_t    begun_ms, sent_ms, moved_ms;    /* sent_ms 0: not connected yet */
    uint64_t    ends_ms;            /* 0: no end of its own. Both are set behind slm_flight_begin; they are looked at for each piece of a body too, */
    const slm_cancel *cancel;       /* for curl does not return while pieces keep coming */
} slm_flight;

/* May anything of the request have left this machine? */
bool slm_flight_left(slm_flight *f);
/* Begins it; body [n] must stay until slm_flight_end, NULL: a GET. The secret of the line holds the key. */
void slm_flight_begin(slm_flight *f, slm_remote *r, slm_line *line, size_t which, const slm_wire *wire, const char *path, const char *body,
                      size_t n, bool plain);
/* curl has finished it. */
void slm_flight_done(slm_flight *f, CURLcode result);
/* Sets the fault if one of its times has passed. Returns the milliseconds until the next one does. */
uint64_t slm_flight_clock(slm_flight *f, uint64_t now_ms);
void slm_flight_end(slm_flight *f);

/* Counts a failure, or the end of them, for the breaker. blocked_ms: how long the server wants to be left alone. */
void slm_remote_judge(slm_remote *r, const slm_fault *fault, uint64_t blocked_ms);
/* A fault if nothing may be sent now. */
void slm_remote_admit(slm_remote *r, slm_fault *fault);

slm_status slm_call_run(slm_remote *r, const slm_request *q, slm_reply *reply, slm_error *err);
slm_status slm_call_ping(slm_remote *r, int32_t *code, slm_error *err);

void slm_remote_say(const slm_remote *r, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
