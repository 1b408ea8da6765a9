/* tokenizer.c -- a vocabulary from a file's keys, and the front of encode and decode.
 *
 * Loading believes nothing: counts agree, ids lie in the vocabulary, byte tokens say which byte, and every token plain text may
 * need is there. Encoding makes the text well-formed, cuts special tokens out of it and hands the pieces between them to the
 * file of the kind. The rules are in docs/tokenizers.md. */
#include "text/trie.h"
#include "text/vocab.h"

#include "core/params.h"
#include "core/size.h"
#include "format/file.h"
#include "text/utf8.h"

/* ---- loading ---- */

static slm_status read_tokens(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    static const char name[] = "tokenizer.ggml.tokens";
    const slm_key *key;
    slm_status status = slm_keys_array(keys, name, SLM_KEY_STRING, &key, err);
    if (status)
        return status;
    if (!key || key->count == 0)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s is %s (allowed 1 .. %d tokens)", file, name, key ? "empty" : "missing", SLM_LIMIT_VOCAB);
    if (key->count > SLM_LIMIT_VOCAB)
        return slm_fail(err, SLM_E_LIMIT, "%s: %s: %llu tokens (allowed %d)", file, name, (unsigned long long)key->count, SLM_LIMIT_VOCAB);
    if (key->bytes < key->count * 8)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s: %zu bytes for %llu tokens", file, name, key->bytes, (unsigned long long)key->count);
    if ((status = slm_texts_init(&t->texts, t->heap, (size_t)key->count, key->bytes - (size_t)key->count * 8, err)))
        return status;
    slm_cursor c = slm_cursor_over(key->value, key->bytes);
    for (uint64_t id = 0; id < key->count; id++) {
        uint64_t n;
        const uint8_t *text = slm_cursor_str(&c, &n);
        if (!text)
            return slm_fail(err, SLM_E_FORMAT, "%s: %s: token %llu is cut off", file, name, (unsigned long long)id);
        if (n > SLM_LIMIT_TOKEN_BYTES)
            return slm_fail(err, SLM_E_LIMIT, "%s: %s: token %llu has %llu bytes (allowed %d)", file, name, (unsigned long long)id,
                            (unsigned long long)n, SLM_LIMIT_TOKEN_BYTES);
        if ((status = slm_texts_add(&t->texts, text, (size_t)n, err)))
            return status;
    }
    return SLM_OK;
}

/* An id that may be missing. What stands for "none" in files is all ones, as u32 or i32. */
static slm_status read_id(const slm_tokenizer *t, const slm_keys *keys, const char *name, uint32_t standard, uint32_t *id, const char *file,
                          slm_error *err)
{
    const slm_key *key = slm_keys_find(keys, name);
    const size_t vocab = t->texts.n;
    uint64_t value;
    bool found;

    *id = standard < vocab ? standard : SLM_NO_ID;
    if (!key)
        return SLM_OK;
    if (!key->array && (key->type == SLM_KEY_I32 || key->type == SLM_KEY_I64) && slm_key_int_at(key, 0) == -1) {
        *id = SLM_NO_ID;
        return SLM_OK;
    }
    slm_status status = slm_keys_u64(keys, name, &value, &found, err);
    if (status)
        return status;
    if (value != UINT32_MAX && value >= vocab)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s is %llu, the vocabulary has %zu tokens", file, name, (unsigned long long)value, vocab);
    *id = (uint32_t)value;
    return SLM_OK;
}

/* Without types every token is normal, but for those that show what they are. */
static void guess_types(slm_tokenizer *t)
{
    memset(t->types, SLM_TOKEN_NORMAL, t->texts.n);
    for (uint32_t id = 0; (t->kind == SLM_VOCAB_SPM || t->kind == SLM_VOCAB_UNIGRAM) && id < t->texts.n; id++) {
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        if (slm_spm_byte(text, n) >= 0)
            t->types[id] = SLM_TOKEN_BYTE;
    }
    if (t->bos != SLM_NO_ID)
        t->types[t->bos] = SLM_TOKEN_CONTROL;
    if (t->eos != SLM_NO_ID)
        t->types[t->eos] = SLM_TOKEN_CONTROL;
    if (t->unk != SLM_NO_ID)
        t->types[t->unk] = SLM_TOKEN_UNKNOWN;
}

