/* test_matrix.c -- weight types: disk form, dequantization, panels and products say the same. */
#include "harness/test.h"

#include "core/cpu.h"
#include "core/random.h"
#include "kernels/math.h"
#include "quant/matrix.h"

#include <stdlib.h>

enum { ROWS = 37, COLS = 160 };

static float source[ROWS * COLS], values[ROWS * COLS], row[COLS];
static uint8_t disk[ROWS * COLS * 4];

static void fill(const slm_type *type)
{
    for (size_t i = 0; i < ROWS * COLS; i++)
        source[i] = (float)(slm_random_unit(7, i) - 0.5) * (i % 97 == 0 ? 8.0f : 1.0f);
    type->quantize(disk, source, ROWS * COLS);
    type->dequantize(values, disk, ROWS * COLS);
}

static void for_each_type(void (*check)(const slm_type *type))
{
    const slm_type *type;
    size_t n = 0;
    for (; (type = slm_type_at(n)) != NULL; n++) {
        fill(type);
        check(type);
    }
    assert_int_equal(n, 5);
}

static void packed(const slm_type *type, slm_matrix *m, slm_heap *heap)
{
    uint64_t bytes;
    size_t bad_row, bad_block;
    assert_true(slm_type_bytes(type, ROWS, COLS, &bytes));
    const size_t stride = (size_t)bytes / ROWS;
    assert_int_equal(slm_matrix_alloc(m, heap, type, ROWS, COLS, NULL), SLM_OK);
    for (size_t r = 0; r < ROWS; r += SLM_PANEL_ROWS)
        assert_true(type->pack(m->panels + r / SLM_PANEL_ROWS * m->panel_bytes, disk + r * stride, stride,
                               ROWS - r < SLM_PANEL_ROWS ? ROWS - r : SLM_PANEL_ROWS, COLS, &bad_row, &bad_block));
}

static void check_rows(const slm_type *type)
{
    slm_heap heap;
    slm_matrix m = { 0 };
    slm_heap_init(&heap, NULL, 0);
    packed(type, &m, &heap);
    for (size_t r = 0; r < ROWS; r++) {
        slm_matrix_row(&m, r, row);
        if (memcmp(row, values + r * COLS, sizeof row) != 0)
            fail_msg("%s: row %zu of the panels is not the row of the file", type->name, r);
    }
    slm_matrix_free(&m, &heap);
    assert_int_equal(heap.current, 0);
}

static void rows_of_panels_are_the_rows_of_the_file(void **state)
{
    (void)state;
    for_each_type(check_rows);
}

/* Error bounds of each type's quantizer, relative to the largest value of a block. */
static void check_error(const slm_type *type)
{
    const float allowed = strcmp(type->name, "F32") == 0 ? 0 : strcmp(type->name, "F16") == 0 ? 0x1p-11f : strcmp(type->name, "BF16") == 0 ?
                          0x1p-8f : strcmp(type->name, "Q8_0") == 0 ? 0.0045f : 0.126f;
    for (size_t b = 0; b < ROWS * COLS; b += 32) {
        float most = 0;
        for (size_t i = b; i < b + 32; i++)
            most = fabsf(source[i]) > most ? fabsf(source[i]) : most;
        for (size_t i = b; i < b + 32; i++)
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
    float x[192] = { 0 }, y[ROWS];
    slm_xblock blocks[6];
    slm_heap_init(&heap, NULL, 0);
    packed(type, &m, &heap);
    for (size_t i = 0; i < COLS; i++)
        x[i] = (float)(slm_random_unit(9, i) - 0.5);
    slm_kernels_select(&k, slm_cpu_masked(0));
    assert_int_equal(k.quantize_x(blocks, x, COLS), 1);
    slm_matrix_mul(&m, &k, y, ROWS, type->float_x ? (const void *)x : (const void *)blocks, type->float_x ? 192 : 6, 1, 0, slm_matrix_panels(&m));
    for (size_t r = 0; r < ROWS; r++) {
        double want = 0, size = 0;
        for (size_t i = 0; i < COLS; i++) {
            const double xi = type->float_x ? (double)x[i] : (double)blocks[i / 32].d * blocks[i / 32].q[i % 32];
            want += (double)values[r * COLS + i] * xi;
            size += fabs((double)values[r * COLS + i] * xi);
        }
        if (!(fabs(want - (double)y[r]) <= 1e-5 * size))
            fail_msg("%s: row %zu is %g, want %g", type->name, r, (double)y[r], want);
    }
    slm_matrix_free(&m, &heap);
}

static void products_are_the_products_of_the_dequantized_values(void **state)
{
    (void)state;
    for_each_type(check_product);
}

static void check_nonfinite(const slm_type *type)
{
    uint64_t bytes;
    size_t bad_row = 0, bad_block = 0;
    assert_true(slm_type_bytes(type, ROWS, COLS, &bytes));
    const size_t stride = (size_t)bytes / ROWS;
    uint8_t *at = disk + 5 * stride + 2 * type->bytes;          /* block 2 of row 5: an infinity, low byte first */
    memset(at, 0, type->bytes);
    if (type->bytes == 4)
        memcpy(at, "\0\0\x80\x7f", 4);
    else
        memcpy(at, strcmp(type->name, "BF16") == 0 ? "\x80\x7f" : "\0\x7c", 2);
    assert_int_equal(type->nonfinite(disk, 5 * COLS), SIZE_MAX);
    assert_int_equal(type->nonfinite(disk, 6 * COLS), 5 * COLS / type->block + 2);
    uint8_t *panel = aligned_alloc(64, 3 * type->step);
    assert_non_null(panel);
    assert_false(type->pack(panel, disk, stride, 16, COLS, &bad_row, &bad_block));
    assert_int_equal(bad_row, 5);
    assert_int_equal(bad_block, 2);
    free(panel);
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
        cmocka_unit_test(quantizing_stays_within_each_types_step),
        cmocka_unit_test(products_are_the_products_of_the_dequantized_values),
        cmocka_unit_test(a_weight_that_is_not_finite_is_found_by_row_and_block),
        cmocka_unit_test(sizes_that_overflow_are_refused),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL) != 0;
}
