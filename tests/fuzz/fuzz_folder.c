/* fuzz_folder.c -- a Hugging Face folder: the text up to a NUL byte is its config.json, the rest its safetensors (nothing: those of a
 * small model). Opened, every small tensor made. */
#include "format/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20, MOST_VALUES = 1 << 16 };

static char folder[64], config_path[96], weights_path[96];
static float values[MOST_VALUES];

static void spit(const char *path, const void *bytes, size_t n)
{
    const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd))
        abort();
}

static void clean(void)
{
    (void)unlink(config_path);
    (void)unlink(weights_path);
    (void)rmdir(folder);
}

static void begin(void)
{
    (void)snprintf(folder, sizeof folder, "%s/slm_fuzz_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(folder) || atexit(clean))
        abort();
    (void)snprintf(config_path, sizeof config_path, "%s/config.json", folder);
    (void)snprintf(weights_path, sizeof weights_path, "%s/model.safetensors", folder);
}

/* Names of all kinds, one value each but for what rope and norms look at. */
static void put_small(void)
{
    static const struct { const char *name, *shape; unsigned values; } tensors[] = {
        { "model.embed_tokens.weight", "[2,4]", 8 }, { "model.norm.weight", "[4]", 4 }, { "model.layers.0.self_attn.q_proj.weight", "[4,4]", 16 },
        { "model.layers.0.self_attn.k_proj.weight", "[4,4]", 16 }, { "model.layers.0.mlp.up_proj.weight", "[2,4]", 8 }, { "lm_head.weight", "[2,4]", 8 },
    };
    static uint8_t file[2048];
    size_t n = 8;
    unsigned at = 0;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++, at += 4 * tensors[i - 1].values)
        n += (size_t)snprintf((char *)file + n, sizeof file - n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%u,%u]}", i ? "," : "{",
                              tensors[i].name, tensors[i].shape, at, at + 4 * tensors[i].values);
    file[n++] = '}';
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((n - 8) >> (8 * i));
    memset(file + n, 0, at);
    spit(weights_path, file, n + at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    slm_heap heap;
    slm_file *file = NULL;
    slm_error err = { 0 };
    const uint8_t *end = memchr(data, 0, size);
    const size_t n = end ? (size_t)(end - data) : size;
    if (!begun++)
        begin();
    spit(config_path, data, n);
    if (end && n + 1 < size)
        spit(weights_path, end + 1, size - n - 1);
    else
        put_small();
    slm_heap_init(&heap, NULL, MEMORY);
    if (slm_file_load(&file, &heap, folder, NULL, &err) == SLM_OK) {
        for (size_t i = 0; i < file->n_tensors && i < 64; i++)
            if (file->tensors[i].rows * file->tensors[i].dims[0] <= MOST_VALUES)
                (void)slm_file_read(file, i, values, (size_t)(file->tensors[i].rows * file->tensors[i].dims[0]), NULL);
    } else if (!err.status || !err.text[0]) {
        abort();                            /* a failure without a message */
    }
    slm_file_free(file);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
    return 0;
}
