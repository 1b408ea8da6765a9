/* tokenize.c MODEL TEXT -- a tokenizer without a model: text to ids, each id's piece, and back. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls that fill an array say how much room they need when it was too small: ask once, then again with enough. */
static slm_status encode(const slm_tokenizer *tok, const char *text, int32_t **ids, size_t *n, slm_error *err)
{
    slm_status status = slm_tokenizer_encode(tok, NULL, 0, n, text, strlen(text), 0, err);
    if (status && status != SLM_E_LIMIT)
        return status;
    *ids = malloc((*n ? *n : 1) * sizeof **ids);
    if (!*ids)
        return SLM_E_MEMORY;
    return slm_tokenizer_encode(tok, *ids, *n, n, text, strlen(text), 0, err);
}

int main(int argc, char **argv)
{
    slm_tokenizer *tok = NULL;
    slm_error err = { 0 };
    int32_t *ids = NULL;
    size_t n = 0, len = 0;
    char back[4096];
    if (argc != 3) {
        fprintf(stderr, "usage: tokenize MODEL TEXT\n");
        return 2;
    }
    slm_status status = slm_tokenizer_open(&tok, argv[1], NULL, &err);
    if (!status)
        status = encode(tok, argv[2], &ids, &n, &err);
    for (size_t i = 0; i < n && !status; i++) {
        size_t piece_len = 0;
        const char *piece = slm_tokenizer_text(tok, ids[i], &piece_len);
        printf("%8d  %.*s\n", (int)ids[i], (int)piece_len, piece);
    }
    if (!status)
        status = slm_tokenizer_decode(tok, back, sizeof back, &len, ids, n, 0, &err);
    if (!status)
        printf("%.*s\n", (int)len, back);
    else
        fprintf(stderr, "tokenize: %s\n", err.text[0] ? err.text : slm_status_text(status));
    free(ids);
    slm_tokenizer_free(tok);
    return status != SLM_OK;
}
