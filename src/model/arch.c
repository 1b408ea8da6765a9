/* arch.c -- the architecture table. Both families of this version are rms norm, SwiGLU, grouped-query attention, biases where the
 * file has them and a head that is tied where it has none; they differ in how rope pairs values. */
#include "model/arch.h"

#include <string.h>

#define NAMES "llama, qwen2"

static const slm_arch rows[] = {
    { .name = "llama", .rope = SLM_ROPE_NORMAL },
    { .name = "qwen2", .rope = SLM_ROPE_NEOX },
};

const slm_arch *slm_arch_find(const char *name, unsigned long n)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

const char *slm_arch_names(void)
{
    return NAMES;
}
