/* exchanges.c -- thousands of random exchanges with the test server by 16 threads on shared engines: both wire formats, streamed and not,
 * every fault, cancels and deadlines at random points, engines made and freed between. Then nothing may be left over, and nobody may have
 * seen the key.
 *
 *   exchanges SERVER [N]       SEED=0x... of the environment repeats a run's choices
 *
 * Checked: each call ends in time with a status that its behaviour may have; a right answer is the right text; the money adds up;
 * requests that are to stay here never reached the server; after a round descriptors and threads are as at the start, and memory is as
 * after the first round; the key, its halves, base64, hexadecimal and URL form stand in no error, reply, log or file, nor anywhere in the
 * memory of a child that is stopped afterwards, nor in its core dump. */
#include "remote/rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 16, SLOTS = 24, LATE_MS = 6000, STATUSES = 40 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Not among them: two_replies. All plays share connections here, and a second reply that arrives after curl has looked whether one is clean
 * is read as that of the next request, whatever it asked. */
static const char *const plays[] = {
    "ok", "ok", "ok", "ok", "ok", "ok", "slow=3", "split", "late=5", "words=300", "crlf", "cr", "bom", "comments", "odd_events", "glued", "unknown",
    "no_done", "after_done", "usage=none", "usage=huge", "usage_twice", "other_model", "says_close", "close_after", "http10", "first_100",
    "vllm", "llama", "ollama", "openrouter",
    "400", "401", "402", "403", "404", "408", "409", "413", "422", "429", "500", "502", "503", "529", "loading", "quota", "spend", "context",
    "retry_ms=5.ok", "retry_after=0.ok", "500.ok", "429.529.ok", "redirect", "status_html=502", "status_empty=500", "status_huge=500",
    "close_before", "reset_before", "reset_before.ok", "stall", "stall_head", "stall_mid", "stall_start", "pings=20", "drip=5", "endless=1",
    "cut_body", "cut_reset", "cut_chunk", "cut_clean", "cut_head", "garbage", "chunk_garbage", "chunk_huge", "length_huge", "big_header",
    "html", "empty", "204", "bad_json", "json_nan", "json_deep", "json_types", "json_twice", "json_many", "big_body=2", "endless_line", "endless",
    "gzip", "utf8_bad", "error_first", "error_mid", "no_finish", "no_choices", "no_text", "finish=because", "finish=length", "refusal",
    "tool=order", "tool=noindex", "tool=huge", "tool=badjson", "block=early", "block=twice",
};
static const char *const ports[] = { "http", "http", "http", "http", "http", "https", "https", "https", "h2", "h2", "h2", "refused", "reset", "expired",
                                     "tls_cut" };
static const char *const servers[] = { "openai", "vllm", "llama-server", "ollama", "lmstudio", "openrouter", "compatible" };

typedef struct slot {
    pthread_rwlock_t lock;
    slm_engine      *engine;
    const char      *play, *port;
    bool             anthropic;
} slot;

typedef struct worker {
    pthread_t        thread;
    uint64_t         seed;
    slm_cancel       cancel;
    atomic_ullong    cancel_at;      /* ms; 0: not */
    atomic_ullong    since;          /* ms when the running call began; 0: none runs */
    const char      *play;
} worker;

static slot slots[SLOTS];
static worker workers[THREADS];
static atomic_llong left;            /* exchanges to be made */
static atomic_size_t failed;
static atomic_ullong by_status[STATUSES], cancelled_calls, local_calls;
static atomic_int stop_timer;
static slm_budget *budget;
static int said;                     /* descriptor of the file that gets everything the engine said */
static char folder[64];
static char *control;                /* a text in the heap that a search of memory must find, or it was none */

static uint64_t next(uint64_t *seed)          /* splitmix64 */
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static size_t below(uint64_t *seed, size_t n) { return (size_t)(next(seed) % n); }

static void say(const char *text, size_t n)
{
    if (n > 0)
        (void)!write(said, text, n);
}

static void wrong(const char *play, const char *what, slm_status status, const slm_error *err)
{
    atomic_fetch_add(&failed, 1);
    (void)fprintf(stderr, "exchanges: %s: %s: %s: %s\n", play, what, slm_status_name(status), err->text);
}

