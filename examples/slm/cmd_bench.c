/* cmd_bench.c -- `slm bench`: how fast a model runs, and which part of what the machine can do that is.
 *
 * Prefill is bound by multiplications, decode by the bytes of weights read for each token. Both bounds are measured with the
 * library's own loops right before and after each prefill and each few decoded tokens, because they change within seconds with
 * clocks and neighbours: a run's share is taken of the means around it, and the median of the runs' shares counts. The tokens fed are
 * fixed (speed does not depend on them), so that sampling takes no part. Memory is read off after one run and before the bounds are
 * measured, which takes 256 MiB of its own. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
    uint64_t prompt, tokens, runs;
    bool profile;
} options;

/* LEAD: tokens before the decoded ones; PIECE: tokens decoded between two looks at the bounds; MEASURES: of a run */
enum { LEAD = 16, RUNS_MOST = 1000, ROWS = 32, PIECE = 16, MEASURES = 7 };
static const double LOOK = 0.1;                     /* seconds of a look */

typedef struct results {
    double load_ms, prefill_tok_s, decode_tok_s;
    double read_gb_s, vnni_gmac_s, fma_gflop_s, prefill_of_peak, decode_of_bandwidth;
    uint64_t peak_rss;
    bool quantized;
    slm_profile_row rows[2][ROWS];      /* of prefill and decode, all runs together */
    size_t n_rows;
} results;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static int32_t *made_up(size_t n, uint32_t vocab)
{
    uint64_t state = 0x9e3779b97f4a7c15u;
    int32_t *ids = malloc(n * sizeof *ids);
    for (size_t i = 0; ids && i < n; i++) {      /* xorshift64: any fixed spread over the vocabulary will do */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ids[i] = (int32_t)(state % vocab);
    }
    return ids;
}

/* The bound of prefill is that of 8-bit integers if most of the bytes of the file are in blocks. */
static slm_status find_types(cli *c, bool *quantized)
{
    slm_file *file = NULL;
    uint64_t blocks = 0, floats = 0;
    slm_status status = cli_open_file(c, &file, false);
    for (size_t i = 0; !status && i < slm_file_tensors(file); i++) {
        slm_tensor_info t = SLM_TENSOR_INFO_INIT;
        status = slm_file_tensor(file, i, &t, &c->err);
        if (!status && t.n_dims > 1)
            *(strcmp(t.type, "F32") && strcmp(t.type, "F16") && strcmp(t.type, "BF16") ? &blocks : &floats) += t.bytes;
    }
    slm_file_free(file);
    *quantized = blocks > floats;
    return status;
}

static slm_status load(cli *c, slm_model **model, const options *o, double *ms)
{
    slm_status status = SLM_OK;
    for (size_t i = 0; i < o->runs && !status; i++) {
        slm_model_free(*model);
        *model = NULL;
        const double start = cli_clock_ms();
        status = cli_open_model(c, model);
        ms[i] = cli_clock_ms() - start;
    }
    return status;
}

/* What a run measures, in this order; the medians over the runs count, one by one. */
typedef struct run_row {
    double prefill_tok_s, decode_tok_s, prefill_of_peak, decode_of_bandwidth, read_gb_s, vnni_gmac_s, fma_gflop_s;
} run_row;
_Static_assert(sizeof(run_row) == MEASURES * sizeof(double), "a run's measures are doubles");

typedef struct bench {
    cli *c;
    const options *o;
    slm_session *session;
    const int32_t *ids;
    slm_model_info info;
    results *r;
    slm_peaks last;             /* what the bounds were a moment ago */
} bench;

/* The bounds now, and in `mean` between the last time and now. */
static slm_status look(bench *b, slm_peaks *mean)
{
    slm_peaks now = SLM_PEAKS_INIT;
    const slm_status status = slm_peaks_measure(&now, (uint32_t)b->c->common.threads, b->c->isa, LOOK, &b->c->err);
    if (mean) {
        mean->read_gb_s = (b->last.read_gb_s + now.read_gb_s) / 2;
        mean->vnni_gmac_s = (b->last.vnni_gmac_s + now.vnni_gmac_s) / 2;
        mean->fma_gflop_s = (b->last.fma_gflop_s + now.fma_gflop_s) / 2;
    }
    b->last = now;
    return status;
}

static double gmac_s(const results *r, const slm_peaks *p)
{
    return r->quantized ? p->vnni_gmac_s : p->fma_gflop_s / 2;
}

