/* test_schema.c -- texts made to a schema parse with another reader and are what the schema says; tables of texts that fit and do not; what
 * cannot be enforced is named with its place. make check-schemas has the long form, with a validator that is not ours. */
#include "harness/fail_alloc.h"
#include "harness/stories.h"

#include "session/constraint.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static slm_constraint *compile(const char *schema)
{
    slm_constraint *c = NULL;
    slm_error err = { 0 };
    check_status(slm_constraint_schema(&c, slm_model_tokenizer(stories), schema, strlen(schema), &err), SLM_OK, &err);
    return c;
}

static bool fits(slm_constraint *c, const char *text)
{
    return stories_fit(c, text, strlen(text)) == 1;
}

static const struct { const char *schema, *yes[8], *no[8]; } rows[] = {
    { "{\"type\":\"integer\"}", { "0", "-7", "123456789012345678" }, { "-0", "01", "1.0", "1234567890123456789", "", "+1" } },
    { "{\"type\":\"integer\",\"minimum\":-12,\"maximum\":305}", { "-12", "-9", "0", "7", "99", "100", "299", "305" }, { "-13", "306", "310", "1000", "-20", "-100" } },
    { "{\"type\":\"integer\",\"exclusiveMinimum\":4.5,\"exclusiveMaximum\":8}", { "5", "6", "7" }, { "4", "8", "-5" } },
    { "{\"type\":\"integer\",\"minimum\":1000}", { "1000", "1001", "9999", "10000", "200000" }, { "999", "0", "-1000" } },
    { "{\"type\":\"integer\",\"maximum\":-10}", { "-10", "-11", "-99", "-100" }, { "-9", "0", "10" } },
    { "{\"type\":\"number\"}", { "0", "-0.5", "3.25e-7", "1E9", "12" }, { ".5", "1.", "1e", "00", "-", "1e999" } },
    { "{\"type\":\"number\",\"minimum\":0}", { "0", "0.0", "3.5", "100" }, { "-1", "-0.5", "1e5" } },
    { "{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":2}", { "0.5", "0.000001", "1", "1.999999", "1.0" }, { "0", "0.0", "2", "2.0", "-0.1", "2.1" } },
    { "{\"type\":\"number\",\"minimum\":-3,\"maximum\":-1}", { "-1", "-3", "-2.75", "-1.5" }, { "-0.5", "-3.5", "1", "0" } },
    { "{\"type\":\"string\"}", { "\"\"", "\"a b\"", "\"\\n\\\"\\\\\"", "\"\\u0001\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"" }, { "\"", "a", "\"\n\"", "\"\\u0000\"", "\"\xc3\"", "\"\\ud800\"", "\"\\q\"" } },
    { "{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}", { "\"ab\"", "\"\xc3\xa9\\n\\\"\"" }, { "\"a\"", "\"abcd\"", "\"\"" } },
    { "{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}", { "\"abc\"" }, { "\"\"", "\"aB\"", "\"a\\n\"" } },
    { "{\"type\":\"string\",\"pattern\":\"\\\"x\"}", { "\"\\\"x\"", "\"aa\\\"xzz\\n\"" }, { "\"x\"", "\"\"x\"" } },
    { "{\"enum\":[1,\"two\",null,[3, {\"a\" : \"b c\"}]]}", { "1", "\"two\"", "null", "[3,{\"a\":\"b c\"}]" }, { "2", "two", "[3]" } },
    { "{\"type\":\"string\",\"enum\":[1,\"two\"]}", { "\"two\"" }, { "1" } },
    { "{\"const\":{\"a\":[1,2]}}", { "{\"a\":[1,2]}" }, { "{}" } },
    { "{\"type\":[\"boolean\",\"null\"]}", { "true", "false", "null" }, { "0", "\"true\"" } },
    { "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":3}", { "[1]", "[1, 2]", "[1,2,3]" }, { "[]", "[1,2,3,4]", "[1,]", "[,1]", "[1 ,2]" } },
    { "{\"type\":\"array\",\"items\":{\"const\":0},\"minItems\":2}", { "[0,0]", "[0, 0,0,0,0]" }, { "[]", "[0]" } },
    { "{\"type\":\"array\",\"maxItems\":0}", { "[]" }, { "[1]" } },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"null\"},\"b\":{\"type\":\"null\"},\"c\":{\"type\":\"null\"}},\"required\":[\"b\"],\"additionalProperties\":false}",
      { "{\"b\":null}", "{\"a\": null, \"b\":null}", "{\"b\":null,\"c\":null}", "{\"a\":null,\"b\":null,\"c\":null}" },
      { "{}", "{\"a\":null}", "{\"a\":null,\"c\":null}", "{\"b\":null,}", "{,\"b\":null}", "{\"b\":null,\"b\":null}", "{\"d\":null,\"b\":null}" } },
    { "{\"type\":\"object\",\"properties\":{\"ab\":{\"const\":1},\"ax\":{\"const\":2}},\"additionalProperties\":{\"type\":\"boolean\"}}",
      { "{}", "{\"ab\":1}", "{\"a\":true}", "{\"ab\":1,\"abc\":true,\"z\":false}", "{\"ax\":2, \"b\": true}" }, { "{\"ab\":true}", "{\"ax\":true}", "{\"\":true}", "{\"ab\":1,\"ax\":true}", "{\"a\":1}" } },
    { "{\"required\":[\"k\"],\"type\":\"object\"}", { "{\"k\":1}", "{\"k\":[true],\"z\":{}}" }, { "{}", "{\"z\":1}", "{\"k\":1,\"k\":2}" } },
    { "{\"properties\":{\"q\\\"\\u0041\":{\"const\":1}},\"required\":[\"q\\\"A\"]}", { "{\"q\\\"\\u0041\":1}" }, { "{\"qA\":1}" } },
    { "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\",\"minimum\":5,\"maximum\":6}]}", { "null", "5", "6" }, { "7", "true" } },
    { "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"x\"}},\"required\":[\"t\"]},{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"y\"},\"n\":{\"type\":\"null\"}},\"required\":[\"t\",\"n\"]}]}",
      { "{\"t\":\"x\"}", "{\"t\":\"y\",\"n\":null}" }, { "{\"t\":\"y\"}", "{\"t\":\"x\",\"n\":null}" } },
    { "{\"$ref\":\"#/$defs/a~1b/items/1\",\"$defs\":{\"a/b\":{\"items\":[0,{\"const\":8}]}}}", { "8" }, { "0" } },
    { "{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/n\"},{\"type\":\"null\"}]}},\"required\":[\"next\"]}},\"$ref\":\"#/$defs/n\"}",
      { "{\"next\":null}", "{\"next\":{\"next\":null}}", "{\"next\":{\"next\":{\"next\":{\"next\":{\"next\":null}}}}}" }, { "{}", "{\"next\":{}}", "{\"next\":{\"next\":{\"next\":{\"next\":{\"next\":{\"next\":null}}}}}}" } },
    { "{}", { "1", "null", "[]", "{}", "[1, \"a\",{\"b\":[null]}]", "{\"a\":1,\"b\":2}" }, { "[", "[1,]", "[[[[[1]]]]]" } },
    { "true", { "1", "{\"x\":{}}" }, { "x" } },
    { "{\"type\":\"array\",\"items\":false}", { "[]" }, { "[1]" } },
    { "{\"type\":\"object\",\"properties\":{\"a\":false,\"b\":{\"const\":2}}}", { "{}", "{\"b\":2}" }, { "{\"a\":1}" } },
};

