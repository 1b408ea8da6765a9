/* test_save.c -- a session in a file: the same bits afterwards, the same bytes for the same state, and nothing but refusals from files
 * that are cut, damaged, made up or of another model. */
#include "harness/fail_alloc.h"
#include "harness/tiny.h"

#include "core/random.h"
#include "core/xxh64.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 256 };

static slm_model *model;

static int open_model(void **state)
{
    (void)state;
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.threads = 1;
    model = tiny_open(1, "q8_0", &p);
    tiny_reference(model);
    return 0;
}

static int close_model(void **state)
{
    tiny_forget();
    slm_model_free(model);
    return test_folder_remove(state);
}

static void save(slm_session *s, const char *path)
{
    slm_error err = { 0 };
    check_status(slm_session_save(s, path, &err), SLM_OK, &err);
}

static slm_session *load(slm_model *m, const char *path, const slm_session_params *params)
{
    slm_error err = { 0 };
    slm_session *s = NULL;
    check_status(slm_session_load(&s, m, path, params, &err), SLM_OK, &err);
    return s;
}

static void same_file(const char *a, const char *b)
{
    size_t n, m;
    uint8_t *x = test_file_read(a, &n), *y = test_file_read(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

static void a_loaded_session_goes_on_with_the_same_bits(void **state)
{
    (void)state;
    static const size_t places[] = { 1, 15, 16, 63, 64, 65, 128, 200 };
    const char *path = test_path("s"), *again = test_path("again");
    for (size_t i = 0; i < COUNT(places); i++)
        for (uint32_t kv = SLM_KV_F16; kv <= SLM_KV_Q8_0; kv++) {
            slm_error err = { 0 };
            slm_session_params p = SLM_SESSION_PARAMS_INIT;
            slm_session *a = NULL;
            p.context = 400;
            p.kv = kv;
            check_status(slm_session_new(&a, model, &p, &err), SLM_OK, &err);
            tiny_feed(a, 7, 0, places[i]);
            save(a, path);
            slm_session *b = load(model, path, NULL);
            assert_int_equal(slm_session_room(b), 400 - places[i]);
            assert_memory_equal(slm_session_logits(b), slm_session_logits(a), TINY_VOCAB * sizeof(float));
            save(b, again);
            same_file(path, again);
            tiny_feed(a, 7, places[i], 70);
            if (kv == SLM_KV_F16)
                check_logits(b, 7, places[i]);
            tiny_feed(b, 7, places[i], 70);
            assert_memory_equal(slm_session_logits(b), slm_session_logits(a), TINY_VOCAB * sizeof(float));
            if (kv == SLM_KV_F16)
                check_logits(b, 7, places[i] + 70);
            slm_session_free(a);
            slm_session_free(b);
        }
}

/* What was cut off is not in the file: it has the bytes of a session that never had it. */
static void the_same_state_gives_the_same_bytes(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const char *one = test_path("one"), *two = test_path("two");
    slm_session *a = tiny_session(model, 400), *b = tiny_session(model, 400);
    tiny_feed(a, 7, 0, 37);
    tiny_feed(b, 7, 0, 37);
    tiny_feed(b, 8, 37, 50);
    check_status(slm_session_truncate(a, 30, &err), SLM_OK, &err);
    check_status(slm_session_truncate(b, 30, &err), SLM_OK, &err);
    save(a, one);
    save(b, two);
    same_file(one, two);
    slm_session_free(a);
    a = load(model, one, NULL);
    assert_null(slm_session_logits(a));                 /* none were there */
    tiny_feed(a, 7, 30, 10);
    check_logits(a, 7, 40);
    check_status(slm_session_truncate(a, 0, &err), SLM_OK, &err);
    save(a, one);                                       /* nothing at all can be saved too */
    slm_session_free(a);
    a = load(model, one, NULL);
    tiny_feed(a, 9, 0, 3);
    check_logits(a, 9, 3);
    slm_session_free(a);
    slm_session_free(b);
}

static void the_file_is_private_and_replaces_at_once(void **state)
{
    (void)state;
    slm_error err = { 0 };
    struct stat st;
    const char *path = test_path("private");
    slm_session *a = tiny_session(model, 100);
    tiny_feed(a, 1, 0, 5);
    const mode_t mask = umask(0);
    test_file_write(path, "old", 3);
    assert_int_equal(chmod(path, 0644), 0);
    save(a, path);
    (void)umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    slm_session_free(load(model, path, NULL));
    const size_t entries = test_folder_entries();
    check_status(slm_session_save(a, test_path("no/such/folder"), &err), SLM_E_IO, &err);
    check_status(slm_session_save(a, "/dev/full", &err), SLM_E_IO, &err);
    check_status(slm_session_save(a, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_session_save(NULL, path, &err), SLM_E_ARG, &err);
    assert_int_equal(test_folder_entries(), entries);
    check_logits(a, 1, 5);
    slm_session_free(a);
}

static void params_bend_what_can_be_bent(void **state)
{
    (void)state;
    slm_error err = { 0 };
    const char *path = test_path("bent");
    slm_session_params p = SLM_SESSION_PARAMS_INIT;
    slm_session *a = tiny_session(model, 100), *b = NULL;
    tiny_feed(a, 1, 0, 90);
    save(a, path);
    p.context = 300;
    p.chunk = 3;
    b = load(model, path, &p);
    tiny_feed(b, 1, 90, 200);
    check_logits(b, 1, 290);
    slm_session_free(b);
    b = NULL;
    p.context = 89;
    check_status(slm_session_load(&b, model, path, &p, &err), SLM_E_CONTEXT, &err);
    check_text(&err, "90 tokens do not fit a context of 89");
    p.context = 0;
    p.kv = SLM_KV_F32;
    check_status(slm_session_load(&b, model, path, &p, &err), SLM_E_MISMATCH, &err);
    p.kv = SLM_KV_Q8_0;
    check_status(slm_session_load(&b, model, path, &p, &err), SLM_E_MISMATCH, &err);
    check_text(&err, "elements of 2 bytes, params.kv wants 1");
    p.kv = 9;
    check_status(slm_session_load(&b, model, path, &p, &err), SLM_E_ARG, &err);
    check_status(slm_session_load(&b, model, NULL, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_session_load(NULL, model, path, NULL, &err), SLM_E_ARG, &err);
    check_status(slm_session_load(&b, model, test_path("none"), NULL, &err), SLM_E_NOT_FOUND, &err);
    assert_null(b);
    slm_session_free(a);
}

static void another_model_is_refused(void **state)
{
    (void)state;
    static const struct { uint64_t seed; const char *type; slm_status want; } rows[] = {
        { 1, "q8_0", SLM_OK }, { 2, "q8_0", SLM_E_MISMATCH }, { 1, "q4_0", SLM_E_MISMATCH }, { 1, "f16", SLM_E_MISMATCH },
    };
    const char *path = test_path("other");
    slm_session *a = tiny_session(model, 100);
    tiny_feed(a, 1, 0, 66);
    save(a, path);
    slm_session_free(a);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned isa = SLM_ISA_SCALAR; isa <= 7; isa += 6) {
            slm_error err = { 0 };
            slm_session *s = NULL;
            slm_model_params p = SLM_MODEL_PARAMS_INIT;
            p.isa = isa;
            p.threads = isa == 7 ? 3 : 1;
            slm_model *m = tiny_open(rows[i].seed, rows[i].type, &p);
            check_status(slm_session_load(&s, m, path, NULL, &err), rows[i].want, &err);
            if (s)
                check_logits(s, 1, 66);
            slm_session_free(s);
            slm_model_free(m);
        }
}

/* ---- hostile files ---- */

typedef struct hostile { uint8_t *bytes; size_t n; const char *path; slm_session *made; } hostile;

static hostile begin(size_t tokens)
{
    hostile h = { NULL, 0, test_path("hostile"), NULL };
    slm_session *a = tiny_session(model, 100);
    tiny_feed(a, 1, 0, tokens);
    save(a, h.path);
    slm_session_free(a);
    h.bytes = test_file_read(h.path, &h.n);
    return h;
}

static slm_status try_bytes(hostile *h, const uint8_t *bytes, size_t n, slm_error *err)
{
    slm_session *s = NULL;
    test_file_write(h->path, bytes, n);
    const slm_status status = slm_session_load(&s, model, h->path, NULL, err);
    if (status && (s || !strstr(err->text, h->path)))
        fail_msg("%s: '%s': wrote *out or names no file", slm_status_name(status), err->text);
    slm_session_free(s);
    return status;
}

static void cut_files_are_refused(void **state)
{
    (void)state;
    hostile h = begin(70);
    slm_error err = { 0 };
    const uint64_t seed = test_seed(3);
    for (size_t i = 0; i <= HEAD + 100; i++) {
        const size_t n = i <= HEAD ? i : HEAD + (size_t)(slm_random_u64(seed, i) % (h.n - HEAD));
        check_status(try_bytes(&h, h.bytes, n, &err), SLM_E_FORMAT, &err);
    }
    uint8_t *longer = calloc(1, h.n + 64);
    memcpy(longer, h.bytes, h.n);
    check_status(try_bytes(&h, longer, h.n + 1, &err), SLM_E_FORMAT, &err);
    check_status(try_bytes(&h, longer, h.n + 64, &err), SLM_E_FORMAT, &err);
    check_status(try_bytes(&h, longer, h.n, &err), SLM_OK, &err);
    free(longer);
    free(h.bytes);
}

static void a_flipped_bit_is_found(void **state)
{
    (void)state;
    hostile h = begin(70);
    slm_error err = { 0 };
    const uint64_t seed = test_seed(4);
    for (size_t i = 0; i < HEAD + 300; i++) {
        const size_t at = i < HEAD ? i : HEAD + (size_t)(slm_random_u64(seed, i) % (h.n - HEAD));
        h.bytes[at] ^= (uint8_t)(1u << i % 8);
        const slm_status status = try_bytes(&h, h.bytes, h.n, &err);
        if (status != SLM_E_FORMAT && !(at >= 8 && at < 12 && status == SLM_E_UNSUPPORTED))
            fail_msg("byte %zu: %s: %s", at, slm_status_name(status), err.text);
        h.bytes[at] ^= (uint8_t)(1u << i % 8);
    }
    free(h.bytes);
}

static void put(uint8_t *at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

/* An enemy makes hashes right: every number of the head takes every odd value. Nothing is believed, and nothing large allocated. */
static void numbers_of_the_head_are_checked_one_by_one(void **state)
{
    (void)state;
    static const struct { size_t at, bytes; } fields[] = {
        { 12, 4 }, { 16, 8 }, { 24, 8 }, { 88, 4 }, { 92, 4 }, { 96, 4 }, { 100, 4 }, { 104, 4 }, { 108, 4 }, { 112, 4 }, { 116, 4 },
        { 120, 8 }, { 128, 8 }, { 136, 8 }, { 144, 8 }, { 160, 8 }, { 168, 8 }, { 184, 8 }, { 192, 8 },
    };
    static const uint64_t values[] = { 0, 1, 2, 3, 5, 63, 69, 71, 101, 4096, 4097, 16777216, 16777217, INT32_MAX, UINT64_C(1) << 31, UINT32_MAX,
                                       UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 63, UINT64_MAX };
    hostile h = begin(70);
    slm_error err = { 0 };
    slm_model_info info = SLM_MODEL_INFO_INIT;
    for (size_t i = 0; i < COUNT(fields); i++)
        for (size_t k = 0; k < COUNT(values); k++) {
            uint8_t bad[HEAD];
            memcpy(bad, h.bytes, HEAD);
            put(bad + fields[i].at, values[k], fields[i].bytes);
            if (memcmp(bad, h.bytes, HEAD) == 0)
                continue;
            put(bad + 248, slm_xxh64_of(bad, 248), 8);
            uint8_t *file = malloc(h.n);
            memcpy(file, h.bytes, h.n);
            memcpy(file, bad, HEAD);
            const slm_status status = try_bytes(&h, file, h.n, &err);
            /* another context is another wish, which can be granted if it is usual and must be the caller's if not */
            const bool context = fields[i].at == 120 && values[k] >= 70, wish = context && values[k] > 4096 && values[k] <= 16777216;
            const bool fine = (context && values[k] <= 4096) || (fields[i].at == 128 && values[k] == 71);   /* a zero of the padding is a token */
            if (wish ? status != SLM_E_CONTEXT : fine ? status != SLM_OK : status != SLM_E_FORMAT && status != SLM_E_MISMATCH && status != SLM_E_UNSUPPORTED)
                fail_msg("field at %zu is %llu: %s: %s", fields[i].at, (unsigned long long)values[k], slm_status_name(status), err.text);
            free(file);
        }
    assert_int_equal(slm_model_get_info(model, &info, NULL), SLM_OK);
    assert_true(info.heap_peak < 16 << 20);
    free(h.bytes);
}

static void tokens_are_range_checked(void **state)
{
    (void)state;
    static const int32_t bad[] = { -1, TINY_VOCAB, INT32_MAX, INT32_MIN };
    hostile h = begin(70);
    slm_error err = { 0 };
    for (size_t i = 0; i < COUNT(bad); i++) {
        put(h.bytes + HEAD + 4 * 69, (uint32_t)bad[i], 4);
        put(h.bytes + 152, slm_xxh64_of(h.bytes + HEAD, 320), 8);
        put(h.bytes + 248, slm_xxh64_of(h.bytes, 248), 8);
        check_status(try_bytes(&h, h.bytes, h.n, &err), SLM_E_FORMAT, &err);
        check_text(&err, "token 69 is");
    }
    free(h.bytes);
}

/* Any cache is safe to compute with: what comes out is numbers or SLM_E_NUMERIC. */
static void a_cache_of_noise_harms_nothing(void **state)
{
    (void)state;
    hostile h = begin(70);
    const uint64_t seed = test_seed(5);
    uint64_t cache;
    memcpy(&cache, h.bytes + 184, 8);
    for (size_t round = 0; round < 4; round++) {
        slm_error err = { 0 };
        slm_session *s = NULL;
        for (size_t i = (size_t)cache; i < h.n; i++)
            h.bytes[i] = round ? (uint8_t)slm_random_u64(seed + round, i) : 0xff;
        put(h.bytes + 200, slm_xxh64_of(h.bytes + cache, h.n - (size_t)cache), 8);
        put(h.bytes + 248, slm_xxh64_of(h.bytes, 248), 8);
        test_file_write(h.path, h.bytes, h.n);
        check_status(slm_session_load(&s, model, h.path, NULL, &err), SLM_OK, &err);
        const int32_t token = 3;
        const slm_status status = slm_session_feed(s, &token, 1, &err);
        if (status != SLM_OK && status != SLM_E_NUMERIC)
            fail_msg("%s: %s", slm_status_name(status), err.text);
        assert_int_equal(slm_session_position(s), status ? 70 : 71);
        slm_session_free(s);
    }
    free(h.bytes);
}

/* ---- memory ---- */

static slm_status life(void *ctx, const slm_allocator *allocator, void **out, slm_error *err)
{
    slm_model_params mp = SLM_MODEL_PARAMS_INIT;
    slm_session *a = NULL, *b = NULL;
    slm_model *m = NULL;
    int32_t tokens[70];
    const char *path = test_path("oom");
    mp.allocator = allocator;
    mp.threads = 1;
    mp.input = ctx;
    for (size_t i = 0; i < COUNT(tokens); i++)
        tokens[i] = tiny_token(6, i);
    slm_status status = slm_model_open(&m, "tiny", &mp, err);
    if (!status)
        status = slm_session_new(&a, m, NULL, err);
    if (!status)
        status = slm_session_feed(a, tokens, 70, err);
    if (!status) {
        test_file_write(path, "old", 3);
        status = slm_session_save(a, path, err);
        assert_true(!status || test_file_is(path, "old"));
        check_logits(a, 6, 70);
    }
    if (!status)
        status = slm_session_load(&b, m, path, NULL, err);
    assert_int_equal(test_folder_entries() > 20, 0);
    slm_session_free(a);
    slm_model_free(m);
    if (!status)
        *out = b;
    else
        assert_null(b);
    return status;
}

static void drop(void *ctx, void *session)
{
    (void)ctx;
    check_logits(session, 6, 70);
    slm_session_free(session);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(tiny_fail_every("save and load", life, drop) > 40);
}

static void a_small_stack_is_enough(void **state)
{
    (void)state;
    tiny_small_stack(life, drop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_session_goes_on_with_the_same_bits),
        cmocka_unit_test(the_same_state_gives_the_same_bytes),
        cmocka_unit_test(the_file_is_private_and_replaces_at_once),
        cmocka_unit_test(params_bend_what_can_be_bent),
        cmocka_unit_test(another_model_is_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(numbers_of_the_head_are_checked_one_by_one),
        cmocka_unit_test(tokens_are_range_checked),
        cmocka_unit_test(a_cache_of_noise_harms_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_small_stack_is_enough),
    };
    return cmocka_run_group_tests_name("save", tests, open_model, close_model) != 0;
}
