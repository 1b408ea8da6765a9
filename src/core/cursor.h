/* cursor.h -- a bounded reader over bytes: every read is checked, the first that does not fit makes all later ones fail. */
#ifndef SLM_CORE_CURSOR_H
#define SLM_CORE_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct slm_cursor {
    const uint8_t *base;
    size_t size, pos;
    size_t bad;                     /* offset of the first read that did not fit; SIZE_MAX while all fitted */
} slm_cursor;

static inline slm_cursor slm_cursor_over(const void *base, size_t size)
{
    return (slm_cursor){ base, size, 0, SIZE_MAX };
}

static inline const uint8_t *slm_cursor_take(slm_cursor *c, uint64_t n)
{
    if (c->bad != SIZE_MAX || n > c->size - c->pos) {       /* never pos + n: it can wrap */
        if (c->bad == SIZE_MAX)
            c->bad = c->pos;
        return NULL;
    }
    const uint8_t *p = c->base + c->pos;
    c->pos += (size_t)n;
    return p;
}

static inline uint64_t slm_le(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i > 0; i--)
        v = v << 8 | p[i - 1];      /* little-endian file, any host, any alignment; compilers make one load of it */
    return v;
}

static inline uint8_t slm_cursor_u8(slm_cursor *c)
{
    const uint8_t *p = slm_cursor_take(c, 1);
    return p ? *p : 0;
}

static inline uint16_t slm_cursor_u16(slm_cursor *c)
{
    const uint8_t *p = slm_cursor_take(c, 2);
    return p ? (uint16_t)slm_le(p, 2) : 0;
}

static inline uint32_t slm_cursor_u32(slm_cursor *c)
{
    const uint8_t *p = slm_cursor_take(c, 4);
    return p ? (uint32_t)slm_le(p, 4) : 0;
}

static inline uint64_t slm_cursor_u64(slm_cursor *c)
{
    const uint8_t *p = slm_cursor_take(c, 8);
    return p ? slm_le(p, 8) : 0;
}

static inline float slm_cursor_f32(slm_cursor *c)
{
    const uint32_t bits = slm_cursor_u32(c);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* GGUF's string: u64 length, then bytes. The view stays in the cursor's memory; NULL with *n = 0 if it does not fit. */
static inline const uint8_t *slm_cursor_str(slm_cursor *c, uint64_t *n)
{
    *n = slm_cursor_u64(c);
    const uint8_t *p = slm_cursor_take(c, *n);
    if (!p)
        *n = 0;
    return p;
}

#endif
