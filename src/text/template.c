/* template.c -- a chat template from its text, a conversation from JSON, and the prompt they make, as text, spans or ids. */
#include "text/template.h"

#include "core/json.h"
#include "core/params.h"
#include "core/utf8.h"
#include "text/vocab.h"

struct slm_rendered {
    slm_heap  heap;             /* first: slm_heap_new_owner */
    slm_buf   text;             /* with a NUL behind it */
    size_t    n;
    slm_buf   spans;            /* slm_span */
};

/* ---- templates ---- */

/* The text with \n for every newline, and without one at its very end. */
static slm_status take_source(slm_template *t, const char *text, size_t len, slm_error *err)
{
    uint8_t *to = slm_buf_grow(&t->source, len);
    size_t n = 0;
    if (!to)
        return slm_buf_status(&t->source, "template", err);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\r') {
            to[n++] = '\n';
            i += i + 1 < len && text[i + 1] == '\n';
        } else {
            to[n++] = (uint8_t)text[i];
        }
    }
    t->source.size = n - (n > 0 && to[n - 1] == '\n');
    return SLM_OK;
}

slm_status slm_template_new(slm_template **out, const char *text, size_t len, const slm_template_params *params, slm_error *err)
{
    slm_template_params p;
    slm_status status;
    if (!out || (len && !text))
        return slm_fail(err, SLM_E_ARG, "slm_template_new: %s is NULL", out ? "text" : "out");
    if ((status = slm_params_read(&p, sizeof p, params, err)))
        return status;
    if (len > SLM_LIMIT_TEMPLATE_BYTES)
        return slm_fail(err, SLM_E_LIMIT, "template: %zu bytes (allowed %d)", len, SLM_LIMIT_TEMPLATE_BYTES);
    const size_t good = slm_utf8_valid(text, len);
    if (good < len)
        return slm_fail_at(err, SLM_E_FORMAT, good, "template: not UTF-8");
    slm_template *t = slm_heap_new_owner(sizeof *t, p.allocator, p.memory_limit);
    if (!t)
        return slm_fail(err, SLM_E_MEMORY, "template: no memory for %zu bytes", sizeof *t);
    if (p.allocator)
        t->allocator = *p.allocator;
    t->has_allocator = p.allocator != NULL;
    t->memory_limit = p.memory_limit;
    slm_buf *const bufs[] = { &t->source, &t->blob, &t->code, &t->consts, &t->names, &t->macros, &t->params };
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        slm_buf_init(bufs[i], &t->heap, INT32_MAX);
    if (!(status = take_source(t, text, len, err)))
        status = slm_template_parse(t, err);
    slm_buf_free(&t->source);
    if (status) {
        slm_template_free(t);
        return status;
    }
    *out = t;
    return SLM_OK;
}

void slm_template_free(slm_template *t)
{
    if (!t)
        return;
    slm_buf *const bufs[] = { &t->source, &t->blob, &t->code, &t->consts, &t->names, &t->macros, &t->params };
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        slm_buf_free(bufs[i]);
    slm_heap_free_owner(t);
}

/* ---- conversations ---- */

typedef struct reading {
    slm_store *store;
    const slm_template *t;
    slm_value *globals;
    slm_json json;
    bool has_messages;
} reading;

/* The value that follows goes to the variable, if the template has it. */
static slm_status read_variable(reading *r, const void *name, size_t n, bool needed, slm_value *v)
{
    const uint32_t number = slm_template_name(r->t, name, n);
    slm_status status = slm_json_next(&r->json, r->store->err);
    *v = slm_none();
    if (status)
        return status;
    if (number == UINT32_MAX && !needed)
        return slm_json_skip(&r->json, r->store->err);
    status = slm_value_from_json(r->store, &r->json, v);
    if (!status && number != UINT32_MAX)
        r->globals[number] = *v;
    return status;
}

static slm_status read_messages(reading *r)
{
    slm_value v;
    slm_status status = read_variable(r, "messages", 8, true, &v);
    if (status)
        return status;
    if (v.type != SLM_V_LIST)
        return slm_fail(r->store->err, SLM_E_FORMAT, "conversation: \"messages\" is %s, not an array (before byte %zu)", slm_type_name(&v),
                        r->json.pos);
    if (v.as.list->n > SLM_LIMIT_MESSAGES)
        return slm_fail(r->store->err, SLM_E_LIMIT, "conversation: %u messages (allowed %d)", v.as.list->n, SLM_LIMIT_MESSAGES);
    r->has_messages = true;
    return SLM_OK;
}

