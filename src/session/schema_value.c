/* schema_value.c -- reads a document's events into the array, and finds members by a table. */
#include "session/schema_value.h"

#include "core/size.h"

typedef struct reader {
    slm_document *doc;
    slm_json json;
    uint32_t open[SLM_LIMIT_JSON_DEPTH], last[SLM_LIMIT_JSON_DEPTH];    /* of each level: the container, its last child */
    size_t depth;
    uint32_t key;               /* text of the key just read, or SLM_NO_ID */
    slm_buf text;
    slm_error *err;
} reader;

static slm_value *value_at(slm_document *doc, uint32_t number)
{
    return (slm_value *)(void *)doc->values.data + number;
}

/* The text of the last event, after `head`, becomes a text of the document. */
static slm_status keep_text(reader *r, const void *head, size_t n_head, uint32_t *number)
{
    slm_document *doc = r->doc;
    const uint32_t none = SLM_NO_ID;
    r->text.size = 0;
    slm_buf_add(&r->text, head, n_head);
    slm_status status = slm_json_string(&r->json, &r->text, r->err);
    if (!status)
        status = slm_texts_add(&doc->texts, r->text.data, r->text.size, r->err);
    *number = (uint32_t)doc->texts.n - 1;
    slm_buf_add(&doc->members, &none, sizeof none);
    return status ? status : slm_buf_status(&doc->members, r->json.name, r->err);
}

static slm_status read_key(reader *r)
{
    bool fresh = true;
    char shown[SLM_SHOWN];
    const uint32_t parent = r->open[r->depth - 1];
    slm_status status = keep_text(r, &parent, SLM_KEY_HEAD, &r->key);
    if (!status)
        status = slm_texts_enter(&r->doc->texts, r->key, &fresh, r->err);
    if (!status && !fresh)
        status = slm_fail_at(r->err, SLM_E_FORMAT, r->json.text, "%s: key '%s' stands 2 times", r->json.name,
                             slm_shown(shown, r->text.data + SLM_KEY_HEAD, r->text.size - SLM_KEY_HEAD));
    return status;
}

static slm_status read_value(reader *r)
{
    slm_document *doc = r->doc;
    const slm_json *json = &r->json;
    const uint32_t number = (uint32_t)(doc->values.size / sizeof(slm_value));
    slm_value v = { .kind = json->kind, .parent = SLM_NO_ID, .child = SLM_NO_ID, .next = SLM_NO_ID, .key = r->key, .string = SLM_NO_ID,
                    .begin = (uint32_t)(json->pos - 1), .end = (uint32_t)json->pos };
    slm_status status = SLM_OK;
    if (json->kind == SLM_JSON_STRING) {
        v.begin = (uint32_t)json->text - 1;
        status = keep_text(r, "", 0, &v.string);
    } else if (json->kind == SLM_JSON_NUMBER) {
        v.begin = (uint32_t)json->text;
        v.end = (uint32_t)(json->text + json->text_len);
        status = slm_json_double(json, &v.number, r->err);
    } else if (json->kind == SLM_JSON_TRUE || json->kind == SLM_JSON_FALSE || json->kind == SLM_JSON_NULL) {
        v.begin = (uint32_t)json->pos - (json->kind == SLM_JSON_FALSE ? 5 : 4);
    }
    if (status)
        return status;
    const size_t level = r->depth - (json->kind == SLM_JSON_OBJECT || json->kind == SLM_JSON_ARRAY);
    if (level) {
        v.parent = r->open[level - 1];
        if (r->last[level - 1] == SLM_NO_ID)
            value_at(doc, v.parent)->child = number;
        else
            value_at(doc, r->last[level - 1])->next = number;
        r->last[level - 1] = number;
        value_at(doc, v.parent)->n++;
    }
    if (r->key != SLM_NO_ID)
        memcpy(doc->members.data + (size_t)r->key * sizeof number, &number, sizeof number);
    r->key = SLM_NO_ID;
    if (level < r->depth) {
        r->open[level] = number;
        r->last[level] = SLM_NO_ID;
    }
    slm_buf_add(&doc->values, &v, sizeof v);
    return slm_buf_status(&doc->values, json->name, r->err);
}

static slm_status read_all(reader *r)
{
    for (;;) {
        slm_status status = slm_json_next(&r->json, r->err);
        if (status || r->json.kind == SLM_JSON_END)
            return status;
        if (r->json.kind == SLM_JSON_OBJECT_END || r->json.kind == SLM_JSON_ARRAY_END) {
            value_at(r->doc, r->open[--r->depth])->end = (uint32_t)r->json.pos;
            continue;
        }
        r->depth += r->json.kind == SLM_JSON_OBJECT || r->json.kind == SLM_JSON_ARRAY;
        status = r->json.kind == SLM_JSON_KEY ? read_key(r) : read_value(r);
        if (status)
            return status;
    }
}

