/* test_tokenizer.c -- loading, encoding, decoding: the vectors of ../shared, and small vocabularies made here. */
#include "vectors.h"

#include "core/limits.h"
#include "harness/test.h"
#include "text/tokenizer.h"

#include <math.h>

#define SHARED "../shared/tokenizers/"

static const char *const vocabs[] = { "llama-spm", "phi-3", "llama-bpe", "qwen2", "gpt-2", "smollm2", "deepseek-coder", "bert-bge", "t5" };
enum { VOCABS = sizeof vocabs / sizeof *vocabs, LOSSY = VOCABS - 2 };     /* from LOSSY on, what is decoded is not what was encoded */
static slm_tokenizer *opened[VOCABS];

/* The vocabulary, opened once; skips the test where there is no ../shared. */
static const slm_tokenizer *vocab(size_t which)
{
    char path[256];
    slm_error err = { 0 };
    if (opened[which])
        return opened[which];
    snprintf(path, sizeof path, SHARED "gguf-vocabs/ggml-vocab-%s.gguf", vocabs[which]);
    const slm_status status = slm_tokenizer_open(&opened[which], path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    return opened[which];
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < VOCABS; i++)
        slm_tokenizer_free(opened[i]);
    return 0;
}

typedef struct job {
    const slm_tokenizer *tokenizer;
    const char *name;
    unsigned flags;
    size_t lines, wrong;
} job;

/* Encodes into fresh memory, exactly as large as the answer. */
static int32_t *encoded(const slm_tokenizer *t, const char *text, size_t len, unsigned flags, size_t *n)
{
    slm_error err = { 0 };
    slm_status status = slm_tokenizer_encode(t, NULL, 0, n, text, len, flags, &err);
    if (status != SLM_OK && status != SLM_E_LIMIT)
        fail_msg("%s", err.text);
    int32_t *ids = malloc((*n + 1) * sizeof *ids);
    assert_non_null(ids);
    status = slm_tokenizer_encode(t, ids, *n, n, text, len, flags, &err);
    if (status)
        fail_msg("%s", err.text);
    return ids;
}

static char *decoded(const slm_tokenizer *t, const int32_t *ids, size_t n_ids, unsigned flags, size_t *n)
{
    slm_error err = { 0 };
    slm_status status = slm_tokenizer_decode(t, NULL, 0, n, ids, n_ids, flags, &err);
    if (status != SLM_OK && status != SLM_E_LIMIT)
        fail_msg("%s", err.text);
    char *text = malloc(*n + 1);
    assert_non_null(text);
    status = slm_tokenizer_decode(t, text, *n, n, ids, n_ids, flags, &err);
    if (status)
        fail_msg("%s", err.text);
    return text;
}

static void compare_ids(void *user, const vector *v, size_t line)
{
    job *j = user;
    size_t n, at = 0;
    int32_t *ids = encoded(j->tokenizer, v->text, v->len, j->flags, &n);
    while (at < n && at < v->n && ids[at] == v->ids[at])
        at++;
    j->lines++;
    if (at < n || at < v->n) {
        j->wrong++;
        print_error("%s line %zu, '%.*s': id %zu of %zu is %d, want %d of %zu\n", j->name, line, (int)v->len, v->text, at, n,
                    at < n ? ids[at] : -1, at < v->n ? v->ids[at] : -1, v->n);
    }
    free(ids);
}

static void compare_text(void *user, const vector *v, size_t line)
{
    job *j = user;
    size_t n;
    if (memmem(v->text, v->len, "\xe2\x96\x81", 3) || memchr(v->text, 0x1d, v->len))      /* named as exceptions by the fixtures' README */
        return;
    char *text = decoded(j->tokenizer, v->ids, v->n, 0, &n);
    j->lines++;
    if (n != v->len || memcmp(text, v->text, n)) {
        j->wrong++;
        print_error("%s line %zu: '%.*s', want '%.*s'\n", j->name, line, (int)n, text, (int)v->len, v->text);
    }
    free(text);
}

static void finish(const job *j, bool there)
{
    if (!there)
        fail_msg("%s: no vectors", j->name);
    if (j->wrong)
        fail_msg("%s: %zu of %zu lines differ", j->name, j->wrong, j->lines);
}

static void run_file(size_t which, const char *suffix, unsigned flags, void (*each)(void *, const vector *, size_t))
{
    char path[256];
    job j = { vocab(which), vocabs[which], flags, 0, 0 };
    snprintf(path, sizeof path, SHARED "vectors/%s%s", vocabs[which], suffix);
    const bool there = each_vector(path, each, &j);
    finish(&j, there);
}

static void official(void **state)
{
    char path[256];
    const size_t which = (size_t)*state;
    job j = { vocab(which), vocabs[which], 0, 0, 0 };
    snprintf(path, sizeof path, SHARED "gguf-vocabs/ggml-vocab-%s.gguf", vocabs[which]);
    const bool there = each_official(path, compare_ids, &j);
    if (strcmp(vocabs[which], "smollm2") == 0 || strcmp(vocabs[which], "t5") == 0)
        assert_false(there);        /* none exist */
    else
        finish(&j, there);
}

static void hard(void **state)      { run_file((size_t)*state, ".jsonl", 0, compare_ids); }
static void special(void **state)   { run_file((size_t)*state, ".special.jsonl", SLM_TEXT_SPECIAL, compare_ids); }

static void back(void **state)
{
    if ((size_t)*state < LOSSY)
        run_file((size_t)*state, ".jsonl", 0, compare_text);
}

