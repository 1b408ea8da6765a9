/* constraint.c -- which tokens keep a text within a language.
 *
 * The language is a nondeterministic automaton over bytes (constraint_nfa.h), the vocabulary a trie over the bytes its tokens decode to
 * (text/trie.h). So a token is judged by its text: any way of cutting a text of the language into tokens is allowed, and no other
 * text can arise. A place in a text is a set of nodes; each set that occurs becomes a numbered state with, made when first asked for:
 *
 *   transitions   one for each class of bytes
 *   mask          a bit for each token that fits: one walk over the trie, which leaves a subtree where the automaton dies, and takes a
 *                 whole subtree unseen where all its bytes leave the state as it is (the inside of a string, most often)
 *   way out       how many tokens the shortest end has, and the first of them
 *
 * The way out is what makes every text end in time. The shortest text from a state is a fixed one: of the shortest in bytes the one of
 * the lowest bytes. What is left of it after its first token is the fixed one of the state reached, so its least number of tokens
 * falls by one with each. A token is taken only if the way out of the state behind it fits the tokens left; else the first token of the
 * present way out is. By induction an end is always within reach. Every byte of it can be spelled, since distances count only
 * bytes that are tokens by themselves.
 *
 * All of this is a cache and belongs to the handle: sessions of several threads share it under one lock, held for one call. It is
 * bounded: at half of SLM_LIMIT_GRAMMAR_CACHE it is forgotten at the next call, and `epoch` tells a place, which keeps its own set of nodes,
 * that its number is void. One call that needs more than the limit, or more steps than SLM_LIMIT_GRAMMAR_WORK, fails with SLM_E_LIMIT. No
 * result depends on the cache. */
#include "session/constraint.h"

#include "core/limits.h"
#include "core/random.h"
#include "core/size.h"
#include "text/trie.h"

#include <inttypes.h>
#include <pthread.h>

#define UNSEEN UINT32_MAX               /* a transition not yet made; a way out not yet measured */
#define DEAD (UINT32_MAX - 1)
#define REFUSED (UINT32_MAX - 2)        /* memory, limit: c->failed says which */

typedef struct state {
    size_t set;                 /* in c->sets */
    uint32_t n;
    uint32_t distance;          /* bytes of the way out */
    uint32_t tokens;            /* tokens of it; UNSEEN */
    uint32_t first;             /* the first of them, SLM_NO_ID at the end */
    uint32_t mask;              /* in c->masks, counted in masks; UNSEEN */
    uint8_t byte;               /* the first of the way out */
    bool accepts, ends;
} state;

typedef struct table {          /* a growing array */
    void *data;
    size_t n, room, each;
} table;

struct slm_constraint {
    slm_heap *heap;             /* the tokenizer's */
    const char *what;
    slm_nfa nfa;
    const slm_trie *trie;       /* the tokenizer's */
    uint64_t bits[256];         /* of a class: those of slm_trie_bit for its bytes */
    pthread_mutex_t lock;       /* over all that follows */
    uint64_t epoch;
    table states, transitions, sets, masks;
    uint32_t *slots;            /* [slot_mask + 1] states by their sets; UNSEEN: empty */
    size_t slot_mask;
    uint32_t *mark;             /* [nfa.n] stamp of the last closure that saw the node */
    uint32_t *stack, *set;      /* [nfa.n] */
    uint32_t stamp;
    uint32_t *path;             /* [longest + 1] states along a walk */
    table way;                  /* of the way out: steps */
    uint64_t work, most_work;
    size_t most_cache;
    slm_status failed;
};

/* ---- tables ---- */

/* n more elements, or NULL with c->failed set. */
static void *extend(slm_constraint *c, table *t, size_t n)
{
    if (n > t->room - t->n) {
        const size_t room = slm_max(slm_max(64, t->room * 2), t->n + n);
        void *bigger = slm_heap_array(c->heap, room, t->each);
        if (!bigger) {
            c->failed = SLM_E_MEMORY;
            return NULL;
        }
        if (t->n)
            memcpy(bigger, t->data, t->n * t->each);
        slm_heap_free(c->heap, t->data);
        t->data = bigger;
        t->room = room;
    }
    void *at = (uint8_t *)t->data + t->n * t->each;
    t->n += n;
    return at;
}

static state *state_at(const slm_constraint *c, uint32_t number)
{
    return (state *)c->states.data + number;
}

static const uint32_t *set_of(const slm_constraint *c, const state *s)
{
    return (const uint32_t *)c->sets.data + s->set;
}

