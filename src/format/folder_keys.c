/* folder_keys.c -- the numbers of config.json as the keys of a GGUF, by the lists of the family's row. */
#include "format/folder.h"

#include "core/limits.h"
#include "kernels/math.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *slm_folder_key(char out[128], const slm_folder *folder, const char *key)
{
    if (strncmp(key, "tokenizer.", 10) == 0)
        (void)snprintf(out, 128, "%s", key);
    else
        (void)snprintf(out, 128, "%s.%s", folder->family->arch, key);
    return out;
}

const slm_value_at *slm_folder_find(const slm_folder *folder, const char *paths)
{
    char path[128];
    while (*paths) {
        const size_t n = strcspn(paths, "|");
        if (n < sizeof path) {
            memcpy(path, paths, n);
            path[n] = 0;
            const slm_value_at *v = slm_document_find(&folder->config, folder->root, path);
            if (v)
                return v;
        }
        paths += n + (paths[n] == '|');
    }
    return NULL;
}

bool slm_folder_listed(const char *list, const void *word, size_t n)
{
    while (*list) {
        const size_t len = strcspn(list, "|");
        if (len == n && memcmp(list, word, n) == 0)
            return true;
        list += len + (list[len] == '|');
    }
    return false;
}

uint64_t slm_folder_number(const slm_folder *folder, const char *key, uint64_t absent)
{
    char name[128];
    const slm_key *k = slm_keys_find(&folder->file->keys, slm_folder_key(name, folder, key));
    return k ? (uint64_t)slm_key_int_at(k, 0) : absent;
}

/* A whole number that a key of 32 bits holds. */
static slm_status check_u32(const slm_folder *f, const char *what, double v, slm_error *err)
{
    if (!(v >= 0 && v <= UINT32_MAX && v == floor(v)))
        return slm_fail(err, SLM_E_FORMAT, "%s: '%s': is %g (a whole number from 0 to 4294967295 wanted)", f->config.name, what, v);
    return SLM_OK;
}

/* ---- the lists of the row -------------------------------------------------------------------------------------------------- */

static slm_status add_key(slm_folder *f, const slm_family_key *k, slm_error *err)
{
    char name[128];
    double v = k->times;
    slm_keys *keys = &f->file->keys;
    if (slm_keys_find(keys, slm_folder_key(name, f, k->key)))
        return SLM_OK;
    const slm_value_at *at = k->from ? slm_folder_find(f, k->from) : NULL;
    if (k->from && !at)
        return k->required ? slm_fail(err, SLM_E_FORMAT, "%s: '%s': is missing (1 wanted, 0 found)", f->config.name, k->from) : SLM_OK;
    if (k->kind == SLM_KIND_BOOL) {
        if (at->kind != SLM_JSON_TRUE && at->kind != SLM_JSON_FALSE)
            return slm_fail(err, SLM_E_FORMAT, "%s: '%s': is JSON of kind %d, wanted true or false", f->config.name, k->from, at->kind);
        return slm_keys_add_bool(keys, name, at->kind == SLM_JSON_TRUE, err);
    }
    if (at) {
        const slm_status status = slm_document_number(&f->config, at, k->from, &v, err);
        if (status)
            return status;
        v *= k->times != 0 ? k->times : 1;
    }
    if (k->kind == SLM_KIND_F32)
        return slm_keys_add_f32(keys, name, (float)v, err);
    const slm_status status = check_u32(f, k->from ? k->from : k->key, v, err);
    return status ? status : slm_keys_add_u32(keys, name, (uint32_t)v, err);
}

static slm_status check_must(const slm_folder *f, const slm_family_must *m, slm_error *err)
{
    const slm_value_at *v = slm_folder_find(f, m->path);
    char shown[SLM_SHOWN];
    const char *text = "an object or array";
    size_t n = strlen(text);
    if (!v)
        return SLM_OK;
    if (v->kind == SLM_JSON_TRUE || v->kind == SLM_JSON_FALSE) {
        text = v->kind == SLM_JSON_TRUE ? "true" : "false";
        n = strlen(text);
    } else if (v->kind == SLM_JSON_STRING || v->kind == SLM_JSON_NUMBER) {
        text = (const char *)f->config.text + v->text;
        n = v->text_len;
    }
    if (slm_folder_listed(m->values, text, n))
        return SLM_OK;
    return slm_fail(err, SLM_E_UNSUPPORTED, "%s: '%s': is '%s' (%zu bytes); of family %s this library runs %s%s", f->config.name, m->path,
                    slm_shown(shown, text, n), n, f->family->model_type, m->values[0] ? "" : "none that has it", m->values);
}

