/* template_run.c -- the stack machine that runs a template's code.
 *
 * Four things grow while it runs, each with a limit: the stack of values, the scopes of variables, the loops, the calls of macros.
 * None is the C stack. Every instruction takes a step of fuel, and so does every 64 bytes that are copied or compared.
 *
 * Scopes: a loop begins a new one with each round, a macro and `with` begin one; `if` does not. A variable is looked for from the
 * innermost outwards to the globals, and set in the innermost. Macros see the scope in which they were defined. */
#include "text/template.h"

#include "core/size.h"

#include <math.h>
#include <string.h>

typedef struct binding {
    struct binding *next;
    slm_value value;
    uint32_t name;
} binding;

typedef struct scope {
    struct scope *outer;        /* NULL: the globals */
    binding *first, *spare;
} scope;

typedef struct loop {
    struct loop *outer;
    scope    scope;             /* of the round */
    const slm_value *items;
    size_t   n, at;
    size_t   captures;          /* open at its beginning */
    slm_value *kept;            /* of a SELECT: [n], n_kept used */
    size_t   n_kept;
} loop;

typedef struct call {
    struct call *outer;
    scope    scope;
    scope   *before;            /* the caller's scope and loop */
    loop    *loop;
    size_t   back;              /* code to go on with */
    size_t   captures, stack;
    uint64_t given;             /* parameters with a value, a bit each */
} call;

typedef struct closure {        /* a macro with the scope it was defined in */
    const slm_macro *macro;
    scope *outer;
} closure;

typedef struct field { struct field *next; slm_value key, value; } field;
typedef struct namespace { field *first; } namespace;   /* in the order they were set */

typedef struct machine {
    slm_store *store;
    const slm_rendering *r;
    const slm_code *code;
    const slm_const *consts, *names;
    const uint8_t *blob;
    slm_buf  stack;             /* slm_value */
    slm_buf  captures;          /* size_t: the output's size where each began */
    size_t   pc;
    scope   *scope;
    loop    *loop;
    call    *call;
    size_t   calls;
    uint32_t loop_name;
} machine;

/* ---- the stack ---- */

static slm_status push(machine *m, slm_value v)
{
    slm_buf_add(&m->stack, &v, sizeof v);
    if (!m->stack.failed)
        return SLM_OK;
    return slm_store_fail(m->store, m->stack.failed, "no room for more than %zu values", SLM_COUNT(slm_value, m->stack));
}

/* The code pops only what it pushed. */
static slm_value pop(machine *m)
{
    m->stack.size -= sizeof(slm_value);
    slm_value v;
    memcpy(&v, m->stack.data + m->stack.size, sizeof v);
    return v;
}

static slm_value *top(machine *m, size_t n)      /* the lowest of the n uppermost */
{
    return n ? SLM_ARRAY(slm_value, m->stack) + SLM_COUNT(slm_value, m->stack) - n : NULL;
}

static void drop(machine *m, size_t n)
{
    m->stack.size -= n * sizeof(slm_value);
}

static slm_value constant(const machine *m, int64_t index)
{
    slm_value v = m->consts[index].value;
    if (v.type == SLM_V_STRING)
        v.as.text = m->blob + m->consts[index].at;
    return v;
}

/* ---- output ---- */

static slm_status put(machine *m, const slm_value *string)
{
    slm_buf *text = m->r->text, *kinds = m->r->kinds;
    slm_status status = slm_store_spend(m->store, string->n);
    if (status || !string->n)
        return status;
    slm_buf_add(text, string->as.text, string->n);
    uint8_t *to = text->failed ? NULL : slm_buf_grow(kinds, string->n);
    if (!to)
        return text->failed == SLM_E_LIMIT ? slm_store_fail(m->store, SLM_E_LIMIT, "the prompt has more than %zu bytes", text->most)
                                           : slm_store_fail(m->store, SLM_E_MEMORY, "no memory for a prompt of %zu bytes", text->size);
    if (string->kinds)
        memcpy(to, string->kinds, string->n);
    else
        memset(to, string->kind, string->n);
    return SLM_OK;
}

static slm_status print(machine *m)
{
    const slm_value v = pop(m);
    slm_value shown;
    if (v.type == SLM_V_UNDEFINED)
        return SLM_OK;
    slm_status status = slm_value_show(m->store, &v, &shown);
    return status ? status : put(m, &shown);
}

static slm_status capture(machine *m)
{
    const size_t at = m->r->text->size;
    slm_buf_add(&m->captures, &at, sizeof at);
    return m->captures.failed ? slm_store_fail(m->store, m->captures.failed, "text gathered inside text too deep") : SLM_OK;
}

/* Back to `n` open captures; what was written in those above is gone. */
static void forget_captures(machine *m, size_t n)
{
    if (SLM_COUNT(size_t, m->captures) > n) {
        m->r->text->size = m->r->kinds->size = SLM_ARRAY(size_t, m->captures)[n];
        m->captures.size = n * sizeof(size_t);
    }
}

