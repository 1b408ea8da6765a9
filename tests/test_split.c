/* test_split.c -- a GGUF in several files: the same model, and each way its files can fail to belong together. */
#include "files.h"

#include "harness/fail_alloc.h"

static slm_heap heap;

typedef struct part {
    int no, count, tensors;     /* of the keys; below 0: the key is left out */
    const char *names;          /* of its tensors, a letter each */
    bool model;                 /* the keys of a model too */
} part;

/* Tensor 'c' has 4 values: 'c', 'c' + 1 and so on. */
static void put_part(const char *file, const part *p)
{
    slm_keys keys;
    slm_gguf_tensor tensors[8];
    char names[8][2];
    slm_buf all;
    uint64_t data;
    slm_error err;
    const size_t n = strlen(p->names);
    slm_keys_init(&keys, &heap, "part");
    slm_buf_init(&all, &heap, 1 << 20);
    if (p->model)
        assert_int_equal(slm_keys_add_str(&keys, "general.architecture", "llama", &err), SLM_OK);
    if (p->no >= 0)
        assert_int_equal(slm_keys_add_u32(&keys, "split.no", (uint32_t)p->no, &err), SLM_OK);
    if (p->count >= 0)
        assert_int_equal(slm_keys_add_u32(&keys, "split.count", (uint32_t)p->count, &err), SLM_OK);
    if (p->tensors >= 0)
        assert_int_equal(slm_keys_add_u32(&keys, "split.tensors.count", (uint32_t)p->tensors, &err), SLM_OK);
    for (size_t i = 0; i < n; i++) {
        names[i][0] = p->names[i];
        names[i][1] = 0;
        tensors[i] = (slm_gguf_tensor){ .name = names[i], .type = slm_type_by_id(0), .n_dims = 1, .dims = { 4, 1, 1, 1 } };
    }
    assert_int_equal(slm_gguf_layout(tensors, n, &keys, &all, &data, &err), SLM_OK);
    for (size_t i = 0; i < n; i++) {
        const float v[8] = { p->names[i], (float)(p->names[i] + 1), (float)(p->names[i] + 2), (float)(p->names[i] + 3), 0, 0, 0, 0 };
        slm_buf_add(&all, v, sizeof v);
    }
    spit(in_scratch(file), all.data, all.size);
    slm_buf_free(&all);
    slm_keys_free(&keys);
}

#define ONE   "m-00001-of-00003.gguf"
#define TWO   "m-00002-of-00003.gguf"
#define THREE "m-00003-of-00003.gguf"

static void put_model(void)
{
    put_part(ONE, &(part){ 0, 3, 5, "", true });
    put_part(TWO, &(part){ 1, 3, 5, "abc", false });
    put_part(THREE, &(part){ 2, 3, 5, "de", false });
}

static slm_status open_part(slm_file **file, const char *path, slm_error *err)
{
    *err = (slm_error){ 0 };
    *file = NULL;
    const slm_status status = slm_file_load(file, &heap, in_scratch(path), NULL, err);
    if (status) {
        assert_null(*file);
        check_message(err, status, scratch, path);
        assert_int_equal(heap.current, 0);
    }
    return status;
}

static void its_first_file_opens_them_all(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    put_model();
    if (open_part(&file, ONE, &err) != SLM_OK)
        fail_msg("%s", err.text);
    assert_string_equal(file->format, "GGUF, 3 files");
    assert_int_equal(file->n_tensors, 5);
    for (char c = 'a'; c <= 'e'; c++) {
        size_t n;
        float *v = read_tensor(file, (char[]){ c, 0 }, &n);
        for (size_t i = 0; i < 4; i++)
            assert_true(v[i] == (float)(c + (int)i));
        free(v);
    }
    assert_null(slm_keys_find(&file->keys, "split.count"));        /* what is written from it is not split */
    assert_non_null(slm_keys_find(&file->keys, "general.architecture"));
    slm_file_free(file);
}

static void tensors_may_stand_in_the_first_file_too(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    put_part("m-00001-of-00002.gguf", &(part){ 0, 2, 3, "ab", true });
    put_part("m-00002-of-00002.gguf", &(part){ 1, 2, 3, "c", false });
    assert_int_equal(open_part(&file, "m-00001-of-00002.gguf", &err), SLM_OK);
    assert_int_equal(file->n_tensors, 3);
    slm_file_free(file);
    put_part("one.gguf", &(part){ 0, 1, 2, "ab", true });           /* split into one: any name */
    assert_int_equal(open_part(&file, "one.gguf", &err), SLM_OK);
    slm_file_free(file);
}