/* ---- what is derived ------------------------------------------------------------------------------------------------------- */

typedef struct shape {
    uint64_t embedding, layers, heads, head_size;
} shape;

static slm_status read_shape(const slm_folder *f, shape *s, slm_error *err)
{
    s->embedding = slm_folder_number(f, "embedding_length", 0);
    s->layers = slm_folder_number(f, "block_count", 0);
    s->heads = slm_folder_number(f, "attention.head_count", 0);
    if (s->heads < 1 || s->heads > SLM_LIMIT_HEADS || s->layers < 1 || s->layers > SLM_LIMIT_LAYERS)
        return slm_fail(err, SLM_E_FORMAT, "%s: %" PRIu64 " heads and %" PRIu64 " layers (allowed 1 .. %d each)", f->config.name, s->heads,
                        s->layers, SLM_LIMIT_HEADS);
    s->head_size = slm_folder_number(f, "attention.key_length", s->embedding / s->heads);
    return SLM_OK;
}

static slm_status add_rotary(slm_folder *f, const shape *s, slm_error *err)
{
    char name[128];
    double share = f->family->rotary;
    const slm_value_at *v = slm_folder_find(f, "partial_rotary_factor|rope_pct|rope_parameters.partial_rotary_factor");
    if (share == 0)
        return SLM_OK;
    const slm_status status = v ? slm_document_number(&f->config, v, "partial_rotary_factor", &share, err) : SLM_OK;
    if (status)
        return status;
    if (!(share > 0 && share <= 1))
        return slm_fail(err, SLM_E_FORMAT, "%s: 'partial_rotary_factor': is %g (allowed more than 0, up to 1)", f->config.name, share);
    return slm_keys_add_u32(&f->file->keys, slm_folder_key(name, f, "rope.dimension_count"), (uint32_t)(share * (double)s->head_size), err);
}

/* Which layers have a window: layer_types names each, sliding_window_pattern says the last of how many has none. A key is written only
 * where the GGUF's family has another default. */
static slm_status add_pattern(slm_folder *f, const shape *s, slm_error *err)
{
    char name[128];
    uint8_t windowed[SLM_LIMIT_LAYERS];
    bool usual = true;
    double n = f->family->pattern;
    const slm_value_at *types = slm_folder_find(f, "layer_types"), *every = slm_folder_find(f, "sliding_window_pattern|_sliding_window_pattern");
    slm_folder_key(name, f, "attention.sliding_window_pattern");
    if (!f->family->pattern)
        return SLM_OK;
    if (types && (types->kind != SLM_JSON_ARRAY || slm_document_count(&f->config, types) != s->layers))
        return slm_fail(err, SLM_E_FORMAT, "%s: 'layer_types': is no array with a name for each of the %" PRIu64 " layers", f->config.name, s->layers);
    if (!types && every) {
        slm_status status = slm_document_number(&f->config, every, "sliding_window_pattern", &n, err);
        if (!status)
            status = check_u32(f, "sliding_window_pattern", n, err);
        return status || n == f->family->pattern ? status : slm_keys_add_u32(&f->file->keys, name, (uint32_t)n, err);
    }
    for (size_t i = 0; types && i < s->layers; i++) {
        const slm_value_at *v = slm_document_element(&f->config, types, i);
        windowed[i] = slm_document_is(&f->config, v, "sliding_attention");
        if (!windowed[i] && !slm_document_is(&f->config, v, "full_attention"))
            return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'layer_types': element %zu is neither sliding_attention nor full_attention",
                            f->config.name, i);
        usual = usual && windowed[i] == (i % f->family->pattern + 1 < f->family->pattern);
    }
    return usual ? SLM_OK : slm_keys_add(&f->file->keys, name, SLM_KEY_BOOL, true, s->layers, windowed, (size_t)s->layers, err);
}

/* Scores are scaled by 1 / sqrt(query_pre_attn_scalar), for which the GGUF has no key. */
static slm_status check_query_scale(const slm_folder *f, const shape *s, slm_error *err)
{
    const slm_value_at *v = f->family->query_scale ? slm_folder_find(f, "query_pre_attn_scalar") : NULL;
    const double wanted = s->layers == f->family->wide_layers ? (double)s->embedding / (double)s->heads : (double)s->head_size;
    double found = wanted;
    const slm_status status = v ? slm_document_number(&f->config, v, "query_pre_attn_scalar", &found, err) : SLM_OK;
    if (!status && found != wanted)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'query_pre_attn_scalar': is %g, a model of this shape is run with %g", f->config.name, found,
                        wanted);
    return status;
}