static slm_status captured(machine *m)
{
    const size_t n = SLM_COUNT(size_t, m->captures) - 1, at = SLM_ARRAY(size_t, m->captures)[n], end = m->r->text->size;
    slm_value v = slm_string("", 0, SLM_CONTENT);
    slm_text t = slm_text_begin(m->store);
    if (end > at) {
        v = slm_string(m->r->text->data + at, end - at, SLM_CONTENT);
        v.kinds = m->r->kinds->data + at;
        slm_text_put(&t, &v);
    }
    slm_status status = slm_text_end(&t, &v);
    forget_captures(m, n);
    return status ? status : push(m, v);
}

/* ---- variables ---- */

static slm_status load(machine *m, uint32_t name)
{
    const slm_value *found = NULL;
    size_t steps = 0;
    for (const scope *s = m->scope; s && !found; s = s->outer)
        for (const binding *b = s->first; b && !found; b = b->next, steps += 16)
            if (b->name == name)
                found = &b->value;
    slm_status status = slm_store_spend(m->store, steps);
    if (status)
        return status;
    if (!found && m->r->globals[name].type != SLM_V_UNSET)
        found = &m->r->globals[name];
    return push(m, found ? *found : slm_undefined(m->blob + m->names[name].at, m->names[name].value.n));
}

static slm_status store_in(machine *m, scope *s, uint32_t name, slm_value v)
{
    size_t steps = 0;
    if (!s) {
        m->r->globals[name] = v;
        return SLM_OK;
    }
    binding *b = s->first;
    for (; b && b->name != name; b = b->next)
        steps += 16;
    if (!b) {
        b = s->spare;
        if (b)
            s->spare = b->next;
        else if (!(b = slm_store_take(m->store, 1, sizeof *b)))
            return SLM_E_MEMORY;
        b->next = s->first;
        b->name = name;
        s->first = b;
    }
    b->value = v;
    return slm_store_spend(m->store, steps);
}

static void clear_scope(scope *s)
{
    while (s->first) {
        binding *b = s->first;
        s->first = b->next;
        b->next = s->spare;
        s->spare = b;
    }
}

static slm_status set_field(machine *m, namespace *ns, slm_value key, slm_value v)
{
    size_t steps = 0;
    field *f = ns->first, **end = &ns->first;
    for (; f && (f->key.n != key.n || memcmp(f->key.as.text, key.as.text, key.n) != 0); f = f->next, steps += 32)
        end = &f->next;
    if (!f) {
        if (!(f = slm_store_take(m->store, 1, sizeof *f)))
            return SLM_E_MEMORY;
        *f = (field){ NULL, key, v };
        *end = f;
    }
    f->value = v;
    return slm_store_spend(m->store, steps);
}

static slm_status store_attr(machine *m, const slm_code *c)
{
    slm_status status = load(m, (uint32_t)c->arg);
    if (status)
        return status;
    const slm_value ns = pop(m), v = pop(m);
    if (ns.type != SLM_V_NAMESPACE)
        return slm_store_fail(m->store, SLM_E_FORMAT, "cannot set an attribute of %s: it is no namespace", slm_type_name(&ns));
    return set_field(m, ns.as.own, constant(m, c->more), v);
}

static slm_status unpack(machine *m, size_t n)
{
    const slm_value v = pop(m), *items;
    size_t have;
    slm_status status = slm_value_items(m->store, &v, &items, &have);
    if (!status && have != n)
        status = slm_store_fail(m->store, SLM_E_FORMAT, "%zu values for %zu names", have, n);
    for (size_t i = n; !status && i > 0; i--)
        status = push(m, items[i - 1]);
    return status;
}

/* ---- attributes and items ---- */

static slm_status loop_attr(machine *m, const slm_value *v, const slm_value *name, slm_value *out)
{
    const loop *l = v->as.own;
    const struct { const char *name; slm_value value; } known[] = {
        { "index", slm_int((int64_t)l->at + 1) }, { "index0", slm_int((int64_t)l->at) }, { "first", slm_bool(l->at == 0) },
        { "last", slm_bool(l->at + 1 >= l->n) }, { "length", slm_int((int64_t)l->n) }, { "revindex", slm_int((int64_t)(l->n - l->at)) },
        { "revindex0", slm_int((int64_t)(l->n - l->at) - 1) }, { "depth", slm_int(1) }, { "depth0", slm_int(0) },
        { "previtem", l->at > 0 ? l->items[l->at - 1] : slm_undefined("loop.previtem", 13) },
        { "nextitem", l->at + 1 < l->n ? l->items[l->at + 1] : slm_undefined("loop.nextitem", 13) },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slm_string_is(name, known[i].name)) {
            *out = known[i].value;
            return SLM_OK;
        }
    if (slm_string_is(name, "cycle") || slm_string_is(name, "changed"))
        return slm_store_fail(m->store, SLM_E_UNSUPPORTED, "loop.%.*s() is not supported", (int)name->n, (const char *)name->as.text);
    *out = slm_undefined(name->as.text, name->n);
    return SLM_OK;
}

