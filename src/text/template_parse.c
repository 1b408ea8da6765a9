/* template_parse.c -- source to code: text between tags, and statements. Expressions are in template_expr.c.
 *
 * Text follows the rules of trim_blocks and lstrip_blocks, with which chat templates are written: a newline right after a statement
 * or comment is dropped, and blanks between the start of a line and a statement or comment. */
#include "text/template_parse.h"

#include "core/size.h"

#include <string.h>

typedef enum block_kind { B_IF, B_FOR, B_MACRO, B_SET, B_FILTER, B_GENERATION, B_WITH } block_kind;
static const char *const block_names[] = { "if", "for", "macro", "set", "filter", "generation", "with" };

/* ---- statements ---- */

static slm_status push_block(slm_parser *p, slm_block b)
{
    if (p->n_blocks == SLM_LIMIT_TEMPLATE_NESTING)
        return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: statements nested more than %d deep", p->tok.line, SLM_LIMIT_TEMPLATE_NESTING);
    b.line = p->tok.line;
    p->blocks[p->n_blocks++] = b;
    return SLM_OK;
}

static slm_block *inner(slm_parser *p)
{
    return p->n_blocks ? &p->blocks[p->n_blocks - 1] : NULL;
}

static slm_status do_if(slm_parser *p)
{
    slm_status status = slm_parse_expression(p, true);
    if (status)
        return status;
    return push_block(p, (slm_block){ .kind = B_IF, .jump = slm_emit(p, SLM_OP_JUMP_FALSE, 0, p->tok.line), .ends = SLM_NOWHERE });
}