static slm_status prefill(bench *b, double *ms)
{
    slm_status status = slm_session_truncate(b->session, 0, &b->c->err);
    const double start = cli_clock_ms();
    if (!status)
        status = slm_session_feed(b->session, b->ids, b->o->prompt, &b->c->err);
    *ms = cli_clock_ms() - start;
    return status;
}

/* All before token `from` behind the lead, the last of it anew: it finds the caches as the bounds have left them, and is not counted. */
static slm_status lead(bench *b, size_t from)
{
    const size_t n = from ? 1 : LEAD, at = LEAD + from - n;
    const slm_status status = slm_session_truncate(b->session, (uint32_t)at, &b->c->err);
    return status ? status : slm_session_feed(b->session, b->ids + at, n, &b->c->err);
}

static slm_status decode(bench *b, size_t from, size_t to, double *ms)
{
    slm_status status = SLM_OK;
    const double start = cli_clock_ms();
    for (size_t i = from; i < to && !status; i++)
        status = slm_session_feed(b->session, b->ids + LEAD + i, 1, &b->c->err);
    *ms = cli_clock_ms() - start;
    return status;
}

/* Adds what was measured since the last call to the rows of a phase; phase NULL: to nobody's. */
static slm_status measure(cli *c, slm_session *session, const options *o, results *r, slm_profile_row *phase)
{
    slm_profile_row now[ROWS];
    size_t n = 0;
    if (!o->profile)
        return SLM_OK;
    const slm_status status = slm_session_profile(session, now, ROWS, &n, &c->err);
    if (status || !phase)
        return status;
    for (size_t i = 0; i < n; i++) {
        phase[i].name = now[i].name;
        phase[i].runs += now[i].runs;
        phase[i].ns += now[i].ns;
        phase[i].bytes += now[i].bytes;
        phase[i].macs += now[i].macs;
    }
    r->n_rows = n;
    return SLM_OK;
}

static slm_status run_prefill(bench *b, run_row *row)
{
    slm_peaks mean = SLM_PEAKS_INIT;
    double ms = 0;
    slm_status status = measure(b->c, b->session, b->o, b->r, NULL);
    if (!status)
        status = prefill(b, &ms);
    if (!status)
        status = measure(b->c, b->session, b->o, b->r, b->r->rows[0]);
    if (!status)
        status = look(b, &mean);
    row->prefill_tok_s = (double)b->o->prompt * 1e3 / ms;
    row->prefill_of_peak = row->prefill_tok_s * (double)b->info.matrix_params / (gmac_s(b->r, &mean) * 1e9);
    row->vnni_gmac_s = mean.vnni_gmac_s;
    row->fma_gflop_s = mean.fma_gflop_s;
    return status;
}

/* A piece's bytes could have been read in its time at the mean around it: the sums of both are compared. */
static slm_status run_decode(bench *b, run_row *row)
{
    double all_ms = 0, readable = 0;
    slm_status status = SLM_OK;
    for (size_t from = 0, n; from < b->o->tokens && !status; from += n) {
        slm_peaks mean = SLM_PEAKS_INIT;
        double ms = 0;
        n = b->o->tokens - from < PIECE ? b->o->tokens - from : PIECE;
        status = lead(b, from);
        if (!status)
            status = measure(b->c, b->session, b->o, b->r, NULL);
        if (!status)
            status = decode(b, from, from + n, &ms);
        if (!status)
            status = measure(b->c, b->session, b->o, b->r, b->r->rows[1]);
        if (!status)
            status = look(b, &mean);
        all_ms += ms;
        readable += ms * mean.read_gb_s * 1e6;
    }
    row->decode_tok_s = (double)b->o->tokens * 1e3 / all_ms;
    row->decode_of_bandwidth = (double)b->o->tokens * (double)b->info.step_bytes / readable;
    row->read_gb_s = readable * 1e-6 / all_ms;
    return status;
}

