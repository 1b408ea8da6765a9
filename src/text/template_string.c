/* template_string.c -- the filters and methods of strings. */
#include "text/template_call.h"

#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

static slm_status string_strip(slm_call *c, const slm_value *self, int sides, slm_value *out)
{
    const slm_value *set = c->arg[0] && c->arg[0]->type != SLM_V_NONE ? c->arg[0] : NULL;
    slm_status status = set ? slm_call_want_string(c, set, "strip by a set") : SLM_OK;
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
    slm_status status = slm_call_text(c, self, &text);
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
        slm_status status = slm_call_want_string(c, &parts[i], end ? "endswith" : "startswith");
        if (status || (status = slm_store_spend(c->store, parts[i].n)))
            return status;
        found = parts[i].n <= self->n && memcmp(self->as.text + (end ? self->n - parts[i].n : 0), parts[i].as.text, parts[i].n) == 0;
    }
    return slm_call_yes(out, found);
}

static slm_status m_startswith(slm_call *c, const slm_value *self, slm_value *out) { return has_end(c, self, false, out); }
static slm_status m_endswith(slm_call *c, const slm_value *self, slm_value *out)   { return has_end(c, self, true, out); }

static slm_status remove_end(slm_call *c, const slm_value *self, bool end, slm_value *out)
{
    slm_value has;
    slm_status status = slm_call_want_string(c, c->arg[0], "removing an end");
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

static slm_status m_replace(slm_call *c, const slm_value *self, slm_value *out)
{
    int64_t most;
    slm_status status = slm_call_count(c, c->arg[2], -1, &most);
    if (status || (status = slm_call_want_string(c, c->arg[0], "replace")) || (status = slm_call_want_string(c, c->arg[1], "replace")))
        return status;
    return replace(c, self, c->arg[0], c->arg[1], most, out);
}

static slm_status f_replace(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value text, from, to;
    int64_t most;
    slm_status status = slm_call_count(c, c->arg[2], -1, &most);
    if (status || (status = slm_call_text(c, self, &text)) || (status = slm_call_text(c, c->arg[0], &from))
        || (status = slm_call_text(c, c->arg[1], &to)))
        return status;
    return replace(c, &text, &from, &to, most, out);
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
            status = slm_items_add(c, items, slm_string_part(self, at, self->n));
            break;
        }
        const size_t from = at;
        while (at < self->n && ((n = space_at(self, at, &is)), !is))
            at += n;
        status = slm_items_add(c, items, slm_string_part(self, from, at));
    }
    return status;
}

static slm_status m_split(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *by = c->arg[0];
    int64_t most;
    slm_buf items = slm_items_new(c);
    slm_status status = slm_call_count(c, c->arg[1], -1, &most);
    if (!status)
        status = slm_store_spend(c->store, self->n);
    if (!status && (!by || by->type == SLM_V_NONE)) {
        status = split_words(c, self, most, &items);
    } else if (!status && !(status = slm_call_want_string(c, by, "split"))) {
        size_t at = 0, found;
        if (!by->n)
            status = slm_store_fail(c->store, SLM_E_FORMAT, "split by an empty string");
        while (!status && most-- != 0 && (found = slm_string_find(self, at, by)) != SIZE_MAX) {
            status = slm_items_add(c, &items, slm_string_part(self, at, found));
            at = found + by->n;
        }
        if (!status)
            status = slm_items_add(c, &items, slm_string_part(self, at, self->n));
    }
    return slm_items_end(c, &items, status, out);
}

static slm_status m_rsplit(slm_call *c, const slm_value *self, slm_value *out)
{
    const slm_value *by = c->arg[0];
    int64_t most;
    slm_status status = slm_call_count(c, c->arg[1], -1, &most);
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
    slm_buf items = slm_items_new(c);
    slm_status status = slm_store_spend(c->store, self->n);
    const uint8_t *s = self->as.text;
    for (size_t at = 0; !status && at < self->n;) {
        size_t end = at;
        while (end < self->n && s[end] != '\n' && s[end] != '\r')
            end++;
        status = slm_items_add(c, &items, slm_string_part(self, at, end));
        at = end + (end + 1 < self->n && s[end] == '\r' && s[end + 1] == '\n' ? 2 : 1);
    }
    return slm_items_end(c, &items, status, out);
}

