/* pretokenize.h -- cuts a text into the pieces that byte-level BPE merges one by one. */
#ifndef SLM_TEXT_PRETOKENIZE_H
#define SLM_TEXT_PRETOKENIZE_H

#include "core/status.h"

#include <stdbool.h>

enum { SLM_PRE_STAGES = 5, SLM_PRE_CLASSES = 65536 };

/* A pre-tokenizer: one row naming its rules. */
typedef struct slm_pre {
    const char *name;
    uint8_t stages[SLM_PRE_STAGES];  /* cutters of pretokenize.c, each run over the pieces of the one before; 0 ends the list */
    bool ignore_merges;              /* a piece that is a token is taken at once, without merging */
    bool add_bos;                    /* when the file does not say */
} slm_pre;

/* The row of that name, or NULL. */
const slm_pre *slm_pre_find(const char *name, size_t n);

/* All names, separated by ", ", cut at room - 1 bytes and terminated. */
void slm_pre_names(char *out, size_t room);

/* Goes through the pieces of a text from left to right; together they are the text. Linear in n for each stage, no memory. */
typedef struct slm_pieces {
    const slm_pre *pre;
    const uint8_t *text;
    const uint16_t *classes;        /* of slm_pre_classes, or NULL: the text need not be UTF-8 then */
    size_t n_stages, level;
    size_t at[SLM_PRE_STAGES], end[SLM_PRE_STAGES];  /* what each stage has still to cut */
} slm_pieces;

/* The classes of the first 65,536 code points, which makes cutting several times as fast; 0.3 ms. */
void slm_pre_classes(uint16_t classes[SLM_PRE_CLASSES]);

slm_pieces slm_pieces_over(const slm_pre *pre, const uint8_t *text, size_t n);

/* The next piece [*begin, *end), never empty; false at the end. */
bool slm_pieces_next(slm_pieces *pieces, size_t *begin, size_t *end);

#endif
