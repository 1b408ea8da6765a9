/* test_charsmap.c -- SentencePiece's character map: what it replaces, and blobs made to lead out of it. */
#include "vectors.h"

#include "core/buf.h"
#include "text/charsmap.h"

enum { UNITS = 768, TEXTS = 8 };

/* A blob: 4 bytes, UNITS units, TEXTS bytes. */
typedef struct blob {
    uint8_t bytes[4 + UNITS * 4 + TEXTS];
} blob;

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void set_unit(blob *b, uint32_t at, uint32_t unit)
{
    put32(b->bytes + 4 + at * 4, unit);
}

/* A state at `at`, reached by `label`, whose children begin at `base`. */
static void set_state(blob *b, uint32_t at, uint8_t label, uint32_t base, bool ends)
{
    set_unit(b, at, label | (uint32_t)ends << 8 | (at ^ base) << 10);
}

/* "a" becomes "bc", "ab" becomes nothing. */
static void standard(blob *b)
{
    memset(b, 0, sizeof *b);
    put32(b->bytes, UNITS * 4);
    memset(b->bytes + 4, 0xff, UNITS * 4);          /* units that nothing leads to */
    set_state(b, 0, 0, 256, false);
    set_state(b, 256 ^ 'a', 'a', 512, true);
    set_unit(b, 512, 0x80000000u);
    set_state(b, 512 ^ 'b', 'b', 520, true);
    set_unit(b, 520, 0x80000000u | 2);
    memcpy(b->bytes + 4 + UNITS * 4, "bc", 3);
}

static slm_status load(slm_charsmap *map, slm_heap *heap, const blob *b, slm_error *err)
{
    slm_heap_init(heap, NULL, 0);
    return slm_charsmap_load(map, heap, b->bytes, sizeof b->bytes, "made", err);
}

static void replaces(void **state)
{
    blob b;
    slm_heap heap;
    slm_charsmap map;
    slm_error err = { 0 };
    const uint8_t *with = NULL;
    size_t n = 99;
    (void)state;
    standard(&b);
    if (load(&map, &heap, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"ax", 2, &with, &n), 1);
    assert_int_equal(n, 2);
    assert_memory_equal(with, "bc", 2);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"ab", 2, &with, &n), 2);     /* the longest key */
    assert_int_equal(n, 0);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"ba", 2, &with, &n), 0);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"\0", 1, &with, &n), 0);
    slm_charsmap_free(&map, &heap);
    set_state(&b, 0, 0, 0, false);                          /* the root's children lie around it: it is none of them */
    set_state(&b, 'a', 'a', 512, true);
    if (load(&map, &heap, &b, &err))
        fail_msg("%s", err.text);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"\0a", 2, &with, &n), 0);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"a\0", 2, &with, &n), 1);
    slm_charsmap_free(&map, &heap);
    assert_int_equal(slm_charsmap_load(&map, &heap, NULL, 0, "none", NULL), SLM_OK);
    assert_int_equal(slm_charsmap_find(&map, (const uint8_t *)"a", 1, &with, &n), 0);
    slm_charsmap_free(&map, &heap);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void refuses(blob *b, const char *words)
{
    slm_heap heap;
    slm_charsmap map;
    slm_error err = { 0 };
    assert_int_equal(load(&map, &heap, b, &err), SLM_E_FORMAT);
    if (!strstr(err.text, words) || strncmp(err.text, "made: precompiled_charsmap: ", 28) != 0)
        fail_msg("'%s', want '%s'", err.text, words);
    assert_int_equal(atomic_load(&heap.current), 0);
}

