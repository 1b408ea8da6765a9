/* family.c -- the table of families in Hugging Face folders. Sources: the published configs and checkpoints of each, and for the names on
 * the GGUF side the GGUF specification and the files of its usual converters. */
#include "format/family.h"

#define U32(key, from)    { key, from, SLM_KIND_U32, 0, true }
#define MAY(key, from)    { key, from, SLM_KIND_U32, 0, false }
#define F32(key, from)    { key, from, SLM_KIND_F32, 0, true }
#define MAYF(key, from)   { key, from, SLM_KIND_F32, 0, false }
#define NUMBER(key, n)    { key, NULL, SLM_KIND_U32, n, false }
#define REAL(key, x)      { key, NULL, SLM_KIND_F32, x, false }
#define END               { NULL, NULL, SLM_KIND_U32, 0, false }
#define LAST              { NULL, NULL, SLM_OP_COPY }

/* ---- keys ------------------------------------------------------------------------------------------------------------------ */

static const slm_family_key usual[] = {
    U32("context_length", "max_position_embeddings"),
    U32("embedding_length", "hidden_size"),
    U32("block_count", "num_hidden_layers"),
    U32("feed_forward_length", "intermediate_size"),
    U32("attention.head_count", "num_attention_heads"),
    U32("attention.head_count_kv", "num_key_value_heads|num_attention_heads"),
    MAY("vocab_size", "vocab_size"),
    END
};

