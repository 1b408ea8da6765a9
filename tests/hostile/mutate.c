/* mutate.c -- a good file bent: cut, every field set to what fields are attacked with, every record doubled, dropped, swapped. */
#include "hostile/hostile.h"

#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 200, MOST_BYTES = 1 << 22 };

/* The file that is being made. Static: the run has a small stack. */
static uint8_t out[MOST_BYTES];
static char label[160];

static size_t put(size_t at, const void *bytes, size_t n)
{
    if (n > sizeof out - at)
        broken("%s: a bent file of more than %d bytes", label, MOST_BYTES);
    if (n)
        memcpy(out + at, bytes, n);
    return at + n;
}

static void put_le(uint8_t *at, uint64_t v, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *at, size_t width)
{
    uint64_t v = 0;
    for (size_t i = width; i > 0; i--)
        v = v << 8 | at[i - 1];
    return v;
}

/* A replaced piece of the file. */
typedef struct splice {
    size_t at, n;               /* what goes */
    const void *with;           /* what comes: [size] */
    size_t size;
} splice;

/* Adds delta to the field `index` of the file in out, whose bytes from p->at + p->n on have moved. A varint keeps its one byte. */
static void adjust(const specimen *s, const splice *p, int index, int64_t delta)
{
    if (index == NONE)
        return;
    const span *f = &s->fields[index];
    const size_t at = f->at >= p->at + p->n ? f->at - p->n + p->size : f->at;
    put_le(out + at, get_le(out + at, f->n) + (uint64_t)delta, f->n);
}

/* The file with one piece replaced; what lies behind the head moves to the next multiple of align. Gives its size. */
static size_t build(const specimen *s, const splice *p, int length)
{
    const uint8_t *file = s->file.data;
    size_t n = put(0, file, p->at);
    n = put(n, p->with, p->size);
    if (p->at + p->n > s->head || s->head == s->file.size) {
        n = put(n, file + p->at + p->n, s->file.size - p->at - p->n);
    } else {
        n = put(n, file + p->at + p->n, s->head - p->at - p->n);
        size_t data = s->head;
        for (; s->align && data % s->align && data < s->file.size; data++)
            continue;
        for (; s->align && n % s->align;)
            n = put(n, "", 1);
        n = put(n, file + data, s->file.size - data);
    }
    adjust(s, p, length, (int64_t)p->size - (int64_t)p->n);
    return n;
}

/* ---- cuts ---- */

static void cut(const specimen *s, bent_fn *each, void *user)
{
    const size_t rest = s->file.size - s->head, step = rest > PLACES ? rest / PLACES : 1;
    for (size_t n = 0; n < s->file.size; n += n < s->head ? 1 : step) {
        (void)snprintf(label, sizeof label, "cut: at byte %zu", n);
        each(user, label, s->file.data, n);
    }
}

/* ---- fields ---- */

static const uint64_t numbers[] = {
    0, 1, 2, 3, 7, 12, 13, 255, 256, 65535, 65536, 65537, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x100000000,
    0x100000001, UINT64_C(0x7fffffffffffffff), UINT64_C(0x8000000000000000), UINT64_C(0xffffffffffffffe0), UINT64_C(0xffffffffffffffff),
    0x7fc00000, 0x7f800000, 0xff800000,             /* NaN and both infinities as floats */
};

/* Every limit of the library, one less, one more: once each. */
static const uint64_t limits[] = {
#define SLM_LIMIT(name, value, what) value,
#include "core/limits.def"
#undef SLM_LIMIT
};

static bool is_new(size_t i, uint64_t v)
{
    for (size_t k = 0; k < COUNT(numbers); k++)
        if (numbers[k] == v)
            return false;
    for (size_t k = 0; k < i; k++)
        if (v + 1 - limits[k] <= 2)
            return false;
    return true;
}

static const char *const values[] = {
    "0", "1", "-1", "2", "0.5", "-0", "64", "65", "255", "65535", "65537", "2147483647", "2147483648", "4294967295", "4294967296",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e308", "1e309", "-1e309", "1e-400", "NaN", "01",
    "true", "false", "null", "", "\"\"", "\"x\"", "\"\\u0000\"", "\"\\ud800\"", "\"\xff\"", "\"../x\"", "\"/etc/passwd\"", "[]", "{}", "[[]]",
    "{\"a\":0}", "[0,0,0,0,0]", "\"",
};

static const char *const words[] = {
    "", "0", "1", "-1", "65536", "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "1e999", "x", "none", "''", "'x'", "\"", "'", "(", ")", "[", "]", "{", "}", "{{", "}}", "{%", "%}", "|", "*", "+", "?", "\\", "\\x", "\\u0041",
    ".", "^", "$", "a-", "[z-a]", "{9999,10000}", "\xff", "\xf0\x9f\x98\x80", "\x1b[2J", ("(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
    "(((((((((((((((((((((((((((((((((((((((((((((("), "not not", "a.b.c", "range(9999999)", "loop", "x*9", "is none", "if", "endif", "endfor", "for x in y",
};

static size_t varint(uint8_t bytes[10], uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    return n;
}

