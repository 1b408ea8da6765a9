/* pass.h -- rows of activations on their way through the layers: what the decoder and the encoder are made of.
 *
 * A pass takes a chunk of tokens through the layers together: rows of the activations, in segments of one sequence each. Only the
 * embedding's rope, the cache and the attention ask which sequence a row belongs to; everything else sees rows. A sequence that fails
 * on the way is skipped from then on, and its rows stay what they were: they are multiplied with the others and nobody looks at them.
 *
 * The rows of a pass go through a step of the layer in strips. Of many rows each thread takes strips of its own and does every step of them
 * alone, in memory of its own: no thread waits for another between two products, for rows need nothing of one another outside of
 * attention. Of few rows there is one strip, and the threads share its steps, so that each reads a part of the weights. */
#ifndef SLM_MODEL_PASS_H
#define SLM_MODEL_PASS_H

#include "model/profile.h"
#include "model/work.h"

enum {
    SLM_PASS_TILE_ROWS = 48,            /* query heads of a kv head times tokens: so often is a page of the cache used once it is read */
    SLM_PASS_UNIT = 4,                  /* panels: the products' tile of many tokens, and the 64 values that are quantized together */
    SLM_HEAD_ROWS = 16,                 /* most rows of logits computed together */
    SLM_PASS_STRIP = 128,               /* most rows of a strip that a thread has alone: what it needs of one stays near its L2 */
    SLM_PASS_STRIP_LEAST = 24,          /* fewer for each thread: the weights are better shared */
    SLM_PASS_FEED_ROOM = 16 << 10,      /* values of gate, and of up, that a thread has at once: both in half of an L2's 256 KB */
    SLM_PASS_ASK = 128 << 10,           /* most bytes of weights that are asked for before a product begins */
    SLM_PASS_TASK_BYTES = 128 << 10     /* of weights times tokens (or of cache): less than this is done sooner than a thread is told */
};

/* Activations of a product: [chunk] rows in both forms. A product takes f32 or 8-bit activations as its weights' type says, and files mix
 * types: the input of a product is kept as f32 (rows zero up to a multiple of 64), and quantized too if one of its matrices wants that. Where a
 * type has one scale a row, the product makes that form of its own input. */
typedef struct slm_operand {
    size_t n, ld, blocks;       /* values of a row; floats and blocks from row to row */
    float *f;
    slm_xblock *q;
    uint8_t *r;                 /* slm_xrow every row_bytes, made of f by the products that take it; NULL: none does */
    size_t row_bytes;
} slm_operand;

/* A thread's own in the attention and the feed forward. */
typedef struct slm_scratch {
    float *q, *out;             /* [rows][head size] */
    float *scores, *most, *lanes;       /* [pages][rows][SLM_PAGE], [rows], [rows][16] */
    float *gate, *up;           /* [SLM_PASS_FEED_ROOM] each */
    slm_xblock *blocks;         /* [rows][head size / 32 rounded up to pairs]: queries for 8-bit keys */
} slm_scratch;

/* Consecutive rows of a pass: tokens of one sequence. */
typedef struct slm_segment {
    slm_sequence *sequence;
    size_t row, n;              /* first row; rows */
    size_t first;               /* position of the first row */
    size_t tile;                /* attention: tokens of a tile */
    atomic_size_t bad;          /* lowest row with a value that is not finite; SIZE_MAX: none */
    bool failed;                /* seen: the sequence has its status */
} slm_segment;

typedef struct slm_row {
    slm_segment *s;
    size_t position;
    int32_t token;
} slm_row;

struct slm_work {
    slm_heap *heap;
    void *memory;
    size_t chunk, context;
    size_t score_room;          /* floats of one thread's scores */
    float *x;                   /* [chunk][embedding] the residual stream; in the end the last norm of it */
    float *q;                   /* [chunk][heads * head size] */
    float *cos[2], *sin[2];     /* [chunk][pairs] of global and of windowed layers; the second NULL where they turn alike */
    size_t strip_rows;          /* of what follows: those of all threads' strips, one behind the other */
    slm_operand in, att, act;   /* of qkv and gate/up; of output; of down, whose f is NULL where no product wants it */
    float *delta;               /* [strip_rows][embedding] what is added to x next */
    float *k, *v;               /* [strip_rows][kv heads * head size] */
    float *logits;              /* [head_rows][vocab]; encoder: none */
    size_t head_rows;
    slm_scratch *scratch;       /* [width of the team] */
    slm_profile *laps;          /* [width] of strips that threads have alone */
    slm_row *rows;              /* [chunk] */
    slm_segment *segments;      /* [most_segments] */
    size_t most_segments;
    slm_profile *profile;       /* of the session; NULL: nothing is measured */
    slm_importance *importance; /* NULL: nothing is added */
};

typedef struct slm_strip slm_strip;

/* What the tasks of a step see. */
typedef struct slm_pass {
    const slm_model *model;
    const slm_layer *layer;
    slm_work *w;
    size_t n, index;            /* rows, number of the layer */
    size_t n_segments, alive;   /* alive: not failed */
    void (*step)(const slm_strip *strip);
    size_t strip, strips;       /* rows of a strip; how many strips the threads have alone, 0: they share each */
    size_t pieces;              /* of attention, when shared */
    atomic_size_t next;         /* next piece of work, or strip */
} slm_pass;

