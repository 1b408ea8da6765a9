/* template_expr.c -- expressions, compiled by operator precedence.
 *
 * Code for an operand is written as soon as it is seen; an operator waits in `ops` until one that binds less tightly, or a closing
 * bracket, follows. Open brackets wait there as well, with what they will become: a call, an index, a list. `and`, `or` write their
 * jump when seen and set its target when their right side is complete. */
#include "text/template_parse.h"

/* What waits for its right side. In order of binding; brackets come first and are never reduced by an operator. */
typedef enum waiting {
    W_GROUP, W_LIST, W_DICT, W_INDEX, W_CALL, W_METHOD, W_FILTER, W_TEST,
    W_IF, W_ELSE, W_OR, W_AND, W_NOT, W_COMPARE, W_ADD, W_CONCAT, W_MUL, W_POW, W_SIGN, W_TEST_ARG
} waiting;
#define W_BRACKETS W_IF      /* what comes before is a bracket */

static slm_operator *top(slm_parser *p, size_t base)
{
    return p->n_ops > base ? &p->ops[p->n_ops - 1] : NULL;
}

static slm_status push_op(slm_parser *p, slm_operator o)
{
    if (p->n_ops == sizeof p->ops / sizeof *p->ops)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: an expression nested more than %zu deep", p->tok.line,
                        sizeof p->ops / sizeof *p->ops);
    o.line = p->tok.line;
    p->ops[p->n_ops++] = o;
    return SLM_OK;
}

/* [a][c] becomes [c][jump if false to else][a][jump to end]. */
static void turn_if(slm_parser *p, slm_operator *o)
{
    slm_code held;
    const size_t a = o->start, c = o->at, to_else = slm_emit(p, SLM_OP_JUMP_FALSE, 0, o->line), n = slm_emit_here(p) - a, by = c - a;
    if (p->t->code.failed)
        return;
    slm_code *code = slm_emit_at(p, a);
    for (size_t i = 0, j = c - a - 1; i < j; i++, j--)                  /* a rotation is three reversals */
        held = code[i], code[i] = code[j], code[j] = held;
    for (size_t i = c - a, j = n - 1; i < j; i++, j--)
        held = code[i], code[i] = code[j], code[j] = held;
    for (size_t i = 0, j = n - 1; i < j; i++, j--)
        held = code[i], code[i] = code[j], code[j] = held;
    o->kind = W_ELSE;
    o->at = slm_emit(p, SLM_OP_JUMP, 0, o->line);
    slm_emit_target(p, to_else - by, slm_emit_here(p));
    p->start = slm_emit_here(p);
}

static void reduce_one(slm_parser *p)
{
    slm_operator o = p->ops[--p->n_ops];
    switch ((waiting)o.kind) {
    case W_IF:                          /* without else: undefined */
        turn_if(p, &o);
        slm_emit(p, SLM_OP_UNDEFINED, 0, o.line);
        slm_emit_target(p, o.at, slm_emit_here(p));
        p->start = o.start;
        break;
    case W_ELSE:
        slm_emit_target(p, o.at, slm_emit_here(p));
        p->start = o.start;
        break;
    case W_AND: case W_OR:
        slm_emit_target(p, o.at, slm_emit_here(p));
        break;
    case W_TEST_ARG:
        slm_emit_call(p, SLM_OP_TEST, o.name, 1, 0, o.line);
        if (o.negate)
            slm_emit(p, SLM_OP_NOT, 0, o.line);
        break;
    default:
        slm_emit(p, (slm_op)o.code, 0, o.line);
        break;
    }
    p->attr_at = SLM_NOWHERE;
}

/* Completes what binds more tightly than `kind`, which is no bracket, or as tightly and stands to the left. */
static void reduce(slm_parser *p, size_t base, waiting kind)
{
    while (p->n_ops > base && p->ops[p->n_ops - 1].kind >= kind)
        reduce_one(p);
}

static slm_status open_bracket(slm_parser *p, waiting kind, uint32_t name)
{
    slm_status status = push_op(p, (slm_operator){ .kind = (uint8_t)kind, .name = name, .start = p->start });
    p->start = slm_emit_here(p);
    p->attr_at = SLM_NOWHERE;
    return status ? status : slm_lex_next(p);
}

