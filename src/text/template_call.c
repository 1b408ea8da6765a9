/* template_call.c -- what templates call by name: filters, tests, methods, functions; and what a.b and a[b] mean.
 *
 * A callee is a row: its name, its parameters, its function. Arguments are put in the order of the parameters before the function
 * is called, so that no function looks at names. Nothing here calls back into the machine; the filters that take another
 * filter or a test by name (map, select ...) cannot take one that does the same, so nothing recurses either. */
#include "text/template.h"

#include "core/json.h"
#include "core/size.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

typedef slm_status callee_fn(slm_call *c, const slm_value *self, slm_value *out);

typedef struct callee {
    const char *name;
    const char *params[SLM_ARGS];
    callee_fn  *run;
    uint8_t     least;          /* arguments there must be */
    uint8_t     type;           /* of a method: of whom */
    bool        higher;         /* takes a filter or test by name */
} callee;

/* ---- help ---- */

static slm_status undefined_used(slm_store *store, const slm_value *v)
{
    char shown[SLM_SHOWN];
    return slm_store_fail(store, SLM_E_FORMAT, "'%s' is undefined", slm_shown(shown, v->as.text, v->n));
}

static slm_status wrong(slm_call *c, const char *what, const slm_value *v)
{
    if (v->type == SLM_V_UNDEFINED)
        return undefined_used(c->store, v);
    return slm_store_fail(c->store, SLM_E_FORMAT, "%s of %s", what, slm_type_name(v));
}

static slm_status yes(slm_value *out, bool b)
{
    *out = slm_bool(b);
    return SLM_OK;
}

/* The argument as a string, whatever it is. */
static slm_status text_of(slm_call *c, const slm_value *v, slm_value *out)
{
    return slm_value_show(c->store, v, out);
}

static slm_status want_string(slm_call *c, const slm_value *v, const char *what)
{
    return v->type == SLM_V_STRING ? SLM_OK : wrong(c, what, v);
}

static bool known_method(const slm_value *self, const void *name, size_t n, const char *const *names, size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return true;
    return false;
}

/* ---- a.b and a[b] ---- */

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
#define KNOWN(list) known_method(self, name, n, list, sizeof list / sizeof *list)
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
        return undefined_used(store, self);
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
        return undefined_used(store, self);
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
            return what->type == SLM_V_UNDEFINED ? undefined_used(store, what)
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

/* ---- strings ---- */

static slm_status string_strip(slm_call *c, const slm_value *self, int sides, slm_value *out)
{
    const slm_value *set = c->arg[0] && c->arg[0]->type != SLM_V_NONE ? c->arg[0] : NULL;
    slm_status status = set ? want_string(c, set, "strip by a set") : SLM_OK;
    if (!status)
        status = slm_store_spend(c->store, self->n * (set ? 1 + set->n / 8 : 1));
    if (!status)
        *out = slm_string_strip(self, set, sides);
    return status;
}

static slm_status m_strip(slm_call *c, const slm_value *self, slm_value *out)  { return string_strip(c, self, 3, out); }
static slm_status m_lstrip(slm_call *c, const slm_value *self, slm_value *out) { return string_strip(c, self, 1, out); }
static slm_status m_rstrip(slm_call *c, const slm_value *self, slm_value *out) { return string_strip(c, self, 2, out); }

static slm_status f_trim(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value text;
    slm_status status = text_of(c, self, &text);
    return status ? status : string_strip(c, &text, 3, out);
}

/* Does the string begin (or end) with the part, or with one of a tuple of parts? */
static slm_status has_end(slm_call *c, const slm_value *self, bool end, slm_value *out)
{
    const slm_value *parts = c->arg[0];
    size_t n = 1;
    bool found = false;
    if (parts->type == SLM_V_LIST) {
        n = parts->as.list->n;
        parts = parts->as.list->items;
    }
    for (size_t i = 0; i < n && !found; i++) {
        slm_status status = want_string(c, &parts[i], end ? "endswith" : "startswith");
        if (status || (status = slm_store_spend(c->store, parts[i].n)))
            return status;
        found = parts[i].n <= self->n && memcmp(self->as.text + (end ? self->n - parts[i].n : 0), parts[i].as.text, parts[i].n) == 0;
    }
    return yes(out, found);
}

static slm_status m_startswith(slm_call *c, const slm_value *self, slm_value *out) { return has_end(c, self, false, out); }
static slm_status m_endswith(slm_call *c, const slm_value *self, slm_value *out)   { return has_end(c, self, true, out); }

static slm_status remove_end(slm_call *c, const slm_value *self, bool end, slm_value *out)
{
    slm_value has;
    slm_status status = want_string(c, c->arg[0], "removing an end");
    if (status || (status = has_end(c, self, end, &has)))
        return status;
    const size_t n = has.as.i ? c->arg[0]->n : 0;
    *out = end ? slm_string_part(self, 0, self->n - n) : slm_string_part(self, n, self->n);
    return SLM_OK;
}

static slm_status m_removeprefix(slm_call *c, const slm_value *self, slm_value *out) { return remove_end(c, self, false, out); }
static slm_status m_removesuffix(slm_call *c, const slm_value *self, slm_value *out) { return remove_end(c, self, true, out); }

static slm_status replace(slm_call *c, const slm_value *self, const slm_value *from, const slm_value *to, int64_t most, slm_value *out)
{
    slm_text t = slm_text_begin(c->store);
    size_t at = 0;
    slm_status status = slm_store_spend(c->store, self->n);
    for (; !status && !t.status && most != 0; most -= most > 0) {
        const size_t found = slm_string_find(self, at, from);
        size_t end = found;
        if (found == SIZE_MAX)
            break;
        slm_text_part(&t, self, at, found);
        slm_text_put(&t, to);
        if (!from->n) {                         /* the empty string stands before every character and at the end */
            if (found >= self->n) {
                at = found;
                break;
            }
            for (end++; end < self->n && (self->as.text[end] & 0xc0) == 0x80; end++)
                ;
            slm_text_part(&t, self, found, end);
        } else {
            end += from->n;
        }
        at = end;
        status = slm_store_spend(c->store, 0);
    }
    slm_text_part(&t, self, at, self->n);
    return status ? status : slm_text_end(&t, out);
}

