/* test_llama2c.c -- checkpoints of llama2.c: the published one against its GGUF, v1 and v2 made from it, and broken ones. */
#include "files.h"

#include "harness/fail_alloc.h"

#define BIN SHARED "models/stories260k/stories260K.bin"
#define TOK SHARED "models/stories260k/tok512.bin"
#define GGUF SHARED "models/stories260k/stories260K.gguf"

enum { DIM = 64, HIDDEN = 172, LAYERS = 5, HEADS = 8, KV_HEADS = 4, VOCAB = 512, CONTEXT = 512, KV = 32, GROUP = 4 };

static slm_heap heap;
static const char name[] = "m.bin";

static slm_status open_bytes(slm_file **file, const uint8_t *bytes, size_t n, const char *tokenizer, slm_error *err)
{
    slm_source source = slm_source_memory(bytes, n, name);
    *err = (slm_error){ 0 };
    return slm_file_load_source(file, &heap, &source, name, tokenizer, err);
}

/* Every tensor of `file` has the bits of the same tensor of the GGUF. */
static void same_as_gguf(const slm_file *file)
{
    slm_file *want = open_file(GGUF, NULL);
    assert_int_equal(file->n_tensors, want->n_tensors - 1);        /* the GGUF repeats the tied head */
    for (size_t i = 0; i < file->n_tensors; i++) {
        size_t n, m;
        const slm_tensor *t = &file->tensors[i], *w = slm_file_find(want, t->name);
        assert_non_null(w);
        assert_int_equal(t->n_dims, w->n_dims);
        assert_memory_equal(t->dims, w->dims, sizeof t->dims);
        float *a = read_tensor(file, t->name, &n), *b = read_tensor(want, t->name, &m);
        assert_int_equal(n, m);
        if (memcmp(a, b, n * sizeof *a) != 0)
            fail_msg("%s: '%s' has other bits than the GGUF's", file->format, t->name);
        free(a);
        free(b);
    }
    slm_file_free(want);
}

static uint64_t number(const slm_file *file, const char *key)
{
    uint64_t value = 0;
    bool found;
    slm_error err = { 0 };
    if (slm_keys_u64(&file->keys, key, &value, &found, &err) != SLM_OK || !found)
        fail_msg("no key '%s': %s", key, err.text);
    return value;
}

static void the_published_checkpoint_is_its_gguf(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_file *file = open_file(BIN, TOK), *want = open_file(GGUF, NULL);
    static const char *const numbers[] = {
        "llama.embedding_length", "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.head_count_kv",
        "llama.block_count", "llama.rope.dimension_count", "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id",
    };
    static const char *const same[] = {
        "general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
        "llama.attention.layer_norm_rms_epsilon",
    };
    assert_string_equal(file->format, "llama2.c v0");
    same_as_gguf(file);
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (number(file, numbers[i]) != number(want, numbers[i]))
            fail_msg("%s: %" PRIu64 ", the GGUF has %" PRIu64, numbers[i], number(file, numbers[i]), number(want, numbers[i]));
    assert_int_equal(number(file, "llama.context_length"), CONTEXT);        /* the GGUF says 2048, which is wrong */
    for (size_t i = 0; i < COUNT(same); i++) {
        const slm_key *a = slm_keys_find(&file->keys, same[i]), *b = slm_keys_find(&want->keys, same[i]);
        if (!a || !b || a->bytes != b->bytes || a->count != b->count || a->type != b->type || memcmp(a->value, b->value, a->bytes) != 0)
            fail_msg("%s: differs from the GGUF's", same[i]);
    }
    const slm_key *a = slm_keys_find(&file->keys, "tokenizer.ggml.scores"), *b = slm_keys_find(&want->keys, "tokenizer.ggml.scores");
    assert_int_equal(a->count, VOCAB);
    for (uint64_t i = 0; i < VOCAB; i++)
        assert_true(slm_key_number_at(a, i) == slm_key_number_at(b, i));    /* -0 may be 0 */
    const char *text;
    size_t n;
    bool found;
    assert_int_equal(slm_keys_str(&file->keys, "general.name", &text, &n, &found, NULL), SLM_OK);
    assert_int_equal(n, 11);
    assert_memory_equal(text, "stories260K", 11);
    slm_file_free(file);
    slm_file_free(want);
}

