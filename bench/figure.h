/* figure.h -- the one form in which every bench prints what it measured: a JSON line a figure.
 *
 *   {"subject":"kernels","what":"q4_0 2048x5632, 512 tokens, 2 threads","value":731.2,"unit":"GMAC/s","bound":965.1,"of":"vnni","ratio":0.757}
 *
 * bound is in the unit of the value, `of` says what it is. The ratio is the median of the ratios of rounds, or of turns within them, each of a
 * value and a bound measured side by side; so it is not exactly value / bound, which are medians themselves. A figure without a bound has null for both.
 * bench/report.py reads these lines. Files of models and vocabularies stand in `what` without their folder. */
#ifndef SLM_BENCH_FIGURE_H
#define SLM_BENCH_FIGURE_H

#include "slm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bound of 0: there is none. */
__attribute__((format(printf, 7, 8)))
static inline void figure_print(const char *subject, double value, const char *unit, double bound, const char *of, double ratio, const char *what, ...)
{
    char text[512];
    va_list args;
    va_start(args, what);
    (void)vsnprintf(text, sizeof text, what, args);
    va_end(args);
    for (char *p = text; *p; p++)           /* names of files; nothing to keep there that JSON would have to escape */
        if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
            *p = '?';
    printf("{\"subject\":\"%s\",\"what\":\"%s\",\"value\":%.4g,\"unit\":\"%s\",", subject, text, value, unit);
    if (bound > 0)
        printf("\"bound\":%.4g,\"of\":\"%s\",\"ratio\":%.4g}\n", bound, of, ratio);
    else
        printf("\"bound\":null,\"of\":\"%s\",\"ratio\":null}\n", of);
    (void)fflush(stdout);
}

static inline int figure_fail(const char *program, const slm_error *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->text);
    return 1;
}

/* What the machine gives while this bench runs: three lines. To be called last where memory counts, it takes 256 MiB of its own. */
static inline void figure_peaks(const char *subject, uint32_t threads, unsigned isa)
{
    slm_peaks p = SLM_PEAKS_INIT;
    slm_error err = { 0 };
    if (slm_peaks_measure(&p, threads, isa, 0, &err)) {
        (void)fprintf(stderr, "%s: %s\n", subject, err.text);
        return;
    }
    figure_print(subject, p.read_gb_s, "GB/s", 0, "", 0, "peak: read");
    figure_print(subject, p.vnni_gmac_s, "GMAC/s", 0, "", 0, "peak: vnni");
    figure_print(subject, p.fma_gflop_s, "GFLOP/s", 0, "", 0, "peak: fma");
}

static inline int figure_compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts v. */
static inline double figure_median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, figure_compare);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static inline const char *figure_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

#endif
