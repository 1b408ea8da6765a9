/* own_memory.c MODEL PROMPT -- the library inside a host that owns memory, threads and messages.
 *
 * Three hooks in slm_model_params, each with its own user pointer and none of them global: an allocator that counts, an executor
 * that runs tasks on the calling thread, and a log that prints. The model's sessions use them too. memory_limit bounds all of
 * it: beyond it a call fails with SLM_E_MEMORY and nothing else changes. */
#include <slm.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct account { atomic_size_t live, peak, calls; } account;

/* alloc may be called from any thread; the library wants 64-byte alignment. */
static void *take(void *user, size_t size)
{
    account *a = user;
    if (size > SIZE_MAX - 63)
        return NULL;
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (memory) {
        const size_t live = atomic_fetch_add(&a->live, size) + size;
        size_t peak = atomic_load(&a->peak);
        while (live > peak && !atomic_compare_exchange_weak(&a->peak, &peak, live)) {
        }
        atomic_fetch_add(&a->calls, 1);
    }
    return memory;
}

static void give(void *user, void *memory, size_t size)
{
    account *a = user;
    atomic_fetch_sub(&a->live, size);
    free(memory);
}

/* A host with a pool of threads hands the tasks to it here. Any order and any thread is right: no result depends on it. */
static int run_here(void *user, size_t n, void (*task)(void *arg, size_t index), void *arg)
{
    *(size_t *)user += n;
    for (size_t i = 0; i < n; i++)
        task(arg, i);
    return 0;
}

static void line(void *user, int level, const char *text)
{
    static const char *const names[] = { "error", "warning", "note" };
    fprintf(user, "[%s] %s\n", level >= 0 && level < 3 ? names[level] : "?", text);
}

static int print(void *user, const char *text, size_t n)
{
    return fwrite(text, 1, n, user) != n;
}

int main(int argc, char **argv)
{
    account used = { 0 };
    size_t tasks = 0;
    const slm_allocator allocator = { &used, take, give };
    const slm_executor executor = { &tasks, 2, 0, run_here };
    const slm_log messages = { stderr, line };
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    slm_generate_params generate = SLM_GENERATE_PARAMS_INIT;
    slm_model *model = NULL;
    slm_session *session = NULL;
    slm_error err = { 0 };
    if (argc != 3) {
        fprintf(stderr, "usage: own_memory MODEL PROMPT\n");
        return 2;
    }
    params.allocator = &allocator;
    params.executor = &executor;
    params.log = &messages;
    params.memory_limit = (uint64_t)1 << 30;
    generate.max_tokens = 64;
    generate.text = print;
    generate.user = stdout;
    slm_status status = slm_model_open(&model, argv[1], &params, &err);
    if (!status)
        status = slm_session_new(&session, model, NULL, &err);
    if (!status)
        status = slm_session_feed_text(session, argv[2], strlen(argv[2]), 0, &err);
    if (!status)
        status = slm_session_generate(session, &generate, NULL, &err);
    printf("\n");
    if (status)
        fprintf(stderr, "own_memory: %s\n", err.text);
    slm_session_free(session);
    slm_model_free(model);      /* the hooks must live until here */
    fprintf(stderr, "%zu allocations, at most %zu bytes at once, %zu left; %zu tasks\n", atomic_load(&used.calls), atomic_load(&used.peak),
            atomic_load(&used.live), tasks);
    return status != SLM_OK || atomic_load(&used.live) != 0;
}