/* Rows row .. row + n - 1 of a pass on their way through a step. */
struct slm_strip {
    slm_pass *pass;
    size_t row, n;
    const slm_scratch *own;     /* of the thread that has the strip alone; NULL: the team shares it */
    slm_operand in, att, act;   /* [n] each: row 0 is the strip's first */
    float *delta, *k, *v;       /* likewise */
    slm_profile *profile;
};

/* Products: the panels of up to three matrices with one input. */
typedef struct slm_product {
    const slm_matrix *m[3];
    float *y[3];
    size_t ldy[3];
    size_t count, tokens;
    const slm_operand *x;
    const slm_kernels *kernels;             /* from here on slm_pass_product's own */
    size_t panels, unit, n_tasks;
    size_t bytes, macs;                     /* of all matrices; for all tokens */
} slm_product;

static inline bool slm_pass_failed(const slm_strip *s, size_t t)
{
    return s->pass->w->rows[s->row + t].s->failed;
}

/* What comes before the products' own work: fills in all but unit and n_tasks, and makes the forms of x that are made of its f32. */
void slm_pass_prepare(const slm_strip *strip, slm_op op, slm_product *p);

/* y[t][r]: rows r of panels [begin, end) of one matrix, y being the first's, with the tokens from `token` on of x. */
void slm_pass_multiply(const slm_matrix *m, const slm_kernels *k, float *y, size_t ldy, const slm_operand *x, size_t token, size_t tokens,
                       size_t begin, size_t end);

/* Asks for a part of the first weights from panel `begin` on that a product of many tokens reads, into the second-level cache: the
 * products fetch ahead within a matrix only. */
void slm_pass_ask(const slm_matrix *m, size_t begin, size_t part, size_t parts);

/* Runs the product, which is the step `op` of the strip. */
void slm_pass_product(const slm_strip *strip, slm_op op, slm_product *p);

/* The step `op`, which is no product, is done. bytes, macs: what it read and multiplied, if that is worth counting. */
static inline void slm_pass_lap(const slm_strip *s, slm_op op, size_t bytes, size_t macs)
{
    slm_profile_lap(s->profile, s->pass->model->team, op, bytes, macs);
}

static inline bool slm_is_finite(float x)
{
    return x >= -0x1.fffffep+127f && x <= 0x1.fffffep+127f;
}

/* In steps of 16, a count the compiler knows: gcc 12 makes vectors of such a loop at -O2, and of no other. */
static inline void slm_add_to(float *restrict x, const float *restrict y, size_t n)
{
    size_t i = 0;
    for (; n - i >= 16; i += 16)
        for (size_t j = 0; j < 16; j++)
            x[i + j] += y[i + j];
    for (; i < n; i++)
        x[i] += y[i];
}

/* The layer of the cache that the layer's keys and values lie in: an encoder's cache has one, which every layer uses anew. */
static inline size_t slm_pass_shelf(const slm_pass *p)
{
    return p->model->config.arch->encoder ? 0 : p->index;
}

/* Appends tokens done .. done + n of a sequence as rows of a segment; there is room. */
void slm_pass_add(slm_pass *p, slm_sequence *sequence, size_t n);

/* From the tokens to what the last norm leaves in w->x. Returns with alive 0 as soon as no sequence is left. */
void slm_pass_run(slm_pass *p);

/* Takes all rows of the pass through a step, strip by strip. */
void slm_pass_each_strip(slm_pass *p, void (*step)(const slm_strip *strip));

/* The rows row .. row + n - 1 in the first of the strips' memory, for the team to share. */
slm_strip slm_pass_shared_strip(slm_pass *p, size_t row, size_t n);

/* Says of the sequences that went through that these rows are done. */
void slm_pass_end(slm_pass *p);

/* Ends a segment's sequence with its status, which has been said. */
void slm_pass_give_up(slm_pass *p, slm_segment *s, slm_status status);

/* A value of this row is not finite: seen by tasks at once, acted upon after the step. */
void slm_pass_note_bad(slm_pass *p, size_t row);

/* Sequences with such a row end here: "<where> <number>: a value ...". */
void slm_pass_drop_bad(slm_pass *p, const char *where, size_t number);

/* fn(ctx, t) for each row t of the strip, of which it touches about `values` floats. */
void slm_pass_each_row(const slm_strip *s, size_t values, slm_task_fn *fn, void *ctx);

/* Quantizes row t of an operand of the strip, which may be noted as bad. */
void slm_pass_quantize(const slm_strip *s, const slm_operand *o, size_t t);

/* Gate, up and activation of the layer: `in` to `act`, in the form that down wants. */
void slm_pass_feed_forward(const slm_strip *s);

/* Attention of the layer: q and the cache to `att`; and how many tokens of a segment it takes together. */
void slm_pass_attention(const slm_strip *s);
size_t slm_pass_tile(const slm_pass *p, const slm_segment *s);

#endif