static size_t cached(const slm_constraint *c)
{
    return c->states.n * c->states.each + c->transitions.n * c->transitions.each + c->sets.n * c->sets.each + c->masks.n * c->masks.each;
}

static void forget(slm_constraint *c)
{
    c->states.n = c->transitions.n = c->sets.n = c->masks.n = 0;
    memset(c->slots, 0xff, (c->slot_mask + 1) * sizeof *c->slots);
    c->epoch++;
}

/* ---- states ---- */

/* Everything that empty edges lead to from the nodes on the stack; the nodes that count (edges over bytes, or the end) into c->set. */
static size_t close_over(slm_constraint *c, size_t n_stack)
{
    const slm_nfa *a = &c->nfa;
    size_t n = 0;
    while (n_stack) {
        const uint32_t v = c->stack[--n_stack];
        bool counts = v == SLM_NFA_END;
        for (uint32_t e = a->first[v]; e < a->first[v + 1]; e++) {
            const slm_edge *edge = &a->edges[e];
            counts |= !edge->empty;
            if (edge->empty && c->mark[edge->to] != c->stamp) {
                c->mark[edge->to] = c->stamp;
                c->stack[n_stack++] = edge->to;
            }
        }
        c->work += 1 + a->first[v + 1] - a->first[v];
        if (counts)
            c->set[n++] = v;
    }
    return n;
}

static void new_stamp(slm_constraint *c)
{
    if (++c->stamp == 0) {
        memset(c->mark, 0, c->nfa.n * sizeof *c->mark);
        c->stamp = 1;
    }
}

/* Ascending, by a heap: no recursion and no worst case. */
static void sort(uint32_t *v, size_t n)
{
    for (size_t begin = n / 2, end = n; end > 1;) {
        if (begin > 0) {
            begin--;
        } else {
            const uint32_t swap = v[--end];
            v[end] = v[0];
            v[0] = swap;
        }
        for (size_t root = begin, child; (child = 2 * root + 1) < end; root = child) {
            child += child + 1 < end && v[child + 1] > v[child];
            if (v[root] >= v[child])
                break;
            const uint32_t swap = v[root];
            v[root] = v[child];
            v[child] = swap;
        }
    }
}

static size_t slot_of(const slm_constraint *c, const uint32_t *set, size_t n)
{
    uint64_t h = n;
    for (size_t i = 0; i < n; i++)
        h = slm_random_mix(h ^ set[i]);
    size_t at = (size_t)h & c->slot_mask;
    for (; c->slots[at] != UNSEEN; at = (at + 1) & c->slot_mask) {
        const state *s = state_at(c, c->slots[at]);
        if (s->n == n && memcmp(set_of(c, s), set, n * sizeof *set) == 0)
            break;
    }
    return at;
}

static bool rehash(slm_constraint *c, size_t slots)
{
    uint32_t *fresh = slm_heap_array(c->heap, slots, sizeof *fresh);
    if (!fresh) {
        c->failed = SLM_E_MEMORY;
        return false;
    }
    slm_heap_free(c->heap, c->slots);
    c->slots = fresh;
    c->slot_mask = slots - 1;
    memset(fresh, 0xff, slots * sizeof *fresh);
    for (uint32_t i = 0; i < c->states.n; i++)
        fresh[slot_of(c, set_of(c, state_at(c, i)), state_at(c, i)->n)] = i;
    return true;
}

/* What a state is by its nodes alone. The byte of the way out is the lowest that leads one nearer. */
static void describe(const slm_constraint *c, state *s)
{
    const slm_nfa *a = &c->nfa;
    const uint32_t *set = set_of(c, s);
    uint32_t byte = 256;
    s->distance = SLM_FAR;
    s->ends = true;
    for (size_t i = 0; i < s->n; i++) {
        s->distance = slm_min(s->distance, a->distance[set[i]]) & UINT32_MAX;
        s->accepts |= set[i] == SLM_NFA_END;
    }
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t e = a->first[set[i]]; e < a->first[set[i] + 1]; e++) {
            const slm_edge *edge = &a->edges[e];
            s->ends &= edge->empty;
            if (edge->empty || a->distance[edge->to] + 1 != s->distance)
                continue;
            uint32_t b = edge->lo;
            while (b < edge->hi && !c->trie->spelled[b])
                b++;
            if (c->trie->spelled[b] && b < byte)
                byte = b;
        }
    s->ends &= s->accepts;
    s->byte = (uint8_t)(byte & 0xff);
}

