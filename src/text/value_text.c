/* value_text.c -- values as text: what Python's str() and json.dumps() make of them, to the byte; and values from JSON.
 *
 * Containers are walked with an explicit stack; a value nests at most SLM_LIMIT_VALUE_DEPTH deep. */
#include "text/value.h"

#include "core/json.h"
#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

static void add(slm_text *t, const char *s)
{
    slm_text_add(t, s, strlen(s), SLM_CONTENT);
}

/* ---- numbers ---- */

static void add_int(slm_text *t, int64_t v)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do
        digits[--at] = (char)('0' + left % 10);
    while (left /= 10);
    if (v < 0)
        digits[--at] = '-';
    slm_text_add(t, digits + at, sizeof digits - at, SLM_CONTENT);
}

/* The decimal digits of |v| rounded to n places and its power of ten. What the locale puts between the first two is skipped. */
static int digits_of(double v, int n, char digits[20], int *power)
{
    char shown[64];
    int count = 0;
    (void)snprintf(shown, sizeof shown, "%.*e", n - 1, fabs(v));
    const char *e = strrchr(shown, 'e');
    for (const char *s = shown; count < n; s++)
        if ((unsigned)(*s - '0') < 10)
            digits[count++] = *s;
    *power = 0;
    for (const char *s = e + 2; *s; s++)
        *power = *power * 10 + (*s - '0');
    if (e[1] == '-')
        *power = -*power;
    return count;
}

bool slm_double_of(const void *text, size_t n, double *out)
{
    slm_json json;
    return !slm_json_init(&json, text, n, "number", NULL) && !slm_json_next(&json, NULL) && json.kind == SLM_JSON_NUMBER && json.text_len == n
        && !slm_json_double(&json, out, NULL);
}

/* Does "0.DIGITS x 10^(power+1)" read back as v? */
static bool reads_as(double v, const char *digits, int n, int power)
{
    char text[64];
    double back = 0;
    const int len = snprintf(text, sizeof text, "%.*se%d", n, digits, power - n + 1);
    return slm_double_of(text, (size_t)len, &back) && back == fabs(v);
}

