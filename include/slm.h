/* slm.h -- the public interface of libslm.a: small language models inside a C program.
 *
 * The nouns: a file (named tensors and keys, nothing believed), a tokenizer (text to ids and back), a model (weights and
 * tokenizer, read-only, shared by any number of threads) and a session (one token sequence with its cache; one thread at a time).
 *
 * Conventions, for every declaration below:
 *   - A call that can fail returns slm_status and takes an slm_error (may be NULL). Out-parameters are written on SLM_OK only,
 *     and on any other status the object is as it was before the call.
 *   - Every params struct starts with `size`; begin with its SLM_..._INIT. A field that is 0 has its default.
 *     Passing NULL for params means all defaults.
 *   - Handles are opaque; ..._free(NULL) is allowed.
 *   - Strings are UTF-8 unless said otherwise; a length is in bytes.
 *   - The library never prints, exits, aborts, or changes process state.
 *   - For one model and one token sequence every logit is the same 32 bits on every CPU, for every number of threads, chunking
 *     of the prompt and instruction set.
 */
#ifndef SLM_H
#define SLM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SLM_API __attribute__((visibility("default")))
#else
#define SLM_API
#endif

#define SLM_VERSION "0.1.0"

/* ---- status and error ------------------------------------------------------------------------------------------------------ */

/* ROW(name, value, text). Values are pinned for ever; new rows are appended. */
#define SLM_STATUS_MAP(ROW)                                                     \
    ROW(OK,              0, "no error")                                         \
    ROW(E_ARG,          -1, "an argument is outside its documented range")      \
    ROW(E_MEMORY,       -2, "the allocator or the heap limit refused")          \
    ROW(E_IO,           -3, "the system refused a file operation")              \
    ROW(E_FORMAT,       -4, "the bytes do not form what they claim to be")      \
    ROW(E_UNSUPPORTED,  -5, "well formed, but not something this library runs") \
    ROW(E_LIMIT,        -6, "a limit is exceeded")                              \
    ROW(E_NOT_FOUND,    -7, "there is no such thing")                           \
    ROW(E_STATE,        -8, "not possible in the object's present state")       \
    ROW(E_MISMATCH,     -9, "valid things that do not belong together")         \
    ROW(E_CONTEXT,     -10, "does not fit the context")                         \
    ROW(E_NUMERIC,     -11, "a NaN or infinity where a number is needed")       \
    ROW(E_CANCELLED,   -12, "the cancel flag was seen")                         \
    ROW(E_DEADLINE,    -13, "the time is over")                                 \
    ROW(E_CALLBACK,    -14, "a callback of the caller asked to stop")           \
    ROW(E_NETWORK,     -15, "name, connection or TLS failed")                   \
    ROW(E_REMOTE,      -16, "the server answered with an error")                \
    ROW(E_PROTOCOL,    -17, "the server's bytes break the protocol or a cap")   \
    ROW(E_REFUSED,     -18, "privacy class or policy forbids it")               \
    ROW(E_BUDGET,      -19, "would exceed the budget")                          \
    ROW(E_CHANGED,     -20, "the file changed while in use")                    \
    ROW(E_INTERNAL,    -21, "a check of the library's own failed")

typedef enum slm_status {
#define SLM_STATUS_ROW(name, value, text) SLM_##name = value,
    SLM_STATUS_MAP(SLM_STATUS_ROW)
#undef SLM_STATUS_ROW
    SLM_STATUS_FORCE_INT = 0x7fffffff   /* pins the width of the enum; never returned */
} slm_status;

/* Filled on failure. 512 bytes, for ever. Owned by the caller; the first cause of a failure wins. */
typedef struct slm_error {
    int32_t  status;     /* an slm_status */
    int32_t  code;       /* errno or another system's code; 0 if there is none */
    uint64_t offset;     /* byte offset in the file; UINT64_MAX if there is none */
    char     text[496];  /* one line: FILE: THING: what is wrong, with the numbers */
} slm_error;

/* The name of a status ("SLM_E_FORMAT") and what it means, or "SLM_E_?" for a number that is none. Static strings. Since 0.1.0 */
SLM_API const char *slm_status_name(slm_status status);
SLM_API const char *slm_status_text(slm_status status);

