/* template_call.c -- what templates call by name: finds the filter, test, method or function, and gives it its arguments.
 *
 * A callee is a row: its name, its parameters, its function. Arguments are put in the order of the parameters before the function
 * is called, so that no function looks at names. Nothing here calls back into the machine; the filters that take another
 * filter or a test by name (map, select ...) cannot take one that does the same, so nothing recurses either. */
#include "text/template_call.h"

#include "core/size.h"

#include <string.h>

/* ---- help ---- */

slm_status slm_call_undefined(slm_store *store, const slm_value *v)
{
    char shown[SLM_SHOWN];
    return slm_store_fail(store, SLM_E_FORMAT, "'%s' is undefined", slm_shown(shown, v->as.text, v->n));
}

slm_status slm_call_wrong(slm_call *c, const char *what, const slm_value *v)
{
    if (v->type == SLM_V_UNDEFINED)
        return slm_call_undefined(c->store, v);
    return slm_store_fail(c->store, SLM_E_FORMAT, "%s of %s", what, slm_type_name(v));
}

slm_status slm_call_yes(slm_value *out, bool b)
{
    *out = slm_bool(b);
    return SLM_OK;
}

/* The argument as a string, whatever it is. */
slm_status slm_call_text(slm_call *c, const slm_value *v, slm_value *out)
{
    return slm_value_show(c->store, v, out);
}

slm_status slm_call_want_string(slm_call *c, const slm_value *v, const char *what)
{
    return v->type == SLM_V_STRING ? SLM_OK : slm_call_wrong(c, what, v);
}

slm_status slm_call_count(slm_call *c, const slm_value *v, int64_t otherwise, int64_t *count)
{
    *count = otherwise;
    if (!v || v->type == SLM_V_NONE)
        return SLM_OK;
    if (!slm_is_int(v))
        return slm_call_wrong(c, "a count", v);
    *count = v->as.i;
    return SLM_OK;
}

/* Items in the making: a list that grows in the heap and moves to the store at its end. */
slm_status slm_items_add(slm_call *c, slm_buf *items, slm_value v)
{
    slm_buf_add(items, &v, sizeof v);
    if (items->failed)
        return slm_store_fail(c->store, items->failed, "no room for a list of more than %zu items", SLM_COUNT(slm_value, *items));
    return slm_store_spend(c->store, 0);
}

slm_buf slm_items_new(slm_call *c)
{
    slm_buf items;
    slm_buf_init(&items, c->store->heap, SLM_LIMIT_TEMPLATE_VALUES * sizeof(slm_value));
    return items;
}

slm_status slm_items_end(slm_call *c, slm_buf *items, slm_status status, slm_value *out)
{
    if (!status)
        status = slm_list_make(c->store, SLM_ARRAY(slm_value, *items), SLM_COUNT(slm_value, *items), false, out);
    slm_buf_free(items);
    return status;
}

/* ---- the tables ---- */

static const slm_callee_row *find_callee(slm_callee kind, const slm_value *name, uint8_t type)
{
    static const slm_callee_row *const tables[][4] = {
        [SLM_CALL_FILTER] = { slm_string_filters, slm_list_filters, slm_value_filters },
        [SLM_CALL_TEST]   = { slm_tests },
        [SLM_CALL_METHOD] = { slm_string_methods, slm_list_methods },
    };
    for (const slm_callee_row *const *table = tables[kind]; *table; table++)
        for (const slm_callee_row *row = *table; row->name; row++)
            if (slm_string_is(name, row->name) && (kind != SLM_CALL_METHOD || row->type == type))
                return row;
    return NULL;
}

static const char *kind_name(slm_callee kind)
{
    return kind == SLM_CALL_FILTER ? "filter" : kind == SLM_CALL_TEST ? "test" : kind == SLM_CALL_METHOD ? "method" : "function";
}

/* Puts arguments where their parameters are. */
static slm_status arrange(slm_call *c, const slm_callee_row *row, slm_callee kind, const slm_value *args, size_t pos, size_t named)
{
    char shown[SLM_SHOWN];
    size_t room = 0;
    while (room < SLM_ARGS && row->params[room])
        room++;
    if (pos > room)
        return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "the %s '%s' with %zu arguments (known: %zu)", kind_name(kind), row->name, pos, room);
    for (size_t i = 0; i < pos; i++)
        c->arg[i] = &args[i];
    for (size_t k = 0; k < named; k++) {
        const slm_value *key = &args[pos + 2 * k];
        size_t i = 0;
        while (i < room && !slm_string_is(key, row->params[i]))
            i++;
        if (i == room || c->arg[i])
            return slm_store_fail(c->store, i == room ? SLM_E_UNSUPPORTED : SLM_E_FORMAT, "the %s '%s' %s the argument '%s'", kind_name(kind), row->name,
                                 i == room ? "does not know" : "has twice", slm_shown(shown, key->as.text, key->n));
        c->arg[i] = key + 1;
    }
    for (size_t i = 0; i < row->least; i++)
        if (!c->arg[i])
            return slm_store_fail(c->store, SLM_E_FORMAT, "the %s '%s' wants the argument '%s'", kind_name(kind), row->name, row->params[i]);
    return SLM_OK;
}

