/* buf.h -- a growing buffer that is born with its maximum. */
#ifndef SLM_CORE_BUF_H
#define SLM_CORE_BUF_H

#include "core/heap.h"

/* Sticky: after the first refusal every append fails and `failed` says why (SLM_E_MEMORY or SLM_E_LIMIT). */
typedef struct slm_buf {
    slm_heap *heap;
    uint8_t *data;
    size_t size, room, most;
    slm_status failed;
} slm_buf;

void slm_buf_init(slm_buf *buf, slm_heap *heap, size_t most);
void slm_buf_free(slm_buf *buf);

/* Room for n more bytes at the end, counted as used; NULL if refused. */
uint8_t *slm_buf_grow(slm_buf *buf, size_t n);
void slm_buf_add(slm_buf *buf, const void *bytes, size_t n);
void slm_buf_u8(slm_buf *buf, uint8_t v);
void slm_buf_u32(slm_buf *buf, uint32_t v);   /* little-endian */
void slm_buf_u64(slm_buf *buf, uint64_t v);
void slm_buf_str(slm_buf *buf, const void *bytes, size_t n);   /* GGUF's string: u64 length, bytes */

/* SLM_OK, or the sticky failure as a message about `what`. */
slm_status slm_buf_status(const slm_buf *buf, const char *what, slm_error *err);

#endif
