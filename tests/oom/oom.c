/* oom.c -- plays every row of oom_rows with allocation 1, 2, ... refused, then with system call 1, 2, ... failing, once and from then on,
 * until it gets through; and once with every system call interrupted and little moved at a time.
 *
 * Each run has a world of its own, made while nothing is refused. A call that was refused memory must end in SLM_E_MEMORY with a message,
 * one whose system call failed in SLM_E_IO that names the file and has the errno, or as if nothing had happened where nothing is lost
 * (fail_call.h). It must leave what it writes and what it works on as they were, and the same call without a refusal must then give
 * the bits it would have given at once. At the end everything is freed while all memory is refused, and not a byte, descriptor or file
 * may be left.
 *
 *   oom [--share N] [--only SYMBOL] [--sites FILE] [--server PROGRAM]
 *
 * --share N plays one run in N, drawn by SEED (of the environment; the day otherwise). --sites writes the places that were refused, as
 * offsets into the program, for tests/oom/sites.py. */
#include "oom/oom.h"

#include "core/random.h"
#include "harness/fail_wrap.h"
#include "remote/rig.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

extern const char __executable_start[];

static const char *only;
static uint64_t share = 1, seed, turn;
static size_t runs, refusals[2];
static const char *server;

static size_t descriptors(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static const char *name_of(const oom_row *row)
{
    static char name[160];
    (void)snprintf(name, sizeof name, "%s%s%s", row->symbol, row->how ? ", " : "", row->how ? row->how : "");
    return name;
}

/* How a run fails. */
typedef enum kind { MEMORY, CALLS, ROUGH } kind;

typedef struct trial {
    kind kind;
    size_t at;               /* allocation or system call, from 1; 0: none */
    bool lasting;            /* and all later ones */
} trial;

static const char *said(const oom_world *w, const trial *t)
{
    static char text[160];
    if (t->kind == ROUGH)
        return "every call interrupted, little moved at a time";
    (void)snprintf(text, sizeof text, "%s %zu%s%s refused %s", t->kind == MEMORY ? "allocation" : "call", t->at, w->calls.list[0].name ? ", " : "",
                   w->calls.list[0].name ? w->calls.list[0].name : "", t->lasting ? "from then on" : "once");
    return text;
}

/* What libcurl makes of a failure that it alone saw. */
static bool is_network(const oom_world *w, slm_status status)
{
    return w->row->flags & OOM_NETWORK && (status == w->row->ends || status == SLM_E_NETWORK || status == SLM_E_PROTOCOL);
}

static void check_memory(const oom_world *w, slm_status status, const slm_error *err, const char *when)
{
    if ((status == w->row->ends && w->row->flags & OOM_SURVIVES) || is_network(w, status))
        return;
    if (status != SLM_E_MEMORY)
        fail_msg("%s: %s: %s, want SLM_E_MEMORY: %s", name_of(w->row), when, slm_status_name(status), err->text);
}

/* The last part of a path: messages have the one the caller gave. */
static const char *last_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : "";
}

static bool told(const struct failed_call *f, const slm_error *err)
{
    const char *name = !*f->path ? "" : strstr(f->path, ".slm-") || !strncmp(f->path, "./", 2) ? "made" : last_of(f->path);
    return (!f->code || err->code == f->code) && strstr(err->text, *name ? name : strcmp(f->name, "clock_gettime") ? "" : "clock_gettime");
}

/* One that had to be told was, if there is one; else one that may be, or there was no failure. What is closed while it is given up is lost
 * already. */
static void check_call(const oom_world *w, slm_status status, const slm_error *err, const char *when)
{
    const struct failed_call *f = w->calls.list, *must = NULL;
    const size_t failed = atomic_load(&w->calls.failed), n = failed < FAIL_LIST ? failed : FAIL_LIST;
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found |= f[i].promise != FAIL_HARMLESS && status == SLM_E_IO && told(&f[i], err);
        if (f[i].promise == FAIL_TOLD && !must && !(w->row->ends && strcmp(f[i].name, "close") == 0))
            must = &f[i];
    }
    if (must && !found)
        fail_msg("%s: %s: %s, want SLM_E_IO of %s of '%s', code %d: %d, %s", name_of(w->row), when, slm_status_name(status), must->name,
                 must->path, must->code, err->code, err->text);
    if (status != w->row->ends && !found)
        fail_msg("%s: %s: %s of none of the %zu calls that failed: %s", name_of(w->row), when, slm_status_name(status), n, err->text);
}

