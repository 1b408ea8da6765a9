/* template_list.c -- the filters and methods of lists and mappings, and the filters that take another filter or a test by name. */
#include "text/template_call.h"

#include "core/size.h"

#include <string.h>

static slm_status pair(slm_call *c, const slm_value *key, const slm_value *v, slm_value *out)
{
    const slm_value two[2] = { *key, *v };
    return slm_list_make(c->store, two, 2, true, out);
}

static slm_status f_items(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_buf items = slm_items_new(c);
    slm_status status = SLM_OK;
    if (self->type != SLM_V_DICT && self->type != SLM_V_UNDEFINED)
        return slm_store_fail(c->store, SLM_E_FORMAT, "items of %s", slm_type_name(self));
    for (size_t i = 0; self->type == SLM_V_DICT && !status && i < self->as.dict->n; i++) {
        slm_value two;
        if (!(status = pair(c, &self->as.dict->keys[i], &self->as.dict->values[i], &two)))
            status = slm_items_add(c, &items, two);
    }
    return slm_items_end(c, &items, status, out);
}

static slm_status m_keys(slm_call *c, const slm_value *self, slm_value *out)
{
    return slm_list_make(c->store, self->as.dict->keys, self->as.dict->n, false, out);
}

static slm_status m_values(slm_call *c, const slm_value *self, slm_value *out)
{
    return slm_list_make(c->store, self->as.dict->values, self->as.dict->n, false, out);
}

static slm_status m_get(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *key = c->arg[0], *found = key->type == SLM_V_STRING ? slm_dict_find(self->as.dict, key->as.text, key->n) : NULL;
    *out = found ? *found : c->arg[1] ? *c->arg[1] : slm_none();
    return SLM_OK;
}

static slm_status m_copy(slm_call *c, const slm_value *self, slm_value *out)
{
    (void)c;
    *out = *self;
    return SLM_OK;
}

static slm_status m_count(slm_call *c, const slm_value *self, slm_value *out)
{
    int64_t count = 0;
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < self->as.list->n; i++) {
        bool equal;
        status = slm_value_equal(c->store, &self->as.list->items[i], c->arg[0], &equal);
        count += equal;
    }
    *out = slm_int(count);
    return status;
}

static slm_status f_length(slm_call *c, const slm_value *self, slm_value *out)
{
    switch (self->type) {
    case SLM_V_UNDEFINED: *out = slm_int(0); return SLM_OK;
    case SLM_V_LIST:      *out = slm_int(self->as.list->n); return SLM_OK;
    case SLM_V_DICT:      *out = slm_int(self->as.dict->n); return SLM_OK;
    case SLM_V_STRING:    *out = slm_int((int64_t)slm_string_points(self)); return slm_store_spend(c->store, self->n);
    default:              return slm_call_wrong(c, "length", self);
    }
}

static slm_status f_list(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, self, &items, &n);
    return status ? status : slm_list_adopt(c->store, items, n, false, out);
}

static slm_status at_end(slm_call *c, const slm_value *self, bool last, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, self, &items, &n);
    if (!status)
        *out = n ? items[last ? n - 1 : 0] : slm_undefined(last ? "the last item of nothing" : "the first item of nothing", last ? 24 : 25);
    return status;
}

static slm_status f_first(slm_call *c, const slm_value *self, slm_value *out) { return at_end(c, self, false, out); }
static slm_status f_last(slm_call *c, const slm_value *self, slm_value *out)  { return at_end(c, self, true, out); }

static slm_status f_reverse(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, self, &items, &n);
    slm_value *turned = status ? NULL : slm_store_take(c->store, n, sizeof *turned);
    if (!turned)
        return status ? status : SLM_E_MEMORY;
    for (size_t i = 0; i < n; i++)
        turned[i] = items[n - 1 - i];
    if (self->type != SLM_V_STRING)
        return slm_list_adopt(c->store, turned, n, false, out);
    slm_text t = slm_text_begin(c->store);
    for (size_t i = 0; i < n; i++)
        slm_text_put(&t, &turned[i]);
    return slm_text_end(&t, out);
}