static slm_status do_elif(slm_parser *p)
{
    slm_block *b = inner(p);
    if (!b || b->kind != B_IF || b->otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'elif' without its 'if'", p->tok.line);
    slm_emit_chain(p, &b->ends);
    slm_emit_target(p, b->jump, slm_emit_here(p));
    slm_status status = slm_parse_expression(p, true);
    b->jump = slm_emit(p, SLM_OP_JUMP_FALSE, 0, p->tok.line);
    return status;
}

/* The end of the rounds of a loop. */
static void end_rounds(slm_parser *p, slm_block *b)
{
    slm_emit_targets(p, b->skips, slm_emit_here(p));
    const size_t again = slm_emit(p, SLM_OP_NEXT, 0, p->tok.line);
    slm_emit_target(p, again, b->body);
}

static slm_status do_else(slm_parser *p)
{
    slm_block *b = inner(p);
    if (!b || (b->kind != B_IF && b->kind != B_FOR) || b->otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'else' without its 'if' or 'for'", p->tok.line);
    b->otherwise = true;
    if (b->kind == B_FOR)
        end_rounds(p, b);
    slm_emit_chain(p, &b->ends);
    slm_emit_target(p, b->jump, slm_emit_here(p));
    return SLM_OK;
}

/* One or more names with commas between, in brackets or not: what a value is bound to. Their numbers go to `targets`. */
enum { TARGETS = 8 };
static slm_status read_targets(slm_parser *p, uint32_t targets[TARGETS], size_t *n)
{
    slm_status status = SLM_OK;
    const bool bracket = slm_lex_sign(p, "(");
    *n = 0;
    if (bracket)
        status = slm_lex_next(p);
    while (!status) {
        if (p->tok.type != SLM_T_NAME)
            return slm_lex_sign(p, "(")
                       ? slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: names in brackets inside others are not supported", p->tok.line)
                       : slm_lex_unexpected(p, "a name");
        if (*n == TARGETS)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: more than %d names for one value", p->tok.line, TARGETS);
        if ((status = slm_emit_name(p, p->tok.at, p->tok.n, &targets[*n])))
            break;
        ++*n;
        if ((status = slm_lex_next(p)) || !slm_lex_sign(p, ","))
            break;
        status = slm_lex_next(p);
    }
    return status || !bracket ? status : slm_lex_want(p, ")");
}

static void bind(slm_parser *p, const uint32_t targets[TARGETS], size_t n)
{
    if (n > 1)
        slm_emit(p, SLM_OP_UNPACK, n, p->tok.line);
    for (size_t i = 0; i < n; i++)
        slm_emit(p, SLM_OP_STORE, targets[i], p->tok.line);
}

static slm_status do_for(slm_parser *p)
{
    uint32_t targets[TARGETS];
    size_t n;
    const uint32_t line = p->tok.line;
    slm_status status = read_targets(p, targets, &n);
    if (status)
        return status;
    if (!slm_lex_word(p, "in"))
        return slm_lex_unexpected(p, "'in'");
    if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, false)))
        return status;
    if (slm_lex_word(p, "if")) {
        const size_t select = slm_emit(p, SLM_OP_SELECT, 0, line), again = slm_emit_here(p);
        slm_emit(p, SLM_OP_ITEM_OF_LOOP, 0, line);
        bind(p, targets, n);
        if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, true)))
            return status;
        slm_emit_target(p, slm_emit(p, SLM_OP_SELECT_NEXT, 0, line), again);
        slm_emit_target(p, select, slm_emit_here(p));
    }
    if (slm_lex_word(p, "recursive"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'for ... recursive' is not supported", line);
    const size_t jump = slm_emit(p, SLM_OP_FOR, 0, line), body = slm_emit_here(p);
    slm_emit(p, SLM_OP_ITEM_OF_LOOP, 0, line);
    bind(p, targets, n);
    return push_block(p, (slm_block){ .kind = B_FOR, .jump = jump, .ends = SLM_NOWHERE, .skips = SLM_NOWHERE, .body = body });
}

static slm_status do_leave(slm_parser *p, bool ends)
{
    size_t i = p->n_blocks;
    while (i > 0 && p->blocks[i - 1].kind != B_FOR && p->blocks[i - 1].kind != B_MACRO)
        i--;
    if (!i || p->blocks[i - 1].kind != B_FOR || p->blocks[i - 1].otherwise)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%s' outside of a loop", p->tok.line, ends ? "break" : "continue");
    if (ends)
        slm_emit(p, SLM_OP_LEAVE, 0, p->tok.line);
    slm_emit_chain(p, ends ? &p->blocks[i - 1].ends : &p->blocks[i - 1].skips);
    return SLM_OK;
}

/* set a = v, set a, b = v, set ns.a = v, and set a with a body. */
static slm_status do_set(slm_parser *p)
{
    uint32_t targets[TARGETS], attr = 0;
    size_t n;
    const uint32_t line = p->tok.line;
    slm_status status = read_targets(p, targets, &n);
    const bool is_attr = !status && n == 1 && slm_lex_sign(p, ".");
    if (is_attr) {
        if ((status = slm_lex_next(p)))
            return status;
        if (p->tok.type != SLM_T_NAME)
            return slm_lex_unexpected(p, "a name after '.'");
        attr = slm_emit_string(p, p->s + p->tok.at, p->tok.n);
        status = slm_lex_next(p);
    }
    if (status)
        return status;
    if (slm_lex_sign(p, "=")) {
        if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, true)))
            return status;
        size_t values = 1;
        while (slm_lex_sign(p, ",")) {               /* a tuple without brackets */
            if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, true)))
                return status;
            values++;
        }
        if (values > 1)
            slm_emit(p, SLM_OP_TUPLE, values, line);
        if (!is_attr) {
            bind(p, targets, n);
            return SLM_OK;
        }
        const size_t at = slm_emit(p, SLM_OP_STORE_ATTR, targets[0], line);
        if (!p->t->code.failed)
            slm_emit_at(p, at)->more = attr;
        return SLM_OK;
    }
    if (n > 1)
        return slm_lex_unexpected(p, "'='");
    status = push_block(p, (slm_block){ .kind = B_SET, .name = targets[0], .more = attr, .attr = is_attr });
    slm_emit(p, SLM_OP_CAPTURE, 0, line);
    if (!status && slm_lex_sign(p, "|"))
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'set' with a body and a filter is not supported", line);
    return status;
}

static slm_status do_macro(slm_parser *p)
{
    slm_macro m = { 0, (uint32_t)SLM_COUNT(uint32_t, p->t->params), 0, 0 };
    const uint32_t number = (uint32_t)SLM_COUNT(slm_macro, p->t->macros), line = p->tok.line;
    slm_status status;
    if (p->tok.type != SLM_T_NAME)
        return slm_lex_unexpected(p, "a name");
    if ((status = slm_emit_name(p, p->tok.at, p->tok.n, &m.name)) || (status = slm_lex_next(p)) || (status = slm_lex_want(p, "(")))
        return status;
    slm_emit(p, SLM_OP_MACRO, number, line);
    const size_t over = slm_emit(p, SLM_OP_JUMP, 0, line);
    m.body = (uint32_t)slm_emit_here(p);
    while (!slm_lex_sign(p, ")")) {
        uint32_t name;
        if (p->tok.type != SLM_T_NAME)
            return slm_lex_unexpected(p, "a parameter");
        if ((status = slm_emit_name(p, p->tok.at, p->tok.n, &name)) || (status = slm_lex_next(p)))
            return status;
        slm_buf_add(&p->t->params, &name, sizeof name);
        if (slm_lex_sign(p, "=")) {
            const size_t given = slm_emit(p, SLM_OP_DEFAULT, 0, line);
            if (!p->t->code.failed)
                slm_emit_at(p, given)->pos = (uint16_t)m.n;
            if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, true)))
                return status;
            slm_emit(p, SLM_OP_STORE, name, line);
            slm_emit_target(p, given, slm_emit_here(p));
        }
        if (++m.n > SLM_MACRO_PARAMS)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: a macro of more than %d parameters", line, SLM_MACRO_PARAMS);
        if (!slm_lex_sign(p, ","))
            break;
        if ((status = slm_lex_next(p)))
            return status;
    }
    if ((status = slm_lex_want(p, ")")))
        return status;
    slm_buf_add(&p->t->macros, &m, sizeof m);
    return push_block(p, (slm_block){ .kind = B_MACRO, .jump = over });
}