/* The version of the library that is linked, "0.1.0". Static string. Since 0.1.0 */
SLM_API const char *slm_version(void);

/* ---- hooks a caller may give ----------------------------------------------------------------------------------------------- */

/* Memory. alloc returns `size` bytes aligned to 64, or NULL; release gets the size that was asked for. Called from any thread. */
typedef struct slm_allocator {
    void *user;
    void *(*alloc)(void *user, size_t size);
    void (*release)(void *user, void *memory, size_t size);
} slm_allocator;

/* Threads of the caller's own. run() calls task(arg, i) once for every i in 0..n-1, in any order and on any threads, and returns
 * 0 when all are done; any other result means that no task was started, and the library then runs them itself, in place. Fewer
 * threads than `width` change no result. */
typedef struct slm_executor {
    void    *user;
    uint32_t width;    /* how many tasks may run at the same time; at least 1 */
    uint32_t reserved;
    int (*run)(void *user, size_t n, void (*task)(void *arg, size_t index), void *arg);
} slm_executor;

/* Messages, one line each without a newline; level 0 is an error, 1 a warning, 2 information. No lock is held while it is called. */
typedef struct slm_log {
    void *user;
    void (*line)(void *user, int level, const char *text);
} slm_log;

/* Progress of a long call. done and total are in the unit of the call (bytes or tokens). A result other than 0 stops it with
 * SLM_E_CALLBACK. Called on the calling thread. */
typedef int slm_progress_fn(void *user, uint64_t done, uint64_t total);

/* Instruction sets. A mask in params restricts what is used; 0 means all the CPU and the system offer. */
enum { SLM_ISA_SCALAR = 1, SLM_ISA_AVX2 = 2, SLM_ISA_AVX512 = 4 };

/* What this CPU offers and the operating system saves: a mask of SLM_ISA_..., SLM_ISA_SCALAR always set. Since 0.1.0 */
SLM_API unsigned slm_cpu_isa(void);

/* How many threads a params field `threads = 0` stands for: the smaller of the affinity mask and the cgroup quota. Since 0.1.0 */
SLM_API uint32_t slm_cpu_threads(void);

/* What this machine can do at this moment, measured with the library's own loops in about `seconds` (0: 0.5). */
typedef struct slm_peaks {
    size_t size;
    double read_gb_s;    /* 1e9 bytes read per second from memory beyond the last cache, all threads */
    double vnni_gmac_s;  /* 1e9 multiplications of 8-bit integers per second in the best loop of the chosen instruction set */
    double fma_gflop_s;  /* 1e9 float operations (2 per fma) per second, likewise */
} slm_peaks;
#define SLM_PEAKS_INIT { sizeof(slm_peaks), 0, 0, 0 }

/* Measures the peaks. threads and isa as in params. Returns SLM_OK, SLM_E_MEMORY (it needs 256 MiB), SLM_E_ARG. Since 0.1.0 */
SLM_API slm_status slm_peaks_measure(slm_peaks *peaks, uint32_t threads, unsigned isa, double seconds, slm_error *err);

/* ---- files: named tensors and keys ------------------------------------------------------------------------------------------ */

/* A model file as it lies on disk: GGUF (v2, v3) or a llama2.c checkpoint. Opening validates the whole table and reads no weight. */
typedef struct slm_file slm_file;

typedef struct slm_file_params {
    size_t               size;
    const slm_allocator *allocator;        /* NULL: malloc's family                                         0.1.0 */
    uint64_t             memory_limit;     /* bytes; 0: none. SLM_E_MEMORY beyond it                         0.1.0 */
    const char          *tokenizer_path;   /* llama2.c only: tokenizer.bin; NULL: no tokenizer               0.1.0 */
    uint32_t             threads;          /* for dequantization; 0: slm_cpu_threads()                       0.1.0 */
    uint32_t             allow_nonfinite;  /* 1: NaN and infinity in weights are read as stored (inspection) 0.1.0 */
} slm_file_params;
#define SLM_FILE_PARAMS_INIT { sizeof(slm_file_params), NULL, 0, NULL, 0, 0 }

