/* arch.c -- the architecture table. Each row is exercised by a golden model; docs/families.md says which of its switches are not. */
#include "model/arch.h"

#include <string.h>

#define NAMES "llama, qwen2, qwen3, gemma, gemma2, gemma3, phi2, phi3, smollm3, gpt2, olmo2, stablelm, starcoder2, granite, " \
              "bert, nomic-bert, modern-bert, t5encoder"

static const slm_arch rows[] = {
    { .name = "llama", .rope = SLM_ROPE_NORMAL },
    { .name = "qwen2", .rope = SLM_ROPE_NEOX },
    { .name = "qwen3", .rope = SLM_ROPE_NEOX, .qk_norm = SLM_QK_HEAD },
    { .name = "gemma", .rope = SLM_ROPE_NEOX, .ffn = SLM_FFN_GELU_GATED, .head = SLM_HEAD_TIED, .scale_embedding = true },
    { .name = "gemma2", .rope = SLM_ROPE_NEOX, .norm_place = SLM_NORM_BOTH, .ffn = SLM_FFN_GELU_GATED, .head = SLM_HEAD_TIED,
      .scale_embedding = true, .window_key = true, .window = 4096, .pattern = 2, .score_cap_key = true, .score_cap = 50,
      .logit_cap_key = true, .logit_cap = 30, .wide_layers = 46 },
    { .name = "gemma3", .rope = SLM_ROPE_NEOX, .norm_place = SLM_NORM_BOTH, .qk_norm = SLM_QK_HEAD, .ffn = SLM_FFN_GELU_GATED,
      .scale_embedding = true, .window_key = true, .pattern = 6, .local_unscaled = true, .local_base = 10000, .logit_cap_key = true,
      .wide_layers = 62 },
    { .name = "phi2", .norm = SLM_NORM_LAYER, .rope = SLM_ROPE_NEOX, .partial_rope = true, .block = SLM_BLOCK_PARALLEL,
      .ffn = SLM_FFN_GELU, .head = SLM_HEAD_OWN, .qkv_bias = true, .bias = true, .head_bias = true },
    { .name = "phi3", .rope = SLM_ROPE_NEOX, .partial_rope = true, .longrope = true, .fused_gate_up = true, .window_key = true },
    { .name = "smollm3", .rope = SLM_ROPE_NORMAL, .no_rope_every = 4 },
    { .name = "gpt2", .norm = SLM_NORM_LAYER, .rope = SLM_ROPE_NONE, .positions = true, .ffn = SLM_FFN_GELU, .qkv_bias = true,
      .bias = true },
    { .name = "olmo2", .rope = SLM_ROPE_NEOX, .norm_place = SLM_NORM_AFTER, .qk_norm = SLM_QK_WHOLE, .head = SLM_HEAD_OWN,
      .window_key = true, .pattern = 4, .local_unscaled = true },
    { .name = "stablelm", .norm = SLM_NORM_LAYER, .rope = SLM_ROPE_NEOX, .partial_rope = true, .qk_norm = SLM_QK_LAYER,
      .block = SLM_BLOCK_BY_FILE, .head = SLM_HEAD_OWN },
    { .name = "starcoder2", .norm = SLM_NORM_LAYER, .rope = SLM_ROPE_NEOX, .ffn = SLM_FFN_GELU, .qkv_bias = true, .bias = true },
    { .name = "granite", .rope = SLM_ROPE_NORMAL, .scale_keys = true },
    { .name = "bert", .encoder = true, .norm = SLM_NORM_LAYER, .norm_place = SLM_NORM_SUM, .rope = SLM_ROPE_NONE, .positions = true,
      .token_types = true, .embedding_norm = true, .ffn = SLM_FFN_GELU_ERF, .head = SLM_HEAD_NONE, .qkv_bias = true, .bias = true,
      .post_attn = "attn_output_norm", .post_ffn = "layer_output_norm" },
    { .name = "nomic-bert", .encoder = true, .norm = SLM_NORM_LAYER, .norm_place = SLM_NORM_SUM, .rope = SLM_ROPE_NEOX,
      .token_types = true, .embedding_norm = true, .head = SLM_HEAD_NONE, .post_attn = "attn_output_norm",
      .post_ffn = "layer_output_norm" },
    { .name = "modern-bert", .encoder = true, .norm = SLM_NORM_LAYER, .rope = SLM_ROPE_NEOX, .embedding_norm = true,
      .first_unnormed = true, .ffn = SLM_FFN_GELU_ERF_GATED, .activation_key = true, .fused_gate_up = true, .head = SLM_HEAD_NONE,
      .window_key = true, .pattern = 3, .first_global = true, .local_unscaled = true, .local_base = 10000 },
    { .name = "t5encoder", .encoder = true, .rope = SLM_ROPE_NONE, .relative = true, .ffn = SLM_FFN_T5, .head = SLM_HEAD_NONE,
      .prefix = "enc.", .attn_output = "attn_o" },
};

const slm_arch *slm_arch_find(const char *name, unsigned long n)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

const char *slm_arch_names(void)
{
    return NAMES;
}