/* The number of the state with these nodes, ascending; REFUSED. */
static uint32_t intern(slm_constraint *c, const uint32_t *set, size_t n)
{
    const size_t at = slot_of(c, set, n);
    if (c->slots[at] != UNSEEN)
        return c->slots[at];
    if (cached(c) > c->most_cache || c->work > c->most_work) {
        c->failed = SLM_E_LIMIT;
        return REFUSED;
    }
    const uint32_t number = (uint32_t)c->states.n;
    const size_t begin = c->sets.n, transitions = c->transitions.n;
    uint32_t *own = extend(c, &c->sets, n), *next = own ? extend(c, &c->transitions, c->nfa.classes) : NULL;
    state *s = next ? extend(c, &c->states, 1) : NULL;
    if (!s) {
        c->sets.n = begin;
        c->transitions.n = transitions;
        return REFUSED;
    }
    memcpy(own, set, n * sizeof *set);
    for (size_t i = 0; i < c->nfa.classes; i++)
        next[i] = UNSEEN;
    *s = (state){ .set = begin, .n = (uint32_t)n, .tokens = UNSEEN, .first = SLM_NO_ID, .mask = UNSEEN };
    describe(c, s);
    c->slots[at] = number;
    if (c->states.n * 2 > c->slot_mask && !rehash(c, (c->slot_mask + 1) * 2))
        return REFUSED;
    return number;
}

static uint32_t make_transition(slm_constraint *c, uint32_t from, size_t class)
{
    const slm_nfa *a = &c->nfa;
    const state *s = state_at(c, from);
    const uint32_t *set = set_of(c, s);
    const uint8_t byte = a->member[class];
    size_t n = 0;
    new_stamp(c);
    for (size_t i = 0; i < s->n; i++)
        for (uint32_t e = a->first[set[i]]; e < a->first[set[i] + 1]; e++) {
            const slm_edge *edge = &a->edges[e];
            if (!edge->empty && edge->lo <= byte && byte <= edge->hi && c->mark[edge->to] != c->stamp) {
                c->mark[edge->to] = c->stamp;
                c->stack[n++] = edge->to;
            }
        }
    c->work += s->n;
    n = close_over(c, n);
    uint32_t to = DEAD;
    if (n) {
        sort(c->set, n);
        to = intern(c, c->set, n);
    }
    if (to != REFUSED)
        ((uint32_t *)c->transitions.data)[(size_t)from * a->classes + class] = to;
    return to;
}

static inline uint32_t go(slm_constraint *c, uint32_t from, uint8_t byte)
{
    const size_t class = c->nfa.class_of[byte];
    const uint32_t to = ((const uint32_t *)c->transitions.data)[(size_t)from * c->nfa.classes + class];
    return to != UNSEEN ? to : make_transition(c, from, class);
}

/* ---- masks ---- */

/* The groups of bytes all of which leave the state as it is. REFUSED is seen in c->failed. */
static uint64_t loops(slm_constraint *c, uint32_t number)
{
    uint64_t stays = 0, leaves = 0;
    for (size_t i = 0; i < c->nfa.classes; i++) {
        const uint32_t to = go(c, number, c->nfa.member[i]);
        *(to == number ? &stays : &leaves) |= c->bits[i];
    }
    return stays & ~leaves;
}

enum { ALL, UNSTRIPPED, STRIPPED };     /* which tokens a walk takes: all, or by whether their first space is taken off */

static inline void take(const slm_constraint *c, uint64_t *mask, uint32_t begin, uint32_t end, int which)
{
    for (uint32_t i = begin; i < end; i++) {
        const uint32_t id = c->trie->order[i];
        if (which == ALL || (int)(c->trie->strips[id / 64] >> id % 64 & 1) == (which == STRIPPED))
            mask[id / 64] |= UINT64_C(1) << id % 64;
    }
}

/* Adds the tokens of nodes begin .. end - 1 that fit; c->path[base] is the state above them. */
static void walk(slm_constraint *c, uint64_t *mask, size_t begin, size_t end, size_t base, int which)
{
    const slm_trie_node *nodes = c->trie->nodes;
    const uint32_t home = c->path[base];
    const uint64_t stays = loops(c, home);
    for (size_t i = begin; i < end && !c->failed;) {
        const slm_trie_node *node = &nodes[i];
        const uint32_t above = c->path[node->depth - 1];
        if (above == home && !(c->trie->subtree[i] & ~stays)) {
            take(c, mask, node->first, nodes[node->next].first, which);
            i = node->next;
            continue;
        }
        const uint32_t to = go(c, above, node->byte);
        if (to >= REFUSED) {
            i = node->next;
            continue;
        }
        c->path[node->depth] = to;
        take(c, mask, node->first, nodes[i + 1].first, which);
        i++;
    }
}

