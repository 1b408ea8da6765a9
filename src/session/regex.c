/* regex.c -- a pattern to a tree to an automaton, neither step by recursion.
 *
 * The parser keeps a frame for each open group: the branches before the last `|`, what stands before the last atom, and the last atom,
 * which a quantifier may still change. The builder keeps a stack of (tree, from, to). It only adds edges that leave `from` or enter `to`,
 * so that pieces that share a node cannot leak into each other; a loop gets a node of its own. */
#include "session/regex.h"

#include "core/buf.h"
#include "core/limits.h"
#include "core/size.h"
#include "core/utf8.h"
#include "session/constraint.h"

typedef enum kind { EMPTY, POINTS, CAT, ALT, REPEAT } kind;

enum { NONE = -1 };

typedef struct node {
    kind kind;
    int32_t a, b;           /* CAT, ALT: parts; REPEAT: a */
    uint32_t least, most;   /* REPEAT; most UINT32_MAX: no end */
    uint32_t first, n;      /* POINTS: ranges */
} node;

typedef struct frame {
    int32_t alt, cat, last; /* NONE: nothing yet */
    size_t at;              /* of the parenthesis */
    bool begins, ends;      /* this branch has ^, $ */
} frame;

typedef struct parser {
    const slm_regex *regex;
    const uint8_t *p;
    size_t n, at;
    slm_buf nodes, ranges;
    frame stack[SLM_LIMIT_GRAMMAR_DEPTH];
    size_t depth;
    slm_error *err;
} parser;

static const slm_range digits[] = { { '0', '9' } };
static const slm_range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const slm_range spaces[] = { { '\t', '\r' }, { ' ', ' ' } };
static const slm_range line[] = { { 0, 9 }, { 0xb, 0xc }, { 0xe, 0x2027 }, { 0x202a, 0x10ffff } };      /* . in every dialect */
static const slm_range all[] = { { 0, 0x10ffff } };

static slm_status wrong(parser *r, slm_status status, size_t at, const char *text)
{
    char shown[SLM_SHOWN];
    return slm_fail_at(r->err, status, at, "%s: %s: '%s'", r->regex->what, text, slm_shown(shown, r->p + at, slm_min(r->n - at, 12)));
}

static int32_t add(parser *r, node v)
{
    uint8_t *at = slm_buf_grow(&r->nodes, sizeof v);
    if (!at)
        return NONE;
    memcpy(at, &v, sizeof v);
    return (int32_t)(r->nodes.size / sizeof v) - 1;
}

static int32_t pair(parser *r, kind k, int32_t a, int32_t b)
{
    return a == NONE ? b : b == NONE ? a : add(r, (node){ .kind = k, .a = a, .b = b });
}

/* ---- sets of code points ---- */

static size_t count(const parser *r)
{
    return r->ranges.size / sizeof(slm_range);
}

static slm_range *range_at(const parser *r, size_t i)
{
    return (slm_range *)(void *)r->ranges.data + i;
}

static void add_range(parser *r, uint32_t lo, uint32_t hi)
{
    slm_buf_add(&r->ranges, &(slm_range){ lo, hi }, sizeof(slm_range));
}

/* All but ranges [n], which are ascending and apart. They may lie in the buffer that grows. */
static void add_others(parser *r, const slm_range *list, size_t n)
{
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].lo > next)
            add_range(r, next, list[i].lo - 1);
        next = list[i].hi + 1;
    }
    if (next <= 0x10ffff)
        add_range(r, next, 0x10ffff);
}

