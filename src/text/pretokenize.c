/* pretokenize.c -- the pre-tokenizers as hand-written scanners.
 *
 * Their makers define them by regular expressions with ordered alternatives, greedy quantifiers, backtracking and one look-ahead.
 * Here each expression is a function that says where the next piece ends: it looks at the class of a code point or two to see which
 * alternative will match, then runs over it. Nothing goes back further than one run of white space, so a text is read a fixed
 * number of times whatever it holds. Where an expression does not match everywhere, the gap up to its next match is a piece, too.
 *
 * \p{L}, \p{N} and \p{P} are the general categories of utf8proc; \s is the property White_Space, which is not what the categories
 * give (U+0085 is Cc, U+200B is none); the look-ahead (?!\S) sees the end of its piece as the end of the text; (?i:) is ASCII. */
#include "text/pretokenize.h"

#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

enum {
    L = 1, N = 2, P = 4,            /* letter, number, punctuation */
    S = 8, NL = 16,                 /* white space; of that, CR and LF */
    CJK = 32,                       /* U+0800..U+9FA5, U+AC00..U+D7FF: a class of deepseek-coder */
    SYM = 64,                       /* $ + < = > ^ ` | ~: what falcon takes for punctuation beside P */
    D = 128                         /* 0-9 */
};

static const uint8_t ascii[128] = {
    ['\t'] = S, ['\n'] = S | NL, ['\v'] = S, ['\f'] = S, ['\r'] = S | NL, [' '] = S,
    ['!'] = P, ['"'] = P, ['#'] = P, ['$'] = SYM, ['%'] = P, ['&'] = P, ['\''] = P, ['('] = P, [')'] = P, ['*'] = P, ['+'] = SYM,
    [','] = P, ['-'] = P, ['.'] = P, ['/'] = P, ['0' ... '9'] = N | D, [':'] = P, [';'] = P, ['<' ... '>'] = SYM, ['?'] = P, ['@'] = P,
    ['A' ... 'Z'] = L, ['['] = P, ['\\'] = P, [']'] = P, ['^'] = SYM, ['_'] = P, ['`'] = SYM, ['a' ... 'z'] = L, ['{'] = P,
    ['|'] = SYM, ['}'] = P, ['~'] = SYM
};

static bool white_space(uint32_t c)
{
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static unsigned beyond_ascii(uint32_t c)
{
    unsigned class = (c >= 0x800 && c <= 0x9fa5) || (c >= 0xac00 && c <= 0xd7ff) ? CJK : 0;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return class | L;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return class | N;
    case UTF8PROC_CATEGORY_PC: case UTF8PROC_CATEGORY_PD: case UTF8PROC_CATEGORY_PS: case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI: case UTF8PROC_CATEGORY_PF: case UTF8PROC_CATEGORY_PO:
        return class | P;
    default:
        return white_space(c) ? class | S : class;
    }
}

/* The class of the code point at p, and where the next one begins. at < end. */
static inline unsigned class_at(const uint8_t *text, size_t at, size_t end, size_t *next)
{
    if (text[at] < 0x80) {
        *next = at + 1;
        return ascii[text[at]];
    }
    uint32_t c;
    bool ok;
    *next = at + slm_utf8_next(text + at, end - at, &c, &ok);
    return beyond_ascii(c);
}

/* The end of the run of code points from `at` on whose class & mask is `want`. */
static size_t run(const uint8_t *text, size_t at, size_t end, unsigned mask, unsigned want)
{
    for (size_t next; at < end && (class_at(text, at, end, &next) & mask) == want; at = next)
        ;
    return at;
}

/* Bytes of 's 't 're 've 'm 'll 'd at text[at], which is the apostrophe; 0 if it is none of them. */
static size_t contraction(const uint8_t *text, size_t at, size_t end, bool any_case)
{
    static const char after[] = { 's', 't', 'm', 'd' }, pairs[][2] = { { 'r', 'e' }, { 'v', 'e' }, { 'l', 'l' } };
    const uint8_t fold = any_case ? 0x20 : 0;       /* of an ASCII letter; of nothing else does it make one of these */
    if (end - at < 2)
        return 0;
    const uint8_t a = text[at + 1] | fold;
    for (size_t i = 0; i < sizeof after; i++)
        if (a == after[i])
            return 2;
    if (end - at < 3)
        return 0;
    const uint8_t b = text[at + 2] | fold;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (a == pairs[i][0] && b == pairs[i][1])
            return 3;
    return 0;
}

