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

/* Bytes of a file that lie elsewhere: in memory, or wherever the caller's read_at gets them. Both must stay until the call that takes
 * this returns; nothing is read later, but for slm_file_open, whose file reads until it is freed. */
typedef struct slm_input {
    size_t      size;
    uint64_t    bytes;   /* of the whole                                                                    0.1.0 */
    const void *memory;  /* [bytes], or NULL: read_at is asked                                               0.1.0 */
    /* Puts the n bytes from `offset` on into dst and returns 0; anything else is SLM_E_IO with it in the text. offset + n never passes
     * `bytes`. Called from several threads at once.                                                         0.1.0 */
    int       (*read_at)(void *user, uint64_t offset, void *dst, size_t n);
    void       *user;
} slm_input;
#define SLM_INPUT_INIT { sizeof(slm_input), 0, NULL, NULL, NULL }

/* Progress of a long call. done and total are in the unit of the call (bytes or tokens). A result other than 0 stops it with
 * SLM_E_CALLBACK. Called on the calling thread. */
typedef int slm_progress_fn(void *user, uint64_t done, uint64_t total);

/* Instruction sets. A mask in params restricts what is used; 0 means all the CPU and the system offer. */
enum { SLM_ISA_SCALAR = 1, SLM_ISA_AVX2 = 2, SLM_ISA_AVX512 = 4, SLM_ISA_AVXVNNI = 8 };   /* AVX-VNNI goes with AVX2 */

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

/* A model file as it lies on disk: GGUF (v2, v3; a split one is named by its first file), a packed file, safetensors or a llama2.c
 * checkpoint; or a Hugging Face folder as the keys and tensors that a GGUF of it has. Opening validates the whole table and reads no
 * weight. */
typedef struct slm_file slm_file;

typedef struct slm_file_params {
    size_t               size;
    const slm_allocator *allocator;        /* NULL: malloc's family                                         0.1.0 */
    uint64_t             memory_limit;     /* bytes; 0: none. SLM_E_MEMORY beyond it                         0.1.0 */
    const char          *tokenizer_path;   /* llama2.c only: tokenizer.bin; NULL: no tokenizer               0.1.0 */
    uint32_t             threads;          /* for dequantization; 0: slm_cpu_threads()                       0.1.0 */
    uint32_t             allow_nonfinite;  /* 1: NaN and infinity in weights are read as stored (inspection) 0.1.0 */
    const slm_input     *input;            /* read instead of the file at path, which is then a name for messages, as long as the
                                              object lives (a tokenizer: during the call only); NULL: none   0.1.0 */
} slm_file_params;
#define SLM_FILE_PARAMS_INIT { sizeof(slm_file_params), NULL, 0, NULL, 0, 0, NULL }

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
 *   values  [n] written, in part where the read fails half-way;  n must be the number of elements, else SLM_E_ARG
 * Returns SLM_E_UNSUPPORTED for a type this version cannot read, SLM_E_NUMERIC for a non-finite scale or value (names row and
 * block), SLM_E_CHANGED if the file is shorter than when it was opened. Since 0.1.0 */
SLM_API slm_status slm_file_read(const slm_file *file, size_t index, float *values, size_t n, slm_error *err);

/* SHA-256 of any bytes, as 64 hex digits and a NUL: what `slm tensors --sha256` shows. Source: FIPS 180-4. Since 0.1.0 */
SLM_API void slm_sha256(char hex[65], const void *bytes, size_t n);

/* ---- making files ---------------------------------------------------------------------------------------------------------- */

/* The mean square of what each channel of a model's matrices is multiplied with over a text: where a rounding error costs most.
 * Read-only once made; any number of threads may use one. */
typedef struct slm_importance slm_importance;

typedef struct slm_quantize_params {
    size_t               size;
    const char          *type;             /* required: "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q6_k",
                                              "q5_k_m", "q5_k_s", "q4_k_m", "q4_k_s", "q3_k_l", "q3_k_m",
                                              "q3_k_s", "q2_k", "iq4_nl", "iq4_xs"                  0.1.0 */
    const char          *tokenizer_path;   /* as in slm_file_params                                  0.1.0 */
    const slm_allocator *allocator;        /* 0.1.0 */
    uint64_t             memory_limit;     /* 0.1.0 */
    uint32_t             threads;          /* 0.1.0 */
    uint32_t             reserved;
    slm_progress_fn     *progress;         /* bytes of the source read; may be NULL                  0.1.0 */
    void                *user;             /* of progress and tensor */
    void (*tensor)(void *user, const char *name, const char *type, double mse);  /* after each tensor; may be NULL 0.1.0 */
    const slm_importance *importance;      /* measured with a model of these tensors; NULL: all channels count alike 0.1.0 */
} slm_quantize_params;
#define SLM_QUANTIZE_PARAMS_INIT { sizeof(slm_quantize_params), NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL }

/* Writes the model file `in` as GGUF `out` with the matrices in another type. One-dimensional tensors are F32; a matrix whose
 * rows are no multiple of 32 keeps its float type when a block type is asked. The head of a file below 8 bits is Q6_K, and types of
 * blocks of 256 fall back to Q4_0, IQ4_NL, Q5_0, Q5_1 or Q8_0 where rows are no multiple of that; q2_k, iq4_* and the types that end
 * in _s, _m or _l mix as is usual. With an importance the quantizers weigh the error of each channel by it (types stay the same; the
 * errors that are reported count all alike). Deterministic: the
 * same input gives the same bytes for any thread count. `out` appears whole or not at all. Returns also SLM_E_UNSUPPORTED for a type this
 * version cannot write. Since 0.1.0 */
SLM_API slm_status slm_quantize_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

/* Writes a model of another format (a Hugging Face folder, a llama2.c checkpoint, a split GGUF) as one GGUF, weights unchanged but for
 * what GGUF wants otherwise (docs/convert.md). Streamed: at no time is a whole model in memory. A folder without a tokenizer gives a
 * file without one. params: type is NULL. Since 0.1.0 */
SLM_API slm_status slm_convert_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

/* Writes the model file `in` as a packed file `out`: weights as they lie in memory, to be mapped and used in place, opened in no time.
 * docs/packed.md says what it is good for. params: type as in slm_quantize_file, or "w8a8", which packed files alone have; NULL: weights
 * unchanged. The model must be one that slm_model_open runs. Deterministic, and whole or not at all, as slm_quantize_file. Since 0.1.0 */
SLM_API slm_status slm_pack_file(const char *in, const char *out, const slm_quantize_params *params, slm_error *err);

/* What slm_check_file looked at. */
typedef struct slm_check_info {
    size_t      size;
    const char *kind;       /* "packed", "session"; static */
    uint64_t    sections;   /* pieces with a hash of their own */
    uint64_t    bytes;      /* of the file */
} slm_check_info;
#define SLM_CHECK_INFO_INIT { sizeof(slm_check_info), NULL, 0, 0 }

/* Reads a packed or session file to its end and compares every hash in it. Needs no model. params: allocator and memory_limit count.
 * info may be NULL. SLM_E_FORMAT names the section that is not what was written; SLM_E_UNSUPPORTED for a file that has no hashes.
 * Since 0.1.0 */
SLM_API slm_status slm_check_file(const char *path, const slm_file_params *params, slm_check_info *info, slm_error *err);

/* Writes a GGUF with random weights and a made-up vocabulary in the true shape of a named model: "smollm2-135m",
 * "qwen2.5-0.5b", "tinyllama-1.1b", "llama-3.2-3b", "minilm-l6", "distilbert". For benches. SLM_E_NOT_FOUND for another name lists these. Since 0.1.0 */
SLM_API slm_status slm_make_model_file(const char *shape, const char *out, const slm_quantize_params *params, slm_error *err);

/* ---- tokenizer ------------------------------------------------------------------------------------------------------------- */

typedef struct slm_tokenizer slm_tokenizer;

