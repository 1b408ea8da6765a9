/* value.c -- values of chat templates: the store they live in, strings that know their origin, lists, dicts, equality and order.
 *
 * A text chunk is two arrays of the same length, the bytes and, at a fixed distance, the kind of each byte. A string that ends where its
 * chunk's text ends can therefore grow in place: `a + b + c`, and text gathered in a loop, cost what they add and not what they
 * hold. Older values that share the bytes keep their own length. */
#include "text/value.h"

#include "core/size.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the store ---- */

enum { CHUNK = 32 << 10, SMALL = 8 };

struct slm_chunk {
    slm_chunk *next;
    size_t used, room;
};

static uint8_t *chunk_data(slm_chunk *c)
{
    return (uint8_t *)c + 64;           /* a cache line for the head keeps the data aligned */
}

void slm_store_init(slm_store *store, slm_heap *heap, uint64_t fuel, slm_error *err)
{
    *store = (slm_store){ heap, NULL, NULL, fuel, 0, err };
}

static void free_chunks(slm_heap *heap, slm_chunk *c)
{
    while (c) {
        slm_chunk *next = c->next;
        slm_heap_free(heap, c);
        c = next;
    }
}

void slm_store_free(slm_store *store)
{
    free_chunks(store->heap, store->values);
    free_chunks(store->heap, store->texts);
    store->values = store->texts = NULL;
}

slm_status slm_store_fail(slm_store *store, slm_status status, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!store->line)
        return slm_fail(store->err, status, "%s", text);
    return slm_fail(store->err, status, "template: line %u: %s", store->line, text);
}

static slm_chunk *new_chunk(slm_store *store, slm_chunk **list, size_t room, size_t each)
{
    size_t bytes;
    slm_chunk *c = NULL;
    if (slm_size_mul(room, each, &bytes) && slm_size_add(bytes, 64, &bytes))
        c = slm_heap_alloc(store->heap, bytes);
    if (!c) {
        (void)slm_store_fail(store, SLM_E_MEMORY, "no memory for %zu more bytes", room);
        return NULL;
    }
    *c = (slm_chunk){ *list, 0, room };
    *list = c;
    return c;
}

void *slm_store_take(slm_store *store, size_t n, size_t each)
{
    size_t bytes;
    slm_chunk *c = store->values;
    if (!slm_size_mul(n, each, &bytes) || !slm_size_add(bytes, 15, &bytes)) {
        (void)slm_store_fail(store, SLM_E_MEMORY, "no memory for %zu values", n);
        return NULL;
    }
    bytes &= ~(size_t)15;
    if ((!c || bytes > c->room - c->used) && !(c = new_chunk(store, &store->values, slm_max(CHUNK, bytes), 1)))
        return NULL;
    uint8_t *at = chunk_data(c) + c->used;
    c->used += bytes;
    return at;
}

slm_status slm_store_spend(slm_store *store, size_t bytes)
{
    const uint64_t steps = 1 + bytes / 64;
    if (steps > store->fuel) {
        store->fuel = 0;
        return slm_store_fail(store, SLM_E_LIMIT, "the fuel is gone: the template runs too long");
    }
    store->fuel -= steps;
    return SLM_OK;
}

/* ---- making strings ---- */

slm_text slm_text_begin(slm_store *store)
{
    return (slm_text){ store, store->texts ? store->texts->used : 0, 0, SLM_OK };
}

/* Room for n more bytes; what is there already moves along if a new chunk is needed. */
static bool text_room(slm_text *t, size_t n)
{
    slm_store *store = t->store;
    slm_chunk *old = store->texts;
    if (t->status)
        return false;
    if (n > SLM_LIMIT_TEXT_BYTES - t->n) {
        t->status = slm_store_fail(store, SLM_E_LIMIT, "a string of more than %d bytes", SLM_LIMIT_TEXT_BYTES);
        return false;
    }
    if ((t->status = slm_store_spend(store, n)))
        return false;
    if (old && n <= old->room - old->used)
        return true;
    slm_chunk *c = new_chunk(store, &store->texts, slm_max(CHUNK, (t->n + n) * 2), 2);
    if (!c) {
        t->status = SLM_E_MEMORY;
        return false;
    }
    if (t->n) {
        memcpy(chunk_data(c), chunk_data(old) + t->start, t->n);
        memcpy(chunk_data(c) + c->room, chunk_data(old) + old->room + t->start, t->n);
        old->used = t->start;
    }
    c->used = t->n;
    t->start = 0;
    return true;
}

