/* schema.c -- a JSON schema as an automaton over the bytes of a JSON text.
 *
 * Every schema is put between two nodes; its parts become tasks on a stack, so nothing recurses. Nothing is left to be checked afterwards: the
 * length of strings, the count of elements, the bounds of integers, which members there are, all are states. What cannot be said so is
 * refused by name and place, and so is every keyword that is not known; only annotations are passed over.
 *
 * The texts are a part of those that validate, and all of them do: members stand in the order of the schema, each at most once; one blank
 * may follow a comma or a colon and no other stands anywhere; strings have no needless escapes. A maxLength beyond SLM_LIMIT_SCHEMA_LENGTH and a
 * maxItems beyond SLM_LIMIT_SCHEMA_ITEMS count as these. Recursive references are followed
 * SLM_LIMIT_SCHEMA_RECURSION times; behind that nothing fits, and freezing the automaton drops what leads there. "Anything" is any
 * value of SLM_LIMIT_SCHEMA_ANY levels.
 *
 *     object    E[i], C[i]: before member i, without and with a member before it (which needs the comma)
 *
 *               E0 --"a": v--> C1       C1 --,"b": v--> C2       E1 --"b": v--> C2       E2, C2 --}--> to
 *               E0 ----------> E1       C1 ----------> C2        (the empty ones where the member is not required)
 */
#include "session/constraint.h"
#include "session/regex.h"
#include "session/schema.h"
#include "session/schema_number.h"
#include "session/schema_value.h"

#include "core/size.h"

#include <math.h>

#define ANYTHING (SLM_NO_ID - 1)        /* in place of a schema */

typedef struct task {
    uint32_t schema;            /* value in the document; ANYTHING */
    uint32_t from, to;
    uint32_t chain;             /* references that led here; SLM_NO_ID: none */
    uint16_t depth, any;        /* levels above; levels of ANYTHING left */
} task;

typedef struct link {           /* a reference that was followed */
    uint32_t target, before;
} link;

typedef struct maker {
    slm_nfa *nfa;
    slm_document doc;
    slm_buf stack, chain;       /* task, link */
    slm_buf scratch;            /* nodes of an object, a name */
    slm_error *err;
} maker;

enum { NUL = 1, BOOL = 2, INTEGER = 4, FRACTION = 8, NUMBER = 12, STRING = 16, ARRAY = 32, OBJECT = 64, ALL = 127 };
enum { NOTE = 0, OWN = 1 << 8, UNKNOWN = 1 << 9 };

static const struct { const char *name; int type; } types[] = {
    { "null", NUL }, { "boolean", BOOL }, { "integer", INTEGER }, { "number", NUMBER }, { "string", STRING }, { "array", ARRAY },
    { "object", OBJECT },
};

/* Keywords: the types they speak of, OWN for what stands alone, NOTE for what says nothing about the value. */
static const struct { const char *name; int about; } keywords[] = {
    { "type", OWN }, { "enum", OWN }, { "const", OWN }, { "anyOf", OWN }, { "oneOf", OWN }, { "allOf", OWN }, { "$ref", OWN },
    { "properties", OBJECT }, { "required", OBJECT }, { "additionalProperties", OBJECT },
    { "items", ARRAY }, { "minItems", ARRAY }, { "maxItems", ARRAY },
    { "minLength", STRING }, { "maxLength", STRING }, { "pattern", STRING },
    { "minimum", NUMBER }, { "maximum", NUMBER }, { "exclusiveMinimum", NUMBER }, { "exclusiveMaximum", NUMBER },
    { "$schema", NOTE }, { "$id", NOTE }, { "$comment", NOTE }, { "$defs", NOTE }, { "definitions", NOTE }, { "$anchor", NOTE },
    { "title", NOTE }, { "description", NOTE }, { "default", NOTE }, { "examples", NOTE }, { "deprecated", NOTE },
    { "readOnly", NOTE }, { "writeOnly", NOTE }, { "format", NOTE }, { "contentEncoding", NOTE }, { "contentMediaType", NOTE },
};

static slm_status wrong(maker *m, slm_status status, uint32_t at, const char *keyword, const char *text)
{
    char place[160];
    return slm_fail_at(m->err, status, slm_value_at(&m->doc, at)->begin, "schema: %s: %s: %s", slm_value_place(&m->doc, at, place, sizeof place),
                       keyword, text);
}

static uint32_t member(maker *m, uint32_t schema, const char *keyword)
{
    return slm_value_member(&m->doc, schema, keyword, strlen(keyword));
}

static const slm_value *value(const maker *m, uint32_t number)
{
    return slm_value_at(&m->doc, number);
}

static uint32_t node(maker *m)
{
    return slm_nfa_node(m->nfa);
}

static void push(maker *m, const task *above, uint32_t schema, uint32_t from, uint32_t to, bool deeper)
{
    task t = *above;
    t.any = above->schema == ANYTHING && schema == ANYTHING ? (uint16_t)(t.any - deeper) : SLM_LIMIT_SCHEMA_ANY;
    t.depth = (uint16_t)(t.depth + deeper);
    t.schema = schema;
    t.from = from;
    t.to = to;
    slm_buf_add(&m->stack, &t, sizeof t);
}

