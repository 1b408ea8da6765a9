/* test_writer.c -- a file appears whole or not at all, whatever fails in between. */
#include "harness/fail_alloc.h"
#include "harness/fail_sys.h"
#include "harness/test.h"

#include "core/writer.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static slm_heap heap;

static size_t descriptors(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static int setup(void **state)
{
    (void)state;
    memset(&fail_sys, 0, sizeof fail_sys);
    (void)umask(022);
    slm_heap_init(&heap, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    memset(&fail_sys, 0, sizeof fail_sys);
    if (heap.current)
        fail_msg("%" PRIu64 " bytes are still held", (uint64_t)heap.current);
    return test_folder_remove(state);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static slm_status write_text(const char *path, const char *text, uint64_t expected, slm_error *err)
{
    slm_writer *w = NULL;
    slm_status status = slm_writer_open(&w, &heap, path, expected, err);
    if (status)
        return status;
    status = slm_writer_put(w, text, strlen(text), err);
    if (status) {
        slm_writer_abort(w);
        return status;
    }
    return slm_writer_commit(w, err);
}

/* ---- what a success leaves ---- */

static void a_new_file_appears_at_commit(void **state)
{
    (void)state;
    slm_writer *w;
    slm_error err;
    const char *path = test_path("new");
    const size_t open_before = descriptors();
    errno = 1234;
    check_status(slm_writer_open(&w, &heap, path, 0, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, "hello ", 6, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, "", 0, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, "world", 5, &err), SLM_OK, &err);
    assert_true(slm_writer_offset(w) == 11);
    assert_int_equal(access(path, F_OK), -1);
    errno = 1234;
    check_status(slm_writer_commit(w, &err), SLM_OK, &err);
    assert_int_equal(errno, 1234);
    assert_true(test_file_is(path, "hello world"));
    assert_int_equal(test_folder_entries(), 1);
    assert_int_equal(descriptors(), open_before);
}

static void the_mode_is_the_old_files_or_the_umasks(void **state)
{
    (void)state;
    slm_error err;
    check_status(write_text(test_path("a"), "1", 0, &err), SLM_OK, &err);
    assert_int_equal(mode_of(test_path("a")), 0644);
    (void)umask(077);
    check_status(write_text(test_path("b"), "1", 0, &err), SLM_OK, &err);
    assert_int_equal(mode_of(test_path("b")), 0600);
    const unsigned modes[] = { 0600, 0640, 0664, 0755, 0444 };
    for (size_t i = 0; i < COUNT(modes); i++) {
        assert_int_equal(chmod(test_path("a"), modes[i]), 0);
        check_status(write_text(test_path("a"), "2", 0, &err), SLM_OK, &err);
        assert_int_equal(mode_of(test_path("a")), modes[i]);
    }
    assert_int_equal(chmod(test_path("b"), 04755), 0);
    check_status(write_text(test_path("b"), "2", 0, &err), SLM_OK, &err);
    assert_int_equal(mode_of(test_path("b")), 0755);
}

static void any_size_in_any_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 300001 }, pieces[] = { 1000, 65535, 65536, 70000, 400000 };
    uint8_t *bytes = malloc(300001);
    for (size_t i = 0; i < 300001; i++)
        bytes[i] = (uint8_t)(i * 131 >> 3);
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t p = 0; p < COUNT(pieces); p++)
            for (int expected = 0; expected < 3; expected++) {
                slm_writer *w;
                size_t n;
                const uint64_t claim = expected == 0 ? 0 : expected == 1 ? sizes[s] : sizes[s] + 100000;
                check_status(slm_writer_open(&w, &heap, test_path("sized"), claim, NULL), SLM_OK, NULL);
                for (size_t at = 0; at < sizes[s]; at += pieces[p]) {
                    const size_t part = sizes[s] - at < pieces[p] ? sizes[s] - at : pieces[p];
                    check_status(slm_writer_put(w, bytes + at, part, NULL), SLM_OK, NULL);
                    assert_true(slm_writer_offset(w) == at + part);
                }
                check_status(slm_writer_commit(w, NULL), SLM_OK, NULL);
                uint8_t *got = test_file_read(test_path("sized"), &n);
                if (n != sizes[s] || memcmp(got, bytes, n) != 0)
                    fail_msg("%zu bytes in pieces of %zu: %zu came, or others", sizes[s], pieces[p], n);
                free(got);
            }
    free(bytes);
}

