/* hostile.c -- every format's file bent in every way, each bent file read, each answer looked at and compared with a stored list.
 *
 *   hostile [--full] [--only NAME] [--update] EXPECTED     NAME: a format, or "made"
 *   hostile [--full] --list NAME                           every case of it is printed, and nothing compared
 *
 * All of it runs in a thread with 64 KiB of stack. The bytes end where memory ends, so that a read behind them is a fault. An answer is a
 * status that bytes can have, and a message of one line that names file, thing and number; the heap's peak is at most 8 bytes for each
 * byte of metadata and 1 MiB; no case takes a second of processor time; nothing is left behind.
 *
 * The list has a line for each kind of answer: how many cases, a hash over their labels and messages, the status, the first of them. Of
 * what only the full form has there is a line for each status: cases, all hashes together, kinds. */
#include "hostile/hostile.h"

#include "core/xxh64.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifdef SANITIZED
enum { SECONDS = 20 };
#else
enum { SECONDS = 1 };
#endif
enum { ARENA = 8 << 20, MOST_KINDS = 4096, LIST = 1 << 22, HANGS = 60 };

static const format *now;           /* the format whose case runs */
static char now_label[200];
static size_t cases, failures;

void broken(const char *text, ...)
{
    va_list args;
    va_start(args, text);
    (void)fprintf(stderr, "hostile: ");
    (void)vfprintf(stderr, text, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* What two messages of one kind have in common: numbers and what stands in quotes are left out. */
static uint64_t shape_of(const char *label, slm_status status, const char *text)
{
    char shape[512];
    size_t n = 0;
    bool quoted = false;
    shape[n++] = (char)status;
    for (; *label && *label != ':'; label++)
        shape[n++] = *label;
    for (; *text && n < sizeof shape; text++) {
        const bool digit = (*text >= '0' && *text <= '9') || *text == '-' || *text == '.' || (*text >= 'a' && *text <= 'f');
        quoted ^= *text == '\'';
        if (!digit && !quoted)
            shape[n++] = *text;
    }
    return slm_xxh64_of(shape, n);
}

/* A finding; of those of one kind the first is shown. */
static void __attribute__((format(printf, 1, 2))) wrong(const char *text, ...)
{
    static uint64_t shown[MOST_KINDS];
    static size_t n_shown;
    char line[640];
    va_list args;
    va_start(args, text);
    (void)vsnprintf(line, sizeof line, text, args);
    va_end(args);
    failures++;
    const uint64_t shape = shape_of("", 0, line);
    for (size_t i = 0; i < n_shown; i++)
        if (shown[i] == shape)
            return;
    if (n_shown < MOST_KINDS)
        shown[n_shown++] = shape;
    (void)printf("hostile: %s: %s: %s\n", now->name, now_label, line);
    (void)fflush(stdout);
}

/* ---- memory of a case ---- */

typedef struct block {
    uint64_t magic;
    size_t size;
} block;
#define MAGIC UINT64_C(0x686f7374696c6521)

static uint64_t live, peak, base;     /* base: of objects that stay, such as the model of session files */

static void *take(void *user, size_t size)
{
    (void)user;
    void *memory = NULL;
    if (size > (size_t)1 << 32 || posix_memalign(&memory, 64, 64 + size))
        return NULL;
    *(block *)memory = (block){ MAGIC, size };
    live += size;
    peak = live > peak ? live : peak;
    return (char *)memory + 64;
}

static void give_back(void *user, void *memory, size_t size)
{
    block *b = (block *)((char *)memory - 64);
    (void)user;
    if (b->magic != MAGIC || b->size != size)
        broken("%s: %s: a block is freed twice or with another size", now->name, now_label);
    live -= size;
    b->magic = 0;
    free(b);
}

const slm_allocator *case_memory(void)
{
    static const slm_allocator allocator = { NULL, take, give_back };
    peak = live;
    return &allocator;
}

void case_peak(const char *what, size_t metadata)
{
    const uint64_t most = 8 * (uint64_t)metadata + (1 << 20);
    if (peak > base + most)
        wrong("%s: %" PRIu64 " bytes of heap for %zu of metadata (allowed %" PRIu64 ")", what, peak - base, metadata, most);
}

/* ---- folder ---- */

static char folder[64];

static void remove_folder(void)
{
    char command[96];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (folder[0] && system(command) != 0)
        (void)fprintf(stderr, "hostile: %s stays\n", folder);
}

const char *case_folder(void)
{
    if (!folder[0]) {
        (void)snprintf(folder, sizeof folder, "%s/slm_hostile_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        if (!mkdtemp(folder) || atexit(remove_folder))
            broken("%s: cannot be made", folder);
    }
    return folder;
}

const char *case_path(const char *name)
{
    static char paths[4][160];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof *paths, "%s/%s", case_folder(), name);
    return path;
}

void case_write(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(case_path(name), "wb");
    if (!f || (n && fwrite(bytes, 1, n, f) != n) || fclose(f))
        broken("%s: cannot be written", name);
}

/* ---- answers ---- */

/* The run's folder reads DIR, so that the list is the same everywhere. */
static void hide_folder(char text[496])
{
    const size_t n = strlen(folder);
    for (char *p = n ? strstr(text, folder) : NULL; p; p = strstr(p, folder)) {
        memcpy(p, "DIR", 3);
        memmove(p + 3, p + n, strlen(p + n) + 1);
    }
}

static bool is_answer_to_bytes(slm_status status)
{
    switch (status) {
    case SLM_E_FORMAT: case SLM_E_UNSUPPORTED: case SLM_E_LIMIT: case SLM_E_MISMATCH: case SLM_E_NOT_FOUND: case SLM_E_NUMERIC:
    case SLM_E_CONTEXT:
        return true;
    default:
        return false;
    }
}

/* FILE: THING ...: NUMBER */
static void check_message(slm_status status, const slm_error *err, const char *file)
{
    const size_t n = strlen(file), len = strlen(err->text);
    const char *rest = err->text + n;
    if (err->status != (int32_t)status)
        wrong("%s, the error says %d: %s", slm_status_name(status), err->status, err->text);
    if (!is_answer_to_bytes(status))
        wrong("%s is no answer to bytes: %s", slm_status_name(status), err->text);
    if (!len || err->text[len - 1] == '.')
        wrong("the message is '%s'", err->text);
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)err->text[i] < ' ' || err->text[i] == 0x7f)
            wrong("the message has byte %d: %s", err->text[i], err->text);
    if (strncmp(err->text, file, n) != 0) {
        wrong("the message names no file '%s': %s", file, err->text);
        return;
    }
    if (!strpbrk(rest, "0123456789"))
        wrong("the message has no number: %s", err->text);
    if (!strpbrk(rest, "abcdefghijklmnopqrstuvwxyz"))
        wrong("the message names no thing: %s", err->text);
}