/* ---- what a schema is about ---- */

static int type_of_value(const slm_value *v)
{
    switch (v->kind) {
    case SLM_JSON_NULL:   return NUL;
    case SLM_JSON_TRUE:
    case SLM_JSON_FALSE:  return BOOL;
    case SLM_JSON_NUMBER: return floor(v->number) == v->number ? NUMBER : FRACTION;
    case SLM_JSON_STRING: return STRING;
    case SLM_JSON_ARRAY:  return ARRAY;
    default:              return OBJECT;
    }
}

static slm_status one_type(maker *m, uint32_t at, int *mask)
{
    size_t n;
    if (value(m, at)->kind != SLM_JSON_STRING)
        return wrong(m, SLM_E_FORMAT, at, "type", "neither a string nor strings");
    const uint8_t *text = slm_value_string(&m->doc, at, &n);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, text, n) == 0) {
            *mask |= types[i].type;
            return SLM_OK;
        }
    return wrong(m, SLM_E_FORMAT, at, "type", "none of the 7 types");
}

/* The types of "type", or 0 without it. */
static slm_status said_types(maker *m, uint32_t schema, int *mask)
{
    const uint32_t at = member(m, schema, "type");
    *mask = 0;
    if (at == SLM_NO_ID)
        return SLM_OK;
    if (value(m, at)->kind != SLM_JSON_ARRAY)
        return one_type(m, at, mask);
    slm_status status = value(m, at)->n ? SLM_OK : wrong(m, SLM_E_FORMAT, at, "type", "a list of 0 types");
    for (uint32_t k = value(m, at)->child; !status && k != SLM_NO_ID; k = value(m, k)->next)
        status = one_type(m, k, mask);
    return status;
}

/* Looks at every keyword. *about: types that keywords speak of; *own: the one of enum, const, anyOf, oneOf, allOf, $ref, or SLM_NO_ID,
 * beside which nothing else may say anything but "type" (and that only with enum and const). */
static slm_status look(maker *m, uint32_t schema, int *about, uint32_t *own)
{
    char shown[SLM_SHOWN];
    uint32_t other = SLM_NO_ID;
    bool typed = false;
    *about = 0;
    *own = SLM_NO_ID;
    for (uint32_t k = value(m, schema)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const uint8_t *key = slm_value_key(&m->doc, k, &n);
        int found = UNKNOWN;
        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
            if (strlen(keywords[i].name) == n && memcmp(keywords[i].name, key, n) == 0)
                found = keywords[i].about;
        if (found == UNKNOWN && n > 2 && memcmp(key, "x-", 2) == 0)
            found = NOTE;
        if (found == UNKNOWN)
            return wrong(m, SLM_E_UNSUPPORTED, k, slm_shown(shown, key, n), "keyword that this version cannot enforce");
        if (found == OWN && n == 4 && memcmp(key, "type", 4) == 0)
            typed = true;
        else if (found == OWN && *own != SLM_NO_ID)
            other = k;
        else if (found == OWN)
            *own = k;
        else if (found != NOTE)
            other = k;
        *about |= found & ALL;
    }
    if (*own == SLM_NO_ID)
        return SLM_OK;
    size_t n;
    const uint8_t *key = slm_value_key(&m->doc, *own, &n);
    const bool lists = n && (*key == 'e' || *key == 'c');
    if (other != SLM_NO_ID || (typed && !lists))
        return wrong(m, SLM_E_UNSUPPORTED, schema, slm_shown(shown, key, n), "other keywords beside it");
    return SLM_OK;
}

/* ---- strings, numbers, literal values ---- */

/* A count given by a keyword; `otherwise` without it. */
static slm_status count_of(maker *m, uint32_t schema, const char *keyword, uint32_t otherwise, uint32_t *out)
{
    const uint32_t at = member(m, schema, keyword);
    *out = otherwise;
    if (at == SLM_NO_ID)
        return SLM_OK;
    const slm_value *v = value(m, at);
    if (v->kind != SLM_JSON_NUMBER || !(v->number >= 0) || floor(v->number) != v->number)
        return wrong(m, SLM_E_FORMAT, at, keyword, "no count from 0");
    if (v->number > 1e6)
        return wrong(m, SLM_E_LIMIT, at, keyword, "count beyond 1000000");
    *out = (uint32_t)v->number;
    return SLM_OK;
}