static const struct bad { const char *about, *file, *open; part p; slm_status status; const char *word; } bad[] = {
    { "opened by the second",       NULL, TWO, { 0, 0, 0, "", false }, SLM_E_MISMATCH, "-00001-of-00003.gguf" },
    { "a number that is missing",   ONE, ONE, { -1, 3, 5, "", true }, SLM_E_FORMAT, "2 of the 3" },
    { "no count",                   ONE, ONE, { 0, -1, 5, "", true }, SLM_E_FORMAT, "2 of the 3" },
    { "no count of tensors",        ONE, ONE, { 0, 3, -1, "", true }, SLM_E_FORMAT, "2 of the 3" },
    { "a count of 0",               ONE, ONE, { 0, 0, 5, "", true }, SLM_E_FORMAT, "split.count 0" },
    { "a count beyond all",         ONE, ONE, { 0, 1025, 5, "", true }, SLM_E_LIMIT, "1025" },
    { "a number beyond the count",  ONE, ONE, { 3, 3, 5, "", true }, SLM_E_FORMAT, "split.no is 3" },
    { "a count the name has not",   ONE, ONE, { 0, 2, 5, "", true }, SLM_E_MISMATCH, "of-00002" },
    { "fewer tensors than said",    ONE, ONE, { 0, 3, 6, "", true }, SLM_E_MISMATCH, "6" },
    { "a tensor in two files",      THREE, ONE, { 2, 3, 5, "ae", false }, SLM_E_FORMAT, "twice" },
    { "a second that is a third",   TWO, ONE, { 2, 3, 5, "abc", false }, SLM_E_MISMATCH, "part 3" },
    { "another count",              TWO, ONE, { 1, 4, 5, "abc", false }, SLM_E_MISMATCH, "of 4" },
    { "another count of tensors",   THREE, ONE, { 2, 3, 7, "de", false }, SLM_E_MISMATCH, "7" },
    { "a part that is whole",       THREE, ONE, { -1, -1, -1, "de", false }, SLM_E_MISMATCH, "part 0" },
    { "a tensor less",              THREE, ONE, { 2, 3, 5, "d", false }, SLM_E_MISMATCH, "4" },
};

static void files_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_error err;
        slm_file *file;
        put_model();
        if (bad[i].file)
            put_part(bad[i].file, &bad[i].p);
        const slm_status status = open_part(&file, bad[i].open, &err);
        if (status != bad[i].status || !strstr(err.text, bad[i].word))
            fail_msg("%s: %s %s", bad[i].about, slm_status_name(status), err.text);
    }
}

static void a_missing_or_broken_file_is_named(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    put_model();
    assert_int_equal(unlink(in_scratch(TWO)), 0);
    assert_int_equal(open_part(&file, ONE, &err), SLM_E_NOT_FOUND);
    assert_non_null(strstr(err.text, TWO));
    put_model();
    spit(in_scratch(THREE), "GGUF", 4);
    assert_int_equal(open_part(&file, ONE, &err), SLM_E_FORMAT);
    assert_non_null(strstr(err.text, THREE));
    spit(in_scratch(THREE), "GGML----", 8);
    assert_int_equal(open_part(&file, ONE, &err), SLM_E_FORMAT);
    assert_non_null(strstr(err.text, THREE));
    put_model();
    size_t n;
    uint8_t *bytes = slurp(in_scratch(ONE), &n);
    spit(in_scratch("other.gguf"), bytes, n);
    assert_int_equal(open_part(&file, "other.gguf", &err), SLM_E_MISMATCH);
    slm_source source = slm_source_memory(bytes, n, "memory");
    assert_int_equal(slm_file_load_source(&file, &heap, &source, "memory", NULL, &err), SLM_E_UNSUPPORTED);
    free(bytes);
}

/* ---- a caller's bytes ---- */

typedef struct given {
    const uint8_t *bytes;
    size_t n, calls;
} given;

static int read_at(void *user, uint64_t offset, void *dst, size_t n)
{
    given *g = user;
    g->calls++;
    if (offset > g->n || n > g->n - offset)
        return 1;
    memcpy(dst, g->bytes + offset, n);
    return 0;
}

static void a_file_is_read_from_memory_or_a_callback(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_input input = SLM_INPUT_INIT;
    put_part("one.gguf", &(part){ 0, 1, 2, "ab", true });
    given g = { .n = 0 };
    g.bytes = slurp(in_scratch("one.gguf"), &g.n);
    params.input = &input;
    input.bytes = g.n;
    assert_int_equal(slm_file_open(&file, "given", &params, &err), SLM_E_ARG);      /* neither */
    check_message(&err, SLM_E_ARG, "given", "neither memory nor callback");
    for (int callback = 0; callback < 2; callback++) {
        input.memory = callback ? NULL : g.bytes;
        input.read_at = callback ? read_at : NULL;
        input.user = &g;
        if (slm_file_open(&file, "given", &params, &err) != SLM_OK)
            fail_msg("%s", err.text);
        size_t n;
        float *v = read_tensor(file, "b", &n);
        assert_true(v[3] == 'b' + 3);
        free(v);
        slm_file_free(file);
        slm_tokenizer *tokenizer = NULL;
        assert_int_equal(slm_tokenizer_open(&tokenizer, "given", &params, &err), SLM_E_NOT_FOUND);     /* opened, and it has none */
    }
    assert_true(g.calls > 2);
    free((void *)(uintptr_t)g.bytes);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    put_model();
    assert_true(fail_alloc_every("split", open_path, close_file, (void *)(uintptr_t)in_scratch(ONE)) > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_first_file_opens_them_all),
        TEST(tensors_may_stand_in_the_first_file_too),
        TEST(files_that_do_not_belong_together_are_refused),
        TEST(a_missing_or_broken_file_is_named),
        TEST(a_file_is_read_from_memory_or_a_callback),
        TEST(every_allocation_may_fail),
    };
    slm_heap_init(&heap, NULL, 0);
    return cmocka_run_group_tests_name("split", tests, NULL, NULL) != 0;
}