static slm_status count_of(slm_call *c, const slm_value *v, int64_t otherwise, int64_t *count)
{
    *count = otherwise;
    if (!v || v->type == SLM_V_NONE)
        return SLM_OK;
    if (!slm_is_int(v))
        return wrong(c, "a count", v);
    *count = v->as.i;
    return SLM_OK;
}

static slm_status m_replace(slm_call *c, const slm_value *self, slm_value *out)
{
    int64_t most;
    slm_status status = count_of(c, c->arg[2], -1, &most);
    if (status || (status = want_string(c, c->arg[0], "replace")) || (status = want_string(c, c->arg[1], "replace")))
        return status;
    return replace(c, self, c->arg[0], c->arg[1], most, out);
}

static slm_status f_replace(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value text, from, to;
    int64_t most;
    slm_status status = count_of(c, c->arg[2], -1, &most);
    if (status || (status = text_of(c, self, &text)) || (status = text_of(c, c->arg[0], &from)) || (status = text_of(c, c->arg[1], &to)))
        return status;
    return replace(c, &text, &from, &to, most, out);
}

/* Items in the making: a list that grows in the heap and moves to the store at its end. */
static slm_status add_item(slm_call *c, slm_buf *items, slm_value v)
{
    slm_buf_add(items, &v, sizeof v);
    if (items->failed)
        return slm_store_fail(c->store, items->failed, "no room for a list of more than %zu items", SLM_COUNT(slm_value, *items));
    return slm_store_spend(c->store, 0);
}

static slm_buf new_items(slm_call *c)
{
    slm_buf items;
    slm_buf_init(&items, c->store->heap, SLM_LIMIT_TEMPLATE_VALUES * sizeof(slm_value));
    return items;
}

static slm_status end_items(slm_call *c, slm_buf *items, slm_status status, slm_value *out)
{
    if (!status)
        status = slm_list_make(c->store, SLM_ARRAY(slm_value, *items), SLM_COUNT(slm_value, *items), false, out);
    slm_buf_free(items);
    return status;
}

static size_t space_at(const slm_value *s, size_t at, bool *is)
{
    uint32_t cp;
    bool ok;
    const size_t n = slm_utf8_next(s->as.text + at, s->n - at, &cp, &ok);
    *is = slm_is_space(cp);
    return n;
}

static slm_status split_words(slm_call *c, const slm_value *self, int64_t most, slm_buf *items)
{
    size_t at = 0;
    slm_status status = SLM_OK;
    while (!status) {
        bool is = true;
        size_t n = 0;
        while (at < self->n && ((n = space_at(self, at, &is)), is))
            at += n;
        if (at >= self->n)
            break;
        if (most-- == 0) {
            status = add_item(c, items, slm_string_part(self, at, self->n));
            break;
        }
        const size_t from = at;
        while (at < self->n && ((n = space_at(self, at, &is)), !is))
            at += n;
        status = add_item(c, items, slm_string_part(self, from, at));
    }
    return status;
}

static slm_status m_split(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *by = c->arg[0];
    int64_t most;
    slm_buf items = new_items(c);
    slm_status status = count_of(c, c->arg[1], -1, &most);
    if (!status)
        status = slm_store_spend(c->store, self->n);
    if (!status && (!by || by->type == SLM_V_NONE)) {
        status = split_words(c, self, most, &items);
    } else if (!status && !(status = want_string(c, by, "split"))) {
        size_t at = 0, found;
        if (!by->n)
            status = slm_store_fail(c->store, SLM_E_FORMAT, "split by an empty string");
        while (!status && most-- != 0 && (found = slm_string_find(self, at, by)) != SIZE_MAX) {
            status = add_item(c, &items, slm_string_part(self, at, found));
            at = found + by->n;
        }
        if (!status)
            status = add_item(c, &items, slm_string_part(self, at, self->n));
    }
    return end_items(c, &items, status, out);
}

static slm_status m_rsplit(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *by = c->arg[0];
    int64_t most;
    slm_status status = count_of(c, c->arg[1], -1, &most);
    if (status)
        return status;
    if (most < 0)
        return m_split(c, self, out);
    if (!by || by->type != SLM_V_STRING || !by->n || most != 1)
        return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "rsplit of this form is not supported");
    slm_value parts[2];
    for (size_t at = self->n >= by->n ? self->n - by->n + 1 : 0; at > 0; at--)
        if (memcmp(self->as.text + at - 1, by->as.text, by->n) == 0) {
            parts[0] = slm_string_part(self, 0, at - 1);
            parts[1] = slm_string_part(self, at - 1 + by->n, self->n);
            status = slm_store_spend(c->store, self->n - at);
            return status ? status : slm_list_make(c->store, parts, 2, false, out);
        }
    status = slm_store_spend(c->store, self->n);
    return status ? status : slm_list_make(c->store, self, 1, false, out);
}

static slm_status m_splitlines(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_buf items = new_items(c);
    slm_status status = slm_store_spend(c->store, self->n);
    const uint8_t *s = self->as.text;
    for (size_t at = 0; !status && at < self->n;) {
        size_t end = at;
        while (end < self->n && s[end] != '\n' && s[end] != '\r')
            end++;
        status = add_item(c, &items, slm_string_part(self, at, end));
        at = end + (end + 1 < self->n && s[end] == '\r' && s[end + 1] == '\n' ? 2 : 1);
    }
    return end_items(c, &items, status, out);
}

