/* mul_block.c -- products with block-quantized weights with the VEX form of vpdpbusd: the loops of AVX2, compiled for the set that has it. */
#include "kernels/avx2/mul_block.c"
