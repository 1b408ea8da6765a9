/* rig.c -- see rig.h. */
#include "rig.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static char ports[1024], ca_path[300], log_path[300];

bool rig_start(const char *path, const char *folder)
{
    int pipe_fd[2];
    size_t n = 0;
    (void)snprintf(ca_path, sizeof ca_path, "%s/ca.pem", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/server.log", folder);
    if (pipe2(pipe_fd, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        perror("rig: fork");
        return false;
    }
    if (child == 0) {
        (void)dup2(pipe_fd[1], 1);
        (void)execl(path, path, "--ca", ca_path, "--log", log_path, (char *)NULL);
        perror(path);
        _exit(127);
    }
    (void)close(pipe_fd[1]);
    while (n + 1 < sizeof ports) {
        const ssize_t got = read(pipe_fd[0], ports + n, sizeof ports - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
        if (ports[n - 1] == '\n')
            break;
    }
    (void)close(pipe_fd[0]);
    ports[n] = 0;
    if (n == 0)
        (void)fprintf(stderr, "rig: %s does not start\n", path);
    return n > 0;
}

void rig_stop(void)
{
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    child = 0;
}

int rig_port(const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = ports; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return atoi(at + n + 1);
    }
    return 0;
}

const char *rig_ca(void) { return ca_path; }
const char *rig_log(void) { return log_path; }

static char *read_all(const char *path, size_t *n)
{
    struct stat st;
    char *text = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    *n = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && (text = malloc((size_t)st.st_size + 1)) != NULL) {
        ssize_t got;
        while (*n < (size_t)st.st_size && (got = read(fd, text + *n, (size_t)st.st_size - *n)) > 0)
            *n += (size_t)got;
        text[*n] = 0;
    }
    if (fd >= 0)
        (void)close(fd);
    return text;
}

size_t rig_log_count(const char *what)
{
    size_t n, hits = 0;
    char *text = read_all(log_path, &n);
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = 0;
        hits += strstr(line, what) != NULL;
        line = end ? end + 1 : NULL;
    }
    free(text);
    return hits;
}

void rig_url(char *url, size_t room, const char *port, const char *behaviour)
{
    static const char *const plain[] = { "http", "reset", "refused", "full", "silent" };
    const char *scheme = "https";
    int number = rig_port(port);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(port, plain[i]) == 0)
            scheme = "http";
    if (strcmp(port, "silent_tls") == 0)
        number = rig_port("silent");
    (void)snprintf(url, room, "%s://127.0.0.1:%d/%s/v1", scheme, number, behaviour);
}

slm_engine_remote_params rig_params(const char *server, const char *url)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    slm_engine_remote_params p = SLM_ENGINE_REMOTE_PARAMS_INIT;
    p.server = server;
    p.base_url = url;
    p.model = "test-model";
    p.key = rig_key;
    p.hosts = hosts;
    p.n_hosts = 2;
    p.ca_file = ca_path;
    p.connect_ms = 3000;
    p.first_ms = 3000;
    p.between_ms = 3000;
    p.total_ms = 20000;
    p.retries = 1;
    p.retry_ms = 20;
    p.retry_after_ms = 3000;
    return p;
}

/* ---- the key ---- */

static uint8_t masked[RIG_KEY], mask[RIG_KEY];

static uint64_t mixed(uint64_t *seed)          /* splitmix64 */
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void rig_key_make(uint64_t seed)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < RIG_KEY; i++) {
        mask[i] = (uint8_t)mixed(&seed);
        masked[i] = (uint8_t)(mask[i] ^ (uint8_t)(i % 12 == 5 ? '/' : letters[mixed(&seed) % 64]));
    }
}

ptrdiff_t rig_key(void *user, char *key, size_t room)
{
    (void)user;
    if (room < RIG_KEY)
        return -1;
    for (size_t i = 0; i < RIG_KEY; i++)
        key[i] = (char)(masked[i] ^ mask[i]);
    return RIG_KEY;
}

enum { FORMS = 9 };

