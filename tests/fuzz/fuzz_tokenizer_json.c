/* fuzz_tokenizer_json.c -- any bytes as a tokenizer.json and as a tokenizer_config.json: read into keys, and made a tokenizer that encodes. */
#include "encode.h"
#include "format/tokenizer_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_keys keys;
    slm_error err = { 0 };
    slm_heap_init(&heap, NULL, 64 << 20);
    slm_keys_init(&keys, &heap, "fuzz.json");
    if (slm_tokenizer_json_read(&keys, data, size, "fuzz.json", size % 64, &err) == SLM_OK)
        encode_with(&keys, &heap, data, size);
    else if (err.status == SLM_OK || err.status == SLM_E_INTERNAL || !err.text[0])
        abort();                            /* a failure without a message */
    (void)slm_tokenizer_config_read(&keys, data, size, "fuzz.json", NULL);
    slm_keys_free(&keys);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
    return 0;
}
