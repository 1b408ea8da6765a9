/* formats.c -- the formats: a good file each, and who reads it. Texts are in texts.c. */
#include "hostile/hostile.h"

#include "core/xxh64.h"
#include "format/file.h"
#include "harness/tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- files ---- */

static void load(specimen *s, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t part[4096];
    size_t n;
    if (!f)
        broken("%s: cannot be opened: run it where the Makefile lies", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        slm_buf_add(&s->file, part, n);
    (void)fclose(f);
}

static slm_status read_gguf(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.gguf", NULL, STAGE_FILE | STAGE_MODEL, n, err);
}

static slm_status read_table(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.gguf", NULL, STAGE_FILE, n, err);
}

static slm_status read_vocabulary(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.gguf", NULL, STAGE_FILE | STAGE_TOKENIZER, n, err);
}

static slm_status read_whole_model(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.gguf", NULL, STAGE_FILE | STAGE_TOKENIZER | STAGE_MODEL, n, err);
}

static void make_seed(specimen *s, const void *path)
{
    load(s, path);
    map_gguf(s);
}

/* A golden model of ../shared: another family's keys. Without that folder it is left out. */
static void make_golden(specimen *s, const void *name)
{
    char path[120];
    (void)snprintf(path, sizeof path, "../shared/models/golden/%s.gguf", (const char *)name);
    if (access(path, R_OK) == 0)
        make_seed(s, path);
}

/* What the tiny models lack of the keys that their families know. */
static const struct { const char *name; double value; bool real; } more[] = {
    { "general.alignment", 32, false }, { "rope.dimension_count", 16, false }, { "rope.freq_base", 10000, true },
    { "attention.key_length", 16, false }, { "attention.value_length", 16, false }, { "vocab_size", TINY_VOCAB, false },
    { "rope.scaling.factor", 2, true }, { "rope.scaling.original_context_length", 300, false },
};

static void make_decoder(specimen *s, const void *with)
{
    slm_error err = { 0 };
    slm_keys keys;
    slm_buf head;
    uint64_t data;
    size_t n;
    uint8_t *file = tiny_file(1, with, &n);
    slm_keys_init(&keys, s->file.heap, "more");
    slm_buf_init(&head, s->file.heap, 1 << 20);
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < COUNT(more); i++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s%s", strncmp(more[i].name, "general", 7) ? "llama." : "", more[i].name);
        status = more[i].real ? slm_keys_add_f32(&keys, name, (float)more[i].value, &err) : slm_keys_add_u32(&keys, name, (uint32_t)more[i].value, &err);
    }
    if (!status)
        status = slm_keys_add_str(&keys, "llama.rope.scaling.type", "yarn", &err);
    if (!status)
        status = slm_keys_add_str(&keys, "tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}", &err);
    if (!status)
        status = slm_gguf_layout(NULL, 0, &keys, &head, &data, &err);
    if (status)
        broken("%s", err.text);
    /* the new keys go behind the old ones: between the last key and the table of tensors */
    specimen old = { .head = 0 }, new = { .head = 0 };
    old.fields = s->fields, old.records = s->records, new.fields = s->fields, new.records = s->records;
    slm_buf_init(&old.file, s->file.heap, n + 1);
    slm_buf_add(&old.file, file, n);
    map_gguf(&old);
    size_t table = 0;
    for (int i = 0; i < old.n_records && strncmp(old.records[i].what, "key", 3) == 0; i++)
        table = old.records[i].at + old.records[i].n;
    const size_t old_head = old.head;
    slm_buf_init(&new.file, s->file.heap, head.size + 1);
    slm_buf_add(&new.file, head.data, head.size);
    map_gguf(&new);
    slm_buf_add(&s->file, file, table);
    slm_buf_add(&s->file, head.data + 24, new.head - 24);
    slm_buf_add(&s->file, file + table, old_head - table);
    s->file.data[16] = (uint8_t)(file[16] + keys.n);
    while (s->file.size % 32)
        slm_buf_u8(&s->file, 0);
    const size_t data_at = (old_head + 31) / 32 * 32;
    slm_buf_add(&s->file, file + data_at, n - data_at);
    slm_buf_free(&old.file);
    slm_buf_free(&new.file);
    slm_buf_free(&head);
    slm_keys_free(&keys);
    free(file);
    map_gguf(s);
}

