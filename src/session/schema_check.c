/* schema_check.c -- does a JSON text validate against a schema?
 *
 * A schema that schema.c can make an automaton of has a simple shape: $ref, a union, enum or const stand alone, and all else speaks of one type
 * each. So that is asked first, and this file relies on it. Unlike the automaton it takes any way to write a value: members in any
 * order, blanks, escapes. Frames on a stack take the place of recursion; a frame's result is read by the one below it. */
#include "session/regex.h"
#include "session/schema.h"
#include "session/schema_value.h"

#include "core/limits.h"
#include "core/utf8.h"

#include <math.h>
#include <string.h>

enum { FRAMES_MOST = 65536, STEPS_MOST = 20000000 };

typedef enum phase { START, PASS, UNION, ITEMS, MEMBERS } phase;

typedef struct frame {
    uint32_t schema, value;
    uint32_t at;                    /* the alternative, element or member that is looked at */
    uint32_t hits;
    phase    phase;
} frame;

typedef struct checker {
    slm_heap     heap;
    slm_document schema, text;
    slm_buf      stack;             /* frame */
    uint32_t     unions;            /* frames of a union on the stack: a miss below one need not be the end */
    uint64_t     steps;
    bool         fits;              /* of the frame that ended last */
    bool         said;
    slm_error   *err;
    slm_status   status;            /* a failure of ours */
} checker;

static const slm_value *rule(const checker *c, uint32_t i)
{
    return slm_value_at(&c->schema, i);
}

static const slm_value *thing(const checker *c, uint32_t i)
{
    return slm_value_at(&c->text, i);
}

static uint32_t keyword(checker *c, uint32_t schema, const char *name)
{
    return slm_value_member(&c->schema, schema, name, strlen(name));
}

/* Says what does not fit, the first time and outside of unions. */
static bool miss(checker *c, uint32_t value, const char *what)
{
    char place[160];
    if (!c->unions && !c->said && !c->status) {      /* what could not be looked at is no miss */
        (void)slm_fail_at(c->err, SLM_E_MISMATCH, thing(c, value)->begin, "text: %s: %s", slm_value_place(&c->text, value, place, sizeof place), what);
        c->said = true;
    }
    return false;
}

/* ---- values alone ---- */

static bool same_bytes(const uint8_t *a, size_t n, const uint8_t *b, size_t m)
{
    return n == m && (!n || memcmp(a, b, n) == 0);
}

/* Are the two alike, apart from what is inside of them? */
static bool same_leaf(const checker *c, uint32_t a, uint32_t b)
{
    const slm_value *x = rule(c, a), *y = thing(c, b);
    size_t n, m;
    if (x->kind != y->kind || x->n != y->n)
        return false;
    if (x->kind == SLM_JSON_NUMBER)
        return x->number >= y->number && x->number <= y->number;
    if (x->kind != SLM_JSON_STRING)
        return true;
    const uint8_t *p = slm_value_string(&c->schema, a, &n), *q = slm_value_string(&c->text, b, &m);
    return same_bytes(p, n, q, m);
}

/* Walks both at once, the schema's value in its own order: down, next, up. */
static bool same(checker *c, uint32_t a, uint32_t b)
{
    const uint32_t top = a;
    uint32_t twin = b;
    for (;;) {
        if (!same_leaf(c, a, twin))
            return false;
        uint32_t next = rule(c, a)->child;
        if (next == SLM_NO_ID) {                    /* up to where there is a next one */
            while (a != top && rule(c, a)->next == SLM_NO_ID) {
                a = rule(c, a)->parent;
                twin = thing(c, twin)->parent;
            }
            if (a == top)
                return true;
            next = rule(c, a)->next;
            twin = rule(c, rule(c, a)->parent)->kind == SLM_JSON_ARRAY ? thing(c, twin)->next : thing(c, twin)->parent;
        } else if (rule(c, a)->kind == SLM_JSON_ARRAY) {
            twin = thing(c, twin)->child;
        }
        if (rule(c, next)->key != SLM_NO_ID) {      /* twin is the object: members go by name */
            size_t n;
            const uint8_t *name = slm_value_key(&c->schema, next, &n);
            twin = slm_value_member(&c->text, twin, name, n);
        }
        if (twin == SLM_NO_ID)
            return false;
        a = next;
        c->steps++;
    }
}