/* An operand, or what may stand in front of one. *operand becomes true once it is complete. */
static slm_status read_operand(slm_parser *p, bool *operand)
{
    slm_status status = SLM_OK;
    const slm_token k = p->tok;
    uint32_t name;
    *operand = true;
    if (k.type == SLM_T_STRING || k.type == SLM_T_NUMBER) {
        slm_emit(p, SLM_OP_CONST, k.type == SLM_T_STRING ? k.constant : slm_emit_const(p, (slm_const){ k.number, 0 }), k.line);
        return slm_lex_next(p);
    }
    if (k.type == SLM_T_NAME) {
        if (slm_lex_word(p, "not")) {
            *operand = false;
            status = push_op(p, (slm_operator){ .kind = W_NOT, .code = SLM_OP_NOT });
        } else if (slm_lex_word(p, "true") || slm_lex_word(p, "True")) {
            slm_emit(p, SLM_OP_TRUE, 0, k.line);
        } else if (slm_lex_word(p, "false") || slm_lex_word(p, "False")) {
            slm_emit(p, SLM_OP_FALSE, 0, k.line);
        } else if (slm_lex_word(p, "none") || slm_lex_word(p, "None")) {
            slm_emit(p, SLM_OP_NONE, 0, k.line);
        } else if (slm_lex_word(p, "and") || slm_lex_word(p, "or") || slm_lex_word(p, "in") || slm_lex_word(p, "is")
                   || slm_lex_word(p, "if") || slm_lex_word(p, "else")) {
            return slm_lex_unexpected(p, "a value");
        } else if (!(status = slm_emit_name(p, k.at, k.n, &name))) {
            slm_emit(p, SLM_OP_LOAD, name, k.line);
        }
        return status ? status : slm_lex_next(p);
    }
    if (slm_lex_sign(p, "-") || slm_lex_sign(p, "+")) {
        *operand = false;
        status = push_op(p, (slm_operator){ .kind = W_SIGN, .code = slm_lex_sign(p, "-") ? SLM_OP_NEGATE : SLM_OP_PLUS });
        return status ? status : slm_lex_next(p);
    }
    *operand = false;
    if (slm_lex_sign(p, "("))
        return open_bracket(p, W_GROUP, 0);
    if (slm_lex_sign(p, "["))
        return open_bracket(p, W_LIST, 0);
    if (slm_lex_sign(p, "{"))
        return open_bracket(p, W_DICT, 0);
    return slm_lex_unexpected(p, "a value");
}

/* A dotted name as one constant; filters and tests have such names. */
static slm_status dotted(slm_parser *p, uint32_t *name, size_t *at, size_t *n)
{
    if (p->tok.type != SLM_T_NAME)
        return slm_lex_unexpected(p, "a name");
    *at = p->tok.at;
    *n = p->tok.n;
    slm_status status = slm_lex_next(p);
    while (!status && slm_lex_sign(p, ".")) {
        if ((status = slm_lex_next(p)))
            break;
        if (p->tok.type != SLM_T_NAME)
            return slm_lex_unexpected(p, "a name");
        *n = p->tok.at + p->tok.n - *at;
        status = slm_lex_next(p);
    }
    *name = slm_emit_string(p, p->s + *at, *n);
    return status;
}

static slm_status read_filter(slm_parser *p, bool *operand)
{
    uint32_t name;
    size_t at, n;
    const uint32_t line = p->tok.line;
    slm_status status = slm_lex_next(p);
    if (status || (status = dotted(p, &name, &at, &n)))
        return status;
    if (slm_lex_sign(p, "(")) {
        *operand = false;
        return open_bracket(p, W_FILTER, name);
    }
    slm_emit_call(p, SLM_OP_FILTER, name, 0, 0, line);
    return SLM_OK;
}

static bool test_has_argument(const slm_parser *p)
{
    static const char *const words[] = { "else", "or", "and", "if", "is", "in", "not", "recursive" };
    if (p->tok.type == SLM_T_STRING || p->tok.type == SLM_T_NUMBER || slm_lex_sign(p, "[") || slm_lex_sign(p, "{"))
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slm_lex_word(p, words[i]))
            return false;
    return p->tok.type == SLM_T_NAME;
}

