/* speculate.h -- tokens that are guessed, evaluated with the one just picked, and kept for as long as the picks agree. */
#ifndef SLM_SESSION_SPECULATE_H
#define SLM_SESSION_SPECULATE_H

#include "session/session.h"

typedef struct slm_speculation {
    slm_session *s, *drafter;   /* drafter NULL: guesses come from the text so far */
    size_t most;                /* tokens of a guess; 0: feeds one at a time */
    int32_t *tokens;            /* [most + 1] evaluated last: the one that was fed, then the guess */
    float *rows;                /* [most + 1][vocab] the logits after each */
    size_t n, at;               /* tokens evaluated; how many of them the session has taken */
    size_t length;              /* of the next guess */
    size_t misses, pause;       /* guesses in a row of which nothing held; tokens until the drafter's next */
    size_t proofs, held;        /* watched tokens in a row that must hold before a guess is evaluated, and that have */
    int32_t watched;            /* what the text so far says is picked next; -1: nothing is watched */
    uint64_t drafted, accepted;
    const slm_watch *watch;
} slm_speculation;

/* most: 0 .. SLM_LIMIT_DRAFT. Freed by slm_speculation_free whatever comes back. */
slm_status slm_speculation_init(slm_speculation *p, slm_session *session, slm_session *drafter, size_t most, const slm_watch *watch,
                                slm_error *err);

/* Feeds the token, within a call that has entered the session: position and logits become what slm_session_eval would make them, to the
 * bit. left: tokens that may still be fed after it. */
slm_status slm_speculation_feed(slm_speculation *p, int32_t token, size_t left, slm_error *err);

/* The session's cache holds its own tokens again and nothing else. */
void slm_speculation_free(slm_speculation *p);

#endif
