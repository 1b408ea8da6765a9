/* test_packed.c -- packed files: the same model as the file they come from, mapped, read or from memory; every byte and number of
 * them bent; files that change while they are in use; writers that are killed. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include "core/cursor.h"
#include "core/random.h"
#include "core/xxh64.h"
#include "format/packed.h"
#include "quant/matrix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 256, SAYS = 88, SAYS_END = 152, HASHED = 248 };

/* The library's calls come here: the program's own symbol wins. */
static int refused;             /* errno of the next maps; 0: they succeed */
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (refused && fd >= 0) {
        errno = refused;
        return MAP_FAILED;
    }
    const long got = syscall(SYS_mmap, at, n, protection, flags, fd, offset);
    return got == -1 ? MAP_FAILED : (void *)got;
}

static void make_gguf(const char *path, const char *type)
{
    size_t n;
    uint8_t *file = tiny_file(1, type, &n);
    test_file_write(path, file, n);
    free(file);
}

/* The tiny model of that type, packed; type "w8a8" from floats. */
static const char *make_packed(const char *name, const char *type)
{
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    const char *from = test_path("source.gguf"), *path = test_path(name);
    const bool row = strcmp(type, "w8a8") == 0;
    make_gguf(from, row ? "f32" : type);
    q.type = row ? type : NULL;
    check_status(slm_pack_file(from, path, &q, &err), SLM_OK, &err);
    return path;
}

static slm_model *open_as(const char *path, uint32_t no_map, unsigned isa, const slm_input *input)
{
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.no_map = no_map;
    p.isa = isa;
    p.input = input;
    p.verify = 1;
    p.threads = 2;
    check_status(slm_model_open(&model, path, &p, &err), SLM_OK, &err);
    return model;
}

/* The logits of 70 tokens fed at once, or one after the other. */
static void logits_of(slm_model *model, size_t each, float out[TINY_VOCAB])
{
    slm_session *s = tiny_session(model, 100);
    for (size_t i = 0; i < 70; i += each)
        tiny_feed(s, 3, i, each);
    memcpy(out, slm_session_logits(s), TINY_VOCAB * sizeof *out);
    slm_session_free(s);
    slm_model_free(model);
}

static void same_logits(const char *what, const float *a, const float *b)
{
    if (memcmp(a, b, TINY_VOCAB * sizeof *a) != 0)
        fail_msg("%s: other logits (first %a, want %a)", what, (double)b[0], (double)a[0]);
}

static void a_packed_model_computes_the_same_bits(void **state)
{
    (void)state;
    static const char *const types[] = { "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1" };
    float want[TINY_VOCAB], got[TINY_VOCAB];
    for (size_t i = 0; i < COUNT(types); i++) {
        const char *path = make_packed("m.slm", types[i]);
        slm_input in = SLM_INPUT_INIT;
        size_t n;
        uint8_t *bytes = test_file_read(path, &n);
        in.memory = bytes;
        in.bytes = n;
        logits_of(tiny_open(1, types[i], NULL), 70, want);
        logits_of(open_as(path, 0, 0, NULL), 70, got);
        same_logits("mapped", want, got);
        logits_of(open_as(path, 1, 0, NULL), 35, got);
        same_logits("read", want, got);
        logits_of(open_as("memory", 0, SLM_ISA_SCALAR, &in), 70, got);
        same_logits("from memory", want, got);
        free(bytes);
    }
}

static void w8a8_computes_the_same_bits_on_every_instruction_set(void **state)
{
    (void)state;
    static const size_t pieces[] = { 1, 10, 70 };
    static const unsigned isas[] = { SLM_ISA_AVX2, SLM_ISA_AVXVNNI, SLM_ISA_AVX512, 0 };
    const char *path = make_packed("m.slm", "w8a8");
    float want[TINY_VOCAB], got[TINY_VOCAB], close[TINY_VOCAB];
    double apart = 0, size = 0;
    logits_of(open_as(path, 0, SLM_ISA_SCALAR, NULL), 70, want);
    for (size_t i = 0; i < COUNT(isas); i++)
        for (size_t k = 0; k < COUNT(pieces); k++) {
            logits_of(open_as(path, i % 2, isas[i], NULL), pieces[k], got);
            same_logits("w8a8", want, got);
        }
    logits_of(tiny_open(1, "f32", NULL), 70, close);
    for (size_t i = 0; i < TINY_VOCAB; i++) {
        apart += ((double)want[i] - (double)close[i]) * ((double)want[i] - (double)close[i]);
        size += (double)close[i] * (double)close[i];
    }
    if (!(apart < 36e-4 * size))
        fail_msg("w8a8 logits are %g of the float ones away", sqrt(apart / size));
}

