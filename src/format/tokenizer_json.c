/* tokenizer_json.c -- tokenizer.json as keys of a GGUF.
 *
 * The text is walked three times by the pull reader: its fields, the fields of its model, the vocabulary and merges. Nothing is built of
 * what is not needed, so a file of vocabulary costs about as much memory as its tokens.
 *
 * BPE over characters with byte fallback is SentencePiece's BPE, written down as merges by whoever made the file: every way to cut a token
 * in two tokens, token by token in the order of their scores. That order is turned back into scores, after checking that it is one: a
 * merge list of any other kind is refused. */
#include "format/tokenizer_file.h"

#include "core/json.h"
#include "core/limits.h"
#include "core/size.h"
#include "format/token_table.h"
#include "format/tokenizer_rules.h"

#include <string.h>

enum { MODEL, ADDED, NORMALIZER, PRE_TOKENIZER, POST_PROCESSOR, PARTS };
static const char *const part_names[PARTS] = { "model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor" };

enum { TYPE, VOCAB, MERGES, UNK_TOKEN, UNK_ID, BYTE_FALLBACK, IGNORE_MERGES, PREFIX, SUFFIX, MAX_CHARS, FIELDS };
static const char *const field_names[FIELDS] = {
    "type", "vocab", "merges", "unk_token", "unk_id", "byte_fallback", "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix",
    "max_input_chars_per_word"
};

typedef enum kind { GPT2, LLAMA, BERT, T5 } kind;

typedef struct reader {
    slm_keys *keys;
    slm_heap *heap;
    const char *name;
    slm_json part[PARTS], field[FIELDS];
    slm_tokenizer_rules rules;
    slm_token_table table;
    slm_buf text;                   /* of the string at hand */
    kind kind;
    slm_error *err;
} reader;

static bool is_text(const slm_json *value, const char *text)
{
    return value->kind == SLM_JSON_STRING && slm_json_is(value, text);
}

static bool is_none(const slm_json *value)
{
    return value->kind == SLM_JSON_END || value->kind == SLM_JSON_NULL || is_text(value, "");
}

static slm_status wrong(reader *r, const slm_json *at, const char *wanted)
{
    return slm_fail_at(r->err, SLM_E_FORMAT, at->pos, "%s: something else where %s should be, before byte %zu", r->name, wanted, at->pos);
}

/* The string `json` stands on into r->text. */
static slm_status take_text(reader *r, const slm_json *json, const char *wanted)
{
    if (json->kind != SLM_JSON_STRING && json->kind != SLM_JSON_KEY)
        return wrong(r, json, wanted);
    r->text.size = 0;
    return slm_json_string(json, &r->text, r->err);
}

static slm_status take_id(reader *r, const slm_json *json, uint32_t *id)
{
    uint64_t v;
    if (json->kind != SLM_JSON_NUMBER)
        return wrong(r, json, "a token's id");
    slm_status status = slm_json_u64(json, &v, r->err);
    if (!status && v >= SLM_LIMIT_VOCAB)
        status = slm_fail_at(r->err, SLM_E_LIMIT, json->pos, "%s: a token of id %llu (allowed below %d)", r->name, (unsigned long long)v, SLM_LIMIT_VOCAB);
    if (!status)
        *id = (uint32_t)v;
    return status;
}

/* ---- what it is ---- */

static slm_status find_kind(reader *r)
{
    const slm_json *f = r->field, *type = &f[TYPE];
    const bool bpe = is_text(type, "BPE") || (is_none(type) && f[MERGES].kind == SLM_JSON_ARRAY);
    char shown[SLM_SHOWN];
    if (bpe && r->rules.byte_level)
        r->kind = GPT2;
    else if (bpe && r->rules.mark_spaces && f[BYTE_FALLBACK].kind == SLM_JSON_TRUE)
        r->kind = LLAMA;
    else if (is_text(type, "Unigram") || (is_none(type) && f[VOCAB].kind == SLM_JSON_ARRAY))
        r->kind = T5;
    else if (is_text(type, "WordPiece") || (is_none(type) && f[VOCAB].kind == SLM_JSON_OBJECT && !bpe))
        r->kind = BERT;
    else
        return slm_fail_at(r->err, SLM_E_UNSUPPORTED, type->pos, "%s: model '%s' is not supported%s (before byte %zu); known: BPE (of bytes, or with "
                           "byte fallback), WordPiece, Unigram", r->name, type->kind == SLM_JSON_STRING ?
                           slm_shown(shown, type->base + type->text, type->text_len) : "", bpe ? " as it stands" : "", type->pos);
    if ((r->kind == GPT2 || r->kind == LLAMA) && (!is_none(&f[PREFIX]) || !is_none(&f[SUFFIX])))
        return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: continuing_subword_prefix and end_of_word_suffix are not supported for BPE (1 is there)", r->name);
    return SLM_OK;
}

