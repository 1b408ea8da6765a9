/* family.h -- how each family of models lies in a Hugging Face folder and what its GGUF has instead: rows that folder.c reads.
 *
 * In names and paths '|' separates alternatives, of which the first that is there counts. In names of tensors '%' is the number of the
 * layer and '#' that of a head; ".weight" and ".bias" follow both names of a row. */
#ifndef SLM_FORMAT_FAMILY_H
#define SLM_FORMAT_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens to the values of a tensor. With '#' in its name the tensors of all heads become the rows of one. */
typedef enum slm_family_op {
    SLM_OP_COPY,
    SLM_OP_TURN_Q, SLM_OP_TURN_K,   /* rows of each head: from halves to pairs, as rope of GGUF's llama wants them */
    SLM_OP_PLUS_ONE,                /* norms that are published without the 1 they are applied with */
    SLM_OP_TRANSPOSE,               /* stored [in][out]. A bias is copied */
    SLM_OP_SKIP,                    /* the first rows are never used and go: as many as the family says */
    SLM_OP_ZEROS                    /* of the row without a name in `hf`: one row of zeros, where no tensor gives this one */
} slm_family_op;

typedef struct slm_family_tensor {
    const char *gguf, *hf;          /* NULL ends a list */
    slm_family_op op;
} slm_family_tensor;

typedef enum slm_family_kind { SLM_KIND_U32, SLM_KIND_F32, SLM_KIND_BOOL } slm_family_kind;

/* A key of the GGUF. The first row that gives a value counts: later ones of the same key are its defaults. */
typedef struct slm_family_key {
    const char *key;                /* after "ARCH."; with "tokenizer." in front: as it is. NULL ends a list */
    const char *from;               /* path in config.json; NULL: the constant `times` */
    slm_family_kind kind;
    double times;                   /* the value is multiplied by it; 0: it is not */
    bool required;
} slm_family_key;

/* A setting under which the family would compute something else than this library does. */
typedef struct slm_family_must {
    const char *path;               /* NULL ends a list; absent or null is fine */
    const char *values;             /* what it may be */
} slm_family_must;

typedef struct slm_family {
    const char *model_type;         /* of config.json; NULL ends the table */
    const char *arch;               /* general.architecture */
    const char *nested;             /* the object of config.json with the model's numbers, where there is one; NULL: it never is */
    const char *prefixes;           /* that tensor names may begin with */
    const char *ignored;            /* names of tensors that are not of the model; '*' at either end: anything */
    const slm_family_key *keys[3];
    const slm_family_tensor *tensors[3];
    const slm_family_must *must[2];
    bool tied;                      /* the head is the embedding where tie_word_embeddings is not said */
    bool scaling;                   /* rope_scaling is understood */
    bool encoder;                   /* not causal */
    bool query_scale;               /* query_pre_attn_scalar must be what the GGUF implies */
    double rotary;                  /* share of a head that is turned, where the config does not say it; 0: no key is written */
    uint32_t skipped;               /* rows that SKIP leaves out; 0: pad_token_id + 1, and the context is that much shorter */
    uint32_t pattern;               /* windowed layers without a key: the last of every n is global; 0: no windows of this kind */
    uint32_t wide_layers;           /* a model of so many layers scales scores by 1/sqrt(embedding/heads) */
    uint32_t no_rope_every;         /* the last of every n layers rotates nothing; 0: all rotate */
} slm_family;

/* The rows, ended by model_type NULL. */
extern const slm_family slm_families[];

#endif