static slm_status m_find(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_status status = want_string(c, c->arg[0], "find");
    if (status || (status = slm_store_spend(c->store, self->n)))
        return status;
    const size_t at = slm_string_find(self, 0, c->arg[0]);
    const slm_value before = slm_string_part(self, 0, at == SIZE_MAX ? 0 : at);
    *out = slm_int(at == SIZE_MAX ? -1 : (int64_t)slm_string_points(&before));
    return SLM_OK;
}

static slm_status m_count(slm_call *c, const slm_value *self, slm_value *out)
{
    int64_t count = 0;
    slm_status status = SLM_OK;
    if (self->type == SLM_V_LIST) {
        for (size_t i = 0; !status && i < self->as.list->n; i++) {
            bool equal;
            status = slm_value_equal(c->store, &self->as.list->items[i], c->arg[0], &equal);
            count += equal;
        }
    } else if (!(status = want_string(c, c->arg[0], "count")) && !(status = slm_store_spend(c->store, self->n))) {
        if (!c->arg[0]->n)
            count = (int64_t)slm_string_points(self) + 1;
        else
            for (size_t at = 0; (at = slm_string_find(self, at, c->arg[0])) != SIZE_MAX; at += c->arg[0]->n)
                count++;
    }
    *out = slm_int(count);
    return status;
}

/* Upper case, lower case; each character keeps its origin. Simple mappings: one character becomes one, but for the German sz. The
 * method title() begins a word after everything that is no letter, the filter after white space and some brackets. */
enum { LOWER, UPPER, TITLE, WORDS, CAPITAL };
static slm_status change_case(slm_call *c, const slm_value *self, int how, slm_value *out)
{
    slm_text t = slm_text_begin(c->store);
    bool first = true;
    for (size_t i = 0; i < self->n && !t.status;) {
        uint32_t cp;
        bool ok;
        uint8_t bytes[4];
        const size_t n = slm_utf8_next(self->as.text + i, self->n - i, &cp, &ok);
        const bool upper = how == UPPER || (first && how != LOWER);
        const utf8proc_int32_t to = upper ? utf8proc_toupper((utf8proc_int32_t)cp) : utf8proc_tolower((utf8proc_int32_t)cp);
        size_t len = (size_t)utf8proc_encode_char(to, bytes);
        if (upper && cp == 0xdf) {
            bytes[0] = 'S';
            bytes[1] = how == UPPER ? 'S' : 's';
            len = 2;
        }
        slm_text_add(&t, bytes, len, self->kinds ? self->kinds[i] : self->kind);
        first = how == TITLE ? utf8proc_category((utf8proc_int32_t)cp) > UTF8PROC_CATEGORY_LO
                             : how == WORDS && (slm_is_space(cp) || (cp < 128 && cp && strchr("-({[<", (int)cp)));
        i += n;
    }
    return slm_text_end(&t, out);
}

static slm_status cased(slm_call *c, const slm_value *self, int how, slm_value *out)
{
    slm_value text;
    slm_status status = text_of(c, self, &text);
    return status ? status : change_case(c, &text, how, out);
}

static slm_status f_lower(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, LOWER, out); }
static slm_status f_upper(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, UPPER, out); }
static slm_status f_title(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, WORDS, out); }
static slm_status m_title(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, TITLE, out); }
static slm_status f_capitalize(slm_call *c, const slm_value *self, slm_value *out) { return cased(c, self, CAPITAL, out); }

/* Is it true of every character, and is there one? */
static slm_status all_of(slm_call *c, const slm_value *self, bool (*is)(utf8proc_category_t, uint32_t), slm_value *out)
{
    bool all = self->n > 0;
    for (size_t i = 0; i < self->n && all;) {
        uint32_t cp;
        bool ok;
        i += slm_utf8_next(self->as.text + i, self->n - i, &cp, &ok);
        all = is(utf8proc_category((utf8proc_int32_t)cp), cp);
    }
    (void)yes(out, all);
    return slm_store_spend(c->store, self->n);
}

static bool is_digit(utf8proc_category_t category, uint32_t cp) { (void)cp; return category == UTF8PROC_CATEGORY_ND; }
static bool is_alpha(utf8proc_category_t category, uint32_t cp)
{
    (void)cp;
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
static bool is_alnum(utf8proc_category_t category, uint32_t cp) { return is_alpha(category, cp) || is_digit(category, cp); }
static bool is_blank(utf8proc_category_t category, uint32_t cp) { (void)category; return slm_is_space(cp); }

static slm_status m_isdigit(slm_call *c, const slm_value *self, slm_value *out) { return all_of(c, self, is_digit, out); }
static slm_status m_isalpha(slm_call *c, const slm_value *self, slm_value *out) { return all_of(c, self, is_alpha, out); }
static slm_status m_isalnum(slm_call *c, const slm_value *self, slm_value *out) { return all_of(c, self, is_alnum, out); }
static slm_status m_isspace(slm_call *c, const slm_value *self, slm_value *out) { return all_of(c, self, is_blank, out); }

static slm_status join(slm_call *c, const slm_value *between, const slm_value *list, bool strings, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, list, &items, &n);
    if (status)
        return status;
    slm_text t = slm_text_begin(c->store);
    for (size_t i = 0; i < n && !t.status; i++) {
        if (strings && items[i].type != SLM_V_STRING)
            return wrong(c, "join", &items[i]);
        if (i)
            slm_text_put(&t, between);
        (void)slm_text_show(&t, &items[i]);
    }
    return slm_text_end(&t, out);
}

static slm_status m_join(slm_call *c, const slm_value *self, slm_value *out)
{
    return join(c, self, c->arg[0], true, out);
}