/* What each kind asks of the rules, beyond what they may hold together. */
static slm_status check_rules(reader *r)
{
    const slm_tokenizer_rules *u = &r->rules;
    uint64_t most = 100;
    slm_status status;
    switch (r->kind) {
    case GPT2:
        if (u->bert || u->words || u->one_space || u->mark_spaces || u->prefix || u->charsmap.kind != SLM_JSON_END)
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: BPE of bytes with a normalizer or pre_tokenizer of another kind (1 allowed: NFC)", r->name);
        break;
    case LLAMA:
        if (u->bert || u->words || u->one_space || u->n_stages || u->charsmap.kind != SLM_JSON_END)
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: BPE with byte fallback and %zu expressions or a normalizer of another kind (0 allowed)",
                            r->name, u->n_stages);
        break;
    case BERT:
        if (!u->bert || !u->words || u->n_stages || u->mark_spaces || u->one_space || u->prefix || u->byte_level ||
            u->charsmap.kind != SLM_JSON_END)
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: WordPiece without BertNormalizer and BertPreTokenizer, or with more (%zu expressions)",
                            r->name, u->n_stages);
        if (!is_none(&r->field[PREFIX]) && !is_text(&r->field[PREFIX], "##"))
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: WordPiece's continuing_subword_prefix is something else than '##' (2 bytes)", r->name);
        if (r->field[MAX_CHARS].kind == SLM_JSON_NUMBER && (status = slm_json_u64(&r->field[MAX_CHARS], &most, r->err)))
            return status;
        if (most != 100)
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: max_input_chars_per_word is %llu (known: 100)", r->name, (unsigned long long)most);
        break;
    case T5:
        if (!u->mark_spaces || u->bert || u->words || u->n_stages || u->byte_level)
            return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: Unigram without a Metaspace, or with more (%zu expressions)", r->name, u->n_stages);
        break;
    }
    return SLM_OK;
}

/* ---- tokens ---- */

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t type_of(const reader *r, const uint8_t *text, size_t n)
{
    const bool byte = n == 6 && memcmp(text, "<0x", 3) == 0 && text[5] == '>' && hex(text[3]) >= 0 && hex(text[4]) >= 0;
    return byte && r->field[BYTE_FALLBACK].kind == SLM_JSON_TRUE ? SLM_TYPE_BYTE : SLM_TYPE_NORMAL;
}

static slm_status add_token(reader *r, uint32_t id, float score)
{
    return slm_token_table_add(&r->table, id, r->text.data, r->text.size, type_of(r, r->text.data, r->text.size), score, r->err);
}

/* {"text": id, ...} */
static slm_status read_vocab(reader *r)
{
    slm_json json = r->field[VOCAB];
    slm_status status;
    if (json.kind != SLM_JSON_OBJECT)
        return wrong(r, &json, "the vocabulary, an object,");
    while (!(status = slm_json_next(&json, r->err)) && json.kind == SLM_JSON_KEY) {
        uint32_t id = 0;
        if ((status = take_text(r, &json, "a token")) || (status = slm_json_next(&json, r->err)) || (status = take_id(r, &json, &id)))
            return status;
        if (slm_token_table_find(&r->table, r->text.data, r->text.size))
            return slm_fail_at(r->err, SLM_E_FORMAT, json.pos, "%s: the token of id %u stands twice, before byte %zu", r->name, id, json.pos);
        if ((status = add_token(r, id, 0)))
            return status;
    }
    return status;
}

