/* tokenizer.h -- a vocabulary and its algorithm, made from a file's keys. */
#ifndef SLM_TEXT_TOKENIZER_H
#define SLM_TEXT_TOKENIZER_H

#include "format/keys.h"

/* Copies what it needs: the keys may go afterwards. *out is NULL with SLM_OK when the keys name no tokenizer (no
 * tokenizer.ggml.model). Ends with slm_tokenizer_free. `file` is for messages. */
slm_status slm_tokenizer_load(slm_tokenizer **out, slm_heap *heap, const slm_keys *keys, const char *file, slm_error *err);

/* Is the token one that ends a generation: EOS, EOT, or an end-of-message token the file names. */
bool slm_tokenizer_is_end(const slm_tokenizer *tokenizer, int32_t id);

/* Whole-code-point streaming: tokens in, UTF-8 out. Holds back at most 3 bytes of an unfinished code point. */
typedef struct slm_stream {
    const slm_tokenizer *tokenizer;
    uint8_t held[4];
    uint32_t n_held;
    bool at_start;      /* SentencePiece's own leading space is still to be taken off */
    int32_t shown;      /* a control token that appears as its text; -1: none */
} slm_stream;

void slm_stream_init(slm_stream *stream, const slm_tokenizer *tokenizer, bool at_start);

/* Appends the text of one token to out; bytes that cannot become UTF-8 any more give U+FFFD (one for each maximal ill-formed part). */
void slm_stream_push(slm_stream *stream, int32_t id, slm_buf *out);

/* At the end: what is held becomes U+FFFD. */
void slm_stream_flush(slm_stream *stream, slm_buf *out);

#endif