void case_answer(slm_status *first, slm_error *kept, const char *file, slm_status status, const slm_error *err)
{
    slm_error e = *err;
    if (!status)
        return;
    hide_folder(e.text);
    check_message(status, &e, file);
    if (!*first) {
        *first = status;
        *kept = e;
    }
}

/* ---- kinds ---- */

typedef struct kind {
    uint64_t shape;
    size_t count;
    slm_xxh64 hash;
    slm_status status;
    char label[100], text[300];
} kind;

static kind *kinds;
static size_t n_kinds;
static char *list;
static size_t n_list;
static const char *listed;      /* --list */
static const char *write_to;    /* --write: the first file of each kind of answer goes there */
static uint8_t *case_bytes;     /* [ARENA] */
static size_t n_case_bytes;
static char case_format[64];

/* Who wants to try them on a program of his own finds status and message in the list beside them. */
static void write_case(const char *label, slm_status status, const char *text)
{
    static size_t number;
    char name[128], path[600];
    FILE *f;
    if (!n_case_bytes)
        return;
    (void)snprintf(name, sizeof name, "%04zu-%s", number++, case_format);
    for (char *at = name; *at; at++)
        *at = *at == '/' || *at == ' ' ? '-' : *at;
    (void)snprintf(path, sizeof path, "%s/%s", write_to, name);
    f = fopen(path, "wb");
    if (!f || fwrite(case_bytes, 1, n_case_bytes, f) != n_case_bytes || fclose(f))
        broken("%s: cannot be written", path);
    (void)snprintf(path, sizeof path, "%s/answers.txt", write_to);
    f = fopen(path, number == 1 ? "wb" : "ab");
    if (!f || fprintf(f, "%s | %s | %s%s%s\n", name, slm_status_name(status), label, *text ? " | " : "", text) < 0 || fclose(f))
        broken("%s: cannot be written", path);
}

