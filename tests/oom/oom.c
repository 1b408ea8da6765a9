/* oom.c -- plays every row of oom_rows with allocation 1, 2, ... refused, once and from then on, until it gets through.
 *
 * Each run has a world of its own, made while nothing is refused. A refused call must end in SLM_E_MEMORY with a message, must leave what
 * it writes and what it works on as they were, and the same call without a refusal must then give the bits it would have given at once.
 * At the end everything is freed while all memory is refused, and not a byte or descriptor may be left.
 *
 *   oom [--share N] [--only SYMBOL] [--sites FILE]
 *
 * --share N plays one run in N, drawn by SEED (of the environment; the day otherwise). --sites writes the places that were refused, as
 * offsets into the program, for tests/oom/sites.py. */
#include "oom/oom.h"

#include "core/random.h"
#include "harness/fail_wrap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern const char __executable_start[];

static const char *only;
static uint64_t share = 1, seed, turn;
static size_t runs, refusals;

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

/* The call was refused something. */
static void check_failure(oom_world *w, slm_status status, const slm_error *err, const uint8_t *bytes, uint64_t state, const char *when)
{
    const char *name = name_of(w->row);
    if (status == w->row->ends && w->row->flags & OOM_SURVIVES)
        return;
    if (status != SLM_E_MEMORY)
        fail_msg("%s: %s: %s, want SLM_E_MEMORY: %s", name, when, slm_status_name(status), err->text);
    if (err->status != SLM_E_MEMORY || !err->text[0])
        fail_msg("%s: %s: the error says %d, '%s'", name, when, err->status, err->text);
    if (!(w->row->flags & OOM_KEEPS) && memcmp(w->bytes, bytes, sizeof w->bytes) != 0)
        fail_msg("%s: %s: something was written", name, when);
    if (!(w->row->flags & OOM_KEEPS) && oom_state(w) != state)
        fail_msg("%s: %s: what it works on has changed", name, when);
}

/* One run; fail_at 0: the one that others are compared with. Returns how many allocations the call asked for. */
static size_t play(const oom_row *row, size_t fail_at, bool lasting, uint64_t *digest)
{
    static oom_world w;
    static uint8_t bytes[sizeof w.bytes];
    slm_error err = { 0 };
    char when[64];
    fail_wrap_to(NULL);
    memset(&w, 0, sizeof w);
    memset(w.bytes, 0xc3, sizeof w.bytes);
    memcpy(bytes, w.bytes, sizeof bytes);
    w.row = row;
    (void)snprintf(when, sizeof when, "allocation %zu refused %s", fail_at, lasting ? "from then on" : "once");
    const size_t open_before = descriptors();
    fail_alloc_init(&w.memory, 0, false);
    row->before(&w);
    const uint64_t state = oom_state(&w);
    const size_t open_now = descriptors();

    fail_alloc_arm(&w.memory, fail_at, lasting);
    fail_wrap_to(&w.memory);
    slm_status status = row->call(&w, &err);
    const size_t calls = atomic_load(&w.memory.calls), refused = atomic_load(&w.memory.refused);
    fail_alloc_arm(&w.memory, 0, false);
    if (refused) {
        check_failure(&w, status, &err, bytes, state, when);
        if (status && !(row->flags & OOM_SURVIVES) && descriptors() != open_now)      /* an engine may keep some */
            fail_msg("%s: %s: %zu descriptors, before %zu", name_of(row), when, descriptors(), open_now);
        err = (slm_error){ 0 };
        if (status == SLM_E_MEMORY)
            status = row->call(&w, &err);
        refusals++;
    }
    if (status != row->ends)
        fail_msg("%s: %s, then not: %s: %s", name_of(row), when, slm_status_name(status), err.text);
    if (!status && err.status)
        fail_msg("%s: %s: it succeeds and leaves a message: %s", name_of(row), when, err.text);
    const uint64_t after = oom_digest(&w);
    if (!fail_at)
        *digest = after;
    else if (after != *digest)
        fail_msg("%s: %s, then not: another result than without", name_of(row), when);

    fail_alloc_arm(&w.memory, 1, true);
    oom_end(&w);
    fail_wrap_to(NULL);
    if (atomic_load(&w.memory.live_bytes) || fail_wrap_live())
        fail_msg("%s: %s: %zu bytes in %zu blocks of the allocator and %zu blocks of the system are left", name_of(row), when,
                 atomic_load(&w.memory.live_bytes), atomic_load(&w.memory.live_blocks), fail_wrap_live());
    if (descriptors() != open_before)
        fail_msg("%s: %s: %zu descriptors at the end, before %zu", name_of(row), when, descriptors(), open_before);
    runs++;
    return calls;
}

static void survives(void **state)
{
    const oom_row *row = *state;
    uint64_t digest, again;
    if (!row->call)
        return;                                            /* oom_getters */
    const size_t calls = play(row, 0, false, &digest);     /* the first may make what others find */
    const size_t second = play(row, 0, false, &again);
    if (digest != again)
        fail_msg("%s: two runs differ", name_of(row));
    if (!calls || second > 3000)
        fail_msg("%s: %zu allocations", name_of(row), calls);
    for (size_t i = 1; i <= (calls > second ? calls : second); i++)
        for (int lasting = 0; lasting < 2; lasting++)
            if (slm_random_u64(seed, turn++) % share == 0)
                (void)play(row, i, lasting, &digest);
}

static int prepare(void **state)
{
    (void)state;
    oom_prepare();
    return 0;
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
    }
    share = share ? share : 1;
    seed = test_seed((uint64_t)time(NULL) / 86400);
    for (size_t i = 0; i < oom_count; i++)
        if (!only || strcmp(only, oom_rows[i].symbol) == 0)
            tests[n++] = (struct CMUnitTest){ strdup(name_of(&oom_rows[i])), survives, NULL, NULL, (void *)(uintptr_t)&oom_rows[i] };
    tests[n++] = (struct CMUnitTest){ "what asks for no memory", getters, NULL, NULL, NULL };
    const int failed = _cmocka_run_group_tests("oom", tests, n, prepare, test_folder_remove);
    printf("oom: %zu rows, %zu runs, %zu with refused memory, sites reached %zu\n", oom_count, runs, refusals, fail_alloc_sites(&list));
    if (sites)
        write_sites(sites);
    for (size_t i = 0; i + 1 < n; i++)
        free((void *)(uintptr_t)tests[i].name);
    return failed != 0;
}
