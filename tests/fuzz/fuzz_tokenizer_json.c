/* fuzz_tokenizer_json.c -- any bytes as a tokenizer.json and as a tokenizer_config.json: read into keys, and made a tokenizer that encodes. */
#include "encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_and_encode(slm_tokenizer_json_read, true, data, size);
    return 0;
}