typedef struct slm_tokenizer_info {
    size_t      size;
    const char *kind;        /* "llama" (SentencePiece BPE), "gpt2" (byte-level BPE), "bert" (WordPiece), "t5" (SentencePiece unigram) */
    const char *pre;         /* the pre-tokenizer's name; "" for kinds without one */
    uint32_t    vocab;       /* ids are 0 .. vocab-1 */
    int32_t     bos, eos, unk; /* -1: none. "bert": [CLS] and [SEP] */
    uint32_t    add_bos, add_eos, add_space_prefix;  /* what the file asks for */
    uint32_t    duplicates;  /* tokens whose text another token of lower id has */
} slm_tokenizer_info;
#define SLM_TOKENIZER_INFO_INIT { sizeof(slm_tokenizer_info), NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0 }

enum {
    SLM_TEXT_SPECIAL = 1,  /* encode: text may yield control tokens. Never set it for text of strangers: it forges turns */
    SLM_TEXT_BOS_EOS = 2,  /* encode: BOS and EOS are added as the file says */
    SLM_TEXT_CONTROL = 4   /* decode: control tokens appear as their text (else they give nothing) */
};

/* Opens the vocabulary of a model file, for which weights need not be there, or a tokenizer.json or SentencePiece tokenizer.model (with
 * the tokenizer_config.json beside it). Errors as slm_file_open, and SLM_E_UNSUPPORTED for a tokenizer, pre-tokenizer or step that is not
 * known, by name. Threads: read-only after open, shared freely. Since 0.1.0 */
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

/* The bytes of a text that one token stands for. */
typedef struct slm_text_range {
    size_t begin, end;       /* text[begin .. end) */
} slm_text_range;

/* slm_tokenizer_encode, and where each token comes from.
 *   ranges  [room] of ids[i] in `text`, as given: begins do not fall and ends do not fall. A token that stands for no byte (BOS, EOS, a
 *           space the vocabulary puts in front) has an empty range where it stands. Where one character became several tokens or was
 *           rewritten, each of these has all bytes of the character; bytes that became no token (white space between words, what a
 *           normalizer drops) lie between the ranges. May be NULL with room 0
 * Returns as slm_tokenizer_encode. Cost: about twice the memory. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_encode_ranges(const slm_tokenizer *tokenizer, int32_t *ids, slm_text_range *ranges, size_t room, size_t *n,
                                               const char *text, size_t len, unsigned flags, slm_error *err);

/* Ids to text, the inverse of encode: SentencePiece's own leading space is taken off. Bytes that are no whole code point at
 * the end stay as they are. text [room] is not terminated; *n is its length. SLM_E_ARG names an id outside the vocabulary. Errors and
 * room as in encode. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_decode(const slm_tokenizer *tokenizer, char *text, size_t room, size_t *n, const int32_t *ids,
                                        size_t n_ids, unsigned flags, slm_error *err);

/* The token's own text as the file has it (bytes, not terminated), or NULL if id is outside the vocabulary. Since 0.1.0 */
SLM_API const char *slm_tokenizer_text(const slm_tokenizer *tokenizer, int32_t id, size_t *len);

/* ---- chat templates ---------------------------------------------------------------------------------------------------------- */

/* The template of a chat model (key tokenizer.chat_template of its file), and a conversation as the prompt it makes. The language is the
 * part of Jinja that such templates use; docs/templates.md lists it. */
typedef struct slm_template slm_template;
typedef struct slm_rendered slm_rendered;

typedef struct slm_template_params {
    size_t               size;
    const slm_allocator *allocator;      /* NULL: malloc's family; also of what is rendered               0.1.0 */
    uint64_t             memory_limit;   /* bytes, for the template and for each rendering; 0: none        0.1.0 */
} slm_template_params;
#define SLM_TEMPLATE_PARAMS_INIT { sizeof(slm_template_params), NULL, 0 }

/* Reads a template: text [len] of UTF-8, at most 1 MiB. Returns SLM_OK; SLM_E_FORMAT, SLM_E_UNSUPPORTED or SLM_E_LIMIT with the line
 * and the construct; SLM_E_MEMORY. A filter, test or function that is not known is an error only when a rendering reaches it.
 * Threads: read-only after new, shared freely. Since 0.1.0 */
SLM_API slm_status slm_template_new(slm_template **out, const char *text, size_t len, const slm_template_params *params, slm_error *err);
SLM_API void slm_template_free(slm_template *tmpl);

typedef struct slm_render_params {
    size_t      size;
    const char *now;     /* local time as "2024-07-26T09:30:00", what strftime_now() shows; NULL: that is an error   0.1.0 */
    uint64_t    fuel;    /* steps a rendering may take; 0: 16,777,216 and 64 for each byte of the conversation       0.1.0 */
    uint64_t    limit;   /* bytes of the prompt; 0: 64 MiB, the most there is                                       0.1.0 */
} slm_render_params;
#define SLM_RENDER_PARAMS_INIT { sizeof(slm_render_params), NULL, 0, 0 }

/* Renders a conversation.
 *   json  [len] an object. "messages" (an array) is needed; "tools", "documents" (default null), "add_generation_prompt" (false),
 *         "bos_token", "eos_token" (strings; undefined if absent or null) and every key of the object "extra" are what the template
 *         sees under these names. Other keys are not looked at.
 * Returns SLM_OK
 *         SLM_E_MISMATCH     the template itself refuses the conversation; err->text is its message and nothing else
 *         SLM_E_FORMAT       no such JSON, or the template computes what cannot be (an attribute of something undefined, text plus a number)
 *         SLM_E_UNSUPPORTED  it reached something this library does not run, by name and line
 *         SLM_E_LIMIT        fuel, depth, messages (65,536), bytes of the prompt; SLM_E_MEMORY; SLM_E_ARG for `now`
 * Threads: any number at once on one template. What is rendered does not need the template any more. Since 0.1.0 */
SLM_API slm_status slm_template_render(slm_rendered **out, const slm_template *tmpl, const char *json, size_t len,
                                       const slm_render_params *params, slm_error *err);
SLM_API void slm_rendered_free(slm_rendered *rendered);

/* The prompt, UTF-8, terminated; *len (may be NULL) its bytes. Valid until slm_rendered_free. Since 0.1.0 */
SLM_API const char *slm_rendered_text(const slm_rendered *rendered, size_t *len);

/* Where the text comes from, span by span in order; together they are the text. Content is all that came from the conversation but
 * bos_token and eos_token, and all that was computed; a user's text is never literal. */
enum { SLM_SPAN_CONTENT = 0, SLM_SPAN_LITERAL = 1 };
typedef struct slm_span {
    size_t   offset, len;   /* bytes of the text */
    uint32_t kind;          /* SLM_SPAN_... */
    uint32_t reserved;
} slm_span;
SLM_API const slm_span *slm_rendered_spans(const slm_rendered *rendered, size_t *n);

/* A rendered prompt to ids. Control tokens are found inside literal spans only; what lies between two of them is one text,
 * whichever spans it consists of, so that the ids are those the model was trained on. flags: SLM_TEXT_BOS_EOS puts BOS in front if the file asks
 * for it and the template has not; EOS is never added. SLM_TEXT_SPECIAL lets content yield control tokens: then users can
 * forge turns. ids, room, n and the rest as in slm_tokenizer_encode. Since 0.1.0 */
SLM_API slm_status slm_tokenizer_encode_rendered(const slm_tokenizer *tokenizer, int32_t *ids, size_t room, size_t *n,
                                                 const slm_rendered *rendered, unsigned flags, slm_error *err);

/* ---- model ----------------------------------------------------------------------------------------------------------------- */

typedef struct slm_model slm_model;