static slm_status attr(machine *m, const slm_value *v, const slm_value *name, slm_value *out)
{
    if (v->type == SLM_V_LOOP)
        return loop_attr(m, v, name, out);
    if (v->type == SLM_V_NAMESPACE) {
        size_t steps = 0;
        const field *f = ((const namespace *)v->as.own)->first;
        for (; f && (f->key.n != name->n || memcmp(f->key.as.text, name->as.text, name->n) != 0); f = f->next)
            steps += 32;
        *out = f ? f->value : slm_undefined(name->as.text, name->n);
        return slm_store_spend(m->store, steps);
    }
    return slm_value_attr(m->store, v, name, out);
}

/* A part of a slice as an index in 0 .. n, by Python's rules; `low` and `high` are where it stops at the ends. */
static slm_status slice_part(machine *m, const slm_value *v, int64_t n, int64_t low, int64_t high, int64_t *at)
{
    if (v->type == SLM_V_NONE)
        return SLM_OK;
    if (!slm_is_int(v))
        return slm_store_fail(m->store, SLM_E_FORMAT, "a slice by %s", slm_type_name(v));
    int64_t i = v->as.i;
    if (i < 0)
        i = i < -n ? -1 : i + n;
    *at = i < low ? low : i > high ? high : i;
    return SLM_OK;
}

static slm_status slice(machine *m, int32_t mask)
{
    slm_value part[3] = { slm_none(), slm_none(), slm_none() }, v, out;
    const slm_value *items;
    for (int i = 2; i >= 0; i--)
        if (mask & 1 << i)
            part[i] = pop(m);
    v = pop(m);
    if (v.type == SLM_V_UNDEFINED)
        return slm_value_attr(m->store, &v, &(slm_value){ .type = SLM_V_STRING, .n = 5, .as.text = (const uint8_t *)"slice" }, &out);
    if (v.type != SLM_V_LIST && v.type != SLM_V_STRING)
        return slm_store_fail(m->store, SLM_E_FORMAT, "a slice of %s", slm_type_name(&v));
    int64_t n = v.type == SLM_V_LIST ? v.as.list->n : (int64_t)slm_string_points(&v), step = 1;
    slm_status status = slm_store_spend(m->store, v.n);
    if (!status && part[2].type != SLM_V_NONE) {
        if (!slm_is_int(&part[2]) || part[2].as.i == 0)
            return slm_store_fail(m->store, SLM_E_FORMAT, "a slice with a step of %s", part[2].type == SLM_V_INT ? "0" : slm_type_name(&part[2]));
        step = part[2].as.i;
    }
    const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    int64_t from = step < 0 ? high : low, to = step < 0 ? low : high;
    if (status || (status = slice_part(m, &part[0], n, low, high, &from)) || (status = slice_part(m, &part[1], n, low, high, &to)))
        return status;
    if (step == 1 && v.type == SLM_V_STRING) {
        const size_t begin = slm_string_byte(&v, (size_t)from);
        return push(m, slm_string_part(&v, begin, to > from ? slm_string_byte(&v, (size_t)to) : begin));
    }
    size_t count = 0;
    if (step > 0 && to > from)
        count = (size_t)((to - from - 1) / step) + 1;
    else if (step < 0 && from > to)
        count = (size_t)((from - to - 1) / (step == INT64_MIN ? INT64_MAX : -step)) + 1;
    size_t have;
    if ((status = slm_value_items(m->store, &v, &items, &have)))
        return status;
    if (step == 1) {                            /* the items themselves, seen through a smaller window */
        status = slm_list_adopt(m->store, items + from, count, v.as.list->tuple, &out);
    } else {
        slm_value *picked = slm_store_take(m->store, count, sizeof *picked);
        if (!picked)
            return SLM_E_MEMORY;
        for (size_t i = 0; i < count; i++)
            picked[i] = items[from + (int64_t)i * step];
        status = slm_store_spend(m->store, count * sizeof *picked);
        if (!status && v.type == SLM_V_STRING) {
            slm_text t = slm_text_begin(m->store);
            for (size_t i = 0; i < count; i++)
                slm_text_put(&t, &picked[i]);
            status = slm_text_end(&t, &out);
        } else if (!status) {
            status = slm_list_adopt(m->store, picked, count, v.as.list->tuple, &out);
        }
    }
    return status ? status : push(m, out);
}

/* ---- operators ---- */

static slm_status no_operator(machine *m, const char *sign, const slm_value *a, const slm_value *b)
{
    char shown[SLM_SHOWN];
    const slm_value *u = a->type == SLM_V_UNDEFINED ? a : b;
    if (u->type == SLM_V_UNDEFINED)
        return slm_store_fail(m->store, SLM_E_FORMAT, "'%s' is undefined", slm_shown(shown, u->as.text, u->n));
    return slm_store_fail(m->store, SLM_E_FORMAT, "cannot compute %s %s %s", slm_type_name(a), sign, slm_type_name(b));
}

