/* tree.c -- the labels of a choice as a tree of tokens: what labels share is evaluated once.
 *
 * The labels are taken as events that exclude each other: "the text goes on with this label, and not with a longer one of the set".
 * Where a label ends and others go on, its probability is therefore that of its tokens times that of no child's token coming next; it
 * is summed over the other tokens, for 1 - p of the children would lose its digits where p is near 1. */
#include "engine/engine.h"

#include "core/size.h"
#include "kernels/math.h"

slm_status slm_tree_init(slm_tree *tree, slm_heap *heap, size_t tokens, slm_error *err)
{
    *tree = (slm_tree){ heap, NULL, 1, 0 };
    if (!slm_size_add(tokens, 1, &tree->room) || tree->room > UINT32_MAX)
        return slm_fail(err, SLM_E_LIMIT, "choose: %zu tokens of labels (allowed %u)", tokens, UINT32_MAX - 1);
    tree->nodes = slm_heap_array(heap, tree->room, sizeof *tree->nodes);
    if (!tree->nodes)
        return slm_fail(err, SLM_E_MEMORY, "choose: %zu tokens of labels", tokens);
    tree->nodes[0] = (slm_node){ .token = -1 };
    return SLM_OK;
}

void slm_tree_free(slm_tree *tree)
{
    if (tree->heap)
        slm_heap_free(tree->heap, tree->nodes);
    *tree = (slm_tree){ 0 };
}

static uint32_t child_of(slm_tree *t, uint32_t node, int32_t token)
{
    uint32_t *link = &t->nodes[node].child;
    while (*link != SLM_NO_NODE && t->nodes[*link].token != token)
        link = &t->nodes[*link].next;
    if (*link == SLM_NO_NODE) {
        *link = (uint32_t)t->n;
        t->nodes[t->n++] = (slm_node){ .token = token, .parent = node, .depth = t->nodes[node].depth + 1 };
    }
    return *link;
}

slm_status slm_tree_add(slm_tree *tree, const int32_t *tokens, size_t n, size_t label, slm_error *err)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++)
        at = child_of(tree, at, tokens[i]);
    if (tree->nodes[at].label)
        return slm_fail(err, SLM_E_ARG, "request: labels %u and %zu are the same %zu tokens", tree->nodes[at].label - 1, label, n);
    tree->nodes[at].label = (uint32_t)label + 1;
    return SLM_OK;
}

/* Sum of e^(logit - most) over the tokens that are no child's. */
static double rest(const slm_tree *t, uint32_t node, const slm_row *row, const slm_kernels *kernels)
{
    float piece[1024];
    double sum = 0;
    for (size_t i = 0; i < row->vocab; i += 1024) {
        const size_t n = slm_min(1024, row->vocab - i);
        (void)kernels->exp_sum_f32(piece, row->logits + i, n, 0, row->most);
        for (uint32_t c = t->nodes[node].child; c != SLM_NO_NODE; c = t->nodes[c].next)
            if ((size_t)t->nodes[c].token - i < n)
                piece[(size_t)t->nodes[c].token - i] = 0;
        for (size_t k = 0; k < n; k++)
            sum += (double)piece[k];
    }
    return sum;
}

void slm_tree_measure(slm_tree *tree, uint32_t node, const slm_row *row, const slm_kernels *kernels)
{
    slm_node *n = &tree->nodes[node];
    for (uint32_t c = n->child; c != SLM_NO_NODE; c = tree->nodes[c].next)
        tree->nodes[c].logp = slm_row_logp(row, tree->nodes[c].token);
    if (n->label && n->child != SLM_NO_NODE) {
        const double left = rest(tree, node, row, kernels);
        n->ends = slm_log_f64(left > 0x1p-1000 ? left : 0x1p-1000) - row->log_sum;
    }
}