static void make_encoder(specimen *s, const void *with)
{
    size_t n;
    uint8_t *file = tiny_encoder_file(1, with, 1, &n);
    slm_buf_add(&s->file, file, n);
    free(file);
    map_gguf(s);
}

/* ---- unigram, in GGUF and as SentencePiece's own file ---- */

/* A map of 'A' to 'a'. */
static size_t make_charsmap(uint8_t out[4 + 768 * 4 + 2])
{
    static uint32_t units[768];
    units[0] = 256u << 10;
    units[256 + 'A'] = ((256u + 'A') ^ 512u) << 10 | 1u << 8 | 'A';
    units[512] = 0x80000000u;
    out[0] = 0, out[1] = 768 * 4 >> 8, out[2] = out[3] = 0;
    for (size_t i = 0; i < 768; i++)
        for (size_t b = 0; b < 4; b++)
            out[4 + 4 * i + b] = (uint8_t)(units[i] >> (8 * b));
    out[4 + 768 * 4] = 'a';
    out[4 + 768 * 4 + 1] = 0;
    return 4 + 768 * 4 + 2;
}

static const struct { const char *text; float score; uint32_t type; } pieces[] = {
    { "<unk>", 0, 2 }, { "<s>", 0, 3 }, { "</s>", 0, 3 }, { "\xe2\x96\x81", -2, 1 }, { "a", -3, 1 }, { "b", -3.5f, 1 }, { "ab", -2.5f, 1 },
    { "\xe2\x96\x81" "a", -1.5f, 1 }, { "<mask>", -9, 4 }, { "c", -4, 1 }, { "1", -5, 1 },
};

static void make_unigram(specimen *s, const void *with)
{
    static uint8_t map[4 + 768 * 4 + 2];
    slm_error err = { 0 };
    slm_keys keys;
    slm_buf tokens;
    uint64_t data;
    float scores[COUNT(pieces)];
    int32_t types[COUNT(pieces)];
    const size_t n_map = make_charsmap(map);
    (void)with;
    slm_keys_init(&keys, s->file.heap, "unigram");
    slm_buf_init(&tokens, s->file.heap, 1 << 16);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        slm_buf_str(&tokens, pieces[i].text, strlen(pieces[i].text));
        scores[i] = pieces[i].score;
        types[i] = (int32_t)pieces[i].type;
    }
    if (slm_keys_add_str(&keys, "general.architecture", "t5encoder", &err) || slm_keys_add_str(&keys, "tokenizer.ggml.model", "t5", &err) ||
        slm_keys_add(&keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, true, COUNT(pieces), tokens.data, tokens.size, &err) ||
        slm_keys_add(&keys, "tokenizer.ggml.scores", SLM_KEY_F32, true, COUNT(pieces), scores, sizeof scores, &err) ||
        slm_keys_add(&keys, "tokenizer.ggml.token_type", SLM_KEY_I32, true, COUNT(pieces), types, sizeof types, &err) ||
        slm_keys_add(&keys, "tokenizer.ggml.precompiled_charsmap", SLM_KEY_U8, true, n_map, map, n_map, &err) ||
        slm_keys_add_u32(&keys, "tokenizer.ggml.unknown_token_id", 0, &err) || slm_keys_add_u32(&keys, "tokenizer.ggml.bos_token_id", 1, &err) ||
        slm_keys_add_u32(&keys, "tokenizer.ggml.eos_token_id", 2, &err) || slm_keys_add_bool(&keys, "tokenizer.ggml.add_bos_token", true, &err) ||
        slm_keys_add_bool(&keys, "tokenizer.ggml.add_space_prefix", true, &err) ||
        slm_keys_add_bool(&keys, "tokenizer.ggml.remove_extra_whitespaces", true, &err) || slm_gguf_layout(NULL, 0, &keys, &s->file, &data, &err))
        broken("%s", err.text);
    slm_buf_free(&tokens);
    slm_keys_free(&keys);
    map_gguf(s);
    /* the map's own numbers: its length, the root, a state, a value */
    for (size_t i = 0; i + n_map <= s->file.size; i++)
        if (memcmp(s->file.data + i, map, n_map) == 0) {
            static const uint32_t units[] = { 0, 256 + 'A', 512, 256, 767 };
            (void)note_field(s, i, 4, LE, NONE, "length of the trie");
            for (size_t u = 0; u < COUNT(units); u++)
                (void)note_field(s, i + 4 + 4 * units[u], 4, LE, NONE, "unit %u of the trie", units[u]);
            (void)note_field(s, i + n_map - 1, 1, LE, NONE, "end of a replacement");
            break;
        }
}