typedef struct slm_model_params {
    size_t               size;
    const slm_allocator *allocator;       /* also of all sessions of the model                            0.1.0 */
    uint64_t             memory_limit;    /* bytes for the model and its sessions together; 0: none         0.1.0 */
    const slm_executor  *executor;        /* NULL: threads of the model's own                               0.1.0 */
    const slm_log       *log;             /* NULL: silence                                                  0.1.0 */
    const char          *tokenizer_path;  /* as in slm_file_params                                          0.1.0 */
    uint32_t             threads;         /* 0: slm_cpu_threads()                                           0.1.0 */
    uint32_t             isa;             /* mask of SLM_ISA_...; 0: all there are                          0.1.0 */
    slm_progress_fn     *progress;        /* bytes of weights read; may be NULL                             0.1.0 */
    void                *progress_user;   /* 0.1.0 */
    const slm_input     *input;           /* read instead of the file at path, which is then a name for messages; NULL: none 0.1.0 */
    uint32_t             openmp;          /* 1: threads of the OpenMP runtime instead, for a host that has them running; slower beside other
                                           * programs, for they spin; it ends the process if the system refuses it one  0.1.0 */
    /* A packed file is mapped and used where it lies, shared with every process that does so. Whoever may have it cut off in place while it
     * is in use, which kills a process that reads on, sets no_map: it is then read into own memory, as it always is from `input`. */
    uint32_t             no_map;          /* 1: not mapped                                                  0.1.0 */
    uint32_t             verify;          /* 1: the hashes of a packed file are compared before it is used; costs a read of it 0.1.0 */
    uint32_t             reserved;
} slm_model_params;
#define SLM_MODEL_PARAMS_INIT { sizeof(slm_model_params), NULL, 0, NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0 }

typedef struct slm_model_info {
    size_t      size;
    const char *architecture;   /* "llama"; valid while the model lives, as all strings here */
    const char *name;           /* general.name, or "" */
    const char *isa;            /* "avx512", "avxvnni", "avx2" or "scalar": what the kernels use */
    uint64_t    parameters;
    uint64_t    weight_bytes;   /* of all weights in memory */
    uint64_t    step_bytes;     /* of the weights read for one token */
    uint64_t    matrix_params;  /* multiplications for one token without head and attention */
    uint64_t    heap_bytes;     /* the model and its sessions, now */
    uint64_t    heap_peak;
    uint64_t    kv_bytes;       /* of the f16 cache, for one token; encoder: of a layer */
    uint32_t    vocab, context, embedding, layers, heads, kv_heads, head_size, feed_forward;
    uint32_t    threads;
    uint32_t    encoder;        /* 1: makes hidden states and vectors (slm_encoder_new), 0: text (slm_session_new)   0.1.0 */
} slm_model_info;
#define SLM_MODEL_INFO_INIT { sizeof(slm_model_info), NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Opens a model: reads and checks the file, packs the weights for the CPU. Errors as slm_file_open and slm_tokenizer_open;
 * SLM_E_UNSUPPORTED names an unknown architecture and lists the known ones; SLM_E_NUMERIC names tensor, row and block of a
 * non-finite weight. A file without a tokenizer opens; slm_model_tokenizer is then NULL.
 * SLM_E_CHANGED: a packed file is no longer what it was when it was opened, found here and by every 64th feed of a session.
 * Threads: the model is read-only and may be used from any thread. Cost: reads the file once; of a packed one keys and table. Since 0.1.0 */
SLM_API slm_status slm_model_open(slm_model **out, const char *path, const slm_model_params *params, slm_error *err);

/* Ends the caller's hold on the model; its memory goes when its last session is freed. Since 0.1.0 */
SLM_API void slm_model_free(slm_model *model);
SLM_API slm_status slm_model_get_info(const slm_model *model, slm_model_info *info, slm_error *err);

/* The tokenizer of the model, owned by it; NULL if the file has none. Since 0.1.0 */
SLM_API const slm_tokenizer *slm_model_tokenizer(const slm_model *model);

typedef struct slm_importance_params {
    size_t               size;
    const slm_allocator *allocator;        /* 0.1.0 */
    uint64_t             memory_limit;     /* 0.1.0 */
    slm_progress_fn     *progress;         /* tokens evaluated; may be NULL                             0.1.0 */
    void                *user;
} slm_importance_params;
#define SLM_IMPORTANCE_PARAMS_INIT { sizeof(slm_importance_params), NULL, 0, NULL, NULL }

/* Runs a decoder over a text in windows of at most 512 tokens and measures the inputs of its layers' matrices, for slm_quantize_params.
 *   tokens  [n] n >= 1; each window also gets the begin-of-sequence token if the tokenizer says so
 *   params  may be NULL
 * The same tokens give the same importance for any number of threads. SLM_E_ARG for an id out of range, SLM_E_CALLBACK if progress says
 * so. Owns: *out until slm_importance_free, which accepts NULL; it does not refer to the model. Since 0.1.0 */
SLM_API slm_status slm_importance_measure(slm_importance **out, slm_model *model, const int32_t *tokens, size_t n,
                                          const slm_importance_params *params, slm_error *err);
SLM_API void slm_importance_free(slm_importance *importance);

/* The text of the model's chat template (key tokenizer.chat_template), terminated, *len (may be NULL) its bytes, for slm_template_new; NULL
 * if the file has none. It was not looked at: what is wrong with it is said by slm_template_new. Owned by the model. Since 0.1.0 */
SLM_API const char *slm_model_chat_template(const slm_model *model, size_t *len);

/* ---- session --------------------------------------------------------------------------------------------------------------- */

typedef struct slm_session slm_session;

/* Keys and values of the cache: halves; floats, for exactness checks; 8 bits with a scale for every 32, about 9/16 of the memory of f16 and the loss
 * that docs/sessions.md states. */
enum { SLM_KV_F16 = 0, SLM_KV_F32 = 1, SLM_KV_Q8_0 = 2 };

typedef struct slm_session_params {
    size_t   size;
    uint32_t context;      /* tokens; 0: what the model was trained for, at most 4096                      0.1.0 */
    uint32_t chunk;        /* tokens per pass over the weights; 0: 512. No result depends on it            0.1.0 */
    uint32_t kv;           /* SLM_KV_F16, _F32, _Q8_0                                                      0.1.0 */
    uint32_t deadline_ms;  /* for each call; 0: none. SLM_E_IO if there is no clock to keep it by          0.1.0 */
} slm_session_params;
#define SLM_SESSION_PARAMS_INIT { sizeof(slm_session_params), 0, 0, 0, 0 }

/* Starts an empty sequence. Returns SLM_OK, SLM_E_ARG (context beyond 2^24), SLM_E_MEMORY. The session keeps the model alive. The
 * cache grows with the sequence by pages of 64 positions; the memory for computing is taken by the first feed. Since 0.1.0 */
SLM_API slm_status slm_session_new(slm_session **out, slm_model *model, const slm_session_params *params, slm_error *err);
SLM_API void slm_session_free(slm_session *session);

/* A step of the passes that a session was fed in. */
typedef struct slm_profile_row {
    const char *name;      /* "q k v", "attention", ...; for good */
    uint64_t    runs;      /* how often: once a layer, and of many tokens once for each strip of them; of "waiting": runs of all threads together */
    uint64_t    ns;        /* on the clock of the calling thread; where threads had strips of their own, their part of that */
    uint64_t    bytes;     /* of weights or cache read; 0 where neither is */
    uint64_t    macs;      /* multiplications in them */
} slm_profile_row;

/* Where the time went since the call before, steps without any time included; the first call begins to measure and gives zeros. The last row,
 * "waiting", is the part of all others in which the caller waited for threads. rows [room] gets at most room of them, *n how many there
 * are: SLM_E_LIMIT if that is more. Measuring costs about 50 ns a step; feeding in a batch is not measured. SLM_E_MEMORY. Since 0.1.0 */
SLM_API slm_status slm_session_profile(slm_session *session, slm_profile_row *rows, size_t room, size_t *n, slm_error *err);