/* Ours is the rule the file's ids stand for, so they are compared, and every cut of the bytes must be survived. Where that rule leaves
 * nothing at all, ours is the unknown token. */
static void invalid_line(void *user, const vector *v, size_t line)
{
    job *j = user;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    if (strcmp(v->vocab, j->name) != 0)
        return;
    assert_int_equal(slm_tokenizer_get_info(j->tokenizer, &info, NULL), SLM_OK);
    const vector unknown = { v->text, v->len, &info.unk, 1, "" };
    compare_ids(j, v->n ? v : &unknown, line);
    for (size_t cut = 0; cut < v->len; cut++) {
        char *exact = malloc(cut + 1);          /* so that a sanitizer sees a read past the end */
        size_t n;
        memcpy(exact, v->text, cut);
        exact = realloc(exact, cut ? cut : 1);
        int32_t *ids = encoded(j->tokenizer, exact, cut, 0, &n);
        for (size_t i = 0; i < n; i++)
            assert_non_null(slm_tokenizer_text(j->tokenizer, ids[i], NULL));
        free(ids);
        free(exact);
    }
}

static void invalid(void **state)
{
    const size_t which = (size_t)*state;
    job j = { vocab(which), vocabs[which], 0, 0, 0 };
    const bool there = each_vector(SHARED "vectors/invalid-utf8.jsonl", invalid_line, &j);
    finish(&j, there && j.lines > 0);
}

static void count_tokens(const void *tokenizer, const char *text, size_t n)
{
    size_t count;
    const slm_status status = slm_tokenizer_encode(tokenizer, NULL, 0, &count, text, n, SLM_TEXT_SPECIAL, NULL);
    assert_int_equal(status, count ? SLM_E_LIMIT : SLM_OK);         /* normalizers drop some of these */
}

static void linear(void **state)
{
    static const char *const units[] = { "a", " ", "0", "\xcc\x81", "\n", "\xe4\xb8\x80", "<", "'", "\xff", "<|", "\xc3\xb5", "a \n", " \t" };
    const size_t which = (size_t)*state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        test_linear(count_tokens, vocab(which), vocabs[which], units[i], 30000);
}

