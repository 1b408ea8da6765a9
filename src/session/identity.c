/* identity.c -- which model is this: 64 hex digits over all that decides a logit or the meaning of a token.
 *
 * Weights are hashed as they lie in memory, as panels, so that the answer does not depend on where they came from (a GGUF file, memory,
 * a file that is packed already) nor on the instruction set, which panels do not depend on. It is done when first asked for, by all
 * threads, in pieces of 1 MiB with XXH64, and costs one read of the weights; a SHA-256 over the numbers, the sizes and these hashes
 * makes the result. It tells models apart and finds damage; it certifies nothing. */
#include "session/session.h"

#include "core/size.h"
#include "core/xxh64.h"

#include <string.h>

enum { PIECE = 1 << 20, LAYER_BLOBS = 22 };

typedef struct blob {
    const void *bytes;          /* NULL: none */
    size_t n;
} blob;

typedef struct job {
    const blob *blobs;
    size_t n_blobs;
    uint64_t *hashes;           /* one for each piece of each blob, in order */
} job;

static blob matrix(const slm_matrix *m)
{
    return (blob){ m->type ? m->panels : NULL, m->type ? slm_matrix_panels(m) * m->panel_bytes : 0 };
}

static blob vector(const float *v, size_t n)
{
    return (blob){ v, v ? n * sizeof *v : 0 };
}

static size_t list(const slm_model *m, blob *out)
{
    const slm_config *c = &m->config;
    const size_t e = c->embedding, f = c->feed_forward, q = (size_t)c->heads * c->head_size, kv = (size_t)c->kv_heads * c->head_size;
    const bool one = c->arch->qk_norm == SLM_QK_HEAD;
    const size_t q_norm = one ? c->head_size : q, k_norm = one ? c->head_size : kv;
    size_t n = 0;
    out[n++] = matrix(&m->embedding);
    out[n++] = matrix(&m->head);
    out[n++] = vector(m->output_norm.w, e);
    out[n++] = vector(m->output_bias, c->vocab);
    out[n++] = vector(m->output_norm.b, e);
    out[n++] = matrix(&m->positions);
    for (size_t i = 0; i < c->layers; i++) {
        const slm_layer *l = &m->layers[i];
        const blob all[LAYER_BLOBS] = {
            matrix(&l->q), matrix(&l->k), matrix(&l->v), matrix(&l->o), matrix(&l->gate), matrix(&l->up), matrix(&l->down),
            vector(l->attn_norm.w, e), vector(l->ffn_norm.w, e), vector(l->q_bias, q), vector(l->k_bias, kv), vector(l->v_bias, kv),
            vector(l->o_bias, e), vector(l->gate_bias, f), vector(l->up_bias, f), vector(l->down_bias, e), vector(l->attn_norm.b, e),
            vector(l->ffn_norm.b, e), vector(l->post_attn.w, e), vector(l->post_ffn.w, e), vector(l->q_norm, q_norm),
            vector(l->k_norm, k_norm),
        };
        memcpy(out + n, all, sizeof all);
        n += LAYER_BLOBS;
    }
    return n;
}

static void hash_piece(void *ctx, size_t index)
{
    const job *j = ctx;
    size_t before = 0;
    for (size_t i = 0; i < j->n_blobs; i++) {
        const size_t pieces = slm_ceil_div(j->blobs[i].n, PIECE);
        if (index < before + pieces) {
            const size_t from = (index - before) * PIECE;
            j->hashes[index] = slm_xxh64_of((const uint8_t *)j->blobs[i].bytes + from, slm_min(PIECE, j->blobs[i].n - from));
            return;
        }
        before += pieces;
    }
}

static void add_f64(slm_buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    slm_buf_u64(b, bits);
}

static void add_numbers(slm_buf *b, const slm_model *m)
{
    const slm_config *c = &m->config;
    const uint32_t numbers[] = { c->vocab, c->embedding, c->layers, c->heads, c->kv_heads, c->head_size, c->rope_size, c->feed_forward };
    slm_buf_str(b, c->arch->name, strlen(c->arch->name));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        slm_buf_u32(b, numbers[i]);
    add_f64(b, (double)c->norm_eps);
    const float scales[] = { c->embedding_scale, c->residual_scale, c->logit_scale, c->score_scale, c->score_cap, c->logit_cap };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        add_f64(b, (double)scales[i]);
    slm_buf_u32(b, c->window);
    for (size_t i = 0; i < c->layers; i++)
        slm_buf_u32(b, slm_config_windowed(c, i));
    for (size_t set = 0; set < SLM_ROPE_SETS; set++)
        if (m->rope_w[set]) {
            add_f64(b, m->rope_m[set]);
            for (size_t i = 0; i < c->rope_size / 2; i++)
                add_f64(b, m->rope_w[set][i]);
        }
}

static uint64_t vocabulary(const slm_model *m)
{
    slm_xxh64 x;
    slm_xxh64_init(&x);
    for (uint32_t id = 0; m->tokenizer && id < m->config.vocab; id++) {
        size_t n = 0;
        const char *text = slm_tokenizer_text(m->tokenizer, (int32_t)id, &n);
        const uint64_t len = text ? n : UINT64_MAX;
        slm_xxh64_add(&x, &len, sizeof len);
        slm_xxh64_add(&x, text, text ? n : 0);
    }
    return slm_xxh64_end(&x);
}

static slm_status compute(slm_model *m, char id[65], slm_error *err)
{
    slm_heap *heap = &m->heap;
    const size_t most = 6 + m->config.layers * LAYER_BLOBS;
    size_t pieces = 0;
    slm_buf b;
    blob *blobs = slm_heap_array(heap, most, sizeof *blobs);
    slm_buf_init(&b, heap, SIZE_MAX);
    if (!blobs)
        return slm_fail(err, SLM_E_MEMORY, "model: table of %zu weights", most);
    job j = { blobs, list(m, blobs), NULL };
    for (size_t i = 0; i < j.n_blobs; i++)
        pieces += slm_ceil_div(blobs[i].n, PIECE);
    j.hashes = slm_heap_array(heap, pieces, sizeof *j.hashes);
    slm_status status = j.hashes ? SLM_OK : slm_fail(err, SLM_E_MEMORY, "model: %zu hashes", pieces);
    if (!status) {
        slm_team_run(m->team, pieces, hash_piece, &j);
        add_numbers(&b, m);
        for (size_t i = 0; i < j.n_blobs; i++)
            slm_buf_u64(&b, blobs[i].n);
        for (size_t i = 0; i < pieces; i++)
            slm_buf_u64(&b, j.hashes[i]);
        slm_buf_u64(&b, vocabulary(m));
        status = slm_buf_status(&b, "model: its hashes", err);
    }
    if (!status)
        slm_sha256(id, b.data, b.size);
    slm_buf_free(&b);
    slm_heap_free(heap, j.hashes);
    slm_heap_free(heap, blobs);
    return status;
}

/* Two threads may both compute it, which nobody notices: the first to be ready keeps it for all. */
slm_status slm_model_identity(slm_model *m, char id[65], slm_error *err)
{
    if (atomic_load(&m->id_state) == 2) {
        memcpy(id, m->id, sizeof m->id);
        return SLM_OK;
    }
    slm_status status = compute(m, id, err);
    int none = 0;
    if (!status && atomic_compare_exchange_strong(&m->id_state, &none, 1)) {
        memcpy(m->id, id, sizeof m->id);
        atomic_store(&m->id_state, 2);
    }
    return status;
}