static void what_is_in_the_file_is_in_the_packed_one(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const char *path = make_packed("m.slm", "q4_0");
    slm_file *a = NULL, *b = NULL;
    check_status(slm_file_open(&a, test_path("source.gguf"), NULL, &err), SLM_OK, &err);
    check_status(slm_file_open(&b, path, NULL, &err), SLM_OK, &err);
    assert_string_equal(slm_file_format(b), "packed v1");
    assert_int_equal(slm_file_keys(a), slm_file_keys(b));
    assert_int_equal(slm_file_tensors(a), slm_file_tensors(b));
    for (size_t i = 0; i < slm_file_tensors(a); i++) {
        slm_tensor_info ta = SLM_TENSOR_INFO_INIT, tb = SLM_TENSOR_INFO_INIT;
        check_status(slm_file_tensor(a, i, &ta, &err), SLM_OK, &err);
        check_status(slm_file_tensor(b, i, &tb, &err), SLM_OK, &err);
        assert_string_equal(ta.name, tb.name);
        assert_string_equal(ta.type, tb.type);
        assert_memory_equal(ta.dims, tb.dims, sizeof ta.dims);
        assert_int_equal(tb.offset % 64, 0);
        const size_t n = (size_t)(ta.dims[0] * ta.dims[1]);
        float *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
        check_status(slm_file_read(a, i, x, n, &err), SLM_OK, &err);
        check_status(slm_file_read(b, i, y, n, &err), SLM_OK, &err);
        assert_memory_equal(x, y, n * sizeof *x);
        free(x);
        free(y);
    }
    slm_file_free(a);
    slm_file_free(b);
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    const char *from = test_path("f.gguf"), *small = test_path("q.gguf");
    const char *paths[3] = { test_path("1.slm"), test_path("2.slm"), test_path("3.slm") };
    make_gguf(from, "f16");
    q.type = "q8_0";
    q.threads = 1;
    check_status(slm_pack_file(from, paths[0], &q, &err), SLM_OK, &err);
    q.threads = 5;
    check_status(slm_pack_file(from, paths[1], &q, &err), SLM_OK, &err);
    check_status(slm_quantize_file(from, small, &q, &err), SLM_OK, &err);       /* in one step or in two */
    check_status(slm_pack_file(small, paths[2], NULL, &err), SLM_OK, &err);
    size_t n[3];
    uint8_t *bytes[3];
    for (size_t i = 0; i < 3; i++)
        bytes[i] = test_file_read(paths[i], &n[i]);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(n[0], n[i]);
        assert_memory_equal(bytes[0], bytes[i], n[0]);
    }
    for (size_t i = 0; i < 3; i++)
        free(bytes[i]);
}

static void mapped_weights_take_no_memory(void **state)
{
    (void)state;
    const char *path = make_packed("m.slm", "f32");
    slm_model_info mapped = SLM_MODEL_INFO_INIT, own = SLM_MODEL_INFO_INIT;
    slm_plan_info plan = SLM_PLAN_INFO_INIT;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_error err = { 0 };
    slm_model *a = open_as(path, 0, 0, NULL), *b = open_as(path, 1, 0, NULL);
    check_status(slm_model_get_info(a, &mapped, &err), SLM_OK, &err);
    check_status(slm_model_get_info(b, &own, &err), SLM_OK, &err);
    assert_int_equal(mapped.weight_bytes, own.weight_bytes);
    assert_true(own.heap_bytes > mapped.heap_bytes + mapped.weight_bytes * 9 / 10);
    check_status(slm_plan(&plan, path, NULL, NULL, &err), SLM_OK, &err);
    assert_int_equal(plan.weight_bytes, mapped.weight_bytes);
    assert_true(plan.mapped_bytes > mapped.weight_bytes * 9 / 10);
    assert_true(plan.model_bytes < mapped.heap_bytes + 4096 && plan.model_bytes + 4096 > mapped.heap_bytes);
    p.no_map = 1;
    check_status(slm_plan(&plan, path, &p, NULL, &err), SLM_OK, &err);
    assert_int_equal(plan.mapped_bytes, 0);
    assert_true(plan.model_bytes < own.heap_bytes + 4096 && plan.model_bytes + 4096 > own.heap_bytes);
    slm_model_free(a);
    slm_model_free(b);
}

