/* cmd_info.c -- `slm info`: what a model file is, how much memory it takes, and what is odd about it.
 *
 * Everything comes from the table of the file; no weight is read, so it answers at once for a file of any size, and also for
 * architectures that the library does not run. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct kind { const char *type; uint64_t tensors, bytes; } kind;

enum { KINDS = 48 };

typedef struct facts {
    char     architecture[64], name[128];
    uint64_t parameters, weight_bytes, end;          /* end: of the last tensor in the file */
    uint64_t context, embedding, layers, heads, kv_heads, head_size, feed_forward, vocab;
    uint64_t encoder, pooling;                        /* 1: every token sees all; the key pooling_type */
    kind     kinds[KINDS];
    size_t   n_kinds, unknown;
    const char *template_family;                      /* NULL: the file has no template */
    slm_tokenizer_info tokenizer;
    char     no_tokenizer[496];                       /* why there is none */
} facts;

static void copy_text(char *to, size_t room, const slm_key_info *key)
{
    const size_t n = key->text_len < room - 1 ? key->text_len : room - 1;
    memcpy(to, key->text, n);
    to[n] = 0;
}

/* A template is known by the marks of its turns. */
static const char *family(const char *text, size_t n)
{
    static const struct { const char *mark, *family; } known[] = {
        { "<|im_start|>", "chatml" }, { "<|start_header_id|>", "llama3" }, { "<start_of_turn>", "gemma" },
        { "<|start_of_role|>", "granite" }, { "[INST]", "llama2" }, { "<|assistant|>", "zephyr" }, { "<|end|>", "phi3" },
        { "### Instruction", "alpaca" },
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (memmem(text, n, known[k].mark, strlen(known[k].mark)))
            return known[k].family;
    return "other";
}

static void number_of(facts *f, const char *name, double number)
{
    const struct { const char *name; uint64_t *to; } wanted[] = {
        { "context_length", &f->context }, { "embedding_length", &f->embedding }, { "block_count", &f->layers },
        { "attention.head_count", &f->heads }, { "attention.head_count_kv", &f->kv_heads }, { "attention.key_length", &f->head_size },
        { "feed_forward_length", &f->feed_forward }, { "vocab_size", &f->vocab }, { "pooling_type", &f->pooling },
    };
    if (!strcmp(name, "attention.causal"))
        f->encoder = number == 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!strcmp(name, wanted[i].name) && number >= 0 && number < 1e15)
            *wanted[i].to = (uint64_t)number;
}

static slm_status read_keys(cli *c, const slm_file *file, facts *f)
{
    size_t len;
    slm_status status = SLM_OK;
    for (size_t pass = 0; pass < 2 && !status; pass++)      /* the architecture first: it is the prefix of the others */
        for (size_t i = 0; i < slm_file_keys(file) && !status; i++) {
            slm_key_info key = SLM_KEY_INFO_INIT;
            status = slm_file_key(file, i, &key, &c->err);
            if (status)
                break;
            len = strlen(f->architecture);
            if (!pass && key.text && !strcmp(key.name, "general.architecture"))
                copy_text(f->architecture, sizeof f->architecture, &key);
            else if (!pass && key.text && !strcmp(key.name, "general.name"))
                copy_text(f->name, sizeof f->name, &key);
            else if (!pass && key.text && !strcmp(key.name, "tokenizer.chat_template"))
                f->template_family = family(key.text, key.text_len);
            else if (pass && key.array && !strcmp(key.name, "tokenizer.ggml.tokens") && !f->vocab)
                f->vocab = key.count;
            else if (pass && len && !key.array && !key.text && !strncmp(key.name, f->architecture, len) && key.name[len] == '.')
                number_of(f, key.name + len + 1, key.number);
        }
    if (!f->kv_heads)
        f->kv_heads = f->heads;
    if (!f->head_size && f->heads)
        f->head_size = f->embedding / f->heads;
    return status;
}

static void count_kind(facts *f, const slm_tensor_info *t)
{
    size_t k = 0;
    while (k < f->n_kinds && strcmp(f->kinds[k].type, t->type))
        k++;
    if (k == KINDS)
        return;
    if (k == f->n_kinds)
        f->kinds[f->n_kinds++] = (kind){ t->type, 0, 0 };
    f->kinds[k].tensors++;
    f->kinds[k].bytes += t->bytes;
}

static slm_status read_tensors(cli *c, const slm_file *file, facts *f)
{
    for (size_t i = 0; i < slm_file_tensors(file); i++) {
        slm_tensor_info t = SLM_TENSOR_INFO_INIT;
        slm_status status = slm_file_tensor(file, i, &t, &c->err);
        if (status)
            return status;
        f->parameters += t.dims[0] * t.dims[1] * t.dims[2] * t.dims[3];
        f->weight_bytes += t.bytes;
        f->unknown += !t.bytes;
        if (t.offset + t.bytes > f->end)
            f->end = t.offset + t.bytes;
        count_kind(f, &t);
    }
    return SLM_OK;
}