typedef struct slm_tensor_info {
    size_t      size;
    const char *name;      /* escaped for showing; valid until slm_file_free */
    const char *type;      /* as in GGUF: "Q4_0"; "?" for an unknown number */
    uint32_t    n_dims;    /* 1 .. 4 */
    uint32_t    type_id;
    uint64_t    dims[4];   /* GGUF order, fastest first; unused ones are 1 */
    uint64_t    offset;    /* in the file */
    uint64_t    bytes;     /* on disk; 0 for an unknown type */
} slm_tensor_info;
#define SLM_TENSOR_INFO_INIT { sizeof(slm_tensor_info), NULL, NULL, 0, 0, { 0, 0, 0, 0 }, 0, 0 }

/* What a key holds. number is set for all numeric types, text for strings; an array has count > 0 or array = 1. */
typedef struct slm_key_info {
    size_t      size;
    const char *name;      /* valid until slm_file_free */
    const char *type;      /* "u32", "string", ...; of the elements for an array */
    uint32_t    array;     /* 1: an array */
    uint32_t    reserved;
    uint64_t    count;     /* elements of the array, else 1 */
    double      number;
    const char *text;      /* not terminated; NULL if it is no string */
    size_t      text_len;
} slm_key_info;
#define SLM_KEY_INFO_INIT { sizeof(slm_key_info), NULL, NULL, 0, 0, 0, 0, NULL, 0 }

/* Opens a file. Returns SLM_OK, SLM_E_NOT_FOUND, SLM_E_IO, SLM_E_FORMAT, SLM_E_UNSUPPORTED (version or byte order, by name),
 * SLM_E_LIMIT, SLM_E_MEMORY. Threads: the file may be used by several threads at once. Since 0.1.0 */
SLM_API slm_status slm_file_open(slm_file **out, const char *path, const slm_file_params *params, slm_error *err);
SLM_API void slm_file_free(slm_file *file);

/* Counts, the format ("GGUF v3", "llama2.c v0") and what is odd about the file. Since 0.1.0 */
SLM_API size_t slm_file_tensors(const slm_file *file);
SLM_API size_t slm_file_keys(const slm_file *file);
SLM_API const char *slm_file_format(const slm_file *file);
SLM_API uint64_t slm_file_size(const slm_file *file);

/* Describes tensor `index` or key `index`. SLM_E_ARG if the index is too large or info->size is 0. Since 0.1.0 */
SLM_API slm_status slm_file_tensor(const slm_file *file, size_t index, slm_tensor_info *info, slm_error *err);
SLM_API slm_status slm_file_key(const slm_file *file, size_t index, slm_key_info *info, slm_error *err);

/* Reads tensor `index` dequantized to f32, row-major in file order.
 *   values  [n] written;  n must be the number of elements, else SLM_E_ARG
 * Returns SLM_E_UNSUPPORTED for a type this version cannot read, SLM_E_NUMERIC for a non-finite scale or value (names row and
 * block), SLM_E_CHANGED if the file is shorter than when it was opened. Since 0.1.0 */
SLM_API slm_status slm_file_read(const slm_file *file, size_t index, float *values, size_t n, slm_error *err);

/* SHA-256 of any bytes, as 64 hex digits and a NUL: what `slm tensors --sha256` shows. Source: FIPS 180-4. Since 0.1.0 */
SLM_API void slm_sha256(char hex[65], const void *bytes, size_t n);

/* ---- making files ---------------------------------------------------------------------------------------------------------- */

typedef struct slm_quantize_params {
    size_t               size;
    const char          *type;             /* "f32", "f16", "bf16", "q8_0", "q4_0"; required        0.1.0 */
    const char          *tokenizer_path;   /* as in slm_file_params                                  0.1.0 */
    const slm_allocator *allocator;        /* 0.1.0 */
    uint64_t             memory_limit;     /* 0.1.0 */
    uint32_t             threads;          /* 0.1.0 */
    uint32_t             reserved;
    slm_progress_fn     *progress;         /* bytes of the source read; may be NULL                  0.1.0 */
    void                *user;             /* of progress and tensor */
    void (*tensor)(void *user, const char *name, const char *type, double mse);  /* after each tensor; may be NULL 0.1.0 */
} slm_quantize_params;
#define SLM_QUANTIZE_PARAMS_INIT { sizeof(slm_quantize_params), NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL }

