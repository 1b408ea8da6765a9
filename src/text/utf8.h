/* utf8.h -- decoding that never reads past the end and names what is ill-formed.
 *
 * The unit of ill-formedness is the maximal part of WHATWG and Unicode (3.9, table 3-8): as many bytes as could begin a code
 * point, at least one. Each such part counts as one U+FFFD. */
#ifndef SLM_TEXT_UTF8_H
#define SLM_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLM_UTF8_BAD = 0xfffd };     /* also a code point of its own: look at *ok to tell */

/* The bytes a lead byte announces, 0 if it is none; lo..hi is what the second byte may be. */
static inline size_t slm_utf8_lead(uint8_t b, uint8_t *lo, uint8_t *hi)
{
    *lo = 0x80;
    *hi = 0xbf;
    if (b < 0x80)
        return 1;
    if (b >= 0xc2 && b <= 0xdf)
        return 2;
    if (b >= 0xe0 && b <= 0xef) {
        if (b == 0xe0)
            *lo = 0xa0;             /* else overlong */
        if (b == 0xed)
            *hi = 0x9f;             /* else a surrogate */
        return 3;
    }
    if (b >= 0xf0 && b <= 0xf4) {
        if (b == 0xf0)
            *lo = 0x90;
        if (b == 0xf4)
            *hi = 0x8f;             /* else beyond U+10FFFF */
        return 4;
    }
    return 0;
}

/* The code point at p [n], n >= 1: its length in bytes, and *cp. If it is ill-formed *ok is false, *cp U+FFFD and the length
 * that of the maximal part. */
static inline size_t slm_utf8_next(const uint8_t *p, size_t n, uint32_t *cp, bool *ok)
{
    uint8_t lo, hi;
    const size_t need = slm_utf8_lead(p[0], &lo, &hi);
    uint32_t v = p[0];
    size_t i = 1;
    *ok = true;
    *cp = v;
    if (need == 1)
        return 1;
    v &= 0x7fu >> need;
    while (i < need && i < n && p[i] >= lo && p[i] <= hi) {
        v = v << 6 | (p[i++] & 0x3fu);
        lo = 0x80;
        hi = 0xbf;
    }
    *ok = need != 0 && i == need;
    *cp = *ok ? v : SLM_UTF8_BAD;
    return i;
}

#endif
