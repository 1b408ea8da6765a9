/* template_test.c -- the tests: what may follow `is`. */
#include "text/template_call.h"

static slm_status t_defined(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return slm_call_yes(out, v->type != SLM_V_UNDEFINED); }
static slm_status t_undefined(slm_call *c, const slm_value *v, slm_value *out) { (void)c; return slm_call_yes(out, v->type == SLM_V_UNDEFINED); }
static slm_status t_none(slm_call *c, const slm_value *v, slm_value *out)      { (void)c; return slm_call_yes(out, v->type == SLM_V_NONE); }
static slm_status t_string(slm_call *c, const slm_value *v, slm_value *out)    { (void)c; return slm_call_yes(out, v->type == SLM_V_STRING); }
static slm_status t_mapping(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return slm_call_yes(out, v->type == SLM_V_DICT); }
static slm_status t_boolean(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return slm_call_yes(out, v->type == SLM_V_BOOL); }
static slm_status t_float(slm_call *c, const slm_value *v, slm_value *out)     { (void)c; return slm_call_yes(out, v->type == SLM_V_FLOAT); }

static slm_status t_true(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, v->type == SLM_V_BOOL && v->as.i);
}

static slm_status t_false(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, v->type == SLM_V_BOOL && !v->as.i);
}

static slm_status t_integer(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, v->type == SLM_V_INT || v->type == SLM_V_BIG);
}

static slm_status t_number(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, slm_is_number(v) || v->type == SLM_V_BIG);
}

static slm_status t_iterable(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, v->type == SLM_V_STRING || v->type == SLM_V_LIST || v->type == SLM_V_DICT || v->type == SLM_V_UNDEFINED);
}

static slm_status t_callable(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return slm_call_yes(out, v->type == SLM_V_FUNCTION || v->type == SLM_V_METHOD || v->type == SLM_V_MACRO);
}

static slm_status t_same(slm_call *c, const slm_value *v, slm_value *out)
{
    const slm_value *w = c->arg[0];
    return v->type == w->type && (v->type == SLM_V_NONE || v->type == SLM_V_BOOL) ? slm_call_yes(out, v->as.i == w->as.i)
         : v->type != w->type ? slm_call_yes(out, false)
                                : slm_store_fail(c->store, SLM_E_UNSUPPORTED, "sameas is supported for none, true and false only");
}

static slm_status equal(slm_call *c, const slm_value *v, bool wanted, slm_value *out)
{
    bool is;
    slm_status status = slm_value_equal(c->store, v, c->arg[0], &is);
    return status ? status : slm_call_yes(out, is == wanted);
}

static slm_status t_eq(slm_call *c, const slm_value *v, slm_value *out) { return equal(c, v, true, out); }
static slm_status t_ne(slm_call *c, const slm_value *v, slm_value *out) { return equal(c, v, false, out); }

static slm_status ordered(slm_call *c, const slm_value *v, int least, int most, slm_value *out)
{
    int order;
    slm_status status = slm_value_order(c->store, v, c->arg[0], &order);
    return status ? status : slm_call_yes(out, order >= least && order <= most);
}

static slm_status t_lt(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, -1, -1, out); }
static slm_status t_le(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, -1, 0, out); }
static slm_status t_gt(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, 1, 1, out); }
static slm_status t_ge(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, 0, 1, out); }

static slm_status t_in(slm_call *c, const slm_value *v, slm_value *out)
{
    bool found;
    slm_status status = slm_value_contains(c->store, c->arg[0], v, &found);
    return status ? status : slm_call_yes(out, found);
}

static slm_status divides(slm_call *c, const slm_value *v, int64_t by, int64_t rest, slm_value *out)
{
    if (!slm_is_int(v))
        return slm_call_wrong(c, "a division", v);
    if (!by)
        return slm_store_fail(c->store, SLM_E_FORMAT, "division by zero");
    return slm_call_yes(out, (by == -1 ? 0 : v->as.i % by) == rest || (rest && v->as.i % by == -rest));
}