/* babyllama has neither byte tokens nor merges; the ids with BOS come from the SentencePiece library. */
static void without_byte_tokens(void **state)
{
    static const char path[] = "../shared/models/babyllama-tok105/babyllama-tok105-q4_0.gguf";
    slm_tokenizer *t;
    slm_error err = { 0 };
    (void)state;
    const slm_status status = slm_tokenizer_open(&t, path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    job j = { t, "babyllama", SLM_TEXT_BOS_EOS, 0, 0 };
    size_t n, length;
    char *text = read_all("../shared/models/babyllama-tok105/expected.json", &n), *at = strstr(text, "\"tokenize\"");
    assert_non_null(at);
    for (char *key; (key = strstr(at, "_with_bos")); at++) {
        while (*at != '{')
            at++;
        memmove(key, key + 9, strlen(key + 9) + 1);         /* the reader of vectors wants the name "ids" */
        vector v = read_vector(at);
        compare_ids(&j, &v, j.lines + 1);
        free_vector(&v);
    }
    finish(&j, j.lines > 0);
    free(text);
    int32_t *ids = encoded(t, "\n\nb", 3, 0, &n);
    char *back = decoded(t, ids, n, 0, &length);
    assert_int_equal(ids[1], 0);
    assert_int_equal(length, 11);
    assert_memory_equal(back, " \xe2\x81\x87  \xe2\x81\x87 b", 11);
    free(ids);
    free(back);
    slm_tokenizer_free(t);
}

/* ---- vocabularies made here ---- */

typedef struct made {
    slm_heap heap;
    slm_keys keys;
} made;

static void add_strings(made *m, const char *name, const char *const *texts, size_t n)
{
    slm_buf b;
    slm_buf_init(&b, &m->heap, 1 << 20);
    for (size_t i = 0; i < n; i++)
        slm_buf_str(&b, texts[i], strlen(texts[i]));
    assert_int_equal(slm_keys_add(&m->keys, name, SLM_KEY_STRING, true, n, b.data ? b.data : (const uint8_t *)"", b.size, NULL), SLM_OK);
    slm_buf_free(&b);
}

static void add_u32s(made *m, const char *name, uint32_t type, const void *values, size_t n)
{
    assert_int_equal(slm_keys_add(&m->keys, name, type, true, n, values, n * 4, NULL), SLM_OK);
}

static void begin(made *m, const char *model)
{
    slm_heap_init(&m->heap, NULL, 0);
    slm_keys_init(&m->keys, &m->heap, "made");
    assert_int_equal(slm_keys_add_str(&m->keys, "tokenizer.ggml.model", model, NULL), SLM_OK);
}

/* 0 <unk> 1 <s> 2 </s> 3 ▁ 4 a 5 b 6 ab 7 aa 8 ▁a 9 <user> (user-defined) */
static const char *const spm_tokens[] = { "<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "b", "ab", "aa", "\xe2\x96\x81\x61", "<user>" };
static const uint32_t spm_types[] = { 2, 3, 3, 1, 1, 1, 1, 1, 1, 4 };
static const float spm_scores[] = { 0, 0, 0, -9, -9, -9, -1, -2, -3, 0 };

static void small_spm(made *m)
{
    begin(m, "llama");
    add_strings(m, "tokenizer.ggml.tokens", spm_tokens, 10);
    add_u32s(m, "tokenizer.ggml.token_type", SLM_KEY_I32, spm_types, 10);
    add_u32s(m, "tokenizer.ggml.scores", SLM_KEY_F32, spm_scores, 10);
}

/* 0 a 1 b 2 c 3 ab 4 Ġ 5 <|x|> (control) 6 bc; abc is made by a merge and is no token */
static const char *const bpe_tokens[] = { "a", "b", "c", "ab", "\xc4\xa0", "<|x|>", "bc" };
static const uint32_t bpe_types[] = { 1, 1, 1, 1, 1, 3, 1 };
static const char *const bpe_merges[] = { "a b", "ab c", "b c", "a b" };

static void small_bpe(made *m)
{
    begin(m, "gpt2");
    assert_int_equal(slm_keys_add_str(&m->keys, "tokenizer.ggml.pre", "gpt-2", NULL), SLM_OK);
    add_strings(m, "tokenizer.ggml.tokens", bpe_tokens, 7);
    add_u32s(m, "tokenizer.ggml.token_type", SLM_KEY_I32, bpe_types, 7);
    add_strings(m, "tokenizer.ggml.merges", bpe_merges, 4);
}

static void end(made *m)
{
    slm_keys_free(&m->keys);
    assert_int_equal(atomic_load(&m->heap.current), 0);
}

static slm_tokenizer *loaded(made *m)
{
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    if (slm_tokenizer_load(&t, &m->heap, &m->keys, "made.gguf", &err))
        fail_msg("%s", err.text);
    assert_non_null(t);
    return t;
}

static void wants_ids(const slm_tokenizer *t, const char *text, unsigned flags, const char *want)
{
    char got[256] = "";
    size_t n, used = 0;
    int32_t *ids = encoded(t, text, strlen(text), flags, &n);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%d", i ? " " : "", ids[i]);
    free(ids);
    if (strcmp(got, want) != 0)
        fail_msg("'%s': ids %s, want %s", text, got, want);
}

static void wants_text(const slm_tokenizer *t, const int32_t *ids, size_t n_ids, unsigned flags, const char *want)
{
    size_t n;
    char *text = decoded(t, ids, n_ids, flags, &n);
    if (n != strlen(want) || memcmp(text, want, n) != 0)
        fail_msg("text '%.*s', want '%s'", (int)n, text, want);
    free(text);
}
#define IDS(...) (const int32_t[]){ __VA_ARGS__ }, sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)

static void spm_merges_by_score(void **state)
{
    made m;
    (void)state;
    small_spm(&m);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "", 0, "");
    wants_ids(t, "ab", 0, "3 6");               /* ab (-1) before ▁a (-3) */
    wants_ids(t, "aa", 0, "3 7");
    wants_ids(t, "aaa", 0, "3 7 4");            /* of two equal pairs the left one */
    slm_tokenizer_free(t);
    end(&m);
}

/* A token that goes on over a space: the text cannot be merged word by word. */
static void spm_joins_over_a_space(void **state)
{
    static const char *const tokens[] = { "<unk>", "<s>", "</s>", "\xe2\x96\x81", "a", "b", "a\xe2\x96\x81", "a\xe2\x96\x81\x62", "\xe2\x96\x81\x61", "aa" };
    made m;
    (void)state;
    small_spm(&m);
    add_strings(&m, "tokenizer.ggml.tokens", tokens, 10);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "a b", 0, "3 7");
    wants_ids(t, "a b a b", 0, "3 7 3 7");
    slm_tokenizer_free(t);
    end(&m);
}

static void spm_special_and_unknown(void **state)
{
    made m;
    (void)state;
    small_spm(&m);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "b", SLM_TEXT_BOS_EOS, "1 3 5");
    wants_ids(t, "\xc3\xa9", 0, "3 0");         /* no byte tokens: the unknown token, once for the code point */
    wants_ids(t, "\n\n", 0, "3 0 0");
    wants_ids(t, "a<user>b", 0, "8 9 3 5");     /* user-defined: always; a prefix after it */
    wants_ids(t, "<s>b", SLM_TEXT_SPECIAL, "1 3 5");
    wants_ids(t, "<unk>", SLM_TEXT_SPECIAL, "0");
    wants_ids(t, "<s>", 0, "3 0 0 0");
    wants_text(t, IDS(1, 8, 3, 5, 2), 0, "a b");
    wants_text(t, IDS(1, 8, 3, 5, 2), SLM_TEXT_CONTROL, "<s>a b</s>");
    wants_text(t, IDS(8, 9, 3, 5), 0, "a<user>b");
    wants_text(t, IDS(3, 0, 3), 0, " \xe2\x81\x87  ");
    slm_tokenizer_free(t);
    end(&m);
}

static void bpe_merges_by_rank(void **state)
{
    made m;
    (void)state;
    small_bpe(&m);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "ab", 0, "3");
    wants_ids(t, "abc", 0, "0 1 2");            /* joined to abc, which is no token and falls apart into characters */
    wants_ids(t, "bc", 0, "6");
    wants_ids(t, "a z\xff" "b", 0, "0 4 1");    /* z and the bytes of U+FFFD have no token: dropped */
    wants_ids(t, "<|x|>", 0, "");
    wants_ids(t, "a<|x|>b", SLM_TEXT_SPECIAL, "0 5 1");
    wants_text(t, IDS(0, 4, 5, 6), 0, "a bc");
    wants_text(t, IDS(0, 4, 5, 6), SLM_TEXT_CONTROL, "a <|x|>bc");
    slm_tokenizer_free(t);
    end(&m);
}

