/* test_regex.c -- patterns against a table and against the C library's matcher on random patterns and all short texts; masks against
 * single steps; what cannot be done is named with its place; texts end whole within any number of tokens. */
#include "harness/fail_alloc.h"
#include "harness/stories.h"

#include "core/random.h"
#include "core/utf8.h"
#include "session/constraint.h"
#include "text/vocab.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

static slm_constraint *compile(const char *pattern)
{
    slm_constraint *c = NULL;
    slm_error err = { 0 };
    check_status(slm_constraint_regex(&c, slm_model_tokenizer(stories), pattern, &err), SLM_OK, &err);
    return c;
}

static const struct { const char *pattern, *fits[4], *not[5]; } rows[] = {
    { "abc", { "abc" }, { "ab", "abcd", "b", "" } },
    { "a*", { "", "a", "aaaaaaaa" }, { "b", "ab" } },
    { "(ab|c)+d?", { "ab", "cabd", "ccc" }, { "", "d", "abdd", "a" } },
    { "x{2,3}", { "xx", "xxx" }, { "x", "xxxx" } },
    { "x{3}", { "xxx" }, { "xx", "xxxx" } },
    { "x{0}y", { "y" }, { "xy" } },
    { "(a{2}){2,}", { "aaaa", "aaaaaa" }, { "aa", "aaaaa" } },
    { "[a-c]+[^a-c]", { "abz", "c\xc3\xa9", "a\xf0\x9f\x98\x80" }, { "ab", "z", "abzz", "a\xc3", "a\xff" } },
    { "\\d{4}-\\d\\d", { "2024-12" }, { "2024-1", "20244-12", "x024-12" } },
    { "\\w+\\s\\W", { "a_9 -", "Z\t!" }, { "a b", "\xc3\xa9 -" } },
    { ".", { "x", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf" }, { "\n", "", "xx", "\xed\xa0\x80", "\xc0\x80" } },
    { "[\\u00e0-\\u00ff]", { "\xc3\xa9", "\xc3\xbf" }, { "e", "\xc4\x80", "\xc3\x9f" } },
    { "[\\x00-\\x7f\\u0800-\\uffff]", { "a", "\xe0\xa0\x80", "\xef\xbf\xbf" }, { "\xdf\xbf", "\xf0\x90\x80\x80" } },
    { "^a|b$", { "a", "b" }, { "ab", "xa" } },
    { "a|", { "a", "" }, { "aa" } },
    { "()", { "" }, { "a" } },
    { "(?:a|b)*?c", { "c", "abac" }, { "ab" } },
    { "\\(\\)\\{\\}\\[\\]\\.\\*\\^\\$\\\\]", { "(){}[].*^$\\]" }, { "(){}[].*^$\\" } },
    { "((a*)*)*b", { "b", "aaab" }, { "a" } },
    { "\xe2\x98\x83+", { "\xe2\x98\x83\xe2\x98\x83" }, { "\xe2\x98", "\x83" } },
};

static void patterns_mean_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_constraint *c = compile(rows[i].pattern);
        for (size_t k = 0; k < 4 && rows[i].fits[k]; k++)
            if (stories_fit(c, rows[i].fits[k], strlen(rows[i].fits[k])) != 1)
                fail_msg("%s: '%s' does not fit", rows[i].pattern, rows[i].fits[k]);
        for (size_t k = 0; k < 5 && rows[i].not[k]; k++)
            if (stories_fit(c, rows[i].not[k], strlen(rows[i].not[k])) == 1)
                fail_msg("%s: '%s' fits", rows[i].pattern, rows[i].not[k]);
        slm_constraint_free(c);
    }
}

/* A random pattern of constructs that POSIX has too. */
static size_t random_pattern(char *out, size_t room, uint64_t *z)
{
    static const char *const pieces[] = { "a", "b", "c", ".", "[ab]", "[^a]", "(", "(", ")", ")", "|", "*", "+", "?", "{2}", "{1,2}", "{0,1}" };
    size_t n = 0, open = 0;
    bool atom = false;
    while (n + 24 < room && n < 14) {
        const char *p = pieces[(*z = slm_random_mix(*z + 1)) % COUNT(pieces)];
        if (strchr("*+?{", *p) && !atom)
            continue;
        if ((*p == ')' && (!open || !atom)) || (*p == '|' && !atom))
            continue;
        open += *p == '(';
        open -= *p == ')';
        atom = *p != '(' && *p != '|' && !strchr("*+?{", *p);
        n += (size_t)snprintf(out + n, room - n, "%s", p);
    }
    if (!atom && n && strchr("(|", out[n - 1]))
        n += (size_t)snprintf(out + n, room - n, "a");
    while (open--)
        n += (size_t)snprintf(out + n, room - n, ")");
    return n;
}

