/* select.c -- chooses the implementations. */
#include "kernels/kernels.h"

void slm_kernels_select(slm_kernels *k, unsigned isas)
{
    isas |= SLM_ISA_scalar;
#define SLM_OP(op, ret, params)
#define SLM_IMPL(op, isa) if (isas & SLM_ISA_##isa) k->op = slm_##op##_##isa;
#include "kernels/kernels.def"
}
