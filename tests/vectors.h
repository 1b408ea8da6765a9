/* vectors.h -- reads the token vectors of ../shared: lines of JSON of one known shape, and the .inp/.out pairs. For tests only. */
#ifndef SLM_TESTS_VECTORS_H
#define SLM_TESTS_VECTORS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file as a terminated string; NULL if there is none. */
static inline char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;
    if (!f)
        return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    bytes[*n] = 0;
    fclose(f);
    return bytes;
}

typedef struct vector {
    char *text;         /* "text", or the bytes of "hex" */
    size_t len;
    int32_t *ids;       /* "ids" or "ids_replace" */
    size_t n;
    char vocab[32];
} vector;

static inline unsigned hex4(const char *p)
{
    unsigned v = 0;
    assert_int_equal(sscanf(p, "%4x", &v), 1);
    return v;
}

static inline size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80)
        return out[0] = (char)c, 1;
    if (c < 0x800)
        return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)), 3;
    return out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)), out[2] = (char)(0x80 | (c >> 6 & 63)),
           out[3] = (char)(0x80 | (c & 63)), 4;
}

/* The string after the quote at *p; *p ends behind its closing quote. */
static inline char *json_text(const char **p, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char *out = malloc(strlen(*p) + 1);
    const char *s = *p;
    assert_non_null(out);
    *n = 0;
    while (*s != '"') {
        assert_true(*s);
        if (*s != '\\') {
            out[(*n)++] = *s++;
        } else if (s[1] == 'u') {
            uint32_t c = hex4(s + 2);
            s += 6;
            if (c >= 0xd800 && c < 0xdc00) {
                c = 0x10000 + ((c - 0xd800) << 10) + (hex4(s + 2) - 0xdc00);
                s += 6;
            }
            *n += put_utf8(out + *n, c);
        } else {
            const char *at = strchr(from, s[1]);
            assert_non_null(at);
            out[(*n)++] = to[at - from];
            s += 2;
        }
    }
    *p = s + 1;
    return out;
}

static inline vector read_vector(const char *line)
{
    vector v = { 0 };
    const char *p = strchr(line, '{') + 1;
    while (*p && *p != '}') {
        size_t n_key, n;
        while (*p != '"')
            p++;
        p++;
        char *key = json_text(&p, &n_key);
        key[n_key] = 0;
        while (*p == ':' || *p == ' ')
            p++;
        if (*p == '"') {
            p++;
            char *text = json_text(&p, &n);
            if (strcmp(key, "text") == 0) {
                v.text = text;
                v.len = n;
            } else if (strcmp(key, "hex") == 0) {
                v.text = text;
                v.len = n / 2;
                for (size_t i = 0; i < v.len; i++) {
                    const char pair[] = { text[2 * i], text[2 * i + 1], 0 };
                    text[i] = (char)strtol(pair, NULL, 16);
                }
            } else {
                if (strcmp(key, "vocab") == 0 && n < sizeof v.vocab)
                    memcpy(v.vocab, text, n);
                free(text);
            }
        } else if (*p == '[') {
            int32_t *ids = malloc((strlen(p) + 1) * sizeof *ids);
            assert_non_null(ids);
            n = 0;
            for (p++; *p != ']';) {
                char *end;
                ids[n++] = (int32_t)strtol(p, &end, 10);
                assert_true(end > p);
                p = end + strspn(end, ", ");
            }
            p++;
            if (strcmp(key, "ids") == 0 || strcmp(key, "ids_replace") == 0) {
                v.ids = ids;
                v.n = n;
            } else {
                free(ids);
            }
        } else {
            p += strcspn(p, ",}");
        }
        p += strspn(p, ", \n");
        free(key);
    }
    assert_non_null(v.text);
    assert_non_null(v.ids);
    return v;
}

static inline void free_vector(vector *v)
{
    free(v->text);
    free(v->ids);
    memset(v, 0, sizeof *v);
}

/* Calls each(user, vector, line number) for every line of a JSONL file; false if there is no file. */
static inline bool each_vector(const char *path, void (*each)(void *user, const vector *v, size_t line), void *user)
{
    size_t n, line = 0;
    char *all = read_all(path, &n), *at = all;
    if (!all)
        return false;
    while (*at) {
        char *end = strchr(at, '\n');
        if (end)
            *end = 0;
        if (*at) {
            vector v = read_vector(at);
            each(user, &v, ++line);
            free_vector(&v);
        }
        if (!end)
            break;
        at = end + 1;
    }
    free(all);
    return line > 0;
}

/* The same for the pair PATH.inp, PATH.out. */
static inline bool each_official(const char *path, void (*each)(void *user, const vector *v, size_t line), void *user)
{
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char name[512];
    size_t n, line = 0;
    snprintf(name, sizeof name, "%s.inp", path);
    char *texts = read_all(name, &n);
    snprintf(name, sizeof name, "%s.out", path);
    char *ids = texts ? read_all(name, &n) : NULL, *at = texts, *row = ids;
    for (char *end; ids && (end = strstr(at, separator)); at = end + sizeof separator - 1) {
        vector v = { .text = at, .len = (size_t)(end - at), .ids = malloc((strlen(row) + 1) * sizeof *v.ids) };
        assert_non_null(v.ids);
        while (*row == ' ')
            v.ids[v.n++] = (int32_t)strtol(row, &row, 10);
        assert_int_equal(*row, '\n');
        row++;
        each(user, &v, ++line);
        free(v.ids);
    }
    free(texts);
    free(ids);
    return line > 0;
}

#endif
