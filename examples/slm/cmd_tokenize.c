/* cmd_tokenize.c -- `slm tokenize` and `slm detokenize`: text to ids and back, line by line. No weights are needed.
 *
 * A line of input that is not what was asked for ends the command with its number: an answer in the wrong place would be worse. */
#include "cli.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *prompt, *ids;
    bool special, bos;
} options;

/* ---- input -------------------------------------------------------------------------------------------------------------- */

static slm_status line_ids(cli *c, const cli_lines *lines, const json_t *object, int32_t **ids, size_t *n)
{
    const json_t *array = json_object_get(object, "ids");
    if (!json_is_array(array))
        return cli_line_bad(c, lines, "wants an array, {\"ids\"}");
    const size_t count = json_array_size(array);
    int32_t *list = malloc((count + 1) * sizeof *list);
    if (!list)
        return cli_fail(c, SLM_E_MEMORY, "no memory for %zu ids", count);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(array, i);
        const json_int_t v = json_integer_value(id);
        if (!json_is_integer(id) || v < INT32_MIN || v > INT32_MAX) {
            free(list);
            return cli_line_bad(c, lines, "\"ids\" holds something that is no id");
        }
        list[i] = (int32_t)v;
    }
    *ids = list;
    *n = count;
    return SLM_OK;
}

/* ---- tokenize ----------------------------------------------------------------------------------------------------------- */

static slm_status print_ids(cli *c, const slm_tokenizer *tok, const options *o, const char *text, size_t len)
{
    const unsigned flags = (o->special ? SLM_TEXT_SPECIAL : 0u) | (o->bos ? SLM_TEXT_BOS_EOS : 0u);
    int32_t *ids = NULL;
    size_t n = 0;
    slm_status status = cli_encode(c, tok, text, len, flags, &ids, &n);
    if (!status && c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_open(&j, "ids", '[');
        for (size_t i = 0; i < n; i++)
            cli_json_int(&j, NULL, ids[i]);
        cli_json_shut(&j, ']');
        cli_json_line(&j);
    } else if (!status) {
        for (size_t i = 0; i < n; i++) {
            size_t piece_len = 0;
            const char *piece = slm_tokenizer_text(tok, ids[i], &piece_len);
            printf("%8d  ", (int)ids[i]);
            cli_put_shown(stdout, piece ? piece : "", piece ? piece_len : 0);
            printf("\n");
        }
    }
    free(ids);
    return status;
}

static slm_status tokenize_line(cli *c, const slm_tokenizer *tok, const options *o, const cli_lines *lines)
{
    json_t *object = NULL;
    char *text = NULL;
    size_t n = 0;
    slm_status status = cli_line_object(c, lines, &object);
    if (status)
        return status;
    status = cli_line_text(c, lines, object, &text, &n);
    if (!status)
        status = print_ids(c, tok, o, text, n);
    free(text);
    json_decref(object);
    return status;
}

static slm_status detokenize_line(cli *c, const slm_tokenizer *tok, const options *o, const cli_lines *lines);

/* Answers are flushed one by one, so that a program at the other end of two pipes can wait for each. */
static slm_status each_line(cli *c, const slm_tokenizer *tok, const options *o,
                            slm_status (*line)(cli *, const slm_tokenizer *, const options *, const cli_lines *))
{
    cli_lines lines = { NULL, 0, 0, 0 };
    slm_status status = SLM_OK;
    int more = 1;
    while (!status && (more = cli_next_line(c, &lines)) > 0) {
        status = line(c, tok, o, &lines);
        if (!status && fflush(stdout))
            status = cli_fail_errno(c, "cannot write to stdout");
    }
    free(lines.line);
    return more < 0 ? (slm_status)c->err.status : status;
}

static int run_tokenize(cli *c, const void *opaque)
{
    const options *o = opaque;
    slm_tokenizer *tok = NULL;
    char *text = NULL;
    size_t n = 0;
    slm_status status = cli_open_tokenizer(c, &tok);
    if (!status && o->prompt)
        status = print_ids(c, tok, o, o->prompt, strlen(o->prompt));
    else if (!status && c->common.json)
        status = each_line(c, tok, o, tokenize_line);
    else if (!status && !(status = cli_read_file(c, "-", &text, &n)))
        status = print_ids(c, tok, o, text, n);
    free(text);
    slm_tokenizer_free(tok);
    return cli_end(c, status);
}

