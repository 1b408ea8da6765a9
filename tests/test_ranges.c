/* test_ranges.c -- the bytes each token stands for: in order, inside the text, and together all of it but what may be left out. */
#include "vectors.h"

#include "text/tokenizer.h"

static const char *const vocabs[] = { "llama-spm", "phi-3", "llama-bpe", "qwen2", "gpt-2", "smollm2", "deepseek-coder", "bert-bge", "t5" };
enum { VOCABS = sizeof vocabs / sizeof *vocabs };

typedef struct job {
    const slm_tokenizer *tokenizer;
    const char *kind;
    unsigned flags;
    size_t lines;
} job;

static slm_tokenizer *opened(const char *name)
{
    char path[256];
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    (void)snprintf(path, sizeof path, "../shared/tokenizers/gguf-vocabs/ggml-vocab-%s.gguf", name);
    const slm_status status = slm_tokenizer_open(&t, path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    return t;
}

/* Bytes between tokens: for the kinds that keep all, none but what has no token (smollm2 lacks a few); for the others white space, marks
 * and controls, never an ASCII letter or digit. */
static void check_gap(const job *j, const char *text, size_t from, size_t to, size_t line)
{
    const bool keeps = strcmp(j->kind, "llama") == 0;
    for (size_t i = from; i < to; i++) {
        const uint8_t c = (uint8_t)text[i];
        const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (keeps || letter || (strcmp(j->kind, "gpt2") == 0 && c > ' '))
            fail_msg("line %zu: byte %zu, 0x%02x, is in no range", line, i, c);
    }
}

static void check(void *user, const vector *v, size_t line)
{
    job *j = user;
    const size_t room = v->len * 4 + 8;
    int32_t *ids = malloc(room * sizeof *ids), *plain = malloc(room * sizeof *plain);
    slm_text_range *ranges = malloc(room * sizeof *ranges);
    char text[64];
    size_t n = 0, n_plain = 0, at = 0;
    assert_non_null(ids);
    assert_non_null(plain);
    assert_non_null(ranges);
    assert_int_equal(slm_tokenizer_encode_ranges(j->tokenizer, ids, ranges, room, &n, v->text, v->len, j->flags, NULL), SLM_OK);
    assert_int_equal(slm_tokenizer_encode(j->tokenizer, plain, room, &n_plain, v->text, v->len, j->flags, NULL), SLM_OK);
    assert_int_equal(n, n_plain);
    assert_true(n == 0 || memcmp(ids, plain, n * sizeof *ids) == 0);
    for (size_t i = 0; i < n; i++) {
        const slm_text_range r = ranges[i];
        if (r.begin > r.end || r.end > v->len || (i && (r.begin < ranges[i - 1].begin || r.end < ranges[i - 1].end)))
            fail_msg("line %zu: token %zu is %zu .. %zu of %zu", line, i, r.begin, r.end, v->len);
        if (r.begin > at)
            check_gap(j, v->text, at, r.begin, line);
        at = r.end > at ? r.end : at;
        /* a byte-level token is its bytes, where these are what was given */
        size_t len = 0;
        if (strcmp(j->kind, "gpt2") == 0 && j->flags == 0 && r.end - r.begin < sizeof text &&
            slm_tokenizer_decode(j->tokenizer, text, sizeof text, &len, &ids[i], 1, 0, NULL) == SLM_OK && v->ids != NULL &&
            (len != r.end - r.begin || memcmp(text, v->text + r.begin, len) != 0))
            fail_msg("line %zu: token %zu is not the bytes %zu .. %zu", line, i, r.begin, r.end);
    }
    check_gap(j, v->text, at, v->len, line);
    j->lines++;
    free(ids);
    free(plain);
    free(ranges);
}

static void covers(void **state)
{
    static const struct { const char *suffix; unsigned flags; } files[] = {
        { ".jsonl", 0 }, { ".jsonl", SLM_TEXT_BOS_EOS | SLM_TEXT_SPECIAL }, { ".special.jsonl", SLM_TEXT_SPECIAL }
    };
    const char *name = *state;
    slm_tokenizer *t = opened(name);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    assert_int_equal(slm_tokenizer_get_info(t, &info, NULL), SLM_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256];
        job j = { t, info.kind, files[i].flags, 0 };
        (void)snprintf(path, sizeof path, "../shared/tokenizers/vectors/%s%s", name, files[i].suffix);
        assert_true(each_vector(path, check, &j));
        assert_true(j.lines > 0);
    }
    slm_tokenizer_free(t);
}

