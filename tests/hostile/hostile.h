/* hostile.h -- good files of every format, where the numbers and records in them stand, and what is done to them. A format is a row of
 * formats.c; mutate.c bends its file in every way the list below has, hostile.c reads each result and keeps the answers.
 *
 *   field   a number, a value of JSON, a word of a text: set to every value that such things are attacked with
 *   record  a piece that repeats (a key, a tensor, a member, a tag): doubled, dropped, swapped with the next, with and without the number
 *           that counts them made to fit */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include "harness/test.h"

#include "core/buf.h"

enum { NONE = -1, MOST_SPANS = 4096 };

enum form {
    LE,             /* n bytes, little-endian */
    VARINT,         /* of protobuf */
    JSON,           /* a value as text */
    WORD            /* of a text that is no JSON */
};

typedef struct span {
    size_t at, n;
    enum form form;
    int length;     /* the field that holds the length of what this lies in, or NONE */
    int count;      /* record: the field that counts its kind, or NONE */
    int next;       /* record: the one that stands behind it under the same roof, or NONE */
    char what[48];
} span;

typedef struct specimen {
    slm_buf file;
    size_t head;    /* bytes of metadata; all of it: the file has nothing else */
    size_t align;   /* what lies behind the head begins at a multiple of this */
    span *fields, *records;     /* [MOST_SPANS] */
    int n_fields, n_records;
} specimen;

typedef struct format {
    const char *name;
    int full;                       /* 1: in the full form only; 2: and not bit by bit */
    /* Makes the good file; an empty one is missing material, which is said. `with` is of the row. */
    void (*make)(specimen *s, const void *with);
    const void *with;
    /* Reads [n] bytes that end where memory ends, with all that is meant to read them; the first refusal is the answer. */
    slm_status (*read)(const uint8_t *bytes, size_t n, slm_error *err);
    void (*mend)(uint8_t *bytes, size_t n);     /* makes the hashes right, as an enemy would; NULL: there are none */
} format;

extern const format formats[], text_formats[];
extern const size_t n_formats, n_text_formats;

/* ---- maps ---- */

/* Notes a field or record; label: printf's. Gives its index. */
int note_field(specimen *s, size_t at, size_t n, enum form form, int length, const char *label, ...) __attribute__((format(printf, 6, 7)));
int note_record(specimen *s, size_t at, size_t n, enum form form, int length, int count, const char *label, ...) __attribute__((format(printf, 7, 8)));

void map_gguf(specimen *s);
void map_packed(specimen *s);
/* The JSON text at .. at + n: every value is a field, every member and element a record. length: as in span. */
void map_json(specimen *s, size_t at, size_t n, int length);
/* A text: runs of letters and digits are fields; what lies between open and close (NULL: each character) are records. */
void map_text(specimen *s, const char *open, const char *close);

/* ---- bending ---- */

/* Called with each bent file; label says what was done. */
typedef void bent_fn(void *user, const char *label, const uint8_t *bytes, size_t n);
void bend(const specimen *s, bent_fn *each, void *user);
/* The same with each bit of the head flipped. */
void bend_bits(const specimen *s, bent_fn *each, void *user);

/* ---- reading ---- */

/* The memory of the case that runs: what a reader hands to the library. Reset for each object, whose peak is then compared with
 * 8 bytes for each of `metadata` and 1 MiB. */
const slm_allocator *case_memory(void);
void case_peak(const char *what, size_t metadata);

/* What the case that runs reads; so said for those that are no bent files. */
void case_file(const uint8_t *bytes, size_t n);

/* The message of a part that failed is looked at, and kept if it is the first. file: what it must begin with. */
void case_answer(slm_status *first, slm_error *kept, const char *file, slm_status status, const slm_error *err);

/* A folder of the run's own; in messages it reads "DIR". */
const char *case_folder(void);
const char *case_path(const char *name);
void case_write(const char *name, const void *bytes, size_t n);

/* Ends the run with a message. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* What a GGUF, safetensors, llama2.c checkpoint or tokenizer file is put through; the stages after one that fails are run too. bytes NULL:
 * the file at path. tokenizer_path: as in slm_file_params. */
enum { STAGE_FILE = 1, STAGE_TOKENIZER = 2, STAGE_MODEL = 4 };
slm_status read_model_file(const uint8_t *bytes, size_t n, const char *path, const char *tokenizer_path, unsigned stages, size_t metadata,
                           slm_error *err);

/* ---- made files: one for each accident of docs/testing.md's list that applies ---- */

typedef struct accident {
    const char *name;               /* "H5 alignment of 3" */
    slm_status (*run)(slm_error *err);
} accident;
extern const accident accidents[];
extern const size_t n_accidents;

#endif
