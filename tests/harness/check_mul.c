/* check_mul.c -- the products mul_*. Panels end at an unmapped page too, being a multiple of 64 bytes;
 * y has gaps that must stay. */
#include "check_kernels.h"

#include "kernels/math.h"

#include <stdio.h>
#include <string.h>

typedef enum weight { F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, Q2_K, Q3_K, IQ4_NL, IQ4_XS } weight;

static const size_t step_bytes[] = { SLM_STEP_F32, SLM_STEP_F16, SLM_STEP_F16, SLM_STEP_Q8_0, SLM_STEP_Q4_0,
                                     SLM_STEP_Q4_1, SLM_STEP_Q5_0, SLM_STEP_Q5_1, SLM_STEP_Q4_K, SLM_STEP_Q5_K, SLM_STEP_Q6_K,
                                     SLM_STEP_Q2_K, SLM_STEP_Q3_K, SLM_STEP_IQ4_NL, SLM_STEP_IQ4_XS };
static slm_mul_fn *const references[] = { slm_mul_f32_scalar, slm_mul_f16_scalar, slm_mul_bf16_scalar, slm_mul_q8_0_scalar,
                                          slm_mul_q4_0_scalar, slm_mul_q4_1_scalar, slm_mul_q5_0_scalar, slm_mul_q5_1_scalar,
                                          slm_mul_q4_k_scalar, slm_mul_q5_k_scalar, slm_mul_q6_k_scalar, slm_mul_q2_k_scalar,
                                          slm_mul_q3_k_scalar, slm_mul_iq4_nl_scalar, slm_mul_iq4_xs_scalar };

static void fill_weights(check *c, uint8_t *w, size_t steps, weight type, check_kind kind)
{
    if (type == F32)
        check_fill_f32(c, (float *)(void *)w, steps * 1024, kind);
    else if (type == F16)
        check_fill_f16(c, (uint16_t *)(void *)w, steps * 1024, kind);
    else if (type == BF16)
        for (size_t i = 0; i < steps * 1024; i++)
            ((uint16_t *)(void *)w)[i] = slm_bf16_of_f32(check_f32(c, kind == CHECK_HUGE ? CHECK_RANDOM : kind));
    else
        for (size_t i = 0; i < steps; i++) {
            uint8_t *step = w + i * step_bytes[type];
            const size_t halves = type == Q4_1 || type == Q5_1 ? 64 : type == IQ4_XS ? 16 : 32, head = 2 * halves;
            check_fill_f16(c, (uint16_t *)(void *)step, halves, kind);
            if (kind == CHECK_HUGE)                             /* every integer at an end of its range */
                memset(step + head, check_u32(c) & 1 ? 0xff : 0, step_bytes[type] - head);
            else
                check_fill_bytes(c, step + head, step_bytes[type] - head);
        }
}

static void fill_blocks(check *c, slm_xblock *x, size_t n, check_kind kind)
{
    for (size_t b = 0; b < n; b++) {
        x[b].d = check_f32(c, kind == CHECK_HUGE ? CHECK_RANDOM : kind);
        x[b].nsum[0] = x[b].nsum[1] = 0;
        const int extreme = check_u32(c) & 1 ? 127 : -127;
        for (size_t i = 0; i < 32; i++) {
            x[b].q[i] = (int8_t)(kind == CHECK_HUGE ? extreme : (int)check_below(c, 255) - 127);
            x[b].nsum[i / 16] = (int16_t)(x[b].nsum[i / 16] - x[b].q[i]);
        }
    }
}