/* Writes the model file `in` as GGUF `out` with the matrices in another type. One-dimensional tensors stay F32; a row that is no
 * multiple of 32 stays F32 when a block type is asked; the head of a q4_0 file is Q8_0. Deterministic: the same input gives the same bytes for any
 * thread count. `out` appears whole or not at all. Returns also SLM_E_UNSUPPORTED for a type this version cannot write. Since 0.1.0 */
SLM_API slm_status slm_quantize_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

/* Writes a model file of another format (llama2.c) as GGUF, weights unchanged. params: type is NULL. Since 0.1.0 */
SLM_API slm_status slm_convert_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

/* Writes a GGUF with random weights and a made-up vocabulary in the true shape of a named model: "smollm2-135m",
 * "qwen2.5-0.5b", "tinyllama-1.1b", "llama-3.2-3b". For benches. SLM_E_NOT_FOUND for another name lists these. Since 0.1.0 */
SLM_API slm_status slm_make_model_file(const char *shape, const char *out, const slm_quantize_params *params, slm_error *err);

/* ---- tokenizer ------------------------------------------------------------------------------------------------------------- */

typedef struct slm_tokenizer slm_tokenizer;

typedef struct slm_tokenizer_info {
    size_t      size;
    const char *kind;        /* "llama" (SentencePiece BPE), "gpt2" (byte-level BPE) */
    const char *pre;         /* the pre-tokenizer's name; "" for kinds without one */
    uint32_t    vocab;       /* ids are 0 .. vocab-1 */
    int32_t     bos, eos, unk; /* -1: none */
    uint32_t    add_bos, add_eos, add_space_prefix;  /* what the file asks for */
    uint32_t    duplicates;  /* tokens whose text another token of lower id has */
} slm_tokenizer_info;
#define SLM_TOKENIZER_INFO_INIT { sizeof(slm_tokenizer_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0 }

enum {
    SLM_TEXT_SPECIAL = 1,  /* encode: text may yield control tokens. Never set it for text of strangers: it forges turns */
    SLM_TEXT_BOS_EOS = 2,  /* encode: BOS and EOS are added as the file says */
    SLM_TEXT_CONTROL = 4   /* decode: control tokens appear as their text (else they give nothing) */
};

/* Opens the vocabulary of a model file; weights need not be there. Errors as slm_file_open, and SLM_E_UNSUPPORTED for a
 * tokenizer or pre-tokenizer that is not known, by name. Threads: read-only after open, shared freely. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_open(slm_tokenizer **out, const char *path, const slm_file_params *params, slm_error *err);
SLM_API void slm_tokenizer_free(slm_tokenizer *tokenizer);
SLM_API slm_status slm_tokenizer_get_info(const slm_tokenizer *tokenizer, slm_tokenizer_info *info, slm_error *err);

/* Text to ids.
 *   ids    [room] written up to *n; may be NULL with room 0 to learn the count
 *   n      the number of ids the text has
 *   text   [len] any bytes; what is not UTF-8 is tokenized by the rule of docs/tokenizers.md, never refused
 *   flags  SLM_TEXT_...
 * Returns SLM_OK; SLM_E_LIMIT if room is smaller than *n (then *n is written all the same, ids not); SLM_E_MEMORY. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_encode(const slm_tokenizer *tokenizer, int32_t *ids, size_t room, size_t *n, const char *text,
                                        size_t len, unsigned flags, slm_error *err);

/* Ids to text, the inverse of encode: SentencePiece's own leading space is taken off. Bytes that are no whole code point at
 * the end stay as they are. text [room] is not terminated; *n is its length. SLM_E_ARG names an id outside the vocabulary. Errors and
 * room as in encode. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_decode(const slm_tokenizer *tokenizer, char *text, size_t room, size_t *n, const int32_t *ids,
                                        size_t n_ids, unsigned flags, slm_error *err);

/* The token's own text as the file has it (bytes, not terminated), or NULL if id is outside the vocabulary. Since 0.1.0 */
SLM_API const char *slm_tokenizer_text(const slm_tokenizer *tokenizer, int32_t id, size_t *len);

