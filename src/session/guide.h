/* guide.h -- keeps a text that is being made within a constraint: which token may come next, and the way to the end in time.
 *
 * A token is chosen first and taken when it has been fed; where it leads is found out while choosing, so that taking cannot fail. */
#ifndef SLM_SESSION_GUIDE_H
#define SLM_SESSION_GUIDE_H

#include "session/constraint.h"
#include "session/session.h"

struct slm_guide {
    slm_heap *heap;             /* the tokenizer's */
    const slm_tokenizer *tokenizer;
    slm_place place, next;      /* next: behind `chosen` */
    int32_t chosen;             /* -1: none */
    bool at_start, next_at_start;   /* SentencePiece's own space is still to be taken off */
    bool ended;                 /* an end token was taken */
    size_t vocab, left;         /* tokens that may still be taken */
    uint64_t *allowed;          /* [(vocab + 63) / 64] a set of tokens */
    slm_buf piece;              /* bytes of one token */
};

/* A guide at the beginning of a text. SLM_E_MISMATCH for a constraint of another vocabulary, SLM_E_CONTEXT if not even the shortest text
 * has at most `left` tokens. `what` is for messages. Whatever happens, slm_guide_clear ends it. */
slm_status slm_guide_init(slm_guide *guide, slm_constraint *constraint, const slm_session *session, size_t left, const char *what,
                          slm_error *err);
void slm_guide_clear(slm_guide *guide);

/* Chooses a token of the row by `how`, with at most `left` tokens from it on, itself included; 1 <= left. -1: the text is whole, and all
 * that could follow would come too late. */
slm_status slm_guide_choose(slm_guide *guide, const slm_sampler *sampler, const slm_kernels *kernels, int32_t *token, const float *logits,
                            const slm_sampling *how, uint64_t position, size_t left, slm_error *err);

/* Takes the token that was chosen last. */
void slm_guide_take(slm_guide *guide);

/* For a caller who feeds what is chosen: as slm_guide_choose within the guide's own count, an end token instead of -1. */
slm_status slm_guide_pick(slm_guide *guide, const slm_sampler *sampler, const slm_kernels *kernels, int32_t *token, const float *logits,
                          size_t vocab, const slm_sampling *how, uint64_t position, size_t room, slm_error *err);

#endif