static slm_status read_types(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    static const char name[] = "tokenizer.ggml.token_type";
    const slm_key *key;
    slm_status status = slm_keys_array(keys, name, SLM_KEY_TYPES, &key, err);
    if (status)
        return status;
    if (!(t->types = slm_heap_alloc(t->heap, t->texts.n)) || !(t->ends = slm_heap_zalloc(t->heap, t->texts.n)))
        return slm_fail(err, SLM_E_MEMORY, "%s: types of %zu tokens", file, t->texts.n);
    if (!key) {
        guess_types(t);
        return SLM_OK;
    }
    if (key->count != t->texts.n)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s: %llu types for %zu tokens", file, name, (unsigned long long)key->count, t->texts.n);
    for (uint32_t id = 0; id < t->texts.n; id++) {
        const int64_t type = slm_key_int_at(key, id);
        size_t n;
        const uint8_t *text = slm_texts_at(&t->texts, id, &n);
        char shown[SLM_SHOWN];
        if (type < SLM_TOKEN_NONE || type > SLM_TOKEN_BYTE)
            return slm_fail(err, SLM_E_FORMAT, "%s: %s: token %u is of type %lld (known: 0 to 6)", file, name, id, (long long)type);
        if (type == SLM_TOKEN_BYTE && slm_spm_byte(text, n) < 0)
            return slm_fail(err, SLM_E_FORMAT, "%s: %s: token %u, '%s', is a byte token and not of the form <0xHH>", file, name, id,
                            slm_shown(shown, text, n));
        t->types[id] = (uint8_t)type;
    }
    return SLM_OK;
}

/* Tokens that plain text may yield go first: where a control token has the same text, text still finds the other. */
static slm_status index_texts(slm_tokenizer *t, slm_error *err)
{
    enum { AHEAD = 12 };
    for (int plain = 1; plain >= 0; plain--)
        for (uint32_t id = 0; id < t->texts.n; id++) {
            bool fresh;
            size_t n;
            if (id + AHEAD < t->texts.n) {
                const uint8_t *later = slm_texts_at(&t->texts, id + AHEAD, &n);
                slm_texts_expect(&t->texts, slm_texts_hash(&t->texts, later, n), 0);
            }
            if (slm_token_plain(t->kind, t->types[id]) != (plain == 1))
                continue;
            slm_status status = slm_texts_enter(&t->texts, id, &fresh, err);
            if (status)
                return status;
            t->duplicates += !fresh;
        }
    return SLM_OK;
}

/* What ends a generation: the ids the keys name, and control tokens by the names that models are trained to end a turn with. */
static slm_status read_ends(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    static const char *const named[] = { "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
    static const char *const texts[] = { "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
                                         "<|end_of_text|>", "<EOT>" };
    if (t->eos != SLM_NO_ID)
        t->ends[t->eos] = 1;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        uint32_t id;
        slm_status status = read_id(t, keys, named[i], SLM_NO_ID, &id, file, err);
        if (status)
            return status;
        if (id != SLM_NO_ID)
            t->ends[id] = 1;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const uint32_t id = slm_texts_find(&t->texts, texts[i], strlen(texts[i]));
        if (id != SLM_NO_ID && t->types[id] == SLM_TOKEN_CONTROL)
            t->ends[id] = 1;
    }
    return SLM_OK;
}