static int mul_case(check *c, slm_mul_fn *fn, weight type, size_t tokens, size_t rows, size_t steps, size_t gap, check_kind kind,
                    size_t place)
{
    const int blocks = type >= Q8_0;
    const size_t panels = (rows + 15) / 16, per_token = blocks ? 2 * steps : 64 * steps, ldx = per_token + gap, ldy = rows + gap;
    if (!check_case(c, place, "tokens=%zu rows=%zu steps=%zu ldx=%zu ldy=%zu %s", tokens, rows, steps, ldx, ldy,
                    check_kind_name(kind)))
        return 0;
    const check_pair y = check_out(c, tokens ? ((tokens - 1) * ldy + rows) * 4 : 0, 4);
    uint8_t *w = check_in_aligned(c, panels * steps * step_bytes[type], 64);
    const size_t x_count = tokens ? (tokens - 1) * ldx + per_token : 0;
    void *x = check_in(c, x_count * (blocks ? sizeof(slm_xblock) : 4), 4);
    fill_weights(c, w, panels * steps, type, kind);
    if (blocks)
        fill_blocks(c, x, x_count, kind);
    else
        check_fill_f32(c, x, x_count, kind);
    references[type](y.want, ldy, w, x, ldx, tokens, rows, steps);
    check_begin(c);
    fn(y.got, ldy, w, x, ldx, tokens, rows, steps);
    check_end(c);
    return 1;
}

static void mul(check *c, slm_mul_fn *fn, weight type)
{
    c->nan_alike = 1;                   /* MIXED and HUGE overflow, and infinities meet */
    for (size_t tokens = 0; tokens <= 30; tokens++)
        for (size_t panels = 0; panels <= 5; panels++) {
            const size_t rows = panels * 16 - (panels ? check_below(c, 2) * check_below(c, 16) : 0);
            if (!mul_case(c, fn, type, tokens, rows, 1 + check_below(c, 2), check_below(c, 2) * check_below(c, 20),
                          (check_kind)((tokens + panels) % CHECK_KINDS), check_below(c, CHECK_PLACES)))
                return;
        }
    if (!mul_case(c, fn, type, 140, 70, 18, 3, CHECK_RANDOM, check_below(c, CHECK_PLACES)) ||       /* beyond a chunk along k, more than once */
        !mul_case(c, fn, type, 310, 65, 7, 0, CHECK_RANDOM, check_below(c, CHECK_PLACES)))          /* beyond a block of tokens */
        return;
    for (size_t rows = 0; rows <= 130; rows++)
        if (!mul_case(c, fn, type, 1 + rows % 5, rows, 1, check_below(c, 5), (check_kind)(rows % CHECK_KINDS),
                      check_below(c, CHECK_PLACES)))
            return;
    for (size_t i = 0; i < (c->thorough ? 2000 : 40); i++)
        if (!mul_case(c, fn, type, 1 + check_below(c, 40), 1 + check_below(c, 100), check_below(c, 6), check_below(c, 20),
                      i % CHECK_KINDS, check_below(c, CHECK_PLACES)))
            return;
}

void check_mul_f32(check *c, slm_mul_f32_fn *fn)
{
    mul(c, fn, F32);
}

void check_mul_f16(check *c, slm_mul_f16_fn *fn)
{
    mul(c, fn, F16);
}

void check_mul_bf16(check *c, slm_mul_bf16_fn *fn)
{
    mul(c, fn, BF16);
}

void check_mul_q8_0(check *c, slm_mul_q8_0_fn *fn)
{
    mul(c, fn, Q8_0);
}

void check_mul_q4_0(check *c, slm_mul_q4_0_fn *fn)
{
    mul(c, fn, Q4_0);
}

void check_mul_q4_1(check *c, slm_mul_q4_1_fn *fn)
{
    mul(c, fn, Q4_1);
}

void check_mul_q5_0(check *c, slm_mul_q5_0_fn *fn)
{
    mul(c, fn, Q5_0);
}

void check_mul_q5_1(check *c, slm_mul_q5_1_fn *fn)
{
    mul(c, fn, Q5_1);
}

void check_mul_q4_k(check *c, slm_mul_q4_k_fn *fn)
{
    mul(c, fn, Q4_K);
}

void check_mul_q5_k(check *c, slm_mul_q5_k_fn *fn)
{
    mul(c, fn, Q5_K);
}

void check_mul_q6_k(check *c, slm_mul_q6_k_fn *fn)
{
    mul(c, fn, Q6_K);
}

