/* writer.h -- a file that appears whole or not at all. */
#ifndef SLM_CORE_WRITER_H
#define SLM_CORE_WRITER_H

#include "core/heap.h"

typedef struct slm_writer slm_writer;

/* Starts writing `path` through a temporary in the same folder; `expected` bytes are reserved if known (0: not). The file gets the
 * permissions of the one it replaces, else 0666 less the umask. */
slm_status slm_writer_open(slm_writer **out, slm_heap *heap, const char *path, uint64_t expected, slm_error *err);

/* The same for a file that only its owner may read and write, whatever the permissions of the one it replaces: mode 0600. */
slm_status slm_writer_open_private(slm_writer **out, slm_heap *heap, const char *path, uint64_t expected, slm_error *err);

/* Bytes at the end. After a failure every put and the commit fail too. */
slm_status slm_writer_put(slm_writer *writer, const void *bytes, size_t n, slm_error *err);

/* Overwrites bytes already put, for tables whose content is known last. */
slm_status slm_writer_put_at(slm_writer *writer, uint64_t offset, const void *bytes, size_t n, slm_error *err);
uint64_t slm_writer_offset(const slm_writer *writer);

/* fsync, rename, fsync of the folder. Either way the writer is ended; on failure the old file is untouched (only if the folder's
 * fsync fails it is replaced already, and the message says so). A pipe, terminal or device was written straight. */
slm_status slm_writer_commit(slm_writer *writer, slm_error *err);

/* Drops what was written; the path is as before. NULL is allowed. */
void slm_writer_abort(slm_writer *writer);

#endif