static void take_log(void *user, int level, const char *message)
{
    (void)user, (void)level;
    say(message, strlen(message));
}

/* ---- engines ---- */

static void renew(slot *s, uint64_t *seed)
{
    static const slm_log log = { NULL, take_log };
    char url[300];
    slm_error err = { 0 };
    slm_engine_free(s->engine);
    s->engine = NULL;
    s->play = plays[below(seed, COUNT(plays))];
    s->port = ports[below(seed, COUNT(ports))];
    s->anthropic = below(seed, 2);
    rig_url(url, sizeof url, s->port, s->play);
    slm_engine_remote_params p = rig_params(s->anthropic ? "anthropic" : servers[below(seed, COUNT(servers))], url);
    p.connect_ms = 2000;
    p.first_ms = p.between_ms = 120;
    p.total_ms = 2000;
    p.retry_ms = 5;
    p.budget = budget;
    p.log = &log;
    p.flags = below(seed, 2) ? SLM_REMOTE_PLAIN : 0;
    if (strcmp(s->port, "h2") == 0) {
        p.flags |= SLM_REMOTE_HTTP2;
        p.key = NULL;                         /* nghttp2 would keep it: slm_remote.h says so */
    }
    p.parallel = below(seed, 4) ? 0 : 2;
    p.breaker = below(seed, 8) ? 0 : 5;
    p.breaker_ms = 10;
    p.hedge_ms = below(seed, 8) ? 0 : 30;
    const slm_status status = slm_engine_remote(&s->engine, &p, &err);
    if (status)
        wrong(s->play, "no engine", status, &err);
}

/* ---- one exchange ---- */

static int take_text(void *user, const char *text, size_t len)
{
    uint64_t *seed = user;
    say(text, len);
    return below(seed, 400) == 0;             /* the caller has enough */
}

static bool may_be(const slot *s, slm_status status, bool impatient)
{
    static const char *const right[] = { "ok", "slow=3", "split", "late=5", "words=300", "crlf", "cr", "bom", "comments", "odd_events", "glued", "unknown",
                                         "no_done", "after_done", "says_close", "close_after", "http10", "first_100", "vllm", "llama",
                                         "ollama", "openrouter", "500.ok" };
    if (status == SLM_OK || status == SLM_E_BUDGET)
        return true;
    if (impatient && (status == SLM_E_CANCELLED || status == SLM_E_DEADLINE || status == SLM_E_CALLBACK))
        return true;
    if (strcmp(s->port, "http") != 0 && strcmp(s->port, "https") != 0 && strcmp(s->port, "h2") != 0)
        return status == SLM_E_NETWORK;
    for (size_t i = 0; i < COUNT(right); i++)
        if (strcmp(s->play, right[i]) == 0)    /* a machine under load may be late for the short times asked for here */
            return status == SLM_E_NETWORK || status == SLM_E_DEADLINE;
    return status == SLM_E_NETWORK || status == SLM_E_REMOTE || status == SLM_E_PROTOCOL || status == SLM_E_DEADLINE;
}