/* The mask of a state, made if it is not there; NULL with c->failed. */
static const uint64_t *mask_of(slm_constraint *c, uint32_t number)
{
    const size_t words = c->trie->words;
    if (state_at(c, number)->mask == UNSEEN) {
        if (cached(c) > c->most_cache)
            c->failed = SLM_E_LIMIT;
        uint64_t *mask = c->failed ? NULL : extend(c, &c->masks, words);
        if (!mask)
            return NULL;
        memset(mask, 0, words * sizeof *mask);
        c->path[0] = number;
        walk(c, mask, 0, c->trie->n, 0, ALL);
        if (c->failed) {
            c->masks.n -= words;
            return NULL;
        }
        state_at(c, number)->mask = (uint32_t)(c->masks.n / words - 1);
    }
    return (const uint64_t *)c->masks.data + state_at(c, number)->mask * words;
}

static void add_ends(const slm_constraint *c, uint64_t *mask)
{
    for (size_t i = 0; i < c->trie->n_ends; i++)
        mask[c->trie->ends[i] / 64] |= UINT64_C(1) << c->trie->ends[i] % 64;
}

/* ---- the way out ---- */

typedef struct way_step {
    uint32_t state, tokens, first;
    uint8_t byte;
} way_step;

/* Measures the way out of a state and of all states along it: the least number of tokens for each rest of its text, from the end. */
static bool measure(slm_constraint *c, uint32_t number)
{
    if (state_at(c, number)->tokens != UNSEEN)
        return true;
    const size_t n = state_at(c, number)->distance;
    c->way.n = 0;
    way_step *way = extend(c, &c->way, n + 1);
    if (!way)
        return false;
    for (size_t i = 0; i <= n; i++) {
        way[i] = (way_step){ number, UNSEEN, SLM_NO_ID, state_at(c, number)->byte };
        if (i < n && (number = go(c, number, way[i].byte)) >= REFUSED) {
            c->failed = c->failed ? c->failed : SLM_E_INTERNAL;     /* a way out is never dead */
            return false;
        }
    }
    way[n].tokens = 0;
    for (size_t i = n; i-- > 0;) {
        uint32_t node = SLM_NO_ID;
        for (size_t k = i; k < n && (node = slm_trie_child(c->trie, node, way[k].byte)) != SLM_NO_ID; k++) {
            const uint32_t own = c->trie->nodes[node].first;
            if (own < c->trie->nodes[node + 1].first && way[k + 1].tokens != UNSEEN && way[k + 1].tokens + 1 <= way[i].tokens) {
                way[i].tokens = way[k + 1].tokens + 1;      /* of equally many the one with the longer first token */
                way[i].first = c->trie->order[own];
            }
        }
    }
    for (size_t i = 0; i <= n; i++) {
        state *s = state_at(c, way[i].state);
        s->tokens = way[i].tokens;
        s->first = way[i].first;
    }
    return true;
}

/* ---- places ---- */

static slm_status failure(slm_constraint *c, slm_error *err)
{
    const slm_status status = c->failed;
    c->failed = SLM_OK;
    if (status == SLM_E_LIMIT)
        return slm_fail(err, status, "%s: %" PRIu64 " steps and %zu bytes of cache for one token (allowed %" PRIu64 " and %zu)", c->what, c->work,
                        cached(c), c->most_work, c->most_cache);
    return slm_fail(err, status, "%s: %zu states in %zu bytes of cache", c->what, c->states.n, cached(c));
}

/* The place's number in the present cache. */
static uint32_t enter(slm_place *p)
{
    slm_constraint *c = p->constraint;
    (void)pthread_mutex_lock(&c->lock);
    c->work = 0;
    if (cached(c) > c->most_cache / 2)
        forget(c);
    if (p->epoch != c->epoch) {
        p->state = intern(c, p->set, p->n);
        p->epoch = p->state == REFUSED ? 0 : c->epoch;
    }
    return p->state;
}

static slm_status leave(slm_place *p, slm_error *err)
{
    slm_constraint *c = p->constraint;
    const slm_status status = c->failed ? failure(c, err) : SLM_OK;
    (void)pthread_mutex_unlock(&c->lock);
    return status;
}

