/* xxh64.c -- XXH64 by its specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): four lanes of 64 bits eat stripes of 32 bytes;
 * what is left is mixed in by 8, 4 and 1 bytes, then every bit is spread over the whole. */
#include "core/xxh64.h"

#include "core/cursor.h"

static const uint64_t p1 = UINT64_C(0x9e3779b185ebca87), p2 = UINT64_C(0xc2b2ae3d27d4eb4f), p3 = UINT64_C(0x165667b19e3779f9),
                      p4 = UINT64_C(0x85ebca77c2b2ae63), p5 = UINT64_C(0x27d4eb2f165667c5);

static inline uint64_t rotate(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static inline uint64_t eat(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * p2, 31) * p1;
}

static void stripes(slm_xxh64 *x, const uint8_t *p, size_t n)
{
    uint64_t a = x->lane[0], b = x->lane[1], c = x->lane[2], d = x->lane[3];
    for (; n; n--, p += 32) {
        a = eat(a, slm_le(p, 8));
        b = eat(b, slm_le(p + 8, 8));
        c = eat(c, slm_le(p + 16, 8));
        d = eat(d, slm_le(p + 24, 8));
    }
    x->lane[0] = a;
    x->lane[1] = b;
    x->lane[2] = c;
    x->lane[3] = d;
}

void slm_xxh64_init(slm_xxh64 *x)
{
    *x = (slm_xxh64){ { p1 + p2, p2, 0, 0 - p1 }, 0, { 0 } };
}

void slm_xxh64_add(slm_xxh64 *x, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    const size_t have = x->total % 32;
    if (!n)
        return;
    x->total += n;
    if (have) {
        const size_t take = n < 32 - have ? n : 32 - have;
        memcpy(x->rest + have, p, take);
        if (have + take < 32)
            return;
        stripes(x, x->rest, 1);
        p += take;
        n -= take;
    }
    stripes(x, p, n / 32);
    memcpy(x->rest, p + n / 32 * 32, n % 32);
}

uint64_t slm_xxh64_end(const slm_xxh64 *x)
{
    const uint64_t *v = x->lane;
    const uint8_t *p = x->rest;
    size_t left = x->total % 32;
    uint64_t h = v[2] + p5;
    if (x->total >= 32) {
        h = rotate(v[0], 1) + rotate(v[1], 7) + rotate(v[2], 12) + rotate(v[3], 18);
        for (int i = 0; i < 4; i++)
            h = (h ^ eat(0, v[i])) * p1 + p4;
    }
    h += x->total;
    for (; left >= 8; left -= 8, p += 8)
        h = rotate(h ^ eat(0, slm_le(p, 8)), 27) * p1 + p4;
    for (; left >= 4; left -= 4, p += 4)
        h = rotate(h ^ slm_le(p, 4) * p1, 23) * p2 + p3;
    for (; left; left--, p++)
        h = rotate(h ^ *p * p5, 11) * p1;
    h = (h ^ h >> 33) * p2;
    h = (h ^ h >> 29) * p3;
    return h ^ h >> 32;
}

uint64_t slm_xxh64_of(const void *bytes, size_t n)
{
    slm_xxh64 x;
    slm_xxh64_init(&x);
    slm_xxh64_add(&x, bytes, n);
    return slm_xxh64_end(&x);
}