/* A second session with the same tokens, logits and params. The two go on independently and may be used by two threads.
 *   out      set on success; ended with slm_session_free, before or after `session`
 *   session  is not changed
 * Returns  SLM_OK; SLM_E_STATE while another call on session is running; SLM_E_MEMORY.
 * Cost     tokens and logits are copied; the cache is shared page by page, and a page of 64 positions is copied only when one of its
 *          holders writes into it: at most one page for a fork.
 * Since    0.1.0 */
SLM_API slm_status slm_session_fork(slm_session **out, slm_session *session, slm_error *err);

/* Tokens in the sequence, and how many more fit the context. Since 0.1.0 */
SLM_API size_t slm_session_position(const slm_session *session);
SLM_API size_t slm_session_room(const slm_session *session);

/* The tokens [slm_session_position()], owned by the session and valid until its next call. Since 0.1.0 */
SLM_API const int32_t *slm_session_tokens(const slm_session *session);

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

/* One turn of generation: picks a token from the logits after the last one by `sampling` (NULL: greedy) for the present position and
 * feeds it. *token is what was fed, an end token too. Errors of slm_sample and feed, SLM_E_STATE without logits; after an error neither
 * session nor *token has changed. Since 0.1.0 */
struct slm_sampling;
SLM_API slm_status slm_session_step(slm_session *session, const struct slm_sampling *sampling, int32_t *token, slm_error *err);

/* Drops all tokens from position n on. SLM_E_ARG if n is beyond the position. The next call must feed before it can generate. Since 0.1.0 */
SLM_API slm_status slm_session_truncate(slm_session *session, size_t n, slm_error *err);

/* Makes the running or next call on the session end with SLM_E_CANCELLED; callable from any thread and from a signal handler.
 * The call that sees the flag clears it. Since 0.1.0 */
SLM_API void slm_session_cancel(slm_session *session);

/* ---- sessions in one file --------------------------------------------------------------------------------------------------- */

/* Writes the sequence, its cache and its logits to a file, so that a later process goes on without evaluating anything again. The same
 * state gives the same bytes. The file holds the text, so its mode is 0600; it appears whole or not at all.
 * Returns  SLM_OK; SLM_E_IO (the old file, if any, is untouched); SLM_E_MEMORY; SLM_E_STATE while another call is running.
 * Cost     size of the cache; the first save or load of a model hashes its weights once.
 * Since    0.1.0 */
SLM_API slm_status slm_session_save(slm_session *session, const char *path, slm_error *err);

/* A new session as it was saved: tokens, cache, logits.
 *   model   must be the one it was saved with, by the hash of its weights and numbers; where and how it was opened does not matter
 *   params  context 0: as saved, if that is at most the model's context or 4,096; else it must hold the tokens. kv: 0 as saved; another than
 *           that is SLM_E_MISMATCH. May be NULL
 * Returns  SLM_OK
 *          SLM_E_NOT_FOUND, SLM_E_IO
 *          SLM_E_FORMAT       no session file, cut, damaged (every part has a hash), a token outside the vocabulary
 *          SLM_E_UNSUPPORTED  of another version
 *          SLM_E_MISMATCH     of another model
 *          SLM_E_CONTEXT      params->context is too small, or 0 and the file's is larger than said above
 *          SLM_E_MEMORY, SLM_E_ARG
 * A hash finds damage, not an enemy: a file of a stranger cannot harm memory, but it can hold any thoughts.
 * Since 0.1.0 */
SLM_API slm_status slm_session_load(slm_session **out, slm_model *model, const char *path, const slm_session_params *params,
                                    slm_error *err);

/* ---- many sessions at once --------------------------------------------------------------------------------------------------- */

/* Steps sessions together: their tokens go through each layer in one pass over the weights, which for a few sessions costs little more
 * than for one. Sessions come and go between steps as they like; a prompt in pieces and single tokens mix in one step. */
typedef struct slm_batch slm_batch;

typedef struct slm_batch_params {
    size_t   size;
    uint32_t tokens;    /* of all items in one pass; 0: 512. More are done in several passes; no result depends on it 0.1.0 */
    uint32_t context;   /* the highest position a session may reach in it; 0: as for a session                     0.1.0 */
} slm_batch_params;
#define SLM_BATCH_PARAMS_INIT { sizeof(slm_batch_params), 0, 0 }

/* One session's part of a step. This struct is never extended. */
typedef struct slm_batch_item {
    slm_session   *session;
    const int32_t *tokens;     /* [n], as for slm_session_feed */
    size_t         n;
    slm_error     *err;        /* filled if this item fails; may be NULL */
    slm_status     status;     /* out: how this item went */
    uint32_t       reserved;
} slm_batch_item;

/* Memory for steps of sessions of one model. Returns SLM_OK, SLM_E_ARG, SLM_E_MEMORY. The batch keeps the model alive. Since 0.1.0 */
SLM_API slm_status slm_batch_new(slm_batch **out, slm_model *model, const slm_batch_params *params, slm_error *err);
SLM_API void slm_batch_free(slm_batch *batch);

/* Feeds each item's tokens to its session. Logits, positions and everything else are, to the bit, what slm_session_feed of the same tokens
 * gives. Items stand for themselves: one that fails has its status and its session unchanged, and the others go on.
 *   items  [n] each session at most once (a second time is SLM_E_STATE for that item); n 0 does nothing
 * Returns  SLM_OK            every item is SLM_OK
 *          SLM_E_STATE       another step of this batch is running; SLM_E_ARG: batch or items is NULL; SLM_E_MEMORY: more items than
 *                            ever before, and no room for their table. Then nothing was done and no item was written
 *          another           the status of the first item that failed; err says which one and why. Of an item:
 *          SLM_E_MISMATCH    its session is of another model
 *          SLM_E_CONTEXT     its tokens do not fit its session or the batch's context
 *          SLM_E_ARG, SLM_E_STATE, SLM_E_MEMORY, SLM_E_NUMERIC, SLM_E_CANCELLED, SLM_E_DEADLINE as for slm_session_feed
 * Threads  one step of a batch at a time, and no other call on its sessions meanwhile; they can be cancelled from anywhere.
 * Cost     one pass over the weights for every `tokens` tokens of all items; in steady state it allocates nothing but pages.
 * Since    0.1.0 */
SLM_API slm_status slm_batch_step(slm_batch *batch, slm_batch_item *items, size_t n, slm_error *err);

/* ---- vectors of texts --------------------------------------------------------------------------------------------------------- */

/* What an encoder model (bert, nomic-bert, modern-bert, t5encoder) computes with. docs/embeddings.md is the guide. */
typedef struct slm_encoder slm_encoder;

typedef struct slm_encoder_params {
    size_t   size;
    uint32_t context;      /* tokens of the longest sequence; 0: what the model was trained for             0.1.0 */
    uint32_t chunk;        /* tokens of a pass over the weights; 0: 512. A longer sequence has one to itself. No result depends on it 0.1.0 */
    uint32_t kv;           /* SLM_KV_F16, _F32, _Q8_0                                                      0.1.0 */
    uint32_t deadline_ms;  /* for each call; 0: none. SLM_E_IO if there is no clock to keep it by          0.1.0 */
} slm_encoder_params;
#define SLM_ENCODER_PARAMS_INIT { sizeof(slm_encoder_params), 0, 0, 0, 0 }

/* Returns SLM_OK, SLM_E_ARG, SLM_E_MISMATCH for a model that is a decoder, SLM_E_MEMORY. The encoder keeps the model alive. The memory for
 * computing is taken by the first call, and taken anew only for a longer sequence than before. Since 0.1.0 */
SLM_API slm_status slm_encoder_new(slm_encoder **out, slm_model *model, const slm_encoder_params *params, slm_error *err);
SLM_API void slm_encoder_free(slm_encoder *encoder);

/* Makes the running or next call on the encoder end with SLM_E_CANCELLED; callable from any thread and from a signal handler. The call
 * that sees the flag clears it. Since 0.1.0 */
SLM_API void slm_encoder_cancel(slm_encoder *encoder);

