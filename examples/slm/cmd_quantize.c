/* cmd_quantize.c -- `slm quantize`, `slm convert` and `slm make-model`: the commands that write a model file. */
#include "cli.h"

typedef struct options {
    const char *type;
} options;

static void tensor(void *user, const char *name, const char *type, double mse)
{
    cli *c = user;
    cli_progress_clear(c);
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_word(&j, "name", name);
        cli_json_word(&j, "type", type);
        cli_json_small(&j, "mse", mse);
        cli_json_line(&j);
    } else if (!c->common.quiet) {
        printf("%-36s %-7s mse %.6e\n", name, type, mse);
    }
}

typedef slm_status writer(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

static int write_model(cli *c, writer *write, const char *type, const char *what)
{
    slm_quantize_params params = SLM_QUANTIZE_PARAMS_INIT;
    params.type = type;
    params.tokenizer_path = c->common.tokenizer;
    params.threads = (uint32_t)c->common.threads;
    params.progress = cli_progress;
    params.user = c;
    params.tensor = tensor;
    c->progress = what;
    return cli_end(c, write(c->argument[0], c->argument[1], &params, &c->err));
}

static int run_quantize(cli *c, const void *opaque)
{
    const options *o = opaque;
    if (!o->type)
        return cli_usage(c, "--type is missing: f32, f16, bf16, q8_0 or q4_0");
    return write_model(c, slm_quantize_file, o->type, "quantizing");
}

static int run_convert(cli *c, const void *opaque)
{
    const options *o = opaque;
    return write_model(c, o->type ? slm_quantize_file : slm_convert_file, o->type, "converting");
}

static int run_make(cli *c, const void *opaque)
{
    const options *o = opaque;
    return write_model(c, slm_make_model_file, o->type, "writing");
}

static const cli_option quantize_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", NULL, 0, 0, offsetof(options, type), "of the matrices: f32, f16, bf16, q8_0 or q4_0" },
    CLI_END
};

const cli_command cmd_quantize = {
    .name = "quantize", .brief = "writes a model with smaller weights", .example = "slm quantize model-f16.gguf model-q8_0.gguf --type q8_0",
    .arguments = { "IN", "OUT" },
    .about = "Prints name, type and mean squared error of each tensor. Vectors stay f32, and so do rows that are no multiple of 32. The\n"
             "same input gives the same bytes every time. OUT appears whole or not at all.",
    .options = quantize_options, .size = sizeof(options), .no_model = true, .run = run_quantize
};

static const cli_option convert_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", NULL, 0, 0, offsetof(options, type),
      "f32, f16, bf16, q8_0 or q4_0; without it the weights stay as they are" },
    CLI_END
};

const cli_command cmd_convert = {
    .name = "convert", .brief = "writes a llama2.c model as GGUF", .example = "slm convert stories.bin stories.gguf --tokenizer tokenizer.bin",
    .arguments = { "IN", "OUT" }, .about = "OUT appears whole or not at all.",
    .options = convert_options, .size = sizeof(options), .no_model = true, .run = run_convert
};

static const cli_option make_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", "q8_0", 0, 0, offsetof(options, type), "of the matrices: f32, f16, bf16, q8_0 or q4_0" },
    CLI_END
};

const cli_command cmd_make_model = {
    .name = "make-model", .brief = "writes a model of random weights, for benches", .example = "slm make-model smollm2-135m random.gguf",
    .arguments = { "SHAPE", "OUT" },
    .about = "SHAPE is the name of a model whose true shape the file has: smollm2-135m, qwen2.5-0.5b, tinyllama-1.1b, llama-3.2-3b.\n"
             "The vocabulary is made up. The same name and type give the same bytes every time.",
    .options = make_options, .size = sizeof(options), .no_model = true, .run = run_make
};
