/* trace.h -- where the bytes of a rewritten text came from: what turns places in it back into places in the original. */
#ifndef SLM_TEXT_TRACE_H
#define SLM_TEXT_TRACE_H

#include "core/buf.h"

#include "slm.h"

/* Parts of the new text in order, each up to the next one's `out`. */
typedef struct slm_trace_part {
    uint32_t out;           /* where it begins in the new text */
    uint32_t in, end;       /* the bytes it stands for; end SLM_TRACE_COPIED: the same bytes, one for one */
} slm_trace_part;

#define SLM_TRACE_COPIED UINT32_MAX

typedef struct slm_trace {
    bool on;                /* else nothing is kept */
    slm_buf parts;          /* slm_trace_part */
} slm_trace;

/* The n_out bytes at `out`, which follow the last ones, were made of the n_in bytes at `in`, or are these (`copied`, n_out == n_in). */
void slm_trace_put(slm_trace *trace, size_t out, size_t n_out, size_t in, size_t n_in, bool copied);

/* Rewrites n ranges of the new text, with begins and ends that do not fall, into those of the original. A range that touches bytes made
 * of others takes all of these. */
void slm_trace_map(const slm_trace *trace, slm_text_range *ranges, size_t n);

#endif