/* least to most characters between quotes; most UINT32_MAX: no end. */
static void plain_string(maker *m, uint32_t from, uint32_t least, uint32_t most, uint32_t to)
{
    static const slm_range all = { 0, 0x10ffff };
    slm_nfa *a = m->nfa;
    uint32_t at = node(m);
    slm_nfa_bytes(a, from, '"', '"', at);
    for (uint32_t i = 0; !a->failed && i < (most == UINT32_MAX ? least : most); i++) {
        const uint32_t next = node(m);
        if (i >= least)
            slm_nfa_bytes(a, at, '"', '"', to);
        slm_nfa_points(a, at, &all, 1, true, next);
        at = next;
    }
    if (most == UINT32_MAX)
        slm_nfa_points(a, at, &all, 1, true, at);
    slm_nfa_bytes(a, at, '"', '"', to);
}

static slm_status make_string(maker *m, const task *t)
{
    uint32_t least, most;
    const uint32_t pattern = member(m, t->schema, "pattern");
    slm_status status = count_of(m, t->schema, "minLength", 0, &least);
    if (!status)
        status = count_of(m, t->schema, "maxLength", UINT32_MAX, &most);
    if (status)
        return status;
    if (pattern == SLM_NO_ID) {
        if (most != UINT32_MAX)
            most = (uint32_t)slm_min(most, slm_max(least, SLM_LIMIT_SCHEMA_LENGTH));
        if (least <= most)
            plain_string(m, t->from, least, most, t->to);
        return SLM_OK;
    }
    if (value(m, pattern)->kind != SLM_JSON_STRING)
        return wrong(m, SLM_E_FORMAT, pattern, "pattern", "no string");
    if (least > 0 || most != UINT32_MAX)
        return wrong(m, SLM_E_UNSUPPORTED, t->schema, least > 0 ? "minLength" : "maxLength", "beside pattern (put the length into the pattern)");
    char what[200] = "schema: ", place[160];
    slm_regex regex = { .search = true, .json = true, .what = what };
    const char *where = slm_value_place(&m->doc, pattern, place, sizeof place);
    memcpy(what + strlen(what), where, strlen(where) + 1);
    regex.pattern = (const char *)slm_value_string(&m->doc, pattern, &regex.n);
    const uint32_t begin = node(m), end = node(m);
    slm_nfa_bytes(m->nfa, t->from, '"', '"', begin);
    slm_nfa_bytes(m->nfa, end, '"', '"', t->to);
    return slm_regex_build(m->nfa, &regex, begin, end, m->err);
}

static slm_status bound(maker *m, uint32_t schema, const char *keyword, bool low, bool open, bool integer, double *v, bool *is_open)
{
    const uint32_t at = member(m, schema, keyword);
    if (at == SLM_NO_ID)
        return SLM_OK;
    if (value(m, at)->kind != SLM_JSON_NUMBER)
        return wrong(m, SLM_E_FORMAT, at, keyword, "no number");
    double b = value(m, at)->number;
    if (fabs(b) > (integer ? 999999999999999.0 : 1e9))
        return wrong(m, SLM_E_UNSUPPORTED, at, keyword, integer ? "bound beyond 15 digits" : "bound of a number beyond 1e9");
    if (!integer && floor(b) != b)
        return wrong(m, SLM_E_UNSUPPORTED, at, keyword, "bound of a number that is no integer");
    if (integer && low)
        b = open ? floor(b) + 1 : ceil(b);
    else if (integer)
        b = open ? ceil(b) - 1 : floor(b);
    if (low ? b > *v || (b >= *v && open) : b < *v || (b <= *v && open)) {
        *v = b;
        *is_open = open && !integer;
    }
    return SLM_OK;
}

static slm_status make_number(maker *m, const task *t, bool integer)
{
    slm_bounds b = { -INFINITY, INFINITY, false, false };
    slm_status status = bound(m, t->schema, "minimum", true, false, integer, &b.lo, &b.lo_open);
    if (!status)
        status = bound(m, t->schema, "exclusiveMinimum", true, true, integer, &b.lo, &b.lo_open);
    if (!status)
        status = bound(m, t->schema, "maximum", false, false, integer, &b.hi, &b.hi_open);
    if (!status)
        status = bound(m, t->schema, "exclusiveMaximum", false, true, integer, &b.hi, &b.hi_open);
    if (status)
        return status;
    (integer ? slm_number_integer : slm_number_any)(m->nfa, &b, t->from, t->to);
    return SLM_OK;
}

/* A value as it is written in the schema, without the blanks between its parts. */
static void literal(maker *m, uint32_t at, uint32_t from, uint32_t to)
{
    const slm_value *v = value(m, at);
    bool inside = false;
    m->scratch.size = 0;
    for (uint32_t i = v->begin; i < v->end; i++) {
        const uint8_t b = m->doc.bytes[i];
        if (inside && b == '\\') {
            slm_buf_u8(&m->scratch, b);
            slm_buf_u8(&m->scratch, m->doc.bytes[++i]);
            continue;
        }
        inside ^= b == '"';
        if (inside || !(b == ' ' || b == '\t' || b == '\n' || b == '\r'))
            slm_buf_u8(&m->scratch, b);
    }
    if (!m->scratch.failed)
        slm_nfa_text(m->nfa, from, m->scratch.data, m->scratch.size, to);
}

/* ---- arrays and objects ---- */