static bool is_type(const slm_value *v, const uint8_t *name, size_t n)
{
    static const struct { const char *name; unsigned kinds; } rows[] = {
        { "null", 1u << SLM_JSON_NULL }, { "boolean", 1u << SLM_JSON_TRUE | 1u << SLM_JSON_FALSE }, { "number", 1u << SLM_JSON_NUMBER },
        { "string", 1u << SLM_JSON_STRING }, { "array", 1u << SLM_JSON_ARRAY }, { "object", 1u << SLM_JSON_OBJECT },
    };
    if (same_bytes(name, n, (const uint8_t *)"integer", 7))
        return v->kind == SLM_JSON_NUMBER && floor(v->number) == v->number;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (same_bytes(name, n, (const uint8_t *)rows[i].name, strlen(rows[i].name)))
            return rows[i].kinds >> v->kind & 1;
    return false;
}

static bool type_fits(checker *c, uint32_t schema, uint32_t value)
{
    const uint32_t at = keyword(c, schema, "type");
    size_t n;
    if (at == SLM_NO_ID)
        return true;
    if (rule(c, at)->kind == SLM_JSON_STRING) {
        const uint8_t *name = slm_value_string(&c->schema, at, &n);
        return is_type(thing(c, value), name, n);
    }
    for (uint32_t k = rule(c, at)->child; k != SLM_NO_ID; k = rule(c, k)->next) {
        const uint8_t *name = slm_value_string(&c->schema, k, &n);
        if (is_type(thing(c, value), name, n))
            return true;
    }
    return false;
}

/* Is the number a keyword gives absent, or in order with x? sign 1: x may not be below it, -1: not above it. */
static bool bounded(checker *c, uint32_t schema, const char *name, double x, int sign, bool open)
{
    const uint32_t at = keyword(c, schema, name);
    if (at == SLM_NO_ID)
        return true;
    const double d = (x - rule(c, at)->number) * sign;
    return open ? d > 0 : d >= 0;
}

static bool pattern_fits(checker *c, uint32_t pattern, const uint8_t *text, size_t n)
{
    slm_nfa nfa;
    slm_regex regex = { .search = true, .what = "schema: pattern" };
    bool spelled[256], fits = false;
    uint8_t *now = NULL;
    memset(spelled, 1, sizeof spelled);
    regex.pattern = (const char *)slm_value_string(&c->schema, pattern, &regex.n);
    slm_nfa_init(&nfa, &c->heap);
    c->status = slm_regex_build(&nfa, &regex, SLM_NFA_START, SLM_NFA_END, c->err);
    if (!c->status)
        c->status = slm_nfa_freeze(&nfa, spelled, "schema: pattern", c->err);
    if (!c->status && !(now = slm_heap_zalloc(&c->heap, 2 * (size_t)nfa.n)))
        c->status = slm_fail(c->err, SLM_E_MEMORY, "schema: pattern of %u states", nfa.n);
    if (now) {
        uint8_t *next = now + nfa.n;
        now[SLM_NFA_START] = 1;
        for (size_t i = 0; i <= n; i++) {
            for (bool more = true; more;) {         /* empty edges, until nothing new is reached */
                more = false;
                for (uint32_t k = 0; k < nfa.n; k++)
                    for (uint32_t e = nfa.first[k]; now[k] && e < nfa.first[k + 1]; e++)
                        if (nfa.edges[e].empty && !now[nfa.edges[e].to])
                            now[nfa.edges[e].to] = more = true;
            }
            c->steps += nfa.n + nfa.n_edges;
            if (i == n || c->steps > STEPS_MOST)
                break;
            memset(next, 0, nfa.n);
            for (uint32_t k = 0; k < nfa.n; k++)
                for (uint32_t e = nfa.first[k]; now[k] && e < nfa.first[k + 1]; e++)
                    if (!nfa.edges[e].empty && text[i] >= nfa.edges[e].lo && text[i] <= nfa.edges[e].hi)
                        next[nfa.edges[e].to] = 1;
            memcpy(now, next, nfa.n);
        }
        fits = now[SLM_NFA_END];
    }
    slm_heap_free(&c->heap, now);
    slm_nfa_free(&nfa);
    return fits;
}

