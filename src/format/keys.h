/* keys.h -- metadata: an ordered list of named, typed values in GGUF's little-endian encoding. */
#ifndef SLM_FORMAT_KEYS_H
#define SLM_FORMAT_KEYS_H

#include "core/buf.h"
#include "core/cursor.h"
#include "core/pool.h"

#include <stdbool.h>

typedef enum slm_key_type {
    SLM_KEY_U8, SLM_KEY_I8, SLM_KEY_U16, SLM_KEY_I16, SLM_KEY_U32, SLM_KEY_I32, SLM_KEY_F32, SLM_KEY_BOOL, SLM_KEY_STRING,
    SLM_KEY_ARRAY, SLM_KEY_U64, SLM_KEY_I64, SLM_KEY_F64, SLM_KEY_TYPES
} slm_key_type;

typedef struct slm_key {
    const char    *name;     /* terminated, printable ASCII */
    uint32_t       type;     /* slm_key_type; for an array that of its elements */
    bool           array;
    uint64_t       count;    /* elements of an array, else 1 */
    const uint8_t *value;    /* numbers: the bytes; a string: its bytes without length; an array: its elements one after another,
                                strings with their u64 lengths, all checked */
    size_t         bytes;    /* of value */
} slm_key;

typedef struct slm_keys {
    slm_heap *heap;
    slm_key  *list;          /* [n] */
    size_t    n, room;
    slm_pool  pool;          /* names and values; a replaced value stays until the end */
    const char *file;        /* for messages; not owned */
} slm_keys;

/* Adding copies name and value; a key of that name is replaced in place. SLM_E_MEMORY. */
void slm_keys_init(slm_keys *keys, slm_heap *heap, const char *file);
void slm_keys_free(slm_keys *keys);
slm_status slm_keys_add(slm_keys *keys, const char *name, uint32_t type, bool array, uint64_t count, const void *value, size_t bytes,
                        slm_error *err);
slm_status slm_keys_add_u32(slm_keys *keys, const char *name, uint32_t value, slm_error *err);
slm_status slm_keys_add_f32(slm_keys *keys, const char *name, float value, slm_error *err);
slm_status slm_keys_add_bool(slm_keys *keys, const char *name, bool value, slm_error *err);
slm_status slm_keys_add_str(slm_keys *keys, const char *name, const char *text, slm_error *err);

/* Room for n keys at once, where their number is known. SLM_E_MEMORY. */
slm_status slm_keys_reserve(slm_keys *keys, size_t n, slm_error *err);

/* The same at the end without looking for an older one: for readers, which refuse duplicates afterwards. */
slm_status slm_keys_append(slm_keys *keys, const char *name, size_t name_len, uint32_t type, bool array, uint64_t count,
                           const void *value, size_t bytes, slm_error *err);

/* Forgets every key whose name begins with `prefix`. */
void slm_keys_remove(slm_keys *keys, const char *prefix);

/* NULL if there is none. */
const slm_key *slm_keys_find(const slm_keys *keys, const char *name);
const char *slm_key_type_name(uint32_t type);   /* "u32"; "?" */
size_t slm_key_type_bytes(uint32_t type);       /* of a number; 0 for strings and arrays */

/* Typed getters: SLM_OK with *found false if the key is absent (and *value untouched); SLM_E_FORMAT naming key, type found and type
 * wanted. Integers are accepted in any width and sign if the value fits; a float where an integer stands is an error. */
slm_status slm_keys_u64(const slm_keys *keys, const char *name, uint64_t *value, bool *found, slm_error *err);
slm_status slm_keys_f64(const slm_keys *keys, const char *name, double *value, bool *found, slm_error *err);
slm_status slm_keys_bool(const slm_keys *keys, const char *name, bool *value, bool *found, slm_error *err);
slm_status slm_keys_str(const slm_keys *keys, const char *name, const char **text, size_t *n, bool *found, slm_error *err);

/* The array `name` with elements of `type` (SLM_KEY_TYPES: any integer type); *key is NULL if it is absent. */
slm_status slm_keys_array(const slm_keys *keys, const char *name, uint32_t type, const slm_key **key, slm_error *err);

/* Element i of a numeric array or a number as signed integer (unsigned values beyond INT64_MAX are cut) or as double. */
int64_t slm_key_int_at(const slm_key *key, uint64_t i);
double slm_key_number_at(const slm_key *key, uint64_t i);

#endif
