/* made.c -- a file or text for each accident that happened to other programs and that no single change of a good file makes. The names
 * are the rows of the list of accidents, H1 to H30, in the design of this library's safety; docs/testing.md says which have no file here. */
#include "hostile/hostile.h"

#include "harness/made_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static slm_heap outside;

static slm_status open_made(made_gguf *m, size_t data, unsigned stages, slm_error *err)
{
    made_end(m, data);
    const size_t n = m->b.size;
    uint8_t *exact = malloc(n);         /* an over-read is seen by the sanitizers */
    if (!exact || m->b.failed)
        broken("no memory");
    memcpy(exact, m->b.data, n);
    const slm_status status = read_model_file(exact, n, "m.gguf", NULL, stages, n, err);
    free(exact);
    slm_buf_free(&m->b);
    return status;
}

static void begin(made_gguf *m)
{
    slm_heap_init(&outside, NULL, 0);
    made_begin(m, &outside);
}

/* ---- GGUF ---- */

static slm_status two_sizes_that_wrap(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_tensor(&m, "a", 0, 2, 0x7fffffff, 0x40000000, 0);
    made_tensor(&m, "b", 0, 2, 0x7fffffff, 0x40000000, UINT64_C(0x7fffffff00000000));
    return open_made(&m, 64, STAGE_FILE, err);
}

static slm_status four_largest_dims(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_tensor(&m, "a", 8, 4, 0x7fffffe0, 0x7fffffff, 0);
    return open_made(&m, 64, STAGE_FILE, err);
}

static slm_status offset_that_wraps(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_tensor(&m, "a", 0, 1, 16, 1, UINT64_MAX - 31);
    return open_made(&m, 64, STAGE_FILE, err);
}

static slm_status alignment_of(uint32_t v, slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_u32(&m, "general.alignment", v);
    made_tensor(&m, "a", 0, 1, 8, 1, 0);
    return open_made(&m, 64, STAGE_FILE, err);
}

static slm_status alignment_of_0(slm_error *err) { return alignment_of(0, err); }
static slm_status alignment_of_3(slm_error *err) { return alignment_of(3, err); }
static slm_status alignment_of_2_31(slm_error *err) { return alignment_of(0x80000000u, err); }

static slm_status no_heads(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_text(&m, "general.architecture", "llama");
    made_u32(&m, "llama.block_count", 1);
    made_u32(&m, "llama.embedding_length", 64);
    made_u32(&m, "llama.feed_forward_length", 64);
    made_u32(&m, "llama.context_length", 64);
    made_u32(&m, "llama.attention.head_count", 0);
    return open_made(&m, 64, STAGE_FILE | STAGE_MODEL, err);
}

static slm_status empty_key(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_u32(&m, "", 1);
    return open_made(&m, 0, STAGE_FILE, err);
}

static slm_status architecture_is_a_number(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_u32(&m, "general.architecture", 1);
    return open_made(&m, 0, STAGE_FILE | STAGE_TOKENIZER | STAGE_MODEL, err);
}

static slm_status layers_beyond_any_array(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_text(&m, "general.architecture", "llama");
    made_u32(&m, "llama.block_count", 100000);
    return open_made(&m, 64, STAGE_FILE | STAGE_MODEL, err);
}

static slm_status an_array_that_claims_gigabytes(slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_array(&m, "list", SLM_KEY_STRING, 4194304);
    return open_made(&m, 64, STAGE_FILE, err);
}

static slm_status four_bytes(slm_error *err)
{
    return read_model_file((const uint8_t *)"GGUF", 4, "m.gguf", NULL, STAGE_FILE | STAGE_TOKENIZER | STAGE_MODEL, 4, err);
}

static slm_status nothing_at_all(slm_error *err)
{
    return read_model_file((const uint8_t *)"", 0, "m.gguf", NULL, STAGE_FILE | STAGE_TOKENIZER | STAGE_MODEL, 0, err);
}

/* ---- vocabularies ---- */

