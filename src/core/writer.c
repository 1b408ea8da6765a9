/* writer.c -- a file that appears whole or not at all.
 *
 * The order that makes it so: a temporary in the target's folder (same file system, so that rename is atomic), every byte written,
 * fsync of the file (else the rename can reach the disk before the bytes do), rename, fsync of the folder (else the rename itself
 * may be lost). A failure at any point before the rename removes the temporary; the old file was never opened.
 *
 * Symbolic links are followed first: renaming over the link would replace the link and leave its target old. What is no regular
 * file (pipe, terminal, /dev/full) cannot be replaced and is written straight, and so is a link of /proc (/dev/stdout leads to
 * one): it stands for an open descriptor, not for a name.
 *
 * Two signals would kill the host on a failing write: SIGXFSZ beyond RLIMIT_FSIZE and SIGPIPE. The first is avoided by looking at
 * the limit before each write; the second is held back in this thread around the write and taken out of the queue. */
#include "core/writer.h"

#include "core/clock.h"
#include "core/random.h"
#include "core/size.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BUFFER = 65536,
    HOPS = 40,           /* links followed before the answer is ELOOP: the kernel's own number */
    NAME_TRIES = 64,
    TEMP_NAME = 32       /* ".slm-", 16 hex digits, ".tmp": fits NAME_MAX whatever the target is called */
};

struct slm_writer {
    slm_heap *heap;
    int fd, folder;            /* folder: -1 when written straight */
    uint64_t flushed;          /* bytes given to the system; buffer[0] is at this offset */
    uint64_t expected;
    size_t used;               /* of buffer */
    bool owner_only;
    slm_status failed;         /* sticky: what was half-written cannot be committed */
    char path[PATH_MAX];       /* as the caller gave it, for messages */
    char target[PATH_MAX];     /* after following links */
    const char *base;          /* the last component of target */
    char temp[TEMP_NAME];      /* "" when there is none (yet) */
    uint8_t buffer[BUFFER];
};

/* ---- where to write -------------------------------------------------------------------------------------------------------- */

/* Splits w->target into folder and base name. The folder is "." for a bare name and keeps its slash otherwise. */
static void split(slm_writer *w, char folder[PATH_MAX])
{
    const char *slash = strrchr(w->target, '/');
    const size_t n = slash ? (size_t)(slash - w->target) + 1 : 0;
    memcpy(folder, n ? w->target : "./", n ? n : 2);
    folder[n ? n : 2] = 0;
    w->base = w->target + n;
}

/* Follows the links of the last component (the kernel follows those before it). A link to a name that does not exist yet is
 * followed too. *straight: the last link is one of /proc. */
static slm_status follow(slm_writer *w, char *link, bool *straight, slm_error *err)
{
    for (int hop = 0; hop < HOPS; hop++) {
        const ssize_t n = readlink(w->target, link, PATH_MAX);
        if (n < 0 && (errno == EINVAL || errno == ENOENT))
            return SLM_OK;                                    /* no link, or nothing there yet */
        if (n < 0)
            return slm_fail_errno(err, SLM_E_IO, errno, "%s: readlink of '%s'", w->path, w->target);
        if (strncmp(w->target, "/proc/", 6) == 0) {
            *straight = true;
            return SLM_OK;
        }
        const char *slash = link[0] == '/' ? NULL : strrchr(w->target, '/');
        const size_t keep = slash ? (size_t)(slash - w->target) + 1 : 0;
        if (keep + (size_t)n >= sizeof w->target)
            return slm_fail_errno(err, SLM_E_IO, ENAMETOOLONG, "%s: link of %zd bytes", w->path, n);
        memcpy(w->target + keep, link, (size_t)n);
        w->target[keep + (size_t)n] = 0;
    }
    return slm_fail_errno(err, SLM_E_IO, ELOOP, "%s: more than %d links", w->path, HOPS);
}

