/* check_mul.c -- every variant of the products against the scalar reference, by memcmp: all small sizes, operands that end at an
 * unmapped page, outputs between guard bytes, extremes of every integer and scale. Usage: check_mul [all | random-cases] */
#include "kernels/kernels.h"
#include "core/cpu.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t state = 0x5eed;
static uint32_t rnd(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

enum { ARENA = 16 << 20 };
static uint8_t *fenced(void)
{
    uint8_t *m = mmap(NULL, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED || mprotect(m + ARENA, 4096, PROT_NONE))
        exit(2);
    return m + ARENA;       /* the end */
}

static uint16_t half(int kind)
{
    switch (kind) {
    case 1: return (uint16_t)(rnd() & 0x83ff);                 /* subnormal, +-0 */
    case 2: return (uint16_t)((rnd() & 0x83ff) | 0x7800);      /* largest binade */
    case 3: return rnd() & 1 ? 0x7bff : 0x8001;
    default: return (uint16_t)((rnd() & 0x83ff) | ((rnd() % 20 + 5) << 10));
    }
}

static float number(int kind)
{
    uint32_t bits = (rnd() << 1 ^ rnd()) & 0x807fffff;
    switch (kind) {
    case 1: break;                                              /* subnormal, +-0 */
    case 2: bits |= (rnd() % 6 + 185) << 23; break;
    case 3: bits = rnd() & 1 ? bits : rnd() << 31; bits |= (rnd() & 1) * 60u << 23; break;
    default: bits |= (rnd() % 10 + 120) << 23; break;
    }
    float v;
    memcpy(&v, &bits, 4);
    return v;
}

static struct { const char *name; int type; unsigned isa; slm_mul_fn *fn, *ref; } variants[64];
static size_t n_variants;

static uint8_t *wend, *xend, *yend;
static float *want;

static int run(size_t v, size_t tokens, size_t rows, size_t steps, int kind)
{
    static const size_t bytes[] = { SLM_STEP_F32, SLM_STEP_F16, SLM_STEP_F16, SLM_STEP_Q8_0, SLM_STEP_Q4_0 };
    const int type = variants[v].type;
    const size_t panels = (rows + 15) / 16, wbytes = panels * steps * bytes[type];
    uint8_t *w = wend - wbytes;
    const size_t pad = rnd() % 3, ldy = rows + pad;
    size_t ldx, xbytes;
    uint8_t *x;
    if (type >= 3) {
        ldx = 2 * steps + rnd() % 2;
        xbytes = ((tokens - 1) * ldx + 2 * steps) * sizeof(slm_xblock);
        x = xend - xbytes;
        slm_xblock *xb = (slm_xblock *)(void *)x;
        for (size_t t = 0; t < tokens; t++)
            for (size_t b = 0; b < 2 * steps; b++) {
                slm_xblock *o = xb + t * ldx + b;
                int sum = 0;
                o->d = number(kind);
                for (int i = 0; i < 32; i++) {
                    o->q[i] = (int8_t)(kind == 2 ? 127 : kind == 3 ? -127 : kind == 4 ? (rnd() & 1 ? 127 : -127) : (int)(rnd() % 255) - 127);
                    sum += o->q[i];
                }
                o->nsum = -sum;
            }
        for (size_t s = 0; s < panels * steps; s++) {
            uint8_t *p = w + s * bytes[type];
            for (int i = 0; i < 32; i++) {
                const uint16_t h = half(kind);
                memcpy(p + 2 * i, &h, 2);
            }
            for (size_t i = 64; i < bytes[type]; i++)
                p[i] = (uint8_t)(kind == 2 ? 255 : kind == 3 ? (rnd() & 1 ? 0 : 255) : kind == 4 ? 0 : rnd());
        }
    } else {
        ldx = 64 * steps + rnd() % 3;
        xbytes = ((tokens - 1) * ldx + 64 * steps) * 4;
        x = xend - xbytes;
        for (size_t i = 0; i < xbytes / 4; i++) {
            const float f = number(kind);
            memcpy(x + 4 * i, &f, 4);
        }
        for (size_t i = 0; i < wbytes; ) {
            if (type == 0) {
                const float f = number(kind);
                memcpy(w + i, &f, 4), i += 4;
            } else if (type == 1) {
                const uint16_t h = half(kind);
                memcpy(w + i, &h, 2), i += 2;
            } else {
                const float f = number(kind);
                memcpy(w + i, (const uint8_t *)&f + 2, 2), i += 2;
            }
        }
    }
    const size_t ny = (tokens - 1) * ldy + rows;
    float *y = (float *)(void *)(yend - 4 * ny);
    memset(y - 16, 0xa5, 4 * ny + 64);
    memset(want, 0xa5, 4 * ny);
    variants[v].ref(want, ldy, w, x, ldx, tokens, rows, steps);
    variants[v].fn(y, ldy, w, x, ldx, tokens, rows, steps);
    for (int i = 1; i <= 16; i++) {
        uint32_t g;
        memcpy(&g, y - i, 4);
        if (g != 0xa5a5a5a5)
            return printf("%s: tokens=%zu rows=%zu steps=%zu kind=%d: wrote before y\n", variants[v].name, tokens, rows, steps, kind), 1;
    }
    for (size_t i = 0; i < ny; i++)
        if (memcmp(y + i, want + i, 4)) {
            uint32_t a, b;
            memcpy(&a, want + i, 4), memcpy(&b, y + i, 4);
            return printf("%s: tokens=%zu rows=%zu steps=%zu kind=%d token %zu row %zu: ref %08x got %08x\n", variants[v].name, tokens, rows,
                          steps, kind, i / ldy, i % ldy, a, b), 1;
        }
    return 0;
}

int main(int argc, char **argv)
{
#define ADD(op, n) if (strcmp(#op, row_op) == 0 && isa > 1) variants[n_variants].name = name, variants[n_variants].type = n, variants[n_variants].isa = isa, variants[n_variants].fn = fn, variants[n_variants].ref = slm_##op##_scalar, n_variants++;
    struct { const char *op, *name; unsigned isa; slm_mul_fn *fn; } all[] = {
#define SLM_OP(op, ret, params)
#define SLM_IMPL(op, isa) { #op, #op "/" #isa, SLM_ISA_##isa, (slm_mul_fn *)(void *)slm_##op##_##isa },
#include "kernels/kernels.def"
    };
    const unsigned have = slm_cpu_isa();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *row_op = all[i].op, *name = all[i].name;
        const unsigned isa = all[i].isa;
        slm_mul_fn *fn = all[i].fn;
        if (strncmp(row_op, "mul_", 4) == 0 && !(isa & have))
            printf("%s: skipped, not on this CPU\n", name);
        if (!(isa & have))
            continue;
        ADD(mul_f32, 0) ADD(mul_f16, 1) ADD(mul_bf16, 2) ADD(mul_q8_0, 3) ADD(mul_q4_0, 4)
    }
    wend = fenced(), xend = fenced(), yend = fenced();
    want = malloc(ARENA);
    const size_t cases = argc > 1 ? strtoul(argv[1], NULL, 10) : 400;
    int bad = 0;
    size_t done = 0;
    for (size_t v = 0; v < n_variants; v++) {
        int mine = 0;
        for (size_t tokens = 1; tokens <= 17 && mine < 5; tokens++)
            for (size_t rows = 1; rows <= 40; rows++)
                for (size_t steps = 1; steps <= 5; steps++) {
                    if (argc <= 1 && rnd() % 8)
                        continue;
                    done++;
                    mine += run(v, tokens, rows, steps, (int)(rnd() % 5));
                }
        for (size_t i = 0; i < cases && mine < 5; i++) {
            done++;
            mine += run(v, rnd() % 70 + 1, rnd() % 300 + 1, rnd() % 12 + 1, (int)(rnd() % 5));
        }
        for (size_t i = 0; i < 3 && mine < 5; i++) {           /* several chunks and token blocks */
            done++;
            mine += run(v, rnd() % 20 + 190, rnd() % 20 + 60, rnd() % 20 + 50, (int)(rnd() % 5));
        }
        printf("%s: %s\n", variants[v].name, mine ? "FAILED" : "ok");
        bad += mine;
    }
    printf("%zu cases, %d failures\n", done, bad);
    return bad != 0;
}
