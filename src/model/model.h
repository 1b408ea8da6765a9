/* model.h -- a model in memory: checked numbers and weights as panels; read-only after open. */
#ifndef SLM_MODEL_MODEL_H
#define SLM_MODEL_MODEL_H

#include "core/map.h"
#include "core/team.h"
#include "model/config.h"
#include "quant/matrix.h"

#include <stdatomic.h>

/* w NULL: the layer has no such norm. b NULL: nothing is added. */
typedef struct slm_norm {
    float *w, *b;
} slm_norm;

typedef struct slm_layer {
    slm_norm attn_norm, ffn_norm, post_attn, post_ffn;          /* [embedding] */
    float *q_norm, *k_norm;                                     /* as arch->qk_norm says; NULL: none */
    slm_matrix q, k, v, o;                                      /* [heads * head size, embedding], ..., o the other way */
    slm_matrix gate, up, down;                                  /* [feed forward, embedding] x 2, down the other way; gate.type NULL: none */
    float *q_bias, *k_bias, *v_bias, *o_bias;                   /* [rows of each]; NULL: none */
    float *gate_bias, *up_bias, *down_bias;
    bool parallel;                                              /* both branches read the first norm */
} slm_layer;

/* Beyond this distance every bias is the last one: keys from -MOST to MOST beside the query. */
enum { SLM_RELATIVE_MOST = 128, SLM_RELATIVE_ROW = 2 * SLM_RELATIVE_MOST + 1 };

struct slm_model {
    slm_heap heap;              /* first: slm_heap_new_owner */
    atomic_size_t holds;        /* the caller's and one for each session */
    slm_config config;
    slm_kernels kernels;
    unsigned isa;
    slm_team *team;
    slm_log log;
    slm_map *map;               /* holds the panels of all matrices; NULL: `panels` does */
    uint8_t *panels;
    slm_tokenizer *tokenizer;   /* NULL: none; made and freed by the floor that knows text */
    slm_matrix embedding, head; /* head.type NULL: tied */
    slm_matrix positions;       /* [context, embedding]; type NULL: none */
    slm_matrix token_types;     /* [types, embedding]; type NULL: none */
    slm_norm embedding_norm;
    float *relative;            /* [heads][SLM_RELATIVE_ROW] added to the score of a key by its distance; NULL: none */
    slm_norm output_norm;
    float *output_bias;
    slm_layer *layers;          /* [config.layers] */
    double *rope_w[SLM_ROPE_SETS];      /* [rope_size / 2] each; NULL: no layer asks for it */
    double rope_m[SLM_ROPE_SETS];
    char *name;
    char *chat_template;        /* [chat_template_len] and a NUL; NULL: none. Set by the floor that opens models */
    size_t chat_template_len;
    char id[65];                /* valid from id_state 2 on: slm_model_identity */
    atomic_int id_state;
    uint64_t parameters, weight_bytes, step_bytes, matrix_params;
};

static inline const slm_matrix *slm_model_head(const slm_model *model)
{
    return model->head.type ? &model->head : &model->embedding;
}

/* Reads config and weights of an open file into `model`, whose heap, kernels, team and (for a packed file) map are set. progress may be
 * NULL. beside: one more task to be run while weights are read, with index 0 (NULL: none); on failure it may have run. On failure
 * slm_model_release cleans up. */
slm_status slm_model_bind(slm_model *model, const slm_file *file, slm_progress_fn *progress, void *user, slm_task_fn *beside, void *ctx,
                          slm_error *err);

/* Everything but the object and the tokenizer. */
void slm_model_release(slm_model *model);

#endif