/* Tokens of kind "llama": the given ones, of type `type`, and an unknown one. */
static slm_status vocabulary(const char *token, uint32_t type, uint32_t eos, slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_text(&m, "general.architecture", "llama");
    made_text(&m, "tokenizer.ggml.model", "llama");
    made_array(&m, "tokenizer.ggml.tokens", SLM_KEY_STRING, 2);
    slm_buf_str(&m.b, "<unk>", 5);
    slm_buf_str(&m.b, token, strlen(token));
    made_array(&m, "tokenizer.ggml.scores", SLM_KEY_F32, 2);
    slm_buf_u64(&m.b, 0);
    made_array(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, 2);
    slm_buf_u32(&m.b, 2);
    slm_buf_u32(&m.b, type);
    made_u32(&m, "tokenizer.ggml.unknown_token_id", 0);
    made_u32(&m, "tokenizer.ggml.eos_token_id", eos);
    return open_made(&m, 0, STAGE_FILE | STAGE_TOKENIZER, err);
}

static slm_status eos_beyond_the_vocabulary(slm_error *err) { return vocabulary("a", 1, 1000000, err); }
static slm_status eos_of_minus_2(slm_error *err)            { return vocabulary("a", 1, 0xfffffffe, err); }
static slm_status byte_token_of_minus_1(slm_error *err)     { return vocabulary("<0x-1>", 6, 0, err); }
static slm_status byte_token_of_3_digits(slm_error *err)    { return vocabulary("<0x1FF>", 6, 0, err); }
static slm_status byte_token_that_is_cut(slm_error *err)    { return vocabulary("<0x", 6, 0, err); }
static slm_status token_type_of_77(slm_error *err)          { return vocabulary("a", 77, 0, err); }

/* A merge of a text as long as all the scratch that peers have. */
static slm_status merges_of_60000_bytes(slm_error *err)
{
    static char merge[60002];
    made_gguf m;
    memset(merge, 'a', sizeof merge);
    merge[30000] = ' ';
    begin(&m);
    made_text(&m, "general.architecture", "llama");
    made_text(&m, "tokenizer.ggml.model", "gpt2");
    made_text(&m, "tokenizer.ggml.pre", "qwen2");
    made_array(&m, "tokenizer.ggml.tokens", SLM_KEY_STRING, 1);
    slm_buf_str(&m.b, "a", 1);
    made_array(&m, "tokenizer.ggml.merges", SLM_KEY_STRING, 1);
    slm_buf_str(&m.b, merge, sizeof merge);
    return open_made(&m, 0, STAGE_FILE | STAGE_TOKENIZER, err);
}

/* One letter, blanks, digits, marks, brackets: 64 KiB each through the pre-tokenizer and merging. */
static slm_status texts_that_take_stacks(slm_error *err)
{
    static const char *const worst[] = { "a", " ", "1", "\xcc\x81", "(", "\n", "\xff", "'s", "\xe4\xb8\xad", "A1 " };
    static const char *const files[] = { "tests/fuzz/seeds/gguf/bpe", "tests/fuzz/seeds/gguf/spm" };
    static char text[1 << 16];
    static int32_t ids[1 << 18];
    slm_status first = SLM_OK;
    for (size_t f = 0; f < COUNT(files); f++) {
        slm_tokenizer *t = NULL;
        slm_error e = { 0 };
        if (slm_tokenizer_open(&t, files[f], NULL, &e))
            broken("%s", e.text);
        for (size_t i = 0; i < COUNT(worst); i++) {
            const size_t each = strlen(worst[i]), n = sizeof text / each * each;
            size_t n_ids = 0;
            for (size_t k = 0; k < n; k++)
                text[k] = worst[i][k % each];
            case_answer(&first, err, "", slm_tokenizer_encode(t, ids, COUNT(ids), &n_ids, text, n, 0, &e), &e);
        }
        slm_tokenizer_free(t);
    }
    return first;
}

/* ---- constraints and templates ---- */

