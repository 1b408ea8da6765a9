/* test_keys.c -- the typed getters of metadata: each type asked for as each other, single and in an array. */
#include "files.h"

static slm_heap heap;

static bool is_whole(uint32_t type)
{
    return type <= SLM_KEY_I32 || type == SLM_KEY_U64 || type == SLM_KEY_I64;
}

/* `good` says what the status must be; a refusal names file, key, what is there and what was wanted. */
static void check(const char *getter, slm_status status, bool good, const slm_error *err, uint32_t type, bool array, const char *wanted)
{
    if (status != (good ? SLM_OK : SLM_E_FORMAT))
        fail_msg("%s of %s%s: %s %s", getter, array ? "an array of " : "", slm_key_type_name(type), slm_status_name(status), err->text);
    if (good)
        return;
    check_message(err, status, "m.gguf: key 'k'", getter);
    if (!strstr(err->text, wanted) || !strstr(err->text, slm_key_type_name(type)) || (strstr(err->text, "is an array") != NULL) != array)
        fail_msg("%s: %s", getter, err->text);
}

static void a_key_is_read_as_what_it_is(void **state)
{
    static const uint8_t one[8] = { 1 };
    (void)state;
    for (uint32_t type = 0; type <= SLM_KEY_TYPES; type++)
        for (int array = 0; array < 2; array++) {
            slm_keys keys;
            slm_error err = { 0 };
            const slm_key *key;
            const char *text;
            uint64_t whole = 0;
            double real = 0;
            bool flag = false, found = false;
            size_t n;
            slm_keys_init(&keys, &heap, "m.gguf");
            assert_int_equal(slm_keys_add(&keys, "k", type, array, 1, one, sizeof one, &err), SLM_OK);
            const bool number = is_whole(type) || type == SLM_KEY_F32 || type == SLM_KEY_F64;
            check("u64", slm_keys_u64(&keys, "k", &whole, &found, &err), !array && is_whole(type), &err, type, array, "wanted an integer");
            assert_true(found && whole == (!array && is_whole(type)));
            check("f64", slm_keys_f64(&keys, "k", &real, &found, &err), !array && number, &err, type, array, "wanted a number");
            assert_true((real != 0) == (!array && number));
            check("bool", slm_keys_bool(&keys, "k", &flag, &found, &err), !array && type == SLM_KEY_BOOL, &err, type, array, "wanted bool");
            assert_true(flag == (!array && type == SLM_KEY_BOOL));
            check("str", slm_keys_str(&keys, "k", &text, &n, &found, &err), !array && type == SLM_KEY_STRING, &err, type, array, "wanted string");
            check("integers", slm_keys_array(&keys, "k", SLM_KEY_TYPES, &key, &err), array && is_whole(type), &err, type, array,
                  "wanted an array of integers");
            check("strings", slm_keys_array(&keys, "k", SLM_KEY_STRING, &key, &err), array && type == SLM_KEY_STRING, &err, type, array,
                  "wanted an array of string");
            check("floats", slm_keys_array(&keys, "k", SLM_KEY_F32, &key, &err), array && type == SLM_KEY_F32, &err, type, array,
                  "wanted an array of another type");
            slm_keys_free(&keys);
        }
}

static void a_type_that_is_none_has_no_name_and_no_bytes(void **state)
{
    (void)state;
    assert_string_equal(slm_key_type_name(SLM_KEY_F64), "f64");
    assert_int_equal(slm_key_type_bytes(SLM_KEY_F64), 8);
    assert_int_equal(slm_key_type_bytes(SLM_KEY_STRING), 0);
    assert_string_equal(slm_key_type_name(SLM_KEY_TYPES), "?");
    assert_int_equal(slm_key_type_bytes(SLM_KEY_TYPES), 0);
}

static void a_key_that_is_not_there_leaves_everything(void **state)
{
    (void)state;
    slm_keys keys;
    const slm_key *key = (const slm_key *)(uintptr_t)1;
    const char *text = "x";
    uint64_t whole = 7;
    double real = 7;
    bool flag = true, found = true;
    size_t n = 7;
    slm_keys_init(&keys, &heap, "m.gguf");
    assert_int_equal(slm_keys_u64(&keys, "k", &whole, &found, NULL), SLM_OK);
    assert_true(!found && whole == 7);
    assert_int_equal(slm_keys_f64(&keys, "k", &real, &found, NULL), SLM_OK);
    assert_true(!found && real == 7);
    assert_int_equal(slm_keys_bool(&keys, "k", &flag, &found, NULL), SLM_OK);
    assert_true(!found && flag);
    assert_int_equal(slm_keys_str(&keys, "k", &text, &n, &found, NULL), SLM_OK);
    assert_true(!found && *text == 'x' && n == 7);
    assert_int_equal(slm_keys_array(&keys, "k", SLM_KEY_F32, &key, NULL), SLM_OK);
    assert_null(key);
    slm_keys_free(&keys);
}

static void a_number_below_0_is_no_count(void **state)
{
    static const uint32_t types[] = { SLM_KEY_I8, SLM_KEY_I16, SLM_KEY_I32, SLM_KEY_I64 };
    static const uint8_t minus[8] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        slm_keys keys;
        slm_error err = { 0 };
        uint64_t whole = 7;
        double real;
        bool found;
        slm_keys_init(&keys, &heap, "m.gguf");
        assert_int_equal(slm_keys_add(&keys, "k", types[i], false, 1, minus, slm_key_type_bytes(types[i]), &err), SLM_OK);
        assert_int_equal(slm_keys_u64(&keys, "k", &whole, &found, &err), SLM_E_FORMAT);
        assert_string_equal(err.text, "m.gguf: key 'k': is -2, wanted 0 or more");
        assert_int_equal(whole, 7);
        assert_int_equal(slm_keys_f64(&keys, "k", &real, &found, &err), SLM_OK);
        assert_true(real == -2);
        slm_keys_free(&keys);
    }
}

static void a_key_is_replaced_or_stays(void **state)
{
    (void)state;
    slm_keys keys;
    slm_heap small;
    slm_error err = { 0 };
    const char *text;
    size_t n;
    bool found;
    static const uint8_t large[100000];
    slm_heap_init(&small, NULL, 64 * 1024);
    slm_keys_init(&keys, &small, "m.gguf");
    assert_int_equal(slm_keys_add_str(&keys, "k", "one", &err), SLM_OK);
    assert_int_equal(slm_keys_add_str(&keys, "k", "three", &err), SLM_OK);
    assert_int_equal(keys.n, 1);
    assert_int_equal(slm_keys_add(&keys, "k", SLM_KEY_U8, true, sizeof large, large, sizeof large, &err), SLM_E_MEMORY);
    assert_string_equal(err.text, "m.gguf: key 'k' of 100000 bytes");
    assert_int_equal(slm_keys_add(&keys, "l", SLM_KEY_U8, true, sizeof large, large, sizeof large, &err), SLM_E_MEMORY);
    assert_int_equal(slm_keys_str(&keys, "k", &text, &n, &found, &err), SLM_OK);
    assert_true(found && n == 5 && memcmp(text, "three", 5) == 0);
    slm_keys_free(&keys);
    assert_int_equal(small.current, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_as_what_it_is),
        cmocka_unit_test(a_type_that_is_none_has_no_name_and_no_bytes),
        cmocka_unit_test(a_key_that_is_not_there_leaves_everything),
        cmocka_unit_test(a_number_below_0_is_no_count),
        cmocka_unit_test(a_key_is_replaced_or_stays),
    };
    slm_heap_init(&heap, NULL, 0);
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL) != 0;
}
