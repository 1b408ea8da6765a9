/* cli_remote.h -- what `slm remote` and `slm generate --escalate` share: the options of a server, and an engine made of them. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli.h"
#include "slm_remote.h"

typedef struct remote_options {
    const char *url, *server, *name, *key_env, *ca, *proxy, *system, *privacy;
    cli_list allow, address;
    uint64_t retries, deadline, first, between;
    double budget, price_in, price_out;
    bool plain, logprobs;
} remote_options;

/* Rows of an option table; AT(member) is the offset of a member of remote_options in the command's struct. */
#define CLI_REMOTE_ROWS(AT)                                                                                                             \
    CLI_HEAD("server"),                                                                                                                 \
    { CLI_TEXT,   0, "url", "URL", NULL, 0, 0, AT(url), "base URL up to the version (default: that of --server)" },                     \
    { CLI_TEXT,   0, "server", "NAME", "openai", 0, 0, AT(server),                                                                      \
      "openai, anthropic, vllm, llama-server, ollama, lmstudio, openrouter or compatible: whose habits it has" },                       \
    { CLI_TEXT,   0, "remote-model", "NAME", NULL, 0, 0, AT(name), "the model as the server calls it" },                                \
    { CLI_TEXT,   0, "key-env", "NAME", NULL, 0, 0, AT(key_env), "environment variable that holds the key; without it none is sent" },  \
    { CLI_LIST,   0, "allow", "HOST", NULL, 0, 0, AT(allow), "host that may be asked (default: that of --url)" },                       \
    { CLI_LIST,   0, "address", "RANGE", NULL, 0, 0, AT(address),                                                                       \
      "addresses that are not public and yet allowed, such as 10.0.0.0/8; may be given several times" },                                \
    { CLI_TEXT,   0, "ca", "FILE", NULL, 0, 0, AT(ca), "PEM bundle to trust instead of the system's" },                                 \
    { CLI_TEXT,   0, "proxy", "URL", NULL, 0, 0, AT(proxy), "http://host:port of a proxy" },                                            \
    { CLI_TEXT,   0, "system", "TEXT", NULL, 0, 0, AT(system), "stands before what is asked" },                                         \
    { CLI_CHOICE, 0, "privacy", "may-leave|local", "may-leave", 0, 0, AT(privacy), "local: nothing may leave this machine" },           \
    { CLI_FLAG,   0, "plain", NULL, NULL, 0, 0, AT(plain), "asks for the answer in one piece" },                                        \
    { CLI_COUNT,  0, "retries", "N", "2", 0, 10, AT(retries), "tries after the first" },                                                \
    { CLI_COUNT,  0, "deadline", "MS", "600000", 1, 86400000, AT(deadline), "for all of it" },                                          \
    { CLI_COUNT,  0, "first", "MS", "60000", 1, 86400000, AT(first), "until the first byte of an answer" },                             \
    { CLI_COUNT,  0, "between", "MS", "60000", 1, 86400000, AT(between), "between two pieces of a stream" },                            \
    CLI_HEAD("money"),                                                                                                                  \
    { CLI_REAL,   0, "budget", "USD", NULL, 0, 1000000, AT(budget), "may be spent at most; needs both prices" },                        \
    { CLI_REAL,   0, "price-in", "USD", NULL, 0, 1000, AT(price_in), "of a million tokens of prompt" },                                 \
    { CLI_REAL,   0, "price-out", "USD", NULL, 0, 1000, AT(price_out), "of a million tokens of answer" }

/* The engine of the options, and its budget (NULL without --budget). Both are freed by the caller, the engine first. */
slm_status cli_open_remote(cli *c, const remote_options *o, slm_engine **engine, slm_budget **budget);

uint32_t cli_privacy(const remote_options *o);

/* Runs a request and says what came: text on stdout as it is made, or one JSON object; what it took on stderr. */
slm_status cli_run_request(cli *c, const slm_engine *engine, slm_request *request, slm_reply *reply);

#endif
