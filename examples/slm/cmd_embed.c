/* cmd_embed.c -- `slm embed`: texts in, a vector for each out, in the same order.
 *
 * Lines are read in groups, which share the passes over the weights; a vector does not depend on what it shares them with. A line that
 * cannot be done ends the command with its number: an answer in the wrong place would be worse. */
#include "cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *prompt, *input, *pooling, *out;
    uint64_t column, group, context;
    bool normalize, truncate, special;
} options;

/* The texts of a group and where their vectors go. */
typedef struct group {
    slm_embed_item *items;      /* [room] */
    char **texts;               /* [room] freed by clear */
    uint64_t *lines;            /* [room] numbers; 0: no line */
    float *vectors;             /* [room][width] */
    slm_error *errors;          /* [room] */
    size_t n, room, width;
} group;

static void clear(group *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->texts[i]);
    g->n = 0;
}

static slm_status make_group(cli *c, group *g, size_t room, size_t width)
{
    g->room = room;
    g->width = width;
    g->items = calloc(room, sizeof *g->items);
    g->texts = calloc(room, sizeof *g->texts);
    g->lines = calloc(room, sizeof *g->lines);
    g->vectors = calloc(room, width * sizeof *g->vectors);
    g->errors = calloc(room, sizeof *g->errors);
    return g->items && g->texts && g->lines && g->vectors && g->errors ? SLM_OK : cli_fail(c, SLM_E_MEMORY, "no memory for %zu texts", room);
}

/* Takes over `text`. */
static void add(group *g, char *text, size_t len, uint64_t number)
{
    g->texts[g->n] = text;
    g->lines[g->n] = number;
    g->items[g->n] = (slm_embed_item){ text, len, NULL, 0, g->vectors + g->n * g->width, g->errors + g->n, SLM_OK, 0 };
    g->n++;
}

/* ---- input -------------------------------------------------------------------------------------------------------------- */

static slm_status copy(cli *c, const char *text, size_t n, char **own)
{
    *own = malloc(n + 1);
    if (!*own)
        return cli_fail(c, SLM_E_MEMORY, "no memory for a line");
    memcpy(*own, text, n);
    return SLM_OK;
}

/* The cell of a line of cells between tabs. */
static slm_status cell(cli *c, const cli_lines *lines, uint64_t column, const char **text, size_t *n)
{
    const char *at = lines->line, *end = at + lines->n, *tab;
    for (uint64_t i = 1; i < column; i++) {
        if (!(tab = memchr(at, '\t', (size_t)(end - at))))
            return cli_fail(c, SLM_E_FORMAT, "stdin: line %llu: has %llu columns, the text is asked from column %llu",
                            (unsigned long long)lines->number, (unsigned long long)i, (unsigned long long)column);
        at = tab + 1;
    }
    tab = memchr(at, '\t', (size_t)(end - at));
    *text = at;
    *n = (size_t)((tab ? tab : end) - at);
    return SLM_OK;
}

static slm_status read_line(cli *c, const options *o, const cli_lines *lines, char **text, size_t *n)
{
    const char *part = lines->line;
    json_t *object = NULL;
    slm_status status = SLM_OK;
    *n = lines->n;
    if (!strcmp(o->input, "jsonl")) {
        status = cli_line_object(c, lines, &object);
        if (!status)
            status = cli_line_text(c, lines, object, text, n);
        json_decref(object);
        return status;
    }
    if (!strcmp(o->input, "tsv"))
        status = cell(c, lines, o->column, &part, n);
    else if (*n && part[*n - 1] == '\r')
        --*n;
    return status ? status : copy(c, part, *n, text);
}

/* ---- output ------------------------------------------------------------------------------------------------------------- */

static void print(const slm_embed_item *item, size_t width)
{
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_count(&j, "tokens", item->n);
    cli_json_open(&j, "embedding", '[');
    for (size_t i = 0; i < width; i++)
        cli_json_float(&j, NULL, item->vector[i]);
    cli_json_shut(&j, ']');
    cli_json_line(&j);
}

static slm_status embed_group(cli *c, const options *o, slm_encoder *encoder, group *g, cli_file *file)
{
    slm_embed_params params = SLM_EMBED_PARAMS_INIT;
    params.pooling = !strcmp(o->pooling, "mean") ? SLM_POOLING_MEAN : !strcmp(o->pooling, "first") ? SLM_POOLING_FIRST
                   : !strcmp(o->pooling, "last") ? SLM_POOLING_LAST : SLM_POOLING_FILE;
    params.normalize = o->normalize;
    params.truncate = o->truncate;
    params.flags = o->special ? SLM_TEXT_SPECIAL : 0;
    slm_status status = slm_embed(encoder, g->items, g->n, &params, &c->err);
    bool blamed = false;
    for (size_t i = 0; i < g->n; i++)
        blamed |= g->items[i].status != SLM_OK;
    if (status && !blamed)                          /* nothing was done */
        return status;
    for (size_t i = 0; i < g->n; i++) {
        const char *why = g->errors[i].text;
        if (g->items[i].status && g->lines[i])
            return cli_fail(c, g->items[i].status, "stdin: line %llu: %s", (unsigned long long)g->lines[i], why);
        if (g->items[i].status)
            return cli_fail(c, g->items[i].status, "%s", why);
        if (!file)
            print(&g->items[i], g->width);
        else if ((status = cli_file_put_floats(c, file, g->items[i].vector, g->width)) != SLM_OK)
            return status;
    }
    clear(g);
    return !file && fflush(stdout) ? cli_fail_errno(c, "cannot write to stdout") : SLM_OK;
}