static void text_never_yields_control(void **state)
{
    /* the merges lead to the text of a control token; plain text must not */
    static const char *const tokens[] = { "a", "b", "ab" };
    static const char *const merges[] = { "a b" };
    static const uint32_t types[] = { 1, 1, 3 };
    static const char *const pres[] = { "gpt-2", "llama-bpe" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        made m;
        begin(&m, "gpt2");
        assert_int_equal(slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", pres[i], NULL), SLM_OK);
        add_strings(&m, "tokenizer.ggml.tokens", tokens, 3);
        add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 3);
        add_strings(&m, "tokenizer.ggml.merges", merges, 1);
        slm_tokenizer *t = loaded(&m);
        wants_ids(t, "ab", 0, "0 1");
        wants_ids(t, "ab", SLM_TEXT_SPECIAL, "2");
        slm_tokenizer_free(t);
        end(&m);
    }
    made m;
    static const uint32_t control[] = { 2, 3, 3, 1, 1, 1, 3, 1, 1, 4 };
    small_spm(&m);
    add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, control, 10);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "ab", 0, "8 5");
    slm_tokenizer_free(t);
    end(&m);
}

static void longest_special_first(void **state)
{
    static const char *const tokens[] = { "a", "b", "<a", "<a>b", "a>", "b<a>", "<a>b" };
    static const uint32_t types[] = { 1, 1, 3, 3, 3, 3, 3 };
    made m;
    (void)state;
    begin(&m, "gpt2");
    assert_int_equal(slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", "gpt-2", NULL), SLM_OK);
    add_strings(&m, "tokenizer.ggml.tokens", tokens, 7);
    add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 7);
    add_strings(&m, "tokenizer.ggml.merges", NULL, 0);
    slm_tokenizer *t = loaded(&m);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    assert_int_equal(slm_tokenizer_get_info(t, &info, NULL), SLM_OK);
    assert_int_equal(info.duplicates, 1);
    wants_ids(t, "<a>b", SLM_TEXT_SPECIAL, "3");        /* the longest; of equal texts the lower id */
    wants_ids(t, "b<a>b", SLM_TEXT_SPECIAL, "1 3");     /* of <a>b and b<a>, equally long, the lower id */
    wants_ids(t, "b<a>", SLM_TEXT_SPECIAL, "5");
    wants_ids(t, "<a><a", SLM_TEXT_SPECIAL, "2 2");
    wants_ids(t, "<a>b<a>b", SLM_TEXT_SPECIAL, "3 3");
    wants_ids(t, "a>", SLM_TEXT_SPECIAL, "4");
    slm_tokenizer_free(t);
    end(&m);
}

/* The longest that fits is taken where a longer one begins in what is taken already. */
static void shorter_special_where_the_longest_is_cut(void **state)
{
    static const char *const tokens[] = { "x", "bcde", "abc", "ab", "a", "pq", "q", "cdpq" };
    static const uint32_t types[] = { 1, 3, 3, 3, 3, 3, 3, 3 };
    made m;
    (void)state;
    begin(&m, "gpt2");
    assert_int_equal(slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", "gpt-2", NULL), SLM_OK);
    add_strings(&m, "tokenizer.ggml.tokens", tokens, 8);
    add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 8);
    add_strings(&m, "tokenizer.ggml.merges", NULL, 0);
    slm_tokenizer *t = loaded(&m);
    wants_ids(t, "abcde", SLM_TEXT_SPECIAL, "4 1");             /* not abc, not ab: a */
    wants_ids(t, "qqxabcdeqq", SLM_TEXT_SPECIAL, "6 6 0 4 1 6 6");
    wants_ids(t, "abcdpq", SLM_TEXT_SPECIAL, "3 7");
    wants_ids(t, "qabcdpqabcdeqpq", SLM_TEXT_SPECIAL, "6 3 7 4 1 6 5");
    slm_tokenizer_free(t);
    end(&m);
}

/* Characters that stand for no byte, and bytes that are no character, come out of a byte-mapped token as they are. */
static void what_stands_for_no_byte_stays(void **state)
{
    static const char *const tokens[] = { "a b", "\xe2\x82\xac", "\xff", "\xc5\x83", "\xc2\xad", "a", "b", "ab", "<|x|>", "abc", "c", "\xc4\xa1" };
    static const uint32_t types[] = { 1, 1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1 };
    static const char *const merges[] = { "\xe2\x82\xac a", "a \xe2\x82\xac", "\xa9 a", "\xa9\xa9\xa9\xa9\xa9 a", "a b", "ab c", "a bx", "ab x", "abx \xe2\x82\xac" };
    made m;
    (void)state;
    begin(&m, "gpt2");
    assert_int_equal(slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", "gpt-2", NULL), SLM_OK);
    add_strings(&m, "tokenizer.ggml.tokens", tokens, 12);
    add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 12);
    add_strings(&m, "tokenizer.ggml.merges", merges, 9);
    slm_tokenizer *t = loaded(&m);
    wants_text(t, IDS(0, 1, 2, 3, 4, 11), 0, "a b\xe2\x82\xac\xff\xad\xc2\xad\x7f");
    wants_ids(t, "ab", 0, "7");
    wants_ids(t, "abc", 0, "9");                /* its token lies behind one that no text becomes */
    wants_ids(t, "abx", 0, "5 6");              /* made twice by merges, no token, and x has none */
    wants_ids(t, "\xff", 0, "");                /* the bytes of U+FFFD have no token either */
    slm_tokenizer_free(t);
    end(&m);
    static const char *const twice[] = { "a", "b", "ab", "ab" };
    small_bpe(&m);
    add_strings(&m, "tokenizer.ggml.tokens", twice, 4);
    add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 4);
    t = loaded(&m);
    wants_ids(t, "abab", 0, "2 2");             /* of two equal texts the lower id */
    slm_tokenizer_free(t);
    end(&m);
}

