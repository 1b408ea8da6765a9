/* fail_sys.h -- the system calls of a file writer, made to fail one by one. It DEFINES them (the program's own symbol wins over
 * libc's), so include it in one file of a test program and only where that is wanted. Unarmed, every call goes to the kernel. */
#ifndef TESTS_HARNESS_FAIL_SYS_H
#define TESTS_HARNESS_FAIL_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static struct {
    atomic_int calls;        /* of all threads of the test */
    int fail_at;             /* the fail_at-th call fails with `code`; 0: none */
    int code;
    const char *failed;      /* name of the call that was made to fail */
    bool interrupt;          /* every other call of those that may says EINTR */
    size_t most;             /* a write takes at most this many bytes; 0: all */
    atomic_uint turn;
} fail_sys;

static bool fail_sys_now(const char *name, bool may_interrupt)
{
    if (fail_sys.interrupt && may_interrupt && fail_sys.turn++ % 2 == 0) {
        errno = EINTR;
        return true;
    }
    if (++fail_sys.calls != fail_sys.fail_at)
        return false;
    fail_sys.failed = name;
    errno = fail_sys.code;
    return true;
}

static size_t fail_sys_part(size_t n)
{
    return fail_sys.most && n > fail_sys.most ? fail_sys.most : n;
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fail_sys_now("openat", true) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return fail_sys_now("write", true) ? -1 : (ssize_t)syscall(SYS_write, fd, bytes, fail_sys_part(n));
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    return fail_sys_now("pwrite", true) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, fail_sys_part(n), offset);
}

int fsync(int fd)
{
    return fail_sys_now("fsync", true) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
    return fail_sys_now("fallocate", true) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

int ftruncate(int fd, off_t n)
{
    return fail_sys_now("ftruncate", false) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int fchmod(int fd, mode_t mode)
{
    return fail_sys_now("fchmod", false) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return fail_sys_now("renameat", false) ? -1 : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int close(int fd)            /* closes all the same, as Linux does */
{
    const int done = (int)syscall(SYS_close, fd);
    return fail_sys_now("close", true) ? -1 : done;
}

#endif
