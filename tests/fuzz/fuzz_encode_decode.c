/* fuzz_encode_decode.c -- any text to tokens and back. The first byte chooses the vocabulary, the second the flags.
 *
 * Ids are of the vocabulary, ranges of the text and in order; the same ids come with and without ranges, and with no room the same count. Where
 * every byte has a token the text comes back: what is not UTF-8 as U+FFFD. */
#include "vocabulary.h"

#include "text/utf8.h"

enum { MOST = 4096, ROOM = MOST * 8 };

static uint8_t fixed[3 * MOST + 3];

/* The text as it can come back: each ill-formed part as U+FFFD, and SentencePiece's own sign for a blank as the blank. */
static size_t fix(const char *text, size_t n, bool pieces)
{
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        bool ok;
        const size_t len = slm_utf8_next((const uint8_t *)text + i, n - i, &cp, &ok);
        const bool blank = pieces && cp == 0x2581;
        const size_t made = blank ? 1 : ok ? len : 3;
        memcpy(fixed + out, blank ? " " : ok ? text + i : "\xef\xbf\xbd", made);
        out += made;
        i += len;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int32_t ids[ROOM], again[ROOM];
    static slm_text_range ranges[ROOM];
    static char back[ROOM * 4];
    fuzz_in in = { data, size };
    const unsigned which = fuzz_byte(&in) % VOCABULARIES, flags = fuzz_byte(&in) & (SLM_TEXT_SPECIAL | SLM_TEXT_BOS_EOS);
    const slm_tokenizer *t = vocabulary(which);
    const size_t n = in.left < MOST ? in.left : MOST;
    char *text = malloc(n ? n : 1);                     /* exact, so that a read past the end is seen */
    slm_tokenizer_info info = SLM_TOKENIZER_INFO_INIT;
    slm_error err = { 0 };
    size_t made, other, len = 0;
    must(text && slm_tokenizer_get_info(t, &info, &err) == SLM_OK, err.text);
    memcpy(text, in.at, n);
    must(slm_tokenizer_encode(t, ids, ROOM, &made, text, n, flags, &err) == SLM_OK, err.text);
    must(slm_tokenizer_encode_ranges(t, again, ranges, ROOM, &other, text, n, flags, &err) == SLM_OK, err.text);
    must(made == other && !memcmp(ids, again, made * sizeof *ids), "other tokens with ranges");
    must(slm_tokenizer_encode(t, NULL, 0, &other, text, n, flags, &err) == (made ? SLM_E_LIMIT : SLM_OK) && other == made, "another count without room");
    for (size_t i = 0; i < made; i++) {
        must(ids[i] >= 0 && (uint32_t)ids[i] < info.vocab, "an id outside the vocabulary");
        must(ranges[i].begin <= ranges[i].end && ranges[i].end <= n, "a range outside the text");
        must(!i || (ranges[i].begin >= ranges[i - 1].begin && ranges[i].end >= ranges[i - 1].end), "ranges out of order");
    }
    must(slm_tokenizer_decode(t, back, sizeof back, &len, ids, made, flags & SLM_TEXT_SPECIAL ? SLM_TEXT_CONTROL : 0, &err) == SLM_OK, err.text);
    if (which < WHOLE && !flags) {
        const size_t want = fix(text, n, !strcmp(info.kind, "llama"));
        must(len == want && !memcmp(back, fixed, len), "another text came back");
    }
    free(text);
    return 0;
}
