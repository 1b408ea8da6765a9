/* source.c -- positioned reads. Files are read, not mapped: a mapping whose file shrinks kills the host (SIGBUS), and reads in
 * chunks are the faster way from the page cache. */
#include "core/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

slm_status slm_source_open(slm_source *out, const char *path, slm_error *err)
{
    int fd;
    struct stat st;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return slm_fail_errno(err, errno == ENOENT ? SLM_E_NOT_FOUND : SLM_E_IO, errno, "%s: open", path);
    if (fstat(fd, &st) != 0) {
        slm_status status = slm_fail_errno(err, SLM_E_IO, errno, "%s: fstat", path);
        (void)close(fd);
        return status;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(fd);
        return slm_fail(err, SLM_E_IO, "%s: is not a regular file (mode %o)", path, (unsigned)st.st_mode);
    }
    *out = (slm_source){ fd, NULL, NULL, NULL, (uint64_t)st.st_size, path };
    return SLM_OK;
}

slm_status slm_source_is_folder(bool *is, const char *path, slm_error *err)
{
    struct stat st;
    const bool known = stat(path, &st) == 0;
    *is = known && S_ISDIR(st.st_mode);
    return known || errno == ENOENT || errno == ENOTDIR ? SLM_OK : slm_fail_errno(err, SLM_E_IO, errno, "%s: stat", path);
}

slm_source slm_source_memory(const void *bytes, size_t n, const char *name)
{
    return (slm_source){ -1, bytes, NULL, NULL, n, name };
}

slm_source slm_source_callback(slm_read_at_fn *read_at, void *user, uint64_t size, const char *name)
{
    return (slm_source){ -1, NULL, read_at, user, size, name };
}

void slm_source_close(slm_source *source)
{
    if (source->fd >= 0)
        (void)close(source->fd);
    *source = (slm_source){ -1, NULL, NULL, NULL, 0, "" };
}

static slm_status read_file(const slm_source *s, uint64_t offset, uint8_t *dst, size_t n, slm_error *err)
{
    while (n) {
        ssize_t got = pread(s->fd, dst, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return slm_fail_errno(err, SLM_E_IO, errno, "%s: read of %zu bytes at %" PRIu64, s->name, n, offset);
        if (got == 0)
            return slm_fail_at(err, SLM_E_CHANGED, offset, "%s: ends here, had %" PRIu64 " bytes when it was opened", s->name, s->size);
        dst += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return SLM_OK;
}

slm_status slm_source_read(const slm_source *s, uint64_t offset, void *dst, size_t n, slm_error *err)
{
    if (offset > s->size || n > s->size - offset)
        return slm_fail_at(err, SLM_E_FORMAT, offset, "%s: %zu bytes wanted, the file ends at %" PRIu64, s->name, n, s->size);
    if (s->memory) {
        memcpy(dst, s->memory + offset, n);
        return SLM_OK;
    }
    if (s->read_at) {
        int code = n ? s->read_at(s->user, offset, dst, n) : 0;
        if (code)
            return slm_fail(err, SLM_E_IO, "%s: the caller's reader returned %d for %zu bytes at %" PRIu64, s->name, code, n, offset);
        return SLM_OK;
    }
    return read_file(s, offset, dst, n, err);
}

slm_status slm_source_head(const slm_source *s, void *head, size_t n, bool *there, slm_error *err)
{
    *there = s->size >= n;
    return *there ? slm_source_read(s, 0, head, n, err) : SLM_OK;
}
