/* template_call.h -- the inside of what templates call by name: the row of a callee, the tables, and what the callees share. */
#ifndef SLM_TEXT_TEMPLATE_CALL_H
#define SLM_TEXT_TEMPLATE_CALL_H

#include "text/template.h"

typedef slm_status slm_callee_fn(slm_call *c, const slm_value *self, slm_value *out);

typedef struct slm_callee_row {
    const char *name;
    const char *params[SLM_ARGS];
    slm_callee_fn *run;
    uint8_t     least;          /* arguments there must be */
    uint8_t     type;           /* of a method: of whom */
    bool        higher;         /* takes a filter or test by name */
} slm_callee_row;

/* A row without a name ends each table; a name stands once among all tables of a kind, of methods once for each type. */
extern const slm_callee_row slm_string_filters[], slm_list_filters[], slm_value_filters[];
extern const slm_callee_row slm_string_methods[], slm_list_methods[];
extern const slm_callee_row slm_tests[];

/* ---- template_call.c ---- */

/* Fail: an undefined value was used; `what` of a value of the wrong type. */
slm_status slm_call_undefined(slm_store *store, const slm_value *v);
slm_status slm_call_wrong(slm_call *c, const char *what, const slm_value *v);
slm_status slm_call_want_string(slm_call *c, const slm_value *v, const char *what);

slm_status slm_call_yes(slm_value *out, bool b);

/* The argument as a string, whatever it is; as a count, `otherwise` if it was not given. */
slm_status slm_call_text(slm_call *c, const slm_value *v, slm_value *out);
slm_status slm_call_count(slm_call *c, const slm_value *v, int64_t otherwise, int64_t *count);

/* Items in the making: a list that grows in the heap and moves to the store at its end, or goes if `status` is a failure. */
slm_buf slm_items_new(slm_call *c);
slm_status slm_items_add(slm_call *c, slm_buf *items, slm_value v);
slm_status slm_items_end(slm_call *c, slm_buf *items, slm_status status, slm_value *out);

/* Calls the filter or test of that name on one item, with at most one argument. */
slm_status slm_call_on(slm_call *c, slm_callee kind, const slm_value *name, const slm_value *argument, const slm_value *item, slm_value *out);

/* ---- template_string.c ---- */

enum { SLM_LOWER, SLM_UPPER, SLM_TITLE, SLM_WORDS, SLM_CAPITAL };
slm_status slm_string_case(slm_call *c, const slm_value *self, int how, slm_value *out);

/* The items of a list with a string between them; `strings`: an item that is none is an error. */
slm_status slm_string_join(slm_call *c, const slm_value *between, const slm_value *list, bool strings, slm_value *out);

/* ---- template_time.c ---- */

slm_status slm_call_strftime(slm_call *c, slm_value *out);

#endif
