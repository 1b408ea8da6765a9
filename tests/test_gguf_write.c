/* test_gguf_write.c -- the head of a GGUF file that is written, byte for byte and as our reader sees it. */
#include "files.h"

#include "format/packed.h"
#include "core/limits.h"

static slm_heap heap;

static const slm_type *type_of(const char *option)
{
    const slm_type *type = slm_type_by_option(option);
    assert_non_null(type);
    return type;
}

static void a_head_has_exactly_the_bytes_of_the_specification(void **state)
{
    (void)state;
    static const uint8_t want[] = {
        'G', 'G', 'U', 'F', 3, 0, 0, 0,  1, 0, 0, 0, 0, 0, 0, 0,  2, 0, 0, 0, 0, 0, 0, 0,
        1, 0, 0, 0, 0, 0, 0, 0, 'k',  4, 0, 0, 0,  7, 0, 0, 0,                                          /* k: u32 7 */
        1, 0, 0, 0, 0, 0, 0, 0, 's',  8, 0, 0, 0,  2, 0, 0, 0, 0, 0, 0, 0, 'h', 'i',                    /* s: string "hi" */
        2, 0, 0, 0, 0, 0, 0, 0, 'a', '.',  2, 0, 0, 0,  64, 0, 0, 0, 0, 0, 0, 0,  3, 0, 0, 0, 0, 0, 0, 0,
        2, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,                                                            /* Q4_0 at 0 */
    };
    slm_keys keys;
    slm_buf head;
    slm_error err = { 0 };
    uint64_t data = 99;
    slm_gguf_tensor t = { "a.", type_of("q4_0"), 2, { 64, 3, 1, 1 }, 77, 77 };
    slm_keys_init(&keys, &heap, "w.gguf");
    slm_buf_init(&head, &heap, 4096);
    assert_int_equal(slm_keys_add_u32(&keys, "k", 7, &err), SLM_OK);
    assert_int_equal(slm_keys_add_str(&keys, "s", "hi", &err), SLM_OK);
    assert_int_equal(slm_gguf_layout(&t, 1, &keys, &head, &data, &err), SLM_OK);
    assert_int_equal(head.size, 128);
    assert_memory_equal(head.data, want, sizeof want);
    for (size_t i = sizeof want; i < head.size; i++)
        assert_int_equal(head.data[i], 0);
    assert_int_equal(t.offset, 0);
    assert_int_equal(t.bytes, 108);
    assert_int_equal(data, 128);
    slm_buf_free(&head);
    slm_keys_free(&keys);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    slm_keys keys;
    slm_buf head;
    slm_error err = { 0 };
    uint64_t data;
    static const uint8_t words[] = { 2, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t numbers[24] = { 1, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
    slm_gguf_tensor t[] = {
        { "token_embd.weight", type_of("q8_0"), 2, { 32, 5, 1, 1 }, 0, 0 },
        { "one", type_of("f32"), 1, { 3, 1, 1, 1 }, 0, 0 },
        { "blk.0.x.weight", type_of("f16"), 4, { 7, 2, 3, 2 }, 0, 0 },
        { "b", type_of("bf16"), 3, { 5, 1, 1, 1 }, 0, 0 },
    };
    slm_keys_init(&keys, &heap, "w.gguf");
    slm_buf_init(&head, &heap, 1 << 16);
    assert_int_equal(slm_keys_add_str(&keys, "general.architecture", "llama", &err), SLM_OK);
    assert_int_equal(slm_keys_add_str(&keys, "empty", "", &err), SLM_OK);
    assert_int_equal(slm_keys_add_bool(&keys, "yes", true, &err), SLM_OK);
    assert_int_equal(slm_keys_add_f32(&keys, "half", 0.5f, &err), SLM_OK);
    assert_int_equal(slm_keys_add_u32(&keys, "general.alignment", 4096, &err), SLM_OK);
    assert_int_equal(slm_keys_add(&keys, "words", SLM_KEY_STRING, true, 2, words, sizeof words, &err), SLM_OK);
    for (uint32_t type = 0; type < SLM_KEY_TYPES; type++)
        if (slm_key_type_bytes(type) && type != SLM_KEY_BOOL) {
            char name[32];
            (void)snprintf(name, sizeof name, "list.%u", type);
            assert_int_equal(slm_keys_add(&keys, name, type, true, 3, numbers, 3 * slm_key_type_bytes(type), &err), SLM_OK);
        }
    assert_int_equal(slm_gguf_layout(t, COUNT(t), &keys, &head, &data, &err), SLM_OK);
    assert_int_equal(head.size % 32, 0);

    uint8_t *whole = calloc(head.size + data, 1);
    memcpy(whole, head.data, head.size);
    slm_source source = slm_source_memory(whole, head.size + data, "w.gguf");
    slm_file *file = NULL;
    if (slm_file_load_source(&file, &heap, &source, "w.gguf", NULL, &err) != SLM_OK)
        fail_msg("%s", err.text);
    assert_string_equal(file->format, "GGUF v3");
    assert_int_equal(file->gap_bytes + file->trailing_bytes, data - t[0].bytes - t[1].bytes - t[2].bytes - t[3].bytes);
    assert_int_equal(file->n_tensors, COUNT(t));
    for (size_t i = 0; i < COUNT(t); i++) {
        const slm_tensor *r = &file->tensors[i];
        assert_string_equal(r->name, t[i].name);
        assert_ptr_equal(r->type, t[i].type);
        assert_int_equal(r->n_dims, t[i].n_dims);
        assert_memory_equal(r->dims, t[i].dims, sizeof r->dims);
        assert_int_equal(r->offset, head.size + t[i].offset);
        assert_int_equal(r->bytes, t[i].bytes);
        assert_int_equal(t[i].offset % 32, 0);
    }
    assert_int_equal(file->keys.n, keys.n);
    for (size_t i = 0; i < keys.n; i++) {
        const slm_key *a = &keys.list[i], *b = &file->keys.list[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->array, b->array);
        assert_int_equal(a->count, b->count);
        assert_int_equal(a->bytes, b->bytes);
        if (!strcmp(a->name, "general.alignment"))
            assert_int_equal(slm_key_int_at(b, 0), 32);     /* that of this file, whatever the copied key said */
        else if (a->bytes)
            assert_memory_equal(a->value, b->value, a->bytes);
    }
    slm_file_free(file);
    free(whole);
    slm_buf_free(&head);
    slm_keys_free(&keys);
}

static const char long_name[] = "12345678901234567890123456789012345678901234567890123456789012345";

static const struct refusal {
    const char *about;
    const char *name, *type;
    uint32_t n_dims;
    uint64_t dims[4];
    slm_status status;
} refusals[] = {
    { "a name of 65 bytes",          long_name, "f32", 1, { 1, 1, 1, 1 }, SLM_E_LIMIT },
    { "an empty name",               "", "f32", 1, { 1, 1, 1, 1 }, SLM_E_LIMIT },
    { "no dimension",                "t", "f32", 0, { 1, 1, 1, 1 }, SLM_E_ARG },
    { "five dimensions",             "t", "f32", 5, { 1, 1, 1, 1 }, SLM_E_ARG },
    { "a dimension of 0",            "t", "f32", 2, { 4, 0, 1, 1 }, SLM_E_ARG },
    { "a dimension of 2^31",         "t", "f32", 1, { UINT64_C(1) << 31, 1, 1, 1 }, SLM_E_ARG },
    { "a row of 33 in blocks of 32", "t", "q8_0", 2, { 33, 2, 1, 1 }, SLM_E_ARG },
    { "bytes beyond 64 bits",        "t", "f32", 4, { 2147483647, 2147483647, 2147483647, 1 }, SLM_E_ARG },
    { "rows beyond 64 bits",         "t", "f32", 4, { 1, 2147483647, 2147483647, 2147483647 }, SLM_E_ARG },
};

static void what_no_reader_would_take_is_not_written(void **state)
{
    (void)state;
    slm_keys keys;
    slm_keys_init(&keys, &heap, "w.gguf");
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *r = &refusals[i];
        slm_error err = { 0 };
        slm_buf head;
        uint64_t data = 99;
        slm_gguf_tensor t = { r->name, type_of(r->type), r->n_dims, { r->dims[0], r->dims[1], r->dims[2], r->dims[3] }, 0, 0 };
        slm_buf_init(&head, &heap, 4096);
        const slm_status status = slm_gguf_layout(&t, 1, &keys, &head, &data, &err);
        if (status != r->status)
            fail_msg("%s: %s, wanted %s: %s", r->about, slm_status_name(status), slm_status_name(r->status), err.text);
        check_message(&err, status, "w.gguf: tensor '", r->about);
        assert_int_equal(head.size, 0);
        assert_int_equal(data, 99);
        slm_buf_free(&head);
    }
    slm_keys_free(&keys);
}

static void too_many_tensors_or_keys_are_not_written(void **state)
{
    (void)state;
    slm_keys keys, many;
    slm_buf head;
    uint64_t data = 99;
    slm_keys_init(&keys, &heap, "w.gguf");
    many = keys;
    many.n = 65537;                         /* the counts are looked at first */
    slm_buf_init(&head, &heap, 4096);
    for (int packed = 0; packed < 2; packed++)
        for (int which = 0; which < 2; which++) {
            slm_error err = { 0 };
            const slm_keys *k = which ? &many : &keys;
            const slm_status status = packed ? slm_packed_front(NULL, which ? 0 : 65537, k, &head, &data, &err)
                                             : slm_gguf_layout(NULL, which ? 0 : 65537, k, &head, &data, &err);
            assert_int_equal(status, SLM_E_LIMIT);
            check_message(&err, status, "w.gguf: ", "too many");
            assert_non_null(strstr(err.text, which ? "65537 keys" : "65537 tensors"));
            assert_int_equal(data, 99);
            assert_int_equal(head.size, 0);
        }
    /* the first that is refused ends it */
    slm_error err = { 0 };
    slm_gguf_tensor t[2] = { { "", type_of("f32"), 1, { 1, 1, 1, 1 }, 0, 0 }, { long_name, type_of("f32"), 1, { 1, 1, 1, 1 }, 0, 0 } };
    assert_int_equal(slm_gguf_layout(t, 2, &keys, &head, &data, &err), SLM_E_LIMIT);
    assert_non_null(strstr(err.text, "its name has 0 bytes"));
    slm_buf_free(&head);
    slm_keys_free(&keys);
}

static void a_head_beyond_its_buffer_is_refused(void **state)
{
    (void)state;
    slm_keys keys;
    slm_error err = { 0 };
    slm_buf head;
    uint64_t data = 99;
    slm_keys_init(&keys, &heap, "w.gguf");
    assert_int_equal(slm_keys_add_str(&keys, "k", "some text that does not fit", &err), SLM_OK);
    for (size_t most = 0; most < 64; most++) {
        slm_error e = { 0 };
        slm_buf_init(&head, &heap, most);
        assert_int_equal(slm_gguf_layout(NULL, 0, &keys, &head, &data, &e), SLM_E_LIMIT);
        assert_int_equal(data, 99);
        slm_buf_free(&head);
    }
    slm_keys_free(&keys);
}

static int leaves_nothing(void **state)
{
    (void)state;
    return heap.current != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_head_has_exactly_the_bytes_of_the_specification, leaves_nothing),
        cmocka_unit_test_teardown(what_is_written_is_read_back, leaves_nothing),
        cmocka_unit_test_teardown(what_no_reader_would_take_is_not_written, leaves_nothing),
        cmocka_unit_test_teardown(too_many_tensors_or_keys_are_not_written, leaves_nothing),
        cmocka_unit_test_teardown(a_head_beyond_its_buffer_is_refused, leaves_nothing),
    };
    slm_heap_init(&heap, NULL, 0);
    return cmocka_run_group_tests_name("gguf_write", tests, NULL, NULL) != 0;
}
