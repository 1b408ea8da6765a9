/* tokenizer_model.c -- SentencePiece's tokenizer.model as keys of a GGUF.
 *
 * The file is one protobuf message. A field is a varint, number << 3 | wire type, and a varint (0), 8 bytes (1), a length and that many
 * bytes (2) or 4 bytes (5). What is read of it:
 *
 *   1  pieces, one message each: 1 text, 2 score (f32), 3 type, numbered as in GGUF
 *   2  how it was trained: 3 kind (1 unigram, 2 BPE), 24 spaces behind words, 35 byte fallback, 40 to 43 ids of unknown, BOS, EOS, padding
 *   3  its normalizer: 1 name, 2 character map, 3 a space in front, 4 extra spaces go, 5 spaces become U+2581 */
#include "format/tokenizer_file.h"

#include "core/limits.h"
#include "format/token_table.h"

#include <string.h>

enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };

typedef struct field {
    uint32_t number, wire;
    uint64_t value;             /* of a number */
    const uint8_t *bytes;       /* of BYTES: [n] */
    size_t n;
} field;

typedef struct model {
    slm_token_table table;
    uint64_t kind, suffix;
    uint64_t unk, bos, eos, pad;
    uint64_t prefix, one_space, escape;
    const uint8_t *charsmap;
    size_t n_charsmap;
    const char *name;
    slm_error *err;
} model;

/* At most ten bytes of seven bits. */
static uint64_t varint(slm_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
        const uint8_t byte = slm_cursor_u8(c);      /* 0 behind the end, which ends it */
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    c->bad = c->pos;
    return 0;
}

/* The next field; false at the end of the message or where it is broken (c->bad), after which nobody asks again. */
static bool next(slm_cursor *c, field *f)
{
    if (c->pos == c->size)
        return false;
    const uint64_t tag = varint(c);
    *f = (field){ .number = (uint32_t)(tag >> 3), .wire = (uint32_t)(tag & 7) };
    switch (f->wire) {
    case VARINT:
        f->value = varint(c);
        break;
    case FIXED64:
        f->value = slm_cursor_u64(c);
        break;
    case FIXED32:
        f->value = slm_cursor_u32(c);
        break;
    case BYTES:
        f->n = (size_t)varint(c);
        f->bytes = slm_cursor_take(c, f->n);
        break;
    default:
        c->bad = c->bad == SIZE_MAX ? c->pos : c->bad;
    }
    if (tag >> 32 || f->number == 0)
        c->bad = c->bad == SIZE_MAX ? c->pos : c->bad;
    return c->bad == SIZE_MAX;
}

static slm_status broken(const model *m, const slm_cursor *c, const uint8_t *file)
{
    return slm_fail_at(m->err, SLM_E_FORMAT, (uint64_t)(c->base - file) + c->bad, "%s: no SentencePiece model: a field is broken at byte %zu", m->name,
                       (size_t)(c->base - file) + c->bad);
}

static slm_status read_piece(model *m, const field *message, const uint8_t *file)
{
    slm_cursor c = slm_cursor_over(message->bytes, message->n);
    const uint8_t *text = NULL;
    size_t n = 0;
    uint64_t type = SLM_TYPE_NORMAL;
    float score = 0;
    field f;
    const uint32_t id = (uint32_t)m->table.texts.n;
    while (next(&c, &f)) {
        if (f.number == 1 && f.wire == BYTES) {
            text = f.bytes;
            n = f.n;
        } else if (f.number == 2 && f.wire == FIXED32) {
            const uint32_t bits = (uint32_t)f.value;
            memcpy(&score, &bits, sizeof score);
        } else if (f.number == 3 && f.wire == VARINT) {
            type = f.value;
        }
    }
    if (c.bad != SIZE_MAX)
        return broken(m, &c, file);
    if (type < SLM_TYPE_NORMAL || type > SLM_TYPE_BYTE)
        return slm_fail(m->err, SLM_E_FORMAT, "%s: piece %u is of type %llu (known: 1 to 6)", m->name, id, (unsigned long long)type);
    return slm_token_table_add(&m->table, id, text, n, (uint32_t)type, score, m->err);
}

/* A list of numbered fields of a message and where they go. */
typedef struct wanted {
    uint32_t number;
    uint64_t *value;
} wanted;

static slm_status read_numbers(model *m, const field *message, const wanted *list, size_t n, const uint8_t *file)
{
    slm_cursor c = slm_cursor_over(message->bytes, message->n);
    field f;
    while (next(&c, &f)) {
        for (size_t i = 0; i < n; i++)
            if (f.wire == VARINT && f.number == list[i].number)
                *list[i].value = f.value;
        if (message->number == 3 && f.number == 2 && f.wire == BYTES) {
            m->charsmap = f.bytes;
            m->n_charsmap = f.n;
        }
    }
    return c.bad == SIZE_MAX ? SLM_OK : broken(m, &c, file);
}

