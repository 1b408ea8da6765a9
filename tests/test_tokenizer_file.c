/* test_tokenizer_file.c -- tokenizer.json and tokenizer.model: the ids of ../shared, the keys a GGUF of the same tokenizer has, refusals. */
#include "vectors.h"

#include "core/heap.h"
#include "format/file.h"
#include "format/token_table.h"
#include "format/tokenizer_file.h"
#include "harness/fail_alloc.h"
#include "text/tokenizer.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define HF "../shared/tokenizers/hf/"
#define VOCABS "../shared/tokenizers/gguf-vocabs/ggml-vocab-"

/* ---- whole files ---- */

typedef struct job {
    const slm_tokenizer *tokenizer;
    unsigned flags;
    size_t lines, wrong;
} job;

static void compare(void *user, const vector *v, size_t line)
{
    job *j = user;
    size_t n = 0;
    int32_t *ids = malloc((v->len * 4 + 8) * sizeof *ids);
    assert_non_null(ids);
    assert_int_equal(slm_tokenizer_encode(j->tokenizer, ids, v->len * 4 + 8, &n, v->text, v->len, j->flags, NULL), SLM_OK);
    j->lines++;
    if (n != v->n || (n && memcmp(ids, v->ids, n * sizeof *ids) != 0)) {
        j->wrong++;
        print_error("line %zu, '%.*s': %zu ids, want %zu\n", line, (int)v->len, v->text, n, v->n);
    }
    free(ids);
}

/* "ids" of a line, or "ids_special" under that name: the reader of vectors knows the first only, so the second takes its place. */
static void run_lines(const char *path, job *j, bool special)
{
    size_t n;
    char *text = read_all(path, &n);
    assert_non_null(text);
    size_t number = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *plain = strstr(line, "\"ids\""), *other = strstr(line, "\"ids_special\"");
        if (special && plain && other)
            memcpy(plain, "\"xxx\"", 5), memmove(other, "        \"ids\"", 13);
        else if (other)
            memcpy(other, "\"xxx_special\"", 13);
        vector v = read_vector(line);
        compare(j, &v, ++number);
        free_vector(&v);
    }
    free(text);
}

