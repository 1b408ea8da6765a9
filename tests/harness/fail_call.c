/* fail_call.c -- the functions that --wrap puts in the place of the system's. */
#include "harness/fail_call.h"

#include "harness/fail_alloc.h"
#include "harness/fail_wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS = 1024, PIECE = 1000, PATH = 600 };

static fail_call *counted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What each descriptor was opened for. */
static char paths[DESCRIPTORS][PATH];
static bool written[DESCRIPTORS];

#define WRAP(type, name, params) type __real_##name params; type __wrap_##name params; type __wrap_##name params
#define CALLER __builtin_return_address(0)

void fail_call_to(fail_call *f)
{
    counted = f;
}

static const char *path_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS ? paths[fd] : "";
}

/* `opened` is one more descriptor of that path; returns it. */
static int named(int opened, const char *path)
{
    if (opened >= 0 && opened < DESCRIPTORS) {
        (void)snprintf(paths[opened], sizeof paths[opened], "%s", path);
        written[opened] = false;
    }
    return opened;
}

/* One call is asked for; sets errno if it has to fail. */
static bool fails(const char *name, int code, fail_promise promise, const char *path, const void *caller)
{
    fail_call *f = counted;
    if (!f)
        return false;
    const size_t call = atomic_fetch_add(&f->calls, 1) + 1;
    if (!f->fail_at || (call != f->fail_at && !(f->lasting && call > f->fail_at)))
        return false;
    pthread_mutex_lock(&lock);
    const size_t n = atomic_fetch_add(&f->failed, 1);
    if (n < FAIL_LIST) {
        f->list[n].name = name;
        f->list[n].code = code;
        f->list[n].promise = promise;
        (void)snprintf(f->list[n].path, sizeof f->list[n].path, "%s", path);
    }
    if (caller) {
        fail_alloc_at(caller);
        fail_alloc_note();
    }
    pthread_mutex_unlock(&lock);
    errno = code;
    return true;
}

bool fail_call_own(const char *name, fail_promise promise, const char *path)
{
    return fails(name, 0, promise, path, NULL);
}

/* Such a call is interrupted before it does anything. */
static bool interrupted(void)
{
    if (!counted || !counted->rough || atomic_fetch_add(&counted->turns, 1) % 2)
        return false;
    errno = EINTR;
    return true;
}

static size_t piece(size_t n)
{
    return counted && counted->rough && n > PIECE ? PIECE : n;
}

/* The system's own files say how many threads there are; nothing else depends on them. */
static fail_promise about(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 ? FAIL_HARMLESS : FAIL_TOLD;
}

WRAP(int, open, (const char *path, int flags, ...))
{
    return interrupted() || fails("open", EMFILE, about(path), path, CALLER) ? -1 : named(__real_open(path, flags, 0666), path);
}

WRAP(int, openat, (int folder, const char *path, int flags, ...))
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return interrupted() || fails("openat", EMFILE, FAIL_TOLD, path, CALLER) ? -1 : named(__real_openat(folder, path, flags, mode), path);
}

WRAP(int, fstat, (int fd, struct stat *st))
{
    return fails("fstat", EIO, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_fstat(fd, st);
}

WRAP(int, stat, (const char *path, struct stat *st))
{
    return fails("stat", EACCES, FAIL_EITHER, path, CALLER) ? -1 : __real_stat(path, st);
}

WRAP(ssize_t, pread, (int fd, void *bytes, size_t n, off_t offset))
{
    return interrupted() || fails("pread", EIO, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_pread(fd, bytes, piece(n), offset);
}

WRAP(ssize_t, read, (int fd, void *bytes, size_t n))
{
    return fails("read", EIO, about(path_of(fd)), path_of(fd), CALLER) ? -1 : __real_read(fd, bytes, n);
}

WRAP(ssize_t, readlink, (const char *path, char *to, size_t n))
{
    return fails("readlink", EIO, FAIL_TOLD, path, CALLER) ? -1 : __real_readlink(path, to, n);
}

WRAP(int, fcntl, (int fd, int what, ...))
{
    va_list args;
    va_start(args, what);
    const long value = va_arg(args, long);
    va_end(args);
    return fails("fcntl", EMFILE, FAIL_TOLD, path_of(fd), CALLER) ? -1 : named(__real_fcntl(fd, what, value), path_of(fd));
}

WRAP(void *, mmap, (void *at, size_t n, int protection, int flags, int fd, off_t offset))
{
    if (flags & MAP_ANONYMOUS ? fail_wrap_refuses(CALLER) : fails("mmap", ENOMEM, FAIL_TOLD, path_of(fd), CALLER))
        return MAP_FAILED;
    return __real_mmap(at, n, protection, flags, fd, offset);
}

static void note_written(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS)
        written[fd] = true;
}

WRAP(ssize_t, write, (int fd, const void *bytes, size_t n))
{
    note_written(fd);
    return interrupted() || fails("write", ENOSPC, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_write(fd, bytes, piece(n));
}

WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t offset))
{
    note_written(fd);
    return interrupted() || fails("pwrite", ENOSPC, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_pwrite(fd, bytes, piece(n), offset);
}

WRAP(int, fallocate, (int fd, int mode, off_t offset, off_t n))
{
    return interrupted() || fails("fallocate", ENOSPC, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_fallocate(fd, mode, offset, n);
}

WRAP(int, ftruncate, (int fd, off_t n))
{
    return fails("ftruncate", EIO, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_ftruncate(fd, n);
}

WRAP(int, fchmod, (int fd, mode_t mode))
{
    return fails("fchmod", EPERM, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_fchmod(fd, mode);
}

WRAP(int, fsync, (int fd))
{
    return interrupted() || fails("fsync", EIO, FAIL_TOLD, path_of(fd), CALLER) ? -1 : __real_fsync(fd);
}

WRAP(int, renameat, (int from_folder, const char *from, int to_folder, const char *to))
{
    return fails("renameat", EACCES, FAIL_TOLD, to, CALLER) ? -1 : __real_renameat(from_folder, from, to_folder, to);
}

/* Closes all the same, as Linux does. What was read is not lost by it, what was written may be. */
WRAP(int, close, (int fd))
{
    const bool matters = fd >= 0 && fd < DESCRIPTORS && written[fd];
    const int done = __real_close(fd);
    return fails("close", EIO, matters ? FAIL_TOLD : FAIL_HARMLESS, path_of(fd), CALLER) ? -1 : done;
}

WRAP(int, pthread_create, (pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg))
{
    return fails("pthread_create", EAGAIN, FAIL_HARMLESS, "", CALLER) ? EAGAIN : __real_pthread_create(thread, attributes, start, arg);
}

/* How long something took may be unknown; a deadline that cannot be kept may not. */
WRAP(int, clock_gettime, (clockid_t clock, struct timespec *t))
{
    return fails("clock_gettime", ENOSYS, FAIL_EITHER, "", CALLER) ? -1 : __real_clock_gettime(clock, t);
}
