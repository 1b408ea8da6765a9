/* config.c -- reads a model's numbers by one table, then checks how they fit each other. */
#include "model/config.h"

#include "core/limits.h"
#include "kernels/math.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* name: after "ARCH."; a default below 0 means required, or is set before the table is read. */
typedef struct field {
    const char *name;
    size_t at;                  /* offset in slm_config */
    enum { UINT32, DOUBLE, FLOAT } type;
    bool required;
    double least, most;
} field;

#define INTEGER(key, member, required, least, most) { key, offsetof(slm_config, member), UINT32, required, least, most }
#define REAL(key, member, least, most)              { key, offsetof(slm_config, member), DOUBLE, false, least, most }
#define NARROW(key, member, least, most)            { key, offsetof(slm_config, member), FLOAT, false, least, most }

static const field first_fields[] = {
    INTEGER("context_length", context, true, 1, SLM_LIMIT_CONTEXT),
    INTEGER("embedding_length", embedding, true, 1, SLM_LIMIT_EMBEDDING),
    INTEGER("block_count", layers, true, 1, SLM_LIMIT_LAYERS),
    INTEGER("feed_forward_length", feed_forward, true, 1, SLM_LIMIT_FEED_FORWARD),
    INTEGER("attention.head_count", heads, true, 1, SLM_LIMIT_HEADS),
};

/* Their defaults come from the first. */
static const field later_fields[] = {
    INTEGER("attention.head_count_kv", kv_heads, false, 1, SLM_LIMIT_HEADS),
    INTEGER("attention.key_length", head_size, false, 1, SLM_LIMIT_HEAD_SIZE),
    INTEGER("rope.scaling.original_context_length", original_context, false, 1, SLM_LIMIT_CONTEXT),
    REAL("rope.freq_base", rope_base, 1.0, 1e12),
    REAL("rope.scale_linear", rope_factor, 0.0, 1e6),
    REAL("rope.scaling.factor", rope_factor, 0.0, 1e6),
    REAL("rope.scaling.attn_factor", attn_factor, 1e-6, 1e6),
    REAL("rope.scaling.yarn_beta_fast", yarn_beta_fast, 1e-6, 1e6),
    REAL("rope.scaling.yarn_beta_slow", yarn_beta_slow, 1e-6, 1e6),
    REAL("rope.scaling.yarn_attn_factor", yarn_attn_factor, 1e-6, 1e6),
};

/* Read where the family's row has the switch; 0 is as good as absent. */
static const field window_fields[] = { INTEGER("attention.sliding_window", window, false, 0, UINT32_MAX) };
static const field score_cap_fields[] = { NARROW("attn_logit_softcapping", score_cap, 0, 1e6) };
static const field logit_cap_fields[] = { NARROW("final_logit_softcapping", logit_cap, 0, 1e6) };
static const field scale_fields[] = {
    NARROW("embedding_scale", embedding_scale, 0, 1e6),
    NARROW("residual_scale", residual_scale, 0, 1e6),
    NARROW("attention.scale", score_scale, 0, 1e6),
    { "logit_scale", offsetof(slm_config, logit_scale), FLOAT, true, 1e-6, 1e6 },
};

static const field bucket_fields[] = { INTEGER("attention.relative_buckets_count", buckets, true, 4, 256) };

static const char *full_name(char out[128], const slm_config *config, const char *name)
{
    (void)snprintf(out, 128, "%s.%s", config->arch->name, name);
    return out;
}

static slm_status read_field(slm_config *config, const slm_file *file, const field *f, slm_error *err)
{
    char key[128];
    bool found;
    double value = 0;
    uint64_t integer = 0;
    full_name(key, config, f->name);
    const bool real = f->type != UINT32;
    slm_status status = real ? slm_keys_f64(&file->keys, key, &value, &found, err) : slm_keys_u64(&file->keys, key, &integer, &found, err);
    if (status)
        return status;
    if (!found)
        return f->required ? slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is missing (1 key wanted, 0 found)", file->path, key) : SLM_OK;
    if (!real)
        value = integer > UINT32_MAX ? 4294967296.0 : (double)integer;
    if (!(value >= f->least && value <= f->most)) {
        if (real)
            return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %g (allowed %g .. %g)", file->path, key, value, f->least, f->most);
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %" PRIu64 " (allowed %.0f .. %.0f)", file->path, key, integer, f->least, f->most);
    }
    if (f->type == DOUBLE) {
        memcpy((char *)config + f->at, &value, sizeof value);
    } else if (f->type == FLOAT) {
        const float narrow = (float)value;
        memcpy((char *)config + f->at, &narrow, sizeof narrow);
    } else {
        const uint32_t narrow = (uint32_t)integer;
        memcpy((char *)config + f->at, &narrow, sizeof narrow);
    }
    return SLM_OK;
}

