/* template_filter.c -- the filters any value has: what turns it into a string or a number, and into JSON; default. */
#include "text/template_call.h"

#include <math.h>

static slm_status f_string(slm_call *c, const slm_value *self, slm_value *out)
{
    return slm_call_text(c, self, out);
}

static slm_status f_safe(slm_call *c, const slm_value *self, slm_value *out)
{
    return slm_call_text(c, self, out);
}

static slm_status f_default(slm_call *c, const slm_value *self, slm_value *out)
{
    const bool falsy = c->arg[1] && slm_value_true(c->arg[1]) && !slm_value_true(self);
    *out = self->type != SLM_V_UNDEFINED && !falsy ? *self : c->arg[0] ? *c->arg[0] : slm_string("", 0, SLM_CONTENT);
    return SLM_OK;
}

/* The number a text holds, as Python's int() and float() read it, without their rarer forms. */
static bool number_of(const slm_value *v, slm_value *out)
{
    if (slm_is_number(v)) {
        *out = *v;
        return true;
    }
    if (v->type != SLM_V_STRING && v->type != SLM_V_BIG)
        return false;
    const slm_value text = slm_string_strip(v, NULL, 3);
    const bool plus = text.n && text.as.text[0] == '+';
    double d;
    if (!slm_double_of(text.as.text + plus, text.n - plus, &d))
        return false;
    *out = slm_float(d);
    int64_t whole = 0;
    const bool minus = text.as.text[plus] == '-';
    for (size_t i = (size_t)plus + minus; i < text.n; i++)
        if (text.as.text[i] < '0' || text.as.text[i] > '9' || __builtin_mul_overflow(whole, 10, &whole)
            || __builtin_add_overflow(whole, text.as.text[i] - '0', &whole))
            return true;
    *out = slm_int(minus ? -whole : whole);
    return true;
}

static slm_status f_int(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value v;
    if (self->type == SLM_V_UNDEFINED)
        return slm_call_undefined(c->store, self);
    if (self->type == SLM_V_BIG) {
        *out = *self;
        return SLM_OK;
    }
    if (!number_of(self, &v)) {
        *out = c->arg[0] ? *c->arg[0] : slm_int(0);
        return SLM_OK;
    }
    if (v.type == SLM_V_FLOAT && !(fabs(v.as.d) < 0x1p63))
        return slm_store_fail(c->store, SLM_E_LIMIT, "an integer beyond 64 bits");
    *out = slm_int(v.type == SLM_V_FLOAT ? (int64_t)v.as.d : v.as.i);
    return SLM_OK;
}

static slm_status f_float(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value v;
    if (self->type == SLM_V_UNDEFINED)
        return slm_call_undefined(c->store, self);
    *out = number_of(self, &v) ? slm_float(slm_number(&v)) : c->arg[0] ? *c->arg[0] : slm_float(0);
    return SLM_OK;
}

static slm_status f_abs(slm_call *c, const slm_value *self, slm_value *out)
{
    if (!slm_is_number(self))
        return slm_call_wrong(c, "abs", self);
    if (self->type != SLM_V_FLOAT && self->as.i == INT64_MIN)
        return slm_store_fail(c->store, SLM_E_LIMIT, "an integer beyond 64 bits");
    *out = self->type == SLM_V_FLOAT ? slm_float(fabs(self->as.d)) : slm_int(self->as.i < 0 ? -self->as.i : self->as.i);
    return SLM_OK;
}

static slm_status f_round(slm_call *c, const slm_value *self, slm_value *out)
{
    if (!slm_is_number(self))
        return slm_call_wrong(c, "round", self);
    if (c->arg[1] || (c->arg[0] && !(slm_is_int(c->arg[0]) && c->arg[0]->as.i == 0)))
        return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "round to digits is not supported");
    *out = slm_is_int(self) ? slm_int(self->as.i) : slm_float(nearbyint(self->as.d));
    return SLM_OK;
}

static slm_status f_tojson(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_json_form form = { .indent = -1, .comma = slm_string(", ", 2, SLM_CONTENT), .colon = slm_string(": ", 2, SLM_CONTENT) };
    const slm_value *ascii = c->arg[0], *indent = c->arg[1], *separators = c->arg[2];
    if (c->arg[3] && slm_value_true(c->arg[3]))
        return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "tojson with sort_keys is not supported");
    form.ascii = ascii && slm_value_true(ascii);
    if (indent && indent->type != SLM_V_NONE) {
        if (!slm_is_int(indent) || indent->as.i > 64)
            return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "tojson with an indent that is no number up to 64");
        form.indent = indent->as.i < 0 ? 0 : indent->as.i;
        form.comma = slm_string(",", 1, SLM_CONTENT);
    }
    if (separators && separators->type != SLM_V_NONE) {
        const slm_list *l = separators->type == SLM_V_LIST ? separators->as.list : NULL;
        if (!l || l->n != 2 || l->items[0].type != SLM_V_STRING || l->items[1].type != SLM_V_STRING)
            return slm_store_fail(c->store, SLM_E_FORMAT, "tojson wants two strings as separators");
        form.comma = l->items[0];
        form.colon = l->items[1];
    }
    return slm_value_to_json(c->store, self, &form, out);
}

/* ---- the tables ---- */

const slm_callee_row slm_value_filters[] = {
    { "string", { 0 }, f_string, 0, 0, 0 }, { "safe", { 0 }, f_safe, 0, 0, 0 }, { "abs", { 0 }, f_abs, 0, 0, 0 },
    { "default", { "default_value", "boolean" }, f_default, 0, 0, 0 }, { "d", { "default_value", "boolean" }, f_default, 0, 0, 0 },
    { "int", { "default" }, f_int, 0, 0, 0 }, { "float", { "default" }, f_float, 0, 0, 0 },
    { "round", { "precision", "method" }, f_round, 0, 0, 0 },
    { "tojson", { "ensure_ascii", "indent", "separators", "sort_keys" }, f_tojson, 0, 0, 0 },
    { 0 },
};
