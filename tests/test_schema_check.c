/* test_schema_check.c -- texts against schemas: what fits in any spelling, what does not and where, and what is no schema. */
#include "harness/test.h"

#include <stdlib.h>

static const struct row { const char *schema, *text; slm_status status; const char *part; } rows[] = {
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":2},\"b\":{\"type\":\"array\",\"items\":{\"enum\":[\"x\",\"y\"]}}},"
      "\"required\":[\"a\"],\"additionalProperties\":false}", " { \"b\" : [\"x\", \"\\u0079\"],\n\"a\": 5.0 } ", SLM_OK, NULL },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":2}}}", "{\"a\":1}", SLM_E_MISMATCH, "#/a: is out of bounds" },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"a\":1.5}", SLM_E_MISMATCH, "#/a: is of another type" },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}", "{\"b\":1.5}", SLM_OK, NULL },
    { "{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"b\":1}", SLM_E_MISMATCH, "#/b: may not be there" },
    { "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"null\"}}", "{\"b\":null,\"c\":1}", SLM_E_MISMATCH, "#/c" },
    { "{\"type\":\"object\",\"required\":[\"a\"]}", "{}", SLM_E_MISMATCH, "lacks a member" },
    { "{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":1,\"maxItems\":2}", "[null,null]", SLM_OK, NULL },
    { "{\"type\":\"array\",\"items\":{\"type\":\"null\"},\"minItems\":1,\"maxItems\":2}", "[]", SLM_E_MISMATCH, "too few" },
    { "{\"type\":\"array\",\"items\":{\"type\":\"null\"}}", "[null,null,0]", SLM_E_MISMATCH, "#/2" },
    { "{\"type\":\"string\",\"minLength\":2,\"maxLength\":2}", "\"\\u00e4\xe2\x82\xac\"", SLM_OK, NULL },
    { "{\"type\":\"string\",\"maxLength\":2}", "\"abc\"", SLM_E_MISMATCH, "too long" },
    { "{\"type\":\"string\",\"pattern\":\"^[a-c]+\\\\d$\"}", "\"abc1\"", SLM_OK, NULL },
    { "{\"type\":\"string\",\"pattern\":\"b\"}", "\"abc\"", SLM_OK, NULL },
    { "{\"type\":\"string\",\"pattern\":\"^b\"}", "\"abc\"", SLM_E_MISMATCH, "pattern" },
    { "{\"type\":[\"string\",\"null\"]}", "null", SLM_OK, NULL },
    { "{\"type\":[\"string\",\"null\"]}", "true", SLM_E_MISMATCH, "type" },
    { "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\",\"pattern\":\"^a+$\"}]}", "\"aaa\"", SLM_OK, NULL },
    { "{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"string\",\"pattern\":\"^a+$\"}]}", "\"aab\"", SLM_E_MISMATCH, "none of the alternatives" },
    { "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}", "3", SLM_OK, NULL },
    { "{\"allOf\":[{\"type\":\"integer\"}]}", "\"x\"", SLM_E_MISMATCH, "" },
    { "{\"const\":{\"a\":[1,{\"b\":null}],\"c\":2}}", "{\"c\":2.0,\"a\":[1,{\"b\":null}]}", SLM_OK, NULL },
    { "{\"const\":{\"a\":[1,{\"b\":null}],\"c\":2}}", "{\"c\":2,\"a\":[1,{\"b\":1}]}", SLM_E_MISMATCH, "none of the values" },
    { "{\"const\":{\"a\":1}}", "{\"a\":1,\"b\":2}", SLM_E_MISMATCH, "" },
    { "{\"enum\":[[[1],[2,3],{}],\"z\"]}", "[[1],[2,3],{}]", SLM_OK, NULL },
    { "{\"enum\":[[[1],[2,3],{}],\"z\"]}", "[[1],[2,4],{}]", SLM_E_MISMATCH, "" },
    { "{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"n\":{\"$ref\":\"#/$defs/n\"}},\"additionalProperties\":false}},\"$ref\":\"#/$defs/n\"}",
      "{\"n\":{\"n\":{\"n\":{\"n\":{\"n\":{\"n\":{\"n\":{}}}}}}}}", SLM_OK, NULL },
    { "{\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"n\":{\"$ref\":\"#/$defs/n\"}},\"additionalProperties\":false}},\"$ref\":\"#/$defs/n\"}",
      "{\"n\":{\"n\":{\"m\":{}}}}", SLM_E_MISMATCH, "#/n/n/m" },
    { "true", "[1]", SLM_OK, NULL },
    { "{}", "{\"a\":[1]}", SLM_OK, NULL },
    { "false", "1", SLM_E_MISMATCH, "" },
    { "{\"$ref\":\"#\"}", "1", SLM_E_LIMIT, "references" },
    { "{\"type\":\"string\",\"multipleOf\":2}", "1", SLM_E_UNSUPPORTED, "multipleOf" },
    { "{\"properties\":{\"a\":{\"if\":{}}}}", "null", SLM_E_UNSUPPORTED, "if" },
    { "[]", "1", SLM_E_FORMAT, "schema" },
    { "{\"type\":\"strin\"}", "1", SLM_E_FORMAT, "schema" },
    { "{\"type\":\"string\"", "1", SLM_E_FORMAT, "schema" },
    { "{\"type\":\"string\"}", "", SLM_E_FORMAT, "text" },
    { "{\"type\":\"string\"}", "\"a\" x", SLM_E_FORMAT, "text" },
    { "{\"type\":\"object\"}", "{\"a\":1,\"a\":1}", SLM_E_FORMAT, "2 times" },
};

static void one(void **state)
{
    const struct row *r = *state;
    slm_error err = { 0 };
    check_status(slm_schema_check(r->schema, strlen(r->schema), r->text, strlen(r->text), &err), r->status, &err);
    if (r->part)
        check_text(&err, r->part);
}

static void *deep(void *arg)
{
    static const char schema[] = "{\"type\":[\"array\",\"null\"],\"items\":{\"$ref\":\"#\"}}";
    char text[130];
    (void)arg;
    memset(text, '[', 60);
    memset(text + 60, ']', 60);
    return slm_schema_check(schema, strlen(schema), text, 120, NULL) == SLM_OK ? "" : NULL;
}

static void needs_little_stack(void **state)
{
    (void)state;
    assert_non_null(test_small_stack(deep, NULL));
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 1] = { cmocka_unit_test(needs_little_stack) };
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i + 1] = (struct CMUnitTest){ rows[i].text, one, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    return cmocka_run_group_tests_name("schema_check", tests, NULL, NULL) != 0;
}