static void attack_number(const specimen *s, const span *f, uint64_t v, bent_fn *each, void *user)
{
    uint8_t bytes[10];
    splice p = { f->at, f->n, bytes, f->n };
    if (f->form == LE && f->n < 8 && v >> (8 * f->n))
        return;
    if (f->form == LE)
        put_le(bytes, v, f->n);
    else
        p.size = varint(bytes, v);
    (void)snprintf(label, sizeof label, "field: %s at %zu = %" PRIu64, f->what, f->at, v);
    each(user, label, out, build(s, &p, f->length));
}

static void attack_text(const specimen *s, const span *f, const char *with, bent_fn *each, void *user)
{
    const splice p = { f->at, f->n, with, strlen(with) };
    (void)snprintf(label, sizeof label, "field: %s at %zu = %.40s", f->what, f->at, with);
    each(user, label, out, build(s, &p, f->length));
}

static void attack_fields(const specimen *s, bent_fn *each, void *user)
{
    for (const span *f = s->fields; f < s->fields + s->n_fields; f++)
        if (f->form == LE || f->form == VARINT) {
            const uint64_t old = f->form == LE ? get_le(s->file.data + f->at, f->n) : s->file.data[f->at];
            const uint64_t mask = f->n < 8 && f->form == LE ? (UINT64_C(1) << 8 * f->n) - 1 : UINT64_MAX;
            for (size_t i = 0; i < COUNT(numbers); i++)
                attack_number(s, f, numbers[i], each, user);
            for (size_t i = 0; i < 3 * COUNT(limits); i++)
                if (is_new(i / 3, limits[i / 3] + i % 3 - 1))
                    attack_number(s, f, limits[i / 3] + i % 3 - 1, each, user);
            attack_number(s, f, (old + 1) & mask, each, user);
            attack_number(s, f, (old - 1) & mask, each, user);
        } else {
            for (size_t i = 0; i < (f->form == JSON ? COUNT(values) : COUNT(words)); i++)
                attack_text(s, f, f->form == JSON ? values[i] : words[i], each, user);
            for (size_t i = 0; i < 3 * COUNT(limits); i++)
                if (is_new(i / 3, limits[i / 3] + i % 3 - 1)) {
                    char digits[24];
                    (void)snprintf(digits, sizeof digits, "%" PRIu64, limits[i / 3] + i % 3 - 1);
                    attack_text(s, f, digits, each, user);
                }
        }
}

/* ---- records ---- */

/* What stands between two records. */
static const char *between(const span *r)
{
    return r->form == JSON ? "," : "";
}

/* Once with the number that counts them as it was, once made to fit. */
static void emit(const specimen *s, const span *r, const splice *p, const char *what, int64_t more, bent_fn *each, void *user)
{
    size_t n = build(s, p, r->length);
    (void)snprintf(label, sizeof label, "record: %s at %zu %s", r->what, r->at, what);
    each(user, label, out, n);
    if (!more || r->count == NONE)
        return;
    n = build(s, p, r->length);
    adjust(s, p, r->count, more);
    (void)snprintf(label, sizeof label, "record: %s at %zu %s and counted", r->what, r->at, what);
    each(user, label, out, n);
}

static uint8_t both[1 << 20];

static void bend_record(const specimen *s, const span *r, bent_fn *each, void *user)
{
    const uint8_t *file = s->file.data;
    const size_t sep = strlen(between(r));
    if (2 * r->n + sep > sizeof both)
        broken("%s: a record of %zu bytes", r->what, r->n);
    memcpy(both, file + r->at, r->n);
    memcpy(both + r->n, between(r), sep);
    memcpy(both + r->n + sep, file + r->at, r->n);
    emit(s, r, &(splice){ r->at, r->n, both, 2 * r->n + sep }, "doubled", 1, each, user);
    size_t from = r->at, n = r->n;
    if (sep && from + n < s->file.size && file[from + n] == ',')
        n++;
    else if (sep && from > 0 && file[from - 1] == ',')
        from--, n++;
    emit(s, r, &(splice){ from, n, "", 0 }, "dropped", -1, each, user);
    if (r->next == NONE)
        return;
    const span *b = &s->records[r->next];
    const size_t gap = b->at - r->at - r->n;
    if (b->n + gap + r->n > sizeof both)
        broken("%s: a record of %zu bytes", r->what, r->n);
    memcpy(both, file + b->at, b->n);
    memcpy(both + b->n, file + r->at + r->n, gap);
    memcpy(both + b->n + gap, file + r->at, r->n);
    emit(s, r, &(splice){ r->at, b->at + b->n - r->at, both, b->n + gap + r->n }, "swapped with the next", 0, each, user);
}

/* ---- all ---- */

void bend(const specimen *s, bent_fn *each, void *user)
{
    each(user, "whole: as it is", s->file.data, s->file.size);
    cut(s, each, user);
    attack_fields(s, each, user);
    for (int i = 0; i < s->n_records; i++)
        bend_record(s, &s->records[i], each, user);
}

void bend_bits(const specimen *s, bent_fn *each, void *user)
{
    memcpy(out, s->file.data, s->file.size);
    for (size_t bit = 0; bit < s->head * 8; bit++) {
        out[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)snprintf(label, sizeof label, "bit: %zu of byte %zu flipped", bit % 8, bit / 8);
        each(user, label, out, s->file.size);
        out[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
