/* constraint_nfa.c -- the automaton of a constraint while it is built, and its distances. */
#include "session/constraint_nfa.h"

#include "core/limits.h"
#include "core/size.h"

#include <string.h>

void slm_nfa_init(slm_nfa *a, slm_heap *heap)
{
    *a = (slm_nfa){ .heap = heap, .n = 2 };
}

void slm_nfa_free(slm_nfa *a)
{
    slm_heap_free(a->heap, a->edges);
    slm_heap_free(a->heap, a->first);
    slm_heap_free(a->heap, a->distance);
    a->edges = NULL;
    a->first = a->distance = NULL;
}

uint32_t slm_nfa_node(slm_nfa *a)
{
    if (a->n >= SLM_LIMIT_GRAMMAR_STATES) {
        a->failed = a->failed ? a->failed : SLM_E_LIMIT;
        return SLM_NFA_END;
    }
    return a->n++;
}

static void add(slm_nfa *a, slm_edge edge)
{
    if (a->failed)
        return;
    if (a->n_edges == SLM_LIMIT_GRAMMAR_EDGES) {
        a->failed = SLM_E_LIMIT;
        return;
    }
    if (a->n_edges == a->room) {
        const size_t room = slm_max(256, a->room * 2);
        slm_edge *bigger = slm_heap_array(a->heap, room, sizeof *bigger);
        if (!bigger) {
            a->failed = SLM_E_MEMORY;
            return;
        }
        if (a->n_edges)
            memcpy(bigger, a->edges, a->n_edges * sizeof *bigger);
        slm_heap_free(a->heap, a->edges);
        a->edges = bigger;
        a->room = room;
    }
    a->edges[a->n_edges++] = edge;
}

void slm_nfa_bytes(slm_nfa *a, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to)
{
    add(a, (slm_edge){ from, to, lo, hi, false });
}

void slm_nfa_empty(slm_nfa *a, uint32_t from, uint32_t to)
{
    add(a, (slm_edge){ from, to, 0, 0, true });
}

void slm_nfa_text(slm_nfa *a, uint32_t from, const void *text, size_t n, uint32_t to)
{
    const uint8_t *p = text;
    if (!n)
        slm_nfa_empty(a, from, to);
    for (size_t i = 0; i < n && !a->failed; i++) {
        const uint32_t next = i + 1 < n ? slm_nfa_node(a) : to;
        slm_nfa_bytes(a, from, p[i], p[i], next);
        from = next;
    }
}

/* ---- code points ---- */

/* Where the continuation bytes of one call lead: tail[k] is the node from which k bytes 80..BF lead to `to`; made when first needed. */
typedef struct tails {
    uint32_t node[4];
    bool made[4];
} tails;

static uint32_t tail(slm_nfa *a, tails *t, size_t k)
{
    for (size_t i = 1; i <= k; i++) {
        if (t->made[i])
            continue;
        t->node[i] = slm_nfa_node(a);
        t->made[i] = true;
        slm_nfa_bytes(a, t->node[i], 0x80, 0xbf, t->node[i - 1]);
    }
    return t->node[k];
}