static slm_status repeat(machine *m, const slm_value *v, int64_t times, slm_value *out)
{
    slm_status status = SLM_OK;
    if (times < 0)
        times = 0;
    if (v->type == SLM_V_STRING) {
        slm_text t = slm_text_begin(m->store);
        for (int64_t i = 0; v->n && i < times && !t.status; i++)
            slm_text_put(&t, v);
        return slm_text_end(&t, out);
    }
    const slm_list *l = v->as.list;
    size_t n;
    if (!slm_size_mul(l->n, (size_t)times, &n) || n > SLM_LIMIT_TEMPLATE_VALUES)
        return slm_store_fail(m->store, SLM_E_LIMIT, "a list repeated %lld times", (long long)times);
    slm_value *items = slm_store_take(m->store, n, sizeof *items);
    if (!items)
        return SLM_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        items[i] = l->items[i % l->n];
    status = slm_store_spend(m->store, n * sizeof *items);
    return status ? status : slm_list_adopt(m->store, items, n, l->tuple, out);
}

static slm_status add(machine *m, const slm_value *a, const slm_value *b, slm_value *out)
{
    if (a->type == SLM_V_STRING && b->type == SLM_V_STRING) {
        slm_text t = slm_text_after(m->store, a);
        slm_text_put(&t, b);
        return slm_text_end(&t, out);
    }
    if (a->type != SLM_V_LIST || b->type != SLM_V_LIST || a->as.list->tuple != b->as.list->tuple)
        return no_operator(m, "+", a, b);
    const size_t n = a->as.list->n, more = b->as.list->n;
    slm_value *items = slm_store_take(m->store, n + more, sizeof *items);
    if (!items)
        return SLM_E_MEMORY;
    if (n)
        memcpy(items, a->as.list->items, n * sizeof *items);
    if (more)
        memcpy(items + n, b->as.list->items, more * sizeof *items);
    slm_status status = slm_store_spend(m->store, (n + more) * sizeof *items);
    return status ? status : slm_list_adopt(m->store, items, n + more, a->as.list->tuple, out);
}

/* As in Python: // and % belong together, and the remainder has the sign of the divisor, zero too. */
static slm_status floats(machine *m, slm_op op, double a, double b, slm_value *out)
{
    double v, rest;
    if ((op == SLM_OP_DIV || op == SLM_OP_FLOORDIV || op == SLM_OP_MOD) && b == 0)
        return slm_store_fail(m->store, SLM_E_FORMAT, "division by zero");
    switch ((int)op) {
    case SLM_OP_ADD: v = a + b; break;
    case SLM_OP_SUB: v = a - b; break;
    case SLM_OP_MUL: v = a * b; break;
    case SLM_OP_DIV: v = a / b; break;
    case SLM_OP_FLOORDIV:
    case SLM_OP_MOD:
        rest = fmod(a, b);
        v = nearbyint((a - rest) / b) - (rest != 0 && (rest < 0) != (b < 0));     /* (a - rest) / b is whole but for its rounding */
        if (rest != 0 && (rest < 0) != (b < 0))
            rest += b;
        v = op == SLM_OP_MOD ? rest != 0 ? rest : copysign(0, b) : v;
        break;
    default:
        if (a == 0 && b < 0)
            return slm_store_fail(m->store, SLM_E_FORMAT, "division by zero");
        v = pow(a, b);
        if (isnan(v) && !isnan(a) && !isnan(b))
            return slm_store_fail(m->store, SLM_E_UNSUPPORTED, "a power that is a complex number");
        if (isinf(v) && !isinf(a) && !isinf(b))
            return slm_store_fail(m->store, SLM_E_LIMIT, "a power beyond a double");
        break;
    }
    *out = slm_float(v);
    return SLM_OK;
}

/* Integers as in Python, where // and % round downwards; beyond 64 bits is an error. */
static slm_status integers(machine *m, slm_op op, int64_t a, int64_t b, slm_value *out)
{
    int64_t v = 0;
    bool over = false;
    if ((op == SLM_OP_DIV || op == SLM_OP_FLOORDIV || op == SLM_OP_MOD) && b == 0)
        return slm_store_fail(m->store, SLM_E_FORMAT, "division by zero");
    switch ((int)op) {
    case SLM_OP_ADD: over = __builtin_add_overflow(a, b, &v); break;
    case SLM_OP_SUB: over = __builtin_sub_overflow(a, b, &v); break;
    case SLM_OP_MUL: over = __builtin_mul_overflow(a, b, &v); break;
    case SLM_OP_DIV: *out = slm_float((double)a / (double)b); return SLM_OK;
    case SLM_OP_FLOORDIV:
        over = a == INT64_MIN && b == -1;
        if (!over)
            v = a / b - (a % b != 0 && (a < 0) != (b < 0));
        break;
    case SLM_OP_MOD:
        v = b == -1 ? 0 : a % b;
        if (v && (v < 0) != (b < 0))
            v += b;
        break;
    default:
        if (b < 0)
            return floats(m, op, (double)a, (double)b, out);
        for (v = 1; b > 0 && !over && (a < -1 || a > 1 || b < 64); b--)
            over = __builtin_mul_overflow(v, a, &v);
        if (b > 0 && !over)
            v = a == 0 ? 0 : a == -1 && b % 2 ? -v : v;
        break;
    }
    if (over)
        return slm_store_fail(m->store, SLM_E_LIMIT, "an integer beyond 64 bits");
    *out = slm_int(v);
    return SLM_OK;
}