/* [["text", score], ...] */
static slm_status read_scored(reader *r)
{
    slm_json json = r->field[VOCAB];
    slm_status status;
    if (json.kind != SLM_JSON_ARRAY)
        return wrong(r, &json, "the vocabulary, an array,");
    for (uint32_t id = 0; !(status = slm_json_next(&json, r->err)) && json.kind == SLM_JSON_ARRAY; id++) {
        double score;
        if ((status = slm_json_next(&json, r->err)) || (status = take_text(r, &json, "a token")) || (status = slm_json_next(&json, r->err)))
            return status;
        if (json.kind != SLM_JSON_NUMBER)
            return wrong(r, &json, "a token's score");
        if ((status = slm_json_double(&json, &score, r->err)) || (status = slm_json_next(&json, r->err)))
            return status;
        if (json.kind != SLM_JSON_ARRAY_END)
            return wrong(r, &json, "the end of [token, score]");
        if (score < -1e30 || score > 1e30)
            return slm_fail_at(r->err, SLM_E_FORMAT, json.pos, "%s: token %u: its score has an exponent beyond 30, before byte %zu", r->name, id, json.pos);
        if ((status = add_token(r, id, (float)score)))
            return status;
    }
    return status ? status : json.kind == SLM_JSON_ARRAY_END ? SLM_OK : wrong(r, &json, "[token, score]");
}

/* [{"id": 5, "content": "<s>", "special": true, ...}, ...]: tokens that are there already get their type, others are new. */
static slm_status read_added(reader *r)
{
    enum { ID, CONTENT, SPECIAL, SINGLE_WORD, N };
    static const char *const names[N] = { "id", "content", "special", "single_word" };
    slm_json json = r->part[ADDED], f[N];
    slm_status status = SLM_OK;
    if (json.kind == SLM_JSON_END || json.kind == SLM_JSON_NULL)
        return SLM_OK;
    if (json.kind != SLM_JSON_ARRAY)
        return wrong(r, &json, "added_tokens, an array,");
    while (!(status = slm_json_next(&json, r->err)) && json.kind != SLM_JSON_ARRAY_END) {
        uint32_t id = 0;
        if ((status = slm_json_fields(&json, names, f, N, r->err)) || (status = take_id(r, &f[ID], &id)) ||
            (status = take_text(r, &f[CONTENT], "an added token's content")))
            return status;
        const uint32_t type = f[SPECIAL].kind == SLM_JSON_TRUE ? SLM_TYPE_CONTROL : SLM_TYPE_USER;
        if (f[SINGLE_WORD].kind == SLM_JSON_TRUE)
            return slm_fail_at(r->err, SLM_E_UNSUPPORTED, json.pos, "%s: added token %u: single_word is not supported, before byte %zu", r->name, id, json.pos);
        slm_token_entry *e = slm_token_table_find(&r->table, r->text.data, r->text.size);
        if (!e)
            status = slm_token_table_add(&r->table, id, r->text.data, r->text.size, type, 0, r->err);
        else if (e->id != id)
            status = slm_fail_at(r->err, SLM_E_FORMAT, json.pos, "%s: added token %u has id %u in the vocabulary, before byte %zu", r->name, id, e->id, json.pos);
        else
            e->type = type;
        if (status)
            return status;
    }
    return status;
}

/* ---- merges ---- */

/* The next merge as "left right" appended to out, its left part *n_left bytes; *more is false at the end of the list. */
static slm_status next_merge(reader *r, slm_json *json, slm_buf *out, size_t *n_left, bool *more)
{
    const size_t from = out->size;
    slm_status status = slm_json_next(json, r->err);
    *more = false;
    if (status || json->kind == SLM_JSON_ARRAY_END)
        return status;
    if (json->kind == SLM_JSON_STRING) {
        if ((status = slm_json_string(json, out, r->err)))
            return status;
        const uint8_t *split = out->size - from > 1 ? memchr(out->data + from + 1, ' ', out->size - from - 1) : NULL;
        *n_left = split ? (size_t)(split - out->data) - from : 0;
    } else if (json->kind == SLM_JSON_ARRAY) {
        for (int i = 0; i < 2; i++) {
            if ((status = slm_json_next(json, r->err)))
                return status;
            if (json->kind != SLM_JSON_STRING)
                return wrong(r, json, "a string of a merge");
            if ((status = slm_json_string(json, out, r->err)))
                return status;
            if (i == 0) {
                *n_left = out->size - from;
                slm_buf_u8(out, ' ');
            }
        }
        if ((status = slm_json_next(json, r->err)))
            return status;
        if (json->kind != SLM_JSON_ARRAY_END)
            return wrong(r, json, "the end of a merge");
    } else {
        return wrong(r, json, "a merge");
    }
    if (*n_left == 0 || out->size - from < *n_left + 2)
        return wrong(r, json, "a merge of two texts");
    *more = true;
    return slm_buf_status(out, "merges", r->err);
}