/* A switch of the file; one that asks for a token the file does not have is an error. */
static slm_status read_switch(const slm_keys *keys, const char *name, bool standard, uint32_t id, const char *id_name, bool *on,
                              const char *file, slm_error *err)
{
    bool found = false;
    *on = standard && id != SLM_NO_ID;
    slm_status status = slm_keys_bool(keys, name, on, &found, err);
    if (!status && found && *on && id == SLM_NO_ID)
        return slm_fail(err, SLM_E_FORMAT, "%s: %s is true, but %s names no token (1 wanted, 0 found)", file, name, id_name);
    return status;
}

typedef slm_status load_fn(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err);
typedef slm_status encode_fn(slm_encoder *e, const uint8_t *text, size_t n);

/* What is particular to each kind: its name in files, the tokens it has when the file does not say (by id, or by text), and its code. */
static const struct kind {
    const char *name;
    uint32_t bos, eos, unk;
    const char *bos_text, *eos_text, *unk_text;
    bool add_bos, add_eos;
    bool drops_bad;             /* what is not UTF-8 may leave no token */
    load_fn *load;
    encode_fn *encode;
} kinds[] = {
    [SLM_VOCAB_SPM]       = { "llama", 1, 2, 0, NULL, NULL, NULL, true, false, false, slm_spm_load, slm_spm_encode },
    [SLM_VOCAB_BPE]       = { "gpt2", SLM_NO_ID, SLM_NO_ID, SLM_NO_ID, NULL, NULL, NULL, false, false, false, slm_bpe_load, slm_bpe_encode },
    [SLM_VOCAB_WORDPIECE] = { "bert", SLM_NO_ID, SLM_NO_ID, SLM_NO_ID, "[CLS]", "[SEP]", "[UNK]", true, true, true,
                              slm_wordpiece_load, slm_wordpiece_encode },
    [SLM_VOCAB_UNIGRAM]   = { "t5", SLM_NO_ID, 1, 2, NULL, NULL, NULL, false, true, true, slm_unigram_load, slm_unigram_encode },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static slm_status read_kind(slm_tokenizer *t, const slm_keys *keys, const char *model, size_t n, const char *file, slm_error *err)
{
    char shown[SLM_SHOWN], known[440];
    const char *pre = "";
    size_t n_pre = 0, k = 0;
    bool found = false;

    while (k < KINDS && (strlen(kinds[k].name) != n || memcmp(model, kinds[k].name, n) != 0))
        k++;
    if (k == KINDS)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tokenizer.ggml.model '%s' is not supported; known: llama, gpt2, bert, t5", file,
                        slm_shown(shown, model, n));
    t->kind = (slm_vocab_kind)k;
    if (t->kind != SLM_VOCAB_BPE)
        return SLM_OK;
    slm_status status = slm_keys_str(keys, "tokenizer.ggml.pre", &pre, &n_pre, &found, err);
    if (status)
        return status;
    slm_pre_names(known, sizeof known);
    if (!found)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tokenizer.ggml.pre is missing; known: %s", file, known);
    if (!(t->pre = slm_pre_find(pre, n_pre)))
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: tokenizer.ggml.pre '%s' is not supported; known: %s", file, slm_shown(shown, pre, n_pre),
                        known);
    return SLM_OK;
}

/* The token of that text: what a kind has where the file names none. */
static uint32_t id_of(const slm_tokenizer *t, uint32_t standard, const char *text)
{
    size_t n;
    for (uint32_t id = 0; text && id < t->texts.n; id++) {
        const uint8_t *other = slm_texts_at(&t->texts, id, &n);
        if (n == strlen(text) && memcmp(other, text, n) == 0)
            return id;
    }
    return standard;
}