static void without_a_tokenizer_there_are_no_tokens(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_file *file = open_file(SHARED "models/babyllama-tok105/model5000.bin", NULL);
    assert_int_equal(number(file, "llama.vocab_size"), 105);
    assert_int_equal(number(file, "llama.context_length"), 256);
    assert_int_equal(file->n_tensors, 2 + 5 * 9);
    assert_null(slm_keys_find(&file->keys, "tokenizer.ggml.tokens"));
    slm_file_free(file);
}

/* ---- v1 and v2 made from v0 ---- */

typedef struct out {
    uint8_t bytes[2 << 20];
    size_t n;
} out;

static void put(out *o, const void *bytes, size_t n)
{
    assert_true(n <= sizeof o->bytes - o->n);
    memcpy(o->bytes + o->n, bytes, n);
    o->n += n;
}

static void put_u32(out *o, uint32_t v)
{
    const uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    put(o, b, 4);
}

/* v2: q in -127 .. 127 and its scale; `values` becomes what a reader must give. */
static void put_groups(out *o, float *values, size_t n)
{
    uint8_t *q = o->bytes + o->n, *scales = q + n;
    assert_true(n + n / GROUP * 4 <= sizeof o->bytes - o->n);
    for (size_t g = 0; g < n / GROUP; g++) {
        float most = 0;
        for (size_t i = 0; i < GROUP; i++)
            most = fmaxf(most, fabsf(values[g * GROUP + i]));
        const float scale = most / 127.0f;
        for (size_t i = 0; i < GROUP; i++) {
            const int v = most > 0 ? (int)lrintf(values[g * GROUP + i] / scale) : 0;
            q[g * GROUP + i] = (uint8_t)v;
            values[g * GROUP + i] = (float)v * scale;
        }
        memcpy(scales + 4 * g, &scale, 4);
    }
    o->n += n + n / GROUP * 4;
}

/* Where the tensors of `layer` stand in v0, in floats behind its header: what, layer -> first. */
static const struct { const char *name; size_t each; bool layers; } v0[] = {
    { "token_embd.weight", VOCAB * DIM, false },   { "attn_norm.weight", DIM, true },       { "attn_q.weight", DIM * DIM, true },
    { "attn_k.weight", KV * DIM, true },           { "attn_v.weight", KV * DIM, true },     { "attn_output.weight", DIM * DIM, true },
    { "ffn_norm.weight", DIM, true },              { "ffn_gate.weight", HIDDEN * DIM, true }, { "ffn_down.weight", HIDDEN * DIM, true },
    { "ffn_up.weight", HIDDEN * DIM, true },       { "output_norm.weight", DIM, false },
};

static const size_t later_order[] = { 1, 6, 10, 0, 2, 3, 4, 5, 7, 8, 9 };     /* of v1 and v2, norms first */

static float *find_v0(const uint8_t *bytes, size_t what, size_t layer)
{
    size_t at = 28;
    for (size_t i = 0; i < what; i++)
        at += v0[i].each * 4 * (v0[i].layers ? LAYERS : 1);
    at += layer * v0[what].each * 4;
    float *values = malloc(v0[what].each * 4);
    memcpy(values, bytes + at, v0[what].each * 4);
    return values;
}

static void put_head(out *o, uint32_t version, uint8_t shared)
{
    static const uint32_t numbers[] = { DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT };
    o->n = 0;
    put_u32(o, 0x616b3432);
    put_u32(o, version);
    for (size_t i = 0; i < 7; i++)
        put_u32(o, numbers[i]);
    put(o, &shared, 1);
    if (version == 2)
        put_u32(o, GROUP);
    while (o->n < 256)
        put(o, "", 1);
}

