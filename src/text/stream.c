/* stream.c -- tokens in, whole code points out. */
#include "text/vocab.h"

#include "text/utf8.h"

static const uint8_t replacement[3] = { 0xef, 0xbf, 0xbd };

typedef struct sink {
    slm_stream *stream;
    slm_buf *out;
} sink;

/* held is always the beginning of a code point; a byte ends it, carries it on, or shows that it was ill-formed. */
static void put(void *user, const uint8_t *bytes, size_t n)
{
    slm_stream *s = ((sink *)user)->stream;
    slm_buf *out = ((sink *)user)->out;
    for (size_t i = 0; i < n; i++) {
        uint32_t cp;
        bool ok;
        s->held[s->n_held++] = bytes[i];
        const size_t len = slm_utf8_next(s->held, s->n_held, &cp, &ok);
        uint8_t lo, hi;
        if (ok) {
            slm_buf_add(out, s->held, len);
            s->n_held = 0;
        } else if (len < s->n_held) {                   /* the new byte does not belong to what was held */
            slm_buf_add(out, replacement, sizeof replacement);
            s->n_held = 0;
            i--;
        } else if (slm_utf8_lead(s->held[0], &lo, &hi) == 0) {
            slm_buf_add(out, replacement, sizeof replacement);
            s->n_held = 0;
        }
    }
}

void slm_stream_init(slm_stream *stream, const slm_tokenizer *tokenizer, bool at_start)
{
    *stream = (slm_stream){ .tokenizer = tokenizer, .at_start = at_start, .shown = -1 };
}

void slm_stream_push(slm_stream *stream, int32_t id, slm_buf *out)
{
    sink s = { stream, out };
    if (id >= 0 && (size_t)id < stream->tokenizer->texts.n)
        slm_token_put(stream->tokenizer, (uint32_t)id, id == stream->shown ? SLM_TEXT_CONTROL : 0, &stream->at_start, put, &s);
}

void slm_stream_flush(slm_stream *stream, slm_buf *out)
{
    if (stream->n_held)
        slm_buf_add(out, replacement, sizeof replacement);
    stream->n_held = 0;
}