/* A list of 1 (turned) and 0 for each layer, or every how many. */
static slm_status check_no_rope(const slm_folder *f, const shape *s, slm_error *err)
{
    const uint32_t n = f->family->no_rope_every;
    const slm_value_at *list = n ? slm_folder_find(f, "no_rope_layers") : NULL, *every = n ? slm_folder_find(f, "no_rope_layer_interval") : NULL;
    double v = n;
    if (!list && every) {
        const slm_status status = slm_document_number(&f->config, every, "no_rope_layer_interval", &v, err);
        if (status || v == n)
            return status;
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'no_rope_layer_interval': is %g, this family is run with %u", f->config.name, v, n);
    }
    for (size_t i = 0; list && i < s->layers; i++) {
        const slm_value_at *e = slm_document_element(&f->config, list, i);
        const slm_status status = e ? slm_document_number(&f->config, e, "no_rope_layers", &v, err)
                                    : slm_fail(err, SLM_E_FORMAT, "%s: 'no_rope_layers': has %zu elements for %" PRIu64 " layers", f->config.name,
                                               i, s->layers);
        if (status)
            return status;
        if ((v != 0) != ((i + 1) % n != 0))
            return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'no_rope_layers': element %zu is %g; this family is run without rope on each layer of "
                            "number %u, %u and so on", f->config.name, i, v, n - 1, 2 * n - 1);
    }
    return SLM_OK;
}

/* Positions that are counted from pad_token_id + 1 on: GGUF's begin at 0. */
static slm_status cut_context(slm_folder *f, slm_error *err)
{
    char name[128];
    const uint64_t context = slm_folder_number(f, "context_length", 0);
    bool cut = false;
    for (size_t l = 0; !f->family->skipped && l < 3 && f->family->tensors[l]; l++)
        for (const slm_family_tensor *t = f->family->tensors[l]; t->gguf; t++)
            cut = cut || t->op == SLM_OP_SKIP;
    if (!cut)
        return SLM_OK;
    double pad = 1;
    const slm_value_at *v = slm_folder_find(f, "pad_token_id");
    const slm_status status = v ? slm_document_number(&f->config, v, "pad_token_id", &pad, err) : SLM_OK;
    if (status)
        return status;
    if (!(pad >= 0 && pad + 1 < (double)context && pad == floor(pad)))
        return slm_fail(err, SLM_E_FORMAT, "%s: 'pad_token_id': is %g, of %" PRIu64 " positions none is left", f->config.name, pad, context);
    return slm_keys_add_u32(&f->file->keys, slm_folder_key(name, f, "context_length"), (uint32_t)(context - (uint64_t)pad - 1), err);
}

/* 1_Pooling/config.json of sentence-transformers. */
static slm_status add_pooling(slm_folder *f, slm_error *err)
{
    static const struct { const char *name; uint32_t type; } modes[] = {
        { "pooling_mode_mean_tokens", 1 }, { "pooling_mode_cls_token", 2 }, { "pooling_mode_lasttoken", 3 },
    };
    char name[128];
    slm_document doc;
    bool found;
    slm_status status = SLM_OK;
    if (f->family->encoder)
        status = slm_keys_add_bool(&f->file->keys, slm_folder_key(name, f, "attention.causal"), false, err);
    if (!status)
        status = slm_document_open(&doc, f->file->heap, f->file->path, "1_Pooling/config.json", &found, err);
    if (status || !found)
        return status;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const slm_value_at *v = slm_document_find(&doc, NULL, modes[i].name);
        if (v && v->kind == SLM_JSON_TRUE) {
            status = slm_keys_add_u32(&f->file->keys, slm_folder_key(name, f, "pooling_type"), modes[i].type, err);
            break;
        }
    }
    slm_document_close(&doc);
    return status;
}

slm_status slm_folder_keys(slm_folder *f, slm_error *err)
{
    const slm_family *family = f->family;
    shape s = { 0 };
    slm_status status = SLM_OK;
    for (size_t l = 0; l < 2 && family->must[l]; l++)
        for (const slm_family_must *m = family->must[l]; !status && m->path; m++)
            status = check_must(f, m, err);
    for (size_t l = 0; l < 3 && family->keys[l]; l++)
        for (const slm_family_key *k = family->keys[l]; !status && k->key; k++)
            status = add_key(f, k, err);
    if (!status)
        status = read_shape(f, &s, err);
    if (!status)
        status = add_rotary(f, &s, err);
    if (!status)
        status = add_pattern(f, &s, err);
    if (!status)
        status = check_query_scale(f, &s, err);
    if (!status)
        status = check_no_rope(f, &s, err);
    if (!status)
        status = cut_context(f, err);
    return status ? status : add_pooling(f, err);
}