/* A session saved with one form of a model goes on with the other: it is the same model. */
static void a_session_moves_between_packed_and_not(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const char *path = make_packed("m.slm", "q8_0"), *saved = test_path("session");
    slm_model *a = tiny_open(1, "q8_0", NULL), *b = open_as(path, 0, 0, NULL);
    slm_session *s = tiny_session(a, 100), *t = NULL;
    tiny_feed(s, 3, 0, 20);
    check_status(slm_session_save(s, saved, &err), SLM_OK, &err);
    check_status(slm_session_load(&t, b, saved, NULL, &err), SLM_OK, &err);
    tiny_reference(a);
    tiny_feed(t, 3, 20, 5);
    check_logits(t, 3, 25);
    tiny_forget();
    slm_session_free(s);
    slm_session_free(t);
    slm_model_free(a);
    slm_model_free(b);
}

/* ---- hostile bytes ---- */

static uint64_t number(const uint8_t *p, int bytes)
{
    return slm_le(p, bytes);
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* As an enemy would: the hashes of keys and table, the id and the head's own are those of what is there now. */
static void make_hashes_right(uint8_t *bytes, size_t n)
{
    char id[65];
    for (size_t at = 104; at < SAYS_END; at += 24) {
        const uint64_t offset = number(bytes + at, 8), size = number(bytes + at + 8, 8);
        if (offset <= n && size <= n - offset)
            put(bytes + at + 16, slm_xxh64_of(bytes + offset, (size_t)size), 8);
    }
    slm_sha256(id, bytes + SAYS, SAYS_END - SAYS);
    memcpy(bytes + 24, id, 64);
    put(bytes + HASHED, slm_xxh64_of(bytes, HASHED), 8);
}

static slm_status open_bytes(const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    in.memory = bytes;
    in.bytes = n;
    p.input = &in;
    p.threads = 1;
    p.memory_limit = 16 << 20;
    *err = (slm_error){ 0 };
    const slm_status status = slm_model_open(&model, "bent.slm", &p, err);
    if (status && (strncmp(err->text, "bent.slm: ", 10) != 0 || !strpbrk(err->text + 8, "0123456789")))
        fail_msg("no file or number in the message: %s", err->text);
    slm_model_free(model);
    return status;
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    slm_error err;
    size_t n;
    uint8_t *bytes = test_file_read(make_packed("m.slm", "q4_0"), &n);
    const size_t front = (size_t)(number(bytes + 128, 8) + number(bytes + 136, 8));
    assert_int_equal(open_bytes(bytes, n, &err), SLM_OK);
    uint8_t *copy = malloc(n);
    for (size_t cut = 0; cut < n; cut += cut < front + 70 ? 1 : 9973) {
        memcpy(copy, bytes, cut);               /* of exactly that size, so that a reader beyond it is seen by the sanitizers */
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, bytes, cut);
        if (open_bytes(exact, cut, &err) != SLM_E_FORMAT)
            fail_msg("cut to %zu bytes: %s", cut, err.text);
        free(exact);
        if (cut < HEAD)
            continue;
        put(copy + 16, cut, 8);                 /* with a head that agrees */
        make_hashes_right(copy, cut);
        if (open_bytes(copy, cut, &err) != SLM_E_FORMAT)
            fail_msg("cut to %zu bytes and said so: %s", cut, err.text);
    }
    free(copy);
    free(bytes);
}

/* Where the record of tensor `index` begins, and its fields. */
typedef struct record {
    size_t at, name, type, dims, dim, place;
} record;

static record find_record(const uint8_t *bytes, size_t index)
{
    size_t at = (size_t)number(bytes + 128, 8);
    for (size_t i = 0;; i++) {
        record r = { .at = at, .name = (size_t)number(bytes + at, 8) };
        r.type = at + 8 + r.name;
        r.dims = (size_t)number(bytes + r.type + 4, 4);
        r.dim = r.type + 8;
        r.place = r.dim + 8 * r.dims;
        if (i == index)
            return r;
        at = r.place + 24;
    }
}

