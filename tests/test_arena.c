/* test_arena.c -- bump memory. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/arena.h"

static void pieces_are_aligned_disjoint_and_bounded(void **state)
{
    (void)state;
    slm_heap heap;
    slm_arena arena;
    slm_error err;
    slm_heap_init(&heap, NULL, 0);
    check_status(slm_arena_init(&arena, &heap, 1024, &err), SLM_OK, &err);
    uint8_t *a = slm_arena_take(&arena, 3, 7), *b = slm_arena_take(&arena, 1, 64), *c = slm_arena_take(&arena, 65, 1);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_ptr_equal(b, a + 64);
    assert_ptr_equal(c, b + 64);
    memset(a, 1, 21);
    memset(b, 2, 64);
    memset(c, 3, 65);
    assert_int_equal(a[20], 1);
    assert_int_equal(b[63], 2);
    assert_int_equal(arena.used, 256);
    assert_null(slm_arena_take(&arena, 769, 1));
    assert_int_equal(arena.used, 256);
    assert_non_null(slm_arena_take(&arena, 768, 1));
    assert_non_null(slm_arena_take(&arena, 0, 8));
    assert_null(slm_arena_take(&arena, 1, 1));
    slm_arena_reset(&arena);
    assert_ptr_equal(slm_arena_take(&arena, 1024, 1), a);
    assert_true(heap.count == 1);
    slm_arena_free(&arena, &heap);
    slm_arena_free(&arena, &heap);
    assert_true(heap.current == 0);
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    slm_heap heap;
    slm_arena arena;
    slm_heap_init(&heap, NULL, 0);
    check_status(slm_arena_init(&arena, &heap, 256, NULL), SLM_OK, NULL);
    assert_non_null(slm_arena_take(&arena, 1, 1));
    assert_null(slm_arena_take(&arena, SIZE_MAX, 1));
    assert_null(slm_arena_take(&arena, SIZE_MAX - 63, 1));
    assert_null(slm_arena_take(&arena, SIZE_MAX / 2 + 1, 2));
    assert_int_equal(arena.used, 64);
    slm_arena_free(&arena, &heap);
}

static slm_status make(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    static slm_heap heap;
    slm_heap_init(&heap, allocator, 0);
    slm_arena arena;
    slm_status status = slm_arena_init(&arena, &heap, 4096, err);
    if (!status) {
        *(slm_arena *)ctx = arena;
        *out = &heap;
    }
    return status;
}

static void drop(void *ctx, void *object)
{
    slm_arena_free(ctx, object);
}

static void a_refusal_is_survived(void **state)
{
    (void)state;
    slm_arena arena;
    assert_int_equal(fail_alloc_every("arena", make, drop, &arena), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_disjoint_and_bounded),
        cmocka_unit_test(sizes_that_wrap_are_refused),
        cmocka_unit_test(a_refusal_is_survived),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL) != 0;
}
