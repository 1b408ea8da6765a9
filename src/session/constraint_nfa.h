/* constraint_nfa.h -- a language of byte strings as a nondeterministic automaton: nodes, edges over ranges of bytes, empty edges.
 *
 * Built forward: whoever has two nodes puts a language between them. A text is in the language if a way from node SLM_NFA_START to
 * node SLM_NFA_END spells it. Failures are sticky, so a builder looks once, at the end. */
#ifndef SLM_SESSION_CONSTRAINT_NFA_H
#define SLM_SESSION_CONSTRAINT_NFA_H

#include "core/heap.h"

#define SLM_FAR UINT32_MAX
enum { SLM_NFA_START = 0, SLM_NFA_END = 1 };

typedef struct slm_edge {
    uint32_t from, to;
    uint8_t lo, hi;
    bool empty;
} slm_edge;

typedef struct slm_nfa {
    slm_heap *heap;
    slm_edge *edges;        /* [n_edges]; by `from` once frozen */
    size_t n_edges, room;
    uint32_t n;             /* nodes */
    slm_status failed;
    /* frozen */
    uint32_t *first;        /* [n + 1] the edges of a node */
    uint32_t *distance;     /* [n] least number of bytes to the end; SLM_FAR: there is no way, and no edge leads there */
    uint8_t class_of[256];  /* bytes that no edge tells apart have one class */
    uint8_t member[256];    /* a byte of each class */
    size_t classes;
} slm_nfa;

/* A set of code points as ranges, ascending and apart. */
typedef struct slm_range {
    uint32_t lo, hi;
} slm_range;

void slm_nfa_init(slm_nfa *nfa, slm_heap *heap);
void slm_nfa_free(slm_nfa *nfa);

uint32_t slm_nfa_node(slm_nfa *nfa);
void slm_nfa_bytes(slm_nfa *nfa, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to);
void slm_nfa_empty(slm_nfa *nfa, uint32_t from, uint32_t to);
void slm_nfa_text(slm_nfa *nfa, uint32_t from, const void *text, size_t n, uint32_t to);

/* One code point of the ranges, as UTF-8 (never a surrogate). json: as it stands within a JSON string, escaped where it must be and nowhere
 * else; U+0000 is left out, because not every reader takes it. */
void slm_nfa_points(slm_nfa *nfa, uint32_t from, const slm_range *ranges, size_t n, bool json, uint32_t to);

/* Sorts the edges, finds classes and distances, drops what leads nowhere. spelled[b]: a token is that byte and nothing else; only over
 * these is a way to the end counted, so that from every place that can be reached there is a way on, token by token. SLM_E_LIMIT,
 * SLM_E_MEMORY; SLM_E_NOT_FOUND if no text is left. `what` is for messages. */
slm_status slm_nfa_freeze(slm_nfa *nfa, const bool spelled[256], const char *what, slm_error *err);

#endif