static void text_grow(slm_text *t, const void *bytes, size_t n, const uint8_t *kinds, int kind)
{
    if (!n || !text_room(t, n))
        return;
    slm_chunk *c = t->store->texts;
    uint8_t *at = chunk_data(c) + c->used;
    memcpy(at, bytes, n);
    if (kinds)
        memcpy(at + c->room, kinds, n);
    else
        memset(at + c->room, kind, n);
    c->used += n;
    t->n += n;
}

slm_text slm_text_after(slm_store *store, const slm_value *string)
{
    slm_chunk *c = store->texts;
    if (c && string->n && string->kinds && string->as.text + string->n == chunk_data(c) + c->used && string->kinds == string->as.text + c->room)
        return (slm_text){ store, c->used - string->n, string->n, SLM_OK };
    slm_text t = slm_text_begin(store);
    slm_text_put(&t, string);
    return t;
}

void slm_text_add(slm_text *t, const void *bytes, size_t n, int kind)
{
    text_grow(t, bytes, n, NULL, kind);
}

void slm_text_part(slm_text *t, const slm_value *string, size_t from, size_t to)
{
    text_grow(t, string->as.text + from, to - from, string->kinds ? string->kinds + from : NULL, string->kind);
}

void slm_text_put(slm_text *t, const slm_value *string)
{
    if (string->n)
        slm_text_part(t, string, 0, string->n);
}

slm_status slm_text_end(slm_text *t, slm_value *out)
{
    if (t->status)
        return t->status;
    if (!t->n) {
        *out = slm_string("", 0, SLM_CONTENT);
        return SLM_OK;
    }
    slm_chunk *c = t->store->texts;
    *out = slm_string(chunk_data(c) + t->start, t->n, SLM_CONTENT);
    out->kinds = out->as.text + c->room;
    return SLM_OK;
}

/* ---- strings ---- */

slm_value slm_string_part(const slm_value *string, size_t from, size_t to)
{
    slm_value part = *string;
    part.as.text += from;
    part.n = (uint32_t)(to - from);
    if (part.kinds)
        part.kinds += from;
    return part;
}

bool slm_string_is(const slm_value *v, const char *text)
{
    const size_t n = strlen(text);
    return v->type == SLM_V_STRING && v->n == n && memcmp(v->as.text, text, n) == 0;
}

int slm_string_compare(const slm_value *a, const slm_value *b)
{
    const int c = memcmp(a->as.text, b->as.text, slm_min(a->n, b->n));     /* UTF-8 sorts like its code points */
    return c ? (c < 0 ? -1 : 1) : (a->n > b->n) - (a->n < b->n);
}

size_t slm_string_points(const slm_value *string)
{
    size_t points = 0;
    for (size_t i = 0; i < string->n; i++)
        points += (string->as.text[i] & 0xc0) != 0x80;
    return points;
}

size_t slm_string_byte(const slm_value *string, size_t index)
{
    size_t i = 0;
    for (; i < string->n; i++)
        if ((string->as.text[i] & 0xc0) != 0x80 && index-- == 0)
            break;
    return i;
}

bool slm_is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0d) || (cp >= 0x1c && cp <= 0x20) || cp == 0x85 || cp == 0xa0 || cp == 0x1680
        || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

static bool strips(const uint8_t *at, size_t n, const slm_value *set)
{
    uint32_t cp;
    bool ok;
    if (!set) {
        (void)slm_utf8_next(at, n, &cp, &ok);
        return slm_is_space(cp);
    }
    for (size_t i = 0; i + n <= set->n; i++)        /* a whole code point is found at a code point's start only */
        if (memcmp(set->as.text + i, at, n) == 0)
            return true;
    return false;
}

slm_value slm_string_strip(const slm_value *string, const slm_value *set, int sides)
{
    size_t from = 0, to = string->n;
    const uint8_t *s = string->as.text;
    while (sides & 1 && from < to) {
        uint32_t cp;
        bool ok;
        const size_t n = slm_utf8_next(s + from, to - from, &cp, &ok);
        if (!strips(s + from, n, set))
            break;
        from += n;
    }
    while (sides & 2 && to > from) {
        size_t at = to - 1;
        while (at > from && (s[at] & 0xc0) == 0x80)
            at--;
        if (!strips(s + at, to - at, set))
            break;
        to = at;
    }
    return slm_string_part(string, from, to);
}