static slm_status read_fields(slm_config *config, const slm_file *file, const field *fields, size_t n, slm_error *err)
{
    slm_status status = SLM_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = read_field(config, file, &fields[i], err);
    return status;
}

static slm_status read_arch(slm_config *config, const slm_file *file, slm_error *err)
{
    const char *name;
    size_t n;
    bool found;
    char shown[SLM_SHOWN];
    slm_status status = slm_keys_str(&file->keys, "general.architecture", &name, &n, &found, err);
    if (status)
        return status;
    if (!found && strcmp(file->format, "safetensors") == 0)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: %zu tensors without a config: name the folder, which has config.json", file->path,
                        file->n_tensors);
    if (!found)
        return slm_fail(err, SLM_E_FORMAT, "%s: key 'general.architecture': is missing (1 key wanted, 0 found)", file->path);
    config->arch = slm_arch_find(name, n);
    if (!config->arch)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: architecture '%s' (%zu bytes) is not one this version runs: %s", file->path,
                        slm_shown(shown, name, n), n, slm_arch_names());
    return SLM_OK;
}

static slm_status read_vocab(slm_config *config, const slm_file *file, slm_error *err)
{
    const slm_key *tokens;
    slm_status status = slm_keys_array(&file->keys, "tokenizer.ggml.tokens", SLM_KEY_STRING, &tokens, err);
    if (status)
        return status;
    const slm_tensor *embedding = slm_file_find(file, "token_embd.weight");
    const uint64_t vocab = tokens ? tokens->count : embedding ? embedding->rows : 0;
    if (vocab < 1 || vocab > SLM_LIMIT_VOCAB)
        return slm_fail(err, SLM_E_FORMAT, "%s: vocabulary: %" PRIu64 " tokens (allowed 1 .. %d)", file->path, vocab, SLM_LIMIT_VOCAB);
    config->vocab = (uint32_t)vocab;
    return SLM_OK;
}

static slm_status read_eps(slm_config *config, const slm_file *file, slm_error *err)
{
    char key[128];
    double eps = 0;
    bool found;
    full_name(key, config, config->arch->norm == SLM_NORM_RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon");
    slm_status status = slm_keys_f64(&file->keys, key, &eps, &found, err);
    if (status)
        return status;
    if (!found)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is missing (1 key wanted, 0 found)", file->path, key);
    if (!(eps > 0 && eps <= 1))
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %g (allowed more than 0, up to 1)", file->path, key, eps);
    config->norm_eps = (float)eps;
    return SLM_OK;
}

static slm_status read_scaling(slm_config *config, const slm_file *file, slm_error *err)
{
    char key[128], shown[SLM_SHOWN];
    const char *kind;
    size_t n;
    bool found;
    full_name(key, config, "rope.scaling.type");
    slm_status status = slm_keys_str(&file->keys, key, &kind, &n, &found, err);
    if (status)
        return status;
    config->scaling = SLM_SCALING_LINEAR;
    const bool factors = config->arch->longrope && slm_file_find(file, "rope_factors_short.weight");
    if (factors || (config->arch->longrope && found && n == 8 && memcmp(kind, "longrope", 8) == 0)) {
        config->scaling = SLM_SCALING_LONGROPE;     /* files often have the tensors and no type */
        return SLM_OK;
    }
    if (!found || (n == 6 && memcmp(kind, "linear", 6) == 0))
        return SLM_OK;
    if (n == 4 && memcmp(kind, "none", 4) == 0) {
        config->rope_factor = 1;
        return SLM_OK;
    }
    if (n == 4 && memcmp(kind, "yarn", 4) == 0) {
        config->scaling = SLM_SCALING_YARN;
        return SLM_OK;
    }
    return slm_fail(err, SLM_E_UNSUPPORTED, "%s: key '%s': '%s' (%zu bytes) is not one this version runs: none, linear, yarn", file->path, key,
                    slm_shown(shown, kind, n), n);
}

/* Relations that hold one number against another. */
static slm_status check(const slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128];
    uint64_t other = c->head_size;
    bool found;
    if (c->heads % c->kv_heads)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': %u heads are no multiple of %u kv heads", file->path,
                        full_name(key, c, "attention.head_count_kv"), c->heads, c->kv_heads);
    slm_status status = slm_keys_u64(&file->keys, full_name(key, c, "attention.value_length"), &other, &found, err);
    if (status)
        return status;
    if (other != c->head_size)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: key '%s': is %" PRIu64 ", key_length is %u: this version wants them equal", file->path, key,
                        other, c->head_size);
    if (c->rope_size % 2)
        return slm_fail(err, SLM_E_FORMAT, "%s: %u values of a head of %u are turned, an odd number: rope turns pairs", file->path,
                        c->rope_size, c->head_size);
    return SLM_OK;
}

