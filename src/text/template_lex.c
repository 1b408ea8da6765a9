/* template_lex.c -- the tokens inside a tag, and where tags end. White space, signs and literals are Python's as far as templates use
 * them; the text of a string literal goes to the template's blob with its escapes undone. */
#include "text/template_parse.h"

#include "core/size.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

/* ---- failures ---- */

slm_status slm_lex_bad(slm_parser *p, slm_status status, uint32_t line, const char *what, size_t at, size_t n)
{
    char shown[SLM_SHOWN];
    return slm_fail(p->err, status, "template: line %u: %s '%s'", line, what, slm_shown(shown, p->s + at, n));
}

slm_status slm_lex_unexpected(slm_parser *p, const char *wanted)
{
    char shown[SLM_SHOWN];
    const slm_token *k = &p->tok;
    if (k->type == SLM_T_EOF)
        return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: the template ends inside a tag; wanted %s", k->line, wanted);
    return slm_fail(p->err, SLM_E_FORMAT, "template: line %u: unexpected '%s'; wanted %s", k->line, slm_shown(shown, p->s + k->at, k->n), wanted);
}

/* ---- tokens ---- */

uint32_t slm_lex_line(slm_parser *p, size_t pos)             /* which never goes back */
{
    for (; p->counted < pos; p->counted++)
        p->line += p->s[p->counted] == '\n';
    return p->line;
}

static size_t space_at(const slm_parser *p, size_t pos)      /* bytes of the white space there, 0 if there is none */
{
    uint32_t cp;
    bool ok;                                                 /* the source was found to be UTF-8 */
    if (pos >= p->n)
        return 0;
    const size_t len = slm_utf8_next(p->s + pos, p->n - pos, &cp, &ok);
    return slm_is_space(cp) ? len : 0;
}

void slm_lex_skip_space(slm_parser *p)
{
    size_t n;
    while ((n = space_at(p, p->pos)))
        p->pos += n;
}