static bool string_fits(checker *c, uint32_t schema, uint32_t value)
{
    size_t n, points = 0;
    const uint8_t *text = slm_value_string(&c->text, value, &n);
    const uint32_t pattern = keyword(c, schema, "pattern");
    for (size_t i = 0; i < n; i++)
        points += (text[i] & 0xc0) != 0x80;
    return bounded(c, schema, "minLength", (double)points, 1, false) && bounded(c, schema, "maxLength", (double)points, -1, false) &&
           (pattern == SLM_NO_ID || pattern_fits(c, pattern, text, n));
}

static bool required_fit(checker *c, uint32_t schema, uint32_t value)
{
    const uint32_t list = keyword(c, schema, "required");
    for (uint32_t k = list == SLM_NO_ID ? SLM_NO_ID : rule(c, list)->child; k != SLM_NO_ID; k = rule(c, k)->next) {
        size_t n;
        const uint8_t *name = slm_value_string(&c->schema, k, &n);
        if (slm_value_member(&c->text, value, name, n) == SLM_NO_ID)
            return miss(c, value, "lacks a member that is required");
    }
    return true;
}

/* All but what stands inside of it. */
static bool outside_fits(checker *c, uint32_t schema, uint32_t value)
{
    const slm_value *v = thing(c, value);
    if (!type_fits(c, schema, value))
        return miss(c, value, "is of another type");
    if (v->kind == SLM_JSON_NUMBER &&
        (!bounded(c, schema, "minimum", v->number, 1, false) || !bounded(c, schema, "exclusiveMinimum", v->number, 1, true) ||
         !bounded(c, schema, "maximum", v->number, -1, false) || !bounded(c, schema, "exclusiveMaximum", v->number, -1, true)))
        return miss(c, value, "is out of bounds");
    if (v->kind == SLM_JSON_STRING && !string_fits(c, schema, value))
        return miss(c, value, "is too short, too long, or does not match its pattern");
    if (v->kind == SLM_JSON_ARRAY && (!bounded(c, schema, "minItems", v->n, 1, false) || !bounded(c, schema, "maxItems", v->n, -1, false)))
        return miss(c, value, "has too few elements or too many");
    return v->kind != SLM_JSON_OBJECT || required_fit(c, schema, value);
}

static bool listed(checker *c, uint32_t schema, uint32_t at, bool is_list, uint32_t value)
{
    bool found = false;
    for (uint32_t k = is_list ? rule(c, at)->child : at; k != SLM_NO_ID && !found; k = is_list ? rule(c, k)->next : SLM_NO_ID)
        found = same(c, k, value);
    return (found && type_fits(c, schema, value)) || miss(c, value, "is none of the values that are allowed");
}

/* ---- frames ---- */

static void push(checker *c, uint32_t schema, uint32_t value)
{
    slm_buf_add(&c->stack, &(frame){ schema, value, SLM_NO_ID, 0, START }, sizeof(frame));
    if (c->stack.failed && !c->status)
        c->status = slm_fail(c->err, c->stack.failed, "schema: more than %d references and levels inside each other", FRAMES_MOST);
}

static void pop(checker *c, bool fits)
{
    c->stack.size -= sizeof(frame);
    c->fits = fits;
}

/* The schema of member k of an object; SLM_NO_ID: anything. */
static uint32_t member_rule(checker *c, uint32_t schema, uint32_t k)
{
    size_t n;
    const uint8_t *name = slm_value_key(&c->text, k, &n);
    const uint32_t properties = keyword(c, schema, "properties");
    const uint32_t own = properties == SLM_NO_ID ? SLM_NO_ID : slm_value_member(&c->schema, properties, name, n);
    return own != SLM_NO_ID ? own : keyword(c, schema, "additionalProperties");
}

/* The next element or member that a schema speaks of, from f->at on: pushed. */
static void inside(checker *c, frame *f)
{
    const uint32_t items = f->phase == ITEMS ? keyword(c, f->schema, "items") : SLM_NO_ID;
    uint32_t k = f->at;
    while (k != SLM_NO_ID) {
        const uint32_t next = thing(c, k)->next, schema = f->phase == ITEMS ? items : member_rule(c, f->schema, k);
        if (schema != SLM_NO_ID && rule(c, schema)->kind == SLM_JSON_FALSE) {
            pop(c, miss(c, k, "may not be there"));
            return;
        }
        f->at = next;
        if (schema != SLM_NO_ID && rule(c, schema)->kind == SLM_JSON_OBJECT) {
            push(c, schema, k);
            return;
        }
        k = next;
    }
    pop(c, true);
}

