/* test_json.c -- the JSON reader: what is JSON, what is not, strings, numbers to the last bit. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/clock.h"
#include "core/json.h"
#include "core/random.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The events of a text as letters: n t f 0(number) s k { } [ ] and . for the end; ! for a failure. */
static slm_status events(const char *text, size_t n, char *out, size_t room, slm_error *err)
{
    static const char letter[] = ".ntf0sk{}[]";
    slm_json json;
    size_t used = 0;
    slm_status status = slm_json_init(&json, text, n, "test", err);
    while (!status && used + 2 < room) {
        status = slm_json_next(&json, err);
        out[used++] = status ? '!' : letter[json.kind];
        if (!status && json.kind == SLM_JSON_END)
            break;
    }
    out[used] = 0;
    return status;
}

static const struct good { const char *text, *events; } good[] = {
    { "null", "n." }, { " true ", "t." }, { "\t\r\nfalse\n", "f." }, { "0", "0." }, { "-0", "0." }, { "-0.0e-0", "0." },
    { "10", "0." }, { "1.5E+10", "0." }, { "1e5", "0." }, { "\"\"", "s." }, { "[]", "[]." }, { "{}", "{}." }, { "[ ]", "[]." },
    { "{ }", "{}." }, { "[1,2]", "[00]." }, { "[1 , 2 ]", "[00]." }, { "{\"a\":1}", "{k0}." }, { "{\"a\" : [ ] , \"b\":{}}", "{k[]k{}}." },
    { "[[[]],{}]", "[[[]]{}]." }, { "[null,true,false,\"x\",1]", "[ntfs0]." }, { "{\"\":\"\"}", "{ks}." },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "s." }, { "\"\\ud83d\\ude00\"", "s." }, { "\"\x7f\"", "s." },
    { "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "s." }, { "\"\\ud800\"", "s." /* form is right; taking it fails */ },
    { "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"", "s." }, { "\"\xed\x9f\xbf\xee\x80\x80\"", "s." },
};

static void json_is_read(void **state)
{
    (void)state;
    char out[64];
    slm_error err;
    for (size_t i = 0; i < COUNT(good); i++) {
        const slm_status status = events(good[i].text, strlen(good[i].text), out, sizeof out, &err);
        if (status || strcmp(out, good[i].events) != 0)
            fail_msg("'%s': events '%s', want '%s'%s%s", good[i].text, out, good[i].events, status ? ": " : "", status ? err.text : "");
    }
}

