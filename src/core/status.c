/* status.c -- names of statuses and the bounded message formatter. */
#include "core/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *slm_status_name(slm_status status)
{
    switch ((int)status) {
#define ROW(name, value, text) case value: return "SLM_" #name;
        SLM_STATUS_MAP(ROW)
#undef ROW
    default: return "SLM_E_?";
    }
}

const char *slm_status_text(slm_status status)
{
    switch ((int)status) {
#define ROW(name, value, text) case value: return text;
        SLM_STATUS_MAP(ROW)
#undef ROW
    default: return "no such status";
    }
}

const char *slm_version(void)
{
    return SLM_VERSION;
}

static void fill(slm_error *err, slm_status status, int code, uint64_t offset, const char *format, va_list args)
{
    const int kept = errno;
    if (err) {
        err->status = status;
        err->code = code;
        err->offset = offset;
        int n = vsnprintf(err->text, sizeof err->text, format, args);
        size_t used = n < 0 ? 0 : (size_t)n < sizeof err->text ? (size_t)n : sizeof err->text - 1;
        if (n < 0)
            err->text[0] = 0;
        if (offset != UINT64_MAX)
            (void)snprintf(err->text + used, sizeof err->text - used, ", at byte %llu", (unsigned long long)offset);
        else if (code)
            (void)snprintf(err->text + used, sizeof err->text - used, ": %s (errno %d)",
                           strerrordesc_np(code) ? strerrordesc_np(code) : "?", code);
    }
    errno = kept;
}

slm_status slm_fail(slm_error *err, slm_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, 0, UINT64_MAX, format, args);
    va_end(args);
    return status;
}

slm_status slm_fail_at(slm_error *err, slm_status status, uint64_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, 0, offset, format, args);
    va_end(args);
    return status;
}

slm_status slm_fail_errno(slm_error *err, slm_status status, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, code, UINT64_MAX, format, args);
    va_end(args);
    return status;
}

const char *slm_shown(char out[SLM_SHOWN], const void *bytes, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *b = bytes;
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        int plain = b[i] >= ' ' && b[i] <= '~' && b[i] != '\\';
        if (used + (plain ? 1 : 4) > 80) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (plain) {
            out[used++] = (char)b[i];
        } else {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[b[i] >> 4];
            out[used++] = hex[b[i] & 15];
        }
    }
    out[used] = 0;
    return out;
}
