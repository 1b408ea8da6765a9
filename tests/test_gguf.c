/* test_gguf.c -- the GGUF reader under hostile bytes: a real header cut at every byte and with every number in it set to what numbers
 * are attacked with, and a made file for each row of the list of things that really happened. Each must end in a status and a message
 * with file, thing and number, within the memory that the metadata allows. */
#include "files.h"

#include "core/limits.h"

static slm_heap heap;
static const char name[] = "m.gguf";

/* ---- reading ---- */

/* Reads every tensor of an open file: a status, never a fault. Values are not finite for some of the mutations; that is a status. */
static void touch(const slm_file *file)
{
    for (size_t i = 0; i < file->n_tensors; i++) {
        const slm_tensor *t = &file->tensors[i];
        slm_error err = { 0 };
        const uint64_t n = t->rows * t->dims[0];
        if (n > 1 << 20)
            continue;
        float *values = malloc((size_t)n * sizeof *values);
        assert_non_null(values);
        const slm_status status = slm_file_read(file, i, values, (size_t)n, &err);
        if (status)
            check_message(&err, status, name, "reading");
        free(values);
    }
}

/* Opens bytes from a block of exactly their size, so that an over-read is seen by the sanitizer. `head` is how much of them is metadata. */
static slm_status open_bytes(const uint8_t *bytes, size_t n, size_t head, const char *about)
{
    slm_error err = { 0 };
    slm_file *file = NULL;
    slm_source source = slm_source_memory(bytes, n, name);
    atomic_store(&heap.peak, atomic_load(&heap.current));
    const slm_status status = slm_file_load_source(&file, &heap, &source, name, NULL, &err);
    const uint64_t peak = atomic_load(&heap.peak), most = 8 * (uint64_t)(n < head ? n : head) + (1 << 20);
    if (peak > most)
        fail_msg("%s: %" PRIu64 " bytes of heap for metadata of %zu (allowed %" PRIu64 ")", about, peak, n < head ? n : head, most);
    if (status) {
        assert_null(file);
        check_message(&err, status, name, about);
        if (status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED && status != SLM_E_LIMIT)
            fail_msg("%s: %s is no answer to bytes: %s", about, slm_status_name(status), err.text);
    } else {
        touch(file);
    }
    slm_file_free(file);
    if (heap.current)
        fail_msg("%s: %" PRIu64 " bytes are left", about, (uint64_t)heap.current);
    return status;
}

static uint8_t *golden(size_t *n, const char *file)
{
    char path[200];
    (void)snprintf(path, sizeof path, SHARED "models/golden/%s.gguf", file);
    return slurp(path, n);
}

/* ---- where the numbers stand ---- */

typedef struct field {
    size_t at, width;
    char what[48];
} field;

typedef struct map {
    field list[8192];
    size_t n, head;         /* head: bytes of metadata */
} map;

static uint64_t note(map *m, slm_cursor *c, size_t width, const char *what, uint64_t number)
{
    field *f = &m->list[m->n++];
    assert_true(m->n <= COUNT(m->list));
    f->at = c->pos;
    f->width = width;
    (void)snprintf(f->what, sizeof f->what, "%s %" PRIu64, what, number);
    return slm_le(slm_cursor_take(c, width), (int)width);
}

