/* replay.c -- runs a fuzz target over files and folders of files, with any compiler: corpora and old crashes as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = -1;
    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    uint8_t *bytes = size >= 0 ? malloc(size ? (size_t)size : 1) : NULL;
    if (!bytes || fseek(f, 0, SEEK_SET) != 0 || fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    (void)fclose(f);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    return 1;
}

static int run(const char *path)
{
    struct stat st;
    char inner[4096];
    int n = 0;
    DIR *dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    if (!dir)
        return run_file(path);
    for (struct dirent *entry; (entry = readdir(dir));) {
        (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (stat(inner, &st) == 0 && S_ISREG(st.st_mode))
            n += run_file(inner);
    }
    (void)closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++)
        n += run(argv[i]);
    printf("%s: %d inputs\n", argv[0], n);
    return n == 0;                          /* a corpus that is not there is no pass */
}