/* Moves the place; its memory is had before anything changes. */
static void settle(slm_place *p, uint32_t number)
{
    slm_constraint *c = p->constraint;
    const state *s = state_at(c, number);
    if (s->n > p->room) {
        uint32_t *bigger = slm_heap_array(c->heap, (size_t)s->n * 2, sizeof *bigger);
        if (!bigger) {
            c->failed = SLM_E_MEMORY;
            return;
        }
        slm_heap_free(c->heap, p->set);
        p->set = bigger;
        p->room = (size_t)s->n * 2;
    }
    memcpy(p->set, set_of(c, s), s->n * sizeof *p->set);
    p->n = s->n;
    p->state = number;
    p->epoch = c->epoch;
    p->accepts = s->accepts;
    p->ends = s->ends;
}

slm_status slm_place_init(slm_place *p, slm_constraint *c, slm_error *err)
{
    *p = (slm_place){ .constraint = c };
    (void)pthread_mutex_lock(&c->lock);
    c->work = 0;
    if (cached(c) > c->most_cache / 2)
        forget(c);
    new_stamp(c);
    c->stack[0] = SLM_NFA_START;
    c->mark[SLM_NFA_START] = c->stamp;
    const size_t n = close_over(c, 1);
    sort(c->set, n);
    const uint32_t number = intern(c, c->set, n);
    if (number != REFUSED)
        settle(p, number);
    return leave(p, err);
}

slm_status slm_place_copy(slm_place *dst, const slm_place *src, slm_error *err)
{
    slm_constraint *c = src->constraint;
    uint32_t *set = dst->set;
    size_t room = dst->room;
    if (src->n > room) {
        room = src->n * 2;
        set = slm_heap_array(c->heap, room, sizeof *set);
        if (!set)
            return slm_fail(err, SLM_E_MEMORY, "%s: a place of %zu states", c->what, src->n);
        slm_heap_free(c->heap, dst->set);
    }
    *dst = *src;
    dst->set = set;
    dst->room = room;
    memcpy(set, src->set, src->n * sizeof *set);
    return SLM_OK;
}

void slm_place_free(slm_place *p)
{
    if (p->constraint)
        slm_heap_free(p->constraint->heap, p->set);
    *p = (slm_place){ .constraint = NULL };
}

slm_status slm_place_step(slm_place *p, const uint8_t *bytes, size_t n, size_t left, slm_fit *fit, slm_error *err)
{
    slm_constraint *c = p->constraint;
    uint32_t number = enter(p);
    for (size_t i = 0; i < n && number < REFUSED; i++)
        number = go(c, number, bytes[i]);
    *fit = SLM_FIT_NEVER;
    if (number < REFUSED) {
        *fit = SLM_FIT_TAKEN;
        if (state_at(c, number)->distance > left && measure(c, number) && state_at(c, number)->tokens > left)
            *fit = SLM_FIT_LATE;
        if (*fit == SLM_FIT_TAKEN && !c->failed)
            settle(p, number);
    }
    return leave(p, err);
}

slm_status slm_place_mask(slm_place *p, bool at_start, uint64_t *mask, slm_error *err)
{
    slm_constraint *c = p->constraint;
    const slm_trie *trie = c->trie;
    const uint32_t number = enter(p), space = trie->child[' '];
    if (number < REFUSED && at_start && space != SLM_NO_ID) {
        memset(mask, 0, trie->words * sizeof *mask);
        c->path[0] = c->path[1] = number;
        walk(c, mask, 0, trie->n, 0, UNSTRIPPED);
        c->path[1] = number;            /* the space is no text */
        walk(c, mask, space + 1, trie->nodes[space].next, 1, STRIPPED);
    } else if (number < REFUSED) {
        const uint64_t *own = mask_of(c, number);
        if (own)
            memcpy(mask, own, trie->words * sizeof *mask);
    }
    if (!c->failed && p->accepts)
        add_ends(c, mask);
    return leave(p, err);
}