static void bytes_already_put_are_overwritten(void **state)
{
    (void)state;
    enum { SIZE = 200000 };
    slm_writer *w;
    slm_error err;
    static uint8_t patch[70000];
    uint8_t *bytes = malloc(SIZE);
    size_t n;
    static const struct { size_t at, n; } rows[] = { { 0, 4 }, { 100, 70000 }, { 190000, 10000 }, { 199990, 10 }, { 150000, 0 }, { SIZE, 0 } };
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)i;
    check_status(slm_writer_open(&w, &heap, test_path("patched"), 0, &err), SLM_OK, &err);
    for (size_t at = 0; at < SIZE; at += 5000)
        check_status(slm_writer_put(w, bytes + at, 5000, &err), SLM_OK, &err);
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(patch, (int)(0xa0 + i), sizeof patch);
        memcpy(bytes + rows[i].at, patch, rows[i].n);
        check_status(slm_writer_put_at(w, rows[i].at, patch, rows[i].n, &err), SLM_OK, &err);
        assert_true(slm_writer_offset(w) == SIZE);
    }
    check_status(slm_writer_put_at(w, SIZE - 1, patch, 2, &err), SLM_E_ARG, &err);
    check_text(&err, "patched: 2 bytes at 199999 overwrite what is not there yet (200000 bytes so far)");
    check_status(slm_writer_put_at(w, UINT64_MAX, patch, 2, &err), SLM_E_ARG, &err);
    check_status(slm_writer_commit(w, &err), SLM_OK, &err);
    uint8_t *got = test_file_read(test_path("patched"), &n);
    assert_int_equal(n, SIZE);
    assert_memory_equal(got, bytes, SIZE);
    free(got);
    free(bytes);
}

/* ---- links ---- */

