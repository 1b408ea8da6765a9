/* determinism.c -- one hash of all logits a model, whatever the threads, chunks, instruction set, cache pages, what came before, and
 * whether the session is a fork, was saved and loaded, or is stepped with others. Of an encoder the hidden states, and the vectors of the text
 * alone and among others.
 *
 * Usage: determinism [--stored FILE] MODEL...
 * A MODEL with w8a8: in front of its name is packed in that type first; one with kvq8: has its keys and values in 8 bits.
 * Prints "HASH NAME" a model and fails if any way to compute the logits differs, or if FILE (the same lines) has another hash for a
 * name. Built by two compilers at two levels of optimisation, the output must be the same text. */
#include "slm.h"

#include <fenv.h>
#include <stdbool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xmmintrin.h>

#define W8A8 "w8a8:"
#define KVQ8 "kvq8:"
enum { TOKENS = 100, ITEMS = 4 };       /* past a page of 64 positions; sessions of a batch */

typedef struct way {
    const char *name;
    unsigned isa, threads, chunk, first, truncate, csr;
    enum { FED, FORKED, SAVED, BATCHED, PACKED, READ } then;
    unsigned place;
    enum { OWN, OPENMP, REVERSED, DELAYED, REFUSING } team;
} way;

/* isa 0: all; chunk: of the session, or of the batch; first: tokens fed by a call of their own; truncate: fed, dropped and fed again from
 * here. After the first: a fork goes on (while its origin goes elsewhere), or what was saved and loaded, or the session as item `place`
 * of a batch, a token a step, the others with pieces of any size. */
static const way ways[] = {
    { "all at once, one thread",        0, 1, 0,  0,  0,  0, FED, 0, OWN },
    { "2 threads",                      0, 2, 0,  0,  0,  0, FED, 0, OWN },
    { "3 threads",                      0, 3, 0,  0,  0,  0, FED, 0, OWN },
    { "4 threads",                      0, 4, 0,  0,  0,  0, FED, 0, OWN },
    { "5 threads",                      0, 5, 0,  0,  0,  0, FED, 0, OWN },
    { "6 threads",                      0, 6, 0,  0,  0,  0, FED, 0, OWN },
    { "7 threads",                      0, 7, 0,  0,  0,  0, FED, 0, OWN },
    { "8 threads",                      0, 8, 0,  0,  0,  0, FED, 0, OWN },
    { "threads of OpenMP",              0, 3, 0,  0,  0,  0, FED, 0, OPENMP },
    { "tasks in reverse order",         0, 6, 0,  0,  0,  0, FED, 0, REVERSED },
    { "tasks in reverse, one a pass",   0, 3, 1,  0,  0,  0, FED, 0, REVERSED },
    { "tasks that come late",           0, 4, 32, 0,  0,  0, FED, 0, DELAYED },
    { "tasks that are refused",         0, 4, 0,  0,  0,  0, FED, 0, REFUSING },
    { "chunks of 1",                    0, 2, 1,  0,  0,  0, FED, 0, OWN },
    { "chunks of 2",                    0, 1, 2,  0,  0,  0, FED, 0, OWN },
    { "chunks of 7",                    0, 2, 7,  0,  0,  0, FED, 0, OWN },
    { "chunks of 64",                   0, 2, 64, 0,  0,  0, FED, 0, OWN },
    { "in calls of 33 and the rest",    0, 2, 0,  33, 0,  0, FED, 0, OWN },
    { "truncated to 65 and fed again",  0, 2, 0,  0,  65, 0, FED, 0, OWN },
    { "truncated to 3 and fed again",   0, 1, 5,  0,  3,  0, FED, 0, OWN },
    { "host flushes subnormals",        0, 2, 0,  0,  0,  0x9fc0, FED, 0, OWN },
    { "host rounds up",                 0, 2, 9,  0,  0,  0x5f80, FED, 0, OWN },
    { "avx2",                           SLM_ISA_AVX2, 2, 0, 0, 0, 0, FED, 0, OWN },
    { "avx2, chunks of 5",              SLM_ISA_AVX2, 1, 5, 0, 0, 0, FED, 0, OWN },
    { "scalar",                         SLM_ISA_SCALAR, 2, 0, 0, 0, 0, FED, 0, OWN },
    { "avxvnni",                        SLM_ISA_AVXVNNI, 2, 0, 0, 0, 0, FED, 0, OWN },
    { "avxvnni, chunks of 5",           SLM_ISA_AVXVNNI, 1, 5, 0, 0, 0, FED, 0, OWN },
    { "packed",                         0, 2, 0,  0,  0,  0, PACKED, 0, OWN },
    { "packed, chunks of 3, avx2",      SLM_ISA_AVX2, 2, 3, 0, 0, 0, PACKED, 0, OWN },
    { "packed, read into memory",       0, 3, 0,  33, 0,  0, READ, 0, OWN },
    { "a fork at 1",                    0, 2, 0,  1,  0,  0, FORKED, 0, OWN },
    { "a fork at 37",                   0, 1, 7,  37, 0,  0, FORKED, 0, OWN },
    { "a fork at 64",                   0, 2, 0,  64, 0,  0, FORKED, 0, OWN },
    { "a fork at 70",                   0, 2, 0,  70, 0,  0, FORKED, 0, OWN },
    { "saved and loaded at 1",          0, 2, 0,  1,  0,  0, SAVED, 0, OWN },
    { "saved and loaded at 64",         0, 1, 0,  64, 0,  0, SAVED, 0, OWN },
    { "saved and loaded at 77",         0, 2, 3,  77, 0,  0, SAVED, 0, OWN },
    { "first of a batch",               0, 1, 0,  10, 0,  0, BATCHED, 0, OWN },
    { "second of a batch, 9 a pass",    0, 1, 9,  1,  0,  0, BATCHED, 1, OWN },
    { "third of a batch, avx2",         SLM_ISA_AVX2, 2, 0, 60, 0, 0, BATCHED, 2, OWN },
    { "last of a batch, 2 threads",     0, 2, 0,  60, 0,  0, BATCHED, 3, OWN },
};

