/* cli_man.c -- `slm help --man`: the manual page in roff, made from the tables that the parser reads, so that it cannot be wrong.
 *
 * In roff a line that begins with a dot or an apostrophe is a request, a backslash an escape and a bare hyphen may be printed as a
 * typographic one; text() takes care of all three. Only man(7) macros are used. */
#include "cli.h"

#include <string.h>

/* Text as it stands, in the middle of a line or from its start. A newline stays one: the page is filled again. */
static void text(const char *s)
{
    bool start = true;
    for (; *s; s++) {
        if (start && (*s == '.' || *s == '\''))
            printf("\\&");
        if (*s == '\\')
            printf("\\e");
        else if (*s == '-')
            printf("\\-");
        else
            putchar(*s);
        start = *s == '\n';
    }
}

static void words(const char *before, const char *s, const char *after)
{
    printf("%s", before);
    text(s);
    printf("%s", after);
}

static void options(const cli_command *command, const cli_option *table)
{
    for (const cli_option *o = table; o && o->name; o++) {
        if (command && command->no_model && o->letter == 'm')
            continue;
        if (o->kind == CLI_GROUP) {
            words(".PP\n\\fI", o->name, ":\\fR\n");
            continue;
        }
        printf(".TP\n");
        if (o->letter)
            printf("\\fB\\-%c\\fR, ", o->letter);
        words("\\fB\\-\\-", o->name, "\\fR");
        if (o->value)
            words(" \\fI", o->value, "\\fR");
        words("\n", o->help, "");
        if (o->initial)
            words(" (default ", o->initial, ")");
        printf("\n");
    }
}

static void command_section(const cli_command *command)
{
    words(".SS slm ", command->name, ": ");
    words("", command->brief, "\n");
    words("\\fBslm ", command->name, "\\fR [options]");
    for (int i = 0; i < 3 && command->arguments[i]; i++)
        words(" \\fI", command->arguments[i], "\\fR");
    if (command->about)
        words("\n.PP\n", command->about, "");
    words("\n.PP\n.EX\n    ", command->example, "\n.EE\n");
    options(command, command->options);
    if (command->no_model)
        printf(".PP\nTakes no \\fB\\-m\\fR.\n");
}

void cli_man(void)
{
    printf(".\\\" Made by `slm help --man` from the option tables of the program.\n"
           ".TH SLM 1 \"\" \"slm %s\" \"User Commands\"\n"
           ".SH NAME\nslm \\- runs small language models\n"
           ".SH SYNOPSIS\n\\fBslm\\fR \\fICOMMAND\\fR [options] [files]\n.br\n"
           "\\fBslm help\\fR [\\fICOMMAND\\fR]\n.br\n\\fBslm \\-\\-version\\fR\n"
           ".SH DESCRIPTION\n"
           "Runs language models from GGUF and llama2.c files on the CPU. For one model and one sequence of tokens every result is the\n"
           "same, bit by bit, on every CPU and for any number of threads. Results go to stdout, everything else to stderr.\n", slm_version());
    for (size_t i = 0; cli_commands[i]; i++) {
        words(".TP\n\\fB", cli_commands[i]->name, "\\fR\n");
        words("", cli_commands[i]->brief, "\n");
    }
    printf(".SH OPTIONS OF EVERY COMMAND\nA value stands behind its option (\\fB\\-n 5\\fR, \\fB\\-n5\\fR, \\fB\\-\\-name 5\\fR, \\fB\\-\\-name=5\\fR);\n"
           "behind \\fB\\-\\-\\fR nothing is an option.\n");
    options(NULL, cli_common_options + 1);      /* without the heading */
    printf(".SH COMMANDS\n");
    for (size_t i = 0; cli_commands[i]; i++)
        command_section(cli_commands[i]);
    printf(".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n1\ncould not; one line on stderr says why\n.TP\n2\nthe command line is wrong\n.TP\n3\n"
           "done, but what was asked does not hold\n.TP\n130\ninterrupted (143 by SIGTERM)\n"
           ".SH FILES\n.TP\n\\fI../share/libslm/tiny\\-stories/tiny\\-stories.gguf\\fR, seen from the folder of the program\n"
           "the model that is used without \\fB\\-m\\fR\n");
}