static void every_number_of_the_front_is_checked(void **state)
{
    (void)state;
    static const uint64_t values[] = { 0, 1, 3, 63, 64, 65, 255, 4096, 65537, INT32_MAX, UINT32_MAX, UINT64_C(1) << 32, INT64_MAX,
                                       UINT64_MAX - 63, UINT64_MAX };
    slm_error err;
    size_t n;
    uint8_t *bytes = test_file_read(make_packed("m.slm", "q8_0"), &n), *copy = malloc(n);
    const record a = find_record(bytes, 0), b = find_record(bytes, 5);
    const struct { const char *what; size_t at; int bytes; } fields[] = {
        { "magic", 0, 8 }, { "version", 8, 4 }, { "bytes of the head", 12, 4 }, { "bytes of the file", 16, 8 }, { "layout", 88, 4 },
        { "tensors", 92, 4 }, { "keys", 96, 4 }, { "reserved", 100, 4 }, { "offset of the keys", 104, 8 }, { "bytes of the keys", 112, 8 },
        { "offset of the table", 128, 8 }, { "bytes of the table", 136, 8 }, { "reserved", 160, 8 }, { "reserved", 240, 8 },
        { "length of a name", a.at, 8 }, { "type", a.type, 4 }, { "dimensions", a.type + 4, 4 }, { "a dimension", a.dim, 8 },
        { "rows", a.dim + 8, 8 }, { "offset", a.place, 8 }, { "bytes", a.place + 8, 8 }, { "type of another", b.type, 4 },
        { "dimension of another", b.dim, 8 }, { "offset of another", b.place, 8 }, { "bytes of another", b.place + 8, 8 },
        { "length of a key", HEAD, 8 },
    };
    for (size_t i = 0; i < COUNT(fields); i++)
        for (size_t v = 0; v < COUNT(values); v++)
            for (int right = 0; right < 2; right++) {
                memcpy(copy, bytes, n);
                if (number(copy + fields[i].at, fields[i].bytes) == (fields[i].bytes == 4 ? (uint32_t)values[v] : values[v]))
                    continue;
                put(copy + fields[i].at, values[v], fields[i].bytes);
                if (right)
                    make_hashes_right(copy, n);
                const slm_status status = open_bytes(copy, n, &err);
                if (!right && fields[i].at >= HEAD && !status)
                    continue;                   /* nothing but the hash would tell, which an open does not look at */
                if (status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED && status != SLM_E_LIMIT)
                    fail_msg("%s is %" PRIu64 "%s: %s %s", fields[i].what, values[v], right ? ", hashes right" : "", slm_status_name(status),
                             err.text);
            }
    /* a hash of the front, and the id, where nobody made the rest right */
    for (size_t at = 24; at < HEAD; at++) {
        memcpy(copy, bytes, n);
        copy[at] ^= 0x40;
        if (open_bytes(copy, n, &err) != SLM_E_FORMAT)
            fail_msg("bit 6 of byte %zu: %s", at, err.text);
    }
    free(copy);
    free(bytes);
}

/* Fields that no single number breaks, each with hashes that are right. */
static void records_that_contradict_each_other_are_named(void **state)
{
    (void)state;
    slm_error err;
    size_t n;
    uint8_t *bytes = test_file_read(make_packed("m.slm", "f32"), &n), *copy = malloc(n + 64);
    const size_t end = (size_t)(number(bytes + 128, 8) + number(bytes + 136, 8));
    const record last = find_record(bytes, (size_t)number(bytes + 92, 4) - 1), a = find_record(bytes, 0);
    /* the id of other numbers, and a head that is not damaged */
    memcpy(copy, bytes, n);
    copy[24] ^= 1;
    put(copy + HASHED, slm_xxh64_of(copy, HASHED), 8);
    assert_int_equal(open_bytes(copy, n, &err), SLM_E_FORMAT);
    check_text(&err, "head: its id is");
    /* a record whose dims run out of the table */
    memcpy(copy, bytes, n);
    put(copy + last.at, end - 8 - (last.at + 8), 8);
    put(copy + end - 4, 2, 4);
    make_hashes_right(copy, n);
    assert_int_equal(open_bytes(copy, n, &err), SLM_E_FORMAT);
    check_text(&err, "the table ends inside it");
    /* three dimensions whose panels have no size: the name gives room for the third */
    assert_true(a.name > 8 && a.dims == 2);
    memcpy(copy, bytes, n);
    put(copy + a.at, a.name - 8, 8);
    memmove(copy + a.type - 8, bytes + a.type, 4);
    put(copy + a.type - 4, 3, 4);
    put(copy + a.type, 1, 8);
    put(copy + a.type + 8, 2147483647, 8);
    put(copy + a.type + 16, 536870912, 8);
    make_hashes_right(copy, n);
    assert_int_equal(open_bytes(copy, n, &err), SLM_E_FORMAT);
    check_text(&err, "rows of 1 values have no size");
    /* bytes behind the last tensor */
    memcpy(copy, bytes, n);
    memset(copy + n, 0, 64);
    put(copy + 16, n + 64, 8);
    make_hashes_right(copy, n + 64);
    assert_int_equal(open_bytes(copy, n + 64, &err), SLM_E_FORMAT);
    check_text(&err, "the last tensor ends at");
    free(copy);
    free(bytes);
    /* rows of W8A8 that a sum of 31 bits does not hold */
    bytes = test_file_read(make_packed("m.slm", "w8a8"), &n);
    record r = find_record(bytes, 0);
    for (size_t i = 1; !slm_type_by_id((uint32_t)number(bytes + r.type, 4))->head; i++)
        r = find_record(bytes, i);
    put(bytes + r.dim, 131136, 8);
    make_hashes_right(bytes, n);
    assert_int_equal(open_bytes(bytes, n, &err), SLM_E_FORMAT);
    check_text(&err, "rows of 131136 values");
    free(bytes);
}