/* A long text goes piece by piece through a memo; each piece alone has none. */
static void a_memo_changes_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        enum { PIECES = 4000 };
        static char text[PIECES * 48];
        static int32_t want[PIECES * 48], got[PIECES * 48];
        size_t n = 0, n_want = 0, n_got = 0;
        uint32_t seed = 0x5eed;
        made m;
        kind ? small_bpe(&m) : small_spm(&m);
        slm_tokenizer *t = loaded(&m);
        for (int i = 0; i < PIECES; i++) {
            char piece[48];
            size_t len = 0, made_ids;
            seed = seed * 1664525u + 1013904223u;
            const size_t letters = 1 + (seed >> 24) % (i % 50 ? 12 : 40);
            if (kind || i)
                piece[len++] = ' ';
            for (size_t k = 0; k < letters; k++) {
                seed = seed * 1664525u + 1013904223u;
                piece[len++] = i % 7 ? "abc" [(seed >> 24) % 3] : "zy" [seed >> 24 & 1];        /* of some every byte is unknown */
            }
            memcpy(text + n, piece, len);
            n += len;
            const size_t from = !kind && i ? 1 : 0;                 /* llama puts the space in front itself */
            assert_int_equal(slm_tokenizer_encode(t, want + n_want, PIECES * 48 - n_want, &made_ids, piece + from, len - from, 0, NULL), SLM_OK);
            n_want += made_ids;
        }
        assert_int_equal(slm_tokenizer_encode(t, got, PIECES * 48, &n_got, text, n, 0, NULL), SLM_OK);
        assert_int_equal(n_got, n_want);
        assert_memory_equal(got, want, n_got * sizeof *got);
        slm_tokenizer_free(t);
        end(&m);
    }
}

/* ---- refusals ---- */

static void wants_status(made *m, slm_status want, const char *words)
{
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    const slm_status got = slm_tokenizer_load(&t, &m->heap, &m->keys, "made.gguf", &err);
    if (got != want || !strstr(err.text, words))
        fail_msg("%s '%s', want %s with '%s'", slm_status_name(got), err.text, slm_status_name(want), words);
    assert_null(t);
    end(m);
}

static void refuses(void **state)
{
    static const float nan_scores[] = { 0, 0, 0, 0, 0, NAN, 0, 0, 0, 0 };
    static const uint32_t odd_types[] = { 2, 3, 3, 1, 1, 7, 1, 1, 1, 4 }, byte_types[] = { 2, 3, 3, 6, 1, 1, 1, 1, 1, 4 };
    static const char *const bad_merges[] = { "a b", "ab" }, *const bad_end[] = { "a " };
    made m;
    (void)state;
    begin(&m, "rwkv"), wants_status(&m, SLM_E_UNSUPPORTED, "made.gguf: tokenizer.ggml.model 'rwkv' is not supported; known: llama, gpt2, bert, t5");
    begin(&m, "t"), wants_status(&m, SLM_E_UNSUPPORTED, "'t'");
    begin(&m, "gpt2"), wants_status(&m, SLM_E_UNSUPPORTED, "tokenizer.ggml.pre is missing");
    small_bpe(&m);
    slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", "viking\n", NULL);
    wants_status(&m, SLM_E_UNSUPPORTED, "'viking\\x0a' is not supported; known: llama-bpe, ");
    begin(&m, "llama"), wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.tokens is missing");
    begin(&m, "llama"), add_strings(&m, "tokenizer.ggml.tokens", NULL, 0), wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.tokens is empty");
    small_spm(&m), add_u32s(&m, "tokenizer.ggml.scores", SLM_KEY_F32, spm_scores, 9), wants_status(&m, SLM_E_FORMAT, "9 scores for 10 tokens");
    small_spm(&m), add_u32s(&m, "tokenizer.ggml.scores", SLM_KEY_F32, nan_scores, 10), wants_status(&m, SLM_E_FORMAT, "token 5 is NaN");
    small_spm(&m), add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, spm_types, 9), wants_status(&m, SLM_E_FORMAT, "9 types for 10 tokens");
    small_spm(&m), add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, odd_types, 10), wants_status(&m, SLM_E_FORMAT, "token 5 is of type 7");
    small_spm(&m), add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, byte_types, 10), wants_status(&m, SLM_E_FORMAT, "<0xHH>");
    small_spm(&m), slm_keys_add_u32(&m.keys, "tokenizer.ggml.bos_token_id", 10, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.bos_token_id is 10, the vocabulary has 10 tokens");
    small_spm(&m), slm_keys_add_u32(&m.keys, "tokenizer.ggml.eot_token_id", 0xfffffffe, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.eot_token_id is 4294967294");
    small_spm(&m), slm_keys_add_u32(&m.keys, "tokenizer.ggml.unknown_token_id", UINT32_MAX, NULL);
    wants_status(&m, SLM_E_FORMAT, "no token <0x00> and no unknown token");
    small_bpe(&m), slm_keys_add_bool(&m.keys, "tokenizer.ggml.add_bos_token", true, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.add_bos_token is true, but tokenizer.ggml.bos_token_id names no token");
    small_bpe(&m), add_strings(&m, "tokenizer.ggml.merges", bad_merges, 2), wants_status(&m, SLM_E_FORMAT, "merge 1, 'ab'");
    small_bpe(&m), add_strings(&m, "tokenizer.ggml.merges", bad_end, 1), wants_status(&m, SLM_E_FORMAT, "merge 0, 'a '");
}

/* Each key with a value of another type. */
static void keys_of_another_type_are_refused(void **state)
{
    static const struct { const char *kind, *key; bool number; } rows[] = {
        { "llama", "model", true }, { "gpt2", "pre", true }, { "llama", "tokens", true }, { "llama", "token_type", true }, { "llama", "scores", true },
        { "llama", "bos_token_id", false }, { "llama", "eos_token_id", false }, { "llama", "unknown_token_id", false }, { "llama", "eot_token_id", false },
        { "llama", "add_bos_token", true }, { "llama", "add_eos_token", true }, { "llama", "add_space_prefix", true }, { "gpt2", "merges", true } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char key[64];
        made m;
        rows[i].kind[0] == 'l' ? small_spm(&m) : small_bpe(&m);
        (void)snprintf(key, sizeof key, "tokenizer.ggml.%s", rows[i].key);
        assert_int_equal(rows[i].number ? slm_keys_add_u32(&m.keys, key, 1, NULL) : slm_keys_add_str(&m.keys, key, "1", NULL), SLM_OK);
        wants_status(&m, SLM_E_FORMAT, key);
    }
    made m;
    static const uint64_t minus = UINT64_MAX, minus_two = UINT64_MAX - 1;
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.bos_token_id", SLM_KEY_I64, false, 1, &minus_two, 8, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.bos_token_id");
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.bos_token_id", SLM_KEY_I64, true, 1, &minus, 8, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.bos_token_id");
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.bos_token_id", SLM_KEY_I64, false, 1, &minus, 8, NULL);
    slm_tokenizer *t = loaded(&m);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    assert_int_equal(slm_tokenizer_get_info(t, &info, NULL), SLM_OK);
    assert_int_equal(info.bos, -1);
    slm_tokenizer_free(t);
    end(&m);
}