static const slm_family_key rms_rope[] = {
    F32("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    MAYF("rope.freq_base", "rope_theta|rope_parameters.rope_theta"),
    MAY("attention.key_length", "head_dim"),
    MAY("attention.value_length", "head_dim"),
    END
};

static const slm_family_key layer_rope[] = {
    F32("attention.layer_norm_epsilon", "layer_norm_eps|norm_epsilon"),
    MAYF("rope.freq_base", "rope_theta|rope_parameters.rope_theta"),
    END
};

static const slm_family_key granite_keys[] = {
    MAYF("attention.scale", "attention_multiplier"),
    MAYF("embedding_scale", "embedding_multiplier"),
    MAYF("residual_scale", "residual_multiplier"),
    F32("logit_scale", "logits_scaling"),
    END
};

static const slm_family_key phi3_keys[] = {
    MAY("attention.sliding_window", "sliding_window"),
    NUMBER("attention.sliding_window", 0),
    MAY("rope.scaling.original_context_length", "original_max_position_embeddings|max_position_embeddings"),
    END
};

static const slm_family_key gemma2_keys[] = {
    MAY("attention.sliding_window", "sliding_window"),
    MAYF("attn_logit_softcapping", "attn_logit_softcapping"),
    MAYF("final_logit_softcapping", "final_logit_softcapping"),
    END
};

/* Where the config of a model with images is nested, what equals its class's defaults is left out of it. */
static const slm_family_key gemma3_keys[] = {
    MAY("context_length", "max_position_embeddings"),
    NUMBER("context_length", 131072),
    MAY("embedding_length", "hidden_size"),
    NUMBER("embedding_length", 2304),
    MAY("block_count", "num_hidden_layers"),
    NUMBER("block_count", 26),
    MAY("feed_forward_length", "intermediate_size"),
    NUMBER("feed_forward_length", 9216),
    MAY("attention.head_count", "num_attention_heads"),
    NUMBER("attention.head_count", 8),
    MAY("attention.head_count_kv", "num_key_value_heads"),
    NUMBER("attention.head_count_kv", 4),
    MAY("attention.key_length", "head_dim"),
    NUMBER("attention.key_length", 256),
    MAY("attention.value_length", "head_dim"),
    NUMBER("attention.value_length", 256),
    MAYF("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    REAL("attention.layer_norm_rms_epsilon", 1e-6),
    MAYF("rope.freq_base", "rope_theta|rope_parameters.full_attention.rope_theta"),
    REAL("rope.freq_base", 1e6),
    MAYF("rope.freq_base_swa", "rope_local_base_freq|rope_parameters.sliding_attention.rope_theta"),
    REAL("rope.freq_base_swa", 1e4),
    MAY("attention.sliding_window", "sliding_window"),
    NUMBER("attention.sliding_window", 4096),
    MAYF("final_logit_softcapping", "final_logit_softcapping"),
    END
};

static const slm_family_key olmo3_keys[] = {
    U32("attention.sliding_window", "sliding_window"),
    END
};

static const slm_family_key gpt2_keys[] = {
    U32("context_length", "n_positions|n_ctx"),
    U32("embedding_length", "n_embd"),
    U32("block_count", "n_layer"),
    MAY("feed_forward_length", "n_inner"),
    { "feed_forward_length", "n_embd", SLM_KIND_U32, 4, true },
    U32("attention.head_count", "n_head"),
    U32("attention.head_count_kv", "n_head"),
    F32("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    END
};

static const slm_family_key stablelm_keys[] = {
    { "use_parallel_residual", "use_parallel_residual", SLM_KIND_BOOL, 0, false },
    END
};

static const slm_family_key bert_keys[] = {
    F32("attention.layer_norm_epsilon", "layer_norm_eps"),
    MAY("tokenizer.ggml.token_type_count", "type_vocab_size"),
    NUMBER("tokenizer.ggml.token_type_count", 1),
    END
};

static const slm_family_key distilbert_keys[] = {
    U32("context_length", "max_position_embeddings"),
    U32("embedding_length", "dim"),
    U32("block_count", "n_layers"),
    U32("feed_forward_length", "hidden_dim"),
    U32("attention.head_count", "n_heads"),
    U32("attention.head_count_kv", "n_heads"),
    REAL("attention.layer_norm_epsilon", 1e-12),
    MAY("vocab_size", "vocab_size"),
    NUMBER("tokenizer.ggml.token_type_count", 1),
    END
};

static const slm_family_key bart_keys[] = {
    U32("context_length", "max_position_embeddings"),
    U32("embedding_length", "d_model"),
    U32("block_count", "encoder_layers"),
    U32("feed_forward_length", "encoder_ffn_dim"),
    U32("attention.head_count", "encoder_attention_heads"),
    U32("attention.head_count_kv", "encoder_attention_heads"),
    REAL("attention.layer_norm_epsilon", 1e-5),
    MAY("vocab_size", "vocab_size"),
    NUMBER("tokenizer.ggml.token_type_count", 1),
    END
};

static const slm_family_key nomic_keys[] = {
    U32("context_length", "max_trained_positions|n_positions"),
    U32("embedding_length", "n_embd"),
    U32("block_count", "n_layer"),
    MAY("feed_forward_length", "n_inner"),
    { "feed_forward_length", "n_embd", SLM_KIND_U32, 4, true },
    U32("attention.head_count", "n_head"),
    U32("attention.head_count_kv", "n_head"),
    F32("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    MAYF("rope.freq_base", "rotary_emb_base"),
    MAY("vocab_size", "vocab_size"),
    MAY("tokenizer.ggml.token_type_count", "type_vocab_size"),
    NUMBER("tokenizer.ggml.token_type_count", 1),
    END
};

static const slm_family_key modern_bert_keys[] = {
    F32("attention.layer_norm_epsilon", "norm_eps"),
    F32("rope.freq_base", "global_rope_theta|rope_parameters.full_attention.rope_theta"),
    MAYF("rope.freq_base_swa", "local_rope_theta|rope_parameters.sliding_attention.rope_theta"),
    U32("attention.sliding_window", "local_attention"),
    U32("attention.sliding_window_pattern", "global_attn_every_n_layers"),
    END
};

static const slm_family_key t5_keys[] = {
    MAY("context_length", "n_positions"),
    NUMBER("context_length", 512),
    U32("embedding_length", "d_model"),
    U32("block_count", "num_layers"),
    U32("feed_forward_length", "d_ff"),
    U32("attention.head_count", "num_heads"),
    U32("attention.head_count_kv", "num_heads"),
    U32("attention.key_length", "d_kv"),
    U32("attention.value_length", "d_kv"),
    F32("attention.layer_norm_rms_epsilon", "layer_norm_epsilon"),
    F32("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    U32("attention.relative_buckets_count", "relative_attention_num_buckets"),
    MAY("vocab_size", "vocab_size"),
    END
};

/* ---- tensors --------------------------------------------------------------------------------------------------------------- */

static const slm_family_tensor outside[] = {        /* of the layers */
    { "token_embd", "embed_tokens", SLM_OP_COPY },
    { "output_norm", "norm", SLM_OP_COPY },
    { "output", "lm_head", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor gated[] = {
    { "blk.%.ffn_gate", "layers.%.mlp.gate_proj", SLM_OP_COPY },
    { "blk.%.ffn_up", "layers.%.mlp.up_proj", SLM_OP_COPY },
    { "blk.%.ffn_down", "layers.%.mlp.down_proj", SLM_OP_COPY },
    { "blk.%.attn_v", "layers.%.self_attn.v_proj", SLM_OP_COPY },
    { "blk.%.attn_output", "layers.%.self_attn.o_proj", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor turned[] = {
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_COPY },
    { "blk.%.ffn_norm", "layers.%.post_attention_layernorm", SLM_OP_COPY },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_TURN_Q },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_TURN_K },
    LAST
};

static const slm_family_tensor straight[] = {
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_COPY },
    { "blk.%.ffn_norm", "layers.%.post_attention_layernorm", SLM_OP_COPY },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_COPY },
    { "blk.%.attn_q_norm", "layers.%.self_attn.q_norm|layers.%.self_attn.q_layernorm.norms.#", SLM_OP_COPY },
    { "blk.%.attn_k_norm", "layers.%.self_attn.k_norm|layers.%.self_attn.k_layernorm.norms.#", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor gemma_tensors[] = {
    { "token_embd", "embed_tokens", SLM_OP_COPY },
    { "output_norm", "norm", SLM_OP_PLUS_ONE },
    { "output", "lm_head", SLM_OP_COPY },
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.ffn_norm", "layers.%.post_attention_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor gemma2_tensors[] = {     /* gemma3's too */
    { "token_embd", "embed_tokens", SLM_OP_COPY },
    { "output_norm", "norm", SLM_OP_PLUS_ONE },
    { "output", "lm_head", SLM_OP_COPY },
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.post_attention_norm", "layers.%.post_attention_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.ffn_norm", "layers.%.pre_feedforward_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.post_ffw_norm", "layers.%.post_feedforward_layernorm", SLM_OP_PLUS_ONE },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_COPY },
    { "blk.%.attn_q_norm", "layers.%.self_attn.q_norm", SLM_OP_PLUS_ONE },
    { "blk.%.attn_k_norm", "layers.%.self_attn.k_norm", SLM_OP_PLUS_ONE },
    LAST
};

static const slm_family_tensor olmo2_tensors[] = {
    { "blk.%.post_attention_norm", "layers.%.post_attention_layernorm", SLM_OP_COPY },
    { "blk.%.post_ffw_norm", "layers.%.post_feedforward_layernorm", SLM_OP_COPY },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_COPY },
    { "blk.%.attn_q_norm", "layers.%.self_attn.q_norm", SLM_OP_COPY },
    { "blk.%.attn_k_norm", "layers.%.self_attn.k_norm", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor phi_tensors[] = {
    { "token_embd", "embed_tokens", SLM_OP_COPY },
    { "output_norm", "final_layernorm", SLM_OP_COPY },
    { "output", "lm_head", SLM_OP_COPY },
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_COPY },
    { "blk.%.attn_q", "layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "layers.%.self_attn.k_proj", SLM_OP_COPY },
    { "blk.%.attn_v", "layers.%.self_attn.v_proj", SLM_OP_COPY },
    { "blk.%.attn_output", "layers.%.self_attn.dense", SLM_OP_COPY },
    { "blk.%.ffn_up", "layers.%.mlp.fc1", SLM_OP_COPY },
    { "blk.%.ffn_down", "layers.%.mlp.fc2", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor phi3_tensors[] = {
    { "blk.%.attn_norm", "layers.%.input_layernorm", SLM_OP_COPY },
    { "blk.%.ffn_norm", "layers.%.post_attention_layernorm", SLM_OP_COPY },
    { "blk.%.attn_qkv", "layers.%.self_attn.qkv_proj", SLM_OP_COPY },
    { "blk.%.attn_output", "layers.%.self_attn.o_proj", SLM_OP_COPY },
    { "blk.%.ffn_up", "layers.%.mlp.gate_up_proj", SLM_OP_COPY },
    { "blk.%.ffn_down", "layers.%.mlp.down_proj", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor gpt2_tensors[] = {
    { "token_embd", "wte", SLM_OP_COPY },
    { "position_embd", "wpe", SLM_OP_COPY },
    { "output_norm", "ln_f", SLM_OP_COPY },
    { "output", "lm_head", SLM_OP_COPY },
    { "blk.%.attn_norm", "h.%.ln_1", SLM_OP_COPY },
    { "blk.%.attn_qkv", "h.%.attn.c_attn", SLM_OP_TRANSPOSE },
    { "blk.%.attn_output", "h.%.attn.c_proj", SLM_OP_TRANSPOSE },
    { "blk.%.ffn_norm", "h.%.ln_2", SLM_OP_COPY },
    { "blk.%.ffn_up", "h.%.mlp.c_fc", SLM_OP_TRANSPOSE },
    { "blk.%.ffn_down", "h.%.mlp.c_proj", SLM_OP_TRANSPOSE },
    LAST
};

static const slm_family_tensor starcoder2_tensors[] = {
    { "blk.%.attn_v", "layers.%.self_attn.v_proj", SLM_OP_COPY },
    { "blk.%.attn_output", "layers.%.self_attn.o_proj", SLM_OP_COPY },
    { "blk.%.ffn_up", "layers.%.mlp.c_fc", SLM_OP_COPY },
    { "blk.%.ffn_down", "layers.%.mlp.c_proj", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor bert_layers[] = {
    { "token_embd", "embeddings.word_embeddings", SLM_OP_COPY },
    { "token_types", "embeddings.token_type_embeddings", SLM_OP_COPY },
    { "token_embd_norm", "embeddings.LayerNorm", SLM_OP_COPY },
    { "blk.%.attn_q", "encoder.layer.%.attention.self.query", SLM_OP_COPY },
    { "blk.%.attn_k", "encoder.layer.%.attention.self.key", SLM_OP_COPY },
    { "blk.%.attn_v", "encoder.layer.%.attention.self.value", SLM_OP_COPY },
    { "blk.%.attn_output", "encoder.layer.%.attention.output.dense", SLM_OP_COPY },
    { "blk.%.attn_output_norm", "encoder.layer.%.attention.output.LayerNorm", SLM_OP_COPY },
    { "blk.%.ffn_up", "encoder.layer.%.intermediate.dense", SLM_OP_COPY },
    { "blk.%.ffn_down", "encoder.layer.%.output.dense", SLM_OP_COPY },
    { "blk.%.layer_output_norm", "encoder.layer.%.output.LayerNorm", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor no_types[] = { { "token_types", "", SLM_OP_ZEROS }, LAST };     /* the GGUF's family adds a row of them */
static const slm_family_tensor bert_positions[] = { { "position_embd", "embeddings.position_embeddings", SLM_OP_COPY }, LAST };
static const slm_family_tensor roberta_positions[] = { { "position_embd", "embeddings.position_embeddings", SLM_OP_SKIP }, LAST };

static const slm_family_tensor distilbert_tensors[] = {
    { "token_embd", "embeddings.word_embeddings", SLM_OP_COPY },
    { "position_embd", "embeddings.position_embeddings", SLM_OP_COPY },
    { "token_embd_norm", "embeddings.LayerNorm", SLM_OP_COPY },
    { "blk.%.attn_q", "transformer.layer.%.attention.q_lin", SLM_OP_COPY },
    { "blk.%.attn_k", "transformer.layer.%.attention.k_lin", SLM_OP_COPY },
    { "blk.%.attn_v", "transformer.layer.%.attention.v_lin", SLM_OP_COPY },
    { "blk.%.attn_output", "transformer.layer.%.attention.out_lin", SLM_OP_COPY },
    { "blk.%.attn_output_norm", "transformer.layer.%.sa_layer_norm", SLM_OP_COPY },
    { "blk.%.ffn_up", "transformer.layer.%.ffn.lin1", SLM_OP_COPY },
    { "blk.%.ffn_down", "transformer.layer.%.ffn.lin2", SLM_OP_COPY },
    { "blk.%.layer_output_norm", "transformer.layer.%.output_layer_norm", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor bart_tensors[] = {       /* its encoder is a BERT */
    { "token_embd", "shared", SLM_OP_COPY },
    { "position_embd", "encoder.embed_positions", SLM_OP_SKIP },
    { "token_embd_norm", "encoder.layernorm_embedding", SLM_OP_COPY },
    { "blk.%.attn_q", "encoder.layers.%.self_attn.q_proj", SLM_OP_COPY },
    { "blk.%.attn_k", "encoder.layers.%.self_attn.k_proj", SLM_OP_COPY },
    { "blk.%.attn_v", "encoder.layers.%.self_attn.v_proj", SLM_OP_COPY },
    { "blk.%.attn_output", "encoder.layers.%.self_attn.out_proj", SLM_OP_COPY },
    { "blk.%.attn_output_norm", "encoder.layers.%.self_attn_layer_norm", SLM_OP_COPY },
    { "blk.%.ffn_up", "encoder.layers.%.fc1", SLM_OP_COPY },
    { "blk.%.ffn_down", "encoder.layers.%.fc2", SLM_OP_COPY },
    { "blk.%.layer_output_norm", "encoder.layers.%.final_layer_norm", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor nomic_tensors[] = {
    { "token_embd", "embeddings.word_embeddings", SLM_OP_COPY },
    { "token_types", "embeddings.token_type_embeddings", SLM_OP_COPY },
    { "token_embd_norm", "emb_ln", SLM_OP_COPY },
    { "blk.%.attn_qkv", "encoder.layers.%.attn.Wqkv", SLM_OP_COPY },
    { "blk.%.attn_output", "encoder.layers.%.attn.out_proj", SLM_OP_COPY },
    { "blk.%.attn_output_norm", "encoder.layers.%.norm1", SLM_OP_COPY },
    { "blk.%.ffn_up", "encoder.layers.%.mlp.fc11", SLM_OP_COPY },
    { "blk.%.ffn_gate", "encoder.layers.%.mlp.fc12", SLM_OP_COPY },
    { "blk.%.ffn_down", "encoder.layers.%.mlp.fc2", SLM_OP_COPY },
    { "blk.%.layer_output_norm", "encoder.layers.%.norm2", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor modern_bert_tensors[] = {
    { "token_embd", "embeddings.tok_embeddings", SLM_OP_COPY },
    { "token_embd_norm", "embeddings.norm", SLM_OP_COPY },
    { "output_norm", "final_norm", SLM_OP_COPY },
    { "blk.%.attn_norm", "layers.%.attn_norm", SLM_OP_COPY },
    { "blk.%.attn_qkv", "layers.%.attn.Wqkv", SLM_OP_COPY },
    { "blk.%.attn_output", "layers.%.attn.Wo", SLM_OP_COPY },
    { "blk.%.ffn_norm", "layers.%.mlp_norm", SLM_OP_COPY },
    { "blk.%.ffn_up", "layers.%.mlp.Wi", SLM_OP_COPY },
    { "blk.%.ffn_down", "layers.%.mlp.Wo", SLM_OP_COPY },
    LAST
};

static const slm_family_tensor t5_tensors[] = {
    { "token_embd", "shared", SLM_OP_COPY },
    { "enc.output_norm", "encoder.final_layer_norm", SLM_OP_COPY },
    { "enc.blk.%.attn_norm", "encoder.block.%.layer.0.layer_norm", SLM_OP_COPY },
    { "enc.blk.%.attn_q", "encoder.block.%.layer.0.SelfAttention.q", SLM_OP_COPY },
    { "enc.blk.%.attn_k", "encoder.block.%.layer.0.SelfAttention.k", SLM_OP_COPY },
    { "enc.blk.%.attn_v", "encoder.block.%.layer.0.SelfAttention.v", SLM_OP_COPY },
    { "enc.blk.%.attn_o", "encoder.block.%.layer.0.SelfAttention.o", SLM_OP_COPY },
    { "enc.blk.%.attn_rel_b", "encoder.block.%.layer.0.SelfAttention.relative_attention_bias", SLM_OP_COPY },
    { "enc.blk.%.ffn_norm", "encoder.block.%.layer.1.layer_norm", SLM_OP_COPY },
    { "enc.blk.%.ffn_gate", "encoder.block.%.layer.1.DenseReluDense.wi_0", SLM_OP_COPY },
    { "enc.blk.%.ffn_up", "encoder.block.%.layer.1.DenseReluDense.wi_1|encoder.block.%.layer.1.DenseReluDense.wi", SLM_OP_COPY },
    { "enc.blk.%.ffn_down", "encoder.block.%.layer.1.DenseReluDense.wo", SLM_OP_COPY },
    LAST
};

/* ---- settings that must not be otherwise ----------------------------------------------------------------------------------- */

static const slm_family_must silu[] = { { "hidden_act", "silu|swish" }, { NULL, NULL } };
static const slm_family_must no_window[] = { { "use_sliding_window", "false" }, { NULL, NULL } };
static const slm_family_must gemma_must[] = {
    { "hidden_activation", "gelu_pytorch_tanh" }, { "hidden_act", "gelu|gelu_pytorch_tanh|gelu_new" }, { "tie_word_embeddings", "true" },
    { NULL, NULL }
};
static const slm_family_must gemma3_must[] = {
    { "hidden_activation", "gelu_pytorch_tanh" }, { "use_bidirectional_attention", "false" }, { "attn_logit_softcapping", "" }, { NULL, NULL }
};
static const slm_family_must phi_must[] = {
    { "hidden_act", "gelu_new|gelu_pytorch_tanh|gelu_fast" }, { "qk_layernorm", "false" }, { NULL, NULL }
};
static const slm_family_must gpt2_must[] = {
    { "activation_function", "gelu_new|gelu_pytorch_tanh|gelu_fast" }, { "scale_attn_weights", "true" },
    { "scale_attn_by_inverse_layer_idx", "false" }, { "add_cross_attention", "false" }, { NULL, NULL }
};
static const slm_family_must starcoder2_must[] = { { "hidden_act", "gelu_pytorch_tanh|gelu_new" }, { NULL, NULL } };
static const slm_family_must bert_must[] = {
    { "hidden_act", "gelu" }, { "position_embedding_type", "absolute" }, { "is_decoder", "false" }, { NULL, NULL }
};
static const slm_family_must distilbert_must[] = { { "activation", "gelu" }, { NULL, NULL } };
static const slm_family_must bart_must[] = { { "activation_function", "gelu" }, { "scale_embedding", "false" }, { NULL, NULL } };
static const slm_family_must nomic_must[] = {
    { "activation_function", "swiglu" }, { "prenorm", "false" }, { "parallel_block", "false" }, { "rotary_emb_fraction", "1|1.0" },
    { "rotary_emb_interleaved", "false" }, { "rotary_scaling_factor", "1|1.0" }, { "use_rms_norm", "false" }, { "num_experts", "0" },
    { NULL, NULL }
};
static const slm_family_must modern_bert_must[] = {
    { "hidden_activation", "gelu" }, { "norm_bias", "false" }, { "mlp_bias", "false" }, { "attention_bias", "false" }, { NULL, NULL }
};
static const slm_family_must t5_must[] = {
    { "feed_forward_proj", "gated-gelu|relu" }, { "relative_attention_max_distance", "128" }, { NULL, NULL }
};

/* ---- the families ---------------------------------------------------------------------------------------------------------- */

#define BUFFERS "*.rotary_emb.inv_freq|*.masked_bias"
#define HEADS   "pooler.*|cls.*|lm_head.*|classifier.*|*position_ids|qa_outputs.*"

const slm_family slm_families[] = {
    { .model_type = "llama", .arch = "llama", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, turned }, .must = { silu }, .scaling = true, .rotary = 1 },
    { .model_type = "mistral", .arch = "llama", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, turned }, .must = { silu }, .scaling = true, .rotary = 1 },
    { .model_type = "qwen2", .arch = "qwen2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, straight }, .must = { silu, no_window }, .scaling = true },
    { .model_type = "qwen3", .arch = "qwen3", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, straight }, .must = { silu, no_window }, .scaling = true },
    { .model_type = "gemma", .arch = "gemma", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { gemma_tensors, gated }, .must = { gemma_must }, .tied = true },
    { .model_type = "gemma2", .arch = "gemma2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope, gemma2_keys },
      .tensors = { gemma2_tensors, gated }, .must = { gemma_must }, .tied = true, .query_scale = true, .pattern = 2, .wide_layers = 46 },
    { .model_type = "gemma3_text", .arch = "gemma3", .prefixes = "model.|", .ignored = BUFFERS, .keys = { gemma3_keys },
      .tensors = { gemma2_tensors, gated }, .must = { gemma3_must }, .tied = true, .scaling = true, .query_scale = true, .pattern = 6,
      .wide_layers = 62 },
    { .model_type = "gemma3", .arch = "gemma3", .nested = "text_config", .prefixes = "language_model.model.|model.language_model.|language_model.",
      .ignored = "*vision_tower.*|*multi_modal_projector.*|" BUFFERS, .keys = { gemma3_keys }, .tensors = { gemma2_tensors, gated },
      .must = { gemma3_must }, .tied = true, .scaling = true, .query_scale = true, .pattern = 6, .wide_layers = 62 },
    { .model_type = "phi", .arch = "phi2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, layer_rope },
      .tensors = { phi_tensors }, .must = { phi_must }, .rotary = 0.5 },
    { .model_type = "phi3", .arch = "phi3", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope, phi3_keys },
      .tensors = { outside, phi3_tensors }, .must = { silu }, .scaling = true, .rotary = 1 },
    { .model_type = "smollm3", .arch = "smollm3", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, turned }, .must = { silu, no_window }, .tied = true, .scaling = true, .rotary = 1, .no_rope_every = 4 },
    { .model_type = "gpt2", .arch = "gpt2", .prefixes = "transformer.|", .ignored = "*.attn.bias|" BUFFERS, .keys = { gpt2_keys },
      .tensors = { gpt2_tensors }, .must = { gpt2_must }, .tied = true },
    { .model_type = "olmo2", .arch = "olmo2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope },
      .tensors = { outside, gated, olmo2_tensors }, .must = { silu }, .scaling = true },
    { .model_type = "olmo3", .arch = "olmo2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope, olmo3_keys },
      .tensors = { outside, gated, olmo2_tensors }, .must = { silu }, .scaling = true, .pattern = 4 },
    { .model_type = "stablelm", .arch = "stablelm", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, layer_rope, stablelm_keys },
      .tensors = { outside, gated, straight }, .must = { silu }, .rotary = 0.25 },
    { .model_type = "starcoder2", .arch = "starcoder2", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, layer_rope },
      .tensors = { outside, starcoder2_tensors, straight }, .must = { starcoder2_must }, .tied = true },
    { .model_type = "granite", .arch = "granite", .prefixes = "model.|", .ignored = BUFFERS, .keys = { usual, rms_rope, granite_keys },
      .tensors = { outside, gated, turned }, .must = { silu }, .scaling = true, .rotary = 1 },

    { .model_type = "bert", .arch = "bert", .prefixes = "bert.|", .ignored = HEADS, .keys = { usual, bert_keys },
      .tensors = { bert_layers, bert_positions, no_types }, .must = { bert_must }, .encoder = true },
    { .model_type = "roberta", .arch = "bert", .prefixes = "roberta.|", .ignored = HEADS, .keys = { usual, bert_keys },
      .tensors = { bert_layers, roberta_positions, no_types }, .must = { bert_must }, .encoder = true },
    { .model_type = "xlm-roberta", .arch = "bert", .prefixes = "roberta.|", .ignored = HEADS, .keys = { usual, bert_keys },
      .tensors = { bert_layers, roberta_positions, no_types }, .must = { bert_must }, .encoder = true },
    { .model_type = "distilbert", .arch = "bert", .prefixes = "distilbert.|",
      .ignored = "vocab_transform.*|vocab_layer_norm.*|vocab_projector.*|pre_classifier.*|" HEADS, .keys = { distilbert_keys },
      .tensors = { distilbert_tensors, no_types }, .must = { distilbert_must }, .encoder = true },
    { .model_type = "bart", .arch = "bert", .prefixes = "model.|",
      .ignored = "decoder.*|final_logits_bias|encoder.embed_tokens.*|classification_head.*|" HEADS, .keys = { bart_keys },
      .tensors = { bart_tensors, no_types }, .must = { bart_must }, .encoder = true, .skipped = 2 },
    { .model_type = "nomic_bert", .arch = "nomic-bert", .prefixes = "bert.|", .ignored = HEADS "|" BUFFERS, .keys = { nomic_keys },
      .tensors = { nomic_tensors, no_types }, .must = { nomic_must }, .encoder = true },
    { .model_type = "modernbert", .arch = "modern-bert", .prefixes = "model.|", .ignored = "head.*|decoder.*|classifier.*|" BUFFERS,
      .keys = { usual, modern_bert_keys }, .tensors = { modern_bert_tensors }, .must = { modern_bert_must }, .encoder = true },
    { .model_type = "t5", .arch = "t5encoder", .prefixes = "", .ignored = "decoder.*|lm_head.*|encoder.embed_tokens.*", .keys = { t5_keys },
      .tensors = { t5_tensors }, .must = { t5_must }, .encoder = true },
    { .model_type = NULL }
};