/* How many values of a head are turned. */
static slm_status read_rope_size(slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128];
    uint64_t size = c->head_size;
    bool found;
    if (c->arch->rope == SLM_ROPE_NONE)
        return SLM_OK;
    slm_status status = slm_keys_u64(&file->keys, full_name(key, c, "rope.dimension_count"), &size, &found, err);
    if (status)
        return status;
    if (c->arch->partial_rope ? size < 2 || size > c->head_size : size != c->head_size)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %" PRIu64 " (a head of this architecture has %u%s)", file->path, key, size,
                        c->head_size, c->arch->partial_rope ? ", of which 2 or more are turned" : "");
    c->rope_size = (uint32_t)size;
    return SLM_OK;
}

static void set_windowed(slm_config *c, size_t layer, bool on)
{
    if (on)
        c->windowed[layer / 8] = (uint8_t)(c->windowed[layer / 8] | 1u << layer % 8);
}

/* attention.sliding_window_pattern: an array of a bool for each layer, or n: the last (or first) of every n layers is global. */
static slm_status read_pattern(slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128];
    uint64_t n = c->arch->pattern;
    bool found;
    full_name(key, c, "attention.sliding_window_pattern");
    const slm_key *k = slm_keys_find(&file->keys, key);
    if (k && k->array) {
        if (k->type != SLM_KEY_BOOL || k->count != c->layers)
            return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': %" PRIu64 " elements of type %u (wanted %u bools, one for each layer)",
                            file->path, key, k->count, k->type, c->layers);
        for (size_t i = 0; i < c->layers; i++)
            set_windowed(c, i, k->value[i] != 0);
        return SLM_OK;
    }
    slm_status status = slm_keys_u64(&file->keys, key, &n, &found, err);
    for (size_t i = 0; !status && i < c->layers; i++)
        set_windowed(c, i, n == 0 || (c->arch->first_global ? i % n != 0 : i % n + 1 < n));
    return status;
}

/* The window, who has it, and the base of those layers. */
static slm_status read_window(slm_config *c, const slm_file *file, slm_error *err)
{
    static const field base_fields[] = { REAL("rope.freq_base_swa", local_base, 1.0, 1e12) };
    const slm_arch *a = c->arch;
    c->window = a->window;
    if (!a->window_key)
        return SLM_OK;
    slm_status status = read_fields(c, file, window_fields, 1, err);
    if (status || c->window == 0)
        return status;
    if (a->local_unscaled) {
        c->local_base = a->local_base != 0 ? a->local_base : c->rope_base;
        if ((status = read_fields(c, file, base_fields, 1, err)) != SLM_OK)
            return status;
    }
    return read_pattern(c, file, err);
}

