/* parrot.c -- a llama2.c checkpoint of one layer that adds nothing: the embedding of token t is unit vector t, and the head's row for the
 * token that is to follow is the same, so it has the only logit that is not 0. */
#include "harness/parrot.h"

#include <stdio.h>
#include <stdlib.h>

enum { PARROT_WIDTH = 288, PARROT_FIRST = 259, PARROT_HIDDEN = 32, PARROT_HEADS = 9, PARROT_CONTEXT = 512, PARROT_NEWLINE = 3 + '\n' };

static void write_tokens(const char *path, const char *const *pieces, size_t n)
{
    FILE *f = fopen(path, "wb");
    const int32_t longest = 256;
    assert_non_null(f);
    (void)fwrite(&longest, 4, 1, f);
    for (int32_t t = 0; t < PARROT_WIDTH; t++) {
        char name[32];
        const char *text = name;
        static const char *const fixed[] = { "<unk>", "\n<s>\n", "\n</s>\n" };
        const float score = -(float)t;
        (void)snprintf(name, sizeof name, t < PARROT_FIRST ? "<0x%02X>" : "unused-%d", t < PARROT_FIRST ? t - 3 : t);
        if (t < 3)
            text = fixed[t];
        else if (t >= PARROT_FIRST && (size_t)(t - PARROT_FIRST) < n)
            text = pieces[t - PARROT_FIRST];
        const int32_t len = (int32_t)strlen(text);
        (void)fwrite(&score, 4, 1, f);
        (void)fwrite(&len, 4, 1, f);
        (void)fwrite(text, 1, (size_t)len, f);
    }
    assert_int_equal(fclose(f), 0);
}

/* Which token follows t. */
static size_t follower(size_t t, size_t n)
{
    if (t == PARROT_NEWLINE)
        return n ? PARROT_FIRST : 2;
    return t >= PARROT_FIRST && t + 1 < PARROT_FIRST + n ? t + 1 : 2;
}

static void write_weights(const char *path, size_t n)
{
    enum { W = PARROT_WIDTH, H = PARROT_HIDDEN, EMBEDDING = W * W };
    const int32_t header[7] = { W, H, 1, PARROT_HEADS, PARROT_HEADS, -W, PARROT_CONTEXT };
    const size_t rotation = (size_t)PARROT_CONTEXT * (W / PARROT_HEADS);
    const size_t head = EMBEDDING + W + 4 * W * W + W + 3 * W * H + W + rotation, total = head + W * W;
    float *w = calloc(total, sizeof *w);
    assert_non_null(w);
    for (size_t t = 0; t < W; t++) {
        w[t * W + t] = 1;
        w[EMBEDDING + t] = 1;                                               /* the norms */
        w[EMBEDDING + W + 4 * (size_t)W * W + t] = 1;
        w[EMBEDDING + 2 * W + 4 * (size_t)W * W + 3 * (size_t)W * H + t] = 1;
        w[head + follower(t, n) * W + t] = 1;
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(header, sizeof header, 1, f), 1);
    assert_int_equal(fwrite(w, sizeof *w, total, f), total);
    assert_int_equal(fclose(f), 0);
    free(w);
}

slm_model *parrot_open(const char *const *pieces, size_t n)
{
    slm_model_params params = SLM_MODEL_PARAMS_INIT;
    slm_model *model = NULL;
    slm_error err = { 0 };
    assert_true(n <= PARROT_WIDTH - PARROT_FIRST);
    params.tokenizer_path = test_path("parrot.tok");
    params.threads = 1;
    write_tokens(params.tokenizer_path, pieces, n);
    const char *path = test_path("parrot.bin");
    write_weights(path, n);
    check_status(slm_model_open(&model, path, &params, &err), SLM_OK, &err);
    return model;
}
