/* template_parse.c -- source to code: text between tags, statements, expressions.
 *
 * Text follows the rules of trim_blocks and lstrip_blocks, with which chat templates are written: a newline right after a statement
 * or comment is dropped, and blanks between the start of a line and a statement or comment.
 *
 * Expressions are compiled by operator precedence. Code for an operand is written as soon as it is seen; an operator waits in `ops`
 * until one that binds less tightly, or a closing bracket, follows. Open brackets wait there as well, with what they will become:
 * a call, an index, a list. `and`, `or` write their jump when seen and set its target when their right side is complete. */
#include "text/template.h"

#include "core/json.h"
#include "core/size.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

typedef enum token_type { T_NAME, T_STRING, T_NUMBER, T_SIGN, T_END, T_EOF } token_type;

typedef struct token {
    token_type type;
    size_t at, n;           /* in the source */
    uint32_t line;
    slm_value number;
    uint32_t constant;      /* of a string */
} token;

/* What waits for its right side. In order of binding; brackets come first and are never reduced by an operator. */
typedef enum waiting {
    W_GROUP, W_LIST, W_DICT, W_INDEX, W_CALL, W_METHOD, W_FILTER, W_TEST,
    W_IF, W_ELSE, W_OR, W_AND, W_NOT, W_COMPARE, W_ADD, W_CONCAT, W_MUL, W_POW, W_SIGN, W_TEST_ARG
} waiting;
#define W_BRACKETS W_IF      /* what comes before is a bracket */

typedef struct op {
    uint8_t  kind;          /* waiting */
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
} op;

typedef enum block_kind { B_IF, B_FOR, B_MACRO, B_SET, B_FILTER, B_GENERATION, B_WITH } block_kind;
static const char *const block_names[] = { "if", "for", "macro", "set", "filter", "generation", "with" };

typedef struct block {
    uint8_t  kind;
    bool     otherwise;     /* else was seen */
    uint32_t line;
    size_t   jump;          /* IF: the jump to the next branch; FOR: the FOR; MACRO: the jump over it */
    size_t   ends;          /* IF: a chain of jumps to the end, through their args; FOR: of break; NONE */
    size_t   skips;         /* FOR: of continue */
    size_t   body;          /* FOR: where a round begins */
    uint32_t name, more;    /* SET: what is set; FILTER: how many filters */
    bool     attr;
} block;

#define NONE SIZE_MAX

typedef struct parser {
    slm_template *t;
    slm_error *err;
    const uint8_t *s;       /* source */
    size_t n, pos;
    uint32_t line;          /* of pos */
    size_t counted;         /* newlines before it are in line */
    bool in_print;          /* between {{ and }}, else {% and %} */
    uint32_t brackets;      /* open ones: }} does not end the tag */
    token tok;
    op ops[SLM_LIMIT_TEMPLATE_NESTING * 4];
    size_t n_ops;
    block blocks[SLM_LIMIT_TEMPLATE_NESTING];
    size_t n_blocks;
    size_t start;           /* of the expression at this level, in code */
    size_t attr_at;         /* the code of an ATTR that was written last; NONE */
} parser;

/* ---- failures and output ---- */

static slm_status bad(parser *p, slm_status status, uint32_t line, const char *what, size_t at, size_t n)
{
    char shown[SLM_SHOWN];
    return slm_fail(p->err, status, "template: line %u: %s '%s'", line, what, slm_shown(shown, p->s + at, n));
}

static slm_status unexpected(parser *p, const char *wanted)
{
    char shown[SLM_SHOWN];
    const token *k = &p->tok;
    if (k->type == T_EOF)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: the template ends inside a tag; wanted %s", k->line, wanted);
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: unexpected '%s'; wanted %s", k->line, slm_shown(shown, p->s + k->at, k->n), wanted);
}

static size_t here(const parser *p)
{
    return SLM_COUNT(slm_code, p->t->code);
}

static slm_code *code_at(parser *p, size_t at)
{
    return SLM_ARRAY(slm_code, p->t->code) + at;
}

/* A failure of memory stays in the buf and is looked at after each tag. */
static size_t emit(parser *p, slm_op what, size_t arg, uint32_t line)
{
    const slm_code c = { (uint8_t)what, 0, 0, (int32_t)arg, line, 0 };
    const size_t at = here(p);
    slm_buf_add(&p->t->code, &c, sizeof c);
    p->attr_at = NONE;
    return at;
}

static size_t emit_call(parser *p, slm_op what, uint32_t name, size_t pos, size_t named, uint32_t line)
{
    const size_t at = emit(p, what, name, line);
    if (!p->t->code.failed) {
        code_at(p, at)->pos = (uint16_t)pos;
        code_at(p, at)->named = (uint8_t)named;
    }
    return at;
}

static void set_jump(parser *p, size_t at, size_t target)
{
    if (!p->t->code.failed)
        code_at(p, at)->arg = (int32_t)((int64_t)target - (int64_t)at);
}

/* Jumps that wait for one target hang together by their args, each with the place of the one before. */
static void chain(parser *p, size_t *head)
{
    const size_t before = *head;
    *head = emit(p, SLM_OP_JUMP, 0, p->tok.line);
    if (!p->t->code.failed)
        code_at(p, *head)->arg = before == NONE ? -1 : (int32_t)before;
}

static void set_chain(parser *p, size_t head, size_t target)
{
    while (head != NONE && !p->t->code.failed) {
        const int32_t before = code_at(p, head)->arg;
        set_jump(p, head, target);
        head = before < 0 ? NONE : (size_t)before;
    }
}

static uint32_t add_const(parser *p, slm_const c)
{
    slm_buf_add(&p->t->consts, &c, sizeof c);
    return (uint32_t)(SLM_COUNT(slm_const, p->t->consts) - 1);
}

static uint32_t add_text(parser *p, const void *bytes, size_t n)
{
    const slm_const c = { slm_string(NULL, n, SLM_LITERAL), p->t->blob.size };
    slm_buf_add(&p->t->blob, bytes, n);
    return add_const(p, c);
}

/* ---- names of variables ---- */

static bool name_is(const slm_template *t, const slm_const *c, const void *bytes, size_t n)
{
    return c->value.n == n && memcmp(t->blob.data + c->at, bytes, n) == 0;
}

uint32_t slm_template_name(const slm_template *t, const void *bytes, size_t n)
{
    const slm_const *names = SLM_ARRAY(slm_const, t->names);
    for (size_t i = 0; i < SLM_COUNT(slm_const, t->names); i++)
        if (name_is(t, &names[i], bytes, n))
            return (uint32_t)i;
    return UINT32_MAX;
}

static slm_status name_number(parser *p, size_t at, size_t n, uint32_t *number)
{
    *number = slm_template_name(p->t, p->s + at, n);
    if (*number != UINT32_MAX)
        return SLM_OK;
    if (SLM_COUNT(slm_const, p->t->names) == SLM_LIMIT_TEMPLATE_NAMES)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: more than %d variables", p->tok.line, SLM_LIMIT_TEMPLATE_NAMES);
    const slm_const c = { slm_string(NULL, n, SLM_LITERAL), p->t->blob.size };
    *number = (uint32_t)SLM_COUNT(slm_const, p->t->names);
    slm_buf_add(&p->t->blob, p->s + at, n);
    if (!p->t->blob.failed)
        slm_buf_add(&p->t->names, &c, sizeof c);
    return SLM_OK;
}