/* Scales and soft-caps: what the row says, then the keys it reads. */
static slm_status read_scales(slm_config *c, const slm_file *file, slm_error *err)
{
    const slm_arch *a = c->arch;
    c->score_cap = (float)a->score_cap;
    c->logit_cap = (float)a->logit_cap;
    slm_status status = a->score_cap_key ? read_fields(c, file, score_cap_fields, 1, err) : SLM_OK;
    if (!status && a->logit_cap_key)
        status = read_fields(c, file, logit_cap_fields, 1, err);
    if (!status && a->scale_keys)
        status = read_fields(c, file, scale_fields, sizeof scale_fields / sizeof *scale_fields, err);
    if (a->scale_embedding)
        c->embedding_scale = sqrtf((float)c->embedding);
    if (c->embedding_scale == 0)
        c->embedding_scale = 1;
    if (c->residual_scale == 0)
        c->residual_scale = 1;
    if (a->relative)
        c->score_scale = 1;
    else if (c->score_scale == 0)
        c->score_scale = 1.0f / sqrtf(a->wide_layers && a->wide_layers == c->layers ? (float)c->embedding / (float)c->heads
                                                                                    : (float)c->head_size);
    return status;
}

/* Who sees whom is the family's; a file that says otherwise was made for another one. */
static slm_status read_causal(slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128];
    bool found, causal = !c->arch->encoder;
    const slm_status status = slm_keys_bool(&file->keys, full_name(key, c, "attention.causal"), &causal, &found, err);
    if (!status && causal == c->arch->encoder)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: key '%s': is %d, architecture '%s' is run with %d", file->path, key, causal, c->arch->name,
                        !causal);
    return status;
}

/* The kind of the feed-forward part, where the row leaves it to the file. */
static slm_status read_ffn(slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128], shown[SLM_SHOWN];
    const char *name;
    size_t n;
    bool found;
    c->ffn = c->arch->ffn;
    if (c->ffn == SLM_FFN_T5)
        c->ffn = slm_file_find(file, "enc.blk.0.ffn_gate.weight") ? SLM_FFN_GELU_GATED : SLM_FFN_RELU;
    if (!c->arch->activation_key)
        return SLM_OK;
    const slm_status status = slm_keys_str(&file->keys, full_name(key, c, "hidden_activation"), &name, &n, &found, err);
    if (status || !found || (n == 4 && memcmp(name, "gelu", 4) == 0))
        return status;
    if (n != 4 || memcmp(name, "silu", 4) != 0)
        return slm_fail(err, SLM_E_UNSUPPORTED, "%s: key '%s': '%s' (%zu bytes) is not one this version runs: gelu, silu", file->path, key,
                        slm_shown(shown, name, n), n);
    c->ffn = SLM_FFN_SILU;
    return SLM_OK;
}

/* What only encoders have. */
static slm_status read_encoder(slm_config *c, const slm_file *file, slm_error *err)
{
    char key[128];
    uint64_t kind = 0, types = 0;
    bool found;
    if (!c->arch->encoder)
        return SLM_OK;
    slm_status status = slm_keys_u64(&file->keys, full_name(key, c, "pooling_type"), &kind, &found, err);
    if (status)
        return status;
    if (kind > 4)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': is %" PRIu64 " (allowed 0 .. 4)", file->path, key, kind);
    c->pooling = (uint32_t)kind;
    if (c->arch->relative && (status = read_fields(c, file, bucket_fields, 1, err)) != SLM_OK)
        return status;
    if (!c->arch->token_types)
        return SLM_OK;
    status = slm_keys_u64(&file->keys, "tokenizer.ggml.token_type_count", &types, &found, err);
    if (!status && (types < 1 || types > SLM_LIMIT_TOKEN_TYPES))
        status = slm_fail(err, SLM_E_FORMAT, "%s: key 'tokenizer.ggml.token_type_count': %s%" PRIu64 " (allowed 1 .. %d)", file->path,
                          found ? "is " : "is missing: ", types, SLM_LIMIT_TOKEN_TYPES);
    c->token_types = (uint32_t)types;
    return status;
}

