/* slm_remote.h -- the public interface of libslm_remote.a: a remote LLM behind the request and reply of slm.h.
 *
 * The conventions of slm.h hold. What a request may become on the wire, which failure gives which status, and what is capped stands in
 * docs/remote.md. Every error text reads "HOST: CLASS: what happened", CLASS being a word of the table there (NET_CONNECT, RATE, TRUNCATED
 * ...), and slm_error.code is the HTTP status, or curl's number where there is none.
 *
 * Needs libcurl (7.87 or later) and jansson. Memory inside is malloc's, as theirs is; replies use params.allocator.
 */
#ifndef SLM_REMOTE_H
#define SLM_REMOTE_H

#include "slm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the key, at most `room` bytes and not terminated, into `key` and returns its length; 0: none is sent; below 0: SLM_E_CALLBACK.
 * Called once per try, on the calling thread, without a lock. The memory is locked, left out of core dumps and wiped after the try. */
typedef ptrdiff_t slm_remote_key_fn(void *user, char *key, size_t room);

/* Sees the exact bytes of a body before any of them is handed to curl. 0 lets them go; anything else is SLM_E_REFUSED, and nothing leaves. */
typedef int slm_remote_inspect_fn(void *user, const char *body, size_t len);

enum {                               /* slm_engine_remote_params.flags */
    SLM_REMOTE_PLAIN = 1,            /* never asks for a stream: text comes in one piece */
    SLM_REMOTE_LOGPROBS = 2,         /* asks for log-probabilities; SLM_E_UNSUPPORTED where the server offers none */
    SLM_REMOTE_PROXY_ENV = 4,        /* proxies of the environment (https_proxy, no_proxy ...) hold; else only `proxy` does */
    SLM_REMOTE_HTTP2 = 8,            /* HTTP/2 where the server has it. nghttp2 keeps copies of the key in memory that is not wiped */
    SLM_REMOTE_NO_SAMPLING = 16      /* sends no temperature and the like, for models that refuse them */
};

typedef struct slm_engine_remote_params {
    size_t      size;
    const char *name;             /* NULL: "remote"; at most 64 bytes                                                  0.1.0 */
    const char *server;           /* row of the table in docs/remote.md: "openai" (NULL), "anthropic", "vllm", "llama-server", "ollama",
                                     "lmstudio", "openrouter", "compatible"                                             0.1.0 */
    const char *base_url;         /* NULL: the row's own. Up to the version: "https://api.openai.com/v1"                 0.1.0 */
    const char *model;            /* as the server calls it; needed; 1 .. 256 bytes                                      0.1.0 */
    const char *system;           /* stands before every conversation; NULL: nothing                                     0.1.0 */

    slm_remote_key_fn *key;       /* NULL: no key is sent                                                                0.1.0 */
    void       *key_user;
    slm_remote_inspect_fn *inspect;  /* NULL: the privacy class alone decides                                            0.1.0 */
    void       *inspect_user;

    const char *const *hosts;     /* [n_hosts] hosts that may be talked to, exact names or addresses; n_hosts 0: the row's own host 0.1.0 */
    size_t      n_hosts;
    const char *const *addresses; /* [n_addresses] ranges ("10.0.0.0/8", "fd00::/8") that names may lead to although they are not public.
                                     An address that stands in `hosts` itself needs no range; nor has loopback for "localhost"   0.1.0 */
    size_t      n_addresses;
    const char *ca_file;          /* PEM bundle instead of the system's; NULL: the system's                              0.1.0 */
    const char *proxy;            /* "http://host:port"; its host must be on `hosts` too; NULL: none                     0.1.0 */

    uint32_t    connect_ms;       /* name, TCP and TLS; 0: 10,000                                                       0.1.0 */
    uint32_t    first_ms;         /* from the request sent to the first byte of a reply; 0: 60,000                        0.1.0 */
    uint32_t    between_ms;       /* between events of a stream that mean something, or 256 bytes of a plain body; 0: 60,000    0.1.0 */
    uint32_t    total_ms;         /* the whole call, waits included, besides the request's own deadline; 0: 600,000       0.1.0 */
    uint32_t    retries;          /* after the first try; UINT32_MAX: none; 0: 2; at most 10                             0.1.0 */
    uint32_t    retry_ms;         /* first pause of the own backoff, doubled each time up to 16 fold, less up to a quarter; 0: 500 0.1.0 */
    uint32_t    retry_after_ms;   /* longest pause a server may ask for; a longer one ends the call at once; 0: 60,000     0.1.0 */
    uint32_t    hedge_ms;         /* sends the same request a second time if no byte came for so long, and takes the first to
                                     answer; both may be billed. 0: never                                              0.1.0 */
    uint32_t    parallel;         /* calls at the same time, others wait their turn; 0: 64; at most 1,024                 0.1.0 */
    uint32_t    breaker;          /* so many failures in a row (class B of the table) stop all sending for breaker_ms, as does a pause longer
                                     than retry_after_ms for its length; 0: never                                       0.1.0 */
    uint32_t    breaker_ms;       /* 0: 10,000                                                                         0.1.0 */
    uint32_t    max_tokens;       /* output where the request names none; 0: 4,096                                      0.1.0 */
    uint32_t    max_body;         /* bytes of a body or stream; 0: 16 MiB; at most that                                  0.1.0 */
    uint32_t    max_event;        /* bytes of a line or event; 0: 1 MiB; at most that                                    0.1.0 */
    uint32_t    flags;            /* SLM_REMOTE_...                                                                     0.1.0 */
    uint32_t    top_logprobs;     /* with SLM_REMOTE_LOGPROBS: alternatives asked for, which give margins; 0: 2; at most 20  0.1.0 */

    slm_budget *budget;           /* reserved before each try, settled after it; its prices give slm_reply.cost. NULL: no cost is
                                     known. Used, not owned                                                            0.1.0 */
    const slm_allocator *allocator;  /* of replies; NULL: malloc                                                        0.1.0 */
    const slm_log *log;           /* one line per try (level 2) and failure (1): host, path, status, bytes, time; NULL: none 0.1.0 */
} slm_engine_remote_params;
#define SLM_ENGINE_REMOTE_PARAMS_INIT { sizeof(slm_engine_remote_params), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, \
                                        NULL, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL }

/* An engine that answers by asking a server. It does generate (the prompt as one message of the user), chat and choose; only requests of
 * SLM_PRIVACY_MAY_LEAVE get there, which it checks again itself.
 *
 *   chat    a request's regex is SLM_E_UNSUPPORTED; a tool's answer needs its call_id. Arguments of a call that are no JSON object are
 *           SLM_E_PROTOCOL, and the partial reply has them as the model wrote them
 *   choose  by structured output; the label is checked here, and has no probabilities (n_labels 0, confidence NULL)
 *   sampling  temperature, top_p, seed, frequency and presence penalties, where the server has them top_k, min_p, repeat_penalty; another
 *           one that is set is SLM_E_UNSUPPORTED. A seed is left out where there is none to set
 *
 * Returns  SLM_OK
 *          SLM_E_ARG          a value outside its range; a base URL that is not https (http: loopback only), has a user, query, fragment or
 *                             odd bytes; a host that is not on the list
 *          SLM_E_UNSUPPORTED  libcurl lacks something (named)
 *          SLM_E_MEMORY, SLM_E_IO
 * A call returns, besides what slm_engine_run says, SLM_E_NETWORK, SLM_E_REMOTE, SLM_E_PROTOCOL, SLM_E_BUDGET, SLM_E_CALLBACK by the table of
 * docs/remote.md. If contents left this machine and the call failed, the reply is written with partial 1: left, tries, cost, note, and the
 * text that was handed out.
 * Threads  any number of calls at once. slm_engine_free after the last has returned. After fork the child has no engine: calls are
 *          SLM_E_STATE, and freeing it there leaves the parent's connections alone (curl's memory stays).
 * Since    0.1.0
 */
SLM_API slm_status slm_engine_remote(slm_engine **out, const slm_engine_remote_params *params, slm_error *err);

/* Counts since the engine was made. */
typedef struct slm_remote_statistics {
    size_t   size;
    uint64_t calls, answered;         /* calls that began; that returned SLM_OK */
    uint64_t tries, retries, hedges;  /* requests sent; of these, after a failure; of these, second ones */
    uint64_t connections, reused;     /* connections opened; tries that found one open */
    uint64_t sent, received;          /* bytes of bodies */
    uint64_t spent;                   /* nano-dollars settled */
    uint64_t running;                 /* calls now */
    uint64_t ignored;                 /* comments, pings, unknown events */
    uint64_t estimated;               /* replies with SLM_REPLY_ESTIMATED */
} slm_remote_statistics;
#define SLM_REMOTE_STATISTICS_INIT { sizeof(slm_remote_statistics), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* SLM_E_ARG if engine was not made by slm_engine_remote. Since 0.1.0 */
SLM_API slm_status slm_remote_get_statistics(const slm_engine *engine, slm_remote_statistics *statistics, slm_error *err);

/* Asks the server whether it is there: GET {base}/models with the key. *code gets the HTTP status, 200 on SLM_OK; what goes wrong has the
 * status of the table. No contents leave. Since 0.1.0 */
SLM_API slm_status slm_remote_ping(const slm_engine *engine, int32_t *code, slm_error *err);

#ifdef __cplusplus
}
#endif
#endif