static void a_weight_that_is_no_number_is_named(void **state)
{
    (void)state;
    slm_error err = { 0 };
    size_t n, at = 0;
    const char *path = make_packed("m.slm", "f32");
    uint8_t *bytes = test_file_read(path, &n);
    slm_file *file = NULL;
    check_status(slm_file_open(&file, path, NULL, &err), SLM_OK, &err);
    while (file->tensors[at].n_dims < 2)
        at++;
    const slm_tensor *t = &file->tensors[at];
    const size_t count = (size_t)(t->rows * t->dims[0]);
    float *values = malloc(count * sizeof *values);
    put(bytes + t->offset, 0x7f800000, 4);
    slm_file_free(file);
    test_file_write(path, bytes, n);
    file = NULL;
    check_status(slm_file_open(&file, path, NULL, &err), SLM_OK, &err);
    assert_int_equal(slm_file_read(file, at, values, count, &err), SLM_E_NUMERIC);
    check_text(&err, "row 0, value 0: not a finite number");
    slm_file_free(file);
    free(values);
    free(bytes);
}

static void a_flipped_bit_anywhere_is_found_by_the_check(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_check_info info = SLM_CHECK_INFO_INIT;
    size_t n;
    const char *path = make_packed("m.slm", "q4_0");
    uint8_t *bytes = test_file_read(path, &n);
    check_status(slm_check_file(path, NULL, &info, &err), SLM_OK, &err);
    assert_string_equal(info.kind, "packed");
    assert_int_equal(info.bytes, n);
    for (size_t i = 0; i < 300; i++) {
        const size_t at = i < 40 ? HEAD + i * 7 : (size_t)(slm_random_u64(5, i) % n);
        bytes[at] ^= (uint8_t)(1u << i % 8);
        test_file_write(path, bytes, n);
        info.kind = "untouched";
        const slm_status status = slm_check_file(path, NULL, &info, &err);
        if (!status || status == SLM_E_IO || status == SLM_E_MEMORY)
            fail_msg("bit %zu of byte %zu: %s %s", i % 8, at, slm_status_name(status), err.text);
        assert_string_equal(info.kind, "untouched");
        bytes[at] ^= (uint8_t)(1u << i % 8);
    }
    bytes[n - 70] ^= 1;                         /* a weight: found when asked for, not otherwise */
    test_file_write(path, bytes, n);
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    check_status(slm_model_open(&model, path, &p, &err), SLM_OK, &err);
    slm_model_free(model);
    model = NULL;
    p.verify = 1;
    check_status(slm_model_open(&model, path, &p, &err), SLM_E_FORMAT, &err);
    check_text(&err, "is damaged");
    assert_null(model);
    free(bytes);
}

/* Any bits for weights: no crash, and a number or a status. */
static void weights_of_noise_harm_nothing(void **state)
{
    (void)state;
    static const char *const types[] = { "f32", "q4_0", "q5_1", "w8a8" };
    for (size_t k = 0; k < COUNT(types); k++) {
        slm_error err = { 0 };
        size_t n;
        const char *path = make_packed("m.slm", types[k]);
        uint8_t *bytes = test_file_read(path, &n);
        slm_file *file = NULL;
        check_status(slm_file_open(&file, path, NULL, &err), SLM_OK, &err);
        for (size_t t = 0; t < file->n_tensors; t++)            /* vectors are numbers or no model */
            for (uint64_t i = 0; file->tensors[t].n_dims > 1 && i < file->tensors[t].bytes; i++)
                bytes[file->tensors[t].offset + i] = (uint8_t)slm_random_u64(k, i);
        slm_file_free(file);
        test_file_write(path, bytes, n);
        free(bytes);
        slm_model *model = NULL;
        check_status(slm_model_open(&model, path, NULL, &err), SLM_OK, &err);
        slm_session *s = tiny_session(model, 100);
        const int32_t tokens[3] = { 1, 2, 3 };
        const slm_status status = slm_session_feed(s, tokens, 3, &err);
        if (status != SLM_OK && status != SLM_E_NUMERIC)
            fail_msg("%s: %s %s", types[k], slm_status_name(status), err.text);
        slm_session_free(s);
        slm_model_free(model);
    }
}