/* ---- model ----------------------------------------------------------------------------------------------------------------- */

typedef struct slm_model slm_model;

typedef struct slm_model_params {
    size_t               size;
    const slm_allocator *allocator;       /* also of all sessions of the model                            0.1.0 */
    uint64_t             memory_limit;    /* bytes for the model and its sessions together; 0: none         0.1.0 */
    const slm_executor  *executor;        /* NULL: OpenMP                                                   0.1.0 */
    const slm_log       *log;             /* NULL: silence                                                  0.1.0 */
    const char          *tokenizer_path;  /* as in slm_file_params                                          0.1.0 */
    uint32_t             threads;         /* 0: slm_cpu_threads()                                           0.1.0 */
    uint32_t             isa;             /* mask of SLM_ISA_...; 0: all there are                          0.1.0 */
    slm_progress_fn     *progress;        /* bytes of weights read; may be NULL                             0.1.0 */
    void                *progress_user;   /* 0.1.0 */
} slm_model_params;
#define SLM_MODEL_PARAMS_INIT { sizeof(slm_model_params), NULL, 0, NULL, NULL, NULL, 0, 0, NULL, NULL }

typedef struct slm_model_info {
    size_t      size;
    const char *architecture;   /* "llama"; valid while the model lives, as all strings here */
    const char *name;           /* general.name, or "" */
    const char *isa;            /* "avx512", "avx2" or "scalar": what the kernels use */
    uint64_t    parameters;
    uint64_t    weight_bytes;   /* of all weights in memory */
    uint64_t    step_bytes;     /* of the weights read for one token */
    uint64_t    matrix_params;  /* multiplications for one token without head and attention */
    uint64_t    heap_bytes;     /* the model and its sessions, now */
    uint64_t    heap_peak;
    uint64_t    kv_bytes;       /* of the f16 cache, for one token */
    uint32_t    vocab, context, embedding, layers, heads, kv_heads, head_size, feed_forward;
    uint32_t    threads, reserved;
} slm_model_info;
#define SLM_MODEL_INFO_INIT { sizeof(slm_model_info), NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Opens a model: reads and checks the file, packs the weights for the CPU. Errors as slm_file_open and slm_tokenizer_open;
 * SLM_E_UNSUPPORTED names an unknown architecture and lists the known ones; SLM_E_NUMERIC names tensor, row and block of a
 * non-finite weight. A file without a tokenizer opens; slm_model_tokenizer is then NULL.
 * Threads: the model is read-only and may be used from any thread. Cost: reads the file once. Since 0.1.0 */
SLM_API slm_status slm_model_open(slm_model **out, const char *path, const slm_model_params *params, slm_error *err);

/* Ends the caller's hold on the model; its memory goes when its last session is freed. Since 0.1.0 */
SLM_API void slm_model_free(slm_model *model);
SLM_API slm_status slm_model_get_info(const slm_model *model, slm_model_info *info, slm_error *err);

/* The tokenizer of the model, owned by it; NULL if the file has none. Since 0.1.0 */
SLM_API const slm_tokenizer *slm_model_tokenizer(const slm_model *model);

/* ---- session --------------------------------------------------------------------------------------------------------------- */

typedef struct slm_session slm_session;

enum { SLM_KV_F16 = 0, SLM_KV_F32 = 1 };

typedef struct slm_session_params {
    size_t   size;
    uint32_t context;      /* tokens; 0: what the model was trained for, at most 4096                      0.1.0 */
    uint32_t chunk;        /* tokens per pass over the weights; 0: 512. No result depends on it            0.1.0 */
    uint32_t kv;           /* SLM_KV_F16, or SLM_KV_F32 for exactness checks                               0.1.0 */
    uint32_t deadline_ms;  /* for each call; 0: none                                                        0.1.0 */
} slm_session_params;
#define SLM_SESSION_PARAMS_INIT { sizeof(slm_session_params), 0, 0, 0, 0 }

