/* main.c -- the slm program: a table of commands. One file each; what they share stands in cli.h. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

extern const cli_command cmd_info, cmd_tensors, cmd_logits, cmd_tokenize, cmd_detokenize, cmd_generate, cmd_score, cmd_quantize,
                         cmd_convert, cmd_make_model, cmd_chat, cmd_bench, cmd_template, cmd_embed, cmd_completion, cmd_pack, cmd_check, cmd_remote;

const cli_command *const cli_commands[] = {
    &cmd_generate, &cmd_chat, &cmd_score, &cmd_tokenize, &cmd_detokenize, &cmd_template, &cmd_embed, &cmd_logits, &cmd_info, &cmd_tensors,
    &cmd_quantize, &cmd_pack, &cmd_check, &cmd_convert, &cmd_make_model, &cmd_bench, &cmd_remote, &cmd_completion, NULL
};

static const cli_command *find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (!strcmp(cli_commands[i]->name, name))
            return cli_commands[i];
    return NULL;
}

static int unknown(cli *c, const char *name)
{
    const char *names[64] = { "help" };
    for (size_t i = 0; cli_commands[i] && i + 2 < sizeof names / sizeof *names; i++)
        names[i + 1] = cli_commands[i]->name;
    return cli_usage(c, "unknown command '%s'; the nearest is '%s'", name, cli_nearest(name, names));
}

static int help(cli *c, int argc, char **argv)
{
    const cli_command *command = argc > 0 ? find(argv[0]) : NULL;
    if (argc == 1 && !strcmp(argv[0], "--man")) {
        cli_man();
        return cli_end(c, SLM_OK);
    }
    if (argc > 1)
        return cli_usage(c, "help takes one command, not '%s'", argv[1]);
    if (argc > 0 && !command && strcmp(argv[0], "help"))
        return unknown(c, argv[0]);
    if (command)
        cli_help(command);
    else
        cli_help_all();
    return cli_end(c, SLM_OK);
}

static int run(cli *c, int argc, char **argv)
{
    void *options = calloc(1, c->command->size ? c->command->size : 1);
    if (!options)
        return cli_end(c, cli_fail(c, SLM_E_MEMORY, "no memory for the options"));
    int code = cli_parse(c, options, argc, argv);
    if (!code && c->common.help) {
        cli_help(c->command);
        code = cli_end(c, SLM_OK);
    } else if (!code) {
        code = c->command->run(c, options);
    }
    cli_options_free(c->command, options);
    free(options);
    return code;
}

int main(int argc, char **argv)
{
    cli c = { .command = NULL, .percent = -1 };
    cli_catch_signals();
    if (argc < 2)
        return cli_usage(&c, "no command; `slm help` lists them");
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help(&c, argc - 2, argv + 2);
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version")) {
        printf("slm %s\n", slm_version());
        return cli_end(&c, SLM_OK);
    }
    if (argv[1][0] == '-') {
        const char *names[] = { "--help", "--version", NULL };
        return cli_usage(&c, "unknown option '%s' before a command; the nearest is %s", argv[1], cli_nearest(argv[1], names));
    }
    c.command = find(argv[1]);
    return c.command ? run(&c, argc - 2, argv + 2) : unknown(&c, argv[1]);
}
