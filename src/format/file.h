/* file.h -- a model file of any format as named tensors and keys, checked and not believed. */
#ifndef SLM_FORMAT_FILE_H
#define SLM_FORMAT_FILE_H

#include "core/source.h"
#include "format/keys.h"
#include "quant/type.h"

typedef struct slm_tensor {
    const char     *name;       /* terminated; bytes as in the file (no NUL) */
    const char     *shown;      /* the same, or escaped if it is not printable */
    uint32_t        type_id;
    const slm_type *type;       /* NULL: a type this version cannot read */
    uint32_t        n_dims;
    uint64_t        dims[4];    /* fastest first; unused are 1 */
    uint64_t        rows;       /* product of dims[1..3] */
    uint64_t        offset;     /* in the file, or in its part */
    uint64_t        bytes;      /* 0 for a type number GGUF does not have */
    uint64_t        hash;       /* packed: of these bytes */
    const char     *dtype;      /* safetensors: the name of a type that GGUF has no number for; else NULL */
    uint32_t        part;       /* 0: in the file itself; n: in parts[n - 1] */
} slm_tensor;

/* One of the files that together are the model. */
typedef struct slm_file_part {
    slm_source  source;
    char       *path;
} slm_file_part;

struct slm_file {
    slm_heap    own;            /* first: slm_heap_new_owner; used if opened by slm_file_open */
    slm_heap   *heap;
    char       *path;
    slm_source  source;
    slm_keys    keys;
    slm_pool    names;          /* of tensors */
    slm_tensor *tensors;        /* [n_tensors], in file order */
    uint32_t   *by_name;        /* [n_tensors] indices in order of name */
    size_t      n_tensors;
    size_t      longest_name;   /* of a tensor that the format allows; 0: GGUF's */
    slm_file_part *parts;       /* [n_parts] what the file consists of besides `source` */
    size_t      n_parts;
    uint64_t    gap_bytes, trailing_bytes;  /* odd, allowed */
    uint32_t    threads;
    bool        allow_nonfinite;
    bool        packed;         /* tensors of two dimensions and more are panels */
    char        format[24];     /* "GGUF v3" */
    /* Of tensors that are made while they are read: n bytes of `t` from byte `offset` of it on. NULL: read from the file. */
    slm_status (*read)(const struct slm_file *file, const slm_tensor *t, uint64_t offset, void *dst, size_t n, slm_error *err);
    void       *reader;         /* of read; freed with the file, after `close` */
    void      (*close)(struct slm_file *file);     /* what the reader holds; NULL: nothing */
};

/* Opens on a heap of the caller's: a file of any format, all files of a split GGUF by its first, or a Hugging Face folder.
 * tokenizer_path may be NULL. */
slm_status slm_file_load(struct slm_file **out, slm_heap *heap, const char *path, const char *tokenizer_path, slm_error *err);

/* The same from a source, which moves into the file (closed on failure too); `name` is for messages. */
slm_status slm_file_load_source(struct slm_file **out, slm_heap *heap, slm_source *source, const char *name, const char *tokenizer_path,
                                slm_error *err);

/* The same for a caller that may have given an slm_input instead of a file (NULL: it has not). */
slm_status slm_file_load_input(struct slm_file **out, slm_heap *heap, const char *path, const slm_input *input, const char *tokenizer_path,
                               slm_error *err);

/* What can be opened, for people. */
const char *slm_file_formats(void);

/* The name of its type: GGUF's, or that of safetensors; "?" for an unknown number. */
const char *slm_tensor_type_name(const slm_tensor *t);

/* The tensor of that name, or NULL. */
const slm_tensor *slm_file_find(const struct slm_file *file, const char *name);

/* n bytes of the tensor's disk form from byte `offset` of it. */
slm_status slm_file_read_raw(const struct slm_file *file, const slm_tensor *t, uint64_t offset, void *dst, size_t n, slm_error *err);

/* ---- for the readers of formats ---- */

/* Fills a file whose source is set: keys, tensors, format. SLM_E_FORMAT and so on. */
slm_status slm_gguf_read(struct slm_file *file, slm_error *err);
slm_status slm_llama2c_read(struct slm_file *file, const char *tokenizer_path, slm_error *err);
slm_status slm_safetensors_read(struct slm_file *file, slm_error *err);

/* The other files of a split GGUF whose first was read; nothing where it is not split. from_disk: their names follow from file->path. */
slm_status slm_split_read(struct slm_file *file, bool from_disk, slm_error *err);

/* The tensors of all files that the folder's model.safetensors.index.json names. file->path is the folder. */
slm_status slm_safetensors_read_sharded(struct slm_file *file, slm_error *err);

/* A Hugging Face folder as the keys and tensors that a GGUF of it would have. file->path is the folder. */
slm_status slm_folder_read(struct slm_file *file, slm_error *err);

/* An empty file of that name, for readers that fill it themselves; slm_file_free ends it. */
slm_status slm_file_new(struct slm_file **out, slm_heap *heap, const char *name, slm_error *err);

/* Room for `n` parts, of which none is there yet. */
slm_status slm_file_reserve_parts(struct slm_file *file, size_t n, slm_error *err);

/* The tensors of `shard` become those of the next part, which takes its source; `shard` keeps its names, which are copied. */
slm_status slm_file_take_part(struct slm_file *file, struct slm_file *shard, slm_error *err);

/* Does it begin as safetensors do: 8 bytes of length, then '{'? */
slm_status slm_safetensors_is(bool *is, const slm_source *source, slm_error *err);

/* One key behind the cursor, appended to the file's. SLM_E_FORMAT with c->bad set if it is cut off. */
slm_status slm_gguf_read_key(struct slm_file *file, slm_cursor *c, uint64_t index, slm_error *err);

/* Is it a llama2.c checkpoint? By its magic, or (legacy) by header ranges and exact size. */
slm_status slm_llama2c_is(bool *is, const slm_source *source, slm_error *err);

/* Room for n tensors, zeroed; slm_file_forget gives it back, and the keys. */
void slm_file_forget(struct slm_file *file);
slm_status slm_file_reserve(struct slm_file *file, size_t n, slm_error *err);

/* Sets tensor `index` but for its place: checks name, dims and k against the block, computes rows and bytes. `at` is the byte offset
 * for messages. */
slm_status slm_file_set_tensor(struct slm_file *file, size_t index, const void *name, size_t name_len, uint32_t type_id, uint32_t n_dims,
                               const uint64_t *dims, uint64_t at, slm_error *err);

/* Sorts by_name; refuses two tensors or two keys of one name. */
slm_status slm_file_index(struct slm_file *file, slm_error *err);

/* ---- writing GGUF v3 ---- */

/* A tensor to be written; offset is set by slm_gguf_layout. */
typedef struct slm_gguf_tensor {
    const char *name;
    const slm_type *type;
    uint32_t n_dims;
    uint64_t dims[4];
    uint64_t offset, bytes;     /* in the data part */
} slm_gguf_tensor;

/* One key as GGUF has it. */
void slm_gguf_put_key(slm_buf *out, const slm_key *key);

/* Sets offsets and bytes (alignment 32), appends the head (magic to the start of data, padded) to buf, gives the data part's size. */
slm_status slm_gguf_layout(slm_gguf_tensor *tensors, size_t n, const slm_keys *keys, slm_buf *head, uint64_t *data_bytes, slm_error *err);

#endif
