/* sse.h -- server-sent events from bytes that are cut anywhere. */
#ifndef SLM_REMOTE_SSE_H
#define SLM_REMOTE_SSE_H

#include "bytes.h"

#include <stdint.h>

/* One event: its name ("" if it has none) and data [n], a NUL behind it. A result other than 0 ends the reading. */
typedef int slm_sse_fn(void *user, const char *name, const char *data, size_t n);

typedef struct slm_sse {
    slm_sse_fn *event;
    void       *user;
    slm_bytes   line, data;     /* each at most the limit */
    char        name[64];       /* longer names are none that we know */
    size_t      begun;          /* bytes of a byte order mark seen; 3: past the beginning */
    bool        cr;             /* the last byte was a CR: an LF is its second half */
    bool        has_data;
    uint64_t    comments;       /* and fields that say nothing */
} slm_sse;

typedef enum slm_sse_end { SLM_SSE_MORE, SLM_SSE_STOPPED, SLM_SSE_BIG, SLM_SSE_MEMORY } slm_sse_end;

void slm_sse_init(slm_sse *s, size_t limit, slm_sse_fn *event, void *user);
void slm_sse_free(slm_sse *s);
slm_sse_end slm_sse_feed(slm_sse *s, const char *bytes, size_t n);

/* At the end of the stream: hands out an event that lacks its blank line, for the caller to believe or not. */
slm_sse_end slm_sse_finish(slm_sse *s);

#endif