static slm_status do_filter(slm_parser *p)
{
    /* {% filter name %}: the name is kept and applied to the captured text at the end. */
    if (p->tok.type != SLM_T_NAME)
        return slm_lex_unexpected(p, "the name of a filter");
    const uint32_t name = slm_emit_string(p, p->s + p->tok.at, p->tok.n);
    slm_status status = slm_lex_next(p);
    if (!status && p->tok.type != SLM_T_END)
        return slm_fail(p->err, SLM_E_UNSUPPORTED, "template: line %u: 'filter' with arguments or several filters is not supported", p->tok.line);
    slm_emit(p, SLM_OP_CAPTURE, 0, p->tok.line);
    return status ? status : push_block(p, (slm_block){ .kind = B_FILTER, .name = name });
}

static slm_status do_with(slm_parser *p)
{
    uint32_t names[TARGETS];
    size_t n = 0;
    slm_status status = SLM_OK;
    while (!status && p->tok.type == SLM_T_NAME) {
        if (n == TARGETS)
            return slm_fail(p->err, SLM_E_LIMIT, "template: line %u: 'with' of more than %d names", p->tok.line, TARGETS);
        if ((status = slm_emit_name(p, p->tok.at, p->tok.n, &names[n++])) || (status = slm_lex_next(p)) || (status = slm_lex_want(p, "="))
            || (status = slm_parse_expression(p, true)))
            return status;
        if (!slm_lex_sign(p, ","))
            break;
        status = slm_lex_next(p);
    }
    slm_emit(p, SLM_OP_SCOPE, 0, p->tok.line);
    while (n > 0)
        slm_emit(p, SLM_OP_STORE, names[--n], p->tok.line);
    return status ? status : push_block(p, (slm_block){ .kind = B_WITH });
}

static void end_block(slm_parser *p, slm_block *b)
{
    const uint32_t line = p->tok.line;
    switch ((block_kind)b->kind) {
    case B_IF:
        if (!b->otherwise)
            slm_emit_target(p, b->jump, slm_emit_here(p));
        slm_emit_targets(p, b->ends, slm_emit_here(p));
        break;
    case B_FOR:
        if (!b->otherwise) {
            end_rounds(p, b);
            slm_emit_target(p, b->jump, slm_emit_here(p));
        }
        slm_emit_targets(p, b->ends, slm_emit_here(p));
        break;
    case B_MACRO:
        slm_emit(p, SLM_OP_RETURN, 0, line);
        slm_emit_target(p, b->jump, slm_emit_here(p));
        break;
    case B_SET: {
        slm_emit(p, SLM_OP_CAPTURED, 0, line);
        const size_t at = slm_emit(p, b->attr ? SLM_OP_STORE_ATTR : SLM_OP_STORE, b->name, line);
        if (!p->t->code.failed)
            slm_emit_at(p, at)->more = b->more;
        break;
    }
    case B_FILTER:
        slm_emit(p, SLM_OP_CAPTURED, 0, line);
        slm_emit_call(p, SLM_OP_FILTER, b->name, 0, 0, line);
        slm_emit(p, SLM_OP_PRINT, 0, line);
        break;
    case B_GENERATION:
        break;
    case B_WITH:
        slm_emit(p, SLM_OP_SCOPE_END, 0, line);
        break;
    }
}

static slm_status do_end(slm_parser *p, const slm_token *word)
{
    slm_block *b = inner(p);
    const char *name = (const char *)p->s + word->at + 3;
    if (!b || strlen(block_names[b->kind]) != word->n - 3 || memcmp(block_names[b->kind], name, word->n - 3) != 0)
        return b ? slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%.*s' where the '%s' of line %u is open", word->line,
                            (int)slm_min(word->n, 30), (const char *)p->s + word->at, block_names[b->kind], b->line)
                 : slm_fail(p->err, SLM_E_FORMAT, "template: line %u: '%.*s' without its beginning", word->line, (int)slm_min(word->n, 30),
                            (const char *)p->s + word->at);
    if (b->kind == B_MACRO && p->tok.type == SLM_T_NAME) {      /* endmacro may name the macro */
        slm_status status = slm_lex_next(p);
        if (status)
            return status;
    }
    end_block(p, b);
    p->n_blocks--;
    return SLM_OK;
}

