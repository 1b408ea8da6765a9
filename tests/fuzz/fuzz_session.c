/* fuzz_session.c -- a session file, bent by the input, loaded and fed on: a status and a message, or a session that computes.
 *
 * The file is one that was saved here (5 tokens of the shipped model). The input is a flag byte (1: the hashes are made right afterwards,
 * as an enemy would), how many bytes are cut off the end (u16), and changes of 3 bytes each: offset (u16, little-endian), a byte that is
 * added to the one there. */
#include "fuzz.h"

#include "core/xxh64.h"

#include <sys/mman.h>
#include <unistd.h>

enum { HEAD = 256, SECTIONS = 136, EACH = 24 };

static slm_model *model;
static uint8_t *saved, *bent;
static size_t saved_bytes;
static char path[64];
static int fd = -1;

/* Sizes once: the model, and a good file to start from. memfd: no disk is written a million times. */
static void begin(void)
{
    char name[] = "/tmp/slm-fuzz-session-XXXXXX";
    const int32_t tokens[5] = { 1, 300, 7, 1999, 40 };
    slm_session *s = NULL;
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    p.threads = 1;
    p.memory_limit = 128 << 20;         /* a context of 2^24 wants more to compute with */
    must(slm_model_open(&model, "models/tiny-stories/tiny-stories.gguf", &p, &err) == SLM_OK, err.text);
    must(slm_session_new(&s, model, NULL, &err) == SLM_OK && slm_session_feed(s, tokens, 5, &err) == SLM_OK, err.text);
    const int file = mkstemp(name);
    must(file >= 0 && close(file) == 0 && slm_session_save(s, name, &err) == SLM_OK, err.text);
    slm_session_free(s);
    FILE *f = fopen(name, "rb");
    must(f && fseek(f, 0, SEEK_END) == 0, name);
    saved_bytes = (size_t)ftell(f);
    rewind(f);
    saved = malloc(saved_bytes);
    bent = malloc(saved_bytes);
    must(saved && bent && fread(saved, 1, saved_bytes, f) == saved_bytes && fclose(f) == 0, name);
    (void)unlink(name);
    fd = memfd_create("session", MFD_CLOEXEC);
    must(fd >= 0, "memfd_create");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
}

static uint64_t number(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void make_hashes_right(size_t n)
{
    uint64_t hash;
    if (n < HEAD)
        return;
    for (size_t i = 0; i < 3; i++) {
        uint8_t *row = bent + SECTIONS + EACH * i;
        const uint64_t offset = number(row), bytes = number(row + 8);
        if (offset > n || bytes > n - offset)
            continue;
        hash = slm_xxh64_of(bent + offset, (size_t)bytes);
        memcpy(row + 16, &hash, sizeof hash);
    }
    hash = slm_xxh64_of(bent, HEAD - 8);
    memcpy(bent + HEAD - 8, &hash, sizeof hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_session *s = NULL;
    slm_error err = { 0 };
    if (fd < 0)
        begin();
    const size_t cut = size >= 3 ? (size_t)data[1] | (size_t)data[2] << 8 : 0, n = cut < saved_bytes ? saved_bytes - cut : 0;
    memcpy(bent, saved, saved_bytes);
    for (size_t i = 3; i + 3 <= size; i += 3)
        bent[((size_t)data[i] | (size_t)data[i + 1] << 8) % saved_bytes] += data[i + 2];
    if (size && data[0] & 1)
        make_hashes_right(n);
    must(ftruncate(fd, 0) == 0 && pwrite(fd, bent, n, 0) == (ssize_t)n, "memfd");
    if (slm_session_load(&s, model, path, NULL, &err) == SLM_OK) {
        const int32_t token = 9;
        const slm_status status = slm_session_room(s) ? slm_session_feed(s, &token, 1, &err) : SLM_OK;
        must(status == SLM_OK || status == SLM_E_NUMERIC || status == SLM_E_MEMORY, err.text);
    } else {
        must(err.status != SLM_OK && err.text[0] && !s, "a failure without a message");
    }
    slm_session_free(s);
    return 0;
}
