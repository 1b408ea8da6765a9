/* source.h -- bytes that can be read at any offset: a file, memory, or the caller's callback. Parsers see nothing else. */
#ifndef SLM_CORE_SOURCE_H
#define SLM_CORE_SOURCE_H

#include "core/status.h"

#include <stdbool.h>

/* The caller's own reader: n bytes at offset into dst, 0 when all came, anything else is SLM_E_IO with it as code. */
typedef int slm_read_at_fn(void *user, uint64_t offset, void *dst, size_t n);

/* Read-only after open; reads from several threads at once are fine (for a callback: if it allows that). */
typedef struct slm_source {
    int fd;                   /* -1: none */
    const uint8_t *memory;    /* not owned */
    slm_read_at_fn *read_at;
    void *user;
    uint64_t size;
    const char *name;         /* for messages; not owned */
} slm_source;

/* Opens a regular file: close-on-exec, and never hanging on a FIFO. `path` must outlive the source. */
slm_status slm_source_open(slm_source *out, const char *path, slm_error *err);

/* Is `path` a folder? A name that is not there is none; SLM_E_IO where nothing can be said. */
slm_status slm_source_is_folder(bool *is, const char *path, slm_error *err);
slm_source slm_source_memory(const void *bytes, size_t n, const char *name);
slm_source slm_source_callback(slm_read_at_fn *read_at, void *user, uint64_t size, const char *name);
void slm_source_close(slm_source *source);

/* All n bytes or a status: SLM_E_CHANGED when the file is now shorter than at open, SLM_E_IO otherwise, SLM_E_FORMAT when
 * offset + n lies beyond the size. */
slm_status slm_source_read(const slm_source *source, uint64_t offset, void *dst, size_t n, slm_error *err);

/* The first n bytes, to tell what the file is; *there: it has so many. A file that cannot be read is of no kind, which is not the same as of
 * another one. */
slm_status slm_source_head(const slm_source *source, void *head, size_t n, bool *there, slm_error *err);

#endif