static void schemas_mean_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_constraint *c = compile(rows[i].schema);
        for (size_t k = 0; k < 8 && rows[i].yes[k]; k++)
            if (!fits(c, rows[i].yes[k]))
                fail_msg("%s: %s does not fit", rows[i].schema, rows[i].yes[k]);
        for (size_t k = 0; k < 8 && rows[i].no[k]; k++)
            if (fits(c, rows[i].no[k]))
                fail_msg("%s: %s fits", rows[i].schema, rows[i].no[k]);
        slm_constraint_free(c);
    }
}

static void integer_bounds_are_exact(void **state)
{
    (void)state;
    static const int bounds[][2] = { { 0, 0 }, { -1, 1 }, { 3, 17 }, { -120, -98 }, { 95, 1005 }, { -1002, 7 }, { 10, 99 }, { -9, 100 } };
    for (size_t i = 0; i < COUNT(bounds); i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"type\":\"integer\",\"minimum\":%d,\"maximum\":%d}", bounds[i][0], bounds[i][1]);
        slm_constraint *c = compile(text);
        for (int v = -1300; v <= 1300; v++) {
            (void)snprintf(text, sizeof text, "%d", v);
            if (fits(c, text) != (v >= bounds[i][0] && v <= bounds[i][1]))
                fail_msg("%d .. %d: %d is judged wrong", bounds[i][0], bounds[i][1], v);
        }
        slm_constraint_free(c);
    }
}

