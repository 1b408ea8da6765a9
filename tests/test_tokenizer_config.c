/* test_tokenizer_config.c -- tokenizer_config.json beside a tokenizer: which tokens it names, which switches it sets, what it leaves alone. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/heap.h"
#include "format/tokenizer_file.h"

#include <stdio.h>

enum { NONE = -1 };

#define WHOLE(rules, kind) "{" rules ",\"model\":{" kind "}}"
#define BYTES "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define MARKS "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\"}"
#define BERT  "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define ENDS  ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"b\",1],\"cls\":[\"a\",0]}"
#define VOCAB "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}"

/* gpt2 is made of bytes, llama of merges with byte fallback, bert of words; `posted` has a post-processor that puts a in front and b behind. */
static const char gpt2[] = WHOLE(BYTES, "\"type\":\"BPE\"," VOCAB ",\"merges\":[[\"a\",\"b\"]]"),
                  posted[] = WHOLE(BYTES ENDS, "\"type\":\"BPE\"," VOCAB ",\"merges\":[[\"a\",\"b\"]]"),
                  llama[] = WHOLE(MARKS ENDS, "\"type\":\"BPE\",\"byte_fallback\":true," VOCAB ",\"merges\":[[\"a\",\"b\"]]"),
                  bert[] = WHOLE(BERT ENDS ",\"added_tokens\":[{\"id\":3,\"content\":\"[M]\",\"special\":true}]", "\"type\":\"WordPiece\"," VOCAB);

/* key: of the token's id, of the switch, or none; value: what it is after the configuration was read, NONE: not there. */
static const struct { const char *tokenizer, *config; slm_status status; const char *key; int64_t value; } rows[] = {
    { gpt2, "{\"bos_token\":\"a\"}", SLM_OK, "bos_token_id", 0 },
    { gpt2, "{\"eos_token\":{\"content\":\"ab\",\"lstrip\":false}}", SLM_OK, "eos_token_id", 2 },
    { gpt2, "{\"pad_token\":\"b\"}", SLM_OK, "padding_token_id", 1 },
    { gpt2, "{\"sep_token\":\"b\"}", SLM_OK, "seperator_token_id", 1 },
    { gpt2, "{\"cls_token\":\"b\"}", SLM_OK, "cls_token_id", 1 },
    { gpt2, "{\"mask_token\":\"b\"}", SLM_OK, "mask_token_id", 1 },
    { gpt2, "{\"unk_token\":\"b\"}", SLM_OK, "unknown_token_id", 1 },
    { gpt2, "{\"bos_token\":\"zz\"}", SLM_OK, "bos_token_id", NONE },
    { gpt2, "{\"bos_token\":\"\"}", SLM_OK, "bos_token_id", NONE },
    { gpt2, "{\"bos_token\":null,\"eos_token\":5,\"pad_token\":[\"a\"]}", SLM_OK, "padding_token_id", NONE },
    { gpt2, "{\"bos_token\":{}}", SLM_OK, "bos_token_id", NONE },
    { gpt2, "{\"bos_token\":{\"content\":null}}", SLM_OK, "bos_token_id", NONE },
    { gpt2, "{\"bos_token\":{\"content\":\"a\",\"content\":\"b\"}}", SLM_E_FORMAT, "bos_token_id", NONE },
    { gpt2, "{\"bos_token\":\"\\ud800\"}", SLM_E_FORMAT, "bos_token_id", NONE },
    { gpt2, "[]", SLM_E_FORMAT, "bos_token_id", NONE },
    { gpt2, "{} x", SLM_E_FORMAT, "bos_token_id", NONE },
    { gpt2, "", SLM_E_FORMAT, "bos_token_id", NONE },
    /* what a post-processor puts around a text stays */
    { posted, "{\"bos_token\":\"ab\"}", SLM_OK, "bos_token_id", 0 },
    { posted, "{\"eos_token\":\"ab\"}", SLM_OK, "eos_token_id", 1 },
    { posted, "{\"cls_token\":\"ab\"}", SLM_OK, "cls_token_id", 2 },
    { bert, "{\"cls_token\":\"[M]\"}", SLM_OK, "cls_token_id", 0 },
    { bert, "{\"sep_token\":\"[M]\"}", SLM_OK, "seperator_token_id", 1 },
    { bert, "{\"mask_token\":\"[M]\"}", SLM_OK, "mask_token_id", 3 },
    /* switches */
    { gpt2, "{\"bos_token\":\"a\",\"add_bos_token\":true}", SLM_OK, "add_bos_token", 1 },
    { gpt2, "{\"add_bos_token\":true}", SLM_OK, "add_bos_token", 0 },
    { gpt2, "{\"eos_token\":\"a\",\"add_eos_token\":true}", SLM_OK, "add_eos_token", 1 },
    { gpt2, "{\"eos_token\":\"a\",\"add_eos_token\":\"yes\"}", SLM_OK, "add_eos_token", 0 },
    { posted, "{\"add_bos_token\":false}", SLM_OK, "add_bos_token", 1 },
    { posted, "{\"add_eos_token\":false}", SLM_OK, "add_eos_token", 1 },
    { llama, "{\"add_bos_token\":false}", SLM_OK, "add_bos_token", 0 },
    { llama, "{\"add_eos_token\":false}", SLM_OK, "add_eos_token", 0 },
    /* templates: the value is the number of bytes */
    { gpt2, "{\"chat_template\":\"{{ x }}\"}", SLM_OK, "template", 7 },
    { gpt2, "{\"chat_template\":\"\"}", SLM_OK, "template", 0 },
    { gpt2, "{\"chat_template\":5}", SLM_OK, "template", NONE },
    { gpt2, "{\"chat_template\":[]}", SLM_OK, "template", NONE },
    { gpt2, "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"abc\"},{\"name\":\"default\",\"template\":\"abcd\"}]}", SLM_OK, "template", 4 },
    { gpt2, "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"abc\"}]}", SLM_OK, "template.rag", 3 },
    { gpt2, "{\"chat_template\":[5]}", SLM_E_FORMAT, "template", NONE },
    { gpt2, "{\"chat_template\":[{\"name\":\"rag\"}]}", SLM_E_FORMAT, "template", NONE },
    { gpt2, "{\"chat_template\":[{\"template\":\"x\"}]}", SLM_E_FORMAT, "template", NONE },
    { gpt2, "{\"chat_template\":\"\\udc00\"}", SLM_E_FORMAT, "template", NONE },
    { gpt2, "{\"chat_template\":[{\"name\":\"default\",\"template\":\"\\udc00\"}]}", SLM_E_FORMAT, "template", NONE },
};

