/* save.c -- a session as a file, and back. Little-endian, every byte under a hash:
 *
 *     0    "slmsess" and a NUL; u32 version 1; u32 bytes of this head, 256; u64 bytes of the file
 *     24   the model's identity, 64 hex digits
 *     88   u32 layout of the cache's pages (1: kv.h), bytes of an element (2, 4, 1 with scales), layers, kv heads, head size, vocabulary, has logits, 0
 *     120  u64 context; u64 position (tokens in the sequence)
 *     136  three sections, each u64 offset, u64 bytes, u64 XXH64: tokens, logits, cache; in this order, without gaps
 *     208  zeros
 *     248  u64 XXH64 of the 248 bytes before
 *     256  tokens: i32 [position], zeros up to a multiple of 64
 *          logits: f32 [vocabulary] if there are any, zeros up to a multiple of 64
 *          cache: whole pages as in memory, zeros where the last one is not used yet
 *
 * A reader believes none of these sizes: it recomputes them from the model and the position, and the file must have exactly that many
 * bytes before anything is allocated for them. Any bits of the cache and the logits are safe to compute with; tokens are range-checked. */
#include "session/session.h"

#include "core/cursor.h"
#include "core/limits.h"
#include "core/params.h"
#include "core/size.h"
#include "core/source.h"
#include "core/writer.h"
#include "core/xxh64.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pages, tokens and logits are written as they lie in memory");

enum { HEAD = 256, HASHED = 248, VERSION = 1, LAYOUT = 1, ID = 64, TOKENS = 0, LOGITS = 1, CACHE = 2, SECTIONS = 3, READ = 64 * 1024 };
static const char magic[8] = "slmsess";

typedef struct section { uint64_t offset, bytes, hash; } section;

typedef struct head {
    uint64_t file_bytes, context, position;
    char id[ID + 1];
    uint32_t layout, element, layers, kv_heads, head_size, vocab, has_logits, zero;
    section sections[SECTIONS];
} head;

static uint64_t round64(uint64_t n)
{
    return (n + 63) & ~UINT64_C(63);
}

/* What a session of `position` tokens of this model has; position <= SLM_LIMIT_CONTEXT, so that nothing overflows. */
static void lay_out(head *h, const slm_config *c, uint32_t element, bool has_logits, uint64_t context, uint64_t position)
{
    const uint64_t bytes[SECTIONS] = {
        round64(position * sizeof(int32_t)), has_logits ? round64((uint64_t)c->vocab * sizeof(float)) : 0,
        slm_ceil_div(position, SLM_PAGE) * SLM_PAGE * slm_kv_token_bytes(c, slm_kv_type_of(element)),
    };
    *h = (head){ .file_bytes = HEAD, .context = context, .position = position, .layout = LAYOUT, .element = element, .layers = c->layers,
                 .kv_heads = c->kv_heads, .head_size = c->head_size, .vocab = c->vocab, .has_logits = has_logits };
    for (size_t i = 0; i < SECTIONS; i++) {
        h->sections[i].offset = h->file_bytes;
        h->sections[i].bytes = bytes[i];
        h->file_bytes += bytes[i];
    }
}

/* ---- writing ---- */