/* Something failed in the call. */
static void check_failure(oom_world *w, const trial *t, slm_status status, const slm_error *err, const uint8_t *bytes, uint64_t state)
{
    const char *name = name_of(w->row), *when = said(w, t);
    if (t->kind == MEMORY)
        check_memory(w, status, err, when);
    else
        check_call(w, status, err, when);
    if (status == w->row->ends)
        return;
    if (err->status != status || !err->text[0])
        fail_msg("%s: %s: the error says %d, '%s'", name, when, err->status, err->text);
    if (!(w->row->flags & OOM_KEEPS) && memcmp(w->bytes, bytes, sizeof w->bytes) != 0)
        fail_msg("%s: %s: something was written", name, when);
    if (!(w->row->flags & OOM_KEEPS) && oom_state(w) != state)
        fail_msg("%s: %s: what it works on has changed", name, when);
}

static oom_step *call_of(const oom_row *row, size_t *before)
{
    *before = 0;
    while (*before + 1 < OOM_STEPS && row->steps[*before + 1])
        ++*before;
    return row->steps[*before];
}

static void begin_world(oom_world *w, const oom_row *row, size_t before)
{
    slm_error err = { 0 };
    fail_wrap_to(NULL);
    fail_call_to(NULL);
    memset(w, 0, sizeof *w);
    memset(w->bytes, 0xc3, sizeof w->bytes);
    memset(w->failed, true, sizeof w->failed);
    w->row = row;
    fail_alloc_init(&w->memory, 0, false);
    for (size_t i = 0; i < before; i++)
        oom_must(row->steps[i](w, &err), &err);
}

/* One run. Returns how many allocations, or system calls, the call under test asked for; the first run says what others are compared with. */
static size_t play(const oom_row *row, const trial *t, uint64_t *digest)
{
    static oom_world w;
    static uint8_t bytes[sizeof w.bytes];
    slm_error err = { 0 };
    size_t before;
    oom_step *call = call_of(row, &before);
    const size_t open_before = descriptors(), files = test_folder_entries();
    begin_world(&w, row, before);
    memcpy(bytes, w.bytes, sizeof bytes);
    const uint64_t state = oom_state(&w);
    const size_t open_now = descriptors();

    memset(&w.calls, 0, sizeof w.calls);
    fail_alloc_arm(&w.memory, t->kind == MEMORY ? t->at : 0, t->lasting);
    w.calls.fail_at = t->kind == CALLS ? t->at : 0;
    w.calls.lasting = t->lasting;
    w.calls.rough = t->kind == ROUGH;
    fail_wrap_to(&w.memory);
    fail_call_to(&w.calls);
    slm_status status = call(&w, &err);
    const size_t asked = t->kind == MEMORY ? atomic_load(&w.memory.calls) : atomic_load(&w.calls.calls);
    const size_t failed = t->kind == MEMORY ? atomic_load(&w.memory.refused) : atomic_load(&w.calls.failed);
    fail_alloc_arm(&w.memory, 0, false);
    w.calls.fail_at = 0;
    w.calls.rough = false;
    fail_call_to(NULL);
    if (failed) {
        check_failure(&w, t, status, &err, bytes, state);
        if (status && !(row->flags & (OOM_SURVIVES | OOM_NETWORK)) && descriptors() != open_now)      /* an engine may keep some */
            fail_msg("%s: %s: %zu descriptors, before %zu", name_of(row), said(&w, t), descriptors(), open_now);
        err = (slm_error){ 0 };
        if (status != row->ends)
            status = call(&w, &err);
        refusals[t->kind]++;
    }
    if (status != row->ends)
        fail_msg("%s: %s, then not: %s: %s", name_of(row), said(&w, t), slm_status_name(status), err.text);
    if (!status && err.status)
        fail_msg("%s: %s: it succeeds and leaves a message: %s", name_of(row), said(&w, t), err.text);
    const uint64_t after = oom_digest(&w);
    if (!*digest)
        *digest = after;
    else if (after != *digest)
        fail_msg("%s: %s, then not: another result than without", name_of(row), said(&w, t));

    fail_alloc_arm(&w.memory, 1, true);
    oom_end(&w);
    fail_wrap_to(NULL);
    if (atomic_load(&w.memory.live_bytes) || fail_wrap_live())
        fail_msg("%s: %s: %zu bytes in %zu blocks of the allocator and %zu blocks of the system are left", name_of(row), said(&w, t),
                 atomic_load(&w.memory.live_bytes), atomic_load(&w.memory.live_blocks), fail_wrap_live());
    if (descriptors() != open_before)
        fail_msg("%s: %s: %zu descriptors at the end, before %zu", name_of(row), said(&w, t), descriptors(), open_before);
    (void)unlink(test_path("made"));
    if (test_folder_entries() != files)
        fail_msg("%s: %s: %zu files at the end, before %zu", name_of(row), said(&w, t), test_folder_entries(), files);
    runs++;
    return asked;
}

