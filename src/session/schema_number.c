/* schema_number.c -- digits between two bounds. Integers have at most 18 digits, so that 64 bits hold them; fractions at most 16, or 6
 * where there are bounds, so that no reader's rounding can carry a number across one. */
#include "session/schema_number.h"

#include <math.h>
#include <string.h>

enum { DIGITS = 18 };
static const uint64_t most = UINT64_C(999999999999999999);

static void digits(char text[DIGITS], uint64_t v, size_t n)
{
    for (size_t i = n; i-- > 0; v /= 10)
        text[i] = (char)('0' + v % 10);
}

static void digit(slm_nfa *a, uint32_t from, int lo, int hi, uint32_t to)
{
    if (lo <= hi)
        slm_nfa_bytes(a, from, (uint8_t)lo, (uint8_t)hi, to);
}

/* Numbers of n digits from lo to hi: a way that is still bound by both, then one by lo, one by hi, and free ones. */
static void same_length(slm_nfa *a, uint32_t from, uint64_t lo, uint64_t hi, size_t n, uint32_t to)
{
    char l[DIGITS], h[DIGITS];
    uint32_t free_node[DIGITS] = { to };        /* by digits left */
    size_t i = 0;
    digits(l, lo, n);
    digits(h, hi, n);
    for (; i < n && l[i] == h[i]; i++) {
        const uint32_t next = i + 1 < n ? slm_nfa_node(a) : to;
        digit(a, from, l[i], l[i], next);
        from = next;
    }
    if (i == n)
        return;
    for (size_t k = 1; k < n - i; k++) {
        free_node[k] = slm_nfa_node(a);
        digit(a, free_node[k], '0', '9', free_node[k - 1]);
    }
    size_t rest = n - 1 - i;
    uint32_t low = rest ? slm_nfa_node(a) : to, high = rest ? slm_nfa_node(a) : to;
    digit(a, from, l[i] + 1, h[i] - 1, free_node[rest]);
    digit(a, from, l[i], l[i], low);
    digit(a, from, h[i], h[i], high);
    while (++i < n) {
        rest = n - 1 - i;
        const uint32_t low_next = rest ? slm_nfa_node(a) : to, high_next = rest ? slm_nfa_node(a) : to;
        digit(a, low, l[i] + 1, '9', free_node[rest]);
        digit(a, low, l[i], l[i], low_next);
        digit(a, high, '0', h[i] - 1, free_node[rest]);
        digit(a, high, h[i], h[i], high_next);
        low = low_next;
        high = high_next;
    }
}

/* lo .. hi without sign and leading zeros. */
static void magnitude(slm_nfa *a, uint32_t from, uint64_t lo, uint64_t hi, uint32_t to)
{
    uint64_t begin = 0, end = 9;
    for (size_t n = 1; n <= DIGITS && lo <= hi; n++) {
        const uint64_t l = lo > begin ? lo : begin, h = hi < end ? hi : end;
        if (l <= h)
            same_length(a, from, l, h, n, to);
        begin = end + 1;
        end = end * 10 + 9;
    }
}

/* A bound's distance from 0, or the most there is. */
static uint64_t size_of(double v)
{
    v = fabs(v);
    return v < 1e15 ? (uint64_t)v : most;
}

void slm_number_integer(slm_nfa *a, const slm_bounds *b, uint32_t from, uint32_t to)
{
    if (b->hi >= 0)
        magnitude(a, from, b->lo > 0 ? size_of(b->lo) : 0, size_of(b->hi), to);
    if (b->lo < 0 && b->lo <= b->hi) {
        const uint32_t minus = slm_nfa_node(a);
        slm_nfa_bytes(a, from, '-', '-', minus);
        magnitude(a, minus, b->hi < 0 ? size_of(b->hi) : 1, size_of(b->lo), to);
    }
}

/* . and 1 to n digits, the last of them from `least` on. */
static void fraction(slm_nfa *a, uint32_t from, size_t n, uint8_t least, uint32_t to)
{
    uint32_t at = slm_nfa_node(a);
    slm_nfa_bytes(a, from, '.', '.', at);
    for (size_t i = 0; i < n; i++) {
        slm_nfa_bytes(a, at, least, '9', to);
        if (i + 1 < n) {
            const uint32_t next = slm_nfa_node(a);
            slm_nfa_bytes(a, at, '0', '9', next);
            at = next;
        }
    }
}

/* Sizes from lo to hi (open: without it), on one side of 0. */
static void side(slm_nfa *a, uint32_t from, uint64_t lo, bool lo_open, uint64_t hi, bool hi_open, size_t places, uint32_t to)
{
    if (lo < hi) {
        const uint32_t whole = slm_nfa_node(a);
        if (lo + lo_open <= hi - 1)
            magnitude(a, from, lo + lo_open, hi - 1, whole);
        slm_nfa_empty(a, whole, to);
        fraction(a, whole, places, '0', to);
        if (lo_open) {                          /* between lo and the next integer: a digit that is not 0 */
            const uint32_t least = slm_nfa_node(a);
            magnitude(a, from, lo, lo, least);
            fraction(a, least, places, '1', to);
        }
    }
    if (!hi_open && (lo < hi || !lo_open))
        magnitude(a, from, hi, hi, to);
}

static void exponent(slm_nfa *a, uint32_t from, uint32_t to)
{
    const uint32_t sign = slm_nfa_node(a), first = slm_nfa_node(a), second = slm_nfa_node(a);
    slm_nfa_bytes(a, from, 'e', 'e', sign);
    slm_nfa_bytes(a, from, 'E', 'E', sign);
    slm_nfa_bytes(a, sign, '+', '+', first);
    slm_nfa_bytes(a, sign, '-', '-', first);
    slm_nfa_empty(a, sign, first);
    slm_nfa_bytes(a, first, '0', '9', second);
    slm_nfa_bytes(a, second, '0', '9', to);
    slm_nfa_empty(a, second, to);
}

void slm_number_any(slm_nfa *a, const slm_bounds *b, uint32_t from, uint32_t to)
{
    const bool bound = b->lo > -INFINITY || b->hi < INFINITY;
    const uint32_t end = bound ? to : slm_nfa_node(a);
    const size_t places = bound ? 6 : 16;
    if (b->hi > 0 || (b->hi >= 0 && b->lo <= 0))
        side(a, from, b->lo > 0 ? size_of(b->lo) : 0, b->lo >= 0 && b->lo_open, size_of(b->hi), b->hi_open, places, end);
    if (b->lo < 0 && b->lo <= b->hi) {
        const uint32_t minus = slm_nfa_node(a);
        slm_nfa_bytes(a, from, '-', '-', minus);
        side(a, minus, b->hi < 0 ? size_of(b->hi) : 0, b->hi >= 0 || b->hi_open, size_of(b->lo), b->lo_open, places, end);
    }
    if (!bound) {
        exponent(a, end, to);
        slm_nfa_empty(a, end, to);
    }
}