slm_status slm_config_read(slm_config *config, const slm_file *file, slm_error *err)
{
    slm_config c = { .rope_base = 10000, .rope_factor = 1, .attn_factor = 1, .yarn_beta_fast = 32, .yarn_beta_slow = 1, .logit_scale = 1 };
    slm_status status = read_arch(&c, file, err);
    if (!status)
        status = read_fields(&c, file, first_fields, sizeof first_fields / sizeof *first_fields, err);
    if (status)
        return status;
    c.kv_heads = c.heads;
    c.original_context = c.context;
    c.head_size = c.embedding / c.heads;
    char key[128];
    if (!slm_keys_find(&file->keys, full_name(key, &c, "attention.key_length")) && c.embedding % c.heads)
        return slm_fail(err, SLM_E_FORMAT, "%s: key '%s': %u heads do not divide the width %u, and there is no key_length", file->path,
                        full_name(key, &c, "attention.head_count"), c.heads, c.embedding);
    if ((status = read_fields(&c, file, later_fields, sizeof later_fields / sizeof *later_fields, err)) != SLM_OK ||
        (status = read_eps(&c, file, err)) != SLM_OK || (status = read_vocab(&c, file, err)) != SLM_OK ||
        (status = read_scaling(&c, file, err)) != SLM_OK || (status = read_rope_size(&c, file, err)) != SLM_OK ||
        (status = read_window(&c, file, err)) != SLM_OK || (status = read_scales(&c, file, err)) != SLM_OK ||
        (status = read_causal(&c, file, err)) != SLM_OK || (status = read_ffn(&c, file, err)) != SLM_OK ||
        (status = read_encoder(&c, file, err)) != SLM_OK || (status = check(&c, file, err)) != SLM_OK)
        return status;
    if (c.rope_factor == 0)
        c.rope_factor = 1;
    for (size_t i = 0; i < file->n_tensors; i++) {
        const slm_type *type = file->tensors[i].type;
        c.by_row |= type && type->head;
        c.float_down |= file->tensors[i].n_dims > 1 && file->tensors[i].dims[0] == c.feed_forward && (!type || type->float_x);
    }
    *config = c;
    return SLM_OK;
}

/* Source: Peng et al. 2023 (YaRN). dim(r) is the index whose wave turns r times over the original context. */
static void yarn(const slm_config *c, double *w, double *m)
{
    const double r = c->rope_size, two_pi = 0x1.921fb54442d18p+2;
    const double per = r / (2.0 * slm_log_f64(c->rope_base)), orig = c->original_context;
    double low = floor(per * slm_log_f64(orig / (two_pi * c->yarn_beta_fast)));
    double high = ceil(per * slm_log_f64(orig / (two_pi * c->yarn_beta_slow)));
    low = low < 0 ? 0 : low;
    high = high > r - 1 ? r - 1 : high;
    const double width = high - low > 0.001 ? high - low : 0.001;
    for (uint32_t i = 0; i < c->rope_size / 2; i++) {
        double ramp = ((double)i - low) / width;
        ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
        w[i] = w[i] * (1.0 - ramp) + w[i] / c->rope_factor * ramp;
    }
    *m = c->yarn_attn_factor != 0 ? c->yarn_attn_factor : (1.0 + 0.1 * slm_log_f64(c->rope_factor)) * c->attn_factor;
}

void slm_config_rope(const slm_config *c, slm_rope_set set, const float *factors, double *w, double *m)
{
    const double base = set == SLM_ROPE_LOCAL ? c->local_base : c->rope_base;
    *m = c->scaling == SLM_SCALING_LONGROPE ? c->attn_factor : 1;
    for (uint32_t i = 0; i < c->rope_size / 2; i++)
        w[i] = slm_exp_f64(-2.0 * (double)i / (double)c->rope_size * slm_log_f64(base));
    if (set == SLM_ROPE_LOCAL) {
        *m = 1;
    } else if (factors) {
        for (uint32_t i = 0; i < c->rope_size / 2; i++)
            w[i] /= (double)factors[i];
    } else if (c->scaling == SLM_SCALING_YARN) {
        yarn(c, w, m);
    } else {
        for (uint32_t i = 0; i < c->rope_size / 2; i++)
            w[i] /= c->rope_factor;
    }
}

/* Source: Raffel et al. 2020 (T5). Half of the buckets for each side; in it half for one distance each, the rest by the logarithm up to
 * SLM_RELATIVE_MOST, the last one for all beyond. Where the quotient of logarithms is an integer it may come out a little less. */
uint32_t slm_config_bucket(const slm_config *c, uint32_t distance, bool behind)
{
    const uint32_t half = c->buckets / 2, each = half / 2, base = behind ? half : 0;
    if (distance < each)
        return base + distance;
    const double part = slm_log_f64((double)distance / each) / slm_log_f64(128.0 / each) * (half - each);
    const uint32_t bucket = each + (uint32_t)(part + 1e-9);
    return base + (bucket < half - 1 ? bucket : half - 1);
}
