/* fuzz_packed.c -- a packed file, bent by the input, opened and fed: a status and a message, or a model that computes.
 *
 * The file is the shipped model, packed here. The input is a flag byte (1: the hashes are made right afterwards, as an enemy would; 2: the
 * hashes are looked at), how many bytes are cut off the end (u16), and changes of 3 bytes each: offset (u16, little-endian), a byte that
 * is added to the one there. What is changed is put back at the end, so that no copy is made. */
#include "fuzz.h"

#include "core/xxh64.h"

#include <unistd.h>

enum { HEAD = 256, SECTIONS = 104, SECTIONS_END = 152, EACH = 24, SAYS = 88, ID_AT = 24 };

static uint8_t *bytes, saved[HEAD];
static size_t n_bytes;

static void begin(void)
{
    char name[] = "/tmp/slm-fuzz-packed-XXXXXX";
    slm_error err = { 0 };
    const int fd = mkstemp(name);
    must(fd >= 0 && close(fd) == 0, name);
    must(slm_pack_file("models/tiny-stories/tiny-stories.gguf", name, NULL, &err) == SLM_OK, err.text);
    FILE *f = fopen(name, "rb");
    must(f && fseek(f, 0, SEEK_END) == 0, name);
    n_bytes = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(n_bytes);
    must(bytes && fread(bytes, 1, n_bytes, f) == n_bytes && fclose(f) == 0, name);
    (void)unlink(name);
    memcpy(saved, bytes, HEAD);
}

static uint64_t number(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void make_hashes_right(size_t n)
{
    char id[65];
    uint64_t hash;
    if (n < HEAD)
        return;
    for (size_t at = SECTIONS; at < SECTIONS_END; at += EACH) {
        const uint64_t offset = number(bytes + at), size = number(bytes + at + 8);
        if (offset > n || size > n - offset)
            continue;
        hash = slm_xxh64_of(bytes + offset, (size_t)size);
        memcpy(bytes + at + 16, &hash, sizeof hash);
    }
    slm_sha256(id, bytes + SAYS, SECTIONS_END - SAYS);
    memcpy(bytes + ID_AT, id, 64);
    hash = slm_xxh64_of(bytes, HEAD - 8);
    memcpy(bytes + HEAD - 8, &hash, sizeof hash);
}

static void open_and_feed(size_t n, uint32_t verify)
{
    slm_model *model = NULL;
    slm_session *s = NULL;
    slm_error err = { 0 };
    slm_model_params p = SLM_MODEL_PARAMS_INIT;
    slm_session_params sp = SLM_SESSION_PARAMS_INIT;
    slm_input in = SLM_INPUT_INIT;
    in.memory = bytes;
    in.bytes = n;
    p.input = &in;
    p.threads = 1;
    p.verify = verify;
    p.memory_limit = 128 << 20;
    sp.context = 64;
    if (slm_model_open(&model, "bent", &p, &err) == SLM_OK) {
        const int32_t token = 9;
        slm_status status = slm_session_new(&s, model, &sp, &err);
        if (!status)
            status = slm_session_feed(s, &token, 1, &err);
        must(status == SLM_OK || status == SLM_E_NUMERIC || status == SLM_E_MEMORY || status == SLM_E_ARG, err.text);
    } else {
        must(err.status != SLM_OK && err.text[0] && !model, "a failure without a message");
    }
    slm_session_free(s);
    slm_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!bytes)
        begin();
    const size_t cut = size >= 3 ? (size_t)data[1] | (size_t)data[2] << 8 : 0, n = cut < n_bytes ? n_bytes - cut : 0;
    for (size_t i = 3; i + 3 <= size; i += 3)
        bytes[((size_t)data[i] | (size_t)data[i + 1] << 8) % n_bytes] += data[i + 2];
    if (size && data[0] & 1) {
        if (n >= HEAD)
            memcpy(bytes + 16, &(uint64_t){ n }, 8);
        make_hashes_right(n);
    }
    open_and_feed(n, size && data[0] & 2);
    for (size_t i = 3; i + 3 <= size; i += 3)
        bytes[((size_t)data[i] | (size_t)data[i + 1] << 8) % n_bytes] -= data[i + 2];
    memcpy(bytes, saved, HEAD);
    return 0;
}
