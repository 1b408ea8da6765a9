/* engine.h -- what the files of this floor share. Only local.c knows models and sessions. */
#ifndef SLM_ENGINE_ENGINE_H
#define SLM_ENGINE_ENGINE_H

#include "core/buf.h"
#include "kernels/kernels.h"

/* The name of a task, "?" for a number that is none. */
const char *slm_task_name(uint32_t task);

/* Is the request (of full size) within its documented ranges? */
slm_status slm_request_check(const slm_request *request, slm_error *err);

/* ---- tools ---- */

/* How a family writes calls. */
typedef struct slm_tool_form {
    const char *known_by;       /* words of its template */
    const char *open, *shut;    /* calls begin with this; this may stand behind one */
    bool bare;                  /* JSON from the first byte on may be a call, too */
    bool in_system;             /* the template shows the tools of the system message, as text */
} slm_tool_form;

/* The form of a template, or NULL. */
const slm_tool_form *slm_tool_form_of(const char *template_text, size_t n);

/* Where calls begin in a text, or may begin once it has gone on; n: nowhere. */
size_t slm_tool_begin(const slm_tool_form *form, const char *text, size_t n);

typedef struct slm_tool_list {
    slm_tool_call *calls;       /* [n]; strings are in `strings` */
    size_t n;
    slm_buf strings;
} slm_tool_list;

/* The calls in a text that begins with them; n 0: it is no well-formed call. Those without an id get numbers from `first` on. */
slm_status slm_tool_read(slm_tool_list *out, const slm_tool_form *form, slm_heap *heap, const char *text, size_t n, size_t first, slm_error *err);
void slm_tool_list_free(slm_tool_list *list, slm_heap *heap);

/* SLM_E_FORMAT unless they are a JSON array; a name and a JSON object. */
slm_status slm_tools_check(const char *tools, size_t n, slm_error *err);
slm_status slm_tool_call_check(const slm_tool_call *call, slm_error *err);

/* The messages as the JSON that a chat template is rendered with; bos and eos may be NULL. in_system: tools stand in the first system
 * message, which must be there: SLM_E_UNSUPPORTED. */
slm_status slm_request_conversation(slm_buf *json, const slm_request *request, bool in_system, const char *bos, size_t n_bos, const char *eos,
                                    size_t n_eos, slm_error *err);

/* ---- probabilities of a row of logits; within slm_fp_enter ---- */

typedef struct slm_row {
    const float *logits;        /* [vocab] */
    size_t vocab;
    float most;                 /* the greatest logit */
    double sum, log_sum;        /* of e^(logit - most): in pieces of 1024 by C7, added in double */
    double margin, entropy;
} slm_row;

/* SLM_E_NUMERIC if a logit is NaN or +infinity or all are -infinity. */
slm_status slm_row_measure(slm_row *row, const slm_kernels *kernels, const float *logits, size_t vocab, slm_error *err);
double slm_row_logp(const slm_row *row, int32_t token);

/* slm_confidence_of_tokens for checked numbers; sorted [n] is scratch. */
void slm_confidence_reduce(slm_confidence *confidence, const slm_token_score *tokens, size_t n, double *sorted);

/* ---- the labels of a choice as a tree of tokens ---- */

enum { SLM_NO_NODE = 0 };       /* the root is nobody's child */

typedef struct slm_node {
    int32_t  token;
    uint32_t parent, child, next;   /* child: the first; next: of the same parent. In the order of the labels */
    uint32_t label;                 /* which ends here + 1; 0: none */
    uint32_t depth;                 /* of the root: 0 */
    double   logp;                  /* of the token, given its parents */
    double   ends;                  /* of no child's token coming next; only where a label ends and others go on */
} slm_node;

typedef struct slm_tree {
    slm_heap *heap;
    slm_node *nodes;                /* [n]; 0 is the root */
    size_t n, room;
} slm_tree;

/* Takes all the memory it will need: `tokens` of all labels together. Freed by slm_tree_free. */
slm_status slm_tree_init(slm_tree *tree, slm_heap *heap, size_t tokens, slm_error *err);
void slm_tree_free(slm_tree *tree);

/* Puts label number `label` in; n >= 1. SLM_E_ARG if another one has the same tokens. */
slm_status slm_tree_add(slm_tree *tree, const int32_t *tokens, size_t n, size_t label, slm_error *err);

/* From the row after `node`: logp of its children, and `ends` of itself. */
void slm_tree_measure(slm_tree *tree, uint32_t node, const slm_row *row, const slm_kernels *kernels);

#endif
