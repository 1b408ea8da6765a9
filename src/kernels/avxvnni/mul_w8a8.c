/* mul_w8a8.c -- products of W8A8 with the VEX form of vpdpbusd: the loops of AVX2, compiled for the set that has it. */
#include "kernels/avx2/mul_w8a8.c"
