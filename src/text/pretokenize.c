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
    D = 128,                        /* 0-9 */
    UP = 256, LOW = 512,            /* Lu, Lt and Ll; other letters, and marks, count as both */
    SL = 1024                       /* the slash, which some take for an end of line */
};

static const uint16_t ascii[128] = {
    ['\t'] = S, ['\n'] = S | NL, ['\v'] = S, ['\f'] = S, ['\r'] = S | NL, [' '] = S,
    ['!'] = P, ['"'] = P, ['#'] = P, ['$'] = SYM, ['%'] = P, ['&'] = P, ['\''] = P, ['('] = P, [')'] = P, ['*'] = P, ['+'] = SYM,
    [','] = P, ['-'] = P, ['.'] = P, ['/'] = P | SL, ['0' ... '9'] = N | D, [':'] = P, [';'] = P, ['<' ... '>'] = SYM, ['?'] = P, ['@'] = P,
    ['A' ... 'Z'] = L | UP, ['['] = P, ['\\'] = P, [']'] = P, ['^'] = SYM, ['_'] = P, ['`'] = SYM, ['a' ... 'z'] = L | LOW, ['{'] = P,
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
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LT:
        return class | L | UP;
    case UTF8PROC_CATEGORY_LL:
        return class | L | LOW;
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return class | L | UP | LOW;
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
        return class | UP | LOW;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return class | N;
    case UTF8PROC_CATEGORY_PC: case UTF8PROC_CATEGORY_PD: case UTF8PROC_CATEGORY_PS: case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI: case UTF8PROC_CATEGORY_PF: case UTF8PROC_CATEGORY_PO:
        return class | P;
    default:
        return white_space(c) ? class | S : class;
    }
}

/* The class of a code point that is not ASCII. */
static __attribute__((noinline)) unsigned wide_class_at(const slm_pieces *p, size_t at, size_t end, size_t *next)
{
    const uint8_t *b = p->text + at;
    if (p->classes && b[0] < 0xe0 && end - at >= 2) {
        *next = at + 2;
        return p->classes[(b[0] & 0x1f) << 6 | (b[1] & 0x3f)];
    }
    if (p->classes && b[0] < 0xf0 && end - at >= 3) {
        *next = at + 3;
        return p->classes[(b[0] & 0x0f) << 12 | (b[1] & 0x3f) << 6 | (b[2] & 0x3f)];
    }
    uint32_t c;
    bool ok;
    *next = at + slm_utf8_next(b, end - at, &c, &ok);
    return beyond_ascii(c);
}

/* The class of the code point at `at`, and where the next one begins. at < end. With a table of classes the text must be UTF-8. */
static inline __attribute__((always_inline)) unsigned class_at(const slm_pieces *p, size_t at, size_t end, size_t *next)
{
    const uint8_t b = p->text[at];
    if (b >= 0x80)
        return wide_class_at(p, at, end, next);
    *next = at + 1;
    return ascii[b];
}

/* The end of the run of code points from `at` on whose class & mask is `want`. */
static size_t run(const slm_pieces *p, size_t at, size_t end, unsigned mask, unsigned want)
{
    for (size_t next; at < end && (class_at(p, at, end, &next) & mask) == want; at = next)
        ;
    return at;
}

/* Bytes of 's 't 're 've 'm 'll 'd at p->text[at], which is the apostrophe; 0 if it is none of them. */
static size_t contraction(const slm_pieces *p, size_t at, size_t end, bool any_case)
{
    static const char after[] = { 's', 't', 'm', 'd' }, pairs[][2] = { { 'r', 'e' }, { 'v', 'e' }, { 'l', 'l' } };
    const uint8_t fold = any_case ? 0x20 : 0;       /* of an ASCII letter; of nothing else does it make one of these */
    if (end - at < 2)
        return 0;
    const uint8_t a = p->text[at + 1] | fold;
    for (size_t i = 0; i < sizeof after; i++)
        if (a == after[i])
            return 2;
    if (end - at < 3)
        return 0;
    const uint8_t b = p->text[at + 2] | fold;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (a == pairs[i][0] && b == pairs[i][1])
            return 3;
    return 0;
}