static slm_status runs(bench *b, run_row *rows, double *column)
{
    struct rusage usage;
    results *r = b->r;
    double ms, *const medians[MEASURES] = { &r->prefill_tok_s, &r->decode_tok_s, &r->prefill_of_peak, &r->decode_of_bandwidth,
                                            &r->read_gb_s, &r->vnni_gmac_s, &r->fma_gflop_s };
    slm_status status = prefill(b, &ms);        /* once to warm up, not counted */
    if (!status)
        status = lead(b, 0);
    if (!status)
        status = decode(b, 0, b->o->tokens, &ms);
    if (!status && !getrusage(RUSAGE_SELF, &usage))
        r->peak_rss = (uint64_t)usage.ru_maxrss * 1024;
    if (!status)
        status = look(b, NULL);
    for (size_t i = 0; i < b->o->runs && !status; i++) {
        status = run_prefill(b, &rows[i]);
        if (!status)
            status = run_decode(b, &rows[i]);
    }
    for (size_t m = 0; m < MEASURES && !status; m++) {
        for (size_t i = 0; i < b->o->runs; i++)
            column[i] = ((const double *)&rows[i])[m];
        *medians[m] = median(column, b->o->runs);
    }
    return status;
}

/* The least time for what a row did: its bytes at the read bandwidth, or its multiplications at the peak of their kind; ns. */
static double least(const results *r, const slm_profile_row *row)
{
    const bool blocks = r->quantized && strcmp(row->name, "attention") != 0;
    const double read = (double)row->bytes / r->read_gb_s, multiply = (double)row->macs / (blocks ? r->vnni_gmac_s : r->fma_gflop_s / 2);
    return read > multiply ? read : multiply;
}

static void print_profile(const cli *c, const results *r, const char *phase, const slm_profile_row *rows)
{
    double all = 0;
    for (size_t i = 0; i + 1 < r->n_rows; i++)
        all += (double)rows[i].ns;
    if (!c->common.json)
        printf("\n%-10s %-11s %9s %10s %7s %9s %9s %9s\n", "phase", "step", "runs", "ms", "time", "GB/s", "GMAC/s", "of limit");
    for (size_t i = 0; i < r->n_rows && all > 0; i++) {
        const slm_profile_row *row = &rows[i];
        const double ns = row->ns ? (double)row->ns : 1;
        if (c->common.json) {
            cli_json j = { stdout, false };
            cli_json_open(&j, NULL, '{');
            cli_json_word(&j, "phase", phase);
            cli_json_word(&j, "step", row->name);
            cli_json_count(&j, "runs", (size_t)row->runs);
            cli_json_real(&j, "ms", ns * 1e-6, 4);
            cli_json_real(&j, "share", ns / all, 4);
            cli_json_count(&j, "bytes", (size_t)row->bytes);
            cli_json_count(&j, "macs", (size_t)row->macs);
            cli_json_real(&j, "of_limit", least(r, row) / ns, 4);
            cli_json_line(&j);
            continue;
        }
        printf("%-10s %-11s %9llu %10.3f %5.1f %%", phase, row->name, (unsigned long long)row->runs, ns * 1e-6, 100 * ns / all);
        if (row->macs)
            printf(" %9.1f %9.1f %7.1f %%", (double)row->bytes / ns, (double)row->macs / ns, 100 * least(r, row) / ns);
        putchar('\n');
    }
}

static void print(const cli *c, const options *o, const slm_model_info *info, const results *r)
{
    if (c->common.json) {
        cli_json j = { stdout, false };
        cli_json_open(&j, NULL, '{');
        cli_json_real(&j, "prefill_tok_s", r->prefill_tok_s, 3);
        cli_json_real(&j, "decode_tok_s", r->decode_tok_s, 3);
        cli_json_real(&j, "load_ms", r->load_ms, 3);
        cli_json_count(&j, "peak_rss_bytes", r->peak_rss);
        cli_json_count(&j, "weight_bytes", info->weight_bytes);
        cli_json_real(&j, "read_gb_s", r->read_gb_s, 3);
        cli_json_real(&j, "vnni_gmac_s", r->vnni_gmac_s, 3);
        cli_json_real(&j, "fma_gflop_s", r->fma_gflop_s, 3);
        cli_json_real(&j, "prefill_of_peak", r->prefill_of_peak, 4);
        cli_json_real(&j, "decode_of_bandwidth", r->decode_of_bandwidth, 4);
        cli_json_word(&j, "isa", info->isa);
        cli_json_count(&j, "threads", info->threads);
        cli_json_count(&j, "runs", o->runs);
        cli_json_line(&j);
        return;
    }
    printf("%-10s %12.1f tokens/s  %5.1f %% of %.1f %s\n", "prefill", r->prefill_tok_s, 100 * r->prefill_of_peak,
           r->quantized ? r->vnni_gmac_s : r->fma_gflop_s / 2, r->quantized ? "GMAC/s in 8-bit integers" : "GMAC/s in floats");
    printf("%-10s %12.1f tokens/s  %5.1f %% of %.1f GB/s read from memory\n", "decode", r->decode_tok_s, 100 * r->decode_of_bandwidth,
           r->read_gb_s);
    printf("%-10s %12.1f ms\n", "load", r->load_ms);
    printf("%-10s %12.1f MB resident at most, weights %.1f MB\n", "memory", (double)r->peak_rss * 1e-6, (double)info->weight_bytes * 1e-6);
    printf("%-10s %llu prompt tokens, %llu decoded, median of %llu runs, %u threads, %s\n", "with", (unsigned long long)o->prompt,
           (unsigned long long)o->tokens, (unsigned long long)o->runs, info->threads, info->isa);
}

