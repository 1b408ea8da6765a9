/* tiny.h -- small models with random weights, made in memory: 2 layers, 4 heads of 16, width 64, 100 tokens. The decoder has 2 kv heads and
 * no tokenizer; the encoder (bert) has letters as WordPiece. Tests need a model and not what it says. */
#ifndef TESTS_HARNESS_TINY_H
#define TESTS_HARNESS_TINY_H

#include "harness/fail_alloc.h"
#include "harness/test.h"

enum { TINY_VOCAB = 100, TINY_CONTEXT = 600 };

/* A GGUF file for free(); the same bytes for the same seed. type: of the matrices, as in slm_quantize_params. */
uint8_t *tiny_file(uint64_t seed, const char *type, size_t *n);

/* The same with a vocabulary of the letters of ASCII, for what reads and makes text. */
uint8_t *tiny_speaker_file(uint64_t seed, const char *type, size_t *n);

/* An encoder; pooling: its key pooling_type. */
uint8_t *tiny_encoder_file(uint64_t seed, const char *type, uint32_t pooling, size_t *n);

/* An encoder whose attention knows distances (t5encoder), in f32. */
uint8_t *tiny_relative_file(uint64_t seed, size_t *n);

/* A file in memory, opened; params may be NULL. The test fails if it cannot be. */
slm_model *tiny_open_file(const uint8_t *file, size_t n, const slm_model_params *params);

/* The decoder, opened; params may be NULL. The test fails if it cannot be. */
slm_model *tiny_open(uint64_t seed, const char *type, const slm_model_params *params);

/* A session on it with room for `context` tokens. */
slm_session *tiny_session(slm_model *model, uint32_t context);

/* Token i of a text that all tests know; `text` chooses among them. */
int32_t tiny_token(size_t text, size_t i);

/* Feeds tokens from .. from + n - 1 of a text; the test fails if that fails. */
void tiny_feed(slm_session *session, size_t text, size_t from, size_t n);

/* The logits [TINY_VOCAB] of a session are those of a fresh one that was fed tokens 0 .. n - 1 of the text in one call. */
#define check_logits(session, text, n) tiny_check((session), (text), (n), __FILE__, __LINE__)
void tiny_check(slm_session *session, size_t text, size_t n, const char *file, int line);

/* fail_alloc_every over a scenario whose ctx is a slm_input of a tiny file (seed 1, q8_0); and the same scenario with the default allocator
 * on a small stack, which must succeed. */
size_t tiny_fail_every(const char *name, fail_make *make, fail_drop *drop);
void tiny_small_stack(fail_make *make, fail_drop *drop);

/* Remembers the logits of texts for tiny_check on `model`. */
void tiny_reference(slm_model *model);
void tiny_forget(void);

#endif
