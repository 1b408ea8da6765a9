/* test_heap.c -- the counting allocator: alignment, limit, peak, overflow, owners, threads, refusals. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/buf.h"
#include "core/heap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void blocks_are_aligned_counted_and_zeroed(void **state)
{
    (void)state;
    slm_heap heap;
    slm_heap_init(&heap, NULL, 0);
    for (size_t n = 0; n < 300; n++) {
        uint8_t *a = slm_heap_alloc(&heap, n), *z = slm_heap_zalloc(&heap, n);
        assert_non_null(a);
        assert_non_null(z);
        assert_int_equal((uintptr_t)a % 64, 0);
        assert_int_equal((uintptr_t)z % 64, 0);
        memset(a, 0xff, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(z[i], 0);
        assert_true(heap.current >= 2 * n);
        slm_heap_free(&heap, a);
        slm_heap_free(&heap, z);
        assert_true(heap.current == 0);
    }
    assert_true(heap.count == 600);
    assert_true(heap.peak >= 2 * 299 && heap.peak <= 2 * (299 + 127));
    slm_heap_free(&heap, NULL);
}

static void the_limit_holds_exactly(void **state)
{
    (void)state;
    slm_heap heap;
    slm_heap_init(&heap, NULL, 1024);              /* headers count: 960 + 64 */
    void *all = slm_heap_alloc(&heap, 960);
    assert_non_null(all);
    assert_null(slm_heap_alloc(&heap, 0));
    assert_true(heap.current == 1024 && heap.peak == 1024 && heap.count == 1);
    slm_heap_free(&heap, all);
    assert_null(slm_heap_alloc(&heap, 961));
    assert_true(heap.current == 0);
    void *half = slm_heap_alloc(&heap, 448);
    assert_non_null(half);
    assert_null(slm_heap_alloc(&heap, 449));
    void *other = slm_heap_alloc(&heap, 448);
    assert_non_null(other);
    slm_heap_free(&heap, half);
    slm_heap_free(&heap, other);
    assert_true(heap.current == 0 && heap.peak == 1024);
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    slm_heap heap;
    slm_heap_init(&heap, NULL, 0);
    const size_t wrapping[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX - 126 };
    for (size_t i = 0; i < COUNT(wrapping); i++)
        assert_null(slm_heap_alloc(&heap, wrapping[i]));
    assert_null(slm_heap_array(&heap, SIZE_MAX / 2, 3));
    assert_null(slm_heap_zarray(&heap, (size_t)1 << 32, (size_t)1 << 32));
    assert_true(heap.current == 0 && heap.peak == 0 && heap.count == 0);
    void *few = slm_heap_zarray(&heap, 3, 5);
    assert_non_null(few);
    slm_heap_free(&heap, few);
}

static void a_refusal_of_the_allocator_changes_nothing(void **state)
{
    (void)state;
    fail_alloc f;
    fail_alloc_init(&f, 2, false);
    slm_heap heap;
    slm_heap_init(&heap, &f.allocator, 0);
    void *a = slm_heap_alloc(&heap, 100);
    const uint64_t before = heap.current;
    assert_null(slm_heap_zalloc(&heap, 1000));
    assert_true(heap.current == before && heap.peak == before && heap.count == 1);
    void *b = slm_heap_alloc(&heap, 10);
    assert_non_null(b);
    slm_heap_free(&heap, a);
    slm_heap_free(&heap, b);
    assert_int_equal(f.live_bytes, 0);
}

static void an_owner_lives_in_its_own_memory(void **state)
{
    (void)state;
    struct owner { slm_heap heap; uint8_t more[1000]; };
    fail_alloc f;
    fail_alloc_init(&f, 0, false);
    struct owner *o = slm_heap_new_owner(sizeof *o, &f.allocator, 4096);
    assert_non_null(o);
    for (size_t i = 0; i < sizeof o->more; i++)
        assert_int_equal(o->more[i], 0);
    assert_true(o->heap.current == f.live_bytes && o->heap.peak == f.live_bytes);
    assert_null(slm_heap_alloc(&o->heap, 4096));       /* the object itself counts against the limit */
    void *part = slm_heap_alloc(&o->heap, 1000);
    assert_true(o->heap.current == f.live_bytes);
    slm_heap_free(&o->heap, part);
    slm_heap_free_owner(o);
    slm_heap_free_owner(NULL);
    assert_int_equal(f.live_bytes, 0);
    assert_null(slm_heap_new_owner(sizeof *o, &f.allocator, 100));
    assert_int_equal(f.live_bytes, 0);
}