/* Ranges from `first` on: ascending, apart; or all others. */
static void settle(parser *r, size_t first, bool negate)
{
    static const size_t gaps[] = { 29524, 9841, 3280, 1093, 364, 121, 40, 13, 4, 1 };
    if (r->ranges.failed)
        return;
    const size_t n = count(r) - first;
    slm_range *v = range_at(r, first);
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (size_t i = gaps[g]; i < n; i++) {
            const slm_range x = v[i];
            size_t k = i;
            for (; k >= gaps[g] && v[k - gaps[g]].lo > x.lo; k -= gaps[g])
                v[k] = v[k - gaps[g]];
            v[k] = x;
        }
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && v[i].lo <= v[kept - 1].hi + 1)
            v[kept - 1].hi = (uint32_t)slm_max(v[kept - 1].hi, v[i].hi);
        else
            v[kept++] = v[i];
    }
    r->ranges.size = (first + kept) * sizeof *v;
    if (!negate)
        return;
    uint32_t next = 0;
    for (size_t i = 0; i < kept; i++) {                 /* the copy behind the list becomes the list */
        const slm_range x = *range_at(r, first + i);
        if (x.lo > next)
            add_range(r, next, x.lo - 1);
        next = x.hi + 1;
    }
    if (next <= 0x10ffff)
        add_range(r, next, 0x10ffff);
    if (r->ranges.failed)
        return;
    const size_t fresh = count(r) - first - kept;
    memmove(range_at(r, first), range_at(r, first + kept), fresh * sizeof(slm_range));
    r->ranges.size = (first + fresh) * sizeof(slm_range);
}

static int32_t set_node(parser *r, size_t first)
{
    return add(r, (node){ .kind = POINTS, .first = (uint32_t)first, .n = (uint32_t)(count(r) - first) });
}

static int32_t list_node(parser *r, const slm_range *list, size_t n)
{
    const size_t first = count(r);
    for (size_t i = 0; i < n; i++)
        add_range(r, list[i].lo, list[i].hi);
    return set_node(r, first);
}

static uint32_t point(parser *r)
{
    const uint8_t *p = r->p + r->at;
    const size_t n = slm_utf8_sequence(p, r->n - r->at);        /* the pattern is UTF-8 */
    uint32_t c = n == 1 ? p[0] : n == 2 ? p[0] & 0x1fu : n == 3 ? p[0] & 0x0fu : p[0] & 0x07u;
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3fu);
    r->at += n;
    return c;
}

static bool hex(parser *r, size_t n, uint32_t *c)
{
    *c = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t b = r->at + i < r->n ? r->p[r->at + i] : 0, low = b | 0x20;
        if (!((b >= '0' && b <= '9') || (low >= 'a' && low <= 'f')))
            return false;
        *c = *c << 4 | (b <= '9' ? b - (uint32_t)'0' : low - (uint32_t)'a' + 10);
    }
    r->at += n;
    return true;
}

