/* buf.c -- a growing buffer that is born with its maximum. */
#include "core/buf.h"

#include "core/size.h"

#include <string.h>

void slm_buf_init(slm_buf *buf, slm_heap *heap, size_t most)
{
    *buf = (slm_buf){ heap, NULL, 0, 0, most, SLM_OK };
}

void slm_buf_free(slm_buf *buf)
{
    slm_heap_free(buf->heap, buf->data);
    buf->data = NULL;
    buf->size = buf->room = 0;
}

uint8_t *slm_buf_grow(slm_buf *buf, size_t n)
{
    size_t need;
    if (buf->failed)
        return NULL;
    if (!slm_size_add(buf->size, n, &need) || need > buf->most) {
        buf->failed = SLM_E_LIMIT;
        return NULL;
    }
    if (need > buf->room || !buf->data) {        /* even 0 bytes get a pointer: NULL means refused */
        size_t room = slm_min(buf->most, slm_max(need, slm_max(256, buf->room * 2)));
        uint8_t *data = slm_heap_alloc(buf->heap, room);
        if (!data) {
            buf->failed = SLM_E_MEMORY;
            return NULL;
        }
        if (buf->size)
            memcpy(data, buf->data, buf->size);
        slm_heap_free(buf->heap, buf->data);
        buf->data = data;
        buf->room = room;
    }
    uint8_t *at = buf->data + buf->size;
    buf->size = need;
    return at;
}

void slm_buf_add(slm_buf *buf, const void *bytes, size_t n)
{
    uint8_t *at = slm_buf_grow(buf, n);
    if (at && n)
        memcpy(at, bytes, n);
}

static void little(slm_buf *buf, uint64_t v, size_t n)
{
    uint8_t *at = slm_buf_grow(buf, n);
    for (size_t i = 0; at && i < n; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

void slm_buf_u8(slm_buf *buf, uint8_t v)   { little(buf, v, 1); }
void slm_buf_u32(slm_buf *buf, uint32_t v) { little(buf, v, 4); }
void slm_buf_u64(slm_buf *buf, uint64_t v) { little(buf, v, 8); }

void slm_buf_str(slm_buf *buf, const void *bytes, size_t n)
{
    slm_buf_u64(buf, n);
    slm_buf_add(buf, bytes, n);
}

slm_status slm_buf_status(const slm_buf *buf, const char *what, slm_error *err)
{
    if (!buf->failed)
        return SLM_OK;
    return slm_fail(err, buf->failed, "%s: %zu bytes so far (allowed %zu)", what, buf->size, buf->most);
}