static void only_packed_files_have_w8a8(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    size_t n;
    uint8_t *file = tiny_file(1, "q8_0", &n);
    uint8_t *name = memmem(file, n, "token_embd.weight", 17);
    assert_non_null(name);
    put(name + 17 + 4 + 16, SLM_ID_W8A8, 4);
    check_status(open_bytes(file, n, &err), SLM_E_UNSUPPORTED, &err);
    free(file);
    const char *from = test_path("s.gguf"), *to = test_path("t.gguf");
    make_gguf(from, "f32");
    q.type = "w8a8";
    check_status(slm_quantize_file(from, to, &q, &err), SLM_E_UNSUPPORTED, &err);
    q.type = "q8_0";
    check_status(slm_quantize_file(make_packed("m.slm", "f32"), to, &q, &err), SLM_E_UNSUPPORTED, &err);
    check_text(&err, "is packed");
    check_status(slm_pack_file(test_path("m.slm"), to, NULL, &err), SLM_E_UNSUPPORTED, &err);
    check_status(slm_check_file(from, NULL, NULL, &err), SLM_E_UNSUPPORTED, &err);
    check_status(slm_check_file("no such file", NULL, NULL, &err), SLM_E_NOT_FOUND, &err);
    check_status(slm_check_file(NULL, NULL, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_pack_file(NULL, to, NULL, &err), SLM_E_ARG, &err);
}

/* Each row's error is within half a step of its own largest value; what cannot be a weight is found. */
static void w8a8_rows_keep_their_scale(void **state)
{
    (void)state;
    enum { COLS = 200 };
    const slm_type *type = slm_type_by_option("w8a8");
    assert_non_null(type);
    float row[COLS], back[COLS], other[COLS];
    uint8_t disk[16 * (4 + COLS)];
    static _Alignas(64) uint8_t panel[64 + 4 * SLM_STEP_W8A8];
    size_t bad_row = 0, bad_block = 9;
    for (size_t r = 0; r < 16; r++) {
        float most = 0;
        for (size_t k = 0; k < COLS; k++) {
            row[k] = r == 3 ? 0 : r == 4 ? 1e-39f : ((float)slm_random_unit(r, k) - 0.5f) * (r == 5 ? 1e30f : (float)(r + 1));
            most = fabsf(row[k]) > most ? fabsf(row[k]) : most;
        }
        type->quantize(disk + r * (4 + COLS), row, COLS);
        type->dequantize(back, disk + r * (4 + COLS), COLS);
        assert_int_equal(type->nonfinite(disk + r * (4 + COLS), COLS), SIZE_MAX);
        for (size_t k = 0; k < COLS; k++)
            if (!(fabsf(back[k] - row[k]) <= most / 253 + 0x1p-100f))
                fail_msg("row %zu: %g became %g", r, (double)row[k], (double)back[k]);
    }
    assert_true(type->pack(panel, disk, 4 + COLS, 16, COLS, &bad_row, &bad_block));
    for (size_t r = 0; r < 16; r++) {
        type->unpack(other, panel, r, COLS);
        type->dequantize(back, disk + r * (4 + COLS), COLS);
        assert_memory_equal(other, back, sizeof back);
    }
    row[17] = INFINITY;
    type->quantize(disk + 7 * (4 + COLS), row, COLS);
    assert_int_equal(type->nonfinite(disk + 7 * (4 + COLS), COLS), 0);
    assert_false(type->pack(panel, disk, 4 + COLS, 16, COLS, &bad_row, &bad_block));
    assert_int_equal(bad_row, 7);
    row[17] = NAN;
    type->quantize(disk, row, COLS);
    assert_int_equal(type->nonfinite(disk, COLS), 0);
}

/* ---- files that change ---- */

enum change { WRITTEN, TOUCHED, GROWN, REPLACED, REMOVED };

static void change(const char *path, enum change how)
{
    struct stat st;
    const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
    assert_int_equal(stat(path, &st), 0);
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    if (how == WRITTEN)
        assert_int_equal(pwrite(fd, "x", 1, st.st_size - 1), 1);
    if (how == GROWN)
        assert_int_equal(pwrite(fd, "x", 1, st.st_size), 1);
    if (how == TOUCHED)
        assert_int_equal(futimens(fd, times), 0);
    (void)close(fd);
    if (how == REMOVED)
        assert_int_equal(unlink(path), 0);
    if (how == REPLACED) {
        test_file_write(test_path("other"), "other", 5);
        assert_int_equal(rename(test_path("other"), path), 0);
    }
}

static void a_file_that_changes_is_noticed(void **state)
{
    (void)state;
    static const struct { enum change how; slm_status want; } cases[] = {
        { WRITTEN, SLM_E_CHANGED }, { TOUCHED, SLM_E_CHANGED }, { GROWN, SLM_E_CHANGED }, { REPLACED, SLM_E_CHANGED }, { REMOVED, SLM_OK },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t no_map = 0; no_map < 2; no_map++) {
            const char *path = make_packed("m.slm", "q8_0");
            slm_error err = { 0 };
            slm_model *model = open_as(path, no_map, 0, NULL);
            slm_session *s = tiny_session(model, 200);
            const struct timespec wait = { 0, 20000000 };       /* a tick of the file system's clock */
            size_t steps = 0;
            slm_status status = SLM_OK;
            tiny_feed(s, 3, 0, 5);
            (void)nanosleep(&wait, NULL);
            change(path, cases[i].how);
            for (; !status && steps < 64; steps++) {
                const int32_t token = tiny_token(3, 5 + steps);
                status = slm_session_feed(s, &token, 1, &err);
            }
            if (status != (no_map ? SLM_OK : cases[i].want))
                fail_msg("change %zu, no_map %u: %s %s", i, no_map, slm_status_name(status), err.text);
            if (status)
                assert_int_equal(slm_session_position(s), 5 + steps - 1);
            slm_session_free(s);
            slm_model_free(model);
        }
}

/* ---- refusals and killings ---- */

static size_t descriptors(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n;
}

static void a_map_that_the_system_refuses_is_no_model(void **state)
{
    (void)state;
    const char *path = make_packed("m.slm", "q8_0");
    const size_t open_now = descriptors();
    slm_error err = { 0 };
    slm_model *model = NULL;
    refused = ENOMEM;
    const slm_status status = slm_model_open(&model, path, NULL, &err);
    refused = 0;
    check_status(status, SLM_E_IO, &err);
    assert_int_equal(err.code, ENOMEM);
    check_text(&err, "mapping");
    assert_null(model);
    assert_int_equal(descriptors(), open_now);
    slm_model_free(open_as(path, 0, 0, NULL));
    assert_int_equal(descriptors(), open_now);
}

typedef struct scenario {
    const char *gguf, *packed;
    uint32_t no_map;
} scenario;

static slm_status open_it(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    const scenario *c = ctx;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.allocator = allocator;
    p.threads = 2;
    p.no_map = c->no_map;
    p.verify = 1;
    return slm_model_open((slm_model **)out, c->packed, &p, err);
}

static void drop_model(void *ctx, void *model)
{
    (void)ctx;
    slm_model_free(model);
}

static slm_status pack_it(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    const scenario *c = ctx;
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    q.allocator = allocator;
    q.type = "w8a8";
    q.threads = 2;
    test_file_write(c->packed, "old", 3);
    const slm_status status = slm_pack_file(c->gguf, c->packed, &q, err);
    assert_true(!status == !test_file_is(c->packed, "old"));
    if (!status)
        *out = ctx;
    return status;
}

static slm_status check_it(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    const scenario *c = ctx;
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.allocator = allocator;
    const slm_status status = slm_check_file(c->packed, &p, NULL, err);
    if (!status)
        *out = ctx;
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    scenario c = { test_path("a.gguf"), make_packed("m.slm", "q8_0"), 0 };
    make_gguf(c.gguf, "f32");
    assert_true(fail_alloc_every("open mapped", open_it, drop_model, &c) > 20);
    c.no_map = 1;
    assert_true(fail_alloc_every("open read", open_it, drop_model, &c) > 20);
    assert_true(fail_alloc_every("check", check_it, NULL, &c) > 5);
    assert_true(fail_alloc_every("pack", pack_it, NULL, &c) > 20);
    const size_t entries = test_folder_entries();
    slm_model *model = NULL;
    slm_session *s = NULL;
    slm_error err = { 0 };
    check_status(slm_model_open(&model, c.packed, NULL, &err), SLM_OK, &err);
    s = tiny_session(model, 100);
    tiny_feed(s, 1, 0, 5);
    c.packed = test_path("saved");
    check_status(slm_session_save(s, c.packed, &err), SLM_OK, &err);
    assert_true(fail_alloc_every("check a session", check_it, NULL, &c) > 0);
    slm_session_free(s);
    slm_model_free(model);
    assert_int_equal(test_folder_entries(), entries + 1);
}

static void a_session_file_is_checked_without_its_model(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_check_info info = SLM_CHECK_INFO_INIT;
    const char *path = test_path("session");
    slm_model *model = tiny_open(1, "q8_0", NULL);
    slm_session *s = tiny_session(model, 100);
    size_t n;
    tiny_feed(s, 1, 0, 70);
    check_status(slm_session_save(s, path, &err), SLM_OK, &err);
    slm_session_free(s);
    slm_model_free(model);
    check_status(slm_check_file(path, NULL, &info, &err), SLM_OK, &err);
    assert_string_equal(info.kind, "session");
    assert_int_equal(info.sections, 4);
    uint8_t *bytes = test_file_read(path, &n);
    for (size_t i = 0; i < 200; i++) {
        const size_t at = i < 100 ? i * 2 + 8 : (size_t)(slm_random_u64(5, i) % n);
        bytes[at] ^= 4;
        test_file_write(path, bytes, n);
        const slm_status status = slm_check_file(path, NULL, &info, &err);
        if (status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED)
            fail_msg("byte %zu: %s", at, slm_status_name(status));
        bytes[at] ^= 4;
    }
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 7 : 1111) {
        test_file_write(path, bytes, cut);
        const slm_status status = slm_check_file(path, NULL, &info, &err);
        if (status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED)
            fail_msg("cut to %zu: %s", cut, slm_status_name(status));
    }
    free(bytes);
}