static slm_tokenizer *opened(const char *path)
{
    slm_tokenizer *t = NULL;
    slm_error err = { 0 };
    const slm_status status = slm_tokenizer_open(&t, path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    return t;
}

static void hugging_face(void **state)
{
    char path[256];
    const char *name = *state;
    (void)snprintf(path, sizeof path, HF "%s.tokenizer.json", name);
    slm_tokenizer *t = opened(path);
    (void)snprintf(path, sizeof path, HF "%s.jsonl", name);
    for (int special = 0; special < 2; special++) {
        job j = { t, special ? SLM_TEXT_BOS_EOS : 0, 0, 0 };
        run_lines(path, &j, special);
        if (j.wrong || !j.lines)
            fail_msg("%s: %zu of %zu lines differ", name, j.wrong, j.lines);
    }
    slm_tokenizer_free(t);
}

/* ---- the keys of a GGUF ---- */

static slm_file *file_of(slm_heap *heap, const char *path)
{
    slm_file *file = NULL;
    slm_error err = { 0 };
    const slm_status status = slm_file_load(&file, heap, path, NULL, &err);
    if (status == SLM_E_NOT_FOUND) {
        print_message("skipped: no ../shared\n");
        skip();
    }
    if (status)
        fail_msg("%s", err.text);
    return file;
}

static const slm_key *key_of(const slm_keys *keys, const char *name)
{
    const slm_key *key = slm_keys_find(keys, name);
    if (!key)
        fail_msg("no key %s", name);
    return key;
}

static void same_key(const slm_keys *a, const slm_keys *b, const char *name)
{
    const slm_key *x = key_of(a, name), *y = key_of(b, name);
    if (x->count != y->count || x->bytes != y->bytes || memcmp(x->value, y->value, x->bytes) != 0)
        fail_msg("%s differs: %llu and %llu elements", name, (unsigned long long)x->count, (unsigned long long)y->count);
}

/* The same tokenizer in both forms: t5 to the bit. */
static void like_the_gguf(void **state)
{
    static const char *const names[] = { "model", "tokens", "scores", "token_type", "precompiled_charsmap", "add_space_prefix",
                                         "remove_extra_whitespaces", "eos_token_id", "unknown_token_id", "add_bos_token", "add_eos_token" };
    char name[96];
    slm_heap heap;
    (void)state;
    slm_heap_init(&heap, NULL, 0);
    slm_file *json = file_of(&heap, HF "t5-small.tokenizer.json"), *gguf = file_of(&heap, VOCABS "t5.gguf");
    assert_string_equal(slm_file_format(json), "tokenizer.json");
    assert_int_equal(slm_file_tensors(json), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(name, sizeof name, "tokenizer.ggml.%s", names[i]);
        same_key(&json->keys, &gguf->keys, name);
    }
    slm_file_free(json);
    slm_file_free(gguf);
    json = file_of(&heap, HF "bert-base-uncased.tokenizer.json");
    gguf = file_of(&heap, VOCABS "bert-bge.gguf");
    same_key(&json->keys, &gguf->keys, "tokenizer.ggml.token_type");
    same_key(&json->keys, &gguf->keys, "tokenizer.ggml.cls_token_id");
    same_key(&json->keys, &gguf->keys, "tokenizer.ggml.seperator_token_id");
    assert_int_equal(key_of(&json->keys, "tokenizer.ggml.tokens")->count, key_of(&gguf->keys, "tokenizer.ggml.tokens")->count);
    slm_file_free(json);
    slm_file_free(gguf);
    assert_int_equal(atomic_load(&heap.current), 0);
}

/* ---- tokenizer.model, made of a GGUF's keys ---- */

static void put_varint(slm_buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        slm_buf_u8(b, (uint8_t)(v | 0x80));
    slm_buf_u8(b, (uint8_t)v);
}

static void put_bytes(slm_buf *b, uint32_t field, const void *bytes, size_t n)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    slm_buf_add(b, bytes, n);
}

static void put_number(slm_buf *b, uint32_t field, uint64_t v)
{
    put_varint(b, field << 3);
    put_varint(b, v);
}

/* SentencePiece's file with the same pieces. */
static void make_model(slm_buf *out, const slm_keys *keys, slm_heap *heap, bool unigram)
{
    const slm_key *tokens = key_of(keys, "tokenizer.ggml.tokens"), *scores = key_of(keys, "tokenizer.ggml.scores"),
                  *types = key_of(keys, "tokenizer.ggml.token_type"), *map = slm_keys_find(keys, "tokenizer.ggml.precompiled_charsmap");
    slm_cursor c = slm_cursor_over(tokens->value, tokens->bytes);
    slm_buf part;
    slm_buf_init(&part, heap, 1 << 20);
    for (uint64_t i = 0; i < tokens->count; i++) {
        uint64_t n;
        const uint8_t *text = slm_cursor_str(&c, &n);
        part.size = 0;
        put_bytes(&part, 1, text, (size_t)n);
        put_varint(&part, 2 << 3 | 5);
        slm_buf_add(&part, scores->value + 4 * i, 4);
        if (slm_key_int_at(types, i) != 1)
            put_number(&part, 3, (uint64_t)slm_key_int_at(types, i));
        put_bytes(out, 1, part.data, part.size);
    }
    part.size = 0;
    if (!unigram)
        put_number(&part, 3, 2), put_number(&part, 35, 1);
    put_number(&part, 40, unigram ? 2 : 0);
    put_number(&part, 41, unigram ? UINT64_MAX : 1);
    put_number(&part, 42, unigram ? 1 : 2);
    put_bytes(&part, 77, "?", 1);                       /* fields that are not known are passed over */
    put_bytes(out, 2, part.data, part.size);
    part.size = 0;
    put_bytes(&part, 1, "x", 1);
    if (map)
        put_bytes(&part, 2, map->value, map->bytes);
    if (!unigram)
        put_number(&part, 4, 0);
    put_bytes(out, 3, part.data, part.size);
    assert_int_equal(out->failed, SLM_OK);
    slm_buf_free(&part);
}