static slm_status read_ids(slm_tokenizer *t, const slm_keys *keys, const char *file, slm_error *err)
{
    const struct kind *k = &kinds[t->kind];
    slm_status status;
    if ((status = read_id(t, keys, "tokenizer.ggml.bos_token_id", id_of(t, k->bos, k->bos_text), &t->bos, file, err)) ||
        (status = read_id(t, keys, "tokenizer.ggml.eos_token_id", id_of(t, k->eos, k->eos_text), &t->eos, file, err)) ||
        (status = read_id(t, keys, "tokenizer.ggml.unknown_token_id", id_of(t, k->unk, k->unk_text), &t->unk, file, err)))
        return status;
    if (t->kind == SLM_VOCAB_WORDPIECE &&       /* what stands around a text has names of its own there */
        ((status = read_id(t, keys, "tokenizer.ggml.cls_token_id", t->bos, &t->bos, file, err)) ||
         (status = read_id(t, keys, "tokenizer.ggml.seperator_token_id", t->eos, &t->eos, file, err))))
        return status;
    return SLM_OK;
}

static slm_status fill(slm_tokenizer *t, const slm_keys *keys, const char *model, size_t n, const char *file, slm_error *err)
{
    slm_status status = read_kind(t, keys, model, n, file, err);
    bool found;
    if (status)
        return status;
    const struct kind *k = &kinds[t->kind];
    if ((status = read_tokens(t, keys, file, err)) || (status = read_ids(t, keys, file, err)) || (status = read_types(t, keys, file, err)) ||
        (status = index_texts(t, err)) || (status = read_ends(t, keys, file, err)) ||
        (status = read_switch(keys, "tokenizer.ggml.add_bos_token", k->add_bos || (t->pre && t->pre->add_bos), t->bos,
                              "tokenizer.ggml.bos_token_id", &t->add_bos, file, err)) ||
        (status = read_switch(keys, "tokenizer.ggml.add_eos_token", k->add_eos, t->eos, "tokenizer.ggml.eos_token_id", &t->add_eos, file, err)))
        return status;
    t->add_space_prefix = t->kind != SLM_VOCAB_BPE;
    if ((t->kind == SLM_VOCAB_SPM || t->kind == SLM_VOCAB_UNIGRAM) &&
        (status = slm_keys_bool(keys, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, &found, err)))
        return status;
    if ((status = slm_special_init(&t->user, t->heap, &t->texts, t->types, 1u << SLM_TOKEN_USER, err)) ||
        (status = slm_special_init(&t->special, t->heap, &t->texts, t->types,
                                   1u << SLM_TOKEN_UNKNOWN | 1u << SLM_TOKEN_CONTROL | 1u << SLM_TOKEN_USER, err)))
        return status;
    return k->load(t, keys, file, err);
}

slm_status slm_tokenizer_load(slm_tokenizer **out, slm_heap *heap, const slm_keys *keys, const char *file, slm_error *err)
{
    const char *model;
    size_t n;
    bool found = false;
    slm_status status = slm_keys_str(keys, "tokenizer.ggml.model", &model, &n, &found, err);
    if (status)
        return status;
    if (!found) {
        *out = NULL;
        return SLM_OK;
    }
    slm_tokenizer *t = slm_heap_zalloc(heap, sizeof *t);
    if (!t)
        return slm_fail(err, SLM_E_MEMORY, "%s: tokenizer", file);
    t->heap = heap;
    if ((status = fill(t, keys, model, n, file, err))) {
        slm_tokenizer_free(t);
        return status;
    }
    *out = t;
    return SLM_OK;
}

slm_status slm_tokenizer_open(slm_tokenizer **out, const char *path, const slm_file_params *given, slm_error *err)
{
    slm_file_params params;
    struct slm_file *file = NULL;
    const char *model;
    size_t n;
    bool found = false;
    slm_status status;

    if (!out || !path)
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_open: %s is NULL", out ? "path" : "out");
    if ((status = slm_params_read(&params, sizeof params, given, err)))
        return status;
    slm_tokenizer *t = slm_heap_new_owner(sizeof *t, params.allocator, params.memory_limit);
    if (!t)
        return slm_fail(err, SLM_E_MEMORY, "%s: tokenizer", path);
    t->heap = &t->own;
    if ((status = slm_file_load_input(&file, t->heap, path, params.input, params.tokenizer_path, err)) ||
        (status = slm_keys_str(&file->keys, "tokenizer.ggml.model", &model, &n, &found, err)))
        goto out;
    status = found ? fill(t, &file->keys, model, n, path, err)
                   : slm_fail(err, SLM_E_NOT_FOUND, "%s: tokenizer.ggml.model is missing: the file's %zu keys have no tokenizer", path,
                              file->keys.n);
out:
    slm_file_free(file);
    if (status)
        slm_tokenizer_free(t);
    else
        *out = t;
    return status;
}

