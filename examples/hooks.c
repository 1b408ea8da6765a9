/* hooks.c MODEL PROMPT -- every hook there is, in one program: memory with a limit, threads, messages, bytes of the model, progress,
 * instruction sets, cancelling, a deadline.
 *
 * All of them are given when the model is opened or a session is made, each with its own user pointer; none is global. What they change is who
 * does the work, never the result. */
#include <slm.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *take(void *user, size_t size)              /* from any thread */
{
    void *memory = size <= SIZE_MAX - 63 ? aligned_alloc(64, (size + 63) / 64 * 64) : NULL;
    if (memory)
        atomic_fetch_add((atomic_size_t *)user, size);
    return memory;
}

static void give(void *user, void *memory, size_t size)
{
    atomic_fetch_sub((atomic_size_t *)user, size);
    free(memory);
}

static int run_here(void *user, size_t n, void (*task)(void *arg, size_t index), void *arg)
{
    *(size_t *)user += n;
    for (size_t i = n; i-- > 0;)                        /* any order will do */
        task(arg, i);
    return 0;
}

static void line(void *user, int level, const char *text)
{
    fprintf(user, "[%d] %s\n", level, text);
}

static int read_at(void *user, uint64_t offset, void *dst, size_t n)
{
    return pread(*(int *)user, dst, n, (off_t)offset) != (ssize_t)n;     /* not 0: the model is not opened */
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    *(int *)user = done == total;
    return 0;                                           /* anything else stops the opening */
}

static int print(void *to, const char *text, size_t n)
{
    return fwrite(text, 1, n, to) != n;
}

static int cancel_at_once(void *session, const char *text, size_t n)
{
    slm_session_cancel(session);                        /* from a signal handler or another thread just as well */
    return text == NULL && n;
}

static slm_status use(slm_model *model, const char *prompt, slm_error *err)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    slm_generate_params generate = SLM_GENERATE_PARAMS_INIT;
    slm_generation made = SLM_GENERATION_INIT;
    slm_session *session = NULL;
    params.deadline_ms = 60000;                         /* for each call */
    generate.max_tokens = 16;
    generate.text = print;
    generate.user = stdout;
    slm_status status = slm_session_new(&session, model, &params, err);
    if (!status)
        status = slm_session_feed_text(session, prompt, strlen(prompt), 0, err);
    if (!status)
        status = slm_session_generate(session, &generate, NULL, err);
    generate.text = cancel_at_once;
    generate.user = session;
    if (!status && (status = slm_session_generate(session, &generate, &made, err)) == SLM_E_CANCELLED) {
        printf("\ncancelled after %zu token\n", made.tokens);       /* it is in the session, and one could go on */
        status = SLM_OK;
    }
    slm_session_free(session);
    return status;
}

int main(int argc, char **argv)
{
    atomic_size_t live = 0;
    size_t tasks = 0;
    int whole = 0, fd;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    const slm_allocator allocator = { &live, take, give };
    const slm_executor executor = { &tasks, 2, 0, run_here };
    const slm_log messages = { stderr, line };
    slm_input input = SLM_INPUT_INIT;
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    slm_model *model = NULL;
    slm_error err = { 0 };
    if (!file || fseek(file, 0, SEEK_END)) {
        fprintf(stderr, "usage: hooks MODEL PROMPT\n");
        return 2;
    }
    fd = fileno(file);
    input.bytes = (uint64_t)ftell(file);
    input.read_at = read_at;
    input.user = &fd;
    params = (slm_model_params){ .size = sizeof params, .allocator = &allocator, .memory_limit = 1 << 30, .executor = &executor, .log = &messages,
                                 .threads = 2, .isa = SLM_ISA_SCALAR, .progress = progress, .progress_user = &whole, .input = &input };
    slm_status status = slm_model_open(&model, argv[1], &params, &err);
    if (!status)
        status = use(model, argv[2], &err);
    if (status)
        fprintf(stderr, "hooks: %s\n", err.text);
    slm_model_free(model);                              /* the hooks must live until here */
    fclose(file);
    printf("%s; %s; %zu bytes left\n", whole ? "read to the end" : "not read", tasks ? "tasks run here" : "no task", atomic_load(&live));
    return status != SLM_OK || atomic_load(&live) != 0;
}
