/* session.h -- one sequence of tokens: what the files of this floor share. */
#ifndef SLM_SESSION_SESSION_H
#define SLM_SESSION_SESSION_H

#include "model/decoder.h"
#include "model/profile.h"
#include "text/tokenizer.h"

struct slm_session {
    slm_model *model;           /* held */
    slm_kv kv;
    slm_work *work;             /* NULL until the session is fed alone: in a batch it needs none */
    int32_t *tokens;            /* [context]; position of them are in the sequence */
    float *logits;              /* [vocab] after the last token, if has_logits */
    size_t context, position;
    bool has_logits;
    uint32_t chunk;             /* of the params */
    uint32_t deadline_ms;
    slm_profile *profile;       /* NULL: nothing is measured */
    atomic_int cancel;
    atomic_flag busy;           /* a call is running */
};

enum { SLM_SESSION_CONTEXT = 4096 };    /* the most that context 0 stands for */

/* The numbers a session of this model gets by params that are checked here. */
typedef struct slm_session_shape {
    size_t context;
    uint32_t chunk, deadline_ms;
    uint32_t kv;
} slm_session_shape;
slm_status slm_session_shape_read(slm_session_shape *shape, const slm_config *config, const slm_session_params *params, slm_error *err);

/* An empty session of that shape. */
slm_status slm_session_make(slm_session **out, slm_model *model, const slm_session_shape *shape, slm_error *err);

/* What such a session takes from the heap with a full cache, and in it the work memory of feeding alone by a team of `width`. */
uint64_t slm_session_heap_bytes(const slm_config *config, const slm_session_shape *shape, size_t width, uint64_t *work);

/* Ends a hold; frees the model with the last one. */
void slm_model_let_go(slm_model *model);

/* The file of a model: at `path`, or the input of the params. */
slm_status slm_model_file(slm_file **out, slm_heap *heap, const char *path, const slm_model_params *params, slm_error *err);

/* Are the weights of that file used where they lie? */
bool slm_model_maps(const slm_file *file, const slm_model_params *params);

/* 64 hex digits and a NUL over all that decides a logit or the meaning of a token. */
slm_status slm_model_identity(slm_model *model, char id[65], slm_error *err);

/* A session file by its magic; all its hashes, without its model. */
slm_status slm_session_is(bool *is, const slm_source *source, slm_error *err);
slm_status slm_session_check(const slm_source *source, slm_heap *heap, uint64_t *sections, slm_error *err);

/* Begins and ends a call: one at a time, with the floating-point state of the contract. `watch` gets cancel flag and deadline. */
slm_status slm_session_enter(slm_session *session, slm_watch *watch, unsigned *saved, slm_error *err);
void slm_session_leave(slm_session *session, unsigned saved);

/* The two halves of feeding within a call that has entered: begin checks, makes room in the cache and fills `sequence` for the decoder;
 * end takes over what was evaluated, or what was there before if that failed. A begin that fails needs no end. */
slm_status slm_session_begin(slm_session *session, slm_sequence *sequence, const int32_t *tokens, size_t n, const slm_watch *watch,
                             slm_error *err);
slm_status slm_session_end(slm_session *session, const slm_sequence *sequence);

/* Evaluates tokens within a call that has entered, and leaves the sequence as it is: cache and logits hold what lies beyond it. */
slm_status slm_session_try(slm_session *session, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, const slm_watch *watch,
                           slm_error *err);

/* feed within a call that has entered. row may be NULL. */
slm_status slm_session_eval(slm_session *session, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user, const slm_watch *watch,
                            slm_error *err);

/* Holds the sequence no text yet? SentencePiece's own leading space is then taken off what comes next. The model has a tokenizer. */
bool slm_session_only_bos(const slm_session *session);

/* slm_session_generate within a call that has entered. params are of full size; shown is a control token that appears in the text as it is
 * written, -1: none. picked, which may be NULL, sees each token with its row of logits before it is fed, end tokens too; what it returns
 * ends the generation. */
typedef slm_status slm_picked_fn(void *user, const float *logits, int32_t token, slm_error *err);
typedef struct slm_onlooker {
    slm_picked_fn *picked;
    void *user;
    int32_t shown;
} slm_onlooker;
slm_status slm_session_continue(slm_session *session, const slm_generate_params *params, const slm_watch *watch, const slm_onlooker *onlooker,
                                slm_generation *result, slm_error *err);

/* ---- sampling ---- */

/* Memory for picks from `vocab` tokens. */
typedef struct slm_sampler {
    float *p, *key;             /* [vocab] */
    uint32_t *order;            /* [vocab] */
} slm_sampler;

/* One piece of heap memory; p NULL when refused. */
slm_sampler slm_sampler_new(slm_heap *heap, size_t vocab);
slm_status slm_sampling_check(const slm_sampling *sampling, slm_error *err);

/* allowed: NULL, or a set of tokens, bit i of word i / 64 for token i: the others have no chance. A token that the set has and the
 * vocabulary lacks is a mistake of the caller. */
slm_status slm_sampler_pick(const slm_sampler *sampler, const slm_kernels *kernels, int32_t *token, const float *logits, size_t vocab,
                            const slm_sampling *sampling, const uint64_t *allowed, uint64_t position, slm_error *err);

/* log p of one->token into it (one may be NULL), and of the n likeliest into top [n]. */
slm_status slm_logprob_row(const slm_kernels *kernels, const float *logits, size_t vocab, slm_scored *one, slm_scored *top, size_t n,
                           slm_error *err);

#endif