static slm_status read_row(size_t i, const slm_allocator *allocator, int64_t *value, slm_error *err)
{
    slm_heap heap;
    slm_keys keys;
    char name[96];
    slm_heap_init(&heap, allocator, 0);
    slm_keys_init(&keys, &heap, "x");
    slm_status status = slm_tokenizer_json_read(&keys, (const uint8_t *)rows[i].tokenizer, strlen(rows[i].tokenizer), "x", 0, err);
    if (!status)
        status = slm_tokenizer_config_read(&keys, (const uint8_t *)rows[i].config, strlen(rows[i].config), "config.json", err);
    if (strncmp(rows[i].key, "template", 8) == 0)
        (void)snprintf(name, sizeof name, "tokenizer.chat_%s", rows[i].key);
    else
        (void)snprintf(name, sizeof name, "tokenizer.ggml.%s", rows[i].key);
    const slm_key *key = slm_keys_find(&keys, name);
    *value = !key ? NONE : key->type == SLM_KEY_STRING ? (int64_t)key->bytes : key->type == SLM_KEY_BOOL ? key->value[0] : slm_key_int_at(key, 0);
    slm_keys_free(&keys);
    assert_int_equal(atomic_load(&heap.current), 0);
    return status;
}

static void names_switches_and_templates_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_error err = { 0 };
        int64_t value;
        const slm_status status = read_row(i, NULL, &value, &err);
        if (status != rows[i].status || (!status && value != rows[i].value) || (status && strncmp(err.text, "config.json: ", 13) != 0))
            fail_msg("row %zu, %s: %s '%s', %s is %" PRIi64 ", want %s and %" PRIi64, i, rows[i].config, slm_status_name(status), err.text, rows[i].key,
                     value, slm_status_name(rows[i].status), rows[i].value);
    }
}

