/* schema_number.h -- JSON numbers within bounds, as automata. */
#ifndef SLM_SESSION_SCHEMA_NUMBER_H
#define SLM_SESSION_SCHEMA_NUMBER_H

#include "session/constraint_nfa.h"

/* lo and hi are integers of at most 15 digits, or infinite; `open`: the bound itself is left out (of fractions; integers move their
 * bound by one before). */
typedef struct slm_bounds {
    double lo, hi;
    bool lo_open, hi_open;
} slm_bounds;

void slm_number_integer(slm_nfa *nfa, const slm_bounds *bounds, uint32_t from, uint32_t to);
void slm_number_any(slm_nfa *nfa, const slm_bounds *bounds, uint32_t from, uint32_t to);

#endif