static void put_u64(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

static void encode_head(uint8_t out[HEAD], const head *h)
{
    const uint32_t numbers[8] = { h->layout, h->element, h->layers, h->kv_heads, h->head_size, h->vocab, h->has_logits, h->zero };
    memset(out, 0, HEAD);
    memcpy(out, magic, sizeof magic);
    put_u64(out + 8, VERSION, 4);
    put_u64(out + 12, HEAD, 4);
    put_u64(out + 16, h->file_bytes, 8);
    memcpy(out + 24, h->id, ID);
    for (size_t i = 0; i < 8; i++)
        put_u64(out + 88 + 4 * i, numbers[i], 4);
    put_u64(out + 120, h->context, 8);
    put_u64(out + 128, h->position, 8);
    for (size_t i = 0; i < SECTIONS; i++) {
        put_u64(out + 136 + 24 * i, h->sections[i].offset, 8);
        put_u64(out + 144 + 24 * i, h->sections[i].bytes, 8);
        put_u64(out + 152 + 24 * i, h->sections[i].hash, 8);
    }
    put_u64(out + HASHED, slm_xxh64_of(out, HASHED), 8);
}

/* A section while it is written: what passes is hashed. */
typedef struct sink {
    slm_writer *writer;
    slm_xxh64 hash;
    uint64_t bytes;
} sink;

static slm_status put(sink *s, const void *bytes, size_t n, slm_error *err)
{
    slm_xxh64_add(&s->hash, bytes, n);
    s->bytes += n;
    return slm_writer_put(s->writer, bytes, n, err);
}

/* Bytes and the zeros up to the next multiple of 64. */
static slm_status put_padded(sink *s, const void *bytes, size_t n, slm_error *err)
{
    static const uint8_t zeros[64];
    slm_status status = put(s, bytes, n, err);
    return status ? status : put(s, zeros, (size_t)(round64(n) - n), err);
}

/* The last page, of which `used` positions are: what lies behind them (of a longer sequence that was cut back) stays out of the file. */
static slm_status put_last_page(sink *s, const slm_kv *kv, size_t used, slm_error *err)
{
    const size_t page = kv->n_pages - 1;
    uint8_t *part = slm_heap_alloc(kv->heap, kv->head_bytes);
    slm_status status = part ? SLM_OK : slm_fail(err, SLM_E_MEMORY, "session file: %zu bytes of cache", kv->head_bytes);
    for (size_t i = 0; !status && i < kv->layers * kv->kv_heads; i++) {
        memcpy(part, slm_kv_keys(kv, page, i / kv->kv_heads, i % kv->kv_heads), kv->head_bytes);
        slm_kv_clear(kv, part, used);
        status = put(s, part, kv->head_bytes, err);
    }
    slm_heap_free(kv->heap, part);
    return status;
}

static slm_status put_section(sink *s, const slm_session *session, size_t index, slm_error *err)
{
    const slm_kv *kv = &session->kv;
    const size_t full = session->position / SLM_PAGE, used = session->position % SLM_PAGE;
    slm_status status = SLM_OK;
    if (index == TOKENS)
        return put_padded(s, session->tokens, session->position * sizeof *session->tokens, err);
    if (index == LOGITS)
        return session->has_logits ? put_padded(s, session->logits, session->model->config.vocab * sizeof(float), err) : SLM_OK;
    for (size_t i = 0; !status && i < full; i++)
        status = put(s, kv->pages[i]->bytes, kv->page_bytes, err);
    return status || !used ? status : put_last_page(s, kv, used, err);
}

static slm_status write_file(slm_writer *writer, const slm_session *session, head *h, slm_error *err)
{
    uint8_t bytes[HEAD] = { 0 };
    slm_status status = slm_writer_put(writer, bytes, sizeof bytes, err);
    for (size_t i = 0; !status && i < SECTIONS; i++) {
        sink s = { .writer = writer };
        slm_xxh64_init(&s.hash);
        status = put_section(&s, session, i, err);
        h->sections[i].hash = slm_xxh64_end(&s.hash);
        if (!status)
            status = SLM_CHECK(s.bytes == h->sections[i].bytes, err);
    }
    encode_head(bytes, h);
    return status ? status : slm_writer_put_at(writer, 0, bytes, sizeof bytes, err);
}

slm_status slm_session_save(slm_session *session, const char *path, slm_error *err)
{
    slm_watch watch;
    unsigned saved;
    head h;
    slm_writer *writer = NULL;
    if (!path)
        return slm_fail(err, SLM_E_ARG, "path is NULL");
    slm_status status = slm_session_enter(session, &watch, &saved, err);
    if (status)
        return status;
    lay_out(&h, &session->model->config, (uint32_t)session->kv.element, session->has_logits, session->context, session->position);
    status = slm_model_identity(session->model, h.id, err);
    if (!status)
        status = slm_writer_open_private(&writer, &session->model->heap, path, h.file_bytes, err);
    if (!status)
        status = write_file(writer, session, &h, err);
    if (status)
        slm_writer_abort(writer);
    else
        status = slm_writer_commit(writer, err);
    slm_session_leave(session, saved);
    return status;
}

/* ---- reading ---- */

static slm_status decode_head(head *h, const slm_source *src, slm_error *err)
{
    uint8_t bytes[HEAD];
    char shown[SLM_SHOWN];
    if (src->size < HEAD)
        return slm_fail(err, SLM_E_FORMAT, "%s: %" PRIu64 " bytes are no session file (its head has %d)", src->name, src->size, HEAD);
    slm_status status = slm_source_read(src, 0, bytes, HEAD, err);
    if (status)
        return status;
    slm_cursor c = slm_cursor_over(bytes, HEAD);
    if (memcmp(slm_cursor_take(&c, 8), magic, 8) != 0)
        return slm_fail_at(err, SLM_E_FORMAT, 0, "%s: magic '%s': no session file (wanted '%s')", src->name, slm_shown(shown, bytes, 7), magic);
    const uint32_t version = slm_cursor_u32(&c);
    if (version != VERSION)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, 8, "%s: session file of version %u (this library reads %d)", src->name, version, VERSION);
    if (slm_le(bytes + HASHED, 8) != slm_xxh64_of(bytes, HASHED))
        return slm_fail_at(err, SLM_E_FORMAT, HASHED, "%s: head: is damaged: its hash is %016" PRIx64 ", it says %016" PRIx64, src->name,
                           slm_xxh64_of(bytes, HASHED), slm_le(bytes + HASHED, 8));
    const uint32_t head_bytes = slm_cursor_u32(&c);
    if (head_bytes != HEAD)
        return slm_fail_at(err, SLM_E_FORMAT, 12, "%s: head: has %u bytes (allowed %d)", src->name, head_bytes, HEAD);
    h->file_bytes = slm_cursor_u64(&c);
    memcpy(h->id, slm_cursor_take(&c, ID), ID);
    h->id[ID] = 0;
    uint32_t *const numbers[] = { &h->layout, &h->element, &h->layers, &h->kv_heads, &h->head_size, &h->vocab, &h->has_logits, &h->zero };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = slm_cursor_u32(&c);
    h->context = slm_cursor_u64(&c);
    h->position = slm_cursor_u64(&c);
    for (size_t i = 0; i < SECTIONS; i++) {
        h->sections[i].offset = slm_cursor_u64(&c);
        h->sections[i].bytes = slm_cursor_u64(&c);
        h->sections[i].hash = slm_cursor_u64(&c);
    }
    return SLM_OK;
}