static slm_status f_indent(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value text;
    const slm_value *width = c->arg[0];
    const bool first = c->arg[1] && slm_value_true(c->arg[1]), blank = c->arg[2] && slm_value_true(c->arg[2]);
    slm_status status = text_of(c, self, &text);
    if (status)
        return status;
    if (width && !slm_is_int(width) && width->type != SLM_V_STRING)
        return wrong(c, "indent", width);
    slm_text t = slm_text_begin(c->store);
    for (size_t at = 0; at <= text.n && !t.status;) {
        const uint8_t *line = at < text.n ? memchr(text.as.text + at, '\n', text.n - at) : NULL;
        const size_t end = line ? (size_t)(line - text.as.text) : text.n;
        if (at ? end > at || blank : first) {
            if (width && width->type == SLM_V_STRING)
                slm_text_put(&t, width);
            else
                for (int64_t i = width ? width->as.i : 4; i > 0 && !t.status; i--)
                    slm_text_add(&t, " ", 1, SLM_CONTENT);
        }
        slm_text_part(&t, &text, at, line ? end + 1 : end);
        at = end + 1;
    }
    return slm_text_end(&t, out);
}

/* ---- lists and mappings ---- */

static slm_status pair(slm_call *c, const slm_value *key, const slm_value *v, slm_value *out)
{
    const slm_value two[2] = { *key, *v };
    return slm_list_make(c->store, two, 2, true, out);
}

static slm_status f_items(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_buf items = new_items(c);
    slm_status status = SLM_OK;
    if (self->type != SLM_V_DICT && self->type != SLM_V_UNDEFINED)
        return slm_store_fail(c->store, SLM_E_FORMAT, "items of %s", slm_type_name(self));
    for (size_t i = 0; self->type == SLM_V_DICT && !status && i < self->as.dict->n; i++) {
        slm_value two;
        if (!(status = pair(c, &self->as.dict->keys[i], &self->as.dict->values[i], &two)))
            status = add_item(c, &items, two);
    }
    return end_items(c, &items, status, out);
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

static slm_status f_length(slm_call *c, const slm_value *self, slm_value *out)
{
    switch (self->type) {
    case SLM_V_UNDEFINED: *out = slm_int(0); return SLM_OK;
    case SLM_V_LIST:      *out = slm_int(self->as.list->n); return SLM_OK;
    case SLM_V_DICT:      *out = slm_int(self->as.dict->n); return SLM_OK;
    case SLM_V_STRING:    *out = slm_int((int64_t)slm_string_points(self)); return slm_store_spend(c->store, self->n);
    default:              return wrong(c, "length", self);
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
    slm_status status = want_string(c, path, "an attribute by a name");
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
    slm_status status = c->arg[0] ? text_of(c, c->arg[0], &between) : SLM_OK;
    if (!status && c->arg[1] && c->arg[1]->type != SLM_V_NONE) {
        const slm_value *items;
        size_t n;
        slm_buf parts = new_items(c);
        status = slm_value_items(c->store, self, &items, &n);
        for (size_t i = 0; !status && i < n; i++) {
            slm_value v;
            if (!(status = by_path(c, &items[i], c->arg[1], &v)))
                status = add_item(c, &parts, v);
        }
        status = end_items(c, &parts, status, &list);
    }
    return status ? status : join(c, &between, &list, false, out);
}

/* What is compared when lists are sorted or made unique: strings without regard to case unless asked. */
static slm_status sort_key(slm_call *c, const slm_value *v, const slm_value *path, bool exact, slm_value *out)
{
    slm_status status = SLM_OK;
    *out = *v;
    if (path && path->type != SLM_V_NONE)
        status = by_path(c, v, path, out);
    if (!status && !exact && out->type == SLM_V_STRING)
        status = change_case(c, &(slm_value){ .type = SLM_V_STRING, .kind = out->kind, .n = out->n, .as = out->as, .kinds = out->kinds }, LOWER, out);
    return status;
}

/* Merge sort from the bottom up: stable, n log n. keys and items move together. */
static slm_status merge_sort(slm_call *c, slm_value *items, slm_value *keys, size_t n, bool down)
{
    slm_value *more = slm_store_take(c->store, 2 * n, sizeof *more), *moved = more + n;
    if (!more)
        return SLM_E_MEMORY;
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
    slm_status status = f_items(c, self, &pairs);
    const slm_value index = slm_int(by_value);
    return status ? status : sorted(c, &pairs, &index, c->arg[0] && slm_value_true(c->arg[0]), c->arg[2] && slm_value_true(c->arg[2]), out);
}

static slm_status f_unique(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_buf kept = new_items(c), keys = new_items(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    for (size_t i = 0; !status && i < n; i++) {
        slm_value key;
        bool seen = false;
        status = sort_key(c, &items[i], c->arg[1], c->arg[0] && slm_value_true(c->arg[0]), &key);
        for (size_t k = 0; !status && !seen && k < SLM_COUNT(slm_value, keys); k++)
            status = slm_value_equal(c->store, &SLM_ARRAY(slm_value, keys)[k], &key, &seen);
        if (!status && !seen && !(status = add_item(c, &keys, key)))
            status = add_item(c, &kept, items[i]);
    }
    slm_buf_free(&keys);
    return end_items(c, &kept, status, out);
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
            status = wrong(c, "a sum", &v);
        if (!status && slm_is_int(&v) && __builtin_add_overflow(whole, v.as.i, &whole))
            status = slm_store_fail(c->store, SLM_E_LIMIT, "an integer beyond 64 bits");
        is_real = is_real || v.type == SLM_V_FLOAT;
        real += status ? 0 : slm_number(&v);
    }
    *out = is_real ? slm_float(real) : slm_int(whole);
    return status;
}

/* ---- values ---- */

static slm_status f_string(slm_call *c, const slm_value *self, slm_value *out)
{
    return text_of(c, self, out);
}

static slm_status f_safe(slm_call *c, const slm_value *self, slm_value *out)
{
    return text_of(c, self, out);
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
    if (v->type != SLM_V_STRING)
        return false;
    const slm_value text = slm_string_strip(v, NULL, 3);
    const bool plus = text.n && text.as.text[0] == '+';
    slm_json json;
    double d;
    if (slm_json_init(&json, text.as.text + plus, text.n - plus, "number", NULL) || slm_json_next(&json, NULL) || json.kind != SLM_JSON_NUMBER
        || json.text_len != text.n - plus || slm_json_double(&json, &d, NULL))
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
        return undefined_used(c->store, self);
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
        return undefined_used(c->store, self);
    *out = number_of(self, &v) ? slm_float(slm_number(&v)) : c->arg[0] ? *c->arg[0] : slm_float(0);
    return SLM_OK;
}

static slm_status f_abs(slm_call *c, const slm_value *self, slm_value *out)
{
    if (!slm_is_number(self))
        return wrong(c, "abs", self);
    if (self->type != SLM_V_FLOAT && self->as.i == INT64_MIN)
        return slm_store_fail(c->store, SLM_E_LIMIT, "an integer beyond 64 bits");
    *out = self->type == SLM_V_FLOAT ? slm_float(fabs(self->as.d)) : slm_int(self->as.i < 0 ? -self->as.i : self->as.i);
    return SLM_OK;
}

static slm_status f_round(slm_call *c, const slm_value *self, slm_value *out)
{
    if (!slm_is_number(self))
        return wrong(c, "round", self);
    if (c->arg[1] || (c->arg[0] && !(slm_is_int(c->arg[0]) && c->arg[0]->as.i == 0)))
        return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "round to digits is not supported");
    *out = slm_float(nearbyint(slm_number(self)));
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

/* ---- tests ---- */

static slm_status t_defined(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return yes(out, v->type != SLM_V_UNDEFINED); }
static slm_status t_undefined(slm_call *c, const slm_value *v, slm_value *out) { (void)c; return yes(out, v->type == SLM_V_UNDEFINED); }
static slm_status t_none(slm_call *c, const slm_value *v, slm_value *out)      { (void)c; return yes(out, v->type == SLM_V_NONE); }
static slm_status t_string(slm_call *c, const slm_value *v, slm_value *out)    { (void)c; return yes(out, v->type == SLM_V_STRING); }
static slm_status t_mapping(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return yes(out, v->type == SLM_V_DICT); }
static slm_status t_boolean(slm_call *c, const slm_value *v, slm_value *out)   { (void)c; return yes(out, v->type == SLM_V_BOOL); }
static slm_status t_float(slm_call *c, const slm_value *v, slm_value *out)     { (void)c; return yes(out, v->type == SLM_V_FLOAT); }
static slm_status t_true(slm_call *c, const slm_value *v, slm_value *out)      { (void)c; return yes(out, v->type == SLM_V_BOOL && v->as.i); }
static slm_status t_false(slm_call *c, const slm_value *v, slm_value *out)     { (void)c; return yes(out, v->type == SLM_V_BOOL && !v->as.i); }

static slm_status t_integer(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return yes(out, v->type == SLM_V_INT || v->type == SLM_V_BIG);
}

static slm_status t_number(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return yes(out, slm_is_number(v) || v->type == SLM_V_BIG);
}

static slm_status t_iterable(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return yes(out, v->type == SLM_V_STRING || v->type == SLM_V_LIST || v->type == SLM_V_DICT || v->type == SLM_V_UNDEFINED);
}

static slm_status t_callable(slm_call *c, const slm_value *v, slm_value *out)
{
    (void)c;
    return yes(out, v->type == SLM_V_FUNCTION || v->type == SLM_V_METHOD || v->type == SLM_V_MACRO);
}

static slm_status t_same(slm_call *c, const slm_value *v, slm_value *out)
{
    const slm_value *w = c->arg[0];
    return v->type == w->type && (v->type == SLM_V_NONE || v->type == SLM_V_BOOL) ? yes(out, v->as.i == w->as.i)
         : v->type != w->type ? yes(out, false) : slm_store_fail(c->store, SLM_E_UNSUPPORTED, "sameas is supported for none, true and false only");
}

static slm_status equal(slm_call *c, const slm_value *v, bool wanted, slm_value *out)
{
    bool is;
    slm_status status = slm_value_equal(c->store, v, c->arg[0], &is);
    return status ? status : yes(out, is == wanted);
}

static slm_status t_eq(slm_call *c, const slm_value *v, slm_value *out) { return equal(c, v, true, out); }
static slm_status t_ne(slm_call *c, const slm_value *v, slm_value *out) { return equal(c, v, false, out); }

static slm_status ordered(slm_call *c, const slm_value *v, int least, int most, slm_value *out)
{
    int order;
    slm_status status = slm_value_order(c->store, v, c->arg[0], &order);
    return status ? status : yes(out, order >= least && order <= most);
}

static slm_status t_lt(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, -1, -1, out); }
static slm_status t_le(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, -1, 0, out); }
static slm_status t_gt(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, 1, 1, out); }
static slm_status t_ge(slm_call *c, const slm_value *v, slm_value *out) { return ordered(c, v, 0, 1, out); }