static void *hammer(void *arg)
{
    slm_heap *heap = arg;
    void *held[8] = { 0 };
    size_t refused = 0;
    for (size_t i = 0; i < 4000; i++) {
        slm_heap_free(heap, held[i % 8]);
        held[i % 8] = slm_heap_alloc(heap, i % 700);
        refused += !held[i % 8];
    }
    for (size_t i = 0; i < 8; i++)
        slm_heap_free(heap, held[i]);
    return (void *)(uintptr_t)refused;
}

static void threads_never_pass_the_limit(void **state)
{
    (void)state;
    slm_heap heap;
    pthread_t threads[4];
    slm_heap_init(&heap, NULL, 12000);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &heap), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_true(heap.current == 0);
    assert_true(heap.peak <= 12000 && heap.peak > 0);
}

/* The failing allocator and its loop, on the smallest scenario there is. */
struct pair { slm_heap heap; slm_buf first, second; };

static void drop_pair(void *ctx, void *object)
{
    struct pair *p = object;
    (void)ctx;
    slm_buf_free(&p->first);
    slm_buf_free(&p->second);
    slm_heap_free_owner(p);
}

static slm_status make_pair(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    struct pair *p = slm_heap_new_owner(sizeof *p, allocator, 0);
    if (!p)
        return slm_fail(err, SLM_E_MEMORY, "pair of %zu bytes", sizeof *p);
    slm_buf_init(&p->first, &p->heap, 10000);
    slm_buf_init(&p->second, &p->heap, 10000);
    for (size_t i = 0; i < 200; i++)
        slm_buf_u64(i % 2 ? &p->first : &p->second, i);
    slm_status status = slm_buf_status(&p->first, "first", err);
    if (!status)
        status = slm_buf_status(&p->second, "second", err);
    if (status)
        drop_pair(ctx, p);
    else
        *out = p;
    return status;
}

static void every_refusal_is_survived(void **state)
{
    (void)state;
    assert_int_equal(fail_alloc_every("a pair of buffers", make_pair, drop_pair, NULL), 1 + 2 * 3);   /* 256, 512, 1024 bytes */
}

/* Is the page at `address` of memory that huge pages were asked for? -1: the kernel does not say. */
static int huge_asked(const void *address)
{
    char line[512];
    FILE *f = fopen("/proc/self/smaps", "r");
    bool here = false;
    int asked = -1;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            here = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            asked = strstr(line, " hg") != NULL;
    }
    if (f)
        fclose(f);
    return asked;
}

static void *plain_alloc(void *user, size_t size)
{
    void *memory = NULL;
    *(size_t *)user += 1;
    return posix_memalign(&memory, 64, size) ? NULL : memory;
}

static void plain_release(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

/* Only the library's own memory, only in large blocks, and only whole pages of them. */
static void large_blocks_ask_for_huge_pages(void **state)
{
    (void)state;
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) != 0) {
        print_message("skipped: this kernel has no huge pages\n");
        skip();
    }
    const size_t bytes = (40 << 20) + 12345;
    size_t calls = 0;
    const slm_allocator own = { &calls, plain_alloc, plain_release };
    slm_heap heap, callers;
    slm_heap_init(&heap, NULL, 0);
    slm_heap_init(&callers, &own, 0);
    uint8_t *large = slm_heap_alloc(&heap, bytes), *small = slm_heap_alloc(&heap, 1 << 20), *theirs = slm_heap_alloc(&callers, bytes);
    assert_true(large && small && theirs);
    assert_int_equal((uintptr_t)large % 64, 0);
    assert_true(heap.current <= bytes + (1 << 20) + 256);
    if (huge_asked(large) >= 0) {
        assert_int_equal(huge_asked(large), 1);
        assert_int_equal(huge_asked(large + (39 << 20)), 1);
        assert_int_equal(huge_asked(large + bytes - 1), 0);
        assert_int_equal(huge_asked(small), 0);
        assert_int_equal(huge_asked(theirs + (20 << 20)), 0);
    }
    assert_int_equal(calls, 1);
    slm_heap_free(&heap, large);
    slm_heap_free(&heap, small);
    slm_heap_free(&callers, theirs);
    assert_true(heap.current == 0 && callers.current == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_counted_and_zeroed),
        cmocka_unit_test(the_limit_holds_exactly),
        cmocka_unit_test(sizes_that_wrap_are_refused),
        cmocka_unit_test(a_refusal_of_the_allocator_changes_nothing),
        cmocka_unit_test(an_owner_lives_in_its_own_memory),
        cmocka_unit_test(threads_never_pass_the_limit),
        cmocka_unit_test(every_refusal_is_survived),
        cmocka_unit_test(large_blocks_ask_for_huge_pages),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL) != 0;
}
