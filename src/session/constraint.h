/* constraint.h -- a language over tokens, and one generation's place in it. */
#ifndef SLM_SESSION_CONSTRAINT_H
#define SLM_SESSION_CONSTRAINT_H

#include "session/constraint_nfa.h"
#include "text/tokenizer.h"

/* Puts the language of `source` between the start and the end of an automaton. */
typedef slm_status slm_language_fn(slm_nfa *nfa, const void *source, slm_error *err);

/* Builds the automaton, freezes it, makes the trie. `what` is for messages: "choice", "regex", "schema"; static. */
slm_status slm_constraint_new(slm_constraint **out, const slm_tokenizer *tokenizer, slm_language_fn *language, const void *source,
                              const char *what, slm_error *err);

/* SLM_E_MISMATCH unless the constraint was made for this vocabulary. */
slm_status slm_constraint_belongs(const slm_constraint *constraint, const slm_tokenizer *tokenizer, slm_error *err);

/* Makes the limits on steps and bytes larger by so much, or smaller; and what the last call took of them. */
void slm_constraint_bound(slm_constraint *constraint, int64_t work, int64_t cache);
void slm_constraint_taken(const slm_constraint *constraint, uint64_t *work, size_t *cache);

/* A place: the nodes of the automaton where the text so far may have led. It stays valid when the constraint forgets its cache. */
typedef struct slm_place {
    slm_constraint *constraint;
    uint32_t *set;              /* [n] */
    size_t n, room;
    uint64_t epoch;             /* of the cache in which the place has the number `state` */
    uint32_t state;
    bool accepts, ends;         /* the text may end here; it cannot go on */
} slm_place;

typedef enum slm_fit {
    SLM_FIT_TAKEN,              /* the place went on */
    SLM_FIT_NEVER,              /* no text of the language goes on like this */
    SLM_FIT_LATE                /* it fits, but the rest would need more than `left` tokens */
} slm_fit;

/* The beginning. */
slm_status slm_place_init(slm_place *place, slm_constraint *constraint, slm_error *err);
void slm_place_free(slm_place *place);

/* Makes dst, whose constraint is the same, a second place where src is. */
slm_status slm_place_copy(slm_place *dst, const slm_place *src, slm_error *err);

/* Goes on by a token's bytes if that fits and leaves an end within `left` more tokens. On a failure the place is as before. */
slm_status slm_place_step(slm_place *place, const uint8_t *bytes, size_t n, size_t left, slm_fit *fit, slm_error *err);

/* The tokens that fit here, as a set over the vocabulary [(tokens + 63) / 64], end tokens included where the text may end. at_start:
 * SentencePiece's own space is taken off the next token. */
slm_status slm_place_mask(slm_place *place, bool at_start, uint64_t *mask, slm_error *err);

/* How many tokens the shortest end from here has, and the first of them (-1 if it is 0). "Shortest" is in bytes; of several the one
 * of the lowest bytes; it is spelled with as few tokens as it can be. */
slm_status slm_place_need(slm_place *place, bool at_start, size_t *tokens, int32_t *first, slm_error *err);

#endif
