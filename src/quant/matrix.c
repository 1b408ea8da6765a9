/* matrix.c -- weights as P16 panels. */
#include "quant/matrix.h"

#include "core/size.h"

#include <string.h>

bool slm_matrix_bytes(const slm_type *type, size_t rows, size_t cols, size_t *bytes)
{
    size_t panel;
    return slm_size_mul(slm_ceil_div(cols, SLM_STEP_COLS), type->step, &panel) && slm_size_add(panel, SLM_PANEL_ROWS * type->head, &panel) &&
           slm_size_mul(slm_ceil_div(rows, SLM_PANEL_ROWS), panel, bytes);
}

void slm_matrix_shape(slm_matrix *m)
{
    m->steps = slm_ceil_div(m->cols, SLM_STEP_COLS);
    m->panel_bytes = SLM_PANEL_ROWS * m->type->head + m->steps * m->type->step;
}

void slm_matrix_mul(const slm_matrix *m, const slm_kernels *k, float *y, size_t ldy, const void *x, size_t ldx, size_t tokens,
                    size_t begin, size_t end)
{
    slm_mul_fn *mul;
    if (begin >= end || !tokens)
        return;
    memcpy(&mul, (const char *)k + m->type->mul, sizeof mul);
    mul(y + begin * SLM_PANEL_ROWS, ldy, m->panels + begin * m->panel_bytes, x, ldx, tokens,
        slm_min(m->rows, end * SLM_PANEL_ROWS) - begin * SLM_PANEL_ROWS, m->steps);
}

void slm_matrix_row(const slm_matrix *m, size_t row, float *out)
{
    m->type->unpack(out, m->panels + row / SLM_PANEL_ROWS * m->panel_bytes, row % SLM_PANEL_ROWS, m->cols);
}