/* bos_token, eos_token: the caller's own words, so they are literal text; null is as if the key were not there. */
static slm_status read_token(reading *r, const char *name)
{
    slm_value v;
    slm_status status = read_variable(r, name, strlen(name), true, &v);
    const uint32_t number = slm_template_name(r->t, name, strlen(name));
    if (status)
        return status;
    if (v.type != SLM_V_STRING && v.type != SLM_V_NONE)
        return slm_fail(r->store->err, SLM_E_FORMAT, "conversation: \"%s\" is %s, not a string (before byte %zu)", name, slm_type_name(&v),
                        r->json.pos);
    if (number == UINT32_MAX)
        return SLM_OK;
    if (v.type == SLM_V_NONE)
        r->globals[number].type = SLM_V_UNSET;
    else
        r->globals[number].kind = SLM_LITERAL;
    return SLM_OK;
}

static slm_status read_extra(reading *r)
{
    slm_buf key;
    slm_value v;
    slm_status status = slm_json_next(&r->json, r->store->err);
    if (status || r->json.kind == SLM_JSON_NULL)
        return status;
    if (r->json.kind != SLM_JSON_OBJECT)
        return slm_fail(r->store->err, SLM_E_FORMAT, "conversation: \"extra\" is not an object (before byte %zu)", r->json.pos);
    slm_buf_init(&key, r->store->heap, SLM_LIMIT_TEXT_BYTES);
    while (!(status = slm_json_next(&r->json, r->store->err)) && r->json.kind == SLM_JSON_KEY) {
        key.size = 0;
        if ((status = slm_json_string(&r->json, &key, r->store->err)) || (status = read_variable(r, key.data, key.size, false, &v)))
            break;
    }
    slm_buf_free(&key);
    return status;
}

static slm_status read_key(reading *r)
{
    static const char *const plain[] = { "tools", "documents", "add_generation_prompt" };
    slm_value v;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (slm_json_is(&r->json, plain[i]))
            return read_variable(r, plain[i], strlen(plain[i]), false, &v);
    if (slm_json_is(&r->json, "messages"))
        return read_messages(r);
    if (slm_json_is(&r->json, "bos_token"))
        return read_token(r, "bos_token");
    if (slm_json_is(&r->json, "eos_token"))
        return read_token(r, "eos_token");
    if (slm_json_is(&r->json, "extra"))
        return read_extra(r);
    return slm_json_skip(&r->json, r->store->err);
}

static slm_status read_conversation(reading *r, const char *text, size_t len)
{
    static const struct { const char *name; uint8_t type; } standard[] = {
        { "tools", SLM_V_NONE }, { "documents", SLM_V_NONE }, { "add_generation_prompt", SLM_V_BOOL } };
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        const uint32_t number = slm_template_name(r->t, standard[i].name, strlen(standard[i].name));
        if (number != UINT32_MAX)
            r->globals[number] = (slm_value){ .type = standard[i].type };
    }
    slm_status status = slm_json_init(&r->json, text, len, "conversation", r->store->err);
    if (status || (status = slm_json_next(&r->json, r->store->err)))
        return status;
    if (r->json.kind != SLM_JSON_OBJECT)
        return slm_fail(r->store->err, SLM_E_FORMAT, "conversation: not a JSON object (before byte %zu)", r->json.pos);
    while (!(status = slm_json_next(&r->json, r->store->err)) && r->json.kind == SLM_JSON_KEY)
        if ((status = read_key(r)))
            return status;
    if (status || (status = slm_json_next(&r->json, r->store->err)))     /* nothing may follow */
        return status;
    return r->has_messages ? SLM_OK : slm_fail(r->store->err, SLM_E_FORMAT, "conversation: \"messages\" is missing in %zu bytes", r->json.size);
}

/* ---- rendering ---- */