static slm_status write_merges(reader *r)
{
    slm_json json = r->field[MERGES];
    slm_buf out;
    size_t n_left;
    uint64_t count = 0;
    bool more = true;
    slm_status status = SLM_OK;
    if (json.kind != SLM_JSON_ARRAY)
        return wrong(r, &json, "merges, an array,");
    slm_buf_init(&out, r->heap, SIZE_MAX / 2);
    while (!status) {
        const size_t at = out.size;
        slm_buf_u64(&out, 0);
        if (out.failed)
            break;
        if ((status = next_merge(r, &json, &out, &n_left, &more)) || !more) {
            out.size = at;
            break;
        }
        const uint64_t bytes = out.size - at - 8;
        for (int i = 0; i < 8; i++)
            out.data[at + (size_t)i] = (uint8_t)(bytes >> (8 * i));
        if (++count > SLM_LIMIT_ARRAY_COUNT)
            status = slm_fail(r->err, SLM_E_LIMIT, "%s: more than %d merges", r->name, SLM_LIMIT_ARRAY_COUNT);
    }
    if (!status)
        status = slm_buf_status(&out, "merges", r->err);
    if (!status)
        status = slm_keys_add(r->keys, "tokenizer.ggml.merges", SLM_KEY_STRING, true, count, out.data, out.size, r->err);
    slm_buf_free(&out);
    return status;
}

/* In how many ways the token is two tokens. */
static uint32_t ways(const reader *r, const uint8_t *text, size_t n)
{
    uint32_t count = 0;
    for (size_t i = 1; i < n; i++)
        count += (text[i] & 0xc0) != 0x80 && slm_texts_find(&r->table.texts, text, i) != SLM_NO_ID &&
                 slm_texts_find(&r->table.texts, text + i, n - i) != SLM_NO_ID;
    return count;
}

/* Scores of which SentencePiece's BPE makes what the list of merges does: less for each token the list comes to. */
static slm_status score_by_merges(reader *r)
{
    slm_json json = r->field[MERGES];
    slm_token_entry *e = slm_token_table_entries(&r->table);
    slm_buf merge;
    size_t n, n_left;
    uint32_t rank = 0, *seen = slm_heap_zarray(r->heap, r->table.texts.n, sizeof *seen);    /* merges that make each token */
    const slm_token_entry *last = NULL;
    bool more = true;
    slm_status status = SLM_OK;
    if (!seen)
        return slm_fail(r->err, SLM_E_MEMORY, "%s: merges of %zu tokens", r->name, r->table.texts.n);
    slm_buf_init(&merge, r->heap, 2 * SLM_LIMIT_TOKEN_BYTES + 1);
    if (json.kind != SLM_JSON_ARRAY)
        status = wrong(r, &json, "merges, an array,");
    while (!status) {
        merge.size = 0;
        if ((status = next_merge(r, &json, &merge, &n_left, &more)) || !more)
            break;
        memmove(merge.data + n_left, merge.data + n_left + 1, merge.size - n_left - 1);
        slm_token_entry *made = slm_token_table_find(&r->table, merge.data, merge.size - 1);
        if (!made) {
            status = slm_fail_at(r->err, SLM_E_FORMAT, json.pos, "%s: a merge makes no token, before byte %zu", r->name, json.pos);
        } else if (made != last && seen[made - e]) {
            status = slm_fail_at(r->err, SLM_E_UNSUPPORTED, json.pos, "%s: merges that make token %u stand in two places: no list of SentencePiece's,"
                                 " before byte %zu", r->name, made->id, json.pos);
        } else {
            rank += made != last;
            seen[made - e]++;
            made->score = -(float)rank;
            last = made;
        }
    }
    for (uint32_t i = 0; !status && i < r->table.texts.n; i++) {
        const uint8_t *text = slm_texts_at(&r->table.texts, i, &n);
        if (e[i].type != SLM_TYPE_NORMAL)
            continue;
        if (seen[i] == 0)
            e[i].score = -(float)(rank + 1);
        if (n > 2 && ways(r, text, n) != seen[i])
            status = slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: token %u is two tokens in %u ways, the merges have %u: no list of SentencePiece's", r->name,
                              e[i].id, ways(r, text, n), seen[i]);
    }
    slm_heap_free(r->heap, seen);
    slm_buf_free(&merge);
    return status;
}