/* Ranges as "begin-end begin-end ..." */
static void wants(const slm_tokenizer *t, const char *text, size_t len, unsigned flags, const char *want)
{
    int32_t ids[64];
    slm_text_range r[64];
    char got[512] = "";
    size_t n = 0, used = 0;
    assert_int_equal(slm_tokenizer_encode_ranges(t, ids, r, 64, &n, text, len, flags, NULL), SLM_OK);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%zu-%zu", i ? " " : "", r[i].begin, r[i].end);
    if (strcmp(got, want) != 0)
        fail_msg("'%s': ranges %s, want %s", text, got, want);
}
#define TEXT(s) s, sizeof s - 1

static void by_hand(void **state)
{
    (void)state;
    slm_tokenizer *t = opened("llama-spm");
    wants(t, TEXT("Hello world"), SLM_TEXT_BOS_EOS, "0-0 0-5 5-11");
    wants(t, TEXT("\xff" "a"), 0, "0-0 0-1 1-2");                       /* the mark in front, U+FFFD for one byte, a */
    wants(t, TEXT("a<s>b"), SLM_TEXT_SPECIAL, "0-1 1-4 4-5");
    slm_tokenizer_free(t);
    t = opened("bert-bge");
    wants(t, TEXT("H\xc3\xa9llo, W"), SLM_TEXT_BOS_EOS, "0-0 0-6 6-7 8-9 9-9");
    wants(t, TEXT("\xe4\xb8\xad\xe4\xb8\xad"), 0, "0-3 3-6");
    wants(t, TEXT(" \xff "), 0, "0-3");                                  /* nothing but what is not UTF-8: the unknown token */
    slm_tokenizer_free(t);
    t = opened("t5");
    wants(t, TEXT("  the   cat  "), SLM_TEXT_BOS_EOS, "2-5 5-11 13-13");
    wants(t, TEXT("\xef\xac\x81ne"), 0, "0-5");                          /* a ligature of three bytes becomes two letters */
    slm_tokenizer_free(t);
}

static void arguments(void **state)
{
    slm_tokenizer *t = opened("gpt-2");
    int32_t ids[4];
    slm_text_range ranges[4] = { { 9, 9 }, { 9, 9 }, { 9, 9 }, { 9, 9 } };
    size_t n = 99;
    slm_error err = { 0 };
    (void)state;
    assert_int_equal(slm_tokenizer_encode_ranges(t, ids, NULL, 4, &n, "a b", 3, 0, &err), SLM_E_ARG);
    assert_string_equal(err.text, "slm_tokenizer_encode_ranges: ranges is NULL");
    assert_int_equal(slm_tokenizer_encode_ranges(t, NULL, NULL, 0, &n, "a b", 3, 0, &err), SLM_E_LIMIT);
    assert_int_equal(n, 2);
    assert_int_equal(slm_tokenizer_encode_ranges(t, ids, ranges, 1, &n, "a b", 3, 0, &err), SLM_E_LIMIT);
    assert_int_equal(ranges[0].begin, 9);
    slm_tokenizer_free(t);
}

int main(void)
{
    static char names[VOCABS][64];
    struct CMUnitTest tests[VOCABS + 2] = { cmocka_unit_test(by_hand), cmocka_unit_test(arguments) };
    for (size_t i = 0; i < VOCABS; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s's ranges go up and cover the text", vocabs[i]);
        tests[2 + i] = (struct CMUnitTest){ names[i], covers, NULL, NULL, (void *)(uintptr_t)vocabs[i] };
    }
    return _cmocka_run_group_tests("ranges", tests, VOCABS + 2, NULL, NULL) != 0;
}