static void ask_something(worker *w, slot *s)
{
    static const char *const labels[] = { "yes", "no", "perhaps" };
    static const char *const stops[] = { "seven", "\n\n" };
    static const char schema[] = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},\"required\":[\"n\"]}";
    static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"of a city\",\"parameters\":{\"type\":\"object\",\"properties\":"
                                "{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}]";
    char prompt[2000] = "one two three";
    slm_message turns[] = { SLM_MESSAGE("system", "Be brief.", 9), SLM_MESSAGE("user", prompt, 0), SLM_MESSAGE("assistant", "yes", 3),
                            SLM_MESSAGE("user", prompt, 0) };
    slm_request q = SLM_REQUEST_INIT;
    slm_reply reply = SLM_REPLY_INIT;
    slm_error err = { 0 };
    const bool local = below(&w->seed, 16) == 0;
    if (local)
        (void)snprintf(prompt, sizeof prompt, "STAYS-AT-HOME %" PRIu64, w->seed);
    else if (below(&w->seed, 3) == 0)
        for (size_t n = strlen(prompt); n + 12 < sizeof prompt; n += strlen(prompt + n))
            (void)snprintf(prompt + n, sizeof prompt - n, " \xc3\xa9%" PRIu64, next(&w->seed) % 1000);
    q.prompt = prompt;
    q.prompt_len = strlen(prompt);
    q.privacy = local ? below(&w->seed, 2) ? SLM_PRIVACY_LOCAL_ONLY : SLM_PRIVACY_MASKED : SLM_PRIVACY_MAY_LEAVE;
    q.max_tokens = below(&w->seed, 2) ? 0 : 4 + (uint32_t)below(&w->seed, 400);
    if (below(&w->seed, 2)) {
        q.text = take_text;
        q.user = &w->seed;
    }
    switch (below(&w->seed, 5)) {
    case 0:
        q.task = SLM_TASK_CHOOSE;
        q.labels = labels;
        q.n_labels = COUNT(labels);
        q.text = NULL;
        q.max_tokens = 0;
        break;
    case 1:
        q.task = SLM_TASK_CHAT;
        turns[1].len = turns[3].len = strlen(prompt);
        q.messages = turns;
        q.n_messages = 4;
        if (below(&w->seed, 2)) {
            q.tools = tools;
            q.tools_len = sizeof tools - 1;
        }
        break;
    case 2:
        q.schema = schema;
        q.schema_len = sizeof schema - 1;
        break;
    case 3:
        q.stops = stops;
        q.n_stops = 2;
        break;
    default:
        break;
    }
    slm_cancel_clear(&w->cancel);
    const bool cancels = below(&w->seed, 3) == 0;
    if (cancels) {
        q.cancel = &w->cancel;
        atomic_store(&w->cancel_at, rig_now_ms() + below(&w->seed, 40));
        if (below(&w->seed, 10) == 0)
            slm_cancel_set(&w->cancel);
    }
    q.deadline_ms = below(&w->seed, 6) ? 0 : 1 + (uint32_t)below(&w->seed, 200);

    const uint64_t start = rig_now_ms();
    w->play = s->play;
    atomic_store(&w->since, start);
    const slm_status status = slm_engine_run(s->engine, &q, &reply, &err);
    atomic_store(&w->since, 0);
    atomic_store(&w->cancel_at, 0);
    const uint64_t ms = rig_now_ms() - start;
    if (-(int)status < STATUSES)
        atomic_fetch_add(&by_status[-(int)status], 1);
    if (status)
        say(err.text, strlen(err.text));
    if (reply.text)
        say(reply.text, reply.text_len);
    for (size_t i = 0; i < reply.n_calls; i++)
        say(reply.calls[i].arguments, reply.calls[i].arguments_len);
    if (reply.note)
        say(reply.note, strlen(reply.note));
    if (local) {
        atomic_fetch_add(&local_calls, 1);
        if (status != SLM_E_REFUSED || reply.left)
            wrong(s->play, "a local request", status, &err);
    } else if (!may_be(s, status, cancels || q.deadline_ms || q.text)) {
        wrong(s->play, "not a status of this behaviour", status, &err);
    }
    if (cancels && status == SLM_E_CANCELLED)
        atomic_fetch_add(&cancelled_calls, 1);
    if (ms > LATE_MS) {
        atomic_fetch_add(&failed, 1);
        (void)fprintf(stderr, "exchanges: %s: took %" PRIu64 " ms\n", s->play, ms);
    }
    if (status == SLM_OK && q.task == SLM_TASK_GENERATE && strcmp(s->play, "ok") == 0 && !q.schema && !q.n_stops && !q.text && q.max_tokens == 0 &&
        (reply.text_len != 10 + q.prompt_len || memcmp(reply.text + 10, prompt, q.prompt_len) != 0))
        wrong(s->play, "another text", status, &err);
    slm_reply_free(&reply);
}

