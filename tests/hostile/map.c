/* map.c -- where the fields and records of a good file stand, found without the library's readers. */
#include "hostile/hostile.h"

#include "core/cursor.h"
#include "format/keys.h"

#include <stdio.h>

static span *new_span(span *list, int *n, size_t at, size_t bytes, enum form form, int length, const char *label, va_list args)
{
    if (*n == MOST_SPANS)
        broken("more than %d fields or records", MOST_SPANS);
    span *p = &list[(*n)++];
    *p = (span){ .at = at, .n = bytes, .form = form, .length = length, .count = NONE, .next = NONE };
    (void)vsnprintf(p->what, sizeof p->what, label, args);
    return p;
}

int note_field(specimen *s, size_t at, size_t n, enum form form, int length, const char *label, ...)
{
    va_list args;
    va_start(args, label);
    (void)new_span(s->fields, &s->n_fields, at, n, form, length, label, args);
    va_end(args);
    return s->n_fields - 1;
}

int note_record(specimen *s, size_t at, size_t n, enum form form, int length, int count, const char *label, ...)
{
    va_list args;
    va_start(args, label);
    new_span(s->records, &s->n_records, at, n, form, length, label, args)->count = count;
    va_end(args);
    return s->n_records - 1;
}

/* The record before this one of the same list. */
static void link_records(specimen *s, int before, int record)
{
    if (before != NONE)
        s->records[before].next = record;
}

/* ---- GGUF ---- */

enum { STRINGS = 3 };       /* lengths noted of an array's strings: the others are read by the same line */

static uint64_t number(specimen *s, slm_cursor *c, size_t width, const char *what, uint64_t index)
{
    (void)note_field(s, c->pos, width, LE, NONE, "%s %" PRIu64, what, index);
    return slm_le(slm_cursor_take(c, width), (int)width);
}

static void map_key(specimen *s, slm_cursor *c, uint64_t i)
{
    (void)slm_cursor_take(c, number(s, c, 8, "length of the name of key", i));
    uint64_t type = number(s, c, 4, "type of key", i), count = 1;
    const bool array = type == SLM_KEY_ARRAY;
    if (array) {
        type = number(s, c, 4, "element type of key", i);
        count = number(s, c, 8, "count of key", i);
    }
    for (uint64_t e = 0; e < count; e++) {
        const size_t width = slm_key_type_bytes((uint32_t)type);
        if (type == SLM_KEY_STRING)
            (void)slm_cursor_take(c, e < STRINGS ? number(s, c, 8, "length of a string of key", i) : slm_cursor_u64(c));
        else if (array && e >= STRINGS)
            (void)slm_cursor_take(c, width);
        else
            (void)number(s, c, width, array ? "element of key" : "value of key", i);
    }
}

/* n records of one kind in a row, each of them passed over by `map`. counted: the field that says n. */
static void map_records(specimen *s, slm_cursor *c, uint64_t n, int counted, const char *what, void map(specimen *, slm_cursor *, uint64_t))
{
    int before = NONE;
    for (uint64_t i = 0; i < n; i++) {
        const size_t at = c->pos;
        map(s, c, i);
        const int record = note_record(s, at, c->pos - at, LE, NONE, counted, "%s %" PRIu64, what, i);
        link_records(s, before, record);
        before = record;
    }
    if (c->bad != SIZE_MAX)
        broken("a good file ends early, at byte %zu", c->bad);
}

static void map_tensor(specimen *s, slm_cursor *c, uint64_t i)
{
    (void)slm_cursor_take(c, number(s, c, 8, "length of the name of tensor", i));
    const uint64_t dims = number(s, c, 4, "dimensions of tensor", i);
    for (uint64_t d = 0; d < dims; d++)
        (void)number(s, c, 8, "a dimension of tensor", i);
    (void)number(s, c, 4, "type of tensor", i);
    (void)number(s, c, 8, "offset of tensor", i);
}

void map_gguf(specimen *s)
{
    slm_cursor c = slm_cursor_over(s->file.data, s->file.size);
    (void)number(s, &c, 4, "magic", 0);
    (void)number(s, &c, 4, "version", 0);
    const int tensors = s->n_fields, keys = tensors + 1;
    const uint64_t n_tensors = number(s, &c, 8, "tensors", 0), n_keys = number(s, &c, 8, "keys", 0);
    map_records(s, &c, n_keys, keys, "key", map_key);
    map_records(s, &c, n_tensors, tensors, "tensor", map_tensor);
    s->head = c.pos;
    s->align = 32;
}

/* ---- packed files ---- */

static void map_packed_tensor(specimen *s, slm_cursor *c, uint64_t i)
{
    (void)slm_cursor_take(c, number(s, c, 8, "length of the name of tensor", i));
    (void)number(s, c, 4, "type of tensor", i);
    const uint64_t dims = number(s, c, 4, "dimensions of tensor", i);
    for (uint64_t d = 0; d < dims; d++)
        (void)number(s, c, 8, "a dimension of tensor", i);
    (void)number(s, c, 8, "offset of tensor", i);
    (void)number(s, c, 8, "bytes of tensor", i);
    (void)number(s, c, 8, "hash of tensor", i);
}