extern __attribute__((weak)) void __msan_init(void);

static void survives(void **state)
{
    const oom_row *row = *state;
    uint64_t digest = 0;
    if (!row->steps[0])
        return;                                            /* oom_getters */
    if (row->flags & OOM_NETWORK && __msan_init)
        skip();                                            /* curl writes where MemorySanitizer does not see it */
    (void)play(row, &(trial){ MEMORY, 0, false }, &digest);     /* the first may make what others find */
    for (kind k = MEMORY; k <= CALLS; k++) {
        const size_t asked = play(row, &(trial){ k, 0, false }, &digest);
        if ((k == MEMORY && !asked) || asked > 3000)
            fail_msg("%s: %zu %s", name_of(row), asked, k == MEMORY ? "allocations" : "system calls");
        const bool slow = row->flags & OOM_SLOW;
        const size_t most = slow && asked > 24 ? 24 : asked;
        bool again = false;         /* threads: another run may ask more often than the first did */
        for (size_t i = 1; i <= most || (again && !slow && i <= 2 * asked + 64); i++) {
            again = false;
            for (int lasting = slow; lasting < 2; lasting++)
                if (slm_random_u64(seed, turn++) % share == 0)
                    again = play(row, &(trial){ k, i, lasting }, &digest) >= i || again;
        }
    }
    (void)play(row, &(trial){ ROUGH, 0, false }, &digest);
}

static int prepare(void **state)
{
    (void)state;
    oom_prepare(server);
    return 0;
}

static int tear_down(void **state)
{
    rig_stop();
    return test_folder_remove(state);
}

static void getters(void **state)
{
    (void)state;
    oom_getters();
}

static void write_sites(const char *path)
{
    const void *const *list;
    const size_t n = fail_alloc_sites(&list);
    FILE *f = fopen(path, "w");
    for (size_t i = 0; f && i < n; i++)
        (void)fprintf(f, "%tx\n", (const char *)list[i] - __executable_start);
    if (!f || fclose(f))
        (void)fprintf(stderr, "oom: %s: cannot be written\n", path);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[256];
    const char *sites = NULL;
    const void *const *list;
    size_t n = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--share") == 0)
            share = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "--sites") == 0)
            sites = argv[i + 1];
        else if (strcmp(argv[i], "--server") == 0)
            server = argv[i + 1];
    }
    share = share ? share : 1;
    seed = test_seed((uint64_t)time(NULL) / 86400);
    for (size_t i = 0; i < oom_count; i++)
        if ((!only || strcmp(only, oom_rows[i].symbol) == 0) && (server || !oom_asks(&oom_rows[i])))
            tests[n++] = (struct CMUnitTest){ strdup(name_of(&oom_rows[i])), survives, NULL, NULL, (void *)(uintptr_t)&oom_rows[i] };
    tests[n++] = (struct CMUnitTest){ "what asks for no memory", getters, NULL, NULL, NULL };
    const int failed = _cmocka_run_group_tests("oom", tests, n, prepare, tear_down);
    if (!server)
        printf("oom: skipped: the rows of a server, for want of --server\n");
    printf("oom: %zu rows, %zu runs, %zu with refused memory, %zu with a failed system call, sites reached %zu\n", oom_count, runs, refusals[MEMORY],
           refusals[CALLS], fail_alloc_sites(&list));
    if (sites)
        write_sites(sites);
    for (size_t i = 0; i + 1 < n; i++)
        free((void *)(uintptr_t)tests[i].name);
    return failed != 0;
}