static const struct { const char *schema; slm_status status; const char *says, *place; } bad[] = {
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"multipleOf\":3}}}", SLM_E_UNSUPPORTED, "multipleOf", "#/properties/a/multipleOf" },
    { "{\"not\":{}}", SLM_E_UNSUPPORTED, "not", "#/not" },
    { "{\"type\":\"array\",\"items\":[{}]}", SLM_E_UNSUPPORTED, "items", "#/items" },
    { "{\"type\":\"array\",\"items\":{\"uniqueItems\":true}}", SLM_E_UNSUPPORTED, "uniqueItems", "#/items/uniqueItems" },
    { "{\"type\":\"string\",\"pattern\":\"a\",\"maxLength\":3}", SLM_E_UNSUPPORTED, "maxLength", "#:" },
    { "{\"type\":\"string\",\"pattern\":\"a(?=b)\"}", SLM_E_UNSUPPORTED, "group", "#/pattern" },
    { "{\"type\":\"number\",\"minimum\":0.5}", SLM_E_UNSUPPORTED, "minimum", "#/minimum" },
    { "{\"type\":\"number\",\"maximum\":1e12}", SLM_E_UNSUPPORTED, "maximum", "#/maximum" },
    { "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"number\"}]}", SLM_E_UNSUPPORTED, "oneOf", "#/oneOf/1" },
    { "{\"anyOf\":[{\"type\":\"integer\"}],\"minimum\":3}", SLM_E_UNSUPPORTED, "anyOf", "#:" },
    { "{\"allOf\":[{},{}]}", SLM_E_UNSUPPORTED, "allOf", "#/allOf" },
    { "{\"$ref\":\"other.json\"}", SLM_E_UNSUPPORTED, "$ref", "#/$ref" },
    { "{\"$ref\":\"#/$defs/none\"}", SLM_E_NOT_FOUND, "$ref", "#/$ref" },
    { "{\"$ref\":\"#\"}", SLM_E_NOT_FOUND, "0 texts", "schema" },
    { "{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", SLM_E_NOT_FOUND, "0 texts", "schema" },
    { "{\"type\":\"array\",\"items\":{},\"minItems\":2000000}", SLM_E_LIMIT, "minItems", "#/minItems" },
    { "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"minItems\":9000},\"minItems\":9000}", SLM_E_LIMIT, "states", "schema" },
    { "{\"type\":\"thing\"}", SLM_E_FORMAT, "none of the 7", "#/type" },
    { "{\"type\":\"object\",\"required\":[3]}", SLM_E_FORMAT, "required", "#/required/0" },
    { "{\"type\":\"object\",\"properties\":{},\"required\":[\"a\"],\"additionalProperties\":false}", SLM_E_UNSUPPORTED, "required", "#/required/0" },
    { "[1]", SLM_E_FORMAT, "neither", "#" },
    { "{\"type\":\"null\",\"type\":\"null\"}", SLM_E_FORMAT, "2 times", "schema" },
    { "{\"type\":", SLM_E_FORMAT, "JSON", "schema" },
    { "", SLM_E_FORMAT, "JSON", "schema" },
};

