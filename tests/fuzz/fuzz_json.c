/* fuzz_json.c -- any bytes as JSON: our reader and jansson must agree on whether they are, and on a number that is all there is. Walked value by
 * value, with every string and number taken; skipped as a whole; and its members looked up by name. */
#include "fuzz.h"

#include "core/json.h"

#include <jansson.h>
#include <math.h>

static slm_status walk(slm_json *json, slm_heap *heap, double *number, slm_error *err)
{
    slm_buf text;
    slm_status status;
    slm_buf_init(&text, heap, 1 << 20);
    while (!(status = slm_json_next(json, err)) && json->kind != SLM_JSON_END) {
        must(json->depth <= SLM_LIMIT_JSON_DEPTH && json->text <= json->size && json->text_len <= json->size - json->text, "a value outside the text");
        if (json->kind == SLM_JSON_STRING || json->kind == SLM_JSON_KEY)
            status = slm_json_string(json, &text, err);
        if (json->kind == SLM_JSON_NUMBER)
            status = slm_json_double(json, number, err);
        if (status)
            break;
        must(text.size <= json->size * 3, "a string longer than its spelling");
        text.size = 0;
    }
    slm_buf_free(&text);
    return status;
}

/* Members by name where it is an object: no more may be wrong with it than a name that stands twice. */
static void look_up(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "a", "model", "vocab", "" };
    slm_json json, values[COUNT(names)];
    if (slm_json_init(&json, data, size, "fuzz", NULL) || slm_json_next(&json, NULL) || json.kind != SLM_JSON_OBJECT ||
        slm_json_fields(&json, names, values, COUNT(names), NULL))
        return;
    for (size_t i = 0; i < COUNT(names); i++)
        if (values[i].kind != SLM_JSON_END)
            must(slm_json_skip(&values[i], NULL) == SLM_OK, "a member that was read cannot be skipped");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_json json;
    slm_error err = { 0 };
    json_error_t other;
    double number = NAN;
    slm_heap_init(&heap, NULL, 64 << 20);
    slm_status status = slm_json_init(&json, data, size, "fuzz", &err);
    if (!status)
        status = walk(&json, &heap, &number, &err);
    if (status)
        must_say(status, &err);
    json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &other);
    const bool nul_in_key = !tree && json_error_code(&other) == json_error_null_byte_in_key;
    must(status != SLM_OK || tree || nul_in_key, "not JSON to jansson");
    const bool skips = size && memchr(data, 0, size);       /* jansson passes over bytes of 0 */
    must(status == SLM_OK || status == SLM_E_LIMIT || !tree || skips, "JSON to jansson");
    if (tree && !status && json_is_number(tree))
        must(json_number_value(tree) == number, "another number to jansson");
    json_decref(tree);
    look_up(data, size);
    if (!slm_json_init(&json, data, size, "fuzz", NULL) && !slm_json_next(&json, NULL)) {
        const slm_status skipped = slm_json_skip(&json, &err);
        must(status || (!skipped && !slm_json_next(&json, NULL) && json.kind == SLM_JSON_END), "what can be walked cannot be skipped");
    }
    must(!atomic_load(&heap.current), "memory left behind");
    return 0;
}