static const char *repeat(const char *piece, size_t n)
{
    static char text[1 << 20];
    const size_t each = strlen(piece);
    if (n * each >= sizeof text)
        broken("a text of %zu bytes", n * each);
    for (size_t i = 0; i < n * each; i++)
        text[i] = piece[i % each];
    text[n * each] = 0;
    return text;
}

static slm_status pattern(const char *text, slm_error *err)
{
    slm_tokenizer *t = NULL;
    slm_constraint *c = NULL;
    slm_error e = { 0 };
    slm_status first = SLM_OK;
    if (slm_tokenizer_open(&t, "tests/fuzz/seeds/gguf/spm", NULL, &e))
        broken("%s", e.text);
    case_answer(&first, err, "", slm_constraint_regex(&c, t, text, &e), &e);
    slm_constraint_free(c);
    slm_tokenizer_free(t);
    return first;
}

static slm_status pattern_of_100000_groups(slm_error *err) { return pattern(repeat("(", 100000), err); }
static slm_status pattern_of_nested_counts(slm_error *err) { return pattern("((((a{1000}){1000}){1000}){1000}){1000}", err); }
static slm_status pattern_that_backtracks(slm_error *err)  { return pattern("(a+)+(a|a)*(a|aa)*b", err); }

static slm_status schema(const char *text, slm_error *err)
{
    slm_error e = { 0 };
    slm_status first = SLM_OK;
    case_answer(&first, err, "", slm_schema_check(text, strlen(text), "[]", 2, &e), &e);
    return first;
}

static slm_status schema_of_100000_levels(slm_error *err) { return schema(repeat("{\"items\":", 100000), err); }
static slm_status schema_that_refers_to_itself(slm_error *err) { return schema("{\"$ref\":\"#\"}", err); }
static slm_status schemas_in_a_ring(slm_error *err)
{
    return schema("{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}", err);
}

static slm_status answer_of_100000_levels(slm_error *err)
{
    const char *text = repeat("[", 100000);
    slm_error e = { 0 };
    slm_status first = SLM_OK;
    case_answer(&first, err, "", slm_schema_check("{}", 2, text, strlen(text), &e), &e);
    return first;
}

static slm_status render(const char *text, slm_error *err)
{
    static const char json[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    slm_render_params how = SLM_RENDER_PARAMS_INIT;
    slm_error e = { 0 };
    slm_status first = SLM_OK;
    how.fuel = 1 << 20;
    slm_status status = slm_template_new(&t, text, strlen(text), NULL, &e);
    if (!status)
        status = slm_template_render(&r, t, json, sizeof json - 1, &how, &e);
    case_answer(&first, err, "", status, &e);
    slm_rendered_free(r);
    slm_template_free(t);
    return first;
}

static slm_status template_that_reaches_for_python(slm_error *err)
{
    return render("{{ ''.__class__.__mro__[1].__subclasses__()[140]('id', shell=True) }}", err);
}
static slm_status template_that_imports(slm_error *err)  { return render("{% import 'os' as os %}{{ os.system('id') }}", err); }
static slm_status template_that_recurses(slm_error *err) { return render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", err); }
static slm_status template_that_loops(slm_error *err)
{
    return render("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", err);
}
static slm_status template_that_grows(slm_error *err)
{
    return render("{% set ns = namespace(s='aaaaaaaa') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", err);
}
static slm_status template_of_100000_brackets(slm_error *err) { return render(repeat("{{ (", 100000), err); }

/* ---- safetensors ---- */

static slm_status safetensors(const char *header, size_t data, slm_error *err)
{
    static uint8_t file[4096];
    const size_t n = strlen(header);
    memset(file, 0, sizeof file);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)n >> (8 * i));
    memcpy(file + 8, header, n);
    return read_model_file(file, 8 + n + data, "m.safetensors", NULL, STAGE_FILE, 8 + n, err);
}

