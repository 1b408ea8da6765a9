/* test_encoder_vocab.c -- WordPiece and unigram vocabularies made here: cased and uncased, marks, bytes, ties, refusals. */
#include "vectors.h"

#include "harness/fail_alloc.h"
#include "text/tokenizer.h"

#include <math.h>

typedef struct made {
    slm_heap heap;
    slm_keys keys;
} made;

static void begin(made *m, const char *model, const char *const *tokens, const uint32_t *types, const float *scores, size_t n)
{
    slm_buf b;
    slm_heap_init(&m->heap, NULL, 0);
    slm_keys_init(&m->keys, &m->heap, "made");
    slm_buf_init(&b, &m->heap, 1 << 20);
    for (size_t i = 0; i < n; i++)
        slm_buf_str(&b, tokens[i], strlen(tokens[i]));
    assert_int_equal(slm_keys_add_str(&m->keys, "tokenizer.ggml.model", model, NULL), SLM_OK);
    assert_int_equal(slm_keys_add(&m->keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, n, b.data, b.size, NULL), SLM_OK);
    assert_int_equal(slm_keys_add(&m->keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, n, types, n * 4, NULL), SLM_OK);
    if (scores)
        assert_int_equal(slm_keys_add(&m->keys, "tokenizer.ggml.scores", SLM_KEY_F32, true, n, scores, n * 4, NULL), SLM_OK);
    slm_buf_free(&b);
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
    return t;
}

static void refused(made *m, slm_status want, const char *words)
{
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    const slm_status got = slm_tokenizer_load(&t, &m->heap, &m->keys, "made.gguf", &err);
    if (got != want || !strstr(err.text, words))
        fail_msg("%s '%s', want %s with '%s'", slm_status_name(got), err.text, slm_status_name(want), words);
    end(m);
}

static void wants(const slm_tokenizer *t, const char *text, unsigned flags, const char *want)
{
    int32_t ids[128];
    char got[512] = "";
    size_t n = 0, used = 0;
    assert_int_equal(slm_tokenizer_encode(t, ids, 128, &n, text, strlen(text), flags, NULL), SLM_OK);
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%d", i ? " " : "", ids[i]);
    if (strcmp(got, want) != 0)
        fail_msg("'%s': ids %s, want %s", text, got, want);
}

#define MARK "\xe2\x96\x81"

static const char *const words[] = { "[UNK]", "[CLS]", "[SEP]", MARK "e", MARK "ab", "c", MARK "i", MARK ",", MARK "\xe4\xb8\xad", MARK "\xc3\xa9" };
static const uint32_t word_types[] = { 3, 3, 3, 1, 1, 1, 1, 1, 1, 1 };
enum { WORDS = 10 };

static void uncased(void **state)
{
    made m;
    (void)state;
    begin(&m, "bert", words, word_types, NULL, WORDS);
    slm_tokenizer *t = loaded(&m);
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    assert_int_equal(slm_tokenizer_get_info(t, &info, NULL), SLM_OK);
    assert_string_equal(info.kind, "bert");
    assert_int_equal(info.bos, 1);                      /* by their texts: no key names them */
    assert_int_equal(info.eos, 2);
    assert_int_equal(info.unk, 0);
    wants(t, "ABc, abcc", SLM_TEXT_BOS_EOS, "1 4 5 7 4 5 5 2");
    wants(t, "\xc3\x89 e\xcc\x81", 0, "3 3");           /* accents go, composed or not */
    wants(t, "\xc4\xb0", 0, "6");                       /* I with a dot above */
    wants(t, "ab\xe4\xb8\xad" "ab", 0, "4 8 4");        /* an ideograph stands alone */
    wants(t, "cab", 0, "0");                            /* c begins no word */
    wants(t, "ab" MARK "e", 0, "0");                    /* a mark in the text is no beginning */
    wants(t, "a\xc2\xad" "b\x01", 0, "4");              /* format and control characters go */
    wants(t, " \t\r\n", 0, "");
    wants(t, "[SEP]", SLM_TEXT_SPECIAL, "2");
    char longest[128] = "ab";
    memset(longest + 2, 'c', 98);
    wants(t, longest + 50, 0, "0");
    int32_t ids[128];
    size_t n;
    assert_int_equal(slm_tokenizer_encode(t, ids, 128, &n, longest, 100, 0, NULL), SLM_OK);
    assert_int_equal(n, 99);
    longest[100] = 'c';                                 /* 101 characters: unknown */
    assert_int_equal(slm_tokenizer_encode(t, ids, 128, &n, longest, 101, 0, NULL), SLM_OK);
    assert_int_equal(n, 1);
    slm_tokenizer_free(t);
    end(&m);
}