/* Starts an empty sequence. Returns SLM_OK, SLM_E_ARG (context beyond 2^24), SLM_E_MEMORY. The session keeps the model alive. Since 0.1.0 */
SLM_API slm_status slm_session_new(slm_session **out, slm_model *model, const slm_session_params *params, slm_error *err);
SLM_API void slm_session_free(slm_session *session);

/* Tokens in the sequence, and how many more fit the context. Since 0.1.0 */
SLM_API size_t slm_session_position(const slm_session *session);
SLM_API size_t slm_session_room(const slm_session *session);

/* Appends tokens and evaluates them.
 *   session  grows by n tokens on success, is unchanged on every failure
 *   tokens   [n] ids, each 0 <= id < vocab
 *   n        1 .. slm_session_room(session)
 * Returns  SLM_OK
 *          SLM_E_ARG        n is 0 or an id is out of range (the text names index, id and vocabulary size)
 *          SLM_E_CONTEXT    n exceeds the room (the text names both); nothing was evaluated
 *          SLM_E_CANCELLED, SLM_E_DEADLINE
 *          SLM_E_NUMERIC    a value became non-finite (names the layer)
 *          SLM_E_MEMORY     no room for a page of the cache
 *          SLM_E_STATE      another call on this session is running
 * Threads  one call per session at a time; any number of sessions of one model at once.
 * Cost     one pass over the weights per chunk of tokens; attention grows with n x position.
 * Since    0.1.0
 */
SLM_API slm_status slm_session_feed(slm_session *session, const int32_t *tokens, size_t n, slm_error *err);

/* As slm_session_feed, and calls row(user, index, logits) for each token in order with its logits [vocab]; logits are valid
 * during the call only. A result other than 0 ends it with SLM_E_CALLBACK, the session unchanged. Since 0.1.0 */
typedef int slm_logits_fn(void *user, size_t index, const float *logits, size_t vocab);
SLM_API slm_status slm_session_feed_rows(slm_session *session, const int32_t *tokens, size_t n, slm_logits_fn *row, void *user,
                                         slm_error *err);

/* Tokenizes text and feeds it; BOS first if the session is empty and the file asks for it. Empty text in a session that is not
 * empty does nothing; in an empty one without BOS it is SLM_E_ARG. flags: SLM_TEXT_SPECIAL or 0. Errors of encode and feed;
 * SLM_E_STATE if the model has no tokenizer. Since 0.1.0 */
SLM_API slm_status slm_session_feed_text(slm_session *session, const char *text, size_t len, unsigned flags, slm_error *err);

/* The logits [vocab] after the last token, owned by the session and valid until its next call; NULL while it is empty or after
 * truncate. Since 0.1.0 */
SLM_API const float *slm_session_logits(const slm_session *session);

/* Drops all tokens from position n on. SLM_E_ARG if n is beyond the position. The next call must feed before it can generate. Since 0.1.0 */
SLM_API slm_status slm_session_truncate(slm_session *session, size_t n, slm_error *err);

/* Makes the running or next call on the session end with SLM_E_CANCELLED; callable from any thread and from a signal handler.
 * The call that sees the flag clears it. Since 0.1.0 */
SLM_API void slm_session_cancel(slm_session *session);

/* log p(token | what precedes it) in nats for one row of logits, in double. SLM_E_ARG if token is outside. Since 0.1.0 */
SLM_API slm_status slm_logits_score(const float *logits, size_t vocab, int32_t token, double *nats, slm_error *err);

/* A token and its log-probability in nats. */
typedef struct slm_scored {
    int32_t token, reserved;
    double  nats;
} slm_scored;

/* The n likeliest tokens of one row into top [n], the likeliest first, ties by lower id. With slm_session_feed_rows this gives them for
 * each place of a prompt. SLM_E_ARG unless 1 <= n <= 64 and n <= vocab; SLM_E_NUMERIC. Since 0.1.0 */
SLM_API slm_status slm_logits_top(const float *logits, size_t vocab, slm_scored *top, size_t n, slm_error *err);

/* ---- generation ------------------------------------------------------------------------------------------------------------ */