void case_file(const uint8_t *bytes, size_t n)
{
    if (!write_to || n > ARENA)
        return;
    if (n)
        memcpy(case_bytes, bytes, n);
    n_case_bytes = n;
}

static void keep(const char *label, slm_status status, const char *text)
{
    const uint64_t shape = shape_of(label, status, text);
    kind *k = NULL;
    cases++;
    if (listed) {
        (void)printf("%s: %s%s%s\n", label, slm_status_name(status), status ? ": " : "", text);
        return;
    }
    for (size_t i = n_kinds; i > 0 && !k; i--)
        if (kinds[i - 1].shape == shape)
            k = &kinds[i - 1];
    if (!k) {
        if (n_kinds == MOST_KINDS)
            broken("more than %d kinds of answers", MOST_KINDS);
        k = &kinds[n_kinds++];
        *k = (kind){ .shape = shape, .status = status };
        slm_xxh64_init(&k->hash);
        if (write_to)
            write_case(label, status, text);
        (void)snprintf(k->label, sizeof k->label, "%s", label);
        (void)snprintf(k->text, sizeof k->text, "%s", text);
    }
    k->count++;
    slm_xxh64_add(&k->hash, label, strlen(label) + 1);
    slm_xxh64_add(&k->hash, text, strlen(text) + 1);
}

/* Labels have words of the files in them. */
static void put_line(const char *line)
{
    const size_t n = strlen(line);
    if (n_list + n + 2 > LIST)
        broken("a list of more than %d bytes", LIST);
    for (size_t i = 0; i < n; i++)
        list[n_list++] = line[i] >= ' ' && line[i] < 0x7f ? line[i] : '?';
    list[n_list++] = '\n';
    list[n_list] = 0;
}

/* The kinds of one status in a line, at the first of them. */
static void put_status(size_t first)
{
    char line[100];
    size_t count = 0, n = 0;
    uint64_t hash = 0;
    for (size_t i = 0; i < n_kinds; i++)
        if (kinds[i].status == kinds[first].status) {
            if (i < first)
                return;
            count += kinds[i].count;
            hash ^= slm_xxh64_end(&kinds[i].hash);
            n++;
        }
    (void)snprintf(line, sizeof line, "%5zu %016" PRIx64 " %s | %zu kinds", count, hash, slm_status_name(kinds[first].status), n);
    put_line(line);
}

static void end_kinds(const char *name, bool brief)
{
    char line[640];
    if (!n_kinds)
        return;
    (void)snprintf(line, sizeof line, "== %s", name);
    put_line(line);
    for (size_t i = 0; i < n_kinds; i++) {
        const kind *k = &kinds[i];
        if (brief) {
            put_status(i);
            continue;
        }
        (void)snprintf(line, sizeof line, "%5zu %016" PRIx64 " %s | %s%s%s", k->count, slm_xxh64_end(&k->hash), slm_status_name(k->status), k->label,
                       k->status ? " | " : "", k->text);
        put_line(line);
    }
    n_kinds = 0;
    kinds[0].status = SLM_OK;
}

/* ---- a case ---- */

static uint8_t *arena;

