/* panels.c -- fills the matrices of a model from its file, with all threads.
 *
 * The matrices are cut into jobs of about JOB bytes, which the threads take from one queue: no thread waits at the end of a tensor, and one
 * that another program keeps from its core delays nobody by more than a job. A thread reads a chunk into memory of its own, small enough
 * to stay in its second-level cache, and packs it from there: the disk form of a tensor is never held whole and nothing is kept twice.
 *
 * All panels are one block of memory. Most of the time of opening a model is the kernel's, which clears fresh memory and maps it, and it
 * does so several times faster in pages of 2 MB than of 4 KB (docs/performance.md). Those need large blocks: a matrix of its own would
 * begin and end in the middle of one. */
#include "model/panels.h"

#include "core/size.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { JOB = 4 << 20, REPORTS = 32 };

typedef struct job {
    const slm_wanted *wanted;
    size_t begin, end;              /* panels of the matrix */
    uint8_t *to;                    /* where the first of them is written */
} job;

typedef struct filling {
    slm_panels *p;
    uint8_t *memory;
    job *jobs;                      /* [n] */
    size_t n, stop;                 /* stop: those before it may be begun */
    atomic_size_t next;
    uint8_t *chunks;                /* [width][chunk_bytes] */
    size_t chunk_bytes;
    pthread_mutex_t lock;           /* of what follows */
    atomic_size_t failed;           /* the first job that did; SIZE_MAX: none */
    slm_error error;
} filling;

static size_t row_bytes(const slm_wanted *w)
{
    return (size_t)(w->tensor->bytes / w->tensor->rows);
}

static size_t panel_disk_bytes(const slm_wanted *w)
{
    return SLM_PANEL_ROWS * row_bytes(w);
}

static slm_status pack(const filling *f, const job *j, uint8_t *chunk, slm_error *err)
{
    const slm_wanted *w = j->wanted;
    const slm_matrix *m = w->matrix;
    const size_t bytes = row_bytes(w), panels = f->chunk_bytes / panel_disk_bytes(w);
    uint8_t *to = j->to;
    for (size_t panel = j->begin; panel < j->end; panel += panels) {
        const size_t row = panel * SLM_PANEL_ROWS, stop = slm_min(m->rows, slm_min(panel + panels, j->end) * SLM_PANEL_ROWS);
        const slm_status status = slm_file_read_raw(f->p->file, w->tensor, (uint64_t)(w->first + row) * bytes, chunk, (stop - row) * bytes, err);
        if (status)
            return status;
        for (size_t r = row; r < stop; r += SLM_PANEL_ROWS, to += m->panel_bytes) {
            size_t bad_row, bad_block;
            if (!m->type->pack(to, chunk + (r - row) * bytes, bytes, slm_min(SLM_PANEL_ROWS, stop - r), m->cols, &bad_row, &bad_block))
                return slm_fail(err, SLM_E_NUMERIC, "%s: tensor '%s': row %zu, block %zu: not a finite number", f->p->file->path,
                                w->tensor->shown, w->first + r + bad_row, bad_block);
        }
    }
    return SLM_OK;
}

/* Panels of a packed file, as they are. */
static slm_status take(const filling *f, const job *j, slm_error *err)
{
    const size_t bytes = j->wanted->matrix->panel_bytes;
    return slm_file_read_raw(f->p->file, j->wanted->tensor, (uint64_t)j->begin * bytes, j->to, (j->end - j->begin) * bytes, err);
}

static void note_failure(filling *f, size_t index, const slm_error *err)
{
    pthread_mutex_lock(&f->lock);
    if (index < atomic_load(&f->failed)) {
        atomic_store(&f->failed, index);
        f->error = *err;
    }
    pthread_mutex_unlock(&f->lock);
}

/* Takes jobs until there are none, or none before the first that failed. Number 0 of the queue is what runs beside them. */
static void work(void *ctx, size_t thread)
{
    filling *f = ctx;
    for (;;) {
        const size_t i = atomic_fetch_add_explicit(&f->next, 1, memory_order_relaxed);
        slm_error err = { 0 };
        if (i > f->stop || i > atomic_load_explicit(&f->failed, memory_order_relaxed))
            return;
        if (i == 0) {
            if (f->p->beside)
                f->p->beside(f->p->beside_ctx, 0);
            continue;
        }
        const job *j = &f->jobs[i - 1];
        if (f->p->file->packed ? take(f, j, &err) : pack(f, j, f->chunks + thread * f->chunk_bytes, &err))
            note_failure(f, i, &err);
    }
}