static void sentencepiece(void **state)
{
    static const char *const names[] = { "llama-spm", "t5" }, *const same[] = { "model", "tokens", "scores", "token_type" };
    (void)state;
    for (int unigram = 0; unigram < 2; unigram++) {
        char path[256];
        slm_heap heap;
        slm_buf model;
        slm_file *file = NULL;
        slm_tokenizer *t = NULL;
        slm_error err = { 0 };
        slm_heap_init(&heap, NULL, 0);
        slm_buf_init(&model, &heap, 1 << 24);
        (void)snprintf(path, sizeof path, VOCABS "%s.gguf", names[unigram]);
        slm_file *gguf = file_of(&heap, path);
        make_model(&model, &gguf->keys, &heap, unigram);
        slm_source source = slm_source_memory(model.data, model.size, "made.model");
        if (slm_file_load_source(&file, &heap, &source, "made.model", NULL, &err) != SLM_OK)
            fail_msg("%s", err.text);
        assert_string_equal(slm_file_format(file), "SentencePiece");
        for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
            (void)snprintf(path, sizeof path, "tokenizer.ggml.%s", same[i]);
            same_key(&file->keys, &gguf->keys, path);
        }
        assert_int_equal(slm_tokenizer_load(&t, &heap, &file->keys, "made.model", &err), SLM_OK);
        job j = { t, 0, 0, 0 };
        (void)snprintf(path, sizeof path, "../shared/tokenizers/vectors/%s.jsonl", names[unigram]);
        assert_true(each_vector(path, compare, &j));
        assert_int_equal(j.wrong, 0);
        slm_tokenizer_free(t);
        slm_file_free(file);
        for (size_t cut = 0; cut < 4096; cut++) {       /* cut anywhere it is an answer or a message, never more */
            const size_t n = cut < 2048 ? cut : model.size - (cut - 2047);
            slm_keys keys;
            slm_keys_init(&keys, &heap, "cut");
            memset(&err, 0, sizeof err);
            if (slm_tokenizer_model_read(&keys, model.data, n, "cut.model", 0, &err) != SLM_OK)
                assert_true(err.status != SLM_OK && strncmp(err.text, "cut.model: ", 11) == 0);
            slm_keys_free(&keys);
            if (cut > 64 && cut < 2048 - 64)
                cut += 30;
        }
        slm_file_free(gguf);
        slm_buf_free(&model);
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

/* ---- small files made here ---- */

#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define METASPACE  "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"always\"}"
#define BERT_RULES "\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define BPE_MODEL  "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}"
#define SPM_MODEL(vocab, merges) "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"vocab\":{" vocab "},\"merges\":[" merges "]}"
#define SPM_VOCAB  "\"<unk>\":0,\"a\":1,\"b\":2,\"c\":3,\"ab\":4,\"bc\":5,\"abc\":6,\"\xe2\x96\x81\":7"

static const struct { const char *json; slm_status status; const char *words; } small[] = {
    { "{" BYTE_LEVEL "," BPE_MODEL "}", SLM_OK, "" },
    { "{" METASPACE "," SPM_MODEL(SPM_VOCAB, "\"a b\",\"b c\",\"ab c\",\"a bc\"") "}", SLM_OK, "" },
    { "{" BERT_RULES ",\"model\":{\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2}}}", SLM_OK, "" },
    { "{" METASPACE ",\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\xe2\x96\x81\",-1.5],[\"a\",-2]]}}", SLM_OK, "" },
    { "{}", SLM_E_FORMAT, "key 'model' is missing" },
    { "{\"model\":[]}", SLM_E_FORMAT, "key 'model' is missing" },
    { "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", SLM_E_UNSUPPORTED, "model 'WordLevel' is not supported" },
    { "{" BPE_MODEL "}", SLM_E_UNSUPPORTED, "model 'BPE' is not supported as it stands" },
    { "{" BYTE_LEVEL "," BPE_MODEL "," BPE_MODEL "}", SLM_E_FORMAT, "key 'model' stands twice" },
    { "{" BYTE_LEVEL "," BPE_MODEL, SLM_E_FORMAT, "the text ends" },
    { "{\"normalizer\":{\"type\":\"NFKD\"}," BYTE_LEVEL "," BPE_MODEL "}", SLM_E_UNSUPPORTED, "normalizer 'NFKD' is not known" },
    { "{\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"\\\\w+x\"}}," BPE_MODEL "}", SLM_E_UNSUPPORTED,
      "the expression '\\w+x' is not known" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Sequence\",\"pretokenizers\":["
      "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Sequence\",\"pretokenizers\":[]}]}]}]}]}," BPE_MODEL "}", SLM_E_FORMAT, "more than 4 inside each other" },
    { "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":\"Digits\","
      "\"individual_digits\":true},{\"type\":\"ByteLevel\"}]}," BPE_MODEL "}", SLM_E_UNSUPPORTED, "3 known steps, which together have no name" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", SLM_E_FORMAT, "token of id 1 stands twice" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", SLM_E_FORMAT, "tokens 'a' and 'b' both have id 0" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", SLM_E_FORMAT, "" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4194304},\"merges\":[]}}", SLM_E_LIMIT, "id 4194304 (allowed below 4194304)" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4194303},\"merges\":[]}}", SLM_E_FORMAT, "the highest id is 4194303, for 1 tokens" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1026},\"merges\":[]}}", SLM_E_FORMAT, "the highest id is 1026, for 1 tokens" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1025},\"merges\":[]}}", SLM_OK, "" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", SLM_E_FORMAT, "a vocabulary of 0 tokens" },
    { "{" BYTE_LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", SLM_E_FORMAT, "a merge of two texts" },
    { "{" BYTE_LEVEL ",\"added_tokens\":[{\"id\":5,\"content\":\"ab\"}]," BPE_MODEL "}", SLM_E_FORMAT, "added token 5 has id 2 in the vocabulary" },
    { "{" BYTE_LEVEL ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":{}}]}," BPE_MODEL "}",
      SLM_E_FORMAT, "'<s>' is none of the 3 tokens" },
    { "{" METASPACE "," SPM_MODEL(SPM_VOCAB, "\"a b\",\"ab c\",\"b c\",\"a bc\"") "}", SLM_E_UNSUPPORTED, "merges that make token 6 stand in two places" },
    { "{" METASPACE "," SPM_MODEL(SPM_VOCAB, "\"a b\",\"b c\",\"ab c\"") "}", SLM_E_UNSUPPORTED, "token 6 is two tokens in 2 ways, the merges have 1" },
    { "{" METASPACE "," SPM_MODEL(SPM_VOCAB, "\"a c\"") "}", SLM_E_FORMAT, "a merge makes no token" },
    { "{" METASPACE ",\"model\":{\"unk_id\":3,\"vocab\":[[\"<unk>\",0]]}}", SLM_E_FORMAT, "unk_id is 3, the vocabulary has 1 tokens" },
    { "{" METASPACE ",\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",\"x\"]]}}", SLM_E_FORMAT, "a token's score should be" },
    { "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA\"}," METASPACE ",\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]}}",
      SLM_E_FORMAT, "3 characters of base64" },
    { "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA*A\"}," METASPACE ",\"model\":{\"unk_id\":0,\"vocab\":[[\"<unk>\",0]]}}",
      SLM_E_FORMAT, "is not base64" },
    { "{" BERT_RULES ",\"model\":{\"type\":\"WordPiece\",\"max_input_chars_per_word\":7,\"vocab\":{\"a\":1}}}", SLM_E_UNSUPPORTED, "is 7 (known: 100)" },
};

