/* test_panels.c -- the matrices of a model, read by any number of threads: what they hold, which error is told, reports, what runs beside. */
#include "harness/test.h"

#include "core/random.h"
#include "core/size.h"
#include "model/panels.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MATRICES = 5, COLS = 512, BIG = 16000, SMALL = 37 };     /* the big one is two jobs */

/* Rows of tensor i, and the part of them that is wanted. */
static const struct shape { const char *name; size_t whole, first, rows; } shapes[MATRICES] = {
    { "a", SMALL, 0, SMALL }, { "big", BIG, 0, BIG }, { "fused", 3 * SMALL, 0, SMALL }, { "fused", 3 * SMALL, SMALL, SMALL },
    { "fused", 3 * SMALL, 2 * SMALL, SMALL },
};
static slm_heap heap;
static slm_file file;
static slm_tensor tensors[3];
static slm_matrix matrices[MATRICES];
static slm_wanted wanted[MATRICES];
static uint8_t *disk;
static size_t row_bytes;
static atomic_size_t besides;

static int make(void **state)
{
    (void)state;
    const slm_type *type = slm_type_by_option("q4_0");
    uint64_t bytes, at = 0;
    float row[COLS];
    assert_true(slm_type_bytes(type, 1, COLS, &bytes));
    row_bytes = (size_t)bytes;
    const size_t rows = SMALL + BIG + 3 * SMALL;
    disk = malloc(rows * row_bytes);
    assert_non_null(disk);
    for (size_t r = 0; r < rows; r++) {
        for (size_t k = 0; k < COLS; k++)
            row[k] = (float)(slm_random_unit(5, r * COLS + k) - 0.5);
        type->quantize(disk + r * row_bytes, row, COLS);
    }
    slm_heap_init(&heap, NULL, 0);
    static char name[] = "made.gguf";
    file = (slm_file){ .path = name, .tensors = tensors, .n_tensors = COUNT(tensors), .source = slm_source_memory(disk, rows * row_bytes, name) };
    for (size_t i = 0; i < COUNT(tensors); i++) {
        tensors[i] = (slm_tensor){ .name = shapes[i].name, .shown = shapes[i].name, .type = type, .n_dims = 2, .dims = { COLS, shapes[i].whole, 1, 1 },
                                   .rows = shapes[i].whole, .offset = at, .bytes = shapes[i].whole * bytes };
        at += tensors[i].bytes;
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(disk);
    return 0;
}

static void beside(void *ctx, size_t index)
{
    assert_ptr_equal(ctx, &besides);
    assert_int_equal(index, 0);
    atomic_fetch_add(&besides, 1);
}

static slm_panels ask(slm_team *team)
{
    for (size_t i = 0; i < MATRICES; i++) {
        matrices[i] = (slm_matrix){ .type = tensors[0].type, .rows = shapes[i].rows, .cols = COLS };
        slm_matrix_shape(&matrices[i]);
        wanted[i] = (slm_wanted){ &matrices[i], &tensors[slm_min(i, 2)], shapes[i].first };
    }
    atomic_store(&besides, 0);
    slm_panels p = { .file = &file, .heap = &heap, .team = team, .total = 1000 + file.source.size, .beside = beside, .beside_ctx = &besides,
                     .wanted = wanted, .n = MATRICES };
    return p;
}

static slm_team *team_of(slm_team_kind kind, uint32_t threads)
{
    slm_error err = { 0 };
    slm_team *team = NULL;
    check_status(slm_team_new(&team, &heap, kind, threads, NULL, &err), SLM_OK, &err);
    return team;
}

static void rows_are_where_they_belong(void)
{
    float got[COLS], want[COLS];
    for (size_t i = 0; i < MATRICES; i++)
        for (size_t r = 0; r < shapes[i].rows; r += i == 1 ? 31 : 1) {
            const slm_tensor *t = wanted[i].tensor;
            slm_matrix_row(&matrices[i], r, got);
            t->type->dequantize(want, disk + t->offset + (shapes[i].first + r) * row_bytes, COLS);
            if (memcmp(got, want, sizeof got) != 0)
                fail_msg("matrix %zu, row %zu is another one", i, r);
        }
}

static void any_number_of_threads_reads_the_same(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads < 9; threads++)
        for (slm_team_kind kind = SLM_TEAM_OPENMP; kind <= SLM_TEAM_IN_PLACE; kind++) {
            if (kind == SLM_TEAM_EXECUTOR)
                continue;
            slm_error err = { 0 };
            uint8_t *memory = NULL;
            slm_team *team = team_of(kind, threads);
            slm_panels p = ask(team);
            const uint64_t before = atomic_load(&heap.current);
            atomic_store(&heap.peak, before);
            check_status(slm_panels_read(&p, &memory, &err), SLM_OK, &err);
            rows_are_where_they_belong();
            assert_int_equal(atomic_load(&besides), 1);
            assert_int_equal(p.done, p.total);
            size_t bytes = 0;
            for (size_t i = 0; i < MATRICES; i++)
                bytes += slm_matrix_panels(&matrices[i]) * matrices[i].panel_bytes;
            assert_int_equal(atomic_load(&heap.current), before + slm_heap_cost(bytes));       /* all of it is the panels */
            assert_true(atomic_load(&heap.peak) <= before + slm_heap_cost(bytes) + slm_heap_cost(threads * slm_panels_chunk(16 * row_bytes)) + 4096);
            slm_heap_free(&heap, memory);
            slm_team_free(team);
            assert_int_equal(atomic_load(&heap.current), 0);
        }
}

