/* cli.c -- the command line: option tables read by a parser, by the help and by messages that name the nearest right word. */
#include "cli.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(cli_common, member)
const cli_option cli_common_options[] = {
    CLI_HEAD("common"),
    { CLI_TEXT,   'm', "model",     "FILE", NULL, 0, 0, AT(model),
      "GGUF, packed or llama2.c file, or Hugging Face folder; without it the model that comes with slm" },
    { CLI_TEXT,   0,   "tokenizer", "FILE", NULL, 0, 0, AT(tokenizer), "tokenizer.bin of a llama2.c model" },
    { CLI_COUNT,  't', "threads",   "N", "0", 0, 256, AT(threads),
      "threads; 0: all this process may use. No result depends on it" },
    { CLI_CHOICE, 0,   "isa",       "scalar|avx2|avxvnni|avx512", NULL, 0, 0, AT(isa),
      "forces an instruction set; without it the best there is. No result depends on it" },
    { CLI_FLAG,   0,   "json",      NULL, NULL, 0, 0, AT(json), "one JSON object per line on stdout, errors too" },
    { CLI_FLAG,   'q', "quiet",     NULL, NULL, 0, 0, AT(quiet), "no statistics and no progress on stderr" },
    { CLI_FLAG,   'h', "help",      NULL, NULL, 0, 0, AT(help), "this text" },
    CLI_END
};
#undef AT

/* ---- the nearest right word --------------------------------------------------------------------------------------------- */

/* Edits (insert, drop, change, swap of neighbours) between two words, of which the first 31 bytes count. */
static size_t edits(const char *a, const char *b)
{
    size_t d[3][33], n = strlen(b), m = strlen(a);
    n = n < 31 ? n : 31;
    m = m < 31 ? m : 31;
    for (size_t j = 0; j <= n; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *row = d[i % 3], *above = d[(i + 2) % 3], *before = d[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t least = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < least)
                least = above[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < least)
                least = before[j - 2] + 1;
            row[j] = least;
        }
    }
    return d[m % 3][n];
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *best = names[0];
    for (size_t i = 1; names[i]; i++)
        if (edits(word, names[i]) < edits(word, best))
            best = names[i];
    return best;
}

/* An unknown letter may be the first of a name; a word is measured. */
static int unknown_option(cli *c, const char *word)
{
    const cli_option *tables[2] = { c->command->options, cli_common_options };
    const char *bare = word + strspn(word, "-"), *best = "help";
    size_t least = SIZE_MAX, len = strcspn(bare, "=");
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), bare);
    for (int t = 0; t < 2; t++)
        for (const cli_option *o = tables[t]; o && o->name; o++) {
            if (o->kind == CLI_GROUP || (o->letter == 'm' && c->command->no_model))
                continue;
            size_t far = len == 1 ? (o->name[0] == name[0] ? 1 : 2) : edits(name, o->name);
            if (far < least) {
                least = far;
                best = o->name;
            }
        }
    return cli_usage(c, "unknown option '%s'; the nearest is --%s", word, best);
}

/* ---- values ------------------------------------------------------------------------------------------------------------- */

static bool parse_count(const char *text, uint64_t *value)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
            return false;
    *value = v;
    return true;
}

static bool parse_real(const char *text, double *value)
{
    char *end = NULL;
    if (!*text || text[strspn(text, "0123456789.eE+-")])   /* strtod alone takes "nan", "0x1p3" and leading blanks */
        return false;
    *value = strtod(text, &end);
    return !*end && isfinite(*value);
}

static bool is_choice(const char *choices, const char *text)
{
    for (const char *p = choices; ; p++) {
        size_t n = strcspn(p, "|");
        if (n == strlen(text) && !strncmp(p, text, n))
            return true;
        p += n;
        if (!*p)
            return false;
    }
}

static int bad_value(cli *c, const cli_option *o, const char *text)
{
    const char *number = o->kind == CLI_REAL ? "number" : "whole number";
    if (o->kind == CLI_CHOICE)
        return cli_usage(c, "--%s: '%s' is not one of %s", o->name, text, o->value);
    if (o->most > 0)
        return cli_usage(c, "--%s: '%s' is not a %s from %.15g to %.15g", o->name, text, number, o->least, o->most);
    return cli_usage(c, "--%s: '%s' is not a %s of at least %.15g", o->name, text, number, o->least);
}

/* Writes one value to its place; lists have room for every word of the command line. */
static int store(cli *c, const cli_option *o, char *base, const char *text, size_t room)
{
    void *at = base + o->at;
    uint64_t count;
    double real;
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)at = true;
        return 0;
    case CLI_CHOICE:
        if (!is_choice(o->value, text))
            return bad_value(c, o, text);
        *(const char **)at = text;
        return 0;
    case CLI_TEXT:
        *(const char **)at = text;
        return 0;
    case CLI_COUNT:
        if (!parse_count(text, &count) || (double)count < o->least || (o->most > 0 && (double)count > o->most))
            return bad_value(c, o, text);
        *(uint64_t *)at = count;
        return 0;
    case CLI_REAL:
        if (!parse_real(text, &real) || real < o->least || real > o->most)
            return bad_value(c, o, text);
        *(double *)at = real;
        return 0;
    case CLI_LIST: {
        cli_list *list = at;
        if (!list->item && !(list->item = calloc(room, sizeof *list->item)))
            return cli_end(c, cli_fail(c, SLM_E_MEMORY, "no memory for --%s", o->name));
        list->item[list->n++] = text;
        return 0;
    }
    case CLI_GROUP:
        break;
    }
    return 0;
}

static int defaults(cli *c, const cli_option *table, char *base)
{
    int code = 0;
    for (const cli_option *o = table; o && o->name && !code; o++)
        if (o->initial)
            code = store(c, o, base, o->initial, 1);
    return code;
}

