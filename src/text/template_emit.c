/* template_emit.c -- code in the making: instructions, jumps whose targets come later, constants, the numbers of variables. */
#include "text/template_parse.h"

#include <string.h>

size_t slm_emit_here(const slm_parser *p)
{
    return SLM_COUNT(slm_code, p->t->code);
}

slm_code *slm_emit_at(slm_parser *p, size_t at)
{
    return SLM_ARRAY(slm_code, p->t->code) + at;
}

/* A failure of memory stays in the buf and is looked at after each tag. */
size_t slm_emit(slm_parser *p, slm_op what, size_t arg, uint32_t line)
{
    const slm_code c = { (uint8_t)what, 0, 0, (int32_t)arg, line, 0 };
    const size_t at = slm_emit_here(p);
    slm_buf_add(&p->t->code, &c, sizeof c);
    p->attr_at = SLM_NOWHERE;
    return at;
}

size_t slm_emit_call(slm_parser *p, slm_op what, uint32_t name, size_t pos, size_t named, uint32_t line)
{
    const size_t at = slm_emit(p, what, name, line);
    if (!p->t->code.failed) {
        slm_emit_at(p, at)->pos = (uint16_t)pos;
        slm_emit_at(p, at)->named = (uint8_t)named;
    }
    return at;
}

void slm_emit_target(slm_parser *p, size_t at, size_t target)
{
    if (!p->t->code.failed)
        slm_emit_at(p, at)->arg = (int32_t)((int64_t)target - (int64_t)at);
}

/* Jumps that wait for one target hang together by their args, each with the place of the one before. */
void slm_emit_chain(slm_parser *p, size_t *head)
{
    const size_t before = *head;
    *head = slm_emit(p, SLM_OP_JUMP, 0, p->tok.line);
    if (!p->t->code.failed)
        slm_emit_at(p, *head)->arg = before == SLM_NOWHERE ? -1 : (int32_t)before;
}

void slm_emit_targets(slm_parser *p, size_t head, size_t target)
{
    while (head != SLM_NOWHERE && !p->t->code.failed) {
        const int32_t before = slm_emit_at(p, head)->arg;
        slm_emit_target(p, head, target);
        head = before < 0 ? SLM_NOWHERE : (size_t)before;
    }
}

uint32_t slm_emit_const(slm_parser *p, slm_const c)
{
    slm_buf_add(&p->t->consts, &c, sizeof c);
    return (uint32_t)(SLM_COUNT(slm_const, p->t->consts) - 1);
}

uint32_t slm_emit_string(slm_parser *p, const void *bytes, size_t n)
{
    const slm_const c = { slm_string(NULL, n, SLM_LITERAL), p->t->blob.size };
    slm_buf_add(&p->t->blob, bytes, n);
    return slm_emit_const(p, c);
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

slm_status slm_emit_name(slm_parser *p, size_t at, size_t n, uint32_t *number)
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
