/* test_merge.c -- merging against its definition: of all pairs the one with the lowest key, of equal ones the leftmost, one join at a time.
 * Vocabularies, keys and texts are drawn at random: keys in any order, keys that repeat, many letters and one. */
#include "harness/test.h"

#include "core/heap.h"
#include "core/random.h"
#include "text/merge.h"

#include <inttypes.h>
#include <stdio.h>

enum { MOST_TEXTS = 200, MOST_BYTES = 700, LONGEST = 12 };

/* Texts over a few letters; a pair joins to the text that both make, if there is one. By rank: a rule for each pair of texts that makes one, the
 * key its own. By score: the key is the joined text's, and several have the same. */
typedef struct vocabulary {
    uint8_t  text[MOST_TEXTS][LONGEST + 1];
    size_t   n, letters;
    uint32_t score[MOST_TEXTS];
    bool     by_rank;
    uint32_t rank[MOST_TEXTS][LONGEST];         /* of the rule that splits a text behind byte i; SLM_NO_ID: there is none */
    uint32_t bounds[SLM_MERGE_BOUNDS];
    const uint8_t *input;
} vocabulary;

static uint32_t find(const vocabulary *v, const uint8_t *p, size_t n)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (strlen((const char *)v->text[i]) == n && memcmp(v->text[i], p, n) == 0)
            return i;
    return SLM_NO_ID;
}

static uint32_t pair(const void *ctx, uint32_t left, uint32_t right, size_t start, size_t len, uint32_t *merged)
{
    const vocabulary *v = ctx;
    const uint32_t id = len > LONGEST ? SLM_NO_ID : find(v, v->input + start, len);
    const size_t n_left = strlen((const char *)v->text[left]);
    assert_int_equal(n_left + strlen((const char *)v->text[right]), len);
    if (id == SLM_NO_ID)
        return SLM_NO_ID;
    *merged = id;
    return v->by_rank ? v->rank[id][n_left - 1] : v->score[id];
}

static size_t symbol(const void *ctx, size_t at, size_t n, uint32_t *id)
{
    const vocabulary *v = ctx;
    assert_true(at < n);
    *id = (uint32_t)(v->input[at] - 'a');
    return 1;
}

static void draw(vocabulary *v, uint64_t seed)
{
    uint64_t r = 0;
    memset(v, 0, sizeof *v);
    v->letters = 1 + slm_random_u64(seed, r++) % 4;
    v->by_rank = slm_random_u64(seed, r++) & 1;
    for (; v->n < v->letters; v->n++)
        v->text[v->n][0] = (uint8_t)('a' + v->n);
    const size_t n = v->letters + 1 + slm_random_u64(seed, r++) % (MOST_TEXTS - v->letters - 1);
    for (size_t tries = 0; v->n < n && tries < 4 * MOST_TEXTS; tries++) {
        uint8_t joined[2 * LONGEST + 1];
        const uint8_t *left = v->text[slm_random_u64(seed, r++) % v->n], *right = v->text[slm_random_u64(seed, r++) % v->n];
        const int len = snprintf((char *)joined, sizeof joined, "%s%s", (const char *)left, (const char *)right);
        if (len <= LONGEST && find(v, joined, (size_t)len) == SLM_NO_ID)
            memcpy(v->text[v->n++], joined, (size_t)len + 1);
    }
    memset(v->bounds, 0xff, sizeof v->bounds);
    uint32_t rule = 0;
    for (size_t id = 0; id < v->n; id++) {
        const size_t len = strlen((const char *)v->text[id]);
        v->score[id] = (uint32_t)(slm_random_u64(seed, r++) % 20);
        for (size_t i = 1; i < len; i++) {
            const bool makes = find(v, v->text[id], i) != SLM_NO_ID && find(v, v->text[id] + i, len - i) != SLM_NO_ID && slm_random_u64(seed, r++) % 4;
            v->rank[id][i - 1] = makes ? (uint32_t)(slm_random_u64(seed, r++) % 1000) * 1000 + rule++ : SLM_NO_ID;
            const uint32_t key = v->by_rank ? v->rank[id][i - 1] : v->score[id];
            uint32_t *bound = &v->bounds[v->text[id][i - 1] << 8 | v->text[id][i]];
            *bound = key < *bound ? key : *bound;
        }
    }
}