static void what_cannot_be_enforced_is_named_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        slm_constraint *c = NULL;
        slm_error err = { 0 };
        check_status(slm_constraint_schema(&c, slm_model_tokenizer(stories), bad[i].schema, strlen(bad[i].schema), &err), bad[i].status, &err);
        check_text(&err, bad[i].says);
        check_text(&err, bad[i].place);
        assert_null(c);
    }
}

static void a_schema_cut_anywhere_is_refused_or_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i += 3)
        for (size_t n = 0; n < strlen(rows[i].schema); n++) {
            slm_constraint *c = NULL;
            slm_error err = { 0 };
            char *copy = malloc(n + 1);         /* exactly n bytes: a read behind them is seen */
            assert_non_null(copy);
            memcpy(copy, rows[i].schema, n);
            const slm_status status = slm_constraint_schema(&c, slm_model_tokenizer(stories), copy, n, &err);
            assert_true(status == SLM_E_FORMAT && err.text[0] && !c);
            free(copy);
        }
}

/* ---- texts ---- */

typedef struct text { char bytes[65536]; size_t n; } text;

static int gather(void *user, const char *bytes, size_t n)
{
    text *t = user;
    assert_true(t->n + n < sizeof t->bytes);
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    return 0;
}

typedef bool check_fn(const json_t *value);

static bool is_person(const json_t *v)
{
    const json_t *name = json_object_get(v, "name"), *age = json_object_get(v, "age"), *tags = json_object_get(v, "tags");
    size_t i;
    const json_t *tag;
    if (!json_is_object(v) || !json_is_string(name) || !json_is_integer(age) || json_integer_value(age) < 0 || json_integer_value(age) > 130 ||
        json_object_size(v) != 2u + (tags != NULL))
        return false;
    if (tags && (!json_is_array(tags) || json_array_size(tags) > 3))
        return false;
    json_array_foreach(tags, i, tag)
        if (!json_is_string(tag) || (strcmp(json_string_value(tag), "red") != 0 && strcmp(json_string_value(tag), "blue") != 0))
            return false;
    return true;
}

static bool is_tree(const json_t *root)
{
    const json_t *stack[256] = { root };
    for (size_t n = 1; n;) {
        const json_t *v = stack[--n], *kids = json_object_get(v, "kids"), *kid;
        size_t i;
        if (!json_is_object(v) || !json_is_boolean(json_object_get(v, "leaf")) || !json_is_array(kids) || json_array_size(kids) > 2)
            return false;
        json_array_foreach(kids, i, kid)
            stack[n++] = kid;
    }
    return true;
}

static bool is_anything(const json_t *v)
{
    return v != NULL;
}

static bool is_code(const json_t *v)
{
    const char *s = json_string_value(v);
    return s && strlen(s) == 7 && s[0] >= 'A' && s[0] <= 'Z' && s[3] == '"' && strspn(s + 4, "0123456789") == 3;
}

static bool is_short(const json_t *v)
{
    size_t points = 0;
    for (const char *s = json_string_value(v); s && *s; s++)
        points += ((unsigned char)*s & 0xc0) != 0x80;
    return json_is_string(v) && points >= 3 && points <= 12;
}

