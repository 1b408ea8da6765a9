/* cmd_quantize.c -- `slm quantize`, `slm convert` and `slm make-model`: the commands that write a model file.
 *
 * A model has hundreds of tensors, so what is printed is a line per type; the line per tensor is for --json and --verbose. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PACKED_TYPES TYPES "; with --pack also w8a8"
#define TYPES "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q6_k, q5_k_m, q5_k_s, q4_k_m, q4_k_s, q3_k_l, q3_k_m, q3_k_s, q2_k, iq4_nl or iq4_xs"

typedef struct options {
    const char *type, *calibrate, *eval;
    bool verbose, pack;
} options;

typedef struct kind {          /* the tensors of one type */
    char type[16];
    uint64_t tensors, bytes;
    double mse;                /* the largest */
} kind;

typedef struct job {
    cli *c;
    bool silent, verbose;
    kind kinds[64];            /* [n_kinds] in the order they were met */
    size_t n_kinds;
} job;

static kind *find_kind(job *j, const char *type)
{
    size_t k = 0;
    while (k < j->n_kinds && strcmp(j->kinds[k].type, type))
        k++;
    if (k == sizeof j->kinds / sizeof *j->kinds)
        return &j->kinds[k - 1];
    if (k == j->n_kinds) {
        (void)snprintf(j->kinds[k].type, sizeof j->kinds[k].type, "%s", type);
        j->n_kinds++;
    }
    return &j->kinds[k];
}

static void tensor(void *user, const char *name, const char *type, double mse)
{
    job *j = user;
    kind *k = find_kind(j, type);
    k->tensors++;
    if (!(mse <= k->mse))
        k->mse = mse;
    if (j->silent)
        return;
    cli_progress_clear(j->c);
    if (j->c->common.json) {
        cli_json json = { stdout, false };
        cli_json_open(&json, NULL, '{');
        cli_json_word(&json, "name", name);
        cli_json_word(&json, "type", type);
        cli_json_small(&json, "mse", mse);
        cli_json_line(&json);
    } else if (j->verbose) {
        printf("%-36s %-7s mse %.6e\n", name, type, mse);
    }
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    return cli_progress(((job *)user)->c, done, total);
}

/* The sizes come from the file that was written; a device or pipe cannot be read back, and then none are shown. */
static void summary(job *j, const char *out)
{
    struct stat st;
    slm_file *file = NULL;
    if (!stat(out, &st) && S_ISREG(st.st_mode) && !slm_file_open(&file, out, NULL, NULL))
        for (size_t i = 0; i < slm_file_tensors(file); i++) {
            slm_tensor_info t = SLM_TENSOR_INFO_INIT;
            if (!slm_file_tensor(file, i, &t, NULL))
                find_kind(j, t.type)->bytes += t.bytes;
        }
    for (size_t k = 0; k < j->n_kinds; k++) {
        printf("%-7s %5llu tensors", j->kinds[k].type, (unsigned long long)j->kinds[k].tensors);
        if (file)
            printf(" %14llu bytes", (unsigned long long)j->kinds[k].bytes);
        printf("   largest mse %.6e\n", j->kinds[k].mse);
    }
    slm_file_free(file);
}

/* Whether the model itself goes to stdout (OUT is /dev/stdout): then not a line may stand between its bytes. */
static bool is_stdout(const char *out)
{
    struct stat file, own;
    return !stat(out, &file) && !fstat(1, &own) && file.st_dev == own.st_dev && file.st_ino == own.st_ino;
}

/* Which channels of the matrices count: the source runs over the text. */
static slm_status calibrate(cli *c, const char *in, const char *text, slm_importance **out)
{
    slm_importance_params params = SLM_IMPORTANCE_PARAMS_INIT;
    slm_model *model = NULL;
    char *bytes = NULL;
    int32_t *ids = NULL;
    size_t n = 0, len = 0;
    params.progress = cli_progress;
    params.user = c;
    slm_status status = cli_read_file(c, text, &bytes, &len);
    if (!status) {
        c->common.model = in;
        status = cli_open_model(c, &model);
    }
    const slm_tokenizer *tok = status ? NULL : slm_model_tokenizer(model);
    if (!status && !tok)
        status = cli_fail(c, SLM_E_STATE, "%s: has no tokenizer; give one with --tokenizer", in);
    if (!status)
        status = cli_encode(c, tok, bytes, len, 0, &ids, &n);
    if (!status && !n)
        status = cli_fail(c, SLM_E_ARG, "%s: holds no token", text);
    c->progress = "calibrating";
    if (!status)
        status = slm_importance_measure(out, model, ids, n, &params, &c->err);
    cli_progress_clear(c);
    slm_model_free(model);
    free(ids);
    free(bytes);
    return status;
}

