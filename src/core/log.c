/* log.c -- one line to the caller's log hook. */
#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void slm_log_line(const slm_log *log, int level, const char *format, ...)
{
    if (!log || !log->line)
        return;
    char text[512];
    const int kept = errno;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log->line(log->user, level, text);
    errno = kept;
}
