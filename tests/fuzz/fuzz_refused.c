/* fuzz_refused.c -- a reader of the input with memory that fails where the input says: the status is SLM_E_MEMORY or the one that the same bytes
 * have with all the memory there is, nothing is written on a failure, and nothing is left.
 *
 * First byte: 1 every later allocation fails too; the rest of it chooses the reader. Next two: which allocation fails, counted from 1; 0: all
 * of them. Then the bytes. */
#include "fuzz.h"

#include "harness/fail_alloc.h"

#include "format/file.h"
#include "format/tokenizer_file.h"
#include "text/tokenizer.h"

typedef struct bytes {
    const uint8_t *at;
    size_t n;
} bytes;

static slm_input input_of(bytes b)
{
    slm_input in = SLM_INPUT_INIT;
    in.memory = b.at;
    in.bytes = b.n;
    return in;
}

static slm_status open_file(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    const slm_input in = input_of(b);
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.input = &in;
    p.allocator = a;
    return slm_file_open((slm_file **)out, "fuzz", &p, err);
}

static slm_status open_tokenizer(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    const slm_input in = input_of(b);
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    p.input = &in;
    p.allocator = a;
    return slm_tokenizer_open((slm_tokenizer **)out, "fuzz", &p, err);
}

static slm_status open_model(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    const slm_input in = input_of(b);
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.input = &in;
    p.allocator = a;
    p.threads = 1;
    return slm_model_open((slm_model **)out, "fuzz", &p, err);
}

static void free_file(void *object)
{
    slm_file_free(object);
}

static void free_tokenizer(void *object)
{
    slm_tokenizer_free(object);
}

static void free_model(void *object)
{
    slm_model_free(object);
}

static slm_status read_template(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    static const char talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[{\"a\":[1,2.5,null]}],\"bos_token\":\"<s>\"}";
    slm_template_params p = SLM_TEMPLATE_PARAMS_INIT;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_template *t = NULL;
    p.allocator = a;
    how.fuel = 1 << 16;
    how.limit = 1 << 20;
    how.now = "2024-07-26T09:30:00";
    slm_status status = slm_template_new(&t, (const char *)b.at, b.n, &p, err);
    if (!status)
        status = slm_template_render((slm_rendered **)out, t, talk, sizeof talk - 1, &how, err);
    slm_template_free(t);
    return status;
}

static void free_rendered(void *object)
{
    slm_rendered_free(object);
}

/* Constraints take their memory from the tokenizer, which is made anew for each; what that takes counts as well. */
static slm_status constrain(bytes b, const slm_allocator *a, void **out, slm_error *err, bool schema)
{
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    slm_tokenizer *t = NULL;
    slm_constraint *c = NULL;
    p.allocator = a;
    slm_status status = slm_tokenizer_open(&t, "tests/fuzz/seeds/gguf/bpe", &p, err);
    if (!status && schema)
        status = slm_constraint_schema(&c, t, (const char *)b.at, b.n, err);
    else if (!status) {
        char *pattern = malloc(b.n + 1);
        must(pattern != NULL, "no memory for a copy");
        memcpy(pattern, b.at, b.n);
        pattern[b.n] = 0;
        status = slm_constraint_regex(&c, t, pattern, err);
        free(pattern);
    }
    slm_constraint_free(c);
    slm_tokenizer_free(t);
    if (!status)
        *out = NULL;
    return status;
}

static slm_status read_pattern(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    return constrain(b, a, out, err, false);
}

static slm_status read_schema(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    return constrain(b, a, out, err, true);
}

static slm_status encode(bytes b, const slm_allocator *a, void **out, slm_error *err)
{
    static int32_t ids[1 << 15];
    slm_file_params p = SLM_FILE_PARAMS_INIT;
    slm_tokenizer *t = NULL;
    size_t n;
    p.allocator = a;
    const size_t len = b.n < 2048 ? b.n : 2048;
    slm_status status = slm_tokenizer_open(&t, "tests/fuzz/seeds/gguf/spm", &p, err);
    if (!status)
        status = slm_tokenizer_encode(t, ids, COUNT(ids), &n, (const char *)b.at, len, 0, err);
    slm_tokenizer_free(t);
    if (!status)
        *out = NULL;
    return status;
}

static void free_nothing(void *object)
{
    must(!object, "something to free");
}

static const struct {
    slm_status (*make)(bytes b, const slm_allocator *a, void **out, slm_error *err);
    void (*drop)(void *object);
} readers[] = {
    { open_file, free_file }, { open_tokenizer, free_tokenizer }, { open_model, free_model }, { read_template, free_rendered },
    { read_pattern, free_nothing }, { read_schema, free_nothing }, { encode, free_nothing },
};

static slm_status run(size_t which, bytes b, size_t fail_at, bool lasting, bool *refused, slm_error *err)
{
    fail_alloc memory;
    void *out = &memory;
    fail_alloc_init(&memory, fail_at, lasting);
    const slm_status status = readers[which].make(b, &memory.allocator, &out, err);
    *refused = atomic_load(&memory.refused) != 0;
    if (status)
        must(out == &memory, "something was written on a failure");
    else
        readers[which].drop(out);
    must(!atomic_load(&memory.live_blocks), "memory left behind");
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in in = { data, size };
    const unsigned first = fuzz_byte(&in), fail_at = fuzz_two(&in);
    const size_t which = first / 2 % COUNT(readers);
    slm_error err = { 0 }, other = { 0 };
    bool refused, never;
    const bytes b = { in.at, in.left };
    const slm_status status = run(which, b, fail_at ? fail_at : 1, !fail_at || first & 1, &refused, &err);
    if (status)
        must_say(status, &err);
    if (status == SLM_E_MEMORY && refused)
        return 0;
    must(run(which, b, 0, false, &never, &other) == status, "refused memory gives another status than SLM_E_MEMORY");
    must(!status || !strcmp(err.text, other.text), "another message where memory was refused");
    return 0;
}