static slm_status work(cli *c, const options *o, slm_model **model, slm_session **session, run_row *rows, double *column)
{
    slm_session_params params = SLM_SESSION_PARAMS_INIT;
    const uint64_t most = o->prompt > LEAD + o->tokens ? o->prompt : LEAD + o->tokens;
    results r = { 0 };
    bench b = { .c = c, .o = o, .info = SLM_MODEL_INFO_INIT, .r = &r };
    int32_t *ids = NULL;
    params.context = (uint32_t)most;
    slm_status status = find_types(c, &r.quantized);
    if (!status)
        status = load(c, model, o, column);
    if (!status) {
        r.load_ms = median(column, o->runs);
        status = slm_model_get_info(*model, &b.info, &c->err);
    }
    if (!status && (!b.info.vocab || !(ids = made_up(most, b.info.vocab))))
        status = cli_fail(c, SLM_E_MEMORY, "no memory for %llu tokens", (unsigned long long)most);
    if (!status)
        status = slm_session_new(session, *model, &params, &c->err);
    if (!status) {
        cli_cancel_session(*session);
        b.session = *session;
        b.ids = ids;
        status = runs(&b, rows, column);
    }
    free(ids);
    if (status)
        return status;
    print(c, o, &b.info, &r);
    if (o->profile) {
        print_profile(c, &r, "prefill", r.rows[0]);
        print_profile(c, &r, "decode", r.rows[1]);
    }
    return SLM_OK;
}

static int run(cli *c, const void *opaque)
{
    const options *o = opaque;
    slm_model *model = NULL;
    slm_session *session = NULL;
    run_row *rows = calloc(o->runs, sizeof *rows);
    double *column = calloc(o->runs, sizeof *column);
    slm_status status = rows && column ? work(c, o, &model, &session, rows, column)
                                       : cli_fail(c, SLM_E_MEMORY, "no memory for %llu runs", (unsigned long long)o->runs);
    cli_cancel_session(NULL);
    slm_session_free(session);
    slm_model_free(model);
    free(column);
    free(rows);
    return cli_end(c, status);
}

static const cli_option table[] = {
    CLI_HEAD("what"),
    { CLI_COUNT, 'p', "prompt", "N", "512", 1, 1048576, offsetof(options, prompt), "tokens of the prompt" },
    { CLI_COUNT, 'n', "tokens", "N", "64", 1, 1048576, offsetof(options, tokens), "tokens decoded, behind a prompt of 16" },
    { CLI_COUNT, 'r', "runs",   "N", "5", 1, RUNS_MOST, offsetof(options, runs), "runs; medians are shown" },
    { CLI_FLAG,  0,   "profile", NULL, NULL, 0, 0, offsetof(options, profile), "where the time went, step by step" },
    CLI_END
};

const cli_command cmd_bench = {
    .name = "bench", .brief = "measures speed, and against what the machine can do", .example = "slm bench -m model.gguf",
    .about = "prefill_of_peak is the part of the measured multiplication rate (8-bit integers for quantized models, floats otherwise) that\n"
             "the matrices of the prompt reach; decode_of_bandwidth the part of the measured memory bandwidth that reading the weights\n"
             "for each token reaches (above 1 if they stay in the cache). Both bounds are measured around each prompt and each 16 tokens\n"
             "decoded, and the medians of the runs' parts are shown: a part is not exactly the quotient of the two medians beside it.\n"
             "--profile: for each step the time on the calling thread, what it read and multiplied, and of that time the part that the\n"
             "machine would need at its bounds; \"waiting\" is contained in the others: for threads that were not done.",
    .options = table, .size = sizeof(options), .run = run
};