/* Added to the logit of a token before anything else; -infinity forbids it. */
typedef struct slm_bias {
    int32_t token;
    float   add;           /* -1e6 .. 1e6, or -infinity */
} slm_bias;

/* How a token is chosen. The order: bias, repetition, frequency, presence, DRY, (a constraint,) temperature, top_k, typical_p, top_p,
 * min_p, draw. docs/sampling.md has the formulas. */
typedef struct slm_sampling {
    size_t   size;
    float    temperature;  /* 0: greedy, the highest logit, the lowest id on ties                            0.1.0 */
    float    top_p;        /* smallest set whose probability is at least this; 0 or >= 1: off                0.1.0 */
    float    min_p;        /* drops tokens under min_p times the highest probability; 0: off                 0.1.0 */
    uint32_t top_k;        /* keeps the k highest; 0: off                                                    0.1.0 */
    uint64_t seed;         /* the draw at a position depends on seed and position alone                      0.1.0 */
    float    typical_p;    /* keeps the set nearest to the expected surprise; 0 or 1: off                    0.1.0 */
    float    repeat_penalty;     /* 0.01 .. 100; divides the logits of recent tokens; 0 or 1: off            0.1.0 */
    float    frequency_penalty;  /* -100 .. 100, for each time a token was seen; 0: off                      0.1.0 */
    float    presence_penalty;   /* -100 .. 100, for a token seen at all; 0: off                             0.1.0 */
    float    dry_multiplier;     /* 0 .. 100; against repeating whole runs of tokens; 0: off                 0.1.0 */
    float    dry_base;           /* 1 .. 10; growth with the length of the run; 0: 1.75                      0.1.0 */
    uint32_t dry_length;         /* runs shorter than this may repeat; 0: 2                                  0.1.0 */
    uint32_t penalty_window;     /* tokens the penalties look back; 0: 64; UINT32_MAX: all                   0.1.0 */
    uint32_t n_bias, reserved;
    const slm_bias *bias;        /* [n_bias]                                                                 0.1.0 */
    const int32_t  *recent;      /* [n_recent] the tokens before the draw. slm_session_generate puts its own 0.1.0 */
    size_t   n_recent;
} slm_sampling;
#define SLM_SAMPLING_INIT { sizeof(slm_sampling), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0 }

/* Picks a token from one row of logits by `sampling` for position `position`. SLM_E_NUMERIC if a logit is NaN or +infinity or all are
 * -infinity; SLM_E_ARG for a setting outside its range or NaN. Source of top-p: Holtzman et al. 2020; min-p: Nguyen et al. 2024;
 * typical: Meister et al. 2022; repetition: Keskar et al. 2019. Since 0.1.0 */
SLM_API slm_status slm_sample(int32_t *token, const float *logits, size_t vocab, const slm_sampling *sampling, uint64_t position,
                              slm_error *err);

typedef enum slm_stop { SLM_STOP_LENGTH = 1, SLM_STOP_EOS = 2, SLM_STOP_STRING = 3, SLM_STOP_CONTEXT = 4, SLM_STOP_CALLBACK = 5 } slm_stop;

/* Receives text as it is made: whole code points only, [len] bytes, not terminated. A result other than 0 ends the generation
 * with reason SLM_STOP_CALLBACK (and SLM_OK). */
typedef int slm_text_fn(void *user, const char *text, size_t len);

/* A language that a text must keep to, over the tokens of one vocabulary. Tokens are tried by the bytes they decode to: every way of
 * cutting an allowed text into tokens is allowed. The text that a generation makes is always a whole text of the language: when tokens
 * run short, the shortest way to its end is taken. docs/constraints.md says what patterns and schemas may hold.
 *
 * Owns     memory of the tokenizer's allocator, so it is freed before the tokenizer (or the model that has it).
 * Threads  read-only to its user: any number of sessions and threads at once. Inside is a cache, at most 64 MiB, under a lock.
 * Errors   of the three: SLM_E_ARG; SLM_E_LIMIT names the limit; SLM_E_NOT_FOUND if no text fits that the vocabulary can spell; SLM_E_MEMORY */
typedef struct slm_constraint slm_constraint;