/* A comma and perhaps a blank. */
static void comma(maker *m, uint32_t from, uint32_t to)
{
    const uint32_t behind = node(m);
    slm_nfa_bytes(m->nfa, from, ',', ',', behind);
    slm_nfa_bytes(m->nfa, behind, ' ', ' ', to);
    slm_nfa_empty(m->nfa, behind, to);
}

static void colon(maker *m, uint32_t from, uint32_t to)
{
    const uint32_t behind = node(m);
    slm_nfa_bytes(m->nfa, from, ':', ':', behind);
    slm_nfa_bytes(m->nfa, behind, ' ', ' ', to);
    slm_nfa_empty(m->nfa, behind, to);
}

static void elements(maker *m, const task *t, uint32_t items, uint32_t least, uint32_t most)
{
    slm_nfa *a = m->nfa;
    const uint32_t open = node(m);
    uint32_t at = node(m);
    slm_nfa_bytes(a, t->from, '[', '[', open);
    if (!least)
        slm_nfa_bytes(a, open, ']', ']', t->to);
    if (least > most || !most)
        return;
    slm_nfa_empty(a, open, at);
    for (uint32_t i = 1; !a->failed && !m->stack.failed; i++) {
        const uint32_t behind = node(m);
        push(m, t, items, at, behind, true);
        if (i >= least)
            slm_nfa_bytes(a, behind, ']', ']', t->to);
        if (i >= least && most == UINT32_MAX)
            comma(m, behind, at);               /* the last element is a loop */
        if (i == most || (i >= least && most == UINT32_MAX))
            return;
        at = node(m);
        comma(m, behind, at);
    }
}

static slm_status make_array(maker *m, const task *t)
{
    uint32_t least, most, items = member(m, t->schema, "items");
    slm_status status = count_of(m, t->schema, "minItems", 0, &least);
    if (!status)
        status = count_of(m, t->schema, "maxItems", UINT32_MAX, &most);
    if (!status && most != UINT32_MAX)
        most = (uint32_t)slm_min(most, slm_max(least, SLM_LIMIT_SCHEMA_ITEMS));
    if (!status && items != SLM_NO_ID && value(m, items)->kind == SLM_JSON_ARRAY)
        status = wrong(m, SLM_E_UNSUPPORTED, items, "items", "list of schemas");
    if (!status)
        elements(m, t, items == SLM_NO_ID ? ANYTHING : items, least, most);
    return status;
}

/* Places in the trie of declared names, for the keys that others may not have. */
typedef struct name_node {
    uint32_t child, next, node;
    uint8_t byte;
    bool name;
} name_node;

static name_node *name_at(const maker *m, uint32_t i)
{
    return (name_node *)(void *)m->scratch.data + i;
}

static uint32_t add_name_node(maker *m, uint8_t byte, uint32_t next)
{
    slm_buf_add(&m->scratch, &(name_node){ SLM_NO_ID, next, node(m), byte, false }, sizeof(name_node));
    return (uint32_t)(m->scratch.size / sizeof(name_node)) - 1;
}

static void add_name(maker *m, const uint8_t *name, size_t n)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++)
        if (name[i] < 0x20 || name[i] > 0x7e || name[i] == '"' || name[i] == '\\')
            return;                             /* no key of ours can be this one */
    for (size_t i = 0; i < n && !m->scratch.failed; i++) {
        uint32_t k = name_at(m, at)->child;
        while (k != SLM_NO_ID && name_at(m, k)->byte != name[i])
            k = name_at(m, k)->next;
        if (k == SLM_NO_ID) {
            k = add_name_node(m, name[i], name_at(m, at)->child);
            if (!m->scratch.failed)
                name_at(m, at)->child = k;
        }
        at = k;
    }
    if (!m->scratch.failed)
        name_at(m, at)->name = true;
}

/* Key characters that do not follow a branch of the trie. */
static void leave_names(maker *m, uint32_t at, uint32_t off)
{
    bool follows[128] = { false };
    for (uint32_t k = name_at(m, at)->child; k != SLM_NO_ID; k = name_at(m, k)->next) {
        follows[name_at(m, k)->byte] = true;
        slm_nfa_bytes(m->nfa, name_at(m, at)->node, name_at(m, k)->byte, name_at(m, k)->byte, name_at(m, k)->node);
    }
    follows['"'] = follows['\\'] = follows[0x7f] = true;
    for (uint32_t b = 0x20, begin = 0; b < 0x80; b++) {
        if (!follows[b] && !begin)
            begin = b;
        if (follows[b] && begin) {
            slm_nfa_bytes(m->nfa, name_at(m, at)->node, (uint8_t)begin, (uint8_t)(b - 1), off);
            begin = 0;
        }
    }
}

