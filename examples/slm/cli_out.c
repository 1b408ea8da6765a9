/* cli_out.c -- what leaves the program: messages on one line, JSON objects, files that appear whole.
 *
 * Strings of models and strangers pass through here on their way to a terminal or a line-oriented reader. JSON strings therefore
 * escape, beside what JSON demands, the C1 controls and U+2028/2029: some readers take them for the end of a line. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- UTF-8 -------------------------------------------------------------------------------------------------------------- */

/* Bytes of the code point at s (RFC 3629: no overlong form, no surrogate, at most U+10FFFF), 0 if there is none. */
static size_t code_point(const unsigned char *s, size_t n, uint32_t *cp)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (n && s[0] < 0x80) {
        *cp = s[0];
        return 1;
    }
    const size_t len = !n ? 0 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (!len || len > n)
        return 0;
    uint32_t v = s[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        v = v << 6 | (s[i] & 0x3fu);
    }
    if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *cp = v;
    return len;
}

bool cli_is_utf8(const char *text, size_t n)
{
    uint32_t cp;
    for (size_t i = 0, len; i < n; i += len)
        if (!(len = code_point((const unsigned char *)text + i, n - i, &cp)))
            return false;
    return true;
}

void cli_put_shown(FILE *to, const char *text, size_t n)
{
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        const unsigned char *s = (const unsigned char *)text + i;
        uint32_t cp = 0;
        len = code_point(s, n - i, &cp);
        if (!len || cp < ' ' || (cp >= 0x7f && cp < 0xa0))
            for (size_t b = 0; b < (len ? len : 1); b++)
                fprintf(to, "\\x%02x", s[b]);
        else
            fwrite(s, 1, len, to);
    }
}

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

static void say(const cli *c, const char *text)
{
    fprintf(stderr, c->command ? "slm %s: " : "slm: ", c->command ? c->command->name : "");
    cli_put_shown(stderr, text, strlen(text));
    fprintf(stderr, "\n");
}

static void report(const cli *c, slm_status status, const char *text)
{
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_word(&j, "error", slm_status_name(status));
        cli_json_word(&j, "text", text);
        cli_json_line(&j);
    }
    (void)fflush(stdout);
    say(c, text);
}

int cli_usage(cli *c, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report(c, SLM_E_ARG, text);
    return CLI_USAGE;
}

slm_status cli_fail(cli *c, slm_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(c->err.text, sizeof c->err.text, format, args);
    va_end(args);
    c->err.status = status;
    c->err.code = 0;
    c->err.offset = UINT64_MAX;
    return status;
}

slm_status cli_fail_errno(cli *c, const char *format, ...)
{
    const int code = errno;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(c->err.text, sizeof c->err.text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof c->err.text)
        (void)snprintf(c->err.text + n, sizeof c->err.text - (size_t)n, ": %s", strerror(code));
    c->err.status = code == ENOENT ? SLM_E_NOT_FOUND : SLM_E_IO;
    c->err.code = code;
    c->err.offset = UINT64_MAX;
    return (slm_status)c->err.status;
}

int cli_end(cli *c, slm_status status)
{
    cli_progress_clear(c);
    if (cli_signal() && status) {       /* whatever it broke off, that is the reason */
        report(c, SLM_E_CANCELLED, "interrupted");
        return 128 + cli_signal();
    }
    if (!status && (fflush(stdout) || ferror(stdout)))
        status = cli_fail_errno(c, "cannot write to stdout");
    if (status)
        report(c, status, c->err.text[0] ? c->err.text : slm_status_text(status));
    return status ? CLI_FAILED : CLI_DONE;
}

/* ---- JSON --------------------------------------------------------------------------------------------------------------- */

static void put_string(FILE *to, const char *text, size_t n)
{
    static const char plain[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
    fputc('"', to);
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        const unsigned char *s = (const unsigned char *)text + i;
        const char *known;
        uint32_t cp = 0;
        len = code_point(s, n - i, &cp);
        if (!len)
            fputs("\xef\xbf\xbd", to);
        else if (cp && cp < 0x80 && (known = strchr(plain, (int)cp)) != NULL)
            fprintf(to, "\\%c", letter[known - plain]);
        else if (cp < ' ' || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029)
            fprintf(to, "\\u%04x", (unsigned)cp);
        else
            fwrite(s, 1, len, to);
    }
    fputc('"', to);
}

static void put_key(cli_json *j, const char *key)
{
    if (j->comma)
        fputc(',', j->to);
    j->comma = true;
    if (key) {
        put_string(j->to, key, strlen(key));
        fputc(':', j->to);
    }
}

void cli_json_open(cli_json *j, const char *key, char bracket)
{
    put_key(j, key);
    fputc(bracket, j->to);
    j->comma = false;
}

void cli_json_shut(cli_json *j, char bracket)
{
    fputc(bracket, j->to);
    j->comma = true;
}

void cli_json_line(cli_json *j)
{
    fputs("}\n", j->to);
    j->comma = false;
}

void cli_json_text(cli_json *j, const char *key, const char *text, size_t n)
{
    put_key(j, key);
    put_string(j->to, text, n);
}

void cli_json_word(cli_json *j, const char *key, const char *text)
{
    put_key(j, key);
    if (text)
        put_string(j->to, text, strlen(text));
    else
        fputs("null", j->to);
}

void cli_json_count(cli_json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    fprintf(j->to, "%llu", (unsigned long long)value);
}

void cli_json_int(cli_json *j, const char *key, int64_t value)
{
    put_key(j, key);
    fprintf(j->to, "%lld", (long long)value);
}