/* ---- rope_scaling ---------------------------------------------------------------------------------------------------------- */

typedef struct scaling {
    slm_folder *f;
    const slm_value_at *at;     /* the object */
    uint64_t half;              /* pairs of a head that are turned */
    double base, context;
} scaling;

/* A number of the object, or of the config itself; NULL path text for messages is `name`. */
static slm_status scaling_number(const scaling *s, const char *name, double absent, bool required, double *out, slm_error *err)
{
    const slm_value_at *v = slm_document_find(&s->f->config, s->at, name);
    if (!v)
        v = slm_folder_find(s->f, name);
    *out = absent;
    if (!v)
        return required ? slm_fail(err, SLM_E_FORMAT, "%s: 'rope_scaling.%s': is missing (1 wanted, 0 found)", s->f->config.name, name) : SLM_OK;
    slm_status status = slm_document_number(&s->f->config, v, name, out, err);
    if (!status && !(*out > 0 && *out < 1e9))
        status = slm_fail(err, SLM_E_FORMAT, "%s: 'rope_scaling.%s': is %g (allowed more than 0, up to 1e9)", s->f->config.name, name, *out);
    return status;
}

static slm_status add_real(const scaling *s, const char *key, double value, slm_error *err)
{
    char name[128];
    return slm_keys_add_f32(&s->f->file->keys, slm_folder_key(name, s->f, key), (float)value, err);
}

static slm_status add_original(const scaling *s, double original, slm_error *err)
{
    char name[128];
    const slm_status status = check_u32(s->f, "original_max_position_embeddings", original, err);
    return status ? status : slm_keys_add_u32(&s->f->file->keys, slm_folder_key(name, s->f, "rope.scaling.original_context_length"),
                                              (uint32_t)original, err);
}

static slm_status add_kind(const scaling *s, const char *kind, slm_error *err)
{
    char name[128];
    double factor;
    slm_status status = scaling_number(s, "factor", 0, true, &factor, err);
    if (!status)
        status = slm_keys_add_str(&s->f->file->keys, slm_folder_key(name, s->f, "rope.scaling.type"), kind, err);
    return status ? status : add_real(s, "rope.scaling.factor", factor, err);
}

static slm_status yarn(const scaling *s, slm_error *err)
{
    static const struct { const char *from, *key; } extras[] = {
        { "beta_fast", "rope.scaling.yarn_beta_fast" }, { "beta_slow", "rope.scaling.yarn_beta_slow" },
        { "attention_factor", "rope.scaling.yarn_attn_factor" },
    };
    static const char *const refused[] = { "mscale", "mscale_all_dim" };
    double v;
    slm_status status = add_kind(s, "yarn", err);
    for (size_t i = 0; i < 2 && !status; i++)
        if (slm_document_find(&s->f->config, s->at, refused[i]))
            status = slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'rope_scaling.%s': yarn is run without it (0 wanted, 1 found)", s->f->config.name, refused[i]);
    if (!status)
        status = scaling_number(s, "original_max_position_embeddings", s->context, false, &v, err);
    if (!status)
        status = add_original(s, v, err);
    for (size_t i = 0; i < 3 && !status; i++)
        if (slm_document_find(&s->f->config, s->at, extras[i].from) &&
            (status = scaling_number(s, extras[i].from, 0, true, &v, err)) == SLM_OK)
            status = add_real(s, extras[i].key, v, err);
    return status;
}

static slm_status new_factors(const scaling *s, slm_folder_factors *out, const char *name, slm_error *err)
{
    out->values = slm_heap_array(s->f->file->heap, (size_t)s->half, sizeof *out->values);
    if (!out->values)
        return slm_fail(err, SLM_E_MEMORY, "%s: %" PRIu64 " factors of rope", s->f->config.name, s->half);
    out->name = name;
    out->n = (size_t)s->half;
    return SLM_OK;
}

/* Source: Llama 3.1's reference code; families.md section 2. */
static slm_status llama3(const scaling *s, slm_folder_factors *out, slm_error *err)
{
    double factor, low, high, original;
    slm_status status = scaling_number(s, "factor", 0, true, &factor, err);
    if (!status)
        status = scaling_number(s, "low_freq_factor", 0, true, &low, err);
    if (!status)
        status = scaling_number(s, "high_freq_factor", 0, true, &high, err);
    if (!status)
        status = scaling_number(s, "original_max_position_embeddings", 0, true, &original, err);
    if (!status && !(high > low))
        status = slm_fail(err, SLM_E_FORMAT, "%s: 'rope_scaling.high_freq_factor': is %g, low_freq_factor %g", s->f->config.name, high, low);
    if (!status)
        status = new_factors(s, out, "rope_freqs.weight", err);
    for (uint64_t i = 0; i < s->half && !status; i++) {
        const double two_pi = 0x1.921fb54442d18p+2;
        const double w = slm_exp_f64(-2.0 * (double)i / (2.0 * (double)s->half) * slm_log_f64(s->base)), wave = two_pi / w;
        const double smooth = (original / wave - low) / (high - low);
        out->values[i] = (float)(wave < original / high ? 1.0 : wave > original / low ? factor : 1.0 / ((1.0 - smooth) / factor + smooth));
    }
    return status;
}