static slm_status arithmetic(machine *m, slm_op op)
{
    static const char *const signs[] = { "+", "-", "*", "/", "//", "%", "**" };
    const slm_value b = pop(m), a = pop(m);
    slm_value out;
    slm_status status;
    if (slm_is_int(&a) && slm_is_int(&b))
        status = integers(m, op, a.as.i, b.as.i, &out);
    else if (slm_is_number(&a) && slm_is_number(&b))
        status = floats(m, op, slm_number(&a), slm_number(&b), &out);
    else if (op == SLM_OP_ADD)
        status = add(m, &a, &b, &out);
    else if (op == SLM_OP_MUL && (a.type == SLM_V_STRING || a.type == SLM_V_LIST) && slm_is_int(&b))
        status = repeat(m, &a, b.as.i, &out);
    else if (op == SLM_OP_MUL && (b.type == SLM_V_STRING || b.type == SLM_V_LIST) && slm_is_int(&a))
        status = repeat(m, &b, a.as.i, &out);
    else if (op == SLM_OP_MOD && a.type == SLM_V_STRING)
        status = slm_store_fail(m->store, SLM_E_UNSUPPORTED, "formatting a string with %% is not supported");
    else
        status = no_operator(m, signs[op - SLM_OP_ADD], &a, &b);
    return status ? status : push(m, out);
}

static slm_status compare(machine *m, slm_op op)
{
    const slm_value b = pop(m), a = pop(m);
    bool yes = false;
    int order = 0;
    slm_status status;
    if (op == SLM_OP_EQ || op == SLM_OP_NE) {
        status = slm_value_equal(m->store, &a, &b, &yes);
        yes = yes == (op == SLM_OP_EQ);
    } else if (op == SLM_OP_IN || op == SLM_OP_NOT_IN) {
        status = slm_value_contains(m->store, &b, &a, &yes);
        yes = yes == (op == SLM_OP_IN);
    } else {
        status = slm_value_order(m->store, &a, &b, &order);
        yes = op == SLM_OP_LT ? order < 0 : op == SLM_OP_LE ? order <= 0 : op == SLM_OP_GT ? order > 0 : order >= 0;
    }
    return status ? status : push(m, slm_bool(yes));
}

static slm_status sign(machine *m, bool minus)
{
    const slm_value v = pop(m);
    slm_value out = v;
    if (!slm_is_number(&v))
        return no_operator(m, minus ? "-" : "+", &v, &v);
    if (v.type == SLM_V_FLOAT)
        return push(m, slm_float(minus ? -v.as.d : v.as.d));
    slm_status status = minus ? integers(m, SLM_OP_SUB, 0, v.as.i, &out) : SLM_OK;
    return status ? status : push(m, slm_int(out.as.i));
}

static slm_status join_texts(machine *m)
{
    const slm_value b = pop(m), a = pop(m);
    slm_value left;
    slm_status status = slm_value_show(m->store, &a, &left);
    if (status)
        return status;
    slm_text t = slm_text_after(m->store, &left);
    (void)slm_text_show(&t, &b);
    status = slm_text_end(&t, &left);
    return status ? status : push(m, left);
}

/* ---- loops ---- */

static slm_status begin_round(machine *m)
{
    loop *l = m->loop;
    clear_scope(&l->scope);
    m->scope = &l->scope;
    forget_captures(m, l->captures);
    if (m->loop_name == UINT32_MAX || l->kept)
        return SLM_OK;
    return store_in(m, &l->scope, m->loop_name, (slm_value){ .type = SLM_V_LOOP, .as.own = l });
}

static slm_status begin_loop(machine *m, const slm_code *c, bool select)
{
    const slm_value v = pop(m);
    const slm_value *items;
    slm_value empty;
    size_t n;
    slm_status status = slm_value_items(m->store, &v, &items, &n);
    if (status)
        return status;
    if (!n) {
        m->pc += (size_t)(int64_t)c->arg - 1;
        if (!select)
            return SLM_OK;
        status = slm_list_make(m->store, NULL, 0, false, &empty);
        return status ? status : push(m, empty);
    }
    loop *l = slm_store_take(m->store, 1, sizeof *l);
    if (!l)
        return SLM_E_MEMORY;
    *l = (loop){ .outer = m->loop, .scope = { m->scope, NULL, NULL }, .items = items, .n = n, .captures = SLM_COUNT(size_t, m->captures) };
    if (select && !(l->kept = slm_store_take(m->store, n, sizeof *l->kept)))
        return SLM_E_MEMORY;
    m->loop = l;
    return begin_round(m);
}