/* What any session file has. */
static slm_status check_numbers(const head *h, const slm_source *src, slm_error *err)
{
    if (h->layout != LAYOUT)
        return slm_fail_at(err, SLM_E_UNSUPPORTED, 88, "%s: cache of layout %u (this library reads %d)", src->name, h->layout, LAYOUT);
    if (slm_kv_type_of(h->element) == UINT32_MAX || h->has_logits > 1 || h->zero)
        return slm_fail_at(err, SLM_E_FORMAT, 92, "%s: head: elements of %u bytes (allowed 1, 2, 4), logits %u (0, 1), reserved %u (0)", src->name,
                           h->element, h->has_logits, h->zero);
    if (h->context < 1 || h->context > SLM_LIMIT_CONTEXT || h->position > h->context || (h->has_logits && !h->position))
        return slm_fail_at(err, SLM_E_FORMAT, 120, "%s: head: %" PRIu64 " tokens in a context of %" PRIu64 " (allowed 1 .. %d)", src->name,
                           h->position, h->context, SLM_LIMIT_CONTEXT);
    return SLM_OK;
}

/* Sections and sizes against what a model with these numbers has. */
static slm_status check_places(const head *h, const slm_source *src, const slm_config *c, slm_error *err)
{
    head want;
    lay_out(&want, c, h->element, h->has_logits != 0, h->context, h->position);
    for (size_t i = 0; i < SECTIONS; i++)
        if (h->sections[i].offset != want.sections[i].offset || h->sections[i].bytes != want.sections[i].bytes)
            return slm_fail_at(err, SLM_E_FORMAT, 136 + 24 * i, "%s: section %zu: %" PRIu64 " bytes from %" PRIu64 ", it must be %" PRIu64
                               " from %" PRIu64, src->name, i, h->sections[i].bytes, h->sections[i].offset, want.sections[i].bytes,
                               want.sections[i].offset);
    if (h->file_bytes != want.file_bytes || src->size != want.file_bytes)
        return slm_fail_at(err, SLM_E_FORMAT, 16, "%s: has %" PRIu64 " bytes, its head says %" PRIu64 ", its numbers say %" PRIu64, src->name,
                           src->size, h->file_bytes, want.file_bytes);
    return SLM_OK;
}

/* The numbers against the model and each other. */
static slm_status check_head(const head *h, const slm_source *src, slm_model *model, slm_error *err)
{
    const slm_config *c = &model->config;
    char id[ID + 1];
    slm_status status = check_numbers(h, src, err);
    if (status)
        return status;
    if (h->layers != c->layers || h->kv_heads != c->kv_heads || h->head_size != c->head_size || h->vocab != c->vocab)
        return slm_fail_at(err, SLM_E_MISMATCH, 96, "%s: of another model: %u layers, %u kv heads of %u, %u tokens; this one has %u, %u of %u, %u",
                           src->name, h->layers, h->kv_heads, h->head_size, h->vocab, c->layers, c->kv_heads, c->head_size, c->vocab);
    status = check_places(h, src, c, err);
    if (!status)
        status = slm_model_identity(model, id, err);
    if (!status && memcmp(id, h->id, ID) != 0) {
        char shown[SLM_SHOWN];
        return slm_fail_at(err, SLM_E_MISMATCH, 24, "%s: of model %s, this one is %.64s", src->name, slm_shown(shown, h->id, ID), id);
    }
    return status;
}

