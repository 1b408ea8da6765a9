/* utf8.h -- is it UTF-8: strict, without overlong forms and surrogates (RFC 3629). */
#ifndef SLM_CORE_UTF8_H
#define SLM_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Length of the well-formed sequence at p (n >= 1 bytes are there), or 0 if what begins there is ill-formed or cut off. */
static inline size_t slm_utf8_sequence(const uint8_t *p, size_t n)
{
    const uint8_t b = p[0];
    if (b < 0x80)
        return 1;
    const size_t len = b >= 0xc2 && b <= 0xdf ? 2 : b >= 0xe0 && b <= 0xef ? 3 : b >= 0xf0 && b <= 0xf4 ? 4 : 0;
    if (!len || n < len)
        return 0;
    const uint8_t least = b == 0xe0 ? 0xa0 : b == 0xf0 ? 0x90 : 0x80, most = b == 0xed ? 0x9f : b == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < least || p[1] > most)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* n when all of it is UTF-8, else the offset of the first byte that is not. */
static inline size_t slm_utf8_valid(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t i = 0;
    while (i < n) {
        uint64_t eight = UINT64_MAX;
        if (n - i >= 8)
            memcpy(&eight, p + i, 8);
        if (!(eight & UINT64_C(0x8080808080808080))) {      /* ASCII, the usual case, goes eight at a time */
            i += 8;
            continue;
        }
        const size_t len = slm_utf8_sequence(p + i, n - i);
        if (!len)
            return i;
        i += len;
    }
    return n;
}

#endif