static void make_later(out *o, uint32_t version, uint8_t shared, float **expected)
{
    size_t n, made = 0;
    uint8_t *bytes = slurp(BIN, &n);
    put_head(o, version, shared);
    for (size_t i = 0; i < COUNT(later_order); i++)
        for (size_t layer = 0; layer < (v0[later_order[i]].layers ? LAYERS : 1); layer++) {
            float *values = find_v0(bytes, later_order[i], layer);
            if (version == 2 && i > 2)
                put_groups(o, values, v0[later_order[i]].each);
            else
                put(o, values, v0[later_order[i]].each * 4);
            expected[made++] = values;
        }
    if (!shared) {                      /* the head: the embedding times -1 */
        float *values = find_v0(bytes, 0, 0);
        for (size_t i = 0; i < VOCAB * DIM; i++)
            values[i] = -values[i];
        if (version == 2)
            put_groups(o, values, VOCAB * DIM);
        else
            put(o, values, VOCAB * DIM * 4);
        expected[made++] = values;
    }
    free(bytes);
}

static out made;

static void later_versions_give_the_same_tensors(void **state)
{
    (void)state;
    NEEDS_SHARED;
    for (uint32_t version = 1; version <= 2; version++)
        for (uint8_t shared = 0; shared < 2; shared++) {
            float *expected[3 + 9 * LAYERS + 1];
            slm_error err;
            slm_file *file = NULL;
            make_later(&made, version, shared, expected);
            if (open_bytes(&file, made.bytes, made.n, TOK, &err) != SLM_OK)
                fail_msg("v%u: %s", version, err.text);
            assert_int_equal(file->n_tensors, 2 + 9 * LAYERS + !shared);
            for (size_t i = 0; i < file->n_tensors; i++) {
                size_t n;
                float *values = read_tensor(file, file->tensors[i].name, &n);
                if (memcmp(values, expected[i], n * 4) != 0)
                    fail_msg("v%u: '%s' has other bits", version, file->tensors[i].name);
                free(values);
            }
            if (version == 1 && shared)
                same_as_gguf(file);
            assert_int_equal(slm_file_find(file, "output.weight") != NULL, !shared);
            /* Any part may be read, whatever groups it cuts. */
            const slm_tensor *t = slm_file_find(file, "blk.1.ffn_down.weight");
            float part[13];
            for (size_t first = 0; first < 40; first++) {
                assert_int_equal(slm_file_read_raw(file, t, first * 4, part, sizeof part, &err), SLM_OK);
                assert_memory_equal(part, expected[t - file->tensors] + first, sizeof part);
            }
            for (size_t i = 0; i < file->n_tensors; i++)
                free(expected[i]);
            slm_file_free(file);
        }
}

static void an_untied_legacy_file_has_its_own_head(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n, values;
    slm_error err;
    slm_file *file = NULL;
    uint8_t *bytes = slurp(BIN, &n);
    made.n = 0;
    put(&made, bytes, n);
    for (size_t i = 0; i < VOCAB * DIM; i++)
        put_u32(&made, 0x3f800000u + (uint32_t)i);
    const int32_t untied = -VOCAB;
    memcpy(made.bytes + 20, &untied, 4);
    assert_int_equal(open_bytes(&file, made.bytes, made.n, NULL, &err), SLM_OK);
    float *head = read_tensor(file, "output.weight", &values);
    assert_int_equal(values, VOCAB * DIM);
    assert_memory_equal(head, made.bytes + n, values * 4);
    free(head);
    slm_file_free(file);
    free(bytes);
}

/* ---- broken ones ---- */