/* A section while it is read: `left` bytes of it from `at` on. */
typedef struct intake {
    const slm_source *src;
    uint64_t at, left;
    slm_xxh64 hash;
} intake;

static slm_status get(intake *in, void *dst, size_t n, slm_error *err)
{
    slm_status status = SLM_CHECK(n <= in->left, err);
    for (size_t done = 0; !status && done < n;) {
        const size_t now = slm_min(READ, n - done);         /* hashed while it is in the cache */
        status = slm_source_read(in->src, in->at, (uint8_t *)dst + done, now, err);
        if (!status)
            slm_xxh64_add(&in->hash, (uint8_t *)dst + done, now);
        done += now;
        in->at += now;
        in->left -= now;
    }
    return status;
}

static const char *const names[SECTIONS] = { "tokens", "logits", "cache" };

/* Of a section that was read to its end. */
static slm_status check_hash(const intake *in, const head *h, size_t index, slm_error *err)
{
    const section *part = &h->sections[index];
    if (slm_xxh64_end(&in->hash) == part->hash)
        return SLM_OK;
    return slm_fail_at(err, SLM_E_FORMAT, part->offset, "%s: section %s: is damaged: the hash of its %" PRIu64 " bytes is %016" PRIx64
                       ", the head says %016" PRIx64, in->src->name, names[index], part->bytes, slm_xxh64_end(&in->hash), part->hash);
}

/* dst [n], and the padding behind it. */
static slm_status get_section(slm_session *s, const slm_source *src, const head *h, size_t index, slm_error *err)
{
    const section *part = &h->sections[index];
    intake in = { .src = src, .at = part->offset, .left = part->bytes };
    uint8_t padding[64];
    slm_status status = SLM_OK;
    slm_xxh64_init(&in.hash);
    if (index == TOKENS)
        status = get(&in, s->tokens, (size_t)h->position * sizeof *s->tokens, err);
    else if (index == LOGITS && h->has_logits)
        status = get(&in, s->logits, h->vocab * sizeof *s->logits, err);
    for (size_t i = 0; index == CACHE && !status && i < s->kv.n_pages; i++)
        status = get(&in, s->kv.pages[i]->bytes, s->kv.page_bytes, err);
    if (!status)
        status = SLM_CHECK(in.left < sizeof padding, err);
    const size_t n_padding = (size_t)in.left;
    if (!status)
        status = get(&in, padding, n_padding, err);
    if (!status)
        status = check_hash(&in, h, index, err);
    for (size_t i = 0; !status && i < n_padding; i++)
        if (padding[i])
            status = slm_fail_at(err, SLM_E_FORMAT, part->offset + part->bytes - n_padding + i, "%s: section %s: byte %u behind its end "
                                 "(allowed 0)", src->name, names[index], padding[i]);
    return status;
}

static slm_status fill(slm_session *s, const slm_source *src, const head *h, slm_error *err)
{
    const size_t n = (size_t)h->position;
    slm_status status = slm_kv_reserve(&s->kv, 0, n, err);
    for (size_t i = 0; !status && i < SECTIONS; i++)
        status = get_section(s, src, h, i, err);
    for (size_t i = 0; !status && i < n; i++)
        if (s->tokens[i] < 0 || (uint32_t)s->tokens[i] >= h->vocab)
            status = slm_fail_at(err, SLM_E_FORMAT, h->sections[TOKENS].offset + 4 * i, "%s: token %zu is %d (allowed 0 .. %u)", src->name, i,
                                 s->tokens[i], h->vocab - 1);
    s->position = n;
    s->has_logits = h->has_logits != 0;
    return status;
}

