/* cli_model.c -- opening what -m names, with the common options; interruption and progress of long calls. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHIPPED "tiny-stories/tiny-stories.gguf"

/* The shipped model lies beside the program, wherever that was installed (PREFIX/bin/slm, PREFIX/share/libslm), or in models/ of the
 * tree that build/bin/slm was made in. Looked up from where the program is, so that one build serves every prefix. */
slm_status cli_model_path(cli *c, const char **path)
{
    static const struct { int up; const char *rest; } places[] = {
        { 2, "/share/libslm/" SHIPPED }, { 3, "/models/" SHIPPED },
    };
    char *p = c->model_path;
    *path = c->common.model ? c->common.model : p;
    if (c->common.model)
        return SLM_OK;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const ssize_t n = readlink("/proc/self/exe", p, sizeof c->model_path - sizeof "/share/libslm/" SHIPPED);
        if (n <= 0)
            break;
        p[n] = 0;
        for (int up = 0; up < places[i].up && strrchr(p, '/'); up++)
            *strrchr(p, '/') = 0;
        strcat(p, places[i].rest);
        if (!access(p, R_OK))
            return SLM_OK;
    }
    return cli_fail(c, SLM_E_NOT_FOUND, "the model that comes with slm (%s) is not there; name a file with -m", SHIPPED);
}

slm_status cli_open_file(cli *c, slm_file **out, bool allow_nonfinite)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    const char *path;
    params.tokenizer_path = c->common.tokenizer;
    params.threads = (uint32_t)c->common.threads;
    params.allow_nonfinite = allow_nonfinite;
    slm_status status = cli_model_path(c, &path);
    return status ? status : slm_file_open(out, path, &params, &c->err);
}

slm_status cli_open_tokenizer(cli *c, slm_tokenizer **out)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    const char *path;
    params.tokenizer_path = c->common.tokenizer;
    slm_status status = cli_model_path(c, &path);
    return status ? status : slm_tokenizer_open(out, path, &params, &c->err);
}

slm_status cli_open_model(cli *c, slm_model **out)
{
    const char *path;
    const slm_status status = cli_model_path(c, &path);
    return status ? status : cli_open_model_at(c, path, out);
}

slm_status cli_open_model_at(cli *c, const char *path, slm_model **out)
{
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    params.tokenizer_path = c->common.tokenizer;
    params.threads = (uint32_t)c->common.threads;
    params.isa = c->isa;
    params.progress = cli_progress;
    params.progress_user = c;
    return slm_model_open(out, path, &params, &c->err);
}

uint32_t cli_kv(const char *name)
{
    return !strcmp(name, "f32") ? SLM_KV_F32 : !strcmp(name, "q8_0") ? SLM_KV_Q8_0 : SLM_KV_F16;
}

/* ---- text and ids ------------------------------------------------------------------------------------------------------- */

slm_status cli_encode(cli *c, const slm_tokenizer *tok, const char *text, size_t len, unsigned flags, int32_t **ids, size_t *n)
{
    size_t room = len + 16, count = 0;     /* an id per byte and what is added; asked again if that was not enough */
    for (;;) {
        int32_t *list = malloc(room * sizeof *list);
        if (!list)
            return cli_fail(c, SLM_E_MEMORY, "no memory for the ids of %zu bytes", len);
        slm_status status = slm_tokenizer_encode(tok, list, room, &count, text, len, flags, &c->err);
        if (!status) {
            *ids = list;
            *n = count;
            return SLM_OK;
        }
        free(list);
        if (status != SLM_E_LIMIT || count <= room)
            return status;
        room = count;
    }
}

slm_status cli_decode(cli *c, const slm_tokenizer *tok, const int32_t *ids, size_t n_ids, unsigned flags, char **text, size_t *n)
{
    size_t room = 8 * n_ids + 64, count = 0;
    for (;;) {
        char *out = malloc(room + 1);
        if (!out)
            return cli_fail(c, SLM_E_MEMORY, "no memory for the text of %zu ids", n_ids);
        slm_status status = slm_tokenizer_decode(tok, out, room, &count, ids, n_ids, flags, &c->err);
        if (!status) {
            out[count] = 0;
            *text = out;
            *n = count;
            return SLM_OK;
        }
        free(out);
        if (status != SLM_E_LIMIT || count <= room)
            return status;
        room = count;
    }
}

/* ---- interruption ------------------------------------------------------------------------------------------------------- */

/* The handler may do three things: set the flag, cancel, which is one atomic store in the session or encoder, and write to a pipe. */
static volatile sig_atomic_t came;
static slm_session *_Atomic running;
static slm_encoder *_Atomic encoding;
static slm_cancel calls;                    /* of engines */
static int wakers[2] = { -1, -1 };      /* a pipe that can be read as long as there is a signal to see */

static void caught(int signal_number)
{
    slm_session *session = atomic_load(&running);
    slm_encoder *encoder = atomic_load(&encoding);
    const int saved = errno;
    came = signal_number;
    slm_cancel_set(&calls);
    if (session)
        slm_session_cancel(session);
    if (encoder)
        slm_encoder_cancel(encoder);
    if (write(wakers[1], "", 1) < 0)
        errno = saved;                  /* full: it can be read all the more */
}

void cli_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = caught;
    action.sa_flags = (int)SA_RESETHAND;    /* a second Ctrl-C ends the process; no SA_RESTART: a read is broken off */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void cli_cancel_session(slm_session *session)
{
    atomic_store(&running, session);
    if (session && came)
        slm_session_cancel(session);
}

void cli_cancel_encoder(slm_encoder *encoder)
{
    atomic_store(&encoding, encoder);
    if (encoder && came)
        slm_encoder_cancel(encoder);
}

slm_cancel *cli_cancel(void)
{
    return &calls;
}

int cli_signal(void)
{
    return came;
}

int cli_signal_fd(void)
{
    return wakers[0];
}

void cli_keep_interrupts(void)
{
    struct sigaction action;
    if (pipe2(wakers, O_CLOEXEC | O_NONBLOCK))
        wakers[0] = wakers[1] = -1;
    memset(&action, 0, sizeof action);
    action.sa_handler = caught;
    (void)sigaction(SIGINT, &action, NULL);
}

void cli_forget_interrupt(void)
{
    char bytes[16];
    if (came != SIGINT)
        return;
    came = 0;
    while (read(wakers[0], bytes, sizeof bytes) > 0)
        continue;
}

/* ---- progress ----------------------------------------------------------------------------------------------------------- */

int cli_progress(void *user, uint64_t done, uint64_t total)
{
    cli *c = user;
    const int percent = total ? (int)(100.0 * (double)done / (double)total) : 100;
    if (c->progress && percent != c->percent && !c->common.quiet && !c->common.json && isatty(2)) {
        fprintf(stderr, "\r%s %3d %%", c->progress, percent);
        c->percent = percent;
    }
    return came != 0;
}

void cli_progress_clear(cli *c)
{
    if (c->percent >= 0)
        fprintf(stderr, "\r\033[K");
    c->percent = -1;
}

double cli_clock_ms(void)
{
    struct timespec t = { 0, 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
