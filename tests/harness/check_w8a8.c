/* check_w8a8.c -- mul_w8a8 and quantize_row. */
#include "check_kernels.h"

#include "kernels/math.h"

#include <stdio.h>
#include <string.h>

static void fill_rows(check *c, uint8_t *x, size_t ldx, size_t tokens, size_t steps, check_kind kind)
{
    for (size_t t = 0; t < tokens; t++) {
        slm_xrow *row = (slm_xrow *)(void *)(x + t * ldx);
        const int extreme = check_u32(c) & 1 ? 127 : -127;
        row->d = check_f32(c, kind == CHECK_HUGE ? CHECK_RANDOM : kind);
        row->nsum = 0;
        for (size_t k = 0; k < 64 * steps; k++) {
            row->q[k] = (int8_t)(kind == CHECK_HUGE ? extreme : (int)check_below(c, 255) - 127);
            row->nsum -= row->q[k];
        }
    }
}

static void fill_panels(check *c, uint8_t *w, size_t panels, size_t steps, check_kind kind)
{
    for (size_t p = 0; p < panels; p++, w += 64 + steps * SLM_STEP_W8A8) {
        check_fill_f32(c, (float *)(void *)w, 16, kind);
        if (kind == CHECK_HUGE)                                 /* every integer at an end of its range */
            memset(w + 64, check_u32(c) & 1 ? 0xff : 0, steps * SLM_STEP_W8A8);
        else
            check_fill_bytes(c, w + 64, steps * SLM_STEP_W8A8);
    }
}

static int mul_case(check *c, slm_mul_w8a8_fn *fn, size_t tokens, size_t rows, size_t steps, size_t gap, check_kind kind, size_t place)
{
    const size_t panels = (rows + 15) / 16, per_token = sizeof(slm_xrow) + 64 * steps, ldx = per_token + 4 * gap, ldy = rows + gap;
    if (!check_case(c, place, "tokens=%zu rows=%zu steps=%zu ldx=%zu ldy=%zu %s", tokens, rows, steps, ldx, ldy, check_kind_name(kind)))
        return 0;
    const check_pair y = check_out(c, tokens ? ((tokens - 1) * ldy + rows) * 4 : 0, 4);
    uint8_t *w = check_in_aligned(c, panels * (64 + steps * SLM_STEP_W8A8), 64);
    uint8_t *x = check_in(c, tokens ? (tokens - 1) * ldx + per_token : 0, 4);
    fill_panels(c, w, panels, steps, kind);
    memset(x, 0, tokens ? (tokens - 1) * ldx + per_token : 0);
    fill_rows(c, x, ldx, tokens, steps, kind);
    slm_mul_w8a8_scalar(y.want, ldy, w, x, ldx, tokens, rows, steps);
    check_begin(c);
    fn(y.got, ldy, w, x, ldx, tokens, rows, steps);
    check_end(c);
    return 1;
}

void check_mul_w8a8(check *c, slm_mul_w8a8_fn *fn)
{
    c->nan_alike = 1;                   /* infinity times zero */
    for (size_t tokens = 0; tokens <= 32; tokens++)
        for (size_t panels = 0; panels <= 5; panels++) {
            const size_t rows = panels * 16 - (panels ? check_below(c, 2) * check_below(c, 16) : 0);
            if (!mul_case(c, fn, tokens, rows, 1 + check_below(c, 2), check_below(c, 2) * check_below(c, 20),
                          (check_kind)((tokens + panels) % CHECK_KINDS), check_below(c, CHECK_PLACES)))
                return;
        }
    for (size_t rows = 0; rows <= 130; rows++)
        if (!mul_case(c, fn, 1 + rows % 30, rows, rows % 3, check_below(c, 5), (check_kind)(rows % CHECK_KINDS), check_below(c, CHECK_PLACES)))
            return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 40); i++)
        if (!mul_case(c, fn, 1 + check_below(c, 60), 1 + check_below(c, 100), check_below(c, 6), check_below(c, 20), i % CHECK_KINDS,
                      check_below(c, CHECK_PLACES)))
            return;
    for (size_t i = 0; i < (c->thorough ? 60 : 4); i++)         /* sums wait in y between chunks, and wrap on their way */
        if (!mul_case(c, fn, i % 2 ? 30 + check_below(c, 20) : 1 + check_below(c, 12), 64, 150 + check_below(c, 300), i, i % 3 ? CHECK_HUGE
                      : CHECK_RANDOM, 2))
            return;
}

static int row_case(check *c, slm_quantize_row_fn *fn, size_t n, check_kind kind, size_t place)
{
    if (!check_case(c, place, "n=%zu %s", n, check_kind_name(kind)))
        return 0;
    const size_t bytes = sizeof(slm_xrow) + (n + 63) / 64 * 64;
    float *x = check_in(c, n * 4, 4);
    const check_pair out = check_out(c, bytes, 4);
    check_fill_f32(c, x, n, kind == CHECK_ANY ? CHECK_RANDOM : kind);
    if (kind == CHECK_MIXED && n && check_u32(c) & 1) {         /* ties: amax 127 makes id 1, and x.5 falls on the rounding itself */
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((int)check_below(c, 509) - 254) * 0.5f;
        x[check_below(c, n)] = 127;
    }
    if (kind == CHECK_ANY && n)
        x[check_below(c, n)] = slm_f32_of_bits((check_u32(c) & 0x80000000u) | 0x7f800000u | (check_u32(c) & 1 ? 0 : check_u32(c) & 0x7fffffu));
    const int want = slm_quantize_row_scalar(out.want, x, n);
    check_begin(c);
    const int got = fn(out.got, x, n);
    check_return_int(c, got, want);
    check_end(c);
    return 1;
}

void check_quantize_row(check *c, slm_quantize_row_fn *fn)
{
    for (size_t n = 0; n <= 200; n++)
        for (check_kind kind = 0; kind <= CHECK_ANY; kind++)
            if (!row_case(c, fn, n, kind, check_below(c, CHECK_PLACES)))
                return;
    for (size_t i = 0; i < (c->thorough ? 5000 : 100); i++)
        if (!row_case(c, fn, 131 + check_below(c, 9000), i % (CHECK_ANY + 1), check_below(c, CHECK_PLACES)))
            return;
}

void bench_mul_w8a8(check *c, slm_mul_w8a8_fn *fn)
{
    enum { ROWS = 128, STEPS = 14, TOKENS = 64, LDX = sizeof(slm_xrow) + 64 * STEPS };
    static _Alignas(64) uint8_t w[ROWS / 16 * (64 + STEPS * SLM_STEP_W8A8)], x[TOKENS * LDX];
    static float y[ROWS * TOKENS];
    const size_t tokens[] = { 1, 4, 8, 64 };
    fill_panels(c, w, ROWS / 16, STEPS, CHECK_RANDOM);
    fill_rows(c, x, LDX, TOKENS, STEPS, CHECK_RANDOM);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        char label[60];
        snprintf(label, sizeof label, "tokens=%zu 128x896", tokens[i]);
        CHECK_TIME(c, label, 2.0 * ROWS * STEPS * 64 * (double)tokens[i], "FLOP", 0, fn(y, ROWS, w, x, LDX, tokens[i], ROWS, STEPS));
    }
}

void bench_quantize_row(check *c, slm_quantize_row_fn *fn)
{
    enum { N = 2048 };
    static float x[N];
    static _Alignas(8) uint8_t out[sizeof(slm_xrow) + N];
    check_fill_f32(c, x, N, CHECK_RANDOM);
    CHECK_TIME(c, "n=2048", N, "element", 0, fn((slm_xrow *)(void *)out, x, N));
}
