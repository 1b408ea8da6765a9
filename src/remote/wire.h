/* wire.h -- a wire format is a row of functions; a server is a row of data that names its format and says how it differs. */
#ifndef SLM_REMOTE_WIRE_H
#define SLM_REMOTE_WIRE_H

#include "answer.h"

/* What is asked for, beside the request itself. */
typedef struct slm_job {
    const struct slm_server *server;
    const char *model, *system;         /* system may be NULL */
    const slm_request *request;
    bool     stream, sampling;          /* sampling false: none is sent */
    uint32_t max_tokens, top_logprobs;  /* top_logprobs 0: none */
    json_t  *schema;                    /* what the answer must be, NULL: anything */
    bool     strict;                    /* the schema is ours, and within what every server takes */
    json_t  *tools;                     /* the request's, an array; NULL */
} slm_job;

typedef struct slm_wire {
    const char *path;                   /* behind the base URL */
    const char *key;                    /* header of the key, up to the key */
    const char *extra;                  /* a header of the format's own; NULL */
    json_t    *(*build)(const slm_job *job, slm_fault *fault);      /* the body; NULL after setting the fault */
    int        (*event)(slm_answer *a, const char *name, const char *data, size_t n, slm_fault *fault);   /* 1: that was the end */
    void       (*reply)(slm_answer *a, const json_t *root, slm_fault *fault);
} slm_wire;

extern const slm_wire slm_wire_openai, slm_wire_anthropic;

typedef enum slm_structured { SLM_STRUCTURED_NONE, SLM_STRUCTURED_SCHEMA, SLM_STRUCTURED_OBJECT } slm_structured;

typedef struct slm_server {
    const char     *name, *base_url;    /* base_url NULL: has to be given */
    const slm_wire *wire;
    const char     *limit;              /* what it calls the most tokens of the answer */
    uint32_t        stops;              /* stop strings it takes */
    slm_structured  structured;         /* json_schema; or json_object with a member schema; or told in words */
    bool seed, penalties, logprobs;
    bool top_k, min_p, repeat;          /* sampling beyond the common */
    bool usage;                         /* takes stream_options.include_usage */
} slm_server;

const slm_server *slm_server_find(const char *name);    /* NULL: there is none */
extern const char slm_server_names[];                   /* for a message */

/* ---- what the formats share ---- */

/* JSON of the caller's: as it is, numbers kept; NULL after BAD_ARGUMENT. */
json_t *slm_wire_caller_json(const char *what, const char *text, size_t n, slm_fault *fault);

/* A string of the caller's; NULL after BAD_ARGUMENT if it is not UTF-8. */
json_t *slm_wire_string(const char *what, const char *text, size_t n, slm_fault *fault);

/* Can this turn be sent: a known role, calls of an assistant alone, a tool's answer with the id of its call? */
bool slm_wire_role(const slm_message *m, slm_fault *fault);

/* Sets the members of sampling that this server has; a fault for one that it lacks. */
void slm_wire_sampling(json_t *body, const slm_job *job, slm_fault *fault);

/* The first stop strings, as many as the server takes; NULL if there are none. All are looked for here as well. */
json_t *slm_wire_stops(const slm_job *job, slm_fault *fault);

/* What the model is told before the conversation, for a choice or a schema that the server cannot enforce; "" if nothing. */
void slm_wire_instruction(slm_bytes *to, const slm_job *job);

/* e^best - e^second for log-probabilities, within 0 .. 1. */
double slm_wire_margin(double best, double second);

/* object[key] = value, taken over; a failure is sticky in the fault. */
void slm_wire_set(json_t *object, const char *key, json_t *value, slm_fault *fault);
void slm_wire_push(json_t *array, json_t *value, slm_fault *fault);

#endif
