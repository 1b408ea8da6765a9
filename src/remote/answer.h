/* answer.h -- what a server has said so far, in no format's own words. */
#ifndef SLM_REMOTE_ANSWER_H
#define SLM_REMOTE_ANSWER_H

#include "bytes.h"
#include "scan.h"

enum { SLM_CALLS_MOST = 128, SLM_ARGUMENTS_MOST = 1 << 20, SLM_TEXT_MOST = 16 << 20 };

/* One tool call, gathered from its fragments. */
typedef struct slm_call {
    int64_t   index;            /* the server's number; -1: it gives none */
    char      id[128], name[128];
    slm_bytes arguments;
} slm_call;

typedef struct slm_answer {
    slm_bytes  text, refusal;
    slm_call  *calls;           /* [n_calls], room SLM_CALLS_MOST once there is one */
    size_t     n_calls;
    slm_bytes  scores;          /* slm_token_score */
    char       id[160], model[257];
    bool       spoke;           /* a text came, were it empty */
    bool       finished;        /* the server said why it ended */
    bool       blank;           /* ... with an empty word */
    bool       ended;           /* the mark of the end was seen */
    uint32_t   reason, flags;   /* of the reply */
    int64_t    prompt, cached, cache_write, output;     /* tokens; -1: not said */
    bool       apart;           /* prompt leaves out what is cached; slm_answer_check adds it */
    bool       odd;             /* numbers of the usage are impossible */
    uint64_t   events, ignored; /* that meant something, and that did not */
    bool       started;         /* Anthropic: message_start was seen */
    uint8_t    blocks[256];     /* Anthropic: kind of each block */
} slm_answer;

void slm_answer_init(slm_answer *a);
void slm_answer_free(slm_answer *a);

/* The call a fragment belongs to, made if need be; NULL after setting the fault. id may be "". */
slm_call *slm_answer_call(slm_answer *a, int64_t index, const char *id, slm_fault *fault);

/* Adds a piece of arguments: a string, or any other JSON as it would be written. */
void slm_answer_arguments(slm_call *call, const json_t *piece, slm_fault *fault);

/* Adds the string v to text; PROTOCOL if it is none. NULL and null are nothing. true: something was there. */
bool slm_answer_add(slm_bytes *to, const json_t *v, const char *what, slm_fault *fault);

/* A count of the usage: missing and null leave *to as it is, what is impossible makes the usage odd. */
void slm_answer_count(slm_answer *a, int64_t *to, const json_t *usage, const char *key);

/* Copies a name or id, cut to its room; "" stays. */
void slm_answer_name(char *to, size_t room, const json_t *object, const char *key);

/* The server's word for the end. */
void slm_answer_finish(slm_answer *a, const char *word);

/* At the end: is it whole? `plain`: it came in one piece. */
void slm_answer_check(slm_answer *a, bool plain, slm_fault *fault);

/* The calls as they stand in a reply, [n_calls] for free(), pointing into the answer; ANSWER for arguments that are no JSON object. */
slm_tool_call *slm_answer_calls(const slm_answer *a, slm_fault *fault);

/* An error object of any shape servers use, at status 200 or another one. */
void slm_answer_error(const json_t *root, long status, slm_fault *fault);

#endif