static void fault(int number)
{
    static const char before[] = "hostile: signal in: ", between[] = ": ", after[] = "\n";
    const char *name = now ? now->name : "made";
    (void)!write(2, before, sizeof before - 1);
    (void)!write(2, name, strlen(name));
    (void)!write(2, between, 2);
    (void)!write(2, now_label, strlen(now_label));
    (void)!write(2, after, 1);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Answers of a mended file have a label of their own. */
static void run_case(const char *prefix, const char *label, const uint8_t *bytes, size_t n)
{
    slm_error err = { 0 };
    if (n > ARENA)
        broken("%s: %zu bytes", label, n);
    (void)snprintf(now_label, sizeof now_label, "%s%s", prefix, label);
    (void)alarm(HANGS);
    case_file(bytes, n);
    const double begin = seconds();
    const slm_status status = now->read(bytes, n, &err);
    const double took = seconds() - begin;
    if (took > SECONDS)
        wrong("took %.1f s (allowed %d)", took, SECONDS);
    if (live != base)
        wrong("%" PRId64 " bytes are left", (int64_t)(live - base));
    base = live;
    keep(now_label, status, status ? err.text : "");
}

static void each(void *user, const char *label, const uint8_t *bytes, size_t n)
{
    uint8_t *at = arena + ARENA - n;
    (void)user;
    memcpy(at, bytes, n);
    run_case("", label, at, n);
    if (now->mend) {
        now->mend(at, n);
        run_case("mended ", label, at, n);
    }
}

static void run_format(const format *f, int full)
{
    specimen s = { .head = 0 };
    slm_heap heap;
    now = f;
    (void)snprintf(case_format, sizeof case_format, "%s", f->name);
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&s.file, &heap, ARENA);
    s.fields = slm_heap_zarray(&heap, MOST_SPANS, sizeof *s.fields);
    s.records = slm_heap_zarray(&heap, MOST_SPANS, sizeof *s.records);
    if (!s.fields || !s.records)
        broken("no memory");
    (void)snprintf(now_label, sizeof now_label, "making it");
    f->make(&s, f->with);
    if (s.file.failed)
        broken("%s: its good file is too large", f->name);
    base = live;
    const size_t before = cases;
    const double begin = seconds();
    if (s.file.size)
        bend(&s, each, NULL);
    else
        (void)printf("hostile: %s: skipped: its file is missing\n", f->name);
    if (kinds[0].status)
        wrong("the good file is refused: %s", kinds[0].text);
    end_kinds(f->name, f->full == 2);
    if (full && f->full < 2 && s.file.size) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s, bits", f->name);
        bend_bits(&s, each, NULL);
        end_kinds(name, true);
    }
    if (s.file.size && !listed)
        (void)printf("hostile: %s: %zu bytes, %d fields, %d records: %zu files, %.1f s\n", f->name, s.file.size, s.n_fields, s.n_records,
                     cases - before, seconds() - begin);
    slm_buf_free(&s.file);
    slm_heap_free(&heap, s.fields);
    slm_heap_free(&heap, s.records);
    (void)fflush(stdout);
}

static void run_accidents(void)
{
    static format shell;
    shell.name = "made";
    for (size_t i = 0; i < n_accidents; i++) {
        slm_error err = { 0 };
        const accident *a = &accidents[i];
        now = &shell;
        case_file(NULL, 0);
        (void)snprintf(case_format, sizeof case_format, "made");
        (void)snprintf(now_label, sizeof now_label, "%s", a->name);
        (void)alarm(HANGS);
        const double begin = seconds();
        const slm_status status = a->run(&err);
        if (seconds() - begin > SECONDS)
            wrong("took %.1f s (allowed %d)", seconds() - begin, SECONDS);
        if (live != base)
            wrong("%" PRId64 " bytes are left", (int64_t)(live - base));
        base = live;
        keep(a->name, status, status ? err.text : "");
    }
    if (!listed) {
        (void)printf("hostile: made: %zu files\n", n_accidents);
        end_kinds("made", false);
    }
}

/* ---- the list ---- */

