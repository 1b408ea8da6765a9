/* scaling.c -- time grows with the length of a text and no faster: each tokenizer, the template language, patterns and the JSON reader over the
 * strings that are known to be hard (one letter, spaces, digits, combining marks, brackets), at n, 2n, 4n, ... up to 4 MB.
 *
 *   scaling [--most BYTES] [--only NAME] VOCABULARY...
 *
 * Memory is kept and used again: the pages of a block that malloc maps by itself cost more than what is done in them, and where that
 * begins would show as growth. Processor time, so that other programs matter little; per doubling over n, 2n, 4n; the best of up to five where that is above 2.6. A refusal (SLM_E_LIMIT, SLM_E_FORMAT)
 * must come in linear time too. */
#include "slm.h"

#include <limits.h>
#include <malloc.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST = 1 << 17, TRIES = 5, SIZES = 8, KEPT = 512 << 20 };
#define RATIO 2.6
#define LEAST 0.002              /* seconds; shorter times say nothing */

static const struct { const char *name, *piece; } strings[] = {
    { "letter", "a" }, { "spaces", " " }, { "digits", "7" }, { "marks", "\xcc\x81" }, { "brackets", "[" }, { "newlines", "\n" },
    { "words", "the cat sat " }, { "bytes", "\xff" }, { "quotes", "'s" },
};

typedef struct subject {
    const char *name;
    slm_status (*run)(const struct subject *s, const char *text, size_t n, slm_error *err);
    const slm_tokenizer *tokenizer;
    const char *arg;
    size_t most;                 /* bytes it takes; 0: any number */
} subject;

static slm_status encode(const subject *s, const char *text, size_t n, slm_error *err)
{
    size_t count;
    const slm_status status = slm_tokenizer_encode(s->tokenizer, NULL, 0, &count, text, n, 0, err);
    return status == SLM_E_LIMIT ? SLM_OK : status;
}

static char *json_string(const char *before, const char *text, size_t n, const char *after, size_t *len)
{
    char *out = malloc(strlen(before) + 2 * n + strlen(after) + 1), *p = out;
    if (!out)
        exit(2);
    p += sprintf(p, "%s", before);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"' || text[i] == '\\' || text[i] == '\n')
            *p++ = '\\';
        *p++ = (char)(text[i] == '\n' ? 'n' : text[i]);
    }
    p += sprintf(p, "%s", after);
    *len = (size_t)(p - out);
    return out;
}

static slm_status render(const subject *s, const char *text, size_t n, slm_error *err)
{
    slm_template *t = NULL;
    slm_rendered *r = NULL;
    size_t len;
    char *json = json_string("{\"messages\":[{\"role\":\"user\",\"content\":\"", text, n, "\"}]}", &len);
    slm_status status = slm_template_new(&t, s->arg, strlen(s->arg), NULL, err);
    if (!status)
        status = slm_template_render(&r, t, json, len, NULL, err);
    slm_rendered_free(r);
    slm_template_free(t);
    free(json);
    return status;
}

static slm_status parse_template(const subject *s, const char *text, size_t n, slm_error *err)
{
    slm_template *t = NULL;
    (void)s;
    const slm_status status = slm_template_new(&t, text, n, NULL, err);
    slm_template_free(t);
    return status;
}

static slm_status check_text(const subject *s, const char *text, size_t n, slm_error *err)
{
    return slm_schema_check(s->arg, strlen(s->arg), text, n, err);
}

static slm_status check_string(const subject *s, const char *text, size_t n, slm_error *err)
{
    size_t len;
    char *json = json_string("\"", text, n, "\"", &len);
    const slm_status status = slm_schema_check(s->arg, strlen(s->arg), json, len, err);
    free(json);
    return status;
}

static slm_status regex(const subject *s, const char *text, size_t n, slm_error *err)
{
    slm_constraint *c = NULL;
    char *pattern = strndup(text, n);
    const slm_status status = slm_constraint_regex(&c, s->tokenizer, pattern, err);
    slm_constraint_free(c);
    free(pattern);
    return status;
}

