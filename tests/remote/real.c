/* real.c -- the remote engine against a server that this project did not write.
 *
 *   real BASE_URL SERVER        the server's row in docs/remote.md; the key is `right-key`
 *
 * At temperature 0 the streamed and the plain text must be the same, and so must a second one; limits, stop strings, conversations, a
 * choice by structured output, and a wrong key behave as they do elsewhere. One call at a time: such servers often have one slot. */
#include "slm.h"
#include "slm_remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed;
static const char *url, *server;

static void check(int ok, const char *what, const slm_error *err, const slm_reply *reply)
{
    (void)printf("%s %s", ok ? "ok    " : "FAILED", what);
    if (reply && reply->text)
        (void)printf(": \"%.60s\" tokens %" PRIu64 "+%" PRIu64 " reason %u flags %u tries %u", reply->text, reply->prompt_tokens, reply->tokens,
                     reply->reason, reply->flags, reply->tries);
    (void)printf("%s%s\n", ok ? "" : ": ", ok ? "" : err->text);
    failed += !ok;
}

static ptrdiff_t right_key(void *user, char *key, size_t room) { (void)user, (void)room; memcpy(key, "right-key", 9); return 9; }
static ptrdiff_t wrong_key(void *user, char *key, size_t room) { (void)user, (void)room; memcpy(key, "wrong-key", 9); return 9; }

static slm_engine *engine(slm_remote_key_fn *key, uint32_t flags)
{
    static const char *const hosts[] = { "127.0.0.1" };
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    slm_engine *e = NULL;
    slm_error err = { 0 };
    p.server = server;
    p.base_url = url;
    p.model = "tiny-stories";
    p.key = key;
    p.hosts = hosts;
    p.n_hosts = 1;
    p.flags = flags;
    p.retries = UINT32_MAX;
    if (slm_engine_remote(&e, &p, &err)) {
        check(0, "engine", &err, NULL);
        exit(1);
    }
    return e;
}

typedef struct sink { char text[4096]; size_t len, calls; } sink;
static int take(void *user, const char *text, size_t len)
{
    sink *s = user;
    if (len < sizeof s->text - s->len) {
        memcpy(s->text + s->len, text, len);
        s->len += len;
    }
    s->calls++;
    return 0;
}

static slm_request ask(uint32_t task)
{
    slm_request q = SLM_REQUEST_INIT;
    q.task = task;
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    q.prompt = "Once upon a time there was a little";
    q.prompt_len = strlen(q.prompt);
    q.max_tokens = 16;
    return q;
}

int main(int argc, char **argv)
{
    static const char *const labels[] = { "yes", "no" }, *const stops[] = { "." };
    const slm_message turns[] = { SLM_MESSAGE("user", "Tell me a story.", 16), SLM_MESSAGE("assistant", "Once upon a time.", 17), SLM_MESSAGE("user", "Go on.", 6) };
    slm_error err = { 0 };
    slm_reply plain = SLM_REPLY_INIT, other = SLM_REPLY_INIT;
    sink s = { "", 0, 0 };
    int32_t code = 0;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: real BASE_URL SERVER\n");
        return 2;
    }
    url = argv[1];
    server = argv[2];
    slm_engine *whole = engine(right_key, SLM_REMOTE_PLAIN), *stream = engine(right_key, 0), *locked = engine(wrong_key, 0);

    check(slm_remote_ping(whole, &code, &err) == SLM_OK && code == 200, "ping", &err, NULL);
    check(slm_remote_ping(locked, &code, &err) == SLM_E_REMOTE && err.code == 401, "ping with a wrong key is 401", &err, NULL);
    slm_request q = ask(SLM_TASK_GENERATE);
    check(slm_engine_run(locked, &q, &other, &err) == SLM_E_REMOTE && strstr(err.text, "AUTH"), "generate with a wrong key is AUTH", &err, NULL);
    slm_reply_free(&other);

    check(slm_engine_run(whole, &q, &plain, &err) == SLM_OK && plain.text_len > 10 && plain.tokens > 0 && plain.left, "plain", &err, &plain);
    q.text = take;
    q.user = &s;
    check(slm_engine_run(stream, &q, &other, &err) == SLM_OK && s.calls > 3 && s.len == other.text_len && memcmp(s.text, other.text, s.len) == 0,
          "streamed, in pieces", &err, &other);
    check(plain.text && other.text && strcmp(plain.text, other.text) == 0 && plain.reason == other.reason, "streamed and plain are the same", &err, &other);
    slm_reply_free(&plain);
    slm_reply_free(&other);

    q = ask(SLM_TASK_GENERATE);
    q.max_tokens = 3;
    check(slm_engine_run(whole, &q, &other, &err) == SLM_OK && other.reason == SLM_STOP_LENGTH, "three tokens end by length", &err, &other);
    slm_reply_free(&other);
    q.max_tokens = 30;
    q.stops = stops;
    q.n_stops = 1;
    check(slm_engine_run(whole, &q, &other, &err) == SLM_OK && other.text && !strchr(other.text, '.'), "a stop string ends it", &err, &other);
    slm_reply_free(&other);

    q = ask(SLM_TASK_CHAT);
    q.messages = turns;
    q.n_messages = 3;
    for (int i = 0; i < 3; i++)
        check(slm_engine_run(i % 2 ? whole : stream, &q, &other, &err) == SLM_OK && other.text_len > 0, "chat", &err, &other), slm_reply_free(&other);

    q = ask(SLM_TASK_CHOOSE);
    q.max_tokens = 0;
    q.labels = labels;
    q.n_labels = 2;
    check(slm_engine_run(whole, &q, &other, &err) == SLM_OK && other.text && (strcmp(other.text, "yes") == 0 || strcmp(other.text, "no") == 0), "choose", &err,
          &other);
    slm_reply_free(&other);

    slm_engine_free(whole);
    slm_engine_free(stream);
    slm_engine_free(locked);
    (void)printf("real: %s\n", failed ? "failed" : "passed");
    return failed != 0;
}
