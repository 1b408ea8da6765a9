/* test_matrix.c -- weight types: disk form, dequantization, panels and products say the same. */
#include "harness/test.h"

#include "core/cpu.h"
#include "core/heap.h"
#include "core/random.h"
#include "core/size.h"
#include "core/xxh64.h"
#include "kernels/math.h"
#include "quant/matrix.h"

#include <stdlib.h>

enum { ROWS = 37, MOST = 768 };

static size_t cols;             /* of the type at work: not a multiple of a panel step where the type allows it */
static float source[ROWS * MOST], values[ROWS * MOST], row[MOST];
static uint8_t disk[ROWS * MOST * 4];

static void fill(const slm_type *type)
{
    cols = type->block > 32 ? MOST : 160;
    for (size_t i = 0; i < ROWS * cols; i++)
        source[i] = (float)(slm_random_unit(7, i) - 0.5) * (i % 97 == 0 ? 8.0f : 1.0f);
    type->quantize(disk, source, ROWS * cols);
    type->dequantize(values, disk, ROWS * cols);
}

static void for_each_type(void (*check)(const slm_type *type))
{
    const slm_type *type;
    size_t n = 0;
    for (; (type = slm_type_at(n)) != NULL && !type->head; n++) {       /* those with a scale a row: test_packed.c */
        fill(type);
        check(type);
    }
    assert_int_equal(n, 15);
}

/* Sets a matrix; returns its panels, which are the heap's. */
static uint8_t *packed(const slm_type *type, slm_matrix *m, slm_heap *heap)
{
    uint64_t bytes;
    size_t bad_row, bad_block;
    assert_true(slm_type_bytes(type, ROWS, cols, &bytes));
    const size_t stride = (size_t)bytes / ROWS;
    size_t room;
    assert_true(slm_matrix_bytes(type, ROWS, cols, &room));
    uint8_t *panels = slm_heap_alloc(heap, room);
    assert_non_null(panels);
    *m = (slm_matrix){ .type = type, .rows = ROWS, .cols = cols, .panels = panels };
    slm_matrix_shape(m);
    for (size_t r = 0; r < ROWS; r += SLM_PANEL_ROWS)
        assert_true(type->pack(panels + r / SLM_PANEL_ROWS * m->panel_bytes, disk + r * stride, stride,
                               ROWS - r < SLM_PANEL_ROWS ? ROWS - r : SLM_PANEL_ROWS, cols, &bad_row, &bad_block));
    return panels;
}

static void check_rows(const slm_type *type)
{
    slm_heap heap;
    slm_matrix m = { 0 };
    slm_heap_init(&heap, NULL, 0);
    uint8_t *panels = packed(type, &m, &heap);
    for (size_t r = 0; r < ROWS; r++) {
        slm_matrix_row(&m, r, row);
        if (memcmp(row, values + r * cols, cols * sizeof *row) != 0)
            fail_msg("%s: row %zu of the panels is not the row of the file", type->name, r);
    }
    slm_heap_free(&heap, panels);
    assert_int_equal(heap.current, 0);
}

static void rows_of_panels_are_the_rows_of_the_file(void **state)
{
    (void)state;
    for_each_type(check_rows);
}

/* Packed files hold panels: their bytes, gaps and padding included, are those of SLM_LAYOUT 1, whoever packs them. Full panels and one with
 * five rows, columns that fill their last step and columns that do not. */
static void check_bytes(const slm_type *type)
{
    static const struct { const char *name; uint64_t hash; } known[] = {
        { "F32", 0xc8ce189c1d1d0490 },
        { "F16", 0xd2a49137a0eeedc4 },
        { "BF16", 0xe1fa659e73e72ae0 },
        { "Q8_0", 0x92b08da70bfee413 },
        { "Q4_0", 0xdfeb66d6cd8a0429 },
        { "Q4_1", 0xaeb41b27ead677e9 },
        { "Q5_0", 0xe64f29f0da7f20d9 },
        { "Q5_1", 0x734fec5d67692372 },
        { "Q4_K", 0x9f3b750d5819e6ba },
        { "Q5_K", 0xb4dcfc2efc895103 },
        { "Q6_K", 0x0a84d98b064a3d10 },
        { "Q2_K", 0x488e0ade3923277b },
        { "Q3_K", 0x4e090d0f5a7d63b0 },
        { "IQ4_NL", 0x94e93bd584ea2fd6 },
        { "IQ4_XS", 0x8f0010ec4cb82ae4 },
    };
    static uint8_t panels[(ROWS + 15) / 16 * (MOST / 64) * SLM_STEP_F32];
    slm_xxh64 all;
    uint64_t bytes, want = 0;
    size_t bad_row, bad_block;
    assert_true(slm_type_bytes(type, 1, cols, &bytes));
    slm_xxh64_init(&all);
    for (size_t n = cols; n >= cols * 2 / 3; n -= type->block > 32 ? 256 : 32) {
        const size_t each = slm_ceil_div(n, SLM_STEP_COLS) * type->step;
        memset(panels, 0xa5, sizeof panels);
        for (size_t r = 0; r < ROWS; r += SLM_PANEL_ROWS)
            assert_true(type->pack(panels + r / SLM_PANEL_ROWS * each, disk + r * (size_t)bytes, (size_t)bytes,
                                   slm_min(ROWS - r, SLM_PANEL_ROWS), n, &bad_row, &bad_block));
        slm_xxh64_add(&all, panels, sizeof panels);             /* nothing is written behind the last either */
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, type->name))
            want = known[i].hash;
    if (slm_xxh64_end(&all) != want)
        fail_msg("%s: panels hash to 0x%016" PRIx64 ", layout %d to 0x%016" PRIx64, type->name, slm_xxh64_end(&all), SLM_LAYOUT, want);
}