static slm_status statement(slm_parser *p)
{
    slm_status status = slm_lex_next(p);
    const slm_token word = p->tok;
    if (status)
        return status;
    if (word.type != SLM_T_NAME)
        return slm_lex_unexpected(p, "a statement");
    if ((status = slm_lex_next(p)))
        return status;
    static const struct { const char *name; slm_status (*run)(slm_parser *); } kinds[] = {
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
        status = push_block(p, (slm_block){ .kind = B_GENERATION });
    else if (word.n > 3 && memcmp(name, "end", 3) == 0)
        status = do_end(p, &word);
    else
        status = slm_lex_bad(p, SLM_E_UNSUPPORTED, word.line, "this library does not run the statement", word.at, word.n);
end:
    return status || p->tok.type == SLM_T_END ? status : slm_lex_unexpected(p, "the end of the statement");
}

/* ---- text and tags ---- */

static void emit_text(slm_parser *p, size_t from, size_t to)
{
    if (to > from)
        slm_emit(p, SLM_OP_PRINT_CONST, slm_emit_string(p, p->s + from, to - from), slm_lex_line(p, from));
}

/* Where text from .. to ends before a tag of that sign and kind. */
static size_t text_end(const slm_parser *p, size_t from, size_t to, uint8_t sign, bool print)
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
static slm_status read_raw(slm_parser *p, size_t tag, bool *was)
{
    const size_t kept = p->pos;
    *was = false;
    slm_lex_skip_space(p);
    if (!slm_lex_ahead(p, p->pos, "raw"))
        goto other;
    p->pos += 3;
    slm_lex_skip_space(p);
    if (!slm_lex_ahead(p, p->pos, "%}") && !slm_lex_ahead(p, p->pos, "-%}"))
        goto other;
    *was = true;
    slm_lex_after_tag(p, p->s[p->pos] == '-' ? 3 : 2, p->s[p->pos] == '-' ? '-' : 0, false);
    const size_t from = p->pos;
    for (size_t at = from; at + 2 <= p->n; at++) {
        if (!slm_lex_ahead(p, at, "{%"))
            continue;
        p->pos = at + 2;
        const uint8_t sign = p->pos < p->n ? p->s[p->pos] : 0;
        p->pos += sign == '-' || sign == '+';
        slm_lex_skip_space(p);
        if (!slm_lex_ahead(p, p->pos, "endraw"))
            continue;
        p->pos += 6;
        slm_lex_skip_space(p);
        char end_sign;
        const size_t n = slm_lex_tag_end(p, &end_sign);
        if (!n)
            continue;
        emit_text(p, from, text_end(p, from, at, sign, false));
        slm_lex_after_tag(p, n, end_sign, true);
        return SLM_OK;
    }
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: 'raw' without 'endraw'", slm_lex_line(p, tag));
other:
    p->pos = kept;
    return SLM_OK;
}

static slm_status read_comment(slm_parser *p, size_t tag)
{
    for (size_t at = p->pos; at + 2 <= p->n; at++)
        if (slm_lex_ahead(p, at, "#}")) {
            const uint8_t sign = at > p->pos ? p->s[at - 1] : 0;
            p->pos = at;
            slm_lex_after_tag(p, 2, (char)(sign == '-' || sign == '+' ? sign : 0), true);
            return SLM_OK;
        }
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: a comment that does not end", slm_lex_line(p, tag));
}

static slm_status read_tag(slm_parser *p)
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
    if ((status = slm_lex_next(p)) || (status = slm_parse_expression(p, true)))
        return status;
    if (p->tok.type != SLM_T_END)
        return slm_lex_unexpected(p, "'}}'");
    slm_emit(p, SLM_OP_PRINT, 0, p->tok.line);
    return SLM_OK;
}

slm_status slm_template_parse(slm_template *t, slm_error *err)
{
    slm_buf *const bufs[] = { &t->code, &t->consts, &t->blob, &t->names, &t->macros, &t->params };
    slm_parser *p = slm_heap_zalloc(&t->heap, sizeof *p);
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
    slm_emit(p, SLM_OP_END, 0, slm_lex_line(p, p->n));
    if (!status)
        status = slm_buf_status(&t->code, "template", err);
    slm_heap_free(&t->heap, p);
    return status;
}