static void the_size_is_exact(void **state)
{
    (void)state;
    NEEDS_SHARED;
    float *expected[3 + 9 * LAYERS + 1];
    slm_error err;
    slm_file *file = NULL;
    make_later(&made, 2, 1, expected);
    for (size_t i = 0; i < 2 + 9 * LAYERS; i++)
        free(expected[i]);
    const size_t n = made.n;
    for (size_t cut = 0; cut < n; cut += cut < 300 ? 1 : n / 100) {
        const slm_status status = open_bytes(&file, made.bytes, cut, NULL, &err);
        if (status != SLM_E_FORMAT)
            fail_msg("cut at %zu: %s: %s", cut, slm_status_name(status), err.text);
        check_message(&err, status, name, "cut");
    }
    assert_int_equal(open_bytes(&file, made.bytes, n + 1, NULL, &err), SLM_E_FORMAT);
    assert_int_equal(heap.current, 0);
    /* The legacy form has no magic: with another size it is no checkpoint at all. */
    uint8_t *bytes = slurp(BIN, &made.n);
    for (size_t cut = 0; cut < made.n; cut += cut < 100 ? 1 : made.n / 50)
        assert_int_equal(open_bytes(&file, bytes, cut, NULL, &err), SLM_E_FORMAT);
    free(bytes);
}

static void every_number_of_the_header_is_checked(void **state)
{
    (void)state;
    NEEDS_SHARED;
    static const uint32_t attacks[] = { 0, 1, 2, 3, 5, 7, 63, 65, 255, 1024, 1025, 65535, 65536, 65537, 0x7ffffffe, 0x7fffffff, 0x80000000u,
                                        0x80000001u, 0xffffffffu };
    float *expected[3 + 9 * LAYERS + 1];
    slm_error err;
    size_t refused = 0;
    make_later(&made, 2, 1, expected);
    for (size_t i = 0; i < 2 + 9 * LAYERS; i++)
        free(expected[i]);
    for (size_t at = 4; at < 41; at += at == 36 ? 1 : 4)
        for (size_t a = 0; a < COUNT(attacks); a++) {
            slm_file *file = NULL;
            uint8_t kept[4];
            memcpy(kept, made.bytes + at, 4);
            memcpy(made.bytes + at, &attacks[a], at == 36 ? 1 : 4);
            const slm_status status = open_bytes(&file, made.bytes, made.n, NULL, &err);
            /* Context, and heads that keep the shapes, change no size. */
            if (status)
                check_message(&err, status, name, "a header number");
            if (status && status != SLM_E_FORMAT && status != SLM_E_UNSUPPORTED)
                fail_msg("byte %zu set to %u: %s: %s", at, attacks[a], slm_status_name(status), err.text);
            refused += status != SLM_OK;
            memcpy(made.bytes + at, kept, 4);
            slm_file_free(file);
            assert_int_equal(heap.current, 0);
        }
    assert_true(refused > 150);
    made.bytes[4] = 3;
    slm_file *file = NULL;
    assert_int_equal(open_bytes(&file, made.bytes, made.n, NULL, &err), SLM_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "version 3"));
}

static void a_group_scale_that_is_not_finite_is_named(void **state)
{
    (void)state;
    NEEDS_SHARED;
    float *expected[3 + 9 * LAYERS + 1];
    slm_error err = { 0 };
    slm_file *file = NULL;
    make_later(&made, 2, 1, expected);
    for (size_t i = 0; i < 2 + 9 * LAYERS; i++)
        free(expected[i]);
    const size_t embedding = 256 + (2 * LAYERS + 1) * DIM * 4, scale = embedding + VOCAB * DIM + 100 * 4;
    const uint32_t infinite = 0x7f800000;
    memcpy(made.bytes + scale, &infinite, 4);
    assert_int_equal(open_bytes(&file, made.bytes, made.n, NULL, &err), SLM_OK);
    const slm_tensor *t = slm_file_find(file, "token_embd.weight");
    float *values = malloc(VOCAB * DIM * 4);
    assert_int_equal(slm_file_read(file, (size_t)(t - file->tensors), values, VOCAB * DIM, &err), SLM_E_NUMERIC);
    assert_non_null(strstr(err.text, "token_embd.weight"));
    free(values);
    slm_file_free(file);
}

/* ---- the tokenizer ---- */