/* A dotted path of keys and indices, as map and selectattr take it. */
static slm_status by_path(slm_call *c, const slm_value *self, const slm_value *path, slm_value *out)
{
    slm_value at = *self;
    if (slm_is_int(path))
        return slm_value_item(c->store, self, path, out);
    slm_status status = slm_call_want_string(c, path, "an attribute by a name");
    for (size_t from = 0; !status && from <= path->n;) {
        size_t end = from;
        int64_t number = 0;
        bool digits = true;
        for (; end < path->n && path->as.text[end] != '.'; end++) {
            digits = digits && path->as.text[end] >= '0' && path->as.text[end] <= '9' && number < 100000000;
            number = digits ? number * 10 + path->as.text[end] - '0' : 0;
        }
        const slm_value key = digits && end > from ? slm_int(number) : slm_string_part(path, from, end), in = at;
        status = slm_value_item(c->store, &in, &key, &at);
        from = end + 1;
    }
    *out = at;
    return status;
}

static slm_status f_join(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value none = slm_string("", 0, SLM_CONTENT);
    slm_value between = none, list = *self;
    slm_status status = c->arg[0] ? slm_call_text(c, c->arg[0], &between) : SLM_OK;
    if (!status && c->arg[1] && c->arg[1]->type != SLM_V_NONE) {
        const slm_value *items;
        size_t n;
        slm_buf parts = slm_items_new(c);
        status = slm_value_items(c->store, self, &items, &n);
        for (size_t i = 0; !status && i < n; i++) {
            slm_value v;
            if (!(status = by_path(c, &items[i], c->arg[1], &v)))
                status = slm_items_add(c, &parts, v);
        }
        status = slm_items_end(c, &parts, status, &list);
    }
    return status ? status : slm_string_join(c, &between, &list, false, out);
}

/* What is compared when lists are sorted or made unique: strings without regard to case unless asked. */
static slm_status sort_key(slm_call *c, const slm_value *v, const slm_value *path, bool exact, slm_value *out)
{
    slm_status status = SLM_OK;
    *out = *v;
    if (path && path->type != SLM_V_NONE)
        status = by_path(c, v, path, out);
    if (!status && !exact && out->type == SLM_V_STRING)
        status = slm_string_case(c, &(slm_value){ .type = SLM_V_STRING, .kind = out->kind, .n = out->n, .as = out->as, .kinds = out->kinds },
                                 SLM_LOWER, out);
    return status;
}

/* Merge sort from the bottom up: stable, n log n. keys and items move together. */
static slm_status merge_sort(slm_call *c, slm_value *items, slm_value *keys, size_t n, bool down)
{
    slm_value *more = slm_store_take(c->store, 2 * n, sizeof *more);
    if (!more)
        return SLM_E_MEMORY;
    slm_value *moved = more + n;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            const size_t middle = slm_min(from + width, n), end = slm_min(from + 2 * width, n);
            for (size_t i = from, j = middle, k = from; k < end; k++) {
                int order = 0;
                if (i < middle && j < end) {
                    slm_status status = slm_value_order(c->store, &keys[i], &keys[j], &order);
                    if (status)
                        return status;
                }
                const bool left = i < middle && (j >= end || (down ? order >= 0 : order <= 0));
                more[k] = items[left ? i : j];
                moved[k] = keys[left ? i : j];
                i += left;
                j += !left;
            }
        }
        memcpy(items, more, n * sizeof *items);
        memcpy(keys, moved, n * sizeof *keys);
    }
    return SLM_OK;
}

static slm_status sorted(slm_call *c, const slm_value *list, const slm_value *path, bool exact, bool down, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, list, &items, &n);
    slm_value *copy = status ? NULL : slm_store_take(c->store, 2 * n, sizeof *copy), *keys = copy ? copy + n : NULL;
    if (!copy)
        return status ? status : SLM_E_MEMORY;
    for (size_t i = 0; !status && i < n; i++) {
        copy[i] = items[i];
        status = sort_key(c, &items[i], path, exact, &keys[i]);
    }
    if (!status)
        status = merge_sort(c, copy, keys, n, down);
    return status ? status : slm_list_adopt(c->store, copy, n, false, out);
}