static uint32_t cache;          /* SLM_KV_... of all sessions and encoders of a model */

typedef struct rows {
    float *logits;
    size_t vocab, at;
} rows;

static int keep(void *user, size_t index, const float *logits, size_t vocab)
{
    rows *r = user;
    memcpy(r->logits + (r->at + index) * vocab, logits, vocab * sizeof *logits);
    return 0;
}

/* Executors that do what they may: any order, one after another, late and from other threads, or not at all. */
static int reversed(void *user, size_t n, void (*task)(void *arg, size_t index), void *ctx)
{
    (void)user;
    while (n > 0)
        task(ctx, --n);
    return 0;
}

typedef struct late {
    void (*task)(void *arg, size_t index);
    void *ctx;
    size_t index;
} late;

static void *come_late(void *arg)
{
    const late *l = arg;
    const struct timespec ns = { 0, (long)(l->index * 7919 % 5) * 20000 };
    (void)nanosleep(&ns, NULL);
    l->task(l->ctx, l->index);
    return NULL;
}

static int delayed(void *user, size_t n, void (*task)(void *arg, size_t index), void *ctx)
{
    enum { AT_ONCE = 4 };
    (void)user;
    for (size_t from = 0; from < n; from += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        late l[AT_ONCE];
        size_t started = 0;
        for (size_t i = from; i < n && i < from + AT_ONCE; i++) {
            l[started] = (late){ task, ctx, i };
            if (pthread_create(&threads[started], NULL, come_late, &l[started]) == 0)
                started++;
            else
                task(ctx, i);
        }
        while (started > 0)
            (void)pthread_join(threads[--started], NULL);
    }
    return 0;
}