static slm_status read_test(slm_parser *p, bool *operand)
{
    uint32_t name;
    size_t at, n;
    bool negate = false;
    const uint32_t line = p->tok.line;
    slm_status status = slm_lex_next(p);
    if (!status && slm_lex_word(p, "not")) {
        negate = true;
        status = slm_lex_next(p);
    }
    if (status || (status = dotted(p, &name, &at, &n)))
        return status;
    if (slm_lex_sign(p, "(")) {
        *operand = false;
        status = open_bracket(p, W_TEST, name);
        p->ops[p->n_ops - 1].negate = negate;
        return status;
    }
    if (test_has_argument(p)) {
        *operand = false;
        return push_op(p, (slm_operator){ .kind = W_TEST_ARG, .name = name, .negate = negate });
    }
    slm_emit_call(p, SLM_OP_TEST, name, 0, 0, line);
    if (negate)
        slm_emit(p, SLM_OP_NOT, 0, line);
    return SLM_OK;
}

static slm_status read_attribute(slm_parser *p)
{
    const uint32_t line = p->tok.line;
    slm_status status = slm_lex_next(p);
    if (status)
        return status;
    if (p->tok.type == SLM_T_NUMBER && p->tok.number.type == SLM_V_INT) {
        slm_emit(p, SLM_OP_CONST, slm_emit_const(p, (slm_const){ p->tok.number, 0 }), line);
        slm_emit(p, SLM_OP_ITEM, 0, line);
        return slm_lex_next(p);
    }
    if (p->tok.type != SLM_T_NAME)
        return slm_lex_unexpected(p, "a name after '.'");
    const uint32_t name = slm_emit_string(p, p->s + p->tok.at, p->tok.n);
    const size_t at = slm_emit(p, SLM_OP_ATTR, name, p->tok.line);
    status = slm_lex_next(p);
    p->attr_at = at;
    return status;
}