/* The hidden states of one sequence after the last norm.
 *   states  [n][embedding] written on SLM_OK only
 *   tokens  [n] ids as given: what the family puts around a text (CLS, SEP, EOS) must be there. n: 1 .. the context
 * Returns  SLM_OK; SLM_E_ARG; SLM_E_CONTEXT (beyond the context, or beyond the positions the model has learned); SLM_E_NUMERIC;
 *          SLM_E_CANCELLED; SLM_E_DEADLINE; SLM_E_MEMORY; SLM_E_STATE while another call is running.
 * Threads  one call per encoder at a time; any number of encoders of one model at once.
 * Since    0.1.0 */
SLM_API slm_status slm_encoder_states(slm_encoder *encoder, float *states, const int32_t *tokens, size_t n, slm_error *err);

/* Which of the hidden states become the vector. */
enum {
    SLM_POOLING_FILE  = 0,  /* what the file's key pooling_type says; the mean where it says nothing */
    SLM_POOLING_MEAN  = 1,  /* of all tokens, those around the text included */
    SLM_POOLING_FIRST = 2,
    SLM_POOLING_LAST  = 3
};

typedef struct slm_embed_params {
    size_t   size;
    uint32_t pooling;      /* SLM_POOLING_...                                                               0.1.0 */
    uint32_t normalize;    /* 1: divides the vector by its length; zeros stay zeros                         0.1.0 */
    uint32_t truncate;     /* 1: of a text beyond the context only the beginning is taken, with what the file puts at the end 0.1.0 */
    uint32_t flags;        /* SLM_TEXT_SPECIAL: texts may yield control tokens; not for texts of strangers  0.1.0 */
} slm_embed_params;
#define SLM_EMBED_PARAMS_INIT { sizeof(slm_embed_params), 0, 0, 0, 0 }

/* One text, or one list of tokens. This struct is never extended. */
typedef struct slm_embed_item {
    const char    *text;       /* [len] tokenized with what the file puts around it; NULL: tokens are given */
    size_t         len;
    const int32_t *tokens;     /* [n] where text is NULL, as for slm_encoder_states */
    size_t         n;          /* out, with a text: its tokens */
    float         *vector;     /* [embedding] written if this item succeeds, and only then */
    slm_error     *err;        /* filled if this item fails; may be NULL */
    slm_status     status;     /* out: how this item went */
    uint32_t       reserved;
} slm_embed_item;

/* The vectors of n texts. Texts are packed end to end, without padding: each vector is, to the bit, the one the text has alone.
 * Items stand for themselves: one that fails has its status and its vector unchanged, and the others go on.
 * Returns  SLM_OK            every item is SLM_OK
 *          SLM_E_ARG         encoder or items is NULL, a setting is outside its range; SLM_E_STATE: another call is running;
 *                            SLM_E_UNSUPPORTED: the file asks for a pooling that makes no vector (a rank); SLM_E_MEMORY at the
 *                            first call. Then no item was written
 *          another           the status of the first item that failed; err says which one and why. Of an item:
 *          SLM_E_STATE       a text, and the model has no tokenizer
 *          SLM_E_CONTEXT, SLM_E_ARG, SLM_E_NUMERIC, SLM_E_CANCELLED, SLM_E_DEADLINE, SLM_E_MEMORY as for slm_encoder_states
 * Threads  one call per encoder at a time.
 * Cost     one pass over the weights per chunk of tokens; with tokens it allocates nothing once its longest sequence has been seen.
 * Since    0.1.0 */
SLM_API slm_status slm_embed(slm_encoder *encoder, slm_embed_item *items, size_t n, const slm_embed_params *params, slm_error *err);

/* ---- memory before opening ---------------------------------------------------------------------------------------------------- */

/* Bytes of heap, as slm_model_info counts them. Thread stacks and the caller's input are not in it. */
typedef struct slm_plan_info {
    size_t   size;
    uint64_t weight_bytes;    /* of all weights in memory */
    uint64_t model_bytes;     /* the open model: weights, tokenizer, tables */
    uint64_t open_peak;       /* the most that opening takes */
    uint64_t kv_bytes;        /* the cache of one session, full; encoder: of the sequences of a pass */
    uint64_t work_bytes;      /* computing alone; not needed by a session that is only stepped in batches */
    uint64_t session_bytes;   /* one session, its cache full: kv_bytes, work_bytes, tokens and logits. Encoder model: one slm_encoder that has
                                 seen a sequence as long as the context */
    uint64_t peak;            /* the most at any time with one session */
    uint64_t mapped_bytes;    /* of weight_bytes, those that stay in a packed file and are counted nowhere else         0.1.0 */
} slm_plan_info;
#define SLM_PLAN_INFO_INIT { sizeof(slm_plan_info), 0, 0, 0, 0, 0, 0, 0, 0 }

/* What slm_model_open and slm_session_new with these arguments and a full context will take, within 2 % and 1 MB. Reads the tables of
 * the file and its tokenizer, no weight. Errors of slm_model_open as far as the tables show them. Since 0.1.0 */
SLM_API slm_status slm_plan(slm_plan_info *plan, const char *path, const slm_model_params *model, const slm_session_params *session,
                            slm_error *err);

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
    struct slm_guide *guide;     /* keeps to a constraint, for slm_session_step and slm_sample; NULL: none    0.1.0 */
} slm_sampling;
#define SLM_SAMPLING_INIT { sizeof(slm_sampling), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, NULL }

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

/* One text that is kept within a constraint by a caller who feeds it himself, token by token: set as `guide` of slm_sampling.
 * slm_session_step then picks among what fits, and the guide goes on with it. For slm_batch_step: slm_sample with the guide for each session,
 * one step for all, slm_guide_push for each that succeeded. A picked end token ends the text; it is fed or not, as one likes. */
typedef struct slm_guide slm_guide;

/* A guide for the text that comes next in the session, of at most max_tokens (0: the session's room).
 *   session  is looked at by this call only
 * Returns  SLM_OK, SLM_E_ARG, SLM_E_MEMORY, SLM_E_MISMATCH for a constraint of another vocabulary, SLM_E_CONTEXT if not even the shortest
 *          text fits. Owns the tokenizer's memory: freed before the constraint. Threads: one call at a time. Since 0.1.0 */
SLM_API slm_status slm_guide_new(slm_guide **out, slm_constraint *constraint, const slm_session *session, size_t max_tokens, slm_error *err);
SLM_API void slm_guide_free(slm_guide *guide);

/* Goes on by a token. SLM_E_ARG for one that does not fit or leaves no end within the tokens left; SLM_E_STATE when done; SLM_E_MEMORY,
 * SLM_E_LIMIT. The guide is then as before. What slm_sample picked last fits always. Since 0.1.0 */
SLM_API slm_status slm_guide_push(slm_guide *guide, int32_t token, slm_error *err);

/* Nothing more may come (picking is then SLM_E_STATE); and: the text so far is a whole one of the language. Since 0.1.0 */
SLM_API int slm_guide_is_done(const slm_guide *guide);
SLM_API int slm_guide_is_whole(const slm_guide *guide);

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
    uint32_t            draft;        /* 0 .. 32 tokens guessed ahead, 0: none; changes the speed alone     0.1.0 */
    slm_constraint     *constraint;   /* what the text must be; NULL: anything                              0.1.0 */
    slm_session        *drafter;      /* whose model guesses; NULL: the text so far does                    0.1.0 */
} slm_generate_params;
#define SLM_GENERATE_PARAMS_INIT { sizeof(slm_generate_params), 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL }

typedef struct slm_generation {
    size_t   size;
    size_t   tokens;      /* made, EOS not counted */
    slm_stop reason;
    uint32_t reserved;
    uint64_t drafted;     /* tokens guessed ahead; accepted: those of them that were picked. 0.1.0 */
    uint64_t accepted;
} slm_generation;
#define SLM_GENERATION_INIT { sizeof(slm_generation), 0, SLM_STOP_LENGTH, 0, 0, 0 }

