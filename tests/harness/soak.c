/* soak.c -- hours of mixed use of the public interface: 8 threads, 200 sessions, two models, everything that may fail failing.
 *
 * Before the start one thread evaluates a few streams of tokens and keeps a hash of the logits at every position. Afterwards each session
 * always holds a prefix of one stream, however it got there (fed, sampled, batched, forked, truncated, loaded, after a failure), so its
 * logits after every call are known: a single other bit is a failure. At two points of rest, after a tenth of the time and at the end, all
 * sessions are started anew: then memory, descriptors and threads must be the same.
 *
 *   soak SECONDS MODEL [MODEL2] */
#include "slm.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, EACH = 25, SLOTS = THREADS * EACH, STREAMS = 4, LEN = 100, ROOM = 128 };

typedef struct stream { int32_t token[LEN]; uint64_t hash[LEN + 1]; size_t prompt; slm_sampling sampling; } stream;
typedef struct slot {
    pthread_mutex_t lock;        /* held to replace the session, and to cancel it from another thread */
    slm_session *session;
    size_t stream, position;     /* what it must hold */
    bool logits;
} slot;

static slm_model *model[2];
static uint32_t vocab[2];
static stream streams[2][STREAMS];
static slot slots[SLOTS];
static pthread_rwlock_t rest;    /* read: a call; written: nobody is in a call */
static atomic_int stop;
static atomic_ullong failed, passed;

#define OPS(ROW) ROW(feed) ROW(step) ROW(generate) ROW(fork) ROW(truncate) ROW(save_load) ROW(batch) ROW(cancel) ROW(bad)
enum {
#define OP_ID(name) OP_##name,
    OPS(OP_ID) N_OPS
};
static const char *const op_names[] = {
#define OP_NAME(name) #name,
    OPS(OP_NAME)
};
static atomic_ullong done[N_OPS], refused[32];

/* ---- memory that is refused at random to the thread that wants it so ---- */

static _Thread_local bool refusing;
static _Thread_local uint64_t seed;

static uint64_t next(void)                /* splitmix64 */
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static size_t below(size_t n) { return (size_t)(next() % n); }

static void *take(void *user, size_t size)
{
    void *memory = NULL;
    (void)user;
    if (refusing && next() % 2)
        return NULL;
    return posix_memalign(&memory, 64, size ? size : 64) ? NULL : memory;
}
static void give(void *user, void *memory, size_t size) { (void)user; (void)size; free(memory); }
static const slm_allocator allocator = { NULL, take, give };

/* ---- checks ---- */

static void fail(const char *what, size_t at, slm_status status, const slm_error *err)
{
    if (atomic_fetch_add(&failed, 1) < 20)
        fprintf(stderr, "soak: %s: session %zu: %s: %s\n", what, at, slm_status_name(status), err ? err->text : "");
}

static uint64_t hash(const float *logits, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], 4);
        h = (h ^ bits) * 0x100000001b3u;
    }
    return h;
}

static void check(size_t at, const char *what)
{
    const slot *s = &slots[at];
    const stream *r = &streams[at % 2][s->stream];
    const float *logits = slm_session_logits(s->session);
    const int32_t *tokens = slm_session_tokens(s->session);
    bool good = slm_session_position(s->session) == s->position && (logits != NULL) == s->logits;
    good = good && (!s->position || !memcmp(tokens, r->token, s->position * sizeof *tokens));
    good = good && (!logits || hash(logits, vocab[at % 2]) == r->hash[s->position]);
    if (good)
        atomic_fetch_add(&passed, 1);
    else
        fail(what, at, SLM_OK, &(slm_error){ .text = "another state or other bits than the reference" });
}

/* A failure must be one that was provoked: memory that was refused, a cancel, a deadline. */
static bool went(slm_status status, size_t at, const char *what, const slm_error *err)
{
    if (!status)
        return true;
    atomic_fetch_add(&refused[-(int)status & 31], 1);
    if (status != SLM_E_CANCELLED && status != SLM_E_DEADLINE && !(status == SLM_E_MEMORY && refusing))
        fail(what, at, status, err);
    return false;
}

static void replace(size_t at, slm_session *session)
{
    pthread_mutex_lock(&slots[at].lock);
    slm_session *old = slots[at].session;
    slots[at].session = session;
    pthread_mutex_unlock(&slots[at].lock);
    slm_session_free(old);
}

static void start(size_t at)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    slm_error err = { 0 };
    slm_session *session = NULL;
    params.context = ROOM;
    params.chunk = at % 3 ? 0 : 7;
    params.deadline_ms = at % 8 == 7 ? 1 : 0;
    slm_status status = slm_session_new(&session, model[at % 2], &params, &err);
    if (!status) {
        replace(at, session);
        slots[at].position = 0;
        slots[at].logits = false;
        slots[at].stream = at / 2 % STREAMS;
    } else {
        (void)went(status, at, "new", &err);
    }
}