void cli_json_flag(cli_json *j, const char *key, bool value)
{
    put_key(j, key);
    fputs(value ? "true" : "false", j->to);
}

void cli_json_real(cli_json *j, const char *key, double value, int digits)
{
    put_key(j, key);
    if (isfinite(value))
        fprintf(j->to, "%.*f", digits, value);
    else
        fputs("null", j->to);
}

void cli_json_float(cli_json *j, const char *key, float value)
{
    char text[32];
    put_key(j, key);
    for (int digits = 6; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    fputs(isfinite(value) ? text : "null", j->to);
}

void cli_json_small(cli_json *j, const char *key, double value)
{
    put_key(j, key);
    if (isfinite(value))
        fprintf(j->to, "%.6e", value);
    else
        fputs("null", j->to);
}

/* ---- files -------------------------------------------------------------------------------------------------------------- */

/* Where a link leads is what gets replaced; a name that does not exist yet stands for itself. */
static slm_status open_temporary(cli *c, cli_file *f, const char *path, mode_t mode)
{
    f->path = realpath(path, NULL);
    if (!f->path && !(f->path = strdup(path)))
        return cli_fail(c, SLM_E_MEMORY, "%s: no memory for its name", path);
    const size_t room = strlen(f->path) + sizeof ".XXXXXX";
    if (!(f->temporary = malloc(room)))
        return cli_fail(c, SLM_E_MEMORY, "%s: no memory for its name", path);
    (void)snprintf(f->temporary, room, "%s.XXXXXX", f->path);
    const int fd = mkstemp(f->temporary);
    if (fd < 0) {
        free(f->temporary);
        f->temporary = NULL;
        return cli_fail_errno(c, "%s: cannot make a file beside it", path);
    }
    if (fchmod(fd, mode) || !(f->to = fdopen(fd, "wb"))) {
        (void)close(fd);
        return cli_fail_errno(c, "%s", path);
    }
    return SLM_OK;
}

slm_status cli_file_open(cli *c, cli_file *f, const char *path)
{
    struct stat s;
    *f = (cli_file){ NULL, NULL, NULL };
    if (!strcmp(path, "-"))
        path = "/dev/stdout";
    if (!stat(path, &s) && S_ISDIR(s.st_mode))
        return cli_fail(c, SLM_E_IO, "%s: is a folder", path);
    if (!strcmp(path, "/dev/stdout") || (!stat(path, &s) && !S_ISREG(s.st_mode))) {
        if (!(f->path = strdup(path)))
            return cli_fail(c, SLM_E_MEMORY, "%s: no memory for its name", path);
        f->to = !strcmp(path, "/dev/stdout") ? stdout : fopen(path, "wb");   /* an opened /dev/stdout would overwrite from byte 0 */
        return f->to ? SLM_OK : cli_fail_errno(c, "%s", path);
    }
    const mode_t mask = umask(0);
    (void)umask(mask);
    slm_status status = open_temporary(c, f, path, stat(path, &s) ? 0666 & ~mask : s.st_mode & 0777);
    if (status)
        cli_file_abort(f);
    return status;
}

slm_status cli_file_put(cli *c, cli_file *f, const void *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, f->to) != n)
        return cli_fail_errno(c, "%s: cannot write", f->path);
    return SLM_OK;
}

static uint32_t little(uint32_t v)
{
    const union { uint16_t number; uint8_t byte[2]; } order = { 1 };
    return order.byte[0] ? v : __builtin_bswap32(v);
}

void cli_floats_to_little(float *values, size_t n)
{
    uint32_t v;
    for (size_t i = 0; i < n; i++) {
        memcpy(&v, values + i, 4);
        v = little(v);
        memcpy(values + i, &v, 4);
    }
}

slm_status cli_file_put_floats(cli *c, cli_file *f, const float *values, size_t n)
{
    float part[512];
    slm_status status = SLM_OK;
    for (size_t i = 0, now; i < n && !status; i += now) {
        now = n - i < 512 ? n - i : 512;
        memcpy(part, values + i, now * sizeof *part);
        cli_floats_to_little(part, now);
        status = cli_file_put(c, f, part, now * sizeof *part);
    }
    return status;
}

static void sync_folder(const char *path)
{
    char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
    if (slash)
        slash[slash == copy] = 0;
    FILE *folder = copy ? fopen(slash ? copy : ".", "rb") : NULL;
    if (folder) {
        (void)fsync(fileno(folder));    /* the name, not the bytes: those are safe already */
        (void)fclose(folder);
    }
    free(copy);
}

slm_status cli_file_commit(cli *c, cli_file *f)
{
    slm_status status = SLM_OK;
    if (fflush(f->to) || (f->temporary && fsync(fileno(f->to))))
        status = cli_fail_errno(c, "%s: cannot write", f->path);
    if (f->to != stdout && fclose(f->to) && !status)
        status = cli_fail_errno(c, "%s: cannot write", f->path);
    f->to = NULL;
    if (!status && f->temporary && rename(f->temporary, f->path))
        status = cli_fail_errno(c, "%s: cannot rename", f->path);
    if (!status && f->temporary) {
        sync_folder(f->path);
        free(f->temporary);
        f->temporary = NULL;
    }
    cli_file_abort(f);
    return status;
}

void cli_file_abort(cli_file *f)
{
    if (f->to && f->to != stdout)
        (void)fclose(f->to);
    if (f->temporary)
        (void)unlink(f->temporary);
    free(f->temporary);
    free(f->path);
    *f = (cli_file){ NULL, NULL, NULL };
}
