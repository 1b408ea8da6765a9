/* test.c -- checks and files shared by the tests. */
#include "harness/test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void test_status(slm_status got, slm_status want, const slm_error *err, const char *what, const char *file, int line)
{
    if (got == want)
        return;
    print_error("%s: %s, want %s%s%s\n", what, slm_status_name(got), slm_status_name(want), got && err ? ": " : "",
                got && err ? err->text : "");
    _fail(file, line);
}

void test_text(const slm_error *err, const char *part, const char *file, int line)
{
    if (strstr(err->text, part))
        return;
    print_error("message '%s' lacks '%s'\n", err->text, part);
    _fail(file, line);
}

static char folder[512];

const char *test_folder(void)
{
    if (!folder[0]) {
        const char *base = getenv("TMPDIR");
        (void)snprintf(folder, sizeof folder, "%s/slm-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(folder)) {
            perror(folder);
            abort();
        }
    }
    return folder;
}

/* Two levels suffice for what tests make. */
static void empty(const char *path, int levels)
{
    DIR *d = opendir(path);
    char name[1024];
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        struct stat st;
        if (levels > 0 && lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
            (void)chmod(name, 0700);
            empty(name, levels - 1);
        }
        (void)remove(name);
    }
    if (d)
        closedir(d);
}

int test_folder_remove(void **state)
{
    (void)state;
    if (folder[0]) {
        empty(folder, 2);
        (void)rmdir(folder);
        folder[0] = 0;
    }
    return 0;
}

const char *test_path(const char *name)
{
    static char paths[8][1024];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", test_folder(), name);
    return path;
}

void test_file_write(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        fail_msg("%s: cannot be written", path);
}

uint8_t *test_file_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0)
        fail_msg("%s: cannot be opened", path);
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    *n = fread(bytes, 1, (size_t)st.st_size + 1, f);
    (void)fclose(f);
    if (*n != (size_t)st.st_size)
        fail_msg("%s: %zu bytes read of %lld", path, *n, (long long)st.st_size);
    return bytes;
}

bool test_file_is(const char *path, const char *text)
{
    size_t n;
    uint8_t *bytes = test_file_read(path, &n);
    const bool same = n == strlen(text) && memcmp(bytes, text, n) == 0;
    free(bytes);
    return same;
}

size_t test_folder_entries(void)
{
    size_t n = 0;
    DIR *d = opendir(test_folder());
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

#ifdef SANITIZED
enum { SMALL_STACK = 1 << 20 };
#else
enum { SMALL_STACK = 1 << 16 };
#endif

void *test_small_stack(void *(*body)(void *arg), void *arg)
{
    pthread_attr_t attr;
    pthread_t thread = pthread_self();
    void *result = NULL;
    if (pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, SMALL_STACK) || pthread_create(&thread, &attr, body, arg))
        fail_msg("a thread with %d bytes of stack cannot be made", SMALL_STACK);
    pthread_join(thread, &result);
    pthread_attr_destroy(&attr);
    return result;
}

/* Of this thread: what other work the machine has does not count. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void test_linear(void (*read)(const void *ctx, const char *text, size_t n), const void *ctx, const char *name, const char *unit, size_t small)
{
    const size_t n[] = { small, 4 * small }, len = strlen(unit);
    char *text = malloc(n[1]);
    double times = 0;
    int good = 0;
    assert_non_null(text);
    for (size_t i = 0; i < n[1]; i++)
        text[i] = unit[i % len];
    for (int round = 0; round < 20 && good < 2; round++) {
        double took[2];
        for (int i = 0; i < 2; i++) {
            const uint64_t from = cpu_ns();
            read(ctx, text, n[i]);
            took[i] = (double)(cpu_ns() - from);
        }
        times = took[1] / took[0];
        good += times <= 9;
    }
    free(text);
    if (good < 2)
        fail_msg("%s, '%s' repeated: 4 times the text takes %.1f times as long", name, unit, times);
}

uint64_t test_seed(uint64_t otherwise)
{
    static uint64_t seed;
    static bool known;
    if (!known) {
        const char *text = getenv("SEED");
        seed = text ? strtoull(text, NULL, 0) : otherwise;
        known = true;
        print_message("SEED=0x%" PRIx64 "\n", seed);
    }
    return seed;
}
