/* fuzz_http_reply.c -- any bytes as what a server answers, over a socket to curl and to all that is behind it: one status of the documented ones, a
 * message, a reply that is whole or says that it is partial, and no second try.
 *
 * First byte: 1 Anthropic's form, 2 asked in one piece, 4 with a tool, 8 with a schema, 16 with log-probabilities, 32 a choice, 64 the bytes are
 * the body of a good reply, 128 ... of a good stream. Second byte: where the bytes are cut in two. */
#include "fuzz.h"

#include "slm_remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* The thread takes a copy under the lock: it may be sending still when the client has hung up and the next input is here. */
static struct {
    pthread_mutex_t lock;
    int listening;
    char url[64];
    const char *head;
    uint8_t *bytes;
    size_t n, cut;
} server = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void put(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t k = send(fd, (const char *)bytes + done, n - done, MSG_NOSIGNAL);
        if (k <= 0)
            return;                                     /* whoever has heard enough hangs up */
        done += (size_t)k;
    }
}

/* Reads requests to the end of their bodies, "Content-Length: N" being the only form they have. */
static void *serve(void *user)
{
    static char request[1 << 16];
    (void)user;
    for (;;) {
        const int fd = accept(server.listening, NULL, NULL);
        size_t n = 0, want = SIZE_MAX;
        if (fd < 0)
            continue;
        while (n < want && n < sizeof request - 1) {
            const ssize_t k = recv(fd, request + n, sizeof request - 1 - n, 0);
            if (k <= 0)
                break;
            n += (size_t)k;
            request[n] = 0;
            const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
            if (end)
                want = (size_t)(end + 4 - request) + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
        (void)pthread_mutex_lock(&server.lock);
        const char *head = server.head;
        const size_t bytes = server.n, cut = server.cut;
        uint8_t *copy = malloc(bytes ? bytes : 1);
        must(copy != NULL, "no memory for a copy");
        memcpy(copy, server.bytes, bytes);
        (void)pthread_mutex_unlock(&server.lock);
        put(fd, head, strlen(head));
        put(fd, copy, cut);
        put(fd, copy + cut, bytes - cut);
        free(copy);
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, request, sizeof request, 0) > 0) {
        }
        (void)close(fd);
    }
    return NULL;
}

static void begin(void)
{
    pthread_t thread;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof a;
    server.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(server.listening >= 0 && bind(server.listening, (void *)&a, sizeof a) == 0 && listen(server.listening, 16) == 0 &&
         getsockname(server.listening, (void *)&a, &n) == 0, "no socket on loopback");
    (void)snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d/v1", ntohs(a.sin_port));
    must(pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0, "no thread");
}

/* What a caller gets to see is within its type. */
static void check_reply(slm_status status, const slm_reply *r, const slm_error *err)
{
    static const slm_status known[] = { SLM_OK, SLM_E_MEMORY, SLM_E_NETWORK, SLM_E_REMOTE, SLM_E_PROTOCOL, SLM_E_BUDGET, SLM_E_CONTEXT, SLM_E_REFUSED, SLM_E_ARG,
                                        SLM_E_DEADLINE, SLM_E_UNSUPPORTED };
    size_t i = 0;
    while (i < COUNT(known) && known[i] != status)
        i++;
    must(i < COUNT(known), slm_status_name(status));
    if (status)
        must_say(status, err);
    must(r->tries <= 1, "a second try");
    if (r->text)
        must(!r->text[r->text_len], "a text without an end");
    must(!r->partial || status, "a partial reply without a failure");
    for (i = 0; i < r->n_calls; i++)
        must(r->calls[i].id && r->calls[i].name && r->calls[i].arguments && !r->calls[i].arguments[r->calls[i].arguments_len], "a call without an end");
    for (i = 0; i < r->n_scores; i++)
        must(r->scores[i].logp <= 0, "a probability above 1");
}

static int on_text(void *user, const char *text, size_t n)
{
    *(size_t *)user += n;
    must(n && text, "no text");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const hosts[] = { "127.0.0.1" }, *const labels[] = { "yes", "no" };
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}";
    static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}}]";
    const slm_message said = SLM_MESSAGE("user", "Hi", 2);
    fuzz_in in = { data, size };
    const unsigned flags = fuzz_byte(&in), cut = fuzz_byte(&in);
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    slm_engine *engine = NULL;
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    size_t heard = 0;
    if (!server.url[0])
        begin();
    (void)pthread_mutex_lock(&server.lock);
    free(server.bytes);
    server.bytes = malloc(in.left ? in.left : 1);
    must(server.bytes != NULL, "no memory for a copy");
    memcpy(server.bytes, in.at, in.left);
    server.head = flags & 64 ? "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                : flags & 128 ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" : "";
    server.n = in.left;
    server.cut = in.left * cut / 256;
    (void)pthread_mutex_unlock(&server.lock);
    p.server = flags & 1 ? "anthropic" : "compatible";
    p.base_url = server.url;
    p.model = "m";
    p.hosts = hosts;
    p.n_hosts = 1;
    p.retries = UINT32_MAX;
    p.first_ms = p.between_ms = p.total_ms = 5000;
    p.flags = (flags & 2 ? SLM_REMOTE_PLAIN : 0) | ((flags & 17) == 16 ? SLM_REMOTE_LOGPROBS : 0);
    must(slm_engine_remote(&engine, &p, &err) == SLM_OK, err.text);
    q.task = flags & 32 ? SLM_TASK_CHOOSE : SLM_TASK_CHAT;
    q.privacy = SLM_PRIVACY_MAY_LEAVE;
    if (q.task == SLM_TASK_CHOOSE) {
        q.prompt = "Hi";
        q.prompt_len = 2;
        q.labels = labels;
        q.n_labels = 2;
    } else {
        q.messages = &said;
        q.n_messages = 1;
        q.text = on_text;
        q.user = &heard;
        q.schema = flags & 8 ? schema : NULL;
        q.schema_len = flags & 8 ? sizeof schema - 1 : 0;
        q.tools = flags & 4 ? tools : NULL;
        q.tools_len = flags & 4 ? sizeof tools - 1 : 0;
    }
    const slm_status status = slm_engine_run(engine, &q, &reply, &err);
    check_reply(status, &reply, &err);
    must(status || q.task != SLM_TASK_CHAT || heard == reply.text_len, "other text than was handed out");
    slm_reply_free(&reply);
    slm_engine_free(engine);
    return 0;
}