/* \s+(?!\S)|\s+ : the run of white space, without its last code point if something follows and something is left then. */
static size_t spaces(const slm_pieces *p, size_t at, size_t end)
{
    size_t last = at, next = at, e = at;
    while (e < end && class_at(p, e, end, &next) & S) {
        last = e;
        e = next;
    }
    return e < end && last > at ? last : e;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ : up to the run's last CR or LF, if it has one. */
static size_t white(const slm_pieces *p, size_t at, size_t end)
{
    size_t newline = 0, next, e = at;
    while (e < end && (class_at(p, e, end, &next) & S)) {
        if (p->text[e] == '\r' || p->text[e] == '\n')
            newline = next;
        e = next;
    }
    return newline ? newline : spaces(p, at, end);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t cut_gpt2(const slm_pieces *p, size_t at, size_t end)
{
    size_t next, after;
    unsigned class = class_at(p, at, end, &next);
    if (p->text[at] == '\'') {
        const size_t n = contraction(p, at, end, false);
        if (n)
            return at + n;
    }
    if (p->text[at] == ' ' && next < end) {
        const unsigned follows = class_at(p, next, end, &after);
        if (!(follows & S)) {
            class = follows;
            next = after;
        }
    }
    if (class & S)
        return spaces(p, at, end);
    return run(p, next, end, L | N | S, class & (L | N | S));
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t cut_llama(const slm_pieces *p, size_t at, size_t end, unsigned digits)
{
    size_t next, after = 0;
    const unsigned class = class_at(p, at, end, &next);
    const unsigned follows = next < end ? class_at(p, next, end, &after) : S;   /* S at the end: then it is no part of a match */
    if (p->text[at] == '\'') {
        const size_t n = contraction(p, at, end, true);
        if (n)
            return at + n;
    }
    if (class & L)
        return run(p, next, end, L, L);
    if (follows & L && !(class & (NL | N)))
        return run(p, after, end, L, L);
    if (class & N) {
        for (unsigned i = 1; i < digits && next < end && class_at(p, next, end, &after) & N; i++)
            next = after;
        return next;
    }
    if (!(class & S) || (p->text[at] == ' ' && !(follows & (S | L | N))))
        return run(p, run(p, next, end, L | N | S, 0), end, NL, NL);
    return white(p, at, end);
}

static size_t cut_llama3(const slm_pieces *p, size_t at, size_t end) { return cut_llama(p, at, end, 3); }
static size_t cut_qwen2(const slm_pieces *p, size_t at, size_t end)  { return cut_llama(p, at, end, 1); }

/* [^\r\n\p{L}\p{N}]?[UP]*[LOW]+ or [^\r\n\p{L}\p{N}]?[UP]+[LOW]*, where letters without case and marks are in both classes: from
 * `at` on, the leading character left out. The end of the match, `at` if there is none; *second: by the second of the two only. */
static size_t cased_word(const slm_pieces *p, size_t at, size_t end, bool *second)
{
    size_t next, e = at, both = at;                 /* behind the last character of the run that is in both */
    while (e < end) {
        const unsigned class = class_at(p, e, end, &next);
        if (!(class & UP))
            break;
        e = next;
        if (class & LOW)
            both = e;
    }
    *second = false;
    if (e < end && class_at(p, e, end, &next) & LOW)
        return run(p, next, end, LOW, LOW);
    *second = both == at && e > at;
    return both > at ? both : e;
}

/* The alternatives of GPT-4o and of Mistral's Tekken: words whose case changes at most from large to small,
 * |\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t cut_cased(const slm_pieces *p, size_t at, size_t end, unsigned digits, bool contractions)
{
    size_t next, after, e, word;
    const unsigned class = class_at(p, at, end, &next);
    bool second = false, bare_second = false;
    word = !(class & (NL | L | N)) && next < end ? cased_word(p, next, end, &second) : next;
    if (word == next || second) {                   /* a match without the leading character may come first */
        const size_t bare = cased_word(p, at, end, &bare_second);
        if (bare > at && (word == next || !bare_second))
            word = bare;
    }
    if (word > next || (class & (UP | LOW))) {
        const size_t n = contractions && word < end && p->text[word] == '\'' ? contraction(p, word, end, true) : 0;
        return word + n;
    }
    if (class & N) {
        for (unsigned i = 1; i < digits && next < end && class_at(p, next, end, &after) & N; i++)
            next = after;
        return next;
    }
    const unsigned follows = next < end ? class_at(p, next, end, &after) : S;
    if (!(class & S) || (p->text[at] == ' ' && !(follows & (S | L | N)))) {
        e = run(p, next, end, L | N | S, 0);
        while (e < end && class_at(p, e, end, &after) & (NL | SL))
            e = after;
        return e;
    }
    return white(p, at, end);
}

static size_t cut_tekken(const slm_pieces *p, size_t at, size_t end) { return cut_cased(p, at, end, 1, false); }
static size_t cut_gpt4o(const slm_pieces *p, size_t at, size_t end)  { return cut_cased(p, at, end, 3, true); }

/* LEAD?BODY{least,most} */
typedef struct class_rule { unsigned lead, body, least, most; } class_rule;

/* The end of a match that begins at `at`, or `at` if there is none. */
static inline size_t match(const class_rule *r, const slm_pieces *p, size_t at, size_t end)
{
    size_t next, e = at;
    if (r->lead && class_at(p, e, end, &next) & r->lead)
        e = next;
    unsigned count = 0;
    while (e < end && count < r->most && class_at(p, e, end, &next) & r->body) {
        e = next;
        count++;
    }
    return count < r->least ? at : e;
}

/* A match, or the gap up to the next one: most characters cannot begin one, which their class says. Inline, so that the rule's numbers are. */
static inline __attribute__((always_inline)) size_t cut_class(const class_rule *r, const slm_pieces *p, size_t at, size_t end)
{
    const unsigned begins = r->lead | r->body;
    const size_t e = match(r, p, at, end);
    size_t next;
    if (e > at)
        return e;
    (void)class_at(p, at, end, &at);
    for (; at < end; at = next)
        if (class_at(p, at, end, &next) & begins && match(r, p, at, end) > at)
            break;
    return at;
}

#define CUT_CLASS(name, ...)                                                   \
    static size_t name(const slm_pieces *p, size_t at, size_t end)             \
    {                                                                          \
        static const class_rule r = { __VA_ARGS__ };                           \
        return cut_class(&r, p, at, end);                                   \
    }
CUT_CLASS(cut_number, 0, N, 1, 1)                   /* \p{N} */
CUT_CLASS(cut_newline, 0, NL, 1, 1)                 /* [\r\n] */
CUT_CLASS(cut_letters, S, L, 1, UINT32_MAX)         /* \s?\p{L}+ */
CUT_CLASS(cut_marks, S, P, 1, UINT32_MAX)           /* \s?\p{P}+ */
CUT_CLASS(cut_cjk, 0, CJK, 1, UINT32_MAX)
CUT_CLASS(cut_symbols, 0, P | SYM, 1, UINT32_MAX)   /* [\p{P}\$\+<=>\^~\|`]+ */
CUT_CLASS(cut_digits3, 0, D, 3, 3)                  /* [0-9][0-9][0-9] */

enum { END, GPT2, LLAMA3, QWEN2, NUMBER, NEWLINE, LETTERS, MARKS, CJK_RUN, SYMBOLS, DIGITS3, TEKKEN, GPT4O };
static size_t (*const cutters[])(const slm_pieces *p, size_t at, size_t end) = {
    [GPT2] = cut_gpt2, [LLAMA3] = cut_llama3, [QWEN2] = cut_qwen2, [NUMBER] = cut_number, [NEWLINE] = cut_newline,
    [LETTERS] = cut_letters, [MARKS] = cut_marks, [CJK_RUN] = cut_cjk, [SYMBOLS] = cut_symbols, [DIGITS3] = cut_digits3,
    [TEKKEN] = cut_tekken, [GPT4O] = cut_gpt4o
};

/* What a text must hold for a stage to cut it; all bits where it always may. */
static const unsigned wanted[] = {
    [GPT2] = UINT32_MAX, [LLAMA3] = UINT32_MAX, [QWEN2] = UINT32_MAX, [NUMBER] = N, [NEWLINE] = NL, [LETTERS] = L, [MARKS] = P, [CJK_RUN] = CJK,
    [SYMBOLS] = P | SYM, [DIGITS3] = D, [TEKKEN] = UINT32_MAX, [GPT4O] = UINT32_MAX
};

static const slm_pre rows[] = {
    { "llama-bpe",        { LLAMA3 }, true,  true  },
    { "llama3",           { LLAMA3 }, true,  true  },
    { "llama-v3",         { LLAMA3 }, true,  true  },
    { "pixtral",          { LLAMA3 }, true,  true  },
    { "falcon3",          { LLAMA3 }, true,  true  },
    { "dbrx",             { LLAMA3 }, false, false },
    { "glm4",             { LLAMA3 }, false, false },
    { "chatglm-bpe",      { LLAMA3 }, false, false },
    { "smaug-bpe",        { LLAMA3 }, false, false },
    { "qwen2",            { QWEN2 }, false, false },
    { "stablelm2",        { QWEN2 }, false, false },
    { "deepseek-r1-qwen", { QWEN2 }, false, false },
    { "megrez",           { QWEN2 }, false, false },
    { "gpt-2",            { GPT2 }, false, false },
    { "phi-2",            { GPT2 }, false, false },
    { "mpt",              { GPT2 }, false, false },
    { "olmo",             { GPT2 }, false, false },
    { "roberta-bpe",      { GPT2 }, false, false },
    { "modern-bert",      { GPT2 }, false, false },
    { "jais",             { GPT2 }, false, false },
    { "smollm",           { NUMBER, GPT2 }, false, false },
    { "starcoder",        { NUMBER, GPT2 }, false, false },
    { "refact",           { NUMBER, GPT2 }, false, false },
    { "command-r",        { NUMBER, GPT2 }, false, false },
    { "codeshell",        { NUMBER, GPT2 }, false, false },
    { "exaone",           { NUMBER, GPT2 }, false, false },
    { "deepseek-coder",   { NEWLINE, LETTERS, MARKS, CJK_RUN, NUMBER }, false, false },
    { "tekken",           { TEKKEN }, true,  true  },
    { "gpt-4o",           { GPT4O }, false, false },
    { "llama4",           { GPT4O }, false, false },
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

void slm_pre_classes(uint16_t classes[SLM_PRE_CLASSES])
{
    for (uint32_t c = 0; c < SLM_PRE_CLASSES; c++)
        classes[c] = (uint16_t)(c < 0x80 ? ascii[c] : beyond_ascii(c));
}

slm_pieces slm_pieces_over(const slm_pre *pre, const uint8_t *text, size_t n)
{
    slm_pieces p = { .pre = pre, .text = text };
    while (p.n_stages < SLM_PRE_STAGES && pre->stages[p.n_stages] != END)
        p.n_stages++;
    p.end[0] = n;
    return p;
}

/* The first stage from `stage` on that may cut bytes [at, end), which are few. Most words pass all that are left. */
static size_t next_stage(const slm_pieces *p, size_t stage, size_t at, size_t end)
{
    enum { FEW = 32 };                              /* what is longer is read by that stage anyway */
    unsigned holds = 0;
    if (stage == p->n_stages || end - at > FEW)
        return stage;
    while (at < end)
        holds |= class_at(p, at, end, &at);
    while (stage < p->n_stages && !(wanted[p->pre->stages[stage]] & holds))
        stage++;
    return stage;
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
        const size_t to = cutters[p->pre->stages[k]](p, from, p->end[k]);
        p->at[k] = to;
        const size_t next = next_stage(p, k + 1, from, to);
        if (next == p->n_stages) {
            *begin = from;
            *end = to;
            return true;
        }
        p->level = next;                            /* those between have nothing left to cut: at is end */
        p->at[next] = from;
        p->end[next] = to;
    }
}
