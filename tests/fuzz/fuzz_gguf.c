/* fuzz_gguf.c -- any bytes as a model file (GGUF or llama2.c): opened, every small tensor read, the vocabulary loaded. */
#include "format/file.h"

#include <stdlib.h>

#if __has_include("text/tokenizer.c")
#include "text/tokenizer.h"
#define TOKENIZER 1
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20, MOST_VALUES = 1 << 16 };

static float values[MOST_VALUES];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_file *file = NULL;
    slm_error err = { 0 };
    slm_source source = slm_source_memory(data, size, "fuzz.gguf");
    slm_heap_init(&heap, NULL, MEMORY);
    if (slm_file_load_source(&file, &heap, &source, "fuzz.gguf", NULL, &err) == SLM_OK) {
        for (size_t i = 0; i < file->n_tensors && i < 64; i++) {
            const uint64_t n = file->tensors[i].rows * file->tensors[i].dims[0];
            if (n <= MOST_VALUES)
                (void)slm_file_read(file, i, values, (size_t)n, NULL);
        }
#ifdef TOKENIZER
        slm_tokenizer *tokenizer = NULL;
        (void)slm_tokenizer_load(&tokenizer, &heap, &file->keys, "fuzz.gguf", NULL);
        slm_tokenizer_free(tokenizer);
#endif
    } else if (err.status == SLM_OK || !err.text[0]) {
        abort();                            /* a failure without a message */
    }
    slm_file_free(file);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
    return 0;
}