static slm_status m_find(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_status status = slm_call_want_string(c, c->arg[0], "find");
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
    slm_status status = slm_call_want_string(c, c->arg[0], "count");
    if (!status && !(status = slm_store_spend(c->store, self->n))) {
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
slm_status slm_string_case(slm_call *c, const slm_value *self, int how, slm_value *out)
{
    slm_text t = slm_text_begin(c->store);
    bool first = true;
    for (size_t i = 0; i < self->n && !t.status;) {
        uint32_t cp;
        bool ok;
        uint8_t bytes[4];
        const size_t n = slm_utf8_next(self->as.text + i, self->n - i, &cp, &ok);
        const bool upper = how == SLM_UPPER || (first && how != SLM_LOWER);
        const utf8proc_int32_t to = upper ? utf8proc_toupper((utf8proc_int32_t)cp) : utf8proc_tolower((utf8proc_int32_t)cp);
        size_t len = (size_t)utf8proc_encode_char(to, bytes);
        if (upper && cp == 0xdf) {
            bytes[0] = 'S';
            bytes[1] = how == SLM_UPPER || how == SLM_WORDS ? 'S' : 's';     /* the filter title makes each first letter upper case, the others title case */
            len = 2;
        }
        slm_text_add(&t, bytes, len, self->kinds ? self->kinds[i] : self->kind);
        first = how == SLM_TITLE ? utf8proc_category((utf8proc_int32_t)cp) > UTF8PROC_CATEGORY_LO
                             : how == SLM_WORDS && (slm_is_space(cp) || (cp < 128 && cp && strchr("-({[<", (int)cp)));
        i += n;
    }
    return slm_text_end(&t, out);
}

static slm_status cased(slm_call *c, const slm_value *self, int how, slm_value *out)
{
    slm_value text;
    slm_status status = slm_call_text(c, self, &text);
    return status ? status : slm_string_case(c, &text, how, out);
}

static slm_status f_lower(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, SLM_LOWER, out); }
static slm_status f_upper(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, SLM_UPPER, out); }
static slm_status f_title(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, SLM_WORDS, out); }
static slm_status m_title(slm_call *c, const slm_value *self, slm_value *out)      { return cased(c, self, SLM_TITLE, out); }
static slm_status f_capitalize(slm_call *c, const slm_value *self, slm_value *out) { return cased(c, self, SLM_CAPITAL, out); }

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
    (void)slm_call_yes(out, all);
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

slm_status slm_string_join(slm_call *c, const slm_value *between, const slm_value *list, bool strings, slm_value *out)
{
    const slm_value *items;
    size_t n;
    slm_status status = slm_value_items(c->store, list, &items, &n);
    if (status)
        return status;
    slm_text t = slm_text_begin(c->store);
    for (size_t i = 0; i < n && !t.status; i++) {
        if (strings && items[i].type != SLM_V_STRING)
            return slm_call_wrong(c, "join", &items[i]);
        if (i)
            slm_text_put(&t, between);
        (void)slm_text_show(&t, &items[i]);
    }
    return slm_text_end(&t, out);
}

static slm_status m_join(slm_call *c, const slm_value *self, slm_value *out)
{
    return slm_string_join(c, self, c->arg[0], true, out);
}

static slm_status f_indent(slm_call *c, const slm_value *self, slm_value *out)
{
    slm_value text;
    const slm_value *width = c->arg[0];
    const bool first = c->arg[1] && slm_value_true(c->arg[1]), blank = c->arg[2] && slm_value_true(c->arg[2]);
    slm_status status = slm_call_text(c, self, &text);
    if (status)
        return status;
    if (width && !slm_is_int(width) && width->type != SLM_V_STRING)
        return slm_call_wrong(c, "indent", width);
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

/* ---- the tables ---- */

const slm_callee_row slm_string_filters[] = {
    { "lower", { 0 }, f_lower, 0, 0, 0 }, { "upper", { 0 }, f_upper, 0, 0, 0 }, { "title", { 0 }, f_title, 0, 0, 0 },
    { "capitalize", { 0 }, f_capitalize, 0, 0, 0 }, { "trim", { "chars" }, f_trim, 0, 0, 0 },
    { "replace", { "old", "new", "count" }, f_replace, 2, 0, 0 }, { "indent", { "width", "first", "blank" }, f_indent, 0, 0, 0 },
    { 0 },
};

const slm_callee_row slm_string_methods[] = {
    { "strip", { "chars" }, m_strip, 0, SLM_V_STRING, 0 }, { "lstrip", { "chars" }, m_lstrip, 0, SLM_V_STRING, 0 },
    { "rstrip", { "chars" }, m_rstrip, 0, SLM_V_STRING, 0 }, { "split", { "sep", "maxsplit" }, m_split, 0, SLM_V_STRING, 0 },
    { "rsplit", { "sep", "maxsplit" }, m_rsplit, 0, SLM_V_STRING, 0 }, { "splitlines", { 0 }, m_splitlines, 0, SLM_V_STRING, 0 },
    { "startswith", { "prefix" }, m_startswith, 1, SLM_V_STRING, 0 }, { "endswith", { "suffix" }, m_endswith, 1, SLM_V_STRING, 0 },
    { "removeprefix", { "prefix" }, m_removeprefix, 1, SLM_V_STRING, 0 },
    { "removesuffix", { "suffix" }, m_removesuffix, 1, SLM_V_STRING, 0 },
    { "replace", { "old", "new", "count" }, m_replace, 2, SLM_V_STRING, 0 }, { "join", { "iterable" }, m_join, 1, SLM_V_STRING, 0 },
    { "find", { "sub" }, m_find, 1, SLM_V_STRING, 0 }, { "count", { "sub" }, m_count, 1, SLM_V_STRING, 0 },
    { "lower", { 0 }, f_lower, 0, SLM_V_STRING, 0 }, { "upper", { 0 }, f_upper, 0, SLM_V_STRING, 0 },
    { "title", { 0 }, m_title, 0, SLM_V_STRING, 0 }, { "capitalize", { 0 }, f_capitalize, 0, SLM_V_STRING, 0 },
    { "isdigit", { 0 }, m_isdigit, 0, SLM_V_STRING, 0 }, { "isalpha", { 0 }, m_isalpha, 0, SLM_V_STRING, 0 },
    { "isalnum", { 0 }, m_isalnum, 0, SLM_V_STRING, 0 }, { "isspace", { 0 }, m_isspace, 0, SLM_V_STRING, 0 },
    { 0 },
};
