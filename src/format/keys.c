/* keys.c -- metadata: an ordered list of named, typed values. Name and value of a key lie together in a pool. */
#include "format/keys.h"

#include "core/size.h"

#include <inttypes.h>
#include <string.h>

static const struct { const char *name; uint8_t bytes; } types[SLM_KEY_TYPES] = {
    { "u8", 1 }, { "i8", 1 }, { "u16", 2 }, { "i16", 2 }, { "u32", 4 }, { "i32", 4 }, { "f32", 4 }, { "bool", 1 }, { "string", 0 },
    { "array", 0 }, { "u64", 8 }, { "i64", 8 }, { "f64", 8 },
};

const char *slm_key_type_name(uint32_t type)
{
    return type < SLM_KEY_TYPES ? types[type].name : "?";
}

size_t slm_key_type_bytes(uint32_t type)
{
    return type < SLM_KEY_TYPES ? types[type].bytes : 0;
}

void slm_keys_init(slm_keys *keys, slm_heap *heap, const char *file)
{
    *keys = (slm_keys){ .heap = heap, .file = file };
    slm_pool_init(&keys->pool, heap);
}

void slm_keys_free(slm_keys *keys)
{
    slm_pool_free(&keys->pool);
    slm_heap_free(keys->heap, keys->list);
    keys->list = NULL;
    keys->n = keys->room = 0;
}

static slm_key *find(const slm_keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->list[i].name, name) == 0)
            return &keys->list[i];
    return NULL;
}

const slm_key *slm_keys_find(const slm_keys *keys, const char *name)
{
    return find(keys, name);
}

/* One block with the name and the value; NULL if refused. */
static char *make_block(slm_keys *keys, const char *name, size_t name_len, const void *value, size_t bytes)
{
    size_t size;
    char *block = slm_size_add(name_len + 1, bytes, &size) ? slm_pool_take(&keys->pool, size) : NULL;
    if (!block)
        return NULL;
    memcpy(block, name, name_len);
    block[name_len] = 0;
    if (bytes)
        memcpy(block + name_len + 1, value, bytes);
    return block;
}

slm_status slm_keys_reserve(slm_keys *keys, size_t n, slm_error *err)
{
    if (n <= keys->room)
        return SLM_OK;
    slm_key *list = slm_heap_array(keys->heap, n, sizeof *list);
    if (!list)
        return slm_fail(err, SLM_E_MEMORY, "%s: list of %zu keys", keys->file, n);
    if (keys->n)
        memcpy(list, keys->list, keys->n * sizeof *list);
    slm_heap_free(keys->heap, keys->list);
    keys->list = list;
    keys->room = n;
    return SLM_OK;
}

slm_status slm_keys_append(slm_keys *keys, const char *name, size_t name_len, uint32_t type, bool array, uint64_t count,
                           const void *value, size_t bytes, slm_error *err)
{
    if (keys->n == keys->room) {
        const slm_status status = slm_keys_reserve(keys, keys->room ? keys->room * 2 : 32, err);
        if (status)
            return status;
    }
    char *block = make_block(keys, name, name_len, value, bytes);
    if (!block)
        return slm_fail(err, SLM_E_MEMORY, "%s: key of %zu bytes", keys->file, bytes);
    keys->list[keys->n++] = (slm_key){ block, type, array, count, (const uint8_t *)block + name_len + 1, bytes };
    return SLM_OK;
}

slm_status slm_keys_add(slm_keys *keys, const char *name, uint32_t type, bool array, uint64_t count, const void *value, size_t bytes,
                        slm_error *err)
{
    const size_t name_len = strlen(name);
    slm_key *old = find(keys, name);
    if (!old)
        return slm_keys_append(keys, name, name_len, type, array, count, value, bytes, err);
    char *block = make_block(keys, name, name_len, value, bytes);
    if (!block)
        return slm_fail(err, SLM_E_MEMORY, "%s: key '%s' of %zu bytes", keys->file, name, bytes);
    *old = (slm_key){ block, type, array, count, (const uint8_t *)block + name_len + 1, bytes };
    return SLM_OK;
}

void slm_keys_remove(slm_keys *keys, const char *prefix)
{
    const size_t n = strlen(prefix);
    size_t kept = 0;
    for (size_t i = 0; i < keys->n; i++)
        if (strncmp(keys->list[i].name, prefix, n) != 0)
            keys->list[kept++] = keys->list[i];
    keys->n = kept;
}

static slm_status add_u32_as(slm_keys *keys, const char *name, uint32_t type, uint32_t bits, slm_error *err)
{
    const uint8_t bytes[4] = { (uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24) };
    return slm_keys_add(keys, name, type, false, 1, bytes, slm_key_type_bytes(type), err);
}

slm_status slm_keys_add_u32(slm_keys *keys, const char *name, uint32_t value, slm_error *err)
{
    return add_u32_as(keys, name, SLM_KEY_U32, value, err);
}

