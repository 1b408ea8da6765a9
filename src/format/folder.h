/* folder.h -- what the parts of the reader of Hugging Face folders share. */
#ifndef SLM_FORMAT_FOLDER_H
#define SLM_FORMAT_FOLDER_H

#include "format/document.h"
#include "format/family.h"
#include "format/file.h"

typedef struct slm_folder {
    slm_file *file;             /* becomes the GGUF: keys and tensors; its path is the folder */
    slm_file *raw;              /* the weights as they lie in the safetensors */
    const slm_family *family;
    slm_document config;
    const slm_value_at *root;   /* of config: the object with the numbers */
} slm_folder;

/* Keys of the family's lists, and what is derived from them: the share of a head that is turned, windows, scales, the pooling. */
slm_status slm_folder_keys(slm_folder *folder, slm_error *err);

/* Factors by which frequencies are divided, as rope_scaling of the config asks: up to two made tensors. */
typedef struct slm_folder_factors {
    const char *name;           /* of the tensor */
    float *values;              /* [n] on the file's heap */
    size_t n;
} slm_folder_factors;
slm_status slm_folder_scaling(slm_folder *folder, slm_folder_factors factors[2], slm_error *err);

/* Tokenizer, special ids and chat templates. */
slm_status slm_folder_text(slm_folder *folder, slm_error *err);

/* "ARCH.key", or the key itself where it begins with "tokenizer." */
const char *slm_folder_key(char out[128], const slm_folder *folder, const char *key);

/* The value at the first of the paths in `paths` that is there, or NULL. */
const slm_value_at *slm_folder_find(const slm_folder *folder, const char *paths);

/* A whole number of the GGUF's keys, which this reader wrote as such; `absent` where it is not there. */
uint64_t slm_folder_number(const slm_folder *folder, const char *key, uint64_t absent);

/* Is `word` one of the words between '|' in `list`? */
bool slm_folder_listed(const char *list, const void *word, size_t n);

#endif