/* ---- detokenize --------------------------------------------------------------------------------------------------------- */

static slm_status print_text(cli *c, const slm_tokenizer *tok, const options *o, const int32_t *ids, size_t n_ids)
{
    char *text = NULL;
    size_t n = 0;
    slm_status status = cli_decode(c, tok, ids, n_ids, o->special ? SLM_TEXT_CONTROL : 0u, &text, &n);
    if (!status && !c->common.json) {
        fwrite(text, 1, n, stdout);
    } else if (!status) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        if (cli_is_utf8(text, n)) {
            cli_json_text(&j, "text", text, n);
        } else {
            char *hex = malloc(2 * n + 1);
            for (size_t i = 0; hex && i < n; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)text[i]);
            if (hex)
                cli_json_text(&j, "hex", hex, 2 * n);
            else
                status = cli_fail(c, SLM_E_MEMORY, "no memory for the text of %zu ids", n_ids);
            free(hex);
        }
        cli_json_line(&j);
    }
    free(text);
    return status;
}

static slm_status detokenize_line(cli *c, const slm_tokenizer *tok, const options *o, const cli_lines *lines)
{
    json_t *object = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    slm_status status = cli_line_object(c, lines, &object);
    if (status)
        return status;
    status = line_ids(c, lines, object, &ids, &n);
    if (!status)
        status = print_text(c, tok, o, ids, n);
    free(ids);
    json_decref(object);
    return status;
}

static int run_detokenize(cli *c, const void *opaque)
{
    const options *o = opaque;
    slm_tokenizer *tok = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    const bool by_line = c->common.json && !o->ids;
    slm_status status = by_line ? SLM_OK : cli_read_ids(c, "--ids", o->ids ? o->ids : "@-", &ids, &n);
    if (status == SLM_E_ARG && o->ids && o->ids[0] != '@')
        return cli_usage(c, "%s", c->err.text);
    if (!status)
        status = cli_open_tokenizer(c, &tok);
    if (!status)
        status = by_line ? each_line(c, tok, o, detokenize_line) : print_text(c, tok, o, ids, n);
    free(ids);
    slm_tokenizer_free(tok);
    return cli_end(c, status);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------- */

static const cli_option tokenize_options[] = {
    CLI_HEAD("text"),
    { CLI_TEXT, 'p', "prompt",  "TEXT", NULL, 0, 0, offsetof(options, prompt), "the text; without it stdin" },
    { CLI_FLAG, 0,   "special", NULL,   NULL, 0, 0, offsetof(options, special),
      "text may yield control tokens; not for text of strangers" },
    { CLI_FLAG, 0,   "bos",     NULL,   NULL, 0, 0, offsetof(options, bos), "adds BOS and EOS as the model says" },
    CLI_END
};

const cli_command cmd_tokenize = {
    .name = "tokenize", .brief = "turns text into token ids", .example = "slm tokenize -p \"Once upon a time\"",
    .about = "Prints a table of ids and pieces. With --json it reads lines {\"text\":...}, or {\"hex\":...} for bytes that are not UTF-8,\n"
             "and answers each with {\"ids\":[...]}. A file with a vocabulary and no weights will do.",
    .options = tokenize_options, .size = sizeof(options), .run = run_tokenize
};

static const cli_option detokenize_options[] = {
    CLI_HEAD("ids"),
    { CLI_TEXT, 0, "ids",     "1,2,3|@FILE", NULL, 0, 0, offsetof(options, ids), "the ids; without it stdin" },
    { CLI_FLAG, 0, "special", NULL,          NULL, 0, 0, offsetof(options, special),
      "control tokens appear as their text, else they give nothing" },
    CLI_END
};

const cli_command cmd_detokenize = {
    .name = "detokenize", .brief = "turns token ids into text", .example = "slm detokenize --ids 1,403,407",
    .about = "Prints the bytes. With --json it reads lines {\"ids\":[...]} and answers each with {\"text\":...}, or with {\"hex\":...} if the\n"
             "bytes are not UTF-8. SentencePiece's own leading space is off: this is the inverse of tokenize.",
    .options = detokenize_options, .size = sizeof(options), .run = run_detokenize
};