/* After a backslash: a set (*set true, added to the ranges) or one code point. */
static slm_status escape(parser *r, bool *set, uint32_t *c)
{
    static const struct { uint8_t letter; const slm_range *list; size_t n; } sets[] = { { 'd', digits, 1 }, { 'w', words, 4 }, { 's', spaces, 2 } };
    static const char from[] = "tnrfv", to[] = "\t\n\r\f\v";
    const size_t start = r->at - 1;
    if (r->at >= r->n)
        return wrong(r, SLM_E_FORMAT, start, "backslash at the end");
    const uint8_t b = r->p[r->at];
    *set = false;
    for (size_t i = 0; i < 3; i++) {
        if ((b | 0x20) != sets[i].letter)
            continue;
        r->at++;
        *set = true;
        if (b & 0x20)
            for (size_t k = 0; k < sets[i].n; k++)
                add_range(r, sets[i].list[k].lo, sets[i].list[k].hi);
        else
            add_others(r, sets[i].list, sets[i].n);
        return SLM_OK;
    }
    const char *plain = b ? strchr(from, b) : NULL;
    if (plain) {
        r->at++;
        *c = (uint8_t)to[plain - from];
        return SLM_OK;
    }
    if (b == 'x' || b == 'u') {
        r->at++;
        if (!hex(r, b == 'x' ? 2 : 4, c) || (*c >= 0xd800 && *c <= 0xdfff))
            return wrong(r, SLM_E_FORMAT, start, "escape without its hex digits, or a surrogate");
        return SLM_OK;
    }
    if ((b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z'))
        return wrong(r, SLM_E_UNSUPPORTED, start, "escape (known: \\d \\w \\s \\t \\n \\r \\f \\v \\xHH \\uHHHH and marks)");
    *c = point(r);
    return SLM_OK;
}

/* One member of [...]: a code point, or a set. */
static slm_status member(parser *r, bool *set, uint32_t *c)
{
    *set = false;
    if (r->p[r->at] == '\\') {
        r->at++;
        if (r->at < r->n && r->p[r->at] == 'b') {       /* within brackets a backspace */
            r->at++;
            *c = '\b';
            return SLM_OK;
        }
        return escape(r, set, c);
    }
    *c = point(r);
    return SLM_OK;
}

static slm_status brackets(parser *r, int32_t *out)
{
    const size_t start = r->at - 1, first = count(r);
    const bool negate = r->at < r->n && r->p[r->at] == '^';
    r->at += negate;
    if (r->at < r->n && r->p[r->at] == ']')
        return wrong(r, SLM_E_UNSUPPORTED, start, "brackets that begin with ] (write \\])");
    while (r->at < r->n && r->p[r->at] != ']') {
        bool set;
        uint32_t lo = 0, hi;
        const size_t at = r->at;
        slm_status status = member(r, &set, &lo);
        if (status)
            return status;
        hi = lo;
        if (r->at + 1 < r->n && r->p[r->at] == '-' && r->p[r->at + 1] != ']') {
            bool to_set;
            r->at++;
            status = member(r, &to_set, &hi);
            if (status)
                return status;
            if (set || to_set || hi < lo)
                return wrong(r, SLM_E_FORMAT, at, "range without two ascending ends");
        }
        if (!set)
            add_range(r, lo, hi);
    }
    if (r->at >= r->n)
        return wrong(r, SLM_E_FORMAT, start, "bracket never closed");
    r->at++;
    settle(r, first, negate);
    if (!r->ranges.failed && count(r) == first)
        return wrong(r, SLM_E_FORMAT, start, "brackets around 0 characters");
    *out = set_node(r, first);
    return SLM_OK;
}

/* ---- structure ---- */

/* Digits at the place; false if there are none. */
static bool number(parser *r, uint32_t *v)
{
    const size_t start = r->at;
    for (*v = 0; r->at < r->n && r->p[r->at] >= '0' && r->p[r->at] <= '9'; r->at++)
        *v = (uint32_t)slm_min((size_t)*v * 10 + (size_t)(r->p[r->at] - '0'), 1000000);
    return r->at > start;
}

static slm_status quantifier(parser *r, frame *f)
{
    const size_t start = r->at;
    const uint8_t b = r->p[r->at++];
    uint32_t least = b == '+', most = b == '?' ? 1 : UINT32_MAX;
    if (b == '{') {
        bool good = number(r, &least);
        most = least;
        if (good && r->at < r->n && r->p[r->at] == ',') {
            r->at++;
            if (!number(r, &most))
                most = UINT32_MAX;
        }
        if (!good || r->at >= r->n || r->p[r->at] != '}')
            return wrong(r, SLM_E_FORMAT, start, "no repetition {m}, {m,} or {m,n} (a brace itself is \\{)");
        r->at++;
        if (least > SLM_LIMIT_GRAMMAR_REPEAT || (most != UINT32_MAX && most > SLM_LIMIT_GRAMMAR_REPEAT))
            return wrong(r, SLM_E_LIMIT, start, "repetition beyond 10000");
        if (most < least)
            return wrong(r, SLM_E_FORMAT, start, "repetition whose ends are not ascending");
    }
    if (f->last == NONE)
        return wrong(r, SLM_E_FORMAT, start, "repetition of nothing");
    f->last = add(r, (node){ .kind = REPEAT, .a = f->last, .least = least, .most = most });
    if (r->at < r->n && r->p[r->at] == '?')
        r->at++;                        /* lazy: the same language */
    if (r->at < r->n && strchr("*+?{", r->p[r->at]) && r->p[r->at])
        return wrong(r, SLM_E_UNSUPPORTED, r->at, "repetition of a repetition (write a group)");
    return SLM_OK;
}

static void atom(parser *r, frame *f, int32_t v)
{
    f->cat = pair(r, CAT, f->cat, f->last);
    f->last = v;
}

/* The branch that ends here joins those before it. */
static void end_branch(parser *r, frame *f)
{
    int32_t branch = pair(r, CAT, f->cat, f->last);
    if (branch == NONE)
        branch = add(r, (node){ .kind = EMPTY });
    if (r->depth == 1 && r->regex->search) {
        const int32_t any = f->begins && f->ends ? NONE : list_node(r, all, 1);
        if (!f->begins)
            branch = pair(r, CAT, add(r, (node){ .kind = REPEAT, .a = any, .most = UINT32_MAX }), branch);
        if (!f->ends)
            branch = pair(r, CAT, branch, add(r, (node){ .kind = REPEAT, .a = any, .most = UINT32_MAX }));
    }
    f->alt = pair(r, ALT, f->alt, branch);
    f->cat = f->last = NONE;
    f->begins = f->ends = false;
}

static slm_status open_group(parser *r)
{
    const size_t start = r->at++;
    if (r->at < r->n && r->p[r->at] == '?') {
        if (r->at + 1 >= r->n || r->p[r->at + 1] != ':')
            return wrong(r, SLM_E_UNSUPPORTED, start, "group (known: (...) and (?:...))");
        r->at += 2;
    }
    if (r->depth == SLM_LIMIT_GRAMMAR_DEPTH)
        return wrong(r, SLM_E_LIMIT, start, "group deeper than 64 levels");
    r->stack[r->depth++] = (frame){ NONE, NONE, NONE, start, false, false };
    return SLM_OK;
}

static slm_status anchor(parser *r, frame *f)
{
    const size_t start = r->at++;
    const bool first = f->cat == NONE && f->last == NONE, last = r->at == r->n || r->p[r->at] == '|';
    if (r->depth > 1 || (r->p[start] == '^' ? !first : !last))
        return wrong(r, SLM_E_UNSUPPORTED, start, "anchor (known: ^ at the beginning and $ at the end of an alternative outside groups)");
    *(r->p[start] == '^' ? &f->begins : &f->ends) = true;
    return SLM_OK;
}

static slm_status piece(parser *r)
{
    frame *f = &r->stack[r->depth - 1];
    const size_t start = r->at;
    int32_t v = NONE;
    uint32_t c = 0;
    bool set = false;
    slm_status status = SLM_OK;
    switch (r->p[r->at]) {
    case '(':
        return open_group(r);
    case ')':
        if (r->depth == 1)
            return wrong(r, SLM_E_FORMAT, start, "parenthesis never opened");
        r->at++;
        end_branch(r, f);
        v = f->alt;
        r->depth--;
        atom(r, f - 1, v);
        return SLM_OK;
    case '|':
        r->at++;
        end_branch(r, f);
        return SLM_OK;
    case '*': case '+': case '?': case '{':
        return quantifier(r, f);
    case '^': case '$':
        return anchor(r, f);
    case '.':
        r->at++;
        atom(r, f, list_node(r, line, sizeof line / sizeof *line));
        return SLM_OK;
    case '[':
        r->at++;
        status = brackets(r, &v);
        if (!status)
            atom(r, f, v);
        return status;
    case '\\': {
        const size_t first = count(r);
        r->at++;
        status = escape(r, &set, &c);
        if (!status && set)
            atom(r, f, set_node(r, first));
        if (status || set)
            return status;
        break;
    }
    default:
        c = point(r);
    }
    atom(r, f, list_node(r, &(slm_range){ c, c }, 1));
    return SLM_OK;
}

static slm_status parse(parser *r, int32_t *root)
{
    r->stack[r->depth++] = (frame){ NONE, NONE, NONE, 0, false, false };
    while (r->at < r->n) {
        const slm_status status = piece(r);
        if (status)
            return status;
        if (r->nodes.failed || r->ranges.failed)
            break;
    }
    if (r->depth > 1 && !r->nodes.failed && !r->ranges.failed)
        return wrong(r, SLM_E_FORMAT, r->stack[r->depth - 1].at, "parenthesis never closed");
    end_branch(r, &r->stack[0]);
    *root = r->stack[0].alt;
    const slm_status status = slm_buf_status(&r->nodes, r->regex->what, r->err);
    return status ? status : slm_buf_status(&r->ranges, r->regex->what, r->err);
}

/* ---- building ---- */

typedef struct task {
    int32_t node;
    uint32_t from, to;
} task;

static void push(slm_buf *stack, int32_t v, uint32_t from, uint32_t to)
{
    slm_buf_add(stack, &(task){ v, from, to }, sizeof(task));
}

static void repeat(slm_nfa *nfa, slm_buf *stack, const node *v, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < v->least && !nfa->failed; i++) {
        const uint32_t next = slm_nfa_node(nfa);
        push(stack, v->a, from, next);
        from = next;
    }
    if (v->most == UINT32_MAX) {
        const uint32_t loop = slm_nfa_node(nfa), behind = slm_nfa_node(nfa);
        slm_nfa_empty(nfa, from, loop);
        push(stack, v->a, loop, behind);
        slm_nfa_empty(nfa, behind, loop);
        from = loop;
    }
    for (uint32_t i = v->least; v->most != UINT32_MAX && i < v->most && !nfa->failed; i++) {
        const uint32_t next = slm_nfa_node(nfa);
        slm_nfa_empty(nfa, from, to);
        push(stack, v->a, from, next);
        from = next;
    }
    slm_nfa_empty(nfa, from, to);
}

static slm_status build(slm_nfa *nfa, const parser *r, int32_t root, uint32_t from, uint32_t to)
{
    const node *nodes = (const node *)(const void *)r->nodes.data;
    slm_buf stack;
    slm_buf_init(&stack, nfa->heap, (size_t)SLM_LIMIT_GRAMMAR_EDGES * sizeof(task));
    push(&stack, root, from, to);
    while (stack.size && !nfa->failed && !stack.failed) {
        task t;
        stack.size -= sizeof t;
        memcpy(&t, stack.data + stack.size, sizeof t);
        const node *v = &nodes[t.node];
        switch (v->kind) {
        case EMPTY:
            slm_nfa_empty(nfa, t.from, t.to);
            break;
        case POINTS:
            slm_nfa_points(nfa, t.from, range_at(r, v->first), v->n, r->regex->json, t.to);
            break;
        case CAT: {
            const uint32_t between = slm_nfa_node(nfa);
            push(&stack, v->b, between, t.to);
            push(&stack, v->a, t.from, between);
            break;
        }
        case ALT:
            push(&stack, v->b, t.from, t.to);
            push(&stack, v->a, t.from, t.to);
            break;
        case REPEAT:
            repeat(nfa, &stack, v, t.from, t.to);
        }
    }
    const slm_status status = nfa->failed ? nfa->failed : stack.failed;
    slm_buf_free(&stack);
    return status;
}

slm_status slm_regex_build(slm_nfa *nfa, const slm_regex *regex, uint32_t from, uint32_t to, slm_error *err)
{
    parser r = { .regex = regex, .p = (const uint8_t *)regex->pattern, .n = regex->n, .err = err };
    int32_t root = NONE;
    if (regex->n > SLM_LIMIT_GRAMMAR_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: a pattern of %zu bytes (allowed %d)", regex->what, regex->n, SLM_LIMIT_GRAMMAR_BYTES);
    const size_t valid = slm_utf8_valid(regex->pattern, regex->n);
    if (valid != regex->n)
        return slm_fail_at(err, SLM_E_FORMAT, valid, "%s: a pattern of %zu bytes that is not UTF-8", regex->what, regex->n);
    slm_buf_init(&r.nodes, nfa->heap, SIZE_MAX / 2);
    slm_buf_init(&r.ranges, nfa->heap, SIZE_MAX / 2);
    slm_status status = parse(&r, &root);
    if (!status && (status = build(nfa, &r, root, from, to)))
        status = slm_fail(err, status, "%s: automaton of %u states and %zu edges (allowed %d and %d)", regex->what, nfa->n, nfa->n_edges,
                          SLM_LIMIT_GRAMMAR_STATES, SLM_LIMIT_GRAMMAR_EDGES);
    slm_buf_free(&r.nodes);
    slm_buf_free(&r.ranges);
    return status;
}

static slm_status language(slm_nfa *nfa, const void *source, slm_error *err)
{
    return slm_regex_build(nfa, source, SLM_NFA_START, SLM_NFA_END, err);
}

slm_status slm_constraint_regex(slm_constraint **out, const slm_tokenizer *tokenizer, const char *pattern, slm_error *err)
{
    if (!pattern)
        return slm_fail(err, SLM_E_ARG, "regex: pattern is NULL (allowed up to %d bytes)", SLM_LIMIT_GRAMMAR_BYTES);
    const slm_regex regex = { pattern, strlen(pattern), false, false, "regex" };
    return slm_constraint_new(out, tokenizer, language, &regex, "regex", err);
}
