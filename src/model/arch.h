/* arch.h -- the architecture table: a family is a row of switches that the decoder reads. */
#ifndef SLM_MODEL_ARCH_H
#define SLM_MODEL_ARCH_H

typedef enum slm_rope_pairing { SLM_ROPE_NORMAL, SLM_ROPE_NEOX } slm_rope_pairing;

typedef struct slm_arch {
    const char *name;               /* general.architecture */
    slm_rope_pairing rope;          /* pairs (2i, 2i+1) or (i, i + R/2); no key says which */
} slm_arch;

/* The row of general.architecture `name` [n bytes], or NULL. */
const slm_arch *slm_arch_find(const char *name, unsigned long n);

/* "llama, qwen2": all rows, for messages. */
const char *slm_arch_names(void);

#endif