static slm_status f_sort(slm_call *c, const slm_value *self, slm_value *out)
{
    return sorted(c, self, c->arg[2], c->arg[1] && slm_value_true(c->arg[1]), c->arg[0] && slm_value_true(c->arg[0]), out);
}

static slm_status f_dictsort(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value pairs;
    const bool by_value = c->arg[1] && slm_string_is(c->arg[1], "value");
    if (c->arg[1] && !by_value && !slm_string_is(c->arg[1], "key"))
        return slm_store_fail(c->store, SLM_E_FORMAT, "dictsort by what is neither 'key' nor 'value'");
    slm_status status = self->type == SLM_V_UNDEFINED ? slm_call_undefined(c->store, self) : f_items(c, self, &pairs);
    const slm_value index = slm_int(by_value);
    return status ? status : sorted(c, &pairs, &index, c->arg[0] && slm_value_true(c->arg[0]), c->arg[2] && slm_value_true(c->arg[2]), out);
}

static slm_status f_unique(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_buf kept = slm_items_new(c), keys = slm_items_new(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    for (size_t i = 0; !status && i < n; i++) {
        slm_value key;
        bool seen = false;
        status = sort_key(c, &items[i], c->arg[1], c->arg[0] && slm_value_true(c->arg[0]), &key);
        for (size_t k = 0; !status && !seen && k < SLM_COUNT(slm_value, keys); k++)
            status = slm_value_equal(c->store, &SLM_ARRAY(slm_value, keys)[k], &key, &seen);
        if (!status && !seen && !(status = slm_items_add(c, &keys, key)))
            status = slm_items_add(c, &kept, items[i]);
    }
    slm_buf_free(&keys);
    return slm_items_end(c, &kept, status, out);
}

static slm_status extreme(slm_call *c, const slm_value *self, int wanted, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_value best_key = slm_none();
    slm_status status = slm_value_items(c->store, self, &items, &n);
    *out = slm_undefined("an item of nothing", 18);
    for (size_t i = 0; !status && i < n; i++) {
        slm_value key;
        int order = wanted;
        status = sort_key(c, &items[i], c->arg[1], c->arg[0] && slm_value_true(c->arg[0]), &key);
        if (!status && i)
            status = slm_value_order(c->store, &key, &best_key, &order);
        if (!status && order == wanted) {
            best_key = key;
            *out = items[i];
        }
    }
    return status;
}

static slm_status f_min(slm_call *c, const slm_value *self, slm_value *out) { return extreme(c, self, -1, out); }
static slm_status f_max(slm_call *c, const slm_value *self, slm_value *out) { return extreme(c, self, 1, out); }

static slm_status f_sum(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, self, &items, &n);
    int64_t whole = 0;
    double real = 0;
    bool is_real = false;
    for (size_t i = 0; !status && i < n; i++) {
        slm_value v = items[i];
        if (c->arg[0] && c->arg[0]->type != SLM_V_NONE)
            status = by_path(c, &items[i], c->arg[0], &v);
        if (!status && !slm_is_number(&v))
            status = slm_call_wrong(c, "a sum", &v);
        if (!status && slm_is_int(&v) && __builtin_add_overflow(whole, v.as.i, &whole))
            status = slm_store_fail(c->store, SLM_E_LIMIT, "an integer beyond 64 bits");
        is_real = is_real || v.type == SLM_V_FLOAT;
        real += status ? 0 : slm_number(&v);
    }
    *out = is_real ? slm_float(real) : slm_int(whole);
    return status;
}