static void random_patterns_match_as_the_c_library_does(void **state)
{
    (void)state;
    const uint64_t seed = test_seed(0xab5);
    uint64_t z = seed;
    size_t fits = 0;
    for (size_t i = 0; i < 60; i++) {
        char pattern[64], whole[80], text[8];
        regex_t posix;
        (void)random_pattern(pattern, sizeof pattern, &z);
        (void)snprintf(whole, sizeof whole, "^(%s)$", pattern);
        if (regcomp(&posix, whole, REG_EXTENDED | REG_NOSUB))
            fail_msg("seed %" PRIu64 ": the C library refuses %s", seed, pattern);
        slm_constraint *c = compile(pattern);
        for (size_t number = 0; number < 3 + 9 + 27 + 81 + 243 + 1; number++) {
            size_t n = 0, rest = number, count = 1;
            while (rest >= count) {
                rest -= count;
                count *= 3;
                n++;
            }
            for (size_t k = 0; k < n; k++, rest /= 3)
                text[k] = (char)('a' + rest % 3);
            text[n] = 0;
            const bool want = regexec(&posix, text, 0, NULL, 0) == 0, got = stories_fit(c, text, n) == 1;
            if (want != got)
                fail_msg("seed %" PRIu64 ": %s on '%s': %d, want %d", seed, pattern, text, got, want);
            fits += want;
        }
        regfree(&posix);
        slm_constraint_free(c);
    }
    assert_true(fits > 100);
}

static void put(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

/* After each prefix, the mask has a token exactly if a step by its text is taken. */
static void check_masks(const char *pattern, const char *text)
{
    const slm_tokenizer *t = slm_model_tokenizer(stories);
    slm_constraint *c = compile(pattern);
    slm_error err = { 0 };
    slm_heap heap;
    slm_buf piece;
    slm_fit fit;
    uint64_t *mask = calloc((t->texts.n + 63) / 64, sizeof *mask);
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&piece, &heap, 1 << 20);
    for (size_t at = 0; at <= strlen(text); at++) {
        slm_place place;
        check_status(slm_place_init(&place, c, &err), SLM_OK, &err);
        check_status(slm_place_step(&place, (const uint8_t *)text, at, SIZE_MAX, &fit, &err), SLM_OK, &err);
        assert_int_equal(fit, SLM_FIT_TAKEN);
        check_status(slm_place_mask(&place, false, mask, &err), SLM_OK, &err);
        for (uint32_t id = 0; id < t->texts.n; id++) {
            bool start = false;
            piece.size = 0;
            slm_token_put(t, id, 0, &start, put, &piece);
            bool want = t->ends[id] && place.accepts;
            if (piece.size && !t->ends[id] && t->types[id] != SLM_TOKEN_UNKNOWN) {
                slm_place other;
                check_status(slm_place_init(&other, c, &err), SLM_OK, &err);
                check_status(slm_place_step(&other, (const uint8_t *)text, at, SIZE_MAX, &fit, &err), SLM_OK, &err);
                check_status(slm_place_step(&other, piece.data, piece.size, SIZE_MAX, &fit, &err), SLM_OK, &err);
                want = fit == SLM_FIT_TAKEN;
                slm_place_free(&other);
            }
            if ((mask[id / 64] >> id % 64 & 1) != want)
                fail_msg("%s after %zu bytes of '%s': token %u is %d, want %d", pattern, at, text, id, !want, want);
        }
        slm_place_free(&place);
    }
    slm_buf_free(&piece);
    free(mask);
    slm_constraint_free(c);
}

static void masks_agree_with_single_steps(void **state)
{
    (void)state;
    check_masks("\"([^\"\\\\]|\\\\[nt\"])*\"", "\"the \\n caf\xc3\xa9\"");
    check_masks("[a-z ]{3,12}(\\.|!)", "a big dog.");
    check_masks("(once|one|on)?.*day", "one nice day");
}

