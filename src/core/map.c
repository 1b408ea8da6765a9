/* map.c -- mapped files. The one user is the packed model, whose panels are used where they lie.
 *
 * What is watched: size and time of the open descriptor show a change in place; the inode that now has the name shows a replacement,
 * which leaves this map whole but is not the file the caller thinks it uses. A name that is gone is no change: what is mapped stays. */
#include "core/map.h"

#include "core/size.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS = 64 };

struct slm_map {
    slm_heap *heap;
    void *bytes;
    size_t size;
    int fd;
    struct stat born;
    atomic_uint steps;
    char name[];                /* the path, for messages and for its inode */
};

slm_status slm_map_open(slm_map **out, slm_heap *heap, const slm_source *source, slm_error *err)
{
    const size_t n = strlen(source->name);
    size_t bytes, size;
    if (source->fd < 0 || !source->size)
        return slm_fail(err, SLM_E_INTERNAL, "%s: %" PRIu64 " bytes that are no file to map", source->name, source->size);
    if (!slm_size_from_u64(source->size, &size))
        return slm_fail(err, SLM_E_LIMIT, "%s: %" PRIu64 " bytes are more than an address", source->name, source->size);
    slm_map *map = slm_size_add(sizeof *map, n + 1, &bytes) ? slm_heap_zalloc(heap, bytes) : NULL;
    if (!map)
        return slm_fail(err, SLM_E_MEMORY, "%s: map of %zu bytes", source->name, n);
    map->heap = heap;
    map->size = size;
    memcpy(map->name, source->name, n + 1);
    map->fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 0);
    slm_status status = map->fd < 0 ? slm_fail_errno(err, SLM_E_IO, errno, "%s: a second descriptor", source->name) : SLM_OK;
    if (!status && fstat(map->fd, &map->born) != 0)
        status = slm_fail_errno(err, SLM_E_IO, errno, "%s: fstat", source->name);
    if (!status && (uint64_t)map->born.st_size != source->size)
        status = slm_fail(err, SLM_E_CHANGED, "%s: has %" PRId64 " bytes, had %" PRIu64 " when it was opened", source->name,
                          (int64_t)map->born.st_size, source->size);
    if (!status) {
        void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, map->fd, 0);
        if (at == MAP_FAILED)
            status = slm_fail_errno(err, SLM_E_IO, errno, "%s: mapping %zu bytes", source->name, size);
        else
            map->bytes = at;
    }
    if (status)
        slm_map_close(map);
    else
        *out = map;
    return status;
}

void slm_map_close(slm_map *map)
{
    if (!map)
        return;
    if (map->bytes)
        (void)munmap(map->bytes, map->size);
    if (map->fd >= 0)
        (void)close(map->fd);
    slm_heap_free(map->heap, map);
}

const uint8_t *slm_map_bytes(const slm_map *map)
{
    return map->bytes;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

slm_status slm_map_look(const slm_map *map, slm_error *err)
{
    const int kept = errno;
    struct stat now, named;
    if (!map)
        return SLM_OK;
    if (fstat(map->fd, &now) != 0)
        return slm_fail_errno(err, SLM_E_IO, errno, "%s: fstat", map->name);
    if (now.st_size != map->born.st_size || !same_time(&now.st_mtim, &map->born.st_mtim))
        return slm_fail(err, SLM_E_CHANGED, "%s: was written to: has %" PRId64 " bytes of time %" PRId64 ", had %" PRId64 " of time %" PRId64
                        " when it was opened", map->name, (int64_t)now.st_size, (int64_t)now.st_mtim.tv_sec, (int64_t)map->born.st_size,
                        (int64_t)map->born.st_mtim.tv_sec);
    if (stat(map->name, &named) == 0 && (named.st_ino != map->born.st_ino || named.st_dev != map->born.st_dev))
        return slm_fail(err, SLM_E_CHANGED, "%s: was replaced: is inode %" PRIu64 ", was %" PRIu64 " when it was opened", map->name,
                        (uint64_t)named.st_ino, (uint64_t)map->born.st_ino);
    errno = kept;
    return SLM_OK;
}

slm_status slm_map_step(slm_map *map, slm_error *err)
{
    if (!map || atomic_fetch_add_explicit(&map->steps, 1, memory_order_relaxed) % STEPS)
        return SLM_OK;
    return slm_map_look(map, err);
}