slm_status slm_keys_add_f32(slm_keys *keys, const char *name, float value, slm_error *err)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return add_u32_as(keys, name, SLM_KEY_F32, bits, err);
}

slm_status slm_keys_add_bool(slm_keys *keys, const char *name, bool value, slm_error *err)
{
    return add_u32_as(keys, name, SLM_KEY_BOOL, value, err);
}

slm_status slm_keys_add_str(slm_keys *keys, const char *name, const char *text, slm_error *err)
{
    return slm_keys_add(keys, name, SLM_KEY_STRING, false, 1, text, strlen(text), err);
}

static bool is_integer(uint32_t type)
{
    return type != SLM_KEY_F32 && type != SLM_KEY_F64 && type != SLM_KEY_BOOL && type != SLM_KEY_STRING && type != SLM_KEY_ARRAY &&
           type < SLM_KEY_TYPES;
}

static bool is_signed(uint32_t type)
{
    return type == SLM_KEY_I8 || type == SLM_KEY_I16 || type == SLM_KEY_I32 || type == SLM_KEY_I64;
}

int64_t slm_key_int_at(const slm_key *key, uint64_t i)
{
    const size_t bytes = slm_key_type_bytes(key->type);
    const uint64_t v = slm_le(key->value + i * bytes, (int)bytes);
    if (is_signed(key->type) && bytes < 8 && v >> (8 * bytes - 1))
        return (int64_t)(v | UINT64_MAX << (8 * bytes));
    return !is_signed(key->type) && v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

double slm_key_number_at(const slm_key *key, uint64_t i)
{
    if (key->type == SLM_KEY_F32) {
        const uint32_t bits = (uint32_t)slm_le(key->value + 4 * i, 4);
        float v;
        memcpy(&v, &bits, sizeof v);
        return (double)v;
    }
    if (key->type == SLM_KEY_F64) {
        const uint64_t bits = slm_le(key->value + 8 * i, 8);
        double v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    return (double)slm_key_int_at(key, i);
}

static slm_status wrong_type(const slm_keys *keys, const slm_key *key, const char *wanted, slm_error *err)
{
    return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %s%s (type %u), wanted %s", keys->file, key->name, key->array ? "an array of " : "",
                    slm_key_type_name(key->type), key->type, wanted);
}

slm_status slm_keys_u64(const slm_keys *keys, const char *name, uint64_t *value, bool *found, slm_error *err)
{
    const slm_key *key = find(keys, name);
    *found = key != NULL;
    if (!key)
        return SLM_OK;
    if (key->array || !is_integer(key->type))
        return wrong_type(keys, key, "an integer", err);
    if (is_signed(key->type) && slm_key_int_at(key, 0) < 0)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %" PRId64 ", wanted 0 or more", keys->file, name, slm_key_int_at(key, 0));
    *value = slm_le(key->value, (int)slm_key_type_bytes(key->type));
    return SLM_OK;
}

slm_status slm_keys_f64(const slm_keys *keys, const char *name, double *value, bool *found, slm_error *err)
{
    const slm_key *key = find(keys, name);
    *found = key != NULL;
    if (!key)
        return SLM_OK;
    if (key->array || !(is_integer(key->type) || key->type == SLM_KEY_F32 || key->type == SLM_KEY_F64))
        return wrong_type(keys, key, "a number", err);
    *value = slm_key_number_at(key, 0);
    return SLM_OK;
}

slm_status slm_keys_bool(const slm_keys *keys, const char *name, bool *value, bool *found, slm_error *err)
{
    const slm_key *key = find(keys, name);
    *found = key != NULL;
    if (!key)
        return SLM_OK;
    if (key->array || key->type != SLM_KEY_BOOL)
        return wrong_type(keys, key, "bool", err);
    *value = key->value[0] != 0;
    return SLM_OK;
}

slm_status slm_keys_str(const slm_keys *keys, const char *name, const char **text, size_t *n, bool *found, slm_error *err)
{
    const slm_key *key = find(keys, name);
    *found = key != NULL;
    if (!key)
        return SLM_OK;
    if (key->array || key->type != SLM_KEY_STRING)
        return wrong_type(keys, key, "string", err);
    *text = (const char *)key->value;
    *n = key->bytes;
    return SLM_OK;
}

slm_status slm_keys_array(const slm_keys *keys, const char *name, uint32_t type, const slm_key **key, slm_error *err)
{
    *key = find(keys, name);
    if (*key && (!(*key)->array || (type == SLM_KEY_TYPES ? !is_integer((*key)->type) : (*key)->type != type)))
        return wrong_type(keys, *key, type == SLM_KEY_TYPES ? "an array of integers" : type == SLM_KEY_STRING ? "an array of string" :
                          "an array of another type", err);
    return SLM_OK;
}