/* A field of protobuf with the place of its tag, length and value noted. length: of the message around. */
static void put_tag(specimen *s, uint32_t number, uint32_t wire, int length)
{
    (void)note_field(s, s->file.size, number < 16 ? 1 : 2, VARINT, length, "tag of field %u", number);
    if (number >= 16)
        slm_buf_u8(&s->file, (uint8_t)((number << 3 | wire) | 0x80));
    slm_buf_u8(&s->file, (uint8_t)(number >= 16 ? number >> 4 : number << 3 | wire));
}

/* A number of at most two bytes. */
static void put_number(specimen *s, uint32_t field, uint32_t v, int length)
{
    put_tag(s, field, 0, length);
    (void)note_field(s, s->file.size, 1, VARINT, length, "value of field %u", field);
    slm_buf_u8(&s->file, (uint8_t)v);
}

static int put_length(specimen *s, uint32_t field, size_t n, int length)
{
    put_tag(s, field, 2, length);
    const int index = note_field(s, s->file.size, n < 0x80 ? 1 : 2, n < 0x80 ? VARINT : LE, length, "length of field %u", field);
    if (n >= 0x80)
        slm_buf_u8(&s->file, (uint8_t)(n | 0x80));
    slm_buf_u8(&s->file, (uint8_t)(n < 0x80 ? n : n >> 7));
    return index;
}

static void make_sentencepiece(specimen *s, const void *with)
{
    static uint8_t map[4 + 768 * 4 + 2];
    const bool bpe = with != NULL;
    int before = NONE;
    const size_t n_map = bpe ? 0 : make_charsmap(map);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        const size_t at = s->file.size, n = strlen(pieces[i].text);
        const int length = put_length(s, 1, 2 + n + 5 + (pieces[i].type == 1 ? 0 : 2), NONE);
        (void)put_length(s, 1, n, length);
        slm_buf_add(&s->file, pieces[i].text, n);
        put_tag(s, 2, 5, length);
        (void)note_field(s, s->file.size, 4, LE, length, "score");
        slm_buf_add(&s->file, &pieces[i].score, 4);
        if (pieces[i].type != 1)
            put_number(s, 3, pieces[i].type, length);
        const int record = note_record(s, at, s->file.size - at, LE, NONE, NONE, "piece %zu", i);
        if (before != NONE)
            s->records[before].next = record;
        before = record;
    }
    size_t at = s->file.size;
    int length = put_length(s, 2, 2 + 9, NONE);
    put_number(s, 3, bpe ? 2 : 1, length);
    for (uint32_t i = 0; i < 3; i++)
        put_number(s, 40 + i, i, length);
    (void)note_record(s, at, s->file.size - at, LE, NONE, NONE, "trainer");
    at = s->file.size;
    length = put_length(s, 3, 6 + (n_map ? 3 + n_map : 0), NONE);
    for (uint32_t i = 3; i <= 5; i++)
        put_number(s, i, 1, length);
    if (n_map) {
        (void)put_length(s, 2, n_map, length);
        slm_buf_add(&s->file, map, n_map);
    }
    (void)note_record(s, at, s->file.size - at, LE, NONE, NONE, "normalizer");
    s->head = at + 16;
}

static slm_status read_sentencepiece(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "tokenizer.model", NULL, STAGE_FILE | STAGE_TOKENIZER, n, err);
}

/* ---- split GGUF ---- */

enum { PARTS = 2 };
static const char *const part_names[PARTS] = { "m-00001-of-00002.gguf", "m-00002-of-00002.gguf" };