static void leave(machine *m)
{
    forget_captures(m, m->loop->captures);
    m->scope = m->loop->scope.outer;
    m->loop = m->loop->outer;
}

static slm_status next_round(machine *m, const slm_code *c)
{
    loop *l = m->loop;
    if (l->kept) {
        const slm_value keep = pop(m);
        if (slm_value_true(&keep))
            l->kept[l->n_kept++] = l->items[l->at];
    }
    if (++l->at < l->n) {
        m->pc += (size_t)(int64_t)c->arg - 1;
        return begin_round(m);
    }
    leave(m);
    if (!l->kept)
        return SLM_OK;
    slm_value list;
    slm_status status = slm_list_adopt(m->store, l->kept, l->n_kept, false, &list);
    return status ? status : push(m, list);
}

/* ---- calls ---- */

static slm_status bind_arguments(machine *m, call *f, const slm_macro *macro, const slm_value *args, size_t pos, size_t named)
{
    const uint32_t *params = macro->n ? SLM_ARRAY(const uint32_t, m->r->tmpl->params) + macro->first : NULL;
    char shown[SLM_SHOWN];
    slm_status status = SLM_OK;
    if (pos > macro->n)
        return slm_store_fail(m->store, SLM_E_FORMAT, "a macro of %u parameters called with %zu arguments", macro->n, pos);
    for (size_t i = 0; !status && i < macro->n; i++) {
        const slm_const *name = &m->names[params[i]];
        slm_value v = slm_undefined(m->blob + name->at, name->value.n);
        bool given = i < pos;
        if (given)
            v = args[i];
        for (size_t k = 0; k < named; k++) {
            const slm_value *key = &args[pos + 2 * k];
            if (key->n != name->value.n || memcmp(key->as.text, m->blob + name->at, key->n) != 0)
                continue;
            if (given)
                return slm_store_fail(m->store, SLM_E_FORMAT, "the argument '%s' is given twice", slm_shown(shown, key->as.text, key->n));
            v = key[1];
            given = true;
        }
        if (given)
            f->given |= UINT64_C(1) << i;
        status = store_in(m, &f->scope, params[i], v);
    }
    for (size_t k = 0; !status && k < named; k++) {
        const slm_value *key = &args[pos + 2 * k];
        bool known = false;
        for (size_t i = 0; i < macro->n; i++) {
            const slm_const *name = &m->names[params[i]];
            known = known || (key->n == name->value.n && memcmp(key->as.text, m->blob + name->at, key->n) == 0);
        }
        if (!known)
            return slm_store_fail(m->store, SLM_E_FORMAT, "the macro has no parameter '%s'", slm_shown(shown, key->as.text, key->n));
    }
    return status;
}

static slm_status call_macro(machine *m, const closure *k, size_t pos, size_t named)
{
    const size_t n = pos + 2 * named;
    if (m->calls == SLM_LIMIT_TEMPLATE_CALLS)
        return slm_store_fail(m->store, SLM_E_LIMIT, "macros call each other more than %d deep", SLM_LIMIT_TEMPLATE_CALLS);
    call *f = slm_store_take(m->store, 1, sizeof *f);
    if (!f)
        return SLM_E_MEMORY;
    *f = (call){ .outer = m->call, .scope = { k->outer, NULL, NULL }, .before = m->scope, .loop = m->loop, .back = m->pc,
                 .captures = SLM_COUNT(size_t, m->captures) };
    slm_status status = bind_arguments(m, f, k->macro, top(m, n), pos, named);
    if (status)
        return status;
    drop(m, n + 1);                             /* the arguments and the macro */
    f->stack = m->stack.size;
    m->call = f;
    m->calls++;
    m->scope = &f->scope;
    m->loop = NULL;
    m->pc = k->macro->body;
    return capture(m);
}

static slm_status return_from(machine *m)
{
    const call *f = m->call;
    m->stack.size = f->stack;
    forget_captures(m, f->captures + 1);
    m->call = f->outer;
    m->calls--;
    m->scope = f->before;
    m->loop = f->loop;
    m->pc = f->back;
    return captured(m);
}

static slm_status make_namespace(machine *m, const slm_value *args, size_t pos, size_t named, slm_value *out)
{
    namespace *ns = slm_store_take(m->store, 1, sizeof *ns);
    slm_status status = SLM_OK;
    if (!ns)
        return SLM_E_MEMORY;
    ns->first = NULL;
    if (pos > 1 || (pos == 1 && args[0].type != SLM_V_DICT))
        return slm_store_fail(m->store, SLM_E_FORMAT, "namespace() takes named values or one mapping");
    if (pos == 1)
        for (size_t i = 0; !status && i < args[0].as.dict->n; i++)
            status = set_field(m, ns, args[0].as.dict->keys[i], args[0].as.dict->values[i]);
    for (size_t i = 0; !status && i < named; i++)
        status = set_field(m, ns, args[pos + 2 * i], args[pos + 2 * i + 1]);
    *out = (slm_value){ .type = SLM_V_NAMESPACE, .as.own = ns };
    return status;
}