static slm_status evaluate(cli *c, const char *in, const char *out, const char *text)
{
    cli_comparison e;
    const slm_status status = cli_compare(c, in, out, text, &e);
    if (status)
        return status;
    if (c->common.json) {
        cli_json json = { stdout, false };
        cli_json_open(&json, NULL, '{');
        cli_json_count(&json, "tokens", e.tokens);
        cli_json_real(&json, "source_ppl", e.source_ppl, 6);
        cli_json_real(&json, "ppl", e.ppl, 6);
        cli_json_small(&json, "kl", e.kl);
        cli_json_line(&json);
    } else {
        printf("%llu tokens: perplexity %.6f, of the source %.6f, mean KL from it %.6e\n", (unsigned long long)e.tokens, e.ppl, e.source_ppl,
               e.kl);
    }
    return SLM_OK;
}

typedef slm_status writer(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

static int write_model(cli *c, writer *write, const options *o, const char *what)
{
    slm_quantize_params params = SLM_QUANTIZE_PARAMS_INIT;
    const char *out = strcmp(c->argument[1], "-") ? c->argument[1] : "/dev/stdout";
    job j = { .c = c, .silent = is_stdout(out), .verbose = o->verbose };
    params.type = o->type;
    params.tokenizer_path = c->common.tokenizer;
    params.threads = (uint32_t)c->common.threads;
    params.progress = progress;
    params.user = &j;
    params.tensor = tensor;
    slm_importance *importance = NULL;
    slm_status status = o->calibrate ? calibrate(c, c->argument[0], o->calibrate, &importance) : SLM_OK;
    params.importance = importance;
    c->progress = what;
    if (!status)
        status = write(c->argument[0], out, &params, &c->err);
    slm_importance_free(importance);
    cli_progress_clear(c);
    if (!status && !j.silent && !c->common.json && !c->common.quiet)
        summary(&j, out);
    if (!status && o->eval)
        status = evaluate(c, c->argument[0], out, o->eval);
    return cli_end(c, status);
}

static int run_quantize(cli *c, const void *opaque)
{
    const options *o = opaque;
    if (!o->type)
        return cli_usage(c, "--type is missing: " TYPES);
    if (o->eval && (!strcmp(c->argument[1], "-") || is_stdout(c->argument[1])))
        return cli_usage(c, "--eval reads OUT again, which stdout does not allow");
    if (o->pack && (o->calibrate || o->eval))
        return cli_usage(c, "--pack goes with neither --calibrate nor --eval: quantize first, then slm pack");
    return write_model(c, o->pack ? slm_pack_file : slm_quantize_file, o, "quantizing");
}

static int run_pack(cli *c, const void *opaque)
{
    return write_model(c, slm_pack_file, opaque, "packing");
}

/* A model without a tokenizer runs on ids alone: the user should hear of it now and not from the next command. */
static void note_missing_tokenizer(const cli *c, const char *out)
{
    struct stat st;
    slm_file *file = NULL;
    bool found = false;
    if (c->common.quiet || c->common.json || stat(out, &st) || !S_ISREG(st.st_mode) || slm_file_open(&file, out, NULL, NULL))
        return;
    for (size_t i = 0; i < slm_file_keys(file) && !found; i++) {
        slm_key_info key = SLM_KEY_INFO_INIT;
        found = !slm_file_key(file, i, &key, NULL) && !strcmp(key.name, "tokenizer.ggml.model");
    }
    if (!found)
        fprintf(stderr, "slm convert: %s: note: has no tokenizer, for there was none with the model\n", out);
    slm_file_free(file);
}

static int run_convert(cli *c, const void *opaque)
{
    const options *o = opaque;
    const int code = write_model(c, o->type ? slm_quantize_file : slm_convert_file, o, "converting");
    if (code == CLI_DONE)
        note_missing_tokenizer(c, c->argument[1]);
    return code;
}

static int run_make(cli *c, const void *opaque)
{
    const options *o = opaque;
    return write_model(c, slm_make_model_file, o, "writing");
}

#define VERBOSE { CLI_FLAG, 'v', "verbose", NULL, NULL, 0, 0, offsetof(options, verbose), "a line per tensor too, as --json gives them" }
static const cli_option quantize_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", NULL, 0, 0, offsetof(options, type), "of the matrices: " PACKED_TYPES },
    { CLI_TEXT, 0, "calibrate", "FILE", NULL, 0, 0, offsetof(options, calibrate),
      "text: rounding errors count as much as what IN multiplies them with there" },
    CLI_HEAD("output"),
    { CLI_TEXT, 0, "eval", "FILE", NULL, 0, 0, offsetof(options, eval),
      "text: prints the perplexity of OUT and of IN, and the mean KL divergence from IN" },
    { CLI_FLAG, 0, "pack", NULL, NULL, 0, 0, offsetof(options, pack), "OUT is a packed file, as of slm pack" },
    VERBOSE,
    CLI_END
};

