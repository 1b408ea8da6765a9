/* status.h -- how every function that can fail says so. */
#ifndef SLM_CORE_STATUS_H
#define SLM_CORE_STATUS_H

#include "slm.h"

/* Fills err (if not NULL) with status and a message; returns status, so that one line does both. The first cause wins because
 * whoever only passes a status on does not call this again: err may be uninitialised, so nothing in it can be looked at.
 * Keeps errno, needs no memory. */
slm_status slm_fail(slm_error *err, slm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with a byte offset of the file, which the message gets as ", at byte N" at its end. */
slm_status slm_fail_at(slm_error *err, slm_status status, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the text of errno value `code` at the end: "FORMAT: TEXT OF CODE". */
slm_status slm_fail_errno(slm_error *err, slm_status status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts bytes from outside into a message: printable ASCII stays, all else and '\\' become \xNN, cut at 80 bytes with "...".
 * out has room for SLM_SHOWN bytes; returns out. A file must not drive a terminal. */
enum { SLM_SHOWN = 96 };
const char *slm_shown(char out[SLM_SHOWN], const void *bytes, size_t n);

/* A check of our own that can only fail by our own mistake. */
#define SLM_CHECK(x, err) ((x) ? SLM_OK : slm_fail((err), SLM_E_INTERNAL, "%s:%d: %s", __FILE__, __LINE__, #x))

#endif