static slm_status load(slm_session **out, slm_model *model, const slm_source *src, const slm_session_params *params, slm_error *err)
{
    head h;
    slm_session_shape shape;
    slm_session_params p;
    slm_session *s = NULL;
    slm_status status = slm_params_read(&p, sizeof p, params, err);
    if (!status)
        status = slm_session_shape_read(&shape, &model->config, params, err);
    if (!status)
        status = decode_head(&h, src, err);
    if (!status)
        status = check_head(&h, src, model, err);
    if (status)
        return status;
    if (shape.kv != SLM_KV_F16 && slm_kv_element(shape.kv) != h.element)
        return slm_fail(err, SLM_E_MISMATCH, "%s: its cache has elements of %u bytes, params.kv wants %zu", src->name, h.element,
                        slm_kv_element(shape.kv));
    if (p.context && p.context < h.position)
        return slm_fail(err, SLM_E_CONTEXT, "%s: %" PRIu64 " tokens do not fit a context of %u", src->name, h.position, p.context);
    /* What a file claims is no reason to allocate: beyond what anybody would give this model, the caller has to want it. */
    const uint64_t usual = slm_max(model->config.context, SLM_SESSION_CONTEXT);
    if (!p.context && h.context > usual && h.context > h.position)
        return slm_fail_at(err, SLM_E_CONTEXT, 120, "%s: head: saved with a context of %" PRIu64 " tokens, for this model it is at most %" PRIu64
                           " unless params.context says so", src->name, h.context, usual);
    shape.kv = slm_kv_type_of(h.element);
    shape.context = p.context ? p.context : (size_t)h.context;
    if (slm_config_rope_long(&model->config, shape.context) != slm_config_rope_long(&model->config, (size_t)h.context))
        return slm_fail(err, SLM_E_MISMATCH, "%s: its keys are turned for a context of %" PRIu64 ", those of %zu by other angles (the model's "
                        "original context is %u)", src->name, h.context, shape.context, model->config.original_context);
    status = slm_session_make(&s, model, &shape, err);
    if (!status)
        status = fill(s, src, &h, err);
    if (status)
        slm_session_free(s);
    else
        *out = s;
    return status;
}

slm_status slm_session_load(slm_session **out, slm_model *model, const char *path, const slm_session_params *params, slm_error *err)
{
    slm_source src;
    if (!out || !model || !path)
        return slm_fail(err, SLM_E_ARG, "%s is NULL", !out ? "out" : !model ? "model" : "path");
    slm_status status = slm_source_open(&src, path, err);
    if (status)
        return status;
    status = load(out, model, &src, params, err);
    slm_source_close(&src);
    return status;
}

/* ---- checking without a model ---- */

slm_status slm_session_is(bool *is, const slm_source *src, slm_error *err)
{
    uint8_t bytes[sizeof magic] = { 0 };
    const slm_status status = slm_source_head(src, bytes, sizeof bytes, is, err);
    *is = *is && memcmp(bytes, magic, sizeof magic) == 0;
    return status;
}

slm_status slm_session_check(const slm_source *src, slm_heap *heap, uint64_t *sections, slm_error *err)
{
    head h;
    slm_config c = { 0 };
    slm_status status = decode_head(&h, src, err);
    if (!status)
        status = check_numbers(&h, src, err);
    if (status)
        return status;
    if (h.layers < 1 || h.layers > SLM_LIMIT_LAYERS || h.kv_heads < 1 || h.kv_heads > SLM_LIMIT_HEADS || h.head_size < 1 ||
        h.head_size > SLM_LIMIT_HEAD_SIZE || h.vocab < 1 || h.vocab > SLM_LIMIT_VOCAB)
        return slm_fail_at(err, SLM_E_FORMAT, 96, "%s: head: %u layers, %u kv heads of %u, %u tokens (allowed 1 .. %d, %d, %d, %d)", src->name,
                           h.layers, h.kv_heads, h.head_size, h.vocab, SLM_LIMIT_LAYERS, SLM_LIMIT_HEADS, SLM_LIMIT_HEAD_SIZE,
                           SLM_LIMIT_VOCAB);
    c.layers = h.layers;
    c.kv_heads = h.kv_heads;
    c.head_size = h.head_size;
    c.vocab = h.vocab;
    if ((status = check_places(&h, src, &c, err)) != SLM_OK)
        return status;
    uint8_t *chunk = slm_heap_alloc(heap, READ);
    if (!chunk)
        return slm_fail(err, SLM_E_MEMORY, "%s: chunk of %d bytes", src->name, READ);
    for (size_t i = 0; !status && i < SECTIONS; i++) {
        intake in = { .src = src, .at = h.sections[i].offset, .left = h.sections[i].bytes };
        slm_xxh64_init(&in.hash);
        while (!status && in.left)
            status = get(&in, chunk, (size_t)(in.left < READ ? in.left : READ), err);
        if (!status)
            status = check_hash(&in, &h, i, err);
    }
    slm_heap_free(heap, chunk);
    if (!status)
        *sections = SECTIONS + 1;       /* the head has a hash too */
    return status;
}
