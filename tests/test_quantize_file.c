/* test_quantize_file.c -- slm_quantize_file and slm_convert_file: types and errors of the golden table, the same bytes for any number
 * of threads, and failures that leave no file behind. */
#include "files.h"

#include "core/json.h"

#include <dirent.h>

#define QUANTIZED SHARED "models/golden/quantized/"
#define STORIES SHARED "models/stories260k/stories260K.gguf"

/* ---- what the tensor callback said ---- */

typedef struct report {
    struct { char name[80], type[16]; double mse; } list[256];
    size_t n;
    uint64_t done, total;
    size_t calls, stop_at;      /* stop at that call of progress; 0: never */
} report;

static void tensor_done(void *user, const char *tensor, const char *type, double mse)
{
    report *r = user;
    assert_true(r->n < COUNT(r->list));
    (void)snprintf(r->list[r->n].name, sizeof r->list->name, "%s", tensor);
    (void)snprintf(r->list[r->n].type, sizeof r->list->type, "%s", type);
    r->list[r->n++].mse = mse;
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    report *r = user;
    assert_true(done >= r->done && done <= total);
    r->done = done;
    r->total = total;
    return ++r->calls == r->stop_at;
}

static slm_quantize_params params_of(const char *type, report *r)
{
    slm_quantize_params p = SLM_QUANTIZE_PARAMS_INIT;
    p.type = type;
    p.user = r;
    p.tensor = r ? tensor_done : NULL;
    p.progress = r ? progress : NULL;
    if (r)
        memset(r, 0, sizeof *r);
    return p;
}

static report said;

static void quantize(const char *in, const char *out, const char *type)
{
    slm_error err = { 0 };
    const slm_quantize_params p = params_of(type, &said);
    if (slm_quantize_file(in, out, &p, &err) != SLM_OK)
        fail_msg("%s to %s: %s", in, type, err.text);
    assert_int_equal(said.done, said.total);
}

/* ---- the golden table ---- */

typedef struct entry {
    char file[32], name[64], type[16];
    double mse;                 /* -1: none */
} entry;

static entry table[1024];
static size_t entries;

static void text_of(const slm_json *json, char *out, size_t room)
{
    (void)snprintf(out, room, "%.*s", (int)json->text_len, (const char *)json->base + json->text);
}

/* file -> tensor -> { type, shape, sha256, mse } */
static void read_table(void)
{
    static slm_json json;
    slm_error err = { 0 };
    size_t n;
    entry e;
    if (entries)
        return;
    uint8_t *bytes = slurp(QUANTIZED "dequant.json", &n);
    assert_int_equal(slm_json_init(&json, bytes, n, "dequant.json", &err), SLM_OK);
    for (char field[16] = "";;) {
        assert_int_equal(slm_json_next(&json, &err), SLM_OK);
        if (json.kind == SLM_JSON_END)
            break;
        if (json.kind == SLM_JSON_KEY && json.depth == 1)
            text_of(&json, e.file, sizeof e.file);
        if (json.kind == SLM_JSON_KEY && json.depth == 2)
            text_of(&json, e.name, sizeof e.name);
        if (json.kind == SLM_JSON_KEY && json.depth == 3)
            text_of(&json, field, sizeof field);
        if (json.kind == SLM_JSON_OBJECT && json.depth == 3)
            e.mse = -1;
        if (json.kind == SLM_JSON_STRING && !strcmp(field, "type"))
            text_of(&json, e.type, sizeof e.type);
        if (json.kind == SLM_JSON_NUMBER && !strcmp(field, "mse"))
            assert_int_equal(slm_json_double(&json, &e.mse, &err), SLM_OK);
        if (json.kind == SLM_JSON_OBJECT_END && json.depth == 2) {
            assert_true(entries < COUNT(table));
            table[entries++] = e;
        }
    }
    free(bytes);
    assert_true(entries > 400);
}