static int refusing(void *user, size_t n, void (*task)(void *arg, size_t index), void *ctx)
{
    (void)user;
    (void)n;
    (void)task;
    (void)ctx;
    return 1;
}

static int fail(const char *model, const char *how, const char *text)
{
    (void)fprintf(stderr, "determinism: %s: %s: %s\n", model, how, text);
    return 1;
}

static int32_t token_of(size_t text, size_t i, size_t vocab)
{
    return (int32_t)((i * 2654435761u + 12345u + text * 777u) % vocab);
}

/* *session becomes a fork of it, and the origin feeds other tokens before it goes. */
static slm_status fork_away(slm_session **session, size_t vocab, slm_error *err)
{
    slm_session *origin = *session;
    int32_t others[20];
    const size_t n = slm_session_room(origin) < 20 ? slm_session_room(origin) : 20;
    for (size_t i = 0; i < n; i++)
        others[i] = token_of(1, i, vocab);
    slm_status status = slm_session_fork(session, origin, err);
    if (!status)
        status = slm_session_feed(origin, others, n, err);
    if (*session != origin)
        slm_session_free(origin);
    return status;
}

static slm_status save_and_load(slm_session **session, slm_model *model, const slm_session_params *sp, slm_error *err)
{
    char file[] = "/tmp/slm-determinism-XXXXXX";
    slm_session *loaded = NULL;
    const int fd = mkstemp(file);
    if (fd < 0)
        return SLM_E_IO;
    (void)close(fd);
    slm_status status = slm_session_save(*session, file, err);
    if (!status)
        status = slm_session_load(&loaded, model, file, sp, err);
    (void)unlink(file);
    if (status)
        return status;
    slm_session_free(*session);
    *session = loaded;
    return SLM_OK;
}

/* The rest of the tokens, one a step, as item `place` of a batch. */
static slm_status in_a_batch(slm_session *session, slm_model *model, const way *w, const int32_t *tokens, rows *r, slm_error *err)
{
    slm_batch_params bp = SLM_BATCH_PARAMS_INIT;
    slm_batch_item items[ITEMS] = { { 0 } };
    slm_session *all[ITEMS] = { NULL };
    slm_batch *batch = NULL;
    int32_t room[ITEMS][TOKENS];
    bp.tokens = w->chunk;
    slm_status status = slm_batch_new(&batch, model, &bp, err);
    for (size_t k = 0; !status && k < ITEMS; k++)
        if (k == w->place)
            all[k] = session;
        else
            status = slm_session_new(&all[k], model, NULL, err);
    for (size_t i = slm_session_position(session); !status && i < TOKENS; i++) {
        for (size_t k = 0; k < ITEMS; k++) {
            const size_t n = k == w->place ? 1 : 1 + (i * 7 + k) % 11;
            for (size_t t = 0; t < n; t++)
                room[k][t] = k == w->place ? tokens[i] : token_of(k, i + t, r->vocab);
            if (k != w->place && slm_session_room(all[k]) < n)
                status = slm_session_truncate(all[k], 0, err);
            items[k] = (slm_batch_item){ all[k], room[k], n, NULL, SLM_OK, 0 };
        }
        if (!status)
            status = slm_batch_step(batch, items, ITEMS, err);
        if (!status)
            (void)keep(r, i - r->at, slm_session_logits(session), r->vocab);
    }
    for (size_t k = 0; k < ITEMS; k++)
        if (k != w->place)
            slm_session_free(all[k]);
    slm_batch_free(batch);
    return status;
}

/* Makes a packed file of `from`, in `type` if that is not NULL. */
static slm_status pack(char *file, const char *from, const char *type, slm_error *err)
{
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    const int fd = mkstemp(file);
    if (fd < 0)
        return SLM_E_IO;
    (void)close(fd);
    q.type = type;
    q.threads = 2;
    return slm_pack_file(from, file, &q, err);
}

