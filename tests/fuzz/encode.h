/* encode.h -- what a fuzz target does with keys that were read: a tokenizer of them, the input itself encoded with ranges, decoded. */
#ifndef SLM_TESTS_FUZZ_ENCODE_H
#define SLM_TESTS_FUZZ_ENCODE_H

#include "format/tokenizer_file.h"
#include "text/tokenizer.h"

#include <stdlib.h>

enum { ENCODE_BYTES = 512 };

static inline void encode_with(const slm_keys *keys, slm_heap *heap, const uint8_t *data, size_t size)
{
    static int32_t ids[ENCODE_BYTES * 24];
    static slm_text_range ranges[ENCODE_BYTES * 24];
    static char text[1 << 20];
    const size_t len = size < ENCODE_BYTES ? size : ENCODE_BYTES, room = sizeof ids / sizeof *ids;
    size_t n = 0, out = 0;
    slm_tokenizer *t = NULL;
    if (slm_tokenizer_load(&t, heap, keys, "fuzz", NULL) != SLM_OK || !t)
        return;
    if (slm_tokenizer_encode_ranges(t, ids, ranges, room, &n, (const char *)data, len, SLM_TEXT_SPECIAL | SLM_TEXT_BOS_EOS, NULL) == SLM_OK) {
        for (size_t i = 0; i < n; i++)
            if (!slm_tokenizer_text(t, ids[i], NULL) || ranges[i].begin > ranges[i].end || ranges[i].end > len ||
                (i && (ranges[i].begin < ranges[i - 1].begin || ranges[i].end < ranges[i - 1].end)))
                abort();
        (void)slm_tokenizer_decode(t, text, sizeof text, &out, ids, n, SLM_TEXT_CONTROL, NULL);
    }
    slm_tokenizer_free(t);
}

typedef slm_status read_fn(slm_keys *keys, const uint8_t *bytes, size_t n, const char *name, size_t least, slm_error *err);

/* The bytes read into keys by one of the readers of tokenizer files, and a tokenizer made of them; `config`: read as one, too. */
static inline void read_and_encode(read_fn *read, bool config, const uint8_t *data, size_t size)
{
    slm_heap heap;
    slm_keys keys;
    slm_error err = { 0 };
    slm_heap_init(&heap, NULL, 64 << 20);
    slm_keys_init(&keys, &heap, "fuzz");
    if (read(&keys, data, size, "fuzz", size % 64, &err) == SLM_OK)
        encode_with(&keys, &heap, data, size);
    else if (err.status == SLM_OK || err.status == SLM_E_INTERNAL || !err.text[0])
        abort();                            /* a failure without a message */
    if (config)
        (void)slm_tokenizer_config_read(&keys, data, size, "fuzz", NULL);
    slm_keys_free(&keys);
    if (atomic_load(&heap.current))
        abort();                            /* memory left behind */
}

#endif