/* The shortest digits that mean this double, in the form of Python's repr. */
static void add_double(slm_text *t, double v)
{
    char digits[20];
    int n = 1, power = 0;
    if (!isfinite(v)) {
        add(t, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    if (signbit(v))
        add(t, "-");
    if (v == 0) {
        add(t, "0.0");
        return;
    }
    for (n = 1; n < 17; n++) {
        (void)digits_of(v, n, digits, &power);
        if (reads_as(v, digits, n, power))
            break;
    }
    n = digits_of(v, n, digits, &power);        /* the last is no 0: without it they would mean the same */
    if (power < -4 || power >= 16) {
        slm_text_add(t, digits, 1, SLM_CONTENT);
        if (n > 1) {
            add(t, ".");
            slm_text_add(t, digits + 1, (size_t)n - 1, SLM_CONTENT);
        }
        add(t, power < 0 ? "e-" : "e+");
        const int size = power < 0 ? -power : power;
        if (size < 10)
            add(t, "0");
        add_int(t, size);
        return;
    }
    if (power < 0) {
        add(t, "0.");
        for (int i = power + 1; i < 0; i++)
            add(t, "0");
        slm_text_add(t, digits, (size_t)n, SLM_CONTENT);
        return;
    }
    for (int i = 0; i <= power || i < n; i++) {
        if (i == power + 1)
            add(t, ".");
        slm_text_add(t, i < n ? &digits[i] : "0", 1, SLM_CONTENT);
    }
    if (n <= power + 1)
        add(t, ".0");
}

/* ---- strings ---- */

static void add_hex(slm_text *t, const char *head, uint32_t v, int digits)
{
    char out[8];
    for (int i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[v >> (4 * (digits - 1 - i)) & 15];
    add(t, head);
    slm_text_add(t, out, (size_t)digits, SLM_CONTENT);
}

static bool printable(uint32_t cp)
{
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS: case UTF8PROC_CATEGORY_CO: case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: return false;
    case UTF8PROC_CATEGORY_ZS: return cp == ' ';
    default: return true;
    }
}

/* The escape of a code point, if it needs one. */
static bool add_escape(slm_text *t, uint32_t cp, const char *from, const char *to)
{
    const char *found = cp && cp < 128 ? strchr(from, (int)cp) : NULL;
    if (!found)
        return false;
    const char pair[2] = { '\\', to[found - from] };
    slm_text_add(t, pair, 2, SLM_CONTENT);
    return true;
}

static void add_python_string(slm_text *t, const slm_value *s)
{
    const bool has_single = s->n && memchr(s->as.text, '\'', s->n), has_double = s->n && memchr(s->as.text, '"', s->n);
    const char quote[2] = { has_single && !has_double ? '"' : '\'', 0 };
    const char from[] = { '\\', '\n', '\r', '\t', quote[0], 0 }, to[] = { '\\', 'n', 'r', 't', quote[0], 0 };
    add(t, quote);
    for (size_t i = 0; i < s->n && !t->status;) {
        uint32_t cp;
        bool ok;
        const size_t len = slm_utf8_next(s->as.text + i, s->n - i, &cp, &ok);
        if (!add_escape(t, cp, from, to)) {
            if (cp < 128 ? cp >= 32 && cp < 127 : printable(cp))
                slm_text_part(t, s, i, i + len);
            else if (cp < 256)
                add_hex(t, "\\x", cp, 2);
            else if (cp < 0x10000)
                add_hex(t, "\\u", cp, 4);
            else
                add_hex(t, "\\U", cp, 8);
        }
        i += len;
    }
    add(t, quote);
}

static void add_json_string(slm_text *t, const slm_value *s, bool ascii)
{
    size_t begin = 0;
    add(t, "\"");
    for (size_t i = 0; i < s->n && !t->status;) {
        uint32_t cp;
        bool ok;
        const size_t len = slm_utf8_next(s->as.text + i, s->n - i, &cp, &ok);
        if (cp < 32 || cp == '"' || cp == '\\' || (ascii && cp >= 127)) {
            slm_text_part(t, s, begin, i);
            if (!add_escape(t, cp, "\"\\\n\r\t\b\f", "\"\\nrtbf")) {
                if (cp < 0x10000) {
                    add_hex(t, "\\u", cp, 4);
                } else {
                    add_hex(t, "\\u", 0xd800 + ((cp - 0x10000) >> 10), 4);
                    add_hex(t, "\\u", 0xdc00 + ((cp - 0x10000) & 0x3ff), 4);
                }
            }
            begin = i + len;
        }
        i += len;
    }
    slm_text_part(t, s, begin, s->n);
    add(t, "\"");
}

/* ---- any value ---- */

/* A scalar, or the brackets of an empty container. json NULL: as Python shows it. */
static void add_scalar(slm_text *t, const slm_value *v, const slm_json_form *json)
{
    switch (v->type) {
    case SLM_V_NONE:   add(t, json ? "null" : "None"); return;
    case SLM_V_BOOL:   add(t, json ? (v->as.i ? "true" : "false") : v->as.i ? "True" : "False"); return;
    case SLM_V_INT:    add_int(t, v->as.i); return;
    case SLM_V_BIG:    slm_text_add(t, v->as.text, v->n, SLM_CONTENT); return;
    case SLM_V_FLOAT:  add_double(t, v->as.d); return;
    case SLM_V_LIST:   add(t, v->as.list->tuple && !json ? "()" : "[]"); return;
    case SLM_V_DICT:   add(t, "{}"); return;
    case SLM_V_STRING:
        if (json)
            add_json_string(t, v, json->ascii);
        else
            add_python_string(t, v);
        return;
    case SLM_V_UNDEFINED:
        if (!json) {
            add(t, "Undefined");
            return;
        }
        break;
    default:
        break;
    }
    t->status = slm_store_fail(t->store, json ? SLM_E_FORMAT : SLM_E_UNSUPPORTED, "%s has no text%s", slm_type_name(v), json ? " in JSON" : "");
}

static void new_line(slm_text *t, const slm_json_form *json, size_t depth)
{
    if (!json || json->indent < 0)
        return;
    add(t, "\n");
    for (size_t i = 0; i < depth * (size_t)json->indent && !t->status; i++)
        add(t, " ");
}

static void add_value(slm_text *t, const slm_value *v, const slm_json_form *json)
{
    struct { const slm_value *v; uint32_t at; } stack[SLM_LIMIT_VALUE_DEPTH];
    size_t depth = 0;
    while (!t->status) {
        const uint32_t n = v->type == SLM_V_LIST ? v->as.list->n : v->type == SLM_V_DICT ? v->as.dict->n : 0;
        if (n) {
            add(t, v->type == SLM_V_DICT ? "{" : v->as.list->tuple && !json ? "(" : "[");
            stack[depth].v = v;
            stack[depth++].at = 0;
        } else {
            add_scalar(t, v, json);
        }
        for (; depth; depth--) {                    /* close what is complete */
            const slm_value *in = stack[depth - 1].v;
            if (stack[depth - 1].at < (in->type == SLM_V_DICT ? in->as.dict->n : in->as.list->n))
                break;
            new_line(t, json, depth - 1);
            if (in->type == SLM_V_LIST && in->as.list->tuple && !json)
                add(t, in->as.list->n == 1 ? ",)" : ")");
            else
                add(t, in->type == SLM_V_DICT ? "}" : "]");
        }
        if (!depth)
            return;
        const slm_value *in = stack[depth - 1].v;
        const uint32_t at = stack[depth - 1].at++;
        if (at && json)
            slm_text_put(t, &json->comma);
        else if (at)
            add(t, ", ");
        new_line(t, json, depth);
        if (in->type == SLM_V_DICT) {
            add_scalar(t, &in->as.dict->keys[at], json);
            if (json)
                slm_text_put(t, &json->colon);
            else
                add(t, ": ");
            v = &in->as.dict->values[at];
        } else {
            v = &in->as.list->items[at];
        }
    }
}

slm_status slm_text_show(slm_text *t, const slm_value *v)
{
    if (v->type == SLM_V_STRING)
        slm_text_put(t, v);
    else if (v->type != SLM_V_UNDEFINED)
        add_value(t, v, NULL);
    return t->status;
}

slm_status slm_value_show(slm_store *store, const slm_value *v, slm_value *out)
{
    if (v->type == SLM_V_STRING) {
        *out = *v;
        return SLM_OK;
    }
    slm_text t = slm_text_begin(store);
    (void)slm_text_show(&t, v);
    return slm_text_end(&t, out);
}

slm_status slm_value_to_json(slm_store *store, const slm_value *v, const slm_json_form *form, slm_value *out)
{
    slm_text t = slm_text_begin(store);
    add_value(&t, v, form);
    return slm_text_end(&t, out);
}

/* ---- from JSON ---- */

static slm_status read_number(slm_store *store, const slm_json *json, slm_value *out)
{
    const uint8_t *text = json->base + json->text;
    const size_t n = json->text_len;
    const bool negative = text[0] == '-';
    int64_t v = 0;
    bool fits = true;
    if (memchr(text, '.', n) || memchr(text, 'e', n) || memchr(text, 'E', n)) {
        double d;
        slm_status status = slm_json_double(json, &d, store->err);
        *out = slm_float(d);
        return status;
    }
    for (size_t i = negative; fits && i < n; i++)
        fits = !__builtin_mul_overflow(v, 10, &v) && !__builtin_sub_overflow(v, text[i] - '0', &v);   /* downwards: INT64_MIN fits too */
    if (fits && !negative)
        fits = !__builtin_sub_overflow(0, v, &v);
    *out = fits ? slm_int(v) : (slm_value){ .type = SLM_V_BIG, .n = (uint32_t)n, .as.text = text };
    return SLM_OK;
}

static slm_status read_string(slm_store *store, const slm_json *json, slm_buf *scratch, slm_value *out)
{
    if (json->text_len > SLM_LIMIT_TEXT_BYTES)
        return slm_store_fail(store, SLM_E_LIMIT, "conversation: a string of %zu bytes (allowed %d)", json->text_len, SLM_LIMIT_TEXT_BYTES);
    if (!json->escaped) {
        *out = slm_string(json->base + json->text, json->text_len, SLM_CONTENT);
        return SLM_OK;
    }
    scratch->size = 0;
    slm_status status = slm_json_string(json, scratch, store->err);
    if (status)
        return status;
    uint8_t *copy = slm_store_take(store, scratch->size, 1);
    if (!copy)
        return SLM_E_MEMORY;
    memcpy(copy, scratch->data, scratch->size);         /* an escape is at least one byte */
    *out = slm_string(copy, scratch->size, SLM_CONTENT);
    return SLM_OK;
}

static slm_status push(slm_store *store, slm_buf *values, const slm_value *v)
{
    slm_buf_add(values, v, sizeof *v);
    return values->failed ? slm_store_fail(store, values->failed, "conversation: no memory for its values") : SLM_OK;
}

static slm_status read_value(slm_store *store, slm_json *json, slm_buf *values, slm_buf *scratch, slm_value *out)
{
    size_t starts[SLM_LIMIT_JSON_DEPTH], depth = 0;     /* where in values the items of each open container begin */
    for (;;) {
        slm_value v = slm_none();
        slm_status status = SLM_OK;
        bool done = true;
        switch (json->kind) {
        case SLM_JSON_NULL:   break;
        case SLM_JSON_TRUE:   v = slm_bool(true); break;
        case SLM_JSON_FALSE:  v = slm_bool(false); break;
        case SLM_JSON_NUMBER: status = read_number(store, json, &v); break;
        case SLM_JSON_STRING: case SLM_JSON_KEY: status = read_string(store, json, scratch, &v); break;
        case SLM_JSON_OBJECT: case SLM_JSON_ARRAY:
            if (depth == SLM_LIMIT_JSON_DEPTH)
                return slm_store_fail(store, SLM_E_LIMIT, "conversation: nested more than %d deep", SLM_LIMIT_JSON_DEPTH);
            starts[depth++] = values->size;
            done = false;
            break;
        default: {
            const size_t start = starts[--depth];
            const slm_value *items = values->data ? (const slm_value *)(const void *)(values->data + start) : NULL;
            const size_t n = (values->size - start) / sizeof v;
            status = json->kind == SLM_JSON_ARRAY_END ? slm_list_make(store, items, n, false, &v) : slm_dict_make(store, items, n / 2, false, &v);
            values->size = start;
            break;
        }
        }
        if (!status && done && !depth) {
            *out = v;
            return SLM_OK;
        }
        if (!status && done)
            status = push(store, values, &v);
        if (!status)
            status = slm_json_next(json, store->err);
        if (status)
            return status;
    }
}

slm_status slm_value_from_json(slm_store *store, slm_json *json, slm_value *out)
{
    slm_buf values, scratch;
    slm_buf_init(&values, store->heap, SIZE_MAX / 2);
    slm_buf_init(&scratch, store->heap, SLM_LIMIT_TEXT_BYTES);
    slm_status status = read_value(store, json, &values, &scratch, out);
    slm_buf_free(&values);
    slm_buf_free(&scratch);
    return status;
}
