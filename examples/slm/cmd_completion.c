/* cmd_completion.c -- `slm completion SHELL`: what the Tab key offers, for bash, zsh and fish.
 *
 * Each script is written out from the tables that the parser reads: per command its options, and for an option with a value what
 * the value can be -- one of a list, a file, or something nobody can guess, for which nothing is offered rather than file names. */
#include "cli.h"

#include <string.h>

enum { MOST = 96 };     /* options of a command with the common ones */

typedef enum offer { OFFER_NO_VALUE, OFFER_WORDS, OFFER_FILES, OFFER_NOTHING } offer;

static offer offered(const cli_option *o)
{
    return o->kind == CLI_FLAG ? OFFER_NO_VALUE : o->kind == CLI_CHOICE ? OFFER_WORDS
         : !strcmp(o->value, "FILE") ? OFFER_FILES : OFFER_NOTHING;
}

/* An argument named "bash|zsh|fish" is one of these, SHAPE a name, all others are files. */
static offer offered_argument(const char *name)
{
    return strchr(name, '|') ? OFFER_WORDS : !strcmp(name, "SHAPE") ? OFFER_NOTHING : OFFER_FILES;
}

static size_t options_of(const cli_command *command, const cli_option *list[MOST])
{
    const cli_option *tables[2] = { command->options, cli_common_options };
    size_t n = 0;
    for (int t = 0; t < 2; t++)
        for (const cli_option *o = tables[t]; o && o->name && n < MOST; o++)
            if (o->kind != CLI_GROUP && !(command->no_model && o->letter == 'm'))
                list[n++] = o;
    return n;
}