static slm_status read_small(slm_heap *heap, const char *json, size_t n, slm_error *err)
{
    slm_keys keys;
    slm_keys_init(&keys, heap, "small.json");
    const slm_status status = slm_tokenizer_json_read(&keys, (const uint8_t *)json, n, "small.json", 0, err);
    slm_keys_free(&keys);
    assert_int_equal(atomic_load(&heap->current), 0);
    return status;
}

static void small_files(void **state)
{
    slm_heap heap;
    (void)state;
    slm_heap_init(&heap, NULL, 0);
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        slm_error err = { 0 };
        const slm_status got = read_small(&heap, small[i].json, strlen(small[i].json), &err);
        if (got != small[i].status || !strstr(err.text, small[i].words) || (got && strncmp(err.text, "small.json: ", 12) != 0))
            fail_msg("%s\n%s '%s', want %s with '%s'", small[i].json, slm_status_name(got), err.text, slm_status_name(small[i].status), small[i].words);
        for (size_t cut = 0; cut < strlen(small[i].json); cut++)
            assert_int_not_equal(read_small(&heap, small[i].json, cut, &err), SLM_OK);
    }
}

/* Scores made of merges join in the order of the merges; words, marks and padding come out as GGUF has them. */
static void small_keys(void **state)
{
    slm_heap heap;
    slm_keys keys;
    slm_tokenizer *t = NULL;
    int32_t ids[8];
    size_t n = 0;
    uint64_t length;
    slm_error err = { 0 };
    (void)state;
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, "small.json");
    assert_int_equal(slm_tokenizer_json_read(&keys, (const uint8_t *)small[1].json, strlen(small[1].json), "small.json", 10, &err), SLM_OK);
    assert_int_equal(key_of(&keys, "tokenizer.ggml.tokens")->count, 10);
    assert_int_equal(slm_tokenizer_load(&t, &heap, &keys, "small.json", &err), SLM_OK);
    assert_int_equal(slm_tokenizer_encode(t, ids, 8, &n, "abc", 3, 0, &err), SLM_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], 7);
    assert_int_equal(ids[1], 6);
    assert_memory_equal(slm_tokenizer_text(t, 9, &n), "[PAD9]", 6);
    assert_int_equal(n, 6);
    slm_tokenizer_free(t);
    slm_keys_free(&keys);
    slm_keys_init(&keys, &heap, "small.json");
    assert_int_equal(slm_tokenizer_json_read(&keys, (const uint8_t *)small[2].json, strlen(small[2].json), "small.json", 0, &err), SLM_OK);
    slm_cursor c = slm_cursor_over(key_of(&keys, "tokenizer.ggml.tokens")->value, key_of(&keys, "tokenizer.ggml.tokens")->bytes);
    (void)slm_cursor_str(&c, &length);
    assert_memory_equal(slm_cursor_str(&c, &length), "\xe2\x96\x81\x61", 4);
    assert_memory_equal(slm_cursor_str(&c, &length), "b", 1);
    assert_int_equal(length, 1);
    slm_keys_free(&keys);
}