#define NUL "\0"
static const struct refused { const char *text; size_t n, at; } refused[] = {
#define BAD(text, at) { text, sizeof text - 1, at }
    BAD("", 0), BAD(" ", 1), BAD("nul", 3), BAD("nulL", 3), BAD("nullx", 4), BAD("True", 0), BAD("tru e", 3), BAD("NaN", 0),
    BAD("Infinity", 0), BAD("-Infinity", 1), BAD("+1", 0), BAD("-", 1), BAD("01", 1), BAD("-01", 2), BAD("1.", 2), BAD(".5", 0),
    BAD("1.e5", 2), BAD("1e", 2), BAD("1e+", 3), BAD("1e5.5", 3), BAD("0x10", 1), BAD("1 2", 2), BAD("--1", 1), BAD("1_000", 1),
    BAD("'a'", 0), BAD("\"", 1), BAD("\"a", 2), BAD("\"\\", 2), BAD("\"\\\"", 3), BAD("\"\\x41\"", 2), BAD("\"\\u12\"", 5),
    BAD("\"\\u12g4\"", 5), BAD("\"\\U0041\"", 2), BAD("\"\\u", 3), BAD("\"a\nb\"", 2), BAD("\"\t\"", 1), BAD("\"a" NUL "b\"", 2),
    BAD("\"\\" NUL "\"", 2), BAD("\x1f", 0), BAD(NUL, 0), BAD("1" NUL, 1), BAD("[", 1), BAD("[1", 2), BAD("[1,", 3), BAD("[1,]", 3),
    BAD("[,1]", 1), BAD("[1 2]", 3), BAD("[1,,2]", 3), BAD("]", 0), BAD("[1}", 2), BAD("{\"a\":1]", 6), BAD("{", 1), BAD("{1:2}", 1),
    BAD("{a:1}", 1), BAD("{\"a\"}", 4), BAD("{\"a\":}", 5), BAD("{\"a\":1,}", 7), BAD("{\"a\" 1}", 5), BAD("{\"a\":1 \"b\":2}", 7),
    BAD("{,}", 1), BAD("{\"a\":1,2}", 7), BAD("{}}", 2), BAD("[]]", 2), BAD("[] []", 3), BAD("// c\n1", 0), BAD("1 /* c */", 2),
    BAD("[1]x", 3), BAD("\xef\xbb\xbf" "1", 0), BAD("\x0b" "1", 0), BAD("\xc2\xa0" "1", 0),
    /* not UTF-8: lone continuation, cut, overlong, surrogates, beyond U+10FFFF, never valid */
    BAD("\"\x80\"", 1), BAD("\"\xc3\"", 1), BAD("\"\xe2\x82\"", 1), BAD("\"\xf0\x9f\x98\"", 1), BAD("\"\xc0\x80\"", 1),
    BAD("\"\xc1\xbf\"", 1), BAD("\"\xe0\x80\x80\"", 1), BAD("\"\xe0\x9f\xbf\"", 1), BAD("\"\xf0\x80\x80\x80\"", 1),
    BAD("\"\xf0\x8f\xbf\xbf\"", 1), BAD("\"\xed\xa0\x80\"", 1), BAD("\"\xed\xbf\xbf\"", 1), BAD("\"\xf4\x90\x80\x80\"", 1),
    BAD("\"\xf5\x80\x80\x80\"", 1), BAD("\"\xff\"", 1), BAD("\"\xfe\"", 1), BAD("\"aaaaaaaaaaaaaaa\xe2\x28\xa1\"", 16),
    BAD("\"ok\" \xf0\x9f\x98", 5),
#undef BAD
};

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    (void)state;
    char out[64];
    for (size_t i = 0; i < COUNT(refused); i++) {
        slm_error err = { 0 };
        const slm_status status = events(refused[i].text, refused[i].n, out, sizeof out, &err);
        if (status != SLM_E_FORMAT || err.offset != refused[i].at || !strstr(err.text, "test: JSON: "))
            fail_msg("row %zu, '%s': %s at %" PRIu64 ", want SLM_E_FORMAT at %zu: %s", i, refused[i].text, slm_status_name(status),
                     err.offset, refused[i].at, err.text);
    }
}

static void a_failure_stays(void **state)
{
    (void)state;
    slm_json json;
    slm_error err;
    check_status(slm_json_init(&json, "[1,x,2]", 7, "test", &err), SLM_OK, &err);
    check_status(slm_json_next(&json, &err), SLM_OK, &err);
    check_status(slm_json_next(&json, &err), SLM_OK, &err);
    check_status(slm_json_next(&json, &err), SLM_E_FORMAT, &err);
    check_text(&err, "test: JSON: 'x' where a value should be, at byte 3");
    check_status(slm_json_next(&json, &err), SLM_E_FORMAT, &err);
    check_status(slm_json_init(&json, "1", 1, "test", &err), SLM_OK, &err);
    for (int i = 0; i < 3; i++) {
        check_status(slm_json_next(&json, &err), SLM_OK, &err);
        assert_int_equal(json.kind, i ? SLM_JSON_END : SLM_JSON_NUMBER);
    }
}

/* Every text cut at every byte: no read past the cut (the copy ends where its block ends), never a success. */
static void cut_texts_are_refused(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": [1.5e-3, true, null, \"x\\u00e9\\ud83d\\ude00\\n\xe2\x82\xac\"], \"b\": {\"c\": -0}}";
    char out[128];
    slm_error err;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        check_status(events(copy, n, out, sizeof out, &err), SLM_E_FORMAT, &err);
        free(copy);
    }
    check_status(events(text, sizeof text - 1, out, sizeof out, &err), SLM_OK, &err);
    assert_string_equal(out, "{k[0tns]k{k0}}.");
}

static void depth_and_size_are_limited(void **state)
{
    (void)state;
    char text[140], out[140];
    slm_json json;
    slm_error err;
    for (size_t depth = 63; depth <= 65; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        check_status(events(text, 2 * depth, out, sizeof out, &err), depth <= 64 ? SLM_OK : SLM_E_LIMIT, &err);
    }
    check_text(&err, "test: JSON: more than 64 levels, at byte 64");
    check_status(slm_json_init(&json, text, (size_t)SLM_LIMIT_JSON_BYTES + 1, "test", &err), SLM_E_LIMIT, &err);
    check_text(&err, "test: JSON of 134217729 bytes (allowed 134217728)");
}

