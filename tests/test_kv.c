/* test_kv.c -- the cache's pages: who holds them, when they are copied, when they go. */
#include "harness/fail_alloc.h"
#include "harness/test.h"

#include "core/cpu.h"
#include "session/session.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const slm_config config = { .layers = 3, .kv_heads = 2, .head_size = 8, .heads = 4 };

static void start(slm_kv *kv, slm_heap *heap, size_t context)
{
    slm_error err = { 0 };
    check_status(slm_kv_init(kv, heap, &config, context, SLM_KV_F16, &err), SLM_OK, &err);
}

static void mark(slm_kv *kv, size_t page, uint8_t value)
{
    memset(kv->pages[page]->bytes, value, kv->page_bytes);
}

static void sizes_are_those_of_the_heap(void **state)
{
    (void)state;
    slm_error err = { 0 };
    for (uint32_t type = SLM_KV_F16; type <= SLM_KV_Q8_0; type++)
        for (size_t context = 1; context < 400; context += 63) {
            slm_heap heap;
            slm_kv kv;
            slm_heap_init(&heap, NULL, 0);
            check_status(slm_kv_init(&kv, &heap, &config, context, type, &err), SLM_OK, &err);
            check_status(slm_kv_reserve(&kv, 0, context, &err), SLM_OK, &err);
            assert_int_equal(kv.page_bytes, 64 * slm_kv_token_bytes(&config, type));
            assert_int_equal(atomic_load(&heap.current), slm_kv_heap_bytes(&config, context, type));
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
        slm_status status = slm_kv_init(&b, &second, &config, 640, SLM_KV_F16, &err);
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

/* Head sizes below, at and past a block, and no multiple of 4: half of a step from what was stored, and clearing leaves the others alone. */
static void eight_bits_keep_what_was_stored(void **state)
{
    (void)state;
    static const uint32_t sizes[] = { 2, 6, 8, 30, 32, 34, 64, 80 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        enum { AT = 70, HEAD = 1, LAYER = 2 };
        const uint32_t d = sizes[i];
        const slm_config c = { .layers = 3, .kv_heads = 2, .head_size = d, .heads = 4 };
        slm_error err = { 0 };
        slm_heap heap;
        slm_kv kv;
        slm_kernels kernels;
        float k[160], v[160];
        slm_heap_init(&heap, NULL, 0);
        slm_kernels_select(&kernels, slm_cpu_masked(0));
        check_status(slm_kv_init(&kv, &heap, &c, 200, SLM_KV_Q8_0, &err), SLM_OK, &err);
        check_status(slm_kv_reserve(&kv, 0, 128, &err), SLM_OK, &err);
        for (uint32_t e = 0; e < 2 * d; e++) {
            k[e] = (float)((e * 37 + 5) % 101) - 50;
            v[e] = (float)((e * 53 + 9) % 97) - 48;
        }
        assert_true(slm_kv_store(&kv, &kernels, AT, LAYER, k, v));
        uint8_t *keys = slm_kv_keys(&kv, 1, LAYER, HEAD), *values = slm_kv_values(&kv, 1, LAYER, HEAD);
        const size_t slot = AT - 64, blocks = (d + 31) / 32;
        for (size_t e = 0; e < d; e++) {
            const uint8_t *block = keys + e / 32 * (64 + 512);
            const float dk = ((const float *)(const void *)block)[slot], dv = ((const float *)(const void *)values)[slot * blocks + e / 32];
            const int qk = block[64 + e % 32 / 4 * 64 + slot * 4 + e % 4] - 128;
            const int qv = (int8_t)values[64 * blocks * 4 + slot * ((d + 3) / 4 * 4) + e];
            assert_true(fabsf((float)qk * dk - k[HEAD * d + e]) <= dk * 0.5001f);
            assert_true(fabsf((float)qv * dv - v[HEAD * d + e]) <= dv * 0.5001f);
        }
        uint8_t *before = malloc(kv.head_bytes);
        assert_non_null(before);
        memcpy(before, keys, kv.head_bytes);
        slm_kv_clear(&kv, keys, slot + 1);
        assert_memory_equal(keys, before, kv.head_bytes);
        slm_kv_clear(&kv, keys, slot);
        for (size_t b = 0; b < kv.head_bytes; b++)
            assert_int_equal(keys[b], 0);
        free(before);
        k[3] = INFINITY;
        assert_false(slm_kv_store(&kv, &kernels, AT, LAYER, k, v));
        slm_kv_free(&kv);
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

/* At every place of a key and of a value, of widths below, at and past 16: the greatest is stored, what is beyond it and a NaN are not. */
static void floats_beyond_the_type_are_refused(void **state)
{
    (void)state;
    static const struct { uint32_t kind; float most, beyond; } kinds[] = { { SLM_KV_F16, 65504, 65505 }, { SLM_KV_F32, FLT_MAX, INFINITY } };
    static const uint32_t sizes[] = { 2, 14, 16, 18, 34 };
    for (size_t i = 0; i < COUNT(kinds) * COUNT(sizes); i++) {
        const uint32_t d = sizes[i % COUNT(sizes)];
        const slm_config c = { .layers = 1, .kv_heads = 1, .head_size = d, .heads = 1 };
        slm_error err = { 0 };
        slm_heap heap;
        slm_kv kv;
        slm_kernels kernels;
        slm_heap_init(&heap, NULL, 0);
        slm_kernels_select(&kernels, slm_cpu_masked(0));
        check_status(slm_kv_init(&kv, &heap, &c, 64, kinds[i / COUNT(sizes)].kind, &err), SLM_OK, &err);
        check_status(slm_kv_reserve(&kv, 0, 16, &err), SLM_OK, &err);
        for (uint32_t at = 0; at < 2 * d; at++) {
            const float tries[] = { kinds[i / COUNT(sizes)].most, kinds[i / COUNT(sizes)].beyond, -kinds[i / COUNT(sizes)].beyond, NAN };
            for (size_t t = 0; t < COUNT(tries); t++) {
                float kv_row[2][34] = { { 0 } };
                kv_row[at / d][at % d] = tries[t];
                assert_int_equal(slm_kv_store(&kv, &kernels, 5, 0, kv_row[0], kv_row[1]), t == 0);
            }
        }
        slm_kv_free(&kv);
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

static void eight_bits_take_nine_sixteenths_of_f16(void **state)
{
    (void)state;
    const slm_config c = { .layers = 30, .kv_heads = 3, .head_size = 64, .heads = 9 };
    assert_int_equal(slm_kv_token_bytes(&c, SLM_KV_Q8_0) * 16, slm_kv_token_bytes(&c, SLM_KV_F16) * 9);
}

/* What lies in pages wholly before the window may be anything. */
static void pages_outside_a_window_are_not_read(void **state)
{
    (void)state;
    const char *path = "../shared/models/golden/gemma2.gguf";
    if (access(path, R_OK) != 0)
        skip();
    for (uint32_t type = SLM_KV_F16; type <= SLM_KV_Q8_0; type++) {
        slm_error err = { 0 };
        slm_model *model = NULL;
        slm_session *s = NULL, *other = NULL;
        slm_session_params p = SLM_SESSION_PARAMS_INIT;
        int32_t tokens[200];
        p.context = 256;
        p.kv = type;
        for (int i = 0; i < 200; i++)
            tokens[i] = (i * 7 + 3) % 90;
        check_status(slm_model_open(&model, path, NULL, &err), SLM_OK, &err);
        check_status(slm_session_new(&s, model, &p, &err), SLM_OK, &err);
        check_status(slm_session_feed(s, tokens, 200, &err), SLM_OK, &err);
        check_status(slm_session_fork(&other, s, &err), SLM_OK, &err);
        check_status(slm_session_feed(other, tokens, 1, &err), SLM_OK, &err);
        const size_t outside = (201 - model->config.window) / 64;
        assert_int_equal(outside, 3);
        for (size_t i = 0; i < outside; i++)
            for (size_t l = 0; l < model->config.layers; l++)
                if (slm_config_windowed(&model->config, l))
                    memset(slm_kv_keys(&s->kv, i, l, 0), 0xff, s->kv.head_bytes * s->kv.kv_heads);      /* NaN */
        check_status(slm_session_feed(s, tokens, 1, &err), SLM_OK, &err);
        assert_memory_equal(slm_session_logits(s), slm_session_logits(other), model->config.vocab * sizeof(float));
        slm_session_free(s);
        slm_session_free(other);
        slm_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_the_heap),
        cmocka_unit_test(only_the_page_that_is_written_is_copied),
        cmocka_unit_test(a_refused_page_leaves_the_cache_as_it_was),
        cmocka_unit_test(pages_outside_a_window_are_not_read),
        cmocka_unit_test(eight_bits_keep_what_was_stored),
        cmocka_unit_test(floats_beyond_the_type_are_refused),
        cmocka_unit_test(eight_bits_take_nine_sixteenths_of_f16),
    };
    return cmocka_run_group_tests_name("kv", tests, NULL, NULL) != 0;
}
