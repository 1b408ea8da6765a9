/* test_kv.c -- the cache's pages: who holds them, when they are copied, when they go. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "model/kv.h"

static const slm_config config = { .layers = 3, .kv_heads = 2, .head_size = 8, .heads = 4 };

static void start(slm_kv *kv, slm_heap *heap, size_t context)
{
    slm_error err = { 0 };
    check_status(slm_kv_init(kv, heap, &config, context, false, &err), SLM_OK, &err);
}

static void mark(slm_kv *kv, size_t page, uint8_t value)
{
    memset(kv->pages[page]->bytes, value, kv->page_bytes);
}

static void sizes_are_those_of_the_heap(void **state)
{
    (void)state;
    slm_error err = { 0 };
    for (int f32 = 0; f32 < 2; f32++)
        for (size_t context = 1; context < 400; context += 63) {
            slm_heap heap;
            slm_kv kv;
            slm_heap_init(&heap, NULL, 0);
            check_status(slm_kv_init(&kv, &heap, &config, context, f32, &err), SLM_OK, &err);
            check_status(slm_kv_reserve(&kv, 0, context, &err), SLM_OK, &err);
            assert_int_equal(kv.page_bytes, 64 * slm_kv_token_bytes(&config, f32));
            assert_int_equal(atomic_load(&heap.current), slm_kv_heap_bytes(&config, context, f32));
            check_status(slm_kv_reserve(&kv, context, kv.max_pages * 64 + 1, &err), SLM_E_INTERNAL, &err);
            slm_kv_free(&kv);
            assert_int_equal(atomic_load(&heap.current), 0);
        }
}

static void only_the_page_that_is_written_is_copied(void **state)
{
    (void)state;
    slm_error err = { 0 };
    slm_heap heap;
    slm_kv a, b;
    slm_heap_init(&heap, NULL, 0);
    start(&a, &heap, 320);
    start(&b, &heap, 320);
    check_status(slm_kv_reserve(&a, 0, 150, &err), SLM_OK, &err);
    for (uint8_t i = 0; i < 3; i++)
        mark(&a, i, i);
    slm_kv_share(&b, &a);
    assert_int_equal(b.n_pages, 3);
    assert_int_equal(atomic_load(&a.pages[0]->holds), 2);

    const size_t before = heap.count;
    check_status(slm_kv_reserve(&b, 150, 200, &err), SLM_OK, &err);        /* page 2 copied, page 3 new */
    assert_int_equal(heap.count, before + 2);
    assert_ptr_equal(a.pages[1], b.pages[1]);
    assert_ptr_not_equal(a.pages[2], b.pages[2]);
    assert_memory_equal(a.pages[2]->bytes, b.pages[2]->bytes, a.page_bytes);
    assert_int_equal(atomic_load(&a.pages[2]->holds), 1);
    mark(&b, 2, 77);
    assert_int_equal(a.pages[2]->bytes[5], 2);
    check_status(slm_kv_reserve(&a, 150, 192, &err), SLM_OK, &err);        /* alone by now: nothing to do */
    assert_int_equal(heap.count, before + 2);

    slm_kv_trim(&b, 64);                                                   /* from a page's edge on nothing is shared that is written */
    check_status(slm_kv_reserve(&b, 64, 65, &err), SLM_OK, &err);
    assert_int_equal(a.pages[1]->bytes[0], 1);
    assert_int_equal(b.pages[1]->bytes[0], 0);
    slm_kv_trim(&b, 10);
    check_status(slm_kv_reserve(&b, 10, 11, &err), SLM_OK, &err);
    assert_ptr_not_equal(a.pages[0], b.pages[0]);
    slm_kv_free(&a);
    assert_int_equal(b.pages[0]->bytes[9], 0);
    slm_kv_free(&b);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void a_refused_page_leaves_the_cache_as_it_was(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 4; fail_at++) {
        slm_error err = { 0 };
        slm_heap heap, second;
        slm_kv a, b;
        fail_alloc f;
        fail_alloc_init(&f, fail_at, true);
        slm_heap_init(&heap, NULL, 0);
        slm_heap_init(&second, &f.allocator, 0);
        start(&a, &heap, 640);
        check_status(slm_kv_reserve(&a, 0, 100, &err), SLM_OK, &err);
        mark(&a, 1, 9);
        slm_status status = slm_kv_init(&b, &second, &config, 640, false, &err);
        if (fail_at == 1) {
            check_status(status, SLM_E_MEMORY, &err);
            slm_kv_free(&a);
            continue;
        }
        b.heap = &heap;                                                     /* the pages come from a's heap */
        slm_kv_share(&b, &a);
        heap.limit = heap.current + (fail_at - 2) * slm_heap_cost(64 + a.page_bytes);
        check_status(slm_kv_reserve(&b, 100, 64 * 6, &err), SLM_E_MEMORY, &err);
        assert_int_equal(b.n_pages, 2);
        assert_int_equal(b.pages[1]->bytes[3], 9);
        assert_int_equal(a.pages[1]->bytes[3], 9);
        slm_kv_trim(&b, 0);
        b.heap = &second;
        slm_kv_free(&b);
        slm_kv_free(&a);
        assert_int_equal(atomic_load(&heap.current), 0);
        assert_int_equal(f.live_bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_heap),
        cmocka_unit_test(only_the_page_that_is_written_is_copied),
        cmocka_unit_test(a_refused_page_leaves_the_cache_as_it_was),
    };
    return cmocka_run_group_tests_name("kv", tests, NULL, NULL) != 0;
}