static bool is_name_byte(uint8_t c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

bool slm_lex_ahead(const slm_parser *p, size_t pos, const char *text)
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

/* A character beyond ASCII behind a backslash: Jinja writes all of these as escapes first, so that this one's backslash is a character and
 * the escape a text. Returns the bytes of the character. */
static size_t put_escaped(slm_buf *out, const uint8_t *s, size_t n)
{
    char text[12];
    uint32_t cp;
    bool ok;
    const size_t used = slm_utf8_next(s, n, &cp, &ok);
    (void)snprintf(text, sizeof text, cp < 256 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
    slm_buf_add(out, text, strlen(text));
    return used;
}

/* The inside of a string literal, with Python's escapes undone, at the end of the blob. */
static slm_status unescape(slm_parser *p, size_t from, size_t end)
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
        const char *known = c ? strchr(letters, c) : NULL;
        uint32_t cp;
        size_t used = hex_escape(p->s, i + 1, end, &cp);
        if (known) {
            slm_buf_u8(out, (uint8_t)values[known - letters]);
            i += 2;
        } else if (used) {
            put_point(out, cp);
            i += 1 + used;
        } else if (c == 'x' || c == 'u' || c == 'U' || c == 'N') {
            return slm_lex_bad(p, SLM_E_FORMAT, slm_lex_line(p, i), "no escape of a string literal:", i, slm_min(end - i, 10));
        } else if (c >= '0' && c <= '7') {
            for (cp = 0, used = 1; used <= 3 && i + used < end && p->s[i + used] >= '0' && p->s[i + used] <= '7'; used++)
                cp = cp * 8 + (uint32_t)(p->s[i + used] - '0');
            put_point(out, cp);
            i += used;
        } else if (c == '\n') {
            i += 2;                             /* a line that goes on */
        } else if (c >= 128) {
            i += 1 + put_escaped(out, p->s + i + 1, end - i - 1);
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
static slm_status read_string(slm_parser *p)
{
    const size_t start = p->t->blob.size;
    p->tok.type = SLM_T_STRING;
    for (;;) {
        const uint8_t quote = p->s[p->pos];
        size_t i = p->pos + 1;
        while (i < p->n && p->s[i] != quote)
            i += p->s[i] == '\\' && i + 1 < p->n ? 2 : 1;
        if (i >= p->n)
            return slm_lex_bad(p, SLM_E_FORMAT, p->tok.line, "a string literal that does not end:", p->pos, slm_min(p->n - p->pos, 20));
        slm_status status = unescape(p, p->pos + 1, i);
        if (status)
            return status;
        p->pos = i + 1;
        p->tok.n = p->pos - p->tok.at;
        slm_lex_skip_space(p);
        if (p->pos >= p->n || (p->s[p->pos] != '\'' && p->s[p->pos] != '"'))
            break;
    }
    if (!p->t->blob.failed)
        p->tok.constant = slm_emit_const(p, (slm_const){ slm_string(NULL, p->t->blob.size - start, SLM_LITERAL), start });
    return SLM_OK;
}

static bool is_digit(const slm_parser *p, size_t i)
{
    return i < p->n && p->s[i] >= '0' && p->s[i] <= '9';
}

enum { DIGITS = 64 };       /* a number with more of them is refused */

static void keep(char digits[DIGITS], size_t *n, uint8_t c)
{
    if (*n < DIGITS)
        digits[(*n)++] = (char)c;
}

/* The digits from i on, where a digit is, with an underscore between two or without; where they end. */
static size_t read_digits(const slm_parser *p, size_t i, char digits[DIGITS], size_t *n)
{
    for (; is_digit(p, i) || (slm_lex_ahead(p, i, "_") && is_digit(p, i + 1)); i++)
        if (p->s[i] != '_')
            keep(digits, n, p->s[i]);
    return i;
}

static slm_status read_number(slm_parser *p)
{
    bool fits = true, real = false;
    char digits[DIGITS];
    size_t n = 0, i = read_digits(p, p->pos, digits, &n), zeros = 0;
    int64_t whole = 0;
    for (size_t k = 0; fits && k < n; k++)
        fits = !__builtin_mul_overflow(whole, 10, &whole) && !__builtin_add_overflow(whole, digits[k] - '0', &whole);
    while (zeros + 1 < n && digits[zeros] == '0')
        zeros++;
    if (zeros && whole)                         /* 007 is no integer; 007.5 is a number */
        fits = false;
    const bool item = p->s[p->pos - 1] == '.';  /* of l.0.1, which is l[0][1]; a tag's beginning stands before */
    if (!item && slm_lex_ahead(p, i, ".") && is_digit(p, i + 1)) {
        real = true;
        keep(digits, &n, '.');
        i = read_digits(p, i + 1, digits, &n);
    }
    if (!item && i < p->n && (p->s[i] == 'e' || p->s[i] == 'E')) {
        const size_t sign = slm_lex_ahead(p, i + 1, "-") || slm_lex_ahead(p, i + 1, "+");
        if (is_digit(p, i + 1 + sign)) {
            real = true;
            keep(digits, &n, 'e');
            keep(digits, &n, sign ? p->s[i + 1] : '+');
            i = read_digits(p, i + 1 + sign, digits, &n);
        }
    }
    double d = 0;
    if (real)
        fits = slm_double_of(digits + zeros, n - zeros, &d);
    if (!fits || n == DIGITS || (!real && i < p->n && is_name_byte(p->s[i], true)))
        return slm_lex_bad(p, SLM_E_UNSUPPORTED, p->tok.line, "a number this library does not read:", p->tok.at,
                           slm_min(i - p->pos + 1, p->n - p->tok.at));
    p->tok.type = SLM_T_NUMBER;
    p->tok.n = i - p->pos;
    p->tok.number = real ? slm_float(d) : slm_int(whole);
    p->pos = i;
    return SLM_OK;
}

/* The end of the tag at pos: its length with a sign before it, and the sign; 0 if there is none. */
size_t slm_lex_tag_end(const slm_parser *p, char *sign)
{
    const char *end = p->in_print ? "}}" : "%}";
    const uint8_t c = p->pos < p->n ? p->s[p->pos] : 0;
    *sign = 0;
    if (p->brackets)
        return 0;
    if (slm_lex_ahead(p, p->pos, end))
        return 2;
    if ((c == '-' || (c == '+' && !p->in_print)) && slm_lex_ahead(p, p->pos + 1, end)) {
        *sign = (char)c;
        return 3;
    }
    return 0;
}

/* Moves past the end of a tag and what it swallows of the text after it. */
void slm_lex_after_tag(slm_parser *p, size_t n, char sign, bool trims)
{
    p->pos += n;
    if (sign == '-')
        slm_lex_skip_space(p);
    else if (trims && sign != '+' && p->pos < p->n && p->s[p->pos] == '\n')
        p->pos++;
}

slm_status slm_lex_next(slm_parser *p)
{
    static const char *const pairs[] = { "**", "//", "==", "!=", "<=", ">=" };
    slm_buf *const bufs[] = { &p->t->code, &p->t->consts, &p->t->blob, &p->t->names, &p->t->macros, &p->t->params };
    char sign;
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)     /* what was written since the last token */
        if (bufs[i]->failed)
            return slm_buf_status(bufs[i], "template", p->err);
    slm_lex_skip_space(p);
    slm_token *k = &p->tok;
    *k = (slm_token){ .type = SLM_T_EOF, .at = p->pos, .n = 1, .line = slm_lex_line(p, p->pos) };
    if (p->pos >= p->n)
        return SLM_OK;
    const uint8_t c = p->s[p->pos];
    if ((k->n = slm_lex_tag_end(p, &sign))) {
        k->type = SLM_T_END;
        slm_lex_after_tag(p, k->n, sign, !p->in_print);
        return SLM_OK;
    }
    k->n = 1;
    if (c == '\'' || c == '"')
        return read_string(p);
    if (c >= '0' && c <= '9')
        return read_number(p);
    if (is_name_byte(c, true)) {
        k->type = SLM_T_NAME;
        while (p->pos < p->n && is_name_byte(p->s[p->pos], false))
            p->pos++;
        k->n = p->pos - k->at;
        return SLM_OK;
    }
    k->type = SLM_T_SIGN;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (slm_lex_ahead(p, p->pos, pairs[i]))
            k->n = 2;
    if (k->n == 1 && (c >= 128 || !strchr("+-*/%~[](){}<>=.:|,", c)))
        return slm_lex_bad(p, SLM_E_FORMAT, k->line, "unexpected", k->at, slm_min(p->n - k->at, c < 128 ? 1 : 4));
    p->brackets += c == '(' || c == '[' || c == '{';
    p->brackets -= p->brackets && (c == ')' || c == ']' || c == '}');
    p->pos += k->n;
    return SLM_OK;
}

static bool is_token(const slm_parser *p, slm_token_type type, const char *text)
{
    return p->tok.type == type && p->tok.n == strlen(text) && memcmp(p->s + p->tok.at, text, p->tok.n) == 0;
}

bool slm_lex_sign(const slm_parser *p, const char *text) { return is_token(p, SLM_T_SIGN, text); }
bool slm_lex_word(const slm_parser *p, const char *text) { return is_token(p, SLM_T_NAME, text); }

slm_status slm_lex_want(slm_parser *p, const char *text)
{
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "'%s'", text);
    return slm_lex_sign(p, text) ? slm_lex_next(p) : slm_lex_unexpected(p, wanted);
}
