/* tokenizer_rules.c -- recognises the steps of a tokenizer.json.
 *
 * A normalizer, a pre_tokenizer or a post_processor is a step {"type": ...} or a Sequence of steps. The steps of published tokenizers
 * are few, and the rules they stand for have hand-written scanners in src/text/ that go by the names of GGUF files. So nothing is
 * interpreted here: expressions are compared with a list of known ones in their spellings, and what is not on it is refused by name. */
#include "format/tokenizer_rules.h"

#include "core/limits.h"

#include <string.h>

enum { NESTED = 4, PATTERN_BYTES = 1024 };

/* The fields of all steps. */
enum {
    TYPE, NORMALIZERS, PRETOKENIZERS, PROCESSORS, PATTERN, CONTENT, PREPEND, REPLACEMENT, BEHAVIOR, INVERT, LOWERCASE, STRIP_ACCENTS, CLEAN_TEXT,
    CHINESE, ADD_PREFIX, SCHEME, USE_REGEX, INDIVIDUAL, CHARSMAP, SINGLE, CLS, SEP, FIELDS
};
static const char *const fields[FIELDS] = {
    "type", "normalizers", "pretokenizers", "processors", "pattern", "content", "prepend", "replacement", "behavior", "invert", "lowercase",
    "strip_accents", "clean_text", "handle_chinese_chars", "add_prefix_space", "prepend_scheme", "use_regex", "individual_digits",
    "precompiled_charsmap", "single", "cls", "sep"
};

typedef struct step {
    slm_json f[FIELDS];
    slm_tokenizer_rules *rules;
    slm_error *err;
} step;

static bool is_text(const slm_json *value, const char *text)
{
    return value->kind == SLM_JSON_STRING && slm_json_is(value, text);
}

static bool type_is(const step *s, const char *type)
{
    return is_text(&s->f[TYPE], type);
}

static bool is_true(const step *s, int field, bool standard)
{
    const slm_json_kind kind = s->f[field].kind;
    return kind == SLM_JSON_TRUE || (kind != SLM_JSON_FALSE && standard);
}

static slm_status unknown(const step *s, const char *what, const slm_json *value)
{
    char shown[SLM_SHOWN];
    return slm_fail_at(s->err, SLM_E_UNSUPPORTED, value->pos, "%s: %s '%s' is not known (before byte %zu)", s->f[TYPE].name, what,
                       value->kind == SLM_JSON_STRING ? slm_shown(shown, value->base + value->text, value->text_len) : "", value->pos);
}

/* Goes through the steps in order, Sequences inside Sequences included. */
static slm_status each_step(const slm_json *first, slm_tokenizer_rules *rules, slm_status (*each)(step *), slm_error *err)
{
    slm_json open[NESTED];
    size_t depth = 1;
    step s = { .rules = rules, .err = err };
    if (first->kind == SLM_JSON_END || first->kind == SLM_JSON_NULL)
        return SLM_OK;
    open[0] = *first;
    for (bool whole = true; depth > 0; whole = false) {
        slm_json *at = &open[depth - 1];
        slm_status status = whole ? SLM_OK : slm_json_next(at, err);
        if (status)
            return status;
        if (at->kind == SLM_JSON_ARRAY_END) {
            depth--;
            continue;
        }
        if ((status = slm_json_fields(at, fields, s.f, FIELDS, err)))
            return status;
        const bool sequence = type_is(&s, "Sequence");
        if (depth == 1 && whole)
            depth = 0;                              /* one step, no list around it */
        if (!sequence) {
            if ((status = each(&s)))
                return status;
            continue;
        }
        const slm_json *list = s.f[NORMALIZERS].kind == SLM_JSON_ARRAY ? &s.f[NORMALIZERS]
                             : s.f[PRETOKENIZERS].kind == SLM_JSON_ARRAY ? &s.f[PRETOKENIZERS] : &s.f[PROCESSORS];
        if (list->kind != SLM_JSON_ARRAY || depth == NESTED)
            return slm_fail_at(err, SLM_E_FORMAT, at->pos, "%s: a Sequence without a list, or more than %d inside each other (before byte %zu)", at->name,
                               NESTED, at->pos);
        open[depth++] = *list;
    }
    return SLM_OK;
}