static size_t utf8(uint8_t out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* lo .. hi differ in their last bytes only, and where one byte differs all later ones take every value. */
static void emit(slm_nfa *a, uint32_t from, uint32_t lo, uint32_t hi, tails *t)
{
    uint8_t first[4] = { 0 }, last[4] = { 0 };
    const size_t n = utf8(first, lo);
    (void)utf8(last, hi);
    for (size_t i = 0; i < n; i++) {
        size_t full = n - 1 - i;
        for (size_t k = i + 1; k < n; k++)
            if (first[k] != 0x80 || last[k] != 0xbf)
                full = SIZE_MAX;
        const uint32_t next = full == SIZE_MAX ? slm_nfa_node(a) : tail(a, t, full);
        slm_nfa_bytes(a, from, first[i], last[i], next);
        if (full != SIZE_MAX)
            return;
        from = next;
    }
}

static void points(slm_nfa *a, uint32_t from, slm_range range, tails *t)
{
    static const uint32_t ends[] = { 0x7f, 0x7ff, 0xd7ff, 0xffff, 0x10ffff };    /* of a length, or before the surrogates */
    slm_range stack[16];
    size_t n = 0;
    stack[n++] = range;
    while (n) {
        slm_range r = stack[--n];
        if (r.lo >= 0xd800 && r.lo <= 0xdfff)
            r.lo = 0xe000;
        if (r.lo > r.hi)
            continue;
        uint32_t cut = 0;                   /* the range ends here, the rest is for later */
        for (size_t i = 0; !cut && i < sizeof ends / sizeof *ends; i++)
            if (r.lo <= ends[i] && r.hi > ends[i])
                cut = ends[i];
        for (uint32_t bits = 6; !cut && r.lo >= 0x80 && bits <= 18; bits += 6) {
            const uint32_t low = (1u << bits) - 1;
            if ((r.lo & ~low) == (r.hi & ~low))
                continue;
            if (r.lo & low)
                cut = r.lo | low;
            else if ((r.hi & low) != low)
                cut = (r.hi & ~low) - 1;
        }
        if (cut) {
            stack[n++] = (slm_range){ cut + 1, r.hi };
            stack[n++] = (slm_range){ r.lo, cut };
        } else {
            emit(a, from, r.lo, r.hi, t);
        }
    }
}

static void escaped(slm_nfa *a, uint32_t from, uint32_t c, uint32_t to)
{
    static const char short_of[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt", digits[] = "0123456789abcdef";
    const char *place = c ? strchr(short_of, (int)c) : NULL;
    if (place)
        slm_nfa_text(a, from, (const char[]){ '\\', letters[place - short_of] }, 2, to);
    else if (c)
        slm_nfa_text(a, from, (const char[]){ '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] }, 6, to);
}

/* All control characters but U+0000 in few states: strings whose length is counted have this once for each place. */
static void controls(slm_nfa *a, uint32_t from, uint32_t to)
{
    static const char letters[] = "bfnrt";
    const uint32_t slash = slm_nfa_node(a), u = slm_nfa_node(a), zero = slm_nfa_node(a), one = slm_nfa_node(a);
    slm_nfa_bytes(a, from, '\\', '\\', slash);
    for (size_t i = 0; letters[i]; i++)
        slm_nfa_bytes(a, slash, (uint8_t)letters[i], (uint8_t)letters[i], to);
    slm_nfa_text(a, slash, "u00", 3, u);
    slm_nfa_bytes(a, u, '0', '0', zero);
    slm_nfa_bytes(a, u, '1', '1', one);
    slm_nfa_bytes(a, zero, '1', '9', to);
    slm_nfa_bytes(a, zero, 'a', 'f', to);
    slm_nfa_bytes(a, one, '0', '9', to);
    slm_nfa_bytes(a, one, 'a', 'f', to);
}

void slm_nfa_points(slm_nfa *a, uint32_t from, const slm_range *ranges, size_t n, bool json, uint32_t to)
{
    tails t = { { to }, { true } };
    for (size_t i = 0; i < n && !a->failed; i++) {
        slm_range r = ranges[i];
        if (!json) {
            points(a, from, r, &t);
            continue;
        }
        if (r.lo <= 1 && r.hi >= 0x1f) {
            controls(a, from, to);
            r.lo = 0x20;
        }
        for (; r.lo < 0x20 && r.lo <= r.hi; r.lo++)
            escaped(a, from, r.lo, to);
        static const uint32_t marks[] = { '"', '\\' };
        for (size_t k = 0; k < 2; k++) {
            if (r.lo > marks[k] || r.hi < marks[k])
                continue;
            escaped(a, from, marks[k], to);
            if (r.lo < marks[k])
                points(a, from, (slm_range){ r.lo, marks[k] - 1 }, &t);
            r.lo = marks[k] + 1;
        }
        if (r.lo <= r.hi)
            points(a, from, r, &t);
    }
}

/* ---- freezing ---- */

/* The edges at a node, by either end: at[v] .. at[v + 1] of `list`. */
static void by_end(const slm_nfa *a, bool from, uint32_t *at, uint32_t *list)
{
    memset(at, 0, (a->n + 1) * sizeof *at);
    for (size_t i = 0; i < a->n_edges; i++)
        at[(from ? a->edges[i].from : a->edges[i].to) + 1]++;
    for (size_t v = 0; v < a->n; v++)
        at[v + 1] += at[v];
    for (size_t i = a->n_edges; i-- > 0;)
        list[--at[(from ? a->edges[i].from : a->edges[i].to) + 1]] = (uint32_t)i;
    for (size_t v = 0; v < a->n; v++)               /* each start went down to where the node's own edges begin; move them back */
        at[v] = at[v + 1];
    at[a->n] = (uint32_t)a->n_edges;
}

/* Breadth first from the end: first over all empty edges of a level, then over bytes to the next. */
static void measure(slm_nfa *a, const uint32_t *at, const uint32_t *list, uint32_t *order, const uint32_t *spelled)
{
    size_t begin = 0, n = 0;
    for (size_t v = 0; v < a->n; v++)
        a->distance[v] = SLM_FAR;
    a->distance[SLM_NFA_END] = 0;
    order[n++] = SLM_NFA_END;
    for (uint32_t level = 0; begin < n; level++) {
        for (size_t i = begin; i < n; i++)
            for (uint32_t e = at[order[i]]; e < at[order[i] + 1]; e++) {
                const slm_edge *edge = &a->edges[list[e]];
                if (edge->empty && a->distance[edge->from] == SLM_FAR) {
                    a->distance[edge->from] = level;
                    order[n++] = edge->from;
                }
            }
        const size_t end = n;
        for (size_t i = begin; i < end; i++)
            for (uint32_t e = at[order[i]]; e < at[order[i] + 1]; e++) {
                const slm_edge *edge = &a->edges[list[e]];
                if (!edge->empty && a->distance[edge->from] == SLM_FAR && spelled[edge->hi + 1] > spelled[edge->lo]) {
                    a->distance[edge->from] = level + 1;
                    order[n++] = edge->from;
                }
            }
        begin = end;
    }
}

static void classify(slm_nfa *a)
{
    bool begins[257] = { true };
    for (size_t i = 0; i < a->n_edges; i++)
        if (!a->edges[i].empty)
            begins[a->edges[i].lo] = begins[a->edges[i].hi + 1] = true;
    a->classes = 0;
    for (size_t b = 0; b < 256; b++) {
        if (begins[b])
            a->member[a->classes++] = (uint8_t)b;
        a->class_of[b] = (uint8_t)(a->classes - 1);
    }
}

static slm_status sorted(slm_nfa *a, uint32_t *list)
{
    slm_edge *edges = slm_heap_array(a->heap, slm_max(1, a->n_edges), sizeof *edges);
    size_t kept = 0;
    if (!edges)
        return SLM_E_MEMORY;
    by_end(a, true, a->first, list);
    for (size_t v = 0; v < a->n; v++) {
        const uint32_t begin = a->first[v], end = a->first[v + 1];
        a->first[v] = (uint32_t)kept;
        for (uint32_t e = begin; e < end; e++)
            if (a->distance[a->edges[list[e]].to] != SLM_FAR)
                edges[kept++] = a->edges[list[e]];
    }
    a->first[a->n] = (uint32_t)kept;
    slm_heap_free(a->heap, a->edges);
    a->edges = edges;
    a->n_edges = a->room = kept;
    return SLM_OK;
}

slm_status slm_nfa_freeze(slm_nfa *a, const bool spelled[256], const char *what, slm_error *err)
{
    if (a->failed == SLM_E_LIMIT)
        return slm_fail(err, SLM_E_LIMIT, "%s: more than %d states or %d edges", what, SLM_LIMIT_GRAMMAR_STATES, SLM_LIMIT_GRAMMAR_EDGES);
    uint32_t before[257] = { 0 };
    for (size_t b = 0; b < 256; b++)
        before[b + 1] = before[b] + spelled[b];
    uint32_t *scratch = a->failed ? NULL : slm_heap_array(a->heap, 2 * (size_t)a->n + 1 + slm_max(1, a->n_edges), sizeof *scratch);
    a->first = scratch ? slm_heap_array(a->heap, (size_t)a->n + 1, sizeof *a->first) : NULL;
    a->distance = a->first ? slm_heap_array(a->heap, a->n, sizeof *a->distance) : NULL;
    slm_status status = SLM_E_MEMORY;
    if (a->distance) {
        uint32_t *list = scratch + 2 * (size_t)a->n + 1;
        by_end(a, false, scratch, list);
        measure(a, scratch, list, scratch + a->n + 1, before);
        classify(a);
        status = sorted(a, list);
    }
    slm_heap_free(a->heap, scratch);
    if (status)
        return slm_fail(err, status, "%s: automaton of %u states and %zu edges", what, a->n, a->n_edges);
    if (a->distance[SLM_NFA_START] == SLM_FAR)
        return slm_fail(err, SLM_E_NOT_FOUND, "%s: 0 texts: nothing this vocabulary can spell fits", what);
    return SLM_OK;
}