/* Keys that come from elsewhere: a list of tokens that is none, or ends too soon, and switches and models of other types. */
static void what_stands_beside_may_be_odd(void **state)
{
    static const uint8_t tokens[] = { 1, 0, 0, 0, 0, 0, 0, 0, 'a', 1, 0, 0, 0, 0, 0, 0, 0, 'b' };
    enum { LIST, NOTHING, TEXT, NUMBERS, SHORT };
    enum { NO_MODEL, NUMBER, BERT_MODEL, OF_ITS_LENGTH };
    static const struct { int list, model; bool text_switch, old; const char *config, *key; int64_t value; } odd[] = {
        { LIST,    NO_MODEL,      false, false, "{\"bos_token\":\"b\"}",                          "bos_token_id", 1 },
        { NOTHING, NO_MODEL,      false, false, "{\"bos_token\":\"b\"}",                          "bos_token_id", NONE },
        { TEXT,    NO_MODEL,      false, false, "{\"bos_token\":\"b\"}",                          "bos_token_id", NONE },
        { NUMBERS, NO_MODEL,      false, false, "{\"bos_token\":\"b\"}",                          "bos_token_id", NONE },
        { SHORT,   NO_MODEL,      false, false, "{\"bos_token\":\"c\"}",                          "bos_token_id", NONE },
        { LIST,    NO_MODEL,      true,  true,  "{\"bos_token\":\"b\"}",                          "bos_token_id", 1 },     /* no switch says: stay */
        { LIST,    NO_MODEL,      false, true,  "{\"cls_token\":\"b\"}",                          "cls_token_id", 1 },
        { LIST,    NUMBER,        false, true,  "{\"cls_token\":\"b\"}",                          "cls_token_id", 1 },
        { LIST,    OF_ITS_LENGTH, false, true,  "{\"cls_token\":\"b\"}",                          "cls_token_id", 1 },
        { LIST,    BERT_MODEL,    false, true,  "{\"cls_token\":\"b\"}",                          "cls_token_id", 0 },
        { LIST,    BERT_MODEL,    false, true,  "{\"bos_token\":\"b\",\"add_bos_token\":false}",  "add_bos_token", 0 },
        { LIST,    NO_MODEL,      false, false, "{\"add_bos_token\":false}",                      "add_bos_token", 0 },
        { LIST,    NO_MODEL,      false, false, "{\"add_bos_token\":true}",                       "add_bos_token", NONE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(odd); i++) {
        slm_heap heap;
        slm_keys keys;
        slm_error err = { 0 };
        char name[64];
        slm_status status = SLM_OK;
        slm_heap_init(&heap, NULL, 0);
        slm_keys_init(&keys, &heap, "x");
        if (odd[i].list != NOTHING)
            status = slm_keys_add(&keys, "tokenizer.ggml.tokens", odd[i].list == NUMBERS ? SLM_KEY_U8 : SLM_KEY_STRING, odd[i].list != TEXT,
                                  odd[i].list == SHORT ? 3 : 2, tokens, sizeof tokens, &err);
        if (!status && odd[i].model == NUMBER)
            status = slm_keys_add_u32(&keys, "tokenizer.ggml.model", 4, &err);
        else if (!status && odd[i].model != NO_MODEL)
            status = slm_keys_add_str(&keys, "tokenizer.ggml.model", odd[i].model == BERT_MODEL ? "bert" : "gpt2", &err);
        if (!status && odd[i].text_switch)
            status = slm_keys_add_str(&keys, "tokenizer.ggml.add_bos_token", "yes", &err);
        for (int k = 0; !status && odd[i].old && k < 2; k++)
            status = slm_keys_add_u32(&keys, k ? "tokenizer.ggml.bos_token_id" : "tokenizer.ggml.cls_token_id", 0, &err);
        if (!status)
            status = slm_tokenizer_config_read(&keys, (const uint8_t *)odd[i].config, strlen(odd[i].config), "config.json", &err);
        if (status)
            fail_msg("row %zu: %s", i, err.text);
        (void)snprintf(name, sizeof name, "tokenizer.ggml.%s", odd[i].key);
        const slm_key *key = slm_keys_find(&keys, name);
        const int64_t value = !key ? NONE : key->type == SLM_KEY_BOOL ? key->value[0] : slm_key_int_at(key, 0);
        if (value != odd[i].value)
            fail_msg("row %zu: %s is %" PRIi64 ", want %" PRIi64, i, odd[i].key, value, odd[i].value);
        slm_keys_free(&keys);
    }
}

static void a_refused_allocation_leaves_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t at = 1, refused = 1; refused; at++) {
            fail_alloc mean;
            slm_error err = { 0 };
            int64_t value;
            fail_alloc_init(&mean, at, false);
            const slm_status status = read_row(i, &mean.allocator, &value, &err);
            refused = atomic_load(&mean.refused);
            if (status != (refused ? SLM_E_MEMORY : rows[i].status))
                fail_msg("row %zu, %s, allocation %zu refused: %s '%s'", i, rows[i].config, at, slm_status_name(status), err.text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names_switches_and_templates_are_taken), cmocka_unit_test(a_refused_allocation_leaves_nothing),
                                         cmocka_unit_test(what_stands_beside_may_be_odd) };
    return cmocka_run_group_tests_name("tokenizer_config", tests, NULL, NULL) != 0;
}