static size_t base64(char *out, const uint8_t *in, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t k = 0;
    for (size_t i = 0; i + 2 < n; i += 3) {        /* whole groups: padding says nothing */
        const unsigned v = (unsigned)in[i] << 16 | (unsigned)in[i + 1] << 8 | in[i + 2];
        for (unsigned s = 24; s > 0; s -= 6)
            out[k++] = letters[v >> (s - 6) & 63];
    }
    return k;
}

size_t rig_key_search(const char *where, const void *bytes, size_t n)
{
    static const char *const names[FORMS] = { "the key", "its first half", "its second half", "its base64", "its base64, shifted by one",
                                              "its base64, shifted by two", "its hexadecimal form", "its URL form", "its reverse" };
    char key[RIG_KEY], form[FORMS][3 * RIG_KEY];
    size_t len[FORMS] = { RIG_KEY, RIG_KEY / 2, RIG_KEY / 2, 0, 0, 0, 2 * RIG_KEY, 0, RIG_KEY }, hits = 0;
    (void)rig_key(NULL, key, sizeof key);
    memcpy(form[0], key, RIG_KEY);
    memcpy(form[1], key, RIG_KEY / 2);
    memcpy(form[2], key + RIG_KEY / 2, RIG_KEY / 2);
    for (size_t shift = 0; shift < 3; shift++)
        len[3 + shift] = base64(form[3 + shift], (const uint8_t *)key + shift, RIG_KEY - shift);
    for (size_t i = 0; i < RIG_KEY; i++) {
        static const char digits[] = "0123456789abcdef";
        const unsigned c = (unsigned char)key[i];
        form[6][2 * i] = digits[c >> 4];
        form[6][2 * i + 1] = digits[c & 15];
        if (isalnum((int)c)) {
            form[7][len[7]++] = key[i];
        } else {
            form[7][len[7]++] = '%';
            form[7][len[7]++] = "0123456789ABCDEF"[c >> 4];
            form[7][len[7]++] = "0123456789ABCDEF"[c & 15];
        }
        form[8][i] = key[RIG_KEY - 1 - i];
    }
    for (size_t f = 0; f < FORMS; f++)
        for (const char *at = bytes, *end = at + n; (at = memmem(at, (size_t)(end - at), form[f], len[f])) != NULL; at++) {
            hits++;
            (void)fprintf(stderr, "canary: %s: %s at byte %zu\n", where, names[f], (size_t)(at - (const char *)bytes));
        }
    explicit_bzero(key, sizeof key);
    explicit_bzero(form, sizeof form);
    return hits;
}

size_t rig_key_search_file(const char *path)
{
    size_t n;
    char *text = read_all(path, &n);
    if (!text) {
        (void)fprintf(stderr, "canary: %s cannot be read\n", path);
        return 1;
    }
    const size_t hits = rig_key_search(path, text, n);
    free(text);
    return hits;
}

bool rig_key_search_works(void)
{
    char text[RIG_KEY + 64] = "x", coded[2 * RIG_KEY];
    const bool quiet = rig_key_search("nothing", text, sizeof text) == 0;
    (void)rig_key(NULL, text + 7, RIG_KEY);
    const size_t n = base64(coded, (const uint8_t *)text + 7, RIG_KEY);
    (void)fprintf(stderr, "canary: four hits follow that have to be there\n");
    const size_t plain = rig_key_search("a control", text, sizeof text), code = rig_key_search("a control", coded, n);
    explicit_bzero(text, sizeof text);
    explicit_bzero(coded, sizeof coded);
    return quiet && plain == 3 && code == 1;
}

bool rig_file_has(const char *path, const char *what)
{
    size_t n;
    char *text = read_all(path, &n);
    const bool has = text && memmem(text, n, what, strlen(what));
    free(text);
    return has;
}

/* ---- this process ---- */

static size_t entries(const char *folder)
{
    DIR *d = opendir(folder);
    size_t n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n;
}

size_t rig_descriptors(void) { return entries("/proc/self/fd"); }
size_t rig_threads(void) { return entries("/proc/self/task"); }

uint64_t rig_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