slm_status slm_place_need(slm_place *p, bool at_start, size_t *tokens, int32_t *first, slm_error *err)
{
    slm_constraint *c = p->constraint;
    const slm_trie *trie = c->trie;
    const uint32_t number = enter(p);
    *tokens = 0;
    *first = -1;
    if (number < REFUSED && measure(c, number)) {
        const state *s = state_at(c, number);
        uint32_t id = s->first;
        *tokens = s->tokens;
        if (at_start && id != SLM_NO_ID && (trie->strips[id / 64] >> id % 64 & 1)) {    /* its space would be lost: the byte by itself */
            const uint32_t node = trie->child[s->byte], next = go(c, number, s->byte);
            id = SLM_NO_ID;
            for (uint32_t i = trie->nodes[node].first; i < trie->nodes[node + 1].first; i++)
                if (!(trie->strips[trie->order[i] / 64] >> trie->order[i] % 64 & 1))
                    id = trie->order[i];
            *tokens = id != SLM_NO_ID && next < REFUSED && measure(c, next) ? (size_t)state_at(c, next)->tokens + 1 : SIZE_MAX;
        }
        *first = id == SLM_NO_ID ? -1 : (int32_t)id;
    }
    return leave(p, err);
}

/* ---- the handle ---- */

static slm_status allocate(slm_constraint *c)
{
    c->states.each = sizeof(state);
    c->transitions.each = c->sets.each = sizeof(uint32_t);
    c->masks.each = sizeof(uint64_t);
    c->way.each = sizeof(way_step);
    c->epoch = 1;
    c->mark = slm_heap_zarray(c->heap, c->nfa.n, sizeof *c->mark);
    c->stack = slm_heap_array(c->heap, c->nfa.n, sizeof *c->stack);
    c->set = slm_heap_array(c->heap, c->nfa.n, sizeof *c->set);
    c->path = slm_heap_array(c->heap, c->trie->longest + 1, sizeof *c->path);
    for (size_t i = 0; i < 256; i++)
        c->bits[c->nfa.class_of[i]] |= slm_trie_bit((uint8_t)i);
    return c->mark && c->stack && c->set && c->path && rehash(c, 64) ? SLM_OK : SLM_E_MEMORY;
}

slm_status slm_constraint_new(slm_constraint **out, const slm_tokenizer *tokenizer, slm_language_fn *language, const void *source,
                              const char *what, slm_error *err)
{
    if (!out || !tokenizer)
        return slm_fail(err, SLM_E_ARG, "%s: %s is NULL", what, out ? "tokenizer" : "out");
    slm_constraint *c = slm_heap_zalloc(tokenizer->heap, sizeof *c);
    if (!c)
        return slm_fail(err, SLM_E_MEMORY, "%s: %zu bytes", what, sizeof *c);
    c->heap = tokenizer->heap;
    c->what = what;
    c->most_work = SLM_LIMIT_GRAMMAR_WORK;
    c->most_cache = SLM_LIMIT_GRAMMAR_CACHE;
    (void)pthread_mutex_init(&c->lock, NULL);
    slm_nfa_init(&c->nfa, c->heap);
    slm_status status = language(&c->nfa, source, err);
    if (!status)
        status = slm_tokenizer_trie(&c->trie, tokenizer, err);
    if (!status)
        status = slm_nfa_freeze(&c->nfa, c->trie->spelled, what, err);
    if (!status && (status = allocate(c)))
        status = slm_fail(err, status, "%s: %u states over %zu nodes of the vocabulary", what, c->nfa.n, c->trie->n);
    if (status) {
        slm_constraint_free(c);
        return status;
    }
    *out = c;
    return SLM_OK;
}

void slm_constraint_bound(slm_constraint *c, int64_t work, int64_t cache)
{
    c->most_work = (uint64_t)(SLM_LIMIT_GRAMMAR_WORK + work);
    c->most_cache = (size_t)(SLM_LIMIT_GRAMMAR_CACHE + cache);
}

void slm_constraint_taken(const slm_constraint *c, uint64_t *work, size_t *cache)
{
    *work = c->work;
    *cache = cached(c);
}

void slm_constraint_free(slm_constraint *c)
{
    if (!c)
        return;
    slm_heap *heap = c->heap;
    void *const parts[] = { c->states.data, c->transitions.data, c->sets.data, c->masks.data, c->way.data, c->slots,
                            c->mark, c->stack, c->set, c->path };
    slm_nfa_free(&c->nfa);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        slm_heap_free(heap, parts[i]);
    (void)pthread_mutex_destroy(&c->lock);
    slm_heap_free(heap, c);
}

slm_status slm_constraint_belongs(const slm_constraint *c, const slm_tokenizer *tokenizer, slm_error *err)
{
    if (!tokenizer || (atomic_load(&tokenizer->trie) != c->trie && slm_trie_fingerprint(tokenizer) != c->trie->fingerprint))
        return slm_fail(err, SLM_E_MISMATCH, "%s: made for another vocabulary, of %zu tokens", c->what, c->trie->n_tokens);
    return SLM_OK;
}