static slm_status t_even(slm_call *c, const slm_value *v, slm_value *out) { return divides(c, v, 2, 0, out); }
static slm_status t_odd(slm_call *c, const slm_value *v, slm_value *out)  { return divides(c, v, 2, 1, out); }
static slm_status t_divisible(slm_call *c, const slm_value *v, slm_value *out)
{
    return slm_is_int(c->arg[0]) ? divides(c, v, c->arg[0]->as.i, 0, out) : slm_call_wrong(c, "a division", c->arg[0]);
}

static slm_status is_cased(slm_call *c, const slm_value *v, int how, slm_value *out)
{
    slm_value text, other, same;
    slm_status status = slm_call_text(c, v, &text);
    bool is = false;
    if (status || (status = slm_string_case(c, &text, how, &same))
        || (status = slm_string_case(c, &text, how == SLM_UPPER ? SLM_LOWER : SLM_UPPER, &other)))
        return status;
    is = slm_string_compare(&text, &same) == 0 && slm_string_compare(&text, &other) != 0;    /* there is a letter that has a case */
    return slm_call_yes(out, is);
}

static slm_status t_lower(slm_call *c, const slm_value *v, slm_value *out) { return is_cased(c, v, SLM_LOWER, out); }
static slm_status t_upper(slm_call *c, const slm_value *v, slm_value *out) { return is_cased(c, v, SLM_UPPER, out); }

/* ---- the tables ---- */

const slm_callee_row slm_tests[] = {
    { "defined",     { 0 }, t_defined,   0, 0, 0 }, { "undefined",    { 0 }, t_undefined, 0, 0, 0 }, { "none",     { 0 }, t_none, 0, 0, 0 },
    { "string",      { 0 }, t_string,    0, 0, 0 }, { "mapping",      { 0 }, t_mapping,   0, 0, 0 }, { "iterable", { 0 }, t_iterable, 0, 0, 0 },
    { "sequence",    { 0 }, t_iterable,  0, 0, 0 }, { "number",       { 0 }, t_number,    0, 0, 0 }, { "integer",  { 0 }, t_integer, 0, 0, 0 },
    { "float",       { 0 }, t_float,     0, 0, 0 }, { "boolean",      { 0 }, t_boolean,   0, 0, 0 }, { "true",     { 0 }, t_true, 0, 0, 0 },
    { "false",       { 0 }, t_false,     0, 0, 0 }, { "callable",     { 0 }, t_callable,  0, 0, 0 }, { "even",     { 0 }, t_even, 0, 0, 0 },
    { "odd",         { 0 }, t_odd,       0, 0, 0 }, { "lower",        { 0 }, t_lower,     0, 0, 0 }, { "upper",    { 0 }, t_upper, 0, 0, 0 },
    { "equalto",     { "other" }, t_eq,  1, 0, 0 }, { "eq",           { "other" }, t_eq,  1, 0, 0 }, { "==",       { "other" }, t_eq, 1, 0, 0 },
    { "ne",          { "other" }, t_ne,  1, 0, 0 }, { "!=",           { "other" }, t_ne,  1, 0, 0 },
    { "lt",          { "other" }, t_lt,  1, 0, 0 }, { "lessthan",     { "other" }, t_lt,  1, 0, 0 }, { "<",        { "other" }, t_lt, 1, 0, 0 },
    { "le",          { "other" }, t_le,  1, 0, 0 }, { "<=",           { "other" }, t_le,  1, 0, 0 },
    { "gt",          { "other" }, t_gt,  1, 0, 0 }, { "greaterthan",  { "other" }, t_gt,  1, 0, 0 }, { ">",        { "other" }, t_gt, 1, 0, 0 },
    { "ge",          { "other" }, t_ge,  1, 0, 0 }, { ">=",           { "other" }, t_ge,  1, 0, 0 },
    { "in",          { "seq" },   t_in,  1, 0, 0 }, { "sameas",       { "other" }, t_same, 1, 0, 0 },
    { "divisibleby", { "num" },   t_divisible, 1, 0, 0 },
    { 0 },
};