static const struct { const char *pattern; slm_status status; uint64_t at; const char *says; } bad[] = {
    { "a(b", SLM_E_FORMAT, 1, "parenthesis never closed" },     { "ab)", SLM_E_FORMAT, 2, "parenthesis never opened" },
    { "ab[cd", SLM_E_FORMAT, 2, "bracket never closed" },       { "a**", SLM_E_UNSUPPORTED, 2, "repetition of a repetition" },
    { "*a", SLM_E_FORMAT, 0, "repetition of nothing" },         { "a{3", SLM_E_FORMAT, 1, "no repetition" },
    { "a{4,2}", SLM_E_FORMAT, 1, "not ascending" },             { "a{10001}", SLM_E_LIMIT, 1, "beyond 10000" },
    { "[z-a]", SLM_E_FORMAT, 1, "ascending" },                  { "a\\", SLM_E_FORMAT, 1, "backslash" },
    { "a\\bc", SLM_E_UNSUPPORTED, 1, "escape" },                { "(a)\\1", SLM_E_UNSUPPORTED, 3, "escape" },
    { "(?=a)", SLM_E_UNSUPPORTED, 0, "group" },                 { "a^b", SLM_E_UNSUPPORTED, 1, "anchor" },
    { "(a$)", SLM_E_UNSUPPORTED, 2, "anchor" },                 { "\\ud800", SLM_E_FORMAT, 0, "surrogate" },
    { "a\xff", SLM_E_FORMAT, 1, "UTF-8" },                      { "[^\\x00-\\uffff\xf0\x90\x80\x80-\xf4\x8f\xbf\xbf]", SLM_E_FORMAT, 0, "0 characters" },
    { "[]a]", SLM_E_UNSUPPORTED, 0, "brackets" },               { "[\\d-z]", SLM_E_FORMAT, 1, "ascending" },
};

static void what_cannot_be_done_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_constraint *c = NULL;
        slm_error err = { 0 };
        check_status(slm_constraint_regex(&c, slm_model_tokenizer(stories), bad[i].pattern, &err), bad[i].status, &err);
        check_text(&err, bad[i].says);
        if (err.offset != bad[i].at)
            fail_msg("%s: at byte %" PRIu64 ", want %" PRIu64 ": %s", bad[i].pattern, err.offset, bad[i].at, err.text);
        assert_null(c);
    }
}

static void patterns_are_bounded(void **state)
{
    (void)state;
    slm_constraint *c = NULL;
    slm_error err = { 0 };
    const slm_tokenizer *t = slm_model_tokenizer(stories);
    check_status(slm_constraint_regex(&c, t, "((a{1000}){1000}){1000}", &err), SLM_E_LIMIT, &err);
    check_status(slm_constraint_regex(&c, t, "((){10000}){10000}", &err), SLM_E_LIMIT, &err);
    static char deep[1 << 17];
    memset(deep, '(', 65);
    check_status(slm_constraint_regex(&c, t, deep, &err), SLM_E_LIMIT, &err);
    check_text(&err, "deeper than 64");
    for (size_t i = 0; i + 3 < sizeof deep; i += 3)
        memcpy(deep + i, "a*|", 3);                         /* a long one is linear */
    check_status(slm_constraint_regex(&c, t, deep, &err), SLM_OK, &err);
    assert_int_equal(stories_fit(c, "aaaaaaaaaaaa", 12), 1);
    slm_constraint_free(c);
    /* the set of places doubles with each letter for a while: the answer is right, or the limit is named */
    c = compile("(a|b)*a(a|b){14}");
    uint64_t z = 5;
    slm_place place;
    check_status(slm_place_init(&place, c, &err), SLM_OK, &err);
    for (size_t i = 0; i < 20000; i++) {
        slm_fit fit;
        const uint8_t byte = (uint8_t)('a' + ((z = slm_random_mix(z + 1)) & 1));
        check_status(slm_place_step(&place, &byte, 1, SIZE_MAX, &fit, &err), SLM_OK, &err);
        assert_int_equal(fit, SLM_FIT_TAKEN);
    }
    slm_place_free(&place);
    slm_constraint_free(c);
}

typedef struct text { char bytes[4096]; size_t n; } text;

static int gather(void *user, const char *bytes, size_t n)
{
    text *t = user;
    assert_true(t->n + n < sizeof t->bytes);
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    return 0;
}