size_t slm_string_find(const slm_value *string, size_t from, const slm_value *part)
{
    if (from > string->n || part->n > string->n - from)
        return SIZE_MAX;
    if (!part->n)
        return from;
    const uint8_t *found = memmem(string->as.text + from, string->n - from, part->as.text, part->n);
    return found ? (size_t)(found - string->as.text) : SIZE_MAX;
}

/* ---- lists and dicts ---- */

static uint32_t depth_of(const slm_value *v)
{
    return v->type == SLM_V_LIST ? v->as.list->depth : v->type == SLM_V_DICT ? v->as.dict->depth : 0;
}

static slm_status depth_over(slm_store *store, const slm_value *items, size_t n, uint32_t *depth)
{
    *depth = 0;
    for (size_t i = 0; i < n; i++)
        *depth = (uint32_t)slm_max(*depth, depth_of(&items[i]));
    if (++*depth > SLM_LIMIT_VALUE_DEPTH)
        return slm_store_fail(store, SLM_E_LIMIT, "a value nested more than %d deep", SLM_LIMIT_VALUE_DEPTH);
    return SLM_OK;
}

slm_status slm_list_adopt(slm_store *store, const slm_value *items, size_t n, bool tuple, slm_value *out)
{
    uint32_t depth;
    if (n > UINT32_MAX)
        return slm_store_fail(store, SLM_E_LIMIT, "a list of %zu items", n);
    slm_status status = depth_over(store, items, n, &depth);
    if (status)
        return status;
    slm_list *list = slm_store_take(store, 1, sizeof *list);
    if (!list)
        return SLM_E_MEMORY;
    *list = (slm_list){ items, (uint32_t)n, depth, tuple };
    *out = (slm_value){ .type = SLM_V_LIST, .as.list = list };
    return SLM_OK;
}

slm_status slm_list_make(slm_store *store, const slm_value *items, size_t n, bool tuple, slm_value *out)
{
    slm_value *copy = slm_store_take(store, n, sizeof *copy);
    if (!copy)
        return SLM_E_MEMORY;
    if (n)
        memcpy(copy, items, n * sizeof *copy);
    slm_status status = slm_store_spend(store, n * sizeof *copy);
    return status ? status : slm_list_adopt(store, copy, n, tuple, out);
}

static int key_order(const slm_value *key, const void *bytes, size_t n)
{
    if (key->n != n)
        return key->n < n ? -1 : 1;
    return n ? memcmp(key->as.text, bytes, n) : 0;
}

/* Heap sort: no memory, no recursion, n log n on any keys. */
static void sift(uint32_t *order, size_t at, size_t n, const slm_value *keys)
{
    const uint32_t moved = order[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && key_order(&keys[order[child]], keys[order[child + 1]].as.text, keys[order[child + 1]].n) < 0)
            child++;
        if (key_order(&keys[order[child]], keys[moved].as.text, keys[moved].n) <= 0)
            break;
        order[at] = order[child];
    }
    order[at] = moved;
}

static void sort_keys(uint32_t *order, size_t n, const slm_value *keys)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n / 2; i > 0; i--)
        sift(order, i - 1, n, keys);
    for (size_t left = n; left > 1; left--) {
        const uint32_t top = order[0];
        order[0] = order[left - 1];
        order[left - 1] = top;
        sift(order, 0, left - 1, keys);
    }
}