static void make_part(specimen *s, unsigned no)
{
    slm_error err = { 0 };
    slm_keys keys;
    slm_gguf_tensor tensors[2];
    static const char *const names[PARTS][2] = { { "a", "b" }, { "c", "d" } };
    static const float ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    uint64_t data;
    slm_keys_init(&keys, s->file.heap, "part");
    if ((no == 0 && slm_keys_add_str(&keys, "general.architecture", "llama", &err)) || slm_keys_add_u32(&keys, "split.no", no, &err) ||
        slm_keys_add_u32(&keys, "split.count", PARTS, &err) || slm_keys_add_u32(&keys, "split.tensors.count", 2 * PARTS, &err))
        broken("%s", err.text);
    for (size_t i = 0; i < 2; i++)
        tensors[i] = (slm_gguf_tensor){ .name = names[no][i], .type = slm_type_by_id(0), .n_dims = 1, .dims = { 8, 1, 1, 1 } };
    if (slm_gguf_layout(tensors, 2, &keys, &s->file, &data, &err))
        broken("%s", err.text);
    for (size_t i = 0; i < 2; i++)
        slm_buf_add(&s->file, ones, sizeof ones);
    slm_keys_free(&keys);
    map_gguf(s);
}

/* The other part is written, this one is the specimen. */
static void make_split(specimen *s, const void *with)
{
    const unsigned no = with ? 1 : 0;
    make_part(s, 1 - no);
    case_write(part_names[1 - no], s->file.data, s->file.size);
    s->file.size = 0;
    s->n_fields = s->n_records = 0;
    make_part(s, no);
}

static slm_status read_split(const uint8_t *bytes, size_t n, unsigned no, slm_error *err)
{
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    case_write(part_names[no], bytes, n);
    params.allocator = case_memory();
    const slm_status status = slm_file_open(&file, case_path(part_names[0]), &params, &e);
    case_peak("slm_file_open", n + 1024);
    case_answer(&first, err, "DIR/", status, &e);
    slm_file_free(file);
    return first;
}

static slm_status read_first_part(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_split(bytes, n, 0, err);
}

static slm_status read_second_part(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_split(bytes, n, 1, err);
}

/* ---- llama2.c ---- */

static void make_checkpoint(specimen *s, const void *path)
{
    static const char *const numbers[] = { "dim", "hidden", "layers", "heads", "kv heads", "vocabulary", "context" };
    load(s, path);
    const bool tagged = memcmp(s->file.data, "24ka", 4) == 0;
    size_t at = 0;
    if (tagged) {
        (void)note_field(s, 0, 4, LE, NONE, "magic");
        (void)note_field(s, 4, 4, LE, NONE, "version");
        at = 8;
    }
    for (size_t i = 0; i < COUNT(numbers); i++, at += 4)
        (void)note_field(s, at, 4, LE, NONE, "%s", numbers[i]);
    if (tagged) {
        (void)note_field(s, at, 1, LE, NONE, "shared");
        (void)note_field(s, at + 1, 4, LE, NONE, "group");
    }
    (void)note_field(s, tagged ? 256 : 28, 4, LE, NONE, "first value");
    s->head = tagged ? 256 : 28;
}

static slm_status read_checkpoint(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.bin", NULL, STAGE_FILE | STAGE_MODEL, n, err);
}

/* tokenizer.bin: i32 longest, and for each token f32 score, i32 length, bytes. Read with the checkpoint of 5 tokens. */
static void make_tokenizer_bin(specimen *s, const void *with)
{
    static const char *const tokens[] = { "<unk>", "\n<s>\n", "\n</s>\n", " a", "b" };
    int before = NONE;
    (void)with;
    (void)note_field(s, 0, 4, LE, NONE, "longest");
    slm_buf_u32(&s->file, 6);
    for (size_t i = 0; i < COUNT(tokens); i++) {
        const size_t at = s->file.size;
        (void)note_field(s, at, 4, LE, NONE, "score of token %zu", i);
        (void)note_field(s, at + 4, 4, LE, NONE, "length of token %zu", i);
        slm_buf_u32(&s->file, i > 2 ? 0xbf800000u : 0);
        slm_buf_u32(&s->file, (uint32_t)strlen(tokens[i]));
        slm_buf_add(&s->file, tokens[i], strlen(tokens[i]));
        const int record = note_record(s, at, s->file.size - at, LE, NONE, NONE, "token %zu", i);
        if (before != NONE)
            s->records[before].next = record;
        before = record;
    }
    s->head = s->file.size;
}

