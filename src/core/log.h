/* log.h -- one line to the caller's log hook. */
#ifndef SLM_CORE_LOG_H
#define SLM_CORE_LOG_H

#include "slm.h"

/* log may be NULL, then nothing happens. Never call it with a lock held. */
void slm_log_line(const slm_log *log, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
