/* test_pretokenize.c -- where each pre-tokenizer cuts. The pieces of the table were worked out from the expressions in
 * ../shared/tokenizers/README.md; a bar stands between pieces. */
#include "vectors.h"

#include "harness/test.h"
#include "text/pretokenize.h"

static const struct row { const char *name, *pre, *in, *want; } rows[] = {
    { "gpt-2 takes one space along",                      "gpt-2", "a  b c",              "a| | b| c" },
    { "gpt-2 leaves the last tab alone",                  "gpt-2", "a\t\tb",              "a|\t|\t|b" },
    { "gpt-2 keeps white space at the end whole",         "gpt-2", "a \t\n",              "a| \t\n" },
    { "gpt-2 knows lower-case contractions",              "gpt-2", "it's IT'S we'll 'x",  "it|'s| IT|'|S| we|'ll| '|x" },
    { "gpt-2 cuts letters from numbers from marks",       "gpt-2", "ab12!?c",             "ab|12|!?|c" },
    { "gpt-2 takes any numbers as one run",               "gpt-2", " 12\xc2\xbd\xe2\x85\xa7", " 12\xc2\xbd\xe2\x85\xa7" },
    { "gpt-2 cuts a combining mark from its letter",      "gpt-2", "e\xcc\x81t",          "e|\xcc\x81|t" },
    { "gpt-2 takes U+3000 for white space",               "gpt-2", "a\xe3\x80\x80" "b",   "a|\xe3\x80\x80|b" },
    { "gpt-2 takes U+200B for a mark",                    "gpt-2", "a\xe2\x80\x8b" "b",   "a|\xe2\x80\x8b|b" },
    { "gpt-2 takes U+001C for a mark",                    "gpt-2", "a\x1c\x1c" "b",       "a|\x1c\x1c|b" },
    { "smollm cuts every digit",                          "smollm", "a 12b",              "a| |1|2|b" },
    { "smollm cuts digits before words: a space stays",   "smollm", "x  7",               "x|  |7" },
    { "llama-bpe takes three digits",                     "llama-bpe", "12345 6",         "123|45| |6" },
    { "llama-bpe knows contractions in any case",         "llama-bpe", "IT'S we'Ll'x",    "IT|'S| we|'Ll|'x" },
    { "llama-bpe lets a mark begin a word",               "llama-bpe", "(a) \"b\"\t.c",   "(a|)| \"|b|\"|\t|.c" },
    { "llama-bpe takes newlines after marks along",       "llama-bpe", "a;\r\n\n b",      "a|;\r\n\n| b" },
    { "llama-bpe ends white space at its last newline",   "llama-bpe", "a \n \n  b",      "a| \n \n| | b" },
    { "llama-bpe lets a tab begin a word",                "llama-bpe", "\t\tx",           "\t|\tx" },
    { "llama-bpe keeps newline and word apart",           "llama-bpe", "\nx",             "\n|x" },
    { "qwen2 cuts every digit",                           "qwen2", "a12 3",               "a|1|2| |3" },
    { "deepseek-coder cuts each newline",                 "deepseek-coder", "a\n\nb",     "a|\n|\n|b" },
    { "deepseek-coder takes one space before letters",    "deepseek-coder", "  a  b",     " | a| | b" },
    { "deepseek-coder takes one space before marks",      "deepseek-coder", "a !? (",     "a| !?| (" },
    { "deepseek-coder leaves symbols in the gaps",        "deepseek-coder", "a=+b",       "a|=+|b" },
    { "deepseek-coder cuts every digit",                  "deepseek-coder", "x=12",       "x|=|1|2" },
    { "falcon cuts symbols, then threes of digits",       "falcon", "a <=12345",          "a| |<=|123|45" },
    { "tekken cuts where small letters end",              "tekken", "fooBar BAZqux",      "foo|Bar| BAZqux" },
    { "tekken takes capitals alone as one word",          "tekken", "NASA's A",           "NASA|'s| A" },
    { "tekken lets letters without case end a word",      "tekken", "A\xe4\xb8\xad" "BC",  "A\xe4\xb8\xad|BC" },
    { "tekken keeps a combining mark with its letter",    "tekken", "e\xcc\x81T",         "e\xcc\x81|T" },
    { "tekken takes slashes after marks along",           "tekken", "a;\n/ b 12",         "a|;\n/| b| |1|2" },
    { "gpt-4o takes three digits",                        "gpt-4o", "1234 x",             "123|4| x" },
    { "gpt-4o keeps a contraction with its word",         "gpt-4o", "He'll DON'T x'y",    "He'll| DON'T| x|'y" },
    { "an alias has the rules of its row",                "stablelm2", "a12",             "a|1|2" },
    { "nothing gives no piece",                           "gpt-2", "",                    "" },
};