/* A packer killed at any time leaves the old file or the whole new one. */
static void a_killed_packer_leaves_a_whole_file(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const char *from = test_path("source.gguf"), *path = make_packed("m.slm", "q8_0");
    for (long us = 0; us < 30000; us += 1500) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
            q.threads = 1;
            for (int i = 0; i < 1000; i++)
                (void)slm_pack_file(from, path, &q, NULL);
            _exit(0);
        }
        const struct timespec wait = { 0, us * 1000 };
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        check_status(slm_check_file(path, NULL, NULL, &err), SLM_OK, &err);
    }
}

static void *live(void *path)
{
    slm_error err = { 0 };
    slm_model *model = NULL;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    p.threads = q.threads = 1;
    q.type = "w8a8";
    if (slm_pack_file(test_path("source.gguf"), path, &q, &err) || slm_check_file(path, NULL, NULL, &err) ||
        slm_model_open(&model, path, &p, &err))
        return path;
    slm_model_free(model);
    return NULL;
}

static void a_small_stack_is_enough(void **state)
{
    (void)state;
    char path[256];
    (void)snprintf(path, sizeof path, "%s", make_packed("m.slm", "f32"));
    assert_null(test_small_stack(live, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_model_computes_the_same_bits),
        cmocka_unit_test(w8a8_computes_the_same_bits_on_every_instruction_set),
        cmocka_unit_test(what_is_in_the_file_is_in_the_packed_one),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(mapped_weights_take_no_memory),
        cmocka_unit_test(a_session_moves_between_packed_and_not),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(every_number_of_the_front_is_checked),
        cmocka_unit_test(records_that_contradict_each_other_are_named),
        cmocka_unit_test(a_weight_that_is_no_number_is_named),
        cmocka_unit_test(a_flipped_bit_anywhere_is_found_by_the_check),
        cmocka_unit_test(weights_of_noise_harm_nothing),
        cmocka_unit_test(only_packed_files_have_w8a8),
        cmocka_unit_test(w8a8_rows_keep_their_scale),
        cmocka_unit_test(a_file_that_changes_is_noticed),
        cmocka_unit_test(a_map_that_the_system_refuses_is_no_model),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_session_file_is_checked_without_its_model),
        cmocka_unit_test(a_killed_packer_leaves_a_whole_file),
        cmocka_unit_test(a_small_stack_is_enough),
    };
    return cmocka_run_group_tests_name("packed", tests, NULL, test_folder_remove) != 0;
}
