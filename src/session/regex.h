/* regex.h -- regular expressions as automata. */
#ifndef SLM_SESSION_REGEX_H
#define SLM_SESSION_REGEX_H

#include "session/constraint_nfa.h"

typedef struct slm_regex {
    const char *pattern;    /* [n] */
    size_t n;
    bool search;            /* a text that contains a match fits; else the whole text is the match */
    bool json;              /* the text stands within a JSON string */
    const char *what;       /* for messages */
} slm_regex;

/* Puts the language between two nodes. SLM_E_FORMAT and SLM_E_UNSUPPORTED name the construct and its byte; SLM_E_LIMIT, SLM_E_MEMORY. */
slm_status slm_regex_build(slm_nfa *nfa, const slm_regex *regex, uint32_t from, uint32_t to, slm_error *err);

#endif