/* Opens the file, or one packed from it, which is gone when the model is open. */
static slm_status open_model(slm_model **model, const char *path, const way *w, slm_model_params *mp, slm_error *err)
{
    char packed[] = "/tmp/slm-determinism-XXXXXX";
    const bool row = strncmp(path, W8A8, strlen(W8A8)) == 0;
    if (!row && w->then != PACKED && w->then != READ)
        return slm_model_open(model, path, mp, err);
    mp->no_map = w->then == READ;
    mp->verify = 1;
    slm_status status = pack(packed, row ? path + strlen(W8A8) : path, row ? "w8a8" : NULL, err);
    if (!status)
        status = slm_model_open(model, packed, mp, err);
    (void)unlink(packed);
    return status;
}

/* Sessions alone fork, save, truncate and go on. */
static int applies(const way *w, int encoder)
{
    return !encoder || w->then == BATCHED || ((w->then == FED || w->then >= PACKED) && !w->first && !w->truncate);
}

/* States [TOKENS][width], then the vector by the mean and that of the last token; the text as item `place` of many in a batch. */
static slm_status encode(slm_model *model, const way *w, const int32_t *tokens, size_t vocab, rows *r, slm_error *err)
{
    slm_encoder_params ep = SLM_ENCODER_PARAMS_INIT;
    slm_embed_params p = SLM_EMBED_PARAMS_INIT;
    slm_encoder *encoder = NULL;
    slm_embed_item items[ITEMS];
    int32_t others[ITEMS][TOKENS];
    const size_t n = w->then == BATCHED ? ITEMS : 1;
    float *spare = calloc(ITEMS, r->vocab * sizeof *spare);
    ep.chunk = w->chunk;
    ep.kv = cache;
    slm_status status = spare ? slm_encoder_new(&encoder, model, &ep, err) : SLM_E_MEMORY;
    if (!status)
        status = slm_encoder_states(encoder, r->logits, tokens, TOKENS, err);
    for (p.pooling = SLM_POOLING_MEAN; !status && p.pooling <= SLM_POOLING_LAST; p.pooling += 2) {
        for (size_t k = 0; k < n; k++) {
            const size_t length = 1 + (k * 37 + w->chunk) % TOKENS;
            for (size_t t = 0; t < length; t++)
                others[k][t] = token_of(k + 1, t, vocab);
            items[k] = (slm_embed_item){ NULL, 0, others[k], length, spare + k * r->vocab, NULL, SLM_OK, 0 };
        }
        items[w->place].tokens = tokens;
        items[w->place].n = TOKENS;
        items[w->place].vector = r->logits + (TOKENS + p.pooling / 2) * r->vocab;
        status = slm_embed(encoder, items, n, &p, err);
    }
    slm_encoder_free(encoder);
    free(spare);
    return status;
}

/* The logits of the tokens [TOKENS], row by row. */
static slm_status decode(slm_model *model, const way *w, const int32_t *tokens, rows *r, slm_error *err)
{
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_session *session = NULL;
    sp.chunk = w->chunk;
    sp.context = TOKENS;
    sp.kv = cache;
    slm_status status = slm_session_new(&session, model, &sp, err);
    if (!status && w->first) {
        status = slm_session_feed_rows(session, tokens, w->first, keep, r, err);
        r->at = w->first;
    }
    if (!status && w->then == FORKED)
        status = fork_away(&session, r->vocab, err);
    if (!status && w->then == SAVED)
        status = save_and_load(&session, model, &sp, err);
    if (!status && w->then == BATCHED)
        status = in_a_batch(session, model, w, tokens, r, err);
    else if (!status)
        status = slm_session_feed_rows(session, tokens + r->at, TOKENS - r->at, keep, r, err);
    if (!status && w->truncate) {
        memset(r->logits + w->truncate * r->vocab, 0, (TOKENS - w->truncate) * r->vocab * sizeof *r->logits);
        r->at = w->truncate;
        status = slm_session_truncate(session, w->truncate, err);
        if (!status)
            status = slm_session_feed_rows(session, tokens + r->at, TOKENS - r->at, keep, r, err);
    }
    slm_session_free(session);
    return status;
}