/* Continues the sequence: picks a token, hands its text to the callback, feeds it, until an end is reached.
 *   result  may be NULL; written on every status, for a generation that fails keeps the tokens delivered before
 * Returns SLM_OK; SLM_E_STATE if nothing was fed since the start or the last truncate; the errors of feed and slm_sample.
 * A token is fed before its text is handed out, so that all text delivered is in the sequence whatever happens next; EOS is not
 * fed. With stop strings, text that may begin one is held back until that is decided, or until the call ends otherwise, by a failure too.
 *
 * With `draft` that many tokens at most are guessed and evaluated in one pass with the token picked; a guess counts only where the sampler then
 * picks the same, so text and logits are those without it, to the bit. Guesses are what followed the last tokens before, or come from
 * `drafter`, a session of a smaller model with the same vocabulary (SLM_E_MISMATCH for another size of it) that is made to follow this one and is
 * used by nobody else meanwhile; when its context is full it guesses no more. Lengths adapt to what holds.
 *
 * With a constraint the text is a whole one of its language, unless a stop string, a callback or a failure ends it before; where it cannot go
 * on, the reason is SLM_STOP_EOS. A token is drawn as ever; one that does not fit is drawn again among those that do, so a model that keeps to
 * the language by itself is not disturbed. SLM_E_MISMATCH for a constraint of another vocabulary; SLM_E_CONTEXT if not even the
 * shortest text fits max_tokens and the room; SLM_E_LIMIT for a pattern too wild to follow. Since 0.1.0 */
SLM_API slm_status slm_session_generate(slm_session *session, const slm_generate_params *params, slm_generation *result, slm_error *err);

/* ---- engines --------------------------------------------------------------------------------------------------------------- */

/* An engine is whoever answers a request: the local engine below, a remote one, a cascade of others, or a table of operations that
 * the caller fills. docs/engines.md is the guide. */

/* A flag that ends calls early: starts as zeros, is set from any thread or a signal handler, and stays set until it is cleared, which
 * may be done while no call looks at it. One flag may serve any number of requests. */
typedef struct slm_cancel {
    int32_t flag, reserved;
} slm_cancel;

SLM_API void slm_cancel_set(slm_cancel *cancel);
SLM_API void slm_cancel_clear(slm_cancel *cancel);
SLM_API int slm_cancel_is_set(const slm_cancel *cancel);    /* NULL: 0. Since 0.1.0 */

enum {                      /* what is asked; engines name theirs as a mask of 1 << SLM_TASK_... */
    SLM_TASK_GENERATE = 0,  /* text that continues the prompt */
    SLM_TASK_CHAT     = 1,  /* the next turn of a conversation */
    SLM_TASK_CHOOSE   = 2,  /* which of a closed set of labels comes next, with the probability of each */
    SLM_TASK_SCORE    = 3   /* how probable a given answer is */
};

enum {                           /* what may happen to the contents of a request */
    SLM_PRIVACY_LOCAL_ONLY = 0,  /* nothing leaves this machine */
    SLM_PRIVACY_MASKED     = 1,  /* may leave after what identifies somebody was masked */
    SLM_PRIVACY_MAY_LEAVE  = 2
};

/* What a model asks to be done. Its strings are terminated and never NULL in a reply. */
typedef struct slm_tool_call {
    const char *id;              /* names the call for its answer; "" or NULL: none */
    const char *name;
    const char *arguments;       /* [arguments_len] a JSON object */
    size_t      arguments_len;
} slm_tool_call;

/* One turn of a conversation. The text never becomes control tokens. */
typedef struct slm_message {
    const char *role;            /* "system", "user", "assistant", "tool" */
    const char *text;            /* [len] */
    size_t      len;
    const slm_tool_call *calls;  /* [n_calls] assistant: what it asked for, as in the reply that brought it     0.1.0 */
    size_t      n_calls;
    const char *call_id;         /* tool: the id of the call that the text answers; NULL: none                   0.1.0 */
    const char *name;            /* tool: what was called; NULL: not said                                        0.1.0 */
} slm_message;
#define SLM_MESSAGE(role, text, len) { role, text, len, NULL, 0, NULL, NULL }

/* Everything a request points at is read during the call only. */
typedef struct slm_request {
    size_t              size;
    uint32_t            task;         /* SLM_TASK_...                                                       0.1.0 */
    uint32_t            privacy;      /* SLM_PRIVACY_...                                                     0.1.0 */
    const char         *prompt;       /* [prompt_len]; all tasks but chat                                    0.1.0 */
    size_t              prompt_len;
    const slm_message  *messages;     /* [n_messages] chat                                                   0.1.0 */
    size_t              n_messages;
    const char *const  *labels;       /* [n_labels] choose: terminated, at most 4,096, of at most 4,096 bytes 0.1.0 */
    size_t              n_labels;
    const char         *answer;       /* [answer_len] score                                                  0.1.0 */
    size_t              answer_len;
    const slm_sampling *sampling;     /* generate, chat; NULL: greedy                                        0.1.0 */
    const char *const  *stops;        /* [n_stops] generate, chat: terminated; the text ends before the first 0.1.0 */
    uint32_t            n_stops;
    uint32_t            flags;        /* SLM_TEXT_SPECIAL: the prompt may yield control tokens; else 0       0.1.0 */
    uint32_t            max_tokens;   /* generate, chat; 0: until the end or the context is full             0.1.0 */
    uint32_t            deadline_ms;  /* for the whole call; 0: none. SLM_E_IO if there is no clock            0.1.0 */
    slm_cancel         *cancel;       /* may be NULL                                                         0.1.0 */
    slm_text_fn        *text;         /* generate, chat: receives the answer as it is made; may be NULL      0.1.0 */
    void               *user;         /* of text */
    const char         *now;          /* chat: local time as in slm_render_params; NULL: a template that asks fails 0.1.0 */
    /* What the answer must be; at most one of the three, else SLM_E_ARG. An engine that cannot keep to it refuses the request. */
    const char         *schema;       /* [schema_len] generate, chat: JSON that validates, as slm_constraint_schema 0.1.0 */
    size_t              schema_len;
    const char         *regex;        /* generate, chat: terminated; a match as a whole, as slm_constraint_regex  0.1.0 */
    /* What the model may call. [tools_len] chat: a JSON array of {"type":"function","function":{"name","description","parameters"}},
     * handed to the model as it stands. Calls come back in the reply, and are not part of its text.             0.1.0 */
    const char         *tools;
    size_t              tools_len;
} slm_request;
#define SLM_REQUEST_INIT { sizeof(slm_request), 0, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, \
                           NULL, 0, NULL, NULL, 0 }

/* What the model thought of one token it saw: always at temperature 1 and over the whole vocabulary, however it was picked. */
typedef struct slm_token_score {
    double logp;     /* log p of the token, nats */
    double margin;   /* probability of the best token less that of the second, whichever was picked; -1: not known */
    double entropy;  /* of the distribution, nats; -1: not known */
} slm_token_score;

typedef struct slm_label_score {
    double   logp;      /* log p(label | prompt), nats: see SLM_TASK_CHOOSE in docs/engines.md */
    double   p;         /* normalised over the labels */
    uint32_t tokens;
    uint32_t reserved;
} slm_label_score;

enum { SLM_CONFIDENCE_NONE = 0, SLM_CONFIDENCE_TOKENS = 1, SLM_CONFIDENCE_LABELS = 2 };

