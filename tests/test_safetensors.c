/* test_safetensors.c -- the safetensors reader: each rule broken once, a header cut at every byte, shards and their index. */
#include "files.h"

#include "core/limits.h"
#include "harness/fail_alloc.h"

#include <sys/resource.h>

static slm_heap heap;
static const char name[] = "m.safetensors";

/* A file of that header and `data` bytes, 0, 1, 2 and so on. */
static uint8_t *build(const char *header, uint64_t length, size_t data, size_t *n)
{
    const size_t text = strlen(header);
    uint8_t *bytes = malloc(8 + text + data + 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(length >> (8 * i));
    memcpy(bytes + 8, header, text);
    for (size_t i = 0; i < data; i++)
        bytes[8 + text + i] = (uint8_t)(i % 61);
    *n = 8 + text + data;
    return bytes;
}

static slm_status open_bytes(slm_file **file, const uint8_t *bytes, size_t n, slm_error *err)
{
    static uint8_t *exact;              /* of that size, so that an over-read is seen; an open file reads from it until the next call */
    slm_source source = slm_source_memory(bytes, n, name);
    free(exact);
    exact = malloc(n);
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    *err = (slm_error){ 0 };
    *file = NULL;
    source.memory = exact;
    atomic_store(&heap.peak, atomic_load(&heap.current));
    const slm_status status = slm_file_load_source(file, &heap, &source, name, NULL, err);
    if (atomic_load(&heap.peak) > 8 * (uint64_t)n + (1 << 20))
        fail_msg("%" PRIu64 " bytes of heap for a file of %zu", (uint64_t)atomic_load(&heap.peak), n);
    if (status) {
        assert_null(*file);
        check_message(err, status, name, "opening");
        assert_int_equal(heap.current, 0);
    }
    return status;
}

#define T(name, dtype, shape, begin, end) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static const struct rule { const char *about, *header; size_t data; slm_status status; } rules[] = {
    { "no tensors",                         "{}", 0, SLM_OK },
    { "white space behind the header",      "{}      ", 0, SLM_OK },
    { "one of each width",                  "{" T("a", "F32", "[2,3]", 0, 24) "," T("b", "F16", "[3]", 24, 30) "," T("c", "BF16", "[1]", 30, 32) "}",
                                            32, SLM_OK },
    { "data in another order than names",   "{" T("a", "U8", "[3]", 5, 8) "," T("b", "I8", "[5]", 0, 5) "}", 8, SLM_OK },
    { "metadata",                           "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "U8", "[1]", 0, 1) "}", 1, SLM_OK },
    { "a number alone",                     "{" T("a", "I64", "[]", 0, 8) "}", 8, SLM_OK },
    { "five dimensions",                    "{" T("a", "U8", "[2,3,1,1,2]", 0, 12) "}", 12, SLM_OK },
    { "types of less than a byte",          "{" T("a", "F4", "[4]", 0, 2) "," T("b", "F6_E2M3", "[4]", 2, 5) "}", 5, SLM_OK },
    { "a name with escapes",                "{" T("a\\u0041\\n", "U8", "[1]", 0, 1) "}", 1, SLM_OK },
    { "a hole at the start",                "{" T("a", "U8", "[1]", 1, 2) "}", 2, SLM_E_FORMAT },
    { "a hole between",                     "{" T("a", "U8", "[1]", 0, 1) "," T("b", "U8", "[1]", 2, 3) "}", 3, SLM_E_FORMAT },
    { "bytes at the end",                   "{" T("a", "U8", "[1]", 0, 1) "}", 2, SLM_E_FORMAT },
    { "bytes of no tensor",                 "{}", 1, SLM_E_FORMAT },
    { "an overlap",                         "{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 1, 3) "}", 3, SLM_E_FORMAT },
    { "the same bytes twice",               "{" T("a", "U8", "[2]", 0, 2) "," T("b", "U8", "[2]", 0, 2) "}", 2, SLM_E_FORMAT },
    { "an end beyond the file",             "{" T("a", "U8", "[3]", 0, 3) "}", 2, SLM_E_FORMAT },
    { "an end before the beginning",        "{" T("a", "U8", "[1]", 2, 1) "}", 2, SLM_E_FORMAT },
    { "an end of 2^64 - 1",                 "{" T("a", "U8", "[1]", 0, 18446744073709551615) "}", 2, SLM_E_FORMAT },
    { "an end of 2^64",                     "{" T("a", "U8", "[1]", 0, 18446744073709551616) "}", 2, SLM_E_FORMAT },
    { "a negative beginning",               "{" T("a", "U8", "[1]", -1, 1) "}", 1, SLM_E_FORMAT },
    { "a beginning with a point",           "{" T("a", "U8", "[1]", 0.0, 1) "}", 1, SLM_E_FORMAT },
    { "another size than the shape's",      "{" T("a", "F32", "[2]", 0, 4) "}", 4, SLM_E_FORMAT },
    { "half a byte",                        "{" T("a", "F4", "[3]", 0, 1) "}", 1, SLM_E_FORMAT },
    { "a dimension of 0",                   "{" T("a", "F32", "[0]", 0, 0) "}", 0, SLM_E_FORMAT },
    { "a shape that wraps",                 "{" T("a", "F32", "[2147483647,2147483647,2147483647]", 0, 4) "}", 4, SLM_E_FORMAT },
    { "a shape that wraps at the third",    "{" T("a", "F32", "[2147483647,536870912,2147483647]", 0, 4) "}", 4, SLM_E_FORMAT },
    { "a name shown as long as it is",      "{" T("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "U8", "[2]", 0, 1) "}", 1,
                                            SLM_E_FORMAT },
    { "folded dimensions that wrap",        "{" T("a", "U8", "[18446744073709551615,2,1,1,1]", 0, 4) "}", 4, SLM_E_FORMAT },
    { "nine dimensions",                    "{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, SLM_E_LIMIT },
    { "three offsets",                      "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, SLM_E_LIMIT },
    { "one offset",                         "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, SLM_E_FORMAT },
    { "a dtype that is none",               "{" T("a", "F33", "[1]", 0, 4) "}", 4, SLM_E_UNSUPPORTED },
    { "a dtype in small letters",           "{" T("a", "f32", "[1]", 0, 4) "}", 4, SLM_E_UNSUPPORTED },
    { "a dtype that is a number",           "{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, SLM_E_FORMAT },
    { "no dtype",                           "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, SLM_E_FORMAT },
    { "no shape",                           "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, SLM_E_FORMAT },
    { "no offsets",                         "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, SLM_E_FORMAT },
    { "a field of no meaning",              "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1, SLM_E_FORMAT },
    { "a field twice",                      "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, SLM_E_FORMAT },
    { "a name twice",                       "{" T("a", "U8", "[1]", 0, 1) "," T("a", "U8", "[1]", 1, 2) "}", 2, SLM_E_FORMAT },
    { "a name twice, once with escapes",    "{" T("a", "U8", "[1]", 0, 1) "," T("\\u0061", "U8", "[1]", 1, 2) "}", 2, SLM_E_FORMAT },
    { "an empty name",                      "{" T("", "U8", "[1]", 0, 1) "}", 1, SLM_E_FORMAT },
    { "a name with NUL",                    "{" T("a\\u0000", "U8", "[1]", 0, 1) "}", 1, SLM_E_FORMAT },
    { "a tensor that is no object",         "{\"a\":[]}", 0, SLM_E_FORMAT },
    { "metadata twice",                     "{\"__metadata__\":{},\"__metadata__\":{}}", 0, SLM_E_FORMAT },
    { "metadata of numbers",                "{\"__metadata__\":{\"a\":1}}", 0, SLM_E_FORMAT },
    { "metadata that is no object",         "{\"__metadata__\":\"x\"}", 0, SLM_E_FORMAT },
    { "text behind the object",             "{} x", 0, SLM_E_FORMAT },
    { "two objects",                        "{}{}", 0, SLM_E_FORMAT },
    { "a comma too many",                   "{" T("a", "U8", "[1]", 0, 1) ",}", 1, SLM_E_FORMAT },
    { "bytes that are no UTF-8",            "{\"\xff\":{}}", 0, SLM_E_FORMAT },
    { "an object that does not end",        "{" T("a", "U8", "[1]", 0, 1), 1, SLM_E_FORMAT },
};

static void rule(void **state)
{
    const struct rule *r = *state;
    slm_error err;
    slm_file *file;
    size_t n;
    uint8_t *bytes = build(r->header, strlen(r->header), r->data, &n);
    const slm_status status = open_bytes(&file, bytes, n, &err);
    if (status != r->status)
        fail_msg("%s: %s %s", r->about, slm_status_name(status), err.text);
    slm_file_free(file);
    free(bytes);
}

static void the_length_of_the_header_is_checked(void **state)
{
    static const uint64_t lengths[] = { 0, 1, 3, 9, 1u << 31, SLM_LIMIT_SAFETENSORS_HEADER, SLM_LIMIT_SAFETENSORS_HEADER + 1,
                                        UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX };
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        slm_error err;
        slm_file *file;
        size_t n;
        uint8_t *bytes = build("{}", lengths[i], 0, &n);
        const slm_status status = open_bytes(&file, bytes, n, &err);
        if (status != (lengths[i] > SLM_LIMIT_SAFETENSORS_HEADER ? SLM_E_LIMIT : SLM_E_FORMAT))
            fail_msg("a length of %" PRIu64 ": %s", lengths[i], slm_status_name(status));
        free(bytes);
    }
}

static void names_have_at_most_512_bytes(void **state)
{
    (void)state;
    for (size_t len = SLM_LIMIT_SAFETENSORS_NAME - 1; len <= SLM_LIMIT_SAFETENSORS_NAME + 1; len++) {
        char header[SLM_LIMIT_SAFETENSORS_NAME + 128], text[SLM_LIMIT_SAFETENSORS_NAME + 2];
        slm_error err;
        slm_file *file;
        size_t n;
        memset(text, 'a', len);
        text[len] = 0;
        (void)snprintf(header, sizeof header, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", text);
        uint8_t *bytes = build(header, strlen(header), 1, &n);
        assert_int_equal(open_bytes(&file, bytes, n, &err), len <= SLM_LIMIT_SAFETENSORS_NAME ? SLM_OK : SLM_E_FORMAT);
        slm_file_free(file);
        free(bytes);
    }
}

#define WHOLE "{\"__metadata__\":{\"format\":\"pt\"}," T("model.a", "F32", "[2,3]", 0, 24) "," T("model.b", "BF16", "[4]", 24, 32) "}"

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    size_t n;
    uint8_t *bytes = build(WHOLE, strlen(WHOLE), 32, &n);
    for (size_t cut = 9; cut < n; cut++)        /* less is not recognised as safetensors */
        if (open_bytes(&file, bytes, cut, &err) == SLM_OK)
            fail_msg("cut to %zu of %zu bytes it opens", cut, n);
    free(bytes);
}

static void a_byte_of_the_header_changed_gives_a_status(void **state)
{
    static const uint8_t values[] = { 0, '"', '{', '}', '[', ']', ',', '0', '9', 0x80, 0xff, '\\' };
    (void)state;
    slm_error err;
    slm_file *file;
    size_t n;
    uint8_t *bytes = build(WHOLE, strlen(WHOLE), 32, &n);
    for (size_t at = 0; at < 8 + strlen(WHOLE); at++)
        for (size_t v = 0; v < COUNT(values); v++) {
            const uint8_t was = bytes[at];
            bytes[at] = values[v];
            if (at != 8)                        /* without its '{' it is taken for a GGUF */
                (void)open_bytes(&file, bytes, n, &err);
            slm_file_free(file);
            file = NULL;
            bytes[at] = was;
        }
    free(bytes);
}

static void values_are_those_of_the_file(void **state)
{
    (void)state;
    static const float f[6] = { 1, -2, 0.5f, 3e10f, 0, 7 };
    static const uint8_t h[4] = { 0x00, 0x3c, 0x00, 0xc0 }, b[4] = { 0x80, 0x3f, 0x40, 0xc0 };     /* 1, -2; 1, -3 */
    slm_error err;
    slm_file *file;
    size_t n;
    const char *header = "{" T("f", "F32", "[2,3]", 0, 24) "," T("h", "F16", "[2]", 24, 28) "," T("b", "BF16", "[2]", 28, 32) ","
                         T("u", "U8", "[4]", 32, 36) "}";
    uint8_t *bytes = build(header, strlen(header), 36, &n);
    memcpy(bytes + n - 36, f, 24);
    memcpy(bytes + n - 12, h, 4);
    memcpy(bytes + n - 8, b, 4);
    assert_int_equal(open_bytes(&file, bytes, n, &err), SLM_OK);
    assert_string_equal(file->format, "safetensors");
    const slm_tensor *t = slm_file_find(file, "f");
    assert_int_equal(t->dims[0], 3);            /* GGUF's order: the fastest first */
    assert_int_equal(t->dims[1], 2);
    float *v = read_tensor(file, "f", &n);
    assert_memory_equal(v, f, sizeof f);
    free(v);
    v = read_tensor(file, "h", &n);
    assert_true(v[0] == 1 && v[1] == -2);
    free(v);
    v = read_tensor(file, "b", &n);
    assert_true(v[0] == 1 && v[1] == -3);
    free(v);
    float none[4];
    t = slm_file_find(file, "u");
    assert_int_equal(slm_file_read(file, (size_t)(t - file->tensors), none, 4, &err), SLM_E_UNSUPPORTED);
    check_message(&err, SLM_E_UNSUPPORTED, name, "a tensor of U8");
    assert_non_null(strstr(err.text, "U8"));
    slm_tensor_info info = SLM_TENSOR_INFO_INIT;
    assert_int_equal(slm_file_tensor(file, (size_t)(t - file->tensors), &info, &err), SLM_OK);
    assert_string_equal(info.type, "U8");
    slm_file_free(file);
    free(bytes);
}

/* ---- shards ---- */

static void put_shard(const char *file, const char *header, size_t data)
{
    size_t n;
    uint8_t *bytes = build(header, strlen(header), data, &n);
    spit(in_scratch(file), bytes, n);
    free(bytes);
}

static void put_text(const char *file, const char *text)
{
    spit(in_scratch(file), text, strlen(text));
}

static slm_status open_sharded(slm_file **file, slm_error *err)
{
    *err = (slm_error){ 0 };
    slm_file *f = NULL;
    assert_int_equal(slm_file_new(&f, &heap, scratch, err), SLM_OK);
    const slm_status status = slm_safetensors_read_sharded(f, err);
    if (status) {
        slm_file_free(f);
        check_message(err, status, scratch, "shards");
        assert_int_equal(heap.current, 0);
        f = NULL;
    }
    *file = f;
    return status;
}

#define INDEX "model.safetensors.index.json"

static void shards_are_one_table(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    size_t n;
    put_shard("s1.safetensors", "{" T("a", "F32", "[2]", 0, 8) "}", 8);
    put_shard("s2.safetensors", "{" T("c", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 4, 8) "}", 8);
    put_text(INDEX, "{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\",\"c\":\"s2.safetensors\"}}");
    assert_int_equal(open_sharded(&file, &err), SLM_OK);
    assert_int_equal(file->n_tensors, 3);
    assert_int_equal(file->n_parts, 2);
    float *c = read_tensor(file, "c", &n), want;
    const uint8_t bytes[4] = { 0, 1, 2, 3 };
    memcpy(&want, bytes, 4);
    assert_memory_equal(c, &want, 4);
    free(c);
    slm_file_free(file);
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct index_rule { const char *about, *text; slm_status status; } index_rules[] = {
    { "a file that is missing", "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s3.safetensors\"}}", SLM_E_NOT_FOUND },
    { "a tensor in no file",    "{\"weight_map\":{\"a\":\"s1.safetensors\",\"x\":\"s1.safetensors\"}}", SLM_E_FORMAT },
    { "a tensor left out",      "{\"weight_map\":{\"b\":\"s2.safetensors\"}}", SLM_E_FORMAT },
    { "a path upwards",         "{\"weight_map\":{\"a\":\"../s1.safetensors\"}}", SLM_E_FORMAT },
    { "an absolute path",       "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", SLM_E_FORMAT },
    { "a hidden file",          "{\"weight_map\":{\"a\":\".s1\"}}", SLM_E_FORMAT },
    { "a backslash",            "{\"weight_map\":{\"a\":\"x\\\\s1\"}}", SLM_E_FORMAT },
    { "an empty name",          "{\"weight_map\":{\"a\":\"\"}}", SLM_E_FORMAT },
    { "a name with NUL",        "{\"weight_map\":{\"a\":\"s1.safetensors\\u0000\"}}", SLM_E_FORMAT },
    { "a control character",    "{\"weight_map\":{\"a\":\"s1\\u0001\"}}", SLM_E_FORMAT },
    { "a letter of no ASCII",   "{\"weight_map\":{\"a\":\"s1\177\"}}", SLM_E_FORMAT },
    { "a colon",                "{\"weight_map\":{\"a\":\"c:s1\"}}", SLM_E_FORMAT },
    { "a name of 256 bytes",    "{\"weight_map\":{\"a\":\"" X64 X64 X64 X64 "\"}}", SLM_E_FORMAT },
    { "a tensor without a name", "{\"weight_map\":{\"\":\"s1.safetensors\"}}", SLM_E_FORMAT },
    { "a tensor of 513 bytes",  "{\"weight_map\":{\"" X64 X64 X64 X64 X64 X64 X64 X64 "x\":\"s1.safetensors\"}}", SLM_E_FORMAT },
    { "a tensor with NUL",      "{\"weight_map\":{\"a\\u0000\":\"s1.safetensors\"}}", SLM_E_FORMAT },
    { "a GGUF",                 "{\"weight_map\":{\"a\":\"g.gguf\"}}", SLM_E_FORMAT },
    { "a file that is a number", "{\"weight_map\":{\"a\":1}}", SLM_E_FORMAT },
    { "no map",                 "{\"metadata\":{}}", SLM_E_FORMAT },
    { "two maps",               "{\"weight_map\":{\"a\":\"s1.safetensors\"},\"weight_map\":{}}", SLM_E_FORMAT },
    { "a map that is a list",   "{\"weight_map\":[]}", SLM_E_FORMAT },
    { "an array",               "[]", SLM_E_FORMAT },
    { "half a text",            "{\"weight_map\":{\"a\":", SLM_E_FORMAT },
    { "a file of another kind", "{\"weight_map\":{\"a\":\"" INDEX "\"}}", SLM_E_FORMAT },
    { "a folder",               "{\"weight_map\":{\"a\":\"folder\"}}", SLM_E_IO },
};

static void an_index_names_plain_files_and_all_their_tensors(void **state)
{
    (void)state;
    char command[128];
    put_shard("s1.safetensors", "{" T("a", "F32", "[2]", 0, 8) "}", 8);
    put_shard("s2.safetensors", "{" T("c", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 4, 8) "}", 8);
    static const uint8_t gguf[64] = { 'G', 'G', 'U', 'F', 3 };
    spit(in_scratch("g.gguf"), gguf, sizeof gguf);
    (void)snprintf(command, sizeof command, "mkdir -p %s/folder", scratch);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < COUNT(index_rules); i++) {
        slm_error err;
        slm_file *file;
        put_text(INDEX, index_rules[i].text);
        const slm_status status = open_sharded(&file, &err);
        if (status != index_rules[i].status)
            fail_msg("%s: %s %s", index_rules[i].about, slm_status_name(status), err.text);
    }
}

static void a_model_has_at_most_1024_shards(void **state)
{
    (void)state;
    struct rlimit was, more;
    slm_error err;
    slm_file *file;
    slm_heap own;
    slm_buf index;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    more = was;
    more.rlim_cur = more.rlim_max;
    if (more.rlim_max < SLM_LIMIT_SHARDS + 64 || setrlimit(RLIMIT_NOFILE, &more) != 0) {
        print_message("skipped: no more than %llu open files\n", (unsigned long long)more.rlim_max);
        skip();
    }
    slm_heap_init(&own, NULL, 0);
    slm_buf_init(&index, &own, 1 << 20);
    slm_buf_add(&index, "{\"weight_map\":{", 15);
    for (unsigned i = 0; i <= SLM_LIMIT_SHARDS; i++) {
        char header[96], shard[32], line[64];
        (void)snprintf(shard, sizeof shard, "s%u.safetensors", i);
        (void)snprintf(header, sizeof header, "{\"t%u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", i);
        put_shard(shard, header, 1);
        slm_buf_add(&index, line, (size_t)snprintf(line, sizeof line, "%s\"t%u\":\"%s\"", i ? "," : "", i, shard));
    }
    slm_buf_add(&index, "}}", 2);
    spit(in_scratch(INDEX), index.data, index.size);
    slm_buf_free(&index);
    assert_int_equal(open_sharded(&file, &err), SLM_E_LIMIT);
    assert_non_null(strstr(err.text, "more than 1024 files"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void a_header_has_at_most_65536_tensors(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    size_t n, used = 1;
    char *header = malloc(65537 * 12 + 3);
    assert_non_null(header);
    header[0] = '{';
    for (unsigned i = 0; i <= SLM_LIMIT_GGUF_TENSORS; i++)
        used += (size_t)sprintf(header + used, "%s\"%u\":0", i ? "," : "", i);
    header[used++] = '}';
    header[used] = 0;
    uint8_t *bytes = build(header, used, 0, &n);
    assert_int_equal(open_bytes(&file, bytes, n, &err), SLM_E_LIMIT);
    assert_non_null(strstr(err.text, "65537 tensors"));
    free(bytes);
    free(header);
}

/* A file of 64 bytes whose ninth is another one from some read of its head on. */
typedef struct changing {
    unsigned reads, from;
} changing;

static int read_changing(void *user, uint64_t offset, void *dst, size_t n)
{
    changing *c = user;
    uint8_t bytes[64] = { 56 };
    memset(bytes + 8, ' ', 56);
    bytes[8] = c->reads >= c->from ? '[' : '{';
    bytes[9] = '}';
    c->reads++;
    memcpy(dst, bytes + offset, n);
    return 0;
}

static void what_only_looks_like_safetensors_is_refused(void **state)
{
    static const struct { const char *bytes, *word; } rows[] = {
        { "abcdefgh{}", "GGUF" }, { "GGUF\3\0\0\0{}", "counts of the head" }, { "GGUF\1\0\0\0{}", "GGUF v1" },
    };
    (void)state;
    slm_error err;
    slm_file *file = NULL;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const slm_status status = open_bytes(&file, (const uint8_t *)rows[i].bytes, 10, &err);
        if (!status || !strstr(err.text, rows[i].word))
            fail_msg("row %zu: %s %s", i, slm_status_name(status), err.text);
    }
    bool seen = false;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_input input = SLM_INPUT_INIT;
    input.read_at = read_changing;
    input.bytes = 64;
    params.input = &input;
    for (unsigned from = 0; from < 8; from++) {
        changing c = { 0, from };
        input.user = &c;
        err = (slm_error){ 0 };
        file = NULL;
        const slm_status status = slm_file_open(&file, name, &params, &err);
        if (status)
            check_message(&err, status, name, "a file that changes");
        seen = seen || strstr(err.text, "the header begins with byte 0x5b");
        slm_file_free(file);
    }
    assert_true(seen);
}

static void two_shards_cannot_have_one_name(void **state)
{
    (void)state;
    slm_error err;
    slm_file *file;
    put_shard("s1.safetensors", "{" T("a", "F32", "[2]", 0, 8) "}", 8);
    put_shard("s2.safetensors", "{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 4, 8) "}", 8);
    put_text(INDEX, "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
    assert_int_equal(open_sharded(&file, &err), SLM_E_FORMAT);
    put_text(INDEX, "{\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\",\"a\":\"s2.safetensors\"}}");
    assert_int_equal(open_sharded(&file, &err), SLM_E_FORMAT);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    put_shard("one.safetensors", WHOLE, 32);
    assert_true(fail_alloc_every("safetensors", open_path, close_file, (void *)(uintptr_t)in_scratch("one.safetensors")) > 5);
}

int main(void)
{
    enum { RULES = COUNT(rules) };
    struct CMUnitTest tests[RULES + 12];
    const struct CMUnitTest more[] = {
        cmocka_unit_test(the_length_of_the_header_is_checked),
        cmocka_unit_test(names_have_at_most_512_bytes),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_byte_of_the_header_changed_gives_a_status),
        cmocka_unit_test(values_are_those_of_the_file),
        cmocka_unit_test(a_header_has_at_most_65536_tensors),
        cmocka_unit_test(what_only_looks_like_safetensors_is_refused),
        cmocka_unit_test_setup_teardown(a_model_has_at_most_1024_shards, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(shards_are_one_table, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(an_index_names_plain_files_and_all_their_tensors, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(two_shards_cannot_have_one_name, make_scratch, drop_scratch),
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_scratch, drop_scratch),
    };
    slm_heap_init(&heap, NULL, 0);
    for (size_t i = 0; i < RULES; i++)
        tests[i] = (struct CMUnitTest){ rules[i].about, rule, NULL, NULL, (void *)(uintptr_t)&rules[i] };
    memcpy(tests + RULES, more, sizeof more);
    return _cmocka_run_group_tests("safetensors", tests, RULES + COUNT(more), NULL, NULL) != 0;
}