static slm_status t_in(slm_call *c, const slm_value *v, slm_value *out)
{
    bool found;
    slm_status status = slm_value_contains(c->store, c->arg[0], v, &found);
    return status ? status : yes(out, found);
}

static slm_status divides(slm_call *c, const slm_value *v, int64_t by, int64_t rest, slm_value *out)
{
    if (!slm_is_int(v))
        return wrong(c, "a division", v);
    if (!by)
        return slm_store_fail(c->store, SLM_E_FORMAT, "division by zero");
    return yes(out, (by == -1 ? 0 : v->as.i % by) == rest || (rest && v->as.i % by == -rest));
}

static slm_status t_even(slm_call *c, const slm_value *v, slm_value *out) { return divides(c, v, 2, 0, out); }
static slm_status t_odd(slm_call *c, const slm_value *v, slm_value *out)  { return divides(c, v, 2, 1, out); }
static slm_status t_divisible(slm_call *c, const slm_value *v, slm_value *out)
{
    return slm_is_int(c->arg[0]) ? divides(c, v, c->arg[0]->as.i, 0, out) : wrong(c, "a division", c->arg[0]);
}

static slm_status is_cased(slm_call *c, const slm_value *v, int how, slm_value *out)
{
    slm_value text, other, same;
    slm_status status = text_of(c, v, &text);
    bool is = false;
    if (status || (status = change_case(c, &text, how, &same)) || (status = change_case(c, &text, how == UPPER ? LOWER : UPPER, &other)))
        return status;
    is = slm_string_compare(&text, &same) == 0 && slm_string_compare(&text, &other) != 0;    /* there is a letter that has a case */
    return yes(out, is);
}

