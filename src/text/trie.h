/* trie.h -- a vocabulary as a trie over the bytes its tokens decode to.
 *
 * Nodes lie in preorder, so a walk goes forward through one array and skips a subtree by one jump; the tokens lie in the order of their
 * bytes, so those of a subtree are one run of that array. It takes a tenth of a second to make for a large vocabulary, so a tokenizer has at
 * most one: made when first asked for, and there until the tokenizer goes. */
#ifndef SLM_TEXT_TRIE_H
#define SLM_TEXT_TRIE_H

#include "core/heap.h"
#include "text/vocab.h"

typedef struct slm_trie_node {
    uint32_t next;          /* the first node behind the subtree */
    uint32_t first;         /* the first token of the subtree; the node's own end where the next node's begin */
    uint16_t depth;         /* bytes from the root, at least 1 */
    uint8_t byte;
} slm_trie_node;

typedef struct slm_trie {
    slm_heap *heap;
    slm_trie_node *nodes;   /* [n + 1]; the last one is a sentinel */
    uint32_t *order;        /* [n_tokens] ids by their bytes */
    uint64_t *strips;       /* [words] tokens whose first space is SentencePiece's own: it is no text where a text begins */
    size_t n, n_tokens, words, longest;
    uint64_t *subtree;      /* [n] which groups of bytes occur below the node, itself included: bits of slm_trie_bit */
    uint32_t child[256];    /* of the root; SLM_NO_ID: none */
    bool spelled[256];      /* a token is that byte alone */
    uint32_t *ends;         /* [n_ends] tokens that end a generation */
    size_t n_ends;
    uint64_t fingerprint;   /* of texts and types */
} slm_trie;

/* The tokens that are text: no control, unknown or end token, none without bytes. In SentencePiece vocabularies no user-defined
 * ones either: they change how the next token is shown. Any number of threads may ask at once. SLM_E_MEMORY. */
slm_status slm_tokenizer_trie(const slm_trie **out, const slm_tokenizer *tokenizer, slm_error *err);
void slm_trie_free(slm_trie *trie);

/* The group of a byte as a bit, below 64: marks and what ends or escapes a string stand alone, letters and digits are together as patterns
 * most often have them. */
uint64_t slm_trie_bit(uint8_t byte);

/* Equal for tokenizers with the same tokens. */
uint64_t slm_trie_fingerprint(const slm_tokenizer *tokenizer);

/* The child of a node (SLM_NO_ID: the root) by a byte, or SLM_NO_ID. */
uint32_t slm_trie_child(const slm_trie *trie, uint32_t node, uint8_t byte);

#endif
