/* choice.c -- one of the given strings. */
#include "session/constraint.h"

#include "core/limits.h"
#include "core/utf8.h"

typedef struct list {
    const char *const *strings;
    size_t n;
} list;

/* Common beginnings need not be shared here: the states made of the nodes are. */
static slm_status language(slm_nfa *nfa, const void *source, slm_error *err)
{
    const list *l = source;
    size_t bytes = 0;
    for (size_t i = 0; i < l->n; i++) {
        const size_t n = l->strings[i] ? strlen(l->strings[i]) : 0;
        if (!l->strings[i] || slm_utf8_valid(l->strings[i], n) != n)
            return slm_fail(err, SLM_E_ARG, "choice: string %zu %s (allowed UTF-8)", i, l->strings[i] ? "has other bytes" : "is NULL");
        bytes += n;
        if (bytes > SLM_LIMIT_GRAMMAR_BYTES)
            return slm_fail(err, SLM_E_LIMIT, "choice: %zu strings of more than %d bytes", l->n, SLM_LIMIT_GRAMMAR_BYTES);
        slm_nfa_text(nfa, SLM_NFA_START, l->strings[i], n, SLM_NFA_END);
    }
    return SLM_OK;
}

slm_status slm_constraint_choice(slm_constraint **out, const slm_tokenizer *tokenizer, const char *const *strings, size_t n, slm_error *err)
{
    const list l = { strings, n };
    if (!strings || !n)
        return slm_fail(err, SLM_E_ARG, "choice: %zu strings%s (allowed from 1)", n, strings ? "" : " at NULL");
    return slm_constraint_new(out, tokenizer, language, &l, "choice", err);
}