static slm_status read_message(model *m, const uint8_t *bytes, size_t n)
{
    const wanted trainer[] = { { 3, &m->kind }, { 24, &m->suffix }, { 40, &m->unk }, { 41, &m->bos }, { 42, &m->eos }, { 43, &m->pad } };
    const wanted normalizer[] = { { 3, &m->prefix }, { 4, &m->one_space }, { 5, &m->escape } };
    slm_cursor c = slm_cursor_over(bytes, n);
    field f;
    slm_status status = SLM_OK;
    while (!status && next(&c, &f)) {
        if (f.wire != BYTES)
            continue;
        if (f.number == 1)
            status = read_piece(m, &f, bytes);
        else if (f.number == 2)
            status = read_numbers(m, &f, trainer, sizeof trainer / sizeof *trainer, bytes);
        else if (f.number == 3)
            status = read_numbers(m, &f, normalizer, sizeof normalizer / sizeof *normalizer, bytes);
    }
    return status ? status : c.bad == SIZE_MAX ? SLM_OK : broken(m, &c, bytes);
}

static slm_status write_id(const model *m, slm_keys *keys, const char *what, uint64_t id)
{
    if (id > UINT32_MAX)                            /* -1 as a varint: none */
        return SLM_OK;
    if (id >= m->table.texts.n)
        return slm_fail(m->err, SLM_E_FORMAT, "%s: its %s token is %llu, it has %zu pieces", m->name, what, (unsigned long long)id, m->table.texts.n);
    return slm_token_id_add(keys, what, (uint32_t)id, m->err);
}

static slm_status write_keys(const model *m, slm_keys *keys, size_t least)
{
    const bool unigram = m->kind == 1;
    slm_status status;
    if (!unigram && m->kind != 2)
        return slm_fail(m->err, SLM_E_UNSUPPORTED, "%s: SentencePiece model of kind %llu is not supported; known: 1 (unigram), 2 (BPE)", m->name,
                        (unsigned long long)m->kind);
    if (m->suffix || !m->escape)
        return slm_fail(m->err, SLM_E_UNSUPPORTED, "%s: treat_whitespace_as_suffix is %llu, escape_whitespaces %llu (known: 0, 1)", m->name,
                        (unsigned long long)m->suffix, (unsigned long long)m->escape);
    if (!unigram && (m->n_charsmap || m->one_space))
        return slm_fail(m->err, SLM_E_UNSUPPORTED, "%s: BPE with a character map (%zu bytes) or remove_extra_whitespaces (%llu) is not supported", m->name,
                        m->n_charsmap, (unsigned long long)m->one_space);
    if ((status = slm_keys_add_str(keys, "tokenizer.ggml.model", unigram ? "t5" : "llama", m->err)) ||
        (status = slm_keys_add_str(keys, "tokenizer.ggml.pre", "default", m->err)) ||
        (status = slm_token_table_write(&m->table, keys, SLM_TOKENS_PLAIN, true, least, m->err)) ||
        (status = write_id(m, keys, "unknown", m->unk)) || (status = write_id(m, keys, "bos", m->bos)) ||
        (status = write_id(m, keys, "eos", m->eos)) || (status = write_id(m, keys, "padding", m->pad)) ||
        (status = slm_keys_add_bool(keys, "tokenizer.ggml.add_space_prefix", m->prefix != 0, m->err)) || !unigram)
        return status;
    if ((status = slm_keys_add_bool(keys, "tokenizer.ggml.remove_extra_whitespaces", m->one_space != 0, m->err)) || !m->n_charsmap)
        return status;
    return slm_keys_add(keys, "tokenizer.ggml.precompiled_charsmap", SLM_KEY_U8, true, m->n_charsmap, m->charsmap, m->n_charsmap, m->err);
}

slm_status slm_tokenizer_model_read(slm_keys *keys, const uint8_t *bytes, size_t n, const char *name, size_t least, slm_error *err)
{
    /* what the makers' own reader takes for a field that is not there */
    model m = { .kind = 1, .bos = 1, .eos = 2, .pad = UINT64_MAX, .prefix = 1, .one_space = 1, .escape = 1, .name = name, .err = err };
    slm_status status = slm_token_table_init(&m.table, keys->heap, name, err);
    if (!status && !(status = read_message(&m, bytes, n)))
        status = write_keys(&m, keys, least);
    slm_token_table_free(&m.table);
    return status;
}

slm_status slm_tokenizer_model_is(bool *is, const slm_source *source, slm_error *err)
{
    uint8_t head[16] = { 0 };
    field f;
    const slm_status status = slm_source_head(source, head, sizeof head, is, err);
    /* the first piece, if it is a short one, as all first pieces (<unk>, <pad>) are */
    const size_t n = head[1] < sizeof head - 2 ? head[1] : sizeof head - 2;
    slm_cursor c = slm_cursor_over(head + 2, n);
    *is = *is && head[0] == 0x0a && head[1] >= 2 && head[1] < 0x80 && head[2] == 0x0a && next(&c, &f) && f.n > 0;
    return status;
}