static void *work(void *arg)
{
    worker *w = arg;
    while (atomic_fetch_sub(&left, 1) > 0) {
        slot *s = &slots[below(&w->seed, SLOTS)];
        if (below(&w->seed, 20) == 0) {
            (void)pthread_rwlock_wrlock(&s->lock);
            renew(s, &w->seed);
            (void)pthread_rwlock_unlock(&s->lock);
        }
        (void)pthread_rwlock_rdlock(&s->lock);
        if (s->engine)
            ask_something(w, s);
        (void)pthread_rwlock_unlock(&s->lock);
    }
    return NULL;
}

/* Sets the cancel flags when they are due, and ends a run that hangs. */
static void *timer(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop_timer)) {
        const uint64_t now = rig_now_ms();
        for (int i = 0; i < THREADS; i++) {
            const uint64_t at = atomic_load(&workers[i].cancel_at), since = atomic_load(&workers[i].since);
            if (at && at <= now)
                slm_cancel_set(&workers[i].cancel);
            if (since && now > since + 30000) {
                (void)fprintf(stderr, "exchanges: %s hangs\n", workers[i].play);
                abort();
            }
        }
        (void)usleep(1000);
    }
    return NULL;
}

static void run_round(uint64_t *seed, size_t n)
{
    pthread_t t;
    atomic_store(&left, (long long)n);
    atomic_store(&stop_timer, 0);
    for (int i = 0; i < SLOTS; i++)
        renew(&slots[i], seed);
    if (pthread_create(&t, NULL, timer, NULL) != 0)
        abort();
    for (int i = 0; i < THREADS; i++) {
        workers[i].seed = next(seed);
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i].thread, NULL);
    atomic_store(&stop_timer, 1);
    (void)pthread_join(t, NULL);
}

static void free_engines(void)
{
    for (int i = 0; i < SLOTS; i++) {
        slm_engine_free(slots[i].engine);
        slots[i].engine = NULL;
    }
}

/* Bytes in use after malloc gave back what it can; 0 where a sanitizer has its own (it reports leaks by itself). */
static size_t memory(void)
{
    (void)malloc_trim(0);
    const struct mallinfo2 m = mallinfo2();
    return SANITIZED ? 0 : m.uordblks + m.hblkhd;
}

/* ---- the key ---- */

/* Each mapping of a stopped child that can be read. */
static size_t search_memory(pid_t pid)
{
    char path[64], line[512];
    size_t hits = 0, bytes = 0, seen = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (maps && fd >= 0 && fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char mode[8];
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, mode) != 3 || mode[0] != 'r' || mode[1] != 'w')
            continue;
        char *all = malloc(to - from);
        size_t n = 0;
        ssize_t got;
        while (all && n < to - from && (got = pread(fd, all + n, to - from - n, (off_t)(from + n))) > 0)
            n += (size_t)got;
        line[strcspn(line, "\n")] = 0;
        hits += all ? rig_key_search(line, all, n) : 0;
        seen += all && memmem(all, n, control, strlen(control));
        bytes += n;
        free(all);
    }
    if (maps)
        (void)fclose(maps);
    if (fd >= 0)
        (void)close(fd);
    (void)printf("canary: %zu MiB of writable memory, %zu hits%s\n", bytes >> 20, hits, bytes ? "" : ": skipped: /proc/PID/mem cannot be read");
    if (bytes && !seen) {
        (void)printf("canary: what is known to be in memory was not found there\n");
        hits++;
    }
    return hits;
}

static size_t search_files(void)
{
    size_t hits = 0, files = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        hits += rig_key_search_file(path);
        if (strncmp(e->d_name, "core", 4) == 0 && !rig_file_has(path, control)) {
            (void)printf("canary: what is known to be in memory is not in %s\n", path);
            hits++;
        }
        files++;
    }
    if (d)
        (void)closedir(d);
    (void)printf("canary: %zu files of errors, replies, logs%s, %zu hits\n", files, files > 3 ? " and a core dump" : "", hits);
    return hits;
}