static slm_status make_spans(slm_rendered *r, const slm_buf *kinds, slm_error *err)
{
    slm_span span = { 0, 0, 0, 0 };
    for (size_t i = 0; i < r->n; i++) {
        if (span.len && span.kind == kinds->data[i]) {
            span.len++;
            continue;
        }
        if (span.len)
            slm_buf_add(&r->spans, &span, sizeof span);
        span = (slm_span){ i, 1, kinds->data[i], 0 };
    }
    if (span.len)
        slm_buf_add(&r->spans, &span, sizeof span);
    slm_buf_u8(&r->text, 0);
    if (r->text.failed || r->spans.failed)
        return slm_fail(err, SLM_E_MEMORY, "template: no memory for the prompt's %zu spans", SLM_COUNT(slm_span, r->spans));
    return SLM_OK;
}

static slm_status render(slm_rendered *r, const slm_template *t, const char *json, size_t len, const slm_render_params *p, slm_error *err)
{
    const size_t n = SLM_COUNT(slm_const, t->names);
    slm_store store;
    slm_buf kinds;
    slm_store_init(&store, &r->heap, p->fuel ? p->fuel : (UINT64_C(1) << 24) + 64 * (uint64_t)len, err);
    slm_buf_init(&kinds, &r->heap, r->text.most);
    reading conversation = { .store = &store, .t = t, .globals = slm_heap_zarray(&r->heap, n, sizeof(slm_value)) };
    slm_status status = SLM_OK;
    if (!conversation.globals)
        status = slm_fail(err, SLM_E_MEMORY, "template: no memory for %zu variables", n);
    if (!status)
        status = read_conversation(&conversation, json, len);
    if (!status) {
        const slm_rendering rendering = { t, conversation.globals, p->now, &r->text, &kinds };
        status = slm_template_run(&store, &rendering);
    }
    r->n = r->text.size;
    r->text.most++;                                     /* the NUL */
    slm_store_free(&store);
    slm_heap_free(&r->heap, conversation.globals);
    if (!status)
        status = make_spans(r, &kinds, err);
    slm_buf_free(&kinds);
    return status;
}

slm_status slm_template_render(slm_rendered **out, const slm_template *t, const char *json, size_t len, const slm_render_params *params,
                               slm_error *err)
{
    slm_render_params p;
    slm_status status;
    if (!out || !t || (len && !json))
        return slm_fail(err, SLM_E_ARG, "slm_template_render: %s is NULL", !out ? "out" : !t ? "tmpl" : "json");
    if ((status = slm_params_read(&p, sizeof p, params, err)))
        return status;
    if (p.now && !slm_time_valid(p.now))
        return slm_fail(err, SLM_E_ARG, "slm_template_render: now is no time of the form 2024-07-26T09:30:00");
    if (p.limit > SLM_LIMIT_RENDERED_BYTES)
        return slm_fail(err, SLM_E_ARG, "slm_template_render: a limit of %llu bytes (allowed %d)", (unsigned long long)p.limit, SLM_LIMIT_RENDERED_BYTES);
    slm_rendered *r = slm_heap_new_owner(sizeof *r, t->has_allocator ? &t->allocator : NULL, t->memory_limit);
    if (!r)
        return slm_fail(err, SLM_E_MEMORY, "template: no memory for %zu bytes", sizeof *r);
    slm_buf_init(&r->text, &r->heap, p.limit ? (size_t)p.limit : SLM_LIMIT_RENDERED_BYTES);
    slm_buf_init(&r->spans, &r->heap, SIZE_MAX / 2);
    if ((status = render(r, t, json, len, &p, err))) {
        slm_rendered_free(r);
        return status;
    }
    *out = r;
    return SLM_OK;
}

void slm_rendered_free(slm_rendered *r)
{
    if (!r)
        return;
    slm_buf_free(&r->text);
    slm_buf_free(&r->spans);
    slm_heap_free_owner(r);
}

const char *slm_rendered_text(const slm_rendered *r, size_t *len)
{
    if (len)
        *len = r->n;
    return (const char *)r->text.data;
}

const slm_span *slm_rendered_spans(const slm_rendered *r, size_t *n)
{
    *n = SLM_COUNT(slm_span, r->spans);
    return SLM_ARRAY(const slm_span, r->spans);
}

/* ---- ids ---- */

/* Special tokens cut the text; the pieces between them are encoded as text of strangers is, across the borders of spans. */
typedef struct pieces {
    slm_encoder *e;
    const uint8_t *text;
    size_t at;                  /* encoded up to here */
} pieces;

