/* folder.h -- a Hugging Face folder in memory's own file system, which targets fill again and again and which goes when the run ends. */
#ifndef TESTS_FUZZ_FOLDER_H
#define TESTS_FUZZ_FOLDER_H

#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static char folder[64];

static inline const char *folder_path(const char *name)
{
    static char path[384];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void folder_put(const char *name, const void *bytes, size_t n)
{
    const int fd = open(folder_path(name), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0, name);
}

static inline void folder_clean(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        (void)unlink(folder_path(entry->d_name));
    if (dir)
        (void)closedir(dir);
    (void)rmdir(folder);
}

static inline void folder_begin(void)
{
    (void)snprintf(folder, sizeof folder, "%s/slm_fuzz_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    must(mkdtemp(folder) && atexit(folder_clean) == 0, "no folder");
}

/* Tensors of F32 with small values as model.safetensors; rows 0: a vector. */
typedef struct folder_tensor {
    const char *name;
    unsigned rows, cols;
} folder_tensor;

static inline void folder_put_tensors(const folder_tensor *list, size_t count)
{
    static uint8_t file[1 << 14];
    size_t n = 8;
    unsigned at = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned bytes = 4 * list[i].cols * (list[i].rows ? list[i].rows : 1);
        char shape[32];
        (void)snprintf(shape, sizeof shape, list[i].rows ? "%u,%u" : "%.0u%u", list[i].rows, list[i].cols);
        n += (size_t)snprintf((char *)file + n, sizeof file - n, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%u,%u]}", i ? "," : "{",
                              list[i].name, shape, at, at + bytes);
        at += bytes;
    }
    file[n++] = '}';
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((n - 8) >> (8 * i));
    must(n + at <= sizeof file, "more tensors than there is room for");
    for (size_t i = 0; i < at / 4; i++)
        memcpy(file + n + 4 * i, &(float){ (float)(i % 13) / 16 - 0.25f }, 4);
    folder_put("model.safetensors", file, n + at);
}

#endif