/* An independent walk over a good header. Of an array's strings only the first lengths are noted: the others are read by the same line. */
static void find_fields(map *m, const uint8_t *bytes, size_t n)
{
    slm_cursor c = slm_cursor_over(bytes, n);
    m->n = 0;
    (void)note(m, &c, 4, "magic", 0);
    (void)note(m, &c, 4, "version", 0);
    const uint64_t tensors = note(m, &c, 8, "tensors", 0), keys = note(m, &c, 8, "keys", 0);
    for (uint64_t i = 0; i < keys; i++) {
        (void)slm_cursor_take(&c, note(m, &c, 8, "length of the name of key", i));
        uint64_t type = note(m, &c, 4, "type of key", i), count = 1;
        const bool array = type == SLM_KEY_ARRAY;
        if (array) {
            type = note(m, &c, 4, "element type of key", i);
            count = note(m, &c, 8, "count of key", i);
        }
        for (uint64_t e = 0; e < count; e++)
            if (type == SLM_KEY_STRING)
                (void)slm_cursor_take(&c, e < 3 ? note(m, &c, 8, "length of a string of key", i) : slm_cursor_u64(&c));
            else if (array)
                (void)slm_cursor_take(&c, slm_key_type_bytes((uint32_t)type));
            else
                (void)note(m, &c, slm_key_type_bytes((uint32_t)type), "value of key", i);
    }
    for (uint64_t i = 0; i < tensors; i++) {
        (void)slm_cursor_take(&c, note(m, &c, 8, "length of the name of tensor", i));
        const uint64_t dims = note(m, &c, 4, "dimensions of tensor", i);
        for (uint64_t d = 0; d < dims; d++)
            (void)note(m, &c, 8, "a dimension of tensor", i);
        (void)note(m, &c, 4, "type of tensor", i);
        (void)note(m, &c, 8, "offset of tensor", i);
    }
    assert_int_equal(c.bad, SIZE_MAX);
    m->head = c.pos;
}

static map fields;

/* ---- tests ---- */

static void a_header_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n;
    uint8_t *bytes = golden(&n, "llama-plain");
    find_fields(&fields, bytes, n);
    assert_int_equal(open_bytes(bytes, n, fields.head, "the whole file"), SLM_OK);
    for (size_t cut = 0; cut < n; cut += cut < fields.head + 64 ? 1 : (n - fields.head) / 200) {
        char about[48];
        uint8_t *part = malloc(cut + 1) ;
        (void)snprintf(about, sizeof about, "cut at byte %zu", cut);
        memcpy(part + 1, bytes, cut);           /* ends where the block ends */
        if (open_bytes(part + 1, cut, fields.head, about) == SLM_OK)
            fail_msg("%s: accepted", about);
        free(part);
    }
    free(bytes);
}

static const uint64_t attacks[] = {
    0, 1, 2, 3, 7, 255, 65535, 65536, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0x100000000, 0x100000001,
    UINT64_C(0x7fffffffffffffff), UINT64_C(0x8000000000000000), UINT64_C(0xffffffffffffffe0), UINT64_C(0xffffffffffffffff),
};

