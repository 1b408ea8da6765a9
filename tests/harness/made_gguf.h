/* made_gguf.h -- a GGUF head written piece by piece, with nothing checked: sizes and types that no writer would put there. */
#ifndef TESTS_HARNESS_MADE_GGUF_H
#define TESTS_HARNESS_MADE_GGUF_H

#include "core/buf.h"
#include "format/keys.h"

#include <string.h>

enum { MADE_NO_TYPE = 999 };        /* a type of tensor without a size: its values need not be there */

typedef struct made_gguf {
    slm_buf b;
    uint64_t tensors, keys;
} made_gguf;

static inline void made_begin(made_gguf *m, slm_heap *heap)
{
    slm_buf_init(&m->b, heap, 1 << 28);
    m->tensors = m->keys = 0;
    slm_buf_add(&m->b, "GGUF\3\0\0\0", 8);
    slm_buf_u64(&m->b, 0);
    slm_buf_u64(&m->b, 0);
}

/* The value is put behind it. */
static inline void made_key(made_gguf *m, const char *name, uint32_t type)
{
    slm_buf_str(&m->b, name, strlen(name));
    slm_buf_u32(&m->b, type);
    m->keys++;
}

static inline void made_u32(made_gguf *m, const char *name, uint64_t value)
{
    made_key(m, name, SLM_KEY_U32);
    slm_buf_u32(&m->b, (uint32_t)value);
}

static inline void made_text(made_gguf *m, const char *name, const char *text)
{
    made_key(m, name, SLM_KEY_STRING);
    slm_buf_str(&m->b, text, strlen(text));
}

/* An array whose elements are put behind it. */
static inline void made_array(made_gguf *m, const char *name, uint32_t type, uint64_t count)
{
    made_key(m, name, SLM_KEY_ARRAY);
    slm_buf_u32(&m->b, type);
    slm_buf_u64(&m->b, count);
}

static inline void made_tensor(made_gguf *m, const char *name, uint32_t type, uint32_t dims, uint64_t first, uint64_t others, uint64_t offset)
{
    slm_buf_str(&m->b, name, strlen(name));
    slm_buf_u32(&m->b, dims);
    for (uint32_t i = 0; i < dims; i++)
        slm_buf_u64(&m->b, i ? others : first);
    slm_buf_u32(&m->b, type);
    slm_buf_u64(&m->b, offset);
    m->tensors++;
}

/* Counts are written, zeros up to a multiple of 32 and `data` bytes more. */
static inline void made_end(made_gguf *m, size_t data)
{
    for (size_t i = 0; i < data || m->b.size % 32; i++)
        slm_buf_u8(&m->b, 0);
    for (size_t i = 0; i < 8 && !m->b.failed; i++) {
        m->b.data[8 + i] = (uint8_t)(m->tensors >> (8 * i));
        m->b.data[16 + i] = (uint8_t)(m->keys >> (8 * i));
    }
}

#endif
