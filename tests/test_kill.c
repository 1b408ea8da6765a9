/* test_kill.c -- files we write, and processes that are killed while they do: the old file or the new one is there, whole, and nothing else
 * but temporaries that can be known by their name. KILLS=500 is the full form, 20 the short one; they are spread over the writers.
 *
 * A child writes two versions in turn for ever and gets SIGKILL after a random time. Then the same writers beyond the largest size a file may
 * have, and on a file system that is full: SLM_E_IO, the old file, and no temporary. */
#include "harness/parrot.h"
#include "harness/tiny.h"

#include "core/random.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED = 77 };

typedef struct writer {
    const char *name;
    slm_status (*write)(const char *path, bool second, slm_error *err);
} writer;

static const char shipped[] = "models/tiny-stories/tiny-stories.gguf";
static slm_session *sessions[2];

static slm_quantize_params of_type(const char *type)
{
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    p.type = type;
    p.threads = 1;
    return p;
}

static slm_status quantize(const char *path, bool second, slm_error *err)
{
    const slm_quantize_params p = of_type(second ? "q4_0" : "q8_0");
    return slm_quantize_file(shipped, path, &p, err);
}

static slm_status convert(const char *path, bool second, slm_error *err)
{
    slm_quantize_params p = of_type(NULL);
    p.tokenizer_path = second ? test_path("parrot.tok") : NULL;
    return slm_convert_file(test_path("parrot.bin"), path, &p, err);
}

static slm_status pack(const char *path, bool second, slm_error *err)
{
    const slm_quantize_params p = of_type(second ? "q8_0" : "q4_0");
    return slm_pack_file(shipped, path, &p, err);
}

static slm_status save(const char *path, bool second, slm_error *err)
{
    return slm_session_save(sessions[second], path, err);
}

static const writer writers[] = { { "quantize", quantize }, { "convert", convert }, { "pack", pack }, { "save a session", save } };

static int prepare(void **state)
{
    static const char *const pieces[] = { "a" };
    (void)state;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.threads = 1;
    slm_model_free(parrot_open(pieces, 1));
    slm_model *model = tiny_open(1, "f32", &p);
    for (size_t i = 0; i < 2; i++) {
        sessions[i] = tiny_session(model, TINY_CONTEXT);
        tiny_feed(sessions[i], i, 0, 300 + 250 * i);
    }
    slm_model_free(model);
    return 0;
}

static int finish(void **state)
{
    slm_session_free(sessions[0]);
    slm_session_free(sessions[1]);
    return test_folder_remove(state);
}

static void hash_of(const char *path, char hex[65])
{
    size_t n;
    uint8_t *bytes = test_file_read(path, &n);
    slm_sha256(hex, bytes, n);
    free(bytes);
}

static bool is_temporary(const char *name)
{
    const size_t n = strlen(name);
    return n > 9 && strncmp(name, ".slm-", 5) == 0 && strcmp(name + n - 4, ".tmp") == 0;
}

/* Removes what a killed writer left in the folder; how many that were. Anything else there but `out` is a failure. */
static size_t sweep(const char *folder, const char *who)
{
    size_t n = 0;
    char path[1100];
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "out") == 0)
            continue;
        if (!is_temporary(e->d_name))
            fail_msg("%s: left '%s' behind", who, e->d_name);
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        (void)unlink(path);
        n++;
    }
    (void)closedir(d);
    return n;
}

static const char *fresh_folder(void)
{
    const char *folder = test_path("written");
    if (mkdir(folder, 0700) && access(folder, W_OK))
        fail_msg("%s: cannot be made", folder);
    return folder;
}

/* Both versions' hashes; the second is then in `path`. Returns the microseconds that both took. */
static uint64_t write_both(const writer *w, const char *path, char hex[2][65])
{
    struct timespec a, b;
    slm_error err = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    for (size_t i = 0; i < 2; i++) {
        check_status(w->write(path, i, &err), SLM_OK, &err);
        hash_of(path, hex[i]);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    assert_string_not_equal(hex[0], hex[1]);
    return (uint64_t)(b.tv_sec - a.tv_sec) * 1000000 + (uint64_t)(b.tv_nsec / 1000) - (uint64_t)(a.tv_nsec / 1000);
}

static void wait_us(uint64_t us)
{
    const struct timespec t = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };
    (void)nanosleep(&t, NULL);
}