void check_mul_q2_k(check *c, slm_mul_q2_k_fn *fn)
{
    mul(c, fn, Q2_K);
}

void check_mul_q3_k(check *c, slm_mul_q3_k_fn *fn)
{
    mul(c, fn, Q3_K);
}

void check_mul_iq4_nl(check *c, slm_mul_iq4_nl_fn *fn)
{
    mul(c, fn, IQ4_NL);
}

void check_mul_iq4_xs(check *c, slm_mul_iq4_xs_fn *fn)
{
    mul(c, fn, IQ4_XS);
}

static void bench(check *c, slm_mul_fn *fn, weight type)
{
    enum { ROWS = 128, STEPS = 14, TOKENS = 64 };       /* 896 columns; weights stay in the second cache */
    static _Alignas(64) uint8_t w[ROWS / 16 * STEPS * SLM_STEP_F32];
    static float y[ROWS * TOKENS];
    static _Alignas(64) uint8_t x[TOKENS * STEPS * 64 * 4];
    const size_t ldx = type >= Q8_0 ? 2 * STEPS : 64 * STEPS, tokens[] = { 1, 4, 8, 64 };
    fill_weights(c, w, ROWS / 16 * STEPS, type, CHECK_RANDOM);
    if (type >= Q8_0)
        fill_blocks(c, (slm_xblock *)(void *)x, TOKENS * ldx, CHECK_RANDOM);
    else
        check_fill_f32(c, (float *)(void *)x, TOKENS * ldx, CHECK_RANDOM);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        char label[60];
        snprintf(label, sizeof label, "tokens=%zu 128x896", tokens[i]);
        CHECK_TIME(c, label, 2.0 * ROWS * STEPS * 64 * (double)tokens[i], "FLOP", type >= Q8_0 ? 0 : c->peak,
                   fn(y, ROWS, w, x, ldx, tokens[i], ROWS, STEPS));
    }
}

void bench_mul_f32(check *c, slm_mul_f32_fn *fn)
{
    bench(c, fn, F32);
}

void bench_mul_f16(check *c, slm_mul_f16_fn *fn)
{
    bench(c, fn, F16);
}

void bench_mul_bf16(check *c, slm_mul_bf16_fn *fn)
{
    bench(c, fn, BF16);
}

void bench_mul_q8_0(check *c, slm_mul_q8_0_fn *fn)
{
    bench(c, fn, Q8_0);
}

void bench_mul_q4_0(check *c, slm_mul_q4_0_fn *fn)
{
    bench(c, fn, Q4_0);
}

void bench_mul_q4_1(check *c, slm_mul_q4_1_fn *fn)
{
    bench(c, fn, Q4_1);
}

void bench_mul_q5_0(check *c, slm_mul_q5_0_fn *fn)
{
    bench(c, fn, Q5_0);
}

void bench_mul_q5_1(check *c, slm_mul_q5_1_fn *fn)
{
    bench(c, fn, Q5_1);
}

void bench_mul_q4_k(check *c, slm_mul_q4_k_fn *fn)
{
    bench(c, fn, Q4_K);
}

void bench_mul_q5_k(check *c, slm_mul_q5_k_fn *fn)
{
    bench(c, fn, Q5_K);
}

void bench_mul_q6_k(check *c, slm_mul_q6_k_fn *fn)
{
    bench(c, fn, Q6_K);
}

void bench_mul_q2_k(check *c, slm_mul_q2_k_fn *fn)
{
    bench(c, fn, Q2_K);
}

void bench_mul_q3_k(check *c, slm_mul_q3_k_fn *fn)
{
    bench(c, fn, Q3_K);
}

void bench_mul_iq4_nl(check *c, slm_mul_iq4_nl_fn *fn)
{
    bench(c, fn, IQ4_NL);
}

void bench_mul_iq4_xs(check *c, slm_mul_iq4_xs_fn *fn)
{
    bench(c, fn, IQ4_XS);
}