static void links_are_followed_to_what_they_name(void **state)
{
    (void)state;
    slm_error err;
    struct stat st;
    assert_int_equal(mkdir(test_path("sub"), 0700), 0);
    test_file_write(test_path("sub/target"), "old", 3);
    assert_int_equal(symlink("target", test_path("sub/second")), 0);
    assert_int_equal(symlink("sub/second", test_path("first")), 0);
    check_status(write_text(test_path("first"), "new", 0, &err), SLM_OK, &err);
    assert_true(lstat(test_path("first"), &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat(test_path("sub/second"), &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat(test_path("sub/target"), &st) == 0 && S_ISREG(st.st_mode));
    assert_true(test_file_is(test_path("sub/target"), "new"));
    assert_int_equal(symlink(test_path("sub/later"), test_path("dangling")), 0);
    check_status(write_text(test_path("dangling"), "made", 0, &err), SLM_OK, &err);
    assert_true(test_file_is(test_path("sub/later"), "made"));
    assert_true(lstat(test_path("dangling"), &st) == 0 && S_ISLNK(st.st_mode));
    assert_int_equal(symlink("loop", test_path("loop")), 0);
    check_status(write_text(test_path("loop"), "x", 0, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, ELOOP);
}

/* ---- targets that are no regular files ---- */

static void *drain(void *arg)
{
    char *got = calloc(1, 100000);
    int fd = open(arg, O_RDONLY);
    size_t n = 0;
    ssize_t part;
    while (fd >= 0 && n < 99999 && (part = read(fd, got + n, 99999 - n)) > 0)
        n += (size_t)part;
    (void)close(fd);
    return got;
}

static void a_pipe_is_written_straight(void **state)
{
    (void)state;
    pthread_t thread;
    slm_writer *w;
    slm_error err;
    void *got;
    char *fifo = strdup(test_path("fifo")), *long_text = calloc(1, 70001);
    memset(long_text, 'a', 70000);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, drain, fifo), 0);
    check_status(slm_writer_open(&w, &heap, fifo, 70005, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, long_text, 70000, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, "tail.", 5, &err), SLM_OK, &err);
    check_status(slm_writer_put_at(w, 70000, "TAIL!", 5, &err), SLM_OK, &err);        /* still in the buffer */
    check_status(slm_writer_commit(w, &err), SLM_OK, &err);
    pthread_join(thread, &got);
    assert_int_equal(strlen(got), 70005);
    assert_string_equal((char *)got + 70000, "TAIL!");
    free(got);
    assert_int_equal(pthread_create(&thread, NULL, drain, fifo), 0);
    check_status(slm_writer_open(&w, &heap, fifo, 0, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, long_text, 70000, &err), SLM_OK, &err);
    check_status(slm_writer_put_at(w, 0, "b", 1, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, ESPIPE);
    check_status(slm_writer_commit(w, &err), SLM_E_IO, &err);
    check_text(&err, "an earlier write failed");
    pthread_join(thread, &got);
    free(got);
    struct stat st;
    assert_true(lstat(fifo, &st) == 0 && S_ISFIFO(st.st_mode));
    assert_int_equal(test_folder_entries(), 1);
    free(fifo);
    free(long_text);
}

static void a_full_device_is_said(void **state)
{
    (void)state;
    slm_error err;
    check_status(write_text("/dev/null", "x", 0, &err), SLM_OK, &err);
    check_status(write_text("/dev/full", "x", 1, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, ENOSPC);
    check_text(&err, "/dev/full: write of 1 bytes at 0: No space left on device");
}

static void a_reader_that_left_kills_nobody(void **state)
{
    (void)state;
    slm_error err;
    slm_writer *w;
    sigset_t pending;
    assert_int_equal(mkfifo(test_path("fifo"), 0600), 0);
    int reader = open(test_path("fifo"), O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    check_status(slm_writer_open(&w, &heap, test_path("fifo"), 0, &err), SLM_OK, &err);
    (void)close(reader);
    check_status(slm_writer_put(w, "x", 1, &err), SLM_OK, &err);
    check_status(slm_writer_commit(w, &err), SLM_E_IO, &err);     /* SIGPIPE has its default here: it would end this program */
    assert_int_equal(err.code, EPIPE);
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

/* Runs body in a child and returns its exit status, or 256 + the signal that ended it. */
static int in_child(int (*body)(void))
{
    int status = 0;
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(body());
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int stdout_to_file(void)
{
    const int fd = open(test_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct stat before, after;
    if (fd < 0 || dup2(fd, 1) != 1 || fstat(1, &before) != 0)
        return 2;
    if (write_text("/dev/stdout", "through the descriptor", 0, NULL) != SLM_OK)
        return 3;
    return stat(test_path("out"), &after) == 0 && after.st_ino == before.st_ino ? 0 : 4;   /* the same file, not another of its name */
}

static void standard_output_is_a_descriptor_not_a_name(void **state)
{
    (void)state;
    (void)test_folder();
    assert_int_equal(in_child(stdout_to_file), 0);
    assert_true(test_file_is(test_path("out"), "through the descriptor"));
    assert_int_equal(test_folder_entries(), 1);
}

/* The same in this process. */
static void a_link_of_proc_is_a_descriptor(void **state)
{
    (void)state;
    slm_error err;
    struct stat before, after;
    char path[64];
    test_file_write(test_path("out"), "what was there, and longer", 26);
    const int fd = open(test_path("out"), O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &before) == 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    check_status(write_text(path, "WHAT", 0, &err), SLM_OK, &err);
    assert_true(close(fd) == 0 && stat(test_path("out"), &after) == 0 && after.st_ino == before.st_ino);
    assert_true(test_file_is(test_path("out"), "WHAT was there, and longer"));
    assert_int_equal(test_folder_entries(), 1);
}

/* ---- failures ---- */

static int beyond_the_file_limit(void)
{
    const struct rlimit most = { 100000, 100000 };
    slm_writer *w;
    slm_error err;
    static uint8_t bytes[60000];
    if (setrlimit(RLIMIT_FSIZE, &most) != 0)
        return 2;
    if (slm_writer_open(&w, &heap, test_path("limited"), 0, &err) != SLM_OK)
        return 3;
    slm_status status = SLM_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = slm_writer_put(w, bytes, sizeof bytes, &err);
    if (status != SLM_E_IO || err.code != EFBIG)
        return 4;
    if (slm_writer_put(w, bytes, 1, &err) != SLM_E_IO || slm_writer_commit(w, &err) != SLM_E_IO)
        return 5;
    return write_text(test_path("fits"), "small", 0, &err) == SLM_OK ? 0 : 6;
}

static void the_file_size_limit_kills_nobody(void **state)
{
    (void)state;
    test_file_write(test_path("limited"), "old", 3);
    assert_int_equal(in_child(beyond_the_file_limit), 0);
    assert_true(test_file_is(test_path("limited"), "old"));
    assert_true(test_file_is(test_path("fits"), "small"));
    assert_int_equal(test_folder_entries(), 2);
}

/* The same in this process, with the soft limit alone; after the failure every call says so. */
static void what_failed_once_stays_failed(void **state)
{
    (void)state;
    static const uint8_t bytes[60000];
    struct rlimit before, most;
    slm_writer *w;
    slm_error err;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    most = before;
    most.rlim_cur = 100000;
    test_file_write(test_path("limited"), "old", 3);
    check_status(slm_writer_open(&w, &heap, test_path("limited"), 0, &err), SLM_OK, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &most), 0);
    slm_status status = SLM_OK;
    for (int i = 0; i < 4 && !status; i++)
        status = slm_writer_put(w, bytes, sizeof bytes, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_status(status, SLM_E_IO, &err);
    assert_int_equal(err.code, EFBIG);
    check_status(slm_writer_put(w, bytes, 1, &err), SLM_E_IO, &err);
    check_text(&err, "limited: an earlier write failed");
    check_status(slm_writer_put_at(w, 0, bytes, 1, &err), SLM_E_IO, &err);
    check_text(&err, "limited: an earlier write failed");
    check_status(slm_writer_commit(w, &err), SLM_E_IO, &err);
    check_text(&err, "limited: an earlier write failed");
    assert_true(test_file_is(test_path("limited"), "old"));
    assert_int_equal(test_folder_entries(), 1);
}

static void abort_leaves_the_old_file(void **state)
{
    (void)state;
    slm_writer *w;
    const size_t open_before = descriptors();
    test_file_write(test_path("kept"), "old", 3);
    check_status(slm_writer_open(&w, &heap, test_path("kept"), 1000000, NULL), SLM_OK, NULL);
    check_status(slm_writer_put(w, "new", 3, NULL), SLM_OK, NULL);
    assert_int_equal(test_folder_entries(), 2);
    slm_writer_abort(w);
    slm_writer_abort(NULL);
    assert_true(test_file_is(test_path("kept"), "old"));
    assert_int_equal(test_folder_entries(), 1);
    assert_int_equal(descriptors(), open_before);
}

static int folder_without_permission(void)
{
    slm_error err;
    if (chmod(test_folder(), 0755) != 0 || chmod(test_path("dir"), 0555) != 0)
        return 2;
    if (geteuid() == 0 && setuid(65534) != 0)          /* root writes everywhere */
        return 3;
    return write_text(test_path("dir/file"), "x", 0, &err) == SLM_E_IO && err.code == EACCES ? 0 : 4;
}

static void places_that_cannot_be_written(void **state)
{
    (void)state;
    slm_error err;
    char name[PATH_MAX + 10];
    assert_int_equal(mkdir(test_path("dir"), 0700), 0);
    const struct { const char *path; slm_status want; int code; } rows[] = {
        { test_path("absent/file"), SLM_E_IO,  ENOENT },
        { test_path("dir"),         SLM_E_IO,  EISDIR },
        { test_path("dir/new/"),    SLM_E_IO,  EISDIR },
        { test_path("new/"),        SLM_E_IO,  EISDIR },
        { test_path("new/."),       SLM_E_IO,  EISDIR },
        { test_path("new/.."),      SLM_E_IO,  EISDIR },
        { "",                       SLM_E_ARG, 0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_writer *w = (slm_writer *)&err;
        check_status(slm_writer_open(&w, &heap, rows[i].path, 0, &err), rows[i].want, &err);
        assert_int_equal(err.code, rows[i].code);
        assert_ptr_equal(w, &err);
        if (rows[i].path[0])
            check_text(&err, rows[i].path);
    }
    memset(name, 'x', sizeof name);
    name[PATH_MAX] = 0;
    check_status(write_text(name, "x", 0, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, ENAMETOOLONG);
    name[255] = 0;                                  /* the longest name a folder holds: the temporary must fit beside it */
    check_status(write_text(test_path(name), "x", 0, &err), SLM_OK, &err);
    assert_int_equal(test_folder_entries(), 2);
    for (size_t i = 0; i < 4090; i++)               /* a link to a place that is not there, too long behind its folder's name */
        name[i] = i % 2 ? '/' : 'x';
    name[4090] = 0;
    assert_int_equal(symlink(name, test_path("long")), 0);
    check_status(write_text(test_path("long"), "x", 0, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, ENAMETOOLONG);
    check_text(&err, "long: link of 4090 bytes");
    assert_int_equal(in_child(folder_without_permission), 0);
}

static void room_that_is_not_there_is_found_at_open(void **state)
{
    (void)state;
    slm_error err;
    test_file_write(test_path("big"), "old", 3);
    check_status(write_text(test_path("big"), "new", (uint64_t)1 << 62, &err), SLM_E_IO, &err);
    check_text(&err, "big: reserving 4611686018427387904 bytes: ");
    assert_true(test_file_is(test_path("big"), "old"));
    assert_int_equal(test_folder_entries(), 1);
}

/* Every system call of a replacement fails in turn. Only after the rename may the new file stand there. */
static void every_system_call_may_fail(void **state)
{
    (void)state;
    static const char old[] = "the old contents", new[] = "the new, longer contents";
    slm_error err;
    int seen = 0;
    for (int i = 1;; i++) {
        memset(&fail_sys, 0, sizeof fail_sys);
        test_file_write(test_path("file"), old, strlen(old));
        assert_int_equal(chmod(test_path("file"), 0666), 0);      /* not what the umask leaves: fchmod has to run */
        const size_t open_before = descriptors();
        slm_writer *w;
        fail_sys.calls = 0;
        fail_sys.fail_at = i;
        fail_sys.code = EIO;
        memset(&err, 0, sizeof err);
        slm_status status = slm_writer_open(&w, &heap, test_path("file"), 1000, &err);
        if (!status) {
            for (size_t k = 0; k < strlen(new) && !status; k++)
                status = slm_writer_put(w, new + k, 1, &err);
            if (!status && (status = slm_writer_put_at(w, 0, "T", 1, &err)) == SLM_OK)
                status = slm_writer_commit(w, &err);
            else
                slm_writer_abort(w);
        }
        const char *failed = fail_sys.failed;
        fail_sys.fail_at = 0;
        if (!failed) {
            check_status(status, SLM_OK, &err);
            break;
        }
        seen++;
        const bool replaced = strstr(err.text, "is replaced, but its folder could not be synced") != NULL;
        if (!status && strcmp(failed, "close") == 0 && test_file_is(test_path("file"), "The new, longer contents"))
            continue;                                             /* the folder's descriptor: everything was done by then */
        if (status != SLM_E_IO || err.code != EIO || !strstr(err.text, "file: "))
            fail_msg("call %d, %s: %s, code %d, '%s'", i, failed, slm_status_name(status), err.code, err.text);
        if (!test_file_is(test_path("file"), replaced ? "The new, longer contents" : old))
            fail_msg("call %d, %s: the file is not what it was", i, failed);
        if (replaced && strcmp(failed, "fsync") != 0)
            fail_msg("call %d, %s: replaced on a failure before the rename", i, failed);
        if (test_folder_entries() != 1 || descriptors() != open_before)
            fail_msg("call %d, %s: a temporary or a descriptor is left", i, failed);
    }
    assert_int_equal(seen, 11);    /* folder, temporary, fchmod, fallocate, write, ftruncate, fsync, close, renameat, fsync, close */
}

static void interrupted_calls_and_short_writes_go_on(void **state)
{
    (void)state;
    enum { SIZE = 150000 };
    uint8_t *bytes = malloc(SIZE);
    slm_writer *w;
    slm_error err;
    size_t n;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i >> 7);
    (void)test_folder();
    fail_sys.interrupt = true;
    fail_sys.most = 777;
    check_status(slm_writer_open(&w, &heap, test_path("bits"), SIZE, &err), SLM_OK, &err);
    check_status(slm_writer_put(w, bytes, SIZE, &err), SLM_OK, &err);
    check_status(slm_writer_put_at(w, 100, bytes + 100, 90000, &err), SLM_OK, &err);
    errno = 1234;
    check_status(slm_writer_commit(w, &err), SLM_OK, &err);
    assert_int_equal(errno, 1234);              /* not EINTR: a success changes nothing of the host's */
    fail_sys.interrupt = false;
    uint8_t *got = test_file_read(test_path("bits"), &n);
    assert_int_equal(n, SIZE);
    assert_memory_equal(got, bytes, SIZE);
    free(got);
    free(bytes);
}

static void the_first_descriptor_is_one(void **state)
{
    (void)state;
    slm_writer *w;
    slm_error err;
    const int kept = dup(0);
    (void)close(0);
    errno = EINTR;                              /* of some call before */
    check_status(slm_writer_open(&w, &heap, "/dev/null", 5, &err), SLM_OK, &err);      /* opened straight: no other call sets errno */
    assert_int_not_equal(fcntl(0, F_GETFD), -1);
    check_status(slm_writer_put(w, "whole", 5, &err), SLM_OK, &err);
    check_status(slm_writer_commit(w, &err), SLM_OK, &err);
    assert_int_equal(fcntl(0, F_GETFD), -1);
    if (kept >= 0) {
        assert_int_equal(dup2(kept, 0), 0);
        assert_int_equal(close(kept), 0);
    }
}

static void file_systems_without_reservation_are_fine(void **state)
{
    (void)state;
    slm_error err;
    const int codes[] = { EOPNOTSUPP, EINVAL, ENOSYS };
    for (size_t i = 0; i < COUNT(codes); i++) {
        (void)test_folder();
        memset(&fail_sys, 0, sizeof fail_sys);
        fail_sys.fail_at = 3;
        fail_sys.code = codes[i];
        check_status(write_text(test_path("plain"), "x", 10, &err), SLM_OK, &err);
        assert_string_equal(fail_sys.failed, "fallocate");
        (void)remove(test_path("plain"));
    }
}

/* More than any file has, and what a folder or a name that is taken says, are no failures either. */
static void some_answers_are_no_failures(void **state)
{
    (void)state;
    static const struct { int at, code; const char *call; } rows[] = { { 7, EINVAL, "fsync" }, { 7, EROFS, "fsync" }, { 2, EEXIST, "openat" } };
    slm_error err;
    (void)test_folder();
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(&fail_sys, 0, sizeof fail_sys);
        fail_sys.fail_at = rows[i].at;
        fail_sys.code = rows[i].code;
        check_status(write_text(test_path("plain"), "x", 0, &err), SLM_OK, &err);
        assert_string_equal(fail_sys.failed, rows[i].call);
        assert_true(test_file_is(test_path("plain"), "x"));
        (void)remove(test_path("plain"));
        assert_int_equal(test_folder_entries(), 0);
    }
    memset(&fail_sys, 0, sizeof fail_sys);
    check_status(write_text(test_path("plain"), "y", UINT64_MAX, &err), SLM_OK, &err);
    assert_true(test_file_is(test_path("plain"), "y"));
}

/* A SIGPIPE that was waiting before is the host's, and stays. */
static void a_waiting_signal_is_left(void **state)
{
    (void)state;
    sigset_t only, before, pending;
    slm_error err;
    int ends[2];
    char path[64];
    const struct timespec none = { 0, 0 };
    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &only, &before), 0);
    assert_int_equal(pthread_kill(pthread_self(), SIGPIPE), 0);
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    slm_writer *w;
    check_status(slm_writer_open(&w, &heap, path, 0, &err), SLM_OK, &err);
    assert_int_equal(close(ends[0]), 0);
    check_status(slm_writer_put(w, "x", 1, &err), SLM_OK, &err);
    check_status(slm_writer_commit(w, &err), SLM_E_IO, &err);
    assert_int_equal(err.code, EPIPE);
    assert_int_equal(close(ends[1]), 0);
    sigemptyset(&pending);
    assert_int_equal(sigpending(&pending), 0);
    assert_true(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigtimedwait(&only, NULL, &none), SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

static void *write_one(void *arg)
{
    return write_text(arg, "small", 5, NULL) == SLM_OK ? arg : NULL;
}

static void a_small_stack_suffices(void **state)
{
    (void)state;
    char *path = strdup(test_path("stack"));
    assert_ptr_equal(test_small_stack(write_one, path), path);
    assert_true(test_file_is(path, "small"));
    free(path);
}

static slm_status make(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    static slm_heap own;
    slm_heap_init(&own, allocator, 0);
    return slm_writer_open((slm_writer **)out, &own, ctx, 0, err);
}

static void drop(void *ctx, void *object)
{
    (void)ctx;
    slm_writer_abort(object);
}

static void refused_memory_leaves_no_file(void **state)
{
    (void)state;
    char *path = strdup(test_path("memory"));
    assert_int_equal(fail_alloc_every("writer", make, drop, path), 2);
    assert_int_equal(test_folder_entries(), 0);
    free(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_appears_at_commit),
        TEST(the_mode_is_the_old_files_or_the_umasks),
        TEST(any_size_in_any_pieces),
        TEST(bytes_already_put_are_overwritten),
        TEST(links_are_followed_to_what_they_name),
        TEST(a_pipe_is_written_straight),
        TEST(a_full_device_is_said),
        TEST(a_reader_that_left_kills_nobody),
        TEST(standard_output_is_a_descriptor_not_a_name),
        TEST(a_link_of_proc_is_a_descriptor),
        TEST(the_file_size_limit_kills_nobody),
        TEST(what_failed_once_stays_failed),
        TEST(some_answers_are_no_failures),
        TEST(a_waiting_signal_is_left),
        TEST(abort_leaves_the_old_file),
        TEST(places_that_cannot_be_written),
        TEST(room_that_is_not_there_is_found_at_open),
        TEST(every_system_call_may_fail),
        TEST(interrupted_calls_and_short_writes_go_on),
        TEST(the_first_descriptor_is_one),
        TEST(file_systems_without_reservation_are_fine),
        TEST(a_small_stack_suffices),
        TEST(refused_memory_leaves_no_file),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL) != 0;
}