void slm_tokenizer_free(slm_tokenizer *t)
{
    if (!t)
        return;
    slm_trie_free(atomic_load(&t->trie));
    slm_texts_free(&t->texts);
    slm_special_free(&t->user, t->heap);
    slm_special_free(&t->special, t->heap);
    slm_heap_free(t->heap, t->types);
    slm_heap_free(t->heap, t->ends);
    slm_heap_free(t->heap, t->bounds);
    slm_heap_free(t->heap, t->order);
    slm_heap_free(t->heap, t->rules);
    slm_heap_free(t->heap, t->maybe);
    slm_heap_free(t->heap, t->pairs);
    slm_heap_free(t->heap, t->classes);
    slm_heap_free(t->heap, t->scores);
    slm_prefixes_free(&t->prefixes);
    slm_charsmap_free(&t->charsmap, t->heap);
    if (t->heap == &t->own)
        slm_heap_free_owner(t);
    else
        slm_heap_free(t->heap, t);
}

/* ---- what it is ---- */

static int32_t shown_id(uint32_t id)
{
    return id == SLM_NO_ID ? -1 : (int32_t)id;
}

slm_status slm_tokenizer_get_info(const slm_tokenizer *t, slm_tokenizer_info *info, slm_error *err)
{
    if (!t || !info)
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_get_info: %s is NULL", t ? "info" : "tokenizer");
    const slm_tokenizer_info full = {
        .kind = kinds[t->kind].name,
        .pre = t->pre ? t->pre->name : "",
        .vocab = (uint32_t)t->texts.n,
        .bos = shown_id(t->bos), .eos = shown_id(t->eos), .unk = shown_id(t->unk),
        .add_bos = t->add_bos, .add_eos = t->add_eos, .add_space_prefix = t->add_space_prefix,
        .duplicates = t->duplicates
    };
    return slm_params_write(info, &full, sizeof full, err);
}

const char *slm_tokenizer_text(const slm_tokenizer *t, int32_t id, size_t *len)
{
    size_t n;
    if (!t || id < 0 || (size_t)id >= t->texts.n)
        return NULL;
    const uint8_t *text = slm_texts_at(&t->texts, (uint32_t)id, &n);
    if (len)
        *len = n;
    return (const char *)text;
}

bool slm_tokenizer_is_end(const slm_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->texts.n && t->ends[id];
}

/* ---- encode ---- */

/* The text itself if it is UTF-8; else a copy in which every maximal ill-formed part is one U+FFFD, and its trace. */
static const uint8_t *well_formed(slm_buf *copy, slm_trace *trace, const uint8_t *text, size_t *n)
{
    static const uint8_t replacement[3] = { 0xef, 0xbf, 0xbd };
    size_t begin = 0, i = 0;
    bool changed = false;
    while (i < *n) {
        uint32_t cp;
        uint64_t eight;
        bool ok;
        if (*n - i >= sizeof eight && (memcpy(&eight, text + i, sizeof eight), !(eight & UINT64_C(0x8080808080808080)))) {
            i += sizeof eight;
            continue;
        }
        const size_t len = slm_utf8_next(text + i, *n - i, &cp, &ok);
        if (!ok) {
            slm_trace_put(trace, copy->size, i - begin, begin, i - begin, true);
            slm_buf_add(copy, text + begin, i - begin);
            slm_trace_put(trace, copy->size, sizeof replacement, i, len, false);
            slm_buf_add(copy, replacement, sizeof replacement);
            begin = i + len;
            changed = true;
        }
        i += len;
    }
    if (!changed)
        return text;
    slm_trace_put(trace, copy->size, i - begin, begin, i - begin, true);
    slm_buf_add(copy, text + begin, i - begin);
    *n = copy->size;
    return copy->data;
}

