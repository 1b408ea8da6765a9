/* limits.h -- the limits of limits.def as constants SLM_LIMIT_... */
#ifndef SLM_CORE_LIMITS_H
#define SLM_CORE_LIMITS_H

enum slm_limit {
#define SLM_LIMIT(name, value, what) SLM_LIMIT_##name = value,
#include "core/limits.def"
#undef SLM_LIMIT
};

#endif