static slm_status longrope(const scaling *s, slm_folder_factors out[2], slm_error *err)
{
    static const struct { const char *from, *name; } sets[2] = {
        { "short_factor", "rope_factors_short.weight" }, { "long_factor", "rope_factors_long.weight" },
    };
    double original, attn;
    slm_status status = scaling_number(s, "original_max_position_embeddings", 0, true, &original, err);
    if (status)
        return status;
    const double ratio = s->context / original;
    attn = ratio > 1 && original > 1 ? sqrt(1.0 + slm_log_f64(ratio) / slm_log_f64(original)) : 1.0;
    status = scaling_number(s, "attention_factor", attn, false, &attn, err);
    if (!status)
        status = add_real(s, "rope.scaling.attn_factor", attn, err);
    if (!status)
        status = add_original(s, original, err);
    for (size_t set = 0; set < 2 && !status; set++) {
        const slm_value_at *list = slm_document_find(&s->f->config, s->at, sets[set].from);
        if (!list || list->kind != SLM_JSON_ARRAY || slm_document_count(&s->f->config, list) != s->half)
            return slm_fail(err, SLM_E_FORMAT, "%s: 'rope_scaling.%s': is no array of %" PRIu64 " numbers", s->f->config.name, sets[set].from,
                            s->half);
        status = new_factors(s, &out[set], sets[set].name, err);
        for (size_t i = 0; i < s->half && !status; i++) {
            double v;
            status = slm_document_number(&s->f->config, slm_document_element(&s->f->config, list, i), sets[set].from, &v, err);
            out[set].values[i] = status ? 0 : (float)v;
        }
    }
    return status;
}

slm_status slm_folder_scaling(slm_folder *f, slm_folder_factors factors[2], slm_error *err)
{
    char name[128], shown[SLM_SHOWN];
    scaling s = { .f = f, .at = slm_folder_find(f, "rope_scaling|rope_parameters.full_attention|rope_parameters"), .base = 10000 };
    const slm_value_at *kind = s.at ? slm_document_find(&f->config, s.at, "rope_type") : NULL;
    if (s.at && !kind)
        kind = slm_document_find(&f->config, s.at, "type");
    if (!kind || slm_document_is(&f->config, kind, "default"))
        return SLM_OK;
    const uint64_t head = slm_folder_number(f, "embedding_length", 0) / slm_folder_number(f, "attention.head_count", 1);
    const uint64_t turned = slm_folder_number(f, "rope.dimension_count", slm_folder_number(f, "attention.key_length", head));
    const slm_key *base = slm_keys_find(&f->file->keys, slm_folder_key(name, f, "rope.freq_base"));
    if (base)
        s.base = slm_key_number_at(base, 0);
    if (turned < 2 || turned > SLM_LIMIT_HEAD_SIZE || !(s.base > 1))
        return slm_fail(err, SLM_E_FORMAT, "%s: 'rope_scaling': %" PRIu64 " values of a head are turned by base %g", f->config.name, turned, s.base);
    s.half = turned / 2;
    s.context = (double)slm_folder_number(f, "context_length", 0);
    if (f->family->scaling && slm_document_is(&f->config, kind, "linear"))
        return add_kind(&s, "linear", err);
    if (f->family->scaling && slm_document_is(&f->config, kind, "yarn"))
        return yarn(&s, err);
    if (f->family->scaling && slm_document_is(&f->config, kind, "llama3"))
        return llama3(&s, factors, err);
    if (f->family->scaling && (slm_document_is(&f->config, kind, "longrope") || slm_document_is(&f->config, kind, "su")))
        return longrope(&s, factors, err);
    return slm_fail(err, SLM_E_UNSUPPORTED, "%s: 'rope_scaling': type '%s' (%u bytes) is not one this version runs in family %s: default%s",
                    f->config.name, slm_shown(shown, f->config.text + kind->text, kind->text_len), kind->text_len, f->family->model_type,
                    f->family->scaling ? ", linear, yarn, llama3, longrope" : "");
}