static slm_status open_with(const uint8_t *tokenizer, size_t n, slm_error *err)
{
    static uint8_t *bytes;
    static size_t size;
    slm_file *file = NULL;
    const char *path = in_scratch("tok.bin");
    if (!bytes)
        bytes = slurp(BIN, &size);
    spit(path, tokenizer, n);
    const slm_status status = open_bytes(&file, bytes, size, path, err);
    if (status)
        check_message(err, status, path, "tokenizer");
    slm_file_free(file);
    assert_int_equal(heap.current, 0);
    return status;
}

static void a_tokenizer_has_exactly_the_tokens_of_the_model(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n;
    slm_error err;
    uint8_t *tok = slurp(TOK, &n), *more = malloc(n + 8);
    assert_int_equal(open_with(tok, n, &err), SLM_OK);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(open_with(tok, cut, &err), SLM_E_FORMAT);
    memcpy(more, tok, n);
    memset(more + n, 0, 8);
    assert_int_equal(open_with(more, n + 8, &err), SLM_E_MISMATCH);
    free(more);
    static const struct { size_t at; uint32_t value; slm_status status; } rows[] = {
        { 8, 0xffffffff, SLM_E_FORMAT }, { 8, 0x80000000, SLM_E_FORMAT }, { 8, 65536, SLM_E_FORMAT }, { 8, 0x7fffffff, SLM_E_FORMAT },
        { 8, 65535, SLM_E_FORMAT },      { 4, 0x7fc00000, SLM_E_NUMERIC }, { 4, 0xff800000, SLM_E_NUMERIC }, { 0, 0xffffffff, SLM_OK },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t kept[4];
        memcpy(kept, tok + rows[i].at, 4);
        memcpy(tok + rows[i].at, &rows[i].value, 4);
        const slm_status status = open_with(tok, n, &err);
        if (status != rows[i].status)
            fail_msg("byte %zu set to %u: %s: %s", rows[i].at, rows[i].value, slm_status_name(status), err.text);
        memcpy(tok + rows[i].at, kept, 4);
    }
    free(tok);
}

/* "<0xNN>" with upper-case digits is the byte it stands for, and nothing else is. */
static void only_its_own_spelling_makes_a_byte(void **state)
{
    static const struct { const char *text; uint32_t type; } rows[] = {
        { "<0x00>", 6 }, { "<0x01>", 1 }, { "<0x10>", 1 }, { "<0x0/>", 1 }, { "<0x0:>", 1 }, { "<0xG0>", 1 }, { "<0x0a>", 1 }, { "<1x00>", 1 },
        { "<0x00)", 1 }, { "      ", 1 }, { "<0x00", 1 }, { "<0x00>>", 1 },
    };
    (void)state;
    NEEDS_SHARED;
    size_t n, size, at = 4;
    slm_error err;
    uint8_t *tok = slurp(TOK, &n), *bytes = slurp(BIN, &size);
    for (int id = 0; id < 3; id++)
        at += 8 + tok[at + 4];
    assert_int_equal(tok[at + 4], 6);
    for (size_t i = 0; i < COUNT(rows); i++) {
        slm_file *file = NULL;
        const char *path = in_scratch("tok.bin");
        made.n = 0;
        put(&made, tok, at + 4);
        put_u32(&made, (uint32_t)strlen(rows[i].text));
        put(&made, rows[i].text, strlen(rows[i].text));
        put(&made, tok + at + 14, n - at - 14);
        spit(path, made.bytes, made.n);
        if (open_bytes(&file, bytes, size, path, &err) != SLM_OK)
            fail_msg("%s: %s", rows[i].text, err.text);
        if (slm_key_int_at(slm_keys_find(&file->keys, "tokenizer.ggml.token_type"), 3) != rows[i].type)
            fail_msg("token '%s' is of another type than %u", rows[i].text, rows[i].type);
        slm_file_free(file);
    }
    free(tok);
    free(bytes);
}

static void a_tokenizer_has_a_size_that_can_be(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_error err;
    slm_file *file = NULL;
    size_t n;
    uint8_t *bytes = slurp(BIN, &n);
    const char *path = in_scratch("long.bin");
    spit(path, "", 1);
    assert_int_equal(truncate(path, 67108865), 0);      /* no bytes of the disk */
    assert_int_equal(open_bytes(&file, bytes, n, path, &err), SLM_E_FORMAT);
    check_message(&err, SLM_E_FORMAT, path, "a long tokenizer");
    assert_non_null(strstr(err.text, "has 67108865 bytes"));
    free(bytes);
}