/* hash stays empty where the way is none for this model. */
static int run(const char *path, const way *w, char hash[65])
{
    slm_error err = { 0 };
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *model = NULL;
    rows r = { NULL, 0, 0 };
    int32_t tokens[TOKENS];
    size_t n = TOKENS;
    const unsigned csr = _mm_getcsr();
    if (w->csr)
        _mm_setcsr(w->csr);
    mp.isa = w->isa;
    mp.threads = w->threads;
    const slm_executor executor = { NULL, w->threads ? w->threads : 1, 0, w->team == REVERSED ? reversed : w->team == DELAYED ? delayed : refusing };
    mp.executor = w->team >= REVERSED ? &executor : NULL;
    mp.openmp = w->team == OPENMP;
    slm_status status = open_model(&model, path, w, &mp, &err);
    if (!status)
        status = slm_model_get_info(model, &info, &err);
    if (!status && applies(w, (int)info.encoder)) {
        for (size_t i = 0; i < TOKENS; i++)
            tokens[i] = token_of(0, i, info.vocab);
        r.vocab = info.encoder ? info.embedding : info.vocab;
        n += info.encoder ? 2 : 0;
        r.logits = calloc(n * r.vocab, sizeof *r.logits);
        status = info.encoder ? encode(model, w, tokens, info.vocab, &r, &err) : decode(model, w, tokens, &r, &err);
    }
    _mm_setcsr(csr);
    if (!status && r.logits)
        slm_sha256(hash, r.logits, n * r.vocab * sizeof *r.logits);
    free(r.logits);
    slm_model_free(model);
    return status ? fail(path, w->name, err.text) : 0;
}

/* The stored hash of a name, or an empty string. */
static void stored(const char *file, const char *name, char hash[65])
{
    char line[512];
    hash[0] = 0;
    FILE *f = file ? fopen(file, "r") : NULL;
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (strlen(line) > 66 && line[64] == ' ' && strcmp(line + 65, name) == 0) {
            memcpy(hash, line, 64);
            hash[64] = 0;
        }
    }
    if (f)
        (void)fclose(f);
}

int main(int argc, char **argv)
{
    const char *file = NULL;
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--stored") == 0 && i + 1 < argc) {
            file = argv[++i];
            continue;
        }
        const char *prefix = strncmp(argv[i], W8A8, strlen(W8A8)) == 0 ? W8A8 : strncmp(argv[i], KVQ8, strlen(KVQ8)) == 0 ? KVQ8 : "";
        cache = strcmp(prefix, KVQ8) == 0 ? SLM_KV_Q8_0 : SLM_KV_F16;
        const char *name = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];
        char first[65] = "", other[65] = "", want[65], full[256];
        (void)snprintf(full, sizeof full, "%s%s", strchr(argv[i], '/') ? prefix : "", name);
        name = full;
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            if (ways[k].isa && !(slm_cpu_isa() & ways[k].isa)) {
                (void)fprintf(stderr, "determinism: skipped: %s: this CPU has no such instruction set\n", ways[k].name);
                continue;
            }
            other[0] = 0;
            if (run(argv[i] + (cache == SLM_KV_Q8_0 ? strlen(KVQ8) : 0), &ways[k], k ? other : first)) {
                failed++;
                break;
            }
            if (k && other[0] && strcmp(first, other) != 0)
                failed += fail(name, ways[k].name, "other bits than all at once by one thread");
        }
        stored(file, name, want);
        if (want[0] && strcmp(first, want) != 0)
            failed += fail(name, "stored hash", want);
        (void)printf("%s %s\n", first, name);
        (void)fflush(stdout);
    }
    (void)fprintf(stderr, "determinism: %d failed\n", failed);
    return failed != 0;
}
