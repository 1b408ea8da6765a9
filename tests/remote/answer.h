/* answer.h -- what a well-behaved server says: the same request has the same answer, in both wire formats, streamed and not. */
#ifndef TESTS_REMOTE_ANSWER_H
#define TESTS_REMOTE_ANSWER_H

#include "http.h"

enum { WIRE_OPENAI, WIRE_ANTHROPIC };

enum {                        /* how compatible servers differ from the ones they copy */
    ODD_VLLM = 1,             /* numbers of use in every chunk, keys of its own */
    ODD_LLAMA = 2,            /* timings; thoughts beside the text */
    ODD_OLLAMA = 4,           /* a tool call whole in one chunk, without index; "stop" after it */
    ODD_LMSTUDIO = 8,         /* slow to begin, keys of its own */
    ODD_OPENROUTER = 16       /* comments before the first event, native reasons */
};

typedef struct ask {
    int         wire;
    bool        stream, usage, logprobs;
    size_t      top, max_tokens, words;     /* words: so many made-up ones in place of an echo; 0: the echo */
    unsigned    odd;
    json_t     *body;         /* all of it; NULL: not JSON */
    const char *model, *prompt;             /* prompt: the last user message's text */
    json_t     *schema;       /* the answer is a JSON value of this schema; NULL: text */
    const char *tool;         /* the answer calls this tool; NULL: none */
    json_t     *tool_schema;
} ask;

/* Reads what is asked; false if the body is not a request of the wire. ask_free in any case. */
bool ask_read(ask *a, int wire, const request *q);
void ask_free(ask *a);

/* The right reply. */
void answer(reply *r, const ask *a);

/* An error object of the wire. */
json_t *answer_error(int wire, int status, const char *type, const char *code, const char *message);

#endif