static slm_status unknown_dtype_past_the_end(slm_error *err)
{
    return safetensors("{\"a\":{\"dtype\":\"Q99\",\"shape\":[4],\"data_offsets\":[0,99999999]}}", 16, err);
}
static slm_status tensors_that_share_bytes(slm_error *err)
{
    return safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16, err);
}
static slm_status hole_between_tensors(slm_error *err)
{
    return safetensors("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[8,12]}}", 12, err);
}
static slm_status shape_whose_product_wraps(slm_error *err)
{
    return safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, err);
}

/* ---- numbers that are none ---- */

/* One block of Q8_0 with that scale, as f16. */
static slm_status scale(unsigned bits, slm_error *err)
{
    made_gguf m;
    begin(&m);
    made_tensor(&m, "a", 8, 1, 32, 1, 0);
    made_end(&m, 64);
    m.b.data[m.b.size - 64] = (uint8_t)bits;
    m.b.data[m.b.size - 63] = (uint8_t)(bits >> 8);
    const slm_status status = read_model_file(m.b.data, m.b.size, "m.gguf", NULL, STAGE_FILE, m.b.size, err);
    slm_buf_free(&m.b);
    return status;
}

static slm_status scale_that_is_nan(slm_error *err)      { return scale(0x7e00, err); }
static slm_status scale_that_is_infinite(slm_error *err) { return scale(0xfc00, err); }

/* ---- what is no file ---- */

static slm_status not_a_file(const char *path, slm_error *err)
{
    slm_file *file = NULL;
    slm_error e = { 0 };
    const slm_status status = slm_file_open(&file, path, NULL, &e);
    slm_file_free(file);
    if (status != SLM_E_IO)
        broken("%s: %s: %s", path, slm_status_name(status), e.text);
    (void)err;
    return SLM_OK;                      /* that the system has no such bytes is no answer to bytes */
}

static slm_status a_pipe(slm_error *err)
{
    if (mkfifo(case_path("pipe"), 0600))
        broken("a pipe cannot be made");
    return not_a_file(case_path("pipe"), err);
}

static slm_status a_device(slm_error *err) { return not_a_file("/dev/zero", err); }

#define ROW(number, run) { number " " #run, run }
const accident accidents[] = {
    ROW("H2", two_sizes_that_wrap), ROW("H3", four_largest_dims), ROW("H4", offset_that_wraps), ROW("H5", alignment_of_0), ROW("H5", alignment_of_3),
    ROW("H5", alignment_of_2_31), ROW("H6", no_heads), ROW("H7", empty_key), ROW("H7", architecture_is_a_number), ROW("H8", layers_beyond_any_array),
    ROW("H9", an_array_that_claims_gigabytes), ROW("H11", four_bytes), ROW("H11", nothing_at_all), ROW("H13", eos_beyond_the_vocabulary),
    ROW("H13", eos_of_minus_2), ROW("H14", byte_token_of_minus_1), ROW("H14", byte_token_of_3_digits), ROW("H14", byte_token_that_is_cut),
    ROW("H14", token_type_of_77), ROW("H15", merges_of_60000_bytes), ROW("H16", texts_that_take_stacks), ROW("H17", pattern_of_100000_groups),
    ROW("H17", pattern_of_nested_counts), ROW("H17", pattern_that_backtracks), ROW("H17", schema_of_100000_levels),
    ROW("H17", schema_that_refers_to_itself), ROW("H17", schemas_in_a_ring), ROW("H17", answer_of_100000_levels),
    ROW("H18", template_that_reaches_for_python), ROW("H18", template_that_imports), ROW("H18", template_that_recurses), ROW("H18", template_that_loops),
    ROW("H18", template_that_grows), ROW("H18", template_of_100000_brackets), ROW("H21", unknown_dtype_past_the_end),
    ROW("H21", tensors_that_share_bytes), ROW("H21", hole_between_tensors), ROW("H21", shape_whose_product_wraps), ROW("H25", scale_that_is_nan),
    ROW("H25", scale_that_is_infinite), ROW("3.4", a_pipe), ROW("3.4", a_device),
};
const size_t n_accidents = COUNT(accidents);
