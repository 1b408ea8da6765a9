/* test_stream.c -- what a stream gives, token by token, is what decode gives at once, in whole code points. */
#include "vectors.h"

#include "text/tokenizer.h"

#define SHARED "../shared/tokenizers/"

static const char *const vocabs[] = { "llama-spm", "phi-3", "llama-bpe", "qwen2", "gpt-2", "smollm2", "deepseek-coder" };
enum { VOCABS = sizeof vocabs / sizeof *vocabs };

/* Is it whole code points, none cut at the end? */
static bool whole(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        const size_t len = p[i] < 0x80 ? 1 : p[i] >= 0xf0 ? 4 : p[i] >= 0xe0 ? 3 : p[i] >= 0xc2 ? 2 : 9;
        if (len > n - i)
            return false;
        for (size_t k = 1; k < len; k++)
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
        i += len;
    }
    return true;
}

static bool same(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

typedef struct job {
    const slm_tokenizer *tokenizer;
    slm_heap *heap;
    size_t lines, wrong;
} job;

/* Pushes all ids one by one; at every split what is out so far must be whole, and a prefix of the text within 3 bytes. */
static void compare(void *user, const vector *v, size_t line)
{
    job *j = user;
    slm_stream s;
    slm_buf out;
    char before[4096];
    size_t n;
    bool good = true;

    slm_buf_init(&out, j->heap, 1 << 20);
    slm_stream_init(&s, j->tokenizer, true);
    for (size_t i = 0; i < v->n; i++) {
        slm_stream_push(&s, v->ids[i], &out);
        assert_int_equal(slm_tokenizer_decode(j->tokenizer, before, sizeof before, &n, v->ids, i + 1, 0, NULL), SLM_OK);
        good = good && whole(out.data, out.size) && s.n_held <= 3 && out.size + s.n_held == n && same(out.data, before, out.size) &&
               same(s.held, before + out.size, s.n_held);
    }
    slm_stream_flush(&s, &out);
    if (v->n)
        good = good && out.size == n && same(out.data, before, n);
    j->lines++;
    if (!good) {
        j->wrong++;
        print_error("line %zu, '%.*s': the stream gives '%.*s'\n", line, (int)v->len, v->text, (int)out.size, (const char *)out.data);
    }
    slm_buf_free(&out);
}

static void vectors(void **state)
{
    const char *name = *state;
    char path[256];
    slm_tokenizer *t;
    slm_error err = { 0 };
    slm_heap heap;
    slm_heap_init(&heap, NULL, 0);
    snprintf(path, sizeof path, SHARED "gguf-vocabs/ggml-vocab-%s.gguf", name);
    const slm_status status = slm_tokenizer_open(&t, path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    job j = { t, &heap, 0, 0 };
    snprintf(path, sizeof path, SHARED "vectors/%s.jsonl", name);
    assert_true(each_vector(path, compare, &j));
    slm_tokenizer_free(t);
    if (j.wrong)
        fail_msg("%zu of %zu lines differ", j.wrong, j.lines);
}

/* Tokens 0..255 are the bytes, 256 is ▁a, 257 ▁, 258 a control token, 259 user-defined. */
static slm_tokenizer *bytes(slm_heap *heap)
{
    uint32_t types[260];
    slm_keys keys;
    slm_buf b;
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    static const char *const more[] = { "\xe2\x96\x81\x61", "\xe2\x96\x81", "<end>", "<user>" };
    slm_heap_init(heap, NULL, 0);
    slm_keys_init(&keys, heap, "made");
    slm_buf_init(&b, heap, 1 << 16);
    for (unsigned i = 0; i < 260; i++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", i & 255);
        const char *name = i < 256 ? text : more[i - 256];
        slm_buf_str(&b, name, strlen(name));
        types[i] = i < 256 ? 6 : i < 258 ? 1 : i == 258 ? 3 : 4;
    }
    slm_keys_add_str(&keys, "tokenizer.ggml.model", "llama", NULL);
    slm_keys_add(&keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, 260, b.data, b.size, NULL);
    slm_keys_add(&keys, "tokenizer.ggml.token_type", SLM_KEY_U32, true, 260, types, sizeof types, NULL);
    slm_keys_add_u32(&keys, "tokenizer.ggml.bos_token_id", 258, NULL);
    slm_keys_add_u32(&keys, "tokenizer.ggml.eos_token_id", 258, NULL);
    slm_keys_add_u32(&keys, "tokenizer.ggml.unknown_token_id", UINT32_MAX, NULL);
    if (slm_tokenizer_load(&t, heap, &keys, "made", &err))
        fail_msg("%s", err.text);
    slm_buf_free(&b);
    slm_keys_free(&keys);
    return t;
}

static const struct row { const char *name, *in; bool at_start; const char *want; } rows[] = {
    { "passes what is UTF-8",                          "a \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", false, "a \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
    { "replaces each stray continuation",              "\x80\xbf" "a",            false, "\xef\xbf\xbd\xef\xbf\xbd" "a" },
    { "replaces a byte that begins nothing",           "\xff\xc0\xf5",            false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "replaces a cut code point once",                "\xf0\x9f\x98" "a",        false, "\xef\xbf\xbd" "a" },
    { "replaces what a lead byte interrupts",          "\xe2\x82\xe2\x82\xac",    false, "\xef\xbf\xbd\xe2\x82\xac" },
    { "replaces each byte of a surrogate",             "\xed\xa0\x80",            false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "replaces each byte of an overlong form",        "\xe0\x80\xaf\xc1\x81",    false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "replaces each byte beyond U+10FFFF",            "\xf4\x90\x80\x80",        false, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "flushes what is held as one replacement",       "a\xf0\x9f\x98",           false, "a\xef\xbf\xbd" },
    { "keeps a space that is a byte token",            " a",                      true,  " a" },
};

static void repairs(void **state)
{
    const struct row *r = *state;
    slm_heap heap;
    slm_buf out;
    slm_stream s;
    slm_tokenizer *t = bytes(&heap);
    slm_buf_init(&out, &heap, 1 << 16);
    slm_stream_init(&s, t, r->at_start);
    for (const char *p = r->in; *p; p++) {
        slm_stream_push(&s, (uint8_t)*p, &out);
        assert_true(s.n_held <= 3);
        assert_true(whole(out.data, out.size));
    }
    slm_stream_flush(&s, &out);
    if (out.size != strlen(r->want) || memcmp(out.data, r->want, out.size) != 0)
        fail_msg("got '%.*s', want '%s'", (int)out.size, (const char *)out.data, r->want);
    slm_stream_flush(&s, &out);
    assert_int_equal(out.size, strlen(r->want));
    slm_buf_free(&out);
    slm_tokenizer_free(t);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void stream_of(bool at_start, const int32_t *ids, size_t n, const char *want)
{
    slm_heap heap;
    slm_buf out;
    slm_stream s;
    slm_tokenizer *t = bytes(&heap);
    slm_buf_init(&out, &heap, 1 << 16);
    slm_stream_init(&s, t, at_start);
    for (size_t i = 0; i < n; i++)
        slm_stream_push(&s, ids[i], &out);
    slm_stream_flush(&s, &out);
    if (out.size != strlen(want) || memcmp(out.data, want, out.size) != 0)
        fail_msg("got '%.*s', want '%s'", (int)out.size, (const char *)out.data, want);
    slm_buf_free(&out);
    slm_tokenizer_free(t);
}

static void takes_off_the_first_space_only(void **state)
{
    (void)state;
    stream_of(true, (const int32_t[]){ 256, 256 }, 2, "a a");
    stream_of(true, (const int32_t[]){ 257, 256 }, 2, " a");
    stream_of(true, (const int32_t[]){ 258, 256 }, 2, "a");         /* BOS gives nothing and is no start */
    stream_of(false, (const int32_t[]){ 256 }, 1, " a");
    stream_of(true, (const int32_t[]){ 256, 259, 256 }, 3, "a<user>a");
}

static void ignores_what_is_no_token(void **state)
{
    (void)state;
    stream_of(false, (const int32_t[]){ -1, 260, 256 }, 3, " a");
}

/* Random bytes, several seeds: always UTF-8, and the same as the encoder's own repair, seen through a round trip. */
static void repairs_as_encode_does(void **state)
{
    slm_heap heap;
    slm_tokenizer *t = bytes(&heap);
    uint32_t seed = 12345;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t in[12];
        size_t n = 0;
        int32_t ids[64];
        char text[64];
        slm_buf out;
        slm_stream s;
        const size_t want = 1 + (size_t)round % sizeof in;
        for (; n < want; n++) {
            static const uint8_t sharp[] = { 0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff };
            seed = seed * 1664525u + 1013904223u;
            in[n] = sharp[seed >> 28];
        }
        slm_buf_init(&out, &heap, 1 << 16);
        slm_stream_init(&s, t, false);
        for (size_t i = 0; i < n; i++)
            slm_stream_push(&s, in[i], &out);
        slm_stream_flush(&s, &out);
        size_t n_ids, n_text;
        assert_int_equal(slm_tokenizer_encode(t, ids, 64, &n_ids, (const char *)in, n, 0, NULL), SLM_OK);
        assert_int_equal(slm_tokenizer_decode(t, text, 64, &n_text, ids, n_ids, 0, NULL), SLM_OK);
        assert_int_equal(n_text, out.size);
        assert_memory_equal(text, out.data, n_text);
        slm_buf_free(&out);
    }
    slm_tokenizer_free(t);
}

int main(void)
{
    static char names[VOCABS][64];
    struct CMUnitTest tests[VOCABS + sizeof rows / sizeof *rows + 3] = {
        cmocka_unit_test(takes_off_the_first_space_only), cmocka_unit_test(ignores_what_is_no_token), cmocka_unit_test(repairs_as_encode_does),
    };
    size_t n = 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, repairs, NULL, NULL, (void *)&rows[i] };
    for (size_t i = 0; i < VOCABS; i++) {
        snprintf(names[i], sizeof names[i], "%s: at every split it equals decode", vocabs[i]);
        tests[n++] = (struct CMUnitTest){ names[i], vectors, NULL, NULL, (void *)vocabs[i] };
    }
    return _cmocka_run_group_tests("stream", tests, n, NULL, NULL) != 0;
}
