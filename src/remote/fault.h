/* fault.h -- what went wrong, as a row of the failure table with a line of text. */
#ifndef SLM_REMOTE_FAULT_H
#define SLM_REMOTE_FAULT_H

#include "slm.h"

#include <stdbool.h>

typedef enum slm_class {
#define FAULT(class, status, tries, breaker) SLM_CLASS_##class,
#include "fault.def"
    SLM_CLASSES
} slm_class;

typedef enum slm_tries { SLM_TRY_NEVER, SLM_TRY_ONCE, SLM_TRY_OFTEN } slm_tries;

typedef struct slm_fault_row {
    const char *name;
    slm_status  status;
    slm_tries   tries;
    bool        breaker;
} slm_fault_row;

const slm_fault_row *slm_fault_about(slm_class class);

typedef struct slm_fault {
    slm_class class;        /* SLM_CLASS_NONE: nothing is wrong */
    int32_t   code;         /* HTTP status, or curl's number */
    int64_t   after_ms;     /* what the server wants to be waited; -1: it does not say */
    int8_t    again;        /* the server's word on another try: 1 yes, -1 no, 0 nothing said */
    char      text[320];    /* what happened, one line */
} slm_fault;

/* Sets it, unless something is set already: the first cause wins. The text is made printable. */
void slm_fault_set(slm_fault *fault, slm_class class, int32_t code, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* CLOCK, with the errno of the clock that just was asked: without one no limit of time can be kept. */
void slm_fault_clock(slm_fault *fault);

/* Into the caller's error as "HOST: CLASS: text"; returns the status of the class. */
slm_status slm_fault_give(const slm_fault *fault, const char *host, slm_error *err);

/* For errors without a class: of params and the like. Returns status. */
slm_status slm_remote_fail(slm_error *err, slm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* From a result of curl. `bytes`: anything of a response came; `connected`: the connection stood. */
void slm_fault_of_curl(slm_fault *fault, int result, long proxy_status, bool connected, bool bytes, const char *text);

/* From an HTTP status and the words of an error body (each "" if it has none). */
void slm_fault_of_http(slm_fault *fault, long status, const char *type, const char *code, const char *message);

#endif
