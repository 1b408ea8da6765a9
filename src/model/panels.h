/* panels.h -- the matrices of a model that must be read: all of them lie in one block of memory and are filled together. */
#ifndef SLM_MODEL_PANELS_H
#define SLM_MODEL_PANELS_H

#include "core/team.h"
#include "format/file.h"
#include "quant/matrix.h"

/* Bytes of a thread's own memory while it reads tensors whose 16 rows take `panel` bytes on disk: whole panels, about 256 KB. */
static inline uint64_t slm_panels_chunk(uint64_t panel)
{
    const uint64_t about = 256 * 1024;
    return panel >= about ? panel : about / panel * panel;
}

/* A matrix whose type, rows and cols are set: it becomes rows `first` .. first + rows - 1 of the tensor. */
typedef struct slm_wanted {
    slm_matrix *matrix;
    const slm_tensor *tensor;
    size_t first;
} slm_wanted;

typedef struct slm_panels {
    const slm_file *file;
    slm_heap *heap;
    slm_team *team;
    slm_progress_fn *progress;      /* NULL: nobody asks */
    void *user;
    uint64_t done, total;           /* bytes on disk */
    slm_task_fn *beside;            /* one more task to be run beside the reading, once, with index 0; NULL: none */
    void *beside_ctx;
    slm_wanted *wanted;             /* [n], in any order */
    size_t n;
} slm_panels;

/* Reads all that is wanted: packs it, or takes it as it is from a packed file. *memory, on heap, holds the panels that the matrices
 * point to from then on; NULL where nothing is wanted. On failure the matrices point nowhere.
 *
 * Returns  SLM_E_MEMORY
 *          SLM_E_NUMERIC    a scale or value is not finite; of several the first in order of `wanted`
 *          SLM_E_CALLBACK   progress asked to stop
 *          SLM_E_IO, SLM_E_CHANGED and others of reading
 * `beside` has run if the result is SLM_OK, may have run otherwise. */
slm_status slm_panels_read(slm_panels *p, uint8_t **memory, slm_error *err);

#endif