const slm_value *slm_dict_find(const slm_dict *d, const void *key, size_t n)
{
    if (!d->order) {
        for (size_t i = 0; i < d->n; i++)
            if (key_order(&d->keys[i], key, n) == 0)
                return &d->values[i];
        return NULL;
    }
    size_t from = 0, to = d->n;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        const int c = key_order(&d->keys[d->order[middle]], key, n);
        if (c == 0)
            return &d->values[d->order[middle]];
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

/* Keys that occur twice: each key's first place keeps the last value, as in Python. */
static slm_status drop_twins(slm_store *store, slm_value *keys, slm_value *values, size_t *n, bool last)
{
    size_t kept = 0;
    char shown[SLM_SHOWN];
    for (size_t i = 0; i < *n; i++) {
        size_t at = 0;
        while (at < kept && key_order(&keys[at], keys[i].as.text, keys[i].n) != 0)
            at++;
        if (at < kept && !last)
            return slm_store_fail(store, SLM_E_FORMAT, "conversation: the key '%s' stands twice in one object, as number %zu and %zu",
                                  slm_shown(shown, keys[i].as.text, keys[i].n), at, i);
        slm_status status = slm_store_spend(store, kept * 8);
        if (status)
            return status;
        values[at] = values[i];
        if (at == kept)
            keys[kept++] = keys[i];
    }
    *n = kept;
    return SLM_OK;
}

slm_status slm_dict_make(slm_store *store, const slm_value *pairs, size_t n, bool last, slm_value *out)
{
    uint32_t depth = 0, *order = NULL;
    if (n > UINT32_MAX)
        return slm_store_fail(store, SLM_E_LIMIT, "a mapping of %zu keys", n);
    slm_dict *dict = slm_store_take(store, 1, sizeof *dict);
    slm_value *keys = slm_store_take(store, 2 * n, sizeof *keys), *values = keys + n;
    if (!dict || !keys)
        return SLM_E_MEMORY;
    for (size_t i = 0; i < n; i++) {
        if (pairs[2 * i].type != SLM_V_STRING)
            return slm_store_fail(store, SLM_E_UNSUPPORTED, "a mapping with a key that is no string but %s", slm_type_name(&pairs[2 * i]));
        keys[i] = pairs[2 * i];
        values[i] = pairs[2 * i + 1];
    }
    slm_status status = depth_over(store, values, n, &depth);
    if (status)
        return status;
    if (n > SMALL) {
        if (!(order = slm_store_take(store, n, sizeof *order)))
            return SLM_E_MEMORY;
        sort_keys(order, n, keys);
        bool twins = false;
        for (size_t i = 1; i < n; i++)
            twins = twins || key_order(&keys[order[i]], keys[order[i - 1]].as.text, keys[order[i - 1]].n) == 0;
        if (twins) {
            if ((status = drop_twins(store, keys, values, &n, last)))
                return status;
            sort_keys(order, n, keys);
        }
    } else if ((status = drop_twins(store, keys, values, &n, last))) {
        return status;
    }
    *dict = (slm_dict){ keys, values, order, (uint32_t)n, depth };
    *out = (slm_value){ .type = SLM_V_DICT, .as.dict = dict };
    return SLM_OK;
}

/* ---- what holds of values ---- */

bool slm_value_true(const slm_value *v)
{
    switch (v->type) {
    case SLM_V_UNSET: case SLM_V_UNDEFINED: case SLM_V_NONE: return false;
    case SLM_V_BOOL: case SLM_V_INT: return v->as.i != 0;
    case SLM_V_FLOAT:  return v->as.d != 0;
    case SLM_V_STRING: return v->n != 0;
    case SLM_V_LIST:   return v->as.list->n != 0;
    case SLM_V_DICT:   return v->as.dict->n != 0;
    default:           return true;
    }
}

const char *slm_type_name(const slm_value *v)
{
    static const char *const names[] = { "undefined", "undefined", "none", "bool", "int", "int", "float", "str", "list", "dict", "namespace",
                                         "function", "method", "macro", "loop" };
    return v->type == SLM_V_LIST && v->as.list->tuple ? "tuple" : names[v->type];
}

static int compare_doubles(double a, double b)
{
    return (a > b) - (a < b);
}

/* Exactly: an int64 need not be a double. */
static int compare_numbers(const slm_value *a, const slm_value *b)
{
    if (slm_is_int(a) && slm_is_int(b))
        return (a->as.i > b->as.i) - (a->as.i < b->as.i);
    if (a->type == SLM_V_FLOAT && b->type == SLM_V_FLOAT)
        return compare_doubles(a->as.d, b->as.d);
    if (a->type == SLM_V_FLOAT)
        return -compare_numbers(b, a);
    const double d = b->as.d;
    if (d >= 0x1p63 || d < -0x1p63)
        return d > 0 ? -1 : 1;
    const int64_t whole = (int64_t)d;
    return a->as.i != whole ? (a->as.i > whole ? 1 : -1) : compare_doubles(0, d - (double)whole);
}

static bool equal_scalars(const slm_value *a, const slm_value *b)
{
    if (slm_is_number(a) && slm_is_number(b))
        return compare_numbers(a, b) == 0;
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SLM_V_UNDEFINED: case SLM_V_NONE: return true;
    case SLM_V_STRING: case SLM_V_BIG: case SLM_V_METHOD: return a->n == b->n && memcmp(a->as.text, b->as.text, a->n) == 0;
    case SLM_V_FUNCTION: case SLM_V_MACRO: return a->as.i == b->as.i;
    default: return a->as.own == b->as.own;
    }
}

