/* tokenizer_file.h -- the tokenizer of a Hugging Face folder as the keys that a GGUF has for it.
 *
 * ONE path serves opening in memory and conversion: these readers add tokenizer.ggml.* (and tokenizer.chat_template) to a list of keys;
 * text/tokenizer.c makes a tokenizer of such keys, a converter writes them to a GGUF as they are. What the keys cannot say is refused by
 * name, never left out.
 *
 * tokenizer.json (BPE of bytes, BPE with byte fallback, WordPiece, Unigram) and SentencePiece's tokenizer.model (BPE, Unigram) give
 *
 *   .model                  "gpt2", "llama", "bert" or "t5"
 *   .pre                    gpt2: the name of the rule its expressions stand for; else "default"
 *   .tokens, .token_type    as many as the highest id says, and `least` at least; an id without token is "[PAD<id>]" of type 5 (unused)
 *   .scores                 llama, t5;  .merges  gpt2
 *   .unknown_token_id       if there is one
 *   .bos_token_id, .eos_token_id, .add_bos_token, .add_eos_token   from the post-processor; bert has .cls_token_id, .seperator_token_id too
 *   .add_space_prefix, .remove_extra_whitespaces, .precompiled_charsmap, .normalizer.lowercase, .normalizer.strip_accents  where they apply
 *
 * tokenizer_config.json and special_tokens_map.json, read afterwards, name tokens that the first file does not: BOS, EOS, padding, mask and so
 * on, whether BOS and EOS are added (where no post-processor said so), and the chat template.
 *
 * Left to a converter, because they stand in config.json: tokenizer.ggml.token_type_count (bert) and an eos_token_id that only config.json or
 * generation_config.json has. Keys that are there already are replaced. */
#ifndef SLM_FORMAT_TOKENIZER_FILE_H
#define SLM_FORMAT_TOKENIZER_FILE_H

#include "core/source.h"
#include "format/keys.h"

/* All of it, from a folder or one of its two kinds of files: `path` is a folder (tokenizer.json, else tokenizer.model or spiece.model in
 * it) or such a file; tokenizer_config.json, special_tokens_map.json and chat_template.jinja beside it are read where they exist.
 *   least   rows of the embedding matrix, if known, else 0
 * Returns SLM_OK; SLM_E_NOT_FOUND if the folder has none; SLM_E_FORMAT, SLM_E_LIMIT, SLM_E_MEMORY; SLM_E_UNSUPPORTED naming what is not
 * known. On failure `keys` may hold some of the keys. */
slm_status slm_tokenizer_file_read(slm_keys *keys, const char *path, size_t least, slm_error *err);

/* The same in two steps: the file itself, from any source; and what stands beside it in folder[0 .. n) ("" and 0: this folder). */
slm_status slm_tokenizer_source_read(slm_keys *keys, const slm_source *source, size_t least, slm_error *err);
slm_status slm_tokenizer_beside_read(slm_keys *keys, const char *folder, size_t n, slm_error *err);

/* The parts, from memory; `name` is for messages. */
slm_status slm_tokenizer_json_read(slm_keys *keys, const uint8_t *text, size_t n, const char *name, size_t least, slm_error *err);
slm_status slm_tokenizer_model_read(slm_keys *keys, const uint8_t *bytes, size_t n, const char *name, size_t least, slm_error *err);
slm_status slm_tokenizer_config_read(slm_keys *keys, const uint8_t *text, size_t n, const char *name, slm_error *err);

/* Does it look like tokenizer.json (an object), like a SentencePiece model (a protobuf that begins with a piece)? */
slm_status slm_tokenizer_json_is(bool *is, const slm_source *source, slm_error *err);
slm_status slm_tokenizer_model_is(bool *is, const slm_source *source, slm_error *err);

#endif