static void panels_have_the_bytes_that_packed_files_hold(void **state)
{
    (void)state;
    for_each_type(check_bytes);
}

/* Error bounds of each type's quantizer, relative to the largest value of a block. */
static void check_error(const slm_type *type)
{
    static const struct { const char *name; float allowed; } bounds[] = {
        { "F32", 0 }, { "F16", 0x1p-11f }, { "BF16", 0x1p-8f }, { "Q8_0", 0.0045f }, { "Q4_0", 0.126f },
        /* half a step of the span, at most twice the largest value; with 6 bits of scale and minimum, a little more */
        { "Q4_1", 0.068f }, { "Q5_0", 0.063f }, { "Q5_1", 0.033f }, { "Q4_K", 0.12f }, { "Q5_K", 0.07f }, { "Q6_K", 0.04f },
        { "Q2_K", 0.5f }, { "Q3_K", 0.3f }, { "IQ4_NL", 0.12f }, { "IQ4_XS", 0.13f },
    };
    float allowed = -1;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (!strcmp(bounds[i].name, type->name))
            allowed = bounds[i].allowed;
    assert_true(allowed >= 0);
    const size_t block = type->block > 32 ? type->block : 32;
    for (size_t b = 0; b < ROWS * cols; b += block) {
        float most = 0;
        for (size_t i = b; i < b + block; i++)
            most = fabsf(source[i]) > most ? fabsf(source[i]) : most;
        for (size_t i = b; i < b + block; i++)
            if (!(fabsf(values[i] - source[i]) <= allowed * most))
                fail_msg("%s: value %zu: %g became %g, block's largest %g", type->name, i, (double)source[i], (double)values[i], (double)most);
    }
}

static void quantizing_stays_within_each_types_step(void **state)
{
    (void)state;
    for_each_type(check_error);
}

/* A product against double on the dequantized values and the activations as the type takes them. */
static void check_product(const slm_type *type)
{
    slm_heap heap;
    slm_matrix m = { 0 };
    slm_kernels k;
    float x[MOST] = { 0 }, y[ROWS];
    slm_xblock blocks[MOST / 32];
    slm_heap_init(&heap, NULL, 0);
    uint8_t *panels = packed(type, &m, &heap);
    for (size_t i = 0; i < cols; i++)
        x[i] = (float)(slm_random_unit(9, i) - 0.5);
    slm_kernels_select(&k, slm_cpu_masked(0));
    assert_int_equal(k.quantize_x(blocks, x, cols), 1);
    slm_matrix_mul(&m, &k, y, ROWS, type->float_x ? (const void *)x : (const void *)blocks, type->float_x ? 64 * m.steps : 2 * m.steps, 1, 0, slm_matrix_panels(&m));
    for (size_t r = 0; r < ROWS; r++) {
        double want = 0, size = 0;
        for (size_t i = 0; i < cols; i++) {
            const double xi = type->float_x ? (double)x[i] : (double)blocks[i / 32].d * blocks[i / 32].q[i % 32];
            want += (double)values[r * cols + i] * xi;
            size += fabs((double)values[r * cols + i] * xi);
        }
        if (!(fabs(want - (double)y[r]) <= 1e-5 * size))
            fail_msg("%s: row %zu is %g, want %g", type->name, r, (double)y[r], want);
    }
    slm_heap_free(&heap, panels);
}

static void products_are_the_products_of_the_dequantized_values(void **state)
{
    (void)state;
    for_each_type(check_product);
}