static slm_status t_lower(slm_call *c, const slm_value *v, slm_value *out) { return is_cased(c, v, LOWER, out); }
static slm_status t_upper(slm_call *c, const slm_value *v, slm_value *out) { return is_cased(c, v, UPPER, out); }

/* ---- filters that take a filter or a test by name ---- */

static callee_fn f_map, f_select, f_reject, f_selectattr, f_rejectattr;

/* ---- the tables ---- */

static const callee tests[] = {
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
};

static const callee filters[] = {
    { "items",      { 0 }, f_items, 0, 0, 0 },       { "length",    { 0 }, f_length, 0, 0, 0 },        { "count",   { 0 }, f_length, 0, 0, 0 },
    { "list",       { 0 }, f_list, 0, 0, 0 },        { "string",    { 0 }, f_string, 0, 0, 0 },        { "safe",    { 0 }, f_safe, 0, 0, 0 },
    { "first",      { 0 }, f_first, 0, 0, 0 },       { "last",      { 0 }, f_last, 0, 0, 0 },          { "reverse", { 0 }, f_reverse, 0, 0, 0 },
    { "lower",      { 0 }, f_lower, 0, 0, 0 },       { "upper",     { 0 }, f_upper, 0, 0, 0 },         { "title",   { 0 }, f_title, 0, 0, 0 },
    { "capitalize", { 0 }, f_capitalize, 0, 0, 0 },  { "abs",       { 0 }, f_abs, 0, 0, 0 },           { "trim",    { "chars" }, f_trim, 0, 0, 0 },
    { "join",       { "d", "attribute" }, f_join, 0, 0, 0 },
    { "replace",    { "old", "new", "count" }, f_replace, 2, 0, 0 },
    { "indent",     { "width", "first", "blank" }, f_indent, 0, 0, 0 },
    { "default",    { "default_value", "boolean" }, f_default, 0, 0, 0 }, { "d", { "default_value", "boolean" }, f_default, 0, 0, 0 },
    { "int",        { "default" }, f_int, 0, 0, 0 }, { "float",     { "default" }, f_float, 0, 0, 0 },
    { "round",      { "precision", "method" }, f_round, 0, 0, 0 },
    { "sort",       { "reverse", "case_sensitive", "attribute" }, f_sort, 0, 0, 0 },
    { "dictsort",   { "case_sensitive", "by", "reverse" }, f_dictsort, 0, 0, 0 },
    { "unique",     { "case_sensitive", "attribute" }, f_unique, 0, 0, 0 },
    { "min",        { "case_sensitive", "attribute" }, f_min, 0, 0, 0 }, { "max", { "case_sensitive", "attribute" }, f_max, 0, 0, 0 },
    { "sum",        { "attribute" }, f_sum, 0, 0, 0 },
    { "tojson",     { "ensure_ascii", "indent", "separators", "sort_keys" }, f_tojson, 0, 0, 0 },
    { "map",        { "filter", "argument", "attribute", "default" }, f_map, 0, 0, true },
    { "select",     { "test", "argument" }, f_select, 0, 0, true },     { "reject",     { "test", "argument" }, f_reject, 0, 0, true },
    { "selectattr", { "attribute", "test", "argument" }, f_selectattr, 1, 0, true },
    { "rejectattr", { "attribute", "test", "argument" }, f_rejectattr, 1, 0, true },
};

static const callee methods[] = {
    { "strip",      { "chars" }, m_strip, 0, SLM_V_STRING, 0 },       { "lstrip",     { "chars" }, m_lstrip, 0, SLM_V_STRING, 0 },
    { "rstrip",     { "chars" }, m_rstrip, 0, SLM_V_STRING, 0 },      { "split",      { "sep", "maxsplit" }, m_split, 0, SLM_V_STRING, 0 },
    { "rsplit",     { "sep", "maxsplit" }, m_rsplit, 0, SLM_V_STRING, 0 }, { "splitlines", { 0 }, m_splitlines, 0, SLM_V_STRING, 0 },
    { "startswith", { "prefix" }, m_startswith, 1, SLM_V_STRING, 0 }, { "endswith",   { "suffix" }, m_endswith, 1, SLM_V_STRING, 0 },
    { "removeprefix", { "prefix" }, m_removeprefix, 1, SLM_V_STRING, 0 }, { "removesuffix", { "suffix" }, m_removesuffix, 1, SLM_V_STRING, 0 },
    { "replace",    { "old", "new", "count" }, m_replace, 2, SLM_V_STRING, 0 }, { "join", { "iterable" }, m_join, 1, SLM_V_STRING, 0 },
    { "find",       { "sub" }, m_find, 1, SLM_V_STRING, 0 },          { "count",      { "sub" }, m_count, 1, SLM_V_STRING, 0 },
    { "lower",      { 0 }, f_lower, 0, SLM_V_STRING, 0 },             { "upper",      { 0 }, f_upper, 0, SLM_V_STRING, 0 },
    { "title",      { 0 }, m_title, 0, SLM_V_STRING, 0 },             { "capitalize", { 0 }, f_capitalize, 0, SLM_V_STRING, 0 },
    { "isdigit",    { 0 }, m_isdigit, 0, SLM_V_STRING, 0 },           { "isalpha",    { 0 }, m_isalpha, 0, SLM_V_STRING, 0 },
    { "isalnum",    { 0 }, m_isalnum, 0, SLM_V_STRING, 0 },           { "isspace",    { 0 }, m_isspace, 0, SLM_V_STRING, 0 },
    { "items",      { 0 }, f_items, 0, SLM_V_DICT, 0 },               { "keys",       { 0 }, m_keys, 0, SLM_V_DICT, 0 },
    { "values",     { 0 }, m_values, 0, SLM_V_DICT, 0 },              { "get",        { "key", "default" }, m_get, 1, SLM_V_DICT, 0 },
    { "copy",       { 0 }, m_copy, 0, SLM_V_DICT, 0 },                { "copy",       { 0 }, m_copy, 0, SLM_V_LIST, 0 },
    { "count",      { "value" }, m_count, 1, SLM_V_LIST, 0 },
};

