/* cpu.h -- what this processor and this process may use. The detection is the library's one writable global. */
#ifndef SLM_CORE_CPU_H
#define SLM_CORE_CPU_H

#include "slm.h"

#include <stdbool.h>

/* The sets of `mask` (0: all) that exist here, SLM_ISA_SCALAR always among them; a higher set implies the lower ones exist. */
unsigned slm_cpu_masked(unsigned mask);

/* True in a process forked from the one in which the library first looked at the CPU. */
bool slm_cpu_forked(void);

/* Round to nearest, nothing flushed, no traps: what every computation runs under (arithmetic contract C1).
 * enter returns what leave puts back. */
unsigned slm_fp_enter(void);
void slm_fp_leave(unsigned saved);

#endif