/* One of strings [n], each UTF-8. Since 0.1.0 */
SLM_API slm_status slm_constraint_choice(slm_constraint **out, const slm_tokenizer *tokenizer, const char *const *strings, size_t n,
                                         slm_error *err);

/* A text that `pattern` matches as a whole: literals, classes, . | () * + ? {m,n}, \d \w \s and escapes, over code points. SLM_E_FORMAT and
 * SLM_E_UNSUPPORTED name the construct and its byte (err->offset). Since 0.1.0 */
SLM_API slm_status slm_constraint_regex(slm_constraint **out, const slm_tokenizer *tokenizer, const char *pattern, slm_error *err);

/* A JSON text that parses and validates against a JSON schema. schema [len] bytes: type, properties, required, additionalProperties, items,
 * minItems, maxItems, minLength, maxLength, pattern, bounds of numbers, enum, const, anyOf, oneOf, $ref within the document.
 * SLM_E_UNSUPPORTED names a keyword that cannot be enforced, and its place; SLM_E_FORMAT what is no schema. Since 0.1.0 */
SLM_API slm_status slm_constraint_schema(slm_constraint **out, const slm_tokenizer *tokenizer, const char *schema, size_t len, slm_error *err);

SLM_API void slm_constraint_free(slm_constraint *constraint);

/* Receives each token when it is fed, before its text: one [1] with its log-probability, top [n_top] the likeliest at its place. Both
 * of the model's own distribution, before bias, temperature, filters and constraint. A result other than 0 ends the generation as in
 * slm_text_fn, after the text of this token. */
typedef int slm_token_fn(void *user, const slm_scored *one, const slm_scored *top, size_t n_top);

typedef struct slm_generate_params {
    size_t              size;
    uint32_t            max_tokens;   /* 0: until EOS or the context is full                               0.1.0 */
    uint32_t            n_stops;      /* 0.1.0 */
    const char *const  *stops;        /* [n_stops] terminated strings; the text ends before the first seen  0.1.0 */
    const slm_sampling *sampling;     /* NULL: greedy                                                       0.1.0 */
    slm_text_fn        *text;         /* may be NULL                                                        0.1.0 */
    void               *user;         /* 0.1.0 */
    slm_token_fn       *token;        /* may be NULL                                                        0.1.0 */
    uint32_t            n_top;        /* 0 .. 64 likeliest tokens for `token`                               0.1.0 */
    uint32_t            reserved;
    slm_constraint     *constraint;   /* what the text must be; NULL: anything                              0.1.0 */
} slm_generate_params;
#define SLM_GENERATE_PARAMS_INIT { sizeof(slm_generate_params), 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL }

typedef struct slm_generation {
    size_t   size;
    size_t   tokens;      /* made, EOS not counted */
    slm_stop reason;
    uint32_t reserved;
} slm_generation;
#define SLM_GENERATION_INIT { sizeof(slm_generation), 0, SLM_STOP_LENGTH, 0 }

/* Continues the sequence: picks a token, hands its text to the callback, feeds it, until an end is reached.
 *   result  may be NULL; written on every status, for a generation that fails keeps the tokens delivered before
 * Returns SLM_OK; SLM_E_STATE if nothing was fed since the start or the last truncate; the errors of feed and slm_sample.
 * A token is fed before its text is handed out, so that all text delivered is in the sequence whatever happens next; EOS is not
 * fed. With stop strings, text that may begin one is held back until that is decided.
 *
 * With a constraint the text is a whole one of its language, unless a stop string, a callback or a failure ends it before; where it cannot go
 * on, the reason is SLM_STOP_EOS. A token is drawn as ever; one that does not fit is drawn again among those that do, so a model that keeps to
 * the language by itself is not disturbed. SLM_E_MISMATCH for a constraint of another vocabulary; SLM_E_CONTEXT if not even the
 * shortest text fits max_tokens and the room; SLM_E_LIMIT for a pattern too wild to follow. Since 0.1.0 */
SLM_API slm_status slm_session_generate(slm_session *session, const slm_generate_params *params, slm_generation *result, slm_error *err);

#ifdef __cplusplus
}
#endif
#endif