/* Which characters stand alone: the ideographs, and what is no letter and no digit; those beside each range do not. */
static void what_stands_alone(void **state)
{
    static const struct { uint32_t first, last; } ideographs[] = {
        { 0x4e00, 0x9fff }, { 0x3400, 0x4dbf }, { 0x20000, 0x2a6df }, { 0x2a700, 0x2ceaf }, { 0xf900, 0xfaff }, { 0x2f800, 0x2fa1f } };
    made m;
    char text[16];
    (void)state;
    begin(&m, "bert", words, word_types, NULL, WORDS);
    assert_int_equal(slm_keys_add_bool(&m.keys, "tokenizer.ggml.normalizer.strip_accents", false, NULL), SLM_OK);
    slm_tokenizer *t = loaded(&m);
    for (uint32_t c = 0x21; c < 0x7f; c++) {
        const bool joins = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        (void)snprintf(text, sizeof text, "ab%cab", (int)c);
        wants(t, text, 0, c == ',' ? "4 7 4" : joins ? "0" : "4 0 4");
    }
    for (size_t i = 0; i < sizeof ideographs / sizeof *ideographs; i++) {
        const uint32_t around[4] = { ideographs[i].first - 1, ideographs[i].first, ideographs[i].last, ideographs[i].last + 1 };
        for (int k = 0; k < 4; k++) {
            const uint32_t c = around[k];
            size_t n = 2;
            memcpy(text, "ab", 2);
            if (c >= 0x10000)
                text[n++] = (char)(0xf0 | c >> 18), text[n++] = (char)(0x80 | (c >> 12 & 0x3f));
            else
                text[n++] = (char)(0xe0 | c >> 12);
            text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
            text[n++] = (char)(0x80 | (c & 0x3f));
            memcpy(text + n, "ab", 3);
            wants(t, text, 0, k == 1 || k == 2 ? "4 0 4" : "0");
        }
    }
    wants(t, "ab\xe2\x96\x80" "ab ab\xe2\x80\x80" "ab", 0, "0 4 4");     /* symbols that begin like a mark: one of a word, one a space */
    slm_tokenizer_free(t);
    end(&m);
    static const char *const keys[] = { "tokenizer.ggml.normalizer.lowercase", "tokenizer.ggml.normalizer.strip_accents" };
    for (int i = 0; i < 2; i++) {
        begin(&m, "bert", words, word_types, NULL, WORDS);
        assert_int_equal(slm_keys_add_u32(&m.keys, keys[i], 1, NULL), SLM_OK);
        refused(&m, SLM_E_FORMAT, keys[i]);
    }
}

static void cased(void **state)
{
    static const char *const tokens[] = { "[UNK]", "[CLS]", "[SEP]", MARK "Ab", MARK "ab", MARK "\xc3\xa9", MARK "i\xcc\x87" };
    made m;
    (void)state;
    begin(&m, "bert", tokens, word_types, NULL, 7);
    slm_tokenizer *t = loaded(&m);
    wants(t, "Ab ab AB \xc3\xa9", 0, "3 4 0 5");        /* a token with a capital letter: text stays as it is */
    slm_tokenizer_free(t);
    assert_int_equal(slm_keys_add_bool(&m.keys, "tokenizer.ggml.normalizer.lowercase", true, NULL), SLM_OK);
    assert_int_equal(slm_keys_add_bool(&m.keys, "tokenizer.ggml.normalizer.strip_accents", false, NULL), SLM_OK);
    t = loaded(&m);
    wants(t, "Ab AB \xc3\x89", 0, "4 4 5");             /* the file's word counts more */
    wants(t, "\xc4\xb0", 0, "6");                       /* I with a dot above, in two characters */
    slm_tokenizer_free(t);
    end(&m);
    begin(&m, "bert", words + 3, word_types + 3, NULL, 3), refused(&m, SLM_E_FORMAT, "unknown_token_id is missing, and none of the 3 tokens is [UNK]");
}

