/* embed.c MODEL TEXT TEXT... -- texts to vectors with an encoder model, and how near each is to the first. */
#include <slm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* All texts in one call: they share the passes over the weights, and each vector is the one the text has alone. */
static slm_status embed(slm_encoder *encoder, char **texts, size_t n, size_t width, float *vectors, slm_error *err)
{
    slm_embed_params params = SLM_EMBED_PARAMS_INIT;
    slm_embed_item *items = calloc(n, sizeof *items);
    if (!items)
        return SLM_E_MEMORY;
    params.normalize = 1;                   /* a product of two vectors is then their cosine */
    for (size_t i = 0; i < n; i++) {
        items[i].text = texts[i];
        items[i].len = strlen(texts[i]);
        items[i].vector = vectors + i * width;
    }
    slm_status status = slm_embed(encoder, items, n, &params, err);
    free(items);
    return status;
}

int main(int argc, char **argv)
{
    slm_model *model = NULL;
    slm_encoder *encoder = NULL;
    slm_model_info info = SLM_MODEL_INFO_INIT;
    slm_error err = { 0 };
    float *vectors = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: embed MODEL TEXT TEXT...\n");
        return 2;
    }
    const size_t n = (size_t)argc - 2;
    slm_status status = slm_model_open(&model, argv[1], NULL, &err);
    if (!status)
        status = slm_encoder_new(&encoder, model, NULL, &err);
    if (!status)
        status = slm_model_get_info(model, &info, &err);
    if (!status && !(vectors = calloc(n, info.embedding * sizeof *vectors)))
        status = SLM_E_MEMORY;
    if (!status)
        status = embed(encoder, argv + 2, n, info.embedding, vectors, &err);
    for (size_t i = 0; i < n && !status; i++)
        printf("%.4f  %s\n", dot(vectors, vectors + i * info.embedding, info.embedding), argv[2 + i]);
    if (status)
        fprintf(stderr, "embed: %s\n", err.text[0] ? err.text : slm_status_text(status));
    free(vectors);
    slm_encoder_free(encoder);
    slm_model_free(model);
    return status != SLM_OK;
}