static const callee *find_callee(slm_callee kind, const slm_value *name, uint8_t type)
{
    const callee *rows = kind == SLM_CALL_FILTER ? filters : kind == SLM_CALL_TEST ? tests : methods;
    const size_t n = kind == SLM_CALL_FILTER ? sizeof filters / sizeof *filters : kind == SLM_CALL_TEST ? sizeof tests / sizeof *tests
                   : sizeof methods / sizeof *methods;
    for (size_t i = 0; i < n; i++)
        if (slm_string_is(name, rows[i].name) && (kind != SLM_CALL_METHOD || rows[i].type == type))
            return &rows[i];
    return NULL;
}

static const char *kind_name(slm_callee kind)
{
    return kind == SLM_CALL_FILTER ? "filter" : kind == SLM_CALL_TEST ? "test" : kind == SLM_CALL_METHOD ? "method" : "function";
}

/* Puts arguments where their parameters are. */
static slm_status arrange(slm_call *c, const callee *row, slm_callee kind, const slm_value *args, size_t pos, size_t named)
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
        return undefined_used(store, self);
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
    const callee *row = find_callee(kind, name, self->type);
    if (!row)
        return unknown(store, kind, name, self);
    slm_status status = arrange(&c, row, kind, args, pos, named);
    return status ? status : row->run(&c, self, out);
}

/* Calls the filter or test of that name on one item, with at most one argument. */
static slm_status call_on(slm_call *c, slm_callee kind, const slm_value *name, const slm_value *argument, const slm_value *item, slm_value *out)
{
    slm_call inner = { .store = c->store };
    slm_status status = want_string(c, name, "a filter or test by a name");
    if (status)
        return status;
    const callee *row = find_callee(kind, name, item->type);
    if (!row || row->higher)
        return unknown(c->store, kind, name, item);
    status = arrange(&inner, row, kind, argument, argument != NULL, 0);
    return status ? status : row->run(&inner, item, out);
}

/* Keeps the items (or, with a path, those whose part at the path) for which the test holds, or does not. */
static slm_status choose(slm_call *c, const slm_value *self, const slm_value *path, const slm_value *test, const slm_value *argument, bool wanted,
                         slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_buf kept = new_items(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    for (size_t i = 0; !status && i < n; i++) {
        slm_value v = items[i], is = slm_none();
        if (path)
            status = by_path(c, &items[i], path, &v);
        if (!status && test)
            status = call_on(c, SLM_CALL_TEST, test, argument, &v, &is);
        else
            is = v;
        if (!status && slm_value_true(&is) == wanted)
            status = add_item(c, &kept, items[i]);
    }
    return end_items(c, &kept, status, out);
}

static slm_status f_select(slm_call *c, const slm_value *self, slm_value *out)     { return choose(c, self, NULL, c->arg[0], c->arg[1], true, out); }
static slm_status f_reject(slm_call *c, const slm_value *self, slm_value *out)     { return choose(c, self, NULL, c->arg[0], c->arg[1], false, out); }
static slm_status f_selectattr(slm_call *c, const slm_value *self, slm_value *out) { return choose(c, self, c->arg[0], c->arg[1], c->arg[2], true, out); }
static slm_status f_rejectattr(slm_call *c, const slm_value *self, slm_value *out) { return choose(c, self, c->arg[0], c->arg[1], c->arg[2], false, out); }

static slm_status f_map(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *items, *path = c->arg[2];
    size_t n;
    slm_buf mapped = new_items(c);
    slm_status status = slm_value_items(c->store, self, &items, &n);
    if (!status && !path && !c->arg[0])
        status = slm_store_fail(c->store, SLM_E_FORMAT, "map wants a filter or an attribute");
    for (size_t i = 0; !status && i < n; i++) {
        slm_value v = slm_none();
        status = path ? by_path(c, &items[i], path, &v) : call_on(c, SLM_CALL_FILTER, c->arg[0], c->arg[1], &items[i], &v);
        if (!status && path && c->arg[3] && v.type == SLM_V_UNDEFINED)
            v = *c->arg[3];
        if (!status)
            status = add_item(c, &mapped, v);
    }
    return end_items(c, &mapped, status, out);
}

/* ---- functions ---- */

const char *const slm_function_names[SLM_FUNCTIONS] = { "namespace", "raise_exception", "strftime_now", "range", "dict" };

typedef struct when { int year, month, day, hour, minute, second; } when;

static bool digits(const char **s, int n, int *v)
{
    for (*v = 0; n > 0; n--, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *v = *v * 10 + (**s - '0');
    }
    return true;
}

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* YYYY-MM-DD, then T or a space and HH:MM with or without :SS and a fraction, then Z or +HH:MM, which changes nothing. */
static bool read_time(const char *s, when *w)
{
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int zone;
    *w = (when){ 0, 0, 0, 0, 0, 0 };
    if (!digits(&s, 4, &w->year) || *s++ != '-' || !digits(&s, 2, &w->month) || *s++ != '-' || !digits(&s, 2, &w->day))
        return false;
    if (w->month < 1 || w->month > 12 || w->day < 1 || w->day > days[w->month - 1] - (w->month == 2 && !leap(w->year)))
        return false;
    if (*s == 'T' || *s == ' ') {
        s++;
        if (!digits(&s, 2, &w->hour) || *s++ != ':' || !digits(&s, 2, &w->minute) || w->hour > 23 || w->minute > 59)
            return false;
        if (*s == ':') {
            s++;
            if (!digits(&s, 2, &w->second) || w->second > 60)
                return false;
            if (*s == '.')
                for (s++; *s >= '0' && *s <= '9'; s++)
                    ;
        }
        if (*s == 'Z') {
            s++;
        } else if (*s == '+' || *s == '-') {
            s++;
            if (!digits(&s, 2, &zone) || (*s == ':' && !s++) || !digits(&s, 2, &zone))
                return false;
        }
    }
    return !*s;
}

bool slm_time_valid(const char *now)
{
    when w;
    return read_time(now, &w);
}

static int day_of_year(const when *w)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    return before[w->month - 1] + w->day + (w->month > 2 && leap(w->year));
}