/* The ranges of e from number `first` on. */
static slm_text_range *ranges_from(const slm_encoder *e, size_t first, size_t *n)
{
    slm_text_range *all = (slm_text_range *)(void *)e->ranges.data;
    *n = e->ranges.size / sizeof *all - first;
    return all ? all + first : NULL;
}

slm_status slm_encode_between(slm_encoder *e, const uint8_t *text, size_t n)
{
    const size_t first = e->ranges.size / sizeof(slm_text_range);
    if (n == 0)
        return SLM_OK;
    e->trace.parts.size = 0;
    slm_status status = e->ranged ? SLM_OK : slm_merger_remember(&e->merger, n, e->err);
    if (!status)
        status = kinds[e->tokenizer->kind].encode(e, text, n);
    if (!status && e->ranged && !(status = slm_buf_status(&e->trace.parts, "where tokens come from", e->err))) {
        slm_text_range *ranges = ranges_from(e, first, &n);
        slm_trace_map(&e->trace, ranges, n);
    }
    return status;
}

/* The same at byte `at` of a larger text. */
static slm_status encode_part(slm_encoder *e, const uint8_t *text, size_t at, size_t n)
{
    const size_t first = e->ranges.size / sizeof(slm_text_range);
    slm_status status = slm_encode_between(e, text + at, n);
    slm_text_range *ranges = ranges_from(e, first, &n);
    for (size_t i = 0; e->ranged && i < n; i++) {
        ranges[i].begin += at;
        ranges[i].end += at;
    }
    return status;
}

static slm_status encode(slm_encoder *e, const uint8_t *text, size_t n, unsigned flags)
{
    const slm_tokenizer *t = e->tokenizer;
    const size_t len = n;
    slm_cut *cuts = NULL;
    slm_trace trace = { .on = e->ranged };
    size_t n_cuts = 0, at = 0, count;
    slm_buf copy;
    slm_status status = SLM_OK;

    slm_buf_init(&copy, t->heap, (size_t)SLM_LIMIT_TEXT_BYTES * 3);
    slm_buf_init(&trace.parts, t->heap, SIZE_MAX / 2);
    text = well_formed(&copy, &trace, text, &n);
    if ((status = slm_buf_status(&copy, "text with U+FFFD for what is not UTF-8", e->err)) ||
        (status = slm_buf_status(&trace.parts, "where U+FFFD stands", e->err)) ||
        (status = slm_special_find(flags & SLM_TEXT_SPECIAL ? &t->special : &t->user, t->heap, &t->texts, text, n, &cuts, &n_cuts, e->err)))
        goto out;
    if (flags & SLM_TEXT_BOS_EOS && t->add_bos)
        slm_emit_range(e, t->bos, 0, 0);
    const size_t before = e->ids.size;
    for (size_t i = 0; i < n_cuts; i++) {
        if ((status = encode_part(e, text, at, cuts[i].begin - at)))
            goto out;
        slm_emit_range(e, cuts[i].id, cuts[i].begin, cuts[i].end);
        at = cuts[i].end;
    }
    if (at < n && (status = encode_part(e, text, at, n - at)))
        goto out;
    /* Normalizers drop U+FFFD: a text that was nothing but ill-formed is not taken for an empty one. */
    if (copy.size > 0 && e->ids.size == before && kinds[t->kind].drops_bad)
        slm_emit_range(e, t->unk, 0, n);
    if (e->ranged) {
        slm_text_range *ranges = ranges_from(e, 0, &count);
        slm_trace_map(&trace, ranges, count);
    }
    if (flags & SLM_TEXT_BOS_EOS && t->add_eos)
        slm_emit_range(e, t->eos, len, len);
    if (!(status = slm_buf_status(&e->ids, "ids", e->err)))
        status = slm_buf_status(&e->ranges, "ranges", e->err);
out:
    slm_heap_free(t->heap, cuts);
    slm_buf_free(&copy);
    slm_buf_free(&trace.parts);
    return status;
}