static slm_status read_tokenizer_bin(const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    slm_file *file = NULL;
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    case_write("tokenizer.bin", bytes, n);
    params.allocator = case_memory();
    params.tokenizer_path = case_path("tokenizer.bin");
    const slm_status status = slm_file_open(&file, "tests/fuzz/seeds/gguf/llama2c0", &params, &e);
    case_peak("slm_file_open", n + 556);
    case_answer(&first, err, "DIR/tokenizer.bin", status, &e);
    slm_file_free(file);
    return first;
}

/* ---- session files ---- */

static slm_model *session_model;

static slm_status read_session(const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    slm_session *session = NULL;
    const int32_t token = 9;
    case_write("session", bytes, n);
    (void)case_memory();
    const slm_status status = slm_session_load(&session, session_model, case_path("session"), NULL, &e);
    case_peak("slm_session_load", n);
    case_answer(&first, err, "DIR/session", status, &e);
    if (session && slm_session_room(session))
        case_answer(&first, err, "", slm_session_feed(session, &token, 1, &e), &e);
    slm_session_free(session);
    return first;
}

static void make_session(specimen *s, const void *with)
{
    static const char *const numbers[] = { "layout", "element", "layers", "kv heads", "head size", "vocabulary", "logits", "reserved" };
    static const char *const parts[] = { "tokens", "logits", "cache" };
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.threads = 1;
    p.allocator = case_memory();
    (void)with;
    if (!session_model)
        session_model = tiny_open(1, "q8_0", &p);
    slm_session *session = tiny_session(session_model, 64);
    tiny_feed(session, 3, 0, 5);
    if (slm_session_save(session, case_path("saved"), &err))
        broken("%s", err.text);
    slm_session_free(session);
    load(s, case_path("saved"));
    (void)note_field(s, 0, 8, LE, NONE, "magic");
    (void)note_field(s, 8, 4, LE, NONE, "version");
    (void)note_field(s, 12, 4, LE, NONE, "bytes of the head");
    (void)note_field(s, 16, 8, LE, NONE, "bytes of the file");
    (void)note_field(s, 24, 8, LE, NONE, "id");
    for (size_t i = 0; i < COUNT(numbers); i++)
        (void)note_field(s, 88 + 4 * i, 4, LE, NONE, "%s", numbers[i]);
    (void)note_field(s, 120, 8, LE, NONE, "context");
    (void)note_field(s, 128, 8, LE, NONE, "position");
    for (size_t i = 0; i < COUNT(parts); i++) {
        (void)note_field(s, 136 + 24 * i, 8, LE, NONE, "offset of %s", parts[i]);
        (void)note_field(s, 144 + 24 * i, 8, LE, NONE, "bytes of %s", parts[i]);
        (void)note_field(s, 152 + 24 * i, 8, LE, NONE, "hash of %s", parts[i]);
    }
    (void)note_field(s, 248, 8, LE, NONE, "hash of the head");
    for (size_t i = 0; i < 5; i++)
        (void)note_field(s, 256 + 4 * i, 4, LE, NONE, "token %zu", i);
    s->head = 256;
    (void)read_session(s->file.data, s->file.size, &err);       /* what the model keeps from then on */
}

static void mend_session(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < 3 && n >= 256; i++) {
        uint64_t row[3];
        memcpy(row, bytes + 136 + 24 * i, sizeof row);
        if (row[0] <= n && row[1] <= n - row[0])
            row[2] = slm_xxh64_of(bytes + row[0], (size_t)row[1]);
        memcpy(bytes + 136 + 24 * i, row, sizeof row);
    }
    if (n >= 256) {
        const uint64_t hash = slm_xxh64_of(bytes, 248);
        memcpy(bytes + 248, &hash, sizeof hash);
    }
}

/* ---- packed files ---- */

enum { PACKED_SAYS = 88, PACKED_SECTIONS = 104, PACKED_SAYS_END = 152, PACKED_HASHED = 248 };

/* The tiny model with a chat template and rope keys, packed. */
static void make_packed(specimen *s, const void *with)
{
    slm_error err = { 0 };
    slm_quantize_params q = SLM_QUANTIZE_PARAMS_INIT;
    make_decoder(s, with ? "f32" : "q8_0");
    q.type = with;
    case_write("source.gguf", s->file.data, s->file.size);
    if (slm_pack_file(case_path("source.gguf"), case_path("packed"), &q, &err))
        broken("%s", err.text);
    s->file.size = 0;
    s->n_fields = s->n_records = 0;
    load(s, case_path("packed"));
    map_packed(s);
}

