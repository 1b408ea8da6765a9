/* tokenize.c -- how fast texts become tokens and vocabularies open, on one core.
 *
 *   build/bin/bench_tokenize [-n rounds] [-v] FOLDER VOCABULARY ...
 *
 * Every file of the folder is encoded whole with each vocabulary (a GGUF, a tokenizer.json, a tokenizer.model); the fastest of the rounds
 * counts for each text, and the sum of these over all texts for a vocabulary. Two lines a vocabulary; with -v one a text before them. MB
 * are 1e6 bytes of text, time is CPU time. Opening is timed in the same rounds. */
#include "figure.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

enum { MOST_TEXTS = 256 };

typedef struct text {
    char name[256];
    char *bytes;
    size_t n;
} text;

static int compare(const void *a, const void *b)
{
    return strcmp(((const text *)a)->name, ((const text *)b)->name);
}

/* Every regular file of the folder; their number. */
static size_t read_folder(const char *folder, text *list)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && n < MOST_TEXTS && (e = readdir(dir));) {
        char path[1024];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
        if (!f)
            continue;
        text *t = &list[n];
        (void)snprintf(t->name, sizeof t->name, "%s", e->d_name);
        t->n = (size_t)st.st_size;
        t->bytes = malloc(t->n + 1);
        if (t->bytes && fread(t->bytes, 1, t->n, f) == t->n)
            n++;
        (void)fclose(f);
    }
    if (dir)
        (void)closedir(dir);
    qsort(list, n, sizeof *list, compare);
    return n;
}

/* Of this thread, which does all the work: what other programs take does not count, only what they do to the caches. */
static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One vocabulary: 0, or 1 after a message. */
static int run(const char *path, const text *texts, size_t n_texts, size_t rounds, int verbose)
{
    static double best[MOST_TEXTS];
    static size_t tokens[MOST_TEXTS];
    slm_error err = { 0 };
    slm_tokenizer *t = NULL;
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    double load = 1e9, sum = 0;
    size_t bytes = 0, all = 0, room = 0;
    for (size_t i = 0; i < n_texts; i++) {
        room = texts[i].n > room ? texts[i].n : room;
        best[i] = 1e9;
    }
    int32_t *ids = malloc((room * 4 + 16) * sizeof *ids);
    if (!ids)
        return 1;
    for (size_t round = 0; round < rounds; round++) {
        const double start = seconds();
        if (slm_tokenizer_open(&t, path, NULL, &err)) {
            (void)fprintf(stderr, "tokenize: %s\n", err.text);
            return 1;
        }
        const double opened = seconds() - start;
        load = opened < load ? opened : load;
        for (size_t i = 0; i < n_texts; i++) {
            const double from = seconds();
            if (slm_tokenizer_encode(t, ids, room * 4 + 16, &tokens[i], texts[i].bytes, texts[i].n, 0, &err)) {
                (void)fprintf(stderr, "tokenize: %s: %s\n", texts[i].name, err.text);
                return 1;
            }
            const double took = seconds() - from;
            best[i] = took < best[i] ? took : best[i];
        }
        if (round + 1 < rounds)
            slm_tokenizer_free(t);
    }
    (void)slm_tokenizer_get_info(t, &info, &err);
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    for (size_t i = 0; i < n_texts; i++) {
        bytes += texts[i].n;
        all += tokens[i];
        sum += best[i];
        if (verbose)
            figure_print("tokenize", (double)texts[i].n * 1e-6 / best[i], "MB/s", 0, "", 0, "%s: %s, %zu bytes, %zu tokens", name, texts[i].name,
                         texts[i].n, tokens[i]);
    }
    figure_print("tokenize", (double)bytes * 1e-6 / sum, "MB/s", 0, "", 0, "%s: %s%s%s, %zu bytes, %zu tokens", name, info.kind,
                 info.pre[0] ? " " : "", info.pre, bytes, all);
    figure_print("tokenize", load * 1e3, "ms", 0, "", 0, "%s: open %u tokens", name, (unsigned)info.vocab);
    slm_tokenizer_free(t);
    free(ids);
    return 0;
}

int main(int argc, char **argv)
{
    static text texts[MOST_TEXTS];
    size_t rounds = 5;
    int i = 1, verbose = 0, failed = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "-v") == 0)
            verbose = 1;
        else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
    }
    const size_t n = i < argc ? read_folder(argv[i], texts) : 0;
    if (n == 0 || i + 1 >= argc || rounds < 1) {
        (void)fprintf(stderr, "usage: tokenize [-n rounds] [-v] FOLDER VOCABULARY ...\n");
        return 2;
    }
    for (i++; i < argc; i++)
        failed |= run(argv[i], texts, n, rounds, verbose);
    for (size_t k = 0; k < n; k++)
        free(texts[k].bytes);
    figure_peaks("tokenize", 1, 0);
    return failed;
}
