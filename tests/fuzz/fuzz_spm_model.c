/* fuzz_spm_model.c -- any bytes as a SentencePiece model: read into keys, and made a tokenizer that encodes. */
#include "encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_and_encode(slm_tokenizer_model_read, false, data, size);
    return 0;
}
