/* config.h -- the numbers of a model, read from its keys and checked before anything is sized by them. */
#ifndef SLM_MODEL_CONFIG_H
#define SLM_MODEL_CONFIG_H

#include "format/file.h"
#include "model/arch.h"

typedef enum slm_rope_scaling { SLM_SCALING_LINEAR, SLM_SCALING_YARN } slm_rope_scaling;

typedef struct slm_config {
    const slm_arch *arch;
    uint32_t vocab, context, embedding, layers, heads, kv_heads, head_size, rope_size, feed_forward;
    uint32_t original_context;
    slm_rope_scaling scaling;
    double rope_base, rope_factor, attn_factor;
    double yarn_beta_fast, yarn_beta_slow, yarn_attn_factor;   /* yarn_attn_factor 0: by the formula */
    float norm_eps;
} slm_config;

/* SLM_E_UNSUPPORTED for an unknown architecture (names the known ones) or scaling; SLM_E_FORMAT for a missing key, a wrong type, a value
 * out of range or numbers that do not fit each other, always by key and number. vocab is the length of the token list, or the rows of
 * token_embd.weight where the file has no list. */
slm_status slm_config_read(slm_config *config, const slm_file *file, slm_error *err);

/* w[i] of rope for i < rope_size / 2 (families.md section 2), with `factors` [rope_size / 2] of rope_freqs.weight or NULL, and the
 * magnitude m of cos and sin. */
void slm_config_rope(const slm_config *config, const float *factors, double *w, double *m);

#endif