/* Not a number in the scale of block 3 of that row of the file. */
static void spoil(size_t row, bool so)
{
    static uint8_t kept[2];
    uint8_t *scale = disk + row * row_bytes + 3 * 18;
    if (so)
        memcpy(kept, scale, 2);
    memcpy(scale, so ? (const uint8_t *)"\0\x7e" : kept, 2);
}

static void the_first_of_several_errors_is_told(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads < 5; threads++)
        for (int i = 0; i < 10; i++) {
            slm_error err = { 0 };
            uint8_t *memory = NULL;
            slm_team *team = team_of(SLM_TEAM_PTHREAD, threads);
            slm_panels p = ask(team);
            spoil(SMALL + 123, true);
            memcpy(disk + (SMALL + BIG + 40) * row_bytes, "\0\x7c", 2);        /* in all that follows */
            memcpy(disk + (SMALL + BIG - 1) * row_bytes, "\0\x7c", 2);
            check_status(slm_panels_read(&p, &memory, &err), SLM_E_NUMERIC, &err);
            check_text(&err, "made.gguf: tensor 'big': row 123, block 3: not a finite number");
            assert_null(memory);
            assert_null(matrices[0].panels);
            spoil(SMALL + 123, false);
            check_status(slm_panels_read(&p, &memory, &err), SLM_E_NUMERIC, &err);
            check_text(&err, "made.gguf: tensor 'big': row 15999, block 0: not a finite number");
            memset(disk + (SMALL + BIG - 1) * row_bytes, 0, 2);
            p.done = 0;
            check_status(slm_panels_read(&p, &memory, &err), SLM_E_NUMERIC, &err);
            check_text(&err, "made.gguf: tensor 'fused': row 40, block 0: not a finite number");
            memset(disk + (SMALL + BIG + 40) * row_bytes, 0, 2);
            slm_team_free(team);
            assert_int_equal(atomic_load(&heap.current), 0);
        }
}

static void a_file_that_became_shorter_is_seen(void **state)
{
    (void)state;
    slm_error err = { 0 };
    uint8_t *memory = NULL;
    slm_team *team = team_of(SLM_TEAM_PTHREAD, 2);
    const uint64_t size = file.source.size;
    slm_panels p = ask(team);
    file.source.size = tensors[1].offset + 5;
    check_status(slm_panels_read(&p, &memory, &err), SLM_E_FORMAT, &err);
    file.source.size = size;
    assert_null(memory);
    slm_team_free(team);
    assert_int_equal(atomic_load(&heap.current), 0);
}

typedef struct reports {
    size_t n, stop_at;
    uint64_t done;
} reports;

static int note(void *user, uint64_t done, uint64_t total)
{
    reports *r = user;
    assert_true(done > r->done && done <= total);
    r->done = done;
    return ++r->n == r->stop_at;
}

static void progress_is_told_and_may_stop(void **state)
{
    (void)state;
    slm_error err = { 0 };
    uint8_t *memory = NULL;
    slm_team *team = team_of(SLM_TEAM_PTHREAD, 3);
    slm_panels p = ask(team);
    reports all = { 0, 0, 0 }, few = { 0, 2, 0 };
    p.progress = note;
    p.user = &all;
    check_status(slm_panels_read(&p, &memory, &err), SLM_OK, &err);
    rows_are_where_they_belong();
    assert_int_equal(all.n, 6);                 /* two of the big one, one of each other */
    assert_int_equal(all.done, p.total);
    assert_int_equal(atomic_load(&besides), 1);
    slm_heap_free(&heap, memory);
    memory = NULL;
    p = ask(team);
    p.progress = note;
    p.user = &few;
    check_status(slm_panels_read(&p, &memory, &err), SLM_E_CALLBACK, &err);
    assert_int_equal(few.n, 2);
    assert_null(memory);
    slm_team_free(team);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void refused_memory_is_told(void **state)
{
    (void)state;
    slm_error err = { 0 };
    uint8_t *memory = NULL;
    slm_team *team = team_of(SLM_TEAM_PTHREAD, 2);
    for (size_t spare = 0; spare < 3; spare++) {
        slm_panels p = ask(team);
        heap.limit = atomic_load(&heap.current) + (spare ? 4700000 + 100000 * spare : 0);      /* nothing; panels; and the jobs */
        check_status(slm_panels_read(&p, &memory, &err), SLM_E_MEMORY, &err);
        check_text(&err, "made.gguf");
        heap.limit = UINT64_MAX;
    }
    slm_team_free(team);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void nothing_to_read_still_runs_what_is_beside(void **state)
{
    (void)state;
    slm_error err = { 0 };
    uint8_t *memory = (uint8_t *)&err;
    slm_team *team = team_of(SLM_TEAM_PTHREAD, 2);
    slm_panels p = ask(team);
    reports all = { 0, 0, 0 };
    p.n = 0;
    p.progress = note;
    p.user = &all;
    check_status(slm_panels_read(&p, &memory, &err), SLM_OK, &err);
    assert_null(memory);
    assert_int_equal(atomic_load(&besides), 1);
    assert_true(all.n == 1 && all.done == p.total);
    slm_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_reads_the_same),
        cmocka_unit_test(the_first_of_several_errors_is_told),
        cmocka_unit_test(a_file_that_became_shorter_is_seen),
        cmocka_unit_test(progress_is_told_and_may_stop),
        cmocka_unit_test(refused_memory_is_told),
        cmocka_unit_test(nothing_to_read_still_runs_what_is_beside),
    };
    return cmocka_run_group_tests_name("panels", tests, make, end) != 0;
}
