/* oom.h -- public calls as scenarios that must survive every refused allocation and every failed system call: the world a scenario is
 * played in, and its row. */
#ifndef TESTS_OOM_OOM_H
#define TESTS_OOM_OOM_H

#include "harness/fail_alloc.h"
#include "harness/fail_call.h"
#include "harness/test.h"
#include "slm_remote.h"

enum { OOM_ITEMS = 3, OOM_STEPS = 6 };   /* of a call that takes several; of a row */

/* What the call under test works on (made by the steps before it, with nothing refused) and what it makes. */
typedef struct oom_world {
    fail_alloc memory;
    fail_call calls;
    const struct oom_row *row;
    slm_file *file;
    slm_model *model;
    slm_tokenizer *tokenizer;
    slm_template *tmpl;
    slm_rendered *rendered;
    slm_session *session, *other;
    slm_batch *batch;
    slm_encoder *encoder;
    slm_constraint *constraint;
    slm_guide *guide;
    slm_engine *engine, *far, *both;     /* freed from the last to the first */
    slm_budget *budget;
    slm_importance *importance;
    size_t start;                        /* position of the session before the call */
    bool failed[OOM_ITEMS];              /* items of a batch that are to be done again */
    _Alignas(8) uint8_t bytes[8192];     /* what the call writes, but for handles */
    char text[512];                      /* what a callback got */
    size_t text_len;
} oom_world;

enum {
    OOM_KEEPS = 1,       /* what was done before the failure is kept, as documented; the next call goes on from there */
    OOM_SURVIVES = 2,    /* may do without the memory: the same status and result as if it had it */
    OOM_SLOW = 8,        /* makes much anew each time: failures last, and only the first 24 places are tried */
    OOM_NETWORK = 4      /* libcurl may call its own lack of memory a failure of the network, or do without */
};

typedef slm_status oom_step(oom_world *w, slm_error *err);

typedef struct oom_row {
    const char *symbol;              /* the public call */
    const char *how;                 /* the file it reads, up to a comma, or which of several ways to it; may be NULL */
    oom_step *steps[OOM_STEPS];      /* in this order; the last is the call under test. None: it asks for nothing, and `how` says why */
    unsigned flags;                  /* OOM_... */
    slm_status ends;                 /* what it returns when nothing is refused */
} oom_row;

extern const oom_row oom_rows[];
extern const size_t oom_count;

/* Does the row ask the server? */
bool oom_asks(const oom_row *row);

/* Files that the rows read, in test_folder(), and the server that they ask. */
void oom_prepare(const char *server);

/* Ends the test if that is not SLM_OK. */
void oom_must(slm_status status, const slm_error *err);

/* What can be seen of the world without asking for memory; and all, by using what there is. */
uint64_t oom_state(const oom_world *w);
uint64_t oom_digest(oom_world *w);

/* Frees what there is. */
void oom_end(oom_world *w);

/* Calls everything that asks for no memory on a full world; it must not. */
void oom_getters(void);

#endif