static int weekday(const when *w)       /* 0: Sunday; the Gregorian calendar all the way back */
{
    const int y = w->year + 399;        /* the years before this one and 400 more, which are a whole number of weeks: never negative */
    return (day_of_year(w) + y * 365 + y / 4 - y / 100 + y / 400) % 7;
}

static void put_number(slm_text *t, int v, int width, char pad)
{
    char text[8];
    int n = 0;
    for (int left = v; n < width || left || !n; left /= 10, n++)
        if (left || n == 0)
            text[7 - n] = (char)('0' + left % 10);
        else
            text[7 - n] = pad;
    slm_text_add(t, text + 8 - n, (size_t)n, SLM_CONTENT);
}

/* One conversion; false for one that is not known. `plain`: without a leading zero (%-d). */
static bool put_time(slm_text *t, char what, bool plain, const when *w)
{
    static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
    static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                                          "November", "December" };
    const int two = plain ? 0 : 2;
    const char *name = what == 'a' || what == 'A' ? days[weekday(w)] : months[w->month - 1];
    switch (what) {
    case 'Y': put_number(t, w->year, plain ? 0 : 4, '0'); return true;
    case 'y': put_number(t, w->year % 100, two, '0'); return true;
    case 'm': put_number(t, w->month, two, '0'); return true;
    case 'd': put_number(t, w->day, two, '0'); return true;
    case 'e': put_number(t, w->day, two, ' '); return true;
    case 'H': put_number(t, w->hour, two, '0'); return true;
    case 'I': put_number(t, (w->hour + 11) % 12 + 1, two, '0'); return true;
    case 'M': put_number(t, w->minute, two, '0'); return true;
    case 'S': put_number(t, w->second, two, '0'); return true;
    case 'j': put_number(t, day_of_year(w), plain ? 0 : 3, '0'); return true;
    case 'p': slm_text_add(t, w->hour < 12 ? "AM" : "PM", 2, SLM_CONTENT); return true;
    case '%': slm_text_add(t, "%", 1, SLM_CONTENT); return true;
    case 'a': case 'b': case 'h': slm_text_add(t, name, 3, SLM_CONTENT); return true;
    case 'A': case 'B': slm_text_add(t, name, strlen(name), SLM_CONTENT); return true;
    default: return false;
    }
}

static slm_status fn_strftime(slm_call *c, slm_value *out)
{
    const slm_value *format = c->arg[0];
    when w;
    slm_status status = want_string(c, format, "strftime_now");
    if (status)
        return status;
    if (!c->now || !read_time(c->now, &w))
        return slm_store_fail(c->store, SLM_E_ARG, "strftime_now: the caller gave no time");
    slm_text t = slm_text_begin(c->store);
    for (size_t i = 0; i < format->n && !t.status; i++) {
        const char *const wholes[] = { "F%Y-%m-%d", "T%H:%M:%S", "D%m/%d/%y", "R%H:%M" };
        const char *whole = NULL;
        if (format->as.text[i] != '%') {
            slm_text_part(&t, format, i, i + 1);
            continue;
        }
        const bool plain = ++i < format->n && format->as.text[i] == '-';
        i += plain;
        const char what = i < format->n ? (char)format->as.text[i] : 0;
        for (size_t k = 0; k < sizeof wholes / sizeof *wholes; k++)
            if (wholes[k][0] == what)
                whole = wholes[k] + 1;
        for (; whole && *whole; whole++) {
            if (*whole == '%')
                (void)put_time(&t, *++whole, false, &w);
            else
                slm_text_add(&t, whole, 1, SLM_CONTENT);
        }
        if (!whole && !put_time(&t, what, plain, &w))
            return slm_store_fail(c->store, SLM_E_UNSUPPORTED, "strftime_now with %%%c is not supported", what > ' ' && what < 127 ? what : '?');
    }
    return slm_text_end(&t, out);
}

static slm_status fn_raise(slm_call *c, slm_value *out)
{
    slm_value text;
    char message[sizeof ((slm_error *)0)->text];
    slm_status status = text_of(c, c->arg[0], &text);
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
    slm_buf items = new_items(c);
    slm_status status = count_of(c, c->arg[c->arg[1] ? 1 : 0], 0, &to);
    if (!status && c->arg[1])
        status = count_of(c, c->arg[0], 0, &from);
    if (!status)
        status = count_of(c, c->arg[2], 1, &by);
    if (!status && !by)
        status = slm_store_fail(c->store, SLM_E_FORMAT, "range with a step of 0");
    while (!status && (by > 0 ? from < to : from > to)) {
        status = add_item(c, &items, slm_int(from));
        if (__builtin_add_overflow(from, by, &from))
            break;
    }
    return end_items(c, &items, status, out);
}

slm_status slm_call_function(slm_store *store, int64_t number, const char *now, const slm_value *args, size_t pos, size_t named, slm_value *out)
{
    static const callee rows[SLM_FUNCTIONS] = {
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
    return number == SLM_FN_RAISE ? fn_raise(&c, out) : number == SLM_FN_STRFTIME ? fn_strftime(&c, out) : fn_range(&c, out);
}