static const char *const pieces[] = { "<pad>", "</s>", "<unk>", MARK, "a", "b", "ab", MARK "a", "ba" };
static const uint32_t piece_types[] = { 3, 3, 2, 1, 1, 1, 1, 1, 1 };
static const float piece_scores[] = { 0, 0, 0, -1, -3, -3, -4, -2, -4 };
enum { PIECES = 9 };

static void unigram(void **state)
{
    made m;
    (void)state;
    begin(&m, "t5", pieces, piece_types, piece_scores, PIECES);
    slm_tokenizer *t = loaded(&m);
    wants(t, "a", SLM_TEXT_BOS_EOS, "7 1");
    wants(t, "ab", 0, "3 6");                           /* -1 -4 and -2 -3 are equal: the one that was there first, the longer last token */
    wants(t, "  a   a ", 0, "7 7");                     /* spaces shrink and go at the ends */
    wants(t, "\xc3\xa9" "a", 0, "3 2 4");
    wants(t, "axyb", 0, "7 2 5");                       /* unknown neighbours are one */
    wants(t, "x", 0, "3 2");
    wants(t, "</s>", 0, "3 2");
    wants(t, "a</s>", SLM_TEXT_SPECIAL, "7 1");
    wants(t, "", SLM_TEXT_BOS_EOS, "1");
    wants(t, "   ", 0, "");
    slm_tokenizer_free(t);
    assert_int_equal(slm_keys_add_bool(&m.keys, "tokenizer.ggml.remove_extra_whitespaces", false, NULL), SLM_OK);
    assert_int_equal(slm_keys_add_bool(&m.keys, "tokenizer.ggml.add_space_prefix", false, NULL), SLM_OK);
    t = loaded(&m);
    wants(t, "a  a", 0, "4 3 7");
    slm_tokenizer_free(t);
    end(&m);
}

/* 0 <unk> 1 U+2581 2 a 3 a first byte of two 4 U+00E9 .. and from `bytes` on a token for each byte */
static void with_bytes(made *m, bool all)
{
    static char names[256][8];
    static const char *tokens[5 + 256] = { "<unk>", MARK, "a", "\xc3", "\xc3\xa9" };
    static uint32_t types[5 + 256] = { 2, 1, 1, 1, 1 };
    static float scores[5 + 256] = { 0, -1, -2, 0, -3 };
    for (int i = 0; i < 256; i++) {
        (void)snprintf(names[i], sizeof names[i], "<0x%02X>", (unsigned)i);
        tokens[5 + i] = names[i];
        types[5 + i] = 6;
    }
    begin(m, "t5", tokens, types, scores, all ? 5 + 256 : 5 + 255);
    assert_int_equal(slm_keys_add_u32(&m->keys, "tokenizer.ggml.unknown_token_id", 0, NULL), SLM_OK);
    assert_int_equal(slm_keys_add_bool(&m->keys, "tokenizer.ggml.add_eos_token", false, NULL), SLM_OK);
}

static void unigram_bytes(void **state)
{
    made m;
    (void)state;
    with_bytes(&m, true);
    slm_tokenizer *t = loaded(&m);
    wants(t, "ax", 0, "1 2 125");
    wants(t, "a\xe2\x96\x80", 0, "1 2 231 155 133");    /* unknown, and begins like a mark: its bytes */
    wants(t, "a\xe2\x80\x94", 0, "1 2 231 133 153");
    wants(t, "\xc3\xa9\xc3\xaa", 0, "1 4 200 175");    /* the token of half a character is none */
    slm_tokenizer_free(t);
    end(&m);
    with_bytes(&m, false);                              /* one is missing: none counts */
    t = loaded(&m);
    wants(t, "axy\xc3\xaa", 0, "1 2 0");
    slm_tokenizer_free(t);
    end(&m);
    with_bytes(&m, true);
    assert_int_equal(slm_keys_add_u32(&m.keys, "tokenizer.ggml.precompiled_charsmap", 1, NULL), SLM_OK);
    refused(&m, SLM_E_FORMAT, "tokenizer.ggml.precompiled_charsmap");
    with_bytes(&m, true);
    assert_int_equal(slm_keys_add_u32(&m.keys, "tokenizer.ggml.remove_extra_whitespaces", 1, NULL), SLM_OK);
    refused(&m, SLM_E_FORMAT, "tokenizer.ggml.remove_extra_whitespaces");
    with_bytes(&m, true);
    assert_int_equal(slm_keys_add_u32(&m.keys, "tokenizer.ggml.scores", 1, NULL), SLM_OK);
    refused(&m, SLM_E_FORMAT, "tokenizer.ggml.scores");
}