/* Lists of strings that say more than there is. */
static void lists_that_lie_are_refused(void **state)
{
    static const uint8_t five[16] = { 5, 0, 0, 0, 0, 0, 0, 0, 'a' }, one[16] = { 1, 0, 0, 0, 0, 0, 0, 0, 'a' };
    made m;
    (void)state;
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, (uint64_t)SLM_LIMIT_VOCAB + 1, five, 9, NULL);
    wants_status(&m, SLM_E_LIMIT, "tokenizer.ggml.tokens: ");
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, 2, five, 9, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.tokens: 9 bytes for 2 tokens");
    small_spm(&m), slm_keys_add(&m.keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, 1, five, 9, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.tokens: token 0 is cut off");
    small_bpe(&m), slm_keys_add(&m.keys, "tokenizer.ggml.merges", SLM_KEY_STRING, true, 1, five, 9, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.merges: merge 0 is cut off");
    small_bpe(&m), slm_keys_add(&m.keys, "tokenizer.ggml.merges", SLM_KEY_STRING, true, 1, one, 9, NULL);
    wants_status(&m, SLM_E_FORMAT, "tokenizer.ggml.merges: merge 0, 'a', is not two texts");
}

/* What a byte token is called. */
static void byte_tokens_have_one_form(void **state)
{
    static const struct { const char *text; int byte; } rows[] = {
        { "<0x00>", 0 }, { "<0xFF>", 255 }, { "<0xaf>", 175 }, { "<0xAf>", 175 }, { "<0x9A>", 154 }, { "<0xg0>", -1 }, { "<0xG0>", -1 }, { "<0x/0>", -1 },
        { "<0x:0>", -1 }, { "<0x@0>", -1 }, { "<0x`0>", -1 }, { "<0x0g>", -1 }, { "<0x00)", -1 }, { "<1x00>", -1 }, { "<0x000>", -1 } };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const tokens[] = { "<unk>", "<s>", "</s>", rows[i].text };
        static const uint32_t types[] = { 2, 3, 3, 6 };
        made m;
        begin(&m, "llama");
        add_strings(&m, "tokenizer.ggml.tokens", tokens, 4);
        add_u32s(&m, "tokenizer.ggml.token_type", SLM_KEY_I32, types, 4);
        if (rows[i].byte < 0) {
            wants_status(&m, SLM_E_FORMAT, "is a byte token and not of the form <0xHH>");
            continue;
        }
        slm_tokenizer *t = loaded(&m);
        char text[4];
        size_t n;
        assert_int_equal(slm_tokenizer_decode(t, text, 4, &n, IDS(3), 0, NULL), SLM_OK);
        assert_int_equal(n, 1);
        assert_int_equal((uint8_t)text[0], rows[i].byte);
        slm_tokenizer_free(t);
        end(&m);
    }
}

static void none_where_no_tokenizer(void **state)
{
    slm_heap heap;
    slm_keys keys;
    slm_tokenizer *t = (slm_tokenizer *)&heap;
    (void)state;
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "made");
    assert_int_equal(slm_tokenizer_load(&t, &heap, &keys, "made.gguf", NULL), SLM_OK);
    assert_null(t);
    slm_keys_free(&keys);
}