static double once(const subject *s, const char *text, size_t n)
{
    slm_error err = { 0 };
    struct timespec a, b;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    (void)s->run(s, text, n, &err);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

/* Memory that was once used stays with the process. */
static void keep_memory(void)
{
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, INT_MAX);
    void *all = malloc(KEPT);
    if (all)
        memset(all, 1, KEPT);
    free(all);
}

/* For one doubling, of the two that end at size i: what a cache or a page costs at one size is not taken for growth. */
static double ratio(const double *times, size_t i)
{
    return times[i] > LEAST ? sqrt(times[i] / times[i - 2]) : 0;
}

/* True if time is linear. */
static bool scales(const subject *s, const char *name, const char *text, size_t most)
{
    double times[SIZES], worst = 0;
    size_t n = 0, at = 0;
    if (s->most && s->most < most)
        most = s->most;
    for (size_t bytes = FIRST; bytes <= most && n < SIZES; bytes *= 2)
        times[n++] = once(s, text, bytes);
    for (size_t i = 2; i < n; i++) {
        for (int t = 1; t < TRIES && ratio(times, i) > RATIO; t++)
            for (size_t k = i - 2; k <= i; k++) {
                const double again = once(s, text, (size_t)FIRST << k);
                times[k] = again < times[k] ? again : times[k];
            }
        if (ratio(times, i) > worst) {
            worst = ratio(times, i);
            at = i;
        }
    }
    const bool good = worst <= RATIO;
    printf("%s %-28s %-9s %8.1f ms for %zu KiB, at most x %.2f%s\n", good ? "ok    " : "FAILED", s->name, name, n ? times[n - 1] * 1000 : 0.0,
           n ? ((size_t)FIRST << (n - 1)) / 1024 : 0, worst, good || !at ? "" : " a doubling");
    (void)fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    subject subjects[64] = {
        { "template: content", render, NULL, "{% for m in messages %}{{ m.content | trim }}{{ m | tojson }}{{ m.content.split(' ') | length }}{% endfor %}", 0 },
        { "template: source", parse_template, NULL, NULL, 1 << 20 },
        { "json: text", check_text, NULL, "{}", 0 },
        { "json: string", check_string, NULL, "{\"type\":\"string\"}", 0 },
        { "schema: pattern", check_string, NULL, "{\"pattern\":\"(a|b)*c|[0-9]+$\"}", 1 << 20 },
    };
    size_t n = 5, most = 4 << 20, failed = 0, rows = 0;
    slm_tokenizer *opened[64] = { NULL };
    size_t n_opened = 0;
    const char *only = NULL;
    keep_memory();
    for (int i = 1; i < argc && n < 62; i++) {
        slm_error err = { 0 };
        if (strcmp(argv[i], "--most") == 0 && i + 1 < argc) {
            most = strtoull(argv[++i], NULL, 10);
            continue;
        }
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
            continue;
        }
        if (slm_tokenizer_open(&opened[n_opened], argv[i], NULL, &err)) {
            (void)fprintf(stderr, "scaling: %s\n", err.text);
            return 2;
        }
        const char *slash = strrchr(argv[i], '/');
        if (!n_opened)
            subjects[n++] = (subject){ "regex: source", regex, opened[0], NULL, 0 };
        subjects[n++] = (subject){ slash ? slash + 1 : argv[i], encode, opened[n_opened++], NULL, 0 };
    }
    for (size_t k = 0; k < sizeof strings / sizeof *strings; k++) {
        const size_t each = strlen(strings[k].piece);
        char *text = malloc(most + each);
        if (!text)
            return 2;
        for (size_t i = 0; i < most; i += each)
            memcpy(text + i, strings[k].piece, each);
        for (size_t i = 0; i < n; i++)
            if (!only || strcmp(only, subjects[i].name) == 0) {
                failed += !scales(&subjects[i], strings[k].name, text, most);
                rows++;
            }
        free(text);
    }
    for (size_t i = 0; i < n_opened; i++)
        slm_tokenizer_free(opened[i]);
    printf("scaling: %zu rows, %zu not linear\n", rows, failed);
    return failed != 0;
}
