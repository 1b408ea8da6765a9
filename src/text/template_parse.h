/* template_parse.h -- the inside of the compiler of templates: what its lexer, its expressions and its statements share.
 *
 * One slm_parser goes through the source from left to right. template_lex.c makes tokens, template_emit.c writes code,
 * template_expr.c compiles one expression, template_parse.c statements and the text between tags. */
#ifndef SLM_TEXT_TEMPLATE_PARSE_H
#define SLM_TEXT_TEMPLATE_PARSE_H

#include "text/template.h"

typedef enum slm_token_type { SLM_T_NAME, SLM_T_STRING, SLM_T_NUMBER, SLM_T_SIGN, SLM_T_END, SLM_T_EOF } slm_token_type;

typedef struct slm_token {
    slm_token_type type;
    size_t at, n;           /* in the source */
    uint32_t line;
    slm_value number;
    uint32_t constant;      /* of a string */
} slm_token;

/* What waits for its right side: an operator, an open bracket. */
typedef struct slm_operator {
    uint8_t  kind;          /* of template_expr.c, in order of binding */
    uint8_t  code;          /* slm_op of an operator */
    bool     negate;        /* of a test */
    bool     comma;         /* GROUP: a tuple */
    bool     named_open;    /* a `name=` was read, its value is next */
    uint8_t  parts, colons; /* INDEX; DICT: colons counts a key that waits for its value */
    uint32_t line;
    uint32_t name;          /* constant of a method, filter, test */
    uint32_t n, named;      /* complete arguments or items */
    size_t   start;         /* brackets: the enclosing expression's start; IF: where a begins */
    size_t   at;            /* the jump to set; IF: where c begins */
} slm_operator;

/* A statement that is open. */
typedef struct slm_block {
    uint8_t  kind;          /* of template_parse.c */
    bool     otherwise;     /* else was seen */
    uint32_t line;
    size_t   jump;          /* IF: the jump to the next branch; FOR: the FOR; MACRO: the jump over it */
    size_t   ends;          /* IF: a chain of jumps to the end, through their args; FOR: of break; SLM_NOWHERE */
    size_t   skips;         /* FOR: of continue */
    size_t   body;          /* FOR: where a round begins */
    uint32_t name, more;    /* SET: what is set; FILTER: how many filters */
    bool     attr;
} slm_block;

#define SLM_NOWHERE SIZE_MAX     /* no place in the code */

typedef struct slm_parser {
    slm_template *t;
    slm_error *err;
    const uint8_t *s;       /* source */
    size_t n, pos;
    uint32_t line;          /* of pos */
    size_t counted;         /* newlines before it are in line */
    bool in_print;          /* between {{ and }}, else {% and %} */
    uint32_t brackets;      /* open ones: }} does not end the tag */
    slm_token tok;
    slm_operator ops[SLM_LIMIT_TEMPLATE_NESTING * 4];
    size_t n_ops;
    slm_block blocks[SLM_LIMIT_TEMPLATE_NESTING];
    size_t n_blocks;
    size_t start;           /* of the expression at this level, in code */
    size_t attr_at;         /* the code of an ATTR that was written last; SLM_NOWHERE */
} slm_parser;

/* ---- template_lex.c ---- */

/* Reads the next token to p->tok. What failed while code was written since the last one is found here. */
slm_status slm_lex_next(slm_parser *p);

/* Is the token that sign, that word? */
bool slm_lex_sign(const slm_parser *p, const char *text);
bool slm_lex_word(const slm_parser *p, const char *text);

/* Moves past that sign, or fails. */
slm_status slm_lex_want(slm_parser *p, const char *text);

/* Fails: `what`, then n bytes of the source at `at`. */
slm_status slm_lex_bad(slm_parser *p, slm_status status, uint32_t line, const char *what, size_t at, size_t n);
slm_status slm_lex_unexpected(slm_parser *p, const char *wanted);

uint32_t slm_lex_line(slm_parser *p, size_t pos);
void slm_lex_skip_space(slm_parser *p);
bool slm_lex_ahead(const slm_parser *p, size_t pos, const char *text);

/* The end of the tag at p->pos: its length with a sign before it, and the sign; 0 if there is none. */
size_t slm_lex_tag_end(const slm_parser *p, char *sign);

/* Moves past the end of a tag and what it swallows of the text after it. */
void slm_lex_after_tag(slm_parser *p, size_t n, char sign, bool trims);

/* ---- template_emit.c ---- */

/* The place of the next instruction, and the one at a place. */
size_t slm_emit_here(const slm_parser *p);
slm_code *slm_emit_at(slm_parser *p, size_t at);

/* Writes an instruction and returns its place. A failure of memory stays in the buf and is looked at with the next token. */
size_t slm_emit(slm_parser *p, slm_op what, size_t arg, uint32_t line);
size_t slm_emit_call(slm_parser *p, slm_op what, uint32_t name, size_t pos, size_t named, uint32_t line);

/* Gives the jump at a place its target; a jump whose target comes later, chained to others that go there; the target of such a chain. */
void slm_emit_target(slm_parser *p, size_t at, size_t target);
void slm_emit_chain(slm_parser *p, size_t *head);
void slm_emit_targets(slm_parser *p, size_t head, size_t target);

/* A new constant: its number. */
uint32_t slm_emit_const(slm_parser *p, slm_const c);
uint32_t slm_emit_string(slm_parser *p, const void *bytes, size_t n);

/* The number of the variable whose name is n bytes of the source at `at`; a new one if the template had none of that name. */
slm_status slm_emit_name(slm_parser *p, size_t at, size_t n, uint32_t *number);

/* ---- template_expr.c ---- */

/* An expression up to the first token that cannot belong to it; it leaves one value. `conditions`: it may hold `if`. */
slm_status slm_parse_expression(slm_parser *p, bool conditions);

#endif