static void refusals(void **state)
{
    static const float bad[] = { 0, 0, 0, -1, INFINITY, -3, -3, -2, -5 };
    static const uint8_t map[] = { 4, 0, 0, 0, 1, 2, 3, 4 };
    char huge[600];
    const char *tokens[4] = { "<unk>", MARK, "a", huge };
    static const uint32_t types[] = { 2, 1, 1, 1 };
    made m;
    (void)state;
    begin(&m, "t5", pieces, piece_types, NULL, PIECES), refused(&m, SLM_E_FORMAT, "tokenizer.ggml.scores is missing");
    begin(&m, "t5", pieces, piece_types, bad, PIECES), refused(&m, SLM_E_FORMAT, "the score of token 4 is not finite");
    begin(&m, "t5", pieces, piece_types, piece_scores, PIECES);
    assert_int_equal(slm_keys_add_u32(&m.keys, "tokenizer.ggml.unknown_token_id", UINT32_MAX, NULL), SLM_OK);
    refused(&m, SLM_E_FORMAT, "unknown_token_id is missing, and 9 tokens cannot spell every text");
    begin(&m, "t5", pieces, piece_types, piece_scores, PIECES);
    assert_int_equal(slm_keys_add(&m.keys, "tokenizer.ggml.precompiled_charsmap", SLM_KEY_U8, true, sizeof map, map, sizeof map, NULL), SLM_OK);
    refused(&m, SLM_E_FORMAT, "a trie of 4 bytes");
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    begin(&m, "t5", tokens, types, piece_scores, 4);
    assert_int_equal(slm_keys_add_u32(&m.keys, "tokenizer.ggml.unknown_token_id", 0, NULL), SLM_OK);
    refused(&m, SLM_E_LIMIT, "a token of 599 bytes (allowed 512 in this kind)");
}

static void every_allocation_may_fail(void **state)
{
    static char text[4096];                             /* long enough for a memo */
    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = "ab x\xff" [i % 5];
    char deep[500];
    memset(deep, 'a', sizeof deep - 1);                 /* more beginnings than the first room of their tree */
    deep[sizeof deep - 1] = 0;
    char deeper[400] = "b";
    memset(deeper + 1, 'a', sizeof deeper - 2);
    deeper[sizeof deeper - 1] = 0;
    const char *const long_pieces[] = { "<pad>", "</s>", "<unk>", MARK, "a", "b", "ab", deep, deeper };
    for (int kind = 0; kind < 3; kind++) {
        made m;
        size_t fail = 1;
        kind ? begin(&m, "t5", kind == 1 ? pieces : long_pieces, piece_types, piece_scores, PIECES) : begin(&m, "bert", words, word_types, NULL, WORDS);
        for (slm_status status = SLM_E_MEMORY; status; fail++) {
            static int32_t ids[sizeof text * 4];
            static slm_text_range ranges[sizeof text * 4];
            fail_alloc mean;
            slm_heap heap;
            slm_tokenizer *t = NULL;
            size_t n = 12345;
            fail_alloc_init(&mean, fail, true);
            slm_heap_init(&heap, &mean.allocator, 0);
            status = slm_tokenizer_load(&t, &heap, &m.keys, "made.gguf", NULL);
            if (!status && (status = slm_tokenizer_encode_ranges(t, ids, ranges, sizeof text * 4, &n, text, sizeof text - 1, 0, NULL)))
                assert_int_equal(n, 12345);
            if (!status)
                status = slm_tokenizer_encode(t, ids, sizeof text * 4, &n, text, sizeof text - 1, 0, NULL);
            assert_true(status == SLM_OK || status == SLM_E_MEMORY);
            slm_tokenizer_free(t);
            assert_int_equal(atomic_load(&heap.current), 0);
        }
        assert_true(fail > 10);
        end(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased), cmocka_unit_test(what_stands_alone), cmocka_unit_test(cased), cmocka_unit_test(unigram),
        cmocka_unit_test(unigram_bytes), cmocka_unit_test(refusals),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