static uint64_t disk_bytes(const job *j)
{
    const slm_matrix *m = j->wanted->matrix;
    if (j->wanted->tensor->type->head)
        return (j->end - j->begin) * m->panel_bytes;
    return (uint64_t)(slm_min(m->rows, j->end * SLM_PANEL_ROWS) - j->begin * SLM_PANEL_ROWS) * row_bytes(j->wanted);
}

static slm_status report(slm_panels *p, uint64_t bytes, slm_error *err)
{
    p->done += bytes;
    if (p->progress && p->progress(p->user, p->done, p->total) != 0)
        return slm_fail(err, SLM_E_CALLBACK, "%s: the progress callback asked to stop at %" PRIu64 " of %" PRIu64 " bytes", p->file->path,
                        p->done, p->total);
    return SLM_OK;
}

/* All jobs at once, or in parts with a report after each. */
static slm_status run(filling *f, slm_error *err)
{
    slm_panels *p = f->p;
    const size_t part = p->progress ? slm_ceil_div(f->n, REPORTS) : f->n;
    slm_status status = SLM_OK;
    for (size_t done = 0; !status && done < f->n; done = f->stop) {
        uint64_t bytes = 0;
        f->stop = slm_min(f->n, done + part);
        atomic_store(&f->next, done ? done + 1 : 0);
        slm_team_run(p->team, slm_min(slm_team_width(p->team), f->stop - done + 1), work, f);
        for (size_t i = done; i < f->stop; i++)
            bytes += disk_bytes(&f->jobs[i]);
        if (f->stop == f->n)            /* vectors and what nobody reads: the last report is of the whole */
            bytes = p->total - p->done;
        if (atomic_load(&f->failed) == SIZE_MAX) {
            status = report(p, bytes, err);
        } else {
            status = (slm_status)f->error.status;
            if (err)
                *err = f->error;
        }
    }
    return status;
}

static size_t job_panels(const slm_matrix *m)
{
    return slm_max(1, JOB / m->panel_bytes);
}

/* Sizes: all panels, jobs, the largest chunk. */
static bool measure(filling *f, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < f->p->n; i++) {
        const slm_wanted *w = &f->p->wanted[i];
        size_t own;
        if (!slm_matrix_bytes(w->matrix->type, w->matrix->rows, w->matrix->cols, &own) || !slm_size_add(*bytes, own, bytes))
            return false;
        f->n += slm_ceil_div(slm_matrix_panels(w->matrix), job_panels(w->matrix));
        if (!f->p->file->packed)
            f->chunk_bytes = slm_max(f->chunk_bytes, (size_t)slm_panels_chunk(panel_disk_bytes(w)));
    }
    return true;
}

static void place(filling *f)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < f->p->n; i++) {
        const slm_wanted *w = &f->p->wanted[i];
        const size_t panels = slm_matrix_panels(w->matrix), each = job_panels(w->matrix);
        w->matrix->panels = f->memory + at;
        for (size_t begin = 0; begin < panels; begin += each)
            f->jobs[n++] = (job){ w, begin, slm_min(panels, begin + each), f->memory + at + begin * w->matrix->panel_bytes };
        at += panels * w->matrix->panel_bytes;
    }
}

slm_status slm_panels_read(slm_panels *p, uint8_t **memory, slm_error *err)
{
    filling f = { .p = p };
    size_t bytes;
    const size_t width = slm_team_width(p->team);
    slm_status status = SLM_OK;
    if (!p->n) {
        if (p->beside)
            p->beside(p->beside_ctx, 0);
        *memory = NULL;
        return report(p, p->total - p->done, err);
    }
    if (!measure(&f, &bytes) || !(f.memory = slm_heap_alloc(p->heap, bytes)))
        return slm_fail(err, SLM_E_MEMORY, "%s: panels of %zu matrices", p->file->path, p->n);
    f.jobs = slm_heap_array(p->heap, f.n, sizeof *f.jobs);
    f.chunks = f.chunk_bytes ? slm_heap_array(p->heap, width, f.chunk_bytes) : NULL;
    if (!f.jobs || (f.chunk_bytes && !f.chunks)) {
        status = slm_fail(err, SLM_E_MEMORY, "%s: memory for %zu threads to read %zu pieces", p->file->path, width, f.n);
    } else {
        place(&f);
        atomic_init(&f.failed, SIZE_MAX);
        pthread_mutex_init(&f.lock, NULL);
        status = run(&f, err);
        pthread_mutex_destroy(&f.lock);
    }
    slm_heap_free(p->heap, f.chunks);
    slm_heap_free(p->heap, f.jobs);
    for (size_t i = 0; status && i < p->n; i++)
        p->wanted[i].matrix->panels = NULL;
    if (status)
        slm_heap_free(p->heap, f.memory);
    else
        *memory = f.memory;
    return status;
}
