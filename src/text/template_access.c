/* template_access.c -- what a.b, a[b] and `a in b` mean, and which methods there are. */
#include "text/template_call.h"

#include <string.h>

static bool known_method(const void *name, size_t n, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return true;
    return false;
}

int slm_method_known(const slm_value *self, const void *name, size_t n)
{
    static const char *const of_dict[] = { "copy", "fromkeys", "get", "items", "keys", "values" };
    static const char *const dict_changes[] = { "clear", "pop", "popitem", "setdefault", "update" };
    static const char *const of_list[] = { "copy", "count", "index" };
    static const char *const list_changes[] = { "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort" };
    static const char *const of_string[] = {
        "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map", "index", "isalnum", "isalpha",
        "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust",
        "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
        "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill" };
#define KNOWN(list) known_method(name, n, list, sizeof list / sizeof *list)
    if (self->type == SLM_V_DICT)
        return KNOWN(of_dict) ? 1 : KNOWN(dict_changes) ? -1 : 0;
    if (self->type == SLM_V_LIST)
        return KNOWN(of_list) ? 1 : KNOWN(list_changes) && !self->as.list->tuple ? -1 : 0;
    return self->type == SLM_V_STRING && KNOWN(of_string);
#undef KNOWN
}

slm_status slm_value_attr(slm_store *store, const slm_value *self, const slm_value *name, slm_value *out)
{
    slm_status status = slm_store_spend(store, self->type == SLM_V_DICT && !self->as.dict->order ? 64 : 0);
    const slm_value *found = NULL;
    if (status)
        return status;
    if (self->type == SLM_V_UNDEFINED)
        return slm_call_undefined(store, self);
    const int method = slm_method_known(self, name->as.text, name->n);
    if (method > 0) {
        *out = (slm_value){ .type = SLM_V_METHOD, .n = name->n, .as.text = name->as.text };
        return SLM_OK;
    }
    if (self->type == SLM_V_DICT && method == 0)
        found = slm_dict_find(self->as.dict, name->as.text, name->n);
    *out = found ? *found : slm_undefined(name->as.text, name->n);
    return SLM_OK;
}

static slm_status item_at(slm_store *store, const slm_value *self, int64_t i, slm_value *out)
{
    if (self->type == SLM_V_STRING) {
        slm_status status = slm_store_spend(store, self->n);
        if (status)
            return status;
    }
    const int64_t n = self->type == SLM_V_LIST ? self->as.list->n : (int64_t)slm_string_points(self);
    if (i < 0)
        i = i < -n ? n : i + n;
    if (i >= n) {
        *out = slm_undefined("an item beyond the end", 22);
    } else if (self->type == SLM_V_LIST) {
        *out = self->as.list->items[i];
    } else {
        const size_t from = slm_string_byte(self, (size_t)i);
        size_t to = from + 1;
        while (to < self->n && (self->as.text[to] & 0xc0) == 0x80)
            to++;
        *out = slm_string_part(self, from, to);
    }
    return SLM_OK;
}

slm_status slm_value_item(slm_store *store, const slm_value *self, const slm_value *key, slm_value *out)
{
    if (self->type == SLM_V_UNDEFINED)
        return slm_call_undefined(store, self);
    if ((self->type == SLM_V_LIST || self->type == SLM_V_STRING) && slm_is_int(key))
        return item_at(store, self, key->as.i, out);
    if (key->type != SLM_V_STRING) {
        *out = slm_undefined("an item", 7);
        return SLM_OK;
    }
    const slm_value *found = self->type == SLM_V_DICT ? slm_dict_find(self->as.dict, key->as.text, key->n) : NULL;
    if (!found)
        return slm_value_attr(store, self, key, out);
    *out = *found;
    return slm_store_spend(store, 0);
}

slm_status slm_value_contains(slm_store *store, const slm_value *in, const slm_value *what, bool *found)
{
    const slm_value *items;
    size_t n;
    *found = false;
    if (in->type == SLM_V_STRING) {
        if (what->type != SLM_V_STRING)
            return what->type == SLM_V_UNDEFINED ? slm_call_undefined(store, what)
                                                 : slm_store_fail(store, SLM_E_FORMAT, "'in' a string wants a string, not %s", slm_type_name(what));
        *found = slm_string_find(in, 0, what) != SIZE_MAX;
        return slm_store_spend(store, in->n);
    }
    if (in->type == SLM_V_DICT) {
        *found = what->type == SLM_V_STRING && slm_dict_find(in->as.dict, what->as.text, what->n);
        return slm_store_spend(store, 0);
    }
    slm_status status = slm_value_items(store, in, &items, &n);
    for (size_t i = 0; !status && !*found && i < n; i++)
        status = slm_value_equal(store, &items[i], what, found);
    return status;
}