static void killed_at_any_time(void **state)
{
    const writer *w = *state;
    const char *from = getenv("KILLS");
    const size_t all = from ? strtoull(from, NULL, 10) : 20, kills = (all + COUNT(writers) - 1) / COUNT(writers);
    const uint64_t seed = test_seed((uint64_t)time(NULL) / 86400);
    char path[1100], hex[2][65], now[65];
    size_t midway = 0, seen[2] = { 0, 0 };
    const char *folder = fresh_folder();
    (void)snprintf(path, sizeof path, "%s/out", folder);
    const uint64_t longest = 1 + write_both(w, path, hex);
    for (size_t i = 0; i < kills; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child)
            for (bool second = false;; second = !second)
                if (w->write(path, second, NULL))
                    _exit(1);
        wait_us(slm_random_u64(seed + (uint64_t)(w - writers), i) % longest);
        int how;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &how, 0), child);
        if (!WIFSIGNALED(how))
            fail_msg("%s: the writer ended by itself", w->name);
        hash_of(path, now);
        const bool first = strcmp(now, hex[0]) == 0;
        if (!first && strcmp(now, hex[1]) != 0)
            fail_msg("%s: kill %zu of seed 0x%" PRIx64 ": neither the old file nor the new one", w->name, i, seed);
        seen[!first]++;
        midway += sweep(folder, w->name);
    }
    print_message("kill: %s: %zu kills, %zu in the middle of a file, old %zu, new %zu\n", w->name, kills, midway, seen[1], seen[0]);
}

/* In a child: the second version cannot be written whole; the first stays. Ends with 0, SKIPPED, or a message. */
static void try_to_write(const writer *w, const char *path, const char *old, const char *what)
{
    slm_error err = { 0 };
    char now[65];
    const slm_status status = w->write(path, true, &err);
    const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
    (void)setrlimit(RLIMIT_FSIZE, &all);
    hash_of(path, now);
    const bool good = status == SLM_E_IO && err.code && strstr(err.text, path) && strcmp(old, now) == 0;
    if (!good)
        (void)fprintf(stderr, "%s, %s: %s, code %d: %s; the old file is %s\n", w->name, what, slm_status_name(status), err.code, err.text,
                      strcmp(old, now) ? "another" : "there");
    _exit(good ? 0 : 1);
}

static void end_of(pid_t child, const writer *w, const char *what)
{
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    if (WIFEXITED(how) && WEXITSTATUS(how) == SKIPPED) {
        print_message("skipped: %s, %s: this system lets nobody mount\n", w->name, what);
        skip();
    }
    if (!WIFEXITED(how) || WEXITSTATUS(how))
        fail_msg("%s, %s: ended with 0x%x", w->name, what, (unsigned)how);
}

static void beyond_the_largest_file(void **state)
{
    const writer *w = *state;
    char path[1100], hex[2][65];
    slm_error err = { 0 };
    const char *folder = fresh_folder();
    (void)snprintf(path, sizeof path, "%s/out", folder);
    (void)write_both(w, path, hex);
    check_status(w->write(path, false, &err), SLM_OK, &err);
    for (rlim_t most = 0; most < 20000; most += 4999) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            const struct rlimit limit = { most, RLIM_INFINITY };
            (void)setrlimit(RLIMIT_FSIZE, &limit);
            try_to_write(w, path, hex[0], "file-size limit");
        }
        end_of(child, w, "file-size limit");
        assert_int_equal(sweep(folder, w->name), 0);
    }
}

/* A file system of its own, with room for the old file and 16 KiB, in a namespace of the child. */
static void on_a_full_disk(void **state)
{
    const writer *w = *state;
    char path[1100], hex[2][65], options[64], old[1100];
    const char *folder = fresh_folder();
    struct stat st;
    slm_error err = { 0 };
    (void)snprintf(path, sizeof path, "%s/out", folder);
    (void)snprintf(old, sizeof old, "%s", test_path("old"));
    (void)write_both(w, path, hex);
    check_status(w->write(old, false, &err), SLM_OK, &err);
    assert_int_equal(stat(old, &st), 0);
    (void)snprintf(options, sizeof options, "size=%lldk", (long long)(st.st_size / 1024 + 20));
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
            mount("tmpfs", folder, "tmpfs", 0, options))
            _exit(SKIPPED);
        size_t n;
        uint8_t *bytes = test_file_read(old, &n);
        test_file_write(path, bytes, n);
        try_to_write(w, path, hex[0], "full disk");
    }
    end_of(child, w, "full disk");
}

int main(void)
{
    struct CMUnitTest tests[3 * COUNT(writers)];
    char names[3 * COUNT(writers)][64];
    static const struct { const char *name; CMUnitTestFunction test; } kinds[] = {
        { "killed at any time", killed_at_any_time }, { "beyond the largest file", beyond_the_largest_file }, { "on a full disk", on_a_full_disk },
    };
    for (size_t i = 0; i < COUNT(tests); i++) {
        const writer *w = &writers[i / COUNT(kinds)];
        (void)snprintf(names[i], sizeof names[i], "%s, %s", w->name, kinds[i % COUNT(kinds)].name);
        tests[i] = (struct CMUnitTest){ names[i], kinds[i % COUNT(kinds)].test, NULL, NULL, (void *)(uintptr_t)w };
    }
    return cmocka_run_group_tests_name("kill", tests, prepare, finish) != 0;
}