static void texts_end_whole_within_any_number_of_tokens(void **state)
{
    (void)state;
    static const struct { const char *pattern, *posix; } some[] = {
        { " ?[A-Z][a-z]+( [a-z]+)*[.!]", "^ ?[A-Z][a-z]+( [a-z]+)*[.!]$" },
        { "(\\d{3}-){2}\\d{4}", "^([0-9]{3}-){2}[0-9]{4}$" },
        { "<b>[^<>]*</b>(, <i>[^<>]*</i>){1,3}", NULL },
    };
    for (size_t i = 0; i < COUNT(some); i++) {
        slm_constraint *c = compile(some[i].pattern);
        slm_session *s = NULL;
        slm_error err = { 0 };
        slm_sampling how = SLM_SAMPLING_INIT;
        slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
        check_status(slm_session_new(&s, stories, NULL, &err), SLM_OK, &err);
        check_status(slm_session_feed_text(s, "One day", 7, 0, &err), SLM_OK, &err);
        size_t done = 0;
        for (uint64_t seed = 0; seed < 60; seed++) {
            text t = { .n = 0 };
            slm_generation made = SLM_GENERATION_INIT;
            how.temperature = seed % 2 ? 1 : 8;
            how.seed = seed;
            p.sampling = &how;
            p.constraint = c;
            p.max_tokens = 1 + (uint32_t)seed % 40;
            p.text = gather;
            p.user = &t;
            const slm_status status = slm_session_generate(s, &p, &made, &err);
            if (status != SLM_E_CONTEXT) {
                check_status(status, SLM_OK, &err);
                assert_true(made.tokens <= p.max_tokens);
                if (stories_fit(c, t.bytes, t.n) != 1 || slm_utf8_valid(t.bytes, t.n) != t.n)
                    fail_msg("%s, %u tokens, seed %" PRIu64 ": '%.*s'", some[i].pattern, p.max_tokens, seed, (int)t.n, t.bytes);
                regex_t posix;
                if (some[i].posix) {
                    assert_int_equal(regcomp(&posix, some[i].posix, REG_EXTENDED | REG_NOSUB), 0);
                    assert_int_equal(regexec(&posix, t.bytes, 0, NULL, 0), 0);
                    regfree(&posix);
                }
                done++;
            }
            check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
            check_status(slm_session_feed_text(s, "One day", 7, 0, &err), SLM_OK, &err);
        }
        assert_true(done >= 20);
        slm_session_free(s);
        slm_constraint_free(c);
    }
}

static slm_status make_all(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_tokenizer *t = NULL;
    slm_constraint *c = NULL;
    slm_place place = { .constraint = NULL };
    size_t need;
    int32_t first;
    params.allocator = allocator;
    slm_status status = slm_tokenizer_open(&t, STORIES, &params, err);
    if (!status)
        status = slm_constraint_regex(&c, t, ctx, err);
    if (!status)
        status = slm_place_init(&place, c, err);
    if (!status)
        status = slm_place_need(&place, false, &need, &first, err);
    slm_place_free(&place);
    slm_constraint_free(c);
    if (status)
        slm_tokenizer_free(t);
    else
        *out = t;
    return status;
}

static void drop_all(void *ctx, void *object)
{
    (void)ctx;
    slm_tokenizer_free(object);
}

static void every_refused_allocation_is_survived(void **state)
{
    (void)state;
    char pattern[] = "([^a-c\\d]{1,40}|x+(yz)?){2,5}\\.";
    assert_true(fail_alloc_every("regex", make_all, drop_all, pattern) > 30);
}

static void *in_a_small_stack(void *arg)
{
    slm_constraint *c = compile(arg);
    const intptr_t fits = stories_fit(c, "((((a))))", 9);
    slm_constraint_free(c);
    return (void *)(fits + 10);
}

static void a_small_stack_suffices(void **state)
{
    (void)state;
    char pattern[] = "((((((((((((((((((((((((((((((.*))))))))))))))))))))))))))))))";
    assert_int_equal((intptr_t)test_small_stack(in_a_small_stack, pattern), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_they_say),
        cmocka_unit_test(random_patterns_match_as_the_c_library_does),
        cmocka_unit_test(masks_agree_with_single_steps),
        cmocka_unit_test(what_cannot_be_done_is_named_with_its_place),
        cmocka_unit_test(patterns_are_bounded),
        cmocka_unit_test(texts_end_whole_within_any_number_of_tokens),
        cmocka_unit_test(every_refused_allocation_is_survived),
        cmocka_unit_test(a_small_stack_suffices),
    };
    return cmocka_run_group_tests_name("regex", tests, stories_open, stories_close) != 0;
}
