/* fault.h -- everything a server can do wrong, or right in an unusual way, by name. */
#ifndef TESTS_REMOTE_FAULT_H
#define TESTS_REMOTE_FAULT_H

#include "answer.h"

typedef struct play {
    reply      *r;            /* holds the right reply when the fault gets it */
    const ask  *a;
    const char *arg;          /* what stands after `=` in the fault's name, "" if nothing does */
    int         redirect;     /* a port that is listening */
} play;

typedef struct fault {
    const char *name, *what;
    void      (*edit)(play *p);
} fault;

extern const fault faults[];  /* ends with an empty name */

/* Edits p->r as `name` or `name=argument` says; a number is a status. false: there is no such fault. */
bool fault_apply(play *p, const char *name);

/* What is done to the request's reading before the answer is made: words=N and the compatible servers. */
void fault_prepare(ask *a, const char *name);

#endif