static int open_again(int folder, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(folder, path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static slm_status open_straight(slm_writer *w, slm_error *err)
{
    w->fd = open_again(AT_FDCWD, w->path, O_WRONLY, 0);
    return w->fd < 0 ? slm_fail_errno(err, SLM_E_IO, errno, "%s: open", w->path) : SLM_OK;
}

/* The replaced file's permissions; the set-id bits are not handed to new contents. */
static slm_status copy_mode(const slm_writer *w, mode_t mode, slm_error *err)
{
    struct stat st;
    if (fstat(w->fd, &st) != 0)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: fstat of the temporary", w->path);
    if ((st.st_mode & 0777) != mode && fchmod(w->fd, mode) != 0)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: mode %o of the temporary", w->path, (unsigned)mode);
    return SLM_OK;
}

/* Blocks for the whole file, so that a full disk is found now. A file system that cannot reserve is no error. KEEP_SIZE: the
 * length stays what was written; posix_fallocate would grow it, and glibc's fallback would write every block. */
static slm_status reserve(const slm_writer *w, slm_error *err)
{
    int code = 0;
    if (!w->expected || w->expected > INT64_MAX)
        return SLM_OK;
    while (fallocate(w->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)w->expected) != 0 && (code = errno) == EINTR)
        code = 0;
    if (code == 0 || code == EOPNOTSUPP || code == EINVAL || code == ENOSYS)
        return SLM_OK;
    return slm_fail_errno(err, SLM_E_IO, code, "%s: reserving %" PRIu64 " bytes", w->path, w->expected);
}

static slm_status open_temporary(slm_writer *w, char *folder, const struct stat *old, slm_error *err)
{
    split(w, folder);
    if (!w->base[0] || strcmp(w->base, ".") == 0 || strcmp(w->base, "..") == 0)
        return slm_fail_errno(err, SLM_E_IO, EISDIR, "%s: is a folder", w->path);
    w->folder = open_again(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0);
    if (w->folder < 0)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: folder '%s'", w->path, folder);
    const uint64_t seed = slm_clock_ns() ^ (uint64_t)getpid() << 40 ^ (uintptr_t)w;
    const mode_t mode = w->owner_only ? 0600 : old ? old->st_mode & 0777 : 0666;
    for (uint64_t i = 0; w->fd < 0 && i < NAME_TRIES; i++) {
        (void)snprintf(w->temp, sizeof w->temp, ".slm-%016" PRIx64 ".tmp", slm_random_u64(seed, i));
        w->fd = open_again(w->folder, w->temp, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (w->fd < 0 && errno != EEXIST)
            break;
    }
    if (w->fd < 0) {
        w->temp[0] = 0;                                       /* another's, if there is one of that name */
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: temporary in '%s'", w->path, folder);
    }
    slm_status status = old && !w->owner_only ? copy_mode(w, mode, err) : SLM_OK;
    return status ? status : reserve(w, err);
}

static slm_status open_target(slm_writer *w, char *scratch, slm_error *err)
{
    struct stat st;
    bool straight = false;
    const bool old = stat(w->path, &st) == 0;
    if (!old && errno != ENOENT)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: stat", w->path);
    if (old && S_ISDIR(st.st_mode))
        return slm_fail_errno(err, SLM_E_IO, EISDIR, "%s: is a folder", w->path);
    if (old && !S_ISREG(st.st_mode))
        return open_straight(w, err);
    slm_status status = follow(w, scratch, &straight, err);
    if (status)
        return status;
    return straight ? open_straight(w, err) : open_temporary(w, scratch, old ? &st : NULL, err);
}

static slm_status open_writer(slm_writer **out, slm_heap *heap, const char *path, uint64_t expected, bool owner_only, slm_error *err)
{
    const int kept = errno;
    const size_t n = strlen(path);
    if (!n)
        return slm_fail(err, SLM_E_ARG, "path to write is empty");
    if (n >= PATH_MAX)
        return slm_fail_errno(err, SLM_E_IO, ENAMETOOLONG, "%.80s...: path of %zu bytes (allowed %d)", path, n, PATH_MAX - 1);
    slm_writer *w = slm_heap_zalloc(heap, sizeof *w);
    char *scratch = slm_heap_alloc(heap, PATH_MAX + 2);
    slm_status status = SLM_OK;
    if (!w || !scratch) {
        status = slm_fail(err, SLM_E_MEMORY, "%s: writer of %zu bytes", path, sizeof *w);
        goto out;
    }
    w->heap = heap;
    w->fd = w->folder = -1;
    w->expected = expected;
    w->owner_only = owner_only;
    memcpy(w->path, path, n + 1);
    memcpy(w->target, path, n + 1);
    status = open_target(w, scratch, err);
    if (status)
        goto out;
    *out = w;
    w = NULL;
    errno = kept;
out:
    slm_heap_free(heap, scratch);
    if (status && w && w->heap)
        slm_writer_abort(w);
    else
        slm_heap_free(heap, w);
    return status;
}

slm_status slm_writer_open(slm_writer **out, slm_heap *heap, const char *path, uint64_t expected, slm_error *err)
{
    return open_writer(out, heap, path, expected, false, err);
}

slm_status slm_writer_open_private(slm_writer **out, slm_heap *heap, const char *path, uint64_t expected, slm_error *err)
{
    return open_writer(out, heap, path, expected, true, err);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

/* write without SIGPIPE. Only what is written straight can raise it. */
static ssize_t write_quietly(const slm_writer *w, const void *bytes, size_t n)
{
    sigset_t pipe_only, before, pending;
    const struct timespec none = { 0, 0 };
    if (w->folder >= 0)
        return write(w->fd, bytes, n);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigemptyset(&pending);
    (void)sigpending(&pending);
    const bool theirs = sigismember(&pending, SIGPIPE) == 1;  /* one that was waiting before is not ours to take */
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    const ssize_t done = write(w->fd, bytes, n);
    const int code = errno;
    if (done < 0 && code == EPIPE && !theirs)
        while (sigtimedwait(&pipe_only, NULL, &none) < 0 && errno == EINTR)
            ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return done;
}

static bool beyond_file_limit(const slm_writer *w, uint64_t end)
{
    struct rlimit most;
    return w->folder >= 0 && getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && end > most.rlim_cur;
}

static slm_status write_failed(slm_writer *w, int code, size_t n, uint64_t offset, slm_error *err)
{
    return w->failed = slm_fail_errno(err, SLM_E_IO, code, "%s: write of %zu bytes at %" PRIu64, w->path, n, offset);
}

static slm_status write_all(slm_writer *w, const uint8_t *bytes, size_t n, slm_error *err)
{
    uint64_t end;
    if (!slm_u64_add(w->flushed, n, &end) || end > INT64_MAX || beyond_file_limit(w, end))
        return write_failed(w, EFBIG, n, w->flushed, err);
    while (n) {
        const ssize_t done = write_quietly(w, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return write_failed(w, done < 0 ? errno : EIO, n, w->flushed, err);
        bytes += done;
        n -= (size_t)done;
        w->flushed += (uint64_t)done;
    }
    return SLM_OK;
}

static slm_status flush(slm_writer *w, slm_error *err)
{
    if (w->failed)
        return slm_fail(err, w->failed, "%s: an earlier write failed", w->path);
    const size_t n = w->used;
    w->used = 0;
    return write_all(w, w->buffer, n, err);
}

slm_status slm_writer_put(slm_writer *w, const void *bytes, size_t n, slm_error *err)
{
    const int kept = errno;
    slm_status status = SLM_OK;
    if (w->failed)
        return slm_fail(err, w->failed, "%s: an earlier write failed", w->path);
    if (n > BUFFER - w->used)
        status = flush(w, err);
    if (status)
        return status;
    if (n >= BUFFER) {
        status = write_all(w, bytes, n, err);
    } else if (n) {
        memcpy(w->buffer + w->used, bytes, n);
        w->used += n;
    }
    if (!status)
        errno = kept;
    return status;
}

slm_status slm_writer_put_at(slm_writer *w, uint64_t offset, const void *bytes, size_t n, slm_error *err)
{
    const int kept = errno;
    const uint8_t *b = bytes;
    const uint64_t end = slm_writer_offset(w);
    if (w->failed)
        return slm_fail(err, w->failed, "%s: an earlier write failed", w->path);
    if (offset > end || n > end - offset)
        return slm_fail(err, SLM_E_ARG, "%s: %zu bytes at %" PRIu64 " overwrite what is not there yet (%" PRIu64 " bytes so far)",
                        w->path, n, offset, end);
    while (n && offset < w->flushed) {
        const size_t part = w->flushed - offset < n ? (size_t)(w->flushed - offset) : n;
        const ssize_t done = pwrite(w->fd, b, part, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)                                        /* a pipe cannot go back: ESPIPE */
            return write_failed(w, done < 0 ? errno : EIO, part, offset, err);
        b += done;
        n -= (size_t)done;
        offset += (uint64_t)done;
    }
    if (n)
        memcpy(w->buffer + (offset - w->flushed), b, n);
    errno = kept;
    return SLM_OK;
}

uint64_t slm_writer_offset(const slm_writer *w)
{
    return w->flushed + w->used;
}

/* ---- the end --------------------------------------------------------------------------------------------------------------- */

/* A second fsync after a failed one says "fine" about pages that are lost, so the first answer is final. */
static slm_status sync_file(slm_writer *w, slm_error *err)
{
    int code = 0;
    if (w->folder < 0)
        return SLM_OK;
    if (w->flushed < w->expected && ftruncate(w->fd, (off_t)w->flushed) != 0)     /* gives back what was reserved too much */
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: ftruncate to %" PRIu64, w->path, w->flushed);
    while (fsync(w->fd) != 0 && (code = errno) == EINTR)
        code = 0;
    return code ? slm_fail_errno(err, SLM_E_IO, code, "%s: fsync of %" PRIu64 " bytes", w->path, w->flushed) : SLM_OK;
}

/* EINTR: the descriptor is closed all the same (Linux), and what matters was synced before. */
static slm_status close_file(slm_writer *w, slm_error *err)
{
    const int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0 && errno != EINTR)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: close", w->path);
    return SLM_OK;
}

static slm_status rename_file(slm_writer *w, slm_error *err)
{
    int code = 0;
    if (w->folder < 0)
        return SLM_OK;
    if (renameat(w->folder, w->temp, w->folder, w->base) != 0)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: rename of the temporary", w->path);
    w->temp[0] = 0;
    while (fsync(w->folder) != 0 && (code = errno) == EINTR)
        code = 0;
    if (code && code != EINVAL && code != EROFS)              /* a file system that cannot sync folders says EINVAL */
        return slm_fail_errno(err, SLM_E_IO, code, "%s: is replaced, but its folder could not be synced", w->path);
    return SLM_OK;
}

slm_status slm_writer_commit(slm_writer *w, slm_error *err)
{
    const int kept = errno;
    slm_status status = flush(w, err);
    if (!status)
        status = sync_file(w, err);
    if (!status)
        status = close_file(w, err);
    if (!status)
        status = rename_file(w, err);
    slm_writer_abort(w);                                      /* what is done is no longer there to be undone */
    if (!status)
        errno = kept;
    return status;
}

void slm_writer_abort(slm_writer *w)
{
    const int kept = errno;
    if (!w)
        return;
    if (w->fd >= 0)
        (void)close(w->fd);
    if (w->temp[0])
        (void)unlinkat(w->folder, w->temp, 0);
    if (w->folder >= 0)
        (void)close(w->folder);
    slm_heap_free(w->heap, w);
    errno = kept;
}