static void mend_packed(uint8_t *bytes, size_t n)
{
    char id[65];
    if (n < 256)
        return;
    for (uint8_t *row = bytes + PACKED_SECTIONS; row < bytes + PACKED_SAYS_END; row += 24) {
        uint64_t v[3];
        memcpy(v, row, sizeof v);
        if (v[0] <= n && v[1] <= n - v[0])
            v[2] = slm_xxh64_of(bytes + v[0], (size_t)v[1]);
        memcpy(row, v, sizeof v);
    }
    slm_sha256(id, bytes + PACKED_SAYS, PACKED_SAYS_END - PACKED_SAYS);
    memcpy(bytes + 24, id, 64);
    const uint64_t hash = slm_xxh64_of(bytes, PACKED_HASHED);
    memcpy(bytes + PACKED_HASHED, &hash, sizeof hash);
}

static slm_status read_packed(const uint8_t *bytes, size_t n, slm_error *err)
{
    return read_model_file(bytes, n, "m.slm", NULL, STAGE_FILE | STAGE_MODEL, n, err);
}

/* Mapped, its hashes compared. */
static slm_status check_packed(const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_status first = SLM_OK;
    slm_error e = { 0 };
    slm_file_params params = SLM_FILE_PARAMS_INIT;
    case_write("m.slm", bytes, n);
    params.allocator = case_memory();
    case_answer(&first, err, "DIR/m.slm", slm_check_file(case_path("m.slm"), &params, NULL, &e), &e);
    case_peak("slm_check_file", n);
    const slm_status status = read_model_file(NULL, 0, case_path("m.slm"), NULL, STAGE_MODEL, n, &e);
    if (status && !first) {
        first = status;
        *err = e;
    }
    return first;
}

/* ---- the rows ---- */

#define GOLDEN(name) { "golden/" name, 2, make_golden, name, read_gguf, NULL }
#define SEED(name) "tests/fuzz/seeds/gguf/" name

const format formats[] = {
    { "gguf", 0, make_seed, SEED("kinds"), read_table, NULL },
    { "gguf-decoder", 0, make_decoder, "q8_0", read_gguf, NULL },
    { "gguf-encoder", 0, make_encoder, "f32", read_whole_model, NULL },
    { "gguf-spm", 0, make_seed, SEED("spm"), read_vocabulary, NULL },
    { "gguf-bpe", 0, make_seed, SEED("bpe"), read_vocabulary, NULL },
    { "gguf-unigram", 0, make_unigram, NULL, read_vocabulary, NULL },
    { "gguf-split-1", 0, make_split, NULL, read_first_part, NULL },
    { "gguf-split-2", 0, make_split, "second", read_second_part, NULL },
    { "llama2c-v0", 0, make_checkpoint, SEED("llama2c0"), read_checkpoint, NULL },
    { "llama2c-v1", 0, make_checkpoint, SEED("llama2c1"), read_checkpoint, NULL },
    { "llama2c-v2", 0, make_checkpoint, SEED("llama2c2"), read_checkpoint, NULL },
    { "tokenizer.bin", 0, make_tokenizer_bin, NULL, read_tokenizer_bin, NULL },
    { "tokenizer.model", 0, make_sentencepiece, NULL, read_sentencepiece, NULL },
    GOLDEN("llama-yarn"), GOLDEN("qwen3"), GOLDEN("gemma"), GOLDEN("gemma2"), GOLDEN("gemma3"), GOLDEN("gemma3-pattern"), GOLDEN("phi2"),
    GOLDEN("phi3"), GOLDEN("phi3-longrope"), GOLDEN("smollm3"), GOLDEN("gpt2"), GOLDEN("olmo2"), GOLDEN("stablelm"), GOLDEN("starcoder2"),
    GOLDEN("granite"), GOLDEN("bert"), GOLDEN("nomic-bert"), GOLDEN("modern-bert"), GOLDEN("t5encoder"),
    { "packed", 0, make_packed, NULL, read_packed, mend_packed },
    { "packed-w8a8", 1, make_packed, "w8a8", check_packed, mend_packed },
    { "session", 0, make_session, NULL, read_session, mend_session },
};
const size_t n_formats = COUNT(formats);