/* "key": of printable ASCII, not empty, none of the declared names. */
static void other_key(maker *m, uint32_t properties, uint32_t required, uint32_t from, uint32_t to)
{
    static const slm_range printable[] = { { 0x20, 0x21 }, { 0x23, 0x5b }, { 0x5d, 0x7e } };
    const uint32_t quoted = node(m), off = node(m);
    m->scratch.size = 0;
    (void)add_name_node(m, 0, SLM_NO_ID);
    for (uint32_t k = properties == SLM_NO_ID ? SLM_NO_ID : value(m, properties)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const uint8_t *name = slm_value_key(&m->doc, k, &n);
        add_name(m, name, n);
    }
    for (uint32_t k = required == SLM_NO_ID ? SLM_NO_ID : value(m, required)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const uint8_t *name = slm_value_string(&m->doc, k, &n);
        add_name(m, name, n);
    }
    if (m->scratch.failed || m->nfa->failed)
        return;
    for (uint32_t i = 0; i < m->scratch.size / sizeof(name_node); i++) {
        leave_names(m, i, off);
        if (i && !name_at(m, i)->name)
            slm_nfa_bytes(m->nfa, name_at(m, i)->node, '"', '"', quoted);
    }
    slm_nfa_bytes(m->nfa, from, '"', '"', name_at(m, 0)->node);
    for (size_t i = 0; i < 3; i++)
        slm_nfa_bytes(m->nfa, off, (uint8_t)printable[i].lo, (uint8_t)printable[i].hi, off);
    slm_nfa_bytes(m->nfa, off, '"', '"', quoted);
    colon(m, quoted, to);
}

typedef struct object {
    uint32_t properties, required;      /* SLM_NO_ID */
    uint32_t others;                    /* schema of other members, ANYTHING, or SLM_NO_ID: none */
    uint32_t bare, after;               /* E[i], C[i] */
} object;

/* One declared member: from bare and after to a new pair. */
static void one_member(maker *m, const task *t, object *o, const void *key, size_t n, uint32_t schema, bool needed)
{
    const uint32_t bare = node(m), after = node(m), begin = node(m), named = node(m), at = node(m);
    slm_nfa_empty(m->nfa, o->bare, begin);
    comma(m, o->after, begin);
    slm_nfa_text(m->nfa, begin, key, n, named);
    colon(m, named, at);
    push(m, t, schema, at, after, true);
    if (!needed) {
        slm_nfa_empty(m->nfa, o->bare, bare);
        slm_nfa_empty(m->nfa, o->after, after);
    }
    o->bare = bare;
    o->after = after;
}

/* A required name that is not declared: written as the schema writes it, quotes included. */
static slm_status required_members(maker *m, const task *t, object *o)
{
    for (uint32_t k = o->required == SLM_NO_ID ? SLM_NO_ID : value(m, o->required)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const slm_value *v = value(m, k);
        if (v->kind != SLM_JSON_STRING)
            return wrong(m, SLM_E_FORMAT, k, "required", "no string");
        const uint8_t *name = slm_value_string(&m->doc, k, &n);
        if (o->properties != SLM_NO_ID && slm_value_member(&m->doc, o->properties, name, n) != SLM_NO_ID)
            continue;
        for (uint32_t before = value(m, o->required)->child; before != k; before = value(m, before)->next) {
            size_t length;
            const uint8_t *other = slm_value_string(&m->doc, before, &length);
            if (length == n && memcmp(other, name, n) == 0)
                return wrong(m, SLM_E_FORMAT, k, "required", "a name that stands 2 times");
        }
        if (o->others == SLM_NO_ID)
            return wrong(m, SLM_E_UNSUPPORTED, k, "required", "a name that no member may have");
        one_member(m, t, o, m->doc.bytes + v->begin, v->end - v->begin, o->others, true);
    }
    return SLM_OK;
}

static bool is_required(const maker *m, const object *o, const uint8_t *name, size_t n)
{
    for (uint32_t k = o->required == SLM_NO_ID ? SLM_NO_ID : value(m, o->required)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t length = 0;
        const uint8_t *own = value(m, k)->kind == SLM_JSON_STRING ? slm_value_string(&m->doc, k, &length) : NULL;
        if (own && length == n && memcmp(own, name, n) == 0)
            return true;
    }
    return false;
}

static slm_status members(maker *m, const task *t, object *o)
{
    slm_nfa *a = m->nfa;
    const uint32_t open = node(m);
    o->bare = open;
    o->after = node(m);                 /* no way leads to the first */
    slm_nfa_bytes(a, t->from, '{', '{', open);
    for (uint32_t k = o->properties == SLM_NO_ID ? SLM_NO_ID : value(m, o->properties)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const uint8_t *name = slm_value_key(&m->doc, k, &n);
        uint32_t begin = value(m, k)->begin;    /* back over colon and blanks to the key as it is written: its closing quote, then its opening one */
        while (m->doc.bytes[--begin] != '"')
            ;
        const uint32_t end = begin + 1;
        for (bool opens = false; !opens;) {
            uint32_t slashes = 0;
            while (m->doc.bytes[--begin] != '"')
                ;
            while (m->doc.bytes[begin - 1 - slashes] == '\\')
                slashes++;
            opens = slashes % 2 == 0;
        }
        one_member(m, t, o, m->doc.bytes + begin, end - begin, k, is_required(m, o, name, n));
    }
    slm_status status = required_members(m, t, o);
    if (status)
        return status;
    if (o->others != SLM_NO_ID && !(t->schema == ANYTHING && !t->any)) {
        const uint32_t begin = node(m), at = node(m);
        slm_nfa_empty(a, o->bare, begin);
        comma(m, o->after, begin);
        other_key(m, o->properties, o->required, begin, at);
        push(m, t, o->others, at, o->after, true);
    }
    slm_nfa_bytes(a, o->bare, '}', '}', t->to);
    slm_nfa_bytes(a, o->after, '}', '}', t->to);
    return SLM_OK;
}