/* ---- what a thread does ---- */

static void do_op(size_t thread, size_t op, slm_batch **batch)
{
    const size_t base = thread * EACH, i = below(EACH), at = base + i;
    slot *s = &slots[at];
    const stream *r = &streams[at % 2][s->stream];
    slm_error err = { 0 };
    slm_session *made = NULL;
    const size_t left = LEN - s->position, n = left ? 1 + below(left < 20 ? left : 20) : 0;
    switch (op) {
    case OP_feed:
        if (n && went(slm_session_feed(s->session, r->token + s->position, n, &err), at, "feed", &err)) {
            s->position += n;
            s->logits = true;
        }
        break;
    case OP_step: {
        int32_t token;
        if (left && s->logits && s->position >= r->prompt && went(slm_session_step(s->session, &r->sampling, &token, &err), at, "step", &err))
            s->position++;
        break;
    }
    case OP_generate: {
        slm_generate_params params = SLM_GENERATE_PARAMS_INIT;
        slm_generation result = SLM_GENERATION_INIT;
        params.max_tokens = (uint32_t)n;
        params.sampling = &r->sampling;
        if (n && s->logits && s->position >= r->prompt) {
            (void)went(slm_session_generate(s->session, &params, &result, &err), at, "generate", &err);
            s->position += result.tokens;
        }
        break;
    }
    case OP_fork: {
        const size_t to = base + (i + 2) % (EACH - 1);
        if (to != at && to % 2 == at % 2 && went(slm_session_fork(&made, s->session, &err), at, "fork", &err)) {
            replace(to, made);
            slots[to].stream = s->stream;
            slots[to].position = s->position;
            slots[to].logits = s->logits;
            check(to, "fork");
        }
        break;
    }
    case OP_truncate: {
        const size_t to = below(s->position + 1);
        if (went(slm_session_truncate(s->session, to, &err), at, "truncate", &err) && to < s->position) {
            s->position = to;
            s->logits = false;
        } else {
            s->logits = slm_session_logits(s->session) != NULL;   /* to the end drops nothing; the bits are checked below */
        }
        break;
    }
    case OP_save_load: {
        char path[64];
        (void)snprintf(path, sizeof path, "/tmp/soak.%ld.%zu", (long)getpid(), thread);
        if (went(slm_session_save(s->session, path, &err), at, "save", &err) &&
            went(slm_session_load(&made, model[at % 2], path, NULL, &err), at, "load", &err))
            replace(at, made);
        (void)unlink(path);
        break;
    }
    case OP_batch: {
        slm_batch_item item[3];
        size_t where[3], k = 0;
        memset(item, 0, sizeof item);
        for (size_t j = at; k < 3 && j < base + EACH; j += 2)
            if (slots[j].position + 5 <= LEN) {
                item[k].session = slots[j].session;
                item[k].tokens = streams[j % 2][slots[j].stream].token + slots[j].position;
                item[k].n = 1 + below(5);
                item[k].status = SLM_E_MEMORY;     /* stays if nothing was done */
                where[k++] = j;
            }
        slm_status status = slm_batch_step(batch[at % 2], item, k, &err);
        for (size_t j = 0; j < k; j++) {
            if (went(item[j].status, where[j], "batch", &err)) {
                slots[where[j]].position += item[j].n;
                slots[where[j]].logits = true;
            }
            check(where[j], "batch");
        }
        (void)status;
        break;
    }
    case OP_cancel: {
        slot *other = &slots[below(SLOTS)];
        pthread_mutex_lock(&other->lock);
        slm_session_cancel(other->session);
        pthread_mutex_unlock(&other->lock);
        break;
    }
    case OP_bad: {
        const int32_t outside = (int32_t)vocab[at % 2];
        int32_t many[ROOM + 1];
        for (size_t j = 0; j <= ROOM; j++)
            many[j] = r->token[0];
        if (slm_session_feed(s->session, &outside, 1, &err) != SLM_E_ARG || slm_session_feed(s->session, many, 0, &err) != SLM_E_ARG ||
            slm_session_truncate(s->session, s->position + 1, &err) != SLM_E_ARG ||
            slm_session_feed(s->session, many, ROOM + 1, &err) != SLM_E_CONTEXT)
            fail("bad arguments", at, SLM_OK, &err);
        break;
    }
    }
    check(at, op_names[op]);
    atomic_fetch_add(&done[op], 1);
    if (s->position == LEN && !below(4))
        start(at);
}