static void put_number(uint8_t *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Some changes are harmless (another value of a key, a type of the same size): those must open and read. */
static void every_number_set_to_the_extremes_gives_a_status(void **state)
{
    const char *file = *state;
    NEEDS_SHARED;
    size_t n, refused = 0, runs = 0;
    uint8_t *bytes = golden(&n, file), kept[8];
    find_fields(&fields, bytes, n);
    for (size_t i = 0; i < fields.n; i++)
        for (size_t a = 0; a < COUNT(attacks) + 2; a++) {
            const field *f = &fields.list[i];
            const uint64_t old = slm_le(bytes + f->at, (int)f->width);
            const uint64_t value = a < COUNT(attacks) ? attacks[a] : a == COUNT(attacks) ? old + 1 : old - 1;
            char about[120];
            if (f->width < 8 && value >> (8 * f->width) && a < COUNT(attacks))
                continue;
            (void)snprintf(about, sizeof about, "%s: %s at %zu set to %" PRIu64, file, f->what, f->at, value);
            memcpy(kept, bytes + f->at, f->width);
            put_number(bytes + f->at, value, f->width);
            refused += open_bytes(bytes, n, n, about) != SLM_OK;
            runs++;
            memcpy(bytes + f->at, kept, f->width);
        }
    print_message("%s: %zu fields, %zu files, %zu refused\n", file, fields.n, runs, refused);
    assert_true(refused > runs / 2);
    free(bytes);
}

#ifdef __SANITIZE_THREAD__      /* 30 times slower there, and there are no threads in it */
enum { BITS = 37 };
#else
enum { BITS = 1 };
#endif

static void every_bit_of_the_head_may_flip(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n;
    uint8_t *bytes = golden(&n, "llama-plain");
    find_fields(&fields, bytes, n);
    for (size_t bit = 0; bit < fields.head * 8; bit += BITS) {
        char about[48];
        (void)snprintf(about, sizeof about, "bit %zu of byte %zu flipped", bit % 8, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)open_bytes(bytes, n, n, about);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(bytes);
}

/* ---- made files ---- */

typedef struct made {
    slm_buf b;
    uint64_t tensors, keys;
} made;

static slm_heap outside;        /* memory of the tests' own */

static void begin(made *m)
{
    slm_buf_init(&m->b, &outside, 1 << 28);
    m->tensors = m->keys = 0;
    slm_buf_add(&m->b, "GGUF", 4);
    slm_buf_u32(&m->b, 3);
    slm_buf_u64(&m->b, 0);
    slm_buf_u64(&m->b, 0);
}

static void key(made *m, const char *key_name, uint32_t type)
{
    slm_buf_str(&m->b, key_name, strlen(key_name));
    slm_buf_u32(&m->b, type);
    m->keys++;
}

static void key_u32(made *m, const char *key_name, uint32_t value)
{
    key(m, key_name, SLM_KEY_U32);
    slm_buf_u32(&m->b, value);
}

static void tensor(made *m, const char *tensor_name, uint32_t type, uint64_t cols, uint64_t rows, uint64_t offset)
{
    slm_buf_str(&m->b, tensor_name, strlen(tensor_name));
    slm_buf_u32(&m->b, 2);
    slm_buf_u64(&m->b, cols);
    slm_buf_u64(&m->b, rows);
    slm_buf_u32(&m->b, type);
    slm_buf_u64(&m->b, offset);
    m->tensors++;
}

/* Ends the head, adds `data` zero bytes and opens it. */
static slm_status end(made *m, size_t data, const char *about)
{
    const size_t head = m->b.size;
    while (m->b.size % 32)
        slm_buf_u8(&m->b, 0);
    uint8_t *zeros = slm_buf_grow(&m->b, data);
    assert_non_null(zeros);
    memset(zeros, 0, data);
    put_number(m->b.data + 8, m->tensors, 8);
    put_number(m->b.data + 16, m->keys, 8);
    const slm_status status = open_bytes(m->b.data, m->b.size, head, about);
    slm_buf_free(&m->b);
    return status;
}

static void no_keys_and_no_tensors_are_a_file(void **state)
{
    (void)state;
    made m;
    begin(&m);
    assert_int_equal(end(&m, 0, "empty"), SLM_OK);
}

static void alignments_are_powers_of_two_from_8_to_1_mib(void **state)
{
    (void)state;
    static const struct { uint32_t value; slm_status status; } rows[] = {
        { 0, SLM_E_FORMAT }, { 1, SLM_E_FORMAT }, { 3, SLM_E_FORMAT }, { 4, SLM_E_FORMAT }, { 7, SLM_E_FORMAT }, { 8, SLM_OK }, { 9, SLM_E_FORMAT },
        { 24, SLM_E_FORMAT }, { 32, SLM_OK }, { 64, SLM_OK }, { 1048575, SLM_E_FORMAT }, { 1048576, SLM_OK }, { 1048577, SLM_E_FORMAT },
        { 2097152, SLM_E_FORMAT }, { 0x80000000u, SLM_E_FORMAT }, { UINT32_MAX, SLM_E_FORMAT },
    };
    made m;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char about[40];
        (void)snprintf(about, sizeof about, "alignment %u", rows[i].value);
        begin(&m);
        key_u32(&m, "general.alignment", rows[i].value);
        tensor(&m, "t", 0, 4, 1, 0);
        const slm_status status = end(&m, 1048576 + 64, about);
        if (status != rows[i].status)
            fail_msg("%s: %s, wanted %s", about, slm_status_name(status), slm_status_name(rows[i].status));
    }
    begin(&m);
    key(&m, "general.alignment", SLM_KEY_U64);
    slm_buf_u64(&m.b, 32);
    assert_int_equal(end(&m, 64, "alignment as u64"), SLM_E_FORMAT);
}

static void names_stand_once(void **state)
{
    (void)state;
    made m;
    begin(&m);
    key_u32(&m, "a", 1);
    key_u32(&m, "b", 2);
    key_u32(&m, "a", 3);
    assert_int_equal(end(&m, 0, "a key twice"), SLM_E_FORMAT);
    begin(&m);
    tensor(&m, "t", 0, 8, 1, 0);
    tensor(&m, "t", 0, 8, 1, 32);
    assert_int_equal(end(&m, 64, "a tensor twice"), SLM_E_FORMAT);
}

static const struct place {
    const char *about;
    uint32_t type;
    uint64_t cols, rows, offset;
    size_t data;
    slm_status status;
} places[] = {
    { "fits to the byte",                      0, 8, 4, 32, 160, SLM_OK },
    { "a byte short",                          0, 8, 4, 32, 159, SLM_E_FORMAT },
    { "an offset that is not aligned",         0, 8, 1, 33, 160, SLM_E_FORMAT },
    { "an offset past the end",                0, 8, 1, 192, 160, SLM_E_FORMAT },
    { "offset and size that wrap",             0, 8, 1, UINT64_MAX - 31, 160, SLM_E_FORMAT },
    { "overlaps the first",                    0, 8, 1, 0, 160, SLM_E_FORMAT },
    { "a dimension of 0",                      0, 0, 4, 32, 160, SLM_E_FORMAT },
    { "a dimension of 2^31",                   0, UINT64_C(1) << 31, 1, 32, 160, SLM_E_FORMAT },
    { "a product past the elements allowed",   0, 0x7fffffff, 0x7fffffff, 32, 160, SLM_E_FORMAT },
    { "rows of 33 in blocks of 32",            8, 33, 1, 32, 160, SLM_E_FORMAT },
    { "Q8_0 that fits",                        8, 32, 3, 32, 160, SLM_OK },
    { "Q8_0 that does not",                    8, 32, 4, 32, 160, SLM_E_FORMAT },
    { "Q6_K, which is only looked at",        14, 256, 1, 32, 288, SLM_OK },
    { "Q6_K past the end",                    14, 256, 2, 32, 288, SLM_E_FORMAT },
    { "a type GGUF does not have",           999, 8, 1, 32, 160, SLM_OK },
    { "such a type past the end",            999, 8, 1, 320, 160, SLM_E_FORMAT },
    { "a gap before it",                       0, 8, 1, 64, 160, SLM_OK },
};

static void tensors_lie_inside_the_file_and_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        const struct place *p = &places[i];
        made m;
        begin(&m);
        tensor(&m, "first", 0, 8, 1, 0);
        tensor(&m, "second", p->type, p->cols, p->rows, p->offset);
        const slm_status status = end(&m, p->data, p->about);
        if (status != p->status)
            fail_msg("%s: %s, wanted %s", p->about, slm_status_name(status), slm_status_name(p->status));
    }
}

