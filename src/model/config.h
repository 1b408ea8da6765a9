/* config.h -- the numbers of a model, read from its keys and checked before anything is sized by them. */
#ifndef SLM_MODEL_CONFIG_H
#define SLM_MODEL_CONFIG_H

#include "core/limits.h"
#include "format/file.h"
#include "model/arch.h"

typedef enum slm_rope_scaling { SLM_SCALING_LINEAR, SLM_SCALING_YARN, SLM_SCALING_LONGROPE } slm_rope_scaling;

/* Tables of angles: of all layers (or the global ones), of longrope beyond the original context, of windowed layers. */
typedef enum slm_rope_set { SLM_ROPE_MAIN, SLM_ROPE_LONG, SLM_ROPE_LOCAL, SLM_ROPE_SETS } slm_rope_set;

typedef struct slm_config {
    const slm_arch *arch;
    uint32_t vocab, context, embedding, layers, heads, kv_heads, head_size, rope_size, feed_forward;
    uint32_t original_context;
    slm_rope_scaling scaling;
    double rope_base, rope_factor, attn_factor;
    double yarn_beta_fast, yarn_beta_slow, yarn_attn_factor;   /* yarn_attn_factor 0: by the formula */
    slm_ffn ffn;                /* of the row, or what the file decides */
    double local_base;          /* rope of windowed layers; 0: no table of their own */
    float norm_eps;
    uint32_t window;            /* a key is seen by the `window` tokens from its own on; 0: by all. Encoder: within window / 2 on either side */
    uint32_t buckets;           /* of relative positions; 0: none */
    uint32_t token_types;       /* rows of their table; 0: none */
    uint32_t pooling;           /* SLM_POOLING_... of the file; 0: it says nothing; 4: a rank */
    uint8_t windowed[SLM_LIMIT_LAYERS / 8];     /* a bit for each layer */
    float embedding_scale, residual_scale, logit_scale;     /* 1: nothing is multiplied */
    float score_scale, score_cap, logit_cap;    /* 0: no soft-cap */
    bool by_row;                /* some matrix has one scale a row (W8A8): its product takes slm_xrow */
    bool float_down;            /* some matrix as wide as the feed forward, as down is, takes f32 or what is made of it */
} slm_config;

static inline bool slm_config_windowed(const slm_config *config, size_t layer)
{
    return config->windowed[layer / 8] >> layer % 8 & 1;
}

/* Tables of angles a row needs at once. */
static inline size_t slm_config_rope_sets(const slm_config *config)
{
    return config->rope_size == 0 ? 0 : config->local_base != 0 ? 2 : 1;
}

/* Which angles the layers without a table of their own turn by in a session of `context` positions. */
static inline slm_rope_set slm_config_rope_long(const slm_config *config, size_t context)
{
    return config->scaling == SLM_SCALING_LONGROPE && context > config->original_context ? SLM_ROPE_LONG : SLM_ROPE_MAIN;
}

/* SLM_E_UNSUPPORTED for an unknown architecture (names the known ones) or scaling; SLM_E_FORMAT for a missing key, a wrong type, a value
 * out of range or numbers that do not fit each other, always by key and number. vocab is the length of the token list, or the rows of
 * token_embd.weight where the file has no list. */
slm_status slm_config_read(slm_config *config, const slm_file *file, slm_error *err);

/* w[i] of rope for i < rope_size / 2 (families.md section 2), with `factors` [rope_size / 2] of rope_freqs.weight or of longrope's set, or
 * NULL, and the magnitude m of cos and sin. */
void slm_config_rope(const slm_config *config, slm_rope_set set, const float *factors, double *w, double *m);

/* Bucket of a key at `distance` from the query, behind (after) it or before. */
uint32_t slm_config_bucket(const slm_config *config, uint32_t distance, bool behind);

#endif