/* The string or the expression of a "pattern" into text, raw line ends written as \r and \n; *regex says which. */
static slm_status pattern_of(const step *s, char text[PATTERN_BYTES], bool *regex)
{
    static const char *const names[2] = { "String", "Regex" };
    slm_json object = s->f[PATTERN], values[2];
    size_t n = 0;
    if (object.kind != SLM_JSON_OBJECT)
        return unknown(s, "a pattern", &s->f[TYPE]);
    slm_status status = slm_json_fields(&object, names, values, 2, s->err);
    if (status)
        return status;
    *regex = values[1].kind == SLM_JSON_STRING;
    const slm_json *value = &values[*regex];
    if (value->kind != SLM_JSON_STRING || value->text_len >= PATTERN_BYTES / 2)
        return unknown(s, "a pattern", value);
    const uint8_t *p = value->base + value->text;
    for (size_t i = 0; i < value->text_len; i++) {
        if (p[i] != '\\' || i + 1 == value->text_len) {
            text[n++] = (char)p[i];
            continue;
        }
        i++;
        if (p[i] == 'r' || p[i] == 'n') {           /* a line end itself: as the expression would write it */
            text[n++] = '\\';
            text[n++] = (char)p[i];
        } else if (p[i] == '"' || p[i] == '\\' || p[i] == '/') {
            text[n++] = (char)p[i];
        } else {
            return unknown(s, "an escape in pattern", value);
        }
    }
    text[n] = 0;
    return SLM_OK;
}

/* ---- normalizers ---- */

static slm_status replace(step *s)
{
    char pattern[PATTERN_BYTES];
    bool regex;
    slm_status status = pattern_of(s, pattern, &regex);
    if (status)
        return status;
    if (!regex && strcmp(pattern, " ") == 0 && is_text(&s->f[CONTENT], "\xe2\x96\x81"))
        s->rules->mark_spaces = true;
    else if (regex && strcmp(pattern, " {2,}") == 0 && (is_text(&s->f[CONTENT], " ") || is_text(&s->f[CONTENT], "\xe2\x96\x81")))
        s->rules->one_space = true;
    else
        return slm_fail_at(s->err, SLM_E_UNSUPPORTED, s->f[TYPE].pos, "%s: normalizer Replace of '%s' is not known (before byte %zu)", s->f[TYPE].name,
                           pattern, s->f[TYPE].pos);
    return SLM_OK;
}

static slm_status normalize(step *s)
{
    slm_tokenizer_rules *r = s->rules;
    if (type_is(s, "BertNormalizer")) {
        if (!is_true(s, CLEAN_TEXT, true) || !is_true(s, CHINESE, true))
            return unknown(s, "clean_text or handle_chinese_chars false in", &s->f[TYPE]);
        r->bert = true;
        r->lowercase = is_true(s, LOWERCASE, true);
        r->strip_accents = is_true(s, STRIP_ACCENTS, r->lowercase);
    } else if (type_is(s, "Prepend") && is_text(&s->f[PREPEND], "\xe2\x96\x81")) {
        r->prefix = true;
    } else if (type_is(s, "Replace")) {
        return replace(s);
    } else if (type_is(s, "Precompiled")) {
        if (s->f[CHARSMAP].kind != SLM_JSON_STRING || r->charsmap.kind != SLM_JSON_END)
            return unknown(s, "a second precompiled_charsmap, or none, in", &s->f[TYPE]);
        r->charsmap = s->f[CHARSMAP];
    } else if (!type_is(s, "NFC")) {                /* readers of GGUF do not normalize either: docs/tokenizers.md */
        return unknown(s, "normalizer", &s->f[TYPE]);
    }
    return SLM_OK;
}

/* ---- pre-tokenizers ---- */

enum { GPT2 = 1, LLAMA3, QWEN2, DIGIT, NEWLINE, LETTERS, MARKS, CJK_RUN, TEKKEN, GPT4O };

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TIKTOKEN     "'(?i:[sdmt]|ll|ve|re)"
#define WORD         "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST         "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD_ONCE    "|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|"         /* the same, written so as never to go back */
#define CAPITALS     "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(more)  "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALL "+" more "|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALL "*" more "|"
#define CASED_REST   "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define REST_ONCE    "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"