/* "a|b" as "a b" */
static void put_words(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

/* Inside '...' of a shell, where only the quote itself ends the text; `also` are characters that get a backslash. */
static void put_quoted(const char *text, const char *quote, const char *also)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("%s", quote);
        else if (strchr(also, *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* ---- bash --------------------------------------------------------------------------------------------------------------- */

static void bash_case(const cli_option *const *list, size_t n, offer which)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        if (offered(list[i]) == which) {
            printf(found++ ? "|" : "            ");
            if (list[i]->letter)
                printf("-%c|", list[i]->letter);
            printf("--%s", list[i]->name);
        }
    if (found)
        printf(which == OFFER_FILES ? ") files=1 ;;\n" : ") return ;;\n");
}

static void bash_command(const cli_command *command)
{
    const cli_option *list[MOST];
    const size_t n = options_of(command, list);
    printf("    %s)\n        words='", command->name);
    for (size_t i = 0; i < n; i++)
        printf("%s--%s", i ? " " : "", list[i]->name);
    printf("'\n        case $before in\n");
    for (size_t i = 0; i < n; i++)
        if (offered(list[i]) == OFFER_WORDS) {
            if (list[i]->letter)
                printf("            -%c|--%s) words='", list[i]->letter, list[i]->name);
            else
                printf("            --%s) words='", list[i]->name);
            put_words(list[i]->value);
            printf("' ;;\n");
        }
    bash_case(list, n, OFFER_FILES);
    bash_case(list, n, OFFER_NOTHING);
    if (command->arguments[0]) {        /* a word that begins no option */
        printf("            *) [[ $now == -* ]] || ");
        if (offered_argument(command->arguments[0]) == OFFER_WORDS) {
            printf("words='");
            put_words(command->arguments[0]);
            printf("' ;;\n");
        } else {
            printf("files=1 ;;\n");
        }
    }
    printf("        esac ;;\n");
}

static void bash(void)
{
    printf("# bash completion of slm, made by `slm completion bash`\n"
           "_slm() {\n"
           "    local now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= files=\n"
           "    local commands='");
    for (size_t i = 0; cli_commands[i]; i++)
        printf("%s ", cli_commands[i]->name);
    printf("help'\n"
           "    COMPREPLY=()\n"
           "    if [[ $now == = ]]; then            # bash takes --name=value apart: three words\n"
           "        now=\n"
           "    elif [[ $before == = ]]; then\n"
           "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
           "    fi\n"
           "    if [[ $COMP_CWORD == 1 ]]; then\n"
           "        words=\"$commands --help --version\"\n"
           "    else case ${COMP_WORDS[1]} in\n"
           "    help)\n        [[ $COMP_CWORD == 2 ]] && words=\"$commands --man\" ;;\n");
    for (size_t i = 0; cli_commands[i]; i++)
        bash_command(cli_commands[i]);
    printf("    esac; fi\n"
           "    if [[ $files ]]; then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$now\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$now\")\n"
           "    fi\n"
           "}\n"
           "complete -F _slm slm\n");
}

/* ---- zsh ---------------------------------------------------------------------------------------------------------------- */

/* '(-p --prompt)'{-p+,--prompt=}'[what it does]:TEXT: ' */
static void zsh_option(const cli_option *o)
{
    const bool value = o->kind != CLI_FLAG;
    printf(" \\\n            ");
    if (o->kind == CLI_LIST)
        printf("'*'");
    else if (o->letter)
        printf("'(-%c --%s)'", o->letter, o->name);
    if (o->letter)
        printf("{-%c%s,--%s%s}'[", o->letter, value ? "+" : "", o->name, value ? "=" : "");
    else
        printf("--%s%s'[", o->name, value ? "=" : "");
    put_quoted(o->help, "'\\''", "[]\\");
    printf("]");
    if (offered(o) == OFFER_WORDS) {
        printf(":%s:(", o->name);
        put_words(o->value);
        printf(")");
    } else if (value) {
        printf(":%s:%s", o->value, offered(o) == OFFER_FILES ? "_files" : " ");
    }
    printf("'");
}

static void zsh(void)
{
    const cli_option *list[MOST];
    printf("#compdef slm\n# zsh completion of slm, made by `slm completion zsh`\n_slm() {\n    local -a commands=(\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        printf("        '%s:", cli_commands[i]->name);
        put_quoted(cli_commands[i]->brief, "'\\''", "\\");
        printf("'\n");
    }
    printf("        'help:lists the commands, or the options of one'\n    )\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n"
           "        return\n"
           "    fi\n"
           "    local command=$words[2]\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n"
           "    case $command in\n"
           "    help)\n        _describe command commands ;;\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *command = cli_commands[i];
        const size_t n = options_of(command, list);
        printf("    %s)\n        _arguments -s -S", command->name);
        for (size_t k = 0; k < n; k++)
            zsh_option(list[k]);
        for (int k = 0; k < 3 && command->arguments[k]; k++) {
            const offer what = offered_argument(command->arguments[k]);
            printf(" \\\n            '%d:", k + 1);
            if (what == OFFER_WORDS) {
                printf("value:(");
                put_words(command->arguments[k]);
                printf(")'");
            } else {
                printf("%s:%s'", command->arguments[k], what == OFFER_FILES ? "_files" : " ");
            }
        }
        printf(" ;;\n");
    }
    printf("    esac\n}\n"
           "if [ \"$funcstack[1]\" = _slm ]; then _slm \"$@\"; else compdef _slm slm; fi    # loaded by name, or sourced\n");
}

/* ---- fish --------------------------------------------------------------------------------------------------------------- */

static void fish_option(const cli_command *command, const cli_option *o)
{
    printf("complete -c slm -n '__fish_seen_subcommand_from %s' -l %s", command->name, o->name);
    if (o->letter)
        printf(" -s %c", o->letter);
    if (offered(o) == OFFER_WORDS) {
        printf(" -x -a '");
        put_words(o->value);
        printf("'");
    } else if (o->kind != CLI_FLAG) {
        printf(offered(o) == OFFER_FILES ? " -r -F" : " -x");
    }
    printf(" -d '");
    put_quoted(o->help, "\\'", "\\");
    printf("'\n");
}

static void fish(void)
{
    const cli_option *list[MOST];
    printf("# fish completion of slm, made by `slm completion fish`\ncomplete -c slm -f\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        const cli_command *command = cli_commands[i];
        const size_t n = options_of(command, list);
        printf("\ncomplete -c slm -n __fish_use_subcommand -a %s -d '", command->name);
        put_quoted(command->brief, "\\'", "\\");
        printf("'\n");
        for (size_t k = 0; k < n; k++)
            fish_option(command, list[k]);
        if (command->arguments[0] && offered_argument(command->arguments[0]) == OFFER_WORDS) {
            printf("complete -c slm -n '__fish_seen_subcommand_from %s' -a '", command->name);
            put_words(command->arguments[0]);
            printf("'\n");
        } else if (command->arguments[0]) {
            printf("complete -c slm -n '__fish_seen_subcommand_from %s' -F\n", command->name);
        }
    }
    printf("\ncomplete -c slm -n __fish_use_subcommand -a help -d 'lists the commands, or the options of one'\n"
           "complete -c slm -n '__fish_seen_subcommand_from help' -a '");
    for (size_t i = 0; cli_commands[i]; i++)
        printf("%s%s", i ? " " : "", cli_commands[i]->name);
    printf("'\n");
}

static int run(cli *c, const void *opaque)
{
    (void)opaque;
    const char *shell = c->argument[0];
    if (!strcmp(shell, "bash"))
        bash();
    else if (!strcmp(shell, "zsh"))
        zsh();
    else if (!strcmp(shell, "fish"))
        fish();
    else
        return cli_usage(c, "'%s' is not one of bash, zsh, fish", shell);
    return cli_end(c, SLM_OK);
}

const cli_command cmd_completion = {
    .name = "completion", .brief = "prints what completes slm in a shell", .example = "source <(slm completion bash)",
    .arguments = { "bash|zsh|fish" },
    .about = "An installed slm does not need this: `make install` puts the three scripts where the shells look.",
    .options = NULL, .size = 0, .no_model = true, .run = run
};