static void values_are_skipped_whole(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,{\"b\":[]},2],\"c\":3,\"d\":{},\"e\":{\"f\":[[[0]]]},\"last\":\"x\"}";
    slm_json json;
    size_t keys = 0;
    check_status(slm_json_init(&json, text, sizeof text - 1, "test", NULL), SLM_OK, NULL);
    check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
    for (;;) {
        check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
        if (json.kind == SLM_JSON_OBJECT_END)
            break;
        assert_int_equal(json.kind, SLM_JSON_KEY);
        assert_int_equal(json.depth, 1);
        if (keys++ % 2) {                              /* both ways: from the key, and from the value's first event */
            check_status(slm_json_skip(&json, NULL), SLM_OK, NULL);
        } else {
            check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
            check_status(slm_json_skip(&json, NULL), SLM_OK, NULL);
        }
    }
    assert_int_equal(keys, 5);
    slm_error err;
    check_status(slm_json_init(&json, "[[1,2", 5, "test", NULL), SLM_OK, NULL);
    check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
    check_status(slm_json_skip(&json, &err), SLM_E_FORMAT, &err);
}

/* ---- strings ---- */

static slm_status take_string(const char *text, slm_buf *buf, slm_json *json, slm_error *err)
{
    slm_status status = slm_json_init(json, text, strlen(text), "test", err);
    if (!status)
        status = slm_json_next(json, err);
    return status ? status : slm_json_string(json, buf, err);
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    static const struct { const char *text, *want; size_t n; } rows[] = {
        { "\"plain\"", "plain", 5 }, { "\"\"", "", 0 }, { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8 },
        { "\"a\\u0000b\"", "a\0b", 3 }, { "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 11 },
        { "\"\\uD83D\\uDe00\"", "\xf0\x9f\x98\x80", 4 }, { "\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8 },
        { "\"x\xe2\x82\xac\\u20acy\"", "x\xe2\x82\xac\xe2\x82\xacy", 8 }, { "\"\\\\u0041\"", "\\u0041", 6 },
    };
    slm_heap heap;
    slm_buf buf;
    slm_json json;
    slm_error err;
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&buf, &heap, 1000);
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf.size = 0;
        slm_buf_add(&buf, "<", 1);
        check_status(take_string(rows[i].text, &buf, &json, &err), SLM_OK, &err);
        if (buf.size != rows[i].n + 1 || memcmp(buf.data + 1, rows[i].want, rows[i].n) != 0)
            fail_msg("%s: %zu bytes came, want %zu, or they differ", rows[i].text, buf.size - 1, rows[i].n);
    }
    static const char *const lone[] = { "\"ab\\ud800\"", "\"ab\\udc00\"", "\"ab\\ud800x\"", "\"ab\\ud800\\n\"", "\"ab\\ud800\\ud800\"",
                                        "\"ab\\udbff\\u0041\"", "\"ab\\udfff\\ud800\"", "\"ab\\ud83d\\\\de00\"" };
    for (size_t i = 0; i < COUNT(lone); i++) {
        buf.size = 1;
        check_status(take_string(lone[i], &buf, &json, &err), SLM_E_FORMAT, &err);
        check_text(&err, "test: JSON: lone surrogate \\ud");
        assert_true(err.offset == 3);
        assert_int_equal(buf.size, 1);
    }
    buf.size = 0;
    check_status(take_string("[]", &buf, &json, &err), SLM_E_FORMAT, &err);
    slm_buf_free(&buf);
    slm_buf_init(&buf, &heap, 3);
    check_status(take_string("\"\\nabc\"", &buf, &json, &err), SLM_E_LIMIT, &err);
    slm_buf_free(&buf);
    slm_heap_init(&heap, NULL, 1);
    slm_buf_init(&buf, &heap, 300);
    check_status(take_string("\"abc\"", &buf, &json, &err), SLM_E_MEMORY, &err);
    slm_buf_free(&buf);
}

static void strings_compare_by_what_they_mean(void **state)
{
    (void)state;
    static const struct { const char *text, *with; bool same; } rows[] = {
        { "\"name\"", "name", true }, { "\"n\\u0061me\"", "name", true }, { "\"nam\\u0065\"", "name", true }, { "\"nam\\u0065\"", "nam", false },
        { "\"nam\"", "name", false }, { "\"name\"", "nam", false }, { "\"n\\u0062me\"", "name", false }, { "\"\"", "", true },
        { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", true }, { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98", false }, { "\"a\\ud800\"", "a", false },
        { "\"\\u0000\"", "", false }, { "1", "1", false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_json json;
        check_status(slm_json_init(&json, rows[i].text, strlen(rows[i].text), "test", NULL), SLM_OK, NULL);
        check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
        if (slm_json_is(&json, rows[i].with) != rows[i].same)
            fail_msg("%s and %s: want %s", rows[i].text, rows[i].with, rows[i].same ? "same" : "other");
    }
}

/* ---- numbers ---- */

static void integers_are_exact_or_refused(void **state)
{
    (void)state;
    static const struct { const char *text; slm_status want; uint64_t value; } rows[] = {
        { "0", SLM_OK, 0 }, { "7", SLM_OK, 7 }, { "18446744073709551615", SLM_OK, UINT64_MAX },
        { "9007199254740993", SLM_OK, UINT64_C(9007199254740993) }, { "18446744073709551616", SLM_E_FORMAT, 0 },
        { "184467440737095516150", SLM_E_FORMAT, 0 }, { "-1", SLM_E_FORMAT, 0 }, { "-0", SLM_E_FORMAT, 0 },
        { "1.0", SLM_E_FORMAT, 0 }, { "1e2", SLM_E_FORMAT, 0 }, { "\"1\"", SLM_E_FORMAT, 0 }, { "true", SLM_E_FORMAT, 0 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_json json;
        slm_error err;
        uint64_t v = 99;
        check_status(slm_json_init(&json, rows[i].text, strlen(rows[i].text), "test", NULL), SLM_OK, NULL);
        check_status(slm_json_next(&json, NULL), SLM_OK, NULL);
        check_status(slm_json_u64(&json, &v, &err), rows[i].want, &err);
        assert_true(v == (rows[i].want ? 99 : rows[i].value));
    }
}

static slm_status to_double(const char *text, double *value, slm_error *err)
{
    slm_json json;
    slm_status status = slm_json_init(&json, text, strlen(text), "test", err);
    if (!status)
        status = slm_json_next(&json, err);
    return status ? status : slm_json_double(&json, value, err);
}

/* The C library's conversion rounds correctly and is another's work: the oracle. Infinite there is refused here. */
static void same_as_oracle(const char *text)
{
    double got = 0;
    slm_error err;
    const double want = strtod(text, NULL);
    const slm_status status = to_double(text, &got, &err);
    if (isinf(want) ? status != SLM_E_FORMAT : status != SLM_OK || memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%.60s%s (%zu bytes): %s %a, want %a", text, strlen(text) > 60 ? "..." : "", strlen(text), slm_status_name(status),
                 got, want);
}

static const char *const hard[] = {
    "0", "-0", "0.0", "0e999999999999", "-0e-5", "1", "-1", "123456789012345678", "9007199254740992", "9007199254740993",
    "9007199254740994", "9007199254740995", "9007199254740992.5",
    "9007199254740993.00000000000000000000000000000000000000000001", "1e22", "1e23", "8.5e22", "1e19", "1e-19", "1e-20",
    "18446744073709551615", "18446744073709551616", "9999999999999999999", "99999999999999999999", "1.7976931348623157e308",
    "1.7976931348623158e308", "1.7976931348623159e308", "179769313486231580793e288", "1e308", "1e309", "1e310", "2e308",
    "0.1e309", "1e400", "1e999999999999999999999", "4.9406564584124654e-324", "5e-324", "2.4703282292062327e-324",
    "2.4703282292062328e-324", "2.5e-324", "2e-324", "1e-323", "1e-324", "1e-325", "1e-400", "1e-999999999999999999999",
    "2.2250738585072014e-308", "2.2250738585072011e-308", "2.225073858507201e-308", "2.2250738585072009e-308",
    "2.22507385850720113605740979670913197593481954635164564e-308", "6.631236846766476e-316", "3.237883913302901e-319",
    "1.1e-1", "0.1", "0.2", "0.3", "3.14159265358979323846", "100000000000000000000000000000000000000000000000000",
    "0.000000000000000000000000000000000000000000000000000001", "1000000000000000000000e-40", "12345678901234567890e0",
    "1234567890123456789e-19", "1234567890123456789e19", "1234567890123456789e20",
    "0.5000000000000000000000000000000000000000000000001", "1.00000000000000011102230246251565404",
    "1.00000000000000011102230246251565405", "1.000000000000000111022302462515654042363166809082031249",
    "1.00000000000000011102230246251565404236316680908203125", "1.000000000000000111022302462515654042363166809082031251",
    "1.00000000000000033306690738754696212708950042724609375",
};

static void known_hard_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(hard); i++)
        same_as_oracle(hard[i]);
    double v = 5;
    slm_error err;
    check_status(to_double("-1e999", &v, &err), SLM_E_FORMAT, &err);
    check_text(&err, "test: JSON: -1e999 is beyond a double (allowed up to 1.797e308), at byte 0");
    assert_true(v == 5);
    check_status(to_double("\"1\"", &v, &err), SLM_E_FORMAT, &err);
}

/* Exactly halfway between two doubles, written in full, and one digit above and below it: everything 0 .. 2^-1075. */
static void halfway_cases_to_the_last_digit(void **state)
{
    (void)state;
    static char text[1600];
    const uint64_t seed = test_seed(0x5eed);
    for (uint64_t i = 0; i < 1500; i++) {
        uint64_t bits = slm_random_u64(seed, i) >> 1;
        if (i % 3 == 0)
            bits = (bits & ((UINT64_C(1) << 52) - 1)) >> (i % 50);     /* subnormal */
        if (bits >> 52 >= 0x7fe)
            continue;
        double low, high;
        const uint64_t next = bits + 1;
        memcpy(&low, &bits, sizeof low);
        memcpy(&high, &next, sizeof high);
        const long double half = ((long double)low + (long double)high) / 2;      /* 64 bits of significand: exact */
        const int n = snprintf(text, sizeof text - 8, "%.1100Lf", half);
        assert_true(n > 0 && (size_t)n < sizeof text - 8);
        same_as_oracle(text);
        strcat(text, "1");
        same_as_oracle(text);
        (void)snprintf(text, sizeof text - 8, "%.1090Le", half);
        same_as_oracle(text);
        char *last = strchr(text, 'e') - 1;
        while (*last == '0')
            last--;
        if (*last > '0' && *last <= '9') {
            --*last;                                                       /* just below */
            same_as_oracle(text);
        }
    }
}

static uint64_t draw(void)
{
    static uint64_t counter = UINT64_C(1) << 40;
    return slm_random_u64(test_seed(0x5eed), counter++);
}

static void random_numbers_as_the_oracle(void **state)
{
    (void)state;
    char text[64 + 900];
    for (int i = 0; i < 120000; i++) {
        const uint64_t r = draw();
        if (i % 4 == 0) {                              /* the shortest to 19 digits of any bit pattern */
            const uint64_t bits = draw() & ~(UINT64_C(0x7ff) << 52);
            const uint64_t pattern = bits | (r % 0x7ff) << 52;
            double v;
            memcpy(&v, &pattern, sizeof v);
            (void)snprintf(text, sizeof text, "%.*e", (int)(r >> 20 & 31) % 19, v);
        } else if (i % 4 == 1) {                       /* plain decimals as files have them */
            (void)snprintf(text, sizeof text, "%s%" PRIu64 ".%" PRIu64, r & 1 ? "-" : "", draw() >> (r >> 8 & 63),
                           draw() >> (r >> 16 & 63));
        } else {                                       /* any digits with any power of ten */
            size_t n = 0;
            const size_t digits = 1 + (i % 4 == 2 ? r % 25 : r % 830);
            text[n++] = (char)('1' + draw() % 9);
            if (digits > 1)
                text[n++] = '.';
            for (size_t k = 1; k < digits; k++)
                text[n++] = (char)('0' + draw() % (r >> 60 ? 10 : 1));
            (void)snprintf(text + n, sizeof text - n, "e%d", (int)(draw() % 680) - 345);
        }
        same_as_oracle(text);
    }
}

static void the_callers_rounding_changes_no_bit(void **state)
{
    (void)state;
    const int modes[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    for (size_t i = 0; i < COUNT(hard); i++) {
        double want = 0, got = 0;
        const slm_status status = to_double(hard[i], &want, NULL);
        for (size_t m = 0; m < COUNT(modes); m++) {
            assert_int_equal(fesetround(modes[m]), 0);
            const slm_status again = to_double(hard[i], &got, NULL);
            assert_int_equal(fesetround(FE_TONEAREST), 0);
            assert_int_equal(again, status);
            assert_memory_equal(&got, &want, sizeof got);
        }
    }
}

/* A number as long as a file may have costs time linear in its length. */
static void very_long_numbers(void **state)
{
    (void)state;
    enum { DIGITS = 2000000 };
    char *text = malloc(DIGITS + 16);
    const uint64_t start = slm_clock_ns();
    memset(text, '0', DIGITS);
    memcpy(text, "0.", 2);
    memcpy(text + DIGITS, "25e1999999", 11);
    same_as_oracle(text);                              /* 0.00..025e1999999 = 2.5 */
    memset(text, '7', DIGITS);
    memcpy(text + DIGITS, "e-1999999", 10);
    same_as_oracle(text);
    memset(text + 1, '0', DIGITS - 2);
    memcpy(text, "9007199254740993", 16);
    text[DIGITS - 1] = '1';
    memcpy(text + DIGITS, "e-1999984", 10);
    same_as_oracle(text);                              /* halfway plus a 1 two million digits later */
    if (slm_clock_ns() - start > UINT64_C(3000000000))
        fail_msg("three numbers of two million digits took %" PRIu64 " ms", (slm_clock_ns() - start) / 1000000);
    free(text);
}

static void *deepest_calls(void *arg)
{
    static char text[200];
    char out[200];
    double v;
    memset(text, '[', 64);
    memcpy(text + 64, "\"\\u00e9\"", 8);
    memset(text + 72, ']', 64);
    if (events(text, 136, out, sizeof out, NULL))
        return NULL;
    return to_double("1.7976931348623157e308", &v, NULL) || to_double("4.9e-324", &v, NULL) ? NULL : arg;
}

static void a_small_stack_suffices(void **state)
{
    char token;
    (void)state;
    assert_ptr_equal(test_small_stack(deepest_calls, &token), &token);
}

/* Any bytes: an answer, no crash, and what is accepted is accepted again. */
static void random_bytes(void **state)
{
    (void)state;
    static const char *const parts[] = { "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"\\u0041\"", "\\", "\\u", "d800", "1", "-", "0", ".5", "e9",
                                         "null", "true", "false", " ", "\n", "\xc3\xa9", "\xed\xa0\x80", "\xff", "x" };
    const uint64_t seed = test_seed(0x5eed);
    size_t accepted = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        char text[128], out[200];
        size_t n = 0;
        for (uint64_t k = 0; k < 1 + slm_random_u64(seed, i) % 8; k++) {
            const char *part = parts[slm_random_u64(seed ^ 1, i * 16 + k) % COUNT(parts)];
            memcpy(text + n, part, strlen(part));
            n += strlen(part);
        }
        char *exact = malloc(n);
        memcpy(exact, text, n);
        slm_error err = { 0 };
        const slm_status status = events(exact, n, out, sizeof out, &err);
        assert_true(status == SLM_OK || (status == SLM_E_FORMAT && err.offset <= n));
        accepted += !status;
        free(exact);
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(cut_texts_are_refused),
        cmocka_unit_test(depth_and_size_are_limited),
        cmocka_unit_test(values_are_skipped_whole),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(strings_compare_by_what_they_mean),
        cmocka_unit_test(integers_are_exact_or_refused),
        cmocka_unit_test(known_hard_numbers),
        cmocka_unit_test(halfway_cases_to_the_last_digit),
        cmocka_unit_test(random_numbers_as_the_oracle),
        cmocka_unit_test(the_callers_rounding_changes_no_bit),
        cmocka_unit_test(very_long_numbers),
        cmocka_unit_test(a_small_stack_suffices),
        cmocka_unit_test(random_bytes),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL) != 0;
}
