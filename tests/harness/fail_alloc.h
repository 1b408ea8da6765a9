/* fail_alloc.h -- an allocator that refuses the i-th call, and the loop that proves a scenario survives every such refusal.
 *
 *     static slm_status make(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
 *     {
 *         slm_file_params params = SLM_FILE_PARAMS_INIT;
 *         params.allocator = allocator;
 *         return slm_file_open((slm_file **)out, ctx, &params, err);
 *     }
 *     static void drop(void *ctx, void *object) { slm_file_free(object); }
 *     ...
 *     fail_alloc_every("open a file", make, drop, path);
 */
#ifndef TESTS_HARNESS_FAIL_ALLOC_H
#define TESTS_HARNESS_FAIL_ALLOC_H

#include "slm.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct fail_alloc {
    slm_allocator allocator;        /* hand this to the library; user points at this struct, which must not move */
    atomic_size_t calls;            /* allocations asked for so far */
    size_t fail_at;                 /* the call that is refused, from 1; 0: none */
    bool lasting;                   /* all later calls too */
    atomic_size_t refused;
    atomic_size_t live_blocks, live_bytes;
} fail_alloc;

/* Memory (the first MiB of a block) is filled with 0xa5 when given and when taken back; a wrong size at release or a block of others ends the test. */
void fail_alloc_init(fail_alloc *f, size_t fail_at, bool lasting);

/* Counts anew, and refuses allocation fail_at of those to come: for an object that was made before. 0: none. */
void fail_alloc_arm(fail_alloc *f, size_t fail_at, bool lasting);

/* One more allocation is asked for; true: it is to be refused. For memory that does not come through `allocator` (fail_wrap.h). */
bool fail_alloc_refuses(fail_alloc *f);

/* The address of the code that asks next, on this thread; and those that were refused so far, each once. Only one thread at a time may
 * be refused if they are to be counted. */
void fail_alloc_at(const void *address);
void fail_alloc_note(void);              /* that code is refused now */
size_t fail_alloc_sites(const void *const **list);

/* make: builds *out with memory from allocator alone; on failure *out must be untouched. drop: undoes a success; may be NULL. */
typedef slm_status fail_make(void *ctx, const slm_allocator *allocator, void **out, slm_error *err);
typedef void fail_drop(void *ctx, void *object);

/* Runs the scenario with the 1st, 2nd, ... allocation refused, once and from then on, until it gets through without a refusal. Demands
 * each time: SLM_E_MEMORY with a message, *out untouched, no live byte; and no live byte after drop. Returns how many allocations
 * the scenario makes (at most 3,000, else it fails). */
size_t fail_alloc_every(const char *name, fail_make *make, fail_drop *drop, void *ctx);

#endif
