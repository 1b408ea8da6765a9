/* fuzz_stream_decode.c -- any ids to text, token by token: whole code points at every step, at most 3 bytes held back, and together the text that
 * slm_tokenizer_decode gives, with U+FFFD where that is no UTF-8. The first byte chooses the vocabulary, then each two are an id. */
#include "vocabulary.h"

#include "core/buf.h"
#include "core/utf8.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

enum { MOST = 1024 };

/* The text [n] with each ill-formed part as U+FFFD is `want`. */
static bool same(const char *text, size_t n, const slm_buf *want)
{
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        bool ok;
        const size_t len = slm_utf8_next((const uint8_t *)text + i, n - i, &cp, &ok), out = ok ? len : 3;
        if (want->size - at < out || memcmp(want->data + at, ok ? text + i : "\xef\xbf\xbd", out) != 0)
            return false;
        at += out;
        i += len;
    }
    return at == want->size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t ids[MOST];
    static char whole[1 << 20];
    fuzz_in in = { data, size };
    const slm_tokenizer *t = vocabulary(fuzz_byte(&in));
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_heap heap;
    slm_stream stream;
    slm_buf out;
    size_t n = 0, len;
    slm_error err = { 0 };
    must(slm_tokenizer_get_info(t, &info, &err) == SLM_OK, err.text);
    slm_heap_init(&heap, NULL, 0);
    slm_buf_init(&out, &heap, 1 << 20);
    slm_stream_init(&stream, t, true);
    while (in.left && n < MOST) {
        ids[n++] = (int32_t)(fuzz_two(&in) % info.vocab);
        slm_stream_push(&stream, ids[n - 1], &out);
        must(stream.n_held <= 3 && (!out.size || slm_utf8_valid(out.data, out.size) == out.size), "a part of a code point");
    }
    slm_stream_flush(&stream, &out);
    must(slm_tokenizer_decode(t, whole, sizeof whole, &len, ids, n, 0, &err) == SLM_OK, err.text);
    must(same(whole, len, &out), "another text than decode gives");
    slm_stream_push(&stream, (int32_t)info.vocab, &out);        /* ids that are none say nothing */
    slm_stream_push(&stream, -1, &out);
    must(same(whole, len, &out), "an id that is none has a text");
    slm_buf_free(&out);
    must(!atomic_load(&heap.current), "memory left behind");
    return 0;
}