/* A whole v1 file of `vocab` tokens in `made`, all weights 0; its size, which the message about too short a file says. */
static size_t make_small(uint32_t vocab)
{
    const uint32_t head[] = { 0x616b3432, 1, 2, 1, 1, 1, 1, vocab, 1 };
    slm_file *file = NULL;
    slm_error err;
    made.n = 0;
    for (size_t i = 0; i < COUNT(head); i++)
        put_u32(&made, head[i]);
    memset(made.bytes + made.n, 0, 4096);
    made.bytes[36] = 1;
    assert_int_equal(open_bytes(&file, made.bytes, 256, NULL, &err), SLM_E_FORMAT);
    const char *exactly = strstr(err.text, "exactly ");
    assert_non_null(exactly);
    const size_t whole = (size_t)strtoull(exactly + 8, NULL, 10);
    assert_in_range(whole, 257, 4096);
    return whole;
}

static void a_vocabulary_has_room_for_its_three_own_tokens(void **state)
{
    (void)state;
    static const uint8_t three[] = { 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 0, 0, 0, 1, 0, 0, 0, 'b', 0, 0, 0, 0, 1, 0, 0, 0, 'c' };
    slm_error err;
    slm_file *file = NULL;
    const char *path = in_scratch("three.bin");
    spit(path, three, sizeof three);
    size_t whole = make_small(2);
    assert_int_equal(open_bytes(&file, made.bytes, whole, path, &err), SLM_E_MISMATCH);
    check_message(&err, SLM_E_MISMATCH, name, "two tokens");
    assert_int_equal(open_bytes(&file, made.bytes, whole, NULL, &err), SLM_OK);
    slm_file_free(file);
    whole = make_small(3);
    assert_int_equal(open_bytes(&file, made.bytes, whole, path, &err), SLM_OK);
    assert_int_equal(number(file, "tokenizer.ggml.eos_token_id"), 2);
    slm_file_free(file);
}

static void a_name_is_plain_text(void **state)
{
    static const char *const names[][2] = { { "a b.bin", "a b" }, { "/x/a\001b\177\303.bin", "a_b__" }, { ".bin", ".bin" }, { "a.bin.gz", "a.bin.gz" } };
    (void)state;
    NEEDS_SHARED;
    size_t n;
    uint8_t *bytes = slurp(BIN, &n);
    for (size_t i = 0; i < COUNT(names); i++) {
        slm_error err = { 0 };
        slm_file *file = NULL;
        slm_source source = slm_source_memory(bytes, n, names[i][0]);
        assert_int_equal(slm_file_load_source(&file, &heap, &source, names[i][0], NULL, &err), SLM_OK);
        const slm_key *key = slm_keys_find(&file->keys, "general.name");
        if (key->bytes != strlen(names[i][1]) || memcmp(key->value, names[i][1], key->bytes) != 0)
            fail_msg("'%s' is called '%.*s'", names[i][0], (int)key->bytes, (const char *)key->value);
        slm_file_free(file);
    }
    free(bytes);
}

/* ---- what fails while it is read ---- */