/* ---- the rest of the keys ---- */

/* The id of the token of that text. */
static slm_status find_id(reader *r, const void *text, size_t n, const char *what, uint32_t *id)
{
    char shown[SLM_SHOWN];
    const slm_token_entry *e = slm_token_table_find(&r->table, text, n);
    if (!e)
        return slm_fail(r->err, SLM_E_FORMAT, "%s: %s '%s' is none of the %zu tokens", r->name, what, slm_shown(shown, text, n), r->table.texts.n);
    *id = e->id;
    return SLM_OK;
}

/* The unknown token, which is of that type in the kinds that use it. */
static slm_status write_unknown(reader *r)
{
    slm_token_entry *entries = slm_token_table_entries(&r->table), *e = NULL;
    slm_status status;
    if (r->field[UNK_TOKEN].kind == SLM_JSON_STRING) {
        uint32_t id;
        if ((status = take_text(r, &r->field[UNK_TOKEN], "the unknown token")) ||
            (status = find_id(r, r->text.data, r->text.size, "unk_token", &id)))
            return status;
        e = slm_token_table_find(&r->table, r->text.data, r->text.size);
    } else if (r->field[UNK_ID].kind == SLM_JSON_NUMBER) {
        uint32_t id = 0;
        if ((status = take_id(r, &r->field[UNK_ID], &id)))
            return status;
        if (id >= r->table.texts.n || entries[id].id != id)
            return slm_fail(r->err, SLM_E_FORMAT, "%s: unk_id is %u, the vocabulary has %zu tokens", r->name, id, r->table.texts.n);
        e = &entries[id];
    }
    if (!e)
        return SLM_OK;
    if (r->kind == LLAMA || r->kind == T5)
        e->type = SLM_TYPE_UNKNOWN;
    return slm_token_id_add(r->keys, "unknown", e->id, r->err);
}

/* BOS or EOS by the post-processor, and whether it is added. */
static slm_status write_end(reader *r, const char *text, const char *what, const char *bert_name, const char *add)
{
    uint32_t id = 0;
    slm_status status;
    if (!text[0])
        return slm_keys_add_bool(r->keys, add, false, r->err);
    if ((status = find_id(r, text, strlen(text), "post_processor: token", &id)) || (status = slm_token_id_add(r->keys, what, id, r->err)) ||
        (status = slm_keys_add_bool(r->keys, add, true, r->err)))
        return status;
    return r->kind == BERT ? slm_token_id_add(r->keys, bert_name, id, r->err) : SLM_OK;
}

static int base64_digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52
         : c == '+' ? 62 : c == '/' ? 63 : -1;
}