/* Both forms of the public call; ranges may be NULL. */
static slm_status encode_into(const slm_tokenizer *t, int32_t *ids, slm_text_range *ranges, bool ranged, size_t room, size_t *n,
                              const char *text, size_t len, unsigned flags, const char *name, slm_error *err)
{
    if (!t || !n || (len && !text) || (room && !ids) || (ranged && room && !ranges))
        return slm_fail(err, SLM_E_ARG, "%s: %s is NULL", name, !t ? "tokenizer" : !n ? "n" : len && !text ? "text" : room && !ids ? "ids" : "ranges");
    if (flags & ~(unsigned)(SLM_TEXT_SPECIAL | SLM_TEXT_BOS_EOS))
        return slm_fail(err, SLM_E_ARG, "%s: flags 0x%x (known: SLM_TEXT_SPECIAL, SLM_TEXT_BOS_EOS)", name, flags);
    if (len > SLM_LIMIT_TEXT_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "a text of %zu bytes (allowed %d)", len, SLM_LIMIT_TEXT_BYTES);

    slm_encoder e = { .tokenizer = t, .ranged = ranged, .trace = { .on = ranged }, .err = err };
    slm_merger_init(&e.merger, t->heap);
    slm_buf_init(&e.ids, t->heap, SIZE_MAX / 2);
    (void)slm_buf_grow(&e.ids, (len / 4 + 16) * sizeof *ids);       /* enough for most texts; a refusal shows with the first id */
    e.ids.size = 0;
    slm_buf_init(&e.ranges, t->heap, SIZE_MAX / 2);
    slm_buf_init(&e.scratch, t->heap, SIZE_MAX / 2);
    slm_buf_init(&e.trace.parts, t->heap, SIZE_MAX / 2);
    slm_status status = encode(&e, (const uint8_t *)text, len, flags);
    if (!status) {
        const size_t count = e.ids.size / sizeof *ids;
        *n = count;
        if (count > room)
            status = slm_fail(err, SLM_E_LIMIT, "the text has %zu tokens, there is room for %zu", count, room);
        else if (count)
            memcpy(ids, e.ids.data, e.ids.size);
        if (!status && count && ranged)
            memcpy(ranges, e.ranges.data, e.ranges.size);
    }
    slm_merger_free(&e.merger);
    slm_buf_free(&e.ids);
    slm_buf_free(&e.ranges);
    slm_buf_free(&e.scratch);
    slm_buf_free(&e.trace.parts);
    return status;
}

slm_status slm_tokenizer_encode(const slm_tokenizer *t, int32_t *ids, size_t room, size_t *n, const char *text, size_t len, unsigned flags,
                                slm_error *err)
{
    return encode_into(t, ids, NULL, false, room, n, text, len, flags, "slm_tokenizer_encode", err);
}

slm_status slm_tokenizer_encode_ranges(const slm_tokenizer *t, int32_t *ids, slm_text_range *ranges, size_t room, size_t *n, const char *text,
                                       size_t len, unsigned flags, slm_error *err)
{
    return encode_into(t, ids, ranges, true, room, n, text, len, flags, "slm_tokenizer_encode_ranges", err);
}

/* ---- decode ---- */

/* Byte-mapped text back to bytes; what stands for no byte stays as it is. */
static void put_mapped(const uint8_t *text, size_t n, slm_put_fn *put, void *sink)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        bool ok;
        const size_t len = slm_utf8_next(text + i, n - i, &cp, &ok);
        const int byte = ok ? slm_bpe_byte(cp) : -1;
        if (byte >= 0)
            put(sink, &(uint8_t){ (uint8_t)byte }, 1);
        else
            put(sink, text + i, len);
        i += len;
    }
}