/* How sure an answer is, uncalibrated. Quantiles interpolate linearly: h = (count - 1) a. */
typedef struct slm_confidence {
    size_t   size;
    uint32_t kind;           /* SLM_CONFIDENCE_...: TOKENS from those of the answer, LABELS exact over a closed set */
    uint32_t count;          /* tokens (an end token counts), or labels */
    double   value;          /* 0 .. 1: TOKENS e^mean; LABELS the probability of the best */
    double   sum, mean, min; /* of log p of the tokens of the answer or of the best label, nats */
    double   p10, p25, median;
    double   margin;         /* TOKENS the mean of the tokens' margins; LABELS best less second; -1: not known */
    double   margin_min;     /* TOKENS the least of them; LABELS as margin */
    double   entropy;        /* TOKENS the mean; LABELS of the distribution over the labels; nats; -1: not known */
    double   entropy_first;  /* TOKENS of the first; LABELS as entropy */
} slm_confidence;
#define SLM_CONFIDENCE_INIT { sizeof(slm_confidence), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* The numbers of one token for a row of logits. SLM_E_ARG if token is outside; SLM_E_NUMERIC. Since 0.1.0 */
SLM_API slm_status slm_token_measure(slm_token_score *score, const float *logits, size_t vocab, int32_t token, slm_error *err);

/* Confidence of an answer of n >= 1 tokens. A margin or entropy that one token lacks (-1) is lacking in the result.
 * SLM_E_ARG for n = 0 or beyond 2^24, SLM_E_NUMERIC for a log p that is NaN or above 0, SLM_E_MEMORY. Since 0.1.0 */
SLM_API slm_status slm_confidence_of_tokens(slm_confidence *confidence, const slm_token_score *tokens, size_t n, slm_error *err);

/* Confidence of a choice: reads logp of labels[n], writes p of each and *best (the lowest index on ties). sum, mean, min and the
 * quantiles stay 0: the tokens of the best label are not known here. Errors as above. Since 0.1.0 */
SLM_API slm_status slm_confidence_of_labels(slm_confidence *confidence, size_t *best, slm_label_score *labels, size_t n, slm_error *err);

/* Ends of an answer that only a reply has, beside those of slm_stop. */
enum { SLM_STOP_REFUSED = 6, SLM_STOP_CALLS = 7, SLM_STOP_OTHER = 8 };     /* the model declined; it wants tools called; unknown */

enum {                        /* slm_reply.flags */
    SLM_REPLY_COSTED = 1,     /* cost is known or an upper bound */
    SLM_REPLY_ESTIMATED = 2,  /* tokens and cost are upper bounds: the server's own numbers are missing or impossible */
    SLM_REPLY_CUT = 4         /* the server ended the answer early, for a reason of its own */
};

enum {                        /* slm_reply.route: how slm_engine_escalate came to this answer */
    SLM_ROUTE_NONE = 0,       /* no escalation was there to decide */
    SLM_ROUTE_LOCAL = 1,      /* local: good enough */
    SLM_ROUTE_UNSURE = 2,     /* remote: the local confidence was under the threshold */
    SLM_ROUTE_UNVERIFIED = 3, /* remote: the local answer did not pass the caller's check */
    SLM_ROUTE_FAILED = 4,     /* remote: the local engine failed or does not do the task */
    SLM_ROUTE_KEPT = 5        /* local, though it should have gone on: route_status and note say why it did not */
};

/* The outcome. Begin with SLM_REPLY_INIT, end with slm_reply_free; what it points at is its own and needs neither engine nor model. */
typedef struct slm_reply {
    size_t                 size;
    void                  *memory;       /* of whoever filled it ... */
    void                 (*release)(void *memory);
    const char            *text;         /* [text_len] and a NUL: the answer; choose: the label; score: "" */
    size_t                 text_len;
    const char            *engine;       /* name of the engine that answered */
    const char            *model;        /* name of the model, "" if it has none */
    const slm_confidence  *confidence;   /* NULL: none */
    const slm_token_score *scores;       /* [n_scores] generate, chat: the tokens made, and the end token if one was; score: of the answer */
    size_t                 n_scores;
    const slm_label_score *labels;       /* [n_labels] choose: in the order of the request */
    size_t                 n_labels;
    size_t                 label;        /* choose: the best one; the lowest index on ties */
    uint64_t               prompt_tokens, cached_tokens; /* evaluated for the prompt; of these, taken from an earlier call */
    uint64_t               tokens;       /* made, or scored, or of all labels; an end token is not counted */
    uint64_t               prompt_ns, total_ns;  /* until the prompt was evaluated; of the whole call */
    uint32_t               reason;       /* generate, chat: an slm_stop; else 0 */
    uint32_t               partial;      /* 1: the call failed after this much of the answer was made */
    uint32_t               left;         /* 1: contents of the request left this machine */
    uint32_t               flags;        /* SLM_REPLY_... */
    const slm_tool_call   *calls;        /* [n_calls] chat: what the model asks for, arguments checked to be a JSON object 0.1.0 */
    size_t                 n_calls;
    const char            *note;         /* one line: why it was escalated or not, what was odd; "" */
    uint64_t               cache_write_tokens;   /* of prompt_tokens, written to a server's cache at a price of their own */
    uint64_t               cost;         /* nano-dollars of all tries, with SLM_REPLY_COSTED */
    uint32_t               tries;        /* requests sent for it; 0: none */
    uint32_t               route;        /* SLM_ROUTE_... */
    int32_t                route_status; /* SLM_ROUTE_KEPT, _FAILED: the slm_status that decided; else 0 */
    uint32_t               reserved;
} slm_reply;
#define SLM_REPLY_INIT { sizeof(slm_reply), NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, \
                         NULL, 0, 0, 0, 0, 0, 0 }

/* Frees what the reply points at and makes it an SLM_REPLY_INIT again. */
SLM_API void slm_reply_free(slm_reply *reply);

/* For makers of engines: copies all that the reply points at into one piece of memory of its own. What it had before is not freed.
 * allocator may be NULL. SLM_E_MEMORY, and then the reply is as before. Since 0.1.0 */
SLM_API slm_status slm_reply_own(slm_reply *reply, const slm_allocator *allocator, slm_error *err);

enum {                     /* traits of an engine; one that says nothing about itself is trusted with nothing */
    SLM_ENGINE_LOCAL = 1,  /* nothing of a request leaves this machine */
    SLM_ENGINE_MASKS = 2,  /* it masks a request of SLM_PRIVACY_MASKED before anything leaves */
    SLM_ENGINE_EXACT = 4,  /* the same request has the same answer, bit by bit */
    SLM_ENGINE_KEEPS = 8   /* it keeps privacy classes itself: it hands a request only to slm_engine_run of others, class and all */
};

/* A table of operations. A caller's own engine fills one and hands it to slm_engine_run; nothing else is needed.
 *   run      gets a request that was checked, whose size may be smaller than its own slm_request (a field beyond it is not there), and a
 *            reply that holds nothing but the engine's name; it may point the reply at what it likes and then call slm_reply_own. It may be called from several
 *            threads at once
 *   release  ends the engine and the memory of this table; may be NULL */
typedef struct slm_engine {
    size_t      size;
    void       *user;
    const char *name;
    uint32_t    tasks;       /* mask of 1 << SLM_TASK_... */
    uint32_t    traits;      /* mask of SLM_ENGINE_... */
    slm_status (*run)(void *user, const slm_request *request, slm_reply *reply, slm_error *err);
    void       (*release)(void *user);
} slm_engine;
#define SLM_ENGINE_INIT { sizeof(slm_engine), NULL, NULL, 0, 0, NULL, NULL }

/* Answers a request.
 *   reply  SLM_REPLY_INIT or freed; written on SLM_OK, and on a failure after part of an answer was made (partial is 1): free it in
 *          any case
 * Returns  SLM_OK
 *          SLM_E_ARG          the request is outside its documented ranges (names field and number)
 *          SLM_E_REFUSED      its privacy class forbids this engine; nothing was handed to it
 *          SLM_E_UNSUPPORTED  the engine does not do this task
 *          SLM_E_STATE        the reply still holds an answer
 *          SLM_E_CANCELLED, SLM_E_DEADLINE, SLM_E_CONTEXT, SLM_E_MEMORY and whatever else the engine says
 * Threads  any number at once on one engine.
 * Since    0.1.0
 */