/* Is a name required that is not declared? */
static bool wants_others(maker *m, const object *o)
{
    for (uint32_t k = o->required == SLM_NO_ID ? SLM_NO_ID : value(m, o->required)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n = 0;
        const uint8_t *name = value(m, k)->kind == SLM_JSON_STRING ? slm_value_string(&m->doc, k, &n) : NULL;
        if (name && slm_value_member(&m->doc, o->properties, name, n) == SLM_NO_ID)
            return true;
    }
    return false;
}

static slm_status make_object(maker *m, const task *t)
{
    object o = { member(m, t->schema, "properties"), member(m, t->schema, "required"), SLM_NO_ID, 0, 0 };
    const uint32_t others = member(m, t->schema, "additionalProperties");
    if (o.properties != SLM_NO_ID && value(m, o.properties)->kind != SLM_JSON_OBJECT)
        return wrong(m, SLM_E_FORMAT, o.properties, "properties", "no object");
    if (o.required != SLM_NO_ID && value(m, o.required)->kind != SLM_JSON_ARRAY)
        return wrong(m, SLM_E_FORMAT, o.required, "required", "no array");
    if (others == SLM_NO_ID)                    /* all are allowed, and offered only where nothing else is or more are required */
        o.others = o.properties == SLM_NO_ID || !value(m, o.properties)->n || wants_others(m, &o) ? ANYTHING : SLM_NO_ID;
    else if (value(m, others)->kind != SLM_JSON_FALSE)
        o.others = value(m, others)->kind == SLM_JSON_TRUE ? ANYTHING : others;
    return members(m, t, &o);
}

/* ---- references and unions ---- */

static slm_status follow(maker *m, const task *t, uint32_t at)
{
    uint32_t target, times = 0;
    slm_status status = slm_value_resolve(&m->doc, at, &target, m->err);
    if (status)
        return status;
    const link *links = (const link *)(const void *)m->chain.data;
    for (uint32_t k = t->chain; k != SLM_NO_ID; k = links[k].before)
        times += links[k].target == target;
    if (times >= SLM_LIMIT_SCHEMA_RECURSION)
        return SLM_OK;                          /* nothing fits here */
    task next = *t;
    next.chain = (uint32_t)(m->chain.size / sizeof(link));
    slm_buf_add(&m->chain, &(link){ target, t->chain }, sizeof(link));
    push(m, &next, target, t->from, t->to, false);
    return SLM_OK;
}

/* What a value that fits the schema can be at most, for telling alternatives apart; references are looked through. */
typedef struct sketch {
    int types;
    uint32_t schema;            /* behind references */
    uint32_t values;            /* its enum, or its const */
    bool is_list;
} sketch;

static slm_status draw(maker *m, uint32_t schema, sketch *s)
{
    slm_status status = SLM_OK;
    for (int hops = 0; hops < 16 && value(m, schema)->kind == SLM_JSON_OBJECT; hops++) {
        const uint32_t ref = member(m, schema, "$ref");
        if (ref == SLM_NO_ID)
            break;
        status = slm_value_resolve(&m->doc, ref, &schema, m->err);
        if (status)
            return status;
    }
    *s = (sketch){ ALL, schema, SLM_NO_ID, false };
    if (value(m, schema)->kind != SLM_JSON_OBJECT)
        return SLM_OK;
    int said = 0;
    status = said_types(m, schema, &said);
    if (said)
        s->types = said;
    s->values = member(m, schema, "const");
    if (s->values == SLM_NO_ID) {
        s->values = member(m, schema, "enum");
        s->is_list = s->values != SLM_NO_ID && value(m, s->values)->kind == SLM_JSON_ARRAY;
        if (!s->is_list)
            s->values = SLM_NO_ID;
    }
    return status;
}

static bool same_value(const maker *m, uint32_t a, uint32_t b)
{
    const slm_value *x = value(m, a), *y = value(m, b);
    size_t n, k;
    if (x->kind != y->kind)
        return false;
    if (x->kind == SLM_JSON_NUMBER)
        return x->number >= y->number && x->number <= y->number;
    if (x->kind != SLM_JSON_STRING)
        return true;                            /* arrays and objects: perhaps */
    const uint8_t *p = slm_value_string(&m->doc, a, &n), *q = slm_value_string(&m->doc, b, &k);
    return n == k && memcmp(p, q, n) == 0;
}