static const struct { const char *schema; check_fn *check; uint32_t tokens; } made[] = {
    { "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":130},"
      "\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"red\",\"blue\"]},\"maxItems\":3}},\"required\":[\"name\",\"age\"],\"additionalProperties\":false}",
      is_person, 40 },
    { "{\"$defs\":{\"t\":{\"type\":\"object\",\"properties\":{\"leaf\":{\"type\":\"boolean\"},\"kids\":{\"type\":\"array\",\"maxItems\":2,\"items\":{\"$ref\":"
      "\"#/$defs/t\"}}},\"required\":[\"leaf\",\"kids\"]}},\"$ref\":\"#/$defs/t\"}", is_tree, 60 },
    { "{}", is_anything, 5 },
    { "{\"type\":\"string\",\"pattern\":\"^[A-Z]{3}\\\"\\\\d{3}$\"}", is_code, 12 },
    { "{\"type\":\"string\",\"minLength\":3,\"maxLength\":12}", is_short, 14 },
};

static void every_text_parses_and_is_what_the_schema_says(void **state)
{
    (void)state;
    static text t;
    slm_error err = { 0 };
    slm_session *s = NULL;
    check_status(slm_session_new(&s, stories, NULL, &err), SLM_OK, &err);
    for (size_t i = 0; i < COUNT(made); i++) {
        slm_constraint *c = compile(made[i].schema);
        for (uint64_t seed = 0; seed < 40; seed++) {
            slm_sampling how = SLM_SAMPLING_INIT;
            slm_generate_params p = SLM_GENERATE_PARAMS_INIT;
            slm_generation r = SLM_GENERATION_INIT;
            json_error_t wrong;
            how.temperature = seed % 4 == 3 ? 10 : 1;
            how.seed = seed;
            p.sampling = &how;
            p.constraint = c;
            p.max_tokens = made[i].tokens + (uint32_t)(seed % 5) * 8;
            p.text = gather;
            p.user = &t;
            t.n = 0;
            check_status(slm_session_truncate(s, 0, &err), SLM_OK, &err);
            check_status(slm_session_feed_text(s, "Here it is:", 11, 0, &err), SLM_OK, &err);
            check_status(slm_session_generate(s, &p, &r, &err), SLM_OK, &err);
            assert_true(r.tokens <= p.max_tokens);
            json_t *value = json_loadb(t.bytes, t.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES * (i != 2), &wrong);
            if (!value || !made[i].check(value))
                fail_msg("schema %zu, seed %" PRIu64 ": %.*s: %s", i, seed, (int)t.n, t.bytes, value ? "is something else" : wrong.text);
            json_decref(value);
        }
        slm_constraint_free(c);
    }
    slm_session_free(s);
}

static slm_status make_all(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_tokenizer *t = NULL;
    slm_constraint *c = NULL;
    params.allocator = allocator;
    slm_status status = slm_tokenizer_open(&t, STORIES, &params, err);
    if (!status)
        status = slm_constraint_schema(&c, t, ctx, strlen(ctx), err);
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
    for (size_t i = 0; i < 2; i++) {
        char schema[512];
        memcpy(schema, made[i].schema, strlen(made[i].schema) + 1);
        assert_true(fail_alloc_every("schema", make_all, drop_all, schema) > 30);
    }
}

static void *in_a_small_stack(void *arg)
{
    slm_constraint *c = compile(arg);
    const intptr_t yes = fits(c, "{\"leaf\":true,\"kids\":[]}");
    slm_constraint_free(c);
    return (void *)(yes + 10);
}

static void a_small_stack_suffices(void **state)
{
    (void)state;
    char schema[512];
    memcpy(schema, made[1].schema, strlen(made[1].schema) + 1);
    assert_int_equal((intptr_t)test_small_stack(in_a_small_stack, schema), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemas_mean_what_they_say),
        cmocka_unit_test(integer_bounds_are_exact),
        cmocka_unit_test(what_cannot_be_enforced_is_named_with_its_place),
        cmocka_unit_test(a_schema_cut_anywhere_is_refused_or_works),
        cmocka_unit_test(every_text_parses_and_is_what_the_schema_says),
        cmocka_unit_test(every_refused_allocation_is_survived),
        cmocka_unit_test(a_small_stack_suffices),
    };
    return cmocka_run_group_tests_name("schema", tests, stories_open, stories_close) != 0;
}