static void bytes_of_keys_are_checked(void **state)
{
    (void)state;
    made m;
    begin(&m);
    key(&m, "yes", SLM_KEY_BOOL);
    slm_buf_u8(&m.b, 2);
    assert_int_equal(end(&m, 32, "a bool of 2"), SLM_E_FORMAT);
    begin(&m);
    key(&m, "list", SLM_KEY_ARRAY);
    slm_buf_u32(&m.b, SLM_KEY_ARRAY);
    slm_buf_u64(&m.b, 1);
    assert_int_equal(end(&m, 32, "an array of arrays"), SLM_E_FORMAT);
    begin(&m);
    key(&m, "k", 13);
    assert_int_equal(end(&m, 32, "a value type of 13"), SLM_E_FORMAT);
    begin(&m);
    key_u32(&m, "", 1);
    assert_int_equal(end(&m, 32, "an empty key"), SLM_E_FORMAT);
    begin(&m);
    key_u32(&m, "a\x1b[2J", 1);
    assert_int_equal(end(&m, 32, "a key that drives a terminal"), SLM_E_FORMAT);
    begin(&m);
    key(&m, "s", SLM_KEY_STRING);
    slm_buf_str(&m.b, "\xff", 1);
    assert_int_equal(end(&m, 32, "a text that is no UTF-8"), SLM_E_FORMAT);
    begin(&m);
    key(&m, "list", SLM_KEY_ARRAY);
    slm_buf_u32(&m.b, SLM_KEY_U8);
    slm_buf_u64(&m.b, SLM_LIMIT_ARRAY_COUNT + 1);
    assert_int_equal(end(&m, SLM_LIMIT_ARRAY_COUNT + 64, "an array of one element too many"), SLM_E_LIMIT);
    begin(&m);
    key(&m, "list", SLM_KEY_ARRAY);
    slm_buf_u32(&m.b, SLM_KEY_U8);
    slm_buf_u64(&m.b, 0);
    assert_int_equal(end(&m, 0, "an empty array"), SLM_OK);
}

