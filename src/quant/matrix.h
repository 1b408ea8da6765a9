/* matrix.h -- rows x cols weights as P16 panels (arithmetic.md 2): lane = row, so one register holds one step of 16 rows. */
#ifndef SLM_QUANT_MATRIX_H
#define SLM_QUANT_MATRIX_H

#include "quant/type.h"

typedef struct slm_matrix {
    const slm_type *type;       /* NULL: no matrix */
    size_t rows, cols, steps;   /* steps = ceil(cols / 64) */
    size_t panel_bytes;
    const uint8_t *panels;      /* [ceil(rows/16)][panel_bytes], aligned to 64, not owned */
} slm_matrix;

/* Sets steps and panel_bytes from type, rows and cols. */
void slm_matrix_shape(slm_matrix *m);

/* Bytes of the panels, checked. */
bool slm_matrix_bytes(const slm_type *type, size_t rows, size_t cols, size_t *bytes);

static inline size_t slm_matrix_panels(const slm_matrix *m)
{
    return (m->rows + SLM_PANEL_ROWS - 1) / SLM_PANEL_ROWS;
}

/* y[t][r] for the rows r of panels [begin, end): y points at row 0. x and ldx as the type wants: f32 [ldx], zero up to steps * 64,
 * or slm_xblock [ldx >= 2 * steps], or slm_xrow (ldx in bytes). */
void slm_matrix_mul(const slm_matrix *m, const slm_kernels *k, float *y, size_t ldy, const void *x, size_t ldx, size_t tokens,
                    size_t begin, size_t end);

/* Row `row` as `cols` floats, the bits of the type's dequantize. */
void slm_matrix_row(const slm_matrix *m, size_t row, float *out);

#endif
