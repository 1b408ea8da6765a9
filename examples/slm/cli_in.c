/* cli_in.c -- what enters the program: files, lines of stdin, lists of ids. Every size has a bound. */
#include "cli.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 1 << 30, LINE_MOST = 16 << 20 };

/* Room for one byte more. */
static bool grow(char **text, size_t n, size_t *room, size_t most)
{
    if (n + 1 < *room)
        return true;
    const size_t wanted = *room ? *room * 2 : 4096;
    char *bigger = n < most ? realloc(*text, wanted) : NULL;
    if (!bigger)
        return false;
    *text = bigger;
    *room = wanted;
    return true;
}

static slm_status read_all(cli *c, FILE *from, const char *name, char **text, size_t *n)
{
    char *all = NULL;
    size_t used = 0, room = 0, got;
    do {
        if (!grow(&all, used, &room, FILE_MOST)) {
            free(all);
            return cli_fail(c, SLM_E_LIMIT, "%s: no room for more than %zu bytes", name, used);
        }
        got = fread(all + used, 1, room - used - 1, from);
        used += got;
    } while (got && !cli_signal());
    if (ferror(from) || cli_signal()) {
        free(all);
        return cli_fail_errno(c, "%s", name);
    }
    all[used] = 0;
    *text = all;
    *n = used;
    return SLM_OK;
}

slm_status cli_read_file(cli *c, const char *path, char **text, size_t *n)
{
    if (!strcmp(path, "-"))
        return read_all(c, stdin, "stdin", text, n);
    FILE *from = fopen(path, "rb");
    if (!from)
        return cli_fail_errno(c, "%s", path);
    slm_status status = read_all(c, from, path, text, n);
    (void)fclose(from);
    return status;
}

int cli_next_line(cli *c, cli_lines *lines)
{
    int byte;
    lines->n = 0;
    lines->number++;
    errno = 0;
    while ((byte = getc_unlocked(stdin)) != EOF && byte != '\n') {
        if (!grow(&lines->line, lines->n, &lines->room, LINE_MOST)) {
            cli_fail(c, SLM_E_LIMIT, "stdin: line %llu has more than %zu bytes", (unsigned long long)lines->number, lines->n);
            return -1;
        }
        lines->line[lines->n++] = (char)byte;
    }
    if (ferror(stdin) || cli_signal()) {
        cli_fail_errno(c, "stdin");
        return -1;
    }
    if (byte == EOF && !lines->n)
        return 0;
    if (!lines->line && !grow(&lines->line, 0, &lines->room, LINE_MOST)) {
        cli_fail(c, SLM_E_MEMORY, "no memory for a line");
        return -1;
    }
    lines->line[lines->n] = 0;
    return 1;
}

/* ---- a line as JSON ------------------------------------------------------------------------------------------------------ */

slm_status cli_line_bad(cli *c, const cli_lines *lines, const char *why)
{
    return cli_fail(c, SLM_E_FORMAT, "stdin: line %llu: %s", (unsigned long long)lines->number, why);
}

slm_status cli_line_object(cli *c, const cli_lines *lines, json_t **object)
{
    json_error_t why;
    *object = json_loadb(lines->line, lines->n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!*object)
        return cli_fail(c, SLM_E_FORMAT, "stdin: line %llu: no JSON: %s (column %d)", (unsigned long long)lines->number, why.text,
                        why.column);
    if (!json_is_object(*object)) {
        json_decref(*object);
        return cli_line_bad(c, lines, "is no JSON object");
    }
    return SLM_OK;
}

static int nibble(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
         : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static slm_status from_hex(cli *c, const cli_lines *lines, const char *hex, size_t n, char *bytes)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        const int high = nibble(hex[i]), low = nibble(hex[i + 1]);
        if (high < 0 || low < 0)
            return cli_line_bad(c, lines, "\"hex\" holds something else than hex digits");
        bytes[i / 2] = (char)(high << 4 | low);
    }
    return n % 2 ? cli_line_bad(c, lines, "\"hex\" has an odd number of digits") : SLM_OK;
}

slm_status cli_line_text(cli *c, const cli_lines *lines, const json_t *object, char **text, size_t *n)
{
    const json_t *plain = json_object_get(object, "text"), *hex = json_object_get(object, "hex"), *value = plain ? plain : hex;
    if (!json_is_string(value) || (plain && hex))
        return cli_line_bad(c, lines, "wants one string, {\"text\"} or {\"hex\"}");
    const size_t len = json_string_length(value);
    char *bytes = malloc(len + 1);
    if (!bytes)
        return cli_fail(c, SLM_E_MEMORY, "no memory for a line");
    if (plain)
        memcpy(bytes, json_string_value(value), len);
    slm_status status = plain ? SLM_OK : from_hex(c, lines, json_string_value(value), len, bytes);
    if (status) {
        free(bytes);
        return status;
    }
    *text = bytes;
    *n = plain ? len : len / 2;
    return SLM_OK;
}

/* ---- ids ------------------------------------------------------------------------------------------------------------------ */

/* One id at *p: a sign, digits. Moves *p behind it. */
static bool read_id(const char **p, const char *end, int32_t *id)
{
    const bool minus = *p < end && **p == '-';
    const char *s = *p + minus;
    int64_t v = 0;
    if (s == end || *s < '0' || *s > '9')
        return false;
    for (; s < end && *s >= '0' && *s <= '9'; s++)
        if ((v = v * 10 + (*s - '0')) > (int64_t)INT32_MAX + 1)
            return false;
    v = minus ? -v : v;
    if (v > INT32_MAX)
        return false;
    *id = (int32_t)v;
    *p = s;
    return true;
}

static slm_status parse_ids(cli *c, const char *what, const char *text, size_t len, int32_t **ids, size_t *n)
{
    const char *p = text, *end = text + len;
    size_t count = 0;
    int32_t *list = malloc((len / 2 + 1) * sizeof *list);    /* an id takes a digit and what separates it from the next */
    if (!list)
        return cli_fail(c, SLM_E_MEMORY, "%s: no memory for the ids of %zu bytes", what, len);
    for (;;) {
        while (p < end && memchr(" \t\r\n,", *p, 5))
            p++;
        if (p == end)
            break;
        const char *at = p;
        if (!read_id(&p, end, &list[count]) || (p < end && !memchr(" \t\r\n,", *p, 5))) {
            free(list);
            return cli_fail(c, SLM_E_ARG, "%s: no id at byte %zu: '%.12s'", what, (size_t)(at - text), at);
        }
        count++;
    }
    *ids = list;
    *n = count;
    return SLM_OK;
}

slm_status cli_read_ids(cli *c, const char *what, const char *text, int32_t **ids, size_t *n)
{
    char *all = NULL;
    size_t len = 0;
    if (text[0] != '@')
        return parse_ids(c, what, text, strlen(text), ids, n);
    slm_status status = cli_read_file(c, text + 1, &all, &len);
    if (!status)
        status = parse_ids(c, text + 1, all, len, ids, n);
    free(all);
    return status;
}
