/* cmd_template.c -- `slm template`: conversations to prompts by a chat template, line by line. No weights are needed.
 *
 * A conversation the template refuses, or cannot render, is an answer like any other: a line with the error, so that answer n belongs
 * to line n. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *template_file, *now;
    bool ids, spans;
    uint64_t fuel;
} options;

typedef struct work {
    slm_template *tmpl;
    slm_tokenizer *tok;         /* with --ids */
    slm_render_params params;
    const options *o;
} work;

/* ---- a conversation ---- */

static const char *error_kind(slm_status status)
{
    return status == SLM_E_MISMATCH ? "raise_exception" : status == SLM_E_UNSUPPORTED ? "unsupported" : status == SLM_E_LIMIT ? "limit" : "runtime";
}

static slm_status print_prompt(cli *c, const work *w, const slm_rendered *r)
{
    size_t len, n_spans, n_ids = 0;
    const char *text = slm_rendered_text(r, &len);
    const slm_span *spans = slm_rendered_spans(r, &n_spans);
    int32_t *ids = NULL;
    slm_status status = w->tok ? cli_encode_rendered(c, w->tok, r, &ids, &n_ids) : SLM_OK;
    if (!status && !c->common.json) {
        fwrite(text, 1, len, stdout);
        printf("\n");
    } else if (!status) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_text(&j, "rendered", text, len);
        if (w->o->spans) {
            cli_json_open(&j, "spans", '[');
            for (size_t i = 0; i < n_spans; i++) {
                cli_json_open(&j, NULL, '[');
                cli_json_count(&j, NULL, spans[i].offset);
                cli_json_count(&j, NULL, spans[i].len);
                cli_json_word(&j, NULL, spans[i].kind == SLM_SPAN_LITERAL ? "literal" : "content");
                cli_json_shut(&j, ']');
            }
            cli_json_shut(&j, ']');
        }
        if (w->tok) {
            cli_json_open(&j, "ids", '[');
            for (size_t i = 0; i < n_ids; i++)
                cli_json_int(&j, NULL, ids[i]);
            cli_json_shut(&j, ']');
        }
        cli_json_line(&j);
    }
    free(ids);
    return status;
}

static slm_status do_line(cli *c, const work *w, const cli_lines *lines)
{
    slm_rendered *r = NULL;
    slm_status status = slm_template_render(&r, w->tmpl, lines->line, lines->n, &w->params, &c->err);
    if (!status) {
        status = print_prompt(c, w, r);
        slm_rendered_free(r);
        return status;
    }
    if (status == SLM_E_MEMORY || !c->common.json)
        return status;
    cli_json j = { stdout, false };
    cli_json_open(&j, NULL, '{');
    cli_json_word(&j, "error", c->err.text);
    cli_json_word(&j, "error_kind", error_kind(status));
    cli_json_line(&j);
    return SLM_OK;
}

static slm_status each_line(cli *c, const work *w)
{
    cli_lines lines = { NULL, 0, 0, 0 };
    slm_status status = SLM_OK;
    int more = 1;
    while (!status && (more = cli_next_line(c, &lines)) > 0) {
        status = do_line(c, w, &lines);
        if (!status && fflush(stdout))
            status = cli_fail_errno(c, "cannot write to stdout");
    }
    free(lines.line);
    return more < 0 ? (slm_status)c->err.status : status;
}

static int run_template(cli *c, const void *opaque)
{
    char now[32];
    work w = { .params = SLM_RENDER_PARAMS_INIT, .o = opaque };
    w.params.now = w.o->now ? w.o->now : cli_now(now);
    w.params.fuel = w.o->fuel;
    slm_status status = cli_open_template(c, w.o->template_file, NULL, &w.tmpl);
    if (!status && w.o->ids)
        status = cli_open_tokenizer(c, &w.tok);
    if (!status && w.o->now) {                      /* a time that is none would otherwise be the fault of every line */
        slm_rendered *r = NULL;
        status = slm_template_render(&r, w.tmpl, "", 0, &w.params, &c->err);
        slm_rendered_free(r);
        if (status == SLM_E_ARG) {
            slm_template_free(w.tmpl);
            slm_tokenizer_free(w.tok);
            return cli_usage(c, "--now wants a time like 2024-07-26T09:30:00, not '%s'", w.o->now);
        }
        status = SLM_OK;
    }
    if (!status)
        status = each_line(c, &w);
    slm_template_free(w.tmpl);
    slm_tokenizer_free(w.tok);
    return cli_end(c, status);
}

/* ---- table ------------------------------------------------------------------------------------------------------------------ */

static const cli_option template_options[] = {
    CLI_HEAD("template"),
    { CLI_TEXT,  0, "template", "FILE", NULL, 0, 0, offsetof(options, template_file), "the template; without it that of the model" },
    { CLI_TEXT,  0, "now",      "TIME", NULL, 0, 0, offsetof(options, now), "what strftime_now shows, as 2024-07-26T09:30:00; without it the time it is" },
    { CLI_COUNT, 0, "fuel",     "N",    "0",  0, 0, offsetof(options, fuel), "steps a rendering may take; 0: 16,777,216 and 64 for each byte" },
    CLI_HEAD("output"),
    { CLI_FLAG,  0, "spans",    NULL,   NULL, 0, 0, offsetof(options, spans), "with --json: [offset, bytes, literal|content] of each span too" },
    { CLI_FLAG,  0, "ids",      NULL,   NULL, 0, 0, offsetof(options, ids), "with --json: the prompt's token ids too (of the model named by -m)" },
    CLI_END
};

const cli_command cmd_template = {
    .name = "template", .brief = "turns conversations into prompts", .example = "slm template -m MODEL --json < conversations.jsonl",
    .about = "Reads conversations, one JSON object per line: messages, and if wanted tools, documents, add_generation_prompt, bos_token,\n"
             "eos_token and extra, an object of more variables. Prints each prompt; with --json as {\"rendered\":...}, or as\n"
             "{\"error\":...,\"error_kind\":...} if the template refuses the conversation (raise_exception: its own message) or cannot be run.",
    .options = template_options, .size = sizeof(options), .run = run_template
};