static bool values_apart(const maker *m, const sketch *a, const sketch *b)
{
    for (uint32_t x = a->is_list ? value(m, a->values)->child : a->values; x != SLM_NO_ID; x = a->is_list ? value(m, x)->next : SLM_NO_ID)
        for (uint32_t y = b->is_list ? value(m, b->values)->child : b->values; y != SLM_NO_ID; y = b->is_list ? value(m, y)->next : SLM_NO_ID)
            if (same_value(m, x, y))
                return false;
    return a->values != SLM_NO_ID && b->values != SLM_NO_ID;
}

/* Can no value fit both? Their types differ, or their values, or a member that one of them requires has different values in both. */
static slm_status apart(maker *m, uint32_t one, uint32_t other, bool *yes)
{
    sketch a, b;
    slm_status status = draw(m, one, &a);
    if (!status)
        status = draw(m, other, &b);
    if (status)
        return status;
    *yes = !(a.types & b.types) || values_apart(m, &a, &b);
    if (*yes || a.types != OBJECT || b.types != OBJECT)
        return SLM_OK;
    const uint32_t mine = member(m, a.schema, "properties"), theirs = member(m, b.schema, "properties");
    for (uint32_t k = mine == SLM_NO_ID ? SLM_NO_ID : value(m, mine)->child; !status && !*yes && k != SLM_NO_ID; k = value(m, k)->next) {
        size_t n;
        const uint8_t *name = slm_value_key(&m->doc, k, &n);
        const uint32_t twin = theirs == SLM_NO_ID ? SLM_NO_ID : slm_value_member(&m->doc, theirs, name, n);
        const object left = { mine, member(m, a.schema, "required"), 0, 0, 0 }, right = { theirs, member(m, b.schema, "required"), 0, 0, 0 };
        sketch x, y;
        if (twin == SLM_NO_ID || (!is_required(m, &left, name, n) && !is_required(m, &right, name, n)))
            continue;
        status = draw(m, k, &x);
        if (!status)
            status = draw(m, twin, &y);
        if (!status)
            *yes = !(x.types & y.types) || values_apart(m, &x, &y);
    }
    return status;
}

static slm_status alternatives(maker *m, const task *t, uint32_t list, const uint8_t *keyword)
{
    const bool one = keyword[0] == 'o', all = keyword[1] == 'l';
    const char *name = one ? "oneOf" : all ? "allOf" : "anyOf";
    if (value(m, list)->kind != SLM_JSON_ARRAY || !value(m, list)->n)
        return wrong(m, SLM_E_FORMAT, list, name, "no list of at least 1 schema");
    if (all && value(m, list)->n > 1)
        return wrong(m, SLM_E_UNSUPPORTED, list, name, "more than 1 schema");
    for (uint32_t k = value(m, list)->child; k != SLM_NO_ID; k = value(m, k)->next) {
        for (uint32_t other = value(m, list)->child; one && other != k; other = value(m, other)->next) {
            bool yes = false;
            const slm_status status = apart(m, other, k, &yes);
            if (status)
                return status;
            if (!yes)
                return wrong(m, SLM_E_UNSUPPORTED, k, name, "may fit together with one before it (anyOf allows that)");
        }
        push(m, t, k, t->from, t->to, false);
    }
    return SLM_OK;
}

static slm_status listed(maker *m, const task *t, uint32_t at, bool is_list, int said)
{
    if (is_list && value(m, at)->kind != SLM_JSON_ARRAY)
        return wrong(m, SLM_E_FORMAT, at, "enum", "no array");
    for (uint32_t k = is_list ? value(m, at)->child : at; k != SLM_NO_ID; k = is_list ? value(m, k)->next : SLM_NO_ID)
        if (!said || (type_of_value(value(m, k)) & said))
            literal(m, k, t->from, t->to);
    return SLM_OK;
}

/* ---- any schema ---- */

static slm_status make_types(maker *m, const task *t, int mask)
{
    slm_nfa *a = m->nfa;
    slm_status status = SLM_OK;
    if (mask & NUL)
        slm_nfa_text(a, t->from, "null", 4, t->to);
    if (mask & BOOL) {
        slm_nfa_text(a, t->from, "true", 4, t->to);
        slm_nfa_text(a, t->from, "false", 5, t->to);
    }
    if (mask & STRING)
        status = make_string(m, t);
    if (!status && mask & FRACTION)
        status = make_number(m, t, false);
    else if (!status && mask & INTEGER)
        status = make_number(m, t, true);
    if (!status && mask & ARRAY)
        status = make_array(m, t);
    if (!status && mask & OBJECT)
        status = make_object(m, t);
    return status;
}