/* A file without a usable tokenizer is still a file to describe: the reason becomes a fact. */
static void read_tokenizer(cli *c, facts *f, slm_tokenizer **tok)
{
    slm_status status = cli_open_tokenizer(c, tok);
    if (!status)
        status = slm_tokenizer_get_info(*tok, &f->tokenizer, &c->err);
    if (status) {
        (void)snprintf(f->no_tokenizer, sizeof f->no_tokenizer, "%s", c->err.text[0] ? c->err.text : slm_status_text(status));
        slm_tokenizer_free(*tok);
        *tok = NULL;
        memset(&c->err, 0, sizeof c->err);
    }
}

/* The k-th odd thing, or false after the last. */
static bool odd(const slm_file *file, const facts *f, bool has_tokenizer, size_t k, char *text, size_t room)
{
    const bool one_file = !strncmp(slm_file_format(file), "GGUF v", 6);     /* offsets of a model in several count in each */
    const uint64_t behind = one_file && slm_file_size(file) > f->end && f->end ? slm_file_size(file) - f->end : 0;
    int n = 0;
    text[0] = 0;
    if (f->unknown && k-- == 0)
        n = snprintf(text, room, "%zu tensors of a type that this version does not know", f->unknown);
    else if (behind >= 4096 && k-- == 0)
        n = snprintf(text, room, "%llu bytes after the last tensor", (unsigned long long)behind);
    else if (!slm_file_tensors(file) && k-- == 0)
        n = snprintf(text, room, "no tensors: a vocabulary alone");
    else if (!f->architecture[0] && k-- == 0)
        n = snprintf(text, room, "no general.architecture");
    else if (has_tokenizer && f->tokenizer.duplicates && k-- == 0)
        n = snprintf(text, room, "%u tokens whose text another token has", f->tokenizer.duplicates);
    else if (has_tokenizer && f->vocab && f->tokenizer.vocab != f->vocab && k-- == 0)
        n = snprintf(text, room, "the tokenizer has %u tokens, the model %llu", f->tokenizer.vocab, (unsigned long long)f->vocab);
    return n > 0;
}

static uint64_t cache_bytes(const facts *f)
{
    const uint64_t most = 1u << 24;     /* beyond this the file lies, and a product would wrap */
    if (f->layers > most || f->kv_heads > 65536 || f->head_size > 65536)
        return 0;
    return (f->encoder ? 1 : f->layers) * f->kv_heads * f->head_size * 2 * 2;     /* keys and values, f16; an encoder keeps those of a layer */
}

static const char *pooling(const facts *f)
{
    static const char *const names[] = { "none", "mean", "first", "last", "rank" };
    return f->pooling < sizeof names / sizeof *names ? names[f->pooling] : "unknown";
}

static void print_tokenizer_json(cli_json *j, const facts *f, bool has)
{
    const slm_tokenizer_info *t = &f->tokenizer;
    if (!has) {
        cli_json_word(j, "tokenizer", NULL);
        cli_json_word(j, "no_tokenizer", f->no_tokenizer);
        return;
    }
    cli_json_open(j, "tokenizer", '{');
    cli_json_word(j, "kind", t->kind);
    cli_json_word(j, "pre", t->pre);
    cli_json_count(j, "vocab", t->vocab);
    cli_json_int(j, "bos", t->bos);
    cli_json_int(j, "eos", t->eos);
    cli_json_int(j, "unk", t->unk);
    cli_json_flag(j, "add_bos", t->add_bos);
    cli_json_flag(j, "add_eos", t->add_eos);
    cli_json_flag(j, "add_space_prefix", t->add_space_prefix);
    cli_json_shut(j, '}');
}

static void print_json(const slm_file *file, const facts *f, bool has_tokenizer, const char *path, uint64_t context)
{
    cli_json j = { stdout, false };
    char text[160];
    cli_json_open(&j, NULL, '{');
    cli_json_word(&j, "file", path);
    cli_json_word(&j, "format", slm_file_format(file));
    cli_json_word(&j, "architecture", f->architecture);
    cli_json_word(&j, "name", f->name);
    cli_json_count(&j, "file_bytes", slm_file_size(file));
    cli_json_count(&j, "keys", slm_file_keys(file));
    cli_json_count(&j, "tensors", slm_file_tensors(file));
    cli_json_count(&j, "parameters", f->parameters);
    cli_json_count(&j, "weight_bytes", f->weight_bytes);
    cli_json_open(&j, "types", '[');
    for (size_t k = 0; k < f->n_kinds; k++) {
        cli_json_open(&j, NULL, '{');
        cli_json_word(&j, "type", f->kinds[k].type);
        cli_json_count(&j, "tensors", f->kinds[k].tensors);
        cli_json_count(&j, "bytes", f->kinds[k].bytes);
        cli_json_shut(&j, '}');
    }
    cli_json_shut(&j, ']');
    cli_json_count(&j, "context", f->context);
    cli_json_count(&j, "vocab", f->vocab);
    cli_json_count(&j, "embedding", f->embedding);
    cli_json_count(&j, "layers", f->layers);
    cli_json_count(&j, "heads", f->heads);
    cli_json_count(&j, "kv_heads", f->kv_heads);
    cli_json_count(&j, "head_size", f->head_size);
    cli_json_count(&j, "feed_forward", f->feed_forward);
    if (f->encoder) {
        cli_json_flag(&j, "encoder", true);
        cli_json_word(&j, "pooling", pooling(f));
    }
    print_tokenizer_json(&j, f, has_tokenizer);
    cli_json_word(&j, "template", f->template_family);
    cli_json_open(&j, "memory", '{');
    cli_json_count(&j, "weights", f->weight_bytes);
    cli_json_count(&j, "cache_per_token", cache_bytes(f));
    cli_json_count(&j, "context", context);
    cli_json_count(&j, "total", f->weight_bytes + context * cache_bytes(f));
    cli_json_shut(&j, '}');
    cli_json_open(&j, "odd", '[');
    for (size_t k = 0; odd(file, f, has_tokenizer, k, text, sizeof text); k++)
        cli_json_word(&j, NULL, text);
    cli_json_shut(&j, ']');
    cli_json_line(&j);
}