/* ---- the parser --------------------------------------------------------------------------------------------------------- */

typedef struct parser {
    cli *c;
    char *options;
    char **argv;
    int argc, next;
} parser;

static const cli_option *find(const parser *p, const char *name, size_t len, char letter, char **base)
{
    const cli_option *tables[2] = { p->c->command->options, cli_common_options };
    for (int t = 0; t < 2; t++)
        for (const cli_option *o = tables[t]; o && o->name; o++)
            if (o->kind != CLI_GROUP && (letter ? o->letter == letter : !strncmp(o->name, name, len) && !o->name[len])) {
                *base = t ? (char *)&p->c->common : p->options;
                return o;
            }
    return NULL;
}

/* One option: `--name`, `--name=value`, `-n`, `-n value` or `-nvalue`. */
static int option(parser *p, const char *word)
{
    const bool is_long = word[1] == '-';
    const size_t len = is_long ? strcspn(word + 2, "=") : 1;
    const char *value = is_long ? (word[2 + len] == '=' ? word + 2 + len + 1 : NULL) : (word[2] ? word + 2 : NULL);
    char *base;
    const cli_option *o = find(p, word + 2, len, is_long ? 0 : word[1], &base);
    if (!o)
        return unknown_option(p->c, word);
    if (p->c->command->no_model && o->letter == 'm')
        return cli_usage(p->c, "takes no -m; the files stand without an option");
    if (o->kind == CLI_FLAG)
        return value ? cli_usage(p->c, "--%s takes no value", o->name) : store(p->c, o, base, NULL, 0);
    if (!value && p->next >= p->argc)
        return cli_usage(p->c, "--%s needs a value: %s", o->name, o->value);
    if (!value)
        value = p->argv[p->next++];
    return store(p->c, o, base, value, (size_t)p->argc);
}

static int check(cli *c)
{
    size_t wanted = 0;
    while (wanted < 3 && c->command->arguments[wanted])
        wanted++;
    if (c->common.help)
        return 0;
    if (c->n_arguments < wanted)
        return cli_usage(c, "%s is missing; `slm help %s` shows the form", c->command->arguments[c->n_arguments], c->command->name);
    if (c->common.isa) {
        const unsigned asked = !strcmp(c->common.isa, "avx512") ? SLM_ISA_AVX512
                             : !strcmp(c->common.isa, "avxvnni") ? SLM_ISA_AVXVNNI
                             : !strcmp(c->common.isa, "avx2") ? SLM_ISA_AVX2 : SLM_ISA_SCALAR;
        if (!(slm_cpu_isa() & asked))
            return cli_end(c, cli_fail(c, SLM_E_UNSUPPORTED, "--isa %s: this CPU does not offer it", c->common.isa));
        c->isa = asked | SLM_ISA_SCALAR;
    }
    return 0;
}

int cli_parse(cli *c, void *options, int argc, char **argv)
{
    parser p = { c, options, argv, argc, 0 };
    bool only_arguments = false;
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)   /* known before the first error, which may have to be JSON */
        if (!strcmp(argv[i], "--json"))
            c->common.json = true;
    int code = defaults(c, cli_common_options, (char *)&c->common);
    if (!code)
        code = defaults(c, c->command->options, options);
    while (!code && p.next < argc) {
        const char *word = argv[p.next++];
        if (!only_arguments && !strcmp(word, "--"))
            only_arguments = true;
        else if (!only_arguments && word[0] == '-' && word[1])
            code = option(&p, word);
        else if (c->n_arguments < 3 && c->command->arguments[c->n_arguments])
            c->argument[c->n_arguments++] = word;
        else
            code = cli_usage(c, "'%s' is one word too many; a value stands behind its option", word);
    }
    return code ? code : check(c);
}

void cli_options_free(const cli_command *command, void *options)
{
    for (const cli_option *o = command->options; o && o->name; o++)
        if (o->kind == CLI_LIST)
            free(((cli_list *)((char *)options + o->at))->item);
}

/* ---- help --------------------------------------------------------------------------------------------------------------- */

static void help_options(const cli_command *command, const cli_option *table)
{
    for (const cli_option *o = table; o && o->name; o++) {
        char left[80];
        if (o->kind == CLI_GROUP) {
            printf("\n%s:\n", o->name);
            continue;
        }
        if (command->no_model && o->letter == 'm')
            continue;
        int n = o->letter ? snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name)
                          : snprintf(left, sizeof left, "    --%s", o->name);
        if (o->value && n > 0 && (size_t)n < sizeof left)
            (void)snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
        if (strlen(left) > 26)
            printf("  %s\n%30s%s", left, "", o->help);
        else
            printf("  %-26s  %s", left, o->help);
        if (o->initial)
            printf(" (default %s)", o->initial);
        printf("\n");
    }
}

void cli_help(const cli_command *command)
{
    printf("slm %s: %s\n\n  %s\n\nusage: slm %s [options]", command->name, command->brief, command->example, command->name);
    for (int i = 0; i < 3 && command->arguments[i]; i++)
        printf(" %s", command->arguments[i]);
    printf("\n");
    if (command->about)
        printf("\n%s\n", command->about);
    help_options(command, command->options);
    help_options(command, cli_common_options);
}

void cli_help_all(void)
{
    printf("slm %s: runs small language models\n\n  slm generate -p \"Once upon a time\"\n\n", slm_version());
    for (size_t i = 0; cli_commands[i]; i++)
        printf("  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->brief);
    printf("\n`slm help COMMAND` lists the options of a command. Results go to stdout, everything else to stderr.\n"
           "Exit: 0 done, 1 could not, 2 wrong command line, 3 done but what was asked does not hold, 130 interrupted.\n");
}