/* Text from p->at to `end` without special tokens, but for those that are found in every text. */
static slm_status encode_plain(pieces *p, size_t end)
{
    const slm_tokenizer *t = p->e->tokenizer;
    slm_cut *cuts = NULL;
    size_t n = 0;
    const uint8_t *text = p->text + p->at;
    size_t from = 0;
    slm_status status = end > p->at ? slm_special_find(&t->user, t->heap, &t->texts, text, end - p->at, &cuts, &n, p->e->err) : SLM_OK;
    for (size_t i = 0; !status && i < n; i++) {
        if (cuts[i].begin > from)
            status = slm_encode_between(p->e, text + from, cuts[i].begin - from);
        slm_emit(p->e, cuts[i].id);
        from = cuts[i].end;
    }
    if (!status && end - p->at > from)
        status = slm_encode_between(p->e, text + from, end - p->at - from);
    slm_heap_free(t->heap, cuts);
    p->at = end;
    return status;
}

static slm_status encode_span(pieces *p, size_t offset, size_t len)
{
    const slm_tokenizer *t = p->e->tokenizer;
    slm_cut *cuts = NULL;
    size_t n = 0;
    slm_status status = slm_special_find(&t->special, t->heap, &t->texts, p->text + offset, len, &cuts, &n, p->e->err);
    for (size_t i = 0; !status && i < n; i++) {
        if ((status = encode_plain(p, offset + cuts[i].begin)))
            break;
        slm_emit(p->e, cuts[i].id);
        p->at = offset + cuts[i].end;
    }
    slm_heap_free(t->heap, cuts);
    return status;
}

static slm_status encode_rendered(slm_encoder *e, const slm_rendered *r, unsigned flags)
{
    const slm_span *spans = SLM_ARRAY(const slm_span, r->spans);
    pieces p = { e, r->text.data, 0 };
    slm_status status = SLM_OK;
    if (flags & SLM_TEXT_SPECIAL && r->n)
        status = encode_span(&p, 0, r->n);
    else
        for (size_t i = 0; !status && i < SLM_COUNT(slm_span, r->spans); i++)
            if (spans[i].kind == SLM_SPAN_LITERAL)
                status = encode_span(&p, spans[i].offset, spans[i].len);
    return status ? status : encode_plain(&p, r->n);
}

slm_status slm_tokenizer_encode_rendered(const slm_tokenizer *t, int32_t *ids, size_t room, size_t *n, const slm_rendered *r, unsigned flags,
                                         slm_error *err)
{
    if (!t || !r || !n || (room && !ids))
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_encode_rendered: %s is NULL", !t ? "tokenizer" : !r ? "rendered" : !n ? "n" : "ids");
    if (flags & ~(unsigned)(SLM_TEXT_SPECIAL | SLM_TEXT_BOS_EOS))
        return slm_fail(err, SLM_E_ARG, "slm_tokenizer_encode_rendered: flags 0x%x (known: SLM_TEXT_SPECIAL, SLM_TEXT_BOS_EOS)", flags);

    slm_encoder e = { .tokenizer = t, .err = err };
    slm_merger_init(&e.merger, t->heap);
    slm_buf_init(&e.ids, t->heap, SIZE_MAX / 2);
    slm_buf_init(&e.scratch, t->heap, SIZE_MAX / 2);
    slm_status status = encode_rendered(&e, r, flags);
    if (!status)
        status = slm_buf_status(&e.ids, "ids", err);
    if (!status) {
        const uint32_t *made = SLM_ARRAY(const uint32_t, e.ids);
        size_t count = SLM_COUNT(uint32_t, e.ids);
        const bool bos = flags & SLM_TEXT_BOS_EOS && t->add_bos && !(count && made[0] == t->bos);
        *n = count + bos;
        if (*n > room) {
            status = slm_fail(err, SLM_E_LIMIT, "the prompt has %zu tokens, there is room for %zu", *n, room);
        } else {
            if (bos)
                ids[0] = (int32_t)t->bos;
            if (count)
                memcpy(ids + bos, made, count * sizeof *ids);
        }
    }
    slm_merger_free(&e.merger);
    slm_buf_free(&e.ids);
    slm_buf_free(&e.scratch);
    return status;
}