/* Where a block has its f16 scale. */
static size_t scale_at(const char *name)
{
    return !strcmp(name, "Q6_K") ? 208 : !strcmp(name, "Q3_K") ? 108 : !strcmp(name, "Q2_K") ? 80 : 0;
}

static void check_nonfinite(const slm_type *type)
{
    uint64_t bytes;
    size_t bad_row = 0, bad_block = 0;
    assert_true(slm_type_bytes(type, ROWS, cols, &bytes));
    const size_t stride = (size_t)bytes / ROWS;
    uint8_t *at = disk + 5 * stride + 2 * type->bytes;          /* block 2 of row 5: an infinity, low byte first */
    memset(at, 0, type->bytes);
    if (type->bytes == 4)
        memcpy(at, "\0\0\x80\x7f", 4);
    else
        memcpy(at + scale_at(type->name), strcmp(type->name, "BF16") == 0 ? "\x80\x7f" : "\0\x7c", 2);
    assert_int_equal(type->nonfinite(disk, 5 * cols), SIZE_MAX);
    assert_int_equal(type->nonfinite(disk, 6 * cols), 5 * cols / type->block + 2);
    uint8_t *panel = aligned_alloc(64, (cols + 63) / 64 * type->step);
    assert_non_null(panel);
    assert_false(type->pack(panel, disk, stride, 16, cols, &bad_row, &bad_block));
    assert_int_equal(bad_row, 5);
    assert_int_equal(bad_block, 2);
    free(panel);
}

/* Minima are looked at too. */
static void check_nonfinite_minimum(const slm_type *type)
{
    static const char *const with_minimum[] = { "Q4_1", "Q5_1", "Q4_K", "Q5_K", "Q2_K" };
    for (size_t i = 0; i < 5; i++)
        if (!strcmp(type->name, with_minimum[i])) {
            memcpy(disk + 3 * type->bytes + scale_at(type->name) + 2, "\1\xfe", 2);
            assert_int_equal(type->nonfinite(disk, ROWS * cols), 3);
        }
}

/* Values that no f16 scale can hold, and all the same, and zeros: no undefined conversion, and zeros stay zeros. */
static void check_extremes(const slm_type *type)
{
    static const float all[] = { 0, -0.0f, 1e-40f, -1e-40f, 1e-6f, -3, 7, 1e30f, -1e30f };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (size_t k = 0; k < 256; k++)
            source[k] = all[i];
        type->quantize(disk, source, 256);
        if (type->nonfinite(disk, 256) != SIZE_MAX) {
            assert_true(fabsf(all[i]) > 65504);
            continue;
        }
        type->dequantize(values, disk, 256);
        for (size_t k = 0; k < 256; k++)
            if (!(fabsf(values[k] - all[i]) <= 0.13f * fabsf(all[i]) + 1e-6f))
                fail_msg("%s: %g became %g", type->name, (double)all[i], (double)values[k]);
    }
}

static void extremes_are_quantized_or_refused(void **state)
{
    (void)state;
    for_each_type(check_nonfinite_minimum);
    for_each_type(check_extremes);
}

static void a_weight_that_is_not_finite_is_found_by_row_and_block(void **state)
{
    (void)state;
    for_each_type(check_nonfinite);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    uint64_t bytes;
    size_t size;
    const slm_type *q8 = slm_type_by_option("q8_0");
    assert_non_null(q8);
    assert_true(slm_type_bytes(q8, 3, 64, &bytes));
    assert_int_equal(bytes, 3 * 2 * 34);
    assert_false(slm_type_bytes(q8, 1, 33, &bytes));
    assert_false(slm_type_bytes(q8, UINT64_MAX / 34, 64, &bytes));
    assert_false(slm_type_bytes(q8, UINT64_MAX, UINT64_MAX - 31, &bytes));
    assert_false(slm_matrix_bytes(q8, SIZE_MAX, SIZE_MAX, &size));
    assert_true(slm_matrix_bytes(q8, 17, 65, &size));
    assert_int_equal(size, 2 * 2 * SLM_STEP_Q8_0);
    assert_null(slm_type_by_option("q9"));
    assert_null(slm_type_by_id(9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_panels_are_the_rows_of_the_file),
        cmocka_unit_test(panels_have_the_bytes_that_packed_files_hold),
        cmocka_unit_test(quantizing_stays_within_each_types_step),
        cmocka_unit_test(products_are_the_products_of_the_dequantized_values),
        cmocka_unit_test(a_weight_that_is_not_finite_is_found_by_row_and_block),
        cmocka_unit_test(extremes_are_quantized_or_refused),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL) != 0;
}
