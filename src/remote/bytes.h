/* bytes.h -- a growing run of bytes that is born with its maximum. Memory is malloc's: the heap of libslm is not public, and curl and
 * jansson use malloc as well. Failures are sticky, so that a writer looks once, at the end. */
#ifndef SLM_REMOTE_BYTES_H
#define SLM_REMOTE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct slm_bytes {
    char  *data;            /* [size] and a NUL once anything was added; NULL before */
    size_t size, room, limit;
    bool   big, memory;     /* the limit was met; malloc refused */
} slm_bytes;

void slm_bytes_init(slm_bytes *b, size_t limit);
void slm_bytes_free(slm_bytes *b);
bool slm_bytes_add(slm_bytes *b, const void *from, size_t n);      /* false: nothing was added */
const char *slm_bytes_text(const slm_bytes *b);                    /* never NULL */

#endif