static const struct { const char *regex; uint8_t stage; } expressions[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", GPT2 },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", GPT2 },
    { CONTRACTIONS WORD "\\p{N}{1,3}" REST, LLAMA3 },
    { "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])" WORD "\\p{N}{1,3}" REST, LLAMA3 },
    { TIKTOKEN WORD_ONCE "\\p{N}{1,3}" REST_ONCE, LLAMA3 },
    { TIKTOKEN WORD "\\p{N}{1,3}" REST, LLAMA3 },
    { CONTRACTIONS WORD "\\p{N}" REST, QWEN2 },
    { TIKTOKEN WORD_ONCE "\\p{N}" REST_ONCE, QWEN2 },
    { CASED("") "\\p{N}" CASED_REST, TEKKEN },
    { CASED(CONTRACTIONS "?") "\\p{N}{1,3}" CASED_REST, GPT4O },
    { "\\p{N}", DIGIT },
    { "[\\r\\n]", NEWLINE },
    { "\\s?\\p{L}+", LETTERS },
    { "\\s?\\p{P}+", MARKS },
    { "[\xe4\xb8\x80-\xe9\xbe\xa5\xe0\xa0\x80-\xe4\xb8\x80\xea\xb0\x80-\xed\x9f\xbf]+", CJK_RUN },
};

/* Names of GGUF files, which say at once whether a piece that is a token is taken whole. */
static const struct { uint8_t stages[SLM_RULES_STAGES]; bool whole; const char *name; } names[] = {
    { { GPT2 }, false, "gpt-2" },
    { { LLAMA3 }, true, "llama-bpe" },
    { { LLAMA3 }, false, "dbrx" },
    { { QWEN2 }, false, "qwen2" },
    { { DIGIT, GPT2 }, false, "smollm" },
    { { TEKKEN }, true, "tekken" },
    { { GPT4O }, false, "gpt-4o" },
    { { NEWLINE, LETTERS, MARKS, CJK_RUN, DIGIT }, false, "deepseek-coder" },
};

const char *slm_rules_pre(const slm_tokenizer_rules *r, bool whole)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memcmp(names[i].stages, r->stages, sizeof r->stages) == 0 && names[i].whole == whole)
            return names[i].name;
    return NULL;
}

static slm_status add_stage(step *s, uint8_t stage)
{
    if (s->rules->n_stages == SLM_RULES_STAGES)
        return slm_fail(s->err, SLM_E_UNSUPPORTED, "%s: a pre_tokenizer of more than %d steps", s->f[TYPE].name, SLM_RULES_STAGES);
    s->rules->stages[s->rules->n_stages++] = stage;
    return SLM_OK;
}

static slm_status split(step *s)
{
    char pattern[PATTERN_BYTES];
    bool regex;
    slm_status status = pattern_of(s, pattern, &regex);
    if (status)
        return status;
    const bool isolated = is_text(&s->f[BEHAVIOR], "Isolated") && !is_true(s, INVERT, false);
    const bool removed = is_text(&s->f[BEHAVIOR], "Removed") && is_true(s, INVERT, false);      /* the matches stay: all that it matches everywhere */
    for (size_t i = 0; regex && (isolated || removed) && i < sizeof expressions / sizeof *expressions; i++)
        if (strcmp(expressions[i].regex, pattern) == 0 && (isolated || expressions[i].stage <= QWEN2 || expressions[i].stage >= TEKKEN))
            return add_stage(s, expressions[i].stage);
    return slm_fail_at(s->err, SLM_E_UNSUPPORTED, s->f[PATTERN].pos, "%s: pre_tokenizer: the expression '%s' is not known (before byte %zu)",
                       s->f[TYPE].name, pattern, s->f[PATTERN].pos);
}