slm_status slm_value_equal(slm_store *store, const slm_value *a, const slm_value *b, bool *equal)
{
    struct { const slm_value *a, *b; uint32_t at; } stack[SLM_LIMIT_VALUE_DEPTH];
    size_t depth = 0;
    *equal = false;
    for (;;) {
        slm_status status = slm_store_spend(store, a->type == SLM_V_STRING && b->type == SLM_V_STRING && a->n == b->n ? a->n : 0);
        if (status)
            return status;
        if (a->type == SLM_V_LIST && b->type == SLM_V_LIST) {
            if (a->as.list->n != b->as.list->n || a->as.list->tuple != b->as.list->tuple)
                return SLM_OK;
        } else if (a->type == SLM_V_DICT && b->type == SLM_V_DICT) {
            if (a->as.dict->n != b->as.dict->n)
                return SLM_OK;
        } else if (!equal_scalars(a, b)) {
            return SLM_OK;
        }
        if (depth_of(a)) {
            stack[depth].a = a;
            stack[depth].b = b;
            stack[depth++].at = 0;
        }
        for (; depth; depth--) {            /* the next pair to compare, of the innermost that has one left */
            const slm_value *x = stack[depth - 1].a, *y = stack[depth - 1].b;
            const uint32_t at = stack[depth - 1].at++;
            if (x->type == SLM_V_LIST && at < x->as.list->n) {
                a = &x->as.list->items[at];
                b = &y->as.list->items[at];
                break;
            }
            if (x->type == SLM_V_DICT && at < x->as.dict->n) {
                a = &x->as.dict->values[at];
                if (!(b = slm_dict_find(y->as.dict, x->as.dict->keys[at].as.text, x->as.dict->keys[at].n)))
                    return SLM_OK;
                break;
            }
        }
        if (!depth) {
            *equal = true;
            return SLM_OK;
        }
    }
}

slm_status slm_value_order(slm_store *store, const slm_value *a, const slm_value *b, int *order)
{
    char shown[SLM_SHOWN];
    slm_status status = slm_store_spend(store, 0);
    if (status)
        return status;
    if (a->type == SLM_V_UNDEFINED || b->type == SLM_V_UNDEFINED) {
        const slm_value *u = a->type == SLM_V_UNDEFINED ? a : b;
        return slm_store_fail(store, SLM_E_FORMAT, "'%s' is undefined", slm_shown(shown, u->as.text, u->n));
    }
    if (a->type == SLM_V_STRING && b->type == SLM_V_STRING)
        *order = slm_string_compare(a, b);
    else if (slm_is_number(a) && slm_is_number(b))
        *order = compare_numbers(a, b);
    else
        return slm_store_fail(store, SLM_E_FORMAT, "%s and %s have no order", slm_type_name(a), slm_type_name(b));
    return SLM_OK;
}

slm_status slm_value_items(slm_store *store, const slm_value *v, const slm_value **items, size_t *n)
{
    *items = NULL;
    *n = 0;
    if (v->type == SLM_V_LIST) {
        *items = v->as.list->items;
        *n = v->as.list->n;
    } else if (v->type == SLM_V_DICT) {
        *items = v->as.dict->keys;
        *n = v->as.dict->n;
    } else if (v->type == SLM_V_STRING) {
        const size_t points = slm_string_points(v);
        slm_status status = slm_store_spend(store, points * sizeof(slm_value));
        slm_value *letters = status ? NULL : slm_store_take(store, points, sizeof *letters);
        if (!letters)
            return status ? status : SLM_E_MEMORY;
        for (size_t i = 0, at = 0; i < points; i++) {
            size_t end = at + 1;
            while (end < v->n && (v->as.text[end] & 0xc0) == 0x80)
                end++;
            letters[i] = slm_string_part(v, at, end);
            at = end;
        }
        *items = letters;
        *n = points;
    } else if (v->type != SLM_V_UNDEFINED) {
        return slm_store_fail(store, SLM_E_FORMAT, "%s is not iterable", slm_type_name(v));
    }
    return SLM_OK;
}