static double error_of(const slm_file *a, const slm_file *b, const char *tensor)
{
    size_t n, m;
    double sum = 0;
    float *x = read_tensor(a, tensor, &n), *y = read_tensor(b, tensor, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    free(x);
    free(y);
    return sum / (double)n;
}

static const struct golden { const char *source, *file, *type; uint64_t file_type; } goldens[] = {
    { "g96-F32", "g96-F16.gguf", "f16", 1 },   { "g96-F32", "g96-BF16.gguf", "bf16", 32 }, { "g96-F32", "g96-Q8_0.gguf", "q8_0", 7 },
    { "g96-F32", "g96-Q4_0.gguf", "q4_0", 2 }, { "g256-F16", "g256-F16.gguf", "f16", 1 },  { "g256-F16", "g256-Q8_0.gguf", "q8_0", 7 },
    { "g256-F16", "g256-Q4_0.gguf", "q4_0", 2 },
    { "g96-F32", "g96-Q4_1.gguf", "q4_1", 3 }, { "g256-F16", "g256-Q4_1.gguf", "q4_1", 3 },
    { "g96-F32", "g96-Q5_0.gguf", "q5_0", 8 }, { "g256-F16", "g256-Q5_0.gguf", "q5_0", 8 },
    { "g96-F32", "g96-Q5_1.gguf", "q5_1", 9 }, { "g256-F16", "g256-Q5_1.gguf", "q5_1", 9 },
    { "g96-F32", "g96-Q4_K_S.gguf", "q4_k_s", 14 }, { "g256-F16", "g256-Q4_K_S.gguf", "q4_k_s", 14 },
    { "g96-F32", "g96-Q4_K_M.gguf", "q4_k_m", 15 }, { "g256-F16", "g256-Q4_K_M.gguf", "q4_k_m", 15 },
    { "g96-F32", "g96-Q5_K_M.gguf", "q5_k_m", 17 }, { "g256-F16", "g256-Q5_K_M.gguf", "q5_k_m", 17 },
    { "g256-F16", "g256-Q6_K.gguf", "q6_k", 18 },
    { "g256-F16", "g256-Q2_K.gguf", "q2_k", 10 },
    { "g96-F32", "g96-Q3_K_M.gguf", "q3_k_m", 12 }, { "g256-F16", "g256-Q3_K_M.gguf", "q3_k_m", 12 },
    { "g96-F32", "g96-IQ4_NL.gguf", "iq4_nl", 25 }, { "g256-F16", "g256-IQ4_NL.gguf", "iq4_nl", 25 },
    { "g256-F16", "g256-IQ4_XS.gguf", "iq4_xs", 30 },
    /* the files that were not kept, having the same weights */
    { "g96-F32", "g96-Q4_0.gguf", "q2_k", 10 }, { "g96-F32", "g96-Q8_0.gguf", "q6_k", 18 }, { "g96-F32", "g96-IQ4_NL.gguf", "iq4_xs", 30 },
};

static void types_and_errors_are_those_of_the_table(void **state)
{
    const struct golden *g = *state;
    NEEDS_SHARED;
    char in[160];
    size_t checked = 0;
    uint64_t number = 0;
    bool found;
    read_table();
    (void)snprintf(in, sizeof in, QUANTIZED "%s.gguf", g->source);
    const char *out = in_scratch("q.gguf");
    quantize(in, out, g->type);
    slm_file *source = open_file(in, NULL), *file = open_file(out, NULL);
    for (size_t i = 0; i < entries; i++) {
        const entry *e = &table[i];
        size_t at = 0;
        if (strcmp(e->file, g->file))
            continue;
        while (at < said.n && strcmp(said.list[at].name, e->name))
            at++;
        if (at == said.n)
            fail_msg("%s: nothing was said of '%s'", g->file, e->name);
        const double mse = error_of(source, file, e->name);
        if (strcmp(slm_file_find(file, e->name)->type->name, e->type) || strcmp(said.list[at].type, e->type))
            fail_msg("%s: '%s' is %s, the table has %s", g->file, e->name, said.list[at].type, e->type);
        if (mse > 1.02 * (e->mse < 0 ? 0 : e->mse) + 1e-12)
            fail_msg("%s: '%s': mean squared error %g, the table has %g", g->file, e->name, mse, e->mse);
        if (fabs(mse - said.list[at].mse) > 1e-9 * mse)
            fail_msg("%s: '%s': mean squared error %g, the callback said %g", g->file, e->name, mse, said.list[at].mse);
        checked++;
    }
    assert_int_equal(checked, file->n_tensors);
    assert_int_equal(slm_keys_u64(&file->keys, "general.file_type", &number, &found, NULL), SLM_OK);
    assert_int_equal(number, g->file_type);
    assert_int_equal(slm_keys_u64(&file->keys, "general.quantization_version", &number, &found, NULL), SLM_OK);
    assert_int_equal(number, 2);
    slm_file_free(source);
    slm_file_free(file);
}

/* Quantizing to the same blocks as the published tool gives the same bytes of a tensor, where both round alike. */
static void the_8_bit_file_is_the_published_one(void **state)
{
    (void)state;
    NEEDS_SHARED;
    const char *out = in_scratch("q.gguf");
    size_t same = 0, all = 0;
    quantize(QUANTIZED "g96-F32.gguf", out, "q8_0");
    slm_file *file = open_file(out, NULL), *want = open_file(QUANTIZED "g96-Q8_0.gguf", NULL);
    for (size_t i = 0; i < file->n_tensors; i++) {
        size_t n, m;
        float *a = read_tensor(file, file->tensors[i].name, &n), *b = read_tensor(want, file->tensors[i].name, &m);
        for (size_t k = 0; k < n; k++, all++)
            same += memcmp(a + k, b + k, 4) == 0;
        free(a);
        free(b);
    }
    print_message("%zu of %zu values have the published bits\n", same, all);
    assert_true(same >= all - all / 1000);
    slm_file_free(file);
    slm_file_free(want);
}

static const char *type_in(const char *path, const char *tensor)
{
    slm_file *file = open_file(path, NULL);
    const slm_tensor *t = slm_file_find(file, tensor);
    assert_non_null(t);
    const char *type = t->type->name;
    slm_file_free(file);
    return type;
}

static void heads_and_odd_rows_keep_a_finer_type(void **state)
{
    (void)state;
    NEEDS_SHARED;
    const char *out = in_scratch("q.gguf");
    quantize(STORIES, out, "q4_0");
    assert_string_equal(type_in(out, "output.weight"), "Q8_0");
    assert_string_equal(type_in(out, "token_embd.weight"), "Q4_0");
    assert_string_equal(type_in(out, "blk.0.attn_q.weight"), "Q4_0");
    assert_string_equal(type_in(out, "blk.0.ffn_down.weight"), "F32");      /* rows of 172 */
    assert_string_equal(type_in(out, "blk.0.ffn_norm.weight"), "F32");
    quantize(QUANTIZED "g256-F16.gguf", out, "q4_0");
    assert_string_equal(type_in(out, "token_embd.weight"), "Q6_K");         /* tied: it is the head */
    quantize(STORIES, in_scratch("half.gguf"), "f16");
    assert_string_equal(type_in(in_scratch("half.gguf"), "blk.0.ffn_down.weight"), "F16");
    quantize(in_scratch("half.gguf"), out, "q8_0");
    assert_string_equal(type_in(out, "blk.0.ffn_down.weight"), "F16");
    quantize(SHARED "models/golden/gpt2.gguf", out, "q8_0");
    assert_string_equal(type_in(out, "position_embd.weight"), "F32");
    quantize(SHARED "models/golden/stablelm-parallel.gguf", out, "q4_0");
    assert_string_equal(type_in(out, "blk.0.attn_q_norm.weight"), "F32");   /* two dimensions, and no product */
    assert_string_equal(type_in(out, "blk.0.attn_k_norm.weight"), "F32");
    quantize(SHARED "models/golden/llama-llama3rope.gguf", out, "f16");
    assert_string_equal(type_in(out, "rope_freqs.weight"), "F32");
}

/* ---- the bytes ---- */

static void same_bytes(const char *a, const char *b)
{
    size_t n, m;
    uint8_t *x = slurp(a, &n), *y = slurp(b, &m);
    assert_int_equal(n, m);
    if (memcmp(x, y, n) != 0)
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}

static void threads_change_no_byte(void **state)
{
    (void)state;
    NEEDS_SHARED;
    static const char *const types[] = { "f16", "q8_0", "q4_0", "q5_1", "q4_k_m", "iq4_nl" };
    for (size_t i = 0; i < COUNT(types); i++) {
        double mse[64];
        for (uint32_t threads = 1; threads <= 5; threads++) {
            slm_error err = { 0 };
            const char *out = in_scratch(threads == 1 ? "one.gguf" : "many.gguf");
            slm_quantize_params p = params_of(types[i], &said);
            p.threads = threads;
            assert_int_equal(slm_quantize_file(QUANTIZED "g96-F32.gguf", out, &p, &err), SLM_OK);
            for (size_t k = 0; k < said.n; k++) {
                if (threads == 1)
                    mse[k] = said.list[k].mse;
                assert_memory_equal(&mse[k], &said.list[k].mse, sizeof *mse);
            }
            if (threads > 1)
                same_bytes(in_scratch("one.gguf"), out);
        }
    }
}

static void a_file_may_replace_itself(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n;
    uint8_t *bytes = slurp(QUANTIZED "g96-F32.gguf", &n);
    const char *path = in_scratch("self.gguf");
    spit(path, bytes, n);
    quantize(path, in_scratch("other.gguf"), "q8_0");
    quantize(path, path, "q8_0");
    same_bytes(path, in_scratch("other.gguf"));
    quantize(path, path, "q8_0");                       /* its blocks are copied, not rounded again */
    same_bytes(path, in_scratch("other.gguf"));
    for (size_t i = 0; i < said.n; i++)
        assert_true(said.list[i].mse == 0);
    free(bytes);
}

static void a_conversion_keeps_the_weights(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_error err = { 0 };
    const char *out = in_scratch("c.gguf");
    slm_quantize_params p = params_of(NULL, &said);
    p.tokenizer_path = SHARED "models/stories260k/tok512.bin";
    const char *in = SHARED "models/stories260k/stories260K.bin";
    if (slm_convert_file(in, out, &p, &err) != SLM_OK)
        fail_msg("%s", err.text);
    slm_file *a = open_file(in, p.tokenizer_path), *b = open_file(out, NULL);
    assert_string_equal(b->format, "GGUF v3");
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (size_t i = 0; i < a->n_tensors; i++)
        assert_true(error_of(a, b, a->tensors[i].name) == 0);
    assert_int_equal(a->keys.n, b->keys.n);
    for (size_t i = 0; i < a->keys.n; i++) {
        assert_string_equal(a->keys.list[i].name, b->keys.list[i].name);
        assert_int_equal(a->keys.list[i].bytes, b->keys.list[i].bytes);
        assert_memory_equal(a->keys.list[i].value, b->keys.list[i].value, a->keys.list[i].bytes);
    }
    slm_file_free(a);
    slm_file_free(b);
    p.type = "f16";
    assert_int_equal(slm_convert_file(in, out, &p, &err), SLM_E_ARG);
}

/* ---- failures ---- */

static size_t files_in_scratch(void)
{
    size_t n = 0;
    DIR *dir = opendir(scratch);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

/* Runs it; the status, file and thing must be as said, and no file may have come or gone. */
static void fails(const char *in, const char *type, slm_status want, const char *says, size_t stop_at)
{
    slm_error err = { 0 };
    const size_t before = files_in_scratch();
    slm_quantize_params p = params_of(type, &said);
    said.stop_at = stop_at;
    const slm_status status = slm_quantize_file(in, in_scratch("never.gguf"), &p, &err);
    if (status != want || !strstr(err.text, says))
        fail_msg("%s to %s: %s: %s; wanted %s about '%s'", in, type ? type : "NULL", slm_status_name(status), err.text, slm_status_name(want),
                 says);
    assert_int_equal(files_in_scratch(), before);
}

/* A copy of a file whose tensor says that it is of another type. */
static const char *with_type_number(const char *tensor, uint8_t number)
{
    const char *path = in_scratch("other.gguf");
    size_t n, at = 0;
    uint8_t *bytes = slurp(QUANTIZED "g256-IQ4_XS.gguf", &n);
    while (memcmp(bytes + at, tensor, strlen(tensor)))
        at++;
    bytes[at + strlen(tensor) + 4 + 2 * 8] = number;       /* behind the number of dimensions and two of them */
    spit(path, bytes, n);
    free(bytes);
    return path;
}

static void failures_leave_no_file(void **state)
{
    (void)state;
    NEEDS_SHARED;
    const char *source = QUANTIZED "g96-F32.gguf";
    fails(source, NULL, SLM_E_ARG, "q8_0", 0);
    fails(source, "q6_k_xl", SLM_E_UNSUPPORTED, "q8_0", 0);
    fails("/nowhere.gguf", "f16", SLM_E_NOT_FOUND, "/nowhere.gguf", 0);
    fails(QUANTIZED "dequant.json", "f16", SLM_E_FORMAT, "dequant.json", 0);
    fails(with_type_number("blk.1.ffn_up.weight", 21), "f16", SLM_E_UNSUPPORTED, "IQ3_S", 0);
    for (size_t i = 1; i < 22; i++)
        fails(source, "q4_0", SLM_E_CALLBACK, "stopped", i);
    slm_error err = { 0 };
    slm_quantize_params p = params_of("f16", NULL);
    assert_int_equal(slm_quantize_file(source, "/nowhere/out.gguf", &p, &err), SLM_E_IO);
    assert_int_equal(slm_quantize_file(NULL, "x", &p, &err), SLM_E_ARG);
    assert_int_equal(slm_quantize_file(source, NULL, &p, &err), SLM_E_ARG);
    p.memory_limit = 1 << 20;
    err = (slm_error){ 0 };
    assert_int_equal(slm_quantize_file(source, in_scratch("never.gguf"), &p, &err), SLM_E_MEMORY);
}

static void values_that_are_no_numbers_are_named(void **state)
{
    (void)state;
    NEEDS_SHARED;
    static const struct { uint32_t bits; const char *type, *says; } rows[] = {
        { 0x7fc00000, "q8_0", "no finite number at index 1234" }, { 0xff800000, "f32", "no finite number at index 1234" },
        { 0x7f800000, "q4_0", "no finite number at index 1234" }, { 0x47800000 /* 65536 */, "f16", "too large for F16" },
        { 0x7f000000, "q8_0", "too large for Q8_0" },
    };
    size_t n;
    uint8_t *bytes = slurp(QUANTIZED "g96-F32.gguf", &n);
    slm_file *file = open_file(QUANTIZED "g96-F32.gguf", NULL);
    const size_t at = (size_t)slm_file_find(file, "blk.1.ffn_up.weight")->offset + 4 * 1234;
    char path[160];
    (void)snprintf(path, sizeof path, "%s", in_scratch("bad.gguf"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(bytes + at, &rows[i].bits, 4);
        spit(path, bytes, n);
        fails(path, rows[i].type, SLM_E_NUMERIC, rows[i].says, 0);
        fails(path, rows[i].type, SLM_E_NUMERIC, "blk.1.ffn_up.weight", 0);
    }
    slm_file_free(file);
    free(bytes);
}

/* A block of zeros and one value so small that 1 / scale is infinite: its scale is 0 in f16, whatever the integers are. */
static void the_smallest_values_are_quantized_to_zero(void **state)
{
    (void)state;
    static const char *const types[] = { "q8_0", "q4_0" };
    static const float tiny[] = { 0x1p-149f, 0x1p-140f, 0x1p-127f, 0x1p-126f, 0x1p-100f };
    for (size_t i = 0; i < COUNT(tiny); i++)
        for (size_t t = 0; t < COUNT(types); t++) {
            const slm_type *type = slm_type_by_option(types[t]);
            float values[32] = { 0 }, back[32];
            uint8_t stored[64];
            values[5] = tiny[i];
            values[6] = -tiny[i];
            type->quantize(stored, values, 32);
            assert_int_equal(type->nonfinite(stored, 32), SIZE_MAX);
            type->dequantize(back, stored, 32);
            for (size_t k = 0; k < 32; k++)
                if (back[k] != 0)
                    fail_msg("%s: %g among zeros: value %zu became %g", types[t], (double)tiny[i], k, (double)back[k]);
        }
}

/* ---- every allocation refused, one by one ---- */

typedef struct refuser {
    size_t calls, refuse;       /* refuse: number of the call that fails, from 1 */
    int forever;                /* and all later ones */
    int64_t live;
} refuser;

static void *count_alloc(void *user, size_t size)
{
    refuser *r = user;
    r->calls++;
    if (r->calls == r->refuse || (r->forever && r->refuse && r->calls > r->refuse))
        return NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size))
        return NULL;
    r->live += (int64_t)size;
    return memory;
}

static void count_release(void *user, void *memory, size_t size)
{
    ((refuser *)user)->live -= (int64_t)size;
    free(memory);
}

static void any_allocation_may_be_refused(void **state)
{
    (void)state;
    NEEDS_SHARED;
    const char *in = SHARED "models/stories260k/stories260K.bin";
    for (int forever = 0; forever < 2; forever++) {
        refuser r = { 0, 0, forever, 0 };
        const slm_allocator allocator = { &r, count_alloc, count_release };
        slm_quantize_params p = params_of("q8_0", NULL);
        p.allocator = &allocator;
        p.threads = 1;
        p.tokenizer_path = SHARED "models/stories260k/tok512.bin";
        const char *out = in_scratch("oom.gguf");
        assert_int_equal(slm_quantize_file(in, out, &p, NULL), SLM_OK);
        assert_int_equal(r.live, 0);
        const size_t calls = r.calls;
        assert_int_equal(unlink(out), 0);
        const size_t before = files_in_scratch();
        for (size_t i = 1; i <= calls; i++) {
            slm_error err = { 0 };
            r.calls = 0;
            r.refuse = i;
            const slm_status status = slm_quantize_file(in, out, &p, &err);
            if (status != SLM_E_MEMORY || r.live || files_in_scratch() != before)
                fail_msg("allocation %zu of %zu refused: %s: %s; %" PRId64 " bytes live, %zu files, %zu before", i, calls,
                         slm_status_name(status), err.text, r.live, files_in_scratch(), before);
        }
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(goldens) + 9] = {
        cmocka_unit_test(the_8_bit_file_is_the_published_one),
        cmocka_unit_test(heads_and_odd_rows_keep_a_finer_type),
        cmocka_unit_test(threads_change_no_byte),
        cmocka_unit_test(a_file_may_replace_itself),
        cmocka_unit_test(a_conversion_keeps_the_weights),
        cmocka_unit_test(failures_leave_no_file),
        cmocka_unit_test(values_that_are_no_numbers_are_named),
        cmocka_unit_test(any_allocation_may_be_refused),
        cmocka_unit_test(the_smallest_values_are_quantized_to_zero),
    };
    for (size_t i = 0; i < COUNT(goldens); i++)
        tests[9 + i] = (struct CMUnitTest){ goldens[i].file, types_and_errors_are_those_of_the_table, NULL, NULL, (void *)(uintptr_t)&goldens[i] };
    return cmocka_run_group_tests_name("quantize_file", tests, make_scratch, drop_scratch) != 0;
}