static slm_status call_value(machine *m, const slm_code *c)
{
    const size_t pos = c->pos, named = c->named, n = pos + 2 * named;
    const slm_value f = *top(m, n + 1), *args = top(m, n);
    char shown[SLM_SHOWN];
    slm_value out;
    slm_status status;
    if (f.type == SLM_V_MACRO)
        return call_macro(m, f.as.own, pos, named);
    if (f.type == SLM_V_UNDEFINED)
        return slm_store_fail(m->store, SLM_E_FORMAT, "'%s' is undefined and cannot be called", slm_shown(shown, f.as.text, f.n));
    if (f.type != SLM_V_FUNCTION)
        return slm_store_fail(m->store, f.type == SLM_V_LOOP || f.type == SLM_V_METHOD ? SLM_E_UNSUPPORTED : SLM_E_FORMAT, "%s cannot be called",
                             slm_type_name(&f));
    if (f.as.i == SLM_FN_NAMESPACE)
        status = make_namespace(m, args, pos, named, &out);
    else
        status = slm_call_function(m->store, f.as.i, m->r->now, args, pos, named, &out);
    drop(m, n + 1);
    return status ? status : push(m, out);
}

/* A filter, test or method: its subject lies below the arguments. */
static slm_status call_named(machine *m, const slm_code *c, slm_callee callee)
{
    const size_t n = (size_t)c->pos + 2 * (size_t)c->named;
    const slm_value name = constant(m, c->arg), self = *top(m, n + 1);
    slm_value out;
    slm_status status;
    if (callee == SLM_CALL_METHOD && (self.type == SLM_V_NAMESPACE || self.type == SLM_V_LOOP)) {
        if ((status = attr(m, &self, &name, &out)))
            return status;
        *top(m, n + 1) = out;                   /* a macro kept in a namespace */
        return call_value(m, c);
    }
    status = slm_call_named(m->store, callee, &name, &self, top(m, n), c->pos, c->named, &out);
    drop(m, n + 1);
    return status ? status : push(m, out);
}

static slm_status define_macro(machine *m, int32_t number)
{
    closure *k = slm_store_take(m->store, 1, sizeof *k);
    if (!k)
        return SLM_E_MEMORY;
    *k = (closure){ SLM_ARRAY(const slm_macro, m->r->tmpl->macros) + number, m->scope };
    return store_in(m, m->scope, k->macro->name, (slm_value){ .type = SLM_V_MACRO, .as.own = k });
}

static slm_status begin_scope(machine *m)
{
    scope *s = slm_store_take(m->store, 1, sizeof *s);
    if (!s)
        return SLM_E_MEMORY;
    *s = (scope){ m->scope, NULL, NULL };
    m->scope = s;
    return SLM_OK;
}

/* ---- the machine ---- */

static void jump(machine *m, const slm_code *c)
{
    m->pc += (size_t)(int64_t)c->arg - 1;       /* pc is one past the jump already; a negative way wraps back */
}

static slm_status make(machine *m, const slm_code *c)
{
    const size_t n = (size_t)c->arg, values = c->op == SLM_OP_DICT ? 2 * n : n;
    slm_value out;
    slm_status status = c->op == SLM_OP_DICT ? slm_dict_make(m->store, top(m, values), n, true, &out)
                                             : slm_list_make(m->store, top(m, values), n, c->op == SLM_OP_TUPLE, &out);
    drop(m, values);
    return status ? status : push(m, out);
}