static void hostile(void **state)
{
    blob b;
    (void)state;
    standard(&b), put32(b.bytes, UNITS * 4 + 12), refuses(&b, "a trie of 3084 bytes in 3084");
    standard(&b), put32(b.bytes, UNITS * 4 - 1), refuses(&b, "a trie of 3071 bytes");
    standard(&b), put32(b.bytes, 0), refuses(&b, "a trie of 0 bytes");
    standard(&b), put32(b.bytes, UINT32_MAX), refuses(&b, "a trie of 4294967295 bytes");
    standard(&b), set_state(&b, 256 ^ 'a', 'a', 100000, true), refuses(&b, "of 768");                          /* a child beyond the array */
    standard(&b), set_unit(&b, 256 ^ 'a', 'a' | 0x200 | UINT32_C(0x1fffff) << 10), refuses(&b, "of 768");      /* the largest offset */
    standard(&b), set_unit(&b, 512, 0x80000000u | TEXTS), refuses(&b, "replacement at 8, the texts end at 8");
    standard(&b), set_unit(&b, 512, 0xffffffffu), refuses(&b, "replacement at 2147483647");
    standard(&b), memset(b.bytes + 4 + UNITS * 4, 'x', TEXTS), refuses(&b, "the texts end at 8");              /* none ends */
    standard(&b), b.bytes[4 + UNITS * 4] = 0xff, refuses(&b, "is not UTF-8");
    memset(b.bytes + 4, 0xff, UNITS * 4);           /* each state's child is the next one: 300 bytes deep */
    for (uint32_t at = 0; at < 300; at++)
        set_state(&b, at, (uint8_t)at, (at + 1) & ~UINT32_C(255), false);
    b.bytes[4 + UNITS * 4] = 'b', refuses(&b, "a key of more than 256 bytes");
    for (size_t n = 1; n < 4; n++) {                /* not even the trie's size */
        slm_heap heap;
        slm_charsmap map;
        slm_error err = { 0 };
        slm_heap_init(&heap, NULL, 0);
        assert_int_equal(slm_charsmap_load(&map, &heap, b.bytes, n, "made", &err), SLM_E_FORMAT);
        if (!strstr(err.text, "made: precompiled_charsmap: a trie of 0 bytes in "))
            fail_msg("%zu bytes: '%s'", n, err.text);
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

/* States in a circle: the walk ends, and so does a search in a text that follows it. */
static void circle(void **state)
{
    blob b;
    slm_heap heap;
    slm_charsmap map;
    const uint8_t *with;
    size_t n;
    uint8_t text[1000];
    (void)state;
    standard(&b);
    set_state(&b, 256 ^ 'a', 'a', 256, false);      /* its children are the root's: a leads to itself */
    assert_int_equal(load(&map, &heap, &b, NULL), SLM_OK);
    memset(text, 'a', sizeof text);
    assert_int_equal(slm_charsmap_find(&map, text, sizeof text, &with, &n), 0);
    slm_charsmap_free(&map, &heap);
}

/* Any bytes: an answer or a refusal; what is found lies in the map. */
static void random_blobs(void **state)
{
    uint32_t seed = 0x5eed;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        blob b;
        slm_heap heap;
        slm_charsmap map;
        standard(&b);
        for (int k = 0; k < 1 + round % 8; k++) {
            seed = seed * 1664525u + 1013904223u;
            const size_t at = round % 2 ? 4 + (256 + (seed >> 8) % 300) * 4 + (seed & 3) : (seed >> 8) % sizeof b.bytes;
            b.bytes[at] = (uint8_t)(seed >> 24);
        }
        if (load(&map, &heap, &b, NULL) == SLM_OK) {
            for (unsigned c = 0; c < 256; c++) {
                const uint8_t text[3] = { 'a', (uint8_t)c, 'b' }, *with = NULL;
                size_t n = 0;
                for (size_t from = 0; from < 2; from++)
                    if (slm_charsmap_find(&map, text + from, 3 - from, &with, &n) &&
                        (with < map.texts || n >= map.n_texts || with + n >= map.texts + map.n_texts))
                        fail_msg("round %d of seed 0x5eed: a replacement outside", round);
            }
            slm_charsmap_free(&map, &heap);
        }
        assert_int_equal(atomic_load(&heap.current), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces), cmocka_unit_test(hostile), cmocka_unit_test(circle), cmocka_unit_test(random_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
