/* fuzz_spm_model.c -- any bytes as a SentencePiece model: read into keys, and made a tokenizer that encodes. */
#include "encode.h"
#include "format/tokenizer_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_keys keys;
    slm_error err = { 0 };
    slm_heap_init(&heap, NULL, 64 << 20);
    slm_keys_init(&keys, &heap, "fuzz.model");
    if (slm_tokenizer_model_read(&keys, data, size, "fuzz.model", size % 64, &err) == SLM_OK)
        encode_with(&keys, &heap, data, size);
    else if (err.status == SLM_OK || err.status == SLM_E_INTERNAL || !err.text[0])
        abort();                            /* a failure without a message */
    slm_keys_free(&keys);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
    return 0;
}
