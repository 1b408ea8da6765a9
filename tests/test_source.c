/* test_source.c -- positioned reads from files, memory and callbacks. */
#include "harness/test.h"

#include "core/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void reads_inside_and_refuses_beyond(const slm_source *s)
{
    char got[16];
    slm_error err;
    check_status(slm_source_read(s, 0, got, 10, &err), SLM_OK, &err);
    assert_memory_equal(got, "0123456789", 10);
    check_status(slm_source_read(s, 7, got, 3, &err), SLM_OK, &err);
    assert_memory_equal(got, "789", 3);
    check_status(slm_source_read(s, 10, got, 0, &err), SLM_OK, &err);
    memset(got, 'x', sizeof got);
    check_status(slm_source_read(s, 7, got, 4, &err), SLM_E_FORMAT, &err);
    check_text(&err, "4 bytes wanted, the file ends at 10, at byte 7");
    assert_true(err.offset == 7);
    assert_int_equal(got[0], 'x');
    check_status(slm_source_read(s, 11, got, 0, &err), SLM_E_FORMAT, &err);
    check_status(slm_source_read(s, UINT64_MAX, got, 1, &err), SLM_E_FORMAT, &err);
    check_status(slm_source_read(s, 5, got, SIZE_MAX - 2, &err), SLM_E_FORMAT, &err);
}

static void a_file(void **state)
{
    (void)state;
    const char *path = test_path("digits");
    slm_source s;
    slm_error err;
    test_file_write(path, "0123456789", 10);
    check_status(slm_source_open(&s, path, &err), SLM_OK, &err);
    assert_true(s.size == 10);
    assert_true(fcntl(s.fd, F_GETFD) & FD_CLOEXEC);
    reads_inside_and_refuses_beyond(&s);
    slm_source_close(&s);
    assert_int_equal(s.fd, -1);
    slm_source_close(&s);
}

static void memory(void **state)
{
    (void)state;
    const slm_source s = slm_source_memory("0123456789", 10, "memory");
    reads_inside_and_refuses_beyond(&s);
}

static int from_string(void *user, uint64_t offset, void *dst, size_t n)
{
    memcpy(dst, (const char *)user + offset, n);
    return 0;
}

static int refuses(void *user, uint64_t offset, void *dst, size_t n)
{
    (void)user;
    (void)offset;
    (void)dst;
    (void)n;
    return 77;
}

static void a_callback(void **state)
{
    (void)state;
    char digits[] = "0123456789", got[4];
    slm_error err;
    slm_source s = slm_source_callback(from_string, digits, 10, "callback");
    reads_inside_and_refuses_beyond(&s);
    s = slm_source_callback(refuses, NULL, 10, "callback");
    check_status(slm_source_read(&s, 2, got, 3, &err), SLM_E_IO, &err);
    check_text(&err, "callback: the caller's reader returned 77 for 3 bytes at 2");
}

static void a_file_that_shrank_is_said(void **state)
{
    (void)state;
    const char *path = test_path("shrinks");
    char got[10];
    slm_source s;
    slm_error err;
    test_file_write(path, "0123456789", 10);
    check_status(slm_source_open(&s, path, &err), SLM_OK, &err);
    assert_int_equal(truncate(path, 4), 0);
    check_status(slm_source_read(&s, 0, got, 4, &err), SLM_OK, &err);
    check_status(slm_source_read(&s, 2, got, 5, &err), SLM_E_CHANGED, &err);
    check_text(&err, "shrinks: ends here, had 10 bytes when it was opened, at byte 4");
    slm_source_close(&s);
}

static void only_regular_files(void **state)
{
    (void)state;
    slm_source s = { .fd = 123 };
    slm_error err;
    assert_int_equal(mkfifo(test_path("fifo"), 0600), 0);
    check_status(slm_source_open(&s, test_path("fifo"), &err), SLM_E_IO, &err);       /* and does not hang */
    check_text(&err, "fifo: is not a regular file");
    check_status(slm_source_open(&s, test_folder(), &err), SLM_E_IO, &err);
    check_status(slm_source_open(&s, "/dev/null", &err), SLM_E_IO, &err);
    check_status(slm_source_open(&s, test_path("absent"), &err), SLM_E_NOT_FOUND, &err);
    assert_int_equal(err.code, ENOENT);
    check_text(&err, "absent: open: No such file or directory");
    assert_int_equal(s.fd, 123);
    assert_int_equal(symlink(test_path("digits"), test_path("link")), 0);
    check_status(slm_source_open(&s, test_path("link"), &err), SLM_OK, &err);         /* download caches are links */
    slm_source_close(&s);
}

static void the_first_descriptor_is_one(void **state)
{
    (void)state;
    const int kept = dup(0);
    slm_source s;
    slm_error err;
    test_file_write(test_path("digits"), "0123456789", 10);
    (void)close(0);
    errno = EINTR;                      /* of some call before: that 0 is no failure must not be asked of errno */
    check_status(slm_source_open(&s, test_path("digits"), &err), SLM_OK, &err);
    assert_int_equal(s.fd, 0);
    reads_inside_and_refuses_beyond(&s);
    slm_source_close(&s);
    assert_int_equal(fcntl(0, F_GETFD), -1);
    if (kept >= 0) {
        assert_int_equal(dup2(kept, 0), 0);
        assert_int_equal(close(kept), 0);
    }
}

static void *reader(void *arg)
{
    const slm_source *s = arg;
    for (int i = 0; i < 200; i++) {
        uint8_t got[100];
        const uint64_t at = (uint64_t)(i * 37 % 900);
        if (slm_source_read(s, at, got, sizeof got, NULL))
            return arg;
        for (size_t k = 0; k < sizeof got; k++)
            if (got[k] != (uint8_t)(at + k))
                return arg;
    }
    return NULL;
}

static void several_threads_read_at_once(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    pthread_t threads[3];
    slm_source s;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    test_file_write(test_path("bytes"), bytes, sizeof bytes);
    const char *path = test_path("bytes");
    check_status(slm_source_open(&s, path, NULL), SLM_OK, NULL);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &s), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed = &s;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    slm_source_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file),
        cmocka_unit_test(memory),
        cmocka_unit_test(a_callback),
        cmocka_unit_test(a_file_that_shrank_is_said),
        cmocka_unit_test(only_regular_files),
        cmocka_unit_test(the_first_descriptor_is_one),
        cmocka_unit_test(several_threads_read_at_once),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, test_folder_remove) != 0;
}
