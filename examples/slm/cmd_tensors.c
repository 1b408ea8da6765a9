/* cmd_tensors.c -- `slm tensors`: what a file holds, with the hash or the values of the weights. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *name, *out;
    bool sha256;
} options;

static slm_status read_values(cli *c, const slm_file *file, size_t index, const slm_tensor_info *t, float **values, size_t *n)
{
    size_t count = 1, bytes;
    for (int d = 0; d < 4; d++)
        if (__builtin_mul_overflow(count, t->dims[d], &count))
            return cli_fail(c, SLM_E_LIMIT, "tensor '%s': too many elements", t->name);
    if (__builtin_mul_overflow(count, sizeof(float), &bytes) || !(*values = malloc(bytes ? bytes : 1)))
        return cli_fail(c, SLM_E_MEMORY, "tensor '%s': no memory for %zu floats", t->name, count);
    *n = count;
    return slm_file_read(file, index, *values, count, &c->err);
}

static void print(const cli *c, const slm_tensor_info *t, const char *sha256)
{
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_word(&j, "name", t->name);
        cli_json_word(&j, "type", t->type);
        cli_json_open(&j, "shape", '[');
        for (uint32_t d = 0; d < t->n_dims; d++)
            cli_json_count(&j, NULL, t->dims[d]);
        cli_json_shut(&j, ']');
        cli_json_count(&j, "offset", t->offset);
        cli_json_count(&j, "bytes", t->bytes);
        if (sha256)
            cli_json_word(&j, "sha256", sha256);
        cli_json_line(&j);
        return;
    }
    char shape[96];
    int used = 0;
    for (uint32_t d = 0; d < t->n_dims && used >= 0 && (size_t)used < sizeof shape; d++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%llu", d ? "x" : "", (unsigned long long)t->dims[d]);
    printf("%-36s %-7s %-16s %12llu %12llu%s%s\n", t->name, t->type, shape, (unsigned long long)t->offset,
           (unsigned long long)t->bytes, sha256 ? " " : "", sha256 ? sha256 : "");
}

static slm_status one(cli *c, const slm_file *file, size_t index, const slm_tensor_info *t, const options *o)
{
    float *values = NULL;
    size_t n = 0;
    char hex[65];
    slm_status status = o->sha256 || o->out ? read_values(c, file, index, t, &values, &n) : SLM_OK;
    if (!status && o->sha256) {
        cli_floats_to_little(values, n);
        slm_sha256(hex, values, n * sizeof *values);
        cli_floats_to_little(values, n);
    }
    if (!status && o->out) {
        cli_file f;
        status = cli_file_open(c, &f, o->out);
        if (!status) {
            status = cli_file_put_floats(c, &f, values, n);
            if (status)
                cli_file_abort(&f);
            else
                status = cli_file_commit(c, &f);
        }
    } else if (!status) {
        print(c, t, o->sha256 ? hex : NULL);
    }
    free(values);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    slm_file *file = NULL;
    bool found = false;
    if (o->out && !o->name)
        return cli_usage(c, "--out writes the values of one tensor; say which with --name");
    if (o->out && o->sha256)
        return cli_usage(c, "--out and --sha256 exclude each other");
    slm_status status = cli_open_file(c, &file, true);
    for (size_t i = 0; !status && i < slm_file_tensors(file); i++) {
        slm_tensor_info t = SLM_TENSOR_INFO_INIT;
        if (cli_signal())
            status = cli_fail(c, SLM_E_CANCELLED, "interrupted");
        else
            status = slm_file_tensor(file, i, &t, &c->err);
        if (status || (o->name && strcmp(o->name, t.name)))
            continue;
        found = true;
        status = one(c, file, i, &t, o);
    }
    if (!status && o->name && !found)
        status = cli_fail(c, SLM_E_NOT_FOUND, "no tensor is named '%s'", o->name);
    slm_file_free(file);
    return cli_end(c, status);
}

static const cli_option table[] = {
    CLI_HEAD("what"),
    { CLI_TEXT, 0,   "name",   "T",    NULL, 0, 0, offsetof(options, name), "only this tensor" },
    { CLI_TEXT, 'o', "out",    "FILE", NULL, 0, 0, offsetof(options, out),
      "writes its values as little-endian f32 instead (- is stdout)" },
    { CLI_FLAG, 0,   "sha256", NULL,   NULL, 0, 0, offsetof(options, sha256),
      "adds the SHA-256 of the values as little-endian f32" },
    CLI_END
};

const cli_command cmd_tensors = {
    .name = "tensors", .brief = "lists the tensors of a file", .example = "slm tensors -m model.gguf",
    .about = "A line per tensor: name, type, shape (fastest dimension first), offset in the file, bytes. Hashes and values are those\n"
             "of the tensor dequantized, row by row in file order.",
    .options = table, .size = sizeof(options), .run = run
};