static slm_status unknown(slm_store *store, slm_callee kind, const slm_value *name, const slm_value *self)
{
    char shown[SLM_SHOWN];
    (void)slm_shown(shown, name->as.text, name->n);
    if (kind != SLM_CALL_METHOD)
        return slm_store_fail(store, SLM_E_UNSUPPORTED, "the %s '%s' is not supported", kind_name(kind), shown);
    if (self->type == SLM_V_UNDEFINED)
        return slm_call_undefined(store, self);
    const int known = slm_method_known(self, name->as.text, name->n);
    if (known)
        return slm_store_fail(store, known < 0 ? SLM_E_FORMAT : SLM_E_UNSUPPORTED, "the method .%s() of %s is not %s", shown, slm_type_name(self),
                             known < 0 ? "allowed: it would change it" : "supported");
    return slm_store_fail(store, SLM_E_FORMAT, "%s has no method .%s()", slm_type_name(self), shown);
}

slm_status slm_call_named(slm_store *store, slm_callee kind, const slm_value *name, const slm_value *self, const slm_value *args, size_t pos,
                          size_t named, slm_value *out)
{
    slm_call c = { .store = store };
    const slm_callee_row *row = find_callee(kind, name, self->type);
    if (!row)
        return unknown(store, kind, name, self);
    slm_status status = arrange(&c, row, kind, args, pos, named);
    return status ? status : row->run(&c, self, out);
}

/* Calls the filter or test of that name on one item, with at most one argument. */
slm_status slm_call_on(slm_call *c, slm_callee kind, const slm_value *name, const slm_value *argument, const slm_value *item, slm_value *out)
{
    slm_call inner = { .store = c->store };
    slm_status status = slm_call_want_string(c, name, "a filter or test by a name");
    if (status)
        return status;
    const slm_callee_row *row = find_callee(kind, name, item->type);
    if (!row || row->higher)
        return unknown(c->store, kind, name, item);
    status = arrange(&inner, row, kind, argument, argument != NULL, 0);
    return status ? status : row->run(&inner, item, out);
}

/* ---- functions ---- */

const char *const slm_function_names[SLM_FUNCTIONS] = { "namespace", "raise_exception", "strftime_now", "range", "dict" };

static slm_status fn_raise(slm_call *c, slm_value *out)
{
    slm_value text;
    char message[sizeof ((slm_error *)0)->text];
    slm_status status = slm_call_text(c, c->arg[0], &text);
    (void)out;
    if (status)
        return status;
    size_t n = slm_min(text.n, sizeof message - 1);
    while (n < text.n && n > 0 && (text.as.text[n] & 0xc0) == 0x80)     /* cut between code points */
        n--;
    if (n)
        memcpy(message, text.as.text, n);
    message[n] = 0;
    return slm_fail(c->store->err, SLM_E_MISMATCH, "%s", message);
}

static slm_status fn_range(slm_call *c, slm_value *out)
{
    int64_t from = 0, to = 0, by = 1;
    slm_buf items = slm_items_new(c);
    slm_status status = slm_call_count(c, c->arg[c->arg[1] ? 1 : 0], 0, &to);
    if (!status && c->arg[1])
        status = slm_call_count(c, c->arg[0], 0, &from);
    if (!status)
        status = slm_call_count(c, c->arg[2], 1, &by);
    if (!status && !by)
        status = slm_store_fail(c->store, SLM_E_FORMAT, "range with a step of 0");
    while (!status && (by > 0 ? from < to : from > to)) {
        status = slm_items_add(c, &items, slm_int(from));
        if (__builtin_add_overflow(from, by, &from))
            break;
    }
    return slm_items_end(c, &items, status, out);
}

slm_status slm_call_function(slm_store *store, int64_t number, const char *now, const slm_value *args, size_t pos, size_t named, slm_value *out)
{
    static const slm_callee_row rows[SLM_FUNCTIONS] = {
        [SLM_FN_RAISE] = { "raise_exception", { "message" }, NULL, 1, 0, 0 },
        [SLM_FN_STRFTIME] = { "strftime_now", { "format" }, NULL, 1, 0, 0 },
        [SLM_FN_RANGE] = { "range", { "start", "stop", "step" }, NULL, 1, 0, 0 },
    };
    slm_call c = { .store = store, .now = now };
    if (number == SLM_FN_DICT)
        return pos ? slm_store_fail(store, SLM_E_UNSUPPORTED, "dict() is supported with named values only") : slm_dict_make(store, args, named, true, out);
    slm_status status = arrange(&c, &rows[number], SLM_CALL_FUNCTION, args, pos, named);
    if (status)
        return status;
    return number == SLM_FN_RAISE ? fn_raise(&c, out) : number == SLM_FN_STRFTIME ? slm_call_strftime(&c, out) : fn_range(&c, out);
}