/* The section that begins at p ends where the next one does. */
static size_t section_bytes(const char *p)
{
    const char *next = strstr(p + 1, "\n== ");
    return next ? (size_t)(next + 1 - p) : strlen(p);
}

/* Of two versions of a section the lines that the other does not have. */
static void show_difference(const char *a, size_t n_a, const char *b, size_t n_b, char mark)
{
    const char *end = a + n_a;
    for (size_t n; a < end; a += n + 1) {
        n = strcspn(a, "\n");
        if (n + 1 <= n_b && !memmem(b, n_b, a, n + 1))
            (void)printf("%c %.*s\n", mark, (int)n, a);
    }
}

/* Section by section: the full form has more of them. */
static int compare(const char *path, bool update)
{
    static char want[LIST];
    int bad = 0;
    FILE *f = fopen(path, update ? "wb" : "rb");
    if (!f)
        broken("%s: cannot be opened", path);
    if (update) {
        if (fwrite(list, 1, n_list, f) != n_list || fclose(f))
            broken("%s: cannot be written", path);
        (void)printf("hostile: %s written: read the difference\n", path);
        return 0;
    }
    want[fread(want, 1, sizeof want - 1, f)] = 0;
    (void)fclose(f);
    for (const char *p = list; *p; p += section_bytes(p)) {
        const size_t n = section_bytes(p), head = strcspn(p, "\n") + 1;
        const char *w = memmem(want, strlen(want), p, head);
        if (!w) {
            (void)printf("hostile: %.*s has no section in %s\n", (int)head - 1, p, path);
            bad = 1;
        } else if (section_bytes(w) != n || memcmp(w, p, n) != 0) {
            (void)printf("%.*s: - is in the list, + is what came\n", (int)head - 1, p);
            show_difference(w, section_bytes(w), p, n, '-');
            show_difference(p, n, w, section_bytes(w), '+');
            bad = 1;
        }
    }
    if (bad)
        (void)printf("hostile: answers are not those of %s: look at each, then UPDATE=1 make check-hostile; `hostile --list FORMAT` prints all cases\n",
                     path);
    return bad;
}

typedef struct job {
    int full;
    const char *list;
} job;

static void *run(void *arg)
{
    const job *j = arg;
    if (!j->list || strcmp(j->list, "made") == 0)
        run_accidents();
    for (size_t i = 0; i < n_formats + n_text_formats; i++) {
        const format *f = i < n_formats ? &formats[i] : &text_formats[i - n_formats];
        if (j->list ? strcmp(j->list, f->name) == 0 : j->full || !f->full)
            run_format(f, j->full);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM };
    static uint8_t signal_stack[1 << 16];
    const stack_t other = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };
    struct sigaction action = { .sa_handler = fault, .sa_flags = SA_ONSTACK };
    job j = { 0, NULL };
    bool update = false;
    const char *path = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--full") == 0)
            j.full = 1;
        else if (strcmp(argv[i], "--update") == 0)
            update = true;
        else if (strcmp(argv[i], "--list") == 0 && i + 1 < argc)
            j.list = listed = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            j.list = argv[++i];
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            write_to = argv[++i];
        else
            path = argv[i];
    (void)sigaltstack(&other, NULL);
    for (size_t i = 0; i < COUNT(faults); i++)
        (void)sigaction(faults[i], &action, NULL);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    arena = mmap(NULL, ARENA + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    kinds = calloc(MOST_KINDS, sizeof *kinds);
    list = calloc(1, LIST);
    case_bytes = write_to ? malloc(ARENA) : NULL;
    if (arena == MAP_FAILED || !kinds || !list || (write_to && !case_bytes) || mprotect(arena + ARENA, page, PROT_NONE))
        broken("no memory");
    (void)test_small_stack(run, &j);
    int bad = failures > 0;
    if (!listed && path)
        bad |= compare(path, update);
    if (!listed)
        (void)printf("hostile: %zu files, %zu findings\n", cases, failures);
    return bad;
}