static void make_anything(maker *m, const task *t)
{
    static const slm_bounds unbound = { -INFINITY, INFINITY, false, false };
    slm_nfa *a = m->nfa;
    object o = { SLM_NO_ID, SLM_NO_ID, ANYTHING, 0, 0 };
    slm_nfa_text(a, t->from, "null", 4, t->to);
    slm_nfa_text(a, t->from, "true", 4, t->to);
    slm_nfa_text(a, t->from, "false", 5, t->to);
    plain_string(m, t->from, 0, UINT32_MAX, t->to);
    slm_number_any(a, &unbound, t->from, t->to);
    if (t->any)
        elements(m, t, ANYTHING, 0, UINT32_MAX);
    (void)members(m, t, &o);
}

static slm_status make(maker *m, const task *t)
{
    int about, said;
    uint32_t own;
    if (t->depth > SLM_LIMIT_GRAMMAR_DEPTH)
        return SLM_OK;                          /* nothing fits here */
    if (t->schema == ANYTHING || value(m, t->schema)->kind == SLM_JSON_TRUE) {
        task any = *t;
        any.schema = ANYTHING;
        make_anything(m, &any);
        return SLM_OK;
    }
    if (value(m, t->schema)->kind == SLM_JSON_FALSE)
        return SLM_OK;
    if (value(m, t->schema)->kind != SLM_JSON_OBJECT)
        return wrong(m, SLM_E_FORMAT, t->schema, "schema", "neither an object nor true nor false");
    slm_status status = look(m, t->schema, &about, &own);
    if (!status)
        status = said_types(m, t->schema, &said);
    if (status)
        return status;
    if (own != SLM_NO_ID) {
        size_t n;
        const uint8_t *key = slm_value_key(&m->doc, own, &n);
        return *key == '$' ? follow(m, t, own) : *key == 'e' || *key == 'c' ? listed(m, t, own, *key == 'e', said) : alternatives(m, t, own, key);
    }
    if (!said && !about) {
        task any = *t;
        any.schema = ANYTHING;
        any.any = SLM_LIMIT_SCHEMA_ANY;
        make_anything(m, &any);
        return SLM_OK;
    }
    return make_types(m, t, said ? said : about);
}

typedef struct source { const char *text; size_t n; } source;

static slm_status language(slm_nfa *nfa, const void *from, slm_error *err)
{
    const source *s = from;
    maker m = { .nfa = nfa, .err = err };
    const task root = { 0, SLM_NFA_START, SLM_NFA_END, SLM_NO_ID, 0, SLM_LIMIT_SCHEMA_ANY };
    slm_status status = slm_document_init(&m.doc, nfa->heap, s->text, s->n, "schema", err);
    if (status)
        return status;
    slm_buf_init(&m.stack, nfa->heap, (size_t)SLM_LIMIT_GRAMMAR_STATES * sizeof(task));
    slm_buf_init(&m.chain, nfa->heap, (size_t)SLM_LIMIT_GRAMMAR_STATES * sizeof(link));
    slm_buf_init(&m.scratch, nfa->heap, SIZE_MAX / 2);
    slm_buf_add(&m.stack, &root, sizeof root);
    status = slm_buf_status(&m.stack, "schema", err);
    while (!status && m.stack.size && !nfa->failed && !m.chain.failed && !m.scratch.failed) {
        task t;
        m.stack.size -= sizeof t;
        memcpy(&t, m.stack.data + m.stack.size, sizeof t);
        status = make(&m, &t);
        if (!status)
            status = slm_buf_status(&m.stack, "schema", err);
    }
    if (!status)
        status = slm_buf_status(&m.chain, "schema", err);
    if (!status)
        status = slm_buf_status(&m.scratch, "schema", err);
    if (!status && nfa->failed)
        status = slm_fail(err, nfa->failed, "schema: automaton of %u states and %zu edges (allowed %d and %d)", nfa->n, nfa->n_edges,
                          SLM_LIMIT_GRAMMAR_STATES, SLM_LIMIT_GRAMMAR_EDGES);
    slm_buf_free(&m.stack);
    slm_buf_free(&m.chain);
    slm_buf_free(&m.scratch);
    slm_document_free(&m.doc);
    return status;
}

slm_status slm_constraint_schema(slm_constraint **out, const slm_tokenizer *tokenizer, const char *schema, size_t len, slm_error *err)
{
    const source s = { schema, len };
    if (!schema)
        return slm_fail(err, SLM_E_ARG, "schema is NULL (allowed up to %d bytes)", SLM_LIMIT_GRAMMAR_BYTES);
    return slm_constraint_new(out, tokenizer, language, &s, "schema", err);
}

slm_status slm_schema_known(slm_heap *heap, const char *schema, size_t len, slm_error *err)
{
    const source from = { schema, len };
    slm_nfa nfa;
    if (len > SLM_LIMIT_GRAMMAR_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "schema: %zu bytes (allowed %d)", len, SLM_LIMIT_GRAMMAR_BYTES);
    slm_nfa_init(&nfa, heap);
    const slm_status status = language(&nfa, &from, err);
    slm_nfa_free(&nfa);
    return status;
}