static slm_status step(machine *m, const slm_code *c)
{
    slm_value v, key, out;
    slm_status status;
    switch ((slm_op)c->op) {
    case SLM_OP_PRINT_CONST: v = constant(m, c->arg); return put(m, &v);
    case SLM_OP_PRINT:       return print(m);
    case SLM_OP_CONST:       return push(m, constant(m, c->arg));
    case SLM_OP_NONE:        return push(m, slm_none());
    case SLM_OP_TRUE:        return push(m, slm_bool(true));
    case SLM_OP_FALSE:       return push(m, slm_bool(false));
    case SLM_OP_UNDEFINED:   return push(m, slm_undefined("the value without else", 22));
    case SLM_OP_LOAD:        return load(m, (uint32_t)c->arg);
    case SLM_OP_STORE:       v = pop(m); return store_in(m, m->scope, (uint32_t)c->arg, v);
    case SLM_OP_STORE_ATTR:  return store_attr(m, c);
    case SLM_OP_UNPACK:      return unpack(m, (size_t)c->arg);
    case SLM_OP_ATTR:
        key = constant(m, c->arg);
        v = pop(m);
        status = attr(m, &v, &key, &out);
        return status ? status : push(m, out);
    case SLM_OP_ITEM:
        key = pop(m);
        v = pop(m);
        if (key.type == SLM_V_STRING && (v.type == SLM_V_NAMESPACE || v.type == SLM_V_LOOP))
            status = attr(m, &v, &key, &out);
        else
            status = slm_value_item(m->store, &v, &key, &out);
        return status ? status : push(m, out);
    case SLM_OP_SLICE: return slice(m, c->arg);
    case SLM_OP_LIST: case SLM_OP_TUPLE: case SLM_OP_DICT: return make(m, c);
    case SLM_OP_NOT:    v = pop(m); return push(m, slm_bool(!slm_value_true(&v)));
    case SLM_OP_NEGATE: return sign(m, true);
    case SLM_OP_PLUS:   return sign(m, false);
    case SLM_OP_ADD: case SLM_OP_SUB: case SLM_OP_MUL: case SLM_OP_DIV: case SLM_OP_FLOORDIV: case SLM_OP_MOD: case SLM_OP_POW:
        return arithmetic(m, (slm_op)c->op);
    case SLM_OP_CONCAT: return join_texts(m);
    case SLM_OP_EQ: case SLM_OP_NE: case SLM_OP_LT: case SLM_OP_LE: case SLM_OP_GT: case SLM_OP_GE: case SLM_OP_IN: case SLM_OP_NOT_IN:
        return compare(m, (slm_op)c->op);
    case SLM_OP_AND: case SLM_OP_OR:
        if (slm_value_true(top(m, 1)) == (c->op == SLM_OP_OR))
            jump(m, c);
        else
            drop(m, 1);
        return SLM_OK;
    case SLM_OP_JUMP: jump(m, c); return SLM_OK;
    case SLM_OP_JUMP_FALSE:
        v = pop(m);
        if (!slm_value_true(&v))
            jump(m, c);
        return SLM_OK;
    case SLM_OP_FILTER: return call_named(m, c, SLM_CALL_FILTER);
    case SLM_OP_TEST:   return call_named(m, c, SLM_CALL_TEST);
    case SLM_OP_METHOD: return call_named(m, c, SLM_CALL_METHOD);
    case SLM_OP_CALL:   return call_value(m, c);
    case SLM_OP_FOR:    return begin_loop(m, c, false);
    case SLM_OP_SELECT: return begin_loop(m, c, true);
    case SLM_OP_ITEM_OF_LOOP: return push(m, m->loop->items[m->loop->at]);
    case SLM_OP_NEXT: case SLM_OP_SELECT_NEXT: return next_round(m, c);
    case SLM_OP_LEAVE:  leave(m); return SLM_OK;
    case SLM_OP_MACRO:  return define_macro(m, c->arg);
    case SLM_OP_DEFAULT:
        if (m->call->given >> c->pos & 1)
            jump(m, c);
        return SLM_OK;
    case SLM_OP_RETURN:    return return_from(m);
    case SLM_OP_CAPTURE:   return capture(m);
    case SLM_OP_CAPTURED:  return captured(m);
    case SLM_OP_SCOPE:     return begin_scope(m);
    case SLM_OP_SCOPE_END: m->scope = m->scope->outer; return SLM_OK;
    case SLM_OP_END:       return SLM_OK;
    }
    return slm_store_fail(m->store, SLM_E_INTERNAL, "no such instruction: %d", c->op);
}

static void set_functions(machine *m)
{
    for (int i = 0; i < SLM_FUNCTIONS; i++) {
        const uint32_t name = slm_template_name(m->r->tmpl, slm_function_names[i], strlen(slm_function_names[i]));
        if (name != UINT32_MAX && m->r->globals[name].type == SLM_V_UNSET)
            m->r->globals[name] = (slm_value){ .type = SLM_V_FUNCTION, .as.i = i };
    }
}

slm_status slm_template_run(slm_store *store, const slm_rendering *r)
{
    const slm_template *t = r->tmpl;
    machine m = { .store = store, .r = r, .code = SLM_ARRAY(const slm_code, t->code), .consts = SLM_ARRAY(const slm_const, t->consts),
                  .names = SLM_ARRAY(const slm_const, t->names), .blob = t->blob.data };
    slm_status status = SLM_OK;
    slm_buf_init(&m.stack, store->heap, SLM_LIMIT_TEMPLATE_VALUES * sizeof(slm_value));
    slm_buf_init(&m.captures, store->heap, 2 * SLM_LIMIT_TEMPLATE_NESTING * SLM_LIMIT_TEMPLATE_CALLS * sizeof(size_t));
    m.loop_name = slm_template_name(t, "loop", 4);
    set_functions(&m);
    while (!status) {
        const slm_code *c = &m.code[m.pc++];
        store->line = c->line;
        if (c->op == SLM_OP_END)
            break;
        if (!(status = slm_store_spend(store, 0)))
            status = step(&m, c);
    }
    store->line = 0;
    slm_buf_free(&m.stack);
    slm_buf_free(&m.captures);
    return status;
}