static slm_status write_charsmap(reader *r)
{
    slm_status status = take_text(r, &r->rules.charsmap, "precompiled_charsmap");
    size_t n = r->text.size, out = 0;
    uint32_t bits = 0;
    if (status || n == 0)
        return status;
    uint8_t *p = r->text.data;
    if (n % 4)
        return slm_fail(r->err, SLM_E_FORMAT, "%s: precompiled_charsmap: %zu characters of base64, no multiple of 4", r->name, n);
    n -= p[n - 1] == '=';
    n -= p[n - 1] == '=';
    for (size_t i = 0; i < n; i++) {            /* in place: three bytes for four characters */
        const int digit = base64_digit(p[i]);
        if (digit < 0)
            return slm_fail(r->err, SLM_E_FORMAT, "%s: precompiled_charsmap: byte %u at %zu is not base64", r->name, p[i], i);
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            p[out++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return slm_keys_add(r->keys, "tokenizer.ggml.precompiled_charsmap", SLM_KEY_U8, true, out, p, out, r->err);
}

static slm_status write_keys(reader *r, size_t least)
{
    static const char *const models[] = { [GPT2] = "gpt2", [LLAMA] = "llama", [BERT] = "bert", [T5] = "t5" };
    const slm_tokenizer_rules *u = &r->rules;
    const char *pre = r->kind == GPT2 ? slm_rules_pre(u, r->field[IGNORE_MERGES].kind == SLM_JSON_TRUE) : "default";
    slm_status status;
    if (!pre)
        return slm_fail(r->err, SLM_E_UNSUPPORTED, "%s: its pre_tokenizer has %zu known steps%s, which together have no name", r->name, u->n_stages,
                        r->field[IGNORE_MERGES].kind == SLM_JSON_TRUE ? " and ignore_merges" : "");
    if ((status = slm_keys_add_str(r->keys, "tokenizer.ggml.model", models[r->kind], r->err)) ||
        (status = slm_keys_add_str(r->keys, "tokenizer.ggml.pre", pre, r->err)) || (status = write_unknown(r)) ||
        (status = slm_token_table_write(&r->table, r->keys, r->kind == BERT ? SLM_TOKENS_WORDPIECE : SLM_TOKENS_PLAIN,
                                        r->kind == LLAMA || r->kind == T5, least, r->err)) ||
        (status = write_end(r, u->before, "bos", "cls", "tokenizer.ggml.add_bos_token")) ||
        (status = write_end(r, u->after, "eos", "seperator", "tokenizer.ggml.add_eos_token")))
        return status;
    switch (r->kind) {
    case GPT2:
        return write_merges(r);
    case LLAMA:
        return slm_keys_add_bool(r->keys, "tokenizer.ggml.add_space_prefix", u->prefix, r->err);
    case BERT:
        if ((status = slm_keys_add_bool(r->keys, "tokenizer.ggml.normalizer.lowercase", u->lowercase, r->err)))
            return status;
        return slm_keys_add_bool(r->keys, "tokenizer.ggml.normalizer.strip_accents", u->strip_accents, r->err);
    case T5:
        if ((status = slm_keys_add_bool(r->keys, "tokenizer.ggml.add_space_prefix", u->prefix, r->err)) ||
            (status = slm_keys_add_bool(r->keys, "tokenizer.ggml.remove_extra_whitespaces", u->one_space, r->err)))
            return status;
        return u->charsmap.kind == SLM_JSON_STRING ? write_charsmap(r) : SLM_OK;
    }
    return SLM_OK;
}

static slm_status read_all(reader *r, const uint8_t *text, size_t n, size_t least)
{
    slm_json json;
    slm_status status;
    if ((status = slm_json_init(&json, text, n, r->name, r->err)) || (status = slm_json_next(&json, r->err)) ||
        (status = slm_json_fields(&json, part_names, r->part, PARTS, r->err)) || (status = slm_json_next(&json, r->err)))
        return status;
    json = r->part[MODEL];
    if (json.kind != SLM_JSON_OBJECT)
        return slm_fail(r->err, SLM_E_FORMAT, "%s: no tokenizer: key 'model' is missing in %zu bytes", r->name, n);
    if ((status = slm_json_fields(&json, field_names, r->field, FIELDS, r->err)) ||
        (status = slm_tokenizer_rules_read(&r->rules, &r->part[NORMALIZER], &r->part[PRE_TOKENIZER], &r->part[POST_PROCESSOR], r->err)) ||
        (status = find_kind(r)) || (status = check_rules(r)) || (status = r->kind == T5 ? read_scored(r) : read_vocab(r)) ||
        (status = read_added(r)))
        return status;
    if (r->kind == LLAMA && (status = score_by_merges(r)))
        return status;
    return write_keys(r, least);
}

slm_status slm_tokenizer_json_read(slm_keys *keys, const uint8_t *text, size_t n, const char *name, size_t least, slm_error *err)
{
    reader *r = slm_heap_zalloc(keys->heap, sizeof *r);         /* its snapshots of the JSON reader are too much for a stack */
    if (!r)
        return slm_fail(err, SLM_E_MEMORY, "%s: its reader", name);
    r->keys = keys;
    r->heap = keys->heap;
    r->name = name;
    r->err = err;
    slm_buf_init(&r->text, r->heap, SLM_LIMIT_STRING_BYTES);
    slm_status status = slm_token_table_init(&r->table, r->heap, name, err);
    if (!status)
        status = read_all(r, text, n, least);
    slm_token_table_free(&r->table);
    slm_buf_free(&r->text);
    slm_heap_free(r->heap, r);
    return status;
}