void map_packed(specimen *s)
{
    static const struct { const char *what; uint8_t width; } head[] = {
        { "magic", 8 }, { "version", 4 }, { "bytes of the head", 4 }, { "bytes of the file", 8 }, { "id", 8 }, { "layout", 4 }, { "tensors", 4 },
        { "keys", 4 }, { "reserved", 4 }, { "offset of the keys", 8 }, { "bytes of the keys", 8 }, { "hash of the keys", 8 },
        { "offset of the table", 8 }, { "bytes of the table", 8 }, { "hash of the table", 8 }, { "zeros", 8 },
    };
    slm_cursor c = slm_cursor_over(s->file.data, s->file.size);
    uint64_t values[COUNT(head)];
    int tensors = NONE, keys = NONE;
    for (size_t i = 0; i < COUNT(head); i++) {
        if (!strcmp(head[i].what, "layout"))
            c.pos = 88;                         /* behind the id, of which the first bytes are a field */
        if (!strcmp(head[i].what, "tensors"))
            tensors = s->n_fields, keys = tensors + 1;
        values[i] = number(s, &c, head[i].width, head[i].what, i);
    }
    (void)note_field(s, 248, 8, LE, NONE, "hash of the head");
    c.pos = (size_t)values[9];
    map_records(s, &c, values[7], keys, "key", map_key);
    c.pos = (size_t)values[12];
    map_records(s, &c, values[6], tensors, "tensor", map_packed_tensor);
    s->head = (size_t)(values[12] + values[13]);
    s->align = 64;
}

/* ---- JSON ---- */

enum { LEVELS = 16 };

typedef struct level {
    size_t begin, member;       /* of the container, of its present member */
    int before;                 /* record */
    bool object;
    char what[24];
} level;

static size_t skip_space(const char *t, size_t p, size_t end)
{
    while (p < end && (t[p] == ' ' || t[p] == '\n' || t[p] == '\t' || t[p] == '\r'))
        p++;
    return p;
}

/* Behind the string or bare word at p. */
static size_t skip_scalar(const char *t, size_t p, size_t end)
{
    if (t[p] != '"') {
        while (p < end && !strchr(",]} \n\t\r", t[p]))
            p++;
        return p;
    }
    for (p++; t[p] != '"'; p++)
        p += t[p] == '\\';
    return p + 1;
}

/* Expects sound JSON: it is ours. Values are noted when they end, so that containers are fields too. */
void map_json(specimen *s, size_t at, size_t n, int length)
{
    const char *t = (const char *)s->file.data;
    const size_t end = at + n;
    level stack[LEVELS];
    size_t depth = 0;
    for (size_t p = skip_space(t, at, end); p < end;) {
        level *top = depth ? &stack[depth - 1] : NULL;
        size_t begin = p;
        if (top && (t[p] == '}' || t[p] == ']')) {
            p++;
            (void)note_field(s, top->begin, p - top->begin, JSON, length, "%s", depth > 1 ? stack[depth - 2].what : "all");
            depth--;
            top = depth ? &stack[depth - 1] : NULL;
        } else {
            if (top && top->object && t[p] == '"' && p >= top->member) {
                top->member = p;
                const size_t after = skip_scalar(t, p, end);
                (void)snprintf(top->what, sizeof top->what, "%.*s", (int)(after - p - 2), t + p + 1);
                (void)note_field(s, p, after - p, JSON, length, "key %s", top->what);
                begin = p = skip_space(t, skip_space(t, after, end) + 1, end);
            }
            if (t[p] == '{' || t[p] == '[') {
                if (depth == LEVELS)
                    broken("JSON of more than %d levels", LEVELS);
                stack[depth] = (level){ .begin = p, .before = NONE, .object = t[p] == '{' };
                (void)snprintf(stack[depth].what, sizeof stack[depth].what, "%s", top ? top->what : "element");
                depth++;
                p = skip_space(t, p + 1, end);
                stack[depth - 1].member = p;
                continue;
            }
            p = skip_scalar(t, p, end);
            (void)note_field(s, begin, p - begin, JSON, length, "%s", top ? top->what : "all");
        }
        if (top) {              /* a member or element ends */
            const int record = note_record(s, top->member, p - top->member, JSON, length, NONE, "%s", top->what);
            link_records(s, top->before, record);
            top->before = record;
        }
        p = skip_space(t, p, end);
        if (p < end && t[p] == ',') {
            p = skip_space(t, p + 1, end);
            if (top)
                top->member = p;
        }
    }
    if (!s->head)
        s->head = s->file.size;
}

/* ---- other text ---- */

void map_text(specimen *s, const char *open, const char *close)
{
    const char *t = (const char *)s->file.data;
    int before = NONE;
    for (size_t p = 0; p < s->file.size;) {
        size_t n = 0;
        while (p + n < s->file.size && (t[p + n] == '_' || (t[p + n] >= '0' && t[p + n] <= '9') || ((t[p + n] | 32) >= 'a' && (t[p + n] | 32) <= 'z')))
            n++;
        if (n)
            (void)note_field(s, p, n, WORD, NONE, "%.*s at %zu", (int)(n < 24 ? n : 24), t + p, p);
        p += n ? n : 1;
    }
    for (size_t p = 0; p < s->file.size;) {
        const char *begin = open ? memmem(t + p, s->file.size - p, open, strlen(open)) : t + p;
        const char *end = begin && close ? memmem(begin, s->file.size - (size_t)(begin - t), close, strlen(close)) : begin;
        if (!end)
            break;
        const size_t from = (size_t)(begin - t), to = (size_t)(end - t) + (close ? strlen(close) : 1);
        const int record = note_record(s, from, to - from, WORD, NONE, NONE, "piece at %zu", from);
        link_records(s, before, record);
        before = record;
        p = to;
    }
    s->head = s->file.size;
}