static slm_status pre_tokenize(step *s)
{
    slm_tokenizer_rules *r = s->rules;
    if (type_is(s, "ByteLevel")) {
        if (is_true(s, ADD_PREFIX, false))
            return unknown(s, "add_prefix_space true in", &s->f[TYPE]);
        r->byte_level = true;
        return is_true(s, USE_REGEX, true) ? add_stage(s, GPT2) : SLM_OK;
    }
    if (type_is(s, "Split"))
        return split(s);
    if (type_is(s, "Digits") && is_true(s, INDIVIDUAL, false))
        return add_stage(s, DIGIT);
    if (type_is(s, "BertPreTokenizer")) {
        r->words = true;
    } else if (type_is(s, "WhitespaceSplit")) {
        r->one_space = true;
    } else if (type_is(s, "Metaspace") && is_text(&s->f[REPLACEMENT], "\xe2\x96\x81")) {
        r->mark_spaces = true;
        r->prefix = s->f[SCHEME].kind == SLM_JSON_STRING ? !is_text(&s->f[SCHEME], "never") : is_true(s, ADD_PREFIX, true);
    } else {
        return unknown(s, "pre_tokenizer", &s->f[TYPE]);
    }
    return SLM_OK;
}

/* ---- post-processors ---- */

static slm_status take_token(const step *s, const slm_json *value, char out[SLM_RULES_TOKEN])
{
    if (value->kind != SLM_JSON_STRING || value->escaped || value->text_len == 0 || value->text_len >= SLM_RULES_TOKEN || out[0])
        return unknown(s, out[0] ? "post_processor: more than one token in front or behind:" : "post_processor: the token", value);
    memcpy(out, value->base + value->text, value->text_len);
    out[value->text_len] = 0;
    return SLM_OK;
}

/* "single" of a TemplateProcessing: [{"SpecialToken": {"id": ...}}, {"Sequence": ...}, ...] */
static slm_status template_of(step *s)
{
    static const char *const names_of_piece[2] = { "SpecialToken", "Sequence" }, *const id_name[1] = { "id" };
    slm_json list = s->f[SINGLE], piece[2], id;
    bool behind = false;
    slm_status status = SLM_OK;
    if (list.kind != SLM_JSON_ARRAY)
        return unknown(s, "post_processor without a list 'single':", &s->f[TYPE]);
    while (!(status = slm_json_next(&list, s->err)) && list.kind != SLM_JSON_ARRAY_END) {
        if ((status = slm_json_fields(&list, names_of_piece, piece, 2, s->err)))
            return status;
        behind = behind || piece[1].kind == SLM_JSON_OBJECT;
        if (piece[0].kind == SLM_JSON_END)
            continue;
        if ((status = slm_json_fields(&piece[0], id_name, &id, 1, s->err)) ||
            (status = take_token(s, &id, behind ? s->rules->after : s->rules->before)))
            return status;
    }
    return status;
}

static slm_status post_process(step *s)
{
    if (type_is(s, "ByteLevel"))                    /* offsets only */
        return SLM_OK;
    s->rules->posted = true;
    if (type_is(s, "TemplateProcessing"))
        return template_of(s);
    if (!type_is(s, "BertProcessing") && !type_is(s, "RobertaProcessing"))
        return unknown(s, "post_processor", &s->f[TYPE]);
    for (int i = 0; i < 2; i++) {                   /* ["[CLS]", 101] */
        slm_json pair = s->f[i ? SEP : CLS];
        slm_status status = pair.kind == SLM_JSON_ARRAY ? slm_json_next(&pair, s->err) : unknown(s, "post_processor without cls and sep:", &s->f[TYPE]);
        if (status || (status = take_token(s, &pair, i ? s->rules->after : s->rules->before)))
            return status;
    }
    return SLM_OK;
}

slm_status slm_tokenizer_rules_read(slm_tokenizer_rules *rules, const slm_json *normalizer, const slm_json *pre_tokenizer,
                                    const slm_json *post_processor, slm_error *err)
{
    memset(rules, 0, sizeof *rules);
    slm_status status = each_step(normalizer, rules, normalize, err);
    if (!status)
        status = each_step(pre_tokenizer, rules, pre_tokenize, err);
    return status ? status : each_step(post_processor, rules, post_process, err);
}