/* ---- tokens ---- */

static uint32_t line_at(parser *p, size_t pos)
{
    if (pos < p->counted) {
        p->counted = 0;
        p->line = 1;
    }
    for (; p->counted < pos; p->counted++)
        p->line += p->s[p->counted] == '\n';
    return p->line;
}

static size_t space_at(const parser *p, size_t pos)      /* bytes of the white space there, 0 if there is none */
{
    uint32_t cp;
    bool ok;
    if (pos >= p->n)
        return 0;
    const size_t len = slm_utf8_next(p->s + pos, p->n - pos, &cp, &ok);
    return ok && slm_is_space(cp) ? len : 0;
}

static void skip_space(parser *p)
{
    size_t n;
    while ((n = space_at(p, p->pos)))
        p->pos += n;
}

static bool is_name_byte(uint8_t c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static bool ahead(const parser *p, size_t pos, const char *text)
{
    const size_t n = strlen(text);
    return pos <= p->n && p->n - pos >= n && memcmp(p->s + pos, text, n) == 0;
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void put_point(slm_buf *out, uint32_t cp)
{
    uint8_t b[4];
    size_t n = 1;
    if (cp < 0x80) {
        b[0] = (uint8_t)cp;
    } else if (cp < 0x800) {
        b[0] = (uint8_t)(0xc0 | cp >> 6);
        b[1] = (uint8_t)(0x80 | (cp & 0x3f));
        n = 2;
    } else if (cp < 0x10000) {
        b[0] = (uint8_t)(0xe0 | cp >> 12);
        b[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        b[2] = (uint8_t)(0x80 | (cp & 0x3f));
        n = 3;
    } else {
        b[0] = (uint8_t)(0xf0 | cp >> 18);
        b[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
        b[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        b[3] = (uint8_t)(0x80 | (cp & 0x3f));
        n = 4;
    }
    slm_buf_add(out, b, n);
}

/* \xHH, \uHHHH, \UHHHHHHHH at i (of the letter); the bytes used after the backslash, 0 if it is none. */
static size_t hex_escape(const uint8_t *s, size_t i, size_t end, uint32_t *cp)
{
    const size_t digits = s[i] == 'x' ? 2 : s[i] == 'u' ? 4 : s[i] == 'U' ? 8 : 0;
    *cp = 0;
    if (!digits || end - i <= digits)
        return 0;
    for (size_t k = 1; k <= digits; k++) {
        if (hex(s[i + k]) < 0 || *cp > 0x10ffff)
            return 0;
        *cp = *cp << 4 | (uint32_t)hex(s[i + k]);
    }
    return *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff) ? 0 : digits + 1;
}

/* The inside of a string literal, with Python's escapes undone, at the end of the blob. */
static slm_status unescape(parser *p, size_t from, size_t end)
{
    static const char letters[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    slm_buf *out = &p->t->blob;
    size_t begin = from;
    for (size_t i = from; i < end;) {
        if (p->s[i] != '\\') {
            i++;
            continue;
        }
        slm_buf_add(out, p->s + begin, i - begin);
        const uint8_t c = p->s[i + 1];          /* a backslash is never the last byte before the quote */
        const char *known = c && c < 128 ? strchr(letters, c) : NULL;
        uint32_t cp;
        size_t used = hex_escape(p->s, i + 1, end, &cp);
        if (known) {
            slm_buf_u8(out, (uint8_t)values[known - letters]);
            i += 2;
        } else if (used) {
            put_point(out, cp);
            i += 1 + used;
        } else if (c == 'x' || c == 'u' || c == 'U' || c == 'N') {
            return bad(p, SLM_E_FORMAT, line_at(p, i), "no escape of a string literal:", i, slm_min(end - i, 10));
        } else if (c >= '0' && c <= '7') {
            for (cp = 0, used = 1; used <= 3 && i + used < end && p->s[i + used] >= '0' && p->s[i + used] <= '7'; used++)
                cp = cp * 8 + (uint32_t)(p->s[i + used] - '0');
            put_point(out, cp);
            i += used;
        } else if (c == '\n') {
            i += 2;                             /* a line that goes on */
        } else {
            slm_buf_add(out, p->s + i, 1);      /* no escape: both characters stay */
            i++;
        }
        begin = i;
    }
    slm_buf_add(out, p->s + begin, end - begin);
    return SLM_OK;
}

/* One or more string literals side by side are one. */
static slm_status read_string(parser *p)
{
    const size_t start = p->t->blob.size;
    p->tok.type = T_STRING;
    for (;;) {
        const uint8_t quote = p->s[p->pos];
        size_t i = p->pos + 1;
        while (i < p->n && p->s[i] != quote)
            i += p->s[i] == '\\' && i + 1 < p->n ? 2 : 1;
        if (i >= p->n)
            return bad(p, SLM_E_FORMAT, p->tok.line, "a string literal that does not end:", p->pos, slm_min(p->n - p->pos, 20));
        slm_status status = unescape(p, p->pos + 1, i);
        if (status)
            return status;
        p->pos = i + 1;
        p->tok.n = p->pos - p->tok.at;
        skip_space(p);
        if (p->pos >= p->n || (p->s[p->pos] != '\'' && p->s[p->pos] != '"'))
            break;
    }
    if (!p->t->blob.failed)
        p->tok.constant = add_const(p, (slm_const){ slm_string(NULL, p->t->blob.size - start, SLM_LITERAL), start });
    return SLM_OK;
}

static bool is_digit(const parser *p, size_t i)
{
    return i < p->n && p->s[i] >= '0' && p->s[i] <= '9';
}

static slm_status read_number(parser *p)
{
    size_t i = p->pos;
    int64_t whole = 0;
    bool fits = true, real = false;
    char digits[64];
    size_t n = 0;
    for (; is_digit(p, i) || (i < p->n && p->s[i] == '_' && is_digit(p, i + 1)); i++) {
        if (p->s[i] == '_')
            continue;
        fits = fits && !__builtin_mul_overflow(whole, 10, &whole) && !__builtin_add_overflow(whole, p->s[i] - '0', &whole);
        if (n < sizeof digits)
            digits[n++] = (char)p->s[i];
    }
    if (i < p->n && p->s[i] == '.' && is_digit(p, i + 1)) {
        real = true;
        do {
            if (n < sizeof digits)
                digits[n++] = (char)p->s[i];
            i++;
        } while (is_digit(p, i));
    }
    if (i < p->n && (p->s[i] == 'e' || p->s[i] == 'E') && (is_digit(p, i + 1) || ((ahead(p, i + 1, "-") || ahead(p, i + 1, "+")) && is_digit(p, i + 2)))) {
        real = true;
        do {
            if (n < sizeof digits)
                digits[n++] = (char)p->s[i];
            i++;
        } while (is_digit(p, i) || (p->s[i - 1] != '-' && p->s[i - 1] != '+' && !is_digit(p, i - 1)));
    }
    p->tok.type = T_NUMBER;
    p->tok.n = i - p->pos;
    p->tok.number = slm_int(whole);
    if ((!real && (!fits || (i < p->n && is_name_byte(p->s[i], true)))) || n == sizeof digits)
        return bad(p, SLM_E_UNSUPPORTED, p->tok.line, "a number this library does not read:", p->tok.at, slm_min(p->tok.n + 1, p->n - p->tok.at));
    if (real) {
        double d;
        slm_json json;
        slm_status status = slm_json_init(&json, digits, n, "template", p->err);
        if (status || (status = slm_json_next(&json, p->err)) || (status = slm_json_double(&json, &d, p->err)))
            return status;
        p->tok.number = slm_float(d);
    }
    p->pos = i;
    return SLM_OK;
}

/* The end of the tag at pos: its length with a sign before it, and the sign; 0 if there is none. */
static size_t tag_end(const parser *p, char *sign)
{
    const char *end = p->in_print ? "}}" : "%}";
    const uint8_t c = p->pos < p->n ? p->s[p->pos] : 0;
    *sign = 0;
    if (p->brackets)
        return 0;
    if (ahead(p, p->pos, end))
        return 2;
    if ((c == '-' || (c == '+' && !p->in_print)) && ahead(p, p->pos + 1, end)) {
        *sign = (char)c;
        return 3;
    }
    return 0;
}

/* Moves past the end of a tag and what it swallows of the text after it. */
static void after_tag(parser *p, size_t n, char sign, bool trims)
{
    p->pos += n;
    if (sign == '-')
        skip_space(p);
    else if (trims && sign != '+' && p->pos < p->n && p->s[p->pos] == '\n')
        p->pos++;
}

static slm_status next(parser *p)
{
    static const char *const pairs[] = { "**", "//", "==", "!=", "<=", ">=" };
    slm_buf *const bufs[] = { &p->t->code, &p->t->consts, &p->t->blob, &p->t->names, &p->t->macros, &p->t->params };
    char sign;
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)     /* what was written since the last token */
        if (bufs[i]->failed)
            return slm_buf_status(bufs[i], "template", p->err);
    skip_space(p);
    token *k = &p->tok;
    *k = (token){ .type = T_EOF, .at = p->pos, .n = 1, .line = line_at(p, p->pos) };
    if (p->pos >= p->n)
        return SLM_OK;
    const uint8_t c = p->s[p->pos];
    if ((k->n = tag_end(p, &sign))) {
        k->type = T_END;
        after_tag(p, k->n, sign, !p->in_print);
        return SLM_OK;
    }
    k->n = 1;
    if (c == '\'' || c == '"')
        return read_string(p);
    if (c >= '0' && c <= '9')
        return read_number(p);
    if (is_name_byte(c, true)) {
        k->type = T_NAME;
        while (p->pos < p->n && is_name_byte(p->s[p->pos], false))
            p->pos++;
        k->n = p->pos - k->at;
        return SLM_OK;
    }
    k->type = T_SIGN;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (ahead(p, p->pos, pairs[i]))
            k->n = 2;
    if (k->n == 1 && (c >= 128 || !strchr("+-*/%~[](){}<>=.:|,", c)))
        return bad(p, SLM_E_FORMAT, k->line, "unexpected", k->at, slm_min(p->n - k->at, c < 128 ? 1 : 4));
    p->brackets += c == '(' || c == '[' || c == '{';
    p->brackets -= p->brackets && (c == ')' || c == ']' || c == '}');
    p->pos += k->n;
    return SLM_OK;
}

static bool is_token(const parser *p, token_type type, const char *text)
{
    return p->tok.type == type && p->tok.n == strlen(text) && memcmp(p->s + p->tok.at, text, p->tok.n) == 0;
}

static bool is_sign(const parser *p, const char *text) { return is_token(p, T_SIGN, text); }
static bool is_word(const parser *p, const char *text) { return is_token(p, T_NAME, text); }

static slm_status want_sign(parser *p, const char *text)
{
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "'%s'", text);
    return is_sign(p, text) ? next(p) : unexpected(p, wanted);
}

/* ---- expressions ---- */

static op *top(parser *p, size_t base)
{
    return p->n_ops > base ? &p->ops[p->n_ops - 1] : NULL;
}

static slm_status push_op(parser *p, op o)
{
    if (p->n_ops == sizeof p->ops / sizeof *p->ops)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: an expression nested more than %zu deep", p->tok.line, sizeof p->ops / sizeof *p->ops);
    o.line = p->tok.line;
    p->ops[p->n_ops++] = o;
    return SLM_OK;
}

/* [a][c] becomes [c][jump if false to else][a][jump to end]. */
static void turn_if(parser *p, op *o)
{
    slm_code held;
    const size_t a = o->start, c = o->at, to_else = emit(p, SLM_OP_JUMP_FALSE, 0, o->line), n = here(p) - a, by = c - a;
    if (p->t->code.failed || !by || !n)
        return;
    slm_code *code = code_at(p, a);
    for (size_t i = 0, j = c - a - 1; i < j; i++, j--)                  /* a rotation is three reversals */
        held = code[i], code[i] = code[j], code[j] = held;
    for (size_t i = c - a, j = n - 1; i < j; i++, j--)
        held = code[i], code[i] = code[j], code[j] = held;
    for (size_t i = 0, j = n - 1; i < j; i++, j--)
        held = code[i], code[i] = code[j], code[j] = held;
    o->kind = W_ELSE;
    o->at = emit(p, SLM_OP_JUMP, 0, o->line);
    set_jump(p, to_else - by, here(p));
    p->start = here(p);
}

static void reduce_one(parser *p)
{
    op o = p->ops[--p->n_ops];
    switch ((waiting)o.kind) {
    case W_IF:                          /* without else: undefined */
        turn_if(p, &o);
        emit(p, SLM_OP_UNDEFINED, 0, o.line);
        set_jump(p, o.at, here(p));
        p->start = o.start;
        break;
    case W_ELSE:
        set_jump(p, o.at, here(p));
        p->start = o.start;
        break;
    case W_AND: case W_OR:
        set_jump(p, o.at, here(p));
        break;
    case W_TEST_ARG:
        emit_call(p, SLM_OP_TEST, o.name, 1, 0, o.line);
        if (o.negate)
            emit(p, SLM_OP_NOT, 0, o.line);
        break;
    default:
        emit(p, (slm_op)o.code, 0, o.line);
        break;
    }
    p->attr_at = NONE;
}

/* Completes what binds more tightly than `kind`, or as tightly and stands to the left. */
static void reduce(parser *p, size_t base, waiting kind)
{
    while (p->n_ops > base && p->ops[p->n_ops - 1].kind >= kind && p->ops[p->n_ops - 1].kind >= W_BRACKETS)
        reduce_one(p);
}

static slm_status open_bracket(parser *p, waiting kind, uint32_t name)
{
    slm_status status = push_op(p, (op){ .kind = (uint8_t)kind, .name = name, .start = p->start });
    p->start = here(p);
    p->attr_at = NONE;
    return status ? status : next(p);
}

/* An operand, or what may stand in front of one. *operand becomes true once it is complete. */
static slm_status read_operand(parser *p, bool *operand)
{
    slm_status status = SLM_OK;
    const token k = p->tok;
    uint32_t name;
    *operand = true;
    if (k.type == T_STRING || k.type == T_NUMBER) {
        emit(p, SLM_OP_CONST, k.type == T_STRING ? k.constant : add_const(p, (slm_const){ k.number, 0 }), k.line);
        return next(p);
    }
    if (k.type == T_NAME) {
        if (is_word(p, "not")) {
            *operand = false;
            status = push_op(p, (op){ .kind = W_NOT, .code = SLM_OP_NOT });
        } else if (is_word(p, "true") || is_word(p, "True")) {
            emit(p, SLM_OP_TRUE, 0, k.line);
        } else if (is_word(p, "false") || is_word(p, "False")) {
            emit(p, SLM_OP_FALSE, 0, k.line);
        } else if (is_word(p, "none") || is_word(p, "None")) {
            emit(p, SLM_OP_NONE, 0, k.line);
        } else if (is_word(p, "and") || is_word(p, "or") || is_word(p, "in") || is_word(p, "is") || is_word(p, "if") || is_word(p, "else")) {
            return unexpected(p, "a value");
        } else if (!(status = name_number(p, k.at, k.n, &name))) {
            emit(p, SLM_OP_LOAD, name, k.line);
        }
        return status ? status : next(p);
    }
    if (is_sign(p, "-") || is_sign(p, "+")) {
        *operand = false;
        status = push_op(p, (op){ .kind = W_SIGN, .code = is_sign(p, "-") ? SLM_OP_NEGATE : SLM_OP_PLUS });
        return status ? status : next(p);
    }
    *operand = false;
    if (is_sign(p, "("))
        return open_bracket(p, W_GROUP, 0);
    if (is_sign(p, "["))
        return open_bracket(p, W_LIST, 0);
    if (is_sign(p, "{"))
        return open_bracket(p, W_DICT, 0);
    return unexpected(p, "a value");
}

/* A dotted name as one constant; filters and tests have such names. */
static slm_status dotted(parser *p, uint32_t *name, size_t *at, size_t *n)
{
    if (p->tok.type != T_NAME)
        return unexpected(p, "a name");
    *at = p->tok.at;
    *n = p->tok.n;
    slm_status status = next(p);
    while (!status && is_sign(p, ".")) {
        if ((status = next(p)))
            break;
        if (p->tok.type != T_NAME)
            return unexpected(p, "a name");
        *n = p->tok.at + p->tok.n - *at;
        status = next(p);
    }
    *name = add_text(p, p->s + *at, *n);
    return status;
}

static slm_status read_filter(parser *p, bool *operand)
{
    uint32_t name;
    size_t at, n;
    const uint32_t line = p->tok.line;
    slm_status status = next(p);
    if (status || (status = dotted(p, &name, &at, &n)))
        return status;
    if (is_sign(p, "(")) {
        *operand = false;
        return open_bracket(p, W_FILTER, name);
    }
    emit_call(p, SLM_OP_FILTER, name, 0, 0, line);
    return SLM_OK;
}

static bool test_has_argument(const parser *p)
{
    static const char *const words[] = { "else", "or", "and", "if", "is", "in", "not", "recursive" };
    if (p->tok.type == T_STRING || p->tok.type == T_NUMBER || is_sign(p, "[") || is_sign(p, "{"))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(p, words[i]))
            return false;
    return p->tok.type == T_NAME;
}

static slm_status read_test(parser *p, bool *operand)
{
    uint32_t name;
    size_t at, n;
    bool negate = false;
    const uint32_t line = p->tok.line;
    slm_status status = next(p);
    if (!status && is_word(p, "not")) {
        negate = true;
        status = next(p);
    }
    if (status || (status = dotted(p, &name, &at, &n)))
        return status;
    if (is_sign(p, "(")) {
        *operand = false;
        status = open_bracket(p, W_TEST, name);
        p->ops[p->n_ops - 1].negate = negate;
        return status;
    }
    if (test_has_argument(p)) {
        *operand = false;
        return push_op(p, (op){ .kind = W_TEST_ARG, .name = name, .negate = negate });
    }
    emit_call(p, SLM_OP_TEST, name, 0, 0, line);
    if (negate)
        emit(p, SLM_OP_NOT, 0, line);
    return SLM_OK;
}

static slm_status read_attribute(parser *p)
{
    const uint32_t line = p->tok.line;
    slm_status status = next(p);
    if (status)
        return status;
    if (p->tok.type == T_NUMBER && p->tok.number.type == SLM_V_INT) {
        emit(p, SLM_OP_CONST, add_const(p, (slm_const){ p->tok.number, 0 }), line);
        emit(p, SLM_OP_ITEM, 0, line);
        return next(p);
    }
    if (p->tok.type != T_NAME)
        return unexpected(p, "a name after '.'");
    const uint32_t name = add_text(p, p->s + p->tok.at, p->tok.n);
    const size_t at = emit(p, SLM_OP_ATTR, name, p->tok.line);
    status = next(p);
    p->attr_at = at;
    return status;
}

/* A call of what was just compiled. a.b(...) calls the method b of a: the ATTR is taken back. */
static slm_status read_call(parser *p)
{
    if (p->attr_at == NONE || p->t->code.failed)
        return open_bracket(p, W_CALL, 0);
    const uint32_t name = (uint32_t)code_at(p, p->attr_at)->arg;
    p->t->code.size -= sizeof(slm_code);
    return open_bracket(p, W_METHOD, name);
}

typedef struct binary { const char *text; uint8_t kind, code; } binary;
static const binary binaries[] = {
    { "==", W_COMPARE, SLM_OP_EQ }, { "!=", W_COMPARE, SLM_OP_NE }, { "<", W_COMPARE, SLM_OP_LT }, { "<=", W_COMPARE, SLM_OP_LE },
    { ">", W_COMPARE, SLM_OP_GT }, { ">=", W_COMPARE, SLM_OP_GE }, { "+", W_ADD, SLM_OP_ADD }, { "-", W_ADD, SLM_OP_SUB },
    { "~", W_CONCAT, SLM_OP_CONCAT }, { "*", W_MUL, SLM_OP_MUL }, { "/", W_MUL, SLM_OP_DIV }, { "//", W_MUL, SLM_OP_FLOORDIV },
    { "%", W_MUL, SLM_OP_MOD }, { "**", W_POW, SLM_OP_POW },
};

static slm_status push_binary(parser *p, size_t base, waiting kind, slm_op code, bool *operand)
{
    reduce(p, base, (waiting)(kind + (kind == W_COMPARE)));
    if (kind == W_COMPARE && top(p, base) && top(p, base)->kind == W_COMPARE)
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: comparisons in a row (a < b < c) are not supported", p->tok.line);
    *operand = false;
    slm_status status = push_op(p, (op){ .kind = (uint8_t)kind, .code = (uint8_t)code });
    if (!status && (kind == W_AND || kind == W_OR)) {
        op *o = &p->ops[p->n_ops - 1];
        o->at = emit(p, code, 0, o->line);
    }
    return status;
}

/* An operator between two operands; *found is false if the token is none. */
static slm_status read_binary(parser *p, size_t base, bool *operand, bool *found)
{
    slm_status status;
    *found = true;
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
        if (is_sign(p, binaries[i].text)) {
            status = push_binary(p, base, (waiting)binaries[i].kind, (slm_op)binaries[i].code, operand);
            return status ? status : next(p);
        }
    if (is_word(p, "and"))
        status = push_binary(p, base, W_AND, SLM_OP_AND, operand);
    else if (is_word(p, "or"))
        status = push_binary(p, base, W_OR, SLM_OP_OR, operand);
    else if (is_word(p, "in"))
        status = push_binary(p, base, W_COMPARE, SLM_OP_IN, operand);
    else if (is_word(p, "not")) {
        if ((status = next(p)))
            return status;
        if (!is_word(p, "in"))
            return unexpected(p, "'in' after 'not'");
        status = push_binary(p, base, W_COMPARE, SLM_OP_NOT_IN, operand);
    } else {
        *found = false;
        return SLM_OK;
    }
    return status ? status : next(p);
}

/* `if` and `else` of a conditional expression. */
static slm_status read_condition(parser *p, size_t base, bool *operand)
{
    *operand = false;
    if (is_word(p, "if")) {
        reduce(p, base, W_OR);
        if (top(p, base) && top(p, base)->kind == W_IF)
            reduce_one(p);
        const size_t start = p->start;
        slm_status status = push_op(p, (op){ .kind = W_IF, .start = start, .at = here(p) });
        p->attr_at = NONE;
        return status ? status : next(p);
    }
    reduce(p, base, W_OR);
    if (!top(p, base) || top(p, base)->kind != W_IF)
        return unexpected(p, "an operator or the end");
    turn_if(p, top(p, base));
    return next(p);
}

/* The place after an item, a key, a part of a slice: completes the expression before it. */
static slm_status read_separator(parser *p, size_t base, bool *operand)
{
    reduce(p, base, W_BRACKETS);
    op *o = top(p, base);
    const bool comma = is_sign(p, ",");
    if (!o)
        return unexpected(p, "the end");
    p->start = here(p);
    p->attr_at = NONE;
    switch ((waiting)o->kind) {
    case W_INDEX:
        if (comma || o->colons == 2)
            return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: an index of several parts is not supported", p->tok.line);
        if (*operand)
            o->parts |= (uint8_t)(1u << o->colons);
        o->colons++;
        break;
    case W_DICT:
        if (!*operand || comma != (o->colons == 1))
            return unexpected(p, comma ? "':' and a value" : "',' or '}'");
        o->n += comma;
        o->colons = !comma;
        break;
    default:
        if (!comma || !*operand)
            return unexpected(p, *operand ? "',' or a closing bracket" : "a value");
        o->comma = true;
        o->n += !o->named_open;
        o->named += o->named_open;
        o->named_open = false;
        break;
    }
    *operand = false;
    return next(p);
}

static slm_status close_bracket(parser *p, size_t base, bool *operand)
{
    const char *const closes = is_sign(p, ")") ? ")" : is_sign(p, "]") ? "]" : "}";
    reduce(p, base, W_BRACKETS);
    op *t = top(p, base);
    if (!t)
        return unexpected(p, "the end");
    op o = *t;
    if (*closes != (o.kind == W_LIST || o.kind == W_INDEX ? ']' : o.kind == W_DICT ? '}' : ')'))
        return unexpected(p, o.kind == W_LIST || o.kind == W_INDEX ? "']'" : o.kind == W_DICT ? "'}'" : "')'");
    if (!*operand && o.named_open)
        return unexpected(p, "a value");
    if (*operand && o.kind != W_DICT && o.kind != W_INDEX) {
        o.n += !o.named_open;
        o.named += o.named_open;
    }
    if (o.n > 65535 || o.named > 255)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: %u items (allowed 65535)", p->tok.line, o.n + o.named);
    p->n_ops--;
    p->start = o.start;
    switch ((waiting)o.kind) {
    case W_GROUP:
        if (o.comma || !o.n)
            emit(p, SLM_OP_TUPLE, o.n, o.line);
        break;
    case W_LIST:   emit(p, SLM_OP_LIST, o.n, o.line); break;
    case W_DICT:
        if (*operand ? o.colons != 1 : o.colons == 1)
            return unexpected(p, "':' and a value");
        emit(p, SLM_OP_DICT, o.n + *operand, o.line);
        break;
    case W_INDEX:
        if (!o.colons && !*operand)
            return unexpected(p, "an index");
        if (o.colons)
            emit(p, SLM_OP_SLICE, (size_t)o.parts | (*operand ? (size_t)1 << o.colons : 0), o.line);
        else
            emit(p, SLM_OP_ITEM, 0, o.line);
        break;
    case W_CALL:   emit_call(p, SLM_OP_CALL, 0, o.n, o.named, o.line); break;
    case W_METHOD: emit_call(p, SLM_OP_METHOD, o.name, o.n, o.named, o.line); break;
    case W_FILTER: emit_call(p, SLM_OP_FILTER, o.name, o.n, o.named, o.line); break;
    default:
        emit_call(p, SLM_OP_TEST, o.name, o.n, o.named, o.line);
        if (o.negate)
            emit(p, SLM_OP_NOT, 0, o.line);
        break;
    }
    *operand = true;
    p->attr_at = NONE;
    return next(p);
}

/* name=value in a call. */
static slm_status read_named(parser *p, size_t base, bool *was)
{
    op *o = top(p, base);
    *was = false;
    if (!o || (o->kind != W_CALL && o->kind != W_METHOD && o->kind != W_FILTER && o->kind != W_TEST))
        return SLM_OK;
    if (o->named_open)
        return SLM_OK;
    if (is_sign(p, "*") || is_sign(p, "**"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: arguments from a list or mapping (*) are not supported", p->tok.line);
    size_t at = p->pos;
    while (at < p->n && (p->s[at] == ' ' || p->s[at] == '\t' || p->s[at] == '\n'))
        at++;
    if (p->tok.type != T_NAME || !ahead(p, at, "=") || ahead(p, at, "=="))
        return o->named ? slm_fail(p->err, SLM_E_FORMAT, "template: line %u: an argument without a name after one with a name", p->tok.line) : SLM_OK;
    emit(p, SLM_OP_CONST, add_text(p, p->s + p->tok.at, p->tok.n), p->tok.line);
    o->named_open = true;
    *was = true;
    slm_status status = next(p);
    if (!status)
        status = next(p);
    p->start = here(p);
    return status;
}

/* An expression up to the first token that cannot belong to it; it leaves one value. */
static slm_status expression(parser *p, bool conditions)
{
    const size_t base = p->n_ops;
    bool operand = false;
    slm_status status = SLM_OK;
    p->start = here(p);
    p->attr_at = NONE;
    while (!status) {
        op *o = top(p, base);
        const bool in_bracket = o && o->kind < W_BRACKETS;
        if (!operand) {
            const bool closes = is_sign(p, ")") || is_sign(p, "]") || is_sign(p, "}");
            bool was = false;
            if (in_bracket && closes)
                status = close_bracket(p, base, &operand);
            else if (in_bracket && o->kind == W_INDEX && is_sign(p, ":"))
                status = read_separator(p, base, &operand);
            else if (!in_bracket || !(status = read_named(p, base, &was)))
                status = was ? SLM_OK : read_operand(p, &operand);
            continue;
        }
        bool found = false;
        if (is_sign(p, ".")) {
            status = read_attribute(p);
        } else if (is_sign(p, "[")) {
            status = open_bracket(p, W_INDEX, 0);
            operand = false;
        } else if (is_sign(p, "(")) {
            status = read_call(p);
            operand = false;
        } else if (is_sign(p, "|")) {
            reduce(p, base, W_SIGN);
            status = read_filter(p, &operand);
        } else if (is_word(p, "is")) {
            reduce(p, base, W_SIGN);
            status = read_test(p, &operand);
        } else if (is_sign(p, ")") || is_sign(p, "]") || is_sign(p, "}")) {
            reduce(p, base, W_BRACKETS);
            if (!top(p, base))
                return SLM_OK;
            status = close_bracket(p, base, &operand);
        } else if (is_sign(p, ",") || is_sign(p, ":")) {
            reduce(p, base, W_BRACKETS);
            if (!top(p, base))
                return SLM_OK;
            status = read_separator(p, base, &operand);
        } else if ((is_word(p, "if") && (conditions || p->brackets)) || is_word(p, "else")) {
            status = read_condition(p, base, &operand);
        } else if (!(status = read_binary(p, base, &operand, &found)) && !found) {
            reduce(p, base, W_BRACKETS);
            return top(p, base) ? unexpected(p, "an operator or a closing bracket") : SLM_OK;
        }
    }
    return status;
}

/* ---- statements ---- */

static slm_status push_block(parser *p, block b)
{
    if (p->n_blocks == SLM_LIMIT_TEMPLATE_NESTING)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: statements nested more than %d deep", p->tok.line, SLM_LIMIT_TEMPLATE_NESTING);
    b.line = p->tok.line;
    p->blocks[p->n_blocks++] = b;
    return SLM_OK;
}

static block *inner(parser *p)
{
    return p->n_blocks ? &p->blocks[p->n_blocks - 1] : NULL;
}

static slm_status do_if(parser *p)
{
    slm_status status = expression(p, true);
    if (status)
        return status;
    return push_block(p, (block){ .kind = B_IF, .jump = emit(p, SLM_OP_JUMP_FALSE, 0, p->tok.line), .ends = NONE });
}

static slm_status do_elif(parser *p)
{
    block *b = inner(p);
    if (!b || b->kind != B_IF || b->otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'elif' without its 'if'", p->tok.line);
    chain(p, &b->ends);
    set_jump(p, b->jump, here(p));
    slm_status status = expression(p, true);
    b->jump = emit(p, SLM_OP_JUMP_FALSE, 0, p->tok.line);
    return status;
}

/* The end of the rounds of a loop. */
static void end_rounds(parser *p, block *b)
{
    set_chain(p, b->skips, here(p));
    const size_t again = emit(p, SLM_OP_NEXT, 0, p->tok.line);
    set_jump(p, again, b->body);
}

static slm_status do_else(parser *p)
{
    block *b = inner(p);
    if (!b || (b->kind != B_IF && b->kind != B_FOR) || b->otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'else' without its 'if' or 'for'", p->tok.line);
    b->otherwise = true;
    if (b->kind == B_FOR)
        end_rounds(p, b);
    chain(p, &b->ends);
    set_jump(p, b->jump, here(p));
    return SLM_OK;
}

/* One or more names with commas between, in brackets or not: what a value is bound to. Their numbers go to `targets`. */
enum { TARGETS = 8 };
static slm_status read_targets(parser *p, uint32_t targets[TARGETS], size_t *n)
{
    slm_status status = SLM_OK;
    const bool bracket = is_sign(p, "(");
    *n = 0;
    if (bracket)
        status = next(p);
    while (!status) {
        if (p->tok.type != T_NAME)
            return is_sign(p, "(") ? slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: names in brackets inside others are not supported", p->tok.line)
                                   : unexpected(p, "a name");
        if (*n == TARGETS)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: more than %d names for one value", p->tok.line, TARGETS);
        if ((status = name_number(p, p->tok.at, p->tok.n, &targets[*n])))
            break;
        ++*n;
        if ((status = next(p)) || !is_sign(p, ","))
            break;
        status = next(p);
    }
    return status || !bracket ? status : want_sign(p, ")");
}

static void bind(parser *p, const uint32_t targets[TARGETS], size_t n)
{
    if (n > 1)
        emit(p, SLM_OP_UNPACK, n, p->tok.line);
    for (size_t i = 0; i < n; i++)
        emit(p, SLM_OP_STORE, targets[i], p->tok.line);
}

static slm_status do_for(parser *p)
{
    uint32_t targets[TARGETS];
    size_t n;
    const uint32_t line = p->tok.line;
    slm_status status = read_targets(p, targets, &n);
    if (status)
        return status;
    if (!is_word(p, "in"))
        return unexpected(p, "'in'");
    if ((status = next(p)) || (status = expression(p, false)))
        return status;
    if (is_word(p, "if")) {
        const size_t select = emit(p, SLM_OP_SELECT, 0, line), again = here(p);
        emit(p, SLM_OP_ITEM_OF_LOOP, 0, line);
        bind(p, targets, n);
        if ((status = next(p)) || (status = expression(p, true)))
            return status;
        set_jump(p, emit(p, SLM_OP_SELECT_NEXT, 0, line), again);
        set_jump(p, select, here(p));
    }
    if (is_word(p, "recursive"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'for ... recursive' is not supported", line);
    const size_t jump = emit(p, SLM_OP_FOR, 0, line), body = here(p);
    emit(p, SLM_OP_ITEM_OF_LOOP, 0, line);
    bind(p, targets, n);
    return push_block(p, (block){ .kind = B_FOR, .jump = jump, .ends = NONE, .skips = NONE, .body = body });
}

static slm_status do_leave(parser *p, bool ends)
{
    size_t i = p->n_blocks;
    while (i > 0 && p->blocks[i - 1].kind != B_FOR && p->blocks[i - 1].kind != B_MACRO)
        i--;
    if (!i || p->blocks[i - 1].kind != B_FOR || p->blocks[i - 1].otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%s' outside of a loop", p->tok.line, ends ? "break" : "continue");
    if (ends)
        emit(p, SLM_OP_LEAVE, 0, p->tok.line);
    chain(p, ends ? &p->blocks[i - 1].ends : &p->blocks[i - 1].skips);
    return SLM_OK;
}

/* set a = v, set a, b = v, set ns.a = v, and set a with a body. */
static slm_status do_set(parser *p)
{
    uint32_t targets[TARGETS], attr = 0;
    size_t n;
    const uint32_t line = p->tok.line;
    slm_status status = read_targets(p, targets, &n);
    const bool is_attr = !status && n == 1 && is_sign(p, ".");
    if (is_attr) {
        if ((status = next(p)))
            return status;
        if (p->tok.type != T_NAME)
            return unexpected(p, "a name after '.'");
        attr = add_text(p, p->s + p->tok.at, p->tok.n);
        status = next(p);
    }
    if (status)
        return status;
    if (is_sign(p, "=")) {
        if ((status = next(p)) || (status = expression(p, true)))
            return status;
        size_t values = 1;
        while (is_sign(p, ",")) {               /* a tuple without brackets */
            if ((status = next(p)) || (status = expression(p, true)))
                return status;
            values++;
        }
        if (values > 1)
            emit(p, SLM_OP_TUPLE, values, line);
        if (!is_attr) {
            bind(p, targets, n);
            return SLM_OK;
        }
        const size_t at = emit(p, SLM_OP_STORE_ATTR, targets[0], line);
        if (!p->t->code.failed)
            code_at(p, at)->more = attr;
        return SLM_OK;
    }
    if (n > 1)
        return unexpected(p, "'='");
    status = push_block(p, (block){ .kind = B_SET, .name = targets[0], .more = attr, .attr = is_attr });
    emit(p, SLM_OP_CAPTURE, 0, line);
    if (!status && is_sign(p, "|"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'set' with a body and a filter is not supported", line);
    return status;
}

static slm_status do_macro(parser *p)
{
    slm_macro m = { 0, (uint32_t)SLM_COUNT(uint32_t, p->t->params), 0, 0 };
    const uint32_t number = (uint32_t)SLM_COUNT(slm_macro, p->t->macros), line = p->tok.line;
    slm_status status;
    if (p->tok.type != T_NAME)
        return unexpected(p, "a name");
    if ((status = name_number(p, p->tok.at, p->tok.n, &m.name)) || (status = next(p)) || (status = want_sign(p, "(")))
        return status;
    emit(p, SLM_OP_MACRO, number, line);
    const size_t over = emit(p, SLM_OP_JUMP, 0, line);
    m.body = (uint32_t)here(p);
    while (!is_sign(p, ")")) {
        uint32_t name;
        if (p->tok.type != T_NAME)
            return unexpected(p, "a parameter");
        if ((status = name_number(p, p->tok.at, p->tok.n, &name)) || (status = next(p)))
            return status;
        slm_buf_add(&p->t->params, &name, sizeof name);
        if (is_sign(p, "=")) {
            const size_t given = emit(p, SLM_OP_DEFAULT, 0, line);
            if (!p->t->code.failed)
                code_at(p, given)->pos = (uint16_t)m.n;
            if ((status = next(p)) || (status = expression(p, true)))
                return status;
            emit(p, SLM_OP_STORE, name, line);
            set_jump(p, given, here(p));
        }
        if (++m.n > SLM_LIMIT_TEMPLATE_NESTING)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: a macro of more than %d parameters", line, SLM_LIMIT_TEMPLATE_NESTING);
        if (!is_sign(p, ","))
            break;
        if ((status = next(p)))
            return status;
    }
    if ((status = want_sign(p, ")")))
        return status;
    slm_buf_add(&p->t->macros, &m, sizeof m);
    return push_block(p, (block){ .kind = B_MACRO, .jump = over });
}

static slm_status do_filter(parser *p)
{
    /* {% filter name %}: the name is kept and applied to the captured text at the end. */
    if (p->tok.type != T_NAME)
        return unexpected(p, "the name of a filter");
    const uint32_t name = add_text(p, p->s + p->tok.at, p->tok.n);
    slm_status status = next(p);
    if (!status && p->tok.type != T_END)
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'filter' with arguments or several filters is not supported", p->tok.line);
    emit(p, SLM_OP_CAPTURE, 0, p->tok.line);
    return status ? status : push_block(p, (block){ .kind = B_FILTER, .name = name });
}

static slm_status do_with(parser *p)
{
    uint32_t names[TARGETS];
    size_t n = 0;
    slm_status status = SLM_OK;
    while (!status && p->tok.type == T_NAME) {
        if (n == TARGETS)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: 'with' of more than %d names", p->tok.line, TARGETS);
        if ((status = name_number(p, p->tok.at, p->tok.n, &names[n++])) || (status = next(p)) || (status = want_sign(p, "="))
            || (status = expression(p, true)))
            return status;
        if (!is_sign(p, ","))
            break;
        status = next(p);
    }
    emit(p, SLM_OP_SCOPE, 0, p->tok.line);
    while (n > 0)
        emit(p, SLM_OP_STORE, names[--n], p->tok.line);
    return status ? status : push_block(p, (block){ .kind = B_WITH });
}

static void end_block(parser *p, block *b)
{
    const uint32_t line = p->tok.line;
    switch ((block_kind)b->kind) {
    case B_IF:
        if (!b->otherwise)
            set_jump(p, b->jump, here(p));
        set_chain(p, b->ends, here(p));
        break;
    case B_FOR:
        if (!b->otherwise) {
            end_rounds(p, b);
            set_jump(p, b->jump, here(p));
        }
        set_chain(p, b->ends, here(p));
        break;
    case B_MACRO:
        emit(p, SLM_OP_RETURN, 0, line);
        set_jump(p, b->jump, here(p));
        break;
    case B_SET: {
        emit(p, SLM_OP_CAPTURED, 0, line);
        const size_t at = emit(p, b->attr ? SLM_OP_STORE_ATTR : SLM_OP_STORE, b->name, line);
        if (!p->t->code.failed)
            code_at(p, at)->more = b->more;
        break;
    }
    case B_FILTER:
        emit(p, SLM_OP_CAPTURED, 0, line);
        emit_call(p, SLM_OP_FILTER, b->name, 0, 0, line);
        emit(p, SLM_OP_PRINT, 0, line);
        break;
    case B_GENERATION:
        break;
    case B_WITH:
        emit(p, SLM_OP_SCOPE_END, 0, line);
        break;
    }
}

static slm_status do_end(parser *p, const token *word)
{
    block *b = inner(p);
    const char *name = (const char *)p->s + word->at + 3;
    if (!b || strlen(block_names[b->kind]) != word->n - 3 || memcmp(block_names[b->kind], name, word->n - 3) != 0)
        return b ? slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%.*s' where the '%s' of line %u is open", word->line,
                            (int)slm_min(word->n, 30), (const char *)p->s + word->at, block_names[b->kind], b->line)
                 : slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%.*s' without its beginning", word->line, (int)slm_min(word->n, 30),
                            (const char *)p->s + word->at);
    if (b->kind == B_MACRO && p->tok.type == T_NAME) {      /* endmacro may name the macro */
        slm_status status = next(p);
        if (status)
            return status;
    }
    end_block(p, b);
    p->n_blocks--;
    return SLM_OK;
}

static slm_status statement(parser *p)
{
    slm_status status = next(p);
    const token word = p->tok;
    if (status)
        return status;
    if (word.type != T_NAME)
        return unexpected(p, "a statement");
    if ((status = next(p)))
        return status;
    static const struct { const char *name; slm_status (*run)(parser *); } kinds[] = {
        { "if", do_if }, { "elif", do_elif }, { "else", do_else }, { "for", do_for }, { "set", do_set }, { "macro", do_macro },
        { "filter", do_filter }, { "with", do_with },
    };
    const uint8_t *name = p->s + word.at;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == word.n && memcmp(kinds[i].name, name, word.n) == 0) {
            status = kinds[i].run(p);
            goto end;
        }
    if (word.n == 5 && memcmp(name, "break", 5) == 0)
        status = do_leave(p, true);
    else if (word.n == 8 && memcmp(name, "continue", 8) == 0)
        status = do_leave(p, false);
    else if (word.n == 10 && memcmp(name, "generation", 10) == 0)
        status = push_block(p, (block){ .kind = B_GENERATION });
    else if (word.n > 3 && memcmp(name, "end", 3) == 0)
        status = do_end(p, &word);
    else
        status = bad(p, SLM_E_UNSUPPORTED, word.line, "this library does not run the statement", word.at, word.n);
end:
    return status || p->tok.type == T_END ? status : unexpected(p, "the end of the statement");
}

/* ---- text and tags ---- */

static void emit_text(parser *p, size_t from, size_t to)
{
    if (to > from)
        emit(p, SLM_OP_PRINT_CONST, add_text(p, p->s + from, to - from), line_at(p, from));
}

/* Where text from .. to ends before a tag of that sign and kind. */
static size_t text_end(const parser *p, size_t from, size_t to, uint8_t sign, bool print)
{
    const slm_value text = slm_string(p->s + from, to - from, SLM_LITERAL);
    if (sign == '-')
        return from + slm_string_strip(&text, NULL, 2).n;
    if (sign == '+' || print)
        return to;
    size_t line = to;
    while (line > from && p->s[line - 1] != '\n')
        line--;
    if (line == from && from > 0 && p->s[from - 1] != '\n')     /* the text begins in the middle of a line */
        return to;
    const slm_value rest = slm_string(p->s + line, to - line, SLM_LITERAL);
    return slm_string_strip(&rest, NULL, 1).n == 0 ? line : to;
}

/* {% raw %} ... {% endraw %}, whose inside is text. *was is false if the tag is another. */
static slm_status read_raw(parser *p, size_t tag, bool *was)
{
    const size_t kept = p->pos;
    *was = false;
    skip_space(p);
    if (!ahead(p, p->pos, "raw"))
        goto other;
    p->pos += 3;
    skip_space(p);
    if (!ahead(p, p->pos, "%}") && !ahead(p, p->pos, "-%}"))
        goto other;
    *was = true;
    after_tag(p, p->s[p->pos] == '-' ? 3 : 2, p->s[p->pos] == '-' ? '-' : 0, false);
    const size_t from = p->pos;
    for (size_t at = from; at + 2 <= p->n; at++) {
        if (!ahead(p, at, "{%"))
            continue;
        p->pos = at + 2;
        const uint8_t sign = p->pos < p->n ? p->s[p->pos] : 0;
        p->pos += sign == '-' || sign == '+';
        skip_space(p);
        if (!ahead(p, p->pos, "endraw"))
            continue;
        p->pos += 6;
        skip_space(p);
        char end_sign;
        const size_t n = tag_end(p, &end_sign);
        if (!n)
            continue;
        emit_text(p, from, text_end(p, from, at, sign, false));
        after_tag(p, n, end_sign, true);
        return SLM_OK;
    }
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'raw' without 'endraw'", line_at(p, tag));
other:
    p->pos = kept;
    return SLM_OK;
}

static slm_status read_comment(parser *p, size_t tag)
{
    for (size_t at = p->pos; at + 2 <= p->n; at++)
        if (ahead(p, at, "#}")) {
            const uint8_t sign = at > p->pos ? p->s[at - 1] : 0;
            p->pos = at;
            after_tag(p, 2, (char)(sign == '-' || sign == '+' ? sign : 0), true);
            return SLM_OK;
        }
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: a comment that does not end", line_at(p, tag));
}

static slm_status read_tag(parser *p)
{
    const size_t from = p->pos;
    size_t tag = from;
    while (tag + 1 < p->n && !(p->s[tag] == '{' && (p->s[tag + 1] == '{' || p->s[tag + 1] == '%' || p->s[tag + 1] == '#')))
        tag++;
    if (tag + 1 >= p->n) {
        emit_text(p, from, p->n);
        p->pos = p->n;
        return SLM_OK;
    }
    const uint8_t kind = p->s[tag + 1], after = tag + 2 < p->n ? p->s[tag + 2] : 0;
    const uint8_t sign = after == '-' || after == '+' ? after : 0;
    emit_text(p, from, text_end(p, from, tag, sign, kind == '{'));
    p->pos = tag + 2 + (sign != 0);
    p->brackets = 0;
    p->n_ops = 0;
    p->in_print = kind == '{';
    if (kind == '#')
        return read_comment(p, tag);
    bool raw = false;
    slm_status status = kind == '%' ? read_raw(p, tag, &raw) : SLM_OK;
    if (status || raw)
        return status;
    if (kind == '%')
        return statement(p);
    if ((status = next(p)) || (status = expression(p, true)))
        return status;
    if (p->tok.type != T_END)
        return unexpected(p, "'}}'");
    emit(p, SLM_OP_PRINT, 0, p->tok.line);
    return SLM_OK;
}

slm_status slm_template_parse(slm_template *t, slm_error *err)
{
    slm_buf *const bufs[] = { &t->code, &t->consts, &t->blob, &t->names, &t->macros, &t->params };
    parser *p = slm_heap_zalloc(&t->heap, sizeof *p);
    slm_status status = SLM_OK;
    if (!p)
        return slm_fail(err, SLM_E_MEMORY, "template: no memory to read it");
    p->t = t;
    p->err = err;
    p->s = t->source.data;
    p->n = t->source.size;
    p->line = 1;
    while (!status && p->pos < p->n) {
        status = read_tag(p);
        for (size_t i = 0; !status && i < sizeof bufs / sizeof *bufs; i++)
            status = slm_buf_status(bufs[i], "template", err);
    }
    if (!status && p->n_blocks)
        status = slm_fail(err, SLM_E_FORMAT, "template: line %u: '%s' does not end", inner(p)->line, block_names[inner(p)->kind]);
    emit(p, SLM_OP_END, 0, line_at(p, p->n));
    if (!status)
        status = slm_buf_status(&t->code, "template", err);
    slm_heap_free(&t->heap, p);
    return status;
}
