#include "hostile/hostile.h"
const accident accidents[1] = { { "", NULL } };
const size_t n_accidents = 0;