/* ---- a folder ---- */

static void put_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static uint64_t number_of(const slm_keys *keys, const char *name)
{
    uint64_t v = 0;
    bool found = false;
    assert_int_equal(slm_keys_u64(keys, name, &v, &found, NULL), SLM_OK);
    return found ? v : UINT64_MAX;
}

static void folder(void **state)
{
    char path[64] = "/tmp/slm_tok_XXXXXX", command[96];
    slm_heap heap;
    slm_keys keys;
    slm_error err = { 0 };
    (void)state;
    assert_non_null(mkdtemp(path));
    slm_heap_init(&heap, NULL, 0);
    slm_keys_init(&keys, &heap, path);
    assert_int_equal(slm_tokenizer_file_read(&keys, path, 0, &err), SLM_E_NOT_FOUND);
    put_file(path, "tokenizer.json", small[0].json);
    put_file(path, "special_tokens_map.json", "{\"pad_token\":\"b\",\"eos_token\":\"b\"}");
    put_file(path, "tokenizer_config.json", "{\"bos_token\":{\"content\":\"a\"},\"eos_token\":\"ab\",\"add_bos_token\":true,\"unk_token\":\"zz\","
             "\"chat_template\":[{\"name\":\"default\",\"template\":\"{{x}}\"},{\"name\":\"tool_use\",\"template\":\"y\"}]}");
    if (slm_tokenizer_file_read(&keys, path, 0, &err) != SLM_OK)
        fail_msg("%s", err.text);
    assert_int_equal(number_of(&keys, "tokenizer.ggml.bos_token_id"), 0);
    assert_int_equal(number_of(&keys, "tokenizer.ggml.eos_token_id"), 2);
    assert_int_equal(number_of(&keys, "tokenizer.ggml.padding_token_id"), 1);
    assert_int_equal(number_of(&keys, "tokenizer.ggml.unknown_token_id"), UINT64_MAX);
    assert_true(key_of(&keys, "tokenizer.ggml.add_bos_token")->value[0]);
    assert_false(key_of(&keys, "tokenizer.ggml.add_eos_token")->value[0]);
    assert_memory_equal(key_of(&keys, "tokenizer.chat_template")->value, "{{x}}", 5);
    assert_memory_equal(key_of(&keys, "tokenizer.chat_template.tool_use")->value, "y", 1);
    slm_keys_free(&keys);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* Paths and files that are no tokenizer's, each with and without a place for the message. */
static void what_a_folder_may_not_hold(void **state)
{
    char path[64] = "/tmp/slm_tok_XXXXXX", command[96], inner[128], longest[6000], before[256];
    slm_heap heap;
    slm_keys keys;
    (void)state;
    assert_non_null(mkdtemp(path));
    slm_heap_init(&heap, NULL, 0);
    for (int told = 0; told < 2; told++) {
        slm_error own = { 0 }, *err = told ? &own : NULL;
        slm_keys_init(&keys, &heap, path);
        /* a tokenizer.json that is a folder is not passed over for a tokenizer.model */
        (void)snprintf(inner, sizeof inner, "%s/tokenizer.json", path);
        assert_int_equal(mkdir(inner, 0700), 0);
        assert_int_equal(slm_tokenizer_file_read(&keys, path, 0, err), SLM_E_IO);
        assert_true(!told || strstr(own.text, "tokenizer.json: is not a regular file"));
        assert_int_equal(rmdir(inner), 0);
        /* more than JSON may have */
        put_file(path, "tokenizer.json", small[0].json);
        assert_int_equal(truncate(inner, 134217729), 0);
        assert_int_equal(slm_tokenizer_file_read(&keys, path, 0, err), SLM_E_LIMIT);
        assert_true(!told || strstr(own.text, "134217729 bytes (allowed 134217728)"));
        put_file(path, "tokenizer.json", small[0].json);
        /* a path as long as the system takes, to which no name can be added: the tokenizer's, and those beside it */
        for (size_t room = 10; room <= 20; room += 10) {
            size_t n = strlen(path);
            memcpy(longest, path, n);
            for (; n + 2 < 4096 - room; n += 2)
                memcpy(longest + n, "/.", 2);
            longest[n] = 0;
            assert_int_equal(slm_tokenizer_file_read(&keys, longest, 0, err), SLM_E_LIMIT);
            assert_true(!told || strstr(own.text, room == 10 ? "tokenizer.json: a path of" : "special_tokens_map.json: a path of"));
        }
        memset(longest, 'x', sizeof longest - 1);
        longest[sizeof longest - 1] = 0;
        assert_int_equal(slm_tokenizer_file_read(&keys, longest, 0, err), SLM_E_IO);
        assert_true(!told || own.code == ENAMETOOLONG);
        slm_keys_free(&keys);
        assert_int_equal(unlink(inner), 0);
    }
    /* a file without a folder in its name, and the template beside it */
    slm_error err = { 0 };
    put_file(path, "tokenizer.json", small[0].json);
    put_file(path, "chat_template.jinja", "{{ y }}");
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(path), 0);
    slm_keys_init(&keys, &heap, path);
    const slm_status status = slm_tokenizer_file_read(&keys, "tokenizer.json", 0, &err);
    assert_int_equal(chdir(before), 0);
    if (status)
        fail_msg("%s", err.text);
    assert_int_equal(key_of(&keys, "tokenizer.chat_template")->bytes, 7);
    slm_keys_free(&keys);
    assert_int_equal(atomic_load(&heap.current), 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* ---- SentencePiece models, byte by byte ---- */

#define PIECE(c) "\x0a\x03\x0a\x01" c
#define THREE PIECE("a") PIECE("b") PIECE("c")

static const struct { const char *bytes; size_t n; slm_status status; const char *words; } models[] = {
#define MODEL(bytes, status, words) { bytes, sizeof bytes - 1, status, words }
    MODEL(THREE, SLM_OK, ""),
    MODEL("\x12\x02\x18\x01", SLM_E_FORMAT, "a vocabulary of 0 tokens"),
    MODEL(THREE "\x12\x03\xd0\x02\x09", SLM_E_FORMAT, "its eos token is 9, it has 3 pieces"),
    MODEL(THREE "\x12\x03\xd8\x02\x09", SLM_E_FORMAT, "its padding token is 9, it has 3 pieces"),
    MODEL(THREE "\x12\x03\xc0\x01\x01", SLM_E_UNSUPPORTED, "treat_whitespace_as_suffix is 1, escape_whitespaces 1"),
    MODEL(THREE "\x1a\x02\x28\x00", SLM_E_UNSUPPORTED, "treat_whitespace_as_suffix is 0, escape_whitespaces 0"),
    MODEL(THREE "\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", SLM_E_UNSUPPORTED, "of kind 18446744073709551615"),
    MODEL(THREE "\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", SLM_E_FORMAT, "a field is broken at byte 28"),
    MODEL(THREE "\x12\x0c\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", SLM_E_FORMAT, "a field is broken at byte 28"),
    MODEL(THREE "\x0a\x08\x0a\x01" "d\x1d\x03\x00\x00\x00", SLM_OK, ""),          /* a type that is no varint is none */
    MODEL(THREE "\x0a\x05\x0a\x01" "d\x20\x03", SLM_OK, ""),                        /* a field of no meaning */
    MODEL(THREE "\x0a\x05\x0a\x01" "d\x18\x07", SLM_E_FORMAT, "piece 3 is of type 7 (known: 1 to 6)"),
};

static void models_of_few_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        slm_heap heap;
        slm_keys keys;
        slm_error err = { 0 };
        slm_heap_init(&heap, NULL, 0);
        slm_keys_init(&keys, &heap, "m.model");
        const slm_status status = slm_tokenizer_model_read(&keys, (const uint8_t *)models[i].bytes, models[i].n, "m.model", 0, &err);
        if (status != models[i].status || !strstr(err.text, models[i].words) || (status && strncmp(err.text, "m.model: ", 9) != 0))
            fail_msg("row %zu: %s '%s', want %s with '%s'", i, slm_status_name(status), err.text, slm_status_name(models[i].status), models[i].words);
        if (!status)
            assert_int_equal(slm_key_int_at(key_of(&keys, "tokenizer.ggml.token_type"), 2), SLM_TYPE_NORMAL);
        slm_keys_free(&keys);
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t fail = 1;
        for (slm_status status = SLM_E_MEMORY; status; fail++) {
            fail_alloc mean;
            slm_heap heap;
            slm_error err = { 0 };
            fail_alloc_init(&mean, fail, true);
            slm_heap_init(&heap, &mean.allocator, 0);
            status = read_small(&heap, small[i].json, strlen(small[i].json), &err);
            if (status)
                assert_int_equal(status, SLM_E_MEMORY);
        }
        assert_true(fail > 8);
    }
}

int main(void)
{
    static char *names[] = { "bert-base-uncased", "phi-2", "phi-3-mini", "t5-small" };
    const struct CMUnitTest tests[] = {
        { "bert-base-uncased gives the ids of its file", hugging_face, NULL, NULL, names[0] },
        { "phi-2 gives the ids of its file", hugging_face, NULL, NULL, names[1] },
        { "phi-3-mini gives the ids of its file", hugging_face, NULL, NULL, names[2] },
        { "t5-small gives the ids of its file", hugging_face, NULL, NULL, names[3] },
        cmocka_unit_test(like_the_gguf), cmocka_unit_test(sentencepiece), cmocka_unit_test(small_files), cmocka_unit_test(small_keys),
        cmocka_unit_test(folder), cmocka_unit_test(what_a_folder_may_not_hold), cmocka_unit_test(models_of_few_bytes), cmocka_unit_test(every_allocation_may_fail),
    };
    return _cmocka_run_group_tests("tokenizer_file", tests, sizeof tests / sizeof *tests, NULL, NULL) != 0;
}