static void start(checker *c, frame *f)
{
    static const char *const unions[] = { "anyOf", "oneOf", "allOf" };
    const uint32_t schema = f->schema, value = f->value;
    if (rule(c, schema)->kind != SLM_JSON_OBJECT) {
        pop(c, rule(c, schema)->kind == SLM_JSON_TRUE || miss(c, value, "may not be there"));
        return;
    }
    uint32_t at = keyword(c, schema, "$ref"), target;
    if (at != SLM_NO_ID) {
        f->phase = PASS;
        c->status = slm_value_resolve(&c->schema, at, &target, c->err);
        if (!c->status)
            push(c, target, value);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        at = keyword(c, schema, unions[i]);
        if (at != SLM_NO_ID) {
            f->phase = UNION;
            f->at = rule(c, at)->child;
            c->unions++;
            push(c, f->at, value);
            return;
        }
    }
    at = keyword(c, schema, "enum");
    const uint32_t constant = keyword(c, schema, "const");
    if (at != SLM_NO_ID || constant != SLM_NO_ID) {
        pop(c, listed(c, schema, at != SLM_NO_ID ? at : constant, at != SLM_NO_ID, value));
        return;
    }
    if (!outside_fits(c, schema, value)) {
        pop(c, false);
        return;
    }
    f->phase = thing(c, value)->kind == SLM_JSON_ARRAY ? ITEMS : MEMBERS;
    f->at = thing(c, value)->child;
    inside(c, f);
}

static void next_alternative(checker *c, frame *f)
{
    const bool all = keyword(c, f->schema, "allOf") != SLM_NO_ID, one = keyword(c, f->schema, "oneOf") != SLM_NO_ID;
    const uint32_t value = f->value;
    f->hits += c->fits;
    f->at = rule(c, f->at)->next;
    if (f->at != SLM_NO_ID && (all ? c->fits : one ? f->hits < 2 : !c->fits)) {
        push(c, f->at, value);
        return;
    }
    const bool fits = all ? c->fits : one ? f->hits == 1 : f->hits > 0;
    c->unions--;
    pop(c, fits || miss(c, value, one && f->hits ? "fits more than one of the alternatives" : "fits none of the alternatives"));
}

static void step(checker *c)
{
    frame *f = (frame *)(void *)(c->stack.data + c->stack.size) - 1;
    switch (f->phase) {
    case START:
        start(c, f);
        break;
    case PASS:
        pop(c, c->fits);
        break;
    case UNION:
        next_alternative(c, f);
        break;
    default:
        if (c->fits)
            inside(c, f);
        else
            pop(c, false);
    }
}

slm_status slm_schema_check(const char *schema, size_t schema_len, const char *text, size_t len, slm_error *err)
{
    checker c = { .err = err };
    if (!schema || (!text && len))
        return slm_fail(err, SLM_E_ARG, "schema check: %s is NULL", schema ? "text" : "schema");
    if (len > SLM_LIMIT_TEXT_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "text: %zu bytes (allowed %d)", len, SLM_LIMIT_TEXT_BYTES);
    slm_heap_init(&c.heap, NULL, 0);
    c.status = slm_schema_known(&c.heap, schema, schema_len, err);
    if (c.status)
        return c.status;
    c.status = slm_document_init(&c.schema, &c.heap, schema, schema_len, "schema", err);
    if (c.status)
        return c.status;
    c.status = slm_document_init(&c.text, &c.heap, text, len, "text", err);
    if (!c.status) {
        slm_buf_init(&c.stack, &c.heap, FRAMES_MOST * sizeof(frame));
        push(&c, 0, 0);
        while (!c.status && c.stack.size) {
            if (++c.steps > STEPS_MOST)
                c.status = slm_fail(err, SLM_E_LIMIT, "schema: more than %d steps", STEPS_MOST);
            else
                step(&c);
        }
        slm_buf_free(&c.stack);
        slm_document_free(&c.text);
    }
    slm_document_free(&c.schema);
    return c.status ? c.status : c.fits ? SLM_OK : SLM_E_MISMATCH;
}
