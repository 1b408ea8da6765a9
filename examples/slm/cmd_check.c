/* cmd_check.c -- `slm check`: is a packed or session file still what was written? */
#include "cli.h"

static int run(cli *c, const void *opaque)
{
    (void)opaque;
    slm_check_info info = SLM_CHECK_INFO_INIT;
    const char *path = c->argument[0];
    const slm_status status = slm_check_file(path, NULL, &info, &c->err);
    if (!status && c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_word(&j, "file", path);
        cli_json_word(&j, "kind", info.kind);
        cli_json_count(&j, "sections", info.sections);
        cli_json_count(&j, "bytes", info.bytes);
        cli_json_line(&j);
    } else if (!status && !c->common.quiet) {
        printf("%s file, %llu sections, %llu bytes: as written\n", info.kind, (unsigned long long)info.sections,
               (unsigned long long)info.bytes);
    }
    return cli_end(c, status);
}

const cli_command cmd_check = {
    .name = "check", .brief = "compares the hashes in a packed or session file", .example = "slm check model.slm",
    .arguments = { "FILE" },
    .about = "Reads the file to its end. Damage ends with 1 and the name of the section that is not what was written. A GGUF has no hashes.",
    .options = NULL, .size = 0, .no_model = true, .run = run
};
