/* token_table.h -- tokens gathered in any order, then written as the arrays of tokenizer.ggml.*. */
#ifndef SLM_FORMAT_TOKEN_TABLE_H
#define SLM_FORMAT_TOKEN_TABLE_H

#include "core/buf.h"
#include "core/texts.h"
#include "format/keys.h"

/* As files number them (and text/vocab.h). */
enum { SLM_TYPE_NORMAL = 1, SLM_TYPE_UNKNOWN, SLM_TYPE_CONTROL, SLM_TYPE_USER, SLM_TYPE_UNUSED, SLM_TYPE_BYTE };

typedef struct slm_token_entry {
    uint32_t id;
    uint32_t type;
    float    score;
} slm_token_entry;

typedef struct slm_token_table {
    slm_heap  *heap;
    const char *name;           /* of the file, for messages; not owned */
    slm_texts  texts;           /* in order of arrival; the table holds each text's first */
    slm_buf    entries;         /* slm_token_entry of each text */
    uint32_t   top;             /* the highest id + 1 */
} slm_token_table;

slm_status slm_token_table_init(slm_token_table *table, slm_heap *heap, const char *name, slm_error *err);
void slm_token_table_free(slm_token_table *table);

/* Appends a token. SLM_E_LIMIT for an id or a text beyond the limits. */
slm_status slm_token_table_add(slm_token_table *table, uint32_t id, const void *text, size_t n, uint32_t type, float score, slm_error *err);

static inline slm_token_entry *slm_token_table_entries(const slm_token_table *table)
{
    return (slm_token_entry *)(void *)table->entries.data;
}

/* The first token of that text, or NULL. */
slm_token_entry *slm_token_table_find(const slm_token_table *table, const void *text, size_t n);

/* How texts are written. WORDPIECE: normal tokens as GGUF has them, U+2581 in front where a word begins, without "##" where it goes on. */
typedef enum slm_token_form { SLM_TOKENS_PLAIN, SLM_TOKENS_WORDPIECE } slm_token_form;

/* tokenizer.ggml.tokens, .token_type and, if `scored`, .scores for ids 0 .. max(top, least) - 1; what no token has is "[PAD<id>]", unused.
 * SLM_E_FORMAT for two tokens of one id, and for ids that leave more holes than there are tokens. */
slm_status slm_token_table_write(const slm_token_table *table, slm_keys *keys, slm_token_form form, bool scored, size_t least, slm_error *err);

/* tokenizer.ggml.<what>_token_id */
slm_status slm_token_id_add(slm_keys *keys, const char *what, uint32_t id, slm_error *err);

#endif