/* Keeps the items (or, with a path, those whose part at the path) for which the test holds, or does not. */
static slm_status choose(slm_call *c, const slm_value *self, const slm_value *path, const slm_value *test, const slm_value *argument, bool wanted,
                         slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_buf kept = slm_items_new(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    for (size_t i = 0; !status && i < n; i++) {
        slm_value v = items[i], is = slm_none();
        if (path)
            status = by_path(c, &items[i], path, &v);
        if (!status && test)
            status = slm_call_on(c, SLM_CALL_TEST, test, argument, &v, &is);
        else
            is = v;
        if (!status && slm_value_true(&is) == wanted)
            status = slm_items_add(c, &kept, items[i]);
    }
    return slm_items_end(c, &kept, status, out);
}

static slm_status f_select(slm_call *c, const slm_value *self, slm_value *out)     { return choose(c, self, NULL, c->arg[0], c->arg[1], true, out); }
static slm_status f_reject(slm_call *c, const slm_value *self, slm_value *out)     { return choose(c, self, NULL, c->arg[0], c->arg[1], false, out); }
static slm_status f_selectattr(slm_call *c, const slm_value *self, slm_value *out) { return choose(c, self, c->arg[0], c->arg[1], c->arg[2], true, out); }
static slm_status f_rejectattr(slm_call *c, const slm_value *self, slm_value *out) { return choose(c, self, c->arg[0], c->arg[1], c->arg[2], false, out); }

static slm_status f_map(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items, *path = c->arg[2];
    size_t n;
    slm_buf mapped = slm_items_new(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    if (!status && !path && !c->arg[0])
        status = slm_store_fail(c->store, SLM_E_FORMAT, "map wants a filter or an attribute");
    if (!status && path && c->arg[0])           /* a third argument that stands without a name is one more of the filter */
        status = slm_store_fail(c->store, SLM_E_UNSUPPORTED, "map with a filter of more than one argument is not supported");
    for (size_t i = 0; !status && i < n; i++) {
        slm_value v = slm_none();
        status = path ? by_path(c, &items[i], path, &v) : slm_call_on(c, SLM_CALL_FILTER, c->arg[0], c->arg[1], &items[i], &v);
        if (!status && path && c->arg[3] && v.type == SLM_V_UNDEFINED)
            v = *c->arg[3];
        if (!status)
            status = slm_items_add(c, &mapped, v);
    }
    return slm_items_end(c, &mapped, status, out);
}

/* ---- the tables ---- */

const slm_callee_row slm_list_filters[] = {
    { "items", { 0 }, f_items, 0, 0, 0 }, { "length", { 0 }, f_length, 0, 0, 0 }, { "count", { 0 }, f_length, 0, 0, 0 },
    { "list", { 0 }, f_list, 0, 0, 0 }, { "first", { 0 }, f_first, 0, 0, 0 }, { "last", { 0 }, f_last, 0, 0, 0 },
    { "reverse", { 0 }, f_reverse, 0, 0, 0 }, { "join", { "d", "attribute" }, f_join, 0, 0, 0 },
    { "sort", { "reverse", "case_sensitive", "attribute" }, f_sort, 0, 0, 0 },
    { "dictsort", { "case_sensitive", "by", "reverse" }, f_dictsort, 0, 0, 0 },
    { "unique", { "case_sensitive", "attribute" }, f_unique, 0, 0, 0 },
    { "min", { "case_sensitive", "attribute" }, f_min, 0, 0, 0 }, { "max", { "case_sensitive", "attribute" }, f_max, 0, 0, 0 },
    { "sum", { "attribute" }, f_sum, 0, 0, 0 }, { "map", { "filter", "argument", "attribute", "default" }, f_map, 0, 0, true },
    { "select", { "test", "argument" }, f_select, 0, 0, true }, { "reject", { "test", "argument" }, f_reject, 0, 0, true },
    { "selectattr", { "attribute", "test", "argument" }, f_selectattr, 1, 0, true },
    { "rejectattr", { "attribute", "test", "argument" }, f_rejectattr, 1, 0, true },
    { 0 },
};

const slm_callee_row slm_list_methods[] = {
    { "items", { 0 }, f_items, 0, SLM_V_DICT, 0 }, { "keys", { 0 }, m_keys, 0, SLM_V_DICT, 0 },
    { "values", { 0 }, m_values, 0, SLM_V_DICT, 0 }, { "get", { "key", "default" }, m_get, 1, SLM_V_DICT, 0 },
    { "copy", { 0 }, m_copy, 0, SLM_V_DICT, 0 }, { "copy", { 0 }, m_copy, 0, SLM_V_LIST, 0 },
    { "count", { "value" }, m_count, 1, SLM_V_LIST, 0 },
    { 0 },
};