/* U+2581 as spaces; the first of them is left out if it is SentencePiece's own. */
static void put_spaced(const uint8_t *text, size_t n, bool at_start, slm_put_fn *put, void *sink)
{
    static const uint8_t mark[3] = { 0xe2, 0x96, 0x81 };
    size_t begin = 0;
    for (size_t i = 0; i + 3 <= n;) {
        if (memcmp(text + i, mark, 3) != 0) {
            i++;
            continue;
        }
        put(sink, text + begin, i - begin);
        if (i > 0 || !at_start)
            put(sink, (const uint8_t *)" ", 1);
        begin = i += 3;
    }
    put(sink, text + begin, n - begin);
}

void slm_token_put(const slm_tokenizer *t, uint32_t id, unsigned flags, bool *at_start, slm_put_fn *put, void *sink)
{
    static const uint8_t unknown[5] = { ' ', 0xe2, 0x81, 0x87, ' ' };   /* what SentencePiece shows for it */
    size_t n;
    const uint8_t *text = slm_texts_at(&t->texts, id, &n);
    const uint8_t type = t->types[id];
    const bool start = *at_start && t->add_space_prefix;

    if (type == SLM_TOKEN_UNKNOWN && t->kind != SLM_VOCAB_BPE && id == t->unk) {
        put(sink, unknown, sizeof unknown);
        *at_start = false;
    } else if (type == SLM_TOKEN_CONTROL || type == SLM_TOKEN_UNKNOWN || type == SLM_TOKEN_USER) {
        if (type != SLM_TOKEN_USER && !(flags & SLM_TEXT_CONTROL))
            return;
        put(sink, text, n);
        *at_start = true;               /* encode puts a space in front of what follows */
    } else if (type == SLM_TOKEN_BYTE) {
        put(sink, &(uint8_t){ (uint8_t)slm_spm_byte(text, n) }, 1);
        *at_start = false;
    } else if (t->kind == SLM_VOCAB_BPE) {
        put_mapped(text, n, put, sink);
    } else if (n > 0) {
        put_spaced(text, n, start, put, sink);
        *at_start = false;
    }
}

static void put_buf(void *sink, const uint8_t *bytes, size_t n)
{
    slm_buf_add(sink, bytes, n);
}

slm_status slm_tokenizer_decode(const slm_tokenizer *t, char *text, size_t room, size_t *n, const int32_t *ids, size_t n_ids, unsigned flags,
                                slm_error *err)
{
    if (!t || !n || (n_ids && !ids) || (room && !text))
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_decode: %s is NULL", !t ? "tokenizer" : !n ? "n" : n_ids && !ids ? "ids" : "text");
    if (flags & ~(unsigned)SLM_TEXT_CONTROL)
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_decode: flags 0x%x (known: SLM_TEXT_CONTROL)", flags);
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= t->texts.n)
            return slm_fail(err, SLM_E_ARG, "token %zu is %d, the vocabulary has ids 0 to %zu", i, ids[i], t->texts.n - 1);

    slm_buf out;
    bool at_start = true;
    slm_buf_init(&out, t->heap, SIZE_MAX / 2);
    for (size_t i = 0; i < n_ids && !out.failed; i++)
        slm_token_put(t, (uint32_t)ids[i], flags, &at_start, put_buf, &out);
    slm_status status = slm_buf_status(&out, "decoded text", err);
    if (!status) {
        *n = out.size;
        if (out.size > room)
            status = slm_fail(err, SLM_E_LIMIT, "the ids have %zu bytes of text, there is room for %zu", out.size, room);
        else if (out.size)
            memcpy(text, out.data, out.size);
    }
    slm_buf_free(&out);
    return status;
}