static void ids_of_none(void **state)
{
    const int32_t minus = -1;
    made m;
    (void)state;
    small_spm(&m);
    slm_keys_add_u32(&m.keys, "tokenizer.ggml.bos_token_id", UINT32_MAX, NULL);
    slm_keys_add(&m.keys, "tokenizer.ggml.eos_token_id", SLM_KEY_I32, false, 1, &minus, 4, NULL);
    slm_tokenizer *t = loaded(&m);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    assert_int_equal(slm_tokenizer_get_info(t, &info, NULL), SLM_OK);
    assert_int_equal(info.bos, -1);
    assert_int_equal(info.eos, -1);
    assert_int_equal(info.unk, 0);
    assert_int_equal(info.add_bos, 0);
    assert_string_equal(info.kind, "llama");
    assert_string_equal(info.pre, "");
    assert_false(slm_tokenizer_is_end(t, 2));
    assert_false(slm_tokenizer_is_end(t, -1));
    assert_null(slm_tokenizer_text(t, 10, NULL));
    assert_null(slm_tokenizer_text(t, -1, NULL));
    wants_ids(t, "b", SLM_TEXT_BOS_EOS, "3 5");
    slm_tokenizer_free(t);
    end(&m);
}

static void arguments(void **state)
{
    made m;
    int32_t ids[4] = { 7, 7, 7, 7 };
    char text[4] = "...";
    size_t n = 99;
    slm_error err = { 0 };
    (void)state;
    small_spm(&m);
    slm_tokenizer *t = loaded(&m);
    assert_int_equal(slm_tokenizer_encode(t, ids, 1, &n, "b", 1, 0, &err), SLM_E_LIMIT);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], 7);
    assert_int_equal(slm_tokenizer_decode(t, text, 1, &n, IDS(6, 6), 0, &err), SLM_E_LIMIT);
    assert_int_equal(n, 4);
    assert_int_equal(text[0], '.');
    assert_int_equal(slm_tokenizer_decode(t, text, 4, &n, IDS(6, 10), 0, &err), SLM_E_ARG);
    assert_string_equal(err.text, "token 1 is 10, the vocabulary has ids 0 to 9");
    assert_int_equal(slm_tokenizer_decode(t, text, 4, &n, IDS(-1), 0, &err), SLM_E_ARG);
    assert_int_equal(slm_tokenizer_encode(t, NULL, 1, &n, "b", 1, 0, &err), SLM_E_ARG);
    assert_int_equal(slm_tokenizer_encode(t, ids, 4, &n, NULL, 0, 0, &err), SLM_OK);
    assert_int_equal(n, 0);
    assert_int_equal(slm_tokenizer_encode(t, ids, 4, &n, "b", 1, 64, &err), SLM_E_ARG);
    assert_int_equal(slm_tokenizer_encode(t, ids, 4, &n, "b", (size_t)SLM_LIMIT_TEXT_BYTES + 1, 0, &err), SLM_E_LIMIT);
    slm_text_range ranges[4];
    slm_tokenizer *other = t;
    slm_file_params file = SLM_FILE_PARAMS_INIT;
    file.size = 3;
    n = 99;
#define REFUSED(call, words) do { \
        assert_int_equal(call, SLM_E_ARG); \
        if (!strstr(err.text, words)) \
            fail_msg("'%s', want '%s'", err.text, words); \
    } while (0)
    REFUSED(slm_tokenizer_encode(NULL, ids, 4, &n, "b", 1, 0, &err), "slm_tokenizer_encode: tokenizer is NULL");
    REFUSED(slm_tokenizer_encode(t, ids, 4, NULL, "b", 1, 0, &err), "slm_tokenizer_encode: n is NULL");
    REFUSED(slm_tokenizer_encode(t, ids, 4, &n, NULL, 1, 0, &err), "slm_tokenizer_encode: text is NULL");
    REFUSED(slm_tokenizer_encode(t, NULL, 4, &n, "b", 1, 0, &err), "slm_tokenizer_encode: ids is NULL");
    REFUSED(slm_tokenizer_encode_ranges(t, ids, NULL, 4, &n, "b", 1, 0, &err), "slm_tokenizer_encode_ranges: ranges is NULL");
    REFUSED(slm_tokenizer_encode_ranges(t, NULL, ranges, 4, &n, "b", 1, 0, &err), "slm_tokenizer_encode_ranges: ids is NULL");
    REFUSED(slm_tokenizer_decode(NULL, text, 4, &n, IDS(6), 0, &err), "slm_tokenizer_decode: tokenizer is NULL");
    REFUSED(slm_tokenizer_decode(t, text, 4, NULL, IDS(6), 0, &err), "slm_tokenizer_decode: n is NULL");
    REFUSED(slm_tokenizer_decode(t, text, 4, &n, NULL, 1, 0, &err), "slm_tokenizer_decode: ids is NULL");
    REFUSED(slm_tokenizer_decode(t, NULL, 4, &n, IDS(6), 0, &err), "slm_tokenizer_decode: text is NULL");
    REFUSED(slm_tokenizer_decode(t, text, 4, &n, IDS(6), 64, &err), "slm_tokenizer_decode: flags 0x40");
    REFUSED(slm_tokenizer_get_info(NULL, &(slm_tokenizer_info)SLM_TOKENIZER_INFO_INIT, &err), "slm_tokenizer_get_info: tokenizer is NULL");
    REFUSED(slm_tokenizer_get_info(t, NULL, &err), "slm_tokenizer_get_info: info is NULL");
    REFUSED(slm_tokenizer_open(NULL, "x", NULL, &err), "slm_tokenizer_open: out is NULL");
    REFUSED(slm_tokenizer_open(&other, NULL, NULL, &err), "slm_tokenizer_open: path is NULL");
    REFUSED(slm_tokenizer_open(&other, "x", &file, &err), "params.size is 3");
    assert_null(slm_tokenizer_text(NULL, 0, NULL));
    assert_int_equal(n, 99);
    assert_ptr_equal(other, t);
    assert_int_equal(slm_tokenizer_decode(t, NULL, 0, &n, NULL, 0, 0, &err), SLM_OK);
    assert_int_equal(n, 0);
    slm_tokenizer_free(t);
    slm_tokenizer_free(NULL);
    end(&m);
}

