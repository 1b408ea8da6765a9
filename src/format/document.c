/* document.c -- a small JSON file as values that are found by a path of names.
 *
 * The pull reader runs once over the text and leaves a flat list of values; nothing is copied. A name is looked for by walking the list
 * from value to value: configs have some dozens. */
#include "format/document.h"

#include "core/size.h"

#include <inttypes.h>
#include <string.h>

char *slm_path_join(slm_heap *heap, const char *folder, const char *file, size_t file_len)
{
    const size_t len = strlen(folder);
    size_t all;
    char *path = slm_size_add(len + 2, file_len, &all) ? slm_heap_alloc(heap, all) : NULL;
    if (!path)
        return NULL;
    memcpy(path, folder, len);
    path[len] = '/';
    memcpy(path + len + 1, file, file_len);
    path[len + 1 + file_len] = 0;
    return path;
}

slm_status slm_read_beside(uint8_t **bytes, size_t *n, char **path, slm_heap *heap, const char *folder, const char *file, size_t most,
                           slm_error *err)
{
    slm_source source = { .fd = -1 };
    slm_error own = { 0 };
    uint8_t *text = NULL;
    char *name = slm_path_join(heap, folder, file, strlen(file));
    *bytes = NULL;
    *path = NULL;
    *n = 0;
    slm_status status = name ? slm_source_open(&source, name, &own) : slm_fail(&own, SLM_E_MEMORY, "%s: path of %s", folder, file);
    if (status == SLM_E_NOT_FOUND) {
        slm_heap_free(heap, name);
        return SLM_OK;
    }
    if (!status && source.size > most)
        status = slm_fail(&own, SLM_E_LIMIT, "%s: %" PRIu64 " bytes (allowed %zu)", name, source.size, most);
    if (!status && !(text = slm_heap_alloc(heap, (size_t)source.size)))
        status = slm_fail(&own, SLM_E_MEMORY, "%s: %" PRIu64 " bytes", name, source.size);
    if (!status)
        status = slm_source_read(&source, 0, text, (size_t)source.size, &own);
    if (!status) {
        *bytes = text;
        *n = (size_t)source.size;
        *path = name;
    } else {
        slm_heap_free(heap, text);
        slm_heap_free(heap, name);
        if (err)
            *err = own;
    }
    slm_source_close(&source);
    return status;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static slm_status add_value(slm_document *doc, size_t *room, uint32_t parent, const slm_json *key, const slm_json *json, slm_error *err)
{
    if (doc->n == *room) {
        const size_t wanted = slm_min(*room ? *room * 2 : 64, SLM_LIMIT_CONFIG_VALUES);
        if (wanted == *room)
            return slm_fail_at(err, SLM_E_LIMIT, json->pos, "%s: more than %d values", doc->name, SLM_LIMIT_CONFIG_VALUES);
        slm_value_at *values = slm_heap_array(doc->heap, wanted, sizeof *values);
        if (!values)
            return slm_fail(err, SLM_E_MEMORY, "%s: %zu values", doc->name, wanted);
        if (doc->n)
            memcpy(values, doc->values, doc->n * sizeof *values);
        slm_heap_free(doc->heap, doc->values);
        doc->values = values;
        *room = wanted;
    }
    doc->values[doc->n] = (slm_value_at){ .parent = parent, .next = (uint32_t)doc->n + 1, .kind = (uint8_t)json->kind };
    slm_value_at *v = &doc->values[doc->n++];
    if (key) {
        v->name = (uint32_t)key->text;
        v->name_len = (uint32_t)key->text_len;
    }
    if (json->kind == SLM_JSON_NUMBER || json->kind == SLM_JSON_STRING) {
        v->text = (uint32_t)json->text;
        v->text_len = (uint32_t)json->text_len;
        v->escaped = json->kind == SLM_JSON_STRING && json->escaped;
    }
    return SLM_OK;
}

/* Names are compared as they are written: two spellings of one name by escapes are two names that nobody asks for. */
static slm_status check_names(const slm_document *doc, uint32_t object, slm_error *err)
{
    const slm_value_at *v = doc->values;
    for (uint32_t a = object + 1; a < v[object].next; a = v[a].next)
        for (uint32_t b = object + 1; b < a; b = v[b].next)
            if (v[a].name_len == v[b].name_len && memcmp(doc->text + v[a].name, doc->text + v[b].name, v[a].name_len) == 0) {
                char shown[SLM_SHOWN];
                return slm_fail_at(err, SLM_E_FORMAT, v[a].name, "%s: '%s': stands twice, at byte %u and again", doc->name,
                                   slm_shown(shown, doc->text + v[a].name, v[a].name_len), v[b].name);
            }
    return SLM_OK;
}

/* An object of more names than configs have would make the check above quadratic in its size. */
enum { MOST_NAMES = 2048 };

static slm_status parse(slm_document *doc, slm_error *err)
{
    slm_json json, key;
    size_t room = 0, names = 0;
    uint32_t open = UINT32_MAX;
    bool has_key = false;
    slm_status status = slm_json_init(&json, doc->text, doc->size, doc->name, err);
    while (!status && (status = slm_json_next(&json, err)) == SLM_OK && json.kind != SLM_JSON_END) {
        if (json.kind == SLM_JSON_KEY) {
            key = json;
            has_key = true;
            if (++names > MOST_NAMES)
                return slm_fail_at(err, SLM_E_LIMIT, json.text, "%s: more than %d names", doc->name, MOST_NAMES);
            continue;
        }
        if (json.kind == SLM_JSON_OBJECT_END || json.kind == SLM_JSON_ARRAY_END) {
            doc->values[open].next = (uint32_t)doc->n;
            if (json.kind == SLM_JSON_OBJECT_END)
                status = check_names(doc, open, err);
            open = doc->values[open].parent;
            continue;
        }
        status = add_value(doc, &room, open, has_key ? &key : NULL, &json, err);
        has_key = false;
        if (!status && (json.kind == SLM_JSON_OBJECT || json.kind == SLM_JSON_ARRAY))
            open = (uint32_t)doc->n - 1;
    }
    if (!status && doc->values[0].kind != SLM_JSON_OBJECT)
        status = slm_fail_at(err, SLM_E_FORMAT, 0, "%s: is no object but JSON of kind %d", doc->name, doc->values[0].kind);
    return status;
}

slm_status slm_document_open(slm_document *doc, slm_heap *heap, const char *folder, const char *file, bool *found, slm_error *err)
{
    *doc = (slm_document){ .heap = heap };
    slm_status status = slm_read_beside(&doc->text, &doc->size, &doc->name, heap, folder, file, SLM_LIMIT_CONFIG_BYTES, err);
    *found = !status && doc->text;
    if (*found && (status = parse(doc, err)) != SLM_OK) {
        slm_document_close(doc);
        *found = false;
    }
    return status;
}

void slm_document_close(slm_document *doc)
{
    slm_heap_free(doc->heap, doc->values);
    slm_heap_free(doc->heap, doc->text);
    slm_heap_free(doc->heap, doc->name);
    *doc = (slm_document){ .heap = doc->heap };
}

/* ---- looking --------------------------------------------------------------------------------------------------------------- */

const slm_value_at *slm_document_find(const slm_document *doc, const slm_value_at *from, const char *path)
{
    const slm_value_at *at = from ? from : doc->values;
    while (at && *path) {
        const size_t n = strcspn(path, ".");
        const slm_value_at *child = NULL;
        if (at->kind != SLM_JSON_OBJECT)
            return NULL;
        for (uint32_t i = (uint32_t)(at - doc->values) + 1; i < at->next && !child; i = doc->values[i].next)
            if (doc->values[i].name_len == n && memcmp(doc->text + doc->values[i].name, path, n) == 0)
                child = &doc->values[i];
        at = child;
        path += n + (path[n] == '.');
    }
    return at && at->kind != SLM_JSON_NULL ? at : NULL;
}

size_t slm_document_count(const slm_document *doc, const slm_value_at *array)
{
    size_t n = 0;
    for (uint32_t i = (uint32_t)(array - doc->values) + 1; i < array->next; i = doc->values[i].next)
        n++;
    return n;
}

const slm_value_at *slm_document_element(const slm_document *doc, const slm_value_at *array, size_t index)
{
    uint32_t i = (uint32_t)(array - doc->values) + 1;
    if (array->kind != SLM_JSON_ARRAY)
        return NULL;
    for (; i < array->next && index; index--)
        i = doc->values[i].next;
    return i < array->next ? &doc->values[i] : NULL;
}

/* The reader as it stood at the value. */
static slm_json reader_at(const slm_document *doc, const slm_value_at *v)
{
    return (slm_json){ .base = doc->text, .size = doc->size, .name = doc->name, .kind = (slm_json_kind)v->kind, .text = v->text,
                       .text_len = v->text_len, .escaped = v->escaped };
}

bool slm_document_is(const slm_document *doc, const slm_value_at *value, const char *text)
{
    if (value->kind != SLM_JSON_STRING)
        return false;
    const slm_json json = reader_at(doc, value);
    return slm_json_is(&json, text);
}

slm_status slm_document_number(const slm_document *doc, const slm_value_at *value, const char *what, double *number, slm_error *err)
{
    if (value->kind != SLM_JSON_NUMBER)
        return slm_fail_at(err, SLM_E_FORMAT, value->text, "%s: '%s': is no number but JSON of kind %d", doc->name, what, value->kind);
    const slm_json json = reader_at(doc, value);
    return slm_json_double(&json, number, err);
}