static void *work(void *opaque)
{
    const size_t thread = (size_t)(uintptr_t)opaque;
    slm_batch *batch[2] = { NULL, NULL };
    seed = thread + 1;
    for (int m = 0; m < 2; m++)
        if (slm_batch_new(&batch[m], model[m], NULL, NULL))
            fail("batch", thread, SLM_E_MEMORY, NULL);
    while (!atomic_load(&stop)) {
        pthread_rwlock_rdlock(&rest);
        refusing = !below(10);
        do_op(thread, below(N_OPS), batch);
        refusing = false;
        pthread_rwlock_unlock(&rest);
    }
    for (int m = 0; m < 2; m++)
        slm_batch_free(batch[m]);
    return NULL;
}

/* ---- reference, points of rest ---- */

static bool reference(int m)
{
    slm_error err = { 0 };
    for (size_t k = 0; k < STREAMS; k++) {
        stream *r = &streams[m][k];
        slm_session *session = NULL;
        slm_session_params params = SLM_SESSION_PARAMS_INIT;
        params.context = ROOM;
        seed = 99 + k;
        r->prompt = 3 + 4 * k;
        r->sampling = (slm_sampling)SLM_SAMPLING_INIT;
        r->sampling.temperature = 0.9f;
        r->sampling.top_p = 0.95f;
        r->sampling.seed = k;
        if (slm_session_new(&session, model[m], &params, &err))
            return false;
        for (size_t p = 0; p < LEN; p++) {
            if (p < r->prompt)
                r->token[p] = (int32_t)below(vocab[m]);
            if (p < r->prompt ? slm_session_feed(session, &r->token[p], 1, &err) : slm_session_step(session, &r->sampling, &r->token[p], &err))
                return fprintf(stderr, "soak: %s\n", err.text), false;
            r->hash[p + 1] = hash(slm_session_logits(session), vocab[m]);
        }
        slm_session_free(session);
    }
    return true;
}

static size_t entries(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

typedef struct state { size_t rss, files, threads; } state;

static state look(void)
{
    state s = { 0, 0, 0 };
    pthread_rwlock_wrlock(&rest);
    for (size_t i = 0; i < SLOTS; i++)
        start(i);
    malloc_trim(0);
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*u %zu", &s.rss) != 1)
        s.rss = 0;
    if (f)
        fclose(f);
    s.rss *= (size_t)sysconf(_SC_PAGESIZE);
    s.files = entries("/proc/self/fd");
    s.threads = entries("/proc/self/task");
    pthread_rwlock_unlock(&rest);
    return s;
}

int main(int argc, char **argv)
{
    const unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    pthread_t thread[THREADS];
    pthread_rwlockattr_t attr;
    if (!seconds)
        return fprintf(stderr, "usage: soak SECONDS MODEL [MODEL2]\n"), 2;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&rest, &attr);
    for (int m = 0; m < 2; m++) {
        slm_model_params params = SLM_MODEL_PARAMS_INIT;
        slm_model_info info = SLM_MODEL_INFO_INIT;
        slm_error err = { 0 };
        params.allocator = &allocator;
        params.threads = m ? 1 : 2;
        if (slm_model_open(&model[m], argv[argc > 3 ? 2 + m : 2], &params, &err) || slm_model_get_info(model[m], &info, &err))
            return fprintf(stderr, "soak: %s\n", err.text), 1;
        vocab[m] = info.vocab;
        if (!reference(m))
            return 1;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        pthread_mutex_init(&slots[i].lock, NULL);
        start(i);
    }
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, (void *)(uintptr_t)i))
            return fprintf(stderr, "soak: no thread\n"), 1;
    sleep(seconds / 10 + 1);
    const state before = look();
    sleep(seconds - seconds / 10);
    const state after = look();
    atomic_store(&stop, 1);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    printf("soak: rss %zu -> %zu bytes, descriptors %zu -> %zu, threads %zu -> %zu\n", before.rss, after.rss, before.files, after.files,
           before.threads, after.threads);
#ifdef SANITIZED            /* whose own notes of what was touched are most of the memory */
    const bool grew = false;
#else
    const bool grew = after.rss > before.rss + before.rss / 100 + 1000000;
#endif
    if (grew || after.files != before.files || after.threads != before.threads)
        fail("memory, descriptors or threads grew", 0, SLM_OK, NULL);
    else
        atomic_fetch_add(&passed, 1);
    for (size_t i = 0; i < N_OPS; i++)
        printf("soak: %s %llu\n", op_names[i], atomic_load(&done[i]));
    for (int i = 1; i < 32; i++)
        if (atomic_load(&refused[i]))
            printf("soak: %s %llu\n", slm_status_name((slm_status)-i), atomic_load(&refused[i]));
    for (size_t i = 0; i < SLOTS; i++)
        slm_session_free(slots[i].session);
    slm_model_free(model[0]);
    slm_model_free(model[1]);
    printf("soak: %llu passed, %llu failed\n", atomic_load(&passed), atomic_load(&failed));
    return atomic_load(&failed) != 0;
}
