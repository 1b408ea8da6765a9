/* profile.c -- names of the steps. */
#include "model/profile.h"

const char *slm_op_name(slm_op op)
{
    static const char *const names[SLM_OPS] = { "embedding", "norm", "q k v", "rope", "attention", "output", "gate up", "down",
                                                "head" };
    return op < SLM_OPS ? names[op] : "?";
}