/* A child has all that this process has; it stops, is read, and leaves a core where the system lets it. */
static size_t search_child(void)
{
    int status;
    if (SANITIZED) {
        (void)printf("canary: memory and core dump skipped: a sanitizer has terabytes\n");
        return 0;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
        (void)setrlimit(RLIMIT_CORE, &all);
        (void)signal(SIGABRT, SIG_DFL);
        if (chdir(folder) == 0)
            for (;;)
                (void)pause();
        _exit(1);
    }
    (void)usleep(100000);
    const size_t hits = search_memory(pid);
    (void)kill(pid, SIGABRT);
    (void)waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || !WCOREDUMP(status))
        (void)printf("canary: core dump skipped: the system makes none\n");
    return hits;
}

int main(int argc, char **argv)
{
    const size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 2500;
    const char *given = getenv("SEED");
    uint64_t seed = given ? (uint64_t)strtoull(given, NULL, 0) : (uint64_t)getpid() ^ rig_now_ms() << 16;
    const slm_price price = { "*", 1000000, 2000000, 0, 0 };
    slm_budget_params bp = SLM_BUDGET_PARAMS_INIT;
    slm_budget_info info = SLM_BUDGET_INFO_INIT;
    slm_error err = { 0 };
    char path[100];
    if (argc < 2 || n < 100) {
        (void)fprintf(stderr, "usage: exchanges SERVER [N >= 100]\n");
        return 2;
    }
    (void)printf("exchanges: SEED=0x%" PRIx64 "\n", seed);
    (void)fflush(stdout);
    strcpy(folder, "/tmp/slm_exchanges_XXXXXX");
    if (!mkdtemp(folder) || !rig_start(argv[1], folder))
        return 1;
    (void)snprintf(path, sizeof path, "%s/said", folder);
    said = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    rig_key_make(seed);
    if (!rig_key_search_works() || asprintf(&control, "control %016" PRIx64, next(&seed)) < 0) {
        (void)fprintf(stderr, "exchanges: the search does not find a key that is there\n");
        return 1;
    }
    bp.total = (uint64_t)1 << 50;
    bp.prices = &price;
    bp.n_prices = 1;
    if (slm_budget_new(&budget, &bp, &err)) {
        (void)fprintf(stderr, "exchanges: %s\n", err.text);
        return 1;
    }
    for (int i = 0; i < SLOTS; i++)
        (void)pthread_rwlock_init(&slots[i].lock, NULL);
    const size_t fds = rig_descriptors(), threads = rig_threads();
    const uint64_t start = rig_now_ms();

    run_round(&seed, n / 5);
    free_engines();
    const size_t before = memory();
    run_round(&seed, n - n / 5);
    size_t hits = search_child();              /* the engines stand, idle */
    free_engines();
    const size_t after = memory();
    const size_t fds_after = rig_descriptors(), threads_after = rig_threads();
    const double seconds = (double)(rig_now_ms() - start) / 1000;

    hits += search_files();
    const size_t escaped = rig_log_count("STAYS-AT-HOME");
    (void)slm_budget_get_info(budget, &info, &err);
    (void)printf("exchanges: %zu in %.1f s:", n, seconds);
    for (int i = 0; i < STATUSES; i++)
        if (by_status[i])
            (void)printf(" %s %llu", slm_status_name((slm_status)-i), (unsigned long long)by_status[i]);
    (void)printf("\nexchanges: descriptors %zu -> %zu, threads %zu -> %zu, memory %zu -> %zu, reserved %" PRIu64 ", kept here %llu, escaped %zu\n", fds,
                 fds_after, threads, threads_after, before, after, info.reserved, (unsigned long long)local_calls, escaped);
    const bool leaked = fds_after != fds || threads_after > threads + SANITIZED || after > before + 65536 || info.reserved != 0;
    rig_stop();
    slm_budget_free(budget);
    (void)close(said);
    free(control);
    (void)snprintf(path, sizeof path, "rm -rf '%s'", folder);
    if (failed || hits || leaked || escaped || system(path) != 0) {
        (void)printf("exchanges: failed: %zu wrong, %zu hits, %zu escaped%s; see %s\n", (size_t)failed, hits, escaped, leaked ? ", leaked" : "", folder);
        return 1;
    }
    (void)printf("exchanges: passed\n");
    return 0;
}