static void other_versions_and_files_are_named(void **state)
{
    (void)state;
    static const struct { const char *about; uint8_t bytes[40]; slm_status status; const char *says; } rows[] = {
        { "version 1", { 'G', 'G', 'U', 'F', 1 }, SLM_E_UNSUPPORTED, "v1" },
        { "version 4", { 'G', 'G', 'U', 'F', 4 }, SLM_E_UNSUPPORTED, "v4" },
        { "version 2", { 'G', 'G', 'U', 'F', 2 }, SLM_OK, "" },
        { "other byte order", { 'G', 'G', 'U', 'F', 0, 0, 0, 3 }, SLM_E_UNSUPPORTED, "big-endian" },
        { "another magic", { 'P', 'K', 3, 4 }, SLM_E_FORMAT, "PK\\x03\\x04" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        slm_file *file = NULL;
        slm_source source = slm_source_memory(rows[i].bytes, sizeof rows[i].bytes, name);
        const slm_status status = slm_file_load_source(&file, &heap, &source, name, NULL, &err);
        if (status != rows[i].status || (status && !strstr(err.text, rows[i].says)))
            fail_msg("%s: %s: %s", rows[i].about, slm_status_name(status), err.text);
        slm_file_free(file);
    }
}

static void many_tiny_records_stay_within_the_memory(void **state)
{
    (void)state;
    char text[24];
    made m;
    for (unsigned n = 1000; n <= 65000; n *= 4) {
        begin(&m);
        for (unsigned i = 0; i < n; i++) {
            (void)snprintf(text, sizeof text, "%x", i);
            key(&m, text, SLM_KEY_U8);
            slm_buf_u8(&m.b, 1);
        }
        (void)snprintf(text, sizeof text, "%u tiny keys", n);
        assert_int_equal(end(&m, 0, text), SLM_OK);
        begin(&m);
        for (unsigned i = 0; i < n; i++) {
            (void)snprintf(text, sizeof text, "%x", i);
            tensor(&m, text, 0, 1, 1, (uint64_t)i * 32);
        }
        (void)snprintf(text, sizeof text, "%u tiny tensors", n);
        assert_int_equal(end(&m, (size_t)n * 32, text), SLM_OK);
    }
    begin(&m);
    for (unsigned i = 0; i <= SLM_LIMIT_GGUF_KEYS; i++) {
        (void)snprintf(text, sizeof text, "%x", i);
        key(&m, text, SLM_KEY_U8);
        slm_buf_u8(&m.b, 1);
    }
    assert_int_equal(end(&m, 0, "a key too many"), SLM_E_LIMIT);
}

static void a_path_that_is_no_model_gives_a_status(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_file *file = NULL;
    assert_int_equal(slm_file_open(&file, "/nowhere/m.gguf", NULL, &err), SLM_E_NOT_FOUND);
    err = (slm_error){ 0 };
    assert_int_equal(slm_file_open(&file, "/tmp", NULL, &err), SLM_E_NOT_FOUND);    /* a folder without config.json */
    err = (slm_error){ 0 };
    assert_int_equal(slm_file_open(&file, "/dev/zero", NULL, &err), SLM_E_IO);
    assert_null(file);
}

static int read_nothing(void *user, uint64_t offset, void *dst, size_t n)
{
    (void)user, (void)offset, (void)dst, (void)n;
    return 7;
}

static void arguments_are_checked(void **state)
{
    (void)state;
    static const uint8_t bytes[64] = { 'G', 'G', 'U', 'F', 3 };
    slm_error err = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_input input = SLM_INPUT_INIT, old = { 0 };
    params.size = 1;
    assert_int_equal(slm_file_open(&file, name, &params, &err), SLM_E_ARG);
    params.size = sizeof params;
    assert_int_equal(slm_file_open(NULL, name, &params, &err), SLM_E_ARG);
    assert_string_equal(err.text, "out is NULL");
    assert_int_equal(slm_file_open(&file, NULL, &params, &err), SLM_E_ARG);
    assert_string_equal(err.text, "path is NULL");
    params.input = &old;
    assert_int_equal(slm_file_open(&file, name, &params, &err), SLM_E_ARG);
    params.input = &input;
    assert_int_equal(slm_file_open(&file, name, &params, &err), SLM_E_ARG);
    assert_string_equal(err.text, "m.gguf: input of 0 bytes has neither memory nor read_at");
    input.memory = bytes;
    input.bytes = sizeof bytes;
    input.read_at = read_nothing;
    assert_int_equal(slm_file_open(&file, name, &params, &err), SLM_E_ARG);
    assert_string_equal(err.text, "m.gguf: input of 64 bytes has both memory and read_at");
    input.memory = NULL;
    assert_int_equal(slm_file_open(&file, name, &params, &err), SLM_E_IO);
    assert_int_equal(slm_file_load(&file, &heap, NULL, NULL, &err), SLM_E_ARG);
    assert_string_equal(err.text, "path is NULL");
    assert_null(file);

    /* a tensor of 2 x 3, and what may be asked of it */
    uint64_t dims[5] = { 2, 3, 1, 1, 1 };
    float values[6];
    uint8_t raw[24];
    slm_key_info key_info = SLM_KEY_INFO_INIT;
    assert_int_equal(slm_file_new(&file, &heap, name, &err), SLM_OK);
    assert_int_equal(slm_file_reserve(file, 1, &err), SLM_OK);
    for (uint32_t n = 0; n <= 5; n += 5) {
        assert_int_equal(slm_file_set_tensor(file, 0, "a", 1, 0, n, dims, 0, &err), SLM_E_FORMAT);
        assert_non_null(strstr(err.text, n ? "m.gguf: tensor 'a': 5 dimensions" : "m.gguf: tensor 'a': 0 dimensions"));
    }
    assert_int_equal(slm_file_set_tensor(file, 0, "a", 1, 0, 2, dims, 0, &err), SLM_OK);
    assert_int_equal(slm_file_read(file, 1, values, 6, &err), SLM_E_ARG);
    assert_non_null(strstr(err.text, "m.gguf: tensor 1 (it has 1)"));
    assert_int_equal(slm_file_read(file, 0, NULL, 6, &err), SLM_E_ARG);
    assert_int_equal(slm_file_read(file, 0, values, 5, &err), SLM_E_ARG);
    assert_non_null(strstr(err.text, "m.gguf: tensor 'a': room for 5 values, it has 6"));
    assert_int_equal(slm_file_read_raw(file, file->tensors, 25, raw, 0, &err), SLM_E_INTERNAL);
    assert_non_null(strstr(err.text, "m.gguf: tensor 'a': 0 bytes from 25 on, it has 24"));
    assert_int_equal(slm_file_key(file, 0, &key_info, &err), SLM_E_ARG);
    assert_non_null(strstr(err.text, "m.gguf: key 0 (it has 0)"));
    slm_file_free(file);
    assert_int_equal(heap.current, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_keys_and_no_tensors_are_a_file),
        cmocka_unit_test(a_header_cut_at_any_byte_is_refused),
        { "every number of llama-plain set to the extremes gives a status", every_number_set_to_the_extremes_gives_a_status, NULL, NULL, (void *)(uintptr_t)"llama-plain" },
        { "every number of qwen2 set to the extremes gives a status", every_number_set_to_the_extremes_gives_a_status, NULL, NULL, (void *)(uintptr_t)"qwen2" },
        cmocka_unit_test(every_bit_of_the_head_may_flip),
        cmocka_unit_test(alignments_are_powers_of_two_from_8_to_1_mib),
        cmocka_unit_test(names_stand_once),
        cmocka_unit_test(tensors_lie_inside_the_file_and_apart),
        cmocka_unit_test(bytes_of_keys_are_checked),
        cmocka_unit_test(other_versions_and_files_are_named),
        cmocka_unit_test(many_tiny_records_stay_within_the_memory),
        cmocka_unit_test(a_path_that_is_no_model_gives_a_status),
        cmocka_unit_test(arguments_are_checked),
    };
    slm_heap_init(&heap, NULL, 0);
    slm_heap_init(&outside, NULL, 0);
    return cmocka_run_group_tests_name("gguf", tests, NULL, NULL) != 0;
}