/* \s+(?!\S)|\s+ : the run of white space, without its last code point if something follows and something is left then. */
static size_t spaces(const uint8_t *text, size_t at, size_t end)
{
    size_t last = at, next = at, e = at;
    while (e < end && class_at(text, e, end, &next) & S) {
        last = e;
        e = next;
    }
    return e < end && last > at ? last : e;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t cut_gpt2(const uint8_t *text, size_t at, size_t end)
{
    size_t next, after;
    unsigned class = class_at(text, at, end, &next);
    if (text[at] == '\'') {
        const size_t n = contraction(text, at, end, false);
        if (n)
            return at + n;
    }
    if (text[at] == ' ' && next < end) {
        const unsigned follows = class_at(text, next, end, &after);
        if (!(follows & S)) {
            class = follows;
            next = after;
        }
    }
    if (class & S)
        return spaces(text, at, end);
    return run(text, next, end, L | N | S, class & (L | N | S));
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t cut_llama(const uint8_t *text, size_t at, size_t end, unsigned digits)
{
    size_t next, after = 0;
    const unsigned class = class_at(text, at, end, &next);
    const unsigned follows = next < end ? class_at(text, next, end, &after) : S;   /* S at the end: then it is no part of a match */
    if (text[at] == '\'') {
        const size_t n = contraction(text, at, end, true);
        if (n)
            return at + n;
    }
    if (class & L)
        return run(text, next, end, L, L);
    if (follows & L && !(class & (NL | N)))
        return run(text, after, end, L, L);
    if (class & N) {
        for (unsigned i = 1; i < digits && next < end && class_at(text, next, end, &after) & N; i++)
            next = after;
        return next;
    }
    if (!(class & S) || (text[at] == ' ' && !(follows & (S | L | N))))
        return run(text, run(text, next, end, L | N | S, 0), end, NL, NL);
    size_t newline = 0, e = at;
    while (e < end && (class_at(text, e, end, &next) & S)) {        /* \s*[\r\n]+ ends after the run's last CR or LF */
        if (text[e] == '\r' || text[e] == '\n')
            newline = next;
        e = next;
    }
    return newline ? newline : spaces(text, at, end);
}

static size_t cut_llama3(const uint8_t *text, size_t at, size_t end) { return cut_llama(text, at, end, 3); }
static size_t cut_qwen2(const uint8_t *text, size_t at, size_t end)  { return cut_llama(text, at, end, 1); }

/* LEAD?BODY{least,most} */
typedef struct class_rule { unsigned lead, body, least, most; } class_rule;

/* The end of a match that begins at `at`, or `at` if there is none. */
static size_t match(const class_rule *r, const uint8_t *text, size_t at, size_t end)
{
    size_t next, e = at;
    if (class_at(text, e, end, &next) & r->lead)
        e = next;
    unsigned count = 0;
    while (e < end && count < r->most && class_at(text, e, end, &next) & r->body) {
        e = next;
        count++;
    }
    return count < r->least ? at : e;
}

/* A match, or the gap up to the next one. */
static size_t cut_class(const class_rule *r, const uint8_t *text, size_t at, size_t end)
{
    const size_t e = match(r, text, at, end);
    size_t gap = at;
    if (e > at)
        return e;
    do
        (void)class_at(text, gap, end, &gap);
    while (gap < end && match(r, text, gap, end) == gap);
    return gap;
}

#define CUT_CLASS(name, ...)                                                   \
    static size_t name(const uint8_t *text, size_t at, size_t end)             \
    {                                                                          \
        static const class_rule r = { __VA_ARGS__ };                           \
        return cut_class(&r, text, at, end);                                   \
    }
CUT_CLASS(cut_number, 0, N, 1, 1)                   /* \p{N} */
CUT_CLASS(cut_newline, 0, NL, 1, 1)                 /* [\r\n] */
CUT_CLASS(cut_letters, S, L, 1, UINT32_MAX)         /* \s?\p{L}+ */
CUT_CLASS(cut_marks, S, P, 1, UINT32_MAX)           /* \s?\p{P}+ */
CUT_CLASS(cut_cjk, 0, CJK, 1, UINT32_MAX)
CUT_CLASS(cut_symbols, 0, P | SYM, 1, UINT32_MAX)   /* [\p{P}\$\+<=>\^~\|`]+ */
CUT_CLASS(cut_digits3, 0, D, 3, 3)                  /* [0-9][0-9][0-9] */

enum { END, GPT2, LLAMA3, QWEN2, NUMBER, NEWLINE, LETTERS, MARKS, CJK_RUN, SYMBOLS, DIGITS3 };
static size_t (*const cutters[])(const uint8_t *text, size_t at, size_t end) = {
    [GPT2] = cut_gpt2, [LLAMA3] = cut_llama3, [QWEN2] = cut_qwen2, [NUMBER] = cut_number, [NEWLINE] = cut_newline,
    [LETTERS] = cut_letters, [MARKS] = cut_marks, [CJK_RUN] = cut_cjk, [SYMBOLS] = cut_symbols, [DIGITS3] = cut_digits3
};

static const slm_pre rows[] = {
    { "llama-bpe",        { LLAMA3 }, true,  true  },
    { "llama3",           { LLAMA3 }, true,  true  },
    { "llama-v3",         { LLAMA3 }, true,  true  },
    { "dbrx",             { LLAMA3 }, false, false },
    { "smaug-bpe",        { LLAMA3 }, false, false },
    { "qwen2",            { QWEN2 }, false, false },
    { "stablelm2",        { QWEN2 }, false, false },
    { "deepseek-r1-qwen", { QWEN2 }, false, false },
    { "gpt-2",            { GPT2 }, false, false },
    { "phi-2",            { GPT2 }, false, false },
    { "mpt",              { GPT2 }, false, false },
    { "olmo",             { GPT2 }, false, false },
    { "roberta-bpe",      { GPT2 }, false, false },
    { "modern-bert",      { GPT2 }, false, false },
    { "smollm",           { NUMBER, GPT2 }, false, false },
    { "starcoder",        { NUMBER, GPT2 }, false, false },
    { "refact",           { NUMBER, GPT2 }, false, false },
    { "command-r",        { NUMBER, GPT2 }, false, false },
    { "deepseek-coder",   { NEWLINE, LETTERS, MARKS, CJK_RUN, NUMBER }, false, false },
    { "falcon",           { SYMBOLS, GPT2, DIGITS3 }, false, false },
};

const slm_pre *slm_pre_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

void slm_pre_names(char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t n = strlen(rows[i].name), comma = i ? 2 : 0;
        if (used + comma + n + 1 > room)
            break;
        memcpy(out + used, ", ", comma);
        memcpy(out + used + comma, rows[i].name, n);
        used += comma + n;
    }
    if (room)
        out[used] = 0;
}

slm_pieces slm_pieces_over(const slm_pre *pre, const uint8_t *text, size_t n)
{
    slm_pieces p = { .pre = pre, .text = text };
    while (p.n_stages < SLM_PRE_STAGES && pre->stages[p.n_stages] != END)
        p.n_stages++;
    p.end[0] = n;
    return p;
}

bool slm_pieces_next(slm_pieces *p, size_t *begin, size_t *end)
{
    while (p->at[p->level] == p->end[p->level])
        if (p->level-- == 0) {
            p->level = 0;
            return false;
        }
    for (;;) {
        const size_t k = p->level, from = p->at[k];
        const size_t to = cutters[p->pre->stages[k]](p->text, from, p->end[k]);
        p->at[k] = to;
        if (k + 1 == p->n_stages) {
            *begin = from;
            *end = to;
            return true;
        }
        p->level = k + 1;
        p->at[k + 1] = from;
        p->end[k + 1] = to;
    }
}