/* A call of what was just compiled. a.b(...) calls the method b of a: the ATTR is taken back. */
static slm_status read_call(slm_parser *p)
{
    if (p->attr_at == SLM_NOWHERE || p->t->code.failed)
        return open_bracket(p, W_CALL, 0);
    const uint32_t name = (uint32_t)slm_emit_at(p, p->attr_at)->arg;
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

static slm_status push_binary(slm_parser *p, size_t base, waiting kind, slm_op code, bool *operand)
{
    reduce(p, base, (waiting)(kind + (kind == W_COMPARE)));
    if (kind == W_COMPARE && top(p, base) && top(p, base)->kind == W_COMPARE)
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: comparisons in a row (a < b < c) are not supported", p->tok.line);
    *operand = false;
    slm_status status = push_op(p, (slm_operator){ .kind = (uint8_t)kind, .code = (uint8_t)code });
    if (!status && (kind == W_AND || kind == W_OR)) {
        slm_operator *o = &p->ops[p->n_ops - 1];
        o->at = slm_emit(p, code, 0, o->line);
    }
    return status;
}

/* An operator between two operands; *found is false if the token is none. */
static slm_status read_binary(slm_parser *p, size_t base, bool *operand, bool *found)
{
    slm_status status;
    *found = true;
    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
        if (slm_lex_sign(p, binaries[i].text)) {
            status = push_binary(p, base, (waiting)binaries[i].kind, (slm_op)binaries[i].code, operand);
            return status ? status : slm_lex_next(p);
        }
    if (slm_lex_word(p, "and"))
        status = push_binary(p, base, W_AND, SLM_OP_AND, operand);
    else if (slm_lex_word(p, "or"))
        status = push_binary(p, base, W_OR, SLM_OP_OR, operand);
    else if (slm_lex_word(p, "in"))
        status = push_binary(p, base, W_COMPARE, SLM_OP_IN, operand);
    else if (slm_lex_word(p, "not")) {
        if ((status = slm_lex_next(p)))
            return status;
        if (!slm_lex_word(p, "in"))
            return slm_lex_unexpected(p, "'in' after 'not'");
        status = push_binary(p, base, W_COMPARE, SLM_OP_NOT_IN, operand);
    } else {
        *found = false;
        return SLM_OK;
    }
    return status ? status : slm_lex_next(p);
}

/* `if` and `else` of a conditional expression. */
static slm_status read_condition(slm_parser *p, size_t base, bool *operand)
{
    *operand = false;
    if (slm_lex_word(p, "if")) {
        reduce(p, base, W_OR);
        if (top(p, base) && top(p, base)->kind == W_IF)
            reduce_one(p);
        const size_t start = p->start;
        slm_status status = push_op(p, (slm_operator){ .kind = W_IF, .start = start, .at = slm_emit_here(p) });
        p->attr_at = SLM_NOWHERE;
        return status ? status : slm_lex_next(p);
    }
    reduce(p, base, W_OR);
    if (!top(p, base) || top(p, base)->kind != W_IF)
        return slm_lex_unexpected(p, "an operator or the end");
    turn_if(p, top(p, base));
    return slm_lex_next(p);
}

/* The place after an item, a key, a part of a slice; a bracket is open and waits for what comes next. Only a part of a slice may be
 * missing before it. */
static slm_status read_separator(slm_parser *p, size_t base, bool *operand)
{
    slm_operator *o = top(p, base);
    const bool comma = slm_lex_sign(p, ",");
    p->start = slm_emit_here(p);
    p->attr_at = SLM_NOWHERE;
    switch ((waiting)o->kind) {
    case W_INDEX:
        if (comma || o->colons == 2)
            return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: an index of several parts is not supported", p->tok.line);
        if (*operand)
            o->parts |= (uint8_t)(1u << o->colons);
        o->colons++;
        break;
    case W_DICT:
        if (comma != (o->colons == 1))
            return slm_lex_unexpected(p, comma ? "':' and a value" : "',' or '}'");
        o->n += comma;
        o->colons = !comma;
        break;
    default:
        if (!comma)
            return slm_lex_unexpected(p, "',' or a closing bracket");
        o->comma = true;
        o->n += !o->named_open;
        o->named += o->named_open;
        o->named_open = false;
        break;
    }
    *operand = false;
    return slm_lex_next(p);
}

static slm_status close_bracket(slm_parser *p, size_t base, bool *operand)
{
    const char *const closes = slm_lex_sign(p, ")") ? ")" : slm_lex_sign(p, "]") ? "]" : "}";
    slm_operator o = *top(p, base);             /* a bracket is open, and what it holds is complete */
    if (*closes != (o.kind == W_LIST || o.kind == W_INDEX ? ']' : o.kind == W_DICT ? '}' : ')'))
        return slm_lex_unexpected(p, o.kind == W_LIST || o.kind == W_INDEX ? "']'" : o.kind == W_DICT ? "'}'" : "')'");
    if (!*operand && o.named_open)
        return slm_lex_unexpected(p, "a value");
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
            slm_emit(p, SLM_OP_TUPLE, o.n, o.line);
        break;
    case W_LIST:   slm_emit(p, SLM_OP_LIST, o.n, o.line); break;
    case W_DICT:
        if (*operand ? o.colons != 1 : o.colons == 1)
            return slm_lex_unexpected(p, "':' and a value");
        slm_emit(p, SLM_OP_DICT, o.n + *operand, o.line);
        break;
    case W_INDEX:
        if (!o.colons && !*operand)
            return slm_lex_unexpected(p, "an index");
        if (o.colons)
            slm_emit(p, SLM_OP_SLICE, (size_t)o.parts | (*operand ? (size_t)1 << o.colons : 0), o.line);
        else
            slm_emit(p, SLM_OP_ITEM, 0, o.line);
        break;
    case W_CALL:   slm_emit_call(p, SLM_OP_CALL, 0, o.n, o.named, o.line); break;
    case W_METHOD: slm_emit_call(p, SLM_OP_METHOD, o.name, o.n, o.named, o.line); break;
    case W_FILTER: slm_emit_call(p, SLM_OP_FILTER, o.name, o.n, o.named, o.line); break;
    default:
        slm_emit_call(p, SLM_OP_TEST, o.name, o.n, o.named, o.line);
        if (o.negate)
            slm_emit(p, SLM_OP_NOT, 0, o.line);
        break;
    }
    *operand = true;
    p->attr_at = SLM_NOWHERE;
    return slm_lex_next(p);
}

