/* arch.h -- the architecture table: a family is a row of switches that config, bind and decoder read, each in one place.
 *
 * A switch's zero is what most families do: rms norm before both branches, every head rotated, gated silu, a head that is tied where the
 * file has none, biases where the file has them. What only numbers decide (soft-caps, scales, windows) is in the config. */
#ifndef SLM_MODEL_ARCH_H
#define SLM_MODEL_ARCH_H

#include <stdbool.h>
#include <stdint.h>

typedef enum slm_norm_kind { SLM_NORM_RMS, SLM_NORM_LAYER } slm_norm_kind;
typedef enum slm_norm_place {
    SLM_NORM_BEFORE, SLM_NORM_AFTER, SLM_NORM_BOTH,             /* of what a branch reads, of what it gives */
    SLM_NORM_SUM                /* of x after a branch was added; then there is no last norm */
} slm_norm_place;
typedef enum slm_rope_pairing { SLM_ROPE_NORMAL, SLM_ROPE_NEOX, SLM_ROPE_NONE } slm_rope_pairing;
typedef enum slm_qk_norm {
    SLM_QK_NONE,
    SLM_QK_HEAD,                /* rms norm of each head, one row of weights for all */
    SLM_QK_WHOLE,               /* rms norm over the whole projection */
    SLM_QK_LAYER                /* layer norm of each head, a row of weights for each; where the file has them */
} slm_qk_norm;
typedef enum slm_block { SLM_BLOCK_SERIAL, SLM_BLOCK_PARALLEL, SLM_BLOCK_BY_FILE } slm_block;   /* BY_FILE: parallel without ffn_norm */
typedef enum slm_ffn {
    SLM_FFN_SILU, SLM_FFN_GELU_GATED, SLM_FFN_GELU_ERF_GATED,   /* down(act(gate) * up); gelu by tanh unless said */
    SLM_FFN_GELU, SLM_FFN_GELU_ERF, SLM_FFN_RELU,               /* down(act(up)) */
    SLM_FFN_T5                  /* with a gate GELU_GATED, without RELU; the config has what the file says */
} slm_ffn;
static inline bool slm_ffn_gated(slm_ffn ffn)
{
    return ffn <= SLM_FFN_GELU_ERF_GATED;
}
typedef enum slm_head { SLM_HEAD_IF_ABSENT, SLM_HEAD_TIED, SLM_HEAD_OWN, SLM_HEAD_NONE } slm_head;

typedef struct slm_arch {
    const char *name;           /* general.architecture */
    slm_norm_kind norm;
    slm_norm_place norm_place;
    slm_rope_pairing rope;      /* pairs (2i, 2i+1) or (i, i + R/2); no key says which */
    slm_qk_norm qk_norm;
    slm_block block;
    slm_ffn ffn;
    slm_head head;
    bool partial_rope;          /* rope.dimension_count may be less than a head has */
    bool longrope;              /* rope_factors_short and _long are read */
    bool fused_gate_up;         /* ffn_up holds the gate, then the up half */
    bool qkv_bias, bias;        /* of q, k, v; of output, up, down and norms: required */
    bool head_bias;             /* of the head: required */
    bool positions;             /* learned ones, added to the embedding */
    bool scale_embedding;       /* by sqrt(embedding) */
    bool scale_keys;            /* the four scales of granite are read */
    bool local_unscaled;        /* windowed layers: their own base, no scaling */
    double local_base;          /* of windowed layers where no key says it; 0: that of the others */
    uint32_t no_rope_every;     /* the last of every n layers rotates nothing; 0: all rotate */
    bool window_key;            /* attention.sliding_window is read */
    uint32_t window, pattern;   /* where their keys are absent; pattern n: the last of every n is global, 0: none is */
    double score_cap, logit_cap;        /* soft-caps where their keys are absent; 0: none */
    bool score_cap_key, logit_cap_key;  /* are they read? */
    /* encoders */
    bool encoder;               /* every token sees all; hidden states come out, there is no head */
    bool embedding_norm;        /* of what the layers begin with */
    bool token_types;           /* the first row of their table is added to the embedding */
    bool first_unnormed;        /* layer 0 has no norm before its attention */
    bool first_global;          /* pattern n: the first of every n layers is global, instead of the last */
    bool activation_key;        /* hidden_activation may say silu */
    bool relative;              /* a bias by distance is added to the scores, which are not scaled */
    const char *prefix;         /* of the layers' and the last norm's names; NULL: none */
    const char *attn_output, *post_attn, *post_ffn;     /* names of tensors; NULL: attn_output, post_attention_norm, post_ffw_norm */
    uint32_t wide_layers;       /* a model of so many layers scales scores by 1/sqrt(embedding/heads), and no key says so */
} slm_arch;

/* The row of general.architecture `name` [n bytes], or NULL. */
const slm_arch *slm_arch_find(const char *name, unsigned long n);

/* "llama, qwen2, ...": all rows, for messages. */
const char *slm_arch_names(void);

#endif
