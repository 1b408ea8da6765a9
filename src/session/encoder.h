/* encoder.h -- an encoder as the floor above sees it: one call at a time over any number of sequences. */
#ifndef SLM_SESSION_ENCODER_H
#define SLM_SESSION_ENCODER_H

#include "model/encoder.h"

struct slm_encoder {
    slm_model *model;           /* held */
    slm_encoding *encoding;     /* NULL until something is evaluated; made anew for a longer sequence than before */
    size_t context;             /* tokens of the longest sequence */
    uint32_t chunk, deadline_ms;
    uint32_t kv;
    void *tables;               /* of the floor above, which makes them with its first call; ids [ids_room] likewise */
    int32_t *ids;
    size_t ids_room;
    atomic_int cancel;
    atomic_flag busy;           /* a call is running */
};

/* Begins and ends a call: one at a time, with the floating-point state of the contract. `watch` is for every sequence of the call;
 * cancelled: one of them saw the flag, which is then cleared. */
slm_status slm_encoder_enter(slm_encoder *encoder, slm_watch *watch, unsigned *saved, slm_error *err);
void slm_encoder_leave(slm_encoder *encoder, unsigned saved, bool cancelled);

/* The most tokens a sequence may have. */
size_t slm_encoder_most(const slm_encoder *encoder);

/* Checks a sequence before it is run: tokens, ids, length. */
slm_status slm_encoder_check(const slm_encoder *encoder, const int32_t *tokens, size_t n, slm_error *err);

/* Evaluates checked sequences within a call; each has its own status after it. Another result than SLM_OK: no memory, and nothing was done. */
slm_status slm_encoder_run(slm_encoder *encoder, slm_sequence *sequences, size_t n, slm_error *err);

/* What an encoder takes from the heap when its longest sequence has been there, and in it keys and values, and the memory for computing. */
uint64_t slm_encoder_heap_bytes(const slm_config *config, size_t context, uint32_t kv, size_t width, uint64_t *cache, uint64_t *work);

#endif