/* name=value in a call. */
static slm_status read_named(slm_parser *p, size_t base, bool *was)
{
    slm_operator *o = top(p, base);
    *was = false;
    if (o->kind != W_CALL && o->kind != W_METHOD && o->kind != W_FILTER && o->kind != W_TEST)
        return SLM_OK;
    if (o->named_open)
        return SLM_OK;
    if (slm_lex_sign(p, "*") || slm_lex_sign(p, "**"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: arguments from a list or mapping (*) are not supported", p->tok.line);
    size_t at = p->pos;
    while (at < p->n && (p->s[at] == ' ' || p->s[at] == '\t' || p->s[at] == '\n'))
        at++;
    if (p->tok.type != SLM_T_NAME || !slm_lex_ahead(p, at, "=") || slm_lex_ahead(p, at, "=="))
        return o->named ? slm_fail(p->err, SLM_E_FORMAT, "template: line %u: an argument without a name after one with a name", p->tok.line) : SLM_OK;
    slm_emit(p, SLM_OP_CONST, slm_emit_string(p, p->s + p->tok.at, p->tok.n), p->tok.line);
    o->named_open = true;
    *was = true;
    slm_status status = slm_lex_next(p);
    if (!status)
        status = slm_lex_next(p);
    p->start = slm_emit_here(p);
    return status;
}

/* An expression up to the first token that cannot belong to it; it leaves one value. */
slm_status slm_parse_expression(slm_parser *p, bool conditions)
{
    const size_t base = p->n_ops;
    bool operand = false;
    slm_status status = SLM_OK;
    p->start = slm_emit_here(p);
    p->attr_at = SLM_NOWHERE;
    while (!status) {
        slm_operator *o = top(p, base);
        const bool in_bracket = o && o->kind < W_BRACKETS;
        if (!operand) {
            const bool closes = slm_lex_sign(p, ")") || slm_lex_sign(p, "]") || slm_lex_sign(p, "}");
            bool was = false;
            if (in_bracket && closes)
                status = close_bracket(p, base, &operand);
            else if (in_bracket && o->kind == W_INDEX && slm_lex_sign(p, ":"))
                status = read_separator(p, base, &operand);
            else if (!in_bracket || !(status = read_named(p, base, &was)))
                status = was ? SLM_OK : read_operand(p, &operand);
            continue;
        }
        bool found = false;
        if (slm_lex_sign(p, ".")) {
            status = read_attribute(p);
        } else if (slm_lex_sign(p, "[")) {
            status = open_bracket(p, W_INDEX, 0);
            operand = false;
        } else if (slm_lex_sign(p, "(")) {
            status = read_call(p);
            operand = false;
        } else if (slm_lex_sign(p, "|")) {
            reduce(p, base, W_SIGN);
            status = read_filter(p, &operand);
        } else if (slm_lex_word(p, "is")) {
            reduce(p, base, W_SIGN);
            status = read_test(p, &operand);
        } else if (slm_lex_sign(p, ")") || slm_lex_sign(p, "]") || slm_lex_sign(p, "}")) {
            reduce(p, base, W_BRACKETS);
            if (!top(p, base))
                return SLM_OK;
            status = close_bracket(p, base, &operand);
        } else if (slm_lex_sign(p, ",") || slm_lex_sign(p, ":")) {
            reduce(p, base, W_BRACKETS);
            if (!top(p, base))
                return SLM_OK;
            status = read_separator(p, base, &operand);
        } else if ((slm_lex_word(p, "if") && (conditions || p->brackets)) || slm_lex_word(p, "else")) {
            status = read_condition(p, base, &operand);
        } else if (!(status = read_binary(p, base, &operand, &found)) && !found) {
            reduce(p, base, W_BRACKETS);
            return top(p, base) ? slm_lex_unexpected(p, "an operator or a closing bracket") : SLM_OK;
        }
    }
    return status;
}
