/* fuzz_safetensors.c -- any bytes as safetensors: opened, every small tensor read. */
#include "format/file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20, MOST_VALUES = 1 << 16 };

static float values[MOST_VALUES];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_file *file = NULL;
    slm_error err = { 0 };
    slm_source source = slm_source_memory(data, size, "fuzz.safetensors");
    slm_heap_init(&heap, NULL, MEMORY);
    slm_status status = slm_file_new(&file, &heap, "fuzz.safetensors", &err);
    if (status)
        abort();
    source.name = file->path;
    file->source = source;
    status = slm_safetensors_read(file, &err);
    uint64_t sum = 0;
    for (size_t i = 0; !status && i < file->n_tensors; i++) {
        const slm_tensor *t = &file->tensors[i];
        if (t->offset > size || t->bytes > size - t->offset)
            abort();                        /* a tensor outside the file */
        sum += t->bytes;
        if (t->rows * t->dims[0] <= MOST_VALUES && i < 64)
            (void)slm_file_read(file, i, values, (size_t)(t->rows * t->dims[0]), NULL);
    }
    if (sum > size || (status && (!err.status || !err.text[0])))
        abort();                            /* bytes of two tensors, or a failure without a message */
    slm_file_free(file);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
    return 0;
}