static void line(const char *name, const char *text)
{
    printf("%-14s ", name);
    cli_put_shown(stdout, text, strlen(text));
    printf("\n");
}

static void count(const char *name, uint64_t value)
{
    if (value)
        printf("%-14s %llu\n", name, (unsigned long long)value);
}

static void print_text(const slm_file *file, const facts *f, bool has_tokenizer, const char *path, uint64_t context)
{
    const slm_tokenizer_info *t = &f->tokenizer;
    char text[160];
    line("file", path);
    printf("%-14s %s, %llu bytes, %zu keys, %zu tensors\n", "format", slm_file_format(file), (unsigned long long)slm_file_size(file),
           slm_file_keys(file), slm_file_tensors(file));
    line("architecture", f->architecture[0] ? f->architecture : "none");
    if (f->name[0])
        line("name", f->name);
    count("parameters", f->parameters);
    for (size_t k = 0; k < f->n_kinds; k++)
        printf("%-14s %-6s %5llu tensors %14llu bytes\n", k ? "" : "types", f->kinds[k].type, (unsigned long long)f->kinds[k].tensors,
               (unsigned long long)f->kinds[k].bytes);
    count("context", f->context);
    count("vocab", f->vocab);
    count("embedding", f->embedding);
    count("layers", f->layers);
    if (f->heads)
        printf("%-14s %llu of %llu values, %llu for keys and values\n", "heads", (unsigned long long)f->heads,
               (unsigned long long)f->head_size, (unsigned long long)f->kv_heads);
    count("feed forward", f->feed_forward);
    if (f->encoder)
        line("pooling", pooling(f));
    if (has_tokenizer)
        printf("%-14s %s%s%s, %u tokens, bos %d%s, eos %d%s, unk %d\n", "tokenizer", t->kind, t->pre[0] ? " " : "", t->pre, t->vocab,
               (int)t->bos, t->add_bos ? " (added)" : "", (int)t->eos, t->add_eos ? " (added)" : "", (int)t->unk);
    else
        line("tokenizer", f->no_tokenizer);
    line("template", f->template_family ? f->template_family : "none");
    if (f->weight_bytes)
        printf("%-14s about %.1f MB: weights %.1f, cache %.1f for %llu tokens\n", "memory",
               (double)(f->weight_bytes + context * cache_bytes(f)) * 1e-6, (double)f->weight_bytes * 1e-6,
               (double)(context * cache_bytes(f)) * 1e-6, (unsigned long long)context);
    for (size_t k = 0; odd(file, f, has_tokenizer, k, text, sizeof text); k++)
        line(k ? "" : "odd", text);
}

static int run(cli *c, const void *opaque)
{
    (void)opaque;
    facts f = { .tokenizer = SLM_TOKENIZER_INFO_INIT };
    slm_file *file = NULL;
    slm_tokenizer *tok = NULL;
    const char *path = NULL;
    slm_status status = cli_open_file(c, &file, true);
    if (!status)
        status = read_keys(c, file, &f);
    if (!status)
        status = read_tensors(c, file, &f);
    if (!status)
        status = cli_model_path(c, &path);
    if (!status) {
        const uint64_t context = f.context && f.context < 4096 ? f.context : 4096;
        read_tokenizer(c, &f, &tok);
        (c->common.json ? print_json : print_text)(file, &f, tok != NULL, path, context);
    }
    slm_tokenizer_free(tok);
    slm_file_free(file);
    return cli_end(c, status);
}

const cli_command cmd_info = {
    .name = "info", .brief = "describes a model file", .example = "slm info -m model.gguf",
    .about = "Architecture, sizes, types, context, tokenizer, chat template, the memory it takes to run at its own context (at most 4096\n"
             "tokens), and what is odd about the file. Reads no weights.",
    .options = NULL, .size = 0, .run = run
};