static void cuts(void **state)
{
    const struct row *r = *state;
    char got[256];
    size_t used = 0, begin, end, last = 0;
    const slm_pre *pre = slm_pre_find(r->pre, strlen(r->pre));
    assert_non_null(pre);
    slm_pieces p = slm_pieces_over(pre, (const uint8_t *)r->in, strlen(r->in));
    while (slm_pieces_next(&p, &begin, &end)) {
        assert_int_equal(begin, last);
        assert_true(end > begin);
        used += (size_t)snprintf(got + used, sizeof got - used, "%s%.*s", begin ? "|" : "", (int)(end - begin), r->in + begin);
        last = end;
    }
    got[used] = 0;
    assert_int_equal(last, strlen(r->in));
    if (strcmp(got, r->want) != 0)
        fail_msg("%s, '%s': pieces '%s', want '%s'", r->pre, r->in, got, r->want);
    assert_false(slm_pieces_next(&p, &begin, &end));
}

static const char *const names[] = { "gpt-2", "smollm", "llama-bpe", "qwen2", "deepseek-coder", "falcon", "tekken", "gpt-4o" };

/* Any bytes at all: the pieces are the text, in order, none empty. */
static void pieces_are_the_text(void **state)
{
    uint32_t seed = 0x5eed;
    (void)state;
    for (int round = 0; round < 5000; round++) {
        static const char sharp[] = "aZ 's\n\r\t09.<\xc3\xa9\xe4\xb8\x80\xcc\x81\xf0\x9f\x98\x80\xff\xc2";
        const size_t n = (size_t)round % 40;
        uint8_t *text = malloc(n ? n : 1);              /* exact, so that a sanitizer sees a read past the end */
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = (uint8_t)sharp[(seed >> 16) % (sizeof sharp - 1)];
        }
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            slm_pieces p = slm_pieces_over(slm_pre_find(names[k], strlen(names[k])), text, n);
            size_t begin, end, last = 0;
            while (slm_pieces_next(&p, &begin, &end)) {
                if (begin != last || end <= begin || end > n)
                    fail_msg("%s, round %d of seed 0x5eed: piece %zu..%zu after %zu of %zu", names[k], round, begin, end, last, n);
                last = end;
            }
            assert_int_equal(last, n);
        }
        free(text);
    }
}

static void count_pieces(const void *pre, const char *text, size_t n)
{
    size_t begin, end, count = 0;
    slm_pieces p = slm_pieces_over(pre, (const uint8_t *)text, n);
    while (slm_pieces_next(&p, &begin, &end))
        count++;
    assert_true(count > 0);
}

static void time_is_linear(void **state)
{
    static const char *const units[] = { "a", " ", "0", "\n", "\xcc\x81", "\xe4\xb8\x80", "'", " \n", "' ", "a ", "\t\t ", "\xff", "$" };
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            test_linear(count_pieces, slm_pre_find(names[k], strlen(names[k])), names[k], units[i], 50000);
}

static void unknown_names(void **state)
{
    char list[600], cut[12];
    (void)state;
    assert_null(slm_pre_find("gpt", 3));
    assert_null(slm_pre_find("gpt-22", 6));
    assert_null(slm_pre_find("", 0));
    assert_non_null(slm_pre_find("gpt-2x", 5));
    slm_pre_names(list, sizeof list);
    assert_non_null(strstr(list, "llama-bpe, llama3"));
    assert_non_null(strstr(list, "deepseek-coder"));
    slm_pre_names(cut, sizeof cut);
    assert_string_equal(cut, "llama-bpe");
}

int main(void)
{
    struct CMUnitTest tests[sizeof rows / sizeof *rows + 3] = {
        cmocka_unit_test(pieces_are_the_text), cmocka_unit_test(time_is_linear), cmocka_unit_test(unknown_names),
    };
    size_t n = 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, cuts, NULL, NULL, (void *)&rows[i] };
    return _cmocka_run_group_tests("pretokenize", tests, n, NULL, NULL) != 0;
}