/* An allocator that refuses allocation number `fail` and all after it. */
typedef struct miser { size_t count, fail; } miser;
static void *miser_alloc(void *user, size_t size)
{
    miser *m = user;
    void *memory = NULL;
    return m->count++ >= m->fail || posix_memalign(&memory, 64, size) ? NULL : memory;
}
static void miser_release(void *user, void *memory, size_t size)
{
    (void)user, (void)size;
    free(memory);
}

static void every_allocation_may_fail(void **state)
{
    static char text[2048] = "abc<user>\xff" "ab <s> aab";
    static const char *const words[] = { "", "ab ", "aab ", "abcabcabcbbc ", "z", "\xe2\x96\x80" };
    (void)state;
    for (size_t n = strlen(text), i = 0; n + 300 < sizeof text; n = strlen(text), i++)     /* long enough for a memo; a word that is long */
        i == 20 ? memset(text + n, 'a', 200) : strcat(text, words[i % 6]);
    for (int kind = 0; kind < 5; kind++) {
        made m;
        size_t fail = 0;
        kind ? small_bpe(&m) : small_spm(&m);
        if (kind > 1) {                         /* texts that are no token: more than the first room for them, which ends at another each time */
            static char more[800][32];
            static const char *merges[802] = { "a b", "a bx" };
            for (int i = 0; i < 800; i++) {
                (void)snprintf(more[i], sizeof more[i], "l%d r%d", i, i);
                merges[i + 2] = more[i];
            }
            add_strings(&m, "tokenizer.ggml.merges", merges + (kind - 2), 800);
            assert_int_equal(slm_keys_add_str(&m.keys, "tokenizer.ggml.pre", "llama-bpe", NULL), SLM_OK);
        }
        for (bool done = false; !done; fail++) {
            miser mean = { 0, fail };
            const slm_allocator allocator = { &mean, miser_alloc, miser_release };
            slm_heap heap;
            slm_tokenizer *t = NULL;
            static int32_t ids[8192];
            static char back[8192];
            size_t n = 12345, length = 12345;
            slm_heap_init(&heap, &allocator, 0);
            slm_status status = slm_tokenizer_load(&t, &heap, &m.keys, "made.gguf", NULL);
            if (!status && (status = slm_tokenizer_encode(t, ids, 8192, &n, text, strlen(text), SLM_TEXT_SPECIAL, NULL)))
                assert_int_equal(n, 12345);
            else if (!status && (status = slm_tokenizer_decode(t, back, 8192, &length, ids, n, 0, NULL)))
                assert_int_equal(length, 12345);
            if (status)
                assert_int_equal(status, SLM_E_MEMORY);
            done = !status;
            slm_tokenizer_free(t);
            assert_int_equal(atomic_load(&heap.current), 0);
        }
        assert_true(fail > 10);
        end(&m);
    }
}

enum { PER_VOCAB = 7, MADE = 18 };

int main(void)
{
    static const struct { const char *name; CMUnitTestFunction run; } each[PER_VOCAB] = {
        { "gives the ids of the official vectors", official },
        { "gives the ids of the hard cases", hard },
        { "gives the ids of text with special tokens", special },
        { "takes what is not UTF-8 as U+FFFD, at every cut", invalid },
        { "decodes ids to the text they came from", back },
        { "needs time in proportion to the text", linear },
        { NULL, NULL }
    };
    static char names[VOCABS * PER_VOCAB][96];
    struct CMUnitTest tests[VOCABS * PER_VOCAB + 32] = {
        cmocka_unit_test(spm_merges_by_score), cmocka_unit_test(spm_special_and_unknown), cmocka_unit_test(bpe_merges_by_rank),
        cmocka_unit_test(text_never_yields_control), cmocka_unit_test(longest_special_first), cmocka_unit_test(refuses),
        cmocka_unit_test(none_where_no_tokenizer), cmocka_unit_test(ids_of_none), cmocka_unit_test(arguments),
        cmocka_unit_test(every_allocation_may_fail), cmocka_unit_test(without_byte_tokens),
        cmocka_unit_test(shorter_special_where_the_longest_is_cut), cmocka_unit_test(what_stands_for_no_byte_stays),
        cmocka_unit_test(a_memo_changes_nothing), cmocka_unit_test(keys_of_another_type_are_refused),
        cmocka_unit_test(lists_that_lie_are_refused), cmocka_unit_test(spm_joins_over_a_space), cmocka_unit_test(byte_tokens_have_one_form),
    };
    size_t n = MADE;
    for (size_t v = 0; v < VOCABS; v++)
        for (size_t i = 0; each[i].name; i++) {
            snprintf(names[n - MADE], sizeof names[0], "%s %s", vocabs[v], each[i].name);
            tests[n] = (struct CMUnitTest){ names[n - MADE], each[i].run, NULL, NULL, (void *)v };
            n++;
        }
    return _cmocka_run_group_tests("tokenizer", tests, n, NULL, close_all) != 0;
}