static slm_status embed_lines(cli *c, const options *o, slm_encoder *encoder, group *g, cli_file *file)
{
    cli_lines lines = { NULL, 0, 0, 0 };
    slm_status status = SLM_OK;
    int more = 1;
    while (!status && (more = cli_next_line(c, &lines)) > 0) {
        char *text = NULL;
        size_t n = 0;
        status = read_line(c, o, &lines, &text, &n);
        if (!status)
            add(g, text, n, lines.number);
        if (!status && g->n == g->room)
            status = embed_group(c, o, encoder, g, file);
    }
    free(lines.line);
    if (more < 0)
        return (slm_status)c->err.status;
    return status || !g->n ? status : embed_group(c, o, encoder, g, file);
}

static slm_status embed_all(cli *c, const options *o, slm_encoder *encoder, size_t width, cli_file *file)
{
    group g = { 0 };
    slm_status status = make_group(c, &g, o->prompt ? 1 : (size_t)o->group, width);
    if (!status && o->prompt) {
        char *text = NULL;
        if (!(status = copy(c, o->prompt, strlen(o->prompt), &text)))
            add(&g, text, strlen(o->prompt), 0);
        if (!status)
            status = embed_group(c, o, encoder, &g, file);
    } else if (!status) {
        status = embed_lines(c, o, encoder, &g, file);
    }
    clear(&g);
    free(g.items);
    free(g.texts);
    free(g.lines);
    free(g.vectors);
    free(g.errors);
    return status;
}

static slm_status embed(cli *c, const options *o, cli_file *file)
{
    slm_encoder_params params = SLM_ENCODER_PARAMS_INIT;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_model *model = NULL;
    slm_encoder *encoder = NULL;
    params.context = (uint32_t)o->context;
    slm_status status = cli_open_model(c, &model);
    if (!status)
        status = slm_model_get_info(model, &info, &c->err);
    if (!status)
        status = slm_encoder_new(&encoder, model, &params, &c->err);
    if (!status) {
        cli_cancel_encoder(encoder);
        status = embed_all(c, o, encoder, info.embedding, file);
    }
    cli_cancel_encoder(NULL);
    slm_encoder_free(encoder);
    slm_model_free(model);
    return status;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    cli_file file;
    if (!o->out)
        return cli_end(c, embed(c, o, NULL));
    slm_status status = cli_file_open(c, &file, o->out);
    if (!status) {
        status = embed(c, o, &file);
        if (status)
            cli_file_abort(&file);
        else
            status = cli_file_commit(c, &file);
    }
    return cli_end(c, status);
}

static const cli_option table[] = {
    CLI_HEAD("texts"),
    { CLI_TEXT,   'p', "prompt",    "TEXT", NULL, 0, 0, offsetof(options, prompt), "the one text; without it stdin" },
    { CLI_CHOICE, 0,   "input",     "lines|tsv|jsonl", "lines", 0, 0, offsetof(options, input),
      "what stdin holds: a text a line, cells between tabs, or {\"text\":...}" },
    { CLI_COUNT,  0,   "column",    "N", "1", 1, 1024, offsetof(options, column), "which cell of a line of tsv is the text" },
    { CLI_FLAG,   0,   "special",   NULL, NULL, 0, 0, offsetof(options, special), "texts may yield control tokens; not for text of strangers" },
    { CLI_FLAG,   0,   "truncate",  NULL, NULL, 0, 0, offsetof(options, truncate), "of a text beyond the context only the beginning is taken" },
    { CLI_COUNT,  'c', "context",   "N", NULL, 1, 16777216, offsetof(options, context), "tokens of the longest text (default: the model's own)" },
    { CLI_COUNT,  0,   "group",     "N", "256", 1, 65536, offsetof(options, group),
      "texts read before they are answered together; 1 for a dialogue. No vector depends on it" },
    CLI_HEAD("vectors"),
    { CLI_CHOICE, 0,   "pooling",   "file|mean|first|last", "file", 0, 0, offsetof(options, pooling),
      "which tokens become the vector: as the file says (else the mean), all, the first, the last" },
    { CLI_FLAG,   0,   "normalize", NULL, NULL, 0, 0, offsetof(options, normalize), "vectors of length 1: their products are cosines" },
    { CLI_TEXT,   'o', "out",       "FILE", NULL, 0, 0, offsetof(options, out), "writes little-endian f32 [texts][hidden] instead (- is stdout)" },
    CLI_END
};

const cli_command cmd_embed = {
    .name = "embed", .brief = "turns texts into vectors", .example = "slm embed -m minilm.gguf --normalize < sentences.txt",
    .about = "Needs an encoder (bert, nomic-bert, modern-bert, t5encoder). Answers each line of stdin with {\"tokens\":N,\"embedding\":[...]}, in\n"
             "the order of the lines; the numbers are the shortest that read back as the same f32.",
    .options = table, .size = sizeof(options), .run = run
};