SLM_API slm_status slm_engine_run(const slm_engine *engine, const slm_request *request, slm_reply *reply, slm_error *err);
SLM_API void slm_engine_free(slm_engine *engine);

typedef struct slm_engine_local_params {
    size_t      size;
    const char *name;      /* NULL: "local"; at most 64 bytes                                                   0.1.0 */
    uint32_t    context;   /* of each session, as in slm_session_params                                          0.1.0 */
    uint32_t    chunk;     /* likewise                                                                           0.1.0 */
    uint32_t    kv;        /* likewise                                                                           0.1.0 */
    uint32_t    idle;      /* sessions kept between calls, 1 .. 16; 0: 2                                         0.1.0 */
    const char *chat_template;      /* [chat_template_len] read by the call only; NULL: the model's own, if it has one 0.1.0 */
    size_t      chat_template_len;
} slm_engine_local_params;
#define SLM_ENGINE_LOCAL_PARAMS_INIT { sizeof(slm_engine_local_params), NULL, 0, 0, 0, 0, NULL, 0 }

/* An engine that answers with a model of this process; it keeps the model alive. Each running call has a session of its own; up to
 * `idle` of them are kept, and a prompt that begins as one of theirs did is not evaluated again that far, which changes no bit.
 * Returns SLM_OK, SLM_E_ARG, SLM_E_STATE if the model has no tokenizer, SLM_E_MEMORY, the errors of slm_template_new. Since 0.1.0 */
SLM_API slm_status slm_engine_local(slm_engine **out, slm_model *model, const slm_engine_local_params *params, slm_error *err);

/* Does text [len] parse as JSON and validate against a JSON schema [schema_len]? The keywords are those of slm_constraint_schema.
 * SLM_OK it does; SLM_E_MISMATCH names the place and what is not so; SLM_E_FORMAT for text or schema that is no JSON or no schema,
 * SLM_E_UNSUPPORTED a keyword, SLM_E_LIMIT, SLM_E_MEMORY. Since 0.1.0 */
SLM_API slm_status slm_schema_check(const char *schema, size_t schema_len, const char *text, size_t len, slm_error *err);

/* ---- money ------------------------------------------------------------------------------------------------------------------- */

/* Prices in nano-dollars per 1,000 tokens: one dollar per million tokens is 1,000,000. */
typedef struct slm_price {
    const char *model;        /* the model's name, or its beginning and a '*'; the first row that fits holds */
    uint64_t    input;        /* 0 .. 1e9 each */
    uint64_t    output;
    uint64_t    cached;       /* read from the server's cache; 0: as input */
    uint64_t    cache_write;  /* written to it; 0: as input */
} slm_price;

/* What a call used. All of a prompt is `prompt`; cached and cache_write are parts of it. */
typedef struct slm_usage {
    uint64_t prompt, cached, cache_write, output;     /* tokens, at most 2^32 each */
} slm_usage;

typedef struct slm_budget_params {
    size_t           size;
    uint64_t         total;      /* nano-dollars that may be spent in all; 0: only what is free                 0.1.0 */
    uint64_t         calls;      /* calls at most; 0: no bound                                                   0.1.0 */
    const slm_price *prices;     /* [n_prices], copied, at most 1,024                                            0.1.0 */
    size_t           n_prices;
    const slm_price *ceiling;    /* for models without a row (its own `model` is not read); NULL: they are refused  0.1.0 */
} slm_budget_params;
#define SLM_BUDGET_PARAMS_INIT { sizeof(slm_budget_params), 0, 0, NULL, 0, NULL }

typedef struct slm_budget_info {
    size_t   size;
    uint64_t total, spent, reserved;   /* nano-dollars */
    uint64_t calls, refused;           /* reservations made; reservations refused */
} slm_budget_info;
#define SLM_BUDGET_INFO_INIT { sizeof(slm_budget_info), 0, 0, 0, 0, 0 }

/* An amount that engines share: the worst case is reserved before a call and the true cost settled after it, so that calls in parallel
 * cannot pass it together. Costs are integers and add up the same in any order; each is rounded up to a nano-dollar.
 * Threads  any number. After fork the child has none: SLM_E_STATE there.
 * Errors   SLM_E_ARG names row and number; SLM_E_MEMORY. Since 0.1.0 */
typedef struct slm_budget slm_budget;
SLM_API slm_status slm_budget_new(slm_budget **out, const slm_budget_params *params, slm_error *err);
SLM_API void slm_budget_free(slm_budget *budget);

/* What `usage` of a model costs. SLM_E_BUDGET if the model has no price; SLM_E_ARG for impossible usage. Since 0.1.0 */
SLM_API slm_status slm_budget_cost(const slm_budget *budget, const char *model, const slm_usage *usage, uint64_t *cost, slm_error *err);

/* Sets aside what `most` can cost at worst (each token of the prompt at its dearest). *reserved is given back to settle, once, with
 * what was spent. SLM_E_BUDGET if that is not left, or the calls are used up, or the model has no price. Since 0.1.0 */
SLM_API slm_status slm_budget_reserve(slm_budget *budget, const char *model, const slm_usage *most, uint64_t *reserved, slm_error *err);
SLM_API slm_status slm_budget_settle(slm_budget *budget, uint64_t reserved, uint64_t spent, slm_error *err);
SLM_API slm_status slm_budget_get_info(const slm_budget *budget, slm_budget_info *info, slm_error *err);

/* ---- escalation -------------------------------------------------------------------------------------------------------------- */

enum { SLM_ESCALATE_STREAM = 1 };   /* text of the second engine is handed out as it comes; a failure after that cannot be taken back */

typedef struct slm_engine_escalate_params {
    size_t      size;
    const char *name;       /* NULL: "escalate"; at most 64 bytes                                               0.1.0 */
    double      threshold;  /* 0 .. 1: a local answer whose confidence value is under it goes on; so does one without confidence, if
                               this is above 0. 0: confidence decides nothing                                    0.1.0 */
    /* The caller's check of a local answer: 0 keeps it, 1 sends the request on, anything else ends the call with SLM_E_CALLBACK.
     * May be NULL. Called on the calling thread, without a lock.                                                0.1.0 */
    int       (*verify)(void *user, const slm_request *request, const slm_reply *reply);
    void       *user;
    slm_budget *budget;     /* for a second engine that keeps none of its own; NULL: none. Used, not owned         0.1.0 */
    const char *model;      /* with budget: whose price is reserved; the reply's own is settled                    0.1.0 */
    uint32_t    max_tokens; /* with budget: most output when the request names none; 0: 4,096                      0.1.0 */
    uint32_t    tries;      /* with budget: requests that one call may take, all of which may be billed; 0: 3       0.1.0 */
    uint32_t    flags;      /* SLM_ESCALATE_...                                                                    0.1.0 */
    uint32_t    reserved;
} slm_engine_escalate_params;
#define SLM_ENGINE_ESCALATE_PARAMS_INIT { sizeof(slm_engine_escalate_params), NULL, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0 }

/* An engine of two: asks `local`, and `remote` only where the answer is unsure, does not pass the check, or there is none. Text is shown
 * once it is known which answer holds. If the second engine fails, is refused by the request's privacy class or by the budget, the local
 * answer stands with SLM_ROUTE_KEPT; without one the failure is the local engine's, with the other in its text. A cancelled call is
 * SLM_E_CANCELLED. The reply's engine, model, left, route, route_status and note say what happened.
 *   local, remote  used, not owned; freed after this one. `local` must say SLM_ENGINE_LOCAL (SLM_E_ARG)
 * Threads  as its two engines. Since 0.1.0 */
SLM_API slm_status slm_engine_escalate(slm_engine **out, const slm_engine *local, const slm_engine *remote,
                                       const slm_engine_escalate_params *params, slm_error *err);

#ifdef __cplusplus
}
#endif
#endif