slm_status slm_document_init(slm_document *doc, slm_heap *heap, const void *bytes, size_t n, const char *name, slm_error *err)
{
    reader r = { .doc = doc, .key = SLM_NO_ID, .err = err };
    *doc = (slm_document){ .heap = heap, .bytes = bytes };
    if (n > SLM_LIMIT_GRAMMAR_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "%s: %zu bytes (allowed %d)", name, n, SLM_LIMIT_GRAMMAR_BYTES);
    slm_buf_init(&doc->values, heap, SIZE_MAX / 2);
    slm_buf_init(&doc->members, heap, SIZE_MAX / 2);
    slm_buf_init(&doc->key, heap, SIZE_MAX / 2);
    slm_buf_init(&r.text, heap, SIZE_MAX / 2);
    slm_status status = slm_texts_init(&doc->texts, heap, 32, n + 64, err);
    (void)slm_buf_grow(&doc->key, n + 64);      /* all that is ever looked for fits: no look-up can fail */
    if (!status)
        status = slm_buf_status(&doc->key, name, err);
    if (!status)
        status = slm_json_init(&r.json, bytes, n, name, err);
    if (!status)
        status = read_all(&r);
    slm_buf_free(&r.text);
    if (status)
        slm_document_free(doc);
    return status;
}

void slm_document_free(slm_document *doc)
{
    if (!doc->heap || !doc->values.heap)
        return;
    slm_buf_free(&doc->values);
    slm_buf_free(&doc->members);
    slm_buf_free(&doc->key);
    slm_texts_free(&doc->texts);
    *doc = (slm_document){ .heap = NULL };
}

uint32_t slm_value_member(slm_document *doc, uint32_t object, const void *key, size_t n)
{
    uint32_t found = SLM_NO_ID, number = SLM_NO_ID;
    doc->key.size = 0;
    slm_buf_add(&doc->key, &object, SLM_KEY_HEAD);
    slm_buf_add(&doc->key, key, n);
    if (!doc->key.failed)
        found = slm_texts_find(&doc->texts, doc->key.data, doc->key.size);
    if (found != SLM_NO_ID)
        memcpy(&number, doc->members.data + (size_t)found * sizeof number, sizeof number);
    return number;
}

const uint8_t *slm_value_string(const slm_document *doc, uint32_t number, size_t *n)
{
    return slm_texts_at(&doc->texts, slm_value_at(doc, number)->string, n);
}

const uint8_t *slm_value_key(const slm_document *doc, uint32_t number, size_t *n)
{
    const uint8_t *text = slm_texts_at(&doc->texts, slm_value_at(doc, number)->key, n);
    *n -= SLM_KEY_HEAD;
    return text + SLM_KEY_HEAD;
}

/* Written from the right: the last step is the one that matters most. */
const char *slm_value_place(const slm_document *doc, uint32_t number, char *out, size_t room)
{
    char step[SLM_SHOWN];
    size_t at = room;
    out[--at] = 0;
    for (uint32_t v = number; slm_value_at(doc, v)->parent != SLM_NO_ID; v = slm_value_at(doc, v)->parent) {
        const slm_value *value = slm_value_at(doc, v);
        size_t n;
        if (value->key != SLM_NO_ID) {
            const uint8_t *key = slm_value_key(doc, v, &n);
            (void)slm_shown(step, key, n);
        } else {
            uint32_t index = 0;
            for (uint32_t k = slm_value_at(doc, value->parent)->child; k != v; k = slm_value_at(doc, k)->next)
                index++;
            char *digit = step + 12;
            *digit = 0;
            do
                *--digit = (char)('0' + index % 10);
            while (index /= 10);
            memmove(step, digit, strlen(digit) + 1);
        }
        n = strlen(step);
        if (n + 6 > at) {
            memcpy(out + at - 3, "...", 3);
            return out + at - 3;
        }
        at -= n;
        memcpy(out + at, step, n);
        out[--at] = '/';
    }
    out[--at] = '#';
    return out + at;
}

/* ---- references ---- */

static slm_status wrong_ref(slm_document *doc, slm_status status, uint32_t at, const char *text, slm_error *err)
{
    char place[160];
    return slm_fail_at(err, status, slm_value_at(doc, at)->begin, "schema: %s: $ref: %s", slm_value_place(doc, at, place, sizeof place), text);
}

slm_status slm_value_resolve(slm_document *doc, uint32_t at, uint32_t *target, slm_error *err)
{
    size_t n, i = 1;
    uint8_t step[512];
    if (slm_value_at(doc, at)->kind != SLM_JSON_STRING)
        return wrong_ref(doc, SLM_E_FORMAT, at, "no string", err);
    const uint8_t *text = slm_value_string(doc, at, &n);
    if (!n || text[0] != '#' || (n > 1 && text[1] != '/'))
        return wrong_ref(doc, SLM_E_UNSUPPORTED, at, "not within this document (known: # and #/...)", err);
    *target = 0;
    while (i < n && *target != SLM_NO_ID) {
        size_t length = 0;
        for (i++; i < n && text[i] != '/'; i++) {
            if (length == sizeof step)
                return wrong_ref(doc, SLM_E_LIMIT, at, "a step of more than 512 bytes", err);
            const bool tilde = text[i] == '~' && i + 1 < n && (text[i + 1] == '0' || text[i + 1] == '1');
            step[length++] = tilde ? (text[++i] == '0' ? '~' : '/') : text[i];
        }
        if (slm_value_at(doc, *target)->kind == SLM_JSON_ARRAY) {
            uint32_t index = 0, k = slm_value_at(doc, *target)->child;
            for (size_t d = 0; d < length && index < 1000000; d++)
                index = step[d] >= '0' && step[d] <= '9' ? index * 10 + step[d] - '0' : 1000000;
            while (k != SLM_NO_ID && index--)
                k = slm_value_at(doc, k)->next;
            *target = k;
        } else {
            *target = slm_value_member(doc, *target, step, length);
        }
    }
    return *target == SLM_NO_ID ? wrong_ref(doc, SLM_E_NOT_FOUND, at, "names 0 values of this document", err) : SLM_OK;
}