static void a_checkpoint_cut_after_the_opening_is_seen(void **state)
{
    (void)state;
    NEEDS_SHARED;
    static float values[VOCAB * DIM];           /* more than one piece of the reader */
    float *expected[3 + 9 * LAYERS + 1];
    slm_error err = { 0 };
    make_later(&made, 2, 1, expected);
    for (size_t i = 0; i < 2 + 9 * LAYERS; i++)
        free(expected[i]);
    const char *path = in_scratch("cut.bin");
    spit(path, made.bytes, made.n);
    slm_file *file = open_file(path, NULL);
    const slm_tensor *t = slm_file_find(file, "token_embd.weight"), *norm = slm_file_find(file, "output_norm.weight");
    assert_int_equal(slm_file_read_raw(file, t, 2, values, 4, &err), SLM_E_INTERNAL);               /* no whole value */
    assert_int_equal(slm_file_read_raw(file, norm, 2, values, 4, &err), SLM_E_INTERNAL);
    assert_int_equal(slm_file_read_raw(file, t, 0, values, sizeof values, &err), SLM_OK);
    const uint64_t ends[2] = { t->offset + t->bytes / 4, t->offset };       /* without its scales; without its values */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(truncate(path, (off_t)ends[i]), 0);
        assert_int_equal(slm_file_read_raw(file, t, 0, values, sizeof values, &err), SLM_E_CHANGED);
        check_message(&err, SLM_E_CHANGED, path, "a cut file");
    }
    slm_file_free(file);
}

/* Gives the file until its nth read, then says no. */
typedef struct failing {
    const uint8_t *bytes;
    unsigned left;
} failing;

static int read_failing(void *user, uint64_t offset, void *dst, size_t n)
{
    failing *f = user;
    if (!f->left)
        return 7;
    f->left--;
    memcpy(dst, f->bytes + offset, n);
    return 0;
}

static void every_read_may_fail(void **state)
{
    (void)state;
    NEEDS_SHARED;
    size_t n;
    uint8_t *bytes = slurp(BIN, &n);
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    slm_input input = SLM_INPUT_INIT;
    input.read_at = read_failing;
    input.bytes = n;
    params.input = &input;
    for (unsigned reads = 0;; reads++)
        for (int told = 0; told < 2; told++) {
            failing f = { bytes, reads };
            slm_error err = { 0 };
            slm_file *file = NULL;
            input.user = &f;
            const slm_status status = slm_file_open(&file, name, &params, told ? &err : NULL);
            if (!status) {
                assert_true(reads >= 3);
                slm_file_free(file);
                free(bytes);
                return;
            }
            assert_int_equal(status, SLM_E_IO);
            if (told)
                check_message(&err, SLM_E_IO, name, "a read that fails");
        }
}

static slm_status open_both(void *ctx, const slm_allocator *allocator, void **file, slm_error *err)
{
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.allocator = allocator;
    params.tokenizer_path = TOK;
    return slm_file_open((slm_file **)file, ctx, &params, err);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    NEEDS_SHARED;
    assert_true(fail_alloc_every("llama2.c", open_both, close_file, (void *)(uintptr_t)BIN) > 8);
}

static void a_gguf_takes_no_other_tokenizer(void **state)
{
    (void)state;
    NEEDS_SHARED;
    slm_error err = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    params.tokenizer_path = TOK;
    assert_int_equal(slm_file_open(&file, GGUF, &params, &err), SLM_E_MISMATCH);
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_checkpoint_is_its_gguf),
        cmocka_unit_test(without_a_tokenizer_there_are_no_tokens),
        cmocka_unit_test(later_versions_give_the_same_tensors),
        cmocka_unit_test(an_untied_legacy_file_has_its_own_head),
        cmocka_unit_test(the_size_is_exact),
        cmocka_unit_test(every_number_of_the_header_is_checked),
        cmocka_unit_test(a_group_scale_that_is_not_finite_is_named),
        cmocka_unit_test(a_tokenizer_has_exactly_the_tokens_of_the_model),
        cmocka_unit_test(only_its_own_spelling_makes_a_byte),
        cmocka_unit_test(a_tokenizer_has_a_size_that_can_be),
        cmocka_unit_test(a_vocabulary_has_room_for_its_three_own_tokens),
        cmocka_unit_test(a_name_is_plain_text),
        cmocka_unit_test(a_checkpoint_cut_after_the_opening_is_seen),
        cmocka_unit_test(every_read_may_fail),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_gguf_takes_no_other_tokenizer),
    };
    slm_heap_init(&heap, NULL, 0);
    return cmocka_run_group_tests_name("llama2c", tests, make_scratch, drop_scratch) != 0;
}