static const cli_option pack_options[] = {
    CLI_HEAD("output"),
    VERBOSE,
    CLI_END
};

const cli_command cmd_pack = {
    .name = "pack", .brief = "writes a model as it lies in memory, to be opened at once", .example = "slm pack model-q4_0.gguf model.slm",
    .arguments = { "IN", "OUT" },
    .about = "The weights stay what they are; every logit is the same bits. A packed file is mapped and used where it lies, shared by all\n"
             "processes that have it open, and is for this program and libslm alone. `slm check` reads it to its end. OUT appears whole or\n"
             "not at all.",
    .options = pack_options, .size = sizeof(options), .no_model = true, .run = run_pack
};

const cli_command cmd_quantize = {
    .name = "quantize", .brief = "writes a model with smaller weights", .example = "slm quantize model-f16.gguf model-q8_0.gguf --type q8_0",
    .arguments = { "IN", "OUT" },
    .about = "Prints for each type of the new file its tensors, their bytes and the largest mean squared error among them. Vectors stay f32,\n"
             "and so do rows that are no multiple of 32. The same input gives the same bytes every time. OUT appears whole or not at all.",
    .options = quantize_options, .size = sizeof(options), .no_model = true, .run = run_quantize
};

static const cli_option convert_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", NULL, 0, 0, offsetof(options, type),
      TYPES "; without it the weights stay as they are" },
    CLI_HEAD("output"),
    VERBOSE,
    CLI_END
};

const cli_command cmd_convert = {
    .name = "convert", .brief = "writes a Hugging Face folder or llama2.c model as GGUF", .example = "slm convert FOLDER model.gguf",
    .arguments = { "IN", "OUT" },
    .about = "IN is a folder with config.json, safetensors (one file or several) and tokenizer, or a llama2.c checkpoint (with --tokenizer\n"
             "tokenizer.bin). Weights are read and written tensor by tensor. OUT appears whole or not at all.",
    .options = convert_options, .size = sizeof(options), .no_model = true, .run = run_convert
};

static const cli_option make_options[] = {
    CLI_HEAD("type"),
    { CLI_TEXT, 0, "type", "T", "q8_0", 0, 0, offsetof(options, type), "of the matrices: " TYPES },
    CLI_HEAD("output"),
    VERBOSE,
    CLI_END
};

const cli_command cmd_make_model = {
    .name = "make-model", .brief = "writes a model of random weights, for benches", .example = "slm make-model smollm2-135m random.gguf",
    .arguments = { "SHAPE", "OUT" },
    .about = "SHAPE is the name of a model whose true shape the file has: smollm2-135m, qwen2.5-0.5b, tinyllama-1.1b, llama-3.2-3b,\n"
             "minilm-l6, distilbert. The vocabulary is made up. The same name and type give the same bytes every time.",
    .options = make_options, .size = sizeof(options), .no_model = true, .run = run_make
};