/* Where tokens begin, and what they are. */
typedef struct tokens {
    uint32_t start[MOST_BYTES + 1], id[MOST_BYTES];
    size_t n;
} tokens;

static void by_definition(tokens *out, const vocabulary *v, size_t n)
{
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        out->start[i] = (uint32_t)i;
        (void)symbol(v, i, n, &out->id[i]);
    }
    out->start[n] = (uint32_t)n;
    for (;;) {
        uint32_t least = SLM_NO_ID, becomes = 0, merged = 0;
        size_t at = 0;
        for (size_t i = 0; i + 1 < out->n; i++) {
            const uint32_t key = pair(v, out->id[i], out->id[i + 1], out->start[i], out->start[i + 2] - out->start[i], &merged);
            if (key < least) {
                least = key;
                at = i;
                becomes = merged;
            }
        }
        if (least == SLM_NO_ID)
            return;
        out->id[at] = becomes;
        out->n--;
        for (size_t i = at + 1; i <= out->n; i++) {
            out->start[i] = out->start[i + 1];
            if (i < out->n)
                out->id[i] = out->id[i + 1];
        }
    }
}

static void with_short(tokens *out, const vocabulary *v, size_t n)
{
    static slm_short s;
    const size_t count = slm_merge_first(s.start, s.id, s.bound, 1, v->input, n, v->bounds, symbol, pair, v);
    s.start[count] = (uint32_t)n;
    slm_merge_short(&s, count, pair, v);
    out->n = 0;
    for (size_t i = 0; i < count; i = s.next[i]) {
        out->start[out->n] = s.start[i];
        out->id[out->n++] = s.id[i];
    }
}

static void with_chains(tokens *out, const vocabulary *v, slm_merger *m, size_t n)
{
    slm_error err = { 0 };
    assert_int_equal(slm_merger_reserve(m, n, &err), SLM_OK);
    slm_symbol *s = m->symbols;
    const size_t count = slm_merge_first(&s->start, &s->id, &s->key, sizeof *s / sizeof s->id, v->input, n, v->bounds, symbol, pair, v);
    s[count].start = (uint32_t)n;
    slm_merge(m, count, pair, v);
    out->n = 0;
    for (uint32_t i = 0; i < count; i = s[i].next) {
        out->start[out->n] = s[i].start;
        out->id[out->n++] = s[i].id;
    }
}

static void check_same(const tokens *want, const tokens *got, const char *how, uint64_t seed)
{
    for (size_t i = 0; i < want->n && i < got->n; i++)
        if (want->start[i] != got->start[i] || want->id[i] != got->id[i])
            fail_msg("%s, seed %" PRIu64 ": token %zu is %u at %u, not %u at %u", how, seed, i, got->id[i], got->start[i], want->id[i], want->start[i]);
    if (want->n != got->n)
        fail_msg("%s, seed %" PRIu64 ": %zu tokens, not %zu", how, seed, got->n, want->n);
}

static void random_texts_merge_as_defined(void **state)
{
    static vocabulary v;
    static tokens want, got;
    static uint8_t text[MOST_BYTES];
    slm_heap heap;
    slm_merger merger;
    size_t short_ones = 0, joins = 0;
    (void)state;
    slm_heap_init(&heap, NULL, 0);
    slm_merger_init(&merger, &heap);
    for (uint64_t seed = 1; seed <= 150; seed++) {
        draw(&v, seed);
        v.input = text;
        for (uint64_t k = 0; k < 4; k++) {
            const size_t n = 1 + slm_random_u64(seed, 1000000 + k) % (k == 3 ? MOST_BYTES : k == 2 ? 150 : 12);
            const uint64_t letters = k == 1 ? 1 : v.letters;
            for (size_t i = 0; i < n; i++)
                text[i] = (uint8_t)('a' + slm_random_u64(seed, 2000000 + 1000 * k + i) % letters);
            by_definition(&want, &v, n);
            joins += n - want.n;
            if (n <= SLM_SHORT) {
                short_ones++;
                with_short(&got, &v, n);
                check_same(&want, &got, "groups", seed);
            }
            with_chains(&got, &v, &merger, n);
            check_same(&want, &got, "chains", seed);
        }
    }
    assert_true(short_ones > 300 && joins > 15000);
    slm_merger_free(&merger);
    assert_int_equal(atomic_load(&heap.current), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts_merge_as_defined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
